//! The kernel's tool beside ours, or what it has once said.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};

use crate::util::{Dir, personality, same};

/// What a run left: exit status, standard output, standard error, files that were not there before.
#[derive(Debug, PartialEq, Eq)]
pub struct Done {
    pub status: i32,
    pub out: String,
    pub err: String,
    pub files: Vec<(String, Vec<u8>)>,
}

/// The kernel's tool, if there is one to compare with.
pub fn tool() -> Option<PathBuf> {
    let tool = std::env::var_os("RESOLVE_BTFIDS").map(PathBuf::from);
    if tool.is_none() {
        eprintln!("skipped: RESOLVE_BTFIDS does not name the kernel's tool");
    }
    tool
}

/// Ours, by the name it stands for.
pub fn ours() -> PathBuf {
    personality("elfgraft-resolve_btfids")
}

/// Runs a tool in a fresh directory with these files; panics if it changes one of them.
pub fn run<A: AsRef<OsStr>>(tool: &Path, files: &[(&str, &[u8])], args: &[A]) -> Done {
    let dir = Dir::new();
    for (name, bytes) in files {
        dir.write(name, bytes);
    }
    let args: Vec<OsString> = args.iter().map(|arg| arg.as_ref().to_owned()).collect();
    let run = dir.cmd(tool, &args).run();
    for (name, bytes) in files {
        same(&dir.read(name), bytes, name);
    }
    let new = dir.names().into_iter().filter(|name| files.iter().all(|(old, _)| old != name));
    Done {
        status: run.code().expect("not killed by a signal"),
        out: run.text(),
        err: run.stderr(),
        files: new.map(|name| (name.clone(), dir.read(&name))).collect(),
    }
}

impl Done {
    /// Reads what was stored of a run.
    pub fn load(dir: &Path) -> Done {
        let text = |name: &str| fs::read_to_string(dir.join(name)).unwrap_or_default();
        let mut files = Vec::new();
        for entry in fs::read_dir(dir).unwrap_or_else(|e| panic!("{}: {e}", dir.display())) {
            let entry = entry.unwrap();
            if let Some(name) = entry.file_name().to_str().unwrap().strip_prefix("expected.") {
                files.push((name.to_string(), fs::read(entry.path()).unwrap()));
            }
        }
        files.sort();
        Done { status: text("rc").trim().parse().unwrap(), out: text("stdout"), err: text("stderr"), files }
    }

    /// Stores a run.
    pub fn store(&self, dir: &Path) {
        let _ = fs::remove_dir_all(dir);
        fs::create_dir_all(dir).unwrap();
        let status = format!("{}\n", self.status);
        for (name, text) in [("rc", &status), ("stdout", &self.out), ("stderr", &self.err)] {
            if !text.is_empty() {
                fs::write(dir.join(name), text).unwrap();
            }
        }
        for (name, bytes) in &self.files {
            fs::write(dir.join(format!("expected.{name}")), bytes).unwrap();
        }
    }

    /// Panics with what is different.
    #[track_caller]
    pub fn assert_is(&self, other: &Done, what: &str) {
        assert_eq!((self.status, &self.out, &self.err), (other.status, &other.out, &other.err), "{what}");
        let names = |done: &Done| done.files.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
        assert_eq!(names(self), names(other), "{what}");
        for ((name, ours), (_, theirs)) in self.files.iter().zip(&other.files) {
            same(ours, theirs, &format!("{what}: {name}"));
        }
    }
}
