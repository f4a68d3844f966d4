//! Which way an effect goes: whether a clause says that something became better or worse.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, MatchKind};

use super::glossary::{Term, Worth, plain, spans, terms};
use super::names::tokens;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cue {
    /// More of it.
    Up,
    /// More of what is good, and of what is bad an improvement: "latency is boosted by 2×".
    Lift,
    Down,
    Good,
    Bad,
    /// A negation or a limit: nothing can be told.
    Unclear,
    /// It compares numbers, not effects.
    Nothing,
}

#[rustfmt::skip]
const CUES: [(Cue, &[&str]); 7] = [
    (Cue::Up, &[
        "增加", "增长", "增大", "上升", "增至", "升至", "升高", " increas", " rais", " higher", " grow", " rise", " rose", " larger",
        " more ",
    ]),
    (Cue::Lift, &["提升", "提高", "增强", " boost", " gain", " enhanc"]),
    (Cue::Down, &[
        "降低", "减少", "减小", "下降", "降至", "缩短", "缩减", "削减", "减低", "减半", "更低", "更少", " reduc", " decreas",
        " lower", " drop", " declin", " cut", " shrink", " shorten", " fewer", " less ", " smaller", " halv", " fall",
    ]),
    (Cue::Good, &[
        "改善", "优化", "节省", "节约", "加速", "提速", "更快", "优于", "超越", " improv", " better", " sav", " faster",
        " speed", " accelerat", " outperform", " surpass", " quicker", " cheaper", "更便宜",
    ]),
    (Cue::Bad, &["恶化", "退化", "变差", "变慢", "减慢", "更慢", " degrad", " worse", " slow", " deteriorat", " harm"]),
    (Cue::Unclear, &[
        "不", "未", "无", "避免", "防止", "仅", "只", "缓解", "或", "权衡", " without", " no ", " not ", " avoid", " prevent",
        " only", " mitigat", " trade", " minimal", " nor ", " negligible", " less accurate", " at least", " loss", " lose", " losing",
    ]),
    (Cue::Nothing, &[" more than", " less than", " fewer than", " larger than", " smaller than", " no more than"]),
];

struct Cues {
    finder: Option<AhoCorasick>,
    kinds: Vec<Cue>,
}

static FINDER: LazyLock<Cues> = LazyLock::new(|| {
    let all = || {
        CUES.iter()
            .flat_map(|&(cue, words)| words.iter().map(move |&word| (word, cue)))
    };
    Cues {
        finder: AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .build(all().map(|(word, _)| word))
            .ok(),
        kinds: all().map(|(_, cue)| cue).collect(),
    }
});

/// What a clause says became better or worse.
#[derive(Debug, Clone)]
pub(super) struct Effect {
    /// Its bytes in the text.
    pub(super) at: Range<usize>,
    /// Whether that is good; `None` where it cannot be told.
    pub(super) is_good: Option<bool>,
    /// Whether there is more or less of something, whatever that is worth; `None` where it cannot be told.
    pub(super) is_more: Option<bool>,
    /// The measures that it names.
    pub(super) of: BTreeSet<Term>,
    /// What it says of which of them: each verb is its nearest measure's.
    pub(super) says: Vec<Says>,
    /// It has a negation or a limit.
    pub(super) is_unclear: bool,
}

/// What is said of one measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Says {
    pub(super) of: Term,
    /// Whether it becomes better.
    pub(super) is_good: bool,
    /// Whether there is more of it; `None` for “improves” and “degrades”, which do not tell.
    pub(super) is_more: Option<bool>,
}

impl Effect {
    /// Leaves nothing that could be held against a brief.
    pub(super) fn forget(&mut self) {
        (self.is_good, self.is_more, self.is_unclear) = (None, None, true);
        self.says.clear();
    }

    /// What it says of a measure.
    pub(super) fn of(&self, measure: Term) -> Option<Says> {
        self.says.iter().find(|says| says.of == measure).copied()
    }

