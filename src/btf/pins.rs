//! Relocations that point into `.BTF_ids` other than by the symbol of the entry they mean.
//!
//! An entry that moves takes its `__BTF_ID__` symbol along, and a relocation by that symbol follows. Section symbol plus
//! addend, or the symbol of something else, does not follow: an entry reached that way is *pinned*. Compilers point to
//! sets, to their arrays (at the first entry) and to words of lists like that, which never move; nothing in the kernel
//! points to an entry.
//!
//! Errs to the side of a pin too few: what code means by an instruction whose relocation is not known here is not seen,
//! and in a linked file neither is any reference that the linker resolved without leaving a relocation.

use std::collections::HashSet;

use elfgraft_elf::consts::*;
use elfgraft_elf::encode::{read_addr, read_half, read_word};
use elfgraft_elf::{ElfError, Endianness, Image, SectionHeader, SectionIndex, SymbolSection, SymbolTable};

/// A place that must not move, and the relocation that says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pin {
    /// Offset in `.BTF_ids`.
    pub offset: u64,
    /// The relocation section.
    pub section: SectionIndex,
    /// `r_offset` of the relocation.
    pub r_offset: u64,
}

const EM_ARM: u16 = 40;
const R_X86_64_PC_RELATIVE: [u32; 2] = [2, 4];
const R_ARM_MOV: [u32; 2] = [43, 44];
const R_ARM_THM_MOV: [u32; 2] = [47, 48];
const R_MIPS_HI16: u32 = 5;
const R_MIPS_LO16: u32 = 6;

/// All pins, by offset. `address` is what `st_value` counts from; `movable` are the symbols that move with entries.
pub fn pins(
    image: &Image,
    ids: SectionIndex,
    symbols: &SymbolTable,
    address: u64,
    movable: &HashSet<u32>,
) -> Result<Vec<Pin>, ElfError> {
    let mut pins = Vec::new();
    for (section, header) in image.indexed().filter(|(_, h)| h.is_reloc()) {
        let relocs = Relocs { image, header, bytes: image.contents(section)? };
        let mut pin = |offset: u64, r_offset| pins.push(Pin { offset, section, r_offset });
        if image.format.e_type != ET_REL && header.is_alloc() {
            // Applied when a relocatable kernel starts: without a symbol the addend is the address.
            let plain = relocs.iter().filter(|reloc| reloc.symbol == 0);
            plain
                .filter_map(|r| Some((r.addend?.cast_unsigned().wrapping_sub(address), r.r_offset)))
                .for_each(|(offset, r_offset)| pin(offset, r_offset));
            continue;
        }
        let target = SectionIndex(header.sh_info);
        // Debug information describes a set as a whole, and nothing follows it at run time.
        let Some(patched) = image.header(target).ok().filter(|h| h.is_alloc()) else { continue };
        let place = Place { image, header: patched, bytes: image.contents(target)? };
        for reloc in relocs.iter().filter(|_| header.sh_link == symbols.section.0) {
            let Some(symbol) = symbols.get(reloc.symbol) else { continue };
            if symbol.section != SymbolSection::Index(ids) {
                continue;
            }
            let Some(addend) = place.addend(&reloc, symbol.st_value) else { continue };
            if addend != 0 || !movable.contains(&reloc.symbol) {
                pin(symbol.st_value.wrapping_sub(address).wrapping_add_signed(addend), reloc.r_offset);
            }
        }
    }
    pins.sort_unstable();
    Ok(pins)
}

struct Reloc {
    r_offset: u64,
    symbol: u32,
    kind: u32,
    /// `None` in `SHT_REL`: it is in the bytes to be relocated.
    addend: Option<i64>,
}

struct Relocs<'r> {
    image: &'r Image<'r>,
    header: &'r SectionHeader,
    bytes: &'r [u8],
}

