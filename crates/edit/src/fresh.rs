//! ELF files from nothing: an ET_REL object with one section (`-I binary`, and vmlinux's `.btf.o`).

use elfgraft_elf::consts::*;
use elfgraft_elf::{Format, SectionHeader, encode};

use crate::error::EditError;

/// What the object is for, besides its contents.
#[derive(Debug, Clone, Copy)]
pub struct Object<'a> {
    /// Class, byte order and machine; the type is ET_REL.
    pub format: Format,
    /// `e_flags`.
    pub e_flags: u32,
    /// The section's name.
    pub section: &'a [u8],
    /// Its `sh_flags`.
    pub sh_flags: u64,
    /// Its `sh_addralign`, in bytes.
    pub align: u64,
    /// `_binary_NAME_start`, `_end` and `_size` are defined for this NAME.
    pub symbols: Option<&'a [u8]>,
}

/// Makes the object: ELF header, contents, tables, section header table. The same input gives the same bytes.
///
/// # Errors
/// If the contents do not fit the class.
pub fn object(spec: &Object, contents: &[u8]) -> Result<Vec<u8>, EditError> {
    let format = Format { e_type: ET_REL, ..spec.format };
    let mut out = vec![0; usize::try_from(format.header_size()).unwrap_or(64)];
    let mut sections = vec![SectionHeader::default()];
    let mut names = vec![0];
    let mut add = |out: &mut Vec<u8>, name: &[u8], bytes: &[u8], header: SectionHeader| {
        let align = usize::try_from(header.sh_addralign).unwrap_or(1).max(1);
        out.resize(out.len().next_multiple_of(align), 0);
        let sh_name = u32::try_from(names.len()).unwrap_or_default();
        names.extend(name.iter().chain(&[0]));
        let (sh_offset, sh_size) = (out.len() as u64, bytes.len() as u64);
        out.extend_from_slice(bytes);
        sections.push(SectionHeader { sh_name, sh_offset, sh_size, ..header });
        names.clone()
    };
    let section = SectionHeader {
        sh_type: SHT_PROGBITS,
        sh_flags: spec.sh_flags,
        sh_addralign: spec.align,
        ..SectionHeader::default()
    };
    add(&mut out, spec.section, contents, section);
    let strtab = SectionHeader { sh_type: SHT_STRTAB, sh_addralign: 1, ..SectionHeader::default() };
    if let Some(name) = spec.symbols {
        let (symbols, strings) = symbols(format, name, contents.len() as u64)?;
        let symtab = SectionHeader {
            sh_type: SHT_SYMTAB,
            sh_link: 3,
            sh_info: 1,
            sh_addralign: format.table_align(),
            sh_entsize: format.symbol_size(),
            ..SectionHeader::default()
        };
        add(&mut out, b".symtab", &symbols, symtab);
        add(&mut out, b".strtab", &strings, strtab.clone());
    }
    // Its own name is in it, so it is added twice: once for the names, once for the bytes.
    let all_names = add(&mut Vec::new(), b".shstrtab", &[], strtab);
    if let Some(last) = sections.last_mut() {
        (last.sh_offset, last.sh_size) = (out.len() as u64, all_names.len() as u64);
    }
    out.extend(all_names);
    let align = usize::try_from(format.table_align()).unwrap_or(8);
    out.resize(out.len().next_multiple_of(align), 0);
    let e_shoff = out.len() as u64;
    if let Some(large) = [e_shoff].into_iter().find(|&v| !encode::fits(format, v)) {
        return Err(EditError::TooLarge { what: "e_shoff".into(), value: large });
    }
    for header in &sections {
        encode::section_header(format, header, &mut out);
    }
    let header = encode::file_header(format, spec.e_flags, e_shoff, sections.len());
    out.splice(..header.len(), header);
    Ok(out)
}

/// The three symbols that GNU objcopy defines for binary input, and their string table.
fn symbols(format: Format, name: &[u8], size: u64) -> Result<(Vec<u8>, Vec<u8>), EditError> {
    let (mut symbols, mut strings) = (vec![0; usize::try_from(format.symbol_size()).unwrap_or(24)], vec![0]);
    for (suffix, value, shndx) in [("_start", 0, 1), ("_end", size, 1), ("_size", size, SHN_ABS)] {
        let st_name = encode::word(format, u32::try_from(strings.len()).unwrap_or_default());
        strings.extend(b"_binary_");
        strings.extend(name.iter().map(|b| if b.is_ascii_alphanumeric() { *b } else { b'_' }));
        strings.extend(suffix.bytes().chain([0]));
        let too_large = || EditError::TooLarge { what: "st_value".into(), value };
        let st_value = encode::addr(format, value).ok_or_else(too_large)?;
        let st_size = encode::addr(format, 0).ok_or_else(too_large)?;
        let (info, shndx) = ([STB_GLOBAL << 4 | STT_NOTYPE, 0], encode::half(format, shndx));
        symbols.extend(if format.is_64 {
            [&st_name[..], &info, &shndx, &st_value, &st_size].concat()
        } else {
            [&st_name[..], &st_value, &st_size, &info, &shndx].concat()
        });
    }
    Ok((symbols, strings))
}
