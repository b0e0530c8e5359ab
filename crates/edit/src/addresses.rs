//! Addresses: `sh_addr` of sections, load addresses (`p_paddr` of segments), the entry point (`e_entry`).
//!
//! Code and data of a linked file know their addresses, so a section that lies in a segment keeps its `sh_addr`; only its
//! load address, which nothing in the file knows, can change there, and only that of the whole segment.

use std::collections::HashSet;

use elfgraft_elf::consts::*;
use elfgraft_elf::{Image, encode};
use elfgraft_patch::Builder;

use crate::decision::Decision;
use crate::edit::Edits;
use crate::error::EditError;
use crate::flat::{has_load_addresses, load_address};
use crate::layout::content_size;
use crate::resolve::{Slot, describe};
use crate::segments;
use crate::select::{Chooser, Pattern};

/// A change of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shift {
    /// `=N`.
    To(u64),
    /// `+N`. Not idempotent, by its nature.
    Up(u64),
    /// `-N`. Likewise.
    Down(u64),
}

impl Shift {
    /// The new address; `None` if it is none of 64 bits.
    pub fn apply(self, old: u64) -> Option<u64> {
        match self {
            Shift::To(new) => Some(new),
            Shift::Up(by) => old.checked_add(by),
            Shift::Down(by) => old.checked_sub(by),
        }
    }
}

/// Which addresses of sections an option changes.
#[derive(Debug, Clone)]
pub struct AddressEdit {
    /// The option, for messages.
    pub option: &'static str,
    /// The sections.
    pub pattern: Pattern,
    /// How.
    pub shift: Shift,
    /// Whether it means `sh_addr`.
    pub vma: bool,
    /// Whether it means the load address.
    pub lma: bool,
}

/// All changes of addresses. For each section the last option that selects it counts.
#[derive(Debug, Clone, Default)]
pub struct Addresses {
    /// Addresses of sections.
    pub sections: Vec<AddressEdit>,
    /// A new entry point.
    pub start: Option<u64>,
    /// A change of the entry point, made after `start`.
    pub adjust_start: Option<Shift>,
}

impl Addresses {
    /// The entry point after these edits.
    ///
    /// # Errors
    /// If it is no address any more.
    pub fn entry(&self, e_entry: u64) -> Result<u64, EditError> {
        let start = self.start.unwrap_or(e_entry);
        let entry = self.adjust_start.map_or(Some(start), |shift| shift.apply(start));
        entry
            .ok_or_else(|| EditError::Refused { why: format!("the entry point {start:#x} cannot move beyond 64 bits") })
    }

    /// Whether something is asked for.
    pub fn is_empty(&self) -> bool {
        self.sections.is_empty() && self.start.is_none() && self.adjust_start.is_none()
    }
}

/// What the options say of addresses of one kind, by a section's names.
fn chooser<'e>(edits: &'e Edits, kind: fn(&AddressEdit) -> bool) -> Chooser<'e, &'e AddressEdit> {
    Chooser::new(edits.addresses.sections.iter().filter(|e| kind(e)).map(|e| (&e.pattern, e)))
}

fn names<'s>(image: &Image<'s>, slot: &'s Slot) -> impl Iterator<Item = &'s [u8]> + Clone {
    let names = [slot.from.and_then(|i| image.name(i).ok()), slot.name.as_deref()];
    names.into_iter().flatten().filter(|name| !name.is_empty())
}

fn moved(edit: &AddressEdit, old: u64, section: impl Fn() -> String) -> Result<u64, EditError> {
    edit.shift.apply(old).ok_or_else(|| EditError::Refused {
        why: format!("{}: address {old:#x} of section {} cannot move beyond 64 bits", edit.option, section()),
    })
}

/// `sh_addr`.
pub(crate) fn sections(
    image: &Image,
    edits: &Edits,
    slots: &mut [Slot],
    decisions: &mut Vec<Decision>,
) -> Result<(), EditError> {
    if edits.addresses.sections.is_empty() {
        return Ok(());
    }
    let present: HashSet<&[u8]> = slots.iter().flat_map(|slot| names(image, slot)).collect();
    for edit in edits.addresses.sections.iter().filter(|e| e.pattern.is_literal() && !e.pattern.is_negative()) {
        if !present.contains(edit.pattern.text()) {
            let name = edit.pattern.text().escape_ascii().to_string();
            return Err(EditError::Missing { option: edit.option, name });
        }
    }
    if edits.flat {
        // An image has load addresses only.
        return Ok(());
    }
    let chosen = chooser(edits, |e| e.vma);
    for at in 1..slots.len() {
        let Some(edit) = chosen.choose(names(image, &slots[at])) else { continue };
        let section = describe(image, slots, at);
        let slot = &mut slots[at];
        let (old, new) = (slot.header.sh_addr, moved(edit, slot.header.sh_addr, || section.clone())?);
        let kept = slot.from.is_some() && !slot.fresh;
        if old != new && kept && image.format.e_type != ET_REL {
            let why = format!(
                "{}: the file is linked, and what was linked to section {section} knows its address {old:#x}; only \
                 sections of objects, and added ones, get another",
                edit.option
            );
            return Err(EditError::Refused { why });
        }
        if !encode::fits(image.format, new) {
            return Err(EditError::TooLarge { what: format!("section {section}: sh_addr"), value: new });
        }
        slot.header.sh_addr = new;
        if old != new && slot.from.is_some() {
            decisions.push(Decision::Header { section, field: "sh_addr", old, new });
        }
    }
    Ok(())
}

