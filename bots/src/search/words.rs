//! Which words a text has. Index and query go through here, so that they agree:
//!
//! - Folded ([`fold`]); apostrophes, soft hyphens and zero-width characters vanish.
//! - Letters and digits that stand together are a word, with what belongs to it: `.` or `,` between digits (`3.5`), a
//!   trailing `++` or `#` (`c++`, `c#`). Words that hyphens join are found as one word too (`kv-cache` as `kvcache`).
//! - Stemmed, English inflections fall together (`caching` = `cached` = `caches`), British spellings become American first.
//! - Where no spaces stand between words, each character is a word, and each word of jieba's dictionary that begins there
//!   is one too, overlapping ones included. A query is cut into words that do not overlap. So a Chinese term is found
//!   exactly where it stands as a substring, as in rules, however jieba would cut the text around it; the dictionary
//!   makes that fast, and its rarer words weigh more than their characters.
//! - Positions count words and characters. A mark that ends a phrase takes a position of its own.

use std::collections::HashMap;
use std::sync::LazyLock;

use jieba_rs::Jieba;
use paperwire_core::text::{ascii_word_length, british, fold, is_word, word_length};
use tantivy::tokenizer::{
    AsciiFoldingFilter, Language, RawTokenizer, Stemmer, TextAnalyzer, Token, TokenStream, Tokenizer,
};

/// Loaded when the first Chinese text is met: who reads English only does not pay for it.
static JIEBA: LazyLock<Jieba> = LazyLock::new(Jieba::new);

/// Loads the dictionary now, so that the first Chinese search does not wait for it.
pub(super) fn load_dictionary() {
    LazyLock::force(&JIEBA);
}

/// A longer word is noise, and left out; in bytes.
const LONGEST_WORD: usize = 100;

/// What is asked of an analyzer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Inflections fall together.
    Stemmed,
    /// As written.
    Exact,
    /// As written, without accents.
    Name,
}

impl Form {
    pub(super) const ALL: [Self; 3] = [Self::Stemmed, Self::Exact, Self::Name];

    /// What the schema calls the analyzer.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Stemmed => "stemmed",
            Self::Exact => "exact",
            Self::Name => "name",
        }
    }

    /// The analyzer of what is indexed.
    pub(super) fn analyzer(self) -> TextAnalyzer {
        self.analyzing(true)
    }

    fn analyzing(self, every: bool) -> TextAnalyzer {
        let words = Words {
            every,
            stems: (self == Self::Stemmed).then(Stems::default),
            cut: Cutting::default(),
        };
        match self {
            Self::Stemmed | Self::Exact => TextAnalyzer::builder(words).build(),
            Self::Name => TextAnalyzer::builder(words).filter(AsciiFoldingFilter).build(),
        }
    }

    /// What a query looks for: each alternative is a phrase of words with their positions. Empty without any letter.
    pub(super) fn phrases(self, text: &str) -> Vec<Vec<(usize, String)>> {
        let mut analyzer = self.analyzing(false);
        let mut stream = analyzer.token_stream(text);
        let (mut phrase, mut joined) = (Vec::new(), Vec::new());
        let mut words = 0;
        while let Some(token) = stream.next() {
            if token.position_length > 1 {
                joined.push((token.position, token.text.clone()));
                words = token.position_length;
            } else {
                phrase.push((token.position, token.text.clone()));
            }
        }
        // `kv-cache` alone is `kvcache` too; inside a longer phrase its parts do.
        let whole = joined.len() == 1 && phrase.len() == words;
        let mut phrases = vec![phrase];
        if whole {
            phrases.push(joined);
        }
        phrases.retain(|phrase| !phrase.is_empty());
        phrases
    }
}

/// Cuts a text into words. What it needs for that is kept for the next text.
#[derive(Clone)]
struct Words {
    /// Every word of the dictionary, overlapping or not.
    every: bool,
    /// Inflections fall together; British spellings become American first.
    stems: Option<Stems>,
    cut: Cutting,
}

/// How many words' stems are remembered: more than most texts have, and no more than some MB.
const REMEMBERED: usize = 20_000;

/// The stems of words. Texts repeat their words, and finding a stem costs more than all else that is done to a word.
#[derive(Clone)]
struct Stems {
    stemmer: TextAnalyzer,
    known: HashMap<Box<str>, Box<str>>,
}

