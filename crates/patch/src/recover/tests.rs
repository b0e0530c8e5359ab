//! In-place edits killed at every step, and undo files that do not belong.

use std::env;
use std::os::unix::fs::symlink;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use super::*;
use crate::fuse::dies_after;
use crate::testing::{change, fresh, make_fifo, names};
use crate::{Input, Options, in_place};

const OPTIONS: Options = Options { in_place: true, fsync: false, preserve_times: false };

/// Pairs of old and new contents: ranges near and far, at the ends, with and without change of
/// length, and only that.
fn scenarios() -> Vec<(Vec<u8>, Vec<u8>)> {
    let old: Vec<u8> = (0..180).collect();
    let mut new = old.clone();
    new[0] = b'!';
    new[80..83].copy_from_slice(b"mid");
    new[84] = b'!';
    new[179] = b'!';
    let longer = [&new[..], b"tail"].concat();
    let appended = [&old[..], b"tail"].concat();
    let mut shorter = new[..175].to_vec();
    shorter[173] = b'!';
    [&new[..], &longer, &appended, &shorter, &old[..170]]
        .map(|new| (old.clone(), new.to_vec()))
        .into_iter()
        .chain([(b"to nothing".to_vec(), Vec::new()), (Vec::new(), b"from nothing".to_vec())])
        .collect()
}

fn edit(path: &Path, new: &[u8]) {
    let input = Input::open(path).unwrap();
    let patch = change(input.bytes(), new);
    assert!(matches!(in_place(&patch, &input, &OPTIONS), Ok(crate::InPlace::Done(_))));
}

fn undo_of(path: &Path) -> PathBuf {
    beside(path).unwrap()
}

/// A file whose edit from `old` to `new` was killed after some steps; none if it got through.
fn killed(old: &[u8], new: &[u8], steps: usize) -> Option<(TempDir, PathBuf)> {
    let (dir, path) = fresh(old);
    dies_after(steps, || edit(&path, new)).is_none().then_some((dir, path))
}

/// A half-written file: neither old nor new. One changed range is new, the other one is old.
const HALF: (&[u8; 100], &[u8; 100]) = (&[b'o'; 100], &{
    let mut new = [b'o'; 100];
    new[0] = b'n';
    new[99] = b'n';
    new
});

fn half_written() -> (TempDir, PathBuf) {
    let (dir, path) = killed(HALF.0, HALF.1, 2).unwrap();
    assert!(fs::read(&path).unwrap()[..] == [b"n", &HALF.0[1..]].concat());
    assert!(undo_of(&path).exists());
    (dir, path)
}

#[test]
fn killed_at_any_byte_the_file_is_old_or_new_or_restored() {
    for (old, new) in scenarios() {
        let mut mixtures = 0;
        let mut steps = 0;
        while let Some((dir, path)) = killed(&old, &new, steps) {
            let raw = fs::read(&path).unwrap();
            if raw != old && raw != new {
                assert!(undo_of(&path).exists(), "mixed without undo after {steps}");
                mixtures += 1;
            }
            let input = Input::open(&path).unwrap();
            let expected = if raw == new { &new } else { &old };
            assert!(input.bytes() == expected, "after {steps}");
            assert_eq!(names(dir.path()), ["file"], "after {steps}");
            // And it can be edited as if nothing had been.
            edit(&path, &new);
            assert!(fs::read(&path).unwrap() == new);
            steps += 1;
        }
        let saved_or_appended = old.len() != new.len() || steps > 3;
        assert!(saved_or_appended && steps >= 3, "{steps} steps");
        assert!(mixtures > 0 || (old.len() > new.len() && steps <= 4), "{mixtures} of {steps}");
    }
}

#[test]
fn recovery_killed_at_any_byte_is_begun_again() {
    for (old, new) in scenarios() {
        let mut steps = 0;
        while killed(&old, &new, steps).is_some() {
            let mut recovery_steps = 0;
            loop {
                let (dir, path) = killed(&old, &new, steps).unwrap();
                let whole = fs::read(&path).unwrap() == new;
                let done = dies_after(recovery_steps, || drop(Input::open(&path).unwrap()));
                let input = Input::open(&path).unwrap();
                let expected = if whole { &new } else { &old };
                assert!(input.bytes() == expected, "after {steps} and {recovery_steps}");
                assert_eq!(names(dir.path()), ["file"]);
                if done.is_some() {
                    break;
                }
                recovery_steps += 1;
            }
            steps += 1;
        }
    }
}

