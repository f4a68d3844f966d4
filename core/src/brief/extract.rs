//! The brief that needs no writer: the abstract's own sentences, cut to what they say of technique and effect.

use unicode_segmentation::UnicodeSegmentation;

use super::{EXTRACT_CHARS, is_han};
use crate::text;

/// Characters, where a Han character counts twice: it says as much as two Latin letters and more.
pub(super) fn breadth(text: &str) -> usize {
    text.chars().map(|c| if is_han(c) { 2 } else { 1 }).sum()
}

/// The sentence or clauses of the abstract that best carry technique, problem and effect, at most [`EXTRACT_CHARS`]
/// characters; `None` without an abstract.
///
/// Nothing is worded anew: a sentence can lose an opening such as "In this paper,", "Moreover,", "To address these issues,"
/// or "Experiments show that" (what follows then begins with a capital) and its end, cut at a clause and marked with "…".
/// It begins with a sentence that can stand alone wherever the abstract has one that says something.
pub fn extract(title: &str, abstract_text: &str) -> Option<String> {
    let flat = text::one_line(abstract_text);
    if !flat.chars().any(char::is_alphanumeric) {
        return None;
    }
    let sentences: Vec<Sentence> = sentences(&flat).map(|s| Sentence::new(s, title)).collect();
    let last = sentences.len().saturating_sub(1);
    // Of two equally good sentences the earlier says what is new.
    let best = |score: &dyn Fn(usize, &Sentence) -> i32| {
        sentences
            .iter()
            .enumerate()
            .map(|(at, s)| (at, score(at, s)))
            .reduce(|best, next| if next.1 > best.1 { next } else { best })
            .filter(|&(_, score)| score > 0)
            .map(|(at, _)| at)
    };
    let told = |s: &Sentence| if dangles(&s.text) { 0 } else { 1 + s.effect.max(0) };
    let technique = best(&|_, s| s.technique).or_else(|| best(&|_, s| told(s)));
    let technique = technique.unwrap_or(0);
    let lead = sentences.get(technique)?;
    let mut effects: Vec<(i32, &Sentence)> = sentences
        .iter()
        .enumerate()
        .filter(|&(at, s)| at != technique && s.effect >= LEAST_TOLD && !(dangles(&s.text) && at != technique + 1))
        .map(|(at, s)| (2 * s.effect + i32::from(at > technique) * 2 + i32::from(at == last), s))
        .collect();
    effects.sort_by_key(|&(score, _)| std::cmp::Reverse(score));
    let (first, second) = arrange(lead, &effects, title);
    // Without an effect the next sentence says how it is done.
    let second = second.or_else(|| detail(&first, lead, sentences.get(technique + 1)?));
    Some(match second {
        Some(second) if first.ends_with('。') => first + &second,
        Some(second) => format!("{first} {second}"),
        None => first,
    })
}

/// The shortest pieces that still say something, in [`breadth`].
const LEAST_LEAD: usize = 60;
const LEAST_EFFECT: usize = 30;

/// The least [`effect`] for which a sentence is worth its place beside the first: one measure or two gains.
const LEAST_TOLD: i32 = 4;

/// "This reduces", "Even these": about the sentence before, and nothing without it. "This paper" is about itself.
fn dangles(text: &str) -> bool {
    #[rustfmt::skip]
    const BACKWARDS: [&str; 15] = [
        "this", "these", "those", "that", "it", "its", "they", "their", "such", "even", "both", "another", "he", "she",
        "neither",
    ];
    #[rustfmt::skip]
    const PHRASES: [&str; 8] = [
        "the former", "the latter", "among these", "among them", "of these", "in both", "for example", "for instance",
    ];
    let lower = text.to_lowercase();
    let mut words = lower
        .split(' ')
        .map(|word| word.trim_end_matches([',', ':', '\'', '’']));
    let first = words.next().unwrap_or_default();
    let about_itself = first == "this" && words.take(3).any(|word| WRITINGS.contains(&word));
    // "Both A and B" names what it is about.
    let names_both =
        first == "both" && lower.contains(" and ") && !lower.starts_with("both of") && !lower.starts_with("both the");
    (BACKWARDS.contains(&first) && !about_itself && !names_both)
        || PHRASES.iter().any(|phrase| lower.starts_with(phrase))
}

/// What a paper calls itself: "this paper", "this position paper".
#[rustfmt::skip]
const WRITINGS: [&str; 22] = [
    "paper", "work", "study", "article", "report", "letter", "thesis", "dissertation", "survey", "review", "tutorial",
    "research", "chapter", "manuscript", "essay", "overview", "project", "submission", "contribution", "note",
    "investigation", "preprint",
];

/// The leading sentence and the best effect beside it within the limit: whole where they fit, else whichever cuts keep
/// more of what they say.
fn arrange(lead: &Sentence, effects: &[(i32, &Sentence)], title: &str) -> (String, Option<String>) {
    let mut firsts = vec![shorten(&lead.text, EXTRACT_CHARS)];
    let starts = std::iter::once(lead.text.clone()).chain(from_announcement(&lead.text));
    firsts.extend(starts.flat_map(|text| {
        let mut beginnings = cuts(&text);
        beginnings.push(text);
        beginnings
    }));
    let length = |piece: &str| piece.chars().count();
    let top = effects.first().map_or(1, |&(score, _)| score.max(1));
    let mut seconds: Vec<(i64, String)> = Vec::new();
    for &(score, sentence) in effects.iter().take(4) {
        let pieces = std::iter::once(sentence.text.clone()).chain(cuts(&sentence.text));
        let pieces = pieces.filter(|piece| {
            breadth(piece) >= LEAST_EFFECT && length(piece) < EXTRACT_CHARS - LEAST_EFFECT && effect(piece) > 0
        });
        seconds.extend(pieces.map(|piece| {
            let value = shown(&piece, sentence) * i64::from(score) / i64::from(top);
            (value, piece)
        }));
    }
    let mut best: Option<(i64, String, Option<&str>)> = None;
    for (at, first) in firsts.into_iter().enumerate() {
        let announces = lead.technique <= 0 || technique(&first, title) > 0;
        let fits = announces && length(&first) <= EXTRACT_CHARS && breadth(&first) >= LEAST_LEAD;
        // The first of the firsts is what there is when nothing else will do.
        if at > 0 && !fits {
            continue;
        }
        let room = EXTRACT_CHARS.saturating_sub(length(&first) + 1);
        let fitting = seconds.iter().filter(|(_, second)| length(second) <= room);
        let second = fitting.reduce(|best, next| if next.0 > best.0 { next } else { best });
        let value = told(&first, lead) - if announces { 0 } else { 600 } + second.map_or(0, |&(value, _)| value.max(0));
        if best.as_ref().is_none_or(|(least, _, _)| value > *least) {
            best = Some((value, first, second.map(|(_, second)| second.as_str())));
        }
    }
    best.map_or_else(
        || (shorten(&lead.text, EXTRACT_CHARS), None),
        |(_, first, second)| (first, second.map(str::to_owned)),
    )
}

