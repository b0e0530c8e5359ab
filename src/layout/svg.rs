//! The drawing as a picture (SVG 1.1): the file as a column, to scale, with a name for each thing beside it. Of two
//! files, two columns, and a band from where each thing was to where it is: level bands did not move.

use std::fmt::Write;

use super::compare::Summary;
use super::text::heading;
use super::{Kind, Layout, Row, cut, grouped};

/// Distances in pixels.
const LINE: f64 = 15.0;
const TOP: f64 = 78.0;
const COLUMN: f64 = 110.0;
const LEADER: f64 = 44.0;
/// Of a character of a name, of a title, and of a line of the legend: fonts differ, so these are wide.
const LETTER: f64 = 6.7;
const TITLE_LETTER: f64 = 8.2;
const LEGEND: f64 = 205.0;
/// Words of the legend in a line.
const ACROSS: usize = 3;
const SEGMENTS: f64 = 14.0;
const LEAST_HEIGHT: f64 = 420.0;

/// Which side of a column has the names.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Left,
    Right,
}

/// One column.
struct Column<'r> {
    /// Its left edge.
    x: f64,
    side: Side,
    /// What is in it, sorted by offset: row, place, and what is written beside it.
    items: Vec<(&'r Row, (u64, u64), String)>,
}

/// The picture of one file, or of two.
pub fn svg(before: &Layout, after: Option<(&Layout, &Summary)>, rows: &[Row]) -> String {
    let total = before.len().max(after.map_or(0, |(after, _)| after.len()));
    let columns = columns(before, after.is_some(), rows);
    let titles = match after {
        None => vec![heading(before)],
        Some((after, summary)) => {
            vec![format!("before: {}", heading(before)), format!("after: {}", heading(after)), summary.text()]
        }
    };
    let most = columns.iter().map(|column| column.items.len()).max().unwrap_or(0);
    let height = (most as f64 * LINE).max(LEAST_HEIGHT);
    let right = columns.iter().map(|c| c.x + COLUMN + if c.side == Side::Right { LEADER + c.labels() } else { 0.0 });
    let title = titles.iter().map(|title| title.chars().count() as f64 * TITLE_LETTER).fold(0.0, f64::max);
    let width = right.fold(title, f64::max).max(ACROSS as f64 * LEGEND) + 24.0;
    let page = Page { total, height };
    let legend = legend(rows);
    let full = TOP + height + 30.0 + LINE * (legend.len().div_ceil(ACROSS) as f64) + 10.0;

    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{full:.0}\" \
         viewBox=\"0 0 {width:.0} {full:.0}\" font-family=\"DejaVu Sans, Verdana, sans-serif\" font-size=\"11\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n"
    );
    for (at, title) in titles.iter().enumerate() {
        let weight = if at + 1 == titles.len() { "bold" } else { "normal" };
        let y = 20.0 + 17.0 * at as f64;
        let _ = writeln!(
            out,
            "<text x=\"12\" y=\"{y:.0}\" font-size=\"13\" font-weight=\"{weight}\">{}</text>",
            xml(title)
        );
    }
    if let [left, right] = &columns[..] {
        page.bands(&mut out, left, right);
    } else if let [one] = &columns[..] {
        page.segments(&mut out, before, one.x);
    }
    for column in &columns {
        page.column(&mut out, column);
    }
    for (at, kind) in legend.into_iter().enumerate() {
        let (text, _, fill) = kind.look();
        let (x, y) = (12.0 + LEGEND * (at % ACROSS) as f64, TOP + height + 32.0 + LINE * (at / ACROSS) as f64);
        let _ = writeln!(
            out,
            "<rect x=\"{x:.0}\" y=\"{:.0}\" width=\"10\" height=\"10\" fill=\"{fill}\" stroke=\"#90a4ae\" \
             stroke-width=\"0.5\"/><text x=\"{:.0}\" y=\"{y:.0}\">{text}</text>",
            y - 9.0,
            x + 16.0
        );
    }
    out + "</svg>\n"
}

