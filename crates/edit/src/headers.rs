//! `sh_flags`, `sh_addralign` and `sh_type`, and what a change of them means for contents.

use elfgraft_elf::consts::*;
use elfgraft_elf::{Image, SectionHeader};
use elfgraft_patch::Op;

use crate::decision::Decision;
use crate::edit::Edits;
use crate::error::EditError;
use crate::layout::content_size;
use crate::resolve::{Contents, Slot, describe};
use crate::segments;
use crate::select::Chooser;

/// Flags, alignment and type.
pub(crate) fn headers(
    image: &Image,
    edits: &Edits,
    slots: &mut [Slot],
    decisions: &mut Vec<Decision>,
) -> Result<(), EditError> {
    if edits.flags.is_empty() && edits.align.is_empty() && edits.types.is_empty() && edits.rename.is_empty() {
        return Ok(());
    }
    let flags_of = Chooser::new(edits.flags.iter().map(|(p, flags)| (p, *flags)));
    let align_of = Chooser::new(edits.align.iter().map(|(p, align)| (p, *align)));
    let type_of = Chooser::new(edits.types.iter().map(|(p, sh_type)| (p, *sh_type)));
    for at in 1..slots.len() {
        let section = describe(image, slots, at);
        let Some(slot) = slots.get_mut(at) else { continue };
        let before = slot.header.clone();
        let new_name = slot.name.clone();
        let names = [slot.from.map(|i| image.name(i)).transpose()?, new_name.as_deref()].into_iter().flatten();
        if let Some(flags) = flags_of.choose(names.clone()) {
            set_flags(image, slot, flags);
        }
        if let Some(align) = align_of.choose(names.clone()) {
            if !align.is_power_of_two() {
                return Err(EditError::Refused {
                    why: format!("section {section}: alignment {align} is not a power of two"),
                });
            }
            let moves = slot.header.align() != align && slot.from.is_some() && !slot.fresh;
            if moves && slot.from.is_some_and(|i| segments::in_segment(image, i)) && before.sh_offset % align != 0 {
                return Err(EditError::Refused {
                    why: format!(
                        "section {section}: inside a segment, at offset {:#x}, it cannot be aligned to {align}",
                        before.sh_offset
                    ),
                });
            }
            slot.header.sh_addralign = align;
        }
        if let Some(sh_type) = type_of.choose(names) {
            slot.header.sh_type = sh_type;
        }
        let original = slot.from.and_then(|i| image.header(i).ok()).filter(|_| !slot.fresh).unwrap_or(&before).clone();
        leave_segment(image, edits, slot, &original, &section, decisions)?;
        for (field, old, new) in [
            ("sh_flags", original.sh_flags, slot.header.sh_flags),
            ("sh_type", original.sh_type.into(), slot.header.sh_type.into()),
            ("sh_addralign", original.sh_addralign, slot.header.sh_addralign),
        ] {
            if old != new && slot.from.is_some() {
                decisions.push(Decision::Header { section: section.clone(), field, old, new });
            }
        }
    }
    Ok(())
}

/// What a change of flags or type means for contents.
fn leave_segment(
    image: &Image,
    edits: &Edits,
    slot: &mut Slot,
    original: &SectionHeader,
    section: &str,
    decisions: &mut Vec<Decision>,
) -> Result<(), EditError> {
    let bytes = match &slot.contents {
        Contents::Kept => original.file_size(),
        Contents::New(_) => content_size(slot),
    };
    if bytes != 0 && !slot.header.has_contents() {
        let why = format!("section {section}: a type without contents would lose {bytes} bytes");
        return Err(EditError::Refused { why });
    }
    let Some(index) = slot.from.filter(|_| !slot.fresh) else { return Ok(()) };
    let in_segment = segments::in_segment(image, index);
    let is_file = slot.header.file_size();
    if !original.has_contents() && is_file != 0 && matches!(slot.contents, Contents::Kept) {
        if original.sh_type == SHT_NULL {
            // What its other fields say was never checked by anybody.
            let why = format!("section {section} is SHT_NULL: with another type it would claim {is_file} bytes");
            return Err(EditError::Refused { why });
        }
        if in_segment && !edits.flat {
            return Err(EditError::Refused {
                why: format!(
                    "section {section} is SHT_NOBITS inside a segment: there is no room in the file for its contents"
                ),
            });
        }
        slot.contents = Contents::New(vec![Op::Zero { len: is_file }]);
    }
    if original.is_alloc() && !slot.header.is_alloc() && in_segment {
        slot.leaves = true;
        decisions.push(Decision::Leaves { section: section.into() });
    }
    Ok(())
}

/// Gives a slot the flags that an option asks for.
pub(crate) fn set_flags(image: &Image, slot: &mut Slot, flags: crate::flags::FlagSet) {
    slot.header.sh_flags = flags.apply(slot.header.sh_flags, image.format.e_machine);
    if slot.header.sh_type == SHT_NOBITS && flags.gives_contents() {
        slot.header.sh_type = SHT_PROGBITS;
    }
}
