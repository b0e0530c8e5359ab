//! `module-hashes build`: all outputs of the tree as files.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use elfgraft_elf::Image;
use elfgraft_hashes::ByteOrder;

use super::modules::{ModulesArgs, write_changed};
use super::section::byte_order;
use crate::blob::{is_elf, open};
use crate::report::{self, Error, count};
use crate::run::not_an_input;

/// Hash all modules; write the contents of .module_hashes, and a proof for each module.
///
/// Every file is written whole or not at all, and only when its contents change, so that make rebuilds nothing for
/// nothing. When a module cannot be hashed nothing is written.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: elfgraft module-hashes build --root root --like vmlinux",
    after_long_help = "\
Examples:
  The contents of .module_hashes, and X.merkle for each module of modules.order:
    elfgraft module-hashes build --root root --like vmlinux --proofs"
)]
pub struct BuildArgs {
    #[command(flatten)]
    modules: ModulesArgs,
    /// Write the 36 bytes of .module_hashes to OUT; `-` is standard output
    #[arg(long, value_name = "OUT")]
    root: Option<PathBuf>,
    /// Byte order of the number of levels in the root
    #[arg(long, requires = "root", conflicts_with = "like")]
    endian: Option<Endian>,
    /// Byte order of the number of levels in the root: that of this vmlinux
    #[arg(long, value_name = "VMLINUX", requires = "root")]
    like: Option<PathBuf>,
    /// Write X.merkle beside each module X.ko: what `sign` appends
    #[arg(long)]
    proofs: bool,
    /// Sync what is written to the disk: survives a power loss
    #[arg(long)]
    fsync: bool,
    /// Say what was done, in one line
    #[arg(short, long)]
    verbose: bool,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Endian {
    Little,
    Big,
}

impl BuildArgs {
    /// Runs the command.
    pub fn run(&self) -> Result<(), Error> {
        // All that can be refused is refused before the work begins.
        let root = match &self.root {
            Some(path) => Some((path, self.order()?)),
            None => None,
        };
        if root.is_none() && !self.proofs {
            return Err(Error::Usage("build has nothing to write: say --root, --proofs or both".into()));
        }
        if let Some((path, _)) = root {
            let order = self.modules.order();
            not_an_input(path, [order.as_path()].into_iter().chain(self.like.as_deref()))?;
            if is_elf(path) {
                let text = "--root: an ELF file, which no root replaces; `patch` writes the root into a vmlinux";
                return Err(Error::file(path, text));
            }
        }
        let modules = self.modules.hash()?;
        let mut written = 0;
        if self.proofs {
            written += modules.write_proofs(self.fsync)?;
        }
        // Last, so that a new root is a sign that all proofs are there.
        if let Some((path, order)) = root {
            written += usize::from(self.write_root(path, &modules.tree.root().encode(order))?);
        }
        if self.verbose {
            let root = modules.tree.root();
            let hashed = count(modules.count() as u64, "module");
            let (levels, written) = (count(root.levels(), "level"), count(written as u64, "file"));
            let what = format!("{hashed}, {levels}, root {}; {written} written", root.root());
            report::note(&self.modules.order(), &what);
        }
        Ok(())
    }

    fn order(&self) -> Result<ByteOrder, Error> {
        match (self.endian, &self.like) {
            (Some(Endian::Little), _) => Ok(ByteOrder::Little),
            (Some(Endian::Big), _) => Ok(ByteOrder::Big),
            (None, Some(path)) => {
                let file = open(path)?;
                Ok(byte_order(&Image::parse(file.bytes()).map_err(Error::edit(path))?))
            }
            (None, None) => Err(Error::Usage(
                "--root needs --endian or --like: the number of levels is in the byte order of vmlinux".into(),
            )),
        }
    }

    fn write_root(&self, path: &Path, contents: &[u8]) -> Result<bool, Error> {
        if path == Path::new("-") {
            return io::stdout().lock().write_all(contents).map(|()| true).map_err(Error::stdout);
        }
        write_changed(path, contents, self.fsync)
    }
}
