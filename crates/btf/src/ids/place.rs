//! Where each symbol of a set belongs, in a file that may have been sorted by a tool which left the symbols behind.
//!
//! Flags are in the file from the start, right behind the word of the kfunc they were written for, and every sort moves
//! the pair as a whole. So before IDs are written again, it must be known which entry each symbol's kfunc has now:
//!
//! | state of the set            | words | symbols                | known from                                   |
//! |-----------------------------|-------|------------------------|----------------------------------------------|
//! | fresh from the linker       | 0     | at their entries       | all IDs are 0                                |
//! | sorted by elfgraft          | IDs   | at their entries       | IDs fit BTF as they are                      |
//! | sorted by the kernel's tool | IDs   | where they always were | IDs fit BTF after a permutation: *realign*   |
//! | either, and BTF is another  | IDs   | not known              | nothing to mix up; order; `trust_symbols`    |
//!
//! 1. *All IDs are 0, or there is one entry*: no sort has moved anything. (A set none of whose names resolved is all 0
//!    as well: both tools' sorts are stable.)
//! 2. *BTF that the IDs refer to explains the set.* Each ID that is not 0 names a type; a member symbol of that kind and
//!    name must be there for it, each symbol used once. Symbols left over must be names that this BTF does not have, and
//!    entries left over must be 0: theirs, or of no symbol. If every symbol is at such an entry already, all is right.
//!    (So it is even where several entries are 0: the kernel's tool keeps the order of equal IDs, and had it moved
//!    anything, the other symbols would not fit.) Otherwise symbols are put at the entries found for them. Those of one
//!    name keep their order. Several 0 entries with different flags for symbols of different names cannot be told apart:
//!    the BTF disproves where the symbols are, so that order and trust are not asked, and does not tell where they belong.
//! 3. *Nothing to mix up*: a set without flags, or with the same flags everywhere, and a symbol for each entry.
//! 4. *Order*: a linker puts symbols into the table in the order of the source, so in an untouched set their offsets
//!    ascend with their indices. Where they do not, elfgraft has moved them, and only with their entries. An assembler
//!    may sort the table by name instead (old clang does), so the numbers at the end of the names, which count up in
//!    the source, must deny it as well.
//! 5. *`trust_symbols`*: the caller says that no other tool sorts the file.
//!
//! BTF goes before order and trust: IDs that by accident name exactly the functions of a set, permuted, are less likely
//! than a build that uses the kernel's tool once on a file of ours.

use super::model::{Ids, Member, Set};
use crate::{Btf, Kind};
use std::collections::{HashMap, HashSet, VecDeque};

/// What is known about the symbols of a set.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// They are at their entries.
    Right,
    /// They belong to these entries, in the order of the members.
    Realign(Vec<usize>),
    /// Nothing.
    Unproven,
    /// They are at entries of others, and several could be theirs.
    Disproven,
}

