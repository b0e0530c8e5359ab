//! The edit to be verified, as something that can be done to any file, with any contents.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use elfgraft_edit::Decision;

use super::detour::{detours, made_up};
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

/// An edit with certain contents.
pub enum Variant {
    /// One of ours: its arguments without program and file.
    Line(Vec<OsString>),
    /// Anybody's: the file that `{blob}` stands for, if it takes one.
    Blob(Option<PathBuf>),
}

/// A detour.
pub struct Way {
    pub what: &'static str,
    pub there: Variant,
    pub back: Option<Variant>,
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

    /// Edits a file. Of our own edits, the decisions; of others, nothing is known.
    pub fn apply(&self, target: &Path, variant: &Variant) -> Result<Option<Vec<Decision>>, Error> {
        match (&self.kind, variant) {
            (Kind::Own { own, .. }, Variant::Line(args)) => {
                let line = [OsString::from("elfgraft")].into_iter().chain(args.iter().cloned());
                (own.run)(line.chain([target.into()]).collect()).map(Some)
            }
            (Kind::Shell { command, .. }, Variant::Blob(blob)) => {
                shell(command, target, blob.as_deref()).map(|()| None)
            }
            _ => Err(Error::Usage("a command line of one tool for another".into())),
        }
    }

    /// The edit as it was asked for. `dir` takes contents that have to be made up.
    pub fn given(&self, dir: &Path) -> Result<Variant, Error> {
        Ok(match &self.kind {
            // In names of other files `{}` stands for the name of the module.
            Kind::Own { args, file, .. } => {
                Variant::Line(args.iter().map(|arg| substitute(arg, "{}", file.as_os_str())).collect())
            }
            Kind::Shell { command, .. } if command.contains("{blob}") => {
                Variant::Blob(Some(blob(dir, "contents", 256, 1)?))
            }
            Kind::Shell { .. } => Variant::Blob(None),
        })
    }

    /// The edit with other contents, what these are, and the way back if it is not the edit as given; what is refused
    /// need not be the last word.
    pub fn detours(&self, given: &Variant, dir: &Path) -> Result<Vec<Way>, Error> {
        let way = |what, there, back| Way { what, there, back };
        match (&self.kind, given) {
            (Kind::Own { file, .. }, Variant::Line(args)) => {
                let detours = detours(args, file, self.other, dir)?.into_iter();
                Ok(detours.map(|d| way(d.what, Variant::Line(d.line), d.back.map(Variant::Line))).collect())
            }
            (Kind::Shell { .. }, Variant::Blob(Some(_))) => Ok(vec![match self.other {
                Some(other) => way("the other contents", Variant::Blob(Some(other.to_owned())), None),
                None => way("longer contents", Variant::Blob(Some(blob(dir, "other", 293, 2)?)), None),
            }]),
            _ => Ok(Vec::new()),
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

/// Contents for a foreign tool.
fn blob(dir: &Path, name: &str, size: u64, salt: u64) -> Result<PathBuf, Error> {
    let path = dir.join(name);
    fs::write(&path, made_up(size, salt)).map_err(|e| Error::file(&path, e.to_string()))?;
    Ok(path)
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
        Ok(status) if status.success() && !file.exists() => Err(Error::Usage(format!("'{line}' leaves no file"))),
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
    fn a_name_as_a_pattern_matches_itself_only() {
        assert_eq!(literal(b".a*[b]"), r".a\*\[b]");
    }
}
