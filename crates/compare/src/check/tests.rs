use super::*;
use crate::reader::has_contents;
use elfgraft_testkit::consts::*;
use elfgraft_testkit::damage::{damaged, poked};
use elfgraft_testkit::elf::{ElfSpec, Section};
use elfgraft_testkit::fields::{SYM, poke_header, poke_section, poke_segment, set, size_of};
use elfgraft_testkit::format::{Class, Format};
use elfgraft_testkit::generate::{GenOptions, generate};
use elfgraft_testkit::inputs::*;
use elfgraft_testkit::symbols::{Reloc, Symbol};

fn testdata(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/../../testdata/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn lines(data: &[u8]) -> Vec<String> {
    check(data, &Options::default()).findings.iter().map(Finding::to_string).collect()
}

fn worse_than_notes(data: &[u8]) -> Vec<String> {
    lines(data).into_iter().filter(|line| !line.starts_with("note: ")).collect()
}

#[test]
fn our_inputs_are_sound() {
    let mut files = 0;
    for entry in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata")).unwrap() {
        let path = entry.unwrap().path();
        if let Some(data) = path.is_file().then(|| std::fs::read(&path).unwrap()).filter(|d| d.starts_with(b"\x7fELF"))
        {
            assert!(check(&data, &Options::default()).is_sound(), "{}: {:#?}", path.display(), lines(&data));
            files += 1;
        }
    }
    assert!(files > 20, "{files} files");
}

#[test]
fn what_linkers_write_is_sound() {
    for seed in 0..500 {
        let file = generate(seed, GenOptions { linker_like: true, ..GenOptions::default() });
        // The generator puts IDs into sets in any order, and relocations into empty sections.
        let real = |f: &&Finding| !f.text.ends_with("[unsorted]") && !f.text.ends_with("has 0x0 bytes");
        let report = check(&file.bytes, &Options::default());
        let bad = report.findings.iter().filter(real).find(|f| f.rule.severity() == Severity::Error);
        assert_eq!(bad, None, "{}", file.description);
        assert_eq!(report.reader, Some(Reader::Goblin));
    }
}

/// A file and which of its sections and segments are what.
struct Good {
    what: &'static str,
    bytes: Vec<u8>,
    format: Format,
}

impl Good {
    fn all() -> Vec<Good> {
        let image = |format| {
            ElfSpec::new(format, ET_EXEC)
                .section(Section::progbits(".text", SHF_ALLOC, [1; 16]).addr(0x1000).congruent(0x1000))
                .section(Section::progbits(".data", SHF_ALLOC | SHF_WRITE, [2; 16]).addr(0x3000).congruent(0x1000))
                .segment(elfgraft_testkit::elf::Segment::load(5, ".text", ".text"))
                .segment(elfgraft_testkit::elf::Segment::load(6, ".data", ".data"))
                .symbols(vec![Symbol::local("a", ".text").at(0x1000, 4), Symbol::global("b", ".data").at(0x3000, 4)])
                .build()
        };
        let object = |format| {
            ElfSpec::new(format, ET_REL)
                .section(Section::progbits(".text", SHF_ALLOC, [1; 16]).align(4))
                .relocs(".text", vec![Reloc::new(0, "b", 1, 0), Reloc::new(8, "a", 1, 0)])
                .section(Section::progbits(".data", SHF_ALLOC, [3; 8]).align(4))
                .symbols(vec![Symbol::local("a", ".text").at(2, 4), Symbol::global("b", ".data").at(4, 4)])
                .build()
        };
        let mut all = Vec::new();
        for format in Format::FOUR {
            let mut add = |what, bytes| all.push(Good { what, bytes, format });
            add("image", image(format));
            add("object", object(format));
            add("group", g2_group(format));
            add("livepatch", g3_livepatch(format, true));
            add("BTF", g4_btf_ids(format));
            add("signed", g9_signed(format));
        }
        all
    }

