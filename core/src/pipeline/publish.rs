//! Publishing: digest, rendered parts, deliveries and the channels' new positions in one commit. Channels with the same
//! subjects, the same position and the same occurrence share one digest, and those that show it alike share its parts.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

use super::readable;
use crate::channel::{Activity, Channel, Place, Seq, Style, WhenEmpty};
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
            let digest = draft(store, topics, id, first, &mut published.damaged)?;
            writes.push(Write::Digest(Box::new(digest.clone())));
            published.digests.push((id, digest.entries.len()));
            digest
        }
    };
    let mut parts_of: HashMap<RenderingId, u32> = HashMap::new();
    for channel in channels {
        let settings = &channel.settings;
        let silent = digest.entries.is_empty() && settings.when_empty == WhenEmpty::Silent;
        let delivery = DeliveryId::post(channel.place.clone(), id);
        if silent {
            published.silent.push(channel.place.clone());
        } else if store.delivery(&delivery)?.is_none() {
            let rendering = RenderingId {
                digest: id,
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
                    let message = view.message(&digest, &|id| abstract_of(store, id));
                    let parts = match rendering.style {
                        Style::Titles | Style::Compact | Style::Full => render.render(rendering.platform, &message),
                        Style::Rich => render.render_rich(rendering.platform, &message),
                    };
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
        Activity::Paused { .. } | Activity::Absent { .. } => channel.next_due,
    };
    let cursor = upto.unwrap_or(channel.cursor).max(channel.cursor);
    Channel {
        last_fired,
        next_due,
        cursor,
        ..channel
    }
}

/// What the subjects of `channel` bring of everything after its position.
fn draft(
    store: &dyn Store,
    topics: &[Topic],
    id: DigestId,
    channel: &Channel,
    damaged: &mut Vec<StoreError>,
) -> Result<Digest> {
    let (subjects, since) = (&channel.settings.subjects, channel.cursor);
    let upto = store.head()?;
    let first = since.max(upto.saturating_sub(u64::try_from(MOST_PAPERS).unwrap_or(u64::MAX)));
    let records = store.intake(first, upto, MOST_PAPERS)?;
    let last = channel.last_fired.unwrap_or(channel.added_at);
    let windows = windows_between(store, since, upto, last)?;
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

/// The windows that brought what lies between two positions. One that brought nothing new has a position too; where that
/// is the first one itself, it counts if it came after the last digest.
fn windows_between(store: &dyn Store, since: Seq, upto: Seq, last: DateTime<Utc>) -> Result<Vec<Window>> {
    let mut windows: Vec<Window> = store
        .windows()?
        .into_iter()
        .filter(|w| {
            if w.upto > w.since {
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
    // It is dated as its papers are, whenever it is looked at.
    let occurrence = of_day.iter().map(|w| w.window.to).max().unwrap_or_default();
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
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::super::configure_channels;
    use super::super::fixture::{
        Counting, Spoiled, add_channel, arxiv, back, channel, claims, mailing, news, october, paper, report, reported,
        sent, settings, take, topic, window,
    };
    use super::*;
    use crate::channel::Settings;
    use crate::delivery::State;
    use crate::locale::Lang;
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
                news(day, vec![paper(id, "Pruning", "")]),
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
        assert_eq!(due(&store, october(10, 9)), Published::default());
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
        paper(number, &title, "")
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
                        let entries = numbers.into_iter().map(|n| reported(&invented(n).title().to_uppercase(), ""));
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
