//! `module-hashes sign`: each module gets its proof, whatever it had before.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use elfgraft_edit::{Decision, Patch, Plan};
use elfgraft_hashes::{parse_merkle_file, refuse_compressed, without_proofs};
use elfgraft_patch::Builder;

use crate::blob::open;
use crate::jobs::for_each;
use crate::report::Error;
use crate::run::{Output, finish};

/// Append its proof to each module, in the place of one that is there.
///
/// The proof of X.ko or X.ko.stripped is X.merkle beside it, from `build --proofs` or `patch --proofs`. Sign once or
/// ten times: the bytes are the same. A module with a PKCS#7 signature is refused.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: elfgraft module-hashes sign x.ko",
    after_long_help = "\
Examples:
  In the build tree, where x.merkle is beside x.ko:
    elfgraft module-hashes sign x.ko y.ko
  An installed module:
    elfgraft module-hashes sign --proof build/x.merkle /lib/modules/7.0/x.ko"
)]
pub struct SignArgs {
    /// Modules, not compressed
    #[arg(value_name = "MODULE", required = true)]
    modules: Vec<PathBuf>,
    /// The proof, for one MODULE: an installed one has no X.merkle beside it
    #[arg(long, value_name = "FILE")]
    proof: Option<PathBuf>,
    #[command(flatten)]
    out: Output,
}

impl SignArgs {
    /// Why this is nothing for `verify`, which edits copies.
    pub fn elsewhere(&self) -> Option<&'static str> {
        match self.proof {
            // A copy has no X.merkle beside it.
            None => Some("say --proof FILE, and name one module"),
            Some(_) => self.out.elsewhere(None),
        }
    }

    /// Runs the command.
    pub fn run(&self) -> Result<(), Error> {
        match (&self.proof, self.modules.as_slice()) {
            (Some(proof), [module]) => self.sign(module, proof),
            (Some(_), several) => Err(Error::Usage(format!("--proof goes with one module, not {}", several.len()))),
            (None, modules) => for_each(modules, |module| self.sign(module, &proof_of(module)?)),
        }
    }

    fn sign(&self, module: &Path, proof: &Path) -> Result<(), Error> {
        let file = open(module)?;
        let merkle = open(proof)?;
        let parsed = parse_merkle_file(merkle.bytes()).map_err(|e| Error::file(proof, e.to_string()))?;
        let fail = |text: &str| Error::file(module, text);
        refuse_compressed(file.bytes()).map_err(|e| fail(&e.to_string()))?;
        let (contents, other) = without_proofs(file.bytes())
            .map_err(|e| fail(&format!("a broken signature is appended, no proof can follow it: {e}")))?;
        if other.is_some() {
            return Err(fail("a PKCS#7 signature is appended: a module has that or a proof, not both"));
        }
        if contents.is_empty() {
            return Err(fail("the module is empty: the kernel takes no proof without contents"));
        }
        let len = contents.len() as u64;
        let mut patch = Builder::new(file.bytes().len() as u64);
        patch.copy(0, 0, len, "");
        patch.write(len, merkle.bytes(), format!("Merkle proof of module {}", parsed.pos()));
        let patch = patch.finish(len + merkle.bytes().len() as u64).map_err(Error::edit(module))?;
        let patch: Patch = patch.normalize(file.bytes());
        let decisions = vec![Decision::Proof { pos: parsed.pos(), size: merkle.bytes().len() as u64 }];
        finish(&file, module, &Plan { patch, decisions }, self.out)
    }
}

/// `X.merkle` for `X.ko` and `X.ko.stripped`.
fn proof_of(module: &Path) -> Result<PathBuf, Error> {
    let name = module.as_os_str().as_bytes();
    let stem = name.strip_suffix(b".ko").or_else(|| name.strip_suffix(b".ko.stripped"));
    let Some(stem) = stem else {
        return Err(Error::file(module, "the name does not end in .ko, which tells where the proof is; say --proof"));
    };
    Ok(OsStr::from_bytes(&[stem, b".merkle"].concat()).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_proof_lies_beside_the_module() {
        for (module, proof) in [("a.ko", "a.merkle"), ("x y/a.b.ko", "x y/a.b.merkle"), ("a.ko.stripped", "a.merkle")] {
            assert_eq!(proof_of(Path::new(module)).unwrap(), Path::new(proof));
        }
        for other in ["a.o", "a.ko.xz", "ko", ""] {
            assert!(proof_of(Path::new(other)).is_err(), "{other}");
        }
    }
}
