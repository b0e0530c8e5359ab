//! Reads one module: streamed, so that memory does not follow its size, and watched, so that no
//! hash is told of contents that were never there as a whole.

use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;

use crate::signature::{IdType, Trailer, TrailerError};
use crate::{Error, Hash, LeafHasher, Result};

/// So much is read at a time: short enough to stay in the first level cache between the copy out of
/// the page cache and the hash, long enough that system calls cost little. (Mapping is slower.)
const PIECE: usize = 32 * 1024;

/// The leaf of the module at `path` at position `pos` of `modules.order`.
///
/// Merkle proofs at the end are not part of the contents: the kernel takes its proof off before it
/// hashes. So a module has the same leaf before and after it got its proof, and however often it
/// got one: see [`without_proofs`](crate::without_proofs). Anything else at the end, a PKCS#7
/// signature as well, is contents.
///
/// Fails when the module is not a regular file, is compressed, cannot be read, or changes meanwhile.
pub fn hash_module(path: &Path, pos: u32) -> Result<Hash> {
    let module = ModuleFile::open(path)?;
    let mut contents = module.len();
    while let Ok(Some(Trailer { id_type: IdType::Merkle, signature })) = module.trailer(contents)? {
        contents = signature.start;
    }
    module.hash(pos, contents)
}

/// What a file that begins like this is compressed with, of what kbuild compresses modules with.
/// A compressed module is no module yet: `Err(`[`Error::Compressed`]`)`.
pub fn refuse_compressed(start: &[u8]) -> Result<()> {
    let known: [(&[u8], _); 3] = [(b"\xfd7zXZ\0", "xz"), (b"\x1f\x8b", "gzip"), (b"\x28\xb5\x2f\xfd", "zstd")];
    match known.iter().find(|(magic, _)| start.starts_with(magic)) {
        Some(&(_, format)) => Err(Error::Compressed { format }),
        None => Ok(()),
    }
}

/// A module, open, and how it was when it was opened.
pub(crate) struct ModuleFile<'a> {
    path: &'a Path,
    file: File,
    before: Metadata,
}

impl<'a> ModuleFile<'a> {
    pub(crate) fn open(path: &'a Path) -> Result<Self> {
        // Asked by name, and before opening: to open a FIFO is to wait for its writer.
        let before = fs::metadata(path)?;
        if !before.is_file() {
            return Err(Error::NotAFile);
        }
        let file = File::open(path)?;
        Ok(Self { path, file, before })
    }

    /// Size in bytes when it was opened.
    pub(crate) fn len(&self) -> u64 {
        self.before.len()
    }

    /// What the end of the first `len` bytes says about a signature.
    pub(crate) fn trailer(&self, len: u64) -> Result<std::result::Result<Option<Trailer>, TrailerError>> {
        let mut tail = [0; Trailer::LEN];
        let (tail, _) = tail.split_at_mut(at_most(len, Trailer::LEN));
        self.read_exact_at(tail, len - tail.len() as u64)?;
        Ok(Trailer::parse(tail, len))
    }

    /// Fills `bytes` from `offset`.
    pub(crate) fn read_exact_at(&self, bytes: &mut [u8], offset: u64) -> Result<()> {
        self.file.read_exact_at(bytes, offset).map_err(|source| match source.kind() {
            // Only what was there is asked for.
            io::ErrorKind::UnexpectedEof => match self.file.metadata() {
                Ok(after) => self.changed(&after),
                Err(source) => source.into(),
            },
            _ => source.into(),
        })
    }

    /// Fails when the module is compressed.
    pub(crate) fn check_uncompressed(&self) -> Result<()> {
        let mut start = [0; 8];
        let (start, _) = start.split_at_mut(at_most(self.len(), 8));
        self.read_exact_at(start, 0)?;
        refuse_compressed(start)
    }

