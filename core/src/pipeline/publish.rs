//! Publishing: digest, rendered parts, deliveries and the channels' new positions in one commit. Channels with the same
//! subjects, the same position and the same occurrence share one digest, and those that show it alike share its parts.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};

use super::follow::{Item, Listed, listed};
use super::held::{self, Known, Ruling};
use super::judging;
use super::opinion::{GATHER, top_soon};
use super::readable;
use crate::breaker::{self, Reason};
use crate::channel::{Activity, Channel, Missed, Place, Seq, Style, WhenEmpty};
use crate::delivery::{Delivery, DeliveryId};
use crate::digest::{Candidate, Digest, DigestId, Draft, Entry, RenderingId, View, compose, rank};
use crate::locale::Lang;
use crate::mention::Mention;
use crate::message::Render;
use crate::paper::{Paper, PaperId};
use crate::rule::{Facts, Matched, Rule, RuleSet};
use crate::source::{Window, ledger};
use crate::store::{IntakeRecord, Result, Store, StoreError, Write};
use crate::subscription::{KeywordMatcher, Subjects};
use crate::topic::{Hit, Matcher, Score, Topic, Verdict};

/// How many due channels one commit takes at most.
const BATCH: usize = 500;
/// How many papers one digest is made from at most; older ones of a longer gap are passed over.
const MOST_PAPERS: usize = 50_000;

/// What publishing did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Published {
    /// Digests written, with the number of papers in each.
    pub digests: Vec<(DigestId, usize)>,
    /// Deliveries queued.
    pub deliveries: Vec<DeliveryId>,
    /// Channels that were due and stay silent, since their day is empty.
    pub silent: Vec<Place>,
    /// Channels that were due and get nothing, since they missed their occurrence and do not make up for it.
    pub passed: Vec<Place>,
    /// Digests that are held back, with the reason.
    pub held: Vec<(DigestId, Reason)>,
    /// Papers that were left out, since their record cannot be read.
    pub damaged: Vec<StoreError>,
}

/// How late a digest may be and is still on time: a restart, an upgrade. An occurrence further back was missed.
const LATE: TimeDelta = TimeDelta::hours(1);
/// How many missed occurrences are replayed at most; earlier ones are merged into the first of these.
const REPLAYED: usize = 14;

/// How many papers a round-up has at most.
const ROUND_UP: usize = 10;
/// On what it looks back.
const WEEK: TimeDelta = TimeDelta::days(7);

/// A channel and the occurrence that is its turn.
struct Target {
    channel: Channel,
    at: DateTime<Utc>,
    /// Where its digest ends, if the occurrence was missed and is replayed: what had come by then. Otherwise it holds all
    /// that there is.
    replayed: Option<Seq>,
}

/// What becomes of a channel that is due.
enum Due {
    /// It gets a digest.
    Digest(Target),
    /// It gets none; this is what it is afterwards.
    Passed(Channel),
}

/// Publishes for the channels that are due at `now`; what was missed in between becomes what the channel has chosen
/// ([`Missed`]), of round-ups the last one is published. Channels whose pause is over are active again. Call it until it
/// publishes nothing.
///
/// # Errors
/// Only when the store fails.
pub fn publish_due(store: &dyn Store, topics: &[Topic], render: &dyn Render, now: DateTime<Utc>) -> Result<Published> {
    let (mut targets, mut passed, mut writes, mut weekly) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for channel in store.channels_due(now, BATCH)? {
        // Digests that are due come first, one in each call, so that they stand before the round-up.
        if channel.next_due.is_none_or(|due| due > now) {
            weekly.push(channel);
            continue;
        }
        match due(store, channel, now)? {
            Due::Digest(target) => targets.push(target),
            Due::Passed(channel) => {
                passed.push(channel.place.clone());
                writes.push(Write::Channel(Box::new(channel)));
            }
        }
    }
    if !writes.is_empty() {
        store.commit(writes)?;
    }
    let mut published = publish(store, topics, render, targets, Judged::Yes, now)?;
    published.passed = passed;
    for channel in weekly {
        round_up(store, topics, render, channel, now, &mut published)?;
    }
    Ok(published)
}

/// Publishes the round-up of a channel: the best of what was posted in its place in the week before the occurrence, also of
/// what is still on its way: it arrives before the round-up does. It reads
/// nothing new, so that the channel's position stays.
fn round_up(
    store: &dyn Store,
    topics: &[Topic],
    render: &dyn Render,
    channel: Channel,
    now: DateTime<Utc>,
    published: &mut Published,
) -> Result<()> {
    let again = |channel: Channel| {
        let weekly_due = channel.weekly_after(now);
        Write::Channel(Box::new(Channel { weekly_due, ..channel }))
    };
    let zone = channel.settings.timezone;
    let due = channel.weekly_due.unwrap_or(now) - TimeDelta::nanoseconds(1);
    let after = channel.last_weekly.map_or(due, |last| last.max(due));
    let at = channel.settings.weekly.as_ref();
    let at = at.and_then(|weekly| weekly.latest_due(zone, after, now));
    let rests = match &channel.activity {
        Activity::Active => false,
        Activity::Snoozed { until, .. } => until.is_none_or(|until| until > now),
        Activity::Paused { .. } | Activity::Absent { .. } => true,
    };
    let Some(at) = at.filter(|_| !rests) else {
        published.passed.push(channel.place.clone());
        return store.commit(vec![again(channel)]);
    };
    // It stands behind the digest of the same minute, which the next one looks back on.
    let occurrence = channel
        .last_fired
        .map_or(at, |last| at.max(last + TimeDelta::seconds(1)));
    let all = top_soon(store, &channel.place, at - WEEK, at - TimeDelta::nanoseconds(1))?;
    let of = count(all.len());
    let voted = all.iter().take(ROUND_UP).any(|top| !top.tally.is_empty());
    let entries = (1..).zip(all).take(ROUND_UP).map(|(number, top)| Entry {
        number,
        paper: top.paper,
        ..top.entry
    });
    let digest = Digest {
        id: DigestId::weekly(&channel.place, occurrence),
        subjects: channel.settings.subjects.clone(),
        week: Some(at),
        since: channel.cursor,
        upto: channel.cursor,
        windows: Vec::new(),
        considered: of,
        matched: of,
        entries: entries.collect(),
    };
    let mut writes = Vec::new();
    if digest.entries.is_empty() {
        published.silent.push(channel.place.clone());
    } else {
        post(
            store,
            topics,
            render,
            &digest,
            // They were called when the papers came.
            &Calls::new(),
            &channel,
            &mut HashMap::new(),
            &mut writes,
            now,
            published,
        )?;
        if voted {
            // The counts are added as they are to every digest.
            let (digest, due) = (digest.id, now + GATHER);
            writes.push(Write::Outdated { digest, due });
        }
        published.digests.push((digest.id, digest.entries.len()));
        // All that it shows was posted before: there is nothing to judge.
        let facts = held::facts(store, &digest, now)?;
        writes.extend(held::decided(store, &digest, facts, Ruling::Unjudged, now)?);
        writes.push(Write::Digest(Box::new(digest)));
    }
    // A pause that is over is ended by the digest that makes up for it, where there is one.
    let activity = match channel.settings.schedule {
        Some(_) => channel.activity.clone(),
        None => Activity::Active,
    };
    writes.push(again(Channel {
        activity,
        last_weekly: Some(occurrence),
        ..channel
    }));
    store.commit(writes)
}

fn due(store: &dyn Store, channel: Channel, now: DateTime<Utc>) -> Result<Due> {
    // An occurrence before `next_due` was not one when it passed, or has been served.
    let due = channel.next_due.unwrap_or(now) - TimeDelta::nanoseconds(1);
    let after = match &channel.activity {
        Activity::Active | Activity::Paused { .. } | Activity::Absent { .. } => due,
        Activity::Snoozed { until, since, .. } => {
            if until.is_none_or(|until| until > now) {
                return Ok(Due::Passed(fired(channel, None, None, now)));
            }
            // Those that the pause swallowed were missed.
            due.min(*since)
        }
    };
    let after = channel.last_fired.map_or(after, |last| last.max(after));
    let channel = Channel {
        activity: Activity::Active,
        ..channel
    };
    let zone = channel.settings.timezone;
    let mut dues = match &channel.settings.schedule {
        Some(schedule) => schedule.latest_dues(zone, after, now, REPLAYED),
        None => Vec::new(),
    };
    let Some(latest) = dues.pop() else {
        // The schedule has changed since `next_due` was computed: nothing was missed.
        return Ok(Due::Passed(fired(channel, None, None, now)));
    };
    let digest = |channel, at, replayed| Ok(Due::Digest(Target { channel, at, replayed }));
    let on_time = now - latest < LATE;
    match channel.settings.missed {
        Missed::Merge => digest(channel, latest, None),
        Missed::Skip if on_time => match dues.last() {
            Some(missed) => {
                let passed = pass_over(store, channel, *missed)?;
                digest(passed, latest, None)
            }
            None => digest(channel, latest, None),
        },
        Missed::Skip => Ok(Due::Passed(fired(pass_over(store, channel, latest)?, None, None, now))),
        Missed::Replay => match dues.first() {
            None if on_time => digest(channel, latest, None),
            first => {
                let at = first.copied().unwrap_or(latest);
                let upto = position_at(store, channel.cursor, at)?;
                digest(channel, at, Some(upto))
            }
        },
    }
}

