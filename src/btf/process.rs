//! BTF as the kernel's build embeds it, made of what pahole wrote. Flags in `.BTF_ids` tell which kfuncs have implicit
//! arguments, so the section's state matters: fresh from the linker, or sorted, with its symbols or without them.

use elfgraft_btf::ids::Options;
use elfgraft_btf::{Btf, Error as BtfError, Processed, implicit_kfuncs, process};

use super::section::IdsSection;

/// What [`process_for`] is to do.
#[derive(Clone, Copy, Debug, Default)]
pub struct How {
    /// Whether the base is distilled.
    pub distill: bool,
    /// See [`Options::trust_symbols`].
    pub trust_symbols: bool,
}

/// Final BTF for the file that has this `.BTF_ids`, if any. `olds` are BTFs that the IDs now in it may refer to.
///
/// # Errors
/// Those of [`process`], and of [`elfgraft_btf::ids::Ids::kfunc_flags`] where nothing proves whose the flags are.
pub fn process_for(btf: &Btf, section: Option<&IdsSection>, olds: &[Btf], how: How) -> Result<Processed, BtfError> {
    let Some(section) = section else { return process(btf, &[], how.distill) };
    match kfunc_flags(section, section.proof(olds), how) {
        Ok(flags) => process(btf, &flags, how.distill),
        Err(e @ (BtfError::UnprovenSymbols { .. } | BtfError::LostSymbols { .. })) => {
            match (sorted(btf, section, how), unprocessed(btf, section, how)) {
                (Some((_, a)), Some((_, b))) if a != b => Err(ambiguous(&a, &b).unwrap_or(e)),
                (Some((done, _)), _) | (None, Some((done, _))) => Ok(done),
                (None, None) => Err(e),
            }
        }
        Err(e) => Err(e),
    }
}

/// Names and flags of the kfuncs, if it is known whose they are.
pub fn kfunc_flags<'s>(
    section: &'s IdsSection<'s>,
    old: Option<&'s Btf<'s>>,
    how: How,
) -> Result<Vec<(&'s [u8], u32)>, BtfError> {
    section.ids().kfunc_flags(&Options { old, trust_symbols: how.trust_symbols, pinned: section.pinned() })
}

/// Names and flags of kfuncs.
type Flags = Vec<(Vec<u8>, u32)>;

fn owned(flags: Vec<(&[u8], u32)>) -> Flags {
    flags.into_iter().map(|(name, flags)| (name.to_vec(), flags)).collect()
}

/// Which kfunc has which flags depends on the BTF that the IDs are taken to refer to.
fn ambiguous(final_: &Flags, given: &Flags) -> Option<BtfError> {
    let ((name, of_final), (_, of_given)) = final_.iter().zip(given).find(|(a, b)| a != b)?;
    Some(BtfError::AmbiguousIds {
        kfunc: String::from_utf8_lossy(name).into_owned(),
        of_final: *of_final,
        of_given: *of_given,
    })
}

/// For a file whose sets are sorted and whose BTF is not embedded yet: its IDs may refer to the BTF that is being made,
/// which depends on the flags, which depend on what the IDs refer to. If taking the kfuncs that should have the flag to
/// have it gives BTF by which they do, all three are right.
fn sorted(btf: &Btf, section: &IdsSection, how: How) -> Option<(Processed, Flags)> {
    let implicit: Vec<_> = implicit_kfuncs(btf).into_iter().map(|name| (name, u32::MAX)).collect();
    let guess = process(btf, &implicit, how.distill).ok()?;
    let base = guess.base.as_deref().map(Btf::parse).transpose().ok()?;
    let new = read(&guess.btf, base.as_ref().or(btf.base())).ok()?;
    let flags = kfunc_flags(section, Some(&new), how).ok()?;
    let done = process(btf, &flags, how.distill).ok().filter(|done| *done == guess)?;
    Some((done, owned(flags)))
}

/// For a file whose IDs refer to the very BTF that is given: embedded as it was, by a kernel's build before 7.x, and
/// removed since.
fn unprocessed(btf: &Btf, section: &IdsSection, how: How) -> Option<(Processed, Flags)> {
    let flags = section.fits(btf).then(|| kfunc_flags(section, Some(btf), how).ok())??;
    Some((process(btf, &flags, how.distill).ok()?, owned(flags)))
}

/// Reads BTF on top of a base, if there is one.
pub fn read<'a>(data: &'a [u8], base: Option<&'a Btf<'a>>) -> Result<Btf<'a>, BtfError> {
    base.map_or_else(|| Btf::parse(data), |base| Btf::parse_split(data, base))
}
