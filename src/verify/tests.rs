//! A verifier that cannot fail proves nothing: each law is found broken when our own edit is made to break it.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use elfgraft_edit::Decision;
use elfgraft_elf::Image;

use super::laws::verify;
use super::tool::{Own, Tool};
use crate::cli;
use crate::report::Error;

type Edit = fn(Vec<OsString>) -> Result<Vec<Decision>, Error>;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(name)
}

/// The verdicts on an edit by `run`, the first word of each, by law.
fn verdicts(run: Edit, line: &str, file: &Path) -> Vec<(&'static str, &'static str, String)> {
    let args: Vec<OsString> = line.split(' ').map(OsString::from).collect();
    // As the command has it: what becomes of copies concerns nobody.
    crate::report::quiet(true);
    let own = Own { run, ..cli::own() };
    let found = verify(&Tool::own(&own, &args, file, None), file).unwrap();
    found.rows.iter().map(|row| (row.law, row.verdict.word(), row.verdict.text().to_owned())).collect()
}

fn broken(run: Edit, line: &str, file: &Path) -> Vec<&'static str> {
    let rows = verdicts(run, line, file);
    rows.iter().filter(|(_, verdict, _)| *verdict == "BROKEN").map(|(law, ..)| *law).collect()
}

/// What the command does, and then something to the file: the last word of the line.
fn and_then(line: Vec<OsString>, fault: impl FnOnce(&[OsString], &Path, &mut Vec<u8>)) -> Result<Vec<Decision>, Error> {
    let decisions = (cli::own().run)(line.clone())?;
    let file = PathBuf::from(line.last().unwrap());
    let mut bytes = fs::read(&file).unwrap();
    fault(&line, &file, &mut bytes);
    // A new file, as every edit makes one: links to the old one keep what they have.
    fs::remove_file(&file).unwrap();
    fs::write(&file, bytes).unwrap();
    Ok(decisions)
}

/// Puts a byte of a section to a value that it does not have in the fixture.
fn poke(bytes: &mut [u8], section: &[u8], value: u8) {
    let image = Image::parse(bytes).unwrap();
    let at = image.header(image.named(section)[0]).unwrap().sh_offset;
    bytes[usize::try_from(at).unwrap() + 1] = value;
}

fn set() -> String {
    format!("set .BTF={}", fixture("demo.btf").display())
}

#[test]
fn without_a_fault_every_law_holds() {
    let rows = verdicts(cli::own().run, &set(), &fixture("demo.ko"));
    let words: Vec<_> = rows.iter().map(|(law, word, _)| (*law, *word)).collect();
    let na = "not applicable";
    let want = [("L1", "holds"), ("L2", "holds"), ("L3", "holds"), ("L4", "holds"), ("L5", na), ("L6", "holds")];
    assert_eq!(words, want);
    assert_eq!(broken(|line| and_then(line, |_, _, _| {}), &set(), &fixture("demo.ko")), [""; 0]);
}

#[test]
fn l1_a_file_that_grows_with_every_run() {
    let run: Edit = |line| and_then(line, |_, _, bytes| bytes.push(0));
    assert!(broken(run, &set(), &fixture("demo.ko")).contains(&"L1"));
    let run: Edit = |line| match line.last().unwrap().to_str().unwrap().ends_with("twice") {
        true => Err(Error::Usage("it is there already".into())),
        false => (cli::own().run)(line),
    };
    assert_eq!(broken(run, &set(), &fixture("demo.ko")), ["L1"]);
}

#[test]
fn l2_something_of_earlier_contents_stays() {
    let run: Edit = |line| {
        and_then(line, |line, _, bytes| {
            if line.iter().any(|arg| arg.to_str().unwrap().ends_with("/other")) {
                poke(bytes, b".text", 0xee);
            }
        })
    };
    assert_eq!(broken(run, &set(), &fixture("demo.ko")), ["L2"]);
    // IDs of other BTF stay behind in a set: what law L2 is for with `btf embed`.
    let (btf, vmlinux) = (fixture("demo.btf"), fixture("vmlinux"));
    let embed = format!("btf embed --raw --btf {} --btf-base {}", btf.display(), vmlinux.display());
    let run: Edit = |line| {
        and_then(line, |line, _, bytes| {
            if line.iter().any(|arg| arg.to_str().unwrap().ends_with("/other")) {
                poke(bytes, b".modinfo", 0xee);
            }
        })
    };
    assert_eq!(broken(run, &embed, &fixture("demo.ko")), ["L2"]);
}

#[test]
fn l3_a_removal_that_leaves_something() {
    let run: Edit = |line| {
        and_then(line, |line, _, bytes| {
            if line[1] == "remove" {
                bytes.push(0);
            }
        })
    };
    assert_eq!(broken(run, &set(), &fixture("demo.ko")), ["L3"]);
}

