//! What must hold for any BTF that is processed.

use super::writer::Writer;
use super::{Processed, process};
use crate::laws::{rewriting_changes_nothing_else, rewriting_input};
use crate::testkit::BtfBuilder;
use crate::{Btf, Endian, Error, Field, Kind, Limit};
use proptest::prelude::*;

const NAMES: [&str; 6] = ["", "a", "b", "bpf_prog_aux", "foo", "foo_impl"];

/// A type: what it is, its name, and what it refers to.
type Plan = (u8, usize, Vec<u32>);

fn plans() -> impl Strategy<Value = Vec<Plan>> {
    prop::collection::vec((0u8..11, 0..NAMES.len(), prop::collection::vec(any::<u32>(), 1..4)), 0..16)
}

/// Adds types that refer to any of the IDs below `end`, as a compiler may, and functions to prototypes only.
fn fill(b: &mut BtfBuilder, first: u32, plans: &[Plan]) {
    let end = first + u32::try_from(plans.len()).unwrap();
    let mut last_proto = None;
    for (own, (kind, name, refs)) in plans.iter().enumerate() {
        let name = NAMES[*name];
        let refs: Vec<u32> = refs.iter().map(|r| r % end).collect();
        let members: Vec<(&str, u32)> = refs.iter().map(|&r| (NAMES[r as usize % NAMES.len()], r)).collect();
        let id = match (kind, last_proto) {
            (0, _) => b.int(name, 4),
            (1 | 2, _) => b.pointer(refs[0]),
            (3, _) => b.structure(name, &members),
            (4, _) => b.union(name, &members),
            (5, _) => b.typedef(name, refs[0]),
            (6, _) => b.raw(Kind::Const, 0, refs[0], &[]),
            (7, _) => b.raw(Kind::Array, 0, 0, &[refs[0], refs[0], 3]),
            (8, Some(proto)) => b.func_of(name, proto),
            (9, _) => b.decl_tag(if name == "a" { "bpf_kfunc" } else { "tag" }, refs[0]),
            _ => b.prototype(refs[0], &members),
        };
        assert_eq!(id, first + u32::try_from(own).unwrap());
        if *kind == 10 {
            last_proto = Some(id);
        }
    }
}

/// What a type is, through three levels of what it refers to; IDs and offsets do not show.
fn describe(btf: &Btf, stubs_below: u32, id: u32, depth: u32) -> String {
    let Some(ty) = btf.get(id) else { return "void".into() };
    let name = String::from_utf8_lossy(btf.name(&ty).unwrap()).into_owned();
    let named_composite = matches!(ty.kind, Kind::Struct | Kind::Union) && !name.is_empty();
    if id < stubs_below && named_composite {
        return format!("{} {name} {}", ty.kind, ty.size_or_type);
    }
    let mut text = format!("{} {name} {}", ty.kind, ty.vlen);
    for (field, at, value) in ty.fields() {
        match field {
            Field::Name => text += &format!(" '{}'", String::from_utf8_lossy(btf.string(value).unwrap())),
            Field::Type if depth > 0 => text += &format!(" {at} ({})", describe(btf, stubs_below, value, depth - 1)),
            Field::Type => {}
        }
    }
    text
}

fn own(btf: &Btf, stubs_below: u32) -> Vec<String> {
    let mut all: Vec<_> = btf.own_ids().map(|id| describe(btf, stubs_below, id, 3)).collect();
    all.sort();
    all
}

/// The words of header and types, and the strings.
fn decode(data: &[u8]) -> (Vec<u32>, Vec<u8>) {
    let (btf_len, endian) = (data.len(), if data[0] == 0x9f { Endian::Little } else { Endian::Big });
    let word = |at| endian.u32_at(data, at).unwrap();
    let strings = btf_len - word(20) as usize;
    ((4..strings).step_by(4).map(word).collect(), data[strings..].to_vec())
}

fn build(endian: Endian, base: &[Plan], split: &[Plan]) -> (Vec<u8>, Vec<u8>) {
    let mut b = BtfBuilder::new(endian);
    fill(&mut b, 1, base);
    let base_data = b.build();
    let base = Btf::parse(&base_data).unwrap();
    let mut b = BtfBuilder::split(&base);
    fill(&mut b, base.own_ids().end, split);
    let data = b.build();
    (base_data.clone(), data)
}

