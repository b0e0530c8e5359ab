//! The prototypes of kfuncs with implicit arguments (`KF_IMPLICIT_ARGS`): parameters that the verifier supplies are not
//! part of what BPF programs call.
//!
//! `bpf_foo(int a, struct bpf_prog_aux *aux)` becomes `bpf_foo(int a)`, and `bpf_foo_impl` with the whole prototype
//! tells the verifier what to supply.

use super::writer::Writer;
use crate::{Btf, Error, Field, Kind, Type};
use std::collections::{HashMap, HashSet};

const KF_IMPLICIT_ARGS: u32 = 1 << 16;
const IMPL: &[u8] = b"_impl";

/// C cannot nest more qualifiers and tags than this; BTF can, and in a circle.
const MAX_QUALIFIERS: usize = 64;

struct Kfunc<'a> {
    func: Type<'a>,
    proto: Type<'a>,
    impl_name: Vec<u8>,
    /// How many parameters come before the first implicit one.
    shown: u32,
}

/// The data of `btf` with a `_impl` function and a shortened prototype for each kfunc that needs them; `None` where none
/// does.
pub(super) fn add_prototypes(btf: &Btf, kfunc_flags: &[(&[u8], u32)]) -> Result<Option<Vec<u8>>, Error> {
    let implicit = kfunc_flags.iter().filter(|(_, flags)| flags & KF_IMPLICIT_ARGS != 0);
    let implicit: HashSet<&[u8]> = implicit.map(|&(name, _)| name).collect();
    if implicit.is_empty() {
        return Ok(None);
    }
    let tags = decl_tags(btf);
    let kfuncs = find_kfuncs(btf, &tags, |name| implicit.contains(name));
    let impls: Vec<_> = kfuncs.iter().map(|kfunc| (Kind::Func, &kfunc.impl_name[..])).collect();
    let has_impl: Vec<bool> = btf.find_first(&impls).iter().map(Option::is_some).collect();
    // Final BTF comes here again when a module is embedded once more: nothing is left to do for it then.
    let is_left = |(kfunc, has): &(Kfunc, bool)| !has || kfunc.shown != kfunc.proto.vlen;
    let todo: Vec<_> = kfuncs.into_iter().zip(has_impl).filter(is_left).collect();
    if todo.is_empty() { Ok(None) } else { write(btf, &tags, &todo).map(Some) }
}

/// Names of the kfuncs of this part whose prototypes have implicit parameters, but for the `_impl` functions that the
/// source itself has for some: those that should have the flag. Which ones do have it only `.BTF_ids` tells.
#[must_use]
pub fn implicit_kfuncs<'a>(btf: &Btf<'a>) -> Vec<&'a [u8]> {
    let kfuncs = find_kfuncs(btf, &decl_tags(btf), |_| true);
    let names: HashSet<_> = kfuncs.iter().filter_map(|kfunc| btf.name(&kfunc.func)).collect();
    let implicit = kfuncs.iter().filter(|kfunc| kfunc.shown != kfunc.proto.vlen);
    let implicit = implicit.filter_map(|kfunc| btf.name(&kfunc.func));
    implicit.filter(|name| name.strip_suffix(IMPL).is_none_or(|stem| !names.contains(stem))).collect()
}

fn decl_tags<'a>(btf: &Btf<'a>) -> Vec<Type<'a>> {
    btf.own_ids().filter_map(|id| btf.get(id)).filter(|ty| ty.kind == Kind::DeclTag).collect()
}

