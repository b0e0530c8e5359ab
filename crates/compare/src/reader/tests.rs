use super::*;
use elfgraft_testkit::consts::ET_EXEC;
use elfgraft_testkit::elf::{ElfSpec, Section, Segment};
use elfgraft_testkit::fields::{poke_header, poke_section};
use elfgraft_testkit::format::Format;
use elfgraft_testkit::generate::{GenOptions, generate};
use elfgraft_testkit::symbols;

/// What goblin as a whole makes of a file, and what we make of it by its pieces.
fn agrees_with_goblin(data: &[u8], what: &str) {
    let elf = Elf::parse(data).unwrap();
    let goblin = match goblin::elf::Elf::parse(data) {
        Ok(goblin) => goblin,
        Err(error) => return assert!(matches!(elf.reader, Reader::Own(_)), "{what}: {error}"),
    };
    assert_eq!(elf.reader, Reader::Goblin, "{what}");
    assert_eq!(elf.sections, goblin.section_headers, "{what}");
    assert_eq!(elf.segments, goblin.program_headers, "{what}");
    for (index, section) in elf.iter() {
        assert_eq!(goblin.shdr_strtab.get_at(section.sh_name).unwrap_or("").as_bytes(), elf.name(index), "{what}");
        assert!(elf.name(index).is_empty() || elf.is_named(index, elf.name(index)), "{what}");
    }
    for (index, relocs) in &goblin.shdr_relocs {
        let ours: Vec<_> = elf.relocs(u32::try_from(*index).unwrap()).unwrap().iter().collect();
        let theirs = relocs.iter().map(|r| (r.r_offset, r.r_sym, r.r_type, r.r_addend));
        assert!(theirs.eq(ours.iter().map(|r| (r.offset, r.symbol as usize, r.kind, r.addend))), "{what}");
    }
    // Goblin takes the last symbol table.
    let table = elf.iter().filter(|(_, section)| section.sh_type == SHT_SYMTAB).last();
    if let Some((table, _)) = table {
        let symbols = elf.symbols(table).unwrap();
        assert_eq!(symbols.iter().count(), goblin.syms.len());
        for ((_, ours), theirs) in symbols.iter().zip(&goblin.syms) {
            assert_eq!(goblin.strtab.get_at(theirs.st_name).unwrap_or("").as_bytes(), ours.name(), "{what}");
            assert_eq!((ours.value, ours.size, ours.info), (theirs.st_value, theirs.st_size, theirs.st_info), "{what}");
        }
    }
}

#[test]
fn pieces_and_whole_agree_on_our_inputs() {
    let mut files = 0;
    for entry in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata")).unwrap() {
        let path = entry.unwrap().path();
        if let Some(data) = path.is_file().then(|| std::fs::read(&path).unwrap()).filter(|d| d.starts_with(b"\x7fELF"))
        {
            agrees_with_goblin(&data, &path.display().to_string());
            files += 1;
        }
    }
    assert!(files > 20, "{files} files");
}

#[test]
fn pieces_and_whole_agree_on_generated_files() {
    let mut refused = 0;
    for seed in 0..300 {
        let file = generate(seed, GenOptions::default());
        agrees_with_goblin(&file.bytes, &file.description);
        refused += usize::from(Elf::parse(&file.bytes).unwrap().reader != Reader::Goblin);
    }
    assert!(refused > 0, "none with names goblin refuses");
}

/// https://github.com/m4b/bingrep/issues/21: goblin 0.10 reads extended numbering.
#[test]
fn more_sections_than_the_header_can_count() {
    for format in Format::FOUR {
        let spec = ElfSpec::new(format, ET_REL)
            .sections((0..0x10010).map(|_| Section::new("x", 1)))
            .symbols(vec![symbols::Symbol::global("last", 0x10010u32), symbols::Symbol::global("first", 1u32)])
            .section(Section::symtab_shndx());
        let file = spec.build();
        let elf = Elf::parse(&file).unwrap();
        assert_eq!((elf.sections.len(), elf.header.e_shnum), (0x10015, 0));
        assert_eq!((elf.reader.clone(), elf.name(elf.shstrndx)), (Reader::Goblin, &b".shstrtab"[..]));
        let table = elf.find(b".symtab").unwrap();
        let places: Vec<_> = elf.symbols(table).unwrap().iter().map(|(_, symbol)| symbol.place).collect();
        assert_eq!(places, [Place::Undefined, Place::Section(0x10010), Place::Section(1)]);
    }
}

/// https://github.com/m4b/goblin/issues/120.
#[test]
fn names_are_bytes() {
    let name = b"\xf4\x65\x02";
    let file = ElfSpec::new(Format::S390X, ET_REL).section(Section::progbits(name, 0, "x")).build();
    let elf = Elf::parse(&file).unwrap();
    assert!(goblin::elf::Elf::parse(&file).is_err());
    assert_eq!((elf.name(1), elf.find(name)), (&name[..], Some(1)));
    assert_eq!(elf.label(1).to_string(), r"'\xf4e\x02' [1]");
    let text = "own reader, because goblin does not read names that are not UTF-8";
    assert_eq!(elf.reader.to_string(), text);
}

