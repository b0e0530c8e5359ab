//! Every line of docs/kernel-calls.md is run as it stands there: what it says works does, and gives what GNU's tool
//! gives; what it says is refused is refused by name.

// clippy.toml allows it in tests, but not in what they call.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod meaning;
mod util;

use elfgraft_testkit::consts::*;
use elfgraft_testkit::elf::Section;
use elfgraft_testkit::format::{Class, Endian, Format};
use elfgraft_testkit::layouts;
use elfgraft_testkit::read::ReadElf;
use meaning::meaning;
use util::{Dir, fixture, foreign, installed, personality, same};

/// A row of the table: where the call stands, the call, its state.
struct Call {
    place: String,
    words: Vec<String>,
    works: bool,
    /// What GNU's tool does differently, in the words of the third column.
    differs: bool,
}

fn calls() -> Vec<Call> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/kernel-calls.md");
    let text = std::fs::read_to_string(path).unwrap();
    let rows = text.lines().filter_map(|line| {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let call = cells.get(1)?.strip_prefix('`')?.strip_suffix('`')?;
        let state = *cells.get(2)?;
        let words = call.split_whitespace().map(|w| w.trim_matches('\'').to_owned()).collect();
        assert!(["works", "refused"].iter().any(|s| state.starts_with(s)), "state of {line}");
        let (works, differs) = (state.starts_with("works"), state.contains("differs"));
        Some(Call { place: cells[0].to_owned(), words, works, differs })
    });
    rows.collect()
}

/// Format and object of the architecture a call is for.
fn architecture(place: &str) -> (Format, Vec<u8>) {
    let elf64 = |endian, machine| Format::new(Class::Elf64, endian, machine);
    let by_fixture = |format: Format, name: &str| (format, fixture(name));
    match place.strip_prefix("arch/").and_then(|p| p.split(['/', ',']).next()) {
        Some("arm64") => by_fixture(Format::AARCH64, "obj-aarch64.o"),
        Some("riscv") => by_fixture(elf64(Endian::Little, EM_RISCV), "obj-riscv64.o"),
        Some("s390") => by_fixture(Format::S390X, "obj-s390x.o"),
        Some("powerpc") => by_fixture(Format::new(Class::Elf32, Endian::Big, EM_PPC), "obj-powerpc.o"),
        Some("arm") => by_fixture(Format::ARM, "obj-arm.o"),
        Some("mips") => by_fixture(Format::MIPS, "obj-mips.o"),
        Some("loongarch") => {
            let format = elf64(Endian::Little, EM_LOONGARCH);
            (format, layouts::gnu_ld_object(format).build())
        }
        _ => by_fixture(Format::X86_64, "obj-x86_64.o"),
    }
}

/// The files that the calls name.
fn directory(place: &str) -> Dir {
    let (format, object) = architecture(place);
    let dir = Dir::new();
    // Sections that the linker scripts and sources of one architecture or driver have.
    let info = Section::progbits(".vmlinux.info", 0, [0x76; 24]);
    let reginfo = Section::new(".reginfo", 0x7000_0006).data([0; 24]);
    let vmlinux = layouts::vmlinux(format, false);
    let vmlinux = match format.machine {
        EM_S390 => vmlinux.section(info),
        EM_MIPS => vmlinux.section(reginfo),
        _ => vmlinux,
    };
    dir.write("vmlinux", vmlinux.build());
    dir.write("vmlinux-relocs", layouts::vmlinux(format, true).build());
    // Another class than the object's, where that has 32 bits.
    let format64 = Format { class: Class::Elf64, ..format };
    dir.write("vmlinux64", layouts::vmlinux(format64, false).build());
    dir.write("object.o", object);
    if place.contains("lkdtm") {
        let text = Section::progbits(".noinstr.text", SHF_ALLOC | SHF_EXECINSTR, [0xcc; 16]);
        dir.write("object.o", layouts::gnu_ld_object(format).section(text).build());
    }
    dir.write("demo.ko", fixture("demo.ko"));
    dir.write("btf", fixture("demo.btf"));
    dir.write("bytes.gz", "compressed, as far as objcopy knows");
    dir
}

