//! "Files that another tool has sorted already": what is known of a set's symbols, and from what. Flags differ in every
//! entry unless a test says otherwise, so that one symbol at another's entry is seen.

use elfgraft_testkit::btf::Btf;
use elfgraft_testkit::btf_ids::{Entry, Member};
use elfgraft_testkit::format::Format;
use elfgraft_testkit::read::ReadElf;

use crate::make::module;
use crate::model::{Types, ids, upstream};
use crate::util::{Dir, same};

/// A base, split BTF on it with functions in a given order, and what both say.
struct Btfs {
    base: Vec<u8>,
    split: Vec<u8>,
    types: Types,
}

/// `spare` types in the base before its function `k`; in the split BTF functions of these names.
fn btfs(format: Format, spare: u32, functions: &[&str]) -> Btfs {
    let mut base = Btf::new(format);
    for i in 0..spare {
        base.int(&format!("int{i}"), 4);
    }
    let proto = base.func_proto(0, &[]);
    base.func("k", proto);
    let mut split = Btf::split(format, base.type_count(), base.str_len());
    for name in functions {
        split.func(name, proto);
    }
    let (base, split) = (base.build(), split.build());
    let types = Types::read(&split, Some(&Types::read(&base, None)));
    Btfs { base, split, types }
}

const A: [&str; 4] = ["one", "two", "three", "four"];
const B: [&str; 4] = ["four", "three", "one", "two"];

/// A directory with base `a` and `b`, and split BTF `a.btf` and `b.btf`; the same functions in another order.
fn dir(format: Format) -> (Dir, Types, Types) {
    let dir = Dir::new();
    let (a, b) = (btfs(format, 3, &A), btfs(format, 20, &B));
    for (name, btfs) in [("a", &a), ("b", &b)] {
        dir.write(name, &btfs.base);
        dir.write(format!("{name}.btf"), &btfs.split);
    }
    (dir, a.types, b.types)
}

fn funcs(flags: &[(&str, u32)]) -> Vec<Member> {
    flags.iter().map(|&(name, flags)| Member::func(name, flags)).collect()
}

/// In an order that is neither A's nor B's nor the reverse of one.
fn shuffled() -> Vec<Entry> {
    vec![Entry::set8("kfuncs", funcs(&[("three", 3), ("one", 1), ("four", 4), ("two", 2)]))]
}

/// In the order of A: sorting against A moves nothing.
fn ascending() -> Vec<Entry> {
    vec![Entry::set8("kfuncs", funcs(&[("one", 1), ("two", 2), ("three", 3), ("four", 4)]))]
}

/// `file` with `.BTF`, as objcopy adds it.
fn with_btf(dir: &Dir, name: &str, btf: &str) {
    dir.elfgraft(&["set", &format!(".BTF={btf}"), name]).quiet();
}

#[track_caller]
fn resolved(dir: &Dir, name: &str, fresh: &[u8], types: &Types) {
    let now = ids(&dir.elf(name));
    now.assert_resolved(types, name);
    assert_eq!(now.flags(), ids(&ReadElf::parse(fresh)).flags());
}

/// `btf embed --btf b.btf --btf-base b` and more.
fn to_b<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&["btf", "embed", "--raw", "--btf", "b.btf", "--btf-base", "b"][..], more].concat()
}

const THREE_WAYS: [&str; 5] = ["set 'kfuncs'", "cannot be proven", "relink", "--old-btf-base", "--trust-symbols"];

#[test]
fn fresh_from_the_linker_nothing_needs_to_be_proven() {
    for format in Format::FOUR {
        for entries in [shuffled(), ascending()] {
            let (dir, a, b) = dir(format);
            let fresh = module(format, &entries).build();
            dir.write("m.ko", &fresh);
            dir.elfgraft(&to_b(&["m.ko"])).quiet();
            resolved(&dir, "m.ko", &fresh, &b);
            // Resolved names may all be missing: the set stays fresh.
            dir.write("m.ko", &fresh);
            dir.elfgraft(&["btf-ids", "resolve", "--btf", "a", "m.ko"]).ok();
            assert!(ids(&dir.elf("m.ko")).words().all(|word| word.id == 0));
            dir.elfgraft(&["btf", "embed", "--raw", "--btf", "a.btf", "--btf-base", "a", "m.ko"]).quiet();
            resolved(&dir, "m.ko", &fresh, &a);
        }
    }
}

