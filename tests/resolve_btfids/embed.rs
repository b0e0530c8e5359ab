//! `elfgraft btf embed` does what `resolve_btfids` does, and embeds it.

use elfgraft_testkit::btf_ids::{Entry, Member};
use elfgraft_testkit::format::Format;
use elfgraft_testkit::rng::Rng;

use crate::make::{entries, module};
use crate::model::{Types, ids};
use crate::types;
use crate::upstream::ours;
use crate::util::{Dir, same};

/// What `resolve_btfids` writes for `x.ko`, section by section.
fn resolved(dir: &Dir, distill: bool) -> Vec<(String, Vec<u8>)> {
    let distill = if distill { &["--distill_base"][..] } else { &[] };
    let run = dir.cmd(ours(), &[distill, &["-b", "base", "--btf", "split", "x.ko"]].concat()).run();
    run.check(run.code() == Some(0), "exit status 0");
    let sections = [".BTF", ".BTF.base", ".BTF_ids"].map(str::to_string);
    let written = sections.into_iter().filter(|section| dir.names().contains(&format!("x.ko{section}")));
    written.map(|section| (section.clone(), dir.read(format!("x.ko{section}")))).collect()
}

#[test]
fn sections_are_those_that_resolve_btfids_gives() {
    for seed in 1..90 {
        let mut rng = Rng::new(seed);
        let format = rng.pick(&Format::ALL);
        let (base, split) = types::pair(&mut rng, format, false);
        let dir = Dir::new();
        dir.write("base", &base);
        dir.write("split", &split);
        dir.write("x.ko", module(format, &entries(&mut rng)).build());
        let distill = rng.one_in(2);
        let expected = resolved(&dir, distill);
        let option = if distill { &["--distill-base"][..] } else { &[] };
        let embed = [&["btf", "embed", "--btf", "split", "--btf-base", "base"], option, &["x.ko"]].concat();
        let mut once = None;
        for round in 0..3 {
            dir.elfgraft(&embed).ok();
            let elf = dir.elf("x.ko");
            for (section, data) in &expected {
                same(&elf.section(section).data, data, &format!("seed {seed}, {round}: {section}"));
            }
            assert_eq!(elf.index_of(".BTF.base").is_some(), distill, "seed {seed}");
            let base = if distill { elf.section(".BTF.base").data.clone() } else { base.clone() };
            let types = Types::read(&elf.section(".BTF").data, Some(&Types::read(&base, None)));
            ids(&elf).assert_resolved(&types, &format!("seed {seed}"));
            same(once.get_or_insert_with(|| dir.read("x.ko")), &dir.read("x.ko"), &format!("seed {seed}, {round}"));
        }
        // With what is embedded now, and from what was embedded, which is final.
        dir.elfgraft(&["btf", "embed", "--btf-base", "base", "x.ko"]).ok();
        same(&once.clone().unwrap(), &dir.read("x.ko"), &format!("seed {seed}: without --btf"));
        if !distill {
            dir.elfgraft(&["dump", ".BTF=split", "x.ko"]).ok();
            dir.elfgraft(&embed).ok();
            same(&once.unwrap(), &dir.read("x.ko"), &format!("seed {seed}: final BTF again"));
        }
    }
}

#[test]
fn raw_is_embedded_as_it_is() {
    let format = Format::X86_64;
    let mut rng = Rng::new(7);
    let (base, split) = types::pair(&mut rng, format, false);
    let entries = [Entry::set("s", vec![Member::new("struct", "bpf_prog_aux")])];
    let dir = Dir::new();
    dir.write("base", &base);
    dir.write("split", &split);
    dir.write("x.ko", module(format, &entries).build());
    let embed = |more: &[&str]| dir.elfgraft(&[&["btf", "embed", "--btf-base", "base"], more, &["x.ko"]].concat());
    embed(&["--btf", "split", "--raw"]).ok();
    same(&dir.elf("x.ko").section(".BTF").data, &split, "--raw");
    embed(&["--btf", "split"]).ok();
    let made = dir.elf("x.ko").section(".BTF").data.clone();
    assert_ne!(made, split);
    // Words that were resolved go with final BTF.
    dir.write("final", &made);
    dir.write("ids", &dir.elf("x.ko").section(".BTF_ids").data);
    embed(&["--btf", "final", "--btf-ids", "ids"]).ok();
    same(&dir.elf("x.ko").section(".BTF").data, &made, "--btf-ids");
    for wrong in [&["--raw"][..], &["--distill-base"], &["--btf", "split", "--distill-base", "--raw"]] {
        embed(wrong).fails(&["--"]);
    }
    dir.elfgraft(&["btf", "embed", "--btf", "split", "--distill-base", "x.ko"]).fails(&["--btf-base"]);
}
