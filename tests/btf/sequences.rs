//! The properties, over modules made at random: any number of runs, against any sequence of BTFs.

use elfgraft_testkit::format::{Endian, Format};
use elfgraft_testkit::read::ReadElf;
use elfgraft_testkit::rng::Rng;

use crate::make::{Pair, base, entries, image, module, pair};
use crate::model::{Ids, ids, only_ids_differ, upstream};
use crate::util::{Dir, same};

const SEEDS: u64 = 6;

/// What a run must keep: flags with their kfunc, the words no symbol names, set headers and sizes.
#[track_caller]
fn kept(fresh: &Ids, now: &Ids, what: &str) {
    assert_eq!(now.flags(), fresh.flags(), "{what}");
    assert_eq!(now.unused, fresh.unused, "{what}");
    let lists = |ids: &Ids| ids.lists.iter().map(|w| (w.at, w.symbols.clone())).collect::<Vec<_>>();
    assert_eq!(lists(now), lists(fresh), "{what}: lists");
    let heads = |ids: &Ids| ids.sets.iter().map(|s| (s.at, s.name.clone(), s.flags)).collect::<Vec<_>>();
    assert_eq!(heads(now), heads(fresh), "{what}: heads of sets");
    // In each set the same symbols as before, each once.
    for (a, b) in fresh.sets.iter().zip(&now.sets) {
        let symbols = |set: &crate::model::Set| {
            let mut all: Vec<_> = set.entries.iter().flat_map(|e| e.symbols.clone()).collect();
            all.sort_unstable();
            all
        };
        assert_eq!(symbols(a), symbols(b), "{what}: symbols of {}", a.name);
    }
}

struct Made {
    name: String,
    fresh: Vec<u8>,
    /// BTF to be embedded, by base.
    btf: Vec<Pair>,
}

/// A module for each format of a byte order and each seed, and three bases.
fn made(dir: &Dir, endian: Endian) -> Vec<Made> {
    let bases: Vec<_> = (0..3).map(|n| base(1000 + n, endian)).collect();
    for (n, base) in bases.iter().enumerate() {
        dir.write(format!("base{n}"), base.build());
    }
    let mut made = Vec::new();
    for format in Format::ALL.into_iter().filter(|format| format.endian == endian) {
        for seed in 0..SEEDS {
            let name = format!("m{}.ko", made.len());
            let mut rng = Rng::new(seed << 8 | u64::from(format.machine));
            let entries = entries(&mut rng);
            let mut fresh = module(format, &entries).build();
            if seed == 0 {
                fresh.extend(b"trailing bytes");
            }
            let btf: Vec<Pair> = bases.iter().map(|base| pair(rng.next_u64(), base, endian)).collect();
            for (n, pair) in btf.iter().enumerate() {
                dir.write(format!("{name}.{n}"), &pair.split);
            }
            dir.write(&name, &fresh);
            made.push(Made { name, fresh, btf });
        }
    }
    made
}

fn any_sequence(endian: Endian) {
    let dir = Dir::new();
    let made = made(&dir, endian);
    let names: Vec<&str> = made.iter().map(|m| m.name.as_str()).collect();
    let mut first: Vec<Vec<Option<Vec<u8>>>> = vec![vec![None; 3]; made.len()];
    let mut before = 0;
    // Each BTF after each other one and after itself; how symbols are proven to be right differs, the result does not.
    for (step, &n) in [0, 0, 1, 1, 2, 0, 2, 1, 0, 0].iter().enumerate() {
        let (btf, base, old) = (format!("{{}}.{n}"), format!("base{n}"), format!("base{before}"));
        let proof = if step % 2 == 0 { vec!["--old-btf-base", &old] } else { vec!["--trust-symbols"] };
        let args = [&["btf", "embed", "--raw", "--btf", &btf, "--btf-base", &base], &proof[..], &names].concat();
        dir.elfgraft(&args).ok();
        for (module, first) in made.iter().zip(&mut first) {
            let what = format!("{} {endian:?}, step {step}", module.name);
            let (now, elf) = (dir.read(&module.name), dir.elf(&module.name));
            let read = ids(&elf);
            read.assert_resolved(&module.btf[n].types, &what);
            kept(&ids(&ReadElf::parse(&module.fresh)), &read, &what);
            assert_eq!(elf.section(".BTF").data, module.btf[n].split, "{what}");
            match &first[n] {
                Some(first) => same(&now, first, &what),
                None => first[n] = Some(now),
            }
        }
        before = n;
    }
    // A run is the run on the fresh file.
    for module in &made {
        dir.write(&module.name, &module.fresh);
    }
    let args = [&["btf", "embed", "--raw", "--btf", "{}.2", "--btf-base", "base2"], &names[..]].concat();
    dir.elfgraft(&args).ok();
    for (module, first) in made.iter().zip(&first) {
        same(&dir.read(&module.name), first[2].as_ref().unwrap(), &module.name);
    }
}

