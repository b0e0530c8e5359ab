//! Sections set, updated and removed.

use super::*;

// https://lkml.iu.edu/2604.0/03655.html: adding `.BTF` again fails in GNU with a misleading reason, and gives a second
// `.BTF` in LLVM.
#[test]
fn b1_set_again_gives_the_same_bytes() {
    for module in ["demo.ko", "demo-gnu.ko", "demo-llvm.ko", "demo-lld.ko", "obj-s390x.o", "obj-mips.o"] {
        let dir = Dir::with(&[module, "demo.btf", "demo-large.btf", "demo-small.btf"]);
        dir.elfgraft(&["set", ".BTF=demo.btf", module]).quiet();
        let once = dir.read(module);
        let inode = dir.metadata(module).ino();
        dir.elfgraft(&["set", ".BTF=demo.btf", module]).quiet();
        same(&dir.read(module), &once, module);
        assert_eq!(dir.metadata(module).ino(), inode, "nothing was to be written");
        // Whatever was set between.
        for other in ["demo-large.btf", "demo-small.btf"] {
            dir.elfgraft(&["set", &format!(".BTF={other}"), module]).quiet();
            assert_eq!(dir.elf(module).section(".BTF").data, dir.read(other));
        }
        dir.elfgraft(&["set", ".BTF=demo.btf", module]).quiet();
        same(&dir.read(module), &once, module);
    }
}

#[test]
fn b1_adding_what_exists_is_refused_and_remove_with_add_replaces() {
    let dir = Dir::with(&["demo.ko", "demo.btf", "demo2.btf"]);
    dir.objcopy(&["--add-section", ".BTF=demo.btf", "demo.ko"]).quiet();
    let once = dir.read("demo.ko");
    let again = dir.objcopy(&["--add-section", ".BTF=demo.btf", "demo.ko"]);
    again.fails(&["'demo.ko'", "'.BTF' [52]", "exists", "--remove-section"]);
    same(&dir.read("demo.ko"), &once, "after the refusal");
    for blob in ["demo.btf", "demo2.btf", "demo2.btf", "demo.btf"] {
        dir.objcopy(&["-R", ".BTF", "--add-section", &format!(".BTF={blob}"), "demo.ko"]).quiet();
        assert_eq!(dir.elf("demo.ko").index_of(".BTF"), Some(52));
        assert_eq!(dir.elf("demo.ko").section(".BTF").data, dir.read(blob));
    }
    same(&dir.read("demo.ko"), &once, "there and back");
}

// https://github.com/llvm/llvm-project/issues/168060: an update makes st_shndx of symbols 0xffff, without a table of
// extended indices.
#[test]
fn b3_an_update_changes_no_symbol() {
    for format in Format::FOUR {
        let rodata = Section::progbits(".rodata.holder", SHF_ALLOC, [1; 40]).align(8);
        let symbols = (0..5).map(|n| Symbol::local(&format!("s{n}"), ".rodata.holder").at(n * 8, 8));
        let relocs = vec![Reloc::new(0, "s1", 1, 0), Reloc::new(8, "s4", 1, 0)];
        let spec = ElfSpec::new(format, ET_REL).section(rodata).relocs(".rodata.holder", relocs);
        let old = spec.symbols(symbols.collect()).build();
        let dir = Dir::new();
        dir.write("f", [9; 40]);
        for program in ["elfgraft", "objcopy"] {
            dir.write("x.o", &old);
            match program {
                "elfgraft" => dir.elfgraft(&["set", ".rodata.holder=f", "x.o"]),
                _ => dir.objcopy(&["--update-section", ".rodata.holder=f", "x.o"]),
            }
            .quiet();
            let new = dir.read("x.o");
            let at = ReadElf::parse(&old).section(".rodata.holder").offset as usize;
            same(&new[..at], &old[..at], "before the section");
            same(&new[at..at + 40], &[9; 40], "the section");
            same(&new[at + 40..], &old[at + 40..], "behind the section");
        }
    }
    // As clang writes them.
    let dir = Dir::with(&["obj-clang.o"]);
    let old = dir.elf("obj-clang.o");
    dir.write("f", vec![9; old.section(".data").data.len()]);
    dir.objcopy(&["--update-section", ".data=f", "obj-clang.o"]).quiet();
    assert_eq!(dir.elf("obj-clang.o").symbols(), old.symbols());
}

