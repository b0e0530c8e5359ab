//! Edits x Image -> what becomes of every section. No offset is decided here.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use elfgraft_elf::consts::*;
use elfgraft_elf::{Image, SectionHeader, SectionIndex, printable};
use elfgraft_patch::Op;

use crate::addresses;
use crate::compressed;
use crate::decision::Decision;
use crate::edit::{Content, Edits, Rename, Target, default_alignment};
use crate::error::EditError;
use crate::headers::{headers, set_flags};
use crate::refs;
use crate::removal::removals;
use crate::segments;

/// A place in the section header table of the result.
#[derive(Debug)]
pub(crate) struct Slot<'a> {
    /// The section of the input it continues; `None` for an added one.
    pub from: Option<SectionIndex>,
    /// A name to append to the string table; `None` keeps `sh_name`.
    pub name: Option<Vec<u8>>,
    /// The header. Offsets, names and links still speak of the input until `lower`.
    pub header: SectionHeader,
    /// What the section will hold.
    pub contents: Contents<'a>,
    /// Removed and added in one call: it continues the index of `from` and nothing else.
    pub fresh: bool,
    /// The contents leave the segment they lie in, for where non-allocated contents are.
    pub leaves: bool,
}

/// Contents of a section of the result.
#[derive(Debug)]
pub(crate) enum Contents<'a> {
    /// As they are in the input, if the section has any.
    Kept,
    /// These pieces, one behind the other.
    New(Vec<Op<'a>>),
}

/// The slots of the result, and the decisions that led to them.
pub(crate) struct Resolution<'a> {
    pub slots: Vec<Slot<'a>>,
    pub decisions: Vec<Decision>,
}

/// Decides what stays, goes and comes. Slot 0 is the null section, if the file has a section header table.
pub(crate) fn resolve<'a>(image: &Image<'a>, edits: &Edits<'a>) -> Result<Resolution<'a>, EditError> {
    let mut decisions = Vec::new();
    let why_gone = removals(image, edits)?;
    for (index, why) in (0..).map(SectionIndex).zip(&why_gone) {
        if let Some(why) = *why {
            decisions.push(Decision::Remove { section: image.describe(index), why });
        }
    }
    let gone: Vec<bool> = why_gone.iter().map(Option::is_some).collect();
    let mut slots = keep(image, &gone);
    rename(image, edits, &mut slots, &mut decisions)?;
    add(image, edits, &gone, &mut slots, &mut decisions)?;
    update(image, edits, &gone, &mut slots, &mut decisions)?;
    headers(image, edits, &mut slots, &mut decisions)?;
    addresses::sections(image, edits, &mut slots, &mut decisions)?;
    let survivors: Vec<bool> = {
        let mut alive = vec![false; image.sections.len()];
        // A table that is replaced in its slot is one no longer: new contents are those of a plain section.
        let is_table = |index: SectionIndex| {
            let known = |header: &SectionHeader| matches!(header.sh_type, SHT_SYMTAB | SHT_DYNSYM | SHT_STRTAB);
            index == image.shstrndx || image.header(index).is_ok_and(known)
        };
        let stays = |slot: &&Slot| !(slot.fresh && slot.from.is_some_and(is_table));
        slots.iter().filter(stays).filter_map(|s| s.from).for_each(|i| alive[i.get()] = true);
        alive
    };
    refs::check_links(image, &survivors)?;
    Ok(Resolution { slots, decisions })
}

fn keep<'a>(image: &Image<'a>, gone: &[bool]) -> Vec<Slot<'a>> {
    let all = (0u32..).map(SectionIndex).zip(&image.sections);
    all.filter(|(index, _)| !gone[index.get()])
        .map(|(index, header)| Slot {
            from: Some(index),
            name: None,
            header: header.clone(),
            contents: Contents::Kept,
            fresh: false,
            leaves: false,
        })
        .collect()
}

