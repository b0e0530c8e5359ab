//! The names elfgraft answers to: `elfgraft COMMAND`, or a drop-in by the name it is called by.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use clap::{CommandFactory, Parser, Subcommand};
use elfgraft_edit::Decision;
use elfgraft_patch::Input;

use crate::btf::{BtfArgs, BtfIdsArgs};
use crate::diff::{CheckArgs, DiffArgs};
use crate::manual::{CompletionsArgs, ManArgs};
use crate::module_hashes::ModuleHashesArgs;
use crate::native::{DumpArgs, RemoveArgs, SetArgs};
use crate::objcopy::ObjcopyArgs;
use crate::report::Error;
use crate::resolve_btfids::ResolveBtfidsArgs;
use crate::response;
use crate::run::observe;
use crate::show::ShowArgs;
use crate::strip::StripArgs;
use crate::verify::{Own, VerifyArgs};

/// Patches sections of ELF files: run it once or ten times, the bytes are the same, and nothing else changes.
///
/// Messages are `elfgraft: error: 'FILE': ...`, whatever name it is called by, but for those of resolve_btfids, which are
/// the kernel tool's; it is quiet when all is well.
#[derive(Debug, Parser)]
#[command(
    name = "elfgraft",
    version,
    arg_required_else_help = true,
    after_help = "Example: elfgraft set .BTF=x.BTF x.ko",
    after_long_help = EXAMPLES
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  Set a section, whether it is there or not:
    elfgraft set .BTF=x.BTF x.ko
  What is in a file, and where:
    elfgraft show --layout x.ko
  Does the edit keep everything else as it is?
    elfgraft verify set .BTF=x.BTF x.ko
  The kernel's build with it:
    make OBJCOPY=elfgraft-objcopy STRIP=elfgraft-strip
  Manual pages, and completions for bash, zsh or fish:
    elfgraft man ~/.local/share/man/man1
    elfgraft completions bash";

// What each is for is said where its options are.
#[derive(Debug, Subcommand)]
pub enum Command {
    Set(SetArgs),
    Remove(RemoveArgs),
    Dump(DumpArgs),
    Show(ShowArgs),
    Btf(BtfArgs),
    BtfIds(BtfIdsArgs),
    ModuleHashes(ModuleHashesArgs),
    Diff(DiffArgs),
    Check(CheckArgs),
    Verify(VerifyArgs),
    Objcopy(Box<ObjcopyArgs>),
    Strip(Box<StripArgs>),
    #[command(name = "resolve_btfids")]
    ResolveBtfids(ResolveBtfidsArgs),
    #[command(hide = true)]
    Man(ManArgs),
    #[command(hide = true)]
    Completions(CompletionsArgs),
}

/// The definition of all commands, for manual pages and completions.
fn definition() -> clap::Command {
    Cli::command().mut_subcommand("resolve_btfids", ResolveBtfidsArgs::definition)
}

/// Tools whose command line is that of the subcommand of the same name.
const PERSONALITIES: [(&str, &str); 3] =
    [("objcopy", "elfgraft-objcopy"), ("strip", "elfgraft-strip"), ("resolve_btfids", "elfgraft-resolve_btfids")];

/// The tool that a program's name stands for: `objcopy`, `elfgraft-objcopy`, `x86_64-linux-gnu-objcopy` and the like, also
/// with a version behind it, as makefiles call LLVM's (`LLVM=-14`).
fn personality(program: &OsStr) -> Option<(&'static str, &'static str)> {
    let name = Path::new(program).file_name()?.to_str()?;
    let is_version = |part: &&str| part.starts_with(|c: char| c.is_ascii_digit());
    let tool = name.rsplit('-').find(|part| !is_version(part))?;
    PERSONALITIES.into_iter().find(|(known, _)| *known == tool)
}

/// Reads the command line of one tool. Only its own options are set up: a build calls this tens of thousands of times.
fn parse_as<T: clap::Args>(name: &'static str, args: Vec<OsString>) -> Result<T, Error> {
    let tool = T::augment_args(clap::Command::new(name));
    // As getopt_long: what follows an option that takes a value is the value, whatever it looks like.
    let takes_value = |arg: &clap::Arg| !arg.is_positional() && arg.get_action().takes_values();
    let tool = tool.mut_args(|arg| if takes_value(&arg) { arg.allow_hyphen_values(true) } else { arg });
    Ok(T::from_arg_matches(&tool.try_get_matches_from(args)?)?)
}

/// Runs the command that `args` (program name first) ask for.
pub fn main(args: Vec<OsString>) -> Result<(), Error> {
    let args = response::expand(args)?;
    let command = match args.first().and_then(|program| personality(program)) {
        Some(("strip", name)) => Command::Strip(Box::new(parse_as(name, args)?)),
        Some(("resolve_btfids", _)) => Command::ResolveBtfids(ResolveBtfidsArgs::of(args)),
        Some((_, name)) => Command::Objcopy(Box::new(parse_as(name, args)?)),
        None => parse(args)?,
    };
    run(command)
}

/// Reads `elfgraft COMMAND ...`. Setting up the options of all commands takes as long as a small edit, so those that
/// builds call are read like the tools.
pub fn parse(args: Vec<OsString>) -> Result<Command, Error> {
    let tool = |name: &str| [OsString::from(name)].into_iter().chain(args.iter().skip(2).cloned()).collect();
    Ok(match args.get(1).and_then(|command| command.to_str()) {
        Some("set") => Command::Set(parse_as("elfgraft set", tool("elfgraft set"))?),
        Some("objcopy") => Command::Objcopy(Box::new(parse_as("elfgraft objcopy", tool("elfgraft objcopy"))?)),
        Some("strip") => Command::Strip(Box::new(parse_as("elfgraft strip", tool("elfgraft strip"))?)),
        Some("btf") => Command::Btf(parse_as("elfgraft btf", tool("elfgraft btf"))?),
        Some("resolve_btfids") => Command::ResolveBtfids(ResolveBtfidsArgs::of(tool("resolve_btfids"))),
        // 1 means that files differ.
        Some("diff") => Cli::try_parse_from(args).map_err(|e| Error::from(e).or_trouble())?.command,
        _ => Cli::try_parse_from(args)?.command,
    })
}