// No public report: GNU writes longer contents over the addresses of the next section, whose bytes move; exit status 0.
#[test]
fn b4_longer_contents_in_a_segment_are_refused() {
    for format in Format::FOUR {
        let dir = Dir::new();
        let old = g6_modinfo_segment(format);
        dir.write("v", &old);
        dir.write("f64", [b'x'; 64]);
        for args in [&["objcopy", "--update-section", ".modinfo=f64", "v"][..], &["set", ".modinfo=f64", "v"]] {
            for in_place in [&[][..], &["--in-place"]] {
                let run = dir.elfgraft(&[&args[..1], in_place, &args[1..]].concat());
                run.fails(&["'v'", "'.modinfo' [2]", "64 bytes", "holds 12", "cannot grow"]);
            }
        }
        same(&dir.read("v"), &old, "after the refusals");
        // The same size changes those bytes alone.
        dir.write("f12", "license=MIT\0");
        dir.elfgraft(&["set", ".modinfo=f12", "v"]).quiet();
        assert_eq!(semantic_diff(&old, &dir.read("v")).len(), 2, "{:?}", semantic_diff(&old, &dir.read("v")));
    }
}

// No public report: LLVM leaves the old bytes behind shorter contents, GNU cuts p_filesz and p_memsz.
#[test]
fn b5_shorter_contents_in_a_segment_follow_a_rule() {
    for format in Format::FOUR {
        let old = g6_modinfo_segment(format);
        let before = ReadElf::parse(&old);
        let dir = Dir::new();
        dir.write("f", "abcd");
        // Native: refused, unless the rest is to be filled.
        dir.write("v", &old);
        let refused = dir.elfgraft(&["set", ".modinfo=f", "v"]);
        refused.fails(&["'.modinfo' [2]", "4 bytes", "holds 12", "--pad"]);
        same(&dir.read("v"), &old, "after the refusal");
        dir.elfgraft(&["set", "--pad", ".modinfo=f", "v"]).quiet();
        assert_eq!(dir.elf("v").section(".modinfo").data, b"abcd\0\0\0\0\0\0\0\0");
        assert_eq!(dir.elf("v").segments, before.segments);
        // Drop-in: sh_size shrinks, the rest is zeroed, the segment stays.
        dir.write("v", &old);
        dir.objcopy(&["--update-section", ".modinfo=f", "v"]).quiet();
        let after = dir.elf("v");
        assert_eq!(after.section(".modinfo").data, b"abcd");
        assert_eq!(after.segments, before.segments);
        let at = before.section(".modinfo").offset as usize;
        assert_eq!(after.bytes[at..at + 12], *b"abcd\0\0\0\0\0\0\0\0");
        for name in [".text", ".data", ".bss"] {
            assert_eq!(after.section(name), before.section(name), "{format}");
        }
    }
}

// https://github.com/acmel/dwarves/pull/15, https://reviews.llvm.org/D112106: an added `.BTF` has alignment 1 and lies at
// an odd offset, but is read by aligned words.
#[test]
fn b6_btf_sections_are_aligned() {
    let odd = "x".repeat(7);
    for format in Format::FOUR {
        let dir = Dir::new();
        dir.write("f", &odd);
        for name in [".BTF", ".BTF.base", ".BTF_ids"] {
            dir.write("x.o", g2_group(format));
            // Odd contents in front of it.
            dir.elfgraft(&["set", ".odd=f", "x.o"]).quiet();
            dir.elfgraft(&["set", &format!("{name}=f"), "x.o"]).quiet();
            let elf = dir.elf("x.o");
            assert_eq!((elf.section(name).addralign, elf.section(name).offset % 4), (4, 0), "{name}");
            assert_eq!(elf.section(".odd").addralign, 1);
            // In drop-in mode what GNU gives.
            dir.write("x.o", g2_group(format));
            dir.objcopy(&["--add-section", &format!("{name}=f"), "x.o"]).quiet();
            assert_eq!(dir.elf("x.o").section(name).addralign, 1, "{name}");
        }
    }
}