    /// The leaf of the first `len` bytes at position `pos`, and whether the file stayed the same
    /// since it was opened.
    pub(crate) fn hash(&self, pos: u32, len: u64) -> Result<Hash> {
        let mut leaf = LeafHasher::new(pos);
        let mut buffer = [0; PIECE];
        let mut offset = 0;
        while offset < len {
            let wanted = at_most(len - offset, PIECE);
            let (piece, _) = buffer.split_at_mut(wanted);
            self.read_exact_at(piece, offset)?;
            if offset == 0 {
                refuse_compressed(piece)?;
            }
            leaf.update(piece);
            offset += wanted as u64;
        }
        self.check_unchanged()?;
        Ok(leaf.finish())
    }

    /// By name as well: a file that is replaced, as linkers and objcopy do, never changes itself.
    fn check_unchanged(&self) -> Result<()> {
        let identity = |of: &Metadata| (of.dev(), of.ino(), of.len(), of.mtime(), of.mtime_nsec());
        for after in [self.file.metadata()?, fs::metadata(self.path)?] {
            if identity(&after) != identity(&self.before) {
                return Err(self.changed(&after));
            }
        }
        Ok(())
    }

    fn changed(&self, after: &Metadata) -> Error {
        let (before, after) = (self.len(), after.len());
        Error::Changed { before, after }
    }
}

