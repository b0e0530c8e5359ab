//! Several files in one call, under make too.

use super::*;

#[test]
fn one_bad_file_is_named_and_stops_no_other() {
    let dir = Dir::with(&["demo.btf"]);
    let names: Vec<String> = (0..40).map(|n| format!("m{n:02}.ko")).collect();
    names.iter().for_each(|name| dir.write(name, fixture("demo.ko")));
    dir.write("m07.ko", "no ELF file");
    fs::remove_file(dir.path("m31.ko")).unwrap();
    dir.write("m20.ko", fixture("demo-signed.ko"));
    let run = dir.elfgraft(&[vec!["set".to_string(), ".BTF=demo.btf".into()], names.clone()].concat());
    run.check(run.code() == Some(1), "exit status 1");
    // Each failure once, in the order of the files.
    let text = run.stderr();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 3, "{text}");
    for (line, name) in lines.iter().zip(["'m07.ko'", "'m20.ko'", "'m31.ko'"]) {
        assert!(line.starts_with("elfgraft: error: ") && line.contains(name), "{line}");
    }
    let bad = ["m07.ko", "m20.ko", "m31.ko"];
    let expected = dir.read("m00.ko");
    assert_eq!(dir.elf("m00.ko").section(".BTF").data, dir.read("demo.btf"));
    for name in names.iter().filter(|n| !bad.contains(&n.as_str())) {
        same(&dir.read(name), &expected, name);
    }
    same(&dir.read("m07.ko"), b"no ELF file", "m07.ko");
    same(&dir.read("m20.ko"), &fixture("demo-signed.ko"), "m20.ko");
    assert_eq!(dir.names().len(), 40);
}

#[test]
fn under_make_every_token_is_given_back() {
    if !installed("make") {
        return;
    }
    let dir = Dir::with(&["demo.btf"]);
    let files: Vec<_> = (0..60).map(|n| format!("m{n}.ko")).collect();
    files.iter().for_each(|name| dir.write(name, fixture("demo.ko")));
    let (half, other) = files.split_at(30);
    let rule = |name: &str, files: &[String]| format!("{name}:\n\t+{ELFGRAFT} set .BTF=demo.btf {}\n", files.join(" "));
    dir.write("Makefile", format!("all: a b\n{}{}", rule("a", half), rule("b", other)));
    // make says so at its end when a token is missing, or when there is one too many.
    let run = dir.cmd("make", &["-s", "-j3"]).run().ok();
    assert_eq!(run.stderr(), "");
    for name in &files {
        assert_eq!(dir.elf(name).section(".BTF").data, dir.read("demo.btf"), "{name}");
    }
    // Where make promised nothing, or something that is not there, all is done anyway.
    for flags in [" -j4 --jobserver-auth=987,988", "--jobserver-auth=fifo:/nonexistent", "--jobserver-fds=x"] {
        files.iter().for_each(|name| dir.write(name, fixture("demo.ko")));
        let args = [vec!["set".to_string(), ".BTF=demo.btf".into()], files.clone()].concat();
        dir.cmd(ELFGRAFT, &args).env("MAKEFLAGS", flags).run().quiet();
        assert!(files.iter().all(|name| dir.elf(name).index_of(".BTF").is_some()), "{flags}");
    }
}

#[test]
fn one_file_named_twice_is_edited_once() {
    let dir = Dir::with(&["demo.ko", "demo.btf"]);
    dir.elfgraft(&["set", ".BTF=demo.btf", "-o", "expected", "demo.ko"]).quiet();
    std::os::unix::fs::symlink("demo.ko", dir.path("link")).unwrap();
    for _ in 0..20 {
        dir.write("demo.ko", fixture("demo.ko"));
        dir.elfgraft(&["set", ".BTF=demo.btf", "demo.ko", "./demo.ko", "demo.ko", "link"]).quiet();
        same(&dir.read("demo.ko"), &dir.read("expected"), "demo.ko");
    }
    assert_eq!(dir.names(), ["demo.btf", "demo.ko", "expected", "link"]);
}
