//! The command line of the kernel's `resolve_btfids`: abbreviations, `--no-` forms and answers as its library
//! (`tools/lib/subcmd/parse-options.c`) has them, so that scripts and build logs do not notice the difference.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use clap::{Arg, ArgAction, Command};

use super::Stop;

/// What was asked for.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// How often `-v` was given.
    pub verbose: u32,
    /// BTF to process, instead of the file's own.
    pub btf: Option<PathBuf>,
    /// BTF that it continues.
    pub btf_base: Option<PathBuf>,
    /// Whether warnings make the exit status that of a failure.
    pub fatal_warnings: bool,
    /// Whether the base is distilled.
    pub distill_base: bool,
    /// Contents for `.BTF_ids`, to be put into the file.
    pub patch_btfids: Option<PathBuf>,
    /// The ELF file.
    pub file: PathBuf,
}

struct Flag {
    short: Option<char>,
    long: &'static str,
    value: bool,
    help: &'static str,
}

/// In the order in which abbreviations are looked up.
const FLAGS: [Flag; 6] = [
    Flag { short: Some('v'), long: "verbose", value: false, help: "be more verbose (show errors, etc)" },
    Flag { short: None, long: "btf", value: true, help: "path to a file with input BTF data" },
    Flag { short: Some('b'), long: "btf_base", value: true, help: "path of file providing base BTF" },
    Flag { short: None, long: "fatal_warnings", value: false, help: "turn warnings into errors" },
    Flag {
        short: None,
        long: "distill_base",
        value: false,
        help: "distill --btf_base and emit .BTF.base section data",
    },
    Flag {
        short: None,
        long: "patch_btfids",
        value: true,
        help: "path to .BTF_ids section data blob to patch into ELF file",
    },
];

const USAGE: &str = " Usage: resolve_btfids [<options>] <ELF object>\n    \
                     or: resolve_btfids --patch_btfids <.BTF_ids file> <ELF object>\n\n";

impl Flag {
    fn help(&self) -> String {
        let short = self.short.map_or("    ".to_owned(), |short| format!("-{short}, "));
        let value = if self.value { " <file>" } else { "" };
        let names = format!("    {short}--{}{value}", self.long);
        if names.len() > 24 {
            format!("{names}\n{:26}{}\n", "", self.help)
        } else {
            format!("{names:26}{}\n", self.help)
        }
    }
}

/// Adds the options to a definition.
pub fn define(command: Command) -> Command {
    let file = |id| Arg::new(id).value_parser(clap::value_parser!(PathBuf));
    let command = FLAGS.iter().fold(command, |command, flag| {
        let arg = match flag.value {
            true => file(flag.long).value_name("FILE"),
            false => Arg::new(flag.long).action(ArgAction::SetTrue),
        };
        let arg = arg.long(flag.long).help(flag.help);
        command.arg(match flag.short {
            Some(short) => arg.short(short),
            None => arg,
        })
    });
    let help = Arg::new("help").short('h').long("help").action(ArgAction::SetTrue).help("list the options");
    command.arg(help).arg(file("file").value_name("ELF").required(true).help("the ELF file"))
}

/// The answer to a command line that says nothing wrong in particular.
fn usage(error: &str) -> Stop {
    let mut flags: Vec<&Flag> = FLAGS.iter().collect();
    flags.sort_by_key(|flag| (flag.short.is_none(), flag.short, flag.long));
    let flags: String = flags.into_iter().map(Flag::help).collect();
    Stop { status: 129, out: String::new(), err: format!("{error}\n{USAGE}{flags}\n") }
}

/// The answer to one option, with the help of those it may have meant.
fn wrong(error: &str, meant: impl Fn(&Flag) -> bool) -> Stop {
    let flags: String = FLAGS.iter().filter(|flag| meant(flag)).map(Flag::help).collect();
    Stop { status: 129, out: String::new(), err: format!(" Error: {error}\n{USAGE}{flags}") }
}

/// Parses the arguments behind the program's name.
pub fn parse(args: &[OsString]) -> Result<Options, Stop> {
    let mut options = Options::default();
    let mut rest: VecDeque<&OsStr> = args.iter().map(OsString::as_os_str).collect();
    while let Some(arg) = rest.front().copied() {
        let Some(body) = arg.as_bytes().strip_prefix(b"-").filter(|body| !body.is_empty()) else { break };
        rest.pop_front();
        match body.strip_prefix(b"-") {
            Some(b"") => break,
            Some(long) => options.long(OsStr::from_bytes(long), &mut rest)?,
            None => options.short(body, &mut rest)?,
        }
    }
    match (rest.pop_front(), rest.is_empty()) {
        (Some(file), true) => Ok(Options { file: file.into(), ..options }),
        _ => Err(usage("")),
    }
}

