//! `elfgraft set`, `remove` and `dump`: one atomic rewrite per file, many files per call.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use elfgraft_edit::{Content, Edits};
use elfgraft_elf::Image;
use elfgraft_patch::shown;

use crate::blob::{Blob, load, open, outputs};
use crate::jobs::for_each;
use crate::objcopy::patterns;
use crate::report::Error;
use crate::run::{Output, dumps, edit, not_an_input};

/// Replace sections, or add them where there are none.
///
/// One atomic rewrite per file, however many sections. Run it once or ten times, after whatever history: the bytes are
/// the same, and nothing else in the file moves or changes. A section that is there keeps its index, sh_type, sh_flags,
/// sh_addr and sh_addralign. A new one gets the last index, SHT_PROGBITS, sh_flags 0, and sh_addralign 1, or 4 for .BTF,
/// .BTF.base and .BTF_ids.
#[derive(Debug, clap::Args)]
#[command(
    override_usage = "elfgraft set [OPTIONS] NAME=CONTENTS... [--] FILE...",
    after_help = "Example: elfgraft set .BTF=x.BTF x.ko",
    after_long_help = "\
Examples:
  Set BTF and its distilled base, in one rewrite:
    elfgraft set .BTF=x.BTF .BTF.base=x.BTF.base x.ko
  The same for many files, in parallel:
    elfgraft set .note.build=note a.ko b.ko c.ko
  What would be written, and why:
    elfgraft set --dry-run .BTF=x.BTF x.ko
  A file name with `=` in it:
    elfgraft set .BTF=x.BTF -- a=b.ko"
)]
pub struct SetArgs {
    /// NAME=CONTENTS for each section, then the ELF files
    ///
    /// CONTENTS is a file, `-` standard input. Arguments count as sections up to the first without `=`; `--` ends them
    /// too.
    #[arg(value_name = "ARG", required = true, num_args = 1.., allow_hyphen_values = false)]
    args: Vec<OsString>,
    /// ELF files, whatever is in their names
    #[arg(value_name = "FILE", last = true)]
    files: Vec<OsString>,
    /// Write the result to OUT instead; for one FILE
    #[arg(short, long, value_name = "OUT")]
    output: Option<PathBuf>,
    /// Fill contents that are too short for an allocated section with zeros
    ///
    /// sh_size stays. Without this option contents of another size are refused there.
    #[arg(long)]
    pad: bool,
    #[command(flatten)]
    common: Common,
}

/// Remove sections.
///
/// One atomic rewrite per file. Relocation sections go with what they relocate; indices behind are renumbered everywhere:
/// sh_link, sh_info, st_shndx, group members, e_shstrndx. A section inside a segment leaves zeros behind; nothing moves.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: elfgraft remove .comment x.ko",
    after_long_help = "\
Examples:
  Take BTF out again:
    elfgraft remove .BTF -s .BTF.base x.ko
  All debugging sections but the line tables, into a new file:
    elfgraft remove '.debug_*' -s '!.debug_line*' -o small.o x.o"
)]
pub struct RemoveArgs {
    /// Sections to remove: a name, or a pattern with `*`, `?`, `[a-z]`, `[!a]`
    #[arg(value_name = "PATTERN")]
    pattern: OsString,
    /// ELF files
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// More sections to remove; with a leading `!`, sections to keep
    #[arg(short, long = "section", value_name = "PATTERN")]
    sections: Vec<OsString>,
    /// Write the result to OUT instead; for one FILE
    #[arg(short, long, value_name = "OUT")]
    output: Option<PathBuf>,
    #[command(flatten)]
    common: Common,
}

/// Write the contents of sections to files.
///
/// The ELF file is opened for reading only. A section must be there, once, and have contents (not SHT_NOBITS).
#[derive(Debug, clap::Args)]
#[command(
    override_usage = "elfgraft dump [OPTIONS] NAME=OUT... FILE",
    after_help = "Example: elfgraft dump .BTF=x.BTF x.ko",
    after_long_help = "\
Examples:
  Two sections into two files:
    elfgraft dump .BTF=x.BTF .BTF_ids=x.BTF_ids x.ko
  To another program:
    elfgraft dump .modinfo=- x.ko"
)]
pub struct DumpArgs {
    /// NAME=OUT for each section (`-` is standard output), then the ELF file
    #[arg(value_name = "ARG", required = true, num_args = 1..)]
    args: Vec<OsString>,
    /// The ELF file, whatever is in its name
    #[arg(value_name = "FILE", last = true)]
    files: Vec<OsString>,
    /// Print what would be done, and write nothing
    #[arg(long)]
    dry_run: bool,
    /// Say what was done, in one line per section
    #[arg(short, long)]
    verbose: bool,
}

