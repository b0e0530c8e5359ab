//! What people reported, group e, and the limits of the kernel's tool: an answer, or an error that says what and where.

use elfgraft_testkit::btf::{Btf, FUNC, functions};
use elfgraft_testkit::btf_ids::{Entry, Member, btf_ids};
use elfgraft_testkit::consts::*;
use elfgraft_testkit::elf::{ElfSpec, Section};
use elfgraft_testkit::format::Format;
use elfgraft_testkit::inputs::{g1_many_sections_with_btf_ids, g4_entries};

use crate::make::module;
use crate::model::{Types, ids};
use crate::upstream::{Done, ours, run};
use crate::util::{Dir, same};

fn resolve(elf: &[u8], btf: &[u8], base: Option<&[u8]>, args: &[&str]) -> Done {
    let mut files = vec![("x.ko", elf), ("btf", btf)];
    files.extend(base.map(|base| ("base", base)));
    let base = if base.is_some() { &["-b", "base"][..] } else { &[] };
    run(&ours(), &files, &[args, base, &["--btf", "btf", "x.ko"]].concat())
}

fn file<'d>(done: &'d Done, name: &str) -> &'d [u8] {
    &done.files.iter().find(|(n, _)| n == name).unwrap_or_else(|| panic!("{name}: {done:?}")).1
}

/// Panics unless it failed with all these words and wrote nothing.
#[track_caller]
fn refused(done: &Done, words: &[&str]) {
    assert_eq!((done.status, &done.files), (255, &vec![]), "{}", done.err);
    for word in words {
        assert!(done.err.contains(word), "{word:?} in {}", done.err);
    }
}

fn words(format: Format, data: &[u8]) -> Vec<u32> {
    (0..data.len()).step_by(4).map(|at| format.get(data, at, 4) as u32).collect()
}

// Commit 903fad439466, https://github.com/kernel-patches/bpf/pull/8379: IDs or flags in the byte order of the host.
#[test]
fn e1_a_big_endian_module_on_a_little_endian_machine() {
    for format in Format::ALL {
        let kfuncs = [("c", 0x10), ("a", 0x2000_0001), ("b", 0x40)];
        let entries = [Entry::set8("s", kfuncs.map(|(name, flags)| Member::func(name, flags)).to_vec())];
        let (btf, _) = functions(format, &["a", "b", "c"]);
        let done = resolve(&module(format, &entries).build(), &btf.build(), None, &[]);
        assert_eq!(words(format, file(&done, "x.ko.BTF_ids")), [3, 1, 2, 0x2000_0001, 3, 0x40, 4, 0x10], "{format}");
        let btf = file(&done, "x.ko.BTF");
        assert_eq!(format.get(btf, 0, 2), 0xeb9f, "{format}");
    }
    let (btf, _) = functions(Format::X86_64, &["a"]);
    let done = resolve(&module(Format::S390X, &g4_entries()).build(), &btf.build(), None, &[]);
    refused(&done, &["'x.ko'", "the BTF is little-endian, the file is big-endian"]);
}

// https://github.com/sched-ext/sched_ext/issues/1: "multiple IDs found for 'task_struct': 209, 44360 - using 209".
#[test]
fn e2_several_types_of_one_name_can_be_made_fatal() {
    let format = Format::X86_64;
    let mut btf = Btf::new(format);
    btf.structure("task_struct", 8, &[]);
    btf.structure("task_struct", 16, &[]);
    let members = vec![Member::new("struct", "task_struct"), Member::new("struct", "none")];
    let elf = module(format, &[Entry::List(members)]).build();
    let warnings = "WARN: multiple IDs found for 'task_struct': 1, 2 - using 1\n\
                    WARN: resolve_btfids: unresolved symbol none\n";
    let done = resolve(&elf, &btf.build(), None, &[]);
    assert_eq!((done.status, done.err.as_str(), done.files.len()), (0, warnings, 2));
    // The kernel's tool (7.0 to 7.2 at least) forgets about the option; the files are written all the same.
    let fatal = resolve(&elf, &btf.build(), None, &["--fatal_warnings"]);
    assert_eq!((fatal.status, &fatal.err, &fatal.files), (255, &done.err, &done.files));
    let none = module(format, &[Entry::List(vec![])]).build();
    assert_eq!(resolve(&none, &btf.build(), None, &["--fatal_warnings"]).status, 0);
}

