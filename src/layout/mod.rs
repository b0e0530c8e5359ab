//! `elfgraft show --layout`: where everything is in a file, to scale.
//!
//! ```text
//! Image ─ regions ─> Layout ─┬───────────────────> rows ─ bound ─> rows ─┬─ text: a line each
//!                    Layout ─┴─ compare (of two) ─> rows                 └─ svg: a picture
//! ```

mod compare;
mod rows;
mod svg;
mod text;

use elfgraft_elf::consts::*;
use elfgraft_elf::{Image, SectionHeader};

pub use compare::compare;
pub use rows::{Row, bound, single};
pub use svg::svg;
pub use text::{Terminal, side_by_side, text};

/// What a range of bytes is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// ELF header, program headers, section headers.
    Header,
    /// SHF_ALLOC and SHF_EXECINSTR.
    Code,
    /// SHF_ALLOC and SHF_WRITE.
    Data,
    /// SHF_ALLOC.
    ReadOnly,
    /// BTF and what goes with it: what elfgraft is for.
    Btf,
    /// Symbol and string tables.
    Symbols,
    /// Relocation sections.
    Relocations,
    /// `.debug_*`.
    Debug,
    /// Any other section.
    Other,
    /// Bytes of nobody.
    Gap,
    /// An appended signature.
    Trailer,
    /// Several sections, where there are too many.
    Several,
}

impl Kind {
    /// In words, for a legend; the colour on a terminal (SGR), and in a picture.
    pub fn look(self) -> (&'static str, u8, &'static str) {
        match self {
            Kind::Header => ("headers", 36, "#546e7a"),
            Kind::Code => ("code", 32, "#43a047"),
            Kind::Data => ("data", 33, "#fb8c00"),
            Kind::ReadOnly => ("read-only data", 34, "#1e88e5"),
            Kind::Btf => ("BTF, BTF IDs, module hashes", 35, "#d81b60"),
            Kind::Symbols => ("symbols, strings", 96, "#8e7cc3"),
            Kind::Relocations => ("relocations", 94, "#90a4ae"),
            Kind::Debug => ("debugging", 90, "#bcaaa4"),
            Kind::Other => ("other", 37, "#cfd8dc"),
            Kind::Gap => ("gap", 90, "#f5f5f5"),
            Kind::Trailer => ("signature", 31, "#e53935"),
            Kind::Several => ("several", 37, "#b0bec5"),
        }
    }

    fn of(name: &[u8], header: &SectionHeader) -> Kind {
        let has = |flags: u64| header.sh_flags & flags == flags;
        match name {
            b".BTF" | b".BTF.base" | b".BTF_ids" | b".BTF.ext" | b".module_hashes" => Kind::Btf,
            _ if has(SHF_ALLOC | SHF_EXECINSTR) => Kind::Code,
            _ if has(SHF_ALLOC | SHF_WRITE) => Kind::Data,
            _ if has(SHF_ALLOC) => Kind::ReadOnly,
            _ if name.starts_with(b".debug_") => Kind::Debug,
            _ if header.is_reloc() => Kind::Relocations,
            _ => match header.sh_type {
                SHT_SYMTAB | SHT_STRTAB | SHT_DYNSYM | SHT_SYMTAB_SHNDX => Kind::Symbols,
                _ => Kind::Other,
            },
        }
    }
}

/// A range of bytes of the file that something owns, or nobody.
#[derive(Debug, Clone)]
pub struct Region {
    /// What it is for.
    pub kind: Kind,
    /// Its name, fit for a terminal: other bytes than printable ASCII are escaped.
    pub name: String,
    /// For sections.
    pub index: Option<usize>,
    /// Offset in the file, in bytes.
    pub offset: u64,
    /// Size in bytes.
    pub size: u64,
}

impl Region {
    fn end(&self) -> u64 {
        self.offset.saturating_add(self.size)
    }
}

/// More program headers than this say nothing to people.
const MOST_SEGMENTS: usize = 24;

/// What the loader maps, or a program header says of the file.
#[derive(Debug, Clone)]
pub struct Segment {
    /// Type and permissions.
    pub name: String,
    /// `p_offset`, in bytes.
    pub offset: u64,
    /// `p_filesz`, in bytes.
    pub size: u64,
}

/// All of one file, sorted by offset.
#[derive(Debug)]
pub struct Layout<'a> {
    /// As it is told to people.
    pub title: String,
    /// The bytes of the file.
    pub file: &'a [u8],
    /// Everything that owns bytes, and gaps.
    pub regions: Vec<Region>,
    /// Program headers with bytes in the file.
    pub segments: Vec<Segment>,
    /// Sections without bytes in the file: SHT_NOBITS, SHT_NULL, and empty ones.
    pub without_bytes: usize,
    /// Gaps that are too small to be looked at, for alignment mostly: how many, and their bytes.
    pub padding: (u64, u64),
    /// Sections, the null section not counted.
    pub sections: usize,
}

