//! Code in docs/, taken from there to be run.

use std::path::Path;

/// The code block of `docs/FILE` in this language that begins with the comment `# TITLE`.
#[track_caller]
pub fn block(file: &str, language: &str, title: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(file);
    let docs = std::fs::read_to_string(path).unwrap();
    let start = format!("```{language}\n# {title}\n");
    let at = docs.find(&start).unwrap_or_else(|| panic!("{file} has no block '{title}'"));
    let block = &docs[at + "```".len() + language.len() + 1..];
    block[..block.find("```").unwrap()].to_owned()
}
