//! The distilled base: of vmlinux's types only what a module refers to, so that the module's BTF can be loaded by kernels
//! it was not built with, which find their own types by name and size.

use super::writer::{StringsOut, Writer};
use crate::{Btf, Error, Field, Kind, Part, Type};
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap};

/// What a type of the base becomes that split BTF refers to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// Kept in the new base as it is.
    Kept,
    /// Kept in the new base by kind, name and size alone.
    Stub(Kind),
    /// Copied to the end of the split BTF.
    Copied,
}

/// New base and new split BTF of `btf`, which is split BTF on top of `base`.
pub(super) fn distill(btf: &Btf, base: &Btf) -> Result<(Vec<u8>, Vec<u8>), Error> {
    let fates = mark(btf, base)?;
    let marked = || fates.iter().filter_map(|(&id, &fate)| Some((base.get(id)?, fate)));
    let kept = || marked().filter(|(_, fate)| *fate != Fate::Copied);
    let copied = || marked().filter(|(_, fate)| *fate == Fate::Copied).map(|(ty, _)| ty);
    let own = || btf.own_ids().filter_map(|id| btf.get(id));

    // IDs first, as records refer to each other in both directions: the new base, the split BTF, what is copied to it.
    let mut new_ids = HashMap::from([(0, 0)]);
    for ty in kept().map(|(ty, _)| ty).chain(own()).chain(copied()) {
        let next = u32::try_from(new_ids.len()).map_err(|_| Error::TooLarge { part: Part::Types })?;
        new_ids.insert(ty.id, next);
    }
    let mut strings = Strings { btf, known: HashMap::from([(&b""[..], 0)]) };
    let mut new_base = Writer::standalone(btf.endian());
    for (ty, fate) in kept() {
        if let Fate::Stub(kind) = fate {
            let name = strings.add(&mut new_base.strings, &ty, ty.name_off)?;
            new_base.types.add(kind, 0, name, ty.size_or_type, &[])?;
        } else {
            strings.copy(&mut new_base, &ty, &new_ids)?;
        }
    }
    let mut split = Writer::split(&new_base)?;
    for ty in own().chain(copied()) {
        strings.copy(&mut split, &ty, &new_ids)?;
    }
    Ok((new_base.finish()?, split.finish()?))
}

/// The fate of each base type that is referred to, by ID.
fn mark(btf: &Btf, base: &Btf) -> Result<BTreeMap<u32, Fate>, Error> {
    let end = base.own_ids().end;
    let mut fates = BTreeMap::new();
    // A list and not a recursion: hostile BTF nests as deep as it likes.
    let mut from: Vec<Type> = btf.own_ids().filter_map(|id| btf.get(id)).collect();
    while let Some(ty) = from.pop() {
        let types = ty.fields().filter(|&(field, _, id)| field == Field::Type && (1..end).contains(&id));
        for (.., id) in types {
            let Entry::Vacant(slot) = fates.entry(id) else { continue };
            let target = base.get(id).ok_or(Error::BadReference { id: ty.id, kind: ty.kind, target: id, end })?;
            let named = target.name_off != 0;
            let fate = match target.kind {
                Kind::Int | Kind::Float | Kind::Fwd => Fate::Kept,
                Kind::Struct | Kind::Union if named => Fate::Stub(target.kind),
                Kind::Enum | Kind::Enum64 if named => Fate::Stub(Kind::Enum),
                Kind::Struct | Kind::Union | Kind::Enum | Kind::Enum64 => Fate::Copied,
                Kind::Array | Kind::Ptr | Kind::Typedef | Kind::FuncProto => Fate::Copied,
                Kind::Const | Kind::Restrict | Kind::Volatile | Kind::TypeTag => Fate::Copied,
                kind => return Err(Error::CannotDistill { id: ty.id, target: id, kind }),
            };
            slot.insert(fate);
            if fate == Fate::Copied {
                from.push(target);
            }
        }
    }
    Ok(fates)
}

/// The strings of the result, each once, in the order of first use.
struct Strings<'b, 'a> {
    btf: &'b Btf<'a>,
    known: HashMap<&'a [u8], u32>,
}

