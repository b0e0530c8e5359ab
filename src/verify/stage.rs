//! Copies of the file that is verified, in a private directory that goes with them: files, not memory, up to five times
//! the size of the one that is verified. The kernel keeps them in its page cache as long as there is room.

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

impl Stage {
    /// A directory with a copy of `file`. `links`: whether the edit replaces files rather than writing into them.
    pub fn new(file: &Path, links: bool) -> Result<Stage, Error> {
        let fail = |e: std::io::Error| Error::Usage(format!("cannot make a private directory: {e}"));
        let mut builder = tempfile::Builder::new();
        builder.prefix("elfgraft-verify-");
        let dir = builder.tempdir().map_err(fail)?;
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
