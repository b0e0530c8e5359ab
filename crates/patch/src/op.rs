//! One piece of the output: where it lies, what fills it, and what people call it.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::OnceLock;

/// Zeros to write from, and the size of the blocks in which long ranges are handled.
pub(crate) static ZEROS: [u8; 64 * 1024] = [0; 64 * 1024];

/// A block of one byte, as long as [`ZEROS`]: each byte that is asked for gets one, once.
fn block(byte: u8) -> &'static [u8] {
    static BLOCKS: [OnceLock<Vec<u8>>; 256] = [const { OnceLock::new() }; 256];
    match byte {
        0 => &ZEROS,
        _ => BLOCKS[usize::from(byte)].get_or_init(|| vec![byte; ZEROS.len()]),
    }
}

/// What fills a range of the output.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Op<'a> {
    /// `len` bytes of the input, from its offset `from` on.
    Copy {
        /// Offset in the input.
        from: u64,
        /// Number of bytes.
        len: u64,
    },
    /// These bytes, borrowed (a mapped blob) or owned.
    Write(Cow<'a, [u8]>),
    /// `len` zeros. A new file may get a hole for them.
    Zero {
        /// Number of bytes.
        len: u64,
    },
    /// `len` times the same byte: as little in memory, but never a hole.
    Fill {
        /// The byte.
        byte: u8,
        /// Number of bytes.
        len: u64,
    },
}

impl<'a> Op<'a> {
    /// How many bytes of the output this fills.
    pub fn size(&self) -> u64 {
        match self {
            Self::Copy { len, .. } | Self::Zero { len } | Self::Fill { len, .. } => *len,
            Self::Write(bytes) => bytes.len() as u64,
        }
    }

    /// The part of this that fills `range`, counted from this op's own start and inside its size.
    /// Borrowed bytes stay borrowed; owned ones are copied, once for each byte asked for.
    pub(crate) fn part(&self, range: Range<u64>) -> Self {
        let len = range.end - range.start;
        match self {
            Self::Copy { from, .. } => Self::Copy { from: from + range.start, len },
            Self::Zero { .. } => Self::Zero { len },
            Self::Fill { byte, .. } => Self::Fill { byte: *byte, len },
            Self::Write(Cow::Borrowed(bytes)) => Self::Write(Cow::Borrowed(slice(bytes, range))),
            Self::Write(Cow::Owned(bytes)) => Self::Write(Cow::Owned(slice(bytes, range).to_vec())),
        }
    }

    /// The bytes this puts into the output, as consecutive slices; zeros and fill come in blocks.
    ///
    /// # Panics
    ///
    /// If `input` is not the input this op was checked against.
    pub(crate) fn bytes<'s>(&'s self, input: &'s [u8]) -> impl Iterator<Item = &'s [u8]> {
        let (given, byte, mut left) = match self {
            Self::Copy { from, len } => (slice(input, *from..*from + *len), 0, 0),
            Self::Write(bytes) => (&bytes[..], 0, 0),
            Self::Zero { len } => (&[][..], 0, *len),
            Self::Fill { byte, len } => (&[][..], *byte, *len),
        };
        let whole = block(byte);
        let blocks = std::iter::from_fn(move || {
            let part = &whole[..index(left).min(whole.len())];
            left -= part.len() as u64;
            (!part.is_empty()).then_some(part)
        });
        (!given.is_empty()).then_some(given).into_iter().chain(blocks)
    }
}

/// A range of the output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece<'a> {
    /// Offset in the output.
    pub at: u64,
    /// What fills it.
    pub op: Op<'a>,
    /// What people call this range; may be empty.
    pub label: Cow<'a, str>,
}

impl Piece<'_> {
    /// The offsets of the output this piece fills. Does not overflow in a finished patch.
    pub fn range(&self) -> Range<u64> {
        self.at..self.at + self.op.size()
    }

    /// Whether this piece leaves input bytes at the offset they have.
    pub(crate) fn stays(&self) -> bool {
        matches!(self.op, Op::Copy { from, .. } if from == self.at)
    }

    /// Whether this piece takes its bytes from the input.
    pub(crate) fn is_kept(&self) -> bool {
        matches!(self.op, Op::Copy { .. })
    }
}

/// An offset as an index. One that memory cannot hold becomes the largest index, which lies
/// outside of every slice.
pub(crate) fn index(offset: u64) -> usize {
    usize::try_from(offset).unwrap_or(usize::MAX)
}

/// `bytes[range]` for a range that a finished patch guarantees to be inside.
pub(crate) fn slice(bytes: &[u8], range: Range<u64>) -> &[u8] {
    &bytes[index(range.start)..index(range.end)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn part_keeps_the_kind_and_moves_the_start() {
        let copy = Op::Copy { from: 100, len: 10 };
        assert_eq!(copy.part(3..7), Op::Copy { from: 103, len: 4 });
        assert_eq!(Op::Zero { len: 9 }.part(1..9), Op::Zero { len: 8 });
        let borrowed = Op::Write(Cow::Borrowed(b"abcdef"));
        assert!(matches!(borrowed.part(2..4), Op::Write(Cow::Borrowed(b"cd"))));
        assert_eq!(Op::Fill { byte: 7, len: 9 }.part(1..9), Op::Fill { byte: 7, len: 8 });
        let owned = Op::Write(Cow::Owned(b"abcdef".to_vec()));
        assert_eq!(owned.part(2..4), Op::Write(b"cd".into()));
    }

    #[test]
    fn zeros_come_in_blocks_that_add_up() {
        let len = ZEROS.len() as u64 * 2 + 5;
        let op = Op::Zero { len };
        let sizes: Vec<usize> = op.bytes(&[]).map(<[u8]>::len).collect();
        assert_eq!(sizes, [ZEROS.len(), ZEROS.len(), 5]);
        assert_eq!(Op::Zero { len: 0 }.bytes(&[]).count(), 0);
        let fill = Op::Fill { byte: 7, len };
        let all: Vec<u8> = fill.bytes(&[]).flatten().copied().collect();
        assert!(all.len() as u64 == len && all.iter().all(|&b| b == 7));
    }
}
