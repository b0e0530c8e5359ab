//! What two ELF files mean differently, whatever their layout is.
//!
//! Compared by name: sections and symbols with their number among those of the same name, and all that refers to them.
//! Not compared: `sh_offset` (but of allocated sections in a file with segments), `e_shoff`, `sh_name`, positions in tables, string tables that hold only names, padding,
//! bytes nobody owns. Segments, and what lies behind the end, are compared byte for byte.

use crate::consts::*;
use crate::fields::{EHDR, SHDR, size_of};
use crate::read::{ReadElf, ReadSection, ReadSymbol};
use std::collections::HashMap;
use std::fmt::Debug;

/// The differences from `a` to `b` in words, in the order of `a`; empty when there are none.
/// Panics when one of the files is nonsense.
pub fn semantic_diff(a: &[u8], b: &[u8]) -> Vec<String> {
    let (a, b) = (Side::new(a), Side::new(b));
    let mut diff = Diff(Vec::new());
    diff.headers(&a, &b);
    diff.sections(&a, &b);
    diff.segments(&a.elf, &b.elf);
    diff.check_bytes("trailer", &a.elf.trailer, &b.elf.trailer);
    diff.0
}

/// A file and its symbol tables by section index.
struct Side {
    elf: ReadElf,
    symbols: HashMap<u32, Vec<ReadSymbol>>,
}

impl Side {
    fn new(file: &[u8]) -> Side {
        let elf = ReadElf::parse(file);
        let tables = (0u32..).zip(&elf.sections).filter(|(_, s)| is_symbol_table(s));
        let symbols = tables.map(|(index, _)| (index, elf.symbols_of(index))).collect();
        Side { elf, symbols }
    }

    /// The name of a section, or the number when there is no such section.
    fn section(&self, index: u32) -> String {
        match self.elf.sections.get(index as usize) {
            Some(section) if index > 0 => section.label.clone(),
            _ => index.to_string(),
        }
    }

    fn symbol(&self, table: u32, index: u32) -> String {
        self.symbols[&table][index as usize].label.clone()
    }

    /// `sh_info` by what it means.
    fn info(&self, section: &ReadSection) -> String {
        let relocates = [SHT_REL, SHT_RELA].contains(&section.sh_type);
        if section.sh_type == SHT_GROUP {
            format!("symbol {}", self.symbol(section.link, section.info))
        } else if relocates || section.flags & SHF_INFO_LINK != 0 {
            self.section(section.info)
        } else {
            section.info.to_string()
        }
    }

    /// Whether this string table holds only names of sections and symbols.
    fn only_names(&self, index: u32) -> bool {
        let section = &self.elf.sections[index as usize];
        section.sh_type == SHT_STRTAB
            && section.flags & SHF_ALLOC == 0
            && (index == self.elf.shstrndx || self.symbols.keys().any(|&t| self.elf.sections[t as usize].link == index))
    }

    /// The contents in words, where they hold indices; `None` where the bytes count.
    fn words(&self, index: u32) -> Option<Vec<String>> {
        let section = &self.elf.sections[index as usize];
        let has_symbols = self.symbols.contains_key(&section.link);
        match section.sh_type {
            SHT_SYMTAB_SHNDX => Some(Vec::new()),
            SHT_STRTAB if self.only_names(index) => Some(Vec::new()),
            SHT_REL | SHT_RELA if has_symbols => {
                let relocs = self.elf.relocs_of(index);
                let words = relocs.iter().map(|r| {
                    let symbol = self.symbol(section.link, r.symbol);
                    format!("{:#x} type {:#x} {symbol} {:+}", r.offset, r.kind, r.addend)
                });
                Some(words.collect())
            }
            SHT_GROUP => {
                let (flags, members) = self.elf.group_of(index);
                let members = members.iter().map(|&m| self.section(m));
                Some(std::iter::once(format!("flags {flags:#x}")).chain(members).collect())
            }
            SHT_LLVM_ADDRSIG if has_symbols => {
                let symbols = uleb128s(&section.data);
                Some(symbols.iter().map(|&s| self.symbol(section.link, s)).collect())
            }
            _ => None,
        }
    }
}

struct Diff(Vec<String>);

impl Diff {
    fn check<T: PartialEq + Debug>(&mut self, what: &str, field: &str, a: T, b: T) {
        if a != b {
            self.0.push(format!("{what}: {field}: {a:?} -> {b:?}"));
        }
    }

    /// As [`Diff::check`], for addresses, flags and other numbers people read in hexadecimal.
    fn check_hex(&mut self, what: &str, field: &str, a: u64, b: u64) {
        if a != b {
            self.0.push(format!("{what}: {field}: {a:#x} -> {b:#x}"));
        }
    }

    fn check_bytes(&mut self, what: &str, a: &[u8], b: &[u8]) {
        if a.len() != b.len() {
            self.0.push(format!("{what}: {} bytes -> {} bytes", a.len(), b.len()));
        } else if let Some(at) = (0..a.len()).find(|&i| a[i] != b[i]) {
            self.0.push(format!("{what}: byte {at:#x}: {:#04x} -> {:#04x}", a[at], b[at]));
        }
    }

