//! What becomes of files: names, links, permissions, times, devices.

// clippy.toml allows it in tests, but not in what they call.
#![allow(clippy::unwrap_used)]

use std::fs::{self, File, FileTimes, Permissions};
use std::io::Read;
use std::os::unix::fs::{FileExt, FileTypeExt, MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use elfgraft_patch::{
    Builder, Input, IoError, Kind, Options, Outcome, Patch, WriteOptions, commit, replace, to_vec, write_file,
};
use tempfile::TempDir;

const OLD: &[u8] = b"the old contents";
const NEW: &[u8] = b"THE old contents, and more";
const PLAIN: Options = Options { in_place: false, fsync: false, preserve_times: false };

fn dir_with_input() -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("in");
    fs::write(&path, OLD).unwrap();
    (dir, path)
}

/// The patch that makes `NEW` from `OLD`.
fn patch() -> Patch<'static> {
    let mut builder = Builder::new(OLD.len() as u64);
    builder.write(0, NEW, "all");
    builder.finish(NEW.len() as u64).unwrap().normalize(OLD)
}

fn edit(input: &Path, target: &Path) -> Result<Outcome, IoError> {
    replace(&patch(), &Input::open(input).unwrap(), target, &PLAIN)
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o7777
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

fn long_ago() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000)
}

fn age(path: &Path) {
    let times = FileTimes::new().set_accessed(long_ago()).set_modified(long_ago());
    File::open(path).unwrap().set_times(times).unwrap();
}

fn modified(path: &Path) -> SystemTime {
    fs::metadata(path).unwrap().modified().unwrap()
}

#[test]
fn the_input_itself_is_replaced_with_its_permissions() {
    for (old_mode, fsync) in [(0o600, true), (0o4755, false), (0o2711, false), (0o444, false), (0o1000, false)] {
        let (dir, path) = dir_with_input();
        let input = Input::open(&path).unwrap();
        set_mode(&path, old_mode);
        let outcome = replace(&patch(), &input, &path, &Options { fsync, ..PLAIN }).unwrap();
        assert_eq!((outcome.kind, outcome.hard_links), (Kind::Replaced, 1));
        assert_eq!(outcome.bytes_written, patch().written());
        assert_eq!(mode(&path), old_mode, "{old_mode:o}");
        set_mode(&path, 0o600);
        assert_eq!(fs::read(&path).unwrap(), NEW);
        assert_ne!(fs::metadata(&path).unwrap().ino(), input.metadata().unwrap().ino());
        assert_eq!(names(dir.path()), ["in"]);
    }
}

#[test]
fn a_new_output_has_the_inputs_permissions_without_special_bits() {
    let (dir, path) = dir_with_input();
    let out = dir.path().join("out");
    // Bits that no umask takes away.
    for (input_mode, output_mode) in [(0o6700, 0o700), (0o400, 0o400), (0o600, 0o600)] {
        set_mode(&path, input_mode);
        let outcome = edit(&path, &out).unwrap();
        assert_eq!((outcome.kind, outcome.hard_links), (Kind::Replaced, 0));
        assert_eq!(mode(&out), output_mode);
        assert_eq!(fs::read(&out).unwrap(), NEW);
        assert_eq!(fs::read(&path).unwrap(), OLD);
        fs::remove_file(&out).unwrap();
    }
}

#[test]
fn an_existing_output_keeps_its_own_permissions() {
    let (dir, path) = dir_with_input();
    let out = dir.path().join("out");
    fs::write(&out, "something").unwrap();
    set_mode(&out, 0o4701);
    edit(&path, &out).unwrap();
    assert_eq!(mode(&out), 0o4701);
    assert_eq!(fs::read(&out).unwrap(), NEW);
}

#[test]
fn links_stay_and_what_they_lead_to_is_replaced() {
    let (dir, path) = dir_with_input();
    let sub = dir.path().join("sub");
    fs::create_dir(&sub).unwrap();
    let link = sub.join("link");
    symlink("../in", &link).unwrap();
    edit(&link, &link).unwrap();
    assert!(link.is_symlink());
    assert_eq!(fs::read(&path).unwrap(), NEW);

    fs::write(&path, OLD).unwrap();
    let dangling = sub.join("dangling");
    symlink("../made", &dangling).unwrap();
    edit(&path, &dangling).unwrap();
    assert!(dangling.is_symlink());
    assert_eq!(fs::read(dir.path().join("made")).unwrap(), NEW);

    let circle = sub.join("circle");
    symlink("circle", &circle).unwrap();
    let text = edit(&path, &circle).unwrap_err().to_string();
    assert!(text.contains("circle': cannot look at it: Too many levels of symbolic links"), "{text}");
    assert_eq!(names(dir.path()), ["in", "made", "sub"]);
    assert_eq!(names(&sub), ["circle", "dangling", "link"]);
}

