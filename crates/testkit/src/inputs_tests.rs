//! The inputs are valid for readelf and hold what they are there for.

use crate::consts::*;
use crate::diff::semantic_diff;
use crate::elf::TableAt;
use crate::fields::header_field;
use crate::format::Format;
use crate::inputs::*;
use crate::layouts;
use crate::read::ReadElf;
use crate::readelf::{assert_readelf_accepts, readelf};

#[test]
fn readelf_accepts_all_inputs() {
    for format in Format::FOUR {
        let inputs = [
            ("G2", g2_group(format)),
            ("G3 beside", g3_livepatch(format, true)),
            ("G3 alone", g3_livepatch(format, false)),
            ("G4", g4_btf_ids(format)),
            ("G5", g5_shared_offset(format)),
            ("G6", g6_modinfo_segment(format)),
            ("G7 object", g7_device_tables(format, ET_REL, true)),
            ("G7 image", g7_device_tables(format, ET_EXEC, false)),
            ("G7 relocations", g7_device_tables(format, ET_EXEC, true)),
            ("G8", g8_same_names(format)),
            ("G9", g9_signed(format)),
            ("G9 Merkle", g9_merkle(format, 5, 3)),
            ("G10 gap", g10_load_gap(format)),
            ("G10 addresses", g10_load_addresses(format)),
            ("G11 object", g11_compressed_and_linked(format)),
            ("G11 shared", g11_emitted_relocs(format)),
            ("vmlinux", layouts::vmlinux(format, false).build()),
            ("vmlinux with relocations", layouts::vmlinux(format, true).build()),
        ];
        let layouts = layouts::objects(format).map(|(what, spec)| (what, spec.build()));
        for (what, file) in inputs.into_iter().chain(g4_variants(format)).chain(layouts) {
            assert_readelf_accepts(&file, &format!("{what}, {format}"));
            assert_eq!(semantic_diff(&file, &file), [""; 0], "{what}");
        }
    }
}

#[test]
fn g1_symbols_stay_in_their_sections_beyond_16_bits() {
    let file = g1_many_sections_with_btf_ids(Format::X86_64, 70_000, 66_000);
    assert_eq!(["e_shnum", "e_shstrndx"].map(|name| header_field(&file, name)), [0, 0xffff]);
    let elf = ReadElf::parse(&file);
    assert_eq!(elf.sections.len(), 70_006);
    let symbols = elf.symbols();
    for name in ["f1", "f65279", "f65280", "f65999", "f66000", "f70000"] {
        let symbol = symbols.iter().find(|s| s.name == name.as_bytes()).unwrap();
        let home = &elf.sections[symbol.section.unwrap() as usize];
        assert_eq!(home.name, format!(".text.{name}").into_bytes());
    }
    let set = symbols.iter().find(|s| s.name == b"__BTF_ID__set8__myset").unwrap();
    assert_eq!((set.shndx, set.section), (SHN_XINDEX, Some(66_000)));
    assert_readelf_accepts(&file, "G1");
}

#[test]
fn g2_to_g4_hold_what_they_are_named_for() {
    let elf = ReadElf::parse(&g2_group(Format::MIPS));
    assert_eq!(elf.group_of(1), (GRP_COMDAT, vec![2, 3]));
    assert_eq!(elf.symbols()[elf.section(".group").info as usize].name, b"sig");

    let elf = ReadElf::parse(&g3_livepatch(Format::S390X, true));
    assert_eq!(elf.symbol(".klp.sym.vmlinux.bar,0").shndx, 0xff20);
    let klp = elf.section(".klp.rela.vmlinux..text");
    assert_eq!((klp.flags, klp.info), (0x10_0042, elf.section(".rela.text").info));

    for format in Format::FOUR {
        let elf = ReadElf::parse(&g4_btf_ids(format));
        let words = format.u32s(&[0, 0, 1, 0, 0x10, 0, 0x20, 0, 0x40]);
        assert_eq!(elf.section(".BTF_ids").data, words);
        let set = elf.symbol("__BTF_ID__set8__myset");
        assert_eq!((set.value, set.size), (4, 32));
        assert_eq!(elf.symbol("__BTF_ID__func__a__3").value, 20);
    }
}

