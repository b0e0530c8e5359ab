//! The section as its symbols describe it: sets, their members, and the words of lists.

use super::{Finding, IdName, Problem, Sym, parse_id_name};
use crate::{Endian, Error, Kind};
use std::collections::HashSet;
use std::sync::Arc;

/// What a set's entries are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetKind {
    /// `BTF_SET`: IDs.
    Set,
    /// `BTF_SET8`: pairs of an ID and flags.
    Set8,
}

impl SetKind {
    /// Bytes of the header, and of each entry.
    pub(super) fn stride(self) -> usize {
        match self {
            SetKind::Set => 4,
            SetKind::Set8 => 8,
        }
    }
}

/// The symbols of one name that point to one word.
#[derive(Clone, Debug)]
pub(super) struct Member<'a> {
    pub kind: Kind,
    pub name: &'a [u8],
    pub unique: &'a [u8],
    /// Offset of the word in the section.
    pub offset: usize,
    /// By ascending index; never empty.
    pub symbols: Vec<Sym<'a>>,
}

impl<'a> Member<'a> {
    /// What orders entries of equal IDs: does not depend on where they are.
    pub fn key(&self) -> Option<u32> {
        self.symbols.first().map(|sym| sym.index)
    }

    pub fn wanted(&self) -> (Kind, &'a [u8]) {
        (self.kind, self.name)
    }
}

#[derive(Clone, Debug)]
pub(super) struct Set<'a> {
    pub kind: SetKind,
    pub name: &'a [u8],
    /// Full name of its symbol.
    pub symbol: &'a [u8],
    pub offset: usize,
    pub count: usize,
    /// Members by ascending offset.
    pub members: Vec<Member<'a>>,
}

impl Set<'_> {
    /// Offset of the entry in the section; in range for entries below the count.
    pub fn entry(&self, slot: usize) -> usize {
        self.offset + self.kind.stride() * (slot + 1)
    }

    /// The entry a member's word belongs to.
    pub fn slot(&self, member: &Member) -> usize {
        (member.offset - self.offset) / self.kind.stride() - 1
    }

    pub fn end(&self) -> usize {
        self.entry(self.count)
    }

    pub fn label(&self) -> Arc<str> {
        short(self.name)
    }
}

/// A `.BTF_ids` section with the symbols that point into it.
#[derive(Clone, Debug)]
pub struct Ids<'a> {
    pub(super) data: &'a [u8],
    pub(super) endian: Endian,
    /// By ascending offset; they do not overlap.
    pub(super) sets: Vec<Set<'a>>,
    /// Members outside sets, by ascending offset.
    pub(super) lists: Vec<Member<'a>>,
    pub(super) broken: Vec<Finding>,
}

/// Bytes of a name in a message.
pub(super) const LONGEST: usize = 256;

/// A name for messages, cut where nobody reads on: there may be as many messages as words, all of one name as long as the
/// file.
pub(super) fn short(name: &[u8]) -> Arc<str> {
    let begin = String::from_utf8_lossy(name.get(..LONGEST).unwrap_or(name));
    if name.len() <= LONGEST && begin.len() <= LONGEST {
        return begin.into();
    }
    // What is no UTF-8 got longer.
    let end = (0..=LONGEST).rev().find(|&end| begin.is_char_boundary(end)).unwrap_or_default();
    format!("{}...", begin.get(..end).unwrap_or_default()).into()
}

