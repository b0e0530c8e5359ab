//! Compares what two kernel builds made; scripts/kernel-build.sh runs them and then this.

// clippy.toml allows it in tests, but not in what they call.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod meaning;

use std::fs;
use std::path::{Path, PathBuf};

use meaning::meaning;

/// Regular files below a directory, by path from there.
fn files(root: &Path) -> Vec<PathBuf> {
    let (mut found, mut open) = (Vec::new(), vec![root.to_owned()]);
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(&dir).unwrap() {
            let path = entry.unwrap().path();
            let kind = fs::symlink_metadata(&path).unwrap().file_type();
            if kind.is_dir() {
                open.push(path);
            } else if kind.is_file() {
                found.push(path.strip_prefix(root).unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

#[test]
#[ignore = "needs two kernel builds: scripts/kernel-build.sh"]
fn both_builds_made_the_same() {
    let root = |name| PathBuf::from(std::env::var_os(name).unwrap_or_else(|| panic!("{name} is not set")));
    let (gnu, ours) = (root("KERNEL_GNU"), root("KERNEL_ELFGRAFT"));
    let names = files(&gnu);
    assert!(
        names.iter().any(|n| n.ends_with("vmlinux")) && names.iter().any(|n| n.extension().is_some_and(|e| e == "ko"))
    );
    assert_eq!(names, files(&ours));
    let mut different = Vec::new();
    for name in names {
        let (a, b) = (fs::read(gnu.join(&name)).unwrap(), fs::read(ours.join(&name)).unwrap());
        let elf = a.starts_with(b"\x7fELF") && b.starts_with(b"\x7fELF");
        let differences: Vec<String> = match elf {
            _ if a == b => Vec::new(),
            true => meaning(&a).symmetric_difference(&meaning(&b)).take(10).cloned().collect(),
            false => vec![format!("{} and {} bytes that are not the same", a.len(), b.len())],
        };
        println!(
            "{}: {}",
            name.display(),
            if a == b {
                "identical"
            } else if differences.is_empty() {
                "equal"
            } else {
                "DIFFERENT"
            }
        );
        different.extend(differences.into_iter().map(|d| format!("{}: {d}", name.display())));
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
}
