//! The builder against goblin and readelf.

use crate::consts::*;
use crate::elf::*;
use crate::fields::*;
use crate::format::{Class, Format};
use crate::readelf::assert_readelf_accepts;
use crate::symbols::{Reloc, Symbol};
use goblin::elf::Elf;

fn object(format: Format) -> ElfSpec {
    ElfSpec::new(format, ET_REL)
        .section(Section::progbits(".text", SHF_ALLOC | SHF_EXECINSTR, [1; 13]).align(4))
        .section(Section::nobits(".bss", 0x100).align(32))
        .relocs(".text", vec![Reloc::new(4, "f", 2, -4), Reloc::new(8, ".text", 1, 0)])
        .symbols(vec![
            Symbol::file("a.c"),
            Symbol::section(".text"),
            Symbol::local("s", ".bss").at(8, 4),
            Symbol::global("f", ".text").at(4, 9),
            Symbol::reserved("printk", SHN_UNDEF),
        ])
}

fn names(elf: &Elf<'_>) -> Vec<String> {
    elf.section_headers.iter().map(|s| elf.shdr_strtab[s.sh_name].to_string()).collect()
}

#[test]
fn an_object_of_every_format() {
    for format in Format::ALL {
        let file = object(format).build();
        let elf = Elf::parse(&file).unwrap();
        let prefix = if format.rela() { ".rela.text" } else { ".rel.text" };
        assert_eq!(names(&elf), ["", ".text", ".bss", prefix, ".symtab", ".strtab", ".shstrtab"], "{format}");
        assert_eq!(elf.header.e_machine, format.machine);
        assert_eq!(elf.is_64, format.class == Class::Elf64);
        assert_eq!(elf.section_headers[4].sh_info, 4, "locals and the null symbol");
        assert_eq!((elf.section_headers[3].sh_link, elf.section_headers[3].sh_info), (4, 1));
        let f = elf.syms.get(4).unwrap();
        assert_eq!((&elf.strtab[f.st_name], f.st_shndx, f.st_value, f.st_size), ("f", 1, 4, 9));
        if format != Format::MIPS64EL {
            let (_, relocs) = &elf.shdr_relocs[0];
            let relocs: Vec<_> = relocs.iter().map(|r| (r.r_offset, r.r_sym, r.r_type)).collect();
            assert_eq!(relocs, [(4, 4, 2), (8, 2, 1)], "{format}");
        }
        assert_readelf_accepts(&file, &format.to_string());
    }
}

#[test]
fn the_header_table_goes_where_it_is_asked() {
    for (table, expected) in [
        (TableAt::End, "contents, table"),
        (TableAt::Front, "table, contents"),
        (TableAt::Before(".symtab".into()), ".text, table, .symtab"),
    ] {
        let mut spec = object(Format::MIPS);
        spec.table = table;
        spec.names = Names::Before(".symtab".into());
        spec.table_gap = vec![0xcc; 3];
        let file = spec.build();
        let elf = Elf::parse(&file).unwrap();
        let sections = &elf.section_headers;
        assert_eq!(names(&elf)[4..], [".shstrtab", ".symtab", ".strtab"]);
        let (text, symtab) = (sections[1].sh_offset, sections[5].sh_offset);
        let found = match elf.header.e_shoff {
            at if at < text => "table, contents",
            at if at < symtab => ".text, table, .symtab",
            _ => "contents, table",
        };
        assert_eq!(found, expected);
        assert_readelf_accepts(&file, expected);
    }
}

#[test]
fn names_can_be_shared_and_merged() {
    let mut spec = object(Format::X86_64).names(Names::In(".strtab".into()));
    spec.tail_merge = true;
    spec.file_last = vec![".text".into()];
    let file = spec.build();
    let elf = Elf::parse(&file).unwrap();
    let [text, rela, strtab] = [1, 3, 5].map(|i| &elf.section_headers[i]);
    assert_eq!(elf.header.e_shstrndx, 5);
    assert_eq!(text.sh_name, rela.sh_name + 5);
    assert!(text.sh_offset > strtab.sh_offset);
    assert_eq!(&elf.strtab[elf.syms.get(5).unwrap().st_name], "printk");
    assert_readelf_accepts(&file, "shared");
}

#[test]
fn segments_follow_their_sections() {
    let spec = ElfSpec::new(Format::S390X, ET_EXEC)
        .section(Section::progbits(".text", 6, [7; 9]).addr(0x10020).congruent(0x1000))
        .section(Section::progbits(".data", 3, [8; 5]).addr(0x12029).congruent(0x1000))
        .section(Section::nobits(".bss", 0x100).addr(0x12030).align(8))
        .segment(Segment::new(PT_PHDR, PF_R, Extent::Headers).vaddr(0x10040))
        .segment(Segment::load(PF_R | PF_X, ".text", ".text").paddr(0x20))
        .segment(Segment::load(PF_R | PF_W, ".data", ".bss"));
    let file = spec.build();
    let elf = Elf::parse(&file).unwrap();
    let data = &elf.program_headers[2];
    assert_eq!(elf.program_headers[1].p_paddr, 0x20);
    assert_eq!(data.p_offset % 0x1000, 0x029);
    assert_eq!((data.p_vaddr, data.p_memsz), (0x12029, 0x107));
    assert_eq!(data.p_filesz, 5, "without the padding before .bss");
    assert_eq!(elf.section_headers[3].sh_offset - data.p_offset, 7);
    assert_eq!(file[data.p_offset as usize..][..5], [8; 5]);
}

#[test]
fn more_sections_than_sixteen_bits() {
    let format = Format::X86_64;
    let count = 0xff05;
    let mut spec =
        ElfSpec::new(format, ET_REL).sections((1..=count).map(|i| Section::progbits(format!(".text.f{i}"), 6, [0xc3])));
    let (low, high) = (".text.f65279", ".text.f65280");
    spec =
        spec.symbols(vec![Symbol::global("low", low), Symbol::global("high", high)]).section(Section::symtab_shndx());
    let file = spec.build();
    assert_eq!(["e_shnum", "e_shstrndx"].map(|f| header_field(&file, f)), [0, 0xffff]);
    let at0 = ["sh_size", "sh_link"].map(|f| section_field(&file, 0, f));
    assert_eq!(at0, [count + 5, count + 4]);
    let offset = |i| section_field(&file, i, "sh_offset") as usize;
    let symtab = offset(count as usize + 1);
    let shndx = [1, 2].map(|i| get(format, SYM, &file, symtab + i * 24, "st_shndx"));
    assert_eq!(shndx, [0xfeff, 0xffff]);
    assert_eq!(format.get(&file, offset(count as usize + 3) + 8, 4), 0xff00);
    assert_readelf_accepts(&file, "many");
}

#[test]
fn lies_are_written_as_told() {
    let spec = ElfSpec::new(Format::ARM, ET_REL)
        .section(Section::progbits("a", 0, [1, 2]).offset(0x200).gap([9; 4]).link(77u32))
        .section(Section::progbits("b", 0, []).offset(0xffff_0000).size(u64::from(u32::MAX)))
        .trailer(*b"end");
    let file = spec.build();
    assert_eq!(file[0x34..0x38], [9; 4]);
    assert_eq!(file[0x200..0x202], [1, 2]);
    assert_eq!(["sh_offset", "sh_link"].map(|f| section_field(&file, 1, f)), [0x200, 77]);
    assert_eq!(section_field(&file, 2, "sh_size"), u64::from(u32::MAX));
    assert!(file.ends_with(b"end"));
}
