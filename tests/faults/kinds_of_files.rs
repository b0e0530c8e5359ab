//! Links, pipes, devices, mounts, odd names.

use super::*;

#[test]
fn symbolic_links_are_followed_and_stay() {
    let (dir, old, new) = demo(&SET);
    fs::create_dir(dir.path("sub")).unwrap();
    dir.symlink("../demo.ko", "sub/link");
    dir.elfgraft(&["set", ".BTF=demo.btf", "sub/link"]).quiet();
    same(&dir.read("demo.ko"), &new, "the target");
    assert!(dir.metadata("sub/link").is_symlink());
    // As an output: its target is written, or made.
    dir.write("demo.ko", &old);
    dir.write("other", "x");
    dir.symlink("other", "to-other");
    dir.symlink("new", "dangling");
    dir.symlink("sub/../none/x", "nowhere");
    dir.symlink("loop", "loop");
    for (link, target) in [("to-other", "other"), ("dangling", "new")] {
        dir.objcopy(&["demo.ko", link]).quiet();
        same(&dir.read(target), &old, target);
        assert!(dir.metadata(link).is_symlink(), "{link}");
    }
    dir.objcopy(&["demo.ko", "nowhere"]).fails(&["none/x", "No such file"]);
    dir.objcopy(&["demo.ko", "loop"]).fails(&["'loop'", "Too many levels of symbolic links"]);
    dir.objcopy(&["loop"]).fails(&["'loop'", "Too many levels of symbolic links"]);
    fs::remove_file(dir.path("new")).unwrap();
    dir.objcopy(&["dangling"]).fails(&["'dangling'", "No such file"]);
    dir.elfgraft(&["dump", ".text=dangling", "demo.ko"]).quiet();
    assert!(dir.metadata("dangling").is_symlink() && dir.metadata("new").is_file());
    // Contents too.
    dir.symlink("demo.btf", "blob");
    dir.elfgraft(&["set", ".BTF=blob", "demo.ko"]).quiet();
    same(&dir.read("demo.ko"), &new, "contents through a link");
}

#[test]
fn hard_links_are_split_with_a_warning() {
    let (dir, old, new) = demo(&SET);
    fs::hard_link(dir.path("demo.ko"), dir.path("a")).unwrap();
    fs::hard_link(dir.path("demo.ko"), dir.path("b")).unwrap();
    dir.objcopy(&["--add-section=.other=ids", "demo.ko", "out"]).quiet();
    let run = dir.elfgraft(&SET).ok();
    run.warns(&["elfgraft: warning: 'demo.ko': ", "2 other hard link"]);
    same(&dir.read("demo.ko"), &new, "demo.ko");
    same(&dir.read("a"), &old, "a");
    // Nothing to write, nothing to split.
    let run = dir.elfgraft(&["remove", ".none", "a"]).ok();
    assert_eq!(run.stderr(), "");
    assert_eq!(dir.metadata("a").ino(), dir.metadata("b").ino());
    // In place all names see the change.
    dir.elfgraft(&["set", "--in-place", ".BTF_ids=ids", "a"]).quiet();
    same(&dir.read("a"), &dir.read("b"), "b");
    assert_ne!(dir.read("a"), old);
}

