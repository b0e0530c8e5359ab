//! What the kernel means by it: signatures, BTF IDs, BTF.

use super::*;

#[test]
fn signatures_are_told_from_other_bytes() {
    let signed = testdata("demo-signed.ko");
    let plain = testdata("demo-stripped.ko");
    assert_eq!(lines(&signed, &plain), ["signature: signature: removed (PKCS#7, 454 bytes)"]);
    assert_eq!(lines(&plain, &signed), ["signature: signature: added (PKCS#7, 454 bytes)"]);
    let mut other = signed.clone();
    other[plain.len() + 100] ^= 1;
    assert!(
        lines(&signed, &other)[0].starts_with("signature: signature: PKCS#7: 1 bytes differ, the first at offset 0x64")
    );
}

#[test]
fn sorted_ids_are_the_same_sets() {
    let resolved = |name: &str| {
        let found = lines(&testdata("vmlinux-relocs"), &testdata(name));
        found.into_iter().filter(|line| !line.contains(": not resolved -> ID ")).collect::<Vec<_>>()
    };
    assert_eq!(
        resolved("vmlinux-upstream-sorted"),
        [
            "btf-set: section '.BTF_ids' [13], set8 'core_kfuncs': count 0 -> 4",
            "btf-set: section '.BTF_ids' [13], set 'deny_trace': count 0 -> 4",
            "btf-set: section '.BTF_ids' [13], set8 'other_pairs': count 0 -> 3",
        ]
    );
}

/// The trap of FORMATS.md: a second run of the kernel's tool gives flags to the wrong kfunc.
#[test]
fn flags_that_changed_their_owner_are_named() {
    let old = testdata("vmlinux-upstream-sorted");
    let elf = Elf::parse(&old).unwrap();
    let ids = elf.section(elf.find(b".BTF_ids").unwrap()).unwrap();
    let first = usize::try_from(ids.sh_offset).unwrap() + 0x1c;
    let mut new = old.clone();
    let (a, b) = (first + 4, first + 12);
    let flags = (old[a], old[b]);
    (new[a], new[b]) = (flags.1, flags.0);
    let place = "btf-id-flags: section '.BTF_ids' [13], set8 'core_kfuncs'";
    assert_eq!(
        lines(&old, &new),
        [
            format!("{place}: kfunc 'task_wake': flags {:#x} -> {:#x}", flags.0, flags.1),
            format!("{place}: kfunc 'task_put': flags {:#x} -> {:#x}", flags.1, flags.0),
        ]
    );
    // Another ID in the same place, and the same entries in another order.
    let mut new = old.clone();
    new[first] = 42;
    let place = "section '.BTF_ids' [13], set8 'core_kfuncs'";
    assert_eq!(lines(&old, &new), [format!("btf-id: {place}: kfunc 'task_wake' -> kfunc 'core_init'")]);
    let mut new = old.clone();
    let pair: [u8; 8] = new[first..first + 8].try_into().unwrap();
    new.copy_within(first + 8..first + 16, first);
    new[first + 8..first + 16].copy_from_slice(&pair);
    assert_eq!(lines(&old, &new), [format!("btf-set: {place}: the same entries in another order")]);
}

#[test]
fn btf_is_compared_by_types() {
    let old = testdata("vmlinux");
    let elf = Elf::parse(&old).unwrap();
    let section = elf.section(elf.find(b".BTF").unwrap()).unwrap();
    let at = usize::try_from(section.sh_offset).unwrap();
    let size = usize::try_from(section.sh_size).unwrap();
    // A name of the strings, wherever it is used.
    let name = old[at..at + size].windows(10).position(|bytes| bytes == b"\0task_find").unwrap();
    let mut new = old.clone();
    new[at + name + 6..at + name + 10].copy_from_slice(b"seek");
    let types = |old: &[u8], new: &[u8]| {
        let found = lines(old, new).into_iter().filter(|line| line.starts_with("btf-type"));
        found.collect::<Vec<_>>()
    };
    assert_eq!(
        types(&old, &new),
        [
            "btf-type-added: section '.BTF' [8]: FUNC 'task_seek' added",
            "btf-type-removed: section '.BTF' [8]: FUNC 'task_find' removed",
        ]
    );
    // Two builds of a kernel.
    let (a, b) = (testdata("vmlinux.btf"), testdata("vmlinux2.btf"));
    let file = |btf: &[u8]| {
        ElfSpec::new(Format::X86_64, ET_REL).section(Section::progbits(".BTF.base", 0, btf).align(4)).build()
    };
    let ignore = [Key::Moved, Key::SectionSize].into();
    let found = lines_with(&file(&a), &file(&b), &Options { ignore, ..Options::default() });
    assert!(!found.is_empty() && found.iter().all(|line| line.starts_with("btf-type")), "{found:#?}");
}
