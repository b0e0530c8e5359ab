//! `elfgraft btf-ids`: show, check, sort and resolve `.BTF_ids`.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use elfgraft_btf::Btf;
use elfgraft_btf::ids::{Options, Row, SetKind};
use elfgraft_edit::{Edits, plan};
use elfgraft_elf::Image;
use serde_json::{Value, json};

use super::Known;
use super::embed::warn;
use super::section::IdsSection;
use super::source::{BtfFile, endian, open_optional, order, parse_on, section};
use crate::blob::open;
use crate::jobs::for_each;
use crate::report::{self, Error, print};
use crate::run::{Output, finish};

/// Show, check, sort and resolve .BTF_ids.
#[derive(Debug, clap::Args)]
pub struct BtfIdsArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print a table: set, symbol, ID, the name the ID really has, flags
    Show(ShowArgs),
    /// Exit 1 with each place where IDs, sets and symbols do not fit
    Check(ShowArgs),
    /// Sort the sets by the IDs that are there; each moved entry takes its symbols along
    Sort(WriteArgs),
    /// Write the IDs anew, then sort
    Resolve(WriteArgs),
}

#[derive(Debug, clap::Args)]
struct ShowArgs {
    /// BTF that split BTF continues: a vmlinux, or raw BTF. Not needed where the module has a .BTF.base
    #[arg(long, value_name = "VMLINUX|BTF")]
    btf_base: Option<PathBuf>,
    /// BTF to look IDs up in, instead of the file's own
    #[arg(long, value_name = "FILE")]
    btf: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Modules, or a vmlinux
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
}

#[derive(Debug, clap::Args)]
struct WriteArgs {
    /// BTF to resolve against, instead of the file's own
    #[arg(long, value_name = "FILE")]
    btf: Option<PathBuf>,
    #[command(flatten)]
    known: Known,
    /// Remove an appended module signature, which any change breaks
    #[arg(long)]
    drop_signature: bool,
    /// Treat warnings as errors
    #[arg(long)]
    fatal_warnings: bool,
    #[command(flatten)]
    out: Output,
    /// Modules, or a vmlinux
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
}

impl BtfIdsArgs {
    /// Runs the command.
    pub fn run(&self) -> Result<(), Error> {
        match &self.command {
            Command::Show(args) => args.each(ShowArgs::show),
            Command::Check(args) => args.each(ShowArgs::check),
            Command::Sort(args) => args.run(false),
            Command::Resolve(args) => args.run(true),
        }
    }
}

/// One file's section, and the BTF its IDs are looked up in.
struct View<'a> {
    path: &'a Path,
    image: &'a Image<'a>,
    section: &'a IdsSection<'a>,
    btf: Option<&'a Btf<'a>>,
}

impl ShowArgs {
    fn each(&self, f: impl Fn(&Self, &View) -> Result<(), Error>) -> Result<(), Error> {
        let base_file = open_optional(&self.btf_base)?;
        let base = base_file.as_ref().map(BtfFile::parse).transpose()?;
        let btf_file = open_optional(&self.btf)?;
        let mut failed = false;
        for path in &self.files {
            if let Err(e) = self.one(path, base.as_ref(), btf_file.as_ref(), &f) {
                report::error(&e);
                failed = true;
            }
        }
        if failed { Err(Error::Reported) } else { Ok(()) }
    }

    fn one(
        &self,
        path: &Path,
        base: Option<&Btf>,
        btf: Option<&BtfFile>,
        f: impl Fn(&Self, &View) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let file = open(path)?;
        let image = Image::parse(file.bytes()).map_err(Error::edit(path))?;
        let Some(section) = IdsSection::find(path, &image)? else {
            return Err(Error::file(path, "there is no section '.BTF_ids' with symbols"));
        };
        let distilled = self::section(path, &image, b".BTF.base")?.and_then(|data| Btf::parse(data).ok());
        let base = distilled.as_ref().or(base);
        let own = match btf {
            Some(file) => Some(file.parse_on(base)?),
            None => own_btf(path, &image, base)?,
        };
        f(self, &View { path, image: &image, section: &section, btf: own.as_ref() })
    }

