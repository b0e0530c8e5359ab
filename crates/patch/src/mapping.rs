//! The mapping of a large input, and what happens when its pages go away: the only unsafe code.
//!
//! A program that shortens a mapped file, or a disk that fails, makes reads of the lost pages raise
//! SIGBUS. A process that asked for it with [`end_with`] then names the file and exits; what it was
//! making has no name yet, so nothing is half done.

use std::fs::File;
use std::io;
use std::ops::Deref;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};

use memmap2::{Mmap, MmapOptions};

use crate::error::IoError;

/// A mapped file.
pub(crate) struct Mapping {
    map: Mmap,
    file: Arc<File>,
}

/// What the handler of SIGBUS has to know of a mapping, all of it made before.
struct Watched {
    file: Arc<File>,
    path: PathBuf,
    len: u64,
    message: Box<[u8]>,
}

/// All mappings that there are.
static WATCHED: Mutex<Vec<Watched>> = Mutex::new(Vec::new());

impl Mapping {
    /// Maps `len` bytes, not 0, of a regular file for reading.
    pub(crate) fn new(file: &Arc<File>, path: &Path, len: u64) -> io::Result<Self> {
        let map = map(file, len)?;
        let changed = IoError::Changed { path: path.to_owned() };
        let message = format!("elfgraft: error: {changed}: it is shorter now\n").into_bytes().into();
        watched().push(Watched { file: file.clone(), path: path.to_owned(), len, message });
        Ok(Self { map, file: file.clone() })
    }
}

impl Deref for Mapping {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.map
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        let mut list = watched();
        if let Some(at) = list.iter().position(|one| Arc::ptr_eq(&one.file, &self.file)) {
            list.swap_remove(at);
        }
    }
}

fn watched() -> MutexGuard<'static, Vec<Watched>> {
    WATCHED.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Watched {
    fn is_short(&self) -> bool {
        rustix::fs::fstat(self.file.as_fd()).is_ok_and(|now| u64::try_from(now.st_size).is_ok_and(|now| now < self.len))
    }
}

/// A mapped file that is shorter than it was when it was mapped. System calls that read a lost page
/// say EFAULT, and nothing about which file that was.
pub(crate) fn shortened() -> Option<PathBuf> {
    watched().iter().find(|one| one.is_short()).map(|one| one.path.clone())
}

/// The exit status of a process whose input went away.
static STATUS: AtomicI32 = AtomicI32::new(1);

/// For programs, at their start: what would end the process by a signal is an error like any other.
///
/// - SIGBUS, when a mapped input was shortened meanwhile or cannot be read from its disk: one line on
///   standard error that names the file, and `status` as the exit status. Without this call the
///   process is killed, which leaves the target old or new as every kill does.
/// - SIGXFSZ, when a file would become longer than `RLIMIT_FSIZE` allows: the write fails with EFBIG.
///
/// Programs that this one starts inherit none of it.
pub fn end_with(status: u8) {
    STATUS.store(status.into(), Ordering::Relaxed);
    handle(libc::SIGBUS, on_bus);
    handle(libc::SIGXFSZ, on_limit);
}

extern "C" fn on_limit(_: libc::c_int) {}

/// Runs instead of the read that failed, in the thread that made it. That thread reads a mapping, so
/// it is not inside an allocator and holds no lock on the list; another one may, for a moment.
extern "C" fn on_bus(_: libc::c_int) {
    let list = loop {
        match WATCHED.try_lock() {
            Ok(list) => break list,
            Err(TryLockError::Poisoned(list)) => break list.into_inner(),
            Err(TryLockError::WouldBlock) => std::thread::yield_now(),
        }
    };
    let short = list.iter().find(|one| one.is_short());
    let message =
        short.map_or(&b"elfgraft: error: a mapped file cannot be read: Input/output error\n"[..], |one| &one.message);
    let _ = rustix::io::write(io::stderr(), message);
    exit(STATUS.load(Ordering::Relaxed))
}

/// Installs a handler.
#[allow(unsafe_code)]
fn handle(signal: libc::c_int, handler: extern "C" fn(libc::c_int)) {
    // SAFETY: Both handlers do only what is allowed at any instant: `on_limit` nothing; `on_bus` tries
    // for a lock without waiting for one of its own thread's, makes the system calls fstat, write and
    // exit_group, allocates nothing and never returns. Nobody else in this process handles these
    // signals but the standard library, for a stack overflow, which is a SIGSEGV on Linux.
    unsafe { libc::signal(signal, handler as *const () as libc::sighandler_t) };
}

/// Ends the process at once: nothing is flushed, no destructor runs.
#[allow(unsafe_code)]
fn exit(status: libc::c_int) -> ! {
    // SAFETY: It takes any status, and does not return.
    unsafe { libc::_exit(status) }
}

#[allow(unsafe_code)]
fn map(file: &File, len: u64) -> io::Result<Mmap> {
    let len = usize::try_from(len).map_err(|_| io::Error::from(io::ErrorKind::FileTooLarge))?;
    // SAFETY: The mapping is readable, `len` bytes long as the file was when it was looked at, and
    // lives as long as the slices borrowed from it. What the compiler cannot know is that nobody
    // changes the file meanwhile:
    // - This process does not, except for `in_place`, which takes copies of the bytes it needs
    //   from changed ranges before it changes them, and returns nothing borrowed from them.
    // - Other processes may. Every reader of these bytes checks each value it uses, so bytes that
    //   change give errors or a useless plan, never an access out of bounds; `Input::unchanged`
    //   discards such a plan before it takes effect. Shortening the file raises SIGBUS: see above.
    unsafe { MmapOptions::new().len(len).map(file) }
}
