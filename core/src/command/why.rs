//! Why a paper was posted in a channel, or was not: the question that users of feed bots ask their maintainers. The answer
//! is computed from the same records and by the same rules as the digest was, never remembered beside them.

use std::collections::BTreeSet;

use super::PaperQuery;
use super::answer::{Asked, LOOK_BACK};
use crate::breaker::Reason;
use crate::channel::{Channel, Seq};
use crate::delivery::{DeliveryId, Discard, State};
use crate::digest::{self, Digest, DigestId, Entry};
use crate::message::{self, Block, Line, Message, Span, ellipsis, plain};
use crate::paper::{Paper, PaperId};
use crate::pipeline::{self, Ruling, judging, readable};
use crate::rule::{self, Facts};
use crate::store::Result;
use crate::topic::judge::Opinion;
use crate::topic::{Ground, Hit, Matcher, Rated, Score, Topic, Verdict};

/// How many papers that just missed are named.
const MISSED: usize = 3;
/// How many papers of a digest's stretch are scored again to find those.
const MOST_LOOKED_AT: usize = 2_000;
const TITLE: usize = 120;

/// What became of a paper in a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Fate {
    /// It is known, but never was a candidate: only its replacement came, say.
    NoCandidate,
    /// It stands in a digest that arrived.
    Posted { digest: DigestId, number: u32 },
    /// It stands in a digest that is on its way.
    Waiting {
        digest: DigestId,
        number: u32,
        attempts: u32,
        error: Option<String>,
    },
    /// It stands in a digest that was given up here.
    Failed {
        digest: DigestId,
        number: u32,
        reason: String,
    },
    /// It stands in a digest that is held back.
    Held {
        digest: DigestId,
        number: u32,
        reason: Reason,
    },
    /// It stands in a digest that was held back and dropped.
    Withheld {
        digest: DigestId,
        number: u32,
        reason: Reason,
    },
    /// It matches and comes with the next digest.
    ToCome,
    /// It matched, but others filled the topic's cap.
    BeyondCap { digest: DigestId },
    /// It matches now, but it came before the channel followed this.
    Before,
    /// It matches nothing.
    Unmatched,
    /// The place is no channel.
    NoChannel,
}

/// Thousandths as people read them: `1.52`.
fn decimal(thousandths: i32) -> String {
    format!("{:.2}", f64::from(thousandths) / 1000.0)
}

/// The same with its sign.
fn signed(thousandths: i32) -> String {
    format!("{:+.2}", f64::from(thousandths) / 1000.0)
}

/// Whether a paper that was not shown can be called just missed: it has points, and a learned ranking or its judge was in two
/// minds about it.
fn is_near(score: &Score) -> bool {
    /// In thousandths of log-odds: odds of one to seven and a half.
    const BELOW: i32 = 2_000;
    match &score.learned {
        None => score.points > 0,
        Some(rated) => rated.opinion.is_some() || rated.score >= rated.threshold.saturating_sub(BELOW),
    }
}

fn facts<'a>(paper: &'a Paper, scores: &'a [Score]) -> Facts<'a> {
    Facts {
        scores,
        ..Facts::of(paper)
    }
}

