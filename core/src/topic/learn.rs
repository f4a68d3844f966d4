//! Learning what a topic's readers choose: a linear model over what is in a paper, trained in seconds from [`Example`]s, that
//! can say term by term why it ranks a paper where it does.
//!
//! It is logistic regression with an L2 penalty: of a few hundred chosen papers nothing richer can be learnt, and a sum is
//! an explanation. The topic's weighted points are its strongest features, in a few shapes, so that with little to learn
//! from it ranks as the points do; the points' terms, phrases of one to three words, categories and the number of authors
//! correct them. How much each kind of feature may say ([`Kind`]) was measured on days that training did not see.
//!
//! There is no chance in it: examples are sorted by their papers' ids first, so that their order changes nothing.

use std::collections::hash_map::{DefaultHasher, Entry};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::hash::{Hash as _, Hasher as _};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::eval::{self, Summary};
use super::examples::{Day, Example};
use super::terms::Canonical;
use super::{Ground, Matcher, Rated, Topic, TopicId, Verdict};
use crate::paper::{Paper, PaperId};
use crate::text;

/// Raised when the features below change: a model of another version cannot be used.
const VERSION: u32 = 1;

/// The longest phrase, in words.
const LONGEST: usize = 3;
/// A phrase that fewer papers have says nothing about others.
const LEAST_PAPERS: u32 = 3;
/// What a weight costs; the bias costs nearly nothing.
const PENALTY: f64 = 1.0;
const BIAS_PENALTY: f64 = 1e-4;
/// A paper that was wanted counts so often: there are about twenty others to each.
const WANTED: f64 = 3.0;
/// A smaller weight is left out; ten thousand of them would say less than one term.
const LEAST_WEIGHT: f64 = 5e-4;
/// Decimals of a stored weight, as a factor.
const DECIMALS: f64 = 1e6;
/// How many contributions are kept with a score.
const GROUNDS: usize = 8;
/// Fewer papers that were wanted, or that were not, teach nothing.
const FEWEST: usize = 5;
/// In how many parts at most the mailings are split to test a model on what it did not see.
pub const FOLDS: usize = 4;

/// A kind of feature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A number about the whole paper: its points in several shapes, its authors.
    Whole,
    /// A weighted term of the topic.
    Term,
    /// The same in the title.
    TermInTitle,
    /// The primary category.
    Primary,
    /// Any category.
    Category,
    /// A phrase of the title.
    Title,
    /// A phrase of the abstract.
    Abstract,
}

impl Kind {
    /// How a person reads a feature of this kind.
    pub fn describe(self, name: &str) -> String {
        match self {
            Self::Whole => name.to_owned(),
            Self::Term => format!("term “{name}”"),
            Self::TermInTitle => format!("term “{name}” in the title"),
            Self::Primary => format!("primary category {name}"),
            Self::Category => format!("category {name}"),
            Self::Title => format!("“{name}” in the title"),
            Self::Abstract => format!("“{name}” in the abstract"),
        }
    }

    /// What a feature's value is multiplied with before it is learnt from. A larger value needs a smaller weight, which
    /// costs less: this is how much a kind is trusted.
    fn scale(self) -> f64 {
        match self {
            Self::Whole => 1.0,
            Self::Term => 0.3,
            Self::TermInTitle => 0.2,
            Self::Primary => 0.1,
            Self::Category => 0.07,
            Self::Title => 0.125,
            Self::Abstract => 0.042,
        }
    }
}

/// A weighted term that was found in a paper.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) term: String,
    pub(super) weight: u32,
    pub(super) in_title: bool,
    pub(super) times: u32,
}

impl Seen {
    pub(super) fn points(&self, title_factor: u32) -> u32 {
        self.weight.saturating_mul(if self.in_title { title_factor } else { 1 })
    }
}

/// What there is to judge a paper by.
#[derive(Debug, Clone, Copy)]
pub(super) struct Evidence<'a> {
    pub(super) paper: &'a Paper,
    pub(super) seen: &'a [Seen],
    pub(super) title_factor: u32,
    /// The weight of the topic's heaviest tier, at least 1.
    pub(super) heaviest: u32,
}

/// Half a logarithm: points grow without end, and what they say does not.
fn shaped(value: f64) -> f64 {
    value.ln_1p() / 2.0
}

impl Evidence<'_> {
    fn points(&self) -> u32 {
        let of = |seen: &Seen| seen.points(self.title_factor);
        self.seen.iter().fold(0, |sum, seen| sum.saturating_add(of(seen)))
    }

    /// The features that are neither phrases nor rare: kind, name and value.
    fn known(&self) -> Vec<(Kind, &str, f64)> {
        let heaviest = f64::from(self.heaviest);
        let sum = |of: &dyn Fn(&Seen) -> f64| self.seen.iter().map(of).sum::<f64>();
        let points = f64::from(self.points());
        let in_title = sum(&|seen| {
            if seen.in_title {
                f64::from(seen.points(self.title_factor))
            } else {
                0.0
            }
        });
        let mentions = sum(&|seen| f64::from(seen.weight) * f64::from(seen.times));
        let top = self.seen.iter().map(|seen| seen.weight).max().unwrap_or(0);
        let strong = sum(&|seen| if seen.weight * 4 >= self.heaviest * 3 { 1.0 } else { 0.0 });
        let authors = f64::from(self.paper.author_count().unwrap_or(4).max(1));
        let mut known = vec![
            (Kind::Whole, "points, logarithmic", shaped(points)),
            (
                Kind::Whole,
                "points",
                points.min(10.0 * heaviest) / (10.0 * heaviest) * 3.0,
            ),
            (Kind::Whole, "points in the title", shaped(in_title)),
            (Kind::Whole, "number of terms", shaped(self.seen.len() as f64)),
            (Kind::Whole, "heaviest term", f64::from(top) / heaviest),
            (Kind::Whole, "number of heavy terms", 2.0 * shaped(strong)),
            (Kind::Whole, "mentions of terms", shaped(mentions)),
            (Kind::Whole, "number of authors", authors.ln() / 2.0),
        ];
        for seen in self.seen {
            let value = f64::from(seen.weight) / heaviest;
            known.push((Kind::Term, &seen.term, value));
            if seen.in_title {
                known.push((Kind::TermInTitle, &seen.term, value));
            }
        }
        let categories = self.paper.categories();
        known.extend(
            categories
                .iter()
                .take(1)
                .map(|name| (Kind::Primary, name.as_str(), 1.0)),
        );
        known.extend(categories.iter().map(|name| (Kind::Category, name.as_str(), 1.0)));
        known
    }
}

