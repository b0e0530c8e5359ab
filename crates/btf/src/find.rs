//! Types found by kind and name: one pass for a few names, an index for a base that many modules share.

use crate::{Btf, Kind};
use std::collections::HashMap;

/// Types of one part of BTF by the hash of their name.
///
/// Holds no names, only `(hash, type ID)` in ascending order, so that it needs 8 bytes per type and no second lookup:
/// the IDs of one hash are compared with the data.
#[derive(Debug)]
pub(crate) struct NameIndex(Vec<(u32, u32)>);

impl Btf<'_> {
    /// Makes later [`Btf::find_all`] calls cheap for this part, at the cost of several passes now. Worth it for a base
    /// that is searched for more than a few modules; safe from any number of threads, built once.
    pub fn index_names(&self) {
        self.names.get_or_init(|| {
            let named =
                self.own_ids().filter_map(|id| Some((hash_to_nul(self.strings_from(self.get(id)?.name_off)?)?, id)));
            let mut index: Vec<_> = named.collect();
            index.sort_unstable();
            NameIndex(index)
        });
    }

    /// The type IDs that have each wanted kind and name, ascending, base included: the first is what the kernel's
    /// resolution uses, the others are duplicates. One pass over the types, or a lookup in the parts that are indexed.
    #[must_use]
    pub fn find_all(&self, wanted: &[(Kind, &[u8])]) -> Vec<Vec<u32>> {
        let mut found = match self.base() {
            Some(base) => base.find_all(wanted),
            None => vec![Vec::new(); wanted.len()],
        };
        match self.names.get() {
            _ if wanted.is_empty() => {}
            Some(index) => self.look_up(index, wanted, &mut found),
            None => self.scan(wanted, &mut found),
        }
        found
    }

    fn look_up(&self, NameIndex(index): &NameIndex, wanted: &[(Kind, &[u8])], found: &mut [Vec<u32>]) {
        for (&(kind, name), found) in wanted.iter().zip(found) {
            let hash = hash(name);
            let start = index.partition_point(|&(h, _)| h < hash);
            let ids = index.iter().skip(start).take_while(|&&(h, _)| h == hash).map(|&(_, id)| id);
            found.extend(ids.filter(|&id| self.is_named(id, kind, name)));
        }
    }

    fn scan(&self, wanted: &[(Kind, &[u8])], found: &mut [Vec<u32>]) {
        let mut by_hash: HashMap<u32, Vec<usize>> = HashMap::new();
        // Nearly all of a kernel's types are passed over by these two, before a name is read to its end.
        let mut kinds = [false; 256];
        // One bit each: 8 kB stay in the processor's nearest cache.
        let mut heads = vec![0u64; 1 << 10];
        for (i, &(kind, name)) in wanted.iter().enumerate() {
            by_hash.entry(hash(name)).or_default().push(i);
            kinds[usize::from(kind.number())] = true;
            let (word, bit) = head(name);
            heads[word] |= bit;
        }
        let is_head = |heads: &[u64], name: &[u8]| {
            let (word, bit) = head(name);
            heads[word] & bit != 0
        };
        for (id, name_off) in self.names_of(&kinds) {
            let Some(name) = self.strings_from(name_off).filter(|name| is_head(&heads, name)) else { continue };
            let Some(hash) = hash_to_nul(name) else { continue };
            for &i in by_hash.get(&hash).into_iter().flatten() {
                if let (Some(&(kind, name)), Some(found)) = (wanted.get(i), found.get_mut(i))
                    && self.is_named(id, kind, name)
                {
                    found.push(id);
                }
            }
        }
    }

    /// Whether the type of this ID exists and has this kind and name.
    pub(crate) fn is_named(&self, id: u32, kind: Kind, name: &[u8]) -> bool {
        self.get(id).is_some_and(|ty| ty.kind == kind && self.name(&ty) == Some(name))
    }
}

