//! What became of every law, and the summary.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

/// What one law said of one file.
pub enum Verdict {
    Held,
    /// It was broken; how.
    Failed(String),
    /// The edit was refused; why.
    Refused(String),
}

#[derive(Default)]
struct Counts {
    held: u64,
    failed: u64,
    /// By reason with the numbers and names taken out: how many, and the first file.
    refused: BTreeMap<String, (u64, String)>,
}

/// Sums over files.
#[derive(Default)]
pub struct Tally {
    files: u64,
    bytes: u64,
    not_elf: u64,
    unreadable: u64,
    /// `e_machine`, class and byte order of the files.
    formats: BTreeMap<String, u64>,
    laws: BTreeMap<&'static str, Counts>,
    notes: BTreeMap<&'static str, u64>,
}

impl Tally {
    /// One more ELF file.
    pub fn file(&mut self, bytes: u64) {
        self.files += 1;
        self.bytes += bytes;
    }

    /// One more file of another kind.
    pub fn not_elf(&mut self) {
        self.not_elf += 1;
    }

    /// A file that cannot be read: no failure of a law, but nobody should believe it was looked at.
    pub fn unreadable(&mut self, path: &Path, why: &dyn fmt::Display) {
        eprintln!("not read: '{}': {why}", path.display());
        self.unreadable += 1;
    }

    /// What kind of file it was.
    pub fn format(&mut self, format: String) {
        *self.formats.entry(format).or_default() += 1;
    }

    /// A fact that is neither success nor failure.
    pub fn note(&mut self, what: &'static str) {
        *self.notes.entry(what).or_default() += 1;
    }

    /// The verdict of `law` on `file`; `case` says which edit it was about. A failure is printed at once.
    pub fn law(&mut self, law: &'static str, file: &str, case: &str, verdict: Verdict) {
        let counts = self.laws.entry(law).or_default();
        match verdict {
            Verdict::Held => counts.held += 1,
            Verdict::Failed(how) => {
                println!("FAILED {law}: '{file}': {case}: {how}");
                counts.failed += 1;
            }
            Verdict::Refused(why) => {
                counts.refused.entry(general(&why)).or_insert_with(|| (0, format!("'{file}': {case}"))).0 += 1;
            }
        }
    }

    /// Adds the sums of another thread.
    pub fn merge(&mut self, other: Tally) {
        self.files += other.files;
        self.bytes += other.bytes;
        self.not_elf += other.not_elf;
        self.unreadable += other.unreadable;
        for (format, number) in other.formats {
            *self.formats.entry(format).or_default() += number;
        }
        for (what, number) in other.notes {
            *self.notes.entry(what).or_default() += number;
        }
        for (law, theirs) in other.laws {
            let ours = self.laws.entry(law).or_default();
            ours.held += theirs.held;
            ours.failed += theirs.failed;
            for (why, (number, first)) in theirs.refused {
                ours.refused.entry(why).or_insert((0, first)).0 += number;
            }
        }
    }

    /// Whether any law was broken.
    pub fn failed(&self) -> bool {
        self.laws.values().any(|counts| counts.failed != 0)
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} ELF files ({} MB); not ELF: {}, not readable: {}",
            self.files,
            self.bytes / 1_000_000,
            self.not_elf,
            self.unreadable
        )?;
        for (format, number) in &self.formats {
            writeln!(f, "  {number:>7} {format}")?;
        }
        writeln!(f, "{:<44} {:>8} {:>8} {:>8}", "law", "held", "failed", "refused")?;
        for (law, counts) in &self.laws {
            let refused: u64 = counts.refused.values().map(|(number, _)| number).sum();
            writeln!(f, "{law:<44} {:>8} {:>8} {refused:>8}", counts.held, counts.failed)?;
            for (why, (number, first)) in &counts.refused {
                writeln!(f, "  refused {number:>6}: {why}\n                  first: {first}")?;
            }
        }
        for (what, number) in &self.notes {
            writeln!(f, "{what}: {number}")?;
        }
        Ok(())
    }
}

/// A message without what differs from file to file: quoted names, and words with digits.
fn general(text: &str) -> String {
    let words = |part: &str| -> String {
        let words = part.split(' ').map(|w| if w.contains(|c: char| c.is_ascii_digit()) { "N" } else { w });
        words.collect::<Vec<_>>().join(" ")
    };
    let parts = text.split('\'').enumerate().map(|(at, part)| if at % 2 == 1 { "...".into() } else { words(part) });
    parts.collect::<Vec<_>>().join("'")
}
