//! Every way of writing on a disk with too little room, and under a limit on the size of files: writes and copies that end
//! in the middle.

use elfgraft_testkit::consts::{ET_REL, SHF_ALLOC};
use elfgraft_testkit::elf::{ElfSpec, Section};
use elfgraft_testkit::format::Format;
use elfgraft_testkit::symbols::Symbol;

use super::ways::{Files, WAYS, Way, files};
use super::*;

/// What a run made of the files in `dir`: on success the new ones, else each is old or new and nothing else is left.
fn assert_whole(way: &Way, run: &util::Run<'_>, found: &Files, old: &Files, new: &Files, at: &str) -> bool {
    let at = format!("{}: {at}", way.name);
    if run.code() == Some(0) {
        assert!(found == new, "{at}: success");
        return true;
    }
    run.check(matches!(run.code(), Some(1 | 255)), &format!("{at}: an exit status"));
    let text = run.stderr();
    let said = ["No space left on device", "File too large"].iter().any(|words| text.contains(words));
    run.check(said && !text.contains("panicked"), &format!("{at}: a message"));
    for (name, bytes) in found {
        let whole = old.get(name) == Some(bytes) || new.get(name) == Some(bytes);
        assert!(whole, "{at}: {name} is neither old nor new");
    }
    assert!(old.keys().all(|name| found.contains_key(name)), "{at}: a file is lost");
    false
}

/// Steps of this many units: all in torture.
fn step(sample: usize) -> usize {
    if torture() { 1 } else { sample }
}

#[test]
fn a_full_disk_for_every_way() {
    if !can_mount() {
        return;
    }
    let mut outcomes = [0, 0];
    for way in &WAYS {
        let dir = way.dir();
        let old = files(&dir);
        way.cmd(&dir).run().ok();
        let new = files(&dir);
        ways::restore(&dir, &old);
        // So many pages are left.
        for free in (0..16).step_by(step(6)) {
            let script = format!(
                "disk=$(mktemp -d); mount -t tmpfs -o size=4m none $disk; cp -p * $disk; cd $disk; mkdir .fill\n\
                 for i in $(seq {free}); do head -c 4096 /dev/zero >.fill/$i; done\n\
                 cat /dev/zero >.fill/all 2>/dev/null || true; rm -f .fill/[0-9]*\n\
                 status=0; \"$@\" || status=$?\n\
                 rm -r .fill; mkdir \"$OLDPWD\"/out; cp -a . \"$OLDPWD\"/out; cd /; umount $disk; rmdir $disk; exit $status"
            );
            let run = way.cmd(&dir).through(&["unshare", "--mount", "bash", "-ec", &script, "bash"]).run();
            let found = fs::read_dir(dir.path("out")).unwrap().map(|entry| {
                let entry = entry.unwrap();
                (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap())
            });
            let whole = assert_whole(way, &run, &found.collect(), &old, &new, &format!("{free} pages left"));
            outcomes[usize::from(whole)] += 1;
            fs::remove_dir_all(dir.path("out")).unwrap();
        }
    }
    println!("full disks: {outcomes:?}");
    assert!(outcomes[0] > 15 && outcomes[1] > 15, "disks were not full and roomy: {outcomes:?}");
}

#[test]
fn a_limit_for_every_way() {
    let mut outcomes = [0, 0];
    for way in &WAYS {
        let dir = way.dir();
        let old = files(&dir);
        way.cmd(&dir).run().ok();
        let new = files(&dir);
        // In blocks of 512 bytes.
        for blocks in (0..90).step_by(step(29)) {
            ways::restore(&dir, &old);
            let run = way.cmd(&dir).after(&format!("ulimit -f {blocks}")).run();
            // An edit in place that may not be undone is undone by the next command.
            for name in way.opened.iter().filter(|_| run.code() != Some(0)) {
                dir.elfgraft(&["show", name]).ok();
            }
            let whole = assert_whole(way, &run, &files(&dir), &old, &new, &format!("{blocks} blocks"));
            outcomes[usize::from(whole)] += 1;
        }
    }
    println!("limits: {outcomes:?}");
    assert!(outcomes[0] > 20 && outcomes[1] > 5, "limits were not low and high: {outcomes:?}");
}

/// Rust ends a process that gets no memory: as with a kill, the file is the old one, and nothing is left beside it.
#[test]
fn without_memory_the_file_stays() {
    let dir = Dir::new();
    let symbols = (0..20_000).map(|i| Symbol::local(&format!("symbol{i}"), ".text")).collect();
    let object = ElfSpec::new(Format::X86_64, ET_REL).section(Section::progbits(".text", SHF_ALLOC, [1; 50]));
    let old = object.symbols(symbols).build();
    let args = ["strip", "--strip-unneeded", "x.o"];
    dir.write("x.o", &old);
    dir.elfgraft(&args).quiet();
    let new = dir.read("x.o");
    let mut outcomes = [0, 0];
    for kb in (50..6000).step_by(if torture() { 10 } else { 250 }) {
        dir.write("x.o", &old);
        let run = dir.cmd(ELFGRAFT, &args).after(&format!("ulimit -d {kb}")).run();
        let done = run.code() == Some(0);
        same(&dir.read("x.o"), if done { &new } else { &old }, &format!("{kb} kB: {:?}", run.code()));
        assert_eq!(dir.names(), ["x.o"], "{kb} kB");
        outcomes[usize::from(done)] += 1;
    }
    println!("memory: {outcomes:?}");
    assert!(outcomes[0] > 0 && outcomes[1] > 0, "limits were not low and high: {outcomes:?}");
}
