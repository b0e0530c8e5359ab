//! What people reported about BTF in modules; the report stands above each test.

use elfgraft_testkit::btf::{Btf, functions};
use elfgraft_testkit::btf_ids::{Entry, Member, btf_ids};
use elfgraft_testkit::consts::*;
use elfgraft_testkit::diff::semantic_diff;
use elfgraft_testkit::elf::{ElfSpec, Section};
use elfgraft_testkit::format::{Class, Format};
use elfgraft_testkit::inputs::g4_module;
use elfgraft_testkit::read::ReadElf;

use crate::make::module;
use crate::model::{Types, ids, only_ids_differ, upstream};
use crate::util::{Dir, ELFGRAFT, fixture, same};

/// A module of these entries beside `btf`, which has FUNCs of these names.
fn dir(format: Format, entries: &[Entry], names: &[&str]) -> (Dir, Types) {
    let dir = Dir::new();
    dir.write("m.ko", module(format, entries).build());
    let btf = functions(format, names).0.build();
    dir.write("btf", &btf);
    (dir, Types::read(&btf, None))
}

// https://lkml.iu.edu/2604.0/03655.html: adding `.BTF` to a module that has one fails, or makes a second.
#[test]
fn b1_embedding_again_gives_the_same_bytes() {
    for file in ["demo.ko", "demo-gnu.ko", "demo-llvm.ko", "demo-lld.ko", "demo-stripped.ko"] {
        let dir = Dir::with(&[file, "demo.btf", "demo2.btf", "vmlinux.btf", "vmlinux2.btf"]);
        let embed = |btf, base, old| {
            dir.elfgraft(&["btf", "embed", "--raw", "--btf", btf, "--btf-base", base, "--old-btf-base", old, file])
                .ok();
            assert_eq!(dir.elf(file).sections.iter().filter(|s| s.name == b".BTF").count(), 1);
            dir.read(file)
        };
        let once = embed("demo.btf", "vmlinux.btf", "vmlinux.btf");
        same(&embed("demo.btf", "vmlinux.btf", "vmlinux.btf"), &once, "twice");
        embed("demo2.btf", "vmlinux2.btf", "vmlinux.btf");
        same(&embed("demo.btf", "vmlinux.btf", "vmlinux2.btf"), &once, "there and back");
    }
}

// https://patchew.org/linux/20260410131343.2519532-1-petr.pavlu@suse.com/: resolve_btfids sorts pairs and leaves their
// symbols, so its second run gives flags to other kfuncs. The row's numbers: IDs 10, 20, 30 with flags 20, 40, 10.
#[test]
fn b2_flags_stay_with_their_kfunc() {
    for format in Format::ALL {
        let mut btf = Btf::new(format);
        let proto = btf.func_proto(0, &[]);
        for id in 2..=30 {
            let name = match id {
                10 => "x".into(),
                20 => "y".into(),
                30 => "z".into(),
                _ => format!("f{id}"),
            };
            btf.func(&name, proto);
        }
        let entries =
            [Entry::set8("s", vec![Member::func("z", 0x10), Member::func("x", 0x20), Member::func("y", 0x40)])];
        let fresh = module(format, &entries).build();
        let types = Types::read(&btf.build(), None);
        let sorted = |file: &[u8]| {
            let set = &ids(&ReadElf::parse(file)).sets[0];
            set.entries.iter().map(|e| (e.id, e.flags.unwrap())).collect::<Vec<_>>()
        };
        // The model of the kernel's tool does what was reported.
        let once = upstream(&fresh, &types);
        assert_eq!(sorted(&once), [(10, 0x20), (20, 0x40), (30, 0x10)]);
        assert_eq!(sorted(&upstream(&once, &types)), [(10, 0x40), (20, 0x10), (30, 0x20)]);

        let dir = Dir::new();
        dir.write("btf", btf.build());
        // From the linker, and after the other tool, which left its BTF in the file.
        for file in [&fresh, &once] {
            dir.write("m.ko", file);
            for _ in 0..3 {
                dir.elfgraft(&["btf", "embed", "--raw", "--btf", "btf", "m.ko"]).ok();
                assert_eq!(sorted(&dir.read("m.ko")), [(10, 0x20), (20, 0x40), (30, 0x10)]);
                ids(&dir.elf("m.ko")).assert_resolved(&types, &format.to_string());
            }
        }
    }
}

