//! BTF data, standalone or split: its type records walked once, then found by ID.

use crate::{
    Endian, Error, Field, Header, Kind, Part, Type,
    find::{Found, NameIndex, Search},
};
use std::sync::OnceLock;

/// BTF data, checked so far that every record and every part lies where it should; see [`Btf::validate`] for the rest.
///
/// Borrows the data; what it allocates is one offset per type (and an index of names where [`Btf::index_names`] was
/// called). May be shared between threads: one base serves any number of split BTFs at once.
///
/// *Split* BTF (a module's) continues its base: type IDs and string offsets count on from where the base ends. A base
/// is vmlinux's BTF or the distilled base in a module's `.BTF.base`; both are standalone.
#[derive(Debug)]
pub struct Btf<'a> {
    header: Header,
    base: Option<&'a Btf<'a>>,
    pub(crate) types: &'a [u8],
    layout: &'a [u8],
    strings: &'a [u8],
    /// Where each record begins in `types`.
    pub(crate) offsets: Vec<u32>,
    pub(crate) first_id: u32,
    pub(crate) end_id: u32,
    first_string: u32,
    end_string: u32,
    pub(crate) names: OnceLock<NameIndex>,
    /// What was looked for while the records were walked.
    pub(crate) found: Option<Found>,
}

