//! `elfgraft objcopy`: GNU's spelling of section edits.

mod formats;
mod values;

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use elfgraft_edit::{Content, Edits, Pattern, Target, plan, plan_flat, plan_only_keep_debug, to_elf32};
use elfgraft_elf::Image;
use elfgraft_patch::Input;

use crate::addresses::AddressArgs;
use crate::archive::{is_archive, plan_archive};
use crate::blob::{Blob, load, number, open, outputs};
use crate::report::Error;
use crate::run::{self, Output, finish};
use crate::strip::strip_of;
use crate::symbols::{RebindArgs, SymbolArgs};
use crate::targets::{self, TargetFormat};
use formats::{FormArgs, check_format, new_object, records};
pub use values::{by_pattern, flags, patterns};
use values::{bytes_of, debuglink, rename};

/// What the drop-ins for GNU's tools share.
#[derive(Debug, clap::Args)]
pub struct DropInArgs {
    /// Remove an appended module signature without a warning
    ///
    /// Every change breaks it. The bytes behind the last ELF structure go.
    #[arg(long)]
    pub drop_signature: bool,
    /// Outputs depend on inputs only: always so, accepted for GNU's sake
    #[arg(short = 'D', long)]
    enable_deterministic_archives: bool,
    /// Print the version
    #[arg(short = 'V', long, action = clap::ArgAction::Version)]
    version: Option<bool>,
}

/// What `--version` says behind the tool's name: build scripts read `name (package) version` in the first line.
pub const VERSION: &str = concat!("(elfgraft) ", env!("CARGO_PKG_VERSION"));

/// Drop-in for GNU objcopy: copy an ELF file, editing its sections and symbols.
///
/// Without OUT, the file itself is replaced, whole or not at all. All options combine, and their order does not
/// matter: keeping beats removing; removals, then renames, then additions, then updates, then flags and alignment.
/// An option of one value that is given again takes the last, and so do `-S`, `-g`, `--strip-unneeded` and
/// `--only-keep-debug` among each other. Dumps read the input. A PATTERN knows `*`, `?`, `[a-z]` and `[!a]`; with a
/// leading `!` it keeps what it matches.
#[derive(Debug, clap::Args)]
#[command(
    version = VERSION,
    disable_version_flag = true,
    infer_long_args = true,
    args_override_self = true,
    override_usage = "elfgraft objcopy [OPTIONS] IN [OUT]",
    after_help = "Example: elfgraft objcopy -R .BTF --add-section .BTF=x.BTF x.ko",
    after_long_help = EXAMPLES
)]
pub struct ObjcopyArgs {
    /// Input file; `-` is standard input
    #[arg(value_name = "IN")]
    input: PathBuf,
    /// Output file; `-` is standard output
    #[arg(value_name = "OUT")]
    output: Option<PathBuf>,