// No public report for ELF: an alignment, or flags, for a section that the same call adds are ignored.
#[test]
fn b7_options_apply_to_sections_added_by_the_same_command() {
    let dir = Dir::with(&["demo.ko", "demo.btf"]);
    let (add, align, flags, kind) = (
        "--add-section=.BTF=demo.btf",
        "--set-section-alignment=.BTF=16",
        "--set-section-flags=.BTF=alloc,readonly",
        "--set-section-type=.BTF=0x60000001",
    );
    for args in [[add, align, flags, kind], [kind, flags, align, add]] {
        dir.write("demo.ko", fixture("demo.ko"));
        dir.objcopy(&[&args[..], &["demo.ko"]].concat()).quiet();
        let elf = dir.elf("demo.ko");
        let btf = elf.section(".BTF");
        assert_eq!((btf.addralign, btf.offset % 16, btf.flags, btf.sh_type), (16, 0, SHF_ALLOC, 0x6000_0001));
        assert_eq!(btf.data, dir.read("demo.btf"));
    }
}

// https://github.com/ClangBuiltLinux/linux/issues/871: GNU leaves an empty PT_LOAD with mangled fields, moves later
// segments in the file, and warns; kbuild sends its messages to /dev/null.
#[test]
fn b8_removing_the_only_section_of_a_segment_moves_nothing() {
    for format in Format::FOUR {
        let old = g6_modinfo_segment(format);
        let before = ReadElf::parse(&old);
        let dir = Dir::new();
        for args in [&["objcopy", "-R", ".modinfo", "v"][..], &["remove", ".modinfo", "v"]] {
            dir.write("v", &old);
            dir.elfgraft(args).quiet();
            let after = dir.elf("v");
            assert_eq!(sections(&after), ["", ".text", ".data", ".bss", ".shstrtab"]);
            assert_eq!(after.segments, before.segments, "{format}");
            for name in [".text", ".data", ".bss"] {
                assert_eq!(after.section(name), before.section(name), "{format}");
            }
            let at = before.section(".modinfo").offset as usize;
            assert_eq!(after.bytes[at..at + 12], [0; 12]);
        }
        // The same through noload first.
        dir.write("v", &old);
        dir.objcopy(&["--set-section-flags", ".modinfo=noload", "v"]).quiet();
        let after = dir.elf("v");
        assert_eq!(after.segments, before.segments, "{format}");
        assert_eq!(after.section(".modinfo").data, b"license=GPL\0");
        dir.objcopy(&["-R", ".modinfo", "v"]).quiet();
        assert_eq!(dir.elf("v").segments, before.segments, "{format}");
    }
}

// https://github.com/telent/liminix/pull/27: a removed note of a kernel leaves the image as large as it was, and nobody
// says so.
#[test]
fn b9_a_section_removed_inside_a_segment_leaves_zeros_and_the_plan_says_so() {
    let dir = Dir::with(&["vmlinux"]);
    let before = dir.elf("vmlinux");
    let (notes, index) = (before.section(".notes"), before.index_of(".notes").unwrap());
    let plan = dir.elfgraft(&["remove", "--dry-run", ".notes", "vmlinux"]).ok().text();
    assert!(plan.contains(&format!("remove section '.notes' [{index}]: asked for")), "{plan}");
    let range = format!("{:#x}..{:#x}", notes.offset, notes.offset + notes.size);
    assert!(plan.lines().any(|l| l.trim_start().starts_with("zero ") && l.contains(&range)), "{range} in {plan}");
    dir.elfgraft(&["remove", ".notes", "vmlinux"]).quiet();
    let after = dir.elf("vmlinux");
    let at = notes.offset as usize;
    assert!(notes.data.iter().any(|&b| b != 0));
    assert!(after.bytes[at..at + notes.data.len()].iter().all(|&b| b == 0));
    assert_eq!(after.segments, before.segments);
    for section in before.sections.iter().filter(|s| s.flags & SHF_ALLOC != 0 && s.name != b".notes") {
        let name = std::str::from_utf8(&section.name).unwrap();
        let other = after.section(name);
        assert_eq!((other.offset, other.addr, &other.data), (section.offset, section.addr, &section.data), "{name}");
    }
}
