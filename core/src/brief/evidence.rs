//! What carries a brief: each of its clauses beside the words of the paper on which it rests. A reader who doubts a
//! sentence sees where it comes from, or that it comes from nowhere.

use std::collections::BTreeSet;
use std::ops::Range;

use super::gate::content_words;
use super::glossary::{self, Term};
use super::names::{self, Vocabulary};
use super::numbers::{Quantity, quantities};
use super::reply::Slots;
use super::{extract, is_han, language};
use crate::locale::Lang;
use crate::message::ellipsis;
use crate::paper::Paper;
use crate::rule::org::Place;
use crate::text;

/// Which slot of a brief a clause fills.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Slot {
    /// Who published what.
    Who,
    /// With which technique.
    Technique,
    /// Solving which problem.
    Problem,
    /// To what effect.
    Effect,
}

/// Where words of a paper stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stand {
    /// In its list of institutions.
    Institutions,
    /// In its title.
    Title,
    /// In its abstract.
    Abstract,
    /// In its authors' comment.
    Comments,
}

/// Words of a paper.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quote {
    /// Where they stand.
    pub stand: Stand,
    /// A name, or a sentence of at most [`QUOTE_CHARS`] characters.
    pub text: String,
}

/// The longest quote, in characters (Unicode scalar values).
pub const QUOTE_CHARS: usize = 400;

/// The most quotes of one clause.
const QUOTES: usize = 3;

/// A clause of a brief.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clause {
    /// Which slot it fills, where that can be told.
    pub slot: Option<Slot>,
    /// Its bytes in the brief.
    pub at: Range<usize>,
    /// Its words.
    pub text: String,
    /// What carries it; empty where nothing does.
    pub quotes: Vec<Quote>,
}

/// The clauses of a brief in order, each with what carries it.
///
/// A sentence that stands in the abstract word for word, as an extract's do, is one clause and its own evidence. Between
/// languages, clauses are held against sentences by their numbers, names and terms of the field.
pub fn of(brief: &str, paper: &Paper) -> Vec<Clause> {
    let passages = passages(paper);
    if let Some(clauses) = word_for_word(brief, &passages) {
        return clauses;
    }
    slots(brief)
        .into_iter()
        .filter_map(|(slot, at)| {
            let words = brief.get(at.clone())?;
            let mut quotes = match slot {
                Some(Slot::Who) => institutions(words, paper),
                Some(Slot::Technique | Slot::Problem | Slot::Effect) | None => Vec::new(),
            };
            quotes.extend(nearest(words, slot, &passages));
            quotes.truncate(QUOTES);
            Some(Clause {
                slot,
                text: words.to_owned(),
                at,
                quotes,
            })
        })
        .collect()
}

/// A sentence of the paper, made ready.
struct Passage {
    stand: Stand,
    text: String,
    key: String,
    quantities: Vec<Quantity>,
    terms: BTreeSet<Term>,
    vocabulary: Vocabulary,
}

fn passages(paper: &Paper) -> Vec<Passage> {
    let whole = text::one_line(paper.abstract_text());
    let comments = paper.comments.as_ref().map_or("", |f| f.value.as_str());
    let mut all = vec![(Stand::Title, paper.title().to_owned())];
    all.extend(extract::sentences(&whole).map(|sentence| (Stand::Abstract, sentence.to_owned())));
    all.push((Stand::Comments, text::one_line(comments)));
    all.retain(|(_, text)| text.chars().any(char::is_alphanumeric));
    all.into_iter()
        .map(|(stand, text)| Passage {
            stand,
            key: text::key(&text),
            quantities: quantities(&text),
            terms: glossary::terms(&text),
            vocabulary: Vocabulary::new([text.as_str()]),
            text,
        })
        .collect()
}

/// The clauses with the words first that the writer of the brief gave for them, as far as these stand in the paper; a
/// sentence of the paper that has them in it is not repeated.
pub fn with_given(clauses: Vec<Clause>, given: &Slots, paper: &Paper) -> Vec<Clause> {
    let stands = |quote: &str| {
        let (key, title) = (text::key(quote), text::key(paper.title()));
        let has = |text: &str| !key.is_empty() && text.contains(&key);
        if has(&text::key(&paper.institutions().join("\n"))) {
            Some(Stand::Institutions)
        } else if has(&text::key(paper.abstract_text())) {
            Some(Stand::Abstract)
        } else {
            has(&title).then_some(Stand::Title)
        }
    };
    let with = |mut clause: Clause| {
        let quote = match clause.slot {
            Some(Slot::Who) => &given.who.quote,
            Some(Slot::Technique) => &given.technique.quote,
            Some(Slot::Problem) => &given.problem.quote,
            Some(Slot::Effect) => &given.effect.quote,
            None => return clause,
        };
        if let Some(stand) = stands(quote) {
            let key = text::key(quote);
            clause.quotes.retain(|known| !text::key(&known.text).contains(&key));
            let text = ellipsis(quote, QUOTE_CHARS);
            clause.quotes.insert(0, Quote { stand, text });
            clause.quotes.truncate(QUOTES);
        }
        clause
    };
    clauses.into_iter().map(with).collect()
}

