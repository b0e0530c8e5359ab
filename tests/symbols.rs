//! Symbol options of `objcopy` and `strip`: what goes, what stays, and under which name and binding.

// clippy.toml allows it in tests, but not in what they call.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::cast_possible_truncation)]

mod util;

use elfgraft_testkit::consts::*;
use elfgraft_testkit::diff::semantic_diff;
use elfgraft_testkit::elf::{ElfSpec, Section};
use elfgraft_testkit::format::Format;
use elfgraft_testkit::inputs::*;
use elfgraft_testkit::read::ReadElf;
use elfgraft_testkit::symbols::{Reloc, Symbol};
use util::{Dir, fixture, personality, refused, same};

const TEXT: u64 = SHF_ALLOC | SHF_EXECINSTR;
const DATA: u64 = SHF_ALLOC | SHF_WRITE;
const STT_FUNC: u8 = 2;

/// An object with a symbol of every sort; `l_used`, `g_used`, `undef` and section `.text` are named by relocations.
fn object(format: Format) -> Vec<u8> {
    let relocs = vec![
        Reloc::new(0, "l_used", 1, 0),
        Reloc::new(8, "g_used", 1, 0),
        Reloc::new(16, "undef", 1, 0),
        Reloc::new(24, ".text", 1, 4),
    ];
    ElfSpec::new(format, ET_REL)
        .section(Section::progbits(".text", TEXT, [0xc3; 32]))
        .section(Section::progbits(".data", DATA, [0; 32]).align(8))
        .section(Section::relocs(format, ".data", relocs))
        .section(Section::progbits(".debug_info", 0, [9; 8]))
        .section(Section::progbits(".comment", 0, *b"made by hand\0"))
        .symbols(vec![
            Symbol::file("a.c"),
            Symbol::section(".text"),
            Symbol::section(".data"),
            Symbol::section(".debug_info"),
            Symbol::local(".Ltmp", ".text").at(4, 0),
            Symbol::local("l_free", ".data").at(8, 4),
            Symbol::local("l_used", ".data").at(12, 4),
            Symbol::global("g_free", ".text").at(0, 8),
            Symbol::global("g_used", ".text").at(8, 8),
            Symbol::global("hidden", ".text").at(16, 8).other(2),
            Symbol::global("weak", ".text").at(24, 8).info(2, STT_FUNC),
            Symbol::reserved("undef", 0).info(1, 0),
            Symbol::reserved("unused", 0).info(1, 0),
            Symbol::reserved("absolute", SHN_ABS).at(77, 0).info(1, 0),
        ])
        .build()
}

const ALL: &str =
    "a.c [.text] [.data] [.debug_info] .Ltmp l_free l_used g_free g_used hidden weak undef unused absolute";

/// The symbols of a file: `[.text]` stands for that section's; `-` in front of a name says local, `?` weak.
fn symbols(file: &[u8], bindings: bool) -> String {
    let elf = ReadElf::parse(file);
    let word = |s: &elfgraft_testkit::read::ReadSymbol| {
        let name = match s.info & 15 {
            3 => format!("[{}]", String::from_utf8_lossy(&elf.sections[s.section.unwrap() as usize].name)),
            _ => String::from_utf8_lossy(&s.name).into_owned(),
        };
        let sign = ["-", "", "?"][usize::from(s.info >> 4)];
        if bindings && !name.starts_with('[') { format!("{sign}{name}") } else { name }
    };
    elf.symbols().iter().skip(1).map(word).collect::<Vec<_>>().join(" ")
}

/// `ALL` without some.
fn without(names: &[&str]) -> String {
    ALL.split(' ').filter(|n| !names.contains(n)).collect::<Vec<_>>().join(" ")
}

