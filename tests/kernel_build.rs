//! Compares what two kernel builds made; scripts/kernel-build.sh runs them and then this.

// clippy.toml allows it in tests, but not in what they call.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod meaning;
mod util;

use std::fs;
use std::path::{Path, PathBuf};

use elfgraft_testkit::consts::*;
use elfgraft_testkit::read::ReadElf;
use meaning::meaning;
use util::{Dir, personality};

/// Regular files below a directory, by path from there.
fn files(root: &Path) -> Vec<PathBuf> {
    let (mut found, mut open) = (Vec::new(), vec![root.to_owned()]);
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(&dir).unwrap() {
            let path = entry.unwrap().path();
            let kind = fs::symlink_metadata(&path).unwrap().file_type();
            if kind.is_dir() {
                open.push(path);
            } else if kind.is_file() {
                found.push(path.strip_prefix(root).unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

fn root(name: &str) -> PathBuf {
    PathBuf::from(std::env::var_os(name).unwrap_or_else(|| panic!("{name} is not set")))
}

/// What differs between two files, in words; ELF files are compared by meaning.
fn differences(a: &[u8], b: &[u8]) -> Vec<String> {
    let elf = a.starts_with(b"\x7fELF") && b.starts_with(b"\x7fELF");
    match elf {
        _ if a == b => Vec::new(),
        true => meaning(a).symmetric_difference(&meaning(b)).take(10).cloned().collect(),
        false => vec![format!("{} and {} bytes that are not the same", a.len(), b.len())],
    }
}

/// Notes of the build itself, no products.
const NOTES: [&str; 4] = ["calls.log", ".config.old", "made-with-gnu", "made-with-elfgraft"];

/// What is made of a vDSO's file, whole: vmlinux holds its bytes, those behind the loadable ones too, its C source has
/// a line number in a symbol's name, and the build ID and what is compressed follow.
const FOLLOWS: [&str; 26] = [
    "vdso-image-32.c",
    "vdso-image-32.o",
    "vdso-image-64.c",
    "vdso-image-64.o",
    "vdso-image-x32.c",
    "vdso-image-x32.o",
    "vmlinux",
    "vmlinux.o",
    "System.map",
    ".tmp_vmlinux.nm-sort",
    ".tmp_vmlinux1",
    ".tmp_vmlinux1.kallsyms.S",
    ".tmp_vmlinux1.kallsyms.o",
    ".tmp_vmlinux1.syms",
    ".tmp_vmlinux2",
    ".tmp_vmlinux2.kallsyms.S",
    ".tmp_vmlinux2.kallsyms.o",
    ".tmp_vmlinux2.syms",
    "bzImage",
    "piggy.S",
    "piggy.o",
    "vmlinux.bin",
    "vmlinux.bin.gz",
    "header.o",
    "setup.elf",
    "zoffset.h",
];

#[test]
#[ignore = "needs two kernel builds: scripts/kernel-build.sh"]
fn both_builds_made_the_same() {
    let (gnu, ours) = (root("KERNEL_GNU"), root("KERNEL_ELFGRAFT"));
    let product = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_str().unwrap();
        // What is below include/config is empty; make looks at the times.
        !path.starts_with("include/config")
            && !NOTES.contains(&name)
            && !name.ends_with(".cmd")
            && !name.ends_with(".d")
    };
    let products = |dir: &Path| files(dir).into_iter().filter(product).collect::<Vec<_>>();
    let names = products(&gnu);
    assert!(names.iter().any(|n| n.ends_with("vmlinux")));
    assert!(names.iter().filter(|n| n.extension().is_some_and(|e| e == "ko")).count() > 10);
    assert_eq!(names, products(&ours));
    let (mut identical, mut equal, mut follow, mut different) = (0, 0, 0, Vec::new());
    for name in names {
        let (a, b) = (fs::read(gnu.join(&name)).unwrap(), fs::read(ours.join(&name)).unwrap());
        if a == b {
            identical += 1;
            continue;
        }
        // Looked at in the other tests; a vmlinux with its relocations has millions of lines of meaning.
        if FOLLOWS.iter().any(|f| name.ends_with(f)) || name.ends_with("boot/setup.bin") {
            println!("{}: follows the vDSOs", name.display());
            follow += 1;
            continue;
        }
        let found = differences(&a, &b);
        if found.is_empty() {
            println!("{}: equal by meaning", name.display());
            equal += 1;
        } else {
            different.extend(found.into_iter().map(|d| format!("{}: {d}", name.display())));
        }
    }
    println!("{identical} files identical, {equal} equal by meaning, {follow} that follow the vDSOs");
    assert!(different.is_empty(), "{}", different.join("\n"));
}

// The kernel image of both builds: the same sections at the same addresses.
#[test]
#[ignore = "needs two kernel builds: scripts/kernel-build.sh"]
fn both_kernels_have_the_same_sections() {
    let sections = |root: &Path| {
        let elf = ReadElf::parse(&fs::read(root.join("vmlinux")).unwrap());
        let loaded = elf.sections.into_iter().filter(|s| s.flags & SHF_ALLOC != 0);
        loaded.map(|s| (s.label.clone(), s.addr, s.size, s.flags, s.sh_type, s.data)).collect::<Vec<_>>()
    };
    let (gnu, ours) = (sections(&root("KERNEL_GNU")), sections(&root("KERNEL_ELFGRAFT")));
    assert!(gnu.len() > 20);
    assert_eq!(gnu.len(), ours.len());
    for (a, b) in gnu.iter().zip(&ours) {
        assert_eq!((&a.0, a.1, a.2, a.3, a.4), (&b.0, b.1, b.2, b.3, b.4));
        let bytes = a.5.iter().zip(&b.5).filter(|(a, b)| a != b).count();
        if bytes != 0 {
            println!("vmlinux {}: {bytes} of {} bytes differ", a.0, a.5.len());
        }
    }
}

// With the same inputs the same outputs: the calls of the build with GNU's tools, made again with ours.
#[test]
#[ignore = "needs two kernel builds: scripts/kernel-build.sh"]
fn each_call_made_again_gives_what_gnus_tool_gave() {
    let gnu = root("KERNEL_GNU");
    let build = gnu.with_file_name("build");
    let log = fs::read_to_string(gnu.join("calls.log")).unwrap();
    let (mut calls, mut failures) = (0, Vec::new());
    for line in log.lines() {
        let [tool, dir, args] = line.splitn(3, '|').collect::<Vec<_>>().try_into().unwrap();
        let args = args.replace('\\', "");
        let words: Vec<&str> = args.split_whitespace().collect();
        let here = gnu.join(Path::new(dir).strip_prefix(&build).unwrap_or(Path::new(".")));
        let [options @ .., input, output] = words.as_slice() else { continue };
        // Calls that changed a file in place are compared by what the builds made.
        if input.starts_with('-') || input.contains('=') || !here.join(input).is_file() || !here.join(output).is_file()
        {
            continue;
        }
        let out = Dir::new();
        let again: Vec<String> = options
            .iter()
            .map(|o| (*o).to_owned())
            .chain([here.join(input).display().to_string(), "out".to_owned()])
            .collect();
        let again: Vec<&str> = again.iter().map(String::as_str).collect();
        out.cmd(personality(&format!("elfgraft-{tool}")), &again).run().quiet();
        let found = differences(&fs::read(here.join(output)).unwrap(), &out.read("out"));
        println!("{tool} {args}: {}", if found.is_empty() { "same" } else { "DIFFERENT" });
        failures.extend(found.into_iter().map(|d| format!("{args}: {d}")));
        calls += 1;
    }
    assert!(calls >= 12, "{calls} calls");
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
