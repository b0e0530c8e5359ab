#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::cast_possible_truncation)] // a test

//! The laws over generated files of every class, byte order and type. A failure prints the seed; `LAWS_SEED=n` runs one.

use elfgraft_edit::{
    Content, Discard, EditError, Edits, FlagSet, Pattern, Rename, Strip, SymbolEdits, SymbolNames, Target, plan,
};
use elfgraft_elf::consts::SHT_NOBITS;
use elfgraft_elf::{Image, SectionHeader};
use elfgraft_patch::to_vec;
use elfgraft_testkit::consts::{ET_DYN, ET_REL, SHF_ALLOC};
use elfgraft_testkit::diff::semantic_diff;
use elfgraft_testkit::elf::{ElfSpec, Section, Segment};
use elfgraft_testkit::fields::{header_field, poke_section, poke_segment, section_field};
use elfgraft_testkit::format::Format;
use elfgraft_testkit::generate::{GenOptions, generate};
use elfgraft_testkit::read::ReadElf;

fn edit(file: &[u8], edits: &Edits) -> Result<Vec<u8>, EditError> {
    let image = Image::parse(file)?;
    let plan = plan(&image, edits)?;
    let out = to_vec(&plan.patch, file);
    if plan.patch.is_identity() {
        same(&out, file, "identity is the file");
    }
    Ok(out)
}

/// Equal bytes, or the first difference with its surroundings: a dump of two files tells nobody anything.
#[track_caller]
fn same(a: &[u8], b: &[u8], law: &str) {
    if a == b {
        return;
    }
    let at = a.iter().zip(b).position(|(x, y)| x != y).unwrap_or(a.len().min(b.len()));
    let near = |f: &[u8]| f[at.saturating_sub(8).min(f.len())..(at + 24).min(f.len())].to_vec();
    let count = a.iter().zip(b).filter(|(x, y)| x != y).count();
    let diff = semantic_diff(a, b);
    panic!(
        "{law}: {} and {} bytes, {count} differ, first at {at:#x}\n{:02x?}\n{:02x?}\n{diff:#?}",
        a.len(),
        b.len(),
        near(a),
        near(b)
    );
}

fn set(name: &str, bytes: &[u8]) -> Edits<'static> {
    let content = Content { section: name.into(), bytes: bytes.to_vec().into() };
    Edits { set: vec![content], drop_signature: true, ..Edits::default() }
}

fn add(name: &str, bytes: &[u8]) -> Edits<'static> {
    let content = Content { section: name.into(), bytes: bytes.to_vec().into() };
    Edits { add: vec![content], drop_in: true, ..Edits::default() }
}

fn update(name: &str, bytes: &[u8]) -> Edits<'static> {
    let content = Content { section: Target::Name(name.into()), bytes: bytes.to_vec().into() };
    Edits { update: vec![content], drop_in: true, ..Edits::default() }
}

fn remove(patterns: &[&str]) -> Edits<'static> {
    let remove = patterns.iter().map(|p| Pattern::new(p.as_bytes())).collect();
    Edits { remove, drop_in: true, ..Edits::default() }
}

/// Runs a law over generated files, saying which one failed.
fn over_files(options: GenOptions, count: u64, law: impl Fn(u64, &[u8])) {
    let seeds = match std::env::var("LAWS_SEED").ok().and_then(|s| s.parse().ok()) {
        Some(seed) => seed..seed + 1,
        None => 0..count,
    };
    for seed in seeds {
        let file = generate(seed, options);
        eprintln!("seed {seed}: {}", file.description);
        law(seed, &file.bytes);
    }
}

const ANY: GenOptions = GenOptions { linker_like: false, format: None, e_type: None };
const LINKED: GenOptions = GenOptions { linker_like: true, format: None, e_type: None };

/// Contents of sizes that make every kind of padding.
fn blob(seed: u64, salt: u64) -> Vec<u8> {
    let size = [0, 1, 3, 4, 7, 8, 40, 333][((seed ^ salt.wrapping_mul(0x9e37_79b9)) % 8) as usize];
    (0..size).map(|i| (seed + salt * 31 + i * 7 + 1) as u8).collect()
}

fn has(file: &[u8], name: &str) -> bool {
    !Image::parse(file).unwrap().named(name.as_bytes()).is_empty()
}

/// A file with 0 for the `sh_offset` of each section that has no bytes.
fn without_places_of_nothing(file: &[u8]) -> Vec<u8> {
    let image = Image::parse(file).unwrap();
    let mut file = file.to_vec();
    let (field, width) = if image.format.is_64 { (24, 8) } else { (16, 4) };
    for (index, _) in image.indexed().filter(|(_, h)| h.file_size() == 0) {
        let at = image.e_shoff as usize + index.get() * image.format.section_header_size() as usize + field;
        file[at..at + width].fill(0);
    }
    file
}

