//! `.BTF` and `.BTF.base` by the types in them: of each kind and name, whatever its ID.
//!
//! A type is the same if its record says the same: size, members, values, and what it refers to, the latter by kind and
//! name, or by what it is where it has no name.

use super::report::Out;
use super::{Change, Files, Key, Place};
use crate::btf::{read, with_btf};
use crate::reader::Name;
use elfgraft_btf::{Btf, Field, Kind, Type};
use std::cmp::Ordering;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};

/// Compares a pair of `.BTF` sections; whether it could.
pub(super) fn compare(files: &Files, (a, b): (u32, u32), out: &mut Out) -> bool {
    // Of several sections of this name the first is the file's BTF.
    if files.a.find(b".BTF") != Some(a) || files.b.find(b".BTF") != Some(b) {
        return false;
    }
    let base = out.options.btf_base;
    with_btf(&files.a, base, |in_a| {
        with_btf(&files.b, base, |in_b| match (in_a.get(), in_b.get()) {
            (Some(in_a), Some(in_b)) => compare_types(&Place(&files.a, a), in_a, in_b, out),
            _ => false,
        })
    })
}

/// Compares a pair of `.BTF.base` sections; whether it could.
pub(super) fn compare_base(place: &dyn fmt::Display, a: &[u8], b: &[u8], out: &mut Out) -> bool {
    match (read(a, None), read(b, None)) {
        (Ok(a), Ok(b)) => compare_types(place, &a, &b, out),
        _ => false,
    }
}

fn compare_types(place: &dyn fmt::Display, a: &Btf, b: &Btf, out: &mut Out) -> bool {
    let (x, y) = (a.header(), b.header());
    for (name, x, y) in [("flags", u32::from(x.flags), u32::from(y.flags)), ("hdr_len", x.hdr_len, y.hdr_len)] {
        if x != y {
            out.say(Key::BtfHeader, place, format_args!("{name} {}", Change(x, y)));
        }
    }
    if a.layout() != b.layout() {
        out.say(Key::BtfHeader, place, "another layout section");
    }
    let (in_a, in_b) = (Entry::all(a), Entry::all(b));
    let (mut at_a, mut at_b) = (&in_a[..], &in_b[..]);
    let (mut changed, mut removed, mut added) = (Vec::new(), Vec::new(), Vec::new());
    while let Some(key) = at_a.first().into_iter().chain(at_b.first()).map(|entry| entry.key).min() {
        let (of_a, rest_a) = at_a.split_at(at_a.partition_point(|entry| entry.key <= key));
        let (of_b, rest_b) = at_b.split_at(at_b.partition_point(|entry| entry.key <= key));
        (at_a, at_b) = (rest_a, rest_b);
        let (left_a, left_b) = without_equal(of_a, of_b);
        let both = left_a.len().min(left_b.len());
        removed.extend(left_a.iter().skip(both));
        added.extend(left_b.iter().skip(both));
        changed.extend(left_a.into_iter().zip(left_b));
    }
    if changed.is_empty() && removed.is_empty() && added.is_empty() {
        order(place, a, b, out);
    }
    // By type ID, not in the order of hashes.
    changed.sort_unstable();
    removed.sort_unstable();
    added.sort_unstable();
    for (x, y) in changed {
        out.say(Key::BtfTypeChanged, place, format_args!("{}: {}", Label(a, x), Difference(a, x, b, y)));
    }
    for x in removed {
        out.say(Key::BtfTypeRemoved, place, format_args!("{} removed", Label(a, x)));
    }
    for y in added {
        out.say(Key::BtfTypeAdded, place, format_args!("{} added", Label(b, y)));
    }
    true
}

/// The same named types: what else may differ is where they are.
fn order(place: &dyn fmt::Display, a: &Btf, b: &Btf, out: &mut Out) {
    let what = |btf: &Btf, id| btf.get(id).map(|ty| (ty.kind, btf.name(&ty).map(<[u8]>::to_vec)));
    let first = a.own_ids().zip(b.own_ids()).find(|&(x, y)| x != y || what(a, x) != what(b, y));
    match first {
        Some((x, y)) => {
            let text = format_args!("the same types by name, first other ID: {x} {}, {y} {}", Label(a, x), Label(b, y));
            out.say(Key::BtfOrder, place, text);
        }
        None if a.own_ids() != b.own_ids() => {
            let (x, y) = (a.own_ids().len(), b.own_ids().len());
            out.say(Key::BtfOrder, place, format_args!("the same types by name, but {x} -> {y} in all"));
        }
        None => out.say(Key::BtfOrder, place, "the same types; strings, or types without a name, differ"),
    }
}

