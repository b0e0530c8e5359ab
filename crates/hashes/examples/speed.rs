//! How fast modules are hashed: `speed THREADS FILE...` prints MB/s of SHA-256 over the files, which
//! should be in the page cache. To be compared with `openssl speed -evp sha256 -bytes 16384` times
//! the threads, and with `xargs -P THREADS sha256sum` over the same files.

use std::error::Error;
use std::path::PathBuf;
use std::time::Instant;

use elfgraft_hashes::{Result, Tree, hash_modules};

fn main() -> std::result::Result<(), Box<dyn Error>> {
    let mut args = std::env::args_os().skip(1);
    let threads = args.next().and_then(|arg| arg.to_str()?.parse().ok()).ok_or("THREADS is missing")?;
    let paths: Vec<PathBuf> = args.map(Into::into).collect();
    let mut bytes = 0;
    for path in &paths {
        bytes += std::fs::metadata(path)?.len();
    }

    let start = Instant::now();
    let leaves = hash_modules(&paths, threads, |_, _| ()).into_iter().collect::<Result<Vec<_>>>()?;
    let root = Tree::new(leaves).root();
    let micros = start.elapsed().as_micros().max(1);
    println!("{} MB/s, {} files, root {}", u128::from(bytes) / micros, paths.len(), root.root());
    Ok(())
}
