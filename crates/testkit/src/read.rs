//! A naive reader, independent of the code under test: it believes what a file says and panics on nonsense.

pub use crate::diff::semantic_diff;

use crate::consts::*;
use crate::fields::{EHDR, Fields, PHDR, REL, RELA, SHDR, SYM, get, size_of};
use crate::format::{Class, Endian, Format};
use std::collections::HashMap;

/// A section header, its name and its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadSection {
    /// From the section header string table.
    pub name: Vec<u8>,
    /// The name for people, with `#2` when it is the second of that name.
    pub label: String,
    /// `sh_type`.
    pub sh_type: u32,
    /// `sh_flags`.
    pub flags: u64,
    /// `sh_addr`.
    pub addr: u64,
    /// `sh_offset`.
    pub offset: u64,
    /// `sh_size`.
    pub size: u64,
    /// `sh_link`.
    pub link: u32,
    /// `sh_info`.
    pub info: u32,
    /// `sh_addralign`.
    pub addralign: u64,
    /// `sh_entsize`.
    pub entsize: u64,
    /// Empty for SHT_NOBITS.
    pub data: Vec<u8>,
}

/// A program header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadSegment {
    /// `p_type`.
    pub p_type: u32,
    /// `p_flags`.
    pub flags: u32,
    /// `p_offset`.
    pub offset: u64,
    /// `p_vaddr`.
    pub vaddr: u64,
    /// `p_paddr`.
    pub paddr: u64,
    /// `p_filesz`.
    pub filesz: u64,
    /// `p_memsz`.
    pub memsz: u64,
    /// `p_align`.
    pub align: u64,
}

/// A symbol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadSymbol {
    /// From the linked string table.
    pub name: Vec<u8>,
    /// The name for people, with `#2` when it is the second of that name; of section symbols the section's.
    pub label: String,
    /// `st_info`.
    pub info: u8,
    /// `st_other`.
    pub other: u8,
    /// `st_shndx` as it is.
    pub shndx: u16,
    /// The index of its section, SHN_XINDEX looked up; none when undefined or reserved.
    pub section: Option<u32>,
    /// `st_value`.
    pub value: u64,
    /// `st_size`.
    pub size: u64,
}

/// A relocation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadReloc {
    /// `r_offset`.
    pub offset: u64,
    /// Index in the linked symbol table.
    pub symbol: u32,
    /// The type; on 64-bit MIPS all four bytes, ssym first.
    pub kind: u32,
    /// `r_addend`, sign-extended; 0 in REL.
    pub addend: i64,
}

/// A file, read.
#[derive(Clone, Debug)]
pub struct ReadElf {
    /// From the ELF header.
    pub format: Format,
    /// The whole file.
    pub bytes: Vec<u8>,
    /// With entry 0; empty when there is no table.
    pub sections: Vec<ReadSection>,
    /// In table order.
    pub segments: Vec<ReadSegment>,
    /// The index of the section header string table.
    pub shstrndx: u32,
    /// What lies behind the last byte of header tables, sections and segments.
    pub trailer: Vec<u8>,
}

impl ReadElf {
    /// Reads `file`; panics when it contradicts itself.
    pub fn parse(file: &[u8]) -> ReadElf {
        assert_eq!(file[..4], *b"\x7fELF");
        let format = Format::of(file);
        let header = |name| get(format, EHDR, file, 0, name);
        let mut elf = ReadElf {
            format,
            bytes: file.to_vec(),
            sections: Vec::new(),
            segments: Vec::new(),
            shstrndx: header("e_shstrndx") as u32,
            trailer: Vec::new(),
        };
        let (shoff, phoff) = (header("e_shoff"), header("e_phoff"));
        let mut end = size_of(EHDR, format.class) as u64;
        let mut phnum = header("e_phnum");
        if shoff > 0 {
            assert_eq!(header("e_shentsize"), size_of(SHDR, format.class) as u64);
            let zero = elf.read_section(shoff);
            let shnum = if header("e_shnum") == 0 { zero.size } else { header("e_shnum") };
            if elf.shstrndx == u32::from(SHN_XINDEX) {
                elf.shstrndx = zero.link;
            }
            if phnum == 0xffff {
                phnum = u64::from(zero.info);
            }
            let size = header("e_shentsize");
            elf.sections = (0..shnum).map(|i| elf.read_section(shoff + i * size)).collect();
            elf.name_sections(shoff);
            end = end.max(shoff + shnum * size);
        }
        if phnum > 0 {
            let size = header("e_phentsize");
            assert_eq!(size, size_of(PHDR, format.class) as u64);
            elf.segments = (0..phnum).map(|i| elf.read_segment(phoff + i * size)).collect();
            end = end.max(phoff + phnum * size);
        }
        // What is empty may point behind the end of the file.
        let sections = elf.sections.iter().map(|s| (s.offset, s.data.len() as u64));
        let segments = elf.segments.iter().map(|s| (s.offset, s.filesz));
        let filled = sections.chain(segments).filter(|&(_, len)| len > 0);
        end = filled.fold(end, |end, (offset, len)| end.max(offset + len));
        elf.trailer = file[end as usize..].to_vec();
        elf
    }