    /// Pairs up what has the same label; tells of the rest.
    fn pairs<'a, T>(&mut self, a: &'a [T], b: &'a [T], label: impl Fn(&T) -> String) -> Vec<(String, usize, usize)> {
        let place = |items: &[T]| -> HashMap<String, usize> {
            items.iter().enumerate().map(|(i, item)| (label(item), i)).collect()
        };
        let (in_a, in_b) = (place(a), place(b));
        let mut pairs = Vec::new();
        for (i, item) in a.iter().enumerate() {
            let label = label(item);
            match in_b.get(&label) {
                Some(&j) => pairs.push((label, i, j)),
                None => self.0.push(format!("{label}: only in the first")),
            }
        }
        for item in b {
            let label = label(item);
            if !in_a.contains_key(&label) {
                self.0.push(format!("{label}: only in the second"));
            }
        }
        pairs
    }

    fn headers(&mut self, a: &Side, b: &Side) {
        self.check_bytes("e_ident", &a.elf.bytes[..16], &b.elf.bytes[..16]);
        let fields = ["e_type", "e_machine", "e_version", "e_entry", "e_phoff", "e_flags"];
        for field in fields.into_iter().chain(["e_ehsize", "e_phentsize", "e_phnum"]) {
            self.check_hex("ELF header", field, a.elf.header(field), b.elf.header(field));
        }
        let names = |side: &Side| side.section(side.elf.shstrndx);
        self.check("ELF header", "e_shstrndx", names(a), names(b));
    }

    fn sections(&mut self, a: &Side, b: &Side) {
        let label = |s: &ReadSection| format!("section {}", s.label);
        for (what, i, j) in self.pairs(&a.elf.sections, &b.elf.sections, label) {
            let (s, t) = (&a.elf.sections[i], &b.elf.sections[j]);
            self.check_hex(&what, "sh_type", s.sh_type.into(), t.sh_type.into());
            self.check_hex(&what, "sh_flags", s.flags, t.flags);
            self.check_hex(&what, "sh_addr", s.addr, t.addr);
            self.check_hex(&what, "sh_addralign", s.addralign, t.addralign);
            self.check_hex(&what, "sh_entsize", s.entsize, t.entsize);
            if i == 0 && j == 0 {
                // The rest are counts that follow from the tables.
                continue;
            }
            self.check(&what, "sh_link", a.section(s.link), b.section(t.link));
            self.check(&what, "sh_info", a.info(s), b.info(t));
            if !a.elf.segments.is_empty() && s.flags & t.flags & SHF_ALLOC != 0 {
                // Here the place has a meaning: that of the segment.
                self.check_hex(&what, "sh_offset", s.offset, t.offset);
            }
            let (i, j) = (i as u32, j as u32);
            if let (Some(s), Some(t)) = (a.symbols.get(&i), b.symbols.get(&j)) {
                self.symbols(&what, (a, s), (b, t));
                continue;
            }
            match (a.words(i), b.words(j)) {
                (Some(s), Some(t)) => self.check(&what, "contents", s, t),
                _ => {
                    // SHT_NOBITS has no bytes, but a size.
                    if s.data.len() == t.data.len() {
                        self.check_hex(&what, "sh_size", s.size, t.size);
                    }
                    self.check_bytes(&what, &s.data, &t.data);
                }
            }
        }
    }

    fn symbols(&mut self, table: &str, a: (&Side, &[ReadSymbol]), b: (&Side, &[ReadSymbol])) {
        let pairs = self.pairs(a.1, b.1, |s| format!("{table}: symbol {}", s.label));
        if !pairs.is_sorted_by_key(|&(_, _, j)| j) {
            self.0.push(format!("{table}: order of symbols"));
        }
        for (what, i, j) in pairs {
            let (s, t) = (&a.1[i], &b.1[j]);
            self.check_hex(&what, "st_info", s.info.into(), t.info.into());
            self.check_hex(&what, "st_other", s.other.into(), t.other.into());
            self.check_hex(&what, "st_value", s.value, t.value);
            self.check_hex(&what, "st_size", s.size, t.size);
            let home = |side: &Side, symbol: &ReadSymbol| match symbol.section {
                Some(section) => side.section(section),
                None => format!("{:#x}", symbol.shndx),
            };
            self.check(&what, "st_shndx", home(a.0, s), home(b.0, t));
        }
    }

    fn segments(&mut self, a: &ReadElf, b: &ReadElf) {
        self.check("file", "number of segments", a.segments.len(), b.segments.len());
        let (in_a, in_b) = (without_tables(a, b), without_tables(b, a));
        for (i, (s, t)) in a.segments.iter().zip(&b.segments).enumerate() {
            let what = format!("segment {i}");
            self.check(&what, "header", s, t);
            let bytes =
                |file: &[u8], offset: u64, len: u64| -> Vec<u8> { file[offset as usize..][..len as usize].to_vec() };
            let (s, t) = (bytes(&in_a, s.offset, s.filesz), bytes(&in_b, t.offset, t.filesz));
            self.check_bytes(&what, &s, &t);
        }
    }
}

/// The file with 0 where only the place and number of section headers show: there, in the table, and in the other
/// file's.
fn without_tables(elf: &ReadElf, other: &ReadElf) -> Vec<u8> {
    let mut bytes = elf.bytes.clone();
    for name in ["e_shoff", "e_shnum", "e_shstrndx"] {
        crate::fields::set(elf.format, EHDR, &mut bytes, 0, name, 0);
    }
    for table in [elf, other] {
        let start = (table.header("e_shoff") as usize).min(bytes.len());
        let len = table.sections.len() * size_of(SHDR, table.format.class);
        let end = (start + len).min(bytes.len());
        bytes[start..end].fill(0);
    }
    bytes
}

fn is_symbol_table(section: &ReadSection) -> bool {
    [SHT_SYMTAB, SHT_DYNSYM].contains(&section.sh_type)
}

fn uleb128s(bytes: &[u8]) -> Vec<u32> {
    let mut values = Vec::new();
    let (mut value, mut shift) = (0, 0);
    for byte in bytes {
        value |= u32::from(byte & 0x7f) << shift;
        shift += 7;
        if byte & 0x80 == 0 {
            values.push(value);
            (value, shift) = (0, 0);
        }
    }
    assert_eq!(shift, 0, "a number without end");
    values
}
