//! Collects pieces in any order and proves that they make a patch.

use std::borrow::Cow;

use crate::error::{PatchError, Span};
use crate::op::{Op, Piece, slice};
use crate::patch::Patch;

/// Makes a [`Patch`] from base pieces, which fill the output, and overlays, small changed fields
/// on top of them. The order of calls does not matter. Nothing is checked before
/// [`finish`](Self::finish), which costs little more than sorting: a hundred thousand overlays are
/// usual.
#[derive(Debug, Clone)]
pub struct Builder<'a> {
    input_len: u64,
    base: Vec<Piece<'a>>,
    overlays: Vec<Overlay<'a>>,
}

#[derive(Debug, Clone)]
struct Overlay<'a> {
    at: u64,
    bytes: Cow<'a, [u8]>,
    label: Cow<'a, str>,
}

impl<'a> Builder<'a> {
    /// Begins a patch of an input of `input_len` bytes.
    pub fn new(input_len: u64) -> Self {
        Self { input_len, base: Vec::new(), overlays: Vec::new() }
    }

    /// Fills `at..at + len` of the output with the input's bytes from offset `from` on.
    pub fn copy(&mut self, at: u64, from: u64, len: u64, label: impl Into<Cow<'a, str>>) -> &mut Self {
        self.put(at, Op::Copy { from, len }, label)
    }

    /// Fills the output with `bytes` from offset `at` on.
    pub fn write(&mut self, at: u64, bytes: impl Into<Cow<'a, [u8]>>, label: impl Into<Cow<'a, str>>) -> &mut Self {
        self.put(at, Op::Write(bytes.into()), label)
    }

    /// Fills `at..at + len` of the output with zeros.
    pub fn zero(&mut self, at: u64, len: u64, label: impl Into<Cow<'a, str>>) -> &mut Self {
        self.put(at, Op::Zero { len }, label)
    }

    /// Fills `at..at + len` of the output with `byte`; no memory is needed for them.
    pub fn fill(&mut self, at: u64, len: u64, byte: u8, label: impl Into<Cow<'a, str>>) -> &mut Self {
        self.put(at, if byte == 0 { Op::Zero { len } } else { Op::Fill { byte, len } }, label)
    }

    fn put(&mut self, at: u64, op: Op<'a>, label: impl Into<Cow<'a, str>>) -> &mut Self {
        if op.size() > 0 {
            let label = label.into();
            self.base.push(Piece { at, op, label });
        }
        self
    }

    /// Puts `bytes` at offset `at` of the output, over whatever base pieces are there. The same
    /// byte may be overlaid twice with the same value.
    pub fn overlay(&mut self, at: u64, bytes: impl Into<Cow<'a, [u8]>>, label: impl Into<Cow<'a, str>>) -> &mut Self {
        let bytes = bytes.into();
        if !bytes.is_empty() {
            let label = label.into();
            self.overlays.push(Overlay { at, bytes, label });
        }
        self
    }

    /// Checks everything and puts the pieces in order.
    ///
    /// # Errors
    ///
    /// [`PatchError`], naming the pieces: base pieces that leave a hole or overlap (overlays do not
    /// fill holes), overlays that disagree, ranges past the end of the input or of the output.
    pub fn finish(mut self, output_len: u64) -> Result<Patch<'a>, PatchError> {
        for piece in &self.base {
            let end = piece.at.checked_add(piece.op.size());
            if end.is_none_or(|end| end > output_len) {
                let span = span_of(piece);
                return Err(PatchError::PastOutput { span, output_len });
            }
            if let Op::Copy { from, len } = piece.op
                && from.checked_add(len).is_none_or(|end| end > self.input_len)
            {
                return Err(PatchError::PastInput { span: span_of(piece), from, input_len: self.input_len });
            }
        }
        self.base.sort_by_key(|piece| piece.at);
        check_cover(&self.base, output_len)?;
        let overlays = disjoint(self.overlays, output_len)?;
        Ok(Patch::of(self.input_len, output_len, lay(self.base, overlays)))
    }
}

