//! Section headers: sizes of entries, alignment, links; string tables.

use super::{At, File, Out, Rule};
use crate::reader::{Elf, is_symbol_table};
use goblin::elf::section_header::{
    SHF_ALLOC, SHF_INFO_LINK, SHF_LINK_ORDER, SHT_DYNAMIC, SHT_DYNSYM, SHT_GNU_HASH, SHT_GNU_VERDEF, SHT_GNU_VERNEED,
    SHT_GNU_VERSYM, SHT_GROUP, SHT_HASH, SHT_NOBITS, SHT_REL, SHT_RELA, SHT_STRTAB, SHT_SYMTAB, SHT_SYMTAB_SHNDX,
    SectionHeader,
};

pub(super) fn check(file: &File, out: &mut Out) {
    let elf = file.elf;
    for (index, section) in elf.iter() {
        check_size(elf, index, section, out);
        check_align(elf, index, section, out);
        check_link(elf, index, section, out);
        check_info(elf, index, section, out);
        if section.sh_type == SHT_STRTAB
            && let Some(contents) = file.contents(index)
        {
            check_strings(elf, index, contents, out);
        }
    }
}

fn check_size(elf: &Elf, index: u32, section: &SectionHeader, out: &mut Out) {
    if elf.contents(index).is_some() && elf.unpacked_size(index).is_none() {
        out.say(Rule::TableSize, At(elf, index), "SHF_COMPRESSED, and too small for a compression header");
    }
    let Some(size) = elf.entry_size(section.sh_type) else { return };
    // Some compilers leave sh_entsize of small tables at 0, and readers know the size of 4-byte entries anyhow.
    if section.sh_entsize != size && !(size == 4 && section.sh_entsize == 0) {
        let text = format_args!("sh_entsize is {}, entries have {size} bytes", section.sh_entsize);
        out.say(Rule::TableSize, At(elf, index), text);
    }
    if !section.sh_size.is_multiple_of(size) {
        let text = format_args!("{} bytes are no whole number of entries of {size} bytes", section.sh_size);
        out.say(Rule::TableSize, At(elf, index), text);
    }
}

fn check_align(elf: &Elf, index: u32, section: &SectionHeader, out: &mut Out) {
    let align = section.sh_addralign;
    if align > 1 && !align.is_power_of_two() {
        out.say(Rule::SectionAlign, At(elf, index), format_args!("sh_addralign {align:#x} is no power of two"));
    } else if align > 1 && section.sh_flags & u64::from(SHF_ALLOC) != 0 && !section.sh_addr.is_multiple_of(align) {
        let text = format_args!("sh_addr {:#x} is not a multiple of sh_addralign {align:#x}", section.sh_addr);
        out.say(Rule::SectionAlign, At(elf, index), text);
    }
}

fn check_link(elf: &Elf, index: u32, section: &SectionHeader, out: &mut Out) {
    let link = section.sh_link;
    let Some(target) = elf.section(link) else {
        let text = format_args!("sh_link is {link}, there are {} sections", elf.sections.len());
        return out.say(Rule::SectionLink, At(elf, index), text);
    };
    let strings = target.sh_type == SHT_STRTAB;
    let symbols = is_symbol_table(target);
    let (right, wanted) = match section.sh_type {
        // Stripped of its section header, .dynstr of a separate debug file is SHT_NOBITS.
        SHT_SYMTAB | SHT_DYNSYM | SHT_DYNAMIC | SHT_GNU_VERDEF | SHT_GNU_VERNEED => {
            (strings || target.sh_type == SHT_NOBITS, "a string table")
        }
        SHT_GROUP | SHT_SYMTAB_SHNDX => (target.sh_type == SHT_SYMTAB, "a symbol table"),
        // Relocations of a static program, such as R_X86_64_IRELATIVE, need no symbols.
        SHT_REL | SHT_RELA if !elf.is_object() && link == 0 => (true, ""),
        SHT_REL | SHT_RELA | SHT_HASH | SHT_GNU_HASH | SHT_GNU_VERSYM => {
            (symbols || target.sh_type == SHT_NOBITS && !elf.is_object(), "a symbol table")
        }
        // 0 where the section that it followed was dropped.
        _ if section.sh_flags & u64::from(SHF_LINK_ORDER) != 0 => (link != index, "another section"),
        _ => (true, ""),
    };
    if !right {
        let text = format_args!("sh_link is {}, not {wanted}", elf.label(link));
        out.say(Rule::SectionLink, At(elf, index), text);
    }
}

fn check_info(elf: &Elf, index: u32, section: &SectionHeader, out: &mut Out) {
    let relocates = matches!(section.sh_type, SHT_REL | SHT_RELA);
    if !relocates && section.sh_flags & u64::from(SHF_INFO_LINK) == 0 {
        return;
    }
    let info = section.sh_info;
    if elf.section(info).is_none() {
        let text = format_args!("sh_info is {info}, there are {} sections", elf.sections.len());
        out.say(Rule::SectionInfo, At(elf, index), text);
    } else if relocates && elf.is_object() && (info == 0 || info == index) {
        out.say(Rule::SectionInfo, At(elf, index), format_args!("sh_info is {info}, not the section to relocate"));
    }
}

fn check_strings(elf: &Elf, index: u32, contents: &[u8], out: &mut Out) {
    if contents.first().is_some_and(|&byte| byte != 0) {
        out.say(Rule::StringTable, At(elf, index), "does not begin with a NUL: there is no empty string");
    }
    if contents.last().is_some_and(|&byte| byte != 0) {
        out.say(Rule::StringTable, At(elf, index), "does not end with a NUL");
    }
}
