//! Types found by kind and name: one pass for a few names, an index for a base that many modules share.

use crate::{Btf, Kind, Type, walk::Visit};
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
        if wanted.is_empty() {
            return Vec::new();
        }
        let mut found = match self.base() {
            Some(base) => base.find_all(wanted),
            None => vec![Vec::new(); wanted.len()],
        };
        if let Some(index) = self.names.get() {
            self.look_up(index, wanted, &mut found);
        } else if let Some(known) = self.found.as_ref().and_then(|known| known.all(wanted)) {
            found.iter_mut().zip(known).for_each(|(found, ids)| found.extend(ids));
        } else {
            let mut search = Search::new(wanted, self.strings(), self.own_strings().start, self.base());
            self.visit(&mut search);
            found.iter_mut().zip(search.finish()).for_each(|(found, ids)| found.extend(ids));
        }
        found
    }

    /// The first of the IDs of [`Btf::find_all`] for each wanted kind and name, `None` where there is none. A name may be
    /// wanted any number of times: what [`Btf::find_all`] gives is then as many lists as long as the types of that name.
    #[must_use]
    pub fn find_first(&self, wanted: &[(Kind, &[u8])]) -> Vec<Option<u32>> {
        let (mut places, mut unique) = (HashMap::new(), Vec::new());
        let places: Vec<usize> = wanted
            .iter()
            .map(|&name| {
                *places.entry(name).or_insert_with(|| {
                    unique.push(name);
                    unique.len() - 1
                })
            })
            .collect();
        let found = self.find_all(&unique);
        places.into_iter().map(|place| found.get(place)?.first().copied()).collect()
    }

    fn look_up(&self, NameIndex(index): &NameIndex, wanted: &[(Kind, &[u8])], found: &mut [Vec<u32>]) {
        for (&(kind, name), found) in wanted.iter().zip(found) {
            let hash = hash(name);
            let start = index.partition_point(|&(h, _)| h < hash);
            let ids = index.iter().skip(start).take_while(|&&(h, _)| h == hash).map(|&(_, id)| id);
            found.extend(ids.filter(|&id| self.is_named(id, kind, name)));
        }
    }

    /// Whether the type of this ID exists and has this kind and name.
    pub(crate) fn is_named(&self, id: u32, kind: Kind, name: &[u8]) -> bool {
        self.get(id).is_some_and(|ty| ty.kind == kind && self.has_name(&ty, name))
    }

    /// Whether a type has this name; looks at no more of its own than that has. `name` must not contain a NUL.
    pub(crate) fn has_name(&self, ty: &Type, name: &[u8]) -> bool {
        let rest = self.strings_from(ty.name_off).and_then(|text| text.strip_prefix(name));
        rest.is_some_and(|rest| rest.first() == Some(&0))
    }
}

/// What a search found, for the next one.
#[derive(Debug)]
pub(crate) struct Found(HashMap<(Kind, Vec<u8>), Vec<u32>>);

impl Found {
    /// The IDs of each wanted kind and name, if all of them were looked for.
    fn all(&self, wanted: &[(Kind, &[u8])]) -> Option<Vec<&Vec<u32>>> {
        wanted.iter().map(|&(kind, name)| self.0.get(&(kind, name.to_owned()))).collect()
    }
}

/// Types of one batch of [`Search`].
const BATCH: usize = 256;

/// A search for a few names among all types, which it is shown one after the other.
///
/// Those of wanted kinds are gathered without a branch, since no processor predicts the next kind; then their names are
/// looked at, many at once in the processor's eyes, and nearly all are passed over by their first eight bytes.
pub(crate) struct Search<'w, 'a> {
    wanted: &'w [(Kind, &'w [u8])],
    by_name: HashMap<&'w [u8], Vec<usize>>,
    kinds: [bool; 256],
    /// One bit for each [`head`] of a wanted name: 8 kB stay in the processor's nearest cache.
    heads: Vec<u64>,
    strings: &'a [u8],
    first_string: u32,
    /// Whose strings come before.
    base: Option<&'a Btf<'a>>,
    /// ID, name and kind of types that have a wanted kind.
    batch: [(u32, u32, u8); BATCH],
    len: usize,
    found: Vec<Vec<u32>>,
}

