//! docs/peers.md: layout, where sections and segments are afterwards.

use super::*;

#[test]
fn a_new_section_is_last_and_its_contents_are_before_the_header_table() {
    for format in Format::FOUR {
        for (what, spec) in layouts::objects(format) {
            let old = spec.build();
            let (before, after) = (ReadElf::parse(&old), ReadElf::parse(&objcopy(&old, &["--add-section", ".n=f"])));
            assert_eq!(names(&after)[..before.sections.len() - 1], names(&before), "{what}: an index changed");
            let new = after.sections.last().unwrap();
            assert_eq!((&new.name[..], &new.data[..], new.flags), (&b".n"[..], &b"new contents"[..], 0));
            if what != "older GNU ld" {
                assert!(new.offset + new.size <= after.header("e_shoff"), "{what}");
            }
            assert_eq!(semantic_diff(&old, &after.bytes), ["section '.n': only in the second"], "{what}");
            // The order in the file, without the table that grew.
            let order = |elf: &ReadElf| {
                let mut order: Vec<_> = elf.sections[..before.sections.len()].iter().filter(|s| s.size > 0).collect();
                order.sort_by_key(|s| s.offset);
                order.iter().map(|s| s.name.clone()).collect::<Vec<_>>()
            };
            assert_eq!(order(&before), order(&after), "{what}");
        }
    }
}

/// Segments of every shape: nested, overlapping, empty, with a hole, of unusual alignment.
fn unusual_segments(format: Format) -> Vec<u8> {
    let at = |name: &str, addr: u64, len| {
        Section::progbits(name, TEXT, vec![name.as_bytes()[1]; len]).addr(addr).congruent(PAGE)
    };
    let mut spec = ElfSpec::new(format, ET_EXEC)
        .section(at(".a", 0x40_0800, 100))
        .section(at(".b", 0x40_0900, 100))
        .section(at(".c", 0x40_0a00, 100).gap(*b"bytes of nobody"))
        .section(at(".d", 0x40_2000, 100))
        .section(Section::progbits(".comment", 0, *b"odd\0"))
        .segment(Segment::load(PF_R, ".a", ".c"))
        .segment(Segment::load(PF_R, ".b", ".c"))
        .segment(Segment::load(PF_R | PF_X, ".c", ".d"))
        .segment(Segment::of(PT_GNU_RELRO, PF_R, ".b", ".b"))
        .segment(Segment::of(0x6fff_4242, 7, ".a", ".d").align(3))
        .segment(Segment::empty(PT_GNU_STACK, PF_R | PF_W))
        .symbols(vec![Symbol::global("a", ".a").at(0x40_0800, 4)]);
    spec.fill = 0xcc;
    spec.build()
}

#[test]
fn unusual_segments_stay_byte_for_byte() {
    for format in Format::FOUR {
        let old = unusual_segments(format);
        let before = ReadElf::parse(&old);
        let end = before.segments.iter().map(|s| s.offset + s.filesz).max().unwrap() as usize;
        let start = before.section(".a").offset as usize;
        for args in [
            &["--add-section", ".n=f"][..],
            &["-R", ".comment"],
            &["--rename-section", ".d=.dd"],
            &["--set-section-flags=.comment=exclude"],
        ] {
            let new = objcopy(&old, args);
            same(&new[start..end], &old[start..end], &format!("{args:?}"));
            assert_eq!(ReadElf::parse(&new).segments, before.segments, "{args:?}");
        }
        // What is removed in the middle, also of several segments at once, leaves zeros, and nothing moves.
        for (name, args) in
            [(".b", &["-R", ".b"]), (".c", &["-R", ".c"]), (".b", &["--set-section-flags", ".b=noload"])]
        {
            let new = objcopy(&old, args);
            let (at, after) = (before.section(name).offset as usize, ReadElf::parse(&new));
            let mut expected = old[start..end].to_vec();
            expected[at - start..at - start + 100].fill(0);
            same(&new[start..end], &expected, &format!("{args:?}"));
            assert_eq!(after.segments, before.segments, "{args:?}");
        }
    }
}

