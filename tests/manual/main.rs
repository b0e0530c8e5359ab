//! Help, manual pages and completions are made of the same definitions: here they are compared as people get them.

// clippy.toml allows it in tests, but not in what they call.
#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "../util/mod.rs"]
mod util;

mod completions;
mod help;
mod pages;

use std::collections::BTreeSet;

use util::*;

/// Every command, by its words.
const COMMANDS: [&str; 25] = [
    "",
    "set",
    "remove",
    "dump",
    "show",
    "btf",
    "btf embed",
    "btf object",
    "btf-ids",
    "btf-ids show",
    "btf-ids check",
    "btf-ids sort",
    "btf-ids resolve",
    "module-hashes",
    "module-hashes build",
    "module-hashes patch",
    "module-hashes sign",
    "module-hashes verify",
    "module-hashes show",
    "diff",
    "check",
    "verify",
    "objcopy",
    "strip",
    "resolve_btfids",
];

/// What a command prints when it is asked for help.
fn help(dir: &Dir, command: &str, option: &str) -> String {
    let words: Vec<&str> = command.split_whitespace().chain([option]).collect();
    let run = dir.cmd(ELFGRAFT, &words).env("COLUMNS", "80").run();
    match command {
        // As the kernel's tool.
        "resolve_btfids" => run.stderr(),
        _ => {
            let run = run.ok();
            assert_eq!(run.stderr(), "", "{command}");
            run.text()
        }
    }
}

/// The options that begin a line of help: `-R`, `--remove-section`.
fn options(help: &str) -> BTreeSet<String> {
    let heads = help.lines().map(str::trim_start).filter(|line| line.starts_with('-'));
    let words = heads.flat_map(|line| {
        let head = line.split("  ").next().unwrap_or_default();
        // A value may have a dash in its name: `<NAME={+|-}N>`.
        let words = head.split(" <").next().unwrap_or_default().split([' ', ',', '=']);
        words.filter(|word| word.starts_with('-')).map(str::to_owned).collect::<Vec<_>>()
    });
    words.collect()
}
