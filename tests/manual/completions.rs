//! Completions, in the shells themselves where they are installed.

use super::*;

const NAMES: [&str; 4] = ["elfgraft", "elfgraft-objcopy", "elfgraft-strip", "elfgraft-resolve_btfids"];

fn script(dir: &Dir, shell: &str, name: &str) -> String {
    let text = dir.elfgraft(&["completions", shell, name]).ok().text();
    dir.write(format!("{name}.{shell}"), &text);
    text
}

#[test]
fn every_option_is_completed() {
    let dir = Dir::new();
    for shell in ["bash", "zsh", "fish"] {
        let text = script(&dir, shell, "elfgraft");
        for command in COMMANDS {
            for option in options(&help(&dir, command, "--help")) {
                let word = if shell == "fish" { option.trim_start_matches('-') } else { &option };
                assert!(text.contains(word), "{shell}: {command} {option}");
            }
        }
    }
    dir.elfgraft(&["completions", "tcsh"]).fails(&["tcsh", "bash"]);
    dir.elfgraft(&["completions", "bash", "elfgraft-ld"]).fails(&["elfgraft-ld"]);
}

#[test]
fn bash() {
    if !installed("bash") {
        return;
    }
    let dir = Dir::new();
    for name in NAMES {
        script(&dir, "bash", name);
        dir.cmd("bash", &["-euc", &format!("source ./{name}.bash; complete -p {name}")]).run().ok();
    }
    let complete = |words: &[&str]| {
        let last = words.len() - 1;
        let line = format!(
            "source ./{0}.bash; f=$(complete -p {0} | sed 's/.*-F \\([^ ]*\\).*/\\1/'); COMP_WORDS=({1} ''); \
             COMP_WORDS[{last}]='{2}'; COMP_CWORD={last}; COMP_LINE='{1}'; COMP_POINT=99; \
             $f {0} '{2}' '{3}'; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
            words[0],
            words[..last].join(" "),
            words[last],
            words[last - 1]
        );
        dir.cmd("bash", &["-c", &line]).run().ok().text()
    };
    assert_eq!(complete(&["elfgraft", "module-hashes", "bu"]).trim(), "build");
    assert_eq!(complete(&["elfgraft", "set", "--drop"]).trim(), "--drop-signature");
    assert_eq!(complete(&["elfgraft-objcopy", "--add-gnu"]).trim(), "--add-gnu-debuglink");
    assert_eq!(complete(&["elfgraft-resolve_btfids", "--fatal"]).trim(), "--fatal_warnings");
}

#[test]
fn zsh() {
    if !installed("zsh") {
        return;
    }
    let dir = Dir::new();
    for name in NAMES {
        script(&dir, "zsh", name);
        // compinit is slow: what it would be told is enough.
        let line = format!("compdef() {{ print $1 $2 }}; source ./{name}.zsh");
        let run = dir.cmd("zsh", &["-fc", &line]).run().ok();
        assert_eq!((run.text(), run.stderr()), (format!("_{name} {name}\n"), String::new()));
    }
}

#[test]
fn fish() {
    if !installed("fish") {
        return;
    }
    let dir = Dir::new();
    for name in NAMES {
        script(&dir, "fish", name);
    }
    let complete = |name: &str, line: &str| {
        let script = format!("source ./{name}.fish; complete -C '{line}'");
        let run = dir.cmd("fish", &["--no-config", "-c", &script]).env("HOME", dir.root()).run().ok();
        assert_eq!(run.stderr(), "");
        run.text()
    };
    assert!(complete("elfgraft", "elfgraft module-hashes bu").starts_with("build\t"));
    assert!(complete("elfgraft", "elfgraft set --drop").starts_with("--drop-signature\t"));
    assert!(complete("elfgraft-strip", "elfgraft-strip --strip-d").starts_with("--strip-debug\t"));
    assert!(complete("elfgraft-resolve_btfids", "elfgraft-resolve_btfids --fatal").starts_with("--fatal_warnings\t"));
}