/// The phrases of a text with how often each occurs, in order.
fn counted(canonical: &Canonical) -> Vec<(&str, u32)> {
    let mut phrases: Vec<&str> = canonical.phrases(LONGEST).map(|(_, _, phrase)| phrase).collect();
    phrases.sort_unstable();
    let mut counted: Vec<(&str, u32)> = Vec::with_capacity(phrases.len());
    for phrase in phrases {
        match counted.last_mut() {
            Some((last, times)) if *last == phrase => *times += 1,
            Some(_) | None => counted.push((phrase, 1)),
        }
    }
    counted
}

/// What a phrase counts that occurs so often: the first time says most.
fn frequency(times: u32) -> f64 {
    1.0 + f64::from(times.max(1)).ln()
}

/// A weight of the model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Weight {
    /// What one unit of the feature adds to the score.
    #[serde(rename = "w")]
    weight: f64,
    /// How people write the phrase; absent where the key is what they write.
    #[serde(rename = "as", default, skip_serializing_if = "Option::is_none")]
    spelling: Option<String>,
}

/// A ranking that was learnt from examples.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Learned {
    version: u32,
    /// Whose.
    pub topic: TopicId,
    /// Which terms and weights the topic had then ([`Topic::profile`]).
    profile: u64,
    /// When it was trained.
    pub trained_at: DateTime<Utc>,
    /// The days that it was trained on.
    pub days: Vec<String>,
    /// How many papers those and the single examples had, …
    pub examples: usize,
    /// … and how many of them were wanted.
    pub wanted: usize,
    /// The recall for which the threshold was chosen, from 0 to 1.
    pub recall: f64,
    /// The least score that is kept, in log-odds.
    pub threshold: f64,
    /// What it reached on days that it was not trained on, each day left out in its turn; `None` of a single day.
    pub figures: Option<Summary>,
    bias: f64,
    weights: BTreeMap<Kind, BTreeMap<String, Weight>>,
    /// Which language model is asked about the borderline. It is no part of the file: the configuration says.
    #[serde(skip)]
    judge: Option<String>,
}

impl Eq for Learned {}

/// Why a stored model cannot be used; the topic's weighted terms go on without it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LearnedError {
    /// It cannot be read.
    #[error("it is damaged ({0}); train the topic again")]
    Damaged(String),
    /// It was written by another version of the program.
    #[error("it is of version {0}, and this program uses version {VERSION}; train the topic again")]
    Version(u64),
    /// It is another topic's.
    #[error("it is the model of topic “{0}”")]
    Topic(TopicId),
    /// The topic's terms are others now.
    #[error("the topic's terms, weights or categories have changed since it was trained; train the topic again")]
    Profile,
}

/// Why nothing can be learnt.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TrainError {
    /// There are too few examples.
    #[error(
        "of {examples} examples {wanted} were wanted; it takes at least {FEWEST} that were and {FEWEST} that were not: give more days, ids or votes"
    )]
    TooFew {
        /// All.
        examples: usize,
        /// Those that were wanted.
        wanted: usize,
    },
    /// The wanted recall is no part.
    #[error("a recall lies above 0 and is at most 1, such as 0.95")]
    Recall,
}

/// One line of an explanation.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    /// The kind of feature.
    pub kind: Kind,
    /// Which one, as people write it.
    pub name: String,
    /// Its value in the paper.
    pub value: f64,
    /// What one unit adds.
    pub weight: f64,
}

impl Part {
    /// What it adds to the score.
    pub fn adds(&self) -> f64 {
        self.value * self.weight
    }
}

pub(super) fn thousandths(value: f64) -> i32 {
    (value * 1000.0).round() as i32
}

impl Learned {
    /// Reads a stored model for a topic.
    ///
    /// # Errors
    /// [`LearnedError`] when it cannot be used for that topic as it is now.
    pub fn read(bytes: &[u8], topic: &Topic) -> Result<Self, LearnedError> {
        #[derive(Deserialize)]
        struct Versioned {
            version: u64,
        }
        let damaged = |error: serde_json::Error| LearnedError::Damaged(error.to_string());
        let Versioned { version } = serde_json::from_slice(bytes).map_err(damaged)?;
        if version != u64::from(VERSION) {
            return Err(LearnedError::Version(version));
        }
        let learned: Self = serde_json::from_slice(bytes).map_err(damaged)?;
        if learned.topic != topic.id {
            return Err(LearnedError::Topic(learned.topic));
        }
        if learned.profile != topic.profile() {
            return Err(LearnedError::Profile);
        }
        Ok(learned)
    }

    /// As it is stored: JSON.
    ///
    /// # Errors
    /// Never in practice: every value of it has a form in JSON.
    pub fn write(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(self)
    }

