//! `elfgraft show`: what is in a file.

use std::path::{Path, PathBuf};

use elfgraft_elf::consts::*;
use elfgraft_elf::{Endianness, Image, ProgramHeader, SectionHeader, SectionIndex};
use elfgraft_patch::{WriteOptions, write_file};
use serde_json::{Value, json};

use elfgraft_patch::shown;

use crate::blob::{is_elf, open};
use crate::layout::{self, Layout, Terminal};
use crate::report::{self, Error, count, print};
use crate::run::not_an_input;

/// Tell what is in ELF files: sections, segments, the signature.
///
/// For each section index, name, sh_type, sh_flags in readelf's letters, sh_offset, sh_size, sh_addralign, and what
/// elfgraft knows of its contents. With --layout where it all is, drawn to scale.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: elfgraft show x.ko",
    after_long_help = "\
Examples:
  What is where, to scale:
    elfgraft show --layout x.ko
  What an edit moved, and what it did not:
    elfgraft set -o after.ko .BTF=x.BTF x.ko
    elfgraft show --layout x.ko after.ko
  The same as a picture:
    elfgraft show --layout --svg edit.svg x.ko after.ko"
)]
pub struct ShowArgs {
    /// ELF files
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Draw one file to scale; of two, what moved from the first to the second
    ///
    /// A line for each header table, section (sh_offset, sh_size), gap and signature, its bar where it is in the file.
    /// Where there are many, small neighbours share a line.
    #[arg(long)]
    layout: bool,
    /// Print JSON, one object a line for each file: see docs/json.md
    #[arg(long, conflicts_with = "layout")]
    json: bool,
    /// With --layout: write a picture to OUT instead; `-` is standard output
    #[arg(long, value_name = "OUT", requires = "layout")]
    svg: Option<PathBuf>,
}

/// So many lines of a drawing are always kept; with those for what is between them it is twice as many.
const LINES: usize = 60;

impl ShowArgs {
    /// Runs the command.
    pub fn run(&self) -> Result<(), Error> {
        if self.layout {
            return self.draw();
        }
        let mut failed = false;
        for path in &self.files {
            if let Err(e) = one(path, self.json) {
                report::error(&e);
                failed = true;
            }
        }
        if failed { Err(Error::Reported) } else { Ok(()) }
    }

    fn draw(&self) -> Result<(), Error> {
        let (first, second) = match self.files.as_slice() {
            [one] => (one, None),
            [before, after] => (before, Some(after)),
            more => {
                return Err(Error::Usage(format!("--layout takes one file, or two to compare, not {}", more.len())));
            }
        };
        if let Some(out) = &self.svg {
            not_an_input(out, self.files.iter().map(PathBuf::as_path))?;
        }
        let file = open(first)?;
        let image = Image::parse(file.bytes()).map_err(Error::edit(first))?;
        let before = Layout::of(&title(first), &image);
        let terminal = Terminal::stdout();
        let Some(second) = second else {
            let rows = layout::bound(layout::single(&before), LINES);
            return match &self.svg {
                Some(out) => write(out, &layout::svg(&before, None, &rows)),
                None => print(&layout::text(&before, &rows, terminal)),
            };
        };
        let file = open(second)?;
        let image = Image::parse(file.bytes()).map_err(Error::edit(second))?;
        let after = Layout::of(&title(second), &image);
        let (rows, summary) = layout::compare(&before, &after);
        let rows = layout::bound(rows, LINES);
        match &self.svg {
            Some(out) => write(out, &layout::svg(&before, Some((&after, &summary)), &rows)),
            None => print(&layout::side_by_side(&before, &after, &rows, &summary, terminal)),
        }
    }
}

/// A file's name for people: nothing in it moves their cursor.
fn title(path: &Path) -> String {
    let plain = |c: char| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c };
    path.to_string_lossy().chars().map(plain).collect()
}

fn write(out: &Path, text: &str) -> Result<(), Error> {
    if out == Path::new("-") {
        return print(text);
    }
    if is_elf(out) {
        let text = "an ELF file, which no picture replaces; what stands behind --svg is the file to write";
        return Err(Error::file(out, text));
    }
    write_file(out, text.as_bytes(), &WriteOptions::default())?;
    Ok(())
}

fn json(path: &Path, image: &Image) -> Value {
    let format = image.format;
    let section = |(index, h): (SectionIndex, &SectionHeader)| {
        let name = image.name(index).ok().map(|name| String::from_utf8_lossy(name).into_owned());
        json!({
            "index": index.0, "name": name, "type": h.sh_type, "flags": h.sh_flags, "addr": h.sh_addr,
            "offset": h.sh_offset, "size": h.sh_size, "link": h.sh_link, "info": h.sh_info,
            "addralign": h.sh_addralign, "entsize": h.sh_entsize,
        })
    };
    let segment = |p: &ProgramHeader| {
        json!({
            "type": p.p_type, "flags": p.p_flags, "offset": p.p_offset, "vaddr": p.p_vaddr, "paddr": p.p_paddr,
            "filesz": p.p_filesz, "memsz": p.p_memsz, "align": p.p_align,
        })
    };
    json!({
        "file": path.to_string_lossy(),
        "class": if format.is_64 { 64 } else { 32 },
        "order": if format.endian == Endianness::Little { "little" } else { "big" },
        "type": format.e_type,
        "machine": format.e_machine,
        "size": image.file().len(),
        "sections": image.indexed().filter(|(index, _)| index.0 != 0).map(section).collect::<Vec<_>>(),
        "segments": image.segments.iter().map(segment).collect::<Vec<_>>(),
        "signature": image.trailer.map(|t| json!({ "kind": t.kind(), "offset": t.offset, "size": t.size })),
    })
}

