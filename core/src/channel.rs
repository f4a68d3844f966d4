//! A channel is a place on a platform together with what it follows, how far it has read and when it is next due.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use crate::locale::Lang;
use crate::mention::Mention;
use crate::rule::Rule;
use crate::schedule::Schedule;
use crate::subscription::Subjects;

/// Where messages go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Platform {
    /// Discord.
    Discord,
    /// Telegram.
    Telegram,
    /// The local web page.
    Web,
}

impl Platform {
    /// All of them, for tables.
    pub const ALL: [Self; 3] = [Self::Discord, Self::Telegram, Self::Web];

    /// The name in a place: `telegram`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Discord => "discord",
            Self::Telegram => "telegram",
            Self::Web => "web",
        }
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A chat, channel or page on a platform, and possibly a thread in it: `telegram:-1001234567890`,
/// `telegram:-1001234567890/42`, `discord:123456789012345678`, `web:lobby`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Place {
    platform: Platform,
    chat: String,
    thread: Option<i32>,
}

/// Why a text is no place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlaceError {
    /// The part before the colon.
    #[error("“{0}” is no place: write telegram:CHAT_ID, telegram:CHAT_ID/TOPIC_ID, discord:CHANNEL_ID or web:NAME")]
    Unknown(String),
    /// Telegram's chat ids are whole numbers, those of groups negative (Bot API, `Chat.id`).
    #[error("“{0}”: a Telegram chat id is a whole number such as -1001234567890, and a topic id a positive one")]
    Telegram(String),
    /// Discord's ids are snowflakes (Discord API reference).
    #[error("“{0}”: a Discord channel id is a number of 15 to 20 digits; a thread has an id of its own")]
    Discord(String),
    /// The web page's channels are named in its address.
    #[error("“{0}”: a web channel's name has 1 to 32 lower-case letters, digits or hyphens")]
    Web(String),
}

impl Place {
    /// A chat on Telegram, possibly a topic in it.
    pub fn telegram(chat: i64, topic: Option<i32>) -> Self {
        Self {
            platform: Platform::Telegram,
            chat: chat.to_string(),
            thread: topic,
        }
    }

    /// A channel or thread on Discord.
    pub fn discord(channel: u64) -> Self {
        Self {
            platform: Platform::Discord,
            chat: channel.to_string(),
            thread: None,
        }
    }

    /// A channel of the local web page.
    ///
    /// # Errors
    /// When the name has other characters than lower-case letters, digits and hyphens.
    pub fn web(name: &str) -> Result<Self, PlaceError> {
        format!("web:{name}").parse()
    }

    /// The platform.
    pub fn platform(&self) -> Platform {
        self.platform
    }

    /// The platform's own id of the chat, or the web channel's name.
    pub fn chat(&self) -> &str {
        &self.chat
    }

    /// The topic in a Telegram forum.
    pub fn thread(&self) -> Option<i32> {
        self.thread
    }
}

impl FromStr for Place {
    type Err = PlaceError;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        let (platform, rest) = s
            .trim()
            .split_once(':')
            .ok_or_else(|| PlaceError::Unknown(s.to_owned()))?;
        match platform {
            "telegram" => {
                let bad = || PlaceError::Telegram(s.to_owned());
                let (chat, thread) = match rest.split_once('/') {
                    Some((chat, thread)) => (chat, Some(thread.parse().ok().filter(|&t| t > 0).ok_or_else(bad)?)),
                    None => (rest, None),
                };
                let chat: i64 = chat.parse().ok().filter(|&id| id != 0).ok_or_else(bad)?;
                Ok(Self::telegram(chat, thread))
            }
            "discord" => {
                // A leading zero would be lost, and with it the way back from the stored text.
                let digits = (15..=20).contains(&rest.len())
                    && rest.bytes().all(|b| b.is_ascii_digit())
                    && !rest.starts_with('0');
                let id = rest
                    .parse::<u64>()
                    .ok()
                    .filter(|_| digits)
                    .ok_or_else(|| PlaceError::Discord(s.to_owned()))?;
                Ok(Self::discord(id))
            }
            "web" => {
                let valid = (1..=32).contains(&rest.len())
                    && rest
                        .bytes()
                        .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
                if valid {
                    Ok(Self {
                        platform: Platform::Web,
                        chat: rest.to_owned(),
                        thread: None,
                    })
                } else {
                    Err(PlaceError::Web(s.to_owned()))
                }
            }
            _ => Err(PlaceError::Unknown(s.to_owned())),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.platform, self.chat)?;
        self.thread.map_or(Ok(()), |thread| write!(f, "/{thread}"))
    }
}