/// Sections that do not lie in the file: the kernel refuses a module with one, even if it has no bytes.
fn outside(file: &[u8]) -> usize {
    let image = Image::parse(file).unwrap();
    let beyond = |h: &SectionHeader| h.sh_type != SHT_NOBITS && h.sh_offset.saturating_add(h.sh_size) > image.len();
    image.indexed().filter(|(_, h)| beyond(h)).count()
}

// A kernel refused modules that `strip -g` had made: .note.GNU-stack, which is empty, had stood behind debugging
// sections, and kept its offset.
#[test]
fn every_section_lies_in_the_file_whatever_goes() {
    over_files(ANY, 1500, |seed, x| {
        if outside(x) != 0 {
            return;
        }
        let strip = |strip| Edits {
            drop_in: true,
            symbols: SymbolEdits { strip, ..SymbolEdits::default() },
            ..Edits::default()
        };
        for (what, edits) in [
            ("set", set(".BTF", &blob(seed, 1))),
            ("remove", remove(&[".BTF*", ".debug*", ".comment"])),
            ("strip --strip-debug", strip(Strip::Debug)),
            ("strip --strip-all", strip(Strip::All)),
        ] {
            let Ok(new) = edit(x, &edits) else { continue };
            assert_eq!(outside(&new), 0, "{what}");
            if let Ok(again) = edit(&new, &edits) {
                same(&again, &new, &format!("{what} twice"));
            }
        }
    });
}

#[test]
fn l1_l2_set_is_idempotent_and_forgets_what_was_set_before() {
    over_files(ANY, 3000, |seed, x| {
        for name in [".BTF", ".new.section"] {
            let (a, b) = (set(name, &blob(seed, 1)), set(name, &blob(seed, 2)));
            let (Ok(fa), Ok(fb)) = (edit(x, &a), edit(x, &b)) else {
                // Only a section in the fixed zone, or one that shares bytes, may refuse.
                assert!(has(x, name), "adding must work");
                continue;
            };
            same(&edit(&fa, &a).unwrap(), &fa, "L1");
            // Of two sections without bytes in one place nobody can tell which came first.
            let empty = blob(seed, 1).is_empty() || blob(seed, 2).is_empty();
            let what = |file: &[u8]| if empty { without_places_of_nothing(file) } else { file.to_vec() };
            same(&what(&edit(&fa, &b).unwrap()), &what(&fb), "L2");
            same(&what(&edit(&edit(&fa, &b).unwrap(), &a).unwrap()), &what(&fa), "L2, back again");
        }
    });
}

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
    }
}

#[test]
fn l3_removing_what_was_added_gives_the_file_back() {
    over_files(LINKED, 3000, |seed, x| {
        let x = edit(x, &Edits { drop_signature: true, ..Edits::default() }).unwrap();
        for names in [&[".new.section"][..], &[".new.a", ".new.b"][..]] {
            let mut edits = Edits::default();
            for (salt, name) in (1..).zip(names) {
                edits.set.extend(set(name, &blob(seed, salt)).set);
            }
            let added = edit(&x, &edits).unwrap();
            assert_ne!(added, x);
            same(&edit(&added, &remove(names)).unwrap(), &x, "L3");
        }
    });
}

#[test]
fn l4_adding_and_removing_change_nothing_else() {
    over_files(ANY, 1500, |seed, x| {
        let added = edit(x, &add(".new.section", &blob(seed, 3))).unwrap();
        let differences = semantic_diff(x, &added);
        let expected = |d: &String| d.contains(".new.section") || d.contains("trailer");
        assert!(differences.iter().any(|d| d.contains(".new.section")), "{differences:?}");
        let other: Vec<_> = differences.iter().filter(|d| !expected(d)).collect();
        assert!(other.is_empty(), "L4: {other:#?}");
        let back = edit(&added, &remove(&[".new.section"])).unwrap();
        let other: Vec<_> = semantic_diff(x, &back).into_iter().filter(|d| !d.contains("trailer")).collect();
        assert!(other.is_empty(), "L4 after removal: {other:#?}");
    });
}

#[test]
fn l5_a_same_size_update_changes_no_byte_outside_the_section() {
    over_files(ANY, 1500, |seed, x| {
        let image = Image::parse(x).unwrap();
        if image.trailer.is_some() {
            return;
        }
        for (index, header) in image.indexed() {
            let name = String::from_utf8_lossy(image.name(index).unwrap()).into_owned();
            let old = image.contents(index).unwrap();
            if old.is_empty() || index == image.shstrndx || image.named(name.as_bytes()).len() != 1 {
                continue;
            }
            let new: Vec<u8> = old.iter().map(|b| b ^ 0x5a ^ seed as u8).collect();
            let Ok(out) = edit(x, &update(&name, &new)) else { continue };
            let range = header.sh_offset as usize..header.sh_offset as usize + old.len();
            assert_eq!(out.len(), x.len());
            assert_eq!(out[range.clone()], new);
            assert_eq!(out[..range.start], x[..range.start]);
            assert_eq!(out[range.end..], x[range.end..]);
        }
    });
}

