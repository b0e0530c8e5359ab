//! Who owns which bytes of a file.

use crate::reader::{Elf, Label, has_contents};
use goblin::elf::program_header::ProgramHeader;
use goblin::elf::section_header::SectionHeader;
use std::fmt;

/// A part of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Owner {
    Header,
    Segments,
    Sections,
    Section(u32),
}

impl Owner {
    /// The part in words.
    pub fn label<'a>(self, elf: &Elf<'a>) -> OwnerLabel<'a> {
        OwnerLabel(self, if let Owner::Section(index) = self { Some(elf.label(index)) } else { None })
    }
}

pub(crate) struct OwnerLabel<'a>(Owner, Option<Label<'a>>);

impl fmt::Display for OwnerLabel<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0, &self.1) {
            (_, Some(label)) => write!(f, "section {label}"),
            (Owner::Header, _) => f.write_str("ELF header"),
            (Owner::Segments, _) => f.write_str("program header table"),
            _ => f.write_str("section header table"),
        }
    }
}

/// A part and where it is: not empty, and inside the file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Range {
    pub start: usize,
    pub end: usize,
    pub owner: Owner,
}

/// All parts by ascending start. Those that reach beyond the file are left out.
pub(crate) fn ranges(elf: &Elf) -> Vec<Range> {
    let mut ranges = Vec::new();
    let mut add = |owner, start: u64, len: Option<u64>| {
        let end = len.and_then(|len| start.checked_add(len)).filter(|&end| end <= elf.data.len() as u64);
        if let (Ok(start), Some(Ok(end))) = (usize::try_from(start), end.map(usize::try_from))
            && start < end
        {
            ranges.push(Range { start, end, owner });
        }
    };
    add(Owner::Header, 0, Some(if elf.is_64() { 64 } else { 52 }));
    let (phdr, shdr) = if elf.is_64() { (56, 64) } else { (32, 40) };
    add(Owner::Segments, elf.header.e_phoff, (elf.segments.len() as u64).checked_mul(phdr));
    add(Owner::Sections, elf.header.e_shoff, (elf.sections.len() as u64).checked_mul(shdr));
    for (index, section) in elf.iter().filter(|(_, section)| has_contents(section)) {
        let SectionHeader { sh_offset, sh_size, .. } = *section;
        add(Owner::Section(index), sh_offset, Some(sh_size));
    }
    ranges.sort_by_key(|range| (range.start, range.end));
    ranges
}

/// What lies behind everything, such as a module signature.
pub(crate) fn trailer<'a>(elf: &Elf<'a>, ranges: &[Range]) -> &'a [u8] {
    let of_parts = ranges.iter().map(|range| range.end);
    let of_segments = elf.segments.iter().filter_map(|&ProgramHeader { p_offset, p_filesz, .. }| {
        usize::try_from(p_offset.checked_add(p_filesz)?).ok().filter(|&end| end <= elf.data.len())
    });
    let end = of_parts.chain(of_segments).max().unwrap_or_default();
    elf.data.get(end..).unwrap_or_default()
}

/// Bytes between the parts, behind which part each is, without zeros at either end; none that are all zero.
pub(crate) fn gaps<'a>(elf: &Elf<'a>, ranges: &[Range]) -> Vec<(Owner, &'a [u8])> {
    let end = elf.data.len() - trailer(elf, ranges).len();
    let mut gaps = Vec::new();
    let mut before = (Owner::Header, 0);
    let ends = ranges.iter().map(|range| (range.start, range.end, range.owner));
    for (start, next, owner) in ends.chain([(end, end, Owner::Header)]) {
        let gap = trim(elf.data.get(before.1..start).unwrap_or_default());
        if !gap.is_empty() {
            gaps.push((before.0, gap));
        }
        if next > before.1 {
            before = (owner, next);
        }
    }
    gaps
}

fn trim(bytes: &[u8]) -> &[u8] {
    let start = bytes.iter().position(|&byte| byte != 0).unwrap_or(bytes.len());
    let end = bytes.iter().rposition(|&byte| byte != 0).map_or(start, |last| last + 1);
    bytes.get(start..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use elfgraft_testkit::consts::ET_REL;
    use elfgraft_testkit::elf::{ElfSpec, Section};
    use elfgraft_testkit::format::Format;

    #[test]
    fn gaps_and_trailer_are_what_nobody_owns() {
        for format in Format::FOUR {
            let spec = ElfSpec::new(format, ET_REL)
                .section(Section::progbits("a", 0, "aaaa"))
                .section(Section::progbits("b", 0, "bbbb").gap([0, 1, 0, 2, 0, 0]))
                .section(Section::progbits("c", 0, "cccc").gap([0; 9]));
            let mut spec = spec.trailer("behind");
            spec.table_gap = vec![9];
            let file = spec.build();
            let elf = Elf::parse(&file).unwrap();
            let ranges = ranges(&elf);
            assert!(ranges.is_sorted_by_key(|range| range.end), "{ranges:?}");
            assert_eq!(trailer(&elf, &ranges), b"behind");
            let want: [(Owner, &[u8]); 2] = [(Owner::Section(1), &[1, 0, 2]), (Owner::Section(4), &[9])];
            assert_eq!(gaps(&elf, &ranges), want);
        }
    }
}
