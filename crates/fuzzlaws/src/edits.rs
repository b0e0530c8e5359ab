//! Every edit of sections and symbols, and the laws of it.

use elfgraft_compare::diff::{Group, Key};
use elfgraft_edit::{
    Content, Discard, EditError, Edits, FlagSet, FlatOptions, NewSymbol, Pattern, Rename, Strip, SymbolEdits,
    SymbolNames, SymbolValue, Target, loaded, plan, plan_flat, plan_only_keep_debug, to_elf32,
};
use elfgraft_elf::consts::SHT_PROGBITS;
use elfgraft_elf::{Image, encode::read_addr};
use elfgraft_patch::to_vec;

use crate::choice::Choice;
use crate::laws::{
    again, comes_back, edited, is_sound, is_table_end, nothing_else, remove, same, twice_is_once,
    without_places_of_nothing,
};
use elfgraft::records::{ihex, srec};

/// A name that no fixture has.
const NEW: &[u8] = b".elfgraft.new";

/// Byte 0 picks the edit, three more its details; the rest is the file.
pub fn edit(input: &[u8]) {
    let Some((mut choice, file)) = Choice::split(input, 4) else { return };
    let Ok(image) = Image::parse(file) else { return };
    match choice.below(16) {
        0 => set(file, NEW, &mut choice),
        1 => set(file, &choice.name(&image), &mut choice),
        2 => removal(file, &[&choice.name(&image)]),
        3 => removal(file, &[[&b".debug*"[..], b"*", b".rel*", b"[.]?[a-m]*"][choice.below(4)], b"!.s[hty]*tab"]),
        4 => only(file, &choice.name(&image)),
        5 => update_same_size(&image, &mut choice),
        6 => update_other_size(file, &choice.name(&image), &mut choice),
        7 => rename(file, &choice.name(&image), &mut choice),
        8 => flags_and_types(file, &choice.name(&image), &mut choice),
        9 => replaced_in_its_slot(file, &choice.name(&image), &mut choice),
        10 => nothing_new(&image, &mut choice),
        11 => symbol_value(&image, &mut choice),
        12 => other_results(&image, &mut choice),
        13 => prefixed(file, &mut choice),
        14 => several(file, &choice.name(&image), &mut choice),
        _ => drop_signature(file),
    }
}

fn content(section: &[u8], bytes: &[u8]) -> Vec<Content<'static>> {
    vec![Content { section: section.to_vec(), bytes: bytes.to_vec().into() }]
}

fn set_to(section: &[u8], bytes: &[u8]) -> Edits<'static> {
    Edits { set: content(section, bytes), drop_signature: true, ..Edits::default() }
}

/// An edit that was done once is done the second time without a difference, and what is written can be read.
#[track_caller]
fn l1(file: &[u8], edits: &Edits) -> Option<Vec<u8>> {
    let once = edited(file, edits).ok()?;
    twice_is_once(&|x| edited(x, edits), file, &once);
    Some(once)
}

/// L1 to L4 of setting a section.
fn set(file: &[u8], name: &[u8], choice: &mut Choice) {
    let (blob_a, blob_b) = (choice.blob(), choice.blob());
    let (a, b) = (set_to(name, &blob_a), set_to(name, &blob_b));
    let (Some(fa), Some(fb)) = (l1(file, &a), l1(file, &b)) else { return };
    let is_new = Image::parse(file).is_ok_and(|image| image.named(name).is_empty());
    // Of what means nothing there is no telling where it belongs.
    if !is_sound(file) {
        return;
    }
    if let Some(again) = again(edited(&fa, &b), file, "L2") {
        match blob_b.is_empty() {
            true => same(&without_places_of_nothing(&again), &without_places_of_nothing(&fb), "L2"),
            false => same(&again, &fb, "L2"),
        }
    }
    if is_new && comes_back(file) {
        let back = edited(&fa, &remove(&[name])).unwrap_or_else(|e| panic!("L3: refused: {e}"));
        same(&back, file, "L3");
    }
    let Ok(image) = Image::parse(file) else { return };
    // Of a table of symbols, relocations or strings another meaning follows from other contents.
    let plain = image.named(name).iter().all(|i| image.header(*i).is_ok_and(|h| h.sh_type == SHT_PROGBITS));
    if image.trailer.is_none() && plain && (is_new || comes_back(file)) {
        let mine = format!("section '{}' ", name.escape_ascii());
        // What nobody owns behind the section is told as behind another one when it is empty, and the zeros at its ends
        // are padding. What stands at the end of the file, and in a segment, stays there when the tables go behind it.
        let left = |key| matches!(key, Key::Unowned | Key::Trailer) && !(is_new && comes_back(file));
        // What the section means to others changes with its contents: BTF has reports of its own.
        let meaning = |key: Key| !is_new && key.group() == Group::Kernel;
        nothing_else(file, &fa, |f| f.place.starts_with(&mine) || is_table_end(f) || left(f.key) || meaning(f.key));
    }
}