// https://github.com/torvalds/linux/blob/master/tools/bpf/resolve_btfids/main.c: ADDR_CNT 100, KSYM_NAME_LEN 512.
#[test]
fn e3_any_number_of_lists_and_names_of_any_length() {
    let format = Format::X86_64;
    let long = "n".repeat(600);
    let members = (0..150).map(|_| Member::new("func", "f")).chain([Member::new("func", &long)]).collect();
    let (btf, _) = functions(format, &["f", &long]);
    let done = resolve(&module(format, &[Entry::List(members)]).build(), &btf.build(), None, &[]);
    assert_eq!((done.status, done.err.as_str()), (0, ""));
    assert_eq!(words(format, file(&done, "x.ko.BTF_ids")), [[2; 150].as_slice(), &[3]].concat());
}

// The same file compares the 16 bits of `st_shndx`.
#[test]
fn e3_a_section_index_beyond_16_bits() {
    for format in [Format::X86_64, Format::S390X] {
        let (btf, _) = functions(format, &["a", "b", "c"]);
        let elf = g1_many_sections_with_btf_ids(format, 66_000, 65_999);
        let done = resolve(&elf, &btf.build(), None, &[]);
        assert_eq!((done.status, done.err.as_str()), (0, "WARN: resolve_btfids: unresolved symbol s\n"));
        assert_eq!(words(format, file(&done, "x.ko.BTF_ids")), [0, 3, 1, 2, 0x20, 3, 0x40, 4, 0x10], "{format}");

        let dir = Dir::new();
        dir.write("x.ko", &elf);
        dir.write("blob", file(&done, "x.ko.BTF_ids"));
        let run = dir.cmd(ours(), &["--patch_btfids", "blob", "x.ko"]).run();
        run.check(run.code() == Some(0), "exit status 0");
        same(&dir.elf("x.ko").sections[65_999].data, file(&done, "x.ko.BTF_ids"), "the words");
    }
}

// https://github.com/eweOS/packages/issues/7269: "FAILED: btf permute: Invalid argument / FAILED to sort BTF", and no
// word of which type.
#[test]
fn e4_what_cannot_be_rewritten_is_named_and_old_output_kept() {
    let format = Format::X86_64;
    let mut btf = Btf::new(format);
    btf.int("int", 4);
    btf.raw("new", 20 << 24, 0, &[]);
    let elf = module(format, &g4_entries()).build();
    refused(&resolve(&elf, &btf.build(), None, &[]), &["FAILED: load BTF from btf", "type 2 has kind 20"]);

    let mut btf = Btf::new(format);
    btf.func("f", 7);
    refused(&resolve(&elf, &btf.build(), None, &[]), &["FAILED: load BTF from btf", "type 1 (FUNC)", "type 7"]);
    let dir = Dir::new();
    dir.write("x.ko", &elf);
    dir.write("x.ko.BTF", "of an earlier run");
    dir.write("btf", btf.build());
    assert_eq!(dir.cmd(ours(), &["--btf", "btf", "x.ko"]).run().code(), Some(255));
    assert_eq!(dir.read("x.ko.BTF"), b"of an earlier run");
}

// https://git.ipfire.org/cgi-bin/gitweb.cgi?a=commit&h=2583e81fd8852e6cf6730c4463b6580deb7a8aad&p=thirdparty%2Flinux.git:
// kfuncs get new prototypes and BTF another order before IDs are looked up.
#[test]
fn e5_ids_are_those_of_the_btf_that_is_written() {
    for format in Format::FOUR {
        let mut base = Btf::new(format);
        let aux = base.structure("bpf_prog_aux", 8, &[]);
        let aux = base.ptr(aux);
        let mut btf = Btf::split(format, base.type_count(), base.str_len());
        let proto = btf.func_proto(0, &[("aux", aux)]);
        for name in ["z", "a"] {
            let func = btf.func(name, proto);
            btf.decl_tag("bpf_kfunc", func);
        }
        let kfuncs = vec![Member::func("z", 1 << 16), Member::func("a", 2)];
        let list = Entry::List(vec![Member::new("func", "z_impl"), Member::new("struct", "bpf_prog_aux")]);
        let elf = module(format, &[Entry::set8("s", kfuncs), list]).build();
        for distill in [&[][..], &["--distill_base"]] {
            let done = resolve(&elf, &btf.build(), Some(&base.build()), distill);
            let base = if distill.is_empty() { base.build() } else { file(&done, "x.ko.BTF.base").to_vec() };
            let types = Types::read(file(&done, "x.ko.BTF"), Some(&Types::read(&base, None)));
            let id = |kind, name| types.id(kind, name);
            let expected = [2, 1, id("func", "a"), 2, id("func", "z"), 1 << 16, id("func", "z_impl"), 1];
            assert_eq!(words(format, file(&done, "x.ko.BTF_ids")), expected, "{format} {distill:?}");
            assert!(id("func", "z_impl") > id("func", "z") && id("func", "a") != 0);
        }
    }
}

