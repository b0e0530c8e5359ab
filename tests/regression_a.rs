//! What people reported, group a: the input is lost, or touched when it should not be.

// clippy.toml allows it in tests, but not in what they call.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod util;

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::MetadataExt;

use elfgraft_testkit::consts::*;
use elfgraft_testkit::elf::{ElfSpec, Section};
use elfgraft_testkit::format::Format;
use elfgraft_testkit::read::ReadElf;
use util::faults::{can_mount, fail_everywhere, inject, kill_everywhere, on_tmpfs};
use util::{Dir, ELFGRAFT, fixture, installed, is_root, personality, same};

/// An object of 1.4 MB and 400 kB to add.
fn large() -> Dir {
    let dir = Dir::new();
    let text = Section::progbits(".text", SHF_ALLOC | SHF_EXECINSTR, vec![0xc3; 1_400_000]);
    dir.write("x.o", ElfSpec::new(Format::X86_64, ET_REL).section(text).build());
    dir.write("f", vec![0xb7; 400_000]);
    dir
}

/// demo.ko, contents for its `.BTF`, and what the file is after they are set.
fn small() -> (Dir, Vec<u8>, Vec<u8>) {
    let dir = Dir::with(&["demo.ko", "demo.btf"]);
    let old = dir.read("demo.ko");
    dir.elfgraft(&["set", ".BTF=demo.btf", "demo.ko"]).quiet();
    let new = dir.read("demo.ko");
    assert_ne!(old, new);
    dir.write("demo.ko", &old);
    (dir, old, new)
}

// https://sourceware.org/bugzilla/show_bug.cgi?id=26945: GNU writes a temporary file, then copies it over the truncated
// input. When the disk is full by then, the input is cut off and the temporary file removed.
#[test]
fn a1_full_disk_leaves_the_old_file() {
    if !can_mount() {
        return;
    }
    let dir = large();
    let old = dir.read("x.o");
    let objcopy = personality("elfgraft-objcopy");
    let mut outcomes = [0, 0];
    // From too small for a second file to enough for three.
    for size in ["1500k", "1800k", "2900k", "3300k", "6000k"] {
        let args = ["--add-section", ".BTF=../f", "x.o"];
        let run = on_tmpfs(&dir, size, 0, "x.o", objcopy.to_str().unwrap(), &args);
        let ok = run.code() == Some(0);
        outcomes[usize::from(ok)] += 1;
        let result = dir.read("out/x.o");
        if ok {
            same(&ReadElf::parse(&result).section(".BTF").data, &dir.read("f"), size);
        } else {
            run.fails(&["'x.o'", "No space left on device"]);
            same(&result, &old, size);
        }
        assert_eq!(fs::read_dir(dir.path("out")).unwrap().count(), 1, "{size}: something is left behind");
    }
    assert!(outcomes[0] > 0 && outcomes[1] > 0, "disks were not small and large: {outcomes:?}");
}

// https://github.com/llvm/llvm-project/issues/145129, https://github.com/llvm/llvm-project/issues/89574: LLVM renames
// the short temporary file over the input, makes its mode 0755, and aborts with a stack dump.
#[test]
fn a2_full_disk_is_an_error_not_an_abort() {
    if !can_mount() {
        return;
    }
    let dir = large();
    dir.chmod("x.o", 0o640);
    let old = dir.read("x.o");
    for args in [&["set", ".BTF=../f", "x.o"][..], &["set", "--in-place", ".BTF=../f", "x.o"]] {
        on_tmpfs(&dir, "3000k", 1300, "x.o", ELFGRAFT, args).fails(&["'x.o'", "No space left on device"]);
        same(&dir.read("out/x.o"), &old, "after a full disk");
        assert_eq!(dir.mode("out/x.o"), 0o640);
        assert_eq!(fs::read_dir(dir.path("out")).unwrap().count(), 1, "something is left behind");
    }
}

// https://patchew.org/linux/20260410131343.2519532-1-petr.pavlu@suse.com/: a kill while GNU copies the result back
// leaves a broken file under the real name.
#[test]
fn a3_a_kill_leaves_the_old_or_the_new_file() {
    if !installed("strace") {
        return;
    }
    let (dir, old, new) = small();
    let kills = kill_everywhere(&dir, "demo.ko", &old, &new, &["set", ".BTF=demo.btf", "demo.ko"]);
    assert!(kills >= 6, "only {kills} kills");
    // A rename that fails, as on a disk that has gone away.
    for (call, errno) in [("linkat", "EIO"), ("rename", "EIO"), ("pwrite64", "ENOSPC")] {
        dir.write("demo.ko", &old);
        let run = inject(&dir, call, &format!("error={errno}"), 1, &["set", ".BTF=demo.btf", "demo.ko"]);
        if run.code() == Some(0) {
            same(&dir.read("demo.ko"), &new, call);
        } else {
            run.fails(&["'demo.ko'"]);
            same(&dir.read("demo.ko"), &old, call);
        }
        assert_eq!(dir.names(), ["demo.btf", "demo.ko"], "{call}");
    }
    assert!(fail_everywhere(&dir, "demo.ko", &old, &new, "EIO", &["set", ".BTF=demo.btf", "demo.ko"]) > 0);
}

