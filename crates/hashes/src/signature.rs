//! The signature behind a module, of whatever kind: where it is, and how a proof becomes one.
//!
//! ```text
//! contents | signature, sig_len bytes | struct module_signature, 12 bytes | marker, 28 bytes
//!                                       0 algo  1 hash  2 id_type  3 signer_len
//!                                       4 key_id_len  5 three of padding  8 be32 sig_len
//! ```
//! Only the last one counts: the kernel takes off one, and everything before it is contents.

use std::ops::Range;
use std::{error, fmt};

use crate::{Error, Proof};

const MARKER: &[u8; 28] = b"~Module signature appended~\n";

/// Bytes of struct module_signature.
const INFO_LEN: usize = 12;

/// `id_type` of struct module_signature, of those the kernel still knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdType {
    /// A signature by a key.
    Pkcs7 = 2,
    /// A Merkle proof.
    Merkle = 3,
}

/// A well-formed signature at the end of a module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trailer {
    /// What kind of signature it is.
    pub id_type: IdType,
    /// Offsets of the signature in the file. It covers what is before it, which is not empty; the
    /// rest of the file, [`Trailer::LEN`] bytes, describes it.
    pub signature: Range<u64>,
}

/// Why a module that ends in the marker has no signature the kernel could look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TrailerError {
    /// Occurs when there is no room for struct module_signature and contents before the marker.
    NoRoom {
        /// Size of the file in bytes.
        len: u64,
    },
    /// Occurs when id_type is neither 2 nor 3.
    IdType {
        /// The id_type.
        id_type: u8,
    },
    /// Occurs when the signature would take the whole file, or more.
    SigLen {
        /// Length of the signature in bytes, as told.
        sig_len: u32,
        /// Bytes before struct module_signature.
        room: u64,
    },
    /// Occurs when a byte that must be 0 is not.
    NotZero {
        /// Its offset in struct module_signature.
        offset: usize,
        /// What it is.
        value: u8,
    },
}

impl TrailerError {
    /// The name of the error the kernel returns.
    pub fn errno(&self) -> &'static str {
        match self {
            Self::IdType { .. } => "ENOPKG",
            _ => "EBADMSG",
        }
    }
}

impl fmt::Display for TrailerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoRoom { len } => write!(f, "signature marker in a file of {len} bytes, too short for a signature"),
            Self::IdType { id_type } => {
                write!(f, "signature of unknown id_type {id_type}, neither PKCS#7 (2) nor Merkle proof (3)")
            }
            Self::SigLen { sig_len, room } => {
                write!(f, "signature of {sig_len} bytes, only {room} bytes of module before it")
            }
            Self::NotZero { offset, value } => {
                write!(f, "struct module_signature: byte {offset} is {value:#04x}, must be 0")
            }
        }
    }
}

impl error::Error for TrailerError {}

impl Trailer {
    /// Bytes behind the signature: struct module_signature and the marker.
    pub const LEN: usize = INFO_LEN + MARKER.len();

    /// Looks at `tail`, the last [`Trailer::LEN`] bytes of a module of `file_len` bytes, or all of
    /// a shorter one. `None` when there is no signature. The checks and their order are those of
    /// the kernel (mod_verify_sig, mod_check_sig), so the error is the one it would return.
    pub fn parse(tail: &[u8], file_len: u64) -> Result<Option<Self>, TrailerError> {
        let Some(before) = tail.strip_suffix(MARKER) else {
            return Ok(None);
        };
        // Nothing before the marker, then it is not looked for; and less than the structure and
        // one byte, then it cannot be one.
        let room = file_len.saturating_sub(Self::LEN as u64);
        let info: &[u8; INFO_LEN] = match before.last_chunk() {
            _ if before.is_empty() => return Ok(None),
            Some(info) if room > 0 => info,
            _ => return Err(TrailerError::NoRoom { len: file_len }),
        };
        let [algo, hash, id_type, signer_len, key_id_len, pad0, pad1, pad2, sig_len @ ..] = *info;
        let sig_len = u32::from_be_bytes(sig_len);

        let id_type = match id_type {
            2 => IdType::Pkcs7,
            3 => IdType::Merkle,
            _ => return Err(TrailerError::IdType { id_type }),
        };
        // A signature that leaves no contents is refused as well.
        let Some(start) = room.checked_sub(u64::from(sig_len)).filter(|&start| start > 0) else {
            return Err(TrailerError::SigLen { sig_len, room });
        };
        let zeros = [algo, hash, 0, signer_len, key_id_len, pad0, pad1, pad2];
        if let Some((offset, &value)) = zeros.iter().enumerate().find(|&(_, &value)| value != 0) {
            return Err(TrailerError::NotZero { offset, value });
        }
        let signature = start..room;
        Ok(Some(Self { id_type, signature }))
    }
}

