//! What `.BTF_ids` and BTF say, read naively.

use std::collections::{BTreeMap, BTreeSet};

use elfgraft_testkit::consts::*;
use elfgraft_testkit::format::Format;
use elfgraft_testkit::read::ReadElf;

/// An entry of a set, or a word of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// Offset in the section.
    pub at: usize,
    /// Kind and name that the symbols at this place ask for.
    pub wanted: Vec<(String, String)>,
    /// Their indices.
    pub symbols: Vec<usize>,
    pub id: u32,
    /// In a set8.
    pub flags: Option<u32>,
}

#[derive(Clone, Debug)]
pub struct Set {
    pub at: usize,
    pub kind: String,
    pub name: String,
    pub count: u32,
    /// In a set8.
    pub flags: Option<u32>,
    pub entries: Vec<Word>,
}

/// The section, by where its symbols are now.
#[derive(Clone, Debug)]
pub struct Ids {
    pub sets: Vec<Set>,
    pub lists: Vec<Word>,
    /// Words that nothing names: offset and value.
    pub unused: Vec<(usize, u32)>,
}

/// Reads the `.BTF_ids` of a file; panics when its symbols contradict it.
pub fn ids(elf: &ReadElf) -> Ids {
    let index = elf.index_of(".BTF_ids").expect(".BTF_ids");
    let section = &elf.sections[index as usize];
    let base = if elf.header("e_type") == u64::from(ET_REL) { 0 } else { section.addr };
    let word = |at: usize| elf.format.get(&section.data, at, 4) as u32;
    let mut members: BTreeMap<usize, Word> = BTreeMap::new();
    let mut sets = Vec::new();
    for (number, symbol) in elf.symbols().into_iter().enumerate().filter(|(_, s)| s.section == Some(index)) {
        let name = String::from_utf8(symbol.name).unwrap();
        let Some(rest) = name.strip_prefix("__BTF_ID__") else { continue };
        let (kind, name) = rest.split_once("__").unwrap();
        let at = (symbol.value - base) as usize;
        assert_eq!(at % 4, 0, "{rest} points between words");
        if kind == "set" || kind == "set8" {
            let step = if kind == "set" { 4 } else { 8 };
            let places = (at + step..at + symbol.size as usize).step_by(step);
            let flags = |at: usize| (step == 8).then(|| word(at + 4));
            let entry = |at| Word { at, wanted: Vec::new(), symbols: Vec::new(), id: word(at), flags: flags(at) };
            let (kind, name) = (kind.to_string(), name.to_string());
            sets.push(Set { at, kind, name, count: word(at), flags: flags(at), entries: places.map(entry).collect() });
        } else {
            let (name, _) = name.rsplit_once("__").unwrap();
            let member = Word { at, wanted: Vec::new(), symbols: Vec::new(), id: word(at), flags: None };
            let member = members.entry(at).or_insert(member);
            member.wanted.push((kind.to_string(), name.to_string()));
            member.symbols.push(number);
        }
    }
    sets.sort_by_key(|set| set.at);
    let mut named = BTreeSet::new();
    for set in &mut sets {
        named.extend([set.at]);
        named.extend(set.flags.map(|_| set.at + 4));
        for entry in &mut set.entries {
            named.extend([entry.at]);
            named.extend(entry.flags.map(|_| entry.at + 4));
            if let Some(member) = members.remove(&entry.at) {
                (entry.wanted, entry.symbols) = (member.wanted, member.symbols);
            }
        }
    }
    named.extend(members.keys());
    let unused = (0..section.data.len()).step_by(4).filter(|at| !named.contains(at)).map(|at| (at, word(at))).collect();
    Ids { sets, lists: members.into_values().collect(), unused }
}

impl Ids {
    /// Every entry and every word of a list.
    pub fn words(&self) -> impl Iterator<Item = &Word> {
        self.sets.iter().flat_map(|set| &set.entries).chain(&self.lists)
    }

    /// Flags by the index of the symbol they were written behind: an entry may move, this must not change.
    pub fn flags(&self) -> BTreeMap<usize, u32> {
        self.words().flat_map(|w| w.symbols.iter().filter_map(|&symbol| Some((symbol, w.flags?)))).collect()
    }

    /// As `testdata/*.ids` has it.
    pub fn table(&self) -> String {
        let text = |word: &Word| {
            let names: Vec<_> = word.wanted.iter().map(|(kind, name)| format!("{kind} {name}")).collect();
            let flags = word.flags.map_or(String::new(), |f| format!(" flags {f:#x}"));
            format!("{} id {}{flags}", names.join(" "), word.id)
        };
        let mut lines: Vec<(usize, String)> = self.lists.iter().map(|word| (word.at, text(word))).collect();
        for set in &self.sets {
            let flags = set.flags.map_or(String::new(), |f| format!(" flags {f:#x}"));
            lines.push((set.at, format!("{} {} count {}{flags}", set.kind, set.name, set.count)));
            lines.extend(set.entries.iter().map(|entry| (entry.at, format!("  {}", text(entry)))));
        }
        lines.sort();
        lines.iter().map(|(at, text)| format!("{at:#06x} {text}\n")).collect()
    }

