//! The check that every type ID and string offset of BTF exists: what a kernel refuses a module for, found before.

use crate::{Btf, Error, Field, Kind};

impl Btf<'_> {
    /// Checks that every string offset and type ID of this part exists, and that each FUNC has a prototype; the base is
    /// taken as checked. Split BTF that is read against a base it was not made for fails here, most of the time.
    ///
    /// # Errors
    /// The first type that refers to nothing, with its numbers.
    pub fn validate(&self) -> Result<(), Error> {
        let (ids, strings) = (self.own_ids(), self.own_strings());
        let mut names = Names::of(self);
        for ty in ids.clone().filter_map(|id| self.get(id)) {
            // Not a `for`: the iterator's own loop takes half the time, and a kernel has a million fields.
            ty.fields().try_for_each(|(field, _, value)| match field {
                Field::Name if value >= strings.end => {
                    Err(Error::BadString { id: ty.id, kind: ty.kind, offset: value, end: strings.end })
                }
                Field::Type if value >= ids.end => {
                    Err(Error::BadReference { id: ty.id, kind: ty.kind, target: value, end: ids.end })
                }
                Field::Name => names.take(self, value),
                Field::Type => Ok(()),
            })?;
            if ty.kind == Kind::Func {
                let target = ty.size_or_type;
                let kind = self.get(target).map(|proto| proto.kind);
                if kind != Some(Kind::FuncProto) {
                    return Err(Error::NotAPrototype { id: ty.id, target, kind });
                }
            }
        }
        Ok(())
    }

    /// Checks of [`Btf::validate`] the one that bounds what it costs to look at every name of this part: each is as long
    /// as the strings if its maker likes, and all of them may be the same string.
    ///
    /// # Errors
    /// [`Error::LongNames`].
    pub fn check_names(&self) -> Result<(), Error> {
        let mut names = Names::of(self);
        self.own_ids().filter_map(|id| self.get(id)).try_for_each(|ty| {
            ty.fields().filter(|(field, ..)| *field == Field::Name).try_for_each(|(.., at)| names.take(self, at))
        })
    }

    /// How many bytes BTF may mean that it has only once: four times those of its types and strings and of its base's, and
    /// 64 KiB. What compilers write stays far below, as an element takes more bytes than its name.
    pub(crate) fn shared_limit(&self) -> (u64, u64) {
        let own = self.types.len() as u64 + self.strings().len() as u64;
        let data = own + self.base().map_or(0, |base| base.types.len() as u64 + base.strings().len() as u64);
        (data, 4 * data + (64 << 10))
    }
}

/// How many bytes of names may still be read.
struct Names {
    left: u64,
}

impl Names {
    fn of(btf: &Btf) -> Names {
        Names { left: btf.shared_limit().1 }
    }

    /// Counts the name at an offset; looks at no more of it than may be read.
    fn take(&mut self, btf: &Btf, offset: u32) -> Result<(), Error> {
        let Some(text) = btf.strings_from(offset) else { return Ok(()) };
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).saturating_add(1).min(text.len());
        match text.get(..most).and_then(len_to_nul) {
            Some(len) => {
                self.left -= len as u64;
                Ok(())
            }
            None => {
                let (data, limit) = btf.shared_limit();
                Err(Error::LongNames { limit, data })
            }
        }
    }
}

