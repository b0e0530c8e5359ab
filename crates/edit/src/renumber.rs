//! New section and symbol indices, written wherever the old ones are stored.
//!
//! Nothing is touched that need not be: without a removal before it no index changes, and then nothing is even read.
//! A section that holds symbol indices in a form elfgraft does not know is refused by name when they would change.

use elfgraft_elf::consts::*;
use elfgraft_elf::encode::{addr, read_word, word};
use elfgraft_elf::{Endianness, Format, Image, SectionHeader, SectionIndex, SymbolSection, printable};
use elfgraft_patch::Op;

use crate::decision::Decision;
use crate::edit::Edits;
use crate::error::EditError;
use crate::refs::group_members;
use crate::resolve::{Contents, Slot};
use crate::symbols;

/// A small change inside contents that are kept otherwise.
#[derive(Debug)]
pub(crate) struct Overlay {
    /// Index into the slots.
    pub slot: usize,
    /// Bytes from the beginning of the section.
    pub offset: u64,
    pub bytes: Vec<u8>,
}

/// Old index -> what became of it.
pub(crate) struct Map {
    /// Index in the result, by old index; 0 for what is not there any more.
    new: Vec<u32>,
    /// Whether symbols defined there go: the section is gone, or only its index lives on.
    gone: Vec<bool>,
}

impl Map {
    fn of(image: &Image, slots: &[Slot]) -> Map {
        let mut map = Map { new: vec![0; image.sections.len()], gone: vec![true; image.sections.len()] };
        for (index, slot) in (0u32..).zip(slots) {
            if let Some(from) = slot.from {
                map.new[from.get()] = index;
                map.gone[from.get()] = slot.fresh;
            }
        }
        map
    }

    fn changes(&self) -> bool {
        self.gone.iter().any(|&g| g) || (0u32..).zip(&self.new).any(|(old, &new)| old != new)
    }

    /// The new index of a section that stays; an index that never was one stays what it is.
    pub fn section(&self, old: u32) -> u32 {
        self.new.get(old as usize).copied().unwrap_or(old)
    }

    pub fn is_gone(&self, old: u32) -> bool {
        self.gone.get(old as usize).copied().unwrap_or(false)
    }
}

/// Rewrites every stored index, and gives symbols their new values.
pub(crate) fn apply(
    image: &Image,
    edits: &Edits,
    slots: &mut [Slot],
    decisions: &mut Vec<Decision>,
) -> Result<Vec<Overlay>, EditError> {
    let mut overlays = Vec::new();
    let map = Map::of(image, slots);
    if map.changes() {
        links(slots, &map);
        groups(image, slots, &map, decisions)?;
    } else if edits.values.is_empty() && edits.symbols.is_empty() {
        return Ok(overlays);
    }
    for at in 1..slots.len() {
        let Some(index) = slots[at].from.filter(|_| matches!(slots[at].header.sh_type, SHT_SYMTAB | SHT_DYNSYM)) else {
            continue;
        };
        if map.changes() || !edits.symbols.is_empty() {
            symbols::rewrite(image, edits, slots, at, index, &map, decisions)?;
        }
        values(image, edits, slots, at, index, &mut overlays, decisions)?;
    }
    Ok(overlays)
}

fn links(slots: &mut [Slot], map: &Map) {
    for slot in slots.iter_mut().skip(1).filter(|s| s.from.is_some() && !s.fresh) {
        slot.header.sh_link = map.section(slot.header.sh_link);
        if slot.header.info_is_section() {
            slot.header.sh_info = map.section(slot.header.sh_info);
        }
    }
}

/// Member lists of groups that stay; `SHF_GROUP` of members whose group goes.
fn groups(image: &Image, slots: &mut [Slot], map: &Map, decisions: &mut Vec<Decision>) -> Result<(), EditError> {
    let mut orphans = vec![false; image.sections.len()];
    for (index, _) in image.indexed().filter(|(i, h)| h.sh_type == SHT_GROUP && map.is_gone(i.0)) {
        // A broken group may always be removed.
        for member in group_members(image, index).unwrap_or_default() {
            orphans[member.get()] = true;
        }
    }
    for slot in slots.iter_mut().filter(|s| !s.fresh) {
        let Some(index) = slot.from else { continue };
        if orphans[index.get()] && slot.header.sh_flags & SHF_GROUP != 0 {
            let old = slot.header.sh_flags;
            slot.header.sh_flags = old & !SHF_GROUP;
            let (section, new) = (image.describe(index), slot.header.sh_flags);
            decisions.push(Decision::Header { section, field: "sh_flags", old, new });
        }
        if slot.header.sh_type != SHT_GROUP {
            continue;
        }
        let members = group_members(image, index)?;
        if members.iter().all(|m| !map.is_gone(m.0) && map.section(m.0) == m.0) {
            continue;
        }
        let mut bytes = image.contents(index)?.get(..4).unwrap_or_default().to_vec();
        for member in members.iter().filter(|m| !map.is_gone(m.0)) {
            bytes.extend(word(image.format, map.section(member.0)));
        }
        replace(image, slot, index, bytes)?;
    }
    Ok(())
}

