//! The laws for one file.

use elfgraft_compare::diff::{Finding, Key, Options, Report, diff};
use elfgraft_edit::{Content, EditError, Edits, Pattern, Target, plan};
use elfgraft_elf::consts::{ET_CORE, ET_DYN, ET_EXEC, ET_REL};
use elfgraft_elf::{Endianness, Format, Image, SectionIndex};
use elfgraft_patch::to_vec;

use crate::remove;
use crate::strip;
use crate::tally::{
    Tally,
    Verdict::{self, Failed, Held, Refused},
};

/// A name that no file has.
const NEW: &str = ".elfgraft.test";
/// Sizes that make every kind of padding, in an order that grows and shrinks.
const SIZES: [usize; 4] = [5, 4097, 0, 1000];
/// So many sections of a file are updated one by one, evenly spread.
const UPDATED: usize = 8;
/// So many sections of a file get the contents they have.
const REPEATED: usize = 64;

/// Puts `file` to every law.
pub fn check(name: &str, file: &[u8], tally: &mut Tally) {
    let image = match Image::parse(file) {
        Ok(image) => image,
        Err(e) => return tally.law("read", name, "headers", Refused(e.to_string())),
    };
    tally.law("read", name, "headers", Held);
    tally.format(describe(image.format));
    let file = Subject { name, x: image.data() };
    if image.trailer.is_some() {
        signature(&image, &file, tally);
    }
    // From here on without an appended signature, which no edit keeps.
    let Ok(image) = Image::parse(file.x) else { return };
    strip::check(&file, tally);
    nothing_new(&image, &file, tally);
    same_size(&image, &file, tally);
    for section in [".BTF", NEW] {
        set(&image, &file, section, tally);
    }
    if loaded_headers(&image) {
        tally.note("files whose section header table lies in a segment (patchelf): L3 is not promised");
    } else {
        several(&file, tally);
    }
    for pattern in [".BTF", ".comment", ".modinfo", ".debug_*", ".note.*"] {
        remove::check(&image, &file, pattern, tally);
    }
}

/// A file, and the operations of which the laws are made.
pub struct Subject<'a> {
    pub name: &'a str,
    pub x: &'a [u8],
}

pub fn edit(file: &[u8], edits: &Edits) -> Result<Vec<u8>, EditError> {
    let image = Image::parse(file)?;
    Ok(to_vec(&plan(&image, edits)?.patch, file))
}

/// Whether the edit is planned as "nothing to do": what makes the command leave the file alone.
pub fn is_identity(file: &[u8], edits: &Edits) -> Result<Verdict, EditError> {
    let image = Image::parse(file)?;
    let patch = plan(&image, edits)?.patch;
    Ok(if patch.is_identity() { Held } else { first_difference(&to_vec(&patch, file), file) })
}

fn first_difference(got: &[u8], wanted: &[u8]) -> Verdict {
    if got == wanted {
        return Held;
    }
    let at = got.iter().zip(wanted).position(|(x, y)| x != y).unwrap_or(got.len().min(wanted.len()));
    let near = |file: &[u8]| -> String {
        file.iter().skip(at).take(8).map(|b| format!("{b:02x}")).collect::<Vec<_>>().join(" ")
    };
    Failed(format!(
        "{} bytes, expected {}; first difference at {at:#x}: {}, expected {}",
        got.len(),
        wanted.len(),
        near(got),
        near(wanted)
    ))
}

impl Subject<'_> {
    /// A verdict about the result of an edit, which no further edit may refuse.
    pub fn say(&self, law: &'static str, case: &str, verdict: Result<Verdict, EditError>, tally: &mut Tally) {
        tally.law(law, self.name, case, verdict.unwrap_or_else(|e| Failed(format!("refused: {e}"))));
    }

    /// A verdict about an edit of the file itself, which may be refused for what the file is.
    fn say_or_refused(&self, law: &'static str, case: &str, verdict: Result<Verdict, EditError>, tally: &mut Tally) {
        tally.law(law, self.name, case, verdict.unwrap_or_else(|e| Refused(e.to_string())));
    }

    /// L4: what differs for a reader that shares no code with the editor is what `judge` expects.
    pub fn nothing_else(&self, case: &str, y: &[u8], judge: impl Fn(&Report) -> Verdict, tally: &mut Tally) {
        let options = Options { ignore: [Key::Moved].into(), ..Options::default() };
        let verdict = match diff(self.x, y, &options) {
            Ok(report) => judge(&report),
            Err((which, e)) => Failed(format!("{which:?} cannot be compared: {e}")),
        };
        tally.law("L4 nothing else changes", self.name, case, verdict);
    }
}

