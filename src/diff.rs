//! `elfgraft diff` and `elfgraft check`, on the reader that the editor does not use.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use elfgraft_compare::Reader;
use elfgraft_compare::check::{self, Severity};
use elfgraft_compare::diff::{self, Key, Which};
use elfgraft_patch::{Input, shown};

use crate::blob::open;
use crate::report::{self, Error, TROUBLE, colour, print};

/// Compare two ELF files by meaning: what only moved is said to have moved.
///
/// Contents of .BTF, .BTF_ids, .module_hashes, .modinfo and notes are compared by what they say. Exit status 0 if nothing
/// differs, 1 if something does, 2 on trouble.
#[derive(Debug, clap::Args)]
#[command(
    override_usage = "elfgraft diff [OPTIONS] A B",
    after_help = "Example: elfgraft diff before.ko after.ko",
    after_long_help = "\
Examples:
  What an edit changed, but for what only moved:
    elfgraft diff --ignore moved before.ko after.ko
  Two builds, BTF compared by its types:
    elfgraft diff --btf-base vmlinux old/x.ko new/x.ko"
)]
pub struct DiffArgs {
    /// The first file
    #[arg(value_name = "A", required_unless_present = "list_keys")]
    a: Option<PathBuf>,
    /// The second file
    #[arg(value_name = "B", required_unless_present = "list_keys")]
    b: Option<PathBuf>,
    /// Leave out differences of this kind
    ///
    /// KEY,KEY... for several. --list-keys lists them.
    #[arg(long, value_name = "KEY")]
    ignore: Vec<String>,
    /// BTF that the split BTF of both files continues: a vmlinux, or raw BTF
    #[arg(short = 'b', long, value_name = "VMLINUX|BTF")]
    btf_base: Option<PathBuf>,
    /// Print JSON, one object: see docs/json.md
    #[arg(long)]
    json: bool,
    /// Say who read the files, also where that is goblin; JSON always says it
    #[arg(short, long)]
    verbose: bool,
    /// List the keys that --ignore knows, and what they mean
    #[arg(long)]
    list_keys: bool,
}

impl DiffArgs {
    /// Runs the command.
    pub fn run(&self) -> Result<(), Error> {
        elfgraft_patch::end_with(TROUBLE);
        self.compare().map_err(Error::or_trouble)
    }

    fn compare(&self) -> Result<(), Error> {
        if self.list_keys {
            let lines: String = Key::ALL.iter().map(|k| format!("{:<18} {}\n", k.name(), k.meaning())).collect();
            return print(&lines);
        }
        let (Some(a), Some(b)) = (&self.a, &self.b) else { return Err(Error::Usage("diff takes two files".into())) };
        let ignore = self
            .ignore
            .iter()
            .flat_map(|list| list.split(','))
            .map(|name| name.parse::<Key>().map_err(|e| Error::Usage(format!("--ignore: {e}; see --list-keys"))))
            .collect::<Result<_, _>>()?;
        let base = self.btf_base.as_deref().map(open).transpose()?;
        let options = diff::Options { ignore, btf_base: base.as_ref().map(Input::bytes), ..diff::Options::default() };
        let (file_a, file_b) = (open(a)?, open(b)?);
        let report = diff::diff(file_a.bytes(), file_b.bytes(), &options)
            .map_err(|(which, e)| Error::file(if matches!(which, Which::First) { a } else { b }, e.to_string()))?;
        if self.json {
            print(&format!("{}\n", report.to_json()))?;
        } else {
            print(&lines(&report))?;
            for (path, reader) in [a, b].into_iter().zip(&report.readers) {
                read_by(path, Some(reader), self.verbose);
            }
        }
        if report.is_equal() { Ok(()) } else { Err(Error::Reported) }
    }
}

