//! `resolve_btfids` as the kernel's build runs it. What comes out is compared with what the kernel's own tool (7.2.13) gave
//! for the same input: `testdata/resolve_btfids` holds that, and is renewed with `RESOLVE_BTFIDS=/path/to/the/tool`; random
//! modules are compared with it directly where that variable is set. The rest is read with the test kit and `model.rs`.
//!
//! Tests named e1, e3 and so on are about what people reported: the link stands above each.

// clippy.toml allows it in tests, but not in what they call.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::cast_possible_truncation)]

// Theirs are the tests of `elfgraft btf`, which use all of them.
#[allow(dead_code)]
#[path = "../btf/make.rs"]
mod make;
#[allow(dead_code)]
#[path = "../btf/model.rs"]
mod model;
#[path = "../util/mod.rs"]
mod util;

mod cases;
mod command_line;
mod embed;
mod known_bugs;
mod patch;
mod random;
mod types;
mod upstream;