fn columns<'r>(before: &Layout, two: bool, rows: &'r [Row]) -> Vec<Column<'r>> {
    let items = |place: fn(&Row) -> Option<(u64, u64)>, note: bool| {
        let item = |row: &'r Row| {
            let (offset, size) = place(row)?;
            let name = cut(&row.label, 34, '…');
            let beside = match note && row.changed {
                true => row.note.clone(),
                false => grouped(size),
            };
            Some((row, (offset, size), format!("{offset:#x} · {name} · {beside}")))
        };
        let mut items: Vec<_> = rows.iter().filter_map(item).collect();
        items.sort_by_key(|(_, place, _)| *place);
        items
    };
    let brackets = SEGMENTS * before.segments.len() as f64;
    if !two {
        let x = 24.0 + brackets + if brackets > 0.0 { 70.0 } else { 0.0 };
        return vec![Column { x, side: Side::Right, items: items(|row| row.before, false) }];
    }
    let mut left = Column { x: 0.0, side: Side::Left, items: items(|row| row.before, false) };
    left.x = 12.0 + left.labels() + LEADER;
    let right = Column { x: left.x + COLUMN * 2.6, side: Side::Right, items: items(|row| row.after, true) };
    vec![left, right]
}

impl Column<'_> {
    /// How wide what is written beside it is.
    fn labels(&self) -> f64 {
        self.items.iter().map(|(_, _, label)| label.chars().count() as f64 * LETTER).fold(60.0, f64::max)
    }
}

/// The kinds there are, in the order of the file.
fn legend(rows: &[Row]) -> Vec<Kind> {
    let mut kinds = Vec::new();
    for row in rows {
        if !kinds.contains(&row.kind) {
            kinds.push(row.kind);
        }
    }
    kinds
}

/// The scale.
struct Page {
    total: u64,
    height: f64,
}

impl Page {
    /// Where a byte is, in pixels. Offsets beyond the end of the file, which broken files have, are at its end.
    fn y(&self, offset: u64) -> f64 {
        let part = offset.min(self.total) as f64 / self.total.max(1) as f64;
        TOP + part * self.height
    }

    fn span(&self, (offset, size): (u64, u64)) -> (f64, f64) {
        (self.y(offset), self.y(offset.saturating_add(size)))
    }

    fn column(&self, out: &mut String, column: &Column) {
        let x = column.x;
        let (edge, outer, text, anchor) = match column.side {
            Side::Right => (x + COLUMN, x + COLUMN + LEADER, x + COLUMN + LEADER + 4.0, "start"),
            Side::Left => (x, x - LEADER, x - LEADER - 4.0, "end"),
        };
        let middles: Vec<f64> = column
            .items
            .iter()
            .map(|(_, place, _)| {
                let (top, bottom) = self.span(*place);
                f64::midpoint(top, bottom)
            })
            .collect();
        let lines = apart(&middles, TOP, TOP + self.height);
        for (((row, place, label), middle), line) in column.items.iter().zip(&middles).zip(&lines) {
            let (top, bottom) = self.span(*place);
            let (_, _, fill) = row.kind.look();
            let height = (bottom - top).max(0.6);
            let tip = xml(&format!("{}: {} bytes at {:#x}", row.label, grouped(place.1), place.0));
            let _ = writeln!(
                out,
                "<rect x=\"{x:.1}\" y=\"{top:.2}\" width=\"{COLUMN:.1}\" height=\"{height:.2}\" fill=\"{fill}\">\
                 <title>{tip}</title></rect>"
            );
            if height > 3.0 {
                let _ = writeln!(
                    out,
                    "<path d=\"M{x:.1} {top:.2}h{COLUMN:.1}\" stroke=\"#ffffff\" stroke-width=\"0.7\" fill=\"none\"/>"
                );
            }
            let bend = if column.side == Side::Right { outer - 8.0 } else { outer + 8.0 };
            let start = if column.side == Side::Right { edge + 8.0 } else { edge - 8.0 };
            let _ = writeln!(
                out,
                "<path d=\"M{edge:.1} {middle:.2}H{start:.1}L{bend:.1} {line:.2}H{outer:.1}\" stroke=\"#90a4ae\" \
                 stroke-width=\"0.7\" fill=\"none\"/>"
            );
            let weight = if row.changed { " font-weight=\"bold\"" } else { "" };
            // Of two files what did not change stands back.
            let faint = row.kind == Kind::Gap || (row.after.is_some() && !row.changed);
            let ink = if faint { "#78909c" } else { "#263238" };
            let _ = writeln!(
                out,
                "<text x=\"{text:.1}\" y=\"{:.2}\" text-anchor=\"{anchor}\" fill=\"{ink}\"{weight}>{}</text>",
                line + 4.0,
                xml(label)
            );
        }
        let end = column.items.iter().map(|(_, place, _)| self.span(*place).1).fold(TOP, f64::max);
        let _ = writeln!(
            out,
            "<rect x=\"{x:.1}\" y=\"{TOP:.1}\" width=\"{COLUMN:.1}\" height=\"{:.2}\" fill=\"none\" stroke=\"#546e7a\"/>",
            end - TOP
        );
    }

