//! The input: opened once, read or mapped once, and checked to have stayed the same.

use std::fmt;
use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::ops::Deref;
use std::os::unix::fs::FileExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::IoError;
use crate::mapping::Mapping;
use crate::op::index;
use crate::place::{kind, same_file};
use crate::recover::recover;

/// Files up to this size are read and not mapped: that takes no longer, and whoever shortens one
/// meanwhile does not stop the work on others. Nearly all kernel modules are smaller.
const SMALL: u64 = 256 * 1024;

/// The bytes a patch is made for, and the file they come from, if they come from one.
pub struct Input {
    path: PathBuf,
    bytes: Bytes,
    file: Option<(Arc<File>, Metadata)>,
    /// The file whose bytes are to be written, where the input itself is not that: see `write_part`.
    source: Option<(PathBuf, Metadata)>,
}

enum Bytes {
    Mapped(Mapping),
    Owned(Vec<u8>),
}

impl Input {
    /// Opens `path` for reading, and maps it unless it is small. A FIFO, such as a shell's `<(...)`,
    /// is read into memory. If an in-place edit of the file was interrupted, the file is restored
    /// first; if one is under way, this waits for it.
    ///
    /// # Errors
    ///
    /// - [`IoError::NotRegular`] for directories and devices.
    /// - [`IoError::Undo`] when an undo file lies beside the file and the file is neither old nor
    ///   new nor safe to restore.
    /// - [`IoError::System`] with the system's reason.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, IoError> {
        let path = path.as_ref();
        // Opening a device can have effects, so look first.
        let metadata = fs::metadata(path).map_err(IoError::system("open", path))?;
        let kind = kind(metadata.file_type());
        if !metadata.is_file() && kind != "a FIFO" {
            return Err(IoError::NotRegular { path: path.to_owned(), kind });
        }
        let file = Arc::new(File::open(path).map_err(IoError::system("open", path))?);
        if !metadata.is_file() {
            return Self::from_reader(path, &*file);
        }
        recover(path, &file)?;
        let metadata = file.metadata().map_err(IoError::system("look at it", path))?;
        let bytes = match metadata.len() {
            len @ ..=SMALL => Bytes::Owned(read(path, &file, len)?),
            len => Bytes::Mapped(Mapping::new(&file, path, len).map_err(IoError::system("map", path))?),
        };
        Ok(Self { path: path.to_owned(), bytes, file: Some((file, metadata)), source: None })
    }

    /// An input from memory; `path` is its name in messages.
    pub fn from_bytes(path: impl Into<PathBuf>, bytes: Vec<u8>) -> Self {
        Self { path: path.into(), bytes: Bytes::Owned(bytes), file: None, source: None }
    }

    /// No bytes, and changed when `source` is.
    pub(crate) fn watching(source: &Input) -> Self {
        let metadata = source.metadata().map(|metadata| (source.path.clone(), metadata.clone()));
        Self { source: metadata, ..Self::from_bytes("", Vec::new()) }
    }

    /// Reads a stream, such as standard input, into memory; `path` is its name in messages.
    ///
    /// # Errors
    ///
    /// [`IoError::System`] when reading fails.
    pub fn from_reader(path: impl Into<PathBuf>, mut reader: impl Read) -> Result<Self, IoError> {
        let path = path.into();
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes).map_err(IoError::system("read", &path))?;
        Ok(Self::from_bytes(path, bytes))
    }

    /// The contents.
    pub fn bytes(&self) -> &[u8] {
        match &self.bytes {
            Bytes::Mapped(map) => map.deref(),
            Bytes::Owned(bytes) => bytes,
        }
    }

    /// The path as given.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The open file, unless the bytes come from memory or a stream. Its position is unspecified.
    pub fn file(&self) -> Option<&File> {
        self.file.as_ref().map(|(file, _)| &**file)
    }

    /// The file's metadata when it was opened, unless the bytes come from memory or a stream.
    pub fn metadata(&self) -> Option<&Metadata> {
        self.file.as_ref().map(|(_, metadata)| metadata)
    }

    /// Whether `metadata` describes the file this was opened from, under whichever name.
    pub(crate) fn is_file(&self, metadata: &Metadata) -> bool {
        self.metadata().is_some_and(|own| same_file(own, metadata))
    }

    /// Checks that the path still leads to the same file with the same size and modification time.
    /// An input from memory cannot change.
    ///
    /// On old kernels (before 6.13) the time is coarse: two changes within some milliseconds, one
    /// before and one after opening, may leave it the same.
    ///
    /// # Errors
    ///
    /// [`IoError::Changed`].
    pub fn unchanged(&self) -> Result<(), IoError> {
        let own = self.file.as_ref().map(|(_, then)| (&self.path, then));
        let Some((path, then)) = own.or(self.source.as_ref().map(|(path, then)| (path, then))) else {
            return Ok(());
        };
        let state = |of: &Metadata| (of.dev(), of.ino(), of.len(), of.mtime(), of.mtime_nsec());
        match fs::metadata(path) {
            Ok(now) if state(&now) == state(then) => Ok(()),
            _ => Err(IoError::Changed { path: path.clone() }),
        }
    }
}

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Input");
        debug.field("path", &self.path).field("len", &self.bytes().len()).finish_non_exhaustive()
    }
}

