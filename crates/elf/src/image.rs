//! [`Image`]: the validated view of one ELF file.

use std::sync::OnceLock;

use object::{elf, pod};

use crate::Endianness;
use crate::consts::*;
use crate::error::ElfError;
use crate::section::{ProgramHeader, SectionHeader, SectionIndex};
use crate::symtab::{SymbolTable, string_at};
use crate::trailer::Trailer;

/// What decides how a structure is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Format {
    /// ELFCLASS64.
    pub is_64: bool,
    /// EI_DATA.
    pub endian: Endianness,
    /// `e_type`.
    pub e_type: u16,
    /// `e_machine`.
    pub e_machine: u16,
}

impl Format {
    /// Size of an ELF header in bytes.
    pub fn header_size(self) -> u64 {
        if self.is_64 { 64 } else { 52 }
    }
    /// Size of a section header in bytes.
    pub fn section_header_size(self) -> u64 {
        if self.is_64 { 64 } else { 40 }
    }
    /// Size of a program header in bytes.
    pub fn program_header_size(self) -> u64 {
        if self.is_64 { 56 } else { 32 }
    }
    /// Size of a symbol in bytes.
    pub fn symbol_size(self) -> u64 {
        if self.is_64 { 24 } else { 16 }
    }
    /// Alignment that the gABI wants of tables of this class, in bytes.
    pub fn table_align(self) -> u64 {
        if self.is_64 { 8 } else { 4 }
    }
}

/// An ELF file, read as far as every edit needs it: ELF header, section headers, program headers, appended signature.
///
/// Borrows the bytes; holds one [`SectionHeader`] per section and one [`ProgramHeader`] per segment. Both tables have
/// been found to lie inside the file, so a header count never sizes an allocation that the file could not hold.
#[derive(Debug, Clone)]
pub struct Image<'a> {
    /// Class, byte order, type and machine.
    pub format: Format,
    /// File offset of the section header table; 0 without one.
    pub e_shoff: u64,
    /// File offset of the program header table.
    pub e_phoff: u64,
    /// Index of the section header string table, with `SHN_XINDEX` resolved; 0 if there is none.
    pub shstrndx: SectionIndex,
    /// Section headers, the null section included; empty if the file has no section header table.
    pub sections: Vec<SectionHeader>,
    /// Program headers.
    pub segments: Vec<ProgramHeader>,
    /// An appended module signature.
    pub trailer: Option<Trailer>,
    file: &'a [u8],
    data: &'a [u8],
    names: &'a [u8],
    /// [`Image::segments_are_elsewhere`], asked once for each section.
    elsewhere: OnceLock<bool>,
}

impl<'a> Image<'a> {
    /// Reads the headers of an ELF file of any class, byte order, type and machine.
    ///
    /// # Errors
    /// If the identification is not ELF's, a header table lies outside the file or has entries of a strange size, or
    /// `e_shstrndx` names no section with contents. Section contents are not looked at.
    pub fn parse(file: &'a [u8]) -> Result<Self, ElfError> {
        let ident = file.get(..16).ok_or(ElfError::NotElf { why: "the file is shorter than an ELF identification" })?;
        if !ident.starts_with(b"\x7fELF") {
            return Err(ElfError::NotElf { why: "it does not begin with \\x7fELF" });
        }
        let endian = match ident.get(5) {
            Some(1) => Endianness::Little,
            Some(2) => Endianness::Big,
            _ => return Err(ElfError::NotElf { why: "EI_DATA is neither ELFDATA2LSB nor ELFDATA2MSB" }),
        };
        if ident.get(6) != Some(&1) {
            return Err(ElfError::NotElf { why: "EI_VERSION is not EV_CURRENT" });
        }
        let trailer = Trailer::find(file);
        let data = match trailer.and_then(|t| usize::try_from(t.offset).ok()) {
            Some(end) => file.get(..end).unwrap_or(file),
            None => file,
        };
        let image = match ident.get(4) {
            Some(1) => Self::parse_class::<elf::FileHeader32<object::Endianness>>(data, endian, false, trailer)?,
            Some(2) => Self::parse_class::<elf::FileHeader64<object::Endianness>>(data, endian, true, trailer)?,
            _ => return Err(ElfError::NotElf { why: "EI_CLASS is neither ELFCLASS32 nor ELFCLASS64" }),
        };
        Ok(Image { file, ..image })
    }

