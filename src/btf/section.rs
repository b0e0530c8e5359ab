//! `.BTF_ids` in its ELF file: the section, the symbols that point into it, the relocations that do so without one.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use elfgraft_btf::ids::{Finding, Ids, Move, Outcome, Sym};
use elfgraft_btf::{Btf, Endian, Error as BtfError};
use elfgraft_edit::{Content, Edits, SymbolValue, Target};
use elfgraft_elf::consts::*;
use elfgraft_elf::{Image, SectionIndex, SymbolSection, printable};

use super::pins::{Pin, pins};
use super::source::{endian, only};
use crate::report::Error;

/// The `.BTF_ids` section of a file.
pub struct IdsSection<'a> {
    /// Its index.
    pub index: SectionIndex,
    /// Its contents.
    pub data: &'a [u8],
    endian: Endian,
    /// The symbol table.
    table: SectionIndex,
    /// What `st_value` counts from: the section's address, or 0 in an ET_REL object.
    address: u64,
    syms: Vec<Sym<'a>>,
    pins: Vec<Pin>,
    pinned: Vec<u64>,
}

impl<'a> IdsSection<'a> {
    /// Finds the section; `None` if the file has none, or an empty one.
    ///
    /// # Errors
    /// If there are several, or what the section and its symbols refer to lies outside the file. If it holds words that
    /// are not 0 and no symbol tells what they are: after `strip --strip-all` nothing can be resolved any more.
    pub fn find(path: &Path, image: &Image<'a>) -> Result<Option<IdsSection<'a>>, Error> {
        let Some(index) = only(path, image, b".BTF_ids")? else { return Ok(None) };
        let found = IdsSection::read(path, image, index)?;
        let data = image.contents(index).map_err(Error::edit(path))?;
        if found.is_none() && data.iter().any(|&byte| byte != 0) {
            let text = "has contents, but no '__BTF_ID__' symbol tells what they are; stripped symbols come back by \
                        linking again";
            return Err(Error::file(path, format!("section {} {text}", image.describe(index))));
        }
        Ok(found)
    }

    /// Reads the section; `None` if no symbol tells what its words are.
    ///
    /// # Errors
    /// If what the section and its symbols refer to lies outside the file.
    pub fn read(path: &Path, image: &Image<'a>, index: SectionIndex) -> Result<Option<IdsSection<'a>>, Error> {
        let Some((table, _)) = image.indexed().find(|(_, h)| h.sh_type == SHT_SYMTAB) else { return Ok(None) };
        let data = image.contents(index).map_err(Error::edit(path))?;
        let header = image.header(index).map_err(Error::edit(path))?;
        let address = if image.format.e_type == ET_REL { 0 } else { header.sh_addr };
        let symbols = image.symbol_table(table).map_err(Error::edit(path))?;
        let (mut syms, mut names) = (Vec::new(), image.name_budget());
        for symbol in symbols.iter() {
            let (number, symbol) = symbol.map_err(Error::edit(path))?;
            if symbol.section != SymbolSection::Index(index) {
                continue;
            }
            let name = symbols.name(&symbol).map_err(Error::edit(path))?;
            if !name.starts_with(b"__BTF_ID__") {
                continue;
            }
            names.take(name).map_err(Error::edit(path))?;
            let Some(offset) = symbol.st_value.checked_sub(address) else {
                let text = format!(
                    "symbol '{}' [{number}]: st_value {:#x} lies in front of its section {}, which begins at {address:#x}",
                    printable(name),
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
        let movable: HashSet<u32> = syms.iter().map(|sym| sym.index).collect();
        let pins = pins(image, index, &symbols, address, &movable).map_err(Error::edit(path))?;
        let pinned = pins.iter().map(|pin| pin.offset).collect();
        Ok(Some(IdsSection { index, data, endian: endian(image), table, address, syms, pins, pinned }))
    }

    /// The section as the BTF crate reads it.
    pub fn ids(&self) -> Ids<'a> {
        self.with(self.data)
    }

    /// The same symbols over other contents.
    pub fn with(&self, data: &'a [u8]) -> Ids<'a> {
        Ids::new(data, self.endian, &self.syms)
    }

    /// The first of several BTFs that the IDs in the section can refer to. Where none fits as a whole, the first may still
    /// prove a set.
    pub fn proof<'b>(&self, candidates: impl IntoIterator<Item = &'b Btf<'b>>) -> Option<&'b Btf<'b>> {
        let candidates: Vec<_> = candidates.into_iter().collect();
        candidates.iter().find(|btf| self.fits(btf)).or(candidates.first()).copied()
    }

    /// Whether each ID in the section names something in this BTF that a symbol of the section asks for.
    pub fn fits(&self, btf: &Btf) -> bool {
        let ids = self.ids();
        let rows = ids.rows(Some(btf));
        let wanted: HashSet<_> = rows.iter().filter_map(|row| row.wanted).collect();
        // Each ID once: its name may be long, and any number of words may hold it.
        let mut seen = HashSet::from([0]);
        let mut new = rows.iter().filter(|row| seen.insert(row.id));
        new.all(|row| row.actual.is_some_and(|actual| wanted.contains(&actual)))
    }

    /// The symbols.
    pub fn syms(&self) -> &[Sym<'a>] {
        &self.syms
    }

    /// Offsets in the section that relocations reach other than through a symbol of their own.
    pub fn pinned(&self) -> &[u64] {
        &self.pinned
    }

    /// An error of the BTF crate about this section; of a relocation it says which.
    pub fn explain<'p>(&'p self, path: &'p Path, image: &'p Image) -> impl FnOnce(BtfError) -> Error + 'p {
        move |e| {
            let pin = match &e {
                BtfError::PinnedSet { target, .. } => self.pins.iter().find(|pin| pin.offset == *target),
                _ => None,
            };
            let place = pin.map_or(String::new(), |pin| {
                format!(" (relocation of section {}, r_offset {:#x})", image.describe(pin.section), pin.r_offset)
            });
            Error::file(path, format!("{e}{place}"))
        }
    }

    /// What is wrong with a result when it is read back against the BTF it was made for.
    pub fn recheck(&self, outcome: &Outcome, btf: &Btf) -> Vec<Finding> {
        let moved: HashMap<u32, u64> = outcome.moves.iter().map(|m| (m.symbol, m.offset)).collect();
        let moved = |sym: &Sym<'a>| Sym { offset: moved.get(&sym.index).copied().unwrap_or(sym.offset), ..*sym };
        let syms: Vec<_> = self.syms.iter().map(moved).collect();
        let mut findings = Ids::new(&outcome.data, self.endian, &syms).check(Some(btf));
        findings.retain(|finding| !finding.problem.is_note());
        findings
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
