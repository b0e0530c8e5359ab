//! G12: a good file, damaged in one place at a time.

use crate::consts::*;
use crate::fields::{EHDR, Fields, PHDR, REL, RELA, SHDR, SYM, get, section_header, size_of};
use crate::read::ReadElf;
use crate::rng::Rng;

/// One change of bytes.
enum Damage {
    Truncate(usize),
    Overwrite(usize, Vec<u8>),
}

/// Damaged versions of `file`, each with a description. Not every one is invalid: a reader must give an error or
/// a result for each, and neither panic nor allocate what a size field asks for.
///
/// Truncated at every length (of long files at some 4000 lengths); every field of the ELF header, section headers,
/// program headers, and of some symbols and relocations, set to boundary values; group members, compression and note
/// headers, the words of `.BTF`, names without end and not UTF-8; `e_shnum` 0 with a huge count in section 0.
pub fn damaged(file: &[u8]) -> impl Iterator<Item = (String, Vec<u8>)> + use<> {
    let elf = ReadElf::parse(file);
    let mut list: Vec<(String, Damage)> = Vec::new();
    truncations(file, &mut list);
    headers(&elf, &mut list);
    contents(&elf, &mut list);
    apply(file, list)
}

/// `count` versions of `file` with one to four random bytes changed, decided by `seed`.
pub fn poked(file: &[u8], seed: u64, count: usize) -> impl Iterator<Item = (String, Vec<u8>)> + use<> {
    let mut rng = Rng::new(seed);
    let file = file.to_vec();
    (0..count).map(move |number| {
        let mut bytes = file.clone();
        for _ in 0..=rng.below(4) {
            // Headers are few bytes, but most of what can go wrong.
            let end = if rng.one_in(3) { bytes.len().min(64) } else { bytes.len() };
            let at = rng.index(end);
            bytes[at] = match rng.below(6) {
                0 => 0,
                1 => 0x7f,
                2 => 0x80,
                3 => 0xff,
                _ => rng.next_u64() as u8,
            };
        }
        (format!("random bytes, seed {seed}, number {number}"), bytes)
    })
}

fn apply(file: &[u8], list: Vec<(String, Damage)>) -> impl Iterator<Item = (String, Vec<u8>)> + use<> {
    let file = file.to_vec();
    list.into_iter().filter_map(move |(what, damage)| {
        let mut bytes = file.clone();
        match damage {
            Damage::Truncate(len) => bytes.truncate(len),
            Damage::Overwrite(at, new) => bytes[at..at + new.len()].copy_from_slice(&new),
        }
        (bytes != file).then_some((what, bytes))
    })
}

fn truncations(file: &[u8], list: &mut Vec<(String, Damage)>) {
    let step = file.len() / 4000 + 1;
    let lengths = (0..file.len() - 1).step_by(step).chain([file.len() - 1]);
    list.extend(lengths.map(|len| (format!("truncated to {len} bytes"), Damage::Truncate(len))));
}

/// Values at which checks of a field of `width` bytes tend to be wrong.
fn boundaries(elf: &ReadElf, now: u64, width: usize) -> Vec<u64> {
    let max = u64::MAX >> (64 - 8 * width);
    let len = elf.bytes.len() as u64;
    let count = elf.sections.len() as u64;
    let mut values = vec![
        0,
        1,
        3,
        now.wrapping_sub(1),
        now.wrapping_add(1),
        now.wrapping_add(0x1_0000_0000),
        count - 1,
        count,
        len - 1,
        len,
        len + 1,
        0xfeff,
        0xff00,
        0xffff,
        max / 2,
        max / 2 + 1,
        max.wrapping_sub(now),
        max.wrapping_sub(now).wrapping_add(1),
        max - 7,
        max,
    ];
    values.retain(|&v| v <= max && v != now);
    values.sort_unstable();
    values.dedup();
    values
}

fn fields(elf: &ReadElf, of: &'static Fields, base: usize, what: &str, list: &mut Vec<(String, Damage)>) {
    for field in of {
        let name = field.name;
        let (offset, width) = field.at(elf.format.class);
        let now = get(elf.format, of, &elf.bytes, base, name);
        for value in boundaries(elf, now, width) {
            let bytes = elf.format.bytes(value, width);
            let what = format!("{what}: {name} {now:#x} -> {value:#x}");
            list.push((what, Damage::Overwrite(base + offset, bytes)));
        }
    }
}

fn headers(elf: &ReadElf, list: &mut Vec<(String, Damage)>) {
    for at in [0, 4, 5, 6] {
        for value in [0, 1, 2, 3, 255] {
            let what = format!("e_ident[{at}] -> {value}");
            list.push((what, Damage::Overwrite(at, vec![value])));
        }
    }
    fields(elf, EHDR, 0, "ELF header", list);
    for index in some(elf.sections.len()) {
        let base = section_header(&elf.bytes, index);
        let what = format!("section {} [{index}]", elf.sections[index].label);
        fields(elf, SHDR, base, &what, list);
    }
    let phoff = elf.header("e_phoff") as usize;
    for index in 0..elf.segments.len() {
        let base = phoff + index * size_of(PHDR, elf.format.class);
        fields(elf, PHDR, base, &format!("segment {index}"), list);
    }
    if !elf.sections.is_empty() {
        huge_count(elf, list);
    }
}

