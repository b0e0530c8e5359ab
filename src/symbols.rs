//! Options about symbols, the same for `objcopy` and `strip`.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use elfgraft_edit::{Discard, NewSymbol, SymbolEdits, SymbolNames};
use elfgraft_elf::consts::*;

use crate::blob::{assignment, number};
use crate::report::Error;

/// Which symbols go, and what becomes of the others. `.dynsym` is never changed.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Symbols")]
pub struct SymbolArgs {
    /// Remove the symbol from .symtab; refused where a relocation names it
    ///
    /// The other entries keep their order; sh_info of .symtab, and indices of symbols in relocations and groups, follow.
    /// .dynsym never changes.
    #[arg(short = 'N', long, value_name = "NAME")]
    strip_symbol: Vec<OsString>,
    /// Remove the symbols listed in FILE, one a line, from .symtab
    #[arg(long, value_name = "FILE")]
    strip_symbols: Vec<PathBuf>,
    /// Remove the symbol from .symtab unless a relocation that stays names it
    #[arg(long, value_name = "NAME")]
    strip_unneeded_symbol: Vec<OsString>,
    /// Remove the symbols listed in FILE from .symtab unless a relocation that stays names them
    #[arg(long, value_name = "FILE")]
    strip_unneeded_symbols: Vec<PathBuf>,
    /// Keep the symbol in .symtab, whatever other options say
    #[arg(short = 'K', long, value_name = "NAME")]
    keep_symbol: Vec<OsString>,
    /// Keep the symbols listed in FILE in .symtab
    #[arg(long, value_name = "FILE")]
    keep_symbols: Vec<PathBuf>,
    /// Keep file symbols (STT_FILE) in .symtab
    #[arg(long)]
    keep_file_symbols: bool,
    /// Remove all local symbols (STB_LOCAL) that no relocation needs
    #[arg(short = 'x', long)]
    discard_all: bool,
    /// Remove local symbols (STB_LOCAL) that the compiler made (`.L...`)
    #[arg(short = 'X', long, overrides_with = "discard_all")]
    discard_locals: bool,
    /// NAMEs of symbols are patterns: `*`, `?`, `[a-z]`, and `!` in front keeps what matches
    #[arg(short = 'w', long)]
    wildcard: bool,
}

impl SymbolArgs {
    /// The edits these options ask for.
    pub fn edits(&self) -> Result<SymbolEdits, Error> {
        Ok(SymbolEdits {
            strip_symbols: self.names(&self.strip_symbol, &self.strip_symbols)?,
            strip_unneeded: self.names(&self.strip_unneeded_symbol, &self.strip_unneeded_symbols)?,
            keep: self.names(&self.keep_symbol, &self.keep_symbols)?,
            keep_file_symbols: self.keep_file_symbols,
            discard: match (self.discard_all, self.discard_locals) {
                (true, _) => Discard::Locals,
                (_, true) => Discard::CompilerLocals,
                _ => Discard::None,
            },
            ..SymbolEdits::default()
        })
    }

    /// Names given one by one and in files.
    pub fn names(&self, names: &[OsString], files: &[PathBuf]) -> Result<SymbolNames, Error> {
        let mut all: Vec<Vec<u8>> = names.iter().map(|n| n.as_bytes().to_vec()).collect();
        for file in files {
            all.extend(lines(file)?);
        }
        Ok(SymbolNames::new(all, self.wildcard))
    }
}

/// Changes of names and bindings: `objcopy` only.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Symbols")]
pub struct RebindArgs {
    /// Make all global symbols but this one local (STB_LOCAL)
    ///
    /// Local symbols stand before the others in .symtab: what becomes local moves there, sh_info and the indices of
    /// symbols in relocations and groups follow.
    #[arg(short = 'G', long, value_name = "NAME")]
    keep_global_symbol: Vec<OsString>,
    /// Make all global symbols but those listed in FILE local (STB_LOCAL)
    #[arg(long, value_name = "FILE")]
    keep_global_symbols: Vec<PathBuf>,
    /// Make the symbol local (STB_LOCAL)
    #[arg(short = 'L', long, value_name = "NAME")]
    localize_symbol: Vec<OsString>,
    /// Make the symbols listed in FILE local (STB_LOCAL)
    #[arg(long, value_name = "FILE")]
    localize_symbols: Vec<PathBuf>,
    /// Make symbols that are STV_HIDDEN or STV_INTERNAL in st_other local (STB_LOCAL)
    #[arg(long)]
    localize_hidden: bool,
    /// Make the symbol global (STB_GLOBAL)
    #[arg(long, value_name = "NAME")]
    globalize_symbol: Vec<OsString>,
    /// Make the symbols listed in FILE global (STB_GLOBAL)
    #[arg(long, value_name = "FILE")]
    globalize_symbols: Vec<PathBuf>,
    /// Make the global symbol weak (STB_WEAK)
    #[arg(short = 'W', long, value_name = "NAME")]
    weaken_symbol: Vec<OsString>,
    /// Make the global symbols listed in FILE weak (STB_WEAK)
    #[arg(long, value_name = "FILE")]
    weaken_symbols: Vec<PathBuf>,
    /// Make all global symbols weak (STB_WEAK)
    #[arg(long)]
    weaken: bool,
    /// Rename the symbol (st_name); the new name is added to its string table
    #[arg(long, value_name = "OLD=NEW")]
    redefine_sym: Vec<OsString>,
    /// Rename symbols (st_name) as listed in FILE: OLD NEW on each line
    #[arg(long, value_name = "FILE")]
    redefine_syms: Vec<PathBuf>,
    /// Put PREFIX in front of every symbol's name (st_name), each time it is run
    #[arg(long, value_name = "PREFIX")]
    prefix_symbols: Option<OsString>,
    /// Add a symbol to .symtab, its name to the string table
    ///
    /// Local ones stand behind the other local ones, others at the end; sh_info and indices of symbols follow.
    /// st_value is VALUE, an offset in SECTION or, without it, absolute (SHN_ABS). FLAGS: local, global (the default),
    /// weak (STB_*); function, object, file (STT_*); hidden (STV_HIDDEN).
    #[arg(long, value_name = "NAME=[SECTION:]VALUE[,FLAGS]")]
    add_symbol: Vec<OsString>,
}

