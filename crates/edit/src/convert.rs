//! `-O elf32-x86-64` of an ELF64 object: the x32 vDSO is linked from objects that were compiled as x86-64.

use elfgraft_elf::consts::*;
use elfgraft_elf::encode::{self, addr, half, read_addr, read_word, word};
use elfgraft_elf::{Format, Image, SectionHeader, SectionIndex, Symbol};

use crate::error::EditError;

/// Relocation types of the x86-64 psABI, the same numbers in both classes.
const R_X86_64_PC32: u32 = 2;
const R_X86_64_PLT32: u32 = 4;
const NT_GNU_PROPERTY_TYPE_0: u32 = 5;

/// An ET_REL object of ELF64 x86-64 in the words of ELF32: tables, `Elf64_Chdr` and GNU properties get the smaller
/// class's shape, `R_X86_64_PLT32` becomes `R_X86_64_PC32` as with GNU's, all other contents stay byte for byte.
///
/// # Errors
/// If the file is no such object, holds a table whose shape is not known, or a value that does not fit.
pub fn to_elf32(image: &Image) -> Result<Vec<u8>, EditError> {
    let from = image.format;
    let to = Format { is_64: false, ..from };
    let suits = from.is_64 && from.e_machine == EM_X86_64 && from.e_type == ET_REL && image.segments.is_empty();
    if image.sections.is_empty() {
        return Err(EditError::Refused { why: "the file has no section header table to convert".into() });
    }
    if !suits || image.trailer.is_some() {
        let why = "only an unsigned ET_REL object of elf64-x86-64 can be converted to elf32-x86-64".into();
        return Err(EditError::Refused { why });
    }
    let mut headers = image.sections.clone();
    let mut order: Vec<SectionIndex> = image.indexed().map(|(index, _)| index).collect();
    order.sort_by_key(|index| headers.get(index.get()).map_or(0, |h| h.sh_offset));
    let mut out = vec![0; usize::try_from(to.header_size()).unwrap_or(52)];
    let mut padding = 0;
    for index in order {
        let Some(header) = headers.get_mut(index.get()) else { continue };
        let contents = contents(image, to, index, header)?;
        if header.align() > MAX_ALIGN {
            let what = format!("section {}: sh_addralign", image.describe(index));
            return Err(EditError::TooLarge { what, value: header.align() });
        }
        let align = usize::try_from(header.align()).unwrap_or(1);
        let at = out.len().next_multiple_of(align);
        padding += at - out.len();
        if padding > MAX_PADDING {
            let why = format!("the sections up to {} would need {padding} bytes of padding", image.describe(index));
            return Err(EditError::Refused { why });
        }
        out.resize(at, 0);
        header.sh_offset = out.len() as u64;
        if header.sh_type != SHT_NOBITS {
            header.sh_size = contents.len() as u64;
        }
        out.extend(contents);
    }
    out.resize(out.len().next_multiple_of(4), 0);
    let e_shoff = out.len() as u64;
    for (number, header) in headers.iter().enumerate() {
        let values = [header.sh_flags, header.sh_addr, header.sh_offset, header.sh_size, header.sh_addralign];
        for value in values.into_iter().chain([header.sh_entsize, e_shoff]) {
            fit(value, || format!("section header [{number}]"))?;
        }
        encode::section_header(to, header, &mut out);
    }
    let header = encode::file_header(to, encode::e_flags(from, image.file()), e_shoff, headers.len());
    out.splice(..header.len(), header);
    let shstrndx = u16::try_from(image.shstrndx.0).ok().filter(|&i| i < SHN_LORESERVE && headers.len() < 0xff00);
    let shstrndx =
        shstrndx.ok_or_else(|| EditError::TooLarge { what: "e_shstrndx".into(), value: image.shstrndx.0.into() })?;
    let at = usize::try_from(encode::header_fields(to).e_shstrndx).unwrap_or_default();
    out.splice(at..at + 2, half(to, shstrndx));
    Ok(out)
}

/// No section of an object is aligned to more (a huge page). The padding in front of it is made in memory, so a field of
/// the file may not ask for any number of bytes.
const MAX_ALIGN: u64 = 1 << 21;

