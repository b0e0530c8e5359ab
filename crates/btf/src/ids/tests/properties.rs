//! What must hold for any section and any sequence of BTFs.

use super::{File, funcs};
use crate::ids::{IdName, Ids, Options, Problem, Sym, parse_id_name};
use crate::testkit::BtfBuilder;
use crate::{Btf, Endian};
use proptest::prelude::*;

const NAMES: [&str; 8] = ["f0", "f1", "f2", "f3", "f4", "f5", "f6", "f7"];

/// Types in order: kind and name.
type World = Vec<(u8, usize)>;

fn build_world(endian: Endian, world: &World, split_at: usize) -> (Vec<u8>, Vec<u8>) {
    let fill = |b: &mut BtfBuilder, part: &[(u8, usize)]| {
        for &(kind, name) in part {
            match kind {
                0..3 => b.func(NAMES[name], 0),
                3 => b.structure(NAMES[name], &[]),
                4 => b.typedef(NAMES[name], 0),
                _ => b.int("int", 4),
            };
        }
    };
    let split_at = split_at.min(world.len());
    let mut b = BtfBuilder::new(endian);
    fill(&mut b, &world[..split_at]);
    let base_data = b.build();
    let base = Btf::parse(&base_data).unwrap();
    let mut b = BtfBuilder::split(&base);
    fill(&mut b, &world[split_at..]);
    (base_data.clone(), b.build())
}

/// Runs `body` with the BTF of a world, split somewhere.
fn with_btf<R>(endian: Endian, world: &World, split_at: usize, body: impl FnOnce(&Btf) -> R) -> R {
    let (base_data, data) = build_world(endian, world, split_at);
    let base = Btf::parse(&base_data).unwrap();
    if split_at.is_multiple_of(2) {
        base.index_names();
    }
    body(&Btf::parse_split(&data, &base).unwrap())
}

fn world() -> impl Strategy<Value = (World, usize)> {
    (prop::collection::vec((0u8..6, 0..NAMES.len()), 0..24), 0usize..24)
}

#[derive(Clone, Debug)]
enum Block {
    Ids(Vec<(bool, usize)>),
    Unused,
    Set(Vec<Option<usize>>),
    Set8(Vec<(usize, u32)>),
}

fn file() -> impl Strategy<Value = File> {
    let name = 0..NAMES.len();
    let block = prop_oneof![
        prop::collection::vec((any::<bool>(), name.clone()), 0..4).prop_map(Block::Ids),
        Just(Block::Unused),
        prop::collection::vec(prop::option::weighted(0.9, name.clone()), 0..6).prop_map(Block::Set),
        prop::collection::vec((name, 0u32..4), 0..6).prop_map(Block::Set8),
    ];
    (any::<bool>(), prop::collection::vec(block, 0..6)).prop_map(|(big, blocks)| {
        File::new(if big { Endian::Big } else { Endian::Little }, |b| {
            for (i, block) in blocks.iter().enumerate() {
                match block {
                    Block::Ids(ids) => {
                        ids.iter()
                            .for_each(|&(s, n)| b.id(&format!("{}__{}", if s { "struct" } else { "func" }, NAMES[n])));
                    }
                    Block::Unused => {
                        b.unused();
                        // A word nobody names may hold anything.
                        let at = b.data.len() - 4;
                        b.data[at] = 0xaa;
                    }
                    Block::Set(members) => {
                        let members: Vec<_> =
                            members.iter().map(|m| m.map(|n| format!("func__{}", NAMES[n]))).collect();
                        let members: Vec<_> = members.iter().map(|m| m.as_deref().unwrap_or("")).collect();
                        b.set(&format!("set{i}"), &members);
                    }
                    Block::Set8(members) => {
                        let members: Vec<_> =
                            members.iter().map(|&(n, f)| (format!("func__{}", NAMES[n]), f)).collect();
                        let members: Vec<_> = members.iter().map(|(n, f)| (n.as_str(), *f)).collect();
                        b.set8(&format!("set{i}"), &members);
                    }
                }
            }
        })
    })
}

