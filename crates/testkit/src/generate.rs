//! Random valid ELF files: a seed and options name a file for good.

mod image;
mod object;

use crate::consts::*;
use crate::elf::{Contents, ElfSpec, Names, Ref, Section, TableAt};
use crate::format::Format;
use crate::rng::Rng;
use crate::symbols::{Reloc, Symbol};
use std::collections::BTreeSet;

/// What may be generated.
#[derive(Clone, Copy, Debug, Default)]
pub struct GenOptions {
    /// Only layouts GNU as, GNU ld, lld and clang write: section header table last, zero padding to the alignment
    /// and no more, no bytes nobody owns, nothing behind the end.
    pub linker_like: bool,
    /// Instead of a random one of [`Format::ALL`].
    pub format: Option<Format>,
    /// Instead of a random one of ET_REL, ET_EXEC, ET_DYN.
    pub e_type: Option<u16>,
}

/// A generated file.
#[derive(Clone, Debug)]
pub struct Generated {
    /// The file.
    pub bytes: Vec<u8>,
    /// What it was built from.
    pub spec: ElfSpec,
    /// Words for what is odd in it: `livepatch`, `shared strtab`, `table in front` ...
    pub features: BTreeSet<&'static str>,
    /// Seed, format and features, for the message of a failed test.
    pub description: String,
}

/// The file of `seed`.
pub fn generate(seed: u64, options: GenOptions) -> Generated {
    let mut rng = Rng::new(seed);
    let format = rng.pick(&Format::ALL);
    let format = options.format.unwrap_or(format);
    let e_type = rng.pick(&[ET_REL, ET_REL, ET_REL, ET_EXEC, ET_DYN]);
    let e_type = options.e_type.unwrap_or(e_type);
    let mut maker = Maker {
        rng,
        format,
        linker_like: options.linker_like,
        spec: ElfSpec::new(format, e_type),
        places: Vec::new(),
        features: BTreeSet::new(),
    };
    maker.spec.e_flags = maker.rng.pick(&[0, 0x5, 0x500_0000, 0x8000_0007]);
    let symbols = if e_type == ET_REL { maker.object() } else { maker.image() };
    maker.tables(symbols);
    let Maker { spec, features, .. } = maker;
    let kind = match e_type {
        ET_REL => "ET_REL",
        ET_EXEC => "ET_EXEC",
        _ => "ET_DYN",
    };
    let words: Vec<&str> = features.iter().copied().collect();
    let like = if options.linker_like { ", linker-like" } else { "" };
    let description = format!("seed {seed}{like}: {format} {kind}: {}", words.join(", "));
    Generated { bytes: spec.build(), spec, features, description }
}

/// A section symbols can be defined in.
#[derive(Clone, Copy, Debug)]
struct Place {
    index: u32,
    size: u64,
    /// 0 in ET_REL.
    base: u64,
}

struct Maker {
    rng: Rng,
    format: Format,
    linker_like: bool,
    spec: ElfSpec,
    places: Vec<Place>,
    features: BTreeSet<&'static str>,
}

impl Maker {
    /// One time in `n` true, and then noted as `feature`.
    fn feature(&mut self, n: u64, feature: &'static str) -> bool {
        let yes = self.rng.one_in(n);
        if yes {
            self.features.insert(feature);
        }
        yes
    }

    /// As [`Maker::feature`], and never in linker-like files.
    fn odd(&mut self, n: u64, feature: &'static str) -> bool {
        !self.linker_like && self.feature(n, feature)
    }

    /// Appends a section; its index, which stays: only `.shstrtab` is inserted, and behind all of these.
    fn push(&mut self, section: Section) -> u32 {
        self.spec.sections.push(section);
        self.spec.sections.len() as u32
    }

    /// The section of an index [`Maker::push`] gave.
    fn at(&mut self, index: u32) -> &mut Section {
        &mut self.spec.sections[index as usize - 1]
    }

    /// Symbols in random places: section symbols, other locals, then globals.
    fn random_symbols(&mut self) -> (Vec<Symbol>, Vec<Symbol>) {
        let (mut locals, mut globals) = (Vec::new(), Vec::new());
        if self.rng.one_in(2) {
            locals.push(Symbol::file("generated.c"));
        }
        for place in self.places.clone() {
            if self.rng.one_in(2) {
                locals.push(Symbol::section(place.index).at(place.base, 0));
            }
        }
        for number in 0..self.rng.below(8) {
            if self.places.is_empty() {
                break;
            }
            let place = self.rng.pick(&self.places);
            let value = self.rng.below(place.size + 1);
            let size = self.rng.below(place.size - value + 1);
            let symbol = if self.rng.one_in(2) {
                Symbol::local(&format!("local_{number}"), place.index)
            } else {
                let bind = self.rng.pick(&[STB_GLOBAL, STB_GLOBAL, STB_WEAK]);
                let kind = self.rng.pick(&[STT_FUNC, STT_OBJECT, STT_NOTYPE]);
                // STV_HIDDEN now and then.
                let other = self.rng.pick(&[0, 0, 2]);
                Symbol::global(&format!("global_{number}"), place.index).info(bind, kind).other(other)
            };
            let symbol = symbol.at(place.base + value, size);
            if symbol.bind == STB_LOCAL { locals.push(symbol) } else { globals.push(symbol) }
        }
        if self.rng.one_in(3) {
            globals.push(Symbol::reserved("absolute", SHN_ABS).at(self.rng.below(1 << 20), 0));
        }
        (locals, globals)
    }

