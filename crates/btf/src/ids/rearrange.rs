//! Resolving and sorting: new bytes for the section, and the symbols that move with their entries.

use super::lookup::Warning;
use super::model::{Ids, Member, Set, SetKind};
use super::place::{Old, Place, was_moved};
use super::{Finding, Problem};
use crate::{Btf, Error, Kind};
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// What the caller knows about the file.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options<'a> {
    /// The BTF that the IDs now in the section refer to: the file's own, before it is replaced.
    pub old: Option<&'a Btf<'a>>,
    /// Whether symbols may be taken to be at their entries where nothing proves it, and nothing the contrary.
    pub trust_symbols: bool,
    /// Offsets in the section that relocations point to other than through a symbol of their own: section symbol plus
    /// addend, or a symbol and an addend that is not 0. Entries there cannot move, but for the first of a set, whose address
    /// is that of the array.
    pub pinned: &'a [u64],
}

impl Options<'_> {
    fn sorted_pinned(&self) -> Vec<u64> {
        let mut pinned = self.pinned.to_vec();
        pinned.sort_unstable();
        pinned
    }
}

/// A symbol that moved with its entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Move {
    /// Its index in the symbol table.
    pub symbol: u32,
    /// Its new byte offset from the start of the section.
    pub offset: u64,
}

/// The section after resolving or sorting.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// The section's new bytes, as many as before.
    pub data: Vec<u8>,
    /// Symbols whose offset changes, by ascending index.
    pub moves: Vec<Move>,
    /// In the order in which the kernel's tool gives them.
    pub warnings: Vec<Warning>,
    /// How many symbols were found away from their entries and put back, by [`Options::old`].
    pub realigned: usize,
    /// Names of sets whose symbols could not be proven to be at their entries ([`Ids::sort`] only: it moves what is at
    /// an entry with it, right or wrong).
    pub unproven: Vec<String>,
}

struct Entry {
    id: u32,
    flags: u32,
    /// Index in the set's members.
    member: Option<usize>,
    key: Option<u32>,
    slot: usize,
}

impl<'a> Ids<'a> {
    /// Writes the ID each symbol's type has in `btf`, and the counts; sorts the sets. Idempotent, and independent of
    /// the BTF the section was resolved against before.
    ///
    /// # Errors
    /// When symbols and section contradict each other, when a set's symbols may be stale and nothing proves where they
    /// belong, or when an entry would have to move under a relocation.
    pub fn resolve(&self, btf: &Btf, options: &Options<'a>) -> Result<Outcome, Error> {
        self.sound()?;
        let mut outcome = Outcome { data: self.data.to_vec(), ..Outcome::default() };
        let pinned = options.sorted_pinned();
        let resolved = self.look_up(btf, &mut outcome.warnings);
        let id_of = |member: &Member| resolved.get(&member.wanted()).copied().unwrap_or_default();
        for member in &self.lists {
            self.put(&mut outcome.data, member.offset, id_of(member));
        }
        let old = options.old.map(|old| Old::new(self, old));
        for set in &self.sets {
            // Fits: st_size is at most the length of the section, whose offsets the BTF's u32 IDs count.
            self.put(&mut outcome.data, set.offset, u32::try_from(set.count).unwrap_or(u32::MAX));
            let place = self.settled_place(set, old.as_ref(), options)?;
            self.rearrange(set, &place, Some(&id_of), &pinned, &mut outcome)?;
        }
        outcome.moves.sort_unstable();
        Ok(outcome)
    }

    /// Sorts the sets by the IDs that are there; changes no ID and no count. Symbols which [`Options::old`] shows to be
    /// away from their entries are put back. Idempotent.
    ///
    /// # Errors
    /// When symbols and section contradict each other, or when an entry would have to move under a relocation.
    pub fn sort(&self, options: &Options<'a>) -> Result<Outcome, Error> {
        self.sound()?;
        let mut outcome = Outcome { data: self.data.to_vec(), ..Outcome::default() };
        let pinned = options.sorted_pinned();
        let old = options.old.map(|old| Old::new(self, old));
        for set in &self.sets {
            let place = self.settled_place(set, old.as_ref(), options).unwrap_or_else(|_| {
                outcome.unproven.push(set.label().to_string());
                Place::Unproven
            });
            self.rearrange(set, &place, None, &pinned, &mut outcome)?;
        }
        outcome.moves.sort_unstable();
        Ok(outcome)
    }

