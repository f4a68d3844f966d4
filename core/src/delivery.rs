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
/// The longest wait that a platform is granted before it is asked again; more is a mistake or beyond the calendar.
const SNOOZE_CAP: TimeDelta = TimeDelta::days(1);

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
            sending: false,
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
/// Claims stay with the sender after an accepted part (it goes on with the next one) and end with every error.
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
                    let rewind = delivery.message_ids.is_empty() && may_repeat;
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
            (rejected, discarded(Discard::Rejected(reason())), 1, ChannelEffect::None, true),
            (unreachable, wait(2), 2, ChannelEffect::None, false),
        ];
        for (error, state, attempts, channel, tell) in both {
            for policy in [Resend, Skip] {
                let said = error.to_string();
                let settled = settle(half_way(), Err(error.clone()), policy, at(1));
                assert_eq!(settled.delivery.state, state, "{said}");
                assert_eq!(settled.delivery.attempts, attempts, "{said}");
                assert_eq!(settled.delivery.last_error, Some(said));
                assert_eq!(settled.delivery.message_ids, ["10"]);
                assert!(!settled.delivery.uncertain);
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
        let [limited, moved, _, _, unreachable, uncertain] = errors();
        prop_oneof![
            3 => Just(None),
            1 => Just(Some(limited)),
            1 => Just(Some(moved)),
            1 => Just(Some(unreachable)),
            1 => Just(Some(uncertain)),
        ]
    }

    proptest! {
        #[test]
        fn every_part_is_sent_in_order_and_again_only_after_an_attempt_that_failed(
            parts in 1_u32..6,
            outcomes in prop::collection::vec(outcome(), 0..30),
            skip: bool,
        ) {
            let policy = if skip { UncertainPolicy::Skip } else { UncertainPolicy::Resend };
            let (mut delivery, mut now) = (delivery(parts), at(0));
            let mut attempts: Vec<(u32, bool)> = Vec::new();
            for outcome in outcomes.into_iter().chain(std::iter::repeat_n(None, 6)) {
                let Some(due) = delivery.state.due() else { break };
                if !matches!(delivery.state, State::Leased { .. }) {
                    prop_assert!(due >= now);
                    now = due;
                    delivery = delivery.claim(now);
                }
                let part = delivery.next_part();
                let taken = outcome.is_none() || (skip && matches!(outcome, Some(SendError::Uncertain { .. })));
                attempts.push((part, taken));
                let result = outcome.map_or_else(|| Ok(format!("m{part}")), Err);
                delivery = settle(delivery, result, policy, now).delivery;
                prop_assert_eq!(delivery.next_part(), part + u32::from(taken));
            }
            prop_assert!(matches!(delivery.state, State::Sent { .. }), "{:?}", delivery.state);
            let taken: Vec<u32> = attempts.iter().filter(|(_, taken)| *taken).map(|(part, _)| *part).collect();
            prop_assert_eq!(taken, (0..parts).collect::<Vec<_>>());
            for pair in attempts.windows(2) {
                prop_assert_eq!(pair[1].0, pair[0].0 + u32::from(pair[0].1));
            }
        }
    }
}
