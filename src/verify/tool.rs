//! The edit to be verified, as something that can be done to any file, with any contents.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use elfgraft_edit::Decision;

use crate::report::Error;

/// Files to edit, and the command line that edits them, without them.
pub type FilesAndEdit = (Vec<PathBuf>, Vec<OsString>);

/// The commands of this program, as functions: verify is one of them and must not know the others.
pub struct Own {
    /// The files that a command line edits, and the command line without them: they come last.
    pub files: fn(&[OsString]) -> Result<FilesAndEdit, Error>,
    /// Runs a command line, program name first, and tells what was decided.
    pub run: fn(Vec<OsString>) -> Result<Vec<Decision>, Error>,
}

/// An edit.
pub struct Tool<'t> {
    kind: Kind<'t>,
    /// Contents for a detour.
    other: Option<&'t Path>,
}

enum Kind<'t> {
    /// One of ours: its arguments, and the file that comes behind them.
    Own { own: &'t Own, args: &'t [OsString], file: &'t Path },
    /// Anybody's.
    Shell { command: &'t str, inverse: Option<&'t str>, section: &'t OsStr },
}

impl<'t> Tool<'t> {
    pub fn own(own: &'t Own, args: &'t [OsString], file: &'t Path, other: Option<&'t Path>) -> Tool<'t> {
        Tool { kind: Kind::Own { own, args, file }, other }
    }

    pub fn shell(command: &'t str, inverse: Option<&'t str>, section: &'t OsStr, other: Option<&'t Path>) -> Tool<'t> {
        Tool { kind: Kind::Shell { command, inverse, section }, other }
    }

    /// Whether the edit puts a new file in the place of the old one.
    pub fn replaces(&self) -> bool {
        match &self.kind {
            Kind::Own { args, .. } => !args.iter().any(|arg| arg == "--in-place"),
            Kind::Shell { .. } => false,
        }
    }

    /// Edits a file. `blob` holds the contents to set; `None` are those of the command line.
    /// Of our own edits, the decisions; of others, nothing is known.
    pub fn apply(&self, target: &Path, blob: Option<&Path>) -> Result<Option<Vec<Decision>>, Error> {
        match &self.kind {
            Kind::Own { own, args, file } => {
                let mut line = vec![OsString::from("elfgraft")];
                // In names of other files `{}` stands for the name of the module.
                line.extend(args.iter().map(|arg| substitute(arg, "{}", file.as_os_str())));
                line.push(target.into());
                if let Some(blob) = blob {
                    line.iter_mut().for_each(|arg| with_contents(arg, blob));
                }
                (own.run)(line).map(Some)
            }
            Kind::Shell { command, .. } => shell(command, target, blob).map(|()| None),
        }
    }

    /// Undoes an edit that only added sections.
    pub fn undo(&self, target: &Path, added: &[Vec<u8>]) -> Result<bool, Error> {
        match &self.kind {
            Kind::Own { own, .. } => {
                let mut line: Vec<OsString> = ["elfgraft", "remove"].map(OsString::from).to_vec();
                let mut names = added.iter().map(|name| literal(name));
                line.extend(names.next());
                line.push(target.into());
                line.extend(names.flat_map(|name| [OsString::from("--section"), name]));
                (own.run)(line).map(|_| true)
            }
            Kind::Shell { inverse: Some(inverse), .. } => shell(inverse, target, None).map(|()| true),
            Kind::Shell { inverse: None, .. } => Ok(false),
        }
    }

    /// Files with contents that the edit sets: the first is the one a detour replaces.
    pub fn contents(&self) -> Option<PathBuf> {
        match &self.kind {
            Kind::Own { args, .. } => args.iter().find_map(|arg| contents_of(arg)),
            Kind::Shell { .. } => None,
        }
    }

    /// Whether contents for a detour can be put in place of those of the command line.
    pub fn takes_contents(&self) -> bool {
        match &self.kind {
            Kind::Own { .. } => self.contents().is_some(),
            Kind::Shell { command, .. } => command.contains("{blob}"),
        }
    }

    /// Contents that the user gave for the detour.
    pub fn other(&self) -> Option<&Path> {
        self.other
    }

    /// The section that a foreign command sets.
    pub fn section(&self) -> Option<&[u8]> {
        match &self.kind {
            Kind::Own { .. } => None,
            Kind::Shell { section, .. } => Some(section.as_bytes()),
        }
    }
}

