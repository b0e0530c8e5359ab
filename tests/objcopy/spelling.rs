//! How options, values and file names may be spelled, and that their order does not matter.

use super::*;

/// Every spelling of one request gives the same bytes.
#[test]
fn an_option_and_its_value_may_be_joined_apart_or_abbreviated() {
    let old = object(Format::X86_64);
    for (plain, others) in [
        (
            "--remove-section .last",
            &["--remove-section=.last", "-R .last", "-R.last", "--remove-sec .last", "--remove=.last"][..],
        ),
        ("--only-section .data", &["--only-section=.data", "-j .data", "-j.data", "--only-s=.data"]),
        ("--add-section .n=f", &["--add-section=.n=f", "--add-se .n=f", "--add-sec=.n=f"]),
        ("--update-section .last=g", &["--update-section=.last=g", "--upd .last=g"]),
        ("--keep-section .last -R *t*", &["--keep-section=.last -R *t*", "-R *t* --keep-sec=.last"]),
        ("--rename-section .last=.n", &["--rename-section=.last=.n", "--rename .last=.n"]),
        ("--set-section-flags .last=alloc", &["--set-section-flags=.last=alloc", "--set-section-f .last=alloc"]),
        ("--set-section-alignment .last=8", &["--set-section-alignment=.last=0x8", "--set-section-al .last=010"]),
        ("--set-section-type .last=7", &["--set-section-type=.last=0x7", "--set-section-t .last=07"]),
    ] {
        // What `-R *t*` asks for others need.
        let keep = if plain.contains("-R *t*") { "-R !.sh* -R !.s*" } else { "" };
        let words = |line: &str| [line, keep].join(" ").split_whitespace().map(String::from).collect::<Vec<_>>();
        let run = |line: &str| {
            let args = words(line);
            objcopy(&old, &args.iter().map(String::as_str).collect::<Vec<_>>())
        };
        let expected = run(plain);
        assert!(expected != old, "{plain}: nothing happened");
        for other in others {
            same(&run(other), &expected, other);
        }
    }
}

#[test]
fn options_may_be_repeated_and_stand_anywhere() {
    let dir = Dir::with(&["obj-x86_64.o"]);
    let old = dir.read("obj-x86_64.o");
    dir.objcopy(&["-R", ".comment", "obj-x86_64.o", "--remove-section=.note.GNU-stack", "out.o", "-R.debug_frame"])
        .quiet();
    let left = names(&dir.elf("out.o"));
    for gone in [".comment", ".note.GNU-stack", ".debug_frame", ".rela.debug_frame"] {
        assert!(!left.contains(&gone.into()) && names(&ReadElf::parse(&old)).contains(&gone.into()), "{gone}");
    }
    same(&dir.read("obj-x86_64.o"), &old, "the input");
    // What `=` is in front of, and what behind it.
    dir.write("a=b", "odd name");
    dir.objcopy(&["--add-section", ".n=a=b", "out.o"]).quiet();
    assert_eq!(dir.elf("out.o").section(".n").data, b"odd name");
}

/// As GNU's tools: s390's makefiles say `-O binary -I binary -O elf64-s390`.
#[test]
fn of_an_option_that_is_given_again_the_last_counts() {
    let (old, dir) = (layouts::vmlinux(Format::X86_64, false).build(), Dir::new());
    dir.write("x", &old);
    let both = |repeated: &str, once: &str| {
        for (line, out) in [(repeated, "repeated"), (once, "once")] {
            let words = line.split_whitespace().chain(["x", out]).collect::<Vec<_>>();
            dir.objcopy(&words).ok();
        }
        same(&dir.read("repeated"), &dir.read("once"), repeated);
        assert!(dir.read("once") != old || ["-p", "-w", "-F", "-X"].contains(&&once[..2]), "{once}: nothing happened");
    };
    for (repeated, once) in [
        ("-O binary -I binary -O elf64-s390", "-I binary -O elf64-s390"),
        ("-I elf64-x86-64 -I binary -O elf64-s390 -B i386 -B s390:64-bit", "-I binary -O elf64-s390"),
        ("-O elf64-x86-64 -O binary", "-O binary"),
        ("-O srec --output-target binary", "-O binary"),
        ("-O binary --gap-fill 1 --gap-fill 0xff", "-O binary --gap-fill 255"),
        ("-O binary --pad-to 0x2000000 --pad-to 0x1008000", "-O binary --pad-to 0x1008000"),
        ("-O binary --max-size 1 --max-size 0x100000", "-O binary --max-size 0x100000"),
        ("-F elf64-s390 -F elf64-x86-64", "-F elf64-x86-64"),
        ("-S -S --strip-all", "-S"),
        ("-g --strip-debug -g", "-g"),
        ("-g -S", "-S"),
        ("-S --strip-unneeded -g", "-g"),
        ("-S -g --strip-unneeded", "--strip-unneeded"),
        ("-g --only-keep-debug", "--only-keep-debug"),
        ("--only-keep-debug -g", "-g"),
        ("-x -X", "-X"),
        ("-X -x", "-x"),
        ("-p -p --preserve-dates", "-p"),
        ("-w -w -D -D -v -v", "-w"),
        ("--weaken --weaken --localize-hidden --localize-hidden", "--weaken --localize-hidden"),
        ("--keep-file-symbols -S --keep-file-symbols", "-S --keep-file-symbols"),
        ("--prefix-symbols a_ --prefix-symbols b_", "--prefix-symbols b_"),
        ("--prefix-sections a --prefix-sections b", "--prefix-sections b"),
        ("--prefix-alloc-sections a --prefix-alloc-sections b", "--prefix-alloc-sections b"),
        ("--set-start 1 --set-start 2 --adjust-start 8 --adjust-start -1", "--set-start 1"),
        ("--add-gnu-debuglink=none --add-gnu-debuglink=x", "--add-gnu-debuglink=x"),
    ] {
        both(repeated, once);
    }
    // A third file is none too many of anything.
    dir.objcopy(&["x", "y", "z"]).fails(&["z"]);
    assert!(!dir.path("y").exists() && !dir.path("z").exists());
}

