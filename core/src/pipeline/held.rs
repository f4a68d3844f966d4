//! Digests that are held back ([`crate::breaker`]), and the record that every digest has of what was decided about it.
//!
//! A held digest is written like any other and its channels go on behind it; only its deliveries are missing. They are queued
//! when a person says so, once, whoever says it and however often. Nothing here happens by the passing of time.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Datelike as _, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::publish::{Ruled, calls, post};
use super::{Published, readable};
use crate::breaker::{self, Facts, Likely, MOST_HISTORY, Reason};
use crate::brief;
use crate::channel::{Activity, Channel, Place, Platform, Seq};
use crate::command::press::{Button, HoldAction, Press, Seal};
use crate::digest::{Digest, DigestId, View};
use crate::locale::Lang;
use crate::message::{Block, Message, Render, Span, plain};
use crate::store::{MemoSpace, Result, Store, Write};
use crate::subscription::Subjects;
use crate::topic::{Topic, TopicId};
use crate::vote::Person;

/// How long decisions are kept: a year and a month, so that a day can be compared with the one a year before.
pub const KEPT: TimeDelta = TimeDelta::days(400);
/// How many held digests are looked at, at most.
const MOST_HELD: usize = 1_000;
/// How many channels are named to a person.
const NAMED: usize = 10;
/// The wait after the first attempt to tell somebody; doubled after each further one, up to a day: a person who never opened
/// a private chat may do so tomorrow.
const PATIENCE: TimeDelta = TimeDelta::minutes(1);
const LONGEST_PATIENCE: TimeDelta = TimeDelta::days(1);
/// Before the hash of subjects in the key of their history. No digest's id begins so, and all of them stand before it.
const HISTORY: &str = "h:";

/// What was decided about a digest when it was composed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "verdict", content = "reason")]
pub enum Ruling {
    /// It was posted by itself.
    Post,
    /// It was held back.
    Hold(Reason),
    /// It was not judged: a person asked for it, or it repeats what was posted.
    Unjudged,
}

/// What a person decided about a held digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resolved {
    /// Whether it was posted; else it was dropped.
    pub posted: bool,
    /// Who decided: a [`Person`], or [`OPERATOR`].
    pub by: String,
    /// When.
    pub at: DateTime<Utc>,
}

/// Who decides on the command line.
pub const OPERATOR: &str = "operator";

/// The record of a digest's decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// What it was judged by.
    pub facts: Facts,
    /// How.
    #[serde(flatten)]
    pub ruling: Ruling,
    /// When.
    pub decided_at: DateTime<Utc>,
    /// What was likely then; not known of some digests: the history was too short, or it was not written down yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub likely: Option<Likely>,
    /// Of one that was held: which channels it is for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub channels: Vec<Place>,
    /// Of one that was held: what a person decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolved: Option<Resolved>,
}

/// The stored form says its version, and which subjects it is about.
#[derive(Serialize, Deserialize)]
struct DecisionV1 {
    v: u8,
    subjects: String,
    #[serde(flatten)]
    decision: Decision,
}

/// A digest that waits for a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// The channels that it is for.
    pub channels: Vec<Place>,
    /// Why it waits.
    pub reason: Reason,
    /// Since when.
    pub at: DateTime<Utc>,
    /// How far telling got, by [`To`].
    #[serde(default)]
    pub told: BTreeMap<String, Telling>,
}

#[derive(Serialize, Deserialize)]
struct HeldV1 {
    v: u8,
    #[serde(flatten)]
    held: Held,
}

/// How far telling one addressee got.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Telling {
    /// How often it was tried.
    pub tries: u32,
    /// When it is tried again.
    pub next: DateTime<Utc>,
    /// When it worked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told: Option<DateTime<Utc>>,
}

/// Who is told of a held digest.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum To {
    /// Who set one of its channels up, in private.
    Person(Person),
    /// The operator's place.
    Place(Place),
}

impl To {
    fn key(&self) -> String {
        match self {
            Self::Person(person) => format!("person {person}"),
            Self::Place(place) => format!("place {place}"),
        }
    }

    /// On which platform.
    pub fn platform(&self) -> Platform {
        match self {
            Self::Person(person) => person.platform(),
            Self::Place(place) => place.platform(),
        }
    }
}

/// What somebody is to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// Of which digest.
    pub digest: DigestId,
    /// Whom.
    pub to: To,
    /// What: why it is held, for whom, and how that is decided.
    pub message: Message,
    /// The two buttons.
    pub buttons: Vec<Vec<Button>>,
}

/// Why a channel did not get a held digest that was posted after all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// Those that are no channels any more.
    pub removed: Vec<Place>,
    /// Those that are paused.
    pub silent: Vec<Place>,
}

/// What became of a decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It is posted now.
    Posted {
        /// To how many channels.
        channels: usize,
        /// To which not.
        left_out: LeftOut,
    },
    /// It is dropped now.
    Dropped,
    /// Somebody had decided before; nothing has changed.
    Already(Resolved),
    /// None of its channels gets digests; it is still held.
    NoChannel(LeftOut),
    /// No such digest is held, and none was.
    Gone,
}

/// The decision about a digest; `None` where there is none, or none that this version can read.
///
/// # Errors
/// Only when the store fails.
pub fn decision(store: &dyn Store, id: &DigestId) -> Result<Option<Decision>> {
    let text = readable(store.memo(MemoSpace::Decision, &id.to_string()))?;
    let stored = text.and_then(|text| serde_json::from_str::<DecisionV1>(&text).ok());
    Ok(stored.filter(|stored| stored.v == 1).map(|stored| stored.decision))
}

/// Whether a digest is not for readers: it is held back, or was dropped.
///
/// # Errors
/// Only when the store fails.
pub fn is_withheld(store: &dyn Store, id: &DigestId) -> Result<bool> {
    Ok(decision(store, id)?.is_some_and(|decision| decision.is_withheld()))
}

impl Decision {
    /// The record for people: what was decided and when, by what numbers, and what a person decided.
    pub fn says(&self, lang: Lang, topics: &[Topic]) -> Vec<String> {
        let facts = &self.facts;
        let (judged, reason) = match &self.ruling {
            Ruling::Post => (true, None),
            Ruling::Unjudged => (false, None),
            Ruling::Hold(reason) => (true, Some(reason.says(lang, topics))),
        };
        let mut says = vec![lang.decided(judged, reason.as_deref(), &lang.instant(self.decided_at))];
        if reason.is_some() {
            let resolved = self.resolved.as_ref().map(|resolved| {
                let by = match resolved.by.as_str() {
                    OPERATOR => lang.by_operator(),
                    by => by,
                };
                (resolved.posted, by, lang.instant(resolved.at))
            });
            says.push(lang.decided_by(resolved.as_ref().map(|(posted, by, at)| (*posted, *by, at.as_str()))));
        }
        let usual = self.likely.map(|likely| (likely.usual(), likely.digests));
        let usual = usual.as_ref().map(|(usual, digests)| (usual.as_str(), *digests));
        says.push(lang.decided_volume([facts.considered, facts.matched, facts.entries], usual));
        says.push(lang.decided_emptiness(facts.blank, facts.refused, facts.lost));
        says
    }

