//! `build`: root, proofs and what is refused.

use std::fs;
use std::os::unix::ffi::OsStrExt;

use crate::Tree;
use crate::model::kernel;
use crate::util::{NOBODY, fixture, is_root, same};

/// Root in both byte orders, proofs, and what the kernel says to each module with its proof.
#[track_caller]
fn agrees(tree: &Tree) {
    let section = |big| tree.model.section(big);
    tree.run(&["build", "--root", "le.bin", "--endian", "little", "--proofs"]).quiet();
    tree.run(&["build", "--root", "be.bin", "--endian", "big"]).quiet();
    same(&tree.dir.read("le.bin"), &section(false), "root, little-endian");
    same(&tree.dir.read("be.bin"), &section(true), "root, big-endian");
    for (vmlinux, bin) in [("vmlinux", "le.bin"), ("vmlinux.be", "be.bin")] {
        tree.run(&["build", "--root", "like.bin", "--like", vmlinux]).quiet();
        same(&tree.dir.read("like.bin"), &tree.dir.read(bin), vmlinux);
        tree.run(&["patch", vmlinux]).quiet();
        same(&tree.dir.elf(vmlinux).section(".module_hashes").data, &tree.dir.read(bin), vmlinux);
    }
    for (pos, name) in tree.names.iter().enumerate() {
        let merkle = tree.dir.read(format!("{name}.merkle"));
        same(&merkle, &tree.model.merkle(pos), name);
        let module = [tree.dir.read(format!("{name}.ko")), merkle].concat();
        for big in [false, true] {
            assert_eq!(kernel(&module, &section(big), big), Ok(u32::try_from(pos).unwrap()), "{name}");
        }
    }
}

#[test]
fn no_one_two_three_five_modules() {
    [0, 1, 2, 3, 5].into_iter().for_each(|count| agrees(&Tree::new(count)));
}

#[test]
fn powers_of_two_and_one_more() {
    for count in [4, 8, 16, 64, 256] {
        agrees(&Tree::new(count));
        agrees(&Tree::new(count + 1));
    }
}

// The formats of the v5 series, and hashes of what is installed: https://lore.kernel.org/all/20260505-module-hashes-v5-0-e174a5a49fce@weissschuh.net/
#[test]
fn f6_stripped_modules_are_hashed_as_they_are_installed() {
    let tree = Tree::new(3);
    for name in &tree.names {
        fs::rename(tree.dir.path(format!("{name}.ko")), tree.dir.path(format!("{name}.ko.stripped"))).unwrap();
        tree.dir.write(format!("{name}.ko"), "with debug sections");
    }
    let suffix = ["--suffix", ".ko.stripped"];
    tree.run(&[&["build", "--proofs", "--root", "r", "--endian", "little"][..], &suffix].concat()).quiet();
    same(&tree.dir.read("r"), &tree.model.section(false), "root");
    same(&tree.dir.read("m2.merkle"), &tree.model.merkle(2), "proof");
    // The proof is for the module that gets installed, under whichever name.
    tree.run(&["sign", "m0.ko.stripped"]).quiet();
    fs::rename(tree.dir.path("m1.ko.stripped"), tree.dir.path("m1.ko")).unwrap();
    tree.run(&["sign", "m1.ko"]).quiet();
    assert_eq!(tree.run(&["verify", "r", "m0.ko.stripped", "m1.ko"]).ok().text().matches(": good").count(), 2);
}

// Suffix cut at the first dot, nothing written for no modules, wrong names in messages, partial outputs:
// https://lore.kernel.org/all/20260113-module-hashes-v4-15-0b932db9b56b@weissschuh.net/
#[test]
fn f7_names_with_more_dots_and_spaces() {
    let names = ["a.b", "dir.o/x.o", "net/foo.bar", "my dir/a b ", "-dash", "x"];
    agrees(&Tree::of(names.map(|name| (name.into(), name.as_bytes().to_vec())).to_vec()));
}