#[test]
fn strip_takes_the_last_of_repeated_options_too() {
    let (old, dir) = (fixture("obj-x86_64.o"), Dir::new());
    let strip = |line: &str| {
        dir.write("x", &old);
        let words = line.split_whitespace().chain(["x"]).collect::<Vec<_>>();
        dir.cmd(personality("elfgraft-strip"), &words).run().ok();
        dir.read("x")
    };
    for (repeated, once) in [
        ("-s -s", "-s"),
        ("-g --strip-debug -S -d", "-g"),
        ("-s -g", "-g"),
        ("-g -s", "-s"),
        ("-s --strip-unneeded", "--strip-unneeded"),
        ("--strip-unneeded -g", "-g"),
        ("-g --only-keep-debug", "--only-keep-debug"),
        ("-p -g -p", "-g"),
        ("-g -D -D -v -v -w -w", "-g"),
        ("-X -x", "-x"),
    ] {
        let expected = strip(once);
        assert!(expected != old, "{once}: nothing happened");
        same(&strip(repeated), &expected, repeated);
    }
    same(&strip("-o first -o second"), &old, "the input");
    assert!(!dir.path("first").exists());
    same(&dir.read("second"), &strip("-s"), "-o twice");
}

#[test]
fn response_files_hold_arguments() {
    let dir = Dir::with(&["demo.ko", "demo.btf"]);
    dir.objcopy(&["-R", ".comment", "--add-section", ".BTF=demo.btf", "demo.ko", "plain.ko"]).quiet();
    dir.write("args", "-R '.comment'\n\"--add-section\"\t.BTF=demo.btf   @more");
    dir.write("more", "demo.ko out.ko");
    dir.objcopy(&["@args"]).quiet();
    same(&dir.read("out.ko"), &dir.read("plain.ko"), "@args");
    dir.objcopy(&["@none", "demo.ko"]).fails(&["'none'", "No such file"]);
    dir.write("loop", "@loop");
    dir.objcopy(&["@loop"]).fails(&["'loop'"]);
    // A file of such a name, behind `--` and otherwise.
    dir.write("@demo.ko", fixture("demo.ko"));
    dir.objcopy(&["-R", ".comment", "--", "@demo.ko", "-out"]).quiet();
    dir.objcopy(&["-R", ".comment", "./@demo.ko", "out2.ko"]).quiet();
    same(&dir.read("-out"), &dir.read("out2.ko"), "--");
}

