//! BTF that is rewritten is the same BTF, and rewriting it again changes no byte. Byte 0 picks how the input is made: plain
//! bytes as they come, or as choices of types, most of which are valid.

#![no_main]

use elfgraft_btf::laws::{rewriting_changes_nothing_else, rewriting_input};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    match input {
        [pick, choices, rest @ ..] if pick & 1 != 0 => {
            let (base, split) = rest.split_at(rest.len() * usize::from(pick >> 1) / 128);
            rewriting_changes_nothing_else(&rewriting_input(*choices, base, split));
        }
        [_, rest @ ..] => drop(rewriting_changes_nothing_else(rest)),
        [] => {}
    }
});
