//! The turn of a platform's worker: write down what came back, then claim what may go on the wire next. A turn is one job
//! of the storage thread, so that all its outcomes and claims share one sync.

use std::collections::HashSet;

use chrono::{DateTime, TimeDelta, Utc};

use super::channels::move_channel;
use super::correct;
use super::readable;
use crate::channel::{Activity, Channel, Place, Platform, Seq};
use crate::delivery::{
    self, ChannelEffect, Delivery, DeliveryId, Discard, Doubt, Missing, Outcome, Settled, State, Step, UncertainPolicy,
};
use crate::digest::DigestId;
use crate::limiter::{Lane, Limiter, Limits, Memory, Shut};
use crate::message::Part;
use crate::store::{Result, Store, Write};

/// How many of a channel's latest deliveries are looked at for those that wait when it pauses.
const WAITING: usize = 100;
/// How far ahead permits are taken: longer than a turn takes to become durable, so that the wire never waits for the
/// disk, and short enough that a person's answer, which takes the next free permit, waits for no more than this. Permits are
/// taken when half of it is free, so that several share a turn.
const HORIZON: TimeDelta = TimeDelta::milliseconds(250);
/// The most claims of one turn, so that it ends soon: answers to people wait for the same limiter.
const CLAIMS: usize = 128;
/// By so much a send may lie ahead of a clock that was not put back: permits are taken ahead.
const CLOCK_SLACK: TimeDelta = TimeDelta::seconds(10);
/// The least time until the next turn when there was nothing to do in this one.
const REST: TimeDelta = TimeDelta::milliseconds(20);
/// How many due deliveries a turn reads at first: reading one costs more than asking for a permit, and as a rule there are
/// permits for one or two. Each further reading is [`GROWTH`] times as large.
const FEW: usize = 4;
/// See [`FEW`].
const GROWTH: usize = 4;
/// How many of a place's earlier deliveries are looked at for the last message before a missing one.
const EARLIER: usize = 10;
/// The most messages of the bot in one chat that looking for a missing one is told of.
const KNOWN: usize = 200;

/// What a worker shall do now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// The claimed delivery.
    pub delivery: Delivery,
    /// Its next part.
    pub part: Part,
    /// When it may go on the wire.
    pub at: DateTime<Utc>,
    /// What to do with it.
    pub task: Task,
}

/// What a job is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Task {
    /// Send the part.
    Send,
    /// Look whether it is there.
    Look(Missing),
    /// Put the part in the place of a message.
    Edit {
        /// The platform's id of it.
        message: String,
        /// That of its digest's first message ([`delivery::Tag::first`]).
        first: Option<String>,
    },
}

/// What a turn brought.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Turn {
    /// What became of the outcomes, in their order; those of claims that were not held any more are missing.
    pub settled: Vec<Settled>,
    /// Channels that are paused from now on, and what the platform said.
    pub paused: Vec<(Place, String)>,
    /// What to do next, in the order of the permits.
    pub jobs: Vec<Job>,
    /// When the next turn is worth it, if nothing happens before.
    pub next: Option<DateTime<Utc>>,
}

/// What a worker brings to its turn.
#[derive(Debug, Clone, Default)]
pub struct Input {
    /// What came back since the last one.
    pub done: Vec<(Delivery, Outcome)>,
    /// The places of what is still in its hands: nothing else goes there meanwhile, and whatever a clock says, nobody has
    /// to look for that.
    pub flying: HashSet<Place>,
    /// How many more it can take.
    pub room: usize,
}

