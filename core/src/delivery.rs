//! What becomes of one digest on its way to one channel. The states and every outcome's consequence stand here once, as
//! a pure function, so that nothing is lost or sent twice because a corner of some loop forgot a case.
//!
//! ```text
//! Available{at} ──claim: a part goes on the wire──▶ Leased{until} ──the last part accepted──▶ Sent{at}
//!      ▲                                                │
//!      ├── part accepted: the next one ─────────────────┤
//!      ├── part refused: the same as plain text; ───────┤
//!      │   refused again: the next one                  │
//!      ├── asked to wait, not reached, moved ───────────┤
//!      ├── no answer, lease expired: in doubt, ─────────┤
//!      │   hence looked for before it is sent again     │
//!      │                                                └── gone, or through with some parts refused ──▶ Discarded{reason}
//!      ├────────────────────── an operator's drop ─────────────────────────────────────▶ Discarded{reason}
//!      └────────────────────── an operator's retry ────────────────────────────────────────────┘
//! ```
//!
//! A correction goes the same way, with edits in the place of sends: no edit is ever in doubt, since it can be made again,
//! and one that the platform refuses leaves the message as it is.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::channel::{Place, Platform};
use crate::digest::DigestId;
use crate::text;

/// How long a claim lasts: longer than any request, so that a lease that has run out means that its holder is dead.
pub const LEASE: TimeDelta = TimeDelta::seconds(120);
/// The first pause after a failed attempt; it doubles with each further one.
const BACKOFF_BASE: TimeDelta = TimeDelta::seconds(2);
/// The longest pause.
const BACKOFF_CAP: TimeDelta = TimeDelta::minutes(30);
/// A part in doubt is not looked for before this time has passed since it went on the wire: the platform may still be
/// dealing with a request whose sender is dead. What does not stand in its chat by then will not come any more.
pub const LOOK_AFTER: TimeDelta = TimeDelta::seconds(10);
/// After so many failed attempts a part of which nobody can find out whether it arrived is taken as arrived: a platform that
/// takes everything and answers nothing would get copy after copy of it. A crash is no attempt.
const RESENT_ATTEMPTS: u32 = 10;
/// The most decisions that are kept.
const DECISIONS: usize = 20;
/// The longest wait that a platform is granted before it is asked again; more is a mistake or beyond the calendar.
const SNOOZE_CAP: TimeDelta = TimeDelta::days(1);

/// How many failed attempts one edit has. Behind it wait the channel's next digests, which are worth more.
const EDIT_ATTEMPTS: u32 = 10;

/// One digest for one channel: `telegram:-100123/42+9f86d081884c7d65@20251010T090000Z`; with `~2` behind it, its second
/// correction. No character of it means anything to a shell, so that it can be pasted into a command as it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct DeliveryId {
    /// For whom.
    pub place: Place,
    /// What.
    pub digest: DigestId,
    /// 0 is the post; from 1 the digest's corrections, which edit what was posted.
    pub revision: u32,
}

impl DeliveryId {
    /// The digest itself for a place.
    pub fn post(place: Place, digest: DigestId) -> Self {
        Self {
            place,
            digest,
            revision: 0,
        }
    }

    /// The post to which this belongs: itself or the one that it corrects.
    pub fn of_post(&self) -> Self {
        Self::post(self.place.clone(), self.digest)
    }

    /// Whether it edits what was posted.
    pub fn is_correction(&self) -> bool {
        self.revision > 0
    }
}

impl fmt::Display for DeliveryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}+{}", self.place, self.digest)?;
        match self.revision {
            0 => Ok(()),
            revision => write!(f, "~{revision}"),
        }
    }
}

/// The text is no delivery id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "“{0}” is not a delivery id such as telegram:-1001234567890+9f86d081884c7d65@20251010T090000Z; `paperwire queue` \
     shows them"
)]
pub struct DeliveryIdError(String);

impl FromStr for DeliveryId {
    type Err = DeliveryIdError;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        let parse = || {
            let (place, digest) = s.rsplit_once('+')?;
            let (digest, revision) = match digest.split_once('~') {
                None => (digest, 0),
                Some((digest, revision)) => (digest, revision.parse().ok().filter(|&n| n > 0)?),
            };
            Some(Self {
                place: place.parse().ok()?,
                digest: digest.parse().ok()?,
                revision,
            })
        };
        parse().ok_or_else(|| DeliveryIdError(s.to_owned()))
    }
}

impl From<DeliveryId> for String {
    fn from(id: DeliveryId) -> Self {
        id.to_string()
    }
}

impl TryFrom<String> for DeliveryId {
    type Error = DeliveryIdError;

    fn try_from(s: String) -> Result<Self, Self::Error> {
        s.parse()
    }
}

/// Why a delivery ends without being sent whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Discard {
    /// The platform refused parts of it as malformed: a dead letter, kept for the operator.
    Rejected(String),
    /// The channel cannot be written to any more.
    Gone(String),
    /// The operator took it out of the queue.
    Dropped,
}

/// Where a delivery stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "state")]
pub enum State {
    /// May be claimed from `at` on.
    Available {
        /// Not before.
        at: DateTime<Utc>,
    },
    /// Its next part is on the wire, or being looked for; if nothing is heard until then, it is available again.
    Leased {
        /// End of the claim.
        until: DateTime<Utc>,
    },
    /// Every part was accepted.
    Sent {
        /// When the last one was.
        at: DateTime<Utc>,
    },
    /// It ended otherwise.
    Discarded {
        /// Why.
        reason: Discard,
        /// When.
        at: DateTime<Utc>,
    },
}

impl State {
    /// When a worker has to look at it again; `None` when it is finished.
    pub fn due(&self) -> Option<DateTime<Utc>> {
        match self {
            Self::Available { at } => Some(*at),
            Self::Leased { until } => Some(*until),
            Self::Sent { .. } | Self::Discarded { .. } => None,
        }
    }
}

/// A part that the platform refused and that was given up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// Which part, from 0.
    pub part: u32,
    /// What was said to it as it is.
    pub said: String,
    /// What was said to it as plain text; `None` when it was not tried.
    pub said_to_plain: Option<String>,
}

impl fmt::Display for Refusal {
    /// The part counts from 1.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { part, said, .. } = self;
        write!(f, "part {}: {said}", u64::from(*part) + 1)?;
        match &self.said_to_plain {
            Some(answer) if answer != said => write!(f, "; as plain text: {answer}"),
            Some(_) | None => Ok(()),
        }
    }
}

