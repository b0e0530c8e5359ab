//! `--patch_btfids`: new words for `.BTF_ids`, written into the file itself, and the symbols of the entries that moved.
//!
//! The kernel's tool writes the words alone. They are sorted, the symbols are not: until the next link each symbol then
//! stands for some other kfunc. Which entry of the new words is whose is told by the BTF that the file has by now; of
//! split BTF without its base, the IDs themselves tell where the base must have ended.

use std::path::Path;

use elfgraft_btf::ids::Options as IdOptions;
use elfgraft_btf::{Btf, Kind};
use elfgraft_edit::{Content, Edits, Target, plan};
use elfgraft_elf::Image;
use elfgraft_patch::{Options as CommitOptions, commit, shown};

use super::load::Source;
use super::options::Options;
use super::trace::Trace;
use super::{Stop, errno, explained, failed, open, say};
use crate::btf::section::IdsSection;
use crate::btf::source::{Own, only};
use crate::report::Error;

/// Puts the contents of `blob` into `.BTF_ids`.
pub fn patch(blob: &Path, options: &Options) -> Result<(), Stop> {
    let path = &*options.file;
    let (shown, blob_shown) = (shown(&path), shown(&blob));
    let file = open(path).map_err(|e| failed(format!("FAILED to open {shown}: {e}")))?;
    let image = Image::parse(file.bytes())
        .map_err(|e| explained(format_args!("{shown}: {e}"), "FAILED cannot get shdr str ndx"))?;
    let Some(index) = only(path, &image, b".BTF_ids")? else {
        return Err(failed(format!("FAILED: section .BTF_ids not found in {shown}")));
    };
    let held = image.contents(index).map_err(Error::edit(path))?.len();
    let metadata =
        std::fs::metadata(blob).map_err(|e| failed(format!("FAILED to stat {blob_shown}: {}", errno(&e))))?;
    // A pipe tells its size only when it has been read.
    let mismatch = |given| {
        failed(format!(
            "FAILED: size mismatch - .BTF_ids section in {shown} is {held} bytes, {blob_shown} is {given} bytes"
        ))
    };
    if metadata.is_file() && metadata.len() != held as u64 {
        return Err(mismatch(metadata.len()));
    }
    let new = open(blob).map_err(|e| failed(format!("FAILED to open {blob_shown}: {e}")))?;
    let new = new.bytes();
    if new.len() != held {
        return Err(mismatch(new.len() as u64));
    }
    Trace(options.verbose)
        .say(format_args!("Copying data from {blob_shown} to .BTF_ids section of {shown} ({held} bytes)"));

    let mut edits = Edits::default();
    edits.update.push(Content { section: Target::Index(index), bytes: new.into() });
    if let Some(section) = IdsSection::read(path, &image, index)? {
        move_symbols(&section, &image, new, options, &mut edits)?;
    }
    let fail = |e: String| explained(e, format!("FAILED to update ELF file {shown}"));
    let plan = plan(&image, &edits).map_err(|e| fail(e.to_string()))?;
    let in_place = CommitOptions { in_place: true, ..CommitOptions::default() };
    commit(&plan.patch, &file, path, &in_place).map_err(|e| fail(e.to_string()))?;
    Ok(())
}

/// Gives each symbol the place that its entry has in the new words.
fn move_symbols<'a>(
    section: &IdsSection<'a>,
    image: &Image<'a>,
    new: &'a [u8],
    options: &Options,
    edits: &mut Edits<'a>,
) -> Result<(), Stop> {
    let path = &*options.file;
    let base_file = options.btf_base.as_deref().map(|path| Source::open("base BTF", path)).transpose()?;
    let base_source = base_file.as_ref().map(|file| Source::find("base BTF", file)).transpose()?;
    let base = base_source.as_ref().map(|source| source.parse(None)).transpose()?;
    let own = Own::find(path, image)?;
    let readings = own.readings(&[base.as_ref()]);
    let old = section.proof(&readings);
    let how = |old| IdOptions { old, pinned: section.pinned(), ..IdOptions::default() };
    // The words were made of those that are in the file now, most of the time: then it is known who went where.
    let mut again = readings.iter().filter_map(|btf| section.ids().resolve(btf, &how(old)).ok());
    if let Some(outcome) = again.find(|outcome| outcome.data == new) {
        section.edit(outcome.data, &outcome.moves, edits);
        return Ok(());
    }
    let alone = own.data.filter(|_| own.needs_base()).and_then(|data| detached(section, new, data));
    let ids = section.with(new);
    let mut sorted = readings.iter().chain(&alone).map(|btf| ids.sort(&how(Some(btf))));
    let proven = sorted.find(|done| done.as_ref().is_ok_and(|outcome| outcome.unproven.is_empty()));
    let stay =
        |why: &str| say(format_args!("resolve_btfids: symbols of '{}' stay where they are: {why}", shown(&path)));
    match proven.unwrap_or_else(|| ids.sort(&how(readings.first()))) {
        Ok(outcome) if outcome.data == new => {
            for set in &outcome.unproven {
                stay(&format!("the BTF in it does not tell which is whose entry in set '{set}' (--btf_base may)"));
            }
            section.edit(outcome.data, &outcome.moves, edits);
        }
        Ok(_) => stay("the new words are not sorted"),
        Err(e) => stay(&e.to_string()),
    }
    Ok(())
}

/// Split BTF without its base, read so that the greatest ID in the words is the last type that they can mean.
fn detached<'a>(section: &IdsSection<'a>, words: &'a [u8], data: &'a [u8]) -> Option<Btf<'a>> {
    let ids = section.with(words);
    let rows = ids.rows(None);
    let greatest = rows.iter().map(|row| row.id).max()?;
    let wanted: Vec<(Kind, &[u8])> = rows.iter().filter_map(|row| row.wanted).collect();
    let btf = Btf::parse_detached(data, 1).ok().filter(|btf| btf.check_names().is_ok())?;
    let last = btf.find_first(&wanted).into_iter().flatten().max()?;
    Btf::parse_detached(data, greatest.checked_sub(last.checked_sub(1)?)?).ok()
}
