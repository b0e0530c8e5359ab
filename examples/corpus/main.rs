//! The laws over every ELF file below some directories, members of `ar` archives included.
//!
//! ```text
//! make corpus DIR="/lib/modules /usr/lib"
//! cargo run --release --example corpus -- [--jobs N] PATH...
//! ```
//! Edits are planned and carried out in memory; no file is written. Exit status 1 when a law failed. A refusal is no
//! failure, but is counted under its reason, for people to judge; the only edit that may never be refused is the
//! addition of a new section to a file with section headers.
#![allow(clippy::panic, reason = "a test: a broken law inside a law is a bug of this program")]

mod ar;
mod laws;
mod remove;
mod strip;
mod tally;

use std::cell::RefCell;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use elfgraft_patch::Input;
use tally::Tally;

/// Files larger than this are looked at one at a time: the laws hold several results in memory.
const LARGE: u64 = 128 << 20;

thread_local! {
    /// What this thread looks at, for the message of a panic.
    static CURRENT: RefCell<String> = const { RefCell::new(String::new()) };
}

fn main() -> ExitCode {
    let mut args: Vec<String> = std::env::args().skip(1).collect();
    let mut jobs = thread::available_parallelism().map_or(1, |n| n.get());
    if args.first().is_some_and(|a| a == "--jobs") {
        jobs = args.get(1).and_then(|n| n.parse().ok()).unwrap_or(1);
        args.drain(..2.min(args.len()));
    }
    if args.is_empty() || args.iter().any(|a| a.starts_with('-')) {
        eprintln!("usage: corpus [--jobs N] PATH...");
        return ExitCode::from(2);
    }
    let standard = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        CURRENT.with_borrow(|name| eprintln!("panic on '{name}'"));
        standard(info);
    }));

    let start = Instant::now();
    let mut tally = Tally::default();
    let mut files = Vec::new();
    for arg in &args {
        walk(Path::new(arg), &mut files, &mut tally);
    }
    // Large ones first, so that no thread is left alone with one at the end.
    files.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    let (next, large) = (AtomicUsize::new(0), Mutex::new(()));
    let worker = || {
        let mut tally = Tally::default();
        while let Some((path, size)) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
            let _alone = (*size > LARGE).then(|| large.lock());
            look_at(path, &mut tally);
        }
        tally
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..jobs.max(1)).map(|_| scope.spawn(worker)).collect();
        for worker in workers {
            tally.merge(worker.join().unwrap_or_else(|_| panic!("a worker panicked")));
        }
    });
    print!("{tally}");
    println!("time: {:.1} s, {jobs} threads", start.elapsed().as_secs_f64());
    ExitCode::from(u8::from(tally.failed()))
}

/// Regular files below `path` with their sizes. Symbolic links are followed only where they were asked for.
fn walk(path: &Path, files: &mut Vec<(PathBuf, u64)>, tally: &mut Tally) {
    let result = fs::metadata(path).and_then(|metadata| {
        if !metadata.is_dir() {
            files.push((path.to_owned(), metadata.len()));
            return Ok(());
        }
        for entry in fs::read_dir(path)? {
            let entry = entry?;
            let kind = entry.file_type()?;
            if kind.is_dir() {
                walk(&entry.path(), files, tally);
            } else if kind.is_file() {
                files.push((entry.path(), entry.metadata()?.len()));
            } else if kind.is_symlink() {
                tally.note("symbolic links below the directories, not followed");
            }
        }
        Ok(())
    });
    if let Err(e) = result {
        tally.unreadable(path, &e);
    }
}

fn look_at(path: &Path, tally: &mut Tally) {
    let input = match Input::open(path) {
        Ok(input) => input,
        Err(e) => return tally.unreadable(path, &e),
    };
    let bytes = input.bytes();
    let name = path.display().to_string();
    if let Some(members) = ar::members(bytes) {
        for (member, bytes) in members {
            file(&format!("{name}({})", member.escape_ascii()), bytes, tally);
        }
    } else {
        file(&name, bytes, tally);
    }
}

fn file(name: &str, bytes: &[u8], tally: &mut Tally) {
    if !bytes.starts_with(b"\x7fELF") {
        return tally.not_elf();
    }
    CURRENT.with_borrow_mut(|current| name.clone_into(current));
    tally.file(bytes.len() as u64);
    laws::check(name, bytes, tally);
}
