//! `-O binary`: the loadable contents of a file as they lie in memory, from the lowest load address on.
//!
//! A section's place is its load address: its address, or where its segment's `p_paddr` puts it. Nothing is re-aligned:
//! code at a load address would not be where it is looked for. Gaps are holes that occupy no disk, and a hole too large to
//! be meant is refused: one stray address makes GNU objcopy write gigabytes.

use std::borrow::Cow;

use elfgraft_elf::consts::*;
use elfgraft_elf::{Image, SectionHeader};
use elfgraft_patch::{Builder, Op};

use crate::addresses::image_addresses;
use crate::edit::Edits;
use crate::error::EditError;
use crate::layout::content_size;
use crate::lower::{Plan, contents, label};
use crate::resolve::{Slot, resolve};

/// How a flat image is filled.
#[derive(Debug, Clone, Copy)]
pub struct FlatOptions {
    /// The byte between sections.
    pub gap_fill: u8,
    /// Load address up to which the image is filled at least.
    pub pad_to: Option<u64>,
    /// Refuse an image of more bytes.
    pub max_size: u64,
}

/// A gibibyte: images of kernels and firmware are far smaller, and what a wrong load address makes is mostly larger.
pub const DEFAULT_MAX_SIZE: u64 = 1 << 30;

impl Default for FlatOptions {
    fn default() -> Self {
        FlatOptions { gap_fill: 0, pad_to: None, max_size: DEFAULT_MAX_SIZE }
    }
}

/// Zeros that records may have to be made of, where a flag gives contents to SHT_NOBITS sections.
const MAX_ZEROS: u64 = 1 << 24;

/// The flat image of a file after `edits` of its sections. Sections that were named by `--only-section` are taken even
/// if they are not allocated, when none of them is: an empty image of what was named would boot nothing.
///
/// # Errors
/// Those of [`crate::plan`]; if there is nothing to write, sections overlap, or the image is larger than `max_size`.
pub fn plan_flat<'a>(image: &Image<'a>, edits: &Edits<'a>, options: FlatOptions) -> Result<Plan<'a>, EditError> {
    let resolution = resolve(image, &Edits { flat: true, ..edits.clone() })?;
    let slots = resolution.slots;
    let mut placed = loadable(image, edits, &slots)?;
    placed.sort_by_key(|&(lma, slot)| (lma, slot));
    let refuse = |why: String| Err(EditError::Refused { why });

    let Some(&(base, _)) = placed.first() else {
        let globs = edits.only.iter().all(|p| !p.is_literal()) && !edits.only.is_empty();
        if globs {
            let patch = Builder::new(image.file().len() as u64).finish(0)?;
            return Ok(Plan { patch, decisions: resolution.decisions });
        }
        return refuse("no section has contents to load: the image would be empty".into());
    };
    let mut out = Builder::new(image.file().len() as u64);
    let mut end = base;
    let mut before: Option<usize> = None;
    for &(lma, at) in &placed {
        let name = |slot: usize| label(image, &slots, slot);
        if let Some(overlapped) = before.filter(|_| lma < end) {
            return refuse(format!(
                "sections {} and {} overlap: load address {lma:#x} lies before {end:#x}",
                name(overlapped),
                name(at)
            ));
        }
        let size = content_size(&slots[at]);
        let total = lma.checked_add(size).map(|end| end - base);
        if total.is_none_or(|total| total > options.max_size) {
            let gap = before.map_or(String::new(), |b| format!("; between {} and it are {} bytes", name(b), lma - end));
            return refuse(format!(
                "section {} at load address {lma:#x} makes the image larger than {} bytes{gap}; --max-size allows more",
                name(at),
                options.max_size
            ));
        }
        out.fill(end - base, lma - end, options.gap_fill, "gap");
        let mut offset = lma - base;
        for op in contents(image, &slots[at]) {
            let size = op.size();
            match op {
                Op::Copy { from, len } => out.copy(offset, from, len, name(at)),
                Op::Write(bytes) => out.write(offset, bytes, name(at)),
                _ => out.zero(offset, size, name(at)),
            };
            offset += size;
        }
        end = lma + size;
        before = Some(at);
    }
    let mut len = end - base;
    if let Some(pad_to) = options.pad_to.and_then(|to| to.checked_sub(base)).filter(|&to| to > len) {
        if pad_to > options.max_size {
            return refuse(format!(
                "--pad-to makes the image {pad_to} bytes; --max-size allows more than {}",
                options.max_size
            ));
        }
        out.fill(len, pad_to - len, options.gap_fill, "gap");
        len = pad_to;
    }
    Ok(Plan { patch: out.finish(len)?, decisions: resolution.decisions })
}