#[test]
fn hard_links_are_split_and_told() {
    let (dir, path) = dir_with_input();
    let other = dir.path().join("other");
    fs::hard_link(&path, &other).unwrap();
    let outcome = edit(&path, &other).unwrap();
    assert_eq!((outcome.kind, outcome.hard_links), (Kind::Replaced, 2));
    assert_eq!(fs::read(&other).unwrap(), NEW);
    assert_eq!(fs::read(&path).unwrap(), OLD, "the input of IN OUT is never written to");
}

#[test]
fn nothing_to_change_only_moves_the_time() {
    let (dir, path) = dir_with_input();
    let other = dir.path().join("other");
    fs::hard_link(&path, &other).unwrap();
    let identity = Patch::identity(OLD.len() as u64);
    for in_place in [false, true] {
        for (preserve_times, target) in [(true, &path), (false, &path), (false, &other)] {
            age(&path);
            let input = Input::open(&path).unwrap();
            let options = Options { in_place, preserve_times, ..PLAIN };
            let outcome = commit(&identity, &input, target, &options).unwrap();
            assert_eq!((outcome.kind, outcome.bytes_written), (Kind::Unchanged, 0));
            assert_eq!(outcome.in_place_refused, None);
            assert_eq!(modified(&path) == long_ago(), preserve_times);
            assert_eq!(fs::metadata(&path).unwrap().nlink(), 2);
        }
    }
    // To another file it is a copy.
    let out = dir.path().join("out");
    fs::write(&out, "something").unwrap();
    let outcome = replace(&identity, &Input::open(&path).unwrap(), &out, &PLAIN).unwrap();
    assert_eq!(outcome.kind, Kind::Replaced);
    assert_eq!(fs::read(&out).unwrap(), OLD);
}

#[test]
fn times_are_kept_on_request() {
    let (dir, path) = dir_with_input();
    for target in [dir.path().join("out"), path.clone()] {
        age(&path);
        let options = Options { preserve_times: true, ..PLAIN };
        replace(&patch(), &Input::open(&path).unwrap(), &target, &options).unwrap();
        let metadata = fs::metadata(&target).unwrap();
        assert_eq!(metadata.modified().unwrap(), long_ago());
        assert_eq!(metadata.accessed().unwrap(), long_ago());
    }
}

#[test]
fn fifos_and_unnamed_files_are_written_into() {
    let (dir, path) = dir_with_input();
    let fifo = dir.path().join("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| fs::read(&fifo).unwrap());
        assert_eq!(edit(&path, &fifo).unwrap().kind, Kind::Streamed);
        assert_eq!(reader.join().unwrap(), NEW);
    });
    assert!(fs::metadata(&fifo).unwrap().file_type().is_fifo());

    let mut unnamed = tempfile::tempfile().unwrap();
    let name = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&unnamed));
    assert_eq!(edit(&path, Path::new(&name)).unwrap().kind, Kind::Streamed);
    let mut found = Vec::new();
    unnamed.read_to_end(&mut found).unwrap();
    assert_eq!(found, NEW);
    // As input and target at once it would be truncated before it is read.
    unnamed.set_len(0).unwrap();
    unnamed.write_all_at(OLD, 0).unwrap();
    let text = edit(Path::new(&name), Path::new(&name)).unwrap_err().to_string();
    assert!(text.contains("is the input itself without a name to replace"), "{text}");
    assert_eq!(unnamed.metadata().unwrap().len(), OLD.len() as u64);
}

#[test]
fn errors_name_the_file_and_leave_nothing() {
    let (dir, path) = dir_with_input();
    let name = dir.path().display();
    let text = edit(&path, dir.path()).unwrap_err().to_string();
    assert_eq!(text, format!("'{name}': it is a directory, not a regular file"));
    let text = edit(&path, &dir.path().join("no/out")).unwrap_err().to_string();
    assert_eq!(text, format!("'{name}/no/out': cannot create: No such file or directory (os error 2)"));
    let text = edit(&path, &path.join("out")).unwrap_err().to_string();
    assert_eq!(text, format!("'{name}/in/out': cannot look at it: Not a directory (os error 20)"));
    assert_eq!(names(dir.path()), ["in"]);
}

#[test]
fn an_input_that_changed_is_not_used() {
    let (dir, path) = dir_with_input();
    let out = dir.path().join("out");
    for target in [&path, &out] {
        for existing in [false, true] {
            fs::write(&path, OLD).unwrap();
            if existing {
                fs::write(&out, "output of before").unwrap();
            }
            let input = Input::open(&path).unwrap();
            age(&path);
            let error = replace(&patch(), &input, target, &PLAIN).unwrap_err();
            assert!(matches!(error, IoError::Changed { .. }), "{error}");
            assert_eq!(fs::read(&path).unwrap(), OLD);
            assert_eq!(out.exists(), existing);
            let _ = fs::remove_file(&out);
        }
    }
    assert_eq!(names(dir.path()), ["in"]);
}

