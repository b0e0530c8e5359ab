//! Every operation on one file, each once, for tests that count what it costs and see that it ends well or with an error.

use elfgraft_compare::check::{Options as CheckOptions, check};
use elfgraft_compare::diff::{Options, diff};
use elfgraft_edit::{
    Content, Discard, EditError, Edits, FlagSet, FlatOptions, NewSymbol, Pattern, Rename, Strip, SymbolEdits,
    SymbolNames, Target, loaded, plan, plan_flat, plan_only_keep_debug, to_elf32,
};
use elfgraft_elf::Image;
use elfgraft_patch::{Patch, to_vec};

use elfgraft::btf::process::{How, process_for};
use elfgraft::btf::source::Own;
use elfgraft::records::{ihex, srec};
use elfgraft_btf::ids::Options as IdOptions;

/// What came of an operation: the size of its result in bytes, or why it was refused.
pub type Outcome = Result<usize, String>;

/// An operation, by name.
pub type Operation = (&'static str, fn(&[u8]) -> Outcome);

/// All operations.
pub const OPERATIONS: [Operation; 32] = [
    ("set a new section", |x| edit(x, set(b".new", 5))),
    ("set .BTF", |x| edit(x, set(b".BTF", 4097))),
    ("set .text to what it has", |x| edit_with(x, same_text)),
    ("remove everything", |x| edit(x, remove(b"*"))),
    ("remove .text", |x| edit(x, remove(b".text"))),
    ("remove what is between", |x| edit(x, remove(b"?*[t-x]*t*"))),
    ("only .text", |x| edit(x, Edits { only: [Pattern::new(b".text")].into_iter().collect(), ..Edits::default() })),
    ("only groups", |x| edit(x, Edits { only: [Pattern::new(b".g*")].into_iter().collect(), ..Edits::default() })),
    ("update .text", |x| edit(x, update(b".text"))),
    ("rename .text", |x| {
        let rename = vec![Rename { from: b".text".to_vec(), to: b".renamed".to_vec(), flags: None }];
        edit(x, Edits { rename, ..Edits::default() })
    }),
    ("flags", |x| edit(x, Edits { flags: vec![(any(), flags("alloc,code,contents"))], ..Edits::default() })),
    ("noload", |x| edit(x, Edits { flags: vec![(any(), flags("noload"))], ..Edits::default() })),
    ("alignment", |x| edit(x, Edits { align: vec![(any(), 4096)], ..Edits::default() })),
    ("type", |x| edit(x, Edits { types: vec![(Pattern::new(b".text"), 7)], ..Edits::default() })),
    ("prefix of sections", |x| edit(x, Edits { prefix_sections: b"p".to_vec(), ..Edits::default() })),
    ("prefix of symbols", |x| symbols(x, SymbolEdits { prefix: b"p".to_vec(), ..SymbolEdits::default() })),
    ("strip debug", |x| symbols(x, SymbolEdits { strip: Strip::Debug, ..SymbolEdits::default() })),
    ("strip unneeded", |x| symbols(x, SymbolEdits { strip: Strip::Unneeded, ..SymbolEdits::default() })),
    ("strip all", |x| symbols(x, SymbolEdits { strip: Strip::All, ..SymbolEdits::default() })),
    ("discard locals", |x| symbols(x, SymbolEdits { discard: Discard::Locals, ..SymbolEdits::default() })),
    ("strip symbols", |x| symbols(x, SymbolEdits { strip_unneeded: names(), ..SymbolEdits::default() })),
    ("localize", |x| symbols(x, SymbolEdits { localize: names(), localize_hidden: true, ..SymbolEdits::default() })),
    ("globalize", |x| symbols(x, SymbolEdits { globalize: names(), weaken_all: true, ..SymbolEdits::default() })),
    ("redefine and add symbols", |x| {
        let new = NewSymbol { name: b"new".to_vec(), section: Some(b".text".into()), value: 5, info: 1, other: 0 };
        let redefine = [(b"f".to_vec(), b"g".to_vec())].into();
        symbols(x, SymbolEdits { add: vec![new], redefine, ..SymbolEdits::default() })
    }),
    ("only keep debug", |x| {
        let image = Image::parse(x).map_err(|e| e.to_string())?;
        carried_out(x, plan_only_keep_debug(&image).map(|plan| plan.patch))
    }),
    ("flat", |x| {
        let image = Image::parse(x).map_err(|e| e.to_string())?;
        let options = FlatOptions { gap_fill: 0xff, pad_to: Some(0x1000_0000), ..FlatOptions::default() };
        carried_out(x, plan_flat(&image, &Edits { drop_in: true, ..Edits::default() }, options).map(|p| p.patch))
    }),
    ("S-records", |x| records(x, |parts| srec(parts, b"x", 0))),
    ("Intel HEX", |x| records(x, |parts| ihex(parts, 0))),
    ("to ELF32", |x| {
        let image = Image::parse(x).map_err(|e| e.to_string())?;
        to_elf32(&image).map(|file| file.len()).map_err(|e| e.to_string())
    }),
    ("check", |x| Ok(check(x, &CheckOptions::default()).to_json().to_string().len())),
    ("diff", |x| {
        let other: Vec<u8> = x.iter().enumerate().map(|(at, byte)| byte ^ u8::from(at == x.len() / 2)).collect();
        let report = diff(x, &other, &Options::default()).map_err(|(_, e)| e.to_string())?;
        Ok(report.findings.len())
    }),
    ("BTF IDs", btf_ids),
];

/// `--remove-section` of no section in every member of an archive.
///
/// # Errors
/// If the archive is refused.
pub fn archive(file: &[u8]) -> Outcome {
    let plan = elfgraft::archive::plan_archive(std::path::Path::new("x"), file, &remove(b".none"));
    let plan = plan.map_err(|e| e.to_string())?;
    Ok(to_vec(&plan.patch, file).len())
}

fn any() -> Pattern {
    Pattern::new(b"*")
}

fn flags(words: &str) -> FlagSet {
    FlagSet::parse(words).unwrap_or_default()
}

fn names() -> SymbolNames {
    SymbolNames::new([b"f*".to_vec(), b"*1".to_vec(), b"!*x*y*".to_vec()], true)
}

fn set(name: &[u8], size: usize) -> Edits<'static> {
    let set = vec![Content { section: name.to_vec(), bytes: vec![7; size].into() }];
    Edits { set, ..Edits::default() }
}

