//! The fuzz targets with chosen inputs: those on which one failed once (`testdata/fuzz/TARGET/`, its README says what went
//! wrong), the seeds, and each of these with a few bytes changed.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::fs;
use std::path::Path;

use elfgraft_fuzzlaws::{TARGETS, Target, seeds::seeds, target};
use elfgraft_testkit::damage::poked;

/// Runs a target, saying on what when it panics: the input is written to where the next run finds it.
fn run(target: Target, what: &str, input: &[u8]) {
    if std::panic::catch_unwind(|| (target.run)(input)).is_err() {
        let path =
            std::env::temp_dir().join(format!("elfgraft-fuzz-{}-{}", target.name, what.replace(['/', ' '], "-")));
        let saved = fs::write(&path, input).map(|()| path.display().to_string());
        panic!("target {}, input {what}, {} bytes; saved: {saved:?}", target.name, input.len());
    }
}

fn replay(name: &str) {
    let target = target(name);
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/fuzz").join(name);
    let mut inputs = seeds(target, &[]);
    assert!(!inputs.is_empty());
    if let Ok(files) = fs::read_dir(&dir) {
        let files = files.map(|entry| entry.unwrap().path());
        inputs.extend(files.map(|path| (path.display().to_string(), fs::read(&path).unwrap())));
    }
    // More of them with `make torture`.
    let most = std::env::var_os("ELFGRAFT_TORTURE").map_or(800, |_| 100_000);
    let variations = most / inputs.len() / if name == "command" { 4 } else { 1 };
    for (seed, (what, input)) in (0..).zip(&inputs) {
        run(target, what, input);
        for (how, input) in poked(input, seed, variations) {
            run(target, &format!("{what}, {how}"), &input);
        }
    }
}

#[test]
fn parse() {
    replay("parse");
}
#[test]
fn edit() {
    replay("edit");
}
#[test]
fn symbols() {
    replay("symbols");
}
#[test]
fn command() {
    replay("command");
}
#[test]
fn archive() {
    replay("archive");
}
#[test]
fn btf_rewrite() {
    replay("btf_rewrite");
}
#[test]
fn btf_ids() {
    replay("btf_ids");
}
#[test]
fn hashes() {
    replay("hashes");
}
#[test]
fn text() {
    replay("text");
}

// Four of them, all that embed BTF among them, named what was not there, and always failed.
#[test]
fn each_command_of_the_target_succeeds_on_some_file() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata");
    let files = ["demo.ko", "demo-signed.ko", "vmlinux", "demo-stripped.ko"];
    let files: Vec<_> = files.iter().map(|name| fs::read(dir.join(name)).unwrap()).collect();
    // In each fixture there is something to find, and none has a proof.
    let never: Vec<_> = elfgraft_fuzzlaws::files::never_succeed(&files).iter().map(|words| words.join(" ")).collect();
    assert_eq!(never, ["btf-ids check x", "module-hashes verify x demo"]);
}

/// A target that has no binary would never be fuzzed, a directory without a target never be replayed.
#[test]
fn targets_binaries_and_directories_are_the_same() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let manifest = fs::read_to_string(root.join("fuzz/Cargo.toml")).unwrap();
    let binaries: Vec<_> = manifest.lines().filter_map(|l| l.strip_prefix("name = \"")?.strip_suffix('"')).collect();
    let names: Vec<_> = TARGETS.iter().map(|t| t.name).collect();
    assert_eq!(binaries[1..], names);
    for entry in fs::read_dir(root.join("testdata/fuzz")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        assert!(path.is_file() || names.contains(&name.as_str()), "{name}");
        if path.is_dir() {
            let readme = fs::read_to_string(root.join("testdata/fuzz/README.md")).unwrap();
            for input in fs::read_dir(&path).unwrap() {
                let input = format!("{name}/{}", input.unwrap().file_name().to_string_lossy());
                assert!(readme.contains(&format!("`{input}`")), "{input} has no symptom in the README");
            }
        }
    }
}