// https://github.com/shuuri-labs/pocknix-os/issues/92: broken strings in a module's BTF; found when it is loaded. Here:
// each reference that leads nowhere, with its numbers.
#[test]
fn e10_btf_that_leads_nowhere_is_not_written() {
    let format = Format::X86_64;
    let elf = module(format, &g4_entries()).build();
    let mut base = Btf::new(format);
    base.int("int", 4);
    let good = |build: fn(&mut Btf) -> u32| {
        let mut btf = Btf::split(format, base.type_count(), base.str_len());
        build(&mut btf);
        btf.build()
    };
    let base = base.build();
    let cases: [(Vec<u8>, &[&str]); 3] = [
        (good(|btf| btf.ptr(9)), &["type 2 (PTR) refers to type 9", "up to 2"]),
        (good(|btf| btf.raw("s", 4 << 24 | 1, 4, &[77, 1, 0])), &["type 2 (STRUCT)", "string offset 0x4d"]),
        (good(|btf| btf.raw("f", FUNC << 24, 1, &[])), &["type 2 (FUNC) refers to type 1, of kind INT"]),
    ];
    for (btf, words) in &cases {
        refused(&resolve(&elf, btf, Some(&base), &[]), &[&["FAILED: load BTF from btf: "], *words].concat());
    }
    // Made for a base that had more types and strings.
    let mut other = Btf::split(format, 20, 300);
    other.simple(8, "alias", 1);
    let words = ["load BTF from btf: BTF type 2 (TYPEDEF)", "string offset 0x12c", "the strings end at"];
    refused(&resolve(&elf, &other.build(), Some(&base), &[]), &words);
    // For one that had less: names begin in the middle of others.
    let mut other = Btf::split(format, 0, 2);
    for name in ["alias", "another", "and_one"] {
        other.simple(7, name, 0);
    }
    let words = ["load BTF from btf: ", "names begin inside a string", "made for another base"];
    refused(&resolve(&elf, &other.build(), Some(&Btf::new(format).build()), &[]), &words);
    // In a circle: no kernel would have it, and nothing may turn in it for ever.
    let mut circle = Btf::new(format);
    circle.simple(10, "", 2);
    circle.simple(9, "", 1);
    let proto = circle.func_proto(0, &[("p", 1)]);
    let func = circle.func("a", proto);
    circle.decl_tag("bpf_kfunc", func);
    let kfunc = module(format, &[Entry::set8("s", vec![Member::func("a", 1 << 16)])]).build();
    assert_eq!(resolve(&kfunc, &circle.build(), None, &[]).status, 0);
}

// Not reported, but told by nobody: BTF read on top of a base that it does not continue, or without the one it does.
#[test]
fn base_and_btf_that_do_not_go_together_are_refused() {
    let format = Format::X86_64;
    let elf = module(format, &g4_entries()).build();
    let mut base = Btf::new(format);
    base.int("int", 4);
    let mut split = Btf::split(format, base.type_count(), base.str_len());
    split.simple(8, "t", 1);
    let (base, split) = (base.build(), split.build());
    refused(&resolve(&elf, &base, Some(&base), &[]), &["FAILED: load BTF from btf", "does not continue the base"]);
    refused(&resolve(&elf, &split, None, &[]), &["FAILED: load BTF from btf", "split BTF and needs its base"]);
    refused(&resolve(&elf, &split, Some(&split), &[]), &["FAILED: load base BTF from base", "needs its base"]);
    let swapped = functions(Format::S390X, &["a"]).0.build();
    refused(&resolve(&elf, &split, Some(&swapped), &[]), &["FAILED: load BTF from btf", "endian"]);
    refused(&resolve(&elf, b"no BTF", None, &[]), &["FAILED: load BTF from btf"]);
    for len in [0, 1, 10, 23, split.len() - 1] {
        refused(&resolve(&elf, &split[..len], Some(&base), &[]), &["FAILED: load BTF from btf"]);
        refused(
            &resolve(&elf, &split, Some(&base[..len.min(base.len() - 1)]), &[]),
            &["FAILED: load base BTF from base"],
        );
    }
}