#[test]
fn a_dash_is_standard_input_and_output() {
    let dir = Dir::with(&["demo.ko", "demo.btf"]);
    let old = dir.read("demo.ko");
    dir.objcopy(&["--add-section", ".BTF=demo.btf", "demo.ko", "expected"]).quiet();
    let (name, expected) = (personality("elfgraft-objcopy"), dir.read("expected"));
    let add = ["--add-section", ".BTF=demo.btf"];
    for (files, stdin) in [(&["-", "-"][..], true), (&["-"], true), (&["demo.ko", "-"], false)] {
        let cmd = dir.cmd(&name, &[&add[..], files].concat());
        let run = if stdin { cmd.stdin(old.clone()) } else { cmd }.run().ok();
        same(run.stdout(), &expected, "standard output");
        assert_eq!(run.stderr(), "");
    }
    dir.cmd(&name, &[&add[..], &["-", "out"]].concat()).stdin(old.clone()).run().quiet();
    same(&dir.read("out"), &expected, "out");
    // Contents through the pipe, both ways.
    let blob = dir.read("demo.btf");
    dir.cmd(&name, &["--add-section", ".BTF=-", "demo.ko", "out"]).stdin(blob.clone()).run().quiet();
    same(&dir.read("out"), &expected, "contents from standard input");
    same(dir.objcopy(&["--dump-section", ".BTF=-", "out"]).ok().stdout(), &blob, "contents to standard output");
    assert_eq!(dir.names(), ["demo.btf", "demo.ko", "expected", "out"]);
    same(&dir.read("demo.ko"), &old, "the input");
    // A file of that name.
    dir.write("-", &old);
    dir.objcopy(&["-R", ".comment", "./-"]).quiet();
    assert!(dir.elf("-").index_of(".comment").is_none());
}

#[test]
fn every_name_of_the_tool_is_the_tool() {
    let dir = Dir::with(&["demo.ko"]);
    dir.elfgraft(&["objcopy", "-R", ".comment", "demo.ko", "expected"]).quiet();
    for name in ["objcopy", "elfgraft-objcopy", "x86_64-linux-gnu-objcopy"] {
        dir.cmd(personality(name), &["-R", ".comment", "demo.ko", "out"]).run().quiet();
        same(&dir.read("out"), &dir.read("expected"), name);
    }
}

#[test]
fn help_and_version_go_to_standard_output() {
    let dir = Dir::new();
    for option in ["--help", "-h"] {
        let help = dir.objcopy(&[option]).ok();
        assert_eq!(help.stderr(), "");
        for option in [
            "--add-section",
            "--remove-section",
            "--keep-section",
            "--update-section",
            "--dump-section",
            "--only-section",
            "--rename-section",
            "--set-section-flags",
            "--set-section-alignment",
            "--set-section-type",
            "--preserve-dates",
            "-R",
            "-j",
            "-p",
            "-v",
            "-V",
        ] {
            assert!(help.text().contains(option), "{option} in {}", help.text());
        }
    }
    for option in ["--version", "-V", "--vers"] {
        let version = dir.objcopy(&[option]).ok();
        // Kconfig turns features off when it finds this word; other scripts read `name (package) version`.
        let line = version.text().lines().next().unwrap().to_string();
        assert!(!line.to_lowercase().contains("llvm"), "{line}");
        let words: Vec<_> = line.split(' ').collect();
        assert!(words.len() >= 3 && words[words.len() - 2].ends_with(')'), "{line}");
        assert_eq!(words.last(), Some(&env!("CARGO_PKG_VERSION")));
    }
}

#[test]
fn what_is_not_understood_is_named_and_nothing_is_written() {
    let dir = Dir::with(&["demo.ko"]);
    dir.write("f", "x");
    for (args, words) in [
        ("--no-such-option demo.ko", &["--no-such-option"][..]),
        ("--no-such-option=3 demo.ko", &["--no-such-option"]),
        ("-Z demo.ko", &["-Z"]),
        ("--set-section demo.ko", &["--set-section"]),
        ("demo.ko -R", &["--remove-section"]),
        ("demo.ko --add-section", &["--add-section"]),
        ("demo.ko out third", &["third"]),
        ("", &["<IN>"]),
        ("--add-section .x demo.ko", &["--add-section", "'.x'"]),
        ("--add-section =f demo.ko", &["--add-section", "'=f'"]),
        ("--update-section .x demo.ko", &["--update-section", "'.x'"]),
        ("--dump-section .text= demo.ko", &["--dump-section", "'.text='"]),
        ("--dump-section .text demo.ko", &["--dump-section", "'.text'"]),
        ("--rename-section .text demo.ko", &["--rename-section", "'.text'"]),
        ("--rename-section .text= demo.ko", &["--rename-section", "'.text='"]),
        ("--rename-section .text=,alloc demo.ko", &["--rename-section", "'.text='"]),
        ("--rename-section .text=.t,wibble demo.ko", &["'wibble'"]),
        ("--set-section-flags .text demo.ko", &["--set-section-flags", "'.text'"]),
        ("--set-section-flags .text=alloc,wibble demo.ko", &["'wibble'"]),
        ("--set-section-alignment .text=four demo.ko", &["--set-section-alignment", "'four'"]),
        ("--set-section-alignment .text=-4 demo.ko", &["--set-section-alignment", "'-4'"]),
        ("--set-section-type .text=0x100000000 demo.ko", &["--set-section-type", "4294967296"]),
        ("--verbose=yes demo.ko", &["--verbose"]),
    ] {
        dir.objcopy(&args.split_whitespace().collect::<Vec<_>>()).fails(words);
    }
    dir.cmd(ELFGRAFT, &["no-such-command", "demo.ko"]).run().fails(&["no-such-command"]);
    same(&dir.read("demo.ko"), &fixture("demo.ko"), "the input");
    assert_eq!(dir.names(), ["demo.ko", "f"]);
}

