//! `elfgraft btf embed`: `.BTF`, `.BTF.base`, `.BTF_ids` and its symbols in one rewrite.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use elfgraft_btf::Btf;
use elfgraft_btf::ids::{Options, Outcome, Warning};
use elfgraft_edit::{Content, Edits, Pattern, plan};
use elfgraft_elf::Image;

use super::Known;
use super::section::IdsSection;
use super::source::{BtfFile, endian, open_optional, order, parse_on, section};
use crate::blob::open;
use crate::jobs::for_each;
use crate::report::{self, Error};
use crate::run::{Output, finish};

/// Embed BTF.
#[derive(Debug, clap::Args)]
pub struct BtfArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Set .BTF (and .BTF.base), resolve and sort .BTF_ids against it, in one rewrite per file
    Embed(EmbedArgs),
}

impl BtfArgs {
    /// Runs the command.
    pub fn run(&self) -> Result<(), Error> {
        match &self.command {
            Command::Embed(args) => args.run(),
        }
    }
}

/// Set .BTF (and .BTF.base), resolve .BTF_ids against exactly that BTF, and sort its sets together with their symbols:
/// one process and one atomic rewrite per file, the base read once for all.
///
/// Run it again, or against another base and back: IDs are right, flags stay with their kfuncs, bytes are the same.
/// In the name of a BTF file `{}` stands for the name of the module: `--btf '{}.BTF'`.
#[derive(Debug, clap::Args)]
struct EmbedArgs {
    /// Raw BTF for section .BTF; without it the BTF already in the file is used (after the base has changed)
    #[arg(long, value_name = "FILE")]
    btf: Option<PathBuf>,
    /// Distilled base for section .BTF.base, which --btf then continues
    #[arg(long, value_name = "FILE", requires = "btf")]
    distilled_base: Option<PathBuf>,
    /// Contents for .BTF_ids that are resolved and sorted already, as resolve_btfids writes them; only the symbols are
    /// put right then
    #[arg(long, value_name = "FILE")]
    btf_ids: Option<PathBuf>,
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

/// With fewer modules than this, scanning the base for each is cheaper than an index of all its names.
const INDEX_FROM: usize = 4;

impl EmbedArgs {
    fn run(&self) -> Result<(), Error> {
        let (base_file, old_file) = (open_optional(&self.known.btf_base)?, open_optional(&self.known.old_btf_base)?);
        let base = base_file.as_ref().map(BtfFile::parse).transpose()?;
        let old_base = old_file.as_ref().map(BtfFile::parse).transpose()?;
        if let Some(base) = base.as_ref().filter(|_| self.files.len() >= INDEX_FROM) {
            base.index_names();
        }
        for_each(&self.files, |file| self.embed(file, base.as_ref(), old_base.as_ref()))
    }

    fn embed(&self, path: &Path, base: Option<&Btf>, old_base: Option<&Btf>) -> Result<(), Error> {
        let fail = |what: &str, e: elfgraft_btf::Error| Error::file(path, format!("{what}: {e}"));
        let file = open(path)?;
        let image = Image::parse(file.bytes()).map_err(Error::edit(path))?;

        // The BTF that the IDs in the file refer to. It need not be readable: then it proves nothing.
        let old_distilled = section(path, &image, b".BTF.base")?.and_then(|data| Btf::parse(data).ok());
        let old_data = section(path, &image, b".BTF")?;
        let old = old_data.and_then(|data| parse_on(data, old_distilled.as_ref().or(old_base).or(base)).ok());

        let new_file = self.btf.as_deref().map(|p| BtfFile::open(&beside(p, path))).transpose()?;
        let distilled_file = self.distilled_base.as_deref().map(|p| BtfFile::open(&beside(p, path))).transpose()?;
        let distilled = distilled_file.as_ref().map(BtfFile::parse).transpose()?;
        let own_distilled = if new_file.is_some() { None } else { old_distilled.as_ref() };
        let base = distilled.as_ref().or(own_distilled).or(base);
        let new_data = match (&new_file, old_data) {
            (Some(file), _) => file.bytes()?,
            (None, Some(data)) => data,
            (None, None) => return Err(Error::file(path, "there is no section '.BTF'; --btf gives its contents")),
        };
        let new = parse_on(new_data, base).map_err(|e| fail(hint(base), e))?;
        new.validate().map_err(|e| fail("BTF that the kernel would refuse is not embedded", e))?;
        if new.endian() != endian(&image) {
            let text = format!("the BTF is {}, the file is {}", order(new.endian()), order(endian(&image)));
            return Err(Error::file(path, text));
        }

        let mut edits = Edits { drop_signature: self.drop_signature, ..Edits::default() };
        if let Some(file) = &new_file {
            edits.set.push(Content { section: b".BTF".to_vec(), bytes: Cow::Borrowed(file.bytes()?) });
            match &distilled_file {
                Some(file) => {
                    let bytes = Cow::Borrowed(file.bytes()?);
                    edits.set.push(Content { section: b".BTF.base".to_vec(), bytes });
                }
                // A base that the new BTF does not continue would make the kernel misread it.
                None => edits.remove.push(Pattern::new(b".BTF.base")),
            }
        }
        let given_ids = self.btf_ids.as_deref().map(|p| open(&beside(p, path))).transpose()?;
        match (IdsSection::find(path, &image)?, &given_ids) {
            (Some(ids), given) => {
                let given = given.as_ref().map(elfgraft_patch::Input::bytes);
                let outcome = self.ids(path, &image, &ids, given, &new, old.as_ref())?;
                ids.edit(outcome.data, &outcome.moves, &mut edits);
            }
            (None, Some(_)) => {
                return Err(Error::file(path, "--btf-ids: there is no section '.BTF_ids' with symbols"));
            }
            (None, None) => {}
        }
        let plan = plan(&image, &edits).map_err(Error::edit(path))?;
        finish(&file, path, &plan, self.out)
    }

