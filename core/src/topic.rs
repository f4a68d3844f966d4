//! Which papers a team cares about, as weighted terms: a profile scores a paper and can say why. All terms of all
//! topics are found in one pass over the text. A topic that was taught with [`examples`] has a [`learn`]ed ranking, which
//! then decides in the place of the points.

pub mod eval;
pub mod examples;
pub mod judge;
pub mod learn;
pub(crate) mod terms;

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::paper::Paper;
use crate::text;
use judge::Opinion;
use learn::{Evidence, Learned, Seen};
use terms::{Pattern, TermSet};

/// A topic's name in configuration and commands: lower-case letters, digits, `-`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TopicId(pub String);

impl std::fmt::Display for TopicId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Terms of one weight.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tier {
    /// Points for a term of this tier that occurs in the abstract; a term counts once however often it occurs.
    pub weight: u32,
    /// The terms. Latin ones match whole words whatever their case, hyphens and plural (`KV cache` finds
    /// `kv-caching` too); Chinese ones match as substrings.
    pub terms: Vec<String>,
}

/// A named profile that scores papers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Topic {
    /// Its name.
    pub id: TopicId,
    /// What people read, in Chinese.
    pub name_zh: String,
    /// What people read, in English.
    pub name_en: String,
    /// Weighted terms.
    pub tiers: Vec<Tier>,
    /// A term that occurs in the title counts its weight times this.
    pub title_factor: u32,
    /// Only papers in one of these categories (`cs.*` is a prefix); empty means all. A paper without categories passes.
    pub categories_include: Vec<String>,
    /// Never papers whose primary category is one of these.
    pub categories_exclude: Vec<String>,
    /// A paper in which one of these occurs is not kept.
    pub excluded_terms: Vec<String>,
    /// The least score that is kept.
    pub threshold: u32,
    /// The most papers of this topic in one digest; the best scored stay.
    pub cap: usize,
    /// What was learnt from examples; where it is there, it decides in the place of the threshold. It is no part of the
    /// configuration: it stands in the data folder.
    #[serde(skip)]
    pub learned: Option<Arc<Learned>>,
}

/// One term that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hit {
    /// The term as the profile spells it.
    pub term: String,
    /// Points that it brought.
    pub points: u32,
    /// Whether it stood in the title.
    pub in_title: bool,
}

/// What became of a paper under a topic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It reaches the threshold.
    Kept,
    /// It does not.
    BelowThreshold,
    /// This excluded term occurs in it.
    ExcludedTerm(String),
    /// Its primary category is excluded.
    ExcludedCategory(String),
    /// None of its categories is wanted.
    OtherCategory,
}

/// A paper's score under one topic, with its explanation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Score {
    /// Whose score.
    pub topic: TopicId,
    /// The sum of the hits.
    pub points: u32,
    /// What was found, most points first.
    pub hits: Vec<Hit>,
    /// Whether it is kept.
    pub verdict: Verdict,
    /// What the learned ranking says, where the topic has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub learned: Option<Rated>,
}

/// What the learned ranking says of a paper. In thousandths of a unit of log-odds, since what is stored must compare
/// equal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rated {
    /// Its score.
    pub score: i32,
    /// The least score that is kept.
    pub threshold: i32,
    /// What contributed most, in either direction, the most first.
    pub grounds: Vec<Ground>,
    /// The topic's threshold in points: a paper at the learned threshold ranks as one of so many points.
    pub points: u32,
    /// What the judge of the borderline said, where it was asked; it decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opinion: Option<Opinion>,
}

impl Rated {
    /// The score and the threshold in log-odds.
    fn log_odds(&self) -> (f64, f64) {
        (f64::from(self.score) / 1000.0, f64::from(self.threshold) / 1000.0)
    }

    /// The score by which it is kept and ranked, in thousandths: on the side of the threshold that the judge named, if one did
    /// ([`judge::combined`]).
    pub fn decided(&self) -> i32 {
        let (score, threshold) = self.log_odds();
        match &self.opinion {
            None => self.score,
            Some(opinion) => learn::thousandths(judge::combined(score, threshold, opinion.yes)),
        }
    }
}

/// One contribution to a learned score.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ground {
    /// What it is.
    pub kind: learn::Kind,
    /// Which one.
    pub name: String,
    /// How much it adds, in thousandths.
    pub adds: i32,
}

