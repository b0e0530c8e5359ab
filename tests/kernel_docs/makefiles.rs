//! Rules for make.

use std::time::{Duration, SystemTime};

use crate::util::{Dir, fixture, installed, same};
use crate::{block, in_build, sound, tree};

/// What kbuild has around them. A command tells its name when it runs.
const KBUILD: &str = "
objtree := .
srctree := .
newer-prereqs = $(filter-out $(PHONY),$?)
cmd = @echo $(1); $(cmd_$(1))
cmd_and_savecmd = @echo $(1); $(cmd_$(1))
cmd-check = $(if $(wildcard $@),,missing)$(COMMAND_CHANGED)
if_changed = $(if $(newer-prereqs)$(cmd-check),$(cmd_and_savecmd),@:)
PHONY := FORCE
all: $(GOALS)
FORCE:
.PHONY: $(PHONY) all
";

/// Makes `goals`; tells which commands ran.
#[track_caller]
fn make(dir: &Dir, goals: &str, variables: &[&str]) -> Vec<String> {
    let goals = format!("GOALS={goals}");
    let run = in_build(dir, "make", &[&["-s", &goals], variables].concat()).run().ok();
    run.text().lines().map(str::to_owned).collect()
}

/// Sets the time of a file, `seconds` from long ago.
fn date(dir: &Dir, name: &str, seconds: u64) {
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000 + seconds);
    std::fs::File::options().append(true).open(dir.path(name)).unwrap().set_modified(time).unwrap();
}

// GNU make's functions are in the rules, a shell with `if` around the commands.
const MODFINAL: &str = "
CONFIG_DEBUG_INFO_BTF_MODULES := y
KBUILD_BUILTIN := y
cmd_ld_ko_o = cat linked > $@
cmd_btf_ko = pahole -J --btf_base vmlinux --btf_encode_detached=$@.BTF.1 $@ && \\
	elfgraft btf embed --trust-symbols --btf $@.BTF.1 --btf-base vmlinux $@ 2>warnings
";

#[test]
fn a_new_vmlinux_is_no_reason_to_link() {
    if !installed("make") {
        return;
    }
    let dir = tree();
    dir.write("Makefile", [KBUILD, MODFINAL, &block("make", "scripts/Makefile.modfinal")].concat());
    std::fs::create_dir(dir.path("scripts")).unwrap();
    for name in ["m.o", "m.mod.o", ".module-common.o", "scripts/module.lds", "linked"] {
        dir.write(name, fixture("demo.ko"));
        date(&dir, name, 0);
    }
    date(&dir, "vmlinux", 1);
    assert_eq!(make(&dir, "m.ko", &[]), ["ld_ko_o", "btf_ko"]);
    sound(&dir, "m.ko");
    assert_eq!(make(&dir, "m.ko", &[]), [""; 0]);

    // vmlinux is linked again, and has the same BTF, or another.
    let first = dir.read("m.ko");
    date(&dir, "m.ko", 2);
    date(&dir, "vmlinux", 3);
    assert_eq!(make(&dir, "m.ko", &[]), ["btf_ko"]);
    same(&dir.read("m.ko"), &first, "the same vmlinux");
    assert_eq!(make(&dir, "m.ko", &[]), [""; 0]);
    dir.write("bin/pahole", crate::PAHOLE.replace("demo.btf", "demo2.btf"));
    std::fs::rename(dir.path("other"), dir.path("vmlinux")).unwrap();
    date(&dir, "m.ko", 4);
    date(&dir, "vmlinux", 5);
    assert_eq!(make(&dir, "m.ko", &[]), ["btf_ko"]);
    let second = dir.read("m.ko");
    assert_ne!(first, second);

    // Linked anew, it is the same file.
    date(&dir, "m.ko", 6);
    date(&dir, "m.o", 7);
    assert_eq!(make(&dir, "m.ko", &[]), ["ld_ko_o", "btf_ko"]);
    same(&dir.read("m.ko"), &second, "linked and embedded, or embedded alone");
    assert_eq!(make(&dir, "m.ko", &["COMMAND_CHANGED=y"]), ["ld_ko_o", "btf_ko"]);
    same(&dir.read("m.ko"), &second, "linked because the command changed");
}

