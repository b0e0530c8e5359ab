//! Inputs that are shortened or replaced while they are read.

use std::path::Path;

use elfgraft_testkit::consts::{ET_REL, SHF_ALLOC};
use elfgraft_testkit::elf::{ElfSpec, Section};
use elfgraft_testkit::format::Format;

use super::*;

/// An object large enough to be mapped, and one of the same kind with other contents.
fn large() -> (Dir, Vec<u8>, Vec<u8>) {
    let dir = Dir::new();
    let object = |byte| {
        let data = Section::progbits(".data", SHF_ALLOC, vec![byte; 700_000]);
        ElfSpec::new(Format::X86_64, ET_REL).section(data).build()
    };
    let (one, other) = (object(1), object(2));
    dir.write("big.o", &one);
    dir.write("other.o", &other);
    dir.write("blob", vec![3; 1000]);
    dir.write("big-blob", vec![4; 400_000]);
    (dir, one, other)
}

/// Starts a command that stops for a while after it has mapped `name`, and calls `change` then.
fn meanwhile(dir: &Dir, name: &str, args: &[&str], change: impl FnOnce(&Path)) -> (Option<i32>, String, Vec<u8>) {
    let path = dir.path(name);
    let slow = ["-P", path.to_str().unwrap(), "-e", "trace=mmap", "-e", "inject=mmap:delay_exit=400000"];
    let child = strace(dir.cmd(ELFGRAFT, args), &slow).spawn();
    let is_mapped = |pid: &str| fs::read_to_string(format!("/proc/{pid}/maps")).is_ok_and(|maps| maps.contains(name));
    let children = || fs::read_to_string(format!("/proc/{0}/task/{0}/children", child.id())).unwrap_or_default();
    let start = Instant::now();
    let mut mapped = false;
    while !mapped && start.elapsed() < Duration::from_secs(20) {
        mapped = children().split_whitespace().any(is_mapped);
        std::thread::sleep(Duration::from_millis(1));
    }
    change(&path);
    let output = child.wait_with_output().unwrap();
    assert!(mapped, "{args:?} never mapped {name}");
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned(), output.stdout)
}

fn shorten(path: &Path) {
    File::options().write(true).open(path).unwrap().set_len(1000).unwrap();
}

#[test]
fn a_shortened_file_is_an_error_and_no_signal() {
    if !installed("strace") {
        return;
    }
    for (name, status, args) in [
        ("big.o", 1, &["set", ".new=blob", "big.o"][..]),
        ("big.o", 1, &["set", "--in-place", ".new=blob", "big.o"]),
        ("big.o", 1, &["objcopy", "--add-section=.new=blob", "big.o", "out.o"]),
        ("big.o", 1, &["objcopy", "big.o", "-"]),
        ("big.o", 1, &["objcopy", "-O", "binary", "big.o", "out.bin"]),
        ("big.o", 1, &["objcopy", "-I", "binary", "-O", "elf64-x86-64", "big.o", "out.o"]),
        ("big.o", 1, &["strip", "-o", "out.o", "big.o"]),
        ("big.o", 1, &["dump", ".data=out.o", "big.o"]),
        ("big.o", 1, &["show", "big.o"]),
        ("big.o", 1, &["check", "big.o"]),
        ("big.o", 2, &["diff", "big.o", "other.o"]),
        ("big.o", 2, &["diff", "other.o", "big.o"]),
        ("big-blob", 1, &["set", ".new=big-blob", "big.o"]),
        ("big-blob", 1, &["set", "--in-place", ".new=big-blob", "big.o"]),
    ] {
        let (dir, old, _) = large();
        let names = dir.names();
        let (code, text, _) = meanwhile(&dir, name, args, shorten);
        assert_eq!(code, Some(status), "{args:?}: {text}");
        assert_eq!(text.matches('\n').count(), 1, "{args:?}: {text}");
        assert!(text.starts_with(&format!("elfgraft: error: '{name}': changed while it was read")), "{args:?}: {text}");
        assert_eq!(dir.names(), names, "{args:?}");
        if name != "big.o" {
            same(&dir.read("big.o"), &old, &format!("{args:?}"));
        }
    }
}