impl<'w, 'a> Search<'w, 'a> {
    /// A search in a part with these strings, which begin at this offset, behind those of `base`.
    pub(crate) fn new(
        wanted: &'w [(Kind, &'w [u8])],
        strings: &'a [u8],
        first_string: u32,
        base: Option<&'a Btf<'a>>,
    ) -> Self {
        let mut by_name: HashMap<&[u8], Vec<usize>> = HashMap::new();
        let mut kinds = [false; 256];
        let mut heads = vec![0u64; 1 << 10];
        for (i, &(kind, name)) in wanted.iter().enumerate() {
            by_name.entry(name).or_default().push(i);
            kinds[usize::from(kind.number())] = true;
            let (word, bit) = head(name);
            heads[word] |= bit;
        }
        let (batch, found) = ([(0, 0, 0); BATCH], vec![Vec::new(); wanted.len()]);
        Search { wanted, by_name, kinds, heads, strings, first_string, base, batch, len: 0, found }
    }

    fn flush(&mut self) {
        for &(id, name_off, number) in &self.batch[..self.len.min(BATCH)] {
            let rest = match name_off.checked_sub(self.first_string) {
                Some(own) => self.strings.get(own as usize..),
                None => self.base.and_then(|base| base.strings_from(name_off)),
            };
            let is_head = |name: &&[u8]| {
                let (word, bit) = head(name);
                self.heads[word] & bit != 0
            };
            let Some(rest) = rest.filter(is_head) else { continue };
            let name = rest.iter().position(|&byte| byte == 0).and_then(|len| rest.get(..len));
            for &i in name.and_then(|name| self.by_name.get(name)).into_iter().flatten() {
                if let (Some((kind, _)), Some(found)) = (self.wanted.get(i), self.found.get_mut(i))
                    && kind.number() == number
                {
                    found.push(id);
                }
            }
        }
        self.len = 0;
    }

    /// The IDs of each wanted kind and name.
    fn finish(mut self) -> Vec<Vec<u32>> {
        self.flush();
        self.found
    }

    /// The same, to be kept.
    pub(crate) fn keep(self) -> Found {
        let names = self.wanted.iter().map(|&(kind, name)| (kind, name.to_owned()));
        Found(names.zip(self.finish()).collect())
    }
}

impl Visit for Search<'_, '_> {
    fn record(&mut self, id: u32, kind: u8, name_off: u32) {
        if self.len == BATCH {
            self.flush();
        }
        self.batch[self.len % BATCH] = (id, name_off, kind);
        self.len += usize::from(self.kinds[usize::from(kind)]);
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
            let known = Btf::parse_finding(&base_data, &[(Kind::Func, b"f"), (Kind::Struct, b"task")]).unwrap();
            let on_known = Btf::parse_split(&data, &known).unwrap();
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
            assert_eq!(btf.find_first(&wanted), [Some(a), Some(f), None, Some(f + 1), Some(a)]);
            assert_eq!(btf.find_first(&[]), []);
            // All was looked for, or not all.
            assert_eq!(known.find_all(&wanted[..2]), base.find_all(&wanted[..2]));
            assert_eq!(known.find_all(&wanted), base.find_all(&wanted));
            assert_eq!(on_known.find_all(&wanted), btf.find_all(&wanted));
        }
    }

    #[test]
    fn more_types_than_a_batch_holds() {
        let mut b = BtfBuilder::new(Endian::Little);
        let ids: Vec<_> =
            (0..3 * BATCH + 5).map(|n| b.structure(if n % 100 == 0 { "many" } else { "other" }, &[])).collect();
        let data = b.build();
        let wanted: [(Kind, &[u8]); 1] = [(Kind::Struct, b"many")];
        let many: Vec<_> = ids.into_iter().step_by(100).collect();
        assert_eq!(Btf::parse(&data).unwrap().find_all(&wanted).concat(), many);
        assert_eq!(Btf::parse_finding(&data, &wanted).unwrap().find_all(&wanted).concat(), many);
    }

    #[test]
    fn a_name_ends_where_the_string_does() {
        let mut b = BtfBuilder::new(Endian::Little);
        let id = b.structure("task", &[]);
        let data = b.build();
        let btf = Btf::parse(&data).unwrap();
        let is = |name: &[u8]| btf.is_named(id, Kind::Struct, name);
        assert!(is(b"task") && !is(b"tas") && !is(b"tasks") && !is(b"") && !btf.is_named(id, Kind::Union, b"task"));
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
