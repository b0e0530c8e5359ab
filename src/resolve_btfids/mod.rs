//! Drop-in for the kernel's `tools/bpf/resolve_btfids` (7.2), without libelf and libbpf.
//!
//! ```text
//! resolve_btfids [--btf F] [--btf_base B [--distill_base]] X    writes X.BTF, X.BTF_ids, X.BTF.base; X is only read
//! resolve_btfids --patch_btfids X.BTF_ids X                     puts the words, and the symbols of what moved, into X
//! ```
//!
//! Command line, messages, exit status (0, 255 failed, 129 wrong options) and output are those of the kernel's tool, where
//! that is right; docs/resolve_btfids.md lists where it is not. An error it has no words for is told in ours.

mod load;
mod options;
mod patch;
mod trace;

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use elfgraft_btf::ids::{Options as IdOptions, Problem};
use elfgraft_btf::{Btf, Error as BtfError, Processed};
use elfgraft_elf::Image;
use elfgraft_elf::consts::SHT_SYMTAB;
use elfgraft_patch::{Input, IoError, WriteOptions, shown, write_file};

use crate::btf::process::{How, kfunc_flags, process_for, read};
use crate::btf::section::IdsSection;
use crate::btf::source::{Own, only, same_order, valid};
use crate::report::{self, Error};
use load::Source;
use options::{Options, parse};
use trace::Trace;

/// Drop-in for the kernel's resolve_btfids: resolve BTF IDs, rewrite BTF.
///
/// ELF is only read: .BTF, .BTF_ids and .BTF.base go to the files ELF.BTF, ELF.BTF_ids and ELF.BTF.base. With
/// --patch_btfids the words of .BTF_ids in ELF are replaced, and st_value of the symbols whose entries moved. Options,
/// their abbreviations and `--no-` forms, messages and exit status are those of the kernel's tool.
#[derive(Debug, clap::Args)]
#[command(
    disable_help_flag = true,
    override_usage = USAGE,
    after_long_help = EXAMPLES
)]
pub struct ResolveBtfidsArgs {
    /// Options and the ELF file
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    args: Vec<OsString>,
}

const USAGE: &str = "elfgraft resolve_btfids [OPTIONS] ELF\n       elfgraft resolve_btfids --patch_btfids FILE ELF";

const EXAMPLES: &str = "\
Examples:
  What scripts/gen-btf.sh does with a module:
    elfgraft resolve_btfids --distill_base -b vmlinux --btf x.BTF.1 x.ko
    elfgraft resolve_btfids --patch_btfids x.ko.BTF_ids x.ko";

impl ResolveBtfidsArgs {
    /// The definition for manual pages and completions; the command line itself is read as the kernel's tool does.
    pub fn definition(_: clap::Command) -> clap::Command {
        let command = clap::Command::new("resolve_btfids").disable_help_flag(true).override_usage(USAGE);
        let derived = Self::augment_args(clap::Command::new("resolve_btfids"));
        let (about, long) =
            (derived.get_about().cloned().unwrap_or_default(), derived.get_long_about().cloned().unwrap_or_default());
        options::define(command.about(about).long_about(long).after_long_help(EXAMPLES))
    }

    /// Of a whole command line, the program's name first.
    pub fn of(args: Vec<OsString>) -> Self {
        Self { args: args.into_iter().skip(1).collect() }
    }

    /// Runs the command.
    pub fn run(&self) -> Result<(), Error> {
        let done = parse(&self.args).and_then(|options| match &options.patch_btfids {
            Some(blob) => patch::patch(blob, &options),
            None => resolve(&options),
        });
        done.or_else(|stop| {
            report::print(&stop.out)?;
            // A closed standard error leaves only the exit status to tell.
            let _ = io::stderr().lock().write_all(stop.err.as_bytes());
            Err(Error::Status(stop.status))
        })
    }
}

/// Why the tool ends early, and with what.
#[derive(Debug, PartialEq, Eq)]
struct Stop {
    status: u8,
    out: String,
    err: String,
}

fn failed(line: impl Into<String>) -> Stop {
    Stop { status: 255, out: String::new(), err: line.into() + "\n" }
}

