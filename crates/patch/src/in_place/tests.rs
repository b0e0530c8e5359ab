//! In-place edits that end well, are refused, fail, or meet each other.

use std::fs;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, symlink};
use std::thread;
use std::time::{Duration, SystemTime};

use super::*;
use crate::testing::{change, fresh, names};
use crate::{Builder, commit};

const OPTIONS: Options = Options { in_place: true, fsync: false, preserve_times: false };

fn done(result: Result<InPlace, IoError>) -> Outcome {
    match result.unwrap() {
        InPlace::Done(outcome) => outcome,
        InPlace::Refused(why) => panic!("refused: {why}"),
    }
}

#[test]
fn the_file_keeps_inode_and_names() {
    let (dir, path) = fresh(b"old contents");
    let link = dir.path().join("link");
    symlink("file", &link).unwrap();
    fs::hard_link(&path, dir.path().join("other")).unwrap();
    let inode = fs::metadata(&path).unwrap().ino();
    for options in [OPTIONS, Options { fsync: true, ..OPTIONS }] {
        fs::write(&path, "old contents").unwrap();
        let input = Input::open(&link).unwrap();
        let patch = change(input.bytes(), b"old cONTENTS and more");
        let outcome = done(in_place(&patch, &input, &options));
        assert_eq!((outcome.kind, outcome.hard_links, outcome.bytes_written), (Kind::InPlace, 2, 16));
        assert_eq!(fs::read(dir.path().join("other")).unwrap(), b"old cONTENTS and more");
        assert_eq!(fs::metadata(&path).unwrap().ino(), inode);
        assert_eq!(names(dir.path()), ["file", "link", "other"]);
        assert!(link.is_symlink());
    }
}

#[test]
fn times_move_unless_they_are_to_be_kept() {
    let past = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    for (new, preserve_times) in [(&b"abd"[..], true), (b"abd", false), (b"abc", true), (b"abc", false)] {
        let (_dir, path) = fresh(b"abc");
        File::options().write(true).open(&path).unwrap().set_modified(past).unwrap();
        let input = Input::open(&path).unwrap();
        let outcome = done(in_place(&change(b"abc", new), &input, &Options { preserve_times, ..OPTIONS }));
        let kind = if new == b"abc" { Kind::Unchanged } else { Kind::InPlace };
        assert_eq!(outcome.kind, kind);
        let modified = fs::metadata(&path).unwrap().modified().unwrap();
        assert_eq!(modified == past, preserve_times, "{kind:?}");
    }
}

#[test]
fn bytes_borrowed_from_the_input_are_taken_before_they_change() {
    let old: Vec<u8> = (0..200).collect();
    let (_dir, path) = fresh(&old);
    let input = Input::open(&path).unwrap();
    let bytes = input.bytes();
    let mut builder = Builder::new(200);
    builder.write(0, &bytes[100..200], "").write(100, &bytes[0..100], "").write(200, &bytes[50..150], "");
    let patch = builder.finish(300).unwrap();
    let expected = crate::to_vec(&patch, bytes);
    done(in_place(&patch, &input, &OPTIONS));
    assert!(fs::read(&path).unwrap() == expected);
}

#[test]
fn what_cannot_be_done_in_place_is_refused_untouched() {
    let (dir, path) = fresh(b"0123456789");
    let input = Input::open(&path).unwrap();
    let refusal = |patch: &Patch<'_>, input: &Input| match in_place(patch, input, &OPTIONS).unwrap() {
        InPlace::Refused(why) => why,
        InPlace::Done(outcome) => panic!("done: {outcome:?}"),
    };
    let mut builder = Builder::new(10);
    builder.copy(0, 1, 9, "");
    let moved = builder.finish(9).unwrap();
    assert!(!can_in_place(&moved));
    assert_eq!(refusal(&moved, &input), "kept bytes have to move");
    let memory = Input::from_bytes("memory", b"0123456789".to_vec());
    let patch = change(b"0123456789", b"012345678");
    assert!(can_in_place(&patch));
    assert_eq!(refusal(&patch, &memory), "the input is not a file");

    // Through `commit`, the same is done by replacing, and the reason is told.
    let outcome = commit(&moved, &input, &path, &OPTIONS).unwrap();
    assert_eq!(outcome.in_place_refused, Some("kept bytes have to move"));
    assert_eq!(outcome.kind, Kind::Replaced);
    assert_eq!(fs::read(&path).unwrap(), b"123456789");

    let long = dir.path().join("n".repeat(250));
    fs::write(&long, "0123456789").unwrap();
    let why = refusal(&patch, &Input::open(&long).unwrap());
    assert_eq!(why, "the file's name is too long for an undo file");
}