/// The load addresses of sections in a flat image, by slot.
pub(crate) fn image_addresses(
    image: &Image,
    edits: &Edits,
    slots: &[Slot],
    chosen: &[usize],
) -> Result<Vec<(u64, usize)>, EditError> {
    let (physical, edit_of) = (has_load_addresses(image), chooser(edits, |e| e.lma));
    let address = |at: usize| {
        let old = load_address(image, &slots[at].header, physical);
        match edit_of.choose(names(image, &slots[at])) {
            Some(edit) => moved(edit, old, || describe(image, slots, at)),
            None => Ok(old),
        }
    };
    chosen.iter().map(|&at| Ok((address(at)?, at))).collect()
}

/// A new `p_paddr`.
pub(crate) struct Moved {
    /// Position in the program header table.
    pub index: usize,
    pub old: u64,
    pub new: u64,
}

/// `p_paddr`: a segment goes where the options put its sections, if they agree.
fn segments(image: &Image, edits: &Edits, slots: &[Slot]) -> Result<Vec<Moved>, EditError> {
    let only_lma: fn(&AddressEdit) -> bool = |e| e.lma && !e.vma;
    if !edits.addresses.sections.iter().any(only_lma) {
        return Ok(Vec::new());
    }
    let refuse = |why: String| Err(EditError::Refused { why });
    let chooser = chooser(edits, only_lma);
    let chosen: Vec<Option<&AddressEdit>> = slots.iter().map(|slot| chooser.choose(names(image, slot))).collect();
    let mut placed = vec![false; slots.len()];
    let mut all: Vec<Option<u64>> = vec![None; image.segments.len()];
    let loads = || image.segments.iter().filter(|s| s.p_type == PT_LOAD);
    for load in loads() {
        // By how much each section moves, modulo 2^64.
        let mut by: Option<(u64, usize)> = None;
        for (at, slot) in slots.iter().enumerate().skip(1) {
            let inside = slot.from.is_some_and(|i| segments::in_this(image, load, i)) && !slot.leaves && !slot.fresh;
            if !inside || !slot.header.is_alloc() || slot.header.sh_size == 0 {
                continue;
            }
            placed[at] = true;
            let old = load.p_paddr.wrapping_add(slot.header.sh_addr.wrapping_sub(load.p_vaddr));
            let new = match chosen[at] {
                Some(edit) => moved(edit, old, || describe(image, slots, at))?,
                None => old,
            };
            let delta = new.wrapping_sub(old);
            match by {
                Some((other, first)) if other != delta => {
                    return refuse(format!(
                        "sections {} and {} lie in one segment and cannot be loaded apart",
                        describe(image, slots, first),
                        describe(image, slots, at)
                    ));
                }
                _ => by = Some((delta, at)),
            }
        }
        let Some((delta, _)) = by.filter(|(delta, _)| *delta != 0) else { continue };
        if !has_load_addresses(image) {
            return refuse("the file has no load addresses: every p_paddr is 0".into());
        }
        // PT_NOTE and others say again where a part of a PT_LOAD is.
        let part = |s: &elfgraft_elf::ProgramHeader| {
            s.p_memsz != 0 && s.p_vaddr >= load.p_vaddr && s.p_vaddr - load.p_vaddr < load.p_memsz
        };
        for (index, segment) in image.segments.iter().enumerate().filter(|(_, s)| part(s)) {
            let new = segment.p_paddr.wrapping_add(delta);
            if !encode::fits(image.format, new) {
                return Err(EditError::TooLarge { what: format!("segment {index}: p_paddr"), value: new });
            }
            if all[index].replace(new).is_some_and(|other| other != new) {
                return refuse(format!("segment {index} lies in two segments that cannot be loaded apart"));
            }
        }
    }
    let homeless = (1..slots.len())
        .filter(|&at| !placed[at] && content_size(&slots[at]) != 0)
        .find(|&at| chosen[at].is_some_and(|e| e.pattern.is_literal()));
    match homeless {
        Some(at) => refuse(format!(
            "section {} lies in no loadable segment: it has no load address",
            describe(image, slots, at)
        )),
        None => {
            let moved = image.segments.iter().zip(all).enumerate();
            let moved = moved.filter_map(|(index, (s, new))| Some(Moved { index, old: s.p_paddr, new: new? }));
            Ok(moved.collect())
        }
    }
}

/// Writes `e_entry` and `p_paddr`.
pub(crate) fn write<'a>(
    image: &Image<'a>,
    edits: &Edits<'a>,
    slots: &[Slot],
    out: &mut Builder<'a>,
    decisions: &mut Vec<Decision>,
) -> Result<(), EditError> {
    let format = image.format;
    let too_large = |what: String, value| EditError::TooLarge { what, value };
    let old = encode::e_entry(format, image.file());
    let new = edits.addresses.entry(old)?;
    if new != old {
        let bytes = encode::addr(format, new).ok_or_else(|| too_large("e_entry".into(), new))?;
        out.overlay(encode::E_ENTRY, bytes, "e_entry");
        decisions.push(Decision::Entry { old, new });
    }
    for Moved { index, old, new } in segments(image, edits, slots)? {
        let bytes = encode::addr(format, new).ok_or_else(|| too_large(format!("segment {index}: p_paddr"), new))?;
        let at = image.e_phoff + index as u64 * format.program_header_size();
        out.overlay(at + encode::p_paddr_field(format), bytes, format!("segment {index}: p_paddr"));
        decisions.push(Decision::Segment { index, old, new });
    }
    Ok(())
}