/// Whether the next part may already have arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Doubt {
    /// It has not.
    None,
    /// It was sent and no answer came: somebody has to look before it is sent again.
    Open,
    /// Nobody can find out, and the policy says to send it again.
    Accepted,
}

/// What became of a part that was in doubt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "verdict", content = "why")]
pub enum Verdict {
    /// It was found in the chat: not sent again.
    Found,
    /// It was looked for and is not there: sent again.
    NotThere,
    /// Nobody could find out, and the policy was to send it again: it may be there twice.
    Resent(String),
    /// Nobody could find out, and the policy was to take it as arrived: it may be missing.
    Skipped(String),
    /// A part that a correction could not edit, and why: it stays as it was posted.
    Unedited(String),
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Found => f.write_str("found in the chat, not sent again"),
            Self::NotThere => f.write_str("not in the chat, sent again"),
            Self::Resent(why) => write!(f, "sent again, it may be there twice ({why})"),
            Self::Skipped(why) => write!(f, "taken as arrived, it may be missing ({why})"),
            Self::Unedited(why) => write!(f, "left as it was posted ({why})"),
        }
    }
}

/// A decision about a part, kept for the operator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// Which part, from 0.
    pub part: u32,
    /// When it was decided.
    pub at: DateTime<Utc>,
    /// What.
    #[serde(flatten)]
    pub verdict: Verdict,
}

/// What to do with the next part of a claimed delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Send it.
    Send,
    /// Look whether it is there, and send nothing.
    Look,
}

/// How long a platform answers a repeated idempotency key with the message that is already there. Discord: "the past few
/// minutes" (Create Message, `enforce_nonce`), of which two are trusted; Telegram's Bot API knows no such key
/// (tdlib/telegram-bot-api#126); the web page's keys are its own and last for ever.
fn key_memory(platform: Platform) -> TimeDelta {
    match platform {
        Platform::Discord => TimeDelta::minutes(2),
        Platform::Telegram => TimeDelta::zero(),
        Platform::Web => TimeDelta::MAX,
    }
}

/// One digest on its way to one channel: the queue's unit of work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// Digest and channel.
    pub id: DeliveryId,
    /// Which rendering of the digest, see [`crate::digest::RenderingId`].
    pub rendering: crate::digest::RenderingId,
    /// Where it stands.
    pub state: State,
    /// How many parts there are.
    pub parts: u32,
    /// Which of them a correction edits, ascending; the others pass at once. Nothing for a post.
    pub edits: Vec<u32>,
    /// The platform's message id of each part that is through, in order; empty where the part was refused, or taken as
    /// arrived without an answer, or is none that this correction edits.
    pub message_ids: Vec<String>,
    /// The parts that were refused as malformed and given up, in the order in which they were.
    pub refused: Vec<Refusal>,
    /// Refused parts that an operator has sent again; they follow when all the others are through.
    pub again: Vec<u32>,
    /// The next part goes as plain text: what the platform said when it refused it as it is.
    pub plain: Option<String>,
    /// When the next part was first put on the wire; `None` when it was not, or when it is known that it did not arrive.
    pub first_sent: Option<DateTime<Utc>>,
    /// The bot's last message in the chat when the next part was first put on the wire, where other threads of the same
    /// chat may get messages meanwhile.
    pub after: Option<String>,
    /// Whether the next part may already have arrived.
    pub doubt: Doubt,
    /// What was decided about parts in doubt, oldest first.
    pub decisions: Vec<Decision>,
    /// Failed attempts at the next part.
    pub attempts: u32,
    /// What the last failure said.
    pub last_error: Option<String>,
    /// When it was published.
    pub published_at: DateTime<Utc>,
}

impl Delivery {
    /// A fresh delivery, available at once.
    pub fn new(id: DeliveryId, rendering: crate::digest::RenderingId, parts: u32, now: DateTime<Utc>) -> Self {
        Self {
            id,
            rendering,
            state: State::Available { at: now },
            parts,
            edits: Vec::new(),
            message_ids: Vec::new(),
            refused: Vec::new(),
            again: Vec::new(),
            plain: None,
            first_sent: None,
            after: None,
            doubt: Doubt::None,
            decisions: Vec::new(),
            attempts: 0,
            last_error: None,
            published_at: now,
        }
    }

    /// A correction that edits these `edits` of as many `parts` as the post has, available at once.
    pub fn correction(
        id: DeliveryId,
        rendering: crate::digest::RenderingId,
        parts: u32,
        edits: Vec<u32>,
        now: DateTime<Utc>,
    ) -> Self {
        let mut delivery = Self {
            edits,
            ..Self::new(id, rendering, parts, now)
        };
        delivery.pass_unchanged();
        delivery
    }

    /// Lets the parts pass that a correction does not edit.
    fn pass_unchanged(&mut self) {
        if !self.id.is_correction() {
            return;
        }
        while self.next_part() < self.parts && !self.edits.contains(&self.next_part()) {
            self.message_ids.push(String::new());
        }
    }

    /// Which parts a correction still has to edit.
    pub fn edits_left(&self) -> impl Iterator<Item = u32> {
        let next = self.next_part();
        self.edits.iter().copied().filter(move |part| *part >= next)
    }

    /// Index of the part to send next, from 0; equal to `parts` when there is none.
    pub fn next_part(&self) -> u32 {
        let through = u32::try_from(self.message_ids.len()).unwrap_or(u32::MAX);
        if through < self.parts {
            return through;
        }
        self.again.first().copied().unwrap_or(self.parts)
    }

    /// How many parts have arrived, or were taken as arrived; of a correction, how many are edited.
    pub fn arrived(&self) -> usize {
        if self.id.is_correction() {
            return self.message_ids.iter().filter(|id| !id.is_empty()).count();
        }
        let missing = self.refused.len().saturating_add(self.again.len());
        self.message_ids.len().saturating_sub(missing)
    }

    /// Since when it is a dead letter; `None` when it is none.
    pub fn dead_since(&self) -> Option<DateTime<Utc>> {
        match &self.state {
            State::Discarded {
                reason: Discard::Rejected(_),
                at,
            } => Some(*at),
            State::Discarded {
                reason: Discard::Gone(_) | Discard::Dropped,
                ..
            }
            | State::Available { .. }
            | State::Leased { .. }
            | State::Sent { .. } => None,
        }
    }

