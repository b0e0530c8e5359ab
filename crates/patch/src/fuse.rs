//! Where tests kill an in-place edit. Outside of tests this is nothing but the plain calls.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// Writes all of `bytes` at offset `at`. A test can let the process die between any two bytes.
#[cfg(not(test))]
pub(crate) fn write_all_at(file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
    file.write_all_at(bytes, at)
}

/// Marks a step that happens as a whole or not at all. A test can let the process die before it.
#[cfg(not(test))]
pub(crate) fn step() {}

#[cfg(test)]
pub(crate) use lit::{dies_after, step, write_all_at};

#[cfg(test)]
mod lit {
    use std::cell::Cell;
    use std::panic;

    use super::*;

    thread_local! {
        static LEFT: Cell<usize> = const { Cell::new(usize::MAX) };
    }

    /// What the panic carries that stands for SIGKILL. The code under test does nothing in drops
    /// but close files, as the system would.
    struct Killed;

    /// Runs `edit` and kills it after `steps` bytes or other steps. None if it was killed.
    pub(crate) fn dies_after<T>(steps: usize, edit: impl FnOnce() -> T) -> Option<T> {
        LEFT.set(steps);
        let result = panic::catch_unwind(panic::AssertUnwindSafe(edit));
        LEFT.set(usize::MAX);
        match result {
            Ok(value) => Some(value),
            Err(why) if why.is::<Killed>() => None,
            Err(why) => panic::resume_unwind(why),
        }
    }

    pub(crate) fn step() {
        match LEFT.get() {
            usize::MAX => {}
            0 => die(),
            left => LEFT.set(left - 1),
        }
    }

    pub(crate) fn write_all_at(file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
        let left = LEFT.get();
        if left == usize::MAX {
            return file.write_all_at(bytes, at);
        }
        let affordable = left.min(bytes.len());
        LEFT.set(left - affordable);
        file.write_all_at(&bytes[..affordable], at)?;
        if affordable < bytes.len() { die() } else { Ok(()) }
    }

    fn die() -> ! {
        // In a child process of a test, die in earnest.
        if std::env::var_os("ELFGRAFT_TEST_DIE").is_some() {
            let me = rustix::process::getpid();
            let _ = rustix::process::kill_process(me, rustix::process::Signal::KILL);
        }
        // Without the panic hook: a thousand expected deaths need no message each.
        panic::resume_unwind(Box::new(Killed))
    }
}
