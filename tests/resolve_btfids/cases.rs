//! Small cases of everything that the output depends on, against what the kernel's tool once gave for them.
//! `RESOLVE_BTFIDS=/path/to/the/tool` renews `testdata/resolve_btfids`.

use std::path::Path;

use elfgraft_testkit::btf::Btf;
use elfgraft_testkit::btf_ids::{Entry, Member};
use elfgraft_testkit::consts::*;
use elfgraft_testkit::elf::{ElfSpec, Section};
use elfgraft_testkit::format::Format;

use crate::make::{image, module};
use crate::upstream::{Done, ours, run};

struct Case {
    name: String,
    files: Vec<(&'static str, Vec<u8>)>,
    args: Vec<&'static str>,
}

/// A base of every kind of type, and a module's BTF that refers to most of them.
fn pair(format: Format) -> (Btf, Btf) {
    let mut base = Btf::new(format);
    let int = base.int("int", 4);
    let long = base.int("long", 8);
    let list = base.structure("list", 16, &[("next", 4, 0), ("prev", 4, 64)]);
    let ptr = base.ptr(list);
    assert_eq!(ptr, 4);
    let aux = base.structure("bpf_prog_aux", 8, &[("id", int, 0)]);
    let aux = base.simple(10, "", aux);
    let aux = base.ptr(aux);
    let meta = base.structure("btf_struct_meta", 8, &[("id", int, 0)]);
    let meta = base.ptr(meta);
    let anonymous = base.raw("", 5 << 24 | 2, 8, &[0, long, 0, 0, ptr, 0]);
    let name = base.string("RED");
    let color = base.raw("color", 6 << 24 | 1, 4, &[name, 7]);
    let wide = base.raw("wide", 19 << 24 | 1, 8, &[name, 7, 1]);
    let unnamed = base.raw("", 6 << 24 | 1, 4, &[name, 7]);
    let fwd = base.simple(7, "opaque", 0);
    let float = base.raw("double", 16 << 24, 8, &[]);
    let size = base.simple(8, "size_t", long);
    let array = base.raw("", 3 << 24, 0, &[size, int, 3]);
    let volatile = base.simple(9, "", array);
    let tag = base.simple(18, "user", int);
    let tagged = base.ptr(tag);
    let proto = base.func_proto(int, &[("a", tagged), ("aux", aux)]);
    base.func("in_base", proto);
    base.structure("sock", 8, &[("x", int, 0)]);
    base.structure("sock", 16, &[("x", int, 0)]);
    let mut btf = Btf::split(format, base.type_count(), base.str_len());
    let fields = [anonymous, color, wide, unnamed, fwd, float, volatile, tagged].map(|ty| ("f", ty, 0));
    let own = btf.structure("nf_conn", 64, &fields);
    let own_ptr = btf.ptr(own);
    let implicit = btf.func_proto(int, &[("conn", own_ptr), ("aux", aux), ("more", int)]);
    let also = btf.func_proto(0, &[("meta", meta)]);
    let kfuncs = [("bpf_z", implicit), ("bpf_a", implicit), ("bpf_m", also), ("bpf_a_impl", implicit)];
    for (name, proto) in kfuncs {
        let func = btf.func(name, proto);
        btf.decl_tag("bpf_kfunc", func);
        btf.decl_tag("bpf_fastcall", func);
    }
    btf.func("plain", proto);
    btf.func("plain", also);
    btf.raw("u", 5 << 24, 0, &[]);
    btf.simple(8, "conn_t", own_ptr);
    (base, btf)
}

fn entries() -> Vec<Entry> {
    let kfunc = Member::func;
    vec![
        Entry::List(vec![Member::new("struct", "nf_conn"), Member::new("struct", "sock"), Member::new("union", "u")]),
        Entry::Unused(vec![0]),
        Entry::set8(
            "kfuncs",
            vec![
                kfunc("bpf_z", 1 << 16 | 4),
                kfunc("gone", 8),
                kfunc("bpf_a", 1 << 16 | 1),
                kfunc("bpf_m", 1 << 16),
                kfunc("bpf_a_impl", 2),
            ],
        ),
        Entry::set("names", ["plain", "in_base", "bpf_z", "not__there"].map(|name| Member::new("func", name)).to_vec()),
        Entry::set8("empty", vec![]),
        Entry::set8("twice", vec![kfunc("bpf_z", 0x20), kfunc("bpf_z", 0x10)]),
        Entry::List(vec![
            Member::new("typedef", "conn_t"),
            Member::new("func", "bpf_z"),
            Member::new("struct", "none"),
        ]),
    ]
}

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    let mut add = |name: &str, files: &[(&'static str, &[u8])], args: &'static str| {
        let files = files.iter().map(|&(name, bytes)| (name, bytes.to_vec())).collect();
        cases.push(Case { name: name.into(), files, args: args.split(' ').collect() });
    };
    for (order, format) in
        [("le64", Format::X86_64), ("be64", Format::S390X), ("le32", Format::ARM), ("be32", Format::MIPS)]
    {
        let (base, btf) = pair(format);
        let elf = module(format, &entries()).build();
        let files: [(&str, &[u8]); 3] = [("x.ko", &elf), ("base", &base.build()), ("btf", &btf.build())];
        add(&format!("split-{order}"), &files, "--btf_base base --btf btf x.ko");
        add(&format!("distilled-{order}"), &files, "--btf_base base --distill_base --btf btf x.ko");
        if order == "be32" {
            add("verbose-be32", &files, "-vv -b base --btf btf x.ko");
        }
    }
    let format = Format::X86_64;
    let (base, btf) = pair(format);
    let (base, btf) = (base.build(), btf.build());
    let elf = module(format, &entries()).build();
    let files: [(&str, &[u8]); 3] = [("x.ko", &elf), ("base", &base), ("btf", &btf)];
    add("verbose", &files, "-v -b base --distill_base --btf btf x.ko");
    add("not-distilled-without-a-base", &files, "--distill_base --btf base x.ko");
    add("no-warnings-fatal", &[("x.ko", &module(format, &[]).build()), ("b", &base)], "--fatal_warnings --btf b x.ko");

    let vmlinux = image(format, &entries()).build();
    add("vmlinux", &[("vmlinux", &vmlinux), ("base", &base)], "--btf base vmlinux");
    let own = ElfSpec::new(format, ET_EXEC).section(Section::progbits(".BTF", 0, base.clone()).align(4));
    add("own-btf", &[("vmlinux", &own.build())], "vmlinux");
    add("base-from-elf", &[("x.ko", &elf), ("vmlinux", &own.build()), ("btf", &btf)], "-b vmlinux --btf btf x.ko");

    let bare = ElfSpec::new(format, ET_REL).section(Section::progbits(".text", SHF_ALLOC, [0; 4]));
    add("no-section", &[("x.ko", &bare.clone().build()), ("base", &base), ("btf", &btf)], "-b base --btf btf x.ko");
    let words = Section::progbits(".BTF_ids", SHF_ALLOC, [1, 0, 0, 0, 2, 0, 0, 0]);
    let stripped = bare.clone().section(words.clone()).build();
    add("no-symbols", &[("x.ko", &stripped), ("base", &base)], "-v --btf base x.ko");
    let unnamed = bare.clone().section(words).symbols(vec![]).build();
    add("no-symbol-names-a-word", &[("x.ko", &unnamed), ("base", &base)], "-v --btf base x.ko");
    let empty = bare.section(Section::progbits(".BTF_ids", SHF_ALLOC, [])).symbols(vec![]).build();
    add("empty-section", &[("x.ko", &empty), ("base", &base)], "-v --btf base x.ko");

    let no_btf: [(&str, &[u8]); 2] = [("x.ko", &elf), ("base", &base)];
    add("no-btf", &no_btf, "x.ko");
    add("no-base-file", &no_btf, "-b nothing --btf base x.ko");
    add("no-btf-file", &no_btf, "-b base --btf nothing x.ko");
    add("no-elf-file", &no_btf, "-b base --btf btf nothing");
    add("base-without-btf", &no_btf, "-b x.ko --btf btf x.ko");
    add("directory", &no_btf, "-b base --btf btf .");
    for (name, member) in [("bad-prefix", Member::new("enum", "e")), ("bad-name", Member::new("func_", "f"))] {
        let elf = module(format, &[Entry::List(vec![member])]).build();
        add(name, &[("x.ko", &elf), ("base", &base)], "--btf base x.ko");
    }
    cases
}

#[test]
fn output_is_what_the_kernels_tool_gave() {
    let stored = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/resolve_btfids");
    for Case { name, files, args } in cases() {
        let files: Vec<(&str, &[u8])> = files.iter().map(|(name, bytes)| (*name, &bytes[..])).collect();
        if let Some(tool) = std::env::var_os("RESOLVE_BTFIDS") {
            run(Path::new(&tool), &files, &args).store(&stored.join(&name));
        }
        run(&ours(), &files, &args).assert_is(&Done::load(&stored.join(&name)), &name);
    }
}
