//! A file that gets its name only when it is complete.

use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::SystemTime;

use rustix::fs::{AtFlags, CWD, Mode, OFlags};

use crate::place::directory;

/// A file in the directory of `beside`, so that renaming never crosses file systems. It has no
/// name where the file system can do that, and leaves nothing behind if the process is killed;
/// else a hidden one, which is removed when this is dropped.
pub(crate) struct Stage {
    pub(crate) file: File,
    directory: PathBuf,
    name: Option<PathBuf>,
}

impl Stage {
    /// Makes an empty file with permissions `mode`, less those that the umask or the directory's
    /// default ACL take away.
    pub(crate) fn beside(path: &Path, mode: u32) -> io::Result<Self> {
        let directory = directory(path);
        // The first error is not told: most of its causes concern the second way too.
        Self::unnamed(directory, mode).or_else(|_| Self::named(directory, mode))
    }

    fn unnamed(directory: &Path, mode: u32) -> io::Result<Self> {
        let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
        let file = rustix::fs::open(directory, flags, Mode::from_raw_mode(mode))?.into();
        let stage = Self { file, directory: directory.to_owned(), name: None };
        // Without /proc, as in some build chroots, it could never be given a name.
        fs::symlink_metadata(stage.proc_name())?;
        Ok(stage)
    }

    fn named(directory: &Path, mode: u32) -> io::Result<Self> {
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::RDWR | OFlags::CLOEXEC;
        with_free_name(directory, |name| {
            let file = rustix::fs::open(&name, flags, Mode::from_raw_mode(mode))?.into();
            Ok(Self { file, directory: directory.to_owned(), name: Some(name) })
        })
    }

    /// Gives the file the name `path`, replacing what has it. If that fails, nothing is left.
    pub(crate) fn rename_over(mut self, path: &Path) -> io::Result<()> {
        let name = match self.name.take() {
            Some(name) => name,
            // A free name needs no other one first, and so no chance of leaving it behind.
            None if self.link(path).is_ok() => return Ok(()),
            None => with_free_name(&self.directory, |name| {
                self.link(&name)?;
                Ok(name)
            })?,
        };
        fs::rename(self.name.insert(name), path)?;
        self.name = None;
        Ok(())
    }

    /// Gives the file the name `path`, which must be free. If that fails, nothing is left.
    pub(crate) fn link_as(self, path: &Path) -> io::Result<()> {
        match &self.name {
            None => self.link(path),
            // The hidden name goes away with `self`.
            Some(name) => fs::hard_link(name, path),
        }
    }

    fn link(&self, path: &Path) -> io::Result<()> {
        let from = self.proc_name();
        Ok(rustix::fs::linkat(CWD, from, CWD, path, AtFlags::SYMLINK_FOLLOW)?)
    }

    fn proc_name(&self) -> String {
        format!("/proc/self/fd/{}", self.file.as_raw_fd())
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if let Some(name) = &self.name {
            let _ = fs::remove_file(name);
        }
    }
}

/// Calls `make` with hidden names in `directory` until one is not taken.
fn with_free_name<T>(directory: &Path, make: impl Fn(PathBuf) -> io::Result<T>) -> io::Result<T> {
    static COUNTER: AtomicU32 = AtomicU32::new(0);
    const TRIES: u32 = 100;
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let nanos = since.map_or(0, |since| since.subsec_nanos());
    let mut tries = 0;
    loop {
        let count = COUNTER.fetch_add(1, Ordering::Relaxed);
        let name = format!(".elfgraft-{}-{count}-{nanos:x}", process::id());
        match make(directory.join(name)) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && tries < TRIES => {
                tries += 1;
            }
            result => return result,
        }
    }
}

/// Makes a change of names in the directory of `path` survive a power loss.
pub(crate) fn sync_directory_of(path: &Path) -> io::Result<()> {
    File::open(directory(path))?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::testing::names;

    const BOTH_WAYS: [fn(&Path, u32) -> io::Result<Stage>; 2] = [Stage::unnamed, Stage::named];

    #[test]
    fn a_name_is_given_and_taken_over() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        for (round, make) in (0_u8..).zip(BOTH_WAYS) {
            let mut stage = make(dir.path(), 0o600).unwrap();
            stage.file.write_all(&[round]).unwrap();
            stage.rename_over(&path).unwrap();
            assert_eq!(fs::read(&path).unwrap(), [round]);
            assert_eq!(names(dir.path()), ["file"]);
        }
        for make in BOTH_WAYS {
            let error = make(dir.path(), 0o600).unwrap().link_as(&path).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
            assert_eq!(fs::read(&path).unwrap(), [1]);
            assert_eq!(names(dir.path()), ["file"]);
        }
        for make in BOTH_WAYS {
            fs::remove_file(&path).unwrap();
            make(dir.path(), 0o600).unwrap().link_as(&path).unwrap();
            assert_eq!(names(dir.path()), ["file"]);
        }
    }

    #[test]
    fn a_failed_rename_and_a_drop_leave_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("directory");
        fs::create_dir(&path).unwrap();
        for make in BOTH_WAYS {
            make(dir.path(), 0o600).unwrap().rename_over(&path).unwrap_err();
            assert_eq!(names(dir.path()), ["directory"]);
            drop(make(dir.path(), 0o600).unwrap());
            assert_eq!(names(dir.path()), ["directory"]);
        }
    }
}
