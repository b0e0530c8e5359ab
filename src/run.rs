//! One file through all phases: open, read, plan, explain or commit, report.

use std::cell::RefCell;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use elfgraft_edit::{Decision, Edits, Plan, plan};
use elfgraft_elf::{Image, SectionIndex, printable};
use elfgraft_patch::{Input, Kind, Options, Outcome, commit, explain, shown, write_part, write_to};

use crate::blob::open;
use crate::report::{self, Error};

/// How results are written and told, the same for every command.
#[derive(Debug, Clone, Copy, Default, clap::Args)]
#[command(next_help_heading = "Output")]
pub struct Output {
    /// Print what would be done, and write nothing
    ///
    /// Decisions per section, then byte ranges with what they are for, then "N of M bytes written".
    #[arg(long)]
    pub dry_run: bool,
    /// Write only the changed ranges into the file itself
    ///
    /// For edits that move nothing; others replace the file as always. An edit that is interrupted is undone by the
    /// next elfgraft that opens the file. Hard links and the inode stay.
    #[arg(long)]
    pub in_place: bool,
    /// Sync the result to the disk before it gets its name
    ///
    /// It survives a power loss then; a kill or a full disk it survives without.
    #[arg(long)]
    pub fsync: bool,
    /// Keep the access and modification times of the input
    ///
    /// Without it the modification time is now, also where nothing changed, so that make is content.
    #[arg(short = 'p', long)]
    pub preserve_dates: bool,
    /// Say what was done, in one line per file
    #[arg(short, long)]
    pub verbose: bool,
}

impl Output {
    /// For `verify`: why nothing would be edited, or another file than the one that is named.
    pub fn elsewhere(self, output: Option<&Path>) -> Option<&'static str> {
        match output {
            _ if self.dry_run => Some("--dry-run writes nothing"),
            Some(_) => Some("the result goes into another file; leave the output out, copies are edited anyway"),
            None => None,
        }
    }

    fn options(self) -> Options {
        let Output { in_place, fsync, preserve_dates, .. } = self;
        Options { in_place, fsync, preserve_times: preserve_dates }
    }
}

/// Edits `input`, giving `target`; the same path twice edits the file.
pub fn edit(input: &Path, target: &Path, edits: &Edits, output: Output) -> Result<(), Error> {
    let file = open(input)?;
    let image = Image::parse(file.bytes()).map_err(Error::edit(input))?;
    let plan = plan(&image, edits).map_err(Error::edit(input))?;
    finish(&file, target, &plan, output)
}

thread_local! {
    /// What was decided since `observe` began to look, on this thread.
    static OBSERVED: RefCell<Option<Vec<Decision>>> = const { RefCell::new(None) };
}

/// Runs `f`, and collects the decisions of the edits that it makes on this thread: `verify` compares what happened with
/// what was decided.
pub fn observe<T>(f: impl FnOnce() -> T) -> (T, Vec<Decision>) {
    OBSERVED.with_borrow_mut(|seen| *seen = Some(Vec::new()));
    let result = f();
    (result, OBSERVED.with_borrow_mut(Option::take).unwrap_or_default())
}

/// The last phase: a plan is told, or carried out.
pub fn finish(file: &Input, target: &Path, plan: &Plan, output: Output) -> Result<(), Error> {
    OBSERVED.with_borrow_mut(|seen| seen.iter_mut().for_each(|list| list.extend(plan.decisions.iter().cloned())));
    if output.dry_run {
        return report::print(&dry_run(file.path(), plan));
    }
    warn_of_signature(file.path(), plan);
    if target == Path::new("-") {
        let mut out = std::io::stdout().lock();
        write_to(&plan.patch, file.bytes(), &mut out).map_err(Error::stdout)?;
        return Ok(file.unchanged()?);
    }
    let outcome = commit(&plan.patch, file, target, &output.options())?;
    tell(target, plan, &outcome, output);
    Ok(())
}

/// Says so where a signature goes that nobody asked to drop.
pub fn warn_of_signature(path: &Path, plan: &Plan) {
    for decision in &plan.decisions {
        if let Decision::DropSignature { kind, size, asked: false } = decision {
            report::warning(path, &format!("the appended {kind} ({size} bytes) is dropped"));
        }
    }
}