/// The channel as if it had read what had come by this occurrence.
fn pass_over(store: &dyn Store, channel: Channel, at: DateTime<Utc>) -> Result<Channel> {
    let upto = position_at(store, channel.cursor, at)?;
    Ok(fired(channel, Some(at), Some(upto), at))
}

/// The last position that had been taken in by `at`; not before `since`.
fn position_at(store: &dyn Store, since: Seq, at: DateTime<Utc>) -> Result<Seq> {
    // What is not after `low` had come by then, what is after `high` had not.
    let (mut low, mut high) = (since, store.head()?.max(since));
    while low < high {
        let middle = low + (high - low).div_ceil(2);
        match store.intake(middle - 1, high, 1)?.first() {
            Some(record) if record.taken_at <= at => low = record.seq.max(middle),
            Some(_) | None => high = middle - 1,
        }
    }
    Ok(low)
}

/// A channel that is active again at `now`, after it was silent since then. What it was silent for becomes what it has
/// chosen: with [`Missed::Replay`] it is due at once, with the others at its next occurrence.
pub(super) fn woken(store: &dyn Store, channel: Channel, since: DateTime<Utc>, now: DateTime<Utc>) -> Result<Channel> {
    let channel = Channel {
        activity: Activity::Active,
        ..channel
    };
    let zone = channel.settings.timezone;
    let since = channel.last_fired.map_or(since, |last| last.max(since));
    match channel.settings.missed {
        Missed::Merge => Ok(channel.due_again(now)),
        Missed::Skip => {
            let schedule = channel.settings.schedule.as_ref();
            let channel = match schedule.and_then(|s| s.latest_due(zone, since, now)) {
                Some(missed) => pass_over(store, channel, missed)?,
                None => channel,
            };
            Ok(channel.due_again(now))
        }
        Missed::Replay => {
            let next_due = channel.due_after(since.min(now));
            Ok(Channel {
                next_due,
                ..channel.due_again(now)
            })
        }
    }
}

/// Publishes for these channels as if their occurrence were now. Nothing is held back: a person asks for it, and sees what
/// comes.
///
/// # Errors
/// Only when the store fails.
pub fn publish_now(
    store: &dyn Store,
    topics: &[Topic],
    render: &dyn Render,
    channels: Vec<Channel>,
    now: DateTime<Utc>,
) -> Result<Published> {
    let targets = channels
        .into_iter()
        .map(|channel| {
            // A channel's digests are in the order of their occurrences, which are whole seconds: a second one in the
            // same second would have no place behind the first.
            let last = channel.last_fired.max(channel.last_weekly);
            let next = last.map(|last| last + TimeDelta::seconds(1));
            let at = next.map_or(now, |next| next.max(now));
            Target {
                channel,
                at,
                replayed: None,
            }
        })
        .collect();
    publish(store, topics, render, targets, Judged::No, now)
}

/// Whether digests are judged before they are posted.
#[derive(Clone, Copy)]
enum Judged {
    Yes,
    No,
}

fn publish(
    store: &dyn Store,
    topics: &[Topic],
    render: &dyn Render,
    targets: Vec<Target>,
    judged: Judged,
    now: DateTime<Utc>,
) -> Result<Published> {
    let mut published = Published::default();
    let mut groups: BTreeMap<(DigestId, Option<Seq>), Vec<Channel>> = BTreeMap::new();
    for Target { channel, at, replayed } in targets {
        let id = DigestId::new(&channel.settings.subjects, channel.cursor, at).calling(&channel.mentions);
        groups.entry((id, replayed)).or_default().push(channel);
    }
    let ruled = Ruled::new(store, topics, groups.values().flatten(), &mut published.damaged)?;
    for ((id, replayed), channels) in groups {
        publish_group(
            store,
            topics,
            render,
            &ruled,
            id,
            replayed,
            channels,
            judged,
            now,
            &mut published,
        )?;
    }
    Ok(published)
}

#[allow(clippy::too_many_arguments, reason = "what a commit is made of")]
fn publish_group(
    store: &dyn Store,
    topics: &[Topic],
    render: &dyn Render,
    ruled: &Ruled,
    id: DigestId,
    replayed: Option<Seq>,
    channels: Vec<Channel>,
    judged: Judged,
    now: DateTime<Utc>,
    published: &mut Published,
) -> Result<()> {
    let Some(first) = channels.first() else { return Ok(()) };
    let mut writes = Vec::new();
    // A digest is immutable: what a crash left, or another channel's policy, is taken as it is.
    let (digest, fate) = match store.digest(&id)? {
        Some(digest) => match judged {
            Judged::Yes => (digest, held::known(store, &id)?),
            Judged::No => (digest, Known::Post),
        },
        None => {
            let digest = draft(store, topics, ruled, id, first, replayed, &mut published.damaged)?;
            let last = first.last_fired.unwrap_or(first.added_at);
            let facts = held::facts(store, &digest, last)?;
            let verdict = match judged {
                Judged::Yes => {
                    let history = held::history(store, &digest.subjects)?;
                    let titles_suffice = held::titles_suffice(store, &digest.subjects)?;
                    Some(breaker::judge(&history, &facts, titles_suffice))
                }
                Judged::No => None,
            };
            let (ruling, fate) = match verdict {
                Some(breaker::Verdict::Hold(reason)) => (Ruling::Hold(reason.clone()), Known::Hold(reason)),
                Some(breaker::Verdict::Post) => (Ruling::Post, Known::Post),
                None => (Ruling::Unjudged, Known::Post),
            };
            writes.extend(held::decided(store, &digest, facts, ruling, now)?);
            writes.push(Write::Digest(Box::new(digest.clone())));
            published.digests.push((id, digest.entries.len()));
            (digest, fate)
        }
    };
    let mut waiting = Vec::new();
    let calls = calls(store, ruled, &digest, first)?;
    let mut parts_of: HashMap<RenderingId, u32> = HashMap::new();
    for channel in channels {
        let settings = &channel.settings;
        // A late word that there was nothing helps nobody.
        let nothing_wanted = settings.subjects.is_empty();
        let silent = digest.entries.is_empty()
            && (nothing_wanted || settings.when_empty == WhenEmpty::Silent || replayed.is_some());
        if matches!(fate, Known::Hold(_)) && !nothing_wanted {
            // That there is nothing to say is odd, too: also where an empty day is passed over in silence.
            waiting.push(channel.place.clone());
        } else if silent || matches!(fate, Known::Dropped) {
            published.silent.push(channel.place.clone());
        } else {
            post(
                store,
                topics,
                render,
                &digest,
                &calls,
                &channel,
                &mut parts_of,
                &mut writes,
                now,
                published,
            )?;
        }
        // The occurrence after one that is replayed may have passed as well: then it is due at once.
        let after = if replayed.is_some() { id.occurrence } else { now };
        let channel = fired(channel, Some(id.occurrence), Some(digest.upto), after);
        writes.push(Write::Channel(Box::new(channel)));
    }
    if let Known::Hold(reason) = fate
        && !waiting.is_empty()
    {
        writes.push(held::hold(store, &id, &reason, waiting, now)?);
        published.held.push((id, reason));
    }
    store.commit(writes)
}

/// Who is called, for which numbers.
pub(super) type Calls = BTreeMap<Mention, BTreeSet<u32>>;

pub(super) fn calls(store: &dyn Store, ruled: &Ruled, digest: &Digest, channel: &Channel) -> Result<Calls> {
    let mut calls = Calls::new();
    for Listed { item, resting } in listed(channel) {
        let mark = item.mark();
        let Some((_, who)) = channel.mentions.iter().find(|(of, _)| *of == mark && !resting) else {
            continue;
        };
        for entry in &digest.entries {
            let brought = match &item {
                Item::Topic(id) => entry.topics.contains(id),
                Item::Keyword(word) => entry.hits.iter().any(|hit| hit.term == *word),
                Item::Rule(rule) => ruled.brought(store, rule, &entry.paper)?,
            };
            if brought {
                calls.entry(who.clone()).or_default().insert(entry.number);
            }
        }
    }
    Ok(calls)
}