/// Settles what came back and claims what of this platform is due and has a permit.
///
/// # Errors
/// Only when the store fails.
pub fn turn(
    store: &dyn Store,
    platform: Platform,
    limiter: &mut Limiter,
    input: Input,
    policy: UncertainPolicy,
    now: DateTime<Utc>,
) -> Result<Turn> {
    let Input { done, flying, room } = input;
    let room = room.min(CLAIMS);
    let mut turn = Turn::default();
    settle(store, limiter, done, policy, now, &mut turn)?;
    let shut = claim(store, platform, limiter, &flying, room, now, &mut turn)?;
    turn.next = match shut {
        Some(shut) => store.next_due(platform)?.map(|due| due.max(shut)),
        // What a full house leaves waiting is looked at when something comes back.
        None if turn.jobs.len() == room => None,
        None => store.next_due(platform)?,
    };
    // What is due and was not claimed is still in the worker's hands: there is nothing to do until it comes back.
    if turn.jobs.is_empty() && turn.settled.is_empty() {
        turn.next = turn.next.map(|next| next.max(now + REST));
    }
    Ok(turn)
}

fn settle(
    store: &dyn Store,
    limiter: &Limiter,
    done: Vec<(Delivery, Outcome)>,
    policy: UncertainPolicy,
    now: DateTime<Utc>,
    turn: &mut Turn,
) -> Result<()> {
    let mut writes = Vec::new();
    for (held, outcome) in done {
        let Some(current) = still_held(store, &held)? else {
            continue;
        };
        let mut settled = delivery::settle(current, outcome, policy, now);
        if let State::Available { at } = settled.delivery.state {
            // Not before its chat is open: until then it would be claimed in vain.
            let opens = limiter.chat_opens(&settled.delivery.id.place, Lane::Bulk, now);
            settled.delivery.state = State::Available { at: at.max(opens) };
        }
        // Under its present name; if the chat moved, it is renamed below with all the others.
        writes.push(Write::Delivery(Box::new(Delivery {
            id: held.id.clone(),
            ..settled.delivery.clone()
        })));
        match &settled.channel {
            ChannelEffect::None => {}
            ChannelEffect::Pause { reason, rewind } => {
                let channel = readable(store.channel(&held.id.place))?;
                if channel.is_some_and(|channel| channel.activity.is_reachable()) {
                    turn.paused.push((held.id.place.clone(), reason.clone()));
                }
                writes.extend(pause(store, &held.id, reason, *rewind, now)?);
            }
            ChannelEffect::Move { to } => {
                store.commit(std::mem::take(&mut writes))?;
                move_channel(store, &held.id.place, to)?;
            }
        }
        turn.settled.push(settled);
    }
    if writes.is_empty() {
        Ok(())
    } else {
        store.commit(writes)
    }
}