    fn elf(&self) -> Elf<'_> {
        Elf::parse(&self.bytes).unwrap()
    }

    /// Indices of sections of a type.
    fn of_type(&self, sh_type: u32) -> Vec<usize> {
        let elf = self.elf();
        elf.iter().filter(|(_, section)| section.sh_type == sh_type).map(|(index, _)| index as usize).collect()
    }

    fn with(&self, change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        let mut bytes = self.bytes.clone();
        change(&mut bytes);
        bytes
    }

    /// One field of one symbol changed.
    fn with_symbol(&self, index: usize, field: &str, value: u64) -> Option<Vec<u8>> {
        let elf = self.elf();
        let table = u32::try_from(*self.of_type(SHT_SYMTAB).first()?).unwrap();
        let offset = usize::try_from(elf.section(table)?.sh_offset).unwrap();
        elf.symbols(table)?.get(u32::try_from(index).unwrap())?;
        let at = offset + index * size_of(SYM, self.format.class);
        Some(self.with(|bytes| set(self.format, SYM, bytes, at, field, value)))
    }

    /// Bytes at the start of a section of a name changed.
    fn with_contents(&self, name: &str, at: usize, new: &[u8]) -> Option<Vec<u8>> {
        let elf = self.elf();
        let section = elf.section(elf.find(name.as_bytes())?)?;
        let start = usize::try_from(section.sh_offset).unwrap() + at;
        Some(self.with(|bytes| bytes[start..start + new.len()].copy_from_slice(new)))
    }

    /// Damaged versions, and the rule each breaks.
    fn damaged(&self) -> Vec<(String, Rule, Vec<u8>)> {
        let mut list = Vec::new();
        let mut add = |what: &str, rule, bytes| list.push((what.to_string(), rule, bytes));
        let len = self.bytes.len();
        let elf = self.elf();
        let (count, format) = (elf.sections.len() as u64, self.format);
        let top = 1u64 << (8 * format.word() - 1);
        add("empty", Rule::Unreadable, Vec::new());
        add("cut in the ELF header", Rule::Unreadable, self.bytes[..40].to_vec());
        // The section header table comes last, but for a signature.
        let table = usize::try_from(elf.header.e_shoff).unwrap();
        add("cut in the header table", Rule::Unreadable, self.bytes[..table + 60].to_vec());
        add("table beyond the end", Rule::Unreadable, self.with(|b| poke_header(b, "e_shoff", len as u64)));
        add("no class", Rule::Unreadable, self.with(|b| b[4] = 0));
        add("no byte order", Rule::Unreadable, self.with(|b| b[5] = 0));
        add(
            "huge count",
            Rule::Unreadable,
            self.with(|b| {
                poke_header(b, "e_shnum", 0);
                poke_section(b, 0, "sh_size", top);
            }),
        );
        add("version", Rule::Header, self.with(|b| poke_header(b, "e_version", 0)));
        add("header size", Rule::Header, self.with(|b| poke_header(b, "e_ehsize", 1)));
        add("type", Rule::Header, self.with(|b| poke_header(b, "e_type", 0)));
        add("section 0", Rule::SectionNull, self.with(|b| poke_section(b, 0, "sh_offset", 1)));
        add("no names", Rule::SectionNames, self.with(|b| poke_header(b, "e_shstrndx", 0)));
        add("names beyond", Rule::SectionNames, self.with(|b| poke_header(b, "e_shstrndx", count)));
        add("names elsewhere", Rule::SectionNames, self.with(|b| poke_header(b, "e_shstrndx", 1)));
        add("name beyond", Rule::SectionName, self.with(|b| poke_section(b, 1, "sh_name", 0x7000_0000)));
        let full = elf.iter().filter(|(_, section)| has_contents(section)).map(|(index, _)| index as usize);
        let full: Vec<_> = full.collect();
        add("huge section", Rule::SectionBounds, self.with(|b| poke_section(b, full[0], "sh_size", top)));
        add(
            "offset overflow",
            Rule::SectionBounds,
            self.with(|b| poke_section(b, full[0], "sh_offset", 2 * (top - 1) + 1)),
        );
        add("beyond the end", Rule::SectionBounds, self.with(|b| poke_section(b, full[1], "sh_offset", len as u64)));
        let empty = elf.iter().find(|(_, s)| s.sh_size == 0 && s.sh_type == SHT_PROGBITS);
        if let Some((index, _)) = empty.filter(|_| elf.is_object()) {
            let at = len as u64 + 1;
            add("empty, beyond", Rule::SectionBounds, self.with(|b| poke_section(b, index as usize, "sh_offset", at)));
        }
        add("over the ELF header", Rule::SectionOverlap, self.with(|b| poke_section(b, full[0], "sh_offset", 8)));
        let other = elf.sections[full[0]].sh_offset;
        add("over another section", Rule::SectionOverlap, self.with(|b| poke_section(b, full[1], "sh_offset", other)));
        for index in
            [self.of_type(SHT_SYMTAB), self.of_type(SHT_RELA), self.of_type(SHT_REL), self.of_type(SHT_GROUP)].concat()
        {
            add("entry size", Rule::TableSize, self.with(|b| poke_section(b, index, "sh_entsize", 7)));
            add("link beyond", Rule::SectionLink, self.with(|b| poke_section(b, index, "sh_link", count)));
            add("link to nothing", Rule::SectionLink, self.with(|b| poke_section(b, index, "sh_link", 0)));
        }
        for index in [self.of_type(SHT_RELA), self.of_type(SHT_REL)].concat() {
            add("info beyond", Rule::SectionInfo, self.with(|b| poke_section(b, index, "sh_info", count)));
            let size = elf.sections[index].sh_size;
            add("half an entry", Rule::TableSize, self.with(|b| poke_section(b, index, "sh_size", size - 1)));
            if elf.is_object() {
                add("info 0", Rule::SectionInfo, self.with(|b| poke_section(b, index, "sh_info", 0)));
                let start = usize::try_from(elf.sections[index].sh_offset).unwrap();
                let word = format.word();
                add("far away", Rule::RelocOffset, self.with(|b| format.put(b, start, word, top)));
                let symbol = if word == 8 { 0xffff << 32 | 1 } else { 0xffff << 8 | 1 };
                add("no such symbol", Rule::RelocSymbol, self.with(|b| format.put(b, start + word, word, symbol)));
            }
        }
        for index in self.of_type(SHT_STRTAB) {
            let start = usize::try_from(elf.sections[index].sh_offset).unwrap();
            let end = start + usize::try_from(elf.sections[index].sh_size).unwrap();
            add("no end", Rule::StringTable, self.with(|b| b[end - 1] = b'x'));
            add("no empty string", Rule::StringTable, self.with(|b| b[start] = b'x'));
        }
        for index in self.of_type(SHT_SYMTAB) {
            add("first global", Rule::SymbolOrder, self.with(|b| poke_section(b, index, "sh_info", 1000)));
            add("no first global", Rule::SymbolOrder, self.with(|b| poke_section(b, index, "sh_info", 0)));
            let symbols = u64::from(elf.symbols(u32::try_from(index).unwrap()).unwrap().len());
            add("a global before it", Rule::SymbolOrder, self.with(|b| poke_section(b, index, "sh_info", symbols)));
            if elf.sections[index].sh_info > 1 {
                add("a local behind it", Rule::SymbolOrder, self.with(|b| poke_section(b, index, "sh_info", 1)));
            }
        }
        let mut symbol = |what: &str, rule, index, field: &str, value| {
            if let Some(bytes) = self.with_symbol(index, field, value) {
                list.push((what.to_string(), rule, bytes));
            }
        };
        symbol("a null symbol that is none", Rule::SymbolNull, 0, "st_size", 1);
        symbol("section beyond", Rule::SymbolSection, 1, "st_shndx", count);
        symbol("no index", Rule::SymbolSection, 1, "st_shndx", 0xffff);
        symbol("reserved section", Rule::SymbolSection, 1, "st_shndx", 0xffe0);
        symbol("name beyond", Rule::SymbolName, 1, "st_name", 0x7fff_ffff);
        for (index, segment) in elf.segments.iter().enumerate().filter(|(_, segment)| segment.p_type == PT_LOAD) {
            let segment = segment.clone();
            let mut add = |what: &str, rule, field: &str, value| {
                list.push((what.to_string(), rule, self.with(|b| poke_segment(b, index, field, value))));
            };
            add("beyond the end", Rule::SegmentBounds, "p_filesz", len as u64);
            add("offset overflow", Rule::SegmentBounds, "p_offset", 2 * (top - 1) + 1);
            add("more in the file", Rule::SegmentBounds, "p_memsz", segment.p_filesz - 1);
            add("not congruent", Rule::SegmentAlign, "p_offset", segment.p_offset + 4);
            add("align 3", Rule::SegmentAlign, "p_align", 3);
            add("elsewhere", Rule::SegmentSection, "p_vaddr", segment.p_vaddr + 0x10_0000);
            add("shorter", Rule::SegmentSection, "p_filesz", segment.p_filesz - 1);
            if index == 0 {
                add("over the other", Rule::SegmentOverlap, "p_memsz", 0x3000);
            }
        }
        let words = |words: &[u32]| format.u32s(words);
        let mut contents = |what: &str, rule, name: &str, at, new: &[u8]| {
            if let Some(bytes) = self.with_contents(name, at, new) {
                list.push((what.to_string(), rule, bytes));
            }
        };
        contents("member 0", Rule::Group, ".group", 4, &words(&[0]));
        contents("member beyond", Rule::Group, ".group", 4, &words(&[1000]));
        contents("member of itself", Rule::Group, ".group", 4, &words(&[1]));
        contents("member that knows nothing of it", Rule::Group, ".group", 4, &words(&[4]));
        contents("member twice", Rule::Group, ".group", 8, &words(&[2]));
        contents("flags", Rule::Group, ".group", 0, &words(&[0x100]));
        contents("magic", Rule::Btf, ".BTF", 0, &[0, 0]);
        contents("header length", Rule::Btf, ".BTF", 4, &words(&[0x1000]));
        contents("type length", Rule::Btf, ".BTF", 12, &words(&[u32::MAX]));
        contents("string length", Rule::Btf, ".BTF", 20, &words(&[1]));
        contents("name of a type", Rule::Btf, ".BTF", 24, &words(&[0xff_ffff]));
        if self.what == "signed" {
            // Before the marker the length, four bytes of which the first is the highest.
            list.push(("too long".to_string(), Rule::Signature, self.with(|b| b[len - 28 - 4] = 1)));
            list.push(("no type".to_string(), Rule::Signature, self.with(|b| b[len - 28 - 10] = 9)));
            list.push(("not zero".to_string(), Rule::Signature, self.with(|b| b[len - 28 - 12] = 1)));
        }
        list
    }
}

