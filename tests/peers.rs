//! What other tools say of our results: readelf and eu-elflint nothing new, ld links them, programs run, and where GNU
//! objcopy does what docs/peers.md promises, the result is loaded the same. Each test is skipped where its tool is missing.

// clippy.toml allows it in tests, but not in what they call.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::cast_possible_truncation)]

mod util;

use std::collections::HashMap;

use elfgraft_testkit::consts::*;
use elfgraft_testkit::format::Format;
use elfgraft_testkit::inputs::*;
use elfgraft_testkit::layouts;
use elfgraft_testkit::read::{ReadElf, ReadSection};
use util::{Dir, fixture, installed, same};

const OBJECTS: [&str; 13] = [
    "demo.ko",
    "demo-lld.ko",
    "demo-gnu.ko",
    "demo-llvm.ko",
    "obj-x86_64.o",
    "obj-i386.o",
    "obj-arm.o",
    "obj-mips.o",
    "obj-powerpc.o",
    "obj-s390x.o",
    "obj-mips64el.o",
    "obj-clang.o",
    "obj-compressed.o",
];
const IMAGES: [&str; 6] = ["vmlinux", "vmlinux-relocs", "hello", "hello-lld", "libdemo.so", "libdemo-lld.so"];

/// Edits of every kind; which fit depends on the file.
const EDITS: [&str; 9] = [
    "set .l=f x",
    "set .a=f .b=g x",
    "objcopy --add-section=.n=f --set-section-flags=.n=readonly,strings --set-section-alignment=.n=16 x",
    "remove .comment x",
    "remove .note.GNU-stack x",
    "objcopy --rename-section=.comment=.remark,readonly x",
    "objcopy --set-section-flags=.modinfo=noload x",
    "objcopy -R .modinfo -R .rel* -R !.rel*.dyn -R !.relr* x",
    "objcopy -R .debug_* -R .rel*.debug_* x",
];

/// What a tool says of a file, sorted, without what depends on the numbers of sections and on places in the file.
fn complaints(dir: &Dir, tool: &[&str], name: &str) -> HashMap<String, usize> {
    let run = dir.cmd(tool[0], &[&tool[1..], &[name]].concat()).run();
    let mut text = run.stderr() + "\n";
    if tool[0] == "readelf" {
        // Warnings are on standard error; in its tables it says `<corrupt>` and the like.
        let marks = ["<corrupt", "<unknown", "<invalid", "<string table index"];
        let lines = run.text();
        text.extend(lines.lines().filter(|l| marks.iter().any(|m| l.contains(m))).flat_map(|l| [l, "\n"]));
    } else {
        text += &run.text();
    }
    let mut found = HashMap::new();
    for line in text.lines().map(str::trim).filter(|l| !l.is_empty() && *l != "No errors") {
        let words = line.split(|c: char| c.is_ascii_digit()).filter(|w| !w.is_empty()).collect::<Vec<_>>();
        // `[ 9]` is `[10]` after an addition.
        *found.entry(words.join("#").replace(' ', "")).or_default() += 1;
    }
    found
}

/// Nothing may be said about the result that was not said as often about the input.
fn nothing_new(tool: &[&str]) {
    if !installed(tool[0]) {
        return;
    }
    let generated = Format::FOUR.iter().flat_map(|&f| {
        [
            ("g2", g2_group(f)),
            ("g3", g3_livepatch(f, true)),
            ("g5", g5_shared_offset(f)),
            ("g6", g6_modinfo_segment(f)),
            ("vmlinux", layouts::vmlinux(f, true).build()),
        ]
    });
    let inputs = OBJECTS.iter().chain(&IMAGES).map(|&name| (name, fixture(name))).chain(generated);
    let dir = Dir::new();
    dir.write("f", "contents of a section\n");
    dir.write("g", "x");
    let mut edited = 0;
    for (name, old) in inputs {
        dir.write("x", &old);
        let before = complaints(&dir, tool, "x");
        for edit in EDITS {
            dir.write("x", &old);
            let run = dir.elfgraft(&edit.split(' ').collect::<Vec<_>>());
            if run.code() != Some(0) {
                // Not every section can go from every file.
                run.fails(&["cannot remove"]);
                continue;
            }
            if dir.read("x") == old {
                continue;
            }
            edited += 1;
            for (line, count) in complaints(&dir, tool, "x") {
                let known = before.get(&line).copied().unwrap_or(0);
                assert!(count <= known, "{name} after {edit}: {tool:?} says {count} times, before {known}: {line}");
            }
        }
    }
    assert!(edited > 150, "only {edited} edits");
}

