//! The parts of the `elfgraft` command, for the command and for its tests. This is no interface for programs, and may
//! change in any version: those that want one use the crates of the layers, `elfgraft-edit` and others, or call the
//! command. `cli` has the names it answers to.

mod addresses;
#[doc(hidden)]
pub mod archive;
#[doc(hidden)]
pub mod blob;
#[doc(hidden)]
pub mod btf;
#[doc(hidden)]
pub mod cli;
mod diff;
mod jobs;
mod layout;
mod manual;
mod module_hashes;
mod native;
mod objcopy;
mod progress;
#[doc(hidden)]
pub mod records;
#[doc(hidden)]
pub mod report;
mod resolve_btfids;
#[doc(hidden)]
pub mod response;
mod run;
mod show;
mod strip;
mod symbols;
#[doc(hidden)]
pub mod targets;
mod verify;

/// The whole command: arguments of this process in, exit status out.
#[doc(hidden)]
pub fn main() -> std::process::ExitCode {
    elfgraft_patch::end_with(1);
    report::exit_code(cli::main(std::env::args_os().collect()))
}