/// The BTF that the IDs in the file refer to.
pub(super) struct Old<'o> {
    btf: &'o Btf<'o>,
    /// Names that this BTF has, of all members of sets that have an entry of 0.
    resolvable: HashSet<(Kind, &'o [u8])>,
    /// The names of all members of sets, numbered: a number can be looked up for each entry, whose name may be long.
    numbers: HashMap<(Kind, &'o [u8]), usize>,
    /// Of each ID in a set the number of its name, if a member asks for that.
    asked: HashMap<u32, Option<usize>>,
}

impl<'o> Old<'o> {
    pub fn new(ids: &Ids<'o>, btf: &'o Btf<'o>) -> Old<'o> {
        let doubtful = |set: &&Set| !ids.is_fresh(set) && (0..set.count).any(|slot| ids.pair(set, slot).0 == 0);
        let members = ids.sets.iter().filter(doubtful).flat_map(|set| &set.members);
        let names: Vec<_> = members.map(Member::wanted).collect();
        let found = btf.find_first(&names);
        let resolvable = names.into_iter().zip(found).filter_map(|(name, id)| id.map(|_| name)).collect();
        let mut numbers = HashMap::new();
        for member in ids.sets.iter().flat_map(|set| &set.members) {
            let next = numbers.len();
            numbers.entry(member.wanted()).or_insert(next);
        }
        let mut asked = HashMap::new();
        let number = |id| btf.get(id).and_then(|ty| numbers.get(&(ty.kind, btf.name(&ty)?)).copied());
        for id in ids.sets.iter().flat_map(|set| (0..set.count).map(|slot| ids.pair(set, slot).0)) {
            asked.entry(id).or_insert_with(|| number(id));
        }
        Old { btf, resolvable, numbers, asked }
    }

    /// Whether an entry of this ID can be this member's.
    fn explains(&self, id: u32, member: &Member<'o>) -> bool {
        if id == 0 {
            !self.resolvable.contains(&member.wanted())
        } else {
            self.btf.is_named(id, member.kind, member.name)
        }
    }
}

impl<'a> Ids<'a> {
    fn is_fresh(&self, set: &Set) -> bool {
        (0..set.count).all(|slot| self.pair(set, slot).0 == 0)
    }

    /// Rules 1 and 2.
    pub(super) fn place(&self, set: &Set<'a>, old: Option<&Old<'a>>) -> Place {
        if set.count <= 1 || self.is_fresh(set) {
            return Place::Right;
        }
        let Some(old) = old else { return Place::Unproven };
        let id_of = |member: &Member| self.pair(set, set.slot(member)).0;
        let explained = set.members.iter().all(|member| old.explains(id_of(member), member));
        // An entry that no symbol names must be 0, as it came from the linker: an ID there is some symbol's.
        let ids = (0..set.count).filter(|&slot| self.pair(set, slot).0 != 0).count();
        let ids_of_members = set.members.iter().filter(|member| id_of(member) != 0).count();
        if explained && ids == ids_of_members {
            return Place::Right;
        }
        self.realign(set, old).unwrap_or(Place::Unproven)
    }

    /// `None` where the BTF is not the one that the IDs refer to.
    fn realign(&self, set: &Set<'a>, old: &Old<'a>) -> Option<Place> {
        let mut waiting: HashMap<_, VecDeque<usize>> = HashMap::new();
        for (i, member) in set.members.iter().enumerate() {
            waiting.entry(*old.numbers.get(&member.wanted())?).or_default().push_back(i);
        }
        let mut slots = vec![None; set.members.len()];
        let mut zeros = VecDeque::new();
        for slot in 0..set.count {
            let (id, flags) = self.pair(set, slot);
            if id == 0 {
                zeros.push_back((slot, flags));
                continue;
            }
            let number = old.asked.get(&id).copied().flatten()?;
            let member = waiting.get_mut(&number)?.pop_front()?;
            *slots.get_mut(member)? = Some(slot);
        }
        let left: Vec<_> =
            set.members.iter().zip(&slots).filter(|(_, slot)| slot.is_none()).map(|(member, _)| member).collect();
        let one_name = left.len() == zeros.len()
            && left.iter().all(|member| Some(member.wanted()) == left.first().map(|m| m.wanted()));
        let same_flags = zeros.iter().all(|&(_, flags)| Some(flags) == zeros.front().map(|&(_, flags)| flags));
        if left.len() > zeros.len() || left.iter().any(|member| !old.explains(0, member)) {
            return None;
        }
        if !(left.is_empty() || one_name || same_flags) {
            return Some(Place::Disproven);
        }
        let slots = slots.into_iter().map(|slot| slot.or_else(|| zeros.pop_front().map(|(slot, _)| slot)));
        slots.collect::<Option<_>>().map(Place::Realign)
    }

    /// Rule 3.
    pub(super) fn is_uniform(&self, set: &Set) -> bool {
        let flags = |slot| self.pair(set, slot).1;
        set.members.len() == set.count && (1..set.count).all(|slot| flags(slot) == flags(0))
    }
}

/// Rule 4.
pub(super) fn was_moved(set: &Set) -> bool {
    let by_index = set.members.is_sorted_by_key(Member::key);
    // Numbers without leading zeros: the longer one is the greater one.
    let by_number = set.members.is_sorted_by_key(|member| (member.unique.len(), member.unique));
    !by_index && !by_number
}
