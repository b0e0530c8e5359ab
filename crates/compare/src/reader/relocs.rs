//! Relocation sections, entry by entry.

use goblin::container::Ctx;
use goblin::elf::reloc::{RelocSection, reloc64};
use goblin::elf::section_header::{SHT_REL, SHT_RELA};

/// One relocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reloc {
    pub offset: u64,
    /// Index in the symbol table that the section is linked to; may be out of range.
    pub symbol: u32,
    /// For 64-bit MIPS four bytes: ssym, type3, type2, type.
    pub kind: u32,
    /// `None` in SHT_REL.
    pub addend: Option<i64>,
}

/// An SHT_REL or SHT_RELA section.
pub(crate) struct Relocs<'a> {
    section: RelocSection<'a>,
    mips64el: bool,
}

impl<'a> Relocs<'a> {
    pub fn new(data: &'a [u8], sh_type: u32, ctx: Ctx, mips64el: bool) -> Option<Relocs<'a>> {
        let rela = match sh_type {
            SHT_RELA => true,
            SHT_REL => false,
            _ => return None,
        };
        Some(Relocs { section: RelocSection::parse(data, 0, data.len(), rela, ctx).ok()?, mips64el })
    }

    pub fn len(&self) -> usize {
        self.section.len()
    }

    pub fn get(&self, index: usize) -> Option<Reloc> {
        Some(self.convert(&self.section.get(index)?))
    }

    pub fn iter(&self) -> impl Iterator<Item = Reloc> {
        self.section.iter().map(|reloc| self.convert(&reloc))
    }

    fn convert(&self, reloc: &goblin::elf::Reloc) -> Reloc {
        // Both classes keep the index in at most 32 bits.
        let mut symbol = u32::try_from(reloc.r_sym).unwrap_or(u32::MAX);
        let mut kind = reloc.r_type;
        if self.mips64el {
            // Goblin puts this order right in Elf::parse only.
            let info = reloc64::mips64el_r_info(u64::from(symbol) << 32 | u64::from(kind));
            (symbol, kind) = (reloc64::r_sym(info), reloc64::r_type(info));
        }
        Reloc { offset: reloc.r_offset, symbol, kind, addend: reloc.r_addend }
    }
}
