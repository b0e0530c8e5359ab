//! What people reported: symbols that relocations need, lists of symbols, groups.

use super::*;

// https://lore.kernel.org/all/20251010-kbuild-fix-mod-device-syms-reloc-err-v1-1-6dc88143af25@kernel.org/: the build
// fails where a relocation names the symbol; each peer has its own idea of "unneeded".
#[test]
fn b17_b18_unneeded_symbols_go_and_needed_ones_stay() {
    for format in Format::FOUR {
        for (e_type, relocations) in [(ET_REL, true), (ET_EXEC, true), (ET_EXEC, false)] {
            let old = g7_device_tables(format, e_type, relocations);
            let before = ReadElf::parse(&old);
            let tables = |elf: &ReadElf| -> Vec<Vec<u8>> {
                let all = elf.symbols().into_iter().map(|s| s.name);
                all.filter(|n| n.starts_with(b"__mod_device_table__")).collect()
            };
            let named: Vec<Vec<u8>> = {
                let lists = (0..before.sections.len() as u32)
                    .filter(|&i| [SHT_REL, SHT_RELA].contains(&before.sections[i as usize].sh_type));
                let numbers: Vec<u32> = lists.flat_map(|i| before.relocs_of(i)).map(|r| r.symbol).collect();
                let symbols = before.symbols();
                let used = (0u32..).zip(symbols).filter(|(n, _)| numbers.contains(n)).map(|(_, s)| s.name);
                used.filter(|n| n.starts_with(b"__mod_device_table__")).collect()
            };
            assert!(tables(&before).len() > named.len());
            assert_eq!(named.is_empty(), !relocations);
            let new = twice(&old, &["-w", "--strip-unneeded-symbol=__mod_device_table__*"]);
            assert_eq!(tables(&ReadElf::parse(&new)), named, "{format:?} {e_type} {relocations}");
            // The same with another option beside it: for GNU's tools that makes the difference.
            let new = twice(&old, &["-R", ".junk", "-w", "--strip-unneeded-symbol=__mod_device_table__*"]);
            assert_eq!(tables(&ReadElf::parse(&new)), named);
            if relocations {
                let words = ["__mod_device_table__", "a relocation names it"];
                refused(&old, &["-w", "-N", "__mod_device_table__*"], &words);
            }
        }
    }
}

// GNU counts the relocations of the input, those that this very call removes too.
#[test]
fn b18_only_relocations_that_stay_make_a_symbol_needed() {
    for format in Format::FOUR {
        let args = ["-R", if format.rela() { ".rela*" } else { ".rel*" }, "--strip-unneeded-symbol=l_used"];
        assert_eq!(symbols(&twice(&object(format), &args), false), without(&["l_used"]));
    }
}

// No public report: --dump-section of a compressed section gives header and stream, and an update may be anything.
#[test]
fn b22_compressed_sections_are_raw_and_stay_valid() {
    let old = fixture("obj-compressed.o");
    let elf = ReadElf::parse(&old);
    let section = elf.sections.iter().find(|s| s.flags & SHF_COMPRESSED != 0).expect("a compressed section");
    let name = String::from_utf8_lossy(&section.name).into_owned();
    let dir = Dir::new();
    dir.write("x.o", &old);
    dir.objcopy(&[&format!("--dump-section={name}=raw"), "x.o"]).quiet();
    same(&dir.read("raw"), &section.data, "raw contents");
    dir.objcopy(&[&format!("--update-section={name}=raw"), "x.o"]).quiet();
    same(&dir.read("x.o"), &old, "updated with its own contents");
    for (what, bytes) in [("empty", &[][..]), ("short", &[1, 0, 0, 0]), ("unknown", &[9; 24])] {
        dir.write("bad", bytes);
        dir.objcopy(&[&format!("--update-section={name}=bad"), "x.o"]).fails(&[&name, "SHF_COMPRESSED"]);
        same(&dir.read("x.o"), &old, what);
    }
}

// https://sourceware.org/bugzilla/show_bug.cgi?id=23817: a list of symbol numbers goes stale.
#[test]
fn b24_address_significance_follows_the_symbols() {
    let old = fixture("obj-clang.o");
    let before = ReadElf::parse(&old);
    assert!(before.sections.iter().any(|s| s.sh_type == SHT_LLVM_ADDRSIG), "clang's list");
    for args in [&["-g"][..], &["--strip-unneeded"], &["-x"], &["-R", ".comment"]] {
        let new = twice(&old, args);
        let lost: Vec<_> = semantic_diff(&old, &new).into_iter().filter(|d| d.contains(".llvm_addrsig")).collect();
        assert_eq!(lost, [""; 0], "{args:?}");
    }
    let elf = ReadElf::parse(&twice(&old, &["-S"]));
    assert!(!elf.sections.iter().any(|s| s.sh_type == SHT_LLVM_ADDRSIG), "it names symbols that are gone");
}

