//! What is wrong with a section, as a list.

use super::model::{Ids, LONGEST, Member, Set, short};
use super::{Finding, Problem};
use crate::{Btf, Type};
use std::sync::Arc;

impl<'a> Ids<'a> {
    /// Everything wrong with the section, by ascending offset: what [`Ids::resolve`] would refuse, counts and order as
    /// the kernel needs them, and, with the BTF the IDs refer to, whether each word names the type its symbols say.
    /// Changes nothing.
    #[must_use]
    pub fn check(&self, btf: Option<&Btf>) -> Vec<Finding> {
        let mut findings = self.broken.clone();
        for set in &self.sets {
            self.check_set(set, &mut findings);
        }
        if let Some(btf) = btf {
            self.check_ids(btf, &mut findings);
        }
        findings.sort_by_key(|finding| finding.offset);
        findings
    }

    fn check_set(&self, set: &Set, findings: &mut Vec<Finding>) {
        let label = set.label();
        let mut report = |problem, offset: usize| {
            findings.push(Finding { problem, set: Some(Arc::clone(&label)), symbol: None, offset: offset as u64 });
        };
        let count = self.word_at(set.offset);
        let len = self.data.len() as u64;
        let end = set.entry(0) as u64 + u64::from(count) * set.kind.stride() as u64;
        if end > len {
            report(Problem::CountBeyondSection { end, len }, set.offset);
        } else if count as usize != set.count {
            report(Problem::CountMismatch { count, entries: set.count as u64 }, set.offset);
        }
        for slot in 1..set.count {
            let (before, id) = (self.pair(set, slot - 1).0, self.pair(set, slot).0);
            if id.cast_signed() < before.cast_signed() {
                report(Problem::Unsorted { before, id }, set.entry(slot));
            }
        }
    }

    fn check_ids(&self, btf: &Btf, findings: &mut Vec<Finding>) {
        let in_sets = self.sets.iter().flat_map(|set| {
            let label = set.label();
            set.members.iter().map(move |member| (Some(Arc::clone(&label)), member))
        });
        let members = in_sets.chain(self.lists.iter().map(|member| (None, member)));
        let mut zeros = Vec::new();
        let report = |problem, set: Option<Arc<str>>, member: &Member| {
            let report = move |sym: &super::Sym| Finding {
                problem: Problem::clone(&problem),
                set: set.clone(),
                symbol: Some(short(sym.name)),
                offset: sym.offset,
            };
            member.symbols.iter().map(report).collect::<Vec<_>>()
        };
        for (set, member) in members {
            let id = self.word_at(member.offset);
            let problem = match btf.get(id) {
                None if id == 0 => {
                    zeros.push((set, member));
                    continue;
                }
                None => Problem::IdOutOfRange { id, end: btf.own_ids().end },
                Some(ty) if ty.kind != member.kind => Problem::OtherKind { id, kind: ty.kind },
                Some(ty) if btf.has_name(&ty, member.name) => continue,
                Some(ty) => Problem::StaleSymbol { id, name: short(beginning(btf, &ty)) },
            };
            findings.extend(report(problem, set, member));
        }
        let names: Vec<_> = zeros.iter().map(|(_, member)| member.wanted()).collect();
        for ((set, member), id) in zeros.into_iter().zip(btf.find_first(&names)) {
            let problem = id.map_or(Problem::NotInBtf, |id| Problem::Unresolved { id });
            findings.extend(report(problem, set, member));
        }
    }
}

/// As much of a type's name as is told: any number of words may hold the ID of one type with a long name.
fn beginning<'a>(btf: &Btf<'a>, ty: &Type) -> &'a [u8] {
    let text = btf.strings_from(ty.name_off).unwrap_or_default();
    let text = text.get(..=LONGEST).unwrap_or(text);
    text.split(|&byte| byte == 0).next().unwrap_or_default()
}
