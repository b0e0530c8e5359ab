//! The files of testdata/, against what `tools/ids.py` worked out.

use elfgraft_testkit::diff::semantic_diff;

use crate::model::{Types, ids, only_ids_differ};
use crate::util::{Dir, fixture, same};

/// File, name of its BTF, and what that continues.
const FILES: [(&str, &str, Option<&str>); 16] = [
    ("demo.ko", "demo", Some("vmlinux.btf")),
    ("demo.ko", "demo2", Some("vmlinux2.btf")),
    ("demo-stripped.ko", "demo", Some("vmlinux.btf")),
    ("demo-gnu.ko", "demo2", Some("vmlinux2.btf")),
    ("demo-llvm.ko", "demo", Some("vmlinux.btf")),
    ("obj-x86_64.o", "obj-x86_64", None),
    ("obj-x32.o", "obj-x32", None),
    ("obj-i386.o", "obj-i386", None),
    ("obj-arm.o", "obj-arm", None),
    ("obj-mips.o", "obj-mips", None),
    ("obj-powerpc.o", "obj-powerpc", None),
    ("obj-s390x.o", "obj-s390x", None),
    ("obj-mips64el.o", "obj-mips64el", None),
    ("obj-riscv64.o", "obj-riscv64", None),
    ("odd.o", "odd", None),
    ("tagged.o", "tagged", None),
];

fn text(name: &str) -> String {
    String::from_utf8(fixture(name)).unwrap()
}

/// `before`, the options for the base, `after`.
fn line<'a>(before: &[&'a str], base: Option<&'a str>, after: &[&'a str]) -> Vec<&'a str> {
    let base = base.map(|base| vec!["--btf-base", base]).unwrap_or_default();
    [before, &base, after].concat()
}

#[test]
fn embedding_gives_what_the_independent_program_says() {
    for (file, name, base) in FILES {
        let btf = format!("{name}.btf");
        let dir = Dir::with(&line(&[file, &btf], None, &base.map_or(vec![], |base| vec![base])));
        let embed = line(&["btf", "embed", "--raw", "--btf", &btf], base, &[file]);
        dir.elfgraft(&embed).ok();
        let (once, elf) = (dir.read(file), dir.elf(file));
        assert_eq!(ids(&elf).table(), text(&format!("{name}.ids")), "{file}");
        let section = elf.section(".BTF");
        assert_eq!((&section.data, section.addralign, section.offset % 4), (&fixture(&btf), 4, 0), "{file}");

        // Again; with the BTF that is in the file now; and what the other commands make of it.
        let inode = std::os::unix::fs::MetadataExt::ino(&dir.metadata(file));
        for command in [&["btf", "embed"][..], &["btf-ids", "resolve"], &["btf-ids", "sort"]] {
            dir.elfgraft(&embed).ok();
            dir.elfgraft(&line(command, base, &[file])).ok();
            same(&dir.read(file), &once, file);
        }
        assert_eq!(std::os::unix::fs::MetadataExt::ino(&dir.metadata(file)), inode, "nothing was written");
        dir.elfgraft(&line(&["btf-ids", "check"], base, &[file])).ok();
    }
}

#[test]
fn embedding_is_setting_and_resolving_and_nothing_else() {
    for (file, name, base) in FILES {
        let btf = format!("{name}.btf");
        let dir = Dir::with(&line(&[file, &btf], None, &base.map_or(vec![], |base| vec![base])));
        dir.write("other", dir.read(file));
        dir.elfgraft(&line(&["btf", "embed", "--raw", "--btf", &btf], base, &[file])).ok();
        // Aligned from the start, and not as another tool may have left it.
        let old = dir.elf("other").index_of(".BTF");
        if old.is_some() {
            dir.elfgraft(&["remove", ".BTF", "other"]).ok();
            dir.elfgraft(&["remove", ".BTF", file]).ok();
        } else {
            dir.elfgraft(&["set", &format!(".BTF={btf}"), "other"]).ok();
        }
        let before = dir.read("other");
        dir.elfgraft(&line(&["btf-ids", "resolve", "--btf", &btf], base, &["other"])).ok();
        only_ids_differ(&before, &dir.read("other"), file);
        same(&dir.read("other"), &dir.read(file), file);
    }
}

