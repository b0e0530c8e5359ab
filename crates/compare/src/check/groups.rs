//! Section groups.

use super::{At, File, Out, Rule};
use crate::reader::Elf;
use goblin::elf::section_header::{SHF_GROUP, SHT_GROUP};
use std::collections::HashMap;

/// GRP_COMDAT, GRP_MASKOS, GRP_MASKPROC.
const KNOWN_FLAGS: u32 = 1 | 0x0ff0_0000 | 0xf000_0000;

pub(super) fn check(file: &File, out: &mut Out) {
    let elf = file.elf;
    let mut member_of: HashMap<u32, u32> = HashMap::new();
    for (index, section) in elf.iter().filter(|(_, section)| section.sh_type == SHT_GROUP) {
        if let Some(symbols) = elf.symbols(section.sh_link)
            && (section.sh_info == 0 || section.sh_info >= symbols.len())
        {
            let text = format_args!("its signature is symbol {}, there are {}", section.sh_info, symbols.len());
            out.say(Rule::Group, At(elf, index), text);
        }
        if let Some(contents) = file.contents(index) {
            check_members(elf, index, contents, &mut member_of, out);
        }
    }
    if elf.is_object() {
        for (index, section) in elf.iter() {
            if section.sh_flags & u64::from(SHF_GROUP) != 0 && !member_of.contains_key(&index) {
                out.say(Rule::Group, At(elf, index), "has SHF_GROUP and is in no group");
            }
        }
    }
}

fn check_members(elf: &Elf, group: u32, contents: &[u8], member_of: &mut HashMap<u32, u32>, out: &mut Out) {
    let mut words = contents.chunks_exact(4).filter_map(|word| elf.endian().u32_at(word, 0));
    let flags = words.next();
    if let Some(flags) = flags.filter(|flags| flags & !KNOWN_FLAGS != 0) {
        out.say(Rule::Group, At(elf, group), format_args!("flags {flags:#x} are not known"));
    }
    let mut empty = true;
    for member in words {
        empty = false;
        let place = At(elf, group);
        match elf.section(member) {
            Some(_) if member == 0 => out.say(Rule::Group, place, "has section 0 as a member"),
            Some(section) => {
                if section.sh_flags & u64::from(SHF_GROUP) == 0 {
                    out.say(Rule::Group, place, format_args!("its member {} lacks SHF_GROUP", elf.label(member)));
                }
                if let Some(other) = member_of.insert(member, group) {
                    let text = format_args!("its member {} is in group [{other}] too", elf.label(member));
                    out.say(Rule::Group, At(elf, group), text);
                }
            }
            None => {
                let text = format_args!("has member {member}, there are {} sections", elf.sections.len());
                out.say(Rule::Group, place, text);
            }
        }
    }
    if flags.is_none() || empty {
        out.say(Rule::Group, At(elf, group), "has no members");
    }
}
