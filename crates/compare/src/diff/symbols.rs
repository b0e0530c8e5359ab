//! Symbol tables: which symbol is which, and what differs.
//!
//! The order in a table makes no difference. Symbols are told apart by name; of several of one name the equal ones
//! belong together, the others in the order of their sections and values.

use super::report::Out;
use super::{Change, Files, Key};
use crate::reader::{Elf, Name, Place, Symbol, Symbols, is_symbol_table};
use std::cmp::Ordering;
use std::collections::HashMap;
use std::fmt;

/// For each symbol table of the first file: the one of the second, and its symbols.
#[derive(Debug, Default)]
pub(super) struct SymbolMaps(HashMap<u32, SymbolMap>);

#[derive(Debug)]
struct SymbolMap {
    table: u32,
    /// The index in the second file by the index in the first; [`NONE`] for symbols it does not have.
    map: Vec<u32>,
    identity: bool,
}

const NONE: u32 = u32::MAX;

impl SymbolMaps {
    /// Whether every index means the same symbol in both tables.
    pub fn is_identity(&self, a_table: u32, b_table: u32) -> bool {
        self.get(a_table, b_table).is_some_and(|map| map.identity)
    }

    fn get(&self, a_table: u32, b_table: u32) -> Option<&SymbolMap> {
        self.0.get(&a_table).filter(|map| map.table == b_table)
    }
}

impl SymbolMap {
    /// Whether symbol `a` of the first file is symbol `b` of the second.
    fn joins(&self, a: u32, b: u32) -> bool {
        b != NONE && usize::try_from(a).is_ok_and(|a| self.map.get(a) == Some(&b))
    }
}

/// Two symbol tables that belong together, for questions about their symbols.
pub(super) struct Tables<'f, 'a> {
    files: &'f Files<'a>,
    /// Looked up once: there are millions of relocations.
    map: Option<&'f SymbolMap>,
    b_table: u32,
    a: Symbols<'a>,
    b: Symbols<'a>,
}

impl<'f, 'a> Tables<'f, 'a> {
    /// `None` where one of them is no symbol table, or they do not belong together.
    pub fn new(files: &'f Files<'a>, a: u32, b: u32) -> Option<Tables<'f, 'a>> {
        let both = files.same_section(a, b).then(|| Some((files.a.symbols(a)?, files.b.symbols(b)?)))??;
        Some(Tables { files, map: files.maps.get(a, b), b_table: b, a: both.0, b: both.1 })
    }

    /// Whether two indices mean the same symbol, or symbols nothing tells apart, or are the same nonsense.
    pub fn same(&self, a: u32, b: u32) -> bool {
        if self.map.is_some_and(|map| map.joins(a, b)) {
            return true;
        }
        match (self.a.get(a), self.b.get(b)) {
            (Some(a), Some(b)) => self.key_a(&a) == self.key_b(&b),
            (None, None) => a == b,
            _ => false,
        }
    }

    pub fn label_a(&self, index: u32) -> SymbolLabel<'_, 'a> {
        SymbolLabel { elf: &self.files.a, symbol: self.a.get(index), index }
    }

    pub fn label_b(&self, index: u32) -> SymbolLabel<'_, 'a> {
        SymbolLabel { elf: &self.files.b, symbol: self.b.get(index), index }
    }

    fn key_a(&self, symbol: &Symbol<'a>) -> SymbolKey<'a> {
        let place = match symbol.place {
            Place::Section(index) => match self.files.pairs.in_b(index) {
                Some(other) => Target::Section(other),
                None if self.files.a.section(index).is_none() => Target::Nonsense(index),
                None => Target::Gone(index),
            },
            Place::Undefined => Target::Undefined,
            Place::Reserved(index) => Target::Reserved(index),
        };
        SymbolKey::new(&self.files.a, symbol, place)
    }

    fn key_b(&self, symbol: &Symbol<'a>) -> SymbolKey<'a> {
        let place = match symbol.place {
            Place::Section(index) if self.files.b.section(index).is_none() => Target::Nonsense(index),
            Place::Section(index) => Target::Section(index),
            Place::Undefined => Target::Undefined,
            Place::Reserved(index) => Target::Reserved(index),
        };
        SymbolKey::new(&self.files.b, symbol, place)
    }
}

/// Where a symbol is defined, in the second file's indices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Target {
    Undefined,
    Section(u32),
    /// A section only the first file has.
    Gone(u32),
    /// No section of its file.
    Nonsense(u32),
    Reserved(u32),
}

/// Everything a symbol says, comparable between the files.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct SymbolKey<'a> {
    name: &'a [u8],
    /// `st_name` where it is beyond the string table.
    no_name: Option<u32>,
    place: Target,
    /// Counted from the start of the section.
    value: u64,
    size: u64,
    info: u8,
    other: u8,
}

