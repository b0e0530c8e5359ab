//! Symbol and section options against GNU's and LLVM's tools, compared by meaning. Every difference is either a failure
//! or has its key and its reason in [`TOLERATED`]; a key that nothing uses any more fails too.

// clippy.toml allows it in tests, but not in what they call.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::cast_possible_truncation)]

mod meaning;
mod util;

use std::collections::BTreeSet;

use meaning::meaning;
use util::{Dir, fixture, foreign, installed};

const GNU: &str = "objcopy";
const LLVM: &str = "llvm-objcopy";

/// Objects of every class and byte order, modules, executables and shared objects.
const FIXTURES: [&str; 17] = [
    "obj-x86_64.o",
    "obj-x32.o",
    "obj-i386.o",
    "obj-aarch64.o",
    "obj-arm.o",
    "obj-mips.o",
    "obj-mips64el.o",
    "obj-powerpc.o",
    "obj-riscv64.o",
    "obj-s390x.o",
    "obj-clang.o",
    "obj-compressed.o",
    "demo.ko",
    "hello",
    "libdemo.so",
    "vmlinux",
    "vmlinux-relocs",
];

/// What is asked of every one of them.
const OPTIONS: &[&[&str]] = &[
    &[],
    &["-g"],
    &["-S"],
    &["--strip-unneeded"],
    &["-x"],
    &["-X"],
    &["-S", "-R", ".comment"],
    &["-g", "-x"],
    &["-R", ".comment"],
    &["-R", ".note*", "-R", ".comment"],
    &["-N", "counts"],
    &["-w", "-N", "*zero*"],
    &["--strip-unneeded", "-w", "-K", "*second*"],
    &["-w", "-G", "*_s*"],
    &["-w", "-L", "*_s*"],
    &["--weaken"],
    &["-w", "-W", "*_s*"],
    &["-w", "--globalize-symbol", "counts*"],
    &["--localize-hidden"],
    &["--prefix-symbols=__pi_"],
    &["--prefix-alloc-sections=.init"],
    &["--redefine-sym", "shared=common"],
    &["--rename-section", ".data=.data.efistub"],
    &["--set-section-flags", ".comment=alloc,readonly"],
    &["-g", "--keep-file-symbols"],
];

/// Of every class, byte order and type; enough for what is the same code for all.
const FEW: [&str; 7] =
    ["obj-x86_64.o", "obj-arm.o", "obj-mips64el.o", "obj-s390x.o", "demo.ko", "libdemo.so", "vmlinux"];

/// What is asked of those few.
const MORE_OPTIONS: &[&[&str]] = &[
    &["--strip-symbols=names"],
    &["--strip-unneeded-symbols=names"],
    &["--strip-unneeded", "--keep-symbols=names"],
    &["--strip-unneeded", "-w", "-K", "*", "-K", "!*s*"],
    &["-w", "-N", "*zero*", "-N", "!*e*"],
    &["--keep-global-symbols=names"],
    &["--localize-symbols=names"],
    &["--globalize-symbols=names"],
    &["--weaken-symbols=names"],
    &["--redefine-syms=pairs"],
    &["--prefix-sections=.p"],
    &["--add-symbol", "added=.text:0x4,function"],
    &["--add-symbol=added=0x10,local"],
    &["--only-keep-debug"],
    &["--add-gnu-debuglink=names"],
    &["-j", ".text"],
    &["--set-section-alignment", ".comment=16"],
    &["--set-start=0x10"],
    &["--change-section-address", ".comment*=0"],
];

/// A difference that may be.
struct Tolerated {
    key: &'static str,
    peer: &'static str,
    /// Part of the fixture's name.
    fixture: &'static str,
    /// An option that must be among those given; empty for any.
    option: &'static str,
    /// Part of the difference in words.
    difference: &'static str,
    /// Why it is right as we do it.
    #[allow(dead_code)] // for people
    reason: &'static str,
}

