//! A digest is one numbered issue: the papers that a set of subjects brought since a channel's last one. It is immutable;
//! its id is its subscription set at its occurrence, so that publishing it twice writes the same row.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use crate::brief::{self, Brief, Origin, Refused};
use crate::channel::{Place, Platform, Seq, Style};
use crate::locale::Lang;
use crate::mention::Mention;
use crate::message::{self, Block, Line, Message, Span, ellipsis, plain};
use crate::paper::{Paper, PaperId};
use crate::rule::Rule;
use crate::source::{SourceKind, Window};
use crate::subscription::Subjects;
use crate::text;
use crate::topic::{Hit, Score, Topic, TopicId};

/// Subscription set @ occurrence, to the second: `9f86d081884c7d65@20251010T090000Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct DigestId {
    /// Hash of the subjects and of the position from which they are read.
    pub set: u64,
    /// The scheduled instant, whole seconds.
    pub occurrence: DateTime<Utc>,
}

impl DigestId {
    /// The id of what `subjects` brought after `since`, at `occurrence`.
    pub fn new(subjects: &Subjects, since: Seq, occurrence: DateTime<Utc>) -> Self {
        let topics: Vec<&str> = subjects.topics.iter().map(|t| t.0.as_str()).collect();
        let (topics, keywords) = (topics.join(","), subjects.keywords.join("\n"));
        let since = since.to_string();
        let rules: Vec<&str> = subjects.rules.iter().map(Rule::as_str).collect();
        let set = match rules.as_slice() {
            // As it was before there were rules: what is published has its id.
            [] => text::hash64(&[&topics, &keywords, &since]),
            rules => text::hash64(&[&topics, &keywords, &since, &rules.join("\n")]),
        };
        let whole = occurrence - chrono::TimeDelta::nanoseconds(i64::from(occurrence.timestamp_subsec_nanos()));
        Self { set, occurrence: whole }
    }

    /// The same where somebody may be called: such a digest is shared only with channels that call the same. Otherwise
    /// unchanged.
    #[must_use]
    pub fn calling(self, mentions: &[(u64, Mention)]) -> Self {
        if mentions.is_empty() {
            return self;
        }
        let all: Vec<String> = mentions.iter().map(|(mark, who)| format!("{mark} {who}")).collect();
        let set = text::hash64(&[&format!("{:016x}", self.set), &all.join("\n")]);
        Self { set, ..self }
    }

    /// The id of a place's round-up of the week.
    pub fn weekly(place: &Place, occurrence: DateTime<Utc>) -> Self {
        let set = text::hash64(&["weekly", &place.to_string()]);
        Self {
            set,
            ..Self::new(&Subjects::default(), 0, occurrence)
        }
    }
}

/// How much of a rule names a digest, in characters.
const RULE_NAME: usize = 40;

const STAMP: &str = "%Y%m%dT%H%M%SZ";

impl fmt::Display for DigestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}@{}", self.set, self.occurrence.format(STAMP))
    }
}

impl Ord for DigestId {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.occurrence, self.set).cmp(&(other.occurrence, other.set))
    }
}

impl PartialOrd for DigestId {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// The text is no digest id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("“{0}” is not a digest id such as 9f86d081884c7d65@20251010T090000Z")]
pub struct DigestIdError(String);

impl FromStr for DigestId {
    type Err = DigestIdError;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        let parse = || {
            let (set, at) = s.split_once('@')?;
            let set = u64::from_str_radix(set, 16).ok()?;
            let occurrence = NaiveDateTime::parse_from_str(at, STAMP).ok()?.and_utc();
            Some(Self { set, occurrence })
        };
        parse().ok_or_else(|| DigestIdError(s.to_owned()))
    }
}

impl From<DigestId> for String {
    fn from(id: DigestId) -> Self {
        id.to_string()
    }
}

impl TryFrom<String> for DigestId {
    type Error = DigestIdError;

    fn try_from(s: String) -> Result<Self, Self::Error> {
        s.parse()
    }
}

/// One form of one digest, or of one of its corrections: shared by all channels of the same platform, language, style and
/// day.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RenderingId {
    /// Which digest.
    pub digest: DigestId,
    /// For which platform.
    pub platform: Platform,
    /// In which language.
    pub lang: Lang,
    /// In which style.
    pub style: Style,
    /// The zone in which its date is written.
    pub zone: Tz,
    /// 0 as it is posted; from 1 as its corrections make it.
    pub revision: u32,
}

