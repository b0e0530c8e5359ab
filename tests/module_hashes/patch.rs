//! `patch`: the root into vmlinux, alone and with the final edits.

use elfgraft_testkit::consts::*;
use elfgraft_testkit::elf::{ElfSpec, Section};
use elfgraft_testkit::format::Format;

use crate::util::{fixture, same};
use crate::{Tree, with_section};

/// What Makefile.vmlinux does to vmlinux.unstripped.
const NOLOAD: [&str; 8] = [
    "--set-section-flags",
    ".modinfo=noload",
    "--set-section-flags",
    ".rel*=noload",
    "--set-section-flags",
    "!.rel*.dyn=noload",
    "--set-section-flags",
    ".rel.*=noload",
];
const REMOVE: [&str; 6] = [
    "--remove-section=.modinfo",
    "--remove-section=.rel*",
    "--remove-section=!.rel*.dyn",
    "--remove-section=.rel.*",
    "-w",
    "--strip-unneeded-symbol=__mod_device_table__*",
];

#[test]
fn only_the_36_bytes_change() {
    for (vmlinux, big) in [("vmlinux", false), ("vmlinux.be", true)] {
        let tree = Tree::new(5);
        let old = tree.dir.read(vmlinux);
        let at = usize::try_from(tree.dir.elf(vmlinux).section(".module_hashes").offset).unwrap();
        let expected = [&old[..at], &tree.model.section(big), &old[at + 36..]].concat();
        tree.run(&["patch", vmlinux, "out"]).quiet();
        same(&tree.dir.read("out"), &expected, "another file");
        same(&tree.dir.read(vmlinux), &old, "the input");
        tree.run(&["patch", vmlinux, "--in-place"]).quiet();
        same(&tree.dir.read(vmlinux), &expected, "in place");
        // Again, and over another root.
        for modules in ["changed", "contents of module 1"] {
            tree.dir.write("m1.ko", modules);
            tree.run(&["patch", vmlinux]).quiet();
            tree.run(&["patch", vmlinux]).ok();
        }
        same(&tree.dir.read(vmlinux), &expected, "in the end");
    }
}

#[test]
fn the_second_time_nothing_is_written() {
    let tree = Tree::new(2);
    tree.run(&["patch", "vmlinux", "-v"]).ok().warns(&["'vmlinux': replaced, 3"]);
    let inode = tree.dir.metadata("vmlinux");
    tree.run(&["patch", "vmlinux", "-v"]).ok().warns(&["'vmlinux': unchanged, 0"]);
    assert_eq!(
        std::os::unix::fs::MetadataExt::ino(&tree.dir.metadata("vmlinux")),
        std::os::unix::fs::MetadataExt::ino(&inode)
    );
}

// Hashes are to be patched when the final vmlinux is made, in the step that strips it:
// https://lists.ozlabs.org/pipermail/linuxppc-dev/2026-February/291951.html
#[test]
fn f8_one_pass_is_the_same_as_one_after_the_other() {
    let tree = Tree::new(3);
    tree.dir.write("unstripped", fixture("vmlinux-relocs"));
    tree.dir.objcopy(&[&NOLOAD[..], &["unstripped", "steps"]].concat()).ok();
    tree.dir.objcopy(&[&REMOVE[..], &["steps"]].concat()).ok();
    tree.dir.write("root", tree.model.section(false));
    tree.dir.objcopy(&["--update-section", ".module_hashes=root", "steps"]).ok();

    tree.run(&[&["patch", "unstripped", "once"], &NOLOAD[..], &REMOVE].concat()).quiet();
    same(&tree.dir.read("once"), &tree.dir.read("steps"), "one pass");
    let elf = tree.dir.elf("once");
    same(&elf.section(".module_hashes").data, &tree.model.section(false), "root");
    assert!(elf.sections.iter().all(|s| s.name != b".modinfo" && !s.name.starts_with(b".rel")));
    tree.run(&[&["patch", "once", "-v"], &NOLOAD[..], &REMOVE].concat()).ok().warns(&["unchanged"]);
}

#[test]
fn a_root_that_is_asked_for_and_removed_is_refused() {
    let tree = Tree::new(1);
    let old = tree.dir.read("vmlinux");
    tree.run(&["patch", "vmlinux", "--proofs", "-R", ".module*"]).fails(&["'vmlinux'", ".module_hashes", "at once"]);
    same(&tree.dir.read("vmlinux"), &old, "vmlinux");
    assert!(!tree.dir.path("m0.merkle").exists());
}

