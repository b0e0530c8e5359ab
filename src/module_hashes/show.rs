//! `module-hashes show`: roots and proofs, as they are in files.

use std::path::{Path, PathBuf};

use elfgraft_elf::Image;
use elfgraft_hashes::{Hash, IdType, LeafHasher, Proof, RootSection, Trailer, parse_merkle_file, refuse_compressed};
use serde_json::{Value, json};

use super::section::{NAME, raw_root, root_in};
use elfgraft_patch::shown;

use crate::blob::open;
use crate::report::{Error, count, print};

/// Tell what is in files: roots and proofs.
///
/// The root of a vmlinux; the position and proof of a module, and the root it leads to.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: elfgraft module-hashes show vmlinux x.ko",
    after_long_help = "\
Examples:
  Do the module's proof and vmlinux have one root?
    elfgraft module-hashes show vmlinux x.ko
  For a program:
    elfgraft module-hashes show --json x.ko"
)]
pub struct ShowArgs {
    /// vmlinux, contents of a .module_hashes, modules, .merkle files
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Print JSON, one object a line for each file: see docs/json.md
    #[arg(long)]
    json: bool,
}

/// What a file has.
enum Found {
    Root(RootSection),
    /// With the root that the proof leads to from the contents before it, if there are any.
    Proof(Proof, Option<Hash>),
    Pkcs7,
    Nothing,
}

impl ShowArgs {
    /// Runs the command.
    pub fn run(&self) -> Result<(), Error> {
        for path in &self.files {
            let found = look(path)?;
            print(&if self.json { format!("{}\n", found.json(path)) } else { found.text(path) })?;
        }
        Ok(())
    }
}

fn look(path: &Path) -> Result<Found, Error> {
    let file = open(path)?;
    let bytes = file.bytes();
    if let Ok(proof) = parse_merkle_file(bytes) {
        return Ok(Found::Proof(proof, None));
    }
    if let Some(root) = raw_root(bytes) {
        return Ok(Found::Root(root));
    }
    let fail = |text: String| Error::file(path, text);
    refuse_compressed(bytes).map_err(|e| fail(e.to_string()))?;
    let tail = bytes.last_chunk::<{ Trailer::LEN }>().map_or(bytes, |tail| tail);
    let trailer = match Trailer::parse(tail, bytes.len() as u64).map_err(|e| fail(e.to_string()))? {
        None => return root_or_nothing(path, bytes),
        Some(Trailer { id_type: IdType::Pkcs7, .. }) => return Ok(Found::Pkcs7),
        Some(trailer) => trailer.signature,
    };
    let start = usize::try_from(trailer.start).unwrap_or(usize::MAX);
    let (contents, signature) = bytes.split_at_checked(start).unwrap_or((bytes, &[]));
    let proof = signature.get(..signature.len().saturating_sub(Trailer::LEN)).unwrap_or_default();
    let proof = Proof::decode(proof).map_err(|e| fail(e.to_string()))?;
    let mut leaf = LeafHasher::new(proof.pos());
    leaf.update(contents);
    file.unchanged()?;
    let root = proof.root(leaf.finish()).root();
    Ok(Found::Proof(proof, Some(root)))
}

fn root_or_nothing(path: &Path, bytes: &[u8]) -> Result<Found, Error> {
    let image = Image::parse(bytes).map_err(Error::edit(path))?;
    match image.named(NAME).is_empty() {
        true => Ok(Found::Nothing),
        false => Ok(Found::Root(root_in(path, &image)?)),
    }
}

/// On which side of the way up each sibling is: bit i of the position tells.
fn sides(proof: &Proof) -> impl Iterator<Item = (&'static str, &Hash)> {
    let side = |level: u32| if proof.pos().checked_shr(level).unwrap_or(0) & 1 == 0 { "right" } else { "left" };
    (0..).map(side).zip(proof.siblings())
}

impl Found {
    fn text(&self, path: &Path) -> String {
        let path = shown(&path);
        match self {
            Found::Root(root) => format!("{path}: {}, root {}\n", count(root.levels(), "level"), root.root()),
            Found::Proof(proof, root) => {
                let mut text = format!("{path}: module {}, proof of {}", proof.pos(), count(proof.levels(), "level"));
                if let Some(root) = root {
                    text += &format!(", leads to root {root}");
                }
                for (side, hash) in sides(proof) {
                    text += &format!("\n  {side:<5} {hash}");
                }
                text + "\n"
            }
            Found::Pkcs7 => format!("{path}: a PKCS#7 signature is appended, no proof\n"),
            Found::Nothing => format!("{path}: no root, and no proof is appended\n"),
        }
    }

    fn json(&self, path: &Path) -> Value {
        let file = path.to_string_lossy();
        match self {
            Found::Root(root) => {
                json!({ "file": file, "root": { "levels": root.levels(), "hash": root.root().to_string() } })
            }
            Found::Proof(proof, root) => {
                let siblings: Vec<_> = proof.siblings().iter().map(Hash::to_string).collect();
                let leads_to = root.map(|root| root.to_string());
                let (position, levels) = (proof.pos(), proof.levels());
                let proof = json!({
                    "position": position, "levels": levels, "siblings": siblings, "leads_to": leads_to
                });
                json!({ "file": file, "proof": proof })
            }
            Found::Pkcs7 => json!({ "file": file, "signature": "PKCS#7" }),
            Found::Nothing => json!({ "file": file }),
        }
    }
}