/// Queues a digest for a channel, with its parts where they are new; nothing where it is queued already.
#[allow(clippy::too_many_arguments, reason = "what a commit is made of")]
pub(super) fn post(
    store: &dyn Store,
    topics: &[Topic],
    render: &dyn Render,
    digest: &Digest,
    calls: &Calls,
    channel: &Channel,
    parts_of: &mut HashMap<RenderingId, u32>,
    writes: &mut Vec<Write>,
    now: DateTime<Utc>,
    published: &mut Published,
) -> Result<()> {
    let delivery = DeliveryId::post(channel.place.clone(), digest.id);
    if store.delivery(&delivery)?.is_some() {
        return Ok(());
    }
    let settings = &channel.settings;
    let rendering = RenderingId {
        digest: digest.id,
        platform: channel.place.platform(),
        lang: settings.language,
        style: settings.style,
        zone: settings.timezone,
        revision: 0,
    };
    let known = match parts_of.get(&rendering) {
        Some(parts) => Some(*parts),
        None => stored_parts(store, &rendering)?,
    };
    let parts = match known {
        Some(parts) => parts,
        None => {
            let view = View {
                lang: rendering.lang,
                zone: rendering.zone,
                style: rendering.style,
                topics,
            };
            let message = view.message(digest, &|id| abstract_of(store, id));
            let mut parts = match rendering.style {
                Style::Titles | Style::Compact | Style::Full => render.render(rendering.platform, &message),
                Style::Rich => render.render_rich(rendering.platform, &message),
            };
            let calls: Vec<(String, Mention)> = calls
                .iter()
                .map(|(who, numbers)| (rendering.lang.numbers_named(numbers), who.clone()))
                .collect();
            if !calls.is_empty() {
                parts.extend(render.call(rendering.platform, &calls));
            }
            let count = u32::try_from(parts.len()).unwrap_or(u32::MAX);
            writes.push(Write::Rendering {
                id: rendering.clone(),
                parts,
            });
            count
        }
    };
    parts_of.insert(rendering.clone(), parts);
    writes.push(Write::Delivery(Box::new(Delivery::new(
        delivery.clone(),
        rendering,
        parts,
        now,
    ))));
    published.deliveries.push(delivery);
    Ok(())
}

/// What the rules of all channels find that are published for together: every paper is held against all of them at once.
pub(super) struct Ruled {
    found: HashMap<Seq, Vec<Matched>>,
}

impl Ruled {
    pub(super) fn new<'a>(
        store: &dyn Store,
        topics: &[Topic],
        channels: impl Iterator<Item = &'a Channel>,
        damaged: &mut Vec<StoreError>,
    ) -> Result<Self> {
        let (mut rules, mut since): (BTreeMap<u64, Rule>, Option<Seq>) = (BTreeMap::new(), None);
        for channel in channels {
            for rule in &channel.settings.subjects.rules {
                rules.entry(rule.key()).or_insert_with(|| rule.clone());
                since = Some(since.map_or(channel.cursor, |least| least.min(channel.cursor)));
            }
        }
        let mut found = HashMap::new();
        let Some(since) = since else {
            return Ok(Self { found });
        };
        let upto = store.head()?;
        let first = since.max(upto.saturating_sub(u64::try_from(MOST_PAPERS).unwrap_or(u64::MAX)));
        let mut scores: HashMap<Seq, Vec<Score>> = HashMap::new();
        for topic in topics {
            for kept in store.matches(&topic.id, first, upto)? {
                scores.entry(kept.seq).or_default().push(kept.score);
            }
        }
        let set = RuleSet::new(rules.iter().map(|(key, rule)| (*key, rule)));
        for record in store.intake(first, upto, MOST_PAPERS)? {
            match store.paper(&record.paper) {
                Ok(Some(paper)) => {
                    let scores = scores.get(&record.seq).map(Vec::as_slice).unwrap_or_default();
                    let facts = Facts {
                        scores,
                        ..Facts::of(&paper)
                    };
                    let matched = set.find(&facts);
                    if !matched.is_empty() {
                        found.insert(record.seq, matched);
                    }
                }
                Ok(None) => {}
                Err(error @ StoreError::Damaged { .. }) => damaged.push(error),
                Err(error @ StoreError::Broken(_)) => return Err(error),
            }
        }
        Ok(Self { found })
    }

    /// Whether this rule found this paper.
    fn brought(&self, store: &dyn Store, rule: &Rule, paper: &PaperId) -> Result<bool> {
        let intake = readable(store.intake_of(paper))?;
        let found = intake.and_then(|intake| self.found.get(&intake.seq));
        Ok(found.is_some_and(|found| found.iter().any(|matched| matched.key == rule.key())))
    }

    /// What the rules of these subjects found in a paper, each condition once.
    fn hits(&self, subjects: &Subjects, seq: Seq) -> Vec<Hit> {
        let Some(found) = self.found.get(&seq) else {
            return Vec::new();
        };
        let keys: Vec<u64> = subjects.rules.iter().map(Rule::key).collect();
        let mut hits: Vec<Hit> = Vec::new();
        for hit in found
            .iter()
            .filter(|matched| keys.contains(&matched.key))
            .flat_map(|m| &m.hits)
        {
            if !hits.iter().any(|other| other.term == hit.term) {
                hits.push(hit.clone());
            }
        }
        hits
    }
}

/// How many parts a rendering has that an earlier batch of channels wrote. It is not rendered again: a paper may have
/// changed since, and some of its parts are sent already.
fn stored_parts(store: &dyn Store, id: &RenderingId) -> Result<Option<u32>> {
    let mut count = 0;
    loop {
        match store.part(id, count) {
            Ok(Some(_)) | Err(StoreError::Damaged { .. }) => count += 1,
            Ok(None) => return Ok((count > 0).then_some(count)),
            Err(error @ StoreError::Broken(_)) => return Err(error),
        }
    }
}

fn abstract_of(store: &dyn Store, id: &PaperId) -> Option<String> {
    store
        .paper(id)
        .ok()
        .flatten()
        .map(|paper| paper.abstract_text().to_owned())
}

/// The channel after an occurrence: further on in the order of intake, and due again after `after`.
fn fired(channel: Channel, at: Option<DateTime<Utc>>, upto: Option<Seq>, after: DateTime<Utc>) -> Channel {
    let last_fired = at.max(channel.last_fired);
    let cursor = upto.unwrap_or(channel.cursor).max(channel.cursor);
    let weekly_due = channel.weekly_due;
    let channel = Channel {
        last_fired,
        cursor,
        ..channel
    };
    // A round-up that is due stays so.
    Channel {
        weekly_due,
        ..channel.due_again(last_fired.unwrap_or(after).max(after))
    }
}

/// What the subjects of `channel` bring of everything after its position.
fn draft(
    store: &dyn Store,
    topics: &[Topic],
    ruled: &Ruled,
    id: DigestId,
    channel: &Channel,
    replayed: Option<Seq>,
    damaged: &mut Vec<StoreError>,
) -> Result<Digest> {
    let (subjects, since) = (&channel.settings.subjects, channel.cursor);
    let upto = match replayed {
        Some(upto) => upto.max(since),
        None => store.head()?,
    };
    let last = channel.last_fired.unwrap_or(channel.added_at);
    let windows = windows_between(store, since, upto, last)?;
    let (candidates, considered) = candidates(store, ruled, subjects, since, upto, damaged)?;
    let draft = Draft {
        id,
        subjects: subjects.clone(),
        since,
        upto,
        windows,
        considered,
    };
    Ok(compose(draft, candidates, topics))
}

/// The papers between two positions that the subjects want, and how many there are.
fn candidates(
    store: &dyn Store,
    ruled: &Ruled,
    subjects: &Subjects,
    since: Seq,
    upto: Seq,
    damaged: &mut Vec<StoreError>,
) -> Result<(Vec<Candidate>, u32)> {
    let first = since.max(upto.saturating_sub(u64::try_from(MOST_PAPERS).unwrap_or(u64::MAX)));
    let records = store.intake(first, upto, MOST_PAPERS)?;
    let mut scores: HashMap<Seq, Vec<Score>> = HashMap::new();
    for topic in &subjects.topics {
        for found in store.matches(topic, first, upto)? {
            scores.entry(found.seq).or_default().push(found.score);
        }
    }
    let keywords = KeywordMatcher::new(&subjects.keywords);
    let mut candidates = Vec::new();
    for record in &records {
        let scores = scores.remove(&record.seq).unwrap_or_default();
        let ruled = ruled.hits(subjects, record.seq);
        if scores.is_empty() && ruled.is_empty() && subjects.keywords.is_empty() {
            continue;
        }
        match store.paper(&record.paper) {
            // A work that was taken for two papers has its place under its own name.
            Ok(Some(paper)) if paper.id != record.paper => {}
            Ok(Some(paper)) => {
                let mut keywords = keywords.find(&paper);
                keywords.extend(ruled);
                if !scores.is_empty() || !keywords.is_empty() {
                    candidates.push(Candidate {
                        seq: record.seq,
                        paper,
                        scores,
                        keywords,
                    });
                }
            }
            Ok(None) => {}
            Err(error @ StoreError::Damaged { .. }) => damaged.push(error),
            Err(error @ StoreError::Broken(_)) => return Err(error),
        }
    }
    Ok((candidates, count(records.len())))
}

