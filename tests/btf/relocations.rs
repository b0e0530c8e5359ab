//! Relocations that point into `.BTF_ids`: by the symbol of an entry they move with it; otherwise the entry must stay.

use elfgraft_testkit::btf::functions;
use elfgraft_testkit::btf_ids::{Entry, Member};
use elfgraft_testkit::consts::*;
use elfgraft_testkit::elf::{ElfSpec, Section};
use elfgraft_testkit::format::{Class, Endian, Format};
use elfgraft_testkit::read::ReadElf;
use elfgraft_testkit::symbols::{Reloc, Symbol};

use crate::make::{image, module};
use crate::model::{Types, ids};
use crate::util::{Dir, same};

/// In BTF `f` has a smaller ID than `g`: the set must be sorted. Offsets: set 0, g 8, f 16, word 24.
fn entries() -> Vec<Entry> {
    let set = Entry::set8("s", vec![Member::func("g", 2), Member::func("f", 1)]);
    vec![set, Entry::List(vec![Member::func("f", 0), Member::func("g", 0)])]
}

const I386: Format = Format::new(Class::Elf32, Endian::Little, EM_386);

fn btf(format: Format) -> Vec<u8> {
    functions(format, &["f", "g"]).0.build()
}

fn dir(format: Format, spec: ElfSpec) -> (Dir, Vec<u8>) {
    let dir = Dir::new();
    let file = spec.build();
    dir.write("m.ko", &file);
    dir.write("btf", btf(format));
    (dir, file)
}

#[track_caller]
fn refused(format: Format, spec: ElfSpec, words: &[&str]) {
    let (dir, before) = dir(format, spec);
    let always = ["'m.ko'", "set 's'", "relocation"];
    dir.elfgraft(&["btf-ids", "resolve", "--btf", "btf", "m.ko"]).fails(&[&always[..], words].concat());
    dir.elfgraft(&["btf", "embed", "--raw", "--btf", "btf", "m.ko"]).fails(&always);
    same(&dir.read("m.ko"), &before, "refused");
}

#[track_caller]
fn done(format: Format, spec: ElfSpec) -> (ReadElf, ReadElf) {
    let (dir, before) = dir(format, spec);
    dir.elfgraft(&["btf-ids", "resolve", "--btf", "btf", "m.ko"]).quiet();
    ids(&dir.elf("m.ko")).assert_resolved(&Types::read(&btf(format), None), &format.to_string());
    (ReadElf::parse(&before), dir.elf("m.ko"))
}

/// A pointer to `.BTF_ids` + `offset` in `.data`.
fn pointer(format: Format, offset: i64) -> ElfSpec {
    let rela = format.rela();
    let word = if rela { vec![0; 8] } else { format.bytes(u64::try_from(offset).unwrap(), 4) };
    let addend = if rela { offset } else { 0 };
    let kind = if format.machine == EM_ARM || format.machine == EM_MIPS { 2 } else { 1 };
    let mut bytes = vec![0; 8];
    bytes.extend(word);
    module(format, &entries())
        .section(Section::progbits(".data", SHF_ALLOC | SHF_WRITE, bytes).align(8))
        .relocs(".data", vec![Reloc::new(8, ".BTF_ids", kind, addend)])
}

#[test]
fn section_and_addend_into_a_set_are_refused_with_the_place() {
    for format in Format::ALL {
        for offset in [16, 20] {
            let place = format!("points to {offset:#x}");
            refused(format, pointer(format, offset), &[&place, ".data'", "r_offset 0x8"]);
        }
        // Starts of sets and of their arrays, their flags and words of lists do not move.
        for offset in [0, 4, 8, 12, 24, 28] {
            done(format, pointer(format, offset));
        }
    }
}

#[test]
fn where_nothing_moves_nothing_is_refused() {
    for format in Format::FOUR {
        let (dir, _) = dir(format, pointer(format, 16));
        dir.write("btf", functions(format, &["g", "f"]).0.build());
        dir.elfgraft(&["btf-ids", "resolve", "--btf", "btf", "m.ko"]).quiet();
        assert_eq!(ids(&dir.elf("m.ko")).sets[0].entries[0].id, 2);
    }
}

