//! Times the executors on a file of your choice, and is what `strace` can be run on.
//!
//! ```text
//! cargo run --release -p elfgraft-patch --example measure -- FILE HOW [BYTES] [ROUNDS]
//! ```
//!
//! HOW is one of
//! - `replace`: BYTES bytes in the middle of FILE change, by replacing it
//! - `in-place`: the same in place
//! - `append`: BYTES bytes are appended in place
//! - `scatter`: BYTES fields of eight bytes, evenly spread, change by replacing
//!
//! What
//! would make comparisons unfair: a file that is not in the page cache, and `cp` on a file system
//! that can clone.

use std::error::Error;
use std::path::Path;
use std::time::Instant;

use elfgraft_patch::{Builder, Input, Options, commit};

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [path, how, rest @ ..] = &args[..] else {
        return Err("usage: measure FILE replace|in-place|append|scatter [BYTES] [ROUNDS]".into());
    };
    let number = |index: usize, default: usize| rest.get(index).map_or(Ok(default), |text| text.parse());
    let (size, rounds) = (number(0, 64)?, number(1, 1)?);
    let options = Options { in_place: how == "in-place" || how == "append", ..Options::default() };
    for round in 0..rounds {
        let start = Instant::now();
        let input = Input::open(path)?;
        let opened = start.elapsed();
        let bytes = input.bytes();
        let len = bytes.len() as u64;
        let mut builder = Builder::new(len);
        builder.copy(0, 0, len, "");
        let mut end = len;
        match how.as_str() {
            "append" => {
                end += size as u64;
                builder.write(len, vec![1; size], "");
            }
            "scatter" => {
                let step = (bytes.len() / size.max(1)).max(8);
                for field in bytes.chunks_exact(step).enumerate().take(size) {
                    let at = (field.0 * step) as u64;
                    builder.overlay(at, field.1[..8].iter().map(|byte| !byte).collect::<Vec<u8>>(), "");
                }
            }
            _ => {
                let old = bytes.get(bytes.len() / 2).copied().unwrap_or(0);
                builder.overlay(len / 2, vec![!old; size], "");
            }
        }
        let patch = builder.finish(end)?.normalize(bytes);
        let outcome = commit(&patch, &input, Path::new(path), &options)?;
        let total = start.elapsed();
        println!("round {round}: {:?}, opened after {opened:?}, done after {total:?}", outcome.kind);
    }
    Ok(())
}
