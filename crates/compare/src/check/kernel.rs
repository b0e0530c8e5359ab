//! The kernel's sections, and what is appended to modules.

use super::{At, File, Options, Out, Rule};
use crate::btf::{FileBtf, id_symbols, read, with_btf};
use crate::kernel::{MAX_LEVELS, Signature, SignatureError, module_hashes, notes, signature};
use crate::layout;
use elfgraft_btf::Btf;
use elfgraft_btf::ids::{Finding, Ids, Problem, Row};
use goblin::elf::section_header::{SHT_NOBITS, SHT_NOTE};
use std::collections::HashMap;
use std::ops::RangeInclusive;

pub(super) fn check(file: &File, options: &Options, out: &mut Out) {
    let elf = file.elf;
    for name in [&b".BTF"[..], b".BTF.base", b".BTF_ids", b".modinfo", b".module_hashes"] {
        let mut named = elf.iter().map(|(index, _)| index).filter(|&index| elf.is_named(index, name));
        let Some(index) = named.next() else { continue };
        let more = named.count();
        if more > 0 {
            out.say(Rule::DuplicateSection, At(elf, index), format_args!("there are {} of this name", more + 1));
        }
        // Separate debug files have the section without its contents.
        let has_contents = elf.section(index).is_some_and(|section| section.sh_type != SHT_NOBITS);
        let Some(contents) = file.contents(index).filter(|_| has_contents) else { continue };
        match name {
            b".BTF" => with_btf(elf, options.btf_base, |btf| check_btf(file, index, &btf, out)),
            b".BTF.base" => check_base(file, index, contents, out),
            b".BTF_ids" => with_btf(elf, options.btf_base, |btf| check_ids(file, index, contents, btf.get(), out)),
            b".modinfo" => {
                if contents.last().is_some_and(|&byte| byte != 0) {
                    out.say(Rule::Modinfo, At(elf, index), "does not end with a NUL");
                }
            }
            _ => check_hashes(file, index, contents, out),
        }
    }
    for (index, section) in elf.iter().filter(|(_, section)| section.sh_type == SHT_NOTE) {
        if let Some(contents) = file.contents(index)
            && !notes(contents, section.sh_addralign, elf.endian()).1
        {
            out.say(Rule::Note, At(elf, index), "holds a note that does not fit");
        }
    }
    check_trailer(layout::trailer(elf, &file.ranges), out);
}

fn check_btf(file: &File, index: u32, btf: &FileBtf, out: &mut Out) {
    let place = At(file.elf, index);
    match btf {
        FileBtf::None => {}
        FileBtf::NoBase => out.say(Rule::BtfBase, place, "split BTF, only its header was checked"),
        FileBtf::Bad(error) => out.say(Rule::Btf, place, error),
        FileBtf::BadBase(error) => out.say(Rule::Btf, place, format_args!("its base cannot be read: {error}")),
        FileBtf::Some(btf) => check_types(file, index, btf, out),
    }
}

fn check_types(file: &File, index: u32, btf: &Btf, out: &mut Out) {
    let place = At(file.elf, index);
    if btf.endian() != file.elf.endian() {
        let text = format_args!("is {:?} endian, the file {:?} endian", btf.endian(), file.elf.endian());
        out.say(Rule::Btf, &place, text);
    }
    if let Err(error) = btf.validate() {
        let base = if btf.base().is_some() { ", or this is not its base" } else { "" };
        out.say(Rule::Btf, &place, format_args!("{error}{base}"));
    }
}

fn check_base(file: &File, index: u32, contents: &[u8], out: &mut Out) {
    match read(contents, None) {
        Ok(btf) => check_types(file, index, &btf, out),
        Err(error) => out.say(Rule::Btf, At(file.elf, index), error),
    }
}

fn check_ids(file: &File, index: u32, contents: &[u8], btf: Option<&Btf>, out: &mut Out) {
    let symbols = id_symbols(file.elf, index);
    let ids = Ids::new(contents, file.elf.endian(), &symbols);
    let findings = ids.check(btf);
    let foreign = foreign_sets(&ids, btf);
    // They ascend and do not overlap.
    let in_foreign = |finding: &Finding| {
        let after = foreign.partition_point(|range| *range.start() <= finding.offset);
        foreign.get(..after).and_then(<[_]>::last).is_some_and(|range| finding.offset <= *range.end())
    };
    let kinds = findings.iter().map(|finding| (id_rule(finding, in_foreign(finding)), finding));
    // Of what a whole set has, one line.
    let mut like: HashMap<_, u64> = HashMap::new();
    kinds.clone().for_each(|(rule, finding)| *like.entry((rule, &finding.set)).or_default() += 1);
    for (rule, finding) in kinds {
        let place = At(file.elf, index);
        if rule == Rule::BtfIds {
            out.say(rule, place, finding);
        } else if let Some(count) = like.remove(&(rule, &finding.set)) {
            let more = if count > 1 { format!(", and {} more like it", count - 1) } else { String::new() };
            out.say(rule, place, format_args!("{finding}{more}"));
        }
    }
}