impl Default for Stems {
    fn default() -> Self {
        let whole = TextAnalyzer::builder(RawTokenizer::default());
        Self {
            stemmer: whole.filter(Stemmer::new(Language::English)).build(),
            known: HashMap::new(),
        }
    }
}

impl Stems {
    fn put(&mut self, word: &str, stem: &mut String) {
        stem.clear();
        if let Some(known) = self.known.get(word) {
            stem.push_str(known);
            return;
        }
        if let Some(token) = self.stemmer.token_stream(word).next() {
            stem.push_str(&token.text);
        }
        if self.known.len() >= REMEMBERED {
            self.known.clear();
        }
        self.known.insert(word.into(), stem.as_str().into());
    }
}

impl Tokenizer for Words {
    type TokenStream<'a> = Cut<'a>;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> Cut<'a> {
        let cut = &mut self.cut;
        (cut.every, cut.american) = (self.every, self.stems.is_some());
        cut.position = 0;
        cut.letters.clear();
        cut.places.clear();
        cut.text(text);
        // The index takes the places of a word in ascending order only.
        if !cut.places.is_sorted_by_key(|place| place.position) {
            cut.places.sort_by_key(|place| place.position);
        }
        Cut {
            places: cut.places.iter(),
            letters: &cut.letters,
            stems: self.stems.as_mut(),
            token: &mut cut.token,
        }
    }
}

/// The words of one text.
struct Cut<'a> {
    places: std::slice::Iter<'a, Place>,
    letters: &'a str,
    stems: Option<&'a mut Stems>,
    token: &'a mut Token,
}

impl TokenStream for Cut<'_> {
    fn advance(&mut self) -> bool {
        let Some(place) = self.places.next() else { return false };
        self.token.position = place.position;
        self.token.position_length = place.position_length;
        let word = self.letters.get(place.from..place.to).unwrap_or_default();
        match &mut self.stems {
            Some(stems) => stems.put(word, &mut self.token.text),
            None => {
                self.token.text.clear();
                self.token.text.push_str(word);
            }
        }
        true
    }

    fn token(&self) -> &Token {
        self.token
    }

    fn token_mut(&mut self) -> &mut Token {
        self.token
    }
}

/// A word that was cut, and where its letters are.
#[derive(Debug, Clone, Copy)]
struct Place {
    position: usize,
    position_length: usize,
    from: usize,
    to: usize,
}

#[derive(Debug, Clone, Default)]
struct Cutting {
    every: bool,
    american: bool,
    position: usize,
    /// Those of all words, one after the other.
    letters: String,
    places: Vec<Place>,
    token: Token,
}

/// Words that hyphens join.
#[derive(Default)]
struct Compound {
    letters: String,
    /// Where the first of them stands.
    begun: usize,
}

impl Cutting {
    fn text(&mut self, text: &str) {
        let mut folded = fold(text);
        if folded.is_ascii() {
            folded.retain(|c| !is_dropped(c));
            return self.ascii(&folded);
        }
        let folded: Vec<char> = folded.chars().filter(|&c| !is_dropped(c)).collect();
        let mut rest = folded.as_slice();
        let mut compound = Compound::default();
        let mut word = String::new();
        while let Some((&first, after)) = rest.split_first() {
            if is_unspaced(first) {
                self.compound(&mut compound);
                let alike = |&&c: &&char| is_unspaced(c) && is_han(c) == is_han(first);
                let length = rest.iter().take_while(alike).count();
                let (run, after) = rest.split_at_checked(length).unwrap_or((rest, &[]));
                self.run(&run.iter().collect::<String>());
                rest = after;
                continue;
            }
            let length = word_length(rest);
            if let Some((letters @ [_, ..], after)) = rest.split_at_checked(length) {
                word.clear();
                word.extend(letters);
                self.word(&word, &mut compound);
                rest = after;
                continue;
            }
            let joins = word_length(after) > 0 && !after.first().is_some_and(|&c| is_unspaced(c));
            self.between(first, joins, &mut compound);
            rest = after;
        }
        self.compound(&mut compound);
    }

