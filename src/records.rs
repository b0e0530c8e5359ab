//! `-O srec` and `-O ihex`: loadable contents as lines of hexadecimal digits, byte for byte as GNU objcopy writes them.
//!
//! S-records: `S`, a type, then in hexadecimal the number of bytes that follow, address, data, checksum (Motorola). Types
//! 1, 2, 3 have addresses of 2, 3, 4 bytes, 9, 8, 7 end a file of them with the entry address, 0 names it.
//! Intel HEX: `:`, number of data bytes, address, type, data, checksum; type 0 is data, 1 the end, 2 and 4 give the upper
//! part of addresses, 3 and 5 the entry.

use std::fmt::Write;

use elfgraft_edit::{EditError, Loaded};

/// Data bytes of a line.
const LINE: usize = 16;

fn line(out: &mut String, start: &str, bytes: &[u8], checksum: u8) {
    out.push_str(start);
    for byte in bytes.iter().chain(&[checksum]) {
        // Writing to a String cannot fail.
        let _ = write!(out, "{byte:02X}");
    }
    out.push_str("\r\n");
}

fn sum(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |sum: u8, b| sum.wrapping_add(*b))
}

/// The 32 bits that a part's first byte goes to; those of its last one are the end of what there is.
fn start(part: &Loaded) -> Result<u32, EditError> {
    let (start, last) = (narrow(part.lma)?, (part.bytes.len() as u64).saturating_sub(1));
    if u64::from(start).saturating_add(last) > u32::MAX.into() {
        let (lma, size) = (part.lma, part.bytes.len());
        let why = format!("{size} bytes at load address {lma:#x} go beyond the 32 bits of a record");
        return Err(EditError::Refused { why });
    }
    Ok(start)
}

/// 32 bits of an address: of the upper half, sign-extended ones (MIPS) have no more.
fn narrow(address: u64) -> Result<u32, EditError> {
    let low = u32::try_from(address & 0xffff_ffff).unwrap_or_default();
    let extended = address >> 32 == 0xffff_ffff && low >> 31 == 1;
    match u32::try_from(address) {
        Ok(value) => Ok(value),
        Err(_) if extended => Ok(low),
        Err(_) => {
            Err(EditError::Refused { why: format!("load address {address:#x} does not fit the 32 bits of a record") })
        }
    }
}

/// S-records of `parts`; `name` is told in the first, `entry` in the last.
pub fn srec(parts: &[Loaded], name: &[u8], entry: u64) -> Result<Vec<u8>, EditError> {
    let mut lines = String::new();
    let record = |out: &mut String, kind: u8, width: usize, address: u32, data: &[u8]| {
        let address = address.to_be_bytes();
        let address = address.get(4 - width..).unwrap_or_default();
        let count = u8::try_from(width + data.len() + 1).unwrap_or(u8::MAX);
        let bytes = [&[count], address, data].concat();
        line(out, &format!("S{kind}"), &bytes, !sum(&bytes));
    };
    let mut highest = 0;
    for part in parts {
        highest = highest.max(part.lma.wrapping_add(part.bytes.len() as u64).wrapping_sub(1));
    }
    let kind: u8 = match highest {
        0..=0xffff => 1,
        0x1_0000..=0xff_ffff => 2,
        _ => 3,
    };
    let width = usize::from(kind) + 1;
    record(&mut lines, 0, 2, 0, name.get(..40).unwrap_or(name));
    for part in parts {
        let mut address = start(part)?;
        for data in part.bytes.chunks(LINE) {
            record(&mut lines, kind, width, address, data);
            address = address.wrapping_add(u32::try_from(data.len()).unwrap_or_default());
        }
    }
    record(&mut lines, 10 - kind, width, narrow(entry)?, &[]);
    Ok(lines.into_bytes())
}

