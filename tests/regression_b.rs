//! What people reported, group b: adding, updating and removing sections; success that is none.

// clippy.toml allows it in tests, but not in what they call.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::cast_possible_truncation)]

mod util;

use std::os::unix::fs::MetadataExt;

use elfgraft_testkit::consts::*;
use elfgraft_testkit::diff::semantic_diff;
use elfgraft_testkit::elf::{ElfSpec, Section};
use elfgraft_testkit::format::Format;
use elfgraft_testkit::inputs::*;
use elfgraft_testkit::read::ReadElf;
use elfgraft_testkit::symbols::{Reloc, Symbol};
use util::{Dir, fixture, same};

/// The section names of a file, in header order.
fn sections(elf: &ReadElf) -> Vec<String> {
    elf.sections.iter().map(|s| String::from_utf8(s.name.clone()).unwrap()).collect()
}

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

// https://github.com/rust-secure-code/cargo-auditable/pull/60: `-O binary -j` of a missing section gives an empty file
// and exit status 0.
#[test]
fn b12_a_missing_section_is_an_error_and_no_empty_file() {
    let dir = Dir::with(&["demo.ko"]);
    dir.objcopy(&["-O", "binary", "-j", ".BTF", "demo.ko", "out"]).fails(&["'demo.ko'", "'.BTF'"]);
    dir.objcopy(&["-O", "binary", "-j", ".note.GNU-stack", "demo.ko", "out"]).fails(&["'demo.ko'", "empty"]);
    dir.objcopy(&["-j", ".BTF", "demo.ko", "out"]).fails(&["'demo.ko'", "--only-section", "'.BTF'"]);
    dir.objcopy(&["--update-section", ".BTF=demo.ko", "demo.ko", "out"]).fails(&["--update-section", "'.BTF'"]);
    assert_eq!(dir.names(), ["demo.ko"]);
    // The bytes of a section that is not allocated are to be had.
    let comment = dir.elf("demo.ko").section(".comment").data.clone();
    assert!(!comment.is_empty());
    same(dir.elfgraft(&["dump", ".comment=-", "demo.ko"]).ok().stdout(), &comment, ".comment");
    dir.objcopy(&["-O", "binary", "-j", ".comment", "demo.ko", "out"]).quiet();
    same(&dir.read("out"), &comment, "-O binary of what -j names");
}

// https://lists.openwall.net/linux-kernel/2025/10/15/1116: modules.builtin.modinfo was empty on MIPS for weeks.
#[test]
fn b13_no_modinfo_is_noticed() {
    let dir = Dir::new();
    dir.write("vmlinux", g5_shared_offset(Format::MIPS));
    let words = ["-j", ".modinfo", "-O", "binary", "vmlinux", "modules.builtin.modinfo"];
    dir.objcopy(&words).fails(&["'vmlinux'", "'.modinfo'"]);
    let dump = dir.objcopy(&["--dump-section", ".modinfo=modules.builtin.modinfo", "vmlinux"]);
    dump.fails(&["'vmlinux'", "'.modinfo'"]);
    assert_eq!(dir.names(), ["vmlinux"]);
    // Where there is one, it is what is written.
    dir.write("vmlinux", fixture("vmlinux"));
    dir.objcopy(&words).quiet();
    same(&dir.read("modules.builtin.modinfo"), &dir.elf("vmlinux").section(".modinfo").data, "modinfo");
}

// No public report: GNU's `--dump-section` of a missing section gives an unrelated reason and exit status 0.
#[test]
fn b14_a_dump_of_nothing_is_an_error() {
    let dir = Dir::with(&["demo.ko", "vmlinux"]);
    let stamp = dir.stamp("demo.ko");
    dir.objcopy(&["--dump-section", ".NOPE=o", "demo.ko"]).fails(&["'demo.ko'", "'.NOPE'", "no section"]);
    dir.objcopy(&["--dump-section", ".NOPE=o", "demo.ko", "/dev/null"]).fails(&["'demo.ko'", "'.NOPE'"]);
    dir.objcopy(&["--dump-section", ".NOPE=o", "demo.ko", "copy.ko"]).fails(&["'demo.ko'", "'.NOPE'"]);
    dir.elfgraft(&["dump", ".NOPE=o", "demo.ko"]).fails(&["'demo.ko'", "'.NOPE'"]);
    dir.elfgraft(&["dump", ".bss=o", "vmlinux"]).fails(&["'vmlinux'", "'.bss'", "SHT_NOBITS"]);
    dir.objcopy(&["--dump-section", ".bss=o", "vmlinux"]).fails(&["'vmlinux'", "'.bss'", "SHT_NOBITS"]);
    assert_eq!(dir.names(), ["demo.ko", "vmlinux"]);
    assert_eq!(dir.stamp("demo.ko"), stamp);
    // An empty section has contents, of no bytes.
    dir.write("x.o", g11_compressed_and_linked(Format::ARM));
    dir.elfgraft(&["dump", ".note.GNU-stack=o", "x.o"]).quiet();
    assert_eq!(dir.read("o"), b"");
}