    /// The key that makes sending the next part idempotent: derived from digest, channel and part, hence the same after
    /// a restart and for whatever edits that part. 22 characters; Discord allows 25 (`nonce`, Create Message).
    pub fn idempotency_key(&self) -> String {
        let part = self.next_part().to_string();
        let digest = self.id.digest.to_string();
        let place = self.id.place.to_string();
        let high = text::hash64(&["part", &digest, &place, &part]);
        let low = text::hash64(&["part-low", &digest, &place, &part]);
        format!("{high:016x}{:06x}", low >> 40)
    }

    /// What marks the next part on its platform.
    pub fn tag(&self) -> Tag {
        let on_the_wire = self.first_sent.unwrap_or(self.published_at);
        Tag {
            key: self.idempotency_key(),
            number: self.next_part().saturating_add(1),
            of: self.parts,
            first: self.first_message().map(str::to_owned),
            doubted: (self.doubt == Doubt::Open).then_some(on_the_wire),
        }
    }

    /// The platform's id of the earliest message that has arrived: where ids are numbers, the least of them.
    pub fn first_message(&self) -> Option<&str> {
        let known = self.message_ids.iter().filter(|id| !id.is_empty());
        // Of numbers without leading zeros, the shorter one is less.
        known.map(String::as_str).min_by_key(|id| (id.len(), *id))
    }

    /// Whether it is finished, one way or the other.
    pub fn is_finished(&self) -> bool {
        self.state.due().is_none()
    }

    /// Takes the claim: the next part goes on the wire now, or is looked for. `last` is the bot's last message in the chat,
    /// see [`Self::after`].
    pub fn claim(mut self, last: Option<String>, now: DateTime<Utc>) -> Self {
        if self.first_sent.is_none() {
            self.first_sent = Some(now);
            self.after = last;
        }
        self.state = State::Leased { until: now + LEASE };
        self
    }

    /// Whoever held the claim is gone: what was on the wire may have arrived.
    pub fn lapse(mut self, now: DateTime<Utc>) -> Self {
        if matches!(self.state, State::Leased { .. }) {
            if !self.id.is_correction() {
                self.doubt = Doubt::Open;
            }
            self.state = State::Available { at: self.worth_it(now) };
        }
        self
    }

    /// When the next step with a part in doubt is worth it.
    fn worth_it(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        match (self.step(now), self.first_sent) {
            // By a clock that was put back since, this is no longer than ever.
            (Step::Look, Some(first_sent)) => (first_sent + LOOK_AFTER).clamp(now, now + LOOK_AFTER),
            (Step::Look, None) | (Step::Send, _) => now,
        }
    }

    /// What to do with the next part.
    pub fn step(&self, now: DateTime<Utc>) -> Step {
        // A clock that was put back proves nothing.
        let memory = TimeDelta::zero()..key_memory(self.id.place.platform());
        let remembered = |first_sent: DateTime<Utc>| memory.contains(&(now - first_sent));
        match self.doubt {
            Doubt::Open if !self.first_sent.is_some_and(remembered) => Step::Look,
            Doubt::None | Doubt::Open | Doubt::Accepted => Step::Send,
        }
    }

    /// Makes it available at once and forgets its failed attempts; what has arrived does not go again, what was refused
    /// does.
    pub fn retry(mut self, now: DateTime<Utc>) -> Self {
        self = self.lapse(now);
        self.again.extend(self.refused.drain(..).map(|refusal| refusal.part));
        self.attempts = 0;
        self.state = State::Available { at: now };
        self
    }

    /// Gives the next part up without sending it, since there is nothing to send; the rest goes on.
    pub fn give_up_part(mut self, reason: String, now: DateTime<Utc>) -> Self {
        give_up(&mut self, reason, None, now);
        self
    }

    /// Notes of a part that a correction leaves as it was posted, why.
    pub fn note_unedited(&mut self, part: u32, why: &str, now: DateTime<Utc>) {
        self.decisions.push(Decision {
            part,
            at: now,
            verdict: Verdict::Unedited(why.to_owned()),
        });
    }

    /// Leaves the next part of a correction as it was posted; the rest goes on.
    pub fn leave_part(mut self, why: String, now: DateTime<Utc>) -> Self {
        leave(&mut self, why, now);
        self
    }

    /// Gives a claim back of which nothing went on the wire, at a clean stop.
    pub fn release(mut self, now: DateTime<Utc>) -> Self {
        if matches!(self.state, State::Leased { .. }) {
            match self.doubt {
                Doubt::None => self.first_sent = None,
                Doubt::Open | Doubt::Accepted => {}
            }
            self.state = State::Available { at: now };
        }
        self
    }

    /// Waits until `at` for its chat; not an attempt.
    pub fn wait(mut self, at: DateTime<Utc>) -> Self {
        self.state = State::Available { at };
        self
    }
}

/// Whom a platform's request to wait concerns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LimitScope {
    /// The chat or channel.
    Chat,
    /// Everything that the bot sends.
    Bot,
}

/// What went wrong with sending one part. Every adapter maps its platform's answers onto these.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The platform asks to wait; not an attempt.
    #[error("asked to wait {retry_after:?}")]
    RateLimited {
        /// For how long.
        retry_after: Duration,
        /// Who has to.
        scope: LimitScope,
    },
    /// The chat has a new id (Telegram: a group became a supergroup).
    #[error("the chat moved to {to}")]
    Moved {
        /// Where it is now.
        to: Place,
    },
    /// Blocked, kicked, deleted, or no right to write: the channel pauses.
    #[error("the channel cannot be written to: {reason}")]
    Gone {
        /// What the platform said.
        reason: String,
    },
    /// The platform refuses this content; it will again.
    #[error("refused: {reason}")]
    Rejected {
        /// What the platform said.
        reason: String,
    },
    /// Certainly not accepted: no connection, or the platform's own fault (5xx).
    #[error("not reached: {reason}")]
    Unreachable {
        /// What happened.
        reason: String,
    },
    /// Sent, and no answer: it may have arrived.
    #[error("sent, but no answer came: {reason}")]
    Uncertain {
        /// What happened.
        reason: String,
    },
    /// The platform does not know the bot's token: nothing can be sent until the operator has put it right.
    #[error("{reason}")]
    Unauthorized {
        /// What the platform said, and what to do.
        reason: String,
    },
}

/// What marks a part on its platform; its key is the same for every try of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag {
    /// The idempotency key, see [`Delivery::idempotency_key`].
    pub key: String,
    /// The part's number, from 1.
    pub number: u32,
    /// How many parts there are.
    pub of: u32,
    /// The platform's id of the digest's first message in the place, where one is known: what the others belong to.
    pub first: Option<String>,
    /// Since when an earlier try of it may have arrived: a platform that would not know a second one by its key has to
    /// look for it first.
    pub doubted: Option<DateTime<Utc>>,
}

