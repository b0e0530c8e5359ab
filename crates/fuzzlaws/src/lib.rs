//! For tests only: what must hold of any bytes at all.
//!
//! Each target is a function of bytes that panics when a promise is broken: the fuzz targets in `fuzz/` call it with
//! inputs that libFuzzer makes up, `tests/replay.rs` with the fixtures, with inputs that once failed
//! (`testdata/fuzz/TARGET/`), and with variations of both. Parts of the command that can be called one by one are in
//! its library, which is for this only.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::cast_possible_truncation,
    reason = "tests only: a panic is a failed test"
)]

mod choice;
pub mod each;
mod edits;
pub mod files;
mod hashes;
mod ids;
mod laws;
mod parse;
pub mod seeds;
mod text;

/// One fuzz target.
#[derive(Clone, Copy)]
pub struct Target {
    /// Its name, that of its file in `fuzz/fuzz_targets/` and of its directory in `testdata/fuzz/`.
    pub name: &'static str,
    /// Panics when something does not hold.
    pub run: fn(&[u8]),
    /// What its inputs are made of: see [`Seeds`].
    pub seeds: Seeds,
}

/// What the seeds of a target are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seeds {
    /// So many bytes of choices, then an ELF file.
    Elf(usize),
    /// So many bytes of choices, then any bytes.
    Bytes(usize),
}

/// All targets.
pub const TARGETS: [Target; 9] = [
    Target { name: "parse", run: parse::parse, seeds: Seeds::Elf(0) },
    Target { name: "edit", run: edits::edit, seeds: Seeds::Elf(4) },
    Target { name: "symbols", run: edits::symbols, seeds: Seeds::Elf(4) },
    Target { name: "command", run: files::command, seeds: Seeds::Elf(1) },
    Target { name: "archive", run: files::archive, seeds: Seeds::Bytes(4) },
    Target { name: "btf_rewrite", run: ids::rewrite, seeds: Seeds::Bytes(2) },
    Target { name: "btf_ids", run: ids::ids, seeds: Seeds::Bytes(4) },
    Target { name: "hashes", run: hashes::hashes, seeds: Seeds::Bytes(1) },
    Target { name: "text", run: text::text, seeds: Seeds::Bytes(1) },
];

/// The target of a name.
///
/// # Panics
/// When there is none.
pub fn target(name: &str) -> Target {
    TARGETS.into_iter().find(|t| t.name == name).unwrap_or_else(|| panic!("no fuzz target '{name}'"))
}
