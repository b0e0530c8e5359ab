//! What is refused, with which words; the file stays as it was.

use elfgraft_testkit::btf::{Btf, functions};
use elfgraft_testkit::btf_ids::{Entry, Member};
use elfgraft_testkit::consts::*;
use elfgraft_testkit::elf::{Contents, ElfSpec, Section};
use elfgraft_testkit::format::Format;
use elfgraft_testkit::rng::Rng;
use elfgraft_testkit::symbols::{Reloc, Symbol};

use crate::make::module;
use crate::util::{Dir, fixture, same};

fn entries() -> Vec<Entry> {
    vec![Entry::set8("s", vec![Member::func("g", 2), Member::func("f", 1)])]
}

fn btf(format: Format) -> Vec<u8> {
    functions(format, &["f", "g"]).0.build()
}

#[track_caller]
fn refused(dir: &Dir, args: &[&str], words: &[&str]) {
    let file = args.last().unwrap();
    let before = std::fs::read(dir.path(file)).ok();
    dir.elfgraft(args).fails(words);
    assert_eq!(std::fs::read(dir.path(file)).ok(), before);
}

#[test]
fn btf_that_the_kernel_would_refuse() {
    let format = Format::X86_64;
    let dir = Dir::with(&["demo.btf", "vmlinux.btf"]);
    dir.write("m.ko", module(format, &entries()).build());
    let good = btf(format);
    let bad = |at: usize, byte: u8| {
        let mut data = good.clone();
        data[at] = byte;
        data
    };
    let mut reference = Btf::new(format);
    reference.ptr(77);
    let cases: [(&str, Vec<u8>, &[&str]); 9] = [
        ("no magic", bad(0, 0), &["'bad'", "magic"]),
        ("version", bad(2, 9), &["'bad'", "version 9"]),
        ("header", bad(4, 0xff), &["'bad'", "header"]),
        ("strings", good[..good.len() - 1].to_vec(), &["'bad'"]),
        ("truncated", good[..30].to_vec(), &["'bad'", "beyond"]),
        ("empty", Vec::new(), &["'bad'", "0 bytes"]),
        ("reference", reference.build(), &["'m.ko'", "kernel would refuse", "type 77"]),
        ("string", bad(24 + 12, 0xee), &["'m.ko'", "kernel would refuse", "0xee"]),
        ("another order", btf(Format::S390X), &["'m.ko'", "big-endian", "little-endian"]),
    ];
    for (what, data, words) in cases {
        dir.write("bad", &data);
        refused(&dir, &["btf", "embed", "--raw", "--btf", "bad", "m.ko"], words);
        let run = dir.elfgraft(&["btf-ids", "resolve", "--btf", "bad", "m.ko"]);
        assert_eq!(run.code(), Some(1), "{what}: {}", run.stderr());
    }
    // A distilled base is embedded as well.
    let mut base = Btf::new(format);
    base.ptr(9);
    let mut split = Btf::split(format, base.type_count(), base.str_len());
    split.int("i", 4);
    dir.write("base", base.build());
    dir.write("split", split.build());
    let embed = ["btf", "embed", "--raw", "--btf", "split", "--distilled-base", "base", "m.ko"];
    refused(&dir, &embed, &["'m.ko'", "kernel would refuse", "type 9"]);
    // Split BTF without its base, standalone BTF for a module on a base.
    refused(
        &dir,
        &["btf", "embed", "--raw", "--btf", "demo.btf", "m.ko"],
        &["'demo.btf'", "needs its base", "--btf-base"],
    );
    let standalone = ["btf", "embed", "--raw", "--btf", "vmlinux.btf", "--btf-base", "vmlinux.btf", "m.ko"];
    refused(&dir, &standalone, &["'vmlinux.btf'", "standalone"]);
    refused(&dir, &["btf", "embed", "--btf-base", "demo.btf", "m.ko"], &["'demo.btf'"]);
}

