//! Asking one address again and again without being a nuisance: conditional requests, permanent moves, an end, a pace.

use std::collections::BTreeSet;

use chrono::{DateTime, Datelike as _, TimeDelta, Timelike as _, Utc, Weekday};
use serde::{Deserialize, Serialize};
use url::Url;

use super::request::{Body, Fetched, Next, Request, Taken};
use super::{Item, Parsed, SourceError};
use crate::text;

/// The shortest time between two requests.
const LEAST: TimeDelta = TimeDelta::minutes(15);
/// The longest.
const MOST: TimeDelta = TimeDelta::hours(24);
/// Where the source says nothing.
const USUAL: TimeDelta = TimeDelta::hours(1);
/// So many items at either end of an answer are remembered: what is newest stands first or last.
const ENDS: usize = 25;

/// How often the source wants to be asked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Pace {
    /// `ttl`, `sy:updatePeriod`.
    pub(super) interval: Option<TimeDelta>,
    /// Hours (0 to 23, GMT) in which it is not asked (RSS 2.0, `skipHours`).
    pub(super) skip_hours: BTreeSet<u32>,
    /// Days on which it is not asked (RSS 2.0, `skipDays`).
    pub(super) skip_days: BTreeSet<u32>,
}

impl Pace {
    pub(super) fn skip_day(&mut self, name: &str) {
        if let Ok(day) = name.trim().parse::<Weekday>() {
            self.skip_days.insert(day.num_days_from_monday());
        }
    }

    fn after(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        let mut due = now + self.interval.unwrap_or(USUAL).clamp(LEAST, MOST);
        let skipped = |at: DateTime<Utc>| {
            self.skip_hours.contains(&at.hour()) || self.skip_days.contains(&at.weekday().num_days_from_monday())
        };
        // Who skips every hour of every day is asked once a day all the same.
        for _ in 0..24 * 7 {
            if !skipped(due) {
                return due;
            }
            due += TimeDelta::hours(1);
        }
        now + MOST
    }
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Memory {
    v: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    moved_to: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    etag: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last_modified: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    due: Option<DateTime<Utc>>,
    #[serde(default)]
    failures: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ended: Option<String>,
    /// What stood at the ends of the last answer that listed anything, hashed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    ends: Vec<u64>,
}

/// An address as people may read it in names, logs and failures: host, port and path. Feeds carry their readers' names,
/// passwords and keys before the host and in the query; eight digits of the whole address's hash stand for them, so that two
/// feeds that differ in nothing else are still two.
pub(super) fn shown(address: &str) -> String {
    let hash = || format!("#{:08x}", text::hash64(&[address]) >> 32);
    let Ok(url) = Url::parse(address.trim()) else {
        return hash();
    };
    let Some(host) = url.host_str() else {
        return hash();
    };
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    let secret = !url.username().is_empty() || url.password().is_some() || url.query().is_some();
    let hash = if secret { hash() } else { String::new() };
    format!("{host}{port}{}{hash}", url.path())
}

/// Where an answer's relative links begin: they lead people on, and nobody is to log in as the feed's reader.
fn base(address: &str) -> String {
    let Ok(mut url) = Url::parse(address) else {
        return String::new();
    };
    // Only an address that cannot have them refuses.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_query(None);
    url.set_fragment(None);
    url.into()
}

/// One address that is asked again and again.
#[derive(Clone)]
pub(super) struct Polled {
    address: String,
    memory: Memory,
    turned_over: bool,
}

impl std::fmt::Debug for Polled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Polled").field(&shown(self.address())).finish()
    }
}

impl Polled {
    /// `memory` is what [`Self::memory`] gave; what cannot be read is as if there were none.
    pub(super) fn new(address: &str, memory: Option<&str>) -> Self {
        let read = memory.and_then(|memory| serde_json::from_str::<Memory>(memory).ok());
        let memory = read.filter(|memory| memory.v == 1).unwrap_or_else(|| Memory {
            v: 1,
            ..Memory::default()
        });
        Self {
            address: address.to_owned(),
            memory,
            turned_over: false,
        }
    }

    /// Where it is asked now.
    pub(super) fn address(&self) -> &str {
        self.memory.moved_to.as_deref().unwrap_or(&self.address)
    }

    pub(super) fn memory(&self) -> Option<String> {
        serde_json::to_string(&self.memory).ok()
    }

