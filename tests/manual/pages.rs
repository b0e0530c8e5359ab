//! Manual pages.

use super::*;

fn pages(dir: &Dir) -> Vec<String> {
    dir.elfgraft(&["man", "man1"]).quiet();
    let mut names: Vec<String> = std::fs::read_dir(dir.path("man1"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn page_of(command: &str) -> String {
    format!("elfgraft {command}").trim().replace(' ', "-") + ".1"
}

/// The options that begin an entry: `.TP`, then them in bold.
fn options_of_page(text: &str) -> BTreeSet<String> {
    let lines: Vec<&str> = text.lines().collect();
    let heads = lines.windows(2).filter(|pair| pair[0] == ".TP").map(|pair| pair[1]);
    let bold = heads.flat_map(|line| line.split("\\fB").skip(1).filter_map(|part| part.split("\\f").next()));
    bold.map(|word| word.replace("\\-", "-")).filter(|word| word.starts_with('-')).collect()
}

#[test]
fn one_for_each_command_and_drop_in() {
    let dir = Dir::new();
    let mut wanted: Vec<String> = COMMANDS.map(page_of).into();
    wanted.sort();
    assert_eq!(pages(&dir), wanted);
    for page in ["elfgraft-objcopy.1", "elfgraft-strip.1", "elfgraft-resolve_btfids.1"] {
        assert!(wanted.iter().any(|name| name == page), "the links have pages by their names");
    }
}

#[test]
fn every_option_of_help_is_in_the_page_and_no_other() {
    let dir = Dir::new();
    pages(&dir);
    let mut count = 0;
    for command in COMMANDS {
        let page = String::from_utf8(dir.read(format!("man1/{}", page_of(command)))).unwrap();
        let mut of_help = options(&help(&dir, command, "--help"));
        if command == "resolve_btfids" {
            // It answers to these, and does not list them.
            of_help.extend(["-h".to_owned(), "--help".to_owned()]);
        }
        assert_eq!(options_of_page(&page), of_help, "{command}");
        count += of_help.len();
    }
    assert!(count > 200, "{count}");
    for option in ["--add-section", "-R", "--dry-run", "--prefix-alloc-sections"] {
        let page = String::from_utf8(dir.read("man1/elfgraft-objcopy.1")).unwrap();
        assert!(options_of_page(&page).contains(option), "{option}");
    }
}

#[test]
fn sections_that_readers_look_for() {
    let dir = Dir::new();
    for name in pages(&dir) {
        let page = String::from_utf8(dir.read(format!("man1/{name}"))).unwrap();
        for heading in ["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXAMPLES", "EXIT STATUS", "SEE ALSO"] {
            let quoted = format!(".SH \"{heading}\"");
            assert!(page.lines().any(|l| l == format!(".SH {heading}") || l == quoted), "{name}: {heading}");
        }
        let title =
            format!(".TH {} 1 \"\" \"elfgraft {}\" elfgraft", name.trim_end_matches(".1"), env!("CARGO_PKG_VERSION"));
        assert!(page.starts_with(&title), "{name}: title, section, date, source, manual");
        let stem = name.trim_end_matches(".1").replace('-', "\\-");
        assert!(page.contains(&format!("{stem} \\- ")), "{name}: whatis has a line");
    }
}

#[test]
fn groff_has_nothing_to_say() {
    if !installed("groff") {
        return;
    }
    let dir = Dir::new();
    for name in pages(&dir) {
        let run = dir.cmd("groff", &["-ww", "-man", "-Tutf8", &format!("man1/{name}")]).run().ok();
        assert_eq!(run.stderr(), "", "{name}");
        assert!(run.stdout().len() > 500, "{name}");
    }
}

#[test]
fn pages_that_are_there_already_are_left_alone() {
    let dir = Dir::new();
    pages(&dir);
    let stamp = dir.stamp("man1/elfgraft-set.1");
    pages(&dir);
    assert_eq!(dir.stamp("man1/elfgraft-set.1"), stamp);
    dir.write("file", "");
    dir.elfgraft(&["man", "file/man1"]).fails(&["'file/man1'"]);
}
