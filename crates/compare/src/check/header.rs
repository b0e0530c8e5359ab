//! The ELF header.

use super::{Out, Rule};
use crate::reader::Elf;
use goblin::elf::section_header::{SHN_LORESERVE, SHT_STRTAB};

pub(super) fn check(elf: &Elf, out: &mut Out) {
    let header = &elf.header;
    let [_, _, _, _, _, _, version, ..] = header.e_ident;
    let mut say = |text: std::fmt::Arguments| out.say(Rule::Header, "ELF header", text);
    if version != 1 || header.e_version != 1 {
        say(format_args!("EI_VERSION {version}, e_version {}: both must be 1", header.e_version));
    }
    let size: u16 = if elf.is_64() { 64 } else { 52 };
    if header.e_ehsize != size {
        say(format_args!("e_ehsize is {}, the class has {size}", header.e_ehsize));
    }
    // ET_REL, ET_EXEC, ET_DYN, ET_CORE, and those of systems and processors.
    if !matches!(header.e_type, 1..=4 | 0xfe00..) {
        say(format_args!("e_type {:#x} is no type of file", header.e_type));
    }
    if header.e_shoff == 0 && header.e_shnum != 0 {
        say(format_args!("e_shnum is {}, but there is no section header table", header.e_shnum));
    }
    check_section_0(elf, out);
    check_names(elf, out);
}

fn check_section_0(elf: &Elf, out: &mut Out) {
    if elf.sections.is_empty() {
        return;
    }
    if elf.section_0() != Some([0; 10]) {
        out.say(Rule::SectionNull, "section [0]", "its header is not all zero");
    }
    let count = elf.sections.len();
    let is_module = elf.is_object() && elf.find(b".modinfo").is_some();
    if is_module && usize::try_from(SHN_LORESERVE).is_ok_and(|most| count >= most) {
        out.say(Rule::ManySections, "section header table", format_args!("{count} sections, more than 65,279"));
    }
}

fn check_names(elf: &Elf, out: &mut Out) {
    if elf.sections.len() < 2 {
        return;
    }
    let index = elf.shstrndx;
    match elf.section(index) {
        _ if index == 0 => out.say(Rule::SectionNames, "ELF header", "e_shstrndx is 0: sections have no names"),
        None => {
            let text = format_args!("e_shstrndx is {index}, there are {} sections", elf.sections.len());
            out.say(Rule::SectionNames, "ELF header", text);
        }
        Some(section) if section.sh_type != SHT_STRTAB => {
            let text = format_args!("e_shstrndx is {index}, a section of type {:#x}, not SHT_STRTAB", section.sh_type);
            out.say(Rule::SectionNames, "ELF header", text);
        }
        Some(section) => {
            let size = usize::try_from(section.sh_size).unwrap_or(usize::MAX);
            for (index, section) in elf.iter().filter(|(_, section)| section.sh_name >= size) {
                let text = format_args!("sh_name is {:#x}, the string table has {size} bytes", section.sh_name);
                out.say(Rule::SectionName, format_args!("section [{index}]"), text);
            }
        }
    }
}