/// An edit that fails at its very end is undone from the new file, the only time that a cut-off
/// tail has to come back.
#[test]
fn undoing_killed_at_any_byte_is_begun_again() {
    for (old, new) in scenarios() {
        let last_step = (0..).find(|steps| killed(&old, &new, *steps).is_none()).unwrap() - 1;
        for steps in 0.. {
            let (dir, path) = killed(&old, &new, last_step).unwrap();
            assert!(fs::read(&path).unwrap() == new);
            let Decoded::Undo(undo) = Undo::decode(&fs::read(undo_of(&path)).unwrap()) else { panic!() };
            let file = File::options().read(true).write(true).open(&path).unwrap();
            let done = dies_after(steps, || undo.restore(&file).unwrap());
            let raw = fs::read(&path).unwrap();
            let expected = if raw == new { &new } else { &old };
            assert!(Input::open(&path).unwrap().bytes() == expected, "after {steps}");
            assert_eq!(names(dir.path()), ["file"]);
            if done.is_some() {
                assert!(raw == old);
                break;
            }
        }
    }
}

#[test]
fn of_many_recoveries_at_once_one_restores_and_all_succeed() {
    for _ in 0..20 {
        let (dir, path) = half_written();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| assert!(Input::open(&path).unwrap().bytes() == HALF.0));
            }
        });
        assert_eq!(names(dir.path()), ["file"]);
    }
}

#[test]
fn sigkill_of_another_process_is_recovered_from() {
    let (old, new) = scenarios().swap_remove(1);
    let mut deaths = 0;
    for steps in (0..).step_by(2) {
        let (dir, path) = fresh(&old);
        let status = Command::new(env::current_exe().unwrap())
            .args(["--exact", "recover::tests::dies_by_sigkill", "--test-threads=1"])
            .env("ELFGRAFT_TEST_DIE", steps.to_string())
            .env("ELFGRAFT_TEST_FILE", &path)
            .output()
            .unwrap()
            .status;
        let input = Input::open(&path).unwrap();
        assert!(input.bytes() == old || input.bytes() == new, "after {steps}");
        assert_eq!(names(dir.path()), ["file"]);
        if status.success() {
            assert!(input.bytes() == new);
            break;
        }
        assert_eq!(status.signal(), Some(9));
        deaths += 1;
    }
    assert!(deaths >= 5, "{deaths} deaths");
}

/// Not a test, but the other process of the one above.
#[test]
fn dies_by_sigkill() {
    let (Ok(steps), Some(path)) = (env::var("ELFGRAFT_TEST_DIE"), env::var_os("ELFGRAFT_TEST_FILE")) else {
        return;
    };
    let (_, new) = scenarios().swap_remove(1);
    dies_after(steps.parse().unwrap(), || edit(Path::new(&path), &new));
}

#[test]
fn an_undo_file_is_found_through_a_symbolic_link() {
    let (dir, path) = half_written();
    let sub = dir.path().join("sub");
    fs::create_dir(&sub).unwrap();
    symlink(&path, sub.join("link")).unwrap();
    assert!(Input::open(sub.join("link")).unwrap().bytes() == HALF.0);
    assert!(!undo_of(&path).exists());
}

#[test]
fn foreign_files_of_that_name_are_left_alone() {
    let kinds: [fn(&Path); 6] = [
        |undo| fs::write(undo, "").unwrap(),
        |undo| fs::write(undo, "something else altogether, and long enough for a header").unwrap(),
        |undo| symlink("file", undo).unwrap(),
        |undo| fs::create_dir(undo).unwrap(),
        |undo| make_fifo(undo),
        |undo| File::create(undo).unwrap().set_len(MOST_LEN + 1).unwrap(),
    ];
    for make in kinds {
        let (dir, path) = fresh(b"contents");
        make(&undo_of(&path));
        let input = Input::open(&path).unwrap();
        let patch = change(b"contents", b"CONTENTS");
        let text = in_place(&patch, &input, &OPTIONS).unwrap_err().to_string();
        assert!(text.starts_with("'"), "{text}");
        assert!(text.contains(".file.elfgraft-undo': cannot create the undo file: File exists"), "{text}");
        assert_eq!(fs::read(&path).unwrap(), b"contents");
        assert_eq!(names(dir.path()), [".file.elfgraft-undo", "file"]);
    }
}

