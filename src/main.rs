//! The elfgraft command.
fn main() {}
