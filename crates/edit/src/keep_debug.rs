//! `--only-keep-debug`: the file that a debugger reads beside the stripped one.

use elfgraft_elf::consts::*;
use elfgraft_elf::encode::{addr, header_fields, section_header, segment_size_fields};
use elfgraft_elf::{Image, ProgramHeader, SectionHeader, SectionIndex};
use elfgraft_patch::Builder;

use crate::decision::Decision;
use crate::error::EditError;
use crate::gap::{aligned, check_filled};
use crate::lower::Plan;

/// Allocated sections lose their contents and become `SHT_NOBITS`, but for notes: the build ID is how the file is found.
/// Everything else stays, header table, symbols, relocations and addresses; a `PT_LOAD` has no bytes any more, and its
/// `p_offset` is congruent to its address. Idempotent.
///
/// # Errors
/// If the file has no section header table, or its tables cannot be read.
pub fn plan_only_keep_debug<'a>(image: &Image<'a>) -> Result<Plan<'a>, EditError> {
    if image.sections.is_empty() {
        return Err(EditError::Refused {
            why: "the file has no section header table: nothing says what debugs it".into(),
        });
    }
    let format = image.format;
    let whole = image.file();
    let mut out = Builder::new(whole.len() as u64);
    let mut decisions = Vec::new();
    let e_phoff = format.header_size();
    let phdrs = format.program_header_size().saturating_mul(image.segments.len() as u64);
    out.copy(0, 0, e_phoff, "ELF header").copy(e_phoff, image.e_phoff, phdrs, "program headers");

    let mut headers = image.sections.clone();
    let mut order: Vec<SectionIndex> = image.indexed().map(|(index, _)| index).collect();
    order.sort_by_key(|index| headers.get(index.get()).map_or((0, *index), |h| (h.sh_offset, *index)));
    let first = e_phoff.saturating_add(phdrs);
    let mut end = first;
    for index in order {
        let Some(header) = headers.get_mut(index.get()) else { continue };
        let goes = header.is_alloc() && !matches!(header.sh_type, SHT_NOTE | SHT_NOBITS | SHT_NULL);
        if goes {
            let old = header.sh_type.into();
            header.sh_type = SHT_NOBITS;
            decisions.push(Decision::Header {
                section: image.describe(index),
                field: "sh_type",
                old,
                new: SHT_NOBITS.into(),
            });
        }
        let size = header.file_size();
        if size == 0 {
            // All in one place: an order among sections without bytes would not be the same the next time.
            header.sh_offset = first;
            continue;
        }
        // Inside the file: then no sum of sizes is beyond 64 bits but for alignment.
        image.contents(index)?;
        let at = aligned(end, header.align())?;
        let from = std::mem::replace(&mut header.sh_offset, at);
        out.zero(end, at - end, "gap").copy(at, from, size, image.describe(index));
        end = at.saturating_add(size);
    }
    let e_shoff = aligned(end, format.table_align())?;
    out.zero(end, e_shoff - end, "gap");
    let mut table = Vec::new();
    for header in &headers {
        section_header(format, header, &mut table);
    }
    let len = e_shoff.saturating_add(table.len() as u64);
    out.write(e_shoff, table, "section headers");

    let field = |what: &str, value| addr(format, value).ok_or_else(|| EditError::TooLarge { what: what.into(), value });
    if !image.segments.is_empty() {
        out.overlay(if format.is_64 { 32 } else { 28 }, field("e_phoff", e_phoff)?, "e_phoff");
    }
    out.overlay(header_fields(format).e_shoff, field("e_shoff", e_shoff)?, "e_shoff");
    for (number, segment) in (0u64..).zip(&image.segments) {
        let base = e_phoff + number * format.program_header_size();
        let (p_offset, p_filesz) = place(image, segment, &headers);
        out.overlay(base + if format.is_64 { 8 } else { 4 }, field("p_offset", p_offset)?, "p_offset");
        out.overlay(base + segment_size_fields(format).0, field("p_filesz", p_filesz)?, "p_filesz");
    }
    if let Some(trailer) = image.trailer {
        decisions.push(Decision::DropSignature { kind: trailer.kind(), size: trailer.size, asked: false });
    }
    let patch = out.finish(len)?.normalize(whole);
    check_filled(&patch, image.len())?;
    Ok(Plan { patch, decisions })
}

const PT_NOTE: u32 = 4;

/// Where a segment's bytes are now: a segment of notes that stay has them, every other one has none.
fn place(image: &Image, segment: &ProgramHeader, headers: &[SectionHeader]) -> (u64, u64) {
    let inside = |h: &SectionHeader| {
        h.is_alloc() && h.file_size() != 0 && h.sh_offset >= segment.p_offset && h.sh_offset < segment.file_end()
    };
    let notes = image.indexed().filter(|(_, h)| segment.p_type == PT_NOTE && inside(h) && h.sh_type == SHT_NOTE);
    let moved: Vec<_> = notes.filter_map(|(index, _)| headers.get(index.get())).collect();
    let first = moved.iter().map(|h| h.sh_offset).min();
    let last = moved.iter().map(|h| h.sh_offset.saturating_add(h.file_size())).max();
    match first.zip(last) {
        Some((first, last)) => (first, last - first),
        None if segment.p_align > 1 && segment.p_type == PT_LOAD => (segment.p_vaddr % segment.p_align, 0),
        None => (0, 0),
    }
}
