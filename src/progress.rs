//! A progress bar, for people who look at a terminal and for nobody else.

use std::io::{self, IsTerminal, Write};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// So long nothing is shown, and so long what is shown stays: a quick command leaves the terminal alone.
const PAUSE: Duration = Duration::from_millis(100);

/// Whether a bar is on the terminal.
static SHOWN: AtomicBool = AtomicBool::new(false);

/// Takes the bar away, for a line of text in its place.
pub fn clear() {
    if SHOWN.swap(false, Ordering::Relaxed) {
        // A terminal that is gone needs no cleaning.
        let _ = write!(io::stderr().lock(), "\r\x1b[K");
    }
}

/// What is counted.
#[derive(Debug, Clone, Copy)]
pub enum Unit {
    /// Shown as MB.
    Bytes,
    /// Shown one by one.
    Files,
}

/// So much done of so much to do, on standard error. The line is removed when this is dropped.
pub struct Progress {
    what: &'static str,
    unit: Unit,
    total: u64,
    /// `None` where standard error is no terminal.
    state: Option<Mutex<State>>,
}

struct State {
    done: u64,
    told: Instant,
}

impl Progress {
    /// Begins; `what` is being done to `total` units.
    pub fn new(what: &'static str, unit: Unit, total: u64) -> Self {
        let begun = || Mutex::new(State { done: 0, told: Instant::now() });
        Self { what, unit, total, state: io::stderr().is_terminal().then(begun) }
    }

    /// Tells that so many more units are done.
    pub fn add(&self, count: u64) {
        let Some(mut state) = self.state.as_ref().and_then(|state| state.lock().ok()) else {
            return;
        };
        state.done = state.done.saturating_add(count);
        if state.told.elapsed() >= PAUSE {
            state.told = Instant::now();
            SHOWN.store(true, Ordering::Relaxed);
            // A terminal that is gone is no reason to stop the work.
            let _ = write!(io::stderr().lock(), "\r{}", line(self.what, self.unit, state.done, self.total));
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        clear();
    }
}

fn line(what: &str, unit: Unit, done: u64, total: u64) -> String {
    let of = |parts: u64| {
        let part = u128::from(parts) * u128::from(done.min(total)) / u128::from(total.max(1));
        usize::try_from(part).unwrap_or_default()
    };
    let bar = "=".repeat(of(30)) + ">";
    let count = match unit {
        Unit::Bytes => format!("{} of {} MB", done / 1_000_000, total / 1_000_000),
        Unit::Files => format!("{done} of {total} files"),
    };
    format!("{what} [{bar:<31}] {:3}%, {count}", of(100))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hashing(done: u64, total: u64) -> String {
        line("hashing", Unit::Bytes, done, total)
    }

    #[test]
    fn the_line_has_one_width_and_grows() {
        assert_eq!(hashing(0, 200_000_000), "hashing [>                              ]   0%, 0 of 200 MB");
        assert_eq!(hashing(100_000_000, 200_000_000), "hashing [===============>               ]  50%, 100 of 200 MB");
        assert_eq!(hashing(200_000_000, 200_000_000), "hashing [==============================>] 100%, 200 of 200 MB");
        assert_eq!(line("editing", Unit::Files, 1, 2), "editing [===============>               ]  50%, 1 of 2 files");
    }

    #[test]
    fn files_that_grow_or_are_empty_do_no_harm() {
        assert!(hashing(7, 0).contains("  0%"));
        assert!(hashing(u64::MAX, u64::MAX).contains("100%"));
        assert!(hashing(9, 5).contains("100%"));
    }
}
