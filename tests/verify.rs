#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test

//! `elfgraft verify`, `diff` and `check`: what the peers break is found, what we do holds, and a planted fault of each
//! law is found, because a verifier that cannot fail proves nothing.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const ELFGRAFT: &str = env!("CARGO_BIN_EXE_elfgraft");

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(name)
}

fn run(args: &[&str]) -> (i32, String) {
    let Output { status, stdout, stderr } = Command::new(ELFGRAFT).args(args).output().unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    (status.code().unwrap(), text)
}

/// The verdict on one law.
fn verdict<'t>(text: &'t str, law: &str) -> &'t str {
    let line = text.lines().find(|l| l.trim_start().starts_with(law));
    line.unwrap_or_else(|| panic!("no line for {law} in:\n{text}"))
}

fn has(program: &str) -> bool {
    let found = Command::new(program).arg("--version").output().is_ok();
    if !found {
        eprintln!("skipped: {program} is not installed");
    }
    found
}

#[test]
fn our_edits_keep_the_laws() {
    let (demo, btf, vmlinux) = (fixture("demo.ko"), fixture("demo.btf"), fixture("vmlinux"));
    let (demo, vmlinux) = (demo.to_str().unwrap(), vmlinux.to_str().unwrap());
    let set = format!(".BTF={}", btf.display());
    let upstream = fixture("demo-upstream-sorted.ko");
    let before = std::fs::read(demo).unwrap();
    let edits: [&[&str]; 6] = [
        &["set", &set, demo],
        &["--remove-section", ".BTF", "--add-section", &set, demo],
        &["-R", ".comment", demo],
        &["strip", "-g", demo],
        &["btf", "embed", "--btf", btf.to_str().unwrap(), "--btf-base", vmlinux, demo],
        &["btf-ids", "resolve", "--btf-base", vmlinux, upstream.to_str().unwrap()],
    ];
    for edit in edits {
        let (status, text) = run(&[&["verify"], edit].concat());
        assert_eq!(status, 0, "{text}");
        assert!(!text.contains("BROKEN"), "{text}");
        assert!(verdict(&text, "L1").contains("holds") && verdict(&text, "L4").contains("holds"), "{text}");
    }
    assert_eq!(std::fs::read(demo).unwrap(), before, "FILE is never written");
    let (_, text) = run(&["verify", "set", &set, demo]);
    assert!(verdict(&text, "L2").contains("holds") && verdict(&text, "L3").contains("holds"), "{text}");
}

#[test]
fn adding_twice_is_found_in_ours_too() {
    let add = format!(".new={}", fixture("demo.btf").display());
    let (status, text) = run(&["verify", "--add-section", &add, fixture("demo.ko").to_str().unwrap()]);
    assert_eq!(status, 1, "{text}");
    assert!(verdict(&text, "L1").contains("BROKEN"), "{text}");
}

#[test]
fn b1_what_gnu_objcopy_breaks_is_found() {
    if !has("objcopy") {
        return;
    }
    let demo = fixture("demo.ko");
    let command = ["verify", "--command", "objcopy --add-section .BTF={blob} {file} 2>/dev/null"];
    let (status, text) =
        run(&[&command[..], &["--inverse", "objcopy -R .BTF {file}", demo.to_str().unwrap()]].concat());
    assert_eq!(status, 1, "{text}");
    for law in ["L1", "L2", "L3"] {
        assert!(verdict(&text, law).contains("BROKEN"), "{law}: {text}");
    }
    // It moves sections on the way, and the signature goes without a word.
    let (_, text) =
        run(&["verify", "--command", "objcopy -R .comment {file}", fixture("demo-signed.ko").to_str().unwrap()]);
    assert!(verdict(&text, "L4").contains("BROKEN") && text.contains("[signature]"), "{text}");
}

#[test]
fn b1_what_llvm_objcopy_breaks_is_found() {
    if !has("llvm-objcopy") {
        return;
    }
    let demo = fixture("demo.ko");
    let command = "llvm-objcopy --add-section .BTF={blob} {file}";
    let (status, text) = run(&["verify", "--command", command, demo.to_str().unwrap()]);
    assert_eq!(status, 1, "{text}");
    assert!(verdict(&text, "L1").contains("BROKEN") && text.contains("'.BTF' [53]: added"), "{text}");
}

/// A tool that does its work with elfgraft and then breaks one law.
fn planted(fault: &str, file: &str) -> (i32, String) {
    let command = format!("{ELFGRAFT} set .BTF={{blob}} {{file}} && {fault}");
    let inverse = format!("{ELFGRAFT} remove .BTF {{file}}");
    run(&["verify", "--command", &command, "--inverse", &inverse, fixture(file).to_str().unwrap()])
}