const fn tolerated(
    key: &'static str,
    peer: &'static str,
    fixture: &'static str,
    option: &'static str,
    difference: &'static str,
    reason: &'static str,
) -> Tolerated {
    Tolerated { key, peer, fixture, option, difference, reason }
}

const STRIP: &str = "LLVM keeps section symbols that nothing uses, empty groups and their symbols, and its -S takes .comment and \
                     empty sections: the kernel relies on GNU's ways";
const STALE: &str = "GNU leaves section indices in .dynsym, and symbol numbers in .llvm_addrsig, that mean something else \
                     after it has removed sections and symbols";

const NOTES: &str = "notes lie in their PT_NOTE; the PT_LOAD around them has no bytes, so that the file is small and the \
                     same every time";

const TOLERATED: &[Tolerated] = &[
    tolerated("llvm -g", LLVM, "", "-g", "", STRIP),
    tolerated("llvm -S", LLVM, "", "-S", "", STRIP),
    tolerated("llvm --strip-unneeded", LLVM, "", "--strip-unneeded", "", STRIP),
    tolerated("llvm -x", LLVM, "", "-x", "", STRIP),
    tolerated(
        "llvm -X",
        LLVM,
        "",
        "-X",
        "named in a relocation",
        "LLVM refuses where a relocation names such a symbol; we keep it, as GNU does",
    ),
    tolerated("gnu .dynsym", GNU, "libdemo.so", "-S", "lib_", STALE),
    tolerated("gnu .dynsym bytes", GNU, "libdemo.so", "-S", "memory at", STALE),
    tolerated("gnu .llvm_addrsig", GNU, "", "-S", ".llvm_addrsig", STALE),
    tolerated(
        "gnu .rela.dyn",
        GNU,
        "libdemo.so",
        "--prefix-alloc-sections=.init",
        "theirs is broken",
        "GNU loses the link of the dynamic relocations it renames",
    ),
    tolerated(
        "gnu nameless",
        GNU,
        "libdemo.so",
        "--prefix-symbols=__pi_",
        "symbol ",
        "the nameless symbol at the end of the file symbols is not named",
    ),
    tolerated("llvm nameless", LLVM, "libdemo.so", "--prefix-symbols=__pi_", "symbol ", "likewise"),
    tolerated(
        "gnu --add-symbol",
        GNU,
        "",
        "added=.text:0x4,function",
        "symbol added",
        "GNU: a flag makes a symbol local if `global` is not among the flags; we do as LLVM does",
    ),
    tolerated("gnu -j", GNU, "", "-j", "in 0xfff1", "GNU counts *ABS* among the sections that were not named"),
    tolerated("gnu --only-keep-debug", GNU, "", "--only-keep-debug", "memory at", NOTES),
    tolerated("llvm --only-keep-debug", LLVM, "", "--only-keep-debug", "memory at", NOTES),
    tolerated(
        "gnu --only-keep-debug .rela.plt",
        GNU,
        "",
        "--only-keep-debug",
        "section .rela.plt flags",
        "GNU loses SHF_INFO_LINK",
    ),
    tolerated(
        "gnu --prefix-sections",
        GNU,
        "libdemo.so",
        "--prefix-sections=.p",
        "theirs is broken",
        "GNU loses the link of the dynamic relocations it renames",
    ),
    tolerated(
        "llvm -j",
        LLVM,
        "",
        "-j",
        "cannot remove section",
        "LLVM drops the relocations of the named section; GNU refuses too",
    ),
    tolerated("llvm unknown", LLVM, "", "", "unknown argument", "LLVM 14 has no such option"),
    tolerated("llvm --weaken", LLVM, "", "--weaken", "info ", "LLVM leaves undefined symbols; we do as GNU does"),
];

/// A name, a file, options.
type Case<'c> = (&'c str, Vec<u8>, &'c [&'c str]);