impl Relocs<'_> {
    /// gABI, "Relocation entry"; mips64el keeps symbol and types in separate fields.
    fn iter(&self) -> impl Iterator<Item = Reloc> + '_ {
        let (format, bytes) = (self.image.format, self.bytes);
        let word = if format.is_64 { 8 } else { 4 };
        let rela = self.header.sh_type == SHT_RELA;
        let mips64el = format.is_64 && format.e_machine == EM_MIPS && format.endian == Endianness::Little;
        (0..).step_by(word * if rela { 3 } else { 2 }).map_while(move |at| {
            let info = read_addr(format, bytes, at + word)?;
            let (symbol, kind) = match (format.is_64, mips64el) {
                (true, true) => (read_word(format, bytes, at + 8)?, u32::from(*bytes.get(at + 15)?)),
                (true, false) => (u32::try_from(info >> 32).ok()?, u32::try_from(info & 0xffff_ffff).ok()?),
                (false, _) => (u32::try_from(info >> 8).ok()?, u32::try_from(info & 0xff).ok()?),
            };
            let addend = match (rela, format.is_64) {
                (false, _) => None,
                (true, true) => Some(read_addr(format, bytes, at + 16)?.cast_signed()),
                (true, false) => Some(i64::from(read_word(format, bytes, at + 8)?.cast_signed())),
            };
            Some(Reloc { r_offset: read_addr(format, bytes, at)?, symbol, kind, addend })
        })
    }
}

/// A section whose bytes are relocated.
struct Place<'r> {
    image: &'r Image<'r>,
    header: &'r SectionHeader,
    bytes: &'r [u8],
}

impl Place<'_> {
    /// What is added to the symbol to get the place that is meant; `None` where that cannot be told.
    fn addend(&self, reloc: &Reloc, st_value: u64) -> Option<i64> {
        let addend = match reloc.addend {
            Some(addend) => addend,
            None => self.implicit(reloc, st_value)?,
        };
        let machine = self.image.format.e_machine;
        if machine == EM_X86_64 && R_X86_64_PC_RELATIVE.contains(&reloc.kind) && self.is_code() {
            // The processor counts from the end of the instruction: the field's four bytes and an immediate operand of
            // 0, 1, 2 or 4. Words of .BTF_ids are aligned, which tells how many (4 is taken for 0: nobody compares an ID
            // with a constant). Without this, a word behind a set would be taken for the set's last entry.
            return Some(addend.checked_add(4 + 3)? & !3);
        }
        Some(addend)
    }

    fn is_code(&self) -> bool {
        self.header.sh_flags & SHF_EXECINSTR != 0
    }

    /// The addend that `SHT_REL` keeps in the bytes to be relocated. Kernels that use REL are those of arm, i386 and
    /// 32-bit mips: plain 32-bit words, and in code of arm and mips a part of an instruction.
    fn implicit(&self, reloc: &Reloc, st_value: u64) -> Option<i64> {
        let format = self.image.format;
        let linked = format.e_type != ET_REL;
        let base = if linked { self.header.sh_addr } else { 0 };
        let at = usize::try_from(reloc.r_offset.checked_sub(base)?).ok()?;
        let word = read_word(format, self.bytes, at)?;
        let imm16 = |value: u32| u16::try_from(value & 0xffff).ok().map(|v| i64::from(v.cast_signed()));
        match (format.e_machine, reloc.kind) {
            // The linker has put the sum there.
            _ if linked => i64::from(word).checked_sub_unsigned(st_value),
            (EM_ARM, kind) if R_ARM_MOV.contains(&kind) => imm16(word >> 4 & 0xf000 | word & 0xfff),
            (EM_ARM, kind) if R_ARM_THM_MOV.contains(&kind) => {
                let (a, b) = (read_half(format, self.bytes, at)?, read_half(format, self.bytes, at.checked_add(2)?)?);
                let (a, b) = (u32::from(a), u32::from(b));
                imm16(a << 12 & 0xf000 | a << 1 & 0x800 | b >> 4 & 0x700 | b & 0xff)
            }
            // A section of less than 32 KiB: the upper half is 0, and the lower one is in the other instruction.
            (EM_MIPS, R_MIPS_HI16) => None,
            (EM_MIPS, R_MIPS_LO16) => imm16(word),
            _ => Some(i64::from(word.cast_signed())),
        }
    }
}
