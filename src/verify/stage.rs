//! Copies of the file that is verified, in a private directory that goes with them.

use std::fs;
use std::path::{Path, PathBuf};

use crate::report::Error;

/// Files of one verification.
pub struct Stage {
    dir: tempfile::TempDir,
    /// The file as it was.
    pub base: PathBuf,
    /// The edit puts a new file in the place of the old one, so that a link is as good as a copy.
    links: bool,
}

/// So many files as large as the one that is verified exist at once, at most.
const FILES_AT_ONCE: u64 = 5;

impl Stage {
    /// A directory with a copy of `file`. `links`: whether the edit replaces files rather than writing into them.
    pub fn new(file: &Path, links: bool) -> Result<Stage, Error> {
        let fail = |e: std::io::Error| Error::Usage(format!("cannot make a private directory: {e}"));
        let mut builder = tempfile::Builder::new();
        builder.prefix("elfgraft-verify-");
        let size = fs::metadata(file).map_or(0, |m| m.len());
        let in_memory = memory_to_spare().filter(|&spare| spare / 2 > size.saturating_mul(FILES_AT_ONCE));
        let dir = in_memory.and_then(|_| builder.tempdir_in("/dev/shm").ok());
        let dir = dir.map_or_else(|| builder.tempdir().map_err(fail), Ok)?;
        let base = dir.path().join("base");
        fs::copy(file, &base).map_err(|e| Error::file(file, format!("cannot be copied: {e}")))?;
        Ok(Stage { dir, base, links })
    }

    /// The directory, for other files.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// A copy that an edit may have.
    pub fn copy(&self, from: &Path, name: &str) -> Result<PathBuf, Error> {
        let to = self.dir.path().join(name);
        if !self.links || fs::hard_link(from, &to).is_err() {
            fs::copy(from, &to).map_err(|e| Error::file(from, format!("cannot be copied: {e}")))?;
        }
        Ok(to)
    }

    /// A file that is not needed any more: there may be gigabytes of them.
    pub fn done(file: &Path) {
        // It goes with the directory at last.
        let _ = fs::remove_file(file);
    }
}

/// Memory the system could give without trouble, in bytes: copies in memory do not wait for the disk.
fn memory_to_spare() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}
