//! The laws, tried on one file.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use elfgraft_compare::diff::{self, Key, Report};
use elfgraft_edit::Decision;
use elfgraft_elf::Image;
use elfgraft_patch::Input;

use super::expect::Expected;
use super::stage::Stage;
use super::tool::{Tool, Variant, Way};
use crate::blob::open;
use crate::report::Error;

/// What was found about one law.
pub enum Verdict {
    /// It was tried and holds; the text is worth knowing.
    Holds(String),
    /// It was tried and is broken: the first difference, in words.
    Broken(String),
    /// It says nothing about this edit of this file, and why.
    NotApplicable(&'static str),
}

impl Verdict {
    /// The verdict in a word or two.
    pub fn word(&self) -> &'static str {
        match self {
            Verdict::Holds(_) => "holds",
            Verdict::Broken(_) => "BROKEN",
            Verdict::NotApplicable(_) => "not applicable",
        }
    }

    /// What there is to say about it.
    pub fn text(&self) -> &str {
        match self {
            Verdict::Holds(text) | Verdict::Broken(text) => text,
            Verdict::NotApplicable(why) => why,
        }
    }
}

/// A law and its verdict.
pub struct Row {
    pub law: &'static str,
    pub name: &'static str,
    pub verdict: Verdict,
}

/// What came out.
pub struct Verification {
    /// The laws, in their order.
    pub rows: Vec<Row>,
    /// Who read the file and the result.
    pub readers: String,
}

/// Tries all laws.
///
/// # Errors
/// If the edit is refused on the file as it is, or files cannot be read or copied.
pub fn verify(tool: &Tool, file: &Path) -> Result<Verification, Error> {
    let before = Stamp::of(file);
    let stage = Stage::new(file, tool.replaces())?;
    let given = tool.given(stage.dir())?;
    let once = stage.copy(&stage.base, "once")?;
    // People know the file, not the copy.
    let decisions = tool.apply(&once, &given).map_err(|e| e.about(&once, file))?;
    let decisions = decisions.as_deref();
    let expected = decisions.map_or_else(|| Expected::of_section(tool.section().unwrap_or_default()), Expected::of);

    let detour = || path_independence(tool, &stage, &once, &given);
    let rest = || {
        let (readers, differences) = differences(&stage.base, &once, &expected)?;
        let idempotence = idempotence(tool, &stage, &once, &given)?;
        let inverse = inverse(tool, &stage, &once, &expected, &differences)?;
        let locality = locality(tool, decisions, &stage.base, &once)?;
        Ok::<_, Error>((readers, idempotence, inverse, non_interference(&expected, &differences), locality))
    };
    // A foreign tool may not stand being run twice at a time.
    let (detour, rest) = if decisions.is_some() { both(detour, rest) } else { (detour(), rest()) };
    let (readers, idempotence, inverse, non_interference, locality) = rest?;
    // The clock of small file systems is coarse: of a small file the bytes tell more.
    let small = fs::metadata(file).is_ok_and(|m| m.len() <= SMALL);
    let untouched = Stamp::of(file) == before && (!small || open(file)?.bytes() == open(&stage.base)?.bytes());
    let input = match untouched {
        true => Verdict::Holds(String::new()),
        false => Verdict::Broken("the file changed while it was verified".into()),
    };
    let rows = [
        ("L1", "idempotence", idempotence),
        ("L2", "path independence", detour?),
        ("L3", "inverse", inverse),
        ("L4", "non-interference", non_interference),
        ("L5", "locality", locality),
        ("L6", "input not written", input),
    ];
    let rows = rows.into_iter().map(|(law, name, verdict)| Row { law, name, verdict }).collect();
    Ok(Verification { rows, readers })
}

/// A file of so many bytes is compared in no time.
const SMALL: u64 = 16 << 20;

/// Two things at once, where the system gives a thread.
fn both<A: Send, B>(a: impl FnOnce() -> A + Send + Copy, b: impl FnOnce() -> B) -> (A, B) {
    std::thread::scope(|scope| match std::thread::Builder::new().spawn_scoped(scope, a) {
        Ok(thread) => {
            let b = b();
            // A panic in there goes on here.
            (thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)), b)
        }
        Err(_) => (a(), b()),
    })
}

/// What tells that nobody has written to a file: the kernel sets the time of the last change, and no program can.
#[derive(PartialEq, Eq)]
struct Stamp(Option<[i64; 4]>);

