//! The calls of make and pahole that change nothing in the kernel.

use crate::util::{fixture, installed};
use crate::{block, in_build, sound, tree};

/// A make that checks the variables it is given, as the kernel's makefiles use them, and then does one call of the tool.
fn make(dir: &crate::Dir, resolve: &str) {
    let text = format!(
        "#!/bin/sh -e
for assignment; do eval \"${{assignment%%=*}}='${{assignment#*=}}'\"; done
$OBJCOPY --version >versions
$STRIP --version >>versions
{resolve}
"
    );
    dir.write("bin/make", text);
    dir.chmod("bin/make", 0o755);
}

#[test]
fn from_7_0() {
    let dir = tree();
    // A prerequisite must be a file.
    make(&dir, "[ -f \"$RESOLVE_BTFIDS\" ]; $RESOLVE_BTFIDS --btf_base vmlinux --btf demo.btf demo.ko");
    dir.write("demo.btf", fixture("demo.btf"));
    in_build(&dir, "sh", &["-ec", &block("sh", "drop-in, 7.0 and later")]).run().ok();
    assert_eq!(dir.read("demo.ko"), fixture("demo.ko"));
    assert_eq!(dir.read("demo.ko.BTF_ids").len(), dir.elf("demo.ko").section(".BTF_ids").data.len());
    assert_eq!(String::from_utf8(dir.read("versions")).unwrap().matches("(elfgraft)").count(), 2);
}

#[test]
fn before_7_0() {
    let dir = tree();
    dir.write("demo.ko", fixture("demo-gnu.ko"));
    // Most modules have no .BTF_ids.
    dir.write("without.ko", fixture("livepatch.ko"));
    make(&dir, "for file in demo.ko without.ko; do $RESOLVE_BTFIDS -b $BASE $file; done; $RESOLVE_BTFIDS vmlinux");
    let run =
        |base: &str| in_build(&dir, "sh", &["-ec", &block("sh", "drop-in, before 7.0")]).env("BASE", base).run().ok();
    run("vmlinux");
    sound(&dir, "demo.ko");
    sound(&dir, "vmlinux");
    assert_eq!(dir.read("without.ko"), fixture("livepatch.ko"));
    // The words are those that the kernel's tool writes.
    assert_eq!(dir.elf("demo.ko").section(".BTF_ids").data, fixture("demo.BTF_ids"));
    // Again, against another vmlinux: these kernels do not link for that.
    dir.write("demo2.btf", fixture("demo2.btf"));
    dir.elfgraft(&["set", ".BTF=demo2.btf", "demo.ko"]).quiet();
    run("other");
    assert_eq!(dir.elf("demo.ko").section(".BTF_ids").data, fixture("demo2.BTF_ids"));
}

#[test]
fn pahole_alone() {
    if !installed("pahole") {
        return;
    }
    let dir = tree();
    std::fs::remove_file(dir.path("bin/pahole")).unwrap();
    std::fs::rename(dir.path("demo.ko"), dir.path("x.ko")).unwrap();
    in_build(&dir, "sh", &["-ec", &block("sh", "drop-in, pahole alone")]).run().ok();
    assert!(!dir.elf("x.ko").section(".BTF").data.is_empty());
}
