//! Many modules in one call.

use std::fs::OpenOptions;
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;

use crate::model::ids;
use crate::util::{Dir, ELFGRAFT, fixture, installed, same};

const COUNT: usize = 12;

/// Modules `m0.ko` and so on, their BTF beside them, and the base.
fn tree() -> (Dir, Vec<String>) {
    let dir = Dir::with(&["vmlinux", "vmlinux.btf"]);
    let names: Vec<String> = (0..COUNT).map(|n| format!("m{n}.ko")).collect();
    for name in &names {
        dir.write(name, fixture("demo-stripped.ko"));
        dir.write(format!("{name}.BTF"), fixture("demo.btf"));
    }
    (dir, names)
}

fn embed<'a>(names: &'a [String], options: &[&'a str]) -> Vec<&'a str> {
    let names = names.iter().map(String::as_str);
    let embed = ["btf", "embed", "--raw", "--btf", "{}.BTF", "--btf-base", "vmlinux"];
    embed.into_iter().chain(options.iter().copied()).chain(names).collect()
}

fn expected() -> String {
    String::from_utf8(fixture("demo.ids")).unwrap()
}

#[test]
fn one_failing_module_is_named_and_does_not_stop_the_others() {
    let (dir, names) = tree();
    dir.write("m3.ko", b"not ELF at all");
    dir.write("m5.ko.BTF", fixture("demo2.btf"));
    std::fs::remove_file(dir.path("m7.ko.BTF")).unwrap();
    let (broken, other) = (dir.read("m3.ko"), dir.read("m5.ko"));
    let run = dir.elfgraft(&embed(&names, &[]));
    assert_eq!(run.code(), Some(1));
    let stderr = run.stderr();
    let errors: Vec<_> = stderr.lines().filter(|line| line.starts_with("elfgraft: error: ")).collect();
    assert_eq!(errors.len(), 3, "{stderr}");
    // In the order of the arguments.
    let wrong_base = "kernel would refuse";
    for (line, words) in errors.iter().zip([["m3.ko", "ELF"], ["m5.ko", wrong_base], ["m7.ko.BTF", "No such file"]]) {
        assert!(words.iter().all(|word| line.contains(word)), "{line}");
    }
    same(&dir.read("m3.ko"), &broken, "m3.ko");
    same(&dir.read("m5.ko"), &other, "m5.ko");
    for name in names.iter().filter(|name| !["m3.ko", "m5.ko", "m7.ko"].contains(&name.as_str())) {
        assert_eq!(ids(&dir.elf(name)).table(), expected(), "{name}");
    }
}

#[test]
fn the_result_is_that_of_single_runs() {
    let (dir, names) = tree();
    dir.elfgraft(&embed(&names, &[])).ok();
    let together = dir.read("m9.ko");
    dir.write("m9.ko", fixture("demo-stripped.ko"));
    dir.elfgraft(&embed(&names[9..10], &[])).ok();
    same(&dir.read("m9.ko"), &together, "m9.ko");
    // The base has changed: re-resolve without --btf, all at once.
    let inodes =
        |dir: &Dir| names.iter().map(|n| std::os::unix::fs::MetadataExt::ino(&dir.metadata(n))).collect::<Vec<_>>();
    let before = inodes(&dir);
    let args = [&["btf", "embed", "--btf-base", "vmlinux"][..], &names.iter().map(String::as_str).collect::<Vec<_>>()];
    dir.elfgraft(&args.concat()).ok();
    assert_eq!(inodes(&dir), before, "nothing to do");
}

/// strace sees all threads: the base is opened once, each module once, and each gets one new file.
#[test]
fn the_base_is_read_once_and_each_module_written_once() {
    if !installed("strace") {
        return;
    }
    let (dir, names) = tree();
    let trace = ["strace", "-f", "-o", "trace", "-e", "trace=openat,rename,renameat,renameat2"];
    dir.cmd(ELFGRAFT, &embed(&names, &[])).through(&trace).run().ok();
    let trace = String::from_utf8(dir.read("trace")).unwrap();
    let count = |call: &str, name: &str| {
        trace.lines().filter(|l| l.contains(call) && l.contains(&format!("\"{name}\"")) && !l.contains("-1 E")).count()
    };
    assert_eq!(count("openat(", "vmlinux"), 1, "{trace}");
    for name in &names {
        assert_eq!(count("openat(", &format!("{name}.BTF")), 1, "{trace}");
        assert_eq!(count("rename", name) + count("linkat", name), 1, "{name}\n{trace}");
    }
}

#[test]
fn tokens_of_make_are_given_back() {
    if !installed("mkfifo") {
        return;
    }
    let (dir, names) = tree();
    dir.cmd("mkfifo", &["jobs"]).run().ok();
    let mut fifo = OpenOptions::new().read(true).write(true).custom_flags(0o4000).open(dir.path("jobs")).unwrap();
    for tokens in [&b""[..], b"+", b"abc"] {
        fifo.write_all(tokens).unwrap();
        for name in &names {
            dir.write(name, fixture("demo-stripped.ko"));
        }
        let flags = format!(" -j4 --jobserver-auth=fifo:{}", dir.path("jobs").display());
        dir.cmd(ELFGRAFT, &embed(&names, &[])).env("MAKEFLAGS", flags).run().ok();
        let mut left = [0; 10];
        let mut left = fifo.read(&mut left).map_or(Vec::new(), |n| left[..n].to_vec());
        left.sort_unstable();
        assert_eq!(left, tokens);
        assert!(names.iter().all(|name| ids(&dir.elf(name)).table() == expected()));
    }
}

/// make before 4.4 names descriptors that a recipe without `+` does not have. Whatever has these numbers is left alone.
#[test]
fn a_jobserver_that_is_out_of_reach_allows_one_job() {
    if !installed("strace") {
        return;
    }
    let (dir, names) = tree();
    dir.write("plain", b"tokens?");
    for auth in ["8,9", "-2,-2", "3", "fifo:plain", "fifo:missing"] {
        let trace = ["strace", "-f", "-o", "trace", "-e", "trace=clone,clone3,read,write"];
        let cmd = dir.cmd(ELFGRAFT, &embed(&names, &[])).through(&trace).after("exec 8<>plain 9<>plain");
        cmd.env("MAKEFLAGS", format!("-j4 --jobserver-auth={auth}")).run().ok();
        let trace = String::from_utf8(dir.read("trace")).unwrap();
        // A thread may be started and leave again, but only the first one writes to files.
        let writers: std::collections::BTreeSet<_> =
            trace.lines().filter(|l| l.contains("write(")).filter_map(|l| l.split_whitespace().next()).collect();
        assert_eq!(writers.len(), 1, "{auth}: {trace}");
        assert_eq!(dir.read("plain"), b"tokens?");
        for name in &names {
            assert_eq!(ids(&dir.elf(name)).table(), expected());
            dir.write(name, fixture("demo-stripped.ko"));
        }
    }
}

/// The jobserver that make passes to a recipe with `+`, and the one it keeps from others.
#[test]
fn under_make() {
    if !installed("make") {
        return;
    }
    let (dir, names) = tree();
    for prefix in ["+", ""] {
        let line = embed(&names, &[]).join(" ").replace("{}", "'{}'");
        dir.write("Makefile", format!("all:\n\t{prefix}@{ELFGRAFT} {line}\n"));
        for name in &names {
            dir.write(name, fixture("demo-stripped.ko"));
        }
        dir.cmd("make", &["-j3"]).run().ok();
        assert!(names.iter().all(|name| ids(&dir.elf(name)).table() == expected()), "{prefix}");
    }
}

#[test]
fn one_btf_for_several_modules_is_refused() {
    let (dir, _) = tree();
    let before = dir.read("m0.ko");
    for option in ["--btf", "--btf-ids"] {
        let run = dir.elfgraft(&["btf", "embed", "--btf-base", "vmlinux", option, "m0.ko.BTF", "m0.ko", "m1.ko"]);
        run.fails(&[option, "2 modules", "'{}'"]);
    }
    same(&dir.read("m0.ko"), &before, "refused");
}
