//! Reading: both readers, `check`, `diff`, BTF and signatures, on any bytes.

use elfgraft_btf::Btf;
use elfgraft_compare::check::{Options as CheckOptions, check};
use elfgraft_compare::diff::{Options, diff};
use elfgraft_elf::consts::SHT_SYMTAB;
use elfgraft_elf::{Image, trailer::Trailer};

/// Reads all there is to read. A file is equal to itself.
pub fn parse(input: &[u8]) {
    let report = check(input, &CheckOptions::default());
    assert!(!report.to_json().to_string().is_empty());
    if let Ok(report) = diff(input, input, &Options::default()) {
        assert!(report.is_equal(), "a file differs from itself: {:?}", report.findings.first());
    }
    if let Some(trailer) = Trailer::find(input) {
        assert!(trailer.size <= input.len() as u64);
    }
    let Ok(image) = Image::parse(input) else { return };
    for (index, header) in image.indexed() {
        let _ = (image.name(index), image.describe(index));
        if let Ok(contents) = image.contents(index) {
            assert_eq!(contents.len() as u64, header.file_size());
        }
        if header.sh_type == SHT_SYMTAB
            && let Ok(table) = image.symbol_table(index)
        {
            for symbol in table.iter().filter_map(Result::ok) {
                let _ = (table.name(&symbol.1), table.value_offset(symbol.0));
            }
        }
    }
    let btf = image.named(b".BTF").into_iter().filter_map(|index| image.contents(index).ok());
    for btf in btf.filter_map(|data| Btf::parse(data).ok()) {
        let _ = btf.validate();
    }
}
