//! Files and command lines with tens of thousands of everything: cost follows their size, not its square. That shows with
//! 70,000 of each, in `make torture`; else the same cases are carried out in small.
#![allow(clippy::unwrap_used, clippy::panic, clippy::cast_possible_truncation, reason = "tests")]

use elfgraft_edit::{
    AddressEdit, Addresses, Content, Edits, FlagSet, NewSymbol, Pattern, Patterns, Rename, Shift, Strip, SymbolEdits,
    SymbolNames, Target, plan,
};
use elfgraft_elf::Image;
use elfgraft_fuzzlaws::each::{OPERATIONS, archive};
use elfgraft_testkit::consts::*;
use elfgraft_testkit::elf::{ElfSpec, Section, Segment};
use elfgraft_testkit::format::Format;
use elfgraft_testkit::symbols::Symbol;

const FORMAT: Format = Format::FOUR[0];

/// How many of everything.
fn many() -> u32 {
    if std::env::var_os("ELFGRAFT_TORTURE").is_some() { 70_000 } else { 2_000 }
}

/// Seconds of CPU that one operation may take.
fn limit() -> f64 {
    // A debug build takes several times as long.
    if cfg!(debug_assertions) { 2.0 } else { 1.0 }
}

fn cpu() -> f64 {
    let times = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    times.split(' ').next().unwrap().parse::<f64>().unwrap() / 1e9
}

/// What took too long.
#[derive(Default)]
struct Slow(Vec<String>, u32);

impl Slow {
    fn time<T>(&mut self, what: &str, f: impl FnOnce() -> T) -> T {
        let before = cpu();
        let result = f();
        let took = cpu() - before;
        if took > limit() / 10.0 {
            eprintln!("{what}: {took:.2} s");
        }
        if took > limit() {
            self.0.push(format!("{what}: {took:.2} s"));
        }
        self.1 += 1;
        result
    }

    fn end(self) {
        println!("{} operations", self.1);
        assert!(self.0.is_empty(), "{:#?}", self.0);
    }
}

fn object(sections: impl IntoIterator<Item = Section>) -> Vec<u8> {
    ElfSpec::new(FORMAT, ET_REL).sections(sections).build()
}

/// `.s0` and so on.
fn sections(count: u32) -> Vec<u8> {
    object((0..count).map(|i| Section::progbits(format!(".s{i}"), SHF_ALLOC, [1; 4]).align(4)))
}

/// Name, and a file of the kind that took the square of its sections.
fn files(count: u32) -> Vec<(&'static str, Vec<u8>)> {
    let half = count / 2;
    let table = |i: u32| Section::new(".y", SHT_SYMTAB).data([0; 24]).link(i).info(1u32).entsize(24);
    let groups = (0..half).map(|i| {
        let words: Vec<u8> = [1, half + 1 + i].iter().flat_map(|word: &u32| word.to_le_bytes()).collect();
        Section::new(".g", SHT_GROUP).data(words).link(count + 1).info(1u32).entsize(4).align(4)
    });
    let members = (0..half).map(|_| Section::progbits(".t", SHF_ALLOC | SHF_GROUP, [1]));
    let symbols = (0..count).map(|i| Symbol::global(&format!("s{i}"), i % 1000 + 1)).collect();
    let loads = |sections: u32, segments: usize| {
        let load = Segment::load(4, 1u32, sections).vaddr(0x1000).paddr(0x1000);
        let mut spec = ElfSpec::new(FORMAT, ET_EXEC).sections(
            (0..sections).map(|i| Section::progbits(".s", SHF_ALLOC, [1; 4]).addr(0x1000 + 4 * u64::from(i))),
        );
        spec.segments = vec![load; segments];
        spec.build()
    };
    vec![
        ("sections", sections(count)),
        ("string tables", object((0..count).map(|_| Section::new(".s", SHT_STRTAB).data([0])))),
        ("symbol tables", object((0..count).map(|_| table(1)))),
        (
            "groups",
            ElfSpec::new(FORMAT, ET_REL).sections(groups.chain(members)).symbols(vec![Symbol::section(".t")]).build(),
        ),
        (
            "symbols",
            ElfSpec::new(FORMAT, ET_REL)
                .sections((0..1000).map(|_| Section::progbits(".t", 6, [1])))
                .symbols(symbols)
                .build(),
        ),
        ("empty sections in another", {
            let empty = |_| Section::progbits(".e", 0, []).offset(80);
            object([Section::progbits(".s", 0, [1; 400])].into_iter().chain((1..count).map(empty)))
        }),
        // No section says whether the segments are those of another file.
        ("segments, maybe of another file", {
            let plain = (0..half.min(2000)).map(|_| Section::progbits(".s", 0, [1]));
            let bss = (0..half.min(2000)).map(|_| Section::nobits(".b", 1).addr(1 << 40));
            let mut spec = ElfSpec::new(FORMAT, ET_EXEC).sections(plain.chain(bss));
            spec.segments = vec![Segment::load(4, 1u32, 2u32).vaddr(0x1000).paddr(0x1000); half.min(2000) as usize];
            spec.build()
        }),
        // As many as are read; more of both are refused.
        ("segments", loads(count.min(4000), count.min(4000) as usize)),
        ("more segments", loads(count, 60_000.min(20 * count as usize))),
    ]
}