impl<'a> SymbolKey<'a> {
    fn new(elf: &Elf, symbol: &Symbol<'a>, place: Target) -> SymbolKey<'a> {
        let base = match symbol.place {
            Place::Section(index) if !elf.is_object() => elf.section(index).map_or(0, |section| section.sh_addr),
            _ => 0,
        };
        let value = symbol.value.wrapping_sub(base);
        let no_name = (!symbol.has_name()).then_some(symbol.st_name);
        let Symbol { size, info, other, .. } = *symbol;
        SymbolKey { name: symbol.name(), no_name, place, value, size, info, other }
    }
}

/// A symbol in words.
pub(super) struct SymbolLabel<'f, 'a> {
    elf: &'f Elf<'a>,
    symbol: Option<Symbol<'a>>,
    index: u32,
}

impl fmt::Display for SymbolLabel<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.symbol {
            None => write!(f, "symbol {} that does not exist", self.index),
            Some(_) if self.index == 0 => write!(f, "no symbol"),
            Some(symbol) => match symbol.place {
                Place::Section(index) if symbol.is_section() && symbol.st_name == 0 => {
                    write!(f, "symbol of section {}", self.elf.label(index))
                }
                _ => write!(f, "symbol {}", Name(symbol.name())),
            },
        }
    }
}

/// Reports what differs in the symbol tables that both files have.
pub(super) fn compare(files: &Files, out: &mut Out) -> SymbolMaps {
    let tables = files.pairs.iter().filter(|&(a, _)| files.a.section(a).is_some_and(is_symbol_table));
    let maps = tables.filter_map(|(a, b)| Some((a, compare_tables(&Tables::new(files, a, b)?, out))));
    SymbolMaps(maps.collect())
}

fn compare_tables(tables: &Tables, out: &mut Out) -> SymbolMap {
    let (len_a, len_b) = (tables.a.len(), tables.b.len());
    let same = |a, b| match (tables.a.get(a), tables.b.get(b)) {
        (Some(a), Some(b)) => tables.key_a(&a) == tables.key_b(&b),
        _ => false,
    };
    let short = len_a.min(len_b);
    let head = (0..short).find(|&index| !same(index, index)).unwrap_or(short);
    let tail = (0..short - head).find(|&back| !same(len_a - 1 - back, len_b - 1 - back)).unwrap_or(short - head);
    let mut map: Vec<u32> = (0..head).collect();
    let middle = map.len();
    map.extend((head..len_a - tail).map(|_| NONE));
    map.extend(len_b - tail..len_b);

    let mut in_a: Vec<u32> = (head..len_a - tail).collect();
    let mut in_b: Vec<u32> = (head..len_b - tail).collect();
    in_a.sort_by(|&x, &y| tables.a.get(x).map(|s| tables.key_a(&s)).cmp(&tables.a.get(y).map(|s| tables.key_a(&s))));
    in_b.sort_by(|&x, &y| tables.b.get(x).map(|s| tables.key_b(&s)).cmp(&tables.b.get(y).map(|s| tables.key_b(&s))));
    let mut join = |a: u32, b: u32| {
        if let Some(slot) = usize::try_from(a - head).ok().and_then(|at| map.get_mut(middle + at)) {
            *slot = b;
        }
    };
    join_middle(tables, &in_a, &in_b, &mut join, out);
    let identity = len_a == len_b && (0u32..).zip(&map).all(|(a, b)| a == *b);
    SymbolMap { table: tables.b_table, map, identity }
}

/// Walks both lists, which are sorted, and joins first what is equal, then what has one name.
fn join_middle(tables: &Tables, in_a: &[u32], in_b: &[u32], join: &mut impl FnMut(u32, u32), out: &mut Out) {
    let name_a = |index: &u32| tables.a.get(*index).map(|symbol| symbol.name());
    let name_b = |index: &u32| tables.b.get(*index).map(|symbol| symbol.name());
    let (mut in_a, mut in_b) = (in_a, in_b);
    while let Some(name) = in_a.first().map(name_a).into_iter().chain(in_b.first().map(name_b)).min() {
        let (of_a, rest_a) = in_a.split_at(in_a.partition_point(|index| name_a(index) <= name));
        let (of_b, rest_b) = in_b.split_at(in_b.partition_point(|index| name_b(index) <= name));
        join_name(tables, of_a, of_b, join, out);
        (in_a, in_b) = (rest_a, rest_b);
    }
}

