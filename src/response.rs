//! `@file` on a command line: arguments from a file, separated by white space; quotes and backslashes as in GNU's tools.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::report::Error;

/// So many response files are read for one command line.
const MAX_FILES: u32 = 2000;

/// What is still to be looked at.
enum Next {
    Arg(OsString),
    /// The words of the response file that was opened last end here.
    End,
}

/// Replaces every `@file` by the arguments in it. Arguments behind `--` are file names and stay.
///
/// # Errors
/// If a response file cannot be read, or names itself, by whatever way: a file of a MB that does so a hundred thousand
/// times would fill the memory before any number of files is reached.
pub fn expand(args: Vec<OsString>) -> Result<Vec<OsString>, Error> {
    let mut out = Vec::with_capacity(args.len());
    let (mut files, mut only_names) = (0, false);
    let mut open: Vec<(u64, u64)> = Vec::new();
    let mut rest: Vec<Next> = args.into_iter().rev().map(Next::Arg).collect();
    while let Some(next) = rest.pop() {
        let Next::Arg(arg) = next else {
            open.pop();
            continue;
        };
        only_names |= arg == "--";
        match arg.as_bytes().strip_prefix(b"@") {
            Some(path) if !path.is_empty() && !only_names => {
                let path = Path::new(OsStr::from_bytes(path));
                let fail = |e| Error::file(path, format!("cannot read the response file: {e}"));
                let metadata = std::fs::metadata(path).map_err(fail)?;
                let file = (metadata.dev(), metadata.ino());
                if open.contains(&file) {
                    return Err(Error::file(path, "the response file names itself"));
                }
                files += 1;
                if files > MAX_FILES {
                    return Err(Error::file(path, format!("more than {MAX_FILES} response files")));
                }
                let text = std::fs::read(path).map_err(fail)?;
                open.push(file);
                rest.push(Next::End);
                rest.extend(split(&text).into_iter().rev().map(Next::Arg));
            }
            _ => out.push(arg),
        }
    }
    Ok(out)
}

/// Words of a response file. An unclosed quote ends with the file.
pub fn split(text: &[u8]) -> Vec<OsString> {
    let mut words = Vec::new();
    let mut word: Option<Vec<u8>> = None;
    let mut quote = None;
    let mut bytes = text.iter().copied();
    while let Some(byte) = bytes.next() {
        match (byte, quote) {
            (b'\\', _) => word.get_or_insert_default().extend(bytes.next()),
            (q, Some(open)) if q == open => quote = None,
            (b'"' | b'\'', None) => {
                quote = Some(byte);
                word.get_or_insert_default();
            }
            (space, None) if space.is_ascii_whitespace() => words.extend(word.take()),
            _ => word.get_or_insert_default().push(byte),
        }
    }
    words.extend(word);
    words.into_iter().map(OsString::from_vec).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        split(text.as_bytes()).into_iter().map(|w| w.into_string().unwrap()).collect()
    }

    #[test]
    fn words_quotes_and_backslashes() {
        assert_eq!(words("-R .a\n\t--strip"), ["-R", ".a", "--strip"]);
        assert_eq!(words(r#"'a b' "c 'd'" e\ f "" "#), ["a b", "c 'd'", "e f", ""]);
        assert_eq!(words("'open"), ["open"]);
        assert_eq!(words("x\\"), ["x"]);
        assert_eq!(words(""), [""; 0]);
    }

    #[test]
    fn nested_files_and_double_dash() {
        let dir = tempfile::tempdir().unwrap();
        let (a, b) = (dir.path().join("a"), dir.path().join("b"));
        std::fs::write(&b, "-R .x").unwrap();
        std::fs::write(&a, format!("-v @{} -p", b.display())).unwrap();
        let at = OsString::from(format!("@{}", a.display()));
        let got = expand(vec![at.clone(), "--".into(), at.clone()]).unwrap();
        assert_eq!(got, [OsString::from("-v"), "-R".into(), ".x".into(), "-p".into(), "--".into(), at]);
    }

    #[test]
    fn a_file_that_names_itself_and_a_missing_one_are_errors() {
        let dir = tempfile::tempdir().unwrap();
        let a = dir.path().join("a");
        let at = OsString::from(format!("@{}", a.display()));
        assert!(expand(vec![at.clone()]).unwrap_err().to_string().contains("cannot read the response file"));
        std::fs::write(&a, at.as_bytes()).unwrap();
        assert!(expand(vec![at.clone()]).unwrap_err().to_string().contains("names itself"));
        // Through another file, and so often that following it would need gigabytes.
        let b = dir.path().join("b");
        std::fs::write(&a, format!("@{} ", b.display())).unwrap();
        std::fs::write(&b, format!("@{} ", a.display()).repeat(20_000)).unwrap();
        assert!(expand(vec![at.clone()]).unwrap_err().to_string().contains("names itself"));
        // The same file twice, one after the other, is no circle.
        std::fs::write(&a, "-v").unwrap();
        assert_eq!(expand(vec![at.clone(), at]).unwrap(), ["-v", "-v"]);
    }
}
