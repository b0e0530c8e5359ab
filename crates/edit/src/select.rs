//! Section name patterns: `*`, `?`, `[a-z]`, `[!a]`, `\x`, and a leading `!` that keeps what it matches.
//!
//! A pattern set is no program: order does not matter, a matching `!pattern` always wins.
//!
//! Thousands of plain names on a command line meet a file of thousands of sections: they are looked up, only globs are
//! tried one after the other.

use std::collections::{HashMap, HashSet};

/// One pattern, over the bytes of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    negative: bool,
    glob: Vec<u8>,
}

impl Pattern {
    /// Reads a pattern. Every byte string is one: an unclosed `[` stands for itself.
    pub fn new(text: &[u8]) -> Pattern {
        match text.strip_prefix(b"!") {
            Some(rest) => Pattern { negative: true, glob: rest.to_vec() },
            None => Pattern { negative: false, glob: text.to_vec() },
        }
    }

    /// Whether the pattern begins with `!`.
    pub fn is_negative(&self) -> bool {
        self.negative
    }

    /// Whether the pattern can only match one name, itself.
    pub fn is_literal(&self) -> bool {
        !self.glob.iter().any(|b| matches!(b, b'*' | b'?' | b'[' | b'\\'))
    }

    /// The pattern as it was written, without the `!`.
    pub fn text(&self) -> &[u8] {
        &self.glob
    }

    /// Whether the glob (without its `!`) matches a name.
    pub fn matches(&self, name: &[u8]) -> bool {
        glob_match(&self.glob, name)
    }
}

/// Patterns given to one option.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Patterns {
    all: Vec<Pattern>,
    positive: Matcher,
    negative: Matcher,
}

/// Whether some of many patterns match.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Matcher {
    literal: HashSet<Vec<u8>>,
    globs: Vec<Pattern>,
}

impl Matcher {
    fn matches(&self, name: &[u8]) -> bool {
        self.literal.contains(name) || self.globs.iter().any(|p| p.matches(name))
    }
}

impl Patterns {
    /// Adds a pattern.
    pub fn push(&mut self, pattern: Pattern) {
        let matcher = if pattern.negative { &mut self.negative } else { &mut self.positive };
        match pattern.is_literal() {
            true => _ = matcher.literal.insert(pattern.glob.clone()),
            false => matcher.globs.push(pattern.clone()),
        }
        self.all.push(pattern);
    }

    /// Whether no pattern was given.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Whether some pattern selects `name` and no `!pattern` keeps it out.
    pub fn selects(&self, name: &[u8]) -> bool {
        !self.excludes(name) && self.positive.matches(name)
    }

    /// Whether a `!pattern` matches `name`.
    pub fn excludes(&self, name: &[u8]) -> bool {
        self.negative.matches(name)
    }

    /// Whether `name` itself was given, as no pattern.
    pub(crate) fn names(&self, name: &[u8]) -> bool {
        self.positive.literal.contains(name)
    }

    /// The patterns.
    pub fn iter(&self) -> impl Iterator<Item = &Pattern> {
        self.all.iter()
    }
}

impl FromIterator<Pattern> for Patterns {
    fn from_iter<T: IntoIterator<Item = Pattern>>(iter: T) -> Self {
        let mut patterns = Patterns::default();
        iter.into_iter().for_each(|pattern| patterns.push(pattern));
        patterns
    }
}

/// Options of the form `PATTERN=VALUE`, of which the last that matches counts.
pub(crate) struct Chooser<'e, T> {
    /// By name, the last one.
    literal: HashMap<&'e [u8], (usize, T)>,
    globs: Vec<(usize, &'e Pattern, T)>,
    negative: Patterns,
}

