//! What `-v` and `-vv` tell, in the words and the order of the kernel's tool.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Display;

use elfgraft_btf::ids::{IdName, SetKind, Sym, Warning, parse_id_name};
use elfgraft_btf::{Btf, Endian, Kind};
use elfgraft_elf::Image;

use super::say;
use crate::btf::section::IdsSection;
use crate::btf::source::endian;

/// How often `-v` was given.
#[derive(Clone, Copy, Debug)]
pub struct Trace(pub u32);

impl Trace {
    /// A line for `-v`.
    pub fn say(self, line: impl Display) {
        if self.0 >= 1 {
            say(line);
        }
    }

    /// `-vv`: the section headers. `-v`: that words are not in the byte order of this machine.
    pub fn sections(self, image: &Image) {
        for (index, header) in image.indexed().filter(|_| self.0 >= 1) {
            let name = image.name(index).unwrap_or_default();
            if self.0 >= 2 {
                let (size, link, flags, kind) = (header.sh_size, header.sh_link, header.sh_flags, header.sh_type);
                let (index, name) = (index.0, name.escape_ascii());
                say(format_args!("section({index}) {name}, size {size}, link {link}, flags {flags:x}, type={kind}"));
            }
            if name == b".BTF_ids" {
                self.swapped(image, "target to host");
            }
        }
    }

    /// What the kernel's tool does in memory to words of the other byte order, and scripts may look for.
    pub fn swapped(self, image: &Image, direction: &str) {
        if (endian(image) == Endian::Little) != cfg!(target_endian = "little") {
            self.say(format_args!("bswap_32 .BTF_ids data from {direction} endianness"));
        }
    }

    /// The names that the symbols ask for, each once.
    pub fn symbols(self, section: Option<&IdsSection>) {
        let mut seen = BTreeSet::new();
        for (name, _) in self.names(section) {
            let (key, text) = match name {
                IdName::Member { kind, name, .. } => ((Some(kind), name), name),
                IdName::Set(name) | IdName::Set8(name) => ((None, name), name),
            };
            if seen.insert(key) {
                say(format_args!("adding symbol {}", text.escape_ascii()));
            }
        }
    }

    /// For `-v`: the kfuncs whose flags were looked at, and those whose prototypes change.
    pub fn kfuncs(section: &IdsSection, btf: &Btf, flags: &[(&[u8], u32)]) {
        let ids = section.ids();
        let mut sets: HashMap<&[u8], &[u8]> = HashMap::new();
        for row in ids.rows(None) {
            if let (Some((SetKind::Set8, set)), Some((Kind::Func, name))) = (row.set, row.wanted) {
                let greatest = sets.entry(name).or_default();
                // One set asks for many, and its name may be long.
                if !std::ptr::eq(set, *greatest) {
                    *greatest = set.max(greatest);
                }
            }
        }
        let kfuncs: Vec<&[u8]> = btf.iter().filter_map(|ty| kfunc(btf, &ty)).filter(|n| sets.contains_key(n)).collect();
        for name in &kfuncs {
            let set = sets.get(name).copied().unwrap_or_default().escape_ascii();
            say(format_args!("found kfunc {} in BTF_ID_FLAGS {set}", name.escape_ascii()));
        }
        // Names with the flag, and whether there is a function `_impl` of each: one pass over the BTF tells it of all.
        let implicit: Vec<&[u8]> =
            flags.iter().filter(|(_, flags)| flags & 1 << 16 != 0).map(|(name, _)| *name).collect();
        let impls: Vec<Vec<u8>> = implicit.iter().map(|name| [name, &b"_impl"[..]].concat()).collect();
        let there = btf.find_first(&impls.iter().map(|name| (Kind::Func, &name[..])).collect::<Vec<_>>());
        let there: HashMap<&[u8], bool> = implicit.into_iter().zip(there.iter().map(Option::is_some)).collect();
        let mut seen = BTreeSet::new();
        for name in kfuncs {
            if let Some(there) = there.get(name) {
                let again = !seen.insert(name);
                let name = name.escape_ascii();
                if again || *there {
                    say(format_args!("resolve_btfids: function {name}_impl already exists in BTF"));
                }
                say(format_args!("resolve_btfids: updated BTF for kfunc with implicit args {name}"));
            }
        }
    }

    /// What was warned of, and with `-v` every word that was written and every set that was sorted.
    pub fn patched(self, section: &IdsSection, btf: &Btf, warnings: &[Warning]) {
        if self.0 == 0 {
            return warnings.iter().for_each(say);
        }
        warnings.iter().filter(|w| matches!(w, Warning::MultipleIds { .. })).for_each(say);
        let mut members: BTreeMap<(Kind, Reverse<&[u8]>), Vec<u64>> = BTreeMap::new();
        let mut sets: BTreeMap<Reverse<&[u8]>, (u64, u64)> = BTreeMap::new();
        for (name, sym) in self.names(Some(section)) {
            match name {
                IdName::Member { kind, name, .. } => members.entry((kind, Reverse(name))).or_default().push(sym.offset),
                IdName::Set(name) => drop(sets.insert(Reverse(name), (sym.offset, (sym.size / 4).saturating_sub(1)))),
                IdName::Set8(name) => drop(sets.insert(Reverse(name), (sym.offset, (sym.size / 8).saturating_sub(1)))),
            }
        }
        let wanted: Vec<_> = members.keys().map(|&(kind, Reverse(name))| (kind, name)).collect();
        for (((_, Reverse(name)), offsets), found) in members.iter().zip(btf.find_first(&wanted)) {
            let (name, id) = (name.escape_ascii(), found.unwrap_or_default());
            if id == 0 {
                say(format_args!("WARN: resolve_btfids: unresolved symbol {name}"));
            }
            for at in offsets {
                say(format_args!("patching addr {at:5}: ID {id:7} [{name}]"));
            }
        }
        for (Reverse(name), (at, count)) in &sets {
            say(format_args!("patching addr {at:5}: ID {count:7} [{}]", name.escape_ascii()));
        }
        for (Reverse(name), (at, count)) in &sets {
            say(format_args!("sorting  addr {at:5}: cnt {count:6} [{}]", name.escape_ascii()));
        }
    }

    /// The symbols, by their index; none without `-v`.
    fn names<'s>(self, section: Option<&'s IdsSection<'s>>) -> Vec<(IdName<'s>, Sym<'s>)> {
        let syms = section.filter(|_| self.0 != 0).map(IdsSection::syms).unwrap_or_default();
        syms.iter().filter_map(|sym| Some((parse_id_name(sym.name)?.ok()?, *sym))).collect()
    }
}

/// The name of the function that a decl tag says is a kfunc.
fn kfunc<'a>(btf: &Btf<'a>, tag: &elfgraft_btf::Type<'a>) -> Option<&'a [u8]> {
    let whole = btf.endian().u32_at(tag.record, 12) == Some(u32::MAX);
    if tag.kind != Kind::DeclTag || tag.kind_flag || !whole || btf.name(tag) != Some(b"bpf_kfunc") {
        return None;
    }
    btf.name(&btf.get(tag.size_or_type).filter(|ty| ty.kind == Kind::Func)?)
}