/// L1 of a removal; that all that is gone was to go is left to the corpus.
fn removal(file: &[u8], patterns: &[&[u8]]) {
    let Some(once) = l1(file, &remove(patterns)) else { return };
    let image = Image::parse(&once).expect("what is written can be read");
    if let [name] = patterns {
        assert!(image.named(name).is_empty(), "L9: it is still there");
    }
}

fn only(file: &[u8], name: &[u8]) {
    let only = [Pattern::new(name)].into_iter().collect();
    l1(file, &Edits { only, drop_in: true, ..Edits::default() });
}

/// L5: no byte outside the section changes.
fn update_same_size(image: &Image, choice: &mut Choice) {
    let Some(index) = choice.section(image) else { return };
    let (Ok(old), Ok(header)) = (image.contents(index), image.header(index)) else { return };
    let new: Vec<u8> = old.iter().map(|b| !b).collect();
    let update = vec![Content { section: Target::Index(index), bytes: new.as_slice().into() }];
    let edits = Edits { update, ..Edits::default() };
    let Ok(plan) = plan(image, &edits) else { return };
    let mut wanted = image.file().to_vec();
    if !new.is_empty() {
        wanted[header.sh_offset as usize..][..new.len()].copy_from_slice(&new);
    }
    same(&to_vec(&plan.patch, image.file()), &wanted, "L5");
}

fn update_other_size(file: &[u8], name: &[u8], choice: &mut Choice) {
    let update = vec![Content { section: Target::Name(name.to_vec()), bytes: choice.blob().into() }];
    let [pad, drop_in] = [choice.below(2) == 1, choice.below(2) == 1];
    l1(file, &Edits { update, pad, drop_in, ..Edits::default() });
}

fn rename(file: &[u8], name: &[u8], choice: &mut Choice) {
    let flags = (choice.below(2) == 1).then(|| FlagSet::parse("alloc,readonly,contents").expect("known words"));
    let rename = vec![Rename { from: name.to_vec(), to: NEW.to_vec(), flags }];
    let edits = Edits { rename, drop_in: true, ..Edits::default() };
    let Ok(once) = edited(file, &edits) else { return };
    // The second time there is nothing of the old name.
    if let Ok(again) = edited(&once, &edits) {
        same(&again, &once, "L1");
    }
}

fn flags_and_types(file: &[u8], name: &[u8], choice: &mut Choice) {
    let words = ["noload", "alloc,readonly,code", "contents", "merge,strings,exclude,large,load"][choice.below(4)];
    let flags = vec![(Pattern::new(name), FlagSet::parse(words).expect("known words"))];
    let mut edits = Edits { flags, drop_in: true, ..Edits::default() };
    if choice.below(2) == 1 {
        edits.align = vec![(Pattern::new(b"*"), 1 << choice.below(70).min(63))];
    }
    if choice.below(3) == 1 {
        edits.types = vec![(Pattern::new(name), [0, 1, 3, 7, 8, 0x7000_0000][choice.below(6)])];
    }
    l1(file, &edits);
}

