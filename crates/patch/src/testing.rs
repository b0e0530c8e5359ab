//! What several tests need.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::{Builder, Patch};

/// Makes a FIFO.
pub(crate) fn make_fifo(path: &Path) {
    let status = Command::new("mkfifo").arg(path).status().unwrap();
    assert!(status.success());
}

/// A fresh directory with a file of these contents.
pub(crate) fn fresh(contents: &[u8]) -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    std::fs::write(&path, contents).unwrap();
    (dir, path)
}

/// The names in a directory, sorted.
pub(crate) fn names(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).unwrap();
    let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// The patch that makes `new` from `old` with as little writing as possible.
pub(crate) fn change<'a>(old: &[u8], new: &'a [u8]) -> Patch<'a> {
    let mut builder = Builder::new(old.len() as u64);
    builder.write(0, new, "new");
    builder.finish(new.len() as u64).unwrap().normalize(old)
}
