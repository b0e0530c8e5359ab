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
