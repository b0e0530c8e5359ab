//! The laws, through the whole command, on files nobody has thought of.

use super::*;

#[test]
fn generated_files_keep_the_laws() {
    let dir = Dir::new();
    dir.write("a", [1; 5]);
    dir.write("b", vec![2; 301]);
    for seed in 0..24 {
        let file = generate(seed, GenOptions { linker_like: seed % 2 == 0, format: None, e_type: None });
        eprintln!("seed {seed}: {}", file.description);
        dir.write("x", &file.bytes);
        let steps: [&[&str]; 4] = [&[".l=a"], &[".l=b"], &[".l=a"], &[".l=a"]];
        let results = steps.map(|contents| {
            dir.elfgraft(&[&["set", "--drop-signature"], contents, &["x"]].concat()).quiet();
            dir.read("x")
        });
        same(&results[2], &results[0], "set a, b, a");
        same(&results[3], &results[0], "set a twice");
        dir.elfgraft(&["remove", ".l", "x"]).quiet();
        let (removed, trailer) = (dir.read("x"), dir.elf("x").trailer.len());
        if seed % 2 == 0 && trailer == elfgraft_testkit::read::ReadElf::parse(&file.bytes).trailer.len() {
            same(&removed, &file.bytes, "set and removed");
        }
    }
}

/// Damage may make an edit impossible, not dangerous: an error names the file and leaves it, in little memory.
#[test]
fn damaged_files_give_an_error_or_a_result() {
    let dir = Dir::new();
    dir.write("f", "x");
    let inputs = [
        g4_btf_ids(Format::X86_64),
        g2_group(Format::MIPS),
        g6_modinfo_segment(Format::S390X),
        layouts::vmlinux(Format::ARM, true).build(),
    ];
    let mut counts = [0, 0];
    for (number, input) in inputs.iter().enumerate() {
        let all: Vec<_> = damaged(input).chain(poked(input, 7, 200)).collect();
        let step = all.len() / 60;
        for (what, bytes) in all.into_iter().skip(number).step_by(step) {
            dir.write("x", &bytes);
            let run = dir.cmd(ELFGRAFT, &["set", "--drop-signature", ".f=f", "x"]).after("ulimit -v 300000").run();
            if run.code() == Some(0) {
                counts[0] += 1;
                continue;
            }
            counts[1] += 1;
            run.fails(&["'x'"]);
            same(&dir.read("x"), &bytes, &what);
        }
    }
    assert_eq!(dir.names(), ["f", "x"]);
    assert!(counts[0] > 20 && counts[1] > 20, "{counts:?}");
}

#[test]
fn nothing_but_the_section_differs() {
    for name in
        ["demo.ko", "demo-gnu.ko", "demo-llvm.ko", "demo-lld.ko", "odd.ko", "vmlinux-relocs", "libdemo-lld.so", "hello"]
    {
        let dir = Dir::with(&[name]);
        dir.write("f", "contents");
        let old = dir.read(name);
        dir.elfgraft(&["set", ".l=f", name]).quiet();
        assert_eq!(semantic_diff(&old, &dir.read(name)), ["section '.l': only in the second"], "{name}");
        assert_eq!(dir.elf(name).section(".l").flags & SHF_ALLOC, 0);
        dir.elfgraft(&["remove", ".l", name]).quiet();
        same(&dir.read(name), &old, name);
    }
}
