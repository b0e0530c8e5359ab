//! BTF and BTF IDs: what is rewritten is the same BTF; resolved or sorted N times is once.

use elfgraft_btf::ids::{IdName, Ids, Options, Outcome, Sym, parse_id_name};
use elfgraft_btf::laws::{rewriting_changes_nothing_else, rewriting_input};
use elfgraft_btf::testkit::BtfBuilder;
use elfgraft_btf::{Btf, Endian};

use crate::choice::Choice;

/// Byte 0 picks how the input is made: plain bytes as they come, or as choices of types, most of which are valid.
pub fn rewrite(input: &[u8]) {
    match input {
        [pick, choices, rest @ ..] if pick & 1 != 0 => {
            let (base, split) = rest.split_at(rest.len() * usize::from(pick >> 1) / 128);
            rewriting_changes_nothing_else(&rewriting_input(*choices, base, split));
        }
        [pick, rest @ ..] => {
            if let Ok(detached) = Btf::parse_detached(rest, u32::from(*pick) << 12) {
                let _ = detached.validate();
            }
            rewriting_changes_nothing_else(rest);
        }
        [] => {}
    }
}

const NAMES: [&str; 8] = ["f0", "f1", "f2", "f3", "f4", "f5", "f6", "f7"];

/// BTF with the functions and structures in an order that the bytes choose.
fn world(endian: Endian, order: &[u8]) -> Vec<u8> {
    let mut b = BtfBuilder::new(endian);
    for byte in order {
        let name = NAMES[usize::from(byte & 7)];
        match byte >> 6 {
            0 => b.structure(name, &[]),
            1 => b.int(name, 4),
            _ => b.func(name, 0),
        };
    }
    b.build()
}

/// Four bytes of choices: byte order and options, how many symbols, how much BTF of each of two; then symbols of four
/// bytes each (what, name, offset, size), bytes for two BTFs, and the section.
pub fn ids(input: &[u8]) {
    let Some((mut choice, rest)) = Choice::split(input, 4) else { return };
    let pick = choice.below(256);
    let endian = if pick & 1 == 0 { Endian::Little } else { Endian::Big };
    let (symbols, first, second) = (choice.below(48), choice.below(32), choice.below(32));
    let Some((symbols, rest)) = rest.split_at_checked(4 * symbols) else { return };
    let Some((first, rest)) = rest.split_at_checked(first) else { return };
    let Some((second, data)) = rest.split_at_checked(second) else { return };

    let names: Vec<String> = symbols.chunks_exact(4).map(|s| name(s[0], s[1])).collect();
    let scale = |byte: u8| if pick & 2 == 0 { u64::from(byte) * 4 } else { u64::from(byte) };
    let numbered = (3u32..).zip(symbols.chunks_exact(4)).zip(&names);
    let syms: Vec<Sym> = numbered
        .map(|((index, s), name)| Sym { index, name: name.as_bytes(), offset: scale(s[2]), size: scale(s[3]) })
        .collect();
    let (first, second) = (world(endian, first), world(endian, second));
    let (Ok(first), Ok(second)) = (Btf::parse(&first), Btf::parse(&second)) else { return };
    let pinned = [scale(pick as u8)];
    let options = Options {
        old: (pick & 4 != 0).then_some(&first),
        trust_symbols: pick & 8 != 0,
        pinned: if pick & 16 == 0 { &[] } else { &pinned },
    };
    laws(data, endian, &syms, [&first, &second], &options);
}

fn name(what: u8, name: u8) -> String {
    let unique = u32::from(name) + 10;
    let name = NAMES[usize::from(name & 7)];
    match what % 7 {
        0 | 1 => format!("__BTF_ID__set8__{name}"),
        2 => format!("__BTF_ID__set__{name}"),
        3 => format!("__BTF_ID__struct__{name}__{unique}"),
        6 if what > 127 => format!("__BTF_ID__{name}"),
        _ => format!("__BTF_ID__func__{name}__{unique}"),
    }
}

fn laws(data: &[u8], endian: Endian, syms: &[Sym], [first, second]: [&Btf; 2], options: &Options) {
    let ids = Ids::new(data, endian, syms);
    for btf in [None, Some(first)] {
        let _ = (ids.check(btf), ids.rows(btf), ids.kfunc_flags(options));
    }
    if let Ok(sorted) = ids.sort(options) {
        let moved = after(syms, &sorted);
        assert_eq!(sorted.data.len(), data.len(), "L4");
        assert_eq!(words(&sorted.data), words(data), "L4: sorting changes no ID and no flags");
        let again = Ids::new(&sorted.data, endian, &moved).sort(options);
        let again = again.unwrap_or_else(|e| panic!("L1 of sort: refused: {e}"));
        assert_eq!((&again.data, after(&moved, &again)), (&sorted.data, moved), "L1 of sort");
    }
    let Ok(once) = ids.resolve(first, options) else { return };
    let moved = after(syms, &once);
    assert_eq!(once.data.len(), data.len(), "L4");
    let now = |old| Options { old: Some(old), ..*options };
    let resolve = |data: &[u8], syms: &[Sym], new: &Btf, old| {
        let ids = Ids::new(data, endian, syms);
        ids.resolve(new, &now(old)).unwrap_or_else(|e| panic!("refused on a result of ours: {e}"))
    };
    let again = resolve(&once.data, &moved, first, first);
    assert_eq!((&again.data, after(&moved, &again)), (&once.data, moved.clone()), "L1 of resolve");
    if let Ok(before) = ids.kfunc_flags(options)
        && let Ok(now) = Ids::new(&once.data, endian, &moved).kfunc_flags(&now(first))
    {
        assert_eq!(now, before, "L4: flags stay with their kfunc");
    }
    // What a relocation points to cannot move: another BTF may ask for it.
    if options.pinned.is_empty() {
        let other = resolve(&once.data, &moved, second, first);
        let syms = after(&moved, &other);
        let back = resolve(&other.data, &syms, first, second);
        assert_eq!((&back.data, after(&syms, &back)), (&once.data, moved), "L2 of resolve");
    }
}

/// The symbols after a run.
fn after<'a>(syms: &[Sym<'a>], outcome: &Outcome) -> Vec<Sym<'a>> {
    let mut syms = syms.to_vec();
    for m in &outcome.moves {
        let sym = syms.iter_mut().find(|sym| sym.index == m.symbol).expect("a symbol of the section");
        sym.offset = m.offset;
    }
    syms
}

/// The words of a section, however they are ordered.
fn words(data: &[u8]) -> Vec<&[u8]> {
    let mut words: Vec<_> = data.chunks(4).collect();
    words.sort_unstable();
    words
}

/// Any text is the name of a symbol; what is found in it is part of it.
pub fn symbol_name(text: &[u8]) {
    if let Some(Ok(IdName::Set(name) | IdName::Set8(name) | IdName::Member { name, .. })) = parse_id_name(text) {
        assert!(text.windows(name.len().max(1)).any(|part| part == name) || name.is_empty());
    }
}