impl From<Place> for String {
    fn from(place: Place) -> Self {
        place.to_string()
    }
}

impl TryFrom<String> for Place {
    type Error = PlaceError;

    fn try_from(s: String) -> Result<Self, Self::Error> {
        s.parse()
    }
}

/// What a channel gets on a day without papers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WhenEmpty {
    /// A short message that says why.
    Say,
    /// Nothing.
    Silent,
}

/// How much of each paper a digest shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Style {
    /// Number and title.
    Titles,
    /// Number, title, brief, institutions and number of authors.
    Compact,
    /// The same and the abstract.
    Full,
    /// As [`Style::Full`], where a platform has a form of its own for long texts: there it is one message whose abstracts
    /// fold.
    Rich,
}

impl Style {
    /// All of them, for tables.
    pub const ALL: [Self; 4] = [Self::Titles, Self::Compact, Self::Full, Self::Rich];

    /// The word for it in the configuration and in commands.
    pub fn name(self) -> &'static str {
        match self {
            Self::Titles => "titles",
            Self::Compact => "compact",
            Self::Full => "full",
            Self::Rich => "rich",
        }
    }
}

/// What becomes of occurrences that passed while nobody could post: the program was off, or the channel was paused.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Missed {
    /// The next digest holds everything since the last one.
    #[default]
    Merge,
    /// They are not made up for: what they would have brought is never posted.
    Skip,
    /// Each becomes a digest of its own, in order, with the papers that had come in by then.
    Replay,
}

impl Missed {
    /// All of them, for tables.
    pub const ALL: [Self; 3] = [Self::Merge, Self::Skip, Self::Replay];

    /// `merge`, `skip` or `replay`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Merge => "merge",
            Self::Skip => "skip",
            Self::Replay => "replay",
        }
    }
}

impl fmt::Display for Missed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a channel has chosen. The configuration file has the same fields.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// What it follows.
    pub subjects: Subjects,
    /// When it is due; `None` posts only on request.
    pub schedule: Option<Schedule>,
    /// The zone in which the schedule is meant and dates are shown.
    pub timezone: Tz,
    /// The language of everything that it gets.
    pub language: Lang,
    /// What it gets on an empty day.
    pub when_empty: WhenEmpty,
    /// How much of each paper.
    pub style: Style,
    /// What becomes of occurrences that were missed.
    pub missed: Missed,
    /// When a round-up of the week is due; `None` for none. Of those that were missed, the last one comes.
    pub weekly: Option<Schedule>,
}

/// The position in the order of intake up to which a channel has read; 0 is before the first paper.
pub type Seq = u64;

/// Whether a channel gets anything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "state")]
pub enum Activity {
    /// It does.
    Active,
    /// It does not, since the platform says that it cannot be written to; subscriptions and cursor stay.
    Paused {
        /// What the platform said.
        reason: String,
        /// Since when.
        since: DateTime<Utc>,
    },
    /// It does not, since its people want to be left alone for a while. Due times go by as if nobody were there;
    /// [`Settings::missed`] says what becomes of them.
    Snoozed {
        /// When it gets digests again by itself; `None` is until somebody says so.
        until: Option<DateTime<Utc>>,
        /// Since when.
        since: DateTime<Utc>,
        /// The platform's id of the person who said so.
        by: String,
    },
    /// It does not, since the configuration file no longer has it; if the file has it again, it goes on where it was.
    Absent {
        /// Since when.
        since: DateTime<Utc>,
    },
}

impl Activity {
    /// Whether the platform lets us write there, as far as is known: what stands there may be corrected.
    pub fn is_reachable(&self) -> bool {
        match self {
            Self::Active | Self::Snoozed { .. } => true,
            Self::Paused { .. } | Self::Absent { .. } => false,
        }
    }
}

/// A place with what it follows and how far it has read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Channel {
    /// Where.
    pub place: Place,
    /// What it has chosen.
    pub settings: Settings,
    /// Up to where it has read.
    pub cursor: Seq,
    /// The latest occurrence that was published for it.
    pub last_fired: Option<DateTime<Utc>>,
    /// When it is next due; derived from schedule and zone ([`Self::due_after`]), kept for the index. While it lies in the
    /// past, it is the first occurrence that was missed; no earlier one counts, for the schedule may have been another.
    pub next_due: Option<DateTime<Utc>>,
    /// The latest round-up that was published for it, or would have been had there been papers.
    pub last_weekly: Option<DateTime<Utc>>,
    /// When its round-up is next due ([`Self::weekly_after`]), as [`Self::next_due`] is for its digest.
    pub weekly_due: Option<DateTime<Utc>>,
    /// Whether it gets anything.
    pub activity: Activity,
    /// When it was added.
    pub added_at: DateTime<Utc>,
    /// The place under which the configuration file has it, if it does: then the file decides its settings, and whether it
    /// stays. It differs from `place` after the chat has moved.
    pub configured_as: Option<Place>,
    /// What the configuration file said when it was last read, if it has the channel: what it says differently since then
    /// counts, and what people changed in the channel stays otherwise.
    pub configured_with: Option<Settings>,
    /// The platform's id of the person who set it up: the first who typed `/start` there. Hears of it when the channel cannot
    /// be written to any more.
    pub owner: Option<String>,
    /// What it follows and wants nothing of for now.
    pub resting: Subjects,
    /// Whom its digests call for papers of one subscription, by [`crate::pipeline::Item::mark`], in that order.
    pub mentions: Vec<(u64, Mention)>,
}

