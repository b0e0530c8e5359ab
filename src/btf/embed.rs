//! `elfgraft btf embed`: `.BTF`, `.BTF.base`, `.BTF_ids` and its symbols in one rewrite.

use std::borrow::Cow;
use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use clap::Subcommand;
use elfgraft_btf::ids::{Options, Outcome};
use elfgraft_btf::{Btf, Processed};
use elfgraft_edit::{Content, Edits, Pattern, plan};
use elfgraft_elf::Image;
use elfgraft_patch::Input;

use super::object::ObjectArgs;
use super::process::{How, process_for, read};
use super::section::IdsSection;
use super::source::{BtfFile, Own, STANDALONE, only, same_order, valid};
use super::{INDEX_FROM, Known, realigned, warn};
use crate::blob::open;
use crate::jobs::for_each;
use crate::report::{self, Error};
use crate::run::{Output, finish};

/// Embed BTF: .BTF, .BTF.base, .BTF_ids and its symbols in one rewrite.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: elfgraft btf embed --btf x.BTF --btf-base vmlinux x.ko",
    after_long_help = "\
Examples:
  pahole's BTF into modules:
    elfgraft btf embed --btf '{}.BTF' --btf-base vmlinux x.ko y.ko
  The object that carries BTF into vmlinux:
    elfgraft btf object --like vmlinux.o --btf vmlinux.BTF -o .btf.o"
)]
pub struct BtfArgs {
    #[command(subcommand)]
    command: Command,
}

// What each is for is said where its options are.
#[derive(Debug, Subcommand)]
enum Command {
    Embed(EmbedArgs),
    Object(ObjectArgs),
}

impl BtfArgs {
    /// Why this is nothing for `verify`, which edits copies.
    pub fn elsewhere(&self) -> Option<&'static str> {
        match &self.command {
            Command::Embed(args) => args.out.elsewhere(None),
            Command::Object(_) => Some("an object is made, no file is edited"),
        }
    }

    /// Runs the command.
    pub fn run(&self) -> Result<(), Error> {
        match &self.command {
            Command::Embed(args) => args.run(),
            Command::Object(args) => args.run(),
        }
    }
}

/// Set .BTF (and .BTF.base), resolve and sort .BTF_ids against it, in one rewrite per file.
///
/// .BTF becomes what the kernel's build makes of pahole's BTF, .BTF_ids is resolved against exactly that BTF, and its sets
/// are sorted together with their symbols (st_value follows): one process and one atomic rewrite per file, the base read
/// once for all.
///
/// Run it again, or against another base and back: IDs are right, flags stay with their kfuncs, bytes are the same.
/// In the name of a BTF file `{}` stands for the name of the module: `--btf '{}.BTF'`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: elfgraft btf embed --btf x.BTF --btf-base vmlinux x.ko",
    after_long_help = "\
Examples:
  pahole's BTF into a module:
    elfgraft btf embed --btf x.BTF --btf-base vmlinux x.ko
  Many modules, each with its own BTF beside it:
    elfgraft btf embed --btf '{}.BTF' --btf-base vmlinux a.ko b.ko
  A module that kernels of other builds can load:
    elfgraft btf embed --btf x.BTF --btf-base vmlinux --distill-base x.ko
  vmlinux has changed, the module has not:
    elfgraft btf embed --btf-base vmlinux --old-btf-base vmlinux.old x.ko"
)]
struct EmbedArgs {
    /// Raw BTF for section .BTF; without it the .BTF in the file stays, and only its IDs and symbols are set
    ///
    /// A new .BTF gets the last index, SHT_PROGBITS, sh_flags 0, sh_addralign 4; one that is there keeps its index,
    /// sh_type, sh_flags and sh_addr.
    #[arg(long, value_name = "FILE")]
    btf: Option<PathBuf>,
    /// Distilled base for section .BTF.base, which --btf then continues
    ///
    /// A new .BTF.base gets an index behind the others, SHT_PROGBITS, sh_flags 0, sh_addralign 4.
    #[arg(long, value_name = "FILE", requires = "btf")]
    distilled_base: Option<PathBuf>,
    /// Contents for .BTF_ids that are resolved and sorted already, as resolve_btfids writes them
    ///
    /// Only the symbols (st_value) are put right then. --btf is the BTF they refer to, and is embedded as it is.
    #[arg(long, value_name = "FILE")]
    btf_ids: Option<PathBuf>,
    /// Distill --btf-base: .BTF.base gets of it what --btf refers to
    ///
    /// Kernels of other builds can load the module then. A new .BTF.base is as with --distilled-base.
    #[arg(long, alias = "distill_base", requires = "btf", requires = "btf_base", conflicts_with_all = ["distilled_base", "btf_ids", "raw"])]
    distill_base: bool,
    /// Embed --btf as it is
    ///
    /// Without it, it becomes what the kernel's build embeds: kfuncs with implicit arguments get the prototypes that
    /// BPF programs see, types are sorted by name.
    #[arg(long, requires = "btf")]
    raw: bool,
    #[command(flatten)]
    known: Known,
    /// Remove an appended module signature, which any change breaks
    ///
    /// Without it a signed file that would change is refused. The bytes behind the last ELF structure go.
    #[arg(long)]
    drop_signature: bool,
    /// Treat warnings as errors: nothing is written then
    #[arg(long, alias = "fatal_warnings")]
    fatal_warnings: bool,
    #[command(flatten)]
    out: Output,
    /// Modules, or a vmlinux
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
}

