//! Claiming what is due and writing down what became of it.

use chrono::{DateTime, Utc};

use super::channels::move_channel;
use super::readable;
use crate::channel::{Activity, Channel, Platform, Seq};
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

/// Claims up to `limit` deliveries for these platforms that are due at `now`. Nobody else gets them before their lease ends.
///
/// # Errors
/// Only when the store fails.
pub fn claim(store: &dyn Store, platforms: &[Platform], now: DateTime<Utc>, limit: usize) -> Result<Vec<Claimed>> {
    let mut claimed = Vec::new();
    let mut writes = Vec::new();
    let mut all = Vec::new();
    for platform in platforms {
        all.extend(store.due(*platform, now, limit.saturating_sub(all.len()))?);
    }
    for due in all {
        // A part that cannot be sent is given up, or it would keep everything behind it waiting for ever.
        match readable(store.part(&due.rendering, due.next_part()))? {
            Some(part) => {
                let delivery = due.claim(now);
                writes.push(Write::Delivery(Box::new(delivery.clone())));
                claimed.push(Claimed { delivery, part });
            }
            None => {
                let reason = "it cannot be read from the store".to_owned();
                writes.push(Write::Delivery(Box::new(due.give_up_part(reason, now))));
            }
        }
    }
    if !writes.is_empty() {
        store.commit(writes)?;
    }
    Ok(claimed)
}

/// The delivery as it is stored, if it is still the claim that the caller holds: an expired one may have been claimed
/// again, and its part sent, in the meantime.
fn still_held(store: &dyn Store, held: &Delivery) -> Result<Option<Delivery>> {
    let same = |stored: &Delivery| {
        matches!(stored.state, State::Leased { .. })
            && stored.state == held.state
            && stored.next_part() == held.next_part()
            && stored.plain == held.plain
    };
    Ok(store.delivery(&held.id)?.filter(same))
}

/// Writes down that the next part of a claimed delivery goes on the wire now: after a crash it is known that it may have
/// arrived. Returns the renewed claim; `None` when the delivery is not claimed any more.
///
/// # Errors
/// Only when the store fails.
pub fn begin(store: &dyn Store, held: &Delivery, now: DateTime<Utc>) -> Result<Option<Delivery>> {
    let Some(delivery) = still_held(store, held)?.map(|delivery| delivery.begin(now)) else {
        return Ok(None);
    };
    store.commit(vec![Write::Delivery(Box::new(delivery.clone()))])?;
    Ok(Some(delivery))
}