    fn ids<'a>(
        &self,
        path: &Path,
        image: &Image,
        section: &'a IdsSection<'a>,
        given: Option<&'a [u8]>,
        new: &'a Btf<'a>,
        old: Option<&'a Btf<'a>>,
    ) -> Result<Outcome, Error> {
        let options = Options { old, trust_symbols: self.known.trust_symbols, pinned: &section.pinned };
        let result = match given {
            None => section.ids(section.data, image).resolve(new, &options),
            Some(data) if data.len() == section.data.len() => {
                section.ids(data, image).sort(&Options { old: Some(new), ..options })
            }
            Some(data) => {
                let text = format!(
                    "--btf-ids gives {} bytes, section '.BTF_ids' {} holds {}",
                    data.len(),
                    section.index,
                    section.data.len()
                );
                return Err(Error::file(path, text));
            }
        };
        let outcome = result.map_err(|e| Error::file(path, e.to_string()))?;
        warn(path, &outcome, self.fatal_warnings)?;
        if self.out.verbose && outcome.realigned != 0 {
            report::note(path, &format!("{} symbols had been left behind by another tool's sort", outcome.realigned));
        }
        Ok(outcome)
    }
}

/// Prints what the kernel's build warns of, and what could not be proven.
pub fn warn(path: &Path, outcome: &Outcome, fatal: bool) -> Result<(), Error> {
    for warning in &outcome.warnings {
        report::warning(path, &in_words(warning));
    }
    for set in &outcome.unproven {
        let text = format!("{set}: where its symbols belong is not known; they stay with the entries they are at");
        report::warning(path, &text);
    }
    match (fatal, outcome.warnings.len() + outcome.unproven.len()) {
        (true, n) if n != 0 => Err(Error::file(path, format!("{n} warnings, and --fatal-warnings is given"))),
        _ => Ok(()),
    }
}

fn in_words(warning: &Warning) -> String {
    match warning {
        Warning::Unresolved { kind, name } => format!("the BTF has no {kind} '{name}': its ID is 0"),
        Warning::MultipleIds { kind, name, used, other } => {
            format!("the BTF has several {kind} '{name}': {used}, {other}; {used} is used")
        }
        other => other.to_string(),
    }
}

fn hint(base: Option<&Btf>) -> &'static str {
    if base.is_none() { "BTF (split BTF needs --btf-base or --distilled-base)" } else { "BTF" }
}

/// `{}` in the name of a BTF file stands for the module.
fn beside(pattern: &Path, module: &Path) -> PathBuf {
    use std::os::unix::ffi::{OsStrExt, OsStringExt};
    let bytes = pattern.as_os_str().as_bytes();
    match bytes.windows(2).position(|w| w == b"{}") {
        Some(at) => {
            let (before, behind) = bytes.split_at(at);
            let name = [before, module.as_os_str().as_bytes(), behind.get(2..).unwrap_or_default()].concat();
            PathBuf::from(std::ffi::OsString::from_vec(name))
        }
        None => pattern.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn braces_stand_for_the_module() {
        let name = |pattern: &str| beside(Path::new(pattern), Path::new("a/b.ko"));
        assert_eq!(name("{}.BTF"), Path::new("a/b.ko.BTF"));
        assert_eq!(name("x.BTF"), Path::new("x.BTF"));
    }
}
