//! The checked list of pieces.

use std::borrow::Cow;

use crate::op::{Op, Piece};

/// A new file, described by byte ranges of the old one.
///
/// Always true, because [`Builder::finish`](crate::Builder::finish) checks it: the pieces are
/// sorted, none is empty, together they fill `0..output_len` without hole or overlap, and every
/// copied range lies inside the input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Patch<'a> {
    input_len: u64,
    output_len: u64,
    pieces: Vec<Piece<'a>>,
}

impl<'a> Patch<'a> {
    /// The patch that changes nothing about an input of `len` bytes.
    pub fn identity(len: u64) -> Self {
        let whole = Piece { at: 0, op: Op::Copy { from: 0, len }, label: Cow::Borrowed("") };
        Self { input_len: len, output_len: len, pieces: if len == 0 { Vec::new() } else { vec![whole] } }
    }

    /// The patch that makes a file of `bytes` from an empty input.
    pub(crate) fn whole(bytes: &'a [u8]) -> Self {
        let whole = Piece { at: 0, op: Op::Write(Cow::Borrowed(bytes)), label: Cow::Borrowed("") };
        let pieces = if bytes.is_empty() { Vec::new() } else { vec![whole] };
        Self::of(0, bytes.len() as u64, pieces)
    }

    /// Trusts the caller with the guarantees; they are asserted in tests.
    pub(crate) fn of(input_len: u64, output_len: u64, pieces: Vec<Piece<'a>>) -> Self {
        debug_assert!(pieces.iter().all(|piece| piece.op.size() > 0));
        debug_assert_eq!(
            pieces.iter().try_fold(0, |end, piece| { (piece.at == end).then(|| end + piece.op.size()) }),
            Some(output_len)
        );
        Self { input_len, output_len, pieces }
    }

    /// Whether the output is the input, seen from the list alone: call
    /// [`normalize`](Self::normalize) first to have equal bytes noticed.
    pub fn is_identity(&self) -> bool {
        self.input_len == self.output_len && self.pieces.iter().all(Piece::stays)
    }

    /// The pieces, by ascending offset.
    pub fn pieces(&self) -> &[Piece<'a>] {
        &self.pieces
    }

    pub(crate) fn into_pieces(self) -> Vec<Piece<'a>> {
        self.pieces
    }

    /// Bytes of the input.
    pub fn input_len(&self) -> u64 {
        self.input_len
    }

    /// Bytes of the output.
    pub fn output_len(&self) -> u64 {
        self.output_len
    }

    /// How many bytes of the output are copied from the input.
    pub fn kept(&self) -> u64 {
        let kept = self.pieces.iter().filter(|piece| piece.is_kept());
        kept.map(|piece| piece.op.size()).sum()
    }

    /// How many bytes of the output are written or zeroed.
    pub fn written(&self) -> u64 {
        self.output_len - self.kept()
    }

    /// How many bytes of the output are zeros or another filler that no input holds: padding, mostly.
    pub fn filled(&self) -> u64 {
        let filled = self.pieces.iter().filter(|piece| matches!(piece.op, Op::Zero { .. } | Op::Fill { .. }));
        filled.map(|piece| piece.op.size()).sum()
    }

    /// Executors call this first: a patch for another input would read out of bounds or, worse,
    /// give a plausible file.
    pub(crate) fn assert_for(&self, input: &[u8]) {
        assert_eq!(self.input_len, input.len() as u64, "the patch was made for an input of another length");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Builder;

    #[test]
    fn identity_of_nothing_has_no_pieces() {
        let patch = Patch::identity(0);
        assert!(patch.is_identity());
        assert!(patch.pieces().is_empty());
        assert_eq!((patch.kept(), patch.written()), (0, 0));
    }

    #[test]
    fn identity_counts_length_and_place() {
        assert!(Patch::identity(9).is_identity());
        let mut shorter = Builder::new(9);
        shorter.copy(0, 0, 8, "all but one");
        assert!(!shorter.finish(8).unwrap().is_identity());
        let mut moved = Builder::new(9);
        moved.copy(0, 1, 8, "moved").zero(8, 1, "end");
        let moved = moved.finish(9).unwrap();
        assert!(!moved.is_identity());
        assert_eq!((moved.kept(), moved.written()), (8, 1));
    }
}
