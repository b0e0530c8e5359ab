//! What people reported, group p: speed and memory; and signatures that vanish.

// clippy.toml allows it in tests, but not in what they call.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::cast_possible_truncation)]

mod util;

use std::fs::{self, File};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::time::{Duration, Instant};

use elfgraft_testkit::consts::*;
use elfgraft_testkit::elf::{ElfSpec, Section};
use elfgraft_testkit::fields::{header_field, poke_header, poke_section, section_field, section_header};
use elfgraft_testkit::format::Format;
use elfgraft_testkit::inputs::*;
use elfgraft_testkit::symbols::Symbol;
use util::faults::strace;
use util::{Dir, ELFGRAFT, fixture, installed, same};

const GIB: u64 = 1 << 30;

/// Writes an object whose `.debug_info` is `size` bytes long, all of them a hole but the first ones.
fn sparse_object(dir: &Dir, name: &str, size: u64) {
    let spec = ElfSpec::new(Format::X86_64, ET_REL)
        .section(Section::progbits(".text", SHF_ALLOC | SHF_EXECINSTR, [0xc3; 64]))
        .section(Section::progbits(".debug_info", 0, vec![0x11; 4096]).align(4096))
        .symbols(vec![Symbol::global("f", ".text")]);
    let mut small = spec.build();
    let (delta, behind) = (size - 4096, section_field(&small, 2, "sh_offset") as usize + 4096);
    poke_section(&mut small, 2, "sh_size", size);
    for later in 3..=5 {
        let offset = section_field(&small, later, "sh_offset");
        poke_section(&mut small, later, "sh_offset", offset + delta);
    }
    assert!(section_header(&small, 0) >= behind);
    let shoff = header_field(&small, "e_shoff");
    poke_header(&mut small, "e_shoff", shoff + delta);
    let file = File::create(dir.path(name)).unwrap();
    file.write_all_at(&small[..behind], 0).unwrap();
    file.write_all_at(&small[behind..], behind as u64 + delta).unwrap();
}

