//! Writes only the changed ranges into the file itself, with an undo file beside it meanwhile.

use std::fs::{self, File};
use std::io;
use std::iter;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::attributes::set_times;
use crate::commit::{Kind, Options, Outcome};
use crate::error::IoError;
use crate::fuse;
use crate::gather::Gather;
use crate::hash::Hash;
use crate::input::Input;
use crate::op::index;
use crate::patch::Patch;
use crate::place::{Lock, resolve, same_file};
use crate::recover::settle;
use crate::replace::leave;
use crate::stage::{Stage, sync_directory_of};
use crate::to_vec::chunks;
use crate::undo::{Identity, MOST_SAVED, RANGE_COST, Saved, Undo, beside};

/// Changed ranges closer than this are saved and written as one.
const GAP: u64 = 64;

/// Whether [`in_place`] did it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum InPlace {
    /// The file has its new contents.
    Done(Outcome),
    /// Nothing was touched; [`replace`](crate::replace) has to do it, for this reason.
    Refused(&'static str),
}

/// Whether all bytes that `patch` keeps stay where they are, so that it can be carried out in the
/// file itself.
pub fn can_in_place(patch: &Patch<'_>) -> bool {
    patch.pieces().iter().all(|piece| piece.stays() || !piece.is_kept())
}

/// Carries out `patch` in the input's own file. [Normalize](Patch::normalize) the patch first: each
/// byte it writes is saved, written and read back, whether it changes or not. The file keeps its
/// inode, and so its hard links, owner and attributes; symbolic links to it are followed.
/// (The kernel takes set-user-ID and capabilities away from a file that is written to.)
///
/// The old bytes are first put into an undo file, `.<name>.elfgraft-undo` in the same directory,
/// which is removed at the end. A process killed meanwhile, at any instant, leaves the old file,
/// the new file, or one that the next [`Input::open`] restores from the undo file. An error
/// restores it at once. For a power loss the same holds only with [`Options::fsync`], which syncs
/// the undo file before the first change and the file before removing the undo file. Other
/// programs that read the file meanwhile may see old and new bytes mixed.
///
/// An exclusive `flock` keeps other elfgrafts out; the second of two that want to edit the same
/// file gets [`IoError::Changed`].
///
/// Afterwards the input's mapping shows the new contents, and what was cut off must not be read:
/// drop the input, and whatever borrows from it, soon.
///
/// Refused, with nothing touched: kept bytes that move, more than 16 MiB of old bytes to save, an
/// input that is no file, a name too long for an undo file.
///
/// # Errors
///
/// [`IoError`]; also when the directory does not permit an undo file. The file is then as it was,
/// except with [`IoError::Undo`], which says that it could not be restored, or that it is new but
/// the undo file could not be removed.
///
/// # Panics
///
/// If the input has another length than the patch was made for.
pub fn in_place(patch: &Patch<'_>, input: &Input, options: &Options) -> Result<InPlace, IoError> {
    patch.assert_for(input.bytes());
    let Some(metadata) = input.metadata() else {
        return Ok(InPlace::Refused("the input is not a file"));
    };
    let ranges = match changed_ranges(patch) {
        Ok(ranges) => ranges,
        Err(why) => return Ok(InPlace::Refused(why)),
    };
    let path = &resolve(input.path())?;
    let Some(undo_path) = &beside(path) else {
        return Ok(InPlace::Refused("the file's name is too long for an undo file"));
    };
    if patch.is_identity() {
        return Ok(InPlace::Done(leave(input, path, metadata, options)?));
    }

    let open = File::options().read(true).write(true).open(path);
    let file = &open.map_err(IoError::system("open for writing", path))?;
    let _lock = Lock::exclusive(file).map_err(IoError::system("lock", path))?;
    let found = file.metadata().map_err(IoError::system("look at it", path))?;
    if !same_file(&found, metadata) {
        return Err(IoError::Changed { path: input.path().to_owned() });
    }
    // Another edit may have been killed after the input was opened.
    settle(path, undo_path, file, &found, Ok(file))?;
    input.unchanged()?;

    let undo = record(patch, input, file, Identity::of(&found), ranges, options.fsync)
        .map_err(IoError::system("read", path))?;
    publish(&undo, path, undo_path)?;
    let left_behind = |reason, source| {
        let source = Some(source);
        Err(IoError::Undo { path: path.to_owned(), undo: undo_path.to_owned(), reason, source })
    };
    if let Err(error) = apply(patch, input, file, &undo, path, options) {
        return match undo.restore(file).and_then(|()| undo.remove(undo_path, file)) {
            Ok(()) => Err(error),
            Err(source) => left_behind("the file could be neither changed nor restored; open it again", source),
        };
    }
    if let Err(source) = undo.remove(undo_path, file) {
        return left_behind("the edit is complete, but the undo file cannot be removed", source);
    }
    Ok(InPlace::Done(Outcome::new(Kind::InPlace, Some(metadata), patch)))
}