    fn show(&self, view: &View) -> Result<(), Error> {
        let ids = view.section.ids(view.section.data, view.image);
        let rows = ids.rows(view.btf);
        if self.json {
            let rows: Vec<Value> = rows.iter().map(row_json).collect();
            let file = view.path.to_string_lossy();
            return print(&format!("{}\n", json!({ "file": file, "rows": rows })));
        }
        let mut text = format!("{}:\n", view.path.display());
        let mut set = None;
        for row in &rows {
            if row.set != set {
                set = row.set;
                let name = match set {
                    Some((kind, name)) => format!("{} {}", set_word(kind), name.escape_ascii()),
                    None => "words outside sets".into(),
                };
                text += &format!("  {name}\n");
            }
            let wanted = row.wanted.map_or("-".into(), named);
            let flags = row.flags.map_or(String::new(), |f| format!("flags {f:#x}"));
            let actual = match (row.is_stale(), row.actual) {
                (Some(true), Some(actual)) => format!("  STALE: the ID is {}", named(actual)),
                (None, Some(actual)) => format!("  the ID is {}", named(actual)),
                _ => String::new(),
            };
            // Writing to a String cannot fail.
            let _ = writeln!(text, "    {:#06x}  {:>7}  {wanted:<48} {flags}{actual}", row.offset, row.id);
        }
        print(&text)
    }

    fn check(&self, view: &View) -> Result<(), Error> {
        let ids = view.section.ids(view.section.data, view.image);
        let mut findings = ids.check(view.btf);
        let notes = findings.extract_if(.., |f| f.problem.is_note()).count();
        let broken = view.btf.and_then(|btf| btf.validate().err());
        if self.json {
            let list: Vec<Value> = findings
                .iter()
                .map(|f| {
                    json!({ "key": f.problem.key(), "set": f.set, "symbol": f.symbol, "offset": f.offset,
                            "text": f.to_string() })
                })
                .collect();
            let value = json!({
                "file": view.path.to_string_lossy(),
                "findings": list,
                "unresolved_notes": notes,
                "btf": broken.as_ref().map_or("ok".into(), ToString::to_string),
                "names_checked": view.btf.is_some(),
            });
            print(&format!("{value}\n"))?;
        } else {
            let mut text = String::new();
            for finding in &findings {
                text += &format!("{}: {finding}\n", view.path.display());
            }
            let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
            for finding in &findings {
                *counts.entry(finding.problem.key()).or_default() += 1;
            }
            let summary: Vec<_> = counts.iter().map(|(key, n)| format!("{n} {key}")).collect();
            let names = if view.btf.is_some() { "" } else { "; no BTF to check names against (--btf-base?)" };
            let summary = if summary.is_empty() { "nothing wrong".into() } else { summary.join(", ") };
            let notes = if notes == 0 { String::new() } else { format!(", {notes} names that the BTF does not have") };
            text += &format!("{}: {summary}{notes}{names}\n", view.path.display());
            print(&text)?;
        }
        match broken {
            Some(e) => Err(Error::file(view.path, format!("section '.BTF': {e}"))),
            None if findings.is_empty() => Ok(()),
            None => Err(Error::file(view.path, format!("{} findings in section '.BTF_ids'", findings.len()))),
        }
    }
}

fn named((kind, name): (elfgraft_btf::Kind, &[u8])) -> String {
    format!("{kind} {}", name.escape_ascii())
}

fn set_word(kind: SetKind) -> &'static str {
    match kind {
        SetKind::Set => "set",
        SetKind::Set8 => "set8",
    }
}

