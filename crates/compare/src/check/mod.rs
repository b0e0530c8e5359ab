//! Is this file sound?
//!
//! Anything may be in the file. Nothing here panics, allocates by a number from the file, or looks at a byte more often
//! than a few times: what lies inside sections that overlap is not looked at, since overlapping is an error by itself
//! and all other sections together are no longer than the file.

mod groups;
mod header;
mod kernel;
mod layout;
mod relocs;
mod rule;
mod sections;
mod segments;
mod symbols;

pub use rule::{Rule, Severity};

use crate::Reader;
use crate::layout::{Range, ranges};
use crate::reader::Elf;
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashSet};
use std::fmt;

/// What to check with.
#[derive(Clone, Debug)]
pub struct Options<'o> {
    /// BTF that the file's split BTF continues, raw or as an ELF file with `.BTF`. The file's own `.BTF.base` goes before
    /// it.
    pub btf_base: Option<&'o [u8]>,
    /// So many findings of one rule are reported; of the others the number.
    pub limit: u64,
}

impl Default for Options<'_> {
    /// No base, 100 of each rule.
    fn default() -> Self {
        Options { btf_base: None, limit: 100 }
    }
}

/// Something that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The rule it breaks.
    pub rule: Rule,
    /// Where.
    pub place: String,
    /// What is wrong, in one line.
    pub text: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {} [{}]", self.rule.severity(), self.place, self.text, self.rule)
    }
}

/// All findings about a file, in the order of [`Rule::ALL`] and, of one rule, of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The findings.
    pub findings: Vec<Finding>,
    /// How many more there are of a rule, beyond [`Options::limit`].
    pub more: BTreeMap<Rule, u64>,
    /// Who read the file, if it can be read.
    pub reader: Option<Reader>,
}

impl Report {
    /// How bad the worst finding is.
    #[must_use]
    pub fn worst(&self) -> Option<Severity> {
        self.findings.iter().map(|finding| finding.rule.severity()).min()
    }

    /// Whether the file is sound: there may be warnings and notes.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.worst() != Some(Severity::Error)
    }

    /// The report as `{"sound", "findings": [{"id", "severity", "place", "text", "why"}], "more": {id: number}, "reader"}`.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let finding = |f: &Finding| {
            json!({
                "id": f.rule.id(), "severity": f.rule.severity().to_string(), "place": f.place, "text": f.text,
                "why": f.rule.why(),
            })
        };
        let more = self.more.iter().map(|(rule, more)| (rule.id().to_string(), Value::from(*more)));
        json!({
            "sound": self.is_sound(),
            "findings": self.findings.iter().map(finding).collect::<Vec<_>>(),
            "more": more.collect::<serde_json::Map<_, _>>(),
            "reader": self.reader.as_ref().map(Reader::to_string),
        })
    }
}

/// Checks an ELF file. Pure, and never fails: what cannot be read is a finding.
#[must_use]
pub fn check(data: &[u8], options: &Options) -> Report {
    let mut out = Out { limit: options.limit, findings: Vec::new(), counts: BTreeMap::new() };
    let reader = match Elf::parse(data) {
        Ok(elf) => {
            check_elf(&elf, options, &mut out);
            Some(elf.reader)
        }
        Err(error) => {
            out.say(Rule::Unreadable, "file", error);
            None
        }
    };
    out.findings.sort_by_key(|finding| finding.rule);
    let beyond = |(rule, count): (Rule, u64)| Some((rule, count.checked_sub(options.limit)?)).filter(|more| more.1 > 0);
    Report { findings: out.findings, more: out.counts.into_iter().filter_map(beyond).collect(), reader }
}

fn check_elf(elf: &Elf, options: &Options, out: &mut Out) {
    let ranges = ranges(elf);
    let shared = layout::check(elf, &ranges, out);
    let file = File { elf, ranges, shared };
    header::check(elf, out);
    sections::check(&file, out);
    symbols::check(&file, out);
    groups::check(&file, out);
    relocs::check(&file, out);
    segments::check(elf, out);
    kernel::check(&file, options, out);
}

/// A file and which of its sections can be looked into.
struct File<'f, 'a> {
    elf: &'f Elf<'a>,
    ranges: Vec<Range>,
    /// Sections that share bytes with something.
    shared: HashSet<u32>,
}

impl<'a> File<'_, 'a> {
    /// A section's contents, if they are its own.
    fn contents(&self, index: u32) -> Option<&'a [u8]> {
        self.elf.contents(index).filter(|_| !self.shared.contains(&index))
    }

    fn is_own(&self, index: u32) -> bool {
        self.contents(index).is_some()
    }
}

/// Takes findings, and keeps as many as are wanted.
struct Out {
    limit: u64,
    findings: Vec<Finding>,
    counts: BTreeMap<Rule, u64>,
}

impl Out {
    fn say(&mut self, rule: Rule, place: impl fmt::Display, text: impl fmt::Display) {
        let count = self.counts.entry(rule).or_default();
        *count += 1;
        if *count <= self.limit {
            self.findings.push(Finding { rule, place: place.to_string(), text: text.to_string() });
        }
    }
}

/// A section in words.
struct At<'f, 'a>(&'f Elf<'a>, u32);

impl fmt::Display for At<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "section {}", self.0.label(self.1))
    }
}

#[cfg(test)]
mod tests;