impl<'e, T: Copy> Chooser<'e, T> {
    pub fn new(options: impl IntoIterator<Item = (&'e Pattern, T)>) -> Chooser<'e, T> {
        let mut new = Chooser { literal: HashMap::new(), globs: Vec::new(), negative: Patterns::default() };
        for (at, (pattern, value)) in options.into_iter().enumerate() {
            match (pattern.negative, pattern.is_literal()) {
                (true, _) => new.negative.push(pattern.clone()),
                (false, true) => _ = new.literal.insert(&pattern.glob, (at, value)),
                (false, false) => new.globs.push((at, pattern, value)),
            }
        }
        new
    }

    /// The value of the last pattern that matches one of a section's names, if no `!pattern` does.
    pub fn choose<'n>(&self, names: impl Iterator<Item = &'n [u8]> + Clone) -> Option<T> {
        if names.clone().any(|name| self.negative.excludes(name)) {
            return None;
        }
        let literal = names.clone().filter_map(|name| self.literal.get(name).copied());
        let glob = self.globs.iter().rfind(|(_, p, _)| names.clone().any(|name| p.matches(name)));
        let last = literal.chain(glob.map(|&(at, _, value)| (at, value))).max_by_key(|(at, _)| *at);
        last.map(|(_, value)| value)
    }
}

/// Matches with one point to come back to, the last `*`: linear in practice, quadratic at worst, never exponential.
fn glob_match(mut glob: &[u8], mut name: &[u8]) -> bool {
    let mut retry: Option<(&[u8], &[u8])> = None;
    loop {
        if let [b'*', rest @ ..] = glob {
            glob = rest;
            retry = Some((rest, name));
            continue;
        }
        match (name.split_first(), match_one(glob, name.first().copied())) {
            (Some((_, after)), Some(rest)) => (glob, name) = (rest, after),
            (None, _) if glob.is_empty() => return true,
            _ => match retry {
                Some((rest, [_, after @ ..])) => {
                    retry = Some((rest, after));
                    (glob, name) = (rest, after);
                }
                _ => return false,
            },
        }
    }
}

/// The pattern behind its first element, if that element matches the byte.
fn match_one(glob: &[u8], byte: Option<u8>) -> Option<&[u8]> {
    let byte = byte?;
    match glob {
        [b'?', rest @ ..] => Some(rest),
        [b'\\', literal, rest @ ..] => (*literal == byte).then_some(rest),
        [b'[', rest @ ..] => match class(rest, byte) {
            Some((true, rest)) => Some(rest),
            Some((false, _)) => None,
            None => (byte == b'[').then_some(rest),
        },
        [literal, rest @ ..] => (*literal == byte).then_some(rest),
        [] => None,
    }
}

/// `a-z]`, `!a]` or `^a]`, behind the opening bracket: whether it holds the byte, and what follows. `None` if unclosed.
fn class(mut glob: &[u8], byte: u8) -> Option<(bool, &[u8])> {
    let mut wanted = true;
    if let [b'!' | b'^', rest @ ..] = glob {
        (wanted, glob) = (false, rest);
    }
    let (mut held, mut first) = (false, true);
    loop {
        match glob {
            [b']', rest @ ..] if !first => return Some((held == wanted, rest)),
            [low, b'-', high, rest @ ..] if *high != b']' => {
                held |= (*low..=*high).contains(&byte);
                glob = rest;
            }
            [one, rest @ ..] => {
                held |= *one == byte;
                glob = rest;
            }
            [] => return None,
        }
        first = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(glob: &str, name: &str) -> bool {
        Pattern::new(glob.as_bytes()).matches(name.as_bytes())
    }

    #[test]
    fn globs() {
        for (glob, name, expected) in [
            (".BTF", ".BTF", true),
            (".BTF", ".BTF.base", false),
            (".BTF*", ".BTF.base", true),
            ("*", "", true),
            (".rel*.dyn", ".rela.dyn", true),
            (".rel*.dyn", ".rela.dynamic", false),
            ("*ksymtab*", "__ksymtab_strings", true),
            (".te?t", ".text", true),
            (".te?t", ".tet", false),
            (".[a-c]x", ".bx", true),
            (".[a-c]x", ".dx", false),
            (".[!a-c]x", ".dx", true),
            (".[!a-c]x", ".", false),
            (".[]x]", ".]", true),
            (".[a-]", ".-", true),
            ("[", "[", true),
            ("[a", "[a", true),
            (r"\*", "*", true),
            (r"\*", "x", false),
            ("a*b*c", "aXbXbc", true),
            ("a*b*c", "aXbXb", false),
        ] {
            assert_eq!(matches(glob, name), expected, "{glob} on {name}");
        }
    }

    #[test]
    fn b15_a_negative_pattern_wins_in_any_order() {
        for order in [[".rel*", "!.rel*.dyn"], ["!.rel*.dyn", ".rel*"]] {
            let set: Patterns = order.iter().map(|p| Pattern::new(p.as_bytes())).collect();
            assert!(set.selects(b".rela.text"));
            assert!(!set.selects(b".rela.dyn"));
            assert!(set.excludes(b".rela.dyn"));
        }
    }

    #[test]
    fn the_last_option_that_matches_counts_whether_name_or_pattern() {
        let patterns = [".a", ".b*", ".a", "!.bb", ".*c"].map(|p| Pattern::new(p.as_bytes()));
        let chooser = Chooser::new(patterns.iter().zip(1..));
        let choose = |names: &[&str]| chooser.choose(names.iter().map(|n| n.as_bytes()));
        assert_eq!([".a", ".b", ".bb", ".bc", ".d"].map(|n| choose(&[n])), [Some(3), Some(2), None, Some(5), None]);
        assert_eq!((choose(&[".b", ".a"]), choose(&[".a", ".bb"]), choose(&[])), (Some(3), None, None));
    }

    #[test]
    fn many_stars_end_soon() {
        let glob = "*a".repeat(40) + "b";
        assert!(!matches(&glob, &"a".repeat(4000)));
    }
}
