//! Chooses the executor, and tells what it did.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::error::IoError;
use crate::in_place::{InPlace, in_place};
use crate::input::Input;
use crate::patch::Patch;
use crate::place::Place;
use crate::replace::replace;

/// How an output is put on disk. The default is: replace, do not sync, times are now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Options {
    /// Write only the changed ranges into the input's own file, when the target is that file and
    /// the patch allows it; see [`in_place`]. Only [`commit`] looks at this.
    pub in_place: bool,
    /// Survive a power loss: sync the file, and its directory.
    pub fsync: bool,
    /// Give the output the input's access and modification time. Means nothing for an input from
    /// memory. After an in-place edit, another program that has the file open cannot see by the
    /// times that it changed.
    pub preserve_times: bool,
}

/// What was done to the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// Nothing was written; the target has the output's contents already.
    Unchanged,
    /// A new file has the target's name.
    Replaced,
    /// The changed ranges were written into the file itself.
    InPlace,
    /// The target is no regular file; the output was written into it.
    Streamed,
}

/// What an executor did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Outcome {
    /// What was done to the target.
    pub kind: Kind,
    /// How many names the target's file had before, 0 if there was none. More than one together
    /// with [`Kind::Replaced`]: the others now lead to the old contents, which deserves a warning.
    pub hard_links: u64,
    /// Why the edit was not done in place although [`Options::in_place`] asked for it.
    pub in_place_refused: Option<&'static str>,
    /// How many bytes of the output are not the input's: [`Patch::written`], or 0 if unchanged.
    pub bytes_written: u64,
}

impl Outcome {
    pub(crate) fn new(kind: Kind, old: Option<&Metadata>, patch: &Patch<'_>) -> Self {
        Self {
            kind,
            hard_links: old.map_or(0, Metadata::nlink),
            in_place_refused: None,
            bytes_written: patch.written(),
        }
    }
}

/// Puts the output of `patch` at `target`: [`in_place`] if `options` ask for it and it can be,
/// else with [`replace`].
///
/// # Errors
///
/// Those of [`in_place`] and [`replace`].
///
/// # Panics
///
/// If the input has another length than the patch was made for.
pub fn commit(patch: &Patch<'_>, input: &Input, target: &Path, options: &Options) -> Result<Outcome, IoError> {
    let mut in_place_refused = None;
    if options.in_place {
        let is_input = fs::metadata(target).is_ok_and(|metadata| input.is_file(&metadata));
        let done = if is_input {
            in_place(patch, input, options)?
        } else {
            InPlace::Refused("the output is not the input's file")
        };
        match done {
            InPlace::Done(outcome) => return Ok(outcome),
            InPlace::Refused(why) => in_place_refused = Some(why),
        }
    }
    let outcome = replace(patch, input, target, options)?;
    Ok(Outcome { in_place_refused, ..outcome })
}

/// How [`write_file`] writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WriteOptions {
    /// Survive a power loss: sync the file, and its directory.
    pub fsync: bool,
    /// Leave a file alone, its modification time too, that has these contents already: what `make`
    /// derives from it then stays up to date.
    pub if_changed: bool,
}

/// Makes a whole file from memory, as [`replace`] does: complete or not at all, devices and FIFOs
/// written into. A new file gets permissions 0666 less the umask.
///
/// # Errors
///
/// Those of [`replace`].
pub fn write_file(path: &Path, bytes: &[u8], options: &WriteOptions) -> Result<Outcome, IoError> {
    if options.if_changed
        && let Place::Regular(path, old) = Place::of(path)?
        && old.len() == bytes.len() as u64
        && fs::read(path).is_ok_and(|found| found == bytes)
    {
        return Ok(Outcome::new(Kind::Unchanged, Some(&old), &Patch::identity(0)));
    }
    let options = Options { fsync: options.fsync, ..Options::default() };
    replace(&Patch::whole(bytes), &Input::from_bytes("", Vec::new()), path, &options)
}

/// As [`write_file`], of bytes that are `source`'s: when that changed meanwhile nothing is written, as what was read may be
/// neither the old file's nor the new one's.
///
/// # Errors
///
/// Those of [`replace`].
pub fn write_part(path: &Path, bytes: &[u8], source: &Input, fsync: bool) -> Result<Outcome, IoError> {
    let options = Options { fsync, ..Options::default() };
    replace(&Patch::whole(bytes), &Input::watching(source), path, &options)
}
