//! The judge of the borderline, ahead of the digests: which papers near the threshold of a taught topic it is asked about, and
//! what its answers change. Who asks is elsewhere ([`crate::topic::judge`] says what). A paper is asked about once for a topic,
//! however many channels follow it. The answer is a note, and every stage that stores matches looks for it ([`scores`]), so
//! that it survives restarts, repairs and changes of the topic that the question does not show. Without an answer the threshold
//! decides. The judge speaks of a topic's own matches alone: what a keyword or a rule keeps is kept.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::accept::{REFRESH, matches};
use super::publish::{Occasion, ahead};
use super::readable;
use super::writing::ASK_AGAIN;
use crate::channel::Seq;
use crate::paper::{Paper, PaperId};
use crate::rule::{Rule, Term};
use crate::store::{IntakeRecord, MemoSpace, Result, Store, Write};
use crate::topic::judge::{self, Opinion, Question};
use crate::topic::{Matcher, Score, Topic, TopicId};

/// How far back a [`Tally`] looks.
pub const LOOK_BACK: TimeDelta = TimeDelta::days(30);
/// How many notes one read takes.
const PIECE: usize = 1_000;

/// A paper that a judge is to be asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    /// Which.
    pub paper: PaperId,
    /// Whose borderline.
    pub topic: TopicId,
    /// What to ask.
    pub question: Question,
    /// Under which key the answer is kept ([`Question::key`]).
    key: String,
}

/// What came of asking.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The judge has an opinion.
    Said(Opinion),
    /// Its answer is of no use, and why: the threshold decides.
    Failed(String),
    /// It was not asked, since what may be spent on a day was used up: the threshold decides.
    Spent,
}

/// What is kept of an answer, in [`MemoSpace::Judged`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// The paper as it was called then.
    pub paper: PaperId,
    /// Whose borderline.
    pub topic: TopicId,
    /// Which model was asked.
    pub model: String,
    /// When.
    pub at: DateTime<Utc>,
    /// What came of it.
    pub outcome: Outcome,
}

fn key(topic: &Topic, paper: &Paper) -> Option<(Question, String)> {
    let model = topic.judge()?;
    let question = judge::question(topic, paper);
    let key = question.key(&topic.id, model);
    Some((question, key))
}

/// A note that cannot be read is none: the paper is asked about anew.
fn note(store: &dyn Store, key: &str) -> Result<Option<Note>> {
    let stored = readable(store.memo(MemoSpace::Judged, key))?;
    Ok(stored.and_then(|stored| serde_json::from_str(&stored).ok()))
}

/// The paper's scores under the topics of which `matcher` was made, with the opinions of those topics' judges.
///
/// # Errors
/// Only when the store fails.
pub fn scores(store: &dyn Store, topics: &[Topic], matcher: &Matcher, paper: &Paper) -> Result<Vec<Score>> {
    let mut scores = matcher.score(paper);
    for (score, topic) in scores.iter_mut().zip(topics) {
        let Some((_, key)) = score.is_borderline().then(|| key(topic, paper)).flatten() else {
            continue;
        };
        if let Some(Outcome::Said(opinion)) = note(store, &key)?.map(|note| note.outcome) {
            *score = score.clone().judged(opinion);
        }
    }
    Ok(scores)
}

/// Which positions were looked through for papers near a threshold, and where there were any. A digest is prepared for again and
/// again, a weekly one among ten thousand papers; with this only what came since is read anew, and what was near.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    since: Seq,
    upto: Seq,
    near: BTreeSet<Seq>,
}

impl Seen {
    /// The stretches of one that it does not have; from then on it has them. One that lies apart from what it has replaces it.
    fn extend(&mut self, since: Seq, upto: Seq) -> Vec<(Seq, Seq)> {
        if upto < self.since || self.upto < since {
            *self = Self {
                since,
                upto: since,
                near: BTreeSet::new(),
            };
        }
        let missing = [(since, self.since), (self.upto, upto)];
        self.since = self.since.min(since);
        self.upto = self.upto.max(upto);
        missing.into_iter().filter(|(a, b)| a < b).collect()
    }
}