/// Gives a table new contents, unless the caller wanted to give it others.
pub(crate) fn replace(image: &Image, slot: &mut Slot, index: SectionIndex, bytes: Vec<u8>) -> Result<(), EditError> {
    if !matches!(slot.contents, Contents::Kept) {
        let section = image.describe(index);
        return Err(EditError::Refused {
            why: format!("section {section}: its contents are given, but they hold indices that this edit changes"),
        });
    }
    if index == image.shstrndx {
        let section = image.describe(index);
        let why = format!("section {section}: it holds the names of all sections, and indices that this edit changes");
        return Err(EditError::Refused { why });
    }
    slot.contents = Contents::New(vec![Op::Write(bytes.into())]);
    Ok(())
}

/// Everything that names symbols of a table by number.
pub(crate) fn referrers(
    image: &Image,
    slots: &mut [Slot],
    table_slot: usize,
    table: SectionIndex,
    new_of: &[Option<u32>],
) -> Result<(), EditError> {
    let names_table = |s: &Slot| s.from.is_some() && !s.fresh && s.header.sh_link as usize == table_slot;
    for slot in slots.iter_mut().filter(|s| names_table(s)) {
        let Some(index) = slot.from else { continue };
        match slot.header.sh_type {
            SHT_REL | SHT_RELA => {
                if let Some(bytes) = relocations(image, index, &slot.header, table, new_of)? {
                    replace(image, slot, index, bytes)?;
                }
            }
            SHT_GROUP => slot.header.sh_info = lookup(new_of, slot.header.sh_info).unwrap_or(slot.header.sh_info),
            SHT_SYMTAB_SHNDX => {} // goes with its table
            SHT_LLVM_ADDRSIG => {
                let bytes = address_significance(image.contents(index)?, new_of).ok_or_else(|| EditError::Refused {
                    why: format!("section {} is no list of symbols", image.describe(index)),
                })?;
                replace(image, slot, index, bytes)?;
            }
            SHT_LLVM_CALL_GRAPH_PROFILE => {} // its relocations hold the symbols
            other => {
                return Err(EditError::Refused {
                    why: format!(
                        "section {} of type {other:#x} may hold symbol numbers, which this edit changes",
                        image.describe(index)
                    ),
                });
            }
        }
    }
    Ok(())
}

/// Weights for the linker; since LLVM 13 the symbols are in a relocation section beside it.
const SHT_LLVM_CALL_GRAPH_PROFILE: u32 = 0x6fff_4c09;

fn lookup(new_of: &[Option<u32>], old: u32) -> Option<u32> {
    new_of.get(old as usize).copied().flatten()
}

/// Offset of the word that holds `r_sym` within a relocation, and the size of one. ELF32: the upper 24 bits of `r_info`.
/// ELF64: its upper 32 bits, but mips64el stores the symbol in the first word.
fn reloc_shape(format: Format, sh_type: u32) -> (usize, usize) {
    let word: usize = if format.is_64 { 8 } else { 4 };
    let size = word * if sh_type == SHT_RELA { 3 } else { 2 };
    let mips64el = format.is_64 && format.e_machine == EM_MIPS && format.endian == Endianness::Little;
    let symbol = match (format.is_64, format.endian) {
        (false, _) => 4,
        (true, Endianness::Little) if !mips64el => 12,
        (true, _) => 8,
    };
    (symbol, size)
}

/// Symbol numbers that the relocations of a section name, in order.
pub(crate) fn relocated_symbols<'r>(
    format: Format,
    sh_type: u32,
    bytes: &'r [u8],
) -> impl Iterator<Item = u32> + use<'r> {
    let (word_at, size) = reloc_shape(format, sh_type);
    (0..bytes.len()).step_by(size).map_while(move |at| {
        let field = read_word(format, bytes, at + word_at)?;
        Some(if format.is_64 { field } else { field >> 8 })
    })
}