#[test]
fn every_operation_on_files_of_many() {
    let mut slow = Slow::default();
    for (what, file) in files(many()) {
        for (name, operation) in OPERATIONS {
            let _ = slow.time(&format!("{name}: {what}"), || operation(&file));
        }
        let lma = |shift| AddressEdit { option: "x", pattern: Pattern::new(b".s*"), shift, vma: false, lma: true };
        let addresses = Addresses { sections: vec![lma(Shift::Up(4096))], ..Addresses::default() };
        let image = Image::parse(&file);
        let edits = Edits { addresses, ..Edits::default() };
        slow.time(&format!("load addresses: {what}"), || image.is_ok_and(|image| plan(&image, &edits).is_ok()));
    }
    slow.end();
}

fn five_thousand<T>(of: impl Fn(u32) -> T) -> Vec<T> {
    (0..many().min(5000)).map(of).collect()
}

#[test]
fn thousands_of_names_on_one_command_line() {
    let mut slow = Slow::default();
    let file = sections(many());
    let image = Image::parse(&file).unwrap();
    let name = |i: u32| format!(".s{}", i * (many() / many().min(5000))).into_bytes();
    let new = |i: u32| format!(".n{i}").into_bytes();
    let patterns = || five_thousand(|i| Pattern::new(&name(i))).into_iter().collect::<Patterns>();
    let content = |of: &dyn Fn(u32) -> Vec<u8>| five_thousand(|i| Content { section: of(i), bytes: vec![7; 4].into() });
    let update = five_thousand(|i| Content { section: Target::Name(name(i)), bytes: vec![7; 4].into() });
    let flags = FlagSet::parse("alloc").unwrap();
    let address =
        |i| AddressEdit { option: "x", pattern: Pattern::new(&name(i)), shift: Shift::Up(4), vma: true, lma: true };
    let all = [
        ("remove", Edits { remove: patterns(), ..Edits::default() }),
        ("only", Edits { only: patterns(), ..Edits::default() }),
        ("keep", Edits { only: [Pattern::new(b".s1")].into_iter().collect(), keep: patterns(), ..Edits::default() }),
        ("add", Edits { add: content(&new), ..Edits::default() }),
        ("remove and add", Edits { remove: patterns(), add: content(&name), ..Edits::default() }),
        ("set", Edits { set: content(&name), ..Edits::default() }),
        ("update", Edits { update, ..Edits::default() }),
        (
            "rename",
            Edits { rename: five_thousand(|i| Rename { from: name(i), to: new(i), flags: None }), ..Edits::default() },
        ),
        ("flags", Edits { flags: five_thousand(|i| (Pattern::new(&name(i)), flags)), ..Edits::default() }),
        ("alignment", Edits { align: five_thousand(|i| (Pattern::new(&name(i)), 8)), ..Edits::default() }),
        (
            "addresses",
            Edits {
                addresses: Addresses { sections: five_thousand(address), ..Addresses::default() },
                ..Edits::default()
            },
        ),
    ];
    for (what, edits) in all {
        slow.time(what, || plan(&image, &edits).unwrap_or_else(|e| panic!("{what}: {e}")));
    }

    let symbols = (0..many()).map(|i| Symbol::global(&format!("s{i}"), 1u32)).collect();
    let file = ElfSpec::new(FORMAT, ET_REL).section(Section::progbits(".text", 6, [1])).symbols(symbols).build();
    let image = Image::parse(&file).unwrap();
    let names = |wildcard| SymbolNames::new(five_thousand(|i| format!("s{i}").into_bytes()), wildcard);
    let redefine =
        || five_thousand(|i| (format!("s{i}").into_bytes(), format!("t{i}").into_bytes())).into_iter().collect();
    let new =
        |i| NewSymbol { name: format!("n{i}").into(), section: Some(b".text".into()), value: 0, info: 0x10, other: 0 };
    for (what, symbols) in [
        ("keep symbols", SymbolEdits { strip: Strip::All, keep: names(false), ..SymbolEdits::default() }),
        ("keep symbols, as patterns", SymbolEdits { strip: Strip::All, keep: names(true), ..SymbolEdits::default() }),
        ("redefine symbols", SymbolEdits { redefine: redefine(), ..SymbolEdits::default() }),
        ("add symbols", SymbolEdits { add: five_thousand(new), ..SymbolEdits::default() }),
    ] {
        let edits = Edits { symbols, ..Edits::default() };
        slow.time(what, || plan(&image, &edits).unwrap_or_else(|e| panic!("{what}: {e}")));
    }
    slow.end();
}