/// A failure that the kernel's tool does not explain: what we know of it comes in a line before.
fn explained(what: impl std::fmt::Display, line: impl Into<String>) -> Stop {
    failed(format!("resolve_btfids: {what}\n{}", line.into()))
}

impl From<Error> for Stop {
    fn from(e: Error) -> Stop {
        failed(format!("FAILED: {e}"))
    }
}

fn say(line: impl std::fmt::Display) {
    // One call for a line: standard error has no buffer.
    let _ = io::stderr().lock().write_all(format!("{line}\n").as_bytes());
}

/// Opens a file for reading; the error is the system's alone.
fn open(path: &Path) -> Result<Input, String> {
    Input::open(path).map_err(|e| match e {
        IoError::System { source, .. } => errno(&source),
        IoError::NotRegular { kind: "a directory", .. } => "Is a directory".to_owned(),
        e => e.to_string(),
    })
}

/// The system's reason in the words of `strerror`.
fn errno(e: &io::Error) -> String {
    let text = e.to_string();
    let number = e.raw_os_error().map_or(String::new(), |number| format!(" (os error {number})"));
    text.strip_suffix(&number).unwrap_or(&text).to_owned()
}

/// `.BTF_ids` as far as there is something to do with it.
struct Collected<'a> {
    data: &'a [u8],
    /// `None` where no symbol tells what the words are.
    ids: Option<IdsSection<'a>>,
}

impl<'a> Collected<'a> {
    /// `None` without the section, and in a file without symbols: IDs cannot be resolved then, BTF can still be rewritten.
    fn find(path: &Path, image: &Image<'a>) -> Result<Option<Self>, Stop> {
        let index = only(path, image, b".BTF_ids")?;
        let Some(index) = index.filter(|_| image.indexed().any(|(_, header)| header.sh_type == SHT_SYMTAB)) else {
            return Ok(None);
        };
        let data = image.contents(index).map_err(Error::edit(path))?;
        Ok(Some(Collected { data, ids: IdsSection::read(path, image, index)? }))
    }
}

fn resolve(options: &Options) -> Result<(), Stop> {
    let path = &*options.file;
    let trace = Trace(options.verbose);
    let file = open(path).map_err(|e| failed(format!("FAILED cannot open {}: {e}", shown(&path))))?;
    let image = Image::parse(file.bytes())
        .map_err(|e| explained(format_args!("{}: {e}", shown(&path)), "FAILED cannot get shdr str ndx"))?;
    trace.sections(&image);
    let collected = Collected::find(path, &image)?;
    let section = collected.as_ref().and_then(|found| found.ids.as_ref());
    match &collected {
        Some(_) => trace.symbols(section),
        None => trace.say("Cannot find .BTF_ids or symbols sections, skip symbols resolution"),
    }

    let base_file = options.btf_base.as_deref().map(|path| Source::open("base BTF", path)).transpose()?;
    let base_source = base_file.as_ref().map(|file| Source::find("base BTF", file)).transpose()?;
    let wanted = section.map(|section| section.ids().wanted()).unwrap_or_default();
    let base = base_source.as_ref().map(|source| source.parse_base(&wanted)).transpose()?;
    let btf_file = options.btf.as_deref().map(|path| Source::open("BTF", path)).transpose()?;
    let source = Source::find("BTF", btf_file.as_ref().unwrap_or(&file))?;
    let btf = source.parse(base.as_ref())?;
    valid(&btf).map_err(|e| source.refuse(e))?;
    same_order(path, &image, &btf)?;

    // The IDs that are in the file now refer to the BTF that is in the file now.
    let own = Own::find(path, &image)?;
    let olds = own.readings(&[base.as_ref()]);
    let job = Job { path, image: &image, section, source: &source };
    let how = How { distill: options.distill_base && source.distilled().is_none(), ..How::default() };
    let Processed { btf: new_data, base: new_base_data } =
        process_for(&btf, section, &olds, how).map_err(|e| job.refuse(e))?;
    let new_base = new_base_data.as_deref().map(Btf::parse).transpose().map_err(|e| job.refuse(e))?;
    let new = read(&new_data, new_base.as_ref().or(btf.base())).map_err(|e| job.refuse(e))?;

    let mut warnings = 0;
    let mut ids = collected.as_ref().map(|found| found.data.to_vec());
    if let Some(section) = section {
        let old = section.proof(olds.iter().chain([&new, &btf]));
        if trace.0 >= 1 {
            Trace::kfuncs(section, &btf, &kfunc_flags(section, old, how).unwrap_or_default());
        }
        let id_options = IdOptions { old, pinned: section.pinned(), ..IdOptions::default() };
        let outcome = section.ids().resolve(&new, &id_options).map_err(|e| job.refuse(e))?;
        warnings = outcome.warnings.len();
        trace.patched(section, &new, &outcome.warnings);
        ids = Some(outcome.data);
    }
    match ids {
        Some(ids) if !ids.is_empty() => {
            trace.swapped(&image, "host to target");
            dump(path, ".BTF_ids", &ids, trace)?;
        }
        Some(_) => trace.say(format_args!("{} has no BTF_ids data to dump", path.display())),
        None => {}
    }
    dump(path, ".BTF", &new_data, trace)?;
    if let Some(base) = new_base_data.as_deref().or(source.distilled().filter(|_| options.distill_base)) {
        dump(path, ".BTF.base", base, trace)?;
    }
    if options.fatal_warnings && warnings != 0 {
        return Err(Stop { status: 255, out: String::new(), err: String::new() });
    }
    Ok(())
}