    /// Relocations of a section of `size` bytes at `base`, by symbols with an index below `symbols`.
    fn random_relocs(&mut self, size: u64, base: u64, symbols: u64) -> Vec<Reloc> {
        let mips64 = self.format.machine == EM_MIPS && self.format.word() == 8;
        (0..self.rng.below(5))
            .map(|_| {
                // R_MIPS_64 on top of R_MIPS_GPREL16: all three type bytes count.
                let kind = if mips64 { 0x1207 } else { 1 + self.rng.below(2) as u32 };
                let symbol = self.rng.below(symbols) as u32;
                let addend = self.rng.below(64) as i64 - 32;
                Reloc::new(base + self.rng.below(size.max(1)), symbol, kind, addend)
            })
            .collect()
    }

    /// Symbol table, string tables and header table, where one of the tools, or nobody, would put them.
    fn tables(&mut self, symbols: Option<Vec<Symbol>>) {
        let format = self.format;
        let relocs: Vec<Ref> = (1u32..)
            .zip(&self.spec.sections)
            .filter(|(_, s)| [SHT_REL, SHT_RELA].contains(&s.sh_type) && s.flags & SHF_ALLOC == 0)
            .map(|(index, _)| Ref::Index(index))
            .collect();
        let has_symbols = symbols.is_some();
        if let Some(symbols) = symbols {
            self.spec.sections.push(Section::symtab(format, symbols));
            if self.odd(8, "symtab_shndx") {
                self.spec.sections.push(Section::symtab_shndx());
            }
            self.spec.sections.push(Section::strtab(".strtab"));
        } else {
            self.features.insert("no symtab");
        }
        self.spec.tail_merge = self.rng.one_in(2);
        let tables = |before: &[&str], relocs: Vec<Ref>, after: &[&str]| -> Vec<Ref> {
            let name = |names: &[&str]| names.iter().map(|&n| Ref::from(n)).collect::<Vec<_>>();
            [name(before), relocs, name(after)].concat()
        };
        match self.rng.below(4) {
            _ if !has_symbols => {}
            0 => {
                self.features.insert("lld");
                self.spec.names = Names::Before(".strtab".into());
            }
            1 => {
                self.features.insert("shared strtab");
                self.spec.names = Names::In(".strtab".into());
                if self.spec.e_type == ET_REL {
                    self.spec.file_last = tables(&[".symtab"], relocs, &[".strtab"]);
                }
            }
            2 => {
                self.features.insert("gas");
                self.spec.file_last = tables(&[".symtab", ".strtab"], relocs, &[".shstrtab"]);
            }
            _ => {}
        }
        if !self.linker_like {
            self.odd_layout(has_symbols);
        }
    }

    /// What is valid, but written by no linker.
    fn odd_layout(&mut self, has_symbols: bool) {
        let inserted = !matches!(self.spec.names, Names::In(_));
        let count = self.spec.sections.len() + usize::from(inserted);
        if self.spec.e_type == ET_REL && self.feature(3, "file order") {
            let mut order: Vec<u32> = (1..=count as u32).collect();
            self.rng.shuffle(&mut order);
            self.spec.file_last = order.into_iter().map(Ref::Index).collect();
        }
        let front = self.spec.segments.is_empty() || !self.features.contains("headers loaded");
        if front && self.feature(6, "table in front") {
            self.spec.table = TableAt::Front;
        } else if has_symbols && self.feature(4, "table in the middle") {
            self.spec.table = TableAt::Before(".symtab".into());
        }
        if self.feature(4, "gap before table") {
            self.spec.table_gap = self.gap();
        }
        for section in 0..self.spec.sections.len() {
            let segmented = self.spec.e_type != ET_REL && self.spec.sections[section].flags & SHF_ALLOC != 0;
            if !segmented && self.odd(6, "gaps") {
                self.spec.sections[section].gap = self.gap();
            }
        }
        if self.feature(5, "padding not zero") {
            self.spec.fill = 0xcc;
        }
        if self.feature(5, "trailer") {
            let len = 1 + self.rng.index(40);
            self.spec.trailer = self.rng.bytes(len);
        }
    }

    fn gap(&mut self) -> Vec<u8> {
        let len = 1 + self.rng.index(20);
        if self.rng.one_in(2) { vec![0; len] } else { self.rng.bytes(len) }
    }

    /// Sets the relocations of the sections in `of`, pairs of (relocation section, what it relocates).
    fn fill_relocs(&mut self, of: &[(u32, Place)], symbols: usize) {
        for &(index, place) in of {
            let relocs = self.random_relocs(place.size, place.base, symbols as u64 + 1);
            self.at(index).contents = Contents::Relocs(relocs);
        }
    }
}