/// The sentence that follows the leading one, or its first clauses, where a good part of it fits.
fn detail(first: &str, lead: &Sentence, next: &Sentence) -> Option<String> {
    let room = EXTRACT_CHARS.saturating_sub(first.chars().count() + 1);
    let lower = next.text.to_lowercase();
    let is_aside = count(&lower, &ELSEWHERE) + count(&lower, &BACKGROUND) > 0;
    let text = if next.raw.starts_with("First") {
        &next.raw
    } else {
        &next.text
    };
    let pieces = std::iter::once(text.clone()).chain(cuts(text).into_iter().rev());
    pieces
        .filter(|_| first == lead.text && !is_aside)
        .find(|piece| piece.chars().count() <= room)
        .filter(|piece| breadth(piece) >= LEAST_LEAD)
}

/// "Inspired by A, we propose B" from "we propose" on, for where the whole is too long.
fn from_announcement(text: &str) -> Option<String> {
    let lower = text.to_ascii_lowercase();
    let at = PROPOSES
        .iter()
        .filter_map(|cue| lower.find(&format!(", {cue}")))
        .min()?;
    text.get(at + 2..).map(capitalised)
}

/// How much of its sentence a piece keeps, in thousandths. The beginning of a sentence says more than its end.
fn kept(piece: &str, whole: &str) -> i64 {
    let length = |text: &str| i64::try_from(text.chars().count()).unwrap_or(i64::MAX / 1000);
    let whole = length(whole).max(1);
    let lost = 1000 - 1000 * length(piece).min(whole) / whole;
    1000 - lost * lost / 1000 - if piece.ends_with('…') { 150 } else { 0 }
}

fn measured(piece: &str) -> i64 {
    i64::from(measures(piece).min(4)) * 120
}

fn told(first: &str, lead: &Sentence) -> i64 {
    kept(first, &lead.text) * 11 / 10 + measured(first) / 2
}

fn shown(second: &str, sentence: &Sentence) -> i64 {
    kept(second, &sentence.text) * 6 / 10 + measured(second)
}

/// A sentence of the abstract, made ready.
struct Sentence {
    /// Without an opening that says nothing by itself.
    text: String,
    /// As it stands: after the sentence before it, "First," says something.
    raw: String,
    technique: i32,
    effect: i32,
}

impl Sentence {
    fn new(raw: &str, title: &str) -> Self {
        let text = opened(raw);
        let technique = technique(&text, title);
        let effect = effect(&text);
        Self {
            text,
            raw: raw.trim().to_owned(),
            technique,
            effect,
        }
    }
}

/// Sentences of a text on one line. A full stop ends one only where a new one can begin: not in "e.g. this", "et al.",
/// "Fig. 3", "3.5" or "D. Knuth".
pub(super) fn sentences(flat: &str) -> impl Iterator<Item = &str> {
    let mut ends: Vec<usize> = Vec::new();
    let mut chars = flat.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let mut end = at + c.len_utf8();
        let ends_here = match c {
            '。' | '！' | '？' => true,
            '.' | '!' | '?' => {
                while let Some((_, close)) =
                    chars.next_if(|&(_, next)| matches!(next, ')' | ']' | '"' | '\'' | '”' | '’'))
                {
                    end += close.len_utf8();
                }
                let before = flat.get(..at).unwrap_or_default();
                let after = flat.get(end..).unwrap_or_default();
                (after.starts_with(' ') || (c == '.' && is_glued(before, after)))
                    && begins_sentence(after)
                    && !(c == '.' && is_abbreviation(before))
            }
            _ => false,
        };
        if ends_here {
            ends.push(end);
        }
    }
    ends.push(flat.len());
    let mut start = 0;
    ends.into_iter().filter_map(move |end| {
        let sentence = flat.get(start..end).unwrap_or_default().trim();
        start = end;
        sentence.chars().any(char::is_alphanumeric).then_some(sentence)
    })
}

/// A capital, a digit, a bracket; or a name such as dInfer that begins with a small letter and has a capital inside.
fn begins_sentence(after: &str) -> bool {
    let word = after.split_whitespace().next().unwrap_or_default();
    word.chars().any(char::is_uppercase) || !word.starts_with(char::is_lowercase)
}

/// "…distinguish trees.We propose": a lost space, not a name such as Node.Js.
fn is_glued(before: &str, after: &str) -> bool {
    #[rustfmt::skip]
    const STARTERS: [&str; 22] = [
        "We ", "Our ", "This ", "The ", "To ", "In ", "It ", "Code ", "However, ", "These ", "By ", "With ", "For ",
        "Based ", "Extensive ", "Experiments ", "Experimental ", "Results ", "Moreover, ", "Furthermore, ",
        "Additionally, ", "Specifically, ",
    ];
    before.ends_with(|c: char| c.is_lowercase() || c == ')') && STARTERS.iter().any(|word| after.starts_with(word))
}

