//! One type record: its kind, and where that kind keeps string offsets and type IDs.

use crate::Endian;
use std::fmt;

/// Bytes of `struct btf_type`, with which every record begins.
pub(crate) const HEAD: usize = 12;

macro_rules! kinds {
    ($($name:ident = $number:literal $text:literal)*) => {
        /// `BTF_KIND_*`: what a type is.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Kind {
            $(#[doc = concat!("`BTF_KIND_", $text, "`, ", $number, ".")] $name,)*
            /// A kind this crate does not know; the data's layout section told its size.
            Other(u8),
        }

        impl Kind {
            /// The kind of this number.
            #[must_use]
            pub const fn from_number(number: u8) -> Kind {
                match number { $($number => Kind::$name,)* other => Kind::Other(other) }
            }

            /// The number of this kind.
            #[must_use]
            pub const fn number(self) -> u8 {
                match self { $(Kind::$name => $number,)* Kind::Other(number) => number }
            }
        }

        impl fmt::Display for Kind {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self { $(Kind::$name => f.write_str($text),)* Kind::Other(number) => write!(f, "kind {number}") }
            }
        }
    };
}

kinds! {
    Int = 1 "INT" Ptr = 2 "PTR" Array = 3 "ARRAY" Struct = 4 "STRUCT" Union = 5 "UNION" Enum = 6 "ENUM" Fwd = 7 "FWD"
    Typedef = 8 "TYPEDEF" Volatile = 9 "VOLATILE" Const = 10 "CONST" Restrict = 11 "RESTRICT" Func = 12 "FUNC"
    FuncProto = 13 "FUNC_PROTO" Var = 14 "VAR" Datasec = 15 "DATASEC" Float = 16 "FLOAT" DeclTag = 17 "DECL_TAG"
    TypeTag = 18 "TYPE_TAG" Enum64 = 19 "ENUM64"
}

/// What follows `struct btf_type` in a record, and which of its words refer to something.
#[derive(Clone, Copy, Debug)]
struct Shape {
    /// Bytes that follow once.
    once: u8,
    /// Bytes that follow per vlen.
    each: u8,
    /// Whether `size_or_type` is a type ID.
    head_type: bool,
    /// Offsets of type IDs in the bytes that follow once.
    once_types: [Option<u8>; 2],
    /// Whether each element begins with a string offset.
    each_name: bool,
    /// Offset of a type ID in each element.
    each_type: Option<u8>,
}

impl Shape {
    const NONE: Shape =
        Shape { once: 0, each: 0, head_type: false, once_types: [None; 2], each_name: false, each_type: None };

    const fn made(kind: Kind) -> Shape {
        let none = Shape::NONE;
        match kind {
            Kind::Int => Shape { once: 4, ..none },
            Kind::Fwd | Kind::Float | Kind::Other(_) => none,
            Kind::Ptr | Kind::Typedef | Kind::Volatile | Kind::Const | Kind::Restrict | Kind::Func | Kind::TypeTag => {
                Shape { head_type: true, ..none }
            }
            Kind::Array => Shape { once: 12, once_types: [Some(0), Some(4)], ..none },
            Kind::Struct | Kind::Union => Shape { each: 12, each_name: true, each_type: Some(4), ..none },
            Kind::Enum => Shape { each: 8, each_name: true, ..none },
            Kind::Enum64 => Shape { each: 12, each_name: true, ..none },
            Kind::FuncProto => Shape { each: 8, head_type: true, each_name: true, each_type: Some(4), ..none },
            Kind::Var | Kind::DeclTag => Shape { once: 4, head_type: true, ..none },
            Kind::Datasec => Shape { each: 12, each_type: Some(0), ..none },
        }
    }

    /// The shape of a known kind.
    fn of(kind: Kind) -> Option<&'static Shape> {
        match kind {
            Kind::Other(_) => None,
            kind => SHAPES.get(usize::from(kind.number())),
        }
    }
}