proptest! {
    #[test]
    fn types_stay_what_they_are_in_both_byte_orders(base_plan in plans(), split_plan in plans()) {
        let flags = [(&b"foo"[..], 1 << 16)];
        let [little, big] = [Endian::Little, Endian::Big].map(|endian| {
            let (base_data, data) = build(endian, &base_plan, &split_plan);
            let base = Btf::parse(&base_data).unwrap();
            let btf = Btf::parse_split(&data, &base).unwrap();

            let sorted = process(&btf, &[], false).unwrap();
            let new = Btf::parse_split(&sorted.btf, &base).unwrap();
            new.validate().unwrap();
            assert_eq!(own(&new, 0), own(&btf, 0));
            let names: Vec<_> = new.own_ids().map(|id| new.name(&new.get(id).unwrap()).unwrap()).collect();
            assert!(names.is_sorted());

            let implicit = process(&btf, &flags, false).unwrap();
            let new = Btf::parse_split(&implicit.btf, &base).unwrap();
            new.validate().unwrap();
            assert_eq!(process(&new, &flags, false).unwrap(), implicit);

            let distilled = process(&btf, &flags, true);
            if let Ok(Processed { btf: new_data, base: Some(new_base_data) }) = &distilled {
                let new_base = Btf::parse(new_base_data).unwrap();
                let new_split = Btf::parse_split(new_data, &new_base).unwrap();
                new_base.validate().unwrap();
                new_split.validate().unwrap();
                // All that the module had is still there, beside what was copied from the base.
                let mut there = own(&new_split, new_base.own_ids().end);
                for text in own(&new, base.own_ids().end) {
                    let at = there.iter().position(|other| *other == text).unwrap_or_else(|| panic!("no {text}"));
                    there.remove(at);
                }
            }
            let parts = |done: Processed| (decode(&done.btf), done.base.as_deref().map(decode));
            (parts(sorted), parts(implicit), distilled.map(parts))
        });
        prop_assert_eq!(little, big);
    }

    #[test]
    fn every_kind_of_type_is_rewritten_without_a_change(
        choices: u8,
        base in prop::collection::vec(any::<u8>(), 0..300),
        split in prop::collection::vec(any::<u8>(), 0..300),
        poke in prop::option::of((any::<prop::sample::Index>(), any::<u8>())),
    ) {
        let mut input = rewriting_input(choices, &base, &split);
        if let Some((at, byte)) = poke {
            let at = at.index(input.len());
            input[at] ^= byte;
        }
        rewriting_changes_nothing_else(&input);
    }

    #[test]
    fn what_is_written_is_what_was_read(
        split in prop::collection::vec(any::<u8>(), 0..300),
        layout in prop::option::of((20u8..25, 0u8..3)),
    ) {
        let input = rewriting_input(0, &[], &split);
        let mut data = input[3..].to_vec();
        if let Some((kind, words)) = layout {
            let endian = if data[0] == 0x9f { Endian::Little } else { Endian::Big };
            let mut b = BtfBuilder::new(endian);
            b.typedef("t", 0);
            b.layout(kind, 4 * words, 4);
            data = b.build();
        }
        let btf = Btf::parse(&data).unwrap();
        let mut writer = Writer::like(&btf).unwrap();
        for id in btf.own_ids() {
            prop_assert_eq!(writer.types.copy(&btf.get(id).unwrap(), |_, value| Ok(value)).unwrap(), id);
        }
        prop_assert_eq!(writer.finish().unwrap(), data);
    }

    #[test]
    fn any_poked_word_is_ok_or_an_error(split_plan in plans(), at in 0usize..400, word: u32) {
        let (base_data, mut data) = build(Endian::Little, &[], &split_plan);
        let at = at * 4 % data.len().next_multiple_of(4).max(4);
        if let Some(bytes) = data.get_mut(at..at + 4) {
            bytes.copy_from_slice(&(word >> (word % 32)).to_le_bytes());
        }
        let base = Btf::parse(&base_data).unwrap();
        if let Ok(btf) = Btf::parse_split(&data, &base) {
            for distill in [false, true] {
                if let Ok(done) = process(&btf, &[(b"foo", 1 << 16)], distill) {
                    let new_base = done.base.as_ref().map(|data| Btf::parse(data).unwrap());
                    Btf::parse_split(&done.btf, new_base.as_ref().unwrap_or(&base)).unwrap().validate().unwrap();
                }
            }
        }
    }
}

/// So that the law above is about something.
#[test]
fn most_made_up_btf_can_be_rewritten() {
    let bytes =
        |seed: u32| (0..300u32).map(move |i| (seed.wrapping_add(i).wrapping_mul(0x9e37_79b1) >> 16).to_le_bytes()[0]);
    let inputs = (0..400u32).map(|seed| {
        let (base, split): (Vec<u8>, Vec<u8>) = (bytes(seed * 777).collect(), bytes(seed * 999 + 1).collect());
        rewriting_input(seed.to_le_bytes()[0], if seed % 3 == 0 { &[] } else { &base }, &split)
    });
    assert!(inputs.filter(|input| rewriting_changes_nothing_else(input)).count() > 300);
}

#[test]
fn broken_references_are_found_before_anything_is_written() {
    let mut b = BtfBuilder::new(Endian::Little);
    b.pointer(7);
    let data = b.build();
    let err = Error::BadReference { id: 1, kind: Kind::Ptr, target: 7, end: 2 };
    assert_eq!(process(&Btf::parse(&data).unwrap(), &[], false), Err(err));
}

#[test]
fn the_kernels_limit_on_type_ids_is_kept() {
    let mut b = BtfBuilder::new(Endian::Little);
    for _ in 0..0x000f_ffff {
        b.pointer(0);
    }
    let data = b.build();
    assert!(process(&Btf::parse(&data).unwrap(), &[], false).is_ok());
    b.pointer(0);
    let data = b.build();
    let err = Error::OverLimit { limit: Limit::TypeId, max: 0x000f_ffff };
    assert_eq!(process(&Btf::parse(&data).unwrap(), &[], false), Err(err));
}
