//! Files made to cost as much as they can: of one MB, with everything in them that refers to everything else. No operation
//! needs more than 64 MB or a second. One test, because the limit of memory is the process's.
#![allow(clippy::unwrap_used, clippy::panic, clippy::cast_possible_truncation, reason = "tests")]

use elfgraft_fuzzlaws::each::OPERATIONS;
use rustix::process::{Resource, getrlimit, setrlimit};

const MB: usize = 1 << 20;
/// `sh_type` and `sh_flags` by name.
const PROGBITS: u64 = 1;
const SYMTAB: u64 = 2;
const STRTAB: u64 = 3;
const RELA: u64 = 4;
const NOTE: u64 = 7;
const GROUP: u64 = 17;
const SHNDX: u64 = 18;
const ADDRSIG: u64 = 0x6fff_4c03;

/// A section header: sh_name, sh_type, sh_flags, sh_addr, sh_offset, sh_size, sh_link, sh_info, sh_addralign, sh_entsize.
type Header = [u64; 10];

/// An ELF64 object: header, `body` from offset 64 on, program headers, section headers. Section 1 holds the names.
fn file(e_type: u16, body: &[u8], segments: usize, sections: &[Header]) -> Vec<u8> {
    let mut out = vec![0x7f, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let phoff = 64 + body.len() as u64;
    let shoff = phoff + 56 * segments as u64;
    let many = sections.len() + 1 >= 0xff00;
    out.extend([e_type.to_le_bytes(), 62u16.to_le_bytes()].concat());
    out.extend(1u32.to_le_bytes());
    out.extend([0, if segments == 0 { 0 } else { phoff }, shoff].iter().flat_map(|v: &u64| v.to_le_bytes()));
    out.extend(0u32.to_le_bytes());
    let count = if many { 0 } else { sections.len() as u16 + 1 };
    let halves = [64, 56, segments as u16, 64, count, 1];
    out.extend(halves.iter().flat_map(|v: &u16| v.to_le_bytes()));
    out.extend(body);
    for segment in 0..segments as u64 {
        // PT_LOAD, or one PT_NOTE after the other, over all of the body.
        out.extend([1 + 3 * (segment & 1) as u32, 4].iter().flat_map(|v: &u32| v.to_le_bytes()));
        let size = body.len() as u64;
        out.extend([64, 64, 64, size, size, 1].iter().flat_map(|v: &u64| v.to_le_bytes()));
    }
    let first = [0, 0, 0, 0, 0, if many { sections.len() as u64 + 1 } else { 0 }, 0, 0, 0, 0];
    for header in [first].iter().chain(sections) {
        for (field, value) in header.iter().enumerate() {
            let word = matches!(field, 0 | 1 | 6 | 7);
            out.extend(&value.to_le_bytes()[..if word { 4 } else { 8 }]);
        }
    }
    out
}

/// Names of sections of most kinds, at offsets 1, 7, 13 and so on.
const NAMES: &[u8] = b"\0.text\0.symt\0.strt\0.BTF_ids\0.group\0.note\0";

/// `count` sections of one type that all have the same contents, behind the names, a symbol table and its strings.
fn alike(sh_type: u64, flags: u64, count: usize, contents: &[u8], entsize: u64) -> Vec<u8> {
    let body = [NAMES, contents].concat();
    let symbol_names = [0, STRTAB, 0, 0, 64, NAMES.len() as u64, 0, 0, 1, 0];
    let symbols = [7, SYMTAB, 0, 0, 64 + NAMES.len() as u64, (contents.len() / 24 * 24) as u64, 1, 1, 8, 24];
    let one = [1, sh_type, flags, 64, 64 + NAMES.len() as u64, contents.len() as u64, 2, 3, 1, entsize];
    let mut sections = vec![symbol_names, symbols];
    sections.extend(vec![one; count]);
    file(1, &body, 0, &sections)
}

/// `symbols` in one table, all of them with what `of` gives: st_name, st_info, st_shndx, st_value, st_size.
fn symbols(names: &[u8], count: u32, of: impl Fn(u32) -> (u32, u8, u16, u64, u64)) -> Vec<u8> {
    let ids = vec![0u8; 64 << 10];
    let mut body = [NAMES, names, &ids].concat();
    let at = 64 + body.len() as u64;
    for number in 0..count {
        let (name, info, section, value, size) = if number == 0 { (0, 0, 0, 0, 0) } else { of(number) };
        body.extend([&name.to_le_bytes()[..], &[info, 0], &section.to_le_bytes()].concat());
        body.extend([value.to_le_bytes(), size.to_le_bytes()].concat());
    }
    let names_at = 64 + NAMES.len() as u64;
    let sections = [
        [0, STRTAB, 0, 0, 64, NAMES.len() as u64, 0, 0, 1, 0],
        [7, SYMTAB, 0, 0, at, u64::from(count) * 24, 3, 1, 8, 24],
        [13, STRTAB, 0, 0, names_at, names.len() as u64, 0, 0, 1, 0],
        [19, PROGBITS, 2, 0, names_at + names.len() as u64, ids.len() as u64, 0, 0, 4, 0],
    ];
    file(1, &body, 0, &sections)
}

/// Name, and the file.
fn hostile() -> Vec<(&'static str, Vec<u8>)> {
    let half = MB / 2;
    let many = half / 64 - 8;
    let ones = [1u32; MB / 8].iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>();
    let long = [&b"\0"[..], &vec![b'f'; half], b"\0"].concat();
    let long_names = {
        let mut headers = vec![[1, STRTAB, 0, 0, 64, long.len() as u64, 0, 0, 1, 0]];
        headers.extend(vec![[1, PROGBITS, 0, 0, 64, 1, 0, 0, 1, 0]; many]);
        file(1, &long, 0, &headers)
    };
    let empty = |sh_type: u64, count: usize| {
        let mut headers = vec![[0, STRTAB, 0, 0, 64, NAMES.len() as u64, 0, 0, 1, 0]];
        headers.extend((0..count as u64).map(|n| [1, sh_type, 0, 0, 64, 0, n & 3, n, 1, 0]));
        file(1, NAMES, 0, &headers)
    };
    let loaded = |e_type, segments, count| {
        let body = [NAMES, &vec![7; half / 2]].concat();
        let mut headers = vec![[0, STRTAB, 0, 0, 64, NAMES.len() as u64, 0, 0, 1, 0]];
        headers.extend((0..count as u64).map(|n| [1, PROGBITS, 2, 64 + n, 64 + n, 1 + (n & 1), 0, 0, 1, 0]));
        file(e_type, &body, segments, &headers)
    };
    let set8 = b"\0__BTF_ID__set8__x\0__BTF_ID__func__f__1\0";
    let suffixes = [&b"\0"[..], &vec![b'f'; half / 4], b"\0"].concat();
    vec![
        ("many sections of one long name", long_names),
        ("sections of the same contents", alike(PROGBITS, 0, many, &ones, 0)),
        ("allocated sections of the same contents", alike(PROGBITS, 2, many, &ones, 0)),
        ("merged strings of the same contents", alike(PROGBITS, 0x30, many, &ones, 1)),
        ("compressed sections of the same contents", alike(PROGBITS, 0x800, many, &ones, 1)),
        ("groups of the same members", alike(GROUP, 0, many, &ones, 4)),
        ("relocation sections of the same relocations", alike(RELA, 0, many, &ones, 24)),
        // As many as are read; more are refused.
        ("symbol tables of the same symbols", alike(SYMTAB, 0, 200, &ones[..half / 24 * 24], 24)),
        ("more symbol tables", alike(SYMTAB, 0, many, &ones[..half / 24 * 24], 24)),
        ("extended indices of the same words", alike(SHNDX, 0, many, &ones, 4)),
        ("address-significance tables", alike(ADDRSIG, 0, many, &ones, 1)),
        ("notes of the same contents", alike(NOTE, 2, many, &ones, 1)),
        ("string tables", empty(STRTAB, 2 * many)),
        ("empty groups", empty(GROUP, 2 * many)),
        ("empty relocation sections", empty(RELA, 2 * many)),
        ("empty symbol tables", empty(SYMTAB, 2 * many)),
        ("sections in order of nothing", empty(PROGBITS, 2 * many)),
        ("sections in many segments", loaded(2, 4000, 4000)),
        ("sections in more segments", loaded(2, half / 2 / 56, many)),
        ("sections that overlap by a byte", loaded(1, 0, many)),
        ("symbols of one long name", symbols(&long, ((half - 70_000) / 24) as u32, |_| (1, 0x10, 4, 0, 0))),
        ("symbols whose names end alike", symbols(&suffixes, 30_000, |n| (1 + n, 0x10, 4, 0, 0))),
        ("section symbols", symbols(b"\0", 40_000, |_| (0, 3, 4, 0, 0))),
        (
            "sets of all IDs",
            symbols(set8, 40_000, |n| if n & 1 == 0 { (1, 0, 4, 0, 65_536) } else { (19, 0, 4, u64::from(n & !3), 4) }),
        ),
        ("sets in sets", symbols(set8, 40_000, |n| (1, 0, 4, u64::from(n / 8 * 8), 65_536 - u64::from(n / 8 * 8)))),
    ]
}

/// Seconds that this thread has run.
fn cpu() -> f64 {
    let times = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    times.split(' ').next().unwrap().parse::<f64>().unwrap() / 1e9
}

/// Bytes of private memory in use, as RLIMIT_DATA counts them.
fn data() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmData:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

#[test]
fn no_file_of_a_megabyte_takes_64_megabytes_or_a_second() {
    let files = hostile();
    let mut limit = getrlimit(Resource::Data);
    limit.current = Some(data() + 64 * MB as u64);
    setrlimit(Resource::Data, limit).unwrap();
    // Without optimization everything takes several times as long.
    let most = if cfg!(debug_assertions) { 2.0 } else { 1.0 };
    let (mut slow, mut done, mut refused) = (Vec::new(), 0, 0);
    // A quarter of the pairs, all of them with `make torture`.
    let all = std::env::var_os("ELFGRAFT_TORTURE").is_some();
    for (number, (what, file)) in files.iter().enumerate() {
        assert!(file.len() <= MB + MB / 16, "{what}: {} bytes", file.len());
        for (name, operation) in
            OPERATIONS.into_iter().skip(if all { 0 } else { number % 4 }).step_by(if all { 1 } else { 4 })
        {
            // The name of what exceeds the memory: an allocation that fails ends the process.
            eprintln!("{name}: {what}");
            let before = cpu();
            match operation(file) {
                Ok(_) => done += 1,
                Err(why) if why.is_empty() || why.len() > 10_000 => {
                    slow.push(format!("{name}: {what}: a message of {} bytes", why.len()));
                }
                Err(_) => refused += 1,
            }
            let took = cpu() - before;
            if took > most / 10.0 {
                eprintln!("{took:.2} s");
            }
            if took > most {
                slow.push(format!("{name}: {what}: {took:.2} s"));
            }
        }
    }
    println!("{done} done, {refused} refused");
    assert!(slow.is_empty(), "{slow:#?}");
    assert!(done > 20 && refused > 20);
}
