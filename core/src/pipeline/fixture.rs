//! A small newsroom for tests: one topic, invented papers, mailings, a channel, and a renderer that counts its work.

use std::cell::Cell;
use std::collections::HashSet;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use super::{Accepted, Input, Job, Turn, Wanted, accept, configure_channels, turn};
use crate::channel::{Channel, Missed, Place, Platform, Seq, Settings, Style, WhenEmpty};
use crate::delivery::{Delivery, DeliveryId, Outcome, SendError, UncertainPolicy};
use crate::digest::{Digest, DigestId, RenderingId};
use crate::erratum::Errata;
use crate::limiter::{Limiter, Limits};
use crate::locale::Lang;
use crate::mention::Mention;
use crate::message::{Amendment, Block, Message, Part, Render};
use crate::paper::{Field, Paper, PaperId};
use crate::schedule::Schedule;
use crate::source::{Announcement, Item, Parsed, SourceKind, Window};
use crate::store::{
    ContentRecord, DigestSummary, IntakeRecord, MatchRecord, ModelStore, Result, Store, StoreError, WindowRecord, Write,
};
use crate::subscription::Subjects;
use crate::topic::learn::Learned;
use crate::topic::{Tier, Topic, TopicId};

/// `day` October 2025 at `hour` UTC.
pub(crate) fn october(day: i64, hour: i64) -> DateTime<Utc> {
    let first: DateTime<Utc> = "2025-10-01T00:00:00Z".parse().unwrap();
    first + TimeDelta::days(day - 1) + TimeDelta::hours(hour)
}

/// Keeps papers in which its one or two heavy terms occur.
pub(crate) fn topic() -> Topic {
    let tier = |weight, term: &str| Tier {
        weight,
        terms: vec![term.to_owned()],
    };
    Topic {
        id: TopicId("caching".to_owned()),
        name_zh: "缓存".to_owned(),
        name_en: "Caching".to_owned(),
        tiers: vec![tier(5, "kv cache"), tier(3, "pruning"), tier(1, "gpu")],
        title_factor: 3,
        categories_include: Vec::new(),
        categories_exclude: Vec::new(),
        excluded_terms: Vec::new(),
        threshold: 3,
        cap: 40,
        learned: None,
    }
}

/// The topic with a ranking by these words of an abstract, each with its weight, and perhaps a judge.
pub(crate) fn taught(words: &[&str], weights: &[f64], threshold: f64, judge: Option<&str>) -> Topic {
    let weights: serde_json::Map<String, serde_json::Value> = words
        .iter()
        .zip(weights)
        .map(|(word, weight)| ((*word).to_owned(), serde_json::json!({ "w": weight })))
        .collect();
    let file = serde_json::json!({
        "version": 1, "topic": topic().id, "profile": topic().profile(), "trained_at": october(1, 0), "days": [],
        "examples": 9, "wanted": 4, "recall": 0.95, "threshold": threshold, "figures": null, "bias": 0.0,
        "weights": { "abstract": weights },
    });
    let learned = Learned::read(file.to_string().as_bytes(), &topic()).unwrap();
    let learned = match judge {
        Some(model) => learned.judged_by(model),
        None => learned,
    };
    Topic {
        learned: Some(Arc::new(learned)),
        ..topic()
    }
}

pub(crate) fn arxiv(number: u64) -> PaperId {
    PaperId::Arxiv(format!("2510.{number:05}"))
}

fn field(text: &str, source: SourceKind) -> Option<Field<String>> {
    (!text.is_empty()).then(|| Field::new(text.to_owned(), source))
}

/// A paper as a mailing has it.
pub(crate) fn paper(number: u64, title: &str, abstract_text: &str) -> Paper {
    Paper {
        title: field(title, SourceKind::ArxivMail),
        abstract_text: field(abstract_text, SourceKind::ArxivMail),
        ..Paper::new(arxiv(number))
    }
}

/// A paper as a report has it.
pub(crate) fn reported(title: &str, abstract_text: &str) -> Paper {
    Paper {
        title: field(title, SourceKind::Report),
        abstract_text: field(abstract_text, SourceKind::Report),
        ..Paper::new(PaperId::provisional(title, abstract_text))
    }
}