#[test]
fn missing_and_too_many() {
    let format = Format::X86_64;
    let dir = Dir::with(&["hello"]);
    dir.write("btf", btf(format));
    let file = |name: &str, spec: ElfSpec| dir.write(name, spec.build());
    file("bare.ko", module(format, &entries()));
    refused(&dir, &["btf", "embed", "bare.ko"], &["'bare.ko'", "no section '.BTF'", "--btf"]);
    refused(&dir, &["btf-ids", "resolve", "bare.ko"], &["'bare.ko'", "no section '.BTF'", "--btf"]);
    refused(&dir, &["btf", "embed", "--raw", "--btf", "btf", "none.ko"], &["'none.ko'", "No such file"]);
    for command in ["resolve", "sort", "show"] {
        refused(&dir, &["btf-ids", command, "hello"], &["'hello'", "no section '.BTF_ids'"]);
    }
    refused(&dir, &["btf-ids", "check", "hello"], &["'hello'", "neither", "'.BTF_ids'"]);
    refused(&dir, &["btf", "embed", "--raw", "--btf", "hello", "bare.ko"], &["'hello'", "no section '.BTF'"]);
    refused(&dir, &["btf", "embed", "--distilled-base", "btf", "bare.ko"], &["--btf"]);

    // LLVM's second --add-section makes two.
    let two = |name: &str| {
        let section = || Section::progbits(name, if name == ".BTF_ids" { SHF_ALLOC } else { 0 }, btf(format)).align(4);
        module(format, &entries()).section(section()).section(section())
    };
    file("two.ko", two(".BTF"));
    let listed = ["'two.ko'", "2 sections are named '.BTF'", "'.BTF' [5], '.BTF' [6]"];
    refused(&dir, &["btf", "embed", "--raw", "--btf", "btf", "two.ko"], &listed);
    file("two.ko", two(".BTF.base"));
    refused(&dir, &["btf", "embed", "--raw", "--btf", "btf", "two.ko"], &["2 sections are named '.BTF.base'"]);
    file("two.ko", two(".BTF_ids"));
    refused(&dir, &["btf", "embed", "--raw", "--btf", "btf", "two.ko"], &["3 sections are named '.BTF_ids'"]);
}

#[test]
fn btf_of_an_image_keeps_its_size() {
    let dir = Dir::with(&["vmlinux", "vmlinux2.btf", "vmlinux.btf"]);
    for (name, data) in [("shorter", btf(Format::X86_64)), ("longer", fixture("vmlinux2.btf"))] {
        dir.write(name, data);
        refused(
            &dir,
            &["btf", "embed", "--raw", "--btf", name, "vmlinux"],
            &["section '.BTF' [8]", "section holds", "linker"],
        );
    }
    dir.elfgraft(&["btf", "embed", "--raw", "--btf", "vmlinux.btf", "vmlinux"]).ok();
}

#[test]
fn ids_that_no_symbol_explains_any_more() {
    let format = Format::MIPS;
    let dir = Dir::new();
    dir.write("btf", btf(format));
    let mut spec = module(format, &entries());
    spec.sections.truncate(2);
    dir.write("stripped.ko", spec.build());
    let words = ["'stripped.ko'", "'.BTF_ids' [2]", "no '__BTF_ID__' symbol"];
    for args in
        [&["btf", "embed", "--raw", "--btf", "btf"][..], &["btf-ids", "resolve", "--btf", "btf"], &["btf-ids", "check"]]
    {
        refused(&dir, &[args, &["stripped.ko"]].concat(), &words);
    }
}

