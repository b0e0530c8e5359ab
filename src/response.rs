//! `@file` on a command line: arguments from a file, separated by white space; quotes and backslashes as in GNU's tools.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use elfgraft_patch::shown;

use crate::report::Error;

/// Response files may name response files; a file that names itself does not go on for ever.
const MAX_FILES: u32 = 2000;

/// Replaces every `@file` by the arguments in it. Arguments behind `--` are file names and stay.
pub fn expand(args: Vec<OsString>) -> Result<Vec<OsString>, Error> {
    let mut out = Vec::with_capacity(args.len());
    let mut files = 0;
    let mut rest: Vec<OsString> = args.into_iter().rev().collect();
    while let Some(arg) = rest.pop() {
        match arg.as_bytes().strip_prefix(b"@") {
            Some(path) if !path.is_empty() && !out.iter().any(|a| a == "--") => {
                let path = Path::new(OsStr::from_bytes(path));
                files += 1;
                if files > MAX_FILES {
                    return Err(Error::file(
                        path,
                        format!("more than {MAX_FILES} response files; does it name itself?"),
                    ));
                }
                let text = std::fs::read(path)
                    .map_err(|e| Error::Usage(format!("cannot read response file '{}': {e}", shown(&path))))?;
                rest.extend(split(&text).into_iter().rev());
            }
            _ => out.push(arg),
        }
    }
    Ok(out)
}

/// Words of a response file. An unclosed quote ends with the file.
fn split(text: &[u8]) -> Vec<OsString> {
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
        assert!(expand(vec![at.clone()]).unwrap_err().to_string().contains("cannot read response file"));
        std::fs::write(&a, at.as_bytes()).unwrap();
        assert!(expand(vec![at]).unwrap_err().to_string().contains("does it name itself"));
    }
}
