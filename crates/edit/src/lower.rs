//! Layout -> [`Patch`], and [`plan`]: the phases one after the other.

use elfgraft_elf::consts::SHT_SYMTAB;
use elfgraft_elf::{Image, SectionHeader, encode, printable};
use elfgraft_patch::{Builder, Op, Patch};

use crate::addresses;
use crate::decision::Decision;
use crate::edit::Edits;
use crate::error::EditError;
use crate::gap::check_filled;
use crate::layout::{FixedEdit, Layout, What, content_size, layout};
use crate::names;
use crate::renumber::{self, Overlay};
use crate::resolve::{Contents, Slot, resolve};
use crate::symbol_edits::{Strip, SymbolEdits};

/// What an edit comes to: the byte ranges, and the decisions that led to them.
#[derive(Debug)]
pub struct Plan<'a> {
    /// The result as ranges of the input file and new bytes. Normalized: an edit that asks for nothing new is one copy.
    pub patch: Patch<'a>,
    /// What was decided, in the order of the phases.
    pub decisions: Vec<Decision>,
}

/// Turns edits into a [`Patch`] of the input. Pure: nothing is read but `image`, nothing is written.
///
/// Idempotent: planning the same edits on the result gives the identity, or the refusal that adding twice deserves.
///
/// # Errors
/// [`EditError`], if the edit cannot be done in full; there is no partial success.
pub fn plan<'a>(image: &Image<'a>, edits: &Edits<'a>) -> Result<Plan<'a>, EditError> {
    let resolution = resolve(image, edits)?;
    let (mut slots, mut decisions) = (resolution.slots, resolution.decisions);
    if let Some(names) = names::assign(image, &mut slots)? {
        let from = image.header(image.shstrndx)?.sh_offset;
        if let Some(slot) = slots.iter_mut().find(|s| s.from == Some(image.shstrndx)) {
            slot.contents = Contents::New(vec![Op::Copy { from, len: names.keep }, Op::Write(names.append.into())]);
        }
    }
    let overlays = renumber::apply(image, edits, &mut slots, &mut decisions)?;
    if leaves_no_symbol(image, edits, &slots) {
        let symbols = SymbolEdits { strip: Strip::All, ..SymbolEdits::default() };
        return plan(image, &Edits { symbols, ..edits.clone() });
    }
    let layout = layout(image, &slots)?;
    let whole = image.file();
    let patch = lower(image, edits, &mut slots, &layout, &overlays, &mut decisions)?.normalize(whole);
    if i64::try_from(patch.output_len()).is_err() {
        // An alignment may ask for this; off_t of Linux ends here.
        return Err(EditError::TooLarge { what: "the size of the result".into(), value: patch.output_len() });
    }
    check_filled(&patch, image.len())?;

    let unchanged = patch.output_len() == image.len() && patch.written() == 0 && patch.pieces().len() <= 1;
    let patch = match image.trailer {
        Some(trailer) if edits.drop_signature || (!unchanged && edits.drop_in) => {
            let (kind, size, asked) = (trailer.kind(), trailer.size, edits.drop_signature);
            decisions.push(Decision::DropSignature { kind, size, asked });
            patch
        }
        Some(trailer) if !unchanged => {
            return Err(EditError::Signed { kind: trailer.kind(), size: trailer.size });
        }
        _ if unchanged => Patch::identity(whole.len() as u64),
        _ => patch,
    };
    Ok(Plan { patch, decisions })
}

/// Whether stripping leaves a symbol table of the null symbol only, which nothing refers to: such a table goes, too.
fn leaves_no_symbol(image: &Image, edits: &Edits, slots: &[Slot]) -> bool {
    if matches!(edits.symbols.strip, Strip::None | Strip::Debug) || edits.symbols.drops_table() {
        return false;
    }
    let empty = |s: &Slot| s.header.sh_type == SHT_SYMTAB && content_size(s) <= image.format.symbol_size();
    let table = slots.iter().position(empty);
    table.is_some_and(|at| slots.iter().all(|s| s.header.sh_link as usize != at))
}

