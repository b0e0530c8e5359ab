//! Sets a section of an ELF file: `cargo run --example set_section -- FILE .SECTION CONTENTS`.
//!
//! The whole way of an edit: open, read, plan, commit. `elfgraft set` does the same.

use std::error::Error;
use std::path::Path;

use elfgraft_edit::{Content, Edits, plan};
use elfgraft_elf::Image;
use elfgraft_patch::{Input, Options, Outcome, commit};

/// Replaces section `name` of the file at `path`, or adds it. Another process sees the old file or the new one.
pub fn set_section(path: &Path, name: &str, contents: &[u8]) -> Result<Outcome, Box<dyn Error>> {
    let input = Input::open(path)?; // mapped: memory does not follow its size
    let image = Image::parse(input.bytes())?;
    let content = Content { section: name.into(), bytes: contents.into() };
    let edits = Edits { set: vec![content], ..Edits::default() };
    let plan = plan(&image, &edits)?; // nothing is written up to here, and it can be printed: elfgraft_patch::explain
    Ok(commit(&plan.patch, &input, path, &Options::default())?)
}

#[allow(dead_code, reason = "tests/examples.rs has the function alone")]
fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().collect();
    let [_, file, name, contents] = args.as_slice() else {
        return Err("set_section FILE .SECTION CONTENTS".into());
    };
    let outcome = set_section(Path::new(file), name, &std::fs::read(contents)?)?;
    println!("{:?}, {} bytes written", outcome.kind, outcome.bytes_written);
    Ok(())
}
