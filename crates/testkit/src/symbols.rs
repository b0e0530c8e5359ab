//! Symbols, relocations, groups and string tables, as values and as bytes.

use crate::consts::*;
use crate::elf::Ref;
use crate::fields::{REL, RELA, SYM, encode};
use crate::format::{Class, Endian, Format};
use std::collections::HashMap;

/// Where a symbol is defined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SymbolSection {
    /// A real section; written through SHN_XINDEX when its index asks for it.
    Section(Ref),
    /// A reserved `st_shndx`, or 0 for an undefined symbol.
    Reserved(u16),
}

/// One entry of a symbol table.
#[derive(Clone, Debug)]
pub struct Symbol {
    /// Written to the string table the symbol table links to.
    pub name: Vec<u8>,
    /// STB_*.
    pub bind: u8,
    /// STT_*.
    pub kind: u8,
    /// `st_other`.
    pub other: u8,
    /// `st_shndx`.
    pub section: SymbolSection,
    /// `st_value`.
    pub value: u64,
    /// `st_size`.
    pub size: u64,
}

impl Symbol {
    fn new(name: &[u8], bind: u8, kind: u8, section: SymbolSection) -> Symbol {
        Symbol { name: name.to_vec(), bind, kind, other: 0, section, value: 0, size: 0 }
    }

    /// STB_LOCAL, STT_OBJECT.
    pub fn local(name: &str, section: impl Into<Ref>) -> Symbol {
        let section = SymbolSection::Section(section.into());
        Symbol::new(name.as_bytes(), STB_LOCAL, STT_OBJECT, section)
    }

    /// STB_GLOBAL, STT_FUNC.
    pub fn global(name: &str, section: impl Into<Ref>) -> Symbol {
        let section = SymbolSection::Section(section.into());
        Symbol::new(name.as_bytes(), STB_GLOBAL, STT_FUNC, section)
    }

    /// STB_GLOBAL with a reserved index: SHN_UNDEF, SHN_ABS, SHN_COMMON, SHN_LIVEPATCH.
    pub fn reserved(name: &str, shndx: u16) -> Symbol {
        let section = SymbolSection::Reserved(shndx);
        Symbol::new(name.as_bytes(), STB_GLOBAL, STT_NOTYPE, section)
    }

    /// The nameless symbol of a section.
    pub fn section(section: impl Into<Ref>) -> Symbol {
        Symbol::new(b"", STB_LOCAL, STT_SECTION, SymbolSection::Section(section.into()))
    }

    /// The name of a source file.
    pub fn file(name: &str) -> Symbol {
        Symbol::new(name.as_bytes(), STB_LOCAL, STT_FILE, SymbolSection::Reserved(SHN_ABS))
    }

    /// Sets `st_value` and `st_size`.
    pub fn at(mut self, value: u64, size: u64) -> Symbol {
        (self.value, self.size) = (value, size);
        self
    }

    /// Sets STB_* and STT_*.
    pub fn info(mut self, bind: u8, kind: u8) -> Symbol {
        (self.bind, self.kind) = (bind, kind);
        self
    }

    /// Sets `st_other`.
    pub fn other(mut self, other: u8) -> Symbol {
        self.other = other;
        self
    }
}

/// One relocation. In a REL section the addend is not written.
#[derive(Clone, Debug)]
pub struct Reloc {
    /// `r_offset`.
    pub offset: u64,
    /// A symbol's index, its name, or the name of the section whose STT_SECTION symbol is meant.
    pub symbol: Ref,
    /// The type; for 64-bit MIPS four bytes: ssym, type3, type2, type.
    pub kind: u32,
    /// `r_addend`.
    pub addend: i64,
}

impl Reloc {
    /// A relocation of a type and addend.
    pub fn new(offset: u64, symbol: impl Into<Ref>, kind: u32, addend: i64) -> Reloc {
        Reloc { offset, symbol: symbol.into(), kind, addend }
    }
}

/// The bytes of one symbol.
pub fn sym(format: Format, name: u32, info: u8, shndx: u16, value: u64, size: u64) -> Vec<u8> {
    encode(
        format,
        SYM,
        &[
            ("st_name", u64::from(name)),
            ("st_info", u64::from(info)),
            ("st_shndx", u64::from(shndx)),
            ("st_value", value),
            ("st_size", size),
        ],
    )
}

