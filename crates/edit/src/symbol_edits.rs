//! What can be asked of symbols, in GNU's terms: which go, and what becomes of the others.

use std::collections::{HashMap, HashSet};

use elfgraft_elf::Symbol;
use elfgraft_elf::SymbolSection;
use elfgraft_elf::consts::*;

use crate::select::{Pattern, Patterns};

/// Names given to an option: exact, or with `-w` patterns with `!`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SymbolNames {
    exact: HashSet<Vec<u8>>,
    patterns: Patterns,
}

impl SymbolNames {
    /// Names, or with `wildcard` patterns.
    pub fn new(names: impl IntoIterator<Item = Vec<u8>>, wildcard: bool) -> SymbolNames {
        let mut all = SymbolNames::default();
        for name in names {
            match wildcard {
                true => all.patterns.push(Pattern::new(&name)),
                false => _ = all.exact.insert(name),
            }
        }
        all
    }

    /// Whether no name was given.
    pub fn is_empty(&self) -> bool {
        self.exact.is_empty() && self.patterns.is_empty()
    }

    /// Whether a name is among them.
    pub fn selects(&self, name: &[u8]) -> bool {
        self.exact.contains(name) || self.patterns.selects(name)
    }
}

/// How much goes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Strip {
    /// Nothing.
    #[default]
    None,
    /// Debugging sections, file symbols, and section symbols that nothing names.
    Debug,
    /// And every symbol that no relocation needs; in an ET_REL object, globals stay.
    Unneeded,
    /// All symbols and, in an ET_REL object, all relocations.
    All,
}

/// Which local symbols go.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Discard {
    /// None.
    #[default]
    None,
    /// Those the compiler made: `.L...`.
    CompilerLocals,
    /// All.
    Locals,
}

/// `--add-symbol`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSymbol {
    /// Its name.
    pub name: Vec<u8>,
    /// The section it is in; `None` makes it `SHN_ABS`.
    pub section: Option<Vec<u8>>,
    /// `st_value`, counted from the section's address.
    pub value: u64,
    /// Binding and type: `st_info`.
    pub info: u8,
    /// Visibility: `st_other`.
    pub other: u8,
}

/// Everything that can be asked of the symbols of `.symtab`. `.dynsym` belongs to the loader and is never changed.
#[derive(Debug, Clone, Default)]
pub struct SymbolEdits {
    /// How much goes.
    pub strip: Strip,
    /// Which local symbols go.
    pub discard: Discard,
    /// These go; refused where a relocation names one.
    pub strip_symbols: SymbolNames,
    /// These go unless a relocation that stays names them.
    pub strip_unneeded: SymbolNames,
    /// These stay, whatever else was asked.
    pub keep: SymbolNames,
    /// If not empty: all other global symbols become local.
    pub keep_global: SymbolNames,
    /// These become local.
    pub localize: SymbolNames,
    /// These become global.
    pub globalize: SymbolNames,
    /// These become weak.
    pub weaken: SymbolNames,
    /// All global symbols become weak.
    pub weaken_all: bool,
    /// Symbols of hidden and internal visibility become local.
    pub localize_hidden: bool,
    /// File symbols stay.
    pub keep_file_symbols: bool,
    /// New names by old names.
    pub redefine: HashMap<Vec<u8>, Vec<u8>>,
    /// Put in front of every name. Not idempotent, by its nature.
    pub prefix: Vec<u8>,
    /// Symbols to add, unless the same symbol is there.
    pub add: Vec<NewSymbol>,
}

/// What becomes of a symbol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fate {
    Drop,
    /// It stays, with this binding, and this name if not its own.
    Keep(u8, Option<Vec<u8>>),
}

impl SymbolEdits {
    /// Whether nothing was asked.
    pub fn is_empty(&self) -> bool {
        let names = [
            &self.strip_symbols,
            &self.strip_unneeded,
            &self.keep_global,
            &self.localize,
            &self.globalize,
            &self.weaken,
        ];
        self.strip == Strip::None
            && self.discard == Discard::None
            && names.iter().all(|n| n.is_empty())
            && !self.weaken_all
            && !self.localize_hidden
            && self.redefine.is_empty()
            && self.prefix.is_empty()
            && self.add.is_empty()
    }

