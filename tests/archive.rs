//! Archives: every member edited on its own, the index of symbols made anew.

// clippy.toml allows it in tests, but not in what they call.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod util;

use elfgraft_testkit::consts::ET_REL;
use elfgraft_testkit::elf::{ElfSpec, Section};
use elfgraft_testkit::format::Format;
use elfgraft_testkit::read::ReadElf;
use util::{Dir, fixture, installed, personality, same};

const MEMBERS: [&str; 3] = ["obj-x86_64.o", "reloc-by-section.o", "reloc-by-symbol.o"];

/// `lib.a` of three objects, two of them under names longer than a header holds.
fn library() -> Option<Dir> {
    if !installed("ar") || !installed("nm") {
        return None;
    }
    let dir = Dir::with(&MEMBERS);
    dir.cmd("ar", &[&["rcD", "lib.a"][..], &MEMBERS].concat()).run().quiet();
    Some(dir)
}

/// A member, extracted by another tool.
fn member(dir: &Dir, name: &str) -> Vec<u8> {
    dir.cmd("ar", &["p", "lib.a", name]).run().ok().stdout().to_vec()
}

// https://github.com/opencontainers/runc/issues/2947: contents depended on the time.
#[test]
fn f9_members_are_edited_and_the_index_is_that_of_ar() {
    let Some(dir) = library() else { return };
    let old = dir.read("lib.a");
    dir.objcopy(&["lib.a"]).quiet();
    same(&dir.read("lib.a"), &old, "a copy");
    for (tool, args) in
        [("strip", &["-g"][..]), ("objcopy", &["--prefix-symbols=__pi_"]), ("objcopy", &["-R", ".comment", "--weaken"])]
    {
        dir.write("lib.a", &old);
        let program = personality(&format!("elfgraft-{tool}"));
        dir.cmd(&program, &[args, &["lib.a"]].concat()).run().quiet();
        for name in MEMBERS {
            let single = Dir::with(&[name]);
            single.cmd(&program, &[args, &[name]].concat()).run().quiet();
            same(&member(&dir, name), &single.read(name), &format!("{args:?}: {name}"));
        }
        // ar, told to make the index, makes this file.
        dir.write("ours", dir.read("lib.a"));
        dir.cmd("ar", &["sD", "lib.a"]).run().quiet();
        same(&dir.read("ours"), &dir.read("lib.a"), &format!("{args:?}: index"));
        if tool == "strip" {
            dir.cmd(&program, &[args, &["lib.a"]].concat()).run().quiet();
            same(&dir.read("lib.a"), &dir.read("ours"), "stripped twice");
        }
    }
    assert!(ReadElf::parse(&member(&dir, MEMBERS[0])).index_of(".comment").is_none());
}

#[test]
fn damaged_and_foreign_archives_are_refused() {
    let Some(dir) = library() else { return };
    let old = dir.read("lib.a");
    let refused = |bytes: &[u8], words: &[&str]| {
        dir.write("bad.a", bytes);
        dir.objcopy(&["-g", "bad.a"]).fails(&[&["'bad.a'"], words].concat());
        same(&dir.read("bad.a"), bytes, "after a refusal");
    };
    refused(&old[..old.len() - 10], &["damaged archive", "size of a member"]);
    refused(&old[..70], &["damaged archive"]);
    refused(&[&old[..8], &[b'x'; 60]].concat(), &["no member header at offset 0x8"]);
    refused(b"!<thin>\n", &["thin archive"]);
    let mut huge = old.clone();
    huge[8 + 48..8 + 58].copy_from_slice(b"9999999999");
    refused(&huge, &["size of a member"]);
    let bsd = [&b"!<arch>\n#1/4            0           0     0     644     4         `\n"[..], b"name"].concat();
    refused(&bsd, &["BSD"]);
    // A member that cannot be edited is named.
    dir.write("text", "odd");
    dir.objcopy(&["-N", "counts", "--add-section", ".text=text", "lib.a"]).fails(&["'lib.a(", "'.text'"]);
    same(&dir.read("lib.a"), &old, "after a refusal");
    dir.objcopy(&["-O", "binary", "lib.a", "out"]).fails(&["it is an archive"]);
}