#[test]
fn by_the_symbol_of_an_entry_it_moves_along() {
    for format in Format::ALL {
        let spec = module(format, &entries())
            .section(Section::progbits(".data", SHF_ALLOC | SHF_WRITE, [0; 16]).align(8))
            .relocs(".data", vec![Reloc::new(8, "__BTF_ID__func__g__1", 1, 0)]);
        let (before, after) = done(format, spec);
        let name = "__BTF_ID__func__g__1";
        assert_eq!((before.symbol(name).value, after.symbol(name).value), (8, 16), "{format}");
        let relocs = after.index_of(if format.rela() { ".rela.data" } else { ".rel.data" }).unwrap();
        assert_eq!(after.relocs_of(relocs), before.relocs_of(relocs));
    }
}

#[test]
fn a_symbol_that_does_not_move_pins_what_it_points_to() {
    let format = Format::X86_64;
    let mut spec = module(format, &entries());
    let table = spec.sections.iter_mut().find(|s| s.sh_type == SHT_SYMTAB).unwrap();
    let elfgraft_testkit::elf::Contents::Symbols(symbols) = &mut table.contents else { panic!() };
    symbols.insert(0, Symbol::local("second_pair", ".BTF_ids").at(16, 8));
    let data = Section::progbits(".data", SHF_ALLOC | SHF_WRITE, [0; 16]).align(8);
    refused(format, spec.section(data).relocs(".data", vec![Reloc::new(0, "second_pair", 1, 0)]), &["0x10"]);
}

#[test]
fn the_fixtures_of_both() {
    let by_section = Dir::with(&["reloc-by-section.o"]);
    by_section.write("btf", functions(Format::X86_64, &["first", "second"]).0.build());
    let embed = ["btf", "embed", "--raw", "--btf", "btf"];
    let run = by_section.elfgraft(&[&embed[..], &["reloc-by-section.o"]].concat());
    run.fails(&["set 's' at 0x0", "points to 0x10", "'.rela.data'", "r_offset 0x10"]);
    let by_symbol = Dir::with(&["reloc-by-symbol.o"]);
    by_symbol.write("btf", by_section.read("btf"));
    by_symbol.elfgraft(&[&embed[..], &["reloc-by-symbol.o"]].concat()).quiet();
    assert_eq!(by_symbol.elf("reloc-by-symbol.o").symbol("__BTF_ID__func__second__1").value, 16);
}

/// Code of x86 names what it points to less the bytes up to the end of the instruction: -4, or -5 to -8.
#[test]
fn code_of_x86_points_behind_its_addend() {
    let format = Format::X86_64;
    let code = |addend, kind| {
        let mut spec = module(format, &entries()).relocs(".text", vec![Reloc::new(2, ".BTF_ids", kind, addend)]);
        spec.sections[0].flags |= SHF_EXECINSTR;
        spec
    };
    // Words of the list at 24 and 28, also with an immediate of one or two bytes; the count at 0, the flags at 4, the array
    // at 8.
    for addend in [20, 19, 18, 24, 23, -4, -5, 0, 4, 8] {
        done(format, code(addend, 2));
    }
    for addend in [12, 11, 16] {
        let place = format!("points to {:#x}", (addend + 7) & !3);
        refused(format, code(addend, 2), &[&place]);
    }
    // `mov $set + 16, %rdi` has the place itself; `mov $set + 8, %rsi; call bsearch` is how vmlinux looks for an ID.
    refused(format, code(16, 11), &["points to 0x10"]);
    done(format, code(8, 11));
    done(format, code(24, 11));
}

