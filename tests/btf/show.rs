//! `btf-ids show` and `check`.

use elfgraft_testkit::btf::functions;
use elfgraft_testkit::btf_ids::{Entry, Member};
use elfgraft_testkit::elf::Section;
use elfgraft_testkit::format::Format;

use crate::make::module;
use crate::util::Dir;

/// A module whose set says what `members` say, with BTF for `f` (2) and `g` (3).
fn dir(members: Vec<Member>, count: u32) -> Dir {
    let dir = Dir::new();
    let entries = [
        Entry::List(vec![Member::func("g", 0).id(3), Member::new("struct", "none")]),
        Entry::Set8 { name: "s".into(), members, count, flags: 1 },
    ];
    let btf = functions(Format::S390X, &["f", "g"]).0.build();
    dir.write("m.ko", module(Format::S390X, &entries).section(Section::progbits(".BTF", 0, btf)).build());
    dir
}

fn stale() -> Vec<Member> {
    vec![Member::func("g", 0x20).id(2), Member::func("f", 0x4).id(3)]
}

#[test]
fn a_table_of_words() {
    let dir = dir(stale(), 2);
    let lines = [
        "m.ko:",
        "  words outside sets",
        "    0x0000        3  FUNC g",
        "    0x0004        0  STRUCT none",
        "  set8 s",
        "    0x0010        2  FUNC g                                           flags 0x20        STALE: the ID is FUNC f",
        "    0x0018        3  FUNC f                                           flags 0x4         STALE: the ID is FUNC g",
    ];
    assert_eq!(dir.elfgraft(&["btf-ids", "show", "m.ko"]).ok().text().lines().collect::<Vec<_>>(), lines);
    // Without BTF nobody can tell.
    dir.elfgraft(&["remove", ".BTF", "m.ko"]).ok();
    let text = dir.elfgraft(&["btf-ids", "show", "m.ko"]).ok().text();
    assert!(text.contains("FUNC g") && !text.contains("STALE"), "{text}");
}

#[test]
fn the_same_as_json() {
    let dir = dir(stale(), 2);
    let text = dir.elfgraft(&["btf-ids", "show", "--json", "m.ko", "m.ko"]).ok().text();
    assert_eq!(text.lines().count(), 2, "an object per line");
    let value: serde_json::Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    assert_eq!(value["file"], "m.ko");
    let row = &value["rows"][2];
    let expected = serde_json::json!({
        "offset": 16, "set": { "kind": "set8", "name": "s" }, "wanted": { "kind": "FUNC", "name": "g" },
        "symbols": row["symbols"], "id": 2, "actual": { "kind": "FUNC", "name": "f" }, "flags": 32, "stale": true,
    });
    assert_eq!(*row, expected);
    assert_eq!(row["symbols"].as_array().unwrap().len(), 1);
    let plain = &value["rows"][0];
    assert_eq!((&plain["set"], &plain["flags"], &plain["stale"]), (&().into(), &().into(), &false.into()));
    assert_eq!(value["rows"][1]["stale"], serde_json::Value::Null);
}

#[test]
fn check_tells_every_place() {
    let f = |id| Member::func("f", 1).id(id);
    let g = |id| Member::func("g", 2).id(id);
    let cases: [(Vec<Member>, u32, &[&str]); 8] = [
        (vec![f(2), g(3)], 2, &[]),
        (stale(), 2, &["at 0x10: ID 2 is 'f' [stale-symbol]", "at 0x18: ID 3 is 'g' [stale-symbol]"]),
        (vec![g(3), f(2)], 2, &["at 0x18: ID 2 follows ID 3: not sorted [unsorted]"]),
        (vec![f(2), g(99)], 2, &["at 0x18: ID 99 does not exist, the BTF has IDs up to 3 [id-out-of-range]"]),
        (vec![f(1), g(3)], 2, &["at 0x10: ID 1 is of kind FUNC_PROTO [other-kind]"]),
        (vec![f(0), g(3)], 2, &["at 0x10: the ID is 0, the type is 2 [unresolved]"]),
        (vec![f(2), g(3)], 1, &["at 0x8: the count is 1, the symbol's size tells 2 entries [count-mismatch]"]),
        (vec![f(2), g(3)], 3, &["[count-beyond-section]"]),
    ];
    for (members, count, expected) in cases {
        let dir = dir(members, count);
        let check = dir.elfgraft(&["btf-ids", "check", "m.ko"]);
        let text = check.text();
        assert_eq!(check.code(), Some(i32::from(!expected.is_empty())), "{text}");
        let (last, lines) = text.lines().collect::<Vec<_>>().split_last().map(|(l, r)| (*l, r.to_vec())).unwrap();
        assert_eq!(lines.len(), expected.len(), "{text}");
        for (line, words) in lines.iter().zip(expected) {
            assert!(line.starts_with("m.ko: ") && line.contains(words), "{line}: {words}");
        }
        assert!(last.ends_with(", names that the BTF does not have: 1"), "{last}");
        assert_eq!(last.contains("nothing wrong"), expected.is_empty());

        let json: serde_json::Value =
            serde_json::from_str(&dir.elfgraft(&["btf-ids", "check", "--json", "m.ko"]).text()).unwrap();
        assert_eq!(
            (&json["btf"], &json["btf_ids"], &json["unresolved_notes"]),
            (&"ok".into(), &true.into(), &1.into())
        );
        assert_eq!(json["findings"].as_array().unwrap().len(), expected.len());
    }
}

#[test]
fn without_the_base_names_are_not_checked_and_that_is_said() {
    let dir = Dir::with(&["demo-upstream-sorted.ko", "vmlinux.btf"]);
    let text = dir.elfgraft(&["btf-ids", "check", "demo-upstream-sorted.ko"]).ok().text();
    assert!(text.contains("no BTF to check names against (--btf-base?)"), "{text}");
    let show = dir.elfgraft(&["btf-ids", "show", "demo-upstream-sorted.ko"]).ok().text();
    assert!(show.contains("FUNC bpf_demo_sleep") && !show.contains("STALE"), "{show}");
    let check = dir.elfgraft(&["btf-ids", "check", "--json", "demo-upstream-sorted.ko"]).ok().text();
    assert!(check.contains("\"btf\":null"), "{check}");
}

#[test]
fn every_file_is_checked_though_one_fails() {
    let dir = Dir::with(&["demo-upstream-sorted.ko", "demo-stripped.ko", "vmlinux", "vmlinux.btf"]);
    let files = ["demo-upstream-sorted.ko", "none.ko", "vmlinux", "demo-stripped.ko"];
    let run = dir.elfgraft(&[&["btf-ids", "check", "-b", "vmlinux.btf"][..], &files].concat());
    assert_eq!(run.code(), Some(1));
    assert!(run.stderr().contains("'none.ko'"));
    for file in ["demo-upstream-sorted.ko", "vmlinux", "demo-stripped.ko"] {
        assert!(run.text().contains(&format!("{file}: ")), "{}", run.text());
    }
}
