//! `elfgraft btf-ids`: show and check `.BTF_ids`; `resolve.rs` has the commands that write.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Subcommand;
use elfgraft_btf::ids::{Finding, Row, SetKind};
use elfgraft_btf::{Btf, Kind};
use elfgraft_elf::Image;
use serde_json::{Value, json};

use super::resolve::WriteArgs;
use super::section::IdsSection;
use super::source::{BtfFile, Own, valid};
use elfgraft_patch::shown;

use crate::blob::open;
use crate::report::{self, Error, print_with};

/// Show, check, sort and resolve .BTF_ids.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: elfgraft btf-ids check --btf-base vmlinux x.ko",
    after_long_help = "\
Examples:
  Do IDs, sets and symbols fit?
    elfgraft btf-ids check --btf-base vmlinux x.ko
  Put right what another tool sorted:
    elfgraft btf-ids sort --btf-base vmlinux x.ko"
)]
pub struct BtfIdsArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print a table of the IDs
    ///
    /// Offset, ID, kind and name that the symbol asks for, flags, and the name the ID has if another.
    #[command(
        after_help = "Example: elfgraft btf-ids show --btf-base vmlinux x.ko",
        after_long_help = "\
Examples:
  A module, and the vmlinux its BTF continues:
    elfgraft btf-ids show --btf-base vmlinux x.ko
  For a program:
    elfgraft btf-ids show --json vmlinux"
    )]
    Show(ShowArgs),
    /// Tell where IDs, sets and symbols do not fit, or .BTF does not fit its base
    ///
    /// Exit status 1 if there is such a place.
    #[command(
        after_help = "Example: elfgraft btf-ids check --btf-base vmlinux x.ko",
        after_long_help = "\
Examples:
  Before a package is made:
    elfgraft btf-ids check --btf-base vmlinux a.ko b.ko vmlinux
  For a program:
    elfgraft btf-ids check --json --btf-base vmlinux x.ko"
    )]
    Check(ShowArgs),
    /// Sort the sets by the IDs that are there; each moved entry takes its symbols along
    ///
    /// In .BTF_ids the words of each set, in .symtab st_value of their symbols; nothing else changes.
    #[command(
        after_help = "Example: elfgraft btf-ids sort --btf-base vmlinux x.ko",
        after_long_help = "\
Examples:
  A module that another tool has sorted, and left its symbols behind:
    elfgraft btf-ids sort --btf-base vmlinux x.ko
  What would be written:
    elfgraft btf-ids sort --dry-run vmlinux"
    )]
    Sort(WriteArgs),
    /// Write the IDs anew, then sort
    ///
    /// In .BTF_ids every word that a symbol asks for, in .symtab st_value of symbols whose entries move; nothing else
    /// changes.
    #[command(
        after_help = "Example: elfgraft btf-ids resolve --btf-base vmlinux x.ko",
        after_long_help = "\
Examples:
  After vmlinux has changed:
    elfgraft btf-ids resolve --btf-base vmlinux --old-btf-base vmlinux.old x.ko
  Against BTF that is not in the file:
    elfgraft btf-ids resolve --btf x.BTF --btf-base vmlinux x.ko"
    )]
    Resolve(WriteArgs),
}

#[derive(Debug, clap::Args)]
struct ShowArgs {
    /// BTF that split BTF continues: a vmlinux, or raw BTF
    ///
    /// Not needed where the module has a .BTF.base.
    #[arg(short = 'b', long, value_name = "VMLINUX|BTF")]
    btf_base: Option<PathBuf>,
    /// BTF to look IDs up in, instead of the file's own .BTF
    #[arg(long, value_name = "FILE")]
    btf: Option<PathBuf>,
    /// Print JSON, one object a line for each file: see docs/json.md
    #[arg(long)]
    json: bool,
    /// Modules, or a vmlinux
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
}

impl BtfIdsArgs {
    /// Why this is nothing for `verify`, which edits copies.
    pub fn elsewhere(&self) -> Option<&'static str> {
        match &self.command {
            Command::Show(_) | Command::Check(_) => Some("the command does not edit its files"),
            Command::Sort(args) | Command::Resolve(args) => args.elsewhere(),
        }
    }

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
    section: Option<&'a IdsSection<'a>>,
    /// Why it cannot be read; `None` if there is none, or it is split and there is no base.
    btf: Result<Option<&'a Btf<'a>>, String>,
    has_btf: bool,
}

