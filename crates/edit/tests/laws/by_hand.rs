//! Files made by hand, after what fuzzing and kernels found.

use super::*;
use elfgraft_edit::{plan_only_keep_debug, to_elf32};
use elfgraft_testkit::symbols::Symbol;

// A fuzzer moved the offset of a section without bytes into a string table. It stayed where it was when the table moved,
// and the next edit took it for a place between sections.
#[test]
fn l2_an_empty_section_that_points_into_another_moves_along() {
    for format in Format::FOUR {
        let mut x = ElfSpec::new(format, ET_REL)
            .section(Section::progbits(".first", 0, [1; 192]))
            .section(Section::progbits(".empty", 0, []))
            .section(Section::progbits(".last", 0, [2; 600]))
            .build();
        let [first, empty, last] = [1, 2, 3].map(|index| section_field(&x, index, "sh_offset"));
        assert!(first < empty && empty <= last);
        poke_section(&mut x, 2, "sh_offset", last + 560);
        let (a, b) = (set(".first", &[3; 7]), set(".first", &[4; 400]));
        let (fa, fb) = (edit(&x, &a).unwrap(), edit(&x, &b).unwrap());
        for file in [&fa, &fb] {
            let [empty, last] = [2, 3].map(|index| section_field(file, index, "sh_offset"));
            assert_eq!(empty, last + 560);
        }
        same(&edit(&fa, &b).unwrap(), &fb, "L2");
        // Into the section header table.
        let table = header_field(&x, "e_shoff");
        poke_section(&mut x, 2, "sh_offset", table + 40);
        same(&edit(&edit(&x, &a).unwrap(), &b).unwrap(), &edit(&x, &b).unwrap(), "L2");
        same(&edit(&edit(&x, &set(".new", &[5; 9])).unwrap(), &remove(&[".new"])).unwrap(), &x, "L3");
    }
}

// A fuzzer moved the offset of PT_GNU_STACK, which has no bytes, beyond the end of the file: all of the file was taken to lie
// in a segment, and what was added too.
#[test]
fn l2_l3_a_segment_without_bytes_holds_nothing_wherever_it_is() {
    for format in Format::FOUR {
        let mut x = ElfSpec::new(format, ET_DYN)
            .section(Section::progbits(".text", SHF_ALLOC, [1; 100]).addr(0x1000).congruent(0x1000))
            .section(Section::progbits(".comment", 0, [2; 30]))
            .segment(Segment::load(5, ".text", ".text").vaddr(0x1000).align(0x1000))
            .segment(Segment::empty(0x6474_e551, 6))
            .build();
        for p_offset in [0, section_field(&x, 2, "sh_offset") + 10, x.len() as u64 + 10, 1 << 30] {
            poke_segment(&mut x, 1, "p_offset", p_offset);
            for name in [".comment", ".new"] {
                let (a, b) = (set(name, &[3; 7]), set(name, &[4; 400]));
                let (fa, fb) = (edit(&x, &a).unwrap(), edit(&x, &b).unwrap());
                same(&edit(&fa, &b).unwrap(), &fb, "L2");
                same(&edit(&fb, &a).unwrap(), &fa, "L2");
            }
            same(&edit(&edit(&x, &add(".new", &[3; 7])).unwrap(), &remove(&[".new"])).unwrap(), &x, "L3");
        }
    }
}

// A fuzzer found it: a section without bytes whose offset was 0, or in a segment, got its new size, and the bytes were not
// written.
#[test]
fn an_empty_section_whose_offset_is_in_the_fixed_zone_gets_its_contents() {
    for format in Format::FOUR {
        let spec = ElfSpec::new(format, ET_DYN)
            .section(Section::progbits(".text", SHF_ALLOC, [1; 100]).addr(0x1000).congruent(0x1000))
            .section(Section::progbits(".empty", 0, []))
            .section(Section::progbits(".comment", 0, [2; 30]));
        let object = ElfSpec { e_type: ET_REL, ..spec.clone() }.build();
        let linked = spec.segment(Segment::load(5, ".text", ".text").vaddr(0x1000).align(0x1000)).build();
        for mut x in [object, linked] {
            for offset in [0, 20, section_field(&x, 1, "sh_offset") + 10] {
                poke_section(&mut x, 2, "sh_offset", offset);
                let replace = |bytes: &[u8]| Edits { add: add(".empty", bytes).add, ..remove(&[".empty"]) };
                let edits = |bytes: &[u8]| [set(".empty", bytes), replace(bytes), update(".empty", bytes)];
                for (a, b) in edits(&[3; 7]).into_iter().zip(edits(&[4; 400])) {
                    let (fa, fb) = (edit(&x, &a).unwrap(), edit(&x, &b).unwrap());
                    let image = Image::parse(&fa).unwrap();
                    assert_eq!(image.contents(image.named(b".empty")[0]).unwrap(), [3; 7]);
                    same(&edit(&fa, &a).unwrap(), &fa, "L1");
                    same(&edit(&fa, &b).unwrap(), &fb, "L2");
                }
            }
        }
    }
}