#[test]
fn readelf_says_nothing_new() {
    nothing_new(&["readelf", "-aW"]);
}

#[test]
fn elflint_says_nothing_new() {
    nothing_new(&["eu-elflint", "--gnu-ld"]);
}

#[test]
fn ld_links_edited_objects() {
    if !installed("ld") || !installed("gcc") {
        return;
    }
    let dir = Dir::new();
    dir.write("f", "contents of a section\n");
    dir.write("main.c", "int twice(int); int main(void) { return twice(21); }\n");
    dir.write(
        "twice.c",
        "static int two = 2; int helper(int x) { return x; } int twice(int x) { return helper(x) * two; }\n",
    );
    for flags in [
        &["-g", "-O0"][..],
        &["-g3", "-O2", "-ffunction-sections", "-fdata-sections"],
        &["-fpie", "-gz=zlib", "-fpatchable-function-entry=2"],
    ] {
        for source in ["main", "twice"] {
            dir.cmd("gcc", &[flags, &["-c", &format!("{source}.c"), "-o", &format!("{source}.o")]].concat()).run().ok();
        }
        for edit in [
            &["set", ".BTF=f", "main.o", "twice.o"][..],
            &["remove", ".comment", "main.o", "twice.o"],
            &["remove", ".note*", "main.o", "twice.o"],
            &["objcopy", "--rename-section", ".data=.data.mine", "twice.o"],
            &["objcopy", "-R", ".debug_*", "-R", ".BTF", "main.o"],
            &["objcopy", "--set-section-alignment", ".text=64", "twice.o"],
        ] {
            dir.elfgraft(edit).quiet();
            let link = dir.cmd("gcc", &["-o", "program", "main.o", "twice.o"]).run().ok();
            // Without .note.GNU-stack it warns of the stack.
            assert!(
                link.stderr().lines().all(|l| l.contains("GNU-stack") || l.contains("deprecated")),
                "{}",
                link.stderr()
            );
            let run = dir.cmd("./program", &[""; 0]).run();
            run.check(run.code() == Some(42), &format!("42 after {edit:?} with {flags:?}"));
            dir.cmd("ld", &["-r", "-o", "both.o", "main.o", "twice.o"]).run().ok();
        }
    }
}

#[test]
fn ld_links_modules_and_groups() {
    if !installed("ld") {
        return;
    }
    let dir = Dir::with(&["demo.ko", "demo.btf", "obj-x86_64.o"]);
    for edit in [
        "set .BTF=demo.btf demo.ko obj-x86_64.o",
        "remove .comment demo.ko obj-x86_64.o",
        "objcopy -R .debug_types -R .debug_* -R .rel*.debug* obj-x86_64.o",
        "objcopy -R .data.shared -R .rela.data.shared demo.ko",
    ] {
        let run = dir.elfgraft(&edit.split(' ').collect::<Vec<_>>());
        if run.code() != Some(0) {
            run.fails(&["cannot remove"]);
        }
        let link = dir.cmd("ld", &["-r", "-o", "out.o", "demo.ko", "obj-x86_64.o"]).run().ok();
        assert_eq!(link.stderr(), "", "{edit}");
    }
}

#[test]
fn edited_programs_run() {
    if cfg!(not(all(target_arch = "x86_64", target_os = "linux"))) {
        eprintln!("skipped: the programs are for x86-64");
        return;
    }
    let dir = Dir::new();
    dir.write("f", "contents of a section\n");
    for name in ["hello", "hello-lld"] {
        for edit in [
            "objcopy x",
            "set .BTF=f x",
            "set --in-place .BTF=f x",
            "remove .comment x",
            "objcopy -R .modinfo x",
            "objcopy --set-section-flags=.modinfo=noload x",
            "objcopy -R .debug* -R .note* x",
            "objcopy --rename-section=.text=.code --add-section=.x=f --set-section-flags=.x=alloc,readonly x",
            "objcopy -R .symtab -R .strtab x",
        ] {
            dir.write("x", fixture(name));
            dir.chmod("x", 0o755);
            dir.elfgraft(&edit.split(' ').collect::<Vec<_>>()).quiet();
            let run = dir.cmd("./x", &[""; 0]).run();
            run.check(run.code() == Some(42), &format!("{name} to exit with 42 after {edit}"));
            assert_eq!(run.text(), "hello from elfgraft\n");
        }
    }
}

