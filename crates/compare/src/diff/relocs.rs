//! Relocations, by the place they apply to.

use super::report::Out;
use super::symbols::Tables;
use super::{Files, Key, Place};
use crate::reader::{Elf, Reloc, Relocs};
use goblin::elf::reloc::r_to_str;
use std::fmt;

pub(super) fn compare(files: &Files, out: &mut Out) {
    for (a, b) in files.pairs.iter() {
        let (Some(x), Some(y)) = (files.a.section(a), files.b.section(b)) else { continue };
        let Some(tables) = Tables::new(files, x.sh_link, y.sh_link) else { continue };
        let (Some(in_a), Some(in_b)) = (files.a.relocs(a), files.b.relocs(b)) else { continue };
        let base = |elf: &Elf, target| match elf.section(target) {
            Some(section) if !elf.is_object() && target != 0 => section.sh_addr,
            _ => 0,
        };
        let pair = Pair {
            files,
            section: a,
            bases: (base(&files.a, x.sh_info), base(&files.b, y.sh_info)),
            identity: files.maps.is_identity(x.sh_link, y.sh_link),
            tables,
            in_a,
            in_b,
        };
        // Nothing to do for the quarter gigabyte of .rela.debug_info of a kernel.
        let same_bytes = pair.identity && pair.bases.0 == pair.bases.1 && files.a.contents(a) == files.b.contents(b);
        if !same_bytes {
            pair.compare(out);
        }
    }
}

/// Whether a pair of sections is compared here.
pub(super) fn is_compared(files: &Files, a: u32, b: u32) -> bool {
    let links = files.a.section(a).zip(files.b.section(b)).map(|(x, y)| (x.sh_link, y.sh_link));
    let tables = links.and_then(|(x, y)| Tables::new(files, x, y));
    tables.is_some() && files.a.relocs(a).is_some() && files.b.relocs(b).is_some()
}

struct Pair<'f, 'a> {
    files: &'f Files<'a>,
    section: u32,
    /// Addresses of the sections relocated, where offsets are addresses.
    bases: (u64, u64),
    identity: bool,
    tables: Tables<'f, 'a>,
    in_a: Relocs<'a>,
    in_b: Relocs<'a>,
}

impl Pair<'_, '_> {
    fn compare(&self, out: &mut Out) {
        let before = self.in_a.iter().zip(self.in_b.iter()).take_while(|(a, b)| self.same(a, b)).count();
        if before == self.in_a.len() && before == self.in_b.len() {
            return;
        }
        let mut at_a = by_offset(&self.in_a, before).peekable();
        let mut at_b = by_offset(&self.in_b, before).peekable();
        let mut only_order = true;
        loop {
            let (a, b) = match (at_a.peek(), at_b.peek()) {
                (None, None) => break,
                (Some(a), Some(b)) if self.place_a(a) == self.place_b(b) => (at_a.next(), at_b.next()),
                (Some(a), Some(b)) if self.place_a(a) > self.place_b(b) => (None, at_b.next()),
                (Some(_), _) => (at_a.next(), None),
                (None, Some(_)) => (None, at_b.next()),
            };
            only_order &= self.report(a, b, out);
        }
        if only_order {
            out.say(Key::RelocOrder, Place(&self.files.a, self.section), "the same relocations in another order");
        }
    }

    fn place_a(&self, reloc: &Reloc) -> u64 {
        reloc.offset.wrapping_sub(self.bases.0)
    }

    fn place_b(&self, reloc: &Reloc) -> u64 {
        reloc.offset.wrapping_sub(self.bases.1)
    }

    fn same(&self, a: &Reloc, b: &Reloc) -> bool {
        self.place_a(a) == self.place_b(b) && (a.kind, a.addend) == (b.kind, b.addend) && self.same_symbol(a, b)
    }

    fn same_symbol(&self, a: &Reloc, b: &Reloc) -> bool {
        self.identity && a.symbol == b.symbol || self.tables.same(a.symbol, b.symbol)
    }

    /// Reports relocations of one place; whether there is nothing to report.
    fn report(&self, a: Option<Reloc>, b: Option<Reloc>, out: &mut Out) -> bool {
        let at = |offset| format!("{} at {offset:#x}", Place(&self.files.a, self.section));
        let kind_a = |reloc: &Reloc| Type(reloc.kind, self.files.a.header.e_machine);
        let kind_b = |reloc: &Reloc| Type(reloc.kind, self.files.b.header.e_machine);
        match (a, b) {
            (Some(a), Some(b)) if self.same(&a, &b) => return true,
            (Some(a), Some(b)) => {
                let mut text = Vec::new();
                if a.kind != b.kind {
                    text.push(format!("type {} -> {}", kind_a(&a), kind_b(&b)));
                }
                if !self.same_symbol(&a, &b) {
                    let (a, b) = (self.tables.label_a(a.symbol), self.tables.label_b(b.symbol));
                    text.push(format!("{a} -> {b}"));
                }
                if a.addend != b.addend {
                    text.push(format!("addend {} -> {}", a.addend.unwrap_or(0), b.addend.unwrap_or(0)));
                }
                out.say(Key::Reloc, at(a.offset), text.join(", "));
            }
            (Some(a), None) => {
                let text = format_args!("removed (type {} of {})", kind_a(&a), self.tables.label_a(a.symbol));
                out.say(Key::RelocRemoved, at(a.offset), text);
            }
            (None, Some(b)) => {
                let text = format_args!("added (type {} of {})", kind_b(&b), self.tables.label_b(b.symbol));
                out.say(Key::RelocAdded, at(b.offset), text);
            }
            (None, None) => {}
        }
        false
    }
}

/// Relocations from the index `from` on, by offset; those of one place in their order, which may count.
fn by_offset<'r>(relocs: &'r Relocs, from: usize) -> Box<dyn Iterator<Item = Reloc> + 'r> {
    let rest = move || (from..relocs.len()).filter_map(|index| relocs.get(index));
    // As linkers write them.
    if rest().is_sorted_by_key(|reloc| reloc.offset) {
        return Box::new(rest());
    }
    let mut order: Vec<usize> = (from..relocs.len()).collect();
    order.sort_by_key(|&index| relocs.get(index).map(|reloc| reloc.offset));
    Box::new(order.into_iter().filter_map(|index| relocs.get(index)))
}

/// A relocation type by name, or its number.
struct Type(u32, u16);

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match r_to_str(self.0, self.1) {
            name if name.starts_with("R_UNKNOWN") => write!(f, "{:#x}", self.0),
            name if name.starts_with("R_") => f.write_str(name),
            name => write!(f, "R_{name}"),
        }
    }
}
