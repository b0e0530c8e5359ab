//! docs/peers.md: flags and types; symbols of removed sections.

use super::*;

/// The flags of `.x`, which had `before`, after `--set-section-flags .x=WORDS`.
fn flags(format: Format, before: u64, words: &str) -> u64 {
    let old = ElfSpec::new(format, ET_REL).section(Section::progbits(".x", before, [1; 4])).build();
    let new = ReadElf::parse(&objcopy(&old, &["--set-section-flags", &format!(".x={words}")]));
    let section = new.section(".x");
    assert_eq!((section.sh_type, &section.data[..]), (SHT_PROGBITS, &[1; 4][..]), "{words}: contents lost");
    section.flags
}

#[test]
fn six_flags_follow_the_list_and_all_others_stay() {
    for (words, expected) in [
        ("alloc", SHF_ALLOC | SHF_WRITE),
        ("alloc,readonly", SHF_ALLOC),
        ("ALLOC,ReadOnly", SHF_ALLOC),
        ("alloc,load,contents,data", SHF_ALLOC | SHF_WRITE),
        ("readonly", 0),
        ("rom", 0),
        ("noload", SHF_WRITE),
        ("debug", SHF_WRITE),
        ("share", SHF_WRITE),
        ("code,readonly", SHF_EXECINSTR),
        ("alloc,code,readonly,data", SHF_ALLOC | SHF_EXECINSTR),
        ("merge,strings,readonly", SHF_MERGE | SHF_STRINGS),
        ("exclude,readonly", SHF_EXCLUDE),
    ] {
        for format in Format::FOUR {
            assert_eq!(flags(format, 0, words), expected, "{words}");
            assert_eq!(flags(format, SHF_ALLOC | SHF_EXECINSTR | SHF_WRITE, words), expected, "{words}");
            let others = SHF_TLS | 0x100 | 0x0ff0_0000 | 0x4000_0000;
            assert_eq!(flags(format, others, words), expected | others, "{words}");
        }
    }
    assert_eq!(flags(Format::X86_64, 0, "large,readonly"), 0x1000_0000);
    assert_eq!(flags(Format::S390X, 0, "large,readonly"), 0);
}

#[test]
fn nobits_gets_contents_only_where_it_is_said() {
    let old = object(Format::X86_64);
    let kept = ReadElf::parse(&objcopy(&old, &["--set-section-flags", ".bss=alloc"]));
    assert_eq!((kept.section(".bss").sh_type, kept.section(".bss").size), (SHT_NOBITS, 40));
    let filled = ReadElf::parse(&objcopy(&old, &["--set-section-flags", ".bss=alloc,contents"]));
    assert_eq!((filled.section(".bss").sh_type, &filled.section(".bss").data[..]), (SHT_PROGBITS, &[0; 40][..]));
    refused(&old, &["--set-section-type", ".data=8"], &["'.data'", "12 bytes"]);
    refused(&fixture("hello"), &["--set-section-flags", ".bss=alloc,contents"], &["'.bss'", "SHT_NOBITS"]);
    let typed = ReadElf::parse(&objcopy(&old, &["--set-section-type", ".data=0x6fff4c03"]));
    assert_eq!((typed.section(".data").sh_type, &typed.section(".data").data[..]), (SHT_LLVM_ADDRSIG, &[7; 12][..]));
}

/// Found by fuzzing: contents went where nobody would look for them, with exit status 0, and again the second time.
#[test]
fn a_type_without_contents_gets_none() {
    for format in Format::FOUR {
        let mut old = object(format);
        refused(&old, &["--add-section", ".n=f", "--set-section-type", ".n=8"], &["'.n'", "12 bytes"]);
        let index = ReadElf::parse(&old).index_of(".last").unwrap() as usize;
        poke_section(&mut old, index, "sh_type", SHT_NULL.into());
        refused(&old, &["--update-section", ".last=f"], &["'.last'", "SHT_NULL"]);
        refused(&old, &["--dump-section", ".last=out"], &["'.last'", "SHT_NULL"]);
        refused(&old, &["--set-section-type", ".last=1"], &["'.last'", "SHT_NULL", "5 bytes"]);
        // What its other fields say stays, wherever others go.
        let new = ReadElf::parse(&objcopy(&old, &["--remove-section", ".text"]));
        let offset = |elf: &ReadElf| elf.section(".last").offset;
        assert_eq!(offset(&new), offset(&ReadElf::parse(&old)));
    }
}

