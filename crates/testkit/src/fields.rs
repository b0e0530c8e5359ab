//! Where each field of the ELF structures lies, in both classes: one table for writing, reading and damaging.

use crate::format::{Class, Format};

/// One field: its C name and, for ELF32 and ELF64, its (offset, width) in bytes.
#[derive(Debug)]
pub struct Field {
    /// As in the C headers.
    pub name: &'static str,
    elf32: (usize, usize),
    elf64: (usize, usize),
}

/// The fields of one structure.
pub type Fields = [Field];

const fn f(name: &'static str, elf32: (usize, usize), elf64: (usize, usize)) -> Field {
    Field { name, elf32, elf64 }
}

/// `Elf32_Ehdr`, `Elf64_Ehdr`, without `e_ident`.
pub const EHDR: &Fields = &[
    f("e_type", (16, 2), (16, 2)),
    f("e_machine", (18, 2), (18, 2)),
    f("e_version", (20, 4), (20, 4)),
    f("e_entry", (24, 4), (24, 8)),
    f("e_phoff", (28, 4), (32, 8)),
    f("e_shoff", (32, 4), (40, 8)),
    f("e_flags", (36, 4), (48, 4)),
    f("e_ehsize", (40, 2), (52, 2)),
    f("e_phentsize", (42, 2), (54, 2)),
    f("e_phnum", (44, 2), (56, 2)),
    f("e_shentsize", (46, 2), (58, 2)),
    f("e_shnum", (48, 2), (60, 2)),
    f("e_shstrndx", (50, 2), (62, 2)),
];

/// `Elf32_Shdr`, `Elf64_Shdr`.
pub const SHDR: &Fields = &[
    f("sh_name", (0, 4), (0, 4)),
    f("sh_type", (4, 4), (4, 4)),
    f("sh_flags", (8, 4), (8, 8)),
    f("sh_addr", (12, 4), (16, 8)),
    f("sh_offset", (16, 4), (24, 8)),
    f("sh_size", (20, 4), (32, 8)),
    f("sh_link", (24, 4), (40, 4)),
    f("sh_info", (28, 4), (44, 4)),
    f("sh_addralign", (32, 4), (48, 8)),
    f("sh_entsize", (36, 4), (56, 8)),
];

/// `Elf32_Phdr`, `Elf64_Phdr`.
pub const PHDR: &Fields = &[
    f("p_type", (0, 4), (0, 4)),
    f("p_flags", (24, 4), (4, 4)),
    f("p_offset", (4, 4), (8, 8)),
    f("p_vaddr", (8, 4), (16, 8)),
    f("p_paddr", (12, 4), (24, 8)),
    f("p_filesz", (16, 4), (32, 8)),
    f("p_memsz", (20, 4), (40, 8)),
    f("p_align", (28, 4), (48, 8)),
];

/// `Elf32_Sym`, `Elf64_Sym`.
pub const SYM: &Fields = &[
    f("st_name", (0, 4), (0, 4)),
    f("st_value", (4, 4), (8, 8)),
    f("st_size", (8, 4), (16, 8)),
    f("st_info", (12, 1), (4, 1)),
    f("st_other", (13, 1), (5, 1)),
    f("st_shndx", (14, 2), (6, 2)),
];

/// `Elf32_Rel`, `Elf64_Rel`.
pub const REL: &Fields = &[f("r_offset", (0, 4), (0, 8)), f("r_info", (4, 4), (8, 8))];

/// `Elf32_Rela`, `Elf64_Rela`.
pub const RELA: &Fields = &[f("r_offset", (0, 4), (0, 8)), f("r_info", (4, 4), (8, 8)), f("r_addend", (8, 4), (16, 8))];

impl Field {
    /// Offset in the structure and width, in bytes.
    pub fn at(&self, class: Class) -> (usize, usize) {
        match class {
            Class::Elf32 => self.elf32,
            Class::Elf64 => self.elf64,
        }
    }
}

/// Bytes the structure takes.
pub fn size_of(fields: &Fields, class: Class) -> usize {
    fields.iter().map(|f| f.at(class)).map(|(o, w)| o + w).max().unwrap()
}

fn find(fields: &Fields, name: &str, class: Class) -> (usize, usize) {
    fields.iter().find(|f| f.name == name).unwrap_or_else(|| panic!("no field {name}")).at(class)
}

/// Field `name` of the structure that begins at `base`.
pub fn get(format: Format, fields: &Fields, buf: &[u8], base: usize, name: &str) -> u64 {
    let (offset, width) = find(fields, name, format.class);
    format.get(buf, base + offset, width)
}

/// Sets field `name` of the structure that begins at `base`.
pub fn set(format: Format, fields: &Fields, buf: &mut [u8], base: usize, name: &str, value: u64) {
    let (offset, width) = find(fields, name, format.class);
    format.put(buf, base + offset, width, value);
}

/// One structure with the given fields; the others are 0.
pub fn encode(format: Format, fields: &Fields, values: &[(&str, u64)]) -> Vec<u8> {
    let mut buf = vec![0; size_of(fields, format.class)];
    for &(name, value) in values {
        set(format, fields, &mut buf, 0, name, value);
    }
    buf
}

/// Sets a field of the ELF header of `file`.
pub fn poke_header(file: &mut [u8], name: &str, value: u64) {
    set(Format::of(file), EHDR, file, 0, name, value);
}

/// Sets a field of section header `index` of `file`, which must have an intact ELF header.
pub fn poke_section(file: &mut [u8], index: usize, name: &str, value: u64) {
    let base = section_header(file, index);
    set(Format::of(file), SHDR, file, base, name, value);
}

/// Sets a field of program header `index` of `file`, which must have an intact ELF header.
pub fn poke_segment(file: &mut [u8], index: usize, name: &str, value: u64) {
    let format = Format::of(file);
    let phoff = get(format, EHDR, file, 0, "e_phoff") as usize;
    let base = phoff + index * size_of(PHDR, format.class);
    set(format, PHDR, file, base, name, value);
}

/// File offset of section header `index`.
pub fn section_header(file: &[u8], index: usize) -> usize {
    let format = Format::of(file);
    let shoff = get(format, EHDR, file, 0, "e_shoff") as usize;
    shoff + index * size_of(SHDR, format.class)
}

/// Field `name` of the ELF header of `file`.
pub fn header_field(file: &[u8], name: &str) -> u64 {
    get(Format::of(file), EHDR, file, 0, name)
}

/// Field `name` of section header `index` of `file`.
pub fn section_field(file: &[u8], index: usize, name: &str) -> u64 {
    get(Format::of(file), SHDR, file, section_header(file, index), name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn structures_have_no_holes() {
        for (fields, ident) in [(EHDR, 16), (SHDR, 0), (PHDR, 0), (SYM, 0), (REL, 0), (RELA, 0)] {
            for class in [Class::Elf32, Class::Elf64] {
                let mut places: Vec<_> = fields.iter().map(|f| f.at(class)).collect();
                places.sort_unstable();
                let end = places.iter().fold(ident, |at, &(offset, width)| {
                    assert_eq!(offset, at);
                    offset + width
                });
                assert_eq!(end, size_of(fields, class));
            }
        }
        let sizes = |class| [EHDR, SHDR, PHDR, SYM, REL, RELA].map(|f| size_of(f, class));
        assert_eq!(sizes(Class::Elf32), [52, 40, 32, 16, 8, 12]);
        assert_eq!(sizes(Class::Elf64), [64, 64, 56, 24, 16, 24]);
    }
}