fn is_abbreviation(before: &str) -> bool {
    const ABBREVIATIONS: [&str; 22] = [
        "e.g", "i.e", "al", "fig", "figs", "eq", "eqs", "sec", "vs", "cf", "approx", "resp", "dr", "prof", "no", "st",
        "w.r.t", "tab", "ref", "refs", "ch", "viz",
    ];
    let word = before
        .rsplit(|c: char| c.is_whitespace() || matches!(c, '(' | '['))
        .next()
        .unwrap_or_default();
    let initial = word.chars().count() == 1 && word.chars().all(char::is_uppercase);
    // "two innovations: a. A distillation": the mark of a list.
    let head = before.strip_suffix(word).unwrap_or_default().trim_end();
    let marks = matches!(word, "a" | "b" | "c" | "d" | "1" | "2" | "3" | "4") && head.ends_with([':', ';', ',']);
    initial || marks || ABBREVIATIONS.contains(&word.to_lowercase().as_str())
}

/// The sentence without an opening that says nothing by itself.
fn opened(raw: &str) -> String {
    let mut rest = raw.trim();
    for _ in 0..3 {
        match without_opening(rest) {
            Some(shorter) if shorter.chars().filter(|c| c.is_alphanumeric()).count() >= 20 => rest = shorter,
            Some(_) | None => break,
        }
    }
    if rest.len() == raw.trim().len() {
        return rest.to_owned();
    }
    capitalised(rest)
}

fn capitalised(text: &str) -> String {
    let word = text.split_whitespace().next().unwrap_or_default();
    // dInfer and k-means keep their small letter.
    let plain = word.chars().all(|c| c.is_lowercase() || matches!(c, ',' | '\''));
    let mut chars = text.chars();
    match chars.next() {
        Some(first) if plain => std::iter::once(first.to_ascii_uppercase()).chain(chars).collect(),
        Some(_) | None => text.to_owned(),
    }
}

fn without_opening(text: &str) -> Option<&str> {
    #[rustfmt::skip]
    const PHRASES: [&str; 85] = [
        "in this paper", "in this work", "in this study", "in this report", "in this article", "in this letter",
        "in this thesis", "in this technical report", "in this regard", "in this context", "in this endeavor",
        "in this direction", "to this end", "to that end", "towards this end", "toward this end", "to this aim", "to do so",
        "however", "therefore", "thus", "hence", "specifically", "more specifically", "more precisely", "concretely",
        "notably", "moreover", "furthermore", "additionally", "in addition", "also", "finally", "lastly", "ultimately",
        "consequently", "as a consequence", "as a result", "as such", "accordingly", "correspondingly", "here", "overall",
        "in particular", "in summary", "in short", "in brief", "in conclusion", "importantly", "more importantly",
        "crucially", "remarkably", "meanwhile", "at the same time", "in response", "besides", "instead", "rather",
        "in contrast", "by contrast", "conversely", "on the contrary", "on the other hand", "nevertheless",
        "nonetheless", "still", "yet", "alternatively", "similarly", "likewise", "indeed", "in fact", "in turn",
        "in other words", "for this purpose", "for this reason", "for these reasons", "then", "next", "second", "secondly",
        "third", "thirdly", "by doing so", "in doing so",
    ];
    // The first of what this very sentence counts keeps its number.
    const FIRSTS: [&str; 3] = ["first", "firstly", "first of all"];
    const REPORTS: [&str; 9] = [
        "show that ",
        "shows that ",
        "demonstrate that ",
        "demonstrates that ",
        "indicate that ",
        "reveal that ",
        "confirm that ",
        "suggest that ",
        "validate that ",
    ];
    const EVIDENCE: [&str; 8] = [
        "experiment",
        "result",
        "evaluation",
        "we empirically",
        "we show that",
        "we demonstrate that",
        "simulation",
        "we further",
    ];
    let lower = text.to_ascii_lowercase();
    let counts = lower.contains("second") || lower.contains(" then ");
    for phrase in PHRASES.iter().chain(FIRSTS.iter().filter(|_| !counts)) {
        if let Some(rest) = lower.strip_prefix(*phrase) {
            let comma = rest.starts_with(", ");
            let subject =
                rest.starts_with(" we ") || rest.starts_with(" this paper ") || rest.starts_with(" this study ");
            let skipped = phrase.len() + if comma { 2 } else { 1 };
            if comma || subject {
                return text.get(skipped..);
            }
        }
    }
    if let Some(end) = pointer_end(&lower) {
        return text.get(end..);
    }
    // "Experiments on A and B show that": what they show is the effect.
    let (at, report) = REPORTS
        .iter()
        .filter_map(|report| lower.find(report).map(|at| (at, report)))
        .min()?;
    let opening = lower.get(..at + report.len())?;
    let is_evidence = at < 160 && EVIDENCE.iter().any(|word| opening.contains(word));
    // "show that, on COCO, …" would lose its head.
    let rest = text.get(at + report.len()..)?;
    // "We show that A and that B" would begin with A and go on with "and that".
    let is_whole = !opening.contains("propose") && !rest.contains(" and that ");
    (is_evidence && is_whole && !limits(opening)).then_some(rest)
}

/// "Results do not show that", "Although experiments suggest that", "For small models, we show that": what follows is not said,
/// or not for all.
fn limits(opening: &str) -> bool {
    #[rustfmt::skip]
    const DENIALS: [&str; 20] = [
        "not", "cannot", "no", "nor", "neither", "never", "none", "fail", "fails", "failed", "hardly", "few", "although",
        "though", "while", "whereas", "if", "whether", "unless", "without",
    ];
    let mut words = opening.split(|c: char| !c.is_alphanumeric() && !matches!(c, '\'' | '’'));
    words.any(|word| DENIALS.contains(&word) || word.ends_with("n't") || word.ends_with("n’t")) || is_condition(opening)
}

/// What begins so says under which condition the rest of its sentence holds. In lower case.
fn is_condition(lower: &str) -> bool {
    const CONDITIONS: [&str; 9] = [
        "under ",
        "when ",
        "if ",
        "assuming ",
        "unless ",
        "given ",
        "for ",
        "without ",
        "unlike ",
    ];
    CONDITIONS.iter().any(|word| lower.starts_with(word))
}

