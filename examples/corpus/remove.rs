//! L1 and L4 for removals: exactly what belongs to the removed sections goes with them.

use elfgraft_compare::diff::{Key, Report};
use elfgraft_elf::consts::{ET_REL, SHT_GROUP};
use elfgraft_elf::encode::read_word;
use elfgraft_elf::{Image, SectionIndex, SymbolSection};

use crate::laws::{Subject, edit, is_identity, is_table_end, only, remove_edit};
use crate::tally::{
    Tally,
    Verdict::{self, Failed, Held, Refused},
};

/// Removes what `pattern` (a name, or the beginning of one and `*`) matches.
pub fn check(image: &Image, file: &Subject, pattern: &str, tally: &mut Tally) {
    let victims = victims(image, pattern);
    if victims.is_empty() {
        return;
    }
    let edits = remove_edit(&[pattern]);
    let case = format!("remove {pattern}");
    let y = match edit(file.x, &edits) {
        Ok(y) => y,
        Err(e) => return tally.law("removing sections", file.name, &case, Refused(e.to_string())),
    };
    tally.law("removing sections", file.name, &case, Held);
    file.say("L1 twice is once", &case, is_identity(&y, &edits), tally);
    file.nothing_else(&case, &y, |report| judge(image, &victims, report), tally);
}

/// The sections that must go: those that match, their relocation sections, groups with no other members.
fn victims(image: &Image, pattern: &str) -> Vec<SectionIndex> {
    let matches = |name: &[u8]| match pattern.strip_suffix('*') {
        Some(prefix) => name.starts_with(prefix.as_bytes()),
        None => name == pattern.as_bytes(),
    };
    let mut gone = vec![false; image.sections.len()];
    for (index, _) in image.indexed() {
        gone[index.get()] = image.name(index).is_ok_and(matches);
    }
    for (index, header) in image.indexed() {
        // A dynamic relocation section serves the loader, whatever its sh_info says.
        let of_a_section = header.is_reloc() && (image.format.e_type == ET_REL || !header.is_alloc());
        gone[index.get()] |= of_a_section && gone.get(header.sh_info as usize) == Some(&true);
    }
    for (index, header) in image.indexed() {
        if header.sh_type == SHT_GROUP && gone.iter().any(|&g| g) {
            let bytes = image.contents(index).unwrap_or_default();
            let mut members =
                (4..bytes.len()).step_by(4).filter_map(|at| read_word(image.format, bytes, at)).peekable();
            let some = members.peek().is_some();
            gone[index.get()] |= some && members.all(|m| gone.get(m as usize) == Some(&true));
        }
    }
    image.indexed().map(|(index, _)| index).filter(|index| gone[index.get()]).collect()
}

fn judge(image: &Image, victims: &[SectionIndex], report: &Report) -> Verdict {
    let number = |key: Key| {
        let more = report.more.get(&key).copied().unwrap_or_default();
        report.findings.iter().filter(|f| f.key == key).count() as u64 + more
    };
    let symbols = symbols_in(image, victims);
    for (key, wanted) in [(Key::SectionRemoved, victims.len() as u64), (Key::SymbolRemoved, symbols)] {
        if number(key) != wanted {
            return Failed(format!("{key}: {} findings, expected {wanted}", number(key)));
        }
    }
    only(report, |f| match f.key {
        Key::SectionRemoved => victims.iter().any(|&victim| f.place.ends_with(&victim.to_string())),
        // As many as there were in the victims, and no kept section refers to another symbol than before.
        Key::SymbolRemoved => true,
        // The last section of a segment takes its bytes along.
        Key::Segment => f.text.starts_with("p_filesz") || f.text.starts_with("p_memsz"),
        // Symbol numbers as ULEB128: the comparison does not know what they mean.
        Key::Contents | Key::SectionSize => f.place.contains("'.llvm_addrsig'"),
        // A group that keeps members loses those that go.
        Key::Group => true,
        _ => is_table_end(f),
    })
}

fn symbols_in(image: &Image, sections: &[SectionIndex]) -> u64 {
    let tables = image.symbol_tables().into_iter().filter_map(|index| image.symbol_table(index).ok());
    let symbols =
        tables.flat_map(|table| table.iter().filter_map(|s| s.ok()).map(|(_, s)| s.section).collect::<Vec<_>>());
    symbols.filter(|section| matches!(section, SymbolSection::Index(index) if sections.contains(index))).count() as u64
}