/// By the number of the kind. A table: a kernel has a hundred thousand types, whose kinds no branch predicts.
static SHAPES: [Shape; 20] = SHAPES_OF_KINDS;

const SHAPES_OF_KINDS: [Shape; 20] = {
    let mut shapes = [Shape::NONE; 20];
    let mut number = 0;
    while number < 20 {
        shapes[number as usize] = Shape::made(Kind::from_number(number));
        number += 1;
    }
    shapes
};

/// Bytes of a whole record of a known kind; `None` for [`Kind::Other`].
pub(crate) fn record_size(kind: Kind, vlen: u32) -> Option<u64> {
    known_size(kind.number(), vlen)
}

/// Words that follow once, and per vlen, in each kind: two bits for each, so that all of them stay in a register. Where a
/// record ends depends on where the one before did, and reading a table would be a third of that way.
const WORDS: (u64, u64) = {
    let (mut once, mut each, mut number) = (0, 0, 0);
    while number < SHAPES.len() {
        let shape = &SHAPES_OF_KINDS[number];
        assert!(shape.once.is_multiple_of(4) && shape.once < 16 && shape.each.is_multiple_of(4) && shape.each < 16);
        once |= (shape.once as u64 / 4) << (2 * number);
        each |= (shape.each as u64 / 4) << (2 * number);
        number += 1;
    }
    (once, each)
};

/// Bytes of a whole record of the kind with this number; `None` for a kind that is not known.
pub(crate) fn known_size(kind: u8, vlen: u32) -> Option<u64> {
    if kind == 0 || usize::from(kind) >= SHAPES.len() {
        return None;
    }
    let words = |of: u64| of >> (2 * kind) & 3;
    Some(HEAD as u64 + 4 * (words(WORDS.0) + words(WORDS.1) * u64::from(vlen)))
}

/// The kind in `info`. Before 7.x it had 5 bits and vlen 16, the others were 0: then both readings are the same.
pub(crate) fn kind_number(info: u32) -> u8 {
    let [kind, ..] = info.to_be_bytes();
    kind & 0x7f
}

/// The vlen in `info`.
pub(crate) fn vlen(info: u32) -> u32 {
    info & 0x00ff_ffff
}

/// What a word of a record refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// A string, by its offset.
    Name,
    /// A type, by its ID.
    Type,
}

/// One type record, borrowed from the data.
#[derive(Clone, Copy, Debug)]
pub struct Type<'a> {
    /// Its type ID, counted through the base.
    pub id: u32,
    /// What it is.
    pub kind: Kind,
    /// Number of elements; the linkage in a FUNC.
    pub vlen: u32,
    /// Bit 31 of `info`: what it says depends on the kind.
    pub kind_flag: bool,
    /// Offset of its name in the strings, counted through the base; 0 if anonymous.
    pub name_off: u32,
    /// Size in bytes or a type ID, depending on the kind.
    pub size_or_type: u32,
    /// The record's bytes, `struct btf_type` included.
    pub record: &'a [u8],
    pub(crate) endian: Endian,
}