fn lower<'a>(
    image: &Image<'a>,
    edits: &Edits<'a>,
    slots: &mut [Slot<'a>],
    layout: &Layout,
    overlays: &[Overlay],
    decisions: &mut Vec<Decision>,
) -> Result<Patch<'a>, EditError> {
    let mut out = Builder::new(image.file().len() as u64);
    let table = header_table(image, slots, layout)?;
    // Taken, not cloned: rewritten tables of a module are as large as the rest of what is in memory.
    let mut named = |slot: usize| {
        let name = label(image, slots, slot);
        let ops = take_contents(image, &mut slots[slot]);
        ops.into_iter().map(|op| (op, name.clone())).collect::<Vec<_>>()
    };

    let mut fixed: Vec<(u64, Vec<(Op<'a>, String)>)> = Vec::new();
    for edit in &layout.fixed_edits {
        fixed.push(match edit {
            FixedEdit::Zero { start, end } => {
                (*start, vec![(Op::Zero { len: end - start }, "removed contents".into())])
            }
            FixedEdit::Headers => (image.e_shoff, vec![(Op::Write(table.clone().into()), HEADERS.into())]),
            FixedEdit::Contents { slot } => (layout.offsets[*slot], named(*slot)),
        });
    }
    fixed.sort_by_key(|(at, _)| *at);
    let mut at = 0;
    for (start, ops) in fixed {
        // An overlap is found by the builder: it sees that the pieces collide.
        out.copy(at, at, start.saturating_sub(at), "");
        at = put(&mut out, start, ops).max(at);
    }
    out.copy(at, at, layout.fixed_end.saturating_sub(at), "");

    let mut end = layout.fixed_end;
    for placed in &layout.placed {
        if let What::Kept { len: 0, .. } = placed.what {
            continue;
        }
        out.zero(end, placed.at - end, "gap");
        let ops = match placed.what {
            What::Kept { from, len } => vec![(Op::Copy { from, len }, String::new())],
            What::Headers => vec![(Op::Write(table.clone().into()), HEADERS.into())],
            What::Contents { slot } => named(slot),
        };
        end = put(&mut out, placed.at, ops);
    }
    out.zero(end, layout.len - end, "gap");

    for overlay in overlays {
        let what = format!("{}: symbol", label(image, slots, overlay.slot));
        out.overlay(layout.offsets[overlay.slot] + overlay.offset, overlay.bytes.clone(), what);
    }
    file_header(image, slots, layout, &mut out)?;
    segments(image, layout, &mut out)?;
    addresses::write(image, edits, slots, &mut out, decisions)?;
    Ok(out.finish(layout.len)?)
}

const HEADERS: &str = "section header table";

fn put<'a>(out: &mut Builder<'a>, mut at: u64, ops: Vec<(Op<'a>, String)>) -> u64 {
    for (op, label) in ops {
        let size = op.size();
        match op {
            Op::Copy { from, len } => out.copy(at, from, len, label),
            Op::Write(bytes) => out.write(at, bytes, label),
            Op::Zero { len } => out.zero(at, len, label),
            Op::Fill { byte, len } => out.fill(at, len, byte, label),
            // `Op` may gain variants; a piece that is not put is a hole, which `finish` reports.
            _ => out,
        };
        at += size;
    }
    at
}

pub(crate) fn label(image: &Image, slots: &[Slot], at: usize) -> String {
    let slot = &slots[at];
    match (&slot.name, slot.from) {
        (Some(name), _) => format!("'{}' [{at}]", printable(name)),
        (None, Some(index)) => image.describe(index),
        (None, None) => format!("[{at}]"),
    }
}

pub(crate) fn contents<'a>(image: &Image<'a>, slot: &Slot<'a>) -> Vec<Op<'a>> {
    match (&slot.contents, slot.from.and_then(|i| image.header(i).ok())) {
        (Contents::New(parts), _) => parts.clone(),
        (Contents::Kept, Some(old)) => vec![Op::Copy { from: old.sh_offset, len: old.file_size() }],
        (Contents::Kept, None) => Vec::new(),
    }
}

/// The pieces of a section's contents, for good: the slot has none afterwards.
fn take_contents<'a>(image: &Image<'a>, slot: &mut Slot<'a>) -> Vec<Op<'a>> {
    match &mut slot.contents {
        Contents::New(parts) => std::mem::take(parts),
        Contents::Kept => contents(image, slot),
    }
}

/// The section header table, as it goes into the file.
fn header_table(image: &Image, slots: &[Slot], layout: &Layout) -> Result<Vec<u8>, EditError> {
    let mut table = Vec::new();
    for (at, slot) in slots.iter().enumerate() {
        let mut header = slot.header.clone();
        if at == 0 {
            extended_numbers(image, slots, &mut header);
        } else {
            header.sh_offset = layout.offsets[at];
            if let Contents::New(_) = slot.contents {
                header.sh_size = content_size(slot);
            }
        }
        let values = [
            ("sh_flags", header.sh_flags),
            ("sh_offset", header.sh_offset),
            ("sh_size", header.sh_size),
            ("sh_addralign", header.sh_addralign),
        ];
        if let Some((field, value)) = values.into_iter().find(|(_, v)| !encode::fits(image.format, *v)) {
            return Err(EditError::TooLarge { what: format!("section {}: {field}", label(image, slots, at)), value });
        }
        encode::section_header(image.format, &header, &mut table);
    }
    Ok(table)
}

const SHN_LORESERVE: usize = elfgraft_elf::consts::SHN_LORESERVE as usize;

/// gABI, "Section header table index 0": the real numbers where the ELF header's 16-bit fields are too small. A field
/// that was not in use and need not be stays as it was.
fn extended_numbers(image: &Image, slots: &[Slot], first: &mut SectionHeader) {
    if slots.len() >= SHN_LORESERVE {
        first.sh_size = slots.len() as u64;
    } else if image.sections.len() >= SHN_LORESERVE {
        first.sh_size = 0;
    }
    let shstrndx = shstrndx(image, slots);
    if shstrndx >= SHN_LORESERVE {
        first.sh_link = u32::try_from(shstrndx).unwrap_or_default();
    } else if image.shstrndx.get() >= SHN_LORESERVE {
        first.sh_link = 0;
    }
}

fn shstrndx(image: &Image, slots: &[Slot]) -> usize {
    slots.iter().position(|s| s.from == Some(image.shstrndx)).unwrap_or_default()
}

fn file_header<'a>(image: &Image<'a>, slots: &[Slot], layout: &Layout, out: &mut Builder<'a>) -> Result<(), EditError> {
    if slots.is_empty() {
        return Ok(());
    }
    let (format, fields) = (image.format, encode::header_fields(image.format));
    let half = |value: usize, escape: u16| {
        let value = u16::try_from(value).ok().filter(|v| usize::from(*v) < SHN_LORESERVE).unwrap_or(escape);
        encode::half(format, value).to_vec()
    };
    let e_shoff = encode::addr(format, layout.e_shoff)
        .ok_or_else(|| EditError::TooLarge { what: "e_shoff".into(), value: layout.e_shoff })?;
    out.overlay(fields.e_shoff, e_shoff, "e_shoff");
    if slots.len() != image.sections.len() {
        out.overlay(fields.e_shnum, half(slots.len(), 0), "e_shnum");
    }
    let shstrndx = shstrndx(image, slots);
    if shstrndx != image.shstrndx.get() {
        out.overlay(fields.e_shstrndx, half(shstrndx, elfgraft_elf::consts::SHN_XINDEX), "e_shstrndx");
    }
    Ok(())
}

fn segments<'a>(image: &Image<'a>, layout: &Layout, out: &mut Builder<'a>) -> Result<(), EditError> {
    let (p_filesz, p_memsz) = encode::segment_size_fields(image.format);
    for change in &layout.segments {
        let at = image.e_phoff + change.index as u64 * image.format.program_header_size();
        for (field, value, name) in [(p_filesz, change.p_filesz, "p_filesz"), (p_memsz, change.p_memsz, "p_memsz")] {
            let bytes =
                encode::addr(image.format, value).ok_or_else(|| EditError::TooLarge { what: name.into(), value })?;
            out.overlay(at + field, bytes, format!("segment {}: {name}", change.index));
        }
    }
    Ok(())
}
