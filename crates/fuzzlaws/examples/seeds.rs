//! Writes the seeds of a fuzz target into a directory: `seeds TARGET DIRECTORY [FILE...]`, for `scripts/fuzz.sh`. The
//! files are examples from elsewhere, modules of a kernel say.
#![allow(clippy::expect_used, reason = "a tool for developers: what went wrong is all there is to say")]

use std::fs;
use std::path::Path;

use elfgraft_fuzzlaws::{seeds::seeds, target};

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [name, dir, files @ ..] = &args[..] else {
        eprintln!("usage: seeds TARGET DIRECTORY [FILE...]");
        std::process::exit(2);
    };
    let named = |(number, path): (usize, &String)| (format!("more-{number}"), fs::read(path).expect("a file"));
    let more: Vec<_> = files.iter().enumerate().map(named).collect();
    for (name, bytes) in seeds(target(name), &more) {
        fs::write(Path::new(dir).join(name), bytes).expect("room for a seed");
    }
}
