//! One section of an [`ElfSpec`](crate::elf::ElfSpec) and how it refers to others.

use crate::consts::*;
use crate::fields::{REL, RELA, SYM, size_of};
use crate::format::Format;
use crate::symbols::{Reloc, Symbol};

/// A section (or, where the text says so, a symbol) by index or by name; of several of a name the first is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ref {
    /// Position in the finished table.
    Index(u32),
    /// Looked up in the finished table; panics when missing.
    Name(Vec<u8>),
}

impl From<u32> for Ref {
    fn from(index: u32) -> Ref {
        Ref::Index(index)
    }
}

impl From<usize> for Ref {
    fn from(index: usize) -> Ref {
        Ref::Index(index as u32)
    }
}

impl From<&str> for Ref {
    fn from(name: &str) -> Ref {
        Ref::Name(name.as_bytes().to_vec())
    }
}

impl From<&[u8]> for Ref {
    fn from(name: &[u8]) -> Ref {
        Ref::Name(name.to_vec())
    }
}

/// What lies in a section.
#[derive(Clone, Debug)]
pub enum Contents {
    /// As given; string tables that are linked to are continued behind it.
    Bytes(Vec<u8>),
    /// A symbol table without its null entry; names go to the linked string table, `sh_info` is computed when 0.
    Symbols(Vec<Symbol>),
    /// REL or RELA by `sh_type`, of symbols in the linked symbol table.
    Relocs(Vec<Reloc>),
    /// SHT_GROUP: flags and members; `info` names the signature symbol.
    Group(u32, Vec<Ref>),
    /// SHT_SYMTAB_SHNDX of the linked symbol table.
    ExtendedIndices,
}

/// One section. All fields are as in the header, but for those that say otherwise.
#[derive(Clone, Debug)]
pub struct Section {
    /// Need not be UTF-8 nor unique.
    pub name: Vec<u8>,
    /// `sh_type`.
    pub sh_type: u32,
    /// `sh_flags`.
    pub flags: u64,
    /// `sh_addr`.
    pub addr: u64,
    /// `sh_link`.
    pub link: Ref,
    /// `sh_info`: a section, or for groups and [`Contents::Group`] a symbol of the linked table.
    pub info: Ref,
    /// `sh_addralign`; the file offset follows it (0 like 1).
    pub addralign: u64,
    /// `sh_entsize`.
    pub entsize: u64,
    /// The bytes.
    pub contents: Contents,
    /// `sh_size`, when not the length of the contents (SHT_NOBITS, lies).
    pub size: Option<u64>,
    /// `sh_offset`, when not the next free one. Contents, if any, are written there.
    pub offset: Option<u64>,
    /// Not 0: file offset and `addr` are equal modulo this.
    pub congruent: u64,
    /// Bytes no section owns, before the padding of this one.
    pub gap: Vec<u8>,
}

impl Section {
    /// Empty, alignment 1, everything else 0.
    pub fn new(name: impl AsRef<[u8]>, sh_type: u32) -> Section {
        Section {
            name: name.as_ref().to_vec(),
            sh_type,
            flags: 0,
            addr: 0,
            link: Ref::Index(0),
            info: Ref::Index(0),
            addralign: 1,
            entsize: 0,
            contents: Contents::Bytes(Vec::new()),
            size: None,
            offset: None,
            congruent: 0,
            gap: Vec::new(),
        }
    }

    /// SHT_PROGBITS with these bytes.
    pub fn progbits(name: impl AsRef<[u8]>, flags: u64, data: impl Into<Vec<u8>>) -> Section {
        Section::new(name, SHT_PROGBITS).flags(flags).data(data)
    }

    /// SHT_NOBITS, allocated and writable, of `size` bytes.
    pub fn nobits(name: impl AsRef<[u8]>, size: u64) -> Section {
        Section::new(name, SHT_NOBITS).flags(SHF_ALLOC | SHF_WRITE).size(size)
    }

