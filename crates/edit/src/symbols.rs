//! A symbol table after the edit: symbols of removed sections go, those asked for go, the others follow their sections.

use std::collections::{HashMap, HashSet};

use elfgraft_elf::consts::*;
use elfgraft_elf::encode::{addr, half, read_word, word};
use elfgraft_elf::{Image, SectionIndex, Symbol, SymbolSection, SymbolTable, printable};
use elfgraft_patch::Op;

use crate::decision::Decision;
use crate::edit::Edits;
use crate::error::EditError;
use crate::layout::content_size;
use crate::renumber::{Map, put, referrers, relocated_symbols, replace};
use crate::resolve::{Contents, Slot};
use crate::symbol_edits::{Fate, NewSymbol, Strip, is_mapping};

/// A table being rewritten; nothing is copied before something changes.
struct Rewrite<'i, 'a> {
    image: &'i Image<'a>,
    table: SymbolTable<'a>,
    bytes: Option<Vec<u8>>,
    extended: Option<Vec<u8>>,
    dropped: Vec<u32>,
    /// Signatures of groups that are defined nowhere any more, and symbols with another binding: how many.
    undefined: usize,
    bound: usize,
    /// Old names and new ones, to be appended to the string table.
    renamed: Vec<(u32, &'a [u8], Vec<u8>)>,
    /// Symbols whose binding crossed the line between local and not.
    crossed: HashSet<u32>,
}

impl Rewrite<'_, '_> {
    fn put(&mut self, at: u64, new: &[u8]) {
        put(self.bytes.get_or_insert_with(|| self.table.bytes().to_vec()), at, new);
    }

    /// The group lives, so its signature does; what it was defined in does not: SHN_UNDEF, and the index of no other section.
    fn undefine(&mut self, number: u32) {
        self.undefined += 1;
        self.put(self.table.shndx_offset(number), &half(self.image.format, SHN_UNDEF));
        let zero = addr(self.image.format, 0).unwrap_or_default();
        self.put(self.table.value_offset(number), &zero);
        self.put(self.table.size_offset(number), &zero);
    }

    /// `st_shndx` follows the section. Indices only become smaller, so what fitted it still does.
    fn follow(&mut self, number: u32, symbol: &Symbol, new: u32) {
        if symbol.st_shndx == SHN_XINDEX {
            let extended = self.extended.get_or_insert_with(|| self.table.extended().to_vec());
            put(extended, u64::from(number) * 4, &word(self.image.format, new));
        } else {
            let new = u16::try_from(new).unwrap_or(SHN_XINDEX);
            self.put(self.table.shndx_offset(number), &half(self.image.format, new));
        }
    }