/// `module` without the Merkle proofs at its end, several when it was installed over itself with
/// `cat x.merkle >> x.ko`. What is then at the end is in the second value: nothing, or a PKCS#7
/// signature, which is contents as far as hashes go. Fails when it is a broken signature.
pub fn without_proofs(module: &[u8]) -> Result<(&[u8], Option<IdType>), TrailerError> {
    let mut contents = module;
    loop {
        let tail = contents.last_chunk::<{ Trailer::LEN }>().map_or(contents, |tail| tail);
        let (id_type, start) = match Trailer::parse(tail, contents.len() as u64)? {
            None => return Ok((contents, None)),
            Some(trailer) => (trailer.id_type, usize::try_from(trailer.signature.start).ok()),
        };
        match start.and_then(|start| contents.get(..start)) {
            Some(before) if id_type == IdType::Merkle => contents = before,
            _ => return Ok((contents, Some(id_type))),
        }
    }
}

/// The proof in a `.merkle` file; fails when `bytes` are not exactly what [`merkle_file`] gives.
pub fn parse_merkle_file(bytes: &[u8]) -> crate::Result<Proof> {
    let error = Error::NotMerkleFile { len: bytes.len() };
    let proof = bytes.len().checked_sub(Trailer::LEN).and_then(|len| bytes.get(..len));
    let proof = Proof::decode(proof.ok_or(error)?)?;
    match merkle_file(&proof) == bytes {
        true => Ok(proof),
        false => Err(Error::NotMerkleFile { len: bytes.len() }),
    }
}

