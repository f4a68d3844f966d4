//! How a source that asks by itself is doing, so that one that fails for weeks is not silent about it.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::Window;
use super::calendar::Stretch;

/// How many failures in a row are a reason to worry; every server is away for a moment.
const FAILURES: u32 = 3;
/// And for how long it has to have been so.
const PATIENCE: TimeDelta = TimeDelta::hours(6);
/// How long a source may answer without bringing anything new.
const SILENCE: TimeDelta = TimeDelta::days(14);
/// So many days without a paper, and none with, are no chance.
const EMPTY_DAYS: usize = 3;
/// A paper that came no longer ago than this says that the right thing is asked for.
const FULL: TimeDelta = TimeDelta::days(3);
/// The most days without a paper that are remembered.
const MAX_EMPTY: usize = 14;

/// What is remembered of a source, under its name in [`crate::store::MemoSpace::Source`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// When it was first asked.
    pub since: Option<DateTime<Utc>>,
    /// When it last answered as it should.
    pub answered: Option<DateTime<Utc>>,
    /// When it last brought a paper that was new.
    pub brought: Option<DateTime<Utc>>,
    /// The last failure: when, and a sentence.
    pub failed: Option<(DateTime<Utc>, String)>,
    /// How many failures in a row since it last answered.
    pub failures: u32,
    /// It will not be asked again; why.
    pub ended: Option<String>,
    /// When it is asked next.
    pub next: Option<DateTime<Utc>>,
    /// The stretches for which it last answered without a paper although there should be some, the newest ones.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub empty: BTreeSet<Stretch>,
    /// When an answer last had papers, new or not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub had_papers: Option<DateTime<Utc>>,
    /// Its own memory ([`super::request::Source::memory`]).
    pub memory: Option<String>,
}

/// What a source's trouble is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// It was taken back by who serves it.
    Ended(String),
    /// It has failed again and again since then, the last time with this.
    Failing {
        /// Since when it has not answered.
        since: DateTime<Utc>,
        /// The last failure.
        reason: String,
    },
    /// It answers, but has brought nothing new since then.
    Silent(DateTime<Utc>),
}

impl Health {
    /// It answered; `new` papers came.
    pub fn succeed(&mut self, new: u32, now: DateTime<Utc>) {
        self.since.get_or_insert(now);
        self.answered = Some(now);
        self.failures = 0;
        if new > 0 {
            self.brought = Some(now);
        }
    }

    /// It answered, without a paper for a stretch that should have some.
    pub fn came_empty(&mut self, window: Window, now: DateTime<Utc>) {
        self.succeed(0, now);
        self.empty.insert((window.from, window.to));
        while self.empty.len() > MAX_EMPTY {
            self.empty.pop_first();
        }
    }

    /// An answer had papers, for this stretch if it is for one.
    pub fn came_full(&mut self, window: Option<Window>, now: DateTime<Utc>) {
        self.had_papers = Some(now);
        if let Some(window) = window {
            self.empty.remove(&(window.from, window.to));
        }
        // What is old is not asked for any more.
        self.empty.retain(|(_, to)| now - *to < SILENCE);
    }

    /// Whether it answers and has no paper for any of the days that it was asked for: something else is asked for than meant.
    pub fn is_always_empty(&self, now: DateTime<Utc>) -> bool {
        self.empty.len() >= EMPTY_DAYS && self.had_papers.is_none_or(|papers| now - papers >= FULL)
    }

    /// It failed.
    pub fn fail(&mut self, reason: String, now: DateTime<Utc>) {
        self.since.get_or_insert(now);
        self.failures = self.failures.saturating_add(1);
        self.failed = Some((now, reason));
    }

    /// What somebody should look at.
    pub fn trouble(&self, now: DateTime<Utc>) -> Option<Trouble> {
        if let Some(reason) = &self.ended {
            return Some(Trouble::Ended(reason.clone()));
        }
        let since = self.answered.or(self.since)?;
        if let Some((_, reason)) = self.failed.as_ref().filter(|_| self.failures >= FAILURES)
            && now - since >= PATIENCE
        {
            let reason = reason.clone();
            return Some(Trouble::Failing { since, reason });
        }
        let brought = self.brought.or(self.since)?;
        (now - brought >= SILENCE).then_some(Trouble::Silent(brought))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hours: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::hours(hours)
    }

    #[test]
    fn a_few_failures_are_nothing_and_those_of_a_morning_are_trouble_until_it_answers() {
        let mut health = Health::default();
        health.succeed(3, at(0));
        for hour in 1..=3 {
            health.fail("503".to_owned(), at(hour));
        }
        assert_eq!(health.trouble(at(5)), None);
        let reason = "503".to_owned();
        assert_eq!(health.trouble(at(6)), Some(Trouble::Failing { since: at(0), reason }));
        health.succeed(0, at(7));
        assert_eq!(health.trouble(at(7)), None);
    }

    #[test]
    fn a_source_that_has_never_answered_is_in_trouble_since_it_was_first_asked() {
        let mut health = Health::default();
        assert_eq!(health.trouble(at(99)), None);
        for hour in 1..=7 {
            health.fail("404".to_owned(), at(hour));
        }
        assert!(matches!(health.trouble(at(7)), Some(Trouble::Failing { since, .. }) if since == at(1)));
    }

    #[test]
    fn three_days_without_a_paper_and_none_with_are_no_chance() {
        let day = |n: i64| Window {
            source: crate::source::SourceKind::ArxivApi,
            from: at(24 * n),
            to: at(24 * n + 24),
        };
        let mut health = Health::default();
        for n in [3, 2, 2] {
            health.came_empty(day(n), at(100));
        }
        assert!(!health.is_always_empty(at(100)));
        health.came_empty(day(1), at(100));
        assert!(health.is_always_empty(at(100)));
        assert_eq!((health.answered, health.trouble(at(107))), (Some(at(100)), None));
        // One of the days has papers, so the others are what they are; later days are another matter.
        health.came_full(Some(day(4)), at(101));
        assert!(!health.is_always_empty(at(101)));
        assert!(health.is_always_empty(at(101 + 72)));
        health.came_full(Some(day(2)), at(101));
        assert_eq!(health.empty.len(), 2);
    }

    #[test]
    fn a_source_that_brings_nothing_for_a_fortnight_is_named() {
        let mut health = Health::default();
        health.succeed(1, at(0));
        health.succeed(0, at(14 * 24 - 1));
        assert_eq!(health.trouble(at(14 * 24 - 1)), None);
        assert_eq!(health.trouble(at(14 * 24)), Some(Trouble::Silent(at(0))));
        health.ended = Some("410".to_owned());
        assert_eq!(health.trouble(at(0)), Some(Trouble::Ended("410".to_owned())));
    }
}
