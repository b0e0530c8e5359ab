//! What `btf embed` does to `.BTF`, `.BTF.base` and everything else in the file.

use elfgraft_testkit::btf::Btf;
use elfgraft_testkit::btf_ids::{Entry, Member};
use elfgraft_testkit::consts::*;
use elfgraft_testkit::diff::semantic_diff;
use elfgraft_testkit::elf::Section;
use elfgraft_testkit::format::Format;
use elfgraft_testkit::read::ReadElf;

use crate::make::module;
use crate::model::{Types, ids};
use crate::util::{Dir, fixture, same};

/// A distilled base of one INT, and split BTF on it with functions `f` and `g`.
fn distilled(format: Format, types: u32) -> (Vec<u8>, Vec<u8>, Types) {
    let mut base = Btf::new(format);
    for i in 0..types {
        base.int(&format!("int{i}"), 4);
    }
    let mut split = Btf::split(format, base.type_count(), base.str_len());
    let proto = split.func_proto(1, &[]);
    split.func("f", proto);
    split.func("g", proto);
    let (base, split) = (base.build(), split.build());
    let types = Types::read(&split, Some(&Types::read(&base, None)));
    (base, split, types)
}

fn entries() -> Vec<Entry> {
    vec![Entry::set8("s", vec![Member::func("g", 2), Member::func("f", 1)])]
}

#[test]
fn a_distilled_base_is_embedded_and_continued() {
    for format in Format::FOUR {
        let dir = Dir::new();
        let fresh = module(format, &entries()).build();
        dir.write("m.ko", &fresh);
        let (base, split, types) = distilled(format, 3);
        dir.write("m.ko.BTF.base", &base);
        dir.write("m.ko.BTF", &split);
        let embed = ["btf", "embed", "--raw", "--btf", "{}.BTF", "--distilled-base", "{}.BTF.base", "m.ko"];
        dir.elfgraft(&embed).quiet();
        let (once, elf) = (dir.read("m.ko"), dir.elf("m.ko"));
        assert_eq!((&elf.section(".BTF.base").data, &elf.section(".BTF").data), (&base, &split));
        for name in [".BTF", ".BTF.base"] {
            let section = elf.section(name);
            assert_eq!((section.flags, section.addralign, section.offset % 4), (0, 4, 0), "{name}");
        }
        ids(&elf).assert_resolved(&types, "distilled");

        // No other base is asked for, and none is listened to.
        let vmlinux = Btf::new(format).build();
        dir.write("vmlinux", vmlinux);
        for args in [
            vec!["btf", "embed", "m.ko"],
            vec!["btf", "embed", "--btf-base", "vmlinux", "m.ko"],
            vec!["btf-ids", "resolve", "--btf-base", "vmlinux", "m.ko"],
            vec!["btf-ids", "check", "--btf-base", "vmlinux", "m.ko"],
            vec!["btf-ids", "sort", "m.ko"],
        ] {
            dir.elfgraft(&args).ok();
            same(&dir.read("m.ko"), &once, &args.join(" "));
        }

        // Another one, of another size, and back.
        let (other_base, other_split, other_types) = distilled(format, 20);
        dir.write("other.base", &other_base);
        dir.write("other", &other_split);
        dir.elfgraft(&["btf", "embed", "--raw", "--btf", "other", "--distilled-base", "other.base", "m.ko"]).quiet();
        ids(&dir.elf("m.ko")).assert_resolved(&other_types, "other");
        dir.elfgraft(&embed).quiet();
        same(&dir.read("m.ko"), &once, "and back");
    }
}

