//! Names in messages.

use std::ffi::OsStr;
use std::fmt::{self, Write};
use std::os::unix::ffi::OsStrExt;

/// A name as messages show it: on one line whatever is in it, and without effect on a terminal.
/// Control characters become `\n`, `\u{1b}` and the like, bytes that are no UTF-8 `\xff`.
pub fn shown(name: &(impl AsRef<OsStr> + ?Sized)) -> impl fmt::Display {
    Shown(name.as_ref())
}

struct Shown<'n>(&'n OsStr);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.as_bytes().utf8_chunks() {
            for c in chunk.valid().chars() {
                if c.is_control() { write!(f, "{}", c.escape_default())? } else { f.write_char(c)? }
            }
            write!(f, "{}", chunk.invalid().escape_ascii())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stays_on_its_line() {
        let cases: [(&[u8], &str); 6] = [
            (b"dir/x.ko", "dir/x.ko"),
            ("sm\u{f8}rrebr\u{f8}d \\ '".as_bytes(), "sm\u{f8}rrebr\u{f8}d \\ '"),
            (b"a\nb\tc\rd", "a\\nb\\tc\\rd"),
            (b"\x1b[31mred\x7f", "\\u{1b}[31mred\\u{7f}"),
            (b"not\xffutf8\xc3", "not\\xffutf8\\xc3"),
            ("next\u{85}line".as_bytes(), "next\\u{85}line"),
        ];
        for (name, text) in cases {
            assert_eq!(shown(OsStr::from_bytes(name)).to_string(), text);
        }
    }
}
