//! Small BTF blobs and `.BTF_ids` sections, made by code, for tests (feature `testkit`).
//!
//! Deliberately not built on this crate's writer: what a test feeds to a reader is spelled out byte by byte.

use crate::ids::{IdName, Sym, parse_id_name};
use crate::{Btf, Endian, Kind};

/// Builds BTF data type by type; each method returns the new type's ID. Strings are stored once per part.
#[derive(Clone, Debug)]
pub struct BtfBuilder {
    endian: Endian,
    types: Vec<u8>,
    strings: Vec<u8>,
    layout: Vec<u8>,
    first_string: u32,
    next_id: u32,
}

impl BtfBuilder {
    /// Standalone BTF.
    #[must_use]
    pub fn new(endian: Endian) -> BtfBuilder {
        BtfBuilder { endian, types: Vec::new(), strings: vec![0], layout: Vec::new(), first_string: 0, next_id: 1 }
    }

    /// Split BTF on top of `base`.
    #[must_use]
    pub fn split(base: &Btf) -> BtfBuilder {
        let (first_string, next_id) = (base.own_strings().end, base.own_ids().end);
        BtfBuilder { strings: Vec::new(), first_string, next_id, ..BtfBuilder::new(base.endian()) }
    }

    /// The offset of a string of this part, added if new; 0 for the empty one.
    pub fn string(&mut self, text: &str) -> u32 {
        if text.is_empty() {
            return 0;
        }
        let text = [text.as_bytes(), &[0]].concat();
        let starts = |at: &usize| *at == 0 || self.strings[at - 1] == 0;
        let found = (0..self.strings.len()).filter(starts).find(|&at| self.strings[at..].starts_with(&text));
        let at = found.unwrap_or_else(|| {
            self.strings.extend(&text);
            self.strings.len() - text.len()
        });
        self.first_string + u32::try_from(at).unwrap_or(u32::MAX)
    }

    pub(crate) fn record(&mut self, name: &str, kind: Kind, vlen: u32, size_or_type: u32, words: &[u32]) -> u32 {
        let name = self.string(name);
        for word in [name, u32::from(kind.number()) << 24 | vlen, size_or_type].iter().chain(words) {
            self.types.extend(self.endian.u32_bytes(*word));
        }
        self.next_id += 1;
        self.next_id - 1
    }

    /// A record of any kind, without a name; `words` follow `struct btf_type`.
    pub fn raw(&mut self, kind: Kind, vlen: u32, size_or_type: u32, words: &[u32]) -> u32 {
        self.record("", kind, vlen, size_or_type, words)
    }

    /// INT of this many bytes.
    pub fn int(&mut self, name: &str, size: u32) -> u32 {
        self.record(name, Kind::Int, 0, size, &[size * 8])
    }

    /// PTR.
    pub fn pointer(&mut self, to: u32) -> u32 {
        self.record("", Kind::Ptr, 0, to, &[])
    }

    /// TYPEDEF.
    pub fn typedef(&mut self, name: &str, of: u32) -> u32 {
        self.record(name, Kind::Typedef, 0, of, &[])
    }

    /// STRUCT with members `(name, type)` of 4 bytes each.
    pub fn structure(&mut self, name: &str, members: &[(&str, u32)]) -> u32 {
        self.composite(name, Kind::Struct, members)
    }

    /// UNION with members `(name, type)`.
    pub fn union(&mut self, name: &str, members: &[(&str, u32)]) -> u32 {
        self.composite(name, Kind::Union, members)
    }

    fn composite(&mut self, name: &str, kind: Kind, members: &[(&str, u32)]) -> u32 {
        // The type's name comes first in the strings, as pahole has it.
        self.string(name);
        let mut words = Vec::new();
        for &(name, ty) in members {
            words.extend([self.string(name), ty, 0]);
        }
        let vlen = u32::try_from(members.len()).unwrap_or(u32::MAX);
        self.record(name, kind, vlen, vlen * 4, &words)
    }

    /// FUNC with a FUNC_PROTO of its own (the ID before) that returns `returns` and takes nothing.
    pub fn func(&mut self, name: &str, returns: u32) -> u32 {
        let proto = self.prototype(returns, &[]);
        self.func_of(name, proto)
    }

    /// FUNC with this FUNC_PROTO.
    pub fn func_of(&mut self, name: &str, proto: u32) -> u32 {
        self.record(name, Kind::Func, 1, proto, &[])
    }

    /// FUNC_PROTO with parameters `(name, type)`.
    pub fn prototype(&mut self, returns: u32, params: &[(&str, u32)]) -> u32 {
        let words: Vec<u32> = params.iter().flat_map(|&(name, ty)| [self.string(name), ty]).collect();
        let vlen = u32::try_from(params.len()).unwrap_or(u32::MAX);
        self.record("", Kind::FuncProto, vlen, returns, &words)
    }

    /// DECL_TAG on a whole type (component -1).
    pub fn decl_tag(&mut self, name: &str, target: u32) -> u32 {
        self.component_tag(name, target, u32::MAX)
    }

    /// DECL_TAG on a parameter or member, by its position.
    pub fn component_tag(&mut self, name: &str, target: u32, component: u32) -> u32 {
        self.record(name, Kind::DeclTag, 0, target, &[component])
    }