/// The window of the mailing that ends on `day` October.
pub(crate) fn window(day: i64) -> Window {
    Window {
        source: SourceKind::ArxivMail,
        from: october(day - 1, 18),
        to: october(day, 18),
    }
}

pub(crate) fn mailing(day: i64, items: Vec<(Announcement, Paper)>) -> Parsed {
    let items = items.into_iter();
    Parsed {
        source: SourceKind::ArxivMail,
        window: Some(window(day)),
        asked: None,
        items: items
            .map(|(announcement, paper)| Item { paper, announcement })
            .collect(),
        rejected: Vec::new(),
    }
}

/// A mailing of new papers alone.
pub(crate) fn news(day: i64, papers: Vec<Paper>) -> Parsed {
    mailing(
        day,
        papers.into_iter().map(|paper| (Announcement::New, paper)).collect(),
    )
}

pub(crate) fn report(papers: Vec<Paper>) -> Parsed {
    Parsed {
        source: SourceKind::Report,
        window: None,
        ..news(1, papers)
    }
}

/// Takes a file in; its name stands for its bytes.
pub(crate) fn take(store: &dyn Store, name: &str, parsed: Parsed, now: DateTime<Utc>) -> Accepted {
    accept(
        store,
        &[topic()],
        &Counting::default(),
        name,
        name.as_bytes(),
        parsed,
        now,
    )
    .unwrap()
}

/// Follows the topic, daily at nine in UTC.
/// A limiter that never says no.
pub(crate) fn free() -> Limiter {
    Limiter::new(Limits::none())
}

pub(crate) fn input(done: Vec<(Delivery, Outcome)>, room: usize) -> Input {
    let flying = HashSet::new();
    Input { done, flying, room }
}

/// One turn of every platform's worker.
pub(crate) fn claims(store: &dyn Store, now: DateTime<Utc>) -> Vec<Job> {
    let turns = Platform::ALL.map(|platform| {
        turn(
            store,
            platform,
            &mut free(),
            input(Vec::new(), 9),
            UncertainPolicy::Resend,
            now,
        )
        .unwrap()
    });
    turns.into_iter().flat_map(|turn| turn.jobs).collect()
}

/// A turn in which this comes back for a delivery as it is held now.
pub(crate) fn back(store: &dyn Store, id: &DeliveryId, outcome: Outcome, now: DateTime<Utc>) -> Turn {
    let held = store.delivery(id).unwrap().unwrap();
    let (platform, done) = (id.place.platform(), vec![(held, outcome)]);
    turn(
        store,
        platform,
        &mut free(),
        input(done, 9),
        UncertainPolicy::Resend,
        now,
    )
    .unwrap()
}

pub(crate) fn sent(id: &str) -> Outcome {
    Outcome::Sent(Ok(id.to_owned()))
}

pub(crate) fn failed(error: SendError) -> Outcome {
    Outcome::Sent(Err(error))
}

pub(crate) fn settings() -> Settings {
    Settings {
        subjects: Subjects::new([topic().id], []),
        schedule: Some(Schedule::parse("0 9 * * *").unwrap()),
        timezone: chrono_tz::UTC,
        language: Lang::En,
        when_empty: WhenEmpty::Say,
        missed: Missed::Merge,
        weekly: None,
        style: Style::Compact,
    }
}

pub(crate) fn wanted(place: &str, settings: Settings) -> Wanted {
    Wanted {
        place: place.parse().unwrap(),
        settings,
    }
}

/// Adds a channel that has read nothing, beside those that there are.
pub(crate) fn add_channel(store: &dyn Store, place: &str, settings: Settings, now: DateTime<Utc>) -> Channel {
    let mut all: Vec<Wanted> = store
        .channels()
        .unwrap()
        .into_iter()
        .map(|c| Wanted {
            place: c.place,
            settings: c.settings,
        })
        .collect();
    all.push(wanted(place, settings));
    configure_channels(store, &all, crate::pipeline::Extent::Whole, now).unwrap();
    let channel = Channel {
        cursor: 0,
        ..channel(store, place)
    };
    store.commit(vec![Write::Channel(Box::new(channel.clone()))]).unwrap();
    channel
}