/// What a file gets, opened.
struct Given {
    btf: Option<BtfFile>,
    distilled: Option<BtfFile>,
    ids: Option<Input>,
}

impl EmbedArgs {
    fn run(&self) -> Result<(), Error> {
        self.one_each()?;
        self.known.with_bases(|base, old_base| for_each(&self.files, |file| self.embed(file, base, old_base)))
    }

    /// BTF describes one module: the same for several is a slip of the pen.
    fn one_each(&self) -> Result<(), Error> {
        let given = [("--btf", &self.btf), ("--distilled-base", &self.distilled_base), ("--btf-ids", &self.btf_ids)];
        let shared = given.iter().find(|(_, path)| path.as_ref().is_some_and(|path| brace(path).is_none()));
        match shared {
            Some((option, _)) if self.files.len() > 1 => Err(Error::Usage(format!(
                "{option} names one file for {} modules; put '{{}}' in its name, which stands for the module's",
                self.files.len()
            ))),
            _ => Ok(()),
        }
    }

    fn embed(&self, path: &Path, base: Option<&Btf>, old_base: Option<&Btf>) -> Result<(), Error> {
        let fail = |text: String| Error::file(path, text);
        let given = self.open_for(path)?;
        let file = open(path)?;
        let image = Image::parse(file.bytes()).map_err(Error::edit(path))?;
        let own = Own::find(path, &image)?;

        let distilled = given.distilled.as_ref().map(BtfFile::parse).transpose()?;
        let new = match &given.btf {
            Some(file) => {
                let new = file.parse_on(distilled.as_ref().or(base))?;
                if new.base().is_none() && (distilled.is_some() || own.is_module && base.is_some()) {
                    return Err(file.fail(STANDALONE));
                }
                new
            }
            None => own
                .parse(base)
                .map_err(fail)?
                .ok_or_else(|| fail("there is no section '.BTF'; --btf gives its contents".into()))?,
        };
        // The shared base is not checked for every module.
        let embedded_base = new.base().filter(|new_base| base.is_none_or(|base| !std::ptr::eq(*new_base, base)));
        for btf in embedded_base.into_iter().chain([&new]) {
            valid(btf).map_err(|e| fail(format!("BTF that the kernel would refuse is not embedded: {e}")))?;
        }
        same_order(path, &image, &new)?;

        let section = IdsSection::find(path, &image)?;
        if let (Some(base), Some(_), INDEX_FROM..) = (new.base(), &section, self.files.len()) {
            base.index_names();
        }
        let olds = own.readings(&[old_base, base]);
        let made = self.make(&given, &new, section.as_ref(), &olds).map_err(|e| fail(e.to_string()))?;
        let made_base = made.as_ref().and_then(|made| made.base.as_deref());
        let parsed = made_base.map(Btf::parse).transpose().map_err(|e| fail(e.to_string()))?;
        let on = parsed.as_ref().or(new.base());
        let final_btf = made.as_ref().map(|made| read(&made.btf, on)).transpose().map_err(|e| fail(e.to_string()))?;
        let (new, given_btf) = (final_btf.as_ref().unwrap_or(&new), &new);

        let mut edits = Edits { drop_signature: self.drop_signature, ..Edits::default() };
        if let Some(btf) = &given.btf {
            let bytes = made.as_ref().map_or_else(|| btf.bytes(), |made| Ok(&made.btf))?;
            set(path, b".BTF", bytes, &image, &mut edits)?;
            match (made_base, &given.distilled) {
                (Some(base), _) => set(path, b".BTF.base", base, &image, &mut edits)?,
                (None, Some(base)) => set(path, b".BTF.base", base.bytes()?, &image, &mut edits)?,
                // A base that the new BTF does not continue would make the kernel misread it.
                (None, None) => edits.remove.push(Pattern::new(b".BTF.base")),
            }
        }
        let mut put_right = None;
        match &section {
            Some(section) => {
                // IDs that were resolved before `.BTF` was embedded refer to the new one, or to what it is made of.
                let old = section.proof(olds.iter().chain([new, given_btf]));
                let outcome = self.ids(path, &image, section, &given, new, old)?;
                put_right = (self.out.verbose && outcome.realigned != 0).then(|| realigned(&outcome, self.out.dry_run));
                section.edit(outcome.data, &outcome.moves, &mut edits);
            }
            None if given.ids.is_some() => {
                return Err(fail("--btf-ids: there is no section '.BTF_ids' with symbols".into()));
            }
            None => {}
        }
        let plan = plan(&image, &edits).map_err(Error::edit(path))?;
        finish(&file, path, &plan, self.out)?;
        put_right.iter().for_each(|text| report::note(path, text));
        Ok(())
    }

