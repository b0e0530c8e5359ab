//! `elfgraft strip`: GNU's spelling.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use elfgraft_edit::{Discard, Edits, Strip, SymbolEdits, plan, plan_only_keep_debug};
use elfgraft_elf::Image;

use crate::archive::{is_archive, plan_archive};
use crate::blob::open;
use crate::jobs::for_each;
use crate::objcopy::{DropInArgs, VERSION, patterns};
use crate::report::Error;
use crate::run::{Output, finish};
use crate::symbols::SymbolArgs;

/// Drop-in for GNU strip: remove symbols and debugging information.
///
/// Each file is replaced whole or not at all. Without an option that says what to strip, all symbols go; of `-s`, `-g`,
/// `--strip-unneeded` and `--only-keep-debug` the last counts. Archives are edited member by member.
#[derive(Debug, clap::Args)]
#[command(
    version = VERSION,
    disable_version_flag = true,
    infer_long_args = true,
    args_override_self = true,
    override_usage = "elfgraft strip [OPTIONS] FILE...",
    after_help = "Example: elfgraft strip --strip-debug x.ko",
    after_long_help = EXAMPLES
)]
pub struct StripArgs {
    /// ELF files
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Write the result to OUT instead; for one FILE
    #[arg(short, long = "output-file", value_name = "OUT")]
    output: Option<PathBuf>,
    /// Remove all symbols, debugging sections and, from an ET_REL object, relocations
    ///
    /// .symtab and its .strtab go; .dynsym stays.
    #[arg(short = 's', long, overrides_with_all = ["strip_debug", "strip_unneeded", "only_keep_debug"])]
    strip_all: bool,
    /// Remove debugging sections, file symbols, and section symbols that nothing names
    ///
    /// The other entries of .symtab keep their order; indices of symbols in relocations and groups follow. .BTF,
    /// .BTF_ids and .orc_* stay.
    #[arg(
        short = 'g',
        long,
        short_aliases = ['S', 'd'],
        overrides_with_all = ["strip_unneeded", "only_keep_debug"]
    )]
    strip_debug: bool,
    /// Remove all symbols that no relocation needs, and debugging sections
    ///
    /// The entries that stay in .symtab keep their order; its sh_info, and indices of symbols in relocations and groups,
    /// follow.
    #[arg(long, overrides_with = "only_keep_debug")]
    strip_unneeded: bool,
    /// Keep what a debugger reads
    ///
    /// Allocated sections become SHT_NOBITS, but for notes: sh_addr and sh_size stay, contents go.
    #[arg(long, conflicts_with_all = ["remove_section", "keep_section"])]
    only_keep_debug: bool,
    /// Remove the sections that match; with a leading `!`, keep them
    ///
    /// Their relocation sections go too; section indices behind them are renumbered everywhere.
    #[arg(short = 'R', long, value_name = "PATTERN")]
    remove_section: Vec<OsString>,
    /// Keep the sections that match, whatever other options say
    ///
    /// Header and contents stay as they are, but for indices of others that are renumbered.
    #[arg(long, value_name = "PATTERN")]
    keep_section: Vec<OsString>,
    #[command(flatten)]
    drop_in: DropInArgs,
    #[command(flatten)]
    symbols: SymbolArgs,
    #[command(flatten)]
    out: Output,
}

const EXAMPLES: &str = "\
Examples:
  Modules as INSTALL_MOD_STRIP=1 installs them:
    elfgraft strip --strip-debug x.ko y.ko
  Symbols that no relocation needs, and all debugging information:
    elfgraft strip --strip-unneeded -o small.ko x.ko
  All but two symbols:
    elfgraft strip -K init_module -K cleanup_module x.ko";

impl StripArgs {
    /// Why this is nothing for `verify`, which edits copies.
    pub fn elsewhere(&self) -> Option<&'static str> {
        self.out.elsewhere(self.output.as_deref())
    }

    /// Runs the command.
    pub fn run(&self) -> Result<(), Error> {
        let symbols = self.symbols.edits()?;
        let edits = Edits {
            drop_in: true,
            remove: patterns(&self.remove_section),
            keep: patterns(&self.keep_section),
            symbols: SymbolEdits { strip: self.strip(&symbols), ..symbols },
            drop_signature: self.drop_in.drop_signature,
            ..Edits::default()
        };
        match (self.files.as_slice(), &self.output) {
            ([one], Some(target)) => self.one(one, target, &edits),
            (_, Some(_)) => Err(Error::Usage(format!("-o goes with one file, not {}", self.files.len()))),
            (files, None) => for_each(files, |file| self.one(file, file, &edits)),
        }
    }

    fn one(&self, input: &Path, target: &Path, edits: &Edits) -> Result<(), Error> {
        let file = open(input)?;
        if is_archive(file.bytes()) {
            if self.only_keep_debug {
                return Err(Error::file(input, "it is an archive: --only-keep-debug goes with one file"));
            }
            return finish(&file, target, &plan_archive(input, file.bytes(), edits)?, self.out);
        }
        let image = Image::parse(file.bytes()).map_err(Error::edit(input))?;
        let plan = if self.only_keep_debug { plan_only_keep_debug(&image) } else { plan(&image, edits) };
        finish(&file, target, &plan.map_err(Error::edit(input))?, self.out)
    }

    fn strip(&self, symbols: &SymbolEdits) -> Strip {
        let chosen = strip_of(self.strip_all, self.strip_unneeded, self.strip_debug);
        // As GNU's: an option that names symbols is a choice, keeping some is not.
        let by_name = !symbols.strip_symbols.is_empty()
            || !symbols.strip_unneeded.is_empty()
            || symbols.discard != Discard::None
            || !self.remove_section.is_empty();
        match chosen {
            Strip::None if !by_name => Strip::All,
            chosen => chosen,
        }
    }
}

/// What was asked; the command line leaves one of them, the last.
pub fn strip_of(all: bool, unneeded: bool, debug: bool) -> Strip {
    match (all, unneeded, debug) {
        (true, _, _) => Strip::All,
        (_, true, _) => Strip::Unneeded,
        (_, _, true) => Strip::Debug,
        _ => Strip::None,
    }
}
