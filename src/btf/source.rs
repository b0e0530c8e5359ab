//! Where BTF comes from: a raw file, the `.BTF` of an ELF file, split or not.

use std::path::{Path, PathBuf};

use elfgraft_btf::{Btf, Endian};
use elfgraft_elf::{Endianness, Image};
use elfgraft_patch::Input;

use crate::blob::open;
use crate::report::Error;

/// A file that holds BTF.
pub struct BtfFile {
    input: Input,
}

impl BtfFile {
    /// Opens a file; it is mapped, and of a vmlinux only the pages of its BTF are ever read.
    pub fn open(path: &Path) -> Result<BtfFile, Error> {
        Ok(BtfFile { input: open(path)? })
    }

    /// The BTF in it: the contents of `.BTF` if it is an ELF file, else all of it.
    pub fn bytes(&self) -> Result<&[u8], Error> {
        let (path, bytes) = (self.input.path(), self.input.bytes());
        if !bytes.starts_with(b"\x7fELF") {
            return Ok(bytes);
        }
        let image = Image::parse(bytes).map_err(Error::edit(path))?;
        section(path, &image, b".BTF")?.ok_or_else(|| Error::file(path, "there is no section '.BTF'"))
    }

    /// Reads it as BTF that needs no base.
    pub fn parse(&self) -> Result<Btf<'_>, Error> {
        Btf::parse(self.bytes()?).map_err(|e| Error::file(self.input.path(), format!("BTF: {e}")))
    }

    /// Reads it on top of `base` if it is split.
    pub fn parse_on<'a>(&'a self, base: Option<&'a Btf<'a>>) -> Result<Btf<'a>, Error> {
        parse_on(self.bytes()?, base).map_err(|e| Error::file(self.input.path(), format!("BTF: {e}")))
    }
}

/// Opens a file that an option may name.
pub fn open_optional(path: &Option<PathBuf>) -> Result<Option<BtfFile>, Error> {
    path.as_deref().map(BtfFile::open).transpose()
}

/// Contents of the one section of a name. Several are an error: which one would the kernel take?
pub fn section<'a>(path: &Path, image: &Image<'a>, name: &[u8]) -> Result<Option<&'a [u8]>, Error> {
    match image.named(name).as_slice() {
        [] => Ok(None),
        [index] => Ok(Some(image.contents(*index).map_err(Error::edit(path))?)),
        several => {
            let list: Vec<_> = several.iter().map(|&i| image.describe(i)).collect();
            Err(Error::file(path, format!("{} sections of one name: {}", several.len(), list.join(", "))))
        }
    }
}

/// BTF that may be split. Standalone BTF says so itself: its strings begin with a NUL, and it needs no base.
pub fn parse_on<'a>(data: &'a [u8], base: Option<&'a Btf<'a>>) -> Result<Btf<'a>, elfgraft_btf::Error> {
    match (Btf::parse(data), base) {
        (Err(_), Some(base)) => Btf::parse_split(data, base),
        (result, _) => result,
    }
}

/// Byte order of a file as the BTF crate calls it.
pub fn endian(image: &Image) -> Endian {
    match image.format.endian {
        Endianness::Little => Endian::Little,
        Endianness::Big => Endian::Big,
    }
}

/// Byte order in words.
pub fn order(endian: Endian) -> &'static str {
    if endian == Endian::Little { "little-endian" } else { "big-endian" }
}
