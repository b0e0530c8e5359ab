//! Inputs to begin with: the fixtures, behind every choice of the first byte.

use std::fs;
use std::path::Path;

use crate::{Seeds, Target};

/// No fixture is needed that is larger: what is in it is in a smaller one as well.
const LARGEST: usize = 64 << 10;

/// Files of `testdata/`, without its directories, in the order of their names.
///
/// # Panics
/// When they cannot be read.
#[must_use]
pub fn fixtures() -> Vec<(String, Vec<u8>)> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata");
    let files = fs::read_dir(&dir).expect("testdata").map(|entry| entry.expect("an entry").path());
    let mut files: Vec<_> = files.filter(|path| path.is_file()).collect();
    files.sort();
    let named = |path: std::path::PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        (name, fs::read(&path).expect("a fixture"))
    };
    files.into_iter().map(named).filter(|(_, bytes)| bytes.len() <= LARGEST).collect()
}

/// Inputs that are right for a target: made of the fixtures, and of `more` files.
#[must_use]
pub fn seeds(target: Target, more: &[(String, Vec<u8>)]) -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    for (number, (name, bytes)) in fixtures().iter().chain(more).enumerate() {
        let is_elf = bytes.starts_with(b"\x7fELF");
        match target.seeds {
            Seeds::Elf(_) if !is_elf => {}
            Seeds::Elf(0) => all.push((name.clone(), bytes.clone())),
            Seeds::Elf(choices) => {
                // Two of the edits for each file: all of them for all files together.
                for pick in [number * 2, number * 2 + 1] {
                    let pick = (pick % 20) as u8;
                    let head = [pick, pick.wrapping_mul(7), number as u8, pick ^ 0x35];
                    all.push((format!("{name}-{pick}"), [&head[..choices], bytes].concat()));
                }
            }
            Seeds::Bytes(choices) => {
                let bytes = &bytes[..bytes.len().min(4096)];
                let head = [number as u8, number as u8 ^ 0x1a, 9, 11];
                all.push((name.clone(), [&head[..choices], bytes].concat()));
            }
        }
    }
    all.extend(by_hand(target.name).into_iter().enumerate().map(|(n, bytes)| (format!("by-hand-{n}"), bytes)));
    all
}

/// What no fixture is an example of.
fn by_hand(target: &str) -> Vec<Vec<u8>> {
    let text: &[&[u8]] = match target {
        "text" => &[
            b"\0.debug*\n!.debug_line\n.[a-z]?x\n.debug_info",
            b"\x01-R .a 'b c' \"d\\\"e\" f\\ g\n",
            b"\x02alloc,readonly,code",
            b"\x020x7fff",
            b"\x02elf64-x86-64",
            b"\x02__BTF_ID__func__bpf_ct_release__744528",
            b"\x03set .BTF=f --dry-run -v x.ko",
            b"\x03objcopy --strip-all -R .x --rename-section a=b,alloc --add-symbol x=.text:5,local in out",
            b"\x03resolve_btfids --btf_base vmlinux -v x.ko",
            b"\x03module-hashes build --modules-order m --directory d -o root",
        ],
        "hashes" => &[
            b"\0contents\0\0\0\x05\0\0\x03\0\0\0\0\0\0\0\0\x04~Module signature appended~\n",
            b"\0contents\0\0\x02\0\0\0\0\0\0\0\0\x02~Module signature appended~\n",
            b"\x01\0\0\0\x0501234567890123456789012345678901",
            b"\x02\x01\0\0\x00abcdefghijklmnopqrstuvwxyz012345",
            b"\x03net/a.o\nfs/b.c.o\n",
            b"\x04abcdefghi",
        ],
        "archive" => &[
            b"\0\0\0\0!<arch>\n/               0           0     0     0       4         `\n\0\0\0\0a.txt/          0           0     0     644     3         `\nabc\n",
            b"\x01\0\0\0!<arch>\n//                                              20        `\na_name_of_20_bytes/\n/0              0           0     0     644     2         `\nxy",
        ],
        "btf_ids" => &[
            b"\0\x05\x06\x06\0\x01\0\x18\x04\x0a\x02\x01\x04\x0b\x04\x01\x04\x0c\x05\x01\x02\x02\x06\x03\x04\x0d\x07\x01\xc1\xc2\xc3\xc4\xc5\xc0\xc5\xc4\xc3\xc2\xc1\xc0\x02\0\0\0\x01\0\0\0\0\0\0\0\x04\0\0\0\0\0\0\0\x02\0\0\0\x02\0\0\0\0\0\0\0\0\0\0\0",
            b"\x05\x03\x04\x04\0\x01\0\x18\x04\x0a\x02\x01\x04\x0b\x04\x01\xc1\xc2\xc3\xc4\xc4\xc3\xc2\xc1\0\0\0\x02\0\0\0\x01\0\0\0\x05\0\0\0\x09\0\0\0\x07\0\0\0\x03",
        ],
        _ => &[],
    };
    text.iter().map(|bytes| bytes.to_vec()).collect()
}
