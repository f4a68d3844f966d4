//! What a rule would have brought, before anybody follows it: held against the papers that came last.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};

use super::matcher::{Facts, RuleSet};
use super::parse::Rule;
use super::{Term, words};
use crate::locale::Lang;
use crate::message::{Block, Entry, Line, Message, Span, plain};
use crate::paper::PaperId;
use crate::pipeline::judging;
use crate::store::{Result, Store, StoreError};
use crate::topic::{Hit, Matcher, Topic};

/// How far back a trial looks.
const DAYS: i64 = 30;
/// How many papers it looks at, the latest.
const PAPERS: u64 = 10_000;
/// How many examples it gives.
const EXAMPLES: usize = 5;
/// More papers a day than a person reads.
pub const NOISE: u32 = 20;

/// What a rule is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Worth {
    /// No paper was there to try it on.
    Unknown,
    /// More than [`NOISE`] papers a day.
    Noise,
    /// Not one paper.
    Silence,
    /// Anything between.
    Fine,
}

/// A paper that a rule would have brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Example {
    /// Which.
    pub paper: PaperId,
    /// Its title.
    pub title: String,
    /// What brought it.
    pub hits: Vec<Hit>,
}

/// What a rule would have brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trial {
    /// How many papers were looked at.
    pub papers: usize,
    /// On how many days they came. A mailing counts on the day on which its interval ends, a paper without one on the day
    /// of its intake, both in UTC.
    pub days: usize,
    /// How many of them match.
    pub matched: usize,
    /// The latest of them, at most five, latest first.
    pub examples: Vec<Example>,
}

impl Trial {
    /// Papers a day, over the days on which any came.
    pub fn per_day(&self) -> f64 {
        let count = |n: usize| f64::from(u32::try_from(n).unwrap_or(u32::MAX));
        if self.days == 0 {
            0.0
        } else {
            count(self.matched) / count(self.days)
        }
    }

    /// What the rule is worth.
    pub fn worth(&self) -> Worth {
        match (self.papers, self.matched) {
            (0, _) => Worth::Unknown,
            (_, 0) => Worth::Silence,
            _ if self.per_day() > f64::from(NOISE) => Worth::Noise,
            _ => Worth::Fine,
        }
    }

    /// The figures in one line, as they are shown when a rule is saved, and a warning where there is cause for one.
    pub fn lines(&self, lang: Lang) -> Vec<Line> {
        let count = words::trial_count(lang, self.matched, self.papers, self.days, self.per_day());
        match self.worth() {
            Worth::Unknown => vec![plain(words::trial_unknown(lang))],
            Worth::Noise => vec![count, plain(words::trial_noise(lang, NOISE))],
            Worth::Silence => vec![count, plain(words::trial_silence(lang))],
            Worth::Fine => vec![count],
        }
    }

    /// The whole answer: the rule as it was understood, the figures, the examples.
    pub fn message(&self, rule: &str, lang: Lang) -> Message {
        let mut blocks = vec![Block::Paragraph(vec![Span::Code(rule.to_owned())])];
        blocks.extend(self.lines(lang).into_iter().map(Block::Paragraph));
        if !self.examples.is_empty() {
            blocks.push(Block::Paragraph(plain(words::trial_examples(lang))));
        }
        blocks.extend(self.examples.iter().map(|example| {
            let title = if example.title.is_empty() {
                lang.no_title()
            } else {
                &example.title
            };
            Block::Entry(Entry {
                title: title.to_owned(),
                link: example.paper.link(),
                lines: vec![vec![Span::Dim(words::found(lang, &example.hits))]],
                ..Entry::default()
            })
        }));
        Message {
            running_title: rule.to_owned(),
            blocks,
        }
    }
}