#[test]
fn l7_an_edit_that_asks_for_nothing_new_is_the_identity() {
    over_files(ANY, 1500, |_, x| {
        assert_eq!(edit(x, &Edits::default()).unwrap(), x);
        assert_eq!(edit(x, &remove(&[".absent", "nothing*"])).unwrap(), x);
        let image = Image::parse(x).unwrap();
        for (index, header) in image.indexed() {
            let name = image.name(index).unwrap();
            let literal = !name.is_empty() && Pattern::new(name).is_literal() && !Pattern::new(name).is_negative();
            if !literal || header.file_size() == 0 || index == image.shstrndx || image.named(name).len() != 1 {
                continue;
            }
            let content = Content { section: name.to_vec(), bytes: image.contents(index).unwrap().into() };
            match edit(x, &Edits { set: vec![content], ..Edits::default() }) {
                Ok(out) => assert_eq!(out, x),
                Err(e) => assert!(e.to_string().contains("shares bytes"), "{e}"),
            }
        }
    });
}

#[test]
fn l1_every_removal_is_idempotent_and_touches_nothing_else() {
    over_files(ANY, 2000, |seed, x| {
        let image = Image::parse(x).unwrap();
        let names: Vec<String> =
            image.indexed().map(|(i, _)| String::from_utf8_lossy(image.name(i).unwrap()).into_owned()).collect();
        for name in names.iter().filter(|n| !n.is_empty() && Pattern::new(n.as_bytes()).is_literal()) {
            let edits = remove(&[name]);
            let Ok(once) = edit(x, &edits) else { continue };
            same(&edit(&once, &edits).unwrap(), &once, &format!("L1 of -R {name}"));
            assert!(!has(&once, name) || name.starts_with('!'), "{name} is gone");
            // Independent reading: what is not about the section, what relocates it, or its symbols, is as it was.
            let gone: Vec<String> = removed(x, &once);
            let other: Vec<_> = semantic_diff(x, &once).into_iter().filter(|d| !is_about(d, &gone)).collect();
            assert!(other.is_empty(), "seed {seed}: L4 of -R {name}, gone {gone:?}: {other:#?}");
        }
    });
}

/// Names that the first file has more often than the second.
fn removed(before: &[u8], after: &[u8]) -> Vec<String> {
    let names = |file| {
        ReadElf::parse(file)
            .sections
            .iter()
            .skip(1)
            .map(|s| String::from_utf8_lossy(&s.name).into_owned())
            .collect::<Vec<_>>()
    };
    let (mut left, after) = (names(before), names(after));
    for name in after {
        if let Some(at) = left.iter().position(|n| *n == name) {
            left.remove(at);
        }
    }
    let elf = ReadElf::parse(before);
    if elf.index_of(".symtab").is_none() {
        return left;
    }
    let in_gone = |s: &elfgraft_testkit::read::ReadSymbol| {
        s.section.is_some_and(|i| left.contains(&String::from_utf8_lossy(&elf.sections[i as usize].name).into_owned()))
    };
    let symbols: Vec<_> = elf.symbols().into_iter().filter(in_gone).map(|s| s.label).collect();
    left.extend(symbols);
    left
}

fn is_about(difference: &str, gone: &[String]) -> bool {
    // The number of local symbols follows from those that went.
    // A section inside a segment leaves zeros behind, or the segment ends earlier.
    gone.iter().any(|name| difference.contains(name.as_str()))
        || difference.contains("tab': sh_info")
        || difference.starts_with("segment ")
        // Bytes of nobody in front of what went are behind everything now.
        || difference.starts_with("trailer")
}

