//! Random ET_EXEC and ET_DYN files.

use super::{Maker, Place};
use crate::btf::functions;
use crate::btf_ids::{Entry, Member, btf_ids};
use crate::consts::*;
use crate::elf::{Contents, Extent, Section, Segment};
use crate::symbols::{Reloc, Symbol};

const PAGE: u64 = 0x1000;

/// The names in `.dynsym`.
const IMPORTED: [&str; 2] = ["imported_a", "imported_b"];

fn dynstr_len() -> u64 {
    1 + IMPORTED.iter().map(|name| name.len() as u64 + 1).sum::<u64>()
}

impl Maker {
    /// Pushes all sections but the tables, and segments; the symbols, if the file has any.
    pub(super) fn image(&mut self) -> Option<Vec<Symbol>> {
        let wide = self.format.word() == 8;
        let base = match (self.spec.e_type, wide) {
            (ET_DYN, _) => 0,
            (_, true) => self.rng.pick(&[0x40_0000, 0xffff_ffff_8100_0000]),
            (_, false) => self.rng.pick(&[0x1_0000, 0xc000_0000]),
        };
        // Room for the headers, whether they are loaded or not.
        let mut addr = base + 0x400;
        let headers_loaded = self.feature(2, "headers loaded");
        let mut symbols = Vec::new();

        let text_from = self.spec.sections.len();
        if self.spec.e_type == ET_DYN {
            self.dynamic_tables(&mut addr);
        }
        if self.feature(3, "notes") {
            let note = build_id(self);
            self.alloc(&mut addr, note, 36);
            self.segment(Segment::of(PT_NOTE, PF_R, ".note.gnu.build-id", ".note.gnu.build-id"));
        }
        let text = self.random_section(&mut addr, ".text", SHF_ALLOC | SHF_EXECINSTR);
        self.spec.entry = self.at(text.index).addr;
        let text_to = self.spec.sections.len();

        self.next_page(&mut addr);
        let rodata_from = text_to;
        self.random_section(&mut addr, ".rodata", SHF_ALLOC);
        self.kernel_image_sections(&mut addr, &mut symbols);
        let rodata_to = self.spec.sections.len();

        self.next_page(&mut addr);
        let data_from = rodata_to;
        if self.spec.e_type == ET_DYN {
            self.dynamic_section(&mut addr);
        }
        self.data_sections(&mut addr);
        let data_to = self.spec.sections.len();

        for (flags, from, to) in
            [(PF_R | PF_X, text_from, text_to), (PF_R, rodata_from, rodata_to), (PF_R | PF_W, data_from, data_to)]
        {
            let mut segment = Segment::load(flags, from + 1, to);
            if from == 0 && headers_loaded {
                segment.extent = Extent::FromStart(to.into());
            }
            self.segment(segment);
        }
        if headers_loaded && self.rng.one_in(2) {
            let headers = base + if wide { 64 } else { 52 };
            // PT_PHDR comes before the PT_LOAD that holds it.
            let segment = Segment::new(PT_PHDR, PF_R, Extent::Headers).vaddr(headers).align(8);
            self.spec.segments.insert(0, segment);
        }
        if self.rng.one_in(2) {
            self.segment(Segment::empty(PT_GNU_STACK, PF_R | PF_W));
        }
        if self.feature(2, "physical addresses") {
            for segment in &mut self.spec.segments {
                if segment.p_type == PT_LOAD {
                    let addr = segment_addr(segment, &self.spec.sections, base);
                    segment.paddr = Some(addr - base + 0x10_0000);
                }
            }
        }
        self.loose_sections(text, symbols)
    }

    fn segment(&mut self, segment: Segment) {
        self.spec.segments.push(segment);
    }

    fn next_page(&mut self, addr: &mut u64) {
        *addr = (*addr + PAGE).next_multiple_of(16) + self.rng.pick(&[0, 0, 16, 0x230]);
    }

    /// Pushes an allocated section at the next address; its file offset is congruent to that.
    fn alloc(&mut self, addr: &mut u64, section: Section, size: u64) -> Place {
        let base = addr.next_multiple_of(section.addralign.max(1));
        let index = self.push(section.addr(base).congruent(PAGE));
        *addr = base + size;
        let place = Place { index, size, base };
        self.places.push(place);
        place
    }

    fn random_section(&mut self, addr: &mut u64, name: &str, flags: u64) -> Place {
        let len = 1 + self.rng.index(200);
        let data = self.rng.bytes(len);
        let align = self.rng.pick(&[1, 4, 16, 64]);
        self.alloc(addr, Section::progbits(name, flags, data).align(align), len as u64)
    }

    /// `.dynsym`, `.dynstr` and, at times, `.rela.dyn`.
    fn dynamic_tables(&mut self, addr: &mut u64) {
        let names = ["imported_a", "imported_b"];
        let symbols: Vec<Symbol> = names.iter().map(|n| Symbol::reserved(n, SHN_UNDEF)).collect();
        let mut dynsym = Section::symtab(self.format, symbols).link(".dynstr").flags(SHF_ALLOC);
        (dynsym.name, dynsym.sh_type) = (b".dynsym".to_vec(), SHT_DYNSYM);
        let size = dynsym.entsize * (IMPORTED.len() as u64 + 1);
        self.alloc(addr, dynsym, size);
        self.alloc(addr, Section::strtab(".dynstr").flags(SHF_ALLOC), dynstr_len());
        if self.feature(2, "dynamic relocations") {
            let relocs = vec![Reloc::new(0x3000, 1u32, 1, 0)];
            let relocs = Section::relocs(self.format, ".dyn", Vec::new())
                .flags(SHF_ALLOC)
                .link(".dynsym")
                .info(0u32)
                .contents(Contents::Relocs(relocs));
            let size = relocs.entsize;
            self.alloc(addr, relocs, size);
        }
        self.places.clear();
    }

