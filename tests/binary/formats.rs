//! Other formats: `-I binary`, records, x32, files for a debugger.

use super::*;

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

#[test]
fn records_are_gnus_byte_for_byte() {
    if !installed("objcopy") {
        return;
    }
    let far = |addresses: [u64; 2]| {
        let [a, b] = addresses;
        ElfSpec::new(Format::ARM, ET_EXEC)
            .section(Section::progbits(".text", SHF_ALLOC, [1; 50]).addr(a).congruent(0x1000))
            .section(Section::progbits(".data", SHF_ALLOC, [2; 33]).addr(b).congruent(0x1000))
            .segment(Segment::load(PF_R, ".text", ".text"))
            .segment(Segment::load(PF_R, ".data", ".data"))
            .build()
    };
    let mut files: Vec<(String, Vec<u8>)> =
        ["hello", "hello-lld", "libdemo.so"].iter().map(|name| ((*name).to_owned(), fixture(name))).collect();
    // Addresses of 16, 24 and 32 bits; a record that would cross 64 KiB; a segment, then an upper half.
    for addresses in
        [[0x100, 0x4000], [0xfff0, 0x2_0000], [0x1_fff8, 0x12_0000], [0x8000_0000, 0xc000_0000], [0, 0xffff_0000]]
    {
        files.push((format!("{addresses:x?}"), far(addresses)));
    }
    for (name, file) in files {
        let dir = Dir::new();
        dir.write("x", file);
        for target in ["srec", "ihex"] {
            for args in [&[][..], &["-S", "-R", ".text"], &["-j", ".data"]] {
                dir.objcopy(&[args, &["-O", target, "x", "out"]].concat()).quiet();
                let ours = dir.read("out");
                dir.cmd("objcopy", &[args, &["-O", target, "x", "out"]].concat()).run().ok();
                same(&ours, &dir.read("out"), &format!("{target} {args:?} of {name}"));
            }
        }
    }
    // Records have 32 bits for addresses.
    let dir = Dir::new();
    let beyond = Section::progbits(".text", SHF_ALLOC, [1; 50]).addr(0x1_0000_0000).congruent(0x1000);
    let spec = ElfSpec::new(Format::S390X, ET_EXEC).section(beyond).segment(Segment::load(PF_R, ".text", ".text"));
    dir.write("x", spec.build());
    for target in ["srec", "ihex"] {
        dir.objcopy(&["-O", target, "x", "out"]).fails(&["0x100000000", "32 bits"]);
        dir.objcopy(&["-I", target, "-O", "elf64-s390", "x", "out"]).fails(&["-I"]);
    }
    assert_eq!(dir.names(), ["x"]);
}

// Fields of a file that were sizes to allocate.
#[test]
fn no_alignment_and_no_size_of_nothing_is_allocated() {
    let dir = Dir::new();
    for (align, fits) in [(1u64 << 21, true), (1 << 22, false), (1 << 40, false), (1 << 63, false)] {
        let mut file = ElfSpec::new(Format::X86_64, ET_REL).section(Section::progbits(".big", 0, [1; 9])).build();
        poke_section(&mut file, 1, "sh_addralign", align);
        dir.write("x.o", file);
        let run = dir.objcopy(&["-O", "elf32-x86-64", "x.o", "out.o"]);
        if fits {
            run.quiet();
            assert!(dir.read("out.o").len() < 3 << 20);
        } else {
            run.fails(&["'x.o'", "'.big' [1]", "sh_addralign"]);
        }
    }
    for (size, fits) in [(1u64 << 20, true), (1 << 40, false), (u64::MAX / 2, false)] {
        let bss = Section::nobits(".bss", size).flags(SHF_ALLOC);
        dir.write("x.o", ElfSpec::new(Format::X86_64, ET_REL).section(bss).build());
        for target in ["srec", "ihex"] {
            let run = dir.objcopy(&["--set-section-flags=.bss=alloc,load,contents", "-O", target, "x.o", "out"]);
            if fits {
                run.quiet();
            } else {
                run.fails(&["'x.o'", "'.bss' [1]", "zeros are too many"]);
            }
        }
    }
}

