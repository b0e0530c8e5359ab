//! What people reported, group f: strip as distributors use it. Signatures are in `regression_p.rs`, module hashes in
//! `module_hashes`.

// clippy.toml allows it in tests, but not in what they call.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::cast_possible_truncation)]

mod util;

use elfgraft_testkit::consts::*;
use elfgraft_testkit::diff::semantic_diff;
use elfgraft_testkit::elf::{ElfSpec, Section};
use elfgraft_testkit::format::Format;
use elfgraft_testkit::read::ReadElf;
use elfgraft_testkit::symbols::{Reloc, Symbol};
use util::{Dir, fixture, installed, personality, same};

fn strip(old: &[u8], args: &[&str]) -> Vec<u8> {
    let dir = Dir::new();
    dir.write("x.ko", old);
    dir.cmd(personality("elfgraft-strip"), &[args, &["x.ko"]].concat()).run().quiet();
    let once = dir.read("x.ko");
    dir.cmd(personality("elfgraft-strip"), &[args, &["x.ko"]].concat()).run().quiet();
    same(&dir.read("x.ko"), &once, "stripped twice");
    once
}

/// A module with everything the loader reads.
fn module(format: Format) -> Vec<u8> {
    let relocs = vec![Reloc::new(0, "l_used", 1, 0), Reloc::new(8, "printk", 1, 0)];
    ElfSpec::new(format, ET_REL)
        .section(Section::progbits(".text", SHF_ALLOC | SHF_EXECINSTR, [0xc3; 32]))
        .section(Section::relocs(format, ".text", relocs))
        .section(Section::progbits(".orc_unwind", SHF_ALLOC, [1; 12]))
        .section(Section::progbits(".orc_unwind_ip", SHF_ALLOC, [2; 8]))
        .section(Section::progbits(".orc_header", SHF_ALLOC, [3; 20]))
        .section(Section::progbits("__versions", SHF_ALLOC, [4; 64]))
        .section(Section::progbits(".gnu.linkonce.this_module", SHF_ALLOC | SHF_WRITE, [5; 64]))
        .section(Section::progbits(".modinfo", SHF_ALLOC, *b"license=GPL\0"))
        .section(Section::progbits(".BTF_ids", SHF_ALLOC, [6; 8]).align(4))
        .section(Section::progbits(".BTF", 0, [7; 24]).align(4))
        .section(Section::progbits(".BTF.base", 0, [8; 24]).align(4))
        .section(Section::progbits(".gnu_debuglink", 0, [9; 12]))
        .section(Section::progbits(".comment", 0, *b"GCC\0"))
        .section(Section::progbits(".debug_info", 0, [10; 32]))
        .section(Section::progbits(".debug_line", 0, [11; 32]))
        .symbols(vec![
            Symbol::local("l_used", ".text").at(0, 4),
            Symbol::local("l_free", ".text").at(4, 4),
            Symbol::global("init_module", ".text").at(8, 4),
            Symbol::global("cleanup_module", ".text").at(12, 4),
            Symbol::global("__this_module", ".gnu.linkonce.this_module").at(0, 64),
            Symbol::reserved("printk", 0).info(1, 0),
        ])
        .build()
}

// https://github.com/microsoft/azurelinux/pull/13813, https://github.com/dracut-ng/dracut/pull/667: a stripped module has
// lost its BTF or ORC tables, or cannot be loaded.
#[test]
fn f2_a_stripped_module_is_still_a_module() {
    for format in Format::FOUR {
        let old = module(format);
        let before = ReadElf::parse(&old);
        for option in ["--strip-debug", "--strip-unneeded", "-g"] {
            let elf = ReadElf::parse(&strip(&old, &[option]));
            for section in &before.sections[1..] {
                let name = String::from_utf8_lossy(&section.name).into_owned();
                match elf.sections.iter().find(|s| s.name == section.name) {
                    None => assert!(name.starts_with(".debug_"), "{option}: {name} is gone"),
                    Some(new) if !["tab", ".text"].iter().any(|n| name.ends_with(n)) => {
                        assert_eq!(
                            (&new.data, new.flags, new.addralign),
                            (&section.data, section.flags, section.addralign)
                        );
                    }
                    _ => {}
                }
            }
            let names: Vec<_> = elf.symbols().iter().map(|s| String::from_utf8_lossy(&s.name).into_owned()).collect();
            for name in ["l_used", "init_module", "cleanup_module", "__this_module", "printk"] {
                assert!(names.iter().any(|n| n == name), "{option}: {name} is gone");
            }
            assert_eq!(names.iter().any(|n| n == "l_free"), option != "--strip-unneeded");
        }
    }
    // A real one: what is left is what was there.
    let old = fixture("demo.ko");
    let new = strip(&old, &["--strip-debug"]);
    let lost = |d: &String| ![".debug", "'.group'", ".symtab"].iter().any(|n| d.contains(n));
    let lost: Vec<_> = semantic_diff(&old, &new).into_iter().filter(lost).collect();
    assert_eq!(lost, [""; 0]);
}

