//! Section and program headers, widened to ELF64, and the index that names a section.

use object::{Endianness, elf};
use std::fmt;

use crate::consts::*;

/// A real index into the section header table: never one of the reserved `SHN_` values, which share the number space
/// only inside the 16-bit `st_shndx` and `e_shstrndx` fields (see [`crate::SymbolSection`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SectionIndex(pub u32);

impl SectionIndex {
    /// The index as a position in a slice.
    pub fn get(self) -> usize {
        self.0 as usize
    }
}

impl fmt::Display for SectionIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}]", self.0)
    }
}

/// A section header (gABI, "Section header"), in native integers. Offsets, sizes and alignments are in bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[allow(missing_docs)] // The fields are the gABI's.
pub struct SectionHeader {
    pub sh_name: u32,
    pub sh_type: u32,
    pub sh_flags: u64,
    pub sh_addr: u64,
    pub sh_offset: u64,
    pub sh_size: u64,
    pub sh_link: u32,
    pub sh_info: u32,
    pub sh_addralign: u64,
    pub sh_entsize: u64,
}

impl SectionHeader {
    pub(crate) fn from_raw<S: object::read::elf::SectionHeader<Endian = Endianness>>(
        endian: Endianness,
        raw: &S,
    ) -> Self {
        SectionHeader {
            sh_name: raw.sh_name(endian),
            sh_type: raw.sh_type(endian).0,
            sh_flags: raw.sh_flags(endian).0,
            sh_addr: raw.sh_addr(endian).into(),
            sh_offset: raw.sh_offset(endian).into(),
            sh_size: raw.sh_size(endian).into(),
            sh_link: raw.sh_link(endian),
            sh_info: raw.sh_info(endian),
            sh_addralign: raw.sh_addralign(endian).into(),
            sh_entsize: raw.sh_entsize(endian).into(),
        }
    }

    pub(crate) fn to_object(&self) -> object::write::elf::SectionHeader {
        object::write::elf::SectionHeader {
            sh_name: self.sh_name,
            sh_type: elf::SectionType(self.sh_type),
            sh_flags: elf::SectionFlags(self.sh_flags),
            sh_addr: self.sh_addr,
            sh_offset: self.sh_offset,
            sh_size: self.sh_size,
            sh_link: self.sh_link,
            sh_info: self.sh_info,
            sh_addralign: self.sh_addralign,
            sh_entsize: self.sh_entsize,
        }
    }

    /// Whether the section occupies memory at run time (`SHF_ALLOC`).
    pub fn is_alloc(&self) -> bool {
        self.sh_flags & SHF_ALLOC != 0
    }

    /// The name of a type whose sections have no contents in the file: `SHT_NOBITS`, and `SHT_NULL`, of whose other
    /// fields the gABI says that they mean nothing ("Section header").
    pub fn type_without_contents(&self) -> Option<&'static str> {
        match self.sh_type {
            SHT_NOBITS => Some("SHT_NOBITS"),
            SHT_NULL => Some("SHT_NULL"),
            _ => None,
        }
    }

    /// Whether a section of this type can have contents in the file.
    pub fn has_contents(&self) -> bool {
        self.type_without_contents().is_none()
    }

    /// Bytes the section occupies in the file: 0 for `SHT_NOBITS` and `SHT_NULL`, whatever `sh_size` says.
    pub fn file_size(&self) -> u64 {
        if self.has_contents() { self.sh_size } else { 0 }
    }

    /// Whether this is a relocation section (`SHT_REL` or `SHT_RELA`), whose `sh_link` is a symbol table and whose
    /// `sh_info` is the section relocated (0 in a dynamic one that serves many).
    pub fn is_reloc(&self) -> bool {
        matches!(self.sh_type, SHT_REL | SHT_RELA)
    }

    /// Whether `sh_info` holds a section index (gABI, "sh_link and sh_info interpretation").
    pub fn info_is_section(&self) -> bool {
        self.is_reloc() || self.sh_flags & SHF_INFO_LINK != 0
    }

    /// The alignment as a number to divide by: 0 means 1, and so does what is no power of two.
    pub fn align(&self) -> u64 {
        if self.sh_addralign.is_power_of_two() { self.sh_addralign } else { 1 }
    }
}

/// A program header (gABI, "Program header"), in native integers.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)] // The fields are the gABI's.
pub struct ProgramHeader {
    pub p_type: u32,
    pub p_flags: u32,
    pub p_offset: u64,
    pub p_vaddr: u64,
    pub p_paddr: u64,
    pub p_filesz: u64,
    pub p_memsz: u64,
    pub p_align: u64,
}

impl ProgramHeader {
    pub(crate) fn from_raw<P: object::read::elf::ProgramHeader<Endian = Endianness>>(
        endian: Endianness,
        raw: &P,
    ) -> Self {
        ProgramHeader {
            p_type: raw.p_type(endian).0,
            p_flags: raw.p_flags(endian).0,
            p_offset: raw.p_offset(endian).into(),
            p_vaddr: raw.p_vaddr(endian).into(),
            p_paddr: raw.p_paddr(endian).into(),
            p_filesz: raw.p_filesz(endian).into(),
            p_memsz: raw.p_memsz(endian).into(),
            p_align: raw.p_align(endian).into(),
        }
    }

    /// The end of the segment's bytes in the file, or its beginning where it has none.
    pub fn file_end(&self) -> u64 {
        self.p_offset.saturating_add(self.p_filesz)
    }
}
