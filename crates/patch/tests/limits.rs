//! What the system refuses: permissions, file size, and the umask. These need a process of their
//! own, without root's powers or with other limits.

// clippy.toml allows it in tests, but not in what they call.
#![allow(clippy::unwrap_used)]

use std::env;
use std::fs::{self, File, Permissions};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use elfgraft_patch::{Builder, Input, Kind, Options, Patch, WriteOptions, commit, replace, write_file};
use tempfile::TempDir;

const PLAIN: Options = Options { in_place: false, fsync: false, preserve_times: false };
const IN_PLACE: Options = Options { in_place: true, ..PLAIN };
const CHILD: &str = "ELFGRAFT_TEST_CHILD";
const NOBODY: u32 = 65534;

/// This program, for a user who may not enter the directory it is in (root's home is often closed): the file is open,
/// and unlike the first descriptor its duplicate stays open in what is run.
fn this_program() -> String {
    static OPEN: OnceLock<OwnedFd> = OnceLock::new();
    let open = || rustix::io::dup(File::open(env::current_exe().unwrap()).unwrap()).unwrap();
    format!("/proc/self/fd/{}", OPEN.get_or_init(open).as_raw_fd())
}

/// Runs this file's test `name` again in a child process, after the shell command `setup` and as
/// an ordinary user. True in that child: go on and test.
fn in_child(name: &str, setup: &str) -> bool {
    if env::var_os(CHILD).is_some() {
        return true;
    }
    let mut child = Command::new("sh");
    child.args(["-c", &format!("{setup}; exec \"$0\" \"$@\"")]).arg(this_program());
    child.args(["--exact", name, "--nocapture"]).env(CHILD, "1");
    if rustix::process::geteuid().is_root() {
        child.uid(NOBODY).gid(NOBODY);
    }
    let output = child.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
    // A name that matches no test succeeds, too.
    assert!(text.contains("1 passed"), "{text}");
    false
}

fn dir_with(contents: &[u8]) -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("in");
    fs::write(&path, contents).unwrap();
    (dir, path)
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Changes the first byte, and the length.
fn patch(len: u64, new_len: u64) -> Patch<'static> {
    let mut builder = Builder::new(len);
    builder.copy(0, 0, len.min(new_len), "").zero(len, new_len.saturating_sub(len), "");
    builder.overlay(0, &b"!"[..], "");
    builder.finish(new_len).unwrap()
}

#[test]
fn a_directory_that_may_not_be_written_to() {
    if !in_child("a_directory_that_may_not_be_written_to", "true") {
        return;
    }
    let (dir, path) = dir_with(b"contents");
    let name = dir.path().display();
    set_mode(dir.path(), 0o555);
    let text = |target: &Path, options: &Options| {
        let input = Input::open(&path).unwrap();
        commit(&patch(8, 8), &input, target, options).unwrap_err().to_string()
    };
    assert_eq!(
        text(&path, &PLAIN),
        format!("'{name}/in': cannot create a temporary file beside it: Permission denied (os error 13)")
    );
    assert_eq!(
        text(&dir.path().join("out"), &PLAIN),
        format!("'{name}/out': cannot create: Permission denied (os error 13)")
    );
    assert_eq!(
        text(&path, &IN_PLACE),
        format!("'{name}/.in.elfgraft-undo': cannot create the undo file: Permission denied (os error 13)")
    );
    assert_eq!(fs::read(&path).unwrap(), b"contents");
    assert_eq!(names(dir.path()), ["in"]);
    set_mode(dir.path(), 0o755);
}

#[test]
fn a_file_that_may_not_be_written_to() {
    if !in_child("a_file_that_may_not_be_written_to", "true") {
        return;
    }
    let (dir, path) = dir_with(b"contents");
    let name = dir.path().display();
    set_mode(&path, 0o444);
    let input = Input::open(&path).unwrap();
    let text = commit(&patch(8, 8), &input, &path, &IN_PLACE).unwrap_err().to_string();
    assert_eq!(text, format!("'{name}/in': cannot open for writing: Permission denied (os error 13)"));
    // Replacing it needs only the directory.
    assert_eq!(replace(&patch(8, 8), &input, &path, &PLAIN).unwrap().kind, Kind::Replaced);
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o444);

    set_mode(&path, 0o000);
    let text = Input::open(&path).unwrap_err().to_string();
    assert_eq!(text, format!("'{name}/in': cannot open: Permission denied (os error 13)"));
}

#[test]
fn the_umask_counts_for_new_files_only() {
    if !in_child("the_umask_counts_for_new_files_only", "umask 027") {
        return;
    }
    let (dir, path) = dir_with(b"contents");
    set_mode(&path, 0o4777);
    let out = dir.path().join("out");
    let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o7777;
    let input = Input::open(&path).unwrap();
    replace(&patch(8, 8), &input, &out, &PLAIN).unwrap();
    assert_eq!(mode(&out), 0o750);
    replace(&patch(8, 8), &input, &path, &PLAIN).unwrap();
    assert_eq!(mode(&path), 0o4777);
    write_file(&dir.path().join("whole"), b"", &WriteOptions::default()).unwrap();
    assert_eq!(mode(&dir.path().join("whole")), 0o640);
    let stdin = Input::from_reader("-", &b"contents"[..]).unwrap();
    replace(&patch(8, 8), &stdin, &dir.path().join("from stdin"), &PLAIN).unwrap();
    assert_eq!(mode(&dir.path().join("from stdin")), 0o640);
}

