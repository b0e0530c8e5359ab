//! A progress bar, for people who look at a terminal and for nobody else.

use std::io::{self, IsTerminal, Write};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// So long nothing is shown, and so long what is shown stays: a quick command leaves the terminal alone.
const PAUSE: Duration = Duration::from_millis(100);

/// Bytes done of bytes to do, on standard error. The line is removed when this is dropped.
pub struct Progress {
    total: u64,
    /// `None` where standard error is no terminal.
    state: Option<Mutex<State>>,
}

struct State {
    done: u64,
    told: Instant,
    shown: bool,
}

impl Progress {
    /// Begins; `total` in bytes.
    pub fn new(total: u64) -> Self {
        let begun = || Mutex::new(State { done: 0, told: Instant::now(), shown: false });
        Self { total, state: io::stderr().is_terminal().then(begun) }
    }

    /// Tells that so many more bytes are done.
    pub fn add(&self, bytes: u64) {
        let Some(mut state) = self.state.as_ref().and_then(|state| state.lock().ok()) else {
            return;
        };
        state.done = state.done.saturating_add(bytes);
        if state.told.elapsed() >= PAUSE {
            state.told = Instant::now();
            state.shown = true;
            // A terminal that is gone is no reason to stop hashing.
            let _ = write!(io::stderr().lock(), "\r{}", line(state.done, self.total));
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        let state = self.state.take().and_then(|state| state.into_inner().ok());
        if state.is_some_and(|state| state.shown) {
            let _ = write!(io::stderr().lock(), "\r\x1b[K");
        }
    }
}

fn line(done: u64, total: u64) -> String {
    let of = |parts: u64| {
        let part = u128::from(parts) * u128::from(done.min(total)) / u128::from(total.max(1));
        usize::try_from(part).unwrap_or_default()
    };
    let bar = "=".repeat(of(30)) + ">";
    format!("hashing [{bar:<31}] {:3}%, {} of {} MB", of(100), done / 1_000_000, total / 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_has_one_width_and_grows() {
        assert_eq!(line(0, 200_000_000), "hashing [>                              ]   0%, 0 of 200 MB");
        assert_eq!(line(100_000_000, 200_000_000), "hashing [===============>               ]  50%, 100 of 200 MB");
        assert_eq!(line(200_000_000, 200_000_000), "hashing [==============================>] 100%, 200 of 200 MB");
    }

    #[test]
    fn files_that_grow_or_are_empty_do_no_harm() {
        assert!(line(7, 0).contains("  0%"));
        assert!(line(u64::MAX, u64::MAX).contains("100%"));
        assert!(line(9, 5).contains("100%"));
    }
}