/// `--remove-section X --add-section X=F`: idempotent, whatever was set before.
fn replaced_in_its_slot(file: &[u8], name: &[u8], choice: &mut Choice) {
    let edits = |blob: &[u8]| Edits { add: content(name, blob), ..remove(&[name]) };
    let (a, b) = (edits(&choice.blob()), edits(&choice.blob()));
    let (Some(fa), Some(fb)) = (l1(file, &a), l1(file, &b)) else { return };
    if is_sound(file)
        && let Some(again) = again(edited(&fa, &b), file, "L2")
    {
        same(&again, &fb, "L2");
    }
}

/// L7: nothing is asked for, or what is there already.
fn nothing_new(image: &Image, choice: &mut Choice) {
    let file = image.file();
    if let Ok(same_file) = edited(file, &Edits::default()) {
        same(&same_file, file, "L7");
    }
    let Some(index) = choice.section(image) else { return };
    let Ok(contents) = image.contents(index) else { return };
    let update = vec![Content { section: Target::Index(index), bytes: contents.into() }];
    if let Ok(same_file) = edited(file, &Edits { update, ..Edits::default() }) {
        same(&same_file, file, "L7");
    }
}

fn symbol_value(image: &Image, choice: &mut Choice) {
    let tables = image.symbol_tables();
    let Some(&table) = tables.get(choice.below(tables.len())) else { return };
    let Ok(symbols) = image.symbol_table(table) else { return };
    let symbol = choice.below(symbols.len().min(256) as usize) as u32;
    let value = [0, 0x1234, u64::from(u32::MAX), u64::MAX][choice.below(4)];
    let values = vec![SymbolValue { table, symbol, value }];
    let Some(once) = l1(image.file(), &Edits { values, ..Edits::default() }) else { return };
    assert_eq!(once.len(), image.file().len(), "L5");
    let changed = once.iter().zip(image.file()).filter(|(a, b)| a != b).count();
    assert!(changed <= 8, "L5: {changed} bytes changed");
}

/// Results that are another kind of file, or one that cannot be made twice.
fn other_results(image: &Image, choice: &mut Choice) {
    match choice.below(5) {
        0 => {
            if let Ok(plan) = plan_only_keep_debug(image) {
                let once = to_vec(&plan.patch, image.file());
                let keep_debug = |x: &[u8]| {
                    let plan = plan_only_keep_debug(&Image::parse(x)?)?.patch;
                    Ok::<_, EditError>(to_vec(&plan, x))
                };
                twice_is_once(&keep_debug, image.file(), &once);
            }
        }
        1 => {
            let options = FlatOptions { max_size: 1 << 22, gap_fill: 0x55, pad_to: Some(0x40_0000) };
            if let Ok(plan) = plan_flat(image, &Edits { drop_in: true, ..Edits::default() }, options) {
                assert!(plan.patch.output_len() <= 1 << 22);
                assert_eq!(to_vec(&plan.patch, image.file()).len() as u64, plan.patch.output_len());
            }
        }
        2 => {
            if let Ok(converted) = to_elf32(image) {
                assert!(Image::parse(&converted).is_ok(), "what was converted cannot be read");
                assert!(converted.len() <= 4 * image.file().len() + 4096, "{} bytes", converted.len());
            }
        }
        pick => {
            let Ok(parts) = loaded(image, &Edits { drop_in: true, ..Edits::default() }) else { return };
            let entry = read_addr(image.format, image.file(), 24).unwrap_or_default();
            let text = if pick == 3 { srec(&parts, b"name", entry) } else { ihex(&parts, entry) };
            let Ok(text) = text else { return };
            assert!(text.is_ascii() && text.len() <= 64 * image.file().len() + 4096, "{} bytes", text.len());
        }
    }
}

