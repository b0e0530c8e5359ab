//! An ELF file read by goblin, lazily: header tables now, symbols and relocations one by one when asked for.
//!
//! Goblin decodes every structure. It is not asked for more than that: `goblin::elf::Elf::parse` reads everything at
//! once, and refuses valid files. What is ours here is where the structures are and how many (extended numbering), and
//! names, which are bytes. [`Reader`] tells for which files that made a difference.

mod relocs;
mod symbols;

pub(crate) use relocs::{Reloc, Relocs};
use symbols::Names;
pub(crate) use symbols::{Place, Symbol, Symbols};

use crate::error::{Error, Table};
use elfgraft_btf::Endian;
use goblin::container::{Container, Ctx};
use goblin::elf::header::{EM_MIPS, ET_REL, Header};
use goblin::elf::program_header::ProgramHeader;
use goblin::elf::section_header::{
    SHF_COMPRESSED, SHN_XINDEX, SHT_DYNAMIC, SHT_DYNSYM, SHT_GROUP, SHT_NOBITS, SHT_NULL, SHT_REL, SHT_RELA,
    SHT_SYMTAB, SHT_SYMTAB_SHNDX, SectionHeader,
};
use std::collections::HashMap;
use std::fmt;

/// `e_phnum` where the number of segments is in `sh_info` of section 0.
const PN_XNUM: u16 = 0xffff;

/// Names are read up to here, so that a string table without ends costs no more than its size allows. String tables
/// are compared as bytes too: nothing is taken for equal because of this.
const MAX_NAME: usize = 4096;

/// Who read a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reader {
    /// Goblin; what it says about the file as a whole is the same.
    Goblin,
    /// Goblin structure by structure, at places that our code found, since as a whole it refuses the file or
    /// misreads it: the reason.
    Own(&'static str),
}

impl fmt::Display for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reader::Goblin => f.write_str("goblin"),
            Reader::Own(reason) => write!(f, "own reader, because goblin does not read {reason}"),
        }
    }
}

/// Old names and the new ones that an edit is known to have given: nothing else is to be told of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Aliases {
    /// Of sections.
    pub sections: HashMap<Vec<u8>, Vec<u8>>,
    /// Of symbols.
    pub symbols: HashMap<Vec<u8>, Vec<u8>>,
}

/// A file whose header tables lie inside it. Everything else may be wrong.
#[derive(Debug)]
pub(crate) struct Elf<'a> {
    pub data: &'a [u8],
    pub header: Header,
    pub segments: Vec<ProgramHeader>,
    /// With section 0.
    pub sections: Vec<SectionHeader>,
    /// Index of the section header string table; may be out of range.
    pub shstrndx: u32,
    pub reader: Reader,
    ctx: Ctx,
    names: &'a [u8],
    /// SHT_SYMTAB_SHNDX sections by the symbol table they belong to.
    extended: HashMap<u32, u32>,
    /// Names to take for others.
    aliases: Option<&'a Aliases>,
}