fn update(name: &[u8]) -> Edits<'static> {
    let update = vec![Content { section: Target::Name(name.to_vec()), bytes: vec![7; 4].into() }];
    Edits { update, pad: true, ..Edits::default() }
}

fn remove(pattern: &[u8]) -> Edits<'static> {
    Edits { remove: [Pattern::new(pattern)].into_iter().collect(), ..Edits::default() }
}

fn same_text<'a>(image: &Image<'a>) -> Edits<'a> {
    let index = image.named(b".text").first().copied();
    let bytes = index.and_then(|index| image.contents(index).ok()).unwrap_or_default();
    let update = index.map(|index| Content { section: Target::Index(index), bytes: bytes.into() });
    Edits { update: update.into_iter().collect(), ..Edits::default() }
}

fn symbols(file: &[u8], symbols: SymbolEdits) -> Outcome {
    edit(file, Edits { symbols, ..Edits::default() })
}

fn edit(file: &[u8], edits: Edits) -> Outcome {
    edit_with(file, |_| Edits { drop_in: true, ..edits.clone() })
}

fn edit_with<'a>(file: &'a [u8], edits: impl Fn(&Image<'a>) -> Edits<'a>) -> Outcome {
    let image = Image::parse(file).map_err(|e| e.to_string())?;
    let edits = edits(&image);
    carried_out(file, plan(&image, &edits).map(|plan| plan.patch))
}

fn carried_out(file: &[u8], patch: Result<Patch, EditError>) -> Outcome {
    let patch = patch.map_err(|e| e.to_string())?;
    // What is longer than that is made of holes, which `to_vec` would fill.
    let len = usize::try_from(patch.output_len()).unwrap_or(usize::MAX);
    if len > file.len() + (8 << 20) { Ok(len) } else { Ok(to_vec(&patch, file).len()) }
}

fn records(file: &[u8], f: impl Fn(&[elfgraft_edit::Loaded]) -> Result<Vec<u8>, EditError>) -> Outcome {
    let image = Image::parse(file).map_err(|e| e.to_string())?;
    let flags = vec![(any(), flags("alloc,contents,readonly"))];
    let parts = loaded(&image, &Edits { drop_in: true, flags, ..Edits::default() }).map_err(|e| e.to_string())?;
    f(&parts).map(|text| text.len()).map_err(|e| e.to_string())
}

fn btf_ids(file: &[u8]) -> Outcome {
    let path = std::path::Path::new("x");
    let image = Image::parse(file).map_err(|e| e.to_string())?;
    let found = elfgraft::btf::section::IdsSection::find(path, &image).map_err(|e| e.to_string())?;
    let section = found.ok_or("no BTF IDs")?;
    let _ = section.ids().check(None);
    let own = Own::find(path, &image).map_err(|e| e.to_string())?;
    let readings = own.readings(&[]);
    let options = IdOptions { old: section.proof(&readings), trust_symbols: true, ..IdOptions::default() };
    if let Some(btf) = readings.first() {
        let _ = (section.ids().check(Some(btf)), section.ids().rows(Some(btf)));
        let _ = process_for(btf, Some(&section), &readings, How { trust_symbols: true, ..How::default() });
        return section.ids().resolve(btf, &options).map(|o| o.data.len()).map_err(|e| e.to_string());
    }
    section.ids().sort(&options).map(|o| o.data.len()).map_err(|e| e.to_string())
}
