//! BTF data put together again.

use crate::{Btf, Endian, Error, Field, Kind, Limit, Type, header, record};

/// The kernel's `BTF_MAX_TYPE` and `BTF_MAX_NAME_OFFSET`. `BTF_MAX_VLEN` is all that the field can hold.
const MAX_TYPE: u32 = 0x000f_ffff;
const MAX_NAME_OFFSET: u32 = 0x00ff_ffff;

/// BTF data under construction. String offsets and type IDs count through the base, as everywhere.
pub(super) struct Writer {
    flags: u8,
    hdr_len: u32,
    layout_off: u32,
    layout: Vec<u8>,
    pub types: TypesOut,
    pub strings: StringsOut,
}

/// The type records of a [`Writer`].
pub(super) struct TypesOut {
    endian: Endian,
    bytes: Vec<u8>,
    next_id: u32,
}

/// The strings of a [`Writer`].
pub(super) struct StringsOut {
    bytes: Vec<u8>,
    first: u32,
}

impl Writer {
    /// No types, and for standalone BTF the empty string.
    pub fn standalone(endian: Endian) -> Writer {
        let types = TypesOut { endian, bytes: Vec::new(), next_id: 1 };
        let strings = StringsOut { bytes: vec![0], first: 0 };
        Writer { flags: 0, hdr_len: header::WITH_LAYOUT, layout_off: 0, layout: Vec::new(), types, strings }
    }

    /// No types and strings, on top of a base that ends where `base` is now.
    pub fn split(base: &Writer) -> Result<Writer, Error> {
        let types = TypesOut { endian: base.types.endian, bytes: Vec::new(), next_id: base.types.next_id };
        let strings = StringsOut { bytes: Vec::new(), first: base.strings.next()? };
        Ok(Writer { types, strings, ..Writer::standalone(base.types.endian) })
    }

    /// The header, layout section and strings of `btf`, and no types.
    pub fn like(btf: &Btf) -> Result<Writer, Error> {
        let header = btf.header();
        if header.has_unknown {
            return Err(Error::UnknownHeader { hdr_len: header.hdr_len });
        }
        let bytes = Vec::with_capacity(header.type_len as usize);
        Ok(Writer {
            flags: header.flags,
            hdr_len: header.hdr_len,
            layout_off: header.layout_off,
            layout: btf.layout().to_vec(),
            types: TypesOut { endian: header.endian, bytes, next_id: btf.own_ids().start },
            strings: StringsOut { bytes: btf.strings().to_vec(), first: btf.own_strings().start },
        })
    }

    /// The data: header, types, layout section, strings, with nothing between them.
    pub fn finish(self) -> Result<Vec<u8>, Error> {
        let endian = self.types.endian;
        let types = length(&self.types.bytes, Limit::TypeId)?;
        let strings = length(&self.strings.bytes, Limit::StringOffset)?;
        let layout = length(&self.layout, Limit::TypeId)?;
        let layout_off = if layout == 0 { self.layout_off } else { types };
        let str_off = types.checked_add(layout).ok_or(Error::OverLimit { limit: Limit::TypeId, max: u32::MAX })?;
        let mut data = match endian {
            Endian::Little => vec![0x9f, 0xeb, 1, self.flags],
            Endian::Big => vec![0xeb, 0x9f, 1, self.flags],
        };
        let fields = [self.hdr_len, 0, types, str_off, strings, layout_off, layout];
        let known = if self.hdr_len < header::WITH_LAYOUT { 5 } else { 7 };
        for &field in fields.iter().take(known) {
            data.extend(endian.u32_bytes(field));
        }
        data.resize(self.hdr_len as usize, 0);
        data.extend(self.types.bytes);
        data.extend(self.layout);
        data.extend(self.strings.bytes);
        Ok(data)
    }
}

fn length(part: &[u8], limit: Limit) -> Result<u32, Error> {
    u32::try_from(part.len()).map_err(|_| Error::OverLimit { limit, max: u32::MAX })
}

impl TypesOut {
    /// Appends a type; `rest` are the words behind `struct btf_type`. Returns its ID.
    pub fn add(&mut self, kind: Kind, vlen: u32, name_off: u32, size_or_type: u32, rest: &[u32]) -> Result<u32, Error> {
        let info = u32::from(kind.number()) << 24 | vlen & 0x00ff_ffff;
        for &word in [name_off, info, size_or_type].iter().chain(rest) {
            self.bytes.extend(self.endian.u32_bytes(word));
        }
        self.count()
    }

    /// Appends a copy of a type, with the string offsets and type IDs that `map` gives for its own. Returns its ID.
    pub fn copy(&mut self, ty: &Type, mut map: impl FnMut(Field, u32) -> Result<u32, Error>) -> Result<u32, Error> {
        if record::record_size(ty.kind, ty.vlen).is_none() {
            return Err(Error::CannotRewrite { id: ty.id, kind: ty.kind.number() });
        }
        let start = self.bytes.len();
        self.bytes.extend(ty.record);
        for (field, at, value) in ty.fields() {
            self.put(start + at, map(field, value)?);
        }
        self.count()
    }

    /// Writes a word of a record that was added, at its offset in the types.
    pub fn put(&mut self, offset: usize, word: u32) {
        let written = self.endian.put_u32(&mut self.bytes, offset, word);
        debug_assert!(written.is_some(), "{offset:#x} lies in a record");
    }

    fn count(&mut self) -> Result<u32, Error> {
        let id = self.next_id;
        if id > MAX_TYPE {
            return Err(Error::OverLimit { limit: Limit::TypeId, max: MAX_TYPE });
        }
        self.next_id = id + 1;
        Ok(id)
    }
}

impl StringsOut {
    /// The offset the next string gets.
    fn next(&self) -> Result<u32, Error> {
        let offset = u32::try_from(self.bytes.len()).ok().and_then(|len| self.first.checked_add(len));
        offset
            .filter(|&at| at <= MAX_NAME_OFFSET)
            .ok_or(Error::OverLimit { limit: Limit::StringOffset, max: MAX_NAME_OFFSET })
    }

    /// Appends a string; that it is not there yet is the caller's to know. Returns its offset.
    pub fn add(&mut self, text: &[u8]) -> Result<u32, Error> {
        let offset = self.next()?;
        self.bytes.extend(text);
        self.bytes.push(0);
        Ok(offset)
    }
}