// https://github.com/acmel/dwarves/pull/15, https://reviews.llvm.org/D112106: `.BTF` at odd offsets.
#[test]
fn b6_btf_is_aligned() {
    for format in Format::FOUR {
        let (dir, _) = dir(format, &[Entry::set8("s", vec![Member::func("f", 1)])], &["f"]);
        for len in 1..6 {
            // Bytes in front of it of any length.
            let spec = module(format, &[Entry::set8("s", vec![Member::func("f", 1)])]).section(Section::progbits(
                ".comment",
                0,
                vec![0; len],
            ));
            dir.write("m.ko", spec.build());
            dir.elfgraft(&["btf", "embed", "--raw", "--btf", "btf", "m.ko"]).quiet();
            let section = dir.elf("m.ko").section(".BTF").clone();
            assert_eq!((section.addralign, section.offset % 4), (4, 0));
        }
    }
    // Also where objcopy has added it unaligned before.
    for file in ["demo-gnu.ko", "demo-llvm.ko"] {
        let dir = Dir::with(&[file, "demo.btf", "vmlinux.btf"]);
        assert_eq!(dir.elf(file).section(".BTF").addralign, 1);
        dir.elfgraft(&["btf", "embed", "--raw", "--btf", "demo.btf", "--btf-base", "vmlinux.btf", file]).ok();
        let section = dir.elf(file).section(".BTF").clone();
        assert_eq!((section.addralign, section.offset % 4), (4, 0));
    }
}

// Commit 903fad439466, https://github.com/kernel-patches/bpf/pull/8379: flags of set8 in the byte order of the host.
#[test]
fn e1_words_are_in_the_byte_order_of_the_file() {
    for format in Format::ALL {
        let entries = [
            Entry::set8("s", vec![Member::func("b", 0x0102_0304), Member::func("a", 0x8000_0001)]),
            Entry::Unused(vec![0x0a0b_0c0d]),
        ];
        let (dir, _) = dir(format, &entries, &["a", "b"]);
        dir.elfgraft(&["btf", "embed", "--raw", "--btf", "btf", "m.ko"]).quiet();
        let words = [2, 1, 2, 0x8000_0001, 3, 0x0102_0304, 0x0a0b_0c0d];
        assert_eq!(dir.elf("m.ko").section(".BTF_ids").data, format.u32s(&words), "{format}");
    }
    // Made by the cross compilers.
    for (file, name) in [("obj-s390x.o", "obj-s390x"), ("obj-mips.o", "obj-mips"), ("obj-powerpc.o", "obj-powerpc")] {
        let btf = format!("{name}.btf");
        let dir = Dir::with(&[file, &btf]);
        dir.elfgraft(&["btf", "embed", "--raw", "--btf", &btf, file]).quiet();
        assert_eq!(ids(&dir.elf(file)).table().into_bytes(), fixture(&format!("{name}.ids")));
    }
}

// https://github.com/sched-ext/sched_ext/issues/1: "multiple IDs found for 'task_struct'", and nobody can tell whether
// that matters.
#[test]
fn e2_duplicates_are_told_apart_and_the_base_comes_first() {
    let format = Format::X86_64;
    let mut base = Btf::new(format);
    let int = base.int("int", 4);
    let first = base.structure("task_struct", 4, &[("a", int, 0)]);
    let mut split = Btf::split(format, base.type_count(), base.str_len());
    split.structure("task_struct", 8, &[("a", int, 0), ("b", int, 32)]);
    let dir = Dir::new();
    dir.write("base", base.build());
    dir.write("btf", split.build());
    // One more symbol than names, so that the search goes on after the first.
    let list = Entry::List(vec![Member::new("struct", "task_struct"), Member::new("struct", "task_struct")]);
    let fresh = module(format, &[list]).build();
    dir.write("m.ko", &fresh);
    let embed = ["btf", "embed", "--raw", "--btf", "btf", "--btf-base", "base"];
    let run = dir.elfgraft(&[&embed[..], &["m.ko"]].concat()).ok();
    let run = run.warns(&["'m.ko'", "STRUCT 'task_struct'", "2 (4 bytes, 1 member), 3 (8 bytes, 2 members)"]);
    assert!(run.stderr().contains("the first is used"));
    assert!(ids(&dir.elf("m.ko")).lists.iter().all(|word| word.id == first));
    dir.write("m.ko", &fresh);
    let run = dir.elfgraft(&[&embed[..], &["--fatal-warnings", "m.ko"]].concat());
    run.check(run.code() == Some(1) && run.stderr().contains("--fatal-warnings"), "a failure");
    same(&dir.read("m.ko"), &fresh, "refused");
}

