//! A file that gets its name only when it is complete.
//!
//! Where a name is needed before that, it is [`own_name`], which depends on the target only: what a
//! killed process leaves under it is found by the next one that writes to the same target. The file
//! is locked as long as its maker lives, so that nobody takes it for a leftover meanwhile.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::SystemTime;

use rustix::fs::{AtFlags, CWD, FlockOperation, Mode, OFlags};
use rustix::io::retry_on_intr;

use crate::place::{NAME_MAX, directory, same_file};

/// A file in the directory of `beside`, so that renaming never crosses file systems. It has no
/// name where the file system can do that, and leaves nothing behind if the process is killed;
/// else a hidden one, which is removed when this is dropped.
pub(crate) struct Stage {
    pub(crate) file: File,
    beside: PathBuf,
    name: Option<PathBuf>,
}

impl Stage {
    /// Makes an empty file with permissions `mode`, less those that the umask or the directory's
    /// default ACL take away. Removes what a killed process left for the same target.
    pub(crate) fn beside(path: &Path, mode: u32) -> io::Result<Self> {
        sweep(path);
        // The first error is not told: most of its causes concern the second way too.
        Self::unnamed(path, mode).or_else(|_| Self::named(path, mode))
    }

    fn unnamed(beside: &Path, mode: u32) -> io::Result<Self> {
        let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
        let file = open(directory(beside), flags, mode)?;
        // Before it has any name.
        lock(&file);
        let stage = Self { file, beside: beside.to_owned(), name: None };
        // Without /proc, as in some build chroots, it could never be given a name.
        fs::symlink_metadata(stage.proc_name())?;
        Ok(stage)
    }

    fn named(beside: &Path, mode: u32) -> io::Result<Self> {
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::RDWR | OFlags::CLOEXEC;
        with_free_name(beside, |name| {
            let file = open(&name, flags, mode)?;
            lock(&file);
            // From here on it is removed when anything fails.
            let mut stage = Self { file, beside: beside.to_owned(), name: Some(name.clone()) };
            let own = stage.file.metadata()?;
            // Between the two calls somebody may have taken it for a leftover.
            let is_there = match fs::symlink_metadata(&name) {
                Ok(found) => same_file(&own, &found),
                Err(error) if error.kind() == io::ErrorKind::NotFound => false,
                Err(error) => return Err(error),
            };
            if is_there {
                return Ok(stage);
            }
            stage.name = None;
            Err(io::ErrorKind::AlreadyExists.into())
        })
    }