fn one(path: &Path, as_json: bool) -> Result<(), Error> {
    let file = open(path)?;
    let image = Image::parse(file.bytes()).map_err(Error::edit(path))?;
    print(&if as_json { format!("{}\n", json(path, &image)) } else { show(path, &image) })
}

fn show(path: &Path, image: &Image) -> String {
    let format = image.format;
    let class = if format.is_64 { "ELF64" } else { "ELF32" };
    let order = if format.endian == Endianness::Little { "little-endian" } else { "big-endian" };
    let kind = match format.e_type {
        ET_REL => "ET_REL object",
        ET_EXEC => "ET_EXEC executable",
        ET_DYN => "ET_DYN shared object",
        ET_CORE => "ET_CORE core file",
        _ => "file of unknown type",
    };
    let mut text = format!(
        "{}: {class} {order} {kind}, machine {}, {} bytes, {}, {}\n",
        shown(&path),
        format.e_machine,
        image.file().len(),
        count(image.sections.len().saturating_sub(1) as u64, "section"),
        count(image.segments.len() as u64, "segment")
    );
    for (index, header) in image.indexed() {
        let name = image.name(index).map_or_else(|e| format!("<{e}>"), |n| n.escape_ascii().to_string());
        text += &format!(
            "  [{:>2}] {name:<28} {:<10} {:>6} {:#010x} {:>10} bytes, align {:<4} {}\n",
            index.0,
            type_name(header.sh_type),
            flag_letters(header.sh_flags),
            header.sh_offset,
            header.sh_size,
            header.sh_addralign,
            known(image, index, header, &name)
        );
    }
    match image.trailer {
        Some(t) => text += &format!("  appended {}: {} bytes at {:#x}\n", t.kind(), t.size, t.offset),
        None => text += "  no appended signature\n",
    }
    if image.sections.len() > usize::from(SHN_LORESERVE) {
        text += "  more than 65,279 sections: the kernel and kmod refuse such a module\n";
    }
    text.lines().flat_map(|line| [line.trim_end(), "\n"]).collect()
}

/// What elfgraft knows of a section besides its header.
fn known(image: &Image, index: SectionIndex, header: &SectionHeader, name: &str) -> String {
    let contents = image.contents(index).unwrap_or_default();
    match name {
        ".BTF" | ".BTF.base" if !image.named(b".BTF.base").is_empty() && name == ".BTF" => {
            "split BTF on .BTF.base".into()
        }
        ".BTF" => "BTF".into(),
        ".BTF.base" => "distilled base BTF".into(),
        ".BTF_ids" => count((contents.len() / 4) as u64, "word") + " of BTF IDs",
        ".module_hashes" => {
            let levels = elfgraft_elf::encode::read_word(image.format, contents, 0).unwrap_or_default();
            let root: String = contents.iter().skip(4).map(|b| format!("{b:02x}")).collect();
            format!("Merkle root, {}: {root}", count(levels, "level"))
        }
        _ if header.sh_flags & SHF_RELA_LIVEPATCH != 0 => "livepatch relocations".into(),
        _ if header.sh_type == SHT_GROUP => count((contents.len() / 4).saturating_sub(1) as u64, "member"),
        _ if header.is_reloc() => format!("of {}", image.describe(SectionIndex(header.sh_info))),
        _ => String::new(),
    }
}

fn type_name(sh_type: u32) -> String {
    match sh_type {
        SHT_NULL => "NULL".into(),
        SHT_PROGBITS => "PROGBITS".into(),
        SHT_SYMTAB => "SYMTAB".into(),
        SHT_STRTAB => "STRTAB".into(),
        SHT_RELA => "RELA".into(),
        SHT_HASH => "HASH".into(),
        SHT_NOTE => "NOTE".into(),
        SHT_NOBITS => "NOBITS".into(),
        SHT_REL => "REL".into(),
        SHT_DYNSYM => "DYNSYM".into(),
        SHT_GROUP => "GROUP".into(),
        SHT_SYMTAB_SHNDX => "SHNDX".into(),
        SHT_RELR => "RELR".into(),
        other => format!("{other:#x}"),
    }
}

/// readelf's letters.
fn flag_letters(flags: u64) -> String {
    let known = [
        (SHF_WRITE, 'W'),
        (SHF_ALLOC, 'A'),
        (SHF_EXECINSTR, 'X'),
        (SHF_MERGE, 'M'),
        (SHF_STRINGS, 'S'),
        (SHF_INFO_LINK, 'I'),
        (SHF_LINK_ORDER, 'L'),
        (SHF_GROUP, 'G'),
        (SHF_COMPRESSED, 'C'),
        (SHF_EXCLUDE, 'E'),
    ];
    let mut letters: String = known.iter().filter(|(bit, _)| flags & bit != 0).map(|(_, letter)| letter).collect();
    let rest = known.iter().fold(flags, |rest, (bit, _)| rest & !bit);
    if rest != 0 {
        letters.push('o');
    }
    letters
}
