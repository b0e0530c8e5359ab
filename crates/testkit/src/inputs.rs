//! The inputs G1 to G11 on which today's tools fail, smallest first that shows the failure; G12 is [`crate::damage`].

use crate::btf::Btf;
use crate::btf_ids::{Entry, Member, btf_ids};
use crate::consts::*;
use crate::elf::*;
use crate::format::{Class, Format};
use crate::symbols::{Reloc, Symbol};

const TEXT: u64 = SHF_ALLOC | SHF_EXECINSTR;
const DATA: u64 = SHF_ALLOC | SHF_WRITE;

/// G1: sections `.text.f1` to `.text.f<count>`, section `.text.f<i>` having index i and holding the symbol `f<i>`;
/// `.symtab_shndx` when needed.
pub fn g1_many_sections(format: Format, count: u32) -> Vec<u8> {
    many(format, count, Vec::new()).build()
}

/// G1: as [`g1_many_sections`], with the `.BTF_ids` of G4 as section `index`, all later ones one further.
pub fn g1_many_sections_with_btf_ids(format: Format, count: u32, index: u32) -> Vec<u8> {
    let (words, symbols) = btf_ids(format, &g4_entries(), ".BTF_ids", 0);
    let mut spec = many(format, count, symbols);
    let section = Section::progbits(".BTF_ids", SHF_ALLOC, words).align(4);
    spec.sections.insert(index as usize - 1, section);
    spec.build()
}

fn many(format: Format, count: u32, mut symbols: Vec<Symbol>) -> ElfSpec {
    let name = |i| format!(".text.f{i}");
    symbols.extend((1..=count).map(|i| Symbol::global(&format!("f{i}"), name(i).as_str())));
    let mut spec = ElfSpec::new(format, ET_REL)
        .sections((1..=count).map(|i| Section::progbits(name(i), TEXT, [0xc3])))
        .symbols(symbols);
    if count >= u32::from(SHN_LORESERVE) {
        spec = spec.section(Section::symtab_shndx());
    }
    spec
}

/// G2: a COMDAT group of `.text.sig` and the non-allocated `.debug_types`, its signature the symbol `sig`.
pub fn g2_group(format: Format) -> Vec<u8> {
    ElfSpec::new(format, ET_REL)
        .section(Section::group("sig", vec![".text.sig".into(), ".debug_types".into()]))
        .section(Section::progbits(".text.sig", TEXT | SHF_GROUP, [1; 8]).align(4))
        .section(Section::progbits(".debug_types", SHF_GROUP, [2; 12]))
        .section(Section::progbits(".text", TEXT, [3; 8]).align(4))
        .symbols(vec![Symbol::section(".text"), Symbol::global("sig", ".text.sig").at(0, 8)])
        .build()
}

/// G3: a livepatch module: a SHN_LIVEPATCH symbol and `.klp.rela.vmlinux..text`, beside `.rela.text` or alone.
pub fn g3_livepatch(format: Format, beside_rela_text: bool) -> Vec<u8> {
    let symbol = ".klp.sym.vmlinux.bar,0";
    let relocs = |symbol: &str| vec![Reloc::new(4, symbol, 1, -4)];
    let mut klp = Section::relocs_of_type(format, ".text", true, relocs(symbol));
    klp.name = b".klp.rela.vmlinux..text".to_vec();
    klp.flags |= SHF_ALLOC | SHF_RELA_LIVEPATCH;
    let mut spec = ElfSpec::new(format, ET_REL).section(Section::progbits(".text", TEXT, [0; 16]));
    if beside_rela_text {
        let relocs = relocs("printk");
        spec = spec.section(Section::relocs_of_type(format, ".text", true, relocs));
    }
    let symbols = vec![
        Symbol::global("f", ".text").at(0, 16),
        Symbol::reserved("printk", SHN_UNDEF),
        Symbol::reserved(symbol, SHN_LIVEPATCH),
    ];
    spec.section(klp).symbols(symbols).build()
}

/// The parts of `.BTF_ids` in G4: a list of one struct, then the set8 `myset` of `c`, `a`, `b` with the flags 0x10,
/// 0x20, 0x40. In the `.BTF` of G4 the IDs are a: 2, b: 3, c: 4, s: 5.
pub fn g4_entries() -> Vec<Entry> {
    let members = vec![Member::func("c", 0x10), Member::func("a", 0x20), Member::func("b", 0x40)];
    vec![Entry::List(vec![Member::new("struct", "s")]), Entry::set8("myset", members)]
}