    /// `.dynamic` that finds the tables of [`Maker::dynamic_tables`].
    fn dynamic_section(&mut self, addr: &mut u64) {
        let word = self.format.word();
        let (dynsym, dynstr) = (self.spec.sections[0].clone(), self.spec.sections[1].addr);
        let rows = [(5, dynstr), (6, dynsym.addr), (10, dynstr_len()), (11, dynsym.entsize), (0, 0)];
        let data: Vec<u8> =
            rows.iter().flat_map(|&(tag, value)| [tag, value]).flat_map(|v| self.format.bytes(v, word)).collect();
        let (size, width) = (data.len() as u64, word as u64);
        let section = Section::new(".dynamic", SHT_DYNAMIC)
            .flags(SHF_ALLOC | SHF_WRITE)
            .link(".dynstr")
            .align(width)
            .entsize(2 * width)
            .data(data);
        self.alloc(addr, section, size);
        let segment = Segment::of(PT_DYNAMIC, PF_R | PF_W, ".dynamic", ".dynamic");
        self.segment(segment.align(width));
    }

    /// `.BTF`, `.BTF_ids` and `.module_hashes`, each or none.
    fn kernel_image_sections(&mut self, addr: &mut u64, symbols: &mut Vec<Symbol>) {
        let (btf, ids) = functions(self.format, &["func_a", "func_b"]);
        if self.feature(3, ".BTF") {
            let blob = btf.build();
            let size = blob.len() as u64;
            self.alloc(addr, Section::progbits(".BTF", SHF_ALLOC, blob).align(4), size);
        }
        if self.feature(3, ".BTF_ids") {
            let members = vec![Member::func("func_b", 2).id(ids[1]), Member::func("func_a", 1).id(ids[0])];
            let name = "kfuncs".to_string();
            let entries = [Entry::Set8 { name, members, count: 2, flags: 1 }];
            let base = addr.next_multiple_of(4);
            let (words, ids) = btf_ids(self.format, &entries, ".BTF_ids", base);
            let size = words.len() as u64;
            let section = Section::progbits(".BTF_ids", SHF_ALLOC, words).align(4);
            self.alloc(addr, section, size);
            symbols.extend(ids);
        }
        if self.feature(3, ".module_hashes") {
            // The number of levels, the root.
            let contents = [self.format.u32s(&[3]), self.rng.bytes(32)].concat();
            let section = Section::progbits(".module_hashes", SHF_ALLOC, contents).align(4);
            self.alloc(addr, section, 36);
        }
    }

    /// `.tdata` and `.tbss`, `.data`, `.bss`, and `.modinfo` behind it, as in vmlinux.
    fn data_sections(&mut self, addr: &mut u64) {
        if self.feature(4, "TLS") {
            let flags = SHF_ALLOC | SHF_WRITE | SHF_TLS;
            self.alloc(addr, Section::progbits(".tdata", flags, [5; 8]).align(8), 8);
            // .tbss takes no address space: .data follows at the address of .tbss.
            let mut at = *addr;
            self.alloc(&mut at, Section::nobits(".tbss", 16).flags(flags).align(8), 16);
            self.segment(Segment::of(PT_TLS, PF_R, ".tdata", ".tbss").align(8));
            self.places.truncate(self.places.len() - 2);
        }
        self.random_section(addr, ".data", SHF_ALLOC | SHF_WRITE);
        if !self.feature(2, "nobits") {
            return;
        }
        let size = 1 + self.rng.below(0x300);
        self.alloc(addr, Section::nobits(".bss", size).align(32), size);
        if self.feature(2, "modinfo behind bss") {
            let section = Section::progbits(".modinfo", SHF_ALLOC, *b"license=GPL\0");
            // In the file, too, .bss has room then.
            self.alloc(addr, section.gap(vec![0; size as usize]), 12);
        }
    }

    /// Sections outside of segments, and all symbols.
    fn loose_sections(&mut self, text: Place, ids: Vec<Symbol>) -> Option<Vec<Symbol>> {
        if self.rng.one_in(2) {
            let section = Section::progbits(".comment", SHF_MERGE | SHF_STRINGS, *b"by hand\0");
            self.push(section.entsize(1));
        }
        if self.rng.one_in(2) {
            let len = 1 + self.rng.index(90);
            let data = self.rng.bytes(len);
            let align = self.rng.pick(&[1, 8]);
            self.push(Section::progbits(".debug_custom", 0, data).align(align));
        }
        if ids.is_empty() && self.rng.one_in(6) {
            return None;
        }
        let emit_relocs = self
            .feature(4, "emitted relocations")
            .then(|| self.push(Section::relocs(self.format, ".text", Vec::new())));
        let (mut symbols, globals) = self.random_symbols();
        symbols.extend(ids);
        symbols.extend(globals);
        if let Some(index) = emit_relocs {
            self.fill_relocs(&[(index, text)], symbols.len());
        }
        Some(symbols)
    }
}

/// A valid note.
fn build_id(maker: &mut Maker) -> Section {
    let mut note = maker.format.u32s(&[4, 20, 3]);
    note.extend(b"GNU\0");
    note.extend(maker.rng.bytes(20));
    Section::new(".note.gnu.build-id", SHT_NOTE).flags(SHF_ALLOC).align(4).data(note)
}

/// The address a PT_LOAD of an image at `base` begins at.
fn segment_addr(segment: &Segment, sections: &[Section], base: u64) -> u64 {
    match &segment.extent {
        Extent::Sections(crate::elf::Ref::Index(first), _) => sections[*first as usize - 1].addr,
        _ => base,
    }
}
