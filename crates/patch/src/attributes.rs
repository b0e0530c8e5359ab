//! What a file has besides its bytes: owner, permissions, extended attributes, times.

use std::fs::{File, FileTimes, Metadata, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
use std::path::Path;

use rustix::fs::{Timespec, Timestamps, UTIME_NOW, UTIME_OMIT, XattrFlags};
use rustix::io::Errno;

/// Set-user-ID, set-group-ID and sticky bit.
const SPECIAL: u32 = 0o7000;
/// As large as a list of names, or a value, can be (`XATTR_LIST_MAX`, `XATTR_SIZE_MAX`).
const XATTR_MAX: usize = 65536;
const ACL: &str = "system.posix_acl_access";

/// The permissions of a new output before the umask: the input's, without set-user-ID and the
/// like, which were granted to other contents.
pub(crate) fn new_mode(input: Option<&Metadata>) -> u32 {
    input.map_or(0o666, |metadata| metadata.mode() & 0o777)
}

/// Gives `file` what the file it will replace has: `path`, described by `old`. Owner and extended
/// attributes are kept as far as permitted, without error; permissions exactly, except that
/// set-user-ID and the like go away when the owner could not be kept.
pub(crate) fn inherit(file: &File, path: &Path, old: &Metadata) -> io::Result<()> {
    // Owner first: changing it takes capabilities and set-user-ID away.
    let mut new = file.metadata()?;
    if (new.uid(), new.gid()) != (old.uid(), old.gid()) {
        // Who may not give files away may still choose among the own groups.
        let _ = fchown(file, Some(old.uid()), Some(old.gid())).or_else(|_| fchown(file, None, Some(old.gid())));
        new = file.metadata()?;
    }
    copy_xattrs(file, path);
    let same_owner = (new.uid(), new.gid()) == (old.uid(), old.gid());
    let mode = old.mode() & if same_owner { 0o777 | SPECIAL } else { 0o777 };
    file.set_permissions(Permissions::from_mode(mode))
}

fn copy_xattrs(file: &File, path: &Path) {
    // Most files have few: 64 kB of zeros for their names would be the most memory that a small file takes.
    let mut names = vec![0; 256];
    let mut listed = rustix::fs::llistxattr(path, &mut names[..]);
    if listed == Err(Errno::RANGE) {
        names.resize(XATTR_MAX, 0);
        listed = rustix::fs::llistxattr(path, &mut names[..]);
    }
    let len = listed.unwrap_or(0);
    let mut has_acl = false;
    let mut value = Vec::new();
    for name in names[..len].split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
        has_acl |= name == ACL.as_bytes();
        value.resize(XATTR_MAX, 0);
        if let Ok(len) = rustix::fs::lgetxattr(path, name, &mut value[..]) {
            let _ = rustix::fs::fsetxattr(file, name, &value[..len], XattrFlags::empty());
        }
    }
    if !has_acl {
        // What the directory's default ACL gave to the new file is not the old file's.
        let _ = rustix::fs::fremovexattr(file, ACL);
    }
}

/// Gives `file` the access and modification time that `metadata` tells.
pub(crate) fn set_times(file: &File, metadata: &Metadata) -> io::Result<()> {
    let times = FileTimes::new().set_accessed(metadata.accessed()?);
    file.set_times(times.set_modified(metadata.modified()?))
}

