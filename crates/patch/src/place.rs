//! Where an output goes: a new name, a regular file, or something that must never be renamed over.

use std::fs::{self, File, FileType, Metadata};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustix::fs::FlockOperation;
use rustix::io::Errno;

use crate::error::IoError;

/// What a target name leads to, symbolic links followed.
#[derive(Debug)]
pub(crate) enum Place {
    /// Nothing yet; the file is to be made under this name.
    New(PathBuf),
    /// A regular file of this name, which is not a link itself.
    Regular(PathBuf, Metadata),
    /// A device, FIFO or socket, or a file without a name of its own.
    Special(Metadata),
}

impl Place {
    /// Looks at `target`.
    ///
    /// # Errors
    ///
    /// For a directory, for a loop of links, and when the system refuses to look.
    pub(crate) fn of(target: &Path) -> Result<Self, IoError> {
        let mut before: Option<Metadata> = None;
        loop {
            // The system follows the links first, because it may forbid following them (those of
            // others in /tmp); only then are they followed by name.
            let metadata = match fs::metadata(target) {
                Ok(metadata) => metadata,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    return Ok(Self::New(resolve(target)?));
                }
                Err(error) => return Err(IoError::system("look at it", target)(error)),
            };
            if metadata.is_dir() {
                return Err(IoError::NotRegular { path: target.to_owned(), kind: kind(metadata.file_type()) });
            }
            if !metadata.is_file() {
                return Ok(Self::Special(metadata));
            }
            let path = resolve(target)?;
            match fs::symlink_metadata(&path) {
                Ok(named) if same_file(&named, &metadata) => return Ok(Self::Regular(path, metadata)),
                // Names below /proc/self/fd lead to files by another way than by name.
                _ if before.is_some_and(|before| same_file(&before, &metadata)) => return Ok(Self::Special(metadata)),
                // Or somebody replaced the file between the two looks; then it is another one the next time.
                _ => before = Some(metadata),
            }
        }
    }
}

/// Follows symbolic links in the last component of `path`, so that what is put in the place of the
/// result leaves the links alone. A dangling link gives the name it holds.
///
/// # Errors
///
/// Occurs when links lead in a circle; other obstacles are left to whoever uses the result.
pub(crate) fn resolve(path: &Path) -> Result<PathBuf, IoError> {
    // As many as the kernel follows.
    const MOST: usize = 40;
    let mut at = path.to_owned();
    for _ in 0..=MOST {
        match fs::read_link(&at) {
            Ok(link) => at = directory(&at).join(link),
            Err(_) => return Ok(at),
        }
    }
    Err(IoError::system("follow the link", path)(Errno::LOOP))
}

/// The directory of a file, in a form that can be opened and joined to.
pub(crate) fn directory(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// The longest name that a file can have, in bytes.
pub(crate) const NAME_MAX: usize = 255;

/// Whether both describe one file, under whichever names.
pub(crate) fn same_file(a: &Metadata, b: &Metadata) -> bool {
    a.dev() == b.dev() && a.ino() == b.ino()
}

/// What a file is, for messages.
pub(crate) fn kind(file_type: FileType) -> &'static str {
    if file_type.is_dir() {
        "a directory"
    } else if file_type.is_char_device() {
        "a character device"
    } else if file_type.is_block_device() {
        "a block device"
    } else if file_type.is_fifo() {
        "a FIFO"
    } else if file_type.is_socket() {
        "a socket"
    } else {
        "something else"
    }
}

/// An exclusive `flock`, given back when dropped. It keeps only other elfgrafts away.
pub(crate) struct Lock<'f>(&'f File);

impl<'f> Lock<'f> {
    /// Waits until no other process holds the lock.
    pub(crate) fn exclusive(file: &'f File) -> rustix::io::Result<Self> {
        rustix::io::retry_on_intr(|| rustix::fs::flock(file, FlockOperation::LockExclusive))?;
        Ok(Self(file))
    }
}

impl Drop for Lock<'_> {
    fn drop(&mut self) {
        // Closing the file gives the lock back in any case.
        let _ = rustix::fs::flock(self.0, FlockOperation::Unlock);
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn links_are_followed_to_files_and_to_names() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        fs::write(path("file"), "x").unwrap();
        fs::create_dir(path("sub")).unwrap();
        symlink("../file", path("sub/relative")).unwrap();
        symlink(path("sub/relative"), path("absolute")).unwrap();
        symlink("sub/new", path("dangling")).unwrap();
        symlink("circle", path("circle")).unwrap();
        symlink("sub", path("directory")).unwrap();

        let Place::Regular(found, _) = Place::of(&path("absolute")).unwrap() else {
            panic!("not found to be regular");
        };
        assert_eq!(found, path("sub/../file"));
        let Place::New(found) = Place::of(&path("dangling")).unwrap() else {
            panic!("not found to be new");
        };
        assert_eq!(found, path("sub/new"));
        let circle = Place::of(&path("circle")).unwrap_err().to_string();
        assert!(circle.contains("Too many levels of symbolic links"), "{circle}");
        let directory = Place::of(&path("directory")).unwrap_err().to_string();
        assert!(directory.ends_with("/directory': it is a directory, not a regular file"));
        assert!(matches!(Place::of(Path::new("/dev/null")), Ok(Place::Special(_))));
    }

    #[test]
    fn a_file_that_only_a_descriptor_names_is_not_renamed_over() {
        use std::os::fd::AsRawFd;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        let file = File::create(&path).unwrap();
        let name = format!("/proc/self/fd/{}", file.as_raw_fd());
        assert!(matches!(Place::of(Path::new(&name)), Ok(Place::Regular(found, _)) if found == path));
        fs::remove_file(&path).unwrap();
        assert!(matches!(Place::of(Path::new(&name)), Ok(Place::Special(_))));
        // What the system now calls the removed file.
        fs::write(dir.path().join("file (deleted)"), "another file").unwrap();
        assert!(matches!(Place::of(Path::new(&name)), Ok(Place::Special(_))));
    }

    #[test]
    fn the_lock_excludes_and_is_given_back() {
        let named = tempfile::NamedTempFile::new().unwrap();
        let other = File::open(named.path()).unwrap();
        let try_lock = || rustix::fs::flock(&other, FlockOperation::NonBlockingLockExclusive);
        let lock = Lock::exclusive(named.as_file()).unwrap();
        assert_eq!(try_lock(), Err(Errno::WOULDBLOCK));
        drop(lock);
        assert_eq!(try_lock(), Ok(()));
    }
}
