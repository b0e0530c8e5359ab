//! The drawing on a terminal: a line for each thing, its bar where it is in the file.

use std::fmt::Write;
use std::io::IsTerminal;

use super::compare::Summary;
use super::{Kind, Layout, Row, cut, grouped};
use crate::report::colour;

/// What is drawn on.
#[derive(Debug, Clone, Copy)]
pub struct Terminal {
    /// Columns.
    pub width: usize,
    /// Whether it shows more than ASCII.
    pub unicode: bool,
    /// Whether it shows colour.
    pub colour: bool,
}

impl Terminal {
    /// Standard output.
    pub fn stdout() -> Terminal {
        let asked = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
        let shown = || {
            let size = std::io::stdout().is_terminal().then(terminal_size::terminal_size).flatten();
            size.map(|(width, _)| usize::from(width.0))
        };
        let locale = [std::env::var("LC_ALL"), std::env::var("LC_CTYPE"), std::env::var("LANG")].into_iter().flatten();
        let locale = locale.into_iter().find(|value| !value.is_empty()).unwrap_or_default().to_ascii_lowercase();
        Terminal {
            width: asked.or_else(shown).unwrap_or(100).clamp(60, 400),
            unicode: locale.contains("utf-8") || locale.contains("utf8"),
            colour: colour(),
        }
    }

    fn paint(self, kind: Kind, text: &str) -> String {
        match self.colour {
            true => format!("\x1b[{}m{text}\x1b[0m", kind.look().1),
            false => text.to_owned(),
        }
    }

    /// A bar of `width` columns for a file of `total` bytes. What is smaller than a column still shows.
    fn bar(self, kind: Kind, place: Option<(u64, u64)>, total: u64, width: usize) -> String {
        let Some((offset, size)) = place else { return " ".repeat(width) };
        let last = width.saturating_sub(1);
        let begin = scale(offset, total, width).min(last);
        let end = scale(offset.saturating_add(size), total, width).min(width);
        let (full, thin) = match (self.unicode, kind) {
            (true, Kind::Gap) => ("░", "·"),
            (true, Kind::Several) => ("▒", "▏"),
            (true, _) => ("█", "▏"),
            (false, Kind::Gap) => (".", "."),
            (false, Kind::Several) => ("=", "|"),
            (false, _) => ("#", "|"),
        };
        // Less than half a column is a mark, wherever it begins.
        let small = u128::from(size) * 2 * width as u128 <= u128::from(total);
        let drawn = if small || end <= begin { thin.to_owned() } else { full.repeat(end - begin) };
        let columns = drawn.chars().count();
        let painted = self.paint(kind, &drawn);
        format!("{}{painted}{}", " ".repeat(begin), " ".repeat(width.saturating_sub(begin + columns)))
    }

    fn rule(self) -> char {
        if self.unicode { '│' } else { ' ' }
    }

    fn mark(self) -> char {
        if self.unicode { '…' } else { '~' }
    }
}

/// `at` of `total` bytes in columns.
fn scale(at: u64, total: u64, width: usize) -> usize {
    let columns = u128::from(at) * width as u128 / u128::from(total.max(1));
    usize::try_from(columns).unwrap_or(usize::MAX)
}

/// The drawing of one file.
pub fn text(layout: &Layout, rows: &[Row], terminal: Terminal) -> String {
    let name = column(rows, layout.segments.iter().map(|s| s.name.len()).max().unwrap_or(0), terminal.width / 3);
    let notes = rows.iter().map(|row| row.note.len()).chain(layout.segments.iter().map(|s| grouped(s.size).len()));
    // Formatting pads to no more, and panics.
    let number = notes.max().unwrap_or(0).min(u16::MAX.into());
    let offsets = rows.iter().filter_map(|row| row.before).map(|(offset, _)| offset);
    let hex = format!("{:#x}", offsets.chain(layout.segments.iter().map(|s| s.offset)).max().unwrap_or(0)).len();
    let width = terminal.width.saturating_sub(name + number + hex + 6).max(16);
    let rule = terminal.rule();
    let mut out = format!("{}, a column is {} bytes\n", heading(layout), grouped(per_column(layout.len(), width)));
    let mut line = |kind, label: &str, place: (u64, u64), note: &str| {
        let shown = cut(label, name, terminal.mark());
        let bar = terminal.bar(kind, Some(place), layout.len(), width);
        // Writing to a String cannot fail.
        let _ = writeln!(out, "{shown:<name$} {:>hex$} {note:>number$} {rule}{bar}{rule}", format!("{:#x}", place.0));
    };
    for segment in &layout.segments {
        line(Kind::Several, &segment.name, (segment.offset, segment.size), &grouped(segment.size));
    }
    for row in rows {
        line(row.kind, &row.label, row.before.unwrap_or_default(), &row.note);
    }
    out
}

/// The drawings of two files, side by side, to one scale.
pub fn side_by_side(before: &Layout, after: &Layout, rows: &[Row], summary: &Summary, terminal: Terminal) -> String {
    let name = column(rows, 0, terminal.width / 4);
    let note = rows.iter().map(|row| row.note.chars().count()).max().unwrap_or(0).min(30);
    let width = (terminal.width.saturating_sub(name + note + 5) / 2).max(12);
    let total = before.len().max(after.len());
    let rule = terminal.rule();
    let mut out = format!("before: {}\nafter:  {}\n", heading(before), heading(after));
    let _ = writeln!(out, "{}; a column is {} bytes", summary.text(), grouped(per_column(total, width)));
    let _ = writeln!(out, "{:<name$} {rule}{:<width$}{rule}{:<width$}{rule}", "", "before", "after");
    for row in rows {
        let label = cut(&row.label, name, terminal.mark());
        let bars = [row.before, row.after].map(|place| terminal.bar(row.kind, place, total, width));
        let [left, right] = bars;
        let text = cut(&row.note, note, terminal.mark());
        let text = if row.changed { bold(&text, terminal) } else { text };
        let line = format!("{label:<name$} {rule}{left}{rule}{right}{rule} {text}");
        let _ = writeln!(out, "{}", line.trim_end());
    }
    out
}

fn bold(text: &str, terminal: Terminal) -> String {
    if terminal.colour { format!("\x1b[1m{text}\x1b[0m") } else { text.to_owned() }
}

/// How wide names are, `most` at most.
fn column(rows: &[Row], least: usize, most: usize) -> usize {
    rows.iter().map(|row| row.label.chars().count()).max().unwrap_or(0).max(least).min(most.max(16))
}

fn per_column(total: u64, width: usize) -> u64 {
    total.div_ceil(width.max(1) as u64)
}

/// What a file is, in one line.
pub fn heading(layout: &Layout) -> String {
    let empty = match layout.without_bytes {
        0 => String::new(),
        n => format!(" ({} without bytes)", grouped(n as u64)),
    };
    let padding = match layout.padding {
        (0, _) => String::new(),
        (count, bytes) => format!(", {} bytes of padding in {} places", grouped(bytes), grouped(count)),
    };
    let (len, sections) = (grouped(layout.len()), grouped(layout.sections as u64));
    format!("{}: {len} bytes, {sections} sections{empty}{padding}", layout.title)
}