/// `name` as x32, by us.
fn x32(name: &str) -> (Dir, ReadElf) {
    let dir = Dir::with(&[name]);
    dir.objcopy(&["-O", "elf32-x86-64", name, "x32.o"]).quiet();
    let elf = dir.elf("x32.o");
    (dir, elf)
}

// The x32 vDSO's objects; GNU turns PLT32 relocations into PC32.
#[test]
fn an_x86_64_object_becomes_x32() {
    for name in ["obj-x86_64.o", "obj-clang.o", "odd.o", "tagged.o"] {
        let (dir, elf) = x32(name);
        let old = dir.elf(name);
        assert_eq!((elf.format.class, elf.format.machine), (Class::Elf32, EM_X86_64), "{name}");
        assert_eq!(elf.sections.len(), old.sections.len());
        for (index, (new, old_section)) in elf.sections.iter().zip(&old.sections).enumerate() {
            assert_eq!(
                (&new.name, new.sh_type, new.flags, new.link, new.info),
                (&old_section.name, old_section.sh_type, old_section.flags, old_section.link, old_section.info)
            );
            let index = index as u32;
            match new.sh_type {
                SHT_SYMTAB => {
                    let fields = |elf: &ReadElf| -> Vec<_> {
                        elf.symbols_of(index)
                            .into_iter()
                            .map(|s| (s.name, s.value, s.size, s.info, s.other, s.shndx))
                            .collect()
                    };
                    assert_eq!(fields(&elf), fields(&old), "{name}");
                }
                SHT_RELA => {
                    let fields = |elf: &ReadElf| -> Vec<_> {
                        let kind = |k: u32| if k == 4 { 2 } else { k };
                        elf.relocs_of(index).into_iter().map(|r| (r.offset, r.symbol, kind(r.kind), r.addend)).collect()
                    };
                    assert_eq!(fields(&elf), fields(&old), "{name}");
                    assert!(elf.relocs_of(index).iter().all(|r| r.kind != 4), "{name}: PLT32");
                }
                _ if new.name == b".note.gnu.property" => {}
                _ => assert_eq!(new.data, old_section.data, "{name}: {}", new.label),
            }
        }
        // Edits go along, and a second time there is nothing to convert.
        dir.objcopy(&["-O", "elf32-x86-64", "-R", ".comment", name, "less.o"]).quiet();
        assert!(dir.elf("less.o").index_of(".comment").is_none());
        let once = dir.read("x32.o");
        dir.objcopy(&["-O", "elf32-x86-64", "x32.o"]).quiet();
        same(&dir.read("x32.o"), &once, "converted twice");
        dir.objcopy(&["-O", "elf32-x86-64", name]).quiet();
        same(&dir.read(name), &once, "in place");
        if installed("ld") {
            dir.cmd("ld", &["-m", "elf32_x86_64", "-r", "x32.o", "-o", "linked.o"]).run().quiet();
        }
    }
    for (name, why) in [("hello", "ET_REL"), ("demo-signed.ko", "unsigned")] {
        let dir = Dir::with(&[name]);
        dir.objcopy(&["-O", "elf32-x86-64", name, "no"]).fails(&[&format!("'{name}'"), why]);
    }
    let dir = Dir::with(&["obj-x32.o"]);
    dir.objcopy(&["-O", "elf64-x86-64", "obj-x32.o", "no"]).fails(&["not supported"]);
}

// https://github.com/ClangBuiltLinux/linux/issues/514: the compression header has another size; "Z_DATA_ERROR".
#[test]
fn b23_compressed_sections_are_converted_with_their_header() {
    let (dir, elf) = x32("obj-compressed.o");
    let old = dir.elf("obj-compressed.o");
    let mut seen = 0;
    for (new, old) in elf.sections.iter().zip(&old.sections).filter(|(new, _)| new.flags & SHF_COMPRESSED != 0) {
        seen += 1;
        assert_eq!(new.data[12..], old.data[24..], "{}: the stream", new.label);
        let word = |bytes: &[u8], at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
        let header = |b: &[u8], at: [usize; 3]| at.map(|at| word(b, at));
        assert_eq!(header(&new.data, [0, 4, 8]), header(&old.data, [0, 8, 16]), "{}: type, size, alignment", new.label);
    }
    assert!(seen > 2);
    if installed("readelf") {
        let run = dir.cmd("readelf", &["--debug-dump=info", "-z", "x32.o"]).run().ok();
        assert_eq!(run.stderr(), "");
        assert!(run.text().contains("DW_TAG_compile_unit"));
    }
}

