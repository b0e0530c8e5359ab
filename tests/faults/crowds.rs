//! Many files, few descriptors, odd names, large files, other executors at the same time.

use std::os::unix::fs::{FileExt, symlink};

use elfgraft_testkit::consts::ET_REL;
use elfgraft_testkit::elf::{ElfSpec, Section};
use elfgraft_testkit::fields::{header_field, poke_header, poke_section, section_field};
use elfgraft_testkit::format::Format;

use super::*;

/// All good ones are done, all bad ones are named, and no descriptor is kept.
#[test]
fn a_thousand_files_some_of_them_bad() {
    let dir = Dir::with(&["demo.btf"]);
    let small = ElfSpec::new(Format::X86_64, ET_REL).section(Section::progbits(".data", 0, vec![1; 100])).build();
    let names: Vec<String> = (0..1000).map(|n| format!("m{n:03}.o")).collect();
    names.iter().for_each(|name| dir.write(name, &small));
    dir.elfgraft(&["set", ".BTF=demo.btf", "-o", "expected", "m000.o"]).quiet();
    let expected = dir.read("expected");
    for options in [&["set"][..], &["set", "--in-place"]] {
        names.iter().for_each(|name| {
            let _ = fs::remove_file(dir.path(name)).or_else(|_| fs::remove_dir(dir.path(name)));
            dir.write(name, &small);
        });
        type Spoil = fn(&std::path::Path);
        let bad: [(&str, Spoil); 7] = [
            ("m003.o", |_| {}),
            ("m100.o", |path| fs::create_dir(path).unwrap()),
            ("m321.o", |path| fs::write(path, "").unwrap()),
            ("m322.o", |path| fs::write(path, "no ELF file").unwrap()),
            ("m500.o", |path| symlink("m500.o", path).unwrap()),
            ("m777.o", |path| symlink("missing", path).unwrap()),
            ("m999.o", |path| drop(UnixListener::bind(path).unwrap())),
        ];
        for (name, make) in bad {
            fs::remove_file(dir.path(name)).unwrap();
            make(&dir.path(name));
        }
        let args: Vec<&str> =
            options.iter().copied().chain([".BTF=demo.btf"]).chain(names.iter().map(String::as_str)).collect();
        let run = dir.cmd(ELFGRAFT, &args).after("ulimit -n 16").run();
        run.check(run.code() == Some(1), "exit status 1");
        let text = run.stderr();
        assert_eq!(text.lines().count(), bad.len(), "{text}");
        for (line, (name, _)) in text.lines().zip(bad) {
            assert!(line.starts_with("elfgraft: error: ") && line.contains(&format!("'{name}'")), "{line}");
        }
        for name in names.iter().filter(|name| bad.iter().all(|(bad, _)| bad != name)) {
            same(&dir.read(name), &expected, name);
        }
    }
}

#[test]
fn a_file_of_more_than_4_gib() {
    const SIZE: u64 = 5 << 30;
    let dir = Dir::new();
    let hole = Section::progbits(".hole", 0, vec![0x11; 4096]).align(4096);
    let last = Section::progbits(".last", 0, b"behind".to_vec());
    let mut small = ElfSpec::new(Format::X86_64, ET_REL).section(hole).section(last).build();
    let at = section_field(&small, 1, "sh_offset");
    let (delta, behind) = (SIZE - 4096, at + 4096);
    poke_section(&mut small, 1, "sh_size", SIZE);
    for later in 2..header_field(&small, "e_shnum") as usize {
        let offset = section_field(&small, later, "sh_offset");
        poke_section(&mut small, later, "sh_offset", offset + delta);
    }
    let shoff = header_field(&small, "e_shoff");
    assert!(shoff > behind);
    poke_header(&mut small, "e_shoff", shoff + delta);
    let file = File::create(dir.path("x.o")).unwrap();
    file.write_all_at(&small[..behind as usize], 0).unwrap();
    file.write_all_at(&small[behind as usize..], behind + delta).unwrap();
    dir.write("f", [7; 40]);
    dir.write("g", b"BEHIND");
    let before = dir.metadata("x.o");
    for args in [&["set", ".new=f", "x.o"][..], &["set", "--in-place", ".new=f", ".last=g", "x.o"]] {
        let limit = "ulimit -d 16384";
        dir.cmd(ELFGRAFT, args).after(limit).run().quiet();
        let after = dir.metadata("x.o");
        assert!(after.len() > before.len() && after.blocks() < 4096, "{} blocks", after.blocks());
    }
    let run = dir.elfgraft(&["dump", ".last=-", "x.o"]).ok();
    assert_eq!(run.stdout(), b"BEHIND");
    dir.elfgraft(&["set", ".last=f", ".new=g", "x.o"]).quiet();
    assert_eq!(dir.elfgraft(&["dump", ".last=-", "x.o"]).ok().stdout(), [7; 40]);
    dir.elfgraft(&["check", "x.o"]).ok();
}

