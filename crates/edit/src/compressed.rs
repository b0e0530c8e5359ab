//! Contents of `SHF_COMPRESSED` sections: a header (gABI, "Compressed Section"), then a stream nobody reads here.

use elfgraft_elf::Format;
use elfgraft_elf::encode::read_word;

/// `ch_type` of zlib and zstd, and where those of systems and processors begin.
const KNOWN: [u32; 2] = [1, 2];
const ELFCOMPRESS_LOOS: u32 = 0x6000_0000;

/// Whether contents begin as those of a compressed section must: else its readers would take any bytes for a stream.
pub(crate) fn is_valid(format: Format, contents: &[u8]) -> bool {
    // ELF32: ch_type, ch_size, ch_addralign. ELF64: ch_type, a reserved word, ch_size, ch_addralign of 8 bytes each.
    let (size, align_at) = if format.is_64 { (24, 16) } else { (12, 8) };
    let Some(ch_type) = read_word(format, contents, 0).filter(|_| contents.len() >= size) else { return false };
    let align = contents.get(align_at..size).unwrap_or_default();
    let is_power_or_zero = align.iter().map(|b| b.count_ones()).sum::<u32>() <= 1;
    (KNOWN.contains(&ch_type) || ch_type >= ELFCOMPRESS_LOOS) && is_power_or_zero
}

#[cfg(test)]
mod tests {
    use super::*;
    use elfgraft_elf::Endianness;

    #[test]
    fn b22_headers_of_both_classes_and_byte_orders() {
        let format = |is_64, endian| Format { is_64, endian, e_type: 1, e_machine: 62 };
        let little64 = [1, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0x78];
        let big32 = [0, 0, 0, 2, 0, 0, 0, 9, 0, 0, 0, 4];
        assert!(is_valid(format(true, Endianness::Little), &little64));
        assert!(is_valid(format(false, Endianness::Big), &big32));
        assert!(!is_valid(format(true, Endianness::Big), &little64), "ch_type 0x1000000");
        assert!(!is_valid(format(false, Endianness::Big), &big32[..11]), "cut off");
        let mut odd = big32;
        odd[11] = 5;
        assert!(!is_valid(format(false, Endianness::Big), &odd), "ch_addralign 5");
        assert!(!is_valid(format(false, Endianness::Big), b""));
    }
}
