//! The comparison tells every difference in meaning, and none in layout.

use crate::consts::*;
use crate::diff::semantic_diff;
use crate::elf::*;
use crate::fields::*;
use crate::format::Format;
use crate::generate::{GenOptions, generate};
use crate::read::ReadElf;
use crate::symbols::{Reloc, Symbol};
use std::panic::catch_unwind;

/// A small object in which everything refers by name, so that sections can be put anywhere.
fn object(format: Format) -> ElfSpec {
    ElfSpec::new(format, ET_REL)
        .section(Section::group("sig", vec![".text.sig".into()]))
        .section(Section::progbits(".text.sig", 0x206, [0xc3; 4]).align(4))
        .section(Section::progbits(".text", 6, [1, 2, 3, 4, 5, 6, 7, 8]).align(8))
        .relocs(".text", vec![Reloc::new(4, "sig", 2, -4), Reloc::new(0, ".text", 1, 3)])
        .section(Section::nobits(".bss", 64))
        .section(Section::progbits("order", SHF_LINK_ORDER | 2, [9; 4]).link(".text"))
        .section(Section::new("addrsig", SHT_LLVM_ADDRSIG).link(".symtab").data([2]))
        .symbols(vec![
            Symbol::section(".text"),
            Symbol::local("twin", ".text").at(0, 4),
            Symbol::local("twin", ".bss").at(4, 4),
            Symbol::global("sig", ".text.sig").other(2),
            Symbol::reserved("live", SHN_LIVEPATCH),
        ])
}

fn relocs_name(format: Format) -> String {
    let prefix = if format.rela() { ".rela" } else { ".rel" };
    format!("{prefix}.text")
}

#[test]
fn layout_does_not_count() {
    for format in [Format::X86_64, Format::MIPS64EL, Format::MIPS, Format::ARM] {
        let file = object(format).build();
        let mut moved = object(format);
        let names = Section::strtab(".strtab");
        moved.sections.retain(|s| s.name != b".strtab");
        // All indices change: the string table comes first, .text last.
        moved.sections.insert(0, names);
        let text = moved.sections.remove(3);
        assert_eq!(text.name, b".text");
        moved.sections.push(text.gap([7; 3]));
        moved.names = Names::Before(".symtab".into());
        moved.table = TableAt::Before(".bss".into());
        moved.tail_merge = true;
        let moved = moved.build();
        assert_eq!(semantic_diff(&file, &moved), [""; 0]);
        assert_ne!(ReadElf::parse(&file).symbol("sig"), ReadElf::parse(&moved).symbol("sig"));
    }
}

#[test]
fn an_added_and_a_removed_section_are_all_that_differs() {
    let a = object(Format::S390X).section(Section::progbits(".gone", 0, [1])).build();
    let mut b = object(Format::S390X);
    b.sections.insert(1, Section::progbits(".text.sig", 0, []));
    // The second of its name is told by its number, the first is not taken for it.
    let diff = semantic_diff(&a, &b.build()).join("\n");
    assert!(diff.contains("section '.gone': only in the first"), "{diff}");
    assert!(diff.contains("section '.text.sig'#2: only in the second"), "{diff}");
    assert!(diff.contains("section '.text.sig': 4 bytes -> 0 bytes"), "{diff}");
}