#[test]
fn btf_of_modules_before_7_0() {
    if !installed("make") {
        return;
    }
    let dir = tree();
    let rule = "\ndemo.ko: FORCE\n\t$(call cmd,btf_ko)\n";
    dir.write("Makefile", [KBUILD, &block("make", "scripts/Makefile.modfinal, before 7.0"), rule].concat());
    assert_eq!(make(&dir, "demo.ko", &[]), ["btf_ko"]);
    sound(&dir, "demo.ko");
    assert_eq!(dir.elf("demo.ko").section(".BTF").data, fixture("demo.btf"));
    assert_eq!(dir.elf("demo.ko").section(".BTF_ids").data, fixture("demo.BTF_ids"));
    let once = dir.read("demo.ko");
    make(&dir, "demo.ko", &[]);
    same(&dir.read("demo.ko"), &once, "again");
    assert!(!dir.path("demo.ko.BTF.1").exists());
    // Without a vmlinux there is no BTF, which is no error.
    std::fs::remove_file(dir.path("vmlinux")).unwrap();
    make(&dir, "demo.ko", &[]);
    same(&dir.read("demo.ko"), &once, "without vmlinux");
}

const VMLINUX: &str = "
remove-section-y := .modinfo '.rel*' '!.rel*.dyn' '.rel.*'
remove-symbols := -w --strip-unneeded-symbol='__mod_device_table__*'
cmd_two_steps = $(OBJCOPY) $(patsubst %,--set-section-flags %=noload,$(remove-section-y)) $< $@; \\
	$(OBJCOPY) $(addprefix --remove-section=,$(remove-section-y)) $(remove-symbols) $@
cmd_objcopy = $(OBJCOPY) -j .modinfo -O binary $< $@
final: unstripped FORCE
	$(call if_changed,strip_relocs)
steps: unstripped FORCE
	$(call if_changed,two_steps)
modinfo: unstripped FORCE
	$(call if_changed,dump_modinfo)
modinfo-objcopy: unstripped FORCE
	$(call if_changed,objcopy)
";

#[test]
fn the_final_vmlinux_in_one_step() {
    if !installed("make") {
        return;
    }
    let dir = tree();
    let rules = ["scripts/Makefile.vmlinux", "scripts/Makefile.vmlinux, modules.builtin.modinfo"];
    dir.write("Makefile", [KBUILD, &block("make", rules[0]), &block("make", rules[1]), VMLINUX].concat());
    dir.write("unstripped", fixture("vmlinux-relocs"));
    dir.chmod("unstripped", 0o755);
    let goals = "final steps modinfo modinfo-objcopy";
    assert_eq!(make(&dir, goals, &[]), ["strip_relocs", "two_steps", "dump_modinfo", "objcopy"]);
    same(&dir.read("final"), &dir.read("steps"), "one step and two");
    assert!(dir.elf("final").sections.iter().all(|s| s.name != b".modinfo" && !s.name.starts_with(b".rel")));
    same(&dir.read("modinfo"), &dir.read("modinfo-objcopy"), ".modinfo");
    assert_eq!((dir.mode("modinfo") & 0o111, dir.mode("modinfo-objcopy") & 0o111), (0, 0o111));
}

const MODINST: &str = "
cmd_install = cp $< $@
cmd_strip = $(STRIP) $(strip-option) $@
strip-option := --strip-debug
new.ko: demo.ko FORCE
	$(call cmd,install_ko)
old.ko: demo.ko FORCE
	$(call cmd,install)
	$(if $(INSTALL_MOD_STRIP),$(call cmd,strip))
";

#[test]
fn modules_are_installed_stripped() {
    if !installed("make") {
        return;
    }
    let dir = tree();
    dir.write("Makefile", [KBUILD, &block("make", "scripts/Makefile.modinst"), MODINST].concat());
    for variables in [&[][..], &["INSTALL_MOD_STRIP=1"]] {
        make(&dir, "new.ko old.ko", variables);
        same(&dir.read("new.ko"), &dir.read("old.ko"), "installed");
        assert_eq!(dir.elf("new.ko").index_of(".debug_info").is_none(), !variables.is_empty());
    }
    same(&dir.read("demo.ko"), &fixture("demo.ko"), "the built module");
}

#[test]
fn the_variable_of_the_top_makefile() {
    if !installed("make") {
        return;
    }
    let dir = tree();
    let rule = "\nshow: FORCE\n\techo $$ELFGRAFT\n";
    dir.write("Makefile", [KBUILD, &block("make", "Makefile"), rule].concat());
    assert_eq!(make(&dir, "show", &["ELFGRAFT=/opt/elfgraft"]), ["/opt/elfgraft"]);
    let run = dir.cmd("make", &["-s", "show"]).run().ok();
    assert_eq!(run.text(), "elfgraft\n");
}