#[test]
fn a_b_a_gives_the_bytes_of_a() {
    let dir = Dir::with(&["demo.ko", "demo.btf", "demo2.btf", "vmlinux.btf", "vmlinux2.btf"]);
    let embed = |name: &str, base: &str, old: &str| {
        let btf = format!("{name}.btf");
        dir.elfgraft(&["btf", "embed", "--raw", "--btf", &btf, "--btf-base", base, "--old-btf-base", old, "demo.ko"])
            .ok();
        assert_eq!(ids(&dir.elf("demo.ko")).table(), text(&format!("{name}.ids")));
        dir.read("demo.ko")
    };
    let a = embed("demo", "vmlinux.btf", "vmlinux.btf");
    let b = embed("demo2", "vmlinux2.btf", "vmlinux.btf");
    same(&embed("demo", "vmlinux.btf", "vmlinux2.btf"), &a, "A, B, A");
    same(&embed("demo2", "vmlinux2.btf", "vmlinux.btf"), &b, "B, A, B");
    // The bases have changed, and nobody kept the old one: most sets tell by their order that elfgraft sorted them.
    same(&embed("demo", "vmlinux.btf", "vmlinux.btf"), &a, "from B, the old base not known");
}

#[test]
fn what_another_tool_sorted_is_put_right_by_the_btf_it_refers_to() {
    let dir = Dir::with(&["demo-upstream-sorted.ko", "vmlinux.btf", "vmlinux2.btf", "demo2.btf"]);
    let file = "demo-upstream-sorted.ko";
    dir.write("fresh.ko", fixture("demo-stripped.ko"));
    dir.elfgraft(&["btf", "embed", "--raw", "--btf", "demo2.btf", "--btf-base", "vmlinux2.btf", "fresh.ko"]).ok();
    let check = dir.elfgraft(&["btf-ids", "check", "--btf-base", "vmlinux.btf", file]);
    assert_eq!((check.code(), check.text().matches("[stale-symbol]").count()), (Some(1), 14));

    let before = dir.read(file);
    let sort = dir.elfgraft(&["btf-ids", "sort", "--btf-base", "vmlinux.btf", file]).ok();
    sort.warns(&["14 symbols had been left behind"]);
    assert_eq!(ids(&dir.elf(file)).table(), text("demo.ids"));
    only_ids_differ(&before, &dir.read(file), file);
    dir.elfgraft(&["btf-ids", "check", "--btf-base", "vmlinux.btf", file]).ok();

    // In one step, with other BTF.
    dir.write(file, before);
    let embed = ["btf", "embed", "--raw", "--btf", "demo2.btf", "--btf-base", "vmlinux2.btf"];
    dir.elfgraft(&[&embed[..], &["--old-btf-base", "vmlinux.btf", file]].concat()).ok();
    assert_eq!(ids(&dir.elf(file)).table(), text("demo2.ids"));
    assert_eq!(semantic_diff(&dir.read(file), &dir.read("fresh.ko")), [""; 0], "as if nobody had sorted it");
}

#[test]
fn sets_of_equal_ids_and_zeros_stay_as_the_linker_made_them() {
    let dir = Dir::with(&["odd.o", "odd.btf"]);
    let fresh = ids(&dir.elf("odd.o")).flags();
    for _ in 0..3 {
        let run = dir.elfgraft(&["btf", "embed", "--raw", "--btf", "odd.btf", "odd.o"]).ok();
        let run = run.warns(&["several STRUCT 'twice'", "no FUNC 'odd_missing_b'"]);
        assert!(!run.stderr().contains("only_here"), "{}", run.stderr());
        assert_eq!(ids(&dir.elf("odd.o")).flags(), fresh);
        assert_eq!(ids(&dir.elf("odd.o")).table(), text("odd.ids"));
    }
}

#[test]
fn every_object_is_resolved_as_its_words_are_read() {
    for (file, name, base) in FILES.iter().filter(|(file, ..)| file.starts_with("obj-")) {
        let btf = fixture(&format!("{name}.btf"));
        let dir = Dir::with(&[file]);
        dir.write("btf", &btf);
        assert_eq!(*base, None);
        dir.elfgraft(&["btf-ids", "resolve", "--btf", "btf", file]).quiet();
        ids(&dir.elf(file)).assert_resolved(&Types::read(&btf, None), file);
    }
}