impl fmt::Display for Tool<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::Own { args, .. } => {
                let words: Vec<_> = args.iter().map(|a| a.to_string_lossy()).collect();
                write!(f, "elfgraft {}", words.join(" "))
            }
            Kind::Shell { command, .. } => f.write_str(command),
        }
    }
}

fn substitute(text: &OsStr, from: &str, to: &OsStr) -> OsString {
    let (text, from) = (text.as_bytes(), from.as_bytes());
    match text.windows(from.len()).position(|w| w == from) {
        Some(at) => {
            let (before, behind) = text.split_at(at);
            OsString::from_vec([before, to.as_bytes(), behind.get(from.len()..).unwrap_or_default()].concat())
        }
        None => OsStr::from_bytes(text).to_owned(),
    }
}

/// FILE of an argument that ends in `NAME=FILE` with an existing file: contents of a section.
fn contents_of(arg: &OsStr) -> Option<PathBuf> {
    let at = arg.as_bytes().iter().rposition(|&b| b == b'=')?;
    let path = PathBuf::from(OsStr::from_bytes(arg.as_bytes().get(at + 1..)?));
    fs::metadata(&path).is_ok_and(|m| m.is_file()).then_some(path)
}

fn with_contents(arg: &mut OsString, blob: &Path) {
    if contents_of(arg).is_some() {
        let at = arg.as_bytes().iter().rposition(|&b| b == b'=').unwrap_or_default();
        let name = arg.as_bytes().get(..=at).unwrap_or_default();
        *arg = OsString::from_vec([name, blob.as_os_str().as_bytes()].concat());
    }
}

/// A name as a pattern that matches only itself.
fn literal(name: &[u8]) -> OsString {
    let special = |b: &u8| matches!(b, b'*' | b'?' | b'[' | b'\\' | b'!');
    let escaped = name.iter().flat_map(|b| special(b).then_some(b'\\').into_iter().chain([*b]));
    OsString::from_vec(escaped.collect())
}

fn shell(command: &str, file: &Path, blob: Option<&Path>) -> Result<(), Error> {
    let mut line = substitute_quoted(command, "{file}", file);
    if let Some(blob) = blob {
        line = substitute_quoted(&line, "{blob}", blob);
    }
    let status = Command::new("sh").arg("-c").arg(&line).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(Error::Usage(format!("'{line}': {status}"))),
        Err(e) => Err(Error::Usage(format!("cannot run sh: {e}"))),
    }
}

/// Paths are ours, made of plain letters, but for the temporary directory: quote it.
fn substitute_quoted(command: &str, from: &str, path: &Path) -> String {
    command.replace(from, &format!("'{}'", path.to_string_lossy().replace('\'', r"'\''")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn braces_stand_for_the_file() {
        assert_eq!(substitute(OsStr::new("x/{}.BTF"), "{}", OsStr::new("a.ko")), "x/a.ko.BTF");
        assert_eq!(substitute(OsStr::new("plain"), "{}", OsStr::new("a.ko")), "plain");
    }

    #[test]
    fn contents_are_found_behind_the_last_equals_sign() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let arg = OsString::from(format!("--update-section=.BTF={}", file.path().display()));
        assert_eq!(contents_of(&arg).as_deref(), Some(file.path()));
        assert_eq!(contents_of(OsStr::new(".BTF=/nowhere/at/all")), None);
        let mut new = arg;
        with_contents(&mut new, Path::new("/tmp/b"));
        assert_eq!(new, "--update-section=.BTF=/tmp/b");
    }

    #[test]
    fn a_name_as_a_pattern_matches_itself_only() {
        assert_eq!(literal(b".a*[b]"), r".a\*\[b]");
    }
}
