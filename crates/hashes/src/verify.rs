//! What the kernel would say to a module.
//!
//! Judged as by a kernel of the v5 series with CONFIG_MODULE_HASHES: module_auth_check,
//! mod_verify_sig, module_hash_check, in their order. What becomes of the error (refused, or loaded
//! and the kernel tainted) is the kernel's policy and not looked at.

use std::fmt;
use std::path::Path;

use crate::file::ModuleFile;
use crate::{IdType, Proof, Result, RootSection, TrailerError};

/// What the kernel would say. Printed in words; [`Verdict::errno`] is its name.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// The proof leads from the contents to the root.
    Good {
        /// Position of the module in `modules.order`, from 0.
        pos: u32,
    },
    /// Nothing is appended.
    Unsigned,
    /// A PKCS#7 signature is appended, no proof.
    Pkcs7,
    /// What is appended is broken, or of an unknown kind.
    Broken(TrailerError),
    /// The proof is for a tree of another depth.
    Depth {
        /// Length of the proof in bytes.
        proof_len: u64,
        /// Levels of the tree.
        levels: u32,
    },
    /// The proof leads elsewhere: the module or the proof was changed or is of another build.
    Mismatch {
        /// Position told by the proof.
        pos: u32,
        /// Levels of the tree.
        levels: u32,
    },
}

impl Verdict {
    /// Whether the kernel would take the module for one of its own.
    pub fn is_good(&self) -> bool {
        matches!(self, Self::Good { .. })
    }

    /// The name of the error the kernel has for it; `None` when there is none.
    pub fn errno(&self) -> Option<&'static str> {
        match self {
            Self::Good { .. } => None,
            Self::Unsigned => Some("ENODATA"),
            Self::Pkcs7 | Self::Depth { .. } => Some("ENOPKG"),
            Self::Broken(error) => Some(error.errno()),
            Self::Mismatch { .. } => Some("ENOKEY"),
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Good { pos } => write!(f, "good, module {pos} of this vmlinux"),
            Self::Unsigned => write!(f, "no proof is appended"),
            Self::Pkcs7 => {
                write!(f, "a PKCS#7 signature is appended, no proof; only a kernel with CONFIG_MODULE_SIG looks at it")
            }
            Self::Broken(error) => error.fmt(f),
            Self::Depth { proof_len, levels } => write!(
                f,
                "proof is {proof_len} bytes, vmlinux has {levels} levels and wants {}: of another build",
                proof_len_for(*levels)
            ),
            Self::Mismatch { pos, levels } if pos.checked_shr(*levels).unwrap_or(0) > 0 => {
                write!(f, "proof is for position {pos}, beyond the {levels} levels of vmlinux: of another build")
            }
            Self::Mismatch { pos, .. } => write!(
                f,
                "contents and proof for position {pos} do not lead to the root in vmlinux: the module was changed after its proof, or either is of another build"
            ),
        }
    }
}

/// Judges the module at `path` by the root in vmlinux. Fails only when the module cannot be read,
/// is compressed, or changes meanwhile.
pub fn verify_module(path: &Path, root: &RootSection) -> Result<Verdict> {
    let module = ModuleFile::open(path)?;
    let signature = match module.trailer(module.len())? {
        Err(error) => return Ok(Verdict::Broken(error)),
        Ok(None) => {
            module.check_uncompressed()?;
            return Ok(Verdict::Unsigned);
        }
        Ok(Some(trailer)) if trailer.id_type == IdType::Pkcs7 => return Ok(Verdict::Pkcs7),
        Ok(Some(trailer)) => trailer.signature,
    };

    let levels = root.levels();
    let proof_len = signature.end - signature.start;
    // A root has at most 32 levels, so this bounds what is read as well.
    let mut proof = match usize::try_from(proof_len) {
        Ok(len) if proof_len == proof_len_for(levels) => vec![0; len],
        _ => return Ok(Verdict::Depth { proof_len, levels }),
    };
    module.read_exact_at(&mut proof, signature.start)?;
    let proof = Proof::decode(&proof)?;

    let pos = proof.pos();
    let leaf = module.hash(pos, signature.start)?;
    Ok(match proof.root(leaf) == *root {
        true => Verdict::Good { pos },
        false => Verdict::Mismatch { pos, levels },
    })
}

