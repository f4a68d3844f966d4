//! What Paperwire remembers, and the promises that every store keeps. The stages of the [`crate::pipeline`] read through
//! this trait and describe what shall change as a list of [`Write`]s; a store applies such a list whole or not at all.
//!
//! Promises, proved for every implementation by `exercise()`:
//! - a commit is atomic, and visible to the next read;
//! - after [`Store::sync`] has returned, what was committed before survives a crash and a loss of power;
//! - indices follow the records: there is no write for an index alone;
//! - nothing needs repair by hand after a crash;
//! - a record that cannot be read harms no other: asked for by its key it is named ([`StoreError::Damaged`]), a list
//!   leaves it out, [`Store::damaged`] finds all of them, and writing it anew heals it.
//!
//! One thread writes at a time; the stages rely on nobody else writing between their reads and their commit.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::channel::{Activity, Channel, Place, Platform, Seq};
use crate::delivery::{Delivery, DeliveryId, Discard, State};
use crate::digest::{Digest, DigestId, RenderingId};
use crate::erratum::Errata;
use crate::message::Part;
use crate::paper::{Paper, PaperId};
use crate::rule::Rule;
use crate::source::scope::Scope;
use crate::source::{Announcement, SourceKind, Window};
use crate::topic::{Score, TopicId};
use crate::vote::{Person, Saved, Tally, Vote};

mod journal;
mod layered;
mod model;
mod record;
mod sled;
mod space;

#[cfg(test)]
mod exercise;

pub use self::model::ModelStore;
pub use self::sled::{OpenError, SledStore};
pub use self::space::{Compaction, Space};

/// Why a store cannot answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// One record cannot be read; the others can.
    #[error("record {key} is damaged: {reason}")]
    Damaged {
        /// Its key, readable.
        key: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The storage itself fails (disk full, I/O error): nothing more can be written until it is opened anew.
    #[error("the store cannot be used any more: {0}")]
    Broken(String),
}

/// The most papers that [`Store::similar`] returns.
const SIMILAR_MAX: usize = 50;
/// A fingerprint of more papers than this tells none from the others: a title that a workshop gives to all of its papers, a
/// publisher's notice in place of every abstract. [`Store::similar`] takes it for none, so that what one such fingerprint
/// costs does not grow with the archive.
const SHARED_MAX: usize = 128;

/// Short for the store's results.
pub type Result<T> = std::result::Result<T, StoreError>;

/// A file that was taken in, known by its content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContentRecord {
    /// SHA-256 of its bytes in hexadecimal.
    pub hash: String,
    /// The name under which it came first.
    pub name: String,
    /// Which source it was.
    pub source: SourceKind,
    /// When it came first.
    pub taken_at: DateTime<Utc>,
    /// The last times that it came again, oldest first.
    pub repeats: Vec<DateTime<Utc>>,
}

/// A window in the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WindowRecord {
    /// Which interval of which source. Key of the record.
    pub window: Window,
    /// When it was taken in first.
    pub taken_at: DateTime<Utc>,
    /// How many times it came again after that (the same content or not). With categories that it had not been asked for
    /// before it does not come again.
    pub repeats: u32,
    /// The intake position before its first new paper.
    pub since: Seq,
    /// The intake position of its last new paper; equal to `since` when it brought none.
    pub upto: Seq,
    /// How many items it had, replacements included.
    pub items: u32,
    /// How many of them were replacements.
    pub replacements: u32,
    /// When it came last, if it came again; records of before this was kept do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub again_at: Option<DateTime<Utc>>,
    /// The categories that it was asked for, at whichever time. `None` stands for any: nobody chose any (a mailing's are those
    /// that its reader has subscribed to), or the record is from before this was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<Scope>,
    /// How many new papers it brought, if it came again: others lie between its positions then. Records of before this was
    /// kept do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new: Option<u64>,
}

impl WindowRecord {
    /// How many new papers it brought, however often it came.
    pub fn new_papers(&self) -> u64 {
        self.new.unwrap_or_else(|| self.upto.saturating_sub(self.since))
    }

    /// When it was taken in last.
    pub fn last_at(&self) -> DateTime<Utc> {
        self.again_at.unwrap_or(self.taken_at)
    }
}

