//! One changed structure -> its exact bytes, in the file's class and byte order.

use object::elf;
use object::write::elf::Encoder;

use crate::Endianness;

use crate::image::Format;
use crate::section::SectionHeader;

/// A section header as it stands in the table. Values are checked to fit the class by [`fits`], not here.
pub fn section_header(format: Format, header: &SectionHeader, out: &mut Vec<u8>) {
    Encoder::new(format.endian.raw(), format.is_64, elf::EM_NONE).section_header(out, &header.to_object());
}

/// The ELF header of a new ET_REL object. The section header string table is the last section.
pub fn file_header(format: Format, e_flags: u32, e_shoff: u64, sections: usize) -> Vec<u8> {
    let header = object::write::elf::FileHeader {
        e_type: elf::FileType(format.e_type),
        e_machine: elf::Machine(format.e_machine),
        e_flags: elf::FileFlags(e_flags),
        ..Default::default()
    };
    let section_num = u32::try_from(sections).unwrap_or_default();
    let layout = object::write::elf::FileHeaderLayout {
        e_shoff,
        section_num,
        shstrtab_index: section_num.saturating_sub(1),
        ..Default::default()
    };
    let mut out = Vec::new();
    // Fails only for more segments than fit, and there are none.
    let _ = Encoder::new(format.endian.raw(), format.is_64, elf::EM_NONE).file_header(&mut out, &header, &layout);
    out
}

/// `e_flags` of a file whose ELF header has been read.
pub fn e_flags(format: Format, file: &[u8]) -> u32 {
    read_word(format, file, if format.is_64 { 48 } else { 36 }).unwrap_or_default()
}

/// Whether a file offset, address or size fits the class.
pub fn fits(format: Format, value: u64) -> bool {
    format.is_64 || u32::try_from(value).is_ok()
}

/// An `Elf_Half`.
pub fn half(format: Format, value: u16) -> [u8; 2] {
    match format.endian {
        Endianness::Little => value.to_le_bytes(),
        Endianness::Big => value.to_be_bytes(),
    }
}

/// An `Elf_Word`.
pub fn word(format: Format, value: u32) -> [u8; 4] {
    match format.endian {
        Endianness::Little => value.to_le_bytes(),
        Endianness::Big => value.to_be_bytes(),
    }
}

/// An `Elf_Addr` or `Elf_Off`: 4 or 8 bytes by class. `None` if the value does not fit ELF32.
pub fn addr(format: Format, value: u64) -> Option<Vec<u8>> {
    if format.is_64 {
        Some(match format.endian {
            Endianness::Little => value.to_le_bytes().to_vec(),
            Endianness::Big => value.to_be_bytes().to_vec(),
        })
    } else {
        Some(word(format, u32::try_from(value).ok()?).to_vec())
    }
}

/// An `Elf_Half` read back; `None` beyond the end of `bytes`.
pub fn read_half(format: Format, bytes: &[u8], at: usize) -> Option<u16> {
    let b: [u8; 2] = bytes.get(at..at.checked_add(2)?)?.try_into().ok()?;
    Some(match format.endian {
        Endianness::Little => u16::from_le_bytes(b),
        Endianness::Big => u16::from_be_bytes(b),
    })
}

/// An `Elf_Word` read back; `None` beyond the end of `bytes`.
pub fn read_word(format: Format, bytes: &[u8], at: usize) -> Option<u32> {
    let b: [u8; 4] = bytes.get(at..at.checked_add(4)?)?.try_into().ok()?;
    Some(match format.endian {
        Endianness::Little => u32::from_le_bytes(b),
        Endianness::Big => u32::from_be_bytes(b),
    })
}

/// An `Elf_Addr` or `Elf_Off` read back; `None` beyond the end of `bytes`.
pub fn read_addr(format: Format, bytes: &[u8], at: usize) -> Option<u64> {
    if !format.is_64 {
        return read_word(format, bytes, at).map(u64::from);
    }
    let b: [u8; 8] = bytes.get(at..at.checked_add(8)?)?.try_into().ok()?;
    Some(match format.endian {
        Endianness::Little => u64::from_le_bytes(b),
        Endianness::Big => u64::from_be_bytes(b),
    })
}

/// Byte offsets of the fields of the ELF header that an edit may change.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs)] // The fields are the gABI's.
pub struct HeaderFields {
    pub e_shoff: u64,
    pub e_shnum: u64,
    pub e_shstrndx: u64,
}

/// Where those fields stand for a class.
pub fn header_fields(format: Format) -> HeaderFields {
    if format.is_64 {
        HeaderFields { e_shoff: 40, e_shnum: 60, e_shstrndx: 62 }
    } else {
        HeaderFields { e_shoff: 32, e_shnum: 48, e_shstrndx: 50 }
    }
}

/// Byte offsets of `p_filesz` and `p_memsz` within a program header.
pub fn segment_size_fields(format: Format) -> (u64, u64) {
    if format.is_64 { (32, 40) } else { (16, 20) }
}

/// Byte offset of `e_entry` in the ELF header: the same in both classes.
pub const E_ENTRY: u64 = 24;

/// `e_entry` of a file whose ELF header has been read.
pub fn e_entry(format: Format, file: &[u8]) -> u64 {
    read_addr(format, file, 24).unwrap_or_default()
}

/// Byte offset of `p_paddr` within a program header.
pub fn p_paddr_field(format: Format) -> u64 {
    if format.is_64 { 24 } else { 12 }
}
