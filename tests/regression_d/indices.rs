//! Section indices, livepatch, groups.

use super::*;

// https://github.com/llvm/llvm-project/issues/196381: SHN_LIVEPATCH symbols are "unsupported value greater than or equal
// to SHN_LORESERVE: 65312".
#[test]
fn d1_livepatch_symbols_pass_through() {
    let symbol = |file: &[u8]| {
        let symbols = ReadElf::parse(file).symbols();
        symbols.into_iter().find(|s| s.shndx == SHN_LIVEPATCH).expect("a symbol in SHN_LIVEPATCH")
    };
    let generated = Format::FOUR.iter().flat_map(|&f| [g3_livepatch(f, true), g3_livepatch(f, false)]);
    for old in generated.chain([fixture("livepatch.ko"), fixture("livepatch-only.ko")]) {
        for args in [&["objcopy", "--add-section", ".BTF=f"][..], &["set", ".BTF=f"], &["objcopy", "-R", ".comment"]] {
            assert_eq!(symbol(&edit(&old, args)), symbol(&old), "{args:?}");
        }
    }
}

// https://github.com/dynup/kpatch/issues/1009, https://sourceware.org/bugzilla/show_bug.cgi?id=24456: GNU takes flags
// from `.klp.rela` sections, renames a lone one to `.rela.text`, and makes its symbol 0; exit status 0.
#[test]
fn d2_livepatch_relocation_sections_stay_bit_for_bit() {
    let generated = Format::FOUR.iter().flat_map(|&f| [g3_livepatch(f, true), g3_livepatch(f, false)]);
    for old in generated.chain([fixture("livepatch.ko"), fixture("livepatch-only.ko")]) {
        edits_change_nothing_else(&old, "livepatch");
        let new = ReadElf::parse(&edit(&old, &["objcopy", "--add-section", ".BTF=f"]));
        let old = ReadElf::parse(&old);
        let klp = old.sections.iter().position(|s| s.flags & SHF_RELA_LIVEPATCH != 0).unwrap();
        assert_eq!(new.sections[klp].name, old.sections[klp].name);
        assert_eq!(new.sections[klp].flags, SHF_ALLOC | SHF_INFO_LINK | SHF_RELA_LIVEPATCH);
        assert_eq!(new.sections[klp].info, old.sections[klp].info);
        assert_eq!(new.sections[klp].data, old.sections[klp].data);
        assert_ne!(new.relocs_of(klp as u32)[0].symbol, 0);
    }
    // Their names are the livepatch's, not made from the target's.
    for format in Format::FOUR {
        let with = edit(&g3_livepatch(format, true), &["objcopy", "--rename-section", ".text=.text.old"]);
        let names: Vec<_> = ReadElf::parse(&with).sections.into_iter().map(|s| s.name).collect();
        assert_eq!(names[1..4], [&b".text.old"[..], b".rela.text.old", b".klp.rela.vmlinux..text"]);
    }
    // Removing a section before them renumbers what they refer to, and nothing else.
    let old = fixture("livepatch.ko");
    assert_eq!(changes(&old, &["objcopy", "-R", ".comment"]), removed(&old, ".comment"));
}

// https://github.com/dynup/kpatch/issues/906: groups keep the index that the symbol table had before.
#[test]
fn d3_groups_keep_their_symbol_table() {
    for name in ["obj-x86_64.o", "obj-mips.o", "obj-s390x.o", "obj-arm.o", "demo.ko", "obj-mips64el.o"] {
        let old = fixture(name);
        assert_eq!(changes(&old, &["objcopy", "-R", ".comment"]), removed(&old, ".comment"), "{name}");
        let (before, after) = (ReadElf::parse(&old), ReadElf::parse(&edit(&old, &["remove", ".comment"])));
        let groups: Vec<_> = after.sections.iter().filter(|s| s.sh_type == SHT_GROUP).collect();
        assert!(!groups.is_empty());
        let symtab = after.index_of(".symtab").unwrap();
        assert_ne!(Some(symtab), before.index_of(".symtab"), "{name}: no index changed");
        assert!(groups.iter().all(|g| g.link == symtab), "{name}");
    }
}

// https://github.com/kmod-project/kmod/issues/277, https://github.com/dynup/kpatch/issues/1284: real modules have more
// than 65,279 sections; many tools cannot read them.
#[test]
fn d4_more_than_65279_sections() {
    let old = g1_many_sections(Format::MIPS, 70_000);
    let with = edit(&old, &["set", ".BTF=f"]);
    let elf = ReadElf::parse(&with);
    assert_eq!(elf.sections.len(), 70_006);
    assert_eq!((elf.header("e_shnum"), elf.header("e_shstrndx")), (0, 0xffff));
    assert_eq!(elf.section(".BTF").data, b"new contents");
    assert_eq!(elf.symbol("f69999").section, elf.index_of(".text.f69999"));
    // A section before all others.
    let without = ReadElf::parse(&edit(&old, &["objcopy", "-R", ".text.f1"]));
    assert_eq!(without.symbol("f69999").section, Some(69_998));
    assert_eq!(without.sections[69_998].name, b".text.f69999");
    assert!(!without.symbols().iter().any(|s| s.name == b"f1"));
    let dir = Dir::new();
    dir.write("x.ko", g1_many_sections(Format::X86_64, 70_000));
    let text = dir.elfgraft(&["show", "x.ko"]).ok().text();
    assert!(text.contains("more than 65,279 sections: the kernel and kmod refuse"), "{}", &text[text.len() - 200..]);
}

