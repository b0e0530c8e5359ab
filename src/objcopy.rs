//! `elfgraft objcopy`: GNU's spelling of section edits.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use elfgraft_edit::{Content, Edits, FlagSet, Pattern, Patterns, Rename, Target, plan};
use elfgraft_elf::Image;

use crate::blob::{Blob, assignment, load, number, open, outputs};
use crate::report::Error;
use crate::run::{Output, dump, finish};
use crate::strip::strip_of;
use crate::symbols::{RebindArgs, SymbolArgs};

/// Copy an ELF file, editing its sections. Without OUT, the file itself is replaced, whole or not at all.
///
/// All options combine, and their order does not matter: keeping beats removing; removals, then renames, then
/// additions, then updates, then flags and alignment. Dumps read the input. A PATTERN knows `*`, `?`, `[a-z]` and
/// `[!a]`; with a leading `!` it keeps what it matches.
#[derive(Debug, clap::Args)]
#[command(
    version,
    disable_version_flag = true,
    infer_long_args = true,
    override_usage = "elfgraft objcopy [OPTIONS] IN [OUT]"
)]
pub struct ObjcopyArgs {
    /// Input file; `-` is standard input
    #[arg(value_name = "IN")]
    input: PathBuf,
    /// Output file; `-` is standard output
    #[arg(value_name = "OUT")]
    output: Option<PathBuf>,

    /// Add section NAME with the contents of FILE: last index, contents before the section header table. An error if
    /// the section exists, unless it is removed in the same call: then it is replaced in its place
    #[arg(long, value_name = "NAME=FILE")]
    add_section: Vec<OsString>,
    /// Remove the sections that match, and the relocation sections that go with them
    #[arg(short = 'R', long, value_name = "PATTERN")]
    remove_section: Vec<OsString>,
    /// Keep the sections that match, whatever other options say
    #[arg(long, value_name = "PATTERN")]
    keep_section: Vec<OsString>,
    /// Remove all other sections, but for symbol and string tables
    #[arg(short = 'j', long, value_name = "PATTERN")]
    only_section: Vec<OsString>,
    /// Replace the contents of section NAME. The size of an allocated section cannot grow
    #[arg(long, value_name = "NAME=FILE")]
    update_section: Vec<OsString>,
    /// Write the contents of section NAME to FILE
    #[arg(long, value_name = "NAME=FILE")]
    dump_section: Vec<OsString>,
    /// Change a section's name (and its relocation section's), and with FLAGS its flags
    #[arg(long, value_name = "OLD=NEW[,FLAGS]")]
    rename_section: Vec<OsString>,
    /// Set sh_flags: alloc, load, noload, readonly, code, data, rom, share, contents, debug, merge, strings, exclude,
    /// large. Flags that have no word here stay; without `readonly` SHF_WRITE is set
    #[arg(long, value_name = "PATTERN=FLAGS")]
    set_section_flags: Vec<OsString>,
    /// Set sh_addralign, a power of two
    #[arg(long, value_name = "PATTERN=ALIGN")]
    set_section_alignment: Vec<OsString>,
    /// Set sh_type, a number
    #[arg(long, value_name = "PATTERN=TYPE")]
    set_section_type: Vec<OsString>,
    /// Remove all symbols, debugging sections and, from an ET_REL object, relocations
    #[arg(short = 'S', long)]
    strip_all: bool,
    /// Remove debugging sections, file symbols, and section symbols that nothing names
    #[arg(short = 'g', long)]
    strip_debug: bool,
    /// Remove all symbols that no relocation needs, and debugging sections
    #[arg(long)]
    strip_unneeded: bool,
    #[command(flatten)]
    symbols: SymbolArgs,
    #[command(flatten)]
    rebind: RebindArgs,
    /// Remove an appended module signature without a warning
    #[arg(long)]
    drop_signature: bool,
    /// Outputs depend on inputs only: always so, accepted for GNU's sake
    #[arg(short = 'D', long)]
    enable_deterministic_archives: bool,
    #[command(flatten)]
    out: Output,
    /// Print the version
    #[arg(short = 'V', long, action = clap::ArgAction::Version)]
    version: Option<bool>,
}