/// Done-when 3 of issue 6: 200 damaged files, each reported with the error that says what is wrong.
#[test]
fn damaged_files_are_reported_by_what_is_wrong() {
    let mut rules = std::collections::BTreeSet::new();
    let mut count = 0;
    for good in Good::all() {
        assert_eq!(worse_than_notes(&good.bytes), [""; 0], "{}, {}", good.what, good.format);
        for (damage, rule, bytes) in good.damaged() {
            let report = check(&bytes, &Options::default());
            let found = report.findings.iter().any(|finding| finding.rule == rule);
            let what = format!("{}, {}: {damage}", good.what, good.format);
            assert!(found && !report.is_sound(), "{what}: no {rule} in {:#?}", report.findings);
            rules.insert(rule);
            count += 1;
        }
    }
    assert!(count > 800, "{count}");
    let of_kernel = [Rule::BtfIds, Rule::Modinfo, Rule::ModuleHashes];
    let errors = Rule::ALL.iter().filter(|rule| rule.severity() == Severity::Error && !of_kernel.contains(rule));
    let missing: Vec<_> = errors.filter(|rule| !rules.contains(rule)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// Damage that may be valid as well: an answer, and no more findings than were asked for.
#[test]
fn no_bytes_are_too_strange() {
    let options = Options { limit: 3, ..Options::default() };
    let mut unsound = 0;
    let mut look = |what: &str, bytes: &[u8]| {
        let report = check(bytes, &options);
        let most = Rule::ALL.iter().map(|rule| report.findings.iter().filter(|f| f.rule == *rule).count()).max();
        assert!(most <= Some(3), "{what}");
        unsound += u64::from(!report.is_sound());
    };
    for good in Good::all() {
        damaged(&good.bytes).for_each(|(what, bytes)| look(&what, &bytes));
        poked(&good.bytes, 7, 300).for_each(|(what, bytes)| look(&what, &bytes));
    }
    for seed in 0..100 {
        let file = generate(seed, GenOptions::default());
        poked(&file.bytes, seed, 50).for_each(|(what, bytes)| look(&what, &bytes));
    }
    for name in ["demo-upstream-sorted.ko", "vmlinux-upstream-sorted", "libdemo.so", "obj-compressed.o"] {
        poked(&testdata(name), 1, 200).for_each(|(what, bytes)| look(&what, &bytes));
    }
    assert!(unsound > 10_000, "{unsound}");
}

/// A megabyte of headers or symbols that all refer to the same megabyte: time must not be their product.
#[test]
fn overlapping_tables_cost_no_more_than_their_bytes() {
    for format in [Format::X86_64, Format::MIPS] {
        let kinds = [SHT_SYMTAB, SHT_GROUP, SHT_RELA, SHT_STRTAB, SHT_NOTE];
        let sections =
            (0..10_000).map(|n| Section::new("x", kinds[n % 5]).offset(0).size(300_000).link(1u32).info(1u32));
        let file = ElfSpec::new(format, ET_REL).sections(sections).build();
        let start = std::time::Instant::now();
        let report = check(&file, &Options::default());
        assert!(report.more[&Rule::SectionOverlap] > 9000);
        assert!(start.elapsed().as_secs() < 5, "{:?}", start.elapsed());
    }
}

#[test]
fn modules_the_kernel_cannot_number_are_warned_about() {
    let sections = |count| {
        ElfSpec::new(Format::X86_64, ET_REL)
            .section(Section::progbits(".modinfo", SHF_ALLOC, "license=GPL\0"))
            .sections((0..count).map(|_| Section::progbits("x", 0, "")))
            .build()
    };
    // Besides section 0, .modinfo and .shstrtab.
    assert_eq!(lines(&sections(0xfeff - 3)), [""; 0]);
    let want = "warning: section header table: 65281 sections, more than 65,279 [many-sections]";
    assert_eq!(lines(&sections(0xff01 - 3)), [want]);
}

#[test]
fn two_sections_of_a_kernel_name_are_one_too_many() {
    let file = g8_same_names(Format::X86_64);
    assert!(lines(&file).iter().any(|line| line.ends_with("[duplicate-section]")), "{:?}", lines(&file));
}

#[test]
fn btf_needs_its_base_and_the_right_one() {
    let module = testdata("demo-upstream-sorted.ko");
    let rules = |base: Option<&[u8]>| {
        let report = check(&module, &Options { btf_base: base, ..Options::default() });
        report.findings.iter().map(|finding| finding.rule).collect::<Vec<_>>()
    };
    assert_eq!(rules(None), [Rule::BtfBase]);
    let (right, wrong) = (testdata("vmlinux.btf"), testdata("vmlinux2.btf"));
    let found = rules(Some(&right));
    assert!(
        found.contains(&Rule::BtfIdsStale) && found.iter().all(|rule| rule.severity() != Severity::Error),
        "{found:?}"
    );
    assert_eq!(rules(Some(&testdata("vmlinux"))), found);
    let found = rules(Some(&wrong));
    assert!(found.contains(&Rule::Btf) || found.contains(&Rule::BtfIds), "{found:?}");
    assert!(rules(Some(b"no BTF")).contains(&Rule::Btf));
    // The third pair of demo_kfuncs gets the second one's ID: still sorted, but no sort makes a kfunc go.
    let at = Elf::parse(&module).map(|elf| elf.section(elf.find(b".BTF_ids").unwrap()).unwrap().sh_offset).unwrap();
    let mut module = module.clone();
    let pair = usize::try_from(at).unwrap() + 0x3c;
    module.copy_within(pair..pair + 4, pair + 8);
    let report = check(&module, &Options { btf_base: Some(&right), ..Options::default() });
    let errors = report.findings.iter().filter(|finding| finding.rule.severity() == Severity::Error);
    assert!(errors.clone().count() == 9 && errors.clone().all(|f| f.text.contains("'demo_kfuncs'")), "{report:#?}");
}

#[test]
fn kernel_sections_are_looked_into() {
    let file = |name: &str, data: &[u8]| {
        ElfSpec::new(Format::S390X, ET_REL).section(Section::progbits(name, SHF_ALLOC, data)).build()
    };
    let rules = |name: &str, data: &[u8]| {
        let report = check(&file(name, data), &Options::default());
        report.findings.iter().map(|finding| finding.rule).collect::<Vec<_>>()
    };
    assert_eq!(rules(".modinfo", b"license=GPL\0"), []);
    assert_eq!(rules(".modinfo", b"license=GPL"), [Rule::Modinfo]);
    assert_eq!(rules(".module_hashes", &[0; 36]), []);
    assert_eq!(rules(".module_hashes", &[0; 35]), [Rule::ModuleHashes]);
    assert_eq!(rules(".module_hashes", &[[0, 0, 0, 33].as_slice(), &[1; 32]].concat()), [Rule::ModuleHashes]);
    assert_eq!(rules(".module_hashes", &[[0, 0, 0, 32].as_slice(), &[1; 32]].concat()), []);
    assert_eq!(rules(".module_hashes", &[[0; 4].as_slice(), &[1; 32]].concat()), [Rule::ModuleHashes]);
    // Big endian IDs 3 and 2 in a set of two.
    let words = Format::S390X.u32s(&[2, 3, 2]);
    let set = Symbol::local("__BTF_ID__set__s", ".BTF_ids").at(0, 12);
    let ids = ElfSpec::new(Format::S390X, ET_REL)
        .section(Section::progbits(".BTF_ids", SHF_ALLOC, words))
        .symbols(vec![set])
        .build();
    let want = "error: section '.BTF_ids' [1]: set 's', at 0x8: ID 2 follows ID 3: not sorted [unsorted] [btf-ids]";
    assert_eq!(lines(&ids), [want]);
}

#[test]
fn trailers_are_signatures_or_suspicious() {
    let bytes = |trailer: &[u8]| ElfSpec::new(Format::ARM, ET_REL).trailer(trailer).build();
    assert_eq!(lines(&bytes(b"hello")), ["warning: trailer: 5 bytes that are no signature [trailer]"]);
    let pkcs7 = signature_trailer(&[0x30, 0x82, 0, 0], 2);
    assert_eq!(lines(&bytes(&pkcs7)), [""; 0]);
    let both = [b"x", &pkcs7[..]].concat();
    assert_eq!(lines(&bytes(&both)), ["warning: trailer: 1 bytes that are no signature [trailer]"]);
    assert_eq!(worse_than_notes(&g9_merkle(Format::S390X, 5, 3)), [""; 0]);
    let proof = signature_trailer(&[0; 35], 3);
    let want = "error: signature: no Merkle proof: 35 bytes are not 4 + 32 per level [signature]";
    assert_eq!(lines(&bytes(&proof)), [want]);
}

#[test]
fn limits_and_json() {
    let mut file = g2_group(Format::new(Class::Elf32, elfgraft_testkit::format::Endian::Big, EM_PPC));
    (1..5).for_each(|index| poke_section(&mut file, index, "sh_link", 99));
    let report = check(&file, &Options { limit: 1, ..Options::default() });
    assert_eq!(report.more[&Rule::SectionLink], 3);
    let json = report.to_json();
    assert_eq!(
        (&json["sound"], &json["reader"], &json["more"]["section-link"]),
        (&false.into(), &"goblin".into(), &3.into())
    );
    let finding = &json["findings"][0];
    assert_eq!((&finding["id"], &finding["severity"]), (&"section-link".into(), &"error".into()));
    assert_eq!(finding["why"], Rule::SectionLink.why());
    let nothing = check(b"", &Options::default());
    assert_eq!((nothing.worst(), &nothing.to_json()["reader"]), (Some(Severity::Error), &Value::Null));
}