impl<'a> Btf<'a> {
    /// Reads standalone BTF.
    ///
    /// # Errors
    /// When the header, a part or a record does not fit the data, or the data is split BTF.
    pub fn parse(data: &'a [u8]) -> Result<Btf<'a>, Error> {
        Btf::read(data, None, &[])
    }

    /// Reads standalone BTF, as [`Btf::parse`], and finds types by kind and name on the way: [`Btf::find_all`] for these
    /// costs next to nothing afterwards. It saves the second pass over a kernel's types, which no near cache holds.
    ///
    /// # Errors
    /// As [`Btf::parse`].
    pub fn parse_finding(data: &'a [u8], wanted: &[(Kind, &[u8])]) -> Result<Btf<'a>, Error> {
        Btf::read(data, None, wanted)
    }

    /// Reads split BTF that continues `base`. Whether it was made for that base is not recorded in it;
    /// [`Btf::validate`] finds most cases where it was not.
    ///
    /// # Errors
    /// When the header, a part or a record does not fit the data, or the base has another byte order.
    pub fn parse_split(data: &'a [u8], base: &'a Btf<'a>) -> Result<Btf<'a>, Error> {
        Btf::read(data, Some(base), &[])
    }

    /// Reads split BTF whose base is not at hand: what it defines itself, with IDs from `first_id` on. What it refers to in
    /// the base leads nowhere.
    ///
    /// Its strings are taken to begin where the greatest string offset it uses leads to the last of them. So it is in
    /// BTF whose unused strings were dropped: pahole's, and what [`crate::process`] makes of it.
    ///
    /// # Errors
    /// When the header, a part or a record does not fit the data, or the string offsets do not fit the strings.
    pub fn parse_detached(data: &'a [u8], first_id: u32) -> Result<Btf<'a>, Error> {
        let mut btf = Btf::parts(data, None)?;
        if !matches!(btf.strings, [.., 0]) || btf.strings.first() == Some(&0) {
            return Err(Error::NotDetached);
        }
        btf.first_id = first_id;
        btf.walk(&mut ())?;
        let fields = |id| btf.get(id).into_iter().flat_map(|ty| ty.fields());
        let names = btf.own_ids().flat_map(fields).filter_map(|(field, _, at)| (field == Field::Name).then_some(at));
        let names: Vec<u32> = names.collect();
        let last = btf.strings.split(|&byte| byte == 0).rev().nth(1).map_or(0, |text| text.len() + 1);
        let last = u32::try_from(btf.strings.len() - last).map_err(|_| Error::NotDetached)?;
        let first = names.iter().max().and_then(|max| max.checked_sub(last)).filter(|&first| first != 0);
        btf.first_string = first.ok_or(Error::NotDetached)?;
        let before = |at: u32| btf.strings.get(at.checked_sub(btf.first_string)?.checked_sub(1)? as usize);
        if names.iter().any(|&at| before(at).is_some_and(|&byte| byte != 0)) {
            return Err(Error::NotDetached);
        }
        let end = btf.first_string.checked_add(btf.header.str_len);
        btf.end_string = end.ok_or(Error::TooLarge { part: Part::Strings })?;
        Ok(btf)
    }

    fn read(data: &'a [u8], base: Option<&'a Btf<'a>>, wanted: &[(Kind, &[u8])]) -> Result<Btf<'a>, Error> {
        let mut btf = Btf::parts(data, base)?;
        btf.check_strings()?;
        if wanted.is_empty() {
            btf.walk(&mut ())?;
        } else {
            let mut search = Search::new(wanted, btf.strings, btf.first_string, base);
            btf.walk(&mut search)?;
            btf.found = Some(search.keep());
        }
        Ok(btf)
    }

    fn parts(data: &'a [u8], base: Option<&'a Btf<'a>>) -> Result<Btf<'a>, Error> {
        let header = Header::parse(data)?;
        if let Some(base) = base.filter(|base| base.endian() != header.endian) {
            return Err(Error::BaseByteOrder { split: header.endian, base: base.endian() });
        }
        let behind = data.get(header.hdr_len as usize..).unwrap_or_default();
        // In range: the header was checked.
        let part = |offset: u32, len: u32| {
            behind.get(offset as usize..).and_then(|d| d.get(..len as usize)).unwrap_or_default()
        };
        if header.layout_len % 4 != 0 {
            return Err(Error::BadLayoutLen { len: header.layout_len });
        }
        Ok(Btf {
            header,
            base,
            types: part(header.type_off, header.type_len),
            layout: part(header.layout_off, header.layout_len),
            strings: part(header.str_off, header.str_len),
            offsets: Vec::new(),
            first_id: base.map_or(1, |base| base.end_id),
            end_id: 0,
            first_string: base.map_or(0, |base| base.end_string),
            end_string: 0,
            names: OnceLock::new(),
            found: None,
        })
    }

    fn check_strings(&mut self) -> Result<(), Error> {
        match self.strings {
            [] if self.base.is_some() => {}
            [.., 0] => {}
            _ => return Err(Error::StringsNotTerminated),
        }
        if self.base.is_none() && self.strings.first() != Some(&0) {
            return Err(Error::NotStandalone);
        }
        let end = self.first_string.checked_add(self.header.str_len);
        self.end_string = end.ok_or(Error::TooLarge { part: Part::Strings })?;
        Ok(())
    }

    /// Byte order of the data. Whether it is that of the file it came from is for the caller to check.
    #[must_use]
    pub fn endian(&self) -> Endian {
        self.header.endian
    }

    /// The header.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The base, of split BTF.
    #[must_use]
    pub fn base(&self) -> Option<&'a Btf<'a>> {
        self.base
    }

    /// The layout section's bytes, empty where there is none.
    #[must_use]
    pub fn layout(&self) -> &'a [u8] {
        self.layout
    }

    /// The strings of this part, without the base's.
    #[must_use]
    pub fn strings(&self) -> &'a [u8] {
        self.strings
    }

    /// Type IDs of this part, without the base's: 1 and up, or from where the base ends.
    #[must_use]
    pub fn own_ids(&self) -> std::ops::Range<u32> {
        self.first_id..self.end_id
    }

    /// String offsets of this part, without the base's.
    #[must_use]
    pub fn own_strings(&self) -> std::ops::Range<u32> {
        self.first_string..self.end_string
    }

    /// The type of this ID, base included; `None` for 0 (void) and beyond the end.
    #[must_use]
    pub fn get(&self, id: u32) -> Option<Type<'a>> {
        let Some(own) = id.checked_sub(self.first_id) else { return self.base?.get(id) };
        let start = *self.offsets.get(own as usize)? as usize;
        let end = self.offsets.get(own as usize + 1).map_or(self.types.len(), |&end| end as usize);
        Type::read(self.header.endian, id, self.types.get(start..end)?)
    }

    /// Where the record of a type of this part begins in the types.
    pub(crate) fn record_offset(&self, id: u32) -> Option<usize> {
        let own = id.checked_sub(self.first_id)?;
        self.offsets.get(own as usize).map(|&offset| offset as usize)
    }

    /// All types by ascending ID, the base's first. Allocates nothing.
    pub fn iter(&self) -> impl Iterator<Item = Type<'a>> + '_ {
        (1..self.end_id).filter_map(|id| self.get(id))
    }

    /// The string at an offset counted through the base, without its NUL; `None` beyond the strings.
    #[must_use]
    pub fn string(&self, offset: u32) -> Option<&'a [u8]> {
        let rest = self.strings_from(offset)?;
        rest.get(..rest.iter().position(|&byte| byte == 0)?)
    }

    /// The strings from this offset on.
    pub(crate) fn strings_from(&self, offset: u32) -> Option<&'a [u8]> {
        match offset.checked_sub(self.first_string) {
            Some(own) => self.strings.get(own as usize..),
            None => self.base?.strings_from(offset),
        }
    }

    /// The name of a type, empty if anonymous; `None` where its offset lies beyond the strings.
    #[must_use]
    pub fn name(&self, ty: &Type) -> Option<&'a [u8]> {
        self.string(ty.name_off)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Kind, testkit::BtfBuilder};

