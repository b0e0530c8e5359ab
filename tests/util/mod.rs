//! Runs the real command, each test in a fresh directory, and shows arguments, output and listing when it fails.

// Every test file is a crate of its own and uses a part of this.
#![allow(dead_code)]

pub mod docs;
pub mod faults;

use std::ffi::{OsStr, OsString};
use std::fs::{self, Metadata};
use std::io::Write;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use elfgraft_testkit::read::ReadElf;
use tempfile::TempDir;

/// The command under test.
pub const ELFGRAFT: &str = env!("CARGO_BIN_EXE_elfgraft");

/// An ordinary user.
pub const NOBODY: u32 = 65534;

/// A fresh directory, removed when the test ends.
pub struct Dir(TempDir);

impl Dir {
    /// Empty.
    pub fn new() -> Dir {
        Dir(tempfile::tempdir().unwrap())
    }

    /// With copies of these files of testdata/.
    pub fn with(fixtures: &[&str]) -> Dir {
        let dir = Dir::new();
        fixtures.iter().for_each(|name| dir.write(name, fixture(name)));
        dir
    }

    /// The directory itself.
    pub fn root(&self) -> &Path {
        self.0.path()
    }

    /// A file in it.
    pub fn path(&self, name: impl AsRef<OsStr>) -> PathBuf {
        self.root().join(name.as_ref())
    }

    /// Makes or overwrites a file.
    pub fn write(&self, name: impl AsRef<OsStr>, bytes: impl AsRef<[u8]>) {
        fs::write(self.path(name), bytes).unwrap();
    }

    /// The contents of a file.
    #[track_caller]
    pub fn read(&self, name: impl AsRef<OsStr>) -> Vec<u8> {
        let path = self.path(name);
        fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}; there are {:?}", path.display(), self.names()))
    }

    /// A file, read as ELF by the test kit's own reader.
    #[track_caller]
    pub fn elf(&self, name: impl AsRef<OsStr>) -> ReadElf {
        ReadElf::parse(&self.read(name))
    }

    /// What the system says of a file, links not followed.
    #[track_caller]
    pub fn metadata(&self, name: &str) -> Metadata {
        fs::symlink_metadata(self.path(name)).unwrap()
    }

    /// Permission bits.
    #[track_caller]
    pub fn mode(&self, name: &str) -> u32 {
        self.metadata(name).mode() & 0o7777
    }

    /// Sets permission bits.
    pub fn chmod(&self, name: &str, mode: u32) {
        fs::set_permissions(self.path(name), PermissionsExt::from_mode(mode)).unwrap();
    }

    /// Makes a symbolic link.
    pub fn symlink(&self, target: &str, name: &str) {
        symlink(target, self.path(name)).unwrap();
    }

    /// All names, hidden ones too, sorted.
    pub fn names(&self) -> Vec<String> {
        let name = |entry: std::io::Result<fs::DirEntry>| entry.unwrap().file_name().display().to_string();
        let mut names: Vec<String> = fs::read_dir(self.root()).unwrap().map(name).collect();
        names.sort();
        names
    }

    /// Inode, size, mode and all times: equal only if nobody wrote to the file or its header.
    pub fn stamp(&self, name: &str) -> impl PartialEq + std::fmt::Debug + use<> {
        let m = self.metadata(name);
        (m.ino(), m.len(), m.mode(), m.nlink(), (m.mtime(), m.mtime_nsec()), (m.ctime(), m.ctime_nsec()))
    }

    /// `elfgraft ARGS`.
    pub fn elfgraft<A: AsRef<OsStr>>(&self, args: &[A]) -> Run<'_> {
        self.cmd(ELFGRAFT, args).run()
    }

    /// `elfgraft-objcopy ARGS`.
    pub fn objcopy<A: AsRef<OsStr>>(&self, args: &[A]) -> Run<'_> {
        self.cmd(personality("elfgraft-objcopy"), args).run()
    }

    /// A command to be run here, with more to be said about how.
    pub fn cmd<A: AsRef<OsStr>>(&self, program: impl AsRef<OsStr>, args: &[A]) -> Cmd<'_> {
        let words = std::iter::once(program.as_ref().to_owned());
        let words = words.chain(args.iter().map(|a| a.as_ref().to_owned())).collect();
        Cmd { dir: self, words, stdin: None, user: None, env: Vec::new() }
    }
}

