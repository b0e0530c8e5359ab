//! The section header string table: a name is appended, never re-sorted, and leaves again when it was last and unused.
//!
//! A name is appended even where the table holds the same string already. Reusing a string would save five bytes and
//! cost law L3: the removal could not tell a string that the addition brought from one that was there before.

use elfgraft_elf::consts::*;
use elfgraft_elf::{Image, SectionIndex};

use crate::error::EditError;
use crate::resolve::Slot;

/// The new string table: a prefix of the old one, and what comes behind it.
pub(crate) struct Names {
    /// Bytes of the old table that stay.
    pub keep: u64,
    /// Bytes appended.
    pub append: Vec<u8>,
}

/// Gives every slot its `sh_name`, and the table that goes with them. `None` if the table stays as it is.
pub(crate) fn assign(image: &Image, slots: &mut [Slot]) -> Result<Option<Names>, EditError> {
    let old = image.names();
    let keep = trim(image, slots)?;
    if keep == old.len() && slots.iter().all(|s| s.name.is_none()) {
        return Ok(None);
    }
    if image.shstrndx.0 == 0 {
        return Err(EditError::Refused { why: "there is no section header string table to put a name into".into() });
    }
    if old.last() != Some(&0) {
        let table = image.describe(image.shstrndx);
        return Err(EditError::Refused {
            why: format!("section header string table {table} does not end in a NUL byte; a name cannot be appended"),
        });
    }
    let mut append = Vec::new();
    for slot in slots.iter_mut() {
        if let Some(name) = &slot.name {
            slot.header.sh_name = u32::try_from(keep + append.len())
                .map_err(|_| EditError::Refused { why: "section header string table grows beyond 4 GiB".into() })?;
            append.extend_from_slice(name);
            append.push(0);
        }
    }
    Ok(Some(Names { keep: keep as u64, append }))
}

/// Length of the table without the strings at its end that only sections that go, or get another name, used.
fn trim(image: &Image, slots: &[Slot]) -> Result<usize, EditError> {
    let old = image.names();
    let mut stays = vec![false; image.sections.len()];
    for slot in slots {
        if let (Some(from), None) = (slot.from, &slot.name) {
            stays[from.get()] = true;
        }
    }
    let mut gone: Vec<u32> = image.indexed().filter(|(i, _)| !stays[i.get()]).map(|(_, h)| h.sh_name).collect();
    if gone.is_empty() {
        return Ok(old.len());
    }
    gone.sort_unstable();
    let last_used_by_section =
        image.indexed().filter(|(i, _)| stays[i.get()]).map(|(_, h)| h.sh_name).max().unwrap_or(0);
    let mut last_used_by_symbol = None;
    let mut keep = old.len();
    while let Some(start) = last_string(&old[..keep]) {
        let Ok(start_name) = u32::try_from(start) else { break };
        if gone.binary_search(&start_name).is_err() || last_used_by_section >= start_name {
            break;
        }
        let by_symbol = match last_used_by_symbol {
            Some(known) => known,
            None => *last_used_by_symbol.insert(last_symbol_name(image)?),
        };
        if by_symbol >= start_name {
            break;
        }
        keep = start;
    }
    Ok(keep)
}

/// Where the last NUL-terminated string begins; never the empty string that begins every table.
fn last_string(table: &[u8]) -> Option<usize> {
    let (&0, body) = table.split_last()? else { return None };
    let start = body.iter().rposition(|&b| b == 0)? + 1;
    (start < body.len()).then_some(start)
}

/// The largest `st_name` of a symbol table that shares the section header string table (clang, rustc), else 0.
fn last_symbol_name(image: &Image) -> Result<u32, EditError> {
    let mut last = 0;
    for (index, header) in image.indexed() {
        if matches!(header.sh_type, SHT_SYMTAB | SHT_DYNSYM) && SectionIndex(header.sh_link) == image.shstrndx {
            for symbol in image.symbol_table(index)?.iter() {
                last = last.max(symbol?.1.st_name);
            }
        }
    }
    Ok(last)
}

#[cfg(test)]
mod tests {
    use super::last_string;

    #[test]
    fn last_string_is_never_the_empty_one() {
        assert_eq!(last_string(b"\0.text\0.BTF\0"), Some(7));
        assert_eq!(last_string(b"\0.text\0"), Some(1));
        assert_eq!(last_string(b"\0"), None);
        assert_eq!(last_string(b"\0a\0\0"), None);
        assert_eq!(last_string(b"\0a"), None);
        assert_eq!(last_string(b""), None);
    }
}