/// The clauses of a brief all of whose sentences stand in the paper; `None` where one does not.
fn word_for_word(brief: &str, passages: &[Passage]) -> Option<Vec<Clause>> {
    let mut rest = 0;
    let mut clauses = Vec::new();
    for sentence in extract::sentences(brief) {
        let start = rest + brief.get(rest..)?.find(sentence)?;
        rest = start + sentence.len();
        let key = text::key(sentence);
        let passage = passages
            .iter()
            .filter(|passage| passage.stand == Stand::Abstract)
            .find(|passage| passage.key.contains(&key))?;
        clauses.push(Clause {
            slot: None,
            at: start..rest,
            text: sentence.to_owned(),
            quotes: vec![quote(passage)],
        });
    }
    (!clauses.is_empty()).then_some(clauses)
}

fn quote(passage: &Passage) -> Quote {
    Quote {
        stand: passage.stand,
        text: ellipsis(&passage.text, QUOTE_CHARS),
    }
}

/// The institutions that a clause names.
fn institutions(words: &str, paper: &Paper) -> Vec<Quote> {
    let named = Place::all_in(words);
    let key = text::key(words);
    let is_meant = |name: &&String| {
        Place::all_in(name).iter().any(|place| named.contains(place)) || key.contains(&text::key(name))
    };
    paper
        .institutions()
        .iter()
        .filter(is_meant)
        .map(|name| Quote {
            stand: Stand::Institutions,
            text: name.clone(),
        })
        .collect()
}

/// The passages that carry most of a clause: the best one, and those that carry numbers or names which it lacks.
fn nearest(words: &str, slot: Option<Slot>, passages: &[Passage]) -> Vec<Quote> {
    const LEAST: usize = 2;
    let mut numbers: Vec<Quantity> = quantities(words).into_iter().filter(|n| !n.in_name).collect();
    let is_chinese = language(words) == Lang::Zh;
    let mut names: Vec<String> = names::names(words, is_chinese)
        .map(|name| name.text.to_owned())
        .collect();
    let terms = glossary::terms(words);
    let content = content_words(words);
    let runs = runs(words);
    let mut found: Vec<&Passage> = Vec::new();
    while found.len() < QUOTES - 1 {
        let first = found.is_empty();
        let score = |passage: &Passage| {
            let carried = numbers
                .iter()
                .filter(|n| passage.quantities.iter().any(|here| here.carries(n)));
            let numbers: usize = carried.map(|n| if n.counts { 1 } else { 4 }).sum();
            let names = 2 * names.iter().filter(|name| passage.vocabulary.has_itself(name)).count();
            if !first {
                return numbers + names;
            }
            let shared = terms.intersection(&passage.terms).count();
            // "Using linear attention" says no more than that.
            let terms = shared + usize::from(shared > 0 && shared == terms.len());
            let content = content.iter().filter(|word| passage.vocabulary.has_stem(word)).count();
            let chinese = runs.iter().filter(|run| passage.text.contains(run.as_str())).count() / 2;
            // Of equals a technique stands in the title, a result late.
            let fits = usize::from(slot == Some(Slot::Who) && passage.stand == Stand::Title);
            numbers + names + terms + content + chinese + fits
        };
        let scored = passages.iter().map(|passage| (score(passage), passage));
        let best = match slot {
            Some(Slot::Effect) => scored.max_by_key(|&(score, _)| score),
            Some(Slot::Who | Slot::Technique | Slot::Problem) | None => {
                scored.reduce(|best, next| if next.0 > best.0 { next } else { best })
            }
        };
        let Some((_, passage)) = best.filter(|&(score, _)| score >= LEAST) else {
            break;
        };
        numbers.retain(|n| !passage.quantities.iter().any(|here| here.carries(n)));
        names.retain(|name| !passage.vocabulary.has_itself(name));
        found.push(passage);
    }
    found.into_iter().map(quote).collect()
}

/// The pairs of Chinese characters of a text.
fn runs(text: &str) -> BTreeSet<String> {
    let chars: Vec<char> = text.chars().collect();
    chars
        .windows(2)
        .filter(|pair| pair.iter().copied().all(is_han))
        .map(|pair| pair.iter().collect())
        .collect()
}

