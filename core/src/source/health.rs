//! How a source that asks by itself is doing, so that one that fails for weeks is not silent about it.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

/// How many failures in a row are a reason to worry; every server is away for a moment.
const FAILURES: u32 = 3;
/// And for how long it has to have been so.
const PATIENCE: TimeDelta = TimeDelta::hours(6);
/// How long a source may answer without bringing anything new.
const SILENCE: TimeDelta = TimeDelta::days(14);

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
