//! `.BTF_ids` and the symbols that tell what its words mean, as the kernel's macros make them.
//!
//! Three pairs of a fresh set8, each word 4 bytes:
//! ```text
//!   count=0 flags=1 | 0 flags | 0 flags | 0 flags
//!   ^ __BTF_ID__set8__NAME, size 32
//!                     ^ __BTF_ID__func__a__1, size 4
//! ```

use crate::btf::functions;
use crate::consts::*;
use crate::elf::{ElfSpec, Section};
use crate::format::Format;
use crate::symbols::Symbol;

/// One word, or pair, that stands for a type.
#[derive(Clone, Debug)]
pub struct Member {
    /// `struct`, `union`, `typedef`, `func`, or something wrong.
    pub kind: String,
    /// The name of the type.
    pub name: String,
    /// The word behind the ID; in set8 only.
    pub flags: u32,
    /// The ID; 0 before resolution.
    pub id: u32,
}

impl Member {
    /// Not resolved, flags 0.
    pub fn new(kind: &str, name: &str) -> Member {
        Member { kind: kind.to_string(), name: name.to_string(), flags: 0, id: 0 }
    }

    /// A `func` with flags.
    pub fn func(name: &str, flags: u32) -> Member {
        Member { flags, ..Member::new("func", name) }
    }

    /// Resolved to `id`.
    pub fn id(self, id: u32) -> Member {
        Member { id, ..self }
    }
}

/// A part of `.BTF_ids`, in file order.
#[derive(Clone, Debug)]
pub enum Entry {
    /// BTF_SET: a count, then IDs.
    Set {
        /// The name of the set.
        name: String,
        /// In file order.
        members: Vec<Member>,
        /// The count in the file; 0 before resolution.
        count: u32,
    },
    /// BTF_SET8: a count and flags, then pairs.
    Set8 {
        /// The name of the set.
        name: String,
        /// In file order.
        members: Vec<Member>,
        /// The count in the file; 0 before resolution.
        count: u32,
        /// Flags of the set; 1 for kfuncs.
        flags: u32,
    },
    /// BTF_ID_LIST: plain words in a fixed order.
    List(Vec<Member>),
    /// BTF_ID_UNUSED: words no symbol names, with the values they hold.
    Unused(Vec<u32>),
}

impl Entry {
    /// A BTF_SET before resolution.
    pub fn set(name: &str, members: Vec<Member>) -> Entry {
        Entry::Set { name: name.to_string(), members, count: 0 }
    }

    /// A BTF_SET8 of kfuncs before resolution.
    pub fn set8(name: &str, members: Vec<Member>) -> Entry {
        Entry::Set8 { name: name.to_string(), members, count: 0, flags: 1 }
    }
}

/// The words of `entries`, in the file's byte order, and their symbols in `section`, the first word being at `base`
/// (0 in ET_REL, the section's address otherwise).
pub fn btf_ids(format: Format, entries: &[Entry], section: &str, base: u64) -> (Vec<u8>, Vec<Symbol>) {
    let mut words: Vec<u32> = Vec::new();
    let mut symbols = Vec::new();
    let mut unique = 0;
    let at = |words: &[u32]| base + 4 * words.len() as u64;
    let mut word = |words: &mut Vec<u32>, symbols: &mut Vec<Symbol>, member: &Member| {
        unique += 1;
        let name = format!("__BTF_ID__{}__{}__{unique}", member.kind, member.name);
        symbols.push(Symbol::local(&name, section).at(at(words), 4));
        words.push(member.id);
    };
    let start = |words: &[u32], prefix: &str, name: &str, size: usize| {
        let label = Symbol::local(name, section).info(STB_LOCAL, STT_NOTYPE).at(at(words), 0);
        let mut set = label.clone().at(at(words), size as u64);
        set.name = format!("__BTF_ID__{prefix}__{name}").into_bytes();
        [label, set]
    };
    for entry in entries {
        match entry {
            Entry::Set { name, members, count } => {
                symbols.extend(start(&words, "set", name, 4 + 4 * members.len()));
                words.push(*count);
                for member in members {
                    word(&mut words, &mut symbols, member);
                }
            }
            Entry::Set8 { name, members, count, flags } => {
                symbols.extend(start(&words, "set8", name, 8 + 8 * members.len()));
                words.extend([*count, *flags]);
                for member in members {
                    word(&mut words, &mut symbols, member);
                    words.push(member.flags);
                }
            }
            Entry::List(members) => {
                for member in members {
                    word(&mut words, &mut symbols, member);
                }
            }
            Entry::Unused(values) => words.extend(values),
        }
    }
    (format.u32s(&words), symbols)
}

/// A module, not yet resolved: `.text`, `.BTF_ids` of `entries`, `.BTF` with a FUNC for each of `functions_in_btf`,
/// symbols. More sections and segments can be added before it is built; symbols can not.
pub fn module(format: Format, entries: &[Entry], functions_in_btf: &[&str]) -> ElfSpec {
    let (words, mut symbols) = btf_ids(format, entries, ".BTF_ids", 0);
    symbols.push(Symbol::global("init_module", ".text").at(0, 4));
    let (btf, _) = functions(format, functions_in_btf);
    ElfSpec::new(format, ET_REL)
        .section(Section::progbits(".text", SHF_ALLOC | SHF_EXECINSTR, [0; 16]).align(16))
        .section(Section::progbits(".BTF_ids", SHF_ALLOC, words).align(4))
        .section(Section::progbits(".BTF", 0, btf.build()).align(4))
        .symbols(symbols)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::readelf::assert_readelf_accepts;
    use goblin::elf::Elf;

    #[test]
    fn words_and_symbols_of_every_kind_of_entry() {
        let entries = [
            Entry::Unused(vec![7]),
            Entry::set8("s8", vec![Member::func("a", 5).id(3), Member::func("b", 6)]),
            Entry::set("s", vec![Member::new("struct", "t__x").id(9)]),
            Entry::List(vec![Member::new("typedef", "u")]),
        ];
        for format in Format::FOUR {
            let (words, symbols) = btf_ids(format, &entries, ".BTF_ids", 0x1000);
            assert_eq!(words, format.u32s(&[7, 0, 1, 3, 5, 0, 6, 0, 9, 0]));
            let symbols: Vec<_> =
                symbols.iter().map(|s| (std::str::from_utf8(&s.name).unwrap(), s.value - 0x1000, s.size)).collect();
            let expected = [
                ("s8", 4, 0),
                ("__BTF_ID__set8__s8", 4, 24),
                ("__BTF_ID__func__a__1", 12, 4),
                ("__BTF_ID__func__b__2", 20, 4),
                ("s", 28, 0),
                ("__BTF_ID__set__s", 28, 8),
                ("__BTF_ID__struct__t__x__3", 32, 4),
                ("__BTF_ID__typedef__u__4", 36, 4),
            ];
            assert_eq!(symbols, expected);
            let file = module(format, &entries, &["a", "b"]).build();
            assert_eq!(Elf::parse(&file).unwrap().syms.len(), 10);
            assert_readelf_accepts(&file, &format.to_string());
        }
    }
}
