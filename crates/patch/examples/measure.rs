//! Times the executors on a file of your choice, and is what `strace` can be run on.
//!
//! ```text
//! cargo run --release -p elfgraft-patch --example measure -- FILE replace|in-place|append [BYTES] [ROUNDS]
//! ```
//!
//! Each round changes BYTES bytes in the middle of FILE (or appends them) to another value. What
//! would make comparisons unfair: a file that is not in the page cache, and `cp` on a file system
//! that can clone.

use std::error::Error;
use std::path::Path;
use std::time::Instant;

use elfgraft_patch::{Builder, Input, Options, commit};

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [path, how, rest @ ..] = &args[..] else {
        return Err("usage: measure FILE replace|in-place|append [BYTES] [ROUNDS]".into());
    };
    let number = |index: usize, default: usize| rest.get(index).map_or(Ok(default), |text| text.parse());
    let (size, rounds) = (number(0, 64)?, number(1, 1)?);
    let options = Options { in_place: how != "replace", ..Options::default() };
    for round in 0..rounds {
        let start = Instant::now();
        let input = Input::open(path)?;
        let len = input.bytes().len() as u64;
        let opened = start.elapsed();
        let at = if how == "append" { len } else { len / 2 };
        let end = len.max(at + size as u64);
        let old = input.bytes().get(input.bytes().len() / 2).copied().unwrap_or(0);
        let mut builder = Builder::new(len);
        builder.copy(0, 0, len, "").zero(len, end - len, "").overlay(at, vec![!old; size], "");
        let patch = builder.finish(end)?;
        let outcome = commit(&patch, &input, Path::new(path), &options)?;
        let total = start.elapsed();
        println!("round {round}: {:?}, opened after {opened:?}, done after {total:?}", outcome.kind);
    }
    Ok(())
}
