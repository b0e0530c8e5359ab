//! What was asked of an ELF file, turned into a [`Patch`]: pure functions of bytes, no file is touched here.
//!
//! ```text
//!   Image + Edits ── resolve ──> slots ── names, refs ──> rewritten tables ── layout ──> offsets ── lower ──> Patch
//!                    what stays,            new indices               what moves, and        byte ranges that
//!                    goes, comes            wherever they are stored  where to               cover the output
//! ```
//! The laws that the result keeps are the project's (README): an edit made twice is the edit made once (L1), whatever
//! was set before (L2); removing what was added gives the file back (L3); nothing else changes (L4).
//!
//! ```
//! use elfgraft_edit::{Content, Edits, plan};
//! use elfgraft_elf::Image;
//!
//! /// Sets section `.BTF` of the ELF file in `file`; gives the new file.
//! fn with_btf(file: &[u8], btf: &[u8]) -> Result<Vec<u8>, elfgraft_edit::EditError> {
//!     let image = Image::parse(file)?;
//!     let content = Content { section: b".BTF".to_vec(), bytes: btf.into() };
//!     let edits = Edits { set: vec![content], ..Edits::default() };
//!     Ok(elfgraft_patch::to_vec(&plan(&image, &edits)?.patch, file))
//! }
//!
//! # let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/demo.ko");
//! let module = std::fs::read(path)?;
//! let once = with_btf(&module, b"contents")?;
//! assert_ne!(once, module);
//! assert_eq!(with_btf(&once, b"contents")?, once);
//! assert_eq!(with_btf(&with_btf(&module, b"others")?, b"contents")?, once);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//! To a file on disk the plan's patch is put by [`elfgraft_patch::commit`]; `examples/` of the repository has whole programs.
//!
//! # How the layout makes the laws hold
//! The file is read as a *fixed zone*, up to the last byte that a segment or a header table at the front owns, and
//! behind it a sequence of *chunks*: section contents, the section header table, runs of bytes that nobody owns, the
//! end of the file. The fixed zone never moves. In the sequence a chunk keeps its *gap class* towards the chunk before
//! it: packed to its alignment, packed plus whole multiples, or misaligned by rank (see `gap.rs`). Classes do not
//! depend on where the predecessor ends, so growing a chunk and shrinking it again gives every follower its old offset
//! back, whoever laid the file out.

mod addresses;
mod chunks;
mod compressed;
mod convert;
mod decision;
mod edit;
mod error;
mod fixed;
mod flags;
mod flat;
mod fresh;
mod gap;
mod headers;
mod keep_debug;
mod layout;
mod lower;
mod names;
mod refs;
mod removal;
mod renumber;
mod resolve;
mod segments;
mod select;
mod symbol_edits;
mod symbols;

pub use addresses::{AddressEdit, Addresses, Shift};
pub use convert::to_elf32;
pub use decision::Decision;
pub use edit::{Content, Edits, Rename, SymbolValue, Target};
pub use elfgraft_patch::Patch;
pub use error::EditError;
pub use flags::FlagSet;
pub use flat::{DEFAULT_MAX_SIZE, FlatOptions, Loaded, loaded, plan_flat};
pub use fresh::{Object, object};
pub use keep_debug::plan_only_keep_debug;
pub use lower::{Plan, plan};
pub use select::{Pattern, Patterns};
pub use symbol_edits::{Discard, NewSymbol, Strip, SymbolEdits, SymbolNames};
