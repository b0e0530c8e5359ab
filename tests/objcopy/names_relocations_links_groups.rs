//! docs/peers.md: names, relocation sections, links, groups.

use super::*;

#[test]
fn a_relocation_section_goes_by_the_name_of_its_target() {
    for format in Format::FOUR {
        let new = ReadElf::parse(&objcopy(&object(format), &["--rename-section", ".text=.text.hot"]));
        assert!(new.index_of(".text").is_none() && new.index_of(&rel(format, ".text")).is_none());
        assert_eq!(new.section(&rel(format, ".text.hot")).info, new.index_of(".text.hot").unwrap());
        // A name of its own, if it is given one.
        let own = format!("{}=.mine", rel(format, ".text"));
        let new = ReadElf::parse(&objcopy(&object(format), &["--rename-section=.text=.t", "--rename-section", &own]));
        assert_eq!(new.section(".mine").info, new.index_of(".t").unwrap());
    }
}

#[test]
fn a_rename_of_nothing_and_swapped_names() {
    let old = object(Format::X86_64);
    same(&objcopy(&old, &["--rename-section", ".text=.text"]), &old, "to the same name");
    let new = ReadElf::parse(&objcopy(&old, &["--rename-section=.text=.data", "--rename-section=.data=.text"]));
    assert_eq!((new.section(".data").flags, new.section(".text").flags), (TEXT, DATA));
    assert_eq!(new.section(".rela.data").info, new.index_of(".data").unwrap());
}

#[test]
fn relocations_go_with_their_target_unless_they_are_kept() {
    for format in Format::FOUR {
        let old = ElfSpec::new(format, ET_REL)
            .section(Section::progbits(".text", TEXT, [0; 16]))
            .section(Section::progbits(".init", TEXT, [0; 16]))
            .relocs(".text", vec![Reloc::new(0, "printk", 1, 0)])
            .relocs(".init", vec![Reloc::new(0, "printk", 1, 0)])
            .symbols(vec![Symbol::reserved("printk", SHN_UNDEF)])
            .build();
        let after = ReadElf::parse(&objcopy(&old, &["-R", ".text"]));
        assert_eq!(names(&after), [".init", &rel(format, ".init"), ".symtab", ".strtab", ".shstrtab"]);
        // Kept without what they relocate they would name nothing.
        let keep = format!("!{}", rel(format, ".text"));
        let role = ["cannot remove section '.text' [1]", &rel(format, ".text")];
        refused(&old, &["-R", ".text", "-R", &keep], &role);
        refused(&old, &["-R", &keep, "-R", ".text"], &role);
        refused(&old, &["-R", ".text", "--keep-section", &keep[1..]], &role);
        // The other way round is the point of it.
        let after = ReadElf::parse(&objcopy(&old, &["-R", ".rel*", "-R", &keep]));
        assert_eq!(names(&after), [".text", ".init", &rel(format, ".text"), ".symtab", ".strtab", ".shstrtab"]);
    }
}

#[test]
fn keeping_beats_removing_and_only() {
    let old = object(Format::X86_64);
    let left = |args: &[&str]| names(&ReadElf::parse(&objcopy(&old, args)));
    let before = names(&ReadElf::parse(&old));
    assert_eq!(left(&["--keep-section=.last", "-R", ".last"]), before);
    assert_eq!(left(&["-R", ".last", "-R", "!.la*"]), before);
    let tables = [".symtab", ".strtab"];
    // What a relocation that stays needs cannot go; GNU refuses it, too.
    refused(&old, &["-j", ".text"], &["'.data' [3]", "'.rela.text'"]);
    assert_eq!(left(&["-j", ".data"]), [".data", tables[0], tables[1], ".shstrtab"]);
    assert_eq!(left(&["-j", ".data", "--keep-section=.last"]), [".data", tables[0], tables[1], ".last", ".shstrtab"]);
    assert_eq!(left(&["-j", ".data", "-j", ".last", "-R", ".data"]), [tables[0], tables[1], ".last", ".shstrtab"]);
    // Relocations belong to what they relocate.
    assert!(left(&["-j", ".text", "-j", ".data"]).contains(&".rela.text".into()));
    assert!(!left(&["-j", ".data"]).contains(&".rela.text".into()));
}

#[test]
fn links_without_link_order_are_kept_and_follow() {
    for format in Format::FOUR {
        let old = ElfSpec::new(format, ET_REL)
            .section(Section::progbits(".first", 0, [1; 4]))
            .section(Section::progbits(".text", TEXT, [0; 16]))
            .section(Section::progbits(".stab", 0, [2; 12]).link(".text").info(2u32))
            .section(Section::progbits(".ordered", SHF_ALLOC | SHF_LINK_ORDER, [3; 4]).link(".text"))
            .section(Section::progbits(".info", SHF_INFO_LINK, [4; 4]).info(".text"))
            .build();
        let after = ReadElf::parse(&objcopy(&old, &["-R", ".first"]));
        let text = after.index_of(".text").unwrap();
        assert_eq!(text, 1);
        assert_eq!(
            (after.section(".stab").link, after.section(".ordered").link, after.section(".info").info),
            (1, 1, 1)
        );
        // sh_info of this one is a number, not a section.
        assert_eq!(after.section(".stab").info, 2);
        refused(&old, &["-R", ".text"], &["cannot remove section '.text' [2]", "'.stab' [3]"]);
        let args = ["-R", ".text", "-R", ".stab"];
        refused(&old, &args, &["cannot remove section '.text' [2]", "'.ordered' [4]", "link order"]);
    }
}

#[test]
fn groups_their_members_and_the_last_one() {
    for format in Format::FOUR {
        let old = g2_group(format);
        // The group itself: its members are no members any more.
        let after = ReadElf::parse(&objcopy(&old, &["-R", ".group"]));
        assert_eq!((after.section(".text.sig").flags, after.section(".debug_types").flags), (TEXT, 0));
        // One member.
        let after = ReadElf::parse(&objcopy(&old, &["-R", ".debug_types"]));
        assert_eq!(after.group_of(1), (GRP_COMDAT, vec![2]));
        assert_eq!(after.section(".group").size, 8);
        assert_eq!(after.symbols()[after.section(".group").info as usize].name, b"sig");
        // The one with the signature symbol: the symbol lives as long as the group.
        let after = ReadElf::parse(&objcopy(&old, &["-R", ".text.sig"]));
        assert_eq!(after.group_of(1), (GRP_COMDAT, vec![2]));
        let signature = &after.symbols()[after.section(".group").info as usize];
        assert_eq!((&signature.name[..], signature.shndx), (&b"sig"[..], SHN_UNDEF));
        // The last one: the group goes.
        let after = ReadElf::parse(&objcopy(&old, &["-R", ".text.sig", "-R", ".debug_types"]));
        assert_eq!(names(&after), [".text", ".symtab", ".strtab", ".shstrtab"]);
        let kept = ["-R", ".text.sig", "-R", ".debug_types", "--keep-section=.group"];
        assert_eq!(ReadElf::parse(&objcopy(&old, &kept)).group_of(1), (GRP_COMDAT, vec![]));
    }
}

#[test]
fn livepatch_sections_stay_as_they_were() {
    for format in Format::FOUR {
        let old = g3_livepatch(format, true);
        let new = objcopy(&old, &["--set-section-flags=.text=alloc,code,readonly", "--add-section=.n=f"]);
        assert_eq!(semantic_diff(&old, &new), ["section '.n': only in the second"]);
        assert_eq!(ReadElf::parse(&new).symbol(".klp.sym.vmlinux.bar,0").shndx, SHN_LIVEPATCH);
    }
}
