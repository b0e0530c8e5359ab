//! Options about addresses: of sections, and the entry point.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use elfgraft_edit::{AddressEdit, Addresses, Pattern, Shift};

use crate::blob::number;
use crate::report::Error;

/// Where sections are and the program begins. `=` sets an address; `+` and `-` move it, each time they are asked for.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Addresses")]
pub struct AddressArgs {
    /// Set or move sh_addr, in an object or of an added section, and the load address, in an image (`-O binary`)
    #[arg(long, alias = "adjust-section-vma", value_name = "PATTERN{=|+|-}N", allow_hyphen_values = true)]
    change_section_address: Vec<OsString>,
    /// Set or move the load address: in an image, or p_paddr of the segment whose sections all move alike
    #[arg(long, value_name = "PATTERN{=|+|-}N", allow_hyphen_values = true)]
    change_section_lma: Vec<OsString>,
    /// Set or move sh_addr, in an object or of an added section
    #[arg(long, value_name = "PATTERN{=|+|-}N", allow_hyphen_values = true)]
    change_section_vma: Vec<OsString>,
    /// Set the entry point (e_entry)
    #[arg(long, value_name = "ADDRESS")]
    set_start: Option<OsString>,
    /// Move the entry point, after --set-start
    #[arg(long, alias = "change-start", value_name = "[-]N", allow_hyphen_values = true)]
    adjust_start: Option<OsString>,
}

impl AddressArgs {
    /// The edits these options ask for.
    pub fn edits(&self) -> Result<Addresses, Error> {
        let mut sections = Vec::new();
        for (option, values, vma, lma) in [
            ("--change-section-address", &self.change_section_address, true, true),
            ("--change-section-lma", &self.change_section_lma, false, true),
            ("--change-section-vma", &self.change_section_vma, true, false),
        ] {
            for value in values {
                let (pattern, shift) = change(option, value)?;
                sections.push(AddressEdit { option, pattern, shift, vma, lma });
            }
        }
        let start = self.set_start.as_ref().map(|text| number("--set-start", text)).transpose()?;
        let adjust_start = self.adjust_start.as_ref().map(|text| increment("--adjust-start", text)).transpose()?;
        Ok(Addresses { sections, start, adjust_start })
    }
}

/// `PATTERN=N`, `PATTERN+N`, `PATTERN-N`. Names may hold `+` and `-`, so the last sign counts.
fn change(option: &str, text: &OsStr) -> Result<(Pattern, Shift), Error> {
    let bytes = text.as_bytes();
    let at = bytes.iter().rposition(|b| b"=+-".contains(b)).filter(|&at| at > 0);
    let bad =
        || Error::Usage(format!("bad format for {option}: '{}', expected NAME=N, NAME+N or NAME-N", text.display()));
    let (name, rest) = bytes.split_at(at.ok_or_else(bad)?);
    let value = number(option, OsStr::from_bytes(rest.get(1..).unwrap_or_default()))?;
    let shift = match rest.first() {
        Some(b'=') => Shift::To(value),
        Some(b'+') => Shift::Up(value),
        _ => Shift::Down(value),
    };
    Ok((Pattern::new(name), shift))
}

/// `N`, `+N` or `-N`.
fn increment(option: &str, text: &OsStr) -> Result<Shift, Error> {
    let of = |digits: &[u8]| number(option, OsStr::from_bytes(digits));
    match text.as_bytes() {
        [b'-', digits @ ..] => Ok(Shift::Down(of(digits)?)),
        [b'+', digits @ ..] | digits => Ok(Shift::Up(of(digits)?)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_sign_counts() {
        for (text, name, shift) in [
            (".a=0x10", ".a", Shift::To(16)),
            (".note.GNU-stack+4", ".note.GNU-stack", Shift::Up(4)),
            ("c++-8", "c++", Shift::Down(8)),
            ("*-1", "*", Shift::Down(1)),
        ] {
            assert_eq!(change("-x", OsStr::new(text)).unwrap(), (Pattern::new(name.as_bytes()), shift));
        }
        for text in ["", "=1", ".text", ".text=", ".text=x", ".text=-1x"] {
            assert!(change("-x", OsStr::new(text)).unwrap_err().to_string().contains("-x"), "{text}");
        }
        assert_eq!(increment("-x", OsStr::new("-0x10")).unwrap(), Shift::Down(16));
        assert_eq!(increment("-x", OsStr::new("16")).unwrap(), Shift::Up(16));
    }
}
