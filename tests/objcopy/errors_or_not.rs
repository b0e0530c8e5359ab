//! docs/peers.md: errors or not.

use super::*;

#[test]
fn only_section_of_a_name_must_exist_and_of_a_pattern_need_not() {
    let old = object(Format::S390X);
    refused(&old, &["-j", ".none"], &["--only-section", "'.none'"]);
    refused(&old, &["-j", ".data", "-j", ".none"], &["--only-section", "'.none'"]);
    let left = names(&ReadElf::parse(&objcopy(&old, &["-j", ".non*"])));
    assert_eq!(left, [".symtab", ".strtab", ".shstrtab"]);
}

/// Found by fuzzing: exit status 0, and what was to be kept was gone, as its target, or its members, went.
#[test]
fn only_section_of_what_cannot_stay_alone_is_refused() {
    for format in Format::FOUR {
        let rel = rel(format, ".text");
        refused(&object(format), &["-j", &rel], &["--only-section", &rel, "its target goes"]);
        refused(&g2_group(format), &["-j", ".group"], &["--only-section", "'.group'", "its last member goes"]);
    }
}

#[test]
fn removing_nothing_succeeds() {
    let old = object(Format::S390X);
    for args in [["-R", ".none"], ["-R", ".non*"], ["--keep-section", ".none"], ["--rename-section", ".none=.n"]] {
        same(&objcopy(&old, &args), &old, "nothing to do");
    }
}

#[test]
fn updates_by_size_and_place() {
    for format in Format::FOUR {
        // Not in a segment: any size, and back again.
        let old = object(format);
        for (file, contents) in [("f", &b"new contents"[..]), ("g", b"ggg")] {
            let new = objcopy(&old, &["--update-section", &format!(".last={file}")]);
            assert_eq!(ReadElf::parse(&new).section(".last").data, contents);
            assert_eq!(semantic_diff(&old, &new).len(), 1);
        }
        // Allocated, though in no segment: no larger.
        refused(&old, &["--update-section", ".text.none=f"], &["--update-section", "'.text.none'"]);
        let small = ElfSpec::new(format, ET_REL).section(Section::progbits(".d", DATA, [1; 4])).build();
        refused(&small, &["--update-section", ".d=f"], &["'.d' [1]", "12 bytes", "holds 4", "cannot grow"]);
        refused(&old, &["--update-section", ".bss=f"], &["'.bss'", "SHT_NOBITS"]);
        refused(&old, &["--update-section", ".shstrtab=f"], &["'.shstrtab'"]);
        refused(&old, &["-R", ".last", "--update-section", ".last=f"], &["'.last'", "updated and removed"]);
        refused(&old, &["-R", ".shstrtab", "--add-section", ".shstrtab=f"], &["'.shstrtab'", "names of all sections"]);
    }
}

#[test]
fn added_and_updated_in_one_call() {
    for format in Format::FOUR {
        let new = objcopy(&object(format), &["--update-section", ".n=f", "--add-section", ".n=g"]);
        assert_eq!(ReadElf::parse(&new).section(".n").data, b"new contents");
        same(&new, &objcopy(&object(format), &["--add-section", ".n=f"]), "as added with the later contents");
        refused(&object(format), &["--add-section=.n=f", "--add-section=.n=/dev/null"], &["'.n'", "twice"]);
    }
}