impl Tag {
    /// Of a part that stands alone.
    pub fn only(key: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            number: 1,
            of: 1,
            first: None,
            doubted: None,
        }
    }
}

/// A part that was sent and of which nobody knows whether it arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// What marks it.
    pub tag: Tag,
    /// When it was first sent.
    pub first_sent: DateTime<Utc>,
    /// The platform's id of the bot's last message in the same place before it; `None` when there was none.
    pub after: Option<String>,
    /// The platform's ids of messages that are known to stand in the same chat, in no order: the bot's own, so that
    /// none of them is taken for the missing one. Empty when nothing is known.
    pub known: Vec<String>,
}

/// What came of looking for a missing part. Looking changes nothing in the chat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Looked {
    /// It is there, under this message id.
    There(String),
    /// It is certainly not there.
    NotThere,
    /// It cannot be found out, now or later; why.
    Undecidable(String),
    /// It could not be looked for this time.
    Failed(SendError),
}

/// What to do with a part of which nobody can find out whether it arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UncertainPolicy {
    /// Send it again. It may be there twice.
    Resend,
    /// Take it as arrived. It may be missing.
    Skip,
}

/// What an outcome means for the channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChannelEffect {
    /// Nothing.
    None,
    /// It cannot be written to: pause it. With `rewind` its cursor goes back to before this digest, of which nothing
    /// is known to have arrived, so that a merged one follows when access returns.
    Pause {
        /// What the platform said.
        reason: String,
        /// Whether the digest shall come again.
        rewind: bool,
    },
    /// It has a new place; everything goes with it.
    Move {
        /// The new place.
        to: Place,
    },
}

/// The consequence of one outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    /// The delivery afterwards.
    pub delivery: Delivery,
    /// What it means for the channel.
    pub channel: ChannelEffect,
    /// What was decided about a part in doubt.
    pub decided: Option<Verdict>,
    /// Whether the operator should hear of it.
    pub tell_operator: bool,
}

/// What came back for a claimed delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The next part was sent: the platform's message id, or what went wrong.
    Sent(Result<String, SendError>),
    /// It was looked for.
    Looked(Looked),
    /// Nothing went on the wire: the program stops.
    Unused,
}

/// Decides what came of a claim. The claim ends with it; where there is more to send, the delivery is available again.
pub fn settle(delivery: Delivery, outcome: Outcome, policy: UncertainPolicy, now: DateTime<Utc>) -> Settled {
    let mut delivery = delivery;
    let verdict = match outcome {
        Outcome::Sent(outcome) => return sent(delivery, outcome, policy, now),
        Outcome::Unused => return quiet(delivery.release(now)),
        Outcome::Looked(Looked::There(message_id)) => {
            decide(&mut delivery, Verdict::Found, now);
            pass(&mut delivery, message_id, now);
            Verdict::Found
        }
        Outcome::Looked(Looked::NotThere) => {
            decide(&mut delivery, Verdict::NotThere, now);
            delivery.doubt = Doubt::None;
            delivery.first_sent = None;
            delivery.state = State::Available { at: now };
            Verdict::NotThere
        }
        Outcome::Looked(Looked::Undecidable(why) | Looked::Failed(SendError::Rejected { reason: why })) => match policy
        {
            UncertainPolicy::Resend if delivery.attempts < RESENT_ATTEMPTS => {
                let verdict = Verdict::Resent(why);
                decide(&mut delivery, verdict.clone(), now);
                delivery.doubt = Doubt::Accepted;
                delivery.state = State::Available { at: now };
                verdict
            }
            UncertainPolicy::Resend | UncertainPolicy::Skip => {
                let verdict = Verdict::Skipped(why);
                decide(&mut delivery, verdict.clone(), now);
                pass(&mut delivery, String::new(), now);
                verdict
            }
        },
        // Looking puts nothing on the wire: what went wrong with it leaves the part's own doubt as it was.
        Outcome::Looked(Looked::Failed(SendError::Uncertain { reason })) => {
            return sent(delivery, Err(SendError::Unreachable { reason }), policy, now);
        }
        Outcome::Looked(Looked::Failed(error)) => return sent(delivery, Err(error), policy, now),
    };
    let tell_operator = matches!(verdict, Verdict::Resent(_) | Verdict::Skipped(_));
    Settled {
        decided: Some(verdict),
        tell_operator,
        ..quiet(delivery)
    }
}

fn quiet(delivery: Delivery) -> Settled {
    Settled {
        delivery,
        channel: ChannelEffect::None,
        decided: None,
        tell_operator: false,
    }
}

fn decide(delivery: &mut Delivery, verdict: Verdict, now: DateTime<Utc>) {
    if delivery.decisions.len() >= DECISIONS {
        delivery.decisions.remove(0);
    }
    delivery.decisions.push(Decision {
        part: delivery.next_part(),
        at: now,
        verdict,
    });
}

