//! `ar` archives (`lib.a`): every member edited on its own, the symbol index made anew.
//!
//! ```text
//!   !<arch>\n                                                  then, each at an even offset:
//!   name/           date        uid   gid   mode    size      `\n contents
//!   /               index: number of symbols, offset of each one's member (both big-endian), names
//!   //              names longer than 15 bytes, `name/\n`; a member refers to its name as `/offset`
//! ```
//! GNU's and the SVR4's form. Dates and owners are 0 and modes 644 in what is written, as with `ar -D`.

use std::path::Path;

use elfgraft_edit::{Edits, Plan, plan};
use elfgraft_elf::consts::{SHT_SYMTAB, STB_LOCAL};
use elfgraft_elf::{ElfError, Image, SymbolSection};
use elfgraft_patch::{Builder, to_vec};

use crate::report::{self, Error};
use crate::run::warn_of_signature;

const MAGIC: &[u8] = b"!<arch>\n";
const THIN: &[u8] = b"!<thin>\n";
const HEADER: usize = 60;
/// Linux knows no longer paths, so no file could have such a name.
const LONGEST_NAME: usize = 4096;

/// Bytes of padding and zeros that an archive may grow by.
const MOST_FILLED: u64 = 1 << 24;

/// Whether a file is an archive.
pub fn is_archive(file: &[u8]) -> bool {
    file.starts_with(MAGIC) || file.starts_with(THIN)
}

struct Member<'a> {
    name: Vec<u8>,
    contents: &'a [u8],
}

/// The archive after `edits` of its members.
///
/// # Errors
/// Naming the member, if one cannot be edited, or is an archive; if the archive is thin, BSD's, or damaged.
pub fn plan_archive(path: &Path, file: &[u8], edits: &Edits) -> Result<Plan<'static>, Error> {
    let (members, has_index) = read(path, file)?;
    let (mut new, mut filled) = (Vec::new(), 0);
    for member in &members {
        let mut shown = path.as_os_str().to_owned();
        shown.push(format!("({})", String::from_utf8_lossy(&member.name)));
        let shown = Path::new(&shown);
        let edited = if member.contents.starts_with(b"\x7fELF") {
            let image = Image::parse(member.contents).map_err(Error::edit(shown))?;
            let plan = plan(&image, edits).map_err(Error::edit(shown))?;
            warn_of_signature(shown, &plan);
            // The archive is put together in memory; padding and zeros are as many as fields of the file say.
            filled = plan.patch.filled().saturating_add(filled);
            if filled > (file.len() as u64).saturating_add(MOST_FILLED) {
                let text = format!("the archive would have {filled} bytes of padding and zeros");
                return Err(Error::file(shown, text));
            }
            to_vec(&plan.patch, member.contents)
        } else if is_archive(member.contents) {
            return Err(Error::file(shown, "it is an archive within an archive, which is not supported"));
        } else {
            report::warning(shown, "it is no ELF file, and copied as it is");
            member.contents.to_vec()
        };
        let symbols = if has_index { defined(&edited).map_err(Error::edit(shown))? } else { Vec::new() };
        new.push((member.name.clone(), edited, symbols));
    }
    let bytes = write(path, &new, has_index)?;
    let len = bytes.len() as u64;
    let mut out = Builder::new(file.len() as u64);
    out.write(0, bytes, "archive");
    let patch = out.finish(len).map_err(Error::edit(path))?.normalize(file);
    Ok(Plan { patch, decisions: Vec::new() })
}

fn damaged(path: &Path, what: &str, at: usize) -> Error {
    Error::file(path, format!("damaged archive: {what} at offset {at:#x}"))
}

