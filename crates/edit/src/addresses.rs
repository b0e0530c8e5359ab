//! Addresses: `sh_addr` of sections, load addresses (`p_paddr` of segments), the entry point (`e_entry`).
//!
//! Code and data of a linked file know their addresses, so a section that lies in a segment keeps its `sh_addr`; only its
//! load address, which nothing in the file knows, can change there, and only that of the whole segment.

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
use crate::select::Pattern;

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

/// What the options say of a section's address of one kind.
fn chosen<'e>(edits: &'e Edits, names: [&[u8]; 2], kind: fn(&AddressEdit) -> bool) -> Option<&'e AddressEdit> {
    let matches = |e: &&AddressEdit| names.iter().any(|n| !n.is_empty() && e.pattern.matches(n));
    let mut all = edits.addresses.sections.iter().filter(|e| kind(e));
    if all.clone().any(|e| e.pattern.is_negative() && matches(&e)) {
        return None;
    }
    all.rfind(|e| !e.pattern.is_negative() && matches(e))
}

fn names<'s>(image: &Image<'s>, slot: &'s Slot) -> [&'s [u8]; 2] {
    [slot.from.and_then(|i| image.name(i).ok()).unwrap_or_default(), slot.name.as_deref().unwrap_or_default()]
}

fn moved(edit: &AddressEdit, old: u64, section: &str) -> Result<u64, EditError> {
    edit.shift.apply(old).ok_or_else(|| EditError::Refused {
        why: format!("{}: address {old:#x} of section {section} cannot move beyond 64 bits", edit.option),
    })
}

/// `sh_addr`.
pub(crate) fn sections(
    image: &Image,
    edits: &Edits,
    slots: &mut [Slot],
    decisions: &mut Vec<Decision>,
) -> Result<(), EditError> {
    for edit in edits.addresses.sections.iter().filter(|e| e.pattern.is_literal() && !e.pattern.is_negative()) {
        let here = slots.iter().any(|s| names(image, s).contains(&edit.pattern.text()));
        if !here {
            let name = edit.pattern.text().escape_ascii().to_string();
            return Err(EditError::Missing { option: edit.option, name });
        }
    }
    if edits.flat {
        // An image has load addresses only.
        return Ok(());
    }
    for at in 1..slots.len() {
        let section = describe(image, slots, at);
        let slot = &mut slots[at];
        let Some(edit) = chosen(edits, names(image, slot), |e| e.vma) else { continue };
        let (old, new) = (slot.header.sh_addr, moved(edit, slot.header.sh_addr, &section)?);
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

/// The load address of a section in a flat image.
pub(crate) fn image_address(image: &Image, edits: &Edits, slots: &[Slot], at: usize) -> Result<u64, EditError> {
    let old = load_address(image, &slots[at].header, has_load_addresses(image));
    match chosen(edits, names(image, &slots[at]), |e| e.lma) {
        Some(edit) => moved(edit, old, &describe(image, slots, at)),
        None => Ok(old),
    }
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
    let only_lma = |e: &AddressEdit| e.lma && !e.vma;
    let mut all = Vec::new();
    if !edits.addresses.sections.iter().any(only_lma) {
        return Ok(all);
    }
    let refuse = |why: String| Err(EditError::Refused { why });
    let mut placed = vec![false; slots.len()];
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
            let new = match chosen(edits, names(image, slot), only_lma) {
                Some(edit) => moved(edit, old, &describe(image, slots, at))?,
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
            let (old, new) = (segment.p_paddr, segment.p_paddr.wrapping_add(delta));
            if !encode::fits(image.format, new) {
                return Err(EditError::TooLarge { what: format!("segment {index}: p_paddr"), value: new });
            }
            all.push(Moved { index, old, new });
        }
    }
    let homeless = (1..slots.len())
        .filter(|&at| !placed[at] && content_size(&slots[at]) != 0)
        .find(|&at| chosen(edits, names(image, &slots[at]), only_lma).is_some_and(|e| e.pattern.is_literal()));
    match homeless {
        Some(at) => refuse(format!(
            "section {} lies in no loadable segment: it has no load address",
            describe(image, slots, at)
        )),
        None => Ok(all),
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