/// Broken parts matter when the edit needs them.
#[test]
fn broken_parts_are_refused_when_they_are_needed_and_never_written_from() {
    for format in Format::FOUR {
        // A group that is no list of words.
        let mut group = g2_group(format);
        poke_section(&mut group, 1, "sh_size", 11);
        assert_eq!(objcopy(&group, &["--add-section", ".n=f"])[..4], *b"\x7fELF");
        refused(&group, &["-R", ".text"], &["'.group' [1]"]);
        // Relocations without a symbol table.
        let mut relocs = object(format);
        let index = ReadElf::parse(&relocs).index_of(&rel(format, ".text")).unwrap() as usize;
        poke_section(&mut relocs, index, "sh_link", 0);
        assert_eq!(objcopy(&relocs, &["--add-section", ".n=f"])[..4], *b"\x7fELF");
        // A section that reaches beyond the end of the file.
        let mut long = object(format);
        let index = ReadElf::parse(&long).index_of(".last").unwrap() as usize;
        poke_section(&mut long, index, "sh_size", 1 << 30);
        let dir = Dir::new();
        dir.write("x", &long);
        dir.objcopy(&["--dump-section", ".last=o", "x"]).fails(&["'x'", "'.last'", "end of the file"]);
        dir.objcopy(&["-R", ".none", "x", "copy"]).quiet();
        same(&dir.read("copy"), &long, "what the edit does not need");
        refused(&long, &["--add-section", ".n=f"], &["'.last'", "end of the file"]);
    }
    let dir = Dir::new();
    for (what, bytes, words) in [
        ("empty", &b""[..], "not an ELF file"),
        ("text", b"hello", "not an ELF file"),
        ("magic", b"\x7fELF", "not an ELF file"),
    ] {
        dir.write(what, bytes);
        dir.objcopy(&[what, "out"]).fails(&[&format!("'{what}'"), words]);
        dir.objcopy(&["-R", ".x", what]).fails(&[&format!("'{what}'"), words]);
    }
    assert_eq!(dir.names(), ["empty", "magic", "text"]);
}

#[test]
fn big_endian_x86_and_unknown_machines_work() {
    for (endian, machine) in [(Endian::Big, EM_X86_64), (Endian::Little, 0x1234), (Endian::Big, 0xffff)] {
        for class in [Class::Elf32, Class::Elf64] {
            let old = g2_group(Format::new(class, endian, machine));
            let new = objcopy(&old, &["--add-section", ".n=f", "-R", ".debug_types"]);
            assert_eq!(ReadElf::parse(&new).group_of(1), (GRP_COMDAT, vec![2]));
            assert_eq!(header_field(&new, "e_machine"), u64::from(machine));
        }
    }
}

#[test]
fn dumps_are_all_there_or_none_is_written() {
    let dir = Dir::with(&["demo.ko"]);
    let old = dir.read("demo.ko");
    let dump = |values: &[&str]| {
        let options: Vec<_> = values.iter().map(|value| format!("--dump-section={value}")).collect();
        let words: Vec<_> = options.iter().map(String::as_str).chain(["demo.ko"]).collect();
        dir.objcopy(&words)
    };
    dump(&[".comment=a", ".none=b"]).fails(&["there is no section '.none'"]);
    dump(&[".comment=a", ".bss=b"]).fails(&["'.bss'", "SHT_NOBITS"]);
    dump(&[".comment=a", ".text=a"]).fails(&["'.comment' [31] and '.text' [4] go to one file, 'a'"]);
    dump(&[".comment=demo.ko"]).fails(&["'demo.ko' is the file that is read"]);
    dir.elfgraft(&["dump", ".comment=a", ".none=b", "demo.ko"]).fails(&["'demo.ko': there is no section '.none'"]);
    assert_eq!(dir.names(), ["demo.ko"]);
    same(&dir.read("demo.ko"), &old, "the input");
    dump(&[".comment=a", ".comment=b", ".text=/dev/null", ".comment=/dev/null"]).quiet();
    assert_eq!(dir.names(), ["a", "b", "demo.ko"]);
}

#[test]
fn what_no_file_can_hold_is_said_so() {
    let dir = Dir::with(&["demo.ko"]);
    dir.objcopy(&["--set-section-alignment", ".comment=0x8000000000000000", "demo.ko", "out.ko"]).fails(&[
        "demo.ko",
        "0x8000000000000000",
        "bytes of padding",
    ]);
    dir.objcopy(&["--set-section-flags", ".comment=wibble", "demo.ko"]).fails(&["--set-section-flags", "'wibble'"]);
    dir.objcopy(&["--rename-section", ".comment=.c,wibble", "demo.ko"]).fails(&["--rename-section", "'wibble'"]);
    assert_eq!(dir.names(), ["demo.ko"]);
}
