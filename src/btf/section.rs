//! `.BTF_ids` in its ELF file: the section, the symbols that point into it, the relocations that do so without one.

use std::path::Path;

use elfgraft_btf::ids::{Ids, Move, Sym};
use elfgraft_edit::{Content, Edits, SymbolValue, Target};
use elfgraft_elf::consts::*;
use elfgraft_elf::encode::{read_addr, read_word};
use elfgraft_elf::{Endianness, Image, SectionHeader, SectionIndex, SymbolSection, SymbolTable};

use crate::btf::source::endian;
use crate::report::Error;

/// The `.BTF_ids` section of a file.
pub struct IdsSection<'a> {
    /// Its index.
    pub index: SectionIndex,
    /// Its contents.
    pub data: &'a [u8],
    /// The symbol table.
    table: SectionIndex,
    /// What `st_value` counts from: the section's address, or 0 in an ET_REL object.
    address: u64,
    syms: Vec<Sym<'a>>,
    /// Offsets in the section that relocations reach other than through a symbol of their own.
    pub pinned: Vec<u64>,
}

impl<'a> IdsSection<'a> {
    /// Finds the section; `None` if the file has none, or none with symbols.
    pub fn find(path: &Path, image: &Image<'a>) -> Result<Option<IdsSection<'a>>, Error> {
        let index = match image.named(b".BTF_ids").as_slice() {
            [] => return Ok(None),
            [one] => *one,
            several => {
                let list: Vec<_> = several.iter().map(|&i| image.describe(i)).collect();
                let text = format!("{} sections are named '.BTF_ids': {}", several.len(), list.join(", "));
                return Err(Error::file(path, text));
            }
        };
        let Some((table, _)) = image.indexed().find(|(_, h)| h.sh_type == SHT_SYMTAB) else { return Ok(None) };
        let header = image.header(index).map_err(Error::edit(path))?;
        let address = if image.format.e_type == ET_REL { 0 } else { header.sh_addr };
        let symbols = image.symbol_table(table).map_err(Error::edit(path))?;
        let mut syms = Vec::new();
        for symbol in symbols.iter() {
            let (number, symbol) = symbol.map_err(Error::edit(path))?;
            if symbol.section != SymbolSection::Index(index) {
                continue;
            }
            let name = symbols.name(&symbol).map_err(Error::edit(path))?;
            if !name.starts_with(b"__BTF_ID__") {
                continue;
            }
            let Some(offset) = symbol.st_value.checked_sub(address) else {
                let text = format!(
                    "symbol '{}' [{number}]: st_value {:#x} lies in front of its section {}, which begins at {address:#x}",
                    name.escape_ascii(),
                    symbol.st_value,
                    image.describe(index)
                );
                return Err(Error::file(path, text));
            };
            syms.push(Sym { index: number, name, offset, size: symbol.st_size });
        }
        if syms.is_empty() {
            return Ok(None);
        }
        let data = image.contents(index).map_err(Error::edit(path))?;
        let pinned = pinned(image, index, table, &symbols, address).map_err(Error::edit(path))?;
        Ok(Some(IdsSection { index, data, table, address, syms, pinned }))
    }

    /// The section as the BTF crate reads it; `data` may be other contents of the same section.
    pub fn ids(&self, data: &'a [u8], image: &Image) -> Ids<'a> {
        Ids::new(data, endian(image), &self.syms)
    }

    /// New contents and moved symbols, as edits.
    pub fn edit(&self, data: Vec<u8>, moves: &[Move], edits: &mut Edits<'a>) {
        edits.update.push(Content { section: Target::Index(self.index), bytes: data.into() });
        edits.values.extend(moves.iter().map(|m| SymbolValue {
            table: self.table,
            symbol: m.symbol,
            value: self.address.wrapping_add(m.offset),
        }));
    }
}

/// Where relocations of loaded sections point into `.BTF_ids` with an addend: such a reference does not move with an
/// entry, so the entry must not move. A symbol without an addend moves along and is no obstacle.
fn pinned(
    image: &Image,
    ids: SectionIndex,
    table: SectionIndex,
    symbols: &SymbolTable,
    address: u64,
) -> Result<Vec<u64>, elfgraft_elf::ElfError> {
    let mut pinned = Vec::new();
    for (index, header) in image.indexed().filter(|(_, h)| h.is_reloc() && h.sh_link == table.0) {
        let target = SectionIndex(header.sh_info);
        // Debug information describes the set as a whole and is not followed at run time.
        if !image.header(target).is_ok_and(SectionHeader::is_alloc) {
            continue;
        }
        let (relocs, patched) = (image.contents(index)?, image.contents(target)?);
        let base = if image.format.e_type == ET_REL { 0 } else { image.header(target)?.sh_addr };
        for reloc in relocations(image, header, relocs) {
            let Some(symbol) = symbols.get(reloc.symbol) else { continue };
            if symbol.section != SymbolSection::Index(ids) {
                continue;
            }
            let addend = match reloc.addend {
                Some(addend) => addend,
                None => implicit_addend(image, &reloc, patched, base),
            };
            let offset = symbol.st_value.wrapping_sub(address).wrapping_add_signed(addend);
            if addend != 0 || symbol.kind() == STT_SECTION {
                pinned.push(offset);
            }
        }
    }
    pinned.sort_unstable();
    pinned.dedup();
    Ok(pinned)
}

struct Reloc {
    offset: u64,
    symbol: u32,
    kind: u32,
    /// `None` for `SHT_REL`: it is in the bytes to be relocated.
    addend: Option<i64>,
}

/// The relocations of a section (gABI, "Relocation entry"); mips64el keeps symbol and types in separate fields.
fn relocations<'r>(image: &'r Image, header: &'r SectionHeader, bytes: &'r [u8]) -> impl Iterator<Item = Reloc> + 'r {
    let format = image.format;
    let word = if format.is_64 { 8 } else { 4 };
    let rela = header.sh_type == SHT_RELA;
    let mips64el = format.is_64 && format.e_machine == EM_MIPS && format.endian == Endianness::Little;
    (0..).step_by(word * if rela { 3 } else { 2 }).map_while(move |at| {
        let info = read_addr(format, bytes, at + word)?;
        let (symbol, kind) = match (format.is_64, mips64el) {
            (true, true) => (read_word(format, bytes, at + 8)?, u32::from(*bytes.get(at + 15)?)),
            (true, false) => (u32::try_from(info >> 32).ok()?, u32::try_from(info & 0xffff_ffff).ok()?),
            (false, _) => (u32::try_from(info >> 8).ok()?, u32::try_from(info & 0xff).ok()?),
        };
        let addend = match (rela, format.is_64) {
            (false, _) => None,
            (true, true) => Some(read_addr(format, bytes, at + 16)?.cast_signed()),
            (true, false) => Some(i64::from(read_word(format, bytes, at + 8)?.cast_signed())),
        };
        Some(Reloc { offset: read_addr(format, bytes, at)?, symbol, kind, addend })
    })
}

/// The addend that `SHT_REL` keeps in the word to be relocated: all kernels that use REL (arm, i386, mips32) point to
/// sets from data with a plain 32-bit word, and from arm code with movw/movt, whose 16 bits hold it.
fn implicit_addend(image: &Image, reloc: &Reloc, patched: &[u8], base: u64) -> i64 {
    const EM_ARM: u16 = 40;
    const R_ARM_MOVW_MOVT: [u32; 2] = [43, 44];
    let at = reloc.offset.checked_sub(base).and_then(|at| usize::try_from(at).ok());
    let Some(word) = at.and_then(|at| read_word(image.format, patched, at)) else { return 0 };
    if image.format.e_machine == EM_ARM && R_ARM_MOVW_MOVT.contains(&reloc.kind) {
        let imm16 = (word >> 4 & 0xf000) | word & 0xfff;
        return i64::from(u16::try_from(imm16).unwrap_or_default().cast_signed());
    }
    i64::from(word.cast_signed())
}