/// The bytes of a brief that say what was achieved.
pub(super) fn results(brief: &str) -> Vec<Range<usize>> {
    slots(brief)
        .into_iter()
        .filter(|(slot, _)| *slot == Some(Slot::Effect))
        .map(|(_, at)| at)
        .collect()
}

/// The clauses of a brief with the slots that they fill; neighbours of the same slot are one clause.
fn slots(brief: &str) -> Vec<(Option<Slot>, Range<usize>)> {
    let mut found: Vec<(Option<Slot>, Range<usize>)> = Vec::new();
    for at in pieces(brief) {
        let words = brief.get(at.clone()).unwrap_or_default();
        let before = found.last().and_then(|(slot, _)| *slot);
        let slot = match (slot(words, before), before) {
            (None, before) => before,
            (slot, _) => slot,
        };
        match found.last_mut() {
            // "LORIA, CNRS发布了": a comma among those who publish.
            Some((None, bytes)) if slot == Some(Slot::Who) => {
                let start = bytes.start;
                let whole = (slot, found.first().map_or(start, |(_, first)| first.start)..at.end);
                found.clear();
                found.push(whole);
            }
            Some((last, bytes)) if *last == slot && slot.is_some() => bytes.end = at.end,
            Some(_) | None => found.push((slot, at)),
        }
    }
    found
}

/// What the first words of a piece say of its slot.
fn slot(words: &str, before: Option<Slot>) -> Option<Slot> {
    #[rustfmt::skip]
    const TECHNIQUE: [&str; 16] = [
        "使用", "采用", "通过", "利用", "基于", "结合", "提出", "引入", "using ", "uses ", "use ", "which uses ", "with ", "via ",
        "based on ", "by ",
    ];
    #[rustfmt::skip]
    const PROBLEM: [&str; 14] = [
        "解决", "针对", "克服", "缓解", "应对", "以解决", "to solve ", "solving ", "solves ", "which solves ", "to address ",
        "addressing ", "addresses ", "tackl",
    ];
    #[rustfmt::skip]
    const EFFECT: [&str; 34] = [
        "达成", "达到", "实现", "取得", "使", "在", "提升", "降低", "减少", "显著", "优于", "平均", "将", "推理", "性能", "同时",
        "最终", "揭示", "achiev", "to achieve ", "improv", "reduc", "result", "yield", "and achiev", "and reduc", "and improv",
        "outperform", "reach", "which achiev", "cutting ", "increas", "gaining ", "which reduces ",
    ];
    let folded = text::fold(words);
    let folded = folded.trim_start();
    let opens = |openers: &[&str]| openers.iter().any(|opener| folded.starts_with(opener));
    let publishes = [
        "发布了",
        "发布",
        " released ",
        " releases ",
        " published ",
        " presents ",
        " proposes ",
        " introduces ",
    ];
    if before.is_none() && publishes.iter().any(|word| folded.contains(word)) {
        Some(Slot::Who)
    } else if opens(&TECHNIQUE) && before != Some(Slot::Effect) {
        Some(Slot::Technique)
    } else if opens(&PROBLEM) || (folded.contains("解决") && folded.ends_with("问题")) {
        Some(Slot::Problem)
    } else if opens(&EFFECT) && matches!(before, Some(Slot::Problem | Slot::Effect)) || opens(&["达成", "achiev"]) {
        Some(Slot::Effect)
    } else {
        None
    }
}