fn cases() -> impl Iterator<Item = Case<'static>> {
    let all = FIXTURES.iter().flat_map(|f| OPTIONS.iter().map(move |o| (*f, *o)));
    let few = FEW.iter().flat_map(|f| MORE_OPTIONS.iter().map(move |o| (*f, *o)));
    all.chain(few).map(|(name, options)| (name, fixture(name), options))
}

/// Both sides' differences that nothing explains; `used` collects the keys that explained others.
fn compare<'c>(
    peer: &'static str,
    cases: impl Iterator<Item = Case<'c>>,
    used: &mut BTreeSet<&'static str>,
) -> Vec<String> {
    let mut failures = Vec::new();
    for (fixture, file, options) in cases {
        let dir = Dir::new();
        dir.write(fixture, file);
        dir.write("names", "counts\nsecond # and a comment\n\nno_such_symbol\n");
        dir.write("pairs", "counts numbers\nshared common\n");
        let ours = dir.objcopy(&[options, &[fixture, "ours"]].concat());
        let theirs = dir.cmd(peer, &[options, &[fixture, "theirs"]].concat()).run();
        if foreign(&theirs.stderr()) {
            continue;
        }
        let mut explain = |difference: String| {
            let rule = TOLERATED.iter().find(|t| {
                t.peer == peer
                    && fixture.contains(t.fixture)
                    && (t.option.is_empty() || options.contains(&t.option))
                    && difference.contains(t.difference)
            });
            match rule {
                Some(rule) => _ = used.insert(rule.key),
                None => failures.push(format!("{peer} {} {fixture}: {difference}", options.join(" "))),
            }
        };
        if ours.code() != theirs.code() {
            explain(format!(
                "exit status {:?} and theirs {:?}: {}{}",
                ours.code(),
                theirs.code(),
                ours.stderr(),
                theirs.stderr()
            ));
            continue;
        }
        if ours.code() != Some(0) {
            continue;
        }
        let a = meaning(&dir.read("ours"));
        let file = dir.read("theirs");
        // Some of what the peers write cannot be read.
        let Ok(b) = std::panic::catch_unwind(|| meaning(&file)) else {
            explain("theirs is broken".into());
            continue;
        };
        a.difference(&b).for_each(|line| explain(format!("only ours: {line}")));
        b.difference(&a).for_each(|line| explain(format!("only theirs: {line}")));
    }
    failures
}

fn none(failures: &[String]) {
    let shown: Vec<String> = failures.iter().map(|line| line.chars().take(300).collect()).collect();
    assert!(failures.is_empty(), "{} differences:\n{}", failures.len(), shown.join("\n"));
}

/// No difference but the tolerated ones, and each of those still there.
fn check(peer: &'static str) {
    if !installed(peer) {
        return;
    }
    let mut used = BTreeSet::new();
    none(&compare(peer, cases(), &mut used));
    let rules = TOLERATED.iter().filter(|t| t.peer == peer).map(|t| t.key);
    let unused: Vec<_> = rules.filter(|key| !used.contains(key)).collect();
    assert_eq!(unused, [""; 0], "tolerated differences that are none any more");
}

#[test]
fn the_same_as_gnu_objcopy_but_for_what_is_listed() {
    check(GNU);
}

#[test]
fn the_same_as_llvm_objcopy_but_for_what_is_listed() {
    check(LLVM);
}

#[test]
#[ignore = "needs files that others made: PEERS_FILES='file ...'"]
fn the_same_as_gnu_objcopy_on_real_files() {
    let files = std::env::var("PEERS_FILES").expect("PEERS_FILES");
    let mut failures = Vec::new();
    for path in files.split_whitespace() {
        let file = std::fs::read(path).unwrap();
        let cases = OPTIONS.iter().chain(MORE_OPTIONS).map(|&options| ("real.o", file.clone(), options));
        let found = compare(GNU, cases, &mut BTreeSet::new());
        println!("{path}: {} differences", found.len());
        failures.extend(found.into_iter().map(|line| format!("{path}: {line}")));
    }
    none(&failures);
}
