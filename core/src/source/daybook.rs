//! What came in without a window of its own, by source and day (in UTC): feeds, files of lines, reports. A feed that is asked
//! every hour has one record a day, and a day on which it was not fetched shows as one without an answer.
//!
//! The records stand beside the windows, not among them: they cover no interval, so nobody who looks for gaps, or for the
//! windows of a digest, has to tell them apart.

use std::collections::BTreeSet;

use chrono::{DateTime, Days, NaiveDate, TimeDelta, Timelike as _, Utc};
use serde::{Deserialize, Serialize};

use super::SourceKind;
use crate::store::{MemoSpace, Result, Store, StoreError, Write};
use crate::text;

/// How long a day is kept.
pub const KEPT: TimeDelta = TimeDelta::days(90);

/// One source's day.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Day {
    /// The source's name in the configuration (`feed:news.example/rss`); its kind's for files that were handed in.
    pub source: String,
    /// The day, in UTC.
    pub day: NaiveDate,
    /// In which minutes of the day, from 0, something came, or the answer was that nothing has changed.
    pub answered: BTreeSet<u16>,
    /// In which minutes asking failed.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub failed: BTreeSet<u16>,
    /// The most papers that one answer had.
    pub items: u32,
    /// How many papers were new.
    pub new: u32,
    /// If nothing that was listed before a day without an answer was listed on this one: when it had answered before. What
    /// came and went between was never seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turned_over: Option<DateTime<Utc>>,
}

/// What happened on a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// Papers came.
    Came {
        /// How many there were.
        items: u32,
        /// How many of them were new.
        new: u32,
    },
    /// It answered, and nothing had changed.
    Unchanged,
    /// It did not answer as it should.
    Failed,
    /// Nothing was listed that had been listed at that time.
    TurnedOver(DateTime<Utc>),
}

#[derive(Serialize, Deserialize)]
struct DayV1 {
    v: u8,
    #[serde(flatten)]
    day: Day,
}

impl Day {
    /// Adds what happened at `at`. In whatever order events are added, the day is the same; one that is added once more, as
    /// after a crash, changes nothing, since papers are new once.
    fn add(&mut self, event: Event, at: DateTime<Utc>) {
        let minute = u16::try_from(at.hour() * 60 + at.minute()).unwrap_or(0);
        match event {
            Event::Came { items, new } => {
                self.answered.insert(minute);
                self.items = self.items.max(items);
                self.new = self.new.saturating_add(new);
            }
            Event::Unchanged => {
                self.answered.insert(minute);
            }
            Event::Failed => {
                self.failed.insert(minute);
            }
            Event::TurnedOver(since) => {
                let earlier = self.turned_over.map_or(since, |known| known.min(since));
                self.turned_over = Some(earlier);
            }
        }
    }

    /// When it was asked first and last on that day.
    pub fn asked(&self) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
        let all = || self.answered.iter().chain(&self.failed);
        let at =
            |minute: &u16| self.day.and_time(chrono::NaiveTime::MIN).and_utc() + TimeDelta::minutes((*minute).into());
        all().min().map(at).zip(all().max().map(at))
    }
}

fn key(source: &str, day: NaiveDate) -> String {
    text::short_key(format!("{day} {source}"))
}

/// Whose day an intake without a window is part of: the source that asks by itself, which gives its own name to what it brings,
/// else the kind of the file.
pub fn source_of(kind: SourceKind, name: &str) -> &str {
    let of_source = name.strip_prefix(kind.name()).is_some_and(|rest| rest.starts_with(':'));
    if of_source { name } else { kind.name() }
}

/// The source's day with these events at `now`.
///
/// # Errors
/// Only when the store fails.
pub fn note(store: &dyn Store, source: &str, events: &[Event], now: DateTime<Utc>) -> Result<Write> {
    let (space, date) = (MemoSpace::Day, now.date_naive());
    let key = key(source, date);
    let known = match store.memo(space, &key) {
        // One that cannot be read is begun anew.
        Err(StoreError::Damaged { .. }) => None,
        read => read?,
    };
    let mut day = known.and_then(|text| read(&text)).unwrap_or_else(|| Day {
        source: source.to_owned(),
        day: date,
        ..Day::default()
    });
    events.iter().for_each(|event| day.add(*event, now));
    let value = serde_json::to_string(&DayV1 { v: 1, day }).ok();
    Ok(Write::Memo { space, key, value })
}