    fn bind(&mut self, number: u32, symbol: &Symbol, bind: u8) {
        self.bound += 1;
        // st_info stands two bytes in front of st_shndx in both classes.
        self.put(self.table.shndx_offset(number) - 2, &[bind << 4 | symbol.kind()]);
        if (bind == STB_LOCAL) != (symbol.bind() == STB_LOCAL) {
            self.crossed.insert(number);
        }
    }
}

/// Decides on every symbol of the table in slot `at`, and writes down what follows: the table, its string table, and
/// everything that names symbols by number.
pub(crate) fn rewrite(
    image: &Image,
    edits: &Edits,
    slots: &mut [Slot],
    at: usize,
    index: SectionIndex,
    map: &Map,
    decisions: &mut Vec<Decision>,
) -> Result<(), EditError> {
    let table = image.symbol_table(index)?;
    let dynamic = image.header(index)?.sh_type == SHT_DYNSYM;
    let asked = Some(&edits.symbols).filter(|s| !s.is_empty() && !dynamic);
    let signatures: HashSet<u32> = slots
        .iter()
        .filter(|s| s.header.sh_type == SHT_GROUP && s.header.sh_link as usize == at && !s.fresh && s.from.is_some())
        .map(|s| s.header.sh_info)
        .collect();
    let needed = if asked.is_some() { needed(image, slots, at, &table)? } else { Vec::new() };
    let mut new = Rewrite {
        image,
        table,
        bytes: None,
        extended: None,
        dropped: Vec::new(),
        undefined: 0,
        bound: 0,
        renamed: Vec::new(),
        crossed: HashSet::new(),
    };
    let mut names = image.name_budget();
    let mut new_names = 0u64;
    for symbol in table.iter().skip(1) {
        let (number, symbol) = symbol?;
        if let SymbolSection::Index(section) = symbol.section {
            if map.is_gone(section.0) && !signatures.contains(&number) {
                new.dropped.push(number);
                continue;
            }
            if map.is_gone(section.0) {
                new.undefine(number);
            } else if map.section(section.0) != section.0 {
                new.follow(number, &symbol, map.section(section.0));
            }
        }
        let Some(asked) = asked else { continue };
        let name = name_of(image, &table, &symbol)?;
        names.take(name)?;
        let is_needed = needed.get(number as usize) == Some(&true)
            || signatures.contains(&number)
            || asked.strip != Strip::All && is_mapping(image.format.e_machine, &symbol, name);
        match asked.fate(&symbol, name, is_needed, image.format.e_type == ET_REL) {
            Ok(Fate::Drop) => new.dropped.push(number),
            Ok(Fate::Keep(bind, to)) => {
                if bind != symbol.bind() {
                    new.bind(number, &symbol, bind);
                }
                // A section symbol has no name of its own to change, as with both peers.
                let own = to.filter(|_| symbol.st_name != 0);
                if let Some(to) = own {
                    new_names = new_names.saturating_add(to.len() as u64);
                    if new_names > LONGEST_NEW_NAMES {
                        let why = format!(
                            "the new names of symbols are {new_names} bytes together, up to '{}'",
                            printable(name)
                        );
                        return Err(EditError::Refused { why });
                    }
                    new.renamed.push((number, name, to));
                }
            }
            Err(()) => {
                let why = format!("cannot strip symbol '{}' [{number}]: a relocation names it", printable(name));
                return Err(EditError::Refused { why });
            }
        }
    }
    if dynamic && !new.dropped.is_empty() {
        let number = new.dropped[0];
        let symbol = table.get(number).map(|s| table.name(&s).unwrap_or_default()).unwrap_or_default();
        let why = format!("dynamic symbol '{}' [{number}] is defined in a section to be removed", printable(symbol));
        return Err(EditError::Refused { why });
    }
    finish(new, edits, slots, at, index, asked.is_some(), decisions)
}

/// What is built in memory: a prefix of some kB for a million symbols is no prefix.
const LONGEST_NEW_NAMES: u64 = 1 << 28;

/// The name by which an option knows a symbol: a section symbol without a name has its section's.
fn name_of<'a>(image: &Image<'a>, table: &SymbolTable<'a>, symbol: &Symbol) -> Result<&'a [u8], EditError> {
    match (table.name(symbol)?, symbol.section) {
        (b"", SymbolSection::Index(section)) if symbol.kind() == STT_SECTION => {
            Ok(image.name(section).unwrap_or_default())
        }
        (name, _) => Ok(name),
    }
}

/// Which symbols the relocations that stay name.
fn needed(image: &Image, slots: &[Slot], at: usize, table: &SymbolTable) -> Result<Vec<bool>, EditError> {
    let mut needed = vec![false; table.len() as usize];
    for slot in slots.iter().filter(|s| s.header.is_reloc() && s.header.sh_link as usize == at && !s.fresh) {
        let Some(index) = slot.from else { continue };
        for symbol in relocated_symbols(image.format, slot.header.sh_type, image.contents(index)?) {
            if let Some(flag) = needed.get_mut(symbol as usize) {
                *flag = true;
            }
        }
    }
    Ok(needed)
}

/// A symbol of the result.
enum Entry<'e> {
    Old(u32),
    New(&'e NewSymbol),
}

fn finish(
    mut new: Rewrite,
    edits: &Edits,
    slots: &mut [Slot],
    at: usize,
    index: SectionIndex,
    asked: bool,
    decisions: &mut Vec<Decision>,
) -> Result<(), EditError> {
    let (image, table) = (new.image, new.table);
    let added = if asked { missing_symbols(image, &table, &edits.symbols.add)? } else { Vec::new() };
    // `sh_link` speaks of the result already, so it is the slot of the string table.
    let strings = Some(slots[at].header.sh_link as usize).filter(|&s| s != 0 && s < slots.len());
    decide(&new, index, added.len(), decisions);
    for (number, _, name) in std::mem::take(&mut new.renamed) {
        let st_name = append_string(image, slots, strings, &name)?;
        new.put(table.value_offset(number) - if image.format.is_64 { 8 } else { 4 }, &word(image.format, st_name));
    }
    let moves = !new.dropped.is_empty() || !new.crossed.is_empty() || !added.is_empty();
    if moves {
        if !edits.values.is_empty() {
            let why = "symbol values and the list of symbols cannot be changed in one call".into();
            return Err(EditError::Refused { why });
        }
        let order = order(&new, slots[at].header.sh_info, &added);
        let mut new_of = vec![None; table.len() as usize];
        for (number, entry) in (0u32..).zip(&order) {
            if let Entry::Old(old) = entry {
                new_of[*old as usize] = Some(number);
            }
        }
        referrers(image, slots, at, index, &new_of)?;
        let is_local = |e: &Entry| match e {
            Entry::Old(old) => new.is_local(*old, slots[at].header.sh_info),
            Entry::New(symbol) => symbol.info >> 4 == STB_LOCAL,
        };
        let locals = order.iter().take_while(|e| is_local(e)).count();
        let (bytes, extended) = permute(&new, &order, slots, strings)?;
        slots[at].header.sh_info = u32::try_from(locals).unwrap_or(u32::MAX);
        (new.bytes, new.extended) = (Some(bytes), extended);
    }
    if let (true, false, Some(strings), Some(bytes)) = (asked, new.dropped.is_empty(), strings, &mut new.bytes) {
        compact_strings(image, slots, strings, bytes)?;
    }
    if let Some(bytes) = new.bytes {
        replace(image, &mut slots[at], index, bytes)?;
    }
    if let (Some(bytes), Some(xindex)) = (new.extended, table.xindex)
        && let Some(slot) = slots.iter_mut().find(|s| s.from == Some(xindex))
    {
        replace(image, slot, xindex, bytes)?;
    }
    Ok(())
}

/// What was decided about symbols, in numbers.
fn decide(new: &Rewrite, index: SectionIndex, added: usize, decisions: &mut Vec<Decision>) {
    let table = || new.image.describe(index);
    if !new.dropped.is_empty() {
        let dropped = u32::try_from(new.dropped.len()).unwrap_or(u32::MAX);
        decisions.push(Decision::Symbols { table: table(), dropped });
    }
    if !new.renamed.is_empty() {
        let names = new.renamed.iter().map(|(_, old, new)| (old.to_vec(), new.clone())).collect();
        decisions.push(Decision::SymbolNames { table: table(), names });
    }
    if new.bound != 0 {
        decisions.push(Decision::SymbolBindings { table: table(), changed: new.bound });
    }
    if new.undefined != 0 {
        decisions.push(Decision::SymbolsUndefined { table: table(), signatures: new.undefined });
    }
    if added != 0 {
        decisions.push(Decision::SymbolsAdded { table: table(), added });
    }
}

impl Rewrite<'_, '_> {
    /// Whether a symbol stands among the local ones: by its number, as `sh_info` says, unless its binding crossed.
    fn is_local(&self, number: u32, sh_info: u32) -> bool {
        (number < sh_info) != self.crossed.contains(&number)
    }
}

/// Locals first (gABI, "Symbol table"), else the old order.
fn order<'e>(new: &Rewrite, sh_info: u32, added: &[&'e NewSymbol]) -> Vec<Entry<'e>> {
    let dropped: HashSet<u32> = new.dropped.iter().copied().collect();
    let mut order = Vec::new();
    for local in [true, false] {
        let old = (0..new.table.len()).filter(|n| !dropped.contains(n) && new.is_local(*n, sh_info) == local);
        order.extend(old.map(Entry::Old));
        order.extend(added.iter().filter(|s| (s.info >> 4 == STB_LOCAL) == local).map(|s| Entry::New(s)));
    }
    order
}