pub(crate) fn channel(store: &dyn Store, place: &str) -> Channel {
    store.channel(&place.parse().unwrap()).unwrap().unwrap()
}

/// Renders what people read, two papers a part.
pub(crate) struct Counting {
    pub(crate) calls: Cell<u32>,
    /// The most bytes of a part that is amended.
    pub(crate) room: usize,
}

impl Default for Counting {
    fn default() -> Self {
        let (calls, room) = (Cell::default(), usize::MAX);
        Self { calls, room }
    }
}

impl Render for Counting {
    fn render(&self, _: Platform, message: &Message) -> Vec<Part> {
        self.calls.set(self.calls.get() + 1);
        let entries = message.blocks.iter().filter(|b| matches!(b, Block::Entry(_))).count();
        let part = |n| Part {
            payload: format!("{n}\n{}", message.to_plain()),
        };
        (0..entries.div_ceil(2).max(1)).map(part).collect()
    }

    fn call(&self, _: Platform, calls: &[(String, Mention)]) -> Option<Part> {
        let said = calls.iter().map(|(said, who)| format!("{said}{who}\n"));
        Some(Part {
            payload: said.collect(),
        })
    }

    fn numbers(&self, _: Platform, part: &Part) -> Vec<u32> {
        let index: Option<u32> = part.payload.lines().next().and_then(|line| line.parse().ok());
        let entry = |line: &&str| {
            line.split_once(". ")
                .is_some_and(|(number, _)| number.parse::<u32>().is_ok())
        };
        let papers = u32::try_from(part.payload.lines().filter(entry).count()).unwrap();
        index.map_or_else(Vec::new, |index| (2 * index + 1..=papers.min(2 * index + 2)).collect())
    }

    fn amend(&self, _: Platform, part: &Part, amendments: &[Amendment]) -> Option<Part> {
        let mut payload = part.payload.clone();
        for Amendment { number, mark, line } in amendments {
            let mark = mark.map_or_else(String::new, |mark| format!("{mark} "));
            payload.push_str(&format!("{mark}{number} {}\n", line.as_deref().unwrap_or_default()));
        }
        (payload.len() <= self.room).then_some(Part { payload })
    }
}

/// A store of which some records cannot be read.
pub(crate) struct Spoiled<'a> {
    pub(crate) whole: &'a ModelStore,
    pub(crate) papers: Vec<PaperId>,
    pub(crate) parts: Vec<u32>,
}

thread_local! {
    static PAPERS_READ: Cell<usize> = const { Cell::new(0) };
}

/// How many papers this thread has read through [`Spoiled`].
pub(crate) fn papers_read() -> usize {
    PAPERS_READ.get()
}

fn damaged(key: String) -> StoreError {
    StoreError::Damaged {
        key,
        reason: "spoiled".to_owned(),
    }
}

