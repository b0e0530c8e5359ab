//! `-h` is short, `--help` is long, both have examples, and the examples are right.

use super::*;

#[test]
fn there_are_no_other_commands() {
    let dir = Dir::new();
    let mut found = BTreeSet::new();
    for command in COMMANDS {
        found.insert(command.to_owned());
        let text = help(&dir, command, "--help");
        let list =
            text.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| line.starts_with("  "));
        for line in list.filter(|line| !line.starts_with("   ")) {
            let name = line.split_whitespace().next().unwrap();
            if name != "help" {
                found.insert(format!("{command} {name}").trim().to_owned());
            }
        }
    }
    assert_eq!(found, COMMANDS.iter().map(|c| (*c).to_owned()).collect());
}

#[test]
fn a_missing_command_is_an_error_in_our_words() {
    let dir = Dir::new();
    for words in [&[][..], &["btf"], &["btf-ids"], &["module-hashes"]] {
        dir.elfgraft::<&str>(words).fails(&["a command is missing", "--help"]);
    }
}

#[test]
fn help_that_cannot_be_written_is_an_error() {
    let dir = Dir::new();
    dir.cmd(ELFGRAFT, &["--help"]).after("exec >/dev/full").run().fails(&["cannot write to standard output"]);
}

#[test]
fn two_lengths_with_the_same_options_and_examples_in_both() {
    let dir = Dir::new();
    for command in COMMANDS.into_iter().filter(|c| *c != "resolve_btfids") {
        let (short, long) = (help(&dir, command, "-h"), help(&dir, command, "--help"));
        assert!(short.len() < long.len(), "{command}: {short}{long}");
        assert_eq!(options(&short), options(&long), "{command}");
        assert!(short.contains("\nExample: elfgraft "), "{command}: {short}");
        assert!(long.contains("\nExamples:\n"), "{command}: {long}");
    }
}

#[test]
fn every_option_says_what_it_does() {
    let dir = Dir::new();
    for command in COMMANDS {
        let text = help(&dir, command, "-h");
        let lines: Vec<&str> = text.lines().collect();
        for (at, line) in lines.iter().enumerate().filter(|(_, line)| line.trim_start().starts_with('-')) {
            let behind = line.trim_start().split("  ").skip(1).any(|part| !part.trim().is_empty());
            let below = lines.get(at + 1).is_some_and(|next| next.starts_with("        "));
            assert!(behind || below, "{command}: {line}");
        }
    }
}

/// The command lines of all examples, short and long.
fn examples(text: &str) -> Vec<String> {
    let short = text.lines().filter_map(|line| line.strip_prefix("Example: "));
    let long =
        text.lines().skip_while(|line| *line != "Examples:").skip(1).filter_map(|line| line.strip_prefix("    "));
    short.chain(long).map(str::to_owned).collect()
}

/// Each example is a command line that is understood: what fails is the files that are not there.
#[test]
fn examples_are_command_lines_of_ours() {
    let dir = Dir::new();
    let mut count = 0;
    for command in COMMANDS.into_iter().filter(|c| *c != "resolve_btfids") {
        for option in ["-h", "--help"] {
            for example in examples(&help(&dir, command, option)) {
                if example.starts_with("make ") {
                    continue;
                }
                count += 1;
                let line =
                    example.replacen("elfgraft", ELFGRAFT, 1).replace("source <(elfgraft", &format!("({ELFGRAFT}"));
                let run = dir.cmd("bash", &["-c", &format!("HOME=$PWD/home; {line} >/dev/null")]).run();
                let text = run.stderr();
                for usage in
                    ["unexpected argument", "required arguments", "invalid value", "unrecognized", "cannot be used"]
                {
                    run.check(!text.contains(usage), &format!("{example:?} to be understood"));
                }
                let about_files = ["No such file", "no such file", "not a file", "takes an edit"];
                run.check(
                    run.code() == Some(0) || about_files.iter().any(|words| text.contains(words)),
                    &format!("{example:?} to fail for want of its files only"),
                );
                for made in dir.names() {
                    let path = dir.path(&made);
                    if path.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) }.unwrap();
                }
            }
        }
    }
    assert!(count > 60, "{count}");
}
