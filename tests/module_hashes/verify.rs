//! `verify` and `show`.

use serde_json::{Value, json};

use crate::Tree;
use crate::model::kernel;
use crate::util::{Run, fixture};

/// The verdict on one module: equal to the model's, and its line.
#[track_caller]
fn verdict(tree: &Tree, name: &str) -> String {
    let run = tree.run(&["verify", "vmlinux", name]);
    let section = tree.dir.elf("vmlinux").section(".module_hashes").data.clone();
    let text = run.text();
    match kernel(&tree.dir.read(name), &section, false) {
        Ok(pos) => run.check(text == format!("{name}: good, module {pos} of this vmlinux\n"), &format!("good, {pos}")),
        Err(errno) => run.check(text.starts_with(&format!("{name}: {errno}: ")), errno),
    }
    run.check(run.code() == Some(i32::from(!text.contains("good"))), "exit status 1 unless good");
    run.check(run.stderr().is_empty(), "nothing on standard error");
    text
}

#[test]
fn good_modules() {
    for count in [1, 2, 3, 5, 8, 9] {
        let tree = Tree::new(count);
        tree.all_steps();
        tree.files().iter().for_each(|name| assert!(verdict(&tree, name).contains("good")));
    }
}

#[test]
fn a_module_changed_after_its_proof() {
    let tree = Tree::new(3);
    tree.all_steps();
    let good = tree.dir.read("m1.ko");
    // A byte of the contents, of the position, of a hash, of struct module_signature, of the marker.
    let end = good.len();
    for place in [0, 19, 23, 30, end - 40, end - 38, end - 29, end - 1] {
        let mut bad = good.clone();
        bad[place] ^= 1;
        tree.dir.write("m1.ko", bad);
        assert!(!verdict(&tree, "m1.ko").contains("good"), "byte {place}");
    }
}

#[test]
fn a_proof_for_another_depth_or_position() {
    let tree = Tree::new(5);
    tree.all_steps();
    for (merkle, errno) in [(Tree::new(4).model.merkle(0), "ENOPKG"), (tree.model.merkle(1), "ENOKEY")] {
        tree.dir.write("m0.ko", [b"contents of module 0", &merkle[..]].concat());
        assert!(verdict(&tree, "m0.ko").contains(errno));
    }
    // A vmlinux without a root, and one of another build.
    tree.dir
        .write("vmlinux", elfgraft_testkit::layouts::vmlinux(elfgraft_testkit::format::Format::X86_64, true).build());
    assert!(verdict(&tree, "m1.ko").contains("ENOPKG: proof is 100 bytes, vmlinux has 0 levels and wants 4"));
}

#[test]
fn other_signatures_and_none() {
    let tree = Tree::new(2);
    tree.all_steps();
    tree.dir.write("signed.ko", fixture("demo-signed.ko"));
    tree.dir.write("unsigned.ko", fixture("demo.ko"));
    tree.dir.write("empty.ko", "");
    tree.dir.write("proof.ko", tree.model.merkle(0));
    assert!(verdict(&tree, "signed.ko").contains("ENOPKG: a PKCS#7 signature"));
    assert!(verdict(&tree, "unsigned.ko").contains("ENODATA: no proof is appended"));
    assert!(verdict(&tree, "empty.ko").contains("ENODATA"));
    assert!(verdict(&tree, "proof.ko").contains("EBADMSG"));
}

#[test]
fn every_module_gets_its_line_and_one_bad_one_decides() {
    let tree = Tree::new(3);
    tree.all_steps();
    tree.dir.write("m1.ko", "unsigned");
    let run = tree.run(&["verify", "vmlinux", "m2.ko", "none.ko", "m1.ko", "m0.ko"]);
    run.check(run.code() == Some(1), "exit status 1");
    let lines: Vec<String> = run.text().lines().map(str::to_owned).collect();
    assert_eq!(
        lines,
        [
            "m2.ko: good, module 2 of this vmlinux",
            "m1.ko: ENODATA: no proof is appended",
            "m0.ko: good, module 0 of this vmlinux"
        ]
    );
    assert!(run.stderr().starts_with("elfgraft: error: 'none.ko': cannot read module: No such file"));
}