/// The papers that the judges of the topics of an occasion's channels were not asked about yet, the least certain first. One
/// whose answer was of no use is left out for a while ([`ASK_AGAIN`]). Nothing is read where no topic has a judge.
///
/// `seen` is from earlier looks with the same topics, or empty. A paper that has come near a threshold since then by a change
/// is found by a look with an empty one only.
///
/// # Errors
/// Only when the store fails.
pub fn borderline(
    store: &dyn Store,
    topics: &[Topic],
    occasion: &Occasion,
    seen: &mut Seen,
    now: DateTime<Utc>,
) -> Result<Vec<Case>> {
    let judged: Vec<Topic> = topics.iter().filter(|topic| topic.judge().is_some()).cloned().collect();
    if judged.is_empty() {
        return Ok(Vec::new());
    }
    let mut spans: BTreeMap<TopicId, BTreeSet<(Seq, Seq)>> = BTreeMap::new();
    for group in ahead(store, occasion, now)? {
        let subjects = &group.channel.settings.subjects;
        let follows = |topic: &&Topic| {
            let named = |rule: &Rule| {
                let mut terms = rule.expr().terms().into_iter();
                terms.any(|term| matches!(term, Term::Topic(id) if *id == topic.id))
            };
            subjects.topics.contains(&topic.id) || subjects.rules.iter().any(named)
        };
        for topic in judged.iter().filter(follows) {
            let span = (group.channel.cursor, group.upto);
            spans.entry(topic.id.clone()).or_default().insert(span);
        }
    }
    let all = || spans.values().flatten();
    let (Some(since), Some(upto)) = (all().map(|span| span.0).min(), all().map(|span| span.1).max()) else {
        return Ok(Vec::new());
    };
    let since = since.max(upto.saturating_sub(REFRESH));
    let matcher = Matcher::new(&judged);
    // A work that was taken for two papers has its place under its own name.
    let own = |record: &IntakeRecord| -> Result<Option<Paper>> {
        Ok(readable(store.paper(&record.paper))?.filter(|paper| paper.id == record.paper))
    };
    let mut looked = seen.clone();
    for (after, last) in looked.extend(since, upto) {
        for record in store.intake(after, last, usize::try_from(REFRESH).unwrap_or(usize::MAX))? {
            let scores = own(&record)?.map(|paper| matcher.score(&paper)).unwrap_or_default();
            if scores.iter().any(Score::is_borderline) {
                looked.near.insert(record.seq);
            }
        }
    }
    *seen = looked;
    let mut cases: Vec<(i32, Seq, Case)> = Vec::new();
    for seq in seen.near.iter().copied().filter(|seq| since < *seq && *seq <= upto) {
        let Some(record) = store.intake(seq.saturating_sub(1), seq, 1)?.pop() else {
            continue;
        };
        let Some(paper) = own(&record)? else { continue };
        for (score, topic) in matcher.score(&paper).into_iter().zip(&judged) {
            let spans = spans.get(&topic.id);
            let followed = spans.is_some_and(|spans| spans.iter().any(|(a, b)| *a < seq && seq <= *b));
            let Some(rated) = score.learned.as_ref().filter(|_| followed && score.is_borderline()) else {
                continue;
            };
            let Some((question, key)) = key(topic, &paper) else {
                continue;
            };
            let asked = match note(store, &key)? {
                None => false,
                Some(Note { at, outcome, .. }) => match outcome {
                    Outcome::Said(_) => true,
                    Outcome::Failed(_) => now - at < ASK_AGAIN,
                    // Whether there is something to spend again, only who spends it knows.
                    Outcome::Spent => false,
                },
            };
            if !asked {
                let case = Case {
                    paper: paper.id.clone(),
                    topic: topic.id.clone(),
                    question,
                    key,
                };
                cases.push(((rated.score - rated.threshold).abs(), seq, case));
            }
        }
    }
    cases.sort_by_key(|(distance, seq, _)| (*distance, *seq));
    Ok(cases.into_iter().map(|(.., case)| case).collect())
}

