//! Executors without a file of their own: into memory, and into a stream.

use std::io::{self, Write};
use std::ops::Range;

use crate::op::{ZEROS, index, slice};
use crate::patch::Patch;

/// The whole output in memory: for tests, and for checking a result before it is written.
///
/// # Panics
///
/// If `input` has another length than the patch was made for.
pub fn to_vec(patch: &Patch<'_>, input: &[u8]) -> Vec<u8> {
    patch.assert_for(input);
    let mut output = Vec::with_capacity(index(patch.output_len()));
    for piece in patch.pieces() {
        piece.op.bytes(input).for_each(|bytes| output.extend_from_slice(bytes));
    }
    output
}

/// Writes the output to a stream: a pipe, a device, standard output. Small pieces are gathered,
/// large ones go straight from the input, so memory does not follow sizes. `out` is flushed.
///
/// # Errors
///
/// Those of `out`; the output is then incomplete.
///
/// # Panics
///
/// If `input` has another length than the patch was made for.
pub fn write_to(patch: &Patch<'_>, input: &[u8], out: &mut dyn Write) -> io::Result<()> {
    patch.assert_for(input);
    let mut out = io::BufWriter::with_capacity(ZEROS.len(), out);
    for piece in patch.pieces() {
        piece.op.bytes(input).try_for_each(|bytes| out.write_all(bytes))?;
    }
    out.flush()
}

/// The bytes of a range of the output, as consecutive slices with their offsets.
pub(crate) fn chunks<'s>(
    patch: &'s Patch<'_>,
    input: &'s [u8],
    range: Range<u64>,
) -> impl Iterator<Item = (u64, &'s [u8])> {
    let pieces = patch.pieces();
    let first = pieces.partition_point(|piece| piece.range().end <= range.start);
    let reached = pieces[first..].iter().take_while(move |piece| piece.at < range.end);
    reached.flat_map(move |piece| {
        let mut next = piece.at;
        piece.op.bytes(input).filter_map(move |bytes| {
            let at = next;
            next += bytes.len() as u64;
            let inside = range.start.max(at)..range.end.min(next);
            (inside.start < inside.end).then(|| (inside.start, slice(bytes, inside.start - at..inside.end - at)))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Builder;

    #[test]
    fn pieces_are_put_together_in_order() {
        let mut builder = Builder::new(6);
        builder.write(2, &b"xy"[..], "").copy(4, 0, 6, "").zero(0, 2, "");
        let patch = builder.finish(10).unwrap();
        let expected = b"\0\0xyabcdef";
        assert_eq!(to_vec(&patch, b"abcdef"), expected);
        let mut streamed = Vec::new();
        write_to(&patch, b"abcdef", &mut streamed).unwrap();
        assert_eq!(streamed, expected);
    }

    #[test]
    fn chunks_are_cut_at_both_ends() {
        let mut builder = Builder::new(4);
        builder.copy(0, 0, 4, "").write(4, &b"efgh"[..], "").zero(8, 4, "");
        let patch = builder.finish(12).unwrap();
        let cut: Vec<_> = chunks(&patch, b"abcd", 1..10).collect();
        assert_eq!(cut, [(1, &b"bcd"[..]), (4, b"efgh"), (8, b"\0\0")]);
        assert_eq!(chunks(&patch, b"abcd", 5..6).collect::<Vec<_>>(), [(5, &b"f"[..])]);
        assert_eq!(chunks(&patch, b"abcd", 4..4).count(), 0);
    }

    #[test]
    #[should_panic(expected = "another length")]
    fn another_input_is_refused() {
        to_vec(&Patch::identity(3), b"four");
    }

    #[test]
    fn a_full_stream_is_an_error() {
        let mut full = &mut [0_u8; 3][..];
        let error = write_to(&Patch::identity(4), b"four", &mut full).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WriteZero);
    }
}