/// That `base`, sorted and inside of the output, fills it exactly.
fn check_cover(base: &[Piece<'_>], output_len: u64) -> Result<(), PatchError> {
    let mut before: Option<&Piece<'_>> = None;
    for piece in base.iter().map(Some).chain([None]) {
        let end = before.map_or(0, |piece| piece.range().end);
        let at = piece.map_or(output_len, |piece| piece.at);
        if at > end {
            return Err(PatchError::Hole {
                at: end,
                len: at - end,
                before: before.map(span_of),
                after: piece.map(span_of),
            });
        }
        if let (Some(first), Some(second)) = (before, piece)
            && at < end
        {
            return Err(PatchError::Overlap { first: span_of(first), second: span_of(second) });
        }
        before = piece;
    }
    Ok(())
}

/// The overlays as sorted pieces that do not overlap: what a later one repeats is cut off.
///
/// A later one can meet several earlier ones, so this costs as much as comparing all overlaid
/// bytes once.
fn disjoint(mut overlays: Vec<Overlay<'_>>, output_len: u64) -> Result<Vec<Piece<'_>>, PatchError> {
    overlays.sort_by_key(|overlay| overlay.at);
    let mut pieces: Vec<Piece<'_>> = Vec::with_capacity(overlays.len());
    for Overlay { at, bytes, label } in overlays {
        let len = bytes.len() as u64;
        let overlay = Piece { at, op: Op::Write(bytes), label };
        if at.checked_add(len).is_none_or(|end| end > output_len) {
            let span = span_of(&overlay);
            return Err(PatchError::PastOutput { span, output_len });
        }
        for earlier in pieces.iter().rev().take_while(|piece| piece.range().end > at) {
            if let Some(at) = first_difference(earlier, &overlay) {
                return Err(PatchError::Conflict { first: span_of(earlier), second: span_of(&overlay), at });
            }
        }
        let covered = pieces.last().map_or(0, |piece| piece.range().end);
        if covered <= at {
            pieces.push(overlay);
        } else if covered < at + len {
            pieces.push(Piece { at: covered, op: overlay.op.part(covered - at..len), label: overlay.label });
        }
    }
    Ok(pieces)
}

/// The first offset that both pieces write, but with different values.
fn first_difference(a: &Piece<'_>, b: &Piece<'_>) -> Option<u64> {
    let (Op::Write(a_bytes), Op::Write(b_bytes)) = (&a.op, &b.op) else {
        return None;
    };
    let start = a.at.max(b.at);
    let end = a.range().end.min(b.range().end).max(start);
    let a_part = slice(a_bytes, start - a.at..end - a.at);
    let b_part = slice(b_bytes, start - b.at..end - b.at);
    let offset = a_part.iter().zip(b_part).position(|(x, y)| x != y)?;
    Some(start + offset as u64)
}

/// Cuts the base pieces where overlays lie on them. Both are sorted and without overlaps, and no
/// overlay ends behind the last base piece.
fn lay<'a>(base: Vec<Piece<'a>>, overlays: Vec<Piece<'a>>) -> Vec<Piece<'a>> {
    let mut pieces = Vec::with_capacity(base.len() + 2 * overlays.len());
    let mut overlays = overlays.into_iter().peekable();
    let mut filled = 0;
    for piece in base {
        let range = piece.range();
        while filled < range.end {
            let overlay = overlays.next_if(|overlay| overlay.at <= filled);
            if let Some(overlay) = overlay {
                filled = overlay.range().end;
                pieces.push(overlay);
                continue;
            }
            let end = overlays.peek().map_or(range.end, |next| next.at.min(range.end));
            if filled == range.start && end == range.end {
                pieces.push(piece);
                filled = end;
                break;
            }
            pieces.push(Piece {
                at: filled,
                op: piece.op.part(filled - range.start..end - range.start),
                label: piece.label.clone(),
            });
            filled = end;
        }
    }
    pieces
}

fn span_of(piece: &Piece<'_>) -> Span {
    Span { at: piece.at, len: piece.op.size(), label: piece.label.clone().into_owned() }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::op::index;
    use crate::{explain, to_vec};

    fn span(at: u64, len: u64, label: &str) -> Span {
        Span { at, len, label: label.into() }
    }

    #[test]
    fn holes_are_found_at_the_start_inside_and_at_the_end() {
        let build = |at: u64, len: u64| {
            let mut builder = Builder::new(100);
            builder.copy(at, 0, len, "a").zero(20, 20, "b");
            builder.finish(50).unwrap_err()
        };
        let (a, b) = (|at, len| Some(span(at, len, "a")), Some(span(20, 20, "b")));
        for (error, at, len, before, after) in [
            (build(5, 15), 0, 5, None, a(5, 15)),
            (build(0, 15), 15, 5, a(0, 15), b.clone()),
            (build(0, 20), 40, 10, b, None),
        ] {
            let hole = PatchError::Hole { at, len, before, after };
            assert_eq!(error, hole);
        }
        let nothing = Builder::new(100).finish(1).unwrap_err();
        assert!(matches!(nothing, PatchError::Hole { at: 0, len: 1, .. }));
    }

    #[test]
    fn overlapping_base_pieces_are_refused_even_with_equal_bytes() {
        let mut builder = Builder::new(0);
        builder.write(4, &b"aaaa"[..], "late").write(0, &b"aaaaa"[..], "early");
        let error = builder.finish(8).unwrap_err();
        let expected = PatchError::Overlap { first: span(0, 5, "early"), second: span(4, 4, "late") };
        assert_eq!(error, expected);
    }

    #[test]
    fn ranges_past_the_ends_are_refused_also_when_they_would_wrap() {
        for at in [1, u64::MAX] {
            let mut builder = Builder::new(8);
            builder.copy(at, 0, 8, "x");
            let error = builder.finish(8).unwrap_err();
            assert!(matches!(error, PatchError::PastOutput { output_len: 8, .. }));
        }
        for from in [1, u64::MAX] {
            let mut builder = Builder::new(8);
            builder.copy(0, from, 8, "x");
            let error = builder.finish(8).unwrap_err();
            assert!(matches!(error, PatchError::PastInput { input_len: 8, .. }));
        }
        for at in [5, u64::MAX] {
            let mut builder = Builder::new(8);
            builder.copy(0, 0, 8, "x").overlay(at, &b"1234"[..], "field");
            let error = builder.finish(8).unwrap_err();
            let expected = PatchError::PastOutput { span: span(at, 4, "field"), output_len: 8 };
            assert_eq!(error, expected);
        }
    }

    #[test]
    fn empty_pieces_are_dropped_wherever_they_are() {
        let mut builder = Builder::new(4);
        builder.copy(99, 99, 0, "").write(2, &b""[..], "").zero(u64::MAX, 0, "");
        builder.copy(0, 0, 4, "all").overlay(77, &b""[..], "");
        let patch = builder.finish(4).unwrap();
        assert_eq!(patch.pieces().len(), 1);
    }

    #[test]
    fn overlays_cut_base_pieces_and_may_span_them() {
        let mut builder = Builder::new(8);
        builder.overlay(6, &b"WXYZ"[..], "across").overlay(1, &b"!"[..], "inside");
        builder.zero(8, 4, "zeros").copy(0, 0, 8, "kept");
        let patch = builder.finish(12).unwrap();
        assert_eq!(
            explain(&patch),
            "keep 0x0..0x1 from 0x0 kept\nwrite 0x1..0x2 inside\nkeep 0x2..0x6 from 0x2 kept\n\
             write 0x6..0xa across\nzero 0xa..0xc zeros\n7 of 12 bytes written\n"
        );
        assert_eq!(to_vec(&patch, b"abcdefgh"), b"a!cdefWXYZ\0\0");
    }

    #[test]
    fn overlays_may_repeat_but_not_disagree() {
        let build = |overlays: &[(u64, &'static [u8])]| {
            let mut builder = Builder::new(0);
            builder.zero(0, 10, "");
            for (at, bytes) in overlays {
                builder.overlay(*at, *bytes, format!("field {at}"));
            }
            builder.finish(10)
        };
        let same = [(2, &b"cdef"[..]), (2, b"cdef"), (2, b"cd"), (3, b"d"), (4, b"efg"), (5, b"fgh")];
        let patch = build(&same).unwrap();
        assert_eq!(to_vec(&patch, b""), b"\0\0cdefgh\0\0");
        let error = build(&[(2, b"cdef"), (4, b"eX"), (0, b"?")]).unwrap_err();
        let expected = PatchError::Conflict { first: span(2, 4, "field 2"), second: span(4, 2, "field 4"), at: 5 };
        assert_eq!(error, expected);
        // The earlier one it contradicts is not its neighbour in the list.
        let error = build(&[(0, b"ab"), (1, b"bcd"), (1, b"Xcd")]).unwrap_err();
        assert!(matches!(error, PatchError::Conflict { at: 1, .. }));
    }

    #[test]
    fn a_hundred_thousand_overlays_do_not_take_quadratic_time() {
        let fields = 100_000_u64;
        let mut builder = Builder::new(fields * 64);
        builder.write(0, vec![1; 64 * index(fields)], "owned, so cutting it copies");
        for i in (0..fields).rev() {
            builder.overlay(i * 64 + 8, i.to_le_bytes().to_vec(), "field");
        }
        let start = Instant::now();
        let patch = builder.finish(fields * 64).unwrap();
        assert_eq!(patch.pieces().len(), 2 * index(fields) + 1);
        // Quadratic copying of these 6.4 MB would take minutes.
        assert!(start.elapsed() < Duration::from_secs(5));
    }
}
