//! What each option removes, binds and adds.

use super::*;

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