// https://github.com/llvm/llvm-project/issues/57407: the file for the debugger has lost what it is for.
#[test]
fn a_file_for_the_debugger_has_all_but_loaded_contents() {
    for name in
        ["demo.ko", "hello", "libdemo.so", "vmlinux", "obj-mips.o", "obj-s390x.o", "obj-arm.o", "demo-signed.ko"]
    {
        let dir = Dir::with(&[name]);
        dir.objcopy(&["--only-keep-debug", name, "debug"]).ok();
        let (old, new) = (dir.elf(name), dir.elf("debug"));
        assert_eq!(new.sections.len(), old.sections.len(), "{name}");
        for (a, b) in old.sections.iter().zip(&new.sections).skip(1) {
            let goes = a.flags & SHF_ALLOC != 0 && a.sh_type != SHT_NOTE;
            assert_eq!(
                (&b.name, b.flags, b.addr, b.size, b.link, b.info),
                (&a.name, a.flags, a.addr, a.size, a.link, a.info)
            );
            if goes {
                assert_eq!(b.sh_type, SHT_NOBITS, "{name}: {}", b.label);
            } else {
                assert_eq!((b.sh_type, &b.data), (a.sh_type, &a.data), "{name}: {}", b.label);
                assert_eq!(b.offset % b.addralign.max(1), 0, "{name}: {}", b.label);
            }
        }
        assert_eq!(new.segments.len(), old.segments.len());
        for (a, b) in old.segments.iter().zip(&new.segments) {
            assert_eq!(
                (a.p_type, a.flags, a.vaddr, a.paddr, a.memsz, a.align),
                (b.p_type, b.flags, b.vaddr, b.paddr, b.memsz, b.align)
            );
            if a.p_type == PT_LOAD {
                assert_eq!((b.filesz, b.offset % b.align), (0, b.vaddr % b.align), "{name}");
            } else if a.p_type == PT_NOTE {
                let bytes =
                    |elf: &ReadElf, offset: u64, size: u64| elf.bytes[offset as usize..][..size as usize].to_vec();
                assert_eq!(bytes(&old, a.offset, a.filesz), bytes(&new, b.offset, b.filesz), "{name}: notes");
            }
        }
        assert!(dir.read("debug").len() < dir.read(name).len(), "{name}");
        let once = dir.read("debug");
        dir.objcopy(&["--only-keep-debug", "debug"]).quiet();
        same(&dir.read("debug"), &once, &format!("{name} twice"));
    }
    let dir = Dir::with(&["hello"]);
    for other in ["--weaken", "-Obinary", "--remove-section=.text"] {
        dir.objcopy(&["--only-keep-debug", other, "hello", "no"]).fails(&["--only-keep-debug"]);
    }
    // As a distributor splits a program.
    dir.objcopy(&["--only-keep-debug", "hello", "hello.debug"]).quiet();
    dir.objcopy(&["-g", "--add-gnu-debuglink=hello.debug", "hello"]).quiet();
    let link = dir.elf("hello").section(".gnu_debuglink").data.clone();
    assert_eq!(link[..12], *b"hello.debug\0");
    if installed("objcopy") {
        let gnus = Dir::with(&["hello"]);
        gnus.write("hello.debug", dir.read("hello.debug"));
        gnus.cmd("objcopy", &["-g", "--add-gnu-debuglink=hello.debug", "hello"]).run().ok();
        assert_eq!(link, gnus.elf("hello").section(".gnu_debuglink").data, "name and CRC-32");
    }
}
