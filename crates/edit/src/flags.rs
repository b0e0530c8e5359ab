//! `--set-section-flags`: GNU's words, and what they do to `sh_flags`.

use elfgraft_elf::consts::*;

/// The words of one option.
///
/// Effect on `sh_flags`: `SHF_WRITE`, `SHF_ALLOC`, `SHF_EXECINSTR`, `SHF_MERGE`, `SHF_STRINGS` and `SHF_EXCLUDE` (and
/// `SHF_X86_64_LARGE` on x86-64) follow the list, every other flag stays as it was. `SHF_WRITE` is set unless
/// `readonly` is in the list: that is what makes `noload` alone turn "A" into "W" in GNU's and LLVM's tools.
/// Effect on `sh_type`: `SHT_NOBITS` becomes `SHT_PROGBITS` if `contents` or `load` is in the list; nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FlagSet {
    flags: u64,
    readonly: bool,
    contents: bool,
}

impl FlagSet {
    /// Reads a comma-separated list, in any case.
    ///
    /// # Errors
    /// The word that is unknown.
    pub fn parse(list: &str) -> Result<FlagSet, String> {
        let mut set = FlagSet::default();
        for word in list.split(',') {
            match word.to_ascii_lowercase().as_str() {
                "alloc" => set.flags |= SHF_ALLOC,
                "load" | "contents" => set.contents = true,
                "readonly" | "rom" => set.readonly = true,
                "code" => set.flags |= SHF_EXECINSTR,
                "merge" => set.flags |= SHF_MERGE,
                "strings" => set.flags |= SHF_STRINGS,
                "exclude" => set.flags |= SHF_EXCLUDE,
                "large" => set.flags |= SHF_X86_64_LARGE,
                // Words for other object formats, or for what ELF tells from other fields.
                "noload" | "data" | "debug" | "share" => {}
                _ => return Err(format!("unknown section flag '{word}'")),
            }
        }
        Ok(set)
    }

    /// `sh_flags` after the option.
    pub fn apply(self, sh_flags: u64, e_machine: u16) -> u64 {
        let large = if e_machine == EM_X86_64 { SHF_X86_64_LARGE } else { 0 };
        let listed = SHF_WRITE | SHF_ALLOC | SHF_EXECINSTR | SHF_MERGE | SHF_STRINGS | SHF_EXCLUDE | large;
        let write = if self.readonly { 0 } else { SHF_WRITE };
        (sh_flags & !listed) | (self.flags & listed) | write
    }

    /// Whether the list gives contents to a section that has none.
    pub fn gives_contents(self) -> bool {
        self.contents
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noload_clears_alloc_and_sets_write_as_the_peers_do() {
        let noload = FlagSet::parse("noload").unwrap();
        assert_eq!(noload.apply(SHF_ALLOC, EM_X86_64), SHF_WRITE);
    }

    #[test]
    fn flags_outside_the_list_stay() {
        let other = SHF_GROUP | SHF_LINK_ORDER | SHF_COMPRESSED | SHF_INFO_LINK | SHF_RELA_LIVEPATCH;
        let set = FlagSet::parse("alloc,readonly").unwrap();
        assert_eq!(set.apply(other | SHF_WRITE | SHF_EXECINSTR, EM_X86_64), other | SHF_ALLOC);
    }

    #[test]
    fn large_is_a_flag_of_x86_64_only() {
        let set = FlagSet::parse("readonly,LARGE").unwrap();
        assert_eq!(set.apply(0, EM_X86_64), SHF_X86_64_LARGE);
        assert_eq!(set.apply(0, EM_MIPS), 0);
    }

    #[test]
    fn an_unknown_word_is_named() {
        assert_eq!(FlagSet::parse("alloc,foo").unwrap_err(), "unknown section flag 'foo'");
    }
}