#[test]
fn fifos_sockets_and_devices_are_written_to_and_never_replaced() {
    let (dir, old, _) = demo(&SET);
    mkfifo(&dir, "fifo");
    // As an input and as contents: read to the end.
    let feed = |bytes: Vec<u8>| {
        let path = dir.path("fifo");
        std::thread::spawn(move || fs::write(path, bytes).unwrap())
    };
    let writer = feed(old.clone());
    dir.objcopy(&["-R", ".comment", "fifo", "out"]).quiet();
    writer.join().unwrap();
    dir.objcopy(&["-R", ".comment", "demo.ko", "expected"]).quiet();
    same(&dir.read("out"), &dir.read("expected"), "from a FIFO");
    let writer = feed(dir.read("demo.btf"));
    dir.elfgraft(&["set", ".BTF=fifo", "-o", "out", "demo.ko"]).quiet();
    writer.join().unwrap();
    assert_eq!(dir.elf("out").section(".BTF").data, dir.read("demo.btf"));
    // As an output.
    let reader = {
        let path = dir.path("fifo");
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            File::open(path).unwrap().read_to_end(&mut bytes).unwrap();
            bytes
        })
    };
    dir.objcopy(&["-R", ".comment", "demo.ko", "fifo"]).quiet();
    same(&reader.join().unwrap(), &dir.read("expected"), "to a FIFO");
    assert!(dir.metadata("fifo").file_type().is_fifo());
    // Its own input and output it cannot be.
    let writer = feed(old.clone());
    let run = dir.cmd(ELFGRAFT, &["objcopy", "-R", ".comment", "fifo"]).through(&["timeout", "2"]).run();
    run.check(run.code() != Some(0), "no success without a reader");
    writer.join().unwrap();
    // /dev/null swallows the result and lives on.
    let null = fs::metadata("/dev/null").unwrap();
    dir.objcopy(&["-R", ".comment", "demo.ko", "/dev/null"]).quiet();
    dir.elfgraft(&["dump", ".text=/dev/null", "demo.ko"]).quiet();
    let after = fs::symlink_metadata("/dev/null").unwrap();
    assert!(after.file_type().is_char_device());
    assert_eq!((after.ino(), after.rdev(), after.mode()), (null.ino(), null.rdev(), null.mode()));
    // A socket is no place to write to, but stays one.
    let _listener = UnixListener::bind(dir.path("socket")).unwrap();
    dir.objcopy(&["demo.ko", "socket"]).fails(&["'socket'"]);
    assert!(dir.metadata("socket").file_type().is_socket());
    dir.objcopy(&["socket", "out"]).fails(&["'socket'"]);
    same(&dir.read("demo.ko"), &old, "the input");
}

#[test]
fn directories_missing_and_empty_files() {
    let dir = Dir::with(&["demo.ko", "demo.btf"]);
    fs::create_dir(dir.path("sub")).unwrap();
    dir.write("empty", "");
    for (args, words) in [
        (&["objcopy", "sub"][..], &["'sub'", "directory"][..]),
        (&["objcopy", "demo.ko", "sub"], &["'sub'", "directory"]),
        (&["objcopy", "demo.ko", "sub/none/x"], &["'sub/none/x'", "No such file"]),
        (&["objcopy", "demo.ko/x"], &["'demo.ko/x'", "Not a directory"]),
        (&["objcopy", "none"], &["'none'", "No such file"]),
        (&["objcopy", ""], &["<IN>"]),
        (&["objcopy", "demo.ko", ""], &["OUT"]),
        (&["objcopy", "empty"], &["'empty'", "not an ELF file"]),
        (&["objcopy", "/dev/null"], &["'/dev/null'", "not an ELF file"]),
        (&["set", ".BTF=sub", "demo.ko"], &["'sub'", "directory"]),
        (&["set", ".BTF=none", "demo.ko"], &["'none'", "No such file"]),
        (&["set", ".BTF=demo.btf", "sub"], &["'sub'", "directory"]),
        (&["dump", ".text=sub", "demo.ko"], &["'sub'", "directory"]),
        (&["dump", ".text=o", "empty"], &["'empty'", "not an ELF file"]),
    ] {
        dir.elfgraft(args).fails(words);
    }
    assert_eq!(dir.names(), ["demo.btf", "demo.ko", "empty", "sub"]);
    assert_eq!(dir.read("empty"), b"");
    same(&dir.read("demo.ko"), &fixture("demo.ko"), "the input");
    // Empty contents are contents.
    dir.elfgraft(&["set", ".BTF=empty", "demo.ko"]).quiet();
    assert_eq!(dir.elf("demo.ko").section(".BTF").size, 0);
}

