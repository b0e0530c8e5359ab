//! `module-hashes patch`: the root into vmlinux, in one pass with its final edits.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use elfgraft_edit::{Content, Edits, Target, plan};
use elfgraft_elf::Image;

use super::modules::ModulesArgs;
use super::section;
use crate::blob::open;
use crate::objcopy::{by_pattern, flags, patterns};
use crate::report::Error;
use crate::run::{Output, finish};
use crate::symbols::SymbolArgs;

/// Hash all modules and put the root into `.module_hashes` of vmlinux, in one pass with its final edits.
///
/// Nothing in the file moves for the root: it replaces 36 bytes. The other edits are objcopy's, in its spelling,
/// and the result is the same as with objcopy called first.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: elfgraft module-hashes patch vmlinux.unstripped vmlinux",
    after_long_help = "\
Examples:
  The final vmlinux without its relocations, with the root of its modules:
    elfgraft module-hashes patch -R '.rel*' vmlinux.unstripped vmlinux
  Only the root, in place:
    elfgraft module-hashes patch --in-place vmlinux"
)]
pub struct PatchArgs {
    /// The vmlinux; with OUT, it is only read
    #[arg(value_name = "VMLINUX")]
    input: PathBuf,
    /// Write the result to OUT instead
    #[arg(value_name = "OUT")]
    output: Option<PathBuf>,
    #[command(flatten)]
    modules: ModulesArgs,
    /// Write X.merkle beside each module X.ko too: what `sign` appends
    #[arg(long)]
    proofs: bool,
    /// Remove the sections that match, and the relocation sections that go with them
    ///
    /// As with objcopy: section indices behind them are renumbered everywhere.
    #[arg(short = 'R', long, value_name = "PATTERN")]
    remove_section: Vec<OsString>,
    /// Set sh_flags of the sections that match, as with objcopy
    ///
    /// The words are those of objcopy. `noload` takes SHF_ALLOC away and the section out of its segment.
    #[arg(long, value_name = "PATTERN=FLAGS")]
    set_section_flags: Vec<OsString>,
    #[command(flatten)]
    symbols: SymbolArgs,
    #[command(flatten)]
    out: Output,
}

impl PatchArgs {
    /// Why this is nothing for `verify`, which edits copies.
    pub fn elsewhere(&self) -> Option<&'static str> {
        if self.proofs { Some("--proofs writes other files") } else { self.out.elsewhere(self.output.as_deref()) }
    }

    /// Runs the command.
    pub fn run(&self) -> Result<(), Error> {
        const FLAGS: &str = "--set-section-flags";
        let flags = by_pattern(FLAGS, &self.set_section_flags, |v: &OsStr| flags(FLAGS, v.as_bytes()))?;
        let file = open(&self.input)?;
        let image = Image::parse(file.bytes()).map_err(Error::edit(&self.input))?;
        section::find(&self.input, &image)?;

        let modules = self.modules.hash()?;
        let root = modules.tree.root().encode(section::byte_order(&image));
        let edits = Edits {
            remove: patterns(&self.remove_section),
            flags,
            symbols: self.symbols.edits()?,
            update: vec![Content { section: Target::Name(section::NAME.to_vec()), bytes: root[..].into() }],
            ..Edits::default()
        };
        let plan = plan(&image, &edits).map_err(Error::edit(&self.input))?;
        if self.proofs && !self.out.dry_run {
            modules.write_proofs(self.out.fsync)?;
        }
        finish(&file, self.output.as_deref().unwrap_or(&self.input), &plan, self.out)
    }
}
