//! What is refused, patterns, several sections of one name.

use super::*;

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
