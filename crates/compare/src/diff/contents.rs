//! Contents of sections: by meaning where it is known, else byte by byte.

use super::report::Out;
use super::{Files, Key, Place, btf, btf_ids, kernel, relocs};
use crate::reader::{Elf, is_symbol_table};
use goblin::elf::section_header::{SHT_GROUP, SHT_NOBITS, SHT_NOTE, SHT_STRTAB, SHT_SYMTAB_SHNDX};
use std::collections::HashSet;
use std::fmt;

pub(super) fn compare(files: &Files, out: &mut Out) {
    let names = [name_tables(&files.a), name_tables(&files.b)];
    for (a, b) in files.pairs.iter() {
        let place = Place(&files.a, a);
        match (files.a.contents(a), files.b.contents(b)) {
            (None, None) => {}
            (Some(in_a), Some(in_b)) => {
                if !is_compared(files, a, b, out) && !by_meaning(files, (a, in_a), (b, in_b), out) && in_a != in_b {
                    let only_names = names[0].contains(&a) && names[1].contains(&b);
                    let key = if only_names { Key::StringTable } else { Key::Contents };
                    out.say(key, place, Bytes(in_a, in_b));
                }
            }
            _ => out.say(Key::Contents, place, "contents reach beyond the end of one of the files"),
        }
    }
}

/// Whether contents are compared elsewhere, entry by entry, or one has none.
fn is_compared(files: &Files, a: u32, b: u32, out: &mut Out) -> bool {
    let (Some(x), Some(y)) = (files.a.section(a), files.b.section(b)) else { return true };
    if x.sh_type == SHT_SYMTAB_SHNDX && meaningless(&files.a, a) != meaningless(&files.b, b) {
        out.say(Key::Contents, Place(&files.a, a), "entries of symbols that have no extended section index");
    }
    let entries = is_symbol_table(x) || [SHT_GROUP, SHT_SYMTAB_SHNDX].contains(&x.sh_type);
    let no_contents = x.sh_type == SHT_NOBITS || y.sh_type == SHT_NOBITS;
    no_contents || x.sh_type == y.sh_type && (entries || relocs::is_compared(files, a, b))
}

/// Compares contents whose meaning is known; whether that told all that differs.
fn by_meaning(files: &Files, (a, in_a): (u32, &[u8]), (b, in_b): (u32, &[u8]), out: &mut Out) -> bool {
    let (Some(x), Some(y)) = (files.a.section(a), files.b.section(b)) else { return false };
    let place = Place(&files.a, a);
    match files.a.name(a) {
        // What it says depends on symbols and BTF as well.
        b".BTF_ids" => btf_ids::compare(files, (a, in_a), (b, in_b), out),
        _ if in_a == in_b => true,
        b".BTF" => btf::compare(files, (a, b), out),
        b".BTF.base" => btf::compare_base(&place, in_a, in_b, out),
        b".modinfo" => kernel::modinfo(&place, in_a, in_b, out),
        b".module_hashes" => kernel::module_hashes(files, &place, in_a, in_b, out),
        _ if x.sh_type == SHT_NOTE && y.sh_type == SHT_NOTE => {
            let endians = (files.a.endian(), files.b.endian());
            kernel::notes(&place, (in_a, x.sh_addralign, endians.0), (in_b, y.sh_addralign, endians.1), out)
        }
        _ => false,
    }
}

/// The string tables that hold the names of symbols or sections.
fn name_tables(elf: &Elf) -> HashSet<u32> {
    let of_symbols = elf.iter().filter(|(_, section)| is_symbol_table(section)).map(|(_, section)| section.sh_link);
    let tables = of_symbols.chain([elf.shstrndx]);
    tables.filter(|&index| elf.section(index).is_some_and(|section| section.sh_type == SHT_STRTAB)).collect()
}

/// Entries of SHT_SYMTAB_SHNDX that no symbol looks at, where they are not 0; and how many entries there are too many.
fn meaningless(elf: &Elf, index: u32) -> (Vec<u32>, i64) {
    let contents = elf.contents(index).unwrap_or_default();
    let words = contents.chunks_exact(4).filter_map(|word| elf.endian().u32_at(word, 0));
    let symbols = elf.section(index).and_then(|section| elf.symbols(section.sh_link));
    let looked_at = |index| symbols.as_ref().is_some_and(|symbols| symbols.is_extended(index));
    let unused = (0u32..).zip(words).filter(|&(index, word)| word != 0 && !looked_at(index)).map(|(_, word)| word);
    let count = i64::try_from(contents.len() / 4).unwrap_or(i64::MAX);
    (unused.collect(), count - symbols.as_ref().map_or(0, |symbols| i64::from(symbols.len())))
}

/// How bytes differ, in words.
pub(super) struct Bytes<'a>(pub &'a [u8], pub &'a [u8]);

impl fmt::Display for Bytes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Bytes(a, b) = self;
        if a.len() != b.len() {
            write!(f, "{} -> {} bytes, ", a.len(), b.len())?;
        }
        let Some(first) = first_difference(a, b) else {
            return if a.len() == b.len() { write!(f, "same") } else { write!(f, "the same up to there") };
        };
        let differ = a.iter().zip(*b).filter(|(x, y)| x != y).count();
        let show = |data: &[u8]| data.get(first).copied().unwrap_or_default();
        let (x, y) = (show(a), show(b));
        write!(f, "{differ} bytes differ, the first at offset {first:#x}: {x:#04x} -> {y:#04x}")
    }
}

/// Where two byte strings first differ, within the shorter one.
pub(super) fn first_difference(a: &[u8], b: &[u8]) -> Option<usize> {
    const BLOCK: usize = 4096;
    let block = a.chunks(BLOCK).zip(b.chunks(BLOCK)).position(|(x, y)| x.len() != y.len() || x != y)?;
    let (a, b) = (a.get(block * BLOCK..)?, b.get(block * BLOCK..)?);
    Some(block * BLOCK + a.iter().zip(b).position(|(x, y)| x != y)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_difference_is_found_in_any_block() {
        let a = vec![7; 10_000];
        for at in [0, 1, 4095, 4096, 8192, 9999] {
            let mut b = a.clone();
            b[at] = 8;
            assert_eq!(first_difference(&a, &b), Some(at));
            let text = format!("1 bytes differ, the first at offset {at:#x}: 0x07 -> 0x08");
            assert_eq!(Bytes(&a, &b).to_string(), text);
        }
        assert_eq!(first_difference(&a, &a[..5000]), None);
        assert_eq!(Bytes(&a, &a[..5000]).to_string(), "10000 -> 5000 bytes, the same up to there");
        assert_eq!(
            Bytes(b"ab", b"axc").to_string(),
            "2 -> 3 bytes, 1 bytes differ, the first at offset 0x1: 0x62 -> 0x78"
        );
    }
}