/// One paper's place in the order in which candidates came in; a paper has at most one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IntakeRecord {
    /// The position, from 1, without holes.
    pub seq: Seq,
    /// Which paper.
    pub paper: PaperId,
    /// How it was announced.
    pub announcement: Announcement,
    /// The window in which it came, if its source has windows.
    pub window: Option<Window>,
    /// When it was taken in.
    pub taken_at: DateTime<Utc>,
}

/// A paper that a topic keeps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MatchRecord {
    /// Position of the paper. The key is (topic, seq).
    pub seq: Seq,
    /// Which paper.
    pub paper: PaperId,
    /// The score with its explanation.
    pub score: Score,
}

/// What is kept of a digest's deliveries when they themselves are removed ([`Write::Archive`]).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DigestSummary {
    /// Which digest. Key of the record.
    pub digest: DigestId,
    /// To how many channels it went whole.
    pub channels: u32,
    /// How many parts arrived, in whichever channel.
    pub parts: u64,
    /// When the first channel had it whole.
    pub first_sent: Option<DateTime<Utc>>,
    /// When the last one had.
    pub last_sent: Option<DateTime<Utc>>,
    /// How many deliveries ended because their channel could not be written to any more.
    pub gone: u32,
    /// How many an operator took out of the queue.
    pub dropped: u32,
}

impl DigestSummary {
    /// Of a digest none of whose deliveries was removed yet.
    fn new(digest: DigestId) -> Self {
        Self {
            digest,
            channels: 0,
            parts: 0,
            first_sent: None,
            last_sent: None,
            gone: 0,
            dropped: 0,
        }
    }

    /// Adds a delivery that has ended; one that has not is not counted, nor is a correction.
    fn add(&mut self, delivery: &Delivery) {
        if delivery.id.is_correction() {
            return;
        }
        match &delivery.state {
            State::Sent { at } => {
                self.channels = self.channels.saturating_add(1);
                self.first_sent = Some(self.first_sent.map_or(*at, |first| first.min(*at)));
                self.last_sent = Some(self.last_sent.map_or(*at, |last| last.max(*at)));
            }
            State::Discarded { reason, .. } => match reason {
                Discard::Gone(_) => self.gone = self.gone.saturating_add(1),
                Discard::Dropped => self.dropped = self.dropped.saturating_add(1),
                Discard::Rejected(_) => return,
            },
            State::Available { .. } | State::Leased { .. } => return,
        }
        let arrived = u64::try_from(delivery.arrived()).unwrap_or(u64::MAX);
        self.parts = self.parts.saturating_add(arrived);
    }
}

/// When a delivery ended that may be archived: sent, or given up for good. `None` for one that goes on, for a dead letter,
/// which waits for its operator, and on the web page, which shows its deliveries themselves: no platform keeps them for it.
fn ended(delivery: &Delivery) -> Option<DateTime<Utc>> {
    if delivery.id.place.platform() == Platform::Web {
        return None;
    }
    match &delivery.state {
        State::Sent { at }
        | State::Discarded {
            reason: Discard::Gone(_) | Discard::Dropped,
            at,
        } => Some(*at),
        State::Discarded {
            reason: Discard::Rejected(_),
            ..
        }
        | State::Available { .. }
        | State::Leased { .. } => None,
    }
}

/// A message id as a number, if it is one: the order in which a platform gave them.
fn message_number(id: &str) -> Option<u64> {
    let digits = id.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| id.parse().ok()).flatten()
}

/// What a [`Write::Memo`] is about: each space has its own keys, and its owner decides what they and the values are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MemoSpace {
    /// What a source remembers between two requests, by its name.
    Source,
    /// What a language model made of a paper, by everything that decides it.
    Brief,
    /// What was spent on a day.
    Spent,
    /// Why a digest was posted or held back, by its id.
    Decision,
    /// Digests that are held back, by their ids.
    Held,
    /// Who was asked about a paper's institutions, by its id.
    Affiliation,
    /// What somebody should look at, and whether they were told, by what it is.
    Alarm,
    /// Files of which hardly an item could be read, by the position after them.
    Lost,
    /// What a judge said of a paper near a topic's threshold, by everything that decides it.
    Judged,
    /// What came in without a window, by day and source.
    Day,
}

