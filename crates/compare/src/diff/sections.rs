//! Section headers, and the members of groups.

use super::report::Out;
use super::symbols::Tables;
use super::{Change, Files, Key};
use crate::reader::{Elf, is_symbol_table};
use goblin::elf::section_header::{
    SHF_INFO_LINK, SHT_GROUP, SHT_REL, SHT_RELA, SHT_STRTAB, SHT_SYMTAB_SHNDX, SectionHeader, sht_to_str,
};
use std::fmt;

pub(super) fn compare(files: &Files, out: &mut Out) {
    let describe = |section: &SectionHeader| {
        format!("{}, {:#x} bytes, flags {}", Type(section.sh_type), section.sh_size, Flags(section.sh_flags))
    };
    for index in files.pairs.removed() {
        let text = files.a.section(index).map(describe).unwrap_or_default();
        out.say(Key::SectionRemoved, Place(&files.a, index), format_args!("removed ({text})"));
    }
    for index in files.pairs.added() {
        let text = files.b.section(index).map(describe).unwrap_or_default();
        out.say(Key::SectionAdded, Place(&files.b, index), format_args!("added ({text})"));
    }
    for (a, b) in files.pairs.iter() {
        fields(files, a, b, out);
    }
    if let (Some(x), Some(y)) = (files.a.section_0(), files.b.section_0())
        && x != y
    {
        out.say(Key::SectionNull, "section [0]", "fields of its header that mean nothing");
    }
    order(files, out);
}

/// A section in words.
pub(super) struct Place<'f, 'a>(pub &'f Elf<'a>, pub u32);

impl fmt::Display for Place<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "section {}", self.0.label(self.1))
    }
}

/// Flags as a number and as readelf's letters.
struct Flags(u64);

impl fmt::Display for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const LETTERS: [(u32, char); 12] = [
            (0, 'W'),
            (1, 'A'),
            (2, 'X'),
            (4, 'M'),
            (5, 'S'),
            (6, 'I'),
            (7, 'L'),
            (8, 'O'),
            (9, 'G'),
            (10, 'T'),
            (11, 'C'),
            (31, 'E'),
        ];
        write!(f, "{:#x}", self.0)?;
        let letters: String = LETTERS.iter().filter(|(bit, _)| self.0 >> bit & 1 == 1).map(|(_, l)| l).collect();
        if letters.is_empty() { Ok(()) } else { write!(f, " ({letters})") }
    }
}

fn fields(files: &Files, a: u32, b: u32, out: &mut Out) {
    let (Some(x), Some(y)) = (files.a.section(a), files.b.section(b)) else { return };
    let place = Place(&files.a, a);
    if x.sh_type != y.sh_type {
        let text = format_args!("sh_type {} -> {}", Type(x.sh_type), Type(y.sh_type));
        out.say(Key::SectionType, &place, text);
    }
    if x.sh_flags != y.sh_flags {
        out.say(Key::SectionFlags, &place, format_args!("sh_flags {} -> {}", Flags(x.sh_flags), Flags(y.sh_flags)));
    }
    let same_type = x.sh_type == y.sh_type;
    let size = if same_type && is_table(x) {
        // Bytes that make no whole entry are no part of any finding about entries.
        let entry = |elf: &Elf| elf.entry_size(x.sh_type).unwrap_or(1);
        (x.sh_size % entry(&files.a), y.sh_size % entry(&files.b))
    } else {
        (x.sh_size, y.sh_size)
    };
    let numbers = [
        (Key::SectionAddr, "sh_addr", x.sh_addr, y.sh_addr),
        (Key::SectionAlign, "sh_addralign", x.sh_addralign.max(1), y.sh_addralign.max(1)),
        (Key::SectionEntsize, "sh_entsize", x.sh_entsize, y.sh_entsize),
    ];
    for (key, name, x, y) in numbers {
        if x != y {
            out.say(key, &place, format_args!("{name} {}", Change(x, y)));
        }
    }
    if size.0 != size.1 {
        out.say(Key::SectionSize, &place, format_args!("sh_size {}", Change(x.sh_size, y.sh_size)));
    }
    if !files.same_section(x.sh_link, y.sh_link) {
        let text = format_args!("sh_link {} -> {}", files.a.label(x.sh_link), files.b.label(y.sh_link));
        out.say(Key::SectionLink, &place, text);
    }
    info(files, (a, x), (b, y), out);
    if same_type && x.sh_type == SHT_GROUP {
        group(files, a, b, out);
    }
    if x.sh_offset != y.sh_offset {
        out.say(Key::Moved, &place, format_args!("sh_offset {}", Change(x.sh_offset, y.sh_offset)));
    }
}

