//! Types in the order of their names, so that the kernel can search them by name.

use super::writer::Writer;
use crate::{Btf, Error, Field};

/// Sorts the types of this part by the bytes of their names: anonymous ones first, those of one name in their old order.
pub(super) fn sort_by_name(btf: &Btf) -> Result<Vec<u8>, Error> {
    let mut order: Vec<_> = btf.own_ids().filter_map(|id| Some((btf.name(&btf.get(id)?)?, id))).collect();
    order.sort_unstable();
    let order: Vec<u32> = order.into_iter().map(|(_, id)| id).collect();
    in_order(btf, &order)
}

/// The same types in reverse order: BTF that says the same with other IDs, to try out what depends on IDs.
///
/// # Errors
/// When the BTF has kinds or header fields that are not known, or a reference beyond its end.
pub fn reversed(btf: &Btf) -> Result<Vec<u8>, Error> {
    let order: Vec<u32> = btf.own_ids().rev().collect();
    in_order(btf, &order)
}

fn in_order(btf: &Btf, order: &[u32]) -> Result<Vec<u8>, Error> {
    let ids = btf.own_ids();
    let mut new_ids = vec![0; order.len()];
    for (old, new) in order.iter().zip(ids.clone()) {
        if let Some(slot) = new_ids.get_mut((old - ids.start) as usize) {
            *slot = new;
        }
    }
    let mut writer = Writer::like(btf)?;
    for ty in order.iter().filter_map(|&id| btf.get(id)) {
        writer.types.copy(&ty, |field, value| match value.checked_sub(ids.start).filter(|_| field == Field::Type) {
            None => Ok(value),
            Some(own) => new_ids.get(own as usize).copied().ok_or(Error::BadReference {
                id: ty.id,
                kind: ty.kind,
                target: value,
                end: ids.end,
            }),
        })?;
    }
    writer.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Endian, Kind, testkit::BtfBuilder};

    #[test]
    fn names_ascend_and_references_follow() {
        for endian in [Endian::Little, Endian::Big] {
            let mut b = BtfBuilder::new(endian);
            b.int("zero", 4);
            let base_data = b.build();
            let base = Btf::parse(&base_data).unwrap();
            let mut b = BtfBuilder::split(&base);
            // 2: struct b { ptr p; zero q }, 3: typedef a -> 2, 4: ptr -> 3, 5: ptr -> 1, 6: typedef b -> 5
            b.structure("b", &[("p", 4), ("q", 1)]);
            b.typedef("a", 2);
            b.pointer(3);
            b.pointer(1);
            b.typedef("b", 5);
            let data = b.build();
            let sorted = sort_by_name(&Btf::parse_split(&data, &base).unwrap()).unwrap();
            let btf = Btf::parse_split(&sorted, &base).unwrap();
            btf.validate().unwrap();
            let types: Vec<_> = btf.own_ids().map(|id| btf.get(id).unwrap()).collect();
            let text: Vec<_> = types.iter().map(|t| (t.kind, btf.name(t).unwrap(), t.size_or_type)).collect();
            let want: [(Kind, &[u8], u32); 5] = [
                (Kind::Ptr, b"", 4),
                (Kind::Ptr, b"", 1),
                (Kind::Typedef, b"a", 5),
                (Kind::Struct, b"b", 8),
                (Kind::Typedef, b"b", 3),
            ];
            assert_eq!(text, want);
            let members: Vec<_> = types[3].fields().filter(|f| f.0 == Field::Type).map(|f| f.2).collect();
            assert_eq!(members, [2, 1]);
            assert_eq!(sort_by_name(&btf).unwrap(), sorted);
            assert_eq!(sorted.len(), data.len());
        }
    }

    #[test]
    fn layout_section_and_long_header_are_kept_and_unknown_ones_refused() {
        let mut b = BtfBuilder::new(Endian::Big);
        b.typedef("b", 0);
        b.int("a", 4);
        b.layout(20, 4, 0);
        let data = b.build();
        let sorted = sort_by_name(&Btf::parse(&data).unwrap()).unwrap();
        let (old, new) = (Btf::parse(&data).unwrap(), Btf::parse(&sorted).unwrap());
        assert_eq!((new.header(), new.layout(), new.strings()), (old.header(), old.layout(), old.strings()));
        assert_eq!(new.get(1).unwrap().kind, Kind::Int);

        b.raw(Kind::Other(20), 0, 0, &[1]);
        let data = b.build();
        let err = Error::CannotRewrite { id: 3, kind: 20 };
        assert_eq!(sort_by_name(&Btf::parse(&data).unwrap()).unwrap_err(), err);

        let mut long = BtfBuilder::new(Endian::Little).build();
        long[4] = 40;
        long.splice(24..24, [0; 16]);
        assert_eq!(sort_by_name(&Btf::parse(&long).unwrap()).unwrap(), long);
        long[39] = 1;
        assert_eq!(sort_by_name(&Btf::parse(&long).unwrap()).unwrap_err(), Error::UnknownHeader { hdr_len: 40 });
    }
}