impl Score {
    /// Whether a judge is worth asking: it is near the learned threshold ([`judge::is_borderline`]), and no exclusion has
    /// decided.
    pub fn is_borderline(&self) -> bool {
        let open = match self.verdict {
            Verdict::Kept | Verdict::BelowThreshold => true,
            Verdict::ExcludedTerm(_) | Verdict::ExcludedCategory(_) | Verdict::OtherCategory => false,
        };
        let near = |rated: &Rated| {
            let (score, threshold) = rated.log_odds();
            judge::is_borderline(score, threshold)
        };
        open && self.learned.as_ref().is_some_and(near)
    }

    /// The score after what a judge said: of one that is not borderline, as it was.
    #[must_use]
    pub fn judged(mut self, opinion: Opinion) -> Self {
        if self.is_borderline()
            && let Some(rated) = &mut self.learned
        {
            rated.opinion = Some(opinion);
            self.verdict = match rated.decided() >= rated.threshold {
                true => Verdict::Kept,
                false => Verdict::BelowThreshold,
            };
        }
        self
    }

    /// How it ranks among the scores of all topics, in thousandths of a point. Without a learned ranking these are its
    /// points; with one, a paper at the threshold ranks as one at the topic's threshold in points, and e times as high
    /// for each unit above it.
    pub fn rank(&self) -> u64 {
        self.ranked(Rated::decided)
    }

    /// How it would rank without a judge.
    pub fn rank_unjudged(&self) -> u64 {
        self.ranked(|rated| rated.score)
    }

    fn ranked(&self, score: fn(&Rated) -> i32) -> u64 {
        const MOST: f64 = 1e12;
        match &self.learned {
            None => u64::from(self.points) * 1000,
            Some(rated) => {
                let above = f64::from(score(rated)) - f64::from(rated.threshold);
                ((above / 1000.0).exp() * f64::from(rated.points.max(1)) * 1000.0).min(MOST) as u64
            }
        }
    }
}

/// All topics compiled into one automaton.
#[derive(Debug, Clone)]
pub struct Matcher {
    terms: TermSet,
    /// For each term of the set, whose it is.
    owners: Vec<Owner>,
    topics: Vec<Rules>,
}

/// What a term is to its topic.
#[derive(Debug, Clone)]
struct Owner {
    topic: usize,
    term: String,
    role: Role,
}

#[derive(Debug, Clone, Copy)]
enum Role {
    Points(u32),
    Excludes,
}

/// What decides besides the terms.
#[derive(Debug, Clone)]
struct Rules {
    learned: Option<Arc<Learned>>,
    heaviest: u32,
    id: TopicId,
    title_factor: u32,
    categories_include: Vec<String>,
    categories_exclude: Vec<String>,
    threshold: u32,
}

impl Matcher {
    /// Compiles the topics. Of a topic's terms that are inflections of one another (`quantization`, `quantised`) only the
    /// first of the highest weight counts, or listing both would double their points.
    pub fn new(topics: &[Topic]) -> Self {
        let mut owners = Vec::new();
        for (at, topic) in topics.iter().enumerate() {
            let mut tiers: Vec<&Tier> = topic.tiers.iter().collect();
            tiers.sort_by_key(|tier| Reverse(tier.weight));
            let mut seen: HashMap<String, Vec<Pattern>> = HashMap::new();
            for (tier, term) in tiers
                .iter()
                .flat_map(|tier| tier.terms.iter().map(move |term| (tier, term)))
            {
                let Some(pattern) = Pattern::new(term) else { continue };
                let alike = seen.entry(pattern.text.clone()).or_default();
                if !alike.iter().any(|other| other.same_term(&pattern)) {
                    alike.push(pattern);
                    owners.push(Owner {
                        topic: at,
                        term: term.clone(),
                        role: Role::Points(tier.weight),
                    });
                }
            }
            owners.extend(topic.excluded_terms.iter().map(|term| Owner {
                topic: at,
                term: term.clone(),
                role: Role::Excludes,
            }));
        }
        Self {
            terms: TermSet::new(owners.iter().map(|owner| &*owner.term)),
            owners,
            topics: topics
                .iter()
                .map(|topic| Rules {
                    learned: topic.learned.clone(),
                    heaviest: topic.tiers.iter().map(|tier| tier.weight).max().unwrap_or(1).max(1),
                    id: topic.id.clone(),
                    title_factor: topic.title_factor,
                    categories_include: topic.categories_include.clone(),
                    categories_exclude: topic.categories_exclude.clone(),
                    threshold: topic.threshold,
                })
                .collect(),
        }
    }