#[test]
fn a_base_of_its_own_that_cannot_be_read_is_not_passed_over() {
    let format = Format::X86_64;
    let dir = Dir::new();
    let mut base = Btf::new(format);
    base.int("int", 4);
    let mut split = Btf::split(format, base.type_count(), base.str_len());
    let proto = split.func_proto(1, &[]);
    split.func("f", proto);
    dir.write("base", base.build());
    let spec = module(format, &entries())
        .section(Section::progbits(".BTF", 0, split.build()).align(4))
        .section(Section::progbits(".BTF.base", 0, [0; 30]).align(4));
    dir.write("m.ko", spec.build());
    for args in [&["btf", "embed"][..], &["btf-ids", "resolve"]] {
        refused(&dir, &[args, &["--btf-base", "base", "m.ko"]].concat(), &["'m.ko'", "section '.BTF.base'", "magic"]);
    }
    let check = dir.elfgraft(&["btf-ids", "check", "--btf-base", "base", "m.ko"]);
    assert!(check.code() == Some(1) && check.text().contains("'.BTF.base': no BTF data"), "{}", check.text());
    // New BTF replaces it.
    dir.write("split", split.build());
    dir.elfgraft(&["btf", "embed", "--raw", "--btf", "split", "--btf-base", "base", "m.ko"]).ok();
    assert_eq!(dir.elf("m.ko").index_of(".BTF.base"), None);
}

#[test]
fn ids_given_that_do_not_go_with_the_btf() {
    let file = "demo-stripped.ko";
    let dir = Dir::with(&[file, "demo.btf", "demo2.btf", "vmlinux.btf", "vmlinux2.btf"]);
    for (name, bytes) in [("ids2", fixture("demo2.BTF_ids")), ("short", vec![0; 160]), ("zeros", vec![0; 164])] {
        dir.write(name, bytes);
    }
    let embed =
        |ids| ["btf", "embed", "--raw", "--btf", "demo.btf", "--btf-base", "vmlinux.btf", "--btf-ids", ids, file];
    let before = dir.read(file);
    refused(&dir, &embed("ids2"), &["--btf-ids", "set 'demo_kfuncs'", "another BTF's"]);
    refused(&dir, &embed("short"), &["--btf-ids gives 160 bytes", "holds 164"]);
    // Nothing resolved, though the BTF has the names.
    let run = dir.elfgraft(&embed("zeros"));
    assert!(run.code() == Some(1) && run.stderr().contains("does not go with"), "{}", run.stderr());
    same(&dir.read(file), &before, "refused");
    dir.write("livepatch.ko", fixture("livepatch.ko"));
    let args = [
        "btf",
        "embed",
        "--raw",
        "--btf",
        "demo.btf",
        "--btf-base",
        "vmlinux.btf",
        "--btf-ids",
        "ids2",
        "livepatch.ko",
    ];
    refused(&dir, &args, &["--btf-ids", "no section '.BTF_ids'"]);
}

#[test]
fn symbols_and_section_that_contradict_each_other() {
    let format = Format::S390X;
    let dir = Dir::new();
    dir.write("btf", btf(format));
    let poke = |name: &[u8], change: fn(&mut Symbol)| {
        let mut spec = module(format, &entries());
        let table = spec.sections.iter_mut().find(|s| s.sh_type == SHT_SYMTAB).unwrap();
        let Contents::Symbols(symbols) = &mut table.contents else { panic!() };
        change(symbols.iter_mut().find(|s| s.name.starts_with(name)).unwrap());
        dir.write("m.ko", spec.build());
    };
    type Case = (&'static str, &'static [u8], fn(&mut Symbol));
    let cases: [Case; 8] = [
        ("between-words", b"__BTF_ID__func__g", |s| s.value = 9),
        ("beyond-section", b"__BTF_ID__func__g", |s| s.value = 24),
        ("beyond-section", b"__BTF_ID__func__g", |s| s.value = u64::MAX - 3),
        ("not-an-entry", b"__BTF_ID__func__g", |s| s.value = 12),
        ("conflicting-symbols", b"__BTF_ID__func__g", |s| s.value = 16),
        ("bad-set-size", b"__BTF_ID__set8__s", |s| s.size = 20),
        ("count-beyond-section", b"__BTF_ID__set8__s", |s| s.size = 32),
        ("unsupported-prefix", b"__BTF_ID__set8__s", |s| s.name = b"__BTF_ID__enum__e__1".to_vec()),
    ];
    for (key, name, change) in cases {
        poke(name, change);
        for args in [
            &["btf", "embed", "--raw", "--btf", "btf"][..],
            &["btf-ids", "resolve", "--btf", "btf"],
            &["btf-ids", "sort"],
        ] {
            refused(&dir, &[args, &["m.ko"]].concat(), &["'m.ko'", "'.BTF_ids'", key]);
        }
        let check = dir.elfgraft(&["btf-ids", "check", "m.ko"]);
        assert!(check.code() == Some(1) && check.text().contains(key), "{key}: {}", check.text());
    }
}

