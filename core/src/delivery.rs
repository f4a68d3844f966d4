//! What becomes of one digest on its way to one channel. The states and every outcome's consequence stand here once, as
//! a pure function, so that nothing is lost or sent twice because a corner of some loop forgot a case.
//!
//! ```text
//! Available{at} ──claim──▶ Leased{until} ──every part accepted──▶ Sent{at}
//!      ▲                     │ ▲  │
//!      │                     └─┘◀─┼── part accepted: the next one
//!      │                          ├── part refused: the same as plain text; refused again: the next one
//!      ├── snoozed, retried ──────┤
//!      ├── lease expired ─────────┤
//!      │                          └── gone, or through with some parts refused ──▶ Discarded{reason}
//!      ├────────────────── an operator's drop ─────────────────────────▶ Discarded{reason}
//!      └────────────────── an operator's retry ────────────────────────────────────────┘
//! ```

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::channel::Place;
use crate::digest::DigestId;
use crate::text;

/// How long a claim lasts before somebody else may take the delivery.
pub const LEASE: TimeDelta = TimeDelta::seconds(120);
/// The first pause after a failed attempt; it doubles with each further one.
const BACKOFF_BASE: TimeDelta = TimeDelta::seconds(2);
/// The longest pause.
const BACKOFF_CAP: TimeDelta = TimeDelta::minutes(30);
/// The longest wait that a platform is granted before it is asked again; more is a mistake or beyond the calendar.
const SNOOZE_CAP: TimeDelta = TimeDelta::days(1);

/// One digest for one channel: `telegram:-100123/42+9f86d081884c7d65@20251010T090000Z`. No character of it means anything
/// to a shell, so that it can be pasted into a command as it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct DeliveryId {
    /// For whom.
    pub place: Place,
    /// What.
    pub digest: DigestId,
}

impl fmt::Display for DeliveryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}+{}", self.place, self.digest)
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
            Some(Self {
                place: place.parse().ok()?,
                digest: digest.parse().ok()?,
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
    /// Somebody is sending it; if nothing is heard until then, it is available again.
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
    /// The platform's message id of each part that is through, in order; empty where the part was refused, or taken as
    /// arrived without an answer.
    pub message_ids: Vec<String>,
    /// The parts that were refused as malformed and given up, in the order in which they were.
    pub refused: Vec<Refusal>,
    /// Refused parts that an operator has sent again; they follow when all the others are through.
    pub again: Vec<u32>,
    /// The next part goes as plain text: what the platform said when it refused it as it is.
    pub plain: Option<String>,
    /// Whether the next part is on the wire under the present claim.
    pub sending: bool,
    /// Whether the next part may already have arrived: it was sent and no answer came.
    pub uncertain: bool,
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
            message_ids: Vec::new(),
            refused: Vec::new(),
            again: Vec::new(),
            plain: None,
            sending: false,
            uncertain: false,
            attempts: 0,
            last_error: None,
            published_at: now,
        }
    }

    /// Index of the part to send next, from 0; equal to `parts` when there is none.
    pub fn next_part(&self) -> u32 {
        let through = u32::try_from(self.message_ids.len()).unwrap_or(u32::MAX);
        if through < self.parts {
            return through;
        }
        self.again.first().copied().unwrap_or(self.parts)
    }

    /// How many parts have arrived, or were taken as arrived.
    pub fn arrived(&self) -> usize {
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
    /// a restart. 22 characters; Discord allows 25 (`nonce`, Create Message).
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
        Tag {
            key: self.idempotency_key(),
            number: self.next_part().saturating_add(1),
            of: self.parts,
        }
    }

    /// Whether it is finished, one way or the other.
    pub fn is_finished(&self) -> bool {
        self.state.due().is_none()
    }

    /// Takes the claim: nobody else sends it before `now + LEASE`. Whoever held an earlier one is gone, and what was on
    /// the wire then may have arrived.
    pub fn claim(mut self, now: DateTime<Utc>) -> Self {
        self.uncertain |= self.sending;
        self.sending = false;
        self.state = State::Leased { until: now + LEASE };
        self
    }

    /// The next part goes on the wire now; the claim begins anew.
    pub fn begin(mut self, now: DateTime<Utc>) -> Self {
        self.sending = true;
        self.state = State::Leased { until: now + LEASE };
        self
    }

    /// Makes it available at once and forgets its failed attempts; what has arrived does not go again, what was refused
    /// does.
    pub fn retry(mut self, now: DateTime<Utc>) -> Self {
        self.again.extend(self.refused.drain(..).map(|refusal| refusal.part));
        self.uncertain |= self.sending;
        self.sending = false;
        self.attempts = 0;
        self.state = State::Available { at: now };
        self
    }

    /// Gives the next part up without sending it, since there is nothing to send; the rest goes on.
    pub fn give_up_part(mut self, reason: String, now: DateTime<Utc>) -> Self {
        self.uncertain = false;
        give_up(&mut self, reason, None, now);
        self.release(now)
    }

    /// Gives a claim back untouched, at a clean stop.
    pub fn release(mut self, now: DateTime<Utc>) -> Self {
        if matches!(self.state, State::Leased { .. }) {
            self.state = State::Available { at: now };
        }
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

/// What marks a part on its platform: the same for every try of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag {
    /// The idempotency key, see [`Delivery::idempotency_key`].
    pub key: String,
    /// The part's number, from 1.
    pub number: u32,
    /// How many parts there are.
    pub of: u32,
}