/// Intel HEX of `parts`, with `entry` unless it is 0.
pub fn ihex(parts: &[Loaded], entry: u64) -> Result<Vec<u8>, EditError> {
    let mut lines = String::new();
    let record = |out: &mut String, kind: u8, address: u32, data: &[u8]| {
        let [.., high, low] = address.to_be_bytes();
        let count = u8::try_from(data.len()).unwrap_or(u8::MAX);
        let bytes = [&[count, high, low, kind], data].concat();
        line(out, ":", &bytes, 0u8.wrapping_sub(sum(&bytes)));
    };
    // What is added to the address of a record: of a segment below 1 MiB, or the upper 16 bits of any.
    let (mut segment, mut upper) = (0u32, 0u32);
    for part in parts {
        let mut address = start(part)?;
        let mut rest = &part.bytes[..];
        while !rest.is_empty() {
            // Another base is needed where the address is out of reach, above or, of parts that overlap, below.
            if !(segment + upper..=(segment + upper).saturating_add(0xffff)).contains(&address) {
                if address <= 0xf_ffff {
                    if upper != 0 {
                        record(&mut lines, 4, 0, &[0, 0]);
                        upper = 0;
                    }
                    segment = address & 0xf_0000;
                    record(&mut lines, 2, 0, &[(segment >> 12).to_be_bytes()[3], 0]);
                } else {
                    if segment != 0 {
                        record(&mut lines, 2, 0, &[0, 0]);
                        segment = 0;
                    }
                    upper = address & 0xffff_0000;
                    record(&mut lines, 4, 0, &upper.to_be_bytes()[..2]);
                }
            }
            let at = address.wrapping_sub(segment + upper);
            // A record does not cross 64 KiB.
            let room = usize::try_from(0x1_0000u32.saturating_sub(at)).unwrap_or(LINE).clamp(1, LINE);
            let (data, behind) = rest.split_at(room.min(rest.len()));
            record(&mut lines, 0, at, data);
            address = address.wrapping_add(u32::try_from(data.len()).unwrap_or_default());
            rest = behind;
        }
    }
    let entry = narrow(entry)?;
    match entry {
        0 => {}
        1..=0xf_ffff => record(
            &mut lines,
            3,
            0,
            &[((entry & 0xf_0000) >> 12).to_be_bytes()[3], 0, entry.to_be_bytes()[2], entry.to_be_bytes()[3]],
        ),
        _ => record(&mut lines, 5, 0, &entry.to_be_bytes()),
    }
    record(&mut lines, 1, 0, &[]);
    Ok(lines.into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(lma: u64, bytes: &[u8]) -> Loaded<'_> {
        Loaded { lma, bytes: bytes.into() }
    }

    #[test]
    fn srec_has_the_width_of_the_highest_address() {
        let text = |lma, entry| String::from_utf8(srec(&[part(lma, &[1, 2])], b"f", entry).unwrap()).unwrap();
        assert_eq!(text(0x10, 0x10), "S00400006695\r\nS10500100102E7\r\nS9030010EC\r\n");
        assert!(text(0xffff, 0).contains("S20600FFFF0102F8"), "{}", text(0xffff, 0));
        assert!(text(0xffff_ffff_8010_0000, 0x8010_0000).contains("S30780100000010265"));
        assert!(srec(&[part(1 << 32, &[1])], b"", 0).is_err());
    }

    /// Reads records back: every data byte with the address that it is at.
    fn loaded(text: &[u8]) -> Vec<(u32, u8)> {
        let (mut base, mut all) = (0, Vec::new());
        for line in std::str::from_utf8(text).unwrap().lines() {
            let digits = |at: usize| u8::from_str_radix(&line[1 + 2 * at..3 + 2 * at], 16).unwrap();
            let half = |at| u32::from(digits(at)) << 8 | u32::from(digits(at + 1));
            match digits(3) {
                0 => all.extend((0..u32::from(digits(0))).map(|n| (base + half(1) + n, digits(4 + n as usize)))),
                2 => base = half(4) << 4,
                4 => base = half(4) << 16,
                _ => {}
            }
        }
        all
    }

    #[test]
    fn ihex_of_parts_that_overlap_goes_back() {
        for lma in [0x1f_fff0, 0xf_fff0, 0x2_fff0, 0xffff_ffbf] {
            let parts = [part(lma, &[1; 0x40]), part(lma + 8, &[2; 0x38]), part(lma + 0x20, &[3])];
            let bytes = parts.iter().flat_map(|p| (p.lma..).zip(p.bytes.iter().copied()));
            let expected: Vec<_> = bytes.map(|(at, byte)| (u32::try_from(at).unwrap(), byte)).collect();
            assert_eq!(loaded(&ihex(&parts, 0).unwrap()), expected, "{lma:#x}");
        }
    }

    #[test]
    fn what_goes_beyond_32_bits_is_refused() {
        for lma in [0xffff_fff8, 0xffff_ffff_ffff_fff8] {
            let (fits, does_not) = ([part(lma, &[1; 8])], [part(lma, &[1; 9])]);
            assert!(ihex(&fits, 0).is_ok() && srec(&fits, b"", 0).is_ok(), "{lma:#x}");
            for e in [ihex(&does_not, 0).unwrap_err(), srec(&does_not, b"", 0).unwrap_err()] {
                assert!(e.to_string().contains("9 bytes"), "{e}");
            }
        }
    }

    #[test]
    fn ihex_says_the_upper_part_when_it_changes() {
        let text = String::from_utf8(ihex(&[part(0x40_fffe, &[1, 2, 3])], 0x40_1029).unwrap()).unwrap();
        let expected = ":020000040040BA\r\n:02FFFE000102FE\r\n:020000040041B9\r\n:0100000003FC\r\n:04000005004010297E\r\n:00000001FF\r\n";
        assert_eq!(text, expected);
    }
}
