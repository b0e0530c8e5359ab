//! Finishes off an interrupted in-place edit: restores the old file, or finds that there is
//! nothing to restore.

use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::{Mode, OFlags};
use rustix::io::{Errno, retry_on_intr};

use crate::error::IoError;
use crate::place::{Lock, resolve, same_file};
use crate::undo::{Decoded, Identity, MOST_LEN, State, Undo, beside};

/// Restores the file `path`, open for reading as `file`, if an undo file beside it says that an
/// edit was interrupted. Without an undo file this costs two failed system calls.
///
/// # Errors
///
/// [`IoError::Undo`] when the file may be half written and nothing safe can be done about it.
pub(crate) fn recover(path: &Path, file: &File) -> Result<(), IoError> {
    let resolved = resolve(path)?;
    let Some(undo_path) = beside(&resolved) else {
        return Ok(());
    };
    if fs::symlink_metadata(&undo_path).is_err() {
        return Ok(());
    }
    let look = || IoError::system("look at it", path);
    let opened = file.metadata().map_err(look())?;
    // Some network file systems lock only what is open for writing.
    let writable = File::options().read(true).write(true).open(&resolved);
    let named = writable.as_ref().unwrap_or(file).metadata().map_err(look())?;
    if !same_file(&opened, &named) {
        return Err(IoError::Changed { path: path.to_owned() });
    }
    let _lock = Lock::exclusive(writable.as_ref().unwrap_or(file)).map_err(IoError::system("lock", path))?;
    settle(&resolved, &undo_path, file, &opened, writable.as_ref().map_err(copy_of))
}

/// Does away with an undo file, after restoring the file if need be. The caller holds the lock, so
/// no edit is under way.
///
/// A foreign file is left alone, and a state that the undo file does not explain is an error: the
/// file may be half written and then changed by another program.
pub(crate) fn settle(
    path: &Path,
    undo_path: &Path,
    file: &File,
    metadata: &Metadata,
    writable: Result<&File, io::Error>,
) -> Result<(), IoError> {
    let problem =
        |reason, source| Err(IoError::Undo { path: path.to_owned(), undo: undo_path.to_owned(), reason, source });
    let (bytes, owner) = match read_undo(undo_path) {
        Ok(Some(found)) => found,
        Ok(None) => return Ok(()),
        Err(error) => return problem("it cannot be read", Some(error)),
    };
    let undo = match Undo::decode(&bytes) {
        Decoded::Undo(undo) => undo,
        Decoded::Foreign => return Ok(()),
        Decoded::Damaged => {
            return problem("it is damaged; make the file anew, then remove the undo file", None);
        }
    };
    let state = undo.state(file).map_err(IoError::system("read", path))?;
    let ours = undo.file == Identity::of(metadata);
    match (ours, state) {
        // Nothing needs it. If it cannot be removed, it does no harm.
        (_, Some(State { old: true, .. } | State { new: true, .. })) | (false, None) => {
            let _ = undo.remove(undo_path, file);
            Ok(())
        }
        (true, Some(_)) => {
            // Else whoever can make files in a shared directory could have bytes of their choice
            // written into files of others.
            let me = rustix::process::geteuid().as_raw();
            if ![0, me, metadata.uid()].contains(&owner) {
                return problem("it belongs to another user; let that user restore the file", None);
            }
            let restored = writable.and_then(|file| undo.restore(file));
            match restored.and_then(|()| undo.remove(undo_path, file)) {
                Ok(()) => Ok(()),
                Err(error) => problem("the file cannot be restored", Some(error)),
            }
        }
        (true, None) => problem("the file was changed since; make it anew, then remove the undo file", None),
        (false, Some(_)) => problem(
            "the file seems to be a copy of a half-written one; make it anew, or remove the undo \
             file if the file is good",
            None,
        ),
    }
}

/// The contents and the owner of an undo file; none if it is gone, or cannot be one.
fn read_undo(path: &Path) -> io::Result<Option<(Vec<u8>, u32)>> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file: File = match retry_on_intr(|| rustix::fs::open(path, flags, Mode::empty())) {
        Ok(file) => file.into(),
        Err(Errno::NOENT | Errno::LOOP | Errno::NXIO) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let metadata = file.metadata()?;
    if !metadata.is_file() || metadata.len() > MOST_LEN {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    file.take(MOST_LEN).read_to_end(&mut bytes)?;
    Ok(Some((bytes, metadata.uid())))
}

/// The same reason once more; `io::Error` cannot be cloned.
fn copy_of(error: &io::Error) -> io::Error {
    error.raw_os_error().map_or_else(|| error.kind().into(), io::Error::from_raw_os_error)
}

#[cfg(test)]
mod tests;
