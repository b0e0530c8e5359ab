//! The rules of docs/module-hashes.md, taken from there and run by make.

use std::fs;

use crate::Tree;
use crate::util::{self, ELFGRAFT, fixture, installed, same};

fn block(title: &str) -> String {
    util::docs::block("module-hashes.md", "make", title)
}

/// What kbuild has around them: a target is made when it is missing or something is newer, which is then told.
const KBUILD: &str = "
objtree := .
remove-section-y := .modinfo '.rel*' '!.rel*.dyn' '.rel.*'
remove-symbols := -w --strip-unneeded-symbol='__mod_device_table__*'
if_changed = $(if $(filter-out FORCE,$?)$(if $(wildcard $@),,missing),@echo made $@; $(cmd_$(1)),@:)
all: vmlinux
FORCE:
.PHONY: all FORCE
";

/// The rule that the prototype leaves as it is.
const PROTOTYPE: &str = "
OBJCOPY := $(ELFGRAFT) objcopy
cmd_strip_relocs = $(OBJCOPY) $(patsubst %,--set-section-flags %=noload,$(remove-section-y)) $< $@; \\
                   $(OBJCOPY) $(addprefix --remove-section=,$(remove-section-y)) $(remove-symbols) $(patch-module-hashes) $@
vmlinux: vmlinux.unstripped FORCE
\t$(call if_changed,strip_relocs)
";

const INSTALL: &str = "
dest/%.ko: %.ko
\tcp $< $@
\t$(cmd_sign)
";

/// Runs make; tells which targets were made.
#[track_caller]
fn make(tree: &Tree, args: &[&str]) -> Vec<String> {
    let elfgraft = format!("ELFGRAFT={ELFGRAFT}");
    let run = tree.dir.cmd("make", &[&["-s", "-j2", &elfgraft, "CONFIG_MODULE_HASHES=y"], args].concat()).run().ok();
    run.check(run.stderr().is_empty(), "nothing on standard error");
    run.text().lines().map(|line| line.strip_prefix("made ").unwrap().to_owned()).collect()
}

/// Sets the time of a file `seconds` into the past.
fn age(tree: &Tree, name: &str, seconds: u64) {
    let then = std::time::SystemTime::now() - std::time::Duration::from_secs(seconds);
    fs::File::options().append(true).open(tree.dir.path(name)).unwrap().set_modified(then).unwrap();
}

fn tree(rules: &[&str]) -> Tree {
    let tree = Tree::new(5);
    tree.dir.write("Makefile", [&[KBUILD], rules].concat().concat());
    tree.dir.write("vmlinux.unstripped", fixture("vmlinux-relocs"));
    fs::remove_file(tree.dir.path("vmlinux")).unwrap();
    age(&tree, "vmlinux.unstripped", 200);
    age(&tree, "modules.order", 100);
    tree
}

#[test]
fn rules_of_the_series() {
    if !installed("make") {
        return;
    }
    let tree = tree(&[&block("scripts/Makefile.vmlinux"), &block("scripts/Makefile.modinst"), INSTALL]);
    assert_eq!(make(&tree, &[]), ["vmlinux"]);
    assert_eq!(make(&tree, &[]), [""; 0]);
    let elf = tree.dir.elf("vmlinux");
    same(&elf.section(".module_hashes").data, &tree.model.section(false), "root");
    assert!(elf.sections.iter().all(|s| s.name != b".modinfo" && !s.name.starts_with(b".rel")));

    fs::create_dir(tree.dir.path("dest")).unwrap();
    let installed: Vec<String> = tree.files().iter().map(|name| format!("dest/{name}")).collect();
    let installed: Vec<&str> = installed.iter().map(String::as_str).collect();
    make(&tree, &installed);
    tree.run(&[&["verify", "vmlinux"], &installed[..]].concat()).ok();

    // A module is built again, later than in the same tick of the file system's clock, and differs.
    installed.iter().for_each(|name| age(&tree, name, 50));
    tree.dir.write("m3.ko", "other contents");
    age(&tree, "modules.order", 0);
    assert_eq!(make(&tree, &[]), ["vmlinux"]);
    make(&tree, &installed);
    tree.run(&[&["verify", "vmlinux"], &installed[3..4]].concat()).ok();
    // Without module hashes it is objcopy's work.
    assert_eq!(make(&tree, &["CONFIG_MODULE_HASHES=", "-B"]), ["vmlinux"]);
    assert_eq!(tree.dir.elf("vmlinux").section(".module_hashes").data, [0; 36]);
}

#[test]
fn rules_of_the_prototype() {
    if !installed("make") {
        return;
    }
    let tree = tree(&[&block("scripts/Makefile.vmlinux of the prototype"), PROTOTYPE]);
    assert_eq!(make(&tree, &[]), [".tmp_module_hashes.bin", "vmlinux"]);
    assert_eq!(make(&tree, &[]), [""; 0]);

    // The same file as in one step.
    let one = self::tree(&[&block("scripts/Makefile.vmlinux")]);
    make(&one, &[]);
    same(&tree.dir.read("vmlinux"), &one.dir.read("vmlinux"), "vmlinux");
    same(&tree.dir.read("m2.merkle"), &tree.model.merkle(2), "proof");

    // Modules are built again with the same bytes: the root is looked at, vmlinux is left alone.
    let stamp = tree.dir.stamp("vmlinux");
    age(&tree, "modules.order", 0);
    assert_eq!(make(&tree, &[]), [".tmp_module_hashes.bin"]);
    assert_eq!(tree.dir.stamp("vmlinux"), stamp);
    tree.dir.write("m3.ko", "other contents");
    assert_eq!(make(&tree, &[]), [".tmp_module_hashes.bin", "vmlinux"]);
}
