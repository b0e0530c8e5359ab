//! Good files of each class and byte order, each field of each header set to values at which checks tend to be wrong: every
//! operation ends well or with an error, in little memory and time. One test, because the limit of memory is the process's.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::panic::{AssertUnwindSafe, catch_unwind};

use elfgraft_fuzzlaws::each::OPERATIONS;
use elfgraft_testkit::damage::{damaged, poked};
use elfgraft_testkit::format::Format;
use elfgraft_testkit::inputs::*;
use elfgraft_testkit::layouts;
use rustix::process::{Resource, getrlimit, setrlimit};

/// Files that together have every kind of header, in one class and byte order.
fn good(format: Format) -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("module with BTF IDs", g4_btf_ids(format)),
        ("groups", g2_group(format)),
        ("segments", g6_modinfo_segment(format)),
        ("compressed and linked sections", g11_compressed_and_linked(format)),
        ("emitted relocations", g11_emitted_relocs(format)),
        ("vmlinux", layouts::vmlinux(format, true).build()),
        ("object with a note", layouts::gnu_ld_object(format).build()),
        ("signed", g9_signed(format)),
    ]
}

fn cpu() -> f64 {
    let times = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    times.split(' ').next().unwrap().parse::<f64>().unwrap() / 1e9
}

#[test]
fn every_operation_on_every_damaged_file_ends_well_or_with_an_error() {
    let mut limit = getrlimit(Resource::Data);
    limit.current = Some(192 << 20);
    setrlimit(Resource::Data, limit).unwrap();
    // All operations on each with `make torture`; else two of the four formats, one operation on each version of a file and
    // another one on the next.
    let all = std::env::var_os("ELFGRAFT_TORTURE").is_some();
    let (mut done, mut refused, mut slowest, mut bad) = (0u64, 0u64, (0.0f64, String::new()), Vec::new());
    for (turn, format) in Format::FOUR.into_iter().enumerate() {
        for (name, file) in
            good(format).into_iter().skip(if all { 0 } else { turn % 2 }).step_by(if all { 1 } else { 2 })
        {
            let versions = damaged(&file).chain(poked(&file, 8, if all { 2000 } else { 100 }));
            for (number, (what, bytes)) in versions.enumerate() {
                let some =
                    if all { 0..OPERATIONS.len() } else { number % OPERATIONS.len()..number % OPERATIONS.len() + 1 };
                for (operation, f) in &OPERATIONS[some] {
                    let before = cpu();
                    match catch_unwind(AssertUnwindSafe(|| f(&bytes))) {
                        Ok(Ok(_)) => done += 1,
                        Ok(Err(why)) if !why.is_empty() && why.len() < 10_000 => refused += 1,
                        Ok(Err(why)) => bad.push(format!("{operation}: {format}, {name}, {what}: says '{why}'")),
                        Err(_) => bad.push(format!("{operation}: {format}, {name}, {what}: panics")),
                    }
                    let took = cpu() - before;
                    if took > slowest.0 {
                        slowest = (took, format!("{operation}: {format}, {name}, {what}"));
                    }
                }
            }
        }
    }
    println!("{done} done, {refused} refused; the slowest took {:.3} s, {}", slowest.0, slowest.1);
    assert!(bad.is_empty(), "{} of {}: {:#?}", bad.len(), done + refused, bad.iter().take(20).collect::<Vec<_>>());
    assert!(slowest.0 < 1.0, "{slowest:?}");
    assert!(done > 10_000 && refused > 10_000, "{done} and {refused}");
}
