//! What stands on disk, kept apart from the domain's types so that these can change without a word about old data.
//!
//! A record is `v`, its version, a space and JSON: `v1 {"id":"arxiv:2510.09212",…}`. Types that change with the domain
//! (paper, channel, digest, delivery) have a stored form of their own, and the conversions take every field apart by
//! name: a new field does not compile before somebody has said what an old record means for it. The rest is stored in
//! its serde form.
//!
//! To change a form: add `…V2`, raise `VERSION`, let `load` still read version 1, and add a snapshot; the old one stays.

use std::cell::RefCell;
use std::collections::HashMap;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{ContentRecord, DigestSummary, IntakeRecord, MatchRecord, WindowRecord};
use crate::brief::Brief;
use crate::channel::{Activity, Channel, Missed, Place, Platform, Seq, Settings, Style, WhenEmpty};
use crate::delivery::{Decision, Delivery, DeliveryId, Discard, Doubt, Refusal, State, Verdict};
use crate::digest::{Digest, DigestId, Entry, EntryBrief, RenderingId};
use crate::erratum::Errata;
use crate::locale::Lang;
use crate::mention::Mention;
use crate::message::Part;
use crate::paper::{Field, Paper, PaperId};
use crate::rule::{Rule, RuleError};
use crate::schedule::Schedule;
use crate::source::Window;
use crate::subscription::Subjects;
use crate::topic::{Hit, TopicId};
use crate::vote::{Ballot, Saved, Tally};

/// Something that has a stored form. Errors are reasons for people; the caller knows the key.
pub(super) trait Record: Sized {
    /// The version that is written.
    const VERSION: u32;
    /// The JSON of version [`Self::VERSION`].
    fn save(self) -> serde_json::Result<Vec<u8>>;
    /// Reads the JSON of any version from 1 to [`Self::VERSION`].
    fn load(version: u32, json: &[u8]) -> Result<Self, String>;
}

/// The bytes of a record.
pub(super) fn encode<R: Record>(record: R) -> Result<Vec<u8>, String> {
    let mut bytes = format!("v{} ", R::VERSION).into_bytes();
    bytes.extend(record.save().map_err(|e| format!("it cannot be written: {e}"))?);
    Ok(bytes)
}

/// The record in these bytes.
pub(super) fn decode<R: Record>(bytes: &[u8]) -> Result<R, String> {
    let parse = || {
        let end = bytes.iter().take(12).position(|&b| b == b' ')?;
        let digits = std::str::from_utf8(bytes.get(..end)?).ok()?.strip_prefix('v')?;
        Some((digits.parse::<u32>().ok()?, bytes.get(end + 1..)?))
    };
    let (version, json) = parse().ok_or("it does not begin with a version")?;
    if version == 0 || version > R::VERSION {
        return Err(format!(
            "it has version {version}, and this program reads versions 1 to {}; use the program that wrote it",
            R::VERSION
        ));
    }
    R::load(version, json)
}

fn from_json<T: DeserializeOwned>(json: &[u8]) -> Result<T, String> {
    serde_json::from_slice(json).map_err(|e| e.to_string())
}

macro_rules! stored_as_they_are {
    ($($record:ty),+) => {$(
        impl Record for $record {
            const VERSION: u32 = 1;

            fn save(self) -> serde_json::Result<Vec<u8>> {
                serde_json::to_vec(&self)
            }

            fn load(_version: u32, json: &[u8]) -> Result<Self, String> {
                from_json(json)
            }
        }
    )+};
}

stored_as_they_are!(
    IntakeRecord,
    WindowRecord,
    ContentRecord,
    MatchRecord,
    Part,
    DigestSummary,
    Errata,
    Ballot,
    Saved,
    Tally
);

macro_rules! stored_as {
    ($record:ty, $stored:ty) => {
        impl Record for $record {
            const VERSION: u32 = 1;

            fn save(self) -> serde_json::Result<Vec<u8>> {
                serde_json::to_vec(&<$stored>::from(self))
            }

            fn load(_version: u32, json: &[u8]) -> Result<Self, String> {
                from_json::<$stored>(json)?.try_into().map_err(|e| format!("{e}"))
            }
        }
    };
}

stored_as!(PaperRecord, PaperV1);
stored_as!(Digest, DigestV1);
stored_as!(Delivery, DeliveryV1);

/// A paper with the fingerprints under which it stands in the index, so that they are found again even after
/// [`crate::join::sketch`] has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PaperRecord {
    pub(super) paper: Paper,
    pub(super) sketch: Vec<u64>,
}

#[derive(Serialize, Deserialize)]
struct PaperV1 {
    id: PaperId,
    version: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<Field<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    authors: Option<Field<Vec<String>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    author_count: Option<Field<u32>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    institutions: Option<Field<Vec<String>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    categories: Option<Field<Vec<String>>>,
    #[serde(rename = "abstract", skip_serializing_if = "Option::is_none")]
    abstract_text: Option<Field<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    comments: Option<Field<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    doi: Option<Field<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    journal_ref: Option<Field<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    submitted: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    revised: Option<DateTime<Utc>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    upvotes: Option<Field<u32>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    works: Vec<u64>,
    briefs: Vec<Brief>,
    sketch: Vec<u64>,
}

