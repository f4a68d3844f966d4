//! When a channel's digest is due: a cron expression in the channel's own time zone, with crontab(5)'s meaning of five
//! fields, and a rule for the hours that daylight saving time skips or repeats.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

/// A cron expression, checked. Serialised as the text that the user wrote.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Schedule {
    text: String,
}

/// Why an expression is refused; it names the field and says what is possible there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("schedule “{expression}”: {reason}")]
pub struct ScheduleError {
    /// The expression as written.
    pub expression: String,
    /// The field ("hour"), when one is at fault.
    pub field: Option<&'static str>,
    /// What is wrong and what is possible.
    pub reason: String,
}

impl Schedule {
    /// Reads an expression.
    ///
    /// # Errors
    /// Names the field that cannot be.
    pub fn parse(expression: &str) -> Result<Self, ScheduleError> {
        let _ = expression;
        todo!()
    }

    /// The first occurrence strictly after `after`; `None` when there is none any more.
    pub fn next_after(&self, zone: Tz, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let _ = (zone, after, &self.text);
        todo!()
    }

    /// The latest occurrence that is after `after` and not after `now`: what a gap in uptime is merged into.
    pub fn latest_due(&self, zone: Tz, after: DateTime<Utc>, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let _ = (zone, after, now);
        todo!()
    }
}

impl std::fmt::Display for Schedule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

impl From<Schedule> for String {
    fn from(schedule: Schedule) -> Self {
        schedule.text
    }
}

impl TryFrom<String> for Schedule {
    type Error = ScheduleError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}