fn at_most(len: u64, limit: usize) -> usize {
    usize::try_from(len).map_or(limit, |len| len.min(limit))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::OpenOptions;
    use std::io::Write;
    use std::os::unix::fs::PermissionsExt;
    use std::time::{Duration, SystemTime};

    fn module(contents: &[u8]) -> (tempfile::TempDir, std::path::PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.ko");
        fs::write(&path, contents).unwrap();
        (dir, path)
    }

    fn leaf(pos: u32, contents: &[u8]) -> Hash {
        let mut leaf = LeafHasher::new(pos);
        leaf.update(contents);
        leaf.finish()
    }

    fn hash(module: &ModuleFile<'_>) -> Result<Hash> {
        module.hash(3, module.len())
    }

    #[test]
    fn every_length_around_a_piece_and_the_trailer() {
        for len in (0..300).chain([4096, 32767, 32768, 32769, 65536, 100_000]) {
            let contents: Vec<u8> = (0..len).map(|i: u32| i.to_le_bytes()[0]).collect();
            let (_dir, path) = module(&contents);
            let hash = hash_module(&path, len).unwrap();
            assert_eq!(hash, leaf(len, &contents), "{len} bytes");
        }
    }

    #[test]
    fn missing_module() {
        let dir = tempfile::tempdir().unwrap();
        let error = hash_module(&dir.path().join("a.ko"), 0).unwrap_err();
        assert!(matches!(&error, Error::Read { source } if source.kind() == io::ErrorKind::NotFound));
        assert!(error.to_string().starts_with("cannot read module: No such file"));
    }

    #[test]
    fn unreadable_module() {
        let (_dir, path) = module(b"x");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).unwrap();
        // Root reads it all the same; a name that is no directory is unreadable for everyone.
        if File::open(&path).is_err() {
            let error = hash_module(&path, 0).unwrap_err();
            assert!(error.to_string().contains("Permission denied"), "{error}");
        }
        let error = hash_module(&path.join("b.ko"), 0).unwrap_err();
        assert!(error.to_string().contains("Not a directory"), "{error}");
    }

    #[test]
    fn directories_and_devices_are_no_modules() {
        let dir = tempfile::tempdir().unwrap();
        for path in [dir.path(), Path::new("/dev/zero")] {
            let error = hash_module(path, 0).unwrap_err();
            assert!(matches!(error, Error::NotAFile), "{error}");
        }
    }

    #[test]
    fn compressed_modules_have_no_hash() {
        for (start, format) in [(&b"\xfd7zXZ\0\0"[..], "xz"), (b"\x1f\x8b\x08", "gzip"), (b"\x28\xb5\x2f\xfd", "zstd")]
        {
            let (_dir, path) = module(start);
            let error = hash_module(&path, 0).unwrap_err();
            assert!(matches!(error, Error::Compressed { format: told } if told == format), "{error}");
        }
        let (_dir, path) = module(b"\x1f");
        assert!(hash_module(&path, 0).is_ok());
    }

    #[test]
    fn unchanged_module() {
        let (_dir, path) = module(b"contents");
        let module = ModuleFile::open(&path).unwrap();
        // Read by others, linked, its mode changed: still the same module.
        fs::read(&path).unwrap();
        fs::hard_link(&path, path.with_extension("link")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).unwrap();
        assert_eq!(hash(&module).unwrap(), leaf(3, b"contents"));
    }

    #[test]
    fn module_that_grows_while_it_is_read() {
        let (_dir, path) = module(b"contents");
        let module = ModuleFile::open(&path).unwrap();
        OpenOptions::new().append(true).open(&path).unwrap().write_all(b"!").unwrap();
        let error = hash(&module).unwrap_err();
        assert_eq!(error.to_string(), "module changed while it was read: 8 bytes, then 9");
    }

    #[test]
    fn module_that_shrinks_while_it_is_read() {
        let (_dir, path) = module(&[1; 100]);
        let module = ModuleFile::open(&path).unwrap();
        OpenOptions::new().write(true).open(&path).unwrap().set_len(70).unwrap();
        let error = hash(&module).unwrap_err();
        assert_eq!(error.to_string(), "module changed while it was read: 100 bytes, then 70");
        let error = module.trailer(module.len()).unwrap_err();
        assert!(matches!(error, Error::Changed { before: 100, after: 70 }));
    }

    #[test]
    fn module_that_is_written_to_while_it_is_read() {
        let (_dir, path) = module(b"contents");
        let module = ModuleFile::open(&path).unwrap();
        let file = OpenOptions::new().write(true).open(&path).unwrap();
        (&file).write_all(b"C").unwrap();
        // The file system's clock may not have ticked since the file was made.
        file.set_modified(SystemTime::now() + Duration::from_secs(1)).unwrap();
        let error = hash(&module).unwrap_err();
        assert_eq!(error.to_string(), "module changed while it was read");
    }

    #[test]
    fn module_that_is_replaced_while_it_is_read() {
        let (_dir, path) = module(b"contents");
        let module = ModuleFile::open(&path).unwrap();
        let new = path.with_extension("new");
        fs::write(&new, b"Contents").unwrap();
        File::open(&new).unwrap().set_modified(module.before.modified().unwrap()).unwrap();
        fs::rename(&new, &path).unwrap();
        assert!(matches!(hash(&module), Err(Error::Changed { before: 8, after: 8 })));
        fs::remove_file(&path).unwrap();
        assert!(matches!(hash(&module), Err(Error::Read { .. })));
    }

    #[test]
    fn module_that_is_replaced_just_before_it_is_opened() {
        let (_dir, path) = module(b"contents");
        let module = ModuleFile::open(&path).unwrap();
        let (_other_dir, other) = self::module(b"Contents");
        let file = File::open(other).unwrap();
        let module = ModuleFile { file, ..module };
        assert!(matches!(hash(&module), Err(Error::Changed { before: 8, after: 8 })));
    }

    /// 4 GiB and a bit. The expected hash is that of
    /// `(printf '\1\0\0\0\5'; head -c 4294967303 /dev/zero; printf end) | openssl sha256`.
    #[test]
    #[ignore = "hashes 4 GiB: seconds with optimization, minutes without"]
    fn module_over_4_gib_is_streamed() {
        let (_dir, path) = module(b"");
        let file = OpenOptions::new().write(true).open(&path).unwrap();
        file.write_all_at(b"end", 4_294_967_303).unwrap();
        let hash = hash_module(&path, 5).unwrap();
        assert_eq!(hash.to_string(), "13ddf37af0a6d3e26c9141d99dd535b26dc67c83567f65e432f22e00a4e309e2");
        let status = fs::read_to_string("/proc/self/status").unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        let peak: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
        assert!(peak < 64 * 1024, "peak memory {peak} kB");
    }
}
