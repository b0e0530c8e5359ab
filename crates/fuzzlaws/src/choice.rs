//! Choices made by the first bytes of an input.

use elfgraft_elf::{Image, SectionIndex};

/// The bytes of choices, and what they choose from.
pub struct Choice<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Choice<'a> {
    /// Splits `count` bytes of choices off an input; `None` if it is shorter.
    pub fn split(input: &'a [u8], count: usize) -> Option<(Choice<'a>, &'a [u8])> {
        let (bytes, rest) = input.split_at_checked(count)?;
        Some((Choice { bytes, at: 0 }, rest))
    }

    /// A number below `below`. When the bytes are used up they begin again.
    pub fn below(&mut self, below: usize) -> usize {
        let byte = self.bytes.get(self.at % self.bytes.len().max(1)).copied().unwrap_or_default();
        self.at += 1;
        usize::from(byte) % below.max(1)
    }

    /// A section of the file.
    pub fn section(&mut self, image: &Image) -> Option<SectionIndex> {
        let all: Vec<_> = image.indexed().map(|(index, _)| index).collect();
        let at = self.below(all.len());
        all.get(at).copied()
    }

    /// The name of a section of the file that can be given to an option: not empty, and no pattern.
    pub fn name(&mut self, image: &Image<'a>) -> Vec<u8> {
        let name = self.section(image).and_then(|index| image.name(index).ok()).unwrap_or_default();
        let plain = !name.is_empty() && elfgraft_edit::Pattern::new(name).is_literal() && !name.starts_with(b"!");
        if plain { name.to_vec() } else { b".BTF".to_vec() }
    }

    /// New contents, of a size that makes some kind of padding.
    pub fn blob(&mut self) -> Vec<u8> {
        let size = [0, 1, 3, 4, 7, 8, 40, 333, 4097][self.below(9)];
        (1u8..=251).cycle().take(size).collect()
    }
}