fn rename(image: &Image, edits: &Edits, slots: &mut [Slot], decisions: &mut Vec<Decision>) -> Result<(), EditError> {
    let mut once: HashMap<&[u8], &Rename> = HashMap::new();
    for rename in &edits.rename {
        // Which of two is meant would depend on their order. The peers refuse it too.
        if once.insert(&rename.from, rename).is_some_and(|other| *other != *rename) {
            let why = format!("section '{}' gets two new names", printable(&rename.from));
            return Err(EditError::Refused { why });
        }
    }
    for slot in slots.iter_mut().skip(1) {
        let Some(index) = slot.from else { continue };
        let name = image.name(index)?;
        let to;
        if let Some(rename) = once.get(name) {
            to = Some(rename.to.clone());
            if let Some(flags) = rename.flags {
                set_flags(image, slot, flags);
            }
        } else if slot.header.is_reloc() && slot.header.sh_flags & SHF_RELA_LIVEPATCH == 0 {
            // `.rela.A` of a renamed A goes with it, as with both peers. A `.klp.rela` name is its owner's.
            let target = SectionIndex(slot.header.sh_info);
            let old = image.name(target).unwrap_or_default();
            let rename = once.get(old).filter(|_| !old.is_empty());
            // The dynamic linker's relocations are sections like any other when it comes to prefixes.
            let own = slot.header.is_alloc() && rename.is_none();
            let new = rename.map(|r| r.to.clone()).or_else(|| prefixed(image, edits, if own { index } else { target }));
            to = match own {
                true => new,
                false => new.and_then(|new| name.strip_suffix(old).map(|prefix| [prefix, &new].concat())),
            };
        } else {
            to = prefixed(image, edits, index);
        }
        if let Some(to) = to.filter(|to| to != name) {
            decisions.push(Decision::Rename { section: image.describe(index), from: name.to_vec(), to: to.clone() });
            slot.name = Some(to);
        }
    }
    Ok(())
}

/// A section's name with the prefix asked for. The tables of ELF itself keep theirs, as with GNU's.
fn prefixed(image: &Image, edits: &Edits, index: SectionIndex) -> Option<Vec<u8>> {
    let (name, header) = (image.name(index).ok()?, image.header(index).ok()?);
    let own = matches!(header.sh_type, SHT_SYMTAB | SHT_STRTAB | SHT_SYMTAB_SHNDX) && !header.is_alloc();
    let prefix = match header.is_alloc() && !edits.prefix_alloc_sections.is_empty() {
        true => &edits.prefix_alloc_sections,
        false => &edits.prefix_sections,
    };
    (!own && !prefix.is_empty() && index.0 != 0).then(|| [prefix, name].concat())
}

