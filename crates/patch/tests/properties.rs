//! Random patches: what the builder accepts, and that all executors give the same bytes.

// clippy.toml allows it in tests, but not in what they call.
#![allow(clippy::unwrap_used)]

use std::fs;

use elfgraft_patch::{
    Builder, InPlace, Input, Kind, Op, Options, Patch, can_in_place, in_place, replace, to_vec, write_to,
};
use proptest::collection::vec;
use proptest::prelude::*;

/// One call of the builder, with numbers that may be wrong.
#[derive(Debug, Clone)]
enum Call {
    Copy(u64, u64, u64),
    Write(u64, Vec<u8>),
    Zero(u64, u64),
    Overlay(u64, Vec<u8>),
}

/// Byte values are few, so that overlays often agree and written bytes often equal the input's.
fn bytes(len: impl Into<proptest::collection::SizeRange>) -> impl Strategy<Value = Vec<u8>> {
    vec(0_u8..3, len)
}

fn any_call() -> impl Strategy<Value = Call> {
    prop_oneof![
        (0_u64..12, 0_u64..12, 0_u64..12).prop_map(|(at, from, len)| Call::Copy(at, from, len)),
        (0_u64..12, bytes(0..6)).prop_map(|(at, bytes)| Call::Write(at, bytes)),
        (0_u64..12, 0_u64..8).prop_map(|(at, len)| Call::Zero(at, len)),
        (0_u64..12, bytes(0..4)).prop_map(|(at, bytes)| Call::Overlay(at, bytes)),
    ]
}

fn build(input_len: u64, output_len: u64, calls: &[Call]) -> Option<Patch<'_>> {
    let mut builder = Builder::new(input_len);
    for call in calls {
        match call {
            Call::Copy(at, from, len) => builder.copy(*at, *from, *len, "copy"),
            Call::Write(at, bytes) => builder.write(*at, bytes, "write"),
            Call::Zero(at, len) => builder.zero(*at, *len, "zero"),
            Call::Overlay(at, bytes) => builder.overlay(*at, bytes, "overlay"),
        };
    }
    builder.finish(output_len).ok()
}

/// What `build` should give, one byte at a time; none where it should refuse.
fn model(input: &[u8], output_len: u64, calls: &[Call]) -> Option<Vec<u8>> {
    let len = usize::try_from(output_len).ok()?;
    let (mut base, mut top) = (vec![None; len], vec![None; len]);
    for call in calls {
        let (at, bytes) = match call {
            Call::Copy(_, _, 0) => continue,
            Call::Copy(at, from, len) => {
                let range = usize::try_from(*from).ok()?..usize::try_from(from + len).ok()?;
                (at, input.get(range)?.to_vec())
            }
            Call::Zero(at, len) => (at, vec![0; usize::try_from(*len).ok()?]),
            Call::Write(at, bytes) | Call::Overlay(at, bytes) => (at, bytes.clone()),
        };
        for (at, byte) in (usize::try_from(*at).ok()?..).zip(bytes) {
            if let Call::Overlay(..) = call {
                let cell = top.get_mut(at)?;
                if cell.is_some_and(|there| there != byte) {
                    return None;
                }
                *cell = Some(byte);
            } else if base.get_mut(at)?.replace(byte).is_some() {
                return None;
            }
        }
    }
    base.into_iter().zip(top).map(|(base, top)| base.map(|byte| top.unwrap_or(byte))).collect()
}

