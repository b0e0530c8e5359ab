//! The contents of `.module_hashes` in vmlinux.

use crate::tree::MAX_LEVELS;
use crate::{Error, Hash, Result};

/// The byte order of the vmlinux that holds the section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ByteOrder {
    /// Least significant byte first (ELFDATA2LSB).
    Little,
    /// Most significant byte first (ELFDATA2MSB).
    Big,
}

/// `.module_hashes`: the number of levels, then the root's hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RootSection {
    levels: u32,
    root: Hash,
}

impl RootSection {
    /// Length of the section's contents in bytes.
    pub const LEN: usize = 36;

    pub(crate) fn new(levels: u32, root: Hash) -> Self {
        Self { levels, root }
    }

    /// Hashes in the proof of each module: 0 without modules, else 1 to 32.
    pub fn levels(&self) -> u32 {
        self.levels
    }

    /// The hash all proofs lead to; zero without modules.
    pub fn root(&self) -> Hash {
        self.root
    }

    /// Reads the section's contents. Before they are patched, a fresh vmlinux has zeros: no modules.
    /// Fails when there are not 36 bytes, or more levels than a tree can have.
    pub fn decode(contents: &[u8], order: ByteOrder) -> Result<Self> {
        let error = Error::RootLen { len: contents.len() };
        let Some((levels, root)) = contents.split_first_chunk() else {
            return Err(error);
        };
        let levels = match order {
            ByteOrder::Little => u32::from_le_bytes(*levels),
            ByteOrder::Big => u32::from_be_bytes(*levels),
        };
        let root = Hash(root.try_into().map_err(|_| error)?);
        if levels > MAX_LEVELS {
            return Err(Error::RootLevels { levels });
        }
        Ok(Self { levels, root })
    }

    /// The section's contents.
    pub fn encode(&self, order: ByteOrder) -> [u8; Self::LEN] {
        let levels = match order {
            ByteOrder::Little => self.levels.to_le_bytes(),
            ByteOrder::Big => self.levels.to_be_bytes(),
        };
        let mut contents = [0; Self::LEN];
        let (head, tail) = contents.split_at_mut(levels.len());
        head.copy_from_slice(&levels);
        tail.copy_from_slice(&self.root.0);
        contents
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT: RootSection = RootSection { levels: 13, root: Hash([0xab; 32]) };

    #[test]
    fn levels_are_in_the_order_of_the_file_and_the_hash_is_not_turned() {
        let mut expected = [0xab; 36];
        expected[..4].copy_from_slice(&[13, 0, 0, 0]);
        assert_eq!(ROOT.encode(ByteOrder::Little), expected);
        expected[..4].copy_from_slice(&[0, 0, 0, 13]);
        assert_eq!(ROOT.encode(ByteOrder::Big), expected);
    }

    #[test]
    fn survives_encoding() {
        for order in [ByteOrder::Little, ByteOrder::Big] {
            assert_eq!(RootSection::decode(&ROOT.encode(order), order).unwrap(), ROOT);
        }
    }

    #[test]
    fn a_fresh_vmlinux_has_no_modules() {
        let root = RootSection::decode(&[0; 36], ByteOrder::Big).unwrap();
        assert_eq!((root.levels, root.root), (0, Hash::ZERO));
    }

    #[test]
    fn another_size_is_refused() {
        for len in [0, 3, 4, 35, 37, 72] {
            let error = RootSection::decode(&vec![0; len], ByteOrder::Little).unwrap_err();
            assert_eq!(error.to_string(), format!("section '.module_hashes': contents are {len} bytes, a root is 36"));
        }
    }

    #[test]
    fn the_other_byte_order_is_noticed() {
        let error = RootSection::decode(&ROOT.encode(ByteOrder::Big), ByteOrder::Little).unwrap_err();
        assert!(matches!(error, Error::RootLevels { levels: 0x0d00_0000 }));
    }
}