/// Where the first NUL is; eight bytes at a time, as a kernel's names are half a million.
fn len_to_nul(text: &[u8]) -> Option<usize> {
    let (words, rest) = text.as_chunks();
    let zeros = words.iter().map(|&word| {
        let word = u64::from_le_bytes(word);
        // The lowest bit that is set here is the highest of the first byte that is 0 (Mycroft).
        word.wrapping_sub(0x0101_0101_0101_0101) & !word & 0x8080_8080_8080_8080
    });
    let found = zeros.enumerate().find(|(_, zeros)| *zeros != 0);
    let in_words = found.map(|(at, zeros)| 8 * at + zeros.trailing_zeros() as usize / 8);
    in_words.or_else(|| Some(8 * words.len() + rest.iter().position(|&byte| byte == 0)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Endian, testkit::BtfBuilder};

    #[test]
    fn references_and_strings_must_exist() {
        for endian in [Endian::Little, Endian::Big] {
            let mut b = BtfBuilder::new(endian);
            let int = b.int("int", 4);
            let foo = b.structure("foo", &[("a", int), ("self", 3)]);
            b.pointer(foo);
            let func = b.func("f", int);
            let good = b.build();
            assert_eq!(Btf::parse(&good).unwrap().validate(), Ok(()));
            let (_, end) = (b.pointer(99), func + 2);
            let err = Error::BadReference { id: func + 1, kind: Kind::Ptr, target: 99, end };
            assert_eq!(Btf::parse(&b.build()).unwrap().validate(), Err(err));
        }
        let le = Endian::Little;
        let mut b = BtfBuilder::new(le);
        b.structure("foo", &[("a", 7)]);
        let err = Error::BadReference { id: 1, kind: Kind::Struct, target: 7, end: 2 };
        assert_eq!(Btf::parse(&b.build()).unwrap().validate(), Err(err));
        let mut b = BtfBuilder::new(le);
        b.raw(Kind::Float, 0, 4, &[]);
        let mut data = b.build();
        data[24] = 9;
        let err = Error::BadString { id: 1, kind: Kind::Float, offset: 9, end: 1 };
        assert_eq!(Btf::parse(&data).unwrap().validate(), Err(err));
        for (target, kind) in [(0, None), (1, Some(Kind::Func))] {
            let mut b = BtfBuilder::new(le);
            b.raw(Kind::Func, 0, target, &[]);
            assert_eq!(Btf::parse(&b.build()).unwrap().validate(), Err(Error::NotAPrototype { id: 1, target, kind }));
        }
    }

    #[test]
    fn split_btf_against_another_base_is_found() {
        let mut b = BtfBuilder::new(Endian::Little);
        let int = b.int("unsigned int", 4);
        let large_data = b.build();
        let large = Btf::parse(&large_data).unwrap();
        let mut b = BtfBuilder::split(&large);
        let ptr = b.pointer(int);
        b.typedef("alias", ptr);
        let split = b.build();
        assert_eq!(Btf::parse_split(&split, &large).unwrap().validate(), Ok(()));
        let small_data = BtfBuilder::new(Endian::Little).build();
        let small = Btf::parse(&small_data).unwrap();
        let read = Btf::parse_split(&split, &small).unwrap();
        // "alias" lies behind the 14 bytes of "\0unsigned int\0", and the other base has one byte.
        let err = Error::BadString { id: 2, kind: Kind::Typedef, offset: 14, end: 7 };
        assert_eq!(read.validate(), Err(err));
    }

    #[test]
    fn the_first_nul_is_found_at_every_place() {
        for len in 0..40 {
            let text = [vec![1; len], vec![0, 1, 0]].concat();
            assert_eq!(len_to_nul(&text), Some(len));
            assert_eq!(
                (len_to_nul(&text[..len]), len_to_nul(&[&[0x80; 3], &text[..]].concat())),
                (None, Some(len + 3))
            );
        }
    }

    #[test]
    fn names_that_share_a_long_string_are_limited() {
        let long = "n".repeat(10_000);
        let of = |base: Option<&Btf>, count: usize, member: bool| {
            let mut b = base.map_or_else(|| BtfBuilder::new(Endian::Big), BtfBuilder::split);
            if member {
                b.structure("s", &vec![(&*long, 0); count]);
            } else {
                (0..count).for_each(|_| assert_ne!(b.structure(&long, &[]), 0));
            }
            b.build()
        };
        // Each name takes 10,000 bytes, and gives 48 more that may be used.
        for member in [false, true] {
            let good = of(None, 10, member);
            let btf = Btf::parse(&good).unwrap();
            assert_eq!((btf.validate(), btf.check_names()), (Ok(()), Ok(())));
            let bad = of(None, 11, member);
            let btf = Btf::parse(&bad).unwrap();
            let data = bad.len() as u64 - 24;
            let err = Err(Error::LongNames { limit: 4 * data + 65_536, data });
            assert_eq!((btf.validate(), btf.check_names()), (err.clone(), err));
        }
        // A base's strings are the module's as well.
        let base_data = of(None, 1, false);
        let base = Btf::parse(&base_data).unwrap();
        let mut b = BtfBuilder::split(&base);
        b.raw(Kind::Struct, 10, 4, &[1, 0, 0].repeat(10));
        let data = b.build();
        assert_eq!(Btf::parse_split(&data, &base).unwrap().validate(), Ok(()));
        b.raw(Kind::Struct, 2, 4, &[1, 0, 0].repeat(2));
        let data = b.build();
        assert!(matches!(Btf::parse_split(&data, &base).unwrap().validate(), Err(Error::LongNames { .. })));
    }
}