// https://github.com/torvalds/linux/blob/master/tools/bpf/resolve_btfids/main.c: at most 100 places for one name.
#[test]
fn e3_one_name_in_any_number_of_lists() {
    for format in [Format::X86_64, Format::MIPS] {
        let mut entries: Vec<Entry> = (0..101).map(|_| Entry::List(vec![Member::func("foo", 0)])).collect();
        let uses = |count: u32| (0..count).map(|flags| Member::func("foo", flags)).collect();
        entries.push(Entry::List(uses(2000)));
        entries.push(Entry::set8("often", uses(300)));
        let (dir, types) = dir(format, &entries, &["bar", "foo"]);
        dir.elfgraft(&["btf", "embed", "--raw", "--btf", "btf", "m.ko"]).quiet();
        let read = ids(&dir.elf("m.ko"));
        assert!(read.words().count() == 2401 && read.words().all(|word| word.id == 3));
        read.assert_resolved(&types, "101 lists");
        // Equal IDs stay in their order.
        assert!(read.sets[0].entries.iter().map(|e| e.flags.unwrap()).eq(0..300));
    }
}

// The same file matches symbols by `st_shndx`, which is SHN_XINDEX where sections have indices from 0xff00 on.
#[test]
fn e3_a_section_index_beyond_16_bits() {
    for (format, index) in [(Format::S390X, 0xff00), (Format::ARM, 0x1_0003)] {
        let entries = [Entry::set8("s", vec![Member::func("b", 2), Member::func("a", 1)])];
        let (words, symbols) = btf_ids(format, &entries, ".BTF_ids", 0);
        let text = |i: u32| Section::progbits(format!(".text.{i}"), SHF_ALLOC | SHF_EXECINSTR, [0; 4]);
        let spec = ElfSpec::new(format, ET_REL)
            .sections((1..index).map(text))
            .section(Section::progbits(".BTF_ids", SHF_ALLOC, words).align(4))
            .sections((index..index + 20).map(text))
            .symbols(symbols)
            .section(Section::symtab_shndx());
        let (dir, types) = dir(format, &entries, &["a", "b"]);
        let fresh = spec.build();
        dir.write("m.ko", &fresh);
        assert_eq!(dir.elf("m.ko").index_of(".BTF_ids"), Some(index));
        assert_eq!(dir.elf("m.ko").symbol("__BTF_ID__func__a__2").shndx, 0xffff);
        dir.elfgraft(&["btf-ids", "resolve", "--btf", "btf", "m.ko"]).quiet();
        only_ids_differ(&fresh, &dir.read("m.ko"), "resolve");
        ids(&dir.elf("m.ko")).assert_resolved(&types, &format.to_string());
        dir.elfgraft(&["btf", "embed", "--raw", "--btf", "btf", "m.ko"]).quiet();
        let read = ids(&dir.elf("m.ko"));
        read.assert_resolved(&types, &format.to_string());
        assert_eq!(read.flags(), ids(&ReadElf::parse(&fresh)).flags());
        let diff = semantic_diff(&fresh, &dir.read("m.ko"));
        assert!(diff.iter().all(|line| line.contains(".BTF") || line.contains("__BTF_ID__")), "{diff:?}");
    }
}

// https://git.ipfire.org/cgi-bin/gitweb.cgi?a=commit&h=2583e81fd8852e6cf6730c4463b6580deb7a8aad&p=thirdparty%2Flinux.git:
// BTF is rewritten before it is embedded, which changes IDs.
#[test]
fn e5_ids_are_those_of_the_btf_that_is_embedded() {
    let dir = Dir::with(&["demo-stripped.ko", "demo.btf", "demo2.btf", "vmlinux.btf", "vmlinux2.btf"]);
    let file = "demo-stripped.ko";
    // Resolved against BTF before it was rewritten; then the final one.
    dir.elfgraft(&["btf-ids", "resolve", "--btf", "demo.btf", "--btf-base", "vmlinux.btf", file]).ok();
    let embed = ["btf", "embed", "--raw", "--btf", "demo2.btf", "--btf-base", "vmlinux2.btf"];
    dir.elfgraft(&[&embed[..], &[file]].concat()).ok();
    assert_eq!(ids(&dir.elf(file)).table().into_bytes(), fixture("demo2.ids"));
    dir.elfgraft(&["btf-ids", "check", "--btf-base", "vmlinux2.btf", file]).ok();
    // IDs worked out for another BTF are refused.
    dir.write("ids", fixture("demo.BTF_ids"));
    let run = dir.elfgraft(&[&embed[..], &["--btf-ids", "ids", file]].concat());
    run.check(run.code() == Some(1) && run.stderr().contains("--btf-ids"), "a refusal");
    // And where another tool did it, `check` finds it.
    dir.elfgraft(&["set", ".BTF=demo.btf", file]).quiet();
    let check = dir.elfgraft(&["btf-ids", "check", "--btf-base", "vmlinux.btf", file]);
    assert!(check.code() == Some(1) && check.text().contains("-symbol]"), "{}", check.text());
}