/// Holds a rule against the papers of the last 30 days, 10,000 at most. A paper that cannot be read is left out.
///
/// # Errors
/// [`StoreError::Broken`].
pub fn trial(store: &dyn Store, rule: &Rule, topics: &[Topic], now: DateTime<Utc>) -> Result<Trial> {
    let set = RuleSet::new([(0, rule)]);
    let scored = rule
        .expr()
        .terms()
        .into_iter()
        .any(|term| matches!(term, Term::Topic(_)));
    // A topic's matches are those that its judge has left, as in a digest.
    let matcher = scored.then(|| Matcher::new(topics));
    let head = store.head()?;
    let limit = usize::try_from(PAPERS).unwrap_or(usize::MAX);
    let intake = store.intake(head.saturating_sub(PAPERS), head, limit)?;
    let since = now - TimeDelta::days(DAYS);
    let mut trial = Trial {
        papers: 0,
        days: 0,
        matched: 0,
        examples: Vec::new(),
    };
    let mut days = BTreeSet::new();
    for record in intake.iter().rev().take_while(|record| record.taken_at >= since) {
        let paper = match store.paper(&record.paper) {
            Ok(Some(paper)) if paper.id == record.paper => paper,
            // The second is the place that a work had while it was taken for two papers.
            Ok(None | Some(_)) | Err(StoreError::Damaged { .. }) => continue,
            Err(broken @ StoreError::Broken(_)) => return Err(broken),
        };
        let day = record
            .window
            .map_or(record.taken_at.date_naive(), |window| window.day());
        days.insert(day);
        trial.papers += 1;
        let scores = match &matcher {
            Some(matcher) => judging::scores(store, topics, matcher, &paper)?,
            None => Vec::new(),
        };
        let facts = Facts {
            paper: &paper,
            scores: &scores,
            day: Some(day),
        };
        if let Some(matched) = set.find(&facts).pop() {
            trial.matched += 1;
            if trial.examples.len() < EXAMPLES {
                trial.examples.push(Example {
                    title: paper.title().to_owned(),
                    paper: paper.id,
                    hits: matched.hits,
                });
            }
        }
    }
    trial.days = days.len();
    Ok(trial)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::fixture::{news, october, paper, take, topic};
    use crate::store::ModelStore;

    fn run(store: &dyn Store, rule: &str, day: i64) -> Trial {
        trial(store, &rule.parse().unwrap(), &[topic()], october(day, 12)).unwrap()
    }

    /// Mailings of two days: 3 papers on caches among 40 on other things, and 41 on pruning.
    fn archive() -> ModelStore {
        let store = ModelStore::new();
        let mut first: Vec<_> = (0..40)
            .map(|n| paper(n, &format!("Thing {n}"), "GPU kernels"))
            .collect();
        first.extend((40..43).map(|n| paper(n, &format!("KV Cache {n}"), "of keys")));
        take(&store, "first", news(8, first), october(8, 20));
        let second = (100..141)
            .map(|n| paper(n, &format!("Pruning {n}"), "less is more"))
            .collect();
        take(&store, "second", news(9, second), october(9, 20));
        store
    }

    #[test]
    fn a_rule_is_worth_what_it_would_have_brought() {
        let store = archive();
        let figures = |trial: &Trial| {
            (
                trial.papers,
                trial.days,
                trial.matched,
                trial.examples.len(),
                trial.worth(),
            )
        };
        assert_eq!(figures(&run(&store, "kv cache", 10)), (84, 2, 3, 3, Worth::Fine));
        assert_eq!(figures(&run(&store, "pruning", 10)), (84, 2, 41, 5, Worth::Noise));
        assert_eq!(figures(&run(&store, "diffusion", 10)), (84, 2, 0, 0, Worth::Silence));
        assert_eq!(
            figures(&run(&store, "topic:caching -pruning", 10)),
            (84, 2, 3, 3, Worth::Fine)
        );
        // A month later there is nothing left to look at.
        assert_eq!(figures(&run(&store, "pruning", 60)), (0, 0, 0, 0, Worth::Unknown));
        assert_eq!(run(&ModelStore::new(), "pruning", 10).worth(), Worth::Unknown);
    }

    #[test]
    fn a_trial_reads_as_figures_a_warning_and_the_latest_examples() {
        let store = archive();
        let text = run(&store, "cache kv", 10).message("kv cache", Lang::En).to_plain();
        assert_eq!(
            text,
            "kv cache\nOf the 84 papers of the last 2 days with papers, 3 would have come, about 1.5 a day.\nFor example:\n\
             KV Cache 42\ncache (title), kv (title)\nhttps://arxiv.org/abs/2510.00042\n\
             KV Cache 41\ncache (title), kv (title)\nhttps://arxiv.org/abs/2510.00041\n\
             KV Cache 40\ncache (title), kv (title)\nhttps://arxiv.org/abs/2510.00040\n"
        );
        let lines = |rule: &str, lang| {
            let lines = run(&store, rule, 10).lines(lang).into_iter();
            lines.map(|line| Message::line(line).to_plain()).collect::<String>()
        };
        assert!(lines("pruning", Lang::En).ends_with("rule something out (-survey).\n"));
        assert_eq!(
            lines("diffusion", Lang::Zh),
            "在最近 2 天收到的 84 篇论文中，有 0 篇符合。\n这段时间没有一篇符合。可以少写几个条件，或用 OR 加上同义词。\n"
        );
    }
}