/// Nor are many.
const MAX_PADDING: usize = 1 << 24;

fn fit(value: u64, what: impl Fn() -> String) -> Result<(), EditError> {
    u32::try_from(value).map(|_| ()).map_err(|_| EditError::TooLarge { what: what(), value })
}

/// The contents of a section in ELF32; `header` gets the fields that follow.
fn contents(image: &Image, to: Format, index: SectionIndex, header: &mut SectionHeader) -> Result<Vec<u8>, EditError> {
    let old = image.contents(index)?;
    let place = || format!("section {}", image.describe(index));
    match header.sh_type {
        SHT_SYMTAB => {
            (header.sh_entsize, header.sh_addralign) = (to.symbol_size(), to.table_align());
            let mut new = Vec::new();
            for symbol in image.symbol_table(index)?.iter() {
                let (number, symbol) = symbol?;
                new.extend(encode_symbol(to, &symbol, || format!("{}, symbol {number}", place()))?);
            }
            Ok(new)
        }
        SHT_RELA => {
            (header.sh_entsize, header.sh_addralign) = (12, to.table_align());
            relocations(image.format, to, old, place)
        }
        SHT_NOTE if image.name(index)? == b".note.gnu.property" => {
            header.sh_addralign = 4;
            properties(to, old)
                .ok_or_else(|| EditError::Refused { why: format!("{}: no list of GNU properties", place()) })
        }
        _ if header.sh_flags & SHF_COMPRESSED != 0 => {
            header.sh_addralign = header.sh_addralign.min(4);
            let chdr = read_word(image.format, old, 0).zip(read_addr(image.format, old, 8)).zip(read_addr(
                image.format,
                old,
                16,
            ));
            let ((ch_type, ch_size), ch_addralign) =
                chdr.ok_or_else(|| EditError::Refused { why: format!("{}: no compression header", place()) })?;
            let mut new = word(to, ch_type).to_vec();
            for value in [ch_size, ch_addralign] {
                fit(value, place)?;
                new.extend(addr(to, value).unwrap_or_default());
            }
            new.extend_from_slice(old.get(24..).unwrap_or_default());
            Ok(new)
        }
        SHT_PROGBITS | SHT_STRTAB | SHT_NOBITS | SHT_NOTE | SHT_GROUP | SHT_SYMTAB_SHNDX | SHT_LLVM_ADDRSIG => {
            Ok(old.to_vec())
        }
        // Arrays of addresses keep their entries, as with GNU's; unwind tables are bytes.
        SHT_INIT_ARRAY..=SHT_PREINIT_ARRAY | SHT_X86_64_UNWIND => Ok(old.to_vec()),
        other => Err(EditError::Refused { why: format!("{} of type {other:#x} cannot be converted", place()) }),
    }
}

const SHT_INIT_ARRAY: u32 = 14;
const SHT_PREINIT_ARRAY: u32 = 16;
const SHT_X86_64_UNWIND: u32 = 0x7000_0001;

fn encode_symbol(to: Format, symbol: &Symbol, what: impl Fn() -> String) -> Result<Vec<u8>, EditError> {
    fit(symbol.st_value, || what() + ", st_value")?;
    fit(symbol.st_size, || what() + ", st_size")?;
    let (value, size) = (addr(to, symbol.st_value).unwrap_or_default(), addr(to, symbol.st_size).unwrap_or_default());
    let info = [symbol.st_info, symbol.st_other];
    Ok([&word(to, symbol.st_name)[..], &value, &size, &info, &half(to, symbol.st_shndx)].concat())
}

