//! Layouts that are unusual, and valid.

use super::*;

// https://github.com/microsoft/litebox/issues/477, https://github.com/gimli-rs/object/issues/842,
// https://github.com/gimli-rs/object/issues/719: an sh_offset that is no multiple of sh_addralign, SHT_NOBITS at offset 0
// and SHT_RELR are refused or laid out anew.
#[test]
fn d13_any_valid_layout_is_accepted_and_kept() {
    for format in Format::FOUR {
        let old = ElfSpec::new(format, ET_DYN)
            .section(Section::progbits(".text", TEXT, [1; 64]).addr(0x40_1040).congruent(PAGE))
            .section(
                Section::new(".relr.dyn", 19).flags(SHF_ALLOC).data([3; 16]).addr(0x40_2080).congruent(PAGE).entsize(8),
            )
            .section(Section::nobits(".tbss", 24).flags(SHF_ALLOC | SHF_WRITE | SHF_TLS).addr(0x40_2090).offset(0))
            .section(Section::progbits(".comment", 0, *b"odd\0"))
            .segment(Segment::load(PF_R | PF_X, ".text", ".text").align(0x20_0000))
            .segment(Segment::load(PF_R, ".relr.dyn", ".relr.dyn"))
            .symbols(vec![Symbol::global("f", ".text").at(0x40_1040, 64)])
            .build();
        let mut old = old;
        poke_section(&mut old, 1, "sh_addralign", 0x20_0000);
        assert_ne!(section_field(&old, 1, "sh_offset") % 0x20_0000, 0);
        assert_eq!(section_field(&old, 3, "sh_offset"), 0);
        edits_change_nothing_else(&old, "odd layout");
        assert_eq!(changes(&old, &["remove", ".comment"]), removed(&old, ".comment"));
    }
}

// https://github.com/llvm/llvm-project/issues/79887: a PT_LOAD at the offset of PT_INTERP is moved, and the program does
// not start.
#[test]
fn d14_segments_that_share_an_offset_stay() {
    for format in Format::FOUR {
        let old = g5_shared_offset(format);
        edits_change_nothing_else(&old, "shared offset");
        for segment in ReadElf::parse(&edit(&old, &["set", ".BTF=f"])).segments {
            assert!(segment.p_type != PT_LOAD || segment.offset % PAGE == segment.vaddr % PAGE);
        }
    }
}

/// An executable whose program header table lies at the end of the file, in a PT_LOAD and a PT_PHDR of its own, as
/// patchelf and BOLT leave it.
fn moved_program_headers(format: Format) -> Vec<u8> {
    let (ehsize, phsize) = if format.class == Class::Elf64 { (64, 56) } else { (52, 32) };
    let mut spec = ElfSpec::new(format, ET_EXEC)
        .section(Section::progbits(".text", TEXT, [1; 64]).addr(0x40_1000).congruent(PAGE))
        .section(Section::progbits(".comment", 0, *b"odd\0"))
        .symbols(vec![Symbol::global("_start", ".text").at(0x40_1000, 64)])
        .segment(Segment::load(PF_R | PF_X, ".text", ".text"));
    let table = 3 * phsize;
    let end = (spec.build().len() as u64 + 2 * phsize).next_multiple_of(16);
    let raw = |p_type| {
        let extent = Extent::Raw { offset: end, filesz: table, memsz: table };
        Segment::new(p_type, PF_R, extent).vaddr(0x50_0000 + end).align(PAGE)
    };
    spec.segments.insert(0, raw(PT_PHDR));
    spec.segments.push(raw(PT_LOAD));
    let mut file = spec.build();
    assert!(file.len() as u64 <= end);
    file.resize(end as usize, 0);
    let table = file[ehsize..ehsize + table as usize].to_vec();
    file[ehsize..ehsize + table.len()].fill(0);
    file.extend(table);
    poke_header(&mut file, "e_phoff", end);
    file
}

