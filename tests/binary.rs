//! Flat images and objects made of them: `-O binary`, `-I binary`, and flags that decide what is loaded.

// clippy.toml allows it in tests, but not in what they call.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::cast_possible_truncation)]

mod util;

use elfgraft_testkit::consts::*;
use elfgraft_testkit::elf::{ElfSpec, Section, Segment};
use elfgraft_testkit::format::{Class, Endian, Format};
use elfgraft_testkit::inputs::g6_modinfo_segment;
use elfgraft_testkit::layouts;
use elfgraft_testkit::read::ReadElf;
use util::{Dir, fixture, installed, same};

// No public report: both peers set SHF_WRITE, GNU writes p_vaddr 0. Where KNOWN-BUGS and PEERS.md differ the latter wins:
// the flags are the peers', the segment's place is its own.
#[test]
fn b10_noload_leaves_the_segment_where_it_was() {
    for format in Format::FOUR {
        let old = g6_modinfo_segment(format);
        let before = ReadElf::parse(&old);
        let dir = Dir::new();
        dir.write("x", &old);
        dir.objcopy(&["--set-section-flags", ".modinfo=noload", "x"]).quiet();
        let after = dir.elf("x");
        let (section, was) = (after.section(".modinfo"), before.section(".modinfo"));
        assert_eq!((was.flags, section.flags), (SHF_ALLOC, SHF_WRITE));
        assert_eq!((section.addr, &section.data), (was.addr, &was.data));
        for (new, old) in after.segments.iter().zip(&before.segments) {
            assert_eq!((new.offset, new.vaddr, new.paddr), (old.offset, old.vaddr, old.paddr));
        }
        for name in [".text", ".data"].iter().filter(|n| before.index_of(n).is_some()) {
            assert_eq!(after.section(name).offset, before.section(name).offset);
        }
        let once = dir.read("x");
        dir.objcopy(&["--set-section-flags", ".modinfo=noload", "x"]).quiet();
        same(&dir.read("x"), &once, "twice");
    }
}

// PEERS.md: noload, then remove, or removing directly: the same program headers and the same loadable bytes.
#[test]
fn noload_and_remove_give_the_program_headers_of_removing() {
    for old in Format::FOUR
        .into_iter()
        .flat_map(|f| [layouts::vmlinux(f, false).build(), layouts::vmlinux(f, true).build()])
        .chain([fixture("vmlinux"), fixture("vmlinux-relocs")])
    {
        let dir = Dir::new();
        dir.write("x", &old);
        dir.objcopy(&["--set-section-flags", ".modinfo=noload", "x", "a"]).quiet();
        dir.objcopy(&["--remove-section=.modinfo", "a"]).quiet();
        dir.objcopy(&["--remove-section=.modinfo", "x", "b"]).quiet();
        assert_eq!(dir.elf("a").segments, dir.elf("b").segments);
        dir.objcopy(&["-O", "binary", "a", "a.bin"]).quiet();
        dir.objcopy(&["-O", "binary", "b", "b.bin"]).quiet();
        same(&dir.read("a.bin"), &dir.read("b.bin"), "loadable bytes");
    }
}

// https://github.com/ClangBuiltLinux/linux/issues/1996: flags without `alloc` made the image empty, and s390 did not boot.
#[test]
fn b11_a_section_named_by_only_section_yields_its_bytes() {
    for format in Format::FOUR {
        let old = ElfSpec::new(format, ET_EXEC)
            .section(Section::progbits(".text", SHF_ALLOC, [1; 32]).addr(0x1000).congruent(0x1000))
            .section(Section::progbits(".vmlinux.info", 0, *b"information!"))
            .segment(Segment::load(PF_R, ".text", ".text"))
            .build();
        let dir = Dir::new();
        dir.write("x", &old);
        for flags in ["load", "alloc,load", "contents"] {
            let flags = format!(".vmlinux.info={flags}");
            dir.objcopy(&["-O", "binary", "--only-section=.vmlinux.info", "--set-section-flags", &flags, "x", "out"])
                .quiet();
            same(&dir.read("out"), b"information!", &flags);
        }
        dir.objcopy(&["-O", "binary", "-j", ".vmlinux.info", "x", "out"]).quiet();
        same(&dir.read("out"), b"information!", "without flags");
        dir.objcopy(&["-O", "binary", "-j", ".nope", "x", "no"]).fails(&["'.nope'"]);
        dir.objcopy(&["-O", "binary", "-R", ".text", "x", "no"]).fails(&["empty"]);
        assert_eq!(dir.names(), ["out", "x"]);
    }
}

