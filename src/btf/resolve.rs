//! `elfgraft btf-ids sort` and `resolve`: the BTF stays, its IDs are written or put in order.

use std::path::{Path, PathBuf};

use elfgraft_btf::Btf;
use elfgraft_btf::ids::Options;
use elfgraft_edit::{Edits, plan};
use elfgraft_elf::Image;

use super::section::IdsSection;
use super::source::{BtfFile, Own, same_order, valid};
use super::{INDEX_FROM, Known, realigned, warn};
use crate::blob::open;
use crate::jobs::for_each;
use crate::report::{self, Error};
use crate::run::{Output, finish};

#[derive(Debug, clap::Args)]
pub struct WriteArgs {
    /// BTF that the IDs are to refer to, instead of the file's own .BTF
    #[arg(long, value_name = "FILE")]
    btf: Option<PathBuf>,
    #[command(flatten)]
    known: Known,
    /// Remove an appended module signature, which any change breaks
    ///
    /// Without it a signed file that would change is refused. The bytes behind the last ELF structure go.
    #[arg(long)]
    drop_signature: bool,
    /// Leave files without .BTF_ids as they are, as the kernel's tool does: most modules have none
    #[arg(long)]
    if_present: bool,
    /// Treat warnings as errors: nothing is written then
    #[arg(long, alias = "fatal_warnings")]
    fatal_warnings: bool,
    #[command(flatten)]
    out: Output,
    /// Modules, or a vmlinux
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
}

impl WriteArgs {
    /// Why this is nothing for `verify`, which edits copies.
    pub fn elsewhere(&self) -> Option<&'static str> {
        self.out.elsewhere(None)
    }

    /// Writes IDs and sorts, or only sorts.
    pub fn run(&self, resolve: bool) -> Result<(), Error> {
        let btf = BtfFile::optional(self.btf.as_ref())?;
        self.known.with_bases(|base, old_base| {
            for_each(&self.files, |path| self.write(path, resolve, base, old_base, btf.as_ref()))
        })
    }

    fn write(
        &self,
        path: &Path,
        resolve: bool,
        base: Option<&Btf>,
        old_base: Option<&Btf>,
        btf: Option<&BtfFile>,
    ) -> Result<(), Error> {
        let fail = |text: String| Error::file(path, text);
        let file = open(path)?;
        let image = Image::parse(file.bytes()).map_err(Error::edit(path))?;
        let Some(section) = IdsSection::find(path, &image)? else {
            if self.if_present {
                return Ok(());
            }
            return Err(fail("there is no section '.BTF_ids' with symbols".into()));
        };
        let own = Own::find(path, &image)?;
        // What the IDs are to refer to. Sorting needs none.
        let new = match btf {
            Some(file) => Some(file.parse_on(base.or(own.base(None).map_err(fail)?))?),
            None if resolve => own.parse(base).map_err(fail)?,
            None => None,
        };
        let olds = own.readings(&[old_base, base]);
        let old = section.proof(olds.iter().chain(&new));
        let options = Options { old, trust_symbols: self.known.trust_symbols, pinned: section.pinned() };
        let outcome = match &new {
            Some(new) if resolve => {
                valid(new).map_err(|e| fail(format!("the kernel would refuse this BTF: {e}")))?;
                same_order(path, &image, new)?;
                if let Some(base) = new.base().filter(|_| self.files.len() >= INDEX_FROM) {
                    base.index_names();
                }
                section.ids().resolve(new, &options)
            }
            None if resolve => {
                return Err(fail("there is no section '.BTF' to resolve against; --btf gives one".into()));
            }
            _ => section.ids().sort(&options),
        };
        let outcome = outcome.map_err(section.explain(path, &image))?;
        warn(path, &outcome, new.as_ref(), self.fatal_warnings)?;
        let realigned = (outcome.realigned != 0).then(|| realigned(&outcome, self.out.dry_run));
        let mut edits = Edits { drop_signature: self.drop_signature, ..Edits::default() };
        section.edit(outcome.data, &outcome.moves, &mut edits);
        let plan = plan(&image, &edits).map_err(Error::edit(path))?;
        finish(&file, path, &plan, self.out)?;
        realigned.iter().for_each(|text| report::note(path, text));
        Ok(())
    }
}