impl From<PaperRecord> for PaperV1 {
    fn from(PaperRecord { paper, sketch }: PaperRecord) -> Self {
        let Paper {
            id,
            version,
            title,
            authors,
            author_count,
            institutions,
            categories,
            abstract_text,
            comments,
            doi,
            journal_ref,
            submitted,
            revised,
            upvotes,
            works,
            briefs,
        } = paper;
        Self {
            id,
            version,
            title,
            authors,
            author_count,
            institutions,
            categories,
            abstract_text,
            comments,
            doi,
            journal_ref,
            submitted,
            revised,
            upvotes,
            works,
            briefs,
            sketch,
        }
    }
}

impl From<PaperV1> for PaperRecord {
    fn from(stored: PaperV1) -> Self {
        let PaperV1 {
            id,
            version,
            title,
            authors,
            author_count,
            institutions,
            categories,
            abstract_text,
            comments,
            doi,
            journal_ref,
            submitted,
            revised,
            upvotes,
            works,
            briefs,
            sketch,
        } = stored;
        let paper = Paper {
            id,
            version,
            title,
            authors,
            author_count,
            institutions,
            categories,
            abstract_text,
            comments,
            doi,
            journal_ref,
            submitted,
            revised,
            upvotes,
            works,
            briefs,
        };
        Self { paper, sketch }
    }
}

/// A channel with the keys under which the rules that it follows stand in their table, so that they are found again even
/// after the canonical form of rules has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ChannelRecord {
    pub(super) channel: Channel,
    pub(super) follows: Vec<u64>,
}

impl Record for ChannelRecord {
    const VERSION: u32 = 2;

    fn save(self) -> serde_json::Result<Vec<u8>> {
        serde_json::to_vec(&ChannelV2::from(self.channel))
    }

    /// Version 1 had the text of a rule without its key.
    fn load(_version: u32, json: &[u8]) -> Result<Self, String> {
        let stored: ChannelV2 = from_json(json)?;
        let rules = stored.subjects.rules.iter().chain(&stored.resting.rules);
        let mut follows: Vec<u64> = rules.map(|rule| rule.key).collect();
        follows.sort_unstable();
        follows.dedup();
        let channel = stored.try_into().map_err(|e| format!("{e}"))?;
        Ok(Self { channel, follows })
    }
}

impl From<Channel> for ChannelRecord {
    fn from(channel: Channel) -> Self {
        let follows = channel.follows().into_keys().collect();
        Self { channel, follows }
    }
}

/// A rule, which stands once for all channels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RuleRecord {
    pub(super) rule: Rule,
}

#[derive(Serialize, Deserialize)]
struct RuleV1 {
    rule: String,
}

stored_as!(RuleRecord, RuleV1);

impl From<RuleRecord> for RuleV1 {
    fn from(RuleRecord { rule }: RuleRecord) -> Self {
        let rule = rule.as_str().to_owned();
        Self { rule }
    }
}

impl TryFrom<RuleV1> for RuleRecord {
    type Error = RuleError;

    fn try_from(RuleV1 { rule }: RuleV1) -> Result<Self, Self::Error> {
        interned(rule).map(|rule| Self { rule })
    }
}

#[derive(Default, Serialize, Deserialize)]
struct SubjectsV2 {
    topics: Vec<TopicId>,
    keywords: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    rules: Vec<FollowedV2>,
}

impl SubjectsV2 {
    fn is_empty(&self) -> bool {
        self.topics.is_empty() && self.keywords.is_empty() && self.rules.is_empty()
    }
}

/// A rule that a channel follows: which one, and how its people spell it. The spelling also stands for the rule where that
/// cannot be read any more.
#[derive(Clone, Serialize, Deserialize)]
#[serde(into = "(String, String)", try_from = "FollowedAny")]
struct FollowedV2 {
    key: u64,
    rule: Rule,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum FollowedAny {
    V2(String, String),
    V1(String),
}

impl From<FollowedV2> for (String, String) {
    fn from(FollowedV2 { key, rule }: FollowedV2) -> Self {
        (format!("{key:016x}"), rule.into())
    }
}

impl TryFrom<FollowedAny> for FollowedV2 {
    type Error = String;

