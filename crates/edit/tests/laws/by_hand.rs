//! Files made by hand, after what fuzzing and kernels found.

use super::*;
use elfgraft_edit::plan_only_keep_debug;

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
