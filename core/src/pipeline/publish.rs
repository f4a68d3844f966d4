//! Publishing: digest, rendered parts, deliveries and the channels' new positions in one commit. Channels with the same
//! subjects, the same position and the same occurrence share one digest, and those that show it alike share its parts.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

use crate::channel::{Activity, Channel, Place, Seq, WhenEmpty};
use crate::delivery::{Delivery, DeliveryId};
use crate::digest::{Candidate, Digest, DigestId, Draft, RenderingId, View, compose};
use crate::message::Render;
use crate::paper::PaperId;
use crate::source::Window;
use crate::store::{IntakeRecord, Result, Store, StoreError, Write};
use crate::subscription::{KeywordMatcher, Subjects};
use crate::topic::{Matcher, Score, Topic, Verdict};

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
    /// Papers that were left out, since their record cannot be read.
    pub damaged: Vec<StoreError>,
}

/// Publishes for the channels that are due at `now`. What was missed in between becomes one digest at the latest missed
/// occurrence. Call it until it publishes nothing.
///
/// # Errors
/// Only when the store fails.
pub fn publish_due(store: &dyn Store, topics: &[Topic], render: &dyn Render, now: DateTime<Utc>) -> Result<Published> {
    let mut targets = Vec::new();
    for channel in store.channels_due(now, BATCH)? {
        let after = channel.last_fired.unwrap_or(channel.added_at);
        let zone = channel.settings.timezone;
        let occurrence = channel
            .settings
            .schedule
            .as_ref()
            .and_then(|s| s.latest_due(zone, after, now))
            // The schedule may have changed since `next_due` was computed; then nothing was missed.
            .filter(|at| channel.last_fired.is_none_or(|last| *at > last));
        targets.push((channel, occurrence));
    }
    publish(store, topics, render, targets, now)
}

/// Publishes for these channels as if their occurrence were now.
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
            let next = channel.last_fired.map(|last| last + TimeDelta::seconds(1));
            let at = next.map_or(now, |next| next.max(now));
            (channel, Some(at))
        })
        .collect();
    publish(store, topics, render, targets, now)
}

fn publish(
    store: &dyn Store,
    topics: &[Topic],
    render: &dyn Render,
    targets: Vec<(Channel, Option<DateTime<Utc>>)>,
    now: DateTime<Utc>,
) -> Result<Published> {
    let mut published = Published::default();
    let mut groups: HashMap<DigestId, Vec<Channel>> = HashMap::new();
    for (channel, occurrence) in targets {
        match occurrence {
            Some(at) => {
                let id = DigestId::new(&channel.settings.subjects, channel.cursor, at);
                groups.entry(id).or_default().push(channel);
            }
            None => store.commit(vec![Write::Channel(Box::new(fired(channel, None, None, now)))])?,
        }
    }
    let mut groups: Vec<(DigestId, Vec<Channel>)> = groups.into_iter().collect();
    groups.sort_by_key(|(id, _)| *id);
    for (id, channels) in groups {
        publish_group(store, topics, render, id, channels, now, &mut published)?;
    }
    Ok(published)
}

fn publish_group(
    store: &dyn Store,
    topics: &[Topic],
    render: &dyn Render,
    id: DigestId,
    channels: Vec<Channel>,
    now: DateTime<Utc>,
    published: &mut Published,
) -> Result<()> {
    let Some(first) = channels.first() else { return Ok(()) };
    let mut writes = Vec::new();
    // A digest is immutable: what a crash left is taken as it is.
    let digest = match store.digest(&id)? {
        Some(digest) => digest,
        None => {
            let digest = draft(
                store,
                topics,
                id,
                &first.settings.subjects,
                first.cursor,
                &mut published.damaged,
            )?;
            writes.push(Write::Digest(Box::new(digest.clone())));
            published.digests.push((id, digest.entries.len()));
            digest
        }
    };
    let mut parts_of: HashMap<RenderingId, u32> = HashMap::new();
    for channel in channels {
        let settings = &channel.settings;
        let silent = digest.entries.is_empty() && settings.when_empty == WhenEmpty::Silent;
        let delivery = DeliveryId {
            place: channel.place.clone(),
            digest: id,
        };
        if silent {
            published.silent.push(channel.place.clone());
        } else if store.delivery(&delivery)?.is_none() {
            let rendering = RenderingId {
                digest: id,
                platform: channel.place.platform(),
                lang: settings.language,
                style: settings.style,
                zone: settings.timezone,
            };
            let parts = match parts_of.get(&rendering) {
                Some(parts) => *parts,
                None => {
                    let view = View {
                        lang: rendering.lang,
                        zone: rendering.zone,
                        style: rendering.style,
                        topics,
                    };
                    let message = view.message(&digest, &|id| abstract_of(store, id));
                    let parts = render.render(rendering.platform, &message);
                    let count = u32::try_from(parts.len()).unwrap_or(u32::MAX);
                    writes.push(Write::Rendering {
                        id: rendering.clone(),
                        parts,
                    });
                    parts_of.insert(rendering.clone(), count);
                    count
                }
            };
            writes.push(Write::Delivery(Box::new(Delivery::new(
                delivery.clone(),
                rendering,
                parts,
                now,
            ))));
            published.deliveries.push(delivery);
        }
        writes.push(Write::Channel(Box::new(fired(
            channel,
            Some(id.occurrence),
            Some(digest.upto),
            now,
        ))));
    }
    store.commit(writes)
}

fn abstract_of(store: &dyn Store, id: &PaperId) -> Option<String> {
    store
        .paper(id)
        .ok()
        .flatten()
        .map(|paper| paper.abstract_text().to_owned())
}