/// Found by fuzzing: `st_shndx` named no section, until one was added; the second run removed the symbol with it.
#[test]
fn a_section_that_a_symbol_names_before_it_is_there_is_not_added() {
    for format in Format::FOUR {
        let stray = |shndx| Symbol { section: SymbolSection::Reserved(shndx), ..Symbol::global("stray", ".x") };
        let spec = || ElfSpec::new(format, ET_REL).section(Section::progbits(".x", DATA, [1; 4]));
        let file = |shndx| spec().symbols(vec![stray(shndx)]).build();
        let count = ReadElf::parse(&file(1)).sections.len() as u16;
        let args = ["--remove-section", ".n", "--add-section", ".n=f"];
        refused(&file(count), &args, &["symbol 1", &format!("[{count}]")]);
        let once = objcopy(&file(count + 1), &args);
        same(&objcopy(&once, &args), &once, "L1");
    }
}

#[test]
fn symbols_go_with_their_section_unless_a_relocation_needs_them() {
    for format in Format::FOUR {
        let old = ElfSpec::new(format, ET_REL)
            .section(Section::progbits(".text", TEXT, [0; 16]))
            .section(Section::progbits(".free", DATA, [1; 8]))
            .section(Section::progbits(".needed", DATA, [2; 8]))
            .relocs(".text", vec![Reloc::new(0, "needed", 1, 0), Reloc::new(8, "after", 1, 0)])
            .symbols(vec![
                Symbol::section(".text"),
                Symbol::section(".free"),
                Symbol::local("free_local", ".free"),
                Symbol::global("needed", ".needed").at(4, 2),
                Symbol::global("free", ".free"),
                Symbol::global("after", ".text").at(8, 8),
            ])
            .build();
        let before = ReadElf::parse(&old);
        let after = ReadElf::parse(&objcopy(&old, &["-R", ".free"]));
        let left: Vec<_> = after.symbols().iter().map(|s| s.name.clone()).collect();
        assert_eq!(left, [&b""[..], b"", b"needed", b"after"]);
        assert_eq!(after.section(".symtab").info, before.section(".symtab").info - 2);
        let relocs = |elf: &ReadElf| {
            let symbols = elf.symbols();
            let relocs = elf.relocs_of(elf.index_of(&rel(format, ".text")).unwrap());
            relocs
                .into_iter()
                .map(|r| (r.offset, symbols[r.symbol as usize].name.clone(), r.kind, r.addend))
                .collect::<Vec<_>>()
        };
        assert_eq!(relocs(&after), relocs(&before));
        refused(&old, &["-R", ".needed"], &["cannot remove", "'.needed' [3]", &rel(format, ".text"), "'needed'"]);
        // With the relocations it may go.
        let after = ReadElf::parse(&objcopy(&old, &["-R", ".needed", "-R", ".rel*"]));
        assert_eq!(names(&after), [".text", ".free", ".symtab", ".strtab", ".shstrtab"]);
    }
}

#[test]
fn the_last_of_two_wins_for_one_section() {
    let old = object(Format::X86_64);
    let flags = |args: &[&str]| ReadElf::parse(&objcopy(&old, args)).section(".data").flags;
    let (code, rom) = ("--set-section-flags=.data=alloc,code", "--set-section-flags=.d*=alloc,readonly");
    assert_eq!(flags(&[code, rom]), SHF_ALLOC);
    assert_eq!(flags(&[rom, code]), SHF_ALLOC | SHF_EXECINSTR | SHF_WRITE);
    // A pattern that keeps out is no option for the section; the order does not matter.
    assert_eq!(flags(&["--set-section-flags=!.data=alloc", rom]), DATA);
    let align = ["--set-section-alignment=.data=16", "--set-section-alignment=.data=64"];
    assert_eq!(ReadElf::parse(&objcopy(&old, &align)).section(".data").addralign, 64);
}

#[test]
fn an_alignment_that_is_no_power_of_two_is_refused() {
    for align in ["0", "3", "12", "0xffff"] {
        let option = format!("--set-section-alignment=.data={align}");
        refused(&object(Format::ARM), &[&option], &["'.data'", "power of two"]);
        // Also for a section that the call adds.
        let option = format!("--set-section-alignment=.n={align}");
        refused(&object(Format::ARM), &["--add-section=.n=f", &option], &["'.n'", "power of two"]);
    }
}