/// The records in their new order, and the `SHT_SYMTAB_SHNDX` words with them.
fn permute(
    new: &Rewrite,
    order: &[Entry],
    slots: &mut [Slot],
    strings: Option<usize>,
) -> Result<(Vec<u8>, Option<Vec<u8>>), EditError> {
    let (image, table) = (new.image, &new.table);
    let size = usize::try_from(image.format.symbol_size()).unwrap_or(24);
    let (old, old_x) =
        (new.bytes.as_deref().unwrap_or(table.bytes()), new.extended.as_deref().unwrap_or(table.extended()));
    let (mut bytes, mut extended) = (Vec::with_capacity(old.len()), Vec::new());
    for entry in order {
        match entry {
            Entry::Old(number) => {
                bytes.extend(record(old, *number as usize, size));
                // A table that is too short has no word for it: the next one must not get its place.
                let word = record(old_x, *number as usize, 4);
                extended.extend(if word.is_empty() && table.xindex.is_some() { &[0; 4] } else { word });
            }
            Entry::New(symbol) => {
                let (encoded, section) = encode(image, symbol, slots, strings)?;
                bytes.extend(encoded);
                if table.xindex.is_some() {
                    extended.extend(word(image.format, section));
                }
            }
        }
    }
    Ok((bytes, table.xindex.map(|_| extended)))
}

