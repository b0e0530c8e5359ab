//! The section as a table.

use super::SetKind;
use super::model::{Ids, Set};
use crate::{Btf, Kind};
use std::collections::HashMap;

/// A word of `.BTF_ids` that a symbol names or that is an entry of a set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row<'a> {
    /// Byte offset in the section.
    pub offset: u64,
    /// Kind and name of the set it is an entry of.
    pub set: Option<(SetKind, &'a [u8])>,
    /// Kind and name of the type the symbols here ask for.
    pub wanted: Option<(Kind, &'a [u8])>,
    /// Symbol table indices of these symbols, ascending.
    pub symbols: Vec<u32>,
    /// The ID in the file.
    pub id: u32,
    /// Kind and name of the type that ID is, in the BTF that was given.
    pub actual: Option<(Kind, &'a [u8])>,
    /// The pair's flags, in a set8.
    pub flags: Option<u32>,
}

impl Row<'_> {
    /// Whether the word names another type than the symbols ask for; `None` without BTF, without a symbol, or where
    /// the ID is 0.
    #[must_use]
    pub fn is_stale(&self) -> Option<bool> {
        Some(self.actual? != self.wanted?)
    }

    /// Whether both are entries of one set, or of none: told without a look at the name, which may be long.
    #[must_use]
    pub fn is_beside(&self, other: &Row) -> bool {
        match (self.set, other.set) {
            (Some((_, name)), Some((_, other))) => std::ptr::eq(name, other),
            (set, other) => set.is_none() && other.is_none(),
        }
    }
}

impl<'a> Ids<'a> {
    /// Every entry of every set, and every other word that a symbol names, by ascending offset; with the names the IDs
    /// really have if `btf` is given.
    #[must_use]
    pub fn rows(&self, btf: Option<&'a Btf<'a>>) -> Vec<Row<'a>> {
        // Many words may hold one ID, whose name is long.
        let mut known = HashMap::new();
        let mut row = |set: Option<&Set<'a>>, offset: usize| {
            let id = self.word_at(offset);
            let found = btf.and_then(|btf| Some((btf, btf.get(id)?)));
            let actual = found
                .and_then(|(btf, ty)| *known.entry(id).or_insert_with(|| btf.name(&ty).map(|name| (ty.kind, name))));
            let set8 = set.is_some_and(|set| set.kind == SetKind::Set8);
            Row {
                offset: offset as u64,
                set: set.map(|set| (set.kind, set.name)),
                wanted: None,
                symbols: Vec::new(),
                id,
                actual,
                flags: set8.then(|| self.word_at(offset + 4)),
            }
        };
        let entries = self.sets.iter().flat_map(|set| (0..set.count).map(move |slot| (Some(set), set.entry(slot))));
        let words = entries.chain(self.lists.iter().map(|member| (None, member.offset)));
        let mut rows = Vec::with_capacity(self.sets.iter().map(|set| set.count).sum::<usize>() + self.lists.len());
        rows.extend(words.map(|(set, offset)| row(set, offset)));
        rows.sort_unstable_by_key(|row| row.offset);
        for member in self.sets.iter().flat_map(|set| &set.members).chain(&self.lists) {
            let at = rows.binary_search_by_key(&(member.offset as u64), |row| row.offset);
            if let Some(row) = at.ok().and_then(|at| rows.get_mut(at)) {
                row.wanted = Some(member.wanted());
                row.symbols = member.symbols.iter().map(|sym| sym.index).collect();
            }
        }
        rows
    }
}