    #[test]
    fn split_continues_the_base_in_both_orders() {
        for endian in [Endian::Little, Endian::Big] {
            let mut b = BtfBuilder::new(endian);
            let int = b.int("int", 4);
            let foo = b.structure("foo", &[("a", int), ("b", int)]);
            let base_data = b.build();
            let base = Btf::parse(&base_data).unwrap();
            let mut b = BtfBuilder::split(&base);
            let func = b.func("init", foo);
            let data = b.build();
            let btf = Btf::parse_split(&data, &base).unwrap();

            assert_eq!((btf.endian(), btf.own_ids(), base.own_ids()), (endian, 3..func + 1, 1..3));
            let all: Vec<_> = btf.iter().map(|t| (t.id, t.kind, btf.name(&t).unwrap())).collect();
            let want: [(u32, Kind, &[u8]); 4] = [
                (1, Kind::Int, b"int"),
                (2, Kind::Struct, b"foo"),
                (3, Kind::FuncProto, b""),
                (4, Kind::Func, b"init"),
            ];
            assert_eq!(all, want);
            assert_eq!(btf.get(2).unwrap().vlen, 2);
            assert!(btf.get(0).is_none() && btf.get(5).is_none() && base.get(3).is_none());
            assert_eq!(btf.string(btf.own_strings().end), None);
        }
    }

    #[test]
    fn records_must_end_where_the_types_end() {
        let mut b = BtfBuilder::new(Endian::Little);
        b.int("int", 4);
        b.structure("foo", &[("a", 1)]);
        let good = b.build();
        assert_eq!(Btf::parse(&good).unwrap().own_ids(), 1..3);
        // The vlen of foo, whose record is at 16 of 40.
        let mut data = good.clone();
        data[24 + 16 + 4] = 2;
        let err = Error::RecordTruncated { id: 2, offset: 16, size: 36, available: 24 };
        assert_eq!(Btf::parse(&data).unwrap_err(), err);
        // vlen 0: what was a member is read as the next record, of kind 0.
        data[24 + 16 + 4] = 0;
        assert_eq!(Btf::parse(&data).unwrap_err(), Error::UnknownKind { id: 3, kind: 0 });
        // Bits that were reserved before 7.x belong to kind and vlen now: neither reading lets them pass.
        data = good.clone();
        data[24 + 16 + 7] |= 0x20;
        assert_eq!(Btf::parse(&data).unwrap_err(), Error::UnknownKind { id: 2, kind: 36 });
        data = good;
        data[24 + 16 + 6] = 1;
        let size = 12 + 12 * 0x1_0001;
        assert_eq!(Btf::parse(&data).unwrap_err(), Error::RecordTruncated { id: 2, offset: 16, size, available: 24 });
    }

    #[test]
    fn strings_begin_and_end_with_nul() {
        let mut b = BtfBuilder::new(Endian::Big);
        b.int("int", 4);
        let good = b.build();
        let strings = good.len() - 5;
        let mut data = good.clone();
        data[strings] = b'x';
        assert_eq!(Btf::parse(&data).unwrap_err(), Error::NotStandalone);
        let mut data = good.clone();
        data[good.len() - 1] = b'x';
        assert_eq!(Btf::parse(&data).unwrap_err(), Error::StringsNotTerminated);
        // Split BTF may add no string at all, standalone BTF has at least the empty one.
        let base = Btf::parse(&good).unwrap();
        let mut b = BtfBuilder::split(&base);
        b.pointer(1);
        let split = b.build();
        assert_eq!(Btf::parse_split(&split, &base).unwrap().own_strings(), 5..5);
        assert_eq!(Btf::parse(&split).unwrap_err(), Error::StringsNotTerminated);
    }