    /// Name and flags of each function that is a member of a set8, for [`crate::process`]; with the flags of the set whose
    /// name is the greatest if several have it, as the kernel's tool takes them.
    ///
    /// # Errors
    /// As [`Ids::resolve`]: flags of a set with stale symbols would be those of other functions.
    pub fn kfunc_flags(&self, options: &Options<'a>) -> Result<Vec<(&'a [u8], u32)>, Error> {
        self.sound()?;
        let old = options.old.map(|old| Old::new(self, old));
        let mut sets: Vec<_> = self.sets.iter().filter(|set| set.kind == SetKind::Set8).collect();
        sets.sort_by_key(|set| Reverse(set.name));
        let mut flags = BTreeMap::new();
        for set in sets {
            let slots = self.slots(set, &self.settled_place(set, old.as_ref(), options)?);
            let mut members: Vec<_> = set.members.iter().zip(slots).filter(|(m, _)| m.kind == Kind::Func).collect();
            members.sort_by_key(|(member, _)| member.key());
            for (member, slot) in members {
                flags.entry(member.name).or_insert(self.pair(set, slot).1);
            }
        }
        Ok(flags.into_iter().collect())
    }

    /// Where the symbols of a set belong, or why that is not known.
    fn settled_place(&self, set: &Set<'a>, old: Option<&Old<'a>>, options: &Options) -> Result<Place, Error> {
        let place = self.place(set, old);
        let (name, offset) = (set.label().to_string(), set.offset as u64);
        match place {
            _ if self.is_uniform(set) => Ok(place),
            Place::Unproven if !options.trust_symbols && !was_moved(set) => {
                Err(Error::UnprovenSymbols { set: name, offset, had_btf: options.old.is_some() })
            }
            Place::Disproven => Err(Error::LostSymbols { set: name, offset }),
            known => Ok(known),
        }
    }

    /// The entry of each member.
    fn slots(&self, set: &Set, place: &Place) -> Vec<usize> {
        match place {
            Place::Realign(slots) => slots.clone(),
            Place::Right | Place::Unproven | Place::Disproven => {
                set.members.iter().map(|member| set.slot(member)).collect()
            }
        }
    }

    /// Gives the members of a set new IDs, if there are any, sorts the entries, and moves symbols with them.
    fn rearrange(
        &self,
        set: &Set<'a>,
        place: &Place,
        id_of: Option<&dyn Fn(&Member<'a>) -> u32>,
        pinned: &[u64],
        outcome: &mut Outcome,
    ) -> Result<(), Error> {
        let mut entries: Vec<Entry> = (0..set.count)
            .map(|slot| {
                let (id, flags) = self.pair(set, slot);
                Entry { id, flags, member: None, key: None, slot }
            })
            .collect();
        for ((i, member), slot) in set.members.iter().enumerate().zip(self.slots(set, place)) {
            outcome.realigned += if slot == set.slot(member) { 0 } else { member.symbols.len() };
            if let Some(entry) = entries.get_mut(slot) {
                (entry.member, entry.key) = (Some(i), member.key());
                entry.id = id_of.map_or(entry.id, |id_of| id_of(member));
            }
        }
        if let Some(entry) = entries.iter().find(|entry| id_of.is_some() && entry.member.is_none() && entry.id != 0) {
            let (problem, offset) = (Problem::NamelessId { id: entry.id }, set.entry(entry.slot) as u64);
            return Err(Error::BadIds(Finding { problem, set: Some(set.label()), symbol: None, offset }));
        }
        // The kernel compares IDs as signed ints.
        entries.sort_by_key(|entry| (entry.id.cast_signed(), entry.key, entry.slot));
        if entries.iter().enumerate().any(|(slot, entry)| slot != entry.slot) {
            // Where the first entry is, the array is: code that looks for an ID in a set, or goes through it, has that
            // address and adds to it. It means all entries, in whichever order.
            let body = set.entry(1) as u64..set.end() as u64;
            let first = pinned.partition_point(|&target| target < body.start);
            if let Some(&target) = pinned.get(first).filter(|target| body.contains(target)) {
                return Err(Error::PinnedSet { set: set.label().to_string(), offset: set.offset as u64, target });
            }
        }
        for (slot, entry) in entries.iter().enumerate() {
            let at = set.entry(slot);
            self.put(&mut outcome.data, at, entry.id);
            if set.kind == SetKind::Set8 {
                self.put(&mut outcome.data, at + 4, entry.flags);
            }
            if let Some(member) = entry.member.and_then(|i| set.members.get(i)).filter(|member| member.offset != at) {
                outcome.moves.extend(member.symbols.iter().map(|sym| Move { symbol: sym.index, offset: at as u64 }));
            }
        }
        Ok(())
    }

    /// Writes a word at an offset that is known to lie in the section.
    fn put(&self, data: &mut [u8], offset: usize, word: u32) {
        let written = self.endian.put_u32(data, offset, word);
        debug_assert!(written.is_some(), "{offset:#x} was checked against the section");
    }
}