    /// Whether another one certainly says the opposite, or certainly the same.
    pub(super) fn contradicts(&self, other: &Self) -> Option<bool> {
        let shared = self
            .says
            .iter()
            .find_map(|says| Some((says.is_good, other.of(says.of)?.is_good)));
        if let Some((here, there)) = shared {
            return Some(here != there);
        }
        if let (Some(here), Some(there)) = (self.is_good, other.is_good) {
            return Some(here != there);
        }
        // “a 73 % reduction” does not say of what: it need not be what a brief says has risen, unless that were no gain.
        let (here, there) = (self.is_more?, other.is_more?);
        let alike = self.of.is_empty() || other.of.is_empty() || !self.of.is_disjoint(&other.of);
        (alike && self.is_good != Some(true)).then_some(here != there)
    }
}

/// The clauses of a text, each with its effect.
pub(super) fn effects(text: &str) -> Vec<Effect> {
    let mut found = Vec::new();
    let mut verb = None;
    for at in pieces(text) {
        let Some(words) = text.get(at.clone()) else { continue };
        // “reducing latency by 47% and memory by 48%”: the verb is said once.
        let goes_on = words.starts_with(" and ") && words.contains(" by ");
        let (effect, last) = judged(words, at, verb.filter(|_| goes_on));
        verb = last;
        found.push(effect);
    }
    found
}

/// The effect of a clause, and its verb, if that is a single one; `said` is the verb of the clause before.
fn judged(clause: &str, at: Range<usize>, said: Option<Cue>) -> (Effect, Option<Cue>) {
    let mut clause = clause.to_owned();
    // "FastKV" is a name, not a speed.
    let humps: Vec<Range<usize>> = tokens(&clause)
        .filter(|token| has_humps(token.text))
        .map(|token| token.at)
        .collect();
    for at in humps {
        clause.replace_range(at.clone(), &"-".repeat(at.len()));
    }
    let plain = plain(&clause) + " ";
    let mut cues: Vec<(Range<usize>, Cue)> = FINDER
        .finder
        .iter()
        .flat_map(|finder| finder.find_iter(&plain))
        .filter_map(|hit| Some((hit.range(), *FINDER.kinds.get(hit.pattern().as_usize())?)))
        .collect();
    // 不公平 is a measure and denies nothing.
    let named = spans(&plain);
    let within = |at: &Range<usize>| {
        named
            .iter()
            .any(|(term, _)| term.start <= at.start && at.end < term.end)
    };
    cues.retain(|(at, cue)| *cue != Cue::Unclear || !within(at));
    let is_verb = |cue: &Cue| matches!(cue, Cue::Up | Cue::Lift | Cue::Down | Cue::Good | Cue::Bad);
    let mut verbs: Vec<(Range<usize>, Cue)> = cues.iter().filter(|(_, cue)| is_verb(cue)).cloned().collect();
    if let Some(said) = said.filter(|_| verbs.is_empty()) {
        verbs.push((0..0, said));
        cues.push((0..0, said));
    }
    let measures = measures(&plain, named, &verbs);
    let of: BTreeSet<Term> = measures.iter().map(|(_, term)| *term).collect();
    let has = |cue| cues.iter().any(|(_, other)| *other == cue);
    let all = |worth| !of.is_empty() && of.iter().all(|term| term.worth() == Some(worth));
    let (more, less) = (all(Worth::MoreIsBetter), all(Worth::LessIsBetter));
    let rises = has(Cue::Up) || has(Cue::Lift);
    let is_unclear = cues
        .iter()
        .any(|(at, cue)| *cue == Cue::Unclear && limits(&plain, at, &verbs));
    let says = match is_unclear {
        true => Vec::new(),
        false => bound(&verbs, &measures),
    };
    let agreed = || {
        let first = says.first()?.is_good;
        (says.len() == verbs.len() && says.iter().all(|says| says.is_good == first)).then_some(first)
    };
    let is_good = match (rises, has(Cue::Down), has(Cue::Good), has(Cue::Bad)) {
        _ if is_unclear => None,
        (true, false, false, false) if more => Some(true),
        (true, false, false, false) if less && !has(Cue::Lift) => Some(false),
        (false, true, false, false) if less && verbs.len() == 1 => Some(true),
        (false, true, false, false) if more && verbs.len() == 1 => Some(false),
        (false, false, true, false) => Some(true),
        (false, false, false, true) => Some(false),
        (true, ..) | (_, true, ..) | (_, _, true, _) | (.., false) => agreed(),
    };
    let is_more = match (has(Cue::Up), has(Cue::Down)) {
        _ if is_unclear || has(Cue::Lift) || has(Cue::Good) || has(Cue::Bad) => None,
        (true, false) => Some(true),
        (false, true) if verbs.len() == 1 => Some(false),
        (_, _) => None,
    };
    let verb = match verbs.as_slice() {
        [(_, verb)] if !is_unclear => Some(*verb),
        _ => None,
    };
    let effect = Effect {
        at,
        is_good,
        is_more,
        of,
        says,
        is_unclear,
    };
    (effect, verb)
}

