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
        for ty in ids.clone().filter_map(|id| self.get(id)) {
            // Not a `for`: the iterator's own loop takes half the time, and a kernel has a million fields.
            ty.fields().try_for_each(|(field, _, value)| match field {
                Field::Name if value >= strings.end => {
                    Err(Error::BadString { id: ty.id, kind: ty.kind, offset: value, end: strings.end })
                }
                Field::Type if value >= ids.end => {
                    Err(Error::BadReference { id: ty.id, kind: ty.kind, target: value, end: ids.end })
                }
                Field::Name | Field::Type => Ok(()),
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
}
