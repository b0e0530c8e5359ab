//! Relocations.

use super::{At, File, Out, Rule};
use goblin::elf::section_header::{SHF_ALLOC, SHT_REL, SHT_RELA};

pub(super) fn check(file: &File, out: &mut Out) {
    let elf = file.elf;
    for (index, section) in elf.iter().filter(|(_, section)| matches!(section.sh_type, SHT_REL | SHT_RELA)) {
        let Some(relocs) = elf.relocs(index).filter(|_| file.is_own(index)) else { continue };
        let symbols = elf.symbols(section.sh_link).map_or(0, |symbols| symbols.len());
        // In a linked file offsets are addresses.
        let size = elf.is_object().then(|| elf.unpacked_size(section.sh_info)).flatten();
        // Dynamic symbols may be found without section headers; then their number is not known.
        let counted = symbols > 0 || section.sh_flags & u64::from(SHF_ALLOC) == 0;
        for reloc in relocs.iter() {
            let at = || format!("{} at {:#x}", At(elf, index), reloc.offset);
            if counted && reloc.symbol > 0 && reloc.symbol >= symbols {
                out.say(Rule::RelocSymbol, at(), format_args!("symbol {}, there are {symbols}", reloc.symbol));
            }
            if let Some(size) = size
                && reloc.offset >= size
            {
                let text = format_args!("section {} has {size:#x} bytes", elf.label(section.sh_info));
                out.say(Rule::RelocOffset, at(), text);
            }
        }
    }
}