    fn parse_class<Elf>(
        data: &'a [u8],
        order: Endianness,
        is_64: bool,
        trailer: Option<Trailer>,
    ) -> Result<Self, ElfError>
    where
        Elf: object::read::elf::FileHeader<Endian = object::Endianness>,
    {
        let (header, _) = pod::from_bytes::<Elf>(data)
            .map_err(|()| ElfError::NotElf { why: "the file is shorter than an ELF header" })?;
        let endian = order.raw();
        let format =
            Format { is_64, endian: order, e_type: header.e_type(endian).0, e_machine: header.e_machine(endian).0 };
        let mut image = Image {
            format,
            e_shoff: header.e_shoff(endian).into(),
            e_phoff: header.e_phoff(endian).into(),
            shstrndx: SectionIndex(0),
            sections: Vec::new(),
            segments: Vec::new(),
            trailer,
            file: data,
            data,
            names: &[],
            elsewhere: OnceLock::new(),
        };

        let mut first = SectionHeader::default();
        if image.e_shoff != 0 {
            check_entry_size("section header table", header.e_shentsize(endian), format.section_header_size())?;
            let head = image.bytes(|| "section header table".into(), image.e_shoff, format.section_header_size())?;
            if let Some(raw) = table::<Elf::SectionHeader>(head).first() {
                first = SectionHeader::from_raw(endian, raw);
            }
            // gABI: with 0xff00 sections or more, e_shnum is 0 and the number is in sh_size of section 0.
            let shnum = match header.e_shnum(endian) {
                0 => first.sh_size,
                n => n.into(),
            };
            if u32::try_from(shnum).is_err() {
                return Err(ElfError::BadIndex {
                    what: "number of sections".into(),
                    index: shnum,
                    limit: u32::MAX.into(),
                });
            }
            let size = shnum.saturating_mul(format.section_header_size());
            let bytes = image.bytes(|| "section header table".into(), image.e_shoff, size)?;
            image.sections =
                table::<Elf::SectionHeader>(bytes).iter().map(|raw| SectionHeader::from_raw(endian, raw)).collect();
        }

        // gABI: PN_XNUM says that the number is in sh_info of section 0.
        let phnum = match header.e_phnum(endian) {
            PN_XNUM if image.e_shoff != 0 => first.sh_info,
            n => n.into(),
        };
        if image.e_phoff != 0 && phnum != 0 {
            check_entry_size("program header table", header.e_phentsize(endian), format.program_header_size())?;
            let size = u64::from(phnum) * format.program_header_size();
            let bytes = image.bytes(|| "program header table".into(), image.e_phoff, size)?;
            image.segments =
                table::<Elf::ProgramHeader>(bytes).iter().map(|raw| ProgramHeader::from_raw(endian, raw)).collect();
        }

        let shstrndx = match header.e_shstrndx(endian).0 {
            SHN_XINDEX => first.sh_link,
            n => n.into(),
        };
        if !image.sections.is_empty() && shstrndx != 0 {
            image.shstrndx = SectionIndex(shstrndx);
            let names = image.header(image.shstrndx).map_err(|_| ElfError::BadIndex {
                what: "e_shstrndx".into(),
                index: shstrndx.into(),
                limit: image.sections.len() as u64,
            })?;
            image.names = image.bytes(
                || format!("section header string table [{shstrndx}]"),
                names.sh_offset,
                names.file_size(),
            )?;
        }
        image.check_counts()?;
        image.check_shared()?;
        Ok(image)
    }

    /// What no linker and no kernel makes, and what would cost the product of two numbers of the file: one symbol table is
    /// all that the gABI allows, and files of many segments, core files, have next to no sections.
    fn check_counts(&self) -> Result<(), ElfError> {
        const SYMBOL_TABLES: usize = 256;
        const SEGMENTS_BY_SECTIONS: usize = 1 << 24;
        let tables = self.symbol_tables().len();
        if tables > SYMBOL_TABLES {
            let what = format!("{tables} symbol tables; more than {SYMBOL_TABLES} are not supported");
            return Err(ElfError::Invalid { what });
        }
        let (segments, sections) = (self.segments.len(), self.sections.len());
        if segments.saturating_mul(sections) > SEGMENTS_BY_SECTIONS {
            let what = format!("{segments} segments and {sections} sections: so many of both are not supported");
            return Err(ElfError::Invalid { what });
        }
        Ok(())
    }

