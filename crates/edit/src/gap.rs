//! The gap between a chunk and the end of the one before it: the arithmetic behind laws L1 to L3.
//!
//! For a chunk of alignment `a` behind a predecessor that ends at `E`, the offsets it can stand at fall into classes:
//! the first aligned offset (*packed*), the aligned ones after it, and the misaligned ones, numbered in order. A gap is
//! moved behind another end `F` by keeping its class and number. Classes are the same set for every end, so moving from
//! `E` to `F` and on to `G` is moving from `E` to `G`, and moving back gives the old offset, whoever chose it.

use elfgraft_patch::Patch;

use crate::error::EditError;

/// Where a chunk at `start`, of alignment `align`, behind a predecessor ending at `old_end`, goes when the predecessor
/// ends at `new_end`. `None` if the offset leaves 64 bits. `align` is a power of two; `start >= old_end`.
pub(crate) fn moved(old_end: u64, start: u64, align: u64, new_end: u64) -> Option<u64> {
    if old_end == new_end {
        return Some(start);
    }
    let gap = start.checked_sub(old_end)?;
    let (old_packed, new_packed) = (packed(old_end, align), packed(new_end, align));
    let new_gap = if gap >= old_packed && (gap - old_packed) % align == 0 {
        new_packed.checked_add(gap - old_packed)?
    } else {
        // The rank among misaligned gaps: all gaps below this one, less the aligned ones among them.
        let aligned_below = if gap > old_packed { (gap - old_packed - 1) / align + 1 } else { 0 };
        let rank = gap - aligned_below;
        // Misaligned gaps are there only for an alignment of two or more.
        if rank < new_packed {
            rank
        } else {
            let behind = rank - new_packed;
            let (periods, rest) = (behind / (align - 1), behind % (align - 1));
            new_packed.checked_add(periods.checked_mul(align)?)?.checked_add(rest + 1)?
        }
    };
    new_end.checked_add(new_gap)
}

/// Whether the chunk stands at the first aligned offset behind its predecessor.
pub(crate) fn is_packed(old_end: u64, start: u64, align: u64) -> bool {
    start.checked_sub(old_end) == Some(packed(old_end, align))
}

/// `end` rounded up to `align`.
pub(crate) fn align_up(end: u64, align: u64) -> Option<u64> {
    end.checked_add(packed(end, align))
}

/// Padding that a result gets where its input has less: 64 MiB, far beyond what objects are aligned to. A file of some kB
/// whose `sh_addralign` is 2^35 became one of 34 GB.
pub(crate) const MOST_PADDING: u64 = 1 << 26;

/// Refuses a result that would consist of padding and zeros, each within reason: a file of 700 kB with 10,000 sections was
/// made that would have become 670 GB. Programs have less `.bss` than this to be made contents.
pub(crate) fn check_filled(patch: &Patch, input: u64) -> Result<(), EditError> {
    match patch.filled() {
        filled if filled > input.saturating_add(1 << 30) => {
            Err(EditError::Refused { why: format!("the result would have {filled} bytes of padding and zeros") })
        }
        _ => Ok(()),
    }
}

pub(crate) fn too_much_padding(padding: u64, align: u64) -> EditError {
    EditError::Refused { why: format!("an alignment of {align:#x} would need {padding} bytes of padding") }
}

pub(crate) fn too_far() -> EditError {
    EditError::Refused { why: "the result would be larger than 2^64 bytes".into() }
}

/// Where something new of this alignment goes behind `end`: [`align_up`], within reason.
pub(crate) fn aligned(end: u64, align: u64) -> Result<u64, EditError> {
    match align_up(end, align).ok_or_else(too_far)? {
        at if at - end > MOST_PADDING => Err(too_much_padding(at - end, align)),
        at => Ok(at),
    }
}

fn packed(end: u64, align: u64) -> u64 {
    end.wrapping_neg() & (align - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn packed_stays_packed_and_excess_stays_excess() {
        assert_eq!(moved(10, 16, 8, 13), Some(16));
        assert_eq!(moved(10, 16, 8, 17), Some(24));
        assert_eq!(moved(10, 32, 8, 17), Some(40));
        assert_eq!(moved(10, 13, 1, 20), Some(23));
    }

    #[test]
    fn misaligned_stays_misaligned() {
        let there = moved(10, 13, 8, 13).unwrap();
        assert_ne!(there % 8, 0);
        assert_eq!(moved(13, there, 8, 10), Some(13));
    }

    #[test]
    fn too_far_is_none() {
        assert_eq!(moved(0, 1 << 63, 1 << 63, u64::MAX), None);
        assert_eq!(align_up(u64::MAX, 2), None);
    }

    proptest! {
        /// Path independence and inverse, for any gap.
        #[test]
        fn moving_composes(e in 0u64..5000, gap in 0u64..300, bits in 0u32..8, f in 0u64..5000, g in 0u64..5000) {
            let align = 1 << bits;
            let at_f = moved(e, e + gap, align, f).unwrap();
            prop_assert!(at_f >= f);
            prop_assert_eq!((e + gap).is_multiple_of(align), at_f.is_multiple_of(align));
            prop_assert_eq!(moved(f, at_f, align, g), moved(e, e + gap, align, g));
            prop_assert_eq!(moved(f, at_f, align, e), Some(e + gap));
        }
    }
}
