//! Claiming what is due and writing down what became of it.

use chrono::{DateTime, Utc};

use super::channels::move_channel;
use crate::channel::{Activity, Channel};
use crate::delivery::{self, ChannelEffect, Delivery, DeliveryId, SendError, Settled, State, UncertainPolicy};
use crate::message::Part;
use crate::store::{Result, Store, Write};

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
        match store.part(&due.rendering, due.next_part())? {
            Some(part) => {
                let delivery = Delivery {
                    uncertain,
                    ..due.claim(now)
                };
                writes.push(Write::Delivery(Box::new(delivery.clone())));
                claimed.push(Claimed { delivery, part });
            }
            None => {
                let reason = delivery::Discard::Rejected(format!("part {} was never rendered", due.next_part() + 1));
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

/// Makes every claimed delivery available at once; returns how many there were. For the start of a store's only owner:
/// whoever held these claims is dead, with a part in flight that may have arrived.
///
/// # Errors
/// Only when the store fails.
pub fn take_over(store: &dyn Store, now: DateTime<Utc>) -> Result<usize> {
    let unfinished = store.unfinished(usize::MAX)?;
    let orphans = unfinished
        .into_iter()
        .filter(|delivery| matches!(delivery.state, State::Leased { .. }));
    let writes: Vec<Write> = orphans
        .map(|orphan| {
            Write::Delivery(Box::new(Delivery {
                uncertain: true,
                ..orphan.release(now)
            }))
        })
        .collect();
    let count = writes.len();
    if count > 0 {
        store.commit(writes)?;
    }
    Ok(count)
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
    let mut writes = Vec::new();
    match &settled.channel {
        ChannelEffect::None => writes.push(Write::Delivery(Box::new(settled.delivery.clone()))),
        ChannelEffect::Pause { reason, rewind } => {
            writes.push(Write::Delivery(Box::new(settled.delivery.clone())));
            if let Some(channel) = store.channel(&id.place)? {
                let read_from = if *rewind {
                    store.digest(&id.digest)?.map(|d| d.since)
                } else {
                    None
                };
                let cursor = read_from.map_or(channel.cursor, |since| since.min(channel.cursor));
                let activity = Activity::Paused {
                    reason: reason.clone(),
                    since: now,
                };
                writes.push(Write::Channel(Box::new(Channel {
                    cursor,
                    activity,
                    ..channel
                })));
            }
        }
        ChannelEffect::Move { to } => {
            writes.push(Write::RemoveDelivery(id.clone()));
            writes.push(Write::Delivery(Box::new(settled.delivery.clone())));
            store.commit(writes)?;
            move_channel(store, &id.place, to)?;
            return Ok(Some((settled, None)));
        }
    }
    store.commit(writes)?;
    let next = match settled.delivery.state {
        State::Leased { .. } => store.part(&settled.delivery.rendering, settled.delivery.next_part())?,
        State::Available { .. } | State::Sent { .. } | State::Discarded { .. } => None,
    };
    Ok(Some((settled, next)))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel::{Place, Platform, Style};
    use crate::digest::{DigestId, RenderingId};
    use crate::locale::Lang;
    use crate::store::ModelStore;

    #[test]
    fn a_new_owner_takes_over_what_a_dead_one_held_as_uncertain_and_leaves_the_rest() {
        let now = DateTime::<Utc>::UNIX_EPOCH;
        let store = ModelStore::new();
        let delivery = |chat| {
            let digest = DigestId {
                set: 1,
                occurrence: now,
            };
            let rendering = RenderingId {
                digest,
                platform: Platform::Telegram,
                lang: Lang::En,
                style: Style::Compact,
                zone: chrono_tz::UTC,
            };
            let place = Place::telegram(chat, None);
            Delivery::new(DeliveryId { place, digest }, rendering, 2, now)
        };
        let (waiting, held) = (delivery(1), delivery(2).claim(now));
        let sent = Delivery {
            state: State::Sent { at: now },
            ..delivery(3)
        };
        let all = [&waiting, &held, &sent];
        store
            .commit(all.map(|d| Write::Delivery(Box::new(d.clone()))).to_vec())
            .unwrap();

        assert_eq!(take_over(&store, now), Ok(1));

        let read = |d: &Delivery| store.delivery(&d.id).unwrap().unwrap();
        let taken = read(&held);
        assert_eq!((taken.state, taken.uncertain), (State::Available { at: now }, true));
        assert_eq!((read(&waiting), read(&sent)), (waiting, sent));
    }
}
