//! For tests only: builds odd ELF files in memory, reads them back naively, and tells what differs.
//!
//! Independent of the code under test: it uses neither the product's crates nor the libraries those stand on.
//! - [`elf`]: describe a file, build its bytes; [`symbols`], [`fields`] and [`mod@format`] are its parts.
//! - [`btf`], [`btf_ids`]: contents of the kernel's sections.
//! - [`inputs`], [`damage`]: the twelve inputs on which today's tools fail; [`layouts`]: files as linkers write them.
//! - [`read`]: a naive reader; [`diff`]: what two files mean differently.
//! - [`generate`]: random valid files; [`rng`]: numbers from a seed. [`readelf`]: a second opinion.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "tests only: a panic is a failed test"
)]

pub mod btf;
pub mod btf_ids;
mod build;
#[cfg(test)]
mod build_tests;
pub mod consts;
pub mod damage;
pub mod diff;
#[cfg(test)]
mod diff_tests;
pub mod elf;
pub mod fields;
pub mod format;
pub mod generate;
#[cfg(test)]
mod generate_tests;
pub mod inputs;
#[cfg(test)]
mod inputs_tests;
pub mod layouts;
pub mod read;
pub mod readelf;
pub mod rng;
mod section;
pub mod symbols;