/// The measures of a clause with their places.
fn measures(plain: &str, named: Vec<(Range<usize>, Term)>, verbs: &[(Range<usize>, Cue)]) -> Vec<(Range<usize>, Term)> {
    let mut found = named;
    found.retain(|(_, term)| term.worth().is_some());
    // 减少计算 is less of it; 计算 alone is done by everything.
    for verb in ["减少计算", "降低计算", "增加计算", "节省计算"] {
        for (at, _) in plain.match_indices(verb) {
            let end = at + verb.len();
            let rest = plain.get(end..).unwrap_or_default();
            let goes_on = rest.starts_with(['效', '速', '能', '性', '精', '量', '复', '成', '开']);
            let all = at + "减少".len()..end;
            found.extend(
                terms("计算量")
                    .into_iter()
                    .filter(|_| !goes_on)
                    .map(|term| (all.clone(), term)),
            );
        }
    }
    // In “accuracy drops” the drop is no measure of its own.
    let others = found.len() > 1;
    found.retain(|(at, _)| {
        let is_verb =
            |(verb, cue): &(Range<usize>, Cue)| verb.start == at.start && matches!(cue, Cue::Up | Cue::Down | Cue::Bad);
        !(others && verbs.iter().any(is_verb))
    });
    found
}

/// Whether a negation or a limit is one of what the clause says: “without” behind the verb denies something else.
fn limits(plain: &str, at: &Range<usize>, verbs: &[(Range<usize>, Cue)]) -> bool {
    /// 提升不大, 下降不到: behind a verb, right there.
    const NEAR: usize = 6;
    let word = plain.get(at.clone()).unwrap_or_default();
    let before = plain.get(..at.start).unwrap_or_default();
    match word {
        "或" => !(before.ends_with("保持") || before.ends_with("维持")),
        "不" | "未" | "无" | " without" | " no " | " not " | " nor " => verbs
            .iter()
            .any(|(verb, _)| at.start < verb.start || (verb.end..=verb.end + NEAR).contains(&at.start)),
        _ => true,
    }
}

