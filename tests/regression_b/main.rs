//! What people reported, group b: adding, updating and removing sections; success that is none.

// clippy.toml allows it in tests, but not in what they call.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::cast_possible_truncation)]

#[path = "../util/mod.rs"]
mod util;

mod contents;
mod refused;

use std::os::unix::fs::MetadataExt;

use elfgraft_testkit::consts::*;
use elfgraft_testkit::diff::semantic_diff;
use elfgraft_testkit::elf::{ElfSpec, Section};
use elfgraft_testkit::format::Format;
use elfgraft_testkit::inputs::*;
use elfgraft_testkit::read::ReadElf;
use elfgraft_testkit::symbols::{Reloc, Symbol};
use util::{Dir, fixture, same};

/// The section names of a file, in header order.
fn sections(elf: &ReadElf) -> Vec<String> {
    elf.sections.iter().map(|s| String::from_utf8(s.name.clone()).unwrap()).collect()
}