/// Runs `objcopy ARGS` twice on a copy; the second run must change nothing. Gives the result.
#[track_caller]
fn twice(old: &[u8], args: &[&str]) -> Vec<u8> {
    let dir = Dir::new();
    dir.write("x", old);
    dir.write("names", "g_free # why\n\n  l_free\n");
    dir.write("pairs", "g_free g_new\nl_free l_new\n");
    dir.objcopy(&[args, &["x"]].concat()).quiet();
    let once = dir.read("x");
    dir.objcopy(&[args, &["x"]].concat()).quiet();
    same(&dir.read("x"), &once, &format!("{args:?} twice"));
    dir.write("x", old);
    dir.objcopy(&[args, &["x", "out"]].concat()).quiet();
    same(&dir.read("out"), &once, &format!("{args:?} to another file"));
    same(&dir.read("x"), old, "input");
    once
}

#[test]
fn what_each_option_removes() {
    let sections = ["[.data]", "[.debug_info]"];
    let debug = [&["a.c"], &sections[..]].concat();
    let table: Vec<(&[&str], String)> = vec![
        (&["-g"], without(&debug)),
        (&["--strip-debug"], without(&debug)),
        (&["--strip-unneeded"], without(&[&debug[..], &[".Ltmp", "l_free"]].concat())),
        (&["-S"], String::new()),
        (&["--strip-all"], String::new()),
        (&["-x"], without(&["[.debug_info]", ".Ltmp", "l_free"])),
        (&["--discard-all"], without(&["[.debug_info]", ".Ltmp", "l_free"])),
        (&["-X"], without(&[".Ltmp"])),
        (&["--discard-locals"], without(&[".Ltmp"])),
        (&["-N", "l_free"], without(&["l_free"])),
        (&["-N", "l_free", "-N", "g_free"], without(&["l_free", "g_free"])),
        (&["--strip-symbol=g_free"], without(&["g_free"])),
        (&["--strip-symbols=names"], without(&["g_free", "l_free"])),
        (&["--strip-unneeded-symbol=l_used", "--strip-unneeded-symbol", "g_free"], without(&["g_free"])),
        (&["--strip-unneeded-symbols", "names"], without(&["g_free", "l_free"])),
        (&["-w", "-N", "*_free"], without(&["g_free", "l_free"])),
        (&["-w", "-N", "!l_*", "-N", "*_free"], without(&["g_free"])),
        (&["-w", "-N", "*_free", "-N", "!l_*"], without(&["g_free"])),
        (&["-w", "-N", "[gl]_fre?"], without(&["g_free", "l_free"])),
        (&["-N", "*_free"], without(&[])),
        (&["-N", "no_such_symbol"], without(&[])),
        (&["-g", "--keep-file-symbols"], without(&sections)),
        (&["--strip-unneeded", "-K", "l_free"], without(&[&debug[..], &[".Ltmp"]].concat())),
        (&["--strip-unneeded", "--keep-symbols=names"], without(&[&debug[..], &[".Ltmp"]].concat())),
        (&["-N", "g_free", "-K", "g_free"], without(&[])),
        (&["-R", ".debug_info"], without(&["[.debug_info]"])),
        (&["-K", "g_free"], without(&[])),
    ];
    for format in Format::FOUR {
        let old = object(format);
        assert_eq!(symbols(&old, false), ALL);
        for (args, expected) in &table {
            let new = twice(&old, args);
            assert_eq!(symbols(&new, false), *expected, "{args:?} on {format:?}");
            let elf = ReadElf::parse(&new);
            let debug_goes = args.iter().any(|a| {
                ["-g", "-S", "-x", "--strip-all", "--strip-debug", "--strip-unneeded", "--discard-all"].contains(a)
                    || a.ends_with(".debug_info")
            });
            assert_eq!(elf.index_of(".debug_info").is_none(), debug_goes, "{args:?}");
            assert_eq!(elf.section(".comment").data, b"made by hand\0", "{args:?}: .comment");
        }
    }
}

