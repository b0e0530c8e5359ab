//! `modules.order`: which modules there are, and at which position each one is.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Component, Path, PathBuf};

use crate::{Error, Result};

/// One line of `modules.order`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Module<'a> {
    /// The line without its `.o`, borrowed. Any bytes: spaces, not UTF-8, more dots.
    stem: &'a [u8],
    pos: u32,
}

impl Module<'_> {
    /// Position of the module in the tree: lines before it.
    pub fn pos(&self) -> u32 {
        self.pos
    }

    /// A file of this module, relative to the directory `modules.order` was written for: `.ko` is
    /// the module, `.ko.stripped` what is installed when modules are stripped, `.merkle` its
    /// proof, `.o` the line itself. Only the line's last `.o` is replaced: `a.b.o` is `a.b.ko`.
    pub fn with_suffix(&self, suffix: &str) -> PathBuf {
        let mut path = self.stem.to_vec();
        path.extend_from_slice(suffix.as_bytes());
        OsString::from_vec(path).into()
    }
}

/// The modules in the contents of `modules.order`, in its order. Empty contents are no modules.
///
/// Empty lines at the end are ignored. Everything else that is not `path/x.o` is an error with
/// its line, and so is a module that is listed twice: positions are counted in lines, so a line
/// that is read differently here than by `depmod` or the kernel's own tool would shift all proofs
/// behind it.
pub fn parse_order(contents: &[u8]) -> Result<Vec<Module<'_>>> {
    let used = contents.iter().rposition(|&byte| byte != b'\n').map_or(0, |last| last + 1);
    let Some(contents) = contents.get(..used).filter(|used| !used.is_empty()) else {
        return Ok(Vec::new());
    };

    let mut seen = HashMap::new();
    let mut modules = Vec::new();
    for (name, line) in contents.split(|&byte| byte == b'\n').zip(1..) {
        if name.is_empty() {
            return Err(Error::BlankLine { line });
        }
        if name.ends_with(b"\r") {
            return Err(Error::CarriageReturn { line });
        }
        let Some(stem) = name.strip_suffix(b".o") else {
            let name = name.to_vec();
            return Err(Error::NotAnObject { line, name });
        };
        if let Some(first) = seen.insert(same_path(stem), line) {
            let name = name.to_vec();
            return Err(Error::ListedTwice { line, first, name });
        }
        let pos = u32::try_from(modules.len()).map_err(|_| Error::TooMany { line })?;
        modules.push(Module { stem, pos });
    }
    Ok(modules)
}

/// The same for paths to one file, as far as names tell: `./a//b` is `a/b`. Two positions of one module would be two
/// proofs in one `.merkle` file.
fn same_path(stem: &[u8]) -> PathBuf {
    let path = Path::new(OsStr::from_bytes(stem));
    path.components().filter(|part| *part != Component::CurDir).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::ffi::OsStrExt;

    fn files(contents: &[u8], suffix: &str) -> Vec<Vec<u8>> {
        let modules = parse_order(contents).unwrap();
        let paths = modules.iter().map(|module| module.with_suffix(suffix));
        paths.map(|path| path.as_os_str().as_bytes().to_vec()).collect()
    }

    fn error(contents: &[u8]) -> String {
        parse_order(contents).unwrap_err().to_string()
    }

    #[test]
    fn only_the_trailing_o_is_replaced() {
        let order = b"net/a.o\nfoo.bar.o\nx.o.o\nlib.o/y.o\n";
        assert_eq!(files(order, ".ko"), [&b"net/a.ko"[..], b"foo.bar.ko", b"x.o.ko", b"lib.o/y.ko"]);
        assert_eq!(files(b"foo.bar.o\n", ".ko.stripped"), [b"foo.bar.ko.stripped"]);
        assert_eq!(files(b"foo.bar.o\n", ".merkle"), [b"foo.bar.merkle"]);
        assert_eq!(files(b"foo.bar.o\n", ".o"), [b"foo.bar.o"]);
    }

    #[test]
    fn names_are_bytes() {
        let order = b"my dir/a b .o\n\xff\xfe.o\n\tx.o\n";
        assert_eq!(files(order, ".ko"), [&b"my dir/a b .ko"[..], b"\xff\xfe.ko", b"\tx.ko"]);
    }

    #[test]
    fn order_is_kept() {
        assert_eq!(files(b"b.o\na.o\nc.o\n", ".ko"), [b"b.ko", b"a.ko", b"c.ko"]);
    }

    #[test]
    fn positions_count_lines_from_0() {
        let positions = parse_order(b"b.o\na.o\nc.o\n").unwrap().iter().map(Module::pos).collect::<Vec<_>>();
        assert_eq!(positions, [0, 1, 2]);
    }

    #[test]
    fn no_modules() {
        assert!(files(b"", ".ko").is_empty());
        assert!(files(b"\n", ".ko").is_empty());
    }

    #[test]
    fn last_line_with_and_without_its_newline() {
        for contents in [&b"a.o\nb.o"[..], b"a.o\nb.o\n", b"a.o\nb.o\n\n"] {
            assert_eq!(files(contents, ".ko"), [b"a.ko", b"b.ko"]);
        }
    }

    #[test]
    fn blank_line_in_the_middle() {
        assert_eq!(error(b"a.o\n\nb.o\n"), "line 2 is empty, and more lines follow");
        assert_eq!(error(b"\na.o\n"), "line 1 is empty, and more lines follow");
    }

    #[test]
    fn line_that_is_no_object() {
        assert_eq!(error(b"a.o\nb.ko\n"), "line 2: 'b.ko' does not end in '.o'");
        assert_eq!(error(b"a.o\nb.o \n"), "line 2: 'b.o ' does not end in '.o'");
        assert_eq!(error(b"a.o\nb.O\n"), "line 2: 'b.O' does not end in '.o'");
        assert_eq!(error(b"o"), "line 1: 'o' does not end in '.o'");
        assert_eq!(error(b"\x1b[31m"), "line 1: '\\u{1b}[31m' does not end in '.o'");
    }

    #[test]
    fn crlf_is_refused() {
        assert_eq!(error(b"a.o\nb.o\r\n"), "line 2 ends in CR LF; kbuild writes LF alone");
        assert_eq!(error(b"\r\n"), "line 1 ends in CR LF; kbuild writes LF alone");
        // A CR elsewhere is part of a name.
        assert_eq!(files(b"a\rb.o\n", ".ko"), [b"a\rb.ko"]);
    }

    #[test]
    fn module_listed_twice() {
        assert_eq!(error(b"a.o\nb.o\nc.o\nb.o\n"), "line 4: 'b.o' is already on line 2; a module has one position");
        for again in ["./b.o", ".//b.o", "././b.o"] {
            let text = format!("line 3: '{again}' is already on line 2; a module has one position");
            assert_eq!(error(format!("a.o\nb.o\n{again}\n").as_bytes()), text);
        }
        assert!(error(b"net/a.o\nnet/./a.o\n").starts_with("line 2: 'net/./a.o' is already on line 1"));
        // Other directories are other modules.
        assert_eq!(parse_order(b"a.o\nb/a.o\n../a.o\n/a.o\n").unwrap().len(), 4);
    }
}
