//! A digest is one numbered issue: the papers that a set of subjects brought since a channel's last one. It is immutable;
//! its id is its subscription set at its occurrence, so that publishing it twice writes the same row.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, NaiveDateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::brief::Brief;
use crate::channel::{Platform, Seq, Style};
use crate::locale::Lang;
use crate::paper::PaperId;
use crate::source::Window;
use crate::subscription::Subjects;
use crate::text;
use crate::topic::{Hit, TopicId};

/// Subscription set @ occurrence, to the second: `9f86d081884c7d65@20251010T090000Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct DigestId {
    /// Hash of the subjects and of the position from which they are read.
    pub set: u64,
    /// The scheduled instant, whole seconds.
    pub occurrence: DateTime<Utc>,
}

impl DigestId {
    /// The id of what `subjects` brought after `since`, at `occurrence`.
    pub fn new(subjects: &Subjects, since: Seq, occurrence: DateTime<Utc>) -> Self {
        let topics: Vec<&str> = subjects.topics.iter().map(|t| t.0.as_str()).collect();
        let set = text::hash64(&[&topics.join(","), &subjects.keywords.join("\n"), &since.to_string()]);
        let whole = occurrence - chrono::TimeDelta::nanoseconds(i64::from(occurrence.timestamp_subsec_nanos()));
        Self { set, occurrence: whole }
    }
}

const STAMP: &str = "%Y%m%dT%H%M%SZ";

impl fmt::Display for DigestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}@{}", self.set, self.occurrence.format(STAMP))
    }
}

impl Ord for DigestId {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.occurrence, self.set).cmp(&(other.occurrence, other.set))
    }
}

impl PartialOrd for DigestId {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// The text is no digest id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("“{0}” is not a digest id such as 9f86d081884c7d65@20251010T090000Z")]
pub struct DigestIdError(String);

impl FromStr for DigestId {
    type Err = DigestIdError;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        let parse = || {
            let (set, at) = s.split_once('@')?;
            let set = u64::from_str_radix(set, 16).ok()?;
            let occurrence = NaiveDateTime::parse_from_str(at, STAMP).ok()?.and_utc();
            Some(Self { set, occurrence })
        };
        parse().ok_or_else(|| DigestIdError(s.to_owned()))
    }
}

impl From<DigestId> for String {
    fn from(id: DigestId) -> Self {
        id.to_string()
    }
}

impl TryFrom<String> for DigestId {
    type Error = DigestIdError;

    fn try_from(s: String) -> Result<Self, Self::Error> {
        s.parse()
    }
}

/// One form of one digest: shared by all channels of the same platform, language, style and day.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RenderingId {
    /// Which digest.
    pub digest: DigestId,
    /// For which platform.
    pub platform: Platform,
    /// In which language.
    pub lang: Lang,
    /// In which style.
    pub style: Style,
    /// The zone in which its date is written.
    pub zone: chrono_tz::Tz,
}

impl fmt::Display for RenderingId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let style = match self.style {
            Style::Compact => "compact",
            Style::Full => "full",
        };
        write!(
            f,
            "{}|{}|{}|{}|{}",
            self.digest,
            self.platform,
            self.lang,
            style,
            self.zone.name()
        )
    }
}

/// One paper of a digest, as it was on that day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its number, from 1.
    pub number: u32,
    /// Which paper.
    pub paper: PaperId,
    /// Its title.
    pub title: String,
    /// Its briefs, at most one for each language.
    pub briefs: Vec<EntryBrief>,
    /// Its institutions.
    pub institutions: Vec<String>,
    /// How many authors it has, if known.
    pub author_count: Option<u32>,
    /// Its best score among the topics.
    pub points: u32,
    /// The topics that brought it.
    pub topics: Vec<TopicId>,
    /// The terms and keywords that were found.
    pub hits: Vec<Hit>,
}

/// The brief that readers of `lang` get; its own language may differ where only an extract exists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryBrief {
    /// For readers of this language.
    #[serde(rename = "for")]
    pub reader: Lang,
    /// The brief.
    pub brief: Brief,
}

/// An immutable, numbered issue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Digest {
    /// Subscription set @ occurrence.
    pub id: DigestId,
    /// What was followed.
    pub subjects: Subjects,
    /// Read from after this position …
    pub since: Seq,
    /// … up to and including this one.
    pub upto: Seq,
    /// The windows of sources that were read, oldest first.
    pub windows: Vec<Window>,
    /// How many papers came.
    pub considered: u32,
    /// How many of them matched.
    pub matched: u32,
    /// The papers, best first; fewer than matched where a topic's cap cut them off.
    pub entries: Vec<Entry>,
}

impl Digest {
    /// The entry with this number.
    pub fn entry(&self, number: u32) -> Option<&Entry> {
        self.entries.iter().find(|e| e.number == number)
    }
}