impl Options {
    fn long(&mut self, arg: &OsStr, rest: &mut VecDeque<&OsStr>) -> Result<(), Stop> {
        let listed = |text| Err(Stop { status: 130, out: text, err: String::new() });
        let name = &*arg.to_string_lossy();
        match name {
            "help" | "help-all" => return Err(usage("")),
            "list-opts" => {
                return listed(FLAGS.iter().map(|flag| format!("--{} ", flag.long)).collect::<String>() + "\n");
            }
            "list-cmds" => return listed("\n".to_owned()),
            _ => {}
        }
        let Found { flag, no, inline } = find(name)?;
        // The name is ASCII up to the value, so that the value begins at the same byte of the argument.
        let at = name.len() - inline.map_or(0, str::len);
        let inline = inline.map(|_| arg.as_bytes().get(at..).unwrap_or_default());
        let meant = |other: &Flag| other.long.starts_with(name);
        let fail = |text: &str| {
            let no = if no { "no-" } else { "" };
            wrong(&format!("option `{no}{}' {text}", flag.long), meant)
        };
        match (inline, flag.value && !no) {
            (Some(_), false) => Err(fail("takes no value")),
            (None, false) => {
                self.switch(flag, no);
                Ok(())
            }
            (inline, true) => {
                let value = inline.map(OsStr::from_bytes).or_else(|| rest.pop_front());
                self.set(flag, value.ok_or_else(|| fail("requires a value"))?);
                Ok(())
            }
        }
    }

    fn short(&mut self, body: &[u8], rest: &mut VecDeque<&OsStr>) -> Result<(), Stop> {
        let text = String::from_utf8_lossy(body);
        for (at, &byte) in body.iter().enumerate() {
            let behind = body.get(at + 1..).unwrap_or_default();
            let Some(flag) = FLAGS.iter().find(|flag| flag.short == Some(char::from(byte))) else {
                return Err(match byte {
                    b'h' => usage(""),
                    b'-' => usage(&format!("  Error: unknown option `{}'\n", String::from_utf8_lossy(behind))),
                    _ => usage(&format!("  Error: unknown switch `{}'\n", char::from(byte))),
                });
            };
            if flag.value {
                let value = if behind.is_empty() { rest.pop_front() } else { Some(OsStr::from_bytes(behind)) };
                let fail =
                    || wrong(&format!("switch `{}' requires a value", char::from(byte)), |f| f.short == flag.short);
                self.set(flag, value.ok_or_else(fail)?);
                return Ok(());
            }
            self.switch(flag, false);
            if at == 0 && body.len() > 2 && FLAGS.iter().any(|flag| flag.long.starts_with(&*text)) {
                let err = format!(" Error: did you mean `--{text}` (with two dashes ?)\n");
                return Err(Stop { status: 129, out: String::new(), err });
            }
        }
        Ok(())
    }

    fn switch(&mut self, flag: &Flag, no: bool) {
        match flag.long {
            "verbose" => self.verbose = if no { 0 } else { self.verbose.saturating_add(1) },
            "fatal_warnings" => self.fatal_warnings = !no,
            "distill_base" => self.distill_base = !no,
            // Only `--no-` forms of options with a value are left.
            _ => *self.value(flag) = None,
        }
    }

    fn set(&mut self, flag: &Flag, value: &OsStr) {
        *self.value(flag) = Some(value.into());
    }

    fn value(&mut self, flag: &Flag) -> &mut Option<PathBuf> {
        match flag.long {
            "btf" => &mut self.btf,
            "btf_base" => &mut self.btf_base,
            _ => &mut self.patch_btfids,
        }
    }
}

struct Found<'n> {
    flag: &'static Flag,
    /// Whether it is its `--no-` form.
    no: bool,
    inline: Option<&'n str>,
}

/// The flag of this name, `NAME=VALUE`, or an abbreviation that fits only one.
fn find(arg: &str) -> Result<Found<'_>, Stop> {
    let (name, value) = arg.split_once('=').map_or((arg, None), |(name, value)| (name, Some(value)));
    let mut fits: Vec<Found> = Vec::new();
    for flag in &FLAGS {
        let denied = arg.strip_prefix("no-");
        if name == flag.long || name.strip_prefix("no-") == Some(flag.long) {
            return Ok(Found { flag, no: name != flag.long, inline: value });
        }
        if flag.long.starts_with(name) {
            fits.push(Found { flag, no: false, inline: value });
        } else if "no-".starts_with(arg) || denied.is_some_and(|denied| flag.long.starts_with(denied)) {
            fits.push(Found { flag, no: true, inline: None });
        }
    }
    let shown = |found: &Found| format!("--{}{}", if found.no { "no-" } else { "" }, found.flag.long);
    match &fits[..] {
        [] => Err(usage(&format!("  Error: unknown option `{arg}'\n"))),
        [.., one, other] => {
            let (one, other) = (shown(one), shown(other));
            let meant = |flag: &Flag| flag.long.starts_with(arg) || arg == "no-";
            Err(wrong(&format!("Ambiguous option: {arg} (could be {one} or {other})\n"), meant))
        }
        [_] => fits.pop().ok_or_else(|| usage("")),
    }
}