impl<'a> Type<'a> {
    /// Reads the head of the record at the start of `data`; `record` is the rest of `data` until its size is known.
    pub(crate) fn read(endian: Endian, id: u32, data: &'a [u8]) -> Option<Type<'a>> {
        let info = endian.u32_at(data, 4)?;
        Some(Type {
            id,
            kind: Kind::from_number(kind_number(info)),
            vlen: vlen(info),
            kind_flag: info >> 31 != 0,
            name_off: endian.u32_at(data, 0)?,
            size_or_type: endian.u32_at(data, 8)?,
            record: data,
            endian,
        })
    }

    /// The words that refer to a string or a type, in the order of the record: what each refers to, its byte offset in
    /// [`Type::record`], and its value. Of a kind that is not known only the name.
    pub fn fields(&self) -> impl Iterator<Item = (Field, usize, u32)> + use<'a> {
        let shape = *Shape::of(self.kind).unwrap_or(&Shape::NONE);
        let head = [Some((Field::Name, 0)), shape.head_type.then_some((Field::Type, 8))];
        let once = shape.once_types.map(|at| at.map(|at| (Field::Type, HEAD + usize::from(at))));
        let elements = if shape.each == 0 { 0 } else { self.vlen as usize };
        let each = (0..elements).flat_map(move |i| {
            let at = HEAD + usize::from(shape.once) + i * usize::from(shape.each);
            let name = shape.each_name.then_some((Field::Name, at));
            [name, shape.each_type.map(|offset| (Field::Type, at + usize::from(offset)))]
        });
        let (record, endian) = (self.record, self.endian);
        let all = head.into_iter().chain(once).chain(each).flatten();
        all.filter_map(move |(field, at)| Some((field, at, endian.u32_at(record, at)?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(kind: Kind, vlen: u32, words: u32) -> Vec<(Field, usize, u32)> {
        let endian = Endian::Big;
        let mut data = Vec::new();
        for word in 0..words {
            data.extend(endian.u32_bytes(if word == 1 { u32::from(kind.number()) << 24 | vlen } else { 100 + word }));
        }
        let ty = Type::read(endian, 1, &data).unwrap();
        assert_eq!((ty.kind, ty.vlen), (kind, vlen));
        assert_eq!(record_size(kind, vlen).unwrap(), data.len() as u64, "{kind}");
        ty.fields().collect()
    }

    #[test]
    fn fields_of_every_kind() {
        use Field::{Name, Type};
        let name = (Name, 0, 100);
        let head = (Type, 8, 102);
        for kind in [Kind::Fwd, Kind::Float] {
            assert_eq!(fields(kind, 0, 3), [name]);
        }
        for kind in [Kind::Ptr, Kind::Typedef, Kind::Volatile, Kind::Const, Kind::Restrict, Kind::Func, Kind::TypeTag] {
            // The vlen of a FUNC is its linkage: no elements follow.
            assert_eq!(fields(kind, 1, 3), [name, head]);
        }
        assert_eq!(fields(Kind::Int, 0, 4), [name]);
        for kind in [Kind::Var, Kind::DeclTag] {
            assert_eq!(fields(kind, 0, 4), [name, head]);
        }
        assert_eq!(fields(Kind::Array, 0, 6), [name, (Type, 12, 103), (Type, 16, 104)]);
        for kind in [Kind::Struct, Kind::Union] {
            let members = [name, (Name, 12, 103), (Type, 16, 104), (Name, 24, 106), (Type, 28, 107)];
            assert_eq!(fields(kind, 2, 9), members);
        }
        assert_eq!(fields(Kind::Enum, 2, 7), [name, (Name, 12, 103), (Name, 20, 105)]);
        assert_eq!(fields(Kind::Enum64, 2, 9), [name, (Name, 12, 103), (Name, 24, 106)]);
        assert_eq!(fields(Kind::FuncProto, 1, 5), [name, head, (Name, 12, 103), (Type, 16, 104)]);
        assert_eq!(fields(Kind::Datasec, 2, 9), [name, (Type, 12, 103), (Type, 24, 106)]);
    }

    #[test]
    fn numbers_and_names_of_kinds() {
        for number in 0..=127 {
            assert_eq!(Kind::from_number(number).number(), number);
            assert_eq!(matches!(Kind::from_number(number), Kind::Other(_)), !(1..=19).contains(&number));
        }
        assert_eq!(Kind::FuncProto.to_string(), "FUNC_PROTO");
        assert_eq!(Kind::Other(77).to_string(), "kind 77");
        assert_eq!(record_size(Kind::Other(77), 3), None);
        // 24 bits of vlen cannot overflow the size.
        assert_eq!(record_size(Kind::Struct, 0x00ff_ffff), Some(12 + 12 * 0x00ff_ffff));
    }
}
