//! Small BTF blobs, standalone or split, in either byte order.

use crate::format::Format;
use std::collections::HashMap;

/// Kind of a function.
pub const FUNC: u32 = 12;
/// Kind of a structure.
pub const STRUCT: u32 = 4;
/// Kind of a union.
pub const UNION: u32 = 5;
/// Kind of a type definition.
pub const TYPEDEF: u32 = 8;

const MAGIC: u64 = 0xeb9f;
const HEADER_LEN: u32 = 24;

/// A blob that grows by one type per call; each call returns the new type's ID.
#[derive(Clone, Debug)]
pub struct Btf {
    format: Format,
    types: Vec<u8>,
    strings: Vec<u8>,
    offsets: HashMap<String, u32>,
    base_str_len: u32,
    next_id: u32,
}

impl Btf {
    /// Standalone: IDs from 1, strings from the empty one. Only the byte order of `format` matters.
    pub fn new(format: Format) -> Btf {
        let mut btf = Btf::split(format, 0, 0);
        btf.strings.push(0);
        btf.offsets.insert(String::new(), 0);
        btf
    }

    /// Continues a base of `base_types` types (void not counted) and `base_str_len` bytes of strings.
    pub fn split(format: Format, base_types: u32, base_str_len: u32) -> Btf {
        Btf {
            format,
            types: Vec::new(),
            strings: Vec::new(),
            offsets: HashMap::new(),
            base_str_len,
            next_id: base_types + 1,
        }
    }

    /// Types so far, those of the base included: what [`Btf::split`] wants to know of its base.
    pub fn type_count(&self) -> u32 {
        self.next_id - 1
    }

    /// Bytes of strings so far, those of the base included.
    pub fn str_len(&self) -> u32 {
        self.base_str_len + self.strings.len() as u32
    }

    /// The offset of a string, added when it is new. The empty one is always the base's.
    pub fn string(&mut self, string: &str) -> u32 {
        if string.is_empty() {
            return 0;
        }
        let next = self.str_len();
        if let Some(&offset) = self.offsets.get(string) {
            return offset;
        }
        self.strings.extend_from_slice(string.as_bytes());
        self.strings.push(0);
        self.offsets.insert(string.to_string(), next);
        next
    }

    /// Any type: `info` is vlen, kind and kind_flag as in the record; `rest` follows the record.
    pub fn raw(&mut self, name: &str, info: u32, size_or_type: u32, rest: &[u32]) -> u32 {
        let name = self.string(name);
        let record = [&[name, info, size_or_type], rest].concat();
        self.types.extend(self.format.u32s(&record));
        self.next_id += 1;
        self.next_id - 1
    }

    /// A type without a vlen and without more than its record: PTR, FWD, TYPEDEF, CONST ...
    pub fn simple(&mut self, kind: u32, name: &str, size_or_type: u32) -> u32 {
        self.raw(name, kind << 24, size_or_type, &[])
    }

    /// A signed INT of `size` bytes.
    pub fn int(&mut self, name: &str, size: u32) -> u32 {
        self.raw(name, 1 << 24, size, &[(1 << 24) | (size * 8)])
    }

    /// A PTR.
    pub fn ptr(&mut self, to: u32) -> u32 {
        self.simple(2, "", to)
    }

    /// A STRUCT of members (name, type, bit offset).
    pub fn structure(&mut self, name: &str, size: u32, members: &[(&str, u32, u32)]) -> u32 {
        let rest: Vec<u32> = members.iter().flat_map(|&(name, ty, bits)| [self.string(name), ty, bits]).collect();
        self.raw(name, STRUCT << 24 | members.len() as u32, size, &rest)
    }

    /// A FUNC_PROTO with parameters (name, type).
    pub fn func_proto(&mut self, returns: u32, params: &[(&str, u32)]) -> u32 {
        let rest: Vec<u32> = params.iter().flat_map(|&(name, ty)| [self.string(name), ty]).collect();
        self.raw("", 13 << 24 | params.len() as u32, returns, &rest)
    }

    /// A FUNC of global linkage.
    pub fn func(&mut self, name: &str, proto: u32) -> u32 {
        self.raw(name, FUNC << 24 | 1, proto, &[])
    }

    /// A DECL_TAG on the whole of `target`.
    pub fn decl_tag(&mut self, tag: &str, target: u32) -> u32 {
        self.raw(tag, 17 << 24, target, &[u32::MAX])
    }

    /// The blob: header, types, strings.
    pub fn build(&self) -> Vec<u8> {
        let types = self.types.len() as u32;
        let mut blob = self.format.bytes(MAGIC, 2);
        blob.extend([1, 0]);
        blob.extend(self.format.u32s(&[HEADER_LEN, 0, types, types, self.strings.len() as u32]));
        blob.extend_from_slice(&self.types);
        blob.extend_from_slice(&self.strings);
        blob
    }
}

/// A blob with a FUNC of an empty prototype for each name; the IDs are in the order of the names.
pub fn functions(format: Format, names: &[&str]) -> (Btf, Vec<u32>) {
    let mut btf = Btf::new(format);
    let proto = btf.func_proto(0, &[]);
    let ids = names.iter().map(|name| btf.func(name, proto)).collect();
    (btf, ids)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blob_byte_by_byte() {
        let (btf, ids) = functions(Format::S390X, &["f"]);
        assert_eq!(ids, [2]);
        let expected = [
            &[0xeb, 0x9f, 1, 0, 0, 0, 0, 24, 0, 0, 0, 0, 0, 0, 0, 24, 0, 0, 0, 24, 0, 0, 0, 3][..],
            &[0, 0, 0, 0, 13, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 12, 0, 0, 1, 0, 0, 0, 1],
            b"\0f\0",
        ];
        assert_eq!(btf.build(), expected.concat());
        let little = functions(Format::X86_64, &["f"]).0.build();
        assert_eq!(little[..8], [0x9f, 0xeb, 1, 0, 24, 0, 0, 0]);
    }

    #[test]
    fn split_blobs_continue_ids_and_strings() {
        let mut base = Btf::new(Format::X86_64);
        let int = base.int("int", 4);
        let mut btf = Btf::split(Format::X86_64, base.type_count(), base.str_len());
        assert_eq!(btf.structure("s", 4, &[("m", int, 0)]), 2);
        assert_eq!(btf.string("s"), 7);
        assert_eq!(btf.str_len(), 9);
        assert!(btf.build().ends_with(b"m\0s\0"));
    }
}
