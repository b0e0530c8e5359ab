//! The `elfgraft` command: see `lib.rs`.

fn main() -> std::process::ExitCode {
    elfgraft::main()
}
