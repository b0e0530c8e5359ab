//! Other contents for law L2: the same edit with something else in the place of what it sets.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use elfgraft_btf::{Btf, reversed};
use elfgraft_elf::Image;

use crate::blob::open;
use crate::btf::source::{BtfFile, Own};
use crate::report::Error;

/// A command line that sets other contents, and what these are.
pub struct Detour {
    pub what: &'static str,
    pub line: Vec<OsString>,
    /// The way back, where that is not the edit as it was given.
    pub back: Option<Vec<OsString>>,
}

/// Detours for a command line of ours (without program and file), in the order in which to try them: an edit may refuse
/// the first, as that of a section that cannot grow. None for an edit that sets nothing. `dir` takes the contents.
pub fn detours(args: &[OsString], file: &Path, other: Option<&Path>, dir: &Path) -> Result<Vec<Detour>, Error> {
    let words: Vec<_> = args.iter().map(|arg| arg.to_str().unwrap_or_default()).collect();
    let places = contents(args);
    let option = match words.as_slice() {
        _ if !places.is_empty() => None,
        ["btf", "embed", ..] if value(args, "--btf").is_some() => Some("--btf"),
        ["btf-ids", "resolve", ..] => Some("--btf"),
        ["module-hashes", "patch", ..] => Some("--modules-order"),
        _ => return Ok(Vec::new()),
    };
    let path = dir.join("other");
    let with = |what, path: &Path| Detour {
        what,
        line: match option {
            Some(option) => with_value(args, option, path),
            None => with_contents(args, &places, path),
        },
        back: None,
    };
    if let Some(other) = other {
        return Ok(vec![with("the other contents", other)]);
    }
    let write = |path: &Path, bytes: Vec<u8>| fs::write(path, bytes).map_err(|e| Error::file(path, e.to_string()));
    match option {
        None => {
            let size = places.first().and_then(|place| fs::metadata(&place.file).ok()).map_or(0, |m| m.len());
            let equal = dir.join("equal");
            write(&path, made_up(size + 37, 2))?;
            write(&equal, made_up(size, 3))?;
            Ok(vec![with("longer contents", &path), with("equally long contents", &equal)])
        }
        Some("--btf") => match other_btf(args, file)? {
            Some(btf) => {
                write(&path, btf)?;
                let mut detour = with("BTF with other type IDs", &path);
                if words.first() == Some(&"btf-ids") {
                    // The other BTF is not in the file then, which could prove where symbols belong.
                    let trusting = args.iter().cloned().chain(["--trust-symbols".into()]);
                    detour.back = (!words.contains(&"--trust-symbols")).then(|| trusting.collect());
                }
                Ok(vec![detour])
            }
            None => Ok(Vec::new()),
        },
        _ => {
            let directory = value(args, "--directory").map(PathBuf::from).unwrap_or_default();
            let order = value(args, "--modules-order").map_or_else(|| directory.join("modules.order"), PathBuf::from);
            let list = open(&order)?;
            let mut lines: Vec<_> = list.bytes().split_inclusive(|&b| b == b'\n').collect();
            lines.reverse();
            write(&path, lines.concat())?;
            Ok(if lines.len() < 2 { Vec::new() } else { vec![with("the modules in another order", &path)] })
        }
    }
}

/// Contents that no section has.
pub fn made_up(size: u64, salt: u64) -> Vec<u8> {
    (0..size).map(|i| (i.wrapping_mul(31).wrapping_add(salt * 97) & 0xff).try_into().unwrap_or_default()).collect()
}

/// Where a command line names a file with contents of a section.
struct Place {
    arg: usize,
    /// What stands in front of the file's name, `=` included.
    prefix: Vec<u8>,
    file: PathBuf,
}

/// `NAME=FILE` of `set`, and of objcopy's options that take contents.
fn contents(args: &[OsString]) -> Vec<Place> {
    let is_set = args.first().is_some_and(|command| command == "set");
    let is_objcopy = args.first().is_some_and(|command| command == "objcopy");
    let takes = |option: &[u8]| option.starts_with(b"--add-se") || option.starts_with(b"--up");
    let mut places = Vec::new();
    for (at, arg) in args.iter().enumerate().skip(1) {
        let bytes = arg.as_bytes();
        let before = args.get(at - 1).map(|arg| arg.as_bytes()).unwrap_or_default();
        // Of `--option=NAME=FILE` the first `=` belongs to the option.
        let skip = match bytes.iter().position(|&b| b == b'=') {
            _ if is_set && !bytes.starts_with(b"-") => 0,
            Some(first) if is_objcopy && takes(bytes.get(..first).unwrap_or_default()) => first + 1,
            _ if is_objcopy && takes(before) && !before.contains(&b'=') => 0,
            _ => continue,
        };
        let value = bytes.get(skip..).unwrap_or_default();
        if let Some(equals) = value.iter().position(|&b| b == b'=') {
            let (prefix, file) = bytes.split_at(skip + equals + 1);
            places.push(Place { arg: at, prefix: prefix.to_vec(), file: OsStr::from_bytes(file).into() });
        }
    }
    places
}

