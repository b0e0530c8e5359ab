//! BTF of a raw file or of an ELF file, read as the kernel's tool reads it, with its messages.

use std::path::Path;

use elfgraft_btf::{Btf, Kind};
use elfgraft_elf::Image;
use elfgraft_patch::{Input, shown};

use super::{Stop, failed, open};
use crate::btf::process::read;
use crate::btf::source::{STANDALONE, base_in, only};
use crate::report::Error;

/// BTF in a file, not read yet.
pub struct Source<'a> {
    /// What it is for: `BTF`, or `base BTF`.
    what: &'static str,
    path: &'a Path,
    data: &'a [u8],
    /// The contents of `.BTF.base` beside `.BTF`, and what they say.
    distilled: Option<(&'a [u8], Btf<'a>)>,
}

impl<'a> Source<'a> {
    /// Opens the file that holds the BTF.
    pub fn open(what: &'static str, path: &Path) -> Result<Input, Stop> {
        open(path).map_err(|e| refuse(what, path, e))
    }

    /// Finds the BTF in an open file: `.BTF` and `.BTF.base` of an ELF file, or all of it.
    pub fn find(what: &'static str, file: &'a Input) -> Result<Source<'a>, Stop> {
        let (path, bytes) = (file.path(), file.bytes());
        if !bytes.starts_with(b"\x7fELF") {
            return Ok(Source { what, path, data: bytes, distilled: None });
        }
        let image = Image::parse(bytes).map_err(|e| refuse(what, path, e))?;
        let section = |name: &[u8]| -> Result<Option<&'a [u8]>, Error> {
            let index = only(path, &image, name)?;
            index.map(|index| image.contents(index).map_err(Error::edit(path))).transpose()
        };
        let Some(data) = section(b".BTF")? else {
            let missing = format!("libbpf: failed to find '.BTF' ELF section in {}", shown(&path));
            return Err(failed(format!("{missing}\n{}", line(what, path, "No data available"))));
        };
        let base = section(b".BTF.base")?;
        let read = |data| base_in(data).map(|btf| (data, btf));
        let distilled =
            base.map(read).transpose().map_err(|e| refuse(what, path, format_args!("section '.BTF.base': {e}")))?;
        Ok(Source { what, path, data, distilled })
    }

    /// Reads the BTF, on top of its own `.BTF.base` or else of `base`.
    pub fn parse<'s>(&'s self, base: Option<&'s Btf<'s>>) -> Result<Btf<'s>, Stop> {
        let base = self.distilled.as_ref().map(|(_, btf)| btf).or(base);
        let btf = read(self.data, base).map_err(|e| self.refuse(e))?;
        // The kernel's tool would go on with IDs and strings that are counted from the wrong place.
        if base.is_some() && btf.strings().first() == Some(&0) {
            return Err(self.refuse(STANDALONE));
        }
        Ok(btf)
    }

    /// Reads the BTF as a base, and finds these types in it on the way.
    pub fn parse_base(&self, wanted: &[(Kind, &[u8])]) -> Result<Btf<'_>, Stop> {
        if self.distilled.is_some() {
            return self.parse(None);
        }
        Btf::parse_finding(self.data, wanted).map_err(|e| self.refuse(e))
    }

    /// An error about this BTF.
    pub fn refuse(&self, e: impl std::fmt::Display) -> Stop {
        refuse(self.what, self.path, e)
    }

    /// The contents of the file's own `.BTF.base`, which its BTF continues.
    pub fn distilled(&self) -> Option<&'a [u8]> {
        self.distilled.as_ref().map(|(data, _)| *data)
    }
}

fn refuse(what: &str, path: &Path, e: impl std::fmt::Display) -> Stop {
    failed(line(what, path, e))
}

fn line(what: &str, path: &Path, e: impl std::fmt::Display) -> String {
    format!("FAILED: load {what} from {}: {e}", shown(&path))
}
