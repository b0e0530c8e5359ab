//! Each state of a file, one by one.

use super::{File, funcs};
use crate::ids::{Options, Problem, SetKind, Warning};
use crate::testkit::BtfBuilder;
use crate::{Btf, Endian, Error, Kind};

const ORDERS: [Endian; 2] = [Endian::Little, Endian::Big];

/// The smallest module whose flags a sort mixes up: three kfuncs with different flags, whose IDs sort to another order.
fn g4(endian: Endian) -> File {
    File::new(endian, |b| {
        b.id("struct__nf_conn");
        b.unused();
        b.set8("myset", &[("func__x", 0x10), ("func__y", 0x20), ("func__z", 0x40)]);
    })
}

#[test]
fn b2_second_run_keeps_flags_where_the_kernels_tool_mixes_them() {
    for endian in ORDERS {
        let data = funcs(endian, 3, &["y", "z", "x"]);
        let btf = Btf::parse(&data).unwrap();
        let fresh = g4(endian);
        let once = fresh.resolved(&btf, None).unwrap();
        let words: Vec<u32> = (0..10).map(|i| once.word(i * 4)).collect();
        // y is FUNC 5, z 7, x 9; nf_conn is not there.
        assert_eq!(words, [0, 0, 3, 1, 5, 0x20, 7, 0x40, 9, 0x10]);
        assert_eq!(once.offsets, [0, 8, 32, 16, 24]);
        assert_eq!(once.flags(), fresh.flags());
        assert_eq!(once.resolved(&btf, Some(&btf)).unwrap(), once);

        let kernel = fresh.kernel_resolved(&btf);
        assert_eq!(kernel.data, once.data);
        let twice = kernel.kernel_resolved(&btf);
        assert_eq!((4..10).map(|i| twice.word(i * 4)).collect::<Vec<_>>(), [5, 0x40, 7, 0x10, 9, 0x20]);
        // Ours on what the kernel's tool has sorted once: the symbols are put back first.
        let outcome = kernel.ids().resolve(&btf, &Options { old: Some(&btf), ..Options::default() }).unwrap();
        assert_eq!((outcome.realigned, outcome.data == kernel.data), (3, true));
        assert_eq!(kernel.with(outcome), once);
    }
}

#[test]
fn warnings_have_the_text_and_order_of_the_kernels_tool() {
    let file = File::new(Endian::Little, |b| {
        for what in ["func__f", "func__no_b", "func__no_a", "struct__s", "typedef__no_t", "union__no_u", "struct__no_s"]
        {
            b.id(what);
        }
    });
    let mut b = BtfBuilder::new(Endian::Little);
    for _ in 0..2 {
        b.func("f", 0);
        b.structure("s", &[]);
        b.typedef("s", 0);
    }
    b.func("f", 0);
    let data = b.build();
    let btf = Btf::parse(&data).unwrap();
    let warnings = file.ids().resolve(&btf, &Options::default()).unwrap().warnings;
    let text: Vec<_> = warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        text,
        [
            "WARN: multiple IDs found for 'f': 2, 6 - using 2",
            "WARN: multiple IDs found for 's': 3, 7 - using 3",
            "WARN: multiple IDs found for 'f': 2, 10 - using 2",
            "WARN: resolve_btfids: unresolved symbol no_s",
            "WARN: resolve_btfids: unresolved symbol no_u",
            "WARN: resolve_btfids: unresolved symbol no_t",
            "WARN: resolve_btfids: unresolved symbol no_b",
            "WARN: resolve_btfids: unresolved symbol no_a",
        ]
    );
    assert_eq!(warnings[0], Warning::MultipleIds { kind: Kind::Func, name: "f".into(), used: 2, other: 6 });
}

