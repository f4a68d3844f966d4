//! Finding terms as people mean them: topics and keywords must agree on what is the same word, whatever its case, width,
//! hyphens and inflection, and a short term must not be found inside a longer word (`rag` in `fragments`).
//!
//! Text and terms are brought to the same form, in which one automaton finds all terms at once:
//!
//! - Folded: NFKC, lower case; apostrophes, soft hyphens and zero-width characters vanish.
//! - A *word* is a run of letters and digits, with what belongs to it: `.` or `,` between digits (`3.5`), a trailing `++`
//!   or `#` (`c++`, `c#`). In scripts without word spaces each character is a word, so there a term is a plain substring.
//! - White space, hyphens and `_` between words vanish (`kv cache` = `kv-cache` = `kvcache`); everything else becomes a
//!   break that no term spans unless it has one itself (`i/o`).
//! - British becomes American where it is only a letter: `-ise`, `-ised`, `-ises`, `-ising`, `-iser`, `-isation` to `-iz…`.
//! - Every word loses the plural `s` (four letters and more; not `-ss`, `-ias`, nor `-us` after another vowel: `focus`).
//! - The last word of a term may be inflected otherwise too, see [`stem`].
//!
//! A term is found where its form begins at a word's beginning and ends at a word's stem with an [`Ending`] that agrees.

use std::collections::HashMap;

use aho_corasick::AhoCorasick;

use crate::text::{self, ascii_word_length, british, word_length};

/// Raised when the rules above change, so that stored matches are known to be stale.
pub(super) const RULES: &str = "1";

/// Stands for everything that separates words more than a space does.
const BREAK: char = '\n';

/// How a word goes on after its stem.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Ending {
    /// Not at all: `batch`, `drop`.
    Bare,
    /// With `e`: `cache`.
    E,
    /// With `y` or its plural: `memory`, `memories`.
    Y,
    /// With an inflection that hides which of `Bare` and `E` it was: `batching`, `cached`, `caches`.
    Hidden,
}

impl Ending {
    /// Whether two words with the same stem are the same word. `plan` and `plane` are not; `planed` could be either.
    pub(crate) fn agrees(self, other: Self) -> bool {
        match (self, other) {
            (Self::Hidden, Self::Bare | Self::E | Self::Hidden) | (Self::Bare | Self::E, Self::Hidden) => true,
            (Self::Bare | Self::E | Self::Y, Self::Bare | Self::E | Self::Y) => self == other,
            (Self::Y, Self::Hidden) | (Self::Hidden, Self::Y) => false,
        }
    }
}

/// Stands between texts that no term spans; no term has it.
const BORDER: char = '\0';

/// A text in the form in which terms are found.
#[derive(Debug)]
pub(crate) struct Canonical {
    pub(crate) text: String,
    /// Byte offsets in `text` where a word begins, ascending.
    pub(crate) starts: Vec<usize>,
    /// For each word the byte offset in `text` where its stem ends, ascending, with what followed.
    pub(crate) ends: Vec<(usize, Ending)>,
    /// The words as they are spelt, where that was asked for.
    spelt: Option<Spelt>,
}

/// A text with its inflections, for what is looked for exactly; joined like [`Canonical::text`].
#[derive(Debug, Default)]
struct Spelt {
    text: String,
    /// For each word where it begins and ends.
    words: Vec<(usize, usize)>,
}

impl Canonical {
    pub(crate) fn new() -> Self {
        Self {
            text: String::new(),
            starts: Vec::new(),
            ends: Vec::new(),
            spelt: None,
        }
    }

    /// One that can tell inflections apart, see [`Canonical::spelt`].
    pub(crate) fn with_spelling() -> Self {
        Self {
            spelt: Some(Spelt::default()),
            ..Self::new()
        }
    }

