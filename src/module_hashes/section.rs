//! Where the root is: `.module_hashes` of a vmlinux, or its contents in a file of their own.

use std::path::Path;

use elfgraft_elf::consts::PT_LOAD;
use elfgraft_elf::{Endianness, Image, ProgramHeader, SectionIndex};
use elfgraft_hashes::{ByteOrder, RootSection};

use crate::blob::open;
use crate::report::Error;

/// The section's name.
pub const NAME: &[u8] = b".module_hashes";

/// The byte order that the section is in.
pub fn byte_order(image: &Image) -> ByteOrder {
    match image.format.endian {
        Endianness::Little => ByteOrder::Little,
        Endianness::Big => ByteOrder::Big,
    }
}

/// Finds the section, and checks that it can hold a root where the kernel looks for it.
pub fn find(path: &Path, image: &Image) -> Result<SectionIndex, Error> {
    let fail = |text: String| Err(Error::file(path, text));
    let index = match image.named(NAME).as_slice() {
        [one] => *one,
        [] => return fail("there is no section '.module_hashes'; is CONFIG_MODULE_HASHES on?".into()),
        several => {
            return fail(format!(
                "{} sections are named '.module_hashes': {}",
                several.len(),
                image.describe_all(several)
            ));
        }
    };
    let header = image.header(index).map_err(Error::edit(path))?;
    let section = image.describe(index);
    if let Some(sh_type) = header.type_without_contents() {
        return fail(format!("section {section} is {sh_type}: it has no contents in the file"));
    }
    if header.sh_size != RootSection::LEN as u64 {
        return fail(format!("section {section} is {} bytes, a root is {}", header.sh_size, RootSection::LEN));
    }
    if !header.is_alloc() {
        return fail(format!("section {section} is not allocated: the kernel would not see the root"));
    }
    // An object that is yet to be linked has no segments; in a vmlinux, what no PT_LOAD holds is not there when it runs.
    let loads = |s: &ProgramHeader| s.p_type == PT_LOAD && holds(s, header.sh_offset, header.sh_size);
    if !image.segments.is_empty() && !image.segments.iter().any(loads) {
        return fail(format!("section {section} is in no PT_LOAD: the kernel would not see the root"));
    }
    Ok(index)
}

fn holds(segment: &ProgramHeader, offset: u64, size: u64) -> bool {
    let end = segment.p_offset.saturating_add(segment.p_filesz);
    offset >= segment.p_offset && offset.checked_add(size).is_some_and(|section_end| section_end <= end)
}

/// The root in a vmlinux.
pub fn root_in(path: &Path, image: &Image) -> Result<RootSection, Error> {
    let contents = image.contents(find(path, image)?).map_err(Error::edit(path))?;
    RootSection::decode(contents, byte_order(image)).map_err(|e| Error::file(path, e.to_string()))
}

/// The section's contents as `build --root` and `elfgraft dump` write them.
///
/// Nothing in there tells the byte order, and nothing has to: up to 32 levels, read in the other order, are 2^24 or
/// more, which no tree has.
pub fn raw_root(contents: &[u8]) -> Option<RootSection> {
    [ByteOrder::Little, ByteOrder::Big].iter().find_map(|order| RootSection::decode(contents, *order).ok())
}

/// The root in a file of either kind.
pub fn root_of(path: &Path) -> Result<RootSection, Error> {
    let file = open(path)?;
    if let Some(root) = raw_root(file.bytes()) {
        return Ok(root);
    }
    let image = Image::parse(file.bytes())
        .map_err(|e| Error::file(path, format!("neither a vmlinux ({e}) nor a root of {} bytes", RootSection::LEN)))?;
    root_in(path, &image)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_raw_root_tells_its_byte_order_itself() {
        let with = |levels: [u8; 4]| raw_root(&[&levels[..], &[7; 32]].concat()).map(|root| root.levels());
        for levels in 0..=32 {
            assert_eq!(with([levels, 0, 0, 0]), Some(levels.into()));
            assert_eq!(with([0, 0, 0, levels]), Some(levels.into()));
        }
        assert_eq!(with([33, 0, 0, 0]), None);
        assert_eq!(with([0, 1, 0, 0]), None);
        assert_eq!(raw_root(&[0; 35]), None);
        assert_eq!(raw_root(&[0; 37]), None);
    }
}