impl<'a> Elf<'a> {
    pub fn parse(data: &'a [u8]) -> Result<Elf<'a>, Error> {
        let header = goblin::elf::Elf::parse_header(data).map_err(|e| Error::Header(e.into()))?;
        let container = header.container().map_err(|e| Error::Header(e.into()))?;
        let ctx = Ctx::new(container, header.endianness().map_err(|e| Error::Header(e.into()))?);
        let mut elf = Elf {
            data,
            shstrndx: u32::from(header.e_shstrndx),
            header,
            segments: Vec::new(),
            sections: Vec::new(),
            reader: Reader::Goblin,
            ctx,
            names: &[],
            extended: HashMap::new(),
            aliases: None,
        };
        elf.read_sections()?;
        elf.read_segments()?;
        elf.names = elf.contents(elf.shstrndx).unwrap_or_default();
        elf.index_extended();
        elf.find_names_goblin_refuses();
        Ok(elf)
    }

    fn read_sections(&mut self) -> Result<(), Error> {
        let Header { e_shoff, e_shnum, e_shentsize, .. } = self.header;
        if e_shoff == 0 {
            return Ok(());
        }
        let size = SectionHeader::size(self.ctx) as u64;
        let table = |count| self.table(Table::Sections, e_shoff, count, e_shentsize, size);
        let goblin = |source: goblin::error::Error| Error::Refused { table: Table::Sections, source: source.into() };
        let (offset, _) = table(1)?;
        let first = SectionHeader::parse_from(self.data, offset, 1, self.ctx).map_err(goblin)?;
        let Some(first) = first.first() else { return Ok(()) };
        let count = if e_shnum == 0 { first.sh_size } else { u64::from(e_shnum) };
        let (offset, count) = table(count)?;
        if count == 0 {
            self.reader = Reader::Own("an empty section header table");
            return Ok(());
        }
        if self.shstrndx == SHN_XINDEX {
            self.shstrndx = first.sh_link;
        }
        self.sections = SectionHeader::parse(self.data, offset, count, self.ctx).map_err(goblin)?;
        Ok(())
    }

    fn read_segments(&mut self) -> Result<(), Error> {
        let Header { e_phoff, e_phnum, e_phentsize, .. } = self.header;
        let count = match self.sections.first() {
            Some(first) if e_phnum == PN_XNUM && first.sh_info != 0 => {
                self.reader = Reader::Own("more than 65,534 program headers");
                u64::from(first.sh_info)
            }
            _ => u64::from(e_phnum),
        };
        if count > 0 {
            let size = ProgramHeader::size(self.ctx) as u64;
            let (offset, count) = self.table(Table::Segments, e_phoff, count, e_phentsize, size)?;
            let goblin =
                |source: goblin::error::Error| Error::Refused { table: Table::Segments, source: source.into() };
            self.segments = ProgramHeader::parse(self.data, offset, count, self.ctx).map_err(goblin)?;
        }
        Ok(())
    }

    /// Offset and count of a table that lies inside the file.
    fn table(&self, table: Table, offset: u64, count: u64, size: u16, expected: u64) -> Result<(usize, usize), Error> {
        if u64::from(size) != expected {
            return Err(Error::EntrySize { table, size, expected });
        }
        let len = self.data.len() as u64;
        let end = count.checked_mul(expected).and_then(|bytes| bytes.checked_add(offset));
        match (usize::try_from(offset), usize::try_from(count)) {
            (Ok(offset), Ok(count)) if end.is_some_and(|end| end <= len) => Ok((offset, count)),
            _ => Err(Error::OutOfBounds { table, offset, count, size: expected, len }),
        }
    }

    fn index_extended(&mut self) {
        let tables = (0u32..).zip(&self.sections).filter(|(_, s)| s.sh_type == SHT_SYMTAB_SHNDX);
        self.extended = tables.map(|(index, section)| (section.sh_link, index)).collect();
    }

    fn find_names_goblin_refuses(&mut self) {
        let of_symbols = self.sections.iter().filter(|s| is_symbol_table(s)).map(|s| self.contents(s.sh_link));
        let mut tables = of_symbols.flatten().chain([self.names]);
        // Bytes that are shared by several tables of a damaged file are looked at once.
        let mut left = self.data.len();
        let refused = tables.any(|names| match left.checked_sub(names.len()) {
            Some(rest) => {
                left = rest;
                std::str::from_utf8(names).is_err()
            }
            None => false,
        });
        if refused {
            self.reader = Reader::Own("names that are not UTF-8");
        }
    }

    pub fn is_64(&self) -> bool {
        self.ctx.container == Container::Big
    }

    pub fn is_object(&self) -> bool {
        self.header.e_type == ET_REL
    }

    pub fn endian(&self) -> Endian {
        if self.ctx.le.is_little() { Endian::Little } else { Endian::Big }
    }

    /// A section's header; `None` beyond the table.
    pub fn section(&self, index: u32) -> Option<&SectionHeader> {
        self.sections.get(usize::try_from(index).ok()?)
    }

    /// What must be 0 in the header of section 0: all that does not hold what is too large for the ELF header.
    pub fn section_0(&self) -> Option<[u64; 10]> {
        let first = self.sections.first()?;
        let many = self.header.e_phnum == PN_XNUM;
        // Linux writes all three into a core file of that many segments, though only sh_info is needed.
        let linux = |value: u64, field: u64| many && value == field;
        let unless = |held: bool, value: u64| if held { 0 } else { value };
        Some([
            first.sh_name as u64,
            first.sh_type.into(),
            first.sh_flags,
            first.sh_addr,
            first.sh_offset,
            unless(self.header.e_shnum == 0 || linux(first.sh_size, self.header.e_shnum.into()), first.sh_size),
            unless(u32::from(self.header.e_shstrndx) == SHN_XINDEX, first.sh_link.into()),
            unless(many, first.sh_info.into()),
            first.sh_addralign,
            first.sh_entsize,
        ])
    }

    /// Bytes of an entry of a table of this type; `None` of other types.
    pub fn entry_size(&self, sh_type: u32) -> Option<u64> {
        let (elf32, elf64) = match sh_type {
            SHT_SYMTAB | SHT_DYNSYM => (16, 24),
            SHT_REL | SHT_DYNAMIC => (8, 16),
            SHT_RELA => (12, 24),
            SHT_GROUP | SHT_SYMTAB_SHNDX => (4, 4),
            _ => return None,
        };
        Some(if self.is_64() { elf64 } else { elf32 })
    }

    /// All sections but section 0, with their indices.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &SectionHeader)> {
        (0u32..).zip(&self.sections).skip(1)
    }