#[test]
fn a_base_that_the_new_btf_does_not_continue_goes() {
    for format in Format::FOUR {
        let dir = Dir::new();
        let (base, split, types) = distilled(format, 3);
        dir.write("m.ko", module(format, &entries()).build());
        for (name, data) in [("base", &base), ("split", &split)] {
            dir.write(name, data);
        }
        dir.elfgraft(&["btf", "embed", "--raw", "--btf", "split", "--btf-base", "base", "m.ko"]).quiet();
        let without = dir.read("m.ko");
        dir.elfgraft(&["btf", "embed", "--raw", "--btf", "split", "--distilled-base", "base", "m.ko"]).quiet();
        assert!(dir.elf("m.ko").index_of(".BTF.base").is_some());
        dir.elfgraft(&["btf", "embed", "--raw", "--btf", "split", "--btf-base", "base", "m.ko"]).quiet();
        assert_eq!(dir.elf("m.ko").index_of(".BTF.base"), None);
        ids(&dir.elf("m.ko")).assert_resolved(&types, "without");
        same(&dir.read("m.ko"), &without, "as if it had never been there");
    }
}

#[test]
fn nothing_else_changes() {
    for file in ["demo.ko", "demo-stripped.ko", "demo-lld.ko"] {
        let dir = Dir::with(&[file, "demo.btf", "vmlinux.btf"]);
        let before = dir.read(file);
        dir.elfgraft(&["btf", "embed", "--raw", "--btf", "demo.btf", "--btf-base", "vmlinux.btf", file]).ok();
        for line in semantic_diff(&before, &dir.read(file)) {
            let expected = line.contains(".BTF") || line.contains("__BTF_ID__");
            assert!(expected, "{file}: {line}");
        }
    }
}

#[test]
fn alignment_that_is_greater_stays() {
    let dir = Dir::with(&["demo.btf", "demo-small.btf", "vmlinux.btf"]);
    for (align, expected) in [(0, 4), (1, 4), (2, 4), (4, 4), (16, 16)] {
        let btf = Section::progbits(".BTF", 0, [1, 2, 3]).align(align);
        dir.write("m.ko", module(Format::X86_64, &entries()).section(btf).build());
        dir.elfgraft(&["btf", "embed", "--raw", "--btf", "demo.btf", "--btf-base", "vmlinux.btf", "m.ko"]).ok();
        let elf = dir.elf("m.ko");
        assert_eq!((elf.section(".BTF").addralign, elf.section(".BTF").offset % expected), (expected, 0));
    }
}

