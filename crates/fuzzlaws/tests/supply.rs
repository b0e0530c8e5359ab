//! What SECURITY.md says about build scripts, dependencies, the network and the environment, read from the sources.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn files(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else {
            found.push(path);
        }
    }
}

/// Path below the root and text, of all that goes into the command: unit tests in it are cut off.
fn sources() -> Vec<(String, String)> {
    let (root, mut found) = (root(), Vec::new());
    for dir in ["src", "crates/elf/src", "crates/patch/src", "crates/edit/src", "crates/btf/src", "crates/hashes/src"] {
        files(&root.join(dir), &mut found);
    }
    files(&root.join("crates/compare/src"), &mut found);
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).unwrap();
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default().to_owned();
        (path.strip_prefix(&root).unwrap().display().to_string(), code)
    };
    // Compiled for tests only: see the `cfg(test)` where they are declared.
    let for_tests = ["tests.rs", "/tests/", "fuse.rs", "testing.rs", "testkit.rs", "laws.rs"];
    let all = found.into_iter().map(read);
    all.filter(|(path, _)| path.starts_with("src/verify/") || !for_tests.iter().any(|t| path.contains(t))).collect()
}

#[test]
fn the_environment_is_read_where_it_is_said() {
    let security = fs::read_to_string(root().join("SECURITY.md")).unwrap();
    let mut seen = Vec::new();
    for (path, code) in sources() {
        for (at, _) in code.match_indices("env::var") {
            let name = code[at..].split('"').nth(1).unwrap().to_owned();
            assert!(security.contains(&format!("`{name}`")), "{path} reads {name}");
            seen.push(name);
        }
        assert!(!code.contains("env::vars"), "{path} reads all of the environment");
    }
    seen.sort();
    assert_eq!(seen, ["COLUMNS", "LANG", "LC_ALL", "LC_CTYPE", "MAKEFLAGS", "NO_COLOR"]);
}

#[test]
fn no_network_and_one_place_that_runs_a_program() {
    for (path, code) in sources() {
        for word in ["std::net", "TcpStream", "UdpSocket", "UnixStream", "UnixListener", "rustix::net"] {
            assert!(!code.contains(word), "{path}: {word}");
        }
        if path != "src/verify/tool.rs" {
            // clap's commands are descriptions of command lines.
            let code = code.replace("clap::Command::new(", "");
            assert!(!code.contains("process::Command") && !code.contains("Command::new(\""), "{path} runs a program");
        }
    }
}

#[test]
fn unsafe_is_in_one_file() {
    let with_unsafe = |(path, code): (String, String)| {
        let mut lines = code.lines().filter(|l| !l.trim_start().starts_with("//"));
        lines.any(|l| l.contains("unsafe {") || l.contains("unsafe fn") || l.contains("unsafe impl")).then_some(path)
    };
    let found: Vec<_> = sources().into_iter().filter_map(with_unsafe).collect();
    assert_eq!(found, ["crates/patch/src/mapping.rs"]);
}

/// Each dependency from outside has the line above it that says what it is for; none of our crates has a build script.
#[test]
fn dependencies_have_reasons_and_ours_have_no_build_script() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let section = manifest.split("[workspace.dependencies]").nth(1).unwrap().split("\n[").next().unwrap();
    let (mut reason, mut count) = (false, 0);
    for line in section.lines().filter(|line| !line.is_empty()) {
        if line.starts_with('#') {
            reason = true;
        } else if !line.contains("path = ") {
            assert!(reason, "no reason: {line}");
            (reason, count) = (false, count + 1);
        }
    }
    assert!((5..20).contains(&count), "{count}");
    for entry in fs::read_dir(root().join("crates")).unwrap() {
        let dir = entry.unwrap().path();
        let manifest = fs::read_to_string(dir.join("Cargo.toml")).unwrap();
        assert!(!dir.join("build.rs").exists() && !manifest.contains("build ="), "{}", dir.display());
    }
    assert!(!root().join("build.rs").exists());
}