fn tell(target: &Path, plan: &Plan, outcome: &Outcome, output: Output) {
    let split = outcome.kind == Kind::Replaced && outcome.hard_links > 1;
    if split {
        let others = outcome.hard_links - 1;
        // Who asked for --in-place already is told why it was not done.
        let why = outcome
            .in_place_refused
            .map_or_else(|| "--in-place keeps the links".to_owned(), |why| format!("not edited in place: {why}"));
        let links = if others == 1 { "link, which keeps" } else { "links, which keep" };
        report::warning(target, &format!("it had {others} other hard {links} the old contents; {why}"));
    }
    if output.verbose {
        if let Some(why) = outcome.in_place_refused.filter(|_| !split) {
            report::note(target, &format!("not edited in place: {why}"));
        }
        let what = match outcome.kind {
            Kind::Unchanged => "unchanged",
            Kind::InPlace => "edited in place",
            Kind::Streamed => "written",
            _ => "replaced",
        };
        let total = plan.patch.output_len();
        report::note(target, &format!("{what}, {} of {total} bytes written", outcome.bytes_written));
    }
}

fn dry_run(path: &Path, plan: &Plan) -> String {
    let mut text = format!("{}:\n", shown(&path));
    for decision in &plan.decisions {
        text += &format!("  {decision}\n");
    }
    for line in explain(&plan.patch).lines() {
        text += &format!("  {line}\n");
    }
    text
}

/// A section to write to a file.
pub struct Dump<'a> {
    index: SectionIndex,
    contents: &'a [u8],
    target: PathBuf,
}

/// Finds the sections that are to be written to files: all are there before the first is written.
pub fn dumps<'a>(
    file: &Input,
    image: &Image<'a>,
    names: Vec<(Vec<u8>, PathBuf)>,
    option: &str,
) -> Result<Vec<Dump<'a>>, Error> {
    let input = file.path();
    let fail = |text: String| Err(Error::file(input, format!("{option}{text}")));
    let mut dumps: Vec<Dump> = Vec::new();
    for (name, target) in names {
        let section = printable(&name);
        let index = match image.named(&name).as_slice() {
            [one] => *one,
            [] => return fail(format!("there is no section '{section}'")),
            several => {
                return fail(format!(
                    "{} sections are named '{section}': {}",
                    several.len(),
                    image.describe_all(several)
                ));
            }
        };
        let header = image.header(index).map_err(Error::edit(input))?;
        if let Some(sh_type) = header.type_without_contents() {
            return fail(format!("section {} is {sh_type}: it has no contents in the file", image.describe(index)));
        }
        let contents = image.contents(index).map_err(Error::edit(input))?;
        if same_file(file, &target) {
            return fail(format!("'{}' is the file that is read", shown(&target)));
        }
        if let Some(other) = dumps.iter().find(|other| other.target == target && other.index != index) {
            let (one, two) = (image.describe(other.index), image.describe(index));
            // One pipe or device may take several; a file would hold the last.
            if target != Path::new("-") && fs::metadata(&target).map_or(true, |m| m.is_file()) {
                return fail(format!("sections {one} and {two} go to one file, '{}'", shown(&target)));
            }
        }
        dumps.push(Dump { index, contents, target });
    }
    Ok(dumps)
}

/// Refuses an output that is one of the files which are read: nobody means to lose those.
pub fn not_an_input<'p>(target: &Path, inputs: impl IntoIterator<Item = &'p Path>) -> Result<(), Error> {
    let id = |path: &Path| fs::metadata(path).ok().filter(fs::Metadata::is_file).map(|m| (m.dev(), m.ino()));
    let Some(own) = id(target) else { return Ok(()) };
    match inputs.into_iter().find(|input| id(input) == Some(own)) {
        Some(_) => Err(Error::file(target, "it is a file that is read; the result has to go to another one")),
        None => Ok(()),
    }
}

fn same_file(file: &Input, target: &Path) -> bool {
    let id = |m: fs::Metadata| (m.dev(), m.ino());
    file.metadata().is_some_and(|m| fs::metadata(target).is_ok_and(|other| id(other) == (m.dev(), m.ino())))
}

impl Dump<'_> {
    /// Writes the file, or says that it would.
    pub fn run(&self, image: &Image, file: &Input, output: Output) -> Result<(), Error> {
        let (target, contents, input) = (&self.target, self.contents, file.path());
        if output.dry_run {
            let line = format!(
                "{}: dump section {} ({} bytes) to '{}'\n",
                shown(input),
                image.describe(self.index),
                contents.len(),
                shown(target)
            );
            return report::print(&line);
        }
        if target == Path::new("-") {
            std::io::Write::write_all(&mut std::io::stdout().lock(), contents).map_err(Error::stdout)?;
            return Ok(file.unchanged()?);
        }
        write_part(target, contents, file, output.fsync)?;
        if output.verbose {
            let section = image.describe(self.index);
            report::note(
                input,
                &format!("section {section}: {} bytes written to '{}'", contents.len(), target.display()),
            );
        }
        Ok(())
    }
}