// A kind that nobody knows, linked to the symbol table: its numbers cannot be followed.
#[test]
fn b24_unknown_lists_of_symbols_are_refused_by_name() {
    for format in Format::FOUR {
        let old = ElfSpec::new(format, ET_REL)
            .section(Section::progbits(".text", TEXT, [0xc3; 32]))
            .section(Section::new(".mystery", 0x6fff_1234).data([1; 4]).link(".symtab"))
            .symbols(vec![Symbol::local("l", ".text"), Symbol::global("g", ".text")])
            .build();
        refused(&old, &["--strip-unneeded"], &["'.mystery'", "0x6fff1234", "symbol numbers"]);
        // Nothing changes, nothing is refused.
        same(&twice(&old, &["-N", "absent"]), &old, "no symbol goes");
    }
}

// https://github.com/llvm/llvm-project/issues/97139: an empty group makes ld say "file format not recognized".
#[test]
fn d8_a_group_goes_with_its_last_member() {
    for format in Format::FOUR {
        let old = g2_group(format);
        let elf = ReadElf::parse(&twice(&old, &["-R", ".text.sig", "-R", ".debug_types"]));
        assert!(!elf.sections.iter().any(|s| s.sh_type == SHT_GROUP));
    }
    for name in ["obj-x86_64.o", "obj-mips.o", "obj-arm.o", "obj-s390x.o", "obj-mips64el.o"] {
        let before = ReadElf::parse(&fixture(name));
        let elf = ReadElf::parse(&twice(&fixture(name), &["-g"]));
        let groups = |elf: &ReadElf| elf.sections.iter().filter(|s| s.sh_type == SHT_GROUP).count();
        assert!(groups(&elf) < groups(&before), "{name}: groups of .debug_macro go");
        for index in (0..elf.sections.len() as u32).filter(|&i| elf.sections[i as usize].sh_type == SHT_GROUP) {
            let (_, members) = elf.group_of(index);
            assert!(!members.is_empty() && !members.contains(&0), "{name}");
        }
    }
}

// No public report: LLVM drops the signature's symbol with one member; "Bad sh_info in group section".
#[test]
fn d9_the_signature_lives_while_the_group_does() {
    for format in Format::FOUR {
        let elf = ReadElf::parse(&twice(&g2_group(format), &["-R", ".text.sig"]));
        let group = elf.sections.iter().position(|s| s.sh_type == SHT_GROUP).expect("the group lives") as u32;
        let signature = &elf.symbols()[elf.sections[group as usize].info as usize];
        assert_eq!(signature.name, b"sig");
        let (_, members) = elf.group_of(group);
        assert_eq!(members, [elf.index_of(".debug_types").unwrap()]);
        // An option that would take all symbols leaves it, too.
        let elf = ReadElf::parse(&twice(&g2_group(format), &["--strip-unneeded"]));
        let group = elf.sections.iter().find(|s| s.sh_type == SHT_GROUP).expect("the group lives");
        assert_eq!(elf.symbols()[group.info as usize].name, b"sig");
    }
}

// https://chromium.googlesource.com/external/elfutils/+/c06ab0bbb4761a69d2f188675d21d1a9131e9ecb: a member that goes
// leaves index 0 behind.
#[test]
fn d10_a_member_that_goes_leaves_the_list() {
    for format in Format::FOUR {
        let elf = ReadElf::parse(&twice(&g2_group(format), &["--remove-section=.debug_types"]));
        let group = elf.sections.iter().position(|s| s.sh_type == SHT_GROUP).unwrap() as u32;
        assert_eq!(elf.group_of(group), (GRP_COMDAT, vec![elf.index_of(".text.sig").unwrap()]));
        assert!(elf.section(".text.sig").flags & SHF_GROUP != 0);
        let elf = ReadElf::parse(&twice(&g2_group(format), &["-g"]));
        let group = elf.sections.iter().position(|s| s.sh_type == SHT_GROUP).unwrap() as u32;
        assert_eq!(elf.group_of(group).1, [elf.index_of(".text.sig").unwrap()]);
    }
}

// No public report: "x[.debug_types]: cause of error unknown" when a group has members of two sorts.
#[test]
fn d11_one_of_two_sorts_of_members_goes() {
    for format in Format::FOUR {
        let old = g2_group(format);
        for (gone, stays) in [(".text.sig", ".debug_types"), (".debug_types", ".text.sig")] {
            let elf = ReadElf::parse(&twice(&old, &["-R", gone]));
            assert!(elf.index_of(gone).is_none());
            assert_eq!(elf.section(stays).data, ReadElf::parse(&old).section(stays).data);
        }
        // Without the group its members are ordinary sections.
        let elf = ReadElf::parse(&twice(&old, &["-R", ".group"]));
        assert!(elf.sections.iter().all(|s| s.flags & SHF_GROUP == 0));
    }
}
