//! Law L4: which differences are what was decided, or follow from it.

use std::collections::{BTreeMap, HashSet};

use elfgraft_compare::Aliases;
use elfgraft_compare::diff::{Finding, Key, Report};
use elfgraft_edit::Decision;
use elfgraft_elf::consts::SHT_NOBITS;

/// What an edit may change.
pub struct Expected {
    /// Sections that are spoken of, as reports quote them.
    names: HashSet<String>,
    /// How many differences of a kind were decided, where decisions are numbers.
    counts: BTreeMap<Key, u64>,
    removes: bool,
    symbols: bool,
    signature: bool,
    /// New names, which are no difference.
    pub aliases: Aliases,
}

impl Expected {
    /// What follows from the decisions of an edit of ours.
    pub fn of(decisions: &[Decision]) -> Expected {
        let mut all = Expected::of_section(b"");
        for decision in decisions {
            // In our words names stand in quotes: the first are those of the section or table.
            all.names.extend(decision.to_string().split('\'').nth(1).map(str::to_owned));
            let mut count = |key, number: usize| *all.counts.entry(key).or_default() += number as u64;
            match decision {
                Decision::Remove { .. } | Decision::Leaves { .. } => all.removes = true,
                // What a debugger does not read is removed, too: the header stays.
                Decision::Header { field: "sh_type", new, .. } if *new == u64::from(SHT_NOBITS) => all.removes = true,
                Decision::Rename { from, to, .. } => {
                    all.names.insert(to.escape_ascii().to_string());
                    all.aliases.sections.insert(from.clone(), to.clone());
                }
                Decision::Symbols { dropped, .. } => {
                    all.symbols = true;
                    count(Key::SymbolRemoved, usize::try_from(*dropped).unwrap_or(usize::MAX));
                }
                Decision::SymbolNames { names, .. } => all.aliases.symbols.extend(names.iter().cloned()),
                Decision::SymbolBindings { changed: number, .. }
                | Decision::SymbolsUndefined { signatures: number, .. }
                | Decision::Values { moved: number, .. } => count(Key::Symbol, *number),
                Decision::SymbolsAdded { added, .. } => count(Key::SymbolAdded, *added),
                Decision::DropSignature { .. } | Decision::Proof { .. } => all.signature = true,
                _ => {}
            }
        }
        all
    }

    /// A foreign tool says nothing; it is to change one section.
    pub fn of_section(section: &[u8]) -> Expected {
        Expected {
            // What is in no section has no name, and is not spoken of.
            names: Some(section.escape_ascii().to_string()).filter(|name| !name.is_empty()).into_iter().collect(),
            counts: BTreeMap::new(),
            removes: false,
            symbols: false,
            signature: false,
            aliases: Aliases::default(),
        }
    }

    /// Whether names of sections or symbols become others.
    pub fn renames(&self) -> bool {
        self.aliases != Aliases::default()
    }

    /// Differences that nobody asked for, and how many there are beyond those that are listed.
    pub fn others<'r>(&self, report: &'r Report) -> (Vec<&'r Finding>, u64) {
        let mut left = self.counts.clone();
        let mut within = |key: Key| match left.get_mut(&key) {
            Some(count) if *count > 0 => {
                *count -= 1;
                true
            }
            _ => false,
        };
        let others = report.findings.iter().filter(|f| f.key != Key::Moved && !self.expects(f) && !within(f.key));
        let others = others.collect();
        (others, report.more.iter().filter(|(key, _)| **key != Key::Moved).map(|(_, more)| more).sum())
    }

    fn expects(&self, finding: &Finding) -> bool {
        let about = |name: &str| self.names.contains(name);
        match finding.key {
            Key::Segment | Key::SegmentRemoved | Key::Group => self.removes,
            Key::RelocRemoved => self.removes || self.symbols,
            Key::SymbolRemoved | Key::Symbol | Key::SymbolAdded => false,
            Key::BtfHeader | Key::BtfTypeAdded | Key::BtfTypeRemoved | Key::BtfTypeChanged | Key::BtfOrder => {
                about(".BTF") || about(".BTF.base")
            }
            Key::BtfSet | Key::BtfId | Key::BtfIdFlags => about(".BTF_ids") || about(".BTF"),
            Key::ModuleHashes => about(".module_hashes"),
            Key::Modinfo => about(".modinfo"),
            Key::Signature => self.signature,
            // Names live in string tables.
            Key::StringTable => true,
            _ => about(finding.place.split('\'').nth(1).unwrap_or_default()),
        }
    }
}