#[test]
fn duplicates_behind_the_last_name_wanted_of_a_kind_are_not_warned_of() {
    let mut b = BtfBuilder::new(Endian::Little);
    for name in ["a", "a", "b", "a", "b"] {
        b.structure(name, &[]);
    }
    let data = b.build();
    let btf = Btf::parse(&data).unwrap();
    let warned = |members: &[&str]| {
        let file = File::new(Endian::Little, |b| members.iter().for_each(|what| b.id(what)));
        let warnings = file.ids().resolve(&btf, &Options::default()).unwrap().warnings;
        let other = |w: &Warning| if let Warning::MultipleIds { other, .. } = w { *other } else { 0 };
        warnings.iter().map(other).collect::<Vec<_>>()
    };
    // Both found at 3: the search ends there.
    assert_eq!(warned(&["struct__a", "struct__b"]), [2]);
    assert_eq!(warned(&["struct__a"]), [] as [u32; 0]);
    // Three symbols, two names: it never ends.
    assert_eq!(warned(&["struct__a", "struct__b", "struct__b"]), [2, 4, 5]);
    assert_eq!(warned(&["struct__a", "struct__c"]), [2, 4, 0]);
}

#[test]
fn e3_more_lists_than_the_kernels_tool_allows() {
    for endian in ORDERS {
        let file = File::new(endian, |b| (0..101).for_each(|_| b.id("func__foo")));
        let data = funcs(endian, 7, &["foo"]);
        let btf = Btf::parse(&data).unwrap();
        let done = file.resolved(&btf, None).unwrap();
        assert!((0..101).all(|i| done.word(i * 4) == 9));
        assert_eq!(done.offsets, file.offsets);
    }
}

#[test]
fn sets_of_none_and_one() {
    let file = File::new(Endian::Big, |b| {
        b.set("none", &[]);
        b.set8("none8", &[]);
        b.set("one", &["func__f"]);
        b.set8("one8", &[("func__f", 7)]);
    });
    let data = funcs(Endian::Big, 0, &["f"]);
    let btf = Btf::parse(&data).unwrap();
    let done = file.resolved(&btf, None).unwrap();
    let words: Vec<u32> = (0..9).map(|i| done.word(i * 4)).collect();
    assert_eq!(words, [0, 0, 1, 1, 2, 1, 1, 2, 7]);
    assert_eq!(done.resolved(&btf, None).unwrap(), done);
    assert_eq!(done.keys(Some(&btf)), []);
}

#[test]
fn equal_ids_stay_in_the_order_of_the_symbol_table() {
    let file = File::new(Endian::Little, |b| {
        let members = [("func__gone1", 1), ("func__f", 2), ("func__gone2", 3), ("func__f", 4), ("func__gone3", 5)];
        b.set8("s", &members);
        b.set("t", &["func__f", "", "func__gone1", ""]);
    });
    let with = funcs(Endian::Little, 9, &["gone3", "f", "gone1", "gone2"]);
    let with = Btf::parse(&with).unwrap();
    let without = funcs(Endian::Little, 0, &["f"]);
    let without = Btf::parse(&without).unwrap();
    let direct = file.resolved(&without, None).unwrap();
    let flags: Vec<u32> = (0..5).map(|i| direct.word(12 + i * 8)).collect();
    assert_eq!(flags, [1, 3, 5, 2, 4]);
    // The two entries of `t` that nobody names, then gone1, then f.
    assert_eq!(&direct.offsets[6..], [48, 64, 60]);
    let detour = file.resolved(&with, None).unwrap().resolved(&without, Some(&with)).unwrap();
    assert_eq!(detour, direct);
    assert_eq!(direct.resolved(&without, Some(&without)).unwrap(), direct);
}

#[test]
fn ids_are_compared_as_signed_ints() {
    let mut file = File::new(Endian::Little, |b| b.set("s", &["func__a", "func__b", "func__c"]));
    for (offset, id) in [(4, 7u32), (8, 1 << 31), (12, u32::MAX)] {
        file.data[offset..offset + 4].copy_from_slice(&id.to_le_bytes());
    }
    let sorted = file.sorted(None);
    assert_eq!([4, 8, 12].map(|offset| sorted.word(offset)), [1 << 31, u32::MAX, 7]);
    assert_eq!(sorted.offsets, [0, 12, 4, 8]);
}