    /// With a judge of the borderline: the language model of this name.
    #[must_use]
    pub fn judged_by(self, model: &str) -> Self {
        let judge = Some(model.to_owned());
        Self { judge, ..self }
    }

    /// Which language model is asked about the borderline, if one is.
    pub fn judge(&self) -> Option<&str> {
        self.judge.as_deref()
    }

    /// How many weights it has.
    pub fn size(&self) -> usize {
        self.weights.values().map(BTreeMap::len).sum()
    }

    /// A stable hash of everything that decides its scores, and of whose opinions count.
    pub fn fingerprint(&self) -> u64 {
        let mut parts = vec![
            self.version.to_string(),
            self.bias.to_string(),
            self.threshold.to_string(),
        ];
        for (kind, weights) in &self.weights {
            parts.push(format!("{kind:?} {}", weights.len()));
            parts.extend(weights.iter().flat_map(|(key, w)| [key.clone(), w.weight.to_string()]));
        }
        parts.extend(self.judge.iter().map(|model| format!("judge {model}")));
        text::hash64(&parts.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// The strongest weights, `most` of those that speak for a paper and `most` of those against it: kind, name, weight.
    pub fn strongest(&self, most: usize) -> [Vec<(Kind, String, f64)>; 2] {
        let mut all: Vec<(Kind, String, f64)> = Vec::new();
        for (&kind, weights) in &self.weights {
            for (key, weight) in weights {
                all.push((
                    kind,
                    weight.spelling.clone().unwrap_or_else(|| key.clone()),
                    weight.weight,
                ));
            }
        }
        all.sort_by(|a, b| b.2.total_cmp(&a.2).then_with(|| (a.0, &a.1).cmp(&(b.0, &b.1))));
        let against = all.iter().rev().take_while(|w| w.2 < 0.0).take(most).cloned().collect();
        all.retain(|w| w.2 > 0.0);
        all.truncate(most);
        [all, against]
    }

    /// What every paper begins with.
    pub fn bias(&self) -> f64 {
        self.bias
    }

    /// Every feature of the paper that has a weight; bias and contributions together are the score.
    pub(super) fn parts(&self, evidence: &Evidence<'_>) -> Vec<Part> {
        let mut parts = Vec::new();
        let mut push = |kind: Kind, key: &str, value: f64| {
            if let Some(weight) = self.weights.get(&kind).and_then(|weights| weights.get(key)) {
                parts.push(Part {
                    kind,
                    name: weight.spelling.clone().unwrap_or_else(|| key.to_owned()),
                    value,
                    weight: weight.weight,
                });
            }
        };
        for (kind, key, value) in evidence.known() {
            push(kind, key, value);
        }
        let texts = [
            (Kind::Title, evidence.paper.title()),
            (Kind::Abstract, evidence.paper.abstract_text()),
        ];
        for (kind, text) in texts {
            let mut canonical = Canonical::new();
            canonical.push(text);
            for (phrase, times) in counted(&canonical) {
                push(kind, phrase, frequency(times));
            }
        }
        parts
    }

    /// The score with what contributed most.
    pub(super) fn rate(&self, evidence: &Evidence<'_>) -> Rated {
        let mut parts = self.parts(evidence);
        let score = self.bias + parts.iter().map(Part::adds).sum::<f64>();
        parts.sort_by(|a, b| b.adds().abs().total_cmp(&a.adds().abs()));
        let grounds = parts.into_iter().take(GROUNDS).map(|part| Ground {
            kind: part.kind,
            adds: thousandths(part.adds()),
            name: part.name,
        });
        Rated {
            score: thousandths(score),
            threshold: thousandths(self.threshold),
            grounds: grounds.collect(),
            points: 0,
            opinion: None,
        }
    }
}

impl Topic {
    /// Term by term why the learned ranking places a paper where it does: what contributes most comes first, and with
    /// the bias ([`Learned::bias`]) the contributions add up to the score. Empty without a learned ranking.
    pub fn explain(&self, paper: &Paper) -> Vec<Part> {
        let Some(learned) = &self.learned else {
            return Vec::new();
        };
        let matcher = Matcher::new(std::slice::from_ref(self));
        let read = matcher.read(paper);
        let (Some(rules), Some((seen, _))) = (matcher.topics.first(), read.first()) else {
            return Vec::new();
        };
        let mut parts = learned.parts(&rules.evidence(paper, seen));
        parts.sort_by(|a, b| b.adds().abs().total_cmp(&a.adds().abs()));
        parts
    }
}

/// A paper in numbers.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) id: PaperId,
    pub(super) wanted: bool,
    /// The paper's points, and whether the weighted terms keep it.
    pub(super) points: u32,
    pub(super) kept: bool,
    /// Whether an exclusion of the topic takes it out, whatever its score.
    pub(super) excluded: bool,
    /// Features with their values, not scaled, by the place of the feature.
    values: Vec<(usize, f64)>,
}

/// A feature that occurs in the corpus.
#[derive(Debug)]
struct Feature {
    kind: Kind,
    key: String,
    spelling: Option<String>,
}

/// Examples in numbers, from which any part can be learnt and the rest be ranked.
#[derive(Debug)]
pub(super) struct Corpus {
    pub(super) rows: Vec<Row>,
    features: Vec<Feature>,
}

impl Corpus {
    /// Reads days and single examples, and says which rows each day has, and which the single ones.
    pub(super) fn of(topic: &Topic, days: &[&Day], single: &[Example]) -> (Self, Vec<Vec<usize>>, Vec<usize>) {
        let mut sorted: Vec<Vec<&Example>> = days.iter().map(|day| day.papers.iter().collect()).collect();
        sorted.push(single.iter().collect());
        for examples in &mut sorted {
            examples.sort_by(|a, b| (&a.paper.id, a.wanted).cmp(&(&b.paper.id, b.wanted)));
        }
        let corpus = Self::new(topic, sorted.iter().flatten().copied());
        let mut rows = 0..corpus.rows.len();
        let mut taken: Vec<Vec<usize>> = sorted
            .iter()
            .map(|examples| rows.by_ref().take(examples.len()).collect())
            .collect();
        let single = taken.pop().unwrap_or_default();
        (corpus, taken, single)
    }

