//! Errors and warnings as people see them, and the exit status: 0 done (also when nothing had to change), 1 failed.

use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::error::ErrorKind;
use elfgraft_edit::EditError;
use elfgraft_elf::ElfError;
use elfgraft_patch::{IoError, shown};

use crate::progress;

/// The exit status of `diff` when it cannot tell: 1 means that the files differ.
pub const TROUBLE: u8 = 2;

/// Why the command failed.
#[derive(Debug)]
pub enum Error {
    /// The command line makes no sense.
    Usage(String),
    /// clap has the answer: an error, or the help text that was asked for.
    Clap(Box<clap::Error>),
    /// A file could not be opened, read or written; the message names it.
    Io(IoError),
    /// A file cannot be edited as asked.
    Edit(PathBuf, EditError),
    /// Something about a file.
    File(PathBuf, String),
    /// Standard output is gone.
    Stdout(io::Error),
    /// As another error, but for `diff`, where 1 means that files differ: exit status 2.
    Trouble(Box<Error>),
    /// Failures that have been reported already, each with its file.
    Reported,
    /// Likewise, in the words of the tool that this one stands for; the exit status is that tool's.
    Status(u8),
}

impl Error {
    /// Something about a file.
    pub fn file(path: &Path, text: impl Into<String>) -> Error {
        Error::File(path.to_owned(), text.into())
    }

    /// For commands whose exit status 1 means something else: trouble, unless help was asked for.
    pub fn or_trouble(self) -> Error {
        match self {
            Error::Reported => self,
            Error::Clap(e) if !e.use_stderr() => Error::Clap(e),
            other => Error::Trouble(Box::new(other)),
        }
    }

    /// The same about another file, if it is about `from`.
    pub fn about(self, from: &Path, to: &Path) -> Error {
        match self {
            Error::Edit(path, e) if path == from => Error::Edit(to.to_owned(), e),
            Error::File(path, text) if path == from => Error::File(to.to_owned(), text),
            other => other,
        }
    }

    /// For `map_err`: why bytes of an input did not get to standard output.
    pub fn stdout(e: io::Error) -> Error {
        IoError::of_mapping(&e).map_or(Error::Stdout(e), Error::Io)
    }

    /// For `map_err`: a refusal of the editor, with the file it concerns.
    pub fn edit<E: Into<EditError>>(path: &Path) -> impl FnOnce(E) -> Error + '_ {
        move |e| Error::Edit(path.to_owned(), e.into())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Usage(text) => f.write_str(text),
            Error::Clap(e) => f.write_str(&clap_message(e)),
            Error::Io(e) => e.fmt(f),
            Error::Edit(path, e) => write!(f, "'{}': {e}", shown(&path)),
            Error::File(path, text) => write!(f, "'{}': {text}", shown(&path)),
            Error::Stdout(e) => write!(f, "cannot write to standard output: {e}"),
            Error::Trouble(e) => e.fmt(f),
            Error::Reported | Error::Status(_) => Ok(()),
        }
    }
}

impl From<IoError> for Error {
    fn from(e: IoError) -> Self {
        Error::Io(e)
    }
}

impl From<clap::Error> for Error {
    fn from(e: clap::Error) -> Self {
        Error::Clap(Box::new(e))
    }
}

impl From<(PathBuf, ElfError)> for Error {
    fn from((path, e): (PathBuf, ElfError)) -> Self {
        Error::Edit(path, e.into())
    }
}

/// The first line of clap's message, in our form: it names the option.
fn clap_message(e: &clap::Error) -> String {
    if e.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        return "a command is missing; --help lists them".into();
    }
    let text = e.to_string();
    let first = text.lines().next().unwrap_or_default();
    let first = first.strip_prefix("error: ").unwrap_or(first);
    let missing: Vec<_> = text.lines().skip(1).take_while(|l| l.starts_with("  ")).map(str::trim).collect();
    shown(format!("{first} {}", missing.join(" ")).trim_end()).to_string()
}

/// Prints `elfgraft: error: ...`.
pub fn error(e: &Error) {
    if !matches!(e, Error::Reported | Error::Status(_)) {
        progress::clear();
        // A closed standard error leaves only the exit status to tell.
        let _ = writeln!(io::stderr().lock(), "elfgraft: error: {e}");
    }
}

/// Whether warnings, notes and output are kept back: `verify` tries edits that people did not ask for.
static QUIET: AtomicBool = AtomicBool::new(false);

/// Keeps warnings, notes and output back, or no longer.
pub fn quiet(quiet: bool) {
    QUIET.store(quiet, Ordering::Relaxed);
}

/// Prints `elfgraft: warning: 'file': ...`.
pub fn warning(path: &Path, text: &str) {
    if QUIET.load(Ordering::Relaxed) {
        return;
    }
    progress::clear();
    let _ = writeln!(io::stderr().lock(), "elfgraft: warning: '{}': {text}", shown(&path));
}

/// Prints `elfgraft: 'file': ...`, for `-v`.
pub fn note(path: &Path, text: &str) {
    if QUIET.load(Ordering::Relaxed) {
        return;
    }
    progress::clear();
    let _ = writeln!(io::stderr().lock(), "elfgraft: '{}': {text}", shown(&path));
}

/// Writes to standard output. A reader that went away (`| head`) is no failure.
pub fn print(text: &str) -> Result<(), Error> {
    print_with(|out| out.write_all(text.as_bytes()))
}

/// Writes to standard output what may be too long to be held as a whole.
pub fn print_with(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), Error> {
    if QUIET.load(Ordering::Relaxed) {
        return Ok(());
    }
    progress::clear();
    let mut out = io::BufWriter::with_capacity(1 << 16, io::stdout().lock());
    match write(&mut out).and_then(|()| out.flush()) {
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => Err(Error::Stdout(e)),
        _ => Ok(()),
    }
}

/// A number with what is counted: "1 level", "2 levels".
pub fn count(number: impl Into<u64>, what: &str) -> String {
    let number = number.into();
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {what}{plural}")
}

/// Colour goes to people only: a terminal, and NO_COLOR not set.
pub fn colour() -> bool {
    io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty())
}

/// The one place where the exit status is decided.
pub fn exit_code(result: Result<(), Error>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(Error::Clap(e)) if !e.use_stderr() => exit_code(print(&e.to_string())),
        Err(e @ Error::Trouble(_)) => {
            error(&e);
            ExitCode::from(TROUBLE)
        }
        Err(Error::Status(status)) => ExitCode::from(status),
        Err(e) => {
            error(&e);
            ExitCode::FAILURE
        }
    }
}
