//! Why BTF data or a `.BTF_ids` section was refused. The file's name is the caller's to add.

use crate::{Endian, Kind, ids::Finding};
use std::fmt;

/// A part of BTF data that the header places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Part {
    /// The type records.
    Types,
    /// The layout section, which tells the sizes of kinds.
    Layout,
    /// The strings.
    Strings,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Part::Types => "types",
            Part::Layout => "layout",
            Part::Strings => "strings",
        })
    }
}

/// A limit the kernel sets to BTF.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Limit {
    /// `BTF_MAX_TYPE`.
    TypeId,
    /// `BTF_MAX_NAME_OFFSET`.
    StringOffset,
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Limit::TypeId => "type IDs",
            Limit::StringOffset => "string offsets",
        })
    }
}

/// Why BTF data or a `.BTF_ids` section was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// Occurs when the data ends before the header does.
    Truncated {
        /// Bytes there are.
        len: usize,
        /// Bytes the header needs.
        need: usize,
    },
    /// Occurs when the data does not begin with 0xeb9f in either byte order.
    BadMagic {
        /// The first two bytes.
        bytes: [u8; 2],
    },
    /// Occurs when the version is not 1.
    UnsupportedVersion {
        /// The version found.
        version: u8,
    },
    /// Occurs when `hdr_len` is below 24 or beyond the data.
    BadHeaderLen {
        /// The header's length as it says.
        hdr_len: u32,
        /// Bytes there are.
        len: usize,
    },
    /// Occurs when types, layout or strings reach beyond the data.
    OutOfBounds {
        /// Which of them.
        part: Part,
        /// Its offset from the end of the header.
        offset: u32,
        /// Its length.
        len: u32,
        /// Bytes there are behind the header.
        available: u64,
    },
    /// Occurs when types, layout and strings do not follow each other in that order.
    Overlap {
        /// The one that begins too early.
        part: Part,
        /// Its offset from the end of the header.
        offset: u32,
        /// The one before it.
        before: Part,
        /// Where that one ends.
        end: u64,
    },
    /// Occurs when types or layout do not begin at a multiple of four.
    Misaligned {
        /// Which of them.
        part: Part,
        /// Its offset from the end of the header.
        offset: u32,
    },
    /// Occurs when the length of the layout section is not a multiple of its entries' four bytes.
    BadLayoutLen {
        /// The length found.
        len: u32,
    },
    /// Occurs when the strings do not end with a NUL.
    StringsNotTerminated,
    /// Occurs when standalone data has strings that do not begin with a NUL: it is split BTF, read without its base.
    NotStandalone,
    /// Occurs when split BTF is read without its base and its string offsets do not tell where the base's strings end.
    NotDetached,
    /// Occurs when split BTF and its base have different byte orders.
    BaseByteOrder {
        /// Byte order of the split BTF.
        split: Endian,
        /// Byte order of the base.
        base: Endian,
    },
    /// Occurs when types or strings, counted through the base, do not fit 32 bits.
    TooLarge {
        /// Which of them.
        part: Part,
    },
    /// Occurs when a type record reaches beyond the types.
    RecordTruncated {
        /// Its type ID.
        id: u32,
        /// Its offset in the types.
        offset: u32,
        /// Bytes it needs.
        size: u64,
        /// Bytes there are.
        available: usize,
    },
    /// Occurs when a kind is not known and the layout section, if any, does not tell its size.
    UnknownKind {
        /// The type ID.
        id: u32,
        /// The kind's number.
        kind: u8,
    },
    /// Occurs when the layout section gives a kind a size that is not a multiple of four.
    BadLayoutEntry {
        /// The kind's number.
        kind: u8,
        /// Bytes that follow a record once.
        info_sz: u8,
        /// Bytes that follow per vlen.
        elem_sz: u8,
    },
    /// Occurs in validation when a string offset lies beyond the strings.
    BadString {
        /// The type that has it.
        id: u32,
        /// Its kind.
        kind: Kind,
        /// The string offset, counted through the base.
        offset: u32,
        /// Where the strings end.
        end: u32,
    },
    /// Occurs in validation when a type refers to a type ID that does not exist.
    BadReference {
        /// The type that refers.
        id: u32,
        /// Its kind.
        kind: Kind,
        /// The type ID it refers to.
        target: u32,
        /// The first ID that does not exist.
        end: u32,
    },
    /// Occurs in validation when a FUNC refers to something that is no FUNC_PROTO.
    NotAPrototype {
        /// The FUNC.
        id: u32,
        /// The type ID it refers to.
        target: u32,
        /// What that is; `None` for void.
        kind: Option<Kind>,
    },
    /// Occurs in validation when types and their elements share long names: together these are many times the data.
    LongNames {
        /// Bytes that the names of the types and their elements may have together.
        limit: u64,
        /// Bytes of types and strings, those of the base included.
        data: u64,
    },
    /// Occurs when kfuncs with implicit arguments share long prototypes, of which each gets one of its own.
    LongPrototypes {
        /// Bytes that would be added.
        added: u64,
        /// Bytes that may be added.
        limit: u64,
    },
    /// Occurs when BTF must be rewritten whose header has fields that are not known.
    UnknownHeader {
        /// Length of the header.
        hdr_len: u32,
    },
    /// Occurs when a type must be rewritten of whose kind only the size is known, not what it refers to.
    CannotRewrite {
        /// The type ID.
        id: u32,
        /// The kind's number.
        kind: u8,
    },
    /// Occurs in distilling when something refers to a type of the base that only the base can have.
    CannotDistill {
        /// The type that refers.
        id: u32,
        /// The type it refers to.
        target: u32,
        /// What that is.
        kind: Kind,
    },
    /// Occurs when BTF to be written exceeds what the kernel accepts.
    OverLimit {
        /// What does.
        limit: Limit,
        /// The greatest value.
        max: u32,
    },
    /// Occurs when `.BTF_ids` and its symbols contradict each other, so that no step on them is safe.
    BadIds(Finding),
    /// Occurs when a set was sorted before and nothing proves which symbol belongs to which of its entries.
    UnprovenSymbols {
        /// The set's name.
        set: String,
        /// Its offset in the section.
        offset: u64,
        /// Whether there was BTF that could have proven it: it does not fit the IDs.
        had_btf: bool,
    },
    /// Occurs when the IDs of sorted sets fit both the BTF that is given and the BTF that is made of it, and the flags of a
    /// kfunc depend on which of them they refer to.
    AmbiguousIds {
        /// The kfunc's name.
        kfunc: String,
        /// Its flags if they refer to the BTF that is made.
        of_final: u32,
        /// Its flags if they refer to the BTF that is given.
        of_given: u32,
    },
    /// Occurs when a set was sorted by a tool that left its symbols behind, and several entries without ID, with different
    /// flags, cannot be told apart.
    LostSymbols {
        /// The set's name.
        set: String,
        /// Its offset in the section.
        offset: u64,
    },
    /// Occurs when entries would move under a relocation that points into their set by a section-relative addend.
    PinnedSet {
        /// The set's name.
        set: String,
        /// The set's offset in the section.
        offset: u64,
        /// The offset in the section that the relocation points to.
        target: u64,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Truncated { len, need } => write!(f, "BTF data is {len} bytes, its header needs {need}"),
            Error::BadMagic { bytes: [a, b] } => {
                write!(f, "no BTF data: begins with {a:02x} {b:02x}, not with the magic 0xeb9f")
            }
            Error::UnsupportedVersion { version } => write!(f, "BTF version {version}, only 1 is known"),
            Error::BadHeaderLen { hdr_len, len } => {
                write!(f, "BTF header says it has {hdr_len} bytes; it must have at least 24, and the data has {len}")
            }
            Error::OutOfBounds { part, offset, len, available } => {
                write!(
                    f,
                    "BTF {part} at {offset:#x}, {len} bytes, reach beyond the {available} bytes behind the header"
                )
            }
            Error::Overlap { part, offset, before, end } => {
                write!(f, "BTF {part} begin at {offset:#x}, but the {before} before end at {end:#x}")
            }
            Error::Misaligned { part, offset } => write!(f, "BTF {part} begin at {offset:#x}, not a multiple of 4"),
            Error::BadLayoutLen { len } => write!(f, "BTF layout section is {len} bytes, not a multiple of 4"),
            Error::StringsNotTerminated => write!(f, "BTF strings do not end with a NUL"),
            Error::NotStandalone => {
                write!(f, "BTF strings do not begin with a NUL: this is split BTF and needs its base")
            }
            Error::NotDetached => {
                write!(f, "BTF strings and their offsets do not tell where those of the base end: it needs its base")
            }
            Error::BaseByteOrder { split, base } => {
                write!(f, "split BTF is {split:?} endian, its base {base:?} endian: not of one kernel")
            }
            Error::TooLarge { part } => write!(f, "BTF {part} together with those of the base do not fit 32 bits"),
            Error::RecordTruncated { id, offset, size, available } => {
                write!(f, "BTF type {id} at {offset:#x} needs {size} bytes, the types end after {available}")
            }
            Error::UnknownKind { id, kind } => {
                write!(f, "BTF type {id} has kind {kind}, which is not known, and no layout section tells its size")
            }
            Error::BadLayoutEntry { kind, info_sz, elem_sz } => {
                write!(f, "BTF layout section gives kind {kind} the sizes {info_sz} and {elem_sz}, not multiples of 4")
            }
            Error::BadString { id, kind, offset, end } => {
                write!(f, "BTF type {id} ({kind}) has the string offset {offset:#x}, the strings end at {end:#x}")
            }
            Error::BadReference { id, kind, target, end } => {
                write!(
                    f,
                    "BTF type {id} ({kind}) refers to type {target}, there are types up to {}",
                    end.saturating_sub(1)
                )
            }
            Error::NotAPrototype { id, target, kind: Some(kind) } => {
                write!(f, "BTF type {id} (FUNC) refers to type {target}, of kind {kind}, not a FUNC_PROTO")
            }
            Error::NotAPrototype { id, target, kind: None } => {
                write!(f, "BTF type {id} (FUNC) refers to type {target}, which is void, not a FUNC_PROTO")
            }
            Error::LongNames { limit, data } => write!(
                f,
                "BTF types share names that are longer together than {limit} bytes, the most for {data} bytes of BTF"
            ),
            Error::LongPrototypes { added, limit } => write!(
                f,
                "BTF kfuncs with implicit arguments share prototypes: one for each takes {added} bytes, {limit} may be \
                 added"
            ),
            Error::UnknownHeader { hdr_len } => {
                write!(
                    f,
                    "BTF header has {hdr_len} bytes, with fields that are not known: it can be read, not rewritten"
                )
            }
            Error::CannotRewrite { id, kind } => {
                write!(f, "BTF type {id} has kind {kind}, which is not known: it can be read, not rewritten")
            }
            Error::CannotDistill { id, target, kind } => {
                write!(
                    f,
                    "BTF type {id} refers to type {target} of the base, of kind {kind}, which cannot be distilled"
                )
            }
            Error::OverLimit { limit, max } => {
                write!(f, "BTF would have {limit} beyond {max:#x}, the greatest that the kernel accepts")
            }
            Error::BadIds(finding) => write!(f, "section '.BTF_ids': {finding}"),
            Error::AmbiguousIds { kfunc, of_final, of_given } => write!(
                f,
                "section '.BTF_ids' was sorted before, and its IDs fit both the BTF that is given and the one that is made \
                 of it: '{kfunc}' has the flags {of_given:#x} or {of_final:#x}; relink the module, or keep the .BTF that \
                 was embedded when it was sorted"
            ),
            Error::UnprovenSymbols { set, offset, had_btf } => {
                let why = if *had_btf {
                    "its IDs do not fit the BTF they should refer to"
                } else {
                    "there is no BTF its IDs refer to"
                };
                write!(
                    f,
                    "section '.BTF_ids': set '{set}' at {offset:#x} was sorted before, and {why}: which symbol belongs \
                     to which entry cannot be proven; relink the module, give the BTF it was resolved against \
                     (--old-btf-base F), or say that no other tool sorts it (--trust-symbols)"
                )
            }
            Error::LostSymbols { set, offset } => write!(
                f,
                "section '.BTF_ids': set '{set}' at {offset:#x} was sorted by a tool that left its symbols behind, and \
                 several of its IDs are 0: which symbol belongs to which of these entries cannot be proven; relink the \
                 module"
            ),
            Error::PinnedSet { set, offset, target } => write!(
                f,
                "section '.BTF_ids': set '{set}' at {offset:#x} must be reordered, but a relocation points to \
                 {target:#x} inside it by a section-relative addend and would then mean another entry"
            ),
        }
    }
}

impl std::error::Error for Error {}
