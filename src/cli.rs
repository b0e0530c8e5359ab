//! The names elfgraft answers to: `elfgraft COMMAND`, or a drop-in by the name it is called by.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::btf::{BtfArgs, BtfIdsArgs};
use crate::module_hashes::ModuleHashesArgs;
use crate::native::{DumpArgs, RemoveArgs, SetArgs};
use crate::objcopy::ObjcopyArgs;
use crate::report::Error;
use crate::response;
use crate::show::ShowArgs;

/// Patches sections of ELF files: run it once or ten times, the bytes are the same, and nothing else changes.
#[derive(Debug, Parser)]
#[command(name = "elfgraft", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Replace sections, or add them where there are none
    Set(SetArgs),
    /// Remove sections
    Remove(RemoveArgs),
    /// Write the contents of sections to files
    Dump(DumpArgs),
    /// Tell what is in ELF files
    Show(ShowArgs),
    /// Embed BTF: .BTF, .BTF.base, .BTF_ids and its symbols in one rewrite
    Btf(BtfArgs),
    /// Show, check, sort and resolve .BTF_ids
    BtfIds(BtfIdsArgs),
    /// Module hashes: the Merkle root in vmlinux, and the proofs behind modules
    ModuleHashes(ModuleHashesArgs),
    /// Drop-in for GNU objcopy, for edits of sections
    Objcopy(Box<ObjcopyArgs>),
}

/// A command line that is one tool's: what `elfgraft objcopy` is, without `elfgraft`.
#[derive(Debug, Clone, Copy)]
enum Personality {
    Objcopy,
}

impl Personality {
    /// `objcopy`, `elfgraft-objcopy`, `x86_64-linux-gnu-objcopy` and the like.
    fn of(program: &OsStr) -> Option<Personality> {
        let name = Path::new(program).file_name()?.to_str()?;
        let tool = name.rsplit('-').next()?;
        (tool == "objcopy").then_some(Personality::Objcopy)
    }
}

/// Runs the command that `args` (program name first) ask for.
pub fn main(args: Vec<OsString>) -> Result<(), Error> {
    let args = response::expand(args)?;
    match args.first().and_then(|program| Personality::of(program)) {
        Some(Personality::Objcopy) => {
            let command = Cli::command();
            let objcopy = command.find_subcommand("objcopy").cloned().unwrap_or_default();
            let matches = objcopy.name("elfgraft-objcopy").try_get_matches_from(args)?;
            ObjcopyArgs::from_arg_matches(&matches)?.run()
        }
        None => match Cli::try_parse_from(args)?.command {
            Command::Set(args) => args.run(),
            Command::Remove(args) => args.run(),
            Command::Dump(args) => args.run(),
            Command::Show(args) => args.run(),
            Command::Btf(args) => args.run(),
            Command::BtfIds(args) => args.run(),
            Command::ModuleHashes(args) => args.run(),
            Command::Objcopy(args) => args.run(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn definitions_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn names_choose_the_personality() {
        for name in ["objcopy", "/usr/bin/elfgraft-objcopy", "x86_64-linux-gnu-objcopy"] {
            assert!(Personality::of(OsStr::new(name)).is_some(), "{name}");
        }
        for name in ["elfgraft", "objcopy2", "/opt/objcopy/elfgraft", ""] {
            assert!(Personality::of(OsStr::new(name)).is_none(), "{name}");
        }
    }
}