impl<'a> Ids<'a> {
    /// Reads a section's bytes, in the byte order of its file, by the symbols that point into it. Symbols of other names
    /// than `__BTF_ID__...` are passed over; the order of `syms` does not matter, their indices do. Never fails: what
    /// the symbols say wrong is found by [`Ids::check`], and [`Ids::resolve`] and [`Ids::sort`] refuse it.
    #[must_use]
    pub fn new(data: &'a [u8], endian: Endian, syms: &[Sym<'a>]) -> Ids<'a> {
        let mut ids = Ids { data, endian, sets: Vec::new(), lists: Vec::new(), broken: Vec::new() };
        let mut members = Vec::new();
        for sym in syms {
            match parse_id_name(sym.name) {
                None => {}
                Some(Err(problem)) => ids.report(problem, sym),
                Some(Ok(IdName::Member { kind, name, unique })) => {
                    if let Some(offset) = ids.word(sym) {
                        members.push(Member { kind, name, unique, offset, symbols: vec![*sym] });
                    }
                }
                Some(Ok(IdName::Set(name))) => ids.add_set(SetKind::Set, name, sym),
                Some(Ok(IdName::Set8(name))) => ids.add_set(SetKind::Set8, name, sym),
            }
        }
        ids.order_sets();
        ids.add_members(members);
        ids
    }

    /// The first contradiction between section and symbols as an error: no step that writes is safe then.
    pub(super) fn sound(&self) -> Result<(), Error> {
        self.broken.first().map_or(Ok(()), |finding| Err(Error::BadIds(finding.clone())))
    }

    fn report(&mut self, problem: Problem, sym: &Sym) {
        self.broken.push(Finding { problem, set: None, symbol: Some(short(sym.name)), offset: sym.offset });
    }

    /// The offset of the word a symbol points to, if it points to one.
    fn word(&mut self, sym: &Sym) -> Option<usize> {
        let offset = usize::try_from(sym.offset).ok().filter(|&offset| self.endian.u32_at(self.data, offset).is_some());
        match offset {
            Some(offset) if offset % 4 == 0 => return Some(offset),
            Some(_) => self.report(Problem::BetweenWords, sym),
            None => self.report(Problem::BeyondSection { len: self.data.len() as u64 }, sym),
        }
        None
    }

    fn add_set(&mut self, kind: SetKind, name: &'a [u8], sym: &Sym<'a>) {
        let Some(offset) = self.word(sym) else { return };
        let stride = kind.stride() as u64;
        if sym.size < stride || !sym.size.is_multiple_of(stride) {
            return self.report(Problem::BadSetSize { size: sym.size }, sym);
        }
        let len = self.data.len() as u64;
        let end = sym.offset.saturating_add(sym.size);
        match usize::try_from(sym.size / stride - 1) {
            Ok(count) if end <= len => {
                self.sets.push(Set { kind, name, symbol: sym.name, offset, count, members: Vec::new() });
            }
            _ => self.report(Problem::CountBeyondSection { end, len }, sym),
        }
    }

    fn order_sets(&mut self) {
        let mut names = HashSet::new();
        let mut broken = Vec::new();
        // The sort is stable: sets at one offset stay in the order of their symbols.
        self.sets.sort_by_key(|set| set.offset);
        let mut before: Option<(Arc<str>, usize)> = None;
        self.sets.retain(|set| {
            let mut report = |problem| {
                let symbol = Some(short(set.symbol));
                broken.push(Finding { problem, set: None, symbol, offset: set.offset as u64 });
                false
            };
            if !names.insert(set.name) {
                return report(Problem::DuplicateSet);
            }
            match before.take().filter(|&(_, end)| set.offset < end) {
                Some((name, end)) => {
                    before = Some((Arc::clone(&name), end));
                    report(Problem::OverlappingSets { before: name, end: end as u64 })
                }
                None => {
                    before = Some((set.label(), set.end()));
                    true
                }
            }
        });
        self.broken.append(&mut broken);
    }

    fn add_members(&mut self, mut members: Vec<Member<'a>>) {
        members.sort_by_key(|member| (member.offset, member.key()));
        // The name of the symbol that others conflict with, and where it points to.
        let mut other: Option<(usize, Arc<str>)> = None;
        for member in members {
            let after = self.sets.partition_point(|set| set.offset <= member.offset);
            let set = self.sets.get_mut(..after).and_then(<[_]>::last_mut).filter(|set| member.offset < set.end());
            let stride = set.as_ref().map_or(4, |set| set.kind.stride());
            let at = member.offset - set.as_ref().map_or(0, |set| set.offset);
            let problem = if set.is_some() && (at < stride || !at.is_multiple_of(stride)) {
                Problem::NotAnEntry
            } else {
                let list = set.map_or(&mut self.lists, |set| &mut set.members);
                match list.last_mut().filter(|last| last.offset == member.offset) {
                    None => {
                        list.push(member);
                        continue;
                    }
                    Some(last) if last.wanted() == member.wanted() => {
                        last.symbols.extend(member.symbols);
                        continue;
                    }
                    Some(last) => {
                        let name = || short(last.symbols.first().map(|sym| sym.name).unwrap_or_default());
                        let known = other.take().filter(|(offset, _)| *offset == last.offset);
                        let (_, name) = other.insert(known.unwrap_or_else(|| (last.offset, name())));
                        Problem::ConflictingSymbols { other: Arc::clone(name) }
                    }
                }
            };
            for sym in &member.symbols {
                self.report(problem.clone(), sym);
            }
        }
    }

    /// ID and flags of an entry; a set has no flags, which reads as 0.
    pub(super) fn pair(&self, set: &Set, slot: usize) -> (u32, u32) {
        let at = set.entry(slot);
        let flags = if set.kind == SetKind::Set8 { self.word_at(at + 4) } else { 0 };
        (self.word_at(at), flags)
    }

    /// The word at an offset that is known to lie in the section.
    pub(super) fn word_at(&self, offset: usize) -> u32 {
        self.endian.u32_at(self.data, offset).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sym(index: u32, name: &'static str, offset: u64, size: u64) -> Sym<'static> {
        Sym { index, name: name.as_bytes(), offset, size }
    }

    fn broken(len: usize, syms: &[Sym<'static>]) -> Vec<(&'static str, u64)> {
        let data = vec![0; len];
        let ids = Ids::new(&data, Endian::Little, syms);
        assert_eq!(ids.sound().is_err(), !ids.broken.is_empty());
        ids.broken.iter().map(|f| (f.problem.key(), f.offset)).collect()
    }

    #[test]
    fn sets_take_the_members_inside_them() {
        let data = [0; 64];
        let syms = [
            sym(9, "__BTF_ID__func__b__2", 24, 4),
            sym(7, "__BTF_ID__set8__pairs", 8, 24),
            sym(8, "__BTF_ID__func__a__1", 16, 4),
            sym(6, "__BTF_ID__func__a__0", 16, 4),
            sym(5, "__BTF_ID__struct__s__3", 4, 4),
            sym(4, "__BTF_ID__set__empty", 32, 4),
            sym(3, "__BTF_ID__func__c__4", 36, 4),
            sym(2, "pairs", 16, 0),
        ];
        let ids = Ids::new(&data, Endian::Big, &syms);
        assert!(ids.broken.is_empty(), "{:?}", ids.broken);
        let sets: Vec<_> = ids.sets.iter().map(|s| (s.kind, s.offset, s.count, s.members.len())).collect();
        assert_eq!(sets, [(SetKind::Set8, 8, 2, 2), (SetKind::Set, 32, 0, 0)]);
        let [a, b] = &ids.sets[0].members[..] else { panic!() };
        assert_eq!((a.key(), ids.sets[0].slot(a), a.symbols.len()), (Some(6), 0, 2));
        assert_eq!((b.key(), ids.sets[0].slot(b), b.symbols.len()), (Some(9), 1, 1));
        assert_eq!(ids.lists.iter().map(|m| m.offset).collect::<Vec<_>>(), [4, 36]);
    }

    #[test]
    fn names_in_messages_are_short_whatever_their_bytes() {
        assert_eq!(*short(b"name"), *"name");
        assert_eq!(*short(&[b'a'; 256]), *"a".repeat(256));
        assert_eq!(*short(&[b'a'; 257]), *("a".repeat(256) + "..."));
        // U+FFFD is three bytes.
        assert_eq!(*short(&[0xff; 85]), *"\u{fffd}".repeat(85));
        for len in [86, 256, 5000] {
            assert_eq!(*short(&vec![0xff; len]), *("\u{fffd}".repeat(85) + "..."));
        }
    }

    #[test]
    fn contradictions_are_found_at_their_place() {
        assert_eq!(broken(8, &[sym(1, "__BTF_ID__func__a__1", 2, 4)]), [("between-words", 2)]);
        assert_eq!(broken(8, &[sym(1, "__BTF_ID__func__a__1", 8, 4)]), [("beyond-section", 8)]);
        assert_eq!(broken(7, &[sym(1, "__BTF_ID__func__a__1", 4, 4)]), [("beyond-section", 4)]);
        assert_eq!(broken(8, &[sym(1, "__BTF_ID__func__a__1", u64::MAX, 4)]), [("beyond-section", u64::MAX)]);
        for size in [0, 4, 12, u64::MAX] {
            assert_eq!(broken(64, &[sym(1, "__BTF_ID__set8__s", 0, size)]), [("bad-set-size", 0)]);
        }
        assert_eq!(broken(64, &[sym(1, "__BTF_ID__set8__s", 8, 64)]), [("count-beyond-section", 8)]);
        assert_eq!(broken(64, &[sym(1, "__BTF_ID__set__s", 8, u64::MAX - 3)]), [("count-beyond-section", 8)]);
        let two = [sym(1, "__BTF_ID__set__s", 0, 8), sym(2, "__BTF_ID__set8__s", 8, 8)];
        assert_eq!(broken(64, &two), [("duplicate-set", 8)]);
        let overlap =
            [sym(1, "__BTF_ID__set__a", 0, 8), sym(2, "__BTF_ID__set__b", 4, 8), sym(3, "__BTF_ID__set__c", 4, 4)];
        assert_eq!(broken(64, &overlap), [("overlapping-sets", 4), ("overlapping-sets", 4)]);
        let flags = [sym(1, "__BTF_ID__set8__a", 0, 16), sym(2, "__BTF_ID__func__f__1", 12, 4)];
        assert_eq!(broken(64, &flags), [("not-an-entry", 12)]);
        let count = [sym(1, "__BTF_ID__set__a", 4, 8), sym(2, "__BTF_ID__func__f__1", 4, 4)];
        assert_eq!(broken(64, &count), [("not-an-entry", 4)]);
        let conflict = [sym(1, "__BTF_ID__func__f__1", 4, 4), sym(2, "__BTF_ID__func__g__2", 4, 4)];
        assert_eq!(broken(64, &conflict), [("conflicting-symbols", 4)]);
        assert_eq!(broken(64, &[sym(1, "__BTF_ID__enum__e__1", 4, 4)]), [("unsupported-prefix", 4)]);
    }
}