/// A rule, which the store has once, however many channels follow it and however they spell it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FollowedRule {
    /// [`Rule::key`].
    pub key: u64,
    /// The rule, in its canonical form.
    pub rule: Rule,
    /// How many channels follow it; one that lets it rest is among them.
    pub channels: u64,
}

/// How much there is of what an operator watches.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Unfinished deliveries of each platform that has any.
    pub waiting: BTreeMap<Platform, u64>,
    /// As many as [`Store::dead_letters`] could list.
    pub dead_letters: u64,
    /// Channels that get digests.
    pub active: u64,
    /// Channels that cannot be written to.
    pub paused: u64,
    /// Channels that their people paused.
    pub snoozed: u64,
    /// Channels that the configuration no longer has.
    pub absent: u64,
}

impl MemoSpace {
    /// Its name in a store's keys.
    pub fn name(self) -> &'static str {
        match self {
            Self::Affiliation => "affiliation",
            Self::Source => "source",
            Self::Brief => "brief",
            Self::Spent => "spent",
            Self::Decision => "decision",
            Self::Held => "held",
            Self::Alarm => "alarm",
            Self::Lost => "lost",
            Self::Judged => "judged",
            Self::Day => "day",
        }
    }
}

impl Counts {
    fn add_channel(&mut self, channel: &Channel) {
        *match channel.activity {
            Activity::Active => &mut self.active,
            Activity::Paused { .. } => &mut self.paused,
            Activity::Snoozed { .. } => &mut self.snoozed,
            Activity::Absent { .. } => &mut self.absent,
        } += 1;
    }
}

/// One change. A commit is a list of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Write {
    /// Puts a paper under its id, and its fingerprints ([`crate::join::sketch`]) into the index behind
    /// [`Store::similar`]; fingerprints of the paper's earlier state go.
    Paper(Box<Paper>),
    /// From now on `from` is another name of `to`: [`Store::paper`] and [`Store::intake_of`] follow it. The paper stored
    /// under `from`, if any, is removed with its fingerprints. Where `to` is already another name of `from`, nothing
    /// happens: no name may lead back to itself.
    Alias {
        /// The old name: provisional, or another of the same work's.
        from: PaperId,
        /// The paper's own name.
        to: PaperId,
    },
    /// Puts a position of the intake order.
    Intake(IntakeRecord),
    /// Puts a window, by (source, from, to).
    Window(WindowRecord),
    /// Puts a file's content, by hash.
    Content(ContentRecord),
    /// Puts a match, by (topic, seq).
    Match(Box<MatchRecord>),
    /// Removes a topic's matches with `after < seq <= upto`, before they are computed anew.
    ClearMatches {
        /// Whose.
        topic: TopicId,
        /// After which position.
        after: Seq,
        /// Up to which position.
        upto: Seq,
    },
    /// Remembers with which profile a topic's matches were computed.
    TopicFingerprint {
        /// Whose.
        topic: TopicId,
        /// [`crate::topic::Topic::fingerprint`].
        fingerprint: u64,
    },
    /// Puts a channel under its place; the indices by [`Channel::due`] (channels that are active, or will be by themselves)
    /// and by `configured_as` and the rules ([`Store::rules`]) follow.
    Channel(Box<Channel>),
    /// Removes a channel, and the rules that it was the last to follow. Its deliveries stay.
    RemoveChannel(Place),
    /// Puts a digest under its id; the index by paper follows.
    Digest(Box<Digest>),
    /// Puts a digest's errata.
    Errata(Box<Errata>),
    /// Puts the parts of a rendering.
    Rendering {
        /// Which.
        id: RenderingId,
        /// Its parts, in order.
        parts: Vec<Part>,
    },
    /// Puts a delivery under its id; the indices by due time, by place, by digest, by message id (of posts alone), of dead
    /// letters and of ended ones follow.
    Delivery(Box<Delivery>),
    /// Removes a delivery and its index entries (a moved channel's, under the old place).
    RemoveDelivery(DeliveryId),
    /// Removes a delivery that ended ([`Store::finished_before`]) and adds it to its digest's summary; its messages still
    /// lead to the digest. After the commit, a digest without any delivery has no renderings either. Of a delivery that
    /// has not ended, and of a dead letter, it changes nothing.
    Archive(DeliveryId),
    /// Sets an unfinished delivery aside that cannot be read ([`Store::unreadable`]): it leaves every index, so that what
    /// stands behind it goes on, and its bytes are kept ([`Store::set_aside`]). One that can be read stays as it is.
    SetAside(DeliveryId),
    /// Remembers that a message was sent.
    Sent {
        /// Where.
        place: Place,
        /// When.
        at: DateTime<Utc>,
    },
    /// Forgets what was sent on a platform before this instant.
    ForgetSent {
        /// Where.
        platform: Platform,
        /// What was sent then or later stays.
        before: DateTime<Utc>,
    },
    /// Puts what a platform's limiter wants to know after a restart.
    LimiterMemory {
        /// Whose.
        platform: Platform,
        /// Its own business, version included.
        memory: String,
    },
    /// Puts a note under its key, or removes it.
    Memo {
        /// Whose.
        space: MemoSpace,
        /// At most 200 bytes.
        key: String,
        /// Its owner's business, version included; `None` removes it.
        value: Option<String>,
    },
    /// Puts a person's vote on a paper, by both; the tally follows. It is kept under the paper's real name, to which an
    /// [`Write::Alias`] takes it along: of two from one person, the later one stays.
    Vote {
        /// Whose.
        person: Person,
        /// On which, by any of its names.
        paper: PaperId,
        /// What it says; `None` withdraws it.
        vote: Option<Vote>,
        /// When.
        at: DateTime<Utc>,
    },
    /// Puts a paper on a person's reading list, or takes it off; it moves with the paper's name like a vote.
    Save {
        /// Whose.
        person: Person,
        /// Which, by any of its names.
        paper: PaperId,
        /// Since when; `None` takes it off.
        at: Option<DateTime<Utc>>,
    },
    /// Notes that what a digest shows of votes is to be looked at from `due` on, if that is not noted for an earlier time
    /// already.
    Outdated {
        /// Which.
        digest: DigestId,
        /// From when on.
        due: DateTime<Utc>,
    },
    /// Removes that note.
    Shown(DigestId),
}