    /// `.symtab`, linked to `.strtab`.
    pub fn symtab(format: Format, symbols: Vec<Symbol>) -> Section {
        Section::new(".symtab", SHT_SYMTAB)
            .link(".strtab")
            .align(format.word() as u64)
            .entsize(size_of(SYM, format.class) as u64)
            .contents(Contents::Symbols(symbols))
    }

    /// `.symtab_shndx`, linked to `.symtab`.
    pub fn symtab_shndx() -> Section {
        Section::new(".symtab_shndx", SHT_SYMTAB_SHNDX)
            .link(".symtab")
            .align(4)
            .entsize(4)
            .contents(Contents::ExtendedIndices)
    }

    /// `.rel` or `.rela` of `target`, whichever the machine uses, linked to `.symtab`.
    pub fn relocs(format: Format, target: &str, relocs: Vec<Reloc>) -> Section {
        Section::relocs_of_type(format, target, format.rela(), relocs)
    }

    /// As [`Section::relocs`], with or without addends.
    pub fn relocs_of_type(format: Format, target: &str, rela: bool, relocs: Vec<Reloc>) -> Section {
        let (prefix, sh_type, fields) = if rela { (".rela", SHT_RELA, RELA) } else { (".rel", SHT_REL, REL) };
        Section::new(format!("{prefix}{target}"), sh_type)
            .flags(SHF_INFO_LINK)
            .link(".symtab")
            .info(target)
            .align(format.word() as u64)
            .entsize(size_of(fields, format.class) as u64)
            .contents(Contents::Relocs(relocs))
    }

    /// A COMDAT `.group`; members are sections, the signature is a symbol of `.symtab`.
    pub fn group(signature: impl Into<Ref>, members: Vec<Ref>) -> Section {
        Section::new(".group", SHT_GROUP)
            .link(".symtab")
            .info(signature)
            .align(4)
            .entsize(4)
            .contents(Contents::Group(GRP_COMDAT, members))
    }

    /// An empty string table, filled by what links to it.
    pub fn strtab(name: &str) -> Section {
        Section::new(name, SHT_STRTAB)
    }

    /// Sets the bytes.
    pub fn data(self, data: impl Into<Vec<u8>>) -> Section {
        self.contents(Contents::Bytes(data.into()))
    }

    /// Sets the contents.
    pub fn contents(mut self, contents: Contents) -> Section {
        self.contents = contents;
        self
    }

    /// Sets `sh_flags`.
    pub fn flags(mut self, flags: u64) -> Section {
        self.flags = flags;
        self
    }

    /// Sets `sh_addr`.
    pub fn addr(mut self, addr: u64) -> Section {
        self.addr = addr;
        self
    }

    /// Sets `sh_link`.
    pub fn link(mut self, link: impl Into<Ref>) -> Section {
        self.link = link.into();
        self
    }

    /// Sets `sh_info`.
    pub fn info(mut self, info: impl Into<Ref>) -> Section {
        self.info = info.into();
        self
    }

    /// Sets `sh_addralign`.
    pub fn align(mut self, addralign: u64) -> Section {
        self.addralign = addralign;
        self
    }

    /// Sets `sh_entsize`.
    pub fn entsize(mut self, entsize: u64) -> Section {
        self.entsize = entsize;
        self
    }

    /// Sets `sh_size`, whatever the contents are.
    pub fn size(mut self, size: u64) -> Section {
        self.size = Some(size);
        self
    }

    /// Sets `sh_offset`, whatever else lies there.
    pub fn offset(mut self, offset: u64) -> Section {
        self.offset = Some(offset);
        self
    }

    /// Makes file offset and address equal modulo `page`.
    pub fn congruent(mut self, page: u64) -> Section {
        self.congruent = page;
        self
    }

    /// Puts bytes no section owns before this one.
    pub fn gap(mut self, gap: impl Into<Vec<u8>>) -> Section {
        self.gap = gap.into();
        self
    }
}