    /// A section's bytes in the file: none of SHT_NOBITS. `None` where they reach beyond it, or there is no such section.
    pub fn contents(&self, index: u32) -> Option<&'a [u8]> {
        let section = self.section(index)?;
        if !has_contents(section) {
            return Some(&[]);
        }
        let start = usize::try_from(section.sh_offset).ok()?;
        let end = start.checked_add(usize::try_from(section.sh_size).ok()?)?;
        self.data.get(start..end)
    }

    /// Bytes that a section has for those who refer to it: what SHF_COMPRESSED contents unpack to, by their header, and
    /// else `sh_size`. `None` where that header does not fit.
    pub fn unpacked_size(&self, index: u32) -> Option<u64> {
        let section = self.section(index)?;
        if section.sh_flags & u64::from(SHF_COMPRESSED) == 0 {
            return Some(section.sh_size);
        }
        // ch_type, in ELF64 four reserved bytes, ch_size, ch_addralign.
        let header = self.contents(index)?.get(..if self.is_64() { 24 } else { 12 })?;
        let word = |at| self.endian().u32_at(header, at).map(u64::from);
        match (self.is_64(), self.endian()) {
            (false, _) => word(4),
            (true, Endian::Little) => Some(word(12)? << 32 | word(8)?),
            (true, Endian::Big) => Some(word(8)? << 32 | word(12)?),
        }
    }

    /// A section's name; empty where there is none.
    pub fn name(&self, index: u32) -> &'a [u8] {
        let offset = self.section(index).and_then(|section| u32::try_from(section.sh_name).ok());
        let name = string(self.names, offset.unwrap_or_default()).unwrap_or_default();
        self.aliases.and_then(|aliases| aliases.sections.get(name)).map_or(name, Vec::as_slice)
    }

    /// Reads names as others from here on.
    pub fn set_aliases(&mut self, aliases: &'a Aliases) {
        self.aliases = Some(aliases).filter(|a| !a.sections.is_empty() || !a.symbols.is_empty());
    }

    /// Whether a section has this name; cheap, however long its name is.
    pub fn is_named(&self, index: u32, name: &[u8]) -> bool {
        if self.aliases.is_some() {
            return self.name(index) == name;
        }
        let rest = self.section(index).and_then(|section| self.names.get(section.sh_name..));
        rest.and_then(|rest| rest.strip_prefix(name)).is_some_and(|rest| rest.first() == Some(&0))
    }

    /// The first section of this name.
    pub fn find(&self, name: &[u8]) -> Option<u32> {
        self.iter().map(|(index, _)| index).find(|&index| self.is_named(index, name))
    }

    /// The section in words.
    pub fn label(&self, index: u32) -> Label<'a> {
        Label { name: self.name(index), index }
    }

    /// The section's symbols, if it is a symbol table inside the file.
    pub fn symbols(&self, index: u32) -> Option<Symbols<'a>> {
        let section = self.section(index).filter(|section| is_symbol_table(section))?;
        let names = self.contents(section.sh_link).unwrap_or_default();
        let extended = self.extended.get(&index).and_then(|&index| self.contents(index));
        Symbols::new(self.contents(index)?, Names { table: names, aliases: self.aliases }, extended, self.ctx)
    }

    /// The section's relocations, if it is SHT_REL or SHT_RELA inside the file.
    pub fn relocs(&self, index: u32) -> Option<Relocs<'a>> {
        let mips64el = self.header.e_machine == EM_MIPS && self.is_64() && self.ctx.le.is_little();
        Relocs::new(self.contents(index)?, self.section(index)?.sh_type, self.ctx, mips64el)
    }
}

/// Whether the section has bytes in the file.
pub(crate) fn has_contents(section: &SectionHeader) -> bool {
    section.sh_type != SHT_NOBITS && section.sh_type != SHT_NULL && section.sh_size > 0
}

pub(crate) fn is_symbol_table(section: &SectionHeader) -> bool {
    matches!(section.sh_type, SHT_SYMTAB | SHT_DYNSYM)
}

/// The string at an offset, without its NUL; `None` beyond the table.
pub(crate) fn string(table: &[u8], offset: u32) -> Option<&[u8]> {
    let rest = table.get(usize::try_from(offset).ok()?..).filter(|rest| !rest.is_empty())?;
    let rest = rest.get(..MAX_NAME).unwrap_or(rest);
    rest.split(|&byte| byte == 0).next()
}

/// A name as people read it: quoted, with bytes that are no ASCII escaped, and not endless.
pub(crate) struct Name<'a>(pub &'a [u8]);

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.0.get(..200).unwrap_or(self.0);
        write!(f, "'{}{}'", shown.escape_ascii(), if shown.len() < self.0.len() { "..." } else { "" })
    }
}

/// A section in words: `'.BTF' [27]`.
pub(crate) struct Label<'a> {
    name: &'a [u8],
    index: u32,
}

impl fmt::Display for Label<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} [{}]", Name(self.name), self.index)
    }
}

#[cfg(test)]
mod tests;
