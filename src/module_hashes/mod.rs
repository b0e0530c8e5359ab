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
mod progress;
mod section;
mod show;
mod sign;
mod verify;

use crate::report::Error;

/// Module hashes (CONFIG_MODULE_HASHES): the Merkle root in vmlinux, the proofs behind modules
#[derive(Debug, clap::Args)]
pub struct ModuleHashesArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Hash all modules; write the contents of .module_hashes, and a proof for each module
    Build(build::BuildArgs),
    /// Hash all modules and put the root into vmlinux, in one pass with its final edits
    Patch(patch::PatchArgs),
    /// Append its proof to each module
    Sign(sign::SignArgs),
    /// Tell what the kernel would say to modules
    Verify(verify::VerifyArgs),
    /// Tell what root a vmlinux has, what position and proof a module
    Show(show::ShowArgs),
}

impl ModuleHashesArgs {
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