    /// The paper's score under each topic, in the topics' order, in one pass over title and abstract.
    pub fn score(&self, paper: &Paper) -> Vec<Score> {
        let seen = self.topics.iter().zip(self.read(paper));
        seen.map(|(rules, (seen, excluded))| rules.score(paper, &seen, excluded))
            .collect()
    }

    /// What is found of each topic, and the excluded term that is.
    fn read(&self, paper: &Paper) -> Vec<(Vec<Seen>, Option<String>)> {
        let mut read = vec![(Vec::new(), None); self.topics.len()];
        for found in self.terms.find(paper.title(), paper.abstract_text()) {
            let Some(owner) = self.owners.get(found.term) else {
                continue;
            };
            let Some((seen, excluded)) = read.get_mut(owner.topic) else {
                continue;
            };
            match owner.role {
                Role::Points(weight) => seen.push(Seen {
                    term: owner.term.clone(),
                    weight,
                    in_title: found.in_title,
                    times: found.times,
                }),
                Role::Excludes => {
                    excluded.get_or_insert_with(|| owner.term.clone());
                }
            }
        }
        read
    }
}

impl Rules {
    fn score(&self, paper: &Paper, seen: &[Seen], excluded: Option<String>) -> Score {
        let mut hits: Vec<Hit> = seen
            .iter()
            .map(|seen| Hit {
                term: seen.term.clone(),
                points: seen.points(self.title_factor),
                in_title: seen.in_title,
            })
            .collect();
        hits.sort_by_key(|hit| Reverse(hit.points));
        let points = hits.iter().fold(0_u32, |sum, hit| sum.saturating_add(hit.points));
        let learned = self.learned.as_ref().map(|learned| {
            let mut rated = learned.rate(&self.evidence(paper, seen));
            rated.points = self.threshold;
            rated
        });
        let enough = match &learned {
            Some(rated) => rated.score >= rated.threshold,
            None => points >= self.threshold,
        };
        Score {
            topic: self.id.clone(),
            points,
            hits,
            verdict: self.verdict(paper.categories(), enough, excluded),
            learned,
        }
    }

    fn evidence<'a>(&self, paper: &'a Paper, seen: &'a [Seen]) -> Evidence<'a> {
        Evidence {
            paper,
            seen,
            title_factor: self.title_factor,
            heaviest: self.heaviest,
        }
    }

    fn verdict(&self, categories: &[String], enough: bool, excluded: Option<String>) -> Verdict {
        let any = |patterns: &[String], category: &str| patterns.iter().any(|pattern| covers(pattern, category));
        if let Some(primary) = categories.first().filter(|c| any(&self.categories_exclude, c)) {
            return Verdict::ExcludedCategory(primary.clone());
        }
        let unwanted = !self.categories_include.is_empty() && !categories.is_empty();
        if unwanted && !categories.iter().any(|c| any(&self.categories_include, c)) {
            return Verdict::OtherCategory;
        }
        match excluded {
            Some(term) => Verdict::ExcludedTerm(term),
            None if enough => Verdict::Kept,
            None => Verdict::BelowThreshold,
        }
    }
}

/// Whether `pattern` (`cs.CL`, or `cs.*` for every category that begins with `cs.`) means `category`.
fn covers(pattern: &str, category: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => category.starts_with(prefix),
        None => category == pattern,
    }
}

impl Topic {
    /// Which language model is asked about its borderline, if it was taught and one is.
    pub fn judge(&self) -> Option<&str> {
        self.learned.as_deref().and_then(Learned::judge)
    }

    /// A stable hash of everything that decides a score; it changes when the profile or what was learnt does, so that
    /// stored matches can be told to be stale. Names and the cap decide none. How terms are matched does, so its version
    /// is in it.
    pub fn fingerprint(&self) -> u64 {
        let profile = self.profile();
        match &self.learned {
            // As it was before anything could be learnt.
            None => profile,
            Some(learned) => text::hash64(&[&format!("{profile:016x}"), &format!("{:016x}", learned.fingerprint())]),
        }
    }

