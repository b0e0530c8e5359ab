//! vmlinux: ET_EXEC, allocated sections, addresses for offsets.

use std::os::unix::fs::MetadataExt;

use crate::model::{ids, only_ids_differ};
use crate::util::{Dir, fixture, same};

fn text(name: &str) -> String {
    String::from_utf8(fixture(name)).unwrap()
}

#[test]
fn resolved_in_place_only_words_and_st_value_change() {
    for file in ["vmlinux", "vmlinux-relocs"] {
        let dir = Dir::with(&[file]);
        let (before, inode) = (dir.read(file), dir.metadata(file).ino());
        let resolve = ["btf-ids", "resolve", "--in-place", file];
        let warning = "the BTF has no STRUCT";
        dir.elfgraft(&resolve).ok().warns(&[warning]);
        let once = dir.read(file);
        only_ids_differ(&before, &once, file);
        assert_eq!(ids(&dir.elf(file)).table(), text("vmlinux.ids"));
        assert_eq!(ids(&dir.elf(file)).flags(), ids(&elfgraft_testkit::read::ReadElf::parse(&before)).flags());
        let stamp = dir.metadata(file).ino();
        assert_eq!(stamp, inode, "edited in place");

        for command in ["resolve", "sort"] {
            dir.elfgraft(&["btf-ids", command, "--in-place", file]).ok();
            dir.elfgraft(&["btf-ids", command, file]).ok();
            same(&dir.read(file), &once, command);
        }
        dir.elfgraft(&["btf", "embed", file]).ok();
        same(&dir.read(file), &once, "embed");
        dir.elfgraft(&["btf-ids", "check", file]).ok();

        // Replaced by a new file, the same bytes.
        dir.write(file, &before);
        dir.elfgraft(&["btf-ids", "resolve", file]).ok();
        same(&dir.read(file), &once, "not in place");
    }
}

#[test]
fn sorted_by_the_kernels_tool_it_is_put_right_in_place() {
    let file = "vmlinux-upstream-sorted";
    let dir = Dir::with(&[file]);
    let (before, inode) = (dir.read(file), dir.metadata(file).ino());
    let check = dir.elfgraft(&["btf-ids", "check", file]);
    let stale = check.text().matches("[stale-symbol]").count();
    assert!(check.code() == Some(1) && stale > 3, "{}", check.text());
    let sort = dir.elfgraft(&["btf-ids", "sort", "--in-place", file]).ok();
    sort.warns(&[&format!("{stale} symbols had been left behind")]);
    only_ids_differ(&before, &dir.read(file), file);
    assert_eq!(dir.metadata(file).ino(), inode);
    assert_eq!(ids(&dir.elf(file)).table(), text("vmlinux.ids"));
    assert_eq!(
        dir.elf(file).section(".BTF_ids").data,
        elfgraft_testkit::read::ReadElf::parse(&before).section(".BTF_ids").data
    );
    dir.elfgraft(&["btf-ids", "check", file]).ok();
    // Now it can be resolved as if it came from the linker.
    let once = dir.read(file);
    dir.elfgraft(&["btf-ids", "resolve", "--in-place", file]).ok();
    same(&dir.read(file), &once, "resolve after sort");
}

#[test]
fn sort_says_what_it_would_write_and_writes_nothing() {
    let file = "vmlinux-upstream-sorted";
    let dir = Dir::with(&[file]);
    let stamp = dir.stamp(file);
    let run = dir.elfgraft(&["btf-ids", "sort", "--dry-run", file]).ok();
    assert!(run.text().contains("symbols get a new st_value"), "{}", run.text());
    assert_eq!(dir.stamp(file), stamp);
}
