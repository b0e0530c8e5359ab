//! Slots -> offsets: what moves, and where to.
//!
//! ```text
//!   | fixed zone: ELF header, program headers, segments | chunk | chunk | .shstrtab | NEW | header table | end |
//! ```
//! A section that lies in the fixed zone stays there; when it must grow or leave, its contents join the new ones. New
//! contents go in front of the section header table, in the order of their slots.

use elfgraft_elf::consts::*;
use elfgraft_elf::{Image, SectionHeader, SectionIndex};
use elfgraft_patch::Op;

use crate::error::EditError;
use crate::gap::{align_up, is_packed, moved};
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

/// Bytes of the input behind the fixed zone that move as one.
#[derive(Debug)]
struct Chunk {
    start: u64,
    end: u64,
    align: u64,
    owner: Owner,
    /// Sections that share these bytes with the owner.
    shared_by: Vec<SectionIndex>,
}

impl Chunk {
    fn kept_size(&self) -> u64 {
        self.end - self.start
    }

    fn kept(&self) -> What {
        What::Kept { from: self.start, len: self.kept_size() }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owner {
    Section(SectionIndex),
    Headers,
    /// Bytes of no section, not all zero.
    Nobody,
    /// The end of the file.
    End,
}

/// Size in bytes of a slot's contents in the file.
pub(crate) fn content_size(slot: &Slot) -> u64 {
    match &slot.contents {
        Contents::Kept => slot.header.file_size(),
        Contents::New(parts) => parts.iter().map(Op::size).sum(),
    }
}

fn headers_size(image: &Image, sections: usize) -> u64 {
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
        let range = |h: &SectionHeader| h.sh_offset..h.sh_offset.saturating_add(h.file_size());
        image.contents(index)?;
        let mine = range(&slot.header);
        let shares = |(_, h): &(_, &SectionHeader)| range(h).start.max(mine.start) < range(h).end.min(mine.end);
        if let Some((other, _)) = image.indexed().filter(|(i, _)| *i != index).find(shares) {
            return Err(shares_bytes(image, index, other));
        }
        layout.fixed_edits.push(FixedEdit::Contents { slot: at });
    }
    if slots.iter().zip(&image.sections).any(|(slot, old)| slot.header != *old) {
        layout.fixed_edits.push(FixedEdit::Headers);
    }
    Ok(layout)
}

/// Decides every offset. Pure bookkeeping: refusals that need understanding have happened before.
pub(crate) fn layout(image: &Image, slots: &[Slot]) -> Result<Layout, EditError> {
    if keeps_shape(image, slots) {
        return same_shape(image, slots);
    }
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
        None => header.sh_type != SHT_NOBITS && (!header.is_alloc() || image.segments.is_empty()),
        Some(at) => content_size(&slots[at]) != 0,
    };
    let (old_fixed, chunks) = chunks(image, &changes)?;
    let mut fixed = Fixed { image, slots, end: old_fixed, layout: &mut layout, moves: Vec::new(), headers_move: false };
    fixed.decide(&slot_of)?;
    let Fixed { moves, headers_move, .. } = fixed;

