//! What an in-place edit needs to be undone: the record, its bytes on disk, and what it can tell
//! about the state of a file.
//!
//! An undo file is little-endian throughout:
//!
//! ```text
//! offset  size
//!      0    16  "elfgraft undo 1\n"
//!     16     8  length of the undo file
//!     24     8  hash of everything from offset 32 on
//!     32    24  the edited file: device, inode, time of birth in nanoseconds or 0
//!     56     8  length of the edited file before the edit
//!     64     8  ... and after it
//!     72     8  hash of the bytes the edit appends, 0 if none
//!     80     8  1 if the edit is to survive a power loss, else 0
//!     88        for each changed range: its offset (8), its length (8), its old bytes, and as many
//!               of its new bytes as lie in front of the new end
//! ```
//!
//! # Why every state can be told
//!
//! A file that grows is first given its new length, then its new tail, then the changed ranges. A
//! file that shrinks gets the changed ranges first and the new length last; the lost tail is one of
//! the ranges. So at any instant the length is the old or the new one, each byte of a range is the
//! old or the new one, and a changed range that has begun to change means that the tail is
//! complete. Undoing takes the same steps backwards and so passes through the same states (a lost
//! tail is zero until it is written again, which counts as new).

use std::ffi::OsString;
use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::fuse;
use crate::hash::Hash;
use crate::op::ZEROS;
use crate::place::{NAME_MAX, directory};

const MAGIC: &[u8; 16] = b"elfgraft undo 1\n";
/// What begins the magic of every version.
const FAMILY: &[u8] = b"elfgraft undo ";
/// Where the hashed part of an undo file begins.
const HASHED: usize = 32;
/// How many old bytes are saved at most, each range counting [`RANGE_COST`] more.
pub(crate) const MOST_SAVED: u64 = 16 << 20;
/// What a range takes in the undo file besides its bytes.
pub(crate) const RANGE_COST: u64 = 16;
/// No undo file of ours is longer: old and new bytes, and the fixed part.
pub(crate) const MOST_LEN: u64 = 2 * MOST_SAVED + 4096;

/// Which file an undo file is for. The time of birth matters: file systems use the inode numbers
/// of removed files again at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Identity {
    device: u64,
    inode: u64,
    born: u64,
}

impl Identity {
    pub(crate) fn of(metadata: &Metadata) -> Self {
        let born = metadata.created().ok();
        let born = born.and_then(|time| time.duration_since(SystemTime::UNIX_EPOCH).ok());
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            born: born.map_or(0, |since| u64::try_from(since.as_nanos()).unwrap_or(0)),
        }
    }
}

/// The record of one edit.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Undo {
    pub(crate) file: Identity,
    pub(crate) len_before: u64,
    pub(crate) len_after: u64,
    /// Hash of the bytes behind the old end, 0 if there are none.
    pub(crate) tail: u64,
    /// Whether the file must be synced before this record of it goes away.
    pub(crate) durable: bool,
    /// By ascending offset, without overlaps, inside the old length.
    pub(crate) ranges: Vec<Saved>,
}

/// One changed range.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Saved {
    pub(crate) at: u64,
    pub(crate) old: Vec<u8>,
    /// Shorter than `old` where the range lies behind the new end.
    pub(crate) new: Vec<u8>,
}

/// What the bytes at an undo file's name turn out to be.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Decoded {
    Undo(Undo),
    /// Ours, but incomplete, changed, or of a version from the future.
    Damaged,
    /// Somebody else's file.
    Foreign,
}

/// What a file's bytes and length are, as far as the edit explains them. Both holds when the edit
/// changes nothing, neither when it is somewhere between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct State {
    /// The edit has not begun, or is undone.
    pub(crate) old: bool,
    /// The edit is complete.
    pub(crate) new: bool,
}

/// The undo file's name for the file `path`, links resolved: hidden, in the same directory. None
/// if the name is too long for one.
pub(crate) fn beside(path: &Path) -> Option<PathBuf> {
    let mut name = OsString::from(".");
    name.push(path.file_name()?);
    name.push(".elfgraft-undo");
    (name.as_bytes().len() <= NAME_MAX).then(|| directory(path).join(name))
}