/// Everything that Paperwire remembers.
pub trait Store: Send + Sync {
    /// The paper of this id, or of the id that replaced it.
    fn paper(&self, id: &PaperId) -> Result<Option<Paper>>;
    /// Papers that share at least one fingerprint, those that share most first, then by id; at most 50. A fingerprint that
    /// more than 128 papers have is none.
    fn similar(&self, sketch: &[u64]) -> Result<Vec<PaperId>>;
    /// The last intake position given; 0 when there is none.
    fn head(&self) -> Result<Seq>;
    /// Intake positions with `after < seq <= upto`, ascending, at most `limit`.
    fn intake(&self, after: Seq, upto: Seq, limit: usize) -> Result<Vec<IntakeRecord>>;
    /// The paper's intake position, under whichever of its names it came in; the earliest if there are several.
    fn intake_of(&self, paper: &PaperId) -> Result<Option<IntakeRecord>>;
    /// The whole ledger, by source, then `from`, then `to`.
    fn windows(&self) -> Result<Vec<WindowRecord>>;
    /// One window of the ledger.
    fn window(&self, window: &Window) -> Result<Option<WindowRecord>>;
    /// The file with this hash, if it was taken in before.
    fn content(&self, hash: &str) -> Result<Option<ContentRecord>>;
    /// A topic's matches with `after < seq <= upto`, ascending.
    fn matches(&self, topic: &TopicId, after: Seq, upto: Seq) -> Result<Vec<MatchRecord>>;
    /// With which profile the topic's matches were computed.
    fn topic_fingerprint(&self, topic: &TopicId) -> Result<Option<u64>>;
    /// The channel at this place.
    fn channel(&self, place: &Place) -> Result<Option<Channel>>;
    /// All channels, by place.
    fn channels(&self) -> Result<Vec<Channel>>;
    /// The channels that stand in the configuration: by the place that it names, where they are, in this order.
    fn configured(&self) -> Result<Vec<(Place, Place)>> {
        let channels = self.channels()?.into_iter();
        let mut all: Vec<_> = channels.filter_map(|c| Some((c.configured_as?, c.place))).collect();
        all.sort();
        Ok(all)
    }
    /// Every rule that a channel follows ([`Channel::follows`]), once, by key. One whose own record cannot be read is left
    /// out; the channels that follow it are not harmed, and the next one of them that is written heals it.
    fn rules(&self) -> Result<Vec<FollowedRule>> {
        let channels = self.channels()?;
        let mut rules = BTreeMap::new();
        for (key, rule) in channels.iter().flat_map(Channel::follows) {
            let followed = rules.entry(key).or_insert_with(|| FollowedRule {
                key,
                rule: rule.anonymous(),
                channels: 0,
            });
            followed.channels += 1;
        }
        Ok(rules.into_values().collect())
    }
    /// Channels, active or snoozed, whose [`Channel::due`] is not after `now`, most overdue first, then by place; at most `limit`.
    fn channels_due(&self, now: DateTime<Utc>, limit: usize) -> Result<Vec<Channel>>;
    /// When the next of them is due.
    fn next_channel_due(&self) -> Result<Option<DateTime<Utc>>>;
    /// The digest of this id.
    fn digest(&self, id: &DigestId) -> Result<Option<Digest>>;
    /// Ids of digests, latest occurrence first, at most `limit`, only those before `before` if given.
    fn digests(&self, before: Option<DigestId>, limit: usize) -> Result<Vec<DigestId>>;
    /// The digests with an entry for this paper, under whichever of its names, earliest occurrence first.
    fn digests_of_paper(&self, paper: &PaperId) -> Result<Vec<DigestId>>;
    /// The errata of a digest; `None` when it has none.
    fn errata(&self, id: &DigestId) -> Result<Option<Errata>>;
    /// One part of a rendering; `index` from 0.
    fn part(&self, id: &RenderingId, index: u32) -> Result<Option<Part>>;
    /// The delivery of this id.
    fn delivery(&self, id: &DeliveryId) -> Result<Option<Delivery>>;
    /// A place's deliveries, latest occurrence first and of each the latest correction first, the post last; at most `limit`,
    /// only those of digests before `before` if given.
    fn deliveries(&self, place: &Place, before: Option<DigestId>, limit: usize) -> Result<Vec<Delivery>>;
    /// The deliveries of a digest and its corrections that are not archived, by place, then by revision.
    fn deliveries_of_digest(&self, id: &DigestId) -> Result<Vec<DeliveryId>>;
    /// A platform's unfinished deliveries that are due at `now`, at most `limit`: first those in doubt, since what settles them
    /// is forgotten soon, then the other available ones, each by the index of their next part, so that every channel gets its first part before any gets its second, then most overdue first,
    /// then by place; behind them, in the same order, those whose lease has expired. Of one place only the one with the
    /// earliest occurrence, a post before its corrections, is ever returned, so that digests arrive in order: while it is leased or not yet due, it
    /// blocks those behind it.
    fn due(&self, platform: Platform, now: DateTime<Utc>, limit: usize) -> Result<Vec<Delivery>>;
    /// When the next unfinished delivery that [`Store::due`] could return is due.
    fn next_due(&self, platform: Platform) -> Result<Option<DateTime<Utc>>>;
    /// A platform's leased deliveries, by place, then earliest occurrence first.
    fn leased(&self, platform: Platform) -> Result<Vec<Delivery>>;
    /// All unfinished deliveries, by place, then earliest occurrence first; at most `limit`.
    fn unfinished(&self, limit: usize) -> Result<Vec<Delivery>>;
    /// Of the unfinished deliveries after `after`, in the order of their keys, the next `most`: those that cannot be read,
    /// and the last one looked at, to go on behind it; `None` when there was none to look at.
    fn unreadable(&self, after: Option<&DeliveryId>, most: usize) -> Result<(Vec<DeliveryId>, Option<DeliveryId>)> {
        let _ = (after, most);
        Ok((Vec::new(), None))
    }
    /// Deliveries that were set aside ([`Write::SetAside`]), by place, then by digest; at most `limit`.
    fn set_aside(&self, limit: usize) -> Result<Vec<DeliveryId>> {
        let _ = limit;
        Ok(Vec::new())
    }
    /// Deliveries that ended since the platform refused parts of them ([`Delivery::dead_since`]), the latest first, then by
    /// place and digest; at most `limit`.
    fn dead_letters(&self, limit: usize) -> Result<Vec<Delivery>>;
    /// Which digest the message with this platform id in this place belongs to; the latest if there are several. The
    /// empty id, of a part whose arrival nobody confirmed, belongs to none.
    fn digest_of_message(&self, place: &Place, message_id: &str) -> Result<Option<DigestId>>;
    /// The digests of which messages are known to stand in this place, also where their deliveries were archived: the latest
    /// first, each once, at most `limit`.
    fn digests_of_place(&self, place: &Place, limit: usize) -> Result<Vec<DigestId>>;
    /// The platform's ids of messages that are known to stand in this chat, in whichever thread of it: the numerically
    /// largest, descending, each once, at most `limit`. Ids that are no numbers are left out.
    fn messages_in_chat(&self, place: &Place, limit: usize) -> Result<Vec<String>>;
    /// What was sent on a platform at `since` or later: chat and time, by time, then by chat; as often as it was sent.
    fn sends(&self, platform: Platform, since: DateTime<Utc>) -> Result<Vec<(String, DateTime<Utc>)>>;
    /// What the platform's limiter wanted to know after a restart.
    fn limiter_memory(&self, platform: Platform) -> Result<Option<String>>;
    /// The note under this key.
    fn memo(&self, space: MemoSpace, key: &str) -> Result<Option<String>> {
        let _ = (space, key);
        Ok(None)
    }
    /// The notes of a space in the order of their keys, only those behind `after` if given; at most `limit`. One that cannot
    /// be read is left out.
    fn memos(&self, space: MemoSpace, after: Option<&str>, limit: usize) -> Result<Vec<(String, String)>> {
        let _ = (space, after, limit);
        Ok(Vec::new())
    }
    /// Deliveries that may be archived ([`Write::Archive`]) and ended before this instant, the earliest first, then by
    /// place and digest; at most `limit`.
    fn finished_before(&self, before: DateTime<Utc>, limit: usize) -> Result<Vec<DeliveryId>>;
    /// What is kept of the digest's archived deliveries; `None` when none was archived.
    fn digest_summary(&self, id: &DigestId) -> Result<Option<DigestSummary>>;
    /// A person's vote on a paper, by any of its names.
    fn vote(&self, person: &Person, paper: &PaperId) -> Result<Option<Vote>> {
        let _ = (person, paper);
        Ok(None)
    }
    /// All votes on a paper, by any of its names; one read, however many there are.
    fn tally(&self, paper: &PaperId) -> Result<Tally> {
        let _ = paper;
        Ok(Tally::default())
    }
    /// A person's reading list, the latest saved first, then by paper; at most `limit`.
    fn saved(&self, person: &Person, limit: usize) -> Result<Vec<Saved>> {
        let _ = (person, limit);
        Ok(Vec::new())
    }
    /// When a person has saved a paper, by any of its names, if they have.
    fn saved_at(&self, person: &Person, paper: &PaperId) -> Result<Option<DateTime<Utc>>> {
        let _ = (person, paper);
        Ok(None)
    }
    /// Digests whose counts are to be looked at ([`Write::Outdated`]) at `now`, most overdue first, then by id; at most
    /// `limit`.
    fn outdated(&self, now: DateTime<Utc>, limit: usize) -> Result<Vec<DigestId>> {
        let _ = (now, limit);
        Ok(Vec::new())
    }
    /// When the next digest's counts are to be looked at.
    fn next_outdated(&self) -> Result<Option<DateTime<Utc>>> {
        Ok(None)
    }
    /// How much waits, was refused and is followed. A record that cannot be read may be counted where its index still has
    /// it. Takes time in proportion: not for every turn of a loop.
    fn counts(&self) -> Result<Counts> {
        let mut counts = Counts::default();
        for delivery in self.unfinished(usize::MAX)? {
            *counts.waiting.entry(delivery.id.place.platform()).or_default() += 1;
        }
        counts.dead_letters = u64::try_from(self.dead_letters(usize::MAX)?.len()).unwrap_or(u64::MAX);
        self.channels()?.iter().for_each(|channel| counts.add_channel(channel));
        Ok(counts)
    }
    /// Every record that cannot be read, by name. Reads everything: for a check-up on request.
    fn damaged(&self) -> Result<Vec<StoreError>> {
        Ok(Vec::new())
    }
    /// Applies all of `writes` or none, in their order.
    fn commit(&self, writes: Vec<Write>) -> Result<()>;
    /// Makes everything committed so far durable.
    fn sync(&self) -> Result<()>;
}
