//! Bytes between the parts of a file. Padding of zeros is nothing; where anything else is has no meaning by itself.

use super::contents::Bytes;
use super::report::Out;
use super::{Files, Key};
use crate::layout::{Owner, gaps, ranges};
use crate::reader::Elf;
use std::collections::{HashMap, VecDeque};

/// Behind which part, and the bytes.
type Gap<'a> = (Owner, &'a [u8]);

pub(super) fn compare(files: &Files, out: &mut Out) {
    let mut in_a = gaps(&files.a, &ranges(&files.a));
    let mut in_b = gaps(&files.b, &ranges(&files.b));
    let in_terms_of_b = |owner| match owner {
        Owner::Section(index) => files.pairs.in_b(index).map(Owner::Section),
        other => Some(other),
    };
    take_pairs(&mut in_a, &mut in_b, |gap| Some((in_terms_of_b(gap.0)?, gap.1)), |gap| (gap.0, gap.1));
    for (a, b) in take_pairs(&mut in_a, &mut in_b, |gap| Some(gap.1), |gap| gap.1) {
        let text = format_args!("{} bytes are behind {} now", a.1.len(), b.0.label(&files.b));
        out.say(Key::Moved, place(&files.a, a), text);
    }
    for (a, b) in take_pairs(&mut in_a, &mut in_b, |gap| in_terms_of_b(gap.0), |gap| gap.0) {
        out.say(Key::Unowned, place(&files.a, a), Bytes(a.1, b.1));
    }
    for gap in in_a {
        out.say(Key::Unowned, place(&files.a, gap), format_args!("{} bytes removed", gap.1.len()));
    }
    for gap in in_b {
        out.say(Key::Unowned, place(&files.b, gap), format_args!("{} bytes added", gap.1.len()));
    }
}

fn place(elf: &Elf, gap: Gap) -> String {
    format!("unowned bytes behind {}", gap.0.label(elf))
}

/// Takes those of both lists that have the same key, in their order.
fn take_pairs<'a, K: std::hash::Hash + Eq>(
    in_a: &mut Vec<Gap<'a>>,
    in_b: &mut Vec<Gap<'a>>,
    key_a: impl Fn(&Gap<'a>) -> Option<K>,
    key_b: impl Fn(&Gap<'a>) -> K,
) -> Vec<(Gap<'a>, Gap<'a>)> {
    let mut waiting: HashMap<K, VecDeque<Gap>> = HashMap::new();
    in_b.iter().for_each(|gap| waiting.entry(key_b(gap)).or_default().push_back(*gap));
    let mut pairs = Vec::new();
    in_a.retain(|gap| {
        let other = key_a(gap).and_then(|key| waiting.get_mut(&key)?.pop_front());
        pairs.extend(other.map(|other| (*gap, other)));
        other.is_none()
    });
    // Each part has one gap behind it at most.
    let taken: std::collections::HashSet<Owner> = pairs.iter().map(|(_, other)| other.0).collect();
    in_b.retain(|gap| !taken.contains(&gap.0));
    pairs
}