// https://github.com/llvm/llvm-project/issues/56738, https://github.com/llvm/llvm-project/pull/220399: after BOLT or
// patchelf moved the program headers, stripping misaligns a PT_LOAD.
#[test]
fn d15_moved_program_headers_stay() {
    for format in Format::FOUR {
        let old = moved_program_headers(format);
        edits_change_nothing_else(&old, "moved program headers");
        assert_eq!(changes(&old, &["remove", ".comment"]), removed(&old, ".comment"));
    }
}

// https://github.com/llvm/llvm-project/issues/84030, https://sourceware.org/bugzilla/show_bug.cgi?id=20531: "can't be
// allocated in segment 0", "Not enough room for program headers", on valid files.
#[test]
fn d16_thread_local_and_empty_sections_need_no_room() {
    let tls = SHF_ALLOC | SHF_WRITE | SHF_TLS;
    for format in Format::FOUR {
        let old = ElfSpec::new(format, ET_EXEC)
            .section(Section::progbits(".text", TEXT, [1; 64]).addr(0x40_1000).congruent(PAGE))
            .section(Section::progbits(".empty", SHF_ALLOC, []))
            .section(Section::progbits(".tdata", tls, [2; 8]).addr(0x40_2000).congruent(PAGE))
            .section(Section::nobits(".tbss", 0x2000).flags(tls).addr(0x40_2008).congruent(PAGE))
            .section(Section::progbits(".data", SHF_ALLOC | SHF_WRITE, [3; 32]).addr(0x40_2008).congruent(PAGE))
            .section(Section::progbits(".comment", 0, *b"lld\0"))
            .segment(Segment::load(PF_R | PF_X, ".text", ".text"))
            .segment(Segment::load(PF_R | PF_W, ".tdata", ".data"))
            .segment(Segment::of(PT_TLS, PF_R, ".tdata", ".tbss").align(8))
            .segment(Segment::empty(PT_GNU_STACK, PF_R | PF_W))
            .symbols(vec![Symbol::global("_start", ".text").at(0x40_1000, 64)])
            .build();
        edits_change_nothing_else(&old, "thread-local storage");
        assert_eq!(changes(&old, &["objcopy", "-R", ".comment"]), removed(&old, ".comment"));
    }
}

// https://github.com/systemd/systemd/pull/25814: "Unable to recognise the format of the input file" for other machines.
#[test]
fn d17_every_class_byte_order_and_machine() {
    let generated = Format::ALL.into_iter().chain([
        Format::new(Class::Elf64, Endian::Big, EM_X86_64),
        Format::new(Class::Elf32, Endian::Little, EM_X86_64),
        Format::new(Class::Elf64, Endian::Little, 0xfafa),
        Format::new(Class::Elf32, Endian::Big, 0),
    ]);
    for format in generated {
        edits_change_nothing_else(&g2_group(format), &format!("{format}"));
        edits_change_nothing_else(&g6_modinfo_segment(format), &format!("{format}"));
    }
    let fixtures = ["x86_64", "x32", "i386", "arm", "mips", "powerpc", "s390x", "mips64el", "riscv64", "aarch64"];
    for name in fixtures {
        edits_change_nothing_else(&fixture(&format!("obj-{name}.o")), name);
    }
}

// https://github.com/llvm/llvm-project/issues/82170: edits of a section that is not allocated, but lies inside a PT_LOAD
// (Go on ppc64le), are dropped.
#[test]
fn d18_a_section_inside_a_segment_that_is_not_allocated() {
    for format in Format::FOUR {
        let old = ElfSpec::new(format, ET_EXEC)
            .section(Section::progbits(".text", TEXT, [1; 64]).addr(0x40_1000).congruent(PAGE))
            .section(Section::progbits(".go.buildid", 0, [2; 12]))
            .section(Section::progbits(".data", SHF_ALLOC, [3; 32]).addr(0x40_1060).congruent(PAGE))
            .segment(Segment::load(PF_R | PF_X, ".text", ".data"))
            .build();
        let place = ReadElf::parse(&old).section(".go.buildid").offset as usize;
        edits_change_nothing_else(&old, "not allocated in a segment");
        // "new contents" has its size; the segment shows the new bytes.
        let new = edit(&old, &["objcopy", "--update-section", ".go.buildid=f"]);
        assert_eq!(new[place..place + 12], *b"new contents");
        same(&new[place + 12..], &old[place + 12..], "the rest");
        let diff = changes(&old, &["remove", ".go.buildid"]);
        assert_eq!(diff[0], "section '.go.buildid': only in the first");
        assert!(diff.len() == 2 && diff[1].starts_with("segment 0: byte"), "{diff:?}");
        assert_eq!(edit(&old, &["remove", ".go.buildid"])[place..place + 12], [0; 12]);
    }
}

