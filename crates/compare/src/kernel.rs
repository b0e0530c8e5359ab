//! The small formats of kernel files: notes, `.modinfo`, `.module_hashes`, module signatures. For comparison and check.

use elfgraft_btf::Endian;

/// One note of an SHT_NOTE section.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Note<'a> {
    /// With its NUL, if it has one.
    pub name: &'a [u8],
    pub kind: u32,
    pub desc: &'a [u8],
}

/// The notes of a section, and whether these are all it holds. Names and contents are padded to `align`, which is 8
/// only in sections that say so.
pub(crate) fn notes(data: &[u8], align: u64, endian: Endian) -> (Vec<Note<'_>>, bool) {
    let align = if align == 8 { 8 } else { 4 };
    let mut notes = Vec::new();
    let mut at = 0;
    while at < data.len() {
        let Some((note, end)) = note(data, at, align, endian) else { return (notes, false) };
        notes.push(note);
        at = end;
    }
    (notes, true)
}

fn note(data: &[u8], at: usize, align: usize, endian: Endian) -> Option<(Note<'_>, usize)> {
    let word = |index: usize| endian.u32_at(data, at.checked_add(4 * index)?);
    let part = |start: usize, len: u32| data.get(start..)?.get(..usize::try_from(len).ok()?);
    let name = part(at.checked_add(12)?, word(0)?)?;
    // The last padding may be missing.
    let start = (at + 12).checked_add(name.len())?.checked_next_multiple_of(align)?.min(data.len());
    let desc = part(start, word(1)?)?;
    let end = start.checked_add(desc.len())?.checked_next_multiple_of(align)?.min(data.len());
    Some((Note { name, kind: word(2)?, desc }, end))
}

impl Note<'_> {
    /// `NT_GNU_BUILD_ID`.
    pub fn is_build_id(&self) -> bool {
        self.name == b"GNU\0" && self.kind == 3
    }
}

/// The strings of `.modinfo`, mostly `key=value`. Empty ones are padding.
pub(crate) fn modinfo(data: &[u8]) -> impl Iterator<Item = &[u8]> {
    data.split(|&byte| byte == 0).filter(|entry| !entry.is_empty())
}

/// `.module_hashes`: levels and root.
pub(crate) fn module_hashes(data: &[u8], endian: Endian) -> Option<(u32, &[u8; 32])> {
    let (_, root) = data.split_first_chunk::<4>()?;
    Some((endian.u32_at(data, 0)?, root.try_into().ok()?))
}

const MARKER: &[u8] = b"~Module signature appended~\n";

/// The most levels a tree of module hashes has: positions have 32 bits.
pub(crate) const MAX_LEVELS: u32 = 32;

/// A module signature: contents, `struct module_signature` (12 bytes), marker.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Signature<'a> {
    /// 2: PKCS#7, 3: Merkle proof.
    pub id_type: u8,
    /// What is before the signature: the module, and all other bytes behind its last structure.
    pub before: &'a [u8],
    pub contents: &'a [u8],
    /// The bytes of `struct module_signature` that must be 0.
    pub zeros: [u8; 7],
}

/// Why bytes that end in the marker hold no signature.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum SignatureError {
    /// No room for `struct module_signature`.
    NoRoom,
    /// The signature is longer than what is before the structure.
    TooLong { length: u32, room: usize },
}

/// The signature at the end of `data`; `None` without the marker.
pub(crate) fn signature(data: &[u8]) -> Option<Result<Signature<'_>, SignatureError>> {
    let rest = data.strip_suffix(MARKER)?;
    let Some((rest, &[algo, hash, id_type, signer_len, key_id_len, p0, p1, p2, ref length @ ..])) =
        rest.split_last_chunk::<12>()
    else {
        return Some(Err(SignatureError::NoRoom));
    };
    let length = u32::from_be_bytes(*length);
    let at = usize::try_from(length).ok().and_then(|length| rest.len().checked_sub(length));
    let Some((before, contents)) = at.and_then(|at| rest.split_at_checked(at)) else {
        return Some(Err(SignatureError::TooLong { length, room: rest.len() }));
    };
    Some(Ok(Signature { id_type, before, contents, zeros: [algo, hash, signer_len, key_id_len, p0, p1, p2] }))
}