#[test]
fn what_each_option_binds() {
    let rest = "-a.c [.text] [.data] [.debug_info] -.Ltmp -l_free -l_used";
    let globals = |text: &str| format!("{rest} {text}");
    let undefs = "undef unused";
    let table: Vec<(&[&str], String)> = vec![
        (&["-L", "g_free"], globals(&format!("-g_free g_used hidden ?weak {undefs} absolute"))),
        (&["--localize-symbol=weak"], globals(&format!("-weak g_free g_used hidden {undefs} absolute"))),
        (&["--localize-symbols=names"], globals(&format!("-g_free g_used hidden ?weak {undefs} absolute"))),
        (&["--localize-symbol=undef"], globals(&format!("g_free g_used hidden ?weak {undefs} absolute"))),
        (&["--localize-hidden"], globals(&format!("-hidden g_free g_used ?weak {undefs} absolute"))),
        (&["-G", "g_used"], globals(&format!("-g_free -hidden -weak -absolute g_used {undefs}"))),
        (
            &["--keep-global-symbol", "g_used", "-G", "weak"],
            globals(&format!("-g_free -hidden -absolute g_used ?weak {undefs}")),
        ),
        (&["--keep-global-symbols=names"], globals(&format!("-g_used -hidden -weak -absolute g_free {undefs}"))),
        (&["-w", "-G", "g_*"], globals(&format!("-hidden -weak -absolute g_free g_used {undefs}"))),
        (&["-W", "g_free"], globals(&format!("?g_free g_used hidden ?weak {undefs} absolute"))),
        (
            &["--weaken-symbol=g_used", "--weaken-symbols=names"],
            globals(&format!("?g_free ?g_used hidden ?weak {undefs} absolute")),
        ),
        (&["--weaken"], globals("?g_free ?g_used ?hidden ?weak ?undef ?unused ?absolute")),
        (
            &["--globalize-symbol=l_free"],
            format!(
                "-a.c [.text] [.data] [.debug_info] -.Ltmp -l_used l_free g_free g_used hidden ?weak {undefs} absolute"
            ),
        ),
        (
            &["--globalize-symbols=names"],
            format!(
                "-a.c [.text] [.data] [.debug_info] -.Ltmp -l_used l_free g_free g_used hidden ?weak {undefs} absolute"
            ),
        ),
        (&["--redefine-sym", "g_free=g_new"], globals(&format!("g_new g_used hidden ?weak {undefs} absolute"))),
        (
            &["--redefine-syms=pairs"],
            format!(
                "-a.c [.text] [.data] [.debug_info] -.Ltmp -l_new -l_used g_new g_used hidden ?weak {undefs} absolute"
            ),
        ),
        (
            &["--add-symbol", "new=.text:0x10,function", "--add-symbol", "n2=5,local"],
            format!("{rest} -n2 g_free g_used hidden ?weak {undefs} absolute new"),
        ),
    ];
    for format in Format::FOUR {
        let old = object(format);
        let before = ReadElf::parse(&old);
        for (args, expected) in &table {
            let new = twice(&old, args);
            let (mut found, mut expected): (Vec<_>, Vec<_>) =
                (symbols(&new, true).split(' ').map(str::to_owned).collect(), expected.split(' ').collect());
            let locals = found.iter().take_while(|n| n.starts_with(['-', '['])).count();
            assert!(found[locals..].iter().all(|n| !n.starts_with(['-', '['])), "{args:?}: locals come first");
            let elf = ReadElf::parse(&new);
            assert_eq!(elf.section(".symtab").info as usize, locals + 1, "{args:?}: sh_info");
            found.sort();
            expected.sort_unstable();
            assert_eq!(found, expected, "{args:?} on {format:?}");
            // Relocations still name what they named.
            let index = |elf: &ReadElf| {
                elf.sections.iter().position(|s| [SHT_REL, SHT_RELA].contains(&s.sh_type)).unwrap() as u32
            };
            for (a, b) in before.relocs_of(index(&before)).iter().zip(elf.relocs_of(index(&elf))) {
                let (a, b) = (&before.symbols()[a.symbol as usize], &elf.symbols()[b.symbol as usize]);
                assert_eq!((&a.name, a.value, a.section), (&b.name, b.value, b.section), "{args:?}");
            }
        }
    }
}