#[test]
fn a_planted_fault_of_each_law_is_found() {
    let (status, text) = planted("true", "demo.ko");
    assert_eq!(status, 0, "without a fault all is well:\n{text}");
    let poke = |at: &str| format!("printf X | dd of={{file}} bs=1 seek={at} conv=notrunc status=none");
    for (law, fault, file) in [
        // Every run makes the file longer.
        ("L1", "printf x >> {file}".to_owned(), "demo.ko"),
        // What was there before stays behind: the length of earlier contents.
        ("L2", "stat -c %s {blob} > {file}.n; dd if=/dev/zero of={file} bs=1 seek=20000000 count=0 conv=notrunc status=none; \
                if [ $(cat {file}.max 2>/dev/null || echo 0) -lt $(cat {file}.n) ]; then cp {file}.n {file}.max; fi; \
                truncate -s $((30000000 + $(cat {file}.max))) {file}".to_owned(), "demo.ko"),
        // A byte of .text that no removal brings back.
        ("L3", poke("0x90").replace("0x90", "144"), "demo.ko"),
        ("L4", poke("144"), "demo.ko"),
        ("L5", poke("200"), "demo-gnu.ko"),
    ] {
        let (status, text) = match law {
            // Contents of the size that is there: else locality says nothing.
            "L5" => {
                let blob = fixture("demo.btf");
                let command = format!("{ELFGRAFT} set .BTF={} {{file}} && {fault}", blob.display());
                run(&["verify", "--command", &command, fixture(file).to_str().unwrap()])
            }
            _ => planted(&fault, file),
        };
        assert_eq!(status, 1, "{law}: {text}");
        assert!(verdict(&text, law).contains("BROKEN"), "{law}: {text}");
    }
}

#[test]
fn diff_says_in_one_line_which_flag_changed() {
    let dir = tempfile::tempdir().unwrap();
    let (a, b) = (dir.path().join("a.ko"), dir.path().join("b.ko"));
    let vmlinux = fixture("vmlinux");
    std::fs::copy(fixture("demo.ko"), &a).unwrap();
    let btf = fixture("demo.btf");
    let embed = ["btf", "embed", "--raw", "--btf", btf.to_str().unwrap(), "--btf-base", vmlinux.to_str().unwrap()];
    assert_eq!(run(&[&embed[..], &[a.to_str().unwrap()]].concat()).0, 0);
    // bpf_demo_acquire has the flags 5; its pair is the last of the set8.
    let mut bytes = std::fs::read(&a).unwrap();
    let ids = std::fs::read(fixture("demo.BTF_ids")).unwrap();
    let at = bytes.windows(ids.len()).position(|w| w == ids).unwrap();
    let pair = ids.chunks(4).position(|w| w == 164u32.to_le_bytes()).unwrap();
    assert_eq!(bytes[at + pair * 4 + 4], 5);
    bytes[at + pair * 4 + 4] = 1;
    std::fs::write(&b, bytes).unwrap();
    let (status, text) =
        run(&["diff", "--btf-base", vmlinux.to_str().unwrap(), a.to_str().unwrap(), b.to_str().unwrap()]);
    assert_eq!(status, 1, "{text}");
    let lines: Vec<_> = text.lines().filter(|l| l.starts_with("  ")).collect();
    assert_eq!(lines.len(), 1, "{text}");
    assert!(lines[0].contains("bpf_demo_acquire") && lines[0].contains("[btf-id-flags]"), "{text}");
    let (status, _) = run(&["diff", "--ignore", "btf-id-flags", a.to_str().unwrap(), b.to_str().unwrap()]);
    assert_ne!(status, 2);
    assert_eq!(run(&["diff", a.to_str().unwrap(), a.to_str().unwrap()]).0, 0);
    assert_eq!(run(&["diff", a.to_str().unwrap(), "/nowhere"]).0, 2, "trouble is 2, as with diff");
}

#[test]
fn check_passes_fixtures_and_names_what_is_wrong() {
    for name in ["demo.ko", "vmlinux", "hello", "libdemo.so", "livepatch.ko", "obj-s390x.o", "obj-arm.o"] {
        let (status, text) = run(&["check", fixture(name).to_str().unwrap()]);
        assert_eq!(status, 0, "{text}");
    }
    let dir = tempfile::tempdir().unwrap();
    let broken = dir.path().join("broken.ko");
    let mut bytes = std::fs::read(fixture("demo.ko")).unwrap();
    bytes.truncate(20_000);
    std::fs::write(&broken, bytes).unwrap();
    let (status, text) = run(&["check", broken.to_str().unwrap()]);
    assert_eq!(status, 1, "{text}");
    assert!(text.contains("error: "), "{text}");
    let (_, json) = run(&["check", "--json", broken.to_str().unwrap()]);
    assert!(json.contains("\"sound\":false"), "{json}");
}
