//! Who may read and write; modes and owners of results.

use super::*;

/// Runs as a user whom permissions stop, if tests run as root; files are that user's.
fn run<'d>(dir: &'d Dir, args: &[&str], setup: &str) -> util::Run<'d> {
    if is_root() {
        for name in dir.names() {
            chown(dir.path(&name), Some(NOBODY), Some(NOBODY)).unwrap();
        }
        chown(dir.root(), Some(NOBODY), Some(NOBODY)).unwrap();
    }
    let cmd = dir.cmd(ELFGRAFT, args).after(setup);
    if is_root() { cmd.user(NOBODY).run() } else { cmd.run() }
}

#[test]
fn a_directory_that_may_not_be_written_to() {
    for args in [&SET[..], &SAME_SIZE, &["objcopy", "demo.ko", "new.ko"], &["dump", ".text=new", "demo.ko"]] {
        let (dir, old, _) = demo(&SET);
        let name = if args.last() == Some(&"demo.ko") && args[0] == "set" { "demo.ko" } else { "new" };
        run(&dir, args, "chmod 555 .").fails(&[name, "Permission denied"]);
        run(&dir, &["dump", ".text=-", "demo.ko"], "true").ok();
        same(&dir.read("demo.ko"), &old, &format!("{args:?}"));
        assert_eq!(dir.names(), ["demo.btf", "demo.ko", "ids"]);
        dir.chmod(".", 0o755);
    }
}

#[test]
fn a_file_that_may_not_be_written_to_or_read() {
    let (dir, old, new) = demo(&SET);
    // Replacing it is a matter of the directory; writing into it is not.
    run(&dir, &SAME_SIZE, "chmod 444 demo.ko").fails(&["'demo.ko'", "Permission denied"]);
    same(&dir.read("demo.ko"), &old, "read-only, in place");
    run(&dir, &SET, "chmod 444 demo.ko").quiet();
    same(&dir.read("demo.ko"), &new, "read-only, replaced");
    assert_eq!(dir.mode("demo.ko"), 0o444);
    run(&dir, &SET, "chmod 000 demo.ko").fails(&["'demo.ko'", "Permission denied"]);
    run(&dir, &SET, "chmod 600 demo.ko; chmod 000 demo.btf").fails(&["'demo.btf'", "Permission denied"]);
    run(&dir, &["objcopy", "demo.ko", "demo.btf"], "chmod 600 demo.btf; chmod 600 demo.ko").quiet();
    assert_eq!(dir.names(), ["demo.btf", "demo.ko", "ids"]);
}

#[test]
fn the_mode_of_a_new_output_is_that_of_the_input_less_the_umask() {
    for (umask, input, expected) in [
        ("022", 0o755, 0o755),
        ("022", 0o664, 0o644),
        ("077", 0o755, 0o700),
        ("000", 0o777, 0o777),
        ("002", 0o4755, 0o755),
        ("002", 0o2775, 0o775),
        ("027", 0o1644, 0o640),
        ("022", 0o400, 0o400),
    ] {
        for args in [&["objcopy", "demo.ko", "out.ko"][..], &["set", ".BTF=demo.btf", "-o", "out.ko", "demo.ko"]] {
            let dir = Dir::with(&["demo.ko", "demo.btf"]);
            dir.chmod("demo.ko", input);
            dir.cmd(ELFGRAFT, args).after(&format!("umask {umask}")).run().quiet();
            assert_eq!(dir.mode("out.ko"), expected, "{input:o} with umask {umask}");
        }
    }
    // Other outputs are plain new files.
    let dir = Dir::with(&["demo.ko"]);
    dir.chmod("demo.ko", 0o755);
    dir.cmd(ELFGRAFT, &["dump", ".text=o", "demo.ko"]).after("umask 027").run().quiet();
    assert_eq!(dir.mode("o"), 0o640);
}

#[test]
fn an_existing_file_keeps_its_mode_and_owner() {
    for mode in [0o755, 0o600, 0o4755, 0o2755, 0o640] {
        for args in [&SET[..], &["objcopy", "-R", ".comment", "demo.ko"]] {
            let (dir, _, _) = demo(&SET);
            if is_root() {
                chown(dir.path("demo.ko"), Some(1234), Some(5678)).unwrap();
            }
            dir.chmod("demo.ko", mode);
            let before = dir.metadata("demo.ko");
            dir.cmd(ELFGRAFT, args).after("umask 077").run().quiet();
            let after = dir.metadata("demo.ko");
            assert_ne!(after.ino(), before.ino(), "a new file took its place");
            assert_eq!(
                (after.uid(), after.gid(), after.mode()),
                (before.uid(), before.gid(), before.mode()),
                "{mode:o}"
            );
        }
    }
    // Another file that is overwritten keeps its own.
    let dir = Dir::with(&["demo.ko"]);
    dir.write("out.ko", "old");
    dir.chmod("out.ko", 0o604);
    dir.objcopy(&["demo.ko", "out.ko"]).quiet();
    assert_eq!(dir.mode("out.ko"), 0o604);
}

/// Who is not the owner cannot give the file back to him, and must not give anybody his set-user-ID bit.
#[test]
fn a_set_user_id_bit_goes_when_the_owner_does() {
    if !is_root() {
        eprintln!("skipped: needs root, to be somebody else");
        return;
    }
    let (dir, _, new) = demo(&SET);
    dir.chmod(".", 0o777);
    chown(dir.path("demo.ko"), Some(1234), Some(5678)).unwrap();
    dir.chmod("demo.ko", 0o6755);
    dir.cmd(ELFGRAFT, &SET).user(NOBODY).run().quiet();
    same(&dir.read("demo.ko"), &new, "demo.ko");
    assert_eq!((dir.metadata("demo.ko").uid(), dir.mode("demo.ko") & 0o6000), (NOBODY, 0));
}

#[test]
fn extended_attributes_stay() {
    if !installed("setfattr") || !installed("getfattr") {
        return;
    }
    let (dir, _, _) = demo(&SET);
    if dir.cmd("setfattr", &["-n", "user.note", "-v", "kept", "demo.ko"]).run().code() != Some(0) {
        eprintln!("skipped: no extended attributes here");
        return;
    }
    dir.elfgraft(&SET).quiet();
    let value = dir.cmd("getfattr", &["--only-values", "-n", "user.note", "demo.ko"]).run().ok();
    assert_eq!(value.stdout(), b"kept");
}
