//! Many modules at once.

use std::fs;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::{panic, thread};

use crate::{Buffer, Error, Hash, Result, hash_module};

/// The leaves of the modules at `paths`, which are all modules in the order of `modules.order`.
///
/// The result is in the same order and does not depend on the number of threads: collect it into
/// one `Result`, and the error is that of the first module that has one. See [`in_parallel`] for
/// `threads` and `progress`, [`hash_module`] for what is hashed.
pub fn hash_modules<P>(paths: &[PathBuf], threads: NonZeroUsize, progress: P) -> Vec<Result<Hash>>
where
    P: Fn(u64, u64) + Sync,
{
    in_parallel(paths, threads, progress, |pos, path, buffer| {
        let pos = u32::try_from(pos).map_err(|_| Error::Position { pos })?;
        hash_module(path, pos, buffer)
    })
}

/// Calls `work` for each of `paths` with its index and a buffer for reading; the results are in
/// the order of `paths`.
///
/// At most `threads` work at a time, the calling one included; fewer when the system gives no
/// more. How many there should be is for the caller to know. After each module, `progress` is
/// told the bytes done and the bytes of all modules, from whatever thread did the work.
pub fn in_parallel<T, W, P>(paths: &[PathBuf], threads: NonZeroUsize, progress: P, work: W) -> Vec<T>
where
    T: Send,
    W: Fn(usize, &Path, &mut Buffer) -> T + Sync,
    P: Fn(u64, u64) + Sync,
{
    // Largest first: a large module taken last would keep one thread busy and the others idle. A
    // module without a size has an error, which is found again when it is its turn.
    let size = |path: &PathBuf| fs::metadata(path).map_or(0, |metadata| metadata.len());
    let mut queue: Vec<(u64, usize, &PathBuf)> =
        paths.iter().enumerate().map(|(index, path)| (size(path), index, path)).collect();
    queue.sort_unstable_by_key(|&(size, index, _)| (std::cmp::Reverse(size), index));
    let total = queue.iter().fold(0, |total: u64, &(size, ..)| total.saturating_add(size));

    let next = AtomicUsize::new(0);
    let done = AtomicU64::new(0);
    let worker = || {
        let mut buffer = Buffer::new();
        let mut results = Vec::new();
        while let Some(&(size, index, path)) = queue.get(next.fetch_add(1, Ordering::Relaxed)) {
            results.push((index, work(index, path, &mut buffer)));
            progress(done.fetch_add(size, Ordering::Relaxed).saturating_add(size), total);
        }
        results
    };

    let mut results = thread::scope(|scope| {
        let others = threads.get().min(paths.len()).saturating_sub(1);
        let others: Vec<_> =
            (0..others).map_while(|_| thread::Builder::new().spawn_scoped(scope, worker).ok()).collect();
        let mut results = worker();
        for other in others {
            results.extend(other.join().unwrap_or_else(|panic| panic::resume_unwind(panic)));
        }
        results
    });
    results.sort_unstable_by_key(|&(index, _)| index);
    results.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::LeafHasher;
    use std::sync::Mutex;

    fn threads(count: usize) -> NonZeroUsize {
        NonZeroUsize::new(count).unwrap()
    }

    /// Modules of many sizes, the sizes in no order.
    fn modules(count: usize) -> (tempfile::TempDir, Vec<PathBuf>) {
        let dir = tempfile::tempdir().unwrap();
        let paths: Vec<_> = (0..count).map(|i| dir.path().join(format!("{i}.ko"))).collect();
        for (i, path) in paths.iter().enumerate() {
            fs::write(path, format!("module {i} ").repeat(i * 7919 % 1000)).unwrap();
        }
        (dir, paths)
    }

    #[test]
    fn results_are_in_order_for_every_number_of_threads() {
        let (_dir, paths) = modules(50);
        let expected: Vec<_> = (0..)
            .zip(&paths)
            .map(|(pos, path)| {
                let mut leaf = LeafHasher::new(pos);
                leaf.update(&fs::read(path).unwrap());
                leaf.finish()
            })
            .collect();
        for count in [1, 2, 7, 100] {
            let hashes = hash_modules(&paths, threads(count), |_, _| ());
            let hashes: Vec<_> = hashes.into_iter().map(Result::unwrap).collect();
            assert_eq!(hashes, expected, "{count} threads");
        }
    }

    #[test]
    fn no_modules() {
        let none = hash_modules(&[], threads(4), |_, _| unreachable!());
        assert!(none.is_empty());
    }

    #[test]
    fn the_first_error_is_that_of_the_first_module() {
        let (_dir, paths) = modules(20);
        for missing in [5, 6, 17] {
            fs::remove_file(&paths[missing]).unwrap();
        }
        for count in [1, 3] {
            let results = hash_modules(&paths, threads(count), |_, _| ());
            let bad: Vec<_> = (0..20).filter(|&i| results[i].is_err()).collect();
            assert_eq!(bad, [5, 6, 17]);
            assert!(results.into_iter().collect::<Result<Vec<_>>>().is_err());
        }
    }

    #[test]
    fn progress_counts_bytes_up_to_all_of_them() {
        let (_dir, paths) = modules(20);
        let all = paths.iter().map(|path| fs::metadata(path).unwrap().len()).sum();
        let told = Mutex::new(Vec::new());
        hash_modules(&paths, threads(3), |done, total| {
            assert_eq!(total, all);
            told.lock().unwrap().push(done);
        });
        let told = told.into_inner().unwrap();
        assert_eq!(told.len(), 20);
        assert_eq!(told.iter().max(), Some(&all));
    }

    #[test]
    fn largest_first() {
        let (_dir, paths) = modules(20);
        let order = Mutex::new(Vec::new());
        in_parallel(
            &paths,
            threads(1),
            |_, _| (),
            |_, path, _| {
                order.lock().unwrap().push(fs::metadata(path).unwrap().len());
            },
        );
        assert!(order.into_inner().unwrap().is_sorted_by(|a, b| a >= b));
    }
}
