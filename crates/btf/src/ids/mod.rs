//! `.BTF_ids`: type IDs the linker could not know, written and sorted after the link.
//!
//! The section is an array of u32. What a word means is told only by the symbols that point to it:
//!
//! ```text
//! offset  word            symbol
//!      0  ID              __BTF_ID__struct__nf_conn__737264         a list: IDs in source order, never sorted
//!      4  unused          -
//!      8  count n         __BTF_ID__set8__nf_ct_kfunc_set           st_size 8 + 8 n
//!     12  flags of the set
//!     16  ID              __BTF_ID__func__bpf_ct_release__744528    pairs, ascending by ID as a signed int
//!     20  flags of this kfunc
//!     24  ID              __BTF_ID__func__bpf_ct_alloc__739523
//!     28  flags ...
//! ```
//!
//! A *set* (`__BTF_ID__set__NAME`) has a count, no flags, and single words for pairs.
//!
//! [`Ids::resolve`] writes the ID of each symbol's name, and the counts, and sorts the sets; [`Ids::sort`] only sorts.
//! Each entry that moves takes its symbols along ([`Move`]): the kernel's own tool leaves them behind, so that they
//! point to other kfuncs' entries afterwards and a second run gives flags to the wrong kfunc. Files it has sorted are
//! recognised and put right first where that can be proven; `place.rs` has the rules.
//!
//! Any number of runs gives the bytes and symbol offsets of one run, and a run against BTF B gives the same whatever
//! BTF the file was resolved against before: entries are ordered by `(ID, symbol table index)`, and neither depends
//! on where an entry is. Entries that no symbol names keep their word and come first among those of their ID, in their
//! old order, which no run can change because it is the same ID on every run.

mod check;
mod finding;
mod lookup;
mod model;
mod name;
mod place;
mod rearrange;
mod show;
#[cfg(test)]
mod tests;

pub use finding::{Finding, Problem};
pub use lookup::Warning;
pub use model::{Ids, SetKind};
pub use name::{IdName, parse_id_name};
pub use rearrange::{Move, Options, Outcome};
pub use show::Row;

/// A symbol of the file that points into `.BTF_ids`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sym<'a> {
    /// Its index in the symbol table.
    pub index: u32,
    /// Its name.
    pub name: &'a [u8],
    /// Byte offset from the start of the section (`st_value`, less the section's address where the file has addresses).
    pub offset: u64,
    /// `st_size`.
    pub size: u64,
}