/// What an error can be about.
struct Job<'j> {
    path: &'j Path,
    image: &'j Image<'j>,
    section: Option<&'j IdsSection<'j>>,
    source: &'j Source<'j>,
}

impl Job<'_> {
    /// What the kernel's tool says of an error, where it has words for it.
    fn refuse(&self, e: BtfError) -> Stop {
        match &e {
            BtfError::BadIds(finding) => {
                let symbol = finding.symbol.as_deref().unwrap_or_default();
                let name = symbol.strip_prefix("__BTF_ID__").unwrap_or(symbol);
                failed(match finding.problem {
                    Problem::UnsupportedPrefix => format!("FAILED unsupported prefix {name}"),
                    Problem::BadSymbolName => format!("FAILED to parse symbol name: {name}"),
                    Problem::BadSetName => format!("FAILED to parse set name: {name}"),
                    Problem::BeyondSection { len } => {
                        format!("FAILED patching index {} out of bounds {len}", finding.offset)
                    }
                    _ => format!("FAILED: '{}': {e}", shown(&self.path)),
                })
            }
            BtfError::UnprovenSymbols { set, offset, .. } | BtfError::LostSymbols { set, offset } => failed(format!(
                "FAILED: '{}': set '{set}' at {offset:#x} of '.BTF_ids' was sorted before, and no BTF that its IDs may \
                 refer to tells which symbol belongs to which entry; link it again, or see elfgraft btf-ids resolve \
                 --help",
                shown(&self.path)
            )),
            BtfError::AmbiguousIds { .. } => failed(format!("FAILED: '{}': {e}", shown(&self.path))),
            BtfError::CannotDistill { .. } => failed(format!("FAILED to distill base BTF: {e}")),
            BtfError::CannotRewrite { .. } | BtfError::UnknownHeader { .. } | BtfError::OverLimit { .. } => {
                failed(format!("FAILED to sort BTF: {e}"))
            }
            BtfError::PinnedSet { .. } => match self.section {
                Some(section) => section.explain(self.path, self.image)(e).into(),
                None => self.source.refuse(e),
            },
            _ => self.source.refuse(e),
        }
    }
}

/// Writes a file beside the ELF file.
fn dump(path: &Path, suffix: &str, data: &[u8], trace: Trace) -> Result<(), Stop> {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    let out = PathBuf::from(name);
    write_file(&out, data, &WriteOptions::default())
        .map_err(|e| explained(e, format!("Couldn't open {} for writing", shown(&out))))?;
    trace.say(format_args!("Dumped {} bytes of data to {}", data.len(), shown(&out)));
    Ok(())
}
