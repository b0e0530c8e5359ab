//! `module-hashes verify`: what the kernel would say.

use std::path::{Path, PathBuf};

use elfgraft_hashes::{Verdict, verify_module};
use serde_json::{Value, json};

use super::section::root_of;
use elfgraft_patch::shown;

use crate::jobs;
use crate::report::{self, Error, print};

/// Tell what the kernel would say to modules.
///
/// A line for each: good, or the name of its error and what is wrong. Exit status 1 if it would not take one of them for its own.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: elfgraft module-hashes verify vmlinux x.ko",
    after_long_help = "\
Examples:
  Would the kernel take these modules?
    elfgraft module-hashes verify vmlinux x.ko y.ko
  For a program:
    elfgraft module-hashes verify --json vmlinux x.ko"
)]
pub struct VerifyArgs {
    /// Where the root is: a vmlinux, or the 36 bytes of its .module_hashes
    #[arg(value_name = "VMLINUX|ROOT")]
    root: PathBuf,
    /// Modules as they are installed, not compressed
    #[arg(value_name = "MODULE", required = true)]
    modules: Vec<PathBuf>,
    /// Print JSON, one object a line for each module: see docs/json.md
    #[arg(long)]
    json: bool,
}

impl VerifyArgs {
    /// Runs the command.
    pub fn run(&self) -> Result<(), Error> {
        let root = root_of(&self.root)?;
        let verdicts = jobs::map(&self.modules, |path| verify_module(path, &root));
        let all_good = verdicts.iter().all(|verdict| verdict.as_ref().is_ok_and(Verdict::is_good));
        for (path, verdict) in self.modules.iter().zip(verdicts) {
            match &verdict {
                _ if self.json => print(&format!("{}\n", json(path, &verdict)))?,
                Ok(verdict) => {
                    let errno = verdict.errno().map(|errno| format!("{errno}: ")).unwrap_or_default();
                    print(&format!("{}: {errno}{verdict}\n", shown(&path)))?;
                }
                Err(_) => {}
            }
            if let Err(e) = verdict {
                report::error(&Error::file(path, e.to_string()));
            }
        }
        if all_good { Ok(()) } else { Err(Error::Reported) }
    }
}

/// One object for each module, one that cannot be read as well: then it is not good, and there is no errno.
fn json(path: &Path, verdict: &elfgraft_hashes::Result<Verdict>) -> Value {
    let (good, errno, position, text) = match verdict {
        Ok(verdict) => {
            let position = match verdict {
                Verdict::Good { pos } | Verdict::Mismatch { pos, .. } => Some(*pos),
                _ => None,
            };
            (verdict.is_good(), verdict.errno(), position, verdict.to_string())
        }
        Err(e) => (false, None, None, e.to_string()),
    };
    json!({ "file": path.to_string_lossy(), "good": good, "errno": errno, "position": position, "text": text })
}