/// What is appended to a module to give it this proof: the contents of its `.merkle` file. Proofs
/// that are there already are to be taken off before, see [`without_proofs`].
pub fn merkle_file(proof: &Proof) -> Vec<u8> {
    let [a, b, c, d] = proof.encoded_len().to_be_bytes();
    let mut bytes = proof.encode();
    bytes.extend([0, 0, IdType::Merkle as u8, 0, 0, 0, 0, 0, a, b, c, d]);
    bytes.extend(MARKER);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Hash, Tree};

    /// A module of 100 bytes with a proof, and what is wrong with it after `poke`.
    fn parse(poke: impl Fn(&mut Vec<u8>)) -> Result<Option<Trailer>, TrailerError> {
        let proof = Tree::new([Hash::ZERO; 4]).proof(2).unwrap();
        let mut module = vec![0x7f; 100];
        module.extend(merkle_file(&proof));
        poke(&mut module);
        let tail = module.len().saturating_sub(Trailer::LEN);
        Trailer::parse(&module[tail..], module.len() as u64)
    }

    /// Where struct module_signature begins in that module.
    const INFO: usize = 100 + 4 + 2 * 32;

    #[test]
    fn bytes_of_a_merkle_file() {
        let proof = Tree::new([Hash::ZERO; 4]).proof(2).unwrap();
        let bytes = merkle_file(&proof);
        assert_eq!(bytes.len(), 68 + 12 + 28);
        assert_eq!(bytes[..68], proof.encode());
        assert_eq!(bytes[68..80], [0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 68]);
        assert_eq!(&bytes[80..], b"~Module signature appended~\n");
    }

    #[test]
    fn merkle_files_are_read_back() {
        for count in [1, 2, 5] {
            let proof = Tree::new(vec![Hash::ZERO; count]).proof(0).unwrap();
            assert_eq!(parse_merkle_file(&merkle_file(&proof)).unwrap(), proof);
        }
    }

    #[test]
    fn anything_but_a_merkle_file_is_refused() {
        let good = merkle_file(&Tree::new([Hash::ZERO; 4]).proof(2).unwrap());
        // A poked byte of the proof gives another proof; of what is behind it, none.
        for place in 68..good.len() {
            let mut bad = good.clone();
            bad[place] ^= 1;
            assert!(matches!(parse_merkle_file(&bad), Err(Error::NotMerkleFile { len: 108 })), "byte {place}");
        }
        for len in 0..good.len() {
            assert!(parse_merkle_file(&good[good.len() - len..]).is_err(), "{len} bytes");
        }
        assert!(parse_merkle_file(&[&b"module"[..], &good].concat()).is_err());
    }

    #[test]
    fn all_proofs_come_off_and_nothing_else() {
        let proof = merkle_file(&Tree::new([Hash::ZERO; 4]).proof(2).unwrap());
        for count in 0..4 {
            let module = [b"contents", &proof.repeat(count)[..]].concat();
            assert_eq!(without_proofs(&module), Ok((&b"contents"[..], None)), "{count} proofs");
        }
        let mut signed = [b"contents", &proof[..]].concat();
        let id_type = signed.len() - Trailer::LEN + 2;
        signed[id_type] = 2;
        let both = [&signed[..], &proof].concat();
        assert_eq!(without_proofs(&signed), Ok((&signed[..], Some(IdType::Pkcs7))));
        assert_eq!(without_proofs(&both), Ok((&signed[..], Some(IdType::Pkcs7))));
        signed[id_type] = 9;
        let both = [&signed[..], &proof].concat();
        assert_eq!(without_proofs(&both), Err(TrailerError::IdType { id_type: 9 }));
    }

    #[test]
    fn a_proof_is_found_where_it_was_put() {
        let trailer = parse(|_| ()).unwrap().unwrap();
        assert_eq!((trailer.id_type, trailer.signature), (IdType::Merkle, 100..168));
    }

    #[test]
    fn a_pkcs7_signature_is_told_apart() {
        let trailer = parse(|module| module[INFO + 2] = 2).unwrap().unwrap();
        assert_eq!((trailer.id_type, trailer.signature), (IdType::Pkcs7, 100..168));
    }

    #[test]
    fn only_the_last_of_two_signatures_counts() {
        let trailer = parse(|module| module.extend_from_within(100..)).unwrap().unwrap();
        assert_eq!(trailer.signature, 208..276);
    }

    #[test]
    fn no_marker_no_signature() {
        assert_eq!(parse(|module| module.truncate(100)), Ok(None));
        assert_eq!(parse(Vec::clear), Ok(None));
        assert_eq!(parse(|module| module.push(0)), Ok(None));
        assert_eq!(
            parse(|module| {
                module.pop();
            }),
            Ok(None)
        );
        // The kernel looks for a marker behind something.
        assert_eq!(
            parse(|module| {
                module.drain(..INFO + 12);
            }),
            Ok(None)
        );
    }

    #[test]
    fn short_files() {
        for keep in 1..=12 {
            let error = parse(|module| {
                module.drain(..INFO + 12 - keep);
            })
            .unwrap_err();
            assert_eq!(error, TrailerError::NoRoom { len: keep as u64 + 28 });
            assert_eq!(error.errno(), "EBADMSG");
        }
        // One byte more, and the length is looked at.
        let error = parse(|module| {
            module.drain(..INFO - 1);
        });
        assert_eq!(error, Err(TrailerError::SigLen { sig_len: 68, room: 1 }));
    }

    #[test]
    fn length_must_leave_contents() {
        let with_len = |len: u32| parse(|module| module[INFO + 8..INFO + 12].copy_from_slice(&len.to_be_bytes()));
        assert_eq!(with_len(0).unwrap().unwrap().signature, 168..168);
        assert_eq!(with_len(167).unwrap().unwrap().signature, 1..168);
        for sig_len in [168, 169, u32::MAX] {
            let error = with_len(sig_len).unwrap_err();
            assert_eq!(error, TrailerError::SigLen { sig_len, room: 168 });
            assert_eq!(error.errno(), "EBADMSG");
        }
    }

    #[test]
    fn reserved_bytes_must_be_zero() {
        for offset in [0, 1, 3, 4, 5, 6, 7] {
            let error = parse(|module| module[INFO + offset] = 9).unwrap_err();
            assert_eq!(error, TrailerError::NotZero { offset, value: 9 });
            assert_eq!(error.errno(), "EBADMSG");
        }
    }

    #[test]
    fn unknown_kinds_are_named_before_anything_else() {
        for id_type in [0, 1, 4, 255] {
            let error = parse(|module| {
                module[INFO] = 1;
                module[INFO + 2] = id_type;
                module[INFO + 8] = 0xff;
            });
            let error = error.unwrap_err();
            assert_eq!(error, TrailerError::IdType { id_type });
            assert_eq!(error.errno(), "ENOPKG");
        }
    }

    #[test]
    fn offsets_of_a_large_file_are_not_cut() {
        let mut tail = merkle_file(&Tree::new([Hash::ZERO]).proof(0).unwrap());
        tail.drain(..36);
        let trailer = Trailer::parse(&tail, 5 << 30).unwrap().unwrap();
        assert_eq!(trailer.signature, (5 << 30) - 76..(5 << 30) - 40);
    }
}