// https://github.com/pop-os/pop/issues/3961, https://github.com/NixOS/nixpkgs/issues/220662: modules of another build,
// "failed to validate module [x] BTF: -22" at boot.
#[test]
fn e6_btf_of_another_build_is_found_before_boot() {
    let dir = Dir::with(&["demo-gnu.ko", "demo-upstream-sorted.ko", "livepatch.ko", "vmlinux.btf", "vmlinux2.btf"]);
    dir.elfgraft(&["btf-ids", "sort", "--btf-base", "vmlinux.btf", "demo-upstream-sorted.ko"]).ok();
    // A module without `.BTF_ids` is checked as well.
    dir.write("demo.btf", fixture("demo.btf"));
    dir.elfgraft(&["set", ".BTF=demo.btf", "livepatch.ko"]).quiet();
    for file in ["demo-upstream-sorted.ko", "livepatch.ko"] {
        let good = dir.elfgraft(&["btf-ids", "check", "--btf-base", "vmlinux.btf", file]).ok();
        assert!(good.text().contains("nothing wrong"), "{}", good.text());
        let bad = dir.elfgraft(&["btf-ids", "check", "--btf-base", "vmlinux2.btf", file]);
        assert_eq!(bad.code(), Some(1));
        assert!(bad.text().contains(&format!("{file}: section '.BTF': BTF type ")), "{}", bad.text());
        assert!(bad.text().contains("[bad-btf]") && bad.stderr().contains(file));
        let json = dir.elfgraft(&["btf-ids", "check", "--json", "--btf-base", "vmlinux2.btf", file]).text();
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert!(json["btf"].as_str().unwrap().starts_with("section '.BTF': BTF type "), "{json}");
    }
    // Nor is it embedded.
    let before = dir.read("demo-gnu.ko");
    let run =
        dir.elfgraft(&["btf", "embed", "--raw", "--btf", "demo.btf", "--btf-base", "vmlinux2.btf", "demo-gnu.ko"]);
    run.fails(&["'demo-gnu.ko'", "kernel would refuse"]);
    same(&dir.read("demo-gnu.ko"), &before, "refused");
}

// A base with the same types, but one string more: no type ID tells, names do.
#[test]
fn e6_names_that_begin_inside_strings() {
    for format in Format::FOUR {
        let mut base = Btf::new(format);
        base.int("int", 4);
        let mut split = Btf::split(format, base.type_count(), base.str_len());
        let proto = split.func_proto(1, &[("first", 1), ("second", 1)]);
        split.func("f_unction", proto);
        let (dir, _) = dir(format, &[Entry::set8("s", vec![Member::func("f_unction", 3)])], &[]);
        dir.write("base", base.build());
        dir.write("split", split.build());
        base.string("xx");
        dir.write("base2", base.build());
        let embed = ["btf", "embed", "--raw", "--btf", "split", "--btf-base"];
        let words = ["'m.ko'", "kernel would refuse", "names begin inside a string"];
        dir.elfgraft(&[&embed[..], &["base2", "m.ko"]].concat()).fails(&words);
        dir.elfgraft(&[&embed[..], &["base", "m.ko"]].concat()).quiet();
        let check = dir.elfgraft(&["btf-ids", "check", "--btf-base", "base2", "m.ko"]);
        assert!(check.code() == Some(1) && check.text().contains("[bad-btf]"), "{}", check.text());
    }
}

// https://github.com/ARM-software/lisa/pull/1803, https://github.com/v4l2loopback/v4l2loopback/issues/596: BTF that does
// not fit is removed by hand.
#[test]
fn e7_btf_and_its_base_go_together() {
    for format in Format::FOUR {
        let mut base = Btf::new(format);
        base.int("int", 4);
        let mut split = Btf::split(format, base.type_count(), base.str_len());
        let proto = split.func_proto(1, &[]);
        split.func("f", proto);
        let (dir, _) = dir(format, &[Entry::set8("s", vec![Member::func("f", 3)])], &[]);
        dir.write("base", base.build());
        dir.write("split", split.build());
        dir.elfgraft(&["btf-ids", "resolve", "--btf", "split", "--btf-base", "base", "m.ko"]).quiet();
        let without = dir.read("m.ko");
        dir.elfgraft(&["btf", "embed", "--raw", "--btf", "split", "--distilled-base", "base", "m.ko"]).quiet();
        assert!(dir.elf("m.ko").index_of(".BTF").is_some() && dir.elf("m.ko").index_of(".BTF.base").is_some());
        dir.elfgraft(&["remove", ".BTF", "-s", ".BTF.base", "m.ko"]).quiet();
        assert_eq!((dir.elf("m.ko").index_of(".BTF"), dir.elf("m.ko").index_of(".BTF.base")), (None, None));
        assert_eq!(semantic_diff(&without, &dir.read("m.ko")), [""; 0], "the rest as it was");
    }
}