impl Asked<'_> {
    pub(super) fn why(&self, query: &PaperQuery, reply_to: Option<&str>) -> Result<Message> {
        match query {
            PaperQuery::Id(id) => self.why_id(id),
            PaperQuery::Number(n) => match self.asked_digest(reply_to)? {
                Some(digest) => self.why_entry(&digest, *n),
                None => Ok(Message::sentence(self.lang.no_digest_yet())),
            },
            PaperQuery::OfDay(day, n) => match self.of_day(*day)? {
                Some(digest) => self.why_entry(&digest, *n),
                None => self.none_on(*day),
            },
        }
    }

    pub(super) fn why_entry(&self, digest: &Digest, n: u32) -> Result<Message> {
        let Some(entry) = digest.entry(n) else {
            return Ok(self.no_entry(digest, n));
        };
        let mut lines = self.grounds(digest, entry)?;
        let missed = self.just_missed(digest)?;
        if !missed.is_empty() {
            lines.push(vec![Span::Bold(self.lang.just_missed().to_owned())]);
            lines.extend(missed);
        }
        Ok(self.explained(Some(entry.number), &entry.title, entry.paper.link(), lines))
    }

    fn explained(&self, number: Option<u32>, title: &str, link: Option<String>, lines: Vec<Line>) -> Message {
        let title = match title {
            "" => self.lang.no_title().to_owned(),
            title => ellipsis(title, TITLE),
        };
        Message {
            running_title: title.clone(),
            blocks: vec![Block::Entry(message::Entry {
                number,
                title,
                link,
                lines,
                quote: None,
            })],
        }
    }

    /// What each of these topics says of a paper, its judge included.
    fn scores(&self, topics: &[Topic], paper: &Paper) -> Result<Vec<Score>> {
        judging::scores(self.context.store, topics, &Matcher::new(topics), paper)
    }

    /// What brought an entry: by topic its terms and score, by rule what of it was found.
    fn grounds(&self, digest: &Digest, entry: &Entry) -> Result<Vec<Line>> {
        let lang = self.lang;
        let seq = self.context.store.intake_of(&entry.paper)?.map(|intake| intake.seq);
        let mut lines = Vec::new();
        for id in &entry.topics {
            let stored = match seq {
                Some(seq) => self.context.store.matches(id, seq.saturating_sub(1), seq)?,
                None => Vec::new(),
            };
            let topic = self.context.topics.iter().find(|topic| topic.id == *id);
            let name = topic.map_or_else(|| id.to_string(), |topic| self.topic_name(topic));
            let threshold = topic.map(|topic| topic.threshold);
            match stored.into_iter().next() {
                Some(found) => {
                    match &found.score.learned {
                        Some(rated) => {
                            let unasked = match readable(self.context.store.paper(&entry.paper))? {
                                Some(paper) => self.unasked(topic, &paper, &found.score)?,
                                None => false,
                            };
                            lines.extend(self.learned(&name, rated, unasked));
                        }
                        None => lines.push(plain(lang.why_topic(&name, found.score.points, threshold))),
                    }
                    lines.push(vec![Span::Dim(self.hits(&found.score.hits))]);
                }
                // The judge may have spoken after the digest was made.
                None => match self.spoken(topic, &entry.paper)? {
                    Some(rated) => lines.extend(self.learned(&name, &rated, false)),
                    None => {
                        let votes = self.context.store.paper(&entry.paper)?.and_then(|paper| paper.upvotes);
                        let voted = votes.map_or(0, |votes| digest::voted(votes.value) / 1000);
                        let points = entry.points.saturating_sub(voted);
                        lines.push(plain(lang.why_topic(&name, points, threshold)));
                    }
                },
            }
        }
        let words: Vec<&Hit> = entry
            .hits
            .iter()
            .filter(|hit| digest.subjects.keywords.contains(&hit.term))
            .collect();
        for hit in words {
            lines.push(plain(lang.why_keyword(&hit.term, hit.in_title)));
        }
        let Some(paper) = readable(self.context.store.paper(&entry.paper))? else {
            return Ok(lines);
        };
        if !digest.subjects.rules.is_empty() {
            let rules = &digest.subjects.rules;
            let scores = self.scores(self.context.topics, &paper)?;
            for found in rule::RuleSet::new((0..).zip(rules)).find(&facts(&paper, &scores)) {
                let Some(rule) = usize::try_from(found.key).ok().and_then(|at| rules.get(at)) else {
                    continue;
                };
                lines.push(vec![
                    Span::Plain(lang.why_rule().to_owned()),
                    Span::Code(rule.to_string()),
                ]);
                if !found.hits.is_empty() {
                    lines.push(vec![Span::Dim(self.hits(&found.hits))]);
                }
            }
        }
        if let Some(votes) = paper
            .upvotes
            .as_ref()
            .map(|votes| votes.value)
            .filter(|votes| *votes > 0)
        {
            let counts = f64::from(digest::voted(votes)) / 1000.0;
            lines.push(plain(lang.why_voted(votes, &format!("{counts:.1}"))));
        }
        Ok(lines)
    }

    /// What a topic says of a paper about which its judge has an opinion.
    fn spoken(&self, topic: Option<&Topic>, paper: &PaperId) -> Result<Option<Rated>> {
        let (Some(topic), Some(paper)) = (topic, readable(self.context.store.paper(paper))?) else {
            return Ok(None);
        };
        let scores = self.scores(std::slice::from_ref(topic), &paper)?.into_iter();
        let mut rated = scores.filter_map(|score| score.learned);
        Ok(rated.find(|rated| rated.opinion.is_some()))
    }

    /// Whether the judge that would have had the last word on a score could not be asked.
    fn unasked(&self, topic: Option<&Topic>, paper: &Paper, score: &Score) -> Result<bool> {
        let silent = score.learned.as_ref().is_some_and(|rated| rated.opinion.is_none());
        match topic.filter(|_| silent && score.is_borderline()) {
            Some(topic) => judging::was_unasked(self.context.store, topic, paper),
            None => Ok(false),
        }
    }

    /// What the learned ranking says, what the judge does where it was asked or could not be, and what contributed most.
    fn learned(&self, name: &str, rated: &Rated, unasked: bool) -> Vec<Line> {
        let one = |ground: &Ground| format!("{} {}", self.lang.learned_feature(ground), signed(ground.adds));
        let mut grounds: Vec<String> = rated.grounds.iter().map(one).collect();
        // Who adds up what is shown comes to the score.
        let shown: i32 = rated.grounds.iter().map(|ground| ground.adds).sum();
        grounds.push(self.lang.learned_rest(&signed(rated.score.saturating_sub(shown))));
        let head = self
            .lang
            .why_learned(name, &decimal(rated.score), &decimal(rated.threshold));
        let judged = |opinion: &Opinion| plain(self.lang.why_judged(opinion.yes, &opinion.reason));
        let mut lines = vec![plain(head)];
        lines.extend(rated.opinion.as_ref().map(judged));
        lines.extend(unasked.then(|| plain(self.lang.why_unasked())));
        lines.push(vec![Span::Dim(grounds.join(" · "))]);
        lines
    }

    /// `kv cache +15 (title) · gpu +1`.
    fn hits(&self, hits: &[Hit]) -> String {
        let one = |hit: &Hit| {
            let place = match hit.in_title {
                true => self.lang.in_title(),
                false => "",
            };
            format!("{} +{}{place}", hit.term, hit.points)
        };
        hits.iter().map(one).collect::<Vec<_>>().join(" · ")
    }

    /// The best papers of the digest's stretch that its topics did not keep, or that their cap cut off.
    fn just_missed(&self, digest: &Digest) -> Result<Vec<Line>> {
        let followed: Vec<Topic> = self
            .context
            .topics
            .iter()
            .filter(|topic| digest.subjects.topics.contains(&topic.id))
            .cloned()
            .collect();
        if followed.is_empty() {
            return Ok(Vec::new());
        }
        let matcher = Matcher::new(&followed);
        let mut missed: Vec<(u64, Seq, Paper, Score)> = Vec::new();
        for record in self.context.store.intake(digest.since, digest.upto, MOST_LOOKED_AT)? {
            if digest.entries.iter().any(|entry| entry.paper == record.paper) {
                continue;
            }
            // One that cannot be read is no reason to say nothing about the others.
            let Ok(Some(paper)) = self.context.store.paper(&record.paper) else {
                continue;
            };
            // A work that was taken for two papers has its other place under the name that it lost.
            if paper.id != record.paper {
                continue;
            }
            let scores = judging::scores(self.context.store, &followed, &matcher, &paper)?.into_iter();
            // What a judge has refused shows how near it was.
            let best = scores
                .filter(|score| matches!(score.verdict, Verdict::BelowThreshold | Verdict::Kept))
                .filter(is_near)
                .max_by_key(Score::rank_unjudged);
            if let Some(score) = best {
                missed.push((score.rank_unjudged(), record.seq, paper, score));
            }
        }
        missed.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
        let line = |(_, _, paper, score): (u64, Seq, Paper, Score)| -> Result<Line> {
            let topic = followed.iter().find(|topic| topic.id == score.topic);
            let threshold = topic.map_or(0, |topic| topic.threshold);
            let mut line: Line = vec![match paper.id.link() {
                Some(url) => Span::Link {
                    label: ellipsis(paper.title(), TITLE),
                    url,
                },
                None => Span::Plain(ellipsis(paper.title(), TITLE)),
            }];
            let why = match score.verdict {
                Verdict::Kept => match &score.learned {
                    Some(rated) => self.lang.missed_by_cap_ranked(&decimal(rated.decided())),
                    None => self.lang.missed_by_cap(score.points),
                },
                Verdict::BelowThreshold
                | Verdict::ExcludedTerm(_)
                | Verdict::ExcludedCategory(_)
                | Verdict::OtherCategory => match &score.learned {
                    Some(rated) => {
                        let (rank, takes) = (decimal(rated.score), decimal(rated.threshold));
                        match &rated.opinion {
                            Some(opinion) => self.lang.missed_by_judge(&rank, &takes, &opinion.reason),
                            None if self.unasked(topic, &paper, &score)? => self.lang.missed_unasked(&rank, &takes),
                            None => self.lang.missed_by_rank(&rank, &takes),
                        }
                    }
                    None => self.lang.missed_by_points(score.points, threshold),
                },
            };
            line.push(Span::Dim(format!(" {why}")));
            Ok(line)
        };
        missed.into_iter().take(MISSED).map(line).collect()
    }

    fn why_id(&self, id: &PaperId) -> Result<Message> {
        let Some(paper) = self.context.store.paper(id)? else {
            return Ok(Message::sentence(self.unknown(id)));
        };
        let fate = self.fate(&paper)?;
        let lang = self.lang;
        let day = |digest: DigestId| lang.date(digest.occurrence.with_timezone(&self.zone()).date_naive());
        let mut lines = Vec::new();
        match &fate {
            Fate::NoCandidate => lines.push(plain(lang.fate_no_candidate())),
            Fate::NoChannel => lines.push(plain(lang.fate_no_channel())),
            Fate::Posted { digest, number } => {
                lines.push(plain(lang.fate_posted(&day(*digest), *number)));
                if let Some(digest) = self.context.store.digest(digest)?
                    && let Some(entry) = digest.entry(*number)
                {
                    lines.extend(self.grounds(&digest, entry)?);
                }
            }
            Fate::Waiting {
                digest,
                number,
                attempts,
                error,
            } => lines.push(plain(lang.fate_waiting(
                &day(*digest),
                *number,
                *attempts,
                error.as_deref(),
            ))),
            Fate::Failed { digest, number, reason } => {
                lines.push(plain(lang.fate_failed(&day(*digest), *number, reason)));
            }
            Fate::Held { digest, number, reason } => {
                let reason = reason.says(lang, self.context.topics);
                lines.push(plain(lang.fate_held(&day(*digest), *number, &reason)));
            }
            Fate::Withheld { digest, number, reason } => {
                let reason = reason.says(lang, self.context.topics);
                lines.push(plain(lang.fate_withheld(&day(*digest), *number, &reason)));
            }
            Fate::ToCome => {
                lines.push(plain(lang.fate_to_come()));
                lines.push(self.schedule());
                lines.extend(self.verdicts(&paper)?);
            }
            Fate::BeyondCap { digest } => {
                lines.push(plain(lang.fate_beyond_cap(&day(*digest))));
                lines.extend(self.verdicts(&paper)?);
            }
            Fate::Before => {
                lines.push(plain(lang.fate_before()));
                lines.extend(self.verdicts(&paper)?);
            }
            Fate::Unmatched => {
                lines.push(plain(lang.fate_unmatched()));
                lines.extend(self.verdicts(&paper)?);
            }
        }
        Ok(self.explained(None, paper.title(), paper.id.link(), lines))
    }

    fn fate(&self, paper: &Paper) -> Result<Fate> {
        let Some(channel) = &self.channel else {
            return Ok(Fate::NoChannel);
        };
        let store = self.context.store;
        let came = BTreeSet::from_iter(store.digests_of_place(&channel.place, LOOK_BACK)?);
        let mut archived = None;
        // The latest one decides: what failed before may have come with it.
        for id in store.digests_of_paper(&paper.id)?.into_iter().rev() {
            // A round-up repeats what came before it.
            let Some(digest) = store.digest(&id)?.filter(|digest| digest.week.is_none()) else {
                continue;
            };
            let Some(entry) = digest.entries.iter().find(|entry| entry.paper == paper.id) else {
                continue;
            };
            let number = entry.number;
            match store.delivery(&DeliveryId::post(channel.place.clone(), id))? {
                Some(delivery) => {
                    return Ok(match delivery.state {
                        State::Sent { .. } => Fate::Posted { digest: id, number },
                        State::Available { .. } | State::Leased { .. } => Fate::Waiting {
                            digest: id,
                            number,
                            attempts: delivery.attempts,
                            error: delivery.last_error,
                        },
                        State::Discarded { reason, .. } => Fate::Failed {
                            digest: id,
                            number,
                            reason: match reason {
                                Discard::Gone(reason) | Discard::Rejected(reason) => reason,
                                Discard::Dropped => self.lang.dropped_by_operator().to_owned(),
                            },
                        },
                    });
                }
                // Deliveries are archived in time; where their messages stand is still known.
                None if came.contains(&id) => {
                    archived.get_or_insert(Fate::Posted { digest: id, number });
                }
                None => {
                    if let Some(fate) = self.withheld(channel, id, number)? {
                        archived.get_or_insert(fate);
                    }
                }
            }
        }
        if let Some(posted) = archived {
            return Ok(posted);
        }
        let Some(intake) = store.intake_of(&paper.id)? else {
            return Ok(Fate::NoCandidate);
        };
        if !self.wants(channel, paper)? {
            return Ok(Fate::Unmatched);
        }
        if intake.seq > channel.cursor {
            return Ok(Fate::ToCome);
        }
        let covering = self.find(|digest| digest.since < intake.seq && intake.seq <= digest.upto)?;
        Ok(match covering {
            Some(digest) if digest.subjects == channel.settings.subjects => Fate::BeyondCap { digest: digest.id },
            Some(_) | None => Fate::Before,
        })
    }

    /// What became of a digest that was held back for this channel.
    fn withheld(&self, channel: &Channel, digest: DigestId, number: u32) -> Result<Option<Fate>> {
        let store = self.context.store;
        if let Some(held) = pipeline::held(store, &digest)?
            && held.channels.contains(&channel.place)
        {
            let reason = held.reason;
            return Ok(Some(Fate::Held { digest, number, reason }));
        }
        let decision = pipeline::decision(store, &digest)?;
        let dropped = decision.filter(|decision| decision.is_withheld() && decision.channels.contains(&channel.place));
        Ok(dropped.and_then(|decision| match decision.ruling {
            Ruling::Hold(reason) => Some(Fate::Withheld { digest, number, reason }),
            Ruling::Post | Ruling::Unjudged => None,
        }))
    }

    /// Whether what the channel follows today matches.
    fn wants(&self, channel: &Channel, paper: &Paper) -> Result<bool> {
        let subjects = &channel.settings.subjects;
        let scores = self.scores(self.context.topics, paper)?;
        let kept = |score: &Score| subjects.topics.contains(&score.topic) && score.verdict == Verdict::Kept;
        let set = rule::RuleSet::new((0..).zip(&subjects.rules));
        Ok(scores.iter().any(kept)
            || !crate::subscription::KeywordMatcher::new(&subjects.keywords)
                .find(paper)
                .is_empty()
            || !set.find(&facts(paper, &scores)).is_empty())
    }

    /// What each followed topic says of a paper, and the rule that comes nearest.
    fn verdicts(&self, paper: &Paper) -> Result<Vec<Line>> {
        let Some(channel) = &self.channel else {
            return Ok(Vec::new());
        };
        let lang = self.lang;
        let subjects = &channel.settings.subjects;
        let all = self.scores(self.context.topics, paper)?;
        let mut lines = Vec::new();
        for score in all.iter().filter(|score| subjects.topics.contains(&score.topic)) {
            let Some(topic) = self.context.topics.iter().find(|topic| topic.id == score.topic) else {
                continue;
            };
            let name = self.topic_name(topic);
            if let (Verdict::Kept | Verdict::BelowThreshold, Some(rated)) = (&score.verdict, &score.learned) {
                lines.extend(self.learned(&name, rated, self.unasked(Some(topic), paper, score)?));
                if !score.hits.is_empty() {
                    lines.push(vec![Span::Dim(self.hits(&score.hits))]);
                }
                continue;
            }
            lines.push(plain(match &score.verdict {
                Verdict::Kept => lang.why_topic(&name, score.points, Some(topic.threshold)),
                Verdict::BelowThreshold => lang.why_below(&name, score.points, topic.threshold),
                Verdict::ExcludedTerm(term) => lang.why_excluded_term(&name, term),
                Verdict::ExcludedCategory(category) => lang.why_excluded_category(&name, category),
                Verdict::OtherCategory => lang.why_other_category(&name, &paper.categories().join(" ")),
            }));
            if !score.hits.is_empty() {
                lines.push(vec![Span::Dim(self.hits(&score.hits))]);
            }
        }
        let facts = facts(paper, &all);
        if let Some((key, explanation)) = rule::nearest((0..).zip(&subjects.rules), &facts)
            && let Some(rule) = usize::try_from(key).ok().and_then(|at| subjects.rules.get(at))
        {
            let head = match explanation.holds() {
                true => lang.why_rule(),
                false => lang.why_nearest_rule(),
            };
            lines.push(vec![Span::Plain(head.to_owned()), Span::Code(rule.to_string())]);
            lines.extend(explanation.lines(lang));
        }
        Ok(lines)
    }

    pub(super) fn topic_name(&self, topic: &Topic) -> String {
        self.lang.pick(&topic.name_zh, &topic.name_en).clone()
    }
}