#[test]
fn standard_output_may_be_the_file_itself() {
    // The shell has emptied it before: an error, not a loop.
    let (dir, old, _) = demo(&SET);
    let run = dir.cmd(ELFGRAFT, &["objcopy", "demo.ko", "-"]).after("exec >demo.ko").run();
    run.fails(&["'demo.ko'", "not an ELF file"]);
    dir.write("demo.ko", &old);
    let run = dir.cmd(ELFGRAFT, &["objcopy", "demo.ko", "/dev/stdout"]).after("exec >>out").run();
    run.quiet();
    same(&dir.read("out"), &old, "/dev/stdout");
}

#[test]
fn names_are_bytes() {
    let dir = Dir::new();
    for name in [&b"new\nline"[..], b"not\xffutf8", b"-dash", b" ", b"'quote'", b"tab\t", b"*", b"a=b", &[b'x'; 250]] {
        let name = OsStr::from_bytes(name);
        dir.write(name, fixture("demo.ko"));
        dir.write("f", "contents");
        let words: [&OsStr; 4] = ["set".as_ref(), ".n=f".as_ref(), "--".as_ref(), name];
        dir.elfgraft(&words).quiet();
        assert_eq!(dir.elf(name).section(".n").data, b"contents");
        // As an output, and as a name for contents.
        let words: [&OsStr; 4] = ["objcopy".as_ref(), "--".as_ref(), name, "out".as_ref()];
        dir.elfgraft(&words).quiet();
        let mut value = OsString::from(".n=");
        value.push(name);
        let words: [&OsStr; 4] = ["objcopy".as_ref(), "--dump-section".as_ref(), &value, "out".as_ref()];
        dir.elfgraft(&words).quiet();
        assert_eq!(dir.read(name), b"contents");
        let words: [&OsStr; 4] = ["objcopy".as_ref(), "--update-section".as_ref(), &value, "out".as_ref()];
        dir.elfgraft(&words).quiet();
        // And when something is wrong with it.
        dir.write(name, "no ELF file");
        let words: [&OsStr; 4] = ["objcopy".as_ref(), "--".as_ref(), name, "out".as_ref()];
        let run = dir.elfgraft(&words);
        run.check(run.code() == Some(1), "exit status 1");
        run.check(run.stderr().starts_with("elfgraft: error: '"), "a message");
        fs::remove_file(dir.path(name)).unwrap();
    }
}

#[test]
fn a_file_on_another_mount_is_replaced_where_it_is() {
    if !can_mount() {
        return;
    }
    let (dir, old, new) = demo(&SET);
    let script = "mkdir disk && mount -t tmpfs none disk && cp demo.ko disk/ && ln -s disk/demo.ko link\n\
                  \"$@\"\ncp -a disk out";
    let run = dir
        .cmd(ELFGRAFT, &["set", ".BTF=demo.btf", "link"])
        .through(&["unshare", "--mount", "sh", "-ec", script, "sh"])
        .run();
    run.quiet();
    same(&dir.read("out/demo.ko"), &new, "on the other mount");
    same(&dir.read("demo.ko"), &old, "here");
    assert_eq!(fs::read_dir(dir.path("out")).unwrap().count(), 1);
}

#[test]
fn a_mount_that_is_read_only() {
    if !can_mount() {
        return;
    }
    let (dir, old, _) = demo(&SET);
    fs::create_dir(dir.path("ro")).unwrap();
    dir.write("ro/demo.ko", &old);
    let line = "mount --bind ro ro && mount -o remount,bind,ro ro";
    for args in [
        &["set", ".BTF=demo.btf", "ro/demo.ko"][..],
        &["set", "--in-place", ".BTF=demo.btf", "ro/demo.ko"],
        &["objcopy", "demo.ko", "ro/new"],
    ] {
        let run = dir.cmd(ELFGRAFT, args).after(line).through(&["unshare", "--mount"]).run();
        run.fails(&["ro/", "Read-only file system"]);
    }
    let run =
        dir.cmd(ELFGRAFT, &["dump", ".text=-", "ro/demo.ko"]).after(line).through(&["unshare", "--mount"]).run().ok();
    assert_eq!(run.stdout(), dir.elf("demo.ko").section(".text").data);
    assert_eq!(fs::read_dir(dir.path("ro")).unwrap().count(), 1);
}
