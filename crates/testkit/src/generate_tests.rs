//! Generated files are valid, and as varied as they are said to be.

use crate::consts::*;
use crate::fields::*;
use crate::format::Format;
use crate::generate::{GenOptions, generate};
use crate::readelf::assert_readelf_accepts;
use goblin::elf::Elf;
use std::collections::BTreeSet;

const LINKER_LIKE: GenOptions = GenOptions { linker_like: true, format: None, e_type: None };

#[test]
fn readelf_accepts_a_sample() {
    for seed in 0..120 {
        for options in [GenOptions::default(), LINKER_LIKE] {
            let file = generate(seed, options);
            assert_readelf_accepts(&file.bytes, &file.description);
        }
    }
}

#[test]
fn goblin_accepts_all_but_odd_names() {
    for seed in 0..1000 {
        for options in [GenOptions::default(), LINKER_LIKE] {
            let file = generate(seed, options);
            match Elf::parse(&file.bytes) {
                Ok(elf) => assert!(elf.section_headers.len() > 1),
                Err(error) => {
                    let odd = file.features.contains("name not UTF-8");
                    assert!(odd, "{}: {error}", file.description);
                }
            }
        }
    }
}

#[test]
fn a_seed_names_one_file() {
    let file = generate(7, GenOptions::default());
    assert_eq!(file.bytes, generate(7, GenOptions::default()).bytes);
    assert_ne!(file.bytes, generate(8, GenOptions::default()).bytes);
}

#[test]
fn every_format_type_and_feature_occurs() {
    let mut seen = BTreeSet::new();
    let mut features = BTreeSet::new();
    for seed in 0..1500 {
        let file = generate(seed, GenOptions::default());
        let format = file.spec.format;
        seen.insert((format.to_string(), file.spec.e_type));
        features.extend(file.features);
    }
    assert_eq!(seen.len(), Format::ALL.len() * 3);
    let expected = [
        ".BTF",
        ".BTF.base",
        ".BTF_ids",
        ".module_hashes",
        "TLS",
        "addrsig",
        "align 0",
        "align 3",
        "bare",
        "dynamic relocations",
        "emitted relocations",
        "empty section",
        "file order",
        "gap before table",
        "gaps",
        "gas",
        "group",
        "headers loaded",
        "link order",
        "livepatch",
        "lld",
        "modinfo behind bss",
        "name not UTF-8",
        "no symtab",
        "nobits",
        "notes",
        "padding not zero",
        "physical addresses",
        "relocations",
        "same name twice",
        "shared strtab",
        "symtab_shndx",
        "table in front",
        "table in the middle",
        "trailer",
        "unknown type",
        "unusual REL or RELA",
    ];
    assert_eq!(features, BTreeSet::from(expected));
}

#[test]
fn linker_like_files_have_only_canonical_padding_and_the_table_last() {
    for seed in 0..300 {
        let file = generate(seed, LINKER_LIKE);
        let bytes = &file.bytes;
        let word = file.spec.format.word();
        let shoff = header_field(bytes, "e_shoff") as usize;
        let (shnum, phnum) = (header_field(bytes, "e_shnum"), header_field(bytes, "e_phnum"));
        let class = file.spec.format.class;
        let table = shnum as usize * size_of(SHDR, class);
        assert_eq!(shoff + table, bytes.len(), "{}", file.description);
        let mut ranges: Vec<(usize, usize, u64)> = (1..shnum as usize)
            .filter(|&i| section_field(bytes, i, "sh_type") != u64::from(SHT_NOBITS))
            .map(|i| {
                let field = |name| section_field(bytes, i, name);
                let in_segment = phnum > 0 && field("sh_flags") & SHF_ALLOC != 0;
                let align = if in_segment { 0x1000 } else { field("sh_addralign") };
                (field("sh_offset") as usize, field("sh_size") as usize, align.max(1))
            })
            .collect();
        ranges.push((shoff, table, word as u64));
        ranges.sort_unstable();
        let headers = size_of(EHDR, class) + phnum as usize * size_of(PHDR, class);
        ranges.iter().fold(headers, |end, &(start, len, _)| {
            // Of several (empty) ones at one offset, the most aligned made the padding.
            let here = ranges.iter().filter(|range| range.0 == start);
            let align = here.map(|range| range.2).max().unwrap();
            assert!(start >= end, "overlap: {}", file.description);
            let bss = if file.features.contains("modinfo behind bss") { 0x400 } else { 0 };
            assert!(start - end < align as usize + bss, "{}", file.description);
            assert!(bytes[end..start].iter().all(|&b| b == 0), "{}", file.description);
            start + len
        });
    }
}

#[test]
fn segments_are_congruent_and_hold_their_sections() {
    for seed in 0..300 {
        let options = GenOptions { e_type: Some(ET_EXEC), ..GenOptions::default() };
        let file = generate(seed, options);
        let elf = Elf::parse(&file.bytes).unwrap();
        for s in elf.section_headers.iter().filter(|s| s.is_alloc() && s.sh_type != SHT_NOBITS) {
            let held = elf.program_headers.iter().filter(|p| p.p_type == PT_LOAD).any(|p| {
                p.p_offset <= s.sh_offset
                    && s.sh_offset + s.sh_size <= p.p_offset + p.p_filesz
                    && s.sh_addr - p.p_vaddr == s.sh_offset - p.p_offset
            });
            assert!(held, "[{}]: {}", s.sh_name, file.description);
        }
        for p in elf.program_headers.iter().filter(|p| p.p_type == PT_LOAD) {
            assert_eq!(p.p_offset % p.p_align, p.p_vaddr % p.p_align, "{}", file.description);
            assert!(p.p_filesz <= p.p_memsz, "{}", file.description);
        }
    }
}
