//! Random ET_REL files.

use super::{Maker, Place};
use crate::btf::functions;
use crate::btf_ids::{Entry, Member, btf_ids};
use crate::consts::*;
use crate::elf::{Contents, Ref, Section};
use crate::symbols::Symbol;

impl Maker {
    /// Pushes all sections but the tables; the symbols, if the file has any.
    pub(super) fn object(&mut self) -> Option<Vec<Symbol>> {
        let mut relocated = Vec::new();
        let mut groups = Vec::new();
        let with_symbols = !self.feature(8, "bare");
        if with_symbols {
            for number in 0..self.rng.below(3) {
                groups.push(self.group(number));
            }
        }
        for number in 0..self.rng.below(10) {
            let place = self.content(number);
            let section = self.at(place.index);
            let relocatable = section.sh_type != SHT_NOBITS && section.flags & SHF_MERGE == 0 && place.size > 0;
            if with_symbols && relocatable && self.rng.one_in(2) {
                relocated.push((self.relocs_of(place.index), place));
            }
        }
        let mut locals = self.kernel_sections(with_symbols);
        if !with_symbols {
            return None;
        }
        if let Some(place) = self.text()
            && self.format.rela()
            && self.feature(4, "livepatch")
        {
            relocated.push((self.klp_relocs_of(place), place));
        }
        let (random, mut globals) = self.random_symbols();
        locals.splice(0..0, random);
        for (number, group) in groups.iter().enumerate() {
            let name = format!("signature_{number}");
            globals.push(Symbol::global(&name, group[0]));
        }
        if self.rng.one_in(2) {
            globals.push(Symbol::reserved("printk", SHN_UNDEF));
        }
        if self.rng.one_in(6) {
            let common = Symbol::reserved("common", SHN_COMMON).at(8, 24);
            globals.push(common.info(STB_GLOBAL, STT_OBJECT));
        }
        if self.features.contains("livepatch") {
            globals.push(Symbol::reserved(".klp.sym.vmlinux.bar,0", SHN_LIVEPATCH));
        }
        let count = locals.len() + globals.len();
        self.fill_relocs(&relocated, count);
        if self.feature(5, "addrsig") {
            // One ULEB128 symbol index.
            let index = self.rng.index(count.min(127) + 1) as u8;
            let section = Section::new(".llvm_addrsig", SHT_LLVM_ADDRSIG);
            self.push(section.flags(SHF_EXCLUDE).link(".symtab").data([index]));
        }
        locals.extend(globals);
        Some(locals)
    }

    fn align(&mut self) -> u64 {
        if self.linker_like {
            return self.rng.pick(&[1, 1, 2, 4, 8, 16, 32, 4096]);
        }
        let align = self.rng.pick(&[0, 0, 1, 1, 2, 3, 4, 8, 16, 32, 4096]);
        match align {
            0 => self.features.insert("align 0"),
            3 => self.features.insert("align 3"),
            _ => false,
        };
        align
    }

    /// A section with random contents.
    fn content(&mut self, number: u64) -> Place {
        let len = if self.feature(6, "empty section") { 0 } else { 1 + self.rng.index(60) };
        let align = self.align();
        let data = self.rng.bytes(len);
        let section = match self.rng.below(9) {
            0 | 1 => Section::progbits(format!(".text.f{number}"), SHF_ALLOC | SHF_EXECINSTR, data),
            2 => Section::progbits(format!(".data.d{number}"), SHF_ALLOC | SHF_WRITE, data),
            3 => Section::progbits(format!(".rodata.r{number}"), SHF_ALLOC, data),
            4 => {
                self.features.insert("nobits");
                Section::nobits(format!(".bss.b{number}"), len as u64 * 100)
            }
            5 => {
                self.features.insert("unknown type");
                let types = [0x6000_1234, 0x7000_00ff, SHT_LOUSER + number as u32];
                let section = Section::new(format!(".unknown.{number}"), self.rng.pick(&types));
                section.flags(self.rng.pick(&[0, SHF_ALLOC, SHF_EXCLUDE])).data(data)
            }
            6 => self.comment(len),
            7 if self.text().is_some() => {
                self.features.insert("link order");
                let text = self.text().unwrap().index;
                Section::progbits("__patchable_function_entries", SHF_ALLOC, data)
                    .flags(SHF_ALLOC | SHF_WRITE | SHF_LINK_ORDER)
                    .link(text)
            }
            _ if self.odd(2, "name not UTF-8") => Section::progbits(b".odd\xff\xfe", 0, data),
            _ => {
                self.features.insert("same name twice");
                self.push(Section::progbits(".note.GNU-stack", 0, []));
                Section::progbits(".note.GNU-stack", 0, [])
            }
        };
        let size = section.size.unwrap_or_else(|| bytes_len(&section));
        let place = Place { index: self.push(section.align(align)), size, base: 0 };
        self.places.push(place);
        place
    }

