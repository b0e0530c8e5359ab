//! Semantic comparison of two files.
//!
//! What refers to something is compared by what it refers to: sections by name, symbols by name and section. Other
//! indices and other places in the file make no difference; the latter are reported as [`Key::Moved`]. Addresses do
//! make a difference, but a symbol that keeps its place in a section with another address is the same.
//!
//! It errs to the strict side: what it does not understand is compared byte by byte.

mod btf;
mod btf_ids;
mod contents;
mod header;
mod kernel;
mod key;
mod pair;
mod relocs;
mod report;
mod sections;
mod symbols;
mod trailer;
mod unowned;

pub use key::{Group, Key, UnknownKey};
pub use report::{Finding, Options, Report};

use crate::error::Error;
use crate::reader::{Elf, has_contents};
use pair::Pairs;
use report::Out;
use sections::Place;
use symbols::SymbolMaps;

/// One of the two files that are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// The first.
    First,
    /// The second.
    Second,
}

/// Two files and which section, and which symbol, of the one is which of the other.
struct Files<'a> {
    a: Elf<'a>,
    b: Elf<'a>,
    pairs: Pairs,
    maps: SymbolMaps,
}

impl Files<'_> {
    /// Whether two section indices mean the same section, or are the same nonsense.
    fn same_section(&self, a: u32, b: u32) -> bool {
        match (self.a.section(a), self.b.section(b)) {
            (None, None) => a == b,
            _ => self.pairs.in_b(a) == Some(b),
        }
    }
}

/// Compares two ELF files. Pure: the same bytes and options give the same report. Memory goes with the number of
/// sections and symbols, not with the size of the files.
///
/// # Errors
/// When one of the files is no ELF file, or its header tables are not inside it, or its sections overlap too much: which
/// one, and why.
pub fn diff(a: &[u8], b: &[u8], options: &Options) -> Result<Report, (Which, Error)> {
    let mut a = readable(a).map_err(|error| (Which::First, error))?;
    let b = readable(b).map_err(|error| (Which::Second, error))?;
    a.set_aliases(&options.aliases);
    let readers = [a.reader.clone(), b.reader.clone()];
    let mut out = Out::new(options);
    let pairs = Pairs::new(&a, &b);
    let mut files = Files { a, b, pairs, maps: SymbolMaps::default() };
    files.maps = symbols::compare(&files, &mut out);
    header::compare(&files, &mut out);
    sections::compare(&files, &mut out);
    relocs::compare(&files, &mut out);
    contents::compare(&files, &mut out);
    trailer::compare(&files, &mut out);
    unowned::compare(&files, &mut out);
    Ok(out.report(readers))
}

fn readable(data: &[u8]) -> Result<Elf<'_>, Error> {
    let elf = Elf::parse(data)?;
    let sizes = elf.iter().filter(|(_, section)| has_contents(section)).filter_map(|(index, _)| elf.contents(index));
    let total = sizes.fold(0u64, |total, contents| total.saturating_add(contents.len() as u64));
    let len = data.len() as u64;
    if total / 2 > len { Err(Error::Overlap { total, len }) } else { Ok(elf) }
}

/// `1 -> 2` in hexadecimal.
struct Change<T>(T, T);

impl<T: std::fmt::LowerHex> std::fmt::Display for Change<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:#x} -> {:#x}", self.0, self.1)
    }
}

#[cfg(test)]
mod tests;