/// Each verb with its nearest measure; none where two are as near, or two verbs stand at one measure.
fn bound(verbs: &[(Range<usize>, Cue)], measures: &[(Range<usize>, Term)]) -> Vec<Says> {
    /// 减少性能下降, “reduces the drop of accuracy”: both verbs are meant.
    const NEAR: usize = 20;
    let gap = |verb: &Range<usize>, measure: &Range<usize>| {
        let (first, second) = match verb.start <= measure.start {
            true => (verb, measure),
            false => (measure, verb),
        };
        second.start.saturating_sub(first.end)
    };
    let mut found: Vec<(usize, Option<Says>, Term)> = Vec::new();
    for (at, verb) in verbs {
        let mut near: Vec<(usize, Term)> = measures.iter().map(|(place, term)| (gap(at, place), *term)).collect();
        near.sort_unstable();
        let Some(&(first, of)) = near.first() else { continue };
        let is_close = |&&(second, other): &&(usize, Term)| second <= first + 1 && other.worth() != of.worth();
        if near.iter().any(|other| is_close(&other)) {
            continue;
        }
        let more_is_better = of.worth() == Some(Worth::MoreIsBetter);
        let (is_good, is_more) = match verb {
            Cue::Up => (more_is_better, Some(true)),
            Cue::Lift => (true, more_is_better.then_some(true)),
            Cue::Down => (!more_is_better, Some(false)),
            Cue::Good => (true, None),
            Cue::Bad => (false, None),
            Cue::Unclear | Cue::Nothing => continue,
        };
        let says = Says { of, is_good, is_more };
        match found.iter_mut().find(|(.., other)| *other == of) {
            Some((nearest, kept, _)) => match (first + NEAR <= *nearest, *nearest + NEAR <= first) {
                (true, _) => (*nearest, *kept) = (first, Some(says)),
                (_, true) => {}
                (false, false) => *kept = None,
            },
            None => found.push((first, Some(says), of)),
        }
    }
    found.into_iter().filter_map(|(_, says, _)| says).collect()
}

/// What a measure is about: speed is no memory. Measures that can be about anything (cost, efficiency) have none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    Speed,
    Memory,
    Quality,
    Energy,
}

static FAMILIES: LazyLock<Vec<(Term, Family)>> = LazyLock::new(|| {
    let all = [
        (Family::Speed, "延迟，训练时间，吞吐量，速度"),
        (Family::Memory, "内存，存储，参数量"),
        (Family::Quality, "准确率，分数，召回，成功率，误差，困惑度，质量，幻觉"),
        (Family::Energy, "能耗，碳足迹"),
    ];
    let of = |(family, names): (Family, &str)| terms(names).into_iter().map(move |term| (term, family));
    all.into_iter().flat_map(of).collect()
});

impl Effect {
    /// What all measures of the clause are about; `None` where they are about several things, or there is none.
    pub(super) fn family(&self) -> Option<Family> {
        let family = |term: &Term| {
            FAMILIES
                .iter()
                .find(|(other, _)| other == term)
                .map(|(_, family)| *family)
        };
        let first = family(self.of.first()?)?;
        self.of.iter().all(|term| family(term) == Some(first)).then_some(first)
    }
}

/// FastKV, EfficientNet; but not FLOPs.
fn has_humps(word: &str) -> bool {
    let bytes = word.as_bytes();
    let capitalised = |three: &[u8]| matches!(three, [a, b, c] if a.is_ascii_uppercase() && b.is_ascii_lowercase() && c.is_ascii_lowercase());
    let hump = |two: &[u8]| matches!(two, [a, b] if a.is_ascii_lowercase() && b.is_ascii_uppercase());
    bytes.windows(3).any(capitalised) && bytes.windows(2).any(hump)
}