// https://github.com/llvm/llvm-project/issues/145129: with one name for input and output on a bind mount, where the
// rename fails, LLVM has removed the input already.
#[test]
fn a4_a_name_that_cannot_be_replaced_keeps_its_file() {
    let (dir, old, _) = small();
    dir.objcopy(&["--add-section", ".BTF=demo.btf", "demo.ko", "demo.ko"]).quiet();
    assert_eq!(dir.elf("demo.ko").section(".BTF").data, dir.read("demo.btf"));
    if !can_mount() {
        return;
    }
    dir.write("demo.ko", &old);
    let bind = "cp demo.ko host; unshare --mount sh -ec 'mount --bind host demo.ko; exec \"$@\"' sh \"$@\"; exit $?";
    let set = dir.cmd(ELFGRAFT, &["set", ".BTF=demo.btf", "demo.ko"]).after(bind).run();
    set.fails(&["'demo.ko'", "Device or resource busy"]);
    same(&dir.read("host"), &old, "what was mounted");
    same(&dir.read("demo.ko"), &old, "what it was mounted over");
    assert_eq!(dir.names(), ["demo.btf", "demo.ko", "host"]);
    // Writing into the file needs no rename.
    let args = ["objcopy", "--in-place", "--update-section", ".BTF_ids=ids", "demo.ko"];
    dir.write("ids", vec![7; 164]);
    dir.cmd(ELFGRAFT, &args).after(bind).run().quiet();
    assert_eq!(dir.elf("host").section(".BTF_ids").data, vec![7; 164]);
}

// https://github.com/llvm/llvm-project/issues/59848: llvm-strip of a symbolic link makes it a regular file and leaves
// its target as it was.
#[test]
fn a5_a_symbolic_link_stays_and_its_target_is_edited() {
    for in_place in [&[][..], &["--in-place"]] {
        let (dir, _, new) = small();
        fs::create_dir(dir.path("sub")).unwrap();
        fs::rename(dir.path("demo.ko"), dir.path("sub/real.ko")).unwrap();
        dir.symlink("sub/real.ko", "one.ko");
        dir.symlink("one.ko", "two.ko");
        dir.elfgraft(&[&["set"][..], in_place, &[".BTF=demo.btf", "two.ko"]].concat()).quiet();
        same(&dir.read("sub/real.ko"), &new, "the target");
        assert_eq!(fs::read_link(dir.path("two.ko")).unwrap().to_str(), Some("one.ko"));
        assert_eq!(fs::read_link(dir.path("one.ko")).unwrap().to_str(), Some("sub/real.ko"));
        assert_eq!(dir.names(), ["demo.btf", "one.ko", "sub", "two.ko"]);
    }
}

// https://github.com/llvm/llvm-project/issues/59848 (comments): hard links are split without a word.
#[test]
fn a6_hard_links_are_split_with_a_warning_or_kept_in_place() {
    let (dir, old, new) = small();
    fs::hard_link(dir.path("demo.ko"), dir.path("other.ko")).unwrap();
    let run = dir.elfgraft(&["set", ".BTF=demo.btf", "demo.ko"]).ok();
    run.warns(&["elfgraft: warning: 'demo.ko'", "1 other hard link", "--in-place"]);
    same(&dir.read("demo.ko"), &new, "the name that was given");
    same(&dir.read("other.ko"), &old, "the other name");

    dir.write("ids", vec![7; 164]);
    fs::remove_file(dir.path("other.ko")).unwrap();
    fs::hard_link(dir.path("demo.ko"), dir.path("other.ko")).unwrap();
    dir.elfgraft(&["set", "--in-place", ".BTF_ids=ids", "demo.ko"]).quiet();
    assert_eq!(dir.metadata("demo.ko").ino(), dir.metadata("other.ko").ino());
    assert_eq!(dir.elf("other.ko").section(".BTF_ids").data, vec![7; 164]);

    // What has to move cannot be done in place: nobody is told to give the option that is given.
    dir.write("longer", vec![7; 5000]);
    let run = dir.elfgraft(&["set", "-v", "--in-place", ".comment=longer", "demo.ko"]).ok();
    assert_eq!(run.stderr().matches("not edited in place").count(), 1, "said once: {}", run.stderr());
    run.warns(&["elfgraft: warning: 'demo.ko'", "1 other hard link, ", "not edited in place: kept bytes have to move"]);
}