    let mut old_end = old_fixed;
    let mut new_end = layout.fixed_end;
    let incoming: Vec<usize> =
        moves.into_iter().chain((0..slots.len()).filter(|&at| slots[at].from.is_none())).collect();
    let has_headers = chunks.iter().any(|c| c.owner == Owner::Headers);
    let too_far = || EditError::Refused { why: "the result would be larger than 2^64 bytes".into() };
    for chunk in &chunks {
        if chunk.owner == if has_headers { Owner::Headers } else { Owner::End } {
            for &slot in &incoming {
                let at = align_up(new_end, slots[slot].header.align()).ok_or_else(too_far)?;
                new_end =
                    place(&mut layout, at, content_size(&slots[slot]), What::Contents { slot }).ok_or_else(too_far)?;
                layout.offsets[slot] = at;
            }
            if headers_move {
                let at = align_up(new_end, image.format.table_align()).ok_or_else(too_far)?;
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
                check_shared(image, slots, chunk, index, &slot_of)?;
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
        match chunk.owner {
            Owner::Section(index) => slot_of(index).into_iter().for_each(|slot| layout.offsets[slot] = at),
            Owner::Headers => layout.e_shoff = at,
            Owner::End => layout.len = at,
            Owner::Nobody => {}
        }
        for shared in chunk.shared_by.iter().filter_map(|&i| slot_of(i)) {
            layout.offsets[shared] = slots[shared].header.sh_offset - chunk.start + at;
        }
        new_end = place(&mut layout, at, size, what).ok_or_else(too_far)?;
        old_end = chunk.end;
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

/// Sections that share bytes stay where they are towards each other, so none of them can get other contents.
fn check_shared(
    image: &Image,
    slots: &[Slot],
    chunk: &Chunk,
    owner: SectionIndex,
    slot_of: &dyn Fn(SectionIndex) -> Option<usize>,
) -> Result<(), EditError> {
    let Some(&other) = chunk.shared_by.first() else { return Ok(()) };
    for &index in [owner].iter().chain(&chunk.shared_by) {
        if slot_of(index).is_some_and(|at| matches!(slots[at].contents, Contents::New(_))) {
            return Err(shares_bytes(image, index, if index == owner { other } else { owner }));
        }
    }
    Ok(())
}

fn shares_bytes(image: &Image, index: SectionIndex, other: SectionIndex) -> EditError {
    let (section, other) = (image.describe(index), image.describe(other));
    EditError::Refused {
        why: format!("section {section} shares bytes of the file with {other}; its contents cannot change alone"),
    }
}

/// The end of the fixed zone of the input, and the chunks behind it.
///
/// A section without bytes is a chunk only when it goes or gets some (`changes`): else its `sh_offset` means nothing,
/// stays as it is, and no neighbour depends on it.
fn chunks(
    image: &Image,
    changes: &dyn Fn(SectionIndex, &SectionHeader) -> bool,
) -> Result<(u64, Vec<Chunk>), EditError> {
    let bare = |start, end, align, owner| Chunk { start, end, align, owner, shared_by: Vec::new() };
    let mut end = zone_end(image, image.segments.iter().map(|s| s.file_end()));
    let mut raw: Vec<Chunk> = Vec::new();
    for (index, header) in image.indexed() {
        image.contents(index)?;
        if header.file_size() != 0 || changes(index, header) {
            let end = header.sh_offset.saturating_add(header.file_size());
            raw.push(bare(header.sh_offset, end, header.align(), Owner::Section(index)));
        }
    }
    if !image.sections.is_empty() {
        let size = headers_size(image, image.sections.len());
        raw.push(bare(image.e_shoff, image.e_shoff + size, image.format.table_align(), Owner::Headers));
    }
    raw.push(bare(image.len(), image.len(), 1, Owner::End));
    // An empty chunk stands in front of what begins where it does; the end of the file comes last.
    raw.sort_by_key(|c| (c.start.min(image.len()), c.owner == Owner::End, c.end != c.start));

    let mut chunks: Vec<Chunk> = Vec::new();
    let mut reach = end;
    for chunk in raw {
        let empty = chunk.start == chunk.end;
        if chunk.start < end && chunk.owner != Owner::End {
            // It begins in the fixed zone, so it is part of it.
            end = end.max(chunk.end);
            reach = end;
            continue;
        }
        if chunk.start < reach && !empty {
            let Some(before) = chunks.last_mut() else { continue };
            match (chunk.owner, before.owner) {
                (Owner::Section(index), Owner::Section(_)) => before.shared_by.push(index),
                (Owner::Section(index), _) | (_, Owner::Section(index)) => {
                    return Err(EditError::Refused {
                        why: format!("section {} overlaps the section header table", image.describe(index)),
                    });
                }
                _ => {}
            }
            before.end = before.end.max(chunk.end);
            reach = reach.max(chunk.end);
            continue;
        }
        // An empty section that points into another, or beyond the end, comes behind what is there.
        let chunk = if empty {
            Chunk {
                start: chunk.start.clamp(reach, image.len().max(reach)),
                end: chunk.end.clamp(reach, image.len().max(reach)),
                ..chunk
            }
        } else {
            chunk
        };
        if let Some(unowned) = nonzero_run(image, reach, chunk.start) {
            chunks.push(bare(unowned.0, unowned.1, 1, Owner::Nobody));
        }
        reach = reach.max(chunk.end);
        chunks.push(chunk);
    }
    Ok((end, chunks))
}

/// From the first to behind the last byte of a gap that is not zero.
fn nonzero_run(image: &Image, start: u64, end: u64) -> Option<(u64, u64)> {
    let range = usize::try_from(start).ok()?..usize::try_from(end.min(image.len())).ok()?;
    let gap = image.data().get(range)?;
    let first = gap.iter().position(|&b| b != 0)?;
    let last = gap.iter().rposition(|&b| b != 0)?;
    Some((start + first as u64, start + last as u64 + 1))
}

fn zone_end(image: &Image, segment_ends: impl Iterator<Item = u64>) -> u64 {
    let tables = match image.segments.len() as u64 {
        0 => image.format.header_size(),
        n => image.e_phoff.saturating_add(n * image.format.program_header_size()).max(image.format.header_size()),
    };
    segment_ends.map(|end| end.min(image.len())).fold(tables, u64::max)
}

/// What becomes of the sections in the fixed zone.
struct Fixed<'l, 'a> {
    image: &'l Image<'a>,
    slots: &'l [Slot<'a>],
    end: u64,
    layout: &'l mut Layout,
    /// Slots whose contents move behind the fixed zone.
    moves: Vec<usize>,
    headers_move: bool,
}

impl Fixed<'_, '_> {
    fn decide(&mut self, slot_of: &dyn Fn(SectionIndex) -> Option<usize>) -> Result<(), EditError> {
        let (image, slots) = (self.image, self.slots);
        let mut segment_ends: Vec<u64> = image.segments.iter().map(|s| s.file_end()).collect();
        for change in &self.layout.segments {
            if let Some(segment) = image.segments.get(change.index) {
                segment_ends[change.index] = segment.p_offset.saturating_add(change.p_filesz);
            }
        }
        let mut end = zone_end(image, segment_ends.into_iter());
        let (mut stay, mut go) = (Vec::new(), Vec::new());
        for (index, header) in image.indexed() {
            let range = (header.sh_offset, header.sh_offset.saturating_add(header.file_size()));
            if range.0 == range.1 || range.0 >= self.end {
                continue;
            }
            match slot_of(index) {
                None => go.push(range),
                Some(at) if slots[at].leaves => {
                    go.push(range);
                    self.moves.push(at);
                }
                Some(at) => {
                    let old = range.1 - range.0;
                    match content_size(&slots[at]) {
                        new if new > old => {
                            // elfgraft's own table must have room, so it moves. Moving anything else would make
                            // the result depend on what was set before.
                            if index != image.shstrndx {
                                let why = "it lies in front of bytes that cannot move";
                                return Err(EditError::Size { section: image.describe(index), new, old, why });
                            }
                            self.moves.push(at);
                            stay.push(range);
                            end = end.max(range.1);
                            continue;
                        }
                        new => {
                            if !matches!(slots[at].contents, Contents::Kept) {
                                self.layout.fixed_edits.push(FixedEdit::Contents { slot: at });
                                if new < old {
                                    self.layout
                                        .fixed_edits
                                        .push(FixedEdit::Zero { start: range.0 + new, end: range.1 });
                                }
                            }
                        }
                    }
                    stay.push(range);
                    end = end.max(range.1);
                }
            }
        }
        if !image.sections.is_empty() && image.e_shoff < self.end {
            let (old, new) = (headers_size(image, image.sections.len()), headers_size(image, slots.len()));
            self.headers_move = new > old;
            self.layout.e_shoff = image.e_shoff;
            if !self.headers_move {
                self.layout.fixed_edits.push(FixedEdit::Headers);
                if new < old {
                    self.layout
                        .fixed_edits
                        .push(FixedEdit::Zero { start: image.e_shoff + new, end: image.e_shoff + old });
                }
            }
            stay.push((image.e_shoff, image.e_shoff + old));
            end = end.max(image.e_shoff + old);
        }
        stay.push((0, image.format.header_size()));
        let phdrs = image.segments.len() as u64 * image.format.program_header_size();
        stay.push((image.e_phoff, image.e_phoff.saturating_add(phdrs)));
        self.layout.fixed_end = end.min(self.end);
        let edits = subtract(go, stay, self.layout.fixed_end).into_iter();
        self.layout.fixed_edits.extend(edits.map(|(start, end)| FixedEdit::Zero { start, end }));
        Ok(())
    }
}

/// The parts of the ranges `go`, up to `limit`, that no range of `stay` holds. Sorted and disjoint.
fn subtract(mut go: Vec<(u64, u64)>, mut stay: Vec<(u64, u64)>, limit: u64) -> Vec<(u64, u64)> {
    go.sort_unstable();
    stay.sort_unstable();
    let mut out = Vec::new();
    let mut holders = stay.into_iter().peekable();
    let mut held_to = 0;
    let mut from = 0;
    for (start, end) in go {
        let (mut start, end) = (start.max(from), end.min(limit));
        while start < end {
            // Everything that begins at or before `start` has its say first.
            while let Some((_, stay_end)) = holders.next_if(|(stay_start, _)| *stay_start <= start) {
                held_to = held_to.max(stay_end);
            }
            start = start.max(held_to);
            let free_to = holders.peek().map_or(end, |(stay_start, _)| end.min(*stay_start));
            if start < free_to {
                out.push((start, free_to));
                start = free_to;
            }
        }
        from = from.max(end);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::subtract;

    #[test]
    fn what_others_still_hold_is_not_zeroed() {
        assert_eq!(subtract(vec![(10, 20)], vec![(12, 14), (18, 30)], 100), [(10, 12), (14, 18)]);
        assert_eq!(subtract(vec![(10, 20), (15, 25)], vec![], 22), [(10, 20), (20, 22)]);
        assert_eq!(subtract(vec![(10, 20)], vec![(0, 50)], 100), []);
    }
}