#[test]
fn a_damaged_undo_file_is_an_error_and_nothing_is_touched() {
    let (_dir, path) = half_written();
    let undo = undo_of(&path);
    let good = fs::read(&undo).unwrap();
    let half = fs::read(&path).unwrap();
    let damaged = |bytes: &[u8], what: &str| {
        fs::write(&undo, bytes).unwrap();
        let text = Input::open(&path).unwrap_err().to_string();
        assert!(text.contains("it is damaged; make the file anew"), "{what}: {text}");
        assert!(text.contains("file': it has an undo file '") && text.contains(".file.elfgraft-undo'"), "{text}");
        assert_eq!(fs::read(&undo).unwrap(), bytes, "{what}");
        assert_eq!(fs::read(&path).unwrap(), half, "{what}");
    };
    // From behind the words that tell whose file it is, the version on.
    for at in b"elfgraft undo ".len()..good.len() {
        let mut bytes = good.clone();
        bytes[at] ^= 1;
        damaged(&bytes, &format!("byte {at}"));
    }
    for len in 16..good.len() {
        damaged(&good[..len], &format!("cut to {len}"));
    }
    damaged(&[&good[..], b"\0"].concat(), "longer");
    fs::write(&undo, &good).unwrap();
    assert!(Input::open(&path).unwrap().bytes() == HALF.0);
}

#[test]
fn ranges_that_do_not_fit_are_damage_even_with_a_right_hash() {
    let (_dir, path) = half_written();
    let undo = undo_of(&path);
    let Decoded::Undo(good) = Undo::decode(&fs::read(&undo).unwrap()) else { panic!() };
    assert_eq!(Undo::decode(&good.encode()), Decoded::Undo(good));
    let decode = |spoil: fn(&mut Undo)| {
        let Decoded::Undo(mut undo) = Undo::decode(&fs::read(&undo).unwrap()) else { panic!() };
        spoil(&mut undo);
        Undo::decode(&undo.encode())
    };
    assert_eq!(decode(|undo| undo.ranges.reverse()), Decoded::Damaged);
    assert_eq!(decode(|undo| undo.ranges[1].at = 0), Decoded::Damaged);
    assert_eq!(decode(|undo| undo.ranges[1].at = 100), Decoded::Damaged);
    assert_eq!(decode(|undo| undo.ranges[1].at = u64::MAX), Decoded::Damaged);
    assert_eq!(decode(|undo| undo.ranges[1].old = vec![0; 3]), Decoded::Damaged);
}

#[test]
fn an_undo_file_of_another_file_is_stale() {
    // Another inode of the same name: old, new, or something else.
    for contents in [&HALF.0[..], &HALF.1[..], b"contents of a new build"] {
        let (dir, path) = half_written();
        fs::write(dir.path().join("other"), contents).unwrap();
        fs::rename(dir.path().join("other"), &path).unwrap();
        assert!(Input::open(&path).unwrap().bytes() == contents);
        assert_eq!(names(dir.path()), ["file"]);
    }
}

#[test]
fn a_copy_of_a_half_written_file_is_not_taken_for_good() {
    let (dir, path) = half_written();
    fs::copy(&path, dir.path().join("other")).unwrap();
    fs::rename(dir.path().join("other"), &path).unwrap();
    let text = Input::open(&path).unwrap_err().to_string();
    assert!(text.contains("seems to be a copy of a half-written one"), "{text}");
    assert_eq!(names(dir.path()), [".file.elfgraft-undo", "file"]);
}