#[test]
fn a_new_symbol_has_what_was_asked_for() {
    for format in Format::FOUR {
        let new = twice(&object(format), &["--add-symbol", "new=.text:0x10,function,weak,hidden"]);
        let elf = ReadElf::parse(&new);
        let symbol = elf.symbol("new");
        assert_eq!((symbol.value, symbol.info, symbol.other, symbol.section), (16, 0x22, 2, elf.index_of(".text")));
        let absolute = ReadElf::parse(&twice(&object(format), &["--add-symbol=zboot_code_size=0x1f0000,global"]));
        let symbol = absolute.symbol("zboot_code_size");
        assert_eq!((symbol.value, symbol.info, symbol.shndx), (0x1f_0000, 0x10, SHN_ABS));
    }
    let words = ["--add-symbol", "'.nope'"];
    refused(&object(Format::MIPS), &["--add-symbol", "new=.nope:1"], &words);
    refused(&object(Format::MIPS), &["--add-symbol", "new=.text:0x100000000"], &["st_value", "0x100000000"]);
    refused(&object(Format::MIPS), &["--add-symbol", "new=.text:1,purple"], &["--add-symbol", "purple"]);
}

// By their nature these are not idempotent, and drop-in means that they do not pretend to be.
#[test]
fn prefixes_of_symbols_and_sections() {
    let copy = |old: &[u8], args: &[&str]| {
        let dir = Dir::new();
        dir.write("x", old);
        dir.objcopy(&[args, &["x"]].concat()).quiet();
        dir.read("x")
    };
    for format in Format::FOUR {
        let old = object(format);
        let new = copy(&old, &["--prefix-symbols=__pi_", "--remove-section=.note.gnu.property"]);
        let expected = ALL.split(' ').map(|n| if n.starts_with('[') { n.into() } else { format!("__pi_{n}") });
        assert_eq!(symbols(&new, false), expected.collect::<Vec<_>>().join(" "));
        let nameless = |file: &[u8]| ReadElf::parse(file).symbols().iter().filter(|s| s.name.is_empty()).count();
        assert_eq!(nameless(&new), nameless(&old), "section symbols have no names of their own");

        let names = |file: &[u8]| -> Vec<String> {
            ReadElf::parse(file).sections.iter().map(|s| String::from_utf8_lossy(&s.name).into_owned()).collect()
        };
        let rel = if format.rela() { ".rela" } else { ".rel" };
        let relocs = format!("{rel}.init.data");
        let new = copy(&old, &["--prefix-alloc-sections=.init"]);
        assert_eq!(names(&new)[1..6], [".init.text", ".init.data", &relocs, ".debug_info", ".comment"]);
        let new = copy(&old, &["--prefix-sections=.p"]);
        let relocs = format!("{rel}.p.data");
        assert_eq!(names(&new)[1..6], [".p.text", ".p.data", &relocs, ".p.debug_info", ".p.comment"]);
        let new = copy(&old, &["--prefix-sections=.p", "--prefix-alloc-sections=.init"]);
        assert_eq!(names(&new)[1..3], [".init.text", ".init.data"]);
        assert_eq!(names(&new)[4..6], [".p.debug_info", ".p.comment"]);
    }
}