impl fmt::Display for RenderingId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}|{}|{}|{}|{}",
            self.digest,
            self.platform,
            self.lang,
            self.style.name(),
            self.zone.name()
        )?;
        match self.revision {
            0 => Ok(()),
            revision => write!(f, "~{revision}"),
        }
    }
}

/// One paper of a digest, as it was on that day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its number, from 1.
    pub number: u32,
    /// Which paper.
    pub paper: PaperId,
    /// Its title.
    pub title: String,
    /// Its briefs, at most one for each language.
    pub briefs: Vec<EntryBrief>,
    /// Its institutions.
    pub institutions: Vec<String>,
    /// How many authors it has, if known.
    pub author_count: Option<u32>,
    /// Its best score among the topics.
    pub points: u32,
    /// The topics that brought it.
    pub topics: Vec<TopicId>,
    /// The terms and keywords that were found.
    pub hits: Vec<Hit>,
}

/// The brief that readers of `lang` get; its own language may differ where only an extract exists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryBrief {
    /// For readers of this language.
    #[serde(rename = "for")]
    pub reader: Lang,
    /// The brief.
    pub brief: Brief,
    /// Why it stands in the place of one that somebody wrote; `None` where it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaced: Option<Refused>,
}

/// An immutable, numbered issue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Digest {
    /// Subscription set @ occurrence.
    pub id: DigestId,
    /// What was followed.
    pub subjects: Subjects,
    /// Of a round-up, when the week ended on which it looks back; `None` for a digest of what is new.
    pub week: Option<DateTime<Utc>>,
    /// Read from after this position …
    pub since: Seq,
    /// … up to and including this one; of a round-up, which reads nothing, both are the channel's position.
    pub upto: Seq,
    /// The windows of sources that were read, oldest first.
    pub windows: Vec<Window>,
    /// How many papers came; of a round-up, how many it was made from.
    pub considered: u32,
    /// How many of them matched.
    pub matched: u32,
    /// The papers, best first; fewer than matched where a topic's cap cut them off.
    pub entries: Vec<Entry>,
}

impl Digest {
    /// The entry with this number.
    pub fn entry(&self, number: u32) -> Option<&Entry> {
        self.entries.iter().find(|e| e.number == number)
    }
}

/// A paper that matched, before it is numbered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Its position in the order of intake: the tie-break between equal scores.
    pub seq: Seq,
    /// The paper.
    pub paper: Paper,
    /// Its scores under the followed topics that keep it.
    pub scores: Vec<Score>,
    /// The followed keywords that occur in it.
    pub keywords: Vec<Hit>,
}

/// Everything about a digest but its entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// Its id.
    pub id: DigestId,
    /// What is followed.
    pub subjects: Subjects,
    /// Read from after here …
    pub since: Seq,
    /// … to here.
    pub upto: Seq,
    /// The windows read.
    pub windows: Vec<Window>,
    /// How many papers came.
    pub considered: u32,
}

/// What the votes of readers elsewhere count, in thousandths of a point: a point for each doubling, so that 1 vote counts one,
/// 7 three and 100 between six and seven. Votes only move what matched: they are about a paper, not about a topic.
pub(crate) fn voted(votes: u32) -> u32 {
    (f64::from(votes).ln_1p() / std::f64::consts::LN_2 * 1000.0).round() as u32
}

/// The candidates that a digest has: best score ([`Score::rank`] and [`voted`]) first, then in the order of intake. Each topic
/// brings at most its cap; a paper found by a keyword always stays.
pub(crate) fn rank(candidates: Vec<Candidate>, topics: &[Topic]) -> Vec<Candidate> {
    let mut ranked = candidates;
    ranked.sort_by(|a, b| standing(b).cmp(&standing(a)).then(a.seq.cmp(&b.seq)));
    let mut room: HashMap<&TopicId, usize> = topics.iter().map(|t| (&t.id, t.cap)).collect();
    ranked.retain(|candidate| {
        let mut kept = !candidate.keywords.is_empty();
        for score in &candidate.scores {
            if let Some(left) = room.get_mut(&score.topic).filter(|left| **left > 0) {
                *left -= 1;
                kept = true;
            }
        }
        kept
    });
    ranked
}