/// A text cut wherever another thing can begin to be said, however small the pieces.
fn pieces(text: &str) -> Vec<Range<usize>> {
    const ENDS: [&str; 13] = [
        "且",
        "并",
        "和",
        "及",
        "但",
        "同时",
        "与",
        " and ",
        " while ",
        " but ",
        " with ",
        " whereas ",
        " yet ",
    ];
    let mut found = Vec::new();
    let mut start = 0;
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let here = text.get(at..).unwrap_or_default();
        let in_number = matches!(c, '.' | ',')
            && text
                .get(..at)
                .unwrap_or_default()
                .ends_with(|c: char| c.is_ascii_digit())
            && chars.peek().is_some_and(|(_, next)| next.is_ascii_digit());
        let mark = matches!(
            c,
            ',' | '.' | ';' | ':' | '，' | '。' | '；' | '：' | '、' | '(' | ')' | '（' | '）'
        ) && !in_number;
        let word = ENDS.iter().find(|word| here.starts_with(**word)).map(|word| word.len());
        // "26.58%和15.45%准确率", "gains of 1.4% and 0.3%": one measure of two numbers.
        let joins = matches!(c, '、' | '和' | '及' | '与' | ' ') && {
            let before = text.get(..at).unwrap_or_default();
            let after = here.get(word.unwrap_or(c.len_utf8())..).unwrap_or_default();
            before.ends_with(|c: char| c.is_ascii_digit() || matches!(c, '%' | '％' | '×' | 'x'))
                && after.trim_start().starts_with(|c: char| c.is_ascii_digit())
        };
        if (mark || word.is_some()) && !joins {
            found.push(start..at);
            start = at;
            if mark {
                start += c.len_utf8();
            }
        }
    }
    found.push(start..text.len());
    found.retain(|at| !at.is_empty());
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_direction_is_worth_depends_on_what_is_measured() {
        let judge = |text: &str| effects(text).into_iter().find_map(|effect| effect.is_good);
        for (text, is_good) in [
            ("reduces latency by 48.5%", Some(true)),
            ("improves latency by 48.5%", Some(true)),
            ("increases latency by 48.5%", Some(false)),
            ("延迟降低48.5%", Some(true)),
            ("延迟增加48.5%", Some(false)),
            ("准确率下降3%", Some(false)),
            ("推理减慢2倍", Some(false)),
            ("2.1× faster", Some(true)),
            ("accuracy drops by only 1%", None),
            ("准确率仅下降1%", None),
            ("trades accuracy for lower latency", None),
            ("increases the widget by 5%", None),
            ("达成了在七个基准上LLaMA-3-8B延迟增加48.5%", Some(false)),
            ("FastKV reduces the latency of LLaMA-3-8B by 48.53%", Some(true)),
            ("性能下降3%", Some(false)),
            ("减少性能下降", None),
            ("保持或提升性能", Some(true)),
            ("更高准确率和更低延迟", Some(true)),
            ("分别下降26.58%和15.45%准确率", Some(false)),
            ("lower latency without skipping", Some(true)),
        ] {
            assert_eq!(judge(text), is_good, "{text}");
        }
    }

    #[test]
    fn each_verb_is_its_nearest_measures() {
        let said = |text: &str| {
            let says = effects(text).into_iter().flat_map(|effect| effect.says);
            says.map(|says| says.is_good).collect::<Vec<_>>()
        };
        for (text, says) in [
            ("higher accuracy at lower latency", &[true, true][..]),
            ("higher accuracy at higher latency", &[true, false]),
            // The second verb stands as near to the first measure.
            ("以更低延迟提升准确率", &[true]),
            ("reduces GPU memory by 75%-while preserving performance", &[true]),
            ("reducing latency by 47% and tokens' consumption by 48%", &[true, true]),
            ("increasing latency by 47% and memory by 48%", &[false, false]),
            (
                "improves the efficiency of a transfer as its sparsity increases",
                &[true],
            ),
            ("增加模型不公平性", &[false]),
            ("减少性能下降", &[]),
        ] {
            assert_eq!(said(text), says, "{text}");
        }
    }

    #[test]
    fn a_clause_is_about_one_family_of_measures_or_none() {
        let family = |text: &str| effects(text).first().and_then(Effect::family);
        assert_eq!(family("2.3x less memory"), Some(Family::Memory));
        assert_eq!(family("延迟降低38%"), Some(Family::Speed));
        assert_eq!(family("lower latency of memory"), None);
        assert_eq!(family("lower cost"), None);
    }
}
