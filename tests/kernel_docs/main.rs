//! The code in docs/kernel.md, taken from there and run: by a shell and by make, with what the kernel's scripts have
//! around it, and with a pahole that hands out the BTF of testdata/.

// clippy.toml allows it in tests, but not in what they call.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../util/mod.rs"]
mod util;

mod drop_in;
mod gen_btf;
mod makefiles;

use std::os::unix::fs::symlink;

use util::{Cmd, Dir, ELFGRAFT, fixture};

/// `pahole -J [--btf_base BASE] --btf_encode_detached=F FILE`: the BTF of vmlinux, or of demo.ko on one of two bases.
const PAHOLE: &str = "#!/bin/sh
btf=vmlinux.btf
while [ $# -gt 0 ]; do
    case $1,$2 in
        --btf_base,vmlinux) btf=demo.btf; shift ;;
        --btf_base,other) btf=demo2.btf; shift ;;
        --btf_encode_detached=*) out=${1#*=} ;;
        -*) ;;
        *) [ -f $1 ] || exit 9 ;;
    esac
    shift
done
cat $TESTDATA/$btf > $out
";

/// The block with this title.
#[track_caller]
fn block(language: &str, title: &str) -> String {
    util::docs::block("kernel.md", language, title)
}

/// A build tree: `demo.ko` as it is linked, the bases `vmlinux` and `other` (raw BTF, which does for one), and the tools.
fn tree() -> Dir {
    let dir = Dir::with(&["demo.ko", "vmlinux"]);
    dir.write("other", fixture("vmlinux2.btf"));
    std::fs::create_dir(dir.path("bin")).unwrap();
    for name in ["elfgraft", "elfgraft-objcopy", "elfgraft-strip", "elfgraft-resolve_btfids"] {
        symlink(ELFGRAFT, dir.path(format!("bin/{name}"))).unwrap();
    }
    dir.write("bin/pahole", PAHOLE);
    dir.chmod("bin/pahole", 0o755);
    dir
}

/// With the tools in PATH, and the variables that kbuild exports.
fn in_build<'d>(dir: &'d Dir, program: &str, args: &[&str]) -> Cmd<'d> {
    let path = format!("{}:{}", dir.path("bin").display(), std::env::var("PATH").unwrap());
    dir.cmd(program, args)
        .env("PATH", path)
        .env("TESTDATA", concat!(env!("CARGO_MANIFEST_DIR"), "/testdata"))
        .env("ELFGRAFT", "elfgraft")
        .env("PAHOLE", "pahole")
        .env("OBJCOPY", "elfgraft-objcopy")
        .env("STRIP", "elfgraft-strip")
        .env("RESOLVE_BTFIDS", dir.path("bin/elfgraft-resolve_btfids"))
}

/// What two files differ in, by meaning; nothing when they say the same.
fn difference(dir: &Dir, a: &str, b: &str) -> Vec<String> {
    let text = dir.elfgraft(&["diff", a, b]).text();
    text.lines().filter(|line| line.starts_with("  ")).map(|line| line.trim().to_owned()).collect()
}

/// Asserts that IDs, sets and symbols of a file fit its BTF on `vmlinux`.
#[track_caller]
fn sound(dir: &Dir, file: &str) {
    let run = dir.elfgraft(&["btf-ids", "check", "--btf-base", "vmlinux", file]).ok();
    run.check(run.text().starts_with(&format!("{file}: nothing wrong")), "nothing wrong");
    assert!(dir.elf(file).section(".BTF_ids").data.iter().any(|byte| *byte != 0), "{file} has no IDs");
}
