//! The programs in examples/ do what they say, and what the command does.

// clippy.toml allows it in tests, but not in what they call.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod util;

#[path = "../examples/set_section.rs"]
mod set_section;
#[path = "../examples/sort_sets.rs"]
mod sort_sets;
#[path = "../examples/verify.rs"]
mod verify;

use elfgraft_patch::Kind;
use util::{Dir, fixture, same};

#[test]
fn a_section_is_set() {
    let dir = Dir::with(&["demo.ko", "demo.btf"]);
    let set = || set_section::set_section(&dir.path("demo.ko"), ".BTF", &fixture("demo.btf")).unwrap();
    assert_eq!(set().kind, Kind::Replaced);
    assert_eq!(dir.elf("demo.ko").section(".BTF").data, fixture("demo.btf"));
    assert_eq!((set().kind, set().bytes_written), (Kind::Unchanged, 0));
    // As the command does it.
    let once = dir.read("demo.ko");
    dir.elfgraft(&["set", ".BTF=demo.btf", "demo.ko"]).quiet();
    same(&dir.read("demo.ko"), &once, "the command");
    dir.write("no.ko", "no ELF file");
    assert!(set_section::set_section(&dir.path("no.ko"), ".BTF", b"").is_err());
}

#[test]
fn sets_are_sorted_with_their_symbols() {
    let dir = Dir::with(&["vmlinux-upstream-sorted"]);
    let path = dir.path("vmlinux");
    dir.write("vmlinux", fixture("vmlinux-upstream-sorted"));
    assert!(sort_sets::sort_sets(&path).unwrap_err().to_string().contains("relocations"));
    // A final vmlinux has none.
    dir.objcopy(&["--remove-section=.rel*", "vmlinux-upstream-sorted", "vmlinux"]).ok();
    dir.objcopy(&["vmlinux", "other"]).ok();
    assert!(sort_sets::sort_sets(&path).unwrap() > 0);
    dir.elfgraft(&["btf-ids", "check", "vmlinux"]).ok();
    dir.elfgraft(&["btf-ids", "sort", "other"]).ok();
    same(&dir.read("vmlinux"), &dir.read("other"), "the command");
    assert_eq!(sort_sets::sort_sets(&path).unwrap(), 0);
    same(&dir.read("vmlinux"), &dir.read("other"), "sorted again");
}

#[test]
fn an_edit_is_verified() {
    let (old, new) = (fixture("demo.ko"), fixture("demo-gnu.ko"));
    // GNU objcopy has put it in front of the symbol tables, which means nothing.
    assert_eq!(verify::other_differences(&old, &new, ".BTF").unwrap(), []);
    let other = verify::other_differences(&old, &new, ".text").unwrap();
    assert!(other.len() == 1 && other[0].place.contains("'.BTF'"), "{other:?}");
    assert!(verify::other_differences(&old, b"no ELF file", ".BTF").is_err());
}

#[test]
fn modules_are_verified() {
    let dir = Dir::new();
    dir.write("a.ko", "contents of a");
    dir.write("b.ko", "contents of b");
    dir.write("modules.order", "a.o\nb.o\n");
    dir.elfgraft(&["module-hashes", "build", "--proofs", "--root", "root", "--endian", "little"]).quiet();
    dir.elfgraft(&["module-hashes", "sign", "a.ko"]).quiet();
    let (good, text) = verify::modules(&dir.read("root"), &[dir.path("a.ko")]).unwrap();
    assert!(good && text.ends_with("a.ko: ok good, module 0 of this vmlinux\n"), "{text}");
    let (good, text) = verify::modules(&dir.read("root"), &[dir.path("a.ko"), dir.path("b.ko")]).unwrap();
    assert!(!good && text.ends_with("b.ko: ENODATA no proof is appended\n"), "{text}");
    assert!(verify::modules(b"not 36 bytes", &[dir.path("a.ko")]).is_err());
}