    /// How the words from `first` to `last` are spelt: folded, without spaces and hyphens.
    pub(crate) fn spelt(&self, first: usize, last: usize) -> Option<&str> {
        let spelt = self.spelt.as_ref()?;
        spelt.text.get(spelt.words.get(first)?.0..spelt.words.get(last)?.1)
    }

    /// Sets what follows apart from what is there, so that no term spans both.
    pub(crate) fn border(&mut self) {
        self.text.push(BORDER);
        if let Some(spelt) = &mut self.spelt {
            spelt.text.push(BORDER);
        }
    }

    /// Every run of one to `longest` words that no break parts: its first and last word, and its form without what an
    /// inflection of the last one changes.
    pub(crate) fn phrases(&self, longest: usize) -> impl Iterator<Item = (usize, usize, &str)> {
        self.starts.iter().enumerate().flat_map(move |(first, &start)| {
            let ends = self.ends.iter().enumerate().skip(first).take(longest);
            ends.filter_map(move |(last, &(end, _))| Some((first, last, self.text.get(start..end)?)))
                .take_while(|(_, _, phrase)| !phrase.contains([BREAK, BORDER]))
        })
    }

    /// Every place of a pattern: the words with which it begins and ends.
    pub(crate) fn places(&self, pattern: &Pattern) -> impl Iterator<Item = (usize, usize)> {
        self.starts.iter().enumerate().flat_map(move |(first, &start)| {
            let ends = self.ends.iter().enumerate().skip(first);
            ends.take_while(move |&(_, &(end, _))| end <= start + pattern.text.len())
                .filter(move |&(_, &(end, ending))| {
                    self.text.get(start..end) == Some(&*pattern.text) && pattern.ending.agrees(ending)
                })
                .map(move |(last, _)| (first, last))
        })
    }

    /// Appends `text`, set apart from what is there.
    pub(crate) fn push(&mut self, text: &str) {
        let mut folded = text::fold(text);
        if folded.is_ascii() {
            folded.retain(|c| !is_dropped(c));
            self.ascii_words(&folded);
        } else {
            let folded: Vec<char> = folded.chars().filter(|&c| !is_dropped(c)).collect();
            self.words(&folded);
        }
    }

    /// [`Self::words`] for the many texts in which a character is a byte.
    fn ascii_words(&mut self, folded: &str) {
        let bytes = folded.as_bytes();
        let mut broken = true;
        let mut at = 0;
        while let Some(&first) = bytes.get(at) {
            let start = at;
            at += ascii_word_length(bytes.get(at..).unwrap_or_default());
            if at == start {
                let joint = matches!(first, b' ' | b'\t'..=b'\r' | b'-' | b'_');
                broken |= !joint || (first == b'-' && bytes.get(at + 1) == Some(&b'-'));
                at += 1;
                continue;
            }
            self.word(folded.get(start..at).unwrap_or_default(), broken);
            broken = false;
        }
    }

    fn words(&mut self, folded: &[char]) {
        let mut rest = folded;
        let mut broken = true;
        while let Some((&first, after)) = rest.split_first() {
            match rest.split_at_checked(word_length(rest)) {
                Some((word @ [_, ..], after)) => {
                    self.word(&word.iter().collect::<String>(), broken);
                    broken = false;
                    rest = after;
                }
                Some(([], _)) | None => {
                    broken |= !is_joint(first) || rest.starts_with(&['-', '-']);
                    rest = after;
                }
            }
        }
    }

    fn word(&mut self, word: &str, broken: bool) {
        if broken && !self.text.is_empty() {
            self.text.push(BREAK);
        }
        let start = self.text.len();
        self.starts.push(start);
        self.text.push_str(singular(word));
        // The suffix and its replacement are of the same length, so that offsets stay.
        if let Some(at) = british(word) {
            self.text.replace_range(start + at..start + at + 1, "z");
        }
        let (length, ending) = stem(word);
        self.ends.push((start + length, ending));
        if let Some(spelt) = &mut self.spelt {
            if broken && !spelt.text.is_empty() {
                spelt.text.push(BREAK);
            }
            let start = spelt.text.len();
            spelt.text.push_str(word);
            spelt.words.push((start, spelt.text.len()));
        }
    }
}

