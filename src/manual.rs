//! `elfgraft man` and `elfgraft completions`: manual pages and shell completions, made of the flag definitions.
//!
//! In the command itself, so that who has it (`cargo install`, a build, a package) has them, of the same version.

use std::path::PathBuf;

use clap::{Command, ValueEnum};
use clap_complete::Generator;
use clap_complete::shells;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};
use elfgraft_patch::{WriteOptions, write_file};

use crate::report::{Error, print};

/// Write the manual pages of all commands, section 1, to a directory.
///
/// elfgraft.1 and one for each command, elfgraft-COMMAND.1, those of the drop-ins among them.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: elfgraft man /usr/local/share/man/man1",
    after_long_help = "\
Examples:
  For this user:
    elfgraft man ~/.local/share/man/man1"
)]
pub struct ManArgs {
    /// The directory; made if it is not there
    #[arg(value_name = "DIR")]
    dir: PathBuf,
}

/// Print completions for a shell.
///
/// On standard output, a script that the shell loads.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: elfgraft completions bash",
    after_long_help = "\
Examples:
  For this shell:
    source <(elfgraft completions bash)
  For the drop-ins, which have a script each:
    elfgraft completions fish elfgraft-objcopy"
)]
pub struct CompletionsArgs {
    /// The shell
    shell: Shell,
    /// The command that is completed: elfgraft, or the name of a drop-in
    #[arg(value_name = "NAME", default_value = "elfgraft", value_parser = NAMES)]
    name: String,
}

/// What there are completions for.
const NAMES: [&str; 4] = ["elfgraft", "elfgraft-objcopy", "elfgraft-strip", "elfgraft-resolve_btfids"];

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Shell {
    Bash,
    Zsh,
    Fish,
}

impl ManArgs {
    /// Runs the command; `cli` is the definition of all commands.
    pub fn run(&self, cli: Command) -> Result<(), Error> {
        std::fs::create_dir_all(&self.dir).map_err(|e| Error::file(&self.dir, format!("cannot create: {e}")))?;
        let mut cli = cli.disable_help_subcommand(true);
        cli.build();
        self.pages(&cli)
    }

    fn pages(&self, command: &Command) -> Result<(), Error> {
        let man = Man::new(command.clone());
        // Written here: clap_mangen leaves an empty date out, and what follows takes its place.
        let version = env!("CARGO_PKG_VERSION");
        let mut text = format!(".TH {} 1 \"\" \"elfgraft {version}\" elfgraft\n", name(command)).into_bytes();
        page(&man, command, &mut text).map_err(|e| Error::file(&self.dir, e.to_string()))?;
        let options = WriteOptions { if_changed: true, ..WriteOptions::default() };
        write_file(&self.dir.join(man.get_filename()), &text, &options)?;
        shown(command).try_for_each(|sub| self.pages(sub))
    }
}

fn shown(command: &Command) -> impl Iterator<Item = &Command> {
    command.get_subcommands().filter(|sub| !sub.is_hide_set())
}

fn name(command: &Command) -> &str {
    command.get_display_name().unwrap_or_else(|| command.get_name())
}

fn page(man: &Man, command: &Command, out: &mut Vec<u8>) -> std::io::Result<()> {
    man.render_name_section(out)?;
    let mut roff = Roff::new();
    synopsis(&mut roff, command);
    roff.to_writer(out)?;
    man.render_description_section(out)?;
    man.render_options_section(out)?;
    if command.has_subcommands() {
        man.render_subcommands_section(out)?;
    }
    let mut roff = Roff::new();
    examples(&mut roff, command);
    sections(&mut roff, command);
    roff.to_writer(out)
}

/// The usage of `--help`: options have their own section.
fn synopsis(roff: &mut Roff, command: &Command) {
    roff.control("SH", ["SYNOPSIS"]);
    let usage = command.clone().render_usage().to_string();
    let lines = usage.trim_start_matches("Usage: ").lines().map(str::trim);
    for (at, line) in lines.enumerate() {
        if at > 0 {
            roff.control("br", []);
        }
        roff.text([roman(line)]);
    }
}