    /// Reads the papers, in their order.
    pub(super) fn new<'a>(topic: &Topic, examples: impl IntoIterator<Item = &'a Example>) -> Self {
        // A topic that was taught before is judged by its terms alone.
        let plain = Topic {
            learned: None,
            ..topic.clone()
        };
        let matcher = Matcher::new(std::slice::from_ref(&plain));
        let examples: Vec<&Example> = examples.into_iter().collect();
        let texts: Vec<[Text; 2]> = examples
            .iter()
            .map(|example| {
                let paper = &example.paper;
                [
                    Text::read(Kind::Title, paper.title()),
                    Text::read(Kind::Abstract, paper.abstract_text()),
                ]
            })
            .collect();
        // Most phrases occur once: they are counted by their hashes, or each would be kept as text.
        let mut papers: HashMap<u64, u32> = HashMap::new();
        for phrase in texts.iter().flatten().flat_map(|text| &text.phrases) {
            *papers.entry(phrase.hash).or_default() += 1;
        }
        let mut corpus = Self {
            rows: Vec::with_capacity(examples.len()),
            features: Vec::new(),
        };
        let mut index: HashMap<u64, usize> = HashMap::new();
        for (example, texts) in examples.into_iter().zip(&texts) {
            let paper = &example.paper;
            let read = matcher.read(paper);
            let (Some(rules), Some((seen, excluded))) = (matcher.topics.first(), read.into_iter().next()) else {
                continue;
            };
            let evidence = rules.evidence(paper, &seen);
            let mut values = Vec::new();
            for (kind, key, value) in evidence.known() {
                let named = || Some((key.to_owned(), None));
                if let Some(at) = corpus.feature(&mut index, kind, hashed(kind, key), named) {
                    values.push((at, value));
                }
            }
            for text in texts {
                for phrase in &text.phrases {
                    if papers.get(&phrase.hash).is_none_or(|&papers| papers < LEAST_PAPERS) {
                        continue;
                    }
                    let named = || text.named(phrase);
                    if let Some(at) = corpus.feature(&mut index, text.kind, phrase.hash, named) {
                        values.push((at, frequency(phrase.times)));
                    }
                }
            }
            let score = rules.score(paper, &seen, excluded);
            corpus.rows.push(Row {
                id: paper.id.clone(),
                wanted: example.wanted,
                points: score.points,
                kept: score.verdict == Verdict::Kept,
                excluded: match score.verdict {
                    Verdict::Kept | Verdict::BelowThreshold => false,
                    Verdict::ExcludedTerm(_) | Verdict::ExcludedCategory(_) | Verdict::OtherCategory => true,
                },
                values,
            });
        }
        corpus
    }

    /// The place of the feature with this hash; `named` gives the key and spelling of one that is new.
    fn feature(
        &mut self,
        index: &mut HashMap<u64, usize>,
        kind: Kind,
        hash: u64,
        named: impl FnOnce() -> Option<(String, Option<String>)>,
    ) -> Option<usize> {
        match index.entry(hash) {
            Entry::Occupied(known) => Some(*known.get()),
            Entry::Vacant(new) => {
                let (key, spelling) = named()?;
                let spelling = spelling.filter(|spelling| *spelling != key);
                let at = self.features.len();
                self.features.push(Feature { kind, key, spelling });
                Some(*new.insert(at))
            }
        }
    }

    /// Of the rows at `among` those that may be learnt from when the papers of the rows at `unseen` are to be ranked: each
    /// paper once, wanted if it was wanted anywhere, in the order of ids.
    fn lessons(&self, among: &[usize], unseen: &[usize]) -> Vec<(usize, bool)> {
        let row = |at: &usize| self.rows.get(*at);
        let hidden: HashSet<&PaperId> = unseen.iter().filter_map(row).map(|row| &row.id).collect();
        let mut lessons: BTreeMap<&PaperId, (usize, bool)> = BTreeMap::new();
        for &at in among {
            let Some(row) = self.rows.get(at).filter(|row| !hidden.contains(&row.id)) else {
                continue;
            };
            let lesson = lessons.entry(&row.id).or_insert((at, false));
            lesson.1 |= row.wanted;
        }
        lessons.into_values().collect()
    }