    /// Whether the digest is held back, or was dropped.
    pub fn is_withheld(&self) -> bool {
        match self.ruling {
            Ruling::Post | Ruling::Unjudged => false,
            Ruling::Hold(_) => self.resolved.as_ref().is_none_or(|resolved| !resolved.posted),
        }
    }
}

/// A held digest; `None` when it is not held.
///
/// # Errors
/// Only when the store fails.
pub fn held(store: &dyn Store, id: &DigestId) -> Result<Option<Held>> {
    Ok(readable(store.memo(MemoSpace::Held, &id.to_string()))?.and_then(|text| read_held(&text)))
}

/// All held digests, the earliest occurrence first; at most 1,000.
///
/// # Errors
/// Only when the store fails.
pub fn all_held(store: &dyn Store) -> Result<Vec<(DigestId, Held)>> {
    let stored = store.memos(MemoSpace::Held, None, MOST_HELD)?;
    let mut all: Vec<(DigestId, Held)> = stored
        .into_iter()
        .filter_map(|(key, text)| Some((key.parse().ok()?, read_held(&text)?)))
        .collect();
    all.sort_by_key(|(id, _)| *id);
    Ok(all)
}

fn read_held(text: &str) -> Option<Held> {
    let stored = serde_json::from_str::<HeldV1>(text).ok();
    stored.filter(|stored| stored.v == 1).map(|stored| stored.held)
}

/// A record of these kinds always becomes JSON: its keys are strings.
fn json(record: &impl Serialize) -> String {
    serde_json::to_string(record).unwrap_or_default()
}

fn write_held(id: &DigestId, held: Option<Held>) -> Write {
    Write::Memo {
        space: MemoSpace::Held,
        key: id.to_string(),
        value: held.map(|held| json(&HeldV1 { v: 1, held })),
    }
}

fn write_decision(id: &DigestId, subjects: &Subjects, decision: Decision) -> Write {
    let stored = DecisionV1 {
        v: 1,
        subjects: format!("{:016x}", mark(subjects)),
        decision,
    };
    Write::Memo {
        space: MemoSpace::Decision,
        key: id.to_string(),
        value: Some(json(&stored)),
    }
}

/// What is followed, whatever the position from which it is read.
fn mark(subjects: &Subjects) -> u64 {
    DigestId::new(subjects, 0, DateTime::UNIX_EPOCH).set
}

/// A day of the past: its number from the common era, considered, matched, and what each topic brought.
type Past = (i32, u32, u32, Vec<(TopicId, u32)>);

#[derive(Default, Serialize, Deserialize)]
struct HistoryV1 {
    v: u8,
    days: Vec<Past>,
    /// How many digests that were held for their empty papers a person has posted since one was dropped.
    #[serde(default)]
    titles_sufficed: u32,
}

fn history_key(subjects: &Subjects) -> String {
    format!("{HISTORY}{:016x}", mark(subjects))
}

fn read_history(store: &dyn Store, subjects: &Subjects) -> Result<HistoryV1> {
    let text = readable(store.memo(MemoSpace::Decision, &history_key(subjects)))?;
    let stored = text.and_then(|text| serde_json::from_str::<HistoryV1>(&text).ok());
    Ok(stored.filter(|stored| stored.v == 1).unwrap_or_default())
}

/// Whether a person has posted held digests of these subjects often enough that were held because most of their papers have
/// neither abstract nor brief.
pub(super) fn titles_suffice(store: &dyn Store, subjects: &Subjects) -> Result<bool> {
    Ok(read_history(store, subjects)?.titles_sufficed >= breaker::ENOUGH_SAID)
}

/// What the latest digests of the same subjects brought, one for each day: those that were posted, by themselves or by a
/// person. They stand in one record, since a digest's id does not tell its subjects.
pub(super) fn history(store: &dyn Store, subjects: &Subjects) -> Result<Vec<Facts>> {
    let days = read_history(store, subjects)?.days.into_iter();
    let facts = days.map(|(_, considered, matched, topics)| Facts {
        considered,
        matched,
        topics,
        ..Facts::default()
    });
    Ok(facts.collect())
}

/// The history with a digest that is posted. Of several on one day, in several time zones say, the one that was made from the
/// most papers stays, so that the past is as long as it is for one channel.
fn remember(store: &dyn Store, subjects: &Subjects, id: &DigestId, facts: &Facts) -> Result<Option<Write>> {
    let mut history = read_history(store, subjects)?;
    let changed = history.add(id, facts);
    Ok(changed.then(|| write_history(subjects, history)))
}

fn write_history(subjects: &Subjects, history: HistoryV1) -> Write {
    Write::Memo {
        space: MemoSpace::Decision,
        key: history_key(subjects),
        value: Some(json(&HistoryV1 { v: 1, ..history })),
    }
}

impl HistoryV1 {
    /// Returns whether it is another one now.
    fn add(&mut self, id: &DigestId, facts: &Facts) -> bool {
        if facts.considered == 0 {
            return false;
        }
        let days = &mut self.days;
        let today = id.occurrence.num_days_from_ce();
        let fresh = (today, facts.considered, facts.matched, facts.topics.clone());
        match days.iter_mut().find(|(day, ..)| *day == today) {
            Some(known) if known.1 >= facts.considered => return false,
            Some(known) => *known = fresh,
            None => days.push(fresh),
        }
        days.sort_by_key(|(day, ..)| *day);
        let over = days.len().saturating_sub(MOST_HISTORY);
        days.drain(..over);
        true
    }
}

/// What a digest is judged by. `last` is when its channel had its last one.
pub(super) fn facts(store: &dyn Store, digest: &Digest, last: DateTime<Utc>) -> Result<Facts> {
    let (mut blank, mut refused) = (0, 0);
    for entry in &digest.entries {
        let paper = readable(store.paper(&entry.paper))?;
        let has_words = |text: &str| text.chars().any(char::is_alphanumeric);
        let told = paper.as_ref().is_some_and(|paper| has_words(paper.abstract_text()));
        blank += u32::from(entry.briefs.is_empty() && !told);
        let fails = |paper: &crate::paper::Paper| {
            let refused = |brief: &brief::Brief| brief::gate::check(&brief.text, brief.lang, paper).is_err();
            paper.briefs.iter().any(refused)
        };
        refused += u32::from(paper.as_ref().is_some_and(fails));
    }
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let of = |topic: &TopicId| {
        count(
            digest
                .entries
                .iter()
                .filter(|entry| entry.topics.contains(topic))
                .count(),
        )
    };
    let from = digest.windows.iter().map(|window| window.from).min();
    let to = digest.windows.iter().map(|window| window.to).max();
    let hours = from.zip(to).map_or(0, |(from, to)| (to - from).num_hours());
    Ok(Facts {
        considered: digest.considered,
        matched: digest.matched,
        entries: count(digest.entries.len()),
        blank,
        refused,
        lost: lost(store, digest.since, digest.upto, last)?,
        windows: count(digest.windows.len()),
        hours: u32::try_from(hours).unwrap_or(0),
        weekday: digest.id.occurrence.weekday(),
        topics: digest
            .subjects
            .topics
            .iter()
            .map(|topic| (topic.clone(), of(topic)))
            .collect(),
    })
}

