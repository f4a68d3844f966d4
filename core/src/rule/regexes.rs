//! Regular expressions in rules, of which thousands may stand in one set. Linear time is the library's promise; that most
//! of them cost nothing is kept here: each must contain fixed letters, and only where these occur is it tried at all.

use std::sync::OnceLock;

use aho_corasick::AhoCorasick;
use regex::{Regex, RegexBuilder};
use regex_syntax::hir::{Class, Hir, HirKind};

use super::parse::Problem;
use crate::text::fold;

/// The most bytes of a compiled program (`\w` alone takes some thousand of them).
const SIZE_MAX: usize = 1 << 17;
/// The most bytes of what the library remembers while it searches.
const CACHE_MAX: usize = 1 << 18;
/// How deep groups may nest.
const NEST_MAX: u32 = 20;
/// The fewest bytes of fixed text: three Latin letters or one Chinese character.
const FIXED_MIN: usize = 3;
/// The most fixed texts of which one must occur.
const FIXED_MAX: usize = 32;

/// Whether a pattern may stand in a rule; if not, why, and at which byte of it where that is known.
pub(super) fn check(pattern: &str) -> Result<(), (Problem, Option<usize>)> {
    let hir = parser().parse(pattern).map_err(|error| match error {
        regex_syntax::Error::Parse(error) => (
            Problem::Regex(error.kind().to_string()),
            Some(error.span().start.offset),
        ),
        regex_syntax::Error::Translate(error) => (
            Problem::Regex(error.kind().to_string()),
            Some(error.span().start.offset),
        ),
        other => (
            Problem::Regex(other.to_string().lines().last().unwrap_or_default().to_owned()),
            None,
        ),
    })?;
    if hir.properties().minimum_len().is_none_or(|least| least == 0) {
        return Err((Problem::RegexEverything, None));
    }
    let fixed = fixed(&hir).filter(|fixed| least(fixed) >= FIXED_MIN);
    if fixed.is_none() {
        return Err((Problem::RegexLoose, None));
    }
    compile(pattern).map(drop).ok_or((Problem::RegexSize, None))
}

fn parser() -> regex_syntax::Parser {
    regex_syntax::ParserBuilder::new()
        .case_insensitive(true)
        .nest_limit(NEST_MAX)
        .build()
}

/// `None` where [`check`] finds fault with it.
pub(super) fn compile(pattern: &str) -> Option<Regex> {
    RegexBuilder::new(pattern)
        .case_insensitive(true)
        .nest_limit(NEST_MAX)
        .size_limit(SIZE_MAX)
        .dfa_size_limit(CACHE_MAX)
        .build()
        .ok()
}

/// What is known of the texts that a part of a pattern matches, folded.
struct Known {
    /// All of them, where they are few.
    all: Option<Vec<String>>,
    /// One of these occurs in each of them.
    some: Option<Vec<String>>,
}

fn least(texts: &[String]) -> usize {
    texts.iter().map(String::len).min().unwrap_or(0)
}

/// The better of two sets of which one text must occur: that whose texts are longer, then the smaller.
fn better(a: Option<Vec<String>>, b: Option<Vec<String>>) -> Option<Vec<String>> {
    let worth = |texts: &Vec<String>| (least(texts).min(8), usize::MAX - texts.len());
    match (a, b) {
        (Some(a), Some(b)) => Some(if worth(&b) > worth(&a) { b } else { a }),
        (a, b) => a.or(b),
    }
}

/// Texts of which one occurs in whatever the pattern matches.
fn fixed(hir: &Hir) -> Option<Vec<String>> {
    let known = known(hir);
    better(known.some, known.all)
}

fn each_folded(chars: impl Iterator<Item = char>) -> String {
    chars.map(|c| fold(c.encode_utf8(&mut [0; 4]))).collect()
}