    /// Learns from the rows at `among` without any paper of those at `unseen`.
    pub(super) fn fit(&self, among: &[usize], unseen: &[usize]) -> Fitted {
        let lessons = self.lessons(among, unseen);
        // How many of these papers have each feature: what is rare among them cannot be learnt.
        let mut papers = vec![0_u32; self.features.len()];
        for (at, _) in lessons
            .iter()
            .flat_map(|&(row, _)| self.rows.get(row))
            .flat_map(|row| &row.values)
        {
            if let Some(count) = papers.get_mut(*at) {
                *count += 1;
            }
        }
        let all = lessons.len() as f64;
        let mut place = vec![usize::MAX; self.features.len()];
        let mut factors = Vec::new();
        let mut columns = Vec::new();
        for (at, (feature, &count)) in self.features.iter().zip(&papers).enumerate() {
            let factor = match feature.kind {
                Kind::Whole | Kind::Term | Kind::TermInTitle | Kind::Primary | Kind::Category if count > 0 => {
                    feature.kind.scale()
                }
                // The rarer a phrase, the more it says: inverse document frequency.
                Kind::Title | Kind::Abstract if count >= LEAST_PAPERS => {
                    feature.kind.scale() * ((1.0 + all) / (1.0 + f64::from(count))).ln() / 4.0
                }
                Kind::Whole
                | Kind::Term
                | Kind::TermInTitle
                | Kind::Primary
                | Kind::Category
                | Kind::Title
                | Kind::Abstract => continue,
            };
            if let Some(place) = place.get_mut(at) {
                *place = factors.len() + 1;
            }
            factors.push(factor);
            columns.push(at);
        }
        let mut problem = Problem::new(factors.len() + 1);
        for &(row, wanted) in &lessons {
            let Some(row) = self.rows.get(row) else { continue };
            let scaled = row.values.iter().filter_map(|&(at, value)| {
                let column = *place.get(at)?;
                Some((column, value * factors.get(column.checked_sub(1)?)?))
            });
            problem.push(scaled, wanted);
        }
        let solution = problem.solve();
        let rounded = |weight: f64| (weight * DECIMALS).round() / DECIMALS;
        let mut weights = vec![0.0; self.features.len()];
        for ((at, factor), solved) in columns.into_iter().zip(factors).zip(solution.iter().skip(1)) {
            let weight = rounded(solved * factor);
            if weight.abs() >= LEAST_WEIGHT
                && let Some(slot) = weights.get_mut(at)
            {
                *slot = weight;
            }
        }
        Fitted {
            bias: rounded(solution.first().copied().unwrap_or(0.0)),
            weights,
            wanted: lessons.iter().filter(|lesson| lesson.1).count(),
            examples: lessons.len(),
        }
    }

    /// The scores of rows, each by a model that has not seen its part; `parts` are rows, and `always` are learnt from in
    /// every case, and no paper of `unseen` in any.
    pub(super) fn cross_validated(
        &self,
        parts: &[Vec<usize>],
        always: &[usize],
        unseen: &[usize],
    ) -> Vec<(usize, f64)> {
        let mut scores = Vec::new();
        for part in parts {
            let others = parts.iter().filter(|other| !std::ptr::eq(*other, part)).flatten();
            let among: Vec<usize> = others.chain(always).copied().collect();
            let hidden: Vec<usize> = part.iter().chain(unseen).copied().collect();
            let fitted = self.fit(&among, &hidden);
            scores.extend(part.iter().map(|&row| (row, fitted.score(self, row))));
        }
        scores
    }

    /// The threshold for a recall: the score that so many of the wanted rows reach which were scored by models that had not
    /// seen them.
    pub(super) fn threshold(&self, scores: &[(usize, f64)], recall: f64) -> f64 {
        let mut wanted: Vec<f64> = scores
            .iter()
            .filter_map(|&(row, score)| Some((self.rows.get(row)?, score)))
            .filter(|(row, _)| row.wanted && !row.excluded)
            .map(|(_, score)| score)
            .collect();
        wanted.sort_by(|a, b| b.total_cmp(a));
        let reached = (recall * wanted.len() as f64).ceil() as usize;
        let at = wanted.get(reached.saturating_sub(1)).or(wanted.last());
        at.copied().unwrap_or(0.0)
    }
}

fn hashed(kind: Kind, key: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    (kind, key).hash(&mut hasher);
    hasher.finish()
}

/// A phrase of a text.
#[derive(Debug)]
struct Phrase {
    /// Of its kind and form.
    hash: u64,
    times: u32,
    /// The words with which it begins and ends where it stands first.
    first: usize,
    last: usize,
}

/// A title or an abstract with its phrases, each once, ordered by their hashes.
#[derive(Debug)]
struct Text {
    kind: Kind,
    canonical: Canonical,
    phrases: Vec<Phrase>,
}

impl Text {
    fn read(kind: Kind, text: &str) -> Self {
        let mut canonical = Canonical::with_spelling();
        canonical.push(text);
        let mut phrases: Vec<Phrase> = canonical
            .phrases(LONGEST)
            .map(|(first, last, phrase)| Phrase {
                hash: hashed(kind, phrase),
                times: 1,
                first,
                last,
            })
            .collect();
        phrases.sort_unstable_by_key(|phrase| (phrase.hash, phrase.first, phrase.last));
        phrases.dedup_by(|again, phrase| {
            let same = again.hash == phrase.hash;
            phrase.times += u32::from(same);
            same
        });
        Self {
            kind,
            canonical,
            phrases,
        }
    }

    /// A phrase's form, and how it is written in the words of the text.
    fn named(&self, phrase: &Phrase) -> Option<(String, Option<String>)> {
        let start = *self.canonical.starts.get(phrase.first)?;
        let (end, _) = *self.canonical.ends.get(phrase.last)?;
        let form = self.canonical.text.get(start..end)?.to_owned();
        let words: Option<Vec<&str>> = (phrase.first..=phrase.last)
            .map(|at| self.canonical.spelt(at, at))
            .collect();
        Some((form, words.map(|words| words.join(" "))))
    }
}

/// Weights for a corpus.
#[derive(Debug)]
pub(super) struct Fitted {
    bias: f64,
    weights: Vec<f64>,
    pub(super) wanted: usize,
    pub(super) examples: usize,
}

impl Fitted {
    /// Whether it was learnt from enough.
    pub(super) fn enough(&self) -> Result<(), TrainError> {
        if self.wanted < FEWEST || self.examples - self.wanted < FEWEST {
            return Err(TrainError::TooFew {
                examples: self.examples,
                wanted: self.wanted,
            });
        }
        Ok(())
    }

