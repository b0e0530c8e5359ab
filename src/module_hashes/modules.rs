//! The modules that `modules.order` lists, and the tree over them.

use std::cmp::Reverse;
use std::fs;
use std::path::{Path, PathBuf};

use elfgraft_hashes::{Module, Tree, hash_module, merkle_file, parse_order};
use elfgraft_patch::{Kind, WriteOptions, write_file};

use crate::blob::open;
use crate::jobs;
use crate::progress::{Progress, Unit};
use crate::report::Error;

/// Which modules there are.
#[derive(Debug, clap::Args)]
pub struct ModulesArgs {
    /// The list of all modules [default: modules.order in DIR]
    ///
    /// Lines `path/x.o`, in the order of the modules' positions in the tree.
    #[arg(long, value_name = "FILE")]
    modules_order: Option<PathBuf>,
    /// What is hashed of each: path/x.ko, or path/x.ko.stripped
    ///
    /// The latter where modules are stripped when they are installed.
    #[arg(long, value_name = "SUFFIX", value_parser = [".ko", ".ko.stripped"], default_value = ".ko")]
    suffix: String,
    /// The directory that the lines of modules.order start from [default: the current one]
    ///
    /// kbuild's $(objtree).
    #[arg(long, value_name = "DIR")]
    directory: Option<PathBuf>,
}

/// All modules, hashed.
pub struct Modules {
    /// The tree over them.
    pub tree: Tree,
    /// The `.merkle` file of each, by position.
    merkle_files: Vec<PathBuf>,
}

impl ModulesArgs {
    /// The list's name.
    pub fn order(&self) -> PathBuf {
        self.modules_order.clone().unwrap_or_else(|| self.path("modules.order"))
    }

    fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.directory.as_deref().unwrap_or(Path::new("")).join(name)
    }

    /// Hashes all modules, in parallel. Writes nothing.
    ///
    /// # Errors
    /// When the list cannot be read, and when a module cannot: each that cannot is named.
    pub fn hash(&self) -> Result<Modules, Error> {
        let order = self.order();
        let list = open(&order)?;
        let modules = parse_order(list.bytes()).map_err(|e| Error::file(&order, e.to_string()))?;

        // Largest first: a large module taken last would keep one processor busy and the others idle. One without a
        // size has an error, which is found again when it is its turn.
        let size = |path: &Path| fs::metadata(path).map_or(0, |metadata| metadata.len());
        let queued = |module: &Module| {
            let path = self.path(module.with_suffix(&self.suffix));
            (size(&path), module.pos(), path)
        };
        let mut queue: Vec<_> = modules.iter().map(queued).collect();
        queue.sort_unstable_by_key(|(size, pos, _)| (Reverse(*size), *pos));

        let progress = Progress::new(
            "hashing",
            Unit::Bytes,
            queue.iter().fold(0, |total: u64, (size, ..)| total.saturating_add(*size)),
        );
        let mut leaves = jobs::map(&queue, |(size, pos, path)| {
            let leaf = hash_module(path, *pos);
            progress.add(*size);
            (*pos, leaf.map_err(|e| Error::file(path, e.to_string())))
        });
        drop(progress);
        list.unchanged()?;
        leaves.sort_unstable_by_key(|(pos, _)| *pos);
        let leaves = jobs::all_of(leaves.into_iter().map(|(_, leaf)| leaf).collect())?;
        let merkle_files = modules.iter().map(|module| self.path(module.with_suffix(".merkle"))).collect();
        Ok(Modules { tree: Tree::new(leaves), merkle_files })
    }
}

impl Modules {
    /// How many there are.
    pub fn count(&self) -> usize {
        self.merkle_files.len()
    }

    /// Writes `x.merkle` beside each module, where it is not there with these contents already. Tells how many were
    /// written.
    pub fn write_proofs(&self, fsync: bool) -> Result<usize, Error> {
        let files: Vec<_> = (0..).zip(&self.merkle_files).collect();
        let written = jobs::map(&files, |(pos, path)| match self.tree.proof(*pos) {
            Some(proof) => write_changed(path, &merkle_file(&proof), fsync),
            None => Ok(false),
        });
        Ok(jobs::all_of(written)?.into_iter().filter(|written| *written).count())
    }
}

/// Writes a file, unless it is there with these contents already: make goes by its time. Tells whether it did.
pub fn write_changed(path: &Path, bytes: &[u8], fsync: bool) -> Result<bool, Error> {
    let options = WriteOptions { fsync, if_changed: true };
    Ok(write_file(path, bytes, &options)?.kind != Kind::Unchanged)
}