/// One replaces the file, one writes into it: whoever is second has an error or the other's file before it.
#[test]
fn an_edit_in_place_and_one_that_replaces() {
    let (dir, old, _) = demo(&SET);
    dir.write("other", vec![9; 164]);
    let edits = [&["set", "--in-place", ".BTF_ids=ids", "demo.ko"][..], &["set", ".BTF_ids=other", "demo.ko"]];
    let results = edits.map(|args| {
        dir.write("demo.ko", &old);
        dir.elfgraft(args).quiet();
        dir.read("demo.ko")
    });
    let mut last = [0, 0];
    for _ in 0..if torture() { 2000 } else { 40 } {
        dir.write("demo.ko", &old);
        let outputs = edits.map(|args| dir.cmd(ELFGRAFT, args).spawn()).map(|child| child.wait_with_output().unwrap());
        for output in &outputs {
            let text = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success() || text.contains("'demo.ko': changed while it was read"), "{text}");
        }
        let done = outputs.iter().map(|output| output.status.success()).collect::<Vec<_>>();
        assert!(done.contains(&true), "none of them");
        let found = dir.read("demo.ko");
        let whose = results.iter().position(|result| *result == found);
        assert!(whose.is_some_and(|whose| done[whose]), "{whose:?} of {done:?}: a mix, or of one that failed");
        last[whose.unwrap()] += 1;
        assert_eq!(dir.names(), ["demo.btf", "demo.ko", "ids", "other"]);
    }
    println!("in place was last {} times, replacing {}", last[0], last[1]);
}

/// These words and a name.
fn with<'w>(words: &'w [&'w str], name: &'w OsStr) -> Vec<&'w OsStr> {
    words.iter().map(OsStr::new).chain([name]).collect()
}

/// A message is one line and does nothing to a terminal, whatever the names are.
#[test]
fn names_in_messages_stay_on_one_line() {
    let name = OsStr::from_bytes(b"evil\nelfgraft: error: fake\x1b[31m\xff.ko");
    let shown = "'evil\\nelfgraft: error: fake\\u{1b}[31m\\xff.ko'";
    let dir = Dir::with(&["demo.ko", "demo.btf"]);
    let run = |words: &[&OsStr]| {
        let run = dir.elfgraft(words);
        let text = run.stderr();
        run.check(!text.contains('\u{1b}') && !text.contains(char::REPLACEMENT_CHARACTER), "nothing raw");
        run
    };
    for line in [
        &["set", ".BTF=demo.btf"][..],
        &["show"],
        &["objcopy"],
        &["objcopy", "demo.ko", "--update-section"],
        &["strip"],
        &["btf", "embed"],
        &["btf-ids", "sort"],
        &["module-hashes", "sign"],
        &["module-hashes", "patch"],
    ] {
        run(&with(line, name)).fails(&[]);
    }
    // There is such a file, and something is wrong with it.
    dir.write(name, "no ELF file");
    run(&with(&["set", ".BTF=demo.btf"], name)).fails(&[shown]);
    run(&with(&["objcopy"], name)).fails(&[shown]);
    run(&with(&["show"], name)).fails(&[shown]);
    // Warnings and reports, too.
    dir.write(name, fixture("demo-signed.ko"));
    let run = run(&with(&["objcopy", "-v", "-R", ".comment"], name)).ok();
    assert!(
        run.stderr().lines().all(|line| line.starts_with("elfgraft: ") && line.contains(shown)),
        "{}",
        run.stderr()
    );
    let report = dir.elfgraft(&with(&["show"], name)).ok();
    assert!(report.text().starts_with(shown.trim_matches('\'')), "{}", report.text());
}
