//! Fills a new file with the output of a patch.

use std::fs::{File, Metadata};
use std::io;
use std::ops::Range;
use std::os::unix::fs::MetadataExt;

use rustix::fs::{FallocateFlags, SeekFrom};
use rustix::io::{Errno, retry_on_intr};

use crate::gather::Gather;
use crate::input::Input;
use crate::op::{Op, Piece, index, slice};
use crate::patch::Patch;

/// Kept ranges below this size are written from the mapping, together with their neighbours:
/// a system call for each costs more. Zeros below it are not worth a hole.
const SMALL: u64 = 32 * 1024;

/// Fills `out`, a new and empty file, and sets its length. Returns whether long zeros were left as
/// holes, which then read as zeros by construction.
///
/// Kept ranges are, in order of preference: shared with the input (a clone), copied by the kernel,
/// written from the mapping. Holes of a sparse input stay holes.
pub(crate) fn fill(out: &File, patch: &Patch<'_>, input: &Input) -> io::Result<bool> {
    let source = input.file().zip(input.metadata());
    let mut fill = Fill { out, input, gather: Gather::new(out), source, cloned: false };
    fill.clone_input(patch);
    if fill.cloned || fill.expects_holes(patch) || !reserve(out, patch.output_len())? {
        out.set_len(patch.output_len())?;
    }
    patch.pieces().iter().try_for_each(|piece| fill.piece(piece))?;
    fill.gather.flush()?;
    Ok(!fill.cloned)
}

/// Reserves the space of a whole file, so that a full disk is told before the work and not after
/// it. On ext4 this also halves the time: renaming a file over another one waits until space is
/// found for all of its blocks. False where the file system cannot do it.
fn reserve(out: &File, len: u64) -> io::Result<bool> {
    match rustix::fs::fallocate(out, FallocateFlags::empty(), 0, len) {
        Ok(()) => Ok(true),
        Err(error @ (Errno::NOSPC | Errno::DQUOT | Errno::FBIG)) => Err(error.into()),
        Err(_) => Ok(false),
    }
}

struct Fill<'f> {
    out: &'f File,
    input: &'f Input,
    gather: Gather<'f>,
    /// The input's file, as long as the kernel can copy from it.
    source: Option<(&'f File, &'f Metadata)>,
    /// Whether `out` began as a clone of the input.
    cloned: bool,
}

impl Fill<'_> {
    fn clone_input(&mut self, patch: &Patch<'_>) {
        let stays = patch.pieces().iter().filter(|piece| piece.stays());
        let stays: u64 = stays.map(|piece| piece.op.size()).sum();
        if let Some((file, _)) = self.source
            && stays > patch.output_len() / 2
            && stays >= SMALL
        {
            // Most file systems cannot; copying finds out what is really wrong, if anything is.
            self.cloned = rustix::fs::ioctl_ficlone(self.out, file).is_ok();
        }
    }

    /// Whether the output will have holes, or may have.
    fn expects_holes(&self, patch: &Patch<'_>) -> bool {
        let is_long_zero = |op: &Op<'_>| matches!(op, Op::Zero { len } if *len >= SMALL);
        self.is_sparse() || patch.pieces().iter().any(|piece| is_long_zero(&piece.op))
    }

    fn is_sparse(&self) -> bool {
        self.source.is_some_and(|(_, metadata)| metadata.blocks() < metadata.len() / 512)
    }

    fn piece(&mut self, piece: &Piece<'_>) -> io::Result<()> {
        let size = piece.op.size();
        match piece.op {
            Op::Copy { from, len } => {
                if size < SMALL && self.gather.waits_at(piece.at) {
                    self.put(piece)
                } else if self.cloned && piece.stays() {
                    Ok(())
                } else if size < SMALL {
                    self.put(piece)
                } else {
                    self.copy(from, piece.at, len)
                }
            }
            Op::Zero { .. } if size >= SMALL && !self.cloned => Ok(()),
            Op::Zero { .. } | Op::Fill { .. } | Op::Write(_) => self.put(piece),
        }
    }

    fn put(&mut self, piece: &Piece<'_>) -> io::Result<()> {
        let mut at = piece.at;
        for bytes in piece.op.bytes(self.input.bytes()) {
            self.gather.put(at, bytes)?;
            at += bytes.len() as u64;
        }
        Ok(())
    }

    /// Copies a long range, leaving out the holes of a sparse input.
    fn copy(&mut self, from: u64, at: u64, len: u64) -> io::Result<()> {
        self.gather.flush()?;
        let mut done = from;
        let end = from + len;
        while done < end {
            let data = match self.source {
                Some((file, _)) if self.is_sparse() => next_data(file, done, end)?,
                _ => done..end,
            };
            self.copy_data(data.clone(), at + (data.start - from))?;
            done = data.end;
        }
        Ok(())
    }

    fn copy_data(&mut self, data: Range<u64>, at: u64) -> io::Result<()> {
        let (mut from, mut to) = (data.start, at);
        while let Some((file, _)) = self.source
            && from < data.end
        {
            let len = index(data.end - from);
            let copy = || {
                let (mut from, mut to) = (from, to);
                rustix::fs::copy_file_range(file, Some(&mut from), self.out, Some(&mut to), len)
            };
            match retry_on_intr(copy) {
                // Some file systems say 0 instead of an error, and so does a file that shrank.
                Ok(0) => {
                    if file.metadata()?.len() < data.end {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                    self.source = None;
                }
                Ok(copied) => {
                    from += copied as u64;
                    to += copied as u64;
                }
                Err(Errno::XDEV | Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP | Errno::PERM) => {
                    self.source = None;
                }
                Err(error) => return Err(error.into()),
            }
        }
        self.gather.put(to, slice(self.input.bytes(), from..data.end))
    }
}

/// The next data of a sparse file in `from..end`; empty, at `end`, when only a hole is left.
fn next_data(file: &File, from: u64, end: u64) -> io::Result<Range<u64>> {
    let start = match rustix::fs::seek(file, SeekFrom::Data(from)) {
        Ok(start) => start.min(end),
        Err(Errno::NXIO) => end,
        // A file system that does not know its holes has none.
        Err(Errno::INVAL) => return Ok(from..end),
        Err(error) => return Err(error.into()),
    };
    if start == end {
        return Ok(end..end);
    }
    let hole = rustix::fs::seek(file, SeekFrom::Hole(start))?;
    Ok(start..hole.clamp(start, end))
}