#[test]
fn an_image_has_what_stays_loadable() {
    for format in Format::FOUR {
        let old = ElfSpec::new(format, ET_EXEC)
            .section(Section::progbits(".text", SHF_ALLOC, [1; 16]).addr(0x1000).congruent(0x1000))
            .section(Section::progbits(".note", SHF_ALLOC, [2; 16]).addr(0x1010))
            .section(Section::progbits(".data", SHF_ALLOC | SHF_WRITE, [3; 16]).addr(0x1020))
            .section(Section::progbits(".comment", 0, *b"GCC\0"))
            .segment(Segment::load(PF_R, ".text", ".data"))
            .build();
        let dir = Dir::new();
        dir.write("x", &old);
        let image = |args: &[&str]| {
            dir.objcopy(&[&["-O", "binary"], args, &["x", "out"]].concat()).quiet();
            dir.read("out")
        };
        assert_eq!(image(&[]), [[1; 16], [2; 16], [3; 16]].concat());
        assert_eq!(image(&["-R", ".note", "-R", ".comment", "-S"]), [[1; 16], [0; 16], [3; 16]].concat());
        assert_eq!(image(&["-j", ".data"]), [3; 16]);
        assert_eq!(image(&["-j", ".note", "-j", ".data"]), [[2; 16], [3; 16]].concat());
        assert_eq!(image(&["-R", ".text"]), [[2; 16], [3; 16]].concat());
        assert_eq!(image(&["--gap-fill=0x90", "-R", ".note"])[16..32], [0x90; 16]);
        assert_eq!(image(&["--pad-to=0x1040"]).len(), 0x40);
        assert_eq!(image(&["--pad-to=0x1010"]).len(), 0x30, "shorter than the image");
        assert_eq!(image(&["--set-section-flags=.note=noload", "-R", ".nope"]).len(), 0x30);
        for bad in ["--gap-fill=256", "--gap-fill=x"] {
            dir.objcopy(&["-O", "binary", bad, "x", "no"]).fails(&["--gap-fill"]);
        }
        // The input is what it was, and can be overwritten too.
        same(&dir.read("x"), &old, "input");
        dir.objcopy(&["--output-target=binary", "x"]).quiet();
        assert_eq!(dir.read("x").len(), 0x30);
    }
}

// PEERS.md: kbuild runs `chmod -x` on it.
#[test]
fn an_image_has_the_mode_of_the_executable() {
    let dir = Dir::with(&["vmlinux"]);
    dir.chmod("vmlinux", 0o755);
    dir.write("out", "old contents, longer than the new ones or not");
    dir.objcopy(&["-O", "binary", "vmlinux", "new"]).quiet();
    assert_eq!(dir.mode("new") & 0o100, 0o100);
    dir.objcopy(&["-O", "binary", "vmlinux", "out"]).quiet();
    same(&dir.read("out"), &dir.read("new"), "an output that exists is overwritten");
}

#[test]
fn the_image_is_gnus_byte_for_byte() {
    if !installed("objcopy") {
        return;
    }
    for name in ["vmlinux", "vmlinux-relocs", "hello", "libdemo.so", "hello-lld", "libdemo-lld.so"] {
        for args in [
            &[][..],
            &["-S", "-R", ".comment"],
            &["-R", ".text"],
            &["--gap-fill=0xa5"],
            &["-j", ".text", "-j", ".rodata"],
        ] {
            let dir = Dir::with(&[name]);
            dir.objcopy(&[&["-O", "binary"], args, &[name, "ours"]].concat()).quiet();
            dir.cmd("objcopy", &[&["-O", "binary"], args, &[name, "gnus"]].concat()).run().ok();
            same(&dir.read("ours"), &dir.read("gnus"), &format!("{name} {args:?}"));
        }
    }
}

/// Class and machine of targets that the kernel's makefiles name.
const TARGETS: [(&str, Format); 6] = [
    ("elf64-x86-64", Format::X86_64),
    ("elf64-s390", Format::S390X),
    ("elf32-tradbigmips", Format::MIPS),
    ("elf32-littlearm", Format::ARM),
    ("elf64-littleaarch64", Format::AARCH64),
    ("elf64-littleriscv", Format::new(Class::Elf64, Endian::Little, EM_RISCV)),
];