impl Undo {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = vec![0; HASHED];
        let Identity { device, inode, born } = self.file;
        let durable = u64::from(self.durable);
        for number in [device, inode, born, self.len_before, self.len_after, self.tail, durable] {
            out.extend(number.to_le_bytes());
        }
        for Saved { at, old, new } in &self.ranges {
            out.extend(at.to_le_bytes());
            out.extend((old.len() as u64).to_le_bytes());
            out.extend(old);
            out.extend(new);
        }
        let hash = Hash::of(&out[HASHED..]);
        let len = out.len() as u64;
        out[..16].copy_from_slice(MAGIC);
        out[16..24].copy_from_slice(&len.to_le_bytes());
        out[24..HASHED].copy_from_slice(&hash.to_le_bytes());
        out
    }

    pub(crate) fn decode(bytes: &[u8]) -> Decoded {
        if !bytes.starts_with(FAMILY) {
            return Decoded::Foreign;
        }
        Self::decode_ours(bytes).map_or(Decoded::Damaged, Decoded::Undo)
    }

    fn decode_ours(bytes: &[u8]) -> Option<Self> {
        let mut header = Reader(bytes);
        let sound = header.take(16)? == MAGIC
            && header.number()? == bytes.len() as u64
            && header.number()? == Hash::of(header.0);
        if !sound {
            return None;
        }
        let mut rest = header;
        let file = Identity { device: rest.number()?, inode: rest.number()?, born: rest.number()? };
        let (len_before, len_after, tail) = (rest.number()?, rest.number()?, rest.number()?);
        let durable = rest.number()? == 1;
        let mut ranges = Vec::new();
        let mut free = 0;
        while !rest.0.is_empty() {
            let (at, len) = (rest.number()?, rest.number()?);
            let end = at.checked_add(len)?;
            if at < free || end > len_before {
                return None;
            }
            free = end;
            let new_len = len.min(len_after.saturating_sub(at));
            ranges.push(Saved { at, old: rest.take(len)?.to_vec(), new: rest.take(new_len)?.to_vec() });
        }
        Some(Self { file, len_before, len_after, tail, durable, ranges })
    }

    /// How far the edit got in `file`, read under the lock. None if the file has bytes, or a
    /// length, that the edit does not explain.
    pub(crate) fn state(&self, file: &File) -> io::Result<Option<State>> {
        let len = file.metadata()?.len();
        if len != self.len_before && len != self.len_after {
            return Ok(None);
        }
        let (mut all_old, mut all_new) = (true, true);
        for Saved { at, old, new } in &self.ranges {
            let there = usize::try_from(len.saturating_sub(*at)).unwrap_or(usize::MAX);
            let mut found = vec![0; old.len().min(there)];
            file.read_exact_at(&mut found, *at)?;
            let new = new.iter().chain(std::iter::repeat(&0));
            for (found, (old, new)) in found.iter().zip(old.iter().zip(new)) {
                if found != old && found != new {
                    return Ok(None);
                }
                all_old &= found == old;
                all_new &= found == new;
            }
        }
        if self.len_after > self.len_before && len == self.len_after {
            let tail = self.hash_tail(file)? == self.tail;
            if !tail && !all_old {
                return Ok(None);
            }
            all_new &= tail;
        }
        Ok(Some(State { old: all_old && len == self.len_before, new: all_new && len == self.len_after }))
    }

    fn hash_tail(&self, file: &File) -> io::Result<u64> {
        let mut hash = Hash::default();
        let mut block = vec![0; ZEROS.len()];
        let mut at = self.len_before;
        while at < self.len_after {
            let left = usize::try_from(self.len_after - at).unwrap_or(usize::MAX);
            let len = left.min(block.len());
            file.read_exact_at(&mut block[..len], at)?;
            hash.add(&block[..len]);
            at += len as u64;
        }
        Ok(hash.finish())
    }

    /// Removes the undo file of `file`, after which only the file itself tells of the edit.
    pub(crate) fn remove(&self, undo_path: &Path, file: &File) -> io::Result<()> {
        if self.durable {
            file.sync_all()?;
        }
        fuse::step();
        fs::remove_file(undo_path)
    }

    /// Puts the old bytes and the old length back. Can be interrupted and begun again.
    pub(crate) fn restore(&self, file: &File) -> io::Result<()> {
        if self.len_after < self.len_before {
            fuse::step();
            file.set_len(self.len_before)?;
        }
        for Saved { at, old, .. } in &self.ranges {
            fuse::write_all_at(file, old, *at)?;
        }
        if self.len_after > self.len_before {
            fuse::step();
            file.set_len(self.len_before)?;
        }
        match self.state(file)? {
            Some(State { old: true, .. }) => Ok(()),
            _ => Err(io::Error::other("it reads back differently than written")),
        }
    }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, len: u64) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(usize::try_from(len).ok()?)?;
        self.0 = rest;
        Some(taken)
    }

    fn number(&mut self) -> Option<u64> {
        Some(u64::from_le_bytes(self.take(8)?.try_into().ok()?))
    }
}
