//! `set` and what is refused.

use super::*;

#[test]
fn several_sections_in_one_rewrite_in_any_order() {
    for format in Format::FOUR {
        let dir = Dir::new();
        (0..3).for_each(|n| dir.write(format!("f{n}"), vec![n; 10 + usize::from(n)]));
        let old = g4_btf_ids(format);
        dir.write("one", &old);
        dir.write("two", &old);
        dir.elfgraft(&["set", ".BTF=f0", ".BTF.base=f1", ".new=f2", "one"]).quiet();
        dir.elfgraft(&["set", ".new=f2", ".BTF.base=f1", ".BTF=f0", "two"]).quiet();
        same(&dir.read("one"), &dir.read("two"), "order");
        let (before, after) = (elfgraft_testkit::read::ReadElf::parse(&old), dir.elf("one"));
        assert_eq!(after.index_of(".BTF"), before.index_of(".BTF"), "replaced in its place");
        assert_eq!(after.sections.len(), before.sections.len() + 2);
        for (name, file) in [(".BTF", "f0"), (".BTF.base", "f1"), (".new", "f2")] {
            assert_eq!(after.section(name).data, dir.read(file), "{format}: {name}");
        }
        assert_eq!(after.symbols(), before.symbols());
    }
}

#[test]
fn contents_may_come_from_anywhere() {
    let dir = Dir::with(&["demo.ko", "demo.btf"]);
    let old = dir.read("demo.ko");
    dir.elfgraft(&["set", ".BTF=demo.btf", "-o", "expected", "demo.ko"]).quiet();
    same(&dir.read("demo.ko"), &old, "the input with -o");
    let blob = dir.read("demo.btf");
    for source in ["-", "/dev/stdin"] {
        let args = ["set", &format!(".BTF={source}"), "--output=out", "demo.ko"].map(String::from);
        dir.cmd(ELFGRAFT, &args).stdin(blob.clone()).run().quiet();
        same(&dir.read("out"), &dir.read("expected"), source);
    }
    // What is there can be read once.
    let twice = ["set", ".BTF=-", ".new=-", "demo.ko"];
    dir.cmd(ELFGRAFT, &twice).stdin(blob.clone()).run().fails(&["'-'", "standard input", "twice"]);
    same(&dir.read("demo.ko"), &old, "the file that was refused");
    dir.elfgraft(&["set", ".BTF=/dev/null", "demo.ko"]).quiet();
    assert_eq!(dir.elf("demo.ko").section(".BTF").size, 0);
}

#[test]
fn files_with_an_equals_sign_in_their_names() {
    let dir = Dir::with(&["demo.btf", "demo.ko"]);
    dir.write("a=b", fixture("demo.ko"));
    dir.elfgraft(&["set", ".BTF=demo.btf", "--", "a=b", "demo.ko"]).quiet();
    same(&dir.read("a=b"), &dir.read("demo.ko"), "a=b");
    assert_eq!(dir.elf("a=b").section(".BTF").data, dir.read("demo.btf"));
    dir.elfgraft(&["dump", ".BTF=x=y", "--", "a=b"]).quiet();
    same(&dir.read("x=y"), &dir.read("demo.btf"), "x=y");
    // Where the command line is not that of the process: from a response file, and inside verify.
    dir.write("words", "set .BTF=demo.btf -- a=b");
    dir.elfgraft(&["@words"]).quiet();
    dir.elfgraft(&["verify", "set", ".BTF=demo.btf", "--", "a=b"]).ok();
    dir.elfgraft(&["set", ".BTF=demo.btf", "demo.ko", "--", "a=b"]).fails(&["'demo.ko'", "--"]);
}

#[test]
fn what_makes_no_sense_is_refused() {
    let dir = Dir::with(&["demo.ko", "demo.btf"]);
    for (args, words) in [
        (&["set"][..], &["<ARG>"][..]),
        (&["set", "demo.ko"], &["NAME=CONTENTS"]),
        (&["dump", ".text", "demo.ko"], &["NAME=OUT"]),
        (&["set", ".BTF=demo.btf"], &["ELF files"]),
        (&["set", ".BTF=none", "demo.ko"], &["'none'"]),
        (&["set", ".BTF=demo.btf", ".BTF=/dev/null", "demo.ko"], &["'.BTF'", "twice"]),
        (&["set", ".BTF=demo.btf", "-o", "out", "demo.ko", "demo.ko"], &["--output", "2"]),
        (&["set", ".shstrtab=demo.btf", "demo.ko"], &["'.shstrtab'"]),
        (&["remove"], &["<PATTERN>"]),
        (&["remove", ".comment"], &["<FILE>"]),
        (&["dump", ".text=o", "demo.ko", "demo.ko"], &["one ELF file"]),
        (&["dump", ".text", "demo.ko"], &["NAME"]),
        (&["show"], &["<FILE>"]),
        (&["show", "demo.btf"], &["'demo.btf'", "not an ELF file"]),
        (&["set", ".BTF=demo.btf", "."], &["'.'", "directory"]),
        (&["set", ".BTF=demo.btf", "demo.ko", "-o", "demo.btf"], &["'demo.btf'", "a file that is read"]),
        (&["set", ".n=demo.ko", "demo.ko"], &["'demo.ko'", "a file that is read"]),
        (&["objcopy", "--add-section=.n=demo.btf", "demo.ko", "demo.btf"], &["'demo.btf'", "a file that is read"]),
        (&["objcopy", "--add-section=.n=demo.ko", "demo.ko"], &["'demo.ko'", "a file that is read"]),
        (&["objcopy", "--add-gnu-debuglink=demo.btf", "demo.ko", "demo.btf"], &["'demo.btf'", "a file that is read"]),
    ] {
        dir.elfgraft(args).fails(words);
        same(&dir.read("demo.ko"), &fixture("demo.ko"), &format!("{args:?}"));
        same(&dir.read("demo.btf"), &fixture("demo.btf"), &format!("{args:?}"));
    }
    assert_eq!(dir.names(), ["demo.btf", "demo.ko"]);
}