    /// Adds a layout section (and the header that has one) which gives `kind` these sizes and the kinds below it none.
    pub fn layout(&mut self, kind: u8, info_sz: u8, elem_sz: u8) {
        self.layout.resize(usize::from(kind) * 4, 0);
        self.layout.extend([info_sz, elem_sz, 0, 0]);
    }

    /// The data.
    #[must_use]
    pub fn build(&self) -> Vec<u8> {
        let len = |part: &[u8]| u32::try_from(part.len()).unwrap_or(u32::MAX);
        let (types, layout, strings) = (len(&self.types), len(&self.layout), len(&self.strings));
        let mut data = match self.endian {
            Endian::Little => vec![0x9f, 0xeb, 1, 0],
            Endian::Big => vec![0xeb, 0x9f, 1, 0],
        };
        let mut words = vec![24, 0, types, types + layout, strings];
        if layout != 0 {
            words[0] = 32;
            words.extend([types, layout]);
        }
        for word in words {
            data.extend(self.endian.u32_bytes(word));
        }
        [&data[..], &self.types, &self.layout, &self.strings].concat()
    }
}

/// Builds a `.BTF_ids` section as it comes from the linker, and its symbols in the order of the symbol table.
#[derive(Clone, Debug)]
pub struct IdsBuilder {
    endian: Endian,
    /// The section.
    pub data: Vec<u8>,
    /// Name, offset and size of each symbol.
    pub syms: Vec<(String, u64, u64)>,
}

impl IdsBuilder {
    /// An empty section.
    #[must_use]
    pub fn new(endian: Endian) -> IdsBuilder {
        IdsBuilder { endian, data: Vec::new(), syms: Vec::new() }
    }

    fn here(&self) -> u64 {
        self.data.len() as u64
    }

    fn word(&mut self, word: u32) {
        self.data.extend(self.endian.u32_bytes(word));
    }

    /// A word outside sets, or an entry of a set that was begun: `what` is `func__name`, `struct__name` and so on.
    pub fn id(&mut self, what: &str) {
        // Like the kernel's macro: a counter, then the line.
        let unique = 100 + self.syms.len();
        self.syms.push((format!("__BTF_ID__{what}__{unique}7"), self.here(), 4));
        self.word(0);
    }

    /// A word no symbol names.
    pub fn unused(&mut self) {
        self.word(0);
    }

    /// A set of IDs; an empty name is an entry that no symbol names.
    pub fn set(&mut self, name: &str, members: &[&str]) {
        self.syms.push((format!("__BTF_ID__set__{name}"), self.here(), 4 + 4 * members.len() as u64));
        self.word(0);
        for member in members {
            if member.is_empty() { self.unused() } else { self.id(member) }
        }
    }

    /// A set of IDs with flags, marked as kfuncs.
    pub fn set8(&mut self, name: &str, members: &[(&str, u32)]) {
        self.syms.push((format!("__BTF_ID__set8__{name}"), self.here(), 8 + 8 * members.len() as u64));
        self.word(0);
        self.word(1);
        for &(member, flags) in members {
            self.id(member);
            self.word(flags);
        }
    }

    /// The symbols; the first has index `first` in the symbol table.
    #[must_use]
    pub fn syms(&self, first: u32) -> Vec<Sym<'_>> {
        let syms = (first..).zip(&self.syms);
        syms.map(|(index, (name, offset, size))| Sym { index, name: name.as_bytes(), offset: *offset, size: *size })
            .collect()
    }
}

/// What the kernel's own `resolve_btfids` does to a section: writes each ID where its symbol points, sorts the entries of
/// the sets (stable, like glibc's qsort), and leaves the symbols where they were.
///
/// # Panics
/// When a symbol points out of the section.
pub fn resolve_like_the_kernel(data: &mut [u8], endian: Endian, syms: &[Sym], btf: &Btf) {
    let parsed = || syms.iter().filter_map(|sym| Some((parse_id_name(sym.name)?.ok()?, sym)));
    let at = |sym: &Sym| usize::try_from(sym.offset).unwrap_or(usize::MAX);
    for (name, sym) in parsed() {
        let word = match name {
            IdName::Member { kind, name, .. } => {
                btf.iter().find(|ty| ty.kind == kind && btf.name(ty) == Some(name)).map_or(0, |ty| ty.id)
            }
            IdName::Set(_) => u32::try_from(sym.size / 4 - 1).unwrap_or(u32::MAX),
            IdName::Set8(_) => u32::try_from(sym.size / 8 - 1).unwrap_or(u32::MAX),
        };
        data[at(sym)..][..4].copy_from_slice(&endian.u32_bytes(word));
    }
    for (name, sym) in parsed() {
        let stride = match name {
            IdName::Member { .. } => continue,
            IdName::Set(_) => 4,
            IdName::Set8(_) => 8,
        };
        let size = usize::try_from(sym.size).unwrap_or(usize::MAX);
        let body = &mut data[at(sym)..][stride..size];
        let mut entries: Vec<Vec<u8>> = body.chunks(stride).map(<[u8]>::to_vec).collect();
        entries.sort_by_key(|entry| endian.u32_at(entry, 0));
        body.copy_from_slice(&entries.concat());
    }
}
