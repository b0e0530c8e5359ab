//! The `elfgraft` command: argv in, exit status out. See `cli.rs` for the names it answers to.

mod addresses;
mod archive;
mod blob;
mod btf;
mod cli;
mod diff;
mod jobs;
mod layout;
mod manual;
mod module_hashes;
mod native;
mod objcopy;
mod progress;
mod records;
mod report;
mod resolve_btfids;
mod response;
mod run;
mod show;
mod strip;
mod symbols;
mod targets;
mod verify;

use std::process::ExitCode;

fn main() -> ExitCode {
    elfgraft_patch::end_with(1);
    report::exit_code(cli::main(std::env::args_os().collect()))
}