fn read(text: &str) -> Option<Day> {
    let stored = serde_json::from_str::<DayV1>(text).ok();
    stored.filter(|stored| stored.v == 1).map(|stored| stored.day)
}

/// All days from `since` on, by day and source.
///
/// # Errors
/// Only when the store fails.
pub fn since(store: &dyn Store, since: NaiveDate) -> Result<Vec<Day>> {
    let days = store.memos(MemoSpace::Day, Some(&since.to_string()), usize::MAX)?;
    Ok(days.iter().filter_map(|(_, text)| read(text)).collect())
}

/// The whole days between two answers, the first and the last of them, if there are any.
pub fn between(answered: DateTime<Utc>, now: DateTime<Utc>) -> Option<(NaiveDate, NaiveDate)> {
    let first = answered.date_naive().succ_opt()?;
    let last = now.date_naive().pred_opt()?;
    (first <= last).then_some((first, last))
}

/// When a source that has answered at `now`, with nothing of what it listed before, had answered before, if papers may be lost.
/// Without a whole day in between, whoever lists a day's papers and no others has lost none.
pub fn lost_since(answered: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    answered.filter(|answered| between(*answered, now).is_some())
}

/// The stretches of days from `from` to `to`, both included, on which none of these days of one source has an answer.
pub fn unanswered(days: &[&Day], from: NaiveDate, to: NaiveDate) -> Vec<(NaiveDate, NaiveDate)> {
    let answered = |day: NaiveDate| days.iter().any(|known| known.day == day && !known.answered.is_empty());
    let mut stretches: Vec<(NaiveDate, NaiveDate)> = Vec::new();
    for day in from
        .iter_days()
        .take_while(|day| *day <= to)
        .filter(|day| !answered(*day))
    {
        match stretches.last_mut().filter(|(_, last)| last.succ_opt() == Some(day)) {
            Some((_, last)) => *last = day,
            None => stretches.push((day, day)),
        }
    }
    stretches
}