/// Relocations with renumbered symbols; `None` if all numbers stay.
fn relocations(
    image: &Image,
    index: SectionIndex,
    header: &SectionHeader,
    table: SectionIndex,
    new_of: &[Option<u32>],
) -> Result<Option<Vec<u8>>, EditError> {
    let format = image.format;
    let bytes = image.contents(index)?;
    let (word_at, size) = reloc_shape(format, header.sh_type);
    if bytes.len() % size != 0 {
        let why = format!("section {}: {} bytes are no list of relocations", image.describe(index), bytes.len());
        return Err(EditError::Refused { why });
    }
    let mut new_bytes: Option<Vec<u8>> = None;
    for at in (0..bytes.len()).step_by(size) {
        let Some(field) = read_word(format, bytes, at + word_at) else { break };
        let old = if format.is_64 { field } else { field >> 8 };
        let Some(new) = lookup(new_of, old) else {
            let symbols = image.symbol_table(table)?;
            let symbol = symbols.get(old);
            let name = symbol.map(|s| symbols.name(&s).unwrap_or_default()).unwrap_or_default();
            // Only a symbol whose section goes is dropped although it is named: `fate` keeps all others.
            let section = match symbol.map(|s| s.section) {
                Some(SymbolSection::Index(section)) => image.describe(section),
                _ => "?".into(),
            };
            let what = match name {
                b"" => format!("its section symbol [{old}]"),
                name => format!("symbol '{}' [{old}] in it", printable(name)),
            };
            return Err(EditError::StillNeeded {
                what: format!("section {section}"),
                by: format!("section {}, relocation {}, names {what}", image.describe(index), at / size),
            });
        };
        if new != old {
            if !format.is_64 && new >> 24 != 0 {
                let what = format!("section {}, relocation {}: symbol", image.describe(index), at / size);
                return Err(EditError::TooLarge { what, value: new.into() });
            }
            let field = if format.is_64 { new } else { new << 8 | field & 0xff };
            let out = new_bytes.get_or_insert_with(|| bytes.to_vec());
            put(out, (at + word_at) as u64, &word(format, field));
        }
    }
    Ok(new_bytes)
}

/// `SHT_LLVM_ADDRSIG`: a list of symbol numbers as ULEB128. Symbols that go leave the list.
fn address_significance(bytes: &[u8], new_of: &[Option<u32>]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let mut rest = bytes.iter();
    while !rest.as_slice().is_empty() {
        let (mut value, mut shift) = (0u32, 0);
        loop {
            let byte = *rest.next()?;
            value |= u32::from(byte & 0x7f).checked_shl(shift).filter(|v| v >> shift == u32::from(byte & 0x7f))?;
            shift += 7;
            if byte & 0x80 == 0 {
                break;
            }
        }
        let Some(mut new) = lookup(new_of, value) else { continue };
        loop {
            let low = u8::try_from(new & 0x7f).unwrap_or_default();
            new >>= 7;
            out.push(if new == 0 { low } else { low | 0x80 });
            if new == 0 {
                break;
            }
        }
    }
    Some(out)
}

/// New `st_value` fields of one table.
fn values(
    image: &Image,
    edits: &Edits,
    slots: &mut [Slot],
    at: usize,
    index: SectionIndex,
    overlays: &mut Vec<Overlay>,
    decisions: &mut Vec<Decision>,
) -> Result<(), EditError> {
    let wanted: Vec<_> = edits.values.iter().filter(|v| v.table == index).collect();
    if wanted.is_empty() {
        return Ok(());
    }
    let table = image.symbol_table(index)?;
    let mut moved = 0;
    for value in wanted {
        let Some(symbol) = table.get(value.symbol) else {
            let why = format!("symbol table {}: there is no symbol {}", image.describe(index), value.symbol);
            return Err(EditError::Refused { why });
        };
        if symbol.st_value == value.value {
            continue;
        }
        moved += 1;
        let bytes = addr(image.format, value.value).ok_or_else(|| EditError::TooLarge {
            what: format!("st_value of symbol {}", value.symbol),
            value: value.value,
        })?;
        let offset = table.value_offset(value.symbol);
        match &mut slots[at].contents {
            Contents::Kept => overlays.push(Overlay { slot: at, offset, bytes }),
            // `symbols` has rewritten the table in place: numbers are still those of the input.
            Contents::New(parts) => match parts.first_mut() {
                Some(Op::Write(table)) => put(table.to_mut(), offset, &bytes),
                _ => return Err(EditError::Refused { why: "the symbol table's contents are given".into() }),
            },
        }
    }
    if moved != 0 {
        decisions.push(Decision::Values { table: image.describe(index), moved });
    }
    Ok(())
}

pub(crate) fn put(bytes: &mut [u8], at: u64, new: &[u8]) {
    let range = usize::try_from(at).ok().and_then(|at| Some(at..at.checked_add(new.len())?));
    if let Some(place) = range.and_then(|range| bytes.get_mut(range)) {
        place.copy_from_slice(new);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn b24_address_significance_is_renumbered() {
        let new_of: Vec<_> = (0..300).map(|n: u32| if n == 5 { None } else { Some(n - u32::from(n > 5)) }).collect();
        assert_eq!(address_significance(&[3, 5, 7], &new_of), Some(vec![3, 6]));
        assert_eq!(address_significance(&[0x80, 0x02], &new_of), Some(vec![0xff, 0x01]));
        assert_eq!(address_significance(&[0x80], &new_of), None);
        assert_eq!(address_significance(&[0xff, 0xff, 0xff, 0xff, 0xff, 0x01], &new_of), None);
    }
}
