//! A symbol table section and the `SHT_SYMTAB_SHNDX` section that extends it.

use std::ffi::CStr;

use crate::consts::*;
use crate::encode::{read_addr, read_half, read_word};
use crate::error::ElfError;
use crate::image::{Format, Image};
use crate::section::SectionIndex;

/// Where a symbol is defined. A real index and a reserved value can be the same number (section 0xfff1 and `SHN_ABS`),
/// so they are different types here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SymbolSection {
    /// `SHN_UNDEF`.
    Undefined,
    /// Section of that index, from `st_shndx` or, for `SHN_XINDEX`, from `SHT_SYMTAB_SHNDX`.
    Index(SectionIndex),
    /// `SHN_ABS`, `SHN_COMMON`, `SHN_LIVEPATCH` and the like: passed through untouched.
    Reserved(u16),
}

/// A symbol, widened to 64 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)] // The fields are the gABI's.
pub struct Symbol {
    pub st_name: u32,
    pub st_info: u8,
    pub st_other: u8,
    pub st_shndx: u16,
    /// `st_shndx` with `SHN_XINDEX` resolved.
    pub section: SymbolSection,
    pub st_value: u64,
    pub st_size: u64,
}

impl Symbol {
    /// The binding: `STB_LOCAL`, `STB_GLOBAL`, `STB_WEAK` ...
    pub fn bind(&self) -> u8 {
        self.st_info >> 4
    }

    /// The type: `STT_SECTION`, `STT_FUNC` ...
    pub fn kind(&self) -> u8 {
        self.st_info & 0xf
    }
}

/// A view of one symbol table. Nothing is copied: symbols are decoded as they are asked for.
#[derive(Debug, Clone, Copy)]
pub struct SymbolTable<'a> {
    /// The section that holds the symbols.
    pub section: SectionIndex,
    /// The `SHT_SYMTAB_SHNDX` section that belongs to it.
    pub xindex: Option<SectionIndex>,
    format: Format,
    bytes: &'a [u8],
    extended: &'a [u8],
    strings: &'a [u8],
}

impl<'a> SymbolTable<'a> {
    pub(crate) fn new(image: &Image<'a>, section: SectionIndex) -> Result<Self, ElfError> {
        let what = || format!("symbol table {}", image.describe(section));
        let header = image.header(section)?;
        let expected = image.format.symbol_size();
        if header.sh_entsize != expected {
            return Err(ElfError::EntrySize { what: what(), found: header.sh_entsize, expected });
        }
        let bytes = image.contents(section)?;
        let (found, expected) = (header.sh_size, expected);
        if found % expected != 0 {
            return Err(ElfError::Invalid { what: format!("{}: size {found} is no multiple of {expected}", what()) });
        }
        let xindex = image
            .indexed()
            .find(|(_, h)| h.sh_type == SHT_SYMTAB_SHNDX && h.sh_link == section.0)
            .map(|(index, _)| index);
        let extended = xindex.map_or(Ok(&[][..]), |index| image.contents(index))?;
        let strings = image.contents(SectionIndex(header.sh_link))?;
        Ok(SymbolTable { section, xindex, format: image.format, bytes, extended, strings })
    }

    /// Number of symbols, the null symbol included.
    pub fn len(&self) -> u32 {
        u32::try_from(self.bytes.len() as u64 / self.format.symbol_size()).unwrap_or(u32::MAX)
    }

    /// Whether there is not even a null symbol.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The bytes of the table.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The bytes of the `SHT_SYMTAB_SHNDX` section; empty without one.
    pub fn extended(&self) -> &'a [u8] {
        self.extended
    }

    /// The symbol at `index`; `None` past the end, or where `SHN_XINDEX` has no entry to go with it.
    pub fn get(&self, index: u32) -> Option<Symbol> {
        let at = usize::try_from(u64::from(index) * self.format.symbol_size()).ok()?;
        let (f, b) = (self.format, self.bytes);
        let (info, value, size) = if f.is_64 { (4, 8, 16) } else { (12, 4, 8) };
        let st_shndx = read_half(f, b, at + info + 2)?;
        let section = match st_shndx {
            SHN_UNDEF => SymbolSection::Undefined,
            SHN_XINDEX => {
                SymbolSection::Index(SectionIndex(read_word(f, self.extended, usize::try_from(index).ok()? * 4)?))
            }
            SHN_LORESERVE.. => SymbolSection::Reserved(st_shndx),
            index => SymbolSection::Index(SectionIndex(index.into())),
        };
        Some(Symbol {
            st_name: read_word(f, b, at)?,
            st_info: *b.get(at + info)?,
            st_other: *b.get(at + info + 1)?,
            st_shndx,
            section,
            st_value: read_addr(f, b, at + value)?,
            st_size: read_addr(f, b, at + size)?,
        })
    }

    /// Every symbol with its index. An undecodable one (`SHN_XINDEX` without its table) is an error.
    pub fn iter(&self) -> impl Iterator<Item = Result<(u32, Symbol), ElfError>> + '_ {
        (0..self.len()).map(|index| match self.get(index) {
            Some(symbol) => Ok((index, symbol)),
            None => Err(ElfError::Invalid {
                what: format!(
                    "symbol table {}: symbol {index} has st_shndx SHN_XINDEX, but no SHT_SYMTAB_SHNDX entry",
                    self.section
                ),
            }),
        })
    }

    /// A symbol's name, without the terminating NUL.
    ///
    /// # Errors
    /// If `st_name` lies outside the string table or the string does not end in it.
    pub fn name(&self, symbol: &Symbol) -> Result<&'a [u8], ElfError> {
        string_at(self.strings, symbol.st_name).ok_or_else(|| ElfError::BadIndex {
            what: format!("symbol table {}: st_name", self.section),
            index: symbol.st_name.into(),
            limit: self.strings.len() as u64,
        })
    }

    /// Offset of `st_value` of a symbol from the beginning of the section, in bytes.
    pub fn value_offset(&self, index: u32) -> u64 {
        u64::from(index) * self.format.symbol_size() + if self.format.is_64 { 8 } else { 4 }
    }

    /// Offset of `st_shndx` of a symbol from the beginning of the section, in bytes.
    pub fn shndx_offset(&self, index: u32) -> u64 {
        u64::from(index) * self.format.symbol_size() + if self.format.is_64 { 6 } else { 14 }
    }

    /// Offset of `st_size` of a symbol from the beginning of the section, in bytes.
    pub fn size_offset(&self, index: u32) -> u64 {
        u64::from(index) * self.format.symbol_size() + if self.format.is_64 { 16 } else { 8 }
    }
}

/// The NUL-terminated string at `offset` of a string table.
pub(crate) fn string_at(strings: &[u8], offset: u32) -> Option<&[u8]> {
    let rest = strings.get(offset as usize..)?;
    // The standard library's search for the NUL is many times as fast as one byte after the other.
    Some(CStr::from_bytes_until_nul(rest).ok()?.to_bytes())
}
