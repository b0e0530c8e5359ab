//! A 64-bit hash to recognise our own bytes again: against accidents, not against enemies.

const START: u64 = 0xa076_1d64_78bd_642f;
const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;

/// Takes bytes in pieces of any size; where they are cut does not matter. The value is part of the
/// undo file's format: it must never change.
#[derive(Debug, Default)]
pub(crate) struct Hash {
    state: u64,
    len: u64,
    /// Bytes that do not fill a word yet: `len % 8` of them, the rest is zero.
    word: [u8; 8],
}

impl Hash {
    pub(crate) fn of(bytes: &[u8]) -> u64 {
        let mut hash = Self::default();
        hash.add(bytes);
        hash.finish()
    }

    pub(crate) fn add(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let used = (self.len % 8) as usize;
            if used == 0 {
                let (words, rest) = bytes.as_chunks::<8>();
                words.iter().for_each(|word| self.mix(*word));
                self.len += words.len() as u64 * 8;
                bytes = rest;
                if bytes.is_empty() {
                    return;
                }
            }
            let taken = bytes.len().min(8 - used);
            self.word[used..used + taken].copy_from_slice(&bytes[..taken]);
            self.len += taken as u64;
            bytes = &bytes[taken..];
            if self.len.is_multiple_of(8) {
                self.mix(self.word);
                self.word = [0; 8];
            }
        }
    }

    pub(crate) fn finish(mut self) -> u64 {
        let len = self.len;
        self.mix(self.word);
        self.mix(len.to_le_bytes());
        self.state
    }

    fn mix(&mut self, word: [u8; 8]) {
        let mixed = (self.state ^ START ^ u64::from_le_bytes(word)).wrapping_mul(FACTOR);
        self.state = mixed ^ (mixed >> 29);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_do_not_matter_but_every_byte_and_the_length_do() {
        let bytes: Vec<u8> = (0..40).collect();
        let whole = Hash::of(&bytes);
        for a in 0..=40 {
            for b in a..=40 {
                let mut hash = Hash::default();
                hash.add(&bytes[..a]);
                hash.add(&bytes[a..b]);
                hash.add(&bytes[b..]);
                assert_eq!(hash.finish(), whole, "cut at {a} and {b}");
            }
        }
        for i in 0..40 {
            let mut poked = bytes.clone();
            poked[i] ^= 0x80;
            assert_ne!(Hash::of(&poked), whole, "byte {i}");
        }
        assert_ne!(Hash::of(&[0; 8]), Hash::of(&[0; 9]));
        assert_ne!(Hash::of(&[]), Hash::of(&[0]));
    }

    #[test]
    fn the_value_is_part_of_the_undo_format() {
        assert_eq!(Hash::of(b"elfgraft"), 7_506_806_018_102_180_187);
    }
}
