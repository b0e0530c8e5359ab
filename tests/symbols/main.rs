//! Symbol options of `objcopy` and `strip`: what goes, what stays, and under which name and binding.

// clippy.toml allows it in tests, but not in what they call.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::cast_possible_truncation)]

#[path = "../util/mod.rs"]
mod util;

mod options;
mod reported;

use elfgraft_testkit::consts::*;
use elfgraft_testkit::diff::semantic_diff;
use elfgraft_testkit::elf::{ElfSpec, Section};
use elfgraft_testkit::format::Format;
use elfgraft_testkit::inputs::*;
use elfgraft_testkit::read::ReadElf;
use elfgraft_testkit::symbols::{Reloc, Symbol};
use util::{Dir, fixture, personality, refused, same};

const TEXT: u64 = SHF_ALLOC | SHF_EXECINSTR;
const DATA: u64 = SHF_ALLOC | SHF_WRITE;
const STT_FUNC: u8 = 2;

/// An object with a symbol of every sort; `l_used`, `g_used`, `undef` and section `.text` are named by relocations.
fn object(format: Format) -> Vec<u8> {
    let relocs = vec![
        Reloc::new(0, "l_used", 1, 0),
        Reloc::new(8, "g_used", 1, 0),
        Reloc::new(16, "undef", 1, 0),
        Reloc::new(24, ".text", 1, 4),
    ];
    ElfSpec::new(format, ET_REL)
        .section(Section::progbits(".text", TEXT, [0xc3; 32]))
        .section(Section::progbits(".data", DATA, [0; 32]).align(8))
        .section(Section::relocs(format, ".data", relocs))
        .section(Section::progbits(".debug_info", 0, [9; 8]))
        .section(Section::progbits(".comment", 0, *b"made by hand\0"))
        .symbols(vec![
            Symbol::file("a.c"),
            Symbol::section(".text"),
            Symbol::section(".data"),
            Symbol::section(".debug_info"),
            Symbol::local(".Ltmp", ".text").at(4, 0),
            Symbol::local("l_free", ".data").at(8, 4),
            Symbol::local("l_used", ".data").at(12, 4),
            Symbol::global("g_free", ".text").at(0, 8),
            Symbol::global("g_used", ".text").at(8, 8),
            Symbol::global("hidden", ".text").at(16, 8).other(2),
            Symbol::global("weak", ".text").at(24, 8).info(2, STT_FUNC),
            Symbol::reserved("undef", 0).info(1, 0),
            Symbol::reserved("unused", 0).info(1, 0),
            Symbol::reserved("absolute", SHN_ABS).at(77, 0).info(1, 0),
        ])
        .build()
}

const ALL: &str =
    "a.c [.text] [.data] [.debug_info] .Ltmp l_free l_used g_free g_used hidden weak undef unused absolute";

/// The symbols of a file: `[.text]` stands for that section's; `-` in front of a name says local, `?` weak.
fn symbols(file: &[u8], bindings: bool) -> String {
    let elf = ReadElf::parse(file);
    let word = |s: &elfgraft_testkit::read::ReadSymbol| {
        let name = match s.info & 15 {
            3 => format!("[{}]", String::from_utf8_lossy(&elf.sections[s.section.unwrap() as usize].name)),
            _ => String::from_utf8_lossy(&s.name).into_owned(),
        };
        let sign = ["-", "", "?"][usize::from(s.info >> 4)];
        if bindings && !name.starts_with('[') { format!("{sign}{name}") } else { name }
    };
    elf.symbols().iter().skip(1).map(word).collect::<Vec<_>>().join(" ")
}

/// `ALL` without some.
fn without(names: &[&str]) -> String {
    ALL.split(' ').filter(|n| !names.contains(n)).collect::<Vec<_>>().join(" ")
}

