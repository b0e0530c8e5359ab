//! Every way of writing, each of its system calls, each fault: a kill, an error, an interruption.
//!
//! `make test` tries a sample, a different one for each way; `make torture` tries all of it (`ELFGRAFT_TORTURE=1`).

use std::collections::HashMap;

use super::ways::{Files, WAYS, Way, files, restore};
use super::*;

/// A system call of a run: its name, and which of this name it is.
type Call = (String, u32);

/// The fault of one run, as strace has it.
const FAULTS: [&str; 5] = ["signal=SIGKILL", "error=EIO", "error=ENOSPC", "error=EDQUOT", "error=EINTR"];

/// Memory and threads: that there is none left is an abort in Rust, and not what this is about. The debug build of
/// the standard library asks about descriptors with fcntl when it closes them.
const NO_FILES: [&str; 21] = [
    "brk",
    "munmap",
    "mremap",
    "madvise",
    "mprotect",
    "exit",
    "exit_group",
    "sigaltstack",
    "rt_sigaction",
    "rt_sigprocmask",
    "sched_getaffinity",
    "sched_yield",
    "clone3",
    "clone",
    "futex",
    "gettid",
    "rseq",
    "set_robust_list",
    "fcntl",
    "getrandom",
    "prlimit64",
];

/// Calls that a signal may interrupt, by their manual pages: they are made again.
const INTERRUPTIBLE: [&str; 12] = [
    "open",
    "openat",
    "read",
    "pread64",
    "write",
    "pwrite64",
    "copy_file_range",
    "fallocate",
    "ftruncate",
    "flock",
    "fsync",
    "fdatasync",
];

impl Way {
    /// The calls from the beginning of our own code on.
    fn calls(&self, dir: &Dir) -> Vec<Call> {
        let log = dir.root().with_extension("log");
        strace(self.cmd(dir), &[&["-o", log.to_str().unwrap()], self.strace].concat()).run().ok();
        let text = fs::read_to_string(&log).unwrap();
        fs::remove_file(log).unwrap();
        let main = text.split(' ').next().unwrap();
        let mut counts: HashMap<&str, u32> = HashMap::new();
        let mut calls = Vec::new();
        let mut begun = false;
        for line in text.lines() {
            let Some((pid, call)) = line.split_once(' ') else { continue };
            let call = call.trim_start();
            let name = call.split('(').next().unwrap();
            if pid != main || call.starts_with(['+', '-', '<']) {
                continue;
            }
            let count = counts.entry(name).or_default();
            *count += 1;
            // strace injects one thing into each call.
            let taken = self.strace.iter().any(|word| word.starts_with(&format!("inject={name}:")));
            if begun && !taken && !NO_FILES.contains(&name) && !call.contains("MAP_ANONYMOUS") {
                calls.push((name.to_owned(), *count));
            }
            begun |= call.starts_with("rt_sigaction(SIGXFSZ");
        }
        assert!(begun && calls.len() > 8, "{}: {calls:?}", self.name);
        calls
    }

    /// Tries every `stride`th case, from one that depends on the way. Gives how many there were.
    fn try_faults(&self, stride: usize) -> usize {
        let dir = self.dir();
        let old = files(&dir);
        let calls = self.calls(&dir);
        restore(&dir, &old);
        let expected = self.cmd(&dir).run().ok();
        let new = files(&dir);
        let cases = calls.iter().flat_map(|call| FAULTS.map(|fault| (call, fault)));
        let mut tried = 0;
        for (call, fault) in cases.skip(self.name.len() % stride).step_by(stride) {
            restore(&dir, &old);
            self.try_fault(&dir, call, fault, &old, &new, expected.stdout());
            tried += 1;
        }
        tried
    }