/// Contents and where they are loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loaded<'a> {
    /// Load address of the first byte.
    pub lma: u64,
    /// The bytes; borrowed from the file where they are the file's.
    pub bytes: Cow<'a, [u8]>,
}

/// What [`plan_flat`] puts into its image, section by section and without gaps, by load address.
///
/// # Errors
/// Those of [`crate::plan`].
pub fn loaded<'a>(image: &Image<'a>, edits: &Edits<'a>) -> Result<Vec<Loaded<'a>>, EditError> {
    let slots = resolve(image, &Edits { flat: true, ..edits.clone() })?.slots;
    let mut placed = loadable(image, edits, &slots)?;
    placed.sort_by_key(|&(lma, slot)| (lma, slot));
    let mut zeros = 0u64;
    let mut bytes_of = |at: usize| -> Result<Cow<'a, [u8]>, EditError> {
        let range =
            |from: u64, len: u64| Some(usize::try_from(from).ok()?..usize::try_from(from.checked_add(len)?).ok()?);
        let kept = |from, len| range(from, len).and_then(|r| image.file().get(r)).unwrap_or_default();
        let mut all = Cow::Borrowed(&[][..]);
        for op in contents(image, &slots[at]) {
            let part: Cow<[u8]> = match op {
                Op::Copy { from, len } => kept(from, len).into(),
                Op::Write(bytes) => bytes,
                // SHT_NOBITS that a flag gave contents: as many as the section says, but not any number.
                other => {
                    zeros = zeros.saturating_add(other.size());
                    if zeros > MAX_ZEROS {
                        let (name, size) = (label(image, &slots, at), other.size());
                        return Err(EditError::Refused {
                            why: format!("section {name}: {size} bytes of zeros are too many for records"),
                        });
                    }
                    vec![0; usize::try_from(other.size()).unwrap_or_default()].into()
                }
            };
            all = if all.is_empty() { part } else { [&all[..], &part].concat().into() };
        }
        Ok(all)
    };
    placed.into_iter().map(|(lma, at)| Ok(Loaded { lma, bytes: bytes_of(at)? })).collect()
}

/// Load address and slot of everything that goes into the image.
fn loadable(image: &Image, edits: &Edits, slots: &[Slot]) -> Result<Vec<(u64, usize)>, EditError> {
    let candidates = (1..slots.len()).filter(|&at| content_size(&slots[at]) != 0);
    let is_alloc = |at: &usize| slots[*at].header.is_alloc();
    let mut chosen: Vec<usize> = candidates.clone().filter(is_alloc).collect();
    if chosen.is_empty() && !edits.only.is_empty() {
        for at in candidates {
            let named = slots[at].from.map(|i| image.name(i)).transpose()?;
            if named.is_some_and(|name| edits.only.selects(name)) {
                chosen.push(at);
            }
        }
    }
    image_addresses(image, edits, slots, &chosen)
}

/// Linkers that know no load addresses leave every `p_paddr` 0: then addresses are meant.
pub(crate) fn has_load_addresses(image: &Image) -> bool {
    image.segments.iter().any(|s| s.p_type == PT_LOAD && s.p_paddr != 0)
}

/// Where a section is loaded; `physical` is [`has_load_addresses`].
pub(crate) fn load_address(image: &Image, header: &SectionHeader, physical: bool) -> u64 {
    let inside = |s: &&elfgraft_elf::ProgramHeader| {
        s.p_type == PT_LOAD
            && header.sh_addr >= s.p_vaddr
            && header.sh_addr - s.p_vaddr < s.p_memsz.max(1)
            && header.sh_offset >= s.p_offset
            && header.sh_offset - s.p_offset <= s.p_filesz
    };
    match image.segments.iter().find(inside).filter(|_| physical && header.is_alloc()) {
        Some(segment) => segment.p_paddr.wrapping_add(header.sh_addr - segment.p_vaddr),
        None => header.sh_addr,
    }
}