/// Additions, in the order of their names: so the result does not depend on the order of the options.
fn add<'a>(
    image: &Image<'a>,
    edits: &Edits<'a>,
    gone: &[bool],
    slots: &mut Vec<Slot<'a>>,
    decisions: &mut Vec<Decision>,
) -> Result<(), EditError> {
    let mut new: Vec<(&Content<'a>, bool)> = edits.add.iter().map(|c| (c, false)).collect();
    new.extend(edits.set.iter().map(|c| (c, true)));
    new.sort_by(|a, b| a.0.section.cmp(&b.0.section));
    if let Some(twice) = new.windows(2).find(|w| w[0].0.section == w[1].0.section) {
        return Err(EditError::Refused {
            why: format!("section '{}' is to be added twice", printable(&twice[0].0.section)),
        });
    }
    if !new.is_empty() && image.sections.is_empty() {
        return Err(EditError::Refused {
            why: "the file has no section header table; a section cannot be added".into(),
        });
    }
    if let Some((bad, _)) = new.iter().find(|(c, _)| c.section.is_empty() || c.section.contains(&0)) {
        return Err(EditError::Refused { why: format!("'{}' cannot be a section's name", printable(&bad.section)) });
    }
    replace_in_their_slots(image, edits, &new, gone, slots, decisions)?;
    let present = places(image, slots, new.iter().map(|(c, _)| &*c.section), false);
    let old = slots.len();
    for (content, replaces) in new {
        let name = &content.section;
        let size = content.bytes.len() as u64;
        match (present.get(&**name).map_or(&[][..], Vec::as_slice), replaces) {
            ([], _) => {
                decisions.push(Decision::Add { section: format!("'{}' [{}]", printable(name), slots.len()), size });
                let (header, contents) = (fresh(name, edits), write(content.bytes.clone()));
                let name = Some(name.clone());
                slots.push(Slot { from: None, name, header, contents, fresh: false, leaves: false });
            }
            // Replaced already.
            ([at], _) if slots[*at].fresh => {}
            ([at], true) => {
                let section = describe(image, slots, *at);
                resize(&mut slots[*at], &section, content.bytes.clone(), edits, image, decisions)?;
            }
            ([at], false) => return Err(EditError::Exists { section: describe(image, slots, *at) }),
            (several, true) => return Err(ambiguous("set", name, image, slots, several)),
            (several, false) => return Err(ambiguous("--add-section", name, image, slots, several)),
        }
    }
    if !edits.remove.is_empty() && slots.len() > old {
        refs::check_unnamed(image, old..slots.len())?;
    }
    Ok(())
}

/// What is removed and added in one call is replaced in its own slot, so that the second run changes nothing.
fn replace_in_their_slots<'a>(
    image: &Image<'a>,
    edits: &Edits<'a>,
    new: &[(&Content<'a>, bool)],
    gone: &[bool],
    slots: &mut Vec<Slot<'a>>,
    decisions: &mut Vec<Decision>,
) -> Result<(), EditError> {
    if !gone.contains(&true) {
        return Ok(());
    }
    let present = places(image, slots, new.iter().map(|(c, _)| &*c.section), false);
    let mut contents: HashMap<&[u8], &Content<'a>> = HashMap::new();
    contents.extend(new.iter().map(|(c, _)| (&*c.section, *c)).filter(|(name, _)| !present.contains_key(name)));
    let (mut replaced, mut described) = (Vec::new(), HashSet::new());
    for (index, old) in image.indexed().filter(|(index, _)| gone[index.get()]) {
        // Of several of that name the first.
        let Some(content) = contents.remove(image.name(index)?) else { continue };
        let SectionHeader { sh_name, sh_offset, .. } = *old;
        let header = SectionHeader { sh_name, sh_offset, ..fresh(&content.section, edits) };
        let (old, new) = (old.file_size(), content.bytes.len() as u64);
        decisions.push(Decision::Replace { section: image.describe(index), old, new });
        described.insert(image.describe(index));
        let (contents, leaves) = (write(content.bytes.clone()), segments::in_segment(image, index));
        replaced.push(Slot { from: Some(index), name: None, header, contents, fresh: true, leaves });
    }
    if !replaced.is_empty() {
        decisions.retain(|d| !matches!(d, Decision::Remove { section, .. } if described.contains(section)));
        slots.extend(replaced);
        slots.sort_by_key(|slot| slot.from);
    }
    Ok(())
}

/// The slots, but for the null section, of each of these names: the names that sections get, with `old` also those that they
/// had.
fn places<'e>(
    image: &Image,
    slots: &[Slot],
    names: impl Iterator<Item = &'e [u8]>,
    old: bool,
) -> HashMap<&'e [u8], Vec<usize>> {
    let mut found: HashMap<&[u8], Vec<usize>> = names.map(|name| (name, Vec::new())).collect();
    if found.is_empty() {
        return found;
    }
    for (at, slot) in slots.iter().enumerate().skip(1) {
        let had = slot.from.and_then(|index| image.name(index).ok());
        let now = slot.name.as_deref().or(had);
        for name in now.into_iter().chain(had.filter(|&had| old && Some(had) != now)) {
            if let Some(places) = found.get_mut(name) {
                places.push(at);
            }
        }
    }
    found.retain(|_, places| !places.is_empty());
    found
}

/// A header as a new section gets it. `sh_offset`, `sh_name` and `sh_size` come later.
fn fresh(name: &[u8], edits: &Edits) -> SectionHeader {
    // By name as both peers do; `.note.GNU-stack` is PROGBITS everywhere.
    let note = name.starts_with(b".note") && name != b".note.GNU-stack";
    SectionHeader {
        sh_type: if note { SHT_NOTE } else { SHT_PROGBITS },
        sh_addralign: default_alignment(name, edits.drop_in),
        ..SectionHeader::default()
    }
}

fn write<'a>(bytes: Cow<'a, [u8]>) -> Contents<'a> {
    Contents::New(vec![Op::Write(bytes)])
}

