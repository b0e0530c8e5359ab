//! Where BTF comes from: a raw file, or the `.BTF` and `.BTF.base` of an ELF file.

use std::path::{Path, PathBuf};

use elfgraft_btf::{Btf, Endian, Error as BtfError, Field};
use elfgraft_elf::consts::ET_REL;
use elfgraft_elf::{Endianness, Image, SectionIndex, printable};
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

    /// Opens a file that an option may name.
    pub fn optional(path: Option<&PathBuf>) -> Result<Option<BtfFile>, Error> {
        path.map(|path| BtfFile::open(path)).transpose()
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
        Btf::parse(self.bytes()?).map_err(|e| self.fail(&in_words(&e)))
    }

    /// Reads it on top of `base` if it is split.
    pub fn parse_on<'a>(&'a self, base: Option<&'a Btf<'a>>) -> Result<Btf<'a>, Error> {
        parse_on(self.bytes()?, base).map_err(|e| self.fail(&in_words(&e)))
    }

    /// An error about this file.
    pub fn fail(&self, text: &str) -> Error {
        Error::file(self.input.path(), text)
    }
}

/// The BTF an ELF file carries.
pub struct Own<'a> {
    /// The contents of `.BTF`.
    pub data: Option<&'a [u8]>,
    /// Whether the kernel would load it as a module, whose BTF it reads on top of its own.
    pub is_module: bool,
    distilled: Option<Result<Btf<'a>, BtfError>>,
}

impl<'a> Own<'a> {
    /// Finds `.BTF` and `.BTF.base`, and reads the latter.
    pub fn find(path: &Path, image: &Image<'a>) -> Result<Own<'a>, Error> {
        Ok(Own {
            is_module: image.format.e_type == ET_REL,
            data: section(path, image, b".BTF")?,
            distilled: section(path, image, b".BTF.base")?.map(base_in),
        })
    }

    /// What split BTF in the file continues: its own `.BTF.base`, as for the kernel, or else `given`.
    ///
    /// # Errors
    /// If it has a `.BTF.base` that cannot be read: the kernel would not take another one instead.
    pub fn base<'s>(&'s self, given: Option<&'s Btf<'s>>) -> Result<Option<&'s Btf<'s>>, String> {
        match &self.distilled {
            Some(Ok(distilled)) => Ok(Some(distilled)),
            Some(Err(e)) => Err(format!("section '.BTF.base': {e}")),
            None => Ok(given),
        }
    }

    /// Reads `.BTF`, on top of `.BTF.base` or else `given`; `None` if there is none.
    ///
    /// # Errors
    /// In the words that follow the file's name.
    pub fn parse<'s>(&'s self, given: Option<&'s Btf<'s>>) -> Result<Option<Btf<'s>>, String> {
        let Some(data) = self.data else { return Ok(None) };
        let base = self.base(given)?;
        let btf = parse_on(data, base).map_err(|e| format!("section '.BTF': {}", in_words(&e)))?;
        if self.is_module && base.is_some() && btf.base().is_none() {
            return Err(format!("section '.BTF': {STANDALONE}"));
        }
        Ok(Some(btf))
    }

    /// Whether `.BTF` is split and the file has no base for it.
    pub fn needs_base(&self) -> bool {
        self.distilled.is_none() && matches!(self.data.map(Btf::parse), Some(Err(BtfError::NotStandalone)))
    }

    /// What `.BTF` says on top of each of these bases that it can have been made for: the IDs now in the file refer to
    /// one of them. On a wrong base it would have wrong names, which by accident or on purpose may be those of a set.
    pub fn readings<'s>(&'s self, bases: &[Option<&'s Btf<'s>>]) -> Vec<Btf<'s>> {
        let mut given: Vec<_> = bases.iter().flatten().copied().map(Some).collect();
        if given.is_empty() {
            given.push(None);
        }
        let readings = given.into_iter().filter_map(|base| self.parse(base).ok()?);
        readings.filter(|btf| valid(btf).is_ok()).collect()
    }
}

/// Reads a base that a module brings along: it may be as hostile as the rest of the file.
pub fn base_in(data: &[u8]) -> Result<Btf<'_>, BtfError> {
    let base = Btf::parse(data)?;
    base.check_names()?;
    Ok(base)
}

/// Why standalone BTF does not go into a module: the kernel reads it on top of its own.
pub const STANDALONE: &str = "the BTF is standalone, it does not continue the base";

fn in_words(e: &BtfError) -> String {
    match e {
        BtfError::NotStandalone => format!("{e} (--btf-base, or --distilled-base where one is embedded)"),
        e => e.to_string(),
    }
}

/// The one section of a name. Several are an error: which one would the kernel take?
pub fn only(path: &Path, image: &Image, name: &[u8]) -> Result<Option<SectionIndex>, Error> {
    match image.named(name).as_slice() {
        [] => Ok(None),
        [index] => Ok(Some(*index)),
        several => {
            let text =
                format!("{} sections are named '{}': {}", several.len(), printable(name), image.describe_all(several));
            Err(Error::file(path, text))
        }
    }
}

fn section<'a>(path: &Path, image: &Image<'a>, name: &[u8]) -> Result<Option<&'a [u8]>, Error> {
    let index = only(path, image, name)?;
    index.map(|index| image.contents(index).map_err(Error::edit(path))).transpose()
}

/// BTF that may be split. Standalone BTF says so itself: its strings begin with a NUL, and it needs no base.
pub fn parse_on<'a>(data: &'a [u8], base: Option<&'a Btf<'a>>) -> Result<Btf<'a>, BtfError> {
    match (Btf::parse(data), base) {
        (Err(_), Some(base)) => Btf::parse_split(data, base),
        (result, _) => result,
    }
}

/// Whether the kernel would accept it on its base, as far as one can see; the base is taken as checked.
///
/// # Errors
/// What is wrong. Also if most names begin in the middle of a string: no encoder shares the ends of strings to that
/// extent, so the BTF was made for a base with more or less strings, of another build.
pub fn valid(btf: &Btf) -> Result<(), String> {
    btf.validate().map_err(|e| e.to_string())?;
    let (own, strings) = (btf.own_strings(), btf.strings());
    let (mut names, mut inside) = (0u32, 0u32);
    for ty in btf.own_ids().filter_map(|id| btf.get(id)) {
        ty.fields().filter(|(field, _, at)| *field == Field::Name && own.contains(at)).for_each(|(_, _, at)| {
            names += 1;
            let before = (at - own.start).checked_sub(1).and_then(|before| strings.get(before as usize));
            inside += u32::from(before.is_some_and(|&byte| byte != 0));
        });
    }
    if inside > names / 2 {
        return Err(format!("{inside} of {names} names begin inside a string: it was made for another base"));
    }
    Ok(())
}

/// Byte order of a file as the BTF crate calls it.
pub fn endian(image: &Image) -> Endian {
    match image.format.endian {
        Endianness::Little => Endian::Little,
        Endianness::Big => Endian::Big,
    }
}

/// Refuses BTF of another byte order than the file's: the kernel would not know its magic.
pub fn same_order(path: &Path, image: &Image, btf: &Btf) -> Result<(), Error> {
    let order = |endian| if endian == Endian::Little { "little-endian" } else { "big-endian" };
    let (file, btf) = (endian(image), btf.endian());
    if file == btf {
        return Ok(());
    }
    Err(Error::file(path, format!("the BTF is {}, the file is {}", order(btf), order(file))))
}
