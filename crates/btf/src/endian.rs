//! Integers in the byte order of the file, whatever the machine's is.

/// Byte order of BTF data or of an ELF file's sections (its data encoding).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endian {
    /// Least significant byte first (ELFDATA2LSB).
    Little,
    /// Most significant byte first (ELFDATA2MSB).
    Big,
}

impl Endian {
    /// The u16 at byte `offset` of `data`, or `None` where it does not fit.
    #[must_use]
    pub fn u16_at(self, data: &[u8], offset: usize) -> Option<u16> {
        let bytes = data.get(offset..)?.first_chunk()?;
        Some(match self {
            Endian::Little => u16::from_le_bytes(*bytes),
            Endian::Big => u16::from_be_bytes(*bytes),
        })
    }

    /// The u32 at byte `offset` of `data`, or `None` where it does not fit.
    #[must_use]
    pub fn u32_at(self, data: &[u8], offset: usize) -> Option<u32> {
        let bytes = data.get(offset..)?.first_chunk()?;
        Some(match self {
            Endian::Little => u32::from_le_bytes(*bytes),
            Endian::Big => u32::from_be_bytes(*bytes),
        })
    }

    /// The four bytes of `value` in this byte order.
    #[must_use]
    pub fn u32_bytes(self, value: u32) -> [u8; 4] {
        match self {
            Endian::Little => value.to_le_bytes(),
            Endian::Big => value.to_be_bytes(),
        }
    }

    /// Writes `value` at byte `offset` of `data`; `None`, and nothing written, where it does not fit.
    pub(crate) fn put_u32(self, data: &mut [u8], offset: usize, value: u32) -> Option<()> {
        *data.get_mut(offset..)?.first_chunk_mut()? = self.u32_bytes(value);
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_writes_both_orders_and_refuses_what_does_not_fit() {
        let mut data = [1, 2, 3, 4, 5];
        assert_eq!(Endian::Little.u32_at(&data, 1), Some(0x0504_0302));
        assert_eq!(Endian::Big.u32_at(&data, 1), Some(0x0203_0405));
        assert_eq!(Endian::Big.u16_at(&data, 3), Some(0x0405));
        assert_eq!(Endian::Little.u32_at(&data, 2), None);
        assert_eq!(Endian::Little.u32_at(&data, usize::MAX), None);
        assert_eq!(Endian::Big.put_u32(&mut data, 2, 0), None);
        assert_eq!(Endian::Big.put_u32(&mut data, 0, 0x0a0b_0c0d), Some(()));
        assert_eq!(data, [0x0a, 0x0b, 0x0c, 0x0d, 5]);
    }
}