/// A named type. Sorted by name and kind, then by what it is.
struct Entry {
    key: u64,
    print: u64,
    id: u32,
}

impl Entry {
    fn all(btf: &Btf) -> Vec<Entry> {
        let mut prints = Prints::new(btf);
        let named = btf.own_ids().filter_map(|id| {
            let ty = btf.get(id).filter(|ty| btf.name(ty).is_none_or(|name| !name.is_empty()))?;
            Some(Entry { key: prints.key(&ty), print: prints.print(&ty, 0), id })
        });
        let mut entries: Vec<_> = named.collect();
        entries.sort_unstable_by_key(|entry| (entry.key, entry.print, entry.id));
        entries
    }
}

/// The IDs on each side that have no equal on the other. Both lists are sorted.
fn without_equal(a: &[Entry], b: &[Entry]) -> (Vec<u32>, Vec<u32>) {
    let (mut left_a, mut left_b) = (Vec::new(), Vec::new());
    let (mut at_a, mut at_b) = (a.iter().peekable(), b.iter().peekable());
    while let (Some(x), Some(y)) = (at_a.peek(), at_b.peek()) {
        match x.print.cmp(&y.print) {
            Ordering::Less => left_a.extend(at_a.next().map(|entry| entry.id)),
            Ordering::Greater => left_b.extend(at_b.next().map(|entry| entry.id)),
            Ordering::Equal => {
                at_a.next();
                at_b.next();
            }
        }
    }
    left_a.extend(at_a.map(|entry| entry.id));
    left_b.extend(at_b.map(|entry| entry.id));
    (left_a, left_b)
}

/// Hashes of what types are. The hasher has no secret, so that equal types of two files have equal ones.
struct Prints<'b> {
    btf: &'b Btf<'b>,
    /// By type ID; 0 where not computed yet.
    known: Vec<u64>,
    /// Likewise, of kind and name of types that have one: any number of members may be of one type with a long name.
    names: Vec<u64>,
}

/// Types without a name are followed so far: deeper than compilers nest, and no danger to the stack.
const MAX_DEPTH: u32 = 64;

impl<'b> Prints<'b> {
    fn new(btf: &'b Btf<'b>) -> Prints<'b> {
        let end = usize::try_from(btf.own_ids().end).unwrap_or_default();
        Prints { btf, known: vec![0; end], names: vec![0; end] }
    }

    /// Of kind and name. Tags of one name are told apart by what they tag.
    fn key(&mut self, ty: &Type) -> u64 {
        let mut hasher = DefaultHasher::new();
        (ty.kind, self.btf.name(ty)).hash(&mut hasher);
        if matches!(ty.kind, Kind::DeclTag | Kind::TypeTag) {
            self.reference(ty.size_or_type, 0).hash(&mut hasher);
        }
        hasher.finish()
    }

    /// Of everything a record says.
    fn print(&mut self, ty: &Type, depth: u32) -> u64 {
        let slot = usize::try_from(ty.id).unwrap_or(usize::MAX);
        match self.known.get(slot) {
            Some(&known) if known != 0 => return known,
            _ if depth > MAX_DEPTH => return ty.kind.number().into(),
            _ => {}
        }
        let mut hasher = DefaultHasher::new();
        (ty.kind, ty.vlen, ty.kind_flag).hash(&mut hasher);
        let mut fields = ty.fields().peekable();
        for at in (0..ty.record.len()).step_by(4) {
            match fields.next_if(|&(_, offset, _)| offset == at) {
                Some((Field::Name, _, offset)) => self.btf.string(offset).hash(&mut hasher),
                Some((Field::Type, _, id)) => self.reference(id, depth).hash(&mut hasher),
                // The second word holds kind, vlen and kind_flag.
                None if at == 4 => {}
                None => self.btf.endian().u32_at(ty.record, at).hash(&mut hasher),
            }
        }
        let print = hasher.finish().max(1);
        if let Some(slot) = self.known.get_mut(slot) {
            *slot = print;
        }
        print
    }

    fn reference(&mut self, id: u32, depth: u32) -> u64 {
        let slot = usize::try_from(id).unwrap_or(usize::MAX);
        if let Some(&known) = self.names.get(slot).filter(|&&known| known != 0) {
            return known;
        }
        let Some(ty) = self.btf.get(id) else { return id.into() };
        match self.btf.name(&ty) {
            Some(name) if !name.is_empty() && ty.kind != Kind::TypeTag => {
                let mut hasher = DefaultHasher::new();
                (ty.kind, name).hash(&mut hasher);
                let hash = hasher.finish().max(1);
                self.names.get_mut(slot).into_iter().for_each(|slot| *slot = hash);
                hash
            }
            _ => self.print(&ty, depth + 1),
        }
    }
}

