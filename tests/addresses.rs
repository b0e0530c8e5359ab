//! Addresses: `--change-section-address`, `-lma`, `-vma`, `--set-start`, `--adjust-start`.

// clippy.toml allows it in tests, but not in what they call.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod util;

use elfgraft_testkit::consts::*;
use elfgraft_testkit::diff::semantic_diff;
use elfgraft_testkit::elf::{ElfSpec, Section, Segment};
use elfgraft_testkit::format::Format;
use elfgraft_testkit::layouts;
use elfgraft_testkit::read::ReadElf;
use util::{Dir, fixture, installed, refused, same};

/// `.text`, `.note` and `.data` in two segments that are loaded elsewhere than they run, and `.comment`.
fn image(format: Format) -> Vec<u8> {
    ElfSpec::new(format, ET_EXEC)
        .section(Section::progbits(".text", SHF_ALLOC, [1; 16]).addr(0x1000).congruent(0x1000))
        .section(Section::progbits(".note", SHF_ALLOC, [2; 16]).addr(0x1010))
        .section(Section::progbits(".data", SHF_ALLOC | SHF_WRITE, [3; 16]).addr(0x3000).congruent(0x1000))
        .section(Section::progbits(".comment", 0, *b"GCC\0"))
        .segment(Segment::load(PF_R, ".text", ".note").paddr(0x10_1000))
        .segment(Segment::load(PF_R, ".data", ".data").paddr(0x10_2000))
        .build()
}

/// Runs on a copy, twice if `again`: the second run must change nothing then.
fn run(old: &[u8], args: &[&str], again: bool) -> Vec<u8> {
    let dir = Dir::new();
    dir.write("x", old);
    dir.objcopy(&[args, &["x", "out"]].concat()).quiet();
    if again {
        dir.objcopy(&[args, &["out", "out2"]].concat()).quiet();
        same(&dir.read("out2"), &dir.read("out"), &format!("{args:?} twice"));
    }
    dir.read("out")
}

#[test]
fn the_entry_point_is_set_and_moved() {
    for format in Format::FOUR {
        let old = image(format);
        let entry = |args: &[&str], again| ReadElf::parse(&run(&old, args, again)).header("e_entry");
        let was = ReadElf::parse(&old).header("e_entry");
        assert_eq!(entry(&["--set-start", "0x1234"], true), 0x1234);
        assert_eq!(entry(&["--set-start=0x1234", "--adjust-start=-0x34"], true), 0x1200);
        assert_eq!(entry(&["--adjust-start", "16"], false), was + 16);
        assert_eq!(entry(&["--change-start", "+16"], false), was + 16);
        // Nothing else changes: not one byte but the field's.
        let new = run(&old, &["--set-start", "0x1234"], true);
        let differs: Vec<_> = (0..old.len()).filter(|&at| old[at] != new[at]).collect();
        assert_eq!(new.len(), old.len());
        assert!(!differs.is_empty() && differs.iter().all(|at| (24..32).contains(at)), "{differs:?}");
        refused(&old, &["--set-start=0", "--adjust-start=-1"], &["entry point", "0x0"]);
        refused(&old, &["--set-start=x"], &["--set-start", "'x'"]);
        refused(&old, &["--adjust-start=--1"], &["--adjust-start"]);
    }
    refused(&image(Format::ARM), &["--set-start=0x100000000"], &["e_entry", "0x100000000", "ELF32"]);
}

#[test]
fn sections_of_objects_get_addresses() {
    for format in Format::FOUR {
        let old = layouts::gnu_ld_object(format).build();
        let new = run(&old, &["--change-section-address", ".text=0x1000"], true);
        assert_eq!(ReadElf::parse(&new).section(".text").addr, 0x1000);
        assert_eq!(new.len(), old.len());
        let up = run(&new, &["--change-section-vma=.text+0x20"], false);
        assert_eq!(ReadElf::parse(&up).section(".text").addr, 0x1020);
        same(&run(&up, &["--adjust-section-vma", ".text-0x1020"], false), &old, "moved back");
        let all =
            ReadElf::parse(&run(&old, &["--change-section-vma", "*=0x40", "--change-section-vma", "!.text=0"], true));
        assert_eq!((all.section(".text").addr, all.section(".data").addr), (0, 0x40));
        refused(&old, &["--change-section-vma", ".text-1"], &["--change-section-vma", "'.text'", "0x0"]);
        refused(&old, &["--change-section-vma", ".nope=1"], &["--change-section-vma", "'.nope'"]);
        refused(&old, &["--change-section-lma", ".text=1"], &["'.text'", "no loadable segment"]);
        for bad in [".text", ".text=", "=1", ".text=y"] {
            refused(&old, &["--change-section-address", bad], &["--change-section-address"]);
        }
    }
}