// A kernel refused all modules that `strip --strip-debug` had made, "Invalid ELF section in module": .note.GNU-stack is
// empty, stood behind the debugging sections, and its offset was that of old, beyond the end of the file.
#[test]
fn f2_every_section_of_a_stripped_module_lies_in_the_file() {
    for format in Format::FOUR {
        let old = ElfSpec::new(format, ET_REL)
            .section(Section::progbits(".text", SHF_ALLOC | SHF_EXECINSTR, [0xc3; 32]))
            .section(Section::progbits(".debug_info", 0, [10; 4000]))
            .section(Section::progbits(".note.GNU-stack", 0, []))
            .section(Section::progbits(".BTF", 0, [7; 3000]).align(4))
            .section(Section::progbits(".empty", SHF_ALLOC, []).align(16))
            .symbols(vec![Symbol::global("init_module", ".text").at(8, 4)])
            .build();
        let dir = Dir::new();
        dir.write("btf", "small");
        let tools = ["elfgraft-strip", "elfgraft-objcopy"].map(personality);
        for (tool, args) in [
            (0, &["--strip-debug"][..]),
            (0, &["--strip-unneeded"]),
            (0, &["--strip-all"]),
            (1, &["-R", ".debug_info"]),
            (1, &["-R", ".debug_info", "-R", ".BTF"]),
            (1, &["-R", ".BTF", "--add-section", ".BTF=btf"]),
            (1, &["--update-section", ".BTF=btf"]),
            (1, &["-j", ".text"]),
            (1, &["--only-keep-debug"]),
        ] {
            dir.write("x.ko", &old);
            dir.cmd(&tools[tool], &[args, &["x.ko"]].concat()).run().quiet();
            let new = dir.read("x.ko");
            for section in ReadElf::parse(&new).sections.iter().filter(|s| s.sh_type != SHT_NOBITS) {
                let end = section.offset + section.size;
                let name = String::from_utf8_lossy(&section.name).into_owned();
                assert!(end <= new.len() as u64, "{args:?}: {name} ends at {end:#x} of {:#x}", new.len());
            }
        }
    }
}

// https://github.com/llvm/llvm-project/issues/57407, https://github.com/llvm/llvm-project/issues/54417,
// https://github.com/llvm/llvm-project/issues/60451: LLVM's `-g` strips .gnu_debuglink, and `--strip-all` more than GNU's.
#[test]
fn f3_stripping_takes_what_gnus_takes() {
    for format in Format::FOUR {
        let old = module(format);
        for option in ["-g", "--strip-unneeded", "-s"] {
            let elf = ReadElf::parse(&strip(&old, &[option]));
            for name in [".gnu_debuglink", ".comment"] {
                assert_eq!(elf.section(name).data, ReadElf::parse(&old).section(name).data, "{option}");
            }
        }
    }
    if !installed("strip") {
        return;
    }
    let names = |elf: &ReadElf| -> Vec<String> {
        let mut names: Vec<_> = elf.sections.iter().map(|s| s.label.clone()).collect();
        names.sort();
        names
    };
    let symbols = |elf: &ReadElf| -> Vec<(Vec<u8>, u64, u8)> {
        let mut all: Vec<_> = elf.symbols().into_iter().map(|s| (s.name, s.value, s.info)).collect();
        all.sort();
        all
    };
    for name in ["demo.ko", "obj-x86_64.o", "hello", "libdemo.so", "obj-compressed.o"] {
        for option in ["-g", "--strip-unneeded", "-s"] {
            let ours = ReadElf::parse(&strip(&fixture(name), &[option]));
            let dir = Dir::with(&[name]);
            dir.cmd("strip", &[option, name]).run().ok();
            let gnus = dir.elf(name);
            assert_eq!(names(&ours), names(&gnus), "{option} {name}");
            assert_eq!(symbols(&ours), symbols(&gnus), "{option} {name}");
        }
    }
}