#[test]
fn more_segments_than_the_header_can_count() {
    let mut file = ElfSpec::new(Format::X86_64, ET_EXEC)
        .section(Section::progbits(".text", 6, "x").addr(0x1000))
        .segment(Segment::load(5, ".text", ".text"))
        .segment(Segment::empty(1, 0))
        .build();
    poke_header(&mut file, "e_phnum", 0xffff);
    poke_section(&mut file, 0, "sh_info", 2);
    let elf = Elf::parse(&file).unwrap();
    assert_eq!(elf.segments.len(), 2);
    assert_eq!(elf.reader, Reader::Own("more than 65,534 program headers"));
}

#[test]
fn a_table_of_no_sections() {
    let mut file = ElfSpec::new(Format::ARM, ET_REL).build();
    poke_header(&mut file, "e_shnum", 0);
    let elf = Elf::parse(&file).unwrap();
    assert!(elf.sections.is_empty());
    assert_eq!(elf.reader, Reader::Own("an empty section header table"));
    assert_eq!(goblin::elf::Elf::parse(&file).unwrap().section_headers.len(), 1);
}

#[test]
fn what_cannot_be_read_says_why() {
    let good = ElfSpec::new(Format::X86_64, ET_REL).section(Section::progbits(".text", 0, "x")).build();
    let error = |name: &str, value| {
        let mut file = good.clone();
        poke_header(&mut file, name, value);
        Elf::parse(&file).unwrap_err().to_string()
    };
    let len = good.len();
    let text = format!(
        "section header table at 0xffffffffffffffff, 1 entries of 64 bytes, reaches beyond the file's {len} bytes"
    );
    assert_eq!(error("e_shoff", u64::MAX), text);
    assert!(error("e_shnum", 0xff00).starts_with("section header table at "), "{}", error("e_shnum", 0xff00));
    assert_eq!(error("e_shentsize", 40), "section header table: entries of 40 bytes, those of this class have 64");
    assert_eq!(error("e_phnum", 1), "program header table: entries of 0 bytes, those of this class have 56");
    assert!(Elf::parse(b"no").unwrap_err().to_string().starts_with("no ELF file: "));
    let mut huge = good.clone();
    poke_header(&mut huge, "e_shnum", 0);
    poke_section(&mut huge, 0, "sh_size", 1 << 60);
    assert!(matches!(Elf::parse(&huge), Err(Error::OutOfBounds { count: 0x1000_0000_0000_0000, .. })));
}

#[test]
fn compressed_sections_tell_what_they_unpack_to() {
    for format in Format::FOUR {
        let word = format.word();
        let chdr = match word {
            8 => [format.u32s(&[1, 0]), format.bytes(0x1_0002_0003, 8), format.bytes(1, 8)].concat(),
            _ => format.u32s(&[1, 0x20003, 1]),
        };
        let file = ElfSpec::new(format, ET_REL)
            .section(Section::progbits("a", 0x800, chdr))
            .section(Section::progbits("b", 0x800, "short"))
            .section(Section::progbits("c", 0, "plain"))
            .build();
        let elf = Elf::parse(&file).unwrap();
        let want = if word == 8 { 0x1_0002_0003 } else { 0x20003 };
        assert_eq!([1, 2, 3].map(|index| elf.unpacked_size(index)), [Some(want), None, Some(5)]);
    }
}

#[test]
fn a_name_ends_at_a_nul_the_table_or_the_limit() {
    assert_eq!(string(b"\0ab\0cd", 1), Some(&b"ab"[..]));
    assert_eq!(string(b"\0ab\0cd", 4), Some(&b"cd"[..]));
    assert_eq!(string(b"\0ab\0cd", 6), None);
    assert_eq!(string(&[b'x'; 2 * MAX_NAME], 1).unwrap().len(), MAX_NAME);
    assert_eq!(Name(&[b'\''; 300]).to_string().len(), 200 * 2 + 5);
}

/// A core file as Linux writes it for a process with very many mappings (fs/binfmt_elf.c, fill_extnum_info): the number of
/// program headers, but also e_shnum and e_shstrndx, stand in section 0. All of it lies inside the file here.
#[test]
fn a_core_file_of_many_segments_is_sound() {
    const COUNT: u32 = 0x1_0001;
    let le = |bytes: &mut Vec<u8>, value: u64, size: usize| bytes.extend(&value.to_le_bytes()[..size]);
    let core = |sh_size: u64| {
        let mut file = b"\x7fELF\x02\x01\x01".to_vec();
        file.resize(16, 0);
        // e_type, e_machine, e_version, e_entry, e_phoff, e_shoff, e_flags, six sizes and counts.
        let fields =
            [(4, 2), (62, 2), (1, 4), (0, 8), (128, 8), (64, 8), (0, 4), (64, 2), (56, 2), (0xffff, 2), (64, 2)];
        fields.iter().chain(&[(1, 2), (0, 2)]).for_each(|&(value, size)| le(&mut file, value, size));
        let section_0 =
            [(0, 4), (0, 4), (0, 8), (0, 8), (0, 8), (sh_size, 8), (0, 4), (COUNT.into(), 4), (0, 8), (0, 8)];
        section_0.iter().for_each(|&(value, size)| le(&mut file, value, size));
        for _ in 0..COUNT {
            // PT_NULL says nothing.
            file.extend([0; 56]);
        }
        file
    };
    let file = core(1);
    let report = crate::check::check(&file, &crate::check::Options::default());
    assert_eq!(report.findings, []);
    let why = "own reader, because goblin does not read more than 65,534 program headers";
    assert_eq!(report.reader.map(|reader| reader.to_string()).as_deref(), Some(why));
    assert!(!crate::check::check(&core(2), &crate::check::Options::default()).is_sound());
}