/// Recursion is bounded by [`NEST_MAX`].
fn known(hir: &Hir) -> Known {
    let all = |texts| Known {
        all: Some(texts),
        some: None,
    };
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => all(vec![String::new()]),
        HirKind::Literal(literal) => match std::str::from_utf8(&literal.0) {
            Ok(text) => all(vec![each_folded(text.chars())]),
            Err(_) => Known { all: None, some: None },
        },
        HirKind::Class(Class::Unicode(class)) => {
            let chars = class.iter().flat_map(|range| range.start()..=range.end());
            let mut texts: Vec<String> = chars
                .take(FIXED_MAX + 1)
                .map(|c| each_folded(std::iter::once(c)))
                .collect();
            let few = texts.len() <= FIXED_MAX;
            texts.sort();
            texts.dedup();
            Known {
                all: few.then_some(texts),
                some: None,
            }
        }
        HirKind::Class(Class::Bytes(_)) => Known { all: None, some: None },
        HirKind::Capture(capture) => known(&capture.sub),
        HirKind::Repetition(repetition) => {
            let inner = known(&repetition.sub);
            match (repetition.min, repetition.max) {
                (0, Some(1)) => Known {
                    all: inner.all.map(|texts| [vec![String::new()], texts].concat()),
                    some: None,
                },
                (0, _) => Known { all: None, some: None },
                (1.., _) => Known {
                    all: None,
                    some: better(inner.all, inner.some),
                },
            }
        }
        HirKind::Concat(parts) => {
            let mut best = None;
            let mut run = vec![String::new()];
            let mut whole = true;
            for part in parts {
                let Known { all, some } = known(part);
                best = better(best, some);
                let joined = all
                    .as_ref()
                    .filter(|texts| texts.len() * run.len() <= FIXED_MAX)
                    .map(|texts| {
                        let pairs = run.iter().flat_map(|a| texts.iter().map(move |b| format!("{a}{b}")));
                        pairs.collect()
                    });
                whole &= joined.is_some();
                let next = joined.unwrap_or_else(|| {
                    best = better(best.take(), Some(std::mem::take(&mut run)));
                    all.unwrap_or_else(|| vec![String::new()])
                });
                run = next;
            }
            if whole {
                return Known {
                    all: Some(run),
                    some: best,
                };
            }
            Known {
                all: None,
                some: better(best, Some(run)),
            }
        }
        HirKind::Alternation(branches) => {
            let known: Vec<Known> = branches.iter().map(known).collect();
            let join = |sets: Option<Vec<Vec<String>>>| {
                sets.map(|sets| sets.concat()).filter(|texts| texts.len() <= FIXED_MAX)
            };
            let all = join(known.iter().map(|known| known.all.clone()).collect());
            let some = join(known.into_iter().map(|known| better(known.some, known.all)).collect());
            Known { all, some }
        }
    }
}

/// Many patterns, found together.
#[derive(Debug, Default)]
pub(super) struct Regexes {
    patterns: Vec<Pattern>,
    fixed: Vec<String>,
    /// For each of the fixed texts its pattern.
    of: Vec<usize>,
    /// Over the fixed texts; made when it is first needed after a change.
    automaton: OnceLock<Option<AhoCorasick>>,
}

#[derive(Debug)]
struct Pattern {
    text: String,
    /// What [`Regexes::find`] calls it.
    name: u32,
    /// Made when its fixed text first occurs: most never are.
    regex: OnceLock<Option<Regex>>,
}

impl Regexes {
    pub(super) fn insert(&mut self, name: u32, pattern: &str) {
        let Some(fixed) = parser().parse(pattern).ok().and_then(|hir| fixed(&hir)) else {
            return;
        };
        self.of.extend(fixed.iter().map(|_| self.patterns.len()));
        self.fixed.extend(fixed);
        self.automaton = OnceLock::new();
        self.patterns.push(Pattern {
            text: pattern.to_owned(),
            name,
            regex: OnceLock::new(),
        });
    }

    pub(super) fn is_empty(&self) -> bool {
        self.patterns.is_empty()
    }