#[test]
fn errors_name_the_option_or_the_symbol() {
    let old = object(Format::X86_64);
    refused(&old, &["-N", "l_used"], &["'l_used'", "a relocation names it"]);
    refused(&old, &["-w", "-N", "*used"], &["_used'", "a relocation names it"]);
    refused(&old, &["--redefine-sym", "g_free"], &["--redefine-sym", "g_free"]);
    refused(&old, &["--redefine-sym", "a=b", "--redefine-sym", "a=c"], &["'a'"]);
    refused(&old, &["--strip-symbols=absent"], &["'absent'", "No such file"]);
    refused(&old, &["--redefine-syms=absent"], &["'absent'", "No such file"]);
    let dir = Dir::new();
    dir.write("x", &old);
    dir.write("bad", "one\n");
    dir.objcopy(&["--redefine-syms=bad", "x"]).fails(&["'bad'", "'one' is not OLD NEW"]);
    for unknown in ["--merge-notes", "--compress-debug-sections=zlib", "--extract-symbol", "--frobnicate"] {
        let run = dir.objcopy(&[unknown, "x"]);
        let name = unknown.split('=').next().unwrap();
        run.check(run.code() != Some(0) && run.stderr().contains(name), "an error that names the option");
        same(&dir.read("x"), &old, unknown);
    }
    dir.objcopy(&["-O", "elf64-nonesuch", "x"]).fails(&["-O", "elf64-nonesuch"]);
    dir.objcopy(&["-O", "elf64-s390", "x"]).fails(&["'x'", "elf64-x86-64", "elf64-s390"]);
}

#[test]
fn strip_does_several_files_each_whole_or_not_at_all() {
    let dir = Dir::new();
    let strip = |args: &[&str]| dir.cmd(personality("elfgraft-strip"), args).run();
    let objects: Vec<_> = Format::FOUR.iter().map(|&f| object(f)).collect();
    let put = || ["a", "b", "c", "d"].iter().zip(&objects).for_each(|(n, o)| dir.write(n, o));
    put();
    strip(&["-g", "a", "b", "c", "d"]).quiet();
    for (name, old) in ["a", "b", "c", "d"].iter().zip(&objects) {
        same(&dir.read(name), &twice(old, &["-g"]), name);
    }
    strip(&["-d", "a"]).quiet();
    strip(&["-S", "a"]).quiet();
    same(&dir.read("a"), &twice(&objects[0], &["-g"]), "-S and -d of strip are -g");
    // Without a choice all symbols go; -o leaves the input alone.
    put();
    strip(&["-o", "out", "a"]).quiet();
    same(&dir.read("a"), &objects[0], "input");
    assert_eq!(symbols(&dir.read("out"), false), "");
    strip(&["a"]).quiet();
    same(&dir.read("a"), &dir.read("out"), "in place and -o");
    // An option that names symbols or sections is a choice.
    put();
    strip(&["-N", "g_free", "a"]).quiet();
    assert_eq!(symbols(&dir.read("a"), false), without(&["g_free"]));
    put();
    strip(&["-R", ".comment", "a"]).quiet();
    assert_eq!(symbols(&dir.read("a"), false), ALL);
    put();
    strip(&["-s", "-K", "g_used", "-p", "a"]).quiet();
    assert_eq!(symbols(&dir.read("a"), false), "g_used");
    strip(&["-o", "out", "a", "b"]).fails(&["-o", "2"]);
    // One that fails leaves the others done.
    put();
    dir.write("b", "no ELF file");
    let run = strip(&["-g", "a", "b", "c"]);
    run.check(run.code() == Some(1), "exit status 1");
    run.warns(&["'b'"]);
    assert_eq!(dir.read("b"), b"no ELF file");
    same(&dir.read("a"), &twice(&objects[0], &["-g"]), "a");
    same(&dir.read("c"), &twice(&objects[2], &["-g"]), "c");
}

// Kconfig and scripts of the kernel read it: the first line of `--version` decides features, "llvm" in it turns some off.
#[test]
fn the_version_is_read_by_scripts() {
    for tool in ["elfgraft-objcopy", "elfgraft-strip"] {
        for option in ["--version", "-V"] {
            let dir = Dir::new();
            let text = dir.cmd(personality(tool), &[option]).run().ok().text();
            let line = text.lines().next().unwrap();
            assert!(!line.to_lowercase().contains("llvm"), "{line}");
            let words: Vec<_> = line.split(' ').collect();
            assert_eq!(words, [tool, "(elfgraft)", env!("CARGO_PKG_VERSION")], "name (package) version");
        }
    }
}