/// G4: a module with the `.BTF_ids` of [`g4_entries`], not yet resolved, and the `.BTF` to resolve it.
pub fn g4_btf_ids(format: Format) -> Vec<u8> {
    g4_module(format, &g4_entries()).build()
}

/// G4: odd contents of `.BTF_ids`, each with a name: not resolved, resolved without being sorted, and others.
pub fn g4_variants(format: Format) -> Vec<(&'static str, Vec<u8>)> {
    let set8 = |members: Vec<Member>, count| vec![Entry::Set8 { name: "myset".to_string(), members, count, flags: 1 }];
    let func = Member::func;
    let uses = (0..101).map(|flags| func("a", flags)).collect();
    let unsorted = vec![func("c", 0x10).id(4), func("a", 0x20).id(2), func("b", 0x40).id(3)];
    let equal = vec![func("b", 1).id(3), func("a", 2).id(2), func("a", 3).id(2)];
    let unresolved = vec![func("b", 1).id(3), func("x", 2), func("y", 3)];
    let set = Entry::Set { name: "plain".to_string(), members: vec![func("c", 0).id(4), func("a", 0).id(2)], count: 2 };
    let variants = [
        ("not resolved", g4_entries()),
        ("resolved, not sorted", set8(unsorted, 3)),
        ("101 uses of one name", vec![Entry::List(uses)]),
        ("an empty set", set8(Vec::new(), 0)),
        ("a set of one", set8(vec![func("a", 7).id(2)], 1)),
        ("equal IDs", set8(equal, 3)),
        ("two zeros", set8(unresolved, 3)),
        ("a plain set", vec![set]),
    ];
    variants.map(|(what, entries)| (what, g4_module(format, &entries).build())).to_vec()
}

/// A module with this `.BTF_ids` and the `.BTF` of G4; sections may be added.
pub fn g4_module(format: Format, entries: &[Entry]) -> ElfSpec {
    let (words, mut symbols) = btf_ids(format, entries, ".BTF_ids", 0);
    symbols.push(Symbol::global("init_module", ".text").at(0, 16));
    let mut btf = Btf::new(format);
    let proto = btf.func_proto(0, &[]);
    for name in ["a", "b", "c"] {
        btf.func(name, proto);
    }
    btf.structure("s", 4, &[]);
    ElfSpec::new(format, ET_REL)
        .section(Section::progbits(".text", TEXT, [0; 16]).align(16))
        .section(Section::progbits(".BTF_ids", SHF_ALLOC, words).align(4))
        .section(Section::progbits(".BTF", 0, btf.build()).align(4))
        .symbols(symbols)
}

/// G5: an ET_EXEC with PT_INTERP first in the table, sharing its offset with the PT_LOAD listed last.
pub fn g5_shared_offset(format: Format) -> Vec<u8> {
    let page = 0x1000;
    ElfSpec::new(format, ET_EXEC)
        .section(Section::progbits(".text", TEXT, [1; 32]).addr(0x20_1000).congruent(page))
        .section(Section::progbits(".interp", 2, *b"/lib/ld.so\0").addr(0x20_2000).congruent(page))
        .section(Section::progbits(".rodata", 2, [2; 16]).addr(0x20_2010).congruent(page))
        .segment(Segment::of(PT_INTERP, PF_R, ".interp", ".interp"))
        .segment(Segment::load(PF_R | PF_X, ".text", ".text"))
        .segment(Segment::load(PF_R, ".interp", ".rodata"))
        .build()
}

/// G6: an ET_EXEC with `.modinfo` (12 bytes) alone in its PT_LOAD, `.data` and `.bss` in the next.
pub fn g6_modinfo_segment(format: Format) -> Vec<u8> {
    let page = 0x1000;
    ElfSpec::new(format, ET_EXEC)
        .section(Section::progbits(".text", TEXT, [1; 32]).addr(0x10_0000).congruent(page))
        .section(Section::progbits(".modinfo", 2, *b"license=GPL\0").addr(0x20_0000).congruent(page))
        .section(Section::progbits(".data", DATA, [2; 16]).addr(0x30_0000).congruent(page))
        .section(Section::nobits(".bss", 0x100).addr(0x30_0010))
        .segment(Segment::load(PF_R | PF_X, ".text", ".text"))
        .segment(Segment::load(PF_R, ".modinfo", ".modinfo"))
        .segment(Segment::load(PF_R | PF_W, ".data", ".bss"))
        .build()
}