#[test]
fn a_file_that_gets_too_large() {
    // Units of 512 bytes; without the trap the signal would kill.
    if !in_child("a_file_that_gets_too_large", "trap '' XFSZ; ulimit -f 2000") {
        return;
    }
    let (dir, path) = dir_with(b"contents");
    let name = dir.path().display();
    let out = dir.path().join("out");
    for (target, options) in [(&out, &PLAIN), (&path, &PLAIN), (&path, &IN_PLACE)] {
        let input = Input::open(&path).unwrap();
        let error = commit(&patch(8, 2_000_000), &input, target, options).unwrap_err();
        let target = target.file_name().unwrap().to_str().unwrap();
        assert_eq!(error.to_string(), format!("'{name}/{target}': cannot write: File too large (os error 27)"));
        assert_eq!(fs::read(&path).unwrap(), b"contents");
        assert_eq!(names(dir.path()), ["in"]);
    }
}

#[test]
fn owner_and_special_bits_stay_together() {
    // Needs root to make a file of another user; as an ordinary user there is nothing to test.
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let (dir, path) = dir_with(b"contents");
    chown(&path, Some(NOBODY), Some(NOBODY)).unwrap();
    set_mode(&path, 0o6755);
    replace(&patch(8, 8), &Input::open(&path).unwrap(), &path, &PLAIN).unwrap();
    let metadata = fs::metadata(&path).unwrap();
    assert_eq!((metadata.uid(), metadata.gid(), metadata.mode() & 0o7777), (NOBODY, NOBODY, 0o6755));

    // A file of root, replaced by somebody who cannot keep the owner.
    chown(&path, Some(0), Some(0)).unwrap();
    set_mode(&path, 0o6755);
    set_mode(dir.path(), 0o777);
    let status = Command::new(this_program())
        .args(["--exact", "replaces_a_file_of_somebody_else"])
        .env("ELFGRAFT_TEST_FILE", &path)
        .uid(NOBODY)
        .gid(NOBODY)
        .status()
        .unwrap();
    assert!(status.success());
    let metadata = fs::metadata(&path).unwrap();
    assert_eq!((metadata.uid(), metadata.gid(), metadata.mode() & 0o7777), (NOBODY, NOBODY, 0o755));
}

/// Not a test, but the other user of the one above.
#[test]
fn replaces_a_file_of_somebody_else() {
    let Some(path) = env::var_os("ELFGRAFT_TEST_FILE") else { return };
    let path = Path::new(&path);
    replace(&patch(8, 8), &Input::open(path).unwrap(), path, &PLAIN).unwrap();
}

/// As root, a failure of this test would replace the machine's devices.
#[test]
fn devices_are_written_into() {
    if !in_child("devices_are_written_into", "true") {
        return;
    }
    let (_dir, path) = dir_with(b"contents");
    let input = Input::open(&path).unwrap();
    let null = Path::new("/dev/null");
    assert_eq!(replace(&patch(8, 8), &input, null, &PLAIN).unwrap().kind, Kind::Streamed);
    assert_eq!(write_file(null, b"two", &WriteOptions::default()).unwrap().kind, Kind::Streamed);
    assert!(fs::metadata(null).unwrap().file_type().is_char_device());
    let text = replace(&patch(8, 8), &input, Path::new("/dev/full"), &PLAIN).unwrap_err().to_string();
    assert_eq!(text, "'/dev/full': cannot write: No space left on device (os error 28)");
}

#[test]
fn memory_does_not_follow_sizes() {
    // In KiB, mappings of files not counted: half of the blob.
    if !in_child("memory_does_not_follow_sizes", "ulimit -d 32768") {
        return;
    }
    let (dir, path) = dir_with(b"contents");
    let len = 64 << 20;
    let blob = dir.path().join("blob");
    File::create(&blob).unwrap().set_len(len).unwrap();
    let blob = Input::open(&blob).unwrap();
    let mut builder = Builder::new(8);
    builder.copy(0, 0, 8, "").write(8, blob.bytes(), "").zero(8 + len, len, "").overlay(100, &b"field"[..], "");
    let patch = builder.finish(8 + 2 * len).unwrap().normalize(b"contents");
    let input = Input::open(&path).unwrap();
    for (target, options, kind) in [
        (Path::new("/dev/null"), PLAIN, Kind::Streamed),
        (&dir.path().join("out"), PLAIN, Kind::Replaced),
        (&path, IN_PLACE, Kind::InPlace),
    ] {
        assert_eq!(commit(&patch, &input, target, &options).unwrap().kind, kind);
    }
    assert_eq!(fs::metadata(&path).unwrap().len(), 8 + 2 * len);
}
