//! What people reported, group c: `-O binary`.

// clippy.toml allows it in tests, but not in what they call.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod util;

use std::os::unix::fs::MetadataExt;

use elfgraft_testkit::consts::*;
use elfgraft_testkit::elf::{ElfSpec, Section, Segment};
use elfgraft_testkit::format::{Class, Format};
use elfgraft_testkit::inputs::{g10_load_addresses, g10_load_gap};
use util::{Dir, fixture, personality, same};

// https://sourceware.org/bugzilla/show_bug.cgi?id=22120, https://github.com/llvm/llvm-project/issues/54075: a wrong load
// address makes a file of gigabytes.
#[test]
fn c1_a_hole_between_load_addresses_is_refused_by_its_size() {
    for format in Format::FOUR {
        let dir = Dir::new();
        dir.write("x", g10_load_gap(format));
        let words = ["'x'", "'.data'", "0xfff00000", "'.text'", "4292870112 bytes", "--max-size"];
        dir.objcopy(&["-O", "binary", "x", "out"]).fails(&words);
        assert_eq!(dir.names(), ["x"]);
        // Who wants it gets it, without the hole on the disk.
        dir.objcopy(&["-O", "binary", "--max-size=0x100000000", "x", "out"]).quiet();
        let metadata = dir.metadata("out");
        assert_eq!(metadata.len(), 0xfff0_0000 - 0x10_0000 + 16);
        assert!(metadata.blocks() < 256, "{} blocks: the hole takes room", metadata.blocks());
    }
}

// https://github.com/llvm/llvm-project/issues/88878, https://github.com/llvm/llvm-project/pull/97036: teams ask for a limit.
#[test]
fn c2_the_limit_is_an_option() {
    let dir = Dir::new();
    dir.write("x", g10_load_addresses(Format::ARM));
    dir.objcopy(&["-O", "binary", "--max-size=0x31", "x", "out"]).quiet();
    dir.objcopy(&["-O", "binary", "--max-size=0x30", "x", "no"]).fails(&["larger than 48 bytes"]);
    dir.objcopy(&["-O", "binary", "--pad-to=0x40000000", "--max-size=0x31", "x", "no"])
        .fails(&["--pad-to", "--max-size"]);
    dir.objcopy(&["-O", "binary", "--max-size=much", "x", "no"]).fails(&["--max-size", "'much'"]);
    assert_eq!(dir.names(), ["out", "x"]);
}

// No public report: LLVM needs 42 s and 3.2 GB of memory for a gap of 3.2 GB, GNU's file is sparse.
#[test]
fn c3_memory_and_disk_do_not_follow_the_gap() {
    let image = |format, lma| {
        ElfSpec::new(format, ET_EXEC)
            .section(Section::progbits(".text", SHF_ALLOC, [1; 32]).addr(0x10_0000).congruent(0x1000))
            .section(Section::progbits(".data", SHF_ALLOC, [2; 16]).addr(0x10_1000).congruent(0x1000))
            .segment(Segment::load(PF_R, ".text", ".text"))
            .segment(Segment::load(PF_R, ".data", ".data").paddr(lma))
            .build()
    };
    for format in Format::FOUR {
        let lma = if format.class == Class::Elf64 { 0x1_0010_0000 } else { 0xc000_0000 };
        let dir = Dir::new();
        dir.write("x", image(format, lma));
        let args = ["-O", "binary", "--max-size=0x200000000", "x", "out"];
        dir.cmd(personality("elfgraft-objcopy"), &args).after("ulimit -v 200000").run().quiet();
        let metadata = dir.metadata("out");
        assert_eq!(metadata.len(), lma - 0x10_0000 + 16);
        assert!(metadata.blocks() < 256, "{} blocks", metadata.blocks());
    }
    // Filled with another byte it takes room on the disk, but none in memory.
    let (dir, size) = (Dir::new(), 0x400_0000_usize);
    dir.write("x", image(Format::X86_64, 0x410_0000));
    let args = ["-O", "binary", "--gap-fill=0xa5", "--pad-to=0x8100000", "x", "out"];
    dir.cmd(personality("elfgraft-objcopy"), &args).after("ulimit -d 16384").run().quiet();
    let expected = [&[1; 32][..], &vec![0xa5; size - 32], &[2; 16], &vec![0xa5; size - 16]].concat();
    same(&dir.read("out"), &expected, "filled");
}

// https://github.com/llvm/llvm-project/issues/55246, https://github.com/llvm/llvm-project/issues/62636,
// https://github.com/llvm/llvm-project/issues/58407: padding and load address rules that differ from GNU's.
#[test]
fn c4_sections_lie_where_they_are_loaded() {
    for format in Format::FOUR {
        let dir = Dir::new();
        dir.write("x", g10_load_addresses(format));
        dir.objcopy(&["-O", "binary", "x", "out"]).quiet();
        // .text is loaded at 0x100000, .data at 0x100021: no alignment is made up between them.
        let expected = [&[1; 32][..], &[0], &[2; 16]].concat();
        same(&dir.read("out"), &expected, "image");
        dir.objcopy(&["-O", "binary", "--gap-fill=0xff", "--pad-to", "0x100040", "x", "out"]).quiet();
        let expected = [&[1; 32][..], &[0xff], &[2; 16], &[0xff; 15]].concat();
        same(&dir.read("out"), &expected, "filled image");
        // What has no contents takes no room; one that is not allocated is not loaded.
        let with = ElfSpec::new(format, ET_EXEC)
            .section(Section::progbits(".text", SHF_ALLOC, [1; 32]).addr(0x1000).congruent(0x1000))
            .section(Section::nobits(".bss", 64).flags(SHF_ALLOC | SHF_WRITE).addr(0x1020))
            .section(Section::progbits(".comment", 0, *b"no\0"))
            .segment(Segment::load(PF_R, ".text", ".bss"))
            .build();
        dir.write("x", with);
        dir.objcopy(&["-O", "binary", "x", "out"]).quiet();
        same(&dir.read("out"), &[1; 32], "without .bss");
    }
}

// https://github.com/brandsimon/verity-squash-root/pull/49: GNU 2.41 seeks on standard output.
#[test]
fn c5_an_image_goes_through_a_pipe() {
    let dir = Dir::new();
    dir.write("x", fixture("vmlinux"));
    dir.objcopy(&["-O", "binary", "-j", ".modinfo", "x", "out"]).quiet();
    assert!(!dir.read("out").is_empty());
    for target in ["-", "/dev/stdout"] {
        let run = dir.objcopy(&["-O", "binary", "-j", ".modinfo", "x", target]).ok();
        same(run.stdout(), &dir.read("out"), target);
    }
    dir.objcopy(&["-O", "binary", "x", "all"]).quiet();
    same(dir.objcopy(&["-O", "binary", "x", "-"]).ok().stdout(), &dir.read("all"), "with gaps");
    same(
        dir.cmd(personality("elfgraft-objcopy"), &["-O", "binary", "-", "-"])
            .stdin(fixture("vmlinux"))
            .run()
            .ok()
            .stdout(),
        &dir.read("all"),
        "from a pipe",
    );
}
