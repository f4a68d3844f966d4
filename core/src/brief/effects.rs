//! Which way an effect goes: whether a clause says that something became better or worse.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, MatchKind};

use super::glossary::{Term, Worth, plain, terms_at};
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
        " speed", " accelerat", " outperform", " surpass", " quicker",
    ]),
    (Cue::Bad, &["恶化", "退化", "变差", "变慢", "减慢", "更慢", " degrad", " worse", " slow", " deteriorat", " harm"]),
    (Cue::Unclear, &[
        "不", "未", "无", "避免", "防止", "仅", "只", "缓解", "或", "权衡", " without", " no ", " not ", " avoid", " prevent",
        " only", " mitigat", " trade", " minimal", " nor ", " negligible", " less accurate", " at least", " loss",
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
    /// The measures that it names.
    pub(super) of: BTreeSet<Term>,
}

/// The clauses of a text, each with its effect.
pub(super) fn effects(text: &str) -> Vec<Effect> {
    let pieces = pieces(text);
    pieces
        .into_iter()
        .filter_map(|at| {
            let (is_good, of) = judged(text.get(at.clone())?);
            Some(Effect { at, is_good, of })
        })
        .collect()
}

fn judged(clause: &str) -> (Option<bool>, BTreeSet<Term>) {
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
    let of: BTreeSet<Term> = terms_at(&plain)
        .into_iter()
        .map(|(_, term)| term)
        .filter(|term| term.worth().is_some())
        .collect();
    let cues: Vec<Cue> = FINDER
        .finder
        .iter()
        .flat_map(|finder| finder.find_iter(&plain))
        .filter_map(|hit| FINDER.kinds.get(hit.pattern().as_usize()).copied())
        .collect();
    let has = |cue| cues.contains(&cue);
    let all = |worth| !of.is_empty() && of.iter().all(|term| term.worth() == Some(worth));
    let (more, less) = (all(Worth::MoreIsBetter), all(Worth::LessIsBetter));
    let rises = has(Cue::Up) || has(Cue::Lift);
    let is_good = match (rises, has(Cue::Down), has(Cue::Good), has(Cue::Bad)) {
        _ if has(Cue::Unclear) => None,
        (true, false, false, false) if more => Some(true),
        (true, false, false, false) if less && !has(Cue::Lift) => Some(false),
        (false, true, false, false) if less => Some(true),
        (false, true, false, false) if more => Some(false),
        (false, false, true, false) => Some(true),
        (false, false, false, true) => Some(false),
        (true, ..) | (_, true, ..) | (_, _, true, _) | (.., false) => None,
    };
    (is_good, of)
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
        let word = ENDS.iter().any(|word| here.starts_with(word));
        if mark || word {
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
        ] {
            assert_eq!(judge(text), is_good, "{text}");
        }
    }
}