fn proof_len_for(levels: u32) -> u64 {
    4 + 32 * u64::from(levels)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Hash, Trailer, Tree, hash_module, merkle_file};
    use std::fs;
    use std::path::PathBuf;

    /// Modules without proofs, and their tree.
    fn build(count: usize) -> (tempfile::TempDir, Vec<PathBuf>, Tree) {
        let dir = tempfile::tempdir().unwrap();
        let paths: Vec<_> = (0..count).map(|i| dir.path().join(format!("{i}.ko"))).collect();
        for (i, path) in paths.iter().enumerate() {
            fs::write(path, format!("contents of module {i}")).unwrap();
        }
        let leaves: Vec<Hash> = (0..).zip(&paths).map(|(pos, path)| hash_module(path, pos).unwrap()).collect();
        (dir, paths, Tree::new(leaves))
    }

    fn append(path: &Path, bytes: &[u8]) {
        let mut contents = fs::read(path).unwrap();
        contents.extend(bytes);
        fs::write(path, contents).unwrap();
    }

    /// The verdict in words and its errno.
    fn verdict(path: &Path, root: &RootSection) -> (String, Option<&'static str>) {
        let verdict = verify_module(path, root).unwrap();
        assert_eq!(verdict.is_good(), verdict.errno().is_none());
        (verdict.to_string(), verdict.errno())
    }

    #[test]
    fn modules_with_their_proofs_are_good() {
        for count in [1, 2, 3, 5, 8, 9] {
            let (_dir, paths, tree) = build(count);
            for (pos, path) in (0..).zip(&paths) {
                append(path, &merkle_file(&tree.proof(pos).unwrap()));
                let words = format!("good, module {pos} of this vmlinux");
                assert_eq!(verdict(path, &tree.root()), (words, None));
            }
        }
    }

    #[test]
    fn a_proof_does_not_change_the_leaf() {
        let (_dir, paths, tree) = build(3);
        let before = hash_module(&paths[1], 1).unwrap();
        // Appended again and again, as by installing a module over itself with `cat`.
        for _ in 0..3 {
            append(&paths[1], &merkle_file(&tree.proof(1).unwrap()));
            assert_eq!(hash_module(&paths[1], 1).unwrap(), before);
        }
    }

    #[test]
    fn any_other_signature_is_part_of_the_leaf() {
        let (_dir, paths, tree) = build(1);
        let before = hash_module(&paths[0], 0).unwrap();
        let mut pkcs7 = merkle_file(&tree.proof(0).unwrap());
        let id_type = pkcs7.len() - Trailer::LEN + 2;
        pkcs7[id_type] = 2;
        append(&paths[0], &pkcs7);
        assert_ne!(hash_module(&paths[0], 0).unwrap(), before);
        let (words, errno) = verdict(&paths[0], &tree.root());
        assert_eq!(errno, Some("ENOPKG"));
        assert!(words.starts_with("a PKCS#7 signature is appended, no proof"), "{words}");
    }

    #[test]
    fn nothing_appended() {
        let (_dir, paths, tree) = build(2);
        let expected = ("no proof is appended".to_owned(), Some("ENODATA"));
        assert_eq!(verdict(&paths[0], &tree.root()), expected);
        fs::write(&paths[0], "").unwrap();
        assert_eq!(verdict(&paths[0], &tree.root()), expected);
    }

    #[test]
    fn broken_signature() {
        let (_dir, paths, tree) = build(2);
        let mut bytes = merkle_file(&tree.proof(0).unwrap());
        let algo = bytes.len() - Trailer::LEN;
        bytes[algo] = 1;
        append(&paths[0], &bytes);
        let words = "struct module_signature: byte 0 is 0x01, must be 0".to_owned();
        assert_eq!(verdict(&paths[0], &tree.root()), (words, Some("EBADMSG")));
    }

    #[test]
    fn module_changed_after_its_proof() {
        let (_dir, paths, tree) = build(5);
        append(&paths[2], &merkle_file(&tree.proof(2).unwrap()));
        let good = fs::read(&paths[2]).unwrap();
        // The last 40 bytes are the trailer's own, which other tests poke.
        for place in 0..good.len() - Trailer::LEN {
            let mut bad = good.clone();
            bad[place] ^= 1;
            fs::write(&paths[2], bad).unwrap();
            let (words, errno) = verdict(&paths[2], &tree.root());
            assert_eq!(errno, Some("ENOKEY"), "byte {place}: {words}");
        }
    }

    #[test]
    fn proof_for_another_depth() {
        let (_dir, paths, tree) = build(5);
        let (_other_dir, _, other) = build(4);
        append(&paths[0], &merkle_file(&other.proof(0).unwrap()));
        let words = "proof is 68 bytes, vmlinux has 3 levels and wants 100: of another build".to_owned();
        assert_eq!(verdict(&paths[0], &tree.root()), (words, Some("ENOPKG")));
    }

    #[test]
    fn vmlinux_without_modules() {
        let (_dir, paths, tree) = build(1);
        append(&paths[0], &merkle_file(&tree.proof(0).unwrap()));
        let words = "proof is 36 bytes, vmlinux has 0 levels and wants 4: of another build".to_owned();
        assert_eq!(verdict(&paths[0], &Tree::new([]).root()), (words, Some("ENOPKG")));
    }

    #[test]
    fn proof_for_another_position() {
        let (_dir, paths, tree) = build(5);
        append(&paths[0], &merkle_file(&tree.proof(1).unwrap()));
        let (words, errno) = verdict(&paths[0], &tree.root());
        assert_eq!(errno, Some("ENOKEY"));
        assert!(words.starts_with("contents and proof for position 1 do not lead"), "{words}");
    }

    #[test]
    fn proof_for_a_position_beyond_the_tree() {
        let (_dir, paths, tree) = build(5);
        let mut bytes = merkle_file(&tree.proof(0).unwrap());
        bytes[3] = 7;
        append(&paths[1], &bytes);
        let (words, errno) = verdict(&paths[1], &tree.root());
        assert_eq!(errno, Some("ENOKEY"));
        assert!(words.starts_with("contents and proof for position 7 do not lead"), "{words}");
        bytes[3] = 8;
        append(&paths[0], &bytes);
        let words = "proof is for position 8, beyond the 3 levels of vmlinux: of another build".to_owned();
        assert_eq!(verdict(&paths[0], &tree.root()), (words, Some("ENOKEY")));
    }

    #[test]
    fn two_proofs_one_behind_the_other() {
        // As when modules are installed twice over each other with `cat x.merkle >> x.ko`.
        let (_dir, paths, tree) = build(2);
        let proof = merkle_file(&tree.proof(0).unwrap());
        append(&paths[0], &proof.repeat(2));
        assert_eq!(verdict(&paths[0], &tree.root()).1, Some("ENOKEY"));
    }

    #[test]
    fn unreadable_is_not_a_verdict() {
        let (dir, _, tree) = build(1);
        let missing = dir.path().join("missing.ko");
        assert!(verify_module(&missing, &tree.root()).is_err());
    }
}
