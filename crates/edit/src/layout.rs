//! Slots -> offsets: what moves, and where to.
//!
//! ```text
//!   | fixed zone: ELF header, program headers, segments | chunk | chunk | .shstrtab | NEW | header table | end |
//! ```
//! A section that lies in the fixed zone stays there; when it must grow or leave, its contents join the new ones. New
//! contents go in front of the section header table, in the order of their slots.

use elfgraft_elf::{Image, SectionHeader, SectionIndex};
use elfgraft_patch::Op;

use crate::chunks::{Chunk, Owner, chunks};
use crate::error::EditError;
use crate::fixed::Fixed;
use crate::gap::{MOST_PADDING, align_up, aligned, is_packed, moved, too_far, too_much_padding};
use crate::resolve::{Contents, Slot};
use crate::segments::{self, Resized};

/// The result's offsets.
#[derive(Debug, Default)]
pub(crate) struct Layout {
    /// `sh_offset` by slot.
    pub offsets: Vec<u64>,
    /// Where the section header table goes.
    pub e_shoff: u64,
    /// New segment sizes.
    pub segments: Vec<Resized>,
    /// The fixed zone: kept bytes `0..fixed_end` of the input, but for `fixed_edits`.
    pub fixed_end: u64,
    /// Ranges of the fixed zone that get other bytes.
    pub fixed_edits: Vec<FixedEdit>,
    /// What stands behind the fixed zone, in order of offset.
    pub placed: Vec<Placed>,
    /// Size of the result.
    pub len: u64,
}

/// Other bytes for a range of the fixed zone.
#[derive(Debug)]
pub(crate) enum FixedEdit {
    /// What a removed section leaves behind.
    Zero { start: u64, end: u64 },
    /// A section's new contents, from its old offset on.
    Contents { slot: usize },
    /// The new section header table, over the old one.
    Headers,
}

/// Something behind the fixed zone.
#[derive(Debug)]
pub(crate) struct Placed {
    pub at: u64,
    pub what: What,
}

/// What it is.
#[derive(Debug)]
pub(crate) enum What {
    /// A range of the input.
    Kept { from: u64, len: u64 },
    /// The contents of a slot.
    Contents { slot: usize },
    /// The section header table.
    Headers,
}

/// Size in bytes of a slot's contents in the file.
pub(crate) fn content_size(slot: &Slot) -> u64 {
    match &slot.contents {
        Contents::Kept => slot.header.file_size(),
        Contents::New(parts) => parts.iter().map(Op::size).sum(),
    }
}

pub(crate) fn headers_size(image: &Image, sections: usize) -> u64 {
    sections as u64 * image.format.section_header_size()
}

/// Whether every section keeps its place and size, so that nothing can move.
fn keeps_shape(image: &Image, slots: &[Slot]) -> bool {
    slots.len() == image.sections.len()
        && (0u32..).zip(slots).zip(&image.sections).all(|((index, slot), old)| {
            slot.from == Some(SectionIndex(index))
                && !slot.leaves
                && slot.header.align() == old.align()
                && content_size(slot) == old.file_size()
        })
}

/// The layout of a result in which nothing moves: nothing is read but the sections that change.
fn same_shape(image: &Image, slots: &[Slot]) -> Result<Layout, EditError> {
    let offsets = slots.iter().map(|s| s.header.sh_offset).collect();
    let (fixed_end, len) = (image.len(), image.len());
    let mut layout = Layout { offsets, e_shoff: image.e_shoff, fixed_end, len, ..Layout::default() };
    for (at, slot) in slots.iter().enumerate().filter(|(_, s)| matches!(s.contents, Contents::New(_))) {
        let Some(index) = slot.from else { continue };
        image.contents(index)?;
        layout.fixed_edits.push(FixedEdit::Contents { slot: at });
    }
    check_shared(image, slots)?;
    if slots.iter().zip(&image.sections).any(|(slot, old)| slot.header != *old) {
        layout.fixed_edits.push(FixedEdit::Headers);
    }
    Ok(layout)
}

