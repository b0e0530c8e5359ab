//! Writes by offset, with neighbouring small pieces gathered into one call.

use std::fs::File;
use std::io;

use crate::fuse;
use crate::op::ZEROS;

/// A buffer of one block in front of `pwrite`. Call [`flush`](Self::flush) at the end: dropping
/// writes nothing.
pub(crate) struct Gather<'f> {
    file: &'f File,
    at: u64,
    buffer: Vec<u8>,
}

impl<'f> Gather<'f> {
    pub(crate) fn new(file: &'f File) -> Self {
        let buffer = Vec::with_capacity(ZEROS.len());
        Self { file, at: 0, buffer }
    }

    /// Whether bytes wait that end at offset `at`.
    pub(crate) fn waits_at(&self, at: u64) -> bool {
        !self.buffer.is_empty() && self.at + self.buffer.len() as u64 == at
    }

    pub(crate) fn put(&mut self, at: u64, bytes: &[u8]) -> io::Result<()> {
        if !self.waits_at(at) || self.buffer.len() + bytes.len() > self.buffer.capacity() {
            self.flush()?;
        }
        if bytes.len() >= self.buffer.capacity() {
            return fuse::write_all_at(self.file, bytes, at);
        }
        if self.buffer.is_empty() {
            self.at = at;
        }
        self.buffer.extend_from_slice(bytes);
        Ok(())
    }

    pub(crate) fn flush(&mut self) -> io::Result<()> {
        if !self.buffer.is_empty() {
            fuse::write_all_at(self.file, &self.buffer, self.at)?;
            self.buffer.clear();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt;

    use super::*;

    #[test]
    fn gathered_and_direct_writes_land_where_they_belong() {
        let file = tempfile::tempfile().unwrap();
        let mut expected = vec![0; 4 * ZEROS.len()];
        let mut gather = Gather::new(&file);
        let big = vec![7; ZEROS.len() + 1];
        let half = vec![8; ZEROS.len() / 2 + 1];
        let mut at = 3;
        for bytes in [&b"a"[..], b"bc", &big, b"d", &half, &half, b"e"] {
            gather.put(at as u64, bytes).unwrap();
            expected[at..at + bytes.len()].copy_from_slice(bytes);
            at += bytes.len();
        }
        gather.put(0, b"0").unwrap();
        assert!(gather.waits_at(1) && !gather.waits_at(2));
        gather.flush().unwrap();
        assert!(!gather.waits_at(1));
        expected[0] = b'0';
        expected.truncate(at);
        let mut found = vec![0; at];
        file.read_exact_at(&mut found, 0).unwrap();
        assert_eq!(file.metadata().unwrap().len(), at as u64);
        assert!(found == expected);
    }
}