#[test]
fn a_half_written_file_changed_since_is_an_error_and_untouched() {
    for (at, byte) in [(0, b'x'), (99, b'x'), (100, b'x')] {
        let (dir, path) = half_written();
        let mut half = fs::read(&path).unwrap();
        half.resize(half.len().max(at + 1), 0);
        half[at] = byte;
        fs::write(&path, &half).unwrap();
        let text = Input::open(&path).unwrap_err().to_string();
        assert!(text.contains("the file was changed since; make it anew, then remove"), "{text}");
        assert_eq!(fs::read(&path).unwrap(), half);
        assert_eq!(names(dir.path()), [".file.elfgraft-undo", "file"]);
        // Making it anew is the way out.
        fs::remove_file(&path).unwrap();
        fs::write(&path, "anew").unwrap();
        assert_eq!(Input::open(&path).unwrap().bytes(), b"anew");
        assert_eq!(names(dir.path()), ["file"]);
    }
}

#[test]
fn a_tail_changed_after_the_edit_is_not_cut_off() {
    // Killed when all was written and only the undo file was left to remove.
    let (old, new) = scenarios().swap_remove(1);
    let mut steps = 0;
    while killed(&old, &new, steps).is_some() {
        steps += 1;
    }
    let (_dir, path) = killed(&old, &new, steps - 1).unwrap();
    let mut changed = new.clone();
    *changed.last_mut().unwrap() ^= 1;
    fs::write(&path, &changed).unwrap();
    assert!(Input::open(&path).is_err());
    assert!(fs::read(&path).unwrap() == changed);
}

#[test]
fn a_file_that_cannot_be_written_to_is_not_taken_for_good() {
    let (dir, path) = half_written();
    let file = File::open(&path).unwrap();
    let metadata = file.metadata().unwrap();
    let denied = Err(Errno::ACCESS.into());
    let text = settle(&path, &undo_of(&path), &file, &metadata, denied).unwrap_err().to_string();
    assert!(text.ends_with(": the file cannot be restored: Permission denied (os error 13)"), "{text}");
    assert_eq!(names(dir.path()), [".file.elfgraft-undo", "file"]);
}

#[test]
fn undo_files_of_other_users_are_not_obeyed() {
    // Only root can give files away.
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let (_dir, path) = half_written();
    let half = fs::read(&path).unwrap();
    let undo = undo_of(&path);
    std::os::unix::fs::chown(&undo, Some(65534), None).unwrap();
    let text = Input::open(&path).unwrap_err().to_string();
    assert!(text.contains("it belongs to another user"), "{text}");
    assert_eq!(fs::read(&path).unwrap(), half);
    assert!(undo.exists());
    // The owner of the file itself may well have begun the edit.
    std::os::unix::fs::chown(&path, Some(65534), None).unwrap();
    assert!(Input::open(&path).unwrap().bytes() == HALF.0);
}

#[test]
fn an_edit_under_way_is_waited_for() {
    let (_dir, path) = half_written();
    let file = File::options().read(true).write(true).open(&path).unwrap();
    let lock = Lock::exclusive(&file).unwrap();
    std::thread::scope(|scope| {
        let opened = scope.spawn(|| Input::open(&path).unwrap().bytes().to_vec());
        std::thread::sleep(std::time::Duration::from_millis(50));
        assert!(!opened.is_finished());
        // The edit gets through and gives the lock back.
        fs::write(&path, HALF.1).unwrap();
        fs::remove_file(undo_of(&path)).unwrap();
        drop(lock);
        assert!(opened.join().unwrap() == HALF.1);
    });
}

#[test]
fn an_edit_killed_after_the_input_was_opened_is_settled_by_the_next_edit() {
    let (_dir, path) = fresh(HALF.0);
    let input = Input::open(&path).unwrap();
    // Nothing but the undo file: the file is still what was opened, so the edit goes on.
    assert!(dies_after(1, || edit(&path, HALF.1)).is_none());
    assert!(undo_of(&path).exists());
    in_place(&change(HALF.0, HALF.1), &input, &OPTIONS).unwrap();
    assert!(fs::read(&path).unwrap()[..] == HALF.1[..]);
    // Half written: it is restored, but is not the file that was opened.
    let input = Input::open(&path).unwrap();
    assert!(dies_after(2, || edit(&path, HALF.0)).is_none());
    let error = in_place(&change(HALF.1, HALF.0), &input, &OPTIONS).unwrap_err();
    assert!(matches!(error, IoError::Changed { .. }), "{error}");
    assert!(fs::read(&path).unwrap()[..] == HALF.1[..]);
    assert!(!undo_of(&path).exists());
}
