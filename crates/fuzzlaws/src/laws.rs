//! The laws for one edit of one file.

use elfgraft_compare::check::{Options as CheckOptions, check};
use elfgraft_compare::diff::{Finding, Key, Options, Report, diff};
use elfgraft_edit::{EditError, Edits, Pattern, plan};
use elfgraft_elf::Image;
use elfgraft_patch::to_vec;

/// Whatever is done to a file, in memory.
pub type Edit<'e> = dyn Fn(&[u8]) -> Result<Vec<u8>, EditError> + 'e;

/// The result of an edit. That the plan says "nothing to do" exactly when there is nothing to do is a law as well (L7).
pub fn edited(file: &[u8], edits: &Edits) -> Result<Vec<u8>, EditError> {
    let image = Image::parse(file)?;
    let patch = plan(&image, edits)?.patch;
    let result = to_vec(&patch, file);
    assert_eq!(result.len() as u64, patch.output_len());
    assert_eq!(
        patch.is_identity(),
        result == file,
        "L7: the plan is 'keep all' if and only if the result is the input"
    );
    Ok(result)
}

/// An edit that removes what the patterns match.
pub fn remove(patterns: &[&[u8]]) -> Edits<'static> {
    let remove = patterns.iter().map(|p| Pattern::new(p)).collect();
    Edits { remove, drop_in: true, ..Edits::default() }
}

/// Equal bytes, or the first difference.
#[track_caller]
pub fn same(got: &[u8], wanted: &[u8], law: &str) {
    if got != wanted {
        let at = got.iter().zip(wanted).position(|(x, y)| x != y).unwrap_or(got.len().min(wanted.len()));
        panic!("{law}: {} bytes, expected {}; first difference at {at:#x}", got.len(), wanted.len());
    }
}

/// L1 of an edit of `file` whose result is `once`: the same again changes no byte.
#[track_caller]
pub fn twice_is_once(edit: &Edit, file: &[u8], once: &[u8]) {
    if let Some(again) = again(edit(once), file, "L1") {
        same(&again, once, "L1");
    }
}

/// A further edit of a result of `file`. It is not refused, unless the file is damaged: then what one edit had no need to
/// read the next one may have.
#[track_caller]
pub fn again(result: Result<Vec<u8>, EditError>, file: &[u8], law: &str) -> Option<Vec<u8>> {
    match result {
        Ok(again) => Some(again),
        Err(e) if is_sound(file) => panic!("{law}: refused on a result of ours: {e}"),
        Err(_) => None,
    }
}

/// Whether the second reader finds nothing wrong with a file: L3 and L4 are for files that mean something.
pub fn is_sound(file: &[u8]) -> bool {
    check(file, &CheckOptions::default()).is_sound()
}

/// The first error that the second reader finds in a file.
pub fn first_error(file: &[u8]) -> Option<String> {
    check(file, &CheckOptions::default()).findings.first().map(ToString::to_string)
}

/// Whether a sound file is laid out as linkers do, so that L3 is promised: the section header table and the names lie in no
/// segment, and in front of none.
pub fn comes_back(file: &[u8]) -> bool {
    let Ok(image) = Image::parse(file) else { return false };
    let names = image.header(image.shstrndx).map_or(u64::MAX, |header| header.sh_offset);
    let first = image.e_shoff.min(names);
    let loaded = image.segments.iter().any(|s| s.p_filesz != 0 && first < s.file_end());
    !loaded && !image.sections.is_empty() && image.trailer.is_none()
}

/// A file with 0 for the `sh_offset` of each section without bytes: what is set to nothing may stand where it was, or where
/// it last had bytes.
pub fn without_places_of_nothing(file: &[u8]) -> Vec<u8> {
    let Ok(image) = Image::parse(file) else { return file.to_vec() };
    let mut file = file.to_vec();
    let (field, width) = if image.format.is_64 { (24, 8) } else { (16, 4) };
    for (index, _) in image.indexed().filter(|(_, header)| header.file_size() == 0) {
        let at = image.e_shoff as usize + index.get() * image.format.section_header_size() as usize + field;
        file[at..at + width].fill(0);
    }
    file
}

/// L4: what the second reader finds different is what `expected` knows.
#[track_caller]
pub fn nothing_else(before: &[u8], after: &[u8], expected: impl Fn(&Finding) -> bool) {
    let options = Options { ignore: [Key::Moved].into(), ..Options::default() };
    let report: Report = match diff(before, after, &options) {
        Ok(report) => report,
        Err((which, e)) => panic!("L4: {which:?} cannot be compared: {e}"),
    };
    if let Some(other) = report.findings.iter().find(|f| !expected(f)) {
        panic!("L4: {other} [{}]", other.key);
    }
}

/// A string table that is longer or shorter, but the same up to there: where names are added and leave.
pub fn is_table_end(finding: &Finding) -> bool {
    finding.key == Key::StringTable && finding.text.contains("the same up to there")
}