#[test]
fn l1_flags_renames_alignment_and_noload() {
    let flag = |p: &str, f: &str| (Pattern::new(p.as_bytes()), FlagSet::parse(f).unwrap());
    over_files(ANY, 1500, |seed, x| {
        let image = Image::parse(x).unwrap();
        let names: Vec<Vec<u8>> = image.indexed().map(|(i, _)| image.name(i).unwrap().to_vec()).collect();
        let pick = |n: u64| names.get((seed.wrapping_mul(n) % names.len().max(1) as u64) as usize).cloned();
        let Some(name) = pick(7).filter(|n| !n.is_empty()) else { return };
        let text = String::from_utf8_lossy(&name).into_owned();
        let mut cases = vec![
            Edits { flags: vec![flag(&text, "noload")], ..Edits::default() },
            Edits { flags: vec![flag(&text, "alloc,readonly,code")], ..Edits::default() },
            Edits { align: vec![(Pattern::new(&name), 1 << (seed % 7))], ..Edits::default() },
            Edits { only: [Pattern::new(&name)].into_iter().collect(), ..Edits::default() },
        ];
        let rename = Rename { from: name.clone(), to: b".renamed".to_vec(), flags: None };
        cases.push(Edits { rename: vec![rename], ..Edits::default() });
        let mut both = add(".new.section", &blob(seed, 5));
        both.remove = remove(&[".new.section", &text]).remove;
        both.align = vec![(Pattern::new(b".new.section"), 64)];
        cases.push(both);
        for mut edits in cases {
            edits.drop_in = true;
            let Ok(once) = edit(x, &edits) else { continue };
            let again = edit(&once, &edits);
            if !edits.only.is_empty() && again.is_err() {
                continue; // a literal name that is gone is an error the second time only if it was renamed away
            }
            same(&again.unwrap(), &once, &format!("L1 of {edits:?}"));
        }
    });
}

#[test]
fn l1_l4_stripping_is_idempotent_and_touches_no_loaded_byte() {
    let names = |list: &[&str], wild| SymbolNames::new(list.iter().map(|n| n.as_bytes().to_vec()), wild);
    let cases = [
        SymbolEdits { strip: Strip::Debug, ..SymbolEdits::default() },
        SymbolEdits { strip: Strip::Unneeded, ..SymbolEdits::default() },
        SymbolEdits { strip: Strip::All, ..SymbolEdits::default() },
        SymbolEdits { discard: Discard::Locals, ..SymbolEdits::default() },
        SymbolEdits { strip_unneeded: names(&["local_*", "global_1"], true), ..SymbolEdits::default() },
        SymbolEdits { weaken_all: true, ..SymbolEdits::default() },
        SymbolEdits { localize: names(&["global_0"], false), ..SymbolEdits::default() },
        SymbolEdits { globalize: names(&["local_0"], false), ..SymbolEdits::default() },
        SymbolEdits { redefine: [(b"global_0".to_vec(), b"renamed".to_vec())].into(), ..SymbolEdits::default() },
    ];
    over_files(ANY, 700, |seed, x| {
        for symbols in &cases {
            let edits = Edits { symbols: symbols.clone(), drop_in: true, ..Edits::default() };
            let once = match edit(x, &edits) {
                Ok(once) => once,
                Err(e) => {
                    let known = ["may hold symbol numbers", "shares bytes", "needs it as its", "does not end in"];
                    assert!(known.iter().any(|k| e.to_string().contains(k)), "seed {seed}: {e}");
                    continue;
                }
            };
            same(&edit(&once, &edits).unwrap(), &once, &format!("L1 of {symbols:?}"));
            // Every loaded section and every segment is as it was, read independently.
            let (before, after) = (ReadElf::parse(x), ReadElf::parse(&once));
            let loaded = |elf: &ReadElf| -> Vec<_> {
                let alloc = elf.sections.iter().filter(|s| s.flags & 2 != 0 && s.sh_type != 11 && s.sh_type != 4);
                alloc.map(|s| (s.name.clone(), s.addr, s.size, s.addralign, s.data.clone())).collect()
            };
            assert_eq!(loaded(&before), loaded(&after), "L4 of {symbols:?}");
            assert_eq!(before.segments, after.segments, "segments of {symbols:?}");
            relocations_keep_their_symbols(&before, &after);
        }
    });
}

/// Each relocation of the result names the symbol that it named in the input.
fn relocations_keep_their_symbols(before: &ReadElf, after: &ReadElf) {
    let relocs = |elf: &ReadElf| -> Vec<_> {
        let tables = (0u32..).zip(&elf.sections).filter(|(_, s)| s.sh_type == 4 || s.sh_type == 9);
        tables
            .flat_map(|(index, s)| {
                let symbols = elf.symbols_of(s.link);
                let named = elf.relocs_of(index).into_iter().map(move |r| {
                    let symbol = &symbols[r.symbol as usize];
                    (s.label.clone(), r.offset, symbol.value, symbol.size, symbol.name == b"renamed", r.addend)
                });
                named.collect::<Vec<_>>()
            })
            .collect()
    };
    let after_relocs = relocs(after);
    let before_relocs: Vec<_> =
        relocs(before).into_iter().filter(|r| after.sections.iter().any(|s| s.label == r.0)).collect();
    assert_eq!(before_relocs.len(), after_relocs.len());
    for (old, new) in before_relocs.iter().zip(&after_relocs) {
        assert_eq!((&old.0, old.1, old.2, old.3, old.5), (&new.0, new.1, new.2, new.3, new.5));
    }
}