/// What candidates are ranked by, in thousandths of a point.
fn standing(candidate: &Candidate) -> u64 {
    let best = candidate.scores.iter().map(Score::rank).max().unwrap_or(0);
    let keywords = candidate.keywords.iter().map(|hit| u64::from(hit.points));
    let votes = candidate.paper.upvotes.as_ref().map_or(0, |votes| voted(votes.value));
    best.max(keywords.sum::<u64>() * 1000) + u64::from(votes)
}

fn points(candidate: &Candidate) -> u32 {
    u32::try_from(standing(candidate) / 1000).unwrap_or(u32::MAX)
}

/// Ranks and numbers the candidates: best score with the votes of readers elsewhere first, then in the order of intake.
pub fn compose(draft: Draft, candidates: Vec<Candidate>, topics: &[Topic]) -> Digest {
    let matched = u32::try_from(candidates.len()).unwrap_or(u32::MAX);
    let ranked = rank(candidates, topics);
    let entries = (1..)
        .zip(ranked)
        .map(|(number, candidate)| entry(number, points(&candidate), candidate))
        .collect();
    let Draft {
        id,
        subjects,
        since,
        upto,
        windows,
        considered,
    } = draft;
    Digest {
        id,
        subjects,
        week: None,
        since,
        upto,
        windows,
        considered,
        matched,
        entries,
    }
}

fn entry(number: u32, points: u32, candidate: Candidate) -> Entry {
    let Candidate {
        paper,
        scores,
        keywords,
        ..
    } = candidate;
    let composer = brief::Composer::new(&paper);
    let briefs = Lang::ALL
        .into_iter()
        .filter_map(|reader| {
            let composed = composer.composed(reader);
            let replaced = composed.replaced;
            composed.brief.map(|brief| EntryBrief {
                reader,
                brief,
                replaced,
            })
        })
        .collect();
    Entry {
        number,
        title: paper.title().to_owned(),
        briefs,
        institutions: paper.institutions().to_vec(),
        author_count: paper.author_count(),
        points,
        topics: scores.iter().map(|s| s.topic.clone()).collect(),
        hits: scores.into_iter().flat_map(|s| s.hits).chain(keywords).collect(),
        paper: paper.id,
    }
}

/// How a digest is shown.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    /// In which language.
    pub lang: Lang,
    /// In which zone its date is written.
    pub zone: Tz,
    /// How much of each paper.
    pub style: Style,
    /// For the topics' names.
    pub topics: &'a [Topic],
}

