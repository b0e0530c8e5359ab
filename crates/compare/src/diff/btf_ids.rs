//! `.BTF_ids` by what its words mean: which types and kfuncs are in each set, with which flags.
//!
//! Whose entry it is, is told by its ID, which is what a kernel looks at; by the symbol at it where the ID is 0 or cannot
//! be looked up. That the ID of a type is another number in another BTF is no difference.

use super::report::Out;
use super::{Change, Files, Key, Place};
use crate::btf::{id_symbols, with_btf};
use crate::reader::Name;
use elfgraft_btf::ids::{IdName, Ids, Row, SetKind, Sym, parse_id_name};
use elfgraft_btf::{Btf, Endian, Kind};
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::fmt;
use std::hash::Hash;

/// The kernel's, with the NUL.
const KSYM_NAME_LEN: usize = 512;

/// Compares a pair of sections; whether it found what differs, if anything does.
pub(super) fn compare(files: &Files, (a, in_a): (u32, &[u8]), (b, in_b): (u32, &[u8]), out: &mut Out) -> bool {
    let (syms_a, syms_b) = (id_symbols(&files.a, a), id_symbols(&files.b, b));
    // A kernel accepts no names as long as that: all words may have one, and each is looked at as a whole.
    let are_long = |syms: &[Sym]| syms.iter().any(|sym| sym.name.len() > 2 * KSYM_NAME_LEN);
    if syms_a.is_empty() || syms_b.is_empty() || are_long(&syms_a) || are_long(&syms_b) {
        return false;
    }
    let base = out.options.btf_base;
    let place = Place(&files.a, a);
    with_btf(&files.a, base, |btf_a| {
        with_btf(&files.b, base, |btf_b| {
            // If only one has names for its IDs, symbols say more about what differs.
            let both = btf_a.get().zip(btf_b.get());
            let x = Words::new(in_a, files.a.endian(), &syms_a, both.map(|both| both.0));
            let y = Words::new(in_b, files.b.endian(), &syms_b, both.map(|both| both.1));
            if x.has_long_names() || y.has_long_names() {
                return false;
            }
            compare_words(&place, &x, &y, both.is_some(), out)
        })
    })
}

/// Whose entry it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Owner<'a> {
    Type(Kind, &'a [u8]),
    Id(u32),
}

impl fmt::Display for Owner<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Owner::Type(kind, name) => write!(f, "{} {}", kind.to_string().to_lowercase(), Name(name)),
            Owner::Id(id) => write!(f, "ID {id}"),
        }
    }
}

/// An entry of a set, or a word of a list.
#[derive(Clone, Copy, Debug)]
struct Word<'a> {
    owner: Owner<'a>,
    /// What the symbol at it asks for.
    wanted: Option<(Kind, &'a [u8])>,
    id: u32,
    /// Of a pair.
    flags: Option<u32>,
}

impl fmt::Display for Word<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.owner, self.flags) {
            (Owner::Type(Kind::Func, name), Some(_)) => write!(f, "kfunc {}", Name(name)),
            (owner, _) => write!(f, "{owner}"),
        }
    }
}

impl<'a> Word<'a> {
    fn new(row: &Row<'a>) -> Word<'a> {
        let by_symbol = row.wanted.map(|(kind, name)| Owner::Type(kind, name));
        let by_id = row.actual.filter(|_| row.id != 0).map(|(kind, name)| Owner::Type(kind, name));
        let owner = by_id.or(by_symbol).unwrap_or(Owner::Id(row.id));
        Word { owner, wanted: row.wanted, id: row.id, flags: row.flags }
    }
}

#[derive(Debug)]
struct Set<'a> {
    kind: SetKind,
    count: u32,
    flags: u32,
    words: Vec<Word<'a>>,
}

/// All that a section says.
#[derive(Debug, Default)]
struct Words<'a> {
    sets: BTreeMap<&'a [u8], Set<'a>>,
    /// Words of lists, in the order of the section.
    lists: Vec<Word<'a>>,
    /// Words that no symbol names.
    unused: Vec<u32>,
}

