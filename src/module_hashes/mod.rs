//! `elfgraft module-hashes`: the Merkle root over all modules, patched into vmlinux; proofs, appended and checked.
//!
//! ```text
//! modules.order ── modules ──> tree ──┬── build, patch ──> .module_hashes, X.merkle
//!                                     sign: X.merkle ──> X.ko
//! vmlinux or its root ── section ──> root ── verify, show
//! ```

mod build;
mod modules;
mod patch;
mod section;
mod show;
mod sign;
mod verify;

use crate::report::Error;

/// Module hashes (CONFIG_MODULE_HASHES): the Merkle root in vmlinux, the proofs behind modules
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: elfgraft module-hashes patch --proofs vmlinux.unstripped vmlinux",
    after_long_help = "\
Examples:
  The root into vmlinux, the proofs beside the modules:
    elfgraft module-hashes patch --proofs vmlinux.unstripped vmlinux
  The proofs behind the modules, and the kernel's answer:
    elfgraft module-hashes sign a.ko b.ko
    elfgraft module-hashes verify vmlinux a.ko b.ko"
)]
pub struct ModuleHashesArgs {
    #[command(subcommand)]
    command: Command,
}

// What each is for is said where its options are.
#[derive(Debug, clap::Subcommand)]
enum Command {
    Build(build::BuildArgs),
    Patch(patch::PatchArgs),
    Sign(sign::SignArgs),
    Verify(verify::VerifyArgs),
    Show(show::ShowArgs),
}

impl ModuleHashesArgs {
    /// Why this is nothing for `verify`, which edits copies.
    pub fn elsewhere(&self) -> Option<&'static str> {
        match &self.command {
            Command::Patch(args) => args.elsewhere(),
            Command::Sign(args) => args.elsewhere(),
            _ => Some("the command does not edit its files"),
        }
    }

    /// Runs the command.
    pub fn run(&self) -> Result<(), Error> {
        match &self.command {
            Command::Build(args) => args.run(),
            Command::Patch(args) => args.run(),
            Command::Sign(args) => args.run(),
            Command::Verify(args) => args.run(),
            Command::Show(args) => args.run(),
        }
    }
}