#[test]
fn files_sorted_by_the_kernels_tool() {
    let a = funcs(Endian::Little, 2, &["y", "z", "x"]);
    let a = Btf::parse(&a).unwrap();
    // The base changed: the same functions, other IDs, another order; and one where nothing fits.
    let b = funcs(Endian::Little, 9, &["z", "y", "x"]);
    let b = Btf::parse(&b).unwrap();
    let kernel = g4(Endian::Little).kernel_resolved(&a);
    let right = g4(Endian::Little).resolved(&b, None).unwrap();

    assert_eq!(kernel.resolved(&b, Some(&a)).unwrap(), right);
    let unproven = |had_btf| Error::UnprovenSymbols { set: "myset".into(), offset: 8, had_btf };
    assert_eq!(kernel.resolved(&b, Some(&b)).unwrap_err(), unproven(true));
    assert_eq!(kernel.resolved(&b, None).unwrap_err(), unproven(false));
    let message = unproven(true).to_string();
    for way_out in ["'myset'", "relink", "--old-btf-base", "--trust-symbols"] {
        assert!(message.contains(way_out), "{message}");
    }
    // Sorting moves nothing there, and says so; with the right BTF it puts the symbols back.
    let outcome = kernel.ids().sort(&Options::default()).unwrap();
    assert_eq!((outcome.unproven, outcome.moves, outcome.data == kernel.data), (vec!["myset".into()], vec![], true));
    let outcome = kernel.ids().sort(&Options { old: Some(&a), ..Options::default() }).unwrap();
    assert_eq!((outcome.realigned, outcome.unproven.len(), outcome.data == kernel.data), (3, 0, true));
    let note = ("not-in-btf", 0);
    assert_eq!(kernel.keys(Some(&a)), [note, ("stale-symbol", 16), ("stale-symbol", 24), ("stale-symbol", 32)]);
    assert_eq!(kernel.sorted(Some(&a)).keys(Some(&a)), [note]);
}

#[test]
fn files_sorted_by_elfgraft_need_no_btf_when_order_tells() {
    let a = funcs(Endian::Big, 2, &["y", "z", "x"]);
    let a = Btf::parse(&a).unwrap();
    let b = funcs(Endian::Big, 9, &["z", "y", "x"]);
    let b = Btf::parse(&b).unwrap();
    let done = g4(Endian::Big).resolved(&a, None).unwrap();
    let right = g4(Endian::Big).resolved(&b, None).unwrap();
    for old in [None, Some(&a), Some(&b)] {
        assert_eq!(done.resolved(&b, old).unwrap(), right);
        assert_eq!(done.sorted(old), done);
    }
    // Nothing had to move: then order tells nothing, and the flags differ.
    let c = funcs(Endian::Big, 2, &["x", "y", "z"]);
    let c = Btf::parse(&c).unwrap();
    let done = g4(Endian::Big).resolved(&c, None).unwrap();
    assert_eq!(done.resolved(&b, Some(&c)).unwrap(), right);
    assert!(matches!(done.resolved(&b, None), Err(Error::UnprovenSymbols { had_btf: false, .. })));
    let trust = Options { trust_symbols: true, ..Options::default() };
    assert_eq!(done.with(done.ids().resolve(&b, &trust).unwrap()), right);
}

#[test]
fn a_symbol_table_sorted_by_name_does_not_look_like_ours() {
    let a = funcs(Endian::Little, 2, &["a", "b", "c"]);
    let a = Btf::parse(&a).unwrap();
    let file = File::new(Endian::Little, |b| b.set8("s", &[("func__c", 1), ("func__b", 2), ("func__a", 3)]));
    let mut stale = file.kernel_resolved(&a);
    // As old clang wrote symbol tables.
    stale.names[1..].reverse();
    stale.offsets[1..].reverse();
    assert!(!stale.offsets.is_sorted());
    assert!(matches!(stale.resolved(&a, None), Err(Error::UnprovenSymbols { .. })));
    assert_eq!(stale.resolved(&a, Some(&a)).unwrap().flags(), [None, Some(3), Some(2), Some(1)]);
}

