//! Names as long as the file, told again and again.

use super::super::{Problem, Warning};
use super::*;
use std::sync::Arc;

fn long() -> String {
    "n".repeat(5000)
}

fn cut(begin: &str) -> String {
    format!("{begin}{}...", "n".repeat(256 - begin.len()))
}

#[test]
fn findings_of_a_set_share_its_name_and_it_is_cut() {
    let mut file = File::new(Endian::Little, |b| b.set(&long(), &[""; 4]));
    for (at, id) in (4..20).step_by(4).zip((1..5).rev()) {
        file.data[at] = id;
    }
    let findings = file.ids().check(None);
    let sets: Vec<_> = findings.iter().filter_map(|finding| finding.set.as_ref()).collect();
    assert_eq!((sets.len(), &**sets[0]), (4, &*cut("")));
    assert!(sets.iter().all(|set| Arc::ptr_eq(set, sets[0])));
}

#[test]
fn names_of_other_sets_and_symbols_are_shared_and_cut() {
    let of = |first: &str, others: &str, at: u64| {
        let mut file = File::new(Endian::Big, |b| b.set("s", &["", ""]));
        file.names[0] = (format!("__BTF_ID__{first}"), 8);
        for number in 0..3 {
            file.names.push((format!("__BTF_ID__{others}{number}__1"), 4));
            file.offsets.push(at);
        }
        let problems = file.ids().check(None).into_iter().map(|finding| finding.problem);
        problems.filter(|problem| !matches!(problem, Problem::CountMismatch { .. })).collect::<Vec<_>>()
    };
    let problems = of(&format!("set__{}", long()), "set__s", 4);
    let [Problem::OverlappingSets { before, .. }, Problem::OverlappingSets { before: again, .. }, ..] = &problems[..]
    else {
        panic!("{problems:?}")
    };
    assert!(Arc::ptr_eq(before, again) && **before == *cut(""));
    let problems = of(&format!("func__{}__1", long()), "func__f", 0);
    let [Problem::ConflictingSymbols { other }, Problem::ConflictingSymbols { other: again }, ..] = &problems[..]
    else {
        panic!("{problems:?}")
    };
    assert!(Arc::ptr_eq(other, again) && **other == *cut("__BTF_ID__func__"));
}

#[test]
fn names_of_types_are_shared_and_cut() {
    let long = long();
    let data = funcs(Endian::Little, 0, &[&*long, &*long, &*long, "x"]);
    let btf = Btf::parse(&data).unwrap();
    let mut file = File::new(Endian::Little, |b| {
        b.id("func__x");
        b.id(&format!("func__{long}"));
        b.id("func__none");
    });
    let warnings = file.ids().resolve(&btf, &Options::default()).unwrap().warnings;
    let [Warning::MultipleIds { name, .. }, Warning::MultipleIds { name: again, .. }, _] = &warnings[..] else {
        panic!("{warnings:?}")
    };
    assert!(Arc::ptr_eq(name, again) && **name == *cut(""));
    file.data[0] = 2;
    let stale = Problem::StaleSymbol { id: 2, name: cut("").into() };
    assert_eq!(file.ids().check(Some(&btf))[0].problem, stale);
}