// https://lore.kernel.org/all/20251008-kbuild-fix-modinfo-regressions-v1-0-9fc776c5887c@kernel.org/: '.rel*' removed
// `.rela.dyn` too, and relocatable kernels did not boot; `!` patterns depend on the order of options.
#[test]
fn b15_a_negative_pattern_keeps_in_any_order() {
    for order in [["-R", ".rel*", "-R", "!.rel*.dyn"], ["-R", "!.rel*.dyn", "-R", ".rel*"]] {
        let dir = Dir::with(&["libdemo.so"]);
        for format in Format::FOUR {
            dir.write("lib", g11_emitted_relocs(format));
            dir.objcopy(&[&order[..], &["lib"]].concat()).quiet();
            let left = sections(&dir.elf("lib"));
            assert!(left.contains(&".rela.dyn".into()) && !left.contains(&".rela.text".into()), "{left:?}");
        }
        let before = dir.elf("libdemo.so");
        dir.objcopy(&[&order[..], &["libdemo.so", "out.so"]].concat()).quiet();
        let after = dir.elf("out.so");
        let left: Vec<_> = sections(&after).into_iter().filter(|n| n.starts_with(".rel")).collect();
        assert_eq!(left, [".rela.dyn"]);
        assert_eq!(after.section(".rela.dyn").data, before.section(".rela.dyn").data);
        assert_eq!(after.segments, before.segments);
        // What goes is told beforehand.
        let plan = dir.objcopy(&[&order[..], &["--dry-run", "libdemo.so"]].concat()).ok().text();
        assert!(plan.contains("remove section '.rela.text'") && !plan.contains("remove section '.rela.dyn'"), "{plan}");
        // `elfgraft remove` has the same patterns.
        dir.elfgraft(&["remove", "-s", order[1], order[3], "libdemo.so"]).quiet();
        same(&dir.read("libdemo.so"), &after.bytes, "remove");
    }
}

// https://github.com/ClangBuiltLinux/linux/issues/478, https://github.com/ClangBuiltLinux/linux/issues/435: LLVM's `-R`
// took patterns as names, found none, and said nothing.
#[test]
fn b16_patterns_are_globs() {
    let dir = Dir::with(&["demo.ko"]);
    let before = sections(&dir.elf("demo.ko"));
    for (pattern, goes) in [
        ("*ksymtab*", &["__ksymtab_strings", "__ksymtab", ".rela__ksymtab"][..]),
        (".note.[GD]*", &[".note.Demo", ".note.GNU-stack", ".note.GNU-stack"]),
        (".note.[!Gg]*", &[".note.Demo"]),
        (".inf?", &[]),
        (".comment", &[".comment"]),
        (".commen", &[]),
    ] {
        dir.write("demo.ko", fixture("demo.ko"));
        dir.objcopy(&["--remove-section", pattern, "demo.ko"]).quiet();
        let after = sections(&dir.elf("demo.ko"));
        let mut expected = before.clone();
        expected.retain(|name| !goes.contains(&name.as_str()));
        assert_eq!(after, expected, "{pattern}");
    }
}

// https://github.com/ClangBuiltLinux/linux/issues/448: flags and a new name for one section are an error in LLVM.
#[test]
fn b19_flags_and_a_new_name_in_one_call() {
    let mut results = Vec::new();
    for name in [".data", ".rodata.x"] {
        for swap in [false, true] {
            let dir = Dir::with(&["obj-x86_64.o"]);
            let (flags, rename) =
                (format!("--set-section-flags={name}=alloc,readonly"), "--rename-section=.data=.rodata.x");
            let args = if swap { [rename, &flags] } else { [flags.as_str(), rename] };
            dir.objcopy(&[&args[..], &["obj-x86_64.o"]].concat()).quiet();
            let elf = dir.elf("obj-x86_64.o");
            assert_eq!(elf.section(".rodata.x").flags, SHF_ALLOC);
            assert_eq!(elf.section(".rela.rodata.x").info, elf.index_of(".rodata.x").unwrap());
            assert!(elf.index_of(".data").is_none());
            results.push(elf.bytes);
        }
    }
    assert!(results.iter().all(|r| *r == results[0]), "either name, either order");
    let dir = Dir::with(&["obj-x86_64.o"]);
    dir.objcopy(&["--rename-section", ".data=.rodata.x,alloc,readonly", "obj-x86_64.o"]).quiet();
    same(&dir.read("obj-x86_64.o"), &results[0], "flags with the name");
}

