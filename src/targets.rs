//! BFD's names of object file formats, as `-I`, `-O`, `-F` and the kernel's makefiles spell them.

use elfgraft_elf::consts::ET_REL;
use elfgraft_elf::{Endianness, Format};

use crate::report::Error;

/// What a target name means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TargetFormat {
    /// `binary`: bytes without headers.
    Binary,
    /// `srec`: Motorola's S-records.
    Srec,
    /// `ihex`: Intel's hexadecimal records.
    Ihex,
    /// An ELF format.
    Elf(Format),
}

/// Name, ELF64, big-endian, `e_machine` (gABI and the processors' supplements).
const TARGETS: [(&str, bool, bool, u16); 36] = [
    ("elf64-x86-64", true, false, 62),
    ("elf32-x86-64", false, false, 62),
    ("elf32-i386", false, false, 3),
    ("elf64-littleaarch64", true, false, 183),
    ("elf64-bigaarch64", true, true, 183),
    ("elf32-littlearm", false, false, 40),
    ("elf32-bigarm", false, true, 40),
    ("elf64-littleriscv", true, false, 243),
    ("elf32-littleriscv", false, false, 243),
    ("elf64-loongarch", true, false, 258),
    ("elf32-loongarch", false, false, 258),
    ("elf64-s390", true, true, 22),
    ("elf32-s390", false, true, 22),
    ("elf64-powerpc", true, true, 21),
    ("elf64-powerpcle", true, false, 21),
    ("elf32-powerpc", false, true, 20),
    ("elf32-powerpcle", false, false, 20),
    ("elf64-tradbigmips", true, true, 8),
    ("elf64-tradlittlemips", true, false, 8),
    ("elf32-tradbigmips", false, true, 8),
    ("elf32-tradlittlemips", false, false, 8),
    ("elf32-ntradbigmips", false, true, 8),
    ("elf32-ntradlittlemips", false, false, 8),
    ("elf64-bigmips", true, true, 8),
    ("elf64-littlemips", true, false, 8),
    ("elf32-bigmips", false, true, 8),
    ("elf32-littlemips", false, false, 8),
    ("elf64-sparc", true, true, 43),
    ("elf32-sparc", false, true, 2),
    ("elf64-alpha", true, false, 0x9026),
    ("elf64-hppa-linux", true, true, 15),
    ("elf32-hppa-linux", false, true, 15),
    ("elf32-m68k", false, true, 4),
    ("elf32-sh-linux", false, false, 42),
    ("elf32-littlearc", false, false, 195),
    ("elf32-csky-little", false, false, 252),
];

impl TargetFormat {
    /// Reads a target name.
    ///
    /// # Errors
    /// Naming the option, if the name is unknown.
    pub fn parse(option: &str, name: &str) -> Result<TargetFormat, Error> {
        match name {
            "binary" => return Ok(TargetFormat::Binary),
            "srec" => return Ok(TargetFormat::Srec),
            "ihex" => return Ok(TargetFormat::Ihex),
            _ => {}
        }
        let known = TARGETS.iter().find(|t| t.0 == name);
        let &(_, is_64, big, e_machine) =
            known.ok_or_else(|| Error::Usage(format!("{option}: unknown or unsupported target '{name}'")))?;
        let endian = if big { Endianness::Big } else { Endianness::Little };
        Ok(TargetFormat::Elf(Format { is_64, endian, e_type: ET_REL, e_machine }))
    }
}

/// Whether two files are of one format, whatever their types.
pub fn same(a: Format, b: Format) -> bool {
    (a.is_64, a.endian, a.e_machine) == (b.is_64, b.endian, b.e_machine)
}

/// Whether `wanted` is the x32 format of an x86-64 file: the one conversion that the kernel's build needs.
pub fn is_x32_of(wanted: Format, file: Format) -> bool {
    const EM_X86_64: u16 = 62;
    (wanted.e_machine, file.e_machine) == (EM_X86_64, EM_X86_64) && file.is_64 && !wanted.is_64
}

/// A format in BFD's words, for messages.
pub fn name(format: Format) -> String {
    let found = TARGETS.iter().find(|t| {
        let endian = if t.2 { Endianness::Big } else { Endianness::Little };
        (t.1, endian, t.3) == (format.is_64, format.endian, format.e_machine)
    });
    found.map_or_else(|| format!("ELF machine {}", format.e_machine), |t| t.0.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_formats_go_both_ways() {
        for name_of in ["elf64-x86-64", "elf64-s390", "elf32-bigarm", "elf64-littleriscv"] {
            let Ok(TargetFormat::Elf(format)) = TargetFormat::parse("-O", name_of) else { panic!("{name_of}") };
            assert_eq!(name(format), name_of);
        }
        assert_eq!(TargetFormat::parse("-O", "binary").unwrap(), TargetFormat::Binary);
        let message = TargetFormat::parse("-O", "verilog").unwrap_err().to_string();
        assert!(message.contains("-O") && message.contains("verilog"), "{message}");
    }
}
