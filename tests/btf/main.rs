//! `elfgraft btf embed` and `btf-ids` as a user runs them. What comes out is read with the test kit and with `model.rs`,
//! which share nothing with the product; `testdata/*.ids` were made by a third program.
//!
//! Tests named b1, e3 and so on are about what people reported: the link stands above each. `states.rs` goes through files
//! that another tool has sorted already.

// clippy.toml allows it in tests, but not in what they call.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::cast_possible_truncation)]

#[path = "../util/mod.rs"]
mod util;

mod batch;
mod fixtures;
mod known_bugs;
mod make;
mod model;
mod place;
mod refused;
mod relocations;
mod sequences;
mod show;
mod states;
mod vmlinux;
