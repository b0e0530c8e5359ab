//! A new file described as a checked list of byte ranges of the old one, and the executors that
//! carry it out.
//!
//! A [`Builder`] collects [`Piece`]s (copy a range of the input, write these bytes, put zeros) and
//! small changed fields on top of them; [`Builder::finish`] proves that together they give every
//! byte of the output exactly once. The resulting [`Patch`] is only a description: it can be
//! printed ([`explain`]), carried out in memory ([`to_vec`]), streamed ([`write_to`]), or put on
//! disk ([`commit`]):
//!
//! - [`replace`] makes a complete new file beside the target and renames it over the target. The
//!   old file is intact until then, whatever happens.
//! - [`in_place`] writes only the changed ranges into the file itself, after an undo file has been
//!   put beside it. [`Input::open`] restores a file whose edit was killed half way.
//!
//! ```
//! use elfgraft_patch::{Builder, Input, Kind, Options, commit};
//!
//! # let dir = tempfile::tempdir()?;
//! # let path = dir.path().join("file");
//! # std::fs::write(&path, "keep, replace, keep")?;
//! let input = Input::open(&path)?; // "keep, replace, keep"
//! let mut builder = Builder::new(input.bytes().len() as u64);
//! builder.copy(0, 0, 6, "the beginning");
//! builder.write(6, b"REPLACE", "what is new");
//! builder.copy(13, 13, 6, "the end");
//! let patch = builder.finish(19)?;
//! let outcome = commit(&patch.normalize(input.bytes()), &input, &path, &Options { in_place: true, ..Options::default() })?;
//! assert_eq!((outcome.kind, outcome.bytes_written), (Kind::InPlace, 7));
//! assert_eq!(std::fs::read(&path)?, b"keep, REPLACE, keep");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//! What the bytes mean is none of this crate's business. It errs towards leaving the target alone:
//! whatever is doubtful (the input changed meanwhile, the undo file does not fit) is an error.
//!
//! # What is promised when
//!
//! | | killed (SIGKILL), error, full disk | power loss |
//! |---|---|---|
//! | [`replace`] | old file or new file | the same only with [`Options::fsync`] |
//! | [`in_place`] | old file, new file, or one that [`Input::open`] restores | the same only with [`Options::fsync`] |
//!
//! During [`in_place`], other programs may see a mixture of old and new bytes, and the restoring
//! is done only by [`Input::open`] under the name the edit used: through another hard link, or by
//! another program, a half-written file is read as it is.
//!
//! A large input is mapped. A program that shortens it while it is read makes reads of the lost pages
//! raise SIGBUS, which [`end_with`] turns into an error; one that changes it is noticed before
//! anything takes effect ([`Input::unchanged`]), as far as the file system's time stamps can tell.

mod attributes;
mod builder;
mod commit;
mod error;
mod explain;
mod fill;
mod fuse;
mod gather;
mod hash;
mod in_place;
mod input;
mod mapping;
mod normalize;
mod op;
mod patch;
mod place;
mod recover;
mod replace;
mod shown;
mod stage;
mod to_vec;
mod undo;
mod verify;

#[cfg(test)]
mod testing;

pub use builder::Builder;
pub use commit::{Kind, Options, Outcome, WriteOptions, commit, write_file, write_part};
pub use error::{IoError, PatchError, Span};
pub use explain::explain;
pub use in_place::{InPlace, can_in_place, in_place};
pub use input::Input;
pub use mapping::end_with;
pub use op::{Op, Piece};
pub use patch::Patch;
pub use replace::replace;
pub use shown::shown;
pub use to_vec::{to_vec, write_to};
