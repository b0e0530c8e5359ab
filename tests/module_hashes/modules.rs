//! Reading modules: large ones, ones that change, and how many at a time.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::Child;
use std::time::Duration;

use crate::Tree;
use crate::model::{Hash, Model, kernel};
use crate::util::{ELFGRAFT, installed, same};

const GIB: u64 = 1 << 30;

fn sparse(path: &Path, len: u64, end: &[u8]) {
    let mut file = File::create(path).unwrap();
    file.set_len(len).unwrap();
    std::io::Seek::seek(&mut file, std::io::SeekFrom::End(0)).unwrap();
    file.write_all(end).unwrap();
}

// Lengths and offsets that do not fit 32 bits, and memory that does not follow them.
#[test]
fn a_module_over_4_gib_is_streamed() {
    let tree = Tree::new(2);
    sparse(&tree.dir.path("m1.ko"), 4 * GIB + 1, b"end");
    let build = ["module-hashes", "build", "--root", "r", "--endian", "little", "--proofs"];
    tree.dir.cmd(ELFGRAFT, &build).after("ulimit -v 1000000").run().quiet();
    // (printf '\1\0\0\0\1'; head -c 4294967297 /dev/zero; printf end) | sha256sum
    let hex = "9bb433870ec4a2c97704e1b00b106ae9dded48cbfa1b2a2eb5f00a99a0a093ed";
    let leaf: Hash = std::array::from_fn(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap());
    let small: Hash =
        sha2::Digest::finalize(<sha2::Sha256 as sha2::Digest>::new_with_prefix(b"\x01\0\0\0\0contents of module 0"))
            .into();
    let model = Model::of_leaves(vec![small, leaf]);
    same(&tree.dir.read("r"), &model.section(false), "root");
    same(&tree.dir.read("m1.merkle"), &model.merkle(1), "proof");
}

#[test]
fn an_empty_module_has_a_hash() {
    let tree = Tree::of(vec![("a".into(), Vec::new()), ("b".into(), b"b".to_vec())]);
    tree.run(&["build", "--root", "r", "--endian", "little", "--proofs"]).quiet();
    same(&tree.dir.read("r"), &tree.model.section(false), "root");
    // But with its proof alone the kernel refuses it, and so it does not get one.
    assert_eq!(kernel(&tree.model.merkle(0), &tree.model.section(false), false), Err("EBADMSG"));
    tree.run(&["sign", "a.ko"]).fails(&["'a.ko'", "empty"]);
    tree.run(&["sign", "b.ko"]).quiet();
}

/// Waits until the process has the file open.
fn opened(child: &mut Child, path: &Path) {
    let fds = format!("/proc/{}/fd", child.id());
    loop {
        let open = |fd: std::io::Result<fs::DirEntry>| fs::read_link(fd.unwrap().path()).is_ok_and(|to| to == path);
        if fs::read_dir(&fds).is_ok_and(|mut fds| fds.any(open)) {
            return;
        }
        assert!(child.try_wait().unwrap().is_none(), "it ended before it could be disturbed");
        std::thread::sleep(Duration::from_micros(500));
    }
}

#[test]
fn a_module_that_changes_while_it_is_read() {
    for (change, then) in [("append", 536870913), ("cut", 5), ("replace", 3)] {
        let tree = Tree::new(1);
        let path = fs::canonicalize(tree.dir.root()).unwrap().join("m0.ko");
        sparse(&path, GIB / 2, b"");
        let mut child = tree.dir.cmd(ELFGRAFT, &["module-hashes", "patch", "vmlinux", "--proofs"]).spawn();
        let vmlinux = tree.dir.stamp("vmlinux");
        opened(&mut child, &path);
        let write = || OpenOptions::new().append(true).open(&path).unwrap();
        match change {
            "append" => write().write_all(b"!").unwrap(),
            "cut" => write().set_len(5).unwrap(),
            // As linkers do: what was open does not change.
            _ => {
                tree.dir.write("new", "new");
                fs::rename(tree.dir.path("new"), &path).unwrap();
            }
        }
        let output = child.wait_with_output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{text}");
        let words = format!("'m0.ko': module changed while it was read: 536870912 bytes, then {then}\n");
        assert_eq!(text, format!("elfgraft: error: {words}"));
        assert!(!tree.dir.path("m0.merkle").exists());
        assert_eq!(tree.dir.stamp("vmlinux"), vmlinux);
    }
}