/// Peak resident memory of a command in kB, as far as looking at it every millisecond tells.
fn peak(dir: &Dir, args: &[&str]) -> u64 {
    let mut child = dir.cmd(ELFGRAFT, args).spawn();
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    loop {
        let text = fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|l| l.strip_prefix("VmHWM:"));
        let seen = line.and_then(|l| l.trim().trim_end_matches(" kB").parse().ok());
        peak = peak.max(seen.unwrap_or(0));
        if let Some(status) = child.try_wait().unwrap() {
            assert!(status.success(), "{args:?}");
            return peak;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

// https://github.com/llvm/llvm-project/pull/217706: LLVM takes 2.15 GB of memory to add 40 bytes to a file of 1 GiB, GNU
// 1.05 GB.
#[test]
fn p1_p2_memory_does_not_follow_file_size() {
    let dir = Dir::new();
    sparse_object(&dir, "x.o", GIB);
    dir.write("f", [7; 40]);
    let limits = "ulimit -d 16384";
    for args in [
        &["objcopy", "--add-section", ".BTF=f", "x.o", "out.o"][..],
        &["objcopy", "x.o", "out.o"],
        &["objcopy", "-R", ".text", "-R", ".symtab", "-R", ".strtab", "x.o", "out.o"],
        &["set", ".BTF=f", "x.o"],
        &["remove", ".BTF", "x.o"],
        &["set", "--in-place", ".BTF=f", "x.o"],
    ] {
        // No more than 16 MB of memory of its own, stacks and all.
        dir.cmd(ELFGRAFT, args).after(limits).run().quiet();
        let target = args.last().unwrap();
        assert!(dir.metadata(target).len() >= GIB, "{args:?}");
        assert!(dir.metadata(target).blocks() < 2048, "{args:?}: holes were filled");
        let _ = fs::remove_file(dir.path("out.o"));
    }
    // A limit on addresses is another thing: the input is mapped. If that is not allowed, it is an error like others.
    let run = dir.cmd(ELFGRAFT, &["set", ".BTF=f", "x.o"]).after("ulimit -v 300000").run();
    if run.code() != Some(0) {
        run.fails(&["'x.o'", "Cannot allocate memory"]);
    }
    assert!(dir.elfgraft(&["show", "x.o"]).ok().text().contains(".debug_info"));
    let kb = peak(&dir, &["set", ".other=f", "x.o"]);
    assert!(kb > 0 && kb < 32 * 1024, "{kb} kB resident");
    assert_eq!(dir.elfgraft(&["dump", ".other=-", "x.o"]).ok().stdout(), [7; 40]);
}

// https://github.com/llvm/llvm-project/issues/60577: unchanged bytes go through user space.
// https://github.com/ClickHouse/ClickHouse/pull/78668: a copy more than there need be.
#[test]
fn p3_p4_kept_bytes_are_copied_once_and_by_the_kernel() {
    if !installed("strace") {
        return;
    }
    let dir = Dir::new();
    let text = Section::progbits(".text", SHF_ALLOC | SHF_EXECINSTR, vec![0xc3; 8 << 20]);
    let old = ElfSpec::new(Format::X86_64, ET_REL).section(text).build();
    dir.write("x.o", &old);
    dir.write("f", [7; 40]);
    for args in [&["set", ".BTF=f", "x.o"][..], &["set", ".BTF=f", "-o", "out.o", "x.o"]] {
        dir.write("x.o", &old);
        let log = dir.path("log").display().to_string();
        let calls = "trace=write,pwrite64,writev,pwritev,copy_file_range,sendfile,ioctl";
        strace(dir.cmd(ELFGRAFT, args), &["-o", &log, "-e", calls]).run().quiet();
        let log = String::from_utf8(dir.read("log")).unwrap();
        let sum = |call: &str| -> u64 {
            let lines = log.lines().filter(|l| l.contains(call));
            lines.filter_map(|l| l.rsplit("= ").next()?.trim().parse::<u64>().ok()).sum()
        };
        let cloned = log.lines().any(|l| l.contains("FICLONE") && l.ends_with("= 0"));
        assert!(sum("write") < 64 * 1024, "{log}");
        assert!(cloned || (8 << 20..9 << 20).contains(&sum("copy_file_range")), "{log}");
    }
}

// https://sourceware.org/bugzilla/show_bug.cgi?id=29993: passes that are quadratic in the number of sections take minutes.
#[test]
fn p5_nothing_is_quadratic() {
    let dir = Dir::new();
    dir.write("many.o", g1_many_sections(Format::X86_64, 60_000));
    let start = Instant::now();
    let mut args = vec!["objcopy".to_string()];
    for n in 0..50 {
        args.extend(["-R".into(), format!(".text.f{n}?9*"), format!("--set-section-flags=*{n}7=readonly,code,alloc")]);
    }
    args.extend(["many.o".into(), "out.o".into()]);
    dir.elfgraft(&args).quiet();
    // Less than a second by itself; a comparison of all with all would be 3.6 thousand million.
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    let left = dir.elf("out.o").sections.len();
    assert!(left > 40_000 && left < 58_000, "{left} sections");
}

// https://github.com/anatol/booster/pull/418, https://github.com/rpm-software-management/rpm/pull/1744: all five tools
// drop the appended signature without a word, and the module is rejected at boot.
#[test]
fn f1_a_signature_is_never_dropped_silently() {
    let dir = Dir::new();
    dir.write("f", "x");
    let generated = Format::FOUR.iter().flat_map(|&f| [g9_signed(f), g9_merkle(f, 3, 4)]);
    for old in generated.chain([fixture("demo-signed.ko")]) {
        let marker = b"~Module signature appended~\n";
        assert!(old.ends_with(marker));
        // Native: refused.
        dir.write("m.ko", &old);
        for args in [&["set", ".new=f", "m.ko"][..], &["set", "--in-place", ".new=f", "m.ko"]] {
            dir.elfgraft(args).fails(&["'m.ko'", "--drop-signature"]);
        }
        same(&dir.read("m.ko"), &old, "after the refusals");
        dir.elfgraft(&["set", "--drop-signature", ".new=f", "m.ko"]).quiet();
        let new = dir.read("m.ko");
        assert!(dir.elf("m.ko").trailer.is_empty() && !new.windows(28).any(|w| w == marker));
        // Drop-in: dropped with a warning, or because it was asked for.
        for (option, warned) in [("-D", true), ("--drop-signature", false)] {
            dir.write("m.ko", &old);
            let run = dir.objcopy(&[option, "--add-section", ".new=f", "m.ko"]).ok();
            let warning = run.stderr();
            let expected =
                warning.starts_with("elfgraft: warning: 'm.ko': the appended ") && warning.contains("is dropped");
            run.check(if warned { expected } else { warning.is_empty() }, "a warning, unless it was asked for");
            assert!(dir.elf("m.ko").trailer.is_empty());
        }
        // What changes nothing, and what only reads, leaves it.
        dir.write("m.ko", &old);
        dir.objcopy(&["m.ko", "copy.ko"]).quiet();
        same(&dir.read("copy.ko"), &old, "a copy");
        dir.elfgraft(&["dump", ".BTF_ids=ids", "m.ko"]).quiet();
        assert!(dir.elfgraft(&["show", "m.ko"]).ok().text().contains("appended"));
        same(&dir.read("m.ko"), &old, "after reading");
    }
}