/// The channel after an occurrence: further on in the order of intake, and due again later than now.
fn fired(channel: Channel, at: Option<DateTime<Utc>>, upto: Option<Seq>, now: DateTime<Utc>) -> Channel {
    let last_fired = at.max(channel.last_fired);
    let next_due = match &channel.activity {
        Activity::Active => {
            let after = last_fired.unwrap_or(now).max(now);
            channel
                .settings
                .schedule
                .as_ref()
                .and_then(|s| s.next_after(channel.settings.timezone, after))
        }
        Activity::Paused { .. } => channel.next_due,
    };
    let cursor = upto.unwrap_or(channel.cursor).max(channel.cursor);
    Channel {
        last_fired,
        next_due,
        cursor,
        ..channel
    }
}

/// What `subjects` bring of everything after `since`.
fn draft(
    store: &dyn Store,
    topics: &[Topic],
    id: DigestId,
    subjects: &Subjects,
    since: Seq,
    damaged: &mut Vec<StoreError>,
) -> Result<Digest> {
    let upto = store.head()?;
    let first = since.max(upto.saturating_sub(u64::try_from(MOST_PAPERS).unwrap_or(u64::MAX)));
    let records = store.intake(first, upto, MOST_PAPERS)?;
    let windows = windows_between(store, since, upto)?;
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
        if scores.is_empty() && subjects.keywords.is_empty() {
            continue;
        }
        match store.paper(&record.paper) {
            Ok(Some(paper)) => {
                let keywords = keywords.find(&paper);
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
    let considered = count(records.len());
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

/// The windows that brought what lies between two positions. One that brought nothing new counts as long as it lies
/// at the end, where nothing else came after it.
fn windows_between(store: &dyn Store, since: Seq, upto: Seq) -> Result<Vec<Window>> {
    let mut windows: Vec<Window> = store
        .windows()?
        .into_iter()
        .filter(|w| {
            if w.upto > w.since {
                w.upto > since && w.since < upto
            } else {
                w.since > since && w.since <= upto
            }
        })
        .map(|w| w.window)
        .collect();
    windows.sort_by_key(|w| (w.to, w.from, w.source));
    Ok(windows)
}

/// A candidate with its score.
pub type Scored = (IntakeRecord, Score);

/// The digest of one topic over the windows that end on `day` (in UTC), or over the latest one; nothing is written.
/// Every candidate of those windows is scored anew; the second value is the scores of all of them, best first, for an
/// explanation. `None` when the ledger has no such window.
///
/// # Errors
/// Only when the store fails.
pub fn draft_of_window(
    store: &dyn Store,
    topic: &Topic,
    day: Option<NaiveDate>,
    now: DateTime<Utc>,
) -> Result<Option<(Digest, Vec<Scored>)>> {
    let ledger = store.windows()?;
    let day = match day.or_else(|| ledger.iter().map(|w| w.window.to.date_naive()).max()) {
        Some(day) => day,
        None => return Ok(None),
    };
    let of_day: Vec<_> = ledger.into_iter().filter(|w| w.window.to.date_naive() == day).collect();
    if of_day.is_empty() {
        return Ok(None);
    }
    let since = of_day.iter().map(|w| w.since).min().unwrap_or(0);
    let upto = of_day.iter().map(|w| w.upto).max().unwrap_or(0);
    let matcher = Matcher::new(std::slice::from_ref(topic));
    let mut explained = Vec::new();
    let mut candidates = Vec::new();
    for record in store.intake(since, upto, MOST_PAPERS)? {
        let inside = record
            .window
            .is_some_and(|w| of_day.iter().any(|known| known.window == w));
        let Some(paper) = (if inside { store.paper(&record.paper)? } else { None }) else {
            continue;
        };
        let scores = matcher.score(&paper);
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
    explained.sort_by(|(a, x), (b, y)| y.points.cmp(&x.points).then(a.seq.cmp(&b.seq)));
    let subjects = Subjects {
        topics: vec![topic.id.clone()],
        keywords: Vec::new(),
    };
    let whole = now - TimeDelta::nanoseconds(i64::from(now.timestamp_subsec_nanos()));
    let draft = Draft {
        id: DigestId::new(&subjects, since, whole),
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
    use super::*;
    use crate::channel::{Platform, Settings, Style};
    use crate::locale::Lang;
    use crate::message::{Message, Part};
    use crate::store::ModelStore;

    struct Blank;

    impl Render for Blank {
        fn render(&self, _: Platform, _: &Message) -> Vec<Part> {
            vec![Part { payload: "{}".into() }]
        }
    }

    #[test]
    fn two_digests_on_request_within_one_second_keep_their_order() {
        let store = ModelStore::new();
        let now = DateTime::<Utc>::UNIX_EPOCH;
        let place = Place::telegram(-1, None);
        let settings = Settings {
            subjects: Subjects::default(),
            schedule: None,
            timezone: chrono_tz::UTC,
            language: Lang::En,
            when_empty: WhenEmpty::Say,
            style: Style::Compact,
        };
        let wanted = crate::pipeline::Wanted {
            place: place.clone(),
            settings,
        };
        crate::pipeline::configure_channels(&store, &[wanted], now).unwrap();
        let post = || {
            let published = publish_now(&store, &[], &Blank, store.channels().unwrap(), now).unwrap();
            published.deliveries[0].digest
        };
        let (first, second) = (post(), post());
        assert!(first < second, "{first} {second}");
        let latest = store.deliveries(&place, None, 2).unwrap();
        assert_eq!(latest.iter().map(|d| d.id.digest).collect::<Vec<_>>(), [second, first]);
    }
}
