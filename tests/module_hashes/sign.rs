//! `sign`: a proof behind each module, once.

use std::fs;

use crate::Tree;
use crate::model::kernel;
use crate::util::{fixture, same};

#[test]
fn signed_modules_are_the_module_and_its_proof() {
    let tree = Tree::new(5);
    tree.all_steps();
    for pos in 0..5 {
        let expected = [format!("contents of module {pos}").into_bytes(), tree.model.merkle(pos)].concat();
        same(&tree.dir.read(format!("m{pos}.ko")), &expected, "module");
        assert_eq!(kernel(&expected, &tree.model.section(false), false), Ok(u32::try_from(pos).unwrap()));
    }
}

#[test]
fn once_or_ten_times() {
    let tree = Tree::new(2);
    tree.all_steps();
    let (module, inode) = (tree.dir.read("m1.ko"), std::os::unix::fs::MetadataExt::ino(&tree.dir.metadata("m1.ko")));
    for options in [&[][..], &["--in-place"], &["--fsync"]] {
        tree.run(&[&["sign", "m1.ko", "-v"], options].concat()).ok().warns(&["'m1.ko': unchanged, 0 of "]);
        // A signed module has the hash it had, so that all steps can be made again.
        tree.all_steps();
    }
    same(&tree.dir.read("m1.ko"), &module, "module");
    assert_eq!(std::os::unix::fs::MetadataExt::ino(&tree.dir.metadata("m1.ko")), inode);
}

#[test]
fn a_proof_of_another_build_is_replaced() {
    for options in [&[][..], &["--in-place"]] {
        let tree = Tree::new(5);
        tree.all_steps();
        // Deeper, then as deep, then less deep.
        for count in [9, 3, 4, 2] {
            let other = Tree::new(count);
            other.all_steps();
            tree.run(&[&["sign", "--proof", other.dir.path("m1.merkle").to_str().unwrap(), "m1.ko"], options].concat())
                .quiet();
            same(&tree.dir.read("m1.ko"), &other.dir.read("m1.ko"), "module");
        }
    }
}

#[test]
fn proofs_appended_twice_come_off_together() {
    let tree = Tree::new(3);
    tree.run(&["build", "--proofs"]).quiet();
    tree.run(&["patch", "vmlinux"]).quiet();
    let twice = [tree.dir.read("m1.ko"), tree.model.merkle(1), tree.model.merkle(1)].concat();
    tree.dir.write("m1.ko", &twice);
    // The kernel takes off one.
    assert_eq!(kernel(&twice, &tree.model.section(false), false), Err("ENOKEY"));
    let run = tree.run(&["verify", "vmlinux", "m1.ko"]);
    run.check(run.code() == Some(1) && run.text().contains("ENOKEY"), "ENOKEY");
    // Its hash is that of its contents still, and signing makes it good.
    let stamp = tree.dir.stamp("m1.merkle");
    tree.run(&["build", "--proofs"]).quiet();
    assert_eq!(tree.dir.stamp("m1.merkle"), stamp);
    tree.run(&["sign", "m1.ko"]).quiet();
    tree.run(&["verify", "vmlinux", "m1.ko"]).ok();
}

#[test]
fn a_pkcs7_signature_is_refused() {
    let tree = Tree::new(1);
    tree.run(&["build", "--proofs"]).quiet();
    let signed = fixture("demo-signed.ko");
    // Also under a proof, where only `cat` can have put it.
    for module in [signed.clone(), [signed, tree.model.merkle(0)].concat()] {
        tree.dir.write("m0.ko", &module);
        let stamp = tree.dir.stamp("m0.ko");
        tree.run(&["sign", "m0.ko"]).fails(&["'m0.ko'", "PKCS#7 signature"]);
        assert_eq!(tree.dir.stamp("m0.ko"), stamp);
    }
}

// The kernel, or what loads modules, decompresses first: a proof behind compressed bytes is one behind nothing.
#[test]
fn compressed_modules_are_refused_everywhere() {
    let tree = Tree::new(1);
    tree.all_steps();
    let good = tree.dir.read("m0.ko");
    for (magic, name) in [(&b"\xfd7zXZ\0"[..], "xz"), (b"\x1f\x8b\x08\0", "gzip"), (b"\x28\xb5\x2f\xfd", "zstd")] {
        let compressed = [magic, &good].concat();
        for file in ["m0.ko.xz", "m0.ko"] {
            tree.dir.write(file, &compressed);
            let words = format!("'{file}': module is compressed ({name})");
            tree.run(&["verify", "vmlinux", file]).fails(&[&words]);
            tree.run(&["show", file]).fails(&[&words]);
            tree.run(&["sign", "--proof", "m0.merkle", file]).fails(&[&words]);
            same(&tree.dir.read(file), &compressed, "module");
        }
        tree.run(&["build", "--proofs"]).fails(&["'m0.ko': module is compressed"]);
        tree.dir.write("m0.ko", magic);
        tree.run(&["verify", "vmlinux", "m0.ko"]).fails(&["'m0.ko': module is compressed"]);
    }
}

#[test]
fn a_broken_signature_is_refused() {
    let tree = Tree::new(1);
    tree.run(&["build", "--proofs"]).quiet();
    let mut module = [tree.dir.read("m0.ko"), tree.model.merkle(0)].concat();
    let id_type = module.len() - 28 - 12 + 2;
    module[id_type] = 7;
    tree.dir.write("m0.ko", &module);
    tree.run(&["sign", "m0.ko"]).fails(&["'m0.ko'", "broken signature", "id_type 7"]);
    same(&tree.dir.read("m0.ko"), &module, "module");
}

#[test]
fn a_proof_that_is_none_is_refused() {
    let tree = Tree::new(2);
    tree.run(&["sign", "m0.ko"]).fails(&["'m0.merkle'", "No such file"]);
    let good = tree.model.merkle(0);
    for bad in [&b""[..], b"x", &good[1..], &good[..good.len() - 1], &[&good[..], b"\n"].concat()] {
        tree.dir.write("m0.merkle", bad);
        tree.run(&["sign", "m0.ko"]).fails(&["'m0.merkle'", "proof"]);
    }
    assert_eq!(tree.dir.read("m0.ko"), b"contents of module 0");
    fs::rename(tree.dir.path("m0.ko"), tree.dir.path("m0.ko.xz")).unwrap();
    tree.run(&["sign", "m0.ko.xz"]).fails(&["'m0.ko.xz'", "--proof"]);
    tree.run(&["sign", "--proof", "m0.merkle", "m0.ko", "m1.ko"]).fails(&["--proof", "one module"]);
}

#[test]
fn a_module_that_cannot_be_signed_does_not_stop_the_others() {
    let tree = Tree::new(3);
    tree.run(&["build", "--proofs"]).quiet();
    fs::remove_file(tree.dir.path("m1.merkle")).unwrap();
    tree.run(&["sign", "m0.ko", "m1.ko", "m2.ko"]).fails(&["'m1.merkle'"]);
    let expected = [b"contents of module 2", &tree.model.merkle(2)[..]].concat();
    same(&tree.dir.read("m2.ko"), &expected, "module");
}

#[test]
fn dry_run_tells_the_position_and_writes_nothing() {
    let tree = Tree::new(3);
    tree.run(&["build", "--proofs"]).quiet();
    let stamp = tree.dir.stamp("m2.ko");
    let text = tree.run(&["sign", "m2.ko", "--dry-run"]).ok().text();
    assert!(text.contains("Merkle proof of module 2"), "{text}");
    assert_eq!(tree.dir.stamp("m2.ko"), stamp);
}