    /// The same of what the configuration says alone.
    pub fn profile(&self) -> u64 {
        let mut parts = vec![
            terms::RULES.to_owned(),
            self.id.0.clone(),
            self.title_factor.to_string(),
            self.threshold.to_string(),
            self.tiers.len().to_string(),
        ];
        // Every list is preceded by its length: moving an item from the end of one to the next must show.
        let mut list = |head: String, items: &[String]| {
            parts.push(head);
            parts.push(items.len().to_string());
            parts.extend_from_slice(items);
        };
        for tier in &self.tiers {
            list(tier.weight.to_string(), &tier.terms);
        }
        list("include".to_owned(), &self.categories_include);
        list("exclude".to_owned(), &self.categories_exclude);
        list("terms".to_owned(), &self.excluded_terms);
        text::hash64(&parts.iter().map(String::as_str).collect::<Vec<_>>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::paper::{Field, PaperId};
    use crate::source::SourceKind;

    fn topic(threshold: u32, tiers: &[(u32, &[&str])]) -> Topic {
        Topic {
            id: TopicId("t".to_owned()),
            name_zh: String::new(),
            name_en: String::new(),
            tiers: tiers
                .iter()
                .map(|&(weight, terms)| Tier {
                    weight,
                    terms: strings(terms),
                })
                .collect(),
            title_factor: 3,
            categories_include: Vec::new(),
            categories_exclude: Vec::new(),
            excluded_terms: Vec::new(),
            threshold,
            cap: 40,
            learned: None,
        }
    }

    fn strings(items: &[&str]) -> Vec<String> {
        items.iter().map(|&item| item.to_owned()).collect()
    }

    fn paper(title: &str, abstract_text: &str, categories: &[&str]) -> Paper {
        let mut paper = Paper::new(PaperId::Arxiv("2510.00001".to_owned()));
        paper.title = Some(Field::new(title.to_owned(), SourceKind::ArxivMail));
        paper.abstract_text = Some(Field::new(abstract_text.to_owned(), SourceKind::ArxivMail));
        paper.categories = Some(Field::new(strings(categories), SourceKind::ArxivMail));
        paper
    }

    fn score(topic: Topic, paper: &Paper) -> Score {
        Matcher::new(&[topic]).score(paper).remove(0)
    }

    #[test]
    fn a_score_lists_what_brought_its_points_best_first() {
        let topic = topic(12, &[(1, &["GPU"]), (5, &["KV cache", "pruning", "distillation"])]);
        let score = score(
            topic,
            &paper("Pruned models", "On a GPU, KV-caching beats kv caches. GPUs.", &[]),
        );
        let hit = |term: &str, points, in_title| Hit {
            term: term.to_owned(),
            points,
            in_title,
        };
        assert_eq!(
            score.hits,
            [
                hit("pruning", 15, true),
                hit("KV cache", 5, false),
                hit("GPU", 1, false)
            ]
        );
        assert_eq!((score.points, score.verdict), (21, Verdict::Kept));
    }

    #[test]
    fn inflections_of_one_term_in_a_profile_count_once_with_the_highest_weight() {
        let topic = topic(
            0,
            &[(3, &["quantised", "caching"]), (5, &["quantization", "quantisation"])],
        );
        let score = score(topic, &paper("", "quantized cache", &[]));
        assert_eq!(
            score.hits.iter().map(|hit| &*hit.term).collect::<Vec<_>>(),
            ["quantization", "caching"]
        );
        assert_eq!(score.points, 8);
    }

    #[test]
    fn topics_are_scored_apart_in_their_order() {
        let mut strict = topic(9, &[(1, &["cache"])]);
        strict.excluded_terms = strings(&["police"]);
        let mut loose = topic(1, &[(2, &["cache"])]);
        loose.id = TopicId("loose".to_owned());
        let scores = Matcher::new(&[strict, loose]).score(&paper("", "police cache", &[]));
        let summary: Vec<_> = scores.iter().map(|s| (&*s.topic.0, s.points, &s.verdict)).collect();
        let excluded = Verdict::ExcludedTerm("police".to_owned());
        assert_eq!(summary, [("t", 1, &excluded), ("loose", 2, &Verdict::Kept)]);
    }

    #[test]
    fn the_first_reason_against_a_paper_is_its_verdict() {
        let mut topic = topic(5, &[(1, &["cache"])]);
        topic.categories_include = strings(&["cs.*", "stat.ML"]);
        topic.categories_exclude = strings(&["cs.CY", "cs.G*"]);
        topic.excluded_terms = strings(&["police", "rumour"]);
        let matcher = Matcher::new(&[topic]);
        let verdict = |text: &str, categories: &[&str]| matcher.score(&paper("", text, categories)).remove(0).verdict;
        assert_eq!(
            verdict("police", &["cs.CY", "cs.LG"]),
            Verdict::ExcludedCategory("cs.CY".to_owned())
        );
        assert_eq!(
            verdict("police", &["cs.GT"]),
            Verdict::ExcludedCategory("cs.GT".to_owned())
        );
        assert_eq!(verdict("police", &["math.ST", "cs"]), Verdict::OtherCategory);
        assert_eq!(
            verdict("rumour, police", &["math.ST", "cs.CY"]),
            Verdict::ExcludedTerm("police".to_owned())
        );
        assert_eq!(verdict("cache", &[]), Verdict::BelowThreshold);
    }

    #[test]
    fn a_judge_decides_the_borderline_within_its_side_and_nothing_else() {
        let rated = |score, verdict| Score {
            topic: TopicId("t".to_owned()),
            points: 5,
            hits: Vec::new(),
            verdict,
            learned: Some(Rated {
                score,
                threshold: 300,
                grounds: Vec::new(),
                points: 5,
                opinion: None,
            }),
        };
        let below = |score| rated(score, Verdict::BelowThreshold);
        let said = |score: Score, yes| {
            score.judged(Opinion {
                yes,
                reason: "x".to_owned(),
            })
        };
        // Every distance within the band, its edges too.
        for score in -700..=1_300 {
            let (yes, no) = (said(below(score), true), said(below(score), false));
            assert_eq!(
                (&yes.verdict, &no.verdict),
                (&Verdict::Kept, &Verdict::BelowThreshold),
                "{score}"
            );
            assert!(yes.rank() >= 5_000 && no.rank() < 5_000, "{score}");
        }
        let order = [-600, -100, 400, 1_200].map(|score| said(below(score), true).rank());
        assert!(order.is_sorted(), "{order:?}");
        let excluded = rated(300, Verdict::ExcludedTerm("y".to_owned()));
        for untouched in [below(-701), rated(1_301, Verdict::Kept), excluded] {
            assert_eq!(said(untouched.clone(), false), untouched);
            assert_eq!(said(untouched.clone(), true), untouched);
        }
    }

    #[test]
    fn points_saturate_instead_of_wrapping() {
        let topic = topic(1, &[(u32::MAX, &["cache", "kv"])]);
        assert_eq!(score(topic, &paper("kv cache", "", &[])).points, u32::MAX);
    }

    #[test]
    fn a_fingerprint_changes_with_all_that_decides_a_score_and_with_nothing_else() {
        let plain = || topic(5, &[(1, &["a", "b"]), (2, &["c"])]);
        let changed = |change: fn(&mut Topic)| {
            let mut topic = plain();
            change(&mut topic);
            topic.fingerprint()
        };
        let changes = [
            changed(|_| {}),
            changed(|t| t.threshold = 6),
            changed(|t| t.title_factor = 5),
            changed(|t| t.tiers[0].weight = 2),
            changed(|t| t.tiers[0].terms[0] = "x".to_owned()),
            changed(|t| {
                let term = t.tiers[0].terms.remove(1);
                t.tiers[1].terms.insert(0, term);
            }),
            changed(|t| t.categories_include.push("cs.*".to_owned())),
            changed(|t| t.categories_exclude.push("cs.*".to_owned())),
            changed(|t| t.excluded_terms.push("cs.*".to_owned())),
        ];
        let distinct: std::collections::BTreeSet<_> = changes.iter().collect();
        assert_eq!(distinct.len(), changes.len());
        assert_eq!(changed(|t| (t.name_en, t.cap) = ("x".to_owned(), 1)), changes[0]);
        // It is written to disk: another version of the program must give the same.
        assert_eq!(changes[0], 6_608_373_559_411_442_483);
    }
}