/// Whether words on both sides of `c` can be written as one.
fn is_joint(c: char) -> bool {
    c.is_whitespace() || matches!(c, '-' | '_' | '\u{2010}'..='\u{2013}' | '\u{2212}')
}

/// Whether `c` is written inside a word and is not part of it.
fn is_dropped(c: char) -> bool {
    matches!(
        c,
        '\'' | '\u{2019}' | '\u{AD}' | '\u{200B}'..='\u{200D}' | '\u{2060}' | '\u{FEFF}'
    )
}

fn is_vowel(c: char) -> bool {
    matches!(c, 'a' | 'e' | 'i' | 'o' | 'u' | 'y')
}

/// The word without a plural `s`.
fn singular(word: &str) -> &str {
    let Some(rest) = word.strip_suffix('s') else {
        return word;
    };
    let us = rest.strip_suffix('u').is_some_and(|before| before.contains(is_vowel));
    if rest.chars().count() < 3 || rest.ends_with('s') || rest.ends_with("ia") || us {
        word
    } else {
        rest
    }
}

/// How much of a folded word stays when it is inflected, in bytes of [`singular`], and how it went on:
///
/// | word | stem | ending |
/// |---|---|---|
/// | `memory`, `memories`, `varied`, `varying` | `memor`, `var` | `Y` |
/// | `batches`, `caches` (`-es` after s, x, z, ch, sh) | `batch`, `cach` | `Hidden` |
/// | `quantization` (`-ization`, `-isation`) | `quantiz` | `Hidden` |
/// | `caching`, `cached` (where three letters with a vowel stay; not `-eed`, nor `embed`) | `cach` | `Hidden` |
/// | `dropping`, `dropped` (doubled, but f, l, s, z) | `drop` | `Bare` |
/// | `cache` | `cach` | `E` |
/// | any other | itself | `Bare` |
fn stem(word: &str) -> (usize, Ending) {
    let consonant_y = |w: &str| {
        w.strip_suffix('y')
            .filter(|rest| rest.chars().count() > 1 && !rest.ends_with(is_vowel))
            .map(str::len)
    };
    let base = singular(word);
    let ied = word.strip_suffix("ies").or_else(|| word.strip_suffix("ied"));
    if let Some(rest) = ied.filter(|rest| rest.chars().count() > 1) {
        return (rest.len(), Ending::Y);
    }
    if let Some(length) = consonant_y(base) {
        return (length, Ending::Y);
    }
    if let Some(rest) = base.strip_suffix('e').filter(|_| base.len() < word.len())
        && (rest.ends_with(['s', 'x', 'z']) || rest.ends_with("ch") || rest.ends_with("sh"))
    {
        return (rest.len(), Ending::Hidden);
    }
    if base.ends_with("ization") || base.ends_with("isation") {
        return (base.len() - "ation".len(), Ending::Hidden);
    }
    let inflected = base.strip_suffix("ing").or_else(|| {
        base.strip_suffix("ed")
            .filter(|rest| !rest.ends_with('e') && !base.ends_with("embed"))
    });
    if let Some(rest) = inflected.filter(|rest| rest.chars().count() > 2 && rest.contains(is_vowel)) {
        if let Some(length) = consonant_y(rest) {
            return (length, Ending::Y);
        }
        let mut last = rest.chars().rev();
        return match (last.next(), last.next()) {
            (Some(a), Some(b))
                if a == b
                    && rest.chars().count() > 3
                    && a.is_alphabetic()
                    && !is_vowel(a)
                    && !matches!(a, 'f' | 'l' | 's' | 'z') =>
            {
                (rest.len() - a.len_utf8(), Ending::Bare)
            }
            _ => (rest.len(), Ending::Hidden),
        };
    }
    match base.strip_suffix('e') {
        Some(rest) if !rest.is_empty() => (rest.len(), Ending::E),
        _ => (base.len(), Ending::Bare),
    }
}