/// The members, and whether there is an index of symbols.
fn read<'a>(path: &Path, file: &'a [u8]) -> Result<(Vec<Member<'a>>, bool), Error> {
    if file.starts_with(THIN) {
        return Err(Error::file(path, "it is a thin archive: its members are other files; edit those"));
    }
    let (mut members, mut has_index, mut names): (Vec<Member>, bool, &[u8]) = (Vec::new(), false, &[]);
    // Names may share bytes of their table, but an archive of a MB was made whose 8,000 members all had half of it for a name.
    let (mut shared, limit) = (0, file.len().saturating_mul(4));
    let mut at = MAGIC.len();
    while at < file.len() {
        let header = file.get(at..at + HEADER).filter(|h| h.ends_with(b"`\n"));
        let header = header.ok_or_else(|| damaged(path, "no member header", at))?;
        let field = |from: usize, to: usize| header.get(from..to).unwrap_or_default().trim_ascii_end();
        let number = |digits: &[u8]| std::str::from_utf8(digits).ok().and_then(|d| d.parse::<usize>().ok());
        let start = at + HEADER;
        let end = number(field(48, 58)).and_then(|size| start.checked_add(size));
        let contents = end.and_then(|end| file.get(start..end)).ok_or_else(|| damaged(path, "size of a member", at))?;
        match field(0, 16) {
            b"/" => has_index = true,
            b"//" => names = contents,
            b"/SYM64/" => return Err(Error::file(path, "an archive with a 64-bit index is not supported")),
            name if name.starts_with(b"#1/") || name.starts_with(b"__.SYMDEF") => {
                return Err(Error::file(path, "a BSD archive is not supported"));
            }
            name => {
                let long = name.strip_prefix(b"/").map(|digits| {
                    let rest = number(digits).and_then(|at| names.get(at..))?;
                    rest.split(|&b| b == b'\n').next()
                });
                let name = match long {
                    Some(found) => found.ok_or_else(|| damaged(path, "name of a member", at))?,
                    None => name,
                };
                let name = name.strip_suffix(b"/").unwrap_or(name);
                // No archiver writes them, and neither can be written back: `/` alone is the index, lines end names.
                shared += name.len();
                if name.is_empty() || name.contains(&b'\n') || name.len() > LONGEST_NAME || shared > limit {
                    return Err(damaged(path, "name of a member", at));
                }
                members.push(Member { name: name.to_vec(), contents });
            }
        }
        at = (start + contents.len()).next_multiple_of(2);
    }
    Ok((members, has_index))
}

/// Names of the symbols that a member defines for others.
fn defined(member: &[u8]) -> Result<Vec<Vec<u8>>, ElfError> {
    let mut names = Vec::new();
    if !member.starts_with(b"\x7fELF") {
        return Ok(names);
    }
    let image = Image::parse(member)?;
    let mut budget = image.name_budget();
    for (index, _) in image.indexed().filter(|(_, h)| h.sh_type == SHT_SYMTAB) {
        let table = image.symbol_table(index)?;
        for symbol in table.iter().skip(1) {
            let symbol = symbol?.1;
            if symbol.bind() != STB_LOCAL && symbol.section != SymbolSection::Undefined {
                let name = table.name(&symbol)?;
                budget.take(name)?;
                names.push(name.to_vec());
            }
        }
    }
    Ok(names)
}

type NewMember = (Vec<u8>, Vec<u8>, Vec<Vec<u8>>);

fn write(path: &Path, members: &[NewMember], has_index: bool) -> Result<Vec<u8>, Error> {
    let mut long_names = Vec::new();
    let mut fields = Vec::new();
    for (name, ..) in members {
        // What a BSD archive begins names with is long, whatever its length: it is read as one otherwise.
        let bsd = name.starts_with(b"#1") || name.starts_with(b"__.SYMDEF");
        if name.len() < 16 && !name.contains(&b'/') && !bsd {
            fields.push([name, &b"/"[..]].concat());
        } else {
            fields.push(format!("/{}", long_names.len()).into_bytes());
            long_names.extend([name, &b"/\n"[..]].concat());
        }
    }
    if long_names.len() % 2 != 0 {
        long_names.push(b'\n');
    }
    let symbols: usize = members.iter().map(|m| m.2.len()).sum();
    let names: usize = members.iter().flat_map(|m| &m.2).map(|name| name.len() + 1).sum();
    let index_size = (4 + 4 * symbols + names).next_multiple_of(2);
    let even = |size: usize| HEADER + size.next_multiple_of(2);
    // Where members begin is known before any is written.
    let mut at = MAGIC.len();
    at += if has_index { even(index_size) } else { 0 };
    at += if long_names.is_empty() { 0 } else { even(long_names.len()) };

    let word = |value: usize| {
        let small = u32::try_from(value).map_err(|_| Error::file(path, "the archive grows beyond 4 GiB"));
        small.map(u32::to_be_bytes)
    };
    let (mut offsets, mut strings) = (Vec::new(), Vec::new());
    for (_, contents, symbols) in members {
        for name in symbols {
            offsets.extend(word(at)?);
            strings.extend([name, &b"\0"[..]].concat());
        }
        at += even(contents.len());
    }
    let mut out = MAGIC.to_vec();
    let mut put = |name: &[u8], owner: &str, mode: &str, contents: &[u8]| {
        let mut header = name.to_vec();
        header.resize(16, b' ');
        header.extend(format!("{owner:<12}{owner:<6}{owner:<6}{mode:<8}{:<10}`\n", contents.len()).into_bytes());
        out.extend(header);
        out.extend(contents);
        out.resize(out.len().next_multiple_of(2), b'\n');
    };
    if has_index {
        let mut index = [&word(symbols)?[..], &offsets, &strings].concat();
        index.resize(index_size, 0);
        put(b"/", "0", "0", &index);
    }
    if !long_names.is_empty() {
        put(b"//", "", "", &long_names);
    }
    for (field, (_, contents, _)) in fields.iter().zip(members) {
        put(field, "0", "644", contents);
    }
    Ok(out)
}
