//! `elfgraft set`, `remove`, `dump`, `show`: one atomic rewrite per file, many files per call, plans that can be read.

// clippy.toml allows it in tests, but not in what they call.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::cast_possible_truncation)]

mod in_place;
mod laws;
mod layout;
mod many_files;
mod plans;
mod set;
mod show;
mod times;
#[path = "../util/mod.rs"]
mod util;

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use elfgraft_testkit::consts::*;
use elfgraft_testkit::damage::{damaged, poked};
use elfgraft_testkit::diff::semantic_diff;
use elfgraft_testkit::format::Format;
use elfgraft_testkit::generate::{GenOptions, generate};
use elfgraft_testkit::inputs::*;
use elfgraft_testkit::layouts;
use util::{Dir, ELFGRAFT, Run, fixture, installed, same};

/// Compares with tests/golden/NAME.txt; `ELFGRAFT_GOLDEN=renew` writes it instead.
#[track_caller]
fn golden(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(format!("{name}.txt"));
    if std::env::var_os("ELFGRAFT_GOLDEN").is_some_and(|v| v == "renew") {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert!(text == expected, "{}: expected\n{expected}\nfound\n{text}", path.display());
}