impl ShowArgs {
    fn each(&self, f: impl Fn(&Self, &View) -> Result<(), Error>) -> Result<(), Error> {
        let base_file = BtfFile::optional(self.btf_base.as_ref())?;
        let base = base_file.as_ref().map(BtfFile::parse).transpose()?;
        let btf = BtfFile::optional(self.btf.as_ref())?;
        let mut failed = false;
        for path in &self.files {
            if let Err(e) = self.one(path, base.as_ref(), btf.as_ref(), &f) {
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
        let section = IdsSection::find(path, &image)?;
        let own = Own::find(path, &image)?;
        let btf = match btf {
            Some(file) => Ok(Some(file.parse_on(base.or(own.base(None).unwrap_or_default()))?)),
            None if base.is_none() && own.needs_base() => Ok(None),
            None => own.parse(base),
        };
        let btf = btf.as_ref().map(Option::as_ref).map_err(Clone::clone);
        f(self, &View { path, section: section.as_ref(), btf, has_btf: own.data.is_some() || self.btf.is_some() })
    }

    fn show(&self, view: &View) -> Result<(), Error> {
        let fail = |text: String| Err(Error::file(view.path, text));
        let Some(section) = view.section else { return fail("there is no section '.BTF_ids' with symbols".into()) };
        let ids = section.ids();
        // Of a given base few names are read.
        let fits = |btf: &&Btf| btf.check_names().map_err(|e| format!("section '.BTF': {e}"));
        let btf = view.btf.clone().and_then(|btf| btf.as_ref().map_or(Ok(()), fits).map(|()| btf));
        let rows = ids.rows(btf.as_ref().ok().copied().flatten());
        print_with(|out| if self.json { rows_json(view.path, &rows, out) } else { table(view.path, &rows, out) })?;
        btf.map_or_else(fail, |_| Ok(()))
    }

    fn check(&self, view: &View) -> Result<(), Error> {
        if view.section.is_none() && !view.has_btf {
            return Err(Error::file(view.path, "there is neither section '.BTF' nor section '.BTF_ids' to check"));
        }
        let valid = view.btf.clone().and_then(|btf| {
            let parts = btf.into_iter().flat_map(|btf| btf.base().into_iter().chain([btf]));
            parts.map(valid).collect::<Result<Vec<_>, _>>().map_err(|e| format!("section '.BTF': {e}"))?;
            Ok(btf)
        });
        // Names out of BTF that is not valid on this base would be noise.
        let btf = valid.as_ref().ok().copied().flatten();
        let mut findings = view.section.map_or(Vec::new(), |section| section.ids().check(btf));
        let notes = findings.extract_if(.., |f| f.problem.is_note()).count();
        let broken = valid.as_ref().err();
        let checked = Checked { view, findings: &findings, notes, broken, names: btf.is_some() };
        print_with(|out| if self.json { checked.json(out) } else { checked.text(out) })?;
        match findings.len() + usize::from(broken.is_some()) {
            0 => Ok(()),
            n => Err(Error::file(view.path, format!("findings: {n}"))),
        }
    }
}

/// The kernel's `KSYM_NAME_LEN`, without the NUL. Of longer names, which it refuses, the beginning is shown: all rows may
/// have one name, as long as the file.
const LONGEST: usize = 511;

/// What is shown of a name, and what stands for the rest.
fn cut(name: &[u8]) -> (&[u8], &'static str) {
    name.get(..LONGEST).filter(|begin| begin.len() < name.len()).map_or((name, ""), |begin| (begin, "..."))
}

fn escaped(name: &[u8]) -> String {
    let (name, rest) = cut(name);
    format!("{}{rest}", name.escape_ascii())
}

fn table(path: &Path, rows: &[Row], out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{}:", shown(&path))?;
    let mut before: Option<&Row> = None;
    for row in rows {
        if before.replace(row).is_none_or(|before| !before.is_beside(row)) {
            match row.set {
                Some((kind, name)) => writeln!(out, "  {} {}", set_word(kind), escaped(name))?,
                None => writeln!(out, "  words outside sets")?,
            }
        }
        let wanted = row.wanted.map_or("-".into(), named);
        let flags = row.flags.map_or(String::new(), |f| format!("flags {f:#x}"));
        let actual = match (row.is_stale(), row.actual) {
            (Some(true), Some(actual)) => format!("  STALE: the ID is {}", named(actual)),
            (None, Some(actual)) => format!("  the ID is {}", named(actual)),
            _ => String::new(),
        };
        let line = format!("    {:#06x}  {:>7}  {wanted:<48} {flags:<16}{actual}", row.offset, row.id);
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

/// What `check` found in a file.
struct Checked<'v, 'a> {
    view: &'v View<'a>,
    findings: &'v [Finding],
    /// IDs that are 0 because the BTF has no such type.
    notes: usize,
    /// What is wrong with the BTF.
    broken: Option<&'v String>,
    /// Whether there was BTF to check names against.
    names: bool,
}

impl Checked<'_, '_> {
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        let path = shown(&self.view.path).to_string();
        for finding in self.findings {
            writeln!(out, "{path}: {finding}")?;
        }
        if let Some(e) = self.broken {
            writeln!(out, "{path}: {e} [bad-btf]")?;
        }
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        let keys = self.findings.iter().map(|finding| finding.problem.key());
        for key in keys.chain(self.broken.map(|_| "bad-btf")) {
            *counts.entry(key).or_default() += 1;
        }
        let mut summary: Vec<_> = counts.iter().map(|(key, n)| format!("{n} {key}")).collect();
        if summary.is_empty() {
            summary.push("nothing wrong".into());
        }
        if self.notes != 0 {
            summary.push(format!("names that the BTF does not have: {}", self.notes));
        }
        if self.view.section.is_none() {
            summary.push("no section '.BTF_ids'".into());
        } else if !self.names && self.broken.is_none() {
            summary.push("no BTF to check names against (--btf-base?)".into());
        }
        writeln!(out, "{path}: {}", summary.join(", "))
    }

    fn json(&self, out: &mut dyn Write) -> io::Result<()> {
        let finding = |f: &Finding| {
            let (set, symbol) = (f.set.as_deref(), f.symbol.as_deref());
            json!({ "key": f.problem.key(), "set": set, "symbol": symbol, "offset": f.offset, "text": f.to_string() })
        };
        let btf = match self.broken {
            Some(e) => Value::from(e.as_str()),
            None if self.names => Value::from("ok"),
            None => Value::Null,
        };
        // One finding after the other, and the keys in the order in which serde_json has them.
        let (file, ids) = (Value::from(self.view.path.to_string_lossy()), self.view.section.is_some());
        write!(out, "{{\"btf\":{btf},\"btf_ids\":{ids},\"file\":{file},\"findings\":")?;
        array(self.findings.iter().map(finding), out)?;
        writeln!(out, ",\"unresolved_notes\":{}}}", self.notes)
    }
}

fn rows_json(path: &Path, rows: &[Row], out: &mut dyn Write) -> io::Result<()> {
    write!(out, "{{\"file\":{},\"rows\":", Value::from(path.to_string_lossy()))?;
    array(rows.iter().map(row_json), out)?;
    writeln!(out, "}}")
}

/// Writes values as they come: all of them together take a hundred times as much as the section.
fn array(values: impl Iterator<Item = Value>, out: &mut dyn Write) -> io::Result<()> {
    out.write_all(b"[")?;
    for (number, value) in values.enumerate() {
        write!(out, "{}{value}", if number == 0 { "" } else { "," })?;
    }
    out.write_all(b"]")
}

fn named((kind, name): (Kind, &[u8])) -> String {
    format!("{kind} {}", escaped(name))
}

fn set_word(kind: SetKind) -> &'static str {
    match kind {
        SetKind::Set => "set",
        SetKind::Set8 => "set8",
    }
}

fn row_json(row: &Row) -> Value {
    let name = |n: &[u8]| {
        let (n, rest) = cut(n);
        format!("{}{rest}", String::from_utf8_lossy(n))
    };
    let of_kind = |(kind, n): (Kind, &[u8])| json!({ "kind": kind.to_string(), "name": name(n) });
    json!({
        "offset": row.offset,
        "set": row.set.map(|(kind, n)| json!({ "kind": set_word(kind), "name": name(n) })),
        "wanted": row.wanted.map(of_kind),
        "symbols": row.symbols,
        "id": row.id,
        "actual": row.actual.map(of_kind),
        "flags": row.flags,
        "stale": row.is_stale(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &[u8]) -> Row<'_> {
        let set = Some((SetKind::Set, name));
        let wanted = Some((Kind::Func, name));
        Row { offset: 4, set, wanted, symbols: vec![1], id: 2, actual: wanted, flags: None }
    }

    fn text(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> String {
        let mut out = Vec::new();
        write(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn rows_that_are_written_one_by_one_are_one_value() {
        let rows = [row(b"a\"b"), row(b"c")];
        let whole = json!({ "file": "x\n.ko", "rows": rows.iter().map(row_json).collect::<Vec<_>>() });
        assert_eq!(text(|out| rows_json(Path::new("x\n.ko"), &rows, out)), format!("{whole}\n"));
        assert_eq!(text(|out| rows_json(Path::new("x"), &[], out)), "{\"file\":\"x\",\"rows\":[]}\n");
    }

    #[test]
    fn names_that_no_kernel_accepts_are_cut() {
        let (name, cut) = (vec![b'n'; 5000], format!("{}...", "n".repeat(511)));
        let rows = [row(&name), row(&name)];
        let table = text(|out| table(Path::new("x"), &rows, out));
        let line = format!("    0x0004        2  FUNC {cut}\n");
        assert_eq!(table, format!("x:\n  set {cut}\n{line}{line}"));
        assert_eq!(row_json(&rows[0])["actual"]["name"], cut);
        assert_eq!(escaped(&name[..511]), "n".repeat(511));
    }
}