#[test]
fn sorted_by_the_kernels_tool_and_the_btf_fits_symbols_are_put_back() {
    for format in Format::FOUR {
        let (dir, a, b) = dir(format);
        let fresh = module(format, &shuffled()).build();
        let sorted = upstream(&fresh, &a);
        dir.write("m.ko", &sorted);
        with_btf(&dir, "m.ko", "a.btf");
        let sorted = dir.read("m.ko");

        let check = dir.elfgraft(&["btf-ids", "check", "--btf-base", "a", "m.ko"]);
        assert_eq!((check.code(), check.text().matches("[stale-symbol]").count()), (Some(1), 4), "{}", check.text());
        let sort = dir.elfgraft(&["btf-ids", "sort", "--btf-base", "a", "m.ko"]).ok();
        sort.warns(&["'m.ko'", "4 symbols had been left behind"]);
        resolved(&dir, "m.ko", &fresh, &a);
        assert_eq!(dir.elf("m.ko").section(".BTF_ids").data, ReadElf::parse(&sorted).section(".BTF_ids").data);
        dir.elfgraft(&["btf-ids", "check", "--btf-base", "a", "m.ko"]).ok();
        dir.elfgraft(&["btf-ids", "sort", "--btf-base", "a", "m.ko"]).quiet();

        // Resolved at once against other BTF, of the same base and of another.
        for args in [to_b(&["--old-btf-base", "a", "m.ko"]), to_b(&["-v", "--old-btf-base", "a", "m.ko"])] {
            dir.write("m.ko", &sorted);
            let run = dir.elfgraft(&args).ok();
            assert_eq!(run.stderr().contains("left behind"), args.contains(&"-v"), "{}", run.stderr());
            resolved(&dir, "m.ko", &fresh, &b);
        }
        dir.write("m.ko", &sorted);
        dir.elfgraft(&["btf-ids", "resolve", "--btf-base", "a", "m.ko"]).ok();
        resolved(&dir, "m.ko", &fresh, &a);
    }
}

#[test]
fn sorted_by_the_kernels_tool_before_btf_was_embedded() {
    let (dir, a, _) = dir(Format::X86_64);
    let fresh = module(Format::X86_64, &shuffled()).build();
    dir.write("m.ko", upstream(&fresh, &a));
    dir.elfgraft(&["btf", "embed", "--raw", "--btf", "a.btf", "--btf-base", "a", "m.ko"]).quiet();
    resolved(&dir, "m.ko", &fresh, &a);
    // The BTF in the file is that of an earlier build, and the IDs are already those of the new one.
    dir.write("m.ko", upstream(&fresh, &a));
    with_btf(&dir, "m.ko", "b.btf");
    dir.elfgraft(&["btf", "embed", "--raw", "--btf", "a.btf", "--btf-base", "a", "m.ko"]).quiet();
    resolved(&dir, "m.ko", &fresh, &a);
}

#[test]
fn sorted_by_the_kernels_tool_and_the_base_has_changed_is_refused() {
    for format in Format::FOUR {
        for entries in [shuffled(), ascending()] {
            let (dir, a, b) = dir(format);
            let fresh = module(format, &entries).build();
            dir.write("m.ko", upstream(&fresh, &a));
            with_btf(&dir, "m.ko", "a.btf");
            let before = dir.read("m.ko");
            for args in [to_b(&["m.ko"]), vec!["btf-ids", "resolve", "--btf", "b.btf", "--btf-base", "b", "m.ko"]] {
                dir.elfgraft(&args).fails(&THREE_WAYS);
                same(&dir.read("m.ko"), &before, "refused");
            }
            // One way out: the base the IDs refer to.
            dir.elfgraft(&to_b(&["--old-btf-base", "a", "m.ko"])).quiet();
            resolved(&dir, "m.ko", &fresh, &b);
            // Another: the module linked again.
            dir.write("m.ko", &fresh);
            dir.elfgraft(&to_b(&["m.ko"])).quiet();
            resolved(&dir, "m.ko", &fresh, &b);
        }
    }
}

