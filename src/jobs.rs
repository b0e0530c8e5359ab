//! Many files in parallel. One that fails is named and does not stop the others.
//!
//! Under `make -j` every thread but the first takes a token from make's jobserver, as GNU make's manual asks ("POSIX
//! Jobserver Interaction"), and gives it back. The pipe is opened anew through /proc (or by the FIFO's name), so that
//! setting it non-blocking does not disturb the other jobs that share make's descriptors.

use std::collections::HashSet;
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use crate::progress::{Progress, Unit};
use crate::report::{self, Error};

/// Applies `f` to every item, in parallel, as far as processors and make allow. The results are in the order of the
/// items; items are begun in their order too.
pub fn map<T: Sync, R: Send>(items: &[T], f: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let results = Mutex::new(Vec::new());
    let next = AtomicUsize::new(0);
    let done = AtomicBool::new(false);
    let work_one = || -> bool {
        let at = next.fetch_add(1, Ordering::Relaxed);
        let Some(item) = items.get(at) else {
            done.store(true, Ordering::Relaxed);
            return false;
        };
        let result = f(item);
        results.lock().unwrap_or_else(PoisonError::into_inner).push((at, result));
        true
    };
    let beside = || match Jobserver::auth() {
        None => while work_one() {},
        Some(auth) => {
            let Some(mut server) = Jobserver::open(&auth) else { return };
            while !done.load(Ordering::Relaxed) {
                match server.acquire() {
                    Some(token) => {
                        while work_one() {}
                        server.release(token);
                    }
                    None => thread::sleep(Duration::from_millis(2)),
                }
            }
        }
    };
    thread::scope(|scope| {
        let threads = thread::available_parallelism().map_or(1, |n| n.get()).min(most_by_files()).min(items.len());
        for _ in 1..threads {
            // Where the system gives no more threads, those there are do the work.
            let _ = thread::Builder::new().spawn_scoped(scope, beside);
        }
        while work_one() {}
    });
    let mut results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    results.sort_unstable_by_key(|(at, _)| *at);
    results.into_iter().map(|(_, result)| result).collect()
}

/// How many threads the limit on open files allows: on a machine of hundreds of processors the usual 1,024 are too few.
fn most_by_files() -> usize {
    // More than an edit has open at a time.
    const EACH: u64 = 8;
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    limit.map_or(usize::MAX, |limit| usize::try_from(limit / EACH).unwrap_or(usize::MAX).max(1))
}

/// Applies `f` to every file, like [`map`]; once to one that is named twice, by a symbolic link or another way to it too. An
/// edit done twice is the edit done once, and two threads at one file would see it change under them.
///
/// # Errors
/// That of the only file; with several, [`Error::Reported`] if it failed for some; each failure has been printed, in
/// the order of the files.
pub fn for_each(files: &[PathBuf], f: impl Fn(&Path) -> Result<(), Error> + Sync) -> Result<(), Error> {
    if let [one] = files {
        return f(one);
    }
    let mut seen = HashSet::new();
    // Standard input cannot be read twice: that is an error for who opens it.
    let mut first =
        |file: &Path| file == Path::new("-") || seen.insert(fs::canonicalize(file).unwrap_or_else(|_| file.to_owned()));
    let files: Vec<&Path> = files.iter().map(PathBuf::as_path).filter(|file| first(file)).collect();
    match files.as_slice() {
        [one] => f(one),
        several => {
            let progress = Progress::new("editing", Unit::Files, several.len() as u64);
            let one = |file: &&Path| {
                let result = f(file);
                progress.add(1);
                result
            };
            all_of(map(several, one)).map(drop)
        }
    }
}

/// All results.
///
/// # Errors
/// [`Error::Reported`] if there are errors among them; each has been printed.
pub fn all_of<T>(results: Vec<Result<T, Error>>) -> Result<Vec<T>, Error> {
    let mut good = Vec::with_capacity(results.len());
    let mut failed = false;
    for result in results {
        match result {
            Ok(value) => good.push(value),
            Err(e) => {
                failed = true;
                report::error(&e);
            }
        }
    }
    if failed { Err(Error::Reported) } else { Ok(good) }
}

/// make's jobserver: a pipe with one byte per job that may run beside the first.
struct Jobserver {
    read: File,
    write: File,
}

impl Jobserver {
    /// How `MAKEFLAGS` says to reach it; `None` where no make allots jobs.
    fn auth() -> Option<String> {
        let flags = std::env::var("MAKEFLAGS").ok()?;
        let auth = flags
            .split_whitespace()
            .rev()
            .find_map(|word| word.strip_prefix("--jobserver-auth=").or_else(|| word.strip_prefix("--jobserver-fds=")));
        auth.map(str::to_owned)
    }

    /// Opens it. make before 4.4 closes it for recipes without `+`, and then allows them one job. What has these
    /// numbers then may be any file of the shell's: only a pipe is one of make's.
    fn open(auth: &str) -> Option<Jobserver> {
        let (read, write) = match auth.strip_prefix("fifo:") {
            Some(path) => (path.to_owned(), path.to_owned()),
            None => {
                let (read, write) = auth.split_once(',')?;
                let fd = |n: &str| n.parse::<u32>().ok().map(|n| format!("/proc/self/fd/{n}"));
                (fd(read)?, fd(write)?)
            }
        };
        let is_pipe = |path: &String| fs::metadata(path).is_ok_and(|m| m.file_type().is_fifo());
        if !is_pipe(&read) || !is_pipe(&write) {
            return None;
        }
        let read = OpenOptions::new().read(true).custom_flags(O_NONBLOCK).open(read).ok()?;
        let write = OpenOptions::new().write(true).open(write).ok()?;
        Some(Jobserver { read, write })
    }

    fn acquire(&mut self) -> Option<u8> {
        let mut token = [0];
        matches!(self.read.read(&mut token), Ok(1)).then_some(token[0])
    }

    fn release(&mut self, token: u8) {
        // Without its token make would run one job less; there is nobody to tell.
        let _ = self.write.write_all(&[token]);
    }
}

/// Linux, all architectures but mips, sparc, alpha and parisc, where the open is then blocking and still right.
const O_NONBLOCK: i32 = 0o4000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_done_once_though_one_fails() {
        let files: Vec<PathBuf> = (0..100).chain([0, 50]).map(|n| PathBuf::from(n.to_string())).collect();
        let sum = AtomicUsize::new(0);
        let result = for_each(&files, |file| {
            let n: usize = file.to_str().unwrap().parse().unwrap();
            sum.fetch_add(n, Ordering::Relaxed);
            if n == 50 { Err(Error::Usage("fifty".into())) } else { Ok(()) }
        });
        assert_eq!(sum.into_inner(), 4950);
        assert!(matches!(result, Err(Error::Reported)));
    }

    #[test]
    fn results_are_in_the_order_of_the_items() {
        for count in [0, 1, 2, 100] {
            let items: Vec<u64> = (0..count).collect();
            let squares = map(&items, |&n| {
                // The first ones end last.
                thread::sleep(Duration::from_micros(100 - n));
                n * n
            });
            assert_eq!(squares, (0..count).map(|n| n * n).collect::<Vec<_>>());
        }
    }
}