#[test]
fn a_linked_file_keeps_its_addresses_and_takes_new_sections() {
    for format in Format::FOUR {
        let old = image(format);
        refused(&old, &["--change-section-address", ".text=0x9000"], &["'.text'", "linked", "0x1000"]);
        same(&run(&old, &["--change-section-address", ".text=0x1000"], true), &old, "the address it has");
        let dir = Dir::new();
        dir.write("x", &old);
        dir.write("f", "contents");
        let flags = ["--set-section-flags", ".new=alloc,readonly", "--change-section-address", ".new=0x8000"];
        dir.objcopy(&[&["--add-section", ".new=f"], &flags[..], &["x"]].concat()).quiet();
        let elf = dir.elf("x");
        let section = elf.section(".new");
        assert_eq!((section.addr, section.flags, &section.data[..]), (0x8000, SHF_ALLOC, &b"contents"[..]));
    }
}

#[test]
fn load_addresses_move_with_their_segment() {
    for format in Format::FOUR {
        let old = image(format);
        let before = ReadElf::parse(&old);
        let new = run(&old, &["--change-section-lma", ".data=0x200000"], true);
        let after = ReadElf::parse(&new);
        assert_eq!((after.segments[1].paddr, after.segments[1].vaddr), (0x20_0000, before.segments[1].vaddr));
        assert_eq!(after.segments[0], before.segments[0]);
        assert_eq!(semantic_diff(&old, &new).len(), 1, "{:?}", semantic_diff(&old, &new));
        let all = ReadElf::parse(&run(&old, &["--change-section-lma", "*+0x1000"], false));
        assert_eq!((all.segments[0].paddr, all.segments[1].paddr), (0x10_2000, 0x10_3000));
        let words = ["'.text'", "'.note'", "one segment"];
        refused(&old, &["--change-section-lma", ".note+0x1000"], &words);
        refused(&old, &["--change-section-lma", ".comment=0x1000"], &["'.comment'", "no loadable segment"]);
        let none = ElfSpec::new(format, ET_EXEC)
            .section(Section::progbits(".text", SHF_ALLOC, [1; 16]).addr(0x1000).congruent(0x1000))
            .segment(Segment::load(PF_R, ".text", ".text").paddr(0))
            .build();
        refused(&none, &["--change-section-lma", ".text=0x5000"], &["no load addresses"]);
    }
}

#[test]
fn an_image_is_placed_by_the_load_addresses_asked_for() {
    for format in Format::FOUR {
        let old = image(format);
        let flat = |args: &[&str]| run(&old, &[&["-O", "binary"], args].concat(), false);
        assert_eq!(flat(&[]).len(), 0x1010);
        let near = flat(&["--change-section-lma", ".data=0x101030"]);
        assert_eq!(near, [[1; 16], [2; 16], [0; 16], [3; 16]].concat());
        // Sections of one segment can be told apart here; addresses in the file do not matter.
        let near =
            flat(&["--change-section-address", ".data-0xfe0", "--change-section-lma", ".note+0x30", "-R", ".comment"]);
        assert_eq!(near.len(), 0x50);
        assert_eq!(flat(&["--change-section-vma", ".data=0"]).len(), 0x1010);
        assert_eq!(flat(&["-j", ".note", "--change-section-lma", ".note=0"]), [2; 16]);
        refused(
            &old,
            &["-O", "binary", "--change-section-lma", ".note+8", "--change-section-lma", ".data=0x101020"],
            &["overlap"],
        );
        refused(&old, &["-O", "binary", "--change-section-lma", ".data=0x80000000"], &["--max-size", "'.data'"]);
    }
}

#[test]
fn images_and_records_are_gnus_byte_for_byte() {
    if !installed("objcopy") {
        return;
    }
    for name in ["vmlinux", "hello"] {
        for args in [
            &["--change-section-lma", ".data+0x100000"][..],
            &["--change-section-address", ".text-0x10"],
            &["--change-section-vma", ".text+0x100", "--set-start", "0x123456"],
            &["--change-section-lma", ".data*+0x20000", "--adjust-start", "4"],
        ] {
            for target in ["binary", "ihex", "srec"] {
                let dir = Dir::new();
                dir.write("x", fixture(name));
                let args = [args, &["-O", target, "x", "out"]].concat();
                dir.objcopy(&args).quiet();
                let ours = dir.read("out");
                dir.cmd("objcopy", &args).run().ok();
                same(&ours, &dir.read("out"), &format!("{name} {args:?}"));
            }
        }
    }
}