/// The path of a link to the command under another name.
pub fn personality(name: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("names");
    fs::create_dir_all(&dir).unwrap();
    let link = dir.join(name);
    // Another test may have made it; a target directory that was moved here has links to where it came from.
    if fs::read_link(&link).ok().as_deref() != Some(Path::new(ELFGRAFT)) {
        let new = dir.join(format!("{name}.{}.{:?}", std::process::id(), std::thread::current().id()));
        let _ = fs::remove_file(&new);
        symlink(ELFGRAFT, &new).unwrap();
        fs::rename(&new, &link).unwrap();
    }
    link
}

/// A file of testdata/.
pub fn fixture(name: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(name)).unwrap()
}

/// A command line, before it runs.
pub struct Cmd<'d> {
    dir: &'d Dir,
    words: Vec<OsString>,
    stdin: Option<Vec<u8>>,
    user: Option<u32>,
    env: Vec<(&'static str, OsString)>,
}

impl<'d> Cmd<'d> {
    /// What comes through standard input.
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = Some(bytes.into());
        self
    }

    /// Runs as another user; needs root. Ours is called through a file that is open, since that user may not be allowed
    /// to enter the directory it is in: root's home is often closed.
    pub fn user(mut self, uid: u32) -> Self {
        static OPEN: OnceLock<OwnedFd> = OnceLock::new();
        // Unlike the file, its duplicate stays open in what is run.
        let open = || rustix::io::dup(fs::File::open(ELFGRAFT).unwrap()).unwrap();
        let path = format!("/proc/self/fd/{}", OPEN.get_or_init(open).as_raw_fd());
        self.words.iter_mut().filter(|word| *word == ELFGRAFT).for_each(|word| *word = path.clone().into());
        self.user = Some(uid);
        self
    }

    /// Sets a variable.
    pub fn env(mut self, name: &'static str, value: impl Into<OsString>) -> Self {
        self.env.push((name, value.into()));
        self
    }

    /// Runs through another program, as `strace` or `env` do.
    pub fn through<A: AsRef<OsStr>>(mut self, wrapper: &[A]) -> Self {
        let wrapper: Vec<OsString> = wrapper.iter().map(|a| a.as_ref().to_owned()).collect();
        self.words.splice(0..0, wrapper);
        self
    }

    /// Runs after a line of shell, which may set limits or mount something.
    pub fn after(self, line: &str) -> Self {
        self.through(&["sh", "-ec", &format!("{line}\nexec \"$@\""), "sh"])
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.words[0]);
        command.args(&self.words[1..]).current_dir(self.dir.root());
        // cargo's LD_LIBRARY_PATH is for the tests themselves.
        command
            .env_remove("MAKEFLAGS")
            .env_remove("LD_LIBRARY_PATH")
            .env("LC_ALL", "C")
            .envs(self.env.iter().map(|(k, v)| (k, v)));
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command.stdin(if self.stdin.is_some() { Stdio::piped() } else { Stdio::null() });
        if let Some(uid) = self.user {
            command.uid(uid).gid(uid);
        }
        command
    }

    /// Starts it, for tests that look at it while it runs.
    pub fn spawn(&self) -> std::process::Child {
        self.command().spawn().unwrap_or_else(|e| panic!("{:?}: {e}", self.words))
    }

    /// Runs it to its end.
    pub fn run(self) -> Run<'d> {
        let mut child = self.spawn();
        if let (Some(bytes), Some(mut stdin)) = (&self.stdin, child.stdin.take()) {
            let bytes = bytes.clone();
            // A command that does not read its input is no failure of the test.
            std::thread::spawn(move || drop(stdin.write_all(&bytes)));
        }
        let output = child.wait_with_output().unwrap();
        Run { dir: self.dir, words: self.words, output }
    }
}

/// What a command did.
pub struct Run<'d> {
    dir: &'d Dir,
    words: Vec<OsString>,
    output: Output,
}