/// Where the sentence proper begins after a phrase that only points at the sentence before: "To address these issues,",
/// "Building on this insight,". `lower` is in lower case. Conditions ("under these constraints") are no such phrase.
fn pointer_end(lower: &str) -> Option<usize> {
    #[rustfmt::skip]
    const POINTERS: [&str; 14] = [
        "this ", "this,", "these ", "these,", "those ", "the above", "such ", "the aforementioned", "that,", "both ",
        "it,", "them,", "so,", "the gap,",
    ];
    #[rustfmt::skip]
    const REASONS: [&str; 14] = [
        "based on ", "based upon ", "building on ", "building upon ", "drawing on ", "motivated by ", "inspired by ",
        "guided by ", "driven by ", "informed by ", "in light of ", "in view of ", "in response to ", "prompted by ",
    ];
    // Means: left out only where somebody acts after them, and their result does not hang on them.
    const MEANS: [&str; 5] = ["with ", "given ", "following ", "leveraging ", "using "];
    const CONDITIONS: [&str; 7] = [
        "assum",
        "condition",
        "constraint",
        "setting",
        "regime",
        "scenario",
        "budget",
    ];
    const ACTS: [&str; 5] = [", we ", ", this paper ", ", this work ", ", this study ", ", i "];
    let points = |rest: &str| POINTERS.iter().any(|pointer| rest.starts_with(pointer));
    let after = |leads: &[&str]| {
        leads
            .iter()
            .find_map(|lead| lower.strip_prefix(lead))
            .is_some_and(points)
    };
    let aims = lower.strip_prefix("to ").is_some_and(|rest| {
        let verbs = rest.match_indices(' ').take(2);
        verbs.filter_map(|(at, _)| rest.get(at + 1..)).any(points)
    });
    let commas = || lower.match_indices(", ").map(|(at, _)| at);
    let first = commas().next();
    let head = first.and_then(|at| lower.get(..at)).unwrap_or(lower);
    let acts = ACTS.iter().filter_map(|act| lower.find(act)).min();
    let acts = acts.filter(|&at| at < 160);
    // "Based on this, under mild assumptions, we": the assumptions stay.
    let until = |acts: usize| {
        let after = |at: usize| lower.get(at + 2..).unwrap_or_default();
        let is_listed = |rest: &str| {
            let next = rest.split_once(", ").map_or("", |(_, next)| next);
            next.starts_with("and ") || next.starts_with("or ")
        };
        let mut before = commas().take_while(|&at| at < acts);
        before.find(|&at| is_condition(after(at)) && !is_listed(after(at)))
    };
    let acts = acts.map(|at| until(at).unwrap_or(at));
    let end = if aims || (after(&REASONS) && !head.contains("assum")) {
        acts.or(first.filter(|&at| at < 90).map(|at| end_of_list(lower, at)))
    } else if after(&MEANS) && !CONDITIONS.iter().any(|word| head.contains(word)) {
        acts.filter(|&at| at < 90)
    } else {
        None
    };
    end.map(|at| at + 2)
}

/// The comma at `at`, or, where items of a word or two follow it up to an "and", the one after them.
fn end_of_list(lower: &str, at: usize) -> usize {
    let mut end = at;
    while let Some((item, _)) = lower.get(end + 2..).and_then(|rest| rest.split_once(", ")) {
        end += 2 + item.len();
        let last = item.strip_prefix("and ").or_else(|| item.strip_prefix("or "));
        if last.unwrap_or(item).split(' ').count() > 2 {
            return at;
        }
        if last.is_some() {
            return end;
        }
    }
    at
}

fn count(lower: &str, words: &[&str]) -> i32 {
    words.iter().map(|word| i32::from(lower.contains(word))).sum()
}

/// What announces a contribution, the clearest first.
#[rustfmt::skip]
const PROPOSES: [&str; 38] = [
    "we propose", "we present", "we introduce", "paper proposes", "paper presents", "paper introduces",
    "work proposes", "work presents", "work introduces", "study proposes", "study presents", "study introduces",
    "we develop", "paper describes", "we design", "we devise", "is proposed", "are proposed", "is presented",
    "is introduced", "report introduces", "we further propose", "we therefore propose", "thesis proposes",
    "article presents", "article proposes", "i propose", "we thus propose", "本文提出", "我们提出", "提出了",
    "we contribute",
    "research presents", "research proposes", "research introduces", "article introduces", "we devised", "we proposed",
];
#[rustfmt::skip]
const STUDIES: [&str; 42] = [
    "we investigate", "we study", "we analyze", "we analyse", "we examine", "we explore", "we evaluate", "we show",
    "we demonstrate", "we describe", "we formulate", "we establish", "we build", "we revisit", "we prove",
    "we compare", "we conduct", "paper investigates", "paper explores", "paper studies", "paper examines",
    "paper addresses", "we address", "our approach", "our method", "our framework", "we leverage", "we extend",
    "we tackle", "we use", "we aim", "study investigates", "work investigates", "work explores", "we find",
    "本文研究", "我们研究",
    "proposed method", "proposed framework", "we review", "we discuss", "we argue",
];
#[rustfmt::skip]
const ELSEWHERE: [&str; 13] = [
    "github", "https:", "http:", "code is available", "codes are available", "source code", "we release",
    "publicly available", "open-source", "will be released", "equal contribution", "corresponding author",
    "project page",
];