/// Which digests are prepared for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Occasion {
    /// Those of all channels that are due by then; of what is due at once, as many as one call of [`publish_due`] serves.
    Due(DateTime<Utc>),
    /// Those that [`publish_now`] would make for these channels.
    Asked(Vec<Place>),
}

/// Channels that will share a digest.
pub(super) struct Ahead {
    /// One of them.
    pub(super) channel: Channel,
    /// Behind its position, where its digest ends.
    pub(super) upto: Seq,
    /// In which languages they show briefs.
    langs: BTreeSet<Lang>,
}

/// The groups of channels that will share a digest; those that are due first come first.
pub(super) fn ahead(store: &dyn Store, occasion: &Occasion, now: DateTime<Utc>) -> Result<Vec<Ahead>> {
    let mut targets: Vec<(Channel, Option<Seq>)> = Vec::new();
    match occasion {
        Occasion::Due(horizon) => {
            let most = if *horizon <= now { BATCH } else { usize::MAX };
            for channel in store.channels_due(*horizon, most)? {
                // A round-up repeats what was posted.
                if channel.next_due.is_none_or(|due| due > *horizon) {
                    continue;
                }
                if let Due::Digest(Target { channel, replayed, .. }) = due(store, channel, *horizon)? {
                    targets.push((channel, replayed));
                }
            }
        }
        Occasion::Asked(places) => {
            for place in places {
                targets.extend(store.channel(place)?.map(|channel| (channel, None)));
            }
        }
    }
    let head = store.head()?;
    let mut groups: Vec<Ahead> = Vec::new();
    let mut known: HashMap<(u64, Option<Seq>), usize> = HashMap::new();
    for (channel, replayed) in targets {
        let set = DigestId::new(&channel.settings.subjects, channel.cursor, now).set;
        let at = *known.entry((set, replayed)).or_insert(groups.len());
        if at == groups.len() {
            groups.push(Ahead {
                upto: replayed.unwrap_or(head).max(channel.cursor),
                channel: channel.clone(),
                langs: BTreeSet::new(),
            });
        }
        // Titles alone need no briefs.
        if channel.settings.style != Style::Titles
            && let Some(group) = groups.get_mut(at)
        {
            group.langs.insert(channel.settings.language);
        }
    }
    Ok(groups)
}

/// Hands over, for every group of channels that will share a digest and show briefs, the languages of those and the papers that
/// the digest would have now, best first.
pub(super) fn foresee(
    store: &dyn Store,
    topics: &[Topic],
    occasion: &Occasion,
    now: DateTime<Utc>,
    found: &mut dyn FnMut(&BTreeSet<Lang>, Vec<Paper>),
) -> Result<()> {
    let mut groups = ahead(store, occasion, now)?;
    groups.retain(|group| !group.langs.is_empty());
    // What cannot be read is named when the digest is made.
    let mut damaged = Vec::new();
    let ruled = Ruled::new(store, topics, groups.iter().map(|group| &group.channel), &mut damaged)?;
    for Ahead { channel, upto, langs } in &groups {
        let (since, upto) = (channel.cursor, *upto);
        let (candidates, _) = candidates(store, &ruled, &channel.settings.subjects, since, upto, &mut damaged)?;
        let ranked = rank(candidates, topics).into_iter().map(|candidate| candidate.paper);
        found(langs, ranked.collect());
    }
    Ok(())
}

/// The windows that brought what lies between two positions. One of an announcement that brought nothing new has a position
/// too; where that is the first one itself, it counts if it came after the last digest. Others without papers say nothing: that
/// Hugging Face answered does not mean that a mailing came.
fn windows_between(store: &dyn Store, since: Seq, upto: Seq, last: DateTime<Utc>) -> Result<Vec<Window>> {
    let mut windows: Vec<Window> = store
        .windows()?
        .into_iter()
        .filter(|w| {
            if !w.window.source.announces() {
                w.since < w.upto && since < upto && w.upto > since && w.since < upto
            } else if w.upto > w.since {
                w.upto > since && w.since < upto
            } else {
                (w.since > since && w.since <= upto) || (w.since == since && w.taken_at > last)
            }
        })
        .map(|w| w.window)
        .collect();
    windows.sort_by_key(|w| (w.to, w.from, w.source));
    Ok(windows)
}

/// A candidate with its score.
pub type Scored = (IntakeRecord, Score);