/// Code of arm and mips keeps the addend in its instructions.
#[test]
fn addends_in_instructions_are_found() {
    let code = |format: Format, instruction: Vec<u8>, kind| {
        let mut spec = module(format, &entries());
        let elfgraft_testkit::elf::Contents::Bytes(text) = &mut spec.sections[0].contents else { panic!() };
        text[4..8].copy_from_slice(&instruction);
        spec.relocs(".text", vec![Reloc::new(4, ".BTF_ids", kind, 0)])
    };
    let word = |format: Format, word: u32| format.bytes(u64::from(word), 4);
    // movw r0, #16; movw r0, #24. And as Thumb, two halfwords each.
    refused(Format::ARM, code(Format::ARM, word(Format::ARM, 0xe300_0010), 43), &["points to 0x10"]);
    done(Format::ARM, code(Format::ARM, word(Format::ARM, 0xe300_0018), 43));
    let thumb = |imm: u16| [0xf240u16.to_le_bytes(), imm.to_le_bytes()].concat();
    refused(Format::ARM, code(Format::ARM, thumb(0x10), 47), &["points to 0x10"]);
    done(Format::ARM, code(Format::ARM, thumb(0x18), 47));
    // addiu v0, v0, 16 with R_MIPS_LO16; its lui with R_MIPS_HI16 has nothing.
    refused(Format::MIPS, code(Format::MIPS, word(Format::MIPS, 0x2442_0010), 6), &["points to 0x10"]);
    done(Format::MIPS, code(Format::MIPS, word(Format::MIPS, 0x2442_0018), 6));
    done(Format::MIPS, code(Format::MIPS, word(Format::MIPS, 0x3c02_0000), 5));
    // mov $16, %eax of i386: a plain word.
    refused(I386, code(I386, word(I386, 16), 1), &["points to 0x10"]);
    done(I386, code(I386, word(I386, 24), 1));
}

/// Linked with relocations kept, as relocatable kernels are: `.data` at 0x20000 has the address of the set + `offset`.
fn linked(format: Format, offset: u64) -> ElfSpec {
    let target = 0x1_0000 + offset;
    let mut bytes = vec![0; 8];
    bytes.extend(format.bytes(target, format.word()));
    let addend = if format.rela() { i64::try_from(offset).unwrap() } else { 0 };
    let kind = if format.machine == EM_ARM || format.machine == EM_MIPS { 2 } else { 1 };
    image(format, &entries())
        .section(Section::progbits(".data", SHF_ALLOC | SHF_WRITE, bytes).align(8).addr(0x2_0000))
        .relocs(".data", vec![Reloc::new(0x2_0008, "s", kind, addend)])
}

#[test]
fn linked_images_keep_what_is_added_or_the_sum() {
    for format in Format::FOUR.into_iter().chain([I386]) {
        for offset in [16, 20] {
            let place = format!("points to {offset:#x}");
            refused(format, linked(format, offset), &[&place, ".data'", "r_offset 0x20008"]);
        }
        for offset in [0, 4, 8, 12, 24, 28] {
            done(format, linked(format, offset));
        }
    }
}

#[test]
fn dynamic_relocations_have_addresses() {
    for format in [Format::X86_64, Format::AARCH64, Format::S390X] {
        let spec = |address: i64| {
            let relative = vec![Reloc::new(0x2_0008, 0u32, 8, address)];
            let dynamic = Section::relocs_of_type(format, ".dyn", true, relative).flags(SHF_ALLOC);
            let mut spec = image(format, &entries()).section(dynamic.link(0u32).info(0u32).addr(0x3_0000));
            spec.e_type = ET_DYN;
            spec
        };
        refused(format, spec(0x1_0010), &["points to 0x10", ".rela.dyn'"]);
        for address in [0x1_0000, 0x1_0018, 0, 0x10, 0x9_0000] {
            done(format, spec(address));
        }
    }
}

#[test]
fn debug_information_pins_nothing() {
    let format = Format::X86_64;
    let spec = module(format, &entries())
        .section(Section::progbits(".debug_info", 0, [0; 16]))
        .relocs(".debug_info", vec![Reloc::new(0, ".BTF_ids", 1, 8)]);
    done(format, spec);
}
