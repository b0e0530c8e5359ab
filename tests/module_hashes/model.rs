//! The format, written from FORMATS.md alone: the builder's half, and the kernel's.

use sha2::{Digest, Sha256};

pub type Hash = [u8; 32];

const MARKER: &[u8] = b"~Module signature appended~\n";

fn sha256(parts: &[&[u8]]) -> Hash {
    let mut sha = Sha256::new();
    parts.iter().for_each(|part| sha.update(part));
    sha.finalize().into()
}

fn leaf(pos: usize, contents: &[u8]) -> Hash {
    sha256(&[&[1], &u32::try_from(pos).unwrap().to_be_bytes(), contents])
}

fn node(left: &Hash, right: &Hash) -> Hash {
    sha256(&[&[2], left, right])
}

/// All levels of a tree, leaves first; the last is the root alone.
pub struct Model {
    levels: Vec<Vec<Hash>>,
}

impl Model {
    /// Over the contents of all modules, in order.
    pub fn new<T: AsRef<[u8]>>(contents: impl IntoIterator<Item = T>) -> Model {
        let leaves: Vec<Hash> = contents.into_iter().enumerate().map(|(pos, c)| leaf(pos, c.as_ref())).collect();
        Model::of_leaves(leaves)
    }

    pub fn of_leaves(leaves: Vec<Hash>) -> Model {
        let depth = match leaves.len() {
            0 => 0,
            n => u32::max(1, n.next_power_of_two().ilog2()),
        };
        let mut levels = vec![leaves];
        for _ in 0..depth {
            let below = levels.last_mut().unwrap();
            let mut padded = below.clone();
            if padded.len() % 2 == 1 {
                padded.push(*padded.last().unwrap());
            }
            let above = (0..padded.len() / 2).map(|i| node(&padded[2 * i], &padded[2 * i + 1])).collect();
            levels.push(above);
        }
        Model { levels }
    }

    pub fn root(&self) -> Hash {
        self.levels.last().unwrap().first().copied().unwrap_or_default()
    }

    fn depth(&self) -> usize {
        self.levels.len() - 1
    }

    /// The 36 bytes of `.module_hashes`.
    pub fn section(&self, big_endian: bool) -> Vec<u8> {
        let depth = u32::try_from(self.depth()).unwrap();
        let levels = if big_endian { depth.to_be_bytes() } else { depth.to_le_bytes() };
        [&levels[..], &self.root()].concat()
    }

    /// The contents of a module's `.merkle` file.
    pub fn merkle(&self, pos: usize) -> Vec<u8> {
        let mut proof = u32::try_from(pos).unwrap().to_be_bytes().to_vec();
        for (i, level) in self.levels[..self.depth()].iter().enumerate() {
            let own = pos >> i;
            proof.extend(level.get(own ^ 1).unwrap_or(&level[own]));
        }
        let len = u32::try_from(proof.len()).unwrap();
        [&proof[..], &[0, 0, 3, 0, 0, 0, 0, 0], &len.to_be_bytes(), MARKER].concat()
    }
}

/// What the kernel says to a module: its position, or the name of an error.
pub fn kernel(module: &[u8], section: &[u8], big_endian: bool) -> Result<u32, &'static str> {
    let word = |bytes: &[u8]| u32::from_be_bytes(bytes.try_into().unwrap());
    let levels = if big_endian { word(&section[..4]) } else { word(&section[..4]).swap_bytes() } as usize;
    let rest = module.strip_suffix(MARKER).ok_or("ENODATA")?;
    let (rest, info) = rest.split_at(rest.len() - 12);
    match info[2] {
        2 | 3 => {}
        _ => return Err("ENOPKG"),
    }
    let len = word(&info[8..]) as usize;
    if len >= rest.len() || [0, 1, 3, 4, 5, 6, 7].iter().any(|&i| info[i] != 0) {
        return Err("EBADMSG");
    }
    if info[2] == 2 || len != 4 + 32 * levels {
        return Err("ENOPKG");
    }
    let (contents, proof) = rest.split_at(rest.len() - len);
    let pos = word(&proof[..4]);
    let mut hash = leaf(pos as usize, contents);
    for (level, sibling) in (0..).zip(proof[4..].chunks(32)) {
        let sibling = sibling.try_into().unwrap();
        hash = if pos.checked_shr(level).unwrap_or(0) & 1 == 0 { node(&hash, sibling) } else { node(sibling, &hash) };
    }
    if hash == section[4..] { Ok(pos) } else { Err("ENOKEY") }
}

// A third opinion: `printf '\1\0\0\0\0a' | openssl sha256 -binary >a`, the same for b and c, `(printf '\2'; cat a b) |
// openssl sha256 -binary >ab`, and so on up.
#[test]
fn root_of_three_modules_by_openssl() {
    let root: String = Model::new(["a", "b", "c"]).root().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(root, "4438e5251429c09faabf8294e2311e7a3bf4aea2dd63e630a159fab192bb5966");
}
