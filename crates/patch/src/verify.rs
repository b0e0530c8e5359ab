//! Reads back what was written.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use crate::op::{Op, ZEROS, index};
use crate::patch::Patch;
use crate::to_vec::chunks;

/// The offset of a block, of what `patch` writes, that `file` does not have; none when all is
/// there. With `holes`, long zeros were never written and are not read.
pub(crate) fn first_difference(file: &File, patch: &Patch<'_>, input: &[u8], holes: bool) -> io::Result<Option<u64>> {
    let mut window = Window { file, len: patch.output_len(), at: 0, bytes: Vec::new() };
    for piece in patch.pieces() {
        let skip = match piece.op {
            Op::Copy { .. } => true,
            Op::Zero { len } => holes && len >= ZEROS.len() as u64,
            Op::Fill { .. } | Op::Write(_) => false,
        };
        if skip {
            continue;
        }
        for (start, bytes) in chunks(patch, input, piece.range()) {
            let mut at = start;
            for block in bytes.chunks(ZEROS.len()) {
                if !window.has(at, block)? {
                    return Ok(Some(at));
                }
                at += block.len() as u64;
            }
        }
    }
    Ok(None)
}

/// A block of the file: one read serves many small comparisons.
struct Window<'f> {
    file: &'f File,
    /// Bytes of the file.
    len: u64,
    at: u64,
    bytes: Vec<u8>,
}

impl Window<'_> {
    fn has(&mut self, at: u64, expected: &[u8]) -> io::Result<bool> {
        if self.part(at, expected.len()).is_none() {
            self.read(at)?;
        }
        Ok(self.part(at, expected.len()) == Some(expected))
    }

    fn part(&self, at: u64, len: usize) -> Option<&[u8]> {
        let start = usize::try_from(at.checked_sub(self.at)?).ok()?;
        self.bytes.get(start..)?.get(..len)
    }

    /// Fills the window from `at` on, with less at the end of the file.
    fn read(&mut self, at: u64) -> io::Result<()> {
        self.at = at;
        self.bytes.resize(index(self.len.saturating_sub(at)).min(ZEROS.len()), 0);
        let mut len = 0;
        while len < self.bytes.len() {
            match self.file.read_at(&mut self.bytes[len..], at + len as u64) {
                Ok(0) => break,
                Ok(read) => len += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.bytes.truncate(len);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Builder, to_vec};

    #[test]
    fn every_wrong_written_byte_is_found_and_only_those() {
        let input = vec![1; 200_000];
        let mut builder = Builder::new(200_000);
        builder.copy(0, 0, 200_000, "").zero(200_000, 70_000, "");
        builder.overlay(5, &b"abc"[..], "").overlay(100, vec![2; 70_000], "").overlay(199_999, &b"x"[..], "");
        let patch = builder.finish(270_000).unwrap();
        let good = to_vec(&patch, &input);
        let file = tempfile::tempfile().unwrap();
        file.write_all_at(&good, 0).unwrap();
        let check = |holes| first_difference(&file, &patch, &input, holes).unwrap();
        assert_eq!(check(false), None);
        let poked = [(5, 5), (7, 5), (100, 100), (70_099, 65_636), (199_999, 199_999), (200_000, 200_000)];
        for (at, found) in poked {
            file.write_all_at(b"!", at).unwrap();
            assert_eq!(check(false), Some(found), "byte {at}");
            assert_eq!(check(true).is_some(), at < 200_000);
            file.write_all_at(&[good[usize::try_from(at).unwrap()]], at).unwrap();
        }
        file.write_all_at(b"!", 50).unwrap();
        assert_eq!(check(false), None, "a kept byte is not read");
        file.set_len(100_000).unwrap();
        assert_eq!(check(false), Some(199_999));
    }
}