/// Makes every claimed delivery available at once; returns how many there were. For the start of a store's only owner:
/// whoever held these claims is dead, and a part that was on the wire may have arrived.
///
/// # Errors
/// Only when the store fails.
pub fn take_over(store: &dyn Store, now: DateTime<Utc>) -> Result<usize> {
    let mut orphans = Vec::new();
    for platform in Platform::ALL {
        orphans.extend(store.leased(platform)?);
    }
    let writes: Vec<Write> = orphans
        .into_iter()
        .map(|orphan| {
            Write::Delivery(Box::new(Delivery {
                uncertain: orphan.uncertain || orphan.sending,
                sending: false,
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
    held: &Delivery,
    outcome: std::result::Result<String, SendError>,
    policy: UncertainPolicy,
    now: DateTime<Utc>,
) -> Result<Option<(Settled, Option<Part>)>> {
    let id = &held.id;
    let Some(current) = still_held(store, held)? else {
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
        // Where it cannot be read the lease runs out, and the next claim gives the part up.
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
    let latest_first = store.deliveries(&id.place, None, WAITING)?;
    // What is older than a digest that is there was sent again by an operator: going back to it would repeat that digest.
    let there = latest_first.iter().find(|delivery| delivery.arrived() > 0);
    let there = there.map(|delivery| delivery.id.digest);
    let ahead = |digest: DigestId| there.is_none_or(|there| digest > there);
    if rewind
        && ahead(id.digest)
        && let Some(since) = begin(id.digest)?
    {
        cursor = cursor.min(since);
    }
    let mut writes = Vec::new();
    for waiting in latest_first {
        let untouched = waiting.arrived() == 0 && !waiting.uncertain && ahead(waiting.id.digest);
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
pub fn release(store: &dyn Store, held: &Delivery, now: DateTime<Utc>) -> Result<()> {
    match still_held(store, held)? {
        Some(delivery) => store.commit(vec![Write::Delivery(Box::new(delivery.release(now)))]),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::super::fixture::{Counting, Spoiled, add_channel, channel, news, october, paper, settings, take, topic};
    use super::super::{publish_due, publish_now, resume_channel};
    use super::*;
    use crate::channel::Place;
    use crate::delivery::LEASE;
    use crate::store::ModelStore;

    const HERE: &str = "telegram:-5";

    /// A channel with digests of the given days, each with three papers in two parts.
    fn queued(days: std::ops::Range<i64>) -> (ModelStore, Vec<DeliveryId>) {
        let store = ModelStore::new();
        add_channel(&store, HERE, settings(), october(1, 0));
        let ids = days.map(|day| publish_day(&store, day)).collect();
        (store, ids)
    }

    fn publish_day(store: &ModelStore, day: i64) -> DeliveryId {
        let first = u64::try_from(day).unwrap() * 10;
        let papers = (first..first + 3).map(|id| paper(id, "On pruning", "")).collect();
        take(store, &day.to_string(), news(day, papers), october(day, 20));
        let reader = channel(store, HERE);
        let published = publish_now(store, &[topic()], &Counting::default(), vec![reader], october(day, 21)).unwrap();
        published.deliveries[0].clone()
    }

    fn settled(
        store: &dyn Store,
        id: &DeliveryId,
        outcome: std::result::Result<&str, SendError>,
        now: DateTime<Utc>,
    ) -> Option<Part> {
        let held = store.delivery(id).unwrap().unwrap();
        let outcome = outcome.map(str::to_owned);
        settle(store, &held, outcome, UncertainPolicy::Resend, now)
            .unwrap()
            .unwrap()
            .1
    }

    fn state(store: &dyn Store, id: &DeliveryId) -> State {
        store.delivery(id).unwrap().unwrap().state
    }

    fn gone() -> SendError {
        SendError::Gone {
            reason: "kicked".to_owned(),
        }
    }

    fn first_line(part: &Part) -> &str {
        part.payload.lines().next().unwrap()
    }

    #[test]
    fn digests_of_a_place_go_out_in_order_part_by_part() {
        let (store, ids) = queued(9..11);
        let now = october(11, 0);
        for id in &ids {
            let [claimed] = claim(&store, &Platform::ALL, now, 9).unwrap().try_into().unwrap();
            assert_eq!((&claimed.delivery.id, first_line(&claimed.part)), (id, "0"));
            assert_eq!(state(&store, id), State::Leased { until: now + LEASE });
            assert_eq!(claim(&store, &Platform::ALL, now, 9), Ok(vec![]));
            let second = settled(&store, id, Ok("71"), now).unwrap();
            assert_eq!(first_line(&second), "1");
            assert_eq!(claim(&store, &Platform::ALL, now, 9), Ok(vec![]));
            assert_eq!(settled(&store, id, Ok("72"), now), None);
            assert_eq!(state(&store, id), State::Sent { at: now });
        }
        assert_eq!(claim(&store, &Platform::ALL, now, 9), Ok(vec![]));
    }

    #[test]
    fn a_claim_that_expired_and_was_taken_by_another_settles_nothing() {
        let (store, ids) = queued(9..10);
        let now = october(10, 0);
        let late = claim(&store, &Platform::ALL, now, 9).unwrap().remove(0).delivery;
        let taken = claim(&store, &Platform::ALL, now + LEASE, 9)
            .unwrap()
            .remove(0)
            .delivery;
        let policy = UncertainPolicy::Resend;
        assert_eq!(
            settle(&store, &late, Ok("71".to_owned()), policy, now + LEASE),
            Ok(None)
        );
        release(&store, &late, now + LEASE).unwrap();
        assert_eq!(store.delivery(&ids[0]), Ok(Some(taken.clone())));
        settle(&store, &taken, Ok("72".to_owned()), policy, now + LEASE)
            .unwrap()
            .unwrap();
        // The same claim, but for a part that is settled already.
        assert_eq!(
            settle(&store, &taken, Ok("73".to_owned()), policy, now + LEASE),
            Ok(None)
        );
    }

    #[test]
    fn a_lease_that_ran_out_with_a_part_on_the_wire_is_claimed_in_doubt_and_no_other() {
        let (store, ids) = queued(9..10);
        let now = october(10, 0);
        claim(&store, &Platform::ALL, now, 9).unwrap();
        release(&store, &store.delivery(&ids[0]).unwrap().unwrap(), now).unwrap();
        let [again] = claim(&store, &Platform::ALL, now, 9).unwrap().try_into().unwrap();
        assert!(!again.delivery.uncertain);
        let waiting = claim(&store, &Platform::ALL, now + LEASE, 9)
            .unwrap()
            .remove(0)
            .delivery;
        assert!(!waiting.uncertain, "it only waited for a permit");
        let now = now + LEASE;
        begin(&store, &waiting, now).unwrap().unwrap();
        let before_the_end = now + LEASE - TimeDelta::milliseconds(1);
        assert_eq!(claim(&store, &Platform::ALL, before_the_end, 9), Ok(vec![]));
        let [expired] = claim(&store, &Platform::ALL, now + LEASE, 9)
            .unwrap()
            .try_into()
            .unwrap();
        assert!(expired.delivery.uncertain);
        assert_eq!(expired.delivery.idempotency_key(), again.delivery.idempotency_key());
        settled(&store, &ids[0], Ok("71"), now + LEASE);
        settled(&store, &ids[0], Ok("72"), now + LEASE);
        release(&store, &store.delivery(&ids[0]).unwrap().unwrap(), now).unwrap();
        assert_eq!(state(&store, &ids[0]), State::Sent { at: now + LEASE });
    }

    #[test]
    fn a_channel_that_is_gone_gets_one_merged_digest_when_it_returns() {
        let (store, ids) = queued(9..12);
        claim(&store, &Platform::ALL, october(11, 22), 9).unwrap();
        settled(&store, &ids[0], Err(gone()), october(11, 22));
        let paused = channel(&store, HERE);
        let activity = Activity::Paused {
            reason: "kicked".to_owned(),
            since: october(11, 22),
        };
        assert_eq!((paused.cursor, paused.activity), (0, activity));
        // Nothing of what waited goes out meanwhile: it would come twice.
        assert_eq!(
            (store.unfinished(9), claim(&store, &Platform::ALL, october(30, 0), 9)),
            (Ok(vec![]), Ok(vec![]))
        );
        let render = Counting::default();
        assert_eq!(
            publish_due(&store, &[topic()], &render, october(14, 0))
                .unwrap()
                .digests,
            []
        );
        resume_channel(&store, &paused.place, october(14, 0)).unwrap();
        let published = publish_due(&store, &[topic()], &render, october(14, 9)).unwrap();
        assert_eq!(
            published.digests.iter().map(|(_, papers)| *papers).collect::<Vec<_>>(),
            [9]
        );
        assert_eq!(published.deliveries.len(), 1);
    }

    #[test]
    fn what_arrived_before_a_channel_was_gone_does_not_come_again() {
        let (store, ids) = queued(9..11);
        let now = october(11, 0);
        claim(&store, &Platform::ALL, now, 9).unwrap();
        settled(&store, &ids[0], Ok("71"), now);
        settled(&store, &ids[0], Err(gone()), now);
        let second = store.digest(&ids[1].digest).unwrap().unwrap();
        assert_eq!((channel(&store, HERE).cursor, second.since), (3, 3));
        let expected = State::Discarded {
            reason: Discard::Gone("kicked".to_owned()),
            at: now,
        };
        assert_eq!(
            ids.iter().map(|id| state(&store, id)).collect::<Vec<_>>(),
            [expected.clone(), expected]
        );
    }

    #[test]
    fn a_chat_that_moved_is_followed_with_its_history() {
        let (store, ids) = queued(9..11);
        let (now, there) = (october(11, 0), Place::telegram(-1005, None));
        claim(&store, &Platform::ALL, now, 9).unwrap();
        settled(&store, &ids[0], Ok("71"), now);
        let moved = SendError::Moved { to: there.clone() };
        assert_eq!(settled(&store, &ids[0], Err(moved), now), None);
        assert_eq!(store.channel(&ids[0].place), Ok(None));
        assert_eq!(store.channel(&there).unwrap().unwrap().cursor, 6);
        let [next] = claim(&store, &Platform::ALL, now, 9).unwrap().try_into().unwrap();
        assert_eq!(
            (&next.delivery.id.place, next.delivery.id.digest),
            (&there, ids[0].digest)
        );
        assert_eq!((first_line(&next.part), next.delivery.uncertain), ("1", false));
        assert_eq!(store.digest_of_message(&there, "71"), Ok(Some(ids[0].digest)));
        assert_eq!(store.unfinished(9).unwrap().len(), 2);
        assert_eq!(store.deliveries(&ids[0].place, None, 9), Ok(vec![]));
    }

    #[test]
    fn a_part_that_cannot_be_read_is_set_aside_and_the_rest_goes_on() {
        let (whole, ids) = queued(9..10);
        add_channel(&whole, "web:lobby", settings(), october(10, 0));
        let reader = channel(&whole, "web:lobby");
        publish_now(&whole, &[topic()], &Counting::default(), vec![reader], october(10, 1)).unwrap();
        let spoiled = Spoiled {
            whole: &whole,
            papers: Vec::new(),
            parts: vec![1],
        };
        let now = october(10, 2);
        let claimed = claim(&spoiled, &Platform::ALL, now, 9).unwrap();
        assert_eq!(claimed.len(), 2);
        assert_eq!(settled(&spoiled, &ids[0], Ok("71"), now), None);
        assert_eq!(claim(&spoiled, &Platform::ALL, now + LEASE, 1), Ok(vec![]));
        let State::Discarded { reason, .. } = state(&spoiled, &ids[0]) else {
            panic!("it still waits")
        };
        assert_eq!(
            reason,
            Discard::Rejected("part 2: it cannot be read from the store".to_owned())
        );
    }

    #[test]
    fn a_new_owner_takes_over_what_a_dead_one_held_and_doubts_only_what_was_on_the_wire() {
        for on_the_wire in [false, true] {
            let (store, ids) = queued(9..11);
            let now = october(11, 0);
            let held = claim(&store, &Platform::ALL, now, 9).unwrap().remove(0).delivery;
            if on_the_wire {
                begin(&store, &held, now).unwrap().unwrap();
            }
            let waiting = store.delivery(&ids[1]);
            assert_eq!(take_over(&store, now), Ok(1));
            let taken = store.delivery(&ids[0]).unwrap().unwrap();
            assert_eq!(
                (taken.state, taken.uncertain),
                (State::Available { at: now }, on_the_wire)
            );
            assert_eq!(store.delivery(&ids[1]), waiting);
        }
    }
}