impl Tag {
    /// Of a part that stands alone.
    pub fn only(key: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            number: 1,
            of: 1,
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

/// What to do with a part of which nobody knows whether it arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UncertainPolicy {
    /// Send it again. Where the platform knows idempotency keys (Discord) it cannot appear twice; elsewhere it may.
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
    /// Whether the operator should hear of it.
    pub tell_operator: bool,
}

/// Decides what an outcome of sending the next part means. `outcome` is the platform's message id or what went wrong.
///
/// Claims stay with the sender after a part that was accepted or refused (it goes on with the next one, or with the same
/// as plain text) and end with every other error.
pub fn settle(
    delivery: Delivery,
    outcome: Result<String, SendError>,
    policy: UncertainPolicy,
    now: DateTime<Utc>,
) -> Settled {
    let mut delivery = delivery;
    delivery.sending = false;
    let mut channel = ChannelEffect::None;
    let mut tell_operator = false;
    match outcome {
        Ok(message_id) => accept(&mut delivery, message_id, now),
        Err(error) => {
            delivery.last_error = Some(error.to_string());
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
                    let may_repeat = !delivery.uncertain || policy == UncertainPolicy::Resend;
                    // One that an operator has sent again may be older than others that are there.
                    let rewind = delivery.arrived() == 0 && delivery.again.is_empty() && may_repeat;
                    delivery.state = State::Discarded {
                        reason: Discard::Gone(reason.clone()),
                        at: now,
                    };
                    channel = ChannelEffect::Pause { reason, rewind };
                    tell_operator = true;
                }
                SendError::Rejected { reason } => {
                    // What is refused now did not arrive before.
                    delivery.uncertain = false;
                    match delivery.plain.take() {
                        None => {
                            delivery.plain = Some(reason);
                            delivery.attempts = delivery.attempts.saturating_add(1);
                            delivery.state = State::Leased { until: now + LEASE };
                        }
                        Some(said) => {
                            tell_operator = true;
                            give_up(&mut delivery, said, Some(reason), now);
                        }
                    }
                }
                SendError::Unreachable { .. } | SendError::Unauthorized { .. } => retry(&mut delivery, now),
                SendError::Uncertain { .. } => match policy {
                    UncertainPolicy::Resend => {
                        delivery.uncertain = true;
                        retry(&mut delivery, now);
                    }
                    UncertainPolicy::Skip => {
                        tell_operator = true;
                        accept(&mut delivery, String::new(), now);
                    }
                },
            }
        }
    }
    Settled {
        delivery,
        channel,
        tell_operator,
    }
}

