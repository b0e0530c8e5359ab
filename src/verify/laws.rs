//! The laws, tried on one file.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use elfgraft_compare::diff::{self, Finding, Key};
use elfgraft_edit::Decision;
use elfgraft_elf::Image;
use elfgraft_patch::Input;

use super::tool::Tool;
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

/// Files of one verification, in a directory that goes with it.
struct Stage {
    dir: tempfile::TempDir,
    /// The file as it was.
    base: PathBuf,
    /// The edit puts a new file in the place of the old one, so that a link is as good as a copy.
    links: bool,
}

/// So many files as large as the one that is verified exist at once, at most.
const FILES_AT_ONCE: u64 = 5;

impl Stage {
    fn new(tool: &Tool, file: &Path) -> Result<Stage, Error> {
        let fail = |e: std::io::Error| Error::Usage(format!("cannot make a private directory: {e}"));
        let mut builder = tempfile::Builder::new();
        builder.prefix("elfgraft-verify-");
        let size = fs::metadata(file).map_or(0, |m| m.len());
        let in_memory = memory_to_spare().filter(|&spare| spare / 2 > size.saturating_mul(FILES_AT_ONCE));
        let dir = in_memory.and_then(|_| builder.tempdir_in("/dev/shm").ok());
        let dir = dir.map_or_else(|| builder.tempdir().map_err(fail), Ok)?;
        let base = dir.path().join("base");
        fs::copy(file, &base).map_err(|e| Error::file(file, format!("cannot be copied: {e}")))?;
        Ok(Stage { dir, base, links: tool.replaces() })
    }

    /// A copy that an edit may have.
    fn copy(&self, from: &Path, name: &str) -> Result<PathBuf, Error> {
        let to = self.dir.path().join(name);
        if !self.links || fs::hard_link(from, &to).is_err() {
            fs::copy(from, &to).map_err(|e| Error::file(from, format!("cannot be copied: {e}")))?;
        }
        Ok(to)
    }

    /// A file that is not needed any more: there may be gigabytes of them.
    fn done(file: &Path) {
        // It goes with the directory at last.
        let _ = fs::remove_file(file);
    }
}

/// Memory the system could give without trouble, in bytes: copies in memory do not wait for the disk.
fn memory_to_spare() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// Tries all laws.
///
/// # Errors
/// If the edit is refused on the file as it is, or files cannot be read or copied.
pub fn verify(tool: &Tool, file: &Path) -> Result<Vec<Row>, Error> {
    let stage = Stage::new(tool, file)?;
    let before = fs::metadata(file).and_then(|m| m.modified()).ok();
    let blob = stage.dir.path().join("contents");
    let given = match (tool.section(), tool.takes_contents()) {
        (Some(_), true) => {
            fs::write(&blob, made_up(256, 1)).map_err(|e| Error::file(&blob, e.to_string()))?;
            Some(blob.as_path())
        }
        _ => None,
    };
    let once = stage.copy(&stage.base, "once")?;
    let decisions = tool.apply(&once, given)?;

    let mut rows = Vec::new();
    let mut row = |law, name, verdict| rows.push(Row { law, name, verdict });
    row("L1", "idempotence", idempotence(tool, &stage, &once, given)?);
    row("L2", "path independence", path_independence(tool, &stage, &once, given)?);
    let differences = differences(&stage.base, &once)?;
    row("L3", "inverse", inverse(tool, &stage, &once, &differences)?);
    row("L4", "non-interference", non_interference(tool, decisions.as_deref(), &differences));
    row("L5", "locality", locality(tool, decisions.as_deref(), &stage.base, &once)?);
    let unchanged = fs::metadata(file).and_then(|m| m.modified()).ok() == before
        && same(open(file)?.bytes(), open(&stage.base)?.bytes());
    row(
        "L6",
        "input not written",
        match unchanged {
            true => Verdict::Holds(String::new()),
            false => Verdict::Broken("the file changed while it was verified".into()),
        },
    );
    Ok(rows)
}

fn same(a: &[u8], b: &[u8]) -> bool {
    a == b
}