    /// Panics unless this is what a resolved section looks like: counts, sets as the kernel's binary search needs them,
    /// and each word with the ID of the type that its symbols ask for.
    #[track_caller]
    pub fn assert_resolved(&self, types: &Types, what: &str) {
        for set in &self.sets {
            assert_eq!(set.count as usize, set.entries.len(), "{what}: count of {}", set.name);
            let ids: Vec<i32> = set.entries.iter().map(|entry| entry.id.cast_signed()).collect();
            assert!(ids.is_sorted(), "{what}: {} is {ids:?}", set.name);
        }
        for word in self.words() {
            for (kind, name) in &word.wanted {
                assert_eq!(word.id, types.id(kind, name), "{what}: {kind} {name} at {:#x}", word.at);
            }
        }
    }
}

/// The types of BTF by ID; those of the base first.
#[derive(Clone, Debug, Default)]
pub struct Types {
    found: Vec<(u32, String)>,
    strings: Vec<u8>,
}

impl Types {
    /// Reads raw BTF on top of `base`.
    pub fn read(data: &[u8], base: Option<&Types>) -> Types {
        let format = if data[0] == 0x9f { Format::X86_64 } else { Format::S390X };
        let get = |at: usize| format.get(data, at, 4) as usize;
        let mut types = base.cloned().unwrap_or_default();
        let start = get(4);
        types.strings.extend(&data[start + get(16)..][..get(20)]);
        let (mut at, end) = (start + get(8), start + get(8) + get(12));
        while at < end {
            let (kind, vlen) = (get(at + 4) >> 24 & 0x7f, get(at + 4) & 0xff_ffff);
            let name: Vec<u8> = types.strings[get(at)..].iter().copied().take_while(|&byte| byte != 0).collect();
            types.found.push((kind as u32, String::from_utf8(name).unwrap()));
            at += 12
                + match kind {
                    1 | 14 | 17 => 4,
                    3 => 12,
                    4 | 5 | 15 | 19 => 12 * vlen,
                    6 | 13 => 8 * vlen,
                    _ => 0,
                };
        }
        assert_eq!(at, end);
        types
    }

    /// The ID of the first type of this kind and name, 0 if there is none.
    pub fn id(&self, kind: &str, name: &str) -> u32 {
        let kind = match kind {
            "struct" => 4,
            "union" => 5,
            "typedef" => 8,
            "func" => 12,
            other => panic!("{other}"),
        };
        self.found.iter().position(|(k, n)| *k == kind && n == name).map_or(0, |at| at as u32 + 1)
    }
}

/// The file as the kernel's tool leaves it: each ID at its symbol, counts, sets sorted, symbols where they were.
pub fn upstream(file: &[u8], types: &Types) -> Vec<u8> {
    let elf = ReadElf::parse(file);
    let start = elf.section(".BTF_ids").offset as usize;
    let mut out = file.to_vec();
    let mut put = |at: usize, value: u32| elf.format.put(&mut out, start + at, 4, u64::from(value));
    let ids = ids(&elf);
    let id = |word: &Word| word.wanted.first().map_or(word.id, |(kind, name)| types.id(kind, name));
    for word in &ids.lists {
        put(word.at, id(word));
    }
    for set in &ids.sets {
        put(set.at, set.entries.len() as u32);
        let mut pairs: Vec<_> = set.entries.iter().map(|entry| (id(entry).cast_signed(), entry.flags)).collect();
        pairs.sort_by_key(|&(id, _)| id);
        for (entry, (id, flags)) in set.entries.iter().zip(pairs) {
            put(entry.at, id.cast_unsigned());
            flags.into_iter().for_each(|flags| put(entry.at + 4, flags));
        }
    }
    out
}

/// Panics unless two files differ only in words of `.BTF_ids` and in `st_value` of its symbols.
#[track_caller]
pub fn only_ids_differ(before: &[u8], after: &[u8], what: &str) {
    let mask = |file: &[u8]| {
        let elf = ReadElf::parse(file);
        let index = elf.index_of(".BTF_ids").unwrap();
        let section = &elf.sections[index as usize];
        let mut masked = file.to_vec();
        masked[section.offset as usize..][..section.data.len()].fill(0);
        let table = elf.sections.iter().find(|s| s.sh_type == SHT_SYMTAB).unwrap();
        let (field, width) = if table.entsize == 24 { (8, 8) } else { (4, 4) };
        for (number, symbol) in elf.symbols().iter().enumerate() {
            if symbol.section == Some(index) && symbol.name.starts_with(b"__BTF_ID__") {
                let at = table.offset as usize + number * table.entsize as usize + field;
                masked[at..at + width].fill(0);
            }
        }
        masked
    };
    crate::util::same(&mask(before), &mask(after), what);
}
