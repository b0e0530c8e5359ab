//! Files as the tools that make kernels lay them out.

use crate::btf::functions;
use crate::btf_ids::{Entry, Member, btf_ids};
use crate::consts::*;
use crate::elf::*;
use crate::format::Format;
use crate::symbols::{Reloc, Symbol};

const TEXT: u64 = SHF_ALLOC | SHF_EXECINSTR;
const DATA: u64 = SHF_ALLOC | SHF_WRITE;

/// Contents and relocations of a small object, without its tables.
fn object(format: Format) -> ElfSpec {
    ElfSpec::new(format, ET_REL)
        .section(Section::progbits(".text", TEXT, [0x90; 35]).align(16))
        .relocs(".text", vec![Reloc::new(4, "printk", 2, -4), Reloc::new(12, ".data", 1, 0)])
        .section(Section::progbits(".data", DATA, [7; 12]).align(4))
        .section(Section::nobits(".bss", 40).align(32))
        .section(Section::progbits(".comment", 0x30, *b"\0by hand\0").entsize(1))
        .section(Section::progbits(".note.GNU-stack", 0, []))
}

fn symbols() -> Vec<Symbol> {
    vec![
        Symbol::file("object.c"),
        Symbol::section(".text"),
        Symbol::section(".data"),
        Symbol::local("state", ".bss").at(8, 4),
        Symbol::global("init_module", ".text").at(0, 35),
        Symbol::reserved("printk", SHN_UNDEF),
    ]
}

/// The relocation section of [`object`].
fn relocs_of_text(format: Format) -> Ref {
    if format.rela() { ".rela.text".into() } else { ".rel.text".into() }
}

/// GNU as, and `ld -r` since 2.29: in the file `.symtab`, `.strtab`, relocations, `.shstrtab`, header table.
pub fn gnu_ld_object(format: Format) -> ElfSpec {
    let mut spec = object(format).symbols(symbols());
    spec.tail_merge = true;
    spec.file_last = vec![".symtab".into(), ".strtab".into(), relocs_of_text(format), ".shstrtab".into()];
    spec
}

/// Older `ld -r`: `.shstrtab`, header table, `.symtab`, `.strtab`, relocations; the index of `.shstrtab` is before
/// that of `.symtab`.
pub fn old_gnu_ld_object(format: Format) -> ElfSpec {
    let mut spec = object(format).symbols(symbols()).names(Names::Before(".symtab".into()));
    spec.tail_merge = true;
    spec.table = TableAt::Before(".symtab".into());
    spec.file_last = vec![".shstrtab".into(), ".symtab".into(), ".strtab".into(), relocs_of_text(format)];
    spec
}

/// `ld.lld -r`: contents that are not loaded in header order, `.symtab`, `.shstrtab`, `.strtab`, header table.
pub fn lld_object(format: Format) -> ElfSpec {
    let mut spec = object(format).symbols(symbols()).names(Names::Before(".strtab".into()));
    let rest = [".comment", ".note.GNU-stack", ".symtab", ".shstrtab", ".strtab"];
    spec.file_last = vec![relocs_of_text(format)];
    spec.file_last.extend(rest.map(Ref::from));
    spec
}

/// clang and rustc: one `.strtab`, section 1 and last in the file, for all names; `.symtab` is the last section.
pub fn clang_object(format: Format) -> ElfSpec {
    let mut spec = object(format);
    spec.sections.insert(0, Section::strtab(".strtab"));
    // The symbol index of init_module.
    let addrsig = Section::new(".llvm_addrsig", SHT_LLVM_ADDRSIG).flags(SHF_EXCLUDE);
    spec.sections.push(addrsig.link(".symtab").data([5]));
    spec.sections.push(Section::symtab(format, symbols()));
    spec.names = Names::In(".strtab".into());
    spec.tail_merge = true;
    spec.file_last = vec![".symtab".into(), relocs_of_text(format), ".llvm_addrsig".into(), ".strtab".into()];
    spec
}

