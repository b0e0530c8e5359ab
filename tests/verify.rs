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

/// What follows from an edit is no difference: members of a group that goes, names that become others.
#[test]
fn what_was_asked_for_is_not_found() {
    for (line, file) in [
        ("strip", "demo.ko"),
        ("strip --strip-unneeded", "demo.ko"),
        ("strip --only-keep-debug", "hello"),
        ("-R .text.shared", "demo.ko"),
        ("-R .group", "demo.ko"),
        ("--rename-section .text=.foo --rename-section .data=.bar,alloc,data", "demo.ko"),
        ("--redefine-sym init_module=foo --redefine-sym demo_list_add=bar", "demo.ko"),
        ("--globalize-symbol=demo_init --weaken-symbol=init_module", "demo.ko"),
        ("--weaken", "obj-mips.o"),
        ("--localize-symbol=init_module", "demo.ko"),
        ("--add-symbol foo=.text:3,local", "demo.ko"),
        ("--set-section-flags .comment=alloc --set-section-alignment .comment=16", "demo.ko"),
        ("--set-section-flags .modinfo=noload", "vmlinux"),
        ("remove .modinfo", "vmlinux"),
    ] {
        let words: Vec<_> = line.split(' ').collect();
        let (status, text) = run(&[&["verify"], &words[..], &[fixture(file).to_str().unwrap()]].concat());
        assert!(status == 0 && !text.contains("BROKEN"), "{line}: {text}");
    }
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let (btf, demo) = (fixture("demo.btf"), fixture("demo.ko"));
    let set = format!(".BTF={}", btf.display());
    let dir = demo.parent().unwrap().to_str().unwrap();
    let demo = demo.to_str().unwrap();
    for (line, words) in [
        (&["set", &set, "none.ko"][..], "'none.ko': cannot open: No such file"),
        (&["set", &set, demo, "none.ko"], "'none.ko': cannot open: No such file"),
        (&["strip", "-g", "none.ko"], "'none.ko': cannot open: No such file"),
        (&["-R", ".BTF", dir], "it is a directory"),
        (&["set", &set], "verify takes an edit"),
        (&["strip", "-g"], "verify takes an edit"),
    ] {
        let (status, text) = run(&[&["verify"], line].concat());
        assert!(status == 1 && text.contains(words), "{line:?}: {text}");
    }
}

/// Law L2 with BTF in which every type has another ID: sets are sorted otherwise, and come back.
#[test]
fn detours_lead_through_other_btf_and_other_modules() {
    let file = |name: &str| fixture(name).display().to_string();
    let (demo, sorted, btf, base) =
        (file("demo.ko"), file("demo-upstream-sorted.ko"), file("demo.btf"), file("vmlinux"));
    let detour = |args: &[&str], what: &str| {
        let (status, text) = run(&[&["verify"], args].concat());
        assert!(
            status == 0 && verdict(&text, "L2").contains(&format!("holds: after a detour through {what}")),
            "{text}"
        );
    };
    let other = "BTF with other type IDs";
    detour(&["btf", "embed", "--btf", &btf, "--btf-base", &base, &demo], other);
    detour(&["btf", "embed", "--raw", &format!("--btf={btf}"), "--btf-base", &base, &demo], other);
    detour(&["btf-ids", "resolve", "--btf-base", &base, &sorted], other);
    detour(&["btf-ids", "resolve", &base], other);
    // Sorted without its symbols: only the BTF in it proves where they belong.
    detour(&["btf-ids", "resolve", &file("vmlinux-upstream-sorted")], other);
    detour(&["--other", &file("demo2.btf"), "set", &format!(".BTF={btf}"), &demo], "the other contents");
    let dir = tempfile::tempdir().unwrap();
    let order = dir.path().join("modules.order");
    std::fs::write(&order, "demo.o\nlivepatch.o\ntagged.o\n").unwrap();
    let testdata = file("");
    let patch = ["module-hashes", "patch", "--directory", &testdata, "--modules-order", order.to_str().unwrap(), &base];
    detour(&patch, "the modules in another order");
}