    /// What the kernel's build would embed for the BTF that is given; `None` for that as it is.
    fn make(
        &self,
        given: &Given,
        btf: &Btf,
        section: Option<&IdsSection>,
        olds: &[Btf],
    ) -> Result<Option<Processed>, elfgraft_btf::Error> {
        if given.btf.is_none() || given.ids.is_some() || self.raw {
            return Ok(None);
        }
        let how = How { distill: self.distill_base, trust_symbols: self.known.trust_symbols };
        process_for(btf, section, olds, how).map(Some)
    }

    fn open_for(&self, module: &Path) -> Result<Given, Error> {
        let btf = |pattern: &PathBuf| BtfFile::open(&beside(pattern, module));
        Ok(Given {
            btf: self.btf.as_ref().map(btf).transpose()?,
            distilled: self.distilled_base.as_ref().map(btf).transpose()?,
            ids: self.btf_ids.as_ref().map(|pattern| open(&beside(pattern, module))).transpose()?,
        })
    }

    fn ids<'a>(
        &self,
        path: &Path,
        image: &Image,
        section: &'a IdsSection<'a>,
        given: &'a Given,
        new: &'a Btf<'a>,
        old: Option<&'a Btf<'a>>,
    ) -> Result<Outcome, Error> {
        let options = Options { old, trust_symbols: self.known.trust_symbols, pinned: section.pinned() };
        let outcome = match given.ids.as_ref().map(Input::bytes) {
            None => section.ids().resolve(new, &options).map_err(section.explain(path, image))?,
            Some(data) if data.len() == section.data.len() => {
                let options = Options { old: Some(new), ..options };
                let outcome = section.with(data).sort(&options).map_err(section.explain(path, image))?;
                if let Some(set) = outcome.unproven.first() {
                    let text = "its IDs do not tell which entry is whose (another BTF's, or several 0); without \
                                --btf-ids they are resolved here";
                    return Err(Error::file(path, format!("--btf-ids: set '{set}': {text}")));
                }
                if let [first, rest @ ..] = &section.recheck(&outcome, new)[..] {
                    let text = format!("--btf-ids does not go with the BTF: {first}, and {} more", rest.len());
                    return Err(Error::file(path, text));
                }
                outcome
            }
            Some(data) => {
                let (given, held) = (data.len(), section.data.len());
                let text = format!("--btf-ids gives {given} bytes, section '.BTF_ids' {} holds {held}", section.index);
                return Err(Error::file(path, text));
            }
        };
        warn(path, &outcome, Some(new), self.fatal_warnings)?;
        Ok(outcome)
    }
}

/// Replaces or adds a section of BTF. One that another tool added with sh_addralign 1 gets 4.
fn set<'a>(path: &Path, name: &[u8], bytes: &'a [u8], image: &Image, edits: &mut Edits<'a>) -> Result<(), Error> {
    edits.set.push(Content { section: name.to_vec(), bytes: Cow::Borrowed(bytes) });
    let Some(index) = only(path, image, name)? else { return Ok(()) };
    let header = image.header(index).map_err(Error::edit(path))?;
    if !header.is_alloc() {
        if header.sh_addralign < 4 {
            edits.align.push((Pattern::new(name), 4));
        }
    } else if header.sh_size != bytes.len() as u64 {
        // Padding is no way out: the kernel refuses BTF with bytes behind it.
        let (section, new, old) = (image.describe(index), bytes.len(), header.sh_size);
        let text = "in an image only the linker gives it another size";
        return Err(Error::file(
            path,
            format!("section {section}: new BTF is {new} bytes, section holds {old}; {text}"),
        ));
    }
    Ok(())
}

/// Where `{}` is in the name of a BTF file.
fn brace(pattern: &Path) -> Option<usize> {
    pattern.as_os_str().as_bytes().windows(2).position(|w| w == b"{}")
}

/// `{}` in the name of a BTF file stands for the module.
fn beside(pattern: &Path, module: &Path) -> PathBuf {
    let Some(at) = brace(pattern) else { return pattern.to_owned() };
    let (before, behind) = pattern.as_os_str().as_bytes().split_at(at);
    let name = [before, module.as_os_str().as_bytes(), behind.get(2..).unwrap_or_default()].concat();
    PathBuf::from(OsString::from_vec(name))
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
