//! What differs between two ELF files, and whether one is sound: by a reader that the editor does not use.
//!
//! - [`diff::diff`]: the differences by meaning, each with a [`diff::Key`] to ignore it by.
//! - [`check::check`]: what is wrong with a file, each with a [`check::Rule`] that tells why it matters.
//!
//! ```
//! use elfgraft_compare::diff::{Key, Options, diff};
//!
//! # let read = |name| std::fs::read(format!("{}/../../testdata/{name}", env!("CARGO_MANIFEST_DIR")));
//! let (without, with) = (read("demo.ko")?, read("demo-gnu.ko")?);
//! let report = diff(&without, &with, &Options::default()).map_err(|(_, e)| e)?;
//! let added: Vec<_> = report.findings.iter().filter(|finding| finding.key == Key::SectionAdded).collect();
//! assert!(added.len() == 1 && added[0].place.contains(".BTF"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The product edits through other crates and another library. Here goblin reads ([`Reader`]), so that what the product
//! misreads and then writes is not misread again when its output is verified. BTF is read by `elfgraft-btf`, like the
//! product does.
//!
//! Both are pure functions of bytes, made for mapped files: they look at what they compare, once, and hold indices and
//! findings, no contents. They err to the strict side: what is not understood differs if its bytes do.

mod btf;
pub mod check;
pub mod diff;
mod error;
mod kernel;
mod layout;
mod reader;

pub use error::{Error, Table};
pub use reader::{Aliases, Reader};