/// What a term looks for; terms with equal patterns find the same texts.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Pattern {
    /// Folded, without what an inflection changes.
    pub(crate) text: String,
    pub(crate) ending: Ending,
}

impl Pattern {
    /// The pattern of a term that is looked for as it is spelt, with that spelling ([`Canonical::spelt`]).
    pub(crate) fn exact(term: &str) -> Option<(Self, String)> {
        let mut canonical = Canonical::with_spelling();
        canonical.push(term);
        let spelt = canonical.spelt.take().map(|spelt| spelt.text)?;
        Some((Self::new(term)?, spelt))
    }

    /// `None` when the term has no letter or digit.
    pub(crate) fn new(term: &str) -> Option<Self> {
        let mut canonical = Canonical::new();
        canonical.push(term);
        let (end, ending) = canonical.ends.pop()?;
        canonical.text.truncate(end);
        Some(Self {
            text: canonical.text,
            ending,
        })
    }

    /// Whether both are inflections of the same term (`kv cache`, `KV-Caching`).
    pub(crate) fn same_term(&self, other: &Self) -> bool {
        self.text == other.text && self.ending.agrees(other.ending)
    }
}

/// A term that occurs in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Found {
    /// Its place in the list that the set was compiled from.
    pub(crate) term: usize,
    /// Whether it occurs in the title.
    pub(crate) in_title: bool,
    /// How often it occurs, the title included.
    pub(crate) times: u32,
}

/// Terms compiled into one automaton.
#[derive(Debug, Clone)]
pub(crate) struct TermSet {
    /// `None` without terms. Building fails only beyond 2^31 states, which takes gigabytes of terms.
    automaton: Option<AhoCorasick>,
    /// For each needle of the automaton the terms that look for it.
    needles: Vec<Vec<(Ending, usize)>>,
}