    fn read_section(&self, base: u64) -> ReadSection {
        let field = |name| get(self.format, SHDR, &self.bytes, base as usize, name);
        let (offset, size, sh_type) = (field("sh_offset"), field("sh_size"), field("sh_type"));
        let in_file = sh_type != u64::from(SHT_NOBITS) && sh_type != u64::from(SHT_NULL);
        let len = if in_file { size as usize } else { 0 };
        ReadSection {
            name: Vec::new(),
            label: String::new(),
            sh_type: sh_type as u32,
            flags: field("sh_flags"),
            addr: field("sh_addr"),
            offset,
            size,
            link: field("sh_link") as u32,
            info: field("sh_info") as u32,
            addralign: field("sh_addralign"),
            entsize: field("sh_entsize"),
            data: if len > 0 { self.bytes[offset as usize..][..len].to_vec() } else { Vec::new() },
        }
    }

    fn name_sections(&mut self, shoff: u64) {
        let table = self.sections[self.shstrndx as usize].data.clone();
        let size = size_of(SHDR, self.format.class);
        let mut labels = Labels::default();
        for (i, section) in self.sections.iter_mut().enumerate() {
            let base = shoff as usize + i * size;
            let offset = get(self.format, SHDR, &self.bytes, base, "sh_name");
            section.name = string(&table, offset);
            section.label = labels.next(&format!("'{}'", section.name.escape_ascii()));
        }
    }

    fn read_segment(&self, base: u64) -> ReadSegment {
        let field = |name| get(self.format, PHDR, &self.bytes, base as usize, name);
        ReadSegment {
            p_type: field("p_type") as u32,
            flags: field("p_flags") as u32,
            offset: field("p_offset"),
            vaddr: field("p_vaddr"),
            paddr: field("p_paddr"),
            filesz: field("p_filesz"),
            memsz: field("p_memsz"),
            align: field("p_align"),
        }
    }

    /// A field of the ELF header.
    pub fn header(&self, name: &str) -> u64 {
        get(self.format, EHDR, &self.bytes, 0, name)
    }

    /// The index of the first section of a name.
    pub fn index_of(&self, name: &str) -> Option<u32> {
        self.sections.iter().position(|s| s.name == name.as_bytes()).map(|i| i as u32)
    }

    /// The only section of a name; panics when there is none or another.
    pub fn section(&self, name: &str) -> &ReadSection {
        let mut found = self.sections.iter().filter(|s| s.name == name.as_bytes());
        let section = found.next().unwrap_or_else(|| panic!("no section {name}"));
        assert!(found.next().is_none(), "more than one section {name}");
        section
    }

    /// The symbols of `.symtab`, entry 0 included; empty without one.
    pub fn symbols(&self) -> Vec<ReadSymbol> {
        let index = self.sections.iter().position(|s| s.sh_type == SHT_SYMTAB);
        index.map(|i| self.symbols_of(i as u32)).unwrap_or_default()
    }

    /// The only symbol of a name in `.symtab`; panics when there is none or another.
    pub fn symbol(&self, name: &str) -> ReadSymbol {
        let mut symbols = self.symbols();
        symbols.retain(|s| s.name == name.as_bytes());
        assert_eq!(symbols.len(), 1, "symbols of name {name}");
        symbols.remove(0)
    }

