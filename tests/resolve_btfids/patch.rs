//! `--patch_btfids`: the words of the blob, in place, and the symbols with their entries.

use std::os::unix::fs::MetadataExt;

use elfgraft_testkit::btf::{Btf, functions};
use elfgraft_testkit::btf_ids::{Entry, Member};
use elfgraft_testkit::format::Format;
use elfgraft_testkit::inputs::g9_signed;
use elfgraft_testkit::read::ReadElf;

use crate::make::{base, entries, module, pair};
use crate::model::{Types, ids, only_ids_differ};
use crate::upstream::ours;
use crate::util::{Dir, Run, same};
use elfgraft_testkit::rng::Rng;

fn patch<'d>(dir: &'d Dir, args: &[&str]) -> Run<'d> {
    dir.cmd(ours(), &[args, &["--patch_btfids", "x.ko.BTF_ids", "x.ko"]].concat()).run()
}

/// A module with final BTF embedded on top of `base`, and its resolved words beside it.
fn embedded(format: Format, entries: &[Entry], base: &[u8], split: &[u8], distill: bool) -> Dir {
    let dir = Dir::new();
    dir.write("x.ko", module(format, entries).build());
    dir.write("base", base);
    dir.write("split", split);
    let distill = if distill { &["--distill_base"][..] } else { &[] };
    let run = dir.cmd(ours(), &[distill, &["-b", "base", "--btf", "split", "x.ko"]].concat()).run();
    run.check(run.code() == Some(0), "exit status 0");
    for section in [".BTF", ".BTF.base"] {
        if dir.names().contains(&format!("x.ko{section}")) {
            dir.elfgraft(&["set", &format!("{section}=x.ko{section}"), "x.ko"]).ok();
        }
    }
    dir
}

/// Panics unless the file has the words of the blob, and each of them the ID that its symbols ask for.
#[track_caller]
fn assert_patched(dir: &Dir, before: &[u8], types: &Types, what: &str) {
    let elf = dir.elf("x.ko");
    same(&elf.section(".BTF_ids").data, &dir.read("x.ko.BTF_ids"), what);
    ids(&elf).assert_resolved(types, what);
    assert_eq!(ids(&elf).flags(), ids(&ReadElf::parse(before)).flags(), "{what}: flags by symbol");
    only_ids_differ(before, &dir.read("x.ko"), what);
}

#[test]
fn words_and_symbols_go_into_the_file_itself() {
    for (seed, format) in (1..).zip(Format::ALL) {
        let base = base(seed, format.endian);
        let pair = pair(seed, &base, format.endian);
        for (distill, args) in [(false, &["-b", "base"][..]), (true, &[]), (true, &["--btf_base=base"])] {
            let dir = embedded(format, &entries(&mut Rng::new(seed)), &pair.base, &pair.split, distill);
            let (before, stamp) = (dir.read("x.ko"), dir.metadata("x.ko"));
            patch(&dir, args).quiet();
            let what = format!("{format}, {args:?}");
            let base = dir.read(if distill { "x.ko.BTF.base" } else { "base" });
            let types = Types::read(&dir.elf("x.ko").section(".BTF").data, Some(&Types::read(&base, None)));
            assert_patched(&dir, &before, &types, &what);
            assert_eq!(dir.metadata("x.ko").ino(), stamp.ino(), "{what}");
            // Again, and by what was left behind by the kernel's tool.
            let once = dir.read("x.ko");
            patch(&dir, args).quiet();
            same(&dir.read("x.ko"), &once, &what);
        }
    }
}

fn kfuncs() -> [Entry; 2] {
    let list = Entry::List(vec![Member::new("func", "zeta"), Member::new("struct", "in_base")]);
    let kfuncs = ["zeta", "alpha", "mid"].into_iter().zip([1, 2, 4]).map(|(name, flags)| Member::func(name, flags));
    [list, Entry::set8("kfuncs", kfuncs.collect())]
}

