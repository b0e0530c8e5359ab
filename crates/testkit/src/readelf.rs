//! GNU readelf as a judge of files, where it is installed.

use std::fs;
use std::process::{Command, id};
use std::sync::atomic::{AtomicU32, Ordering};

/// What `readelf -aW` writes to standard error about `file`, and its output; `None` when there is no readelf.
pub fn readelf(file: &[u8]) -> Option<(String, String)> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let path = std::env::temp_dir().join(format!("elfgraft-testkit-{}-{count}", id()));
    fs::write(&path, file).unwrap();
    let output = Command::new("readelf").env("LC_ALL", "C").arg("-aW").arg(&path).output();
    fs::remove_file(&path).unwrap();
    let output = output.ok()?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Some((text(&output.stderr), text(&output.stdout)))
}

/// Panics when readelf complains about `file`; without readelf does nothing.
pub fn assert_readelf_accepts(file: &[u8], what: &str) {
    if let Some((complaints, _)) = readelf(file) {
        assert!(complaints.is_empty(), "{what}: {complaints}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::consts::ET_REL;
    use crate::elf::ElfSpec;
    use crate::fields::poke_section;
    use crate::format::Format;

    #[test]
    fn complaints_are_noticed() {
        let mut file = ElfSpec::new(Format::MIPS, ET_REL).build();
        assert_readelf_accepts(&file, "empty object");
        poke_section(&mut file, 1, "sh_size", 1 << 31);
        if let Some((complaints, output)) = readelf(&file) {
            assert!(complaints.contains("readelf: Error"), "{complaints}");
            assert!(output.contains("MIPS R3000"), "{output}");
        }
    }
}
