//! Modification times.

use super::*;

fn modified(dir: &Dir, name: &str) -> SystemTime {
    dir.metadata(name).modified().unwrap()
}

/// make needs the new time even when there was nothing to write, or it would come again and again.
#[test]
fn the_modification_time_is_now_unless_it_is_to_be_kept() {
    let dir = Dir::with(&["demo.ko", "demo.btf"]);
    let past = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    let age = |name: &str| fs::File::options().append(true).open(dir.path(name)).unwrap().set_modified(past).unwrap();
    dir.elfgraft(&["set", ".BTF=demo.btf", "demo.ko"]).quiet();
    let inode = dir.metadata("demo.ko").ino();
    for in_place in [&[][..], &["--in-place"]] {
        age("demo.ko");
        dir.elfgraft(&[&["set", ".BTF=demo.btf"][..], in_place, &["demo.ko"]].concat()).quiet();
        assert!(modified(&dir, "demo.ko").elapsed().unwrap() < Duration::from_secs(60));
        age("demo.ko");
        dir.elfgraft(&[&["set", "-p", ".BTF=demo.btf"][..], in_place, &["demo.ko"]].concat()).quiet();
        assert_eq!(modified(&dir, "demo.ko"), past);
        assert_eq!(dir.metadata("demo.ko").ino(), inode, "nothing was to be written");
    }
    // When something was, too.
    for args in [&["set", "-p", ".new=demo.btf", "demo.ko"][..], &["objcopy", "-p", "-R", ".new", "demo.ko"]] {
        age("demo.ko");
        dir.elfgraft(args).quiet();
        assert_eq!(modified(&dir, "demo.ko"), past, "{args:?}");
    }
    dir.objcopy(&["-p", "demo.ko", "kept.ko"]).quiet();
    dir.objcopy(&["demo.ko", "new.ko"]).quiet();
    assert_eq!(modified(&dir, "kept.ko"), past);
    assert!(modified(&dir, "new.ko") > past);
}
