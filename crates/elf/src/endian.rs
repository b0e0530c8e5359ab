//! EI_DATA.

/// The byte order of a file's structures (EI_DATA).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Endianness {
    /// ELFDATA2LSB: least significant byte first.
    Little,
    /// ELFDATA2MSB: most significant byte first.
    Big,
}

impl Endianness {
    /// As the reading library has it. Its types stay inside this crate: its versions are not ours.
    pub(crate) fn raw(self) -> object::Endianness {
        match self {
            Endianness::Little => object::Endianness::Little,
            Endianness::Big => object::Endianness::Big,
        }
    }
}