    /// Gives the file the name `path`, replacing what has it. If that fails, nothing is left.
    pub(crate) fn rename_over(mut self, path: &Path) -> io::Result<()> {
        let name = match self.name.take() {
            Some(name) => name,
            // A free name needs no other one first, and so no chance of leaving it behind.
            None if self.link(path).is_ok() => return Ok(()),
            None => with_free_name(&self.beside, |name| {
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
        Ok(retry_on_intr(|| rustix::fs::linkat(CWD, &from, CWD, path, AtFlags::SYMLINK_FOLLOW))?)
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

fn open(path: &Path, flags: OFlags, mode: u32) -> io::Result<File> {
    Ok(retry_on_intr(|| rustix::fs::open(path, flags, Mode::from_raw_mode(mode)))?.into())
}

/// Whether nobody else holds a lock on `file`; this process does from now on, until it is closed.
/// False where there are no locks: nothing is taken for a leftover there.
fn lock(file: &File) -> bool {
    retry_on_intr(|| rustix::fs::flock(file, FlockOperation::NonBlockingLockExclusive)).is_ok()
}

/// The name of the unfinished file for `path`. None if it is too long.
fn own_name(path: &Path) -> Option<PathBuf> {
    let mut name = OsString::from(".");
    name.push(path.file_name()?);
    name.push(".elfgraft-new");
    (name.as_bytes().len() <= NAME_MAX).then(|| directory(path).join(name))
}

/// Removes the unfinished file that a killed process has left for `path`, and nothing else: it is a
/// regular file of this user under the name that is only for that, with no other name, and nobody
/// holds the lock that its maker would hold. What cannot be removed stays, and does no harm.
pub(crate) fn sweep(path: &Path) {
    let Some(name) = own_name(path) else { return };
    let Ok(found) = fs::symlink_metadata(&name) else { return };
    let me = rustix::process::geteuid().as_raw();
    // The new file gets the old one's owner before it gets a name.
    let owner = |metadata: &fs::Metadata| metadata.uid() == me || me == 0 && owns(path, metadata.uid());
    if !found.is_file() || found.nlink() != 1 || !owner(&found) {
        return;
    }
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    // Some network file systems lock only what is open for writing.
    let opened = open(&name, flags | OFlags::RDWR, 0).or_else(|_| open(&name, flags | OFlags::RDONLY, 0));
    let Ok(file) = opened else { return };
    // Only who holds the lock removes it, so the name still leads to it then, if it does now.
    if lock(&file)
        && let (Ok(opened), Ok(named)) = (file.metadata(), fs::symlink_metadata(&name))
        && same_file(&opened, &found)
        && same_file(&named, &found)
    {
        let _ = fs::remove_file(name);
    }
}

fn owns(path: &Path, uid: u32) -> bool {
    fs::symlink_metadata(path).is_ok_and(|metadata| metadata.uid() == uid)
}

/// Calls `make` with hidden names beside `path` until one is not taken: first the one that a later
/// run would look at.
fn with_free_name<T>(path: &Path, make: impl Fn(PathBuf) -> io::Result<T>) -> io::Result<T> {
    static COUNTER: AtomicU32 = AtomicU32::new(0);
    const TRIES: u32 = 100;
    if let Some(name) = own_name(path) {
        match make(name) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            result => return result,
        }
    }
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let nanos = since.map_or(0, |since| since.subsec_nanos());
    let mut tries = 0;
    loop {
        let count = COUNTER.fetch_add(1, Ordering::Relaxed);
        let name = format!(".elfgraft-{}-{count}-{nanos:x}", process::id());
        match make(directory(path).join(name)) {
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
            let mut stage = make(&path, 0o600).unwrap();
            stage.file.write_all(&[round]).unwrap();
            stage.rename_over(&path).unwrap();
            assert_eq!(fs::read(&path).unwrap(), [round]);
            assert_eq!(names(dir.path()), ["file"]);
        }
        for make in BOTH_WAYS {
            let error = make(&path, 0o600).unwrap().link_as(&path).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
            assert_eq!(fs::read(&path).unwrap(), [1]);
            assert_eq!(names(dir.path()), ["file"]);
        }
        for make in BOTH_WAYS {
            fs::remove_file(&path).unwrap();
            make(&path, 0o600).unwrap().link_as(&path).unwrap();
            assert_eq!(names(dir.path()), ["file"]);
        }
    }

    #[test]
    fn what_a_killed_process_left_is_removed_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        let own = own_name(&path).unwrap();
        assert_eq!(own, dir.path().join(".file.elfgraft-new"));
        fs::write(&own, "left behind").unwrap();
        sweep(&path);
        assert_eq!(names(dir.path()), [""; 0]);
        // Its maker lives.
        for make in BOTH_WAYS {
            let _ = fs::remove_file(&path);
            let mut stage = make(&path, 0o600).unwrap();
            if stage.name.is_none() {
                stage.link(&own).unwrap();
                stage.name = Some(own.clone());
            }
            sweep(&path);
            assert_eq!(names(dir.path()), [".file.elfgraft-new"]);
            // Another process takes another name.
            let other = Stage::named(&path, 0o600).unwrap();
            assert_eq!(names(dir.path()).len(), 2);
            other.rename_over(&path).unwrap();
            stage.rename_over(&path).unwrap();
            assert_eq!(names(dir.path()), ["file"]);
        }
        // What somebody has put there.
        fs::hard_link(&path, &own).unwrap();
        sweep(&path);
        assert!(own.exists());
        fs::remove_file(&own).unwrap();
        std::os::unix::fs::symlink("file", &own).unwrap();
        sweep(&path);
        assert!(own.is_symlink());
        fs::remove_file(&own).unwrap();
        crate::testing::make_fifo(&own);
        sweep(&path);
        assert!(own.exists());
        fs::remove_file(&own).unwrap();
        fs::create_dir(&own).unwrap();
        sweep(&path);
        assert!(own.is_dir());
        for make in BOTH_WAYS {
            make(&path, 0o600).unwrap().rename_over(&path).unwrap();
        }
        assert_eq!(names(dir.path()), [".file.elfgraft-new", "file"]);
        if rustix::process::geteuid().is_root() {
            fs::remove_dir(&own).unwrap();
            fs::write(&own, "another user's").unwrap();
            std::os::unix::fs::chown(&own, Some(1234), None).unwrap();
            sweep(&path);
            assert!(own.exists());
            // Root gave it to the owner of the file that it was to replace.
            std::os::unix::fs::chown(&path, Some(1234), None).unwrap();
            sweep(&path);
            assert!(!own.exists());
        }
    }

    #[test]
    fn a_name_too_long_for_a_hidden_one_does_without() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x".repeat(NAME_MAX));
        for make in BOTH_WAYS {
            make(&path, 0o600).unwrap().rename_over(&path).unwrap();
            assert_eq!(names(dir.path()).len(), 1);
        }
    }

    #[test]
    fn a_failed_rename_and_a_drop_leave_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("directory");
        fs::create_dir(&path).unwrap();
        for make in BOTH_WAYS {
            make(&path, 0o600).unwrap().rename_over(&path).unwrap_err();
            assert_eq!(names(dir.path()), ["directory"]);
            drop(make(&path, 0o600).unwrap());
            assert_eq!(names(dir.path()), ["directory"]);
        }
    }
}
