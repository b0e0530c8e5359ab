//! Hostile machines: no space, no permission, kills, links, devices, pipes, odd names, two at once.

// clippy.toml allows it in tests, but not in what they call.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::cast_possible_truncation)]

mod crowds;
mod everywhere;
mod kills_and_errors;
mod kinds_of_files;
mod mapped;
mod no_room;
mod permissions;
mod space;
mod two_at_once;
#[path = "../util/mod.rs"]
mod util;
mod ways;

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt, chown};
use std::os::unix::net::UnixListener;
use std::time::{Duration, Instant};

use util::faults::{CALLS, can_mount, inject, on_tmpfs, strace, torture};
use util::{Dir, ELFGRAFT, NOBODY, fixture, installed, is_root, same};

const SET: [&str; 3] = ["set", ".BTF=demo.btf", "demo.ko"];
const IN_PLACE: [&str; 4] = ["set", "--in-place", ".BTF=demo.btf", "demo.ko"];
const SAME_SIZE: [&str; 4] = ["set", "--in-place", ".BTF_ids=ids", "demo.ko"];

/// demo.ko and contents for two of its sections, before and after `args`.
fn demo(args: &[&str]) -> (Dir, Vec<u8>, Vec<u8>) {
    let dir = Dir::with(&["demo.ko", "demo.btf"]);
    dir.write("ids", vec![7; 164]);
    let old = dir.read("demo.ko");
    dir.elfgraft(args).ok();
    let new = dir.read("demo.ko");
    assert_ne!(old, new);
    // A new inode, as before everything.
    fs::remove_file(dir.path("demo.ko")).unwrap();
    dir.write("demo.ko", &old);
    (dir, old, new)
}

/// A FIFO.
fn mkfifo(dir: &Dir, name: &str) {
    dir.cmd("mkfifo", &[name]).run().ok();
}
