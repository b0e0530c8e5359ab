//! `elfgraft btf` and `elfgraft btf-ids`: BTF and BTF IDs of modules and vmlinux.

mod embed;
mod ids;
mod object;
mod pins;
pub mod process;
mod resolve;
pub mod section;
pub mod source;

use std::path::{Path, PathBuf};

use elfgraft_btf::ids::{Outcome, Warning};
use elfgraft_btf::{Btf, Kind};

pub use embed::BtfArgs;
pub use ids::BtfIdsArgs;

use crate::report::{self, Error, count};
use source::BtfFile;

/// With fewer modules than this, scanning the base for each is cheaper than an index of all its names.
const INDEX_FROM: usize = 4;

/// What is known about the files besides themselves.
#[derive(Debug, clap::Args)]
struct Known {
    /// BTF that split BTF continues: a vmlinux, or raw BTF
    ///
    /// Not needed where the module has a .BTF.base.
    // `-b` and the underscores below are resolve_btfids': makefiles give its options to whatever does its work.
    #[arg(short = 'b', long, alias = "btf_base", value_name = "VMLINUX|BTF")]
    btf_base: Option<PathBuf>,
    /// The base that the IDs now in the file refer to, where it is another one
    ///
    /// It proves where symbols belong (st_value) that another tool left behind when it sorted the sets.
    #[arg(long, value_name = "VMLINUX|BTF")]
    old_btf_base: Option<PathBuf>,
    /// Take the symbols to be at their entries where nothing proves it
    ///
    /// For builds in which elfgraft is the only tool that sorts the file. Without it such a file is refused.
    #[arg(long)]
    trust_symbols: bool,
}

impl Known {
    /// Reads the bases, once for all files.
    fn with_bases(&self, f: impl FnOnce(Option<&Btf>, Option<&Btf>) -> Result<(), Error>) -> Result<(), Error> {
        let file = BtfFile::optional(self.btf_base.as_ref())?;
        let old_file = BtfFile::optional(self.old_btf_base.as_ref())?;
        let base = file.as_ref().map(BtfFile::parse).transpose()?;
        let old_base = old_file.as_ref().map(BtfFile::parse).transpose()?;
        f(base.as_ref(), old_base.as_ref())
    }
}

/// Prints what the kernel's build warns of, and what could not be proven.
fn warn(path: &Path, outcome: &Outcome, btf: Option<&Btf>, fatal: bool) -> Result<(), Error> {
    for warning in &outcome.warnings {
        report::warning(path, &in_words(warning, btf));
    }
    for set in &outcome.unproven {
        let text = format!("{set}: where its symbols belong is not known; they stay with the entries they are at");
        report::warning(path, &text);
    }
    match (fatal, outcome.warnings.len() + outcome.unproven.len()) {
        (true, n) if n != 0 => Err(Error::file(path, format!("warnings: {n}, and --fatal-warnings is given"))),
        _ => Ok(()),
    }
}

fn in_words(warning: &Warning, btf: Option<&Btf>) -> String {
    match warning {
        Warning::Unresolved { kind, name } => format!("the BTF has no {kind} '{name}': its ID is 0"),
        Warning::MultipleIds { kind, name, used, other } => {
            let (used, other) = (definition(btf, *used), definition(btf, *other));
            format!("the BTF has several {kind} '{name}': {used}, {other}; the first is used")
        }
        other => other.to_string(),
    }
}

/// A type ID and what tells definitions of one name apart at a glance.
fn definition(btf: Option<&Btf>, id: u32) -> String {
    match btf.and_then(|btf| btf.get(id)) {
        Some(ty) if matches!(ty.kind, Kind::Struct | Kind::Union) => {
            format!("{id} ({}, {})", count(ty.size_or_type, "byte"), count(ty.vlen, "member"))
        }
        Some(ty) => format!("{id} (of type {})", ty.size_or_type),
        None => id.to_string(),
    }
}

/// How many symbols another tool had left behind.
fn realigned(outcome: &Outcome, dry_run: bool) -> String {
    let are = match outcome.realigned {
        _ if dry_run => "would be",
        1 => "is",
        _ => "are",
    };
    let symbols = count(outcome.realigned as u64, "symbol");
    format!("{symbols} had been left behind by another tool's sort, and {are} put right")
}