/// Claims while there are permits. Returns when the bot may send again where it has none left.
fn claim(
    store: &dyn Store,
    platform: Platform,
    limiter: &mut Limiter,
    flying: &HashSet<Place>,
    room: usize,
    now: DateTime<Utc>,
    turn: &mut Turn,
) -> Result<Option<DateTime<Utc>>> {
    let opens = limiter.bulk_opens(now);
    if opens > now + HORIZON / 2 {
        if let Some(write) = remember(platform, limiter) {
            store.commit(vec![write])?;
        }
        return Ok(Some(opens - HORIZON / 2));
    }
    let mut shut = None;
    let mut reach = FEW;
    while shut.is_none() && turn.jobs.len() < room {
        // Those that fly may all stand in front: an older digest's correction is due while its place has something on the wire.
        let left = room - turn.jobs.len() + flying.len();
        let most = reach.min(left);
        reach = reach.saturating_mul(GROWTH);
        let due = store.due(platform, now, most)?;
        if due.is_empty() {
            break;
        }
        let further = due.len() == most && most < left;
        let mut writes = Vec::new();
        for delivery in due {
            if turn.jobs.len() == room {
                break;
            }
            // One at a time in each place, also when an operator put an older one back into the queue.
            if flying.contains(&delivery.id.place) {
                continue;
            }
            let place = delivery.id.place.clone();
            if matches!(delivery.state, State::Leased { .. }) {
                writes.push(Write::Delivery(Box::new(delivery.lapse(now))));
                continue;
            }
            let (delivery, edit) = if delivery.id.is_correction() {
                match correct::aim(store, delivery, now)? {
                    (left, None) => {
                        writes.push(Write::Delivery(Box::new(left)));
                        continue;
                    }
                    aimed => aimed,
                }
            } else {
                (delivery, None)
            };
            // A part that cannot be sent is given up, or it would keep everything behind it waiting for ever.
            let Some(part) = readable(store.part(&delivery.rendering, delivery.next_part()))? else {
                let reason = "it cannot be read from the store".to_owned();
                let Some(_) = edit else {
                    let delivery = delivery.give_up_part(reason, now);
                    turn.settled.push(Settled {
                        delivery: delivery.clone(),
                        channel: ChannelEffect::None,
                        decided: None,
                        tell_operator: true,
                    });
                    writes.push(Write::Delivery(Box::new(delivery)));
                    continue;
                };
                writes.push(Write::Delivery(Box::new(delivery.leave_part(reason, now))));
                continue;
            };
            let changed = match limiter.reserve(&place, Lane::Bulk, now, HORIZON) {
                Ok(at) => {
                    // Alone in its chat, it is enough to know what stood there when it is looked for.
                    let last = match (&edit, place.thread()) {
                        (None, Some(_)) => store.messages_in_chat(&place, 1)?.pop(),
                        (None, None) | (Some(_), _) => None,
                    };
                    let task = match edit {
                        None => task(store, &delivery, now)?,
                        Some(edit) => edit,
                    };
                    let delivery = delivery.claim(last, now);
                    writes.push(Write::Sent { place, at });
                    turn.jobs.push(Job {
                        delivery: delivery.clone(),
                        part,
                        at,
                        task,
                    });
                    delivery
                }
                Err(Shut::Chat { until }) => delivery.wait(until),
                Err(Shut::Bot { until }) => {
                    shut = Some(until);
                    break;
                }
            };
            writes.push(Write::Delivery(Box::new(changed)));
        }
        if writes.is_empty() {
            // Others may stand behind those that fly.
            if further && shut.is_none() {
                continue;
            }
            break;
        }
        let before = now - limiter.widest();
        writes.push(Write::ForgetSent { platform, before });
        writes.extend(remember(platform, limiter));
        store.commit(writes)?;
    }
    if let Some(write) = remember(platform, limiter) {
        store.commit(vec![write])?;
    }
    Ok(shut)
}

fn task(store: &dyn Store, delivery: &Delivery, now: DateTime<Utc>) -> Result<Task> {
    match delivery.step(now) {
        Step::Send => Ok(Task::Send),
        Step::Look => Ok(Task::Look(Missing {
            tag: delivery.tag(),
            // Earlier versions did not write it down.
            first_sent: delivery.first_sent.unwrap_or(delivery.published_at),
            after: match &delivery.after {
                Some(id) => Some(id.clone()),
                None => last_before(store, delivery)?,
            },
            known: store.messages_in_chat(&delivery.id.place, KNOWN)?,
        })),
    }
}

/// The last message of the bot in the delivery's place before its next part.
fn last_before(store: &dyn Store, delivery: &Delivery) -> Result<Option<String>> {
    let last_of = |delivery: &Delivery| delivery.message_ids.iter().rev().find(|id| !id.is_empty()).cloned();
    if let Some(id) = last_of(delivery) {
        return Ok(Some(id));
    }
    let earlier = store.deliveries(&delivery.id.place, Some(delivery.id.digest), EARLIER)?;
    // What a correction has edited stands before the end of its post.
    let posts = earlier.iter().filter(|delivery| !delivery.id.is_correction());
    Ok(posts.filter_map(last_of).next())
}

fn remember(platform: Platform, limiter: &mut Limiter) -> Option<Write> {
    let memory = serde_json::to_string(&limiter.take_changed()?).ok()?;
    Some(Write::LimiterMemory { platform, memory })
}

