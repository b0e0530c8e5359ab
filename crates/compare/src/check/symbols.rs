//! Symbol tables.

use super::{At, File, Out, Rule};
use crate::reader::{Elf, Name, Place, Symbol, is_symbol_table};
use goblin::elf::section_header::{SHN_ABS, SHN_COMMON, SHN_HIOS, SHN_XINDEX, SHT_SYMTAB};
use std::fmt;

pub(super) fn check(file: &File, out: &mut Out) {
    let elf = file.elf;
    for (table, section) in elf.iter().filter(|(_, section)| is_symbol_table(section)) {
        let Some(symbols) = elf.symbols(table).filter(|_| file.is_own(table)) else { continue };
        let first_global = section.sh_info;
        if let Some(null) = symbols.get(0)
            && !null.is_null()
        {
            out.say(Rule::SymbolNull, At(elf, table), "symbol 0 is not all zero");
        }
        if first_global > symbols.len() || first_global == 0 && symbols.len() > 0 {
            let text = format_args!("sh_info is {first_global}, there are {} symbols", symbols.len());
            out.say(Rule::SymbolOrder, At(elf, table), text);
        }
        for (index, symbol) in symbols.iter().skip(1) {
            let place = AtSymbol { elf, table, index, symbol };
            // Dynamic symbol tables of some machines have section symbols behind sh_info.
            let ordered = section.sh_type == SHT_SYMTAB || !symbol.is_section();
            if ordered && symbol.is_local() != (index < first_global) {
                let what = if symbol.is_local() { "is local" } else { "is not local" };
                let text = format_args!("{what}, and sh_info, the first that is not local, is {first_global}");
                out.say(Rule::SymbolOrder, &place, text);
            }
            check_symbol(&place, out);
        }
    }
}

fn check_symbol(place: &AtSymbol, out: &mut Out) {
    let AtSymbol { elf, symbol, .. } = place;
    if !symbol.has_name() {
        out.say(Rule::SymbolName, place, format_args!("st_name {:#x} is beyond the string table", symbol.st_name));
    }
    match symbol.place {
        Place::Section(index) => match elf.section(index) {
            None => {
                let text = format_args!("is in section {index}, there are {} sections", elf.sections.len());
                out.say(Rule::SymbolSection, place, text);
            }
            Some(section) if elf.is_object() && symbol.value > section.sh_size => {
                let (value, size) = (symbol.value, section.sh_size);
                let text = format_args!("st_value {value:#x}, section {} has {size:#x} bytes", elf.label(index));
                out.say(Rule::SymbolValue, place, text);
            }
            Some(_) => {}
        },
        Place::Reserved(SHN_XINDEX) => {
            out.say(Rule::SymbolSection, place, "st_shndx is SHN_XINDEX, and no SHT_SYMTAB_SHNDX has an index for it");
        }
        Place::Reserved(SHN_ABS | SHN_COMMON) | Place::Undefined => {}
        // Processors and systems, Linux' SHN_LIVEPATCH among them, give meanings to those below.
        Place::Reserved(index) if index <= SHN_HIOS => {}
        Place::Reserved(index) => {
            out.say(Rule::SymbolSection, place, format_args!("st_shndx {index:#x} is reserved and means nothing"));
        }
    }
}

/// A symbol in words.
struct AtSymbol<'f, 'a> {
    elf: &'f Elf<'a>,
    table: u32,
    index: u32,
    symbol: Symbol<'a>,
}

impl fmt::Display for AtSymbol<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, symbol {} [{}]", At(self.elf, self.table), Name(self.symbol.name()), self.index)
    }
}