impl Channel {
    /// The first occurrence after `after` at which it gets a digest; `None` when it gets none, whatever the time.
    pub fn due_after(&self, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.first_of(self.settings.schedule.as_ref()?, after)
    }

    /// The first occurrence after `after` at which it gets a round-up; `None` when it gets none.
    pub fn weekly_after(&self, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.first_of(self.settings.weekly.as_ref()?, after)
    }

    fn first_of(&self, schedule: &Schedule, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let after = match &self.activity {
            Activity::Active => after,
            // An occurrence at the very end of the pause is posted.
            Activity::Snoozed { until, .. } => after.max((*until)? - TimeDelta::nanoseconds(1)),
            Activity::Paused { .. } | Activity::Absent { .. } => return None,
        };
        schedule.next_after(self.settings.timezone, after)
    }

    /// The rules that it follows, also those that rest, by [`Rule::key`].
    pub fn follows(&self) -> BTreeMap<u64, &Rule> {
        let rules = self.settings.subjects.rules.iter().chain(&self.resting.rules);
        rules.map(|rule| (rule.key(), rule)).collect()
    }

    /// When anything is next due: its digest or its round-up.
    pub fn due(&self) -> Option<DateTime<Utc>> {
        self.next_due.into_iter().chain(self.weekly_due).min()
    }

    /// The same with [`Self::due_after`] as `next_due` and [`Self::weekly_after`] as `weekly_due`. Where the platform or the
    /// file keeps it silent, they stay as they are.
    pub fn due_again(self, after: DateTime<Utc>) -> Self {
        let (next_due, weekly_due) = match &self.activity {
            Activity::Active | Activity::Snoozed { .. } => (self.due_after(after), self.weekly_after(after)),
            Activity::Paused { .. } | Activity::Absent { .. } => (self.next_due, self.weekly_due),
        };
        Self {
            next_due,
            weekly_due,
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_place_is_written_as_it_is_read() {
        for text in [
            "telegram:-1001234567890",
            "telegram:42",
            "telegram:-1001234567890/42",
            "discord:123456789012345678",
            "discord:18446744073709551615",
            "web:lobby-2",
        ] {
            let place: Place = text.parse().unwrap();
            assert_eq!(place.to_string(), text);
        }
        let topic: Place = " telegram:-100/7 ".parse().unwrap();
        assert_eq!(topic, Place::telegram(-100, Some(7)));
        assert_eq!((topic.chat(), topic.thread()), ("-100", Some(7)));
    }

    #[test]
    fn what_is_no_place_is_refused_with_what_its_platform_wants() {
        for (text, wants) in [
            ("lobby", "telegram:CHAT_ID"),
            ("irc:lobby", "telegram:CHAT_ID"),
            ("telegram:@channel", "whole number"),
            ("telegram:0", "whole number"),
            ("telegram:-100/0", "positive"),
            ("telegram:-100/x", "positive"),
            ("discord:12345", "15 to 20 digits"),
            ("discord:99999999999999999999", "15 to 20 digits"),
            ("discord:000000000000000123", "15 to 20 digits"),
            ("web:Lobby", "lower-case"),
            ("web:", "lower-case"),
            ("web:../secrets", "lower-case"),
        ] {
            let error = text.parse::<Place>().unwrap_err().to_string();
            assert!(error.contains(wants) && error.contains(text), "{error}");
        }
    }

    proptest! {
        #[test]
        fn every_text_that_is_a_place_leads_back_to_it(
            text in r"(telegram|discord|web):([-+]?[0-9]{1,3}|0{0,19}[0-9]{1,20}|[a-z0-9-]{1,33})(/[-+]?[0-9]{1,3})?",
        ) {
            if let Ok(place) = text.parse::<Place>() {
                prop_assert_eq!(place.to_string().parse(), Ok(place));
            }
        }
    }
}