// As GNU's: `-S` keeps `.comment` and empty sections that are not allocated, for they lie in the vDSO.
#[test]
fn stripping_a_shared_object_keeps_comment_and_empty_sections() {
    for format in Format::FOUR {
        let old = ElfSpec::new(format, ET_DYN)
            .section(Section::progbits(".text", TEXT, [0xc3; 32]).addr(0x1000).congruent(0x1000))
            .section(Section::progbits("__ex_table", SHF_ALLOC, [1; 8]).addr(0x1020))
            .section(Section::progbits(".data_nosave", 0, []))
            .section(Section::progbits(".comment", 0, *b"GCC\0"))
            .section(Section::progbits(".debug_line", 0, [1; 4]))
            .symbols(vec![Symbol::global("f", ".text").at(0x1000, 8)])
            .build();
        let new = twice(&old, &["-S", "--remove-section", "__ex_table"]);
        let elf = ReadElf::parse(&new);
        let names: Vec<_> = elf.sections.iter().map(|s| String::from_utf8_lossy(&s.name).into_owned()).collect();
        assert_eq!(names, ["", ".text", ".data_nosave", ".comment", ".shstrtab"]);
        assert_eq!(elf.section(".text").offset, ReadElf::parse(&old).section(".text").offset);
    }
}

// gen-btf.sh makes an object of one section, then patches e_type.
#[test]
fn only_section_and_strip_all_leave_one_section() {
    for format in Format::FOUR {
        let old = g4_btf_ids(format);
        let new = twice(&old, &["--only-section=.BTF", "--strip-all"]);
        let elf = ReadElf::parse(&new);
        let names: Vec<_> = elf.sections.iter().map(|s| String::from_utf8_lossy(&s.name).into_owned()).collect();
        assert_eq!(names, ["", ".BTF", ".shstrtab"]);
        assert_eq!(elf.section(".BTF").data, ReadElf::parse(&old).section(".BTF").data);
    }
    let new = twice(
        &fixture("vmlinux"),
        &["--only-section=.BTF", "--set-section-flags", ".BTF=alloc,readonly", "--strip-all"],
    );
    let elf = ReadElf::parse(&new);
    assert_eq!(elf.sections.len(), 3);
    assert_eq!(elf.section(".BTF").flags, SHF_ALLOC);
    assert_eq!(elf.section(".BTF").data, ReadElf::parse(&fixture("vmlinux")).section(".BTF").data);
}

// https://lore.kernel.org/all/20251010-kbuild-fix-mod-device-syms-reloc-err-v1-1-6dc88143af25@kernel.org/: the build
// fails where a relocation names the symbol; each peer has its own idea of "unneeded".
#[test]
fn b17_b18_unneeded_symbols_go_and_needed_ones_stay() {
    for format in Format::FOUR {
        for (e_type, relocations) in [(ET_REL, true), (ET_EXEC, true), (ET_EXEC, false)] {
            let old = g7_device_tables(format, e_type, relocations);
            let before = ReadElf::parse(&old);
            let tables = |elf: &ReadElf| -> Vec<Vec<u8>> {
                let all = elf.symbols().into_iter().map(|s| s.name);
                all.filter(|n| n.starts_with(b"__mod_device_table__")).collect()
            };
            let named: Vec<Vec<u8>> = {
                let lists = (0..before.sections.len() as u32)
                    .filter(|&i| [SHT_REL, SHT_RELA].contains(&before.sections[i as usize].sh_type));
                let numbers: Vec<u32> = lists.flat_map(|i| before.relocs_of(i)).map(|r| r.symbol).collect();
                let symbols = before.symbols();
                let used = (0u32..).zip(symbols).filter(|(n, _)| numbers.contains(n)).map(|(_, s)| s.name);
                used.filter(|n| n.starts_with(b"__mod_device_table__")).collect()
            };
            assert!(tables(&before).len() > named.len());
            assert_eq!(named.is_empty(), !relocations);
            let new = twice(&old, &["-w", "--strip-unneeded-symbol=__mod_device_table__*"]);
            assert_eq!(tables(&ReadElf::parse(&new)), named, "{format:?} {e_type} {relocations}");
            // The same with another option beside it: for GNU's tools that makes the difference.
            let new = twice(&old, &["-R", ".junk", "-w", "--strip-unneeded-symbol=__mod_device_table__*"]);
            assert_eq!(tables(&ReadElf::parse(&new)), named);
            if relocations {
                let words = ["__mod_device_table__", "a relocation names it"];
                refused(&old, &["-w", "-N", "__mod_device_table__*"], &words);
            }
        }
    }
}