/// What the options promise of the output, whichever file it was made from.
fn promises(words: &[String], output: &[u8], what: &str) {
    let has = |names: &[&str]| words.iter().any(|w| names.contains(&w.as_str()));
    let form = words.windows(2).rfind(|w| w[0] == "-O").map(|w| w[1].as_str());
    if form.is_some_and(|form| ["binary", "srec"].contains(&form)) {
        assert!(!output.is_empty(), "{what}");
        return;
    }
    let elf = ReadElf::parse(output);
    if has(&["-S", "-s"]) {
        assert!(!elf.sections.iter().any(|s| s.sh_type == SHT_SYMTAB), "{what}: symbols");
    }
    for (at, word) in words.iter().enumerate() {
        let next = words.get(at + 1).map_or("", String::as_str);
        let removed =
            word.strip_prefix("--remove-section=").or((word == "-R" || word == "--remove-section").then_some(next));
        if let Some(name) = removed.filter(|n| !n.contains(['*', '!'])) {
            assert!(elf.index_of(name).is_none(), "{what}: {name}");
        }
        if let Some(prefix) = word.strip_prefix("--prefix-symbols=") {
            let mut named = elf.symbols().into_iter().filter(|s| !s.name.is_empty() && s.info & 15 != STT_SECTION);
            assert!(named.all(|s| s.name.starts_with(prefix.as_bytes())), "{what}: prefix of symbols");
        }
        if let Some(prefix) = word.strip_prefix("--prefix-alloc-sections=") {
            let mut loaded = elf.sections.iter().filter(|s| s.flags & SHF_ALLOC != 0);
            assert!(loaded.all(|s| s.name.starts_with(prefix.as_bytes())), "{what}: prefix of sections");
        }
        if let Some((old, new)) = next.split_once('=').filter(|_| word == "--rename-section") {
            let new = new.split(',').next().unwrap();
            // An object of a fixture may be without the section.
            let had = has(&["binary"]) || !old.contains("data") && !old.contains("bss");
            assert!(!had || elf.index_of(new).is_some() && elf.index_of(old).is_none(), "{what}: {new}");
        }
    }
    if has(&["--strip-debug", "-g"]) {
        assert!(!elf.sections.iter().any(|s| s.name.starts_with(b".debug_info")), "{what}: debugging sections");
    }
}

/// Runs a call with a tool; the file it writes, if it does.
fn run(dir: &Dir, call: &Call, gnu: bool) -> (Option<i32>, String, Option<Vec<u8>>) {
    let (tool, args) = call.words.split_first().unwrap();
    let program = if gnu { tool.into() } else { personality(&format!("elfgraft-{tool}")) };
    // Without OUT a file is edited in place.
    let names = ["OUT", "vmlinux-relocs", "vmlinux", "object.o", "demo.ko"];
    let output = names.into_iter().find(|n| args.iter().any(|a| a == n)).unwrap();
    let run = dir.cmd(program, args).run();
    let written = dir.path(output).exists().then(|| dir.read(output));
    (run.code(), run.stderr(), written)
}

#[test]
fn the_calls_of_the_document_do_what_it_says() {
    let calls = calls();
    assert!(calls.len() > 50, "{} calls: is the table still one?", calls.len());
    let gnu = installed("objcopy");
    let mut failures = Vec::new();
    for call in calls {
        let what = format!("{}: {}", call.place, call.words.join(" "));
        let (dir, theirs) = (directory(&call.place), directory(&call.place));
        let (code, text, output) = run(&dir, &call, false);
        if !call.works {
            assert_ne!(code, Some(0), "{what}");
            assert!(
                call.words.iter().any(|w| w.contains('-') && text.contains(w.split('=').next().unwrap())),
                "{what}: {text}"
            );
            continue;
        }
        assert_eq!((code, text.as_str()), (Some(0), ""), "{what}");
        let output = output.expect("an output");
        promises(&call.words, &output, &what);
        if !gnu || call.differs {
            continue;
        }
        let (code, text, expected) = run(&theirs, &call, true);
        if foreign(&text) {
            continue;
        }
        assert_eq!(code, Some(0), "{what}: GNU's says {text}");
        let expected = expected.unwrap();
        if !expected.starts_with(b"\x7fELF") {
            same(&output, &expected, &what);
            continue;
        }
        let (ours, gnus) = (meaning(&output), meaning(&expected));
        // Where a file has no section symbols, GNU's tools make some.
        let all = ours.symmetric_difference(&gnus).filter(|d| !d.starts_with("symbol ["));
        let differences: Vec<_> = all.map(|d| d.chars().take(200).collect::<String>()).collect();
        failures.extend(differences.into_iter().map(|d| format!("{what}: {d}")));
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