fn relocations(from: Format, to: Format, old: &[u8], place: impl Fn() -> String) -> Result<Vec<u8>, EditError> {
    let mut new = Vec::with_capacity(old.len() / 2);
    for (number, entry) in old.chunks(24).enumerate() {
        let field = |at| read_addr(from, entry, at);
        let (Some(offset), Some(info), Some(addend)) = (field(0), field(8), field(16)) else {
            return Err(EditError::Refused {
                why: format!("{}: {} bytes are no list of relocations", place(), old.len()),
            });
        };
        let what = |name: &str| format!("{}, relocation {number}, {name}", place());
        let (symbol, kind) = (info >> 32, u32::try_from(info & 0xffff_ffff).unwrap_or_default());
        let kind = if kind == R_X86_64_PLT32 { R_X86_64_PC32 } else { kind };
        if symbol >= 1 << 24 || kind > 0xff {
            return Err(EditError::TooLarge { what: what("r_info"), value: info });
        }
        fit(offset, || what("r_offset"))?;
        let addend = i32::try_from(addend.cast_signed())
            .map_err(|_| EditError::TooLarge { what: what("r_addend"), value: addend })?;
        new.extend(addr(to, offset).unwrap_or_default());
        new.extend(word(to, u32::try_from(symbol << 8).unwrap_or_default() | kind));
        new.extend(word(to, addend.cast_unsigned()));
    }
    Ok(new)
}

/// GNU properties (Linux gABI extensions, "Program Property"): each is padded to 8 bytes in ELF64, to 4 in ELF32.
fn properties(to: Format, old: &[u8]) -> Option<Vec<u8>> {
    let mut new = Vec::new();
    let mut rest = old;
    while !rest.is_empty() {
        let (namesz, descsz, kind) = (read_word(to, rest, 0)?, read_word(to, rest, 4)?, read_word(to, rest, 8)?);
        let name = rest.get(12..16)?;
        if (namesz, kind, name) != (4, NT_GNU_PROPERTY_TYPE_0, b"GNU\0") {
            return None;
        }
        let end = 16usize.checked_add(usize::try_from(descsz).ok()?)?;
        let (mut from, mut desc) = (rest.get(16..end)?, Vec::new());
        while !from.is_empty() {
            let size = usize::try_from(read_word(to, from, 4)?).ok()?;
            let used = size.checked_add(8)?;
            desc.extend_from_slice(from.get(..used)?);
            desc.resize(desc.len().next_multiple_of(4), 0);
            from = from.get(used.checked_next_multiple_of(8)?..).unwrap_or_default();
        }
        new.extend([&word(to, namesz)[..], &word(to, u32::try_from(desc.len()).ok()?), &word(to, kind), name].concat());
        new.extend(desc);
        rest = rest.get(end.checked_next_multiple_of(8)?..).unwrap_or_default();
    }
    Some(new)
}

#[cfg(test)]
mod tests {
    use super::*;
    use elfgraft_elf::Endianness;

    const ELF64: Format = Format { is_64: true, endian: Endianness::Little, e_type: ET_REL, e_machine: EM_X86_64 };
    const ELF32: Format = Format { is_64: false, ..ELF64 };

    fn words(values: &[u32]) -> Vec<u8> {
        values.iter().flat_map(|v| v.to_le_bytes()).collect()
    }

    #[test]
    fn plt32_becomes_pc32_and_what_does_not_fit_is_refused() {
        let entry = |info: u64, addend: i64| [8u64.to_le_bytes(), info.to_le_bytes(), addend.to_le_bytes()].concat();
        let run = |entry: Vec<u8>| relocations(ELF64, ELF32, &entry, || "section".into());
        assert_eq!(run(entry(5 << 32 | 4, -4)).unwrap(), words(&[8, 5 << 8 | 2, 0xffff_fffc]));
        assert_eq!(run(entry(5 << 32 | 1, 7)).unwrap(), words(&[8, 5 << 8 | 1, 7]));
        for bad in [entry(1 << 56 | 1, 0), entry(1 << 32 | 0x100, 0), entry(1 << 32, 1 << 31), vec![0; 23]] {
            assert!(run(bad).is_err());
        }
    }

    #[test]
    fn properties_are_packed_closer() {
        let old = words(&[4, 32, 5, 0x0055_4e47, 0xc000_0002, 4, 3, 0, 0xc000_8002, 4, 1, 0]);
        let new = words(&[4, 24, 5, 0x0055_4e47, 0xc000_0002, 4, 3, 0xc000_8002, 4, 1]);
        assert_eq!(properties(ELF32, &old), Some(new));
        assert_eq!(properties(ELF32, &old[..40]), None, "cut off");
        assert_eq!(properties(ELF32, b""), Some(Vec::new()));
    }
}