/// How well a sentence says what the paper does; 0 or less when it does not.
fn technique(sentence: &str, title: &str) -> i32 {
    let mut lower = sentence.to_lowercase();
    for adverb in [
        " then ",
        " further ",
        " therefore ",
        " thus ",
        " also ",
        " first ",
        " here ",
        " hereby ",
    ] {
        lower = lower.replace(&format!("we{adverb}"), "we ");
    }
    let name = title.split_once(':').map(|(name, _)| name.trim().to_lowercase());
    let names_it = name.is_some_and(|name| (2..=24).contains(&name.chars().count()) && lower.contains(&name));
    let cue = 6 * count(&lower, &PROPOSES).min(1) + 3 * count(&lower, &STUDIES).min(1) + 3 * i32::from(names_it);
    if cue == 0 {
        return 0;
    }
    let kinds = [
        "novel",
        "framework",
        "method",
        "approach",
        "algorithm",
        "architecture",
        "first",
        "system",
        "model",
    ];
    let asides = [
        "experiment",
        "dataset",
        "benchmark",
        "for evaluation",
        "to evaluate",
        "contributions",
    ];
    let in_title = title
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| word.chars().count() > 4 && lower.contains(&word.to_lowercase()))
        .count();
    let short = i32::from(breadth(sentence) < 50);
    // "We investigate these questions": which ones stands elsewhere. What it names or introduces says enough.
    let points_back = lower.strip_prefix("we ").is_some_and(|rest| {
        let object = rest.split(' ').nth(1).unwrap_or_default();
        let says = [" introduc", " propos", " present", " develop", " with "];
        ["this", "these", "such"].contains(&object) && !names_it && !says.iter().any(|word| lower.contains(word))
    });
    let fragment = i32::from(sentence.starts_with(char::is_lowercase) && !begins_sentence(sentence));
    cue + count(&lower, &kinds).min(2) + i32::try_from(in_title.min(4)).unwrap_or(0)
        - count(&lower, &asides).min(2)
        - 8 * count(&lower, &ELSEWHERE).min(1)
        - 3 * short
        - 3 * fragment
        - 3 * i32::from(points_back)
        - 6 * i32::from(dangles(sentence))
}

/// What tells of the state of things before the paper.
#[rustfmt::skip]
const BACKGROUND: [&str; 24] = [
    "have achieved", "has achieved", "have demonstrated", "has demonstrated", "have shown", "has shown",
    "has emerged", "have emerged", "however", "existing", "suffer", "recent", "remains", "challeng", "often",
    "previous work", "typically", "prior work", "crucial", "essential", "little is known", "although",
    "despite", "increasingly",
];

/// How well a sentence says what came of it; 0 or less when it does not.
fn effect(sentence: &str) -> i32 {
    let lower = sentence.to_lowercase();
    #[rustfmt::skip]
    let gains = [
        "outperform", "achiev", "improv", "reduc", "state-of-the-art", "superior", "faster", "accelerat", "lower",
        "speedup", "surpass", "competitive", "preserv", "maintain", "increas", "gain", "consistent", "effective",
        "exceed", "efficien", "优于", "提升", "降低", "达到", "减少",
    ];
    let findings = [
        "we show",
        "we find",
        "demonstrat",
        "experiment",
        "result",
        "reveal",
        "findings",
    ];
    let measured = 4 * measures(sentence).min(2);
    let told = 2 * count(&lower, &gains).min(3);
    if measured + told == 0 {
        return 0;
    }
    measured + told + count(&lower, &findings).min(2)
        - 3 * count(&lower, &BACKGROUND).min(2)
        - 8 * count(&lower, &ELSEWHERE).min(1)
        - 3 * i32::from(breadth(sentence) < 40)
}

/// How many measured numbers stand in a text: "81.1%", "2.5×", "10x", "3 times", "+4.30".
fn measures(text: &str) -> i32 {
    let mut found = 0;
    let words: Vec<&str> = text.split_whitespace().collect();
    for (at, word) in words.iter().enumerate() {
        let core = word.trim_matches(|c: char| matches!(c, '(' | ')' | ',' | '.' | ';' | ':' | '~' | '∼' | '$'));
        let Some(digit) = core.find(|c: char| c.is_ascii_digit()) else {
            continue;
        };
        let tail = core.get(digit..).unwrap_or_default();
        let next = words.get(at + 1).copied().unwrap_or_default();
        let next = next.trim_matches(|c: char| !c.is_alphanumeric() && !matches!(c, '%' | '×'));
        let unit = ["%", "\\%", "×", "\\times", "-fold"]
            .iter()
            .any(|unit| tail.contains(unit))
            || tail
                .trim_end_matches(|c: char| !c.is_alphanumeric())
                .strip_suffix(['x', 'X'])
                .is_some_and(|n| n.ends_with(|c: char| c.is_ascii_digit()))
            || [
                "%",
                "×",
                "times",
                "percent",
                "percentage",
                "points",
                "fold",
                "mIoU",
                "mAP",
            ]
            .contains(&next)
            || core.starts_with('+');
        found += i32::from(unit);
    }
    found
}

/// The beginnings of a sentence that end before a clause and say something, each marked with "…", shortest first.
fn cuts(text: &str) -> Vec<String> {
    let mut cuts = beginnings(text);
    cuts.retain(|piece| !lacks_verb(piece));
    cuts
}

fn beginnings(text: &str) -> Vec<String> {
    boundaries(text)
        .into_iter()
        .filter_map(|at| ellipsis(text.get(..at)?))
        .filter(|piece| !is_half(piece))
        .collect()
}

/// "It not only learns a policy…": what it does beside that is the point.
fn is_half(piece: &str) -> bool {
    let half = ["not only ", "not just ", "not merely ", "not simply "];
    let last = half.iter().filter_map(|words| piece.rfind(words)).max();
    last.and_then(|at| piece.get(at..))
        .is_some_and(|rest| !rest.contains("but "))
}

/// "Failures in probe cards, including cracks…", "By leveraging models, rendering…": cut before anything is said.
fn lacks_verb(piece: &str) -> bool {
    #[rustfmt::skip]
    const ASIDES: [&str; 15] = [
        "including ", "together with ", "such as ", "along with ", "as well as ", "and ", "or ", "which ", "especially ",
        "particularly ", "like ", "coupled with ", "combined with ", "when ", "if ",
    ];
    #[rustfmt::skip]
    const PREPARES: [&str; 35] = [
        "By ", "With ", "Through ", "To ", "When ", "While ", "Although ", "Unlike ", "Via ", "Given ", "Despite ",
        "Without ", "Beyond ", "From ", "Compared ", "Based ", "Built ", "Trained ", "Evaluated ", "In ", "On ", "For ",
        "Across ", "Under ", "At ", "If ", "Once ", "Since ", "Because ", "Instead ", "Rather ", "As ", "After ",
        "Before ", "Due ",
    ];
    #[rustfmt::skip]
    const CLAUSES: [&str; 9] = [
        ", we ", ", our ", ", the ", ", this ", ", it ", ", a ", ", an ", ", i ", ", these ",
    ];
    let (subject, rest) = piece.split_once(", ").unwrap_or((piece, ""));
    let first = piece.split(' ').next().unwrap_or_default();
    // "We propose it, which" has its verb.
    let names = subject.split(' ').count() <= 4 && !subject.starts_with("We ") && !subject.starts_with("I ");
    let aside = names && ASIDES.iter().any(|word| rest.starts_with(word));
    let prepares = PREPARES.iter().any(|word| piece.starts_with(word)) || (first.len() >= 5 && first.ends_with("ing"));
    let lower = piece.to_lowercase();
    aside || (prepares && !CLAUSES.iter().any(|clause| lower.contains(clause)) && effect(rest) <= 0)
}

