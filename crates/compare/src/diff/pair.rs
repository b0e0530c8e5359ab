//! Which section of one file is which of the other.
//!
//! By name; of several of one name those with equal contents belong together, the others in their order.

use crate::reader::Elf;
use std::collections::{HashMap, VecDeque};

/// A section of the second file for sections of the first, and the other way.
#[derive(Debug)]
pub(super) struct Pairs {
    a_to_b: Vec<Option<u32>>,
    b_to_a: Vec<Option<u32>>,
}

impl Pairs {
    pub fn new(a: &Elf, b: &Elf) -> Pairs {
        let mut pairs = Pairs { a_to_b: vec![None; a.sections.len()], b_to_a: vec![None; b.sections.len()] };
        // Section 0 is nobody, in both.
        pairs.join(0, 0);
        let mut names: HashMap<&[u8], (VecDeque<u32>, VecDeque<u32>)> = HashMap::new();
        a.iter().for_each(|(index, _)| names.entry(a.name(index)).or_default().0.push_back(index));
        b.iter().for_each(|(index, _)| names.entry(b.name(index)).or_default().1.push_back(index));
        for (mut in_a, mut in_b) in names.into_values() {
            if in_a.len() > 1 || in_b.len() > 1 {
                pairs.join_equal(a, b, &mut in_a, &mut in_b);
            }
            for (a, b) in in_a.into_iter().zip(in_b) {
                pairs.join(a, b);
            }
        }
        pairs
    }

    /// Pairs sections of one name that hold the same, in their order, and takes them off the lists.
    fn join_equal(&mut self, a: &Elf, b: &Elf, in_a: &mut VecDeque<u32>, in_b: &mut VecDeque<u32>) {
        let what = |elf: &Elf<'_>, index| elf.section(index).map(|s| (s.sh_type, s.sh_flags, s.sh_size));
        let mut waiting: HashMap<_, VecDeque<u32>> = HashMap::new();
        for &index in in_b.iter() {
            waiting.entry((what(b, index), b.contents(index))).or_default().push_back(index);
        }
        in_a.retain(|&index| {
            let found = waiting.get_mut(&(what(a, index), a.contents(index))).and_then(VecDeque::pop_front);
            found.inspect(|&other| self.join(index, other)).is_none()
        });
        in_b.retain(|&index| self.in_a(index).is_none());
    }

    fn join(&mut self, a: u32, b: u32) {
        let (Some(to_b), Some(to_a)) = (slot(&mut self.a_to_b, a), slot(&mut self.b_to_a, b)) else { return };
        (*to_b, *to_a) = (Some(b), Some(a));
    }

    /// The section of the second file that is section `a` of the first.
    pub fn in_b(&self, a: u32) -> Option<u32> {
        *self.a_to_b.get(usize::try_from(a).ok()?)?
    }

    /// The section of the first file that is section `b` of the second.
    pub fn in_a(&self, b: u32) -> Option<u32> {
        *self.b_to_a.get(usize::try_from(b).ok()?)?
    }

    /// Pairs in the order of the first file, without section 0.
    pub fn iter(&self) -> impl Iterator<Item = (u32, u32)> {
        (0u32..).zip(&self.a_to_b).skip(1).filter_map(|(a, b)| Some((a, (*b)?)))
    }

    /// Sections only the first file has.
    pub fn removed(&self) -> impl Iterator<Item = u32> {
        (0u32..).zip(&self.a_to_b).skip(1).filter(|(_, b)| b.is_none()).map(|(a, _)| a)
    }

    /// Sections only the second file has.
    pub fn added(&self) -> impl Iterator<Item = u32> {
        (0u32..).zip(&self.b_to_a).skip(1).filter(|(_, a)| a.is_none()).map(|(b, _)| b)
    }
}

fn slot(list: &mut [Option<u32>], index: u32) -> Option<&mut Option<u32>> {
    list.get_mut(usize::try_from(index).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use elfgraft_testkit::consts::ET_REL;
    use elfgraft_testkit::elf::{ElfSpec, Section};
    use elfgraft_testkit::format::Format;

    fn file(sections: &[(&str, &str)]) -> Vec<u8> {
        let sections = sections.iter().map(|(name, data)| Section::progbits(name, 0, *data));
        ElfSpec::new(Format::X86_64, ET_REL).sections(sections).build()
    }

    fn pairs(a: &[(&str, &str)], b: &[(&str, &str)]) -> (Vec<(u32, u32)>, Vec<u32>, Vec<u32>) {
        let (a, b) = (file(a), file(b));
        let pairs = Pairs::new(&Elf::parse(&a).unwrap(), &Elf::parse(&b).unwrap());
        assert!(pairs.iter().all(|(a, b)| pairs.in_b(a) == Some(b) && pairs.in_a(b) == Some(a)));
        (pairs.iter().collect(), pairs.removed().collect(), pairs.added().collect())
    }

    #[test]
    fn by_name_wherever_they_are() {
        let (both, removed, added) = pairs(&[("x", "1"), ("y", "2")], &[("z", "1"), ("y", "9"), ("x", "2")]);
        assert_eq!(both, [(1, 3), (2, 2), (3, 4)]);
        assert!(removed.is_empty());
        assert_eq!(added, [1]);
    }

    #[test]
    fn contents_tell_sections_of_one_name_apart() {
        let a = [("x", "1"), ("x", "2"), ("x", "3"), ("x", "2")];
        // 2 and 3 are found where they are; 1 has become 7; one 2 is gone.
        let (both, removed, added) = pairs(&a, &[("x", "3"), ("x", "7"), ("x", "2")]);
        assert_eq!(both, [(1, 2), (2, 3), (3, 1), (5, 4)]);
        assert_eq!((removed, added), (vec![4], vec![]));
    }
}