/// G7: the symbols `__mod_device_table__` + `local`, `global`, `weak` and the same + `_ref`, and `other`. Relocations
/// of `.data`, where asked for, name those with `_ref`.
pub fn g7_device_tables(format: Format, e_type: u16, relocations: bool) -> Vec<u8> {
    let base = if e_type == ET_REL { 0 } else { 0x20_0000 };
    let width = format.word() as u64;
    let mut symbols = Vec::new();
    let mut relocs = Vec::new();
    let kinds = [("local", STB_LOCAL), ("global", STB_GLOBAL), ("weak", STB_WEAK)];
    for (number, (kind, bind)) in (0..).zip(kinds) {
        for suffix in ["", "_ref"] {
            let name = format!("__mod_device_table__{kind}{suffix}");
            let symbol = Symbol::local(&name, ".data").info(bind, STT_OBJECT);
            symbols.push(symbol.at(base + number * width, width));
        }
        let name = format!("__mod_device_table__{kind}_ref");
        relocs.push(Reloc::new(base + number * width, name.as_str(), 1, 0));
    }
    symbols.push(Symbol::global("other", ".data").at(base, width));
    let data = Section::progbits(".data", DATA, vec![0; 3 * width as usize]).align(width);
    let mut spec = ElfSpec::new(format, e_type).section(data.addr(base).congruent(0x1000));
    if e_type != ET_REL {
        spec = spec.segment(Segment::load(PF_R | PF_W, ".data", ".data"));
    }
    if relocations {
        spec = spec.relocs(".data", relocs);
    }
    spec.symbols(symbols).build()
}

/// G8: three sections named `.BTF`, the last of them empty, and `.text` named inside of `.rela.text`.
pub fn g8_same_names(format: Format) -> Vec<u8> {
    let relocs = Section::relocs_of_type(format, ".text", true, vec![Reloc::new(0, "f", 1, 0)]);
    let mut spec = ElfSpec::new(format, ET_REL)
        .section(Section::progbits(".text", TEXT, [0; 8]))
        .section(relocs)
        .section(Section::progbits(".BTF", 0, *b"first"))
        .section(Section::progbits(".BTF", 0, *b"second"))
        .section(Section::progbits(".BTF", 0, []))
        .symbols(vec![Symbol::global("f", ".text")]);
    spec.tail_merge = true;
    spec.build()
}

/// What is appended to a signed module: `payload`, `struct module_signature`, marker. The length is big endian.
pub fn signature_trailer(payload: &[u8], id_type: u8) -> Vec<u8> {
    let mut trailer = payload.to_vec();
    trailer.extend([0, 0, id_type, 0, 0, 0, 0, 0]);
    trailer.extend((payload.len() as u32).to_be_bytes());
    trailer.extend(b"~Module signature appended~\n");
    trailer
}

/// G9: the module of G4, signed with what looks like PKCS#7.
pub fn g9_signed(format: Format) -> Vec<u8> {
    let pkcs7 = [&[0x30, 0x82, 0x01, 0x02][..], &[0xa5; 0x102]].concat();
    g4_module(format, &g4_entries()).trailer(signature_trailer(&pkcs7, 2)).build()
}

/// G9: the module of G4 with the Merkle proof of position `pos` in a tree of `levels` levels.
pub fn g9_merkle(format: Format, pos: u32, levels: u8) -> Vec<u8> {
    let mut proof = pos.to_be_bytes().to_vec();
    proof.extend((1..=levels).flat_map(|level| [level; 32]));
    g4_module(format, &g4_entries()).trailer(signature_trailer(&proof, 3)).build()
}

/// G10: an ET_EXEC whose load addresses are 0x100000 and 0xfff00000.
pub fn g10_load_gap(format: Format) -> Vec<u8> {
    image(format, [(0x10_0000, 0x10_0000), (0x10_1000, 0xfff0_0000)])
}

/// G10: an ET_EXEC with load addresses other than the virtual ones; that of `.data` is not aligned.
pub fn g10_load_addresses(format: Format) -> Vec<u8> {
    image(format, [(0x8000_0000, 0x10_0000), (0x8000_1000, 0x10_0021)])
}