/// The examples of `--help`: what for, then the command line, indented more.
fn examples(roff: &mut Roff, command: &Command) {
    let Some(text) = command.get_after_long_help().map(ToString::to_string) else { return };
    roff.control("SH", ["EXAMPLES"]);
    for line in text.lines().skip(1) {
        match line.strip_prefix("    ") {
            Some(line) => {
                roff.control("RS", ["4"]).control("EX", []).text([roman(line)]).control("EE", []).control("RE", []);
            }
            None => {
                roff.control("PP", []).text([roman(line.trim())]);
            }
        }
    }
}

/// What is the same for all commands, and said once, and where to read on.
fn sections(roff: &mut Roff, command: &Command) {
    let is_root = name(command) == "elfgraft";
    roff.control("SH", ["EXIT STATUS"]);
    let drop_in = command.get_name() == "resolve_btfids";
    roff.text([roman(match (command.get_name(), drop_in) {
        (_, true) => "0 done, 255 failed, 129 for a wrong command line, as the kernel's tool.",
        ("diff", _) => "0 if nothing differs, 1 if something does, 2 on trouble.",
        ("check" | "verify", _) => "0 if all is well, 1 if it is not, or could not be told.",
        ("show", _) => "0 done, 1 failed.",
        _ => "0 done, also when nothing had to change; 1 failed, and then no file is half written.",
    })]);
    if is_root {
        roff.control("SH", ["ENVIRONMENT"]);
        for (variable, what) in ENVIRONMENT {
            roff.control("TP", []).text([bold(*variable)]).text([roman(*what)]);
        }
        roff.control("SH", ["NAMES"]).text([roman(
            "Called objcopy, strip or resolve_btfids, with any prefix that ends in a hyphen, as elfgraft-objcopy or \
             x86_64-linux-gnu-strip, it is the command of that name.",
        )]);
        roff.control("SH", ["RESPONSE FILES"]).text([roman(
            "An argument @FILE stands for the arguments in FILE, separated by white space, quoted as for GNU's tools.",
        )]);
    }
    roff.control("SH", ["SEE ALSO"]);
    let mut others: Vec<String> = shown(command).map(|sub| name(sub).to_owned()).collect();
    if !is_root {
        others.push("elfgraft".into());
    }
    others.extend(command.get_name().eq("objcopy").then(|| "objcopy".to_owned()));
    others.extend(command.get_name().eq("strip").then(|| "strip".to_owned()));
    let last = others.len().saturating_sub(1);
    for (at, other) in others.iter().enumerate() {
        roff.control("BR", [other.as_str(), if at == last { "(1)" } else { "(1)," }]);
    }
}

/// What is read of the environment.
const ENVIRONMENT: &[(&str, &str)] = &[
    ("MAKEFLAGS", "The jobserver of make: many files are edited in parallel as far as it allows."),
    ("NO_COLOR", "No colour, if it is set and not empty. Without a terminal there is none either."),
    ("TMPDIR", "Where verify makes its copies."),
    ("COLUMNS", "The width of help and pictures, where there is no terminal to tell."),
    ("LC_ALL, LC_CTYPE, LANG", "Whether the terminal knows UTF-8: without it pictures are drawn in ASCII."),
];

impl CompletionsArgs {
    /// Runs the command; `cli` is the definition of all commands.
    pub fn run(&self, cli: Command) -> Result<(), Error> {
        let mut command = match self.name.strip_prefix("elfgraft-") {
            Some(tool) => match cli.find_subcommand(tool) {
                Some(tool) => tool.clone(),
                None => return Err(Error::Usage(format!("there is no command '{tool}'"))),
            },
            None => cli,
        };
        let script = match self.shell {
            Shell::Bash => self.script(shells::Bash, &mut command),
            Shell::Zsh => self.script(shells::Zsh, &mut command),
            Shell::Fish => self.script(shells::Fish, &mut command),
        };
        print(&script)
    }

    fn script(&self, shell: impl Generator, command: &mut Command) -> String {
        let mut out = Vec::new();
        clap_complete::generate(shell, command, &self.name, &mut out);
        String::from_utf8_lossy(&out).into_owned()
    }
}