/// Sections that share bytes stay where they are towards each other, so none of them can get other contents.
fn check_shared(image: &Image, slots: &[Slot]) -> Result<(), EditError> {
    let mut is_new = vec![false; image.sections.len()];
    let new = slots.iter().filter(|s| matches!(s.contents, Contents::New(_))).filter_map(|s| s.from);
    new.for_each(|index| is_new[index.get()] = true);
    if !is_new.contains(&true) {
        return Ok(());
    }
    let mut ranges: Vec<(u64, u64, SectionIndex)> = image
        .indexed()
        .filter(|(_, h)| h.file_size() != 0)
        .map(|(index, h)| (h.sh_offset, h.sh_offset.saturating_add(h.file_size()), index))
        .collect();
    ranges.sort_unstable();
    // What begins before, or where, this section begins, and ends last.
    let mut before: Option<(u64, SectionIndex)> = None;
    for (at, &(start, end, index)) in ranges.iter().enumerate() {
        let next = ranges.get(at + 1).filter(|next| next.0 < end).map(|next| next.2);
        let other = before.filter(|&(reach, _)| reach > start).map(|(_, other)| other).or(next);
        if let Some(other) = other.filter(|_| is_new[index.get()]) {
            let (section, other) = (image.describe(index), image.describe(other));
            let why =
                format!("section {section} shares bytes of the file with {other}; its contents cannot change alone");
            return Err(EditError::Refused { why });
        }
        if before.is_none_or(|(reach, _)| end > reach) {
            before = Some((end, index));
        }
    }
    Ok(())
}

/// Decides every offset. Pure bookkeeping: refusals that need understanding have happened before.
pub(crate) fn layout(image: &Image, slots: &[Slot]) -> Result<Layout, EditError> {
    check_headers(image, slots)?;
    if keeps_shape(image, slots) {
        return same_shape(image, slots);
    }
    segments::check_ends(image)?;
    let by_section = {
        let mut by_section = vec![None; image.sections.len()];
        for (at, slot) in slots.iter().enumerate() {
            if let Some(from) = slot.from {
                by_section[from.get()] = Some(at);
            }
        }
        by_section
    };
    let slot_of = |index: SectionIndex| by_section.get(index.get()).copied().flatten();
    let leaves = |index: SectionIndex| slot_of(index).is_none_or(|at| slots[at].leaves);

    let mut layout = Layout { segments: segments::shrink(image, &leaves), ..Layout::default() };
    layout.offsets = slots.iter().map(|s| s.header.sh_offset).collect();
    let changes = |index: SectionIndex, header: &SectionHeader| match slot_of(index) {
        None => header.has_contents() && (!header.is_alloc() || image.segments.is_empty()),
        Some(at) => content_size(&slots[at]) != 0,
    };
    let rewritten =
        |index: SectionIndex| slot_of(index).is_none_or(|at| matches!(slots[at].contents, Contents::New(_)));
    let (old_fixed, chunks) = chunks(image, &changes, &rewritten)?;
    check_shared(image, slots)?;
    let mut fixed = Fixed { image, slots, end: old_fixed, layout: &mut layout, moves: Vec::new(), headers_move: false };
    fixed.decide(&slot_of)?;
    let Fixed { moves, headers_move, .. } = fixed;

    let mut old_end = old_fixed;
    let mut new_end = layout.fixed_end;
    let incoming: Vec<usize> =
        moves.into_iter().chain((0..slots.len()).filter(|&at| slots[at].from.is_none())).collect();
    let has_headers = chunks.iter().any(|c| c.owner == Owner::Headers);
    for chunk in &chunks {
        if chunk.owner == if has_headers { Owner::Headers } else { Owner::End } {
            for &slot in &incoming {
                let at = aligned(new_end, slots[slot].header.align())?;
                new_end =
                    place(&mut layout, at, content_size(&slots[slot]), What::Contents { slot }).ok_or_else(too_far)?;
                layout.offsets[slot] = at;
            }
            if headers_move {
                let at = aligned(new_end, image.format.table_align())?;
                new_end =
                    place(&mut layout, at, headers_size(image, slots.len()), What::Headers).ok_or_else(too_far)?;
                layout.e_shoff = at;
            }
        }
        let (align, size, what) = match chunk.owner {
            Owner::Section(index) => {
                let Some(slot) = survivor(chunk, index, &slot_of) else {
                    old_end = chunk.end;
                    continue;
                };
                let kept = matches!(slots[slot].contents, Contents::Kept) || slots[slot].from != Some(index);
                let align = if slots[slot].from == Some(index) { slots[slot].header.align() } else { chunk.align };
                if kept {
                    (align, chunk.kept_size(), chunk.kept())
                } else {
                    (align, content_size(&slots[slot]), What::Contents { slot })
                }
            }
            Owner::Headers => (chunk.align, headers_size(image, slots.len()), What::Headers),
            Owner::Nobody | Owner::End => (chunk.align, chunk.kept_size(), chunk.kept()),
        };
        let mut at = moved(old_end, chunk.start, chunk.align, new_end).ok_or_else(too_far)?;
        if align != chunk.align && (is_packed(old_end, chunk.start, chunk.align) || at % align != 0) {
            at = align_up(new_end, align).ok_or_else(too_far)?;
        }
        if at - new_end > MOST_PADDING.max(chunk.start.saturating_sub(old_end)) {
            return Err(too_much_padding(at - new_end, align.max(chunk.align)));
        }
        match chunk.owner {
            Owner::Section(index) => slot_of(index).into_iter().for_each(|slot| layout.offsets[slot] = at),
            Owner::Headers => layout.e_shoff = at,
            Owner::End => layout.len = at,
            Owner::Nobody => {}
        }
        for shared in chunk.shared_by.iter().chain(&chunk.inside).filter_map(|&i| slot_of(i)) {
            let offset =
                slots[shared].header.sh_offset.checked_sub(chunk.start).and_then(|within| within.checked_add(at));
            layout.offsets[shared] = offset.ok_or_else(too_far)?;
        }
        new_end = place(&mut layout, at, size, what).ok_or_else(too_far)?;
        old_end = chunk.end;
    }
    for (offset, slot) in layout.offsets.iter_mut().zip(slots) {
        let empty = content_size(slot) == 0 && slot.header.has_contents();
        if empty && *offset > layout.len && slot.header.sh_offset <= image.len() {
            // Not a place between others; in the file, at least.
            *offset = layout.len;
        }
    }
    Ok(layout)
}