/// Where a clause begins: after a comma that separates no list, a semicolon, a colon, a dash, or before such words as
/// "which". Nothing inside brackets.
fn boundaries(text: &str) -> Vec<usize> {
    #[rustfmt::skip]
    const OPENERS: [&str; 12] = [
        "while ", "whereas ", "thereby ", "which ", "where ", "enabling ", "achieving ", "resulting ", "without ",
        "allowing ", "because ", "yielding ",
    ];
    let mut depth = 0_i32;
    let mut found = Vec::new();
    // What is cut later than the limit fits nowhere.
    for (at, c) in text.char_indices().take(EXTRACT_CHARS) {
        let rest = text.get(at + c.len_utf8()..).unwrap_or_default();
        match c {
            '(' | '[' | '（' | '{' => depth += 1,
            ')' | ']' | '）' | '}' => depth = (depth - 1).max(0),
            ',' if depth == 0 && separates_list(text.get(..at).unwrap_or_default(), rest) => {}
            ',' | ';' | ':' if depth == 0 && rest.starts_with(' ') => found.push(at),
            '，' | '；' | '：' if depth == 0 => found.push(at),
            ' ' if depth == 0 => {
                let dash = ["-- ", "--- ", "– ", "— "].iter().any(|dash| rest.starts_with(dash));
                if dash || OPENERS.iter().any(|word| rest.starts_with(word)) {
                    found.push(at);
                }
            }
            _ => {}
        }
    }
    found
}

/// "A, B, and C": a comma with only a few words to the next one, or to the one before, stands in a list.
fn separates_list(before: &str, after: &str) -> bool {
    let few = |piece: &str| piece.split_whitespace().count() <= 3;
    let next = after.trim_start();
    let to_next = next.split([',', ';', '.']).next().unwrap_or_default();
    let to_last = before.rsplit([',', ';', ':']).next().unwrap_or_default();
    let joins = next.starts_with("and ") || next.starts_with("or ");
    (few(to_next) && to_next.len() < next.len() && !next.starts_with("which")) || (joins && few(to_last))
}

/// A beginning with "…" after its last word that can stand there; `None` when nothing is left.
fn ellipsis(beginning: &str) -> Option<String> {
    #[rustfmt::skip]
    const LOOSE: [&str; 71] = [
        "a", "an", "the", "of", "to", "in", "on", "for", "with", "by", "and", "or", "that", "which", "while", "as",
        "at", "from", "is", "are", "its", "their", "via", "using", "into", "than", "thus", "but", "we", "both",
        "single", "novel", "simple", "new", "unified", "lightweight", "such", "these", "this", "our", "firstly", "first",
        "when", "be", "has", "have", "was", "were", "not", "only", "where",
        "among", "between", "within", "through", "across", "under", "if", "i.e.", "e.g.", "namely",
        // What "not" denied.
        "do", "does", "did", "can", "could", "will", "would", "should", "may", "might",
    ];
    const PHRASES: [&str; 4] = [" to the best of our knowledge", " to our knowledge", " i.e.", " e.g."];
    let mut rest = beginning.trim_end();
    loop {
        let trimmed = rest.trim_end_matches(|c: char| {
            c.is_whitespace()
                || matches!(
                    c,
                    ',' | ';' | ':' | '-' | '–' | '—' | '(' | '[' | '，' | '；' | '：' | '、'
                )
        });
        let last = trimmed.rsplit(' ').next().unwrap_or_default();
        // "two strategies: 1)": a number that nothing follows.
        let numbers = last.len() <= 4 && last.ends_with(')') && !last.starts_with(|c: char| c.is_uppercase());
        let numbers = numbers
            && last
                .chars()
                .all(|c| matches!(c, '(' | ')' | 'i' | 'v' | 'x' | 'a'..='d' | '0'..='9'));
        let phrase = PHRASES.iter().find_map(|phrase| trimmed.strip_suffix(phrase));
        let shorter = if let Some(before) = phrase {
            before
        } else if trimmed.contains(' ') && (numbers || LOOSE.contains(&last.to_lowercase().as_str())) {
            trimmed.get(..trimmed.len() - last.len()).unwrap_or_default()
        } else {
            trimmed
        };
        if shorter.len() == rest.len() {
            break;
        }
        rest = shorter;
    }
    rest.chars().any(char::is_alphanumeric).then(|| format!("{rest}…"))
}

/// Where a bracket opens that does not close. The one of "1)" closes without having been opened.
fn open_bracket(text: &str) -> Option<usize> {
    let mut open = Vec::new();
    for (at, c) in text.char_indices() {
        match c {
            '(' | '[' | '（' | '{' => open.push(at),
            ')' | ']' | '）' | '}' => drop(open.pop()),
            _ => {}
        }
    }
    open.first().copied()
}