/// `r_info` as the integer that lies in the file.
pub fn r_info(format: Format, symbol: u32, kind: u32) -> u64 {
    let (symbol, kind) = (u64::from(symbol), u64::from(kind));
    match format.class {
        Class::Elf32 => {
            assert!(kind < 256 && symbol < 1 << 24, "r_info of ELF32 has 8 bits for the type");
            symbol << 8 | kind
        }
        // Not one integer there: a 32-bit symbol index, then four single bytes.
        Class::Elf64 if format.machine == EM_MIPS && format.endian == Endian::Little => {
            u64::from((kind as u32).swap_bytes()) << 32 | symbol
        }
        Class::Elf64 => symbol << 32 | kind,
    }
}

/// The bytes of one relocation; without an addend that of a REL section.
pub fn reloc(format: Format, offset: u64, symbol: u32, kind: u32, addend: Option<i64>) -> Vec<u8> {
    let mut values = vec![("r_offset", offset), ("r_info", r_info(format, symbol, kind))];
    let Some(addend) = addend else {
        return encode(format, REL, &values);
    };
    let mask = u64::MAX >> (64 - 8 * format.word());
    values.push(("r_addend", addend as u64 & mask));
    encode(format, RELA, &values)
}

/// A string table that writes each string once.
#[derive(Debug)]
pub struct StringTable {
    bytes: Vec<u8>,
    known: HashMap<Vec<u8>, u32>,
    tail_merge: bool,
}

impl StringTable {
    /// Continues `bytes`; begins with the empty string when there are none.
    pub fn new(mut bytes: Vec<u8>, tail_merge: bool) -> StringTable {
        if bytes.is_empty() {
            bytes.push(0);
        }
        StringTable { bytes, known: HashMap::from([(Vec::new(), 0)]), tail_merge }
    }

    /// The offset of `name`. Tails are found only in names added before.
    pub fn add(&mut self, name: &[u8]) -> u32 {
        if let Some(&offset) = self.known.get(name) {
            return offset;
        }
        let offset = self.bytes.len() as u32;
        self.bytes.extend_from_slice(name);
        self.bytes.push(0);
        let tails = if self.tail_merge { name.len() } else { 1 };
        for skip in 0..tails {
            let tail = name[skip..].to_vec();
            self.known.entry(tail).or_insert(offset + skip as u32);
        }
        offset
    }

    /// The finished table.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

/// A string table of `names` and the offset of each.
pub fn strtab(names: &[&str]) -> (Vec<u8>, Vec<u32>) {
    let mut table = StringTable::new(Vec::new(), false);
    let offsets = names.iter().map(|n| table.add(n.as_bytes())).collect();
    (table.into_bytes(), offsets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symbol_bytes() {
        let expected = [1, 0, 0, 0, 0x12, 0, 0x20, 0xff, 4, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(sym(Format::X86_64, 1, 0x12, SHN_LIVEPATCH, 4, 8), expected);
        let expected = [0, 0, 0, 1, 0, 0, 0, 4, 0, 0, 0, 8, 0x12, 0, 0, 3];
        assert_eq!(sym(Format::MIPS, 1, 0x12, 3, 4, 8), expected);
    }

    #[test]
    fn mips64_r_info_is_bytes_in_both_orders() {
        let be = Format::new(Class::Elf64, Endian::Big, EM_MIPS);
        let bytes = reloc(be, 0, 5, 0x0000_1812, None);
        assert_eq!(bytes[8..], [0, 0, 0, 5, 0, 0, 0x18, 0x12]);
        let bytes = reloc(Format::MIPS64EL, 0, 5, 0x0000_1812, None);
        assert_eq!(bytes[8..], [5, 0, 0, 0, 0, 0, 0x18, 0x12]);
    }

    #[test]
    fn negative_addends_fit_both_classes() {
        assert_eq!(reloc(Format::S390X, 0, 0, 0, Some(-4))[16..], (-4i64).to_be_bytes());
        assert_eq!(reloc(Format::ARM, 0, 0, 0, Some(-4))[8..], (-4i32).to_le_bytes());
    }

    #[test]
    fn tails_are_shared_only_when_asked_for() {
        let mut table = StringTable::new(Vec::new(), true);
        assert_eq!((table.add(b".rela.text"), table.add(b".text")), (1, 6));
        assert_eq!(table.into_bytes(), b"\0.rela.text\0");
        assert_eq!(strtab(&["ab", "b", "ab"]), (b"\0ab\0b\0".to_vec(), vec![1, 4, 1]));
    }
}
