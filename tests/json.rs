//! docs/json.md against what the commands print: every key is documented, and every documented key is printed.

// clippy.toml allows it in tests, but not in what they call.
#![allow(clippy::unwrap_used, clippy::panic)]

mod util;

use std::collections::{BTreeMap, BTreeSet};

use elfgraft_testkit::format::Format;
use elfgraft_testkit::inputs::g1_many_sections;
use serde_json::Value;
use util::*;

/// The keys that docs/json.md has for each command.
fn documented() -> BTreeMap<String, BTreeSet<String>> {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/json.md")).unwrap();
    let mut commands: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut command = String::new();
    for line in text.lines() {
        if let Some(heading) = line.strip_prefix("## elfgraft ") {
            command = heading.strip_suffix(" --json").unwrap().to_owned();
        } else if let Some(row) = line.strip_prefix("| `") {
            let cell = row.split(" | ").next().unwrap();
            let keys = cell.split("`, `").map(|key| key.trim_matches('`').to_owned());
            commands.entry(command.clone()).or_default().extend(keys);
        }
    }
    commands
}

/// The paths of all keys in a value, those of lists and of objects that hold nothing else left out.
fn keys(value: &Value, path: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                let key = if path == "more" { "KEY" } else { key };
                keys(value, format!("{path}.{key}").trim_start_matches('.'), found);
            }
        }
        Value::Array(list) => list.iter().for_each(|value| keys(value, &format!("{path}[]"), found)),
        _ => drop(found.insert(path.to_owned())),
    }
}

#[test]
fn the_document_and_the_commands_have_the_same_keys() {
    let dir = Dir::with(&["demo.ko", "demo-signed.ko", "hello", "vmlinux", "demo-upstream-sorted.ko", "odd.ko"]);
    dir.write("blob", [1; 10]);
    dir.write("many.o", g1_many_sections(Format::X86_64, 3000));
    dir.elfgraft(&["objcopy", "--prefix-sections", "x", "many.o", "other.o"]).quiet();
    // Every section of it is outside the file.
    let mut broken = dir.read("many.o");
    let headers = usize::try_from(u64::from_le_bytes(broken[40..48].try_into().unwrap())).unwrap();
    for at in (headers + 64..broken.len()).step_by(64).take(2990) {
        broken[at + 24..at + 32].copy_from_slice(&(1_u64 << 40).to_le_bytes());
        broken[at + 32..at + 40].copy_from_slice(&1_u64.to_le_bytes());
    }
    dir.write("broken.o", broken);
    dir.write("nothing.o", "no ELF file");
    dir.write("modules.order", "demo.o\n");
    dir.elfgraft(&["module-hashes", "build", "--proofs", "--root", "root", "--endian", "little"]).quiet();
    dir.write("proven.ko", dir.read("demo.ko"));
    dir.elfgraft(&["module-hashes", "sign", "--proof", "demo.merkle", "proven.ko"]).quiet();

    let lines: [&[&str]; 12] = [
        &["show", "demo.ko", "demo-signed.ko", "hello"],
        &["check", "demo.ko", "broken.o", "nothing.o"],
        &["diff", "many.o", "other.o"],
        &["diff", "hello", "hello"],
        &["verify", "set", ".note.x=blob", "demo.ko"],
        &["btf-ids", "show", "vmlinux"],
        &["btf-ids", "show", "--btf-base", "vmlinux", "demo-upstream-sorted.ko"],
        &["btf-ids", "check", "--btf-base", "vmlinux", "demo-upstream-sorted.ko", "odd.ko"],
        &["btf-ids", "check", "vmlinux"],
        &["module-hashes", "verify", "root", "proven.ko", "demo.ko"],
        &["module-hashes", "show", "root", "proven.ko", "demo.merkle", "demo-signed.ko"],
        &["check", "hello"],
    ];
    let mut printed: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in lines {
        let words = line;
        let name =
            if matches!(line[0], "btf-ids" | "module-hashes") { line[..2].join(" ") } else { line[0].to_owned() };
        let at = name.split(' ').count();
        let mut args = words[..at].to_vec();
        args.push("--json");
        args.extend(&words[at..]);
        let run = dir.elfgraft(&args);
        run.check(!run.stdout().is_empty(), "output");
        for line in run.text().lines() {
            let value: Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{args:?}: {e}: {line}"));
            keys(&value, "", printed.entry(name.clone()).or_default());
        }
    }
    let documented = documented();
    assert_eq!(printed.keys().collect::<Vec<_>>(), documented.keys().collect::<Vec<_>>());
    for (command, keys) in &documented {
        let printed = &printed[command];
        let unknown: Vec<_> = printed.difference(keys).collect();
        // What is null in one file and an object in another is documented as both.
        let never: Vec<_> = keys.difference(printed).collect();
        assert!(
            unknown.is_empty() && never.is_empty(),
            "{command}: not documented {unknown:?}, never printed {never:?}"
        );
    }
}