/// The sentence within `limit` characters: whole, cut before a clause, or at least not within a word.
fn shorten(text: &str, limit: usize) -> String {
    let fits = |piece: &str| piece.chars().count() <= limit;
    if fits(text) {
        return text.to_owned();
    }
    for clauses in [cuts(text), beginnings(text)] {
        let clause = clauses.into_iter().rev().find(|cut| fits(cut));
        if let Some(cut) = clause.filter(|cut| 2 * cut.chars().count() >= limit) {
            return cut;
        }
    }
    let until = text
        .char_indices()
        .nth(limit.saturating_sub(1))
        .map_or(text.len(), |(at, _)| at);
    let spaces = text.match_indices(' ').map(|(at, _)| at).rfind(|&at| at <= until);
    // Chinese has no spaces, and an address can be longer than the limit.
    let bounds = || {
        text.split_word_bound_indices()
            .map(|(at, _)| at)
            .rfind(|&at| at <= until)
    };
    let at = spaces
        .filter(|&at| 2 * at >= until)
        .or_else(bounds)
        .filter(|&at| at > 0)
        .unwrap_or(until);
    let beginning = text.get(..at).map(|beginning| match open_bracket(beginning) {
        Some(open) if 2 * open >= beginning.len() => beginning.get(..open).unwrap_or(beginning),
        Some(_) | None => beginning,
    });
    beginning
        .and_then(ellipsis)
        .unwrap_or_else(|| text.chars().take(limit).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::brief::tests::ABSTRACT;

    #[test]
    fn an_extract_says_technique_and_effect() {
        assert_eq!(
            extract("FastKV: a cache", ABSTRACT).unwrap(),
            "We propose FastKV, a cache that evicts by age. FastKV reduces latency by 48.5% and memory by 2.1×."
        );
        assert_eq!(
            extract(
                "",
                "现有方法很慢。本文提出一种缓存方法。在五个基准上的实验表明，推理延迟降低48%，内存减少一半。"
            )
            .unwrap(),
            "本文提出一种缓存方法。在五个基准上的实验表明，推理延迟降低48%，内存减少一半。"
        );
        assert_eq!(extract("Title", " \n"), None);
    }

    #[test]
    fn a_brief_begins_with_a_sentence_that_stands_alone() {
        let starts = |abstract_text: &str, start: &str| {
            let extract = extract("", abstract_text).unwrap();
            assert!(extract.starts_with(start), "{extract}");
        };
        let openings = [
            "Building on this insight, we",
            "Moreover, we",
            "Based on these observations, A and B, we",
            "Lastly, we",
            "With this principle in mind, we",
            "To better address those gaps, we",
            "Instead, we",
            "Then we",
            "First, we",
        ];
        for opening in openings {
            let told = format!("Caches are slow at scale. {opening} propose an eviction by age for long contexts.");
            starts(&told, "We propose an eviction by age for long contexts.");
        }
        // What is a condition, or names what it builds on, stays.
        for whole in [
            "Under these constraints, we propose an eviction by age.",
            "Building on attention sinks, we propose an eviction by age.",
            "Instead of a cache, we propose an eviction by age.",
            "First, we propose an eviction by age; second, we prove its bounds.",
            "Both a cache and an index are proposed for long contexts.",
            "This position paper proposes an eviction by age.",
        ] {
            starts(&format!("Caches are slow at scale. {whole}"), whole);
        }
        for hanging in [
            "Even their fastest kernels gain",
            "It gains",
            "For example, it achieves",
            "These gains reach",
        ] {
            let told = format!("We study the eviction of caches by their age. {hanging} 48.5% and 2.1x in all tests.");
            starts(&told, "We study the eviction of caches");
            let told = format!("The eviction of caches depends on age. {hanging} 48.5% and 2.1x in all tests.");
            starts(&told, "The eviction of caches depends");
        }
        let both = "We show that eviction by age reduces latency by 20% and that it keeps accuracy.";
        starts(both, both);
    }

    #[test]
    fn a_cut_keeps_what_is_said_and_closes_its_brackets() {
        let lead = "We present an eviction of caches by their age, for long contexts and many users at once.";
        let long = "very ".repeat(40);
        for (second, shown) in [
            (
                format!("Failures in such caches, including stale and {long}, are rare."),
                "",
            ),
            (
                format!("By dropping pages, keeping sinks, and {long}, our method is fast."),
                "",
            ),
            (
                format!(
                    "The method that we describe here has two steps that follow one another: 1) firstly, {long}, it drops."
                ),
                " The method that we describe here has two steps that follow one another…",
            ),
        ] {
            assert_eq!(
                extract("", &format!("{lead} {second}")).unwrap(),
                format!("{lead}{shown}")
            );
        }
        let listed = "We propose a cache with two innovations: a. A window of recent pages. It is fast.";
        assert_eq!(
            extract("", listed).unwrap(),
            "We propose a cache with two innovations: a. A window of recent pages."
        );
        let losslessly = format!(
            "It drops {}pages without any loss, i.e., {long} is kept.",
            "small and old ".repeat(9)
        );
        let cut = extract("", &format!("{lead} {losslessly}")).unwrap();
        assert!(cut.ends_with("without any loss…"), "{cut}");
        let long = format!(
            "We propose {} caches (i.e. keys and {long}values) for all.",
            "fast and small ".repeat(12)
        );
        assert!(extract("", &long).unwrap().ends_with("caches…"));
    }

    #[test]
    fn an_opening_is_kept_where_the_rest_would_say_something_else_without_it() {
        for whole in [
            "Our results do not show that eviction by age reduces the latency of long contexts.",
            "No experiment could demonstrate that eviction by age reduces the latency of long contexts.",
            "Although prior results suggest that eviction reduces latency, it costs accuracy in our framework.",
            "For such small models, we show and prove a bound on the latency of eviction by age.",
            "Given these assumptions, we propose a bound on the latency of eviction by age.",
            "Based on these assumptions, we propose a bound on the latency of eviction by age.",
        ] {
            assert_eq!(extract("", whole).unwrap(), whole);
        }
        for (told, shown) in [
            (
                "Based on this analysis, under mild assumptions, we propose an eviction by age and its bounds.",
                "Under mild assumptions, we propose an eviction by age and its bounds.",
            ),
            (
                "To address these issues of speed, memory, and cost, AgeCache is proposed for long contexts at scale.",
                "AgeCache is proposed for long contexts at scale.",
            ),
            (
                "For this purpose, we propose an eviction by age and its bounds.",
                "We propose an eviction by age and its bounds.",
            ),
            (
                "Based on these observations, A and B, we propose an eviction by age and its bounds.",
                "We propose an eviction by age and its bounds.",
            ),
        ] {
            assert_eq!(extract("", told).unwrap(), shown);
        }
    }

    #[test]
    fn a_cut_leaves_no_half_of_a_pair_and_no_words_that_announce_what_is_gone() {
        let long = "very ".repeat(12);
        let half = format!(
            "It not only generates texts of a {long}high quality, but also saves half of the work that is done."
        );
        assert_eq!(cuts(&half), [""; 0]);
        let both =
            format!("It not only saves work, but also generates texts of a {long}high quality, which people like.");
        assert!(!cuts(&both).is_empty() && cuts(&both).iter().all(|cut| cut.contains("but also")));
        let aside = format!(
            "Synthetic data, when curated with {long}much care and styles, does not make the training unstable."
        );
        assert!(cuts(&aside).iter().all(|cut| !cut.contains("when")));
        let ours =
            "We propose AgeCache, which evicts the pages of a cache by their age, while the sinks stay in it for ever.";
        assert!(
            cuts(ours).contains(&"We propose AgeCache, which evicts the pages of a cache by their age…".to_owned())
        );
        for announced in [
            "We propose AgeCache, a framework that, to the best of our knowledge, ",
            "We propose AgeCache, a framework, i.e., ",
        ] {
            assert_eq!(ellipsis(announced).unwrap(), "We propose AgeCache, a framework…");
        }
    }

    #[test]
    fn a_cut_before_what_is_denied_does_not_affirm_it() {
        for (denied, shown) in [
            ("the caches of small models does not, ", "the caches of small models…"),
            ("the caches of small models can not, ", "the caches of small models…"),
        ] {
            assert_eq!(
                ellipsis(&format!("We find that eviction of {denied}")).unwrap(),
                format!("We find that eviction of {shown}")
            );
        }
    }

    /// Before these rules 70 of the 2,115 began so.
    #[test]
    fn briefs_of_real_abstracts_begin_with_words_that_stand_alone() {
        let connectives = [
            "However",
            "Moreover",
            "Furthermore",
            "Additionally",
            "Specifically",
            "Then",
            "Indeed",
            "To this end",
            "Second",
            "Lastly",
            "Finally",
            "Based on th",
            "Building on th",
            "Motivated by th",
            "Inspired by th",
            "To address th",
        ];
        let (mut all, mut hanging) = (0, Vec::new());
        for day in crate::tests::real_days() {
            let day = day.file_name().unwrap().to_string_lossy().into_owned();
            for paper in crate::tests::real_mailing(&day).iter().step_by(3) {
                let Some(extract) = extract(paper.title(), paper.abstract_text()) else {
                    continue;
                };
                all += 1;
                if dangles(&extract) || connectives.iter().any(|word| extract.starts_with(word)) {
                    hanging.push(extract);
                }
            }
        }
        println!(
            "{} of {all} briefs begin with words that hang in the air",
            hanging.len()
        );
        assert!(hanging.len() * 200 <= all, "{hanging:#?}");
    }

    #[test]
    fn an_abbreviation_ends_no_sentence_and_a_lost_space_hides_none() {
        let found: Vec<&str> =
            sentences("As in Li et al. (2024), i.e. Fig. 3, it gains 3.5 points. dInfer wins. B. Lee agrees.")
                .collect();
        assert_eq!(
            found,
            [
                "As in Li et al. (2024), i.e. Fig. 3, it gains 3.5 points.",
                "dInfer wins.",
                "B. Lee agrees."
            ]
        );
        assert_eq!(sentences("It is slow.We propose X.").count(), 2);
    }

    #[test]
    fn a_long_sentence_is_cut_before_a_clause() {
        let long = format!(
            "We propose a method that joins papers, reports, and mailings by {}, which is robust",
            "very ".repeat(40)
        );
        let cut = extract("", &format!("{long} {}.", "indeed ".repeat(30))).unwrap();
        assert!(cut.ends_with("very…"), "{cut}");
    }

    fn words(text: &str) -> Vec<String> {
        let spaced: String = text
            .to_lowercase()
            .chars()
            .flat_map(|c| if is_han(c) { vec![' ', c, ' '] } else { vec![c] })
            .collect();
        spaced
            .split(|c: char| !c.is_alphanumeric())
            .filter(|word| !word.is_empty())
            .map(str::to_owned)
            .collect()
    }

    fn assert_extract_keeps_its_promises(title: &str, abstract_text: &str) {
        let Some(extract) = extract(title, abstract_text) else {
            assert!(!abstract_text.chars().any(char::is_alphanumeric), "{abstract_text}");
            return;
        };
        assert!(extract.chars().count() <= EXTRACT_CHARS, "{extract}");
        assert!(!extract.trim().is_empty() && !extract.contains('\n'));
        let known = words(abstract_text);
        for word in words(&extract) {
            assert!(
                known.contains(&word),
                "“{word}” of “{extract}” is not in “{abstract_text}”"
            );
        }
    }

    #[test]
    fn extracts_of_real_abstracts_hold_only_their_words() {
        for day in crate::tests::real_days() {
            let day = day.file_name().unwrap().to_string_lossy().into_owned();
            for paper in crate::tests::real_mailing(&day).iter().step_by(6) {
                assert_extract_keeps_its_promises(paper.title(), paper.abstract_text());
            }
        }
    }

    proptest! {
        #[test]
        fn an_extract_is_short_and_holds_only_the_abstracts_words(
            title in "[A-Za-z: ]{0,30}",
            pieces in prop::collection::vec(prop_oneof![
                Just("We propose "), Just("to address this, "), Just("In this paper, we present X"), Just(". "),
                Just(", which "), Just("results show that "), Just("48.5% "), Just("。本文提出"), Just("，"), Just("(e.g. "),
                Just(") "), Just("iPhone; "), Just("the "), Just("…"), Just("İstanbul "), Just("\n"), Just("experiments "),
            ].prop_map(str::to_owned).boxed().prop_union("\\PC{0,30} ".boxed()), 0..40),
        ) {
            assert_extract_keeps_its_promises(&title, &pieces.concat());
        }
    }
}