    /// Whether the whole symbol table goes.
    pub(crate) fn drops_table(&self) -> bool {
        self.strip == Strip::All && self.keep.is_empty() && !self.keep_file_symbols && self.add.is_empty()
    }

    /// `needed`: a relocation or a group that stays names the symbol, or the processor does. `object`: the file is ET_REL.
    ///
    /// # Errors
    /// If the symbol is to go by name and cannot.
    pub(crate) fn fate(&self, symbol: &Symbol, name: &[u8], needed: bool, object: bool) -> Result<Fate, ()> {
        let local = symbol.bind() == STB_LOCAL;
        let undefined = symbol.section == SymbolSection::Undefined;
        let common = symbol.section == SymbolSection::Reserved(SHN_COMMON);
        let mut keep = if needed {
            true
        } else if self.strip == Strip::All {
            false
        } else if !local || undefined || common {
            object || self.strip != Strip::Unneeded
        } else if matches!(symbol.kind(), STT_FILE | STT_SECTION) {
            self.strip == Strip::None
        } else {
            let discarded = match self.discard {
                Discard::None => false,
                Discard::CompilerLocals => name.starts_with(b".L"),
                Discard::Locals => true,
            };
            self.strip != Strip::Unneeded && !discarded
        };
        let by_name = self.keep.selects(name) || self.keep_file_symbols && symbol.kind() == STT_FILE;
        if self.strip_symbols.selects(name) && !by_name {
            if needed {
                return Err(());
            }
            keep = false;
        }
        if self.strip_unneeded.selects(name) && !needed {
            keep = false;
        }
        if !keep && !by_name {
            return Ok(Fate::Drop);
        }
        let new = self.redefine.get(name).map_or(name, Vec::as_slice);
        let renamed = !name.is_empty() && (new != name || !self.prefix.is_empty());
        let new_name = renamed.then(|| [&self.prefix, new].concat());
        Ok(Fate::Keep(self.binding(symbol, name, undefined), new_name))
    }

    fn binding(&self, symbol: &Symbol, name: &[u8], undefined: bool) -> u8 {
        let mut bind = symbol.bind();
        if bind == STB_GLOBAL && (self.weaken_all || self.weaken.selects(name)) {
            bind = STB_WEAK;
        }
        let hidden = matches!(symbol.st_other & 3, 1 | 2);
        let to_local = self.localize.selects(name)
            || !self.keep_global.is_empty() && !self.keep_global.selects(name)
            || self.localize_hidden && hidden;
        let common = symbol.section == SymbolSection::Reserved(SHN_COMMON);
        if !undefined && !common && bind != STB_LOCAL && to_local {
            bind = STB_LOCAL;
        }
        if !undefined && bind == STB_LOCAL && symbol.kind() != STT_SECTION && self.globalize.selects(name) {
            bind = STB_GLOBAL;
        }
        bind
    }
}

/// Symbols that tell code from data (`$a`, `$t`, `$x`, `$d`, and with a dot and more behind): disassemblers and the
/// linker's erratum and byte swapping passes read them, so on arm and aarch64 they stay, as with GNU's tools.
pub(crate) fn is_mapping(e_machine: u16, symbol: &Symbol, name: &[u8]) -> bool {
    const EM_ARM: u16 = 40;
    const EM_AARCH64: u16 = 183;
    let letters: &[u8] = match e_machine {
        EM_ARM => b"atd",
        EM_AARCH64 => b"xd",
        _ => return false,
    };
    let mapping = matches!(name, [b'$', letter] | [b'$', letter, b'.', ..] if letters.contains(letter));
    mapping && symbol.bind() == STB_LOCAL && symbol.kind() == STT_NOTYPE
}

/// Sections that hold debugging information, by name as GNU's tools know them; never allocated ones.
pub(crate) fn is_debug(name: &[u8]) -> bool {
    const PREFIXES: [&[u8]; 6] =
        [b".debug", b".zdebug", b".gnu.debuglto_.debug_", b".gnu.linkonce.wi.", b".line", b".stab"];
    PREFIXES.iter().any(|p| name.starts_with(p)) || name == b".gdb_index"
}