/// A type in words.
struct Label<'b>(&'b Btf<'b>, u32);

impl fmt::Display for Label<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(ty) = self.0.get(self.1) else { return write!(f, "type {}", self.1) };
        let name = |ty: &Type<'_>| Name(self.0.name(ty).unwrap_or_default());
        write!(f, "{} {}", ty.kind, name(&ty))?;
        match self.0.get(ty.size_or_type).filter(|_| ty.kind == Kind::DeclTag) {
            Some(tagged) => write!(f, " of {} {}", tagged.kind, name(&tagged)),
            None => Ok(()),
        }
    }
}

/// How a type was changed, in a few words.
struct Difference<'b>(&'b Btf<'b>, u32, &'b Btf<'b>, u32);

impl fmt::Display for Difference<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Difference(a, x, b, y) = *self;
        let (Some(x), Some(y)) = (a.get(x), b.get(y)) else { return Ok(()) };
        let mut said = false;
        let mut say = |f: &mut fmt::Formatter<'_>, text: fmt::Arguments| {
            let comma = if std::mem::replace(&mut said, true) { ", " } else { "" };
            write!(f, "{comma}{text}")
        };
        let sized = !x.fields().any(|(field, offset, _)| field == Field::Type && offset == 8);
        if sized && x.size_or_type != y.size_or_type {
            say(f, format_args!("size {} -> {}", x.size_or_type, y.size_or_type))?;
        }
        if x.vlen != y.vlen {
            say(f, format_args!("vlen {} -> {}", x.vlen, y.vlen))?;
        }
        let names = names(a, x).zip(names(b, y));
        if let Some((p, q)) = { names }.find(|(p, q)| p != q) {
            say(f, format_args!("element {} -> {}", Name(p), Name(q)))?;
        }
        if said { Ok(()) } else { f.write_str("refers to other types, or has other offsets or values") }
    }
}

