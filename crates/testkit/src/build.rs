//! From an [`ElfSpec`] to bytes: names and indices first, then offsets, then headers.

use crate::consts::*;
use crate::elf::{Contents, ElfSpec, Extent, Names, Ref, Section, Segment, TableAt};
use crate::fields::{EHDR, PHDR, SHDR, encode, size_of};
use crate::format::{Class, Endian};
use crate::symbols::{StringTable, Symbol, SymbolSection, reloc, sym};
use std::collections::HashMap;

/// A symbol table's bytes and what others look up in it.
struct SymbolTable {
    bytes: Vec<u8>,
    extended: Vec<u32>,
    locals: u32,
    by_name: HashMap<Vec<u8>, u32>,
    by_section: HashMap<u32, u32>,
}

/// A section with everything but its offset decided.
struct Ready {
    data: Vec<u8>,
    link: u32,
    info: u32,
    offset: u64,
}

struct Builder<'a> {
    spec: &'a ElfSpec,
    /// In header order; entry `i` has index `i + 1`.
    sections: Vec<Section>,
    index: HashMap<Vec<u8>, u32>,
    shstrndx: u32,
}

impl ElfSpec {
    /// The file. Panics when a name that is referred to does not exist.
    pub fn build(&self) -> Vec<u8> {
        Builder::new(self).build()
    }
}

fn up(pos: u64, align: u64) -> u64 {
    pos.next_multiple_of(align.max(1))
}