/// A platform's limiter as the last run left it. What cannot be read of it is forgotten: the platform tells again.
///
/// # Errors
/// Only when the store fails.
pub fn limiter(store: &dyn Store, platform: Platform, limits: Limits, now: DateTime<Utc>) -> Result<Limiter> {
    let memory = readable(store.limiter_memory(platform))?;
    let memory: Memory = memory
        .and_then(|text| serde_json::from_str(&text).ok())
        .unwrap_or_default();
    let widest = Limiter::new(limits.clone()).widest();
    let sends = store.sends(platform, now - widest)?;
    Ok(Limiter::restore(limits, memory, sends, now))
}

/// The delivery as it is stored, if it is still the claim that the caller holds.
fn still_held(store: &dyn Store, held: &Delivery) -> Result<Option<Delivery>> {
    let same = |stored: &Delivery| {
        matches!(stored.state, State::Leased { .. })
            && stored.state == held.state
            && stored.next_part() == held.next_part()
            && stored.plain == held.plain
    };
    Ok(store.delivery(&held.id)?.filter(same))
}

/// Makes every claimed delivery available at once; returns how many there were. For the start of a store's only owner:
/// whoever held these claims is dead, and what was on the wire may have arrived.
///
/// # Errors
/// Only when the store fails.
pub fn take_over(store: &dyn Store, now: DateTime<Utc>) -> Result<usize> {
    let mut writes = Vec::new();
    for platform in Platform::ALL {
        for orphan in store.leased(platform)? {
            writes.push(Write::Delivery(Box::new(orphan.lapse(now))));
        }
    }
    let count = writes.len();
    // Something was sent later than it is now: the clock was put back, and what waits would wait for it to catch up.
    let mut put_back = false;
    for platform in Platform::ALL {
        put_back |= !store.sends(platform, now + CLOCK_SLACK)?.is_empty();
    }
    if put_back {
        for waiting in store.unfinished(usize::MAX)? {
            match waiting.state {
                State::Available { at } if at > now => writes.push(Write::Delivery(Box::new(waiting.wait(now)))),
                State::Available { .. } | State::Leased { .. } | State::Sent { .. } | State::Discarded { .. } => {}
            }
        }
    }
    if !writes.is_empty() {
        store.commit(writes)?;
    }
    Ok(count)
}

/// How many deliveries are looked at in one job of the storage thread, so that sending waits for none of them.
const CHECKED: usize = 1_000;