/// Keeps what came of asking, and lets it take effect: the topic's match of the paper is written or removed in the same
/// commit, unless the paper has changed since it was asked about. Digests that are there already stay as they are.
///
/// # Errors
/// Only when the store fails.
pub fn answered(store: &dyn Store, topics: &[Topic], case: &Case, outcome: Outcome, now: DateTime<Utc>) -> Result<()> {
    let Some((topic, note)) = noted(topics, case, outcome, now) else {
        return Ok(());
    };
    let mut writes = Vec::new();
    if let Outcome::Said(opinion) = &note.outcome
        && let Some(paper) = readable(store.paper(&case.paper))?
        && key(topic, &paper).is_some_and(|(_, key)| key == case.key)
        && let Some(record) = readable(store.intake_of(&paper.id))?
    {
        let scores = Matcher::new(std::slice::from_ref(topic)).score(&paper).into_iter();
        let scores = scores.map(|score| score.judged(opinion.clone())).collect();
        writes.extend(matches(scores, record.seq, &paper, true));
    }
    writes.push(note.write(case));
    store.commit(writes)
}

/// Keeps, for whoever asks why, that the judge could not be asked about these papers, since what may be spent on a day was used
/// up. It is asked about them as soon as it can be. Nothing is written where that stands there already for that day (UTC).
///
/// # Errors
/// Only when the store fails.
pub fn unasked(store: &dyn Store, topics: &[Topic], cases: &[Case], now: DateTime<Utc>) -> Result<()> {
    let mut writes = Vec::new();
    for case in cases {
        let stands = |note: &Note| note.outcome == Outcome::Spent && note.at.date_naive() == now.date_naive();
        if note(store, &case.key)?.as_ref().is_some_and(stands) {
            continue;
        }
        writes.extend(noted(topics, case, Outcome::Spent, now).map(|(_, note)| note.write(case)));
    }
    match writes.is_empty() {
        true => Ok(()),
        false => store.commit(writes),
    }
}

/// The topic that a case is about, if it has a judge still, and what is kept of the case.
fn noted<'a>(topics: &'a [Topic], case: &Case, outcome: Outcome, now: DateTime<Utc>) -> Option<(&'a Topic, Note)> {
    let topic = topics.iter().find(|topic| topic.id == case.topic)?;
    let note = Note {
        paper: case.paper.clone(),
        topic: case.topic.clone(),
        model: topic.judge()?.to_owned(),
        at: now,
        outcome,
    };
    Some((topic, note))
}

impl Note {
    fn write(&self, case: &Case) -> Write {
        Write::Memo {
            space: MemoSpace::Judged,
            key: case.key.clone(),
            // Texts and times always have a JSON form.
            value: serde_json::to_string(self).ok(),
        }
    }
}

/// Whether a topic's judge could not be asked about the paper as it is, since what may be spent on a day was used up.
///
/// # Errors
/// Only when the store fails.
pub fn was_unasked(store: &dyn Store, topic: &Topic, paper: &Paper) -> Result<bool> {
    let Some((_, key)) = key(topic, paper) else {
        return Ok(false);
    };
    Ok(note(store, &key)?.is_some_and(|note| note.outcome == Outcome::Spent))
}

/// What a topic's judge has said of late.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// How many papers it kept.
    pub kept: usize,
    /// How many it left out.
    pub left_out: usize,
    /// How many answers were of no use.
    pub failed: usize,
    /// About how many it was not asked, since what may be spent on a day was used up.
    pub spent: usize,
    /// The latest answer.
    pub last: Option<Note>,
}

