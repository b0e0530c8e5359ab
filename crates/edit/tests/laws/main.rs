#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::cast_possible_truncation)] // a test

//! The laws over generated files of every class, byte order and type. A failure prints the seed; `LAWS_SEED=n` runs one.

mod by_hand;
mod stripping;

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
    for (index, _) in image.indexed().filter(|(_, h)| h.file_size() == 0) {
        poke_section(&mut file, index.get(), "sh_offset", 0);
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