/// Files with one byte changed or the end cut off: done or refused, all of them, and never a crash.
#[test]
fn damaged_files() {
    let mut rng = Rng::new(3);
    for format in Format::FOUR {
        let dir = Dir::new();
        let data = Section::progbits(".data", SHF_ALLOC | SHF_WRITE, [0; 16]).align(8);
        let spec = module(format, &entries())
            .section(Section::progbits(".BTF", 0, btf(format)).align(4))
            .section(data)
            .relocs(".data", vec![Reloc::new(8, ".BTF_ids", 1, 0)]);
        dir.write("good.ko", spec.build());
        dir.elfgraft(&["btf", "embed", "good.ko"]).quiet();
        let good = dir.read("good.ko");
        let names: Vec<String> = (0..300).map(|n| format!("m{n}.ko")).collect();
        let mut before = Vec::new();
        for name in &names {
            let mut bytes = good.clone();
            if rng.one_in(4) {
                bytes.truncate(rng.index(good.len()));
            } else {
                let at = rng.index(good.len());
                bytes[at] = rng.pick(&[0, 1, 4, 0x7f, 0x80, 0xff]);
            }
            dir.write(name, &bytes);
            before.push(bytes);
        }
        let all: Vec<&str> = names.iter().map(String::as_str).collect();
        for command in [&["btf-ids", "check"][..], &["btf-ids", "show", "--json"], &["btf", "embed"]] {
            let run = dir.elfgraft(&[command, &all].concat());
            run.check(run.code() == Some(1), "some are refused");
            let errors = run.stderr();
            assert!(errors.lines().all(|line| line.starts_with("elfgraft: ")), "{errors}");
            for (name, before) in names.iter().zip(&before) {
                if errors.contains(&format!("error: '{name}'")) {
                    same(&dir.read(name), before, name);
                }
            }
            // Those who could be done are more than a few.
            assert!(errors.matches("error: ").count() < 200, "{errors}");
        }
    }
}

/// What was not done is not told of.
#[test]
fn symbols_of_a_signed_module_are_not_said_to_be_put_right() {
    let dir = Dir::with(&["vmlinux.btf"]);
    let signature = [b"abcd\0\0\x02\0\0\0\0\0\0\0\0\x04".as_slice(), b"~Module signature appended~\n"].concat();
    dir.write("x.ko", [fixture("demo-upstream-sorted.ko"), signature].concat());
    let embed = ["btf", "embed", "-v", "-b", "vmlinux.btf", "x.ko"];
    let run = dir.elfgraft(&embed).warns(&["error: 'x.ko'", "--drop-signature"]);
    run.check(!run.stderr().contains("put right"), "nothing to be told as done");
    let run = dir.elfgraft(&[&embed[..], &["--drop-signature", "--dry-run"]].concat()).ok();
    run.check(run.stderr().contains("14 symbols had been left behind") && run.stderr().contains("would be"), "no deed");
    dir.elfgraft(&[&embed[..], &["--drop-signature"]].concat()).ok().warns(&["14 symbols", "are put right"]);
}