/// What holds after every run against `btf`, whatever was before.
fn assert_resolved(fresh: &File, file: &File, btf: &Btf) -> Result<(), TestCaseError> {
    prop_assert_eq!(file.flags(), fresh.flags());
    let bad: Vec<_> = file.ids().check(Some(btf)).into_iter().filter(|f| !f.problem.is_note()).collect();
    prop_assert!(bad.is_empty(), "{:?}", bad);
    for sym in file.syms() {
        if let Some(Ok(IdName::Member { kind, name, .. })) = parse_id_name(sym.name) {
            let first = btf.iter().find(|ty| ty.kind == kind && btf.name(ty) == Some(name)).map_or(0, |ty| ty.id);
            prop_assert_eq!(file.word(sym.offset), first);
        }
    }
    // Words that no symbol names and no set holds.
    let rows = fresh.ids().rows(None);
    let heads: Vec<u64> = fresh.syms().iter().map(|sym| sym.offset).collect();
    for at in (0..fresh.data.len() as u64).step_by(4) {
        let named = rows.iter().any(|row| row.offset == at || row.flags.is_some() && row.offset + 4 == at);
        if !named && !heads.contains(&at) {
            prop_assert_eq!(file.word(at), fresh.word(at), "at {:#x}", at);
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn any_sequence_of_btfs_ends_where_the_last_one_alone_does(file in file(), worlds in prop::collection::vec(world(), 1..4)) {
        let mut now = file.clone();
        let mut old: Option<&(World, usize)> = None;
        for world in worlds.iter().chain(&worlds) {
            now = with_btf(file.endian, &world.0, world.1, |btf| {
                let direct = file.resolved(btf, None).unwrap();
                let next = match old {
                    None => now.resolved(btf, None),
                    Some(old) => with_btf(file.endian, &old.0, old.1, |old| now.resolved(btf, Some(old))),
                };
                let next = next.unwrap();
                assert_resolved(&file, &next, btf)?;
                prop_assert_eq!(&next, &direct);
                prop_assert_eq!(&next.resolved(btf, Some(btf)).unwrap(), &next);
                prop_assert_eq!(&next.sorted(Some(btf)), &next);
                prop_assert_eq!(&next.sorted(None), &next);
                Ok(next)
            })?;
            old = Some(world);
        }
    }

    #[test]
    fn what_the_kernels_tool_sorted_is_put_right_or_refused(file in file(), a in world(), b in world()) {
        with_btf(file.endian, &a.0, a.1, |a| with_btf(file.endian, &b.0, b.1, |b| {
            let kernel = file.kernel_resolved(a);
            let right = file.resolved(b, None).unwrap();
            prop_assert_eq!(&kernel.data, &file.resolved(a, None).unwrap().data);
            match kernel.resolved(b, Some(a)) {
                Ok(done) => prop_assert_eq!(done, right.clone()),
                Err(err) => {
                    // Only several unresolved names with different flags leave a doubt.
                    let rows = file.ids().rows(None).into_iter().filter(|row| row.flags.is_some());
                    let missing = rows.filter(|row| a.find_all(&[row.wanted.unwrap()])[0].is_empty()).count();
                    prop_assert!(missing >= 2, "{}", err);
                }
            }
            // Without that BTF: right or refused, never mixed up.
            if let Ok(done) = kernel.resolved(b, None) {
                prop_assert_eq!(done, right);
            }
            Ok(())
        }))?;
    }

    #[test]
    fn with_no_btf_or_a_wrong_one_the_result_is_right_or_refused(file in file(), a in world(), b in world()) {
        with_btf(file.endian, &a.0, a.1, |a| with_btf(file.endian, &b.0, b.1, |b| {
            let wrong_data = funcs(file.endian, 60, &["other"]);
            let wrong = Btf::parse(&wrong_data).unwrap();
            let right = file.resolved(b, None).unwrap();
            for now in [file.resolved(a, None).unwrap(), file.kernel_resolved(a)] {
                for old in [None, Some(&wrong)] {
                    if let Ok(done) = now.resolved(b, old) {
                        prop_assert_eq!(done, right.clone());
                    }
                }
            }
            let trust = Options { trust_symbols: true, ..Options::default() };
            let ours = file.resolved(a, None).unwrap();
            prop_assert_eq!(ours.with(ours.ids().resolve(b, &trust).unwrap()), right);
            Ok(())
        }))?;
    }

    #[test]
    fn any_bytes_and_any_symbols_are_ok_or_an_error(
        data in prop::collection::vec(any::<u8>(), 0..64),
        syms in prop::collection::vec(("(__BTF_ID__)?(func|set|set8|struct)__[fs_][0-7]?(__1)?", 0u64..70, 0u64..70), 0..8),
        world in world(),
    ) {
        let syms: Vec<_> = (0..).zip(&syms).map(|(index, (name, offset, size))| Sym { index, name: name.as_bytes(), offset: *offset, size: *size }).collect();
        with_btf(Endian::Little, &world.0, world.1, |btf| {
            let ids = Ids::new(&data, Endian::Little, &syms);
            let (rows, findings) = (ids.rows(Some(btf)), ids.check(Some(btf)));
            prop_assert!(rows.iter().all(|row| row.offset + 4 <= data.len() as u64));
            let options = Options { old: Some(btf), ..Options::default() };
            for outcome in [ids.resolve(btf, &options), ids.sort(&options)].into_iter().flatten() {
                prop_assert_eq!(outcome.data.len(), data.len());
                prop_assert!(findings.iter().all(|f| !matches!(f.problem, Problem::BetweenWords | Problem::NotAnEntry)));
            }
            Ok(())
        })?;
    }
}