/// Bytes of memory by address, as the segments load them.
fn loaded(elf: &ReadElf) -> Vec<(u64, u64, Vec<u8>)> {
    let loads = elf.segments.iter().filter(|s| s.p_type == PT_LOAD && s.memsz > 0);
    loads.map(|s| (s.vaddr, s.memsz, elf.bytes[s.offset as usize..][..s.filesz as usize].to_vec())).collect()
}

#[test]
fn gnu_objcopy_gives_the_same_kernel() {
    if !installed("objcopy") {
        return;
    }
    for name in ["vmlinux", "vmlinux-relocs"] {
        let dir = Dir::with(&[name]);
        dir.write("hashes", [3; 36]);
        for line in [
            "--set-section-flags .modinfo=noload",
            "--set-section-flags .modinfo=noload --set-section-flags .rel*=noload --set-section-flags !.rel*.dyn=noload",
            "-R .modinfo",
            "-R .modinfo -R .rel* -R !.rel*.dyn",
            "--update-section .module_hashes=hashes",
        ] {
            let args: Vec<_> = line.split(' ').chain([name, "out"]).collect();
            dir.objcopy(&args).quiet();
            let ours = dir.elf("out");
            // Its warnings do not matter here.
            dir.cmd("objcopy", &args).run().ok();
            let gnus = dir.elf("out");
            assert!(loaded(&ours) == loaded(&gnus), "{name} {line}: another image");
            let summary = |elf: &ReadElf| {
                // The tables of ELF itself are last with GNU.
                let flags = |s: &ReadSection| match s.sh_type {
                    // GNU makes the headers of relocation sections anew, without the flag that it sets elsewhere.
                    SHT_RELA => s.flags & !SHF_WRITE,
                    _ => s.flags,
                };
                let summary =
                    |s: &ReadSection| (String::from_utf8(s.name.clone()).unwrap(), s.sh_type, flags(s), s.addr);
                let mut sections: Vec<_> = elf.sections.iter().map(summary).collect();
                sections.sort();
                sections
            };
            assert_eq!(summary(&ours), summary(&gnus), "{name} {line}");
            let symbols = |elf: &ReadElf| {
                let mut symbols: Vec<_> =
                    elf.symbols().iter().map(|s| (s.name.clone(), s.info, s.value, s.size)).collect();
                symbols.sort();
                symbols
            };
            assert_eq!(symbols(&ours), symbols(&gnus), "{name} {line}");
        }
    }
}

/// Where an object has both, what the peers give is what we give, in meaning.
#[test]
fn contents_added_by_us_are_what_the_peers_add() {
    for tool in ["objcopy", "llvm-objcopy"] {
        if !installed(tool) {
            continue;
        }
        for name in ["demo.ko", "obj-x86_64.o"] {
            let dir = Dir::with(&[name, "demo.btf"]);
            dir.cmd(tool, &["--add-section", ".BTF=demo.btf", name, "theirs"]).run().ok();
            dir.objcopy(&["--add-section", ".BTF=demo.btf", name, "ours"]).quiet();
            let (theirs, ours) = (dir.elf("theirs"), dir.elf("ours"));
            let (a, b) = (theirs.section(".BTF"), ours.section(".BTF"));
            assert_eq!(
                (a.sh_type, a.flags, a.addr, a.addralign, a.entsize),
                (b.sh_type, b.flags, b.addr, b.addralign, b.entsize)
            );
            same(&a.data, &b.data, tool);
            // And a file that they have edited is one that we edit: twice is once.
            dir.elfgraft(&["set", ".BTF=demo.btf", "theirs"]).quiet();
            let once = dir.read("theirs");
            dir.elfgraft(&["set", ".BTF=demo.btf", "theirs"]).quiet();
            same(&dir.read("theirs"), &once, tool);
        }
    }
}
