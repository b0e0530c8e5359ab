//! [`Edits`]: everything that can be asked of a file in one call.

use std::borrow::Cow;

use elfgraft_elf::SectionIndex;

use crate::addresses::Addresses;
use crate::flags::FlagSet;
use crate::select::{Pattern, Patterns};
use crate::symbol_edits::SymbolEdits;

/// Which section an update means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// The one section of that name; several are an error.
    Name(Vec<u8>),
    /// The section at that index of the input.
    Index(SectionIndex),
}

/// A section's name and its new contents.
#[derive(Debug, Clone)]
pub struct Content<'a, T = Vec<u8>> {
    /// Which section.
    pub section: T,
    /// Its contents. Borrowed contents (a mapped file) are never copied into memory.
    pub bytes: Cow<'a, [u8]>,
}

/// `--rename-section A=B[,flags]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rename {
    /// The old name: not a pattern.
    pub from: Vec<u8>,
    /// The new name.
    pub to: Vec<u8>,
    /// Flags to set with it.
    pub flags: Option<FlagSet>,
}

/// A new `st_value` for one symbol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SymbolValue {
    /// The symbol table.
    pub table: SectionIndex,
    /// Index of the symbol in the input.
    pub symbol: u32,
    /// Its new `st_value`.
    pub value: u64,
}

/// All edits of one call. The order in which they were asked for does not matter: keeping beats removing; removals, then
/// renames, then additions (by name), then updates, then flags, alignment and type, which reach added sections too.
#[derive(Debug, Clone, Default)]
pub struct Edits<'a> {
    /// Drop-in for GNU's command line: what the build relies on (shrinking an allocated section, dropping a signature)
    /// is done, with a warning where it may surprise. Native edits refuse it.
    pub drop_in: bool,
    /// Sections to remove, together with their relocation sections.
    pub remove: Patterns,
    /// Sections to keep, whatever else was asked.
    pub keep: Patterns,
    /// If not empty: remove all others, but for the tables that ELF itself needs.
    pub only: Patterns,
    /// Renames.
    pub rename: Vec<Rename>,
    /// Sections to add; an error if the name exists and is not removed in the same call.
    pub add: Vec<Content<'a>>,
    /// Sections to replace, or to add if there is none.
    pub set: Vec<Content<'a>>,
    /// Sections whose contents change.
    pub update: Vec<Content<'a, Target>>,
    /// Flags, for every section that a pattern selects. The last one wins.
    pub flags: Vec<(Pattern, FlagSet)>,
    /// Alignments (powers of two), likewise.
    pub align: Vec<(Pattern, u64)>,
    /// Section types, likewise.
    pub types: Vec<(Pattern, u32)>,
    /// Addresses of sections, and the entry point.
    pub addresses: Addresses,
    /// New symbol values.
    pub values: Vec<SymbolValue>,
    /// Which symbols go, and what becomes of the others.
    pub symbols: SymbolEdits,
    /// Remove an appended signature. Without it a native edit of a signed file is refused.
    pub drop_signature: bool,
    /// Fill contents that are too short for an allocated section with zeros.
    pub pad: bool,
    /// Put in front of the names of sections: all of them, or the allocated ones. Not idempotent, by its nature.
    pub prefix_sections: Vec<u8>,
    /// See `prefix_sections`.
    pub prefix_alloc_sections: Vec<u8>,
    /// The result is a flat image: no section has to find room in an ELF file.
    pub flat: bool,
}

/// The alignment of a section that is added without a choice: 4 for BTF, whose readers use aligned 32-bit loads,
/// else 1. In drop-in mode 1, as GNU's.
pub(crate) fn default_alignment(name: &[u8], drop_in: bool) -> u64 {
    match name {
        b".BTF" | b".BTF.base" | b".BTF_ids" if !drop_in => 4,
        _ => 1,
    }
}
