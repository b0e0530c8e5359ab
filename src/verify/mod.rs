//! `elfgraft verify`: is an edit idempotent, and does it touch nothing else? Of ours, or of any other tool's.
//!
//! The edit runs on copies in a private directory, as often as the laws need, and results are compared byte by byte and
//! by the reader that the editor does not use. The file itself is only read.

mod detour;
mod expect;
mod laws;
mod stage;
#[cfg(test)]
mod tests;
mod tool;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use serde_json::json;

use elfgraft_patch::shown;

use crate::report::{self, Error, print};
use laws::{Verdict, Verification, verify};
pub use tool::Own;
use tool::Tool;

/// Check that an edit keeps the laws, ours or any other tool's.
///
/// The laws: idempotence, path independence, inverse, non-interference, locality, input not written.
///
/// `elfgraft verify set .BTF=F FILE...` and so on for objcopy, strip, remove, btf embed, btf-ids sort and resolve,
/// module-hashes patch and sign; options alone are objcopy's. With --command any other tool: `{file}` stands for the file
/// to edit, `{blob}` for the contents. FILE is never written: copies of it are, up to five at a time, in a private
/// directory in $TMPDIR. Exit status 1 if a law is broken.
#[derive(Debug, clap::Args)]
#[command(
    override_usage = "elfgraft verify [OPTIONS] EDIT... FILE...\n       elfgraft verify --command COMMAND FILE...",
    after_help = "Example: elfgraft verify set .BTF=x.BTF x.ko",
    after_long_help = "\
Examples:
  Ours:
    elfgraft verify set .BTF=x.BTF x.ko
    elfgraft verify btf-ids sort --btf-base vmlinux x.ko
  Another tool:
    elfgraft verify --command 'objcopy --add-section .BTF={blob} {file}' x.ko"
)]
pub struct VerifyArgs {
    /// Verify this command line, run by the shell
    #[arg(long, value_name = "COMMAND")]
    command: Option<String>,
    /// The section that --command sets
    #[arg(long, value_name = "NAME", default_value = ".BTF", requires = "command")]
    section: OsString,
    /// A command line that undoes --command where the file did not have the section
    #[arg(long, value_name = "COMMAND", requires = "command")]
    inverse: Option<String>,
    /// Other contents for the detour of path independence; without it contents are made up
    #[arg(long, value_name = "FILE")]
    other: Option<PathBuf>,
    /// Print JSON, one object a line for each file: see docs/json.md
    #[arg(long)]
    json: bool,
    /// The edit, and the files
    #[arg(value_name = "EDIT", required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    args: Vec<OsString>,
}

impl VerifyArgs {
    /// Runs the command; `run` executes a command line of ours, and `files` finds the files in one.
    pub fn run(&self, own: &Own) -> Result<(), Error> {
        let (files, edit) = match &self.command {
            Some(command) if !command.contains("{file}") => {
                return Err(Error::Usage("--command edits nothing: '{file}' stands for the file to edit".into()));
            }
            Some(_) => (self.args.iter().map(PathBuf::from).collect(), Vec::new()),
            None => (own.files)(&self.args)?,
        };
        let mut broken = false;
        for file in &files {
            let tool = match &self.command {
                Some(command) => Tool::shell(command, self.inverse.as_deref(), &self.section, self.other.as_deref()),
                None => Tool::own(own, &edit, file, self.other.as_deref()),
            };
            report::quiet(true);
            let found = verify(&tool, file);
            report::quiet(false);
            let found = found?;
            broken |= found.rows.iter().any(|row| matches!(row.verdict, Verdict::Broken(_)));
            self.tell(file, &tool, &found)?;
        }
        if broken { Err(Error::Reported) } else { Ok(()) }
    }

    fn tell(&self, file: &Path, tool: &Tool, found: &Verification) -> Result<(), Error> {
        if self.json {
            let rows: Vec<_> = found
                .rows
                .iter()
                .map(|r| json!({ "law": r.law, "name": r.name, "verdict": r.verdict.word(), "text": r.verdict.text() }))
                .collect();
            return print(&format!(
                "{}\n",
                json!({ "file": file.to_string_lossy(), "edit": tool.to_string(), "readers": found.readers, "laws": rows })
            ));
        }
        let mut text = format!("{}: {tool} (compared by {})\n", shown(&file), found.readers);
        for row in &found.rows {
            let detail = row.verdict.text();
            let gap = if detail.is_empty() { "" } else { ": " };
            text += &format!(
                "  {} {:<18} {}{gap}{}\n",
                row.law,
                row.name,
                row.verdict.word(),
                detail.replace('\n', "\n       ")
            );
        }
        print(&text)
    }
}