impl Stamp {
    fn of(file: &Path) -> Stamp {
        let number = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        let stamp = |m: fs::Metadata| [number(m.ino()), number(m.size()), m.ctime(), m.ctime_nsec()];
        Stamp(fs::metadata(file).ok().map(stamp))
    }
}

/// Equal files, or the first difference in words.
fn compare(a: &Path, b: &Path) -> Result<Option<String>, Error> {
    let (file_a, file_b) = (open(a)?, open(b)?);
    let id = |file: &Input| file.metadata().map(|m| (m.dev(), m.ino()));
    let (x, y) = (file_a.bytes(), file_b.bytes());
    if id(&file_a).is_some() && id(&file_a) == id(&file_b) || x == y {
        return Ok(None);
    }
    let at = x.iter().zip(y).position(|(a, b)| a != b).unwrap_or(x.len().min(y.len()));
    let mut text = format!("{} and {} bytes, first difference at {at:#x}", x.len(), y.len());
    match diff::diff(x, y, &diff::Options::default()) {
        Ok(report) => {
            for finding in report.findings.iter().take(5) {
                text += &format!("\n{finding}");
            }
            if report.is_equal() {
                text += "\nby meaning they are equal: only padding or the order of bytes differs";
            }
        }
        Err((_, e)) => text += &format!("\none of them cannot be read any more: {e}"),
    }
    Ok(Some(text))
}

fn verdict(difference: Option<String>) -> Verdict {
    difference.map_or(Verdict::Holds(String::new()), Verdict::Broken)
}

fn idempotence(tool: &Tool, stage: &Stage, once: &Path, given: &Variant) -> Result<Verdict, Error> {
    let twice = stage.copy(once, "twice")?;
    match tool.apply(&twice, given) {
        Ok(_) => {
            let difference = compare(once, &twice)?;
            Stage::done(&twice);
            Ok(verdict(difference))
        }
        Err(e) => Ok(Verdict::Broken(format!("the second run fails: {e}"))),
    }
}

fn path_independence(tool: &Tool, stage: &Stage, once: &Path, given: &Variant) -> Result<Verdict, Error> {
    let detours = tool.detours(given, stage.dir())?;
    if detours.is_empty() {
        return Ok(Verdict::NotApplicable("the edit sets no contents that could be others"));
    }
    for Way { what, there, back } in detours {
        let detour = stage.copy(&stage.base, "detour")?;
        if tool.apply(&detour, &there).is_err() {
            Stage::done(&detour);
            continue;
        }
        let verdict = match tool.apply(&detour, back.as_ref().unwrap_or(given)) {
            Ok(_) => match compare(once, &detour)? {
                None => Verdict::Holds(format!("after a detour through {what}")),
                Some(difference) => Verdict::Broken(difference),
            },
            Err(e) => Verdict::Broken(format!("after a detour through {what} the edit fails: {e}")),
        };
        Stage::done(&detour);
        return Ok(verdict);
    }
    Ok(Verdict::NotApplicable("the edit takes no other contents"))
}

/// So many differences of one kind are looked at: a stripped kernel has a hundred thousand symbols less.
const DIFFERENCES: u64 = 1 << 20;

/// Who read the files, and what differs, or why that is not known.
fn differences(a: &Path, b: &Path, expected: &Expected) -> Result<(String, Result<Report, String>), Error> {
    let (file_a, file_b) = (open(a)?, open(b)?);
    let options = diff::Options { limit: DIFFERENCES, aliases: expected.aliases.clone(), ..diff::Options::default() };
    let report = diff::diff(file_a.bytes(), file_b.bytes(), &options).map_err(|(_, e)| e.to_string());
    let readers = match &report {
        Ok(Report { readers: [a, b], .. }) if a == b => a.to_string(),
        Ok(Report { readers: [a, b], .. }) => format!("{a}; the result by {b}"),
        Err(_) => "nobody".into(),
    };
    Ok((readers, report))
}

fn names(file: &Input) -> Vec<Vec<u8>> {
    let Ok(image) = Image::parse(file.bytes()) else { return Vec::new() };
    image.indexed().filter_map(|(i, _)| image.name(i).ok().map(<[u8]>::to_vec)).collect()
}

