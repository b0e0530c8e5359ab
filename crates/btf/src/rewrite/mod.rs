//! What the kernel's build does to BTF before IDs are resolved against it; `tools/bpf/resolve_btfids` is the reference,
//! byte for byte.
//!
//! ```text
//! pahole's BTF ── implicit ──> kfuncs get the prototypes that BPF programs see
//!              ── distill ───> a small base with what the module refers to, the rest copied into the module's BTF
//!              ── permute ───> types sorted by name
//! ```
//!
//! Each step reads BTF and writes new data; a step that has nothing to do is skipped. Where the kernel's tool is wrong,
//! this is not: a prototype that has no implicit parameters any more is not processed again, and the base is never
//! written to.

mod distill;
mod implicit;
mod permute;
#[cfg(test)]
mod tests;
mod writer;

use crate::{Btf, Error};
pub use implicit::implicit_kfuncs;
pub use permute::reversed;

/// BTF that is ready to be embedded, in the byte order of what it was made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Processed {
    /// For the section `.BTF`.
    pub btf: Vec<u8>,
    /// The distilled base, for the section `.BTF.base`: [`Processed::btf`] is split BTF on top of this one then.
    pub base: Option<Vec<u8>>,
}

/// Makes final BTF of what pahole wrote: implicit arguments, distilling if `distill` is set and `btf` has a base, types
/// sorted by name. `kfunc_flags` are the names and flags of [`crate::ids::Ids::kfunc_flags`].
///
/// Without distilling idempotent: final BTF is returned as it is.
///
/// # Errors
/// When `btf` does not pass [`Btf::validate`], has kinds or header fields that are not known, when distilling meets a
/// reference to something in the base that no module refers to, or when the result exceeds a limit of the kernel.
pub fn process(btf: &Btf, kfunc_flags: &[(&[u8], u32)], distill: bool) -> Result<Processed, Error> {
    btf.validate()?;
    if let Some(data) = implicit::add_prototypes(btf, kfunc_flags)? {
        return finish(&read(&data, btf.base())?, distill);
    }
    finish(btf, distill)
}

fn finish(btf: &Btf, distill: bool) -> Result<Processed, Error> {
    match btf.base().filter(|_| distill) {
        Some(base) => {
            let (base, split) = distill::distill(btf, base)?;
            let sorted = permute::sort_by_name(&Btf::parse_split(&split, &Btf::parse(&base)?)?)?;
            Ok(Processed { btf: sorted, base: Some(base) })
        }
        None => Ok(Processed { btf: permute::sort_by_name(btf)?, base: None }),
    }
}

fn read<'a>(data: &'a [u8], base: Option<&'a Btf<'a>>) -> Result<Btf<'a>, Error> {
    base.map_or_else(|| Btf::parse(data), |base| Btf::parse_split(data, base))
}
