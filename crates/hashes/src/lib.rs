//! Module hashes (`CONFIG_MODULE_HASHES`): the Merkle root over the contents of modules, the
//! proofs, and their check.
//!
//! ```text
//! modules.order ─ order ─> paths ─ file ─> leaf hashes ─ tree ─> root  -> .module_hashes of vmlinux
//!                                                                  └─> proof ─ signature -> behind the module
//! module ─ signature ─> contents, proof ─ verify ─> what the kernel would say
//! ```
//!
//! The tree, bottom up; the last of an odd level is paired with itself, also when it is alone:
//! ```text
//! leaf = SHA-256(0x01 || be32(pos) || contents)     pos counts the lines of modules.order from 0
//! node = SHA-256(0x02 || left || right)
//! ```
//!
//! ```
//! use elfgraft_hashes::{Tree, hash_module, merkle_file, parse_order, verify_module};
//!
//! # let dir = tempfile::tempdir()?;
//! # for name in ["a", "b", "c"] { std::fs::write(dir.path().join(format!("{name}.ko")), name)?; }
//! let order = parse_order(b"a.o\nb.o\nc.o\n")?;
//! let path = |module: &elfgraft_hashes::Module| dir.path().join(module.with_suffix(".ko"));
//! let leaves = order.iter().map(|module| hash_module(&path(module), module.pos()));
//! let tree = Tree::new(leaves.collect::<Result<Vec<_>, _>>()?);
//!
//! let b = &order[1];
//! let proof = tree.proof(b.pos()).ok_or("no such module")?;
//! let signed = [std::fs::read(path(b))?, merkle_file(&proof)].concat();
//! std::fs::write(path(b), signed)?;
//! assert!(verify_module(&path(b), &tree.root())?.is_good());
//! let verdict = verify_module(&path(&order[2]), &tree.root())?;
//! assert_eq!((verdict.errno(), verdict.to_string().as_str()), (Some("ENODATA"), "no proof is appended"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! This crate reads module files and nothing else, one at a time: how many threads do so is for
//! the caller to say. It knows nothing of ELF: where `.module_hashes`
//! lies in vmlinux, and in which byte order, is told by the caller. It writes no file. Errors do
//! not name the file they are about; the caller, who has its name, puts it in front.
//!
//! When in doubt it fails: a module that changed while it was read has no hash, and a
//! `modules.order` that can be read in two ways has no list of modules.

mod error;
mod file;
mod order;
mod root;
mod signature;
mod tree;
mod verify;

pub use error::{Error, Result};
pub use file::{hash_module, refuse_compressed};
pub use order::{Module, parse_order};
pub use root::{ByteOrder, RootSection};
pub use signature::{IdType, Trailer, TrailerError, merkle_file, parse_merkle_file, without_proofs};
pub use tree::{Hash, LeafHasher, Proof, Tree};
pub use verify::{Verdict, verify_module};