impl<'a> Layout<'a> {
    /// Finds everything that has a place in the file.
    pub fn of(title: &str, image: &Image<'a>) -> Layout<'a> {
        let mut regions = headers(image);
        let mut without_bytes = 0;
        for (index, header) in image.indexed().filter(|(index, _)| index.0 != 0) {
            if header.file_size() == 0 {
                without_bytes += 1;
                continue;
            }
            let name = image.name(index).unwrap_or(b"<no name>");
            let kind = Kind::of(name, header);
            let region = Region {
                kind,
                name: name.escape_ascii().to_string(),
                index: usize::try_from(index.0).ok(),
                offset: header.sh_offset,
                size: header.sh_size,
            };
            regions.push(region);
        }
        if let Some(trailer) = image.trailer {
            let name = format!("appended {}", trailer.kind());
            regions.push(Region { kind: Kind::Trailer, name, index: None, offset: trailer.offset, size: trailer.size });
        }
        regions.sort_by_key(|region| (region.offset, region.size, region.index));
        let file = image.file();
        let mut regions = with_gaps(regions, file.len() as u64);
        let padding = take_padding(&mut regions);
        Layout {
            title: title.to_owned(),
            file,
            regions,
            padding,
            segments: segments(image),
            without_bytes,
            sections: image.sections.len().saturating_sub(1),
        }
    }

    /// The bytes of a region, as far as the file has them.
    pub fn bytes(&self, region: &Region) -> &'a [u8] {
        let at = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX).min(self.file.len());
        self.file.get(at(region.offset)..at(region.end())).unwrap_or_default()
    }

    /// Size of the file in bytes.
    pub fn len(&self) -> u64 {
        self.file.len() as u64
    }
}

fn headers(image: &Image) -> Vec<Region> {
    let format = image.format;
    let header =
        |name: &str, offset, size| Region { kind: Kind::Header, name: name.to_owned(), index: None, offset, size };
    let mut found = vec![header("ELF header", 0, format.header_size())];
    let tables = [
        ("program headers", image.e_phoff, image.segments.len(), format.program_header_size()),
        ("section headers", image.e_shoff, image.sections.len(), format.section_header_size()),
    ];
    for (name, offset, count, size) in tables {
        if count != 0 {
            found.push(header(name, offset, size.saturating_mul(count as u64)));
        }
    }
    found
}

fn with_gaps(sorted: Vec<Region>, len: u64) -> Vec<Region> {
    let mut out = Vec::with_capacity(sorted.len());
    let mut end = 0;
    let gap = |offset: u64, end: u64| Region {
        kind: Kind::Gap,
        name: "gap".into(),
        index: None,
        offset,
        size: end.saturating_sub(offset),
    };
    for region in sorted {
        if region.offset > end {
            out.push(gap(end, region.offset.min(len)));
        }
        end = end.max(region.end());
        out.push(region);
    }
    if end < len {
        out.push(gap(end, len));
    }
    out.retain(|region| region.size != 0);
    out
}

/// Gaps smaller than this are padding.
const PADDING: u64 = 64;

fn take_padding(regions: &mut Vec<Region>) -> (u64, u64) {
    let (mut count, mut bytes) = (0, 0);
    regions.retain(|region| {
        let padding = region.kind == Kind::Gap && region.size < PADDING;
        if padding {
            count += 1;
            bytes += region.size;
        }
        !padding
    });
    (count, bytes)
}

fn segments(image: &Image) -> Vec<Segment> {
    let with_bytes = image.segments.iter().filter(|segment| segment.p_filesz != 0).take(MOST_SEGMENTS);
    with_bytes
        .map(|segment| {
            // gABI, "Segment Types, p_type".
            let name = match segment.p_type {
                PT_LOAD => "LOAD".to_owned(),
                2 => "DYNAMIC".to_owned(),
                3 => "INTERP".to_owned(),
                4 => "NOTE".to_owned(),
                6 => "PHDR".to_owned(),
                7 => "TLS".to_owned(),
                other => format!("{other:#x}"),
            };
            let letters: String = [(4, 'R'), (2, 'W'), (1, 'X')]
                .into_iter()
                .map(|(bit, letter)| if segment.p_flags & bit != 0 { letter } else { '-' })
                .collect();
            Segment { name: format!("{name} {letters}"), offset: segment.p_offset, size: segment.p_filesz }
        })
        .collect()
}

/// A number with its thousands apart.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() * 4 / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at != 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// At most `width` characters; what is cut ends in `mark`.
pub fn cut(text: &str, width: usize, mark: char) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    text.chars().take(width.saturating_sub(1)).chain([mark]).collect()
}

#[cfg(test)]
mod tests;