/// Keeping beats removing; removals, renames, additions, updates, then flags, alignment and type; dumps read the input.
#[test]
fn the_order_of_options_does_not_matter() {
    let units = [
        "-R .note*",
        "-R !.note.Demo",
        "--keep-section=.comment",
        "-R .comm*",
        "--rename-section=.rodata=.rodata.new",
        "--add-section=.new=demo.btf",
        "--add-section=.another=ids",
        "--update-section=.BTF_ids=ids",
        "-p",
        "--update-section=.new=f",
        "--set-section-flags=.rodata=alloc,readonly,data",
        "--set-section-alignment=.new=32",
        "--set-section-type=.another=0x60000000",
        "--dump-section=.BTF_ids=old-ids",
        "-R .comment.none",
        "--set-section-flags=!.rodata.none=alloc",
    ];
    let dir = Dir::with(&["demo.ko", "demo.btf"]);
    dir.write("ids", [0x5c; 164]);
    dir.write("f", "contents of new");
    let run = |units: &[&str]| {
        let words: Vec<_> = units.iter().flat_map(|u| u.split(' ')).chain(["demo.ko", "out.ko"]).collect();
        dir.objcopy(&words).quiet();
        assert_eq!(dir.read("old-ids"), dir.elf("demo.ko").section(".BTF_ids").data, "dumps read the input");
        dir.read("out.ko")
    };
    let expected = run(&units);
    let elf = ReadElf::parse(&expected);
    let left = names(&elf);
    assert!(left.contains(&".note.Demo".into()) && left.contains(&".comment".into()));
    assert!(!left.contains(&".note.GNU-stack".into()) && !left.contains(&".rodata".into()));
    assert_eq!(left[left.len() - 2..], [".another", ".new"], "in the order of their names");
    assert_eq!(elf.section(".new").data, b"contents of new");
    assert_eq!((elf.section(".new").addralign, elf.section(".another").sh_type), (32, 0x6000_0000));
    assert_eq!(elf.section(".rodata.new").flags, SHF_ALLOC);
    assert_eq!(elf.section(".BTF_ids").data, [0x5c; 164]);
    let mut rng = Rng::new(20_261_122);
    let mut shuffled = units;
    for round in 0..25 {
        rng.shuffle(&mut shuffled);
        same(&run(&shuffled), &expected, &format!("round {round}: {shuffled:?}"));
    }
}

/// As getopt_long: the next argument is the value, whatever it looks like.
#[test]
fn a_value_may_begin_with_a_dash() {
    let dir = Dir::with(&["demo.ko"]);
    dir.write("-f", "x");
    dir.objcopy(&["--add-section", "-n=-f", "demo.ko", "out.ko"]).quiet();
    assert_eq!(dir.elf("out.ko").section("-n").data, b"x");
    for spelling in [&["-R", "-n"][..], &["--remove-section", "-n"], &["--remove-section=-n"], &["-R-n"]] {
        dir.objcopy(&[spelling, &["out.ko", "back.ko"]].concat()).quiet();
        same(&dir.read("back.ko"), &dir.read("demo.ko"), &spelling.join(" "));
    }
}

/// Where two options contradict each other their order would decide.
#[test]
fn one_section_gets_one_name_and_one_contents() {
    let dir = Dir::with(&["demo.ko"]);
    dir.write("a", "a");
    dir.write("b", "b");
    let twice = |one: &'static str, two: &'static str| dir.objcopy(&[one, two, "demo.ko", "out.ko"]);
    twice("--rename-section=.comment=.x", "--rename-section=.comment=.y").fails(&["'.comment' gets two new names"]);
    twice("--rename-section=.comment=.x", "--rename-section=.comment=.x,alloc").fails(&["two new names"]);
    twice("--update-section=.comment=a", "--update-section=.comment=b")
        .fails(&["'.comment' [31] is to be updated twice"]);
    assert_eq!(dir.names(), ["a", "b", "demo.ko"]);
    twice("--rename-section=.comment=.x", "--rename-section=.comment=.x").quiet();
    twice("--update-section=.comment=a", "--update-section=.comment=a").quiet();
}