// GNU counts the relocations of the input, those that this very call removes too.
#[test]
fn b18_only_relocations_that_stay_make_a_symbol_needed() {
    for format in Format::FOUR {
        let args = ["-R", if format.rela() { ".rela*" } else { ".rel*" }, "--strip-unneeded-symbol=l_used"];
        assert_eq!(symbols(&twice(&object(format), &args), false), without(&["l_used"]));
    }
}

// No public report: --dump-section of a compressed section gives header and stream, and an update may be anything.
#[test]
fn b22_compressed_sections_are_raw_and_stay_valid() {
    let old = fixture("obj-compressed.o");
    let elf = ReadElf::parse(&old);
    let section = elf.sections.iter().find(|s| s.flags & SHF_COMPRESSED != 0).expect("a compressed section");
    let name = String::from_utf8_lossy(&section.name).into_owned();
    let dir = Dir::new();
    dir.write("x.o", &old);
    dir.objcopy(&[&format!("--dump-section={name}=raw"), "x.o"]).quiet();
    same(&dir.read("raw"), &section.data, "raw contents");
    dir.objcopy(&[&format!("--update-section={name}=raw"), "x.o"]).quiet();
    same(&dir.read("x.o"), &old, "updated with its own contents");
    for (what, bytes) in [("empty", &[][..]), ("short", &[1, 0, 0, 0]), ("unknown", &[9; 24])] {
        dir.write("bad", bytes);
        dir.objcopy(&[&format!("--update-section={name}=bad"), "x.o"]).fails(&[&name, "SHF_COMPRESSED"]);
        same(&dir.read("x.o"), &old, what);
    }
}

// https://sourceware.org/bugzilla/show_bug.cgi?id=23817: a list of symbol numbers goes stale.
#[test]
fn b24_address_significance_follows_the_symbols() {
    let old = fixture("obj-clang.o");
    let before = ReadElf::parse(&old);
    assert!(before.sections.iter().any(|s| s.sh_type == SHT_LLVM_ADDRSIG), "clang's list");
    for args in [&["-g"][..], &["--strip-unneeded"], &["-x"], &["-R", ".comment"]] {
        let new = twice(&old, args);
        let lost: Vec<_> = semantic_diff(&old, &new).into_iter().filter(|d| d.contains(".llvm_addrsig")).collect();
        assert_eq!(lost, [""; 0], "{args:?}");
    }
    let elf = ReadElf::parse(&twice(&old, &["-S"]));
    assert!(!elf.sections.iter().any(|s| s.sh_type == SHT_LLVM_ADDRSIG), "it names symbols that are gone");
}

// A kind that nobody knows, linked to the symbol table: its numbers cannot be followed.
#[test]
fn b24_unknown_lists_of_symbols_are_refused_by_name() {
    for format in Format::FOUR {
        let old = ElfSpec::new(format, ET_REL)
            .section(Section::progbits(".text", TEXT, [0xc3; 32]))
            .section(Section::new(".mystery", 0x6fff_1234).data([1; 4]).link(".symtab"))
            .symbols(vec![Symbol::local("l", ".text"), Symbol::global("g", ".text")])
            .build();
        refused(&old, &["--strip-unneeded"], &["'.mystery'", "0x6fff1234", "symbol numbers"]);
        // Nothing changes, nothing is refused.
        same(&twice(&old, &["-N", "absent"]), &old, "no symbol goes");
    }
}

