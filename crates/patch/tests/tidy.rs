//! Rules of the architecture that the compiler does not know.

// clippy.toml allows it in tests, but not in what they call.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

fn sources() -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut directories = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else {
                found.push((path.clone(), fs::read_to_string(path).unwrap()));
            }
        }
    }
    assert!(found.len() > 10);
    found
}

#[test]
fn this_crate_knows_nothing_of_elf() {
    for (path, text) in sources() {
        for word in ["ELF", "BTF", "e_shoff", "sh_offset", "SHT_", "symbol table", "section", "vmlinux"] {
            // The names of the tests' environment variables begin with the project's.
            let found = text.replace("ELFGRAFT", "").contains(word);
            assert!(!found, "{}: {word}", path.display());
        }
    }
}

#[test]
fn unsafe_code_is_in_one_place_and_argued() {
    for (path, text) in sources() {
        let count = if path.ends_with("mapping.rs") { 3 } else { 0 };
        for what in ["unsafe {", "allow(unsafe_code)", "// SAFETY:"] {
            assert_eq!(text.matches(what).count(), count, "{}: {what}", path.display());
        }
    }
}