impl TermSet {
    /// Compiles the terms; a term without letters and digits is never found.
    pub(crate) fn new<'a>(terms: impl IntoIterator<Item = &'a str>) -> Self {
        let mut index = HashMap::new();
        let mut texts = Vec::new();
        let mut needles: Vec<Vec<(Ending, usize)>> = Vec::new();
        for (term, pattern) in terms.into_iter().map(Pattern::new).enumerate() {
            let Some(Pattern { text, ending }) = pattern else {
                continue;
            };
            let at = *index.entry(text).or_insert_with_key(|text| {
                texts.push(text.clone());
                needles.push(Vec::new());
                texts.len() - 1
            });
            if let Some(needle) = needles.get_mut(at) {
                needle.push((ending, term));
            }
        }
        Self {
            automaton: (!texts.is_empty()).then(|| AhoCorasick::new(&texts).ok()).flatten(),
            needles,
        }
    }

    /// The terms that occur, each once, in the order of the list. Nested and overlapping ones all count.
    pub(crate) fn find(&self, title: &str, body: &str) -> Vec<Found> {
        let Some(automaton) = &self.automaton else {
            return Vec::new();
        };
        let mut canonical = Canonical::new();
        canonical.push(title);
        let title_end = canonical.text.len();
        canonical.border();
        canonical.push(body);
        let mut found = Vec::new();
        for hit in automaton.find_overlapping_iter(&canonical.text) {
            let Ok(end) = canonical.ends.binary_search_by_key(&hit.end(), |&(at, _)| at) else {
                continue;
            };
            if canonical.starts.binary_search(&hit.start()).is_err() {
                continue;
            }
            let Some(&(_, followed)) = canonical.ends.get(end) else {
                continue;
            };
            for &(ending, term) in self.needles.get(hit.pattern().as_usize()).into_iter().flatten() {
                if ending.agrees(followed) {
                    let in_title = hit.end() <= title_end;
                    found.push(Found {
                        term,
                        in_title,
                        times: 1,
                    });
                }
            }
        }
        found.sort_by_key(|f| (f.term, !f.in_title));
        found.dedup_by(|next, first| {
            let same = next.term == first.term;
            first.times += u32::from(same);
            same
        });
        found
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn occurs(term: &str, text: &str) -> bool {
        !TermSet::new([term]).find("", text).is_empty()
    }

    #[test]
    fn spellings_of_one_term_find_each_other() {
        for group in [
            &[
                "KV cache",
                "kv-caches",
                "KV-Caching",
                "kv_cached",
                "KVCache",
                "ＫＶ　cache",
                "kv‑cache",
                "KV cache's",
            ][..],
            &[
                "quantization",
                "Quantisation",
                "quantized",
                "quantised",
                "quantizing",
                "quantizations",
            ],
            &["fine-tuning", "finetuning", "fine tune", "Fine-tuned", "finetunes"],
            &["real-time", "realtime", "real time"],
            &["batch", "batches", "batching", "batched"],
            &["token dropping", "token drop", "tokens dropped", "Token-Drops"],
            &["memory", "memories"],
            &["varying", "vary", "varied", "varies"],
            &["GPU kernel", "GPUs kernels"],
            &["embed", "embeds", "embedding", "embeddings", "embedded"],
            &["speed", "speeds"],
            &["loss", "losses"],
            &["4-bit", "4 bits", "4bit"],
            &["MoE", "MoEs"],
            &["FLOPs", "flop", "FLOPS"],
        ] {
            for (a, b) in group.iter().flat_map(|a| group.iter().map(move |b| (a, b))) {
                assert!(occurs(a, &format!("we use {b}, and more")), "{a} in {b}");
            }
        }
    }

    #[test]
    fn a_term_is_not_found_in_another_word() {
        for (term, text) in [
            ("rag", "fragments of storage, dragged in rage"),
            ("plan", "planes"),
            ("plane", "plans"),
            ("policy", "police"),
            ("GPT-4", "GPT-40 and GPT-4.5"),
            ("4-bit", "14-bit and 4.4-bit"),
            ("int8", "int80, uint8"),
            ("C", "C++ and C#"),
            ("C++", "C and C#"),
            ("KV cache", "KV. Cache"),
            ("kv cache", "kv -- cache"),
            ("moe", "moet"),
            ("use", "us"),
        ] {
            assert!(!occurs(term, text), "{term} in {text}");
        }
    }

    #[test]
    fn digits_and_symbols_belong_to_a_word() {
        for (term, text) in [
            ("C++", "written in C++, then C++17"),
            ("c#", "in C#."),
            ("GPT-4", "with GPT4 (and others)"),
            ("GPT-3.5", "(gpt 3.5)"),
            ("I/O", "disk I/O-bound"),
            ("llama.cpp", "on Llama.cpp"),
        ] {
            assert!(occurs(term, text), "{term} in {text}");
        }
    }

    #[test]
    fn chinese_terms_are_substrings_and_mix_with_latin_ones() {
        for (term, text) in [
            ("推理加速", "大模型推理加速技术"),
            ("KV缓存", "压缩ＫＶ缓存的方法"),
            ("kv 缓存", "使用KV缓存"),
            ("大模型LLM推理", "面向大模型 LLM 推理"),
            ("LLM", "使用LLM推理"),
        ] {
            assert!(occurs(term, text), "{term} in {text}");
        }
        assert!(!occurs("KV缓存", "使用MKV缓存"));
        assert!(!occurs("推理加速", "推理，加速"));
    }

    #[test]
    fn nested_and_overlapping_terms_all_count_and_each_once() {
        let set = TermSet::new([
            "cache",
            "KV cache compression",
            "cache compression",
            "compression",
            "!?",
            "kv",
        ]);
        let found = set.find("KV cache", "cache compression, KV-cache compression; compressions");
        let expected = [(0, true, 3), (1, false, 1), (2, false, 2), (3, false, 3), (5, true, 2)];
        let expected = expected.map(|(term, in_title, times)| Found { term, in_title, times });
        assert_eq!(found, expected);
    }

    #[test]
    fn no_term_spans_title_and_abstract() {
        assert_eq!(TermSet::new(["kv cache", "kv/cache"]).find("kv", "cache"), []);
    }

    /// Each term alone, at each run of words, without an automaton.
    fn naive(term: &str, text: &str) -> bool {
        let Some(pattern) = Pattern::new(term) else {
            return false;
        };
        let mut canonical = Canonical::new();
        canonical.push(text);
        canonical.starts.iter().any(|&start| {
            canonical.ends.iter().any(|&(end, ending)| {
                canonical.text.get(start..end) == Some(&*pattern.text) && pattern.ending.agrees(ending)
            })
        })
    }

    fn words() -> impl Strategy<Value = String> {
        let word = prop::sample::select(vec![
            "kv",
            "KV",
            "cache",
            "caches",
            "Caching",
            "cached",
            "rag",
            "fragments",
            "drop",
            "dropping",
            "policy",
            "police",
            "推",
            "理",
            "推理",
            "c++",
            "c",
            "4",
            "14",
            "bit",
            "bits",
            "3.5",
            "ß",
            "İ",
            "é",
            "e\u{301}",
        ]);
        let gap = prop::sample::select(vec![" ", "-", "", ", ", "/", " -- ", "\n", "。"]);
        prop::collection::vec((word, gap), 0..8).prop_map(|pairs| pairs.into_iter().flat_map(|(w, g)| [w, g]).collect())
    }

    proptest! {
        #[test]
        fn one_pass_finds_what_each_term_alone_finds(
            terms in prop::collection::vec(words(), 0..12), title in words(), body in words(),
        ) {
            let found = TermSet::new(terms.iter().map(String::as_str)).find(&title, &body);
            let expected: Vec<_> = terms.iter().enumerate().filter_map(|(at, term)| {
                let in_title = naive(term, &title);
                (in_title || naive(term, &body)).then_some((at, in_title))
            }).collect();
            let found: Vec<_> = found.into_iter().map(|found| (found.term, found.in_title)).collect();
            prop_assert_eq!(found, expected);
        }

        #[test]
        fn case_hyphens_and_inflection_of_any_words_do_not_matter(
            first in "[b-df-hj-np-tv-z][aou][kmnt]{1,2}", last in "[a-z]{1,5}[aeiou][mn][ktd]", gap in "[ _-]?",
            ending in prop::sample::select(vec!["", "s", "ed", "ing"]), upper: bool,
        ) {
            let term = format!("{first} {last}");
            let mut text = format!("{first}{gap}{last}{ending}");
            if upper { text = text.to_uppercase(); }
            prop_assert!(occurs(&term, &text), "{} in {}", term, text);
            prop_assert!(occurs(&text, &term), "{} in {}", text, term);
        }

        #[test]
        fn text_of_bytes_has_the_same_words_as_text_of_characters(text in r"((c|kv|cach|organis)(es?|ed|isations?)?|[0-9.,+#'_ \t\r-]|[ -~]){0,30}") {
            let (mut bytes, mut chars) = (Canonical::with_spelling(), Canonical::with_spelling());
            bytes.push(&text);
            let folded: Vec<char> = text::fold(&text).chars().filter(|&c| !is_dropped(c)).collect();
            chars.words(&folded);
            prop_assert_eq!(format!("{:?}", bytes), format!("{:?}", chars));
        }

        #[test]
        fn any_text_finds_itself(text in "\\PC{0,40}") {
            prop_assert_eq!(occurs(&text, &text), Pattern::new(&text).is_some());
        }
    }
}
