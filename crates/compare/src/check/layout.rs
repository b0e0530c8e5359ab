//! What is where in the file: nothing beyond its end, nothing twice.

use super::{At, Out, Rule};
use crate::layout::{Owner, Range};
use crate::reader::{Elf, has_contents};
use goblin::elf::section_header::{SHT_NOBITS, SHT_NULL, SectionHeader};
use std::collections::HashSet;

/// Reports what is wrong; the sections that share bytes with something. All others are disjoint.
pub(super) fn check(elf: &Elf, ranges: &[Range], out: &mut Out) -> HashSet<u32> {
    for (index, section) in elf.iter().filter(|(_, section)| has_contents(section)) {
        if elf.contents(index).is_none() {
            let (offset, size, len) = (section.sh_offset, section.sh_size, elf.data.len());
            let text = format_args!("{size} bytes at offset {offset:#x}, the file has {len} bytes");
            out.say(Rule::SectionBounds, At(elf, index), text);
        }
    }
    // The kernel looks at the offsets of empty sections, too, and refuses the module.
    let empty = |section: &SectionHeader| section.sh_size == 0 && !matches!(section.sh_type, SHT_NOBITS | SHT_NULL);
    for (index, section) in elf.iter().filter(|(_, section)| elf.is_object() && empty(section)) {
        let (offset, len) = (section.sh_offset, elf.data.len());
        if offset > len as u64 {
            let text = format_args!("no bytes, but at offset {offset:#x}, the file has {len} bytes");
            out.say(Rule::SectionBounds, At(elf, index), text);
        }
    }
    let mut shared = HashSet::new();
    let mut before: Option<&Range> = None;
    for range in ranges {
        if let Some(before) = before.filter(|before| range.start < before.end) {
            let bytes = before.end.min(range.end) - range.start;
            let text =
                format_args!("shares {bytes} bytes at offset {:#x} with {}", range.start, before.owner.label(elf));
            out.say(Rule::SectionOverlap, range.owner.label(elf), text);
            for owner in [before.owner, range.owner] {
                if let Owner::Section(index) = owner {
                    shared.insert(index);
                }
            }
        }
        // Ranges are sorted by start: whatever overlaps any of them overlaps the one that ends last.
        if before.is_none_or(|before| range.end > before.end) {
            before = Some(range);
        }
    }
    shared
}