impl<'a> Words<'a> {
    fn new(data: &'a [u8], endian: Endian, syms: &[Sym<'a>], btf: Option<&'a Btf<'a>>) -> Words<'a> {
        let mut words = Words::default();
        let at = |offset: u64| endian.u32_at(data, usize::try_from(offset).ok()?);
        let word = |offset| at(offset).unwrap_or_default();
        let mut named = HashSet::new();
        for sym in syms {
            let (kind, name) = match parse_id_name(sym.name) {
                Some(Ok(IdName::Set(name))) => (SetKind::Set, name),
                Some(Ok(IdName::Set8(name))) => (SetKind::Set8, name),
                _ => continue,
            };
            named.insert(sym.offset);
            let mut flags = 0;
            if kind == SetKind::Set8 {
                let behind = sym.offset.wrapping_add(4);
                flags = word(behind);
                named.insert(behind);
            }
            words.sets.insert(name, Set { kind, count: word(sym.offset), flags, words: Vec::new() });
        }
        for row in Ids::new(data, endian, syms).rows(btf) {
            named.insert(row.offset);
            if row.flags.is_some() {
                named.insert(row.offset + 4);
            }
            let set = row.set.and_then(|(_, name)| words.sets.get_mut(name));
            set.map_or(&mut words.lists, |set| &mut set.words).push(Word::new(&row));
        }
        let offsets = (0..data.len() as u64).step_by(4);
        words.unused = offsets.filter(|offset| !named.contains(offset)).map(word).collect();
        words
    }
}

impl Words<'_> {
    /// Whether a type has such a name.
    fn has_long_names(&self) -> bool {
        let is_long = |name: &[u8]| name.len() >= KSYM_NAME_LEN;
        let mut words = self.sets.values().flat_map(|set| &set.words).chain(&self.lists);
        words.any(|word| {
            let wanted = word.wanted.is_some_and(|(_, name)| is_long(name));
            wanted || matches!(word.owner, Owner::Type(_, name) if is_long(name))
        })
    }
}

fn compare_words(place: &dyn fmt::Display, a: &Words, b: &Words, by_name: bool, out: &mut Out) -> bool {
    let said = out.said();
    for (name, x) in &a.sets {
        let place = format!("{place}, {} {}", describe(x.kind), Name(name));
        match b.sets.get(name) {
            Some(y) => compare_sets(&place, x, y, by_name, out),
            None => out.say(Key::BtfSet, place, format_args!("removed, with {} entries", x.words.len())),
        }
    }
    for (name, y) in b.sets.iter().filter(|(name, _)| !a.sets.contains_key(*name)) {
        let place = format!("{place}, {} {}", describe(y.kind), Name(name));
        out.say(Key::BtfSet, place, format_args!("added, with {} entries", y.words.len()));
    }
    compare_lists(place, &a.lists, &b.lists, by_name, out);
    if a.unused != b.unused {
        let (x, y) = (a.unused.len(), b.unused.len());
        match a.unused.iter().zip(&b.unused).find(|(x, y)| x != y) {
            Some((&x, &y)) => {
                out.say(Key::Contents, place, format_args!("word that no symbol names: {}", Change(x, y)))
            }
            None => out.say(Key::Contents, place, format_args!("words that no symbol names: {x} -> {y}")),
        }
    }
    said != out.said()
}