#[test]
fn bytes_become_an_object() {
    for (target, format) in TARGETS {
        let dir = Dir::new();
        dir.write("vmlinux.bin-gz", *b"any bytes");
        let args = [
            "-I",
            "binary",
            "-O",
            target,
            "-B",
            "any",
            "--rename-section",
            ".data=.vmlinux.info",
            "vmlinux.bin-gz",
            "o",
        ];
        dir.objcopy(&args).quiet();
        let elf = dir.elf("o");
        assert_eq!(
            (elf.format.class, elf.format.endian, elf.format.machine),
            (format.class, format.endian, format.machine)
        );
        assert_eq!(elf.header("e_type"), u64::from(ET_REL));
        let section = elf.section(".vmlinux.info");
        assert_eq!(
            (&section.data[..], section.flags, section.sh_type),
            (&b"any bytes"[..], SHF_ALLOC | SHF_WRITE, SHT_PROGBITS)
        );
        for (name, value, shndx) in [("start", 0, 1), ("end", 9, 1), ("size", 9, SHN_ABS)] {
            let symbol = elf.symbol(&format!("_binary_vmlinux_bin_gz_{name}"));
            assert_eq!((symbol.value, symbol.shndx, symbol.info), (value, shndx, 0x10), "{name}");
        }
        // Flags with the new name, and a symbol more, as the zboot images want.
        let rename = ".data=.gzdata,load,alloc,readonly,contents";
        let args =
            ["-I", "binary", "-O", target, "--add-symbol", "zboot_code_size=0x1000,global", "--rename-section", rename];
        dir.objcopy(&[&args[..], &["vmlinux.bin-gz", "o2"]].concat()).quiet();
        let elf = dir.elf("o2");
        assert_eq!(elf.section(".gzdata").flags, SHF_ALLOC);
        assert_eq!((elf.symbol("zboot_code_size").value, elf.symbol("zboot_code_size").shndx), (0x1000, SHN_ABS));
        // Made twice it is the same.
        dir.objcopy(&[&args[..], &["vmlinux.bin-gz", "o3"]].concat()).quiet();
        same(&dir.read("o3"), &dir.read("o2"), "made again");
    }
    let dir = Dir::new();
    dir.write("f", "bytes");
    dir.objcopy(&["-I", "binary", "f", "o"]).fails(&["-I binary", "-O"]);
    dir.objcopy(&["-I", "binary", "-O", "binary", "f", "o"]).fails(&["-I binary"]);
    dir.objcopy(&["-I", "binary", "-O", "nonesuch", "f", "o"]).fails(&["nonesuch"]);
    assert_eq!(dir.names(), ["f"]);
}

#[test]
fn the_objects_are_gnus_in_meaning() {
    if !installed("objcopy") {
        return;
    }
    let dir = Dir::new();
    dir.write("f.bin", "some bytes");
    let args = [
        "-I",
        "binary",
        "-O",
        "elf64-x86-64",
        "-B",
        "i386:x86-64",
        "--rename-section",
        ".data=.x,alloc,load,readonly,data,contents",
        "f.bin",
    ];
    dir.objcopy(&[&args[..], &["ours"]].concat()).quiet();
    dir.cmd("objcopy", &[&args[..], &["gnus"]].concat()).run().ok();
    let (ours, gnus) = (dir.elf("ours"), dir.elf("gnus"));
    let section = |elf: &ReadElf| {
        let s = elf.section(".x");
        (s.data.clone(), s.flags, s.sh_type, s.addralign)
    };
    assert_eq!(section(&ours), section(&gnus));
    let symbols = |elf: &ReadElf| {
        let named = elf.symbols().into_iter().filter(|s| !s.name.is_empty());
        let mut all: Vec<_> = named.map(|s| (s.name, s.value, s.info, s.section.is_some())).collect();
        all.sort();
        all
    };
    assert_eq!(symbols(&ours), symbols(&gnus));
}

// https://github.com/kernel-patches/bpf/pull/10553: an empty file was compiled for the sake of its header.
#[test]
fn b25_an_object_of_one_section_like_a_given_file() {
    for name in ["obj-riscv64.o", "obj-mips64el.o", "obj-s390x.o", "obj-arm.o", "vmlinux"] {
        let btf = format!("{}.btf", name.trim_end_matches(".o"));
        let dir = Dir::with(&[name, &btf]);
        dir.elfgraft(&["btf", "object", "--like", name, "--btf", &btf, "-o", "o"]).quiet();
        let (like, elf) = (dir.elf(name), dir.elf("o"));
        assert_eq!(elf.header("e_type"), u64::from(ET_REL));
        for field in ["e_machine", "e_flags", "e_version"] {
            assert_eq!(elf.header(field), like.header(field), "{name}: {field}");
        }
        assert_eq!(elf.bytes[4..7], like.bytes[4..7], "class, byte order, version");
        let section = elf.section(".BTF");
        assert_eq!((&section.data, section.flags), (&dir.read(&btf), SHF_ALLOC), "{name}");
    }
}

#[test]
fn a_format_that_is_the_files_own_is_no_conversion() {
    for (name, target) in
        [("obj-s390x.o", "elf64-s390"), ("obj-mips.o", "elf32-tradbigmips"), ("vmlinux", "elf64-x86-64")]
    {
        let dir = Dir::with(&[name]);
        for option in ["-O", "-F", "-I"] {
            dir.objcopy(&[option, target, name, "out"]).quiet();
            same(&dir.read("out"), &fixture(name), option);
        }
        dir.objcopy(&["-O", "elf32-bigarm", name, "no"]).fails(&[target, "elf32-bigarm", "not supported"]);
    }
}
