//! BTF of a file, read with the base that belongs to it.

use crate::reader::{Elf, Place};
use elfgraft_btf::ids::Sym;
use elfgraft_btf::{Btf, Error};
use goblin::elf::section_header::{SHT_NOBITS, SHT_SYMTAB};

/// What a file has for BTF.
pub(crate) enum FileBtf<'b> {
    /// No `.BTF`, or outside the file.
    None,
    /// Read.
    Some(&'b Btf<'b>),
    /// Split BTF, and nobody gave its base.
    NoBase,
    /// Cannot be read.
    Bad(Error),
    /// The base cannot be read.
    BadBase(Error),
}

impl<'b> FileBtf<'b> {
    pub fn get(&self) -> Option<&'b Btf<'b>> {
        if let FileBtf::Some(btf) = self { Some(btf) } else { None }
    }
}

/// Offset of `str_len` in the header of BTF.
const STR_LEN: usize = 20;

/// Passes on the BTF of a file. Its base is the file's own `.BTF.base` or else `base`, if the file is an object at all: a
/// kernel's BTF stands alone.
pub(crate) fn with_btf<R>(elf: &Elf, base: Option<&[u8]>, use_it: impl FnOnce(FileBtf) -> R) -> R {
    let Some(data) = contents(elf, b".BTF") else { return use_it(FileBtf::None) };
    let own_base = contents(elf, b".BTF.base");
    let base = own_base.or(base.map(btf_in)).filter(|_| elf.is_object());
    let Some(base) = base else {
        return match read(data, None) {
            Ok(btf) => use_it(FileBtf::Some(&btf)),
            Err(Error::NotStandalone) => use_it(FileBtf::NoBase),
            // Split BTF may do with its base's strings alone.
            Err(Error::StringsNotTerminated) if elf.endian().u32_at(data, STR_LEN) == Some(0) => {
                use_it(FileBtf::NoBase)
            }
            Err(error) => use_it(FileBtf::Bad(error)),
        };
    };
    // A base that was given is taken as sound: to go through its names takes as long as to read all else.
    match if own_base.is_some() { read(base, None) } else { Btf::parse(base) } {
        Err(error) => use_it(FileBtf::BadBase(error)),
        Ok(base) => match read(data, Some(&base)) {
            Ok(btf) => use_it(FileBtf::Some(&btf)),
            Err(error) => use_it(FileBtf::Bad(error)),
        },
    }
}

/// BTF that costs no more than its size to go through.
pub(crate) fn read<'a>(data: &'a [u8], base: Option<&'a Btf<'a>>) -> Result<Btf<'a>, Error> {
    let btf = base.map_or_else(|| Btf::parse(data), |base| Btf::parse_split(data, base))?;
    btf.check_names()?;
    Ok(btf)
}

/// The BTF in `data`: of its `.BTF` section if it is an ELF file, and else all of it.
fn btf_in(data: &[u8]) -> &[u8] {
    let Ok(elf) = Elf::parse(data) else { return data };
    contents(&elf, b".BTF").unwrap_or_default()
}

/// The contents of a section; `None` in a separate debug file, where it is SHT_NOBITS.
fn contents<'a>(elf: &Elf<'a>, name: &[u8]) -> Option<&'a [u8]> {
    let index = elf.find(name)?;
    elf.contents(index).filter(|_| elf.section(index).is_some_and(|section| section.sh_type != SHT_NOBITS))
}

/// More symbols than this are not read: a kernel has a thousand.
const MAX_ID_SYMBOLS: usize = 1 << 16;

/// Nor names that are longer than this together, as those are that share their bytes.
const MAX_ID_NAMES: usize = 64 * MAX_ID_SYMBOLS;

/// The `__BTF_ID__` symbols that point into section `ids`.
pub(crate) fn id_symbols<'a>(elf: &Elf<'a>, ids: u32) -> Vec<Sym<'a>> {
    let table = elf.iter().find(|(_, section)| section.sh_type == SHT_SYMTAB).map(|(index, _)| index);
    let Some(symbols) = table.and_then(|table| elf.symbols(table)) else { return Vec::new() };
    let base = elf.section(ids).filter(|_| !elf.is_object()).map_or(0, |section| section.sh_addr);
    let inside = symbols.iter().filter(|(_, symbol)| symbol.place == Place::Section(ids));
    let symbols = inside.filter_map(|(index, symbol)| {
        let name = symbol.name();
        let offset = symbol.value.wrapping_sub(base);
        name.starts_with(b"__BTF_ID__").then_some(Sym { index, name, offset, size: symbol.size })
    });
    let mut left = MAX_ID_NAMES;
    let fits = |sym: &Sym| {
        let rest = left.checked_sub(sym.name.len());
        left = rest.unwrap_or_default();
        rest.is_some()
    };
    symbols.take(MAX_ID_SYMBOLS).take_while(fits).collect()
}
