# One target per thing that people and CI run. `make help` lists them.

CARGO  ?= cargo
PREFIX ?= /usr/local
# Where cargo puts it, and what writes manual pages and completions: another elfgraft in a cross build.
BIN       = $${CARGO_TARGET_DIR:-target}/release/elfgraft
GENERATE ?= $(BIN)
# What `make corpus` looks at: directories or files, several in one word list.
DIR    ?= /lib/modules /usr/lib

export CARGO

.PHONY: help build check test torture fuzz audit fmt doc demo corpus golden bench kernel-build install clean man uninstall deb

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 10

# Statically where the C compiler can: a small edit takes less time than the dynamic linker.
STATIC = $$(echo 'int main(void){return 0;}' | $(CC) -static -x c -o /dev/null - 2>/dev/null && echo -C target-feature=+crt-static)

# Paths of this machine stay out of the binary: two builds in two directories are the same bytes.
PATHS = --remap-path-prefix=$(CURDIR)=. --remap-path-prefix=$${CARGO_HOME:-$$HOME/.cargo}=cargo

# Flags for all crates, so RUSTFLAGS would replace them: a builder who sets it wants to.
build: ## the command, optimized: target/release/elfgraft
	RUSTFLAGS="$${RUSTFLAGS-$(PATHS)}" $(CARGO) rustc --release --bin elfgraft -- $(STATIC)

check: ## format, lints (warnings are errors), documentation
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings
	@$(MAKE) --no-print-directory doc

# Programs of others that tests compare with, or run.
TOOLS = ar bash eu-elflint fish gcc getfattr groff ld llvm-objcopy make nm objcopy pahole readelf setfattr strace strip \
        unshare xmllint zsh

# Examples in the documentation first, so that the runner's summary is the last line.
test: check ## check, and all tests
	@for t in $(TOOLS); do command -v $$t >/dev/null || echo $$t; done | xargs -r echo "Not installed, so that what needs it is skipped:"
	$(CARGO) test --workspace --doc --quiet
	@if $(CARGO) nextest --version >/dev/null 2>&1; \
	then set -x; $(CARGO) nextest run --workspace --no-fail-fast; \
	else set -x; $(CARGO) test --workspace --lib --bins --tests --examples --no-fail-fast; fi

torture: ## what takes long: faults at every system call, damage by the thousand, hostile files, two equal release builds
	scripts/torture.sh

fuzz: ## a fuzz target, or all: TARGET=edit SECONDS=600 [SEEDS="more files"]
	@scripts/fuzz.sh "$(or $(TARGET),all)" "$(or $(SECONDS),60)" $(SEEDS)

audit: ## dependencies: advisories, licences, sources (cargo-deny); [DB=clone of rustsec/advisory-db]: without the network
ifdef DB
	$(CARGO) audit --no-fetch --stale --deny warnings --db $(DB)
	cd fuzz && $(CARGO) audit --no-fetch --stale --deny warnings --db $(abspath $(DB))
else
	$(CARGO) deny --workspace check
endif

fmt: ## put the sources into format
	$(CARGO) fmt --all

doc: ## documentation of all crates; warnings are errors
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps

demo: build ## the main job on a module: [MODULE=file.ko] [BTF=contents]
	@scripts/demo.sh "$(MODULE)" "$(BTF)"

corpus: ## the laws over every ELF file below DIR="dir file ..."
	$(CARGO) run --release --example corpus -- $(DIR)

golden: build ## resolve_btfids against runs of the kernel's: DIR=(a folder with resolve_btfids/*/)
	@scripts/golden.sh $(DIR)

bench: build ## side by side with objcopy and others: [MODULE=file.ko] [VMLINUX=file] [MODULES=dir] [KERNEL_SOURCE=dir]
	@scripts/bench.sh "$(MODULE)" "$(VMLINUX)"
	@scripts/bench-strip.sh "$(MODULE)" "$(VMLINUX)"
	@scripts/bench-hashes.sh "$(MODULES)"
	@KERNEL_SOURCE="$(KERNEL_SOURCE)" scripts/bench-btf.sh $(if $(and $(VMLINUX),$(MODULES)),"$(VMLINUX)" $$(find "$(MODULES)" -name '*.ko'))

kernel-build: build ## two kernels, with GNU's tools and ours, compared and booted: WORKDIR=dir [SOURCE=tree or tar.xz]
	@scripts/kernel-build.sh "$(WORKDIR)" $(SOURCE)

man: build ## manual pages into target/man
	$(GENERATE) man target/man

# Root may have no cargo: what is built already is installed then.
install: $(if $(shell command -v $(CARGO)),build) ## command, drop-in names, manual pages, completions, documents: [PREFIX=/usr/local] [DESTDIR=dir]
	@scripts/install.sh install "$(BIN)" "$(DESTDIR)$(PREFIX)" $(GENERATE)

uninstall: ## what install has put there, with the same PREFIX and DESTDIR
	@scripts/install.sh uninstall "$(BIN)" "$(DESTDIR)$(PREFIX)"

deb: build ## a Debian package: target/debian/elfgraft_*.deb
	@scripts/deb.sh "$(BIN)" $(GENERATE)

clean: ## remove what was built
	$(CARGO) clean