/// FNV-1a: short, and good enough for the names of a kernel. Names that collide on purpose cost time, nothing else.
fn hash(name: &[u8]) -> u32 {
    name.iter().fold(0x811c_9dc5, |hash, &byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

/// The hash of the string `bytes` begin with, in one pass with the search for its end.
fn hash_to_nul(bytes: &[u8]) -> Option<u32> {
    let mut hash: u32 = 0x811c_9dc5;
    for &byte in bytes {
        if byte == 0 {
            return Some(hash);
        }
        hash = (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
    }
    None
}

/// A hash of the first eight bytes of the string that `bytes` begin with: 16 bits, as one bit of one of 1024 words.
fn head(bytes: &[u8]) -> (usize, u64) {
    let mut chunk = [0; 8];
    match bytes.first_chunk() {
        Some(first) => chunk = *first,
        None => chunk.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from),
    }
    let word = u64::from_le_bytes(chunk);
    // The lowest bit that is set here is the highest of the first byte that is 0 (Mycroft).
    let zeros = word.wrapping_sub(0x0101_0101_0101_0101) & !word & 0x8080_8080_8080_8080;
    let before = (zeros & zeros.wrapping_neg()) >> 7;
    let word = if zeros == 0 { word } else { word & before.wrapping_sub(1) };
    let [.., low, high] = word.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes();
    let hash = u16::from_le_bytes([low, high]);
    (usize::from(hash >> 6), 1 << (hash & 63))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Endian, testkit::BtfBuilder};

    #[test]
    fn first_and_duplicates_through_base_and_split_indexed_or_not() {
        for (endian, indexed) in [(Endian::Little, false), (Endian::Big, true)] {
            let mut b = BtfBuilder::new(endian);
            let a = b.structure("task", &[]);
            let f = b.func("f", 0);
            b.typedef("task", a);
            let base_data = b.build();
            let base = Btf::parse(&base_data).unwrap();
            let mut b = BtfBuilder::split(&base);
            let again = b.structure("task", &[]);
            let third = b.structure("task", &[]);
            let data = b.build();
            let btf = Btf::parse_split(&data, &base).unwrap();
            if indexed {
                base.index_names();
                btf.index_names();
                btf.index_names();
            }
            let wanted: [(Kind, &[u8]); 5] = [
                (Kind::Struct, b"task"),
                (Kind::Func, b"f"),
                (Kind::Func, b"task"),
                (Kind::Typedef, b"task"),
                (Kind::Struct, b"task"),
            ];
            let same = vec![a, again, third];
            assert_eq!(btf.find_all(&wanted), [same.clone(), vec![f], vec![], vec![f + 1], same]);
            assert_eq!(base.find_all(&wanted[..2]), [vec![a], vec![f]]);
        }
    }

    #[test]
    fn heads_do_not_depend_on_what_follows_the_string() {
        for name in ["", "a", "ab", "abcdefg", "abcdefgh", "abcdefghi", "\u{ff}\u{80}", "\u{1}\u{1}"] {
            let own = head(name.as_bytes());
            for behind in ["\0", "\0x", "\0\u{1}\u{1}\u{1}\u{1}\u{1}", "\0\0\0\0\0\0\0\0\0", "\0\u{ff}zzzzzzz"] {
                assert_eq!(head(format!("{name}{behind}").as_bytes()), own, "{name:?} {behind:?}");
            }
        }
        assert_ne!(head(b"abcdefgh"), head(b"abcdefgi"));
        assert_ne!(head(b"\0a"), head(b"a\0"));
    }

    #[test]
    fn names_of_one_hash_are_told_apart() {
        // Two names with the same 32-bit FNV-1a.
        assert_eq!(hash(b"costarring"), hash(b"liquid"));
        assert_eq!(hash_to_nul(b"liquid\0x"), Some(hash(b"liquid")));
        let mut b = BtfBuilder::new(Endian::Little);
        let one = b.structure("costarring", &[]);
        let two = b.structure("liquid", &[]);
        let data = b.build();
        let btf = Btf::parse(&data).unwrap();
        let wanted: [(Kind, &[u8]); 2] = [(Kind::Struct, b"liquid"), (Kind::Struct, b"costarring")];
        assert_eq!(btf.find_all(&wanted), [[two], [one]]);
        btf.index_names();
        assert_eq!(btf.find_all(&wanted), [[two], [one]]);
    }
}