fn compare_sets(place: &dyn fmt::Display, a: &Set, b: &Set, by_name: bool, out: &mut Out) {
    if a.kind != b.kind {
        out.say(Key::BtfSet, place, format_args!("{} -> {}", describe(a.kind), describe(b.kind)));
    }
    if a.count != b.count {
        out.say(Key::BtfSet, place, format_args!("count {} -> {}", a.count, b.count));
    }
    if a.flags != b.flags {
        out.say(Key::BtfSet, place, format_args!("flags of the set {}", Change(a.flags, b.flags)));
    }
    let (pairs, left_a, left_b) = pair(&a.words, &b.words, |word| word.owner);
    for (x, y) in &pairs {
        compare_ids(place, x, y, by_name, out);
        if let (Some(of_a), Some(of_b)) = (x.flags, y.flags)
            && of_a != of_b
        {
            out.say(Key::BtfIdFlags, place, format_args!("{x}: flags {}", Change(of_a, of_b)));
        }
    }
    let replaced = left_a.len().min(left_b.len());
    for (x, y) in left_a.iter().zip(&left_b) {
        out.say(Key::BtfId, place, format_args!("{x} -> {y}"));
    }
    for x in left_a.iter().skip(replaced) {
        out.say(Key::BtfId, place, format_args!("{x} removed"));
    }
    for y in left_b.iter().skip(replaced) {
        out.say(Key::BtfId, place, format_args!("{y} added"));
    }
    // Sets are sorted by ID: other IDs make another order.
    let ids = |words: &[Word]| words.iter().map(|word| word.id).collect::<Vec<_>>();
    let (mut ids_a, mut ids_b) = (ids(&a.words), ids(&b.words));
    if left_a.is_empty() && left_b.is_empty() && ids_a != ids_b {
        ids_a.sort_unstable();
        ids_b.sort_unstable();
        if ids_a == ids_b {
            out.say(Key::BtfSet, place, "the same entries in another order");
        }
    }
}

fn compare_lists(place: &dyn fmt::Display, a: &[Word], b: &[Word], by_name: bool, out: &mut Out) {
    let (pairs, left_a, left_b) = pair(a, b, |word| word.wanted);
    for (x, y) in &pairs {
        if x.owner == y.owner {
            compare_ids(place, x, y, by_name, out);
        } else if let Some((kind, name)) = x.wanted {
            let asked = Owner::Type(kind, name);
            out.say(Key::BtfId, place, format_args!("word of {asked}: {x} -> {y}"));
        }
    }
    for x in left_a {
        out.say(Key::BtfId, place, format_args!("word of {x} removed"));
    }
    for y in left_b {
        out.say(Key::BtfId, place, format_args!("word of {y} added"));
    }
}

/// The IDs of one type in both files: of interest where one is missing, or nothing else tells what they are.
fn compare_ids(place: &dyn fmt::Display, a: &Word, b: &Word, by_name: bool, out: &mut Out) {
    let resolved = |id| if id == 0 { "not resolved".to_string() } else { format!("ID {id}") };
    if a.id != b.id && (!by_name || a.id == 0 || b.id == 0) {
        out.say(Key::BtfId, place, format_args!("{a}: {} -> {}", resolved(a.id), resolved(b.id)));
    }
}

type Paired<'w, 'a> = (Vec<(&'w Word<'a>, &'w Word<'a>)>, Vec<&'w Word<'a>>, Vec<&'w Word<'a>>);

/// Pairs words that have the same key, in their order; those left over on either side.
fn pair<'w, 'a, K: Hash + Eq>(a: &'w [Word<'a>], b: &'w [Word<'a>], key: impl Fn(&Word<'a>) -> K) -> Paired<'w, 'a> {
    let mut waiting: HashMap<K, VecDeque<usize>> = HashMap::new();
    for (index, word) in b.iter().enumerate() {
        waiting.entry(key(word)).or_default().push_back(index);
    }
    let (mut pairs, mut left_a) = (Vec::new(), Vec::new());
    let mut taken = HashSet::new();
    for x in a {
        let found = waiting.get_mut(&key(x)).and_then(VecDeque::pop_front);
        match found.and_then(|index| Some((index, b.get(index)?))) {
            Some((index, y)) => {
                taken.insert(index);
                pairs.push((x, y));
            }
            None => left_a.push(x),
        }
    }
    let left_b = b.iter().enumerate().filter(|(index, _)| !taken.contains(index)).map(|(_, word)| word);
    (pairs, left_a, left_b.collect())
}

fn describe(kind: SetKind) -> &'static str {
    match kind {
        SetKind::Set => "set",
        SetKind::Set8 => "set8",
    }
}
