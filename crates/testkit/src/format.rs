//! Class, byte order and machine of a file, and integers written accordingly.

use crate::consts::*;
use std::fmt;

/// `e_ident[EI_CLASS]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// 32-bit structures.
    Elf32,
    /// 64-bit structures.
    Elf64,
}

/// `e_ident[EI_DATA]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endian {
    /// Least significant byte first.
    Little,
    /// Most significant byte first.
    Big,
}

use Class::{Elf32, Elf64};
use Endian::{Big, Little};

/// Everything that decides how a structure is spelled in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Format {
    /// Width of addresses and offsets.
    pub class: Class,
    /// Order of the bytes of every integer.
    pub endian: Endian,
    /// `e_machine`; matters only to relocations.
    pub machine: u16,
}

impl Format {
    /// The common case of today's kernels.
    pub const X86_64: Format = Format::new(Elf64, Little, EM_X86_64);
    /// 64-bit, little endian.
    pub const AARCH64: Format = Format::new(Elf64, Little, EM_AARCH64);
    /// 64-bit, little endian, with `r_info` split into bytes.
    pub const MIPS64EL: Format = Format::new(Elf64, Little, EM_MIPS);
    /// 64-bit, big endian.
    pub const S390X: Format = Format::new(Elf64, Big, EM_S390);
    /// 32-bit, big endian, REL relocations.
    pub const MIPS: Format = Format::new(Elf32, Big, EM_MIPS);
    /// 32-bit, little endian, REL relocations.
    pub const ARM: Format = Format::new(Elf32, Little, EM_ARM);

    /// One of each class and byte order, for tests that must hold for all four.
    pub const FOUR: [Format; 4] = [Format::X86_64, Format::S390X, Format::ARM, Format::MIPS];

    /// Every machine the generator makes files for.
    pub const ALL: [Format; 18] = [
        Format::X86_64,
        Format::AARCH64,
        Format::MIPS64EL,
        Format::S390X,
        Format::MIPS,
        Format::ARM,
        Format::new(Elf64, Little, EM_RISCV),
        Format::new(Elf64, Little, EM_LOONGARCH),
        Format::new(Elf64, Little, EM_PPC64),
        Format::new(Elf64, Big, EM_PPC64),
        Format::new(Elf64, Big, EM_MIPS),
        Format::new(Elf64, Big, EM_SPARCV9),
        Format::new(Elf32, Little, EM_386),
        Format::new(Elf32, Little, EM_MIPS),
        Format::new(Elf32, Little, EM_RISCV),
        Format::new(Elf32, Big, EM_PPC),
        Format::new(Elf32, Big, EM_SPARC),
        Format::new(Elf32, Big, EM_68K),
    ];

    /// Any combination, also ones no machine has.
    pub const fn new(class: Class, endian: Endian, machine: u16) -> Format {
        Format { class, endian, machine }
    }

    /// The format an ELF file states in its header.
    pub fn of(file: &[u8]) -> Format {
        let class = match file[4] {
            1 => Elf32,
            2 => Elf64,
            other => panic!("EI_CLASS is {other}"),
        };
        let endian = match file[5] {
            1 => Little,
            2 => Big,
            other => panic!("EI_DATA is {other}"),
        };
        let mut format = Format::new(class, endian, 0);
        format.machine = format.get(file, 18, 2) as u16;
        format
    }

    /// Bytes in an address or offset: 4 or 8.
    pub fn word(self) -> usize {
        match self.class {
            Elf32 => 4,
            Elf64 => 8,
        }
    }

    /// Whether relocations of this machine carry an addend (SHT_RELA) in the kernel's builds.
    pub fn rela(self) -> bool {
        let rel = [EM_386, EM_ARM].contains(&self.machine) || (self.machine == EM_MIPS && self.class == Elf32);
        !rel
    }

    /// `value` in `width` bytes; panics when it does not fit.
    pub fn bytes(self, value: u64, width: usize) -> Vec<u8> {
        assert!(width == 8 || value >> (8 * width) == 0, "{value:#x} in {width} bytes");
        match self.endian {
            Little => value.to_le_bytes()[..width].to_vec(),
            Big => value.to_be_bytes()[8 - width..].to_vec(),
        }
    }

    /// 4-byte integers, one after the other.
    pub fn u32s(self, values: &[u32]) -> Vec<u8> {
        values.iter().flat_map(|&v| self.bytes(u64::from(v), 4)).collect()
    }

    /// Overwrites `width` bytes at `offset`.
    pub fn put(self, buf: &mut [u8], offset: usize, width: usize, value: u64) {
        buf[offset..offset + width].copy_from_slice(&self.bytes(value, width));
    }

    /// The unsigned integer of `width` bytes at `offset`.
    pub fn get(self, buf: &[u8], offset: usize, width: usize) -> u64 {
        let bytes = &buf[offset..offset + width];
        let fold = |acc: u64, byte: &u8| acc << 8 | u64::from(*byte);
        match self.endian {
            Little => bytes.iter().rev().fold(0, fold),
            Big => bytes.iter().fold(0, fold),
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bits = 8 * self.word();
        let order = if self.endian == Little { "LE" } else { "BE" };
        write!(f, "ELF{bits} {order} machine {}", self.machine)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_follow_the_byte_order() {
        assert_eq!(Format::X86_64.bytes(0x1234, 4), [0x34, 0x12, 0, 0]);
        assert_eq!(Format::S390X.bytes(0x1234, 4), [0, 0, 0x12, 0x34]);
        for format in Format::FOUR {
            assert_eq!(format.get(&format.bytes(0x8001_0203, 4), 0, 4), 0x8001_0203);
        }
    }

    #[test]
    #[should_panic(expected = "0x10000 in 2 bytes")]
    fn a_value_that_does_not_fit_is_noticed() {
        Format::ARM.bytes(0x10000, 2);
    }
}