fn run(command: Command) -> Result<(), Error> {
    match command {
        Command::Set(args) => args.run(),
        Command::Remove(args) => args.run(),
        Command::Dump(args) => args.run(),
        Command::Show(args) => args.run(),
        Command::Btf(args) => args.run(),
        Command::BtfIds(args) => args.run(),
        Command::ModuleHashes(args) => args.run(),
        Command::Diff(args) => args.run(),
        Command::Check(args) => args.run(),
        Command::Verify(args) => args.run(&own()),
        Command::Objcopy(args) => args.run(),
        Command::Strip(args) => args.run(),
        Command::ResolveBtfids(args) => args.run(),
        Command::Man(args) => args.run(definition()),
        Command::Completions(args) => args.run(definition()),
    }
}

/// Our own edits, for `verify`.
pub fn own() -> Own {
    Own { files: edited_files, run: run_observed }
}

/// Runs a command line, and tells what its edits decided.
fn run_observed(args: Vec<OsString>) -> Result<Vec<Decision>, Error> {
    let command = Cli::try_parse_from(args)?.command;
    let (result, decisions) = observe(|| run(command));
    result.map(|()| decisions)
}

/// The files that a command line without program name edits, and the command line without them. Options alone are
/// objcopy's.
fn edited_files(args: &[OsString]) -> Result<(Vec<PathBuf>, Vec<OsString>), Error> {
    let known = |name: &OsString| Cli::command().get_subcommands().any(|c| name == c.get_name());
    let mut line: Vec<OsString> = args.to_vec();
    if !line.first().is_some_and(known) {
        if let Some(word) = line.first().filter(|w| !w.as_bytes().starts_with(b"-") && !Path::new(w).is_file()) {
            return Err(Error::Usage(format!(
                "'{}' is no edit; verify takes {EDITS}, then the files",
                elfgraft_patch::shown(word)
            )));
        }
        line.insert(0, "objcopy".into());
    }
    // The files are what stands behind everything else and is there: as many as the command line does without, since the
    // last option may have a file for its value.
    let most = line.iter().rev().take_while(|arg| Path::new(arg).is_file()).count();
    for count in (1..=most).rev() {
        let (edit, files) = line.split_at(line.len() - count);
        let words = [OsString::from("elfgraft")].into_iter().chain(edit.iter().chain(files.first()).cloned());
        match Cli::try_parse_from(words).map(|cli| cli.command) {
            Ok(command) => {
                if let Some(why) = no_edit(&command) {
                    return Err(Error::Usage(format!("nothing to verify: {why}")));
                }
                return Ok((files.iter().map(PathBuf::from).collect(), edit.to_vec()));
            }
            Err(_) if count > 1 => {}
            Err(e) => return Err(e.into()),
        }
    }
    // A whole command line whose file is not there: opening it says why. Behind `set`, a word with `=` is a section.
    if let Some(file) = line.last().filter(|word| !word.as_bytes().contains(&b'=')) {
        let words = [OsString::from("elfgraft")].into_iter().chain(line.iter().cloned());
        if most == 0 && Cli::try_parse_from(words).is_ok_and(|cli| no_edit(&cli.command).is_none()) {
            Input::open(Path::new(file))?;
        }
    }
    Err(Error::Usage(format!("verify takes an edit ({EDITS}), then the files")))
}

/// Commands that `verify` knows.
const EDITS: &str =
    "set, remove, objcopy, strip, btf embed, btf-ids sort, btf-ids resolve, module-hashes patch, module-hashes sign";

/// Why a command does not edit its file, or does more than that: it would write beside the private copies.
fn no_edit(command: &Command) -> Option<&'static str> {
    match command {
        Command::Set(args) => args.elsewhere(),
        Command::Remove(args) => args.elsewhere(),
        Command::Objcopy(args) => args.elsewhere(),
        Command::Strip(args) => args.elsewhere(),
        Command::Btf(args) => args.elsewhere(),
        Command::BtfIds(args) => args.elsewhere(),
        Command::ModuleHashes(args) => args.elsewhere(),
        _ => Some("the command does not edit its files"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Args;

    #[test]
    fn definitions_are_consistent() {
        Cli::command().debug_assert();
        ObjcopyArgs::augment_args(clap::Command::new("objcopy")).debug_assert();
    }

    #[test]
    fn names_choose_the_personality() {
        for name in
            ["objcopy", "/usr/bin/elfgraft-objcopy", "x86_64-linux-gnu-objcopy", "llvm-objcopy-14", "objcopy-2.40"]
        {
            assert_eq!(personality(OsStr::new(name)).map(|p| p.0), Some("objcopy"), "{name}");
        }
        for name in ["resolve_btfids", "tools/elfgraft-resolve_btfids"] {
            assert_eq!(personality(OsStr::new(name)).map(|p| p.0), Some("resolve_btfids"), "{name}");
        }
        for name in ["elfgraft", "objcopy2", "/opt/objcopy/elfgraft", "elfgraft-0.1", "14", ""] {
            assert_eq!(personality(OsStr::new(name)), None, "{name}");
        }
    }
}