#[derive(Debug, clap::Args)]
struct Common {
    /// Remove an appended module signature, which any change breaks
    ///
    /// Without it a signed file that would change is refused. The bytes behind the last ELF structure go.
    #[arg(long)]
    drop_signature: bool,
    #[command(flatten)]
    out: Output,
}

impl SetArgs {
    /// Why this is nothing for `verify`, which edits copies.
    pub fn elsewhere(&self) -> Option<&'static str> {
        self.common.out.elsewhere(self.output.as_deref())
    }

    /// Runs the command.
    pub fn run(&self) -> Result<(), Error> {
        let (values, files) = sections_then_files("NAME=CONTENTS", &self.args, &self.files)?;
        let blobs = load("set", values)?;
        // A file that is set in itself would grow with every run.
        let targets = self.output.as_ref().map_or(&files[..], std::slice::from_ref);
        targets.iter().try_for_each(|target| not_an_input(target, blobs.iter().map(Blob::path)))?;
        let edits = Edits {
            set: blobs.iter().map(|b| Content { section: b.name.clone(), bytes: b.bytes() }).collect(),
            pad: self.pad,
            drop_signature: self.common.drop_signature,
            ..Edits::default()
        };
        edit_all(&files, self.output.as_deref(), &edits, self.common.out)
    }
}

impl RemoveArgs {
    /// Why this is nothing for `verify`, which edits copies.
    pub fn elsewhere(&self) -> Option<&'static str> {
        self.common.out.elsewhere(self.output.as_deref())
    }

    /// Runs the command.
    pub fn run(&self) -> Result<(), Error> {
        let all: Vec<OsString> = [&self.pattern].into_iter().chain(&self.sections).cloned().collect();
        let edits = Edits { remove: patterns(&all), drop_signature: self.common.drop_signature, ..Edits::default() };
        edit_all(&self.files, self.output.as_deref(), &edits, self.common.out)
    }
}

impl DumpArgs {
    /// Runs the command.
    pub fn run(&self) -> Result<(), Error> {
        let (values, files) = sections_then_files("NAME=OUT", &self.args, &self.files)?;
        let [input] = files.as_slice() else {
            return Err(Error::Usage(format!("dump takes one ELF file, not {}", files.len())));
        };
        let file = open(input)?;
        let image = Image::parse(file.bytes()).map_err(Error::edit(input))?;
        let output = Output { dry_run: self.dry_run, verbose: self.verbose, ..Output::default() };
        let dumps = dumps(&file, &image, outputs("dump", values)?, "")?;
        dumps.iter().try_for_each(|dump| dump.run(&image, &file, output))
    }
}

/// `NAME=FILE ... FILE...`, or `NAME=FILE ... -- FILE...`, where `behind` is what stands behind the `--`.
fn sections_then_files<'a>(
    form: &str,
    args: &'a [OsString],
    behind: &[OsString],
) -> Result<(&'a [OsString], Vec<PathBuf>), Error> {
    let sections = args.iter().take_while(|a| a.as_bytes().contains(&b'=')).count();
    let (values, files) = args.split_at_checked(sections).unwrap_or((args, &[]));
    if let ([first, ..], [_, ..]) = (files, behind) {
        return Err(Error::Usage(format!("'{}' is no {form}, and files follow the `--`", shown(&first))));
    }
    let files: Vec<PathBuf> = files.iter().chain(behind).map(PathBuf::from).collect();
    if values.is_empty() || files.is_empty() {
        return Err(Error::Usage(format!("expected {form} for each section, then the ELF files")));
    }
    Ok((values, files))
}

fn edit_all(files: &[PathBuf], output: Option<&Path>, edits: &Edits, out: Output) -> Result<(), Error> {
    match (files, output) {
        ([one], Some(target)) => edit(one, target, edits, out),
        (_, Some(_)) => Err(Error::Usage(format!("--output goes with one file, not {}", files.len()))),
        (_, None) => for_each(files, |file| edit(file, file, edits, out)),
    }
}
