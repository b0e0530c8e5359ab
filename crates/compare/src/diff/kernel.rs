//! `.modinfo`, `.module_hashes` and notes by meaning.
//!
//! Each function tells whether it found all that differs; if not, the bytes are compared.

use super::report::Out;
use super::{Files, Key};
use crate::kernel::{self, Note};
use crate::reader::Name;
use elfgraft_btf::Endian;
use std::collections::BTreeMap;
use std::fmt;

pub(super) fn modinfo(place: &dyn fmt::Display, a: &[u8], b: &[u8], out: &mut Out) -> bool {
    let mut counts: BTreeMap<&[u8], (u64, u64)> = BTreeMap::new();
    kernel::modinfo(a).for_each(|entry| counts.entry(entry).or_default().0 += 1);
    kernel::modinfo(b).for_each(|entry| counts.entry(entry).or_default().1 += 1);
    let mut understood = false;
    for (entry, (in_a, in_b)) in counts {
        if in_a != in_b {
            let what = if in_a > in_b { "removed" } else { "added" };
            out.say(Key::Modinfo, place, format_args!("{what}: {}", Name(entry)));
            understood = true;
        }
    }
    understood
}

pub(super) fn module_hashes(files: &Files, place: &dyn fmt::Display, a: &[u8], b: &[u8], out: &mut Out) -> bool {
    let in_a = kernel::module_hashes(a, files.a.endian());
    let in_b = kernel::module_hashes(b, files.b.endian());
    let (Some((levels_a, root_a)), Some((levels_b, root_b))) = (in_a, in_b) else { return false };
    if levels_a != levels_b {
        out.say(Key::ModuleHashes, place, format_args!("levels {levels_a} -> {levels_b}"));
    }
    if root_a != root_b {
        out.say(Key::ModuleHashes, place, format_args!("root {} -> {}", Hex(root_a), Hex(root_b)));
    }
    levels_a != levels_b || root_a != root_b
}

type Section<'a> = (&'a [u8], u64, Endian);

pub(super) fn notes(place: &dyn fmt::Display, a: Section, b: Section, out: &mut Out) -> bool {
    let (in_a, all_a) = kernel::notes(a.0, a.1, a.2);
    let (in_b, all_b) = kernel::notes(b.0, b.1, b.2);
    if !all_a || !all_b || in_a == in_b {
        return false;
    }
    let describe = |note: &Note| {
        let name = note.name.strip_suffix(b"\0").unwrap_or(note.name);
        if note.is_build_id() { "build ID".to_string() } else { format!("note {} of type {}", Name(name), note.kind) }
    };
    for (x, y) in in_a.iter().zip(&in_b).filter(|(x, y)| x != y) {
        let text = if (x.name, x.kind) == (y.name, y.kind) {
            format!("{} {} -> {}", describe(x), Hex(x.desc), Hex(y.desc))
        } else {
            format!("{} -> {}", describe(x), describe(y))
        };
        out.say(Key::Note, place, text);
    }
    for x in in_a.iter().skip(in_b.len()) {
        out.say(Key::Note, place, format_args!("removed: {}", describe(x)));
    }
    for y in in_b.iter().skip(in_a.len()) {
        out.say(Key::Note, place, format_args!("added: {}", describe(y)));
    }
    true
}

/// Bytes in hexadecimal; of many the first 32.
pub(super) struct Hex<'a>(pub &'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().take(32).try_for_each(|byte| write!(f, "{byte:02x}"))?;
        if self.0.len() > 32 { f.write_str("...") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Options;
    use super::*;
    use crate::Reader;

    fn lines(run: impl FnOnce(&mut Out) -> bool) -> Vec<String> {
        let options = Options::default();
        let mut out = Out::new(&options);
        let understood = run(&mut out);
        let report = out.report([Reader::Goblin, Reader::Goblin]);
        assert_eq!(understood, !report.is_equal());
        report.findings.iter().map(|finding| finding.text.clone()).collect()
    }

    #[test]
    fn modinfo_in_any_order() {
        let a = b"license=GPL\0alias=a\0alias=b\0";
        let run = |b: &[u8]| lines(|out| modinfo(&"x", a, b, out));
        assert_eq!(
            run(b"alias=b\0alias=b\0license=MIT\0"),
            ["removed: 'alias=a'", "added: 'alias=b'", "removed: 'license=GPL'", "added: 'license=MIT'"]
        );
        // Another order is no other meaning, and then the bytes tell.
        assert!(run(b"alias=b\0alias=a\0license=GPL\0").is_empty());
    }

    #[test]
    fn build_ids_and_other_notes() {
        let note = |name: &[u8], kind: u8, desc: &[u8]| {
            let head =
                [name.len().try_into().unwrap(), 0, 0, 0, desc.len().try_into().unwrap(), 0, 0, 0, kind, 0, 0, 0];
            [&head, name, desc].concat()
        };
        let le = Endian::Little;
        let run = |a: &[u8], b: &[u8]| lines(|out| notes(&"x", (a, 4, le), (b, 4, le), out));
        let (a, b) = (note(b"GNU\0", 3, &[1; 20]), note(b"GNU\0", 3, &[2; 20]));
        assert_eq!(run(&a, &b), [format!("build ID {} -> {}", "01".repeat(20), "02".repeat(20))]);
        let other = note(b"abc\0", 7, &[0; 40]);
        let two = [&a[..], &other].concat();
        assert_eq!(run(&two, &a), ["removed: note 'abc' of type 7"]);
        assert_eq!(run(&a, &two), ["added: note 'abc' of type 7"]);
        assert_eq!(run(&a, &other), ["build ID -> note 'abc' of type 7"]);
        assert!(run(&a, &two[..30]).is_empty());
    }
}