// https://github.com/NixOS/patchelf/issues/10, https://github.com/NixOS/patchelf/issues/482: files that patchelf has
// rearranged are broken by strip, or have a section header table out of bounds.
#[test]
fn d19_rearranged_files_are_edited_and_tables_out_of_bounds_refused() {
    for format in Format::FOUR {
        // The section header table in front, sections in the file in another order than in the table.
        let mut spec = ElfSpec::new(format, ET_DYN)
            .section(Section::progbits(".interp", SHF_ALLOC, *b"/lib/ld.so\0").addr(0x60_0000).congruent(PAGE))
            .section(Section::progbits(".text", TEXT, [1; 64]).addr(0x40_1000).congruent(PAGE))
            .section(Section::progbits(".comment", 0, *b"odd\0"))
            .segment(Segment::load(PF_R | PF_X, ".text", ".text"))
            .segment(Segment::load(PF_R | PF_W, ".interp", ".interp"));
        spec.file_last = vec![".interp".into()];
        spec.table = TableAt::Front;
        let old = spec.build();
        assert!(header_field(&old, "e_shoff") < 0x200);
        edits_change_nothing_else(&old, "rearranged");
        assert_eq!(changes(&old, &["remove", ".comment"]), removed(&old, ".comment"));

        let len = old.len() as u64;
        for (what, place) in [("e_shoff", len), ("e_shoff", len - 8), ("e_phoff", len - 8), ("e_shoff", 1 << 31)] {
            let mut broken = old.clone();
            poke_header(&mut broken, what, place);
            let dir = Dir::new();
            dir.write("x", &broken);
            dir.write("f", "new");
            for args in [&["set", ".BTF=f", "x"][..], &["objcopy", "-R", ".comment", "x"], &["objcopy", "x", "out"]] {
                dir.elfgraft(args).fails(&["'x'", "end of the file"]);
            }
            same(&dir.read("x"), &broken, what);
            assert_eq!(dir.names(), ["f", "x"]);
        }
    }
}

// https://github.com/NixOS/patchelf/pull/275, https://github.com/NixOS/patchelf/pull/510: a PT_NOTE over notes of
// different alignments is refused; p_align is normalised, which old glibc does not bear.
#[test]
fn d20_notes_and_p_align_are_nobodys_business() {
    for format in Format::FOUR {
        let note = |align: u64, len| {
            Section::new(format!(".note.{align}"), SHT_NOTE).flags(SHF_ALLOC).align(align).data(vec![4; len])
        };
        let old = ElfSpec::new(format, ET_DYN)
            .section(note(4, 36).addr(0x1004).congruent(PAGE))
            .section(note(8, 48).addr(0x1028).congruent(PAGE))
            .section(note(1, 5).addr(0x1058).congruent(PAGE))
            .segment(Segment::load(PF_R, ".note.4", ".note.1").align(0x1_0000))
            .segment(Segment::of(PT_NOTE, PF_R, ".note.4", ".note.1").align(4))
            .segment(Segment::of(PT_NOTE, PF_R, ".note.8", ".note.8").align(0))
            .section(Section::progbits(".comment", 0, *b"odd\0"))
            .build();
        edits_change_nothing_else(&old, "notes");
        assert_eq!(changes(&old, &["remove", ".comment"]), removed(&old, ".comment"));
    }
}