#[test]
fn at_most_16_mib_are_saved() {
    let (_dir, path) = fresh(b"");
    let len = MOST_SAVED + 100;
    File::options().write(true).open(&path).unwrap().set_len(len).unwrap();
    // One changed byte, and the end cut off.
    let cut = |to: u64| {
        let mut builder = Builder::new(len);
        builder.copy(0, 0, to, "").overlay(0, &b"!"[..], "");
        builder.finish(to).unwrap()
    };
    let enough = 100 + 1 + 2 * RANGE_COST;
    assert!(changed_ranges(&cut(enough - 1)).is_err());
    assert_eq!(changed_ranges(&cut(enough)).unwrap().len(), 2);
    // As much as may be saved is also accepted back.
    let edit = || in_place(&cut(enough), &Input::open(&path).unwrap(), &OPTIONS).unwrap();
    assert!(fuse::dies_after(2, edit).is_none());
    assert_eq!(fs::read(&path).unwrap()[0], b'!');
    assert_eq!(Input::open(&path).unwrap().bytes()[0], 0);
}

#[test]
fn near_ranges_are_joined_and_far_ones_are_not() {
    let mut builder = Builder::new(1000);
    builder.copy(0, 0, 900, "").overlay(10, &b"a"[..], "").overlay(74, &b"b"[..], "").overlay(140, &b"c"[..], "");
    let ranges = changed_ranges(&builder.finish(900).unwrap()).unwrap();
    assert_eq!(ranges, [10..75, 140..141, 900..1000]);
}

#[test]
fn a_change_after_opening_is_an_error_and_stays() {
    let (dir, path) = fresh(b"contents");
    let patch = change(b"contents", b"CONTENTS");
    let changes: [fn(&Path); 3] = [
        |path| fs::write(path, "longer contents").unwrap(),
        |path| {
            fs::rename(path, path.with_extension("away")).unwrap();
            fs::write(path, "contents").unwrap();
        },
        |path| {
            let file = File::options().write(true).open(path).unwrap();
            file.set_modified(SystemTime::UNIX_EPOCH).unwrap();
        },
    ];
    for change in changes {
        fs::write(&path, "contents").unwrap();
        let input = Input::open(&path).unwrap();
        change(&path);
        let before = fs::read(&path).unwrap();
        let error = in_place(&patch, &input, &OPTIONS).unwrap_err();
        assert!(matches!(error, IoError::Changed { .. }), "{error}");
        assert_eq!(fs::read(&path).unwrap(), before);
        assert!(!names(dir.path()).iter().any(|name| name.ends_with("undo")));
    }
}

#[test]
fn another_file_of_a_name_that_only_looks_right_is_not_touched() {
    let (dir, path) = fresh(b"contents");
    let file = File::open(&path).unwrap();
    let input = Input::open(format!("/proc/self/fd/{}", file.as_raw_fd())).unwrap();
    fs::remove_file(&path).unwrap();
    // What the system now calls the removed file.
    let decoy = dir.path().join("file (deleted)");
    fs::write(&decoy, "contents").unwrap();
    let error = in_place(&change(b"contents", b"CONTENTS"), &input, &OPTIONS).unwrap_err();
    assert!(matches!(error, IoError::Changed { .. }), "{error}");
    assert_eq!(fs::read(&decoy).unwrap(), b"contents");
}

#[test]
fn of_two_edits_at_once_each_is_whole_or_an_error() {
    let (dir, path) = fresh(&[b'-'; 4096]);
    let edit = |at: usize, letter: u8| {
        let input = Input::open(&path).unwrap();
        let mut builder = Builder::new(4096);
        builder.copy(0, 0, 4096, "").overlay(at as u64, vec![letter; 1000], "");
        in_place(&builder.finish(4096).unwrap(), &input, &OPTIONS).map(|_| ())
    };
    let mut successes = 0;
    for round in 0..100 {
        let letter = b'a' + round % 26;
        let before = fs::read(&path).unwrap();
        let results = thread::scope(|scope| {
            let threads = [0, 2000].map(|at| scope.spawn(move || edit(at, letter)));
            threads.map(|thread| thread.join().unwrap())
        });
        let now = fs::read(&path).unwrap();
        for (at, result) in [0, 2000].into_iter().zip(results) {
            match result {
                Ok(()) => assert!(now[at..at + 1000].iter().all(|byte| *byte == letter)),
                Err(IoError::Changed { .. }) => assert!(now[at..at + 1000] == before[at..at + 1000]),
                Err(error) => panic!("{error}"),
            }
            successes += usize::from(now[at] == letter);
        }
        assert_eq!(names(dir.path()), ["file"]);
    }
    assert!(successes >= 100, "at least one of two succeeds");
}