#[test]
fn each_difference_in_words() {
    type Change = fn(&mut ElfSpec);
    let cases: [(Change, &str); 11] = [
        (|s| s.e_flags = 5, "ELF header: e_flags: 0x0 -> 0x5"),
        (|s| s.sections[2].flags = 7, "section '.text': sh_flags: 0x6 -> 0x7"),
        (
            |s| s.sections[2].contents = Contents::Bytes(vec![1, 2, 3, 4, 5, 6, 9, 8]),
            "section '.text': byte 0x6: 0x07 -> 0x09",
        ),
        (|s| s.sections[4].size = Some(65), "section '.bss': sh_size: 0x40 -> 0x41"),
        (|s| s.sections[5].link = ".bss".into(), r#"section 'order': sh_link: "'.text'" -> "'.bss'""#),
        (|s| s.sections[3].info = ".bss".into(), r#"section '.rela.text': sh_info: "'.text'" -> "'.bss'""#),
        (
            |s| s.sections[6].contents = Contents::Bytes(vec![3]),
            r#"section 'addrsig': contents: ["'twin'"] -> ["'twin'#2"]"#,
        ),
        (|s| s.sections[0].info = "live".into(), r#"section '.group': sh_info: "symbol 'sig'" -> "symbol 'live'""#),
        (
            |s| s.sections[0].contents = Contents::Group(1, vec![".text".into()]),
            r#"section '.group': contents: ["flags 0x1", "'.text.sig'"] -> ["flags 0x1", "'.text'"]"#,
        ),
        (
            |s| {
                let Contents::Symbols(symbols) = &mut s.sections[7].contents else { panic!() };
                symbols[2].section = crate::symbols::SymbolSection::Section(".text".into());
            },
            r#"section '.symtab': symbol 'twin'#2: st_shndx: "'.bss'" -> "'.text'""#,
        ),
        (|s| s.trailer = vec![5], "trailer: 0 bytes -> 1 bytes"),
    ];
    let file = object(Format::X86_64).build();
    for (change, expected) in cases {
        let mut spec = object(Format::X86_64);
        change(&mut spec);
        assert_eq!(semantic_diff(&file, &spec.build()), [expected]);
    }
}

#[test]
fn relocations_are_told_by_symbol() {
    for format in [Format::X86_64, Format::MIPS64EL, Format::MIPS] {
        let mut spec = object(format);
        let name = relocs_name(format);
        let file = spec.build();
        let relocs = spec.sections.iter_mut().find(|s| s.name == name.as_bytes()).unwrap();
        relocs.contents = Contents::Relocs(vec![Reloc::new(4, "live", 2, 0)]);
        let diff = semantic_diff(&file, &spec.build());
        assert_eq!(diff.len(), 1);
        assert!(diff[0].starts_with(&format!("section '{name}': contents: [\"0x4 type 0x2 'sig'")));
        assert!(diff[0].ends_with("[\"0x4 type 0x2 'live' +0\"]"), "{}", diff[0]);
    }
}

/// The bytes whose meaning counts: no padding, no place of what is empty, no size of what holds only names.
fn meaningful(file: &[u8]) -> Vec<bool> {
    let elf = ReadElf::parse(file);
    let mut counts = vec![false; file.len()];
    counts[..elf.header("e_ehsize") as usize].fill(true);
    counts[elf.header("e_shoff") as usize..].fill(true);
    for (i, section) in elf.sections.iter().enumerate() {
        if !section.data.is_empty() {
            counts[section.offset as usize..][..section.data.len()].fill(true);
        }
        let free: &[&str] = match section.sh_type {
            SHT_NULL => &["sh_name", "sh_offset", "sh_size", "sh_link", "sh_info"],
            SHT_STRTAB => &["sh_size"],
            // The same byte may well lie elsewhere, too.
            _ if section.data.len() < 2 => &["sh_offset"],
            _ => &[],
        };
        if section.sh_type == SHT_SYMTAB {
            // Every string table has more than one empty string.
            for (j, symbol) in elf.symbols_of(i as u32).iter().enumerate() {
                let at = section.offset as usize + j * size_of(SYM, elf.format.class);
                counts[at..at + 4].fill(!symbol.name.is_empty());
            }
        }
        for field in SHDR.iter().filter(|f| free.contains(&f.name)) {
            let (offset, width) = field.at(elf.format.class);
            counts[section_header(file, i) + offset..][..width].fill(false);
        }
    }
    counts
}

#[test]
fn no_changed_bit_goes_unnoticed() {
    let options = GenOptions { linker_like: true, ..GenOptions::default() };
    for seed in 0..40 {
        let file = generate(seed, options);
        let counts = meaningful(&file.bytes);
        let step = file.bytes.len() / 250 + 1;
        for at in (seed as usize % step..file.bytes.len()).step_by(step).filter(|&at| counts[at]) {
            let mut poked = file.bytes.clone();
            poked[at] ^= 1 << (at % 8);
            // A panic of the reader is a finding, too.
            let silent = catch_unwind(|| semantic_diff(&file.bytes, &poked).is_empty());
            assert!(!silent.unwrap_or(false), "byte {at:#x}: {}", file.description);
        }
    }
}

#[test]
fn a_generated_file_does_not_differ_from_itself() {
    for seed in 0..500 {
        for linker_like in [false, true] {
            let file = generate(seed, GenOptions { linker_like, ..GenOptions::default() });
            assert_eq!(semantic_diff(&file.bytes, &file.bytes), [""; 0], "{}", file.description);
            let elf = ReadElf::parse(&file.bytes);
            assert!(elf.trailer.ends_with(&file.spec.trailer), "{}", file.description);
            assert!(!linker_like || elf.trailer.is_empty(), "{}", file.description);
        }
    }
}
