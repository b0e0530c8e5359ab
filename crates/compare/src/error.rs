//! Why a file cannot be compared or checked at all.

use std::{error, fmt};

/// One of the two header tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Table {
    /// `e_shoff`, `e_shnum`, `e_shentsize`.
    Sections,
    /// `e_phoff`, `e_phnum`, `e_phentsize`.
    Segments,
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Table::Sections => "section header table",
            Table::Segments => "program header table",
        })
    }
}

/// What the reading library says. Its own types are not part of this crate's interface.
type Source = Box<dyn error::Error + Send + Sync>;

/// Why a file cannot be read. The file's name is the caller's to add.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// Occurs when the file does not begin with an ELF header of a known class and data encoding.
    Header(Source),
    /// Occurs when the reading library refuses a table whose place and size are right.
    Refused {
        /// The table.
        table: Table,
        /// What it says.
        source: Source,
    },
    /// Occurs when `e_shentsize` or `e_phentsize` is not the size of the file's class. The kernel, libelf and
    /// binutils refuse such a file.
    EntrySize {
        /// The table.
        table: Table,
        /// Size of an entry in bytes, as told.
        size: u16,
        /// The one of the class.
        expected: u64,
    },
    /// Occurs when a header table reaches beyond the file.
    OutOfBounds {
        /// The table.
        table: Table,
        /// Where it begins in the file.
        offset: u64,
        /// Number of its entries.
        count: u64,
        /// Bytes of an entry.
        size: u64,
        /// Bytes of the file.
        len: u64,
    },
    /// Occurs when two files are to be compared whose sections share so many bytes that comparing each section by
    /// itself would take far longer than the file's size allows.
    Overlap {
        /// Bytes of all sections.
        total: u64,
        /// Bytes of the file.
        len: u64,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Header(source) => write!(f, "no ELF file: {source}"),
            Error::Refused { table, source } => write!(f, "{table}: {source}"),
            Error::EntrySize { table, size, expected } => {
                write!(f, "{table}: entries of {size} bytes, those of this class have {expected}")
            }
            Error::OutOfBounds { table, offset, count, size, len } => {
                write!(
                    f,
                    "{table} at {offset:#x}, {count} entries of {size} bytes, reaches beyond the file's {len} bytes"
                )
            }
            Error::Overlap { total, len } => {
                write!(f, "sections hold {total} bytes in a file of {len}: they overlap, see 'elfgraft check'")
            }
        }
    }
}

impl error::Error for Error {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Error::Header(source) | Error::Refused { source, .. } => Some(source.as_ref()),
            _ => None,
        }
    }
}