impl RebindArgs {
    /// Adds what these options ask for to `edits`; `args` reads the names.
    pub fn add_to(&self, args: &SymbolArgs, edits: &mut SymbolEdits) -> Result<(), Error> {
        edits.keep_global = args.names(&self.keep_global_symbol, &self.keep_global_symbols)?;
        edits.localize = args.names(&self.localize_symbol, &self.localize_symbols)?;
        edits.localize_hidden = self.localize_hidden;
        edits.globalize = args.names(&self.globalize_symbol, &self.globalize_symbols)?;
        edits.weaken = args.names(&self.weaken_symbol, &self.weaken_symbols)?;
        edits.weaken_all = self.weaken;
        edits.prefix = self.prefix_symbols.as_ref().map(|p| p.as_bytes().to_vec()).unwrap_or_default();
        for value in &self.redefine_sym {
            let (old, new) = assignment("--redefine-sym", value)?;
            rename(edits, old, new.as_bytes())?;
        }
        for file in &self.redefine_syms {
            for line in lines(file)? {
                let mut words = line.split(|b| b.is_ascii_whitespace()).filter(|w| !w.is_empty());
                match (words.next(), words.next(), words.next()) {
                    (Some(old), Some(new), None) => rename(edits, old, new)?,
                    _ => {
                        let text = format!("'{}' is not OLD NEW", line.escape_ascii());
                        return Err(Error::file(file, text));
                    }
                }
            }
        }
        edits.add = self.add_symbol.iter().map(new_symbol).collect::<Result<_, _>>()?;
        Ok(())
    }
}

fn rename(edits: &mut SymbolEdits, old: &[u8], new: &[u8]) -> Result<(), Error> {
    match edits.redefine.insert(old.to_vec(), new.to_vec()) {
        Some(other) if other != new => Err(Error::Usage(format!("symbol '{}' gets two new names", old.escape_ascii()))),
        _ => Ok(()),
    }
}

/// `NAME=[SECTION:]VALUE[,FLAGS]`.
fn new_symbol(text: &OsString) -> Result<NewSymbol, Error> {
    let (name, value) = assignment("--add-symbol", text)?;
    let mut words = value.as_bytes().split(|&b| b == b',');
    let place = words.next().unwrap_or_default();
    let (section, value) = match place.iter().rposition(|&b| b == b':') {
        Some(at) => (place.get(..at).map(<[u8]>::to_vec), place.get(at + 1..).unwrap_or_default()),
        None => (None, place),
    };
    let value = number("--add-symbol", OsStr::from_bytes(value))?;
    let (mut bind, mut kind, mut other) = (STB_GLOBAL, STT_NOTYPE, 0);
    for word in words {
        match word.to_ascii_lowercase().as_slice() {
            b"local" => bind = STB_LOCAL,
            b"global" => bind = STB_GLOBAL,
            b"weak" => bind = STB_WEAK,
            b"function" => kind = 2,
            b"object" => kind = 1,
            b"file" => kind = STT_FILE,
            b"hidden" => other = 2,
            unknown => {
                let text = format!("--add-symbol: unknown flag '{}'", unknown.escape_ascii());
                return Err(Error::Usage(text));
            }
        }
    }
    Ok(NewSymbol { name: name.to_vec(), section, value, info: bind << 4 | kind, other })
}

/// The lines of a file of names: `#` begins a comment, blank lines and white space at the ends do not count.
fn lines(path: &Path) -> Result<Vec<Vec<u8>>, Error> {
    let text = std::fs::read(path).map_err(|e| Error::file(path, format!("cannot read: {e}")))?;
    let lines = text.split(|&b| b == b'\n').map(|line| {
        let line = line.split(|&b| b == b'#').next().unwrap_or_default();
        OsString::from_vec(line.trim_ascii().to_vec()).into_vec()
    });
    Ok(lines.filter(|line| !line.is_empty()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_symbols_are_read() {
        let symbol = new_symbol(&"foo=.text:0x10,local,function,hidden".into()).unwrap();
        assert_eq!(symbol.name, b"foo");
        assert_eq!(symbol.section.as_deref(), Some(&b".text"[..]));
        assert_eq!((symbol.value, symbol.info, symbol.other), (16, 2, 2));
        assert_eq!(new_symbol(&"foo=1".into()).unwrap().section, None);
        assert!(new_symbol(&"foo=1,purple".into()).unwrap_err().to_string().contains("purple"));
    }

    #[test]
    fn files_of_names_have_comments_and_blank_lines() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("names");
        std::fs::write(&path, "a\n\n # all\nb # why\n").unwrap();
        assert_eq!(lines(&path).unwrap(), [b"a".to_vec(), b"b".to_vec()]);
    }
}
