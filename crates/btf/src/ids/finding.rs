//! What can be wrong with a `.BTF_ids` section, with its place.

use crate::Kind;
use std::fmt;
use std::sync::Arc;

/// Something wrong in `.BTF_ids` or its symbols.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What is wrong.
    pub problem: Problem,
    /// Name of the set it is in; as all names here, cut where it has more than 256 bytes.
    pub set: Option<Arc<str>>,
    /// Full name of the symbol it was found at.
    pub symbol: Option<Arc<str>>,
    /// Byte offset in the section.
    pub offset: u64,
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Problem {
    /// The symbol's name begins with `__BTF_ID__`, and then no known kind.
    UnsupportedPrefix,
    /// The symbol's name has no type's name before its unique ending.
    BadSymbolName,
    /// The symbol's name has no set's name.
    BadSetName,
    /// A second set of that name.
    DuplicateSet,
    /// The word a symbol points to lies beyond the section.
    BeyondSection {
        /// Bytes of the section.
        len: u64,
    },
    /// A symbol does not point to the start of a word.
    BetweenWords,
    /// The size of a set's symbol is not that of a count and whole entries.
    BadSetSize {
        /// `st_size`.
        size: u64,
    },
    /// The entries reach beyond the section, by the set symbol's size or by the count in the file.
    CountBeyondSection {
        /// Where they end.
        end: u64,
        /// Bytes of the section.
        len: u64,
    },
    /// A set begins before the one before it ends.
    OverlappingSets {
        /// The one before.
        before: Arc<str>,
        /// Where that one ends.
        end: u64,
    },
    /// A symbol points to the count or to the flags of a set, not to an entry's ID.
    NotAnEntry,
    /// Two symbols of different names point to one word.
    ConflictingSymbols {
        /// Full name of the other one.
        other: Arc<str>,
    },
    /// An entry of a set has an ID, and no symbol names it: nothing tells which type that is in other BTF.
    NamelessId {
        /// The ID.
        id: u32,
    },
    /// The count in the file is not the number of entries by the symbol's size. So it is in a file not resolved yet.
    CountMismatch {
        /// The count in the file.
        count: u32,
        /// Entries by the symbol's size.
        entries: u64,
    },
    /// An entry's ID is smaller than the one before it: the kernel's binary search does not find all entries.
    Unsorted {
        /// The ID of the entry before.
        before: u32,
        /// The ID.
        id: u32,
    },
    /// The word is 0 although the BTF has the type.
    Unresolved {
        /// ID of the type.
        id: u32,
    },
    /// The word is 0 and the BTF does not have the type. The kernel's build lets this pass with a warning.
    NotInBtf,
    /// There is no type of that ID.
    IdOutOfRange {
        /// The ID.
        id: u32,
        /// The first ID that does not exist.
        end: u32,
    },
    /// The type of that ID is of another kind than the symbol says.
    OtherKind {
        /// The ID.
        id: u32,
        /// What it is.
        kind: Kind,
    },
    /// The type of that ID has another name than the symbol says.
    StaleSymbol {
        /// The ID.
        id: u32,
        /// The name of that type.
        name: Arc<str>,
    },
}

impl Problem {
    /// The problem's key: stable, for lists of accepted findings.
    #[must_use]
    pub fn key(&self) -> &'static str {
        match self {
            Problem::UnsupportedPrefix => "unsupported-prefix",
            Problem::BadSymbolName => "bad-symbol-name",
            Problem::BadSetName => "bad-set-name",
            Problem::DuplicateSet => "duplicate-set",
            Problem::BeyondSection { .. } => "beyond-section",
            Problem::BetweenWords => "between-words",
            Problem::BadSetSize { .. } => "bad-set-size",
            Problem::CountBeyondSection { .. } => "count-beyond-section",
            Problem::OverlappingSets { .. } => "overlapping-sets",
            Problem::NotAnEntry => "not-an-entry",
            Problem::ConflictingSymbols { .. } => "conflicting-symbols",
            Problem::NamelessId { .. } => "nameless-id",
            Problem::CountMismatch { .. } => "count-mismatch",
            Problem::Unsorted { .. } => "unsorted",
            Problem::Unresolved { .. } => "unresolved",
            Problem::NotInBtf => "not-in-btf",
            Problem::IdOutOfRange { .. } => "id-out-of-range",
            Problem::OtherKind { .. } => "other-kind",
            Problem::StaleSymbol { .. } => "stale-symbol",
        }
    }

    /// Whether it is only worth a note: a kernel as shipped has it and works.
    #[must_use]
    pub fn is_note(&self) -> bool {
        matches!(self, Problem::NotInBtf)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Problem::UnsupportedPrefix => {
                write!(f, "the name says neither struct, union, typedef or func nor set or set8")
            }
            Problem::BadSymbolName => {
                write!(f, "the name does not end in '__' and a unique number behind a type's name")
            }
            Problem::BadSetName => write!(f, "the name has no set's name"),
            Problem::DuplicateSet => write!(f, "a second set of this name"),
            Problem::BeyondSection { len } => write!(f, "the word lies beyond the section's {len} bytes"),
            Problem::BetweenWords => write!(f, "the symbol points between two words"),
            Problem::BadSetSize { size } => write!(f, "the symbol's size {size} is not a count and whole entries"),
            Problem::CountBeyondSection { end, len } => {
                write!(f, "the entries end at {end:#x}, beyond the section's {len} bytes")
            }
            Problem::OverlappingSets { before, end } => {
                write!(f, "the set begins before set '{before}' ends, at {end:#x}")
            }
            Problem::NotAnEntry => write!(f, "the symbol points to a set's count or flags, not to an ID"),
            Problem::ConflictingSymbols { other } => write!(f, "symbol '{other}' points to the same word"),
            Problem::NamelessId { id } => write!(f, "the entry has ID {id}, and no symbol says of which type"),
            Problem::CountMismatch { count, entries } => {
                write!(f, "the count is {count}, the symbol's size tells {entries} entries")
            }
            Problem::Unsorted { before, id } => write!(f, "ID {id} follows ID {before}: not sorted"),
            Problem::Unresolved { id } => write!(f, "the ID is 0, the type is {id}"),
            Problem::NotInBtf => write!(f, "the ID is 0, the BTF does not have the type"),
            Problem::IdOutOfRange { id, end } => {
                write!(f, "ID {id} does not exist, the BTF has IDs up to {}", end.saturating_sub(1))
            }
            Problem::OtherKind { id, kind } => write!(f, "ID {id} is of kind {kind}"),
            Problem::StaleSymbol { id, name } => write!(f, "ID {id} is '{name}'"),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(set) = &self.set {
            write!(f, "set '{set}', ")?;
        }
        if let Some(symbol) = &self.symbol {
            write!(f, "symbol '{symbol}', ")?;
        }
        write!(f, "at {:#x}: {} [{}]", self.offset, self.problem, self.problem.key())
    }
}