/// A file that had hardly anything but items without a word in them. They became no papers, so that no digest would show
/// that they came.
#[derive(Serialize, Deserialize)]
struct LostV1 {
    v: u8,
    name: String,
    lost: u32,
    of: u32,
    at: DateTime<Utc>,
}

/// The note of a file of which so many items could not be read; none where most could. `upto` is the position after it.
pub(super) fn note_lost(name: &str, hash: &str, lost: u32, of: u32, upto: Seq, at: DateTime<Utc>) -> Option<Write> {
    let most = u64::from(lost) * 2 > u64::from(of);
    most.then(|| Write::Memo {
        space: MemoSpace::Lost,
        key: format!("{upto:020}:{}", hash.chars().take(16).collect::<String>()),
        value: Some(json(&LostV1 {
            v: 1,
            name: crate::message::ellipsis(name, 200),
            lost,
            of,
            at,
        })),
    })
}

/// How many items such files had that came after `since`. A file that brought nothing else has the position before it; where
/// that is the digest's own beginning, it counts if it came after the last digest.
fn lost(store: &dyn Store, since: Seq, upto: Seq, last: DateTime<Utc>) -> Result<u32> {
    let notes = store.memos(MemoSpace::Lost, Some(&format!("{since:020}")), MOST_HELD)?;
    let of_this = notes.into_iter().filter_map(|(key, text)| {
        let seq: Seq = key.split_once(':')?.0.parse().ok()?;
        let note: LostV1 = serde_json::from_str(&text).ok()?;
        let within = (since < seq && seq <= upto) || (seq == since && note.at > last);
        within.then_some(note.lost)
    });
    Ok(of_this.fold(0, u32::saturating_add))
}

/// The records of a digest that was just composed.
pub(super) fn decided(
    store: &dyn Store,
    digest: &Digest,
    facts: Facts,
    ruling: Ruling,
    now: DateTime<Utc>,
) -> Result<Vec<Write>> {
    let mut writes = Vec::new();
    // What waits is no example of what is usual, nor is what nobody judged.
    if ruling == Ruling::Post {
        writes.extend(remember(store, &digest.subjects, &digest.id, &facts)?);
    }
    let likely = breaker::likely(&history(store, &digest.subjects)?, facts.considered);
    let decision = Decision {
        facts,
        ruling,
        decided_at: now,
        likely,
        channels: Vec::new(),
        resolved: None,
    };
    writes.push(write_decision(&digest.id, &digest.subjects, decision));
    Ok(writes)
}

/// What is done for channels whose digest had been composed before, for other channels.
pub(super) enum Known {
    /// They get it.
    Post,
    /// They wait with the others.
    Hold(Reason),
    /// It was dropped.
    Dropped,
}

pub(super) fn known(store: &dyn Store, id: &DigestId) -> Result<Known> {
    let Some(decision) = decision(store, id)? else {
        return Ok(Known::Post);
    };
    Ok(match (decision.ruling, decision.resolved) {
        (Ruling::Post | Ruling::Unjudged, _) => Known::Post,
        (Ruling::Hold(reason), None) => Known::Hold(reason),
        (Ruling::Hold(_), Some(Resolved { posted: true, .. })) => Known::Post,
        (Ruling::Hold(_), Some(Resolved { posted: false, .. })) => Known::Dropped,
    })
}

/// The record of a digest that waits, with these channels beside those that it is for already.
pub(super) fn hold(
    store: &dyn Store,
    id: &DigestId,
    reason: &Reason,
    channels: Vec<Place>,
    now: DateTime<Utc>,
) -> Result<Write> {
    let known = held(store, id)?;
    let mut held = known.unwrap_or_else(|| Held {
        channels: Vec::new(),
        reason: reason.clone(),
        at: now,
        told: BTreeMap::new(),
    });
    let all: BTreeSet<Place> = held.channels.drain(..).chain(channels).collect();
    held.channels = all.into_iter().collect();
    Ok(write_held(id, Some(held)))
}

/// Carries out what a person decided about a held digest: it is posted to the channels that it is for, or never. Posting
/// renders the digest as it was composed; later digests may stand before it then. Done once: asked again, by whomever, it only
/// says what was decided.
///
/// # Errors
/// Only when the store fails.
pub fn resolve(
    store: &dyn Store,
    topics: &[Topic],
    render: &dyn Render,
    id: &DigestId,
    action: HoldAction,
    by: &str,
    now: DateTime<Utc>,
) -> Result<Outcome> {
    let decision = decision(store, id)?;
    let Some(held) = held(store, id)? else {
        let resolved = decision.and_then(|decision| decision.resolved);
        return Ok(resolved.map_or(Outcome::Gone, Outcome::Already));
    };
    let Some(digest) = readable(store.digest(id))? else {
        return Ok(Outcome::Gone);
    };
    let mut writes = Vec::new();
    let posted = match action {
        HoldAction::Drop => None,
        HoldAction::Post => {
            let (queued, left_out) = queue(store, topics, render, &digest, &held, &mut writes, now)?;
            if queued == 0 {
                return Ok(Outcome::NoChannel(left_out));
            }
            Some((queued, left_out))
        }
    };
    let mut decision = match decision {
        Some(decision) => decision,
        None => Decision {
            facts: facts(store, &digest, held.at)?,
            ruling: Ruling::Hold(held.reason.clone()),
            decided_at: held.at,
            likely: None,
            channels: Vec::new(),
            resolved: None,
        },
    };
    let mut history = read_history(store, &digest.subjects)?;
    let mut changed = posted.is_some() && history.add(id, &decision.facts);
    if matches!(decision.ruling, Ruling::Hold(Reason::Blank { .. })) && decision.facts.is_blank() {
        history.titles_sufficed = match posted {
            Some(_) => history.titles_sufficed.saturating_add(1),
            None => 0,
        };
        changed = true;
    }
    if changed {
        writes.push(write_history(&digest.subjects, history));
    }
    decision.channels = held.channels;
    decision.resolved = Some(Resolved {
        posted: posted.is_some(),
        by: by.to_owned(),
        at: now,
    });
    writes.push(write_decision(id, &digest.subjects, decision));
    writes.push(write_held(id, None));
    store.commit(writes)?;
    Ok(match posted {
        Some((channels, left_out)) => Outcome::Posted { channels, left_out },
        None => Outcome::Dropped,
    })
}

