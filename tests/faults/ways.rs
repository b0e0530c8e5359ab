//! The ways of writing that there are, each as a command line.

use std::collections::BTreeMap;

use super::*;

/// A way of writing.
pub struct Way {
    pub name: &'static str,
    /// The command line; its last words are what it works on.
    pub args: &'static [&'static str],
    /// What is there before, besides the fixtures: names and the fixtures they are copies of.
    pub files: &'static [(&'static str, &'static str)],
    /// Whether each file stands for itself, so that others are done when one fails.
    pub many: bool,
    /// In which files to look with another command after a kill: an in-place edit may have to be undone.
    pub opened: &'static [&'static str],
    /// What the system is made to do in every run.
    pub strace: &'static [&'static str],
}

const FIXTURES: [&str; 4] = ["demo.ko", "demo.btf", "demo2.btf", "vmlinux"];

const WAY: Way = Way { name: "", args: &[], files: &[], many: false, opened: &[], strace: &[] };

pub const WAYS: [Way; 20] = [
    Way { name: "replace", args: &["set", ".BTF=demo2.btf", "demo.ko"], ..WAY },
    Way { name: "replace durably", args: &["set", "--fsync", "-p", "-v", ".BTF=demo2.btf", "demo.ko"], ..WAY },
    // As on a file system that makes no nameless files: this one says so.
    Way {
        name: "replace by name",
        args: &["set", ".BTF=demo2.btf", "demo.ko"],
        strace: &["-e", "inject=open:error=EOPNOTSUPP:when=1"],
        ..WAY
    },
    Way {
        name: "in place, longer",
        args: &["set", "--in-place", ".BTF=demo2.btf", "demo.ko"],
        opened: &["demo.ko"],
        ..WAY
    },
    Way {
        name: "in place, durable, same size",
        args: &["set", "--in-place", "--fsync", ".BTF_ids=ids", "demo.ko"],
        files: &[("ids", "demo2.BTF_ids")],
        opened: &["demo.ko"],
        ..WAY
    },
    Way {
        name: "in place, shorter",
        args: &["remove", "--in-place", "-p", ".new", "with.ko"],
        opened: &["with.ko"],
        ..WAY
    },
    Way { name: "a new output", args: &["objcopy", "--add-section", ".new=demo.btf", "demo.ko", "out.ko"], ..WAY },
    Way {
        name: "an output that exists",
        args: &["objcopy", "--add-section", ".new=demo.btf", "demo.ko", "a.ko"],
        files: &[("a.ko", "demo.ko")],
        ..WAY
    },
    Way { name: "standard output", args: &["objcopy", "-R", ".BTF", "demo.ko", "-"], ..WAY },
    Way { name: "dump", args: &["dump", ".BTF_ids=new.btf", ".text=demo2.btf", "demo.ko"], ..WAY },
    Way {
        name: "strip several",
        args: &["strip", "-g", "a.ko", "demo.ko", "b.ko"],
        files: &[("a.ko", "demo-lld.ko"), ("b.ko", "demo-llvm.ko")],
        many: true,
        ..WAY
    },
    Way {
        name: "set in several, in place",
        args: &["set", "--in-place", ".BTF=demo2.btf", "a.ko", "demo.ko"],
        files: &[("a.ko", "demo-gnu.ko")],
        many: true,
        opened: &["a.ko", "demo.ko"],
        ..WAY
    },
    Way { name: "debug information alone", args: &["objcopy", "--only-keep-debug", "demo.ko", "demo.debug"], ..WAY },
    Way {
        name: "debug link",
        args: &["objcopy", "--strip-debug", "--add-gnu-debuglink=vmlinux", "demo.ko", "out.ko"],
        ..WAY
    },
    Way { name: "binary", args: &["objcopy", "-O", "binary", "vmlinux", "image"], ..WAY },
    Way {
        name: "resolve_btfids",
        args: &["resolve_btfids", "--btf", "demo.btf", "-b", "vmlinux", "demo.ko"],
        files: &[("demo.ko.BTF_ids", "demo.ko")],
        ..WAY
    },
    Way {
        name: "embed several",
        args: &["btf", "embed", "--btf", "{}.BTF", "--btf-base", "vmlinux", "a.ko", "demo.ko"],
        files: &[("a.ko", "demo-gnu.ko"), ("a.ko.BTF", "demo.btf"), ("demo.ko.BTF", "demo.btf")],
        many: true,
        ..WAY
    },
    Way { name: "sort", args: &["btf-ids", "sort", "--btf-base", "vmlinux", "demo.ko"], ..WAY },
    Way {
        name: "hashes",
        args: &["module-hashes", "build", "--proofs", "--root", "root", "--endian", "little"],
        files: &[("a.ko", "demo-gnu.ko"), ("root", "demo.btf"), ("a.merkle", "demo.btf")],
        ..WAY
    },
    Way { name: "archive", args: &["strip", "-g", "lib.a"], ..WAY },
];

/// All files of a directory.
pub type Files = BTreeMap<String, Vec<u8>>;

pub fn files(dir: &Dir) -> Files {
    dir.names().into_iter().map(|name| (name.clone(), dir.read(&name))).collect()
}

/// Puts back what was there.
pub fn restore(dir: &Dir, files: &Files) {
    for name in dir.names().iter().filter(|name| !files.contains_key(*name)) {
        fs::remove_file(dir.path(name)).unwrap();
    }
    for (name, bytes) in files {
        if fs::read(dir.path(name)).ok().as_ref() != Some(bytes) {
            dir.write(name, bytes);
        }
    }
}

impl Way {
    /// The command, with one thread that does all in order.
    pub fn cmd<'d>(&self, dir: &'d Dir) -> util::Cmd<'d> {
        // One thread does all, in order: a jobserver that cannot be opened allows no second one.
        dir.cmd(ELFGRAFT, self.args).env("MAKEFLAGS", "-j --jobserver-auth=97,98")
    }

    /// A directory with what the command needs.
    pub fn dir(&self) -> Dir {
        let dir = Dir::with(&FIXTURES);
        self.files.iter().for_each(|(name, from)| dir.write(name, fixture(from)));
        dir.elfgraft(&["set", ".new=demo2.btf", "-o", "with.ko", "demo.ko"]).quiet();
        dir.write("modules.order", "a.o\ndemo.o\n");
        let member = |name: &str, bytes: &[u8]| {
            let head = format!("{name:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`\n", 0, 0, 0, 644, bytes.len());
            [head.as_bytes(), bytes, &b"\n"[..bytes.len() % 2]].concat()
        };
        let (a, b) = (fixture("obj-x86_64.o"), fixture("obj-clang.o"));
        dir.write("lib.a", [&b"!<arch>\n"[..], &member("a.o/", &a), &member("b.o/", &b)].concat());
        dir
    }

    /// Whether a file is the new one and not the old one. It is one of them.
    pub fn old_or_new(&self, dir: &Dir, name: &String, old: &Files, new: &Files, at: &str) -> bool {
        let found = dir.read(name);
        // Between undo file and edit: the next command decides.
        if name.ends_with(".elfgraft-undo") && !self.opened.is_empty() {
            return false;
        }
        let is_new = new.get(name) == Some(&found);
        assert!(is_new || old.get(name) == Some(&found), "{at}: {name} is neither old nor new");
        is_new && old.get(name) != Some(&found)
    }
}
