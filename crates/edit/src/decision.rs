//! Decisions, as `--dry-run` prints them.

use std::fmt;

/// A decision, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
#[allow(missing_docs)] // Each variant says it in Display.
pub enum Decision {
    Remove { section: String, why: &'static str },
    Replace { section: String, old: u64, new: u64 },
    Add { section: String, size: u64 },
    Rename { section: String, from: Vec<u8>, to: Vec<u8> },
    Header { section: String, field: &'static str, old: u64, new: u64 },
    Leaves { section: String },
    Entry { old: u64, new: u64 },
    Segment { index: usize, old: u64, new: u64 },
    Symbols { table: String, dropped: u32 },
    SymbolNames { table: String, names: Vec<(Vec<u8>, Vec<u8>)> },
    SymbolBindings { table: String, changed: usize },
    SymbolsUndefined { table: String, signatures: usize },
    SymbolsAdded { table: String, added: usize },
    Values { table: String, moved: usize },
    Proof { pos: u32, size: u64 },
    DropSignature { kind: &'static str, size: u64, asked: bool },
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Decision::Remove { section, why } => write!(f, "remove section {section}: {why}"),
            Decision::Replace { section, old, new } => write!(f, "replace section {section}: {old} -> {new} bytes"),
            Decision::Add { section, size } => write!(f, "add section {section}: {size} bytes"),
            Decision::Rename { section, to, .. } => write!(f, "rename section {section} to '{}'", to.escape_ascii()),
            Decision::Header { section, field, old, new } => {
                write!(f, "section {section}: {field} {old:#x} -> {new:#x}")
            }
            Decision::Leaves { section } => write!(f, "section {section} leaves its segment"),
            Decision::Entry { old, new } => write!(f, "e_entry {old:#x} -> {new:#x}"),
            Decision::Segment { index, old, new } => write!(f, "segment {index}: p_paddr {old:#x} -> {new:#x}"),
            Decision::Symbols { table, dropped } => write!(f, "symbol table {table}: {dropped} symbols go"),
            Decision::SymbolNames { table, names } => {
                write!(f, "symbol table {table}: {} symbols get other names", names.len())
            }
            Decision::SymbolBindings { table, changed } => {
                write!(f, "symbol table {table}: {changed} symbols get another binding")
            }
            Decision::SymbolsUndefined { table, signatures } => {
                write!(f, "symbol table {table}: {signatures} signatures of groups become undefined")
            }
            Decision::SymbolsAdded { table, added } => write!(f, "symbol table {table}: {added} symbols come"),
            Decision::Values { table, moved } => write!(f, "symbol table {table}: {moved} symbols get a new st_value"),
            Decision::Proof { pos, size } => write!(f, "append the Merkle proof of module {pos} ({size} bytes)"),
            Decision::DropSignature { kind, size, .. } => write!(f, "drop the appended {kind} ({size} bytes)"),
        }
    }
}