/// The first `len` bytes of a file.
fn read(path: &Path, file: &File, len: u64) -> Result<Vec<u8>, IoError> {
    let mut bytes = vec![0; index(len)];
    match file.read_exact_at(&mut bytes, 0) {
        Ok(()) => Ok(bytes),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(IoError::Changed { path: path.to_owned() }),
        Err(error) => Err(IoError::system("read", path)(error)),
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;

    #[test]
    fn files_are_mapped_and_empty_ones_are_empty() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        fs::write(&path, "contents").unwrap();
        let input = Input::open(&path).unwrap();
        assert_eq!(input.bytes(), b"contents");
        assert_eq!(input.path(), path);
        assert_eq!(input.metadata().unwrap().len(), 8);
        fs::write(&path, "").unwrap();
        let input = Input::open(&path).unwrap();
        assert!(input.bytes().is_empty());
        input.unchanged().unwrap();
    }

    #[test]
    fn directories_devices_and_nothing_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let text = |path: &Path| Input::open(path).unwrap_err().to_string();
        let name = dir.path().display();
        assert_eq!(text(dir.path()), format!("'{name}': it is a directory, not a regular file"));
        assert_eq!(text(Path::new("/dev/null")), "'/dev/null': it is a character device, not a regular file");
        assert_eq!(
            text(&dir.path().join("missing")),
            format!("'{name}/missing': cannot open: No such file or directory (os error 2)")
        );
    }

    #[test]
    fn a_fifo_is_read_into_memory() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("fifo");
        crate::testing::make_fifo(&path);
        std::thread::scope(|scope| {
            scope.spawn(|| fs::write(&path, "through the pipe").unwrap());
            let input = Input::open(&path).unwrap();
            assert_eq!(input.bytes(), b"through the pipe");
            assert!(input.file().is_none());
            input.unchanged().unwrap();
        });
    }

    #[test]
    fn every_kind_of_change_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        let changes: [fn(&Path); 4] = [
            |path| {
                let past = SystemTime::UNIX_EPOCH + Duration::from_secs(5);
                File::open(path).unwrap().set_modified(past).unwrap();
            },
            |path| {
                let file = File::options().append(true).open(path).unwrap();
                let modified = file.metadata().unwrap().modified().unwrap();
                file.set_len(9).unwrap();
                file.set_modified(modified).unwrap();
            },
            |path| {
                let modified = fs::metadata(path).unwrap().modified().unwrap();
                let other = path.with_extension("other");
                fs::write(&other, "contents").unwrap();
                File::options().append(true).open(&other).unwrap().set_modified(modified).unwrap();
                fs::rename(other, path).unwrap();
            },
            |path| fs::remove_file(path).unwrap(),
        ];
        for change in changes {
            fs::write(&path, "contents").unwrap();
            let input = Input::open(&path).unwrap();
            input.unchanged().unwrap();
            change(&path);
            let text = input.unchanged().unwrap_err().to_string();
            assert_eq!(text, format!("'{}': changed while it was read", path.display()));
        }
    }
}
