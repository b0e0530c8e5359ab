//! scripts/install.sh, which `make install` runs: what it puts there, and that nothing stays.

// clippy.toml allows it in tests, but not in what they call.
#![allow(clippy::unwrap_used, clippy::panic)]

mod util;

use std::path::Path;

use util::*;

fn run<'d>(dir: &'d Dir, action: &str) -> Run<'d> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let script = root.join("scripts/install.sh").display().to_string();
    let prefix = dir.path("dest/usr").display().to_string();
    let line = format!("cd '{}'; '{script}' {action} '{ELFGRAFT}' '{prefix}' '{ELFGRAFT}'", root.display());
    dir.cmd("sh", &["-ec", &line]).run()
}

/// All files and links below a directory.
fn files(dir: &Dir) -> Vec<String> {
    let found = dir.cmd("find", &["dest", "!", "-type", "d"]).run().ok().text();
    let mut files: Vec<String> = found.lines().map(str::to_owned).collect();
    files.sort();
    files
}

#[test]
fn what_is_installed_works_and_goes_again() {
    if !["install", "find", "sh"].iter().all(|tool| installed(tool)) {
        return;
    }
    let dir = Dir::with(&["demo.ko"]);
    run(&dir, "install").quiet();
    let found = files(&dir);
    let has = |path: &str| assert!(found.iter().any(|file| file == &format!("dest/usr/{path}")), "{path}: {found:?}");
    for tool in ["elfgraft", "elfgraft-objcopy", "elfgraft-strip", "elfgraft-resolve_btfids"] {
        has(&format!("bin/{tool}"));
        has(&format!("share/man/man1/{tool}.1"));
        has(&format!("share/bash-completion/completions/{tool}"));
        has(&format!("share/zsh/site-functions/_{tool}"));
        has(&format!("share/fish/vendor_completions.d/{tool}.fish"));
    }
    for document in ["README.md", "CHANGELOG.md", "SECURITY.md", "LICENSE-MIT", "LICENSE-APACHE", "docs/json.md"] {
        has(&format!("share/doc/elfgraft/{document}"));
    }
    let mut links = 0;
    for document in found.iter().filter(|file| file.ends_with(".md")) {
        let text = String::from_utf8(dir.read(document)).unwrap();
        let targets = text.split("](").skip(1).map(|rest| rest.split([')', '#']).next().unwrap());
        for target in targets.filter(|t| !t.is_empty() && !t.contains("://")) {
            let file = dir.path(document).parent().unwrap().join(target);
            assert!(file.exists(), "{document} links to {target}, which is not installed");
            links += 1;
        }
    }
    assert!(links > 20, "{links} links");
    dir.cmd("dest/usr/bin/elfgraft-strip", &["-g", "demo.ko"]).run().quiet();
    // Again, over what is there.
    run(&dir, "install").quiet();
    assert_eq!(files(&dir), found);

    dir.write("dest/usr/bin/other", "");
    run(&dir, "uninstall").quiet();
    assert_eq!(files(&dir), ["dest/usr/bin/other"]);
}
