//! Why a file cannot be read as ELF. The file's name is added by the caller, once.

use std::fmt;

/// What is wrong with the bytes of an ELF file.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ElfError {
    /// Occurs when the file does not begin with a whole ELF identification (`\x7fELF`, known class, byte order, version).
    NotElf {
        /// What the identification lacks.
        why: &'static str,
    },
    /// Occurs when a table or the contents of a section lie outside the file.
    OutOfBounds {
        /// Which structure.
        what: String,
        /// File offset where it begins.
        offset: u64,
        /// Its size in bytes.
        size: u64,
        /// Size of the file (without an appended signature) in bytes.
        file_size: u64,
    },
    /// Occurs when a header gives an entry size that its class does not have.
    EntrySize {
        /// Which table.
        what: String,
        /// What the header says.
        found: u64,
        /// What the class needs.
        expected: u64,
    },
    /// Occurs when a section or string table index, or a string offset, points nowhere.
    BadIndex {
        /// Which field of what.
        what: String,
        /// Its value.
        index: u64,
        /// The first value that is too large.
        limit: u64,
    },
    /// Occurs when a structure contradicts itself.
    Invalid {
        /// Which structure, and how.
        what: String,
    },
}

impl fmt::Display for ElfError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ElfError::NotElf { why } => write!(f, "not an ELF file: {why}"),
            ElfError::OutOfBounds { what, offset, size, file_size } => {
                write!(
                    f,
                    "{what}: {size} bytes at offset {offset:#x} reach beyond the end of the file ({file_size} bytes)"
                )
            }
            ElfError::EntrySize { what, found, expected } => {
                write!(f, "{what}: entry size is {found}, expected {expected}")
            }
            ElfError::BadIndex { what, index, limit } => {
                write!(f, "{what}: {index} is out of range (limit {limit})")
            }
            ElfError::Invalid { what } => f.write_str(what),
        }
    }
}

impl std::error::Error for ElfError {}