    /// From where things were to where they are.
    fn bands(&self, out: &mut String, left: &Column, right: &Column) {
        let (from, to) = (left.x + COLUMN, right.x);
        for (row, place, _) in &left.items {
            let Some(after) = row.after else { continue };
            let ((a, b), (c, d)) = (self.span(*place), self.span(after));
            let (_, _, fill) = row.kind.look();
            let opacity = if row.changed { 0.75 } else { 0.25 };
            let middle = f64::midpoint(from, to);
            let (b, d) = (b.max(a + 0.4), d.max(c + 0.4));
            let _ = writeln!(
                out,
                "<path d=\"M{from:.1} {a:.2}C{middle:.1} {a:.2} {middle:.1} {c:.2} {to:.1} {c:.2}V{d:.2}C{middle:.1} {d:.2} \
                 {middle:.1} {b:.2} {from:.1} {b:.2}Z\" fill=\"{fill}\" fill-opacity=\"{opacity}\"/>"
            );
        }
    }

    /// Brackets on the left, one for each program header.
    fn segments(&self, out: &mut String, layout: &Layout, column: f64) {
        for (at, segment) in layout.segments.iter().enumerate() {
            let (top, bottom) = self.span((segment.offset, segment.size));
            let bottom = bottom.max(top + 1.0);
            let x = column - 8.0 - SEGMENTS * at as f64;
            let name = xml(&segment.name);
            let _ = writeln!(
                out,
                "<path d=\"M{:.1} {top:.2}H{x:.1}V{bottom:.2}H{:.1}\" stroke=\"#546e7a\" fill=\"none\"><title>{name}</title>\
                 </path>\n<text transform=\"translate({:.1} {:.2}) rotate(-90)\" font-size=\"9\" fill=\"#546e7a\">{name}</text>",
                x + 4.0,
                x + 4.0,
                x - 2.0,
                (top + 62.0).min(TOP + self.height)
            );
        }
    }
}

/// Places for lines of text as near to `wanted` (sorted) as they can be without covering each other.
fn apart(wanted: &[f64], top: f64, bottom: f64) -> Vec<f64> {
    // Groups of lines that touch: how many, and the sum of where they want the group's first line to be.
    let mut groups: Vec<(usize, f64)> = Vec::new();
    for &want in wanted {
        let (mut count, mut sum) = (1, want);
        while let Some(&(before, total)) = groups.last() {
            if total / before as f64 + before as f64 * LINE <= sum / count as f64 {
                break;
            }
            groups.pop();
            // The lines of this group stand behind those of the one before.
            sum = total + sum - count as f64 * before as f64 * LINE;
            count += before;
        }
        groups.push((count, sum));
    }
    let mut out = Vec::with_capacity(wanted.len());
    for (count, sum) in groups {
        let first = sum / count as f64;
        out.extend((0..count).map(|at| first + at as f64 * LINE));
    }
    // All of them fit: the page is as high as there are lines.
    let mut least = top;
    for line in &mut out {
        *line = line.max(least);
        least = *line + LINE;
    }
    let mut most = bottom;
    for line in out.iter_mut().rev() {
        *line = line.min(most);
        most = *line - LINE;
    }
    out
}

/// Text for XML. Names from files are printable ASCII by now; titles may hold anything.
fn xml(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            // XML 1.0 has no way to write these.
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_text_stay_apart_near_their_place_and_on_the_page() {
        let lines = apart(&[10.0, 10.0, 10.0, 500.0], 0.0, 600.0);
        assert!(lines.windows(2).all(|pair| pair[1] - pair[0] >= LINE - 1e-9), "{lines:?}");
        assert_eq!(lines[3], 500.0);
        assert!(lines[0] >= 0.0 && lines[2] < 60.0, "{lines:?}");
        let all_at_the_end = apart(&[100.0; 5], 0.0, 100.0);
        assert!(all_at_the_end.iter().all(|&y| (0.0..=100.0).contains(&y)), "{all_at_the_end:?}");
        // In the middle of what they want, not below it.
        assert_eq!(apart(&[300.0, 300.0, 300.0], 0.0, 600.0), [285.0, 300.0, 315.0]);
    }

    #[test]
    fn no_text_ends_an_element() {
        assert_eq!(xml("a<b>&\"\u{1b}c"), "a&lt;b&gt;&amp;&quot;\u{fffd}c");
    }
}