#[test]
fn any_sequence_of_btfs_little_endian() {
    any_sequence(Endian::Little);
}

#[test]
fn any_sequence_of_btfs_big_endian() {
    any_sequence(Endian::Big);
}

/// The kernel's tool in between: its IDs tell where its symbols belong. Where they do not (several that it left 0), the
/// file is refused and stays.
#[test]
fn the_kernels_tool_in_between() {
    for endian in [Endian::Little, Endian::Big] {
        let dir = Dir::new();
        let made = made(&dir, endian);
        let names: Vec<&str> = made.iter().map(|m| m.name.as_str()).collect();
        let (mut right, mut refused) = (0, 0);
        for (theirs, ours) in [(0, 1), (1, 1), (2, 0), (0, 2)] {
            for (step, module) in made.iter().enumerate() {
                // Fresh from the linker, or after elfgraft.
                if step % 2 == 0 {
                    dir.write(&module.name, &module.fresh);
                }
                let file = upstream(&dir.read(&module.name), &module.btf[theirs].types);
                dir.write(&module.name, file);
            }
            for module in &made {
                let set = format!(".BTF={}.{theirs}", module.name);
                dir.elfgraft(&["set", &set, &module.name]).ok();
            }
            let before: Vec<_> = names.iter().map(|name| dir.read(name)).collect();
            let (btf, base, old) = (format!("{{}}.{ours}"), format!("base{ours}"), format!("base{theirs}"));
            let embed = ["btf", "embed", "--raw", "--btf", &btf, "--btf-base", &base, "--old-btf-base", &old];
            let run = dir.elfgraft(&[&embed[..], &names].concat());
            for (module, before) in made.iter().zip(&before) {
                let what = format!("{} {endian:?}, {theirs} then {ours}", module.name);
                if run.stderr().contains(&format!("error: '{}'", module.name)) {
                    same(&dir.read(&module.name), before, &what);
                    dir.write(&module.name, &module.fresh);
                    refused += 1;
                    continue;
                }
                let read = ids(&dir.elf(&module.name));
                read.assert_resolved(&module.btf[ours].types, &what);
                kept(&ids(&ReadElf::parse(&module.fresh)), &read, &what);
                right += 1;
            }
            assert_eq!(run.stderr().matches("cannot be proven").count(), run.stderr().matches(" error: ").count());
        }
        assert!(right > 50 && refused > 10, "{right} right, {refused} refused");
    }
}

#[test]
fn linked_images_have_addresses_and_are_edited_in_place() {
    for format in Format::ALL {
        let dir = Dir::new();
        let base = base(7, format.endian);
        for seed in 0..SEEDS {
            let mut rng = Rng::new(seed << 16 | u64::from(format.machine));
            let fresh = image(format, &entries(&mut rng)).build();
            dir.write("vmlinux", &fresh);
            let (a, b) = (pair(seed, &base, format.endian), pair(seed + 50, &base, format.endian));
            dir.write("base", &a.base);
            dir.write("a", &a.split);
            dir.write("b", &b.split);
            let inode = std::os::unix::fs::MetadataExt::ino(&dir.metadata("vmlinux"));
            let mut bytes = Vec::new();
            for (name, pair) in [("a", &a), ("a", &a), ("b", &b), ("a", &a)] {
                let what = format!("{format}, seed {seed}, {name}");
                let args = ["btf-ids", "resolve", "--in-place", "--trust-symbols", "--btf", name, "--btf-base", "base"];
                dir.elfgraft(&[&args[..], &["vmlinux"]].concat()).ok();
                let now = dir.read("vmlinux");
                only_ids_differ(&fresh, &now, &what);
                let read = ids(&dir.elf("vmlinux"));
                read.assert_resolved(&pair.types, &what);
                kept(&ids(&ReadElf::parse(&fresh)), &read, &what);
                if name == "a" {
                    bytes.push(now);
                }
            }
            assert!(bytes.iter().all(|b| *b == bytes[0]), "{format}, seed {seed}");
            assert_eq!(std::os::unix::fs::MetadataExt::ino(&dir.metadata("vmlinux")), inode);
        }
    }
}