// GNU make's jobserver: a job more than the first takes a token, and gives it back.
#[test]
fn make_says_how_many_jobs_there_are() {
    if !installed("mkfifo") {
        return;
    }
    let tree = Tree::new(40);
    tree.dir.cmd("mkfifo", &["jobs"]).run().quiet();
    let mut fifo = OpenOptions::new().read(true).write(true).custom_flags(0o4000).open(tree.dir.path("jobs")).unwrap();
    for tokens in [&b""[..], b"+", b"+++++++"] {
        fifo.write_all(tokens).unwrap();
        let flags = format!("-j8 --jobserver-auth=fifo:{}", tree.dir.path("jobs").display());
        let build = ["module-hashes", "build", "--root", "r", "--endian", "little"];
        tree.dir.cmd(ELFGRAFT, &build).env("MAKEFLAGS", flags).run().quiet();
        same(&tree.dir.read("r"), &tree.model.section(false), "root");
        let mut left = vec![0; 100];
        let left_len = if tokens.is_empty() { 0 } else { fifo.read(&mut left).unwrap() };
        assert_eq!(&left[..left_len], tokens);
    }
}

/// `ELFGRAFT_CORPUS=DIR cargo test -- --ignored corpus`: the modules of an unpacked kernel package.
#[test]
#[ignore = "needs the modules of a kernel package"]
fn corpus_of_a_kernel_package() {
    let corpus = std::env::var("ELFGRAFT_CORPUS").expect("ELFGRAFT_CORPUS is a directory of modules");
    let mut names: Vec<String> = fs::read_dir(&corpus)
        .unwrap()
        .filter_map(|entry| Some(entry.unwrap().file_name().to_str()?.strip_suffix(".ko")?.to_owned()))
        .collect();
    names.sort();
    assert!(names.len() > 100, "only {} modules in {corpus}", names.len());
    let read = |name: &String| fs::read(Path::new(&corpus).join(format!("{name}.ko"))).unwrap();
    // Signed ones as they are: for `build` the signature is contents; for `sign` they would be refused.
    let tree = Tree::of(names.iter().map(|name| (name.clone(), [read(name), b"!".to_vec()].concat())).collect());
    tree.all_steps();
    let section = tree.dir.elf("vmlinux").section(".module_hashes").data.clone();
    same(&section, &tree.model.section(false), "root");
    for (pos, name) in tree.names.iter().enumerate() {
        same(&tree.dir.read(format!("{name}.merkle")), &tree.model.merkle(pos), name);
        let module = tree.dir.read(format!("{name}.ko"));
        assert_eq!(kernel(&module, &section, false), Ok(u32::try_from(pos).unwrap()), "{name}");
    }
    let files = tree.files();
    let verify: Vec<&str> = ["verify", "vmlinux"].into_iter().chain(files.iter().map(String::as_str)).collect();
    assert_eq!(tree.run(&verify).ok().text().matches(": good, module ").count(), names.len());

    let order: String = names.iter().map(|name| format!("{name}.o\n")).collect();
    tree.dir.write("modules.order", order);
    let args = ["build", "--directory", &corpus, "--modules-order", "modules.order", "--root", "r", "--endian", "big"];
    tree.run(&args).quiet();
    same(&tree.dir.read("r"), &Model::new(names.iter().map(read)).section(true), "root of the modules as they are");
}