// A fuzzer made a PT_LOAD far beyond the end of the file: all that was added was in it the second time.
#[test]
fn nothing_is_added_to_a_file_that_ends_within_a_segment() {
    for format in Format::FOUR {
        let mut x = ElfSpec::new(format, ET_DYN)
            .section(Section::progbits(".text", SHF_ALLOC, [1; 100]).addr(0x1000).congruent(0x1000))
            .section(Section::progbits(".comment", 0, [2; 30]))
            .segment(Segment::load(5, ".text", ".text").vaddr(0x1000).align(0x1000))
            .build();
        let len = x.len() as u64;
        for (p_offset, p_filesz, good) in [(0, len, true), (0, len + 1, false), (len + 5, 1, false), (1 << 30, 0, true)]
        {
            poke_segment(&mut x, 0, "p_offset", p_offset);
            poke_segment(&mut x, 0, "p_filesz", p_filesz);
            match edit(&x, &set(".new", &[3; 7])) {
                Ok(fa) => same(&edit(&fa, &set(".new", &[3; 7])).unwrap(), &fa, "L1"),
                Err(e) => assert!(!good && e.to_string().contains("segment 0 ends at"), "{e}"),
            }
            // Where nothing moves, nothing is added.
            assert!(edit(&x, &update(".text", &[7; 100])).is_ok());
            // A separate debug file has the segments of the program, not their bytes: they hold nothing in its place.
            let mut debug = x.clone();
            poke_section(&mut debug, 1, "sh_type", 8);
            let (a, b) = (set(".new", &[3; 7000]), set(".new", &[4; 9]));
            let (fa, fb) = (edit(&debug, &a).unwrap(), edit(&debug, &b).unwrap());
            same(&edit(&fa, &b).unwrap(), &fb, "L2 of a debug file");
            same(&edit(&fa, &remove(&[".new"])).unwrap(), &debug, "L3 of a debug file");
            let grown = edit(&debug, &update(".comment", &[5; 300])).unwrap();
            same(&edit(&grown, &update(".comment", &[2; 30])).unwrap(), &debug, "L2 of an update");
        }
    }
}

// A fuzzer made an `sh_addralign` of 2^35: 5 kB became 34 GB (`testdata/fuzz/edit/alignment-of-32-gigabytes`).
#[test]
fn padding_of_gigabytes_is_refused() {
    let spec = ElfSpec::new(Format::X86_64, ET_REL).section(Section::progbits(".first", 0, [1; 20]));
    let x = spec.section(Section::progbits(".last", 0, [2; 20])).build();
    for (align, good) in [(1u64 << 20, true), (1 << 35, false), (1 << 63, false)] {
        match edit(&x, &Edits { align: vec![(Pattern::new(b".last"), align)], ..Edits::default() }) {
            Ok(file) => assert!(good && file.len() < 2 << 20, "{align:#x}: {} bytes", file.len()),
            Err(e) => assert!(!good && e.to_string().contains("bytes of padding"), "{align:#x}: {e}"),
        }
        let mut x = x.clone();
        poke_section(&mut x, 2, "sh_addralign", align);
        match plan_only_keep_debug(&Image::parse(&x).unwrap()) {
            Ok(plan) => assert!(good && plan.patch.output_len() < 2 << 20, "{align:#x}"),
            Err(e) => assert!(!good && e.to_string().contains("bytes of padding"), "{align:#x}: {e}"),
        }
    }
}

// A fuzzer made sections that lie in each other and begin in the ELF header, where nothing moves: the contents of one were
// written over the other.
#[test]
fn sections_in_each_other_get_no_contents_of_their_own() {
    for format in Format::FOUR {
        let spec = ElfSpec::new(format, ET_REL).section(Section::progbits(".over", 0, [1; 4]));
        let mut x =
            spec.section(Section::progbits(".a", 0, [2; 100])).section(Section::progbits(".b", 0, [3; 60])).build();
        let b = section_field(&x, 3, "sh_offset");
        poke_section(&mut x, 2, "sh_size", 120);
        for in_header in [false, true] {
            if in_header {
                poke_section(&mut x, 1, "sh_offset", 1);
                poke_section(&mut x, 1, "sh_size", b + 60);
            }
            for name in [".a", ".b"] {
                for size in [7, 60, 120] {
                    let replaced = Edits { add: add(name, &vec![9; size]).add, ..remove(&[name]) };
                    for edits in [set(name, &vec![9; size]), replaced] {
                        let e = edit(&x, &edits).unwrap_err().to_string();
                        assert!(e.contains("shares bytes of the file"), "{e}");
                    }
                }
            }
        }
    }
}

