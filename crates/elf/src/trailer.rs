//! Bytes after everything: an appended module signature.
//!
//! ```text
//!   ELF file ... | signature (sig_len bytes) | struct module_signature (12 bytes) | "~Module signature appended~\n"
//! ```
//! `struct module_signature` (kernel, `include/linux/module_signature.h`): algo, hash, id_type, signer_len,
//! key_id_len (a byte each), 3 zero bytes, and `sig_len` as a big-endian u32, whatever the byte order of the file.

/// The marker that ends a signed module.
pub const MAGIC: &[u8; 28] = b"~Module signature appended~\n";

/// `id_type` of a PKCS#7 signature.
pub const PKEY_ID_PKCS7: u8 = 2;
/// `id_type` of a Merkle proof (CONFIG_MODULE_HASHES).
pub const PKEY_ID_MERKLE: u8 = 3;

/// An appended signature, found by its marker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trailer {
    /// File offset of the first signature byte: the size of the file without the signature.
    pub offset: u64,
    /// Bytes from `offset` to the end of the file: signature, structure and marker.
    pub size: u64,
    /// What kind of signature: [`PKEY_ID_PKCS7`], [`PKEY_ID_MERKLE`] or another.
    pub id_type: u8,
}

impl Trailer {
    /// Finds the signature at the end of `data`. `None` when there is no marker. A marker whose structure is nonsense
    /// (a length beyond the file) counts as a signature of 0 bytes: marker and structure still are no part of the ELF file.
    pub fn find(data: &[u8]) -> Option<Trailer> {
        let before = data.strip_suffix(MAGIC)?;
        let (body, info) = match before.split_last_chunk::<12>() {
            Some(split) => split,
            None => return Some(Trailer { offset: before.len() as u64, size: MAGIC.len() as u64, id_type: 0 }),
        };
        let [_, _, id_type, .., l3, l2, l1, l0] = *info;
        let sig_len = u64::from(u32::from_be_bytes([l3, l2, l1, l0]));
        let offset = (body.len() as u64).checked_sub(sig_len).unwrap_or(body.len() as u64);
        Some(Trailer { offset, size: data.len() as u64 - offset, id_type })
    }

    /// The kind of signature in words.
    pub fn kind(&self) -> &'static str {
        match self.id_type {
            PKEY_ID_PKCS7 => "PKCS#7 signature",
            PKEY_ID_MERKLE => "Merkle proof",
            _ => "signature of unknown type",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signed(body: &[u8], sig: &[u8], claimed: u32, id_type: u8) -> Vec<u8> {
        let mut v = [body, sig, &[0, 0, id_type, 0, 0, 0, 0, 0]].concat();
        v.extend(claimed.to_be_bytes());
        v.extend(MAGIC);
        v
    }

    #[test]
    fn signature_is_found_with_its_length() {
        let file = signed(b"elf", b"pkcs7", 5, PKEY_ID_PKCS7);
        let found = Trailer::find(&file).unwrap();
        assert_eq!((found.offset, found.size, found.id_type), (3, 5 + 12 + 28, 2));
        assert_eq!(found.kind(), "PKCS#7 signature");
    }

    #[test]
    fn no_marker_is_no_signature() {
        assert_eq!(Trailer::find(b"elf"), None);
        assert_eq!(Trailer::find(b""), None);
        assert_eq!(Trailer::find(&MAGIC[1..]), None);
    }

    #[test]
    fn a_length_beyond_the_file_is_a_signature_of_no_bytes() {
        let found = Trailer::find(&signed(b"elf", b"", u32::MAX, 2)).unwrap();
        assert_eq!((found.offset, found.size), (3, 40));
        let bare = Trailer::find(MAGIC).unwrap();
        assert_eq!((bare.offset, bare.size), (0, 28));
    }
}
