//! The fixed zone: what becomes of the sections in it when they go, shrink or have to grow.

use elfgraft_elf::{Image, SectionIndex};

use crate::chunks::zone_end;
use crate::error::EditError;
use crate::layout::{FixedEdit, Layout, content_size, headers_size};
use crate::resolve::{Contents, Slot};

/// What becomes of the sections in the fixed zone.
pub(crate) struct Fixed<'l, 'a> {
    pub image: &'l Image<'a>,
    pub slots: &'l [Slot<'a>],
    pub end: u64,
    pub layout: &'l mut Layout,
    /// Slots whose contents move behind the fixed zone.
    pub moves: Vec<usize>,
    pub headers_move: bool,
}

impl Fixed<'_, '_> {
    pub fn decide(&mut self, slot_of: &dyn Fn(SectionIndex) -> Option<usize>) -> Result<(), EditError> {
        let (image, slots) = (self.image, self.slots);
        let mut segment_ends: Vec<(u64, u64)> = image.segments.iter().map(|s| (s.p_filesz, s.file_end())).collect();
        for change in &self.layout.segments {
            if let Some(segment) = image.segments.get(change.index) {
                segment_ends[change.index] = (change.p_filesz, segment.p_offset.saturating_add(change.p_filesz));
            }
        }
        let mut end = zone_end(image, segment_ends.into_iter());
        let (mut stay, mut go) = (Vec::new(), Vec::new());
        for (index, header) in image.indexed() {
            let range = (header.sh_offset, header.sh_offset.saturating_add(header.file_size()));
            if range.0 >= self.end {
                continue;
            }
            if range.0 == range.1 {
                // It has no place here: what it gets goes behind.
                self.moves.extend(slot_of(index).filter(|&at| content_size(&slots[at]) != 0));
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
