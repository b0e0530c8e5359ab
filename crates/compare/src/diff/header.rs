//! ELF header and program headers.

use super::report::Out;
use super::{Change, Files, Key};
use goblin::elf::header::Header;
use goblin::elf::program_header::{ProgramHeader, pt_to_str};
use std::collections::{HashMap, VecDeque};
use std::fmt;

pub(super) fn compare(files: &Files, out: &mut Out) {
    let (a, b) = (&files.a.header, &files.b.header);
    for ((name, x), (_, y)) in fields(a).into_iter().zip(fields(b)) {
        if x != y {
            out.say(Key::Header, "ELF header", format_args!("{name} {}", Change(x, y)));
        }
    }
    let (x, y) = (files.a.shstrndx, files.b.shstrndx);
    if !files.same_section(x, y) {
        let text = format_args!("e_shstrndx {} -> {}", files.a.label(x), files.b.label(y));
        out.say(Key::Header, "ELF header", text);
    }
    for (table, x, y) in
        [("section header table", a.e_shoff, b.e_shoff), ("program header table", a.e_phoff, b.e_phoff)]
    {
        if x != y {
            out.say(Key::Moved, table, Change(x, y));
        }
    }
    segments(&files.a.segments, &files.b.segments, out);
}

/// All fields but the places and numbers of tables, which are told by what is in these.
fn fields(header: &Header) -> [(&'static str, u64); 14] {
    let [_, _, _, _, class, data, version, osabi, abiversion, p0, p1, p2, p3, p4, p5, p6] = header.e_ident;
    [
        ("EI_CLASS", u64::from(class)),
        ("EI_DATA", u64::from(data)),
        ("EI_VERSION", u64::from(version)),
        ("EI_OSABI", u64::from(osabi)),
        ("EI_ABIVERSION", u64::from(abiversion)),
        ("EI_PAD", u64::from_be_bytes([0, p0, p1, p2, p3, p4, p5, p6])),
        ("e_type", u64::from(header.e_type)),
        ("e_machine", u64::from(header.e_machine)),
        ("e_version", u64::from(header.e_version)),
        ("e_entry", header.e_entry),
        ("e_flags", u64::from(header.e_flags)),
        ("e_ehsize", u64::from(header.e_ehsize)),
        ("e_phentsize", u64::from(header.e_phentsize)),
        ("e_shentsize", u64::from(header.e_shentsize)),
    ]
}

/// A program header in words.
struct Segment(usize, u32);

impl fmt::Display for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "segment {} ({})", self.0, pt_to_str(self.1))
    }
}

fn segments(a: &[ProgramHeader], b: &[ProgramHeader], out: &mut Out) {
    let mut pairs = pairs(a, b);
    pairs.sort_unstable();
    let (in_b, in_a): (HashMap<_, _>, HashMap<_, _>) = pairs.iter().map(|&(x, y)| ((x, y), (y, x))).unzip();
    for (index, x) in a.iter().enumerate() {
        match in_b.get(&index).and_then(|&y| b.get(y)) {
            Some(y) => segment(&Segment(index, x.p_type), x, y, out),
            None => out.say(Key::SegmentRemoved, Segment(index, x.p_type), format_args!("removed ({})", Extent(x))),
        }
    }
    for (index, y) in b.iter().enumerate().filter(|(index, _)| !in_a.contains_key(index)) {
        out.say(Key::SegmentAdded, Segment(index, y.p_type), format_args!("added ({})", Extent(y)));
    }
    if !pairs.is_sorted_by_key(|&(_, y)| y) {
        out.say(Key::Moved, "program header table", "entries in another order");
    }
}

/// Segments of one type and address belong together, then those of one type, in their order.
fn pairs(a: &[ProgramHeader], b: &[ProgramHeader]) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut left: Vec<usize> = (0..a.len()).collect();
    let mut free = vec![true; b.len()];
    for by_address in [true, false] {
        let key = |segment: &ProgramHeader| (segment.p_type, if by_address { segment.p_vaddr } else { 0 });
        let mut waiting: HashMap<_, VecDeque<usize>> = HashMap::new();
        for ((index, segment), _) in b.iter().enumerate().zip(&free).filter(|(_, free)| **free) {
            waiting.entry(key(segment)).or_default().push_back(index);
        }
        left.retain(|&index| {
            let other = a.get(index).and_then(|segment| waiting.get_mut(&key(segment))?.pop_front());
            if let Some(other) = other {
                found.push((index, other));
            }
            other.is_none()
        });
        for &(_, other) in &found {
            if let Some(free) = free.get_mut(other) {
                *free = false;
            }
        }
    }
    found
}

fn segment(place: &Segment, a: &ProgramHeader, b: &ProgramHeader, out: &mut Out) {
    let fields = [
        ("p_flags", u64::from(a.p_flags), u64::from(b.p_flags)),
        ("p_vaddr", a.p_vaddr, b.p_vaddr),
        ("p_paddr", a.p_paddr, b.p_paddr),
        ("p_filesz", a.p_filesz, b.p_filesz),
        ("p_memsz", a.p_memsz, b.p_memsz),
        ("p_align", a.p_align, b.p_align),
    ];
    for (name, x, y) in fields {
        if x != y {
            out.say(Key::Segment, place, format_args!("{name} {}", Change(x, y)));
        }
    }
    if a.p_offset != b.p_offset {
        out.say(Key::Moved, place, format_args!("p_offset {}", Change(a.p_offset, b.p_offset)));
    }
}

/// What a segment covers.
struct Extent<'a>(&'a ProgramHeader);

impl fmt::Display for Extent<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ProgramHeader { p_vaddr, p_memsz, p_offset, p_filesz, .. } = self.0;
        write!(f, "{p_memsz:#x} bytes at address {p_vaddr:#x}, {p_filesz:#x} bytes at offset {p_offset:#x}")
    }
}
