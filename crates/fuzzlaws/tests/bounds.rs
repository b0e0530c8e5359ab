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
const NAMES: &[u8] = b"\0.text\0.symt\0.strt\0.BTF_ids\0.group\0.note\0.BTF\0";

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

fn words(words: impl IntoIterator<Item = u32>) -> Vec<u8> {
    words.into_iter().flat_map(u32::to_le_bytes).collect()
}

/// A module with these BTF types and strings, these words in `.BTF_ids`, and symbols there: st_name, st_value, st_size.
fn module(types: &[u8], strings: &[u8], ids: &[u8], names: &[u8], symbols: &[(u32, u64, u64)]) -> Vec<u8> {
    let header = [0x0001_eb9f, 24, 0, types.len() as u32, types.len() as u32, strings.len() as u32];
    let btf = [&words(header), types, strings].concat();
    let mut table = vec![0; 24];
    for (name, value, size) in symbols {
        table.extend([&name.to_le_bytes()[..], &[0, 0, 3, 0], &value.to_le_bytes(), &size.to_le_bytes()].concat());
    }
    let mut body = NAMES.to_vec();
    let mut sections = vec![[0, STRTAB, 0, 0, 64, NAMES.len() as u64, 0, 0, 1, 0]];
    for (name, sh_type, contents, link) in
        [(41, PROGBITS, &*btf, 0), (19, PROGBITS, ids, 0), (7, SYMTAB, &*table, 5), (13, STRTAB, names, 0)]
    {
        body.resize(body.len().next_multiple_of(8), 0);
        let entsize = if link == 0 { 0 } else { 24 };
        sections.push([name, sh_type, 0, 0, 64 + body.len() as u64, contents.len() as u64, link, 1, 4, entsize]);
        body.extend(contents);
    }
    file(1, &body, 0, &sections)
}

/// `count` records of a BTF type: name, kind and vlen, size or type, and what follows.
fn types(count: u32, of: impl Fn(u32) -> Vec<u32>) -> Vec<u8> {
    words((0..count).flat_map(of))
}

