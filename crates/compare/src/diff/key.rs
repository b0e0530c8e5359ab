//! What kinds of difference there are: the words of `--ignore`.

use std::fmt;
use std::str::FromStr;

macro_rules! keys {
    ($($group:ident { $($key:ident $name:literal $meaning:literal)* })*) => {
        /// A kind of difference. Names are stable: scripts ignore by them.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Key {
            $($(#[doc = concat!("`", $name, "`: ", $meaning, ".")] $key,)*)*
        }

        impl Key {
            /// All of them, in the order of reports.
            pub const ALL: &[Key] = &[$($(Key::$key,)*)*];

            /// The word for it in `--ignore` and JSON.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $($(Key::$key => $name,)*)* }
            }

            /// What such a difference is, in a few words.
            #[must_use]
            pub fn meaning(self) -> &'static str {
                match self { $($(Key::$key => $meaning,)*)* }
            }

            /// The part of the file it is in.
            #[must_use]
            pub fn group(self) -> Group {
                match self { $($(Key::$key => Group::$group,)*)* }
            }
        }
    };
}

keys! {
    Layout {
        Moved "moved" "something has another place in the file and is otherwise the same"
    }
    Header {
        Header "header" "a field of the ELF header"
    }
    Segments {
        SegmentAdded "segment-added" "only the second file has this program header"
        SegmentRemoved "segment-removed" "only the first file has this program header"
        Segment "segment" "a field of a program header, p_offset excepted"
    }
    Sections {
        SectionAdded "section-added" "only the second file has this section"
        SectionRemoved "section-removed" "only the first file has this section"
        SectionType "section-type" "sh_type"
        SectionFlags "section-flags" "sh_flags"
        SectionAddr "section-addr" "sh_addr"
        SectionSize "section-size" "sh_size; not of tables whose entries are compared one by one"
        SectionAlign "section-align" "sh_addralign; 0 and 1 are the same"
        SectionEntsize "section-entsize" "sh_entsize"
        SectionLink "section-link" "the section that sh_link means"
        SectionInfo "section-info" "what sh_info means"
        SectionNull "section-null" "the header of section 0, which should be all zero"
        Group "group" "flags or members of an SHT_GROUP section"
        StringTable "string-table" "bytes of a string table; the names in it are compared where they are used"
        Contents "contents" "bytes of a section whose meaning is not known"
    }
    Kernel {
        BtfHeader "btf-header" "a field of the header of BTF, or its layout section"
        BtfTypeAdded "btf-type-added" "only the second file's BTF has this type"
        BtfTypeRemoved "btf-type-removed" "only the first file's BTF has this type"
        BtfTypeChanged "btf-type-changed" "a type of the same kind and name is made otherwise"
        BtfOrder "btf-order" "the same types with other type IDs, or other strings"
        BtfSet "btf-set" "a set of .BTF_ids: added, removed, its count, its flags, its order"
        BtfId "btf-id" "a word of .BTF_ids names another type"
        BtfIdFlags "btf-id-flags" "flags of a kfunc in .BTF_ids"
        ModuleHashes "module-hashes" "levels or root in .module_hashes"
        Modinfo "modinfo" "a key=value of .modinfo"
        Note "note" "a note, such as the build ID"
    }
    Symbols {
        SymbolAdded "symbol-added" "only the second file has this symbol"
        SymbolRemoved "symbol-removed" "only the first file has this symbol"
        Symbol "symbol" "value, size, type, binding, visibility or section of a symbol"
    }
    Relocations {
        RelocAdded "reloc-added" "only the second file has a relocation here"
        RelocRemoved "reloc-removed" "only the first file has a relocation here"
        Reloc "reloc" "symbol, type or addend of a relocation"
        RelocOrder "reloc-order" "the same relocations in another order"
    }
    Trailer {
        Signature "signature" "the module signature behind the file"
        Trailer "trailer" "other bytes behind the file"
    }
    Unowned {
        Unowned "unowned" "bytes between the parts of the file that are not zero, and that nothing refers to"
    }
}

/// A part of a file, for headings; in the order of reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Group {
    /// Where things are.
    Layout,
    /// The ELF header.
    Header,
    /// Program headers.
    Segments,
    /// Section headers and contents.
    Sections,
    /// Contents of the kernel's sections, by meaning.
    Kernel,
    /// Symbol tables.
    Symbols,
    /// SHT_REL and SHT_RELA.
    Relocations,
    /// Behind everything.
    Trailer,
    /// Between everything.
    Unowned,
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Group::Layout => "layout",
            Group::Header => "ELF header",
            Group::Segments => "program headers",
            Group::Sections => "sections",
            Group::Kernel => "contents",
            Group::Symbols => "symbols",
            Group::Relocations => "relocations",
            Group::Trailer => "trailer",
            Group::Unowned => "unowned bytes",
        })
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// No key has this name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownKey(String);

impl fmt::Display for UnknownKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no difference is called '{}'", self.0)
    }
}

impl std::error::Error for UnknownKey {}

impl FromStr for Key {
    type Err = UnknownKey;

    fn from_str(name: &str) -> Result<Key, UnknownKey> {
        Key::ALL.iter().copied().find(|key| key.name() == name).ok_or_else(|| UnknownKey(name.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_kebab_case_and_finds_its_key() {
        for &key in Key::ALL {
            assert_eq!(key.name().parse(), Ok(key));
            assert!(key.name().bytes().all(|b| b.is_ascii_lowercase() || b == b'-'), "{key}");
        }
        assert_eq!("move".parse::<Key>().unwrap_err().to_string(), "no difference is called 'move'");
    }

    #[test]
    fn keys_are_in_the_order_of_groups() {
        assert!(Key::ALL.is_sorted_by_key(|key| (key.group(), *key)));
    }
}