    /// What sections hold may overlap, and so may their names; but a file of a MB with thousands of sections that all hold
    /// the same MB was made to take time and memory. Past this check both go with the size of the file.
    fn check_shared(&self) -> Result<(), ElfError> {
        let limit = self.shared_limit();
        let mut total = 0u64;
        for (index, header) in self.indexed() {
            let size = header.file_size();
            let inside = header.sh_offset.checked_add(size).is_some_and(|end| end <= self.len());
            // A name that does not end is looked at up to the end of the table.
            let name = self.name(index).map_or(self.names.len().saturating_sub(header.sh_name as usize), <[u8]>::len);
            total = total.saturating_add(if inside { size } else { 0 }).saturating_add(name as u64);
            if total > limit {
                let what = format!(
                    "the sections up to [{index}] share their contents or names: together {total} bytes of a file of {}",
                    self.len()
                );
                return Err(ElfError::Invalid { what });
            }
        }
        Ok(())
    }

    /// So many bytes may be read of things that can overlap, contents of sections or names, before a file is taken for one
    /// that was made to waste time.
    fn shared_limit(&self) -> u64 {
        self.len().saturating_mul(4)
    }

    /// For a reader of the names of all symbols.
    pub fn name_budget(&self) -> NameBudget {
        NameBudget { left: self.shared_limit() }
    }

    /// Whether the segments speak of bytes that are in another file: a separate debug file keeps the program headers of the
    /// program, and of its allocated sections the notes at most. Some `SHT_NOBITS` section is where a segment says that the
    /// file has bytes for it; `.bss` never is. No edit of other sections changes that.
    pub fn segments_are_elsewhere(&self) -> bool {
        *self.elsewhere.get_or_init(|| {
            let within = |section: &SectionHeader, segment: &ProgramHeader| {
                let end = segment.p_vaddr.saturating_add(segment.p_filesz);
                segment.p_type == PT_LOAD && (segment.p_vaddr..end).contains(&section.sh_addr)
            };
            let mut found = false;
            for header in self.sections.iter().filter(|header| header.is_alloc()) {
                if header.file_size() != 0 && header.sh_type != SHT_NOTE {
                    return false;
                }
                let empty = header.sh_type != SHT_NOBITS || header.sh_size == 0 || header.sh_flags & SHF_TLS != 0;
                found = found || !empty && self.segments.iter().any(|segment| within(header, segment));
            }
            found
        })
    }

