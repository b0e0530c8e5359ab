//! Symbols that go: what is loaded stays, and relocations name what they named.

use super::*;
use elfgraft_testkit::symbols::Symbol;

#[test]
fn l1_l4_stripping_is_idempotent_and_touches_no_loaded_byte() {
    let names = |list: &[&str], wild| SymbolNames::new(list.iter().map(|n| n.as_bytes().to_vec()), wild);
    let cases = [
        SymbolEdits { strip: Strip::Debug, ..SymbolEdits::default() },
        SymbolEdits { strip: Strip::Unneeded, ..SymbolEdits::default() },
        SymbolEdits { strip: Strip::All, ..SymbolEdits::default() },
        SymbolEdits { discard: Discard::Locals, ..SymbolEdits::default() },
        SymbolEdits { strip_unneeded: names(&["local_*", "global_1"], true), ..SymbolEdits::default() },
        SymbolEdits { weaken_all: true, ..SymbolEdits::default() },
        SymbolEdits { localize: names(&["global_0"], false), ..SymbolEdits::default() },
        SymbolEdits { globalize: names(&["local_0"], false), ..SymbolEdits::default() },
        SymbolEdits { redefine: [(b"global_0".to_vec(), b"renamed".to_vec())].into(), ..SymbolEdits::default() },
    ];
    over_files(ANY, 700, |seed, x| {
        for symbols in &cases {
            let edits = Edits { symbols: symbols.clone(), drop_in: true, ..Edits::default() };
            let once = match edit(x, &edits) {
                Ok(once) => once,
                Err(e) => {
                    let known = ["may hold symbol numbers", "shares bytes", "needs it as its", "does not end in"];
                    assert!(known.iter().any(|k| e.to_string().contains(k)), "seed {seed}: {e}");
                    continue;
                }
            };
            same(&edit(&once, &edits).unwrap(), &once, &format!("L1 of {symbols:?}"));
            // Every loaded section and every segment is as it was, read independently.
            let (before, after) = (ReadElf::parse(x), ReadElf::parse(&once));
            let loaded = |elf: &ReadElf| -> Vec<_> {
                let alloc = elf.sections.iter().filter(|s| s.flags & 2 != 0 && s.sh_type != 11 && s.sh_type != 4);
                alloc.map(|s| (s.name.clone(), s.addr, s.size, s.addralign, s.data.clone())).collect()
            };
            assert_eq!(loaded(&before), loaded(&after), "L4 of {symbols:?}");
            assert_eq!(before.segments, after.segments, "segments of {symbols:?}");
            relocations_keep_their_symbols(&before, &after);
        }
    });
}

/// Each relocation of the result names the symbol that it named in the input.
fn relocations_keep_their_symbols(before: &ReadElf, after: &ReadElf) {
    let relocs = |elf: &ReadElf| -> Vec<_> {
        let tables = (0u32..).zip(&elf.sections).filter(|(_, s)| s.sh_type == 4 || s.sh_type == 9);
        tables
            .flat_map(|(index, s)| {
                let symbols = elf.symbols_of(s.link);
                let named = elf.relocs_of(index).into_iter().map(move |r| {
                    let symbol = &symbols[r.symbol as usize];
                    (s.label.clone(), r.offset, symbol.value, symbol.size, symbol.name == b"renamed", r.addend)
                });
                named.collect::<Vec<_>>()
            })
            .collect()
    };
    let after_relocs = relocs(after);
    let before_relocs: Vec<_> =
        relocs(before).into_iter().filter(|r| after.sections.iter().any(|s| s.label == r.0)).collect();
    assert_eq!(before_relocs.len(), after_relocs.len());
    for (old, new) in before_relocs.iter().zip(&after_relocs) {
        assert_eq!((&old.0, old.1, old.2, old.3, old.5), (&new.0, new.1, new.2, new.3, new.5));
    }
}

/// A prefix of 100 kB, and 10,000 symbols of which each would get it.
#[test]
fn new_names_of_symbols_are_no_longer_than_memory() {
    let symbols = (0..10_000).map(|n| Symbol::global(&format!("s{n}"), ".text")).collect();
    let spec = ElfSpec::new(Format::X86_64, ET_REL).section(Section::progbits(".text", SHF_ALLOC, [1; 4]));
    let x = spec.symbols(symbols).build();
    for (len, good) in [(10, true), (100_000, false)] {
        let symbols = SymbolEdits { prefix: vec![b'p'; len], ..SymbolEdits::default() };
        match edit(&x, &Edits { symbols, ..Edits::default() }) {
            Ok(_) => assert!(good),
            Err(e) => assert!(!good && e.to_string().contains("new names of symbols are"), "{e}"),
        }
    }
}
