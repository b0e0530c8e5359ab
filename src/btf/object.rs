//! `elfgraft btf object`: vmlinux's `.btf.o`, without a compiler, objcopy twice and `dd`.

use std::path::PathBuf;

use elfgraft_edit::{Object, object};
use elfgraft_elf::consts::SHF_ALLOC;
use elfgraft_elf::{Image, encode};
use elfgraft_patch::{Kind, WriteOptions, write_file};

use crate::blob::open;
use crate::report::{self, Error};
use crate::run::not_an_input;

/// Make an object with just .BTF, to be linked into vmlinux.
///
/// ET_REL with one section of contents, .BTF: SHT_PROGBITS, SHF_ALLOC, sh_addralign 4. Class, byte order, e_machine
/// and e_flags are those of another file of the same build, so the linker takes it.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: elfgraft btf object --like vmlinux.o --btf vmlinux.BTF -o .btf.o",
    after_long_help = "\
Examples:
  vmlinux's .btf.o, without a compiler; not touched where it would be the same:
    elfgraft btf object --if-changed --like vmlinux.o --btf v.BTF -o .btf.o"
)]
pub struct ObjectArgs {
    /// ELF file of the same build, any object, or vmlinux: EI_CLASS, EI_DATA, e_machine and e_flags are its
    #[arg(long, value_name = "ELF")]
    like: PathBuf,
    /// Raw BTF, the contents of .BTF; refused if the kernel would refuse it
    #[arg(long, value_name = "FILE")]
    btf: PathBuf,
    /// The object to make; written whole or not at all
    #[arg(short, long, value_name = "OUT")]
    output: PathBuf,
    /// Leave OUT alone, its modification time too, if it has these contents already
    #[arg(long)]
    if_changed: bool,
    /// Say what was done, in one line
    #[arg(short, long)]
    verbose: bool,
}

impl ObjectArgs {
    /// Runs the command.
    pub fn run(&self) -> Result<(), Error> {
        not_an_input(&self.output, [&*self.like, &*self.btf])?;
        let (like, btf) = (open(&self.like)?, open(&self.btf)?);
        let image = Image::parse(like.bytes()).map_err(Error::edit(&self.like))?;
        elfgraft_btf::Btf::parse(btf.bytes())
            .and_then(|btf| btf.validate())
            .map_err(|e| Error::file(&self.btf, format!("BTF: {e}")))?;
        let spec = Object {
            format: image.format,
            e_flags: encode::e_flags(image.format, like.bytes()),
            section: b".BTF",
            sh_flags: SHF_ALLOC,
            align: 4,
            symbols: None,
        };
        let bytes = object(&spec, btf.bytes()).map_err(Error::edit(&self.output))?;
        let options = WriteOptions { if_changed: self.if_changed, ..WriteOptions::default() };
        let outcome = write_file(&self.output, &bytes, &options)?;
        if self.verbose {
            let what = if outcome.kind == Kind::Unchanged { "unchanged" } else { "written" };
            report::note(&self.output, &format!("{what}, {} bytes", bytes.len()));
        }
        Ok(())
    }
}
