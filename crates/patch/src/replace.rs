//! Puts the output where the target is: a complete new file, renamed over it at the end.

use std::fs::{File, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::attributes::{inherit, new_mode, set_times, touch};
use crate::commit::{Kind, Options, Outcome};
use crate::error::IoError;
use crate::fill::fill;
use crate::input::Input;
use crate::patch::Patch;
use crate::place::{Lock, Place};
use crate::stage::{Stage, sweep, sync_directory_of};
use crate::to_vec::write_to;
use crate::verify::first_difference;

/// Writes the output of `patch` to `target`, which may be the input itself, by making a new file
/// beside it and renaming that over it. The input's file is only read. On any error, and when the
/// process is killed, the target is as it was, and no other file is left. (A kill between the last
/// two system calls can leave a hidden file `.<name>.elfgraft-new`, if the target exists; the next
/// call for the same target removes it. On file systems without `O_TMPFILE` every kill can.)
///
/// - A symbolic link stays, and the file it leads to is replaced; a dangling link has its file
///   made. Hard links are split, see [`Outcome::hard_links`].
/// - An existing target keeps its permissions, and owner and extended attributes as far as
///   permitted; set-user-ID and the like only together with the owner. A new one gets the input's
///   permissions less the umask, without set-user-ID and the like.
/// - A device, FIFO or socket is written into, never replaced.
/// - If `target` is the input's file and the patch [is the identity](Patch::is_identity), only the
///   modification time is set, because `make` goes by it.
///
/// # Errors
///
/// [`IoError`], [`IoError::Changed`] included when the input changed since it was opened.
///
/// # Panics
///
/// If the input has another length than the patch was made for.
pub fn replace(patch: &Patch<'_>, input: &Input, target: &Path, options: &Options) -> Result<Outcome, IoError> {
    patch.assert_for(input.bytes());
    match Place::of(target)? {
        Place::Special(old) if input.is_file(&old) => {
            Err(IoError::NotRegular { path: target.to_owned(), kind: "the input itself without a name to replace" })
        }
        Place::Special(_) => stream(patch, input, target),
        Place::New(path) => new_file(patch, input, &path, None, options),
        Place::Regular(path, old) if patch.is_identity() && input.is_file(&old) => leave(input, &path, &old, options),
        Place::Regular(path, old) => new_file(patch, input, &path, Some(&old), options),
    }
}

fn stream(patch: &Patch<'_>, input: &Input, target: &Path) -> Result<Outcome, IoError> {
    // Truncating means nothing to a device; it is for a file that has no name of its own.
    let open = File::options().write(true).truncate(true).open(target);
    let mut file = open.map_err(IoError::system("open for writing", target))?;
    write_to(patch, input.bytes(), &mut file).map_err(IoError::system("write", target))?;
    input.unchanged()?;
    Ok(Outcome::new(Kind::Streamed, None, patch))
}

/// Nothing to write: only the modification time tells that this was run.
pub(crate) fn leave(input: &Input, path: &Path, old: &Metadata, options: &Options) -> Result<Outcome, IoError> {
    input.unchanged()?;
    sweep(path);
    if !options.preserve_times {
        touch(path).map_err(IoError::system("set the times", path))?;
    }
    Ok(Outcome { bytes_written: 0, ..Outcome::new(Kind::Unchanged, Some(old), &Patch::identity(0)) })
}

fn new_file(
    patch: &Patch<'_>,
    input: &Input,
    path: &Path,
    old: Option<&Metadata>,
    options: &Options,
) -> Result<Outcome, IoError> {
    // A new file has its permissions from the start, so that umask and default ACL apply; one that
    // takes another's place is nobody else's business until it has the right ones.
    let (what, mode) = match old {
        None => ("create", new_mode(input.metadata())),
        Some(_) => ("create a temporary file beside it", 0o600),
    };
    let stage = Stage::beside(path, mode).map_err(IoError::system(what, path))?;
    let write_error = || IoError::system("write", path);
    // An input that was shortened makes copying fail, too.
    let filled = fill(&stage.file, patch, input);
    let holes = filled.map_err(|error| input.unchanged().err().unwrap_or_else(|| write_error()(error)))?;
    check(&stage.file, patch, input, path, holes).map_err(|error| input.unchanged().err().unwrap_or(error))?;

    // From here to the rename no other elfgraft may change the file that is replaced. Where there
    // are no locks, only the check is left.
    let same = old.is_some_and(|old| input.is_file(old));
    let _lock = input.file().filter(|_| same).and_then(|file| Lock::exclusive(file).ok());
    input.unchanged()?;
    if let Some(old) = old {
        inherit(&stage.file, path, old).map_err(IoError::system("set the permissions", path))?;
    }
    if let Some(metadata) = input.metadata().filter(|_| options.preserve_times) {
        set_times(&stage.file, metadata).map_err(IoError::system("set the times", path))?;
    }
    if options.fsync {
        stage.file.sync_all().map_err(write_error())?;
    }
    let what = if old.is_some() { "replace" } else { "create" };
    stage.rename_over(path).map_err(IoError::system(what, path))?;
    if options.fsync {
        sync_directory_of(path).map_err(|source| IoError::NotDurable { path: path.to_owned(), source })?;
    }
    Ok(Outcome::new(Kind::Replaced, old, patch))
}

fn check(file: &File, patch: &Patch<'_>, input: &Input, path: &Path, holes: bool) -> Result<(), IoError> {
    let read_error = || IoError::system("read back", path);
    let found = file.metadata().map_err(read_error())?.size();
    if found != patch.output_len() {
        return Err(IoError::Length { path: path.to_owned(), expected: patch.output_len(), found });
    }
    match first_difference(file, patch, input.bytes(), holes).map_err(read_error())? {
        None => Ok(()),
        Some(at) => Err(IoError::Differs { path: path.to_owned(), at }),
    }
}
