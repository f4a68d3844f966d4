//! Which papers a team cares about, as weighted terms: a profile scores a paper and can say why. All terms of all
//! topics are found in one pass over the text.

use serde::{Deserialize, Serialize};

use crate::paper::Paper;

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
}

/// All topics compiled into one automaton.
#[derive(Debug, Clone)]
pub struct Matcher {}

impl Matcher {
    /// Compiles the topics.
    pub fn new(topics: &[Topic]) -> Self {
        let _ = topics;
        todo!()
    }

    /// The paper's score under each topic, in the topics' order, in one pass over title and abstract.
    pub fn score(&self, paper: &Paper) -> Vec<Score> {
        let _ = paper;
        todo!()
    }
}

impl Topic {
    /// A stable hash of everything that decides a score; it changes when the profile does, so that stored matches can be
    /// told to be stale.
    pub fn fingerprint(&self) -> u64 {
        todo!()
    }
}