// No public report: eu-strip says "illformed file" of such an object, and leaves an empty file with exit status 0.
#[test]
fn d5_many_sections_give_a_whole_file() {
    let dir = Dir::new();
    let old = g1_many_sections(Format::S390X, 66_000);
    dir.write("many.o", &old);
    dir.objcopy(&["many.o", "o"]).quiet();
    same(&dir.read("o"), &old, "a copy");
    dir.objcopy(&["-R", ".text.f65999", "many.o", "o"]).quiet();
    let diff = semantic_diff(&old, &dir.read("o"));
    assert_eq!(
        diff,
        ["section '.text.f65999': only in the first", "section '.symtab': symbol 'f65999': only in the first"]
    );
}

// https://github.com/wild-linker/wild/pull/1783, https://github.com/m4b/faerie/pull/77: section 0xfff1 becomes SHN_ABS.
#[test]
fn d6_real_indices_are_no_reserved_ones() {
    let old = g1_many_sections(Format::X86_64, 65_600);
    let before = ReadElf::parse(&old);
    // The one removed makes every index smaller by one; section f<i> had index i.
    let after = ReadElf::parse(&edit(&old, &["remove", ".text.f7"]));
    let symbols = after.symbols();
    for index in [0xfeffu32, 0xff00, 0xff01, 0xff1f, 0xff20, 0xff21, 0xfff1, 0xfff2, 0xfff3, 0xffff, 0x1_0000] {
        let name = format!("f{index}");
        let symbol = symbols.iter().find(|s| s.name == name.as_bytes()).unwrap();
        assert_eq!(symbol.section, Some(index - 1), "{name}");
        assert_eq!(after.sections[index as usize - 1].name, format!(".text.{name}").as_bytes());
    }
    assert_eq!(symbols.len(), before.symbols().len() - 1);
}

#[test]
fn d6_the_number_of_sections_crosses_the_limit() {
    for (count, format) in [(65_272, Format::X86_64), (65_273, Format::MIPS), (65_276, Format::S390X)] {
        // With the null section, .symtab, .strtab and .shstrtab.
        let old = g1_many_sections(format, count);
        assert_eq!(header_field(&old, "e_shnum"), u64::from(if count < 65_276 { count + 4 } else { 0 }));
        let with = edit(&old, &["set", ".a=f", ".b=f", ".c=f"]);
        let elf = ReadElf::parse(&with);
        assert_eq!(elf.sections.len(), count as usize + 7);
        let beyond = elf.sections.len() >= usize::from(SHN_LORESERVE);
        assert_eq!(elf.header("e_shnum") == 0, beyond, "{count}");
        assert_eq!(elf.symbol("f9").section, Some(9));
        same(&edit(&with, &["remove", ".[abc]"]), &old, "added and removed");
    }
}

// https://github.com/m4b/bingrep/issues/21, https://github.com/rui314/mold/pull/24: e_shnum 0 read as "no sections".
#[test]
fn d7_e_shnum_zero_does_not_mean_no_sections() {
    let dir = Dir::new();
    dir.write("x.o", g1_many_sections(Format::ARM, 65_300));
    let text = dir.elfgraft(&["show", "x.o"]).ok().text();
    assert!(text.contains(" 65304 sections"), "{}", &text[..200]);
    assert!(text.contains("[65300] .text.f65300"));
    assert_eq!(dir.elfgraft(&["dump", ".text.f65300=-", "x.o"]).ok().stdout(), [0xc3]);
    // And with none at all there are none.
    let old = ElfSpec::new(Format::ARM, ET_EXEC).segment(Segment::empty(0x6474_e551, PF_R)).build();
    let mut bare = old[..84].to_vec();
    ["e_shoff", "e_shnum", "e_shstrndx"].iter().for_each(|f| poke_header(&mut bare, f, 0));
    dir.write("bare", &bare);
    assert!(dir.elfgraft(&["show", "bare"]).ok().text().contains(" 0 sections"));
    dir.objcopy(&["bare", "copy"]).quiet();
    same(&dir.read("copy"), &bare, "a file without sections");
    dir.objcopy(&["--add-section", ".BTF=copy", "bare"]).fails(&["'bare'", "no section header table"]);
}

// https://github.com/gimli-rs/object/issues/171: SHT_GROUP comes out as PROGBITS.
#[test]
fn d12_groups_stay_groups_with_new_indices() {
    for format in Format::FOUR {
        let old = g2_group(format);
        edits_change_nothing_else(&old, "group");
        // A section in front of the members goes.
        let dir = Dir::new();
        dir.write("x.o", &old);
        let elf = dir.elf("x.o");
        assert_eq!(elf.group_of(1), (GRP_COMDAT, vec![2, 3]));
        dir.objcopy(&["-R", ".debug_types", "x.o"]).quiet();
        let elf = dir.elf("x.o");
        assert_eq!(elf.sections[1].sh_type, SHT_GROUP);
        assert_eq!(elf.group_of(1), (GRP_COMDAT, vec![2]));
        assert_eq!(elf.sections[2].name, b".text.sig");
        let signature = &elf.symbols()[elf.sections[1].info as usize];
        assert_eq!(signature.name, b"sig");
    }
    // A type nobody knows is kept as it is; what it refers to follows.
    for format in Format::FOUR {
        let old = ElfSpec::new(format, ET_REL)
            .section(Section::progbits(".a", 0, [1; 4]))
            .section(Section::progbits(".b", 0, [2; 4]))
            .section(
                Section::new(".unknown", 0x6fff_1234).flags(0x0ff0_0000).data([7; 9]).link(".b").info(77u32).entsize(3),
            )
            .build();
        assert_eq!(changes(&old, &["remove", ".a"]), ["section '.a': only in the first"]);
    }
}