#[test]
fn f7_no_modules_have_a_root() {
    let tree = Tree::new(0);
    tree.run(&["build", "--root", "r", "--endian", "big"]).quiet();
    assert_eq!(tree.dir.read("r"), [0; 36]);
}

#[test]
fn f7_failures_name_every_module_and_leave_nothing() {
    let tree = Tree::new(9);
    for gone in ["m3.ko", "m7.ko"] {
        fs::remove_file(tree.dir.path(gone)).unwrap();
    }
    let before = tree.dir.names();
    let run = tree.run(&["build", "--proofs", "--root", "r", "--endian", "little"]);
    run.check(run.code() == Some(1), "exit status 1");
    let lines: Vec<String> = run.stderr().lines().map(str::to_owned).collect();
    let expected = ["m3.ko", "m7.ko"]
        .map(|name| format!("elfgraft: error: '{name}': cannot read module: No such file or directory (os error 2)"));
    assert_eq!(lines, expected);
    assert_eq!(tree.dir.names(), before);
}

#[test]
fn unreadable_module() {
    let tree = Tree::new(2);
    if is_root() {
        // Root reads everything; its modules are for nobody to read.
        tree.dir.chmod("m1.ko", 0o600);
        fs::set_permissions(tree.dir.root(), std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
    } else {
        tree.dir.chmod("m1.ko", 0o000);
    }
    let mut cmd = tree.dir.cmd(crate::util::ELFGRAFT, &["module-hashes", "build", "--proofs"]);
    if is_root() {
        // The command itself may lie where only root may go.
        tree.dir.write("elfgraft", fs::read(crate::util::ELFGRAFT).unwrap());
        tree.dir.chmod("elfgraft", 0o755);
        cmd = tree.dir.cmd(tree.dir.path("elfgraft"), &["module-hashes", "build", "--proofs"]).user(NOBODY);
    }
    cmd.run().fails(&["'m1.ko': cannot read module: Permission denied"]);
}

#[test]
fn a_directory_is_no_module() {
    let tree = Tree::new(1);
    fs::remove_file(tree.dir.path("m0.ko")).unwrap();
    fs::create_dir(tree.dir.path("m0.ko")).unwrap();
    tree.run(&["build", "--proofs"]).fails(&["'m0.ko'", "not a regular file"]);
}

#[test]
fn lines_that_are_no_modules_name_file_and_line() {
    let cases: [(&str, &str); 6] = [
        ("m0.o\nm1.ko\n", "'the order': line 2: 'm1.ko' does not end in '.o'"),
        ("m0.o\r\n", "'the order': line 1 ends in CR LF"),
        ("m0.o\n\nm1.o\n", "'the order': line 2 is empty"),
        ("m0.o\nm1.o\nm0.o\n", "'the order': line 3: 'm0.o' is already on line 1"),
        ("m0.o\n.//m0.o\n", "'the order': line 2: './/m0.o' is already on line 1"),
        ("m0.o\n\u{1b}[2J\n", "'the order': line 2: '\\u{1b}[2J' does not end in '.o'"),
    ];
    let tree = Tree::new(2);
    for (order, message) in cases {
        tree.dir.write("the order", order);
        for command in [&["build", "--proofs"][..], &["patch", "vmlinux"]] {
            tree.run(&[command, &["--modules-order", "the order"]].concat()).fails(&[message]);
        }
    }
    tree.run(&["build", "--proofs", "--modules-order", "none"]).fails(&["'none'", "No such file"]);
}

#[test]
fn names_that_are_not_utf8() {
    let tree = Tree::new(0);
    let name = |suffix: &[u8]| std::ffi::OsStr::from_bytes(&[b"\xff\xfe", suffix].concat()).to_owned();
    tree.dir.write(name(b".ko"), "contents");
    tree.dir.write("modules.order", b"\xff\xfe.o");
    tree.run(&["build", "--proofs"]).quiet();
    same(&tree.dir.read(name(b".merkle")), &crate::Model::new(["contents"]).merkle(0), "proof");
    tree.dir.elfgraft(&["module-hashes".into(), "sign".into(), name(b".ko")]).quiet();
    assert!(tree.dir.read(name(b".ko")).ends_with(b"~Module signature appended~\n"));
}

#[test]
fn the_directory_of_the_build() {
    let tree = Tree::new(0);
    let built = Tree::new(3);
    let directory = built.dir.root().to_str().unwrap();
    tree.run(&["build", "--directory", directory, "--root", "r", "--endian", "little", "--proofs"]).quiet();
    same(&tree.dir.read("r"), &built.model.section(false), "root");
    same(&built.dir.read("m1.merkle"), &built.model.merkle(1), "proof");
    // The list may lie elsewhere, or come through a pipe.
    tree.dir.write("other.order", "m1.o\n");
    let args = ["build", "--directory", directory, "--root", "r", "--endian", "little", "--modules-order"];
    tree.run(&[&args[..], &["other.order"]].concat()).quiet();
    let one = crate::Model::new(["contents of module 1"]).section(false);
    same(&tree.dir.read("r"), &one, "root");
    let all = [&["module-hashes"], &args[..], &["-"]].concat();
    tree.dir.write("r", "old");
    tree.dir.cmd(crate::util::ELFGRAFT, &all).stdin("m1.o\n").run().quiet();
    same(&tree.dir.read("r"), &one, "root");
}

#[test]
fn unchanged_outputs_are_not_rewritten() {
    let tree = Tree::new(3);
    let build = ["build", "--root", "r", "--endian", "little", "--proofs", "-v"];
    let first = tree.run(&build).ok().stderr();
    assert!(first.contains("'modules.order': 3 modules, 2 levels, root "), "{first}");
    assert!(first.contains("; 4 files written"), "{first}");
    let stamps = ["r", "m0.merkle", "m1.merkle", "m2.merkle"].map(|name| tree.dir.stamp(name));
    let second = tree.run(&build).ok().stderr();
    assert!(second.contains("; 0 files written"), "{second}");
    assert_eq!(stamps, ["r", "m0.merkle", "m1.merkle", "m2.merkle"].map(|name| tree.dir.stamp(name)));
    // The hash of m2, or that of it and itself, is in every proof.
    tree.dir.write("m2.ko", "changed");
    tree.run(&build).ok().warns(&["; 4 files written"]);
}

#[test]
fn nothing_to_write_and_no_byte_order_are_refused_at_once() {
    let tree = Tree::new(0);
    tree.run(&["build"]).fails(&["--root", "--proofs"]);
    tree.dir.write("vmlinux", fixture("vmlinux"));
    tree.run(&["build", "--root", "vmlinux", "--endian", "little"]).fails(&[
        "'vmlinux'",
        "--root",
        "ELF file",
        "`patch`",
    ]);
    assert!(tree.dir.read("vmlinux") == fixture("vmlinux"));
    tree.run(&["build", "--root", "r"]).fails(&["--endian", "--like", "byte order"]);
    tree.run(&["build", "--proofs", "--endian", "big"]).fails(&["--root"]);
    tree.run(&["build", "--root", "r", "--endian", "big", "--like", "vmlinux"]).fails(&["--like"]);
    tree.run(&["build", "--root", "r", "--like", "modules.order"]).fails(&["'modules.order'", "ELF"]);
    tree.run(&["build", "--proofs", "--suffix", "ko"]).fails(&["--suffix", ".ko.stripped"]);
}

#[test]
fn the_root_on_standard_output() {
    let tree = Tree::new(2);
    let run = tree.run(&["build", "--root", "-", "--endian", "big"]).ok();
    same(run.stdout(), &tree.model.section(true), "root");
    assert!(!tree.dir.path("-").exists());
}
