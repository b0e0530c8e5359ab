//! For tests only: builds odd ELF files in memory, reads them back naively, and tells what differs.
//!
//! Independent of the code under test: it uses neither the product's crates nor the libraries those stand on.
//! - [`elf`]: describe a file, build its bytes; [`symbols`], [`fields`] and [`format`] are its parts.
//! - [`rng`]: numbers from a seed. [`readelf`]: a second opinion.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "tests only: a panic is a failed test"
)]

mod build;
#[cfg(test)]
mod build_tests;
pub mod consts;
pub mod elf;
pub mod fields;
pub mod format;
pub mod readelf;
pub mod rng;
mod section;
pub mod symbols;
