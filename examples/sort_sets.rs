//! Sorts the BTF ID sets of a linked vmlinux, together with their symbols: `cargo run --example sort_sets -- VMLINUX`.
//!
//! The BTF crate knows no ELF: what it needs of the file it is given, what it finds becomes edits. `elfgraft btf-ids sort`
//! does the same, and also finds the entries that relocations reach without their symbols; files that may have such
//! relocations are refused here.

use std::error::Error;
use std::path::Path;

use elfgraft_btf::ids::{Ids, Options, Sym};
use elfgraft_btf::{Btf, Endian};
use elfgraft_edit::{Content, Edits, SymbolValue, Target, plan};
use elfgraft_elf::{Endianness, Image, SectionIndex, SymbolSection};
use elfgraft_patch::Input;

/// Sorts `.BTF_ids` of the vmlinux at `path` in place. Tells how many symbols were put right that another tool's sort had
/// left at other entries.
pub fn sort_sets(path: &Path) -> Result<usize, Box<dyn Error>> {
    let input = Input::open(path)?;
    let image = Image::parse(input.bytes())?;
    let (section, btf) = (only(&image, b".BTF_ids")?, only(&image, b".BTF")?);
    if image.sections.iter().any(|header| header.is_reloc()) {
        return Err("a file with relocations: an entry that one of them reaches must not move".into());
    }
    let [table] = image.symbol_tables()[..] else { return Err("not one symbol table".into()) };

    // The symbols tell what the section's words are. In a linked file they have addresses.
    let address = image.header(section)?.sh_addr;
    let symbols = image.symbol_table(table)?;
    let mut syms = Vec::new();
    for symbol in symbols.iter() {
        let (index, symbol) = symbol?;
        let name = symbols.name(&symbol)?;
        if symbol.section == SymbolSection::Index(section) && name.starts_with(b"__BTF_ID__") {
            let offset = symbol.st_value.checked_sub(address).ok_or("a symbol in front of its section")?;
            syms.push(Sym { index, name, offset, size: symbol.st_size });
        }
    }

    let endian = match image.format.endian {
        Endianness::Little => Endian::Little,
        Endianness::Big => Endian::Big,
    };
    // The BTF that the IDs refer to proves where each symbol belongs.
    let btf = Btf::parse(image.contents(btf)?)?;
    let ids = Ids::new(image.contents(section)?, endian, &syms);
    let sorted = ids.sort(&Options { old: Some(&btf), ..Options::default() })?;

    let value = |offset: u64| address.checked_add(offset).ok_or("an address beyond 64 bits");
    let moved = sorted.moves.iter().map(|m| Ok(SymbolValue { table, symbol: m.symbol, value: value(m.offset)? }));
    let edits = Edits {
        values: moved.collect::<Result<_, &str>>()?,
        update: vec![Content { section: Target::Index(section), bytes: sorted.data.into() }],
        ..Edits::default()
    };
    let plan = plan(&image, &edits)?;
    let options = elfgraft_patch::Options { in_place: true, ..Default::default() };
    elfgraft_patch::commit(&plan.patch, &input, path, &options)?;
    Ok(sorted.realigned)
}

fn only(image: &Image, name: &[u8]) -> Result<SectionIndex, String> {
    match image.named(name)[..] {
        [index] => Ok(index),
        ref several => Err(format!("{} sections are named '{}'", several.len(), name.escape_ascii())),
    }
}

#[allow(dead_code, reason = "tests/examples.rs has the function alone")]
fn main() -> Result<(), Box<dyn Error>> {
    let file = std::env::args_os().nth(1).ok_or("sort_sets VMLINUX")?;
    println!("{} symbols put right", sort_sets(Path::new(&file))?);
    Ok(())
}
