//! The field's terms in both languages: how a Chinese sentence is held against an English abstract, and which way a measure
//! is better.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, MatchKind};

/// A term of the table, by its line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Term(u16);

/// What more of something is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Worth {
    /// Latency, cost, errors.
    LessIsBetter,
    /// Accuracy, throughput.
    MoreIsBetter,
}

struct Glossary {
    worth: Vec<Option<Worth>>,
    chinese: Option<AhoCorasick>,
    english: Option<AhoCorasick>,
    /// For each pattern its term.
    of_chinese: Vec<Term>,
    of_english: Vec<Term>,
    /// Of the English patterns those that are whole words.
    whole: Vec<bool>,
}

static GLOSSARY: LazyLock<Glossary> = LazyLock::new(|| Glossary::read(include_str!("glossary.txt")));

impl Glossary {
    fn read(text: &str) -> Self {
        let (mut worth, mut chinese, mut english) = (Vec::new(), Vec::new(), Vec::new());
        let (mut of_chinese, mut of_english, mut whole) = (Vec::new(), Vec::new(), Vec::new());
        for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let (line, value) = match (line.strip_suffix('<'), line.strip_suffix('>')) {
                (Some(line), _) => (line, Some(Worth::LessIsBetter)),
                (_, Some(line)) => (line, Some(Worth::MoreIsBetter)),
                (None, None) => (line, None),
            };
            let Some((zh, en)) = line.split_once('=') else { continue };
            let term = Term(u16::try_from(worth.len()).unwrap_or(u16::MAX));
            worth.push(value);
            for name in zh.split(';').map(str::trim) {
                chinese.push(name.to_owned());
                of_chinese.push(term);
            }
            for name in en.split(';').map(str::trim) {
                english.push(format!(" {}", name.trim_end_matches('.')));
                whole.push(name.ends_with('.'));
                of_english.push(term);
            }
        }
        let build = |patterns: &[String]| {
            let mut builder = AhoCorasick::builder();
            builder.match_kind(MatchKind::LeftmostLongest).build(patterns).ok()
        };
        Self {
            worth,
            chinese: build(&chinese),
            english: build(&english),
            of_chinese,
            of_english,
            whole,
        }
    }
}

impl Term {
    /// Which way it is better; `None` for what is no measure.
    pub(super) fn worth(self) -> Option<Worth> {
        GLOSSARY.worth.get(usize::from(self.0)).copied().flatten()
    }
}

/// The terms that a text names, in either language, with the bytes at which they begin; of a text that is
/// [`plain`].
pub(super) fn terms_at(plain: &str) -> Vec<(usize, Term)> {
    spans(plain).into_iter().map(|(at, term)| (at.start, term)).collect()
}

/// The same with all of their bytes.
pub(super) fn spans(plain: &str) -> Vec<(Range<usize>, Term)> {
    let glossary = &*GLOSSARY;
    let chinese = glossary.chinese.iter().flat_map(|finder| finder.find_iter(plain));
    let mut found: Vec<(Range<usize>, Term)> = chinese
        .filter_map(|hit| Some((hit.range(), *glossary.of_chinese.get(hit.pattern().as_usize())?)))
        .collect();
    let english = glossary.english.iter().flat_map(|finder| finder.find_iter(plain));
    found.extend(english.filter_map(|hit| {
        let n = hit.pattern().as_usize();
        let goes_on = || {
            let rest = plain.get(hit.end()..).unwrap_or_default();
            rest.starts_with(|c: char| c.is_ascii_alphanumeric())
        };
        let is_meant = !glossary.whole.get(n).copied().unwrap_or_default() || !goes_on();
        is_meant.then_some((hit.range(), *glossary.of_english.get(n)?))
    }));
    found
}

/// The terms that a text names.
pub(super) fn terms(text: &str) -> BTreeSet<Term> {
    terms_at(&plain(text)).into_iter().map(|(_, term)| term).collect()
}

/// Small letters, every mark between words a space, and a space before every Latin word.
pub(super) fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    let mut in_word = false;
    for c in text.chars() {
        let is_word = c.is_ascii_alphanumeric();
        if is_word && !in_word && !out.ends_with(' ') {
            out.push(' ');
        }
        match c {
            c if is_word => out.push(c.to_ascii_lowercase()),
            c if c.is_ascii() => out.push(' '),
            c => out.push(c),
        }
        in_word = is_word;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_term_is_the_same_in_both_languages_and_knows_which_way_is_better() {
        for (zh, en, worth) in [
            ("推理延迟降低", "lower latencies", Some(Worth::LessIsBetter)),
            ("准确率", "more accurate", Some(Worth::MoreIsBetter)),
            ("混合专家", "a Mixture-of-Experts router", None),
            ("低比特量化", "Quantization", None),
        ] {
            let shared: Vec<Term> = terms(zh).intersection(&terms(en)).copied().collect();
            assert!(shared.iter().any(|term| term.worth() == worth), "{zh} {en}");
        }
        assert!(terms("an inaccurate unquantified relapse of maps").is_empty());
    }

    #[test]
    fn every_line_of_the_table_has_both_languages() {
        let lines = include_str!("glossary.txt").lines();
        for line in lines.filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let (zh, en) = line.split_once('=').unwrap();
            assert!(zh.split(';').all(|name| !name.trim().is_empty()), "{line}");
            let en = en.trim_end_matches(['<', '>']);
            let good = |name: &str| !name.is_empty() && plain(name).trim_start() == name;
            assert!(
                en.split(';').all(|name| good(name.trim().trim_end_matches('.'))),
                "{line}"
            );
        }
        assert!(GLOSSARY.worth.len() >= 150);
    }
}