#[test]
fn nothing_to_mix_up_where_flags_are_equal() {
    let a = funcs(Endian::Little, 2, &["b", "a"]);
    let a = Btf::parse(&a).unwrap();
    let b = funcs(Endian::Little, 5, &["a", "b"]);
    let b = Btf::parse(&b).unwrap();
    let file = File::new(Endian::Little, |b| {
        b.set("s", &["func__a", "func__b"]);
        b.set8("t", &[("func__a", 5), ("func__b", 5)]);
    });
    let right = file.resolved(&b, None).unwrap();
    assert_eq!(file.kernel_resolved(&a).resolved(&b, None).unwrap(), right);
    assert_eq!(file.kernel_resolved(&a).resolved(&b, Some(&b)).unwrap(), right);
    // But where an entry has no symbol, an ID could be written over it.
    let file = File::new(Endian::Little, |b| b.set("s", &["func__a", "", "func__b"]));
    let right = file.resolved(&b, None).unwrap();
    assert!(matches!(file.kernel_resolved(&a).resolved(&b, None), Err(Error::UnprovenSymbols { .. })));
    assert_eq!(file.kernel_resolved(&a).resolved(&b, Some(&a)).unwrap(), right);
    // The symbol is left at a 0, and that BTF does not have its name: still the ID beside it must be somebody's.
    let file = File::new(Endian::Little, |b| b.set("s", &["func__a", ""]));
    let empty = BtfBuilder::new(Endian::Little).build();
    let empty = Btf::parse(&empty).unwrap();
    assert!(matches!(file.kernel_resolved(&a).resolved(&b, Some(&empty)), Err(Error::UnprovenSymbols { .. })));
}

#[test]
fn unresolved_entries_are_realigned_only_where_that_is_unambiguous() {
    let a = funcs(Endian::Little, 2, &["y", "x"]);
    let a = Btf::parse(&a).unwrap();
    let all = funcs(Endian::Little, 2, &["q", "p", "y", "x"]);
    let all = Btf::parse(&all).unwrap();
    let resolve = |members: &[(&str, u32)]| {
        let file = File::new(Endian::Little, |b| b.set8("s", members));
        let right = file.resolved(&all, None).unwrap();
        file.kernel_resolved(&a).resolved(&all, Some(&a)).map(|file| assert_eq!(file, right)).is_ok()
    };
    assert!(resolve(&[("func__x", 1), ("func__p", 2), ("func__y", 3)]));
    assert!(resolve(&[("func__x", 1), ("func__p", 2), ("func__y", 3), ("func__q", 2)]));
    assert!(resolve(&[("func__x", 1), ("func__p", 2), ("func__y", 3), ("func__p", 4)]));
    assert!(!resolve(&[("func__x", 1), ("func__p", 2), ("func__y", 3), ("func__q", 4)]));
    // In place as they are, zeros and all: then their order was never changed.
    assert!(resolve(&[("func__p", 2), ("func__q", 4), ("func__y", 3), ("func__x", 1)]));
    // A zero for a name which that BTF has: it is not the BTF the IDs refer to.
    let file = File::new(Endian::Little, |b| b.set8("s", &[("func__x", 1), ("func__p", 2), ("func__y", 3)]));
    let wrong = funcs(Endian::Little, 2, &["y", "x", "p"]);
    let wrong = Btf::parse(&wrong).unwrap();
    assert!(file.kernel_resolved(&a).resolved(&all, Some(&wrong)).is_err());
}

#[test]
fn symbols_that_btf_disproves_are_not_trusted() {
    let a = funcs(Endian::Little, 2, &["y", "x"]);
    let a = Btf::parse(&a).unwrap();
    let all = funcs(Endian::Little, 2, &["y", "q", "x", "p"]);
    let all = Btf::parse(&all).unwrap();
    let members = [("func__x", 1), ("func__p", 2), ("func__y", 3), ("func__q", 4)];
    // Sorted by us, so that order tells; then by the kernel's tool, which finds neither p nor q.
    let stale = File::new(Endian::Little, |b| b.set8("s", &members)).resolved(&all, None).unwrap().kernel_resolved(&a);
    let lost = Error::LostSymbols { set: "s".into(), offset: 0 };
    assert_eq!(stale.resolved(&all, Some(&a)).unwrap_err(), lost);
    let trust = Options { old: Some(&a), trust_symbols: true, ..Options::default() };
    assert_eq!(stale.ids().resolve(&all, &trust).unwrap_err(), lost);
    assert_eq!(stale.ids().sort(&trust).unwrap().unproven, ["s"]);
    assert!(lost.to_string().contains("relink"));
}