    #[test]
    fn detached_split_btf_finds_where_its_strings_begin() {
        for endian in [Endian::Little, Endian::Big] {
            let mut b = BtfBuilder::new(endian);
            let int = b.int("int", 4);
            let base_data = b.build();
            let base = Btf::parse(&base_data).unwrap();
            let mut b = BtfBuilder::split(&base);
            b.structure("foo", &[("member", int)]);
            let func = b.func("init", int);
            let mut data = b.build();
            for first_id in [2, 1000] {
                let btf = Btf::parse_detached(&data, first_id).unwrap();
                assert_eq!(btf.own_strings(), Btf::parse_split(&data, &base).unwrap().own_strings());
                let shifted = func - 2 + first_id;
                assert_eq!(btf.find_all(&[(Kind::Func, b"init"), (Kind::Int, b"int")]), [vec![shifted], vec![]]);
            }
            // A string that nothing refers to: the last one in use is another.
            let strings = data.len() - 4 - b"init".len();
            data[strings..].copy_from_slice(b"in\0t\0\0\0\0");
            assert_eq!(Btf::parse_detached(&data, 2).unwrap_err(), Error::NotDetached);
            assert_eq!(Btf::parse_detached(&base_data, 2).unwrap_err(), Error::NotDetached);
            // The greatest string offset there is, and no string in front of the last: was an addition that overflows.
            let mut b = BtfBuilder::new(endian);
            b.raw(Kind::Fwd, 0, 0, &[]);
            let mut data = b.build();
            data.truncate(36);
            data[20..24].copy_from_slice(&endian.u32_bytes(4));
            data[24..28].copy_from_slice(&endian.u32_bytes(u32::MAX));
            data.extend(b"abc\0");
            assert!(matches!(Btf::parse_detached(&data, 2), Err(Error::TooLarge { part: Part::Strings })));
        }
    }

    #[test]
    fn base_of_another_byte_order_is_refused() {
        let base_data = BtfBuilder::new(Endian::Big).build();
        let base = Btf::parse(&base_data).unwrap();
        let split = BtfBuilder::new(Endian::Little).build();
        let err = Error::BaseByteOrder { split: Endian::Little, base: Endian::Big };
        assert_eq!(Btf::parse_split(&split, &base).unwrap_err(), err);
    }

    #[test]
    fn layout_section_tells_the_size_of_an_unknown_kind() {
        for endian in [Endian::Little, Endian::Big] {
            let mut b = BtfBuilder::new(endian);
            b.raw(Kind::Other(20), 3, 0, &[7, 8, 9, 10]);
            b.int("int", 4);
            assert_eq!(Btf::parse(&b.build()).unwrap_err(), Error::UnknownKind { id: 1, kind: 20 });
            b.layout(20, 4, 4);
            let base_data = b.build();
            let base = Btf::parse(&base_data).unwrap();
            assert_eq!(base.header().hdr_len, 32);
            assert_eq!(base.get(2).unwrap().kind, Kind::Int);
            assert_eq!(base.get(1).unwrap().record.len(), 12 + 4 + 3 * 4);
            // A split BTF without a layout section of its own uses the base's.
            let mut b = BtfBuilder::split(&base);
            b.raw(Kind::Other(20), 0, 0, &[7]);
            b.raw(Kind::Other(21), 0, 0, &[]);
            assert_eq!(Btf::parse_split(&b.build(), &base).unwrap_err(), Error::UnknownKind { id: 4, kind: 21 });
        }
        let mut b = BtfBuilder::new(Endian::Little);
        b.raw(Kind::Other(20), 0, 0, &[]);
        b.layout(20, 2, 4);
        let err = Error::BadLayoutEntry { kind: 20, info_sz: 2, elem_sz: 4 };
        assert_eq!(Btf::parse(&b.build()).unwrap_err(), err);
    }

    #[test]
    fn every_truncation_and_every_poked_byte_is_ok_or_an_error() {
        let mut b = BtfBuilder::new(Endian::Little);
        b.int("int", 4);
        b.func("f", 0);
        b.layout(20, 4, 4);
        b.raw(Kind::Other(20), 1, 0, &[1, 2]);
        let good = b.build();
        let mut read = 0;
        let mut walk = |data: &[u8]| {
            if let Ok(btf) = Btf::parse(data) {
                read += btf.iter().map(|ty| ty.fields().count()).sum::<usize>();
                let _ = btf.validate();
            }
        };
        for len in 0..good.len() {
            walk(&good[..len]);
        }
        for at in 0..good.len() {
            for bit in 0..8 {
                let mut data = good.clone();
                data[at] ^= 1 << bit;
                walk(&data);
            }
        }
        assert!(read > 0);
    }
}
