//! The Merkle tree over leaf hashes, and the way from one leaf to the root.

use std::fmt;

use sha2::{Digest, Sha256};

use crate::{Error, Result, RootSection};

/// Domain bytes: without them a node could be passed off as a module, and the other way round.
const LEAF: u8 = 0x01;
const NODE: u8 = 0x02;

/// Positions have 32 bits, so no tree is deeper.
pub(crate) const MAX_LEVELS: u32 = u32::BITS;

/// A SHA-256 hash of a module or a node. Printed in hexadecimal.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Hash(
    /// The 32 bytes, as in `.module_hashes` and in proofs.
    pub [u8; 32],
);

impl Hash {
    /// The root of a tree without modules.
    pub const ZERO: Self = Self([0; 32]);

    fn node(left: Self, right: Self) -> Self {
        let mut sha = Sha256::new();
        sha.update([NODE]);
        sha.update(left.0);
        sha.update(right.0);
        Self(sha.finalize().into())
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Hashes one module piece by piece.
#[derive(Clone, Debug)]
pub struct LeafHasher(Sha256);

impl LeafHasher {
    /// Of the module at position `pos` of `modules.order`, from 0.
    pub fn new(pos: u32) -> Self {
        let mut sha = Sha256::new();
        sha.update([LEAF]);
        sha.update(pos.to_be_bytes());
        Self(sha)
    }

    /// The next bytes of the module.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The leaf, when all bytes have been given.
    pub fn finish(self) -> Hash {
        Hash(self.0.finalize().into())
    }
}

/// All hashes of the tree: twice as many as there are modules.
#[derive(Clone, Debug)]
pub struct Tree {
    /// The leaves first; the last one holds the root alone. Just the (empty) leaves for no modules.
    levels: Vec<Vec<Hash>>,
}

impl Tree {
    /// The tree over the leaves of all modules, in the order of `modules.order`.
    pub fn new(leaves: impl IntoIterator<Item = Hash>) -> Self {
        let mut level: Vec<Hash> = leaves.into_iter().collect();
        let mut levels = Vec::new();
        // A single module is paired with itself: its root is a node, not the leaf.
        while level.len() > 1 || (levels.is_empty() && !level.is_empty()) {
            let above = level.chunks(2).filter_map(|pair| Some(Hash::node(*pair.first()?, *pair.last()?))).collect();
            levels.push(std::mem::replace(&mut level, above));
        }
        levels.push(level);
        Self { levels }
    }

    /// What `.module_hashes` says: 0 levels and a zero hash for no modules.
    pub fn root(&self) -> RootSection {
        let top = (0..).zip(&self.levels).last();
        let (levels, root) =
            top.and_then(|(levels, hashes)| Some((levels, *hashes.first()?))).unwrap_or((0, Hash::ZERO));
        RootSection::new(levels, root)
    }

    /// The proof of the module at `pos`; `None` when there is none.
    pub fn proof(&self, pos: u32) -> Option<Proof> {
        let mut index = usize::try_from(pos).ok()?;
        let (_root, below) = self.levels.split_last()?;
        if below.is_empty() {
            return None;
        }
        let mut siblings = Vec::with_capacity(below.len());
        for level in below {
            let own = level.get(index)?;
            siblings.push(*level.get(index ^ 1).unwrap_or(own));
            index /= 2;
        }
        Some(Proof { pos, siblings })
    }
}

/// The way from a module to the root: `be32(pos)`, then a sibling for each level, leaf first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    pos: u32,
    siblings: Vec<Hash>,
}

impl Proof {
    /// The proof in `bytes`; fails when they are no position and hashes of at most 32 levels.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let error = Error::ProofLen { len: bytes.len() };
        let Some((pos, rest)) = bytes.split_first_chunk() else {
            return Err(error);
        };
        let (siblings, rest) = rest.as_chunks();
        if !rest.is_empty() || siblings.len() > MAX_LEVELS as usize {
            return Err(error);
        }
        Ok(Self { pos: u32::from_be_bytes(*pos), siblings: siblings.iter().copied().map(Hash).collect() })
    }

