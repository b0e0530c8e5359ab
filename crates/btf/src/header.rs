//! The header of BTF data: magic, version, and where types, layout and strings lie.

use crate::{Endian, Error, Part};

/// Bytes of the header all versions share.
pub(crate) const SHORT: u32 = 24;
/// Bytes of the header that has `layout_off` and `layout_len`.
pub(crate) const WITH_LAYOUT: u32 = 32;

/// The header's fields, checked: the sections lie inside the data, in the order types, layout, strings.
///
/// Offsets count from the end of the header, as in the file; all numbers are bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Byte order, told by the magic.
    pub endian: Endian,
    /// Format flags; none is defined yet.
    pub flags: u8,
    /// Length of the header itself: 24, 32 with the layout fields, or longer.
    pub hdr_len: u32,
    /// Start of the type records.
    pub type_off: u32,
    /// Length of the type records.
    pub type_len: u32,
    /// Start of the strings.
    pub str_off: u32,
    /// Length of the strings.
    pub str_len: u32,
    /// Start of the layout section; 0 in a short header.
    pub layout_off: u32,
    /// Length of the layout section; 0 where there is none.
    pub layout_len: u32,
    /// Whether bytes of the header beyond the known fields are not zero. Such data can be read but must not be rewritten.
    pub has_unknown: bool,
}

impl Header {
    /// Reads and checks the header of `data`.
    pub(crate) fn parse(data: &[u8]) -> Result<Header, Error> {
        let truncated = Error::Truncated { len: data.len(), need: SHORT as usize };
        let &[a, b, version, flags] = data.first_chunk().ok_or(truncated.clone())?;
        let endian = match [a, b] {
            [0x9f, 0xeb] => Endian::Little,
            [0xeb, 0x9f] => Endian::Big,
            bytes => return Err(Error::BadMagic { bytes }),
        };
        if data.len() < SHORT as usize {
            return Err(truncated);
        }
        if version != 1 {
            return Err(Error::UnsupportedVersion { version });
        }
        let word = |offset| endian.u32_at(data, offset).ok_or(truncated.clone());
        let hdr_len = word(4)?;
        let known = if hdr_len >= WITH_LAYOUT { WITH_LAYOUT } else { SHORT };
        let rest = data.get(hdr_len as usize..).filter(|_| hdr_len >= SHORT);
        let Some(rest) = rest else { return Err(Error::BadHeaderLen { hdr_len, len: data.len() }) };
        let has_layout = hdr_len >= WITH_LAYOUT;
        let header = Header {
            endian,
            flags,
            hdr_len,
            type_off: word(8)?,
            type_len: word(12)?,
            str_off: word(16)?,
            str_len: word(20)?,
            layout_off: if has_layout { word(24)? } else { 0 },
            layout_len: if has_layout { word(28)? } else { 0 },
            has_unknown: data.get(known as usize..hdr_len as usize).is_some_and(|b| b.iter().any(|&b| b != 0)),
        };
        header.check_sections(rest.len() as u64)?;
        Ok(header)
    }

