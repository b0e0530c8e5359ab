//! Values of options: `NAME=FILE`, `NAME=number`, and the files that hold new contents.

use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use elfgraft_patch::{Input, shown};

use crate::report::Error;

/// `NAME=FILE`, with the file open.
pub struct Blob {
    /// The section's name.
    pub name: Vec<u8>,
    file: Input,
}

impl Blob {
    /// The contents, mapped: they are never copied into memory.
    pub fn bytes(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(self.file.bytes())
    }

    /// Where they come from.
    pub fn path(&self) -> &Path {
        self.file.path()
    }
}

/// Splits `NAME=VALUE` at the first `=`.
pub fn assignment<'a>(option: &str, text: &'a OsStr) -> Result<(&'a [u8], &'a OsStr), Error> {
    let bytes = text.as_bytes();
    match bytes.iter().position(|&b| b == b'=') {
        Some(at) if at > 0 => {
            let (name, value) = bytes.split_at(at);
            Ok((name, OsStr::from_bytes(value.get(1..).unwrap_or_default())))
        }
        _ => Err(Error::Usage(format!("bad format for {option}: '{}', expected NAME=VALUE", shown(&text)))),
    }
}

/// Opens the files of an option's `NAME=FILE` values.
pub fn load(option: &str, values: &[OsString]) -> Result<Vec<Blob>, Error> {
    values
        .iter()
        .map(|value| {
            let (name, path) = assignment(option, value)?;
            Ok(Blob { name: name.to_vec(), file: open(Path::new(path))? })
        })
        .collect()
}

/// Whether an ELF file is where something else is to be written: `--svg a.ko b.ko` forgets the name of the picture.
pub fn is_elf(path: &Path) -> bool {
    let regular = fs::metadata(path).is_ok_and(|m| m.is_file());
    let mut magic = [0; 4];
    regular && File::open(path).and_then(|mut file| file.read_exact(&mut magic)).is_ok() && magic == *b"\x7fELF"
}

/// Whether standard input was an input already: whoever reads it next would get nothing.
static STDIN_READ: AtomicBool = AtomicBool::new(false);

/// Opens an input: `-` is standard input; a pipe or a device (`/dev/null`) is read to its end.
pub fn open(path: &Path) -> Result<Input, Error> {
    if path == Path::new("-") {
        if STDIN_READ.swap(true, Ordering::Relaxed) {
            return Err(Error::file(path, "standard input is asked for twice, and can be read once"));
        }
        return Ok(Input::from_reader(path, std::io::stdin().lock())?);
    }
    match fs::metadata(path) {
        Ok(metadata) if !metadata.is_file() && !metadata.is_dir() => {
            let file = File::open(path).map_err(|e| Error::file(path, format!("cannot open: {e}")))?;
            Ok(Input::from_reader(path, file)?)
        }
        _ => Ok(Input::open(path)?),
    }
}

/// A number as C writes it: `16`, `0x10`, `020`.
pub fn number(option: &str, text: &OsStr) -> Result<u64, Error> {
    let s = text.to_str().unwrap_or_default();
    let parsed = match s.strip_prefix("0x").or_else(|| s.strip_prefix("0X")) {
        Some(hex) => u64::from_str_radix(hex, 16),
        None if s.len() > 1 && s.starts_with('0') => u64::from_str_radix(s, 8),
        None => s.parse(),
    };
    parsed.map_err(|_| Error::Usage(format!("{option}: '{}' is not a number", shown(&text))))
}

/// `NAME=FILE` for outputs.
pub fn outputs(option: &str, values: &[OsString]) -> Result<Vec<(Vec<u8>, PathBuf)>, Error> {
    values
        .iter()
        .map(|value| {
            let (name, path) = assignment(option, value)?;
            if path.is_empty() {
                return Err(Error::Usage(format!("{option}: '{}' names no file", shown(&value))));
            }
            Ok((name.to_vec(), PathBuf::from(path)))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assignments_split_at_the_first_equals_sign() {
        assert_eq!(assignment("o", OsStr::new(".BTF=a=b")).unwrap(), (&b".BTF"[..], OsStr::new("a=b")));
        assert!(assignment("--add-section", OsStr::new("=x")).is_err());
        let message = assignment("--add-section", OsStr::new("x")).unwrap_err().to_string();
        assert!(message.contains("--add-section"), "{message}");
    }

    #[test]
    fn numbers_as_c_writes_them() {
        for (text, value) in [("0", 0), ("16", 16), ("0x10", 16), ("020", 16)] {
            assert_eq!(number("o", OsStr::new(text)).unwrap(), value);
        }
        assert!(number("o", OsStr::new("4k")).is_err());
        assert!(number("o", OsStr::new("")).is_err());
    }
}