impl View<'_> {
    /// The day of a digest as readers know it.
    pub fn day(&self, digest: &Digest) -> NaiveDate {
        digest.id.occurrence.with_timezone(&self.zone).date_naive()
    }

    /// What is followed, in words.
    pub fn subjects(&self, subjects: &Subjects) -> String {
        let mut names: Vec<String> = subjects.topics.iter().map(|id| self.topic_name(id)).collect();
        if !subjects.keywords.is_empty() {
            names.push(self.lang.keywords_name(&subjects.keywords));
        }
        if let [first, others @ ..] = subjects.rules.as_slice() {
            names.push(
                self.lang
                    .rules_name(&ellipsis(&first.to_string(), RULE_NAME), others.len()),
            );
        }
        names.join(" · ")
    }

    fn topic_name(&self, id: &TopicId) -> String {
        self.topics
            .iter()
            .find(|t| t.id == *id)
            .map_or_else(|| id.to_string(), |t| self.lang.pick(&t.name_zh, &t.name_en).clone())
    }

    /// What a digest is called.
    pub fn title(&self, digest: &Digest) -> String {
        let subjects = self.subjects(&digest.subjects);
        match digest.week {
            None => self.lang.digest_title(&subjects, &self.lang.date(self.day(digest))),
            Some(end) => {
                let day = end.with_timezone(&self.zone).date_naive();
                self.lang.weekly_title(&subjects, &self.lang.date(day))
            }
        }
    }

    /// The digest as a message. `abstract_of` is asked in [`Style::Full`] and [`Style::Rich`] only.
    pub fn message(&self, digest: &Digest, abstract_of: &dyn Fn(&PaperId) -> Option<String>) -> Message {
        let lang = self.lang;
        let title = self.title(digest);
        let mut blocks = vec![Block::Heading(title.clone())];
        if digest.entries.is_empty() {
            let why = match (digest.considered, digest.windows.is_empty()) {
                (0, true) => lang.empty_no_window().to_owned(),
                (0, false) => lang.empty_no_paper().to_owned(),
                (n, _) => lang.empty_no_match(n),
            };
            blocks.push(Block::Paragraph(plain(why)));
        } else {
            let shown = digest.entries.len();
            let count = match digest.week {
                None => lang.digest_count(shown, digest.matched, digest.considered),
                Some(_) => lang.weekly_count(shown, digest.considered),
            };
            blocks.push(Block::Paragraph(plain(count)));
        }
        blocks.extend(self.covered(digest).map(|line| Block::Paragraph(vec![Span::Dim(line)])));
        for entry in &digest.entries {
            let quote = match self.style {
                Style::Titles | Style::Compact => None,
                Style::Full | Style::Rich => abstract_of(&entry.paper).filter(|text| !text.is_empty()),
            };
            blocks.push(Block::Entry(self.entry(entry, quote)));
        }
        if !digest.entries.is_empty() {
            blocks.push(Block::Paragraph(vec![Span::Dim(lang.digest_hint().to_owned())]));
        }
        Message {
            running_title: title,
            blocks,
        }
    }

    /// One line per source: the whole stretch that its windows cover.
    fn covered<'d>(&self, digest: &'d Digest) -> impl Iterator<Item = String> + use<'d, '_> {
        let lang = self.lang;
        SourceKind::ALL.into_iter().filter_map(move |source| {
            let of_source = || digest.windows.iter().filter(|w| w.source == source);
            let from = of_source().map(|w| w.from).min()?;
            let to = of_source().map(|w| w.to).max()?;
            Some(lang.covers(lang.source_name(source), &lang.instant(from), &lang.instant(to)))
        })
    }

    /// One numbered paper: title, brief, institutions and number of authors.
    pub fn entry(&self, entry: &Entry, quote: Option<String>) -> message::Entry {
        let lang = self.lang;
        let title = if entry.title.is_empty() {
            lang.no_title().to_owned()
        } else {
            entry.title.clone()
        };
        if self.style == Style::Titles {
            return message::Entry {
                number: Some(entry.number),
                title,
                link: entry.paper.link(),
                lines: Vec::new(),
                quote: None,
            };
        }
        let brief = entry.briefs.iter().find(|b| b.reader == lang);
        let mut lines = vec![self.brief(brief.map(|b| &b.brief), brief.and_then(|b| b.replaced))];
        let mut facts: Vec<String> = Vec::new();
        if !entry.institutions.is_empty() {
            facts.push(ellipsis(&entry.institutions.join(lang.comma()), 160));
        }
        facts.extend(entry.author_count.map(|n| lang.author_count(n)));
        if !facts.is_empty() {
            lines.push(vec![Span::Dim(facts.join(" · "))]);
        }
        message::Entry {
            number: Some(entry.number),
            title,
            link: entry.paper.link(),
            lines,
            quote,
        }
    }

    /// A brief with its mark, which says whether it was replaced, or the sentence that says why there is none.
    pub fn brief(&self, brief: Option<&Brief>, replaced: Option<Refused>) -> Line {
        match brief {
            None => vec![Span::Dim(self.lang.no_brief().to_owned())],
            Some(brief) => {
                let mut line = plain(brief.text.clone());
                match (brief.origin, replaced) {
                    (Origin::Imported | Origin::Model, _) => {}
                    (Origin::Extracted, None) => line.push(Span::Dim(format!(" {}", self.lang.extracted_mark()))),
                    (Origin::Extracted, Some(_)) => line.push(Span::Dim(format!(" {}", self.lang.replaced_mark()))),
                }
                line
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use proptest::prelude::*;

    use super::*;
    use crate::paper::Field;
    use crate::pipeline::fixture::{arxiv, october, paper, topic, window};
    use crate::topic::Verdict;

    fn subjects() -> Subjects {
        Subjects::new([topic().id], [])
    }

    fn draft() -> Draft {
        Draft {
            id: DigestId::new(&subjects(), 0, october(10, 9)),
            subjects: subjects(),
            since: 0,
            upto: 9,
            windows: vec![window(9)],
            considered: 9,
        }
    }

    fn score(topic: &str, points: u32) -> Score {
        Score {
            topic: TopicId(topic.to_owned()),
            points,
            hits: Vec::new(),
            verdict: Verdict::Kept,
            learned: None,
        }
    }

    fn candidate(seq: Seq, scores: &[(&str, u32)], keywords: u32) -> Candidate {
        let hit = |n| Hit {
            term: format!("k{n}"),
            points: 1,
            in_title: false,
        };
        Candidate {
            seq,
            paper: paper(seq, "On pruning", ""),
            scores: scores.iter().map(|&(topic, points)| score(topic, points)).collect(),
            keywords: (0..keywords).map(hit).collect(),
        }
    }

    fn capped(id: &str, cap: usize) -> Topic {
        Topic {
            id: TopicId(id.to_owned()),
            cap,
            ..topic()
        }
    }

    fn order(digest: &Digest) -> Vec<(u32, PaperId, u32)> {
        digest
            .entries
            .iter()
            .map(|e| (e.number, e.paper.clone(), e.points))
            .collect()
    }

    #[test]
    fn papers_are_ranked_by_their_best_score_then_by_intake_and_numbered_from_one() {
        let candidates = vec![
            candidate(1, &[("a", 5)], 0),
            candidate(2, &[("a", 3), ("b", 9)], 0),
            candidate(3, &[("a", 5)], 2),
            candidate(4, &[], 7),
        ];
        let digest = compose(draft(), candidates, &[capped("a", 9), capped("b", 9)]);
        assert_eq!(
            order(&digest),
            [(1, arxiv(2), 9), (2, arxiv(4), 7), (3, arxiv(1), 5), (4, arxiv(3), 5)]
        );
        assert_eq!(
            (digest.matched, digest.entry(3).map(|e| &e.paper)),
            (4, Some(&arxiv(1)))
        );
        assert_eq!((digest.entry(0), digest.entry(5)), (None, None));
    }

    #[test]
    fn votes_are_points_a_doubling_each_and_move_only_what_is_near() {
        let voted = |seq, points, votes| {
            let mut candidate = candidate(seq, &[("a", points)], 0);
            candidate.paper.upvotes = Some(crate::paper::Field::new(votes, crate::source::SourceKind::HuggingFace));
            candidate
        };
        let candidates = vec![
            candidate(1, &[("a", 5)], 0),
            voted(2, 5, 3),
            voted(3, 5, 23),
            voted(4, 4, 99),
            candidate(5, &[("a", 11)], 0),
        ];
        let digest = compose(draft(), candidates, &[capped("a", 9)]);
        let ids: Vec<u64> = order(&digest)
            .iter()
            .map(|(_, id, _)| id.bare()[5..].parse().unwrap())
            .collect();
        // 11, 4 + 6.644, 5 + 4.585, 5 + 2, 5.
        assert_eq!(ids, [5, 4, 3, 2, 1]);
    }

    #[test]
    fn a_topic_brings_at_most_its_cap_and_what_a_keyword_found_stays() {
        let candidates = vec![
            candidate(1, &[("a", 9)], 0),
            candidate(2, &[("a", 8)], 0),
            candidate(3, &[("a", 7), ("b", 1)], 0),
            candidate(4, &[("a", 6)], 1),
            candidate(5, &[("a", 5)], 0),
        ];
        let digest = compose(draft(), candidates.clone(), &[capped("a", 1), capped("b", 9)]);
        assert_eq!(order(&digest), [(1, arxiv(1), 9), (2, arxiv(3), 7), (3, arxiv(4), 6)]);
        assert_eq!(digest.matched, 5);
        let none = compose(draft(), candidates, &[capped("a", 0), capped("b", 0)]);
        assert_eq!(order(&none), [(1, arxiv(4), 6)]);
    }

    #[test]
    fn what_a_channel_reads_is_in_the_id_and_fractions_of_a_second_are_not() {
        let at = october(10, 9);
        let id = |topics: &[&str], keywords: &[&str], since, at| {
            let topics = topics.iter().map(|t| TopicId((*t).to_owned()));
            DigestId::new(
                &Subjects::new(topics, keywords.iter().map(|k| (*k).to_owned())),
                since,
                at,
            )
        };
        let ids = [
            id(&["a"], &[], 0, at),
            id(&["a", "b"], &[], 0, at),
            id(&["a"], &["b"], 0, at),
            id(&["a"], &[], 1, at),
            id(&["a"], &[], 0, at + TimeDelta::seconds(1)),
        ];
        assert_eq!(ids.iter().collect::<std::collections::HashSet<_>>().len(), ids.len());
        assert_eq!(id(&["a"], &[], 0, at + TimeDelta::milliseconds(999)), ids[0]);
        assert_eq!(id(&["b", "a"], &[], 0, at), ids[1]);
        assert!(ids[0].max(ids[3]) < ids[4]);
        for text in ["", "@", "9f@20251010", "xyz@20251010T090000Z", "9f86@20251310T090000Z"] {
            let error = text.parse::<DigestId>().unwrap_err().to_string();
            assert!(error.contains(&format!("“{text}”")), "{error}");
        }
    }

    #[test]
    fn a_digest_reads_as_a_page() {
        let mut first = paper(
            1,
            "StrataKV: A KV Cache by Layer",
            "We present StrataKV, which gives every layer a KV cache of its own size and evicts by age within it. It \
             halves the memory on six benchmarks.",
        );
        first.institutions = Some(Field::new(vec!["Invented University".to_owned()], SourceKind::Report));
        first.author_count = Some(Field::new(3, SourceKind::Report));
        let candidates = vec![
            Candidate {
                paper: first,
                ..candidate(1, &[("caching", 20)], 0)
            },
            Candidate {
                paper: paper(2, "", ""),
                ..candidate(2, &[], 1)
            },
            candidate(3, &[("caching", 3)], 0),
        ];
        let digest = compose(draft(), candidates, &[capped("caching", 1)]);
        let page = |lang| {
            let view = View {
                lang,
                zone: chrono_tz::Asia::Shanghai,
                style: Style::Full,
                topics: &[topic()],
            };
            let abstract_of = |id: &PaperId| (*id == arxiv(1)).then(|| "The abstract.".to_owned());
            view.message(&digest, &abstract_of).to_plain()
        };
        insta::assert_snapshot!(Lang::ALL.map(page).join("\n"));
    }

    proptest! {
        #[test]
        fn an_id_is_read_as_it_is_written(set: u64, seconds in 0_i64..200_000_000_000) {
            let id = DigestId { set, occurrence: DateTime::from_timestamp(seconds, 0).unwrap() };
            prop_assert_eq!(id.to_string().parse(), Ok(id));
        }

        #[test]
        fn caps_hold_numbers_are_whole_and_the_best_stay(
            points in prop::collection::vec((0_u32..20, 0_u32..20, 0_u32..3), 0..30),
            cap_a in 0_usize..8,
            cap_b in 0_usize..8,
        ) {
            let candidates: Vec<Candidate> = (1..)
                .zip(&points)
                .map(|(seq, &(a, b, keywords))| {
                    let scores: Vec<_> = [("a", a), ("b", b)].into_iter().filter(|(_, p)| *p > 5).collect();
                    candidate(seq, &scores, keywords)
                })
                .filter(|c| !c.scores.is_empty() || !c.keywords.is_empty())
                .collect();
            let digest = compose(draft(), candidates.clone(), &[capped("a", cap_a), capped("b", cap_b)]);
            let numbers: Vec<u32> = digest.entries.iter().map(|e| e.number).collect();
            prop_assert_eq!(numbers, (1..=u32::try_from(digest.entries.len()).unwrap()).collect::<Vec<_>>());
            prop_assert!(digest.entries.is_sorted_by(|x, y| x.points >= y.points));
            let shown = |c: &Candidate| digest.entries.iter().any(|e| e.paper == c.paper.id);
            for c in &candidates {
                prop_assert!(c.keywords.is_empty() || shown(c));
            }
            let by_topic_alone = |topic: &str| digest.entries.iter().filter(|e| {
                e.hits.is_empty() && e.topics == [TopicId(topic.to_owned())]
            }).count();
            prop_assert!(by_topic_alone("a") <= cap_a && by_topic_alone("b") <= cap_b);
        }
    }

    #[test]
    fn a_brief_that_replaces_none_is_stored_as_it_always_was() {
        let mut brief = EntryBrief {
            reader: Lang::En,
            brief: Brief {
                lang: Lang::En,
                origin: Origin::Extracted,
                text: "It works.".to_owned(),
            },
            replaced: None,
        };
        let plain = r#"{"for":"en","brief":{"lang":"en","origin":"extracted","text":"It works."}}"#;
        assert_eq!(serde_json::to_string(&brief).unwrap(), plain);
        assert_eq!(serde_json::from_str::<EntryBrief>(plain).unwrap(), brief);
        brief.replaced = Some(Refused::AnotherPaper);
        let marked = serde_json::to_string(&brief).unwrap();
        assert!(marked.ends_with(r#","replaced":"another-paper"}"#), "{marked}");
        assert_eq!(serde_json::from_str::<EntryBrief>(&marked).unwrap(), brief);
    }
}
