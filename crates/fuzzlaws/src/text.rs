//! What people and build systems write: patterns, response files, numbers, lists of flags, command lines.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use elfgraft_edit::{FlagSet, Pattern, Patterns};

use elfgraft::{blob, cli, response, targets};

use crate::ids;

/// Byte 0 picks what the text is.
pub fn text(input: &[u8]) {
    let Some((pick, text)) = input.split_first() else { return };
    match pick % 4 {
        0 => patterns(text),
        1 => words(text),
        2 => values(text),
        _ => command_line(text),
    }
}

/// Lines: patterns, and at the end a name. The order of patterns does not matter; a pattern without signs is itself.
fn patterns(text: &[u8]) {
    let mut lines: Vec<_> = text.split(|&b| b == b'\n').collect();
    let Some(name) = lines.pop() else { return };
    let forwards: Patterns = lines.iter().map(|l| Pattern::new(l)).collect();
    let backwards: Patterns = lines.iter().rev().map(|l| Pattern::new(l)).collect();
    assert_eq!(forwards.selects(name), backwards.selects(name));
    assert!(!(forwards.selects(name) && forwards.excludes(name)));
    for pattern in forwards.iter() {
        assert!(!pattern.is_literal() || pattern.matches(name) == (pattern.text() == name));
        assert_eq!(pattern.matches(name), naive(pattern.text(), name), "{pattern:?} on '{}'", name.escape_ascii());
    }
}

/// Matching as the definition says it, by trying everything; for short ones only.
fn naive(glob: &[u8], name: &[u8]) -> bool {
    if glob.len() > 12 || name.len() > 12 {
        return Pattern::new(&[b"\\!", glob.strip_prefix(b"!").unwrap_or(glob)].concat()[2..]).matches(name)
            == Pattern::new(glob).matches(name)
            && Pattern::new(glob).matches(name);
    }
    match (glob, name) {
        ([], _) => name.is_empty(),
        ([b'*', rest @ ..], _) => (0..=name.len()).any(|skipped| naive(rest, &name[skipped..])),
        (_, []) => false,
        ([b'?', rest @ ..], [_, after @ ..]) => naive(rest, after),
        ([b'\\', literal, rest @ ..], [first, after @ ..]) => literal == first && naive(rest, after),
        ([b'[', rest @ ..], [first, after @ ..]) => match class(rest) {
            Some((negated, members, rest)) => {
                members.iter().any(|(low, high)| (low..=high).contains(&first)) != negated && naive(rest, after)
            }
            None => *first == b'[' && naive(rest, after),
        },
        ([literal, rest @ ..], [first, after @ ..]) => literal == first && naive(rest, after),
    }
}

type Class<'a> = (bool, Vec<(u8, u8)>, &'a [u8]);

/// What stands between `[` and `]`: whether it is negated, the ranges, and what follows.
fn class(text: &[u8]) -> Option<Class<'_>> {
    let negated = matches!(text, [b'!' | b'^', ..]);
    let mut rest = &text[usize::from(negated)..];
    let mut members = Vec::new();
    loop {
        match rest {
            [b']', after @ ..] if !members.is_empty() => return Some((negated, members, after)),
            [low, b'-', high, after @ ..] if *high != b']' => (members.push((*low, *high)), rest = after).1,
            [one, after @ ..] => (members.push((*one, *one)), rest = after).1,
            [] => return None,
        }
    }
}

/// Words of a response file, written with quotes and read again, are the same words.
fn words(text: &[u8]) {
    let words = response::split(text);
    assert!(words.len() <= text.len().div_ceil(2) + 1);
    let mut quoted = Vec::new();
    for word in &words {
        quoted.push(b'"');
        for &byte in word.as_bytes() {
            quoted.extend(matches!(byte, b'"' | b'\\').then_some(b'\\'));
            quoted.push(byte);
        }
        quoted.extend(b"\"\n");
    }
    assert_eq!(response::split(&quoted), words);
}

/// Values of options.
fn values(text: &[u8]) {
    let os = OsStr::from_bytes(text);
    if let Ok((name, value)) = blob::assignment("--option", os) {
        assert_eq!([name, b"=", value.as_bytes()].concat(), text);
    }
    let _ = (blob::number("--option", os), FlagSet::parse(&os.to_string_lossy()));
    let _ = targets::TargetFormat::parse("-O", &os.to_string_lossy());
    ids::symbol_name(text);
}

/// A command line is understood or refused; nothing is run.
fn command_line(text: &[u8]) {
    let words = response::split(text).into_iter().filter(|w| !w.is_empty());
    let args: Vec<OsString> = [OsString::from_vec(b"elfgraft".to_vec())].into_iter().chain(words).collect();
    match cli::parse(args) {
        Ok(command) => assert!(!format!("{command:?}").is_empty()),
        Err(e) => assert!(!e.to_string().is_empty(), "a refusal without words"),
    }
}