/// `e_shnum` 0 and a huge `sh_size` of section 0 together: one change that spans from the one to the other.
fn huge_count(elf: &ReadElf, list: &mut Vec<(String, Damage)>) {
    let word = elf.format.word();
    let max = u64::MAX >> (64 - 8 * word);
    let mut counts = vec![0, 1, 0xffff_ffff, max / 64, max / 2, max];
    counts.sort_unstable();
    counts.dedup();
    for count in counts {
        let mut bytes = elf.bytes.clone();
        crate::fields::poke_header(&mut bytes, "e_shnum", 0);
        crate::fields::poke_section(&mut bytes, 0, "sh_size", count);
        let what = format!("e_shnum 0, sh_size of section 0 {count:#x}");
        list.push((what, Damage::Overwrite(0, bytes)));
    }
}

fn contents(elf: &ReadElf, list: &mut Vec<(String, Damage)>) {
    let (format, class) = (elf.format, elf.format.class);
    for section in some(elf.sections.len()).into_iter().map(|i| &elf.sections[i]) {
        let (start, len) = (section.offset as usize, section.data.len());
        let at = |what: &str| format!("section {}: {what}", section.label);
        let table = match section.sh_type {
            SHT_SYMTAB | SHT_DYNSYM => SYM,
            SHT_REL => REL,
            SHT_RELA => RELA,
            _ => &[],
        };
        if !table.is_empty() {
            let size = size_of(table, class);
            for entry in some(len / size) {
                let what = at(&format!("entry {entry}"));
                fields(elf, table, start + entry * size, &what, list);
            }
        }
        let words = match (section.sh_type, &section.name[..]) {
            (SHT_GROUP | SHT_SYMTAB_SHNDX, _) | (_, b".BTF_ids") => some(len / 4),
            (_, b".BTF" | b".BTF.base") => (0..len / 4).collect(),
            // The sizes and type of the first note; the compression header of either class.
            (SHT_NOTE, _) => (0..3.min(len / 4)).collect(),
            _ if section.flags & SHF_COMPRESSED != 0 => (0..6.min(len / 4)).collect(),
            _ => Vec::new(),
        };
        for word in words {
            let now = format.get(&elf.bytes, start + 4 * word, 4);
            for value in boundaries(elf, now, 4) {
                let what = at(&format!("word {word} {now:#x} -> {value:#x}"));
                let damage = Damage::Overwrite(start + 4 * word, format.bytes(value, 4));
                list.push((what, damage));
            }
        }
        if section.sh_type == SHT_STRTAB && len > 0 {
            list.push((at("does not end"), Damage::Overwrite(start + len - 1, vec![b'x'])));
            list.push((at("does not begin with 0"), Damage::Overwrite(start, vec![b'x'])));
            list.push((at("never ends"), Damage::Overwrite(start, vec![b'x'; len])));
            list.push((at("not UTF-8"), Damage::Overwrite(start + len / 2, vec![0xff])));
        }
    }
}

/// All of a few; of many the first, some around the middle, and the last.
fn some(count: usize) -> Vec<usize> {
    if count <= 40 {
        return (0..count).collect();
    }
    (0..4).chain(count / 2..count / 2 + 4).chain(count - 4..count).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::Format;
    use crate::inputs::*;
    use std::collections::HashSet;

    #[test]
    fn every_kind_of_damage_occurs_once() {
        for format in Format::FOUR {
            let file = g4_btf_ids(format);
            let mut seen = HashSet::new();
            for (what, bytes) in damaged(&file) {
                assert_ne!(bytes, file, "{what}");
                assert!(bytes.len() <= file.len());
                assert!(seen.insert(what.clone()), "twice: {what}");
            }
            let sign = if format.word() == 8 { "0x8000000000000000" } else { "0x80000000" };
            for expected in [
                "truncated to 0 bytes",
                "ELF header: e_shnum 0x7 -> 0x0",
                "e_shnum 0, sh_size of section 0 0xffffffff",
                "section '.shstrtab': does not end",
                "section '.strtab': never ends",
                "section '.BTF': word 0",
                &format!("section '.text' [1]: sh_size 0x10 -> {sign}"),
                "section '.symtab': entry 2: st_shndx 0x2 -> 0xfeff",
            ] {
                let found = seen.iter().any(|what| what.starts_with(expected));
                assert!(found, "{format}: {expected}");
            }
        }
        let what: Vec<String> = damaged(&g2_group(Format::MIPS)).map(|(what, _)| what).collect();
        assert!(what.contains(&"section '.group': word 1 0x2 -> 0x0".to_string()), "{what:?}");
        assert!(what.contains(&"section '.group': word 1 0x2 -> 0xffffffff".to_string()));
        let what: Vec<String> = damaged(&g11_compressed_and_linked(Format::S390X)).map(|(what, _)| what).collect();
        assert!(what.iter().any(|what| what.starts_with("section '.debug_info': word 3 ")), "{what:?}");
    }

    #[test]
    fn many_sections_give_a_bounded_number_of_variants() {
        let file = g1_many_sections(Format::X86_64, 300);
        let variants = damaged(&file).count();
        assert!((3000..20000).contains(&variants), "{variants}");
    }

    #[test]
    fn random_bytes_depend_on_the_seed_only() {
        let file = g2_group(Format::S390X);
        let all: Vec<_> = poked(&file, 3, 50).collect();
        assert_eq!(all, poked(&file, 3, 50).collect::<Vec<_>>());
        assert_ne!(all[0].1, poked(&file, 4, 1).next().unwrap().1);
        let changed = all.iter().filter(|(_, bytes)| *bytes != file).count();
        assert!(changed > 40, "{changed}");
    }
}