#[test]
fn a_section_that_ends_a_segment_gives_its_room_back() {
    for format in Format::FOUR {
        let old = layouts::vmlinux(format, false).build();
        let before = ReadElf::parse(&old);
        let (init, bss, modinfo) = (before.section(".init.text"), before.section(".bss"), before.section(".modinfo"));
        let direct = objcopy(&old, &["-R", ".modinfo"]);
        let noload = objcopy(&old, &["--set-section-flags", ".modinfo=noload"]);
        for new in [&direct, &noload] {
            let after = ReadElf::parse(new);
            // The last section in the file is then .init.text, the last in memory .bss.
            let mut expected = before.segments.clone();
            expected[2].filesz = init.offset + init.size - before.segments[2].offset;
            expected[2].memsz = bss.addr + bss.size - before.segments[2].vaddr;
            assert_eq!(after.segments, expected, "{format}");
            let kept = |elf: &ReadElf| {
                elf.sections
                    .iter()
                    .filter(|s| s.flags & SHF_ALLOC != 0 && s.name != b".modinfo")
                    .cloned()
                    .collect::<Vec<_>>()
            };
            assert_eq!(kept(&after), kept(&before), "{format}");
            assert!(new.len() < old.len(), "{format}: the room in the file");
        }
        // noload: header index, address and contents stay; they lie where what is not loaded lies.
        let after = ReadElf::parse(&noload);
        let left = after.section(".modinfo");
        assert_eq!(after.index_of(".modinfo"), before.index_of(".modinfo"));
        assert_eq!((left.flags, left.addr, &left.data), (SHF_WRITE, modinfo.addr, &modinfo.data));
        assert!(after.segments.iter().all(|s| left.offset >= s.offset + s.filesz), "{format}");
        // And then removed: as removed at once.
        same(&objcopy(&noload, &["-R", ".modinfo"]), &direct, "removed after noload");
    }
}

#[test]
fn the_real_layout_of_a_kernel_is_trimmed_the_same_way() {
    for name in ["vmlinux", "vmlinux-relocs"] {
        let old = fixture(name);
        let new = objcopy(&objcopy(&old, &["--set-section-flags", ".modinfo=noload"]), &["-R", ".modinfo"]);
        same(&objcopy(&old, &["-R", ".modinfo"]), &new, name);
        let (before, after) = (ReadElf::parse(&old), ReadElf::parse(&new));
        let brk = before.section(".brk");
        assert_eq!(after.segments[2].filesz, before.section(".init.text").size);
        assert_eq!(after.segments[2].memsz, brk.addr + brk.size - before.segments[2].vaddr);
        assert_eq!(after.segments[..2], before.segments[..2]);
        // Symbols of .modinfo go with it.
        let gone = before.index_of(".modinfo");
        assert!(after.symbols().len() < before.symbols().len());
        let stay = before.symbols().into_iter().filter(|s| s.section != gone).map(|s| s.name);
        assert!(stay.eq(after.symbols().into_iter().map(|s| s.name)));
    }
}

#[test]
fn a_plain_copy_is_the_same_bytes() {
    let dir = Dir::new();
    let copy = |old: &[u8], what: &str| {
        dir.write("in", old);
        dir.objcopy(&["in", "out"]).quiet();
        same(&dir.read("out"), old, what);
        std::fs::remove_file(dir.path("out")).unwrap();
    };
    for entry in std::fs::read_dir(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata")).unwrap() {
        let path = entry.unwrap().path();
        let bytes = if path.is_file() { std::fs::read(&path).unwrap() } else { Vec::new() };
        if bytes.starts_with(b"\x7fELF") {
            copy(&bytes, &path.display().to_string());
        }
    }
    for seed in 0..60 {
        let file = generate(seed, GenOptions { linker_like: false, format: None, e_type: None });
        copy(&file.bytes, &format!("seed {seed}: {}", file.description));
    }
    // Alignment 0, no section headers, an empty symbol table, and REL where the machine has RELA.
    for format in Format::FOUR {
        let relocs = Section::relocs_of_type(format, ".text", !format.rela(), vec![Reloc::new(0, "f", 1, 0)]);
        let spec = ElfSpec::new(format, ET_REL).section(Section::progbits(".text", TEXT, [0; 8]).align(0));
        let old = spec.clone().section(relocs).symbols(vec![Symbol::global("f", ".text")]).build();
        copy(&old, "the other kind of relocations");
        let name = if format.rela() { ".rel.text" } else { ".rela.text" };
        let new = ReadElf::parse(&objcopy(&old, &["--add-section", ".n=f"]));
        assert_eq!(new.section(name).data, ReadElf::parse(&old).section(name).data);
        assert_eq!(new.section(".text").addralign, 0);
        let empty = spec.symbols(vec![]).build();
        copy(&empty, "an empty symbol table");
        let new = ReadElf::parse(&objcopy(&empty, &["--add-section", ".n=f", "-R", ".text"]));
        assert_eq!((new.symbols().len(), new.section(".symtab").info), (1, 1));
    }
}

#[test]
fn an_added_section_takes_the_alignment_it_is_given() {
    for format in Format::FOUR {
        let new =
            ReadElf::parse(&objcopy(&object(format), &["--add-section", ".n=f", "--set-section-alignment", ".n=64"]));
        assert_eq!((new.section(".n").addralign, new.section(".n").offset % 64), (64, 0));
        let new = ReadElf::parse(&objcopy(&object(format), &["--add-section", ".n=f"]));
        assert_eq!(new.section(".n").addralign, 1);
    }
}
