//! The stable text form of a patch.

use std::fmt;

use crate::op::Op;
use crate::patch::Patch;

/// One line per piece, then a line of totals; see the `Display` of [`Patch`].
///
/// ```
/// let mut builder = elfgraft_patch::Builder::new(0x40);
/// builder.copy(0, 0, 0x40, "head").write(0x40, &b"\x7f"[..], "mark").zero(0x41, 3, "padding");
/// let patch = builder.finish(0x44).unwrap();
/// assert_eq!(
///     elfgraft_patch::explain(&patch),
///     "keep 0x0..0x40 from 0x0 head\nwrite 0x40..0x41 mark\nzero 0x41..0x44 padding\n\
///      4 of 68 bytes written\n"
/// );
/// ```
pub fn explain(patch: &Patch<'_>) -> String {
    patch.to_string()
}

/// Offsets are of the output, hexadecimal, the end excluded; `from` is an offset of the input.
impl fmt::Display for Patch<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for piece in self.pieces() {
            let range = piece.range();
            let verb = match piece.op {
                Op::Copy { .. } => "keep",
                Op::Write(_) => "write",
                Op::Zero { .. } => "zero",
                Op::Fill { .. } => "fill",
            };
            write!(f, "{verb} {:#x}..{:#x}", range.start, range.end)?;
            if let Op::Copy { from, .. } = piece.op {
                write!(f, " from {from:#x}")?;
            }
            if let Op::Fill { byte, .. } = piece.op {
                write!(f, " with {byte:#04x}")?;
            }
            if !piece.label.is_empty() {
                write!(f, " {}", piece.label)?;
            }
            writeln!(f)?;
        }
        writeln!(f, "{} of {} bytes written", self.written(), self.output_len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identity_is_one_line_and_totals() {
        let text = explain(&Patch::identity(0x1234));
        assert_eq!(text, "keep 0x0..0x1234 from 0x0\n0 of 4660 bytes written\n");
        assert_eq!(explain(&Patch::identity(0)), "0 of 0 bytes written\n");
    }
}