    /// [`Source::turned_over`](super::request::Source::turned_over).
    pub(super) fn turned_over(&self) -> bool {
        self.turned_over
    }

    pub(super) fn next(&self, now: DateTime<Utc>) -> Next {
        if let Some(ended) = &self.memory.ended {
            return Next::Ended(ended.clone());
        }
        match self.memory.due.filter(|due| *due > now) {
            // A clock that was set back does not silence a source for longer than its longest pause.
            Some(due) => Next::Wait(due.min(now + MOST)),
            None => Next::Fetch(Request {
                url: self.address().to_owned(),
                etag: self.memory.etag.clone(),
                last_modified: self.memory.last_modified.clone(),
            }),
        }
    }

    /// Takes an answer; `parse` reads a body, given where its relative links begin.
    pub(super) fn take(
        &mut self,
        fetched: Fetched,
        now: DateTime<Utc>,
        parse: impl FnOnce(&Body, &str) -> Result<(Parsed, Pace), SourceError>,
    ) -> Taken {
        let address = shown(self.address());
        self.turned_over = false;
        match fetched {
            Fetched::Body(body) => match parse(&body, &base(self.address())) {
                Ok((parsed, pace)) => self.read(body, parsed, &pace, now),
                Err(error) => {
                    let due = self.back_off(now, LEAST);
                    Taken::Failed(format!(
                        "{address} cannot be read: {error}; it is tried again at {}",
                        clock(due)
                    ))
                }
            },
            Fetched::Unchanged => {
                self.memory.failures = 0;
                self.memory.due = Some(Pace::default().after(now));
                Taken::Nothing
            }
            Fetched::Gone => {
                let why = format!("{address} is gone for good (410); take it out of the configuration");
                self.memory.ended = Some(why.clone());
                Taken::Failed(why)
            }
            Fetched::Later { retry_after } => {
                let asked = retry_after.and_then(|after| TimeDelta::from_std(after).ok());
                let due = match asked {
                    Some(asked) => {
                        self.memory.failures = self.memory.failures.saturating_add(1);
                        let due = now + asked.clamp(LEAST, MOST);
                        self.memory.due = Some(due);
                        due
                    }
                    None => self.back_off(now, LEAST),
                };
                Taken::Failed(format!(
                    "{address} asks to come later; it is asked again at {}",
                    clock(due)
                ))
            }
            Fetched::Failed { reason, transient } => {
                let due = self.back_off(now, if transient { LEAST } else { TimeDelta::hours(6) });
                Taken::Failed(format!(
                    "{address} cannot be fetched: {reason}; it is tried again at {}",
                    clock(due)
                ))
            }
        }
    }

    fn read(&mut self, body: Body, parsed: Parsed, pace: &Pace, now: DateTime<Utc>) -> Taken {
        if let Some(moved) = body
            .moved_to
            .filter(|to| to.starts_with("https://") || to.starts_with("http://"))
        {
            self.memory.moved_to = (moved != self.address).then_some(moved);
        }
        self.memory.etag = body.etag;
        self.memory.last_modified = body.last_modified;
        self.memory.failures = 0;
        self.memory.due = Some(pace.after(now));
        let hash = |item: &Item| text::hash64(&[&item.paper.id.to_string()]);
        let listed: Vec<u64> = parsed.items.iter().map(hash).collect();
        // Of one that has listed nothing yet, or before this was remembered, nobody knows.
        let known = &self.memory.ends;
        self.turned_over = !known.is_empty() && !known.iter().any(|known| listed.contains(known));
        if !listed.is_empty() {
            let last = listed.len().saturating_sub(ENDS).max(ENDS);
            let ends = listed.iter().take(ENDS).chain(listed.iter().skip(last));
            self.memory.ends = ends.copied().collect();
        }
        if parsed.items.is_empty() && parsed.rejected.is_empty() {
            return Taken::Nothing;
        }
        Taken::Whole {
            parsed,
            name: shown(self.address()),
            bytes: body.bytes,
        }
    }

    /// Twice as long after every failure, up to a day.
    fn back_off(&mut self, now: DateTime<Utc>, first: TimeDelta) -> DateTime<Utc> {
        let doubled = 1_i32 << self.memory.failures.min(8);
        self.memory.failures = self.memory.failures.saturating_add(1);
        let due = now + (first * doubled).min(MOST);
        self.memory.due = Some(due);
        due
    }
}

fn clock(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M UTC").to_string()
}
