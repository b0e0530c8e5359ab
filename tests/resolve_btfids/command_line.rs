//! Options and the answers to wrong ones: word for word those of the kernel's tool, whose answers these were.

use crate::upstream::{ours, run};
use crate::util::{Dir, ELFGRAFT};

const USAGE: &str = "
 Usage: resolve_btfids [<options>] <ELF object>
    or: resolve_btfids --patch_btfids <.BTF_ids file> <ELF object>

    -b, --btf_base <file>
                          path of file providing base BTF
    -v, --verbose         be more verbose (show errors, etc)
        --btf <file>      path to a file with input BTF data
        --distill_base    distill --btf_base and emit .BTF.base section data
        --fatal_warnings  turn warnings into errors
        --patch_btfids <file>
                          path to .BTF_ids section data blob to patch into ELF file

";

/// The two lines that precede the help of single options.
const SHORT: &str = " Usage: resolve_btfids [<options>] <ELF object>
    or: resolve_btfids --patch_btfids <.BTF_ids file> <ELF object>

";
const BTF: &str = "        --btf <file>      path to a file with input BTF data\n";
const BASE: &str = "    -b, --btf_base <file>\n                          path of file providing base BTF\n";

fn words(line: &str) -> Vec<&str> {
    line.split(' ').filter(|word| !word.is_empty()).collect()
}

/// Exit status and standard error.
#[track_caller]
fn says(line: &str, status: i32, err: &str) {
    let done = run(&ours(), &[], &words(line));
    assert_eq!((done.status, done.err.as_str(), done.out.as_str()), (status, err, ""), "{line}");
    assert_eq!(done.files, []);
}

#[test]
fn wrong_command_lines() {
    for line in ["", "-h", "--help", "--help-all", "-vh", "--", "a b", "nofile -v", "--btf x nofile more", "--verbos"] {
        says(line, 129, USAGE);
    }
    for (line, what) in [
        ("--bogus", "option `bogus'"),
        ("--no-x", "option `no-x'"),
        ("--no-f=3 nofile", "option `no-f=3'"),
        ("---", "option `-'"),
        ("-v- nofile", "option `'"),
        ("-x", "switch `x'"),
        ("-vvx", "switch `x'"),
        ("-fatal_warnings nofile", "switch `f'"),
        ("-v= nofile", "switch `='"),
    ] {
        says(line, 129, &format!("  Error: unknown {what}\n{USAGE}"));
    }
    for (line, what, help) in [
        ("--btf", "option `btf' requires a value\n", format!("{BTF}{BASE}")),
        ("--btf_b", "option `btf_base' requires a value\n", BASE.into()),
        ("-b", "switch `b' requires a value\n", BASE.into()),
        ("-vb", "switch `b' requires a value\n", BASE.into()),
        ("--verbose=2 x", "option `verbose' takes no value\n", String::new()),
        ("--no-btf=3 x", "option `no-btf' takes no value\n", String::new()),
        ("--b x", "Ambiguous option: b (could be --btf or --btf_base)\n\n", format!("{BTF}{BASE}")),
        ("--no-b x", "Ambiguous option: no-b (could be --no-btf or --no-btf_base)\n\n", String::new()),
        ("--no x", "Ambiguous option: no (could be --no-distill_base or --no-patch_btfids)\n\n", String::new()),
    ] {
        says(line, 129, &format!(" Error: {what}{SHORT}{help}"));
    }
    says("-verb x", 129, " Error: did you mean `--verb` (with two dashes ?)\n");
}

#[test]
fn options_in_every_form_are_understood() {
    let lines = [
        "nofile",
        "-vv nofile",
        "-bfoo nofile",
        "-b= nofile",
        "-vbx nofile",
        "-btf_base nofile",
        "--ver nofile",
        "--f nofile",
        "--no-fatal nofile",
        "--verbose --no-verbose nofile",
        "--no-btf nofile",
        "--btf_base= nofile",
        "--btf_b x --no-btf_b nofile",
        "-- nofile",
    ];
    for line in lines {
        says(line, 255, "FAILED cannot open nofile: No such file or directory\n");
    }
    says("-", 255, "FAILED cannot open -: No such file or directory\n");
    says("--patch x nofile", 255, "FAILED to open nofile: No such file or directory\n");
}

#[test]
fn completion_lists() {
    let options = "--verbose --btf --btf_base --fatal_warnings --distill_base --patch_btfids \n";
    for (line, out) in [("--list-opts", options), ("--list-cmds", "\n")] {
        let done = run(&ours(), &[], &[line]);
        assert_eq!((done.status, done.out.as_str(), done.err.as_str()), (130, out, ""));
    }
}

#[test]
fn the_subcommand_is_the_same() {
    let dir = Dir::new();
    for line in ["", "-h", "--bogus", "-b base -- nofile", "-vv nofile", "--version"] {
        let sub = dir.cmd(ELFGRAFT, &[&["resolve_btfids"][..], &words(line)].concat()).run();
        let own = dir.cmd(ours(), &words(line)).run();
        assert_eq!((sub.code(), sub.stderr(), sub.text()), (own.code(), own.stderr(), own.text()), "{line}");
    }
}
