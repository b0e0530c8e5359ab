mod kernel;

use super::*;
use elfgraft_testkit::consts::*;
use elfgraft_testkit::elf::{ElfSpec, Names, Section, Segment, TableAt};
use elfgraft_testkit::fields::{poke_header, poke_section, poke_segment, section_field};
use elfgraft_testkit::format::{Class, Format};
use elfgraft_testkit::generate::{GenOptions, Generated, generate};
use elfgraft_testkit::rng::Rng;
use elfgraft_testkit::symbols::{Reloc, Symbol};

fn testdata(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/../../testdata/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// Every finding as `key: place: text`.
fn lines(a: &[u8], b: &[u8]) -> Vec<String> {
    lines_with(a, b, &Options::default())
}

fn lines_with(a: &[u8], b: &[u8], options: &Options) -> Vec<String> {
    let report = diff(a, b, options).unwrap();
    assert_eq!(report.is_equal(), report.findings.is_empty());
    report.findings.iter().map(|finding| format!("{}: {finding}", finding.key)).collect()
}

fn generated() -> impl Iterator<Item = Generated> {
    (0..150).map(|seed| generate(seed, GenOptions { linker_like: seed % 2 == 0, ..GenOptions::default() }))
}

/// A file with one of each.
fn spec(format: Format) -> ElfSpec {
    let symbols = vec![
        Symbol::section(".text"),
        Symbol::local("loop", ".text").at(2, 1),
        Symbol::global("first", ".text").at(0, 4),
        Symbol::global("second", ".data").at(4, 4),
        Symbol::reserved("printk", SHN_UNDEF),
    ];
    ElfSpec::new(format, ET_REL)
        .section(Section::group("first", vec![".text.a".into(), ".data.a".into()]))
        .section(Section::progbits(".text", SHF_ALLOC | SHF_EXECINSTR, [0x90; 16]).align(4))
        .relocs(".text", vec![Reloc::new(0, "printk", 1, 4), Reloc::new(8, "second", 1, 0)])
        .section(Section::progbits(".text.a", SHF_ALLOC | SHF_GROUP, "a"))
        .section(Section::progbits(".data.a", SHF_ALLOC | SHF_GROUP, "b"))
        .section(Section::progbits(".data", SHF_ALLOC | SHF_WRITE, "contents").align(8))
        .section(Section::progbits(".modinfo", SHF_ALLOC, "license=GPL\0"))
        .symbols(symbols)
}

fn index(file: &[u8], name: &str) -> usize {
    Elf::parse(file).unwrap().find(name.as_bytes()).unwrap() as usize
}

#[test]
fn a_file_does_not_differ_from_itself() {
    for file in generated() {
        assert_eq!(lines(&file.bytes, &file.bytes), [""; 0], "{}", file.description);
    }
    for name in ["vmlinux", "demo-signed.ko", "livepatch.ko", "libdemo.so", "obj-mips64el.o", "obj-compressed.o"] {
        let data = testdata(name);
        assert_eq!(lines(&data, &data), [""; 0], "{name}");
    }
}

/// Done-when 2 of issue 6.
#[test]
fn one_flag_of_one_kfunc_is_one_line() {
    // Where testdata/demo.ids has bpf_demo_release once sorted, and where it is in the object as linked.
    let base = testdata("vmlinux.btf");
    let options = Options { btf_base: Some(&base), ..Options::default() };
    for (name, flags, wrong) in [("demo-upstream-sorted.ko", 0x6c + 4, None), ("demo.ko", 0x34 + 12, Some(()))] {
        let old = testdata(name);
        let elf = Elf::parse(&old).unwrap();
        let ids = elf.find(b".BTF_ids").unwrap();
        let offset = usize::try_from(elf.section(ids).unwrap().sh_offset).unwrap() + flags;
        let was = old[offset];
        let mut new = old.clone();
        new[offset] = 0x77;
        let place = format!("btf-id-flags: section '.BTF_ids' [{ids}], set8 'demo_kfuncs'");
        let found = lines_with(&old, &new, &options);
        assert_eq!(found.len(), 1, "{found:?}");
        if wrong.is_none() {
            assert_eq!(found, [format!("{place}: kfunc 'bpf_demo_release': flags 0x2 -> 0x77")]);
        } else {
            let rest = found[0].strip_prefix(&format!("{place}: kfunc '")).unwrap();
            assert!(rest.ends_with(&format!("': flags {was:#x} -> 0x77")), "{rest}");
        }
        let ignore = [Key::BtfIdFlags].into();
        assert_eq!(lines_with(&old, &new, &Options { ignore, ..options.clone() }), [""; 0]);
    }
}

#[test]
fn what_moved_has_moved_and_no_more() {
    for format in Format::FOUR {
        let old = spec(format).build();
        let mut layouts = vec![spec(format); 4];
        layouts[0].sections[1].gap = vec![0; 64];
        layouts[1].table = TableAt::Front;
        layouts[2].file_last = vec![".text".into(), ".modinfo".into()];
        layouts[3].table_gap = vec![0; 40];
        for layout in layouts {
            let new = layout.build();
            let report = diff(&old, &new, &Options::default()).unwrap();
            assert!(!report.is_equal());
            assert!(report.findings.iter().all(|finding| finding.key == Key::Moved), "{:?}", report.findings);
            let ignore = [Key::Moved].into();
            assert!(diff(&old, &new, &Options { ignore, ..Options::default() }).unwrap().is_equal());
        }
    }
}

/// Section and symbol indices in links, groups, symbols and relocations all change.
#[test]
fn another_index_is_no_difference() {
    for format in Format::FOUR {
        let old = spec(format);
        let mut new = old.clone();
        new.sections.insert(0, Section::progbits(".first", 0, "x"));
        if let elfgraft_testkit::elf::Contents::Symbols(symbols) = &mut new.sections[8].contents {
            symbols.swap(0, 1);
            symbols[2..].rotate_left(1);
        } else {
            panic!("no symbols");
        }
        new.names = Names::Before(".first".into());
        let ignore = [Key::Moved].into();
        let found = lines_with(&old.build(), &new.build(), &Options { ignore, ..Options::default() });
        let (first, rest) = found.split_first().unwrap();
        assert_eq!(first, "section-added: section '.first' [2]: added (SHT_PROGBITS, 0x1 bytes, flags 0x0)");
        assert!(rest.iter().all(|line| line.starts_with("string-table: ")), "{rest:?}");
    }
}

#[test]
fn fields_of_section_headers_are_named() {
    for format in Format::FOUR {
        let old = spec(format).build();
        let changed = |section: &str, field: &str, value: u64| {
            let mut new = old.clone();
            let index = index(&new, section);
            assert_ne!(section_field(&new, index, field), value);
            poke_section(&mut new, index, field, value);
            lines(&old, &new)
        };
        let flags = changed(".data", "sh_flags", 0x2);
        assert_eq!(flags, ["section-flags: section '.data' [6]: sh_flags 0x3 (WA) -> 0x2 (A)"]);
        let addr = changed(".data", "sh_addr", 0x40);
        assert_eq!(addr, ["section-addr: section '.data' [6]: sh_addr 0x0 -> 0x40"]);
        assert_eq!(
            changed(".data", "sh_addralign", 4),
            ["section-align: section '.data' [6]: sh_addralign 0x8 -> 0x4"]
        );
        assert_eq!(changed(".modinfo", "sh_addralign", 0), [""; 0]);
        assert_eq!(changed(".data", "sh_entsize", 1), ["section-entsize: section '.data' [6]: sh_entsize 0x0 -> 0x1"]);
        assert_eq!(
            changed(".data", "sh_link", 2),
            ["section-link: section '.data' [6]: sh_link '' [0] -> '.text' [2]"]
        );
        let size = changed(".data", "sh_size", 6);
        assert_eq!(size[0], "section-size: section '.data' [6]: sh_size 0x8 -> 0x6");
        let kind = changed(".data", "sh_type", 7);
        assert_eq!(kind[0], "section-type: section '.data' [6]: sh_type SHT_PROGBITS -> SHT_NOTE");
        let group = changed(".group", "sh_info", 4);
        assert_eq!(group, ["section-info: section '.group' [1]: sh_info symbol 'first' -> symbol 'second'"]);
        let name = index(&old, if format.rela() { ".rela.text" } else { ".rel.text" });
        let mut new = old.clone();
        poke_section(&mut new, name, "sh_info", 6);
        let found = lines(&old, &new);
        assert!(found[0].ends_with("sh_info '.text' [2] -> '.data' [6]") && found.len() == 1, "{found:?}");
        assert_eq!(changed(".symtab", "sh_info", 2), ["section-info: section '.symtab' [8]: sh_info 0x3 -> 0x2"]);
    }
}

#[test]
fn header_and_segments_are_compared_field_by_field() {
    let old = ElfSpec::new(Format::S390X, ET_EXEC)
        .section(Section::progbits(".text", SHF_ALLOC, [1; 16]).addr(0x1000))
        .segment(Segment::load(5, ".text", ".text"))
        .segment(Segment::empty(PT_GNU_STACK, 6))
        .build();
    let mut new = old.clone();
    poke_header(&mut new, "e_entry", 0x1000);
    poke_header(&mut new, "e_flags", 7);
    poke_segment(&mut new, 0, "p_flags", 4);
    poke_segment(&mut new, 0, "p_paddr", 0x99);
    assert_eq!(
        lines(&old, &new),
        [
            "header: ELF header: e_entry 0x0 -> 0x1000",
            "header: ELF header: e_flags 0x0 -> 0x7",
            "segment: segment 0 (PT_LOAD): p_flags 0x5 -> 0x4",
            "segment: segment 0 (PT_LOAD): p_paddr 0x1000 -> 0x99",
        ]
    );
    poke_header(&mut new, "e_phnum", 1);
    assert!(lines(&old, &new).iter().any(|l| l.starts_with("segment-removed: segment 1 (PT_GNU_STACK): removed (")));
    assert!(lines(&new, &old).iter().any(|l| l.starts_with("segment-added: segment 1 (PT_GNU_STACK): added (")));
}

#[test]
fn symbols_are_compared_by_name() {
    for format in Format::FOUR {
        let old = spec(format);
        let with = |change: fn(&mut Vec<Symbol>)| {
            let mut new = old.clone();
            match &mut new.sections[7].contents {
                elfgraft_testkit::elf::Contents::Symbols(symbols) => change(symbols),
                _ => panic!("no symbols"),
            }
            let ignore = [Key::Moved, Key::StringTable].into();
            lines_with(&old.build(), &new.build(), &Options { ignore, ..Options::default() })
        };
        assert_eq!(with(|s| s[3].value = 6), ["symbol: symbol 'second': st_value 0x4 -> 0x6"]);
        assert_eq!(
            with(|s| (s[2].size, s[2].other) = (8, 2)),
            ["symbol: symbol 'first': st_size 0x4 -> 0x8, st_other 0x0 -> 0x2"]
        );
        assert_eq!(with(|s| s[3].bind = STB_WEAK), ["symbol: symbol 'second': binding 0x1 -> 0x2"]);
        let moved = with(|s| s[3].section = Symbol::local("", ".text").section);
        assert_eq!(moved, ["symbol: symbol 'second': st_shndx '.data' [6] -> '.text' [2]"]);
        let absolute = with(|s| s[3].section = Symbol::reserved("", SHN_LIVEPATCH).section);
        assert_eq!(absolute, ["symbol: symbol 'second': st_shndx '.data' [6] -> SHN_LIVEPATCH"]);
        assert_eq!(with(|s| s.push(Symbol::global("third", ".text"))), ["symbol-added: symbol 'third': added"]);
        assert_eq!(with(|s| drop(s.remove(1))), ["symbol-removed: symbol 'loop': removed"]);
        // Of two of one name, one that nothing else differs from stays.
        let twice = with(|s| s.insert(1, Symbol::local("loop", ".data").at(1, 0)));
        assert_eq!(twice, ["symbol-added: symbol 'loop': added"]);
    }
}

#[test]
fn relocations_are_compared_by_place() {
    for format in Format::FOUR {
        let name = if format.rela() { "section '.rela.text' [3]" } else { "section '.rel.text' [3]" };
        let old = spec(format);
        let with = |change: fn(&mut Vec<Reloc>)| {
            let mut new = old.clone();
            match &mut new.sections[2].contents {
                elfgraft_testkit::elf::Contents::Relocs(relocs) => change(relocs),
                _ => panic!("no relocations"),
            }
            let ignore = [Key::Moved].into();
            lines_with(&old.build(), &new.build(), &Options { ignore, ..Options::default() })
        };
        let symbol = with(|r| r[1].symbol = "first".into());
        assert_eq!(symbol, [format!("reloc: {name} at 0x8: symbol 'second' -> symbol 'first'")]);
        let kind = with(|r| r[0].kind = 2);
        assert!(kind[0].starts_with(&format!("reloc: {name} at 0x0: type ")) && kind.len() == 1, "{kind:?}");
        let added = with(|r| r.insert(1, Reloc::new(4, ".text", 1, 0)));
        assert!(added[0].starts_with(&format!("reloc-added: {name} at 0x4: added (type ")), "{added:?}");
        assert!(added[0].ends_with(" of symbol of section '.text' [2])") && added.len() == 1, "{added:?}");
        let removed = with(|r| drop(r.remove(0)));
        assert!(removed[0].starts_with(&format!("reloc-removed: {name} at 0x0: removed (type ")), "{removed:?}");
        assert_eq!(removed.len(), 1);
        assert_eq!(with(|r| r.reverse()), [format!("reloc-order: {name}: the same relocations in another order")]);
        if format.rela() {
            assert_eq!(with(|r| r[0].addend = -4), [format!("reloc: {name} at 0x0: addend 4 -> -4")]);
        }
    }
}

#[test]
fn members_of_groups_are_compared_by_name() {
    for format in Format::FOUR {
        let old = spec(format);
        let with = |members: &[&str]| {
            let mut new = old.clone();
            new.sections[0] = Section::group("first", members.iter().map(|&name| name.into()).collect());
            let ignore = [Key::Moved].into();
            lines_with(&old.build(), &new.build(), &Options { ignore, ..Options::default() })
        };
        assert_eq!(with(&[".text.a"]), ["group: section '.group' [1]: member '.data.a' [5] removed"]);
        assert_eq!(with(&[".text.a", ".data.a", ".data"]), ["group: section '.group' [1]: member '.data' [6] added"]);
        let other = with(&[".data.a", ".text.a"]);
        assert_eq!(other, ["group: section '.group' [1]: members in another order, or not as often"]);
    }
}

#[test]
fn contents_trailer_and_bytes_nobody_owns() {
    let old = spec(Format::ARM).trailer("behind");
    let mut new = old.clone();
    new.sections[5] = Section::progbits(".data", SHF_ALLOC | SHF_WRITE, "contExts").align(8);
    new.sections[6] = Section::progbits(".modinfo", SHF_ALLOC, "license=MIT\0");
    new.trailer = b"beyond".to_vec();
    new.table_gap = b"gap".to_vec();
    let ignore = [Key::Moved].into();
    assert_eq!(
        lines_with(&old.build(), &new.build(), &Options { ignore, ..Options::default() }),
        [
            "contents: section '.data' [6]: 2 bytes differ, the first at offset 0x4: 0x65 -> 0x45",
            "modinfo: section '.modinfo' [7]: removed: 'license=GPL'",
            "modinfo: section '.modinfo' [7]: added: 'license=MIT'",
            "trailer: trailer: 2 bytes differ, the first at offset 0x2: 0x68 -> 0x79",
            "unowned: unowned bytes behind section '.shstrtab' [10]: 3 bytes added",
        ]
    );
}

/// Nothing is overlooked: of every byte of a file one bit is turned, and it is a difference or the file cannot be read.
#[test]
fn every_turned_bit_is_seen() {
    let mut rng = Rng::new(1);
    for seed in 0..12 {
        let file = generate(seed, GenOptions { linker_like: seed % 2 == 0, ..GenOptions::default() });
        let elf = Elf::parse(&file.bytes).unwrap();
        for at in 0..file.bytes.len() {
            let mut other = file.bytes.clone();
            other[at] ^= 1 << rng.below(8);
            let Ok(report) = diff(&file.bytes, &other, &Options::default()) else { continue };
            assert!(!report.is_equal() || means_the_same(&elf, &other), "{}: byte {at:#x}", file.description);
        }
    }
}

/// An alignment of 0 is one of 1, and a nameless symbol is nameless wherever in the string table.
fn means_the_same(elf: &Elf, other: &[u8]) -> bool {
    let changed = Elf::parse(other).unwrap();
    let aligned = |elf: &Elf| elf.sections.iter().map(|section| section.sh_addralign).collect::<Vec<_>>();
    let names = |elf: &Elf| {
        let tables = elf.iter().filter_map(|(index, _)| elf.symbols(index));
        tables.flat_map(|table| table.iter().map(|(_, symbol)| symbol.st_name).collect::<Vec<_>>()).collect::<Vec<_>>()
    };
    aligned(elf) != aligned(&changed) || names(elf) != names(&changed)
}

/// Damaged files too: an answer or an error, and the same backwards.
#[test]
fn no_bytes_are_too_strange() {
    let mut rng = Rng::new(2);
    let mut compared = 0;
    for file in generated() {
        for _ in 0..20 {
            let mut other = file.bytes.clone();
            for _ in 0..1 + rng.index(4) {
                let at = rng.index(other.len());
                other[at] = rng.pick(&[0, 1, 0x7f, 0x80, 0xff]);
            }
            other.truncate(other.len() - rng.pick(&[0, 0, 0, 1, 100]));
            let there = diff(&file.bytes, &other, &Options::default());
            let back = diff(&other, &file.bytes, &Options::default());
            assert_eq!(there.is_ok(), back.is_ok(), "{}", file.description);
            if let (Ok(there), Ok(back)) = (there, back) {
                assert_eq!(there.is_equal(), back.is_equal(), "{}", file.description);
                compared += 1;
            }
        }
    }
    assert!(compared > 1000, "{compared}");
}

#[test]
fn sections_that_overlap_too_much_are_refused() {
    let mut file = spec(Format::X86_64).build();
    let len = file.len() as u64;
    for index in 1..6 {
        poke_section(&mut file, index, "sh_offset", 0);
        poke_section(&mut file, index, "sh_size", len);
    }
    let (which, error) = diff(&spec(Format::X86_64).build(), &file, &Options::default()).unwrap_err();
    assert_eq!(which, Which::Second);
    assert!(matches!(error, Error::Overlap { .. }), "{error}");
}

#[test]
fn symbols_keep_their_place_in_a_section_with_another_address() {
    let image = |addr: u64| {
        ElfSpec::new(Format::new(Class::Elf64, elfgraft_testkit::format::Endian::Big, EM_PPC64), ET_EXEC)
            .section(Section::progbits(".text", SHF_ALLOC, [1; 16]).addr(addr))
            .symbols(vec![Symbol::global("start", ".text").at(addr + 4, 8)])
            .section(Section::relocs(Format::S390X, ".text", vec![Reloc::new(addr + 8, "start", 1, 0)]))
            .build()
    };
    let found = lines(&image(0x1000), &image(0x3000));
    assert_eq!(found, ["section-addr: section '.text' [1]: sh_addr 0x1000 -> 0x3000"]);
}