    /// Add section NAME with the contents of FILE
    ///
    /// SHT_PROGBITS, sh_flags 0, sh_addralign 1. It gets the last index, and its contents stand before the section header
    /// table. An error if the section exists, unless it is removed in the same call: then it is replaced in its place.
    #[arg(long, value_name = "NAME=FILE")]
    add_section: Vec<OsString>,
    /// Remove the sections that match, and the relocation sections that go with them
    ///
    /// Section indices behind them are renumbered everywhere: sh_link, sh_info, st_shndx, group members, e_shstrndx.
    /// Symbols of removed sections go. Nothing in a segment moves: zeros are left there.
    #[arg(short = 'R', long, value_name = "PATTERN")]
    remove_section: Vec<OsString>,
    /// Keep the sections that match, whatever other options say
    ///
    /// Header and contents stay as they are, but for indices of others that are renumbered.
    #[arg(long, value_name = "PATTERN")]
    keep_section: Vec<OsString>,
    /// Remove all other sections, but for symbol and string tables
    ///
    /// As --remove-section does: indices are renumbered everywhere, symbols of removed sections go, segments keep zeros.
    #[arg(short = 'j', long, value_name = "PATTERN")]
    only_section: Vec<OsString>,
    /// Replace the contents of section NAME
    ///
    /// sh_size becomes the size of FILE; sh_type, sh_flags, sh_addr and the index stay. An allocated section cannot
    /// grow.
    #[arg(long, value_name = "NAME=FILE")]
    update_section: Vec<OsString>,
    /// Write the contents of section NAME, as they are in IN, to FILE
    ///
    /// It must be there, once, and have contents. With dumps alone, IN is only read.
    #[arg(long, value_name = "NAME=FILE")]
    dump_section: Vec<OsString>,
    /// Change a section's name, and with FLAGS its sh_flags
    ///
    /// The relocation section's name follows. The new sh_name is appended to the section header string table; indices
    /// and contents stay.
    #[arg(long, value_name = "OLD=NEW[,FLAGS]")]
    rename_section: Vec<OsString>,
    /// Set sh_flags of the sections that match
    ///
    /// FLAGS: alloc, load, noload, readonly, code, data, rom, share, contents, debug, merge, strings, exclude, large.
    /// `alloc` is SHF_ALLOC, `code` SHF_EXECINSTR, `merge` SHF_MERGE, `strings` SHF_STRINGS, `exclude` SHF_EXCLUDE;
    /// without `readonly` SHF_WRITE is set. `noload` takes SHF_ALLOC away and the section out of its segment. Flags
    /// that have no word here stay.
    #[arg(long, value_name = "PATTERN=FLAGS")]
    set_section_flags: Vec<OsString>,
    /// Set sh_addralign of the sections that match, a power of two
    ///
    /// sh_offset moves where the contents must; sh_addr never does.
    #[arg(long, value_name = "PATTERN=ALIGN")]
    set_section_alignment: Vec<OsString>,
    /// Set sh_type of the sections that match, a number
    ///
    /// No other field changes, and no contents.
    #[arg(long, value_name = "PATTERN=TYPE")]
    set_section_type: Vec<OsString>,
    /// Remove all symbols, debugging sections and, from an ET_REL object, relocations
    ///
    /// .symtab and its .strtab go; .dynsym stays.
    #[arg(short = 'S', long, overrides_with_all = ["strip_debug", "strip_unneeded", "only_keep_debug"])]
    strip_all: bool,
    /// Remove debugging sections, file symbols, and section symbols that nothing names
    ///
    /// The other entries of .symtab keep their order; indices of symbols in relocations and groups follow.
    #[arg(short = 'g', long, overrides_with_all = ["strip_unneeded", "only_keep_debug"])]
    strip_debug: bool,
    /// Remove all symbols that no relocation needs, and debugging sections
    ///
    /// The entries that stay in .symtab keep their order; its sh_info, and indices of symbols in relocations and groups,
    /// follow.
    #[arg(long, overrides_with = "only_keep_debug")]
    strip_unneeded: bool,
    /// Keep what a debugger reads; goes with no other edit
    ///
    /// Allocated sections become SHT_NOBITS, but for notes: sh_addr and sh_size stay, contents go.
    #[arg(long)]
    only_keep_debug: bool,
    /// Put PREFIX in front of the names (sh_name) of all sections
    #[arg(long, value_name = "PREFIX")]
    prefix_sections: Option<OsString>,
    /// Put PREFIX in front of the names (sh_name) of SHF_ALLOC sections
    #[arg(long, value_name = "PREFIX")]
    prefix_alloc_sections: Option<OsString>,
    /// Add section .gnu_debuglink, which names FILE and holds its CRC-32
    ///
    /// SHT_PROGBITS, sh_flags 0, sh_addralign 4, last index. The CRC is in the byte order of IN.
    #[arg(long, value_name = "FILE")]
    add_gnu_debuglink: Option<PathBuf>,
    #[command(flatten)]
    drop_in: DropInArgs,
    #[command(flatten)]
    form: FormArgs,
    #[command(flatten)]
    addresses: AddressArgs,
    #[command(flatten)]
    symbols: SymbolArgs,
    #[command(flatten)]
    rebind: RebindArgs,
    #[command(flatten)]
    out: Output,
}

const EXAMPLES: &str = "\
Examples:
  Set .BTF, whether it is there or not; the same bytes each time:
    elfgraft objcopy --remove-section .BTF --add-section .BTF=x.BTF x.ko
  The final vmlinux, as Makefile.vmlinux makes it:
    elfgraft objcopy --strip-unneeded -R '.rel*' vmlinux.unstripped vmlinux
  The loadable bytes, for a boot loader:
    elfgraft objcopy -O binary -R .note -R .comment -S vmlinux Image
  Debugging information into a file of its own:
    elfgraft objcopy --only-keep-debug x.ko x.debug
    elfgraft objcopy -g --add-gnu-debuglink=x.debug x.ko
  What would be written, and why:
    elfgraft objcopy --dry-run -R .comment x.o";

