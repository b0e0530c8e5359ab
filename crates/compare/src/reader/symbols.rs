//! Symbol tables, entry by entry.

use elfgraft_btf::Endian;
use goblin::container::Ctx;
use goblin::elf::section_header::{SHN_LORESERVE, SHN_UNDEF, SHN_XINDEX};
use goblin::elf::sym::{STB_LOCAL, STT_SECTION, Sym, Symtab};

use super::{Aliases, string};

/// Where a symbol is defined.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    /// SHN_UNDEF.
    Undefined,
    /// A section by its index, SHN_XINDEX followed; may be out of range.
    Section(u32),
    /// SHN_ABS, SHN_COMMON and the like; SHN_XINDEX where there is no index for it.
    Reserved(u32),
}

/// Where the names of symbols are, and which of them to take for others.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Names<'a> {
    pub table: &'a [u8],
    pub aliases: Option<&'a Aliases>,
}

/// One symbol.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Symbol<'a> {
    names: Names<'a>,
    pub st_name: u32,
    pub place: Place,
    pub value: u64,
    pub size: u64,
    pub info: u8,
    pub other: u8,
}

impl<'a> Symbol<'a> {
    /// Looked up when asked for: most symbols are read for other reasons.
    pub fn name(&self) -> &'a [u8] {
        let name = string(self.names.table, self.st_name).unwrap_or_default();
        self.names.aliases.and_then(|aliases| aliases.symbols.get(name)).map_or(name, Vec::as_slice)
    }

    /// Whether the name begins within the string table.
    pub fn has_name(&self) -> bool {
        self.st_name == 0 || usize::try_from(self.st_name).is_ok_and(|offset| offset < self.names.table.len())
    }

    /// Whether it is what symbol 0 must be.
    pub fn is_null(&self) -> bool {
        let rest = (self.place, self.value, self.size, self.info, self.other);
        self.st_name == 0 && rest == (Place::Undefined, 0, 0, 0, 0)
    }

    pub fn is_local(&self) -> bool {
        self.info >> 4 == STB_LOCAL
    }

    pub fn is_section(&self) -> bool {
        self.info & 0xf == STT_SECTION
    }
}

/// A symbol table with its names and extended section indices.
pub(crate) struct Symbols<'a> {
    table: Symtab<'a>,
    names: Names<'a>,
    extended: Option<&'a [u8]>,
    endian: Endian,
}

impl<'a> Symbols<'a> {
    pub fn new(data: &'a [u8], names: Names<'a>, extended: Option<&'a [u8]>, ctx: Ctx) -> Option<Symbols<'a>> {
        let count = data.len() / Sym::size(ctx.container);
        // Goblin refuses a table of no symbols.
        let table = if count == 0 { Symtab::default() } else { Symtab::parse(data, 0, count, ctx).ok()? };
        let endian = if ctx.le.is_little() { Endian::Little } else { Endian::Big };
        Some(Symbols { table, names, extended, endian })
    }

    pub fn len(&self) -> u32 {
        // An ELF symbol index has 32 bits; what is behind cannot be named.
        u32::try_from(self.table.len()).unwrap_or(u32::MAX)
    }

    pub fn get(&self, index: u32) -> Option<Symbol<'a>> {
        let sym = self.table.get(usize::try_from(index).ok()?)?;
        let place = match u32::try_from(sym.st_shndx).ok()? {
            SHN_UNDEF => Place::Undefined,
            SHN_XINDEX => self.extended_index(index).map_or(Place::Reserved(SHN_XINDEX), Place::Section),
            reserved if reserved >= SHN_LORESERVE => Place::Reserved(reserved),
            index => Place::Section(index),
        };
        Some(Symbol {
            names: self.names,
            st_name: u32::try_from(sym.st_name).ok()?,
            place,
            value: sym.st_value,
            size: sym.st_size,
            info: sym.st_info,
            other: sym.st_other,
        })
    }

    /// Whether the symbol's section index is in SHT_SYMTAB_SHNDX.
    pub fn is_extended(&self, index: u32) -> bool {
        let symbol = usize::try_from(index).ok().and_then(|index| self.table.get(index));
        symbol.is_some_and(|symbol| u32::try_from(symbol.st_shndx) == Ok(SHN_XINDEX))
    }

    fn extended_index(&self, index: u32) -> Option<u32> {
        self.endian.u32_at(self.extended?, usize::try_from(index).ok()?.checked_mul(4)?)
    }

    pub fn iter(&self) -> impl Iterator<Item = (u32, Symbol<'a>)> {
        (0..self.len()).filter_map(|index| Some((index, self.get(index)?)))
    }
}