fn image(format: Format, [text, data]: [(u64, u64); 2]) -> Vec<u8> {
    ElfSpec::new(format, ET_EXEC)
        .section(Section::progbits(".text", TEXT, [1; 32]).addr(text.0).congruent(0x1000).align(4))
        .section(Section::progbits(".data", DATA, [2; 16]).addr(data.0).congruent(0x1000).align(16))
        .segment(Segment::load(PF_R | PF_X, ".text", ".text").paddr(text.1))
        .segment(Segment::load(PF_R | PF_W, ".data", ".data").paddr(data.1))
        .build()
}

/// G11: an object with compressed `.debug_info` (the 16 bytes are `contents of info`), `__patchable_function_entries`
/// linked to `.text.a`, and `.note.GNU-stack` with alignment 0.
pub fn g11_compressed_and_linked(format: Format) -> Vec<u8> {
    let mut compressed = compression_header(format, 16);
    compressed.extend(zlib_stored(b"contents of info"));
    ElfSpec::new(format, ET_REL)
        .section(Section::progbits(".text.a", TEXT, [1; 16]).align(16))
        .section(Section::progbits(".text.b", TEXT, [2; 16]).align(16))
        .section(
            Section::progbits("__patchable_function_entries", DATA | SHF_LINK_ORDER, [0; 8]).link(".text.a").align(8),
        )
        .section(Section::progbits(".debug_info", SHF_COMPRESSED, compressed).align(8))
        .section(Section::progbits(".note.GNU-stack", 0, []).align(0))
        .symbols(vec![Symbol::section(".text.a"), Symbol::global("b", ".text.b").at(0, 16)])
        .build()
}

/// G11: a shared object linked with `--emit-relocs`: allocated `.rela.dyn`, and `.rela.text` that is not.
pub fn g11_emitted_relocs(format: Format) -> Vec<u8> {
    let page = 0x1000;
    let mut dynsym =
        Section::symtab(format, vec![Symbol::reserved("imported", SHN_UNDEF)]).link(".dynstr").flags(SHF_ALLOC);
    (dynsym.name, dynsym.sh_type) = (b".dynsym".to_vec(), SHT_DYNSYM);
    let dynamic = vec![Reloc::new(0x2000, 1u32, 1, 0)];
    let relocs = vec![Reloc::new(0x1004, "f", 2, -4)];
    ElfSpec::new(format, ET_DYN)
        .section(dynsym.addr(0x400).congruent(page))
        .section(Section::strtab(".dynstr").flags(SHF_ALLOC).addr(0x480).congruent(page))
        .section(
            Section::relocs_of_type(format, ".dyn", true, dynamic)
                .flags(SHF_ALLOC)
                .link(".dynsym")
                .info(0u32)
                .addr(0x4a0)
                .congruent(page),
        )
        .section(Section::progbits(".text", TEXT, [1; 16]).addr(0x1000).congruent(page))
        .section(Section::relocs_of_type(format, ".text", true, relocs))
        .section(Section::progbits(".data", DATA, [2; 16]).addr(0x2000).congruent(page))
        .symbols(vec![Symbol::global("f", ".text").at(0x1000, 16)])
        .segment(Segment::load(PF_R, ".dynsym", ".rela.dyn"))
        .segment(Segment::load(PF_R | PF_X, ".text", ".text"))
        .segment(Segment::load(PF_R | PF_W, ".data", ".data"))
        .build()
}

/// `Elf32_Chdr` or `Elf64_Chdr`: ELFCOMPRESS_ZLIB, `size` bytes, alignment 1.
fn compression_header(format: Format, size: u64) -> Vec<u8> {
    let word = format.word();
    let mut header = format.u32s(if format.class == Class::Elf64 { &[1, 0] } else { &[1] });
    header.extend(format.bytes(size, word));
    header.extend(format.bytes(1, word));
    header
}

/// A zlib stream of one stored block.
fn zlib_stored(data: &[u8]) -> Vec<u8> {
    let len = data.len() as u16;
    let (a, b) = data.iter().fold((1u32, 0u32), |(a, b), &byte| {
        let a = (a + u32::from(byte)) % 65521;
        (a, (a + b) % 65521)
    });
    let mut stream = vec![0x78, 0x01, 0x01];
    stream.extend(len.to_le_bytes());
    stream.extend((!len).to_le_bytes());
    stream.extend(data);
    stream.extend(((b << 16) | a).to_be_bytes());
    stream
}