/// `SHT_PROGBITS`, or the number.
struct Type(u32);

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match sht_to_str(self.0) {
            "UNKNOWN_SHT" => write!(f, "{:#x}", self.0),
            name => f.write_str(name),
        }
    }
}

/// Whether other findings tell what the size would: about entries, or about a string table.
fn is_table(section: &SectionHeader) -> bool {
    let types = [SHT_REL, SHT_RELA, SHT_GROUP, SHT_SYMTAB_SHNDX, SHT_STRTAB];
    is_symbol_table(section) || types.contains(&section.sh_type)
}

fn info(files: &Files, (a, x): (u32, &SectionHeader), (b, y): (u32, &SectionHeader), out: &mut Out) {
    let place = Place(&files.a, a);
    let is_section =
        |s: &SectionHeader| matches!(s.sh_type, SHT_REL | SHT_RELA) || s.sh_flags & u64::from(SHF_INFO_LINK) != 0;
    if is_section(x) && is_section(y) {
        if !files.same_section(x.sh_info, y.sh_info) {
            let text = format_args!("sh_info {} -> {}", files.a.label(x.sh_info), files.b.label(y.sh_info));
            out.say(Key::SectionInfo, place, text);
        }
        return;
    }
    if x.sh_type == SHT_GROUP
        && y.sh_type == SHT_GROUP
        && let Some(tables) = Tables::new(files, x.sh_link, y.sh_link)
    {
        if !tables.same(x.sh_info, y.sh_info) {
            let text = format_args!("sh_info {} -> {}", tables.label_a(x.sh_info), tables.label_b(y.sh_info));
            out.say(Key::SectionInfo, place, text);
        }
        return;
    }
    let right = is_first_global(&files.a, a, x.sh_info) && is_first_global(&files.b, b, y.sh_info);
    if x.sh_info != y.sh_info && !right {
        out.say(Key::SectionInfo, place, format_args!("sh_info {}", Change(x.sh_info, y.sh_info)));
    }
}

/// Whether the section is a symbol table and this the index behind its last local symbol, as it must be.
fn is_first_global(elf: &Elf, table: u32, index: u32) -> bool {
    let Some(symbols) = elf.symbols(table) else { return false };
    let global = |index| symbols.get(index).is_none_or(|symbol| !symbol.is_local());
    index <= symbols.len() && global(index) && index.checked_sub(1).is_some_and(|before| !global(before))
}

fn group(files: &Files, a: u32, b: u32, out: &mut Out) {
    let place = Place(&files.a, a);
    let (Some((flags_a, in_a)), Some((flags_b, in_b))) = (members(&files.a, a), members(&files.b, b)) else {
        if files.a.contents(a) != files.b.contents(b) {
            out.say(Key::Group, place, "not both have members that can be read");
        }
        return;
    };
    if flags_a != flags_b {
        out.say(Key::Group, &place, format_args!("flags {}", Change(flags_a, flags_b)));
    }
    if in_a.len() == in_b.len() && in_a.iter().zip(&in_b).all(|(&x, &y)| files.same_section(x, y)) {
        return;
    }
    let mut gone: Vec<u32> = in_a.iter().filter_map(|&x| files.pairs.in_b(x)).collect();
    gone.sort_unstable();
    let mut there = in_b.clone();
    there.sort_unstable();
    let mut said = false;
    for &x in &in_a {
        if files.pairs.in_b(x).is_none_or(|y| there.binary_search(&y).is_err()) {
            out.say(Key::Group, &place, format_args!("member {} removed", files.a.label(x)));
            said = true;
        }
    }
    for &y in in_b.iter().filter(|y| gone.binary_search(y).is_err()) {
        out.say(Key::Group, &place, format_args!("member {} added", files.b.label(y)));
        said = true;
    }
    if !said {
        out.say(Key::Group, &place, "members in another order, or not as often");
    }
}

/// Flags and members of a group.
pub(crate) fn members(elf: &Elf, index: u32) -> Option<(u32, Vec<u32>)> {
    let contents = elf.contents(index)?;
    let mut words = contents.chunks_exact(4).filter_map(|word| elf.endian().u32_at(word, 0));
    Some((words.next()?, words.collect()))
}

/// The order of the sections both files have, in the header table.
fn order(files: &Files, out: &mut Out) {
    let mut last = 0;
    for (a, b) in files.pairs.iter() {
        if b < last {
            let text = format_args!("order of section headers: index {a} -> {b}, before sections it followed");
            out.say(Key::Moved, Place(&files.a, a), text);
            return;
        }
        last = b;
    }
}