    fn try_fault(&self, dir: &Dir, (call, nth): &Call, fault: &str, old: &Files, new: &Files, stdout: &[u8]) {
        let at = format!("{}: {fault} at {call} {nth}", self.name);
        let inject = format!("inject={call}:{fault}:when={nth}");
        let trace = format!("trace={call}{}", if self.strace.is_empty() { "" } else { ",open" });
        let run = strace(self.cmd(dir), &[&["-e", &trace, "-e", &inject], self.strace].concat()).run();
        if fault == "signal=SIGKILL" {
            run.check(run.killed_by(9), &format!("{at}: a kill"));
            for name in self.opened {
                dir.elfgraft(&["show", name]).ok();
            }
            let ours = |name: &&String| name.starts_with('.') && name.ends_with(".elfgraft-new");
            for name in dir.names().iter().filter(|name| !ours(name)) {
                self.old_or_new(dir, name, old, new, &at);
            }
            self.cmd(dir).run().ok();
            assert!(files(dir) == *new, "{at}, and run again: {:?}", dir.names());
            return;
        }
        let text = run.stderr();
        match run.code() {
            Some(0) => {
                run.check(run.stdout() == stdout, &format!("{at}: the output"));
                for (name, bytes) in new {
                    same(&dir.read(name), bytes, &format!("{at}: success and {name}"));
                }
                assert_eq!(dir.names(), new.keys().cloned().collect::<Vec<_>>(), "{at}");
            }
            Some(1 | 255) => {
                run.check(!text.contains("panicked") && text.contains(": "), &format!("{at}: a message"));
                let again = fault == "error=EINTR" && INTERRUPTIBLE.contains(&&call[..]);
                run.check(!again, &format!("{at}: to be tried again"));
                let mut changed = false;
                for name in &dir.names() {
                    let is_new = self.old_or_new(dir, name, old, new, &at);
                    changed |= is_new;
                    // What all of them need stops all of them.
                    let named = |name: &str| text.contains(name);
                    let shared = ["vmlinux", "demo2.btf"].into_iter().any(named);
                    if self.many && !shared && !is_new && old.get(name) != new.get(name) {
                        run.check(named(name), &format!("{at}: {name} is named"));
                    }
                }
                let said =
                    ["its directory cannot be synced", "the edit is complete"].iter().any(|words| text.contains(words));
                let one = !self.many && !["hashes", "dump", "resolve_btfids"].contains(&self.name);
                run.check(!one || changed == said, &format!("{at}: new is said"));
                // What is said to be complete may have its undo file left; the next command sees that it is not needed.
                for name in self.opened {
                    dir.elfgraft(&["show", name]).ok();
                }
                assert!(!dir.names().iter().any(|name| name.contains("elfgraft")), "{at}: {:?}", dir.names());
            }
            _ => run.check(false, &format!("{at}: an exit status")),
        }
    }
}

/// One test for each way, so that they run side by side.
macro_rules! ways {
    ($($test:ident: $name:literal,)*) => {
        $(#[test]
        fn $test() {
            try_way($name);
        })*

        #[test]
        fn all_ways_are_tried() {
            let tried = [$($name),*];
            assert!(WAYS.iter().all(|way| tried.contains(&way.name)) && tried.len() == WAYS.len());
        }
    };
}

fn try_way(name: &str) {
    if !installed("strace") {
        return;
    }
    let way = WAYS.iter().find(|way| way.name == name).unwrap();
    if !way.strace.is_empty() && !cfg!(target_arch = "x86_64") {
        eprintln!("skipped: other machines have other system calls");
        return;
    }
    let tried = way.try_faults(if torture() { 1 } else { 13 });
    assert!(tried > 3, "{name}: {tried}");
    println!("{name}: {tried} faults");
}

ways! {
    faults_in_replacing: "replace",
    faults_in_replacing_durably: "replace durably",
    faults_in_replacing_by_name: "replace by name",
    faults_in_place_longer: "in place, longer",
    faults_in_place_same_size: "in place, durable, same size",
    faults_in_place_shorter: "in place, shorter",
    faults_in_a_new_output: "a new output",
    faults_in_an_output_that_exists: "an output that exists",
    faults_in_standard_output: "standard output",
    faults_in_dumping: "dump",
    faults_in_stripping_several: "strip several",
    faults_in_setting_several_in_place: "set in several, in place",
    faults_in_debug_information_alone: "debug information alone",
    faults_in_a_debug_link: "debug link",
    faults_in_binary: "binary",
    faults_in_resolve_btfids: "resolve_btfids",
    faults_in_embedding_several: "embed several",
    faults_in_sorting: "sort",
    faults_in_hashes: "hashes",
    faults_in_an_archive: "archive",
}