#[test]
fn ids_that_fit_the_given_and_the_final_btf_are_refused_where_flags_depend_on_it() {
    let format = Format::X86_64;
    let dir = Dir::new();
    // Final BTF is sorted by name, so it has each of these functions at the other's ID.
    let raw = btfs(format, 3, &["two", "one"]);
    let of_final = btfs(format, 3, &["one", "two"]);
    for (name, data) in [("base", &raw.base), ("raw", &raw.split), ("final", &of_final.split)] {
        dir.write(name, data);
    }
    let embed =
        |more: &[&'static str]| [&["btf", "embed", "--btf", "raw", "--btf-base", "base"], more, &["m.ko"]].concat();
    let one_and_two = |second: u32| {
        let entries = vec![Entry::set8("kfuncs", funcs(&[("one", 1), ("two", second)]))];
        module(format, &entries).build()
    };
    let fresh = one_and_two(2);
    let sorted = upstream(&fresh, &of_final.types);
    dir.write("m.ko", &sorted);
    dir.elfgraft(&embed(&[])).fails(&["'m.ko'", "fit both", "'one' has the flags 0x2 or 0x1", "relink"]);
    let ours = dir.elfgraft(&["resolve_btfids", "-b", "base", "--btf", "raw", "m.ko"]);
    assert!(ours.code() == Some(255) && ours.stderr().contains("'one' has the flags 0x2 or 0x1"), "{}", ours.stderr());
    same(&dir.read("m.ko"), &sorted, "refused");
    assert_eq!(dir.names().len(), 4, "{:?}", dir.names());
    // What decides it: the BTF that was embedded, the user, or flags that are the same.
    dir.elfgraft(&embed(&["--trust-symbols"])).ok();
    resolved(&dir, "m.ko", &fresh, &of_final.types);
    dir.write("m.ko", &sorted);
    with_btf(&dir, "m.ko", "final");
    dir.elfgraft(&embed(&[])).ok();
    resolved(&dir, "m.ko", &fresh, &of_final.types);
    let same_flags = one_and_two(1);
    dir.write("m.ko", upstream(&same_flags, &of_final.types));
    dir.elfgraft(&embed(&[])).ok();
    resolved(&dir, "m.ko", &same_flags, &of_final.types);
}

#[test]
fn the_wrong_base_on_purpose_proves_nothing() {
    let (dir, a, _) = dir(Format::S390X);
    let fresh = module(Format::S390X, &shuffled()).build();
    dir.write("m.ko", upstream(&fresh, &a));
    with_btf(&dir, "m.ko", "a.btf");
    let before = dir.read("m.ko");
    // Of other lengths, and with functions of these names at other IDs: at those in the file, permuted, with 4 and B.
    for (spare, functions) in [(0, &A[..]), (4, &A), (4, &B), (2, &B), (500, &[])] {
        let mut wrong = Btf::new(Format::S390X);
        for i in 0..spare {
            wrong.int(&format!("spare{i}"), 4);
        }
        let proto = wrong.func_proto(0, &[]);
        for name in functions {
            wrong.func(name, proto);
        }
        dir.write("wrong", wrong.build());
        dir.elfgraft(&to_b(&["--old-btf-base", "wrong", "m.ko"])).fails(&THREE_WAYS);
        same(&dir.read("m.ko"), &before, "refused");
    }
    // Against the wrong base the file's own BTF is not valid at all.
    dir.elfgraft(&["btf", "embed", "--btf-base", "b", "m.ko"]).fails(&["'m.ko'", "kernel would refuse"]);
    dir.elfgraft(&["btf-ids", "resolve", "--btf-base", "b", "m.ko"]).fails(&["'m.ko'", "kernel would refuse"]);
    same(&dir.read("m.ko"), &before, "refused");
}

#[test]
fn trusting_symbols_is_right_where_only_elfgraft_sorted() {
    for entries in [shuffled(), ascending()] {
        let (dir, _, b) = dir(Format::MIPS);
        let fresh = module(Format::MIPS, &entries).build();
        dir.write("m.ko", &fresh);
        dir.elfgraft(&["btf", "embed", "--raw", "--btf", "a.btf", "--btf-base", "a", "m.ko"]).quiet();
        dir.elfgraft(&to_b(&["--trust-symbols", "m.ko"])).quiet();
        resolved(&dir, "m.ko", &fresh, &b);
    }
}

#[test]
fn btf_that_fits_goes_before_trust() {
    let (dir, a, b) = dir(Format::X86_64);
    let fresh = module(Format::X86_64, &shuffled()).build();
    dir.write("m.ko", upstream(&fresh, &a));
    with_btf(&dir, "m.ko", "a.btf");
    dir.elfgraft(&to_b(&["--trust-symbols", "--old-btf-base", "a", "m.ko"])).quiet();
    resolved(&dir, "m.ko", &fresh, &b);
}

#[test]
fn sorted_by_elfgraft_and_the_base_has_changed_the_order_of_symbols_tells() {
    for format in Format::FOUR {
        let (dir, a, b) = dir(format);
        let fresh = module(format, &shuffled()).build();
        dir.write("m.ko", &fresh);
        dir.elfgraft(&["btf", "embed", "--raw", "--btf", "a.btf", "--btf-base", "a", "m.ko"]).quiet();
        resolved(&dir, "m.ko", &fresh, &a);
        dir.elfgraft(&to_b(&["m.ko"])).quiet();
        resolved(&dir, "m.ko", &fresh, &b);
    }
}

#[test]
fn sorted_by_elfgraft_but_nothing_had_to_move_is_not_told_from_the_kernels_tool() {
    let (dir, a, b) = dir(Format::ARM);
    let fresh = module(Format::ARM, &ascending()).build();
    dir.write("m.ko", &fresh);
    dir.elfgraft(&["btf", "embed", "--raw", "--btf", "a.btf", "--btf-base", "a", "m.ko"]).quiet();
    resolved(&dir, "m.ko", &fresh, &a);
    dir.elfgraft(&to_b(&["m.ko"])).fails(&THREE_WAYS);
    dir.elfgraft(&to_b(&["--old-btf-base", "a", "m.ko"])).quiet();
    resolved(&dir, "m.ko", &fresh, &b);
}

#[test]
fn a_run_that_was_interrupted_goes_on_with_the_same_options() {
    let (dir, _, b) = dir(Format::X86_64);
    // Sorting against A moves nothing in the first, sorting against B nothing in the second.
    let second = Entry::set8("kfuncs", funcs(&[("four", 4), ("three", 3), ("one", 1), ("two", 2)]));
    for (name, entries) in [("1.ko", ascending()), ("2.ko", vec![second])] {
        let fresh = module(Format::X86_64, &entries).build();
        dir.write(name, &fresh);
        dir.elfgraft(&["btf", "embed", "--raw", "--btf", "a.btf", "--btf-base", "a", name]).quiet();
        let args = to_b(&["--old-btf-base", "a", name]);
        dir.elfgraft(&args).quiet();
        let once = dir.read(name);
        dir.elfgraft(&args).quiet();
        same(&dir.read(name), &once, name);
        resolved(&dir, name, &fresh, &b);
    }
}

#[test]
fn where_all_flags_are_equal_nothing_can_be_mixed_up() {
    let entries = vec![
        Entry::set8("kfuncs", funcs(&[("three", 5), ("one", 5), ("four", 5), ("two", 5)])),
        Entry::set("plain", funcs(&[("four", 0), ("one", 0), ("two", 0)])),
        Entry::set8("one_entry", funcs(&[("two", 9)])),
    ];
    for format in Format::FOUR {
        let (dir, a, b) = dir(format);
        let fresh = module(format, &entries).build();
        dir.write("m.ko", upstream(&fresh, &a));
        with_btf(&dir, "m.ko", "a.btf");
        dir.elfgraft(&to_b(&["m.ko"])).quiet();
        resolved(&dir, "m.ko", &fresh, &b);
    }
}

#[test]
fn one_set_that_cannot_be_proven_refuses_the_file() {
    let (dir, a, _) = dir(Format::X86_64);
    let mut entries = vec![Entry::set("plain", funcs(&[("four", 0), ("one", 0)]))];
    entries.extend(shuffled());
    dir.write("m.ko", upstream(&module(Format::X86_64, &entries).build(), &a));
    with_btf(&dir, "m.ko", "a.btf");
    let before = dir.read("m.ko");
    dir.elfgraft(&to_b(&["m.ko"])).fails(&THREE_WAYS);
    same(&dir.read("m.ko"), &before, "refused");
}

#[test]
fn entries_that_were_not_resolved() {
    let flags = |missing: [u32; 2]| {
        let members = [("two", 2), ("gone", missing[0]), ("one", 1), ("away", missing[1])];
        vec![Entry::set8("kfuncs", funcs(&members))]
    };
    // Two zeros of two names: which is which is known only if their flags are equal.
    for (missing, proven) in [([7, 7], true), ([7, 8], false)] {
        let (dir, a, b) = dir(Format::X86_64);
        let fresh = module(Format::X86_64, &flags(missing)).build();
        dir.write("m.ko", upstream(&fresh, &a));
        with_btf(&dir, "m.ko", "a.btf");
        let run = dir.elfgraft(&to_b(&["--old-btf-base", "a", "m.ko"]));
        if proven {
            run.ok();
            resolved(&dir, "m.ko", &fresh, &b);
        } else {
            run.fails(&["set 'kfuncs'", "several of its IDs are 0", "cannot be proven", "relink"]);
            // The BTF says that the symbols are wrong: that is not a matter of trust.
            let run = dir.elfgraft(&to_b(&["--trust-symbols", "--old-btf-base", "a", "m.ko"]));
            run.fails(&["set 'kfuncs'", "relink"]);
        }
        // Sorted by elfgraft they are known either way.
        dir.write("m.ko", &fresh);
        dir.elfgraft(&["btf", "embed", "--raw", "--btf", "a.btf", "--btf-base", "a", "m.ko"]).ok();
        dir.elfgraft(&to_b(&["--old-btf-base", "a", "m.ko"])).ok();
        resolved(&dir, "m.ko", &fresh, &b);
    }
}

#[test]
fn sorting_what_cannot_be_proven_moves_no_symbol_to_another_entry() {
    let (dir, a, _) = dir(Format::X86_64);
    let fresh = module(Format::X86_64, &shuffled()).build();
    dir.write("m.ko", upstream(&fresh, &a));
    let before = dir.read("m.ko");
    let sort = dir.elfgraft(&["btf-ids", "sort", "m.ko"]).ok();
    sort.warns(&["warning", "'m.ko'", "kfuncs", "not known"]);
    same(&dir.read("m.ko"), &before, "sorted already");
    let run = dir.elfgraft(&["btf-ids", "sort", "--fatal-warnings", "m.ko"]);
    assert_eq!(run.code(), Some(1));
    // With the BTF beside the file it can.
    dir.elfgraft(&["btf-ids", "sort", "--btf", "a.btf", "--btf-base", "a", "m.ko"]).ok();
    resolved(&dir, "m.ko", &fresh, &a);
}