// `.e` is empty, lies in `.a`, and stands between it and `.b`, which begins in `.a` too.
#[test]
fn an_empty_section_between_two_that_overlap_is_removed() {
    for format in Format::FOUR {
        let spec = ElfSpec::new(format, ET_REL).section(Section::progbits(".a", 0, [1; 100]));
        let mut x = spec
            .section(Section::progbits(".e", 0, []))
            .section(Section::progbits(".b", 0, [2; 20]))
            .section(Section::progbits(".c", 0, [3; 8]))
            .build();
        let a = section_field(&x, 1, "sh_offset");
        poke_section(&mut x, 2, "sh_offset", a + 36);
        poke_section(&mut x, 3, "sh_offset", a + 56);
        for name in [".e", ".c"] {
            let once = edit(&x, &remove(&[name])).unwrap();
            same(&edit(&once, &remove(&[name])).unwrap(), &once, "L1");
            assert_eq!(ReadElf::parse(&once).section(".b").data, ReadElf::parse(&x).section(".b").data, "L4");
        }
    }
}

// 16 of 24 bytes of a `SHT_SYMTAB_SHNDX` were missing: what came behind moved up, to other symbols.
#[test]
fn symbols_without_an_extended_index_leave_those_of_others() {
    for format in Format::FOUR {
        let symbols =
            vec![Symbol::global("foo", ".text"), Symbol::global("bar", ".text"), Symbol::global("baz", ".text")];
        let words = format.u32s(&[0, 1]);
        let shndx = Section::new(".symtab_shndx", 18).data(words).link(".symtab").entsize(4).align(4);
        let spec = ElfSpec::new(format, ET_REL).section(Section::progbits(".text", SHF_ALLOC, [1; 4]));
        let mut x = spec.symbols(symbols).section(shndx).build();
        // `foo` has its section from the table, `bar` and `baz` need none.
        // st_shndx of symbol 1: 16 + 14 bytes behind the first, or 24 + 6.
        let at = section_field(&x, 2, "sh_offset") as usize + 30;
        x[at..at + 2].fill(0xff);
        let localize = SymbolNames::new([b"bar".to_vec()], false);
        let edits = Edits { symbols: SymbolEdits { localize, ..SymbolEdits::default() }, ..Edits::default() };
        let once = edit(&x, &edits).unwrap();
        let section = |file: &[u8], name: &[u8]| {
            let image = Image::parse(file).unwrap();
            let table = image.symbol_table(image.symbol_tables()[0]).unwrap();
            let all: Vec<_> = table.iter().map(|s| s.unwrap().1).collect();
            all.into_iter().find(|s| table.name(s).unwrap() == name).unwrap().section
        };
        for name in [&b"foo"[..], b"bar", b"baz"] {
            assert_eq!(section(&x, name), section(&once, name));
        }
    }
}

// `.bss` of 2^43 bytes that was to have contents, and thousands of alignments of 64 MiB each.
#[test]
fn results_are_no_terabytes_of_nothing() {
    let bss = |size| ElfSpec::new(Format::X86_64, ET_REL).section(Section::nobits(".bss", size)).build();
    let flags = vec![(Pattern::new(b".bss"), FlagSet::parse("alloc,contents").unwrap())];
    let edits = Edits { flags, ..Edits::default() };
    assert_eq!(ReadElf::parse(&edit(&bss(1000), &edits).unwrap()).section(".bss").data, [0; 1000]);
    for size in [1 << 32, 1 << 43, u64::MAX >> 2] {
        let e = edit(&bss(size), &edits).unwrap_err().to_string();
        assert!(e.contains("bytes of padding and zeros"), "{e}");
    }
    let section = |_| Section::progbits(".s", 0, [1]);
    let mut x = ElfSpec::new(Format::X86_64, ET_REL).sections((0..100).map(section)).build();
    (1..=100).for_each(|index| poke_section(&mut x, index, "sh_addralign", 1 << 25));
    let e = plan_only_keep_debug(&Image::parse(&x).unwrap()).unwrap_err().to_string();
    assert!(e.contains("bytes of padding and zeros"), "{e}");
    assert!(to_elf32(&Image::parse(&x).unwrap()).is_err());
    (1..=100).for_each(|index| poke_section(&mut x, index, "sh_addralign", 1 << 20));
    let e = to_elf32(&Image::parse(&x).unwrap()).unwrap_err().to_string();
    assert!(e.contains("bytes of padding"), "{e}");
}