/// Sets that hold the ID of a type that none of their symbols asks for: no sort has done that. Where they are in the
/// section.
fn foreign_sets(ids: &Ids, btf: Option<&Btf>) -> Vec<RangeInclusive<u64>> {
    let Some(btf) = btf else { return Vec::new() };
    let rows = ids.rows(Some(btf));
    let sets = rows.chunk_by(Row::is_beside).filter(|rows| rows.iter().all(|row| row.set.is_some()));
    // Names get numbers: any number of entries may have one ID, of a type with a long name.
    let mut numbers = HashMap::new();
    for name in rows.iter().filter_map(|row| row.wanted) {
        let next = numbers.len();
        numbers.entry(name).or_insert(next);
    }
    let mut asked: HashMap<u32, Option<usize>> = HashMap::new();
    for row in &rows {
        asked.entry(row.id).or_insert_with(|| numbers.get(&row.actual?).copied());
    }
    let is_foreign = |rows: &&[Row]| {
        let mut wanted: HashMap<_, u64> = HashMap::new();
        let names = rows.iter().filter_map(|row| numbers.get(&row.wanted?));
        names.for_each(|name| *wanted.entry(*name).or_default() += 1);
        // An entry that no symbol names says nothing, and 0 is no ID.
        let mut ids = rows.iter().filter(|row| row.id != 0 && row.wanted.is_some());
        ids.any(|row| match asked.get(&row.id).copied().flatten().and_then(|name| wanted.get_mut(&name)) {
            Some(left) if *left > 0 => {
                *left -= 1;
                false
            }
            _ => true,
        })
    };
    let place = |rows: &[Row]| Some(rows.first()?.offset..=rows.last()?.offset);
    sets.filter(is_foreign).filter_map(place).collect()
}

fn id_rule(finding: &Finding, in_foreign: bool) -> Rule {
    match &finding.problem {
        // Not resolved yet.
        Problem::CountMismatch { count: 0, .. } | Problem::Unresolved { .. } => Rule::BtfIdsUnresolved,
        problem if problem.is_note() => Rule::BtfIdsUnresolved,
        // Sorting moves the entries of sets, never the words of lists.
        Problem::StaleSymbol { .. } | Problem::OtherKind { .. } if finding.set.is_some() && !in_foreign => {
            Rule::BtfIdsStale
        }
        _ => Rule::BtfIds,
    }
}

fn check_hashes(file: &File, index: u32, contents: &[u8], out: &mut Out) {
    let place = At(file.elf, index);
    match module_hashes(contents, file.elf.endian()) {
        None => out.say(Rule::ModuleHashes, place, format_args!("has {} bytes, not 36", contents.len())),
        Some((levels, _)) if levels > MAX_LEVELS => {
            out.say(Rule::ModuleHashes, place, format_args!("{levels} levels, a tree has {MAX_LEVELS} at most"));
        }
        Some((0, root)) if root != &[0; 32] => out.say(Rule::ModuleHashes, place, "a root of no modules that is not 0"),
        Some(_) => {}
    }
}

fn check_trailer(trailer: &[u8], out: &mut Out) {
    let mut say = |text: std::fmt::Arguments| out.say(Rule::Signature, "signature", text);
    let rest = match signature(trailer) {
        None => trailer,
        Some(Err(SignatureError::NoRoom)) => return say(format_args!("marker without struct module_signature")),
        Some(Err(SignatureError::TooLong { length, room })) => {
            return say(format_args!("has {length} bytes by its length, only {room} are behind the module"));
        }
        Some(Ok(signature)) => {
            check_signature(&signature, &mut say);
            signature.before
        }
    };
    if !rest.is_empty() {
        out.say(Rule::Trailer, "trailer", format_args!("{} bytes that are no signature", rest.len()));
    }
}

fn check_signature(signature: &Signature, say: &mut impl FnMut(std::fmt::Arguments)) {
    if signature.zeros != [0; 7] {
        say(format_args!("struct module_signature: fields that must be 0 are not"));
    }
    match (signature.id_type, signature.proof()) {
        // A SEQUENCE with a length of more than one byte.
        (2, _) if signature.contents.first() != Some(&0x30) => say(format_args!("no PKCS#7: not a DER sequence")),
        (2, _) | (3, Some(_)) => {}
        (3, None) => say(format_args!("no Merkle proof: {} bytes are not 4 + 32 per level", signature.contents.len())),
        (other, _) => say(format_args!("id_type {other} is neither 2 (PKCS#7) nor 3 (Merkle proof)")),
    }
}