#[test]
fn members_that_are_no_objects_are_told() {
    let Some(dir) = library() else { return };
    dir.write("text", "odd");
    dir.write("signed.ko", fixture("demo-signed.ko"));
    dir.cmd("ar", &["rcD", "odd.a", "text", MEMBERS[0], "signed.ko"]).run().quiet();
    let run = dir.objcopy(&["-g", "-R", ".comment", "-R", ".BTF", "odd.a"]);
    run.check(run.code() == Some(0), "exit status 0");
    run.warns(&["'odd.a(text)'", "copied as it is", "'odd.a(signed.ko)'", "signature"]);
    assert_eq!(dir.cmd("ar", &["p", "odd.a", "text"]).run().ok().stdout(), b"odd");
    // Its objects would stay as they are, and nobody would know.
    dir.cmd("ar", &["rcD", "nested.a", "lib.a"]).run().quiet();
    let old = dir.read("nested.a");
    dir.cmd(personality("elfgraft-strip"), &["-g", "nested.a"]).run().fails(&["'nested.a(lib.a)'", "archive within"]);
    same(&dir.read("nested.a"), &old, "after a refusal");
    dir.cmd(personality("elfgraft-strip"), &["--only-keep-debug", "lib.a"])
        .run()
        .fails(&["'lib.a'", "--only-keep-debug"]);
    dir.objcopy(&["--only-keep-debug", "lib.a"]).fails(&["'lib.a'", "archive"]);
    // No members, nothing to do.
    dir.write("empty.a", "!<arch>\n");
    dir.objcopy(&["-g", "empty.a"]).quiet();
    assert_eq!(dir.read("empty.a"), b"!<arch>\n");
}

/// A header of a member as `ar -D` writes it.
fn header(name: &str, size: usize) -> String {
    format!("{name:<16}{:<12}{:<6}{:<6}{:<8}{size:<10}`\n", 0, 0, 0, 644)
}

#[test]
fn names_that_could_not_be_written_back_are_refused_and_odd_ones_stay() {
    let dir = Dir::new();
    for name in ["", "te\n/", "/0"] {
        dir.write("lib.a", format!("!<arch>\n{}{}{}xy", header("//", 2), "/\n", header(name, 2)));
        dir.objcopy(&["lib.a"]).fails(&["lib.a", "damaged archive", "name of a member"]);
    }
    // A long name that begins as those of BSD's archives do, and one with a slash in it.
    let names = "#1/\n__.SYMDEF/\na/b/\n";
    let members = ["/0", "/4", "/15"].map(|name| header(name, 2) + "xy").concat();
    dir.write("lib.a", format!("!<arch>\n{}{names}{members}", header("//", names.len())));
    dir.objcopy(&["lib.a"]).ok();
    let once = dir.read("lib.a");
    dir.objcopy(&["lib.a"]).ok();
    same(&dir.read("lib.a"), &once, "twice");
    assert!(once.windows(names.len()).any(|w| w == names.as_bytes()));
}

/// `.bss` of a member was to have contents: they were made in memory, as many bytes as `sh_size` says, or none were left.
#[test]
fn members_grow_by_no_more_zeros_than_memory_holds() {
    let dir = Dir::new();
    let member = |size| {
        let mut object = ElfSpec::new(Format::X86_64, ET_REL).section(Section::nobits(".bss", size)).build();
        object.resize(object.len().next_multiple_of(2), 0);
        [header("m/", object.len()).into_bytes(), object].concat()
    };
    let args = ["--set-section-flags", ".bss=alloc,contents", "lib.a"];
    for (sizes, good) in [(&[1000, 1 << 20][..], true), (&[1 << 62], false), (&[9 << 20, 9 << 20], false)] {
        let members: Vec<u8> = sizes.iter().flat_map(|size| member(*size)).collect();
        let old = [&b"!<arch>\n"[..], &members].concat();
        dir.write("lib.a", &old);
        if good {
            dir.objcopy(&args).quiet();
        } else {
            dir.objcopy(&args).fails(&["lib.a(m)", "bytes of padding and zeros"]);
            same(&dir.read("lib.a"), &old, "refused");
        }
    }
}