impl Run<'_> {
    /// Exit status 0.
    #[track_caller]
    pub fn ok(self) -> Self {
        self.check(self.output.status.success(), "exit status 0");
        self
    }

    /// Exit status 0 and nothing printed.
    #[track_caller]
    pub fn quiet(self) -> Self {
        let silent = self.output.stdout.is_empty() && self.output.stderr.is_empty();
        self.check(self.output.status.success() && silent, "exit status 0 and no output");
        self
    }

    /// Exit status 1, nothing on standard output, and one line on standard error that says `elfgraft: error:` and all
    /// these words.
    #[track_caller]
    pub fn fails(self, words: &[&str]) -> Self {
        self.check(self.output.status.code() == Some(1), "exit status 1");
        let text = self.stderr();
        self.check(text.starts_with("elfgraft: error: "), "an error message of ours");
        self.check(text.ends_with('\n') && text.matches('\n').count() == 1, "one line");
        for word in words {
            self.check(text.contains(word), &format!("{word:?} in the message"));
        }
        self.check(self.output.stdout.is_empty(), "nothing on standard output");
        self
    }

    /// These words on standard error, in this order.
    #[track_caller]
    pub fn warns(self, words: &[&str]) -> Self {
        let text = self.stderr();
        let mut rest = text.as_str();
        for word in words {
            let at = rest.find(word);
            self.check(at.is_some(), &format!("{word:?} in the message"));
            rest = &rest[at.unwrap() + word.len()..];
        }
        self
    }

    /// Ended by this signal.
    pub fn killed_by(&self, signal: i32) -> bool {
        // strace and the shell end as what they ran.
        self.output.status.signal() == Some(signal) || self.output.status.code() == Some(128 + signal)
    }

    /// The exit status, if it exited.
    pub fn code(&self) -> Option<i32> {
        self.output.status.code()
    }

    /// Standard output.
    pub fn stdout(&self) -> &[u8] {
        &self.output.stdout
    }

    /// Standard output as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.output.stdout).into_owned()
    }

    /// Standard error.
    pub fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.output.stderr).into_owned()
    }

    /// Panics with everything there is to know, unless `good`.
    #[track_caller]
    pub fn check(&self, good: bool, expected: &str) {
        if good {
            return;
        }
        let stdout = String::from_utf8_lossy(&self.output.stdout[..self.output.stdout.len().min(4000)]);
        let files = self.dir.names().join("\n  ");
        panic!(
            "expected {expected}\ncommand: {:?}\n{}\nstdout: {stdout}\nstderr: {}\nfiles:\n  {files}\n",
            self.words,
            self.output.status,
            self.stderr()
        );
    }
}

/// Panics with the first difference, unless the bytes are equal.
#[track_caller]
pub fn same(a: &[u8], b: &[u8], what: &str) {
    if a == b {
        return;
    }
    let at = a.iter().zip(b).position(|(x, y)| x != y).unwrap_or(a.len().min(b.len()));
    let near = |bytes: &[u8]| bytes[at.saturating_sub(8)..(at + 24).min(bytes.len())].to_vec();
    panic!(
        "{what}: {} and {} bytes, first difference at {at:#x}\n{:02x?}\n{:02x?}",
        a.len(),
        b.len(),
        near(a),
        near(b)
    );
}

/// objcopy refuses what is asked of a file, in these words, and leaves it as it was.
#[track_caller]
pub fn refused(old: &[u8], args: &[&str], words: &[&str]) {
    let dir = Dir::new();
    dir.write("x", old);
    dir.objcopy(&[args, &["x"]].concat()).fails(words);
    same(&dir.read("x"), old, "after a refusal");
}

/// Whether tests run as root.
pub fn is_root() -> bool {
    fs::metadata("/proc/self").unwrap().uid() == 0
}

/// Whether a peer refused a file only because it was built without that file's machine: Debian's binutils know the one
/// that they run on, those of binutils-multiarch all. There is nothing to compare then.
pub fn foreign(stderr: &str) -> bool {
    let unknown_architecture = stderr.contains("architecture ") && stderr.trim_end().ends_with(" unknown");
    let said = stderr.contains("Unable to recognise the format") || stderr.contains("invalid bfd target");
    let said = said || unknown_architecture;
    if said {
        eprintln!("not compared, the peer was built without this machine: {}", stderr.trim_end());
    }
    said
}

/// Whether a program is installed; says so when a test is skipped for want of it.
pub fn installed(program: &str) -> bool {
    let found = std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()).any(|d| d.join(program).exists());
    if !found {
        eprintln!("skipped: {program} is not installed");
    }
    found
}