/// The ranges of the old file that change or are cut off, near ones joined.
fn changed_ranges(patch: &Patch<'_>) -> Result<Vec<Range<u64>>, &'static str> {
    if !can_in_place(patch) {
        return Err("kept bytes have to move");
    }
    let input_len = patch.input_len();
    let written = patch.pieces().iter().filter(|piece| !piece.is_kept()).map(|piece| piece.range());
    let mut ranges: Vec<Range<u64>> = Vec::new();
    for range in written.chain(iter::once(patch.output_len()..input_len)) {
        let range = range.start..range.end.min(input_len);
        match ranges.last_mut() {
            _ if range.is_empty() => {}
            Some(last) if range.start - last.end < GAP => last.end = range.end,
            _ => ranges.push(range),
        }
    }
    let cost = |range: &Range<u64>| range.end - range.start + RANGE_COST;
    if ranges.iter().map(cost).sum::<u64>() > MOST_SAVED {
        return Err("more than 16 MiB of old bytes would have to be saved");
    }
    Ok(ranges)
}

/// Takes copies of everything the edit needs from the ranges it changes. From the file, not from
/// the mapping, so that a file that was shortened is an error and no signal.
fn record(
    patch: &Patch<'_>,
    input: &Input,
    file: &File,
    identity: Identity,
    ranges: Vec<Range<u64>>,
    durable: bool,
) -> io::Result<Undo> {
    let bytes = input.bytes();
    let save = |range: Range<u64>| {
        let mut old = vec![0; index(range.end - range.start)];
        file.read_exact_at(&mut old, range.start)?;
        let mut new = Vec::with_capacity(old.len());
        chunks(patch, bytes, range.clone()).for_each(|(_, chunk)| new.extend_from_slice(chunk));
        let at = range.start;
        Ok(Saved { at, old, new })
    };
    let mut tail = Hash::default();
    let appended = patch.input_len()..patch.output_len();
    chunks(patch, bytes, appended.clone()).for_each(|(_, chunk)| tail.add(chunk));
    Ok(Undo {
        file: identity,
        len_before: patch.input_len(),
        len_after: patch.output_len(),
        tail: if appended.is_empty() { 0 } else { tail.finish() },
        durable,
        ranges: ranges.into_iter().map(save).collect::<io::Result<_>>()?,
    })
}

/// Makes the undo file appear, complete.
fn publish(undo: &Undo, path: &Path, undo_path: &Path) -> Result<(), IoError> {
    let cannot = || IoError::system("create the undo file", undo_path);
    let stage = Stage::beside(path, 0o600).map_err(cannot())?;
    stage.file.write_all_at(&undo.encode(), 0).map_err(cannot())?;
    if undo.durable {
        stage.file.sync_all().map_err(cannot())?;
    }
    fuse::step();
    stage.link_as(undo_path).map_err(cannot())?;
    if undo.durable {
        sync_directory_of(path).map_err(|error| {
            // Nothing has changed yet, so nothing needs it.
            let _ = fs::remove_file(undo_path);
            IoError::system("sync the directory", path)(error)
        })?;
    }
    Ok(())
}

/// Changes the file, in the order that the undo file relies on.
fn apply(
    patch: &Patch<'_>,
    input: &Input,
    file: &File,
    undo: &Undo,
    path: &Path,
    options: &Options,
) -> Result<(), IoError> {
    write_changes(patch, input, file, undo).map_err(IoError::system("write", path))?;
    let state = undo.state(file).map_err(IoError::system("read back", path))?;
    if !state.is_some_and(|state| state.new) {
        return Err(IoError::Differs {
            path: path.to_owned(),
            at: undo.ranges.first().map_or(undo.len_before, |first| first.at),
        });
    }
    if let Some(metadata) = input.metadata().filter(|_| options.preserve_times) {
        set_times(file, metadata).map_err(IoError::system("set the times", path))?;
    }
    Ok(())
}

fn write_changes(patch: &Patch<'_>, input: &Input, file: &File, undo: &Undo) -> io::Result<()> {
    if undo.len_after > undo.len_before {
        fuse::step();
        file.set_len(undo.len_after)?;
        let mut gather = Gather::new(file);
        for (at, bytes) in chunks(patch, input.bytes(), undo.len_before..undo.len_after) {
            gather.put(at, bytes)?;
        }
        gather.flush()?;
        if undo.durable {
            file.sync_data()?;
        }
    }
    for Saved { at, new, .. } in &undo.ranges {
        fuse::write_all_at(file, new, *at)?;
    }
    if undo.len_after < undo.len_before {
        fuse::step();
        file.set_len(undo.len_after)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