#[test]
fn g5_to_g10_lie_where_they_should() {
    let elf = ReadElf::parse(&g5_shared_offset(Format::X86_64));
    assert_eq!(elf.segments.iter().map(|s| s.p_type).collect::<Vec<_>>(), [3, 1, 1]);
    assert_eq!(elf.segments[0].offset, elf.segments[2].offset);

    let elf = ReadElf::parse(&g6_modinfo_segment(Format::ARM));
    assert_eq!((elf.segments[1].filesz, elf.segments[1].vaddr), (12, 0x20_0000));

    let elf = ReadElf::parse(&g8_same_names(Format::S390X));
    let of_name = elf.sections.iter().filter(|s| s.name == b".BTF").map(|s| s.size);
    assert_eq!(of_name.collect::<Vec<_>>(), [5, 6, 0]);
    let names = &elf.section(".shstrtab").data;
    assert!(!names.windows(7).any(|w| w == b"\0.text\0"), "merged into .rela.text");

    let elf = ReadElf::parse(&g9_signed(Format::MIPS));
    assert_eq!(elf.trailer[elf.trailer.len() - 32..][..4], [0, 0, 1, 6]);
    assert_eq!(elf.trailer.len(), 0x106 + 40);
    let elf = ReadElf::parse(&g9_merkle(Format::X86_64, 5, 3));
    assert_eq!((elf.trailer.len(), &elf.trailer[..5]), (4 + 96 + 40, &[0, 0, 0, 5, 1][..]));

    let elf = ReadElf::parse(&g10_load_gap(Format::MIPS));
    assert_eq!(elf.segments[1].paddr - elf.segments[0].paddr, 0xffe0_0000);
    assert!(elf.bytes.len() < 0x4000);
}

#[test]
fn g11_is_understood_by_readelf() {
    for format in Format::FOUR {
        let Some((_, output)) = readelf(&g11_compressed_and_linked(format)) else { return };
        let line = |name: &str| output.lines().find(|l| l.contains(name)).unwrap().to_string();
        assert!(line(".debug_info").contains(" C "), "{output}");
        assert!(line("__patchable").contains(" WAL "), "{output}");
        assert!(line(".note.GNU-stack").ends_with(" 0"), "{output}");
    }
    let elf = ReadElf::parse(&g11_emitted_relocs(Format::X86_64));
    let flags = [".rela.dyn", ".rela.text"].map(|name| elf.section(name).flags);
    assert_eq!(flags, [SHF_ALLOC, SHF_INFO_LINK]);
}

#[test]
fn objects_mean_the_same_in_all_but_the_shared_layout() {
    for format in Format::ALL {
        let objects = layouts::objects(format).map(|(_, spec)| spec);
        let [gnu, old, lld, clang] = &objects;
        assert_eq!(semantic_diff(&gnu.build(), &old.build()), [""; 0], "{format}");
        assert_eq!(semantic_diff(&gnu.build(), &lld.build()), [""; 0], "{format}");
        assert!(matches!(old.table, TableAt::Before(_)));
        let clang = ReadElf::parse(&clang.build());
        assert_eq!((clang.shstrndx, clang.section(".symtab").link), (1, 1));
        assert_eq!(clang.index_of(".symtab"), Some(clang.sections.len() as u32 - 1));
    }
}

#[test]
fn modinfo_of_vmlinux_lies_behind_bss_in_the_last_load_segment() {
    for format in Format::FOUR {
        let elf = ReadElf::parse(&layouts::vmlinux(format, true).build());
        let (bss, modinfo) = (elf.section(".bss"), elf.section(".modinfo"));
        let last = &elf.segments[2];
        assert_eq!(bss.sh_type, SHT_NOBITS);
        assert_eq!(modinfo.addr, bss.addr + bss.size);
        assert_eq!(modinfo.addr - last.vaddr, modinfo.offset - last.offset);
        assert_eq!(last.offset + last.filesz, modinfo.offset + modinfo.size);
        assert_eq!(elf.segments[0].paddr, 0x100_0000);
        let hashes = elf.section(".module_hashes");
        assert_eq!((hashes.size, hashes.flags), (36, SHF_ALLOC));
        let ids = elf.section(".BTF_ids").addr;
        assert_eq!(elf.symbol("__BTF_ID__func__b__2").value, ids + 16);
        assert_eq!(elf.section(".BTF").addr, elf.symbol("__start_BTF").value);
    }
}
