//! What BTF bytes mean: types, split BTF, and the ID sets of `.BTF_ids`.
//!
//! - [`Btf`] reads BTF of either byte order, standalone or split; nothing is copied out of the data.
//! - [`process`] makes of pahole's BTF what is embedded: implicit arguments, distilled base, types sorted by name.
//! - [`ids::Ids`] reads a `.BTF_ids` section through its `__BTF_ID__` symbols, and resolves, sorts, checks and shows it.
//!
//! Everything here is a pure function of bytes. ELF is the caller's: it finds the sections and passes symbols as
//! `(index, name, offset in the section, st_size)`; it gets back new bytes of the same length and the symbols that moved.
//!
//! Formats: the kernel's `Documentation/bpf/btf.rst`, `include/linux/btf_ids.h`, and `tools/bpf/resolve_btfids`.

mod btf;
mod endian;
mod error;
mod find;
mod header;
pub mod ids;
#[cfg(any(test, feature = "testkit"))]
pub mod laws;
mod record;
mod rewrite;
#[cfg(any(test, feature = "testkit"))]
pub mod testkit;
mod validate;

pub use btf::Btf;
pub use endian::Endian;
pub use error::{Error, Limit, Part};
pub use header::Header;
pub use record::{Field, Kind, Type};
pub use rewrite::{Processed, implicit_kfuncs, process, reversed};
