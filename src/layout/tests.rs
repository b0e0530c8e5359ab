use super::*;

fn region(name: &str, offset: u64, size: u64) -> Region {
    Region { kind: Kind::Other, name: name.into(), index: Some(1), offset, size }
}

fn layout<'a>(file: &'a [u8], regions: Vec<Region>) -> Layout<'a> {
    let regions = with_gaps(regions, file.len() as u64);
    Layout { title: "x".into(), file, regions, segments: Vec::new(), without_bytes: 0, padding: (0, 0), sections: 1 }
}

#[test]
fn gaps_are_what_nobody_owns() {
    let found = with_gaps(vec![region("a", 0, 10), region("b", 20, 5), region("c", 22, 1)], 40);
    let places: Vec<_> = found.iter().map(|r| (r.name.as_str(), r.offset, r.size)).collect();
    assert_eq!(places, [("a", 0, 10), ("gap", 10, 10), ("b", 20, 5), ("c", 22, 1), ("gap", 25, 15)]);
}

#[test]
fn regions_that_lie_about_their_place_do_no_harm() {
    let file = [0; 16];
    let wild = layout(&file, vec![region("a", 0, u64::MAX), region("b", u64::MAX, u64::MAX)]);
    let rows = single(&wild);
    let terminal = Terminal { width: 80, unicode: false, colour: false };
    for line in text(&wild, &rows, terminal).lines() {
        assert!(line.len() <= 80, "{line}");
    }
    assert!(svg(&wild, None, &rows).ends_with("</svg>\n"));
    assert_eq!(wild.bytes(&wild.regions[0]).len(), 16);
}

#[test]
fn what_moved_and_what_did_not() {
    let before = layout(b"aaaabbbbcccc", vec![region("a", 0, 4), region("b", 4, 4), region("c", 8, 4)]);
    let after =
        layout(b"aaaaxxxxxxccccd", vec![region("a", 0, 4), region("x", 4, 6), region("c", 10, 4), region("d", 14, 1)]);
    let (rows, summary) = compare(&before, &after);
    let told: Vec<_> = rows.iter().map(|row| (row.label.as_str(), row.note.as_str())).collect();
    let wanted =
        [("[ 1] a", "="), ("[ 1] b", "removed"), ("[ 1] x", "new, 6"), ("[ 1] c", "moved +0x2"), ("[ 1] d", "new, 1")];
    assert_eq!(told, wanted);
    let counts = compare::Summary { same: 1, changed: 0, moved: 1, added: 2, removed: 1 };
    assert_eq!(summary, counts);
    assert_eq!(summary.text(), "1 where it was, byte for byte, 1 moved, 2 new, 1 removed");
}

#[test]
fn other_bytes_and_sizes_are_told() {
    let before = layout(b"aaaabbbb", vec![region("a", 0, 4), region("b", 4, 4)]);
    let after = layout(b"aXaabbb", vec![region("a", 0, 4), region("b", 4, 3)]);
    let (rows, summary) = compare(&before, &after);
    let notes: Vec<_> = rows.iter().map(|row| row.note.as_str()).collect();
    assert_eq!(notes, ["other bytes", "4 -> 3"]);
    assert_eq!((summary.changed, summary.same), (2, 0));
}

#[test]
fn new_indices_are_told() {
    let mut old = region("a", 0, 4);
    old.index = Some(7);
    let (rows, summary) = compare(&layout(b"aaaa", vec![old]), &layout(b"aaaa", vec![region("a", 0, 4)]));
    assert_eq!((rows[0].label.as_str(), rows[0].note.as_str(), summary.same), ("[7>1] a", "=", 1));
}

#[test]
fn too_many_rows_become_few_and_changes_stay() {
    let row = |at: u64| Row { changed: at == 70_001, ..Row::of(&region("s", at, 1 + u64::from(at == 500))) };
    let rows = bound((0..100_000).map(row).collect(), 40);
    assert!(rows.len() <= 81, "{}", rows.len());
    assert!(rows.iter().any(|row| row.changed && row.before == Some((70_001, 1))));
    assert!(rows.iter().any(|row| row.before == Some((500, 2))));
    let (first, last) = (rows.first().and_then(|r| r.before), rows.last().and_then(|r| r.before));
    assert_eq!(first.map(|p| p.0), Some(0));
    assert_eq!(last.map(|(offset, size)| offset + size), Some(100_000));
}

#[test]
fn numbers_and_names_fit() {
    assert_eq!([0, 999, 1000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
    assert_eq!(cut("abcdef", 4, '~'), "abc~");
    assert_eq!(cut("abcd", 4, '~'), "abcd");
}