/// Sets the modification time to now, by the clock that the system stamps files with: a finer one
/// would make this file newer than what is made from it right after.
pub(crate) fn touch(path: &Path) -> io::Result<()> {
    let stamp = |tv_nsec| Timespec { tv_sec: 0, tv_nsec };
    let times = |last_access, last_modification| Timestamps {
        last_access: stamp(last_access),
        last_modification: stamp(last_modification),
    };
    let set = |times| rustix::fs::utimensat(rustix::fs::CWD, path, &times, rustix::fs::AtFlags::empty());
    match set(times(UTIME_OMIT, UTIME_NOW)) {
        // Whoever may write to a file of others may set both times to now, but not one alone.
        Err(Errno::PERM | Errno::ACCESS) => Ok(set(times(UTIME_NOW, UTIME_NOW))?),
        result => Ok(result?),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::{Duration, SystemTime};

    use super::*;

    #[test]
    fn a_new_output_never_gets_special_bits() {
        let named = tempfile::NamedTempFile::new().unwrap();
        fs::set_permissions(named.path(), Permissions::from_mode(0o6755)).unwrap();
        let metadata = fs::metadata(named.path()).unwrap();
        assert_eq!(new_mode(Some(&metadata)), 0o755);
        assert_eq!(new_mode(None), 0o666);
    }

    #[test]
    fn mode_and_user_attributes_are_inherited() {
        let dir = tempfile::tempdir().unwrap();
        let old = dir.path().join("old");
        fs::write(&old, "").unwrap();
        fs::set_permissions(&old, Permissions::from_mode(0o6510)).unwrap();
        let value = b"value \0 with zero";
        // Not every file system has them; where the test runs without, the rest still counts.
        let has = rustix::fs::setxattr(&old, "user.test", value, XattrFlags::empty()).is_ok();
        // Names that need more room than those of most files.
        let names: Vec<_> = (0..8).map(|n| format!("user.{n}{}", "x".repeat(60))).collect();
        let set = |name| rustix::fs::setxattr(&old, name, b"", XattrFlags::empty()).is_ok();
        let many = names.iter().all(set);
        let new = File::create(dir.path().join("new")).unwrap();
        inherit(&new, &old, &fs::metadata(&old).unwrap()).unwrap();
        assert_eq!(new.metadata().unwrap().mode() & 0o7777, 0o6510);
        if has {
            let mut found = [0; 100];
            let len = rustix::fs::fgetxattr(&new, "user.test", &mut found[..]).unwrap();
            assert_eq!(&found[..len], value);
            let kept = |name| rustix::fs::fgetxattr(&new, name, &mut found[..]).is_ok();
            assert!(!many || names.iter().all(kept));
        }
    }

    /// An access control list as the system stores it: version 2, then tag, permissions and id of each entry.
    fn acl(entries: &[(u16, u16, u32)]) -> Vec<u8> {
        let mut value = 2_u32.to_le_bytes().to_vec();
        for (tag, permissions, id) in entries {
            value.extend(tag.to_le_bytes());
            value.extend(permissions.to_le_bytes());
            value.extend(id.to_le_bytes());
        }
        value
    }

    #[test]
    fn access_control_lists_are_inherited_and_defaults_are_not() {
        const NONE: u32 = u32::MAX;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("old");
        let list = acl(&[(1, 6, NONE), (2, 4, 1234), (4, 0, NONE), (16, 4, NONE), (32, 0, NONE)]);
        fs::write(&path, "").unwrap();
        let get = |path: &Path| {
            let mut value = [0; 256];
            let len = rustix::fs::getxattr(path, ACL, &mut value[..]).ok()?;
            Some(value[..len].to_vec())
        };
        if rustix::fs::setxattr(&path, ACL, &list, XattrFlags::empty()).is_err() {
            eprintln!("skipped: no access control lists here");
            return;
        }
        let replace = || {
            let input = crate::Input::open(&path).unwrap();
            let options = crate::Options::default();
            crate::replace(&crate::Patch::whole(b"x").normalize(b""), &input, &path, &options).unwrap();
            assert_eq!(fs::read(&path).unwrap(), b"x");
        };
        replace();
        assert_eq!(get(&path), Some(list.clone()), "kept");
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o640);
        // What new files get in this directory is not what this one had.
        rustix::fs::setxattr(dir.path(), "system.posix_acl_default", &list, XattrFlags::empty()).unwrap();
        rustix::fs::removexattr(&path, ACL).unwrap();
        fs::write(&path, "").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        replace();
        assert_eq!(get(&path), None, "not the default");
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    }

    #[test]
    fn touch_moves_only_the_modification_time() {
        let named = tempfile::NamedTempFile::new().unwrap();
        let past = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
        let times = FileTimes::new().set_accessed(past).set_modified(past);
        named.as_file().set_times(times).unwrap();
        touch(named.path()).unwrap();
        let metadata = named.as_file().metadata().unwrap();
        assert_eq!(metadata.accessed().unwrap(), past);
        let age = SystemTime::now().duration_since(metadata.modified().unwrap());
        assert!(age.unwrap_or_default() < Duration::from_secs(60));
        assert_ne!(metadata.modified().unwrap(), past);
    }
}