    fn check_sections(&self, available: u64) -> Result<(), Error> {
        let types = (Part::Types, self.type_off, self.type_len);
        let layout = (Part::Layout, self.layout_off, self.layout_len);
        let strings = (Part::Strings, self.str_off, self.str_len);
        let mut end = 0;
        let mut before = Part::Types;
        for (part, offset, len) in [types, layout, strings] {
            if part == Part::Layout && len == 0 {
                continue;
            }
            if u64::from(offset) < end {
                return Err(Error::Overlap { part, offset, before, end });
            }
            if part != Part::Strings && offset % 4 != 0 {
                return Err(Error::Misaligned { part, offset });
            }
            end = u64::from(offset) + u64::from(len);
            if end > available {
                return Err(Error::OutOfBounds { part, offset, len, available });
            }
            before = part;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A header of `hdr_len` bytes (fields after the eighth byte from `words`), then 64 bytes of room.
    fn raw(endian: Endian, hdr_len: u32, words: &[u32]) -> Vec<u8> {
        let mut data = if endian == Endian::Little { vec![0x9f, 0xeb, 1, 0] } else { vec![0xeb, 0x9f, 1, 0] };
        data.extend(endian.u32_bytes(hdr_len));
        for &word in words {
            data.extend(endian.u32_bytes(word));
        }
        data.resize(hdr_len as usize, 0);
        data.resize(hdr_len as usize + 64, 0);
        data
    }

    #[test]
    fn short_and_long_headers_of_both_orders() {
        for endian in [Endian::Little, Endian::Big] {
            let short = Header::parse(&raw(endian, 24, &[0, 12, 12, 9])).unwrap();
            assert_eq!((short.endian, short.type_len, short.str_off, short.str_len), (endian, 12, 12, 9));
            assert_eq!((short.layout_len, short.has_unknown), (0, false));
            let long = Header::parse(&raw(endian, 32, &[0, 12, 20, 9, 12, 8])).unwrap();
            assert_eq!((long.layout_off, long.layout_len, long.has_unknown), (12, 8, false));
            assert!(!Header::parse(&raw(endian, 40, &[0, 12, 20, 9, 12, 8, 0, 0])).unwrap().has_unknown);
            assert!(Header::parse(&raw(endian, 40, &[0, 12, 20, 9, 12, 8, 0, 7])).unwrap().has_unknown);
            // Half of the layout fields is not a field: unknown bytes, no layout.
            let odd = Header::parse(&raw(endian, 28, &[0, 12, 20, 9, 12])).unwrap();
            assert_eq!((odd.layout_off, odd.has_unknown), (0, true));
        }
    }

    #[test]
    fn every_lie_is_refused_with_its_numbers() {
        let le = Endian::Little;
        let parse = |hdr_len, words: &[u32]| Header::parse(&raw(le, hdr_len, words)).unwrap_err();
        assert_eq!(Header::parse(&[0x9f]).unwrap_err(), Error::Truncated { len: 1, need: 24 });
        assert_eq!(Header::parse(&raw(le, 24, &[])[..20]).unwrap_err(), Error::Truncated { len: 20, need: 24 });
        assert_eq!(Header::parse(b"\x7fELF").unwrap_err(), Error::BadMagic { bytes: *b"\x7fE" });
        assert_eq!(parse(20, &[]), Error::BadHeaderLen { hdr_len: 20, len: 84 });
        let mut data = raw(le, 24, &[]);
        data[4..8].copy_from_slice(&u32::MAX.to_le_bytes());
        assert_eq!(Header::parse(&data).unwrap_err(), Error::BadHeaderLen { hdr_len: u32::MAX, len: 88 });
        data[2] = 2;
        assert_eq!(Header::parse(&data).unwrap_err(), Error::UnsupportedVersion { version: 2 });
        let part = Part::Types;
        assert_eq!(parse(24, &[60, 8, 68, 1]), Error::OutOfBounds { part, offset: 60, len: 8, available: 64 });
        assert_eq!(
            parse(24, &[u32::MAX - 3, u32::MAX, 0, 1]),
            Error::OutOfBounds { part, offset: u32::MAX - 3, len: u32::MAX, available: 64 }
        );
        assert_eq!(parse(24, &[2, 8, 12, 1]), Error::Misaligned { part, offset: 2 });
        let part = Part::Strings;
        assert_eq!(parse(24, &[0, 8, 12, 53]), Error::OutOfBounds { part, offset: 12, len: 53, available: 64 });
        assert_eq!(parse(24, &[0, 8, 4, 1]), Error::Overlap { part, offset: 4, before: Part::Types, end: 8 });
        assert_eq!(parse(32, &[0, 8, 12, 1, 8, 8]), Error::Overlap { part, offset: 12, before: Part::Layout, end: 16 });
        assert_eq!(parse(32, &[0, 8, 16, 1, 10, 4]), Error::Misaligned { part: Part::Layout, offset: 10 });
    }
}
