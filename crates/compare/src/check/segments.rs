//! Program headers, and whether allocated sections are where these say.

use super::{At, Out, Rule};
use crate::reader::{Elf, has_contents};
use goblin::elf::header::ET_CORE;
use goblin::elf::program_header::{PT_LOAD, PT_NULL, ProgramHeader, pt_to_str};
use goblin::elf::section_header::{SHF_ALLOC, SHF_TLS, SHT_NOBITS, SHT_NOTE, SectionHeader};

pub(super) fn check(elf: &Elf, out: &mut Out) {
    if elf.is_object() || is_debug_file(elf) {
        return;
    }
    let mut loads: Vec<(usize, &ProgramHeader)> = Vec::new();
    for (index, segment) in elf.segments.iter().enumerate().filter(|(_, segment)| segment.p_type != PT_NULL) {
        check_segment(elf, index, segment, out);
        if segment.p_type == PT_LOAD && segment.p_memsz > 0 {
            loads.push((index, segment));
        }
    }
    loads.sort_by_key(|(_, segment)| segment.p_vaddr);
    let sound = !overlap(&loads, out);
    if sound && !loads.is_empty() && elf.header.e_type != ET_CORE {
        for (index, section) in elf.iter() {
            check_section(elf, &loads, index, section, out);
        }
    }
}

/// Separate debug files keep the program headers of the program, but not its contents.
fn is_debug_file(elf: &Elf) -> bool {
    let mut allocated =
        elf.iter().map(|(_, section)| section).filter(|s| s.sh_flags & u64::from(SHF_ALLOC) != 0).peekable();
    allocated.peek().is_some() && allocated.all(|s| matches!(s.sh_type, SHT_NOBITS | SHT_NOTE))
}

fn place(index: usize, segment: &ProgramHeader) -> String {
    format!("segment {index} ({})", pt_to_str(segment.p_type))
}

fn check_segment(elf: &Elf, index: usize, segment: &ProgramHeader, out: &mut Out) {
    let ProgramHeader { p_offset, p_vaddr, p_filesz, p_memsz, p_align, .. } = *segment;
    let at = || place(index, segment);
    if p_filesz > 0 && p_offset.checked_add(p_filesz).is_none_or(|end| end > elf.data.len() as u64) {
        let text =
            format_args!("{p_filesz:#x} bytes at offset {p_offset:#x}, the file has {:#x} bytes", elf.data.len());
        out.say(Rule::SegmentBounds, at(), text);
    }
    if p_vaddr.checked_add(p_memsz).is_none() {
        out.say(Rule::SegmentBounds, at(), format_args!("{p_memsz:#x} bytes at address {p_vaddr:#x} wrap around"));
    }
    if p_align > 1 && !p_align.is_power_of_two() {
        out.say(Rule::SegmentAlign, at(), format_args!("p_align {p_align:#x} is no power of two"));
    }
    if segment.p_type != PT_LOAD {
        return;
    }
    if p_filesz > p_memsz {
        let text = format_args!("p_filesz {p_filesz:#x} is more than p_memsz {p_memsz:#x}");
        out.say(Rule::SegmentBounds, at(), text);
    }
    if p_align > 1 && p_filesz > 0 && p_offset % p_align != p_vaddr % p_align {
        let text = format_args!("p_offset {p_offset:#x} and p_vaddr {p_vaddr:#x} differ modulo p_align {p_align:#x}");
        out.say(Rule::SegmentAlign, at(), text);
    }
}

/// Reports segments that share addresses; whether there are any. They are sorted by address.
fn overlap(loads: &[(usize, &ProgramHeader)], out: &mut Out) -> bool {
    let mut found = false;
    let mut before: Option<(usize, u64)> = None;
    for &(index, segment) in loads {
        let end = segment.p_vaddr.saturating_add(segment.p_memsz);
        if let Some((other, _)) = before.filter(|&(_, end)| segment.p_vaddr < end) {
            let text = format_args!("address {:#x} is in segment {other} too", segment.p_vaddr);
            out.say(Rule::SegmentOverlap, place(index, segment), text);
            found = true;
        }
        if before.is_none_or(|before| end > before.1) {
            before = Some((index, end));
        }
    }
    found
}

fn check_section(elf: &Elf, loads: &[(usize, &ProgramHeader)], index: u32, section: &SectionHeader, out: &mut Out) {
    let SectionHeader { sh_addr, sh_size, sh_offset, sh_flags, .. } = *section;
    // .tbss has addresses of its own.
    let thread_local = sh_flags & u64::from(SHF_TLS) != 0 && section.sh_type == SHT_NOBITS;
    if sh_flags & u64::from(SHF_ALLOC) == 0 || sh_size == 0 || thread_local {
        return;
    }
    let at = loads.partition_point(|(_, segment)| segment.p_vaddr <= sh_addr);
    let inside = |segment: &ProgramHeader| sh_size <= segment.p_memsz.saturating_sub(sh_addr - segment.p_vaddr);
    let load = at.checked_sub(1).and_then(|at| loads.get(at)).filter(|(_, segment)| inside(segment));
    let Some((number, load)) = load else {
        let text = format_args!("allocated, {sh_size:#x} bytes at address {sh_addr:#x}, but in no PT_LOAD");
        return out.say(Rule::SegmentSection, At(elf, index), text);
    };
    if !has_contents(section) {
        return;
    }
    let distance = sh_addr - load.p_vaddr;
    if load.p_offset.checked_add(distance) != Some(sh_offset) {
        let text = format_args!(
            "at offset {sh_offset:#x}, but segment {number} has address {sh_addr:#x} at offset {:#x}",
            load.p_offset.wrapping_add(distance)
        );
        out.say(Rule::SegmentSection, At(elf, index), text);
    } else if sh_size > load.p_filesz.saturating_sub(distance) {
        let text = format_args!("its contents reach beyond the p_filesz {:#x} of segment {number}", load.p_filesz);
        out.say(Rule::SegmentSection, At(elf, index), text);
    }
}
