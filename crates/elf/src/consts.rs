//! Constants of the gABI and of the kernel, under the names they have in the C headers.
//!
//! Widened to the integer types that [`crate::SectionHeader`] and [`crate::ProgramHeader`] use.
#![allow(missing_docs)] // Each name is its own documentation: see <elf.h>.

use object::elf;

pub const ET_REL: u16 = elf::ET_REL.0;
pub const ET_EXEC: u16 = elf::ET_EXEC.0;
pub const ET_DYN: u16 = elf::ET_DYN.0;
pub const ET_CORE: u16 = elf::ET_CORE.0;

pub const EM_MIPS: u16 = elf::EM_MIPS.0;
pub const EM_X86_64: u16 = elf::EM_X86_64.0;

pub const SHN_UNDEF: u16 = 0;
pub const SHN_LORESERVE: u16 = 0xff00;
/// Live patching's mark of a symbol that the loader resolves (`include/uapi/linux/elf.h`).
pub const SHN_LIVEPATCH: u16 = 0xff20;
pub const SHN_ABS: u16 = 0xfff1;
pub const SHN_COMMON: u16 = 0xfff2;
pub const SHN_XINDEX: u16 = 0xffff;

pub const SHT_NULL: u32 = elf::SHT_NULL.0;
pub const SHT_PROGBITS: u32 = elf::SHT_PROGBITS.0;
pub const SHT_SYMTAB: u32 = elf::SHT_SYMTAB.0;
pub const SHT_STRTAB: u32 = elf::SHT_STRTAB.0;
pub const SHT_RELA: u32 = elf::SHT_RELA.0;
pub const SHT_HASH: u32 = elf::SHT_HASH.0;
pub const SHT_NOTE: u32 = elf::SHT_NOTE.0;
pub const SHT_NOBITS: u32 = elf::SHT_NOBITS.0;
pub const SHT_REL: u32 = elf::SHT_REL.0;
pub const SHT_DYNSYM: u32 = elf::SHT_DYNSYM.0;
pub const SHT_GROUP: u32 = elf::SHT_GROUP.0;
pub const SHT_SYMTAB_SHNDX: u32 = elf::SHT_SYMTAB_SHNDX.0;
pub const SHT_RELR: u32 = elf::SHT_RELR.0;
pub const SHT_LOOS: u32 = 0x6000_0000;
pub const SHT_LLVM_ADDRSIG: u32 = 0x6fff_4c03;

pub const SHF_WRITE: u64 = elf::SHF_WRITE.0;
pub const SHF_ALLOC: u64 = elf::SHF_ALLOC.0;
pub const SHF_EXECINSTR: u64 = elf::SHF_EXECINSTR.0;
pub const SHF_MERGE: u64 = elf::SHF_MERGE.0;
pub const SHF_STRINGS: u64 = elf::SHF_STRINGS.0;
pub const SHF_INFO_LINK: u64 = elf::SHF_INFO_LINK.0;
pub const SHF_LINK_ORDER: u64 = elf::SHF_LINK_ORDER.0;
pub const SHF_GROUP: u64 = elf::SHF_GROUP.0;
pub const SHF_TLS: u64 = elf::SHF_TLS.0;
pub const SHF_COMPRESSED: u64 = elf::SHF_COMPRESSED.0;
pub const SHF_X86_64_LARGE: u64 = 0x1000_0000;
pub const SHF_EXCLUDE: u64 = 0x8000_0000;
/// Live patching's relocation sections (`include/uapi/linux/elf.h`).
pub const SHF_RELA_LIVEPATCH: u64 = 0x0010_0000;

pub const STB_LOCAL: u8 = 0;
pub const STB_GLOBAL: u8 = 1;
pub const STB_WEAK: u8 = 2;
pub const STT_NOTYPE: u8 = 0;
pub const STT_SECTION: u8 = 3;
pub const STT_FILE: u8 = 4;

pub const PT_LOAD: u32 = elf::PT_LOAD.0;
pub const PN_XNUM: u16 = 0xffff;
