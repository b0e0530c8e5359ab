//! What several tests need.

use std::path::Path;
use std::process::Command;

/// Makes a FIFO.
pub(crate) fn make_fifo(path: &Path) {
    let status = Command::new("mkfifo").arg(path).status().unwrap();
    assert!(status.success());
}