// https://sourceware.org/bugzilla/show_bug.cgi?id=21522: eu-strip and resolve_btfids write into the live file, which is
// torn when they are interrupted.
#[test]
fn a7_the_old_file_is_never_written_to() {
    let (dir, old, new) = small();
    let mut live = File::open(dir.path("demo.ko")).unwrap();
    let before = live.metadata().unwrap();
    dir.elfgraft(&["set", ".BTF=demo.btf", "demo.ko"]).quiet();
    same(&dir.read("demo.ko"), &new, "the new file");
    let mut seen = Vec::new();
    live.read_to_end(&mut seen).unwrap();
    same(&seen, &old, "what a process sees that has the old file open");
    assert_eq!(live.metadata().unwrap().mtime_nsec(), before.mtime_nsec());
    assert_eq!(live.metadata().unwrap().nlink(), 0);
}

// https://github.com/travitch/build-bom/pull/39: `--dump-section` without an output file rewrites the input, so that
// make builds again, and it needs write access.
#[test]
fn a8_a_dump_touches_nothing_else() {
    let dir = Dir::with(&["demo.ko"]);
    dir.chmod("demo.ko", 0o444);
    let stamp = dir.stamp("demo.ko");
    let text = dir.elf("demo.ko").section(".text").data.clone();
    dir.objcopy(&["--dump-section", ".text=one", "demo.ko"]).quiet();
    dir.elfgraft(&["dump", ".text=two", "demo.ko"]).quiet();
    assert_eq!(dir.stamp("demo.ko"), stamp);
    same(&dir.read("one"), &text, "objcopy --dump-section");
    same(&dir.read("two"), &text, "dump");
    if is_root() {
        // Where nothing can be created beside it, and for a user who may not write to it.
        dir.chmod("demo.ko", 0o004);
        fs::set_permissions(dir.root(), std::os::unix::fs::PermissionsExt::from_mode(0o555)).unwrap();
        let run = dir.cmd(ELFGRAFT, &["dump", ".text=-", "demo.ko"]).user(util::NOBODY).run().ok();
        same(run.stdout(), &text, "dump to standard output");
    }
}

// https://reviews.freebsd.org/rG1e4896b176ff664dc9c2fce5426bf2fdf8017a7d: the temporary file is made in $TMPDIR, which
// may be small and on another disk.
#[test]
fn a9_no_temporary_file_elsewhere() {
    let (dir, _, new) = small();
    fs::create_dir(dir.path("tmp")).unwrap();
    let stamp = dir.stamp("tmp");
    for tmp in ["tmp", "/nonexistent"] {
        dir.write("demo.ko", fixture("demo.ko"));
        dir.cmd(ELFGRAFT, &["set", ".BTF=demo.btf", "demo.ko"]).env("TMPDIR", tmp).run().quiet();
        same(&dir.read("demo.ko"), &new, tmp);
    }
    // Its times tell if anything was made and removed again.
    assert_eq!(dir.stamp("tmp"), stamp);
}

// https://lkml.iu.edu/hypermail/linux/kernel/2009.1/08544.html: with an older libelf on the host, an update in place
// wrote a shifted section header table, and nobody looked.
#[test]
fn a10_no_libelf_and_the_result_is_read_back() {
    let own = ReadElf::parse(&fs::read(ELFGRAFT).unwrap());
    if let Some(dynstr) = own.index_of(".dynstr") {
        let names = String::from_utf8_lossy(&own.sections[dynstr as usize].data).into_owned();
        assert!(!names.contains("libelf") && !names.contains("libbpf"), "{names}");
    }
    if !installed("strace") {
        return;
    }
    // A system that claims to have written some bytes, among them e_shoff, and has not. In place, the first write goes
    // to the undo file.
    let (dir, old, _) = small();
    dir.write("ids", vec![7; 164]);
    for (nth, args) in
        [(1, &["set", ".BTF=demo.btf", "demo.ko"][..]), (2, &["set", "--in-place", ".BTF_ids=ids", "demo.ko"])]
    {
        inject(&dir, "pwrite64", "retval=45", nth, args).fails(&["'demo.ko'", "reads back differently"]);
        same(&dir.read("demo.ko"), &old, "the file");
        assert_eq!(dir.names(), ["demo.btf", "demo.ko", "ids"]);
    }
}

// https://github.com/llvm/llvm-project/issues/125113: when the directory to dump to is missing, the message names the
// input.
#[test]
fn a11_the_message_names_the_file_that_failed() {
    let dir = Dir::with(&["demo.ko"]);
    let dump = dir.objcopy(&["--dump-section", ".text=no/dir/x", "demo.ko"]);
    dump.fails(&["'no/dir/x'", "No such file or directory"]);
    dir.elfgraft(&["dump", ".text=demo.ko/x", "demo.ko"]).fails(&["'demo.ko/x'", "Not a directory"]);
    dir.objcopy(&["--add-section", ".BTF=none", "demo.ko"]).fails(&["'none'", "No such file or directory"]);
    dir.objcopy(&["demo.ko", "no/out.ko"]).fails(&["'no/out.ko'", "No such file or directory"]);
    dir.objcopy(&["none.ko"]).fails(&["'none.ko'", "No such file or directory"]);
    assert_eq!(dir.names(), ["demo.ko"]);
    same(&dir.read("demo.ko"), &fixture("demo.ko"), "the input");
}