    /// [`Self::text`] for the many in which a character is a byte.
    fn ascii(&mut self, folded: &str) {
        let bytes = folded.as_bytes();
        let mut compound = Compound::default();
        let mut at = 0;
        while let Some(&first) = bytes.get(at) {
            let start = at;
            at += ascii_word_length(bytes.get(at..).unwrap_or_default());
            if at == start {
                at += 1;
                let joins = bytes.get(at).is_some_and(u8::is_ascii_alphanumeric);
                self.between(char::from(first), joins, &mut compound);
                continue;
            }
            self.word(folded.get(start..at).unwrap_or_default(), &mut compound);
        }
        self.compound(&mut compound);
    }

    fn word(&mut self, word: &str, compound: &mut Compound) {
        if compound.letters.is_empty() {
            compound.begun = self.position;
        }
        compound.letters.push_str(word);
        self.push(self.position, 1, word);
        self.position += 1;
    }

    /// A character that is part of no word; `joins`: a word follows to which a hyphen would join what stands before it.
    fn between(&mut self, c: char, joins: bool, compound: &mut Compound) {
        let hyphen = is_hyphen(c);
        if !(hyphen && joins) {
            self.compound(compound);
        }
        if !hyphen && !c.is_whitespace() {
            self.position += 1;
        }
    }

    /// What the words that hyphens have joined so far are as one.
    fn compound(&mut self, compound: &mut Compound) {
        let words = self.position.saturating_sub(compound.begun);
        if words > 1 && !compound.letters.is_empty() {
            self.push(compound.begun, words, &compound.letters);
        }
        compound.letters.clear();
    }

    fn push(&mut self, position: usize, position_length: usize, word: &str) {
        if word.len() > LONGEST_WORD {
            return;
        }
        let from = self.letters.len();
        self.letters.push_str(word);
        // Both spellings are of the same length.
        if self.american
            && let Some(at) = british(word)
        {
            self.letters.replace_range(from + at..=from + at, "z");
        }
        self.places.push(Place {
            position,
            position_length,
            from,
            to: self.letters.len(),
        });
    }

    /// Characters with no spaces between words, all Han or none.
    fn run(&mut self, run: &str) {
        let begun = self.position;
        let length = run.chars().count();
        self.position += length;
        let han = run.starts_with(is_han);
        if self.every {
            self.characters(begun, run);
            if han && length > 1 {
                for word in JIEBA.cut_all(run).iter().filter(|word| word.end - word.start > 1) {
                    self.push(begun + word.start, 1, word.word);
                }
            }
        } else if han {
            // Without guessing at words that the dictionary does not have: those are not indexed.
            for word in JIEBA.cut(run, false) {
                self.push(begun + word.start, 1, word.word);
            }
        } else {
            self.characters(begun, run);
        }
    }

    fn characters(&mut self, begun: usize, run: &str) {
        for (at, c) in run.chars().enumerate() {
            self.push(begun + at, 1, c.encode_utf8(&mut [0; 4]));
        }
    }
}

fn is_han(c: char) -> bool {
    matches!(c, '\u{3005}'..='\u{3007}' | '\u{3400}'..='\u{4DBF}' | '\u{4E00}'..='\u{9FFF}' | '\u{F900}'..='\u{FAFF}'
        | '\u{20000}'..='\u{3FFFF}')
}

/// Whether `c` is of a script that puts no spaces between words, or glues particles to them: Han, kana, hangul.
fn is_unspaced(c: char) -> bool {
    is_han(c) || matches!(c, '\u{3040}'..='\u{30FF}' | '\u{31F0}'..='\u{31FF}' | '\u{AC00}'..='\u{D7AF}') && is_word(c)
}

/// Whether `c` joins the words on both sides of it.
fn is_hyphen(c: char) -> bool {
    matches!(c, '-' | '_' | '\u{2010}'..='\u{2013}' | '\u{2212}')
}