fn row_json(row: &Row) -> Value {
    let name = |n: &[u8]| String::from_utf8_lossy(n).into_owned();
    json!({
        "offset": row.offset,
        "set": row.set.map(|(kind, n)| json!({ "kind": set_word(kind), "name": name(n) })),
        "wanted": row.wanted.map(|(kind, n)| json!({ "kind": kind.to_string(), "name": name(n) })),
        "symbols": row.symbols,
        "id": row.id,
        "actual": row.actual.map(|(kind, n)| json!({ "kind": kind.to_string(), "name": name(n) })),
        "flags": row.flags,
        "stale": row.is_stale(),
    })
}

/// The file's own BTF; `None` if it has none, or it is split and there is no base.
fn own_btf<'a>(path: &Path, image: &Image<'a>, base: Option<&'a Btf<'a>>) -> Result<Option<Btf<'a>>, Error> {
    let Some(data) = section(path, image, b".BTF")? else { return Ok(None) };
    match (parse_on(data, base), base) {
        (Ok(btf), _) => Ok(Some(btf)),
        (Err(elfgraft_btf::Error::NotStandalone), None) => Ok(None),
        (Err(e), _) => Err(Error::file(path, format!("section '.BTF': {e}"))),
    }
}

impl WriteArgs {
    fn run(&self, resolve: bool) -> Result<(), Error> {
        let (base_file, old_file) = (open_optional(&self.known.btf_base)?, open_optional(&self.known.old_btf_base)?);
        let base = base_file.as_ref().map(BtfFile::parse).transpose()?;
        let old_base = old_file.as_ref().map(BtfFile::parse).transpose()?;
        let btf = open_optional(&self.btf)?;
        for_each(&self.files, |path| self.write(path, resolve, base.as_ref(), old_base.as_ref(), btf.as_ref()))
    }

    fn write(
        &self,
        path: &Path,
        resolve: bool,
        base: Option<&Btf>,
        old_base: Option<&Btf>,
        btf: Option<&BtfFile>,
    ) -> Result<(), Error> {
        let file = open(path)?;
        let image = Image::parse(file.bytes()).map_err(Error::edit(path))?;
        let Some(ids_section) = IdsSection::find(path, &image)? else {
            return Err(Error::file(path, "there is no section '.BTF_ids' with symbols"));
        };
        let distilled = section(path, &image, b".BTF.base")?.and_then(|data| Btf::parse(data).ok());
        let old_base = distilled.as_ref().or(old_base).or(base);
        let old = section(path, &image, b".BTF")?.and_then(|data| parse_on(data, old_base).ok());
        let options =
            Options { old: old.as_ref(), trust_symbols: self.known.trust_symbols, pinned: &ids_section.pinned };
        let ids = ids_section.ids(ids_section.data, &image);
        let outcome = if resolve {
            let base = distilled.as_ref().or(base);
            let new = match btf {
                Some(file) => Some(file.parse_on(base)?),
                None => own_btf(path, &image, base)?,
            };
            let new = new.ok_or_else(|| {
                Error::file(
                    path,
                    "there is no BTF to resolve against: --btf gives it, --btf-base what split BTF continues",
                )
            })?;
            if new.endian() != endian(&image) {
                let text = format!("the BTF is {}, the file is {}", order(new.endian()), order(endian(&image)));
                return Err(Error::file(path, text));
            }
            ids.resolve(&new, &options)
        } else {
            ids.sort(&options)
        };
        let outcome = outcome.map_err(|e| Error::file(path, e.to_string()))?;
        warn(path, &outcome, self.fatal_warnings)?;
        if outcome.realigned != 0 {
            let text =
                format!("{} symbols had been left behind by another tool's sort, and are put right", outcome.realigned);
            report::note(path, &text);
        }
        let mut edits = Edits { drop_signature: self.drop_signature, ..Edits::default() };
        ids_section.edit(outcome.data, &outcome.moves, &mut edits);
        let plan = plan(&image, &edits).map_err(Error::edit(path))?;
        finish(&file, path, &plan, self.out)
    }
}