    /// Calls `found` with the name of each pattern that occurs in title or abstract, and whether in the title. Both are in
    /// NFKC.
    pub(super) fn find(&self, title: &str, body: &str, mut found: impl FnMut(u32, bool)) {
        let automaton = self.automaton.get_or_init(|| AhoCorasick::new(&self.fixed).ok());
        let Some(automaton) = automaton else { return };
        let mut done = Vec::new();
        for (text, in_title) in [(title, true), (body, false)] {
            let lower = fold(text);
            let mut tried: Vec<usize> = automaton
                .find_overlapping_iter(&lower)
                .filter_map(|hit| self.of.get(hit.pattern().as_usize()).copied())
                .collect();
            tried.sort_unstable();
            tried.dedup();
            for at in tried {
                let Some(pattern) = self.patterns.get(at).filter(|_| !done.contains(&at)) else {
                    continue;
                };
                let regex = pattern.regex.get_or_init(|| compile(&pattern.text));
                if regex.as_ref().is_some_and(|regex| regex.is_match(text)) {
                    found(pattern.name, in_title);
                    if in_title {
                        done.push(at);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fixed_of(pattern: &str) -> Vec<String> {
        let mut texts = parser()
            .parse(pattern)
            .ok()
            .and_then(|hir| fixed(&hir))
            .unwrap_or_default();
        texts.sort();
        texts
    }

    #[test]
    fn the_fixed_letters_of_a_pattern_are_its_longest() {
        for (pattern, texts) in [
            ("kv.?Cache", &["cache"][..]),
            (r"\bLLMs?\b", &["llm", "llms"]),
            ("(gpt|gemma)-[0-9]+", &["gemma-", "gpt-"]),
            ("量化.{0,5}推理", &["量化"]),
            ("(quant|prun)(ize|e)?", &["prun", "quant"]),
            ("(abc)+x", &["abc"]),
        ] {
            assert_eq!(fixed_of(pattern), texts, "{pattern}");
        }
    }

    #[test]
    fn a_pattern_that_costs_too_much_or_finds_too_much_is_refused() {
        let refused = |pattern: &str| check(pattern).map_err(|(problem, _)| problem);
        for pattern in ["", "a*", "(cache)?", "|cache", "^$"] {
            assert_eq!(refused(pattern), Err(Problem::RegexEverything), "{pattern}");
        }
        for pattern in [".", r"\w+", "[a-z]{9}", "ab|cache", r"\d+ (bits|%)"] {
            assert_eq!(refused(pattern), Err(Problem::RegexLoose), "{pattern}");
        }
        for pattern in ["cache{1000}{1000}", r"cache(\w{30}){40}"] {
            assert_eq!(refused(pattern), Err(Problem::RegexSize), "{pattern}");
        }
        let deep = format!("{}cache{}", "(".repeat(30), ")".repeat(30));
        for pattern in ["(cache", "cache[", "cache**(", r"(a)cache\1", "(?=cache)", &*deep] {
            assert!(matches!(refused(pattern), Err(Problem::Regex(_))), "{pattern}");
        }
        assert_eq!(
            check(r"cache\"),
            Err((
                Problem::Regex("incomplete escape sequence, reached end of pattern prematurely".to_owned()),
                Some(5)
            ))
        );
        assert_eq!(check(r"\b\w+ cache \w+\b"), Ok(()));
    }

    proptest! {
        #[test]
        fn what_a_pattern_matches_has_its_fixed_letters(
            parts in prop::collection::vec(
                prop::sample::select(vec!["cache", "K", "(a|bc)", "s?", "[xyz]", ".", "(ab)+", "é", "量", "(k|kv|gemma)", "ſ", "x{2}", "(?-i:Q)"]), 1..6),
            text in "[kKaAbcCxyzsſ量éQq ]{0,12}",
        ) {
            let pattern = parts.concat();
            let lower = fold(&text);
            let nfkc = crate::rule::matcher::nfkc(&text);
            if let Some(found) = compile(&pattern).unwrap().find(&nfkc) {
                let fixed = fixed_of(&pattern);
                prop_assert!(fixed.is_empty() || fixed.iter().any(|fixed| lower.contains(fixed)), "{:?} in {:?}", fixed, found);
            }
        }
    }
}