    fn try_from(stored: FollowedAny) -> Result<Self, Self::Error> {
        let (key, rule) = match stored {
            FollowedAny::V2(key, typed) => {
                let key = u64::from_str_radix(&key, 16).map_err(|_| format!("“{key}” is no key of a rule"))?;
                (key, interned(typed).map_err(|e| e.to_string())?)
            }
            FollowedAny::V1(typed) => {
                let rule = interned(typed).map_err(|e| e.to_string())?;
                (rule.key(), rule)
            }
        };
        Ok(Self { key, rule })
    }
}

impl From<Subjects> for SubjectsV2 {
    fn from(subjects: Subjects) -> Self {
        let Subjects {
            topics,
            keywords,
            rules,
        } = subjects;
        let followed = |rule: Rule| FollowedV2 { key: rule.key(), rule };
        Self {
            topics,
            keywords,
            rules: rules.into_iter().map(followed).collect(),
        }
    }
}

impl From<SubjectsV2> for Subjects {
    fn from(stored: SubjectsV2) -> Self {
        let SubjectsV2 {
            topics,
            keywords,
            rules,
        } = stored;
        Self {
            topics,
            keywords,
            rules: rules.into_iter().map(|followed| followed.rule).collect(),
        }
    }
}

/// How many rules are kept at hand. What many follow is among them; what everyone follows for themselves gains nothing.
const INTERNED: usize = 4_096;

thread_local! {
    static RULES: RefCell<HashMap<String, Rule>> = RefCell::default();
}

/// The rule that is spelt so: read once for all channels that follow it, and in memory once.
fn interned(typed: String) -> Result<Rule, RuleError> {
    RULES.with_borrow_mut(|known| {
        if let Some(rule) = known.get(&typed) {
            return Ok(rule.clone());
        }
        let rule: Rule = typed.parse()?;
        if known.len() >= INTERNED {
            known.clear();
        }
        known.insert(typed, rule.clone());
        Ok(rule)
    })
}

#[derive(Serialize, Deserialize)]
struct ChannelV2 {
    place: Place,
    subjects: SubjectsV2,
    schedule: Option<String>,
    timezone: Tz,
    language: Lang,
    when_empty: WhenEmpty,
    style: Style,
    cursor: Seq,
    last_fired: Option<DateTime<Utc>>,
    next_due: Option<DateTime<Utc>>,
    paused: Option<PausedV1>,
    added_at: DateTime<Utc>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    absent_since: Option<DateTime<Utc>>,
    configured_as: Option<Place>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    owner: Option<String>,
    /// Before there was a choice, what was missed was merged.
    #[serde(default, skip_serializing_if = "is_merge")]
    missed: Missed,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    weekly: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last_weekly: Option<DateTime<Utc>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    weekly_due: Option<DateTime<Utc>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    snoozed: Option<SnoozedV1>,
    #[serde(default, skip_serializing_if = "SubjectsV2::is_empty")]
    resting: SubjectsV2,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    mentions: Vec<(u64, Mention)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    configured_with: Option<SettingsV2>,
}

/// What the configuration file last said of a channel.
#[derive(Serialize, Deserialize)]
struct SettingsV2 {
    subjects: SubjectsV2,
    schedule: Option<String>,
    timezone: Tz,
    language: Lang,
    when_empty: WhenEmpty,
    style: Style,
    #[serde(default, skip_serializing_if = "is_merge")]
    missed: Missed,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    weekly: Option<String>,
}

impl From<Settings> for SettingsV2 {
    fn from(settings: Settings) -> Self {
        let Settings {
            subjects,
            schedule,
            timezone,
            language,
            when_empty,
            style,
            missed,
            weekly,
        } = settings;
        Self {
            subjects: subjects.into(),
            schedule: schedule.map(String::from),
            timezone,
            language,
            when_empty,
            style,
            missed,
            weekly: weekly.map(String::from),
        }
    }
}

impl TryFrom<SettingsV2> for Settings {
    type Error = crate::schedule::ScheduleError;

    fn try_from(stored: SettingsV2) -> Result<Self, Self::Error> {
        let SettingsV2 {
            subjects,
            schedule,
            timezone,
            language,
            when_empty,
            style,
            missed,
            weekly,
        } = stored;
        Ok(Self {
            subjects: subjects.into(),
            schedule: schedule.map(Schedule::try_from).transpose()?,
            timezone,
            language,
            when_empty,
            style,
            missed,
            weekly: weekly.map(Schedule::try_from).transpose()?,
        })
    }
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_merge(missed: &Missed) -> bool {
    *missed == Missed::Merge
}

#[derive(Serialize, Deserialize)]
struct SnoozedV1 {
    until: Option<DateTime<Utc>>,
    since: DateTime<Utc>,
    by: String,
}

#[derive(Serialize, Deserialize)]
struct PausedV1 {
    reason: String,
    since: DateTime<Utc>,
}

impl From<Channel> for ChannelV2 {
    fn from(channel: Channel) -> Self {
        let Channel {
            place,
            settings,
            cursor,
            last_fired,
            next_due,
            last_weekly,
            weekly_due,
            activity,
            added_at,
            configured_as,
            configured_with,
            owner,
            resting,
            mentions,
        } = channel;
        let Settings {
            subjects,
            schedule,
            timezone,
            language,
            when_empty,
            style,
            missed,
            weekly,
        } = settings;
        let (mut paused, mut snoozed, mut absent_since) = (None, None, None);
        match activity {
            Activity::Active => {}
            Activity::Paused { reason, since } => paused = Some(PausedV1 { reason, since }),
            Activity::Snoozed { until, since, by } => snoozed = Some(SnoozedV1 { until, since, by }),
            Activity::Absent { since } => absent_since = Some(since),
        }
        Self {
            place,
            subjects: subjects.into(),
            schedule: schedule.map(String::from),
            timezone,
            language,
            when_empty,
            style,
            cursor,
            last_fired,
            next_due,
            paused,
            added_at,
            absent_since,
            configured_as,
            owner,
            missed,
            weekly: weekly.map(String::from),
            last_weekly,
            weekly_due,
            snoozed,
            resting: resting.into(),
            mentions,
            configured_with: configured_with.map(SettingsV2::from),
        }
    }
}

impl TryFrom<ChannelV2> for Channel {
    type Error = crate::schedule::ScheduleError;

