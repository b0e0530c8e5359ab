//! Modules made at random: every class and byte order, sets of any shape, BTF in which names come and go.

use elfgraft_testkit::btf::{Btf, FUNC, STRUCT, TYPEDEF, UNION};
use elfgraft_testkit::btf_ids::{Entry, Member, btf_ids};
use elfgraft_testkit::consts::*;
use elfgraft_testkit::elf::{ElfSpec, Section};
use elfgraft_testkit::format::{Endian, Format};
use elfgraft_testkit::rng::Rng;
use elfgraft_testkit::symbols::Symbol;

use crate::model::Types;

/// The names that types of these modules have.
pub const NAMES: [&str; 10] = ["a", "b", "c", "d", "ee", "f__f", "g_", "_h", "__i__", "jj"];

/// A base, and split BTF on top of it.
pub struct Pair {
    pub base: Vec<u8>,
    pub split: Vec<u8>,
    pub types: Types,
}

/// A base of `seed`, the same for every module of a byte order.
pub fn base(seed: u64, endian: Endian) -> Btf {
    let mut rng = Rng::new(seed);
    let mut btf = Btf::new(format_of(endian));
    let int = btf.int("int", 4);
    for i in 0..rng.below(40) {
        btf.structure(&format!("base_{}_{i}", rng.below(100)), 4, &[("x", int, 0)]);
    }
    some_types(&mut rng, &mut btf, 3);
    btf
}

fn format_of(endian: Endian) -> Format {
    if endian == Endian::Little { Format::X86_64 } else { Format::S390X }
}

/// BTF of a module on a base of the same byte order.
pub fn pair(seed: u64, base: &Btf, endian: Endian) -> Pair {
    let mut rng = Rng::new(seed);
    let mut split = Btf::split(format_of(endian), base.type_count(), base.str_len());
    some_types(&mut rng, &mut split, 8);
    let (base, split) = (base.build(), split.build());
    let types = Types::read(&split, Some(&Types::read(&base, None)));
    Pair { base, split, types }
}

/// Up to `most` names of each kind, some of them twice.
fn some_types(rng: &mut Rng, btf: &mut Btf, most: u64) {
    let proto = btf.func_proto(0, &[]);
    for kind in [FUNC, STRUCT, FUNC, UNION, TYPEDEF, FUNC] {
        let mut names = NAMES;
        rng.shuffle(&mut names);
        for name in names.iter().take(rng.below(most + 1) as usize) {
            let target = if kind == FUNC || kind == TYPEDEF { proto } else { 0 };
            btf.raw(name, kind << 24, target, &[]);
        }
    }
}

fn member(rng: &mut Rng) -> Member {
    let kind = rng.pick(&["func", "func", "func", "struct", "union", "typedef"]);
    let flags = if rng.one_in(4) { 7 } else { rng.below(1 << 32) as u32 };
    Member { flags, ..Member::new(kind, rng.pick(&NAMES)) }
}

/// Sets of 0, 1 and more entries, lists and unused words between them.
pub fn entries(rng: &mut Rng) -> Vec<Entry> {
    let parts = 1 + rng.below(6);
    (0..parts)
        .map(|part| {
            let count = rng.pick(&[0, 1, 2, 3, 5, 12]);
            let members: Vec<Member> = (0..count).map(|_| member(rng)).collect();
            match rng.below(4) {
                0 => Entry::set(&format!("set_{part}"), members),
                1 => Entry::List(members),
                2 => Entry::Unused((0..count).map(|_| rng.next_u64() as u32).collect()),
                _ => Entry::set8(&format!("set8__{part}"), members),
            }
        })
        // So that there is a symbol at all.
        .chain([Entry::set8("last", vec![Member::func("a", 1), Member::func("b", 2)])])
        .collect()
}

/// A module with these entries, without BTF.
pub fn module(format: Format, entries: &[Entry]) -> ElfSpec {
    let (words, mut symbols) = btf_ids(format, entries, ".BTF_ids", 0);
    symbols.insert(0, Symbol::section(".BTF_ids"));
    symbols.push(Symbol::global("init_module", ".text").at(0, 4));
    ElfSpec::new(format, ET_REL)
        .section(Section::progbits(".text", SHF_ALLOC | SHF_EXECINSTR, [0; 16]).align(16))
        .section(Section::progbits(".BTF_ids", SHF_ALLOC, words).align(1))
        .symbols(symbols)
}

/// The same as a linked image, at an address.
pub fn image(format: Format, entries: &[Entry]) -> ElfSpec {
    use elfgraft_testkit::elf::Segment;
    let address = 0x1_0000;
    let (words, symbols) = btf_ids(format, entries, ".BTF_ids", address);
    ElfSpec::new(format, ET_EXEC)
        .section(Section::progbits(".BTF_ids", SHF_ALLOC, words).align(4).addr(address).congruent(0x1000))
        .segment(Segment::load(PF_R, ".BTF_ids", ".BTF_ids"))
        .symbols(symbols)
}