    /// The symbols in a section of type SHT_SYMTAB or SHT_DYNSYM, entry 0 included.
    pub fn symbols_of(&self, table: u32) -> Vec<ReadSymbol> {
        let section = &self.sections[table as usize];
        let strings = &self.sections[section.link as usize].data;
        let extended =
            self.sections.iter().find(|s| s.sh_type == SHT_SYMTAB_SHNDX && s.link == table).map(|s| &s.data[..]);
        let mut labels = Labels::default();
        (0..self.entries(section, SYM))
            .map(|i| self.read_symbol(&section.data, i, strings, extended, &mut labels))
            .collect()
    }

    fn read_symbol(
        &self,
        data: &[u8],
        index: usize,
        strings: &[u8],
        extended: Option<&[u8]>,
        labels: &mut Labels,
    ) -> ReadSymbol {
        let base = index * size_of(SYM, self.format.class);
        let field = |name| get(self.format, SYM, data, base, name);
        let name = string(strings, field("st_name"));
        let info = field("st_info") as u8;
        let shndx = field("st_shndx") as u16;
        let section = match shndx {
            SHN_XINDEX => Some(self.format.get(extended.unwrap(), 4 * index, 4) as u32),
            SHN_UNDEF | SHN_LORESERVE.. => None,
            index => Some(u32::from(index)),
        };
        let label = match section {
            Some(section) if info & 15 == STT_SECTION && name.is_empty() => {
                format!("section symbol {}", self.sections[section as usize].label)
            }
            _ => format!("'{}'", name.escape_ascii()),
        };
        ReadSymbol {
            name,
            label: labels.next(&label),
            info,
            other: field("st_other") as u8,
            shndx,
            section,
            value: field("st_value"),
            size: field("st_size"),
        }
    }

    /// The relocations in a section of type SHT_REL or SHT_RELA.
    pub fn relocs_of(&self, index: u32) -> Vec<ReadReloc> {
        let section = &self.sections[index as usize];
        let fields = if section.sh_type == SHT_RELA { RELA } else { REL };
        let size = size_of(fields, self.format.class);
        (0..self.entries(section, fields))
            .map(|i| {
                let field = |name| get(self.format, fields, &section.data, i * size, name);
                let (symbol, kind) = self.split_info(field("r_info"));
                let addend = match (section.sh_type, self.format.class) {
                    (SHT_REL, _) => 0,
                    (_, Class::Elf32) => i64::from(field("r_addend") as u32 as i32),
                    (_, Class::Elf64) => field("r_addend") as i64,
                };
                ReadReloc { offset: field("r_offset"), symbol, kind, addend }
            })
            .collect()
    }

    fn split_info(&self, info: u64) -> (u32, u32) {
        let Format { class, endian, machine } = self.format;
        match class {
            Class::Elf32 => ((info >> 8) as u32, (info & 0xff) as u32),
            Class::Elf64 if machine == EM_MIPS && endian == Endian::Little => {
                (info as u32, ((info >> 32) as u32).swap_bytes())
            }
            Class::Elf64 => ((info >> 32) as u32, info as u32),
        }
    }

    /// The flags and member indices of a section of type SHT_GROUP.
    pub fn group_of(&self, index: u32) -> (u32, Vec<u32>) {
        let data = &self.sections[index as usize].data;
        assert_eq!(data.len() % 4, 0);
        let mut words: Vec<u32> = (0..data.len() / 4).map(|i| self.format.get(data, 4 * i, 4) as u32).collect();
        (words.remove(0), words)
    }

    fn entries(&self, section: &ReadSection, fields: &Fields) -> usize {
        let size = size_of(fields, self.format.class);
        assert_eq!(section.entsize, size as u64, "sh_entsize of {}", section.label);
        assert_eq!(section.data.len() % size, 0, "sh_size of {}", section.label);
        section.data.len() / size
    }
}

/// Numbers the second and later ones of a name.
#[derive(Default)]
struct Labels(HashMap<String, u32>);

impl Labels {
    fn next(&mut self, name: &str) -> String {
        let count = self.0.entry(name.to_string()).or_default();
        *count += 1;
        if *count == 1 { name.to_string() } else { format!("{name}#{count}") }
    }
}

/// The string at `offset`, which must end.
fn string(table: &[u8], offset: u64) -> Vec<u8> {
    let rest = &table[offset as usize..];
    if rest.is_empty() && offset == 0 {
        return Vec::new();
    }
    rest[..rest.iter().position(|&b| b == 0).expect("a string without end")].to_vec()
}
