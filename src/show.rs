//! `elfgraft show`: what is in a file.

use std::path::{Path, PathBuf};

use elfgraft_elf::consts::*;
use elfgraft_elf::{Endianness, Image, SectionHeader, SectionIndex};

use elfgraft_patch::shown;

use crate::blob::open;
use crate::report::{self, Error, print};

/// Tell what is in ELF files: sections, what elfgraft knows of them, the signature.
#[derive(Debug, clap::Args)]
pub struct ShowArgs {
    /// ELF files
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
}

impl ShowArgs {
    /// Runs the command.
    pub fn run(&self) -> Result<(), Error> {
        let mut failed = false;
        for path in &self.files {
            if let Err(e) = one(path) {
                report::error(&e);
                failed = true;
            }
        }
        if failed { Err(Error::Reported) } else { Ok(()) }
    }
}

fn one(path: &Path) -> Result<(), Error> {
    let file = open(path)?;
    let image = Image::parse(file.bytes()).map_err(Error::edit(path))?;
    print(&show(path, &image))
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
        "{}: {class} {order} {kind}, machine {}, {} bytes, {} sections, {} segments\n",
        shown(&path),
        format.e_machine,
        image.file().len(),
        image.sections.len().saturating_sub(1),
        image.segments.len()
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
        ".BTF_ids" => format!("{} words of BTF IDs", contents.len() / 4),
        ".module_hashes" => {
            let levels = elfgraft_elf::encode::read_word(image.format, contents, 0).unwrap_or_default();
            let root: String = contents.iter().skip(4).map(|b| format!("{b:02x}")).collect();
            format!("Merkle root, {levels} levels: {root}")
        }
        _ if header.sh_flags & SHF_RELA_LIVEPATCH != 0 => "livepatch relocations".into(),
        _ if header.sh_type == SHT_GROUP => format!("{} members", (contents.len() / 4).saturating_sub(1)),
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