/// What a topic's judge has said since then, whichever model it was.
///
/// # Errors
/// Only when the store fails.
pub fn tally(store: &dyn Store, topic: &TopicId, since: DateTime<Utc>) -> Result<Tally> {
    let prefix = judge::prefix(topic);
    let mut tally = Tally::default();
    let mut after = prefix.clone();
    loop {
        let notes = store.memos(MemoSpace::Judged, Some(&after), PIECE)?;
        let whole = notes.len() == PIECE;
        for (key, stored) in notes {
            if !key.starts_with(&prefix) {
                return Ok(tally);
            }
            after = key;
            let Some(note) = serde_json::from_str::<Note>(&stored)
                .ok()
                .filter(|note| note.at >= since)
            else {
                continue;
            };
            *match &note.outcome {
                Outcome::Said(Opinion { yes: true, .. }) => &mut tally.kept,
                Outcome::Said(Opinion { yes: false, .. }) => &mut tally.left_out,
                Outcome::Failed(_) => &mut tally.failed,
                Outcome::Spent => {
                    tally.spent += 1;
                    continue;
                }
            } += 1;
            if tally.last.as_ref().is_none_or(|last| last.at < note.at) {
                tally.last = Some(note);
            }
        }
        if !whole {
            return Ok(tally);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{
        Counting, Spoiled, add_channel, arxiv, channel, news, october, paper, papers_read, settings, taught, topic,
        wanted,
    };
    use super::super::{Accepted, Extent, accept, configure_channels, publish_due, publish_now, refresh_topics};
    use super::*;
    use crate::channel::{Settings, Style};
    use crate::store::ModelStore;
    use crate::subscription::Subjects;

    const HERE: &str = "telegram:-1";

    /// Every `certain` of an abstract adds two to the score, every `near` a tenth, every `far` takes two; it takes 0.05.
    fn judged() -> Topic {
        taught(&["certain", "near", "far"], &[2.0, 0.1, -2.0], 0.05, Some("m"))
    }

    fn take(store: &ModelStore, topic: &Topic, day: i64, papers: Vec<Paper>) -> Accepted {
        let (topics, name) = (std::slice::from_ref(topic), day.to_string());
        let (render, at) = (Counting::default(), october(day, 20));
        accept(store, topics, &render, &name, name.as_bytes(), news(day, papers), at).unwrap()
    }

    /// A mailing with a paper that is wanted, one that hardly is, one that hardly is not, and one that is not.
    fn newsroom() -> ModelStore {
        let store = ModelStore::new();
        refresh_topics(&store, &[judged()]).unwrap();
        add_channel(&store, HERE, settings(), october(9, 12));
        let papers = vec![
            paper(1, "First", "It is certain."),
            paper(2, "Second", "It is near."),
            paper(3, "Third", "It is neither."),
            paper(4, "Fourth", "It is far."),
        ];
        take(&store, &judged(), 9, papers);
        store
    }

    fn due() -> Occasion {
        Occasion::Due(october(10, 9))
    }

    fn cases(store: &ModelStore) -> Vec<Case> {
        borderline(store, &[judged()], &due(), &mut Seen::default(), october(10, 9)).unwrap()
    }

    fn named(cases: &[Case]) -> Vec<PaperId> {
        cases.iter().map(|case| case.paper.clone()).collect()
    }

    fn says(store: &ModelStore, case: &Case, yes: bool) {
        let reason = "because".to_owned();
        let outcome = Outcome::Said(Opinion { yes, reason });
        answered(store, &[judged()], case, outcome, october(10, 8)).unwrap();
    }

    #[test]
    fn a_rule_that_names_the_topic_has_its_judge_asked() {
        let rules: Vec<Rule> = vec![format!("topic:{} -survey", judged().id).parse().unwrap()];
        let store = ModelStore::new();
        refresh_topics(&store, &[judged()]).unwrap();
        let subjects = Subjects {
            topics: Vec::new(),
            rules,
            ..settings().subjects
        };
        let by_rule = Settings { subjects, ..settings() };
        add_channel(&store, HERE, by_rule, october(9, 12));
        take(
            &store,
            &judged(),
            9,
            vec![paper(2, "Second", "It is near."), paper(4, "Fourth", "It is far.")],
        );
        assert_eq!(named(&cases(&store)), [arxiv(2)]);
    }

    #[test]
    fn repeated_looks_read_what_was_near_and_what_came_since() {
        let store = newsroom();
        // Of each hundred papers one is near.
        let many = |day: u64| -> Vec<Paper> {
            let near = |n: u64| n.is_multiple_of(100);
            let text = |n| if near(n) { "It is near." } else { "It is far." };
            (day * 1_000..day * 1_000 + 400)
                .map(|n| paper(n, &format!("Number {n}"), text(n)))
                .collect()
        };
        take(&store, &judged(), 10, many(10));
        let counted = Spoiled {
            whole: &store,
            papers: Vec::new(),
            parts: Vec::new(),
        };
        let looks = |seen: &mut Seen, horizon| {
            let before = papers_read();
            let cases = borderline(&counted, &[judged()], &Occasion::Due(horizon), seen, october(11, 8)).unwrap();
            (cases.len(), papers_read() - before)
        };
        let (seen, soon) = (&mut Seen::default(), october(11, 9));
        assert_eq!(looks(seen, soon), (6, 404 + 6));
        // Fifteen looks without it would read 6,150 papers.
        for _ in 1..15 {
            assert_eq!(looks(seen, soon), (6, 6));
        }
        // A look at which nothing is due reads nothing and forgets nothing.
        assert_eq!(looks(seen, october(10, 8)), (0, 0));
        take(&store, &judged(), 11, many(11));
        assert_eq!(looks(seen, soon), (10, 400 + 10));
        // What was near and changed is asked about as it is now, or not at all.
        store
            .commit(vec![Write::Paper(Box::new(paper(2, "Second", "It is certain.")))])
            .unwrap();
        store
            .commit(vec![Write::Paper(Box::new(paper(3, "Third", "It is neither nor.")))])
            .unwrap();
        let cases = borderline(&counted, &[judged()], &Occasion::Due(soon), seen, october(11, 8)).unwrap();
        let third = cases.iter().find(|case| case.paper == arxiv(3)).unwrap();
        assert!(
            cases.len() == 9 && third.question.paper.contains("neither nor"),
            "{cases:?}"
        );
        // What has come near is found by whoever looks anew.
        store
            .commit(vec![Write::Paper(Box::new(paper(4, "Fourth", "It is near.")))])
            .unwrap();
        assert_eq!(looks(seen, soon).0, 9);
        assert_eq!(looks(&mut Seen::default(), soon), (10, 804 + 10));
    }

    #[test]
    fn what_was_looked_through_grows_on_both_sides_and_is_replaced_by_what_lies_apart() {
        let mut seen = Seen::default();
        assert_eq!(seen.extend(100, 200), [(100, 200)]);
        seen.near.insert(150);
        assert_eq!(seen.extend(120, 180), []);
        assert_eq!(seen.extend(50, 230), [(50, 100), (200, 230)]);
        assert_eq!(seen.extend(230, 240), [(230, 240)]);
        assert_eq!((seen.since, seen.upto, seen.near.len()), (50, 240, 1));
        assert_eq!(seen.extend(300, 400), [(300, 400)]);
        assert!(seen.near.is_empty());
        assert_eq!(seen.extend(0, 10), [(0, 10)]);
        assert_eq!(seen.extend(0, 0), []);
    }

    /// It refuses the second paper and accepts the third.
    fn crossed(store: &ModelStore) {
        for case in cases(store) {
            says(store, &case, case.paper == arxiv(3));
        }
    }

    fn kept(store: &ModelStore) -> Vec<PaperId> {
        let found = store.matches(&topic().id, 0, Seq::MAX).unwrap();
        found.into_iter().map(|found| found.paper).collect()
    }

    fn published(store: &ModelStore) -> Vec<PaperId> {
        let published = publish_due(store, &[judged()], &Counting::default(), october(10, 9)).unwrap();
        let digest = store.digest(&published.digests[0].0).unwrap().unwrap();
        digest.entries.into_iter().map(|entry| entry.paper).collect()
    }

    #[test]
    fn only_papers_near_the_threshold_of_what_is_due_are_asked_about_and_once() {
        let store = newsroom();
        assert_eq!(named(&cases(&store)), [arxiv(2), arxiv(3)]);
        let at = |topics: &[Topic], occasion| {
            borderline(&store, topics, &occasion, &mut Seen::default(), october(10, 8)).unwrap()
        };
        assert_eq!(at(&[judged()], Occasion::Due(october(10, 8))), []);
        assert_eq!(at(&[judged()], Occasion::Asked(vec![HERE.parse().unwrap()])).len(), 2);
        // Titles alone are judged too, however many they are; keywords are nobody's borderline.
        let of = |n: i64| Settings {
            style: Style::Titles,
            subjects: match n % 2 {
                0 => Subjects::new([topic().id], []),
                _ => Subjects::new([], ["rain".to_owned()]),
            },
            ..settings()
        };
        let all: Vec<_> = (0..600)
            .map(|n| wanted(&format!("telegram:-{}", n + 10), of(n)))
            .collect();
        configure_channels(&store, &all, Extent::Whole, october(9, 12)).unwrap();
        assert_eq!(named(&cases(&store)), [arxiv(2), arxiv(3)]);
        crossed(&store);
        assert_eq!(cases(&store), []);
        // Without a judge nobody is asked, and what was said counts no more.
        let plain = taught(&["certain", "near", "far"], &[2.0, 0.1, -2.0], 0.05, None);
        assert_eq!(at(std::slice::from_ref(&plain), due()), []);
        refresh_topics(&store, std::slice::from_ref(&plain)).unwrap();
        assert_eq!(kept(&store), [arxiv(1), arxiv(2)]);
    }

    #[test]
    fn what_the_judge_says_is_in_the_digest_and_comes_back_when_matches_are_made_anew() {
        let store = newsroom();
        assert_eq!(kept(&store), [arxiv(1), arxiv(2)]);
        crossed(&store);
        assert_eq!(kept(&store), [arxiv(1), arxiv(3)]);
        // A rule that is tried finds what one that is followed will.
        let rule = format!("topic:{}", judged().id).parse().unwrap();
        let trial = crate::rule::trial::trial(&store, &rule, &[judged()], october(10, 9)).unwrap();
        let mut tried: Vec<_> = trial.examples.into_iter().map(|example| example.paper).collect();
        tried.sort();
        assert_eq!(tried, [arxiv(1), arxiv(3)]);
        let found = store.matches(&topic().id, 2, 3).unwrap().remove(0);
        assert_eq!(found.score.learned.unwrap().opinion.unwrap().reason, "because");
        // Matched anew after the topic was away, as after a change of it.
        refresh_topics(&store, &[]).unwrap();
        let changed = Topic {
            learned: taught(&["certain", "near", "far"], &[2.0, 0.2, -2.0], 0.1, Some("m")).learned,
            ..judged()
        };
        refresh_topics(&store, std::slice::from_ref(&changed)).unwrap();
        assert_eq!(kept(&store), [arxiv(1), arxiv(3)]);
        // A better account that says the same of it.
        let again = Paper {
            version: 2,
            comments: paper(2, "9 pages", "").title,
            ..paper(2, "Second", "It is near.")
        };
        assert_eq!(take(&store, &judged(), 10, vec![again]).papers_updated, 1);
        assert_eq!(kept(&store), [arxiv(1), arxiv(3)]);
        assert_eq!(published(&store), [arxiv(1), arxiv(3)]);
    }

    #[test]
    fn an_answer_of_no_use_changes_nothing_and_is_not_asked_for_again_for_a_while() {
        let store = newsroom();
        let case = cases(&store).remove(0);
        let outcome = Outcome::Failed("the reply begins with neither yes nor no".to_owned());
        answered(&store, &[judged()], &case, outcome, october(10, 8)).unwrap();
        assert_eq!(named(&cases(&store)), [arxiv(3)]);
        let later = Occasion::Due(october(11, 9));
        let cases = borderline(&store, &[judged()], &later, &mut Seen::default(), october(11, 9)).unwrap();
        assert_eq!(named(&cases), [arxiv(2), arxiv(3)]);
        assert_eq!(published(&store), [arxiv(1), arxiv(2)]);
    }

    #[test]
    fn a_paper_for_which_nothing_was_left_is_noted_once_a_day_and_asked_about_when_there_is_more() {
        let store = newsroom();
        let all = cases(&store);
        let unasked = |now| unasked(&store, &[judged()], &all[1..], now).unwrap();
        unasked(october(9, 23));
        let noted = || note(&store, &all[1].key).unwrap().unwrap();
        unasked(october(9, 23) + TimeDelta::minutes(59));
        assert_eq!((noted().at, noted().outcome), (october(9, 23), Outcome::Spent));
        unasked(october(10, 1));
        assert_eq!(noted().at, october(10, 1));
        let (second, third) = (
            store.paper(&arxiv(2)).unwrap().unwrap(),
            store.paper(&arxiv(3)).unwrap().unwrap(),
        );
        let was = |paper: &Paper| was_unasked(&store, &judged(), paper).unwrap();
        assert_eq!((was(&second), was(&third)), (false, true));
        assert_eq!(cases(&store), all);
        let counted = || tally(&store, &topic().id, october(9, 0)).unwrap();
        assert_eq!((counted().spent, counted().last), (1, None));
        crossed(&store);
        assert_eq!((counted().spent, was(&third)), (0, false));
        assert_eq!(published(&store), [arxiv(1), arxiv(3)]);
    }

    #[test]
    fn a_paper_that_changed_meanwhile_is_asked_about_anew() {
        let store = newsroom();
        let case = cases(&store).remove(0);
        let other = paper(2, "Second", "It is near, as we show at length.");
        store.commit(vec![Write::Paper(Box::new(other))]).unwrap();
        says(&store, &case, false);
        assert_eq!(kept(&store), [arxiv(1), arxiv(2)]);
        assert!(named(&cases(&store)).contains(&arxiv(2)));
    }

    #[test]
    fn what_a_keyword_keeps_and_what_was_published_stay() {
        let store = newsroom();
        let both = Settings {
            subjects: Subjects::new([topic().id], ["second".to_owned()]),
            ..settings()
        };
        add_channel(&store, "telegram:-2", both, october(9, 12));
        let first = channel(&store, HERE);
        let published = publish_now(&store, &[judged()], &Counting::default(), vec![first], october(9, 21)).unwrap();
        let digest = || store.digest(&published.digests[0].0).unwrap().unwrap();
        let before = digest();
        crossed(&store);
        assert_eq!(digest(), before);
        let second = channel(&store, "telegram:-2");
        let published = publish_now(&store, &[judged()], &Counting::default(), vec![second], october(9, 22)).unwrap();
        let digest = store.digest(&published.digests[0].0).unwrap().unwrap();
        let entry = digest.entries.iter().find(|entry| entry.paper == arxiv(2)).unwrap();
        assert!(
            entry.topics.is_empty() && entry.hits.iter().any(|hit| hit.term == "second"),
            "{entry:?}"
        );
        assert_eq!(digest.entries.len(), 3);
    }

    #[test]
    fn what_was_said_of_late_is_counted_by_topic() {
        let store = newsroom();
        crossed(&store);
        let count = |topic: &str, since| tally(&store, &TopicId(topic.to_owned()), since).unwrap();
        let all = count("caching", october(10, 0));
        assert_eq!((all.kept, all.left_out, all.failed), (1, 1, 0));
        assert_eq!(all.last.unwrap().model, "m");
        assert_eq!(count("caching", october(10, 9)), Tally::default());
        assert_eq!(count("cach", october(10, 0)), Tally::default());
    }
}