/// The verdict when every finding must be an expected one.
pub fn only(report: &Report, expected: impl Fn(&Finding) -> bool) -> Verdict {
    match report.findings.iter().find(|f| !expected(f)) {
        None => Held,
        Some(f) => Failed(format!("{f} ({}; one of {} differences)", f.key, report.findings.len())),
    }
}

/// Names are appended to a string table, or leave its end: what is in both tables is the same.
pub fn is_table_end(finding: &Finding) -> bool {
    finding.key == Key::StringTable && finding.text.contains("the same up to there")
}

fn set_edit(section: &str, bytes: Vec<u8>) -> Edits<'static> {
    Edits { set: vec![Content { section: section.into(), bytes: bytes.into() }], ..Edits::default() }
}

pub fn remove_edit(patterns: &[&str]) -> Edits<'static> {
    let remove = patterns.iter().map(|p| Pattern::new(p.as_bytes())).collect();
    Edits { remove, ..Edits::default() }
}

/// Bytes that are neither zero nor text.
fn blob(size: usize) -> Vec<u8> {
    (0u8..=254).map(|b| b | 1).cycle().take(size).collect()
}

/// Up to `number` sections, evenly spread, whose contents can be named by their name.
fn sample<'a>(image: &Image<'a>, number: usize) -> Vec<(SectionIndex, &'a [u8], &'a [u8])> {
    let step = image.sections.len().div_ceil(number).max(1);
    let spread = image.indexed().filter(|(index, _)| index.get() % step == 0 || image.sections.len() < number);
    let usable = spread.filter_map(|(index, header)| {
        let (name, contents) = (image.name(index).ok()?, image.contents(index).ok()?);
        let named = !name.is_empty() && image.named(name).len() == 1;
        (named && header.file_size() != 0 && index != image.shstrndx).then_some((index, name, contents))
    });
    usable.collect()
}

/// Whether the section header table lies in front of the end of a segment: no linker puts it there, patchelf does.
fn loaded_headers(image: &Image) -> bool {
    image.segments.iter().any(|segment| image.e_shoff < segment.file_end())
}

fn signature(image: &Image, file: &Subject, tally: &mut Tally) {
    tally.note("files with an appended signature, dropped for the laws");
    let case = "signed";
    let untouched = plan(image, &Edits::default())
        .map(|p| if p.patch.is_identity() { Held } else { Failed("an edit of nothing changes a signed file".into()) });
    file.say("L7 nothing new is the identity", case, untouched, tally);
    let verdict = match plan(image, &set_edit(NEW, blob(5))) {
        Err(EditError::Signed { .. }) => Held,
        Err(e) => Refused(e.to_string()),
        Ok(_) => Failed("a signed file was edited without --drop-signature".into()),
    };
    tally.law("signed files are refused", file.name, case, verdict);
    let mut with = set_edit(NEW, blob(5));
    with.drop_signature = true;
    let verdict = plan(image, &with).map(|p| to_vec(&p.patch, image.file())).and_then(|dropped| {
        let without = edit(file.x, &set_edit(NEW, blob(5)))?;
        Ok(first_difference(&dropped, &without))
    });
    file.say("a dropped signature leaves nothing behind", case, verdict, tally);
}

/// L7: an edit whose result equals the input is planned as such.
fn nothing_new(image: &Image, file: &Subject, tally: &mut Tally) {
    let law = "L7 nothing new is the identity";
    file.say(law, "no edit", is_identity(file.x, &Edits::default()), tally);
    file.say(law, "remove what is not there", is_identity(file.x, &remove_edit(&[NEW, ".elfgraft.?*"])), tally);
    for (index, name, contents) in sample(image, REPEATED) {
        let content = Content { section: name.to_vec(), bytes: contents.into() };
        let same = plan(image, &Edits { set: vec![content], ..Edits::default() })
            .map(|p| if p.patch.is_identity() { Held } else { first_difference(&to_vec(&p.patch, file.x), file.x) });
        file.say_or_refused(law, &format!("set {} as it is", image.describe(index)), same, tally);
    }
}

