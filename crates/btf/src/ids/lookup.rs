//! The ID of each name that a section asks for, found and warned of as the kernel's `resolve_btfids` does.

use super::model::{Ids, short};
use crate::{Btf, Kind};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::sync::Arc;

/// What the kernel's build warns of; the text is that of its `resolve_btfids`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Warning {
    /// Several types have a wanted kind and name; the first is used.
    MultipleIds {
        /// The kind.
        kind: Kind,
        /// The name.
        name: Arc<str>,
        /// The ID that is used.
        used: u32,
        /// The ID of another one.
        other: u32,
    },
    /// No type has a wanted kind and name; the IDs are 0.
    Unresolved {
        /// The kind.
        kind: Kind,
        /// The name.
        name: Arc<str>,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Warning::MultipleIds { name, used, other, .. } => {
                write!(f, "WARN: multiple IDs found for '{name}': {used}, {other} - using {used}")
            }
            Warning::Unresolved { name, .. } => write!(f, "WARN: resolve_btfids: unresolved symbol {name}"),
        }
    }
}

impl<'a> Ids<'a> {
    /// Kind and name of each type that the IDs are to refer to, each once.
    #[must_use]
    pub fn wanted(&self) -> Vec<(Kind, &'a [u8])> {
        let members = self.sets.iter().flat_map(|set| &set.members).chain(&self.lists);
        // The kernel's tool has a tree per kind, walks it from the greatest name down, and the kinds in this order.
        let wanted: BTreeSet<_> = members.map(|member| (member.kind, Reverse(member.name))).collect();
        wanted.into_iter().map(|(kind, Reverse(name))| (kind, name)).collect()
    }

    /// The first ID of each kind and name that a member wants and `btf` has.
    pub(super) fn look_up(&self, btf: &Btf, warnings: &mut Vec<Warning>) -> HashMap<(Kind, &'a [u8]), u32> {
        let members = || self.sets.iter().flat_map(|set| &set.members).chain(&self.lists);
        let wanted = self.wanted();
        let found = btf.find_all(&wanted);

        // It stops to look for a kind when it has found as many names as the kind has symbols: the last of them is where
        // it does not see duplicates any more.
        let mut missing: BTreeMap<Kind, (usize, u32)> = BTreeMap::new();
        for member in members() {
            missing.entry(member.kind).or_default().0 += member.symbols.len();
        }
        for (&(kind, _), ids) in wanted.iter().zip(&found) {
            if let (Some((missing, last)), Some(&first)) = (missing.get_mut(&kind), ids.first()) {
                (*missing, *last) = (missing.saturating_sub(1), first.max(*last));
            }
        }
        let sees = |kind, id| missing.get(&kind).is_some_and(|&(missing, last)| missing > 0 || id < last);
        let mut multiple = BTreeMap::new();
        for (&(kind, name), ids) in wanted.iter().zip(&found) {
            if let [used, others @ ..] = &ids[..] {
                let mut seen = others.iter().copied().filter(|&other| sees(kind, other)).peekable();
                let name = seen.peek().map_or(Arc::default(), |_| short(name));
                multiple.extend(seen.map(|other| (other, (kind, Arc::clone(&name), *used))));
            }
        }
        let warning = |(other, (kind, name, used))| Warning::MultipleIds { kind, name, used, other };
        warnings.extend(multiple.into_iter().map(warning));
        let unresolved = wanted.iter().zip(&found).filter(|(_, ids)| ids.is_empty());
        warnings.extend(unresolved.map(|(&(kind, name), _)| Warning::Unresolved { kind, name: short(name) }));
        wanted.into_iter().zip(found).filter_map(|(name, ids)| Some((name, *ids.first()?))).collect()
    }
}