impl<'a> Builder<'a> {
    fn new(spec: &'a ElfSpec) -> Builder<'a> {
        let mut sections = spec.sections.clone();
        let shstrtab = || Section::new(".shstrtab", SHT_STRTAB);
        let shstrndx = match &spec.names {
            Names::Last => {
                sections.push(shstrtab());
                sections.len() as u32
            }
            Names::Before(place) => {
                let place = lookup(place, &index_of(&sections));
                sections.insert(place as usize - 1, shstrtab());
                place
            }
            Names::In(place) => lookup(place, &index_of(&sections)),
        };
        let index = index_of(&sections);
        Builder { spec, sections, index, shstrndx }
    }

    fn section(&self, index: u32) -> &Section {
        &self.sections[index as usize - 1]
    }

    fn resolve(&self, section: &Ref) -> u32 {
        lookup(section, &self.index)
    }

    fn build(&self) -> Vec<u8> {
        let (name_offsets, mut ready) = self.ready();
        let class = self.spec.format.class;
        let (ehsize, shentsize) = (size_of(EHDR, class), size_of(SHDR, class));
        let phsize = size_of(PHDR, class) * self.spec.segments.len();
        let mut body = vec![0; ehsize + phsize];
        let shoff = self.place(&mut body, &mut ready, shentsize);

        let mut at = shoff as usize;
        let headers = std::iter::once(self.null_header())
            .chain((0..ready.len()).map(|i| self.header(i, &ready[i], name_offsets[i])));
        for header in headers {
            body[at..at + shentsize].copy_from_slice(&header);
            at += shentsize;
        }
        let header = self.elf_header(shoff);
        body[..ehsize].copy_from_slice(&header);
        for (i, segment) in self.spec.segments.iter().enumerate() {
            let header = self.program_header(segment, &ready);
            let at = ehsize + i * header.len();
            body[at..at + header.len()].copy_from_slice(&header);
        }
        body.extend_from_slice(&self.spec.trailer);
        body
    }

    /// Name offsets and finished contents of all sections.
    fn ready(&self) -> (Vec<u32>, Vec<Ready>) {
        let mut strings: HashMap<u32, StringTable> = HashMap::new();
        let open = |index: u32| -> StringTable {
            let bytes = match &self.section(index).contents {
                Contents::Bytes(bytes) => bytes.clone(),
                other => panic!("string table [{index}] holds {other:?}"),
            };
            StringTable::new(bytes, self.spec.tail_merge)
        };
        let names = strings.entry(self.shstrndx).or_insert_with(|| open(self.shstrndx));
        if self.spec.tail_merge {
            let mut longest_first: Vec<&[u8]> = self.sections.iter().map(|s| &s.name[..]).collect();
            longest_first.sort_by_key(|name| std::cmp::Reverse(name.len()));
            for name in longest_first {
                names.add(name);
            }
        }
        let name_offsets = self.sections.iter().map(|s| names.add(&s.name)).collect();

        let mut tables: HashMap<u32, SymbolTable> = HashMap::new();
        for (i, section) in self.sections.iter().enumerate() {
            if let Contents::Symbols(symbols) = &section.contents {
                let link = self.resolve(&section.link);
                let names = strings.entry(link).or_insert_with(|| open(link));
                tables.insert(i as u32 + 1, self.symbol_table(symbols, names));
            }
        }
        let ready = (1..).zip(&self.sections).map(|(index, s)| self.one_ready(index, s, &tables));
        let mut ready: Vec<Ready> = ready.collect();
        for (index, table) in strings {
            ready[index as usize - 1].data = table.into_bytes();
        }
        (name_offsets, ready)
    }

    fn symbol_table(&self, symbols: &[Symbol], names: &mut StringTable) -> SymbolTable {
        let format = self.spec.format;
        let mut table = SymbolTable {
            bytes: sym(format, 0, 0, 0, 0, 0),
            extended: vec![0],
            locals: 1,
            by_name: HashMap::new(),
            by_section: HashMap::new(),
        };
        for (index, symbol) in (1..).zip(symbols) {
            let (shndx, extended) = match &symbol.section {
                SymbolSection::Reserved(shndx) => (*shndx, 0),
                SymbolSection::Section(section) => match self.resolve(section) {
                    real if real >= u32::from(SHN_LORESERVE) => (SHN_XINDEX, real),
                    real => (real as u16, 0),
                },
            };
            let info = symbol.bind << 4 | symbol.kind;
            let mut entry = sym(format, names.add(&symbol.name), info, shndx, symbol.value, symbol.size);
            let other = if format.class == Class::Elf32 { 13 } else { 5 };
            entry[other] = symbol.other;
            table.bytes.extend(entry);
            table.extended.push(extended);
            if symbol.bind == STB_LOCAL && table.locals == index {
                table.locals += 1;
            }
            if symbol.kind == STT_SECTION {
                let real = if extended > 0 { extended } else { u32::from(shndx) };
                table.by_section.entry(real).or_insert(index);
            } else {
                table.by_name.entry(symbol.name.clone()).or_insert(index);
            }
        }
        table
    }

    /// The index of a symbol in the table `link`.
    fn symbol(&self, symbol: &Ref, link: u32, tables: &HashMap<u32, SymbolTable>) -> u32 {
        let name = match symbol {
            Ref::Index(index) => return *index,
            Ref::Name(name) => name,
        };
        let table = &tables[&link];
        let section = || table.by_section.get(self.index.get(name)?);
        *table.by_name.get(name).or_else(section).unwrap_or_else(|| panic!("no symbol {}", name.escape_ascii()))
    }

    fn one_ready(&self, index: u32, section: &Section, tables: &HashMap<u32, SymbolTable>) -> Ready {
        let format = self.spec.format;
        let link = self.resolve(&section.link);
        let data = match &section.contents {
            Contents::Bytes(bytes) => bytes.clone(),
            Contents::Symbols(_) => tables[&index].bytes.clone(),
            Contents::ExtendedIndices => format.u32s(&tables[&link].extended),
            Contents::Group(flags, members) => {
                let words = std::iter::once(*flags).chain(members.iter().map(|m| self.resolve(m)));
                format.u32s(&words.collect::<Vec<u32>>())
            }
            Contents::Relocs(relocs) => relocs
                .iter()
                .flat_map(|r| {
                    let addend = (section.sh_type == SHT_RELA).then_some(r.addend);
                    let symbol = self.symbol(&r.symbol, link, tables);
                    reloc(format, r.offset, symbol, r.kind, addend)
                })
                .collect(),
        };
        let info = match (&section.contents, &section.info) {
            (Contents::Symbols(_), Ref::Index(0)) => tables[&index].locals,
            (Contents::Group(..), signature) => self.symbol(signature, link, tables),
            (_, target) => self.resolve(target),
        };
        Ready { data, link, info, offset: 0 }
    }

    /// Writes all contents behind the headers in `body`; returns the offset of the room for the section header table.
    fn place(&self, body: &mut Vec<u8>, ready: &mut [Ready], shentsize: usize) -> u64 {
        let last: Vec<u32> = self.spec.file_last.iter().map(|r| self.resolve(r)).collect();
        let all = 1..=ready.len() as u32;
        let order: Vec<u32> = all.filter(|index| !last.contains(index)).chain(last.iter().copied()).collect();
        let room = shentsize * (ready.len() + 1);
        let mut shoff = None;
        let table = |body: &mut Vec<u8>| {
            body.extend_from_slice(&self.spec.table_gap);
            let at = up(body.len() as u64, self.spec.table_align);
            body.resize(at as usize, self.spec.fill);
            body.resize(at as usize + room, 0);
            at
        };
        let before = match &self.spec.table {
            TableAt::Before(section) => Some(self.resolve(section)),
            TableAt::Front => order.first().copied(),
            TableAt::End => None,
        };
        for index in order {
            if before == Some(index) {
                shoff = Some(table(body));
            }
            let section = self.section(index);
            let ready = &mut ready[index as usize - 1];
            body.extend_from_slice(&section.gap);
            let pos = body.len() as u64;
            let next = match section.congruent {
                0 => up(pos, section.addralign),
                page => pos + section.addr.wrapping_sub(pos) % page,
            };
            ready.offset = section.offset.unwrap_or(next);
            if section.sh_type == SHT_NOBITS || (section.offset.is_some() && ready.data.is_empty()) {
                continue;
            }
            let (start, end) = (ready.offset as usize, ready.offset as usize + ready.data.len());
            if body.len() < start {
                body.resize(start, self.spec.fill);
            }
            if body.len() < end {
                body.resize(end, 0);
            }
            body[start..end].copy_from_slice(&ready.data);
        }
        shoff.unwrap_or_else(|| table(body))
    }

    fn header(&self, i: usize, ready: &Ready, name: u32) -> Vec<u8> {
        let s = &self.sections[i];
        let values = [
            ("sh_name", u64::from(name)),
            ("sh_type", u64::from(s.sh_type)),
            ("sh_flags", s.flags),
            ("sh_addr", s.addr),
            ("sh_offset", ready.offset),
            ("sh_size", self.size(i, ready)),
            ("sh_link", u64::from(ready.link)),
            ("sh_info", u64::from(ready.info)),
            ("sh_addralign", s.addralign),
            ("sh_entsize", s.entsize),
        ];
        encode(self.spec.format, SHDR, &values)
    }

    fn size(&self, i: usize, ready: &Ready) -> u64 {
        self.sections[i].size.unwrap_or(ready.data.len() as u64)
    }

    /// Header 0 holds what does not fit into 16 bits of the ELF header.
    fn null_header(&self) -> Vec<u8> {
        let over = |value: u64, limit: u64| if value >= limit { value } else { 0 };
        let reserve = u64::from(SHN_LORESERVE);
        let values = [
            ("sh_size", over(self.sections.len() as u64 + 1, reserve)),
            ("sh_link", over(u64::from(self.shstrndx), reserve)),
            ("sh_info", over(self.spec.segments.len() as u64, 0xffff)),
        ];
        encode(self.spec.format, SHDR, &values)
    }

    fn elf_header(&self, shoff: u64) -> Vec<u8> {
        let spec = self.spec;
        let (class, segments) = (spec.format.class, spec.segments.len() as u64);
        let reserve = u64::from(SHN_LORESERVE);
        let shnum = self.sections.len() as u64 + 1;
        let shstrndx = u64::from(self.shstrndx);
        let size = |fields| size_of(fields, class) as u64;
        let values = [
            ("e_type", u64::from(spec.e_type)),
            ("e_machine", u64::from(spec.format.machine)),
            ("e_version", 1),
            ("e_entry", spec.entry),
            ("e_phoff", if segments > 0 { size(EHDR) } else { 0 }),
            ("e_shoff", shoff),
            ("e_flags", u64::from(spec.e_flags)),
            ("e_ehsize", size(EHDR)),
            ("e_phentsize", if segments > 0 { size(PHDR) } else { 0 }),
            ("e_phnum", segments.min(0xffff)),
            ("e_shentsize", size(SHDR)),
            ("e_shnum", if shnum < reserve { shnum } else { 0 }),
            ("e_shstrndx", if shstrndx < reserve { shstrndx } else { u64::from(SHN_XINDEX) }),
        ];
        let mut header = encode(spec.format, EHDR, &values);
        let class = if class == Class::Elf32 { 1 } else { 2 };
        let data = if spec.format.endian == Endian::Little { 1 } else { 2 };
        header[..8].copy_from_slice(&[0x7f, b'E', b'L', b'F', class, data, 1, spec.osabi]);
        header
    }

    fn program_header(&self, segment: &Segment, ready: &[Ready]) -> Vec<u8> {
        // Offset, address and size.
        let at = |index: u32| {
            let i = index as usize - 1;
            (ready[i].offset, self.sections[i].addr, self.size(i, &ready[i]))
        };
        // As linkers do it, the part in the file ends with the last section that has bytes there, and not with
        // the padding before .bss.
        let file_end = |first: u32, last: u32| {
            let filled = (first..=last).filter(|&i| self.section(i).sh_type != SHT_NOBITS).map(at);
            filled.map(|(offset, _, size)| offset + size).max()
        };
        let (offset, vaddr, filesz, memsz) = match &segment.extent {
            Extent::Raw { offset, filesz, memsz } => (*offset, 0, *filesz, *memsz),
            Extent::Headers => {
                let class = self.spec.format.class;
                let size = (size_of(PHDR, class) * self.spec.segments.len()) as u64;
                (size_of(EHDR, class) as u64, 0, size, size)
            }
            Extent::Sections(first, last) => {
                let (first, last) = (self.resolve(first), self.resolve(last));
                let ((offset, vaddr, _), (_, last_addr, last_size)) = (at(first), at(last));
                let filesz = file_end(first, last).unwrap_or(offset) - offset;
                (offset, vaddr, filesz, last_addr + last_size - vaddr)
            }
            Extent::FromStart(last) => {
                let last = self.resolve(last);
                let (offset, addr, size) = at(last);
                let filesz = file_end(1, last).unwrap_or(offset);
                (0, addr - offset, filesz, offset + size)
            }
        };
        let vaddr = segment.vaddr.unwrap_or(vaddr);
        let values = [
            ("p_type", u64::from(segment.p_type)),
            ("p_flags", u64::from(segment.flags)),
            ("p_offset", offset),
            ("p_vaddr", vaddr),
            ("p_paddr", segment.paddr.unwrap_or(vaddr)),
            ("p_filesz", filesz),
            ("p_memsz", memsz),
            ("p_align", segment.align),
        ];
        encode(self.spec.format, PHDR, &values)
    }
}

fn index_of(sections: &[Section]) -> HashMap<Vec<u8>, u32> {
    let mut index = HashMap::new();
    for (i, section) in (1..).zip(sections) {
        index.entry(section.name.clone()).or_insert(i);
    }
    index
}

fn lookup(section: &Ref, index: &HashMap<Vec<u8>, u32>) -> u32 {
    match section {
        Ref::Index(index) => *index,
        Ref::Name(name) => *index.get(name).unwrap_or_else(|| panic!("no section {}", name.escape_ascii())),
    }
}