// https://github.com/fwupd/fwupd-efi/issues/148: LLVM refuses to remove `.dynstr`, GNU removes it and leaves links to
// nothing.
#[test]
fn b20_what_others_need_is_refused_by_naming_them() {
    let dir = Dir::with(&["libdemo.so", "demo.ko"]);
    let strtab = dir.elf("demo.ko").index_of(".strtab").unwrap();
    for (file, pattern, words) in [
        ("libdemo.so", ".dynstr", ["'.dynstr'", "'.dynsym'"]),
        ("libdemo.so", ".dynsym", ["'.dynsym'", "symbol table"]),
        ("demo.ko", ".strtab", [&format!("'.strtab' [{strtab}]"), "'.symtab'"]),
        ("demo.ko", ".symtab", ["'.symtab'", "symbol table"]),
        ("demo.ko", ".shstrtab", ["'.shstrtab'", "names of all sections"]),
        ("demo.ko", "*", ["cannot remove", "'.shstrtab'"]),
        ("libdemo.so", "*", ["cannot remove", "'.shstrtab'"]),
    ] {
        let before = dir.read(file);
        dir.objcopy(&["-R", pattern, file]).fails(&[file, "cannot remove", words[0], words[1]]);
        dir.elfgraft(&["remove", pattern, file]).fails(&[file, "cannot remove", words[0], words[1]]);
        same(&dir.read(file), &before, pattern);
    }
    // Together with all who need it.
    let dir = Dir::new();
    dir.write("x.o", g11_compressed_and_linked(Format::S390X));
    dir.objcopy(&["-R", ".text.a", "x.o"]).fails(&["'.text.a' [1]", "'__patchable_function_entries' [3]"]);
    dir.objcopy(&["-R", ".text.a", "-R", "__patch*", "x.o"]).quiet();
    assert!(dir.elf("x.o").index_of(".text.a").is_none());
}

// No public report: of two sections of one name both peers update and dump the first, and say nothing.
#[test]
fn b21_several_sections_of_one_name_are_never_taken_for_one() {
    for format in Format::FOUR {
        let dir = Dir::new();
        let old = g8_same_names(format);
        dir.write("x.o", &old);
        dir.write("f", "new");
        let all = ["3 sections", "'.BTF' [3]", "'.BTF' [4]", "'.BTF' [5]"];
        dir.objcopy(&["--update-section", ".BTF=f", "x.o"]).fails(&all);
        dir.objcopy(&["--dump-section", ".BTF=o", "x.o"]).fails(&all);
        dir.objcopy(&["--add-section", ".BTF=f", "x.o"]).fails(&["'.BTF' [3]"]);
        dir.elfgraft(&["set", ".BTF=f", "x.o"]).fails(&all);
        dir.elfgraft(&["dump", ".BTF=o", "x.o"]).fails(&all);
        same(&dir.read("x.o"), &old, "after the refusals");
        assert_eq!(dir.names(), ["f", "x.o"]);
        dir.objcopy(&["-R", ".BTF", "x.o"]).quiet();
        let after = dir.elf("x.o");
        assert_eq!(sections(&after), ["", ".text", ".rela.text", ".symtab", ".strtab", ".shstrtab"]);
        assert_eq!(after.section(".rela.text").info, 1);
    }
}

// https://github.com/ClangBuiltLinux/linux/issues/32: options that the kernel used were missing, or ignored.
#[test]
fn b26_spellings_of_the_kernel_build_work_and_others_are_named() {
    let dir = Dir::with(&["vmlinux-relocs", "vmlinux", "demo.btf", "demo.ko"]);
    let hashes = vec![0x42; 36];
    dir.write(".tmp_module_hashes.bin", &hashes);
    for line in [
        // scripts/Makefile.vmlinux, without and with relocations.
        "--set-section-flags .modinfo=noload vmlinux v1",
        "--set-section-flags .modinfo=noload --set-section-flags .rel*=noload --set-section-flags !.rel*.dyn=noload \
         --set-section-flags .rel.*=noload vmlinux-relocs v2",
        "--remove-section=.modinfo v1",
        "--remove-section=.modinfo --remove-section=.rel* --remove-section=!.rel*.dyn --remove-section=.rel.* v2",
        // Module hashes.
        "--update-section .module_hashes=.tmp_module_hashes.bin vmlinux",
        "--dump-section .module_hashes=out.bin vmlinux",
        // scripts/gen-btf.sh.
        "--add-section .BTF=demo.btf demo.ko",
        "--remove-section .BTF --add-section .BTF=demo.btf demo.ko",
        "--add-section .BTF.base=demo.btf --set-section-flags .BTF.base=alloc,readonly demo.ko",
    ] {
        dir.objcopy(&line.split_whitespace().collect::<Vec<_>>()).quiet();
    }
    same(&dir.read("out.bin"), &hashes, "module hashes");
    let v2 = sections(&dir.elf("v2"));
    assert!(!v2.iter().any(|n| n.starts_with(".rel") || n == ".modinfo"), "{v2:?}");
    for unknown in ["--no-such-option", "--change-everything=1", "-Y", "--strip-every-thing"] {
        let option = unknown.split('=').next().unwrap();
        dir.objcopy(&[unknown, "demo.ko", "out.ko"]).fails(&[option]);
        dir.elfgraft(&["set", unknown, ".BTF=demo.btf", "demo.ko"]).fails(&[option]);
    }
    assert!(!dir.names().contains(&"out.ko".into()));
}
