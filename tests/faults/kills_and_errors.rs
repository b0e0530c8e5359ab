//! Errors of single system calls, and which calls there are. See `everywhere.rs` for all of them.

use super::*;

#[test]
fn a_failing_sync_is_told() {
    if !installed("strace") {
        return;
    }
    let (dir, old, _) = demo(&SET);
    let args = ["set", "--fsync", ".BTF=demo.btf", "demo.ko"];
    inject(&dir, "fsync", "error=EIO", 1, &args).fails(&["'demo.ko'", "Input/output error"]);
    same(&dir.read("demo.ko"), &old, "before the rename");
    // No sync is made that was not asked for.
    let log = dir.root().with_extension("log");
    strace(dir.cmd(ELFGRAFT, &SET), &["-e", "trace=fsync,fdatasync,sync", "-o", log.to_str().unwrap()]).run().quiet();
    assert_eq!(fs::read_to_string(&log).unwrap().matches("sync(").count(), 0);
    fs::remove_file(log).unwrap();
}

// An undo file stayed, and nothing said so, when its directory could not be synced.
#[test]
fn a_sync_that_fails_in_place_leaves_no_undo_file() {
    if !installed("strace") {
        return;
    }
    let args = ["set", "--in-place", "--fsync", ".BTF_ids=ids", "demo.ko"];
    let (dir, old, new) = demo(&args);
    let names = dir.names();
    let mut failed = 0;
    for call in ["fsync", "fdatasync"] {
        for nth in 1.. {
            dir.write("demo.ko", &old);
            let run = inject(&dir, call, "error=EIO", nth, &args);
            let found = dir.read("demo.ko");
            assert!(found == old || found == new, "{call} {nth}: a mix");
            // New bytes that may not be on the disk yet keep the old ones beside them, and say so.
            let kept = dir.names() != names;
            let done = run.code() == Some(0);
            if !done {
                run.fails(if kept { &["the edit is complete", ".demo.ko.elfgraft-undo"] } else { &["demo.ko"] });
            }
            if kept {
                dir.elfgraft(&["show", "demo.ko"]).ok();
            }
            assert!(!kept || found == new, "{call} {nth}");
            assert_eq!(dir.names(), names, "{call} {nth}");
            if done {
                same(&found, &new, "a success");
                break;
            }
            failed += 1;
        }
    }
    // The undo file, its directory, the file.
    assert!(failed >= 3, "{failed}");
}

// A half-made file stayed where there are no nameless files, and looking at it failed.
#[test]
fn a_file_made_by_name_goes_when_it_cannot_be_looked_at() {
    if !installed("strace") {
        return;
    }
    let (dir, old, new) = demo(&SET);
    let names = dir.names();
    let mut failed = 0;
    for call in ["statx", "fstat", "newfstatat", "lstat", "stat"] {
        for nth in 1.. {
            dir.write("demo.ko", &old);
            let fault = format!("inject={call}:error=EIO:when={nth}");
            let by_name = "inject=open:error=EOPNOTSUPP:when=1";
            let options = ["-e", &format!("trace={call},open"), "-e", &fault, "-e", by_name];
            let run = strace(dir.cmd(ELFGRAFT, &SET), &options).run();
            assert_eq!(dir.names(), names, "{call} {nth}");
            let found = dir.read("demo.ko");
            if run.code() == Some(0) {
                same(&found, &new, "a success");
                // Some results of looking do not matter; so many calls there are at most.
                if nth > 12 {
                    break;
                }
            } else {
                same(&found, &old, &format!("{call} {nth}"));
                failed += 1;
            }
        }
    }
    assert!(failed >= 2, "{failed}");
}

#[test]
fn system_calls_are_what_the_tests_think() {
    if !installed("strace") {
        return;
    }
    // A call by which files change and that is not in the list would never be made to fail.
    let harmless = [
        "execve",
        "brk",
        "mmap",
        "munmap",
        "mprotect",
        "mremap",
        "access",
        "read",
        "pread64",
        "close",
        "fstat",
        "newfstatat",
        "statx",
        "lseek",
        "readlink",
        "llistxattr",
        "flistxattr",
        "fgetxattr",
        "lgetxattr",
        "getpid",
        "gettid",
        "getrandom",
        "arch_prctl",
        "set_tid_address",
        "set_robust_list",
        "rseq",
        "prlimit64",
        "poll",
        "rt_sigaction",
        "rt_sigprocmask",
        "sigaltstack",
        "sched_getaffinity",
        "futex",
        "fcntl",
        "exit_group",
        "exit",
        "fsync",
        "fdatasync",
        "stat",
        "lstat",
        "clone3",
        "madvise",
        "getuid",
        "geteuid",
        "umask",
        "geteuid",
        "getdents64",
    ];
    for args in [&SET[..], &IN_PLACE, &["set", "--fsync", "-p", "-v", ".BTF=demo.btf", "demo.ko"]] {
        let (dir, _, _) = demo(args);
        let log = dir.root().with_extension("log");
        strace(dir.cmd(ELFGRAFT, args), &["-o", log.to_str().unwrap()]).run().ok();
        for line in fs::read_to_string(&log).unwrap().lines() {
            let line = line
                .split_once(' ')
                .filter(|(pid, _)| pid.parse::<u32>().is_ok())
                .map_or(line, |(_, rest)| rest.trim());
            let call = line.split('(').next().unwrap();
            assert!(line.starts_with(['+', '-', '<']) || CALLS.contains(&call) || harmless.contains(&call), "{line}");
        }
        fs::remove_file(log).unwrap();
    }
}