/// The kfuncs that have a name that is wanted and the tag, in the order of their tags, each once.
fn find_kfuncs<'a>(btf: &Btf<'a>, tags: &[Type<'a>], wanted: impl Fn(&[u8]) -> bool) -> Vec<Kfunc<'a>> {
    let mut seen = HashSet::new();
    let mut kfuncs = Vec::new();
    // A prototype is gone through once, however many kfuncs have it.
    let mut shown = HashMap::new();
    for tag in tags {
        let whole = btf.endian().u32_at(tag.record, 12) == Some(u32::MAX);
        if tag.kind_flag || !whole || btf.name(tag) != Some(b"bpf_kfunc") || !btf.own_ids().contains(&tag.size_or_type)
        {
            continue;
        }
        let Some(func) = btf.get(tag.size_or_type).filter(|ty| ty.kind == Kind::Func) else { continue };
        let name = btf.name(&func).filter(|name| wanted(name));
        if let (Some(name), Some(proto)) = (name, btf.get(func.size_or_type))
            && seen.insert(func.id)
        {
            let shown = *shown.entry(proto.id).or_insert_with(|| shown_params(btf, &proto));
            kfuncs.push(Kfunc { func, proto, impl_name: [name, IMPL].concat(), shown });
        }
    }
    kfuncs
}

/// How many parameters come before the first implicit one.
fn shown_params(btf: &Btf, proto: &Type) -> u32 {
    let types = proto.fields().filter(|&(field, at, _)| field == Field::Type && at >= 12).map(|(.., id)| id);
    let shown = types.take_while(|&id| !is_implicit(btf, id)).count();
    u32::try_from(shown).unwrap_or(proto.vlen)
}

fn is_implicit(btf: &Btf, id: u32) -> bool {
    let pointee = without_qualifiers(btf, id).filter(|ty| ty.kind == Kind::Ptr).map(|ptr| ptr.size_or_type);
    let target = pointee.and_then(|id| without_qualifiers(btf, id)).filter(|ty| ty.kind == Kind::Struct);
    // Any number of parameters may point to one struct with a long name.
    target.is_some_and(|ty| [&b"bpf_prog_aux"[..], b"btf_struct_meta"].iter().any(|name| btf.has_name(&ty, name)))
}

fn without_qualifiers<'a>(btf: &Btf<'a>, id: u32) -> Option<Type<'a>> {
    let next = |ty: &Type| btf.get(ty.size_or_type);
    let is_qualifier = |ty: &Type| matches!(ty.kind, Kind::Volatile | Kind::Const | Kind::Restrict | Kind::TypeTag);
    std::iter::successors(btf.get(id), next).take(MAX_QUALIFIERS).find(|ty| !is_qualifier(ty))
}

/// Writes `btf` with what each kfunc needs; the flag says whether its `_impl` function is there already.
fn write(btf: &Btf, tags: &[Type], kfuncs: &[(Kfunc, bool)]) -> Result<Vec<u8>, Error> {
    let added = kfuncs.iter().map(|(kfunc, _)| 12 + 8 * u64::from(kfunc.shown)).sum();
    let (_, limit) = btf.shared_limit();
    if added > limit {
        return Err(Error::LongPrototypes { added, limit });
    }
    let mut writer = Writer::like(btf)?;
    for ty in btf.own_ids().filter_map(|id| btf.get(id)) {
        writer.types.copy(&ty, |_, value| Ok(value))?;
    }
    let mut missing: HashSet<&[u8]> = kfuncs.iter().filter(|(_, has)| !has).map(|(k, _)| &k.impl_name[..]).collect();
    let strings = find_strings(btf, &missing);
    let mut tags_of: HashMap<u32, Vec<&Type>> = HashMap::new();
    for tag in tags.iter().filter(|tag| btf.name(tag) != Some(b"bpf_kfunc")) {
        tags_of.entry(tag.size_or_type).or_default().push(tag);
    }
    for (Kfunc { func, proto, impl_name, shown }, _) in kfuncs {
        // Of two kfuncs of one name only the first gets it.
        if missing.remove(&impl_name[..]) {
            let name = strings.get(&impl_name[..]).copied().map_or_else(|| writer.strings.add(impl_name), Ok)?;
            let id = writer.types.add(Kind::Func, func.vlen, name, proto.id, &[])?;
            for tag in tags_of.get(&func.id).into_iter().flatten() {
                writer.types.copy(tag, |field, value| Ok(if field == Field::Type { id } else { value }))?;
            }
        }
        // Behind the record's own name and the type it returns: name and type of each parameter.
        let params: Vec<u32> = proto.fields().skip(2).map(|(.., word)| word).take(2 * *shown as usize).collect();
        let id = writer.types.add(Kind::FuncProto, *shown, 0, proto.size_or_type, &params)?;
        if let Some(offset) = btf.record_offset(func.id) {
            writer.types.put(offset + 8, id);
        }
    }
    writer.finish()
}