/// A brief cut at its commas and ends of sentences, not inside brackets or numbers.
fn pieces(brief: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let (mut start, mut depth) = (0, 0_i32);
    for (at, c) in brief.char_indices() {
        let after = at + c.len_utf8();
        let rest = brief.get(after..).unwrap_or_default();
        match c {
            '(' | '（' | '[' | '《' | '“' => depth += 1,
            ')' | '）' | ']' | '》' | '”' => depth = (depth - 1).max(0),
            _ => {}
        }
        let ends = match c {
            '，' | '；' | '。' | '！' | '？' => true,
            ',' | ';' | '.' => rest.starts_with(' ') || rest.is_empty(),
            _ => false,
        };
        if ends && depth == 0 {
            found.push(start..at);
            start = after;
        }
    }
    found.push(start..brief.len());
    let trim = |at: Range<usize>| {
        let words = brief.get(at.clone())?;
        let start = at.start + (words.len() - words.trim_start().len());
        let words = words.trim();
        words
            .chars()
            .any(char::is_alphanumeric)
            .then(|| start..start + words.len())
    };
    found.into_iter().filter_map(trim).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::paper::{Field, PaperId};
    use crate::source::SourceKind;

    fn paper() -> Paper {
        let abstract_text = "Serving large language models is slow because the key-value cache grows. We propose FastKV, a cache \
            that evicts old tokens layer by layer. On seven benchmarks, FastKV reduces the latency of LLaMA-3-8B by 48.53%.";
        let mut paper = Paper::new(PaperId::provisional("FastKV", "a"));
        paper.title = Some(Field::new(
            "FastKV: A Cache That Evicts by Age".to_owned(),
            SourceKind::Report,
        ));
        paper.abstract_text = Some(Field::new(abstract_text.to_owned(), SourceKind::Report));
        let names = vec!["Ant Group".to_owned(), "Tsinghua University".to_owned()];
        paper.institutions = Some(Field::new(names, SourceKind::Report));
        paper
    }

    fn shown(brief: &str) -> Vec<(Option<Slot>, String, Vec<Stand>)> {
        let clause = |clause: Clause| {
            let stands = clause.quotes.iter().map(|quote| quote.stand).collect();
            (clause.slot, clause.text, stands)
        };
        of(brief, &paper()).into_iter().map(clause).collect()
    }

    #[test]
    fn each_clause_of_a_chinese_brief_shows_the_english_words_that_carry_it() {
        let brief = "CNRS, 清华大学发布了FastKV论文，使用逐层驱逐旧令牌的缓存技术，解决了大语言模型（LLM，键值缓存）推理缓慢的问题，\
                     达成了LLaMA-3-8B延迟降低48.5%的效果。";
        let clauses = of(brief, &paper());
        let slots: Vec<_> = clauses.iter().filter_map(|clause| clause.slot).collect();
        assert_eq!(slots, [Slot::Who, Slot::Technique, Slot::Problem, Slot::Effect]);
        assert_eq!(clauses[0].quotes[0].text, "Tsinghua University");
        assert_eq!(clauses[0].quotes[1].stand, Stand::Title);
        assert!(clauses[1].quotes[0].text.contains("evicts"), "{:?}", clauses[1]);
        assert!(
            clauses[2].quotes[0].text.starts_with("Serving large"),
            "{:?}",
            clauses[2]
        );
        assert!(clauses[3].quotes[0].text.contains("48.53%"), "{:?}", clauses[3]);
    }

    #[test]
    fn an_english_brief_has_the_same_slots() {
        let brief = "Tsinghua University released FastKV, using a cache that evicts old tokens, solving slow serving of large \
                     models, achieving 48.5% lower latency.";
        let slots: Vec<_> = shown(brief).into_iter().map(|(slot, ..)| slot).collect();
        assert_eq!(
            slots,
            [Slot::Who, Slot::Technique, Slot::Problem, Slot::Effect].map(Some)
        );
    }

    #[test]
    fn an_extract_is_its_own_evidence_and_a_made_up_clause_has_none() {
        let extract = "We propose FastKV, a cache that evicts old tokens layer by layer.";
        assert_eq!(shown(extract), [(None, extract.to_owned(), vec![Stand::Abstract])]);
        let made_up = "研究团队发布了FastKV论文，解决了企鹅孵化的难题";
        assert_eq!(shown(made_up)[1].2, []);
    }

    #[test]
    fn the_words_that_a_writer_gave_come_first_where_they_stand_in_the_paper() {
        use crate::brief::reply::Slot as Given;
        let mut paper = Paper::new(crate::paper::PaperId::Arxiv("2510.00001".to_owned()));
        let field = |text: &str| {
            Some(crate::paper::Field::new(
                text.to_owned(),
                crate::source::SourceKind::ArxivApi,
            ))
        };
        paper.title = field("FastKV");
        paper.abstract_text = field("Serving is slow. We propose FastKV. It reduces latency by 48%.");
        let brief = "某机构发布了《FastKV》论文，使用缓存技术，解决了服务缓慢的问题，达成了延迟降低48%的效果。";
        let quote = |quote: &str| Given {
            text: String::new(),
            quote: quote.to_owned(),
        };
        let given = Slots {
            effect: quote("reduces latency by 48%"),
            problem: quote("memory is dear"),
            ..Slots::default()
        };
        let clauses = with_given(of(brief, &paper), &given, &paper);
        let of_slot = |slot| clauses.iter().find(|clause| clause.slot == Some(slot)).unwrap();
        let first = &of_slot(Slot::Effect).quotes[0];
        assert_eq!(
            (first.stand, first.text.as_str()),
            (Stand::Abstract, "reduces latency by 48%")
        );
        assert!(
            of_slot(Slot::Problem)
                .quotes
                .iter()
                .all(|quote| quote.text != "memory is dear")
        );
    }
}