fn accept(delivery: &mut Delivery, message_id: String, now: DateTime<Utc>) {
    delivery.uncertain = false;
    pass(delivery, message_id, now);
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
    delivery.attempts = 0;
    delivery.plain = None;
    delivery.state = if delivery.next_part() < delivery.parts {
        State::Leased { until: now + LEASE }
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
        };
        let id = DeliveryId {
            place: place(-5),
            digest,
        };
        Delivery::new(id, rendering, parts, at(0))
    }

    /// In the middle of three parts, claimed, after one failed attempt.
    fn half_way() -> Delivery {
        Delivery {
            message_ids: vec!["10".to_owned()],
            attempts: 1,
            ..delivery(3).claim(at(0))
        }
    }

    fn errors() -> [SendError; 6] {
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
        let discarded = |reason| State::Discarded { reason, at: at(1) };
        let [limited, moved, gone, rejected, unreachable, uncertain] = errors();
        #[rustfmt::skip]
        let both = [
            (limited, State::Available { at: at(1) + TimeDelta::milliseconds(1_500) }, 1, ChannelEffect::None, false),
            (moved, State::Available { at: at(1) }, 1, ChannelEffect::Move { to: place(-100) }, false),
            (gone, discarded(Discard::Gone(reason())), 1, pause(), true),
            (rejected, State::Leased { until: at(1) + LEASE }, 2, ChannelEffect::None, false),
            (unreachable, wait(2), 2, ChannelEffect::None, false),
        ];
        for (error, state, attempts, channel, tell) in both {
            for policy in [Resend, Skip] {
                let said = error.to_string();
                let refused = matches!(error, SendError::Rejected { .. });
                let settled = settle(half_way(), Err(error.clone()), policy, at(1));
                assert_eq!(settled.delivery.state, state, "{said}");
                assert_eq!(settled.delivery.attempts, attempts, "{said}");
                assert_eq!(settled.delivery.last_error, Some(said));
                assert_eq!(settled.delivery.message_ids, ["10"]);
                assert!(!settled.delivery.uncertain);
                assert_eq!(settled.delivery.plain, refused.then(reason));
                assert_eq!((settled.channel, settled.tell_operator), (channel.clone(), tell));
            }
        }
        let resend = settle(half_way(), Err(uncertain.clone()), Resend, at(1));
        assert_eq!((&resend.delivery.state, resend.delivery.attempts), (&wait(2), 2));
        assert_eq!((resend.delivery.uncertain, resend.tell_operator), (true, false));
        let skip = settle(half_way(), Err(uncertain), Skip, at(1));
        assert_eq!(skip.delivery.state, State::Leased { until: at(1) + LEASE });
        assert_eq!(skip.delivery.message_ids, ["10", ""]);
        assert_eq!((skip.delivery.uncertain, skip.tell_operator), (false, true));
        assert_eq!(
            (resend.channel, skip.channel),
            (ChannelEffect::None, ChannelEffect::None)
        );
    }

    #[test]
    fn an_accepted_part_keeps_the_lease_and_the_last_one_ends_it() {
        let doubtful = Delivery {
            uncertain: true,
            ..half_way()
        };
        let second = settle(doubtful, Ok("11".to_owned()), UncertainPolicy::Resend, at(9)).delivery;
        assert_eq!(second.state, State::Leased { until: at(9) + LEASE });
        assert_eq!((second.next_part(), second.attempts, second.uncertain), (2, 0, false));
        let third = settle(second, Ok("12".to_owned()), UncertainPolicy::Resend, at(10)).delivery;
        assert_eq!(third.state, State::Sent { at: at(10) });
        assert_eq!(third.message_ids, ["10", "11", "12"]);
        assert!(third.is_finished());
    }

    fn refused(said: &str) -> Result<String, SendError> {
        let reason = said.to_owned();
        Err(SendError::Rejected { reason })
    }

    fn sent(delivery: Delivery, outcome: Result<String, SendError>) -> Settled {
        settle(delivery, outcome, UncertainPolicy::Resend, at(1))
    }

    /// Three parts of which the second was refused twice.
    fn dead_letter() -> Delivery {
        let second = sent(half_way(), refused("no entities")).delivery;
        let third = sent(second, refused("no text")).delivery;
        sent(third, Ok("12".to_owned())).delivery
    }

    #[test]
    fn a_part_that_is_refused_as_plain_text_too_is_given_up_and_the_rest_goes_on() {
        let doubtful = Delivery {
            uncertain: true,
            ..half_way()
        };
        let second = sent(doubtful, refused("no entities")).delivery;
        assert_eq!((second.next_part(), second.uncertain), (1, false));
        let key = second.idempotency_key();
        assert_eq!(key, half_way().idempotency_key());
        let settled = sent(second, refused("no text"));
        let third = settled.delivery;
        assert!(settled.tell_operator && third.plain.is_none());
        assert_eq!(third.state, State::Leased { until: at(1) + LEASE });
        assert_eq!((third.next_part(), third.attempts, third.arrived()), (2, 0, 1));
        let ended = sent(third, Ok("12".to_owned())).delivery;
        assert_eq!(ended.message_ids, ["10", "", "12"]);
        let reason = Discard::Rejected("part 2: no entities; as plain text: no text".to_owned());
        assert_eq!(ended.state, State::Discarded { reason, at: at(1) });
        assert_eq!((ended.dead_since(), ended.next_part()), (Some(at(1)), 3));
    }

    #[test]
    fn a_part_that_is_accepted_as_plain_text_is_sent_like_any_other() {
        let plain = sent(half_way(), refused("no entities")).delivery;
        let third = sent(plain, Ok("11".to_owned())).delivery;
        assert_eq!((&third.plain, third.next_part()), (&None, 2));
        let ended = sent(third, Ok("12".to_owned())).delivery;
        assert_eq!((ended.state, ended.refused), (State::Sent { at: at(1) }, vec![]));
    }

    #[test]
    fn a_dead_letter_that_is_sent_again_repeats_only_what_was_refused() {
        let again = dead_letter().retry(at(5));
        assert_eq!(again.state, State::Available { at: at(5) });
        assert_eq!((again.next_part(), again.arrived()), (1, 2));
        let mended = sent(again.clone().claim(at(5)), Ok("13".to_owned())).delivery;
        assert_eq!(mended.message_ids, ["10", "13", "12"]);
        assert_eq!((mended.state, mended.again), (State::Sent { at: at(1) }, vec![]));
        let plain = sent(again.claim(at(5)), refused("no entities")).delivery;
        let ended = sent(plain, refused("no text")).delivery;
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
        let third = sent(sent(half_way(), refused("a")).delivery, refused("b")).delivery;
        let waiting = sent(third, Err(errors()[5].clone())).delivery;
        let hastened = waiting.retry(at(5));
        assert_eq!(
            (hastened.next_part(), hastened.uncertain, hastened.attempts),
            (2, true, 0)
        );
        let second = sent(hastened.claim(at(5)), Ok("12".to_owned())).delivery;
        assert_eq!((second.next_part(), second.uncertain), (1, false));
        let on_the_wire = half_way().begin(at(1)).retry(at(200));
        assert_eq!((on_the_wire.uncertain, on_the_wire.sending), (true, false));
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
                shown.chars().all(|c| c.is_ascii_alphanumeric() || ":/+@-".contains(c)),
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
        let settled = settle(half_way(), Err(moved.clone()), UncertainPolicy::Resend, at(1)).delivery;
        assert_eq!(settled.id.place, place(-100));
        let again = settle(settled.claim(at(1)), Err(moved), UncertainPolicy::Resend, at(1));
        assert_eq!(again.channel, ChannelEffect::None);
        assert_eq!(again.delivery.attempts, 2);
        assert!(again.delivery.state.due() > Some(at(1)));
    }

    #[test]
    fn a_digest_comes_again_after_access_returns_unless_some_of_it_is_there() {
        let [_, _, gone, ..] = errors();
        let rewinds = |delivery: Delivery, policy| {
            let settled = settle(delivery.claim(at(0)), Err(gone.clone()), policy, at(1));
            matches!(settled.channel, ChannelEffect::Pause { rewind: true, .. })
        };
        let doubtful = || Delivery {
            uncertain: true,
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
        delivery.claim(at(0)).give_up_part("unreadable".to_owned(), at(0))
    }

    #[test]
    fn a_wait_beyond_the_calendar_is_a_day() {
        for retry_after in [Duration::MAX, Duration::from_secs(u64::from(u32::MAX) * 2_000_000)] {
            let scope = LimitScope::Bot;
            let error = SendError::RateLimited { retry_after, scope };
            let settled = settle(half_way(), Err(error), UncertainPolicy::Resend, at(0));
            let tomorrow = at(0) + TimeDelta::days(1);
            assert_eq!(settled.delivery.state, State::Available { at: tomorrow });
        }
    }

    #[test]
    fn a_released_claim_is_available_at_once_and_what_is_finished_stays_so() {
        let released = half_way().release(at(3));
        assert_eq!(released.state, State::Available { at: at(3) });
        assert_eq!((released.attempts, released.uncertain), (1, false));
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
                assert_eq!(key, delivery.clone().claim(at(9)).idempotency_key());
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
        let [limited, moved, _, rejected, unreachable, uncertain] = errors();
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
            for outcome in outcomes.into_iter().chain(std::iter::repeat_n(None, 6)) {
                let Some(due) = delivery.state.due() else { break };
                if !matches!(delivery.state, State::Leased { .. }) {
                    prop_assert!(due >= now);
                    now = due;
                    delivery = delivery.claim(now);
                }
                let part = delivery.next_part();
                prop_assert_eq!(part, expected);
                let refused = matches!(outcome, Some(SendError::Rejected { .. }));
                let refused_twice = refused && delivery.plain.is_some();
                let silent = skip && matches!(outcome, Some(SendError::Uncertain { .. }));
                if outcome.is_none() {
                    ids.push(format!("m{part}"));
                } else if silent || refused_twice {
                    ids.push(String::new());
                }
                if refused_twice {
                    given_up.push(part);
                }
                let through = outcome.is_none() || silent || refused_twice;
                expected += u32::from(through);
                // Once refused, the part stays plain until it is through.
                let plain = !through && (refused || delivery.plain.is_some());
                let result = outcome.map_or_else(|| Ok(format!("m{part}")), Err);
                delivery = settle(delivery, result, policy, now).delivery;
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
