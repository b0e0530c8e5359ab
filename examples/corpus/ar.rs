//! The members of an `ar` archive as GNU and LLVM write them.
//!
//! ```text
//! !<arch>\n                                          8 bytes
//! name/           mtime uid gid mode size `\n        60 bytes of text: 16, 12, 6, 6, 8, 10 and the mark
//! contents, then \n if their size is odd
//! ```
//! A name of more than 15 bytes is `/offset` into the member `//`. The symbol index is the member `/` or `/SYM64/`.

/// Name and contents of every member; `None` if this is no archive. Ends early where the archive is damaged.
pub fn members(file: &[u8]) -> Option<Vec<(&[u8], &[u8])>> {
    let mut rest = file.strip_prefix(b"!<arch>\n")?;
    let (mut long_names, mut members) = (&b""[..], Vec::new());
    while let Some((header, behind)) = rest.split_at_checked(60) {
        let Some((contents, behind)) = number(&header[48..58]).and_then(|size| behind.split_at_checked(size)) else {
            break;
        };
        match header[..16].trim_ascii_end() {
            b"/" | b"/SYM64/" => {}
            b"//" => long_names = contents,
            short => members.push((name(short, long_names), contents)),
        }
        rest = behind.get(contents.len() % 2..).unwrap_or_default();
    }
    Some(members)
}

fn name<'a>(short: &'a [u8], long_names: &'a [u8]) -> &'a [u8] {
    let long = short.strip_prefix(b"/").and_then(number).and_then(|at| long_names.get(at..));
    let name = long.unwrap_or(short);
    name.split(|&b| b == b'/' || b == b'\n').next().unwrap_or_default()
}

fn number(text: &[u8]) -> Option<usize> {
    std::str::from_utf8(text.trim_ascii_end()).ok()?.parse().ok()
}