/// The entry of a table, by number.
fn record(bytes: &[u8], n: usize, size: usize) -> &[u8] {
    bytes.get(n * size..(n + 1) * size).unwrap_or_default()
}

/// Symbols to add that are not there yet: the same symbol twice would make a second run differ from the first.
fn missing_symbols<'e>(
    image: &Image,
    table: &SymbolTable,
    add: &'e [NewSymbol],
) -> Result<Vec<&'e NewSymbol>, EditError> {
    let mut missing: HashMap<_, Vec<usize>> = HashMap::new();
    for (number, symbol) in add.iter().enumerate() {
        missing.entry((&*symbol.name, symbol.section.as_deref(), symbol.info)).or_default().push(number);
    }
    if missing.is_empty() {
        return Ok(Vec::new());
    }
    for old in table.iter() {
        let old = old?.1;
        let section = match old.section {
            SymbolSection::Index(index) => Some(image.name(index)?),
            _ => None,
        };
        missing.remove(&(table.name(&old)?, section, old.st_info));
    }
    let mut missing: Vec<usize> = missing.into_values().flatten().collect();
    missing.sort_unstable();
    Ok(missing.into_iter().filter_map(|number| add.get(number)).collect())
}

fn encode(
    image: &Image,
    symbol: &NewSymbol,
    slots: &mut [Slot],
    strings: Option<usize>,
) -> Result<(Vec<u8>, u32), EditError> {
    let format = image.format;
    let section = match &symbol.section {
        None => None,
        Some(name) => {
            let here = |s: &Slot| {
                s.from.is_some_and(|i| image.name(i).is_ok_and(|n| n == name)) || s.name.as_ref() == Some(name)
            };
            let at = slots
                .iter()
                .position(here)
                .ok_or_else(|| EditError::Missing { option: "--add-symbol", name: printable(name) })?;
            Some((at, if format.e_type == ET_REL { 0 } else { slots[at].header.sh_addr }))
        }
    };
    let value = symbol.value.wrapping_add(section.map_or(0, |(_, address)| address));
    let st_value = addr(format, value).ok_or_else(|| EditError::TooLarge { what: "st_value".into(), value })?;
    let index = section.map_or(0, |(at, _)| u32::try_from(at).unwrap_or(u32::MAX));
    let st_shndx = match (section, u16::try_from(index)) {
        (None, _) => SHN_ABS,
        (_, Ok(small)) if small < SHN_LORESERVE => small,
        _ => SHN_XINDEX,
    };
    let st_name = word(format, append_string(image, slots, strings, &symbol.name)?);
    let (info, shndx) = ([symbol.info, symbol.other], half(format, st_shndx));
    let st_size = addr(format, 0).unwrap_or_default();
    let bytes = if format.is_64 {
        [&st_name[..], &info, &shndx, &st_value, &st_size].concat()
    } else {
        [&st_name[..], &st_value, &st_size, &info, &shndx].concat()
    };
    Ok((bytes, if st_shndx == SHN_XINDEX { index } else { 0 }))
}