/// Every object layout with its name.
pub fn objects(format: Format) -> [(&'static str, ElfSpec); 4] {
    [
        ("GNU ld", gnu_ld_object(format)),
        ("older GNU ld", old_gnu_ld_object(format)),
        ("lld", lld_object(format)),
        ("clang", clang_object(format)),
    ]
}

/// Hands out addresses, one section after the other; file offsets follow them.
struct Image {
    spec: ElfSpec,
    addr: u64,
}

impl Image {
    fn push(&mut self, section: Section, size: usize) -> u64 {
        let addr = self.addr.next_multiple_of(section.addralign);
        self.spec.sections.push(section.addr(addr).congruent(0x1000));
        self.addr = addr + size as u64;
        addr
    }

    fn bytes(&mut self, name: &str, flags: u64, align: u64, data: Vec<u8>) -> u64 {
        let size = data.len();
        self.push(Section::progbits(name, flags, data).align(align), size)
    }
}

/// A small vmlinux.unstripped: ET_EXEC with three PT_LOADs and a PT_NOTE, `p_paddr` counting from 0x1000000.
/// - R E: `.text .rodata .BTF .BTF_ids .module_hashes .notes`
/// - RW: `.data`
/// - RWE: `.init.text .bss .modinfo`; `.bss` is SHT_NOBITS but has room in the file, since `.modinfo` follows
///
/// Then `.comment`, `.debug_info`, with `emit_relocs` the relocations of `.text` and `.data` (CONFIG_RELOCATABLE),
/// `.symtab`, `.strtab`, `.shstrtab`. `.BTF` has the FUNCs a, b, c; `.BTF_ids` a resolved and sorted set8 `kfuncs` of
/// them, whose symbols go with their pairs.
pub fn vmlinux(format: Format, emit_relocs: bool) -> ElfSpec {
    let base = if format.word() == 8 { 0xffff_ffff_8100_0000 } else { 0xc100_0000 };
    let mut image = Image { spec: ElfSpec::new(format, ET_EXEC), addr: base };
    image.spec.entry = base;
    image.bytes(".text", TEXT, 4096, vec![0xcc; 0x150]);
    image.bytes(".rodata", SHF_ALLOC, 64, b"Linux version 7.2.0".to_vec());
    let (btf, ids) = functions(format, &["a", "b", "c"]);
    let blob = btf.build();
    let btf_len = blob.len() as u64;
    let btf_at = image.bytes(".BTF", SHF_ALLOC, 4, blob);
    let members = ["a", "b", "c"].iter().zip(&ids);
    let members = members.map(|(name, id)| Member::func(name, *id).id(*id)).collect();
    let name = "kfuncs".to_string();
    let entries = [Entry::Set8 { name, members, count: 3, flags: 1 }];
    let ids_at = image.addr.next_multiple_of(4);
    let (words, mut symbols) = btf_ids(format, &entries, ".BTF_ids", ids_at);
    image.bytes(".BTF_ids", SHF_ALLOC, 4, words);
    image.bytes(".module_hashes", SHF_ALLOC, 4, vec![0; 36]);
    let note = [format.u32s(&[4, 20, 3]), b"GNU\0".to_vec(), vec![0x42; 20]].concat();
    let note_len = note.len();
    image.push(Section::new(".notes", SHT_NOTE).flags(SHF_ALLOC).align(4).data(note), note_len);

    image.addr = image.addr.next_multiple_of(0x1000);
    let data_at = image.bytes(".data", DATA, 4096, vec![0xdd; 0x80]);

    image.addr = image.addr.next_multiple_of(0x1000);
    image.bytes(".init.text", TEXT, 16, vec![0xcc; 0x40]);
    let bss_len = 0x1200;
    image.push(Section::nobits(".bss", bss_len as u64).align(64), bss_len);
    let modinfo = b"kernel.license=GPL\0".to_vec();
    let modinfo_len = modinfo.len();
    let modinfo = Section::progbits(".modinfo", SHF_ALLOC, modinfo).gap(vec![0; bss_len]);
    image.push(modinfo, modinfo_len);

    symbols.extend([
        Symbol::local("__mod_device_table__pci__ids", ".data").at(data_at, 16),
        Symbol::section(".text").at(base, 0),
        Symbol::global("_text", ".text").at(base, 0),
        Symbol::global("__start_BTF", ".BTF").at(btf_at, 0),
        Symbol::global("__stop_BTF", ".BTF").at(btf_at + btf_len, 0),
        Symbol::reserved("phys_startup", SHN_ABS).at(0x100_0000, 0),
    ]);
    let mut spec = image.spec;
    let load = |flags, first, last| {
        let vaddr = spec.sections.iter().find(|s| s.name == str::as_bytes(first)).unwrap().addr;
        Segment::load(flags, first, last).paddr(vaddr - base + 0x100_0000)
    };
    spec.segments = vec![
        load(PF_R | PF_X, ".text", ".notes"),
        load(PF_R | PF_W, ".data", ".data"),
        load(PF_R | PF_W | PF_X, ".init.text", ".modinfo"),
        Segment::of(PT_NOTE, PF_R, ".notes", ".notes").align(4),
    ];
    spec = spec.section(Section::progbits(".comment", 0x30, *b"by hand\0").entsize(1)).section(Section::progbits(
        ".debug_custom",
        0,
        [0x11; 77],
    ));
    if emit_relocs {
        spec = spec
            .relocs(".text", vec![Reloc::new(base + 8, "_text", 1, 0)])
            .relocs(".data", vec![Reloc::new(data_at, ".text", 1, 0x20)]);
    }
    spec.tail_merge = true;
    spec.symbols(symbols)
}
