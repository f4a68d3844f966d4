//! What becomes of one digest on its way to one channel. The states and every outcome's consequence stand here once, as
//! a pure function, so that nothing is lost or sent twice because a corner of some loop forgot a case.
//!
//! ```text
//! Available{at} ──claim──▶ Leased{until} ──all parts accepted──▶ Sent{at}
//!      ▲                        │
//!      ├── part accepted ───────┤ (lease kept, next part)
//!      ├── snoozed, retried ────┤
//!      └── lease expired ───────┘──refused, gone, skipped──▶ Discarded{reason}
//! ```

use std::fmt;
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

/// One digest for one channel.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct DeliveryId {
    /// For whom.
    pub place: Place,
    /// What.
    pub digest: DigestId,
}

impl fmt::Display for DeliveryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} → {}", self.digest, self.place)
    }
}

/// Why a delivery ends without being sent whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Discard {
    /// The platform refused it as malformed: a dead letter, kept for the operator.
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
    /// The platform's ids of the accepted parts, in order; as many as are sent.
    pub message_ids: Vec<String>,
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
            uncertain: false,
            attempts: 0,
            last_error: None,
            published_at: now,
        }
    }

    /// Index of the part to send next, from 0; equal to `parts` when all are sent.
    pub fn next_part(&self) -> u32 {
        u32::try_from(self.message_ids.len()).unwrap_or(u32::MAX)
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

    /// Whether it is finished, one way or the other.
    pub fn is_finished(&self) -> bool {
        self.state.due().is_none()
    }

    /// Takes the claim: nobody else sends it before `now + LEASE`.
    pub fn claim(mut self, now: DateTime<Utc>) -> Self {
        self.state = State::Leased { until: now + LEASE };
        self
    }

    /// Gives a claim back untouched, at a clean stop.
    pub fn release(mut self, now: DateTime<Utc>) -> Self {
        if matches!(self.state, State::Leased { .. }) {
            self.state = State::Available { at: now };
        }
        self
    }
}

/// What went wrong with sending one part. Every adapter maps its platform's answers onto these.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The platform asks to wait; not an attempt.
    #[error("asked to wait {retry_after:?}")]
    RateLimited {
        /// For how long.
        retry_after: Duration,
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
    /// arrived, so that a merged one follows when access returns.
    Pause {
        /// What the platform said.
        reason: String,
        /// Whether nothing of this digest arrived.
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
/// Claims stay with the sender after an accepted part (it goes on with the next one) and end with every error.
pub fn settle(
    delivery: Delivery,
    outcome: Result<String, SendError>,
    policy: UncertainPolicy,
    now: DateTime<Utc>,
) -> Settled {
    let mut delivery = delivery;
    let mut channel = ChannelEffect::None;
    let mut tell_operator = false;
    match outcome {
        Ok(message_id) => accept(&mut delivery, message_id, now),
        Err(error) => {
            delivery.last_error = Some(error.to_string());
            match error {
                SendError::RateLimited { retry_after } => {
                    let wait = TimeDelta::from_std(retry_after).unwrap_or(BACKOFF_CAP);
                    delivery.state = State::Available { at: now + wait };
                }
                SendError::Moved { to } => {
                    delivery.state = State::Available { at: now };
                    delivery.id.place = to.clone();
                    channel = ChannelEffect::Move { to };
                }
                SendError::Gone { reason } => {
                    let rewind = delivery.message_ids.is_empty() && !delivery.uncertain;
                    delivery.state = State::Discarded {
                        reason: Discard::Gone(reason.clone()),
                        at: now,
                    };
                    channel = ChannelEffect::Pause { reason, rewind };
                    tell_operator = true;
                }
                SendError::Rejected { reason } => {
                    delivery.state = State::Discarded {
                        reason: Discard::Rejected(reason),
                        at: now,
                    };
                    tell_operator = true;
                }
                SendError::Unreachable { .. } => retry(&mut delivery, now),
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
    delivery.message_ids.push(message_id);
    delivery.attempts = 0;
    delivery.uncertain = false;
    delivery.state = if delivery.next_part() >= delivery.parts {
        State::Sent { at: now }
    } else {
        State::Leased { until: now + LEASE }
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