/// The names of a type's elements.
fn names<'b>(btf: &'b Btf<'b>, ty: Type<'b>) -> impl Iterator<Item = &'b [u8]> {
    let elements = ty.fields().filter(|&(field, at, _)| field == Field::Name && at > 0);
    elements.map(|(_, _, offset)| btf.string(offset).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::super::Options;
    use super::*;
    use crate::Reader;
    use elfgraft_testkit::btf::{Btf as Blob, FUNC};
    use elfgraft_testkit::format::Format;

    fn lines(a: &Btf, b: &Btf) -> Vec<String> {
        let options = Options::default();
        let mut out = Out::new(&options);
        assert!(compare_types(&"BTF", a, b, &mut out));
        let report = out.report([Reader::Goblin, Reader::Goblin]);
        report.findings.iter().map(|finding| format!("{}: {}", finding.key, finding.text)).collect()
    }

    fn between<R, S>(a: impl Fn(&mut Blob) -> R, b: impl Fn(&mut Blob) -> S) -> Vec<String> {
        // Also across byte orders.
        let blob = |format, fill: &dyn Fn(&mut Blob)| {
            let mut blob = Blob::new(format);
            fill(&mut blob);
            blob.build()
        };
        let old = blob(Format::X86_64, &|blob| drop(a(blob)));
        let [little, big] = [Format::X86_64, Format::S390X].map(|format| blob(format, &|blob| drop(b(blob))));
        let old = Btf::parse(&old).unwrap();
        let found = lines(&old, &Btf::parse(&little).unwrap());
        assert_eq!(found, lines(&old, &Btf::parse(&big).unwrap()));
        found
    }

    fn base(blob: &mut Blob) -> u32 {
        let int = blob.int("int", 4);
        let ptr = blob.ptr(int);
        blob.structure("s", 16, &[("a", int, 0), ("b", ptr, 64)]);
        int
    }

    #[test]
    fn types_are_found_by_kind_and_name() {
        let added = between(base, |b| (base(b), b.structure("t", 0, &[])));
        assert_eq!(added, ["btf-type-added: STRUCT 't' added"]);
        let removed = between(|b| (base(b), b.simple(7, "s", 0)), base);
        assert_eq!(removed, ["btf-type-removed: FWD 's' removed"]);
    }

    #[test]
    fn a_change_is_told_where_it_is() {
        let made = |members: &'static [(&str, u32, u32)], size| {
            move |b: &mut Blob| {
                let int = b.int("int", 4);
                b.int("long", 8);
                b.ptr(int);
                b.structure("s", size, members);
            }
        };
        let old = || made(&[("a", 1, 0), ("b", 3, 64)], 16);
        let change = |members, size| between(old(), made(members, size));
        let text = "btf-type-changed: STRUCT 's': ";
        let other = "refers to other types, or has other offsets or values";
        assert_eq!(change(&[("a", 1, 0), ("c", 3, 64)], 16), [format!("{text}element 'b' -> 'c'")]);
        assert_eq!(change(&[("a", 1, 0)], 8), [format!("{text}size 16 -> 8, vlen 2 -> 1")]);
        assert_eq!(change(&[("a", 2, 0), ("b", 3, 64)], 16), [format!("{text}{other}")]);
        assert_eq!(change(&[("a", 1, 0), ("b", 3, 65)], 16), [format!("{text}{other}")]);
        // A pointer to something else has no name of its own.
        let pointer = between(old(), |b| {
            b.int("int", 4);
            let long = b.int("long", 8);
            b.ptr(long);
            b.structure("s", 16, &[("a", 1, 0), ("b", 3, 64)]);
        });
        assert_eq!(pointer, [format!("{text}{other}")]);
        // The linkage of a FUNC is in its vlen, that a FWD is of a union in its kind_flag.
        let func = |linkage| move |b: &mut Blob| (b.func_proto(0, &[]), b.raw("f", FUNC << 24 | linkage, 1, &[]));
        assert_eq!(between(func(0), func(1)), ["btf-type-changed: FUNC 'f': vlen 0 -> 1"]);
        let fwd = |flag: u32| move |b: &mut Blob| b.raw("u", flag << 31 | 7 << 24, 0, &[]);
        assert_eq!(between(fwd(0), fwd(1)), [format!("btf-type-changed: FWD 'u': {other}")]);
    }

    #[test]
    fn other_ids_and_strings_are_one_line() {
        let other = between(|b| (b.int("int", 4), b.int("long", 8)), |b| (b.int("long", 8), b.int("int", 4)));
        assert_eq!(other, ["btf-order: the same types by name, first other ID: 1 INT 'int', 1 INT 'long'"]);
        let more = between(base, |b| {
            let int = base(b);
            b.ptr(int);
        });
        assert_eq!(more, ["btf-order: the same types by name, but 3 -> 4 in all"]);
        let strings = between(base, |b| {
            b.string("unused");
            base(b);
        });
        assert_eq!(strings, ["btf-order: the same types; strings, or types without a name, differ"]);
    }

    #[test]
    fn tags_are_told_apart_by_what_they_tag() {
        let kfuncs = |tagged: &'static [u32]| {
            move |b: &mut Blob| {
                let proto = b.func_proto(0, &[]);
                b.func("f", proto);
                b.func("g", proto);
                tagged.iter().map(|&id| b.decl_tag("bpf_kfunc", id)).sum::<u32>()
            }
        };
        assert_eq!(
            between(kfuncs(&[2, 3]), kfuncs(&[3])),
            ["btf-type-removed: DECL_TAG 'bpf_kfunc' of FUNC 'f' removed"]
        );
    }

    #[test]
    fn types_that_refer_to_themselves_end() {
        let found = between(
            |b| (b.ptr(1), b.simple(8, "t", 1), b.decl_tag("d", 3)),
            |b| (b.ptr(1), b.simple(8, "u", 1), b.decl_tag("d", 3)),
        );
        assert_eq!(found, ["btf-type-added: TYPEDEF 'u' added", "btf-type-removed: TYPEDEF 't' removed"]);
    }

    #[test]
    fn split_btf_is_compared_with_what_it_means_of_its_base() {
        let blobs = |pointed_to: &str| {
            let mut base = Blob::new(Format::X86_64);
            let int = base.int(pointed_to, 4);
            let ptr = base.ptr(int);
            let mut split = Blob::split(Format::X86_64, base.type_count(), base.str_len());
            split.structure("s", 8, &[("p", ptr, 0)]);
            (base.build(), split.build())
        };
        let lines_of = |b: &str| {
            let ((base_a, a), (base_b, b)) = (blobs("int"), blobs(b));
            let (base_a, base_b) = (Btf::parse(&base_a).unwrap(), Btf::parse(&base_b).unwrap());
            lines(&Btf::parse_split(&a, &base_a).unwrap(), &Btf::parse_split(&b, &base_b).unwrap())
        };
        // Of equal length, so that string offsets are the same.
        let text = "btf-type-changed: STRUCT 's': refers to other types, or has other offsets or values";
        assert_eq!(lines_of("u32"), [text]);
        assert_eq!(lines_of("int"), ["btf-order: the same types; strings, or types without a name, differ"]);
    }
}
