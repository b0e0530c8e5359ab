//! Values of options: patterns, flags, names.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use elfgraft_edit::{FlagSet, Pattern, Patterns, Rename};
use elfgraft_elf::Endianness;
use elfgraft_patch::shown;

use crate::blob::{assignment, open};
use crate::report::Error;

/// The bytes of an option that may not be there.
pub fn bytes_of(text: &Option<OsString>) -> Vec<u8> {
    text.as_ref().map(|t| t.as_bytes().to_vec()).unwrap_or_default()
}

/// Contents of `.gnu_debuglink`: the file's name without directories, padded to 4 bytes, and its CRC-32 in the byte
/// order of the ELF file (gdb manual, "Separate Debug Files").
pub fn debuglink(path: &Path, endian: Endianness) -> Result<Vec<u8>, Error> {
    let name = path.file_name().ok_or_else(|| Error::Usage(format!("'{}' names no file", shown(&path))))?;
    let crc = crc32fast::hash(open(path)?.bytes());
    let mut bytes = name.as_bytes().to_vec();
    bytes.push(0);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes.extend(if endian == Endianness::Little { crc.to_le_bytes() } else { crc.to_be_bytes() });
    Ok(bytes)
}

/// Section patterns of an option.
pub fn patterns(values: &[OsString]) -> Patterns {
    values.iter().map(|v| Pattern::new(v.as_bytes())).collect()
}

/// `PATTERN=VALUE` values of an option.
pub fn by_pattern<T>(
    option: &str,
    values: &[OsString],
    parse: impl Fn(&std::ffi::OsStr) -> Result<T, Error>,
) -> Result<Vec<(Pattern, T)>, Error> {
    values
        .iter()
        .map(|value| {
            let (pattern, value) = assignment(option, value)?;
            Ok((Pattern::new(pattern), parse(value)?))
        })
        .collect()
}

/// Section flags of an option, which the message names.
pub fn flags(option: &str, words: &[u8]) -> Result<FlagSet, Error> {
    FlagSet::parse(&String::from_utf8_lossy(words)).map_err(|e| Error::Usage(format!("{option}: {e}")))
}

/// `OLD=NEW[,FLAGS]`.
pub fn rename(value: &OsString) -> Result<Rename, Error> {
    let (from, value) = assignment("--rename-section", value)?;
    let mut words = value.as_bytes().splitn(2, |&b| b == b',');
    let to = words.next().unwrap_or_default().to_vec();
    if to.is_empty() {
        return Err(Error::Usage(format!("--rename-section: '{}=' has no new name", from.escape_ascii())));
    }
    let flags = words.next().map(|list| flags("--rename-section", list));
    Ok(Rename { from: from.to_vec(), to, flags: flags.transpose()? })
}
