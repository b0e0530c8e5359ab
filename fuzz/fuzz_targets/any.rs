//! The fuzz target that this binary is named after: what it asserts is in `crates/fuzzlaws`, one function per target.

#![no_main]

use std::sync::LazyLock;

use elfgraft_fuzzlaws::{Target, target};
use libfuzzer_sys::fuzz_target;

static TARGET: LazyLock<Target> = LazyLock::new(|| target(env!("CARGO_BIN_NAME")));

fuzz_target!(|input: &[u8]| (TARGET.run)(input));