/// Queues a held digest for its channels. Returns for how many, and which are left out.
fn queue(
    store: &dyn Store,
    topics: &[Topic],
    render: &dyn Render,
    digest: &Digest,
    held: &Held,
    writes: &mut Vec<Write>,
    now: DateTime<Utc>,
) -> Result<(usize, LeftOut)> {
    let mut left_out = LeftOut::default();
    let mut channels = Vec::new();
    for place in &held.channels {
        match readable(store.channel(place))? {
            Some(channel) => match channel.activity {
                Activity::Active => channels.push(channel),
                Activity::Paused { .. } | Activity::Snoozed { .. } | Activity::Absent { .. } => {
                    left_out.silent.push(place.clone());
                }
            },
            None => left_out.removed.push(place.clone()),
        }
    }
    // Who is called was part of the digest's id: whoever calls somebody else today calls nobody for this one.
    let as_then = |channel: &&Channel| {
        let id = DigestId::new(&digest.subjects, digest.since, digest.id.occurrence);
        id.calling(&channel.mentions) == digest.id
    };
    let mut published = Published::default();
    let called = match channels.iter().find(as_then) {
        Some(channel) => {
            let then = Channel {
                cursor: digest.since,
                ..channel.clone()
            };
            let ruled = Ruled::new(store, topics, std::iter::once(&then), &mut published.damaged)?;
            calls(store, &ruled, digest, &then)?
        }
        None => Default::default(),
    };
    let mut parts_of = Default::default();
    for channel in &channels {
        post(
            store,
            topics,
            render,
            digest,
            &called,
            channel,
            &mut parts_of,
            writes,
            now,
            &mut published,
        )?;
    }
    Ok((channels.len(), left_out))
}

/// Who is still to be told of held digests at `now`, and when the next one is: the owners of their channels, and the
/// operator's place if there is one. Each is noted as tried in one commit, so that a program that dies over it neither asks
/// everybody again at once nor forgets anybody; [`told`] says that it worked.
///
/// # Errors
/// Only when the store fails.
pub fn notices(
    store: &dyn Store,
    topics: &[Topic],
    seal: &Seal,
    operator: Option<&Place>,
    now: DateTime<Utc>,
) -> Result<(Vec<Notice>, Option<DateTime<Utc>>)> {
    let (mut notices, mut writes) = (Vec::new(), Vec::new());
    let mut next: Option<DateTime<Utc>> = None;
    for (id, mut held) in all_held(store)? {
        let mut of: BTreeMap<To, Vec<Channel>> = BTreeMap::new();
        let mut all = Vec::new();
        for place in &held.channels {
            let Some(channel) = readable(store.channel(place))? else {
                continue;
            };
            let owner = channel.owner.as_deref();
            if let Some(person) = owner.and_then(|owner| owner_of(place, owner)) {
                of.entry(To::Person(person)).or_default().push(channel.clone());
            }
            all.push(channel);
        }
        if let Some(place) = operator {
            of.insert(To::Place(place.clone()), all);
        }
        let mut tried = false;
        for (to, channels) in of {
            let key = to.key();
            let telling = held.told.get(&key);
            if telling.is_some_and(|telling| telling.told.is_some()) {
                continue;
            }
            let due = telling.map_or(now, |telling| telling.next);
            if due > now {
                next = Some(next.map_or(due, |soonest| soonest.min(due)));
                continue;
            }
            let Some(digest) = readable(store.digest(&id))? else {
                continue;
            };
            let tries = telling.map_or(0, |telling| telling.tries).saturating_add(1);
            let wait = PATIENCE * 2_i32.pow((tries - 1).min(12));
            let again = now + wait.min(LONGEST_PATIENCE);
            let telling = Telling {
                tries,
                next: again,
                told: None,
            };
            held.told.insert(key, telling);
            tried = true;
            next = Some(next.map_or(again, |soonest| soonest.min(again)));
            let lang = match &to {
                To::Person(_) => None,
                // The operator's place may be a channel with a language of its own.
                To::Place(place) => readable(store.channel(place))?.map(|channel| channel.settings.language),
            };
            notices.push(notice(to, &digest, &held, &channels, lang, topics, seal));
        }
        if tried {
            writes.push(write_held(&id, Some(held)));
        }
    }
    if !writes.is_empty() {
        store.commit(writes)?;
    }
    Ok((notices, next))
}

/// Nobody has a name on the page.
fn owner_of(place: &Place, owner: &str) -> Option<Person> {
    match place.platform() {
        Platform::Telegram | Platform::Discord => Person::new(place.platform(), owner).ok(),
        Platform::Web => None,
    }
}

fn notice(
    to: To,
    digest: &Digest,
    held: &Held,
    channels: &[Channel],
    lang: Option<Lang>,
    topics: &[Topic],
    seal: &Seal,
) -> Notice {
    let first = channels.first();
    let lang = lang
        .or_else(|| first.map(|channel| channel.settings.language))
        .unwrap_or(Lang::En);
    let places: Vec<String> = channels
        .iter()
        .take(NAMED)
        .map(|channel| channel.place.to_string())
        .collect();
    let more = channels.len().saturating_sub(NAMED);
    let title = title(digest, first, lang, topics);
    let [how, or, end] = lang.held_how().map(|text| Span::Plain(text.to_owned()));
    let command = |what: &str| Span::Code(format!("paperwire held {what} {}", digest.id));
    let mut blocks = vec![
        Block::Heading(lang.held_title(&title)),
        Block::Paragraph(plain(lang.held_because(&held.reason.says(lang, topics)))),
    ];
    if !channels.is_empty() {
        blocks.push(Block::Paragraph(plain(lang.held_for(&places, more))));
    }
    blocks.push(Block::Paragraph(vec![how, command("post"), or, command("drop"), end]));
    // What a seal is bound to is the digest, not a place.
    let place = match &to {
        To::Person(_) => first.map(|channel| channel.place.clone()),
        To::Place(place) => Some(place.clone()),
    };
    let press = |action, label: &str| {
        let press = Press::Hold {
            action,
            digest: digest.id,
        };
        press.button(label, place.as_ref()?, seal)
    };
    let buttons = [
        press(HoldAction::Post, lang.held_post_button()),
        press(HoldAction::Drop, lang.held_drop_button()),
    ];
    Notice {
        digest: digest.id,
        to,
        message: Message {
            running_title: String::new(),
            blocks,
        },
        buttons: vec![buttons.into_iter().flatten().collect()],
    }
}

/// What a digest is called where it was to be posted.
fn title(digest: &Digest, channel: Option<&Channel>, lang: Lang, topics: &[Topic]) -> String {
    let view = View {
        lang,
        zone: channel.map_or(chrono_tz::UTC, |channel| channel.settings.timezone),
        style: crate::channel::Style::Compact,
        topics,
    };
    view.title(digest)
}

