//! What the kernel's build relies on, as far as sections go.

use super::*;

#[test]
fn rel_is_a_pattern_that_also_hits_what_only_begins_so() {
    let old = fixture("vmlinux-relocs");
    assert!(names(&ReadElf::parse(&old)).contains(&".relaruntime_ptr_ids".into()));
    let args = [
        "--remove-section=.modinfo",
        "--remove-section=.rel*",
        "--remove-section=!.rel*.dyn",
        "--remove-section=.rel.*",
    ];
    let left = names(&ReadElf::parse(&objcopy(&old, &args)));
    assert!(!left.iter().any(|n| n.starts_with(".rel")), "{left:?}");
    assert!(left.contains(&"runtime_ptr_ids".into()));
    // First made noload, as scripts/Makefile.vmlinux does.
    let first = [
        "--set-section-flags",
        ".modinfo=noload",
        "--set-section-flags",
        ".rel*=noload",
        "--set-section-flags",
        "!.rel*.dyn=noload",
    ];
    same(&objcopy(&objcopy(&old, &first), &args), &objcopy(&old, &args), "noload, then removed");
}

#[test]
fn the_btf_step_run_twice_is_the_step_run_once() {
    let dir = Dir::with(&["demo.ko", "demo.btf", "demo.BTF_ids", "demo-small.btf"]);
    let line = "--remove-section .BTF --add-section .BTF=demo.btf --remove-section .BTF.base --add-section \
                .BTF.base=demo-small.btf --update-section .BTF_ids=demo.BTF_ids demo.ko";
    let args: Vec<_> = line.split_whitespace().collect();
    dir.objcopy(&args).quiet();
    let once = dir.read("demo.ko");
    dir.objcopy(&args).quiet();
    same(&dir.read("demo.ko"), &once, "twice");
    let elf = dir.elf("demo.ko");
    assert_eq!(elf.section(".BTF").data, dir.read("demo.btf"));
    assert_eq!(elf.section(".BTF.base").data, dir.read("demo-small.btf"));
    assert_eq!(elf.section(".BTF_ids").data, dir.read("demo.BTF_ids"));
}

#[test]
fn outputs_that_exist_are_overwritten() {
    let dir = Dir::with(&["demo.ko"]);
    dir.write("out.ko", vec![0xff; 500_000]);
    dir.objcopy(&["-R", ".comment", "demo.ko", "out.ko"]).quiet();
    assert_eq!(semantic_diff(&fixture("demo.ko"), &dir.read("out.ko"))[0], "section '.comment': only in the first");
}

/// A vmlinux.btf object as scripts/link-vmlinux.sh makes it.
#[test]
fn allocated_read_only_contents_in_one_call() {
    let dir = Dir::with(&["obj-x86_64.o", "vmlinux.btf"]);
    let line = "--add-section .BTF=vmlinux.btf --set-section-flags .BTF=alloc,readonly obj-x86_64.o btf.o";
    dir.objcopy(&line.split_whitespace().collect::<Vec<_>>()).quiet();
    let elf = dir.elf("btf.o");
    assert_eq!((elf.section(".BTF").flags, elf.section(".BTF").sh_type), (SHF_ALLOC, SHT_PROGBITS));
    dir.objcopy(&["--only-section=.BTF", "btf.o"]).quiet();
    assert_eq!(names(&dir.elf("btf.o")), [".symtab", ".strtab", ".shstrtab", ".BTF"]);
}