impl<'a> Strings<'_, 'a> {
    fn add(&mut self, writer: &mut StringsOut, ty: &Type, offset: u32) -> Result<u32, Error> {
        let end = self.btf.own_strings().end;
        let text = self.btf.string(offset).ok_or(Error::BadString { id: ty.id, kind: ty.kind, offset, end })?;
        if let Some(&known) = self.known.get(text) {
            return Ok(known);
        }
        let new = writer.add(text)?;
        self.known.insert(text, new);
        Ok(new)
    }

    fn copy(&mut self, writer: &mut Writer, ty: &Type, new_ids: &HashMap<u32, u32>) -> Result<(), Error> {
        let end = self.btf.own_ids().end;
        let Writer { types, strings, .. } = writer;
        types.copy(ty, |field, value| match field {
            Field::Name => self.add(strings, ty, value),
            Field::Type => {
                let unknown = Error::BadReference { id: ty.id, kind: ty.kind, target: value, end };
                new_ids.get(&value).copied().ok_or(unknown)
            }
        })?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Endian, testkit::BtfBuilder};

    fn names<'a>(btf: &Btf<'a>) -> Vec<(Kind, &'a str, u32)> {
        let text = |ty: &Type| std::str::from_utf8(btf.name(ty).unwrap()).unwrap();
        btf.own_ids().map(|id| btf.get(id).unwrap()).map(|ty| (ty.kind, text(&ty), ty.size_or_type)).collect()
    }

    #[test]
    fn base_shrinks_to_what_is_referred_to() {
        for endian in [Endian::Little, Endian::Big] {
            let mut b = BtfBuilder::new(endian);
            let unused = b.int("unused", 8);
            let int = b.int("int", 4);
            let inner = b.structure("inner", &[("x", unused)]);
            let list = b.structure("list", &[("i", inner), ("u", unused)]);
            let anonymous = b.union("", &[("l", list), ("n", int)]);
            let size = b.typedef("size", int);
            let mode = b.raw(Kind::Enum, 1, 4, &[0, 7]);
            b.pointer(unused);
            let base_data = b.build();
            let base = Btf::parse(&base_data).unwrap();
            let mut b = BtfBuilder::split(&base);
            let own = b.structure("own", &[("a", anonymous), ("size", size), ("m", mode)]);
            b.pointer(own);
            b.pointer(list);
            let data = b.build();
            let btf = Btf::parse_split(&data, &base).unwrap();

            let (new_base, new_split) = distill(&btf, &base).unwrap();
            let new_base = Btf::parse(&new_base).unwrap();
            let new_split = Btf::parse_split(&new_split, &new_base).unwrap();
            new_base.validate().unwrap();
            new_split.validate().unwrap();
            assert_eq!(names(&new_base), [(Kind::Int, "int", 4), (Kind::Struct, "list", 8)]);
            assert_eq!((new_base.get(2).unwrap().vlen, new_base.strings()), (0, &b"\0int\0list\0"[..]));
            let split = [
                (Kind::Struct, "own", 12),
                (Kind::Ptr, "", 3),
                (Kind::Ptr, "", 2),
                (Kind::Union, "", 8),
                (Kind::Typedef, "size", 1),
                (Kind::Enum, "", 4),
            ];
            assert_eq!(names(&new_split), split);
            assert_eq!(new_split.strings(), b"own\0a\0size\0m\0l\0n\0");
            let types =
                |id: u32| new_split.get(id).unwrap().fields().filter(|f| f.0 == Field::Type).map(|f| f.2).collect();
            let (members, union): (Vec<u32>, Vec<u32>) = (types(3), types(6));
            assert_eq!((members, union), (vec![6, 7, 8], vec![2, 1]));
        }
    }

    #[test]
    fn named_enums_become_enums_without_values_and_functions_are_refused() {
        let mut b = BtfBuilder::new(Endian::Little);
        let name = b.string("big");
        b.raw(Kind::Enum64, 1, 8, &[name, 1, 2]);
        let func = b.func("f", 0);
        let mut base_data = b.build();
        base_data[24] = 1;
        let base = Btf::parse(&base_data).unwrap();
        let mut b = BtfBuilder::split(&base);
        b.typedef("big", 1);
        let data = b.build();
        let (new_base, _) = distill(&Btf::parse_split(&data, &base).unwrap(), &base).unwrap();
        let new_base = Btf::parse(&new_base).unwrap();
        assert_eq!((names(&new_base), new_base.get(1).unwrap().vlen), (vec![(Kind::Enum, "big", 8)], 0));
        b.pointer(func);
        let data = b.build();
        let err = Error::CannotDistill { id: 5, target: func, kind: Kind::Func };
        assert_eq!(distill(&Btf::parse_split(&data, &base).unwrap(), &base).unwrap_err(), err);
    }
}