#[test]
fn proofs_of_the_same_tree() {
    let tree = Tree::new(3);
    tree.run(&["patch", "vmlinux", "--proofs", "--dry-run"]).ok();
    assert!(!tree.dir.path("m0.merkle").exists());
    tree.run(&["patch", "vmlinux", "--proofs"]).quiet();
    for pos in 0..3 {
        same(&tree.dir.read(format!("m{pos}.merkle")), &tree.model.merkle(pos), "proof");
    }
}

#[test]
fn dry_run_tells_the_36_bytes_and_writes_nothing() {
    let tree = Tree::new(3);
    let stamp = tree.dir.stamp("vmlinux");
    let text = tree.run(&["patch", "vmlinux", "--dry-run"]).ok().text();
    assert!(text.contains("replace section '.module_hashes' [5]: 36 -> 36 bytes"), "{text}");
    assert_eq!(tree.dir.stamp("vmlinux"), stamp);
}

#[test]
fn a_section_that_cannot_hold_a_root() {
    let tree = Tree::new(1);
    let root = Section::progbits(".module_hashes", SHF_ALLOC, [0; 36]);
    let twice = ElfSpec::new(Format::MIPS, ET_EXEC).section(root.clone()).section(root.clone());
    let cases = [
        (with_section(Section::progbits(".text", SHF_ALLOC, [0; 36])), "no section '.module_hashes'"),
        (with_section(root.clone().data([0; 35])), "section '.module_hashes' [1] is 35 bytes, a root is 36"),
        (with_section(root.clone().data([0; 40])), "section '.module_hashes' [1] is 40 bytes, a root is 36"),
        (with_section(root.clone().data([])), "section '.module_hashes' [1] is 0 bytes, a root is 36"),
        (with_section(Section::nobits(".module_hashes", 36)), "section '.module_hashes' [1] is SHT_NOBITS"),
        (with_section(root.clone().flags(0)), "section '.module_hashes' [1] is not allocated"),
        (twice.build(), "2 sections are named '.module_hashes': '.module_hashes' [1], '.module_hashes' [2]"),
        (b"no ELF file".to_vec(), "ELF"),
    ];
    for (file, message) in cases {
        tree.dir.write("bad", &file);
        for args in [&["patch", "bad", "--proofs"][..], &["verify", "bad", "m0.ko"]] {
            tree.run(args).fails(&["'bad'", message]);
        }
        same(&tree.dir.read("bad"), &file, "the file");
        assert!(!tree.dir.path("m0.merkle").exists());
    }
    // Allocated, but no PT_LOAD brings it to where the kernel runs.
    let loaded = elfgraft_testkit::layouts::vmlinux(Format::X86_64, true).build();
    let mut unloaded = loaded.clone();
    let segments = elfgraft_testkit::read::ReadElf::parse(&loaded).segments;
    assert!(segments.iter().any(|s| s.p_type == PT_LOAD));
    for i in 0..segments.len() {
        unloaded[64 + 56 * i] = 4;
    }
    tree.dir.write("bad", &unloaded);
    tree.run(&["patch", "bad"]).fails(&["'bad'", "section '.module_hashes' [5] is in no PT_LOAD"]);
    same(&tree.dir.read("bad"), &unloaded, "the file");
    // Whatever the class and the byte order, and wherever the section is.
    for format in Format::FOUR {
        tree.dir.write("good", ElfSpec::new(format, ET_EXEC).section(root.clone()).build());
        tree.run(&["patch", "good"]).quiet();
        let big = tree.model.section(true);
        let section = tree.dir.elf("good").section(".module_hashes").data.clone();
        let same_order = section == big;
        assert_eq!(same_order, format == Format::S390X || format == Format::MIPS);
        assert!(same_order || section == tree.model.section(false));
    }
}

#[test]
fn options_that_are_not_for_vmlinux_are_unknown() {
    let tree = Tree::new(1);
    tree.run(&["patch", "vmlinux", "--add-section", ".x=modules.order"]).fails(&["--add-section"]);
    tree.run(&["patch", "vmlinux", "--set-section-flags", ".modinfo=purple"]).fails(&["purple"]);
}