/// Appends a name to the string table and tells its offset. Nothing is re-sorted, so every other name keeps its own.
fn append_string(image: &Image, slots: &mut [Slot], at: Option<usize>, name: &[u8]) -> Result<u32, EditError> {
    let missing = || EditError::Refused { why: "the symbol table has no string table to add names to".into() };
    let slot = at.and_then(|at| slots.get_mut(at)).ok_or_else(missing)?;
    let offset = content_size(slot);
    if let (Contents::Kept, Some(index)) = (&slot.contents, slot.from) {
        if image.contents(index)?.last() != Some(&0) {
            let why = format!("string table {} does not end in a NUL byte", image.describe(index));
            return Err(EditError::Refused { why });
        }
        slot.contents = Contents::New(vec![Op::Copy { from: slot.header.sh_offset, len: slot.header.file_size() }]);
    }
    let Contents::New(parts) = &mut slot.contents else { return Err(missing()) };
    let bytes = [name, &[0]].concat();
    match parts.last_mut() {
        Some(Op::Write(last)) => last.to_mut().extend(bytes),
        _ => parts.push(Op::Write(bytes.into())),
    }
    u32::try_from(offset).map_err(|_| EditError::Refused { why: "the string table grows beyond 4 GiB".into() })
}

/// Drops the strings that no symbol uses any more. The others keep their order, and tails that were shared stay so.
/// Only where the table is this symbol table's alone, and no name was appended.
fn compact_strings(image: &Image, slots: &mut [Slot], at: usize, symbols: &mut [u8]) -> Result<(), EditError> {
    let (users, slot) = (slots.iter().filter(|s| s.header.sh_link as usize == at && at != 0).count(), &mut slots[at]);
    let Some(index) = slot.from.filter(|&i| i != image.shstrndx && users == 1) else { return Ok(()) };
    if !matches!(slot.contents, Contents::Kept) {
        return Ok(());
    }
    let old = image.contents(index)?;
    let size = usize::try_from(image.format.symbol_size()).unwrap_or(24);
    let mut used: Vec<(usize, usize)> = Vec::new();
    for at in (0..symbols.len()).step_by(size) {
        let start = read_word(image.format, symbols, at).unwrap_or_default() as usize;
        let len = old.get(start..).and_then(|rest| rest.iter().position(|&b| b == 0));
        let Some(len) = len else { return Ok(()) }; // A name that does not end: leave such a table alone.
        used.push((start, start + len + 1));
    }
    used.push((0, 1));
    used.sort_unstable();
    // Runs of bytes that stay: where they begin, in the old table and in the new one.
    let (mut new, mut runs, mut reach) = (Vec::new(), Vec::new(), 0);
    for (start, end) in used {
        if start >= reach {
            runs.push((start, new.len()));
            new.extend_from_slice(old.get(start..end).unwrap_or_default());
        } else if end > reach {
            new.extend_from_slice(old.get(reach..end).unwrap_or_default());
        }
        reach = reach.max(end);
    }
    if new.len() == old.len() {
        return Ok(());
    }
    for at in (0..symbols.len()).step_by(size) {
        let old_name = read_word(image.format, symbols, at).unwrap_or_default() as usize;
        let run = runs.partition_point(|&(start, _)| start <= old_name).checked_sub(1).and_then(|r| runs.get(r));
        if let Some(name) = run.and_then(|&(start, moved)| u32::try_from(old_name - start + moved).ok()) {
            put(symbols, at as u64, &word(image.format, name));
        }
    }
    slot.contents = Contents::New(vec![Op::Write(new.into())]);
    Ok(())
}
