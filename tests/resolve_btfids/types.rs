//! BTF of every kind of type, made at random: valid, with references in both directions, names that come twice, kfuncs
//! with implicit arguments.

use elfgraft_testkit::btf::{Btf, FUNC, STRUCT, TYPEDEF, UNION};
use elfgraft_testkit::format::Format;
use elfgraft_testkit::rng::Rng;

use crate::make::NAMES;

const PTR: u32 = 2;
const PROTO: u32 = 13;
const VAR: u32 = 14;
const DATASEC: u32 = 15;
const DECL_TAG: u32 = 17;
/// Weighted by what makes a difference.
const KINDS: [u32; 30] =
    [1, 2, 2, 2, 3, 4, 4, 4, 5, 6, 7, 8, 8, 9, 10, 10, 11, 12, 12, 12, 13, 13, 13, 14, 15, 16, 17, 17, 18, 19];

/// The prototype with an implicit argument that every base has.
const IMPLICIT: u32 = 5;

/// A type as far as others need to know it: its ID and kind.
type Planned = (u32, u32);

/// Appends types to `btf`, kfuncs among them or not; `known` are the IDs and kinds of those that are there, the base's
/// included.
fn some(rng: &mut Rng, btf: &mut Btf, known: &mut Vec<Planned>, count: u64, kfuncs: bool) {
    let first = btf.type_count() + 1;
    let mut plan: Vec<Planned> = Vec::new();
    for id in first..first + count as u32 {
        plan.push((id, rng.pick(&KINDS)));
    }
    let own = |plan: &[Planned], kinds: &[u32], below: u32| -> Vec<u32> {
        plan.iter().filter(|(id, kind)| *id < below && kinds.contains(kind)).map(|&(id, _)| id).collect()
    };
    let all: Vec<Planned> = known.iter().chain(&plan).copied().collect();
    let mut tagged = Vec::new();
    for &(id, kind) in &plan {
        let value = |&(_, kind): &Planned| ![FUNC, VAR, DATASEC, DECL_TAG].contains(&kind);
        // Structures and pointers may refer forward; what could form a circle of modifiers may not.
        let anywhere: Vec<u32> = all.iter().filter(|ty| value(ty)).map(|&(id, _)| id).collect();
        let before: Vec<u32> = all.iter().filter(|ty| value(ty) && ty.0 < id).map(|&(id, _)| id).collect();
        let any = |rng: &mut Rng| if rng.one_in(12) { 0 } else { rng.pick(&anywhere) };
        let lower = |rng: &mut Rng| if before.is_empty() || rng.one_in(12) { 0 } else { rng.pick(&before) };
        let name = rng.pick(&["", "a", "bpf_prog_aux", "btf_struct_meta"]);
        let name = if rng.one_in(2) { rng.pick(&NAMES) } else { name };
        let named = if name.is_empty() { rng.pick(&NAMES) } else { name };
        let size = rng.pick(&[1, 2, 4, 8]);
        let count = rng.below(4) as u32;
        // pahole gives split BTF no string that its base has; then names that are copied need not be looked up.
        let pool = if kfuncs { ["p", "q", "pp"] } else { ["x", "y", "zz"] };
        let some_name = |rng: &mut Rng| if rng.one_in(4) { "" } else { rng.pick(&pool) };
        match kind {
            1 => btf.int(named, size),
            PTR => {
                let to = any(rng);
                btf.ptr(to)
            }
            3 => {
                let rest = [lower(rng), lower(rng), rng.below(9) as u32];
                btf.raw("", 3 << 24, 0, &rest)
            }
            STRUCT | UNION => {
                let flag = if rng.one_in(8) { 1 << 31 } else { 0 };
                let rest: Vec<u32> = (0..count).flat_map(|i| [btf.string(some_name(rng)), any(rng), 32 * i]).collect();
                btf.raw(name, kind << 24 | count | flag, 4 * count, &rest)
            }
            6 | 19 => {
                let words = if kind == 6 { 2 } else { 3 };
                let rest = (0..count).flat_map(|i| [btf.string(rng.pick(&["E0", "E1"])), i, 7].into_iter().take(words));
                let rest: Vec<u32> = rest.collect();
                btf.raw(name, kind << 24 | count, size, &rest)
            }
            7 => btf.raw(named, 7 << 24 | rng.pick(&[0, 1 << 31]), 0, &[]),
            TYPEDEF | 18 => {
                let to = lower(rng);
                btf.simple(kind, named, to)
            }
            9..=11 => {
                let to = lower(rng);
                btf.simple(kind, "", to)
            }
            // One that has implicit arguments, and perhaps what the source has for it itself.
            FUNC if rng.one_in(5) => btf.raw("legacy", FUNC << 24 | 1, IMPLICIT, &[]),
            FUNC => {
                let protos: Vec<u32> = all.iter().filter(|ty| ty.1 == PROTO && ty.0 < id).map(|&(id, _)| id).collect();
                let name = if rng.one_in(6) { "legacy_impl" } else { named };
                btf.raw(name, FUNC << 24 | rng.below(3) as u32, rng.pick(&protos), &[])
            }
            PROTO => {
                let rest: Vec<u32> = (0..count).flat_map(|_| [btf.string(some_name(rng)), any(rng)]).collect();
                btf.raw("", PROTO << 24 | count, lower(rng), &rest)
            }
            VAR => {
                let to = lower(rng);
                btf.raw(named, VAR << 24, to, &[rng.below(2) as u32])
            }
            DATASEC => match own(&plan, &[VAR], id).as_slice() {
                [] => btf.raw(".data", DATASEC << 24, 0, &[]),
                vars => btf.raw(".data", DATASEC << 24 | 1, 8, &[rng.pick(vars), 0, 4]),
            },
            16 => btf.raw(named, 16 << 24, size, &[]),
            _ => {
                // One bpf_kfunc per function: the kernel's tool rewrites a prototype as often as it is tagged.
                let funcs: Vec<u32> =
                    own(&plan, &[FUNC], u32::MAX).into_iter().filter(|f| !tagged.contains(f)).collect();
                let targets = own(&plan, &[FUNC, STRUCT, TYPEDEF], u32::MAX);
                if kfuncs && !funcs.is_empty() && rng.one_in(2) {
                    let func = rng.pick(&funcs);
                    tagged.push(func);
                    btf.decl_tag("bpf_kfunc", func)
                } else if targets.is_empty() {
                    btf.raw("lone", 16 << 24, 8, &[])
                } else {
                    let flag = if rng.one_in(3) { 1 << 31 } else { 0 };
                    btf.raw(
                        rng.pick(if kfuncs { &["fast", "other"] } else { &["t", "u"] }),
                        DECL_TAG << 24 | flag,
                        rng.pick(&targets),
                        &[u32::MAX],
                    )
                }
            }
        };
    }
    known.extend(plan);
}

/// A base, and split BTF on top of it. The base has kfuncs only where it is processed itself: the kernel's tool takes those
/// of a base that the module has in its sets too, and writes prototypes for them that nothing refers to.
pub fn pair(rng: &mut Rng, format: Format, alone: bool) -> (Vec<u8>, Vec<u8>) {
    let mut base = Btf::new(format);
    let mut known = Vec::new();
    let int = base.int("int", 4);
    base.func_proto(int, &[("x", int)]);
    let aux = base.structure("bpf_prog_aux", 8, &[("i", int, 0)]);
    let ptr = base.ptr(aux);
    base.func_proto(0, &[("x", int), ("aux", ptr), ("y", int)]);
    known.extend([(1, 1), (2, PROTO), (3, STRUCT), (4, PTR), (5, PROTO)]);
    let count = rng.below(40);
    some(rng, &mut base, &mut known, count, alone);
    let mut split = Btf::split(format, base.type_count(), base.str_len());
    let count = 1 + rng.below(60);
    some(rng, &mut split, &mut known, count, true);
    (base.build(), split.build())
}