fn with_contents(args: &[OsString], places: &[Place], file: &Path) -> Vec<OsString> {
    let mut line = args.to_vec();
    for place in places {
        if let Some(arg) = line.get_mut(place.arg) {
            *arg = OsString::from_vec([&place.prefix, file.as_os_str().as_bytes()].concat());
        }
    }
    line
}

/// The value of an option, in either spelling.
fn value<'a>(args: &'a [OsString], option: &str) -> Option<&'a OsStr> {
    let joined = |arg: &'a OsString| arg.as_bytes().strip_prefix(option.as_bytes())?.strip_prefix(b"=");
    args.iter().enumerate().find_map(|(at, arg)| match arg == option {
        true => args.get(at + 1).map(OsString::as_os_str),
        false => joined(arg).map(OsStr::from_bytes),
    })
}

/// The command line with another value of an option, or with the option if it did not have it.
fn with_value(args: &[OsString], option: &str, new: &Path) -> Vec<OsString> {
    let mut line: Vec<OsString> = Vec::new();
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let joined = arg.as_bytes().strip_prefix(option.as_bytes()).is_some_and(|rest| rest.starts_with(b"="));
        if arg == option {
            args.next();
        } else if !joined {
            line.push(arg.clone());
        }
    }
    line.extend([option.into(), new.into()]);
    line
}

/// The BTF that the command line gives, or the file has, with its types in another order: so every ID is another one.
fn other_btf(args: &[OsString], file: &Path) -> Result<Option<Vec<u8>>, Error> {
    let file_of = |option: &str| value(args, option).map(|path| BtfFile::open(Path::new(path))).transpose();
    let (given, distilled, base) = (file_of("--btf")?, file_of("--distilled-base")?, file_of("--btf-base")?);
    let base = distilled.as_ref().or(base.as_ref()).map(BtfFile::parse).transpose()?;
    let input = open(file)?;
    let image = Image::parse(input.bytes()).map_err(Error::edit(file))?;
    let own = Own::find(file, &image)?;
    let fail = |text: String| Error::file(file, text);
    let make = |btf: &Btf| reversed(btf).map_err(|e| fail(e.to_string()));
    match &given {
        Some(given) => {
            given.parse_on(base.as_ref().or(own.base(None).map_err(fail)?)).and_then(|btf| make(&btf)).map(Some)
        }
        None => own.parse(base.as_ref()).map_err(fail)?.map(|btf| make(&btf)).transpose(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<OsString> {
        line.split(' ').map(OsString::from).collect()
    }

    fn files(line: &str) -> Vec<(usize, PathBuf)> {
        contents(&words(line)).into_iter().map(|place| (place.arg, place.file)).collect()
    }

    #[test]
    fn contents_are_where_a_section_gets_them() {
        assert_eq!(files("set .BTF=a .x=b=c -p"), [(1, "a".into()), (2, "b=c".into())]);
        assert_eq!(files("objcopy --add-section .BTF=a --update-section=.x=b"), [(2, "a".into()), (3, "b".into())]);
        assert_eq!(files("objcopy --rename-section .a=b --set-section-flags=.x=alloc --add-symbol a=b"), []);
        assert_eq!(files("strip -R .a=b"), []);
        let line = words("objcopy --add-section=.BTF=a --upd .x=b");
        let new = with_contents(&line, &contents(&line), Path::new("/o"));
        assert_eq!(new, words("objcopy --add-section=.BTF=/o --upd .x=/o"));
    }

    #[test]
    fn options_are_given_once_in_either_spelling() {
        for line in ["btf embed --btf a -v", "btf embed --btf=a -v", "btf embed -v"] {
            assert_eq!(with_value(&words(line), "--btf", Path::new("o")), words("btf embed -v --btf o"));
        }
        assert_eq!(value(&words("x --btf-base=v --btf b"), "--btf"), Some(OsStr::new("b")));
        assert_eq!(value(&words("x --btf-base v"), "--btf"), None);
    }
}