/// A member's header.
fn header(name: &str, size: usize) -> Vec<u8> {
    format!("{name:<16}{:<12}{:<6}{:<6}{:<8}{size:<10}`\n", 0, 0, 0, 644).into_bytes()
}

#[test]
fn archives_of_many_members_and_of_long_names() {
    let mut slow = Slow::default();
    let object = object([Section::progbits(".t", SHF_ALLOC, [1; 4])]);
    let member = [header("m/", object.len()), object].concat();
    let members = [&b"!<arch>\n"[..], &member.repeat(many() as usize)].concat();
    assert!(slow.time("members", || archive(&members)).unwrap() >= members.len());

    // Names that share their bytes, until together they are many times the archive.
    let of_name = |len: usize, count: usize| {
        let name = [&vec![b'n'; len][..], b"/\n"].concat();
        [&b"!<arch>\n"[..], &header("//", name.len()), &name, &header("/0", 0).repeat(count)].concat()
    };
    assert!(archive(&of_name(100, 40)).is_ok());
    for (len, count) in [(500_000, 1), (500_000, 8000), (4096, 16_000)] {
        let why = slow.time("one name", || archive(&of_name(len, count))).unwrap_err();
        assert!(why.contains("name of a member"), "{why}");
    }

    // The index of symbols has all their names.
    let symbols = |count| {
        let names = [&b"\0"[..], &[b's'; 50_000], b"\0"].concat();
        let table =
            [&[0; 24][..], &[1, 0, 0, 0, 0x10, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0].repeat(count)];
        let object = object_of(&table.concat(), &names);
        let index = [header("/", 4), vec![0; 4]].concat();
        [&b"!<arch>\n"[..], &index, &header("m/", object.len()), &object].concat()
    };
    assert!(archive(&symbols(2)).is_ok());
    let why = slow.time("symbols of one name", || archive(&symbols(20_000))).unwrap_err();
    assert!(why.contains("share names"), "{why}");
    slow.end();
}

fn object_of(symbols: &[u8], names: &[u8]) -> Vec<u8> {
    object([
        Section::progbits(".t", SHF_ALLOC, [1; 4]),
        Section::new(".symtab", SHT_SYMTAB).data(symbols).link(3u32).info(1u32).entsize(24).align(8),
        Section::new(".strtab", SHT_STRTAB).data(names),
    ])
}
