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
    Rename { section: String, to: String },
    Header { section: String, field: &'static str, old: u64, new: u64 },
    Leaves { section: String },
    Symbols { table: String, dropped: u32 },
    Values { table: String, moved: usize },
    DropSignature { kind: &'static str, size: u64, asked: bool },
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Decision::Remove { section, why } => write!(f, "remove section {section}: {why}"),
            Decision::Replace { section, old, new } => write!(f, "replace section {section}: {old} -> {new} bytes"),
            Decision::Add { section, size } => write!(f, "add section {section}: {size} bytes"),
            Decision::Rename { section, to } => write!(f, "rename section {section} to '{to}'"),
            Decision::Header { section, field, old, new } => {
                write!(f, "section {section}: {field} {old:#x} -> {new:#x}")
            }
            Decision::Leaves { section } => write!(f, "section {section} leaves its segment"),
            Decision::Symbols { table, dropped } => write!(f, "symbol table {table}: {dropped} symbols go"),
            Decision::Values { table, moved } => write!(f, "symbol table {table}: {moved} symbols get a new st_value"),
            Decision::DropSignature { kind, size, .. } => write!(f, "drop the appended {kind} ({size} bytes)"),
        }
    }
}