    pub(super) fn score(&self, corpus: &Corpus, row: usize) -> f64 {
        let values = corpus.rows.get(row).map_or(&[][..], |row| &row.values);
        let weight = |at: usize| self.weights.get(at).copied().unwrap_or(0.0);
        self.bias + values.iter().map(|&(at, value)| weight(at) * value).sum::<f64>()
    }
}

/// Logistic regression: sparse rows, the first column of which is the bias. Half as wide as elsewhere, since going
/// through them is what takes the time.
struct Problem {
    rows: Vec<Vec<(u32, f32)>>,
    wanted: Vec<bool>,
    columns: usize,
}

impl Problem {
    const STEPS: usize = 10;
    const INNER_STEPS: usize = 30;

    fn new(columns: usize) -> Self {
        Self {
            rows: Vec::new(),
            wanted: Vec::new(),
            columns,
        }
    }

    fn push(&mut self, values: impl Iterator<Item = (usize, f64)>, wanted: bool) {
        let narrow = |(column, value): (usize, f64)| Some((u32::try_from(column).ok()?, value as f32));
        self.rows
            .push(std::iter::once((0, 1.0)).chain(values.filter_map(narrow)).collect());
        self.wanted.push(wanted);
    }

    fn examples(&self) -> impl Iterator<Item = (&[(u32, f32)], bool)> {
        self.rows.iter().map(Vec::as_slice).zip(self.wanted.iter().copied())
    }

    fn penalised(weights: &[f64]) -> impl Iterator<Item = f64> {
        let penalty = |at| if at == 0 { BIAS_PENALTY } else { PENALTY };
        weights.iter().enumerate().map(move |(at, weight)| penalty(at) * weight)
    }

    /// What is to be small: the penalty, and the surprise at each example.
    fn cost(&self, weights: &[f64]) -> f64 {
        let penalty: f64 = Self::penalised(weights).zip(weights).map(|(p, w)| p * w / 2.0).sum();
        let surprise = self.examples().map(|(row, wanted)| {
            let score = dot(row, weights);
            let right = if wanted { score } else { -score };
            importance(wanted) * ((-right.abs()).exp().ln_1p() + (-right).max(0.0))
        });
        penalty + surprise.sum::<f64>()
    }

    /// Newton's method, each step of which is solved by conjugate gradients: no step size to choose, and a dozen steps are
    /// enough (Lin, Weng, Keerthi 2008, without their trust region: the step is halved instead where it does not help).
    fn solve(&self) -> Vec<f64> {
        let mut weights = vec![0.0; self.columns];
        let mut cost = self.cost(&weights);
        for _ in 0..Self::STEPS {
            let mut gradient: Vec<f64> = Self::penalised(&weights).collect();
            let mut curvature = Vec::with_capacity(self.rows.len());
            for (row, wanted) in self.examples() {
                let chance = 1.0 / (1.0 + (-dot(row, &weights)).exp());
                let importance = importance(wanted);
                curvature.push(importance * chance * (1.0 - chance));
                add(&mut gradient, row, importance * (chance - f64::from(u8::from(wanted))));
            }
            let steepness = norm(&gradient);
            if steepness < 1e-4 {
                break;
            }
            let direction = self.newton(&gradient, &curvature, 0.1 * steepness);
            let mut length = 1.0;
            let (next, next_cost) = loop {
                let next: Vec<f64> = weights.iter().zip(&direction).map(|(w, d)| w + length * d).collect();
                let next_cost = self.cost(&next);
                if next_cost <= cost || length < 1e-3 {
                    break (next, next_cost);
                }
                length /= 2.0;
            };
            if next_cost > cost {
                break;
            }
            weights = next;
            cost = next_cost;
        }
        weights
    }

    fn newton(&self, gradient: &[f64], curvature: &[f64], tolerance: f64) -> Vec<f64> {
        let mut direction = vec![0.0; self.columns];
        let mut rest: Vec<f64> = gradient.iter().map(|g| -g).collect();
        let mut search = rest.clone();
        let mut size = square(&rest);
        for _ in 0..Self::INNER_STEPS {
            let mut bent: Vec<f64> = Self::penalised(&search).collect();
            for (row, &curvature) in self.rows.iter().zip(curvature) {
                if curvature > 1e-9 {
                    add(&mut bent, row, curvature * dot(row, &search));
                }
            }
            let along: f64 = search.iter().zip(&bent).map(|(s, b)| s * b).sum();
            if along <= 0.0 {
                break;
            }
            let step = size / along;
            for ((d, r), (s, b)) in direction.iter_mut().zip(&mut rest).zip(search.iter().zip(&bent)) {
                *d += step * s;
                *r -= step * b;
            }
            let left = square(&rest);
            if left.sqrt() < tolerance {
                break;
            }
            let keep = left / size;
            size = left;
            for (s, r) in search.iter_mut().zip(&rest) {
                *s = r + keep * *s;
            }
        }
        direction
    }
}

fn importance(wanted: bool) -> f64 {
    if wanted { WANTED } else { 1.0 }
}

fn dot(row: &[(u32, f32)], weights: &[f64]) -> f64 {
    row.iter()
        .map(|&(at, value)| weights.get(at as usize).copied().unwrap_or(0.0) * f64::from(value))
        .sum()
}

fn add(sum: &mut [f64], row: &[(u32, f32)], times: f64) {
    for &(at, value) in row {
        if let Some(slot) = sum.get_mut(at as usize) {
            *slot += times * f64::from(value);
        }
    }
}

fn square(vector: &[f64]) -> f64 {
    vector.iter().map(|v| v * v).sum()
}