// A fuzzer made it: the ID stayed, meant something else in the new BTF, and the second run was refused.
#[test]
fn an_id_in_a_set_that_no_symbol_names_is_not_resolved() {
    for endian in ORDERS {
        let data = funcs(endian, 2, &["y", "x"]);
        let btf = Btf::parse(&data).unwrap();
        for members in [&[("func__x", 1), ("func__y", 2)][..], &[("func__x", 1)]] {
            let mut file = File::new(endian, |b| b.set8("s", members)).resolved(&btf, None).unwrap();
            assert!(file.resolved(&btf, Some(&btf)).is_ok());
            let id = file.word(8);
            let named = file.offsets.iter().position(|&offset| offset == 8).unwrap();
            file.names[named].0 = "other".into();
            let options = Options { old: Some(&btf), trust_symbols: true, ..Options::default() };
            let e = file.ids().resolve(&btf, &options).unwrap_err();
            assert!(matches!(&e, Error::BadIds(f) if f.problem == Problem::NamelessId { id } && f.offset == 8), "{e}");
            // Sorting moves what is there.
            assert_eq!(file.ids().sort(&options).unwrap().data, file.data);
        }
    }
}

#[test]
fn kfunc_flags_are_those_of_each_functions_own_entry() {
    let a = funcs(Endian::Big, 2, &["y", "z", "x"]);
    let a = Btf::parse(&a).unwrap();
    let want: Vec<(&[u8], u32)> = vec![(b"x", 0x10), (b"y", 0x20), (b"z", 0x40)];
    let old = Options { old: Some(&a), ..Options::default() };
    for file in [g4(Endian::Big), g4(Endian::Big).resolved(&a, None).unwrap(), g4(Endian::Big).kernel_resolved(&a)] {
        assert_eq!(file.ids().kfunc_flags(&old).unwrap(), want);
    }
    let stale = g4(Endian::Big).kernel_resolved(&a);
    assert!(matches!(stale.ids().kfunc_flags(&Options::default()), Err(Error::UnprovenSymbols { .. })));
    // Of several sets the one with the greatest name counts, and in it the first symbol; sets without flags do not.
    let file = File::new(Endian::Little, |b| {
        b.set8("b", &[("func__x", 3), ("func__x", 4), ("struct__s", 5)]);
        b.set8("a", &[("func__x", 1), ("func__y", 2)]);
        b.set("c", &["func__z"]);
    });
    assert_eq!(file.ids().kfunc_flags(&Options::default()).unwrap(), [(&b"x"[..], 3), (b"y", 2)]);
}

#[test]
fn relocations_into_a_set_that_must_be_reordered_are_refused() {
    let a = funcs(Endian::Little, 2, &["y", "z", "x"]);
    let a = Btf::parse(&a).unwrap();
    let file = g4(Endian::Little);
    let resolve = |file: &File, target| {
        let pinned = [0, target];
        file.ids().resolve(&a, &Options { old: Some(&a), pinned: &pinned, ..Options::default() })
    };
    for target in [24, 27, 28, 39] {
        let err = Error::PinnedSet { set: "myset".into(), offset: 8, target };
        assert_eq!(resolve(&file, target).unwrap_err(), err);
    }
    // The set itself and its array, which are what code refers to, what is behind it, and a set that is in order already.
    for target in [8, 12, 16, 20, 23, 40] {
        resolve(&file, target).unwrap();
    }
    resolve(&file.resolved(&a, None).unwrap(), 24).unwrap();
    let kernel = file.kernel_resolved(&a);
    resolve(&kernel, 24).unwrap();
    let pinned = [24];
    assert!(kernel.ids().sort(&Options { pinned: &pinned, ..Options::default() }).is_ok());
}