fn place(layout: &mut Layout, at: u64, size: u64, what: What) -> Option<u64> {
    layout.placed.push(Placed { at, what });
    at.checked_add(size)
}

/// Some section of the chunk that stays: the owner if it does.
fn survivor(chunk: &Chunk, owner: SectionIndex, slot_of: &dyn Fn(SectionIndex) -> Option<usize>) -> Option<usize> {
    slot_of(owner).or_else(|| chunk.shared_by.iter().find_map(|&i| slot_of(i)))
}

/// No section that gets new contents holds headers: they would be the contents, or those the headers.
fn check_headers(image: &Image, slots: &[Slot]) -> Result<(), EditError> {
    let format = &image.format;
    let table = |offset: u64, count: usize, size: u64| (offset, offset.saturating_add(count as u64 * size));
    let headers = [
        ("the ELF header", (0, format.header_size())),
        ("the program headers", table(image.e_phoff, image.segments.len(), format.program_header_size())),
        ("the section headers", table(image.e_shoff, image.sections.len(), format.section_header_size())),
    ];
    for index in slots.iter().filter(|slot| matches!(slot.contents, Contents::New(_))).filter_map(|slot| slot.from) {
        let Some(header) = image.sections.get(index.get()) else { continue };
        let (start, end) = (header.sh_offset, header.sh_offset.saturating_add(header.file_size()));
        if let Some((what, _)) = headers.iter().find(|(_, (first, last))| start.max(*first) < end.min(*last)) {
            let section = image.describe(index);
            let why = format!("section {section} shares bytes of the file with {what}; its contents cannot change");
            return Err(EditError::Refused { why });
        }
    }
    Ok(())
}