    fn try_from(stored: ChannelV2) -> Result<Self, Self::Error> {
        let ChannelV2 {
            place,
            subjects,
            schedule,
            timezone,
            language,
            when_empty,
            style,
            cursor,
            last_fired,
            next_due,
            paused,
            added_at,
            absent_since,
            configured_as,
            owner,
            missed,
            weekly,
            last_weekly,
            weekly_due,
            snoozed,
            resting,
            mentions,
            configured_with,
        } = stored;
        Ok(Self {
            place,
            settings: Settings {
                subjects: subjects.into(),
                schedule: schedule.map(Schedule::try_from).transpose()?,
                timezone,
                language,
                when_empty,
                style,
                missed,
                weekly: weekly.map(Schedule::try_from).transpose()?,
            },
            cursor,
            last_fired,
            next_due,
            last_weekly,
            weekly_due,
            activity: match (paused, absent_since, snoozed) {
                (Some(PausedV1 { reason, since }), _, _) => Activity::Paused { reason, since },
                (None, Some(since), _) => Activity::Absent { since },
                (None, None, Some(SnoozedV1 { until, since, by })) => Activity::Snoozed { until, since, by },
                (None, None, None) => Activity::Active,
            },
            added_at,
            configured_as,
            configured_with: configured_with.map(Settings::try_from).transpose()?,
            owner,
            resting: resting.into(),
            mentions,
        })
    }
}

#[derive(Serialize, Deserialize)]
struct DigestV1 {
    id: DigestId,
    subjects: Subjects,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    week: Option<DateTime<Utc>>,
    since: Seq,
    upto: Seq,
    windows: Vec<Window>,
    considered: u32,
    matched: u32,
    entries: Vec<EntryV1>,
}

#[derive(Serialize, Deserialize)]
struct EntryV1 {
    number: u32,
    paper: PaperId,
    title: String,
    briefs: Vec<EntryBrief>,
    institutions: Vec<String>,
    author_count: Option<u32>,
    points: u32,
    topics: Vec<TopicId>,
    hits: Vec<Hit>,
}

impl From<Digest> for DigestV1 {
    fn from(digest: Digest) -> Self {
        let Digest {
            id,
            subjects,
            week,
            since,
            upto,
            windows,
            considered,
            matched,
            entries,
        } = digest;
        Self {
            id,
            subjects,
            week,
            since,
            upto,
            windows,
            considered,
            matched,
            entries: entries.into_iter().map(EntryV1::from).collect(),
        }
    }
}

impl From<DigestV1> for Digest {
    fn from(stored: DigestV1) -> Self {
        let DigestV1 {
            id,
            subjects,
            week,
            since,
            upto,
            windows,
            considered,
            matched,
            entries,
        } = stored;
        Self {
            id,
            subjects,
            week,
            since,
            upto,
            windows,
            considered,
            matched,
            entries: entries.into_iter().map(Entry::from).collect(),
        }
    }
}

impl From<Entry> for EntryV1 {
    fn from(entry: Entry) -> Self {
        let Entry {
            number,
            paper,
            title,
            briefs,
            institutions,
            author_count,
            points,
            topics,
            hits,
        } = entry;
        Self {
            number,
            paper,
            title,
            briefs,
            institutions,
            author_count,
            points,
            topics,
            hits,
        }
    }
}

impl From<EntryV1> for Entry {
    fn from(stored: EntryV1) -> Self {
        let EntryV1 {
            number,
            paper,
            title,
            briefs,
            institutions,
            author_count,
            points,
            topics,
            hits,
        } = stored;
        Self {
            number,
            paper,
            title,
            briefs,
            institutions,
            author_count,
            points,
            topics,
            hits,
        }
    }
}

/// The stored form says nothing of the revision of a post, so that it is as it was before there were corrections.
#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_post(revision: &u32) -> bool {
    *revision == 0
}

#[derive(Serialize, Deserialize)]
struct DeliveryV1 {
    place: Place,
    digest: DigestId,
    #[serde(default, skip_serializing_if = "is_post")]
    revision: u32,
    rendering: RenderingV1,
    state: StateV1,
    parts: u32,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    edits: Vec<u32>,
    message_ids: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    refused: Vec<RefusalV1>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    again: Vec<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    plain: Option<String>,
    /// Only earlier versions wrote it: the part was on the wire.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    sending: bool,
    uncertain: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    resend: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    first_sent: Option<DateTime<Utc>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    after: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    decisions: Vec<DecisionV1>,
    attempts: u32,
    last_error: Option<String>,
    published_at: DateTime<Utc>,
}

#[derive(Serialize, Deserialize)]
struct DecisionV1 {
    part: u32,
    at: DateTime<Utc>,
    #[serde(flatten)]
    verdict: VerdictV1,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "verdict", content = "why")]
enum VerdictV1 {
    Found,
    NotThere,
    Resent(String),
    Skipped(String),
    Unedited(String),
}

impl From<Decision> for DecisionV1 {
    fn from(decision: Decision) -> Self {
        let Decision { part, at, verdict } = decision;
        let verdict = match verdict {
            Verdict::Found => VerdictV1::Found,
            Verdict::NotThere => VerdictV1::NotThere,
            Verdict::Resent(why) => VerdictV1::Resent(why),
            Verdict::Skipped(why) => VerdictV1::Skipped(why),
            Verdict::Unedited(why) => VerdictV1::Unedited(why),
        };
        Self { part, at, verdict }
    }
}