/// Findings under a heading for each group.
fn lines(report: &diff::Report) -> String {
    let (bold, plain) = if colour() { ("\x1b[1m", "\x1b[0m") } else { ("", "") };
    let (mut text, mut group) = (String::new(), None);
    for finding in &report.findings {
        if group != Some(finding.key.group()) {
            group = Some(finding.key.group());
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{bold}{}{plain}", finding.key.group());
        }
        let _ = writeln!(text, "  {finding} [{}]", finding.key);
    }
    for (key, more) in &report.more {
        let _ = writeln!(text, "  and {more} more [{key}]");
    }
    text
}

/// Says who read a file: always where it was not goblin alone, which refuses some valid files.
fn read_by(path: &Path, reader: Option<&Reader>, verbose: bool) {
    if let Some(reader) = reader.filter(|reader| verbose || **reader != Reader::Goblin) {
        report::note(path, &format!("read by {reader}"));
    }
}

/// Is an ELF file sound?
///
/// Looked at are bounds, overlaps, links, groups, symbols, segments, BTF against its base, BTF IDs and the signature. Each
/// finding has a stable id, a severity, and with --why the reason why it matters. Exit status 1 if one is an error.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: elfgraft check --btf-base vmlinux x.ko",
    after_long_help = "\
Examples:
  All modules of a package, against its vmlinux:
    elfgraft check --btf-base vmlinux a.ko b.ko
  Why does a finding matter?
    elfgraft check --why x.ko"
)]
pub struct CheckArgs {
    /// ELF files
    #[arg(value_name = "FILE", required_unless_present = "list_rules")]
    files: Vec<PathBuf>,
    /// BTF that split BTF continues: a vmlinux, or raw BTF
    #[arg(short = 'b', long, value_name = "VMLINUX|BTF")]
    btf_base: Option<PathBuf>,
    /// Tell why each finding matters
    #[arg(long)]
    why: bool,
    /// Treat warnings as errors
    #[arg(long)]
    fatal_warnings: bool,
    /// Print JSON, one object a line for each file: see docs/json.md
    #[arg(long)]
    json: bool,
    /// Say who read the files, also where that is goblin; JSON always says it
    #[arg(short, long)]
    verbose: bool,
    /// List the rules, their severities, and why they matter
    #[arg(long)]
    list_rules: bool,
}

impl CheckArgs {
    /// Runs the command.
    pub fn run(&self) -> Result<(), Error> {
        if self.list_rules {
            let line = |r: &check::Rule| format!("{:<24} {:<8} {}\n", r.id(), r.severity().to_string(), r.why());
            return print(&check::Rule::ALL.iter().map(line).collect::<String>());
        }
        let base = self.btf_base.as_deref().map(open).transpose()?;
        let options = check::Options { btf_base: base.as_ref().map(Input::bytes), ..check::Options::default() };
        let mut bad = false;
        for path in &self.files {
            match self.one(path, &options) {
                Ok(sound) => bad |= !sound,
                Err(e) => {
                    report::error(&e);
                    bad = true;
                }
            }
        }
        if bad { Err(Error::Reported) } else { Ok(()) }
    }

    fn one(&self, path: &Path, options: &check::Options) -> Result<bool, Error> {
        let file = open(path)?;
        let report = check::check(file.bytes(), options);
        let shown = shown(&path);
        if self.json {
            let mut value = report.to_json();
            if let Some(object) = value.as_object_mut() {
                object.insert("file".into(), path.to_string_lossy().into());
            }
            print(&format!("{value}\n"))?;
        } else {
            let mut text = String::new();
            for finding in &report.findings {
                let _ = writeln!(text, "{shown}: {finding}");
                if self.why {
                    let _ = writeln!(text, "    {}", finding.rule.why());
                }
            }
            for (rule, more) in &report.more {
                let _ = writeln!(text, "{shown}: and {more} more [{rule}]");
            }
            print(&text)?;
            read_by(path, report.reader.as_ref(), self.verbose);
        }
        Ok(match report.worst() {
            Some(Severity::Error) => false,
            Some(Severity::Warning) => !self.fatal_warnings,
            _ => true,
        })
    }
}
