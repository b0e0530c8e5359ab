//! Leaves out of a patch what the input already has.

use std::borrow::Cow;
use std::ops::Range;

use crate::op::{Op, Piece, index};
use crate::patch::Patch;

/// Equal bytes between two differing runs are written again when there are fewer of them: a
/// longer list costs more than they do.
const GAP: usize = 64;

impl<'a> Patch<'a> {
    /// The same output, described with as little writing as possible: written bytes and zeros that
    /// the input has at the same offset become copies, and copies that continue each other become
    /// one. An edit that asks for nothing new becomes one copy of the whole input, for which
    /// [`is_identity`](Self::is_identity) holds. Idempotent.
    ///
    /// Reads no more of the input than is written. Copies are never compared. A label survives
    /// merging when both pieces have it; what was found equal has none.
    ///
    /// # Panics
    ///
    /// If `input` has another length than the patch was made for.
    #[must_use]
    pub fn normalize(self, input: &[u8]) -> Self {
        self.assert_for(input);
        let (input_len, output_len) = (self.input_len(), self.output_len());
        let mut pieces = Vec::with_capacity(self.pieces().len());
        for piece in self.into_pieces() {
            if piece.is_kept() {
                push(&mut pieces, piece);
                continue;
            }
            let size = piece.op.size();
            let runs = differing_runs(&piece, input);
            if matches!(&runs[..], [run] if *run == (0..size)) {
                push(&mut pieces, piece);
                continue;
            }
            let mut done = 0;
            for run in runs {
                push_equal(&mut pieces, &piece, done..run.start);
                done = run.end;
                let part = Piece { at: piece.at + run.start, op: piece.op.part(run), label: piece.label.clone() };
                push(&mut pieces, part);
            }
            push_equal(&mut pieces, &piece, done..size);
        }
        Self::of(input_len, output_len, pieces)
    }
}

/// Adds the copy that stands for a part of `piece` that equals the input.
fn push_equal<'a>(pieces: &mut Vec<Piece<'a>>, piece: &Piece<'a>, part: Range<u64>) {
    if !part.is_empty() {
        let at = piece.at + part.start;
        let len = part.end - part.start;
        let op = Op::Copy { from: at, len };
        let label = Cow::Borrowed("");
        push(pieces, Piece { at, op, label });
    }
}

/// Adds a piece, merging a copy with one it continues.
fn push<'a>(pieces: &mut Vec<Piece<'a>>, piece: Piece<'a>) {
    if let Op::Copy { from, len } = piece.op
        && let Some(last) = pieces.last_mut()
        && let Op::Copy { from: last_from, len: last_len } = &mut last.op
        && *last_from + *last_len == from
    {
        *last_len += len;
        if last.label != piece.label {
            last.label = Cow::Borrowed("");
        }
    } else {
        pieces.push(piece);
    }
}

/// The parts of a written piece, counted from its start, that differ from the input at the same
/// offset or lie behind its end. Ascending, not empty, at least [`GAP`] apart.
fn differing_runs(piece: &Piece<'_>, input: &[u8]) -> Vec<Range<u64>> {
    let size = piece.op.size();
    let old = input.get(index(piece.at)..).unwrap_or_default();
    let old = &old[..old.len().min(index(size))];
    let new_blocks = piece.op.bytes(&[]).flat_map(|bytes| bytes.chunks(GAP));
    let mut runs = Vec::new();
    let mut start = 0;
    for (old, new) in old.chunks(GAP).zip(new_blocks) {
        let new = &new[..old.len()];
        if old != new {
            let mut differs = old.iter().zip(new).map(|(a, b)| a != b);
            let first = differs.clone().position(|differs| differs).unwrap_or(0);
            let last = differs.rposition(|differs| differs).unwrap_or(0);
            add(&mut runs, start + first as u64..start + last as u64 + 1);
        }
        start += old.len() as u64;
    }
    if start < size {
        add(&mut runs, start..size);
    }
    runs
}

/// Adds a run, merging it with one that ends close in front of it.
fn add(runs: &mut Vec<Range<u64>>, run: Range<u64>) {
    match runs.last_mut() {
        Some(last) if run.start - last.end < GAP as u64 => last.end = run.end,
        _ => runs.push(run),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::op::ZEROS;
    use crate::{Builder, explain, to_vec};

    fn written(old: &[u8], new: &[u8]) -> Patch<'static> {
        let mut builder = Builder::new(old.len() as u64);
        builder.write(0, new.to_vec(), "new");
        builder.finish(new.len() as u64).unwrap().normalize(old)
    }

    #[test]
    fn writing_what_is_there_changes_nothing() {
        let old: Vec<u8> = (0..=255).collect();
        let mut builder = Builder::new(256);
        builder.copy(0, 0, 10, "a").write(10, &old[10..100], "b").copy(100, 100, 156, "c");
        builder.overlay(200, &old[200..208], "field");
        let patch = builder.finish(256).unwrap();
        assert!(!patch.is_identity());
        assert_eq!(patch.normalize(&old), Patch::identity(256));
        assert_eq!(written(b"", b""), Patch::identity(0));
    }

    #[test]
    fn only_differing_runs_stay_written() {
        let old = vec![1; 1000];
        let mut new = old.clone();
        new[100] = 2;
        new[100 + GAP] = 2; // GAP - 1 equal bytes between: one run
        new[500] = 2;
        new[501 + GAP] = 2; // GAP equal bytes between: two runs
        let patch = written(&old, &new);
        assert_eq!(
            explain(&patch),
            "keep 0x0..0x64 from 0x0\nwrite 0x64..0xa5 new\nkeep 0xa5..0x1f4 from 0xa5\n\
             write 0x1f4..0x1f5 new\nkeep 0x1f5..0x235 from 0x1f5\nwrite 0x235..0x236 new\n\
             keep 0x236..0x3e8 from 0x236\n67 of 1000 bytes written\n"
        );
        assert_eq!(to_vec(&patch, &old), new);
    }

    #[test]
    fn what_lies_behind_the_input_stays_written() {
        let patch = written(b"abc", b"abcdef");
        assert_eq!(patch.written(), 3);
        assert_eq!(to_vec(&patch, b"abc"), b"abcdef");
        let mut builder = Builder::new(2);
        builder.copy(0, 0, 2, "").zero(2, 1 << 40, "far more than memory holds");
        let patch = builder.finish(2 + (1 << 40)).unwrap().normalize(b"ab");
        assert_eq!(patch.pieces().len(), 2);
    }

    #[test]
    fn zeros_over_zeros_are_kept() {
        let mut old = vec![0; 3 * ZEROS.len()];
        old[ZEROS.len() + 7] = 9;
        let mut builder = Builder::new(old.len() as u64);
        builder.zero(0, old.len() as u64, "");
        let patch = builder.finish(old.len() as u64).unwrap().normalize(&old);
        assert_eq!((patch.pieces().len(), patch.written()), (3, 1));
    }

    #[test]
    fn copies_merge_only_when_they_continue_each_other() {
        let mut builder = Builder::new(8);
        builder.copy(0, 4, 2, "x").copy(2, 6, 2, "x").copy(4, 4, 2, "x").copy(6, 6, 2, "y");
        let patch = builder.finish(8).unwrap().normalize(b"abcdefgh");
        assert_eq!(explain(&patch), "keep 0x0..0x4 from 0x4 x\nkeep 0x4..0x8 from 0x4\n0 of 8 bytes written\n");
        assert_eq!(patch.clone().normalize(b"abcdefgh"), patch);
    }
}
