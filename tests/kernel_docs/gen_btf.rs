//! Shell functions of gen-btf.sh and link-vmlinux.sh.

use crate::util::{Dir, Run, fixture, installed, same};
use crate::{block, difference, in_build, sound, tree};

/// What the functions are called with; resolve_btfids runs here where the block leaves it to `gen_btf_data`.
const BEFORE: &str = "set -e
ELF_FILE=$1 BTF_BASE=$2
gen_btf_data()
{
	$PAHOLE -J ${BTF_BASE:+--btf_base $BTF_BASE} --btf_encode_detached=$ELF_FILE.BTF.1 $ELF_FILE
	$RESOLVE_BTFIDS ${BTF_BASE:+--btf_base $BTF_BASE} --btf $ELF_FILE.BTF.1 $ELF_FILE
}
gen_btf_o()
{
	elfgraft objcopy -I binary -O elf64-x86-64 -N '*' $ELF_FILE.BTF object.o
	$OBJCOPY --remove-section .data --add-section .BTF=$ELF_FILE.BTF --set-section-flags .BTF=alloc,readonly object.o $ELF_FILE.btf.o
}
";
const AFTER: &str = "
gen_btf_data
if [ -n \"$BTF_BASE\" ]; then embed_btf_data; rm -f $ELF_FILE.BTF*; else gen_btf_o; fi
";

const SMALLEST: &str = "scripts/gen-btf.sh, smallest change";
const WHOLE: &str = "scripts/gen-btf.sh, whole change";

/// gen-btf.sh with one of the changes.
fn gen_btf<'d>(dir: &'d Dir, change: &str, file: &str, base: &str) -> Run<'d> {
    dir.write("gen-btf.sh", [BEFORE, &block("sh", change), AFTER].concat());
    in_build(dir, "sh", &["gen-btf.sh", file, base]).run()
}

#[test]
fn modules_can_go_through_it_again() {
    let dir = tree();
    for (change, name) in [(SMALLEST, "smallest.ko"), (WHOLE, "whole.ko")] {
        dir.write(name, fixture("demo.ko"));
        gen_btf(&dir, change, name, "vmlinux").ok();
        sound(&dir, name);
        let once = dir.read(name);
        gen_btf(&dir, change, name, "vmlinux").ok();
        same(&dir.read(name), &once, change);
        assert!(!dir.names().iter().any(|name| name.contains(".ko.BTF")), "{:?}", dir.names());
    }
    // Alike but for what the text says.
    let difference = difference(&dir, "smallest.ko", "whole.ko");
    let told = |line: &String| line.contains("'.BTF' [52]: sh_addralign 0x1 -> 0x4") || line.ends_with("[moved]");
    assert!(difference.iter().all(told), "{difference:?}");
}

#[test]
fn another_vmlinux_needs_no_link_with_the_whole_change() {
    let dir = tree();
    let fresh = |change, base| {
        dir.write("fresh.ko", fixture("demo.ko"));
        gen_btf(&dir, change, "fresh.ko", base).ok();
        dir.read("fresh.ko")
    };
    let (vmlinux, other) = (fresh(WHOLE, "vmlinux"), fresh(WHOLE, "other"));
    assert_ne!(vmlinux, other);
    for (base, expected) in [("vmlinux", &vmlinux), ("other", &other), ("vmlinux", &vmlinux)] {
        gen_btf(&dir, WHOLE, "demo.ko", base).ok();
        same(&dir.read("demo.ko"), expected, base);
    }
    // With the smallest one it is refused, as the text says, and not mixed up.
    dir.write("demo.ko", fresh(SMALLEST, "vmlinux"));
    let ids = dir.elf("demo.ko").section(".BTF_ids").data.clone();
    let run = gen_btf(&dir, SMALLEST, "demo.ko", "other");
    run.check(run.code() != Some(0) && run.stderr().contains("link it again"), "refused");
    assert_eq!(dir.elf("demo.ko").section(".BTF_ids").data, ids);
}

#[test]
fn flags_are_resolve_btfids() {
    let dir = tree();
    let with_flags = |flags: &str, file: &str| {
        dir.write("gen-btf.sh", [BEFORE, &block("sh", WHOLE), AFTER].concat());
        let run = in_build(&dir, "sh", &["gen-btf.sh", file, "vmlinux"]).env("RESOLVE_BTFIDS_FLAGS", flags).run();
        run.code()
    };
    // A type of the fixture is not there, which is a warning.
    assert_eq!(with_flags("--fatal_warnings", "demo.ko"), Some(1));
    same(&dir.read("demo.ko"), &fixture("demo.ko"), "the module");
    assert_eq!(with_flags("--distill_base --verbose", "demo.ko"), Some(0));
    assert!(!dir.elf("demo.ko").section(".BTF.base").data.is_empty());
}

#[test]
fn the_object_with_the_btf_of_vmlinux() {
    let dir = tree();
    for (change, name) in [(SMALLEST, "smallest"), (WHOLE, "whole")] {
        dir.write(name, fixture("vmlinux"));
        let change = block("sh", change);
        dir.write("gen-btf.sh", [BEFORE, &change, AFTER].concat());
        in_build(&dir, "sh", &["gen-btf.sh", name, ""]).run().ok();
        same(&dir.read(name), &fixture("vmlinux"), "the linked file");
    }
    let btf = |name: &str| dir.elf(name).section(".BTF").clone();
    let (smallest, whole) = (btf("smallest.btf.o"), btf("whole.btf.o"));
    assert_eq!((&smallest.data, smallest.flags), (&whole.data, whole.flags));
    same(&dir.read("smallest.BTF_ids"), &dir.read("whole.BTF_ids"), ".BTF_ids");
    if installed("ld") {
        dir.cmd("ld", &["-m", "elf_x86_64", "-r", "-o", "linked.o", "whole.btf.o"]).run().quiet();
        assert_eq!(btf("linked.o").data, whole.data);
    }
}

#[test]
fn ids_of_a_linked_vmlinux() {
    let dir = tree();
    // Linked, the IDs not resolved yet; and as another tool leaves it.
    for name in ["vmlinux", "vmlinux-upstream-sorted"] {
        dir.write("image", fixture(name));
        let script = ["VMLINUX=image\n", &block("sh", "scripts/link-vmlinux.sh")].concat();
        in_build(&dir, "sh", &["-ec", &script]).run().ok();
        sound(&dir, "image");
        let once = dir.read("image");
        in_build(&dir, "sh", &["-ec", &script]).run().ok();
        same(&dir.read("image"), &once, name);
    }
}

#[test]
fn gen_btf_before_7_0() {
    let dir = tree();
    let script =
        [&block("sh", "scripts/link-vmlinux.sh, before 7.0"), "gen_btf vmlinux; echo $btf_vmlinux_bin_o"].concat();
    let run = in_build(&dir, "sh", &["-ec", &script]).run().ok();
    assert_eq!(run.text(), "vmlinux.btf.o\n");
    assert_eq!(dir.elf("vmlinux.btf.o").section(".BTF").data, fixture("vmlinux.btf"));
    same(&dir.read("vmlinux"), &fixture("vmlinux"), "the linked file");
}
