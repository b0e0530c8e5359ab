//! What BTF bytes mean: types, split BTF, and the ID sets of `.BTF_ids`.
//!
//! - [`Btf`] reads BTF of either byte order, standalone or split; nothing is copied out of the data.
//! - [`process`] makes of pahole's BTF what is embedded: implicit arguments, distilled base, types sorted by name.
//! - [`ids::Ids`] reads a `.BTF_ids` section through its `__BTF_ID__` symbols, and resolves, sorts, checks and shows it.
//!
//! Everything here is a pure function of bytes. ELF is the caller's: it finds the sections and passes symbols as
//! `(index, name, offset in the section, st_size)`; it gets back new bytes of the same length and the symbols that moved.
//!
//! ```
//! use elfgraft_btf::{Btf, Kind};
//!
//! # let path = |name| format!("{}/../../testdata/{name}", env!("CARGO_MANIFEST_DIR"));
//! let base = std::fs::read(path("vmlinux.btf"))?;
//! let module = std::fs::read(path("demo.btf"))?;
//! let base = Btf::parse(&base)?;
//! let btf = Btf::parse_split(&module, &base)?;
//! let kfuncs = btf.iter().filter(|ty| ty.kind == Kind::Func);
//! let kfuncs = kfuncs.filter(|ty| btf.name(ty).is_some_and(|name| name.starts_with(b"bpf_demo_"))).count();
//! assert!(kfuncs > 0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//! The symbols of two pairs of a set are at each other's pair, as the kernel's own tool leaves them. Sorting with the BTF as
//! proof puts them right; IDs and flags stay:
//! ```
//! use elfgraft_btf::ids::{Ids, Options, Sym};
//! use elfgraft_btf::{Btf, Endian};
//!
//! # let path = |name| format!("{}/../../testdata/{name}", env!("CARGO_MANIFEST_DIR"));
//! # let bytes = std::fs::read(path("vmlinux.btf"))?;
//! let btf = Btf::parse(&bytes)?;
//! # let mut functions = btf.iter().filter(|ty| ty.kind == elfgraft_btf::Kind::Func);
//! # let (a, b) = (functions.next().unwrap(), functions.next().unwrap());
//! # let name = |ty| String::from_utf8_lossy(btf.name(ty).unwrap()).into_owned();
//! # let names = ["__BTF_ID__set8__kfuncs".to_owned(), format!("__BTF_ID__func__{}__1", name(&b)), format!("__BTF_ID__func__{}__2", name(&a))];
//! # let words = [2, 1, a.id, 0x20, b.id, 0x02];
//! // .BTF_ids: count, flags of the set, then pairs (ID, flags) of functions a and b. Symbol 8 is b's, but at a's pair.
//! let section: Vec<u8> = words.iter().flat_map(|word: &u32| word.to_le_bytes()).collect();
//! let symbols = [
//!     Sym { index: 7, name: names[0].as_bytes(), offset: 0, size: 24 },
//!     Sym { index: 8, name: names[1].as_bytes(), offset: 8, size: 4 },
//!     Sym { index: 9, name: names[2].as_bytes(), offset: 16, size: 4 },
//! ];
//! let ids = Ids::new(&section, Endian::Little, &symbols);
//! let sorted = ids.sort(&Options { old: Some(&btf), ..Options::default() })?;
//! assert_eq!(sorted.data, section);
//! assert_eq!(sorted.moves.iter().map(|m| (m.symbol, m.offset)).collect::<Vec<_>>(), [(8, 16), (9, 8)]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
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
mod walk;

pub use btf::Btf;
pub use endian::Endian;
pub use error::{Error, Limit, Part};
pub use header::Header;
pub use record::{Field, Kind, Type};
pub use rewrite::{Processed, implicit_kfuncs, process, reversed};
