//! Segments: what lies in them, and how a `PT_LOAD` shrinks when the sections at its end leave it.

use elfgraft_elf::consts::*;
use elfgraft_elf::{Image, ProgramHeader, SectionHeader, SectionIndex};

use crate::error::EditError;

/// New sizes of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Resized {
    /// Position in the program header table.
    pub index: usize,
    pub p_filesz: u64,
    pub p_memsz: u64,
}

/// Whether a section's bytes in the file, or for `SHT_NOBITS` its addresses, lie in some segment.
pub(crate) fn in_segment(image: &Image, index: SectionIndex) -> bool {
    image.header(index).is_ok_and(|header| {
        image.segments.iter().any(|segment| holds(segment, header))
            && (header.is_alloc() || !image.segments_are_elsewhere())
    })
}

/// Whether a section lies in one segment.
pub(crate) fn in_this(image: &Image, segment: &ProgramHeader, index: SectionIndex) -> bool {
    image.header(index).is_ok_and(|header| holds(segment, header))
}

fn holds(segment: &ProgramHeader, header: &SectionHeader) -> bool {
    let size = header.file_size();
    if size != 0 {
        let end = header.sh_offset.saturating_add(size);
        segment.p_filesz != 0 && header.sh_offset < segment.file_end() && end > segment.p_offset
    } else {
        // An empty section or SHT_NOBITS is where its address is; thread-local NOBITS occupies none in a PT_LOAD.
        header.is_alloc()
            && segment.p_type == PT_LOAD
            && header.sh_addr >= segment.p_vaddr
            && header.sh_addr.saturating_add(header.sh_size) <= segment.p_vaddr.saturating_add(segment.p_memsz)
            && segment.p_memsz != 0
    }
}

/// Refuses a file that ends within a segment, or before one begins: what is put behind its end would be in that segment, and
/// the second edit would find it there.
///
/// # Errors
/// Naming the segment.
pub(crate) fn check_ends(image: &Image) -> Result<(), EditError> {
    let beyond = |s: &ProgramHeader| s.p_filesz != 0 && s.file_end() > image.len();
    let Some((index, segment)) = image.segments.iter().enumerate().find(|(_, s)| beyond(s)) else { return Ok(()) };
    if image.segments_are_elsewhere() {
        return Ok(());
    }
    let (end, len) = (segment.file_end(), image.len());
    let why = format!("segment {index} ends at {end:#x}, the file at {len:#x}: what is added would be part of it");
    Err(EditError::Refused { why })
}

/// Which `PT_LOAD` segments shrink because the sections at their end leave: to the last section that stays, as with
/// GNU objcopy. A segment that loses its only section keeps its size, and so does one that holds
/// other bytes than zeros beyond the last section.
pub(crate) fn shrink(image: &Image, leaves: &dyn Fn(SectionIndex) -> bool) -> Vec<Resized> {
    let mut changes = Vec::new();
    for (index, segment) in image.segments.iter().enumerate().filter(|(_, s)| s.p_type == PT_LOAD) {
        let (mut stay_mem, mut stay_file, mut left_mem) = (0, 0, 0);
        for (section, header) in image.indexed().filter(|(_, h)| holds(segment, h)) {
            let mem_end = if header.is_alloc() { header.sh_addr.saturating_add(header.sh_size) } else { 0 };
            if leaves(section) {
                left_mem = left_mem.max(mem_end);
            } else {
                stay_mem = stay_mem.max(mem_end);
                if header.file_size() != 0 {
                    stay_file = stay_file.max(header.sh_offset.saturating_add(header.file_size()));
                }
            }
        }
        if left_mem <= stay_mem || stay_mem <= segment.p_vaddr {
            continue;
        }
        // The headers may be what the segment begins with.
        let tables = [
            image.format.header_size(),
            image.e_phoff.saturating_add(image.segments.len() as u64 * image.format.program_header_size()),
        ];
        for end in tables.into_iter().filter(|&end| end > segment.p_offset && end <= segment.file_end()) {
            stay_file = stay_file.max(end);
        }
        let p_memsz = stay_mem - segment.p_vaddr;
        let p_filesz = stay_file.saturating_sub(segment.p_offset).min(segment.p_filesz).min(p_memsz);
        if p_memsz < segment.p_memsz && only_leavers_beyond(image, segment, p_filesz, leaves) {
            changes.push(Resized { index, p_filesz, p_memsz });
        }
    }
    changes
}

/// Whether the bytes a segment would give up are zeros or belong to sections that leave.
fn only_leavers_beyond(
    image: &Image,
    segment: &ProgramHeader,
    p_filesz: u64,
    leaves: &dyn Fn(SectionIndex) -> bool,
) -> bool {
    let mut from = segment.p_offset.saturating_add(p_filesz);
    let mut owned: Vec<(u64, u64)> = image
        .indexed()
        .filter(|(i, h)| leaves(*i) && h.file_size() != 0)
        .map(|(_, h)| (h.sh_offset, h.sh_offset.saturating_add(h.file_size())))
        .collect();
    owned.sort_unstable();
    for (start, end) in owned.into_iter().chain([(segment.file_end(), u64::MAX)]) {
        if start > from && !is_zero(image, from, start.min(segment.file_end())) {
            return false;
        }
        from = from.max(end);
    }
    true
}

/// Whether a range of the file holds zeros only.
pub(crate) fn is_zero(image: &Image, start: u64, end: u64) -> bool {
    let range = usize::try_from(start).ok().zip(usize::try_from(end.min(image.len())).ok());
    range.and_then(|(start, end)| image.data().get(start..end)).is_none_or(|bytes| bytes.iter().all(|&b| b == 0))
}
