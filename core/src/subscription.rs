//! What one channel follows: topics and keywords. Keywords are matched like a topic's terms (whole words, hyphen and
//! plural variants; substrings in Chinese), all of them in one pass.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::paper::Paper;
use crate::rule::Rule;
use crate::text::{fold, one_line};
use crate::topic::terms::TermSet;
use crate::topic::{Hit, TopicId};

/// What a keyword in the title counts more than one in the abstract.
const TITLE_FACTOR: u32 = 3;

/// The subjects of a subscription. Equal sets share one digest.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Subjects {
    /// Followed topics, sorted, without repeats.
    pub topics: Vec<TopicId>,
    /// Keywords, folded, sorted, without repeats. A paper in which one occurs is wanted, whatever its topics.
    pub keywords: Vec<String>,
    /// Rules, sorted, without repeats. A paper that one of them matches is wanted, whatever its topics.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<Rule>,
}

/// Keywords compiled into one automaton.
#[derive(Debug, Clone)]
pub struct KeywordMatcher {
    terms: TermSet,
    keywords: Vec<String>,
}

impl KeywordMatcher {
    /// Compiles the keywords.
    pub fn new(keywords: &[String]) -> Self {
        Self {
            terms: TermSet::new(keywords.iter().map(String::as_str)),
            keywords: keywords.to_vec(),
        }
    }

    /// The keywords that occur in the paper, in the order of the list; `points` is 1 for each, times 3 in the title.
    pub fn find(&self, paper: &Paper) -> Vec<Hit> {
        let found = self.terms.find(paper.title(), paper.abstract_text());
        found
            .into_iter()
            .filter_map(|found| {
                Some(Hit {
                    term: self.keywords.get(found.term)?.clone(),
                    points: if found.in_title { TITLE_FACTOR } else { 1 },
                    in_title: found.in_title,
                })
            })
            .collect()
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
            rules: Vec::new(),
        }
    }

    /// The same with these rules.
    #[must_use]
    pub fn with_rules(self, rules: impl IntoIterator<Item = Rule>) -> Self {
        let rules: BTreeSet<Rule> = rules.into_iter().collect();
        Self {
            rules: rules.into_iter().collect(),
            ..self
        }
    }

    /// How many there are of all kinds.
    pub fn len(&self) -> usize {
        self.topics.len() + self.keywords.len() + self.rules.len()
    }

    /// Whether nothing is followed.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::paper::{Field, PaperId};
    use crate::source::SourceKind;

    #[test]
    fn keywords_are_found_like_terms_and_listed_in_their_own_order() {
        let mut paper = Paper::new(PaperId::Arxiv("2510.00001".to_owned()));
        paper.title = Some(Field::new("KV-Caching".to_owned(), SourceKind::ArxivMail));
        paper.abstract_text = Some(Field::new(
            "投机解码 on GPUs, no fragments".to_owned(),
            SourceKind::ArxivMail,
        ));
        let keywords = ["投机解码", "rag", "kv cache", "gpu"].map(str::to_owned);
        let hits = KeywordMatcher::new(&keywords).find(&paper);
        let hit = |term: &str, points, in_title| Hit {
            term: term.to_owned(),
            points,
            in_title,
        };
        assert_eq!(
            hits,
            [
                hit("投机解码", 1, false),
                hit("kv cache", 3, true),
                hit("gpu", 1, false)
            ]
        );
    }
}
