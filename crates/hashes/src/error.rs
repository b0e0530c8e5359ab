//! What can go wrong, without the name of the file it went wrong in.

use std::{error, fmt, io};

/// A result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Why there is no list, no hash or no root. The text does not name the file: the caller knows it.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// Occurs when a line of `modules.order` does not end in `.o`.
    NotAnObject {
        /// Line, from 1.
        line: usize,
        /// The whole line.
        name: Vec<u8>,
    },
    /// Occurs when a line of `modules.order` ends in CR LF. kbuild writes LF; what put the CR
    /// there may have changed more, and no other reader of the file takes the CR off.
    CarriageReturn {
        /// Line, from 1.
        line: usize,
    },
    /// Occurs when a line of `modules.order` is empty and others follow.
    BlankLine {
        /// Line, from 1.
        line: usize,
    },
    /// Occurs when a module is in `modules.order` twice: it would have two positions, but can
    /// carry one proof.
    ListedTwice {
        /// Line of the second time, from 1.
        line: usize,
        /// Line of the first time, from 1.
        first: usize,
        /// The whole line.
        name: Vec<u8>,
    },
    /// Occurs when `modules.order` has more modules than 32-bit positions can tell apart.
    TooMany {
        /// The first line too many, from 1.
        line: usize,
    },
    /// Occurs when a module cannot be opened or read.
    Read {
        /// What the system said.
        source: io::Error,
    },
    /// Occurs when a module is a directory, device, FIFO or socket.
    NotAFile,
    /// Occurs when a module is compressed: the kernel decompresses first, so neither hash nor proof
    /// would be for what it looks at.
    Compressed {
        /// What with: `xz`, `gzip` or `zstd`.
        format: &'static str,
    },
    /// Occurs when a module is written to or replaced while it is read.
    Changed {
        /// Size in bytes before it was read.
        before: u64,
        /// Size in bytes afterwards.
        after: u64,
    },
    /// Occurs when the data of `.module_hashes` is not 36 bytes.
    RootLen {
        /// Its length in bytes.
        len: usize,
    },
    /// Occurs when `.module_hashes` tells of more levels than 32-bit positions can have: it was
    /// read in the wrong byte order, or is something else.
    RootLevels {
        /// The number of levels.
        levels: u32,
    },
    /// Occurs when a proof is not a position and at most 32 hashes.
    ProofLen {
        /// Its length in bytes.
        len: usize,
    },
    /// Occurs when a `.merkle` file does not end in a struct module_signature for a Merkle proof of
    /// its length, and the marker.
    NotMerkleFile {
        /// Its length in bytes.
        len: usize,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAnObject { line, name } => {
                write!(f, "line {line}: '{}' does not end in '.o'", text(name))
            }
            Self::CarriageReturn { line } => {
                write!(f, "line {line} ends in CR LF; kbuild writes LF alone")
            }
            Self::BlankLine { line } => write!(f, "line {line} is empty, and more lines follow"),
            Self::ListedTwice { line, first, name } => {
                write!(f, "line {line}: '{}' is already on line {first}; a module has one position", text(name))
            }
            Self::TooMany { line } => write!(f, "line {line}: a module hash has 32 bits for the position, not more"),
            Self::Read { source } => write!(f, "cannot read module: {source}"),
            Self::NotAFile => write!(f, "cannot read module: not a regular file"),
            Self::Compressed { format } => {
                write!(f, "module is compressed ({format}); hashes and proofs are of what is inside")
            }
            Self::Changed { before, after } if before != after => {
                write!(f, "module changed while it was read: {before} bytes, then {after}")
            }
            Self::Changed { .. } => write!(f, "module changed while it was read"),
            Self::RootLen { len } => write!(f, "section '.module_hashes': contents are {len} bytes, a root is 36"),
            Self::RootLevels { levels } => write!(
                f,
                "section '.module_hashes': {levels} levels, a tree has at most 32; is it of the other byte order?"
            ),
            Self::ProofLen { len } => {
                write!(f, "proof is {len} bytes, not 4 for the position and 32 for each of at most 32 levels")
            }
            Self::NotMerkleFile { len } => {
                write!(f, "{len} bytes that are no Merkle proof as it is appended to a module")
            }
        }
    }
}

impl error::Error for Error {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::Read { source } => Some(source),
            _ => None,
        }
    }
}

impl From<io::Error> for Error {
    fn from(source: io::Error) -> Self {
        Self::Read { source }
    }
}

/// A name from a file, safe to print: it may hold anything, terminal escapes included.
fn text(name: &[u8]) -> String {
    String::from_utf8_lossy(name).escape_debug().to_string()
}
