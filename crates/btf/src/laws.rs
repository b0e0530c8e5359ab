//! What must hold of any bytes at all: shared by the property tests here and the fuzz targets in `fuzz/`.

// A law that does not hold is a panic: this is for tests.
#![allow(clippy::panic)]

use crate::record::record_size;
use crate::testkit::BtfBuilder;
use crate::{Btf, Endian, Error, Field, Kind, process};
use std::collections::HashMap;

const NAMES: [&str; 6] = ["", "a", "foo", "foo_impl", "bpf_prog_aux", "bpf_kfunc"];

/// What rewriting BTF must not change, and must not change twice. `input` is: one byte of choices (1: distill, 2: `foo`
/// and `a` have implicit arguments), the length of the base as a u16 (0: standalone), the base, the BTF. Returns whether
/// there was anything that could be rewritten.
///
/// # Panics
/// When something does not hold.
pub fn rewriting_changes_nothing_else(input: &[u8]) -> bool {
    let &[choices, low, high, ref data @ ..] = input else { return false };
    let (base, data) = data.split_at(usize::from(u16::from_le_bytes([low, high])).min(data.len()));
    let base = match base {
        [] => None,
        data => match Btf::parse(data) {
            Ok(base) if base.validate().is_ok() => Some(base),
            _ => return false,
        },
    };
    let read = |data| base.as_ref().map_or_else(|| Btf::parse(data), |base| Btf::parse_split(data, base));
    let Ok(btf) = read(data) else { return false };
    let flags: &[(&[u8], u32)] = if choices & 2 == 0 { &[] } else { &[(b"a", 1 << 16), (b"foo", 1 << 16)] };

    let Ok(plain) = process(&btf, &[], false) else { return false };
    let sorted = good(read(&plain.btf));
    assert_eq!(descriptions(&sorted), descriptions(&btf));
    assert_eq!(good(process(&sorted, &[], false)), plain);

    let Ok(done) = process(&btf, flags, choices & 1 != 0) else { return false };
    let new_base = done.base.as_deref().map(|data| good(Btf::parse(data)));
    let new = match &new_base {
        Some(base) => good(Btf::parse_split(&done.btf, base)),
        None => good(read(&done.btf)),
    };
    for part in new_base.iter().chain([&new]) {
        good(part.validate());
    }
    let names: Vec<_> = new.own_ids().filter_map(|id| new.name(&new.get(id)?)).collect();
    assert!(names.is_sorted());
    assert_eq!(good(process(&new, flags, false)).btf, done.btf);
    true
}

#[track_caller]
fn good<T>(result: Result<T, Error>) -> T {
    result.unwrap_or_else(|e| panic!("what was written is refused: {e}"))
}

/// How often each type is there: what it is, with its strings and what it refers to, to a depth of one; without IDs and
/// string offsets.
fn descriptions(btf: &Btf) -> HashMap<String, u32> {
    let short = |id| btf.get(id).map_or("void".into(), |ty| format!("{} {:?} {}", ty.kind, btf.name(&ty), ty.vlen));
    let mut all = HashMap::new();
    for ty in btf.own_ids().filter_map(|id| btf.get(id)) {
        let mut record = ty.record.to_vec();
        let mut text = String::new();
        for (field, at, value) in ty.fields() {
            match field {
                Field::Name => text += &format!(" {:?}", btf.string(value)),
                Field::Type => text += &format!(" {}", short(value)),
            }
            record[at..at + 4].fill(0);
        }
        // What is left of the record are numbers: sizes, offsets, values, linkage.
        *all.entry(format!("{record:02x?}{text}")).or_default() += 1;
    }
    all
}

/// An input for [`rewriting_changes_nothing_else`] made of choices, so that most of it is valid.
#[must_use]
pub fn rewriting_input(choices: u8, base: &[u8], split: &[u8]) -> Vec<u8> {
    let base = if base.is_empty() { Vec::new() } else { btf_of(base, None) };
    let parsed = Btf::parse(&base).ok();
    let split = btf_of(split, parsed.as_ref());
    let len = u16::try_from(base.len()).unwrap_or_default();
    [&[choices][..], &len.to_le_bytes(), &base, &split].concat()
}

/// BTF of types that refer to any type and string.
fn btf_of(choices: &[u8], base: Option<&Btf>) -> Vec<u8> {
    let mut choices = choices.iter().copied();
    let mut next = |below: u32| u32::from(choices.next().unwrap_or_default()) % below.max(1);
    let mut b = match base {
        Some(base) => BtfBuilder::split(base),
        None => BtfBuilder::new(if next(2) == 0 { Endian::Little } else { Endian::Big }),
    };
    let count = next(24);
    let end = base.map_or(1, |base| base.own_ids().end) + count;
    let mut proto = None;
    for _ in 0..count {
        let kind = match Kind::from_number(u8::try_from(1 + next(19)).unwrap_or(1)) {
            // It must refer to a prototype.
            Kind::Func if proto.is_none() => Kind::FuncProto,
            kind => kind,
        };
        let vlen = match kind {
            Kind::Struct | Kind::Union | Kind::Enum | Kind::Enum64 | Kind::FuncProto | Kind::Datasec => next(4),
            _ => 0,
        };
        let words = record_size(kind, vlen).unwrap_or_default() / 4 - 3;
        // Small enough to be string offsets as well: there are six names.
        let words: Vec<u32> = (0..words).map(|_| next(end.min(24))).collect();
        let to = proto.filter(|_| kind == Kind::Func).unwrap_or_else(|| next(end));
        let name = NAMES[next(6) as usize];
        let id = b.record(name, kind, vlen, to, &words);
        if kind == Kind::FuncProto {
            proto = Some(id);
        }
    }
    for name in NAMES {
        b.string(name);
    }
    b.build()
}