fn join_name(tables: &Tables, of_a: &[u32], of_b: &[u32], join: &mut impl FnMut(u32, u32), out: &mut Out) {
    let (mut left_a, mut left_b) = (Vec::new(), Vec::new());
    let (mut at_a, mut at_b) = (of_a.iter().peekable(), of_b.iter().peekable());
    loop {
        let order = match (at_a.peek(), at_b.peek()) {
            (None, None) => break,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(&&a), Some(&&b)) => {
                let keys = (tables.a.get(a).map(|s| tables.key_a(&s)), tables.b.get(b).map(|s| tables.key_b(&s)));
                keys.0.cmp(&keys.1)
            }
        };
        match order {
            Ordering::Less => left_a.extend(at_a.next()),
            Ordering::Greater => left_b.extend(at_b.next()),
            Ordering::Equal => {
                if let (Some(&a), Some(&b)) = (at_a.next(), at_b.next()) {
                    join(a, b);
                }
            }
        }
    }
    // Without a name, different symbols have nothing in common.
    let nameless = left_a.first().and_then(|&&a| tables.a.get(a)).is_some_and(|symbol| symbol.name().is_empty());
    let changed = if nameless { 0 } else { left_a.len().min(left_b.len()) };
    for (&&a, &&b) in left_a.iter().zip(&left_b).take(changed) {
        join(a, b);
        report_changed(tables, a, b, out);
    }
    for &&a in left_a.iter().skip(changed) {
        out.say(Key::SymbolRemoved, tables.label_a(a), "removed");
    }
    for &&b in left_b.iter().skip(changed) {
        out.say(Key::SymbolAdded, tables.label_b(b), "added");
    }
}

fn report_changed(tables: &Tables, a: u32, b: u32, out: &mut Out) {
    let (Some(x), Some(y)) = (tables.a.get(a), tables.b.get(b)) else { return };
    let (key_x, key_y) = (tables.key_a(&x), tables.key_b(&y));
    let mut text = Vec::new();
    if key_x.place != key_y.place {
        let (elf_a, elf_b) = (&tables.files.a, &tables.files.b);
        text.push(format!("st_shndx {} -> {}", Where(elf_a, x.place), Where(elf_b, y.place)));
    }
    if key_x.value != key_y.value {
        text.push(format!("st_value {}", Change(x.value, y.value)));
    }
    let fields = [
        ("st_size", x.size, y.size),
        ("binding", u64::from(x.info >> 4), u64::from(y.info >> 4)),
        ("type", u64::from(x.info & 0xf), u64::from(y.info & 0xf)),
        ("st_other", u64::from(x.other), u64::from(y.other)),
    ];
    text.extend(fields.iter().filter(|(_, x, y)| x != y).map(|(name, x, y)| format!("{name} {}", Change(x, y))));
    out.say(Key::Symbol, tables.label_a(a), text.join(", "));
}

/// The section of a symbol in words.
struct Where<'f, 'a>(&'f Elf<'a>, Place);

impl fmt::Display for Where<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.1 {
            Place::Undefined => f.write_str("SHN_UNDEF"),
            Place::Reserved(0xfff1) => f.write_str("SHN_ABS"),
            Place::Reserved(0xfff2) => f.write_str("SHN_COMMON"),
            Place::Reserved(0xff20) => f.write_str("SHN_LIVEPATCH"),
            Place::Reserved(0xffff) => f.write_str("SHN_XINDEX without an index"),
            Place::Reserved(index) => write!(f, "{index:#x}"),
            Place::Section(index) => write!(f, "{}", self.0.label(index)),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::Aliases;
    use crate::diff::{Options, diff};
    use elfgraft_testkit::consts::*;
    use elfgraft_testkit::elf::{ElfSpec, Section};
    use elfgraft_testkit::format::Format;
    use elfgraft_testkit::symbols::{Reloc, Symbol};

    fn file(section: &str, symbol: &str) -> Vec<u8> {
        ElfSpec::new(Format::X86_64, ET_REL)
            .section(Section::progbits(section, SHF_ALLOC, [0; 16]))
            .relocs(section, vec![Reloc::new(0, symbol, 1, 4)])
            .symbols(vec![Symbol::section(section), Symbol::global(symbol, section).at(0, 4)])
            .build()
    }

    /// Whoever renames knows what becomes what; all that refers to it must follow.
    #[test]
    fn names_known_to_become_others_are_no_difference() {
        let (old, new) = (file(".text", "old"), file(".renamed", "new"));
        let pair = |(a, b): (&str, &str)| (a.as_bytes().to_vec(), b.as_bytes().to_vec());
        let aliases = Aliases {
            sections: [(".text", ".renamed"), (".rela.text", ".rela.renamed")].map(pair).into(),
            symbols: [("old", "new")].map(pair).into(),
        };
        let lines = |aliases| {
            let report = diff(&old, &new, &Options { aliases, ..Options::default() }).unwrap();
            report.findings.iter().map(|f| f.key.name()).collect::<Vec<_>>()
        };
        // String tables hold the names, whatever they mean.
        assert!(
            lines(aliases.clone()).iter().all(|key| matches!(*key, "string-table" | "moved")),
            "{:?}",
            lines(aliases.clone())
        );
        assert!(lines(Aliases { symbols: [].into(), ..aliases.clone() }).contains(&"reloc"));
        assert!(lines(Aliases { sections: [].into(), ..aliases }).contains(&"section-removed"));
    }
}