/// Forgets up to `limit` of the days that are older than [`KEPT`], the oldest first. Returns how many those were.
///
/// # Errors
/// Only when the store fails.
pub fn forget(store: &dyn Store, limit: usize, now: DateTime<Utc>) -> Result<usize> {
    let kept = u64::try_from(KEPT.num_days()).unwrap_or(u64::MAX);
    let Some(oldest) = now.date_naive().checked_sub_days(Days::new(kept)) else {
        return Ok(0);
    };
    let oldest = oldest.to_string();
    let (space, value) = (MemoSpace::Day, None);
    let old = store.memos(space, None, limit)?.into_iter().map(|(key, _)| key);
    let old = old.take_while(|key| *key < oldest);
    let writes: Vec<Write> = old
        .map(|key| Write::Memo {
            space,
            key,
            value: value.clone(),
        })
        .collect();
    let count = writes.len();
    if count > 0 {
        store.commit(writes)?;
    }
    Ok(count)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::store::ModelStore;

    fn utc(text: &str) -> DateTime<Utc> {
        format!("{text}:00Z").parse().unwrap()
    }

    fn put(store: &ModelStore, source: &str, event: Event, at: DateTime<Utc>) {
        let write = note(store, source, &[event], at).unwrap();
        store.commit(vec![write]).unwrap();
    }

    #[test]
    fn a_feed_that_is_asked_every_hour_has_one_record_a_day_and_old_ones_go() {
        let store = ModelStore::new();
        let (start, source) = (utc("2025-10-08T00:10"), "feed:news.example/rss");
        for hour in 0..48 {
            put(&store, source, Event::Unchanged, start + TimeDelta::hours(hour));
        }
        put(&store, source, Event::Failed, utc("2025-10-09T23:50"));
        put(
            &store,
            source,
            Event::Came { items: 20, new: 3 },
            utc("2025-10-09T23:55"),
        );
        put(
            &store,
            "jsonl",
            Event::Came { items: 7, new: 7 },
            utc("2025-10-09T12:00"),
        );
        let days = since(&store, "2025-10-09".parse().unwrap()).unwrap();
        let told: Vec<_> = days
            .iter()
            .map(|day| {
                (
                    day.source.as_str(),
                    day.answered.len(),
                    day.failed.len(),
                    day.items,
                    day.new,
                )
            })
            .collect();
        assert_eq!(told, [(source, 25, 1, 20, 3), ("jsonl", 1, 0, 7, 7)]);
        assert_eq!(
            days[0].asked(),
            Some((utc("2025-10-09T00:10"), utc("2025-10-09T23:55")))
        );
        assert_eq!(forget(&store, 9, utc("2026-01-06T23:59")), Ok(0));
        assert_eq!(forget(&store, 9, utc("2026-01-07T00:00")), Ok(1));
        assert_eq!(forget(&store, 9, utc("2026-01-08T00:00")), Ok(2));
    }

    #[test]
    fn what_a_source_brings_is_its_own_and_what_is_handed_in_its_kinds() {
        assert_eq!(source_of(SourceKind::Feed, "feed:a.example/rss"), "feed:a.example/rss");
        assert_eq!(source_of(SourceKind::Jsonl, "papers.jsonl"), "jsonl");
        assert_eq!(source_of(SourceKind::Jsonl, "jsonl.txt"), "jsonl");
        assert_eq!(source_of(SourceKind::Report, "report.md"), "report");
    }

    #[test]
    fn only_a_whole_day_without_an_answer_was_missed() {
        let day = |text: &str| text.parse::<NaiveDate>().unwrap();
        assert_eq!(between(utc("2025-10-08T00:00"), utc("2025-10-09T23:59")), None);
        assert_eq!(
            between(utc("2025-10-08T23:59"), utc("2025-10-11T00:00")),
            Some((day("2025-10-09"), day("2025-10-10")))
        );
        let before = Some(utc("2025-10-08T00:00"));
        assert_eq!(lost_since(before, utc("2025-10-09T23:59")), None);
        assert_eq!(lost_since(before, utc("2025-10-10T00:00")), before);
        assert_eq!(lost_since(None, utc("2025-10-10T00:00")), None);
    }

    fn event() -> impl Strategy<Value = (Event, i64)> {
        let event = prop_oneof![
            (0_u32..30).prop_map(|items| Event::Came { items, new: 0 }),
            Just(Event::Unchanged),
            Just(Event::Failed),
            (0_i64..9).prop_map(|days| Event::TurnedOver(DateTime::UNIX_EPOCH + TimeDelta::days(days))),
        ];
        (event, 0_i64..72 * 60)
    }

    proptest! {
        #[test]
        fn events_make_the_same_days_in_any_order_and_however_often_one_is_told(
            events in prop::collection::vec(event(), 1..20),
            shuffle in any::<prop::sample::Index>(),
            again in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
        ) {
            let start = utc("2025-10-08T00:00");
            let told = |events: &[(Event, i64)]| {
                let store = ModelStore::new();
                for (event, minute) in events {
                    put(&store, "feed:a", *event, start + TimeDelta::minutes(*minute));
                }
                since(&store, start.date_naive()).unwrap()
            };
            let mut other = events.clone();
            other.rotate_left(shuffle.index(events.len()));
            other.reverse();
            other.extend(again.iter().map(|at| *at.get(&events)));
            let days = told(&events);
            prop_assert_eq!(&days, &told(&other));
            prop_assert!(days.len() <= 3);
            let all: Vec<&Day> = days.iter().collect();
            let last = start.date_naive() + Days::new(2);
            let missed: u64 = unanswered(&all, start.date_naive(), last)
                .into_iter()
                .map(|(from, to)| u64::try_from((to - from).num_days()).unwrap() + 1)
                .sum();
            let answered = days.iter().filter(|day| !day.answered.is_empty()).count();
            prop_assert_eq!(missed, 3 - answered as u64);
        }
    }
}
