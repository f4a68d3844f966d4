//! What one channel follows: topics and keywords. Keywords are matched like a topic's terms (whole words, hyphen and
//! plural variants; substrings in Chinese), all of them in one pass.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::paper::Paper;
use crate::text::{fold, one_line};
use crate::topic::{Hit, TopicId};

/// The subjects of a subscription. Equal sets share one digest.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Subjects {
    /// Followed topics, sorted, without repeats.
    pub topics: Vec<TopicId>,
    /// Keywords, folded, sorted, without repeats. A paper in which one occurs is wanted, whatever its topics.
    pub keywords: Vec<String>,
}

/// Keywords compiled into one automaton.
#[derive(Debug, Clone)]
pub struct KeywordMatcher {}

impl KeywordMatcher {
    /// Compiles the keywords.
    pub fn new(keywords: &[String]) -> Self {
        let _ = keywords;
        todo!()
    }

    /// The keywords that occur in the paper, in the order of the list; `points` is 1 for each, times 3 in the title.
    pub fn find(&self, paper: &Paper) -> Vec<Hit> {
        let _ = paper;
        todo!()
    }
}

impl Subjects {
    /// Sorts, folds and removes repeats, so that equal wishes are equal values.
    pub fn new(topics: impl IntoIterator<Item = TopicId>, keywords: impl IntoIterator<Item = String>) -> Self {
        let topics: BTreeSet<TopicId> = topics.into_iter().collect();
        let keywords: BTreeSet<String> = keywords
            .into_iter()
            .map(|keyword| one_line(&fold(&keyword)))
            .filter(|keyword| !keyword.is_empty())
            .collect();
        Self {
            topics: topics.into_iter().collect(),
            keywords: keywords.into_iter().collect(),
        }
    }
}