    /// The bytes as they are appended to the module; independent of the byte order of vmlinux.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = self.pos.to_be_bytes().to_vec();
        bytes.extend(self.siblings.iter().flat_map(|hash| hash.0));
        bytes
    }

    /// Position of the module in `modules.order`, from 0.
    pub fn pos(&self) -> u32 {
        self.pos
    }

    /// The other half of each pair on the way, from the leaf up.
    pub fn siblings(&self) -> &[Hash] {
        &self.siblings
    }

    /// Where this proof leads from `leaf`: for the kernel the proof is good when that is the root in
    /// vmlinux. A position beyond the tree is not looked for, as in the kernel; it is in the leaf,
    /// so it leads elsewhere.
    pub fn root(&self, leaf: Hash) -> RootSection {
        let mut pos = self.pos;
        let mut hash = leaf;
        for &sibling in &self.siblings {
            hash = match pos & 1 {
                0 => Hash::node(hash, sibling),
                _ => Hash::node(sibling, hash),
            };
            pos >>= 1;
        }
        RootSection::new(self.levels(), hash)
    }

    /// Length of the encoded proof in bytes.
    pub(crate) fn encoded_len(&self) -> u32 {
        4 + 32 * self.levels()
    }

    /// Hashes in the proof, at most 32.
    pub fn levels(&self) -> u32 {
        self.siblings.iter().map(|_| 1).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaves(count: u32) -> Vec<Hash> {
        (0..count).map(|pos| LeafHasher::new(pos).finish()).collect()
    }

    #[test]
    fn levels_of_each_count() {
        let levels = |count| Tree::new(leaves(count)).root().levels();
        let expected = [0, 1, 1, 2, 2, 3, 3, 3, 3, 4];
        assert_eq!((0..10).map(levels).collect::<Vec<_>>(), expected);
        assert_eq!([255, 256, 257].map(levels), [8, 8, 9]);
    }

    #[test]
    fn no_modules_have_a_zero_root_and_no_proof() {
        let tree = Tree::new([]);
        assert_eq!(tree.root().root(), Hash::ZERO);
        assert_eq!(tree.proof(0), None);
    }

    #[test]
    fn a_position_without_a_module_has_no_proof() {
        for count in 1..6 {
            let tree = Tree::new(leaves(count));
            assert!(tree.proof(count - 1).is_some());
            assert_eq!(tree.proof(count), None);
            assert_eq!(tree.proof(u32::MAX), None);
        }
    }

    #[test]
    fn a_proof_proves_its_leaf_at_its_position_in_its_tree_only() {
        let leaves = leaves(5);
        let tree = Tree::new(leaves.clone());
        for (pos, &leaf) in (0..).zip(&leaves) {
            let proof = tree.proof(pos).unwrap();
            for (other, &wrong) in (0..).zip(&leaves) {
                assert_eq!(proof.root(wrong) == tree.root(), pos == other);
                let moved = Proof { pos: other, ..proof.clone() };
                assert_eq!(moved.root(leaf) == tree.root(), pos == other);
            }
            assert_ne!(proof.root(leaf), Tree::new(leaves[..4].to_vec()).root());
            let deeper = RootSection::new(4, tree.root().root());
            assert_ne!(proof.root(leaf), deeper);
        }
    }

    #[test]
    fn proofs_survive_encoding() {
        let proof = Tree::new(leaves(5)).proof(3).unwrap();
        assert_eq!(proof.encode().len(), 4 + 3 * 32);
        assert_eq!(proof.encode()[..4], [0, 0, 0, 3]);
        assert_eq!(Proof::decode(&proof.encode()).unwrap(), proof);
    }

    #[test]
    fn proofs_of_other_lengths_are_refused() {
        for len in [0, 3, 5, 35, 37, 4 + 33 * 32] {
            let error = Proof::decode(&vec![0; len]).unwrap_err();
            assert!(matches!(error, Error::ProofLen { len: told } if told == len));
        }
        assert!(Proof::decode(&[0; 4]).is_ok());
        assert!(Proof::decode(&[0; 4 + 32 * 32]).is_ok());
    }

    #[test]
    fn a_leaf_may_come_in_pieces() {
        let whole = |bytes: &[u8]| {
            let mut leaf = LeafHasher::new(7);
            leaf.update(bytes);
            leaf.finish()
        };
        let mut pieces = LeafHasher::new(7);
        b"contents".iter().for_each(|&byte| pieces.update(&[byte]));
        assert_eq!(pieces.finish(), whole(b"contents"));
        assert_ne!(whole(b"contents"), whole(b"content"));
    }
}
