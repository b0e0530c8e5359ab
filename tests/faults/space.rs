//! No space: limits and full disks.

use super::*;

/// SIGXFSZ, which would kill the process as setrlimit(2) has it, is an error, whether it was ignored or not.
#[test]
fn a_limit_on_file_sizes_leaves_the_old_file() {
    for args in [&SET[..], &IN_PLACE] {
        let (dir, old, new) = demo(args);
        // In blocks of 512 bytes: the new file is 39,792 bytes long, the old one 37,872.
        for (blocks, enough) in [(0, false), (1, false), (40, false), (74, false), (77, false), (78, true)] {
            for ignored in ["", "trap '' XFSZ; "] {
                dir.write("demo.ko", &old);
                let run = dir.cmd(ELFGRAFT, args).after(&format!("{ignored}ulimit -f {blocks}")).run();
                if enough {
                    run.quiet();
                    same(&dir.read("demo.ko"), &new, "enough");
                } else {
                    run.fails(&["demo.ko", "File too large"]);
                    same(&dir.read("demo.ko"), &old, &format!("{args:?} with {blocks} blocks"));
                }
                // What the limit did not allow to be undone is undone by the next command.
                if !enough {
                    dir.elfgraft(&["show", "demo.ko"]).ok();
                    same(&dir.read("demo.ko"), &old, &format!("{args:?} with {blocks} blocks, opened again"));
                }
                assert_eq!(dir.names(), ["demo.btf", "demo.ko", "ids"], "{args:?} with {blocks} blocks");
            }
        }
    }
}

#[test]
fn a_full_disk_leaves_the_old_file_and_nothing_else() {
    if !can_mount() {
        return;
    }
    for args in [
        &["set", ".BTF=../demo.btf", "demo.ko"][..],
        &["set", "--in-place", ".BTF=../demo.btf", "demo.ko"],
        &["set", "--fsync", ".BTF=../demo.btf", "demo.ko"],
    ] {
        let (dir, old, new) = demo(&SET);
        let mut outcomes = [0, 0];
        for kb in [40, 44, 48, 60, 76, 80, 88, 120] {
            let run = on_tmpfs(&dir, &format!("{kb}k"), 0, "demo.ko", ELFGRAFT, args);
            let ok = run.code() == Some(0);
            outcomes[usize::from(ok)] += 1;
            if ok {
                same(&dir.read("out/demo.ko"), &new, "on success");
            } else {
                run.fails(&["demo.ko", "No space left on device"]);
                same(&dir.read("out/demo.ko"), &old, &format!("{args:?} on {kb} kB"));
            }
            assert_eq!(fs::read_dir(dir.path("out")).unwrap().count(), 1, "{args:?} on {kb} kB");
        }
        assert!(outcomes[0] > 1 && outcomes[1] > 1, "{args:?}: {outcomes:?}");
    }
}

#[test]
fn a_full_disk_leaves_no_new_file() {
    if !can_mount() {
        return;
    }
    let (dir, _, _) = demo(&SET);
    let run = on_tmpfs(
        &dir,
        "64k",
        0,
        "demo.ko",
        ELFGRAFT,
        &["objcopy", "--add-section=.BTF=../demo.btf", "demo.ko", "new.ko"],
    );
    run.fails(&["'new.ko'", "No space left on device"]);
    assert_eq!(fs::read_dir(dir.path("out")).unwrap().count(), 1);
    let run = on_tmpfs(&dir, "40k", 0, "demo.ko", ELFGRAFT, &["dump", ".debug_info=new", "demo.ko"]);
    if run.code() != Some(0) {
        run.fails(&["'new'", "No space left on device"]);
        assert_eq!(fs::read_dir(dir.path("out")).unwrap().count(), 1);
    }
    // Standard output.
    let full = dir.cmd(ELFGRAFT, &["objcopy", "demo.ko", "-"]).after("exec >/dev/full").run();
    full.fails(&["standard output", "No space left on device"]);
    let full = dir.cmd(ELFGRAFT, &["show", "demo.ko"]).after("exec >/dev/full").run();
    full.fails(&["standard output", "No space left on device"]);
}