// What only a symbol's size or place gives away.
#[test]
fn sets_and_symbols_that_contradict_each_other_are_refused() {
    let format = Format::X86_64;
    let (btf, _) = functions(format, &["a", "b", "c"]);
    let set = |name| Entry::set(name, vec![Member::func("a", 0)]);
    let elf = module(format, &[set("s"), set("s")]).build();
    refused(&resolve(&elf, &btf.build(), None, &[]), &["'x.ko'", "symbol '__BTF_ID__set__s'", "second set"]);
    let (words, mut symbols) = btf_ids(format, &[set("s")], ".BTF_ids", 0);
    for symbol in symbols.iter_mut().filter(|symbol| symbol.name.starts_with(b"__BTF_ID__func")) {
        symbol.value = 400;
    }
    let spec = ElfSpec::new(format, ET_REL).section(Section::progbits(".BTF_ids", SHF_ALLOC, words)).symbols(symbols);
    let done = resolve(&spec.build(), &btf.build(), None, &[]);
    assert_eq!((done.status, done.err.as_str()), (255, "FAILED patching index 400 out of bounds 8\n"));
}

// https://patchew.org/linux/20260410131343.2519532-1-petr.pavlu@suse.com/: the second run of the kernel's tool gives flags to
// other kfuncs. In a file that it has patched, and whose BTF was not embedded, which function has implicit arguments is
// found together with the IDs.
#[test]
fn b2_flags_are_found_again_without_embedded_btf() {
    let format = Format::X86_64;
    let mut btf = Btf::new(format);
    let aux = btf.structure("bpf_prog_aux", 8, &[]);
    let aux = btf.ptr(aux);
    let (implicit, proto) = (btf.func_proto(0, &[("aux", aux)]), btf.func_proto(0, &[]));
    for (name, proto) in [("c", implicit), ("a", proto), ("b", implicit), ("b_impl", implicit)] {
        let func = btf.func(name, proto);
        btf.decl_tag("bpf_kfunc", func);
    }
    let kfuncs = [("c", 1 << 16), ("a", 2), ("b", 1 << 16 | 4), ("b_impl", 8)];
    let entries = [Entry::set8("s", kfuncs.map(|(name, flags)| Member::func(name, flags)).to_vec())];
    let dir = Dir::new();
    dir.write("x.ko", module(format, &entries).build());
    dir.write("btf", btf.build());
    let outputs = || {
        dir.cmd(ours(), &["--btf", "btf", "x.ko"]).run().quiet();
        (dir.read("x.ko.BTF"), dir.read("x.ko.BTF_ids"))
    };
    let first = outputs();
    dir.elfgraft(&["objcopy", "--update-section", ".BTF_ids=x.ko.BTF_ids", "x.ko"]).ok();
    assert_eq!(outputs(), first);
    // Against other BTF nothing proves whose flags they are, and nothing is guessed.
    dir.write("btf", functions(format, &["x", "c", "b", "a"]).0.build());
    let run = dir.cmd(ours(), &["--btf", "btf", "x.ko"]).run();
    assert_eq!(run.code(), Some(255));
    run.warns(&["FAILED: 'x.ko': set 's' at 0x0", "sorted before"]);
    assert_eq!(ids(&dir.elf("x.ko")).sets[0].count, 4);
}

// Kernels before 7.x embed pahole's BTF as it is. A module of theirs whose `.BTF` was removed has IDs of the very BTF that is
// given once more.
#[test]
fn b2_ids_of_the_given_btf_prove_whose_flags_they_are() {
    let format = Format::X86_64;
    let kfuncs = [("m", 1), ("z", 2), ("b", 4)];
    let entries = [Entry::set8("s", kfuncs.map(|(name, flags)| Member::func(name, flags)).to_vec())];
    let dir = Dir::new();
    dir.write("x.ko", module(format, &entries).build());
    let (mut btf, _) = functions(format, &["z", "b", "m"]);
    btf.structure("c", 8, &[]);
    dir.write("btf", btf.build());
    let outputs = || {
        dir.cmd(ours(), &["--btf", "btf", "x.ko"]).run().quiet();
        (dir.read("x.ko.BTF"), dir.read("x.ko.BTF_ids"))
    };
    let first = outputs();
    dir.write("old.ko", dir.read("x.ko"));
    dir.elfgraft(&["btf", "embed", "--raw", "--btf", "btf", "old.ko"]).ok();
    dir.elfgraft(&["dump", ".BTF_ids=words", "old.ko"]).ok();
    assert_ne!(dir.read("words"), first.1);
    dir.elfgraft(&["objcopy", "--update-section", ".BTF_ids=words", "x.ko"]).ok();
    assert_eq!(outputs(), first);
    dir.elfgraft(&["btf", "embed", "--btf", "btf", "x.ko"]).ok();
    dir.elfgraft(&["dump", ".BTF_ids=words", "x.ko"]).ok();
    assert_eq!(dir.read("words"), first.1);
}
