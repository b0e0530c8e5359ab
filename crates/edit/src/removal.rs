//! Which sections go, and why.

use std::collections::HashSet;

use elfgraft_elf::consts::*;
use elfgraft_elf::{Image, SectionHeader, SectionIndex};

use crate::edit::Edits;
use crate::error::EditError;
use crate::refs::{self, Users};
use crate::resolve::missing;
use crate::symbol_edits::{Discard, Strip, is_debug};

/// Why each section goes; `None` for those that stay. Keeping beats removing.
pub(crate) fn removals(image: &Image, edits: &Edits) -> Result<Vec<Option<&'static str>>, EditError> {
    let mut gone = vec![None; image.sections.len()];
    if edits.remove.is_empty() && edits.only.is_empty() && edits.symbols.is_empty() {
        return Ok(gone);
    }
    let mut kept = vec![false; image.sections.len()];
    let users = refs::users(image);
    for (index, header) in image.indexed() {
        let (name, at) = (image.name(index)?, index.get());
        kept[at] = edits.keep.selects(name) || edits.remove.excludes(name) || edits.only.excludes(name);
        let selected =
            edits.only.is_empty() || edits.only.selects(name) || refs::is_structural(image, index, header, users[at]);
        gone[at] = if kept[at] {
            None
        } else if edits.remove.selects(name) {
            Some("asked for")
        } else if let Some(why) = stripped(image, edits, index, header, name, users[at]) {
            Some(why)
        } else {
            (!selected).then_some(NOT_SELECTED)
        };
    }
    if !edits.only.is_empty() {
        let present: HashSet<&[u8]> = image.indexed().filter_map(|(i, _)| image.name(i).ok()).collect();
        let mut literal = edits.only.iter().filter(|p| p.is_literal() && !p.is_negative());
        if let Some(pattern) = literal.find(|p| !present.contains(p.text())) {
            return Err(missing("--only-section", pattern.text()));
        }
    }
    refs::cascade(image, &kept, &mut gone)?;
    // What goes along with others may have been what was to stay.
    let lost = |i: SectionIndex| Some(gone[i.get()]?).filter(|why| refs::ALONG.contains(why));
    let mut named = image.indexed().filter(|(i, _)| image.name(*i).is_ok_and(|n| edits.only.names(n)));
    if let Some((index, why)) = named.find_map(|(i, _)| Some((i, lost(i)?))) {
        let why = format!("--only-section cannot keep section {} alone: {why}", image.describe(index));
        return Err(EditError::Refused { why });
    }
    Ok(gone)
}

/// Why stripping takes a section away.
fn stripped(
    image: &Image,
    edits: &Edits,
    index: SectionIndex,
    header: &SectionHeader,
    name: &[u8],
    users: Users,
) -> Option<&'static str> {
    if header.is_alloc() {
        return None;
    }
    // As GNU's: without local symbols, debugging information speaks of nothing.
    if is_debug(name) && (edits.symbols.strip != Strip::None || edits.symbols.discard == Discard::Locals) {
        return Some("debugging information");
    }
    if edits.symbols.strip != Strip::All {
        return None;
    }
    match header.sh_type {
        SHT_REL | SHT_RELA => Some("relocations go with their symbols"),
        SHT_GROUP => Some("groups go with their symbols"),
        SHT_SYMTAB | SHT_SYMTAB_SHNDX if edits.symbols.drops_table() => Some("all symbols go"),
        SHT_LLVM_ADDRSIG => Some("all symbols go"),
        SHT_STRTAB if edits.symbols.drops_table() && index != image.shstrndx => {
            (users.symtab && !users.others).then_some("all symbols go")
        }
        _ => None,
    }
}

/// Why a section goes that `--only-section` does not select. Its relocations belong to it and are judged with it.
pub(crate) const NOT_SELECTED: &str = "not selected";
