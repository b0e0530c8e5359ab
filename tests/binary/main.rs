//! Flat images and objects made of them: `-O binary`, `-I binary`, and flags that decide what is loaded.

// clippy.toml allows it in tests, but not in what they call.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::cast_possible_truncation)]

#[path = "../util/mod.rs"]
mod util;

mod formats;
mod image;

use elfgraft_testkit::consts::*;
use elfgraft_testkit::elf::{ElfSpec, Section, Segment};
use elfgraft_testkit::fields::poke_section;
use elfgraft_testkit::format::{Class, Endian, Format};
use elfgraft_testkit::inputs::g6_modinfo_segment;
use elfgraft_testkit::layouts;
use elfgraft_testkit::read::ReadElf;
use util::{Dir, fixture, installed, same};

// Both peers set SHF_WRITE, and GNU writes p_vaddr 0: the flags are the peers', the segment's place is its own.
#[test]
fn b10_noload_leaves_the_segment_where_it_was() {
    for format in Format::FOUR {
        let old = g6_modinfo_segment(format);
        let before = ReadElf::parse(&old);
        let dir = Dir::new();
        dir.write("x", &old);
        dir.objcopy(&["--set-section-flags", ".modinfo=noload", "x"]).quiet();
        let after = dir.elf("x");
        let (section, was) = (after.section(".modinfo"), before.section(".modinfo"));
        assert_eq!((was.flags, section.flags), (SHF_ALLOC, SHF_WRITE));
        assert_eq!((section.addr, &section.data), (was.addr, &was.data));
        for (new, old) in after.segments.iter().zip(&before.segments) {
            assert_eq!((new.offset, new.vaddr, new.paddr), (old.offset, old.vaddr, old.paddr));
        }
        for name in [".text", ".data"].iter().filter(|n| before.index_of(n).is_some()) {
            assert_eq!(after.section(name).offset, before.section(name).offset);
        }
        let once = dir.read("x");
        dir.objcopy(&["--set-section-flags", ".modinfo=noload", "x"]).quiet();
        same(&dir.read("x"), &once, "twice");
    }
}

// Noload, then remove, or removing directly: the same program headers and the same loadable bytes.
#[test]
fn noload_and_remove_give_the_program_headers_of_removing() {
    for old in Format::FOUR
        .into_iter()
        .flat_map(|f| [layouts::vmlinux(f, false).build(), layouts::vmlinux(f, true).build()])
        .chain([fixture("vmlinux"), fixture("vmlinux-relocs")])
    {
        let dir = Dir::new();
        dir.write("x", &old);
        dir.objcopy(&["--set-section-flags", ".modinfo=noload", "x", "a"]).quiet();
        dir.objcopy(&["--remove-section=.modinfo", "a"]).quiet();
        dir.objcopy(&["--remove-section=.modinfo", "x", "b"]).quiet();
        assert_eq!(dir.elf("a").segments, dir.elf("b").segments);
        dir.objcopy(&["-O", "binary", "a", "a.bin"]).quiet();
        dir.objcopy(&["-O", "binary", "b", "b.bin"]).quiet();
        same(&dir.read("a.bin"), &dir.read("b.bin"), "loadable bytes");
    }
}