/// Somebody was told: they are not told again.
///
/// # Errors
/// Only when the store fails.
pub fn told(store: &dyn Store, id: &DigestId, to: &To, now: DateTime<Utc>) -> Result<()> {
    let Some(mut held) = held(store, id)? else {
        return Ok(());
    };
    if let Some(telling) = held.told.get_mut(&to.key()) {
        telling.told = Some(now);
        store.commit(vec![write_held(id, Some(held))])?;
    }
    Ok(())
}

/// What is said of a decision to whoever made it: the digest's name, then what became of it. In `lang`, else in the language
/// of the first channel that it is for, else in `fallback`.
///
/// # Errors
/// Only when the store fails.
pub fn verdict_message(
    store: &dyn Store,
    topics: &[Topic],
    id: &DigestId,
    outcome: &Outcome,
    lang: Option<Lang>,
    fallback: Lang,
) -> Result<(Message, Lang)> {
    let places = decision(store, id)?
        .map(|decision| decision.channels)
        .unwrap_or_default();
    let places = match places.is_empty() {
        true => held(store, id)?.map(|held| held.channels).unwrap_or_default(),
        false => places,
    };
    let mut channel = None;
    for place in &places {
        if channel.is_none() {
            channel = readable(store.channel(place))?;
        }
    }
    let lang = lang.unwrap_or_else(|| channel.as_ref().map_or(fallback, |channel| channel.settings.language));
    let names = |places: &[Place]| places.iter().map(ToString::to_string).collect::<Vec<_>>();
    let left = |left_out: &LeftOut| lang.held_left_out(&names(&left_out.removed), &names(&left_out.silent));
    let said = match outcome {
        Outcome::Posted { channels, left_out } => {
            let mut said = vec![lang.held_posted(*channels)];
            said.extend(left(left_out));
            said
        }
        Outcome::Dropped => vec![lang.held_dropped().to_owned()],
        Outcome::Already(Resolved { posted, by, at }) => {
            let by = match by.as_str() {
                OPERATOR => lang.by_operator(),
                by => by,
            };
            vec![lang.held_already(*posted, by, &lang.instant(*at))]
        }
        Outcome::NoChannel(left_out) => {
            let mut said = vec![lang.held_no_channel().to_owned()];
            said.extend(left(left_out));
            said
        }
        Outcome::Gone => vec![lang.held_gone(&id.to_string())],
    };
    let mut blocks = Vec::new();
    if let Some(digest) = readable(store.digest(id))? {
        blocks.push(Block::Heading(title(&digest, channel.as_ref(), lang, topics)));
    }
    blocks.extend(said.into_iter().map(|line| Block::Paragraph(plain(line))));
    let running_title = String::new();
    Ok((Message { running_title, blocks }, lang))
}

/// A held digest goes with a channel that moves.
pub(super) fn moved(store: &dyn Store, from: &Place, to: &Place) -> Result<Vec<Write>> {
    let mut writes = Vec::new();
    for (id, mut held) in all_held(store)? {
        if held.channels.contains(from) {
            let others = held
                .channels
                .drain(..)
                .map(|place| if place == *from { to.clone() } else { place });
            let all: BTreeSet<Place> = others.collect();
            held.channels = all.into_iter().collect();
            writes.push(write_held(&id, Some(held)));
        }
    }
    Ok(writes)
}

/// Forgets decisions, histories, notes of lost items and what judges said that are older than [`KEPT`], among the `limit`
/// records behind `after`. Returns how many there were and where to go on; `None` at the end. What is still held stays.
///
/// # Errors
/// Only when the store fails.
pub fn forget(
    store: &dyn Store,
    after: Option<&(MemoSpace, String)>,
    limit: usize,
    now: DateTime<Utc>,
) -> Result<(usize, Option<(MemoSpace, String)>)> {
    let before = now - KEPT;
    let (space, after) = match after {
        Some((space, key)) => (*space, Some(key.as_str())),
        None => (MemoSpace::Decision, None),
    };
    let records = store.memos(space, after, limit)?;
    let next = match (records.last(), space) {
        (Some((last, _)), _) if records.len() == limit => Some((space, last.clone())),
        (_, MemoSpace::Decision) => Some((MemoSpace::Lost, String::new())),
        (_, MemoSpace::Lost) => Some((MemoSpace::Judged, String::new())),
        _ => None,
    };
    let mut writes = Vec::new();
    for (key, text) in records {
        let last = match (key.parse::<DigestId>(), key.starts_with(HISTORY)) {
            (Ok(id), _) => Some(id.occurrence),
            (Err(_), true) => serde_json::from_str::<HistoryV1>(&text).ok().and_then(|history| {
                let (day, ..) = history.days.last()?;
                let day = chrono::NaiveDate::from_num_days_from_ce_opt(*day)?;
                Some(day.and_time(chrono::NaiveTime::MIN).and_utc())
            }),
            (Err(_), false) => {
                let at = |note: Value| note.get("at").cloned();
                let at = serde_json::from_str::<Value>(&text).ok().and_then(at);
                at.and_then(|at| serde_json::from_value(at).ok())
            }
        };
        let waits = match key.parse::<DigestId>() {
            Ok(id) => held(store, &id)?.is_some(),
            Err(_) => false,
        };
        if last.is_some_and(|last| last < before) && !waits {
            writes.push(Write::Memo {
                space,
                key,
                value: None,
            });
        }
    }
    let count = writes.len();
    if count > 0 {
        store.commit(writes)?;
    }
    Ok((count, next))
}

/// A held digest as operators see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// Which.
    pub digest: DigestId,
    /// What it is called, in English.
    pub title: String,
    /// Why it waits, in English.
    pub reason: String,
    /// Since when.
    pub since: DateTime<Utc>,
    /// How many papers it has.
    pub papers: usize,
    /// The channels that it is for.
    pub channels: Vec<Place>,
    /// Who was told.
    pub told: Vec<String>,
}