/// A patch that is accepted: pieces in a row over an input of `blocks` times 100 bytes. With
/// `in_place`, copies stay where they are.
fn valid_calls(input_len: u64, in_place: bool) -> impl Strategy<Value = (u64, Vec<Call>)> {
    let piece = (0..4, 1_u64..400, 0..input_len.max(1), bytes(400));
    (vec(piece, 0..12), vec((0_u64..5000, bytes(1..9)), 0..12)).prop_map(move |(pieces, overlays)| {
        let mut calls = Vec::new();
        let mut at = 0;
        for (kind, len, from, mut bytes) in pieces {
            let from = if in_place { at } else { from };
            let fits = len.min(input_len.saturating_sub(from));
            let (len, call) = match kind {
                0 => {
                    bytes.truncate(usize::try_from(len).unwrap());
                    (len, Call::Write(at, bytes))
                }
                1 => (len, Call::Zero(at, len)),
                _ => (fits, Call::Copy(at, from, fits)),
            };
            calls.push(call);
            at += len;
        }
        // One overlay to a block, so that they cannot disagree.
        let mut taken = std::collections::BTreeSet::new();
        for (offset, bytes) in overlays {
            let offset = offset / 8 * 8;
            if offset + 16 <= at && taken.insert(offset) && taken.insert(offset + 8) {
                calls.push(Call::Overlay(offset, bytes));
            }
        }
        (at, calls)
    })
}

fn check_executors(input_bytes: &[u8], patch: &Patch<'_>) -> Result<(), TestCaseError> {
    let expected = to_vec(patch, input_bytes);
    prop_assert_eq!(expected.len() as u64, patch.output_len());
    let mut streamed = Vec::new();
    write_to(patch, input_bytes, &mut streamed).unwrap();
    prop_assert!(streamed == expected, "write_to differs");

    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("in");
    let out = dir.path().join("out");
    fs::write(&path, input_bytes).unwrap();
    let input = Input::open(&path).unwrap();
    let outcome = replace(patch, &input, &out, &Options::default()).unwrap();
    prop_assert_eq!(outcome.kind, Kind::Replaced);
    prop_assert!(fs::read(&out).unwrap() == expected, "replace differs");
    prop_assert!(fs::read(&path).unwrap() == input_bytes, "the input was touched");

    match in_place(patch, &input, &Options::default()).unwrap() {
        InPlace::Done(_) => {
            prop_assert!(can_in_place(patch));
            prop_assert!(fs::read(&path).unwrap() == expected, "in_place differs");
        }
        _ => {
            prop_assert!(!can_in_place(patch));
            prop_assert!(fs::read(&path).unwrap() == input_bytes, "refused but touched");
        }
    }
    prop_assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2, "something was left behind");
    Ok(())
}

fn check_normalized(input: &[u8], patch: &Patch<'_>) -> Result<(), TestCaseError> {
    let output = to_vec(patch, input);
    let normal = patch.clone().normalize(input);
    prop_assert!(to_vec(&normal, input) == output, "normalize changes the output");
    prop_assert!(normal.written() <= patch.written());
    prop_assert_eq!(&normal.clone().normalize(input), &normal);
    if can_in_place(patch) {
        prop_assert!(can_in_place(&normal));
        prop_assert_eq!(normal.is_identity(), output == input);
    }
    for piece in normal.pieces() {
        // What still is written begins and ends with a difference.
        if !matches!(piece.op, Op::Copy { .. }) {
            let range = piece.range();
            for at in [range.start, range.end - 1].map(|at| usize::try_from(at).unwrap()) {
                prop_assert_ne!(input.get(at), Some(&output[at]));
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_builder_accepts_exactly_what_the_model_accepts(
        input in bytes(0..16),
        output_len in 0_u64..12,
        calls in vec(any_call(), 0..6),
    ) {
        let patch = build(input.len() as u64, output_len, &calls);
        let output = patch.as_ref().map(|patch| to_vec(patch, &input));
        prop_assert_eq!(output, model(&input, output_len, &calls));
        if let Some(patch) = patch {
            prop_assert_eq!(patch.kept() + patch.written(), output_len);
            check_normalized(&input, &patch)?;
        }
    }

    #[test]
    fn executors_agree(
        (input, (output_len, calls)) in (0_u64..2000, any::<bool>()).prop_flat_map(|(len, in_place)| {
            (bytes(usize::try_from(len).unwrap()), valid_calls(len, in_place))
        }),
    ) {
        let patch = build(input.len() as u64, output_len, &calls).expect("the pieces are in a row");
        prop_assert_eq!(Some(to_vec(&patch, &input)), model(&input, output_len, &calls));
        check_executors(&input, &patch)?;
        check_normalized(&input, &patch)?;
        check_executors(&input, &patch.normalize(&input))?;
    }
}
