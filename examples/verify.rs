//! Verifies what a build made. Of an edit: `cargo run --example verify -- OLD NEW .SECTION` tells whether the files differ in
//! that section only. Of module hashes: `... -- ROOT MODULE...` tells what the kernel would say, by the 36 bytes of
//! `.module_hashes` of a little-endian vmlinux. `elfgraft diff` and `elfgraft module-hashes verify` know more.

use std::error::Error;
use std::fs;
use std::path::Path;

use elfgraft_compare::diff::{Finding, Key, Options, diff};
use elfgraft_hashes::{ByteOrder, RootSection, verify_module};

/// The differences by meaning between two ELF files, read by a reader that elfgraft does not edit with, but for those of
/// one section, and for what only has another place in the file.
pub fn other_differences(old: &[u8], new: &[u8], section: &str) -> Result<Vec<Finding>, Box<dyn Error>> {
    let options = Options { ignore: [Key::Moved, Key::StringTable].into(), ..Options::default() };
    let mut findings = diff(old, new, &options).map_err(|(_, e)| e)?.findings;
    findings.retain(|finding| !finding.place.starts_with(&format!("section '{section}' ")));
    Ok(findings)
}

/// What the kernel would say to each module, a line for each; the first value is false if one is bad.
pub fn modules(root: &[u8], modules: &[impl AsRef<Path>]) -> Result<(bool, String), Box<dyn Error>> {
    let root = RootSection::decode(root, ByteOrder::Little)?;
    let (mut good, mut text) = (true, String::new());
    for module in modules {
        let verdict = verify_module(module.as_ref(), &root)?;
        good &= verdict.is_good();
        text += &format!("{}: {} {verdict}\n", module.as_ref().display(), verdict.errno().unwrap_or("ok"));
    }
    Ok((good, text))
}

#[allow(dead_code, reason = "tests/examples.rs has the functions alone")]
fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.as_slice() {
        [old, new, section] if section.starts_with('.') => {
            let findings = other_differences(&fs::read(old)?, &fs::read(new)?, section)?;
            findings.iter().for_each(|finding| println!("{finding}"));
            if findings.is_empty() { Ok(()) } else { Err("more has changed".into()) }
        }
        [root, files @ ..] if !files.is_empty() => {
            let (good, text) = modules(&fs::read(root)?, files)?;
            print!("{text}");
            if good { Ok(()) } else { Err("a module is bad".into()) }
        }
        _ => Err("verify OLD NEW .SECTION, or verify ROOT MODULE...".into()),
    }
}