/// All held digests for an operator, the earliest first.
///
/// # Errors
/// Only when the store fails.
pub fn waiting(store: &dyn Store, topics: &[Topic]) -> Result<Vec<Waiting>> {
    let mut all = Vec::new();
    for (id, held) in all_held(store)? {
        let digest = readable(store.digest(&id))?;
        let told = held.told.iter().filter(|(_, telling)| telling.told.is_some());
        all.push(Waiting {
            digest: id,
            title: digest
                .as_ref()
                .map_or_else(String::new, |digest| title(digest, None, Lang::En, topics)),
            reason: held.reason.says(Lang::En, topics),
            since: held.at,
            papers: digest.map_or(0, |digest| digest.entries.len()),
            told: told.map(|(to, _)| to.clone()).collect(),
            channels: held.channels,
        });
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{
        Counting, add_channel, back, channel, claims, news, october, paper, report, reported, sent, settings, take,
        topic,
    };
    use super::super::{move_channel, publish_due, publish_now};
    use super::*;
    use crate::channel::{Settings, WhenEmpty};
    use crate::paper::Paper;
    use crate::source::RejectedItem;
    use crate::store::ModelStore;

    const HERE: &str = "telegram:-5";
    const THERE: &str = "discord:100000000000000001";
    const TEXT: &str = "We present a KV cache by layer. It halves the memory on six benchmarks.";

    fn due(store: &dyn Store, now: DateTime<Utc>) -> Published {
        publish_due(store, &[topic()], &Counting::default(), now).unwrap()
    }

    /// Of 30 papers of a day so many match.
    fn papers(day: i64, matching: u64) -> Vec<Paper> {
        (0..30)
            .map(|n| {
                let number = u64::try_from(day).unwrap() * 1_000 + n;
                match n < matching {
                    true => paper(number, &format!("A KV cache of kind {number}"), TEXT),
                    false => paper(number, &format!("On weather, part {number}"), "We look at clouds."),
                }
            })
            .collect()
    }

    fn owned(store: &dyn Store, place: &str, owner: &str, settings: Settings) {
        let channel = add_channel(store, place, settings, october(1, 12));
        let owner = Some(owner.to_owned());
        store
            .commit(vec![Write::Channel(Box::new(Channel { owner, ..channel }))])
            .unwrap();
    }

    /// Two channels of two owners that have had a week of days with about ten matches each.
    fn week() -> ModelStore {
        week_of(9)
    }

    fn week_of(matching: u64) -> ModelStore {
        let store = ModelStore::new();
        owned(&store, HERE, "1001", settings());
        owned(&store, THERE, "2002", settings());
        for day in 1..=8 {
            take(
                &store,
                &format!("mail {day}"),
                news(day, papers(day, matching + u64::try_from(day).unwrap() % 3)),
                october(day, 20),
            );
            let published = due(&store, october(day + 1, 9));
            assert_eq!(published.held, [], "day {day}");
        }
        store
    }

    /// A report of so many papers of which nothing is known but that there are some.
    fn degenerate(store: &dyn Store, name: &str, empty: u32, now: DateTime<Utc>) {
        let mut parsed = report(Vec::new());
        parsed.rejected = (1..=empty)
            .map(|n| RejectedItem {
                line: 5,
                item: format!("entry {n}"),
                reason: "it has neither a title nor an abstract".to_owned(),
            })
            .collect();
        take(store, name, parsed, now);
    }

    fn the_held(store: &dyn Store) -> (DigestId, Held) {
        let [held] = all_held(store).unwrap().try_into().unwrap();
        held
    }

    fn decide(store: &dyn Store, id: &DigestId, action: HoldAction, by: &str, now: DateTime<Utc>) -> Outcome {
        resolve(store, &[topic()], &Counting::default(), id, action, by, now).unwrap()
    }

    fn deliveries(store: &dyn Store, id: &DigestId) -> Vec<String> {
        let all = store.deliveries_of_digest(id).unwrap();
        all.into_iter().map(|id| id.place.to_string()).collect()
    }

    fn seal() -> Seal {
        Seal::new([7; 32])
    }

    fn to_tell(store: &dyn Store, operator: Option<&Place>, now: DateTime<Utc>) -> Vec<Notice> {
        notices(store, &[topic()], &seal(), operator, now).unwrap().0
    }

    #[test]
    fn the_record_of_a_decision_is_said_in_both_languages() {
        let facts = Facts {
            considered: 300,
            matched: 2,
            entries: 2,
            blank: 1,
            ..Facts::default()
        };
        let likely = Some(Likely {
            digests: 12,
            usual_tenths: 253,
        });
        let reason = Reason::Few {
            matched: 2,
            considered: 300,
            usual_tenths: 253,
            topic: None,
        };
        let resolved = |posted| Resolved {
            posted,
            by: OPERATOR.to_owned(),
            at: october(10, 11),
        };
        let decision = |ruling, resolved| Decision {
            facts: facts.clone(),
            ruling,
            decided_at: october(10, 9),
            likely,
            channels: Vec::new(),
            resolved,
        };
        let all = [
            decision(Ruling::Post, None),
            decision(Ruling::Unjudged, None),
            decision(Ruling::Hold(reason.clone()), None),
            decision(Ruling::Hold(reason.clone()), Some(resolved(true))),
            decision(Ruling::Hold(reason), Some(resolved(false))),
            Decision {
                likely: None,
                ..decision(Ruling::Post, None)
            },
        ];
        let say = |lang: Lang| -> Vec<String> {
            let each = all.iter().flat_map(|decision| decision.says(lang, &[]));
            each.chain([lang.undecided().to_owned()]).collect()
        };
        crate::locale::tests::assert_translated(&say(Lang::Zh), &say(Lang::En));
        assert_eq!(
            all[4].says(Lang::En, &[]),
            [
                "Held back on 10 Oct 2025 09:00 UTC: 2 of 300 papers matched; usually about 25 of as many do.",
                "Dropped by the operator on 10 Oct 2025 11:00 UTC.",
                "300 papers came, 2 matched, 2 are in it; usually about 25 of as many match (by 12 past digests).",
                "Without abstract and brief: 1; with a brief that was refused: 0; items that became no papers: 0.",
            ]
        );
    }

    #[test]
    fn a_report_of_empty_papers_is_held_never_posts_by_itself_and_the_next_day_is_its_own_digest() {
        let store = week();
        degenerate(&store, "report", 24, october(9, 20));
        let published = due(&store, october(10, 9));
        let (id, held) = the_held(&store);
        assert_eq!(
            held.reason.says(Lang::En, &[]),
            "24 of 24 papers have neither abstract nor brief"
        );
        assert_eq!(published.held, [(id, held.reason.clone())]);
        assert_eq!((published.deliveries, published.silent), (vec![], vec![]));
        assert_eq!(
            held.channels.iter().map(ToString::to_string).collect::<Vec<_>>(),
            [THERE, HERE]
        );
        let stored = decision(&store, &id).unwrap().unwrap();
        assert!(stored.is_withheld() && stored.facts.lost == 24, "{stored:?}");
        for day in 10..=16 {
            take(
                &store,
                &format!("mail {day}"),
                news(day, papers(day, 10)),
                october(day, 20),
            );
            let published = due(&store, october(day + 1, 9));
            assert_eq!((published.held, published.deliveries.len()), (vec![], 2), "day {day}");
        }
        assert_eq!(deliveries(&store, &id), [""; 0]);
        assert_eq!(the_held(&store).1.at, october(10, 9));
    }

    #[test]
    fn papers_with_a_title_alone_are_held_and_a_mailing_beside_an_empty_report_is_not() {
        let store = ModelStore::new();
        owned(&store, HERE, "1001", settings());
        let titles = (1..=6).map(|n| reported(&format!("A KV cache of kind {n} for large models"), ""));
        take(&store, "titles", report(titles.collect()), october(2, 20));
        let published = due(&store, october(3, 9));
        let blank = Reason::Blank { blank: 6, of: 6 };
        assert_eq!(
            published.held.iter().map(|(_, reason)| reason).collect::<Vec<_>>(),
            [&blank]
        );
        take(&store, "mail", news(3, papers(3, 10)), october(3, 20));
        degenerate(&store, "empty", 24, october(3, 21));
        let published = due(&store, october(4, 9));
        assert_eq!((published.held, published.deliveries.len()), (vec![], 1));
        // The empty report is counted once.
        assert_eq!(due(&store, october(5, 9)).held, []);
    }

    #[test]
    fn who_posted_three_digests_of_titles_is_not_asked_again_unless_one_is_dropped() {
        let store = ModelStore::new();
        owned(&store, HERE, "1001", settings());
        let day = |day: i64| {
            let titles = (1..=6).map(|n| reported(&format!("KV cache number {n} of day {day} in large models"), ""));
            take(
                &store,
                &format!("titles {day}"),
                report(titles.collect()),
                october(day, 20),
            );
            due(&store, october(day + 1, 9))
        };
        let held = |published: &Published| published.held.len() == 1;
        for (at, action) in [
            (2, HoldAction::Post),
            (3, HoldAction::Post),
            (4, HoldAction::Drop),
            (5, HoldAction::Post),
            (6, HoldAction::Post),
            (7, HoldAction::Post),
        ] {
            assert!(held(&day(at)), "day {at}");
            let (id, _) = the_held(&store);
            decide(&store, &id, action, OPERATOR, october(at + 1, 10));
        }
        let published = day(8);
        assert_eq!((published.held, published.deliveries.len()), (vec![], 1));
        // Items that became no papers are another matter.
        degenerate(&store, "report", 24, october(9, 20));
        assert!(held(&due(&store, october(10, 9))));
    }

    #[test]
    fn no_match_on_a_full_day_is_held_even_where_an_empty_day_is_passed_over_in_silence() {
        let store = week();
        let silent = Settings {
            when_empty: WhenEmpty::Silent,
            ..settings()
        };
        let quiet = add_channel(&store, "telegram:-6", silent, october(9, 12));
        let cursor = store.head().unwrap();
        store
            .commit(vec![Write::Channel(Box::new(Channel { cursor, ..quiet }))])
            .unwrap();
        take(&store, "mail 9", news(9, papers(9, 0)), october(9, 20));
        let published = due(&store, october(10, 9));
        let (_, held) = the_held(&store);
        assert!(
            matches!(
                held.reason,
                Reason::Few {
                    matched: 0,
                    considered: 30,
                    ..
                }
            ),
            "{held:?}"
        );
        assert_eq!((held.channels.len(), published.deliveries.len()), (3, 0));
        // Whoever asks by hand gets what there is.
        take(&store, "mail 10", news(10, papers(10, 0)), october(10, 20));
        let here = vec![channel(&store, HERE)];
        let published = publish_now(&store, &[topic()], &Counting::default(), here, october(10, 21)).unwrap();
        assert_eq!((published.held, published.deliveries.len()), (vec![], 1));
        // A day on which nothing came is quiet.
        assert_eq!(due(&store, october(12, 9)).held.len(), 1);
        assert_eq!(due(&store, october(13, 9)).held, []);
    }

    #[test]
    fn posting_is_done_once_whoever_presses_and_goes_out_as_any_digest() {
        let store = week_of(1);
        for job in claims(&store, october(9, 10)) {
            back(&store, &job.delivery.id, sent("1"), october(9, 10));
        }
        take(&store, "mail 9", news(9, papers(9, 30)), october(9, 20));
        due(&store, october(10, 9));
        let (id, held) = the_held(&store);
        assert!(matches!(held.reason, Reason::Many { matched: 30, .. }), "{held:?}");
        let later = october(11, 3);
        let posted = Outcome::Posted {
            channels: 2,
            left_out: LeftOut::default(),
        };
        assert_eq!(decide(&store, &id, HoldAction::Post, "telegram:1001", later), posted);
        assert_eq!(deliveries(&store, &id), [THERE, HERE]);
        let known = || store.unfinished(99).unwrap();
        let before = known();
        let already = Outcome::Already(Resolved {
            posted: true,
            by: "telegram:1001".to_owned(),
            at: later,
        });
        for action in [HoldAction::Post, HoldAction::Drop] {
            let again = decide(&store, &id, action, "discord:2002", october(11, 4));
            assert_eq!(again, already);
        }
        assert_eq!((known(), all_held(&store).unwrap()), (before, vec![]));
        let said = verdict_message(&store, &[topic()], &id, &already, None, Lang::Zh)
            .unwrap()
            .0
            .to_plain();
        assert!(
            said.contains("already posted by telegram:1001 at 11 Oct 2025 03:00 UTC"),
            "{said}"
        );
        // What a person posts is an example of what is usual.
        assert!(
            history(&store, &settings().subjects)
                .unwrap()
                .iter()
                .any(|facts| facts.matched == 30)
        );
    }

    #[test]
    fn what_is_dropped_never_comes_and_is_no_example() {
        let store = week();
        take(&store, "mail 9", news(9, papers(9, 0)), october(9, 20));
        due(&store, october(10, 9));
        let (id, _) = the_held(&store);
        assert_eq!(
            decide(&store, &id, HoldAction::Drop, OPERATOR, october(10, 10)),
            Outcome::Dropped
        );
        let again = decide(&store, &id, HoldAction::Post, "telegram:1001", october(10, 11));
        assert!(
            matches!(&again, Outcome::Already(Resolved { posted: false, .. })),
            "{again:?}"
        );
        assert_eq!((deliveries(&store, &id), all_held(&store).unwrap()), (vec![], vec![]));
        assert!(is_withheld(&store, &id).unwrap());
        assert!(
            history(&store, &settings().subjects)
                .unwrap()
                .iter()
                .all(|facts| facts.matched > 0)
        );
        let unknown: DigestId = "9f86d081884c7d65@20251001T090000Z".parse().unwrap();
        assert_eq!(
            decide(&store, &unknown, HoldAction::Post, OPERATOR, october(10, 10)),
            Outcome::Gone
        );
    }

    #[test]
    fn channels_that_went_or_rest_are_left_out_and_one_that_moved_is_not() {
        let store = week();
        owned(&store, "telegram:-7", "1001", settings());
        let at_head = Channel {
            cursor: store.head().unwrap(),
            ..channel(&store, "telegram:-7")
        };
        store.commit(vec![Write::Channel(Box::new(at_head))]).unwrap();
        take(&store, "mail 9", news(9, papers(9, 0)), october(9, 20));
        due(&store, october(10, 9));
        let (id, held) = the_held(&store);
        assert_eq!(held.channels.len(), 3);
        let moved = Place::telegram(-1_007, None);
        move_channel(&store, &"telegram:-7".parse().unwrap(), &moved).unwrap();
        let paused = Activity::Paused {
            reason: "kicked".to_owned(),
            since: october(10, 9),
        };
        let here = Channel {
            activity: paused.clone(),
            ..channel(&store, HERE)
        };
        store
            .commit(vec![
                Write::Channel(Box::new(here)),
                Write::RemoveChannel(THERE.parse().unwrap()),
            ])
            .unwrap();
        let outcome = decide(&store, &id, HoldAction::Post, OPERATOR, october(10, 10));
        let left_out = LeftOut {
            removed: vec![THERE.parse().unwrap()],
            silent: vec![HERE.parse().unwrap()],
        };
        assert_eq!(outcome, Outcome::Posted { channels: 1, left_out });
        assert_eq!(deliveries(&store, &id), [moved.to_string()]);
        let said = verdict_message(&store, &[topic()], &id, &outcome, None, Lang::Zh)
            .unwrap()
            .0
            .to_plain();
        assert!(
            said.contains("channels no more: discord:1") && said.contains("paused: telegram:-5"),
            "{said}"
        );
        // Where nobody is left, the decision stays open.
        degenerate(&store, "report", 24, october(10, 20));
        due(&store, october(11, 9));
        let (id, _) = the_held(&store);
        let last = Channel {
            activity: paused,
            ..channel(&store, &moved.to_string())
        };
        store.commit(vec![Write::Channel(Box::new(last))]).unwrap();
        let outcome = decide(&store, &id, HoldAction::Post, OPERATOR, october(11, 10));
        assert!(
            matches!(&outcome, Outcome::NoChannel(left) if left.silent.len() == 1),
            "{outcome:?}"
        );
        assert_eq!(the_held(&store).0, id);
    }

    #[test]
    fn each_owner_and_the_operator_are_told_once_with_two_buttons_and_again_only_while_it_fails() {
        let store = week();
        degenerate(&store, "report", 24, october(9, 20));
        due(&store, october(10, 9));
        let id = the_held(&store).0;
        let operator = Place::telegram(-77, None);
        let now = october(10, 9);
        let told_now = to_tell(&store, Some(&operator), now);
        let person = |text: &str| To::Person(text.parse().unwrap());
        let to: Vec<&To> = told_now.iter().map(|notice| &notice.to).collect();
        assert_eq!(
            to,
            [
                &person("discord:2002"),
                &person("telegram:1001"),
                &To::Place(operator.clone())
            ]
            .into_iter()
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect::<Vec<_>>()
        );
        let ada = told_now
            .iter()
            .find(|notice| notice.to == person("telegram:1001"))
            .unwrap();
        let text = ada.message.to_plain();
        for said in [
            "Held back: Caching · 10 Oct 2025",
            "24 of 24 papers have neither abstract nor brief",
            "Channels: telegram:-5.",
            &format!("paperwire held post {id}"),
        ] {
            assert!(text.contains(said), "{said}: {text}");
        }
        let meant: Vec<Press> = ada.buttons[0]
            .iter()
            .map(|button| Press::read(&button.data, &Place::telegram(1_001, None), &seal()).unwrap())
            .collect();
        let hold = |action| Press::Hold { action, digest: id };
        assert_eq!(meant, [hold(HoldAction::Post), hold(HoldAction::Drop)]);
        // What is under way is not begun again at once; what worked never.
        assert_eq!(to_tell(&store, Some(&operator), now), []);
        told(&store, &id, &person("telegram:1001"), now).unwrap();
        told(&store, &id, &To::Place(operator.clone()), now).unwrap();
        let mut tries = Vec::new();
        let mut at = now;
        for _ in 0..14 {
            let (again, next) = notices(&store, &[topic()], &seal(), Some(&operator), at).unwrap();
            tries.extend(again.into_iter().map(|notice| notice.to));
            at = next.unwrap();
        }
        assert_eq!(tries, vec![person("discord:2002"); 13]);
        assert!(at - now > TimeDelta::days(2) && at - now < TimeDelta::days(5), "{at}");
        decide(&store, &id, HoldAction::Drop, OPERATOR, at);
        assert_eq!(
            notices(&store, &[topic()], &seal(), None, at + TimeDelta::days(9)),
            Ok((vec![], None))
        );
    }

    #[test]
    fn every_digest_has_a_decision_and_old_ones_are_forgotten_unless_they_still_wait() {
        let store = week();
        degenerate(&store, "report", 24, october(9, 20));
        due(&store, october(10, 9));
        let waiting = the_held(&store).0;
        let digests = store.digests(None, 99).unwrap();
        let known = |id: &&DigestId| decision(&store, id).unwrap().is_some();
        assert_eq!((digests.len(), digests.iter().filter(known).count()), (9, 9));
        // What the judge of a topic of any name said is forgotten with them.
        let said = |day| Write::Memo {
            space: MemoSpace::Judged,
            key: format!("h.{day}"),
            value: Some(format!(
                "{{\"at\":\"2025-10-0{day}T09:00:00Z\",\"outcome\":{{\"failed\":\"\"}}}}"
            )),
        };
        store.commit(vec![said(4), said(6)]).unwrap();
        let all = |now| {
            let (mut count, mut after) = (0, None);
            loop {
                let (some, next) = forget(&store, after.as_ref(), 4, now).unwrap();
                count += some;
                match next {
                    Some(next) => after = Some(next),
                    None => break count,
                }
            }
        };
        assert_eq!(all(october(5, 0) + KEPT), 3 + 1);
        // Eight digests less three, their history, the note of the empty report, and what the judge said later.
        assert_eq!(all(october(99, 0) + KEPT), 5 + 1 + 1 + 1);
        assert!(decision(&store, &waiting).unwrap().is_some());
        assert_eq!(
            decide(&store, &waiting, HoldAction::Drop, OPERATOR, october(99, 0)),
            Outcome::Dropped
        );
    }

    #[test]
    fn channels_that_come_later_to_a_held_digest_wait_with_the_others() {
        let store = week();
        take(&store, "mail 9", news(9, papers(9, 0)), october(9, 20));
        let (here, there) = (channel(&store, HERE), channel(&store, THERE));
        // As a second batch of channels would: the same position and occurrence, later.
        store.commit(vec![Write::RemoveChannel(there.place.clone())]).unwrap();
        due(&store, october(10, 9));
        store.commit(vec![Write::Channel(Box::new(there.clone()))]).unwrap();
        let published = due(&store, october(10, 9));
        assert_eq!((published.digests.len(), published.deliveries.len()), (0, 0));
        assert_eq!(the_held(&store).1.channels, [there.place.clone(), here.place]);
        decide(&store, &the_held(&store).0, HoldAction::Drop, OPERATOR, october(10, 10));
        store.commit(vec![Write::Channel(Box::new(there))]).unwrap();
        let published = due(&store, october(10, 9));
        assert_eq!(
            (published.deliveries.len(), published.held.len(), published.silent.len()),
            (0, 0, 1)
        );
    }
}