#[test]
fn a_replaced_file_is_not_mixed_with_the_new_one() {
    if !installed("strace") {
        return;
    }
    let (dir, old, other) = large();
    let replace = |path: &Path| {
        fs::copy(path.with_file_name("other.o"), path.with_file_name("tmp")).unwrap();
        fs::rename(path.with_file_name("tmp"), path).unwrap();
    };
    for args in [&["set", ".new=blob", "big.o"][..], &["set", "--in-place", ".new=blob", "big.o"]] {
        dir.write("big.o", &old);
        let (code, text, _) = meanwhile(&dir, "big.o", args, replace);
        assert!(code == Some(1) && text.contains("'big.o': changed while it was read"), "{args:?}: {text}");
        same(&dir.read("big.o"), &other, "what took its place");
    }
    // What only reads does not mind: it has the old file to its end.
    dir.write("big.o", &old);
    let (code, text, _) = meanwhile(&dir, "big.o", &["check", "big.o"], replace);
    assert_eq!((code, text.as_str()), (Some(0), ""));
}

/// Contents of a section that are rewritten while they are written out would be neither the old ones nor the new ones.
#[test]
fn a_dump_of_a_file_that_is_rewritten_is_not_written() {
    if !installed("strace") {
        return;
    }
    for args in [&["dump", ".data=out", "big.o"][..], &["objcopy", "--dump-section", ".data=out", "big.o", "out.o"]] {
        let (dir, _, other) = large();
        dir.write("out", "old");
        let (code, text, _) = meanwhile(&dir, "big.o", args, |path| fs::write(path, &other).unwrap());
        assert!(code == Some(1) && text.contains("'big.o': changed while it was read"), "{args:?}: {text}");
        assert_eq!(dir.read("out"), b"old");
    }
}

/// While somebody shortens, rewrites and replaces a file without pause, every command on it ends with an exit status, and
/// what it calls a success is one.
#[test]
fn edits_while_the_file_changes_all_the_time() {
    let (dir, old, _) = large();
    dir.elfgraft(&["set", ".new=blob", "-o", "expected.o", "big.o"]).quiet();
    let expected = dir.read("expected.o");
    let path = dir.path("big.o");
    let stop = std::sync::atomic::AtomicBool::new(false);
    let rounds = if torture() { 400 } else { 20 };
    let mut outcomes = [0, 0];
    /// Ends the other thread also when an assertion fails.
    struct Stop<'s>(&'s std::sync::atomic::AtomicBool);
    impl Drop for Stop<'_> {
        fn drop(&mut self) {
            self.0.store(true, std::sync::atomic::Ordering::Relaxed);
        }
    }
    std::thread::scope(|scope| {
        let _stop = Stop(&stop);
        scope.spawn(|| {
            let mut round = 0;
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                round += 1;
                match round % 3 {
                    0 => shorten(&path),
                    1 => fs::write(&path, &old).unwrap(),
                    _ => {
                        fs::write(dir.path("tmp"), &old).unwrap();
                        fs::rename(dir.path("tmp"), &path).unwrap();
                    }
                }
                std::thread::sleep(Duration::from_micros(round * 37 % 4000));
            }
        });
        for _ in 0..rounds {
            for args in [
                &["set", ".new=blob", "-o", "out.o", "big.o"][..],
                &["show", "big.o"],
                &["diff", "big.o", "other.o"],
                &["objcopy", "-O", "binary", "big.o", "out.bin"],
                &["dump", ".data=data", "big.o"],
            ] {
                let run = dir.elfgraft(args);
                let code = run.code();
                run.check(code.is_some_and(|code| code < 3), "an exit status");
                run.check(code == Some(0) || run.stderr().contains("'big.o'") || args[0] == "diff", "a name");
                if args[0] == "set" {
                    outcomes[usize::from(code == Some(0))] += 1;
                    if code == Some(0) {
                        same(&dir.read("out.o"), &expected, "a success");
                    }
                }
            }
        }
    });
    assert!(outcomes[0] > 0 && outcomes[1] > 0, "{outcomes:?}");
    let left: Vec<_> = dir.names().into_iter().filter(|name| name.contains("elfgraft")).collect();
    assert_eq!(left, [""; 0]);
}