/// Modules whose BTF or BTF IDs refer to one thing many times.
fn hostile_btf() -> Vec<(&'static str, Vec<u8>)> {
    const STRUCT: u32 = 4 << 24;
    const FUNC: u32 = 12 << 24;
    const PROTO: u32 = 13 << 24;
    const TAG: u32 = 17 << 24;
    let long = |begin: &str, len: usize, end: &str| [begin.as_bytes(), &vec![b'n'; len], end.as_bytes()].concat();
    let proto = || types(1, |_| vec![0, PROTO, 0]);
    // Type 1 is a prototype, those behind it are functions of the name at offset 1.
    let funcs = |count| [proto(), types(count, |_| vec![1, FUNC | 1, 1])].concat();
    let descending = |count: u32| words([count].into_iter().chain((1..=count).rev()));
    let set = |ids: &[u8]| vec![(1, 0, ids.len() as u64)];
    let members = |name: u32, count: u64| (1..=count).map(move |n| (name, 4 * n, 4));
    let a = b"\0a\0";
    let asking = b"\0__BTF_ID__set__s\0__BTF_ID__func__a__1\0";
    let flagged = b"\0__BTF_ID__set8__s\0__BTF_ID__func__a__1\0";
    let kfunc = [(1, 0, 16), (19, 8, 4)];
    let implicit = words([0, 0, 0, 1 << 16]);
    let many = 30_000;
    let kfuncs = |n: u32, first: u32| types(n, move |i| vec![3, TAG, first + i, u32::MAX]);
    vec![
        ("kfuncs that share a prototype", {
            let params = [vec![0; 80_000], vec![0, 2]].concat();
            let proto = words([vec![0, PROTO | 40_001, 0], params].concat());
            let aux = types(1, |_| vec![13, STRUCT, 0, 0, 2 << 24, 1]);
            let funcs = types(20_000, |_| vec![1, FUNC | 1, 3]);
            let strings = b"\0a\0bpf_kfunc\0bpf_prog_aux\0";
            module(&[aux, proto, funcs, kfuncs(20_000, 4)].concat(), strings, &implicit, flagged, &kfunc)
        }),
        ("kfuncs of one long name", {
            let strings = long("\0a\0bpf_kfunc\0", MB / 4, "\0");
            let types = [proto(), types(many / 2, |_| vec![13, FUNC | 1, 1]), kfuncs(many / 2, 2)].concat();
            module(&types, &strings, &implicit, flagged, &kfunc)
        }),
        ("members of one long name", {
            let members = types(many, |_| vec![1, 0, 0]);
            let types = [words([1, STRUCT | many, 4]), members].concat();
            module(&types, &long("\0", MB / 2, "\0"), &[0; 8], asking, &[(18, 0, 4)])
        }),
        ("members of one type with a long name", {
            let members = types(many, |_| vec![0, 1, 0]);
            let types = [words([1, STRUCT, 4, 1, STRUCT | many, 4]), members].concat();
            module(&types, &long("\0", MB / 2, "\0"), &[0; 8], asking, &[(18, 0, 4)])
        }),
        ("words that ask for one of many of a name", {
            let symbols: Vec<_> = members(18, 15_000).collect();
            module(&funcs(many), a, &vec![0; 60_004], asking, &symbols)
        }),
        ("a set that asks for one of many of a name", {
            let ids = words([15_000].into_iter().chain([0; 14_999]).chain([2]));
            module(&funcs(many), a, &ids, asking, &[set(&ids), members(18, 15_000).collect()].concat())
        }),
        ("a set of a long name that is not sorted", {
            let ids = descending(100_000);
            module(&funcs(9), a, &ids, &long("\0__BTF_ID__set__", MB / 2, "\0"), &set(&ids))
        }),
        ("sets in a set of a long name", {
            let names = long("\0__BTF_ID__set__t\0__BTF_ID__set__", MB / 3, "\0");
            let symbols: Vec<_> = [(18, 0, 4096)].into_iter().chain((0..many).map(|_| (1, 4, 4))).collect();
            module(&funcs(9), a, &[0; 4096], &names, &symbols)
        }),
        ("symbols at the word of one of a long name", {
            let names = long("\0__BTF_ID__func__a__1\0__BTF_ID__func__", MB / 3, "__1\0");
            let symbols: Vec<_> = [(22, 0, 4)].into_iter().chain((0..many).map(|_| (1, 0, 4))).collect();
            module(&funcs(9), a, &[0; 4096], &names, &symbols)
        }),
        ("words of one ID that has a long name", {
            let ids = words([100_000].into_iter().chain([2; 100_000]));
            module(&funcs(1), &long("\0", MB / 2, "\0"), &ids, asking, &[set(&ids), vec![(18, 4, 4)]].concat())
        }),
        ("symbols of words of one ID that has a long name", {
            let ids = words([15_000].into_iter().chain([2; 15_000]));
            let symbols = [set(&ids), members(18, 15_000).collect()].concat();
            module(&funcs(1), &long("\0", MB / 2, "\0"), &ids, asking, &symbols)
        }),
        ("findings, and sets of foreign IDs", {
            let names: Vec<u8> = (0..7000).flat_map(|n| format!("__BTF_ID__set__{n:04}\0").into_bytes()).collect();
            let names = [asking, &names[..]].concat();
            let ids = [words([1, 2].repeat(7000)), descending(60_000)].concat();
            let sets = (0..7000).flat_map(|n| [(39 + 20 * n, 8 * u64::from(n), 8), (18, 8 * u64::from(n) + 4, 4)]);
            let symbols: Vec<_> = sets.chain([(1, 56_000, 240_004)]).collect();
            module(&funcs(1), b"\0b\0", &ids, &names, &symbols)
        }),
    ]
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
    let (files, btf) = (hostile(), hostile_btf());
    let others = files.len();
    let files = [files, btf].concat();
    let mut limit = getrlimit(Resource::Data);
    limit.current = Some(data() + 64 * MB as u64);
    setrlimit(Resource::Data, limit).unwrap();
    // Without optimization everything takes several times as long.
    let most = if cfg!(debug_assertions) { 2.0 } else { 1.0 };
    let (mut slow, mut done, mut refused) = (Vec::new(), 0, 0);
    // A quarter of the pairs, and those that read BTF; all of them with `make torture`.
    let all = std::env::var_os("ELFGRAFT_TORTURE").is_some();
    for (number, (what, file)) in files.iter().enumerate() {
        assert!(file.len() <= MB + MB / 16, "{what}: {} bytes", file.len());
        for (at, (name, operation)) in OPERATIONS.into_iter().enumerate() {
            let is_read = number >= others && matches!(name, "check" | "diff" | "BTF IDs");
            if !(all || is_read || at % 4 == number % 4) {
                continue;
            }
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