fn norm(vector: &[f64]) -> f64 {
    square(vector).sqrt()
}

/// The days, each given by its rows, by their mailings: two days that share most papers are of the same one.
pub(super) fn mailings(corpus: &Corpus, days: &[Vec<usize>]) -> Vec<Vec<usize>> {
    let mut known: Vec<(BTreeSet<&PaperId>, Vec<usize>)> = Vec::new();
    for (day, rows) in days.iter().enumerate() {
        let ids: BTreeSet<&PaperId> = rows
            .iter()
            .filter_map(|&at| corpus.rows.get(at))
            .map(|row| &row.id)
            .collect();
        let same = known
            .iter_mut()
            .find(|(known, _)| known.intersection(&ids).count() * 2 > known.len().min(ids.len()));
        match same {
            Some((known, days)) => {
                known.extend(ids);
                days.push(day);
            }
            None => known.push((ids, vec![day])),
        }
    }
    known.into_iter().map(|(_, days)| days).collect()
}

/// The rows of the days in parts of a cross-validation: whole mailings, so that no paper is in two of them. A single
/// mailing is split by its papers' ids.
pub(super) fn parts(corpus: &Corpus, days: &[Vec<usize>]) -> Vec<Vec<usize>> {
    let mailings = mailings(corpus, days);
    let mut parts = vec![Vec::new(); FOLDS];
    for (at, mailing) in mailings.iter().enumerate() {
        for &row in mailing.iter().filter_map(|&day| days.get(day)).flatten() {
            let id = || corpus.rows.get(row).map(|row| row.id.to_string()).unwrap_or_default();
            let part = match mailings.as_slice() {
                [_] => usize::try_from(text::hash64(&[&id()]) % FOLDS as u64).unwrap_or(0),
                _ => at % FOLDS,
            };
            if let Some(part) = parts.get_mut(part) {
                part.push(row);
            }
        }
    }
    parts.retain(|part| !part.is_empty());
    parts
}