/// `.BTF_ids` that resolve_btfids resolved beside the module: symbols are put right, words are those given.
#[test]
fn ids_that_are_resolved_already() {
    for (file, name, base) in [("demo-stripped.ko", "demo", Some("vmlinux.btf")), ("odd.o", "odd", None)] {
        let dir = Dir::with(&[file]);
        dir.write("btf", fixture(&format!("{name}.btf")));
        base.into_iter().for_each(|base| dir.write(base, fixture(base)));
        let types = Types::read(&dir.read("btf"), base.map(|base| Types::read(&fixture(base), None)).as_ref());
        let resolved = crate::model::upstream(&dir.read(file), &types);
        dir.write("ids", &ReadElf::parse(&resolved).section(".BTF_ids").data);
        let fresh = ids(&dir.elf(file)).flags();
        let base: Vec<&str> = base.iter().flat_map(|base| ["--btf-base", base]).collect();
        let embed = |more: &[&'static str]| [&["btf", "embed", "--raw", "--btf", "btf"][..], &base, more].concat();
        let run = dir.elfgraft(&embed(&["--btf-ids", "ids", file]));
        if name == "odd" {
            // Two entries without ID and with other flags: nothing tells whose is which.
            run.fails(&["'odd.o'", "set 'odd_pairs'", "several 0"]);
            continue;
        }
        run.quiet();
        let given = dir.read(file);
        assert_eq!(ids(&dir.elf(file)).flags(), fresh);
        dir.write("other.ko", fixture(file));
        dir.elfgraft(&embed(&["other.ko"])).ok();
        same(&given, &dir.read("other.ko"), "as resolved by elfgraft");
        dir.elfgraft(&embed(&["--btf-ids", "ids", file])).quiet();
        same(&given, &dir.read(file), "twice");
    }
}

#[test]
fn a_signature_is_dropped_only_on_request() {
    let dir = Dir::with(&["demo-signed.ko", "demo-stripped.ko", "demo.btf", "vmlinux.btf"]);
    let embed = ["btf", "embed", "--raw", "--btf", "demo.btf", "--btf-base", "vmlinux.btf"];
    let before = dir.read("demo-signed.ko");
    let run = dir.elfgraft(&[&embed[..], &["demo-signed.ko"]].concat());
    run.check(run.code() == Some(1) && run.stderr().contains("--drop-signature"), "a refusal");
    same(&dir.read("demo-signed.ko"), &before, "refused");
    dir.elfgraft(&[&embed[..], &["--drop-signature", "demo-signed.ko"]].concat()).ok();
    dir.elfgraft(&[&embed[..], &["demo-stripped.ko"]].concat()).ok();
    same(&dir.read("demo-signed.ko"), &dir.read("demo-stripped.ko"), "without its signature");

    // Signed after embedding: the same command finds nothing to do, and the signature stays.
    let mut signed = dir.read("demo-stripped.ko");
    signed.extend(&before[fixture("demo-stripped.ko").len()..]);
    dir.write("demo-signed.ko", &signed);
    for command in [&embed[..], &["btf-ids", "resolve", "--btf-base", "vmlinux.btf"], &["btf-ids", "sort"]] {
        let run = dir.elfgraft(&[command, &["demo-signed.ko"]].concat());
        run.check(run.code() == Some(0), "nothing to do");
        same(&dir.read("demo-signed.ko"), &signed, "still signed");
    }
}

#[test]
fn a_file_without_ids_gets_its_btf() {
    let dir = Dir::with(&["livepatch.ko", "demo.btf", "vmlinux.btf"]);
    let before = dir.read("livepatch.ko");
    dir.elfgraft(&["btf", "embed", "--raw", "--btf", "demo.btf", "--btf-base", "vmlinux.btf", "livepatch.ko"]).quiet();
    let after = dir.read("livepatch.ko");
    let diff = semantic_diff(&before, &after);
    assert!(!diff.is_empty() && diff.iter().all(|line| line.contains(".BTF")), "{diff:?}");
    // Fresh and empty sections are no ids either.
    for spec in [module(Format::X86_64, &[Entry::Unused(vec![0, 0])]), module(Format::X86_64, &[])] {
        dir.write("m.ko", spec.build());
        dir.elfgraft(&["btf", "embed", "--raw", "--btf", "demo.btf", "--btf-base", "vmlinux.btf", "m.ko"]).quiet();
        assert!(dir.elf("m.ko").index_of(".BTF").is_some());
    }
}

#[test]
fn standard_input_and_dry_run() {
    let dir = Dir::with(&["demo.ko", "demo.btf", "vmlinux.btf"]);
    let embed = ["btf", "embed", "--raw", "--btf", "demo.btf", "--btf-base", "vmlinux.btf"];
    let stamp = dir.stamp("demo.ko");
    let run = dir.elfgraft(&[&embed[..], &["--dry-run", "demo.ko"]].concat()).ok();
    for words in ["add section '.BTF'", "symbols get a new st_value", "bytes written"] {
        assert!(run.text().contains(words), "{}", run.text());
    }
    assert_eq!(dir.stamp("demo.ko"), stamp);
    let piped = dir.cmd(crate::util::ELFGRAFT, &[&embed[..], &["-"]].concat()).stdin(dir.read("demo.ko")).run().ok();
    dir.elfgraft(&[&embed[..], &["demo.ko"]].concat()).ok();
    same(piped.stdout(), &dir.read("demo.ko"), "through pipes");
    assert_eq!(dir.elf("demo.ko").section(".BTF").sh_type, SHT_PROGBITS);
}
