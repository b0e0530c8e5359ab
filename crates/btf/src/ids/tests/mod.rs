//! Resolving, sorting, checking and showing together: each state by hand, and properties over generated sections.

use super::{Ids, Move, Options, Outcome, Sym};
use crate::testkit::{BtfBuilder, IdsBuilder, resolve_like_the_kernel};
use crate::{Btf, Endian, Error};

mod by_hand;
mod names;
mod properties;

/// A section with its symbols where they are now.
#[derive(Clone, Debug, PartialEq)]
struct File {
    endian: Endian,
    data: Vec<u8>,
    names: Vec<(String, u64)>,
    offsets: Vec<u64>,
}

impl File {
    fn new(endian: Endian, build: impl FnOnce(&mut IdsBuilder)) -> File {
        let mut b = IdsBuilder::new(endian);
        build(&mut b);
        let offsets = b.syms.iter().map(|&(_, offset, _)| offset).collect();
        File { endian, data: b.data, names: b.syms.into_iter().map(|(name, _, size)| (name, size)).collect(), offsets }
    }

    fn syms(&self) -> Vec<Sym<'_>> {
        let syms = (0..).zip(self.names.iter().zip(&self.offsets));
        syms.map(|(index, ((name, size), &offset))| Sym { index, name: name.as_bytes(), offset, size: *size }).collect()
    }

    fn ids(&self) -> Ids<'_> {
        Ids::new(&self.data, self.endian, &self.syms())
    }

    fn with(&self, outcome: Outcome) -> File {
        assert_eq!(outcome.data.len(), self.data.len());
        let mut file = File { data: outcome.data, ..self.clone() };
        for Move { symbol, offset } in outcome.moves {
            assert_ne!(file.offsets[symbol as usize], offset, "a move that moves nothing");
            file.offsets[symbol as usize] = offset;
        }
        file
    }

    fn resolved(&self, btf: &Btf, old: Option<&Btf>) -> Result<File, Error> {
        let options = Options { old, ..Options::default() };
        let outcome = self.ids().resolve(btf, &options)?;
        Ok(self.with(outcome))
    }

    fn sorted(&self, old: Option<&Btf>) -> File {
        let outcome = self.ids().sort(&Options { old, ..Options::default() }).unwrap();
        self.with(outcome)
    }

    /// As the kernel's own tool leaves it: sorted, the symbols where they were.
    fn kernel_resolved(&self, btf: &Btf) -> File {
        let mut file = self.clone();
        resolve_like_the_kernel(&mut file.data, self.endian, &self.syms(), btf);
        file
    }

    fn word(&self, offset: u64) -> u32 {
        self.endian.u32_at(&self.data, usize::try_from(offset).unwrap()).unwrap()
    }

    /// The flags beside each symbol's word: what must never change.
    fn flags(&self) -> Vec<Option<u32>> {
        let rows = self.ids().rows(None);
        let flags = |symbol| rows.iter().find(|row| row.symbols.contains(&symbol)).and_then(|row| row.flags);
        (0u32..).take(self.names.len()).map(flags).collect()
    }

    fn keys(&self, btf: Option<&Btf>) -> Vec<(&'static str, u64)> {
        self.ids().check(btf).iter().map(|f| (f.problem.key(), f.offset)).collect()
    }
}

/// BTF whose FUNC IDs follow the order of these names, with `first` other types before them.
fn funcs(endian: Endian, first: usize, names: &[&str]) -> Vec<u8> {
    let mut b = BtfBuilder::new(endian);
    for i in 0..first {
        b.int(&format!("int{i}"), 4);
    }
    for name in names {
        b.func(name, 0);
    }
    b.build()
}
