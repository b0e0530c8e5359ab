//! Rows of a drawing, and how many there may be.

use super::{Kind, Layout, Region, grouped};

/// Where something is, in one file or in two.
#[derive(Debug, Clone)]
pub struct Row {
    /// What it is for.
    pub kind: Kind,
    /// Name, with the index of a section.
    pub label: String,
    /// Where it is: `(offset, size)` in the file, or in the first of two.
    pub before: Option<(u64, u64)>,
    /// Where it is in the second file.
    pub after: Option<(u64, u64)>,
    /// What became of it; of one file the size, in words.
    pub note: String,
    /// Whether something became of it: such rows are the last to be left out.
    pub changed: bool,
}

impl Row {
    /// Of a region of one file.
    pub fn of(region: &Region) -> Row {
        Row {
            kind: region.kind,
            label: label(region),
            before: Some((region.offset, region.size)),
            after: None,
            note: grouped(region.size),
            changed: false,
        }
    }

    fn weight(&self) -> (bool, u64) {
        let size = |place: Option<(u64, u64)>| place.map_or(0, |(_, size)| size);
        // Tables and signatures are few, and what people look for.
        let wanted = self.changed || matches!(self.kind, Kind::Header | Kind::Trailer | Kind::Btf);
        (wanted, size(self.before).max(size(self.after)))
    }
}

/// `[3] .text`: a name is not an identity, a module may have two `.note.GNU-stack`.
pub fn label(region: &Region) -> String {
    match region.index {
        Some(index) => format!("[{index:>2}] {}", region.name),
        None => region.name.clone(),
    }
}

/// The rows of one file.
pub fn single(layout: &Layout) -> Vec<Row> {
    layout.regions.iter().map(Row::of).collect()
}

/// At most `2 * most + 1` rows: neighbours that are neither large nor changed become one.
pub fn bound(rows: Vec<Row>, most: usize) -> Vec<Row> {
    if rows.len() <= 2 * most {
        return rows;
    }
    let mut order: Vec<usize> = (0..rows.len()).collect();
    order.sort_by_key(|&at| std::cmp::Reverse(rows.get(at).map(Row::weight)));
    let mut keep = vec![false; rows.len()];
    for at in order.into_iter().take(most) {
        if let Some(keep) = keep.get_mut(at) {
            *keep = true;
        }
    }
    let mut out: Vec<Row> = Vec::new();
    let mut run: Vec<Row> = Vec::new();
    for (row, keep) in rows.into_iter().zip(keep) {
        if keep {
            out.extend(several(&mut run));
            out.push(row);
        } else {
            run.push(row);
        }
    }
    out.extend(several(&mut run));
    out
}

/// A run of rows as one.
fn several(run: &mut Vec<Row>) -> Option<Row> {
    if run.len() <= 1 {
        return run.pop();
    }
    let span = |place: fn(&Row) -> Option<(u64, u64)>| {
        let begin = run.iter().filter_map(place).map(|(offset, _)| offset).min()?;
        let end = run.iter().filter_map(place).map(|(offset, size)| offset.saturating_add(size)).max()?;
        Some((begin, end - begin))
    };
    let (before, after) = (span(|row| row.before), span(|row| row.after));
    let changed = run.iter().filter(|row| row.changed).count();
    let gaps = run.iter().filter(|row| row.kind == Kind::Gap).count();
    let others = run.len() - gaps;
    let note = match (changed, after) {
        (0, Some(_)) => "=".to_owned(),
        (0, None) => grouped(before.map_or(0, |(_, size)| size)),
        (changed, _) => format!("{changed} changed"),
    };
    run.clear();
    let label = match gaps {
        0 => format!("{} sections", grouped(others as u64)),
        _ => format!("{} sections, gaps", grouped(others as u64)),
    };
    Some(Row { kind: Kind::Several, label, before, after, note, changed: changed != 0 })
}