fn update<'a>(
    image: &Image<'a>,
    edits: &Edits<'a>,
    gone: &[bool],
    slots: &mut [Slot<'a>],
    decisions: &mut Vec<Decision>,
) -> Result<(), EditError> {
    let mut once: HashMap<usize, &[u8]> = HashMap::new();
    let names = edits.update.iter().filter_map(|content| match &content.section {
        Target::Name(name) => Some(&**name),
        Target::Index(_) => None,
    });
    // The old name means the section too: a rename in the same call does not hide it.
    let by_name = places(image, slots, names, true);
    let by_index: HashMap<SectionIndex, usize> = match edits.update.is_empty() {
        true => HashMap::new(),
        false => (0..).zip(slots.iter()).skip(1).filter_map(|(at, slot)| Some((slot.from?, at))).collect(),
    };
    for content in &edits.update {
        let found: Vec<usize> = match &content.section {
            Target::Name(name) => by_name.get(&**name).cloned().unwrap_or_default(),
            Target::Index(index) => by_index.get(index).copied().into_iter().collect(),
        };
        match (found.as_slice(), &content.section) {
            ([at], _) => {
                let section = describe(image, slots, *at);
                // Which contents are meant would depend on the order of the options.
                if once.insert(*at, &content.bytes).is_some_and(|other| *other != *content.bytes) {
                    let why = format!("section {section} is to be updated twice");
                    return Err(EditError::Refused { why });
                }
                resize(&mut slots[*at], &section, content.bytes.clone(), edits, image, decisions)?;
            }
            ([], Target::Name(name)) if image.named(name).iter().any(|i| gone[i.get()]) => {
                return Err(EditError::Refused {
                    why: format!("section '{}' is to be updated and removed at once", printable(name)),
                });
            }
            ([], Target::Name(name)) => return Err(missing("--update-section", name)),
            ([], Target::Index(index)) => {
                return Err(EditError::Refused { why: format!("there is no section {index} to update") });
            }
            (several, Target::Name(name)) => return Err(ambiguous("--update-section", name, image, slots, several)),
            (_, Target::Index(_)) => {}
        }
    }
    Ok(())
}

/// Gives a slot new contents, as far as its size may change.
fn resize<'a>(
    slot: &mut Slot<'a>,
    section: &str,
    bytes: Cow<'a, [u8]>,
    edits: &Edits,
    image: &Image,
    decisions: &mut Vec<Decision>,
) -> Result<(), EditError> {
    let refused = |why: String| Err(EditError::Refused { why });
    if let Some(sh_type) = slot.header.type_without_contents() {
        return refused(format!("section {section} is {sh_type}: it has no contents in the file"));
    }
    if slot.from == Some(image.shstrndx) {
        return refused(format!("section {section} is the section header string table: its contents are elfgraft's"));
    }
    let old = slot.header.file_size();
    let new = bytes.len() as u64;
    let in_segment = slot.from.is_some_and(|i| segments::in_segment(image, i));
    let fixed = if slot.header.is_alloc() {
        Some("allocated sections cannot grow")
    } else {
        in_segment.then_some("a section inside a segment cannot grow")
    };
    if slot.header.sh_flags & SHF_COMPRESSED != 0 && !slot.fresh && !compressed::is_valid(image.format, &bytes) {
        return refused(format!("section {section} is SHF_COMPRESSED: the new contents have no compression header"));
    }
    let mut parts = vec![Op::Write(bytes)];
    if slot.from.is_some() && !slot.fresh {
        match fixed {
            Some(why) if new > old => {
                return Err(EditError::Size { section: section.into(), new, old, why });
            }
            Some(_) if new < old && edits.pad => parts.push(Op::Zero { len: old - new }),
            Some(_) if new < old && !edits.drop_in => {
                let why = "--pad fills the rest with zeros";
                return Err(EditError::Size { section: section.into(), new, old, why });
            }
            _ => {}
        }
    }
    if slot.from.is_some() {
        decisions.push(Decision::Replace { section: section.into(), old, new });
    }
    slot.contents = Contents::New(parts);
    Ok(())
}

fn current_name<'s>(image: &Image<'s>, slot: &'s Slot) -> Result<Cow<'s, [u8]>, EditError> {
    match (&slot.name, slot.from) {
        (Some(name), _) => Ok(Cow::Borrowed(name)),
        (None, Some(index)) => Ok(Cow::Borrowed(image.name(index)?)),
        (None, None) => Ok(Cow::Borrowed(&[])),
    }
}

pub(crate) fn describe(image: &Image, slots: &[Slot], at: usize) -> String {
    let name = slots.get(at).and_then(|s| current_name(image, s).ok().map(|n| printable(&n)));
    format!("'{}' [{at}]", name.unwrap_or_default())
}

fn ambiguous(option: &'static str, name: &[u8], image: &Image, slots: &[Slot], found: &[usize]) -> EditError {
    let sections = found.iter().map(|&at| describe(image, slots, at)).collect();
    EditError::Ambiguous { option, name: printable(name), sections }
}

pub(crate) fn missing(option: &'static str, name: &[u8]) -> EditError {
    EditError::Missing { option, name: printable(name) }
}