// https://github.com/llvm/llvm-project/issues/97139: an empty group makes ld say "file format not recognized".
#[test]
fn d8_a_group_goes_with_its_last_member() {
    for format in Format::FOUR {
        let old = g2_group(format);
        let elf = ReadElf::parse(&twice(&old, &["-R", ".text.sig", "-R", ".debug_types"]));
        assert!(!elf.sections.iter().any(|s| s.sh_type == SHT_GROUP));
    }
    for name in ["obj-x86_64.o", "obj-mips.o", "obj-arm.o", "obj-s390x.o", "obj-mips64el.o"] {
        let before = ReadElf::parse(&fixture(name));
        let elf = ReadElf::parse(&twice(&fixture(name), &["-g"]));
        let groups = |elf: &ReadElf| elf.sections.iter().filter(|s| s.sh_type == SHT_GROUP).count();
        assert!(groups(&elf) < groups(&before), "{name}: groups of .debug_macro go");
        for index in (0..elf.sections.len() as u32).filter(|&i| elf.sections[i as usize].sh_type == SHT_GROUP) {
            let (_, members) = elf.group_of(index);
            assert!(!members.is_empty() && !members.contains(&0), "{name}");
        }
    }
}

// No public report: LLVM drops the signature's symbol with one member; "Bad sh_info in group section".
#[test]
fn d9_the_signature_lives_while_the_group_does() {
    for format in Format::FOUR {
        let elf = ReadElf::parse(&twice(&g2_group(format), &["-R", ".text.sig"]));
        let group = elf.sections.iter().position(|s| s.sh_type == SHT_GROUP).expect("the group lives") as u32;
        let signature = &elf.symbols()[elf.sections[group as usize].info as usize];
        assert_eq!(signature.name, b"sig");
        let (_, members) = elf.group_of(group);
        assert_eq!(members, [elf.index_of(".debug_types").unwrap()]);
        // An option that would take all symbols leaves it, too.
        let elf = ReadElf::parse(&twice(&g2_group(format), &["--strip-unneeded"]));
        let group = elf.sections.iter().find(|s| s.sh_type == SHT_GROUP).expect("the group lives");
        assert_eq!(elf.symbols()[group.info as usize].name, b"sig");
    }
}

// https://chromium.googlesource.com/external/elfutils/+/c06ab0bbb4761a69d2f188675d21d1a9131e9ecb: a member that goes
// leaves index 0 behind.
#[test]
fn d10_a_member_that_goes_leaves_the_list() {
    for format in Format::FOUR {
        let elf = ReadElf::parse(&twice(&g2_group(format), &["--remove-section=.debug_types"]));
        let group = elf.sections.iter().position(|s| s.sh_type == SHT_GROUP).unwrap() as u32;
        assert_eq!(elf.group_of(group), (GRP_COMDAT, vec![elf.index_of(".text.sig").unwrap()]));
        assert!(elf.section(".text.sig").flags & SHF_GROUP != 0);
        let elf = ReadElf::parse(&twice(&g2_group(format), &["-g"]));
        let group = elf.sections.iter().position(|s| s.sh_type == SHT_GROUP).unwrap() as u32;
        assert_eq!(elf.group_of(group).1, [elf.index_of(".text.sig").unwrap()]);
    }
}

// No public report: "x[.debug_types]: cause of error unknown" when a group has members of two sorts.
#[test]
fn d11_one_of_two_sorts_of_members_goes() {
    for format in Format::FOUR {
        let old = g2_group(format);
        for (gone, stays) in [(".text.sig", ".debug_types"), (".debug_types", ".text.sig")] {
            let elf = ReadElf::parse(&twice(&old, &["-R", gone]));
            assert!(elf.index_of(gone).is_none());
            assert_eq!(elf.section(stays).data, ReadElf::parse(&old).section(stays).data);
        }
        // Without the group its members are ordinary sections.
        let elf = ReadElf::parse(&twice(&old, &["-R", ".group"]));
        assert!(elf.sections.iter().all(|s| s.flags & SHF_GROUP == 0));
    }
}
