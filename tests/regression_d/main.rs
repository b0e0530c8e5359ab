//! What people reported, group d: section indices, groups, livepatch, segments, and what else an ELF file may look like.

// clippy.toml allows it in tests, but not in what they call.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::cast_possible_truncation)]

#[path = "../util/mod.rs"]
mod util;

mod indices;
mod layouts;

use elfgraft_testkit::consts::*;
use elfgraft_testkit::diff::semantic_diff;
use elfgraft_testkit::elf::{ElfSpec, Extent, Section, Segment, TableAt};
use elfgraft_testkit::fields::{header_field, poke_header, poke_section, section_field};
use elfgraft_testkit::format::{Class, Endian, Format};
use elfgraft_testkit::inputs::*;
use elfgraft_testkit::read::ReadElf;
use elfgraft_testkit::symbols::Symbol;
use util::{Dir, fixture, same};

const TEXT: u64 = SHF_ALLOC | SHF_EXECINSTR;
const PAGE: u64 = 0x1000;

/// Edits a copy of `old` with `elfgraft ARGS x`; gives the result.
#[track_caller]
fn edit(old: &[u8], args: &[&str]) -> Vec<u8> {
    let dir = Dir::new();
    dir.write("x", old);
    dir.write("f", "new contents");
    dir.elfgraft(&[args, &["x"]].concat()).quiet();
    dir.read("x")
}

/// What an edit changed, in words.
#[track_caller]
fn changes(old: &[u8], args: &[&str]) -> Vec<String> {
    semantic_diff(old, &edit(old, args))
}

/// Copies, adds, sets and removes; nothing but that may change, in meaning, and in segments not a byte.
#[track_caller]
fn edits_change_nothing_else(old: &[u8], what: &str) {
    same(&edit(old, &["objcopy"]), old, what);
    let added = vec!["section '.BTF': only in the second"];
    assert_eq!(changes(old, &["objcopy", "--add-section", ".BTF=f"]), added, "{what}");
    assert_eq!(changes(old, &["set", ".BTF=f"]), added, "{what}");
    let with = edit(old, &["set", ".BTF=f"]);
    same(&edit(&with, &["set", ".BTF=f"]), &with, &format!("{what}: set twice"));
    assert_eq!(changes(old, &["set", ".BTF=f", ".other=f"]).len(), 2, "{what}");
    let without = edit(&with, &["remove", ".BTF"]);
    assert_eq!(semantic_diff(old, &without), [""; 0], "{what}: added and removed");
    same(&edit(&without, &["set", ".BTF=f"]), &with, &format!("{what}: removed and set"));
    // The same in place, as far as that goes.
    same(&edit(old, &["set", "--in-place", ".BTF=f"]), &with, &format!("{what}: in place"));
}

/// What a comparison says when a section goes that nobody refers to, with its section symbol if it has one.
fn removed(old: &[u8], name: &str) -> Vec<String> {
    let elf = ReadElf::parse(old);
    let mut expected = vec![format!("section '{name}': only in the first")];
    let index = elf.index_of(name).unwrap();
    if elf.symbols().iter().any(|s| s.section == Some(index)) {
        let locals = elf.section(".symtab").info;
        expected.push(format!("section '.symtab': sh_info: \"{locals}\" -> \"{}\"", locals - 1));
        expected.push(format!("section '.symtab': symbol section symbol '{name}': only in the first"));
    }
    expected
}