fn sent(
    mut delivery: Delivery,
    outcome: Result<String, SendError>,
    policy: UncertainPolicy,
    now: DateTime<Utc>,
) -> Settled {
    let mut channel = ChannelEffect::None;
    let mut tell_operator = false;
    let mut decided = None;
    match outcome {
        Ok(message_id) => pass(&mut delivery, message_id, now),
        Err(error) => {
            delivery.last_error = Some(error.to_string());
            if delivery.doubt == Doubt::None {
                // It is certain that it did not arrive; an outcome that is not marks it anew below.
                let on_the_wire = delivery.first_sent.take();
                if matches!(error, SendError::Uncertain { .. }) {
                    delivery.first_sent = on_the_wire;
                }
            }
            match error {
                SendError::RateLimited { retry_after, .. } => {
                    let wait = TimeDelta::from_std(retry_after).map_or(SNOOZE_CAP, |wait| wait.min(SNOOZE_CAP));
                    delivery.state = State::Available { at: now + wait };
                }
                // Following it to where it is would be a loop without a pause.
                SendError::Moved { to } if to == delivery.id.place => retry(&mut delivery, now),
                SendError::Moved { to } => {
                    delivery.state = State::Available { at: now };
                    delivery.id.place = to.clone();
                    channel = ChannelEffect::Move { to };
                }
                SendError::Gone { reason } => {
                    // Where twice is better than lost, a first part in doubt does not keep the digest from coming again.
                    let may_repeat = delivery.doubt == Doubt::None || policy == UncertainPolicy::Resend;
                    // One that an operator has sent again may be older than others that are there.
                    let rewind = !delivery.id.is_correction()
                        && delivery.arrived() == 0
                        && delivery.again.is_empty()
                        && may_repeat;
                    delivery.state = State::Discarded {
                        reason: Discard::Gone(reason.clone()),
                        at: now,
                    };
                    channel = ChannelEffect::Pause { reason, rewind };
                    tell_operator = true;
                }
                // Gone, too old, somebody else's: what was posted stays as it is, and nobody has to be woken for that.
                SendError::Rejected { reason } if delivery.id.is_correction() => {
                    decided = Some(leave(&mut delivery, reason, now));
                }
                SendError::Rejected { reason } => {
                    // What is refused now did not arrive before.
                    delivery.doubt = Doubt::None;
                    delivery.first_sent = None;
                    match delivery.plain.take() {
                        None => {
                            delivery.plain = Some(reason);
                            delivery.attempts = delivery.attempts.saturating_add(1);
                            delivery.state = State::Available { at: now };
                        }
                        Some(said) => {
                            tell_operator = true;
                            give_up(&mut delivery, said, Some(reason), now);
                        }
                    }
                }
                SendError::Unreachable { reason } | SendError::Uncertain { reason } if delivery.id.is_correction() => {
                    // Made again, an edit changes nothing.
                    if delivery.attempts.saturating_add(1) < EDIT_ATTEMPTS {
                        retry(&mut delivery, now);
                    } else {
                        decided = Some(leave(&mut delivery, reason, now));
                    }
                }
                SendError::Unreachable { .. } => retry(&mut delivery, now),
                // Not this delivery's fault: the program ends, and goes on when the operator has put it right.
                SendError::Unauthorized { .. } => delivery.state = State::Available { at: now },
                SendError::Uncertain { .. } => {
                    delivery.doubt = Doubt::Open;
                    let worth_it = delivery.worth_it(now);
                    retry(&mut delivery, now);
                    if let State::Available { at } = delivery.state {
                        delivery.state = State::Available { at: at.max(worth_it) };
                    }
                }
            }
        }
    }
    Settled {
        delivery,
        channel,
        decided,
        tell_operator,
    }
}

/// A part of a correction that stays as it was posted.
fn leave(delivery: &mut Delivery, why: String, now: DateTime<Utc>) -> Verdict {
    let verdict = Verdict::Unedited(why);
    decide(delivery, verdict.clone(), now);
    pass(delivery, String::new(), now);
    verdict
}

fn give_up(delivery: &mut Delivery, said: String, said_to_plain: Option<String>, now: DateTime<Utc>) {
    let part = delivery.next_part();
    delivery.refused.push(Refusal {
        part,
        said,
        said_to_plain,
    });
    pass(delivery, String::new(), now);
}

/// The next part is through, one way or the other.
fn pass(delivery: &mut Delivery, message_id: String, now: DateTime<Utc>) {
    let part_number = delivery.next_part();
    let part = usize::try_from(part_number).unwrap_or(usize::MAX);
    match delivery.message_ids.get_mut(part) {
        // Sent again: the ids stay aligned with the parts.
        Some(slot) => {
            *slot = message_id;
            delivery.again.retain(|again| *again != part_number);
        }
        None => delivery.message_ids.push(message_id),
    }
    delivery.pass_unchanged();
    delivery.attempts = 0;
    delivery.plain = None;
    delivery.doubt = Doubt::None;
    delivery.first_sent = None;
    delivery.state = if delivery.next_part() < delivery.parts {
        State::Available { at: now }
    } else if delivery.refused.is_empty() {
        State::Sent { at: now }
    } else {
        let refused: Vec<String> = delivery.refused.iter().map(Refusal::to_string).collect();
        State::Discarded {
            reason: Discard::Rejected(refused.join("; ")),
            at: now,
        }
    };
}

fn retry(delivery: &mut Delivery, now: DateTime<Utc>) {
    delivery.attempts = delivery.attempts.saturating_add(1);
    delivery.state = State::Available {
        at: now + backoff(&delivery.idempotency_key(), delivery.attempts),
    };
}

