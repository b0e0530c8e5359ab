//! Random modules through the kernel's tool and ours.

use elfgraft_testkit::btf_ids::Entry;
use elfgraft_testkit::format::Format;
use elfgraft_testkit::rng::Rng;

use crate::upstream::{ours, run, tool};
use crate::util::Dir;
use crate::{make, types};

/// Half of the sets hold functions alone, with flags that matter.
fn entries(rng: &mut Rng) -> Vec<Entry> {
    let mut entries = make::entries(rng);
    for entry in &mut entries {
        if let Entry::Set8 { members, .. } = entry
            && rng.one_in(2)
        {
            for member in members {
                member.kind = "func".into();
                if rng.one_in(4) {
                    member.name = "legacy".into();
                }
                member.flags = rng.pick(&[0, 1, 1 << 16, 1 << 16 | 1]);
            }
        }
    }
    entries
}

fn formats() -> Vec<Format> {
    Format::ALL.to_vec()
}

#[test]
fn output_is_the_kernel_tools_byte_for_byte() {
    let Some(tool) = tool() else { return };
    let first: u64 = std::env::var("SEED").map_or(1, |seed| seed.parse().unwrap());
    for seed in first..first + 200 {
        let mut rng = Rng::new(seed);
        let format = rng.pick(&formats());
        let alone = rng.one_in(5);
        let (base, split) = types::pair(&mut rng, format, alone);
        let entries = entries(&mut rng);
        let elf = if rng.one_in(4) { make::image(format, &entries) } else { make::module(format, &entries) };
        let elf = elf.build();
        let distill = rng.one_in(2);
        let mut args = vec!["-b", "base", "--btf", "split"];
        args.extend(distill.then_some("--distill_base"));
        let more: &[&str] = rng.pick(&[&[], &["-v"], &["-vv"]]);
        args.extend(more);
        if alone {
            args.drain(..4);
            args.extend(["--btf", "base"]);
        }
        args.push("x.ko");
        let files: [(&str, &[u8]); 3] = [("x.ko", &elf), ("base", &base), ("split", &split)];
        let what = format!("SEED={seed}: {format} {args:?}");
        let (theirs, ours) = (run(&tool, &files, &args), run(&ours(), &files, &args));
        if ours != theirs && theirs.err.contains("libbpf:") {
            panic!("{what}: the test makes BTF that is refused: {}", theirs.err);
        }
        ours.assert_is(&theirs, &what);
    }
}

/// Embedded and patched, with or without the base, by this tool or by the kernel's: another run gives the same bytes.
#[test]
fn every_later_run_gives_the_bytes_of_the_first() {
    let mut left_behind = 0;
    for seed in 1..150 {
        let mut rng = Rng::new(seed);
        let format = rng.pick(&formats());
        let (base, split) = types::pair(&mut rng, format, false);
        let dir = Dir::new();
        dir.write("base", &base);
        dir.write("split", &split);
        dir.write("x.ko", make::module(format, &entries(&mut rng)).build());
        let distill = rng.one_in(2);
        let mut args = vec!["-b", "base", "--btf", "split", "x.ko"];
        if distill {
            args.insert(0, "--distill_base");
        }
        let outputs = |dir: &Dir| {
            let written: Vec<_> = dir.names().into_iter().filter(|name| name.starts_with("x.ko.")).collect();
            written.into_iter().map(|name| (name.clone(), dir.read(&name))).collect::<Vec<_>>()
        };
        // `None` where several unresolved kfuncs with different flags are in one set: whose they are nothing can tell.
        let resolve = |args: &[&str]| {
            let run = dir.cmd(ours(), args).run();
            let refused = ["was sorted before", "was sorted by a tool that left its symbols behind"];
            if run.code() == Some(255) && refused.iter().any(|why| run.stderr().contains(why)) {
                return None;
            }
            run.check(run.code() == Some(0), &format!("seed {seed}: exit status 0"));
            Some(outputs(&dir))
        };
        let first = resolve(&args).unwrap();
        for (name, _) in first.iter().filter(|(name, _)| name != "x.ko.BTF_ids") {
            let section = name.strip_prefix("x.ko").unwrap();
            dir.elfgraft(&["set", &format!("{section}={name}"), "x.ko"]).ok();
        }
        let known = if rng.one_in(3) {
            // As the kernel's tool patches it: the symbols are left behind.
            dir.elfgraft(&["objcopy", "--update-section", ".BTF_ids=x.ko.BTF_ids", "x.ko"]).ok();
            left_behind += 1;
            false
        } else {
            let base = if rng.one_in(2) { &["-b", "base"][..] } else { &[] };
            let run = dir.cmd(ours(), &[base, &["--patch_btfids", "x.ko.BTF_ids", "x.ko"]].concat()).run();
            let known = run.stderr().is_empty();
            run.check(
                run.code() == Some(0) && (known || base.is_empty() && !distill),
                &format!("seed {seed}: patched"),
            );
            known
        };
        // From the same BTF, and from what is embedded now.
        let own: Vec<&str> = args.iter().copied().filter(|arg| *arg != "--btf" && *arg != "split").collect();
        for args in [&args, &args, &own] {
            match resolve(args) {
                Some(again) => assert_eq!(again, first, "seed {seed}, {args:?}"),
                None => assert!(!known, "seed {seed}, {args:?}"),
            }
        }
    }
    assert!(left_behind > 20);
}
