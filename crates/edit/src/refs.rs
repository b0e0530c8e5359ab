//! Who refers to whom: the one list of every place where a section index is stored, and what a removal means for it.
//!
//! | place | what it holds |
//! |---|---|
//! | `e_shstrndx`, `sh_link` of section 0 | section header string table |
//! | `sh_link` | string table, symbol table, or with `SHF_LINK_ORDER` the section to follow |
//! | `sh_info` of `SHT_REL`, `SHT_RELA`, or with `SHF_INFO_LINK` | the section relocated |
//! | `st_shndx`, `SHT_SYMTAB_SHNDX` | where a symbol is defined |
//! | `SHT_GROUP` contents | members |
//!
//! gABI, "Section header", "Section groups", "Symbol table".

use std::ops::Range;

use elfgraft_elf::consts::*;
use elfgraft_elf::encode::read_word;
use elfgraft_elf::{Image, SectionHeader, SectionIndex, Symbol, SymbolSection};

use crate::error::EditError;
use crate::removal::NOT_SELECTED;

/// Which sections name a section in `sh_link`.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Users {
    /// Symbol tables do (`SHT_SYMTAB`).
    pub symtab: bool,
    /// Others do.
    pub others: bool,
}

/// The users of each section.
pub(crate) fn users(image: &Image) -> Vec<Users> {
    let mut users = vec![Users::default(); image.sections.len()];
    for header in &image.sections {
        if let Some(users) = users.get_mut(header.sh_link as usize) {
            let symtab = header.sh_type == SHT_SYMTAB;
            *users = Users { symtab: users.symtab || symtab, others: users.others || !symtab };
        }
    }
    users
}

/// Whether `--only-section` leaves this section without being asked: the tables that ELF itself needs.
pub(crate) fn is_structural(image: &Image, index: SectionIndex, header: &SectionHeader, users: Users) -> bool {
    index == image.shstrndx
        || matches!(header.sh_type, SHT_SYMTAB | SHT_SYMTAB_SHNDX)
        || (header.sh_type == SHT_STRTAB && users.symtab)
}

/// Section indices listed in a group, in order.
///
/// # Errors
/// If the group is no list of words, or lists a section that does not exist.
pub(crate) fn group_members(image: &Image, group: SectionIndex) -> Result<Vec<SectionIndex>, EditError> {
    let bytes = image.contents(group)?;
    let broken = |what: String| EditError::Refused { why: format!("section group {}: {what}", image.describe(group)) };
    if bytes.len() < 4 || bytes.len() % 4 != 0 {
        return Err(broken(format!("{} bytes are no list of words", bytes.len())));
    }
    let members = (4..bytes.len()).step_by(4).filter_map(|at| read_word(image.format, bytes, at));
    members
        .map(|member| match image.sections.get(member as usize) {
            Some(_) if member != 0 => Ok(SectionIndex(member)),
            _ => Err(broken(format!("member {member} is no section"))),
        })
        .collect()
}

/// Why something goes along: see [`cascade`].
pub(crate) const ALONG: [&str; 3] = ["its target goes", "its last member goes", "its symbol table goes"];

/// What goes along with what goes: relocation sections of removed sections, groups whose last member went, the
/// `SHT_SYMTAB_SHNDX` of a removed symbol table. What was kept by name stays, and is then found to be in need.
pub(crate) fn cascade(image: &Image, kept: &[bool], gone: &mut [Option<&'static str>]) -> Result<(), EditError> {
    if gone.iter().all(Option::is_none) {
        return Ok(());
    }
    let target_of = |header: &SectionHeader| {
        // Dynamic relocation sections of executables serve the loader, whatever their sh_info says.
        let dynamic = header.is_alloc() && image.format.e_type != ET_REL;
        (header.is_reloc() && header.sh_info != 0 && !dynamic).then_some(header.sh_info as usize)
    };
    for (index, header) in image.indexed() {
        let Some(&target_gone) = target_of(header).and_then(|t| gone.get(t)) else { continue };
        let at = index.get();
        if target_gone.is_some() && !kept[at] && gone[at].is_none() {
            gone[at] = Some(ALONG[0]);
        } else if target_gone.is_none() && gone[at] == Some(NOT_SELECTED) {
            gone[at] = None;
        }
    }
    for (index, header) in image.indexed() {
        let at = index.get();
        if header.sh_type == SHT_GROUP && gone[at].is_none() && !kept[at] {
            let members = group_members(image, index)?;
            if !members.is_empty() && members.iter().all(|m| gone[m.get()].is_some()) {
                gone[at] = Some(ALONG[1]);
            }
        }
        let link_gone = gone.get(header.sh_link as usize).copied().flatten().is_some();
        if header.sh_type == SHT_SYMTAB_SHNDX && link_gone && !kept[at] {
            gone[at] = Some(ALONG[2]);
        }
    }
    Ok(())
}

/// Refuses new sections of which one would become what a symbol of the file has named without it: `st_shndx` of a damaged
/// file may be any number. The removal in the next run of the same edit would take that symbol for one of the section.
pub(crate) fn check_unnamed(image: &Image, new: Range<usize>) -> Result<(), EditError> {
    for table in image.symbol_tables() {
        // A broken table is found where it has to be read.
        let Ok(symbols) = image.symbol_table(table) else { continue };
        let new_one = |symbol: &Symbol| match symbol.section {
            SymbolSection::Index(index) if new.contains(&index.get()) => Some(index),
            _ => None,
        };
        let mut named = symbols.iter().flatten().filter_map(|(number, symbol)| Some((number, new_one(&symbol)?)));
        if let Some((number, index)) = named.next() {
            let table = image.describe(table);
            let why = format!(
                "section {table}, symbol {number}: its section [{index}] does not exist, and one that is added would be it"
            );
            return Err(EditError::Refused { why });
        }
    }
    Ok(())
}

/// Refuses a removal that leaves somebody with a link to nothing, naming the referrer.
pub(crate) fn check_links(image: &Image, alive: &[bool]) -> Result<(), EditError> {
    if alive.iter().all(|&a| a) {
        return Ok(());
    }
    let dead = |index: u32| alive.get(index as usize) == Some(&false);
    let refuse = |what: u32, by: SectionIndex, role: &str| {
        Err(EditError::StillNeeded {
            what: format!("section {}", image.describe(SectionIndex(what))),
            by: format!("section {} needs it as its {role}", image.describe(by)),
        })
    };
    if dead(image.shstrndx.0) {
        return Err(EditError::StillNeeded {
            what: format!("section {}", image.describe(image.shstrndx)),
            by: "it holds the names of all sections".into(),
        });
    }
    for (index, header) in image.indexed().filter(|(i, _)| !dead(i.0)) {
        if dead(header.sh_link) {
            let role = match header.sh_type {
                SHT_SYMTAB | SHT_DYNSYM => "string table",
                SHT_REL | SHT_RELA | SHT_GROUP | SHT_SYMTAB_SHNDX | SHT_HASH => "symbol table",
                _ if header.sh_flags & SHF_LINK_ORDER != 0 => "link order",
                _ => "sh_link",
            };
            return refuse(header.sh_link, index, role);
        }
        if header.info_is_section() && dead(header.sh_info) {
            return refuse(header.sh_info, index, "target");
        }
    }
    Ok(())
}
