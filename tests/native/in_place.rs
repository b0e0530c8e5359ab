//! `--in-place` gives the same bytes in the same file.

use super::*;

/// Edits that keep all kept bytes in their place, and edits that do not.
#[test]
fn it_gives_the_same_bytes_in_the_same_inode_or_says_why_not() {
    for (name, edit, stays) in [
        ("demo.ko", &["set", ".BTF_ids=ids"][..], true),
        ("vmlinux", &["set", ".module_hashes=hashes"], true),
        ("vmlinux", &["remove", ".notes"], false),
        ("demo.ko", &["remove", ".comment"], false),
        ("demo.ko", &["set", ".BTF=demo.btf"], true),
        ("vmlinux", &["objcopy", "--rename-section", ".comment.none=.x"], true),
    ] {
        let dir = Dir::with(&[name, "demo.btf"]);
        dir.write("ids", vec![5; 164]);
        dir.write("hashes", vec![6; 36]);
        let old = dir.read(name);
        dir.write("expected", &old);
        dir.elfgraft(&[edit, &["expected"]].concat()).quiet();
        let inode = dir.metadata(name).ino();
        let run = dir.elfgraft(&[edit, &["--in-place", "-v", name]].concat()).ok();
        same(&dir.read(name), &dir.read("expected"), &format!("{edit:?}"));
        let kept = dir.metadata(name).ino() == inode;
        let text = run.stderr();
        assert_eq!(kept, !text.contains("not edited in place: "), "{text}");
        assert_eq!(kept, text.contains("edited in place, ") || text.contains("unchanged, "), "{text}");
        assert!(kept || !stays, "{edit:?}: {text}");
        assert!(!dir.names().iter().any(|n| n.starts_with('.')), "{:?}", dir.names());
    }
}

#[test]
fn it_writes_only_what_changes() {
    let dir = Dir::with(&["vmlinux"]);
    let elf = dir.elf("vmlinux");
    let mut hashes = elf.section(".module_hashes").data.clone();
    hashes[..8].copy_from_slice(b"\x01\0\0\0abcd");
    dir.write("hashes", &hashes);
    let run = dir.elfgraft(&["set", "--in-place", "-v", ".module_hashes=hashes", "vmlinux"]).ok();
    // The first word and half of the next: 1, and a, b, c, d; zeros stay.
    assert!(
        run.stderr().contains("edited in place, 5 of ") || run.stderr().contains("edited in place, 8 of "),
        "{}",
        run.stderr()
    );
    let changed: Vec<_> = elf.bytes.iter().zip(dir.read("vmlinux")).filter(|(a, b)| *a != b).collect();
    assert_eq!(changed.len(), 5);
}

#[test]
fn another_output_is_written_whole() {
    let dir = Dir::with(&["demo.ko", "demo.btf"]);
    dir.elfgraft(&["set", ".BTF=demo.btf", "-o", "expected", "demo.ko"]).quiet();
    dir.elfgraft(&["set", "--in-place", ".BTF=demo.btf", "-o", "out", "demo.ko"]).ok();
    same(&dir.read("out"), &dir.read("expected"), "out");
    same(&dir.read("demo.ko"), &fixture("demo.ko"), "the input");
}