impl From<DecisionV1> for Decision {
    fn from(stored: DecisionV1) -> Self {
        let DecisionV1 { part, at, verdict } = stored;
        let verdict = match verdict {
            VerdictV1::Found => Verdict::Found,
            VerdictV1::NotThere => Verdict::NotThere,
            VerdictV1::Resent(why) => Verdict::Resent(why),
            VerdictV1::Skipped(why) => Verdict::Skipped(why),
            VerdictV1::Unedited(why) => Verdict::Unedited(why),
        };
        Self { part, at, verdict }
    }
}

#[derive(Serialize, Deserialize)]
struct RefusalV1 {
    part: u32,
    said: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    said_to_plain: Option<String>,
}

impl From<Refusal> for RefusalV1 {
    fn from(refusal: Refusal) -> Self {
        let Refusal {
            part,
            said,
            said_to_plain,
        } = refusal;
        Self {
            part,
            said,
            said_to_plain,
        }
    }
}

impl From<RefusalV1> for Refusal {
    fn from(stored: RefusalV1) -> Self {
        let RefusalV1 {
            part,
            said,
            said_to_plain,
        } = stored;
        Self {
            part,
            said,
            said_to_plain,
        }
    }
}

#[derive(Serialize, Deserialize)]
struct RenderingV1 {
    digest: DigestId,
    platform: Platform,
    lang: Lang,
    style: Style,
    zone: Tz,
    #[serde(default, skip_serializing_if = "is_post")]
    revision: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum StateV1 {
    Available { at: DateTime<Utc> },
    Leased { until: DateTime<Utc> },
    Sent { at: DateTime<Utc> },
    Rejected { reason: String, at: DateTime<Utc> },
    Gone { reason: String, at: DateTime<Utc> },
    Dropped { at: DateTime<Utc> },
}

impl From<State> for StateV1 {
    fn from(state: State) -> Self {
        match state {
            State::Available { at } => Self::Available { at },
            State::Leased { until } => Self::Leased { until },
            State::Sent { at } => Self::Sent { at },
            State::Discarded { reason, at } => match reason {
                Discard::Rejected(reason) => Self::Rejected { reason, at },
                Discard::Gone(reason) => Self::Gone { reason, at },
                Discard::Dropped => Self::Dropped { at },
            },
        }
    }
}

impl From<StateV1> for State {
    fn from(stored: StateV1) -> Self {
        let discarded = |reason, at| Self::Discarded { reason, at };
        match stored {
            StateV1::Available { at } => Self::Available { at },
            StateV1::Leased { until } => Self::Leased { until },
            StateV1::Sent { at } => Self::Sent { at },
            StateV1::Rejected { reason, at } => discarded(Discard::Rejected(reason), at),
            StateV1::Gone { reason, at } => discarded(Discard::Gone(reason), at),
            StateV1::Dropped { at } => discarded(Discard::Dropped, at),
        }
    }
}

impl From<Delivery> for DeliveryV1 {
    fn from(delivery: Delivery) -> Self {
        let Delivery {
            id: DeliveryId {
                place,
                digest,
                revision,
            },
            rendering,
            state,
            parts,
            edits,
            message_ids,
            refused,
            again,
            plain,
            first_sent,
            after,
            doubt,
            decisions,
            attempts,
            last_error,
            published_at,
        } = delivery;
        let RenderingId {
            digest: rendered,
            platform,
            lang,
            style,
            zone,
            revision: form,
        } = rendering;
        Self {
            place,
            digest,
            revision,
            rendering: RenderingV1 {
                digest: rendered,
                platform,
                lang,
                style,
                zone,
                revision: form,
            },
            state: state.into(),
            parts,
            edits,
            message_ids,
            refused: refused.into_iter().map(Into::into).collect(),
            again,
            plain,
            sending: false,
            uncertain: doubt != Doubt::None,
            resend: doubt == Doubt::Accepted,
            first_sent,
            after,
            decisions: decisions.into_iter().map(Into::into).collect(),
            attempts,
            last_error,
            published_at,
        }
    }
}

impl From<DeliveryV1> for Delivery {
    fn from(stored: DeliveryV1) -> Self {
        let DeliveryV1 {
            place,
            digest,
            revision,
            rendering,
            state,
            parts,
            edits,
            message_ids,
            refused,
            again,
            plain,
            sending,
            uncertain,
            resend,
            first_sent,
            after,
            decisions,
            attempts,
            last_error,
            published_at,
        } = stored;
        let RenderingV1 {
            digest: rendered,
            platform,
            lang,
            style,
            zone,
            revision: form,
        } = rendering;
        Self {
            id: DeliveryId {
                place,
                digest,
                revision,
            },
            rendering: RenderingId {
                digest: rendered,
                platform,
                lang,
                style,
                zone,
                revision: form,
            },
            state: state.into(),
            parts,
            edits,
            message_ids,
            refused: refused.into_iter().map(Into::into).collect(),
            again,
            plain,
            first_sent,
            after,
            doubt: match (sending, uncertain, resend) {
                (true, _, _) | (false, true, false) => Doubt::Open,
                (false, true, true) => Doubt::Accepted,
                (false, false, _) => Doubt::None,
            },
            decisions: decisions.into_iter().map(Into::into).collect(),
            attempts,
            last_error,
            published_at,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Debug;

    use super::*;
    use crate::brief::Origin;
    use crate::erratum::{Count, Erratum, Kind, Repair};
    use crate::source::{Announcement, SourceKind};
    use crate::topic::{Score, Verdict};
    use crate::vote::Vote;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn brief() -> Brief {
        Brief {
            lang: Lang::Zh,
            origin: Origin::Imported,
            text: "某大学提出分页注意力。".to_owned(),
        }
    }

    fn window() -> Window {
        Window {
            source: SourceKind::ArxivMail,
            from: at("2025-10-08T18:00:00Z"),
            to: at("2025-10-09T18:00:00Z"),
        }
    }

    fn topic() -> TopicId {
        TopicId("inference".to_owned())
    }

    fn hit() -> Hit {
        Hit {
            term: "KV cache".to_owned(),
            points: 18,
            in_title: true,
        }
    }

    fn subjects() -> Subjects {
        Subjects::new([topic()], ["kv cache".to_owned()])
    }

    fn digest_id() -> DigestId {
        "9f86d081884c7d65@20251010T090000Z".parse().unwrap()
    }

    fn paper() -> PaperRecord {
        fn field<T>(value: T) -> Option<Field<T>> {
            Some(Field::new(value, SourceKind::ArxivMail))
        }
        let paper = Paper {
            id: PaperId::Arxiv("2510.09212".to_owned()),
            version: 2,
            title: field("Paged “attention”".to_owned()),
            authors: field(vec!["A. Estévez".to_owned(), "李雷".to_owned()]),
            author_count: Some(Field::new(2, SourceKind::Report)),
            institutions: Some(Field::new(vec!["清华大学".to_owned()], SourceKind::Report)),
            categories: field(vec!["cs.LG".to_owned()]),
            abstract_text: field("One.\nTwo.".to_owned()),
            comments: field("12 pages".to_owned()),
            doi: field("10.1000/182".to_owned()),
            journal_ref: field("J. 1".to_owned()),
            submitted: Some(at("2025-10-08T12:00:00Z")),
            revised: Some(at("2025-10-09T12:00:00.5Z")),
            upvotes: None,
            works: Vec::new(),
            briefs: vec![brief()],
        };
        PaperRecord {
            paper,
            sketch: vec![1, u64::MAX],
        }
    }

    fn channel() -> Channel {
        Channel {
            place: Place::telegram(-1_001_234_567_890, Some(42)),
            settings: Settings {
                subjects: subjects(),
                schedule: None,
                timezone: chrono_tz::Asia::Shanghai,
                language: Lang::Zh,
                when_empty: WhenEmpty::Silent,
                style: Style::Full,
                missed: Missed::Merge,
                weekly: None,
            },
            cursor: 363,
            last_fired: Some(at("2025-10-10T01:00:00Z")),
            next_due: Some(at("2025-10-11T01:00:00Z")),
            last_weekly: None,
            weekly_due: None,
            activity: Activity::Paused {
                reason: "Forbidden: bot was kicked".to_owned(),
                since: at("2025-10-10T02:00:00Z"),
            },
            added_at: at("2025-10-01T00:00:00Z"),
            configured_as: Some("telegram:-1001234567890/42".parse().unwrap()),
            configured_with: None,
            owner: None,
            resting: Subjects::default(),
            mentions: Vec::new(),
        }
    }

    fn channels() -> Vec<ChannelRecord> {
        let all = [
            channel(),
            Channel {
                owner: Some("1001".to_owned()),
                ..channel()
            },
            Channel {
                resting: Subjects::new([TopicId("robots".to_owned())], []),
                configured_with: Some(Settings {
                    style: Style::Compact,
                    ..channel().settings
                }),
                settings: Settings {
                    subjects: subjects().with_rules(["kv cache -survey".parse().unwrap()]),
                    ..channel().settings
                },
                ..channel()
            },
            Channel {
                settings: Settings {
                    missed: Missed::Replay,
                    ..channel().settings
                },
                activity: Activity::Snoozed {
                    until: Some(at("2025-10-12T16:00:00Z")),
                    since: at("2025-10-10T02:00:00Z"),
                    by: "1001".to_owned(),
                },
                ..channel()
            },
            Channel {
                mentions: vec![
                    (7, Mention::Role(987_654_321_098_765_432)),
                    (u64::MAX, Mention::Name("kv_team".to_owned())),
                ],
                ..channel()
            },
            Channel {
                settings: Settings {
                    weekly: Schedule::parse("0 17 * * 5").ok(),
                    ..channel().settings
                },
                last_weekly: Some(at("2025-10-03T09:00:01Z")),
                weekly_due: Some(at("2025-10-10T09:00:00Z")),
                ..channel()
            },
        ];
        all.map(ChannelRecord::from).into()
    }

    fn digest() -> Digest {
        Digest {
            id: digest_id(),
            subjects: subjects(),
            week: None,
            since: 0,
            upto: 363,
            windows: vec![window()],
            considered: 363,
            matched: 39,
            entries: vec![Entry {
                number: 1,
                paper: PaperId::Doi("10.1000/182".to_owned()),
                title: "Paged attention".to_owned(),
                briefs: vec![EntryBrief {
                    reader: Lang::En,
                    brief: brief(),
                    replaced: None,
                }],
                institutions: vec!["清华大学".to_owned()],
                author_count: None,
                points: 24,
                topics: vec![topic()],
                hits: vec![hit()],
            }],
        }
    }

    fn summary() -> DigestSummary {
        DigestSummary {
            digest: digest_id(),
            channels: 12,
            parts: 36,
            first_sent: Some(at("2025-10-10T09:00:01Z")),
            last_sent: Some(at("2025-10-10T09:00:09Z")),
            gone: 2,
            dropped: 1,
        }
    }

    fn errata() -> Errata {
        let erratum = |kind| Erratum {
            number: 4,
            paper: PaperId::Arxiv("2510.09212".to_owned()),
            at: at("2025-10-12T20:00:00Z"),
            kind,
        };
        Errata {
            digest: digest_id(),
            revision: 3,
            errata: vec![
                erratum(Kind::Repaired(Repair {
                    title: Some("Paged attention".to_owned()),
                    institutions: Some(vec!["清华大学".to_owned()]),
                    author_count: None,
                })),
                erratum(Kind::NewVersion {
                    version: Some(3),
                    revised: Some(at("2025-10-11T08:00:00Z")),
                }),
                erratum(Kind::Withdrawn),
            ],
            ..Errata::new(digest_id())
        }
    }

    fn tally() -> Tally {
        Tally { up: 3, down: 1 }
    }

    fn delivery(state: State) -> Delivery {
        Delivery {
            id: DeliveryId::post(Place::discord(123_456_789_012_345_678), digest_id()),
            rendering: RenderingId {
                digest: digest_id(),
                platform: Platform::Discord,
                lang: Lang::En,
                style: Style::Compact,
                zone: chrono_tz::UTC,
                revision: 0,
            },
            state,
            parts: 3,
            edits: Vec::new(),
            message_ids: vec!["77".to_owned(), String::new()],
            refused: Vec::new(),
            again: Vec::new(),
            plain: None,
            first_sent: None,
            after: None,
            doubt: Doubt::Open,
            decisions: Vec::new(),
            attempts: 4,
            last_error: Some("not reached: reset".to_owned()),
            published_at: at("2025-10-10T09:00:01Z"),
        }
    }

    fn intake() -> IntakeRecord {
        IntakeRecord {
            seq: 7,
            paper: PaperId::provisional("a", "b"),
            announcement: Announcement::CrossList,
            window: Some(window()),
            taken_at: at("2025-10-09T20:00:00Z"),
        }
    }

    fn ledger() -> WindowRecord {
        WindowRecord {
            window: window(),
            taken_at: at("2025-10-09T20:00:00Z"),
            repeats: 1,
            since: 0,
            upto: 363,
            items: 600,
            replacements: 237,
            again_at: None,
            asked: None,
            new: None,
        }
    }

    fn content() -> ContentRecord {
        ContentRecord {
            hash: "9f86d081".to_owned(),
            name: "mail.txt".to_owned(),
            source: SourceKind::ArxivMail,
            taken_at: at("2025-10-09T20:00:00Z"),
            repeats: vec![at("2025-10-10T20:00:00Z")],
        }
    }

    fn matching() -> MatchRecord {
        MatchRecord {
            seq: 7,
            paper: PaperId::Url("https://example.org/a".to_owned()),
            score: Score {
                topic: topic(),
                points: 18,
                hits: vec![hit()],
                verdict: Verdict::ExcludedTerm("survey".to_owned()),
                learned: None,
            },
        }
    }

    fn part() -> Part {
        Part {
            payload: r#"{"content":"今日论文"}"#.to_owned(),
        }
    }

    fn snapshot(name: &str) -> String {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/store/snapshots");
        std::fs::read_to_string(format!("{folder}/paperwire_core__store__record__tests__{name}.snap")).unwrap()
    }

    /// The text of a snapshot file, without insta's own header.
    fn text(snapshot: &str) -> &[u8] {
        let body = snapshot.splitn(3, "---\n").nth(2).unwrap();
        body.trim_end_matches('\n').as_bytes()
    }

    macro_rules! stored_forms {
        ($($name:literal: $record:expr),+ $(,)?) => {
            #[test]
            fn the_stored_form_of_each_record_is_the_agreed_one() {
                $(
                    let bytes = encode($record).unwrap();
                    insta::assert_snapshot!($name, String::from_utf8(bytes).unwrap());
                )+
            }

            #[test]
            fn a_record_of_any_version_still_reads() {
                fn check<R: Record + PartialEq + Debug>(name: &str, expected: R) {
                    assert_eq!(decode::<R>(text(&snapshot(name))), Ok(expected));
                }
                $(check($name, $record);)+
            }
        };
    }

    stored_forms! {
        "paper_v1": paper(),
        "paper_voted_v1": PaperRecord {
            paper: Paper {
                upvotes: Some(Field::as_of(23, SourceKind::HuggingFace, Some(at("2025-10-09T20:00:00Z")))),
                works: vec![7, u64::MAX],
                ..paper().paper
            },
            ..paper()
        },
        "channel_v2": channels().remove(0),
        "channel_owned_v2": channels().remove(1),
        "channel_revised_v2": channels().remove(2),
        "channel_snoozed_v2": channels().remove(3),
        "channel_calling_v2": channels().remove(4),
        "channel_weekly_v2": channels().remove(5),
        "rule_v1": RuleRecord { rule: "kv cache -survey".parse().unwrap() },
        "digest_v1": digest(),
        "digest_weekly_v1": Digest { week: Some(at("2025-10-10T09:00:00Z")), ..digest() },
        "delivery_available_v1": delivery(State::Available { at: at("2025-10-10T09:00:00Z") }),
        "delivery_leased_v1": delivery(State::Leased { until: at("2025-10-10T09:02:00Z") }),
        "delivery_sent_v1": delivery(State::Sent { at: at("2025-10-10T09:00:00Z") }),
        "delivery_rejected_v1": delivery(State::Discarded {
            reason: Discard::Rejected("Bad Request".to_owned()),
            at: at("2025-10-10T09:00:00Z"),
        }),
        "delivery_gone_v1": delivery(State::Discarded {
            reason: Discard::Gone("blocked".to_owned()),
            at: at("2025-10-10T09:00:00Z"),
        }),
        "delivery_dropped_v1": delivery(State::Discarded {
            reason: Discard::Dropped,
            at: at("2025-10-10T09:00:00Z"),
        }),
        "delivery_decided_v1": Delivery {
            first_sent: Some(at("2025-10-10T08:59:00Z")),
            after: Some("77".to_owned()),
            doubt: Doubt::Accepted,
            decisions: [
                crate::delivery::Verdict::Found,
                crate::delivery::Verdict::NotThere,
                crate::delivery::Verdict::Resent("a shared counter".to_owned()),
                crate::delivery::Verdict::Skipped("a shared counter".to_owned()),
            ]
            .into_iter()
            .map(|verdict| crate::delivery::Decision { part: 1, at: at("2025-10-10T09:00:00Z"), verdict })
            .collect(),
            ..delivery(State::Available { at: at("2025-10-10T09:00:00Z") })
        },
        "delivery_refused_v1": Delivery {
            refused: vec![
                Refusal { part: 1, said: "Bad Request".to_owned(), said_to_plain: Some("Too Long".to_owned()) },
                Refusal { part: 0, said: "unreadable".to_owned(), said_to_plain: None },
            ],
            again: vec![2],
            plain: Some("Bad Request".to_owned()),
            ..delivery(State::Available { at: at("2025-10-10T09:00:00Z") })
        },
        "delivery_correction_v1": {
            let mut correction = delivery(State::Available { at: at("2025-10-10T09:00:00Z") });
            correction.id.revision = 2;
            correction.rendering.revision = 2;
            correction.edits = vec![1];
            correction.decisions = vec![crate::delivery::Decision {
                part: 1,
                at: at("2025-10-10T09:00:00Z"),
                verdict: crate::delivery::Verdict::Unedited("message to edit not found".to_owned()),
            }];
            correction
        },
        "errata_v1": errata(),
        "errata_with_counts_v1": Errata {
            counts: vec![Count { number: 2, tally: tally() }],
            rest_until: Some(at("2025-10-12T20:05:00Z")),
            ..errata()
        },
        "vote_v1": Ballot { vote: Vote::Down, at: at("2025-10-12T20:00:00Z") },
        "tally_v1": tally(),
        "saved_v1": Saved {
            paper: PaperId::Arxiv("2510.09212".to_owned()),
            at: at("2025-10-12T20:00:00Z"),
        },
        "intake_v1": intake(),
        "window_v1": ledger(),
        "content_v1": content(),
        "match_v1": matching(),
        "part_v1": part(),
        "digest_summary_v1": summary(),
    }

    #[test]
    fn a_channel_of_version_1_still_reads() {
        let names = ["", "owned_", "revised_", "snoozed_", "calling_", "weekly_"];
        for (name, expected) in names.into_iter().zip(channels()) {
            let read = decode::<ChannelRecord>(text(&snapshot(&format!("channel_{name}v1"))));
            assert_eq!(read, Ok(expected));
        }
    }

    #[test]
    fn a_channel_is_found_under_the_keys_that_its_rules_had_when_it_was_written() {
        let whole = String::from_utf8(encode(channels().remove(2)).unwrap()).unwrap();
        let rule: Rule = "kv cache -survey".parse().unwrap();
        let key = format!("{:016x}", rule.key());
        let read = decode::<ChannelRecord>(whole.replace(&key, "00000000000000ff").as_bytes()).unwrap();
        assert_eq!(
            (read.follows, read.channel.follows()),
            (vec![255], [(rule.key(), &rule)].into())
        );
        let reason = decode::<ChannelRecord>(whole.replace(&key, "x").as_bytes()).unwrap_err();
        assert!(reason.contains("“x” is no key"), "{reason}");
    }

    #[test]
    fn a_record_of_a_newer_program_is_refused_with_its_version() {
        let reason = decode::<Part>(br#"v2 {"payload":"x"}"#).unwrap_err();
        assert!(reason.contains("version 2") && reason.contains("1 to 1"), "{reason}");
    }

    proptest::proptest! {
        #[test]
        fn damaged_bytes_give_a_reason_or_a_record_that_is_written_alike(
            bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..40),
            cut in 0..200_usize,
        ) {
            proptest::prop_assert!(decode::<ChannelRecord>(&bytes).is_err());
            let whole = encode(ChannelRecord::from(channel())).unwrap();
            let part = whole.get(..cut).unwrap();
            proptest::prop_assert!(decode::<ChannelRecord>(part).is_err());
        }
    }
}
