//! `--dry-run`, against tests/golden.

use super::*;

/// What `--dry-run` prints, and that it does what it prints: nothing.
#[test]
fn a_plan_is_printed_and_nothing_is_written() {
    for (name, file, args) in [
        ("set-new", "demo.ko", &["set", ".BTF=demo.btf"][..]),
        ("set-again", "demo-gnu.ko", &["set", ".BTF=demo.btf"]),
        ("set-same-size", "demo.ko", &["set", ".BTF_ids=demo.BTF_ids"]),
        ("set-two", "obj-mips.o", &["set", ".BTF=demo-small.btf", ".BTF.base=demo.btf"]),
        (
            "remove",
            "demo.ko",
            &["remove", ".rodata.shared", "-s", ".note.GNU*", "-s", "__patch*", "-s", ".text.shared"],
        ),
        ("remove-in-segment", "vmlinux", &["remove", ".notes"]),
        ("noload", "vmlinux", &["objcopy", "--set-section-flags", ".modinfo=noload"]),
        ("rename", "demo.ko", &["objcopy", "--rename-section", ".data=.data.x", "--set-section-alignment=.data.x=64"]),
        ("signature", "demo-signed.ko", &["remove", "--drop-signature", ".comment"]),
        ("nothing", "hello", &["remove", ".none"]),
    ] {
        let dir = Dir::with(&[file, "demo.btf", "demo-small.btf", "demo.BTF_ids"]);
        let stamp = dir.stamp(file);
        let run = dir.elfgraft(&[args, &["--dry-run", file]].concat()).ok();
        assert_eq!(run.stderr(), "");
        golden(&format!("plan-{name}"), &run.text());
        assert_eq!(dir.stamp(file), stamp, "{name}: the file was touched");
        assert_eq!(dir.names().len(), 4);
        // The last line counts what a run then tells with -v.
        let text = run.text();
        let count = text.lines().last().unwrap().trim();
        let told = dir.elfgraft(&[args, &["-v", file]].concat()).ok().stderr();
        assert!(told.contains(count), "{count} in {told}");
    }
}

#[test]
fn a_plan_of_what_is_refused_is_the_refusal() {
    let dir = Dir::with(&["demo.ko", "demo-signed.ko"]);
    dir.write("f", vec![0; 1000]);
    dir.elfgraft(&["set", "--dry-run", ".BTF_ids=f", "demo.ko"]).fails(&["'.BTF_ids' [22]", "1000", "164"]);
    dir.elfgraft(&["remove", "--dry-run", ".comment", "demo-signed.ko"]).fails(&["--drop-signature"]);
    dir.objcopy(&["--dry-run", "-R", ".strtab", "demo.ko", "out"]).fails(&["'.symtab'"]);
    assert_eq!(dir.names(), ["demo-signed.ko", "demo.ko", "f"]);
}

#[test]
fn dumps_are_planned_too() {
    let dir = Dir::with(&["demo.ko"]);
    let text = dir.elfgraft(&["dump", "--dry-run", ".comment=o", ".text=p", "demo.ko"]).ok().text();
    assert_eq!(
        text,
        "demo.ko: dump section '.comment' [31] (160 bytes) to 'o'\ndemo.ko: dump section '.text' [4] (673 bytes) to 'p'\n"
    );
    assert_eq!(dir.names(), ["demo.ko"]);
}
