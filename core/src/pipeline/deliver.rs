//! Claiming what is due and writing down what became of it.

use chrono::{DateTime, Utc};

use super::channels::move_channel;
use super::readable;
use crate::channel::{Activity, Channel, Seq};
use crate::delivery::{self, ChannelEffect, Delivery, DeliveryId, Discard, SendError, Settled, State, UncertainPolicy};
use crate::digest::DigestId;
use crate::message::Part;
use crate::store::{Result, Store, Write};

/// How many of a channel's latest deliveries are looked at for those that wait when it pauses.
const WAITING: usize = 100;

/// A delivery that the caller may send the next part of, until its lease ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimed {
    /// The delivery, leased.
    pub delivery: Delivery,
    /// Its next part.
    pub part: Part,
}

/// Claims up to `limit` deliveries that are due at `now`. Nobody else gets them before their lease ends.
///
/// # Errors
/// Only when the store fails.
pub fn claim(store: &dyn Store, now: DateTime<Utc>, limit: usize) -> Result<Vec<Claimed>> {
    let mut claimed = Vec::new();
    let mut writes = Vec::new();
    for due in store.due(now, limit)? {
        // A lease that ran out means that its holder died with a part in flight: it may have arrived.
        let uncertain = due.uncertain || matches!(due.state, State::Leased { .. });
        // What cannot be sent is set aside, or it would keep everything behind it waiting for ever.
        match readable(store.part(&due.rendering, due.next_part()))? {
            Some(part) => {
                let delivery = Delivery {
                    uncertain,
                    ..due.claim(now)
                };
                writes.push(Write::Delivery(Box::new(delivery.clone())));
                claimed.push(Claimed { delivery, part });
            }
            None => {
                let reason = Discard::Rejected(format!("part {} cannot be read from the store", due.next_part() + 1));
                let state = State::Discarded { reason, at: now };
                writes.push(Write::Delivery(Box::new(Delivery { state, ..due })));
            }
        }
    }
    if !writes.is_empty() {
        store.commit(writes)?;
    }
    Ok(claimed)
}

/// Writes down what became of the next part of a claimed delivery, and what that means for its channel. Returns the
/// decision and, where more is to be sent under the same claim, the next part; `None` when the delivery is not claimed
/// any more.
///
/// # Errors
/// Only when the store fails.
pub fn settle(
    store: &dyn Store,
    id: &DeliveryId,
    outcome: std::result::Result<String, SendError>,
    policy: UncertainPolicy,
    now: DateTime<Utc>,
) -> Result<Option<(Settled, Option<Part>)>> {
    let Some(current) = store.delivery(id)?.filter(|d| matches!(d.state, State::Leased { .. })) else {
        return Ok(None);
    };
    let settled = delivery::settle(current, outcome, policy, now);
    // Under its present name; if the chat moved, it is renamed below with all the others.
    let mut writes = vec![Write::Delivery(Box::new(Delivery {
        id: id.clone(),
        ..settled.delivery.clone()
    }))];
    match &settled.channel {
        ChannelEffect::None => {}
        ChannelEffect::Pause { reason, rewind } => writes.extend(pause(store, id, reason, *rewind, now)?),
        ChannelEffect::Move { to } => {
            store.commit(writes)?;
            move_channel(store, &id.place, to)?;
            return Ok(Some((settled, None)));
        }
    }
    store.commit(writes)?;
    let next = match settled.delivery.state {
        // Where it cannot be read the lease runs out, and the next claim sets the delivery aside.
        State::Leased { .. } => readable(store.part(&settled.delivery.rendering, settled.delivery.next_part()))?,
        State::Available { .. } | State::Sent { .. } | State::Discarded { .. } => None,
    };
    Ok(Some((settled, next)))
}

/// Pauses the channel. Digests that wait behind this one are given up with it: what they hold comes in the merged digest
/// that follows when access returns, and one of them that still went out would be a repeat.
fn pause(store: &dyn Store, id: &DeliveryId, reason: &str, rewind: bool, now: DateTime<Utc>) -> Result<Vec<Write>> {
    let Some(channel) = readable(store.channel(&id.place))? else {
        return Ok(Vec::new());
    };
    let begin = |id: DigestId| -> Result<Option<Seq>> { Ok(readable(store.digest(&id))?.map(|digest| digest.since)) };
    let mut cursor = channel.cursor;
    if rewind && let Some(since) = begin(id.digest)? {
        cursor = cursor.min(since);
    }
    let mut writes = Vec::new();
    for waiting in store.deliveries(&id.place, None, WAITING)? {
        let untouched = waiting.message_ids.is_empty() && !waiting.uncertain;
        if waiting.id == *id || waiting.is_finished() || !untouched {
            continue;
        }
        if let Some(since) = begin(waiting.id.digest)? {
            cursor = cursor.min(since);
            let reason = Discard::Gone(reason.to_owned());
            let state = State::Discarded { reason, at: now };
            writes.push(Write::Delivery(Box::new(Delivery { state, ..waiting })));
        }
    }
    let activity = Activity::Paused {
        reason: reason.to_owned(),
        since: now,
    };
    writes.push(Write::Channel(Box::new(Channel {
        cursor,
        activity,
        ..channel
    })));
    Ok(writes)
}

/// Gives a claim back untouched, at a clean stop.
///
/// # Errors
/// Only when the store fails.
pub fn release(store: &dyn Store, id: &DeliveryId, now: DateTime<Utc>) -> Result<()> {
    match store.delivery(id)? {
        Some(delivery) if matches!(delivery.state, State::Leased { .. }) => {
            store.commit(vec![Write::Delivery(Box::new(delivery.release(now)))])
        }
        Some(_) | None => Ok(()),
    }
}