fn inverse(
    tool: &Tool,
    stage: &Stage,
    once: &Path,
    expected: &Expected,
    differences: &Result<Report, String>,
) -> Result<Verdict, Error> {
    let mut added = names(&open(once)?);
    for name in names(&open(&stage.base)?) {
        if let Some(at) = added.iter().position(|a| *a == name) {
            added.swap_remove(at);
        }
    }
    let only_added = differences.as_ref().is_ok_and(|report| {
        report.findings.iter().all(|f| matches!(f.key, Key::SectionAdded | Key::Moved | Key::StringTable | Key::Header))
    });
    // A foreign tool is asked to give the file back even if it changed more: that is what the law is about.
    if added.is_empty() || expected.renames() || !only_added && tool.section().is_none() {
        return Ok(Verdict::NotApplicable("the edit does more than add sections, or adds none"));
    }
    let back = stage.copy(once, "back")?;
    match tool.undo(&back, &added) {
        Ok(true) => compare(&stage.base, &back).map(verdict),
        Ok(false) => Ok(Verdict::NotApplicable("--inverse tells how the command is undone")),
        Err(e) => Ok(Verdict::Broken(format!("removing what was added fails: {e}"))),
    }
}

fn non_interference(expected: &Expected, differences: &Result<Report, String>) -> Verdict {
    let report = match differences {
        Ok(report) => report,
        Err(e) => return Verdict::Broken(format!("the result cannot be read: {e}")),
    };
    let (others, more) = expected.others(report);
    let total = others.len() as u64 + more;
    let moved = report.findings.iter().filter(|f| f.key == Key::Moved).count();
    match (total, moved) {
        (0, 0) => Verdict::Holds(String::new()),
        (0, 1) => Verdict::Holds("1 part has another place in the file".into()),
        (0, moved) => Verdict::Holds(format!("{moved} parts have another place in the file")),
        (total, _) => {
            let lines: Vec<_> = others.iter().take(8).map(|f| format!("{f} [{}]", f.key)).collect();
            let plural = if total == 1 { "difference" } else { "differences" };
            Verdict::Broken(format!("{total} other {plural}\n{}", lines.join("\n")))
        }
    }
}

/// If all that was decided is new contents of the same size: no byte outside of them.
fn locality(tool: &Tool, decisions: Option<&[Decision]>, base: &Path, once: &Path) -> Result<Verdict, Error> {
    const WHY: &str = "the edit changes sizes, or more than contents";
    let (before, after) = (open(base)?, open(once)?);
    let (Ok(old), Ok(new)) = (Image::parse(before.bytes()), Image::parse(after.bytes())) else {
        return Ok(Verdict::NotApplicable(WHY));
    };
    let replaced: Option<Vec<Vec<u8>>> = match decisions {
        Some(list) => list
            .iter()
            .map(|d| match d {
                Decision::Replace { section, old, new } if old == new => {
                    Some(section.split('\'').nth(1).unwrap_or_default().as_bytes().to_vec())
                }
                _ => None,
            })
            .collect(),
        None => tool.section().map(|name| vec![name.to_vec()]),
    };
    let Some(replaced) = replaced.filter(|names| !names.is_empty()) else {
        return Ok(Verdict::NotApplicable(WHY));
    };
    let mut ranges = Vec::new();
    for name in &replaced {
        let (Some(i), Some(j)) = (old.named(name).first().copied(), new.named(name).first().copied()) else {
            return Ok(Verdict::NotApplicable(WHY));
        };
        let (Ok(was), Ok(is)) = (old.header(i), new.header(j)) else { return Ok(Verdict::NotApplicable(WHY)) };
        if was.file_size() != is.file_size() {
            return Ok(Verdict::NotApplicable(WHY));
        }
        ranges.push(was.sh_offset..was.sh_offset.saturating_add(was.file_size()));
    }
    if before.bytes().len() != after.bytes().len() {
        return Ok(Verdict::Broken(format!("{} bytes became {}", before.bytes().len(), after.bytes().len())));
    }
    let outside = (0u64..).zip(before.bytes().iter().zip(after.bytes()));
    let first =
        outside.filter(|(_, (a, b))| a != b).map(|(at, _)| at).find(|at| !ranges.iter().any(|r| r.contains(at)));
    Ok(match first {
        None => Verdict::Holds(String::new()),
        Some(at) => Verdict::Broken(format!("the byte at {at:#x}, outside of the section, differs")),
    })
}