    /// All bytes of the file, an appended signature included.
    pub fn file(&self) -> &'a [u8] {
        self.file
    }

    /// The bytes of the ELF file, without an appended signature.
    pub fn data(&self) -> &'a [u8] {
        self.data
    }

    /// Size in bytes of the ELF file, without an appended signature.
    pub fn len(&self) -> u64 {
        self.data.len() as u64
    }

    /// Never true: a parsed file has at least an ELF header.
    pub fn is_empty(&self) -> bool {
        self.data.is_empty()
    }

    fn bytes(&self, what: impl FnOnce() -> String, offset: u64, size: u64) -> Result<&'a [u8], ElfError> {
        let found = offset
            .checked_add(size)
            .and_then(|end| Some(usize::try_from(offset).ok()?..usize::try_from(end).ok()?))
            .and_then(|range| self.data.get(range));
        found.ok_or_else(|| ElfError::OutOfBounds { what: what(), offset, size, file_size: self.len() })
    }

    /// The header of a section.
    ///
    /// # Errors
    /// If there is no section of that index.
    pub fn header(&self, index: SectionIndex) -> Result<&SectionHeader, ElfError> {
        self.sections.get(index.get()).ok_or_else(|| ElfError::BadIndex {
            what: "section index".into(),
            index: index.0.into(),
            limit: self.sections.len() as u64,
        })
    }

    /// Index and header of every section but the null section.
    pub fn indexed(&self) -> impl Iterator<Item = (SectionIndex, &SectionHeader)> {
        (0u32..).map(SectionIndex).zip(&self.sections).skip(1)
    }

    /// The contents of a section; empty for `SHT_NOBITS`.
    ///
    /// # Errors
    /// If they lie outside the file, or there is no such section.
    pub fn contents(&self, index: SectionIndex) -> Result<&'a [u8], ElfError> {
        let header = self.header(index)?;
        match header.file_size() {
            0 => Ok(&[]),
            size => self.bytes(|| format!("section {}", self.describe(index)), header.sh_offset, size),
        }
    }

    /// The name of a section, as bytes. Empty for every section of a file without a section header string table.
    ///
    /// # Errors
    /// If `sh_name` lies outside the string table or the name does not end in it.
    pub fn name(&self, index: SectionIndex) -> Result<&'a [u8], ElfError> {
        let header = self.header(index)?;
        if self.shstrndx.0 == 0 {
            return Ok(&[]);
        }
        string_at(self.names, header.sh_name).ok_or_else(|| ElfError::BadIndex {
            what: format!("sh_name of section {index}"),
            index: header.sh_name.into(),
            limit: self.names.len() as u64,
        })
    }

    /// The bytes of the section header string table.
    pub fn names(&self) -> &'a [u8] {
        self.names
    }

    /// Every section of that name. A name is not an identity: a module may hold two `.note.GNU-stack`.
    pub fn named(&self, name: &[u8]) -> Vec<SectionIndex> {
        self.indexed().map(|(index, _)| index).filter(|&index| self.name(index).is_ok_and(|n| n == name)).collect()
    }

    /// A section for messages: `'.BTF' [27]`.
    pub fn describe(&self, index: SectionIndex) -> String {
        match self.name(index) {
            Ok(name) => format!("'{}' {index}", printable(name)),
            Err(_) => index.to_string(),
        }
    }

    /// Several sections for messages: the first of them, and how many more there are.
    pub fn describe_all(&self, indices: &[SectionIndex]) -> String {
        let (shown, more) = indices.split_at(indices.len().min(20));
        let shown: Vec<_> = shown.iter().map(|&index| self.describe(index)).collect();
        match more.len() {
            0 => shown.join(", "),
            more => format!("{}, and {more} more", shown.join(", ")),
        }
    }

    /// The symbol table that the section at `index` holds.
    ///
    /// # Errors
    /// If its entries are of a strange size, or it, its string table or its `SHT_SYMTAB_SHNDX` lie outside the file.
    pub fn symbol_table(&self, index: SectionIndex) -> Result<SymbolTable<'a>, ElfError> {
        SymbolTable::new(self, index)
    }

    /// The sections that hold symbols: `SHT_SYMTAB` (the gABI allows one) and `SHT_DYNSYM`.
    pub fn symbol_tables(&self) -> Vec<SectionIndex> {
        self.indexed().filter(|(_, h)| matches!(h.sh_type, SHT_SYMTAB | SHT_DYNSYM)).map(|(index, _)| index).collect()
    }
}

/// How many bytes of names may still be read: names may overlap, and so be longer together than their file.
#[derive(Debug)]
pub struct NameBudget {
    left: u64,
}

impl NameBudget {
    /// Counts one name.
    ///
    /// # Errors
    /// If the names so far are longer than any file that is not made to waste time has them.
    pub fn take(&mut self, name: &[u8]) -> Result<(), ElfError> {
        self.left = self.left.checked_sub(name.len() as u64).ok_or_else(|| ElfError::Invalid {
            what: "the symbols share names that are longer together than the file".into(),
        })?;
        Ok(())
    }
}

/// A name for messages: printable, and cut where nobody reads on.
pub fn printable(name: &[u8]) -> String {
    const LONGEST: usize = 256;
    match name.get(..LONGEST) {
        Some(begin) if name.len() > LONGEST => format!("{}...", begin.escape_ascii()),
        _ => name.escape_ascii().to_string(),
    }
}

fn check_entry_size(what: &str, found: u16, expected: u64) -> Result<(), ElfError> {
    if u64::from(found) == expected {
        return Ok(());
    }
    Err(ElfError::EntrySize { what: what.into(), found: found.into(), expected })
}

/// Whole records of `bytes`; the length has been checked, and the records have alignment 1.
fn table<T: pod::Pod>(bytes: &[u8]) -> &[T] {
    pod::slice_from_all_bytes(bytes).unwrap_or_default()
}