#[test]
fn l4_whatever_else_is_changed() {
    // Contents, a section header, a symbol, a relocation, the ELF header: each the same after every run.
    let faults: [(&str, Edit); 5] = [
        ("contents", |line| and_then(line, |_, _, bytes| poke(bytes, b".text", 0xee))),
        ("section-align", |line| {
            and_then(line, |_, _, bytes| {
                let image = Image::parse(bytes).unwrap();
                let at = usize::try_from(image.e_shoff).unwrap() + 64 * image.named(b".text")[0].get() + 48;
                bytes[at] = 64;
            })
        }),
        ("symbol", |line| {
            and_then(line, |_, _, bytes| {
                let image = Image::parse(bytes).unwrap();
                let at = usize::try_from(image.header(image.named(b".symtab")[0]).unwrap().sh_offset).unwrap();
                bytes[at + 60 * 24 + 16] = 0x77;
            })
        }),
        ("reloc", |line| {
            and_then(line, |_, _, bytes| {
                let image = Image::parse(bytes).unwrap();
                let at = usize::try_from(image.header(image.named(b".rela.text")[0]).unwrap().sh_offset).unwrap();
                bytes[at + 16] = 0x77;
            })
        }),
        ("header", |line| and_then(line, |_, _, bytes| bytes[48] = 1)),
    ];
    for (key, run) in faults {
        let rows = verdicts(run, &set(), &fixture("demo.ko"));
        let (_, verdict, text) = rows.iter().find(|(law, ..)| *law == "L4").unwrap();
        assert_eq!(*verdict, "BROKEN", "{key}");
        assert!(text.starts_with("1 other difference\n") && text.contains(&format!("[{key}]")), "{key}: {text}");
        assert!(!rows.iter().any(|(law, verdict, _)| matches!(*law, "L1" | "L2") && *verdict == "BROKEN"), "{key}");
    }
}

#[test]
fn l4_a_signature_that_goes_silently_or_as_asked() {
    let run: Edit = |line| {
        and_then(line, |_, _, bytes| {
            if let Some(marker) = bytes.windows(4).rposition(|w| w == b"~Mod") {
                bytes.truncate(marker - 12);
            }
        })
    };
    let add = fixture("demo-signed.ko");
    assert!(broken(run, "set --drop-signature .comment=/dev/null", &add).is_empty(), "it is to go");
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::copy(add, file.path()).unwrap();
    // Nothing is asked for that would change the file.
    assert!(broken(run, "remove .no-such-section", file.path()).contains(&"L4"));
}

#[test]
fn l5_a_byte_outside_of_the_section() {
    let ids = tempfile::NamedTempFile::new().unwrap();
    let vmlinux = fs::read(fixture("vmlinux")).unwrap();
    let image = Image::parse(&vmlinux).unwrap();
    let size = image.header(image.named(b".BTF_ids")[0]).unwrap().sh_size;
    fs::write(ids.path(), vec![7; usize::try_from(size).unwrap()]).unwrap();
    let line = format!("objcopy --update-section .BTF_ids={}", ids.path().display());
    assert_eq!(broken(cli::own().run, &line, &fixture("vmlinux")), [""; 0]);
    // Nobody owns the gap: by meaning nothing differs.
    let run: Edit = |line| and_then(line, |_, _, bytes| bytes[9] = 1);
    let found = broken(run, &line, &fixture("vmlinux"));
    assert!(found.contains(&"L5"), "{found:?}");
}

static VICTIM: OnceLock<tempfile::NamedTempFile> = OnceLock::new();

#[test]
fn l6_the_file_itself_is_written() {
    let file = VICTIM.get_or_init(|| tempfile::NamedTempFile::new().unwrap());
    fs::copy(fixture("demo.ko"), file.path()).unwrap();
    let run: Edit = |line| {
        let victim = fs::OpenOptions::new().write(true).open(VICTIM.get().unwrap().path()).unwrap();
        // A byte of .comment: edits may run two at a time.
        victim.write_all_at(&[0xee], 0xb41).unwrap();
        (cli::own().run)(line)
    };
    assert_eq!(broken(run, &set(), file.path()), ["L6"]);
}

#[test]
fn a_refusal_names_the_file_and_no_copy() {
    let args = ["set", "--pad", ".text=/dev/zero/no"].map(OsString::from);
    let own = cli::own();
    let file = fixture("demo.ko");
    assert!(verify(&Tool::own(&own, &args, &file, None), &file).is_err());
    let args = ["remove", ".symtab"].map(OsString::from);
    let error = verify(&Tool::own(&own, &args, &file, None), &file).err().unwrap().to_string();
    assert!(error.starts_with(&format!("'{}'", file.display())), "{error}");
}