impl ObjcopyArgs {
    /// Runs the command.
    pub fn run(&self) -> Result<(), Error> {
        let added = load("--add-section", &self.add_section)?;
        let updated = load("--update-section", &self.update_section)?;
        let dumps = outputs("--dump-section", &self.dump_section)?;
        let edits = self.edits(&added, &updated)?;

        let file = open(&self.input)?;
        let image = Image::parse(file.bytes()).map_err(Error::edit(&self.input))?;
        let only_dumps =
            !dumps.is_empty() && self.output.is_none() && self.asks_for_nothing() && edits.symbols.is_empty();
        // The plan comes first: an edit that is refused must not leave dumps behind.
        let plan = if only_dumps { None } else { Some(plan(&image, &edits).map_err(Error::edit(&self.input))?) };
        for (name, target) in &dumps {
            dump(&image, &self.input, name, target, self.out)?;
        }
        match &plan {
            Some(plan) => finish(&file, self.output.as_deref().unwrap_or(&self.input), plan, self.out),
            None => Ok(()),
        }
    }

    fn asks_for_nothing(&self) -> bool {
        [
            &self.add_section,
            &self.remove_section,
            &self.only_section,
            &self.update_section,
            &self.rename_section,
            &self.set_section_flags,
            &self.set_section_alignment,
            &self.set_section_type,
        ]
        .iter()
        .all(|values| values.is_empty())
            && !self.drop_signature
    }

    fn edits<'a>(&self, added: &'a [Blob], updated: &'a [Blob]) -> Result<Edits<'a>, Error> {
        Ok(Edits {
            drop_in: true,
            remove: patterns(&self.remove_section),
            keep: patterns(&self.keep_section),
            only: patterns(&self.only_section),
            rename: self.rename_section.iter().map(rename).collect::<Result<_, _>>()?,
            add: added.iter().map(|b| Content { section: b.name.clone(), bytes: b.bytes() }).collect(),
            update: updated
                .iter()
                .map(|b| Content { section: Target::Name(b.name.clone()), bytes: b.bytes() })
                .collect(),
            flags: by_pattern("--set-section-flags", &self.set_section_flags, |v| {
                FlagSet::parse(&v.to_string_lossy()).map_err(Error::Usage)
            })?,
            align: by_pattern("--set-section-alignment", &self.set_section_alignment, |v| {
                number("--set-section-alignment", v)
            })?,
            types: by_pattern("--set-section-type", &self.set_section_type, |v| {
                let value = number("--set-section-type", v)?;
                u32::try_from(value)
                    .map_err(|_| Error::Usage(format!("--set-section-type: {value} does not fit 32 bits")))
            })?,
            symbols: {
                let mut symbols = self.symbols.edits()?;
                symbols.strip = strip_of(self.strip_all, self.strip_unneeded, self.strip_debug);
                self.rebind.add_to(&self.symbols, &mut symbols)?;
                symbols
            },
            drop_signature: self.drop_signature,
            ..Edits::default()
        })
    }
}

/// Section patterns of an option.
pub fn patterns(values: &[OsString]) -> Patterns {
    values.iter().map(|v| Pattern::new(v.as_bytes())).collect()
}

/// `PATTERN=VALUE` values of an option.
pub fn by_pattern<T>(
    option: &str,
    values: &[OsString],
    parse: impl Fn(&std::ffi::OsStr) -> Result<T, Error>,
) -> Result<Vec<(Pattern, T)>, Error> {
    values
        .iter()
        .map(|value| {
            let (pattern, value) = assignment(option, value)?;
            Ok((Pattern::new(pattern), parse(value)?))
        })
        .collect()
}

fn rename(value: &OsString) -> Result<Rename, Error> {
    let (from, value) = assignment("--rename-section", value)?;
    let mut words = value.as_bytes().splitn(2, |&b| b == b',');
    let to = words.next().unwrap_or_default().to_vec();
    if to.is_empty() {
        return Err(Error::Usage(format!("--rename-section: no new name in '{}'", value.display())));
    }
    let flags = words.next().map(|list| FlagSet::parse(&String::from_utf8_lossy(list)).map_err(Error::Usage));
    Ok(Rename { from: from.to_vec(), to, flags: flags.transpose()? })
}
