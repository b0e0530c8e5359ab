//! What was found, as data, as lines and as JSON.

use super::Key;
use crate::{Aliases, Reader};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// What to compare with, and what to leave out.
#[derive(Clone, Debug)]
pub struct Options<'o> {
    /// Differences of these kinds are not reported, and do not make files differ.
    pub ignore: BTreeSet<Key>,
    /// So many differences of one kind are reported; of the others the number.
    pub limit: u64,
    /// BTF that the split BTF of both files continues, raw or as an ELF file with `.BTF`. A file's own `.BTF.base` goes
    /// before it. Without a base, split BTF is compared byte by byte.
    pub btf_base: Option<&'o [u8]>,
    /// Names of the first file that are others in the second, as is known. Without any, names are what they are.
    pub aliases: Aliases,
}

impl Default for Options<'_> {
    /// Nothing ignored, 1000 of each kind, no base.
    fn default() -> Self {
        Options { ignore: BTreeSet::new(), limit: 1000, btf_base: None, aliases: Aliases::default() }
    }
}

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Its kind.
    pub key: Key,
    /// What differs: `section '.text' [3]`. Indices are those of the first file, or of the second where only that one
    /// has it.
    pub place: String,
    /// How, from the first file to the second, in one line.
    pub text: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.text)
    }
}

/// All differences between two files, in the order of [`Key::ALL`] those of one kind in a stable order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The differences.
    pub findings: Vec<Finding>,
    /// How many more there are of a kind, beyond [`Options::limit`].
    pub more: BTreeMap<Key, u64>,
    /// Who read the first file, and the second.
    pub readers: [Reader; 2],
}

impl Report {
    /// Whether nothing differs but what was ignored.
    #[must_use]
    pub fn is_equal(&self) -> bool {
        self.findings.is_empty() && self.more.is_empty()
    }

    /// The report as `{"equal", "findings": [{"key", "group", "place", "text"}], "more": {key: number}, "readers"}`.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let finding = |f: &Finding| json!({ "key": f.key.name(), "group": f.key.group().to_string(), "place": f.place, "text": f.text });
        json!({
            "equal": self.is_equal(),
            "findings": self.findings.iter().map(finding).collect::<Vec<_>>(),
            "more": self.more.iter().map(|(key, more)| (key.name().to_string(), Value::from(*more))).collect::<serde_json::Map<_, _>>(),
            "readers": self.readers.iter().map(Reader::to_string).collect::<Vec<_>>(),
        })
    }
}

/// Takes findings, and keeps those that are wanted.
pub(super) struct Out<'o> {
    pub options: &'o Options<'o>,
    findings: Vec<Finding>,
    counts: BTreeMap<Key, u64>,
    said: u64,
}

impl<'o> Out<'o> {
    pub fn new(options: &'o Options<'o>) -> Out<'o> {
        Out { options, findings: Vec::new(), counts: BTreeMap::new(), said: 0 }
    }

    /// Adds a finding; place and text are formatted only if it is kept.
    pub fn say(&mut self, key: Key, place: impl fmt::Display, text: impl fmt::Display) {
        self.said += 1;
        if self.options.ignore.contains(&key) {
            return;
        }
        let count = self.counts.entry(key).or_default();
        *count += 1;
        if *count <= self.options.limit {
            self.findings.push(Finding { key, place: place.to_string(), text: text.to_string() });
        }
    }

    /// How many findings there were so far, ignored ones included.
    pub fn said(&self) -> u64 {
        self.said
    }

    pub fn report(mut self, readers: [Reader; 2]) -> Report {
        self.findings.sort_by_key(|finding| finding.key);
        let beyond = |(key, count): (Key, u64)| Some((key, count.checked_sub(self.options.limit)?)).filter(|m| m.1 > 0);
        Report { findings: self.findings, more: self.counts.into_iter().filter_map(beyond).collect(), readers }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_ignores_and_orders() {
        let options = Options { ignore: [Key::Moved].into(), limit: 2, ..Options::default() };
        let mut out = Out::new(&options);
        for number in 0..5 {
            out.say(Key::Symbol, "symbol", number);
            out.say(Key::Moved, "section", number);
        }
        out.say(Key::Header, "ELF header", "e_flags");
        assert_eq!(out.said(), 11);
        let report = out.report([Reader::Goblin, Reader::Own("a \"thing\"")]);
        let lines: Vec<_> = report.findings.iter().map(Finding::to_string).collect();
        assert_eq!(lines, ["ELF header: e_flags", "symbol: 0", "symbol: 1"]);
        assert_eq!(report.more, BTreeMap::from([(Key::Symbol, 3)]));
        assert!(!report.is_equal());
        let json = report.to_json().to_string();
        assert!(
            json.contains(r#"{"group":"ELF header","key":"header","place":"ELF header","text":"e_flags"}"#),
            "{json}"
        );
        assert!(json.contains(r#""more":{"symbol":3}"#) && json.contains(r#"read a \"thing\"""#), "{json}");
    }

    #[test]
    fn only_ignored_differences_are_none() {
        let options = Options { ignore: [Key::Moved].into(), ..Options::default() };
        let mut out = Out::new(&options);
        out.say(Key::Moved, "section", "moved");
        assert!(out.report([Reader::Goblin, Reader::Goblin]).is_equal());
    }
}
