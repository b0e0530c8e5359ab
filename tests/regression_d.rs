//! What people reported, group d: section indices, groups, livepatch, segments, and what else an ELF file may look like.

// clippy.toml allows it in tests, but not in what they call.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::cast_possible_truncation)]

mod util;

use elfgraft_testkit::consts::*;
use elfgraft_testkit::diff::semantic_diff;
use elfgraft_testkit::elf::{ElfSpec, Extent, Section, Segment, TableAt};
use elfgraft_testkit::fields::{header_field, poke_header, poke_section, section_field};
use elfgraft_testkit::format::{Class, Endian, Format};
use elfgraft_testkit::inputs::*;
use elfgraft_testkit::read::ReadElf;
use elfgraft_testkit::symbols::Symbol;
use util::{Dir, fixture, same};

const TEXT: u64 = SHF_ALLOC | SHF_EXECINSTR;
const PAGE: u64 = 0x1000;

/// Edits a copy of `old` with `elfgraft ARGS x`; gives the result.
#[track_caller]
fn edit(old: &[u8], args: &[&str]) -> Vec<u8> {
    let dir = Dir::new();
    dir.write("x", old);
    dir.write("f", "new contents");
    dir.elfgraft(&[args, &["x"]].concat()).quiet();
    dir.read("x")
}

/// What an edit changed, in words.
#[track_caller]
fn changes(old: &[u8], args: &[&str]) -> Vec<String> {
    semantic_diff(old, &edit(old, args))
}

/// Copies, adds, sets and removes; nothing but that may change, in meaning, and in segments not a byte.
#[track_caller]
fn edits_change_nothing_else(old: &[u8], what: &str) {
    same(&edit(old, &["objcopy"]), old, what);
    let added = vec!["section '.BTF': only in the second"];
    assert_eq!(changes(old, &["objcopy", "--add-section", ".BTF=f"]), added, "{what}");
    assert_eq!(changes(old, &["set", ".BTF=f"]), added, "{what}");
    let with = edit(old, &["set", ".BTF=f"]);
    same(&edit(&with, &["set", ".BTF=f"]), &with, &format!("{what}: set twice"));
    assert_eq!(changes(old, &["set", ".BTF=f", ".other=f"]).len(), 2, "{what}");
    let without = edit(&with, &["remove", ".BTF"]);
    assert_eq!(semantic_diff(old, &without), [""; 0], "{what}: added and removed");
    same(&edit(&without, &["set", ".BTF=f"]), &with, &format!("{what}: removed and set"));
    // The same in place, as far as that goes.
    same(&edit(old, &["set", "--in-place", ".BTF=f"]), &with, &format!("{what}: in place"));
}

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

/// What a comparison says when a section goes that nobody refers to, with its section symbol if it has one.
fn removed(old: &[u8], name: &str) -> Vec<String> {
    let elf = ReadElf::parse(old);
    let mut expected = vec![format!("section '{name}': only in the first")];
    let index = elf.index_of(name).unwrap();
    if elf.symbols().iter().any(|s| s.section == Some(index)) {
        let locals = elf.section(".symtab").info;
        expected.push(format!("section '.symtab': sh_info: \"{locals}\" -> \"{}\"", locals - 1));
        expected.push(format!("section '.symtab': symbol section symbol '{name}': only in the first"));
    }
    expected
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
    dir.objcopy(&["--add-section", ".BTF=bare", "bare"]).fails(&["'bare'", "no section header table"]);
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