// https://github.com/m4b/goblin/issues/370, https://github.com/m4b/goblin/issues/304,
// https://github.com/m4b/goblin/issues/120: valid files are refused: dumps by QEMU, names that are not UTF-8.
#[test]
fn d21_names_are_bytes_and_bounds_matter_where_they_are_used() {
    for format in Format::FOUR {
        let weird = b"\xf4\x65\x02";
        let mut symbol = Symbol::global("f", weird.as_slice());
        symbol.name = weird.to_vec();
        let old = ElfSpec::new(format, ET_REL)
            .section(Section::progbits(weird, TEXT, [1; 8]))
            .section(Section::progbits(b"new\nline", 0, [2; 4]))
            .symbols(vec![symbol])
            .build();
        edits_change_nothing_else(&old, "names");
        let dir = Dir::new();
        dir.write("x.o", &old);
        let text = dir.elfgraft(&["show", "x.o"]).ok().text();
        assert!(text.contains(r"\xf4e\x02") && text.contains(r"new\nline"), "{text}");
        let dump = [std::ffi::OsStr::new("dump"), std::os::unix::ffi::OsStrExt::from_bytes(b"\xf4\x65\x02=-")];
        assert_eq!(dir.elfgraft(&[dump[0], dump[1], "x.o".as_ref()]).ok().stdout(), [1; 8]);
        dir.objcopy(&["-R", "new*", "x.o"]).quiet();
        assert_eq!(dir.elf("x.o").sections[1].name, weird);
        dir.objcopy(&["-R", "?e?", "x.o"]).quiet();
        assert_eq!(dir.elf("x.o").sections[1].name, b".symtab");
    }
    for format in Format::FOUR {
        // As QEMU dumps memory: ET_CORE, the number of segments in section 0, which is the only one.
        let mut core = ElfSpec::new(format, 4)
            .segment(Segment::new(PT_NOTE, 0, Extent::Raw { offset: 0x100, filesz: 32, memsz: 32 }))
            .segment(Segment::new(PT_LOAD, 0, Extent::Raw { offset: 0x120, filesz: 64, memsz: 64 }))
            .build();
        poke_section(&mut core, 0, "sh_info", 2);
        poke_header(&mut core, "e_phnum", 0xffff);
        poke_header(&mut core, "e_shnum", 1);
        poke_header(&mut core, "e_shstrndx", 0);
        core.resize(0x200, 0x77);
        let dir = Dir::new();
        dir.write("core", &core);
        let text = dir.elfgraft(&["show", "core"]).ok().text();
        assert!(text.contains("ET_CORE") && text.contains(" 2 segments") && text.contains(" 0 sections"), "{text}");
        dir.objcopy(&["core", "copy"]).quiet();
        same(&dir.read("copy"), &core, "core file");
    }
    // A size that nobody has looked at asks for no memory.
    let dir = Dir::new();
    let mut lies = g2_group(Format::X86_64);
    poke_section(&mut lies, 3, "sh_size", 1 << 62);
    dir.write("x.o", &lies);
    dir.cmd(util::ELFGRAFT, &["show", "x.o"]).after("ulimit -v 400000").run().ok();
    dir.cmd(util::ELFGRAFT, &["dump", ".debug_types=-", "x.o"])
        .after("ulimit -v 400000")
        .run()
        .fails(&["'x.o'", "'.debug_types' [3]"]);
}

// https://code.ossystems.io/gitweb?a=commit&h=b34447fa5223b4e0be49594aaf0254defd69bbd1&p=openembedded-core.git: libelf
// refuses to update a file with an alignment of 0, or of 1 for compressed contents, in any section.
#[test]
fn d22_alignments_of_untouched_sections_are_kept() {
    for format in Format::FOUR {
        let mut old = g11_compressed_and_linked(format);
        let elf = ReadElf::parse(&old);
        assert_eq!(elf.section(".note.GNU-stack").addralign, 0);
        let compressed = elf.index_of(".debug_info").unwrap() as usize;
        poke_section(&mut old, compressed, "sh_addralign", 1);
        edits_change_nothing_else(&old, "alignments");
    }
    edits_change_nothing_else(&fixture("obj-compressed.o"), "obj-compressed.o");
}