impl Signature<'_> {
    /// What kind of signature it is, in words.
    pub fn kind(&self) -> String {
        match self.id_type {
            2 => "PKCS#7".to_string(),
            3 => "Merkle proof".to_string(),
            other => format!("unknown type {other}"),
        }
    }

    /// Position of the module and hashes of its siblings from the leaf up, of a Merkle proof.
    pub fn proof(&self) -> Option<(u32, &[[u8; 32]])> {
        if self.id_type != 3 {
            return None;
        }
        let (position, hashes) = self.contents.split_first_chunk::<4>()?;
        let (hashes, rest) = hashes.as_chunks::<32>();
        rest.is_empty().then_some((u32::from_be_bytes(*position), hashes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(endian: Endian, words: &[u32]) -> Vec<u8> {
        words.iter().flat_map(|&word| endian.u32_bytes(word)).collect()
    }

    #[test]
    fn notes_are_padded_as_the_section_says() {
        for endian in [Endian::Little, Endian::Big] {
            let note = |padding: &[u8]| {
                [&words(endian, &[4, 2, 3])[..], b"GNU\0", &[0xaa, 0xbb], padding, &words(endian, &[1, 0, 7]), b"\0"]
                    .concat()
            };
            let want =
                [Note { name: b"GNU\0", kind: 3, desc: &[0xaa, 0xbb] }, Note { name: b"\0", kind: 7, desc: &[] }];
            let four = note(&[0; 2]);
            assert_eq!(notes(&four, 4, endian), (Vec::from(want), true));
            let eight = note(&[0; 6]);
            assert_eq!(notes(&eight, 8, endian).0.len(), 2);
            assert!(!notes(&four[..four.len() - 2], 4, endian).1);
            assert!(notes(&four, 0, endian).0[0].is_build_id());
        }
        let huge = words(Endian::Little, &[u32::MAX, u32::MAX, 1]);
        assert_eq!(notes(&huge, 4, Endian::Little), (vec![], false));
    }

    #[test]
    fn signatures_end_in_the_marker() {
        let signed = |length: u32, contents: &[u8]| {
            [b"module", contents, &[0, 0, 2, 0, 0, 0, 0, 0], &length.to_be_bytes(), MARKER].concat()
        };
        let good = signed(3, b"sig");
        let want = Signature { id_type: 2, before: b"module", contents: b"sig", zeros: [0; 7] };
        assert_eq!(signature(&good), Some(Ok(want)));
        assert_eq!(signature(&good[..good.len() - 1]), None);
        assert_eq!(signature(&signed(10, b"sig")), Some(Err(SignatureError::TooLong { length: 10, room: 9 })));
        assert_eq!(signature(&good[good.len() - MARKER.len() - 11..]), Some(Err(SignatureError::NoRoom)));
    }

    #[test]
    fn proofs_hold_a_position_and_whole_hashes() {
        let proof = [&[0, 0, 1, 2][..], &[7; 64]].concat();
        let signature = |id_type, contents| Signature { id_type, before: b"", contents, zeros: [0; 7] };
        assert_eq!(signature(3, &proof).proof(), Some((0x102, &[[7; 32]; 2][..])));
        assert_eq!(signature(3, &proof[1..]).proof(), None);
        assert_eq!(signature(2, &proof).proof(), None);
    }

    #[test]
    fn modinfo_may_be_padded() {
        let entries: Vec<_> = modinfo(b"license=GPL\0\0\0author=me\0").collect();
        assert_eq!(entries, [&b"license=GPL"[..], b"author=me"]);
    }
}
