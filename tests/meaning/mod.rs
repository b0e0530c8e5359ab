//! What an ELF file means, in lines that can be compared as sets: for files that different tools laid out.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hasher};

use elfgraft_testkit::consts::*;
use elfgraft_testkit::read::{ReadElf, ReadSymbol};

/// What a file means, in words: each line once, whatever the order of tables.
pub fn meaning(file: &[u8]) -> BTreeSet<String> {
    let elf = ReadElf::parse(file);
    let mut lines = BTreeSet::new();
    let mut count: BTreeMap<String, u32> = BTreeMap::new();
    let mut add = |line: String| {
        let n = count.entry(line.clone()).or_default();
        *n += 1;
        lines.insert(if *n == 1 { line } else { format!("{line} (no. {n})") });
    };
    let home = |s: &ReadSymbol| match s.section {
        // GNU's tools leave such indices in .dynsym.
        Some(index) => elf
            .sections
            .get(index as usize)
            .map_or(format!("section {index} of none"), |s| s.name.escape_ascii().to_string()),
        None => format!("{:#x}", s.shndx),
    };
    let name_of = |s: &ReadSymbol| match s.info & 15 {
        STT_SECTION => format!("[{}]", home(s)),
        _ => String::from_utf8_lossy(&s.name).into_owned(),
    };
    let mut tables = BTreeMap::new();
    for (index, section) in (0u32..).zip(&elf.sections) {
        if [SHT_SYMTAB, SHT_DYNSYM].contains(&section.sh_type) {
            tables.insert(index, elf.symbols_of(index));
        }
    }
    for (index, section) in (0u32..).zip(&elf.sections).skip(1) {
        let name = String::from_utf8_lossy(&section.name).into_owned();
        if index == elf.shstrndx {
            continue;
        }
        let is_strings =
            tables.keys().any(|&t| elf.sections[t as usize].link == index) && section.flags & SHF_ALLOC == 0;
        if is_strings {
            continue;
        }
        add(format!("section {name} type {:#x}", section.sh_type));
        // Of relocation sections GNU's tools make these anew, sometimes right and sometimes not.
        let made = if [SHT_REL, SHT_RELA].contains(&section.sh_type) { SHF_INFO_LINK | SHF_GROUP } else { 0 };
        add(format!("section {name} flags {:#x}", section.flags & !made));
        add(format!("section {name} address {:#x}", section.addr));
        match section.sh_type {
            SHT_SYMTAB | SHT_DYNSYM => {
                for s in tables[&index].iter().skip(1) {
                    let (value, size, other) = (s.value, s.size, s.other);
                    add(format!(
                        "symbol {} in {} {value:#x}+{size:#x} info {:#x} other {other}",
                        name_of(s),
                        home(s),
                        s.info
                    ));
                }
            }
            SHT_REL | SHT_RELA if tables.contains_key(&section.link) => {
                for r in elf.relocs_of(index) {
                    let symbol = name_of(&tables[&section.link][r.symbol as usize]);
                    add(format!("relocation {name} {:#x} type {:#x} {symbol} {:+}", r.offset, r.kind, r.addend));
                }
            }
            SHT_GROUP => {
                let signature = name_of(&tables[&section.link][section.info as usize]);
                let members = elf.group_of(index).1;
                let members: Vec<_> = members.iter().map(|&m| elf.sections[m as usize].label.clone()).collect();
                add(format!("group {signature}: {}", members.join(" ")));
            }
            SHT_SYMTAB_SHNDX => {}
            SHT_LLVM_ADDRSIG => {}
            SHT_NOBITS => add(format!("section {name} size {:#x}", section.size)),
            _ => add(format!("section {name} bytes {}", digest(&section.data))),
        }
    }
    for (at, byte) in memory(&elf) {
        add(format!("memory at {at:#x}: {byte}"));
    }
    lines
}

/// What segments load: address and bytes in words, without the headers, whose place may differ.
fn memory(elf: &ReadElf) -> Vec<(u64, String)> {
    let mut all = Vec::new();
    for section in elf.sections.iter().filter(|s| s.flags & SHF_ALLOC != 0 && !s.data.is_empty()) {
        let load = elf.segments.iter().find(|p| {
            p.p_type == PT_LOAD && section.offset >= p.offset && section.offset + section.size <= p.offset + p.filesz
        });
        if let Some(load) = load {
            all.push((load.paddr + (section.offset - load.offset), digest(&section.data)));
        }
    }
    all
}

/// Bytes for a line: short ones as they are.
fn digest(bytes: &[u8]) -> String {
    if bytes.len() <= 64 {
        return format!("{bytes:02x?}");
    }
    let mut hash = DefaultHasher::new();
    hash.write(bytes);
    format!("{} bytes, {:016x}", bytes.len(), hash.finish())
}