/// Exponential from two seconds to half an hour, spread over its upper half by a jitter that depends on key and
/// attempt alone, so that a replay waits as long.
fn backoff(key: &str, attempt: u32) -> TimeDelta {
    let doublings = attempt.saturating_sub(1).min(16);
    let full = BACKOFF_BASE
        .checked_mul(1 << doublings)
        .map_or(BACKOFF_CAP, |wait| wait.min(BACKOFF_CAP));
    let half_ms = full.num_milliseconds() / 2;
    let jitter = text::hash64(&["backoff", key, &attempt.to_string()]) % u64::try_from(half_ms.max(1)).unwrap_or(1);
    TimeDelta::milliseconds(half_ms + i64::try_from(jitter).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::channel::{Platform, Style};
    use crate::digest::RenderingId;
    use crate::locale::Lang;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::days(20_000) + TimeDelta::seconds(seconds)
    }

    fn place(chat: i64) -> Place {
        Place::telegram(chat, None)
    }

    fn delivery(parts: u32) -> Delivery {
        let digest = DigestId {
            set: 7,
            occurrence: at(0),
        };
        let rendering = RenderingId {
            digest,
            platform: Platform::Telegram,
            lang: Lang::Zh,
            style: Style::Compact,
            zone: chrono_tz::UTC,
            revision: 0,
        };
        let id = DeliveryId::post(place(-5), digest);
        Delivery::new(id, rendering, parts, at(0))
    }

    #[test]
    fn the_first_message_is_the_earliest_one_also_where_an_earlier_part_was_sent_again_later() {
        let first = |ids: &[&str]| {
            let message_ids = ids.iter().map(|&id| id.to_owned()).collect();
            let delivery = Delivery {
                message_ids,
                ..delivery(3)
            };
            delivery.tag().first
        };
        assert_eq!(first(&[]), None);
        assert_eq!(first(&["", ""]), None);
        assert_eq!(first(&["", "10", "11"]).as_deref(), Some("10"));
        assert_eq!(first(&["100", "98", "99"]).as_deref(), Some("98"));
    }

    #[test]
    fn a_part_in_doubt_says_so_until_it_is_settled_or_accepted() {
        let claimed = delivery(2).claim(None, at(5));
        assert_eq!(claimed.tag().doubted, None);
        let lapsed = claimed.lapse(at(9));
        assert_eq!(lapsed.tag().doubted, Some(at(5)));
        let accepted = Delivery {
            doubt: Doubt::Accepted,
            ..lapsed
        };
        assert_eq!(accepted.tag().doubted, None);
    }

    /// In the middle of three parts, claimed, after one failed attempt.
    fn half_way() -> Delivery {
        Delivery {
            message_ids: vec!["10".to_owned()],
            attempts: 1,
            ..delivery(3).claim(None, at(0))
        }
    }

    fn errors() -> [SendError; 7] {
        let reason = || "because".to_owned();
        [
            SendError::RateLimited {
                retry_after: Duration::from_millis(1_500),
                scope: LimitScope::Chat,
            },
            SendError::Moved { to: place(-100) },
            SendError::Gone { reason: reason() },
            SendError::Rejected { reason: reason() },
            SendError::Unreachable { reason: reason() },
            SendError::Uncertain { reason: reason() },
            SendError::Unauthorized { reason: reason() },
        ]
    }

    #[test]
    fn every_outcome_has_the_consequence_that_the_table_says() {
        use UncertainPolicy::{Resend, Skip};
        let reason = || "because".to_owned();
        let pause = || ChannelEffect::Pause {
            reason: reason(),
            rewind: false,
        };
        let wait = |attempts| State::Available {
            at: at(1) + backoff(&half_way().idempotency_key(), attempts),
        };
        let now = State::Available { at: at(1) };
        let discarded = |reason| State::Discarded { reason, at: at(1) };
        let [limited, moved, gone, rejected, unreachable, uncertain, unauthorized] = errors();
        #[rustfmt::skip]
        let table = [
            (limited, State::Available { at: at(1) + TimeDelta::milliseconds(1_500) }, 1, ChannelEffect::None, false),
            (moved, now.clone(), 1, ChannelEffect::Move { to: place(-100) }, false),
            (gone, discarded(Discard::Gone(reason())), 1, pause(), true),
            (rejected, now.clone(), 2, ChannelEffect::None, false),
            (unreachable, wait(2), 2, ChannelEffect::None, false),
            (uncertain, State::Available { at: at(0) + LOOK_AFTER }, 2, ChannelEffect::None, false),
            (unauthorized, now, 1, ChannelEffect::None, false),
        ];
        for (error, state, attempts, channel, tell) in table {
            for policy in [Resend, Skip] {
                let said = error.to_string();
                let refused = matches!(error, SendError::Rejected { .. });
                let in_doubt = matches!(error, SendError::Uncertain { .. });
                let settled = settle(half_way(), Outcome::Sent(Err(error.clone())), policy, at(1));
                let after = &settled.delivery;
                assert_eq!((&after.state, after.attempts), (&state, attempts), "{said}");
                let doubt = if in_doubt { Doubt::Open } else { Doubt::None };
                assert_eq!((after.doubt, after.first_sent.is_some()), (doubt, in_doubt), "{said}");
                assert_eq!(after.last_error, Some(said));
                assert_eq!(after.message_ids, ["10"]);
                assert_eq!(after.plain, refused.then(reason));
                assert_eq!((settled.channel, settled.tell_operator), (channel.clone(), tell));
            }
        }
    }

    /// Half way, in doubt since its second part was sent at 0.
    fn in_doubt() -> Delivery {
        half_way().lapse(at(1))
    }

    #[test]
    fn a_part_in_doubt_is_looked_for_where_its_key_is_not_remembered() {
        let discord = |delivery: Delivery| {
            let place = Place::discord(123_456_789_012_345_678);
            let id = DeliveryId { place, ..delivery.id };
            Delivery { id, ..delivery }
        };
        assert_eq!(half_way().step(at(1)), Step::Send);
        assert_eq!(in_doubt().step(at(1)), Step::Look);
        assert_eq!(discord(in_doubt()).step(at(119)), Step::Send);
        assert_eq!(discord(in_doubt()).step(at(120)), Step::Look);
        // The time counts from the first try, not from the last one.
        let again = discord(in_doubt()).claim(None, at(100)).lapse(at(119));
        assert_eq!(again.step(at(120)), Step::Look);
    }

    #[test]
    fn what_looking_finds_decides_about_a_part_in_doubt() {
        use UncertainPolicy::{Resend, Skip};
        let look = |looked: Looked, policy| {
            let settled = settle(in_doubt().claim(None, at(5)), Outcome::Looked(looked), policy, at(9));
            let decision = settled
                .delivery
                .decisions
                .last()
                .map(|d| (d.part, d.at, d.verdict.clone()));
            assert_eq!(decision, settled.decided.map(|verdict| (1, at(9), verdict)));
            (settled.delivery, settled.tell_operator)
        };
        for policy in [Resend, Skip] {
            let (found, tell) = look(Looked::There("11".to_owned()), policy);
            assert_eq!(
                (found.message_ids.as_slice(), tell),
                (["10".to_owned(), "11".to_owned()].as_slice(), false)
            );
            let (missing, tell) = look(Looked::NotThere, policy);
            assert_eq!((missing.step(at(9)), missing.next_part(), tell), (Step::Send, 1, false));
            assert_eq!(missing.state, State::Available { at: at(9) });
            let (later, _) = look(Looked::Failed(errors()[5].clone()), policy);
            assert_eq!(
                (later.step(at(9)), later.attempts, later.decisions.len()),
                (Step::Look, 2, 0)
            );
        }
        let (resent, tell) = look(Looked::Undecidable("a shared counter".to_owned()), Resend);
        assert_eq!((resent.step(at(9)), resent.next_part(), tell), (Step::Send, 1, true));
        let tired = Delivery {
            attempts: RESENT_ATTEMPTS,
            ..in_doubt().claim(None, at(5))
        };
        let undecidable = Outcome::Looked(Looked::Undecidable("a shared counter".to_owned()));
        assert_eq!(settle(tired, undecidable, Resend, at(9)).delivery.next_part(), 2);
        let (skipped, tell) = look(Looked::Undecidable("a shared counter".to_owned()), Skip);
        assert_eq!((skipped.next_part(), skipped.message_ids.len(), tell), (2, 2, true));
    }

    #[test]
    fn an_accepted_part_makes_the_next_one_available_and_the_last_one_ends_it() {
        let second = after(in_doubt().claim(None, at(5)), Ok("11".to_owned()));
        assert_eq!(second.state, State::Available { at: at(1) });
        assert_eq!((second.next_part(), second.attempts, second.doubt), (2, 0, Doubt::None));
        let third = after(second.claim(None, at(1)), Ok("12".to_owned()));
        assert_eq!(third.state, State::Sent { at: at(1) });
        assert_eq!(third.message_ids, ["10", "11", "12"]);
        assert!(third.is_finished());
    }

    fn refused(said: &str) -> Result<String, SendError> {
        let reason = said.to_owned();
        Err(SendError::Rejected { reason })
    }

    fn settled(delivery: Delivery, outcome: Result<String, SendError>) -> Settled {
        settle(delivery, Outcome::Sent(outcome), UncertainPolicy::Resend, at(1))
    }

    fn after(delivery: Delivery, outcome: Result<String, SendError>) -> Delivery {
        settled(delivery, outcome).delivery
    }

    /// Three parts of which the second was refused twice.
    fn dead_letter() -> Delivery {
        let second = after(half_way(), refused("no entities"));
        let third = after(second, refused("no text"));
        after(third, Ok("12".to_owned()))
    }

    #[test]
    fn a_part_that_is_refused_as_plain_text_too_is_given_up_and_the_rest_goes_on() {
        let second = after(in_doubt(), refused("no entities"));
        assert_eq!((second.next_part(), second.doubt), (1, Doubt::None));
        let key = second.idempotency_key();
        assert_eq!(key, half_way().idempotency_key());
        let settled = settled(second, refused("no text"));
        let third = settled.delivery;
        assert!(settled.tell_operator && third.plain.is_none());
        assert_eq!(third.state, State::Available { at: at(1) });
        assert_eq!((third.next_part(), third.attempts, third.arrived()), (2, 0, 1));
        let ended = after(third, Ok("12".to_owned()));
        assert_eq!(ended.message_ids, ["10", "", "12"]);
        let reason = Discard::Rejected("part 2: no entities; as plain text: no text".to_owned());
        assert_eq!(ended.state, State::Discarded { reason, at: at(1) });
        assert_eq!((ended.dead_since(), ended.next_part()), (Some(at(1)), 3));
    }

    #[test]
    fn a_part_that_is_accepted_as_plain_text_is_sent_like_any_other() {
        let plain = after(half_way(), refused("no entities"));
        let third = after(plain, Ok("11".to_owned()));
        assert_eq!((&third.plain, third.next_part()), (&None, 2));
        let ended = after(third, Ok("12".to_owned()));
        assert_eq!((ended.state, ended.refused), (State::Sent { at: at(1) }, vec![]));
    }

    #[test]
    fn a_dead_letter_that_is_sent_again_repeats_only_what_was_refused() {
        let again = dead_letter().retry(at(5));
        assert_eq!(again.state, State::Available { at: at(5) });
        assert_eq!((again.next_part(), again.arrived()), (1, 2));
        let mended = after(again.clone().claim(None, at(5)), Ok("13".to_owned()));
        assert_eq!(mended.message_ids, ["10", "13", "12"]);
        assert_eq!((mended.state, mended.again), (State::Sent { at: at(1) }, vec![]));
        let plain = after(again.claim(None, at(5)), refused("no entities"));
        let ended = after(plain, refused("no text"));
        assert_eq!(
            ended,
            Delivery {
                state: ended.state.clone(),
                ..dead_letter()
            }
        );
        assert_eq!(ended.dead_since(), Some(at(1)));
    }

    #[test]
    fn what_is_hastened_keeps_its_doubt_and_its_order() {
        let third = after(after(half_way(), refused("a")), refused("b"));
        let waiting = after(third.claim(None, at(1)), Err(errors()[5].clone()));
        let hastened = waiting.retry(at(5));
        assert_eq!(
            (hastened.next_part(), hastened.doubt, hastened.attempts),
            (2, Doubt::Open, 0)
        );
        let second = after(hastened.claim(None, at(5)), Ok("12".to_owned()));
        assert_eq!((second.next_part(), second.doubt), (1, Doubt::None));
        assert_eq!(half_way().retry(at(200)).doubt, Doubt::Open);
    }

    #[test]
    fn an_id_reads_back_and_means_nothing_to_a_shell() {
        let topic = Place::telegram(-1_001_234, Some(42));
        for place in [
            topic,
            Place::discord(123_456_789_012_345_678),
            Place::web("lobby-2").unwrap(),
        ] {
            let id = DeliveryId {
                place,
                ..delivery(1).id
            };
            let shown = id.to_string();
            assert_eq!(shown.parse(), Ok(id.clone()));
            assert!(
                shown.chars().all(|c| c.is_ascii_alphanumeric() || ":/+@~-".contains(c)),
                "{shown}"
            );
            let json = serde_json::to_string(&id).unwrap();
            assert_eq!(
                (json.trim_matches('"'), serde_json::from_str(&json).ok()),
                (shown.as_str(), Some(id))
            );
        }
        for text in ["", "telegram:-5", "telegram:-5+7", "+9f86d081884c7d65@20251010T090000Z"] {
            let error = text.parse::<DeliveryId>().unwrap_err().to_string();
            assert!(error.starts_with(&format!("“{text}” is not a delivery id")), "{error}");
        }
    }

    #[test]
    fn a_moved_delivery_goes_to_the_new_place_and_one_that_has_not_moved_waits() {
        let [_, moved, ..] = errors();
        let settled = after(half_way(), Err(moved.clone()));
        assert_eq!(settled.id.place, place(-100));
        let again = super::settle(
            settled.claim(None, at(1)),
            Outcome::Sent(Err(moved)),
            UncertainPolicy::Resend,
            at(1),
        );
        assert_eq!(again.channel, ChannelEffect::None);
        assert_eq!(again.delivery.attempts, 2);
        assert!(again.delivery.state.due() > Some(at(1)));
    }

    #[test]
    fn a_digest_comes_again_after_access_returns_unless_some_of_it_is_there() {
        let [_, _, gone, ..] = errors();
        let rewinds = |delivery: Delivery, policy| {
            let settled = settle(
                delivery.claim(None, at(0)),
                Outcome::Sent(Err(gone.clone())),
                policy,
                at(1),
            );
            matches!(settled.channel, ChannelEffect::Pause { rewind: true, .. })
        };
        let doubtful = || Delivery {
            doubt: Doubt::Open,
            ..delivery(2)
        };
        assert!(rewinds(delivery(2), UncertainPolicy::Skip));
        assert!(!rewinds(half_way(), UncertainPolicy::Resend));
        assert!(rewinds(doubtful(), UncertainPolicy::Resend));
        assert!(!rewinds(doubtful(), UncertainPolicy::Skip));
        let refused = give_up_first(delivery(2));
        assert!(
            rewinds(refused.clone(), UncertainPolicy::Skip),
            "nothing of it is there"
        );
        assert!(!rewinds(refused.retry(at(0)), UncertainPolicy::Skip));
    }

    fn give_up_first(delivery: Delivery) -> Delivery {
        delivery.claim(None, at(0)).give_up_part("unreadable".to_owned(), at(0))
    }

    #[test]
    fn a_wait_beyond_the_calendar_is_a_day() {
        for retry_after in [Duration::MAX, Duration::from_secs(u64::from(u32::MAX) * 2_000_000)] {
            let scope = LimitScope::Bot;
            let error = SendError::RateLimited { retry_after, scope };
            let tomorrow = at(1) + TimeDelta::days(1);
            assert_eq!(after(half_way(), Err(error)).state, State::Available { at: tomorrow });
        }
    }

    #[test]
    fn a_released_claim_is_available_at_once_and_what_is_finished_stays_so() {
        let released = half_way().release(at(3));
        assert_eq!(released.state, State::Available { at: at(3) });
        assert_eq!(
            (released.attempts, released.doubt, released.first_sent),
            (1, Doubt::None, None)
        );
        let looking = in_doubt().claim(None, at(2)).release(at(3));
        assert_eq!((looking.doubt, looking.first_sent), (Doubt::Open, Some(at(0))));
        let sent = Delivery {
            state: State::Sent { at: at(2) },
            ..half_way()
        };
        assert_eq!(sent.clone().release(at(3)), sent);
    }

    #[test]
    fn every_part_in_every_place_has_a_key_of_its_own_that_discord_accepts() {
        let mut keys = std::collections::BTreeSet::new();
        for chat in -3..0 {
            let mut delivery = delivery(4);
            delivery.id.place = place(chat);
            for part in 0..4 {
                let key = delivery.idempotency_key();
                assert_eq!(key.len(), 22);
                assert_eq!(key, delivery.clone().claim(None, at(9)).idempotency_key());
                keys.insert(key);
                delivery.message_ids.push(part.to_string());
            }
        }
        assert_eq!(keys.len(), 12);
        // It outlives a restart with another version of the program.
        assert_eq!(delivery(1).idempotency_key(), "e73aa823d3ca36bd56f2ed");
    }

    #[test]
    fn backoff_grows_to_its_cap_and_a_replay_waits_as_long() {
        let waits: Vec<TimeDelta> = (1..=20).map(|attempt| backoff("key", attempt)).collect();
        assert!(waits.iter().take(10).is_sorted_by(|a, b| a < b), "{waits:?}");
        assert!(waits.iter().all(|w| (TimeDelta::seconds(1)..BACKOFF_CAP).contains(w)));
        assert!(waits.iter().skip(10).all(|w| *w >= BACKOFF_CAP / 2));
        assert_eq!(backoff("key", u32::MAX), backoff("key", u32::MAX));
        assert_ne!(backoff("key", 30), backoff("other key", 30));
    }

    /// What the platform does with one attempt.
    fn outcome() -> impl Strategy<Value = Option<SendError>> {
        let [limited, moved, _, rejected, unreachable, uncertain, _] = errors();
        prop_oneof![
            3 => Just(None),
            1 => Just(Some(limited)),
            1 => Just(Some(moved)),
            1 => Just(Some(unreachable)),
            1 => Just(Some(uncertain)),
            2 => Just(Some(rejected)),
        ]
    }

    proptest! {
        #[test]
        fn every_part_is_taken_once_or_refused_twice_in_order_and_the_delivery_ends(
            parts in 1_u32..6,
            outcomes in prop::collection::vec(outcome(), 0..30),
            skip: bool,
        ) {
            let policy = if skip { UncertainPolicy::Skip } else { UncertainPolicy::Resend };
            let (mut delivery, mut now) = (delivery(parts), at(0));
            let mut expected = 0;
            let mut ids: Vec<String> = Vec::new();
            let mut given_up = Vec::new();
            for outcome in outcomes.into_iter().chain(std::iter::repeat_n(None, 7)) {
                let Some(due) = delivery.state.due() else { break };
                prop_assert!(due >= now);
                now = due;
                let part = delivery.next_part();
                prop_assert_eq!(part, expected);
                if delivery.step(now) == Step::Look {
                    let looked = match outcome {
                        None => Looked::There(format!("m{part}")),
                        Some(SendError::Unreachable { .. }) => Looked::Undecidable("because".to_owned()),
                        Some(_) => Looked::NotThere,
                    };
                    match looked {
                        Looked::There(_) => ids.push(format!("m{part}")),
                        Looked::Undecidable(_) if skip => ids.push(String::new()),
                        Looked::Undecidable(_) | Looked::NotThere | Looked::Failed(_) => {}
                    }
                    expected = u32::try_from(ids.len()).unwrap_or(u32::MAX);
                    delivery = settle(delivery.claim(None, now), Outcome::Looked(looked), policy, now).delivery;
                    continue;
                }
                delivery = delivery.claim(None, now);
                let refused = matches!(outcome, Some(SendError::Rejected { .. }));
                let refused_twice = refused && delivery.plain.is_some();
                if outcome.is_none() {
                    ids.push(format!("m{part}"));
                } else if refused_twice {
                    ids.push(String::new());
                }
                if refused_twice {
                    given_up.push(part);
                }
                let through = outcome.is_none() || refused_twice;
                expected += u32::from(through);
                // Once refused, the part stays plain until it is through.
                let plain = !through && (refused || delivery.plain.is_some());
                let result = outcome.map_or_else(|| Ok(format!("m{part}")), Err);
                delivery = settle(delivery, Outcome::Sent(result), policy, now).delivery;
                prop_assert_eq!(delivery.plain.is_some(), plain);
            }
            prop_assert_eq!(delivery.next_part(), parts);
            prop_assert_eq!(&delivery.message_ids, &ids);
            let refused: Vec<u32> = delivery.refused.iter().map(|refusal| refusal.part).collect();
            prop_assert_eq!(&refused, &given_up);
            let ended = match delivery.state {
                State::Sent { .. } => refused.is_empty(),
                State::Discarded { .. } => !refused.is_empty(),
                State::Available { .. } | State::Leased { .. } => false,
            };
            prop_assert!(ended, "{:?}", delivery.state);
        }
    }
}
