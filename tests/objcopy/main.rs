//! `elfgraft objcopy`: GNU's spellings, and what each option does, row by row of docs/peers.md.

// clippy.toml allows it in tests, but not in what they call.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::cast_possible_truncation)]

mod errors_or_not;
mod flags_and_types;
mod kernel_build;
mod layout;
mod names_relocations_links_groups;
mod spelling;
#[path = "../util/mod.rs"]
mod util;

use elfgraft_testkit::consts::*;
use elfgraft_testkit::diff::semantic_diff;
use elfgraft_testkit::elf::{ElfSpec, Section, Segment};
use elfgraft_testkit::fields::{header_field, poke_section};
use elfgraft_testkit::format::{Class, Endian, Format};
use elfgraft_testkit::generate::{GenOptions, generate};
use elfgraft_testkit::inputs::*;
use elfgraft_testkit::layouts;
use elfgraft_testkit::read::ReadElf;
use elfgraft_testkit::rng::Rng;
use elfgraft_testkit::symbols::{Reloc, Symbol, SymbolSection};
use util::{Dir, ELFGRAFT, fixture, personality, same};

const TEXT: u64 = SHF_ALLOC | SHF_EXECINSTR;
const DATA: u64 = SHF_ALLOC | SHF_WRITE;
const PAGE: u64 = 0x1000;

/// Runs `objcopy ARGS x` on a copy of `old`, in a directory with `f` (12 bytes) and `g` (3 bytes).
#[track_caller]
fn objcopy(old: &[u8], args: &[&str]) -> Vec<u8> {
    let dir = Dir::new();
    dir.write("x", old);
    dir.write("f", "new contents");
    dir.write("g", "ggg");
    dir.objcopy(&[args, &["x"]].concat()).quiet();
    dir.read("x")
}

/// As [`objcopy`], where it is to be refused: with all these words, and nothing written.
#[track_caller]
fn refused(old: &[u8], args: &[&str], words: &[&str]) {
    let dir = Dir::new();
    dir.write("x", old);
    dir.write("f", "new contents");
    dir.objcopy(&[args, &["x"]].concat()).fails(words).stderr();
    same(&dir.read("x"), old, "after a refusal");
    dir.objcopy(&[args, &["x", "out"]].concat()).fails(words);
    assert_eq!(dir.names(), ["f", "x"]);
}

fn names(elf: &ReadElf) -> Vec<String> {
    elf.sections.iter().skip(1).map(|s| String::from_utf8_lossy(&s.name).into_owned()).collect()
}

/// An object with a little of everything: two kinds of contents, relocations, symbols, a note.
fn object(format: Format) -> Vec<u8> {
    layouts::gnu_ld_object(format).section(Section::progbits(".last", 0, [5; 5])).build()
}

/// The name of the relocation section of `target` in [`object`].
fn rel(format: Format, target: &str) -> String {
    format!("{}{target}", if format.rela() { ".rela" } else { ".rel" })
}