/// The offsets of those of `names` that are strings of the BTF or its base already, in one pass.
fn find_strings<'n>(btf: &Btf, names: &HashSet<&'n [u8]>) -> HashMap<&'n [u8], u32> {
    let mut found = match btf.base() {
        Some(base) => find_strings(base, names),
        None => HashMap::new(),
    };
    let mut offset = btf.own_strings().start;
    for text in btf.strings().split(|&byte| byte == 0) {
        // The suffix alone rules out nearly all strings of a kernel.
        if text.ends_with(IMPL)
            && let Some(&name) = names.get(text)
        {
            found.entry(name).or_insert(offset);
        }
        // The strings' length fits u32, so does the sum: it was checked when they were read.
        offset = offset.saturating_add(u32::try_from(text.len()).unwrap_or(u32::MAX)).saturating_add(1);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Endian, testkit::BtfBuilder};

    /// `void NAME(int a, const struct bpf_prog_aux *aux, int b)` with these decl tags.
    fn kfunc(b: &mut BtfBuilder, name: &str, tags: &[&str]) -> u32 {
        let int = b.int("int", 4);
        let aux = b.structure("bpf_prog_aux", &[]);
        let aux = b.raw(Kind::Const, 0, aux, &[]);
        let aux = b.pointer(aux);
        let aux = b.raw(Kind::Volatile, 0, aux, &[]);
        let proto = b.prototype(int, &[("a", int), ("aux", aux), ("b", int)]);
        let func = b.func_of(name, proto);
        for tag in tags {
            b.decl_tag(tag, func);
        }
        func
    }

    fn describe(btf: &Btf, name: &str) -> Vec<String> {
        let mut lines = Vec::new();
        for func in btf.find_all(&[(Kind::Func, name.as_bytes())]).concat() {
            let proto = btf.get(btf.get(func).unwrap().size_or_type).unwrap();
            let names = proto.fields().filter(|f| f.0 == Field::Name).map(|f| btf.string(f.2).unwrap());
            let names: Vec<_> = names.map(|n| String::from_utf8_lossy(n).into_owned()).collect();
            let tags = btf.iter().filter(|ty| ty.kind == Kind::DeclTag && ty.size_or_type == func);
            let tags: Vec<_> = tags.map(|t| String::from_utf8_lossy(btf.name(&t).unwrap()).into_owned()).collect();
            lines.push(format!("({}) {}", names[1..].join(" "), tags.join(" ")));
        }
        lines
    }

    #[test]
    fn kfunc_is_shortened_and_its_whole_prototype_kept_as_impl() {
        for endian in [Endian::Little, Endian::Big] {
            let mut b = BtfBuilder::new(endian);
            kfunc(&mut b, "other", &["bpf_kfunc"]);
            let base_data = b.build();
            let base = Btf::parse(&base_data).unwrap();
            let mut b = BtfBuilder::split(&base);
            kfunc(&mut b, "foo", &["bpf_fastcall", "bpf_kfunc", "bpf_kfunc"]);
            kfunc(&mut b, "plain", &["bpf_kfunc"]);
            let untagged = kfunc(&mut b, "untagged", &[]);
            b.component_tag("bpf_kfunc", untagged, 0);
            b.layout(19, 0, 12);
            let data = b.build();
            let btf = Btf::parse_split(&data, &base).unwrap();
            let flags: [(&[u8], u32); 4] =
                [(b"foo", 1 << 16 | 1), (b"plain", 1), (b"untagged", 1 << 16), (b"other", 1 << 16)];
            let new = add_prototypes(&btf, &flags).unwrap().unwrap();
            let new = Btf::parse_split(&new, &base).unwrap();
            new.validate().unwrap();
            assert_eq!(describe(&new, "foo"), ["(a) bpf_fastcall bpf_kfunc bpf_kfunc"]);
            assert_eq!(implicit_kfuncs(&btf), [&b"foo"[..], b"plain"]);
            assert_eq!(implicit_kfuncs(&new), [b"plain"]);
            assert_eq!(describe(&new, "foo_impl"), ["(a aux b) bpf_fastcall"]);
            assert_eq!(describe(&new, "plain"), ["(a aux b) bpf_kfunc"]);
            assert_eq!(describe(&new, "untagged"), ["(a aux b) bpf_kfunc"]);
            assert_eq!(describe(&new, "other"), ["(a aux b) bpf_kfunc"]);
            assert_eq!(new.own_ids().end, btf.own_ids().end + 3);
            assert_eq!(new.get(new.own_ids().end - 1).unwrap().size_or_type, 9);
            assert!(new.strings().ends_with(b"\0foo_impl\0"));
            // Done once is done.
            assert_eq!(add_prototypes(&new, &flags).unwrap(), None);
            assert_eq!(add_prototypes(&btf, &flags[1..]).unwrap(), None);
        }
    }

    #[test]
    fn impl_of_the_source_is_left_and_a_string_of_the_base_reused() {
        let mut b = BtfBuilder::new(Endian::Little);
        b.structure("foo_impl", &[]);
        let base_data = b.build();
        let base = Btf::parse(&base_data).unwrap();
        let flags: [(&[u8], u32); 2] = [(b"foo", 1 << 16), (b"old", 1 << 16)];
        let mut b = BtfBuilder::split(&base);
        kfunc(&mut b, "foo", &["bpf_kfunc"]);
        kfunc(&mut b, "old", &["bpf_kfunc"]);
        kfunc(&mut b, "old_impl", &["bpf_kfunc"]);
        let data = b.build();
        let btf = Btf::parse_split(&data, &base).unwrap();
        let new = add_prototypes(&btf, &flags).unwrap().unwrap();
        let new = Btf::parse_split(&new, &base).unwrap();
        assert_eq!(implicit_kfuncs(&btf), [b"foo", b"old"]);
        assert_eq!(new.strings(), btf.strings());
        assert_eq!(describe(&new, "foo_impl"), ["(a aux b) "]);
        assert_eq!(describe(&new, "old_impl"), ["(a aux b) bpf_kfunc"]);
        assert_eq!(describe(&new, "old"), ["(a) bpf_kfunc"]);
    }

    #[test]
    fn only_a_pointer_to_one_of_the_two_structs_is_implicit() {
        let mut b = BtfBuilder::new(Endian::Little);
        let aux = b.structure("bpf_prog_aux", &[]);
        let meta = b.structure("btf_struct_meta", &[]);
        let union = b.union("bpf_prog_aux", &[]);
        let circle = b.raw(Kind::Const, 0, 4, &[]);
        let pointers: Vec<u32> = [aux, meta, union, circle, 0].iter().map(|&to| b.pointer(to)).collect();
        let double = b.pointer(pointers[0]);
        let data = b.build();
        let btf = Btf::parse(&data).unwrap();
        let is = |id: &u32| is_implicit(&btf, *id);
        assert_eq!(pointers.iter().map(is).collect::<Vec<_>>(), [true, true, false, false, false]);
        assert_eq!([0, aux, circle, double, 99].iter().map(is).collect::<Vec<_>>(), [false; 5]);
    }

    #[test]
    fn prototypes_that_many_kfuncs_share_are_limited() {
        let of = |kfuncs: u32| {
            let mut b = BtfBuilder::new(Endian::Little);
            let aux = b.structure("bpf_prog_aux", &[]);
            let aux = b.pointer(aux);
            let mut params = vec![("", 0); 999];
            params.push(("aux", aux));
            let proto = b.prototype(0, &params);
            for n in 0..kfuncs {
                let func = b.func_of(&format!("f{n}"), proto);
                b.decl_tag("bpf_kfunc", func);
            }
            b.build()
        };
        let add = |data: &[u8], names: &[String]| {
            let flags: Vec<(&[u8], u32)> = names.iter().map(|name| (name.as_bytes(), 1 << 16)).collect();
            add_prototypes(&Btf::parse(data).unwrap(), &flags).map(|new| new.map(|new| new.len()))
        };
        let names: Vec<_> = (0..100).map(|n| format!("f{n}")).collect();
        assert!(add(&of(10), &names).unwrap().unwrap() > 80_000);
        let refused = add(&of(100), &names).unwrap_err();
        assert!(matches!(refused, Error::LongPrototypes { added: 800_400, limit: 100_000..130_000 }), "{refused:?}");
    }
}