/// Equal files, or the first difference in words.
fn compare(a: &Path, b: &Path) -> Result<Option<String>, Error> {
    let (file_a, file_b) = (open(a)?, open(b)?);
    let id = |file: &Input| file.metadata().map(|m| (m.dev(), m.ino()));
    let (x, y) = (file_a.bytes(), file_b.bytes());
    if id(&file_a).is_some() && id(&file_a) == id(&file_b) || same(x, y) {
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

fn idempotence(tool: &Tool, stage: &Stage, once: &Path, blob: Option<&Path>) -> Result<Verdict, Error> {
    let twice = stage.copy(once, "twice")?;
    match tool.apply(&twice, blob) {
        Ok(_) => {
            let difference = compare(once, &twice)?;
            Stage::done(&twice);
            Ok(verdict(difference))
        }
        Err(e) => Ok(Verdict::Broken(format!("the second run fails: {e}"))),
    }
}

fn path_independence(tool: &Tool, stage: &Stage, once: &Path, given: Option<&Path>) -> Result<Verdict, Error> {
    if !tool.takes_contents() {
        return Ok(Verdict::NotApplicable("the edit sets no contents that could be others"));
    }
    let old = given.map(Path::to_owned).or_else(|| tool.contents());
    let size = old.and_then(|p| fs::metadata(p).ok()).map_or(0, |m| m.len());
    // Longer contents first; of a section whose size is fixed, others of the same size.
    for (name, bytes) in [("longer", made_up(size + 37, 2)), ("equally long", made_up(size, 3))] {
        let other = stage.dir.path().join("other");
        let written = match tool.other() {
            Some(path) => fs::copy(path, &other).map(drop),
            None => fs::write(&other, bytes),
        };
        written.map_err(|e| Error::file(&other, e.to_string()))?;
        let detour = stage.copy(&stage.base, "detour")?;
        if tool.apply(&detour, Some(&other)).is_err() {
            Stage::done(&detour);
            continue;
        }
        let verdict = match tool.apply(&detour, given) {
            Ok(_) => match compare(once, &detour)? {
                None => Verdict::Holds(format!("after a detour through {name} contents")),
                Some(difference) => Verdict::Broken(difference),
            },
            Err(e) => Verdict::Broken(format!("after a detour through {name} contents the edit fails: {e}")),
        };
        Stage::done(&detour);
        return Ok(verdict);
    }
    Ok(Verdict::NotApplicable("the edit takes no other contents"))
}

/// Contents that no section has.
fn made_up(size: u64, salt: u64) -> Vec<u8> {
    (0..size).map(|i| (i.wrapping_mul(31).wrapping_add(salt * 97) & 0xff).try_into().unwrap_or_default()).collect()
}

fn differences(a: &Path, b: &Path) -> Result<Result<Vec<Finding>, String>, Error> {
    let (file_a, file_b) = (open(a)?, open(b)?);
    let report = diff::diff(file_a.bytes(), file_b.bytes(), &diff::Options::default());
    Ok(report.map(|r| r.findings).map_err(|(_, e)| e.to_string()))
}

fn names(file: &Input) -> Vec<Vec<u8>> {
    let Ok(image) = Image::parse(file.bytes()) else { return Vec::new() };
    image.indexed().filter_map(|(i, _)| image.name(i).ok().map(<[u8]>::to_vec)).collect()
}

fn inverse(
    tool: &Tool,
    stage: &Stage,
    once: &Path,
    differences: &Result<Vec<Finding>, String>,
) -> Result<Verdict, Error> {
    let mut added = names(&open(once)?);
    for name in names(&open(&stage.base)?) {
        if let Some(at) = added.iter().position(|a| *a == name) {
            added.swap_remove(at);
        }
    }
    let only_added = differences.as_ref().is_ok_and(|list| {
        list.iter().all(|f| matches!(f.key, Key::SectionAdded | Key::Moved | Key::StringTable | Key::Header))
    });
    // A foreign tool is asked to give the file back even if it changed more: that is what the law is about.
    if added.is_empty() || !only_added && tool.section().is_none() {
        return Ok(Verdict::NotApplicable("the edit does more than add sections, or adds none"));
    }
    let back = stage.copy(once, "back")?;
    match tool.undo(&back, &added) {
        Ok(true) => compare(&stage.base, &back).map(verdict),
        Ok(false) => Ok(Verdict::NotApplicable("--inverse tells how the command is undone")),
        Err(e) => Ok(Verdict::Broken(format!("removing what was added fails: {e}"))),
    }
}

fn non_interference(
    tool: &Tool,
    decisions: Option<&[Decision]>,
    differences: &Result<Vec<Finding>, String>,
) -> Verdict {
    let findings = match differences {
        Ok(findings) => findings,
        Err(e) => return Verdict::Broken(format!("the result cannot be read: {e}")),
    };
    let named: Vec<String> = match decisions {
        Some(decisions) => decisions.iter().map(Decision::to_string).collect(),
        None => vec![format!("'{}' ", tool.section().unwrap_or_default().escape_ascii())],
    };
    let others: Vec<&Finding> =
        findings.iter().filter(|f| f.key != Key::Moved && !expected(f, &named, decisions)).collect();
    let moved = findings.iter().filter(|f| f.key == Key::Moved).count();
    match others.as_slice() {
        [] if moved == 0 => Verdict::Holds(String::new()),
        [] => Verdict::Holds(format!("{moved} parts have another place in the file")),
        some => {
            let lines: Vec<_> = some.iter().take(8).map(|f| format!("{f} [{}]", f.key)).collect();
            Verdict::Broken(format!("{} other differences\n{}", some.len(), lines.join("\n")))
        }
    }
}

/// Whether a difference is what was decided, or follows from it.
fn expected(finding: &Finding, named: &[String], decisions: Option<&[Decision]>) -> bool {
    let decided = |test: fn(&Decision) -> bool| decisions.is_some_and(|list| list.iter().any(test));
    let removes = decided(|d| matches!(d, Decision::Remove { .. } | Decision::Leaves { .. }));
    let about = |name: &str| named.iter().any(|n| n.contains(&format!("'{name}'")));
    let place = finding.place.split('\'').nth(1).unwrap_or_default();
    match finding.key {
        Key::Segment | Key::SegmentRemoved | Key::Group => removes,
        Key::SymbolRemoved | Key::RelocRemoved => removes || decided(|d| matches!(d, Decision::Symbols { .. })),
        Key::Symbol => decided(|d| matches!(d, Decision::Values { .. } | Decision::Symbols { .. })),
        Key::BtfHeader | Key::BtfTypeAdded | Key::BtfTypeRemoved | Key::BtfTypeChanged | Key::BtfOrder => {
            about(".BTF") || about(".BTF.base")
        }
        Key::BtfSet | Key::BtfId | Key::BtfIdFlags => about(".BTF_ids") || about(".BTF"),
        Key::ModuleHashes => about(".module_hashes"),
        Key::Modinfo => about(".modinfo"),
        Key::Signature => decided(|d| matches!(d, Decision::DropSignature { .. })),
        // Names live in string tables.
        Key::StringTable => true,
        _ => about(place),
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