/// Sets aside what cannot be read of the next unfinished deliveries after `after`: one that stands at the head of its
/// channel's queue would keep everything behind it waiting for ever. Returns which, and where to go on.
///
/// # Errors
/// Only when the store fails.
pub fn set_aside(store: &dyn Store, after: Option<&DeliveryId>) -> Result<(Vec<DeliveryId>, Option<DeliveryId>)> {
    let (found, last) = store.unreadable(after, CHECKED)?;
    if !found.is_empty() {
        store.commit(found.iter().cloned().map(Write::SetAside).collect())?;
    }
    Ok((found, last))
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
    let there = latest_first
        .iter()
        .find(|delivery| !delivery.id.is_correction() && delivery.arrived() > 0);
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
        if waiting.id.is_correction() && waiting.id != *id && matches!(waiting.state, State::Available { .. }) {
            let reason = Discard::Gone(reason.to_owned());
            let state = State::Discarded { reason, at: now };
            writes.push(Write::Delivery(Box::new(Delivery { state, ..waiting })));
            continue;
        }
        let untouched = waiting.arrived() == 0 && waiting.doubt == Doubt::None && ahead(waiting.id.digest);
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

#[cfg(test)]
mod tests {
    use super::super::fixture::{
        Counting, Spoiled, add_channel, back, channel, claims, failed, free, input, news, october, paper, sent,
        settings, take, topic,
    };
    use super::super::{publish_due, publish_now, resume_channel};
    use super::*;
    use crate::channel::Place;
    use crate::delivery::{LEASE, Looked, SendError};
    use crate::limiter::Window;
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
        let papers = (first..first + 3)
            .map(|id| paper(id, "On pruning", "It helps."))
            .collect();
        take(store, &day.to_string(), news(day, papers), october(day, 20));
        let reader = channel(store, HERE);
        let published = publish_now(store, &[topic()], &Counting::default(), vec![reader], october(day, 21)).unwrap();
        published.deliveries[0].clone()
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
        let [mut job] = claims(&store, now).try_into().unwrap();
        for id in &ids {
            assert_eq!((&job.delivery.id, first_line(&job.part)), (id, "0"));
            assert_eq!(state(&store, id), State::Leased { until: now + LEASE });
            assert_eq!(claims(&store, now), vec![]);
            let [second] = back(&store, id, sent("71"), now).jobs.try_into().unwrap();
            assert_eq!((&second.delivery.id, first_line(&second.part)), (id, "1"));
            assert_eq!(claims(&store, now), vec![]);
            let next = back(&store, id, sent("72"), now).jobs;
            assert_eq!(state(&store, id), State::Sent { at: now });
            job = next.into_iter().next().unwrap_or(second);
        }
        assert_eq!(claims(&store, now), vec![]);
    }

    #[test]
    fn every_channel_gets_its_first_part_before_any_gets_its_second() {
        let (store, first) = queued(9..10);
        for place in ["telegram:-6", "telegram:-7"] {
            add_channel(&store, place, settings(), october(8, 0));
            let reader = channel(&store, place);
            publish_now(&store, &[topic()], &Counting::default(), vec![reader], october(10, 1)).unwrap();
        }
        let now = october(10, 2);
        let one = |done| {
            let turn = turn(
                &store,
                Platform::Telegram,
                &mut free(),
                input(done, 1),
                UncertainPolicy::Resend,
                now,
            )
            .unwrap();
            turn.jobs.into_iter().next()
        };
        let mut parts = Vec::new();
        let mut job = one(Vec::new());
        while let Some(Job { delivery, .. }) = job {
            parts.push(delivery.next_part());
            job = one(vec![(delivery, sent("1"))]);
        }
        assert_eq!(parts, [0, 0, 0, 1, 1, 1]);
        assert_eq!(state(&store, &first[0]), State::Sent { at: now });
    }

    #[test]
    fn many_that_fly_past_their_lease_do_not_hide_the_one_behind_them() {
        for room in [9, 1] {
            let (store, _) = queued(9..10);
            let places: Vec<String> = (6..12).map(|n| format!("telegram:-{n}")).collect();
            for place in &places {
                add_channel(&store, place, settings(), october(8, 0));
            }
            let readers = places.iter().map(|place| channel(&store, place)).collect();
            publish_now(&store, &[topic()], &Counting::default(), readers, october(10, 1)).unwrap();
            let now = october(10, 2);
            let held = claims(&store, now).len();
            let late = now + LEASE;
            let mut due = store.due(Platform::Telegram, late, 9).unwrap();
            assert_eq!((held, due.len()), (7, 7));
            let behind = due.pop().unwrap().id;
            let flying = due.into_iter().map(|delivery| delivery.id.place).collect();
            let input = Input {
                flying,
                ..input(Vec::new(), room)
            };
            let turn = turn(
                &store,
                Platform::Telegram,
                &mut free(),
                input,
                UncertainPolicy::Resend,
                late,
            )
            .unwrap();
            let [job] = turn.jobs.try_into().unwrap();
            assert_eq!(job.delivery.id, behind);
        }
    }

    #[test]
    fn a_chat_without_a_permit_waits_until_it_opens_and_holds_no_other_back() {
        let (store, ids) = queued(9..10);
        add_channel(&store, "telegram:-6", settings(), october(8, 0));
        let reader = channel(&store, "telegram:-6");
        publish_now(&store, &[topic()], &Counting::default(), vec![reader], october(10, 1)).unwrap();
        let window = |messages, seconds| Window {
            messages,
            per: TimeDelta::seconds(seconds),
        };
        let limits = Limits {
            chat: vec![window(1, 1)],
            ..Limits::none()
        };
        let mut limiter = Limiter::new(limits);
        let now = october(10, 2);
        let mut go = |done, now| {
            turn(
                &store,
                Platform::Telegram,
                &mut limiter,
                input(done, 9),
                UncertainPolicy::Resend,
                now,
            )
            .unwrap()
        };
        let [first, second] = go(Vec::new(), now).jobs.try_into().unwrap();
        let done = vec![(first.delivery, sent("71")), (second.delivery, sent("71"))];
        let Turn { jobs, next, .. } = go(done, now);
        let opens = next.unwrap();
        assert!((now + TimeDelta::seconds(1)..now + TimeDelta::milliseconds(1_100)).contains(&opens));
        assert_eq!((jobs, state(&store, &ids[0])), (vec![], State::Available { at: opens }));
        assert_eq!(go(Vec::new(), opens).jobs.len(), 2);
    }

    #[test]
    fn without_a_permit_of_the_bot_nothing_is_claimed_and_the_next_turn_is_known() {
        let (store, _) = queued(9..10);
        let mut limiter = free();
        let (place, now) = (Place::telegram(8, None), october(10, 2));
        let heard = crate::limiter::Heard::Limited {
            retry_after: std::time::Duration::from_millis(1_234),
            scope: delivery::LimitScope::Bot,
        };
        limiter.observe(&place, &heard, &crate::limiter::Signal::default(), now);
        let go = |limiter: &mut Limiter, now| {
            turn(
                &store,
                Platform::Telegram,
                limiter,
                input(Vec::new(), 9),
                UncertainPolicy::Resend,
                now,
            )
            .unwrap()
        };
        let waiting = go(&mut limiter, now);
        let opens = now + TimeDelta::milliseconds(1_234);
        assert_eq!((waiting.jobs, waiting.next), (vec![], Some(opens - HORIZON / 2)));
        // The next start still knows.
        let mut restored = super::limiter(&store, Platform::Telegram, Limits::none(), now).unwrap();
        assert_eq!(go(&mut restored, now).next, Some(opens - HORIZON / 2));
        let [job] = go(&mut restored, opens - HORIZON / 2).jobs.try_into().unwrap();
        assert_eq!(job.at, opens);
    }

    #[test]
    fn a_claim_that_lapsed_and_was_taken_anew_settles_nothing() {
        let (store, ids) = queued(9..10);
        let now = october(10, 0);
        let late = claims(&store, now).remove(0).delivery;
        let taken = claims(&store, now + LEASE).remove(0).delivery;
        let go = |done| {
            let policy = UncertainPolicy::Resend;
            turn(
                &store,
                Platform::Telegram,
                &mut free(),
                input(done, 0),
                policy,
                now + LEASE,
            )
            .unwrap()
        };
        let unused = go(vec![(late.clone(), sent("71")), (late, Outcome::Unused)]);
        assert_eq!(unused.settled, vec![]);
        assert_eq!(store.delivery(&ids[0]), Ok(Some(taken.clone())));
        let found = Outcome::Looked(Looked::There("72".to_owned()));
        assert_eq!(go(vec![(taken.clone(), found)]).settled.len(), 1);
        // The same claim, but for a part that is settled already.
        assert_eq!(go(vec![(taken, sent("73"))]).settled, vec![]);
    }

    #[test]
    fn what_was_on_the_wire_when_a_claim_lapsed_is_looked_for_and_what_was_given_back_is_not() {
        let (store, ids) = queued(9..10);
        let now = october(10, 0);
        claims(&store, now);
        let [again] = back(&store, &ids[0], Outcome::Unused, now).jobs.try_into().unwrap();
        assert_eq!(again.task, Task::Send);
        let before_the_end = now + LEASE - TimeDelta::milliseconds(1);
        assert_eq!(claims(&store, before_the_end), vec![]);
        let [lapsed] = claims(&store, now + LEASE).try_into().unwrap();
        let missing = Missing {
            tag: delivery::Tag {
                doubted: Some(now),
                ..again.delivery.tag()
            },
            first_sent: now,
            after: None,
            known: Vec::new(),
        };
        assert_eq!(lapsed.task, Task::Look(missing));
        let found = Outcome::Looked(Looked::There("71".to_owned()));
        let [second] = back(&store, &ids[0], found, now + LEASE).jobs.try_into().unwrap();
        assert_eq!((first_line(&second.part), &second.task), ("1", &Task::Send));
    }

    #[test]
    fn looking_for_a_part_knows_what_the_bot_has_in_the_chat() {
        let (store, ids) = queued(9..11);
        let now = october(11, 0);
        claims(&store, now);
        back(&store, &ids[0], sent("71"), now);
        back(&store, &ids[0], sent("72"), now);
        assert_eq!(take_over(&store, now), Ok(1));
        let Task::Look(missing) = claims(&store, now + TimeDelta::seconds(10)).remove(0).task else {
            panic!("it is sent again")
        };
        assert_eq!(
            (missing.after.as_deref(), missing.known),
            (Some("72"), vec!["72".to_owned(), "71".to_owned()])
        );
    }

    #[test]
    fn a_channel_that_is_gone_gets_one_merged_digest_when_it_returns() {
        let (store, ids) = queued(9..12);
        claims(&store, october(11, 22));
        back(&store, &ids[0], failed(gone()), october(11, 22));
        let paused = channel(&store, HERE);
        let activity = Activity::Paused {
            reason: "kicked".to_owned(),
            since: october(11, 22),
        };
        assert_eq!((paused.cursor, paused.activity), (0, activity));
        // Nothing of what waited goes out meanwhile: it would come twice.
        assert_eq!(
            (store.unfinished(9), claims(&store, october(30, 0))),
            (Ok(vec![]), vec![])
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
        claims(&store, now);
        back(&store, &ids[0], sent("71"), now);
        back(&store, &ids[0], failed(gone()), now);
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
        claims(&store, now);
        back(&store, &ids[0], sent("71"), now);
        let moved = SendError::Moved { to: there.clone() };
        let [next] = back(&store, &ids[0], failed(moved), now).jobs.try_into().unwrap();
        assert_eq!(store.channel(&ids[0].place), Ok(None));
        assert_eq!(store.channel(&there).unwrap().unwrap().cursor, 6);
        assert_eq!(
            (&next.delivery.id.place, next.delivery.id.digest),
            (&there, ids[0].digest)
        );
        assert_eq!((first_line(&next.part), next.task), ("1", Task::Send));
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
        assert_eq!(claims(&spoiled, now).len(), 2);
        assert_eq!(back(&spoiled, &ids[0], sent("71"), now).jobs, vec![]);
        let State::Discarded { reason, .. } = state(&spoiled, &ids[0]) else {
            panic!("it still waits")
        };
        assert_eq!(
            reason,
            Discard::Rejected("part 2: it cannot be read from the store".to_owned())
        );
    }

    #[test]
    fn a_new_owner_doubts_what_a_dead_one_had_on_the_wire_and_nothing_else() {
        let (store, ids) = queued(9..11);
        let now = october(11, 0);
        claims(&store, now);
        let waiting = store.delivery(&ids[1]);
        assert_eq!(take_over(&store, now), Ok(1));
        let taken = store.delivery(&ids[0]).unwrap().unwrap();
        let settled = now + TimeDelta::seconds(10);
        assert_eq!(
            (taken.state, taken.doubt),
            (State::Available { at: settled }, Doubt::Open)
        );
        assert_eq!(store.delivery(&ids[1]), waiting);
        assert_eq!(take_over(&store, now), Ok(0));
    }
}