#[test]
fn a_section_its_symbols_contradict_is_never_written() {
    let data = funcs(Endian::Little, 0, &["x"]);
    let btf = Btf::parse(&data).unwrap();
    let mut file = g4(Endian::Little);
    file.offsets[3] += 2;
    let Err(Error::BadIds(finding)) = file.resolved(&btf, None) else { panic!() };
    assert_eq!((finding.problem.clone(), finding.offset), (Problem::BetweenWords, 26));
    assert_eq!(
        finding.to_string(),
        "symbol '__BTF_ID__func__y__1037', at 0x1a: the symbol points between two words [between-words]"
    );
    assert!(file.ids().sort(&Options::default()).is_err());
    assert!(file.keys(None).contains(&("between-words", 26)));
}

#[test]
fn check_finds_each_wrong_word_at_its_place() {
    let data = funcs(Endian::Big, 1, &["x", "y", "z"]);
    let btf = Btf::parse(&data).unwrap();
    let fresh = g4(Endian::Big);
    assert_eq!(
        fresh.keys(Some(&btf)),
        [("not-in-btf", 0), ("count-mismatch", 8), ("unresolved", 16), ("unresolved", 24), ("unresolved", 32)]
    );
    let good = fresh.resolved(&btf, None).unwrap();
    assert_eq!(good.keys(Some(&btf)), [("not-in-btf", 0)]);
    assert!(good.ids().check(Some(&btf))[0].problem.is_note());
    let poked = |offset: usize, word: u32| {
        let mut file = good.clone();
        file.data[offset..offset + 4].copy_from_slice(&word.to_be_bytes());
        file.keys(Some(&btf))
    };
    assert_eq!(poked(0, 1), [("other-kind", 0)]);
    assert_eq!(poked(24, 3), [("not-in-btf", 0), ("stale-symbol", 24)]);
    assert_eq!(poked(32, 8), [("not-in-btf", 0), ("id-out-of-range", 32)]);
    // As a signed int the last is below the others.
    assert_eq!(poked(32, 1 << 31), [("not-in-btf", 0), ("unsorted", 32), ("id-out-of-range", 32)]);
    assert_eq!(poked(16, 6), [("not-in-btf", 0), ("other-kind", 16), ("unsorted", 24)]);
    assert_eq!(poked(8, 4), [("not-in-btf", 0), ("count-beyond-section", 8)]);
    assert_eq!(poked(8, u32::MAX), [("not-in-btf", 0), ("count-beyond-section", 8)]);
    assert_eq!(poked(8, 2), [("not-in-btf", 0), ("count-mismatch", 8)]);
}

#[test]
fn rows_show_every_entry_and_named_word() {
    let data = funcs(Endian::Little, 1, &["y", "x", "z"]);
    let btf = Btf::parse(&data).unwrap();
    let file = g4(Endian::Little).kernel_resolved(&btf);
    let ids = file.ids();
    let rows = ids.rows(Some(&btf));
    let text: Vec<_> = rows.iter().map(|r| (r.offset, r.id, r.symbols.clone(), r.flags, r.is_stale())).collect();
    let want = [
        (0, 0, vec![0], None, None),
        (16, 3, vec![2], Some(0x20), Some(true)),
        (24, 5, vec![3], Some(0x10), Some(true)),
        (32, 7, vec![4], Some(0x40), Some(false)),
    ];
    assert_eq!(text, want);
    assert_eq!(rows[1].set, Some((SetKind::Set8, &b"myset"[..])));
    assert_eq!((rows[1].wanted, rows[1].actual), (Some((Kind::Func, &b"x"[..])), Some((Kind::Func, &b"y"[..]))));
    assert_eq!((rows[0].wanted, rows[0].actual, rows[0].set), (Some((Kind::Struct, &b"nf_conn"[..])), None, None));
    let file = File::new(Endian::Little, |b| b.set("s", &["", "func__x"]));
    assert_eq!(file.ids().rows(None).iter().map(|r| (r.offset, r.symbols.len())).collect::<Vec<_>>(), [(4, 0), (8, 1)]);
}
