//! `-O binary`: what an image has.

use super::*;

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

// kbuild runs `chmod -x` on it.
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
