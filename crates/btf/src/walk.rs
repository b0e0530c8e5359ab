//! The walk over all type records, each of which begins where the one before it ends.

use crate::{Btf, Endian, Error, Part, record};

/// Looks on while records are walked: each one's ID, the number of its kind, and the offset of its name.
pub(crate) trait Visit {
    fn record(&mut self, id: u32, kind: u8, name_off: u32);
}

impl Visit for () {
    fn record(&mut self, _: u32, _: u8, _: u32) {}
}

impl Btf<'_> {
    /// Fills in where the types of this part begin and which IDs they have; the rest is there already.
    pub(crate) fn walk(&mut self, visit: &mut impl Visit) -> Result<(), Error> {
        (self.offsets, self.end_id) = match self.endian() {
            Endian::Little => self.walk_words(u32::from_le_bytes, visit),
            Endian::Big => self.walk_words(u32::from_be_bytes, visit),
        }?;
        Ok(())
    }

    /// Finds where each record begins, and the ID after the last. Of a kernel's BTF this is most of the time, so nothing in
    /// the loop makes an error to drop it again, or asks for the byte order.
    fn walk_words(&self, word: impl Fn([u8; 4]) -> u32, visit: &mut impl Visit) -> Result<(Vec<u32>, u32), Error> {
        let mut offsets = Vec::new();
        let mut id = self.first_id;
        let mut rest = self.types;
        while !rest.is_empty() {
            // The types' length fits 32 bits.
            let offset = u32::try_from(self.types.len() - rest.len()).unwrap_or(u32::MAX);
            let size = match rest.first_chunk() {
                Some(&[a, b, c, d, e, f, g, h, _, _, _, _]) => {
                    let info = word([e, f, g, h]);
                    let kind = record::kind_number(info);
                    visit.record(id, kind, word([a, b, c, d]));
                    match record::known_size(kind, record::vlen(info)) {
                        Some(size) => size,
                        None => self.unknown_size(id, info)?,
                    }
                }
                None => record::HEAD as u64,
            };
            let Some(behind) = usize::try_from(size).ok().and_then(|size| rest.get(size..)) else {
                return Err(Error::RecordTruncated { id, offset, size, available: rest.len() });
            };
            offsets.push(offset);
            let Some(next) = id.checked_add(1) else { return Err(Error::TooLarge { part: Part::Types }) };
            id = next;
            rest = behind;
        }
        Ok((offsets, id))
    }

    /// Bytes of a record whose kind only the layout section tells of.
    #[cold]
    fn unknown_size(&self, id: u32, info: u32) -> Result<u64, Error> {
        let (kind, vlen) = (record::kind_number(info), record::vlen(info));
        // Split BTF shares the layout section of its base.
        let own = self.layout();
        let layout = if own.is_empty() { self.base().map_or(own, Btf::layout) } else { own };
        let entry = layout.get(usize::from(kind) * 4..).and_then(<[u8]>::first_chunk);
        let (true, Some(&[info_sz, elem_sz, _, _])) = (kind != 0, entry) else {
            return Err(Error::UnknownKind { id, kind });
        };
        if info_sz % 4 != 0 || elem_sz % 4 != 0 {
            return Err(Error::BadLayoutEntry { kind, info_sz, elem_sz });
        }
        Ok(record::HEAD as u64 + u64::from(info_sz) + u64::from(elem_sz) * u64::from(vlen))
    }

    /// Shows all records of this part once more.
    pub(crate) fn visit(&self, visit: &mut impl Visit) {
        let (endian, types) = (self.endian(), self.types);
        for (id, &offset) in self.own_ids().zip(&self.offsets) {
            let Some(head) = types.get(offset as usize..).and_then(<[u8]>::first_chunk::<8>) else { continue };
            let (name_off, info) =
                (endian.u32_at(head, 0).unwrap_or_default(), endian.u32_at(head, 4).unwrap_or_default());
            visit.record(id, record::kind_number(info), name_off);
        }
    }
}