impl ObjcopyArgs {
    /// Why this is nothing for `verify`, which edits copies.
    pub fn elsewhere(&self) -> Option<&'static str> {
        match &self.dump_section[..] {
            [] => self.out.elsewhere(self.output.as_deref()),
            _ => Some("--dump-section writes other files"),
        }
    }

    /// Runs the command.
    pub fn run(&self) -> Result<(), Error> {
        let added = load("--add-section", &self.add_section)?;
        let updated = load("--update-section", &self.update_section)?;
        let dumps = outputs("--dump-section", &self.dump_section)?;
        let edits = self.edits(&added, &updated)?;

        let target = self.output.as_deref().unwrap_or(&self.input);
        let contents = added.iter().chain(&updated).map(Blob::path);
        run::not_an_input(target, contents.chain(self.add_gnu_debuglink.as_deref()))?;
        let mut file = open(&self.input)?;
        let (from, to) = (self.form.input()?, self.form.output()?);
        if matches!(from, Some(TargetFormat::Srec | TargetFormat::Ihex)) {
            return Err(Error::Usage("-I: records are written, not read".into()));
        }
        if from.is_none() && is_archive(file.bytes()) {
            let whole_files =
                to.is_some() || self.add_gnu_debuglink.is_some() || self.only_keep_debug || !dumps.is_empty();
            if whole_files {
                let text = "it is an archive, whose members can have their sections and symbols edited, and no more";
                return Err(Error::file(&self.input, text));
            }
            let plan = plan_archive(&self.input, file.bytes(), &edits)?;
            return finish(&file, target, &plan, self.out);
        }
        if from == Some(TargetFormat::Binary) {
            file = Input::from_bytes(&self.input, new_object(&file, to)?);
        }
        let mut image = Image::parse(file.bytes()).map_err(Error::edit(&self.input))?;
        if let Some(from) = from {
            check_format(&self.input, &image, from)?;
        }
        if matches!(to, Some(TargetFormat::Elf(wanted)) if targets::is_x32_of(wanted, image.format)) {
            let converted = to_elf32(&image).map_err(Error::edit(&self.input))?;
            file = Input::from_bytes(&self.input, converted);
            image = Image::parse(file.bytes()).map_err(Error::edit(&self.input))?;
        }
        if let Some(to) = to {
            check_format(&self.input, &image, to)?;
        }
        let mut edits = edits;
        if let Some(path) = &self.add_gnu_debuglink {
            let bytes = debuglink(path, image.format.endian)?.into();
            edits.add.push(Content { section: b".gnu_debuglink".to_vec(), bytes });
            edits.align.push((Pattern::new(b".gnu_debuglink"), 4));
        }
        let as_text = matches!(to, Some(TargetFormat::Srec | TargetFormat::Ihex));
        let flat = to == Some(TargetFormat::Binary) || as_text;
        let nothing = self.asks_for_nothing() && edits.symbols.is_empty() && edits.addresses.is_empty();
        let only_dumps = !dumps.is_empty() && self.output.is_none() && !flat && nothing;
        // The plan comes first: an edit that is refused must not leave dumps behind.
        if self.only_keep_debug && (flat || !nothing) {
            return Err(Error::Usage("--only-keep-debug goes with no other edit".into()));
        }
        let plan = match (only_dumps, flat) {
            _ if self.only_keep_debug => Some(plan_only_keep_debug(&image)),
            (true, _) => None,
            _ if as_text => Some(records(&image, &edits, to, target)),
            (_, true) => Some(plan_flat(&image, &edits, self.form.flat()?)),
            _ => Some(plan(&image, &edits)),
        };
        let plan = plan.transpose().map_err(Error::edit(&self.input))?;
        // All of them are there before one is written.
        for dump in run::dumps(&file, &image, dumps, "--dump-section: ")? {
            dump.run(&image, &file, self.out)?;
        }
        match &plan {
            Some(plan) => finish(&file, target, plan, self.out),
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
            && self.add_gnu_debuglink.is_none()
            && self.prefix_sections.is_none()
            && self.prefix_alloc_sections.is_none()
            && !self.drop_in.drop_signature
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
                flags("--set-section-flags", v.as_bytes())
            })?,
            align: by_pattern("--set-section-alignment", &self.set_section_alignment, |v| {
                number("--set-section-alignment", v)
            })?,
            types: by_pattern("--set-section-type", &self.set_section_type, |v| {
                let value = number("--set-section-type", v)?;
                u32::try_from(value)
                    .map_err(|_| Error::Usage(format!("--set-section-type: {value} does not fit 32 bits")))
            })?,
            addresses: self.addresses.edits()?,
            symbols: {
                let mut symbols = self.symbols.edits()?;
                symbols.strip = strip_of(self.strip_all, self.strip_unneeded, self.strip_debug);
                self.rebind.add_to(&self.symbols, &mut symbols)?;
                symbols
            },
            drop_signature: self.drop_in.drop_signature,
            prefix_sections: bytes_of(&self.prefix_sections),
            prefix_alloc_sections: bytes_of(&self.prefix_alloc_sections),
            ..Edits::default()
        })
    }
}