fn kfunc_btf(format: Format) -> (Vec<u8>, Vec<u8>, Types) {
    let mut base = Btf::new(format);
    let int = base.int("int", 4);
    base.structure("in_base", 4, &[("x", int, 0)]);
    let mut split = Btf::split(format, base.type_count(), base.str_len());
    let proto = split.func_proto(int, &[("x", int)]);
    for name in ["mid", "zeta", "alpha", "other"] {
        split.func(name, proto);
    }
    let types = Types::read(&base.build(), None);
    (base.build(), split.build(), types)
}

/// The kernel's build does not give the base in this step.
#[test]
fn without_its_base_split_btf_tells_whose_entries_they_are() {
    for format in Format::FOUR {
        let (base, split, base_types) = kfunc_btf(format);
        let dir = embedded(format, &kfuncs(), &base, &split, false);
        let before = dir.read("x.ko");
        patch(&dir, &[]).quiet();
        let types = Types::read(&dir.elf("x.ko").section(".BTF").data, Some(&base_types));
        assert_patched(&dir, &before, &types, &format.to_string());
        assert_ne!(
            ids(&ReadElf::parse(&before)).sets[0].entries[0].symbols,
            ids(&dir.elf("x.ko")).sets[0].entries[0].symbols
        );
    }
}

#[test]
fn without_btf_the_symbols_stay_and_that_is_said() {
    let (base, split, _) = kfunc_btf(Format::X86_64);
    let dir = embedded(Format::X86_64, &kfuncs(), &base, &split, false);
    dir.elfgraft(&["remove", ".BTF", "x.ko"]).ok();
    let before = dir.read("x.ko");
    let run = patch(&dir, &[]);
    run.check(run.code() == Some(0), "exit status 0");
    run.warns(&["resolve_btfids: symbols of 'x.ko' stay where they are", "set 'kfuncs'", "--btf_base"]);
    let elf = dir.elf("x.ko");
    same(&elf.section(".BTF_ids").data, &dir.read("x.ko.BTF_ids"), "the words");
    assert_eq!(elf.symbols(), ReadElf::parse(&before).symbols());
    // What is given is what is written, whatever it is.
    let blob = vec![0xa5; elf.section(".BTF_ids").data.len()];
    dir.write("x.ko.BTF_ids", &blob);
    let run = patch(&dir, &[]);
    run.check(run.code() == Some(0), "exit status 0");
    same(&dir.elf("x.ko").section(".BTF_ids").data, &blob, "the words");
}

#[test]
fn a_blob_of_another_size_and_what_is_no_module_is_refused() {
    let dir = Dir::new();
    let (btf, _) = functions(Format::X86_64, &["zeta", "alpha", "mid"]);
    dir.write("x.ko", module(Format::X86_64, &kfuncs()).build());
    dir.write("btf", btf.build());
    dir.write("signed.ko", g9_signed(Format::X86_64));
    let before = dir.read("x.ko");
    for (blob, elf, says) in [
        (&b"abc"[..], "x.ko", "FAILED: size mismatch - .BTF_ids section in x.ko is 40 bytes, blob is 3 bytes\n"),
        (&[0; 44], "x.ko", "FAILED: size mismatch - .BTF_ids section in x.ko is 40 bytes, blob is 44 bytes\n"),
        (b"", "btf", "resolve_btfids: btf: not an ELF file"),
        (b"", "nothing", "FAILED to open nothing: No such file or directory\n"),
    ] {
        dir.write("blob", blob);
        let run = dir.cmd(ours(), &["--patch_btfids", "blob", elf]).run();
        assert_eq!(run.code(), Some(255), "{elf}");
        run.warns(&[says]);
    }
    let run = dir.cmd(ours(), &["--patch_btfids", "nothing", "x.ko"]).run();
    assert_eq!((run.code(), run.stderr().as_str()), (Some(255), "FAILED to stat nothing: No such file or directory\n"));
    same(&dir.read("x.ko"), &before, "x.ko");

    // A signature covers the bytes that would change.
    dir.write("blob", vec![1; dir.elf("signed.ko").section(".BTF_ids").data.len()]);
    let run = dir.cmd(ours(), &["--patch_btfids", "blob", "signed.ko"]).run();
    assert_eq!(run.code(), Some(255));
    run.warns(&["signature", "FAILED to update ELF file signed.ko"]);
    same(&dir.read("signed.ko"), &g9_signed(Format::X86_64), "signed.ko");
}
