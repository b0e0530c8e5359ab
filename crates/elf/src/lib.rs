//! What the bytes of an ELF file mean: a checked, borrowed view of its headers, sections, segments and symbols.
//!
//! [`Image::parse`] reads the ELF header, the section header table and the program header table, and nothing else;
//! contents, names and symbols are bounds checked when they are asked for. So a file is refused only for a lie that
//! the caller would have relied on, and the cost of reading follows the number of headers, not the size of the file.
//!
//! ELF32 and ELF64, both byte orders and every `e_machine` are one code path: headers are widened to 64 bits on the
//! way in ([`SectionHeader`], [`ProgramHeader`]) and narrowed on the way out ([`encode`]). More than 65,279 sections
//! (`e_shnum` 0, `SHT_SYMTAB_SHNDX`) are read as the gABI says ("Section header table", "Symbol table").
//!
//! Names are bytes: nothing here wants UTF-8.
//!
//! ```
//! use elfgraft_elf::Image;
//!
//! # let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/demo-gnu.ko");
//! let file = std::fs::read(path)?;
//! let image = Image::parse(&file)?;
//! for index in image.named(b".BTF") {
//!     let header = image.header(index)?;
//!     assert_eq!(image.contents(index)?.len() as u64, header.sh_size);
//!     println!("{} at {:#x}", image.describe(index), header.sh_offset);
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Sources: System V gABI chapters 4 and 5; for the signature trailer, the kernel's `include/linux/module_signature.h`.

pub mod consts;
pub mod encode;
mod endian;
mod error;
mod image;
mod section;
mod symtab;
pub mod trailer;

pub use endian::Endianness;
pub use error::ElfError;
pub use image::{Format, Image, NameBudget, printable};
pub use section::{ProgramHeader, SectionHeader, SectionIndex};
pub use symtab::{Symbol, SymbolSection, SymbolTable};
