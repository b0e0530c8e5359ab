//! Why an edit cannot be done. The file's name is added by the caller, once.

use std::fmt;

use elfgraft_elf::ElfError;

/// Why an edit was refused. Nothing has been written when one of these is returned.
#[derive(Debug)]
#[non_exhaustive]
pub enum EditError {
    /// Occurs when the input cannot be read as far as the edit needs it.
    Elf(ElfError),
    /// Occurs when a section that an option names is not there.
    Missing {
        /// The option.
        option: &'static str,
        /// The name, for people.
        name: String,
    },
    /// Occurs when a section is to be added and one of that name stays.
    Exists {
        /// The section: `'.BTF' [27]`.
        section: String,
    },
    /// Occurs when one section is asked for by a name that several have.
    Ambiguous {
        /// The option.
        option: &'static str,
        /// The name.
        name: String,
        /// All of them.
        sections: Vec<String>,
    },
    /// Occurs when new contents do not fit a section whose size cannot change.
    Size {
        /// The section.
        section: String,
        /// Bytes given.
        new: u64,
        /// Bytes the section holds.
        old: u64,
        /// Why its size is fixed.
        why: &'static str,
    },
    /// Occurs when something that stays still needs what should go.
    StillNeeded {
        /// What should go.
        what: String,
        /// Who needs it, and for what.
        by: String,
    },
    /// Occurs when an edit would break a rule of the format, or elfgraft cannot carry it out without damage.
    Refused {
        /// The sentence.
        why: String,
    },
    /// Occurs when a value does not fit the ELF class.
    TooLarge {
        /// Which value.
        what: String,
        /// The value.
        value: u64,
    },
    /// Occurs when a signed module would be changed and dropping the signature was not asked for.
    Signed {
        /// Kind of signature.
        kind: &'static str,
        /// Bytes of the trailer.
        size: u64,
    },
    /// Occurs when the byte ranges of the result contradict each other: the input's structures overlap.
    Patch(elfgraft_patch::PatchError),
}

impl fmt::Display for EditError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EditError::Elf(e) => e.fmt(f),
            EditError::Missing { option, name } => write!(f, "{option}: there is no section '{name}'"),
            EditError::Exists { section } => {
                write!(
                    f,
                    "cannot add section {section}: it exists already; '--remove-section' in the same call replaces it, \
                     and so does 'elfgraft set'"
                )
            }
            EditError::Ambiguous { option, name, sections } => {
                write!(f, "{option}: {} sections are named '{name}': {}", sections.len(), listed(sections))
            }
            EditError::Size { section, new, old, why } => {
                write!(f, "section {section}: new contents are {new} bytes, section holds {old}; {why}")
            }
            EditError::StillNeeded { what, by } => write!(f, "cannot remove {what}: {by}"),
            EditError::Refused { why } => f.write_str(why),
            EditError::TooLarge { what, value } => write!(f, "{what} {value:#x} does not fit ELF32"),
            EditError::Signed { kind, size } => write!(
                f,
                "the file ends in a {kind} ({size} bytes), which any change breaks; --drop-signature removes it"
            ),
            EditError::Patch(e) => write!(f, "structures of the file overlap: {e}"),
        }
    }
}

/// The first of a list, and that there are more: thousands of sections may have one name.
fn listed(sections: &[String]) -> String {
    let (shown, more) = sections.split_at(sections.len().min(20));
    match more.len() {
        0 => shown.join(", "),
        more => format!("{}, and {more} more", shown.join(", ")),
    }
}

impl std::error::Error for EditError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            EditError::Elf(e) => Some(e),
            EditError::Patch(e) => Some(e),
            _ => None,
        }
    }
}

impl From<ElfError> for EditError {
    fn from(e: ElfError) -> Self {
        EditError::Elf(e)
    }
}

impl From<elfgraft_patch::PatchError> for EditError {
    fn from(e: elfgraft_patch::PatchError) -> Self {
        EditError::Patch(e)
    }
}