#[test]
fn a_sparse_file_stays_sparse() {
    const LEN: u64 = 1 << 30;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("in");
    let file = File::create(&path).unwrap();
    file.set_len(LEN).unwrap();
    file.write_all_at(b"start", 0).unwrap();
    file.write_all_at(b"middle", LEN / 2).unwrap();
    let mut builder = Builder::new(LEN);
    builder.copy(0, 0, LEN / 2, "").write(LEN / 2, &b"shift"[..], "").copy(LEN / 2 + 5, LEN / 2, LEN / 2, "");
    builder.zero(LEN + 5, LEN, "zeros");
    let patch = builder.finish(2 * LEN + 5).unwrap();
    let out = dir.path().join("out");
    replace(&patch, &Input::open(&path).unwrap(), &out, &PLAIN).unwrap();
    let found = File::open(&out).unwrap();
    let is_sparse = |metadata: fs::Metadata| metadata.blocks() * 512 < 4 << 20;
    assert_eq!(found.metadata().unwrap().len(), 2 * LEN + 5);
    assert!(is_sparse(found.metadata().unwrap()));
    let at = |at, expected: &[u8]| {
        let mut bytes = vec![0; expected.len()];
        found.read_exact_at(&mut bytes, at).unwrap();
        assert_eq!(bytes, expected);
    };
    at(0, b"start\0\0");
    at(LEN / 2, b"shiftmiddle\0");
    at(2 * LEN, b"\0\0\0\0\0");
    // Also when no zeros are asked for.
    replace(&Patch::identity(LEN), &Input::open(&path).unwrap(), &out, &PLAIN).unwrap();
    assert!(is_sparse(fs::metadata(&out).unwrap()));
}

/// Long and short pieces, moved and unmoved, between file systems and within one.
#[test]
fn all_ways_of_copying_give_the_same_bytes() {
    let bytes: Vec<u8> = (0..3_000_000_u32).map(|i| i.wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect();
    let len = bytes.len() as u64;
    let mut builder = Builder::new(len);
    builder.copy(0, 0, 1_500_000, "unmoved").copy(1_500_000, 1_000_001, 1_000_000, "moved");
    builder.zero(2_500_000, 100_000, "").write(2_600_000, &bytes[..100_000], "").copy(2_700_000, 2_700_000, 9, "");
    for i in 0..2000 {
        builder.overlay(i * 1000, i.to_le_bytes().to_vec(), "");
    }
    let patch = builder.finish(2_700_009).unwrap();
    let expected = to_vec(&patch, &bytes);
    let mut dirs = vec![tempfile::tempdir().unwrap()];
    dirs.extend(tempfile::tempdir_in("/dev/shm"));
    for from in &dirs {
        let path = from.path().join("in");
        fs::write(&path, &bytes).unwrap();
        for to in &dirs {
            let out = to.path().join("out");
            replace(&patch, &Input::open(&path).unwrap(), &out, &PLAIN).unwrap();
            assert!(fs::read(&out).unwrap() == expected);
            replace(&patch, &Input::from_bytes("memory", bytes.clone()), &out, &PLAIN).unwrap();
            assert!(fs::read(&out).unwrap() == expected);
        }
    }
}

#[test]
fn whole_files_are_written_at_once_and_only_if_changed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("out");
    let if_changed = WriteOptions { if_changed: true, ..WriteOptions::default() };
    assert_eq!(write_file(&path, b"one", &if_changed).unwrap().kind, Kind::Replaced);
    assert_eq!(mode(&path) & 0o600, 0o600);
    age(&path);
    assert_eq!(write_file(&path, b"one", &if_changed).unwrap().kind, Kind::Unchanged);
    assert_eq!(modified(&path), long_ago());
    let synced = WriteOptions { fsync: true, ..WriteOptions::default() };
    assert_eq!(write_file(&path, b"one", &synced).unwrap().kind, Kind::Replaced);
    assert_ne!(modified(&path), long_ago());
    set_mode(&path, 0o640);
    assert_eq!(write_file(&path, b"two", &if_changed).unwrap().bytes_written, 3);
    assert_eq!(fs::read(&path).unwrap(), b"two");
    assert_eq!(mode(&path), 0o640);
    assert_eq!(write_file(&path, b"", &if_changed).unwrap().kind, Kind::Replaced);
    assert_eq!(fs::read(&path).unwrap(), b"");
    assert_eq!(names(dir.path()), ["out"]);
}