/// L5: an update of the same size changes no byte outside the section.
fn same_size(image: &Image, file: &Subject, tally: &mut Tally) {
    for (index, name, contents) in sample(image, UPDATED) {
        let new: Vec<u8> = contents.iter().map(|b| !b).collect();
        let offset = image.header(index).map_or(0, |h| h.sh_offset);
        let content = Content { section: Target::Name(name.to_vec()), bytes: new.as_slice().into() };
        let edits = Edits { update: vec![content], ..Edits::default() };
        let verdict = plan(image, &edits).map(|plan| {
            let mut wanted = file.x.to_vec();
            let Some(range) = usize::try_from(offset).ok().and_then(|at| wanted.get_mut(at..at + new.len())) else {
                return Failed("contents outside the file were updated".into());
            };
            range.copy_from_slice(&new);
            first_difference(&to_vec(&plan.patch, file.x), &wanted)
        });
        file.say_or_refused(
            "L5 an update stays in its section",
            &format!("update {}", image.describe(index)),
            verdict,
            tally,
        );
    }
}

/// L1 to L4 for a section that is set to contents of several sizes.
fn set(image: &Image, file: &Subject, section: &str, tally: &mut Tally) {
    let is_new = image.named(section.as_bytes()).is_empty();
    let case = |size: usize| format!("set {section} of {size} bytes");
    let edits = SIZES.map(|size| set_edit(section, blob(size)));
    let mut before: Option<(usize, Vec<u8>)> = None;
    for (at, (size, set)) in SIZES.into_iter().zip(&edits).enumerate() {
        let y = match edit(file.x, set) {
            Ok(y) => y,
            Err(e) => {
                // Without a section header table nothing can be added; there is no other reason.
                let fails = is_new && !image.sections.is_empty();
                let verdict = if fails { Failed(e.to_string()) } else { Refused(e.to_string()) };
                let law = if is_new { "adding a section" } else { "setting a section" };
                tally.law(law, file.name, &case(size), verdict);
                continue;
            }
        };
        file.say("L1 twice is once", &case(size), is_identity(&y, set), tally);
        if is_new && !loaded_headers(image) {
            let back = edit(&y, &remove_edit(&[section]));
            file.say("L3 remove undoes add", &case(size), back.map(|back| first_difference(&back, file.x)), tally);
        }
        if at == 0 {
            let mine = format!("section '{section}' ");
            // A section header table in a segment moves out when it grows; its old bytes stay, as they are loaded.
            let left = |f: &Finding| f.key == Key::Unowned && loaded_headers(image);
            let expected = |f: &Finding| f.place.starts_with(&mine) || is_table_end(f) || left(f);
            file.nothing_else(&case(size), &y, |report| only(report, expected), tally);
        }
        if let Some((old_size, old)) = &before {
            let what = format!("set {section} of {old_size} bytes, then {size}");
            file.say(
                "L2 what was set before is forgotten",
                &what,
                edit(old, set).map(|z| first_difference(&z, &y)),
                tally,
            );
            if let Some(first) = edits.get(at - 1) {
                let what = format!("set {section} of {size} bytes, then {old_size}");
                let back = edit(&y, first).map(|z| first_difference(&z, old));
                file.say("L2 what was set before is forgotten", &what, back, tally);
            }
        }
        before = Some((size, y));
    }
}

/// L3 and L4 for two sections added in one call, and removed one by one.
fn several(file: &Subject, tally: &mut Tally) {
    let names = [".elfgraft.a", ".elfgraft.b"];
    let mut edits = set_edit(names[0], blob(77));
    edits.set.extend(set_edit(names[1], blob(4)).set);
    let Ok(y) = edit(file.x, &edits) else { return };
    let last_first = edit(&y, &remove_edit(&names[1..])).and_then(|y| edit(&y, &remove_edit(&names[..1])));
    let verdict = last_first.map(|back| first_difference(&back, file.x));
    file.say("L3 remove undoes add", "two sections, the last one removed first", verdict, tally);
    let verdict = edit(&y, &remove_edit(&names)).map(|back| first_difference(&back, file.x));
    file.say("L3 remove undoes add", "two sections", verdict, tally);
}

fn describe(format: Format) -> String {
    let class = if format.is_64 { "ELF64" } else { "ELF32" };
    let order = if format.endian == Endianness::Little { "little" } else { "big" };
    let kind = match format.e_type {
        ET_REL => "ET_REL",
        ET_EXEC => "ET_EXEC",
        ET_DYN => "ET_DYN",
        ET_CORE => "ET_CORE",
        _ => "other type",
    };
    format!("{class} {order} endian, machine {}, {kind}", format.e_machine)
}