/// Learns a ranking for the topic from days and single examples. The threshold is chosen so that `recall` of the wanted
/// papers reach it, each scored by a model that was not trained on its day.
///
/// # Errors
/// [`TrainError`] when there is too little to learn from, or `recall` is none.
pub fn train(
    topic: &Topic,
    days: &[Day],
    single: &[Example],
    recall: f64,
    now: DateTime<Utc>,
) -> Result<Learned, TrainError> {
    if !(recall > 0.0 && recall <= 1.0) {
        return Err(TrainError::Recall);
    }
    let mut days: Vec<&Day> = days.iter().filter(|day| day.is_usable()).collect();
    days.sort_by(|a, b| a.name.cmp(&b.name));
    let (corpus, taken, single) = Corpus::of(topic, &days, single);
    let all: Vec<usize> = (0..corpus.rows.len()).collect();
    let fitted = corpus.fit(&all, &[]);
    fitted.enough()?;
    // Without any day the single examples are all there is.
    let (split, always) = match taken.as_slice() {
        [] => (vec![single], Vec::new()),
        days => (days.to_vec(), single),
    };
    let parts = parts(&corpus, &split);
    let scores = corpus.cross_validated(&parts, &always, &[]);
    let threshold = corpus.threshold(&scores, recall);
    let threshold = (threshold * 1000.0).floor() / 1000.0;
    let figures = (mailings(&corpus, &taken).len() > 1)
        .then(|| eval::summary(&corpus, &taken, &scores, threshold))
        .flatten();
    let mut weights: BTreeMap<Kind, BTreeMap<String, Weight>> = BTreeMap::new();
    for (feature, &weight) in corpus.features.iter().zip(&fitted.weights).filter(|(_, w)| **w != 0.0) {
        let spelling = feature.spelling.clone();
        let of_kind = weights.entry(feature.kind).or_default();
        of_kind.insert(feature.key.clone(), Weight { weight, spelling });
    }
    Ok(Learned {
        version: VERSION,
        topic: topic.id.clone(),
        profile: topic.profile(),
        trained_at: now,
        days: days.iter().map(|day| day.name.clone()).collect(),
        examples: fitted.examples,
        wanted: fitted.wanted,
        recall,
        threshold,
        figures,
        bias: fitted.bias,
        weights,
        judge: None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::paper::Field;
    use crate::source::SourceKind;
    use crate::topic::Tier;

    fn topic() -> Topic {
        Topic {
            id: TopicId("t".to_owned()),
            name_zh: String::new(),
            name_en: String::new(),
            tiers: vec![Tier {
                weight: 3,
                terms: vec!["cache".to_owned()],
            }],
            title_factor: 2,
            categories_include: Vec::new(),
            categories_exclude: vec!["math.*".to_owned()],
            excluded_terms: Vec::new(),
            threshold: 3,
            cap: 40,
            learned: None,
        }
    }

    fn paper(number: usize, text: &str) -> Paper {
        let mut paper = Paper::new(PaperId::Arxiv(format!("2510.{number:05}")));
        let field = |text: &str| Some(Field::new(text.to_owned(), SourceKind::ArxivMail));
        paper.title = field("On a method");
        paper.abstract_text = field(text);
        paper.categories = Some(Field::new(vec!["cs.LG".to_owned()], SourceKind::ArxivMail));
        paper
    }

    /// A mailing in which sparse kernels are wanted, which no term of the topic says, and caches of browsers are not.
    fn day(name: &str, first: usize) -> Day {
        let papers = (first..first + 24).map(|number| {
            let (text, wanted) = match number % 4 {
                0 => ("We write sparse kernels for a cache.", true),
                1 => ("We write sparse kernels.", true),
                2 => ("A browser has a cache.", false),
                _ => ("We count birds on islands.", false),
            };
            let paper = paper(number, text);
            Example { paper, wanted }
        });
        Day {
            name: name.to_owned(),
            papers: papers.collect(),
            reports: Vec::new(),
            rejected: 0,
        }
    }

    fn now() -> DateTime<Utc> {
        "2025-10-11T09:00:00Z".parse().unwrap()
    }

    fn taught() -> Learned {
        train(&topic(), &[day("a", 100), day("b", 200)], &[], 0.95, now()).unwrap()
    }

    fn score(learned: &Learned, paper: &Paper) -> super::super::Score {
        let learned = Some(std::sync::Arc::new(learned.clone()));
        Matcher::new(&[Topic { learned, ..topic() }]).score(paper).remove(0)
    }

    #[test]
    fn what_the_terms_do_not_say_is_learnt_and_decides() {
        let learned = taught();
        let wanted = score(
            &learned,
            &paper(1, "Sparse kernels, without what the topic's terms say."),
        );
        let unwanted = score(&learned, &paper(2, "How a browser uses its cache."));
        assert_eq!((wanted.points, &wanted.verdict), (0, &Verdict::Kept));
        assert_eq!((unwanted.points, &unwanted.verdict), (3, &Verdict::BelowThreshold));
        assert!(wanted.rank() > unwanted.rank());
        let figures = learned.figures.unwrap();
        assert_eq!((figures.days, figures.figures.average_precision), (2, 1.0));
        let [with, against] = learned.strongest(50);
        assert!(with.iter().any(|w| w.1 == "sparse kernels"), "{with:?}");
        assert!(against.iter().any(|w| w.1 == "browser"), "{against:?}");
    }

    #[test]
    fn an_exclusion_wins_over_what_was_learnt() {
        let mut excluded = paper(1, "Sparse kernels for a cache.");
        excluded.categories = Some(Field::new(vec!["math.CO".to_owned()], SourceKind::ArxivMail));
        let verdict = score(&taught(), &excluded).verdict;
        assert_eq!(verdict, Verdict::ExcludedCategory("math.CO".to_owned()));
    }

    #[test]
    fn an_explanation_adds_up_to_the_score() {
        let learned = taught();
        let paper = paper(1, "We write a cache, a cache and sparse kernels.");
        let rated = score(&learned, &paper).learned.unwrap();
        let bias = learned.bias();
        let topic = Topic {
            learned: Some(std::sync::Arc::new(learned)),
            ..topic()
        };
        let sum = bias + topic.explain(&paper).iter().map(Part::adds).sum::<f64>();
        assert_eq!(thousandths(sum), rated.score);
        assert!(rated.grounds.is_sorted_by_key(|ground| -ground.adds.abs()));
    }

    #[test]
    fn a_stored_model_comes_back_the_same_and_another_topics_or_an_old_one_is_refused() {
        let learned = taught();
        let bytes = learned.write().unwrap();
        assert_eq!(Learned::read(&bytes, &topic()), Ok(learned));
        let text = String::from_utf8(bytes.clone()).unwrap();
        let old = text.replacen("\"version\":1", "\"version\":0", 1);
        assert_eq!(Learned::read(old.as_bytes(), &topic()), Err(LearnedError::Version(0)));
        let other = Topic {
            id: TopicId("u".to_owned()),
            ..topic()
        };
        assert_eq!(Learned::read(&bytes, &other), Err(LearnedError::Topic(topic().id)));
        let changed = Topic {
            threshold: 4,
            ..topic()
        };
        assert_eq!(Learned::read(&bytes, &changed), Err(LearnedError::Profile));
        let torn = Learned::read(&bytes[..bytes.len() / 2], &topic());
        assert!(matches!(torn, Err(LearnedError::Damaged(_))), "{torn:?}");
    }

    #[test]
    fn a_topics_fingerprint_changes_with_what_was_learnt() {
        let with = |learned| Topic { learned, ..topic() }.fingerprint();
        let (one, other) = (
            taught(),
            train(&topic(), &[day("a", 100), day("b", 201)], &[], 0.5, now()).unwrap(),
        );
        let judged = ["m", "n"].map(|model| one.clone().judged_by(model));
        let learned = [Some(one), Some(other)].into_iter().chain(judged.map(Some));
        let prints: BTreeSet<_> = learned
            .chain([None])
            .map(|learned| with(learned.map(Into::into)))
            .collect();
        assert_eq!(prints.len(), 5);
    }

    #[test]
    fn too_little_to_learn_from_is_said_with_the_numbers() {
        let mut day = day("a", 100);
        day.papers.truncate(6);
        let error = train(&topic(), &[day], &[], 0.95, now()).unwrap_err();
        assert_eq!(error, TrainError::TooFew { examples: 6, wanted: 4 });
        assert_eq!(train(&topic(), &[], &[], 0.0, now()), Err(TrainError::Recall));
    }

    #[test]
    fn ids_and_votes_alone_teach_too() {
        let single = day("a", 100).papers;
        let learned = train(&topic(), &[], &single, 0.95, now()).unwrap();
        assert_eq!((learned.examples, learned.wanted, learned.figures), (24, 12, None));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(8))]

        #[test]
        fn the_order_of_examples_and_days_changes_nothing(
            papers in Just(day("a", 100).papers).prop_shuffle(), swapped: bool,
        ) {
            let mut days = vec![Day { papers, ..day("a", 100) }, day("b", 200)];
            if swapped { days.reverse(); }
            let learned = train(&topic(), &days, &[], 0.95, now()).unwrap();
            prop_assert_eq!(learned.write().unwrap(), taught().write().unwrap());
        }
    }
}
