//! Whole commands on a file in a private directory, and archives.

use std::cell::RefCell;
use std::ffi::OsString;
use std::fs;
use std::path::Path;

use elfgraft_edit::Edits;
use elfgraft_patch::to_vec;

use crate::choice::Choice;
use crate::laws::{is_sound, remove, same};
use elfgraft::archive::{is_archive, plan_archive};
use elfgraft::{cli, report};

/// Command lines for the file `x`, whose second run must succeed and change nothing where the first succeeded.
const COMMANDS: [&[&str]; 20] = [
    &["btf-ids", "sort", "x"],
    &["btf-ids", "resolve", "x"],
    &["btf-ids", "resolve", "--btf", "split", "--btf-base", "base", "--trust-symbols", "--drop-signature", "x"],
    &["btf-ids", "check", "x"],
    &["btf-ids", "show", "--json", "x"],
    &["btf", "embed", "--btf", "split", "--btf-base", "base", "--drop-signature", "x"],
    &["resolve_btfids", "x"],
    &["resolve_btfids", "--patch_btfids", "ids", "x"],
    &["show", "x"],
    &["check", "--json", "x"],
    &["diff", "--json", "demo", "x"],
    &["module-hashes", "verify", "x", "demo"],
    &["module-hashes", "show", "x"],
    &["set", "--in-place", "--drop-signature", ".BTF=split", "x"],
    &["set", "--drop-signature", ".new=split", "x"],
    &["objcopy", "--add-gnu-debuglink=demo", "-R", ".gnu_debuglink", "x"],
    &["objcopy", "--only-keep-debug", "x"],
    &["strip", "-g", "x"],
    &["strip", "--strip-unneeded", "x"],
    &["verify", "set", ".BTF=split", "x"],
];

/// What the commands name beside `x`, and which fixture that is. No word of a command is the name of one.
const FILES: [(&str, &str); 4] =
    [("base", "vmlinux.btf"), ("demo", "demo.ko"), ("ids", "demo.BTF_ids"), ("split", "demo.btf")];

thread_local! {
    /// Made once: what stands in it is written anew for each input.
    static DIR: RefCell<Option<tempfile::TempDir>> = const { RefCell::new(None) };
}

fn fixture(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata").join(name);
    fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Byte 0 picks the command, the rest is the file: exit status 0 and the file done, or an error and the file as it was;
/// the second time no byte changes.
pub fn command(input: &[u8]) {
    let Some((mut choice, file)) = Choice::split(input, 1) else { return };
    carried_out(COMMANDS[choice.below(COMMANDS.len())], file);
}

/// The command lines that succeed on none of these files: of those the target would learn nothing.
pub fn never_succeed(files: &[Vec<u8>]) -> Vec<&'static [&'static str]> {
    let fails = |words: &&[&'static str]| !files.iter().any(|file| carried_out(words, file));
    COMMANDS.into_iter().filter(fails).collect()
}

fn carried_out(words: &[&str], file: &[u8]) -> bool {
    DIR.with_borrow_mut(|dir| {
        let dir = dir.get_or_insert_with(|| {
            let dir = tempfile::tempdir().expect("a private directory");
            for (name, from) in FILES {
                fs::write(dir.path().join(name), fixture(from)).expect("room for a fixture");
            }
            dir
        });
        run(dir.path(), words, file)
    })
}

/// Whether the command succeeded the first time.
fn run(dir: &Path, words: &[&str], file: &[u8]) -> bool {
    let x = dir.join("x");
    fs::write(&x, file).expect("room for the file");
    for left in [".BTF", ".BTF.base", ".BTF_ids"] {
        // What `resolve_btfids` has written beside the file before this one.
        let _ = fs::remove_file(dir.join(format!("x{left}")));
    }
    let in_dir = |word: &&str| match word.rsplit_once('=') {
        Some((option, name)) if dir.join(name).is_file() => format!("{option}={}", dir.join(name).display()),
        _ if dir.join(word).is_file() => dir.join(word).display().to_string(),
        _ => (*word).to_owned(),
    };
    let args: Vec<OsString> =
        ["elfgraft".to_owned()].into_iter().chain(words.iter().map(in_dir)).map(OsString::from).collect();
    report::quiet(true);
    let first = cli::main(args.clone());
    let once = fs::read(&x).expect("L8: it is there");
    let mut names: Vec<_> = fs::read_dir(dir).expect("it is there").map(|e| e.expect("an entry").file_name()).collect();
    names.sort();
    let succeeded = first.is_ok();
    match first {
        Err(e) => {
            let text = e.to_string();
            assert!(!text.contains("line 1 column") && !text.contains("called `"), "{text}");
            same(&once, file, &format!("L8: {words:?} failed, and the file is another: {text}"));
        }
        Ok(()) => {
            match cli::main(args) {
                Err(e) if is_sound(file) => panic!("L1: the second {words:?} is refused: {e}"),
                _ => {}
            }
            same(&fs::read(&x).expect("L8: it is there"), &once, &format!("L1 of {words:?}"));
        }
    }
    let mut expected: Vec<OsString> = FILES.map(|(name, _)| name.into()).into();
    expected.push("x".into());
    if words.contains(&"--patch_btfids") || words[0] == "resolve_btfids" {
        // It writes beside its input, as the kernel's does.
        names.retain(|name| !name.to_string_lossy().starts_with("x."));
    }
    expected.sort();
    assert_eq!(names, expected, "litter of {words:?}");
    succeeded
}

/// Four bytes of choices, then an archive: its members after an edit, and again.
pub fn archive(input: &[u8]) {
    let Some((mut choice, rest)) = Choice::split(input, 4) else { return };
    let file = if is_archive(rest) { rest.to_vec() } else { [b"!<arch>\n", rest].concat() };
    let path = Path::new("lib.a");
    report::quiet(true);
    let edits = match choice.below(3) {
        0 => Edits::default(),
        1 => remove(&[b".comment", b".debug_*"]),
        _ => remove(&[b".BTF*"]),
    };
    let edited = |file: &[u8]| plan_archive(path, file, &edits).map(|plan| to_vec(&plan.patch, file));
    let Ok(once) = edited(&file) else { return };
    match edited(&once) {
        Ok(again) => same(&again, &once, "L1"),
        Err(e) => panic!("L1: the second time it is refused: {e}"),
    }
}