#[test]
fn the_root_in_a_file_of_its_own() {
    let tree = Tree::new(3);
    tree.all_steps();
    tree.run(&["patch", "vmlinux.be"]).quiet();
    for endian in ["little", "big"] {
        tree.run(&["build", "--root", endian, "--endian", endian]).quiet();
    }
    tree.dir.elfgraft(&["dump", ".module_hashes=dumped", "vmlinux.be"]).quiet();
    for root in ["vmlinux", "vmlinux.be", "little", "big", "dumped"] {
        tree.run(&["verify", root, "m0.ko", "m1.ko", "m2.ko"]).ok();
        tree.dir.write("bad.ko", "");
        assert_eq!(tree.run(&["verify", root, "bad.ko"]).code(), Some(1));
    }
    tree.dir.write("levels", [&[33, 0, 0, 0][..], &[7; 32]].concat());
    for (root, words) in [("modules.order", "36 bytes"), ("levels", "36 bytes"), ("none", "No such file")] {
        tree.run(&["verify", root, "m0.ko"]).fails(&[&format!("'{root}'"), words]);
    }
}

fn objects(run: &Run) -> Vec<Value> {
    run.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn verify_as_json() {
    let tree = Tree::new(2);
    tree.all_steps();
    tree.dir.write("a \"quoted\".ko", "unsigned");
    tree.dir.write("changed.ko", [b"changed", &tree.model.merkle(0)[..]].concat());
    let run = tree.run(&["verify", "--json", "vmlinux", "m1.ko", "a \"quoted\".ko", "changed.ko"]);
    run.check(run.code() == Some(1), "exit status 1");
    let objects = objects(&run);
    let of = |i: usize, key: &str| objects[i][key].clone();
    assert_eq!(
        objects[0],
        json!({
            "file": "m1.ko", "good": true, "errno": null, "position": 1, "text": "good, module 1 of this vmlinux"
        })
    );
    assert_eq!((of(1, "file"), of(1, "errno")), (json!("a \"quoted\".ko"), json!("ENODATA")));
    assert_eq!((of(2, "good"), of(2, "errno"), of(2, "position")), (json!(false), json!("ENOKEY"), json!(0)));
    // A module that cannot be read has its object as well, and its message.
    let run = tree.run(&["verify", "--json", "vmlinux", "none.ko", "m0.ko"]);
    run.check(run.code() == Some(1) && run.stderr().contains("'none.ko': cannot read module"), "named");
    let objects = self::objects(&run);
    let none = &objects[0];
    assert_eq!((&none["file"], &none["good"], &none["errno"]), (&json!("none.ko"), &json!(false), &Value::Null));
    assert!(none["text"].as_str().unwrap().starts_with("cannot read module: No such file"), "{none}");
    assert_eq!(objects[1]["good"], json!(true));
}

#[test]
fn show_roots_and_proofs() {
    let tree = Tree::new(3);
    tree.all_steps();
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let root = hex(&tree.model.root());
    let merkle = tree.model.merkle(1);
    let proof = format!("proof of 2 levels\n  left  {}\n  right {}\n", hex(&merkle[4..36]), hex(&merkle[36..68]));
    let leads = proof.replacen("levels", &format!("levels, leads to root {root}"), 1);
    let files = ["vmlinux", "m1.ko", "m1.merkle"];
    let text = tree.run(&[&["show"], &files[..]].concat()).ok().text();
    assert_eq!(text, format!("vmlinux: 2 levels, root {root}\nm1.ko: module 1, {leads}m1.merkle: module 1, {proof}"));

    let objects = objects(&tree.run(&[&["show", "--json"], &files[..]].concat()).ok());
    assert_eq!(objects[0], json!({ "file": "vmlinux", "root": { "levels": 2, "hash": root } }));
    let siblings = json!([hex(&merkle[4..36]), hex(&merkle[36..68])]);
    let proof = |leads_to: Value| json!({ "position": 1, "levels": 2, "siblings": siblings, "leads_to": leads_to });
    assert_eq!(objects[1], json!({ "file": "m1.ko", "proof": proof(json!(root)) }));
    assert_eq!(objects[2], json!({ "file": "m1.merkle", "proof": proof(Value::Null) }));

    let two = Tree::new(2);
    two.all_steps();
    let text = two.run(&["show", "vmlinux", "m0.merkle"]).ok().text();
    assert!(text.starts_with("vmlinux: 1 level, root ") && text.contains("proof of 1 level\n"), "{text}");
}

#[test]
fn show_what_has_neither() {
    let tree = Tree::new(1);
    tree.dir.write("signed.ko", fixture("demo-signed.ko"));
    tree.dir.write("unsigned.ko", fixture("demo.ko"));
    let text = tree.run(&["show", "signed.ko", "unsigned.ko"]).ok().text();
    assert_eq!(
        text,
        "signed.ko: a PKCS#7 signature is appended, no proof\nunsigned.ko: no root, and no proof is appended\n"
    );
    tree.run(&["show", "modules.order"]).fails(&["'modules.order'", "ELF"]);
    tree.run(&["show", "none"]).fails(&["'none'"]);
}
