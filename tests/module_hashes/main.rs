//! `elfgraft module-hashes` as a user runs it, against a model of the format that shares nothing with it but SHA-256.
//! Tests are named after the corner cases they are about; f6, f7, f8 are what people reported, with its link.

// clippy.toml allows it in tests, but not in what they call.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../util/mod.rs"]
mod util;

mod build;
mod docs;
mod model;
mod modules;
mod patch;
mod sign;
mod verify;

use elfgraft_testkit::consts::ET_EXEC;
use elfgraft_testkit::elf::{ElfSpec, Section};
use elfgraft_testkit::format::Format;

use model::Model;
use util::Dir;

/// A build tree: modules of these contents, `modules.order`, and a vmlinux of each byte order.
struct Tree {
    dir: Dir,
    names: Vec<String>,
    model: Model,
}

impl Tree {
    /// Modules `m0.ko`, `m1.ko`, ...
    fn new(count: usize) -> Tree {
        let modules = (0..count).map(|i| (format!("m{i}"), format!("contents of module {i}").into_bytes()));
        Tree::of(modules.collect())
    }

    /// Modules with these names, without `.ko`, and contents.
    fn of(modules: Vec<(String, Vec<u8>)>) -> Tree {
        let dir = Dir::new();
        let mut order = String::new();
        for (name, contents) in &modules {
            if let Some((parent, _)) = name.rsplit_once('/') {
                std::fs::create_dir_all(dir.path(parent)).unwrap();
            }
            dir.write(format!("{name}.ko"), contents);
            order += &format!("{name}.o\n");
        }
        dir.write("modules.order", order);
        for (name, format) in [("vmlinux", Format::X86_64), ("vmlinux.be", Format::S390X)] {
            dir.write(name, elfgraft_testkit::layouts::vmlinux(format, true).build());
        }
        let (names, contents): (_, Vec<_>) = modules.into_iter().unzip();
        Tree { dir, names, model: Model::new(contents) }
    }

    /// `elfgraft module-hashes ARGS`.
    fn run(&self, args: &[&str]) -> util::Run<'_> {
        self.dir.elfgraft(&[&["module-hashes"], args].concat())
    }

    /// All modules, for a command line.
    fn files(&self) -> Vec<String> {
        self.names.iter().map(|name| format!("{name}.ko")).collect()
    }

    /// `build --proofs`, `patch vmlinux` and `sign`, each of which must say nothing.
    fn all_steps(&self) {
        self.run(&["build", "--proofs"]).quiet();
        self.run(&["patch", "vmlinux"]).quiet();
        let files = self.files();
        let args: Vec<&str> = ["sign"].into_iter().chain(files.iter().map(String::as_str)).collect();
        self.run(&args).quiet();
    }
}

/// An ELF file with one section more than none.
fn with_section(section: Section) -> Vec<u8> {
    ElfSpec::new(Format::X86_64, ET_EXEC).section(section).build()
}