#[test]
fn verify_writes_nothing_but_copies() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).display().to_string();
    std::fs::copy(fixture("demo.ko"), path("x.ko")).unwrap();
    std::fs::write(path("f"), "old").unwrap();
    let (x, f) = (path("x.ko"), path("f"));
    for (args, why) in [
        (&["set", "-o", &f, ".comment=/dev/null", &x][..], "the result goes into another file"),
        (&["remove", "-o", &f, ".comment", &x], "the result goes into another file"),
        (&["strip", "-o", &f, &x], "the result goes into another file"),
        (&["--dump-section", &format!(".comment={f}"), &x], "--dump-section writes other files"),
        (&["set", "--dry-run", ".comment=/dev/null", &x], "--dry-run writes nothing"),
        (&["btf-ids", "show", &x], "does not edit"),
        (&["show", &x], "does not edit"),
        (&["module-hashes", "patch", "--proofs", &x], "--proofs writes other files"),
        (&["--command", "true", &x], "'{file}'"),
        (&["--command", "rm {file}", &x], "leaves no file"),
        (&["no-such-edit", &x], "no-such-edit"),
    ] {
        let (status, text) = run(&[&["verify"], args].concat());
        assert!(status == 1 && text.contains(why), "{args:?}: {text}");
    }
    // The value of a rename may be the name of a file.
    let rename = format!("--rename-section=.comment={f}");
    assert_eq!(run(&["verify", &rename, &x]).0, 0);
    assert_eq!(std::fs::read(&f).unwrap(), b"old");
    assert_eq!(std::fs::read(&x).unwrap(), std::fs::read(fixture("demo.ko")).unwrap());
    assert_eq!(std::fs::read_dir(&dir).unwrap().count(), 2);
    // People know their file, not our copy of it.
    let (_, text) = run(&["verify", "set", ".module_hashes=/dev/null", fixture("vmlinux").to_str().unwrap()]);
    assert!(text.contains(&format!("'{}': section '.module_hashes'", fixture("vmlinux").display())), "{text}");
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
    assert!(verdict(&text, "L4").contains("holds: 21 parts have another place"), "it moves sections: {text}");
    // The signature goes without a word.
    let (_, text) =
        run(&["verify", "--command", "objcopy -R .comment {file}", fixture("demo-signed.ko").to_str().unwrap()]);
    assert!(verdict(&text, "L4").contains("BROKEN") && text.contains("[signature]"), "{text}");
}

#[test]
fn d2_flags_that_gnu_strip_loses_are_found() {
    if !has("strip") {
        return;
    }
    let livepatch = fixture("livepatch.ko");
    let (status, text) = run(&["verify", "--command", "strip -g {file}", livepatch.to_str().unwrap()]);
    let lost = "section '.klp.rela.vmlinux..text' [10]: sh_flags 0x100042 (AI) -> 0x100002 (A)";
    assert!(status == 1 && verdict(&text, "L4").contains("BROKEN") && text.contains(lost), "{text}");
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
    assert_eq!(run(&["diff", a.to_str().unwrap()]).0, 2);
    assert_eq!(run(&["diff", "--no-such-option"]).0, 2);
    assert_eq!(run(&["diff", "--help"]).0, 0);
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

#[test]
fn who_read_a_file_is_said() {
    let demo = fixture("demo.ko");
    let demo = demo.to_str().unwrap();
    assert_eq!(run(&["diff", demo, demo]), (0, String::new()));
    assert!(run(&["diff", "-v", demo, demo]).1.contains(&format!("'{demo}': read by goblin")));
    assert!(run(&["check", "-v", demo]).1.contains("read by goblin"));
    assert!(run(&["diff", "--json", demo, demo]).1.contains(r#""readers":["goblin","goblin"]"#));
    assert!(run(&["verify", "remove", ".comment", demo]).1.contains("(compared by goblin)"));
    // Bytes in a string table that are not UTF-8.
    let dir = tempfile::tempdir().unwrap();
    let odd = dir.path().join("odd.ko");
    let mut bytes = std::fs::read(demo).unwrap();
    let at = bytes.windows(9).rposition(|w| w == b".comment\0").unwrap();
    bytes[at + 3] = 0xf4;
    std::fs::write(&odd, bytes).unwrap();
    let odd = odd.to_str().unwrap();
    let why = "read by own reader, because goblin does not read names that are not UTF-8";
    let (status, text) = run(&["diff", demo, odd]);
    assert!(
        status == 1 && text.contains(&format!("'{odd}': {why}")) && !text.contains(&format!("'{demo}': {why}")),
        "{text}"
    );
    assert!(run(&["check", odd]).1.contains(why));
}
