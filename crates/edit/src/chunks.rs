//! The input behind its fixed zone, as a sequence of chunks that move as one each.

use elfgraft_elf::{Image, SectionHeader, SectionIndex};

use crate::error::EditError;
use crate::layout::{What, headers_size};

/// Bytes of the input behind the fixed zone that move as one.
#[derive(Debug)]
pub(crate) struct Chunk {
    pub start: u64,
    pub end: u64,
    pub align: u64,
    pub owner: Owner,
    /// Sections that share these bytes with the owner.
    pub shared_by: Vec<SectionIndex>,
    /// Sections without bytes whose `sh_offset` lies in these bytes, and moves along.
    pub inside: Vec<SectionIndex>,
}

impl Chunk {
    pub fn kept_size(&self) -> u64 {
        self.end - self.start
    }

    pub fn kept(&self) -> What {
        What::Kept { from: self.start, len: self.kept_size() }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Owner {
    Section(SectionIndex),
    Headers,
    /// Bytes of no section, not all zero.
    Nobody,
    /// The end of the file.
    End,
}

/// The end of the fixed zone of the input, and the chunks behind it.
///
/// A section without bytes is a chunk, too, where its `sh_offset` is a place between others, as linkers write it: the
/// kernel refuses a module with an offset beyond the end of the file, whatever the size, so it has to move with its
/// neighbours. In the middle of another section it moves with that one, while that one keeps its contents (`rewritten`
/// says which do not). Elsewhere (`SHT_NOBITS`, `SHT_NULL`, in a file with segments) its `sh_offset` stays as it is, unless
/// the section goes or gets bytes (`changes`).
pub(crate) fn chunks(
    image: &Image,
    changes: &dyn Fn(SectionIndex, &SectionHeader) -> bool,
    rewritten: &dyn Fn(SectionIndex) -> bool,
) -> Result<(u64, Vec<Chunk>), EditError> {
    let bare = |start, end, align, owner| Chunk { start, end, align, owner, shared_by: Vec::new(), inside: Vec::new() };
    let mut end = zone_end(image, image.segments.iter().map(|s| (s.p_filesz, s.file_end())));
    let mut raw: Vec<Chunk> = Vec::new();
    for (index, header) in image.indexed() {
        image.contents(index)?;
        let between = header.has_contents()
            && (!header.is_alloc() || image.segments.is_empty())
            && (end..=image.len()).contains(&header.sh_offset);
        if header.file_size() != 0 || changes(index, header) || between {
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
    // The last chunk with bytes: what begins in front of `reach` begins in it.
    let mut holder = None;
    for chunk in raw {
        let empty = chunk.start == chunk.end;
        if chunk.start < end && chunk.owner != Owner::End {
            // It begins in the fixed zone, so it is part of it.
            end = end.max(chunk.end);
            reach = end;
            continue;
        }
        if chunk.start < reach && !empty {
            let Some((before, empty)) = holder.and_then(|at: usize| chunks.get_mut(at..)?.split_first_mut()) else {
                continue;
            };
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
            // What came behind the shorter one comes behind this.
            empty.iter_mut().for_each(|chunk| (chunk.start, chunk.end) = (reach, reach));
            continue;
        }
        if let (true, Owner::Section(index)) = (empty && chunk.start < reach, chunk.owner)
            && !image.header(index).is_ok_and(|header| changes(index, header))
        {
            let holder = holder.and_then(|at| chunks.get_mut(at));
            if let Some(holder) = holder.filter(|c| !matches!(c.owner, Owner::Section(owner) if rewritten(owner))) {
                holder.inside.push(index);
                continue;
            }
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
        if !empty {
            holder = Some(chunks.len());
        }
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

/// The end of the fixed zone, by size and end of each segment. A segment of no bytes (`PT_GNU_STACK`, or a `PT_LOAD` of
/// `.bss` alone) holds none in their place, whatever its `p_offset` is; and in a separate debug file none holds any, only
/// the notes stay where they are.
pub(crate) fn zone_end(image: &Image, ends: impl Iterator<Item = (u64, u64)>) -> u64 {
    let tables = match image.segments.len() as u64 {
        0 => image.format.header_size(),
        n => image.e_phoff.saturating_add(n * image.format.program_header_size()).max(image.format.header_size()),
    };
    if image.segments_are_elsewhere() {
        let notes = image.sections.iter().filter(|h| h.is_alloc() && h.file_size() != 0);
        return notes.map(|h| h.sh_offset.saturating_add(h.file_size()).min(image.len())).fold(tables, u64::max);
    }
    let ends = ends.filter(|(size, _)| *size != 0).map(|(_, end)| end.min(image.len()));
    ends.fold(tables, u64::max)
}
