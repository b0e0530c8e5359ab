//! What can be wrong with a plan, and what can go wrong with a file.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::mapping::shortened;
use crate::shown::shown;

/// A labelled range of the output, for messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// Offset in the output.
    pub at: u64,
    /// Number of bytes.
    pub len: u64,
    /// What people call it.
    pub label: String,
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = u128::from(self.at) + u128::from(self.len);
        write!(f, "'{}' {:#x}..{end:#x}", self.label, self.at)
    }
}

/// Why pieces do not make a patch. Offsets and lengths are in bytes of the output, unless said
/// otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum PatchError {
    /// Occurs when nothing fills a range of the output.
    Hole {
        /// First offset that nothing fills.
        at: u64,
        /// Number of bytes that nothing fills.
        len: u64,
        /// The piece in front of it, unless it begins the output.
        before: Option<Span>,
        /// The piece behind it, unless it ends the output.
        after: Option<Span>,
    },
    /// Occurs when two pieces, neither of which is an overlay, fill the same bytes.
    Overlap {
        /// The one that begins first.
        first: Span,
        /// The other one.
        second: Span,
    },
    /// Occurs when two overlays put different values into the same byte.
    Conflict {
        /// The one that begins first.
        first: Span,
        /// The other one.
        second: Span,
        /// Offset of the first byte they disagree about.
        at: u64,
    },
    /// Occurs when a piece reaches past the end of the output.
    PastOutput {
        /// The piece.
        span: Span,
        /// Length of the output.
        output_len: u64,
    },
    /// Occurs when a piece copies from past the end of the input.
    PastInput {
        /// The piece.
        span: Span,
        /// Offset in the input where its copy begins.
        from: u64,
        /// Length of the input.
        input_len: u64,
    },
}

impl fmt::Display for PatchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hole { at, len, before, after } => {
                let end = u128::from(*at) + u128::from(*len);
                write!(f, "nothing fills {at:#x}..{end:#x}, between ")?;
                match before {
                    Some(span) => write!(f, "{span}")?,
                    None => f.write_str("the start")?,
                }
                match after {
                    Some(span) => write!(f, " and {span}"),
                    None => f.write_str(" and the end"),
                }
            }
            Self::Overlap { first, second } => write!(f, "{first} and {second} overlap"),
            Self::Conflict { first, second, at } => {
                write!(f, "{first} and {second} put different bytes at {at:#x}")
            }
            Self::PastOutput { span, output_len } => {
                write!(f, "{span} reaches past the end of the output at {output_len:#x}")
            }
            Self::PastInput { span, from, input_len } => {
                let end = u128::from(*from) + u128::from(span.len);
                write!(f, "{span} copies {from:#x}..{end:#x} of an input that ends at {input_len:#x}")
            }
        }
    }
}

impl std::error::Error for PatchError {}

/// What went wrong with a file. Every message names the file and says why.
#[derive(Debug)]
#[non_exhaustive]
pub enum IoError {
    /// Occurs when the system refuses something.
    System {
        /// What was attempted, in words that fit behind "cannot".
        what: &'static str,
        /// The file it was attempted on.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// Occurs when something other than a regular file stands where one is needed.
    NotRegular {
        /// The file.
        path: PathBuf,
        /// What it is, with its article: "a directory".
        kind: &'static str,
    },
    /// Occurs when a file is no longer the one that was opened: replaced, resized or written to.
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// Occurs when a file that was just written has another length than it should have.
    Length {
        /// The file.
        path: PathBuf,
        /// Length it should have, in bytes.
        expected: u64,
        /// Length it has, in bytes.
        found: u64,
    },
    /// Occurs when bytes read back from a file that was just written are not those written.
    Differs {
        /// The file.
        path: PathBuf,
        /// An offset in the file at or before the first wrong byte.
        at: u64,
    },
    /// Occurs when the target is as it should be, but may not survive a power loss.
    NotDurable {
        /// The file.
        path: PathBuf,
        /// Why its directory cannot be synced.
        source: io::Error,
    },
    /// Occurs when an undo file lies beside a file and nothing safe can be done about it by itself.
    Undo {
        /// The file that may be half written.
        path: PathBuf,
        /// Its undo file.
        undo: PathBuf,
        /// Why it was not restored, and what to do.
        reason: &'static str,
        /// The system's reason, when it refused something.
        source: Option<io::Error>,
    },
}

impl IoError {
    /// For `map_err`: wraps what the system says about `what` on `path`. EFAULT says that a mapped
    /// file has lost the pages that were to be written from.
    pub(crate) fn system<E: Into<io::Error>>(what: &'static str, path: &Path) -> impl FnOnce(E) -> Self {
        move |source| {
            let source = source.into();
            match Self::of_mapping(&source) {
                Some(changed) => changed,
                None => Self::System { what, path: path.to_owned(), source },
            }
        }
    }

    /// If the system says that the bytes of a mapped file are gone: which file that is.
    pub fn of_mapping(source: &io::Error) -> Option<Self> {
        let gone = source.raw_os_error() == Some(libc::EFAULT);
        gone.then(shortened).flatten().map(|path| Self::Changed { path })
    }
}

impl fmt::Display for IoError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::System { what, path, source } => {
                write!(f, "'{}': cannot {what}: {source}", shown(path))
            }
            Self::NotRegular { path, kind } => {
                write!(f, "'{}': it is {kind}, not a regular file", shown(path))
            }
            Self::Changed { path } => {
                write!(f, "'{}': changed while it was read", shown(path))
            }
            Self::Length { path, expected, found } => {
                write!(f, "'{}': it has {found} bytes after writing, expected {expected}", shown(path))
            }
            Self::Differs { path, at } => {
                write!(f, "'{}': it reads back differently than written, near offset {at:#x}", shown(path))
            }
            Self::NotDurable { path, source } => {
                write!(f, "'{}': it is written, but its directory cannot be synced: {source}", shown(path))
            }
            Self::Undo { path, undo, reason, source } => {
                write!(
                    f,
                    "'{}': it has an undo file '{}' of an interrupted in-place edit: {reason}",
                    shown(path),
                    shown(undo)
                )?;
                source.as_ref().map_or(Ok(()), |why| write!(f, ": {why}"))
            }
        }
    }
}

impl std::error::Error for IoError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::System { source, .. } | Self::NotDurable { source, .. } => Some(source),
            Self::Undo { source, .. } => source.as_ref().map(|why| why as _),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_name_both_ranges_and_the_file() {
        let span = |at, label: &str| Span { at, len: 0x10, label: label.into() };
        let overlap = PatchError::Overlap { first: span(0, "head"), second: span(8, "body") };
        assert_eq!(overlap.to_string(), "'head' 0x0..0x10 and 'body' 0x8..0x18 overlap");
        let hole = PatchError::Hole { at: 0x10, len: 4, before: Some(span(0, "head")), after: None };
        assert_eq!(hole.to_string(), "nothing fills 0x10..0x14, between 'head' 0x0..0x10 and the end");
        let refused = IoError::system("create", Path::new("dir/x"))(io::Error::from_raw_os_error(13));
        assert_eq!(refused.to_string(), "'dir/x': cannot create: Permission denied (os error 13)");
    }

    #[test]
    fn a_range_past_the_largest_offset_is_printed_not_wrapped() {
        let span = Span { at: u64::MAX, len: 1, label: String::new() };
        assert_eq!(span.to_string(), "'' 0xffffffffffffffff..0x10000000000000000");
    }
}
