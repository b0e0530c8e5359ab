//! What an ELF file is to contain, section by section, and where: [`ElfSpec::build`] makes the bytes.
//!
//! Nothing is checked: whatever a field says is written, so that odd and broken files can be made too.

use crate::consts::*;
use crate::format::Format;
pub use crate::section::{Contents, Ref, Section};
use crate::symbols::{Reloc, Symbol};

/// What a program header covers.
#[derive(Clone, Debug)]
pub enum Extent {
    /// From the first to the last section.
    Sections(Ref, Ref),
    /// From the first byte of the file to the end of a section.
    FromStart(Ref),
    /// The program header table itself.
    Headers,
    /// As given.
    Raw {
        /// `p_offset`.
        offset: u64,
        /// `p_filesz`.
        filesz: u64,
        /// `p_memsz`.
        memsz: u64,
    },
}

/// One program header.
#[derive(Clone, Debug)]
pub struct Segment {
    /// `p_type`.
    pub p_type: u32,
    /// `p_flags`.
    pub flags: u32,
    /// Decides `p_offset`, `p_filesz` (up to the last section that is not SHT_NOBITS), `p_memsz`.
    pub extent: Extent,
    /// `p_vaddr`, when not that of the first section.
    pub vaddr: Option<u64>,
    /// `p_paddr`, when not `p_vaddr`.
    pub paddr: Option<u64>,
    /// `p_align`.
    pub align: u64,
}

impl Segment {
    /// Alignment 1, addresses those of the sections.
    pub fn new(p_type: u32, flags: u32, extent: Extent) -> Segment {
        Segment { p_type, flags, extent, vaddr: None, paddr: None, align: 1 }
    }

    /// A segment of sections.
    pub fn of(p_type: u32, flags: u32, first: impl Into<Ref>, last: impl Into<Ref>) -> Segment {
        Segment::new(p_type, flags, Extent::Sections(first.into(), last.into()))
    }

    /// A PT_LOAD of sections, with pages of 4096 bytes.
    pub fn load(flags: u32, first: impl Into<Ref>, last: impl Into<Ref>) -> Segment {
        Segment::of(PT_LOAD, flags, first, last).align(0x1000)
    }

    /// Covers nothing, as PT_GNU_STACK does.
    pub fn empty(p_type: u32, flags: u32) -> Segment {
        let extent = Extent::Raw { offset: 0, filesz: 0, memsz: 0 };
        Segment::new(p_type, flags, extent).align(16)
    }

    /// Sets `p_vaddr`.
    pub fn vaddr(mut self, vaddr: u64) -> Segment {
        self.vaddr = Some(vaddr);
        self
    }

    /// Sets `p_paddr`.
    pub fn paddr(mut self, paddr: u64) -> Segment {
        self.paddr = Some(paddr);
        self
    }

    /// Sets `p_align`.
    pub fn align(mut self, align: u64) -> Segment {
        self.align = align;
        self
    }
}

/// Which section holds the section names.
#[derive(Clone, Debug)]
pub enum Names {
    /// `.shstrtab`, the last section.
    Last,
    /// `.shstrtab`, inserted before the section.
    Before(Ref),
    /// A section of the list, shared with symbol names, as clang and rustc do.
    In(Ref),
}

/// Where the section header table lies in the file.
#[derive(Clone, Debug)]
pub enum TableAt {
    /// Behind all contents.
    End,
    /// Behind the ELF header and program headers.
    Front,
    /// Before the contents of a section, as older GNU ld: `.shstrtab`, table, `.symtab`, `.strtab`.
    Before(Ref),
}

/// One ELF file.
#[derive(Clone, Debug)]
pub struct ElfSpec {
    /// Class, byte order, `e_machine`.
    pub format: Format,
    /// `e_type`.
    pub e_type: u16,
    /// `e_flags`.
    pub e_flags: u32,
    /// `e_entry`.
    pub entry: u64,
    /// `e_ident[EI_OSABI]`.
    pub osabi: u8,
    /// The section header table from index 1 on; `names` may insert one.
    pub sections: Vec<Section>,
    /// The program header table, right behind the ELF header.
    pub segments: Vec<Segment>,
    /// The section header string table.
    pub names: Names,
    /// Lets a section name lie inside a longer one, as GNU ld does.
    pub tail_merge: bool,
    /// Where the section header table lies.
    pub table: TableAt,
    /// Alignment of the section header table in the file.
    pub table_align: u64,
    /// Unowned bytes before the section header table.
    pub table_gap: Vec<u8>,
    /// Sections whose contents lie behind all others, in this order; the others lie in header order.
    pub file_last: Vec<Ref>,
    /// The byte paddings are made of.
    pub fill: u8,
    /// Bytes behind everything.
    pub trailer: Vec<u8>,
}

impl ElfSpec {
    /// Without sections; as GNU ld would go on: `.shstrtab` last, then the aligned header table.
    pub fn new(format: Format, e_type: u16) -> ElfSpec {
        ElfSpec {
            format,
            e_type,
            e_flags: 0,
            entry: 0,
            osabi: 0,
            sections: Vec::new(),
            segments: Vec::new(),
            names: Names::Last,
            tail_merge: false,
            table: TableAt::End,
            table_align: format.word() as u64,
            table_gap: Vec::new(),
            file_last: Vec::new(),
            fill: 0,
            trailer: Vec::new(),
        }
    }

    /// Appends a section.
    pub fn section(mut self, section: Section) -> ElfSpec {
        self.sections.push(section);
        self
    }

    /// Appends sections.
    pub fn sections(mut self, sections: impl IntoIterator<Item = Section>) -> ElfSpec {
        self.sections.extend(sections);
        self
    }

    /// Appends a program header.
    pub fn segment(mut self, segment: Segment) -> ElfSpec {
        self.segments.push(segment);
        self
    }

    /// Appends `.symtab` and `.strtab`.
    pub fn symbols(mut self, symbols: Vec<Symbol>) -> ElfSpec {
        self.sections.push(Section::symtab(self.format, symbols));
        self.sections.push(Section::strtab(".strtab"));
        self
    }

    /// Appends the relocation section of `target`, as the machine has it.
    pub fn relocs(mut self, target: &str, relocs: Vec<Reloc>) -> ElfSpec {
        self.sections.push(Section::relocs(self.format, target, relocs));
        self
    }

    /// Sets the section header string table.
    pub fn names(mut self, names: Names) -> ElfSpec {
        self.names = names;
        self
    }

    /// Sets the bytes behind everything.
    pub fn trailer(mut self, trailer: impl Into<Vec<u8>>) -> ElfSpec {
        self.trailer = trailer.into();
        self
    }
}
