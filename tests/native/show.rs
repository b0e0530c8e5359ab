//! `show`, against tests/golden.

use super::*;

#[test]
fn what_is_in_a_file() {
    for file in
        ["demo.ko", "demo-signed.ko", "vmlinux-relocs", "livepatch.ko", "obj-mips.o", "hello-lld", "obj-compressed.o"]
    {
        let dir = Dir::with(&[file]);
        let stamp = dir.stamp(file);
        let run = dir.elfgraft(&["show", file]).ok();
        assert_eq!(run.stderr(), "");
        golden(&format!("show-{file}"), &run.text());
        assert_eq!(dir.stamp(file), stamp);
    }
}

#[test]
fn several_files_and_standard_input() {
    let dir = Dir::with(&["demo.ko", "hello"]);
    let both = dir.elfgraft(&["show", "demo.ko", "hello"]).ok().text();
    let one = |name: &str| dir.elfgraft(&["show", name]).ok().text();
    assert_eq!(both, one("demo.ko") + &one("hello"));
    let piped = dir.cmd(ELFGRAFT, &["show", "-"]).stdin(dir.read("hello")).run().ok().text();
    assert_eq!(piped, one("hello").replacen("hello: ", "-: ", 1));
    let run = dir.elfgraft(&["show", "demo.ko", "none", "hello"]);
    run.check(run.code() == Some(1), "exit status 1");
    run.warns(&["'none'", "No such file"]);
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let dir = Dir::new();
    dir.write("many.o", g1_many_sections(Format::X86_64, 5000));
    let run = dir.cmd("sh", &["-c", &format!("{{ {ELFGRAFT} show many.o; echo $? >status; }} | head -n 1")]).run().ok();
    assert_eq!(run.stderr(), "");
    assert_eq!(dir.read("status"), b"0\n");
}

#[test]
fn one_that_cannot_be_shown_stops_no_other() {
    let dir = Dir::with(&["demo.ko"]);
    dir.write("bad", "no ELF");
    let run = dir.elfgraft(&["show", "bad", "demo.ko", "none"]);
    assert_eq!(run.code(), Some(1));
    assert!(run.text().contains("demo.ko: ELF64") && run.stderr().contains("'bad'") && run.stderr().contains("'none'"));
}