/// Names with a prefix: not idempotent by definition, but never a file that cannot be read.
fn prefixed(file: &[u8], choice: &mut Choice) {
    let mut edits = Edits { drop_in: true, ..Edits::default() };
    match choice.below(3) {
        0 => edits.prefix_sections = b"p.".to_vec(),
        1 => edits.prefix_alloc_sections = b"p.".to_vec(),
        _ => edits.symbols.prefix = b"p_".to_vec(),
    }
    if let Ok(once) = edited(file, &edits) {
        Image::parse(&once).expect("what is written can be read");
    }
}

/// Two sections set in one call, one after the other, and removed again.
fn several(file: &[u8], name: &[u8], choice: &mut Choice) {
    let (a, b) = (choice.blob(), choice.blob());
    let mut both = set_to(NEW, &a);
    both.set.extend(content(name, &b));
    let Some(done) = l1(file, &both) else { return };
    let image = Image::parse(&done).expect("what is written can be read");
    for (name, bytes) in [(NEW, &a), (name, &b)] {
        let [index] = image.named(name)[..] else { panic!("L9: not one section '{}'", name.escape_ascii()) };
        same(image.contents(index).expect("it was set"), bytes, "L9");
    }
}

fn drop_signature(file: &[u8]) {
    let edits = Edits { drop_signature: true, ..Edits::default() };
    if let Some(once) = l1(file, &edits) {
        assert!(file.starts_with(&once), "L4: more than a signature went");
    }
}

/// Byte 0 picks the edit of symbols, three more its details; the rest is the file.
pub fn symbols(input: &[u8]) {
    let Some((mut choice, file)) = Choice::split(input, 4) else { return };
    let Ok(image) = Image::parse(file) else { return };
    let pick = choice.below(13);
    let name = symbol_name(&image, &mut choice);
    let names = || SymbolNames::new([name.clone(), b"demo_*".to_vec(), b"!*init*".to_vec()], true);
    let one = || SymbolNames::new([name.clone()], false);
    let new = NewSymbol { name: b"added".to_vec(), section: None, value: 5, info: 0x11, other: 0 };
    let symbols = match pick {
        0 => SymbolEdits { strip: Strip::Debug, ..SymbolEdits::default() },
        1 => SymbolEdits { strip: Strip::Unneeded, ..SymbolEdits::default() },
        2 => SymbolEdits { strip: Strip::All, keep: one(), ..SymbolEdits::default() },
        3 => SymbolEdits { discard: Discard::Locals, ..SymbolEdits::default() },
        4 => SymbolEdits { discard: Discard::CompilerLocals, keep_file_symbols: true, ..SymbolEdits::default() },
        5 => SymbolEdits { strip_symbols: one(), ..SymbolEdits::default() },
        6 => SymbolEdits { strip_unneeded: names(), ..SymbolEdits::default() },
        7 => SymbolEdits { weaken_all: true, ..SymbolEdits::default() },
        8 => SymbolEdits { localize: names(), ..SymbolEdits::default() },
        9 => SymbolEdits { globalize: one(), ..SymbolEdits::default() },
        10 => SymbolEdits { redefine: [(name.clone(), b"renamed".to_vec())].into(), ..SymbolEdits::default() },
        11 => SymbolEdits { keep_global: one(), localize_hidden: true, ..SymbolEdits::default() },
        _ => SymbolEdits { add: vec![new], ..SymbolEdits::default() },
    };
    let edits = Edits { symbols, drop_in: choice.below(2) == 1, ..Edits::default() };
    let Some(once) = l1(file, &edits) else { return };
    if is_sound(file) && image.trailer.is_none() {
        assert!(is_sound(&once), "L4: the result is not sound: {:?}", crate::laws::first_error(&once));
    }
}

fn symbol_name(image: &Image, choice: &mut Choice) -> Vec<u8> {
    let tables = image.symbol_tables();
    let table = tables.get(choice.below(tables.len())).and_then(|&table| image.symbol_table(table).ok());
    let symbol = table.as_ref().and_then(|table| table.get(choice.below(table.len().min(256) as usize) as u32));
    let name = table.as_ref().zip(symbol).and_then(|(table, symbol)| table.name(&symbol).ok());
    name.filter(|name| !name.is_empty()).unwrap_or(b"init_module").to_vec()
}
