//! What is checked: the ids of findings, how bad they are, and why they matter.

use std::fmt;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The file is not sound: tools refuse it or read it in different ways.
    Error,
    /// Sound, but something will not work as meant.
    Warning,
    /// Worth knowing.
    Note,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "note",
        })
    }
}

macro_rules! rules {
    ($($rule:ident $id:literal $severity:ident $why:literal)*) => {
        /// A rule that a sound file keeps.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Rule {
            $(#[doc = concat!("`", $id, "`: ", $why, ".")] $rule,)*
        }

        impl Rule {
            /// All of them, in the order of reports.
            pub const ALL: &[Rule] = &[$(Rule::$rule,)*];

            /// The stable id of findings.
            #[must_use]
            pub fn id(self) -> &'static str {
                match self { $(Rule::$rule => $id,)* }
            }

            /// How bad it is when the rule is broken.
            #[must_use]
            pub fn severity(self) -> Severity {
                match self { $(Rule::$rule => Severity::$severity,)* }
            }

            /// Why it matters, in one line.
            #[must_use]
            pub fn why(self) -> &'static str {
                match self { $(Rule::$rule => $why,)* }
            }
        }
    };
}

rules! {
    Unreadable "unreadable" Error "nothing can be read without the ELF header and both header tables"
    Header "header" Error "loaders and libelf refuse files whose ELF header contradicts itself"
    SectionNull "section-null" Error "index 0 means no section; the kernel refuses a module where it is one"
    SectionNames "section-names" Error "without names no tool finds .BTF, .modinfo or .symtab"
    SectionName "section-name" Error "a name outside the string table is garbage, or a crash, in careless readers"
    SectionBounds "section-bounds" Error "contents that the file does not have: it was truncated, or a header is damaged"
    SectionOverlap "section-overlap" Error "writing one of them damages the other"
    SectionAlign "section-align" Warning "linkers and loaders take sh_addralign for a power of two that divides sh_addr"
    TableSize "table-size" Error "entries of another size are read as garbage"
    SectionLink "section-link" Error "readers follow sh_link without looking: wrong names, wrong symbols"
    SectionInfo "section-info" Error "relocations would be applied to the wrong section"
    StringTable "string-table" Error "a string that does not end runs into whatever comes next; the kernel refuses the module"
    ManySections "many-sections" Warning "kernel and kmod cannot read extended section numbering: they refuse this module"
    DuplicateSection "duplicate-section" Warning "the kernel uses one of them, and tools that edit by name may use another"
    Group "group" Error "linkers refuse an object whose groups are broken"
    SymbolNull "symbol-null" Error "index 0 means no symbol; relocations would refer to it all the same"
    SymbolName "symbol-name" Error "a name outside the string table is garbage, or a crash, in careless readers"
    SymbolSection "symbol-section" Error "the symbol is defined nowhere: linkers refuse the file or crash"
    SymbolOrder "symbol-order" Error "linkers take symbols before sh_info for local and all others for global"
    SymbolValue "symbol-value" Warning "the symbol points behind its section, at what happens to follow"
    SegmentBounds "segment-bounds" Error "the loader would map what the file does not have"
    SegmentAlign "segment-align" Error "the loader maps pages: an offset that does not fit the address cannot be mapped"
    SegmentOverlap "segment-overlap" Error "the loader would put one over the other"
    SegmentSection "segment-section" Error "the section is not in memory where symbols and code expect it"
    RelocSymbol "reloc-symbol" Error "there is no such symbol: linkers and the module loader read beyond the table"
    RelocOffset "reloc-offset" Error "the module loader would write behind the section"
    Btf "btf" Error "the kernel refuses a module whose BTF does not validate, or loads it without its kfuncs"
    BtfBase "btf-base" Note "split BTF means nothing without its base: give it to have types and IDs checked"
    BtfIds "btf-ids" Error "the kernel would allow, or call, other functions than meant, or find none"
    BtfIdsStale "btf-ids-stale" Warning "sorted without its symbols: resolving IDs a second time gives flags to the wrong kfunc"
    BtfIdsUnresolved "btf-ids-unresolved" Note "a kfunc or type without an ID is not there for BPF programs"
    Modinfo "modinfo" Error "modprobe and the kernel read strings here: the last one would not end"
    ModuleHashes "module-hashes" Error "the kernel reads levels and one root: module loading would fail for every module"
    Note "note" Warning "build IDs are looked up here by debuggers and perf"
    Signature "signature" Error "the kernel looks for a signature and refuses the module"
    Trailer "trailer" Warning "bytes behind the file that belong to nothing: tools drop them or break on them"
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn ids_are_kebab_case_and_unique() {
        let ids: BTreeSet<_> = Rule::ALL.iter().map(|rule| rule.id()).collect();
        assert_eq!(ids.len(), Rule::ALL.len());
        assert!(ids.iter().all(|id| id.bytes().all(|b| b.is_ascii_lowercase() || b == b'-')));
    }

    #[test]
    fn a_reason_is_one_line_of_words() {
        assert!(Rule::ALL.iter().all(|rule| rule.why().len() < 120 && !rule.why().ends_with('.')));
    }
}