/// Whether `c` is written inside a word and is not part of it.
fn is_dropped(c: char) -> bool {
    matches!(
        c,
        '\'' | '\u{2019}' | '\u{AD}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}' | '\u{FEFF}'
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn indexed(form: Form, text: &str) -> Vec<(usize, String)> {
        let mut analyzer = form.analyzer();
        let mut stream = analyzer.token_stream(text);
        let mut tokens = Vec::new();
        while let Some(token) = stream.next() {
            tokens.push((token.position, token.text.clone()));
        }
        tokens
    }

    /// Whether a phrase of the query stands in the text.
    fn found(form: Form, query: &str, text: &str) -> bool {
        let tokens = indexed(form, text);
        form.phrases(query).iter().any(|phrase| {
            let (first, _) = phrase[0];
            (0..=tokens.len() * 3).any(|shift| {
                phrase
                    .iter()
                    .all(|(at, word)| tokens.contains(&(at - first + shift, word.clone())))
            })
        })
    }

    #[test]
    fn inflections_spellings_and_hyphens_fall_together_and_other_words_do_not() {
        for (query, text) in [
            ("cached", "caching of keys"),
            ("quantisation", "we quantized it"),
            ("memory", "two memories"),
            ("kv-cache", "a KV cache"),
            ("kv-cache", "the kvcache"),
            ("kvcache", "KV‑caches"),
            ("kvcache", "a kv-cache."),
            ("ＧＰＴ", "gpt"),
            ("c++", "in C++."),
            ("3.5", "GPT-3.5,"),
            ("don't", "don’t"),
        ] {
            assert!(found(Form::Stemmed, query, text), "{query} in {text}");
        }
        for (query, text) in [
            ("rag", "fragments"),
            ("c", "c++"),
            ("kv-cache", "kv. cache"),
            ("3", "3.5"),
        ] {
            assert!(!found(Form::Stemmed, query, text), "{query} in {text}");
        }
        assert!(!found(Form::Exact, "cache", "caching"));
        assert!(found(Form::Name, "Muller", "Klaus Müller"));
    }

    #[test]
    fn a_text_without_letters_asks_for_nothing() {
        for text in ["", "  ", "!!!", "\u{200B}", "—", "-_-"] {
            assert!(Form::Stemmed.phrases(text).is_empty(), "{text:?}");
        }
    }

    #[test]
    fn chinese_words_are_found_where_another_cut_would_cross_them() {
        let text = "我们研究大语言模型的推理加速与混合专家模型的KV缓存，研究生命起源";
        assert!(found(Form::Stemmed, "模型", "ミニ模型の推理"), "kana stand beside");
        for query in [
            "推理",
            "推理加速",
            "混合专家",
            "混合专家模型",
            "专家",
            "生命",
            "模型的kv缓存",
            "KV缓存",
            "型",
        ] {
            assert!(found(Form::Stemmed, query, text), "{query}");
        }
        assert!(!found(Form::Stemmed, "缓存研究", text), "a comma stands between");
        assert!(!found(Form::Stemmed, "加速推理", text));
    }

    proptest! {
        #[test]
        fn any_piece_of_a_chinese_text_is_found_in_it_and_nothing_else_is(
            text in "[大语言模型推理加速混合专家研究生命起源的与]{1,24}",
            other in "[大语言模型推理加速混合专家]{1,4}",
            from in 0_usize..24, length in 1_usize..8,
        ) {
            let piece: String = text.chars().skip(from).take(length).collect();
            prop_assume!(!piece.is_empty());
            prop_assert!(found(Form::Stemmed, &piece, &text), "{} in {}", piece, text);
            prop_assert_eq!(found(Form::Stemmed, &other, &text), text.contains(&other));
        }

        #[test]
        fn a_text_of_single_bytes_has_the_words_that_it_has_beside_other_characters(
            text in "([a-z]{1,9}|[0-9]{1,3}|kv-cache|C[+]{1,3}|C#{1,2}|it's|realised|[-_.,+#' \n!]{1,3}){0,24}",
        ) {
            for form in Form::ALL {
                let alone = indexed(form, &text);
                // An accent behind everything has the whole of it read character by character.
                let mut beside = indexed(form, &format!("{text} é"));
                beside.pop();
                prop_assert_eq!(&alone, &beside);
                let again: Vec<_> = indexed(form, &text);
                prop_assert_eq!(alone, again);
            }
        }

        #[test]
        fn positions_never_fall_and_no_word_is_empty(text in "\\PC{0,60}") {
            let tokens = indexed(Form::Exact, &text);
            let end = tokens.iter().map(|(at, _)| *at).max().unwrap_or(0);
            prop_assert!(end <= text.chars().count() * 18);
            prop_assert!(tokens.iter().all(|(_, word)| !word.is_empty()));
        }
    }
}