// https://github.com/OpenMandrivaAssociation/distribution/issues/3126, https://github.com/tbsdtv/linux_media/issues/317:
// "resolve_btfids: not found" where only headers are installed. A binary that needs no libelf, libbpf or zlib, and works
// wherever it is put.
#[test]
fn e8_needs_nothing_but_the_c_library() {
    let elf = needed(&std::fs::read(ELFGRAFT).unwrap());
    for library in &elf {
        let known = ["libc.so", "libgcc_s.so", "libm.so", "ld-linux", "ld64.so", "libpthread.so", "libdl.so"];
        assert!(known.iter().any(|name| library.starts_with(name)), "{elf:?}");
    }
    let dir = Dir::with(&["demo.ko", "demo.btf", "vmlinux.btf"]);
    dir.write("copy", std::fs::read(ELFGRAFT).unwrap());
    dir.chmod("copy", 0o755);
    let args = ["btf", "embed", "--raw", "--btf", "demo.btf", "--btf-base", "vmlinux.btf", "demo.ko"];
    dir.cmd(dir.path("copy"), &args).through(&["env", "-i"]).run().ok();
    assert_eq!(ids(&dir.elf("demo.ko")).table().into_bytes(), fixture("demo.ids"));
}

/// The names behind DT_NEEDED.
fn needed(file: &[u8]) -> Vec<String> {
    const DT_NEEDED: u64 = 1;
    let elf = ReadElf::parse(file);
    let Some(dynamic) = elf.sections.iter().find(|s| s.name == b".dynamic") else { return Vec::new() };
    let strings = &elf.sections[dynamic.link as usize].data;
    let word = if elf.format.class == Class::Elf64 { 8 } else { 4 };
    let entries = dynamic.data.chunks(2 * word).map(|e| (elf.format.get(e, 0, word), elf.format.get(e, word, word)));
    let names = entries.filter(|&(tag, _)| tag == DT_NEEDED).map(|(_, at)| &strings[at as usize..]);
    names.map(|rest| String::from_utf8(rest.iter().copied().take_while(|&b| b != 0).collect()).unwrap()).collect()
}

// https://patchew.org/linux/20260410131343.2519532-1-petr.pavlu@suse.com/: of making a .ko, 80 % is BTF; several
// processes, each of which rewrites the module.
#[test]
fn e12_one_process_and_one_rewrite_for_btf_its_base_and_the_ids() {
    let format = Format::X86_64;
    let mut base = Btf::new(format);
    base.int("int", 4);
    let mut split = Btf::split(format, base.type_count(), base.str_len());
    let proto = split.func_proto(1, &[]);
    split.func("f", proto);
    split.func("g", proto);
    let entries = [Entry::set8("s", vec![Member::func("g", 2), Member::func("f", 1)])];
    let (dir, _) = dir(format, &entries, &[]);
    dir.write("base", base.build());
    dir.write("split", split.build());
    let embed = ["btf", "embed", "-v", "--btf", "split", "--distilled-base", "base", "m.ko"];
    let run = dir.elfgraft(&embed).ok();
    assert_eq!(run.stderr().matches(" bytes written").count(), 1, "{}", run.stderr());
    assert!(run.stderr().contains("'m.ko': replaced, "));
    let types = Types::read(&split.build(), Some(&Types::read(&base.build(), None)));
    ids(&dir.elf("m.ko")).assert_resolved(&types, "one run");
    let again = dir.elfgraft(&embed).ok();
    assert!(again.stderr().contains("'m.ko': unchanged, 0 of "), "{}", again.stderr());
    // Without BTF of its own, in the smallest module whose flags a sort mixes up.
    dir.write("g4.ko", g4_module(format, &elfgraft_testkit::inputs::g4_entries()).build());
    let run = dir.elfgraft(&["btf", "embed", "-v", "g4.ko"]).ok();
    assert_eq!(run.stderr().matches(" bytes written").count(), 1);
}
