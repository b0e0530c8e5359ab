//! Two files: what moved, and what did not.

use std::collections::HashMap;

use super::rows::label;
use super::{Kind, Layout, Region, Row, grouped};

/// How many of each there are.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// At the same offset, with the same bytes.
    pub same: usize,
    /// At the same offset, with other bytes, or more or fewer.
    pub changed: usize,
    /// At another offset.
    pub moved: usize,
    /// Only in the second file.
    pub added: usize,
    /// Only in the first file.
    pub removed: usize,
}

impl Summary {
    /// For people.
    pub fn text(&self) -> String {
        let parts = [
            (self.same, "where it was, byte for byte", "where they were, byte for byte"),
            (self.changed, "in place with other bytes", "in place with other bytes"),
            (self.moved, "moved", "moved"),
            (self.added, "new", "new"),
            (self.removed, "removed", "removed"),
        ];
        let told: Vec<String> = parts
            .iter()
            .filter(|(count, ..)| *count != 0)
            .map(|(count, one, several)| {
                format!("{} {}", grouped(*count as u64), if *count == 1 { one } else { several })
            })
            .collect();
        told.join(", ")
    }
}

/// Rows in the order of the second file; what is only in the first stands where it was.
pub fn compare(before: &Layout, after: &Layout) -> (Vec<Row>, Summary) {
    let olds: Vec<&Region> = owned(before).collect();
    let mut places = HashMap::new();
    for (at, key) in keys(before).into_iter().enumerate() {
        places.insert(key, at);
    }
    let partner: Vec<Option<usize>> = keys(after).iter().map(|key| places.get(key).copied()).collect();
    let mut taken = vec![false; olds.len()];
    for at in partner.iter().flatten() {
        if let Some(taken) = taken.get_mut(*at) {
            *taken = true;
        }
    }

    let mut summary = Summary::default();
    let mut rows = Vec::with_capacity(olds.len());
    // What is removed comes right behind what was in front of it.
    let removed = |from: usize, rows: &mut Vec<Row>, summary: &mut Summary| {
        let gone = olds.iter().zip(&taken).skip(from).take_while(|(_, taken)| !**taken);
        for (old, _) in gone {
            summary.removed += 1;
            rows.push(Row { note: "removed".into(), changed: true, ..Row::of(old) });
        }
    };
    removed(0, &mut rows, &mut summary);
    for (new, at) in owned(after).zip(partner) {
        match at.and_then(|at| Some((at, *olds.get(at)?))) {
            Some((at, old)) => {
                rows.push(pair(before, old, after, new, &mut summary));
                removed(at + 1, &mut rows, &mut summary);
            }
            None => {
                summary.added += 1;
                let note = format!("new, {}", grouped(new.size));
                let place = Some((new.offset, new.size));
                rows.push(Row { before: None, after: place, note, changed: true, ..Row::of(new) });
            }
        }
    }
    (rows, summary)
}

fn owned<'l>(layout: &'l Layout) -> impl Iterator<Item = &'l Region> {
    layout.regions.iter().filter(|region| region.kind != Kind::Gap)
}

/// A name, and which of that name: the same in both files for what is the same.
fn keys<'l>(layout: &'l Layout) -> Vec<(&'l str, bool, usize)> {
    let mut seen: HashMap<(&str, bool), usize> = HashMap::new();
    let key = |region: &'l Region| {
        let name = (region.name.as_str(), region.index.is_some());
        let count = seen.entry(name).or_default();
        *count += 1;
        (name.0, name.1, *count)
    };
    owned(layout).map(key).collect()
}

fn pair(before: &Layout, old: &Region, after: &Layout, new: &Region, summary: &mut Summary) -> Row {
    let mut notes = Vec::new();
    if new.offset != old.offset {
        let (sign, by) = match new.offset.checked_sub(old.offset) {
            Some(by) => ('+', by),
            None => ('-', old.offset - new.offset),
        };
        notes.push(format!("moved {sign}{by:#x}"));
    }
    if new.size != old.size {
        notes.push(format!("{} -> {}", grouped(old.size), grouped(new.size)));
    } else if before.bytes(old) != after.bytes(new) {
        notes.push("other bytes".into());
    }
    match (new.offset == old.offset, notes.is_empty()) {
        (_, true) => summary.same += 1,
        (true, _) => summary.changed += 1,
        (false, _) => summary.moved += 1,
    }
    let changed = !notes.is_empty();
    let note = if changed { notes.join(", ") } else { "=".into() };
    // Removals in front renumber.
    let label = match (old.index, new.index) {
        (Some(from), Some(to)) if from != to => format!("[{from}>{to}] {}", new.name),
        _ => label(new),
    };
    Row {
        kind: new.kind,
        label,
        before: Some((old.offset, old.size)),
        after: Some((new.offset, new.size)),
        note,
        changed,
    }
}