/// The digest of one topic over the windows that end on `day` (in UTC), or over the latest one, which is one of what arXiv
/// announced where there is any; nothing is written.
/// Every candidate of those windows is scored anew; the second value is the scores of all of them, best first, for an
/// explanation. `None` when the ledger has no such window.
///
/// # Errors
/// Only when the store fails.
pub fn draft_of_window(
    store: &dyn Store,
    topic: &Topic,
    day: Option<NaiveDate>,
) -> Result<Option<(Digest, Vec<Scored>)>> {
    let ledger = store.windows()?;
    let day = match day.or_else(|| ledger::leading(&ledger).map(|w| w.window.day()).max()) {
        Some(day) => day,
        None => return Ok(None),
    };
    let of_day: Vec<_> = ledger.into_iter().filter(|w| w.window.day() == day).collect();
    if of_day.is_empty() {
        return Ok(None);
    }
    let since = of_day.iter().map(|w| w.since).min().unwrap_or(0);
    let upto = of_day.iter().map(|w| w.upto).max().unwrap_or(0);
    let matcher = Matcher::new(std::slice::from_ref(topic));
    let mut explained = Vec::new();
    let mut candidates = Vec::new();
    // A paper of the window that a report had brought before has an earlier position.
    let first = upto.saturating_sub(u64::try_from(MOST_PAPERS).unwrap_or(u64::MAX));
    for record in store.intake(first, upto, MOST_PAPERS)? {
        let inside = record
            .window
            .is_some_and(|w| of_day.iter().any(|known| known.window == w));
        let Some(paper) = (if inside {
            readable(store.paper(&record.paper))?
        } else {
            None
        }) else {
            continue;
        };
        if paper.id != record.paper {
            continue;
        }
        let scores = judging::scores(store, std::slice::from_ref(topic), &matcher, &paper)?;
        explained.extend(scores.iter().map(|score| (record.clone(), score.clone())));
        let scores: Vec<Score> = scores.into_iter().filter(|s| s.verdict == Verdict::Kept).collect();
        if !scores.is_empty() {
            candidates.push(Candidate {
                seq: record.seq,
                paper,
                scores,
                keywords: Vec::new(),
            });
        }
    }
    explained.sort_by(|(a, x), (b, y)| y.rank().cmp(&x.rank()).then(a.seq.cmp(&b.seq)));
    let subjects = Subjects::new([topic.id.clone()], []);
    // It is dated as its papers are, whenever it is looked at.
    let occurrence = ledger::leading(&of_day).map(|w| w.window.to).max().unwrap_or_default();
    let midnight = day.and_time(NaiveTime::MIN).and_utc() + TimeDelta::days(1);
    let occurrence = occurrence.min(midnight - TimeDelta::seconds(1));
    let draft = Draft {
        id: DigestId::new(&subjects, since, occurrence),
        subjects,
        since,
        upto,
        windows: of_day.iter().map(|w| w.window).collect(),
        considered: count(explained.len()),
    };
    Ok(Some((
        compose(draft, candidates, std::slice::from_ref(topic)),
        explained,
    )))
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::configure_channels;
    use super::super::fixture::{
        Counting, Spoiled, add_channel, arxiv, back, channel, claims, mailing, news, october, paper, report, reported,
        sent, settings, take, topic, window,
    };
    use super::*;
    use crate::channel::Settings;
    use crate::delivery::State;
    use crate::paper::Paper;
    use crate::source::Announcement;
    use crate::store::ModelStore;

    const HERE: &str = "telegram:-5";

    /// A channel that has read nothing, and a mailing with two papers that match and one that does not.
    fn newsroom() -> ModelStore {
        let store = ModelStore::new();
        add_channel(&store, HERE, settings(), october(9, 12));
        let papers = vec![
            paper(1, "On pruning", ""),
            paper(2, "On weather", ""),
            paper(3, "A KV cache", ""),
        ];
        take(&store, "a", news(9, papers), october(9, 20));
        store
    }

    fn due(store: &dyn Store, now: DateTime<Utc>) -> Published {
        publish_due(store, &[topic()], &Counting::default(), now).unwrap()
    }

    fn only_digest(store: &dyn Store, published: &Published) -> Digest {
        let [(id, _)] = published.digests[..] else {
            panic!("{published:?}")
        };
        store.digest(&id).unwrap().unwrap()
    }

    fn papers(digest: &Digest) -> Vec<PaperId> {
        digest.entries.iter().map(|e| e.paper.clone()).collect()
    }

    fn text_of(store: &dyn Store, id: &DeliveryId) -> String {
        let delivery = store.delivery(id).unwrap().unwrap();
        store.part(&delivery.rendering, 0).unwrap().unwrap().payload
    }

    #[test]
    fn an_occurrence_brings_what_matches_best_first_and_nothing_twice() {
        let store = newsroom();
        assert_eq!(due(&store, october(10, 8)), Published::default());
        let published = due(&store, october(10, 9));
        let digest = only_digest(&store, &published);
        assert_eq!(papers(&digest), [arxiv(3), arxiv(1)]);
        assert_eq!(
            (digest.considered, digest.matched, digest.windows),
            (3, 2, vec![window(9)])
        );
        assert_eq!(digest.id.occurrence, october(10, 9));
        let id = DeliveryId::post(HERE.parse().unwrap(), digest.id);
        assert_eq!(published.deliveries, [id]);
        let read = channel(&store, HERE);
        assert_eq!(
            (read.cursor, read.last_fired, read.next_due),
            (3, Some(october(10, 9)), Some(october(11, 9)))
        );
        assert_eq!(due(&store, october(10, 9)), Published::default());
    }

    #[test]
    fn publishing_again_after_a_crash_writes_nothing_new_and_leaves_what_was_sent() {
        let store = newsroom();
        let (before, now) = (channel(&store, HERE), october(10, 7));
        let render = Counting::default();
        let again = || publish_now(&store, &[topic()], &render, vec![before.clone()], now).unwrap();
        let first = again();
        let claimed = claims(&store, now);
        back(&store, &claimed[0].delivery.id, sent("71"), now);
        let sent = store.delivery(&first.deliveries[0]).unwrap().unwrap();
        assert_eq!(sent.state, State::Sent { at: now });
        let after = channel(&store, HERE);
        take(&store, "late", news(10, vec![paper(4, "Pruning", "")]), october(10, 8));
        assert_eq!(again(), Published::default());
        assert_eq!(store.delivery(&first.deliveries[0]), Ok(Some(sent)));
        assert_eq!((channel(&store, HERE), render.calls.get()), (after, 1));
        assert_eq!(store.digests(None, 9).unwrap().len(), 1);
    }

    #[test]
    fn channels_alike_share_one_digest_and_what_they_show_alike_one_rendering() {
        let store = ModelStore::new();
        let shown = |language, style, timezone| Settings {
            language,
            style,
            timezone,
            ..settings()
        };
        let shanghai = chrono_tz::Asia::Shanghai;
        add_channel(&store, "telegram:-1", settings(), october(9, 12));
        add_channel(&store, "telegram:-2", settings(), october(9, 12));
        add_channel(&store, "discord:100000000000000001", settings(), october(9, 12));
        let zh = shown(Lang::Zh, Style::Compact, chrono_tz::UTC);
        add_channel(&store, "telegram:-3", zh, october(9, 12));
        add_channel(
            &store,
            "telegram:-4",
            shown(Lang::En, Style::Full, chrono_tz::UTC),
            october(9, 12),
        );
        let mut same_instant = shown(Lang::En, Style::Compact, shanghai);
        same_instant.schedule = crate::schedule::Schedule::parse("0 17 * * *").ok();
        add_channel(&store, "telegram:-5", same_instant, october(9, 12));
        let other = Settings {
            subjects: Subjects::new([topic().id], ["weather".to_owned()]),
            ..settings()
        };
        add_channel(&store, "telegram:-6", other, october(9, 12));
        take(
            &store,
            "a",
            news(9, vec![paper(1, "On pruning", "Of KV caches.")]),
            october(9, 20),
        );
        let render = Counting::default();
        let published = publish_due(&store, &[topic()], &render, october(10, 9)).unwrap();
        assert_eq!((published.digests.len(), published.deliveries.len()), (2, 7));
        assert_eq!(render.calls.get(), 6);
        let text = |place: &str| {
            let id = published.deliveries.iter().find(|d| d.place.to_string() == place);
            text_of(&store, id.unwrap())
        };
        assert!(text("telegram:-3").contains("1 篇新论文中有 1 篇相关"));
        assert!(text("telegram:-1").contains("1 of 1 new papers matches"));
        let abstracts = ["telegram:-1", "telegram:-4"].map(|place| text(place).matches("Of KV caches.").count());
        assert_eq!(abstracts, [1, 2]);
    }

    #[test]
    fn a_second_batch_of_channels_gets_the_parts_of_the_first() {
        let store = newsroom();
        let twin = add_channel(&store, "telegram:-6", settings(), october(9, 12));
        let render = Counting::default();
        let publish = |channel| publish_now(&store, &[topic()], &render, vec![channel], october(10, 9)).unwrap();
        let first = publish(channel(&store, HERE));
        take(
            &store,
            "b",
            news(10, vec![paper(1, "On pruning, revised and longer", "")]),
            october(10, 9),
        );
        let second = publish(twin);
        assert_eq!(
            (second.digests.len(), second.deliveries.len(), render.calls.get()),
            (0, 1, 1)
        );
        let of = |published: &Published| store.delivery(&published.deliveries[0]).unwrap().unwrap();
        assert_eq!(
            (of(&first).rendering, of(&first).parts),
            (of(&second).rendering, of(&second).parts)
        );
    }

    #[test]
    fn an_empty_day_says_why() {
        let store = newsroom();
        due(&store, october(10, 9));
        let why = |store: &ModelStore, day| {
            let published = due(store, october(day, 9));
            assert_eq!(only_digest(store, &published).entries, []);
            text_of(store, &published.deliveries[0])
        };
        assert!(why(&store, 11).contains(Lang::En.empty_no_window()));
        let revisions = vec![(Announcement::Replacement, paper(9, "Pruning", ""))];
        take(&store, "b", mailing(11, revisions), october(11, 20));
        assert!(why(&store, 12).contains(Lang::En.empty_no_paper()));
        assert!(why(&store, 13).contains(Lang::En.empty_no_window()));
        take(&store, "c", news(13, vec![paper(10, "On rain", "")]), october(13, 20));
        let text = why(&store, 14);
        assert!(text.contains(&Lang::En.empty_no_match(1)), "{text}");
        assert!(
            text.contains("12 Oct 2025 18:00 UTC to 13 Oct 2025 18:00 UTC"),
            "{text}"
        );
    }

    #[test]
    fn a_silent_channel_gets_nothing_on_an_empty_day_and_reads_on() {
        let store = ModelStore::new();
        let silent = Settings {
            when_empty: WhenEmpty::Silent,
            ..settings()
        };
        let place = add_channel(&store, HERE, silent, october(9, 12)).place;
        take(&store, "a", news(9, vec![paper(1, "On weather", "")]), october(9, 20));
        let render = Counting::default();
        let published = publish_due(&store, &[topic()], &render, october(10, 9)).unwrap();
        assert_eq!(
            (published.silent, published.deliveries, render.calls.get()),
            (vec![place], vec![], 0)
        );
        let read = channel(&store, HERE);
        assert_eq!((read.cursor, read.next_due), (1, Some(october(11, 9))));
        take(&store, "b", news(10, vec![paper(2, "On pruning", "")]), october(10, 20));
        assert_eq!(due(&store, october(11, 9)).deliveries.len(), 1);
    }

    #[test]
    fn a_week_that_was_missed_becomes_one_digest_at_its_latest_occurrence() {
        let store = newsroom();
        for day in 10..15 {
            let id = u64::try_from(day).unwrap();
            take(
                &store,
                &day.to_string(),
                news(day, vec![paper(id, "Pruning", "It helps.")]),
                october(day, 20),
            );
        }
        let digest = only_digest(&store, &due(&store, october(16, 15)));
        assert_eq!((digest.id.occurrence, digest.entries.len()), (october(16, 9), 7));
        assert_eq!(digest.windows, (9..15).map(window).collect::<Vec<_>>());
        let read = channel(&store, HERE);
        assert_eq!(
            (read.last_fired, read.next_due),
            (Some(october(16, 9)), Some(october(17, 9)))
        );
        assert_eq!(due(&store, october(16, 15)), Published::default());
    }

    /// A channel of this policy that was not served since the 9th, while a paper came every evening but on the 12th.
    fn neglected(missed: Missed) -> ModelStore {
        let store = ModelStore::new();
        let settings = Settings { missed, ..settings() };
        add_channel(&store, HERE, settings, october(9, 12));
        for day in [9, 10, 11, 13, 14, 15] {
            let id = u64::try_from(day).unwrap();
            let parsed = news(day, vec![paper(id, "Pruning", "It helps.")]);
            take(&store, &day.to_string(), parsed, october(day, 20));
        }
        store
    }

    /// What is published until there is an end: the day of each digest and its papers.
    fn all_due(store: &dyn Store, now: DateTime<Utc>) -> Vec<(u32, Vec<PaperId>)> {
        use chrono::Datelike as _;
        let mut all = Vec::new();
        for _ in 0..40 {
            let published = due(store, now);
            if published == Published::default() {
                return all;
            }
            for delivery in &published.deliveries {
                let digest = store.digest(&delivery.digest).unwrap().unwrap();
                all.push((digest.id.occurrence.day(), papers(&digest)));
            }
        }
        panic!("{all:?}")
    }

    #[test]
    fn what_was_missed_is_never_posted_where_it_is_skipped() {
        // Half an hour late is on time: the latest occurrence is posted, with what came since the one before.
        let store = neglected(Missed::Skip);
        let late = october(16, 9) + TimeDelta::minutes(30);
        assert_eq!(all_due(&store, late), [(16, vec![arxiv(15)])]);
        assert_eq!(channel(&store, HERE).next_due, Some(october(17, 9)));
        // Six hours late it was missed too.
        let store = neglected(Missed::Skip);
        assert_eq!(due(&store, october(16, 15)).passed, [channel(&store, HERE).place]);
        let read = channel(&store, HERE);
        assert_eq!(
            (read.cursor, read.last_fired, read.next_due),
            (6, Some(october(16, 9)), Some(october(17, 9)))
        );
        let parsed = news(16, vec![paper(16, "Pruning", "")]);
        take(&store, "16", parsed, october(16, 20));
        assert_eq!(all_due(&store, october(17, 9)), [(17, vec![arxiv(16)])]);
    }

    #[test]
    fn each_missed_occurrence_is_replayed_in_order_with_what_had_come_by_then() {
        let store = neglected(Missed::Replay);
        // On the 13th nothing had come since the 12th: a late word of that helps nobody.
        let expected: Vec<_> = [(10, 9), (11, 10), (12, 11), (14, 13), (15, 14), (16, 15)]
            .map(|(day, id)| (day, vec![arxiv(id)]))
            .to_vec();
        assert_eq!(all_due(&store, october(16, 9)), expected);
        let read = channel(&store, HERE);
        assert_eq!((read.cursor, read.next_due), (6, Some(october(17, 9))));
        let order = |now| all_due(&store, now);
        assert_eq!(order(october(16, 12)), []);
    }

    #[test]
    fn of_a_long_absence_the_last_fourteen_are_replayed_and_the_first_of_them_has_the_rest() {
        let store = neglected(Missed::Replay);
        let replayed = all_due(&store, october(28, 12));
        // The 28th is fourteenth from the 15th on.
        let all: Vec<_> = [9, 10, 11, 13, 14].map(arxiv).to_vec();
        assert_eq!(replayed, [(15, all), (16, vec![arxiv(15)])]);
        assert_eq!(channel(&store, HERE).next_due, Some(october(29, 9)));
    }

    #[test]
    fn an_occurrence_of_a_schedule_that_came_later_was_not_missed() {
        let store = neglected(Missed::Replay);
        let changed = Channel {
            next_due: Some(october(16, 9)),
            ..channel(&store, HERE)
        };
        store.commit(vec![Write::Channel(Box::new(changed))]).unwrap();
        let [(day, papers)] = all_due(&store, october(16, 9)).try_into().unwrap();
        assert_eq!((day, papers.len()), (16, 6));
    }

    #[test]
    fn a_channel_whose_pause_is_over_wakes_at_its_next_occurrence_and_gets_what_it_chose() {
        let until = Some(october(15, 0));
        for (missed, expected) in [
            (Missed::Merge, vec![(15, [9, 10, 11, 13, 14].map(arxiv).to_vec())]),
            (Missed::Skip, vec![(15, vec![arxiv(14)])]),
            (
                Missed::Replay,
                [(10, 9), (11, 10), (12, 11), (14, 13), (15, 14)]
                    .map(|(day, id)| (day, vec![arxiv(id)]))
                    .to_vec(),
            ),
        ] {
            let store = neglected(missed);
            let activity = Activity::Snoozed {
                until,
                since: october(9, 13),
                by: "1001".to_owned(),
            };
            let snoozed = Channel {
                activity,
                ..channel(&store, HERE)
            };
            let snoozed = snoozed.due_again(october(9, 13));
            assert_eq!(snoozed.next_due, Some(october(15, 9)));
            store.commit(vec![Write::Channel(Box::new(snoozed))]).unwrap();
            assert_eq!(due(&store, october(15, 8)), Published::default());
            // What came on the 15th came after the occurrence, but was not there yet.
            let now = october(15, 9);
            let mut got = all_due(&store, now);
            for (_, papers) in &mut got {
                papers.retain(|id| *id != arxiv(15));
            }
            assert_eq!(got, expected, "{missed}");
            assert_eq!(channel(&store, HERE).activity, Activity::Active);
        }
    }

    #[test]
    fn a_digest_calls_for_papers_of_a_rule_in_a_part_of_its_own_and_others_share_theirs() {
        let store = ModelStore::new();
        let rule: Rule = "weather -rain".parse().unwrap();
        let settings = Settings {
            subjects: Subjects::new([topic().id], []).with_rules([rule.clone()]),
            ..settings()
        };
        let places = ["telegram:-1", "telegram:-2", "telegram:-3", "telegram:-4"];
        for place in places {
            add_channel(&store, place, settings.clone(), october(9, 12));
        }
        let who = |name: &str| Some(Mention::Name(name.to_owned()));
        let calls = |place: &str, item: Item, who| {
            let called = super::super::call(&store, &place.parse().unwrap(), item.mark(), who);
            assert_eq!(called, Ok(Some(Ok(item))));
        };
        for place in &places[2..] {
            calls(place, Item::Rule(rule.clone()), who("kv_team"));
            calls(place, Item::Topic(topic().id), who("lead"));
        }
        let papers = vec![
            paper(1, "On weather, says @kv_team", ""),
            paper(2, "On weather and rain", ""),
            paper(3, "A KV cache", ""),
            paper(4, "Weather and pruning", ""),
        ];
        take(&store, "a", news(9, papers), october(9, 20));
        let render = Counting::default();
        let published = publish_due(&store, &[topic()], &render, october(10, 9)).unwrap();
        assert_eq!((published.digests.len(), render.calls.get()), (2, 2));
        let parts = |at: usize| {
            let place = places[at].parse().unwrap();
            let [delivery] = store.deliveries(&place, None, 9).unwrap().try_into().unwrap();
            let part = |index| store.part(&delivery.rendering, index).unwrap().unwrap().payload;
            (0..delivery.parts).map(part).collect::<Vec<_>>()
        };
        assert!(parts(0) == parts(1) && parts(2) == parts(3));
        let (without, with) = (parts(0), parts(2));
        // In order of their points: 3, 4, 1.
        assert_eq!(with.split_last().unwrap().1, without);
        assert_eq!(with.last().unwrap(), "Numbers 2, 3: @kv_team\nNumbers 1, 2: @lead\n");
        // On a day without such papers nobody is called, and who is not followed any more calls nobody.
        take(&store, "b", news(10, vec![paper(5, "Pruning", "")]), october(10, 20));
        let place: Place = places[2].parse().unwrap();
        let dropped = super::super::Revision::Drop;
        super::super::revise(&store, &place, Item::Topic(topic().id).mark(), dropped).unwrap();
        let swapped = super::super::Revision::Swap(super::super::Item::Rule("pruning".parse().unwrap()));
        super::super::revise(&store, &place, Item::Rule(rule.clone()).mark(), swapped).unwrap();
        publish_due(&store, &[topic()], &render, october(11, 9)).unwrap();
        let latest = |at: usize| {
            let delivery = store
                .deliveries(&places[at].parse().unwrap(), None, 1)
                .unwrap()
                .remove(0);
            store
                .part(&delivery.rendering, delivery.parts - 1)
                .unwrap()
                .unwrap()
                .payload
        };
        assert_eq!(latest(2), "Number 1: @kv_team\n");
        assert_eq!(latest(3), "Number 1: @lead\n");
        assert!(!latest(0).contains('@'));
    }

    /// A channel with a round-up, and papers that were posted there on the mornings of the 7th to the 9th: one, five, one.
    fn weekly_room(missed: Missed, weekly: &str) -> ModelStore {
        let store = ModelStore::new();
        let settings = Settings {
            missed,
            weekly: crate::schedule::Schedule::parse(weekly).ok(),
            ..settings()
        };
        add_channel(&store, HERE, settings, october(6, 12));
        for (day, numbers) in [(6, 1..=1), (7, 2..=6), (8, 7..=7)] {
            let papers = numbers.map(|n| paper(n, "On pruning", "It helps.")).collect();
            take(&store, &day.to_string(), news(day, papers), october(day, 20));
            due(&store, october(day + 1, 9));
            deliver(&store, october(day + 1, 9));
        }
        store
    }

    fn deliver(store: &ModelStore, now: DateTime<Utc>) {
        let mut jobs = claims(store, now);
        while let Some(job) = jobs.pop() {
            let message = format!("{}-{}", job.delivery.id.digest, job.delivery.next_part());
            jobs.extend(back(store, &job.delivery.id, sent(&message), now).jobs);
        }
    }

    fn like(store: &ModelStore, number: u64, people: u32) {
        for who in 1..=people {
            let person = format!("telegram:{who}").parse().unwrap();
            crate::pipeline::vote(store, &person, &arxiv(number), crate::vote::Vote::Up, october(9, 12)).unwrap();
        }
    }

    #[test]
    fn a_round_up_repeats_the_best_of_the_week_once_and_moves_nothing_else() {
        let store = weekly_room(Missed::Merge, "0 17 * * 5");
        due(&store, october(10, 9));
        deliver(&store, october(10, 9));
        like(&store, 5, 2);
        like(&store, 3, 1);
        let before = channel(&store, HERE);
        assert_eq!(before.due(), Some(october(10, 17)));
        let place = before.place.clone();
        let published = due(&store, october(10, 17));
        let digest = only_digest(&store, &published);
        assert_eq!(
            (digest.id.occurrence, digest.week),
            (october(10, 17), Some(october(10, 17)))
        );
        assert_eq!(papers(&digest), [5, 3, 7, 2, 4, 6, 1].map(arxiv));
        let numbers: Vec<u32> = digest.entries.iter().map(|entry| entry.number).collect();
        assert_eq!(numbers, (1..=7).collect::<Vec<_>>());
        let text = text_of(&store, &published.deliveries[0]);
        for said in ["Caching · the week's best · 10 Oct 2025", &Lang::En.weekly_count(7, 7)] {
            assert!(text.contains(said), "{text}");
        }
        let after = Channel {
            last_weekly: Some(october(10, 17)),
            weekly_due: Some(october(17, 17)),
            ..before
        };
        assert_eq!(channel(&store, HERE), after);
        assert_eq!(due(&store, october(10, 17)), Published::default());
        // What was voted for is shown soon.
        assert_eq!(store.next_outdated(), Ok(Some(october(9, 12) + GATHER)));
        deliver(&store, october(10, 17));
        // A round-up is not repeated by the next one, and of a week without papers there is none.
        take(
            &store,
            "10",
            news(10, vec![paper(8, "On pruning", "")]),
            october(10, 20),
        );
        for day in 11..=17 {
            due(&store, october(day, 9));
            deliver(&store, october(day, 9));
        }
        let next = due(&store, october(17, 17));
        assert_eq!(papers(&only_digest(&store, &next)), [arxiv(8)]);
        due(&store, october(24, 17));
        let silent = due(&store, october(24, 17));
        let nothing = Published {
            silent: vec![place],
            ..Published::default()
        };
        assert_eq!(silent, nothing);
        assert_eq!(channel(&store, HERE).weekly_due, Some(october(31, 17)));
    }

    #[test]
    fn a_round_up_has_the_papers_of_a_digest_that_is_still_on_its_way_and_not_those_of_one_that_never_came() {
        let store = weekly_room(Missed::Merge, "0 17 * * 5");
        take(&store, "9", news(9, vec![paper(8, "On pruning", "")]), october(9, 20));
        due(&store, october(10, 9));
        let waiting = store.unfinished(9).unwrap();
        assert_eq!(waiting.len(), 1);
        let round_up = only_digest(&store, &due(&store, october(10, 17)));
        assert!(papers(&round_up).contains(&arxiv(8)));
        // It stands behind the digest in the channel's queue.
        assert!(waiting[0].id.digest < round_up.id);

        let store = weekly_room(Missed::Merge, "0 17 * * 5");
        take(&store, "9", news(9, vec![paper(8, "On pruning", "")]), october(9, 20));
        due(&store, october(10, 9));
        let dropped = store.unfinished(9).unwrap().remove(0).id;
        crate::pipeline::queue::discard(&store, &dropped, october(10, 10))
            .unwrap()
            .unwrap();
        let round_up = only_digest(&store, &due(&store, october(10, 17)));
        assert!(!papers(&round_up).contains(&arxiv(8)));
    }

    #[test]
    fn of_a_digest_and_a_round_up_of_the_same_minute_the_digest_comes_first_and_is_in_the_next_one() {
        let store = weekly_room(Missed::Merge, "0 9 * * 5");
        take(&store, "9", news(9, vec![paper(8, "On pruning", "")]), october(9, 20));
        let daily = only_digest(&store, &due(&store, october(10, 9)));
        deliver(&store, october(10, 9));
        assert_eq!((papers(&daily), daily.week), (vec![arxiv(8)], None));
        let weekly = only_digest(&store, &due(&store, october(10, 9)));
        assert_eq!((weekly.week, weekly.entries.len()), (Some(october(10, 9)), 7));
        assert!(daily.id < weekly.id && !papers(&weekly).contains(&arxiv(8)));
        assert_eq!(due(&store, october(10, 9)), Published::default());
        let read = channel(&store, HERE);
        assert_eq!(
            (read.next_due, read.weekly_due),
            (Some(october(11, 9)), Some(october(17, 9)))
        );
        due(&store, october(17, 9));
        let next = only_digest(&store, &due(&store, october(17, 9)));
        assert_eq!(papers(&next), [arxiv(8)]);
    }

    #[test]
    fn of_round_ups_that_were_missed_the_last_one_comes_whatever_becomes_of_digests() {
        for missed in Missed::ALL {
            let store = weekly_room(missed, "0 17 * * 5");
            let now = october(14, 12);
            let mut round_ups = Vec::new();
            for _ in 0..20 {
                let published = due(&store, now);
                for (id, _) in &published.digests {
                    round_ups.extend(store.digest(id).unwrap().unwrap().week);
                }
                if published == Published::default() {
                    break;
                }
            }
            assert_eq!(round_ups, [october(10, 17)], "{missed}");
            let read = channel(&store, HERE);
            assert_eq!(
                (read.next_due, read.weekly_due),
                (Some(october(15, 9)), Some(october(17, 17))),
                "{missed}"
            );
            // Weeks later, the last of them has nothing to repeat.
            let published = all_due(&store, october(40, 12));
            assert!(published.iter().all(|(_, papers)| papers.is_empty()), "{published:?}");
            assert_eq!(channel(&store, HERE).weekly_due, Some(october(45, 17)));
        }
    }

    #[test]
    fn a_channel_of_round_ups_alone_is_awake_again_after_its_pause() {
        let store = weekly_room(Missed::Merge, "0 17 * * 5");
        let place = channel(&store, HERE).place;
        let set = |setting| {
            crate::pipeline::change(&store, &place, setting, october(9, 13))
                .unwrap()
                .unwrap()
        };
        set(crate::pipeline::Setting::Schedule(None));
        let until = Some(october(11, 0));
        let by = "1001".to_owned();
        let paused = set(crate::pipeline::Setting::Pause { until, by }).channel;
        assert_eq!(paused.due(), Some(october(17, 17)));
        assert_eq!(due(&store, october(10, 17)), Published::default());
        due(&store, october(17, 17));
        assert_eq!(channel(&store, HERE).activity, Activity::Active);
    }

    #[test]
    fn more_channels_than_a_batch_all_get_their_digest_and_then_there_is_an_end() {
        let store = ModelStore::new();
        let wanted: Vec<_> = (1..=1_001)
            .map(|n| super::super::fixture::wanted(&format!("telegram:-{n}"), settings()))
            .collect();
        configure_channels(&store, &wanted, crate::pipeline::Extent::Whole, october(9, 12)).unwrap();
        take(&store, "a", news(9, vec![paper(1, "On pruning", "")]), october(9, 20));
        let render = Counting::default();
        let mut rounds = Vec::new();
        loop {
            let published = publish_due(&store, &[topic()], &render, october(10, 9)).unwrap();
            rounds.push((published.digests.len(), published.deliveries.len()));
            if published == Published::default() {
                break;
            }
        }
        assert_eq!(rounds, [(1, BATCH), (0, BATCH), (0, 1), (0, 0)]);
        assert_eq!(render.calls.get(), 1);
    }

    #[test]
    fn a_channel_without_a_schedule_any_more_is_due_no_more() {
        let store = newsroom();
        let stale = Channel {
            settings: Settings {
                schedule: None,
                ..settings()
            },
            ..channel(&store, HERE)
        };
        store.commit(vec![Write::Channel(Box::new(stale.clone()))]).unwrap();
        let passed = vec![stale.place.clone()];
        assert_eq!(
            due(&store, october(10, 9)),
            Published {
                passed,
                ..Published::default()
            }
        );
        let rests = Channel {
            next_due: None,
            ..stale
        };
        assert_eq!((channel(&store, HERE), store.next_channel_due()), (rests, Ok(None)));
    }

    #[test]
    fn a_damaged_paper_is_left_out_and_named_and_the_rest_goes_out() {
        let whole = newsroom();
        let spoiled = Spoiled {
            whole: &whole,
            papers: vec![arxiv(3)],
            parts: Vec::new(),
        };
        let published = due(&spoiled, october(10, 9));
        assert_eq!(papers(&only_digest(&whole, &published)), [arxiv(1)]);
        assert!(published.damaged[0].to_string().contains("arxiv:2510.00003"));
        let (preview, _) = draft_of_window(&spoiled, &topic(), None).unwrap().unwrap();
        assert_eq!(papers(&preview), [arxiv(1)]);
    }

    #[test]
    fn a_preview_scores_the_windows_of_its_day_and_writes_nothing() {
        let store = newsroom();
        take(
            &store,
            "r",
            report(vec![reported("Pruning of roses", "")]),
            october(9, 21),
        );
        take(&store, "b", news(10, vec![paper(4, "Pruning", "")]), october(10, 20));
        let preview = |day: Option<&str>| {
            let day = day.map(|d| d.parse().unwrap());
            draft_of_window(&store, &topic(), day).unwrap()
        };
        let (digest, scored) = preview(Some("2025-10-09")).unwrap();
        assert_eq!(papers(&digest), [arxiv(3), arxiv(1)]);
        assert_eq!((digest.considered, digest.windows), (3, vec![window(9)]));
        assert_eq!(scored.iter().map(|(_, s)| s.points).collect::<Vec<_>>(), [15, 9, 0]);
        assert_eq!(papers(&preview(None).unwrap().0), [arxiv(4)]);
        assert_eq!(
            (preview(Some("2025-10-12")), store.digests(None, 9)),
            (None, Ok(vec![]))
        );
    }

    #[test]
    fn other_sources_days_neither_hide_a_mailing_nor_pretend_that_one_came() {
        use crate::source::{Parsed, SourceKind};
        let hugging_face = |day, papers| Parsed {
            source: SourceKind::HuggingFace,
            window: Some(Window::of_day(SourceKind::HuggingFace, october(day, 0).date_naive())),
            ..news(1, papers)
        };
        let store = newsroom();
        take(
            &store,
            "feed",
            Parsed {
                source: SourceKind::Feed,
                ..report(vec![paper(7, "Pruning feeds", "")])
            },
            october(10, 1),
        );
        take(
            &store,
            "hf9",
            hugging_face(9, vec![paper(5, "Pruning early", "")]),
            october(10, 2),
        );
        take(
            &store,
            "hf10",
            hugging_face(10, vec![paper(6, "Pruning late", "")]),
            october(10, 3),
        );
        // The latest is the mailing's day, with what came of that day elsewhere.
        let (digest, _) = draft_of_window(&store, &topic(), None).unwrap().unwrap();
        assert_eq!(digest.id.occurrence, october(9, 18));
        assert_eq!(papers(&digest), [arxiv(3), arxiv(1), arxiv(5)]);
        let (digest, _) = draft_of_window(&store, &topic(), Some("2025-10-10".parse().unwrap()))
            .unwrap()
            .unwrap();
        assert_eq!(
            (papers(&digest), digest.id.occurrence.date_naive()),
            (vec![arxiv(6)], october(10, 0).date_naive())
        );
        // A new channel begins with the mailing.
        assert_eq!(super::super::channels::latest_window_start(&store), Ok(0));
        let posted = only_digest(&store, &due(&store, october(10, 9)));
        let sources: Vec<_> = posted.windows.iter().map(|w| w.source).collect();
        assert_eq!(
            sources,
            [SourceKind::ArxivMail, SourceKind::HuggingFace, SourceKind::HuggingFace]
        );
        // Nothing came but an answer.
        take(
            &store,
            "hf10 again",
            hugging_face(10, vec![paper(6, "Pruning late", "")]),
            october(10, 12),
        );
        take(&store, "hf11", hugging_face(11, Vec::new()), october(11, 3));
        let empty = only_digest(&store, &due(&store, october(11, 9)));
        assert_eq!(empty.windows, []);
    }

    #[test]
    fn a_preview_has_the_papers_of_its_mailing_that_a_report_had_brought_before() {
        let store = ModelStore::new();
        let entry = reported("PRUNING OF ROSES IN WINTER", "");
        take(
            &store,
            "r",
            report(vec![entry, reported("On the KV cache", "")]),
            october(9, 19),
        );
        take(
            &store,
            "a",
            news(9, vec![paper(1, "Pruning of Roses in Winter", "")]),
            october(9, 20),
        );
        let (digest, _) = draft_of_window(&store, &topic(), None).unwrap().unwrap();
        assert_eq!(papers(&digest), [arxiv(1)]);
    }

    /// What happens to a newsroom.
    #[derive(Debug, Clone)]
    enum Step {
        /// A mailing with papers of these numbers; the even ones match.
        Mailing(Vec<u64>),
        /// A report on some of the papers that match.
        Report(Vec<u64>),
        /// Hours pass, and what is due is published.
        Wait(i64),
        /// Somebody asks for a digest now.
        Post,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            3 => prop::collection::vec(1_u64..30, 0..6).prop_map(Step::Mailing),
            1 => prop::collection::vec(1_u64..15, 1..3).prop_map(|n| Step::Report(n.into_iter().map(|n| 2 * n).collect())),
            3 => (1_i64..60).prop_map(Step::Wait),
            1 => Just(Step::Post),
        ]
    }

    /// Titles that no two papers share much of.
    fn invented(number: u64) -> Paper {
        let word = crate::text::hash64(&[&number.to_string()]);
        let title = if number.is_multiple_of(2) {
            format!("Pruning {word:016x}")
        } else {
            format!("Weather {word:016x}")
        };
        paper(number, &title, "It helps.")
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(96))]

        #[test]
        fn every_paper_that_matches_is_in_exactly_one_digest_of_a_channel(
            steps in prop::collection::vec(step(), 1..14),
        ) {
            let store = ModelStore::new();
            let places = [HERE, "discord:100000000000000001"];
            let keyed = Settings {
                subjects: Subjects::new([], ["pruning".to_owned()]),
                when_empty: WhenEmpty::Silent,
                ..settings()
            };
            add_channel(&store, places[0], settings(), october(1, 0));
            add_channel(&store, places[1], keyed, october(1, 0));
            let (mut now, mut came) = (october(1, 0), std::collections::BTreeSet::new());
            for (n, step) in (2_i64..).zip(steps.into_iter().chain([Step::Wait(25)])) {
                match step {
                    Step::Mailing(numbers) => {
                        came.extend(numbers.iter().copied().filter(|n| n.is_multiple_of(2)));
                        take(&store, &n.to_string(), news(n, numbers.into_iter().map(invented).collect()), now);
                    }
                    Step::Report(numbers) => {
                        came.extend(numbers.iter().copied());
                        let entries = numbers.into_iter().map(|n| reported(&invented(n).title().to_uppercase(), "It helps."));
                        take(&store, &n.to_string(), report(entries.collect()), now);
                    }
                    Step::Wait(hours) => {
                        now += TimeDelta::hours(hours);
                        due(&store, now);
                    }
                    Step::Post => {
                        now += TimeDelta::minutes(1);
                        publish_now(&store, &[topic()], &Counting::default(), store.channels().unwrap(), now).unwrap();
                    }
                }
            }
            for place in places {
                let mut seen: BTreeMap<String, u32> = BTreeMap::new();
                let all = store.deliveries(&place.parse().unwrap(), None, 999).unwrap();
                for delivery in all.iter().filter(|delivery| !delivery.id.is_correction()) {
                    for entry in store.digest(&delivery.id.digest).unwrap().unwrap().entries {
                        *seen.entry(crate::text::key(&entry.title)).or_default() += 1;
                    }
                }
                let expected = came.iter().map(|&n| (crate::text::key(invented(n).title()), 1)).collect();
                prop_assert_eq!(seen, expected, "{}", place);
            }
        }
    }

    #[test]
    fn two_digests_on_request_within_one_second_keep_their_order() {
        let store = newsroom();
        let now = october(10, 7);
        let post = || {
            let reader = vec![channel(&store, HERE)];
            let published = publish_now(&store, &[topic()], &Counting::default(), reader, now).unwrap();
            published.deliveries[0].clone()
        };
        let (first, second) = (post(), post());
        assert!(first.digest < second.digest, "{first} {second}");
        let latest = store.deliveries(&first.place, None, 2).unwrap();
        assert_eq!(latest.into_iter().map(|d| d.id).collect::<Vec<_>>(), [second, first]);
    }
}