    fn comment(&mut self, len: usize) -> Section {
        let mut text = vec![b'x'; len];
        text.push(0);
        Section::progbits(".comment", SHF_MERGE | SHF_STRINGS, text).entsize(1)
    }

    /// Some executable section.
    fn text(&self) -> Option<Place> {
        let is_text = |p: &&Place| self.spec.sections[p.index as usize - 1].flags & SHF_EXECINSTR != 0;
        self.places.iter().find(is_text).copied()
    }

    /// A group and its members, which come behind it, as the gABI asks; the members' indices.
    fn group(&mut self, number: u64) -> Vec<u32> {
        self.features.insert("group");
        let group = self.push(Section::group(format!("signature_{number}").as_str(), Vec::new()));
        let members: Vec<u32> = (0..=self.rng.below(2))
            .map(|member| {
                let name = format!(".text.group{number}.{member}");
                let flags = SHF_ALLOC | SHF_EXECINSTR | SHF_GROUP;
                let index = self.push(Section::progbits(name, flags, [0xc3; 5]).align(2));
                self.places.push(Place { index, size: 5, base: 0 });
                index
            })
            .collect();
        let flags = self.rng.pick(&[GRP_COMDAT, GRP_COMDAT, 0]);
        let list = members.iter().map(|&index| Ref::Index(index)).collect();
        self.at(group).contents = Contents::Group(flags, list);
        members
    }

    /// An empty relocation section for `target`.
    fn relocs_of(&mut self, target: u32) -> u32 {
        let rela = self.format.rela() ^ self.odd(10, "unusual REL or RELA");
        let name = self.at(target).name.clone();
        let group = self.at(target).flags & SHF_GROUP;
        let mut section = Section::relocs_of_type(self.format, "", rela, Vec::new());
        section.name.extend_from_slice(&name);
        section.flags |= group;
        self.features.insert("relocations");
        self.push(section.info(target))
    }

    /// An empty livepatch relocation section for `target`.
    fn klp_relocs_of(&mut self, target: Place) -> u32 {
        let mut section = Section::relocs_of_type(self.format, "", true, Vec::new());
        section.name = b".klp.rela.vmlinux.".to_vec();
        section.name.extend_from_slice(&self.at(target.index).name.clone());
        section.flags |= SHF_ALLOC | SHF_RELA_LIVEPATCH;
        self.push(section.info(target.index))
    }

    /// `.BTF`, `.BTF.base`, `.BTF_ids`, each or none; the symbols of `.BTF_ids`.
    fn kernel_sections(&mut self, with_symbols: bool) -> Vec<Symbol> {
        let names = ["func_a", "func_b", "func_c"];
        let (btf, ids) = functions(self.format, &names);
        let align = self.rng.pick(&[1, 4]);
        if self.feature(3, ".BTF") {
            self.push(Section::progbits(".BTF", 0, btf.build()).align(align));
            if self.feature(3, ".BTF.base") {
                self.push(Section::progbits(".BTF.base", 0, btf.build()).align(align));
            }
        }
        if !with_symbols || !self.feature(3, ".BTF_ids") {
            return Vec::new();
        }
        let resolved = self.rng.one_in(2);
        let members: Vec<Member> = (1..)
            .zip(names.iter().zip(ids))
            .map(|(flags, (name, id))| {
                let member = Member::func(name, flags);
                if resolved { member.id(id) } else { member }
            })
            .collect();
        let count = if resolved { 3 } else { 0 };
        let name = "kfuncs".to_string();
        let entries = [
            Entry::List(members[..1].to_vec()),
            Entry::Set8 { name, members, count, flags: 1 },
            Entry::Unused(vec![0]),
        ];
        let (words, symbols) = btf_ids(self.format, &entries, ".BTF_ids", 0);
        self.push(Section::progbits(".BTF_ids", SHF_ALLOC, words).align(align));
        symbols
    }
}

fn bytes_len(section: &Section) -> u64 {
    match &section.contents {
        Contents::Bytes(bytes) => bytes.len() as u64,
        other => panic!("no plain bytes: {other:?}"),
    }
}