/// Runs `objcopy ARGS` twice on a copy; the second run must change nothing. Gives the result.
#[track_caller]
fn twice(old: &[u8], args: &[&str]) -> Vec<u8> {
    let dir = Dir::new();
    dir.write("x", old);
    dir.write("names", "g_free # why\n\n  l_free\n");
    dir.write("pairs", "g_free g_new\nl_free l_new\n");
    dir.objcopy(&[args, &["x"]].concat()).quiet();
    let once = dir.read("x");
    dir.objcopy(&[args, &["x"]].concat()).quiet();
    same(&dir.read("x"), &once, &format!("{args:?} twice"));
    dir.write("x", old);
    dir.objcopy(&[args, &["x", "out"]].concat()).quiet();
    same(&dir.read("out"), &once, &format!("{args:?} to another file"));
    same(&dir.read("x"), old, "input");
    once
}

// Kconfig and scripts of the kernel read it: the first line of `--version` decides features, "llvm" in it turns some off.
#[test]
fn the_version_is_read_by_scripts() {
    for tool in ["elfgraft-objcopy", "elfgraft-strip"] {
        for option in ["--version", "-V"] {
            let dir = Dir::new();
            let text = dir.cmd(personality(tool), &[option]).run().ok().text();
            let line = text.lines().next().unwrap();
            assert!(!line.to_lowercase().contains("llvm"), "{line}");
            let words: Vec<_> = line.split(' ').collect();
            assert_eq!(words, [tool, "(elfgraft)", env!("CARGO_PKG_VERSION")], "name (package) version");
        }
    }
}

// As GNU's: `-S` keeps `.comment` and empty sections that are not allocated, for they lie in the vDSO.
#[test]
fn stripping_a_shared_object_keeps_comment_and_empty_sections() {
    for format in Format::FOUR {
        let old = ElfSpec::new(format, ET_DYN)
            .section(Section::progbits(".text", TEXT, [0xc3; 32]).addr(0x1000).congruent(0x1000))
            .section(Section::progbits("__ex_table", SHF_ALLOC, [1; 8]).addr(0x1020))
            .section(Section::progbits(".data_nosave", 0, []))
            .section(Section::progbits(".comment", 0, *b"GCC\0"))
            .section(Section::progbits(".debug_line", 0, [1; 4]))
            .symbols(vec![Symbol::global("f", ".text").at(0x1000, 8)])
            .build();
        let new = twice(&old, &["-S", "--remove-section", "__ex_table"]);
        let elf = ReadElf::parse(&new);
        let names: Vec<_> = elf.sections.iter().map(|s| String::from_utf8_lossy(&s.name).into_owned()).collect();
        assert_eq!(names, ["", ".text", ".data_nosave", ".comment", ".shstrtab"]);
        assert_eq!(elf.section(".text").offset, ReadElf::parse(&old).section(".text").offset);
    }
}

// gen-btf.sh makes an object of one section, then patches e_type.
#[test]
fn only_section_and_strip_all_leave_one_section() {
    for format in Format::FOUR {
        let old = g4_btf_ids(format);
        let new = twice(&old, &["--only-section=.BTF", "--strip-all"]);
        let elf = ReadElf::parse(&new);
        let names: Vec<_> = elf.sections.iter().map(|s| String::from_utf8_lossy(&s.name).into_owned()).collect();
        assert_eq!(names, ["", ".BTF", ".shstrtab"]);
        assert_eq!(elf.section(".BTF").data, ReadElf::parse(&old).section(".BTF").data);
    }
    let new = twice(
        &fixture("vmlinux"),
        &["--only-section=.BTF", "--set-section-flags", ".BTF=alloc,readonly", "--strip-all"],
    );
    let elf = ReadElf::parse(&new);
    assert_eq!(elf.sections.len(), 3);
    assert_eq!(elf.section(".BTF").flags, SHF_ALLOC);
    assert_eq!(elf.section(".BTF").data, ReadElf::parse(&fixture("vmlinux")).section(".BTF").data);
}