impl Store for Spoiled<'_> {
    fn paper(&self, id: &PaperId) -> Result<Option<Paper>> {
        PAPERS_READ.set(PAPERS_READ.get() + 1);
        if self.papers.contains(id) {
            return Err(damaged(id.to_string()));
        }
        self.whole.paper(id)
    }

    fn similar(&self, sketch: &[u64]) -> Result<Vec<PaperId>> {
        self.whole.similar(sketch)
    }

    fn head(&self) -> Result<Seq> {
        self.whole.head()
    }

    fn intake(&self, after: Seq, upto: Seq, limit: usize) -> Result<Vec<IntakeRecord>> {
        self.whole.intake(after, upto, limit)
    }

    fn intake_of(&self, paper: &PaperId) -> Result<Option<IntakeRecord>> {
        self.whole.intake_of(paper)
    }

    fn windows(&self) -> Result<Vec<WindowRecord>> {
        self.whole.windows()
    }

    fn window(&self, window: &Window) -> Result<Option<WindowRecord>> {
        self.whole.window(window)
    }

    fn content(&self, hash: &str) -> Result<Option<ContentRecord>> {
        self.whole.content(hash)
    }

    fn matches(&self, topic: &TopicId, after: Seq, upto: Seq) -> Result<Vec<MatchRecord>> {
        self.whole.matches(topic, after, upto)
    }

    fn topic_fingerprint(&self, topic: &TopicId) -> Result<Option<u64>> {
        self.whole.topic_fingerprint(topic)
    }

    fn channel(&self, place: &Place) -> Result<Option<Channel>> {
        self.whole.channel(place)
    }

    fn channels(&self) -> Result<Vec<Channel>> {
        self.whole.channels()
    }

    fn channels_due(&self, now: DateTime<Utc>, limit: usize) -> Result<Vec<Channel>> {
        self.whole.channels_due(now, limit)
    }

    fn next_channel_due(&self) -> Result<Option<DateTime<Utc>>> {
        self.whole.next_channel_due()
    }

    fn digest(&self, id: &DigestId) -> Result<Option<Digest>> {
        self.whole.digest(id)
    }

    fn digests(&self, before: Option<DigestId>, limit: usize) -> Result<Vec<DigestId>> {
        self.whole.digests(before, limit)
    }

    fn part(&self, id: &RenderingId, index: u32) -> Result<Option<Part>> {
        if self.parts.contains(&index) {
            return Err(damaged(format!("{id} {index}")));
        }
        self.whole.part(id, index)
    }

    fn delivery(&self, id: &DeliveryId) -> Result<Option<Delivery>> {
        self.whole.delivery(id)
    }

    fn deliveries(&self, place: &Place, before: Option<DigestId>, limit: usize) -> Result<Vec<Delivery>> {
        self.whole.deliveries(place, before, limit)
    }

    fn due(&self, platform: Platform, now: DateTime<Utc>, limit: usize) -> Result<Vec<Delivery>> {
        self.whole.due(platform, now, limit)
    }

    fn next_due(&self, platform: Platform) -> Result<Option<DateTime<Utc>>> {
        self.whole.next_due(platform)
    }

    fn leased(&self, platform: Platform) -> Result<Vec<Delivery>> {
        self.whole.leased(platform)
    }

    fn unfinished(&self, limit: usize) -> Result<Vec<Delivery>> {
        self.whole.unfinished(limit)
    }

    fn dead_letters(&self, limit: usize) -> Result<Vec<Delivery>> {
        self.whole.dead_letters(limit)
    }

    fn digest_of_message(&self, place: &Place, message_id: &str) -> Result<Option<DigestId>> {
        self.whole.digest_of_message(place, message_id)
    }

    fn digests_of_place(&self, place: &Place, limit: usize) -> Result<Vec<DigestId>> {
        self.whole.digests_of_place(place, limit)
    }

    fn messages_in_chat(&self, place: &Place, limit: usize) -> Result<Vec<String>> {
        self.whole.messages_in_chat(place, limit)
    }

    fn sends(&self, platform: Platform, since: DateTime<Utc>) -> Result<Vec<(String, DateTime<Utc>)>> {
        self.whole.sends(platform, since)
    }

    fn limiter_memory(&self, platform: Platform) -> Result<Option<String>> {
        self.whole.limiter_memory(platform)
    }

    fn finished_before(&self, before: DateTime<Utc>, limit: usize) -> Result<Vec<DeliveryId>> {
        self.whole.finished_before(before, limit)
    }

    fn digest_summary(&self, id: &DigestId) -> Result<Option<DigestSummary>> {
        self.whole.digest_summary(id)
    }

    fn digests_of_paper(&self, paper: &PaperId) -> Result<Vec<DigestId>> {
        if self.papers.contains(paper) {
            return Err(damaged(paper.to_string()));
        }
        self.whole.digests_of_paper(paper)
    }

    fn deliveries_of_digest(&self, id: &DigestId) -> Result<Vec<DeliveryId>> {
        self.whole.deliveries_of_digest(id)
    }

    fn errata(&self, id: &DigestId) -> Result<Option<Errata>> {
        self.whole.errata(id)
    }

    fn commit(&self, writes: Vec<Write>) -> Result<()> {
        self.whole.commit(writes)
    }

    fn sync(&self) -> Result<()> {
        self.whole.sync()
    }
}
