//! Formats of input and output: `-I`, `-O` and their like.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use elfgraft_edit::{EditError, Edits, FlatOptions, Object, Plan, loaded, object};
use elfgraft_elf::Image;
use elfgraft_elf::consts::{SHF_ALLOC, SHF_WRITE};
use elfgraft_elf::encode::e_entry;
use elfgraft_patch::{Builder, Input};

use crate::blob::number;
use crate::records::{ihex, srec};
use crate::report::Error;
use crate::targets::{self, TargetFormat};

/// Formats of input and output.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Formats")]
pub struct FormArgs {
    /// Format of the input: `binary`, or an ELF format as BFD names it
    ///
    /// An ELF format must be the file's own: EI_CLASS, EI_DATA and e_machine are checked. With `binary` all bytes
    /// become section .data (SHF_ALLOC and SHF_WRITE) of a new ET_REL object, with symbols for start, end and size.
    #[arg(short = 'I', long, value_name = "TARGET")]
    input_target: Option<String>,
    /// Format of the output: the file's own, `binary`, `srec`, `ihex`, or `elf32-x86-64`
    ///
    /// `binary` is the contents of SHF_ALLOC sections at their load addresses (p_paddr), no headers; `srec` and
    /// `ihex` are the same as text. `elf32-x86-64` makes ELFCLASS32 of an elf64-x86-64 object: its headers, symbols
    /// and relocations are narrowed.
    #[arg(short = 'O', long, value_name = "TARGET")]
    output_target: Option<String>,
    /// Format of input and output
    #[arg(short = 'F', long, value_name = "TARGET", conflicts_with_all = ["input_target", "output_target"])]
    target: Option<String>,
    /// Processor of a new object; the output format says it already, accepted for GNU's sake
    #[arg(short = 'B', long, value_name = "ARCH")]
    binary_architecture: Option<String>,
    /// With `-O binary`: the byte between sections [default: 0]
    #[arg(long, value_name = "BYTE")]
    gap_fill: Option<OsString>,
    /// With `-O binary`: fill up to this load address
    #[arg(long, value_name = "ADDRESS")]
    pad_to: Option<OsString>,
    /// With `-O binary`: refuse an image of more bytes [default: 1 GiB]
    #[arg(long, value_name = "BYTES")]
    max_size: Option<OsString>,
}

impl FormArgs {
    fn parse(option: &str, name: &Option<String>) -> Result<Option<TargetFormat>, Error> {
        name.as_deref().map(|name| TargetFormat::parse(option, name)).transpose()
    }

    /// That of the input.
    pub fn input(&self) -> Result<Option<TargetFormat>, Error> {
        Ok(Self::parse("-F", &self.target)?.or(Self::parse("-I", &self.input_target)?))
    }

    /// That of the output.
    pub fn output(&self) -> Result<Option<TargetFormat>, Error> {
        Ok(Self::parse("-F", &self.target)?.or(Self::parse("-O", &self.output_target)?))
    }

    /// How an image is filled.
    pub fn flat(&self) -> Result<FlatOptions, Error> {
        let mut options = FlatOptions::default();
        if let Some(text) = &self.gap_fill {
            let value = number("--gap-fill", text)?;
            options.gap_fill =
                u8::try_from(value).map_err(|_| Error::Usage(format!("--gap-fill: {value} is not a byte")))?;
        }
        options.pad_to = self.pad_to.as_ref().map(|text| number("--pad-to", text)).transpose()?;
        if let Some(text) = &self.max_size {
            options.max_size = number("--max-size", text)?;
        }
        Ok(options)
    }
}

/// `-O srec` and `-O ihex`: the text, as a plan.
pub fn records<'a>(
    image: &Image<'a>,
    edits: &Edits,
    to: Option<TargetFormat>,
    name: &Path,
) -> Result<Plan<'a>, EditError> {
    let parts = loaded(image, edits)?;
    let entry = edits.addresses.entry(e_entry(image.format, image.file()))?;
    let text = match to {
        Some(TargetFormat::Srec) => srec(&parts, name.as_os_str().as_bytes(), entry),
        _ => ihex(&parts, entry),
    }?;
    let len = text.len() as u64;
    let mut out = Builder::new(image.file().len() as u64);
    out.write(0, text, "records");
    Ok(Plan { patch: out.finish(len)?, decisions: Vec::new() })
}

/// `-I binary`: the object that holds the bytes of the file.
pub fn new_object(file: &Input, to: Option<TargetFormat>) -> Result<Vec<u8>, Error> {
    let Some(TargetFormat::Elf(format)) = to else {
        return Err(Error::Usage("-I binary needs an ELF format to make: -O elf64-x86-64, for example".into()));
    };
    let name = file.path().as_os_str().as_bytes();
    let spec = Object {
        format,
        e_flags: 0,
        section: b".data",
        sh_flags: SHF_WRITE | SHF_ALLOC,
        align: 1,
        symbols: Some(if name == b"-" { b"stdin" } else { name }),
    };
    object(&spec, file.bytes()).map_err(Error::edit(file.path()))
}

/// An ELF format must be that of the file.
pub fn check_format(path: &Path, image: &Image, target: TargetFormat) -> Result<(), Error> {
    match target {
        TargetFormat::Elf(format) if !targets::same(format, image.format) => {
            let (has, wants) = (targets::name(image.format), targets::name(format));
            Err(Error::file(path, format!("it is {has}; conversion to or from {wants} is not supported")))
        }
        _ => Ok(()),
    }
}
