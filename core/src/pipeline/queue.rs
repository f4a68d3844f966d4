//! The delivery queue as an operator sees and mends it. What a platform refused is kept with the question and the answer,
//! so that a person can find out why and have it sent again.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::readable;
use crate::delivery::{Decision, Delivery, DeliveryId, Discard, Doubt, State, Verdict};
use crate::digest::DigestId;
use crate::locale::Lang;
use crate::store::{Result, Store, Write};

/// The most deliveries of either kind in a list.
pub const LISTED: usize = 1_000;

/// The queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listing {
    /// Unfinished deliveries, by place, then the earliest digest first; at most [`LISTED`].
    pub waiting: Vec<Entry>,
    /// Deliveries of which parts were refused, the latest first; at most [`LISTED`].
    pub dead_letters: Vec<Entry>,
    /// Whether there are more of either.
    pub more: bool,
}

/// One delivery in the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Which.
    pub id: DeliveryId,
    /// Where it stands.
    #[serde(flatten)]
    pub state: State,
    /// Whether it edits what was posted.
    pub correction: bool,
    /// How many parts there are; of a correction, how many it edits.
    pub parts: u32,
    /// How many of them have arrived, or were taken as arrived.
    pub arrived: usize,
    /// Failed attempts at the next part.
    pub attempts: u32,
    /// What the last failure said.
    pub last_error: Option<String>,
    /// When it was published.
    pub published_at: DateTime<Utc>,
}

impl Entry {
    fn of(delivery: Delivery) -> Self {
        let correction = delivery.id.is_correction();
        Self {
            correction,
            parts: match correction {
                true => u32::try_from(delivery.edits.len()).unwrap_or(u32::MAX),
                false => delivery.parts,
            },
            arrived: delivery.arrived(),
            id: delivery.id,
            state: delivery.state,
            attempts: delivery.attempts,
            last_error: delivery.last_error,
            published_at: delivery.published_at,
        }
    }
}

/// How far a digest has come: in how many channels it stands, waits, or ended otherwise. Corrections do not count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// In so many channels it stands whole.
    pub posted: u32,
    /// When the last of those had it whole.
    pub last_posted: Option<DateTime<Utc>>,
    /// For so many channels it waits, or is being sent.
    pub waiting: u32,
    /// When the first of those was queued.
    pub waiting_since: Option<DateTime<Utc>>,
    /// Of so many the platform refused parts for good.
    pub refused: u32,
    /// So many could not be written to any more.
    pub gone: u32,
    /// So many were taken out of the queue.
    pub dropped: u32,
}

impl Progress {
    /// For people; at least one sentence.
    pub fn says(&self, lang: Lang) -> Vec<String> {
        let mut says = Vec::new();
        if let Some(last) = self.last_posted {
            says.push(lang.arrived_in(self.posted, &lang.instant(last)));
        }
        if let Some(since) = self.waiting_since {
            says.push(lang.waiting_for(self.waiting, &lang.instant(since)));
        }
        if self.refused.max(self.gone).max(self.dropped) > 0 {
            says.push(lang.never_whole(self.refused, self.gone, self.dropped));
        }
        if says.is_empty() {
            says.push(lang.for_no_channel().to_owned());
        }
        says
    }
}

/// How far a digest has come, those deliveries included that were archived.
///
/// # Errors
/// Only when the store fails; a delivery that cannot be read is left out.
pub fn progress(store: &dyn Store, digest: &DigestId) -> Result<Progress> {
    let archived = readable(store.digest_summary(digest))?;
    let mut progress = archived.map_or_else(Progress::default, |archived| Progress {
        posted: archived.channels,
        last_posted: archived.last_sent,
        gone: archived.gone,
        dropped: archived.dropped,
        ..Progress::default()
    });
    for id in store
        .deliveries_of_digest(digest)?
        .iter()
        .filter(|id| !id.is_correction())
    {
        let Some(delivery) = readable(store.delivery(id))? else {
            continue;
        };
        let count = match &delivery.state {
            State::Sent { at } => {
                progress.last_posted = progress.last_posted.max(Some(*at));
                &mut progress.posted
            }
            State::Available { .. } | State::Leased { .. } => {
                let queued = delivery.published_at;
                progress.waiting_since = Some(progress.waiting_since.map_or(queued, |first| first.min(queued)));
                &mut progress.waiting
            }
            State::Discarded { reason, .. } => match reason {
                Discard::Rejected(_) => &mut progress.refused,
                Discard::Gone(_) => &mut progress.gone,
                Discard::Dropped => &mut progress.dropped,
            },
        };
        *count = count.saturating_add(1);
    }
    Ok(progress)
}

/// All about one delivery. Parts count from 1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Details {
    /// What the list says of it.
    #[serde(flatten)]
    pub entry: Entry,
    /// The platform's message id of each part that is through; empty where the part was refused, or taken as arrived
    /// without an answer.
    pub message_ids: Vec<String>,
    /// The part that is sent next; `None` when it is finished.
    pub next_part: Option<u32>,
    /// Whether that one goes as plain text, since it was refused as it is.
    pub next_as_plain: bool,
    /// Whether that one may already have arrived.
    pub in_doubt: bool,
    /// What was decided about parts in doubt.
    pub decisions: Vec<DecidedPart>,
    /// What was refused.
    pub refused: Vec<RefusedPart>,
}

/// What was decided about a part of which nobody knew whether it had arrived.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecidedPart {
    /// Which part, from 1.
    pub part: u32,
    /// When.
    pub at: DateTime<Utc>,
    /// What.
    #[serde(flatten)]
    pub verdict: Verdict,
}

impl DecidedPart {
    fn of(decision: &Decision) -> Self {
        Self {
            part: decision.part.saturating_add(1),
            at: decision.at,
            verdict: decision.verdict.clone(),
        }
    }
}

/// A part that the platform refused. There is no secret in it: the token is not in a request's body, and adapters take
/// it out of the answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedPart {
    /// Which part, from 1.
    pub part: u32,
    /// The request's body but for the address; `None` when it cannot be read from the store.
    pub request: Option<serde_json::Value>,
    /// What the platform said.
    pub answer: String,
    /// What it said to the same as plain text, if that was tried.
    pub answer_to_plain: Option<String>,
}

/// Why something cannot be done to a delivery.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// There is none of this id.
    #[error("there is no delivery {0}; `paperwire queue` lists those that wait or were refused")]
    Unknown(DeliveryId),
    /// All of it has arrived.
    #[error("{0} was sent whole already; nothing is left to do")]
    Sent(DeliveryId),
    /// A worker is at it.
    #[error("{0} is being sent now; look again in a moment with `paperwire queue show {0}`")]
    Sending(DeliveryId),
    /// The digest that follows when its channel returns has what was in it.
    #[error(
        "{0} was given up when its channel could not be written to; what it held comes with the digest that follows when \
         the channel is active again"
    )]
    ComesAgain(DeliveryId),
}

/// What waits, and what was refused.
///
/// # Errors
/// Only when the store fails.
pub fn list(store: &dyn Store) -> Result<Listing> {
    let (waiting, dead) = (store.unfinished(LISTED + 1)?, store.dead_letters(LISTED + 1)?);
    let more = waiting.len().max(dead.len()) > LISTED;
    let entries = |all: Vec<Delivery>| all.into_iter().take(LISTED).map(Entry::of).collect();
    Ok(Listing {
        waiting: entries(waiting),
        dead_letters: entries(dead),
        more,
    })
}

/// All about one delivery.
///
/// # Errors
/// Only when the store fails; that there is none is inside.
pub fn show(store: &dyn Store, id: &DeliveryId) -> Result<std::result::Result<Details, Refused>> {
    let Some(delivery) = store.delivery(id)? else {
        return Ok(Err(Refused::Unknown(id.clone())));
    };
    let mut refused = Vec::new();
    for refusal in &delivery.refused {
        let part = readable(store.part(&delivery.rendering, refusal.part))?;
        refused.push(RefusedPart {
            part: refusal.part.saturating_add(1),
            request: part.map(|part| serde_json::from_str(&part.payload).unwrap_or(part.payload.into())),
            answer: refusal.said.clone(),
            answer_to_plain: refusal.said_to_plain.clone(),
        });
    }
    Ok(Ok(Details {
        message_ids: delivery.message_ids.clone(),
        next_part: (!delivery.is_finished()).then(|| delivery.next_part().saturating_add(1)),
        next_as_plain: delivery.plain.is_some(),
        in_doubt: delivery.doubt != Doubt::None,
        decisions: delivery.decisions.iter().map(DecidedPart::of).collect(),
        refused,
        entry: Entry::of(delivery),
    }))
}

/// Makes a delivery available at once: what was refused goes again, what has arrived does not.
///
/// # Errors
/// Only when the store fails; why it cannot be done is inside.
pub fn retry(store: &dyn Store, id: &DeliveryId, now: DateTime<Utc>) -> Result<std::result::Result<(), Refused>> {
    mend(store, id, now, |delivery| match &delivery.state {
        // A digest of which nothing had arrived comes again by itself.
        State::Discarded {
            reason: Discard::Gone(_),
            ..
        } if !delivery.id.is_correction() && delivery.arrived() == 0 && delivery.again.is_empty() => {
            Err(Refused::ComesAgain(id.clone()))
        }
        State::Discarded { .. } | State::Available { .. } | State::Leased { .. } | State::Sent { .. } => {
            Ok(delivery.retry(now))
        }
    })
}

/// Takes a delivery out of the queue: nothing more of it is sent.
///
/// # Errors
/// Only when the store fails; why it cannot be done is inside.
pub fn discard(store: &dyn Store, id: &DeliveryId, now: DateTime<Utc>) -> Result<std::result::Result<(), Refused>> {
    mend(store, id, now, |delivery| {
        let state = State::Discarded {
            reason: Discard::Dropped,
            at: now,
        };
        Ok(Delivery { state, ..delivery })
    })
}

fn mend(
    store: &dyn Store,
    id: &DeliveryId,
    now: DateTime<Utc>,
    change: impl FnOnce(Delivery) -> std::result::Result<Delivery, Refused>,
) -> Result<std::result::Result<(), Refused>> {
    let Some(delivery) = store.delivery(id)? else {
        return Ok(Err(Refused::Unknown(id.clone())));
    };
    let changed = match &delivery.state {
        State::Sent { .. } => Err(Refused::Sent(id.clone())),
        State::Leased { until } if *until > now => Err(Refused::Sending(id.clone())),
        State::Leased { .. } | State::Available { .. } | State::Discarded { .. } => change(delivery),
    };
    match changed {
        Ok(changed) => store.commit(vec![Write::Delivery(Box::new(changed))]).map(Ok),
        Err(refused) => Ok(Err(refused)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{
        Counting, add_channel, back, channel, claims, failed, news, october, paper, sent, settings, take, topic,
    };
    use super::super::publish_now;
    use super::*;
    use crate::delivery::{LEASE, Outcome, SendError};
    use crate::store::ModelStore;

    const HERE: &str = "telegram:-5";

    /// A channel with digests of the given days, each in two parts.
    fn queued(days: std::ops::Range<i64>) -> (ModelStore, Vec<DeliveryId>) {
        let store = ModelStore::new();
        add_channel(&store, HERE, settings(), october(1, 0));
        let publish = |day: i64| {
            let first = u64::try_from(day).unwrap() * 10;
            let papers = (first..first + 3).map(|id| paper(id, "On pruning", "")).collect();
            take(&store, &day.to_string(), news(day, papers), october(day, 20));
            let reader = channel(&store, HERE);
            let published = publish_now(&store, &[topic()], &Counting::default(), vec![reader], october(day, 21));
            published.unwrap().deliveries[0].clone()
        };
        let ids = days.map(publish).collect();
        (store, ids)
    }

    /// Claims what is due and has these outcomes settled.
    fn send(store: &ModelStore, now: DateTime<Utc>, outcomes: &[Outcome]) {
        let id = claims(store, now).remove(0).delivery.id;
        for outcome in outcomes {
            back(store, &id, outcome.clone(), now);
        }
    }

    fn refused() -> Outcome {
        let reason = "no entities".to_owned();
        failed(SendError::Rejected { reason })
    }

    fn gone() -> Outcome {
        let reason = "kicked".to_owned();
        failed(SendError::Gone { reason })
    }

    fn shown(store: &ModelStore, id: &DeliveryId) -> Details {
        show(store, id).unwrap().unwrap()
    }

    #[test]
    fn a_dead_letter_is_listed_shown_with_request_and_answer_and_sent_again_alone() {
        let (store, ids) = queued(9..11);
        let now = october(11, 0);
        send(&store, now, &[refused(), refused(), sent("72")]);
        let listing = list(&store).unwrap();
        let of = |entries: &[Entry]| entries.iter().map(|entry| entry.id.clone()).collect::<Vec<_>>();
        assert_eq!(
            (of(&listing.waiting), of(&listing.dead_letters), listing.more),
            (vec![ids[1].clone()], vec![ids[0].clone()], false)
        );
        let details = shown(&store, &ids[0]);
        assert_eq!((details.entry.arrived, details.entry.parts), (1, 2));
        assert_eq!(
            (details.message_ids, details.next_part),
            (vec![String::new(), "72".to_owned()], None)
        );
        let [part] = details.refused.try_into().unwrap();
        assert_eq!((part.part, part.answer.as_str()), (1, "no entities"));
        assert_eq!(part.answer_to_plain.as_deref(), Some("no entities"));
        assert!(part.request.unwrap().as_str().unwrap().starts_with("0\n"));

        assert_eq!(retry(&store, &ids[0], now), Ok(Ok(())));
        assert_eq!(list(&store).unwrap().dead_letters, []);
        assert_eq!(shown(&store, &ids[0]).next_part, Some(1));
        send(&store, now, &[sent("73")]);
        let details = shown(&store, &ids[0]);
        assert_eq!(
            (details.entry.state, details.message_ids),
            (State::Sent { at: now }, vec!["73".to_owned(), "72".to_owned()])
        );
    }

    #[test]
    fn a_queued_digest_is_not_called_posted_and_its_archived_deliveries_still_count() {
        let store = ModelStore::new();
        add_channel(&store, HERE, settings(), october(1, 0));
        add_channel(&store, "telegram:-6", settings(), october(1, 0));
        take(&store, "9", news(9, vec![paper(90, "On pruning", "")]), october(9, 20));
        let readers = vec![channel(&store, HERE), channel(&store, "telegram:-6")];
        let published = publish_now(&store, &[topic()], &Counting::default(), readers, october(9, 21)).unwrap();
        let ids = published.deliveries;
        let digest = ids[0].digest;
        let says = |lang| progress(&store, &digest).unwrap().says(lang);
        let mut all = vec![[says(Lang::Zh), says(Lang::En)]];
        assert_eq!(
            says(Lang::En),
            ["Not posted yet in 2 channels, which have waited since 9 Oct 2025 21:00 UTC (paperwire queue)."]
        );

        let job = claims(&store, october(10, 0)).remove(0).delivery;
        for _ in 0..job.parts {
            back(&store, &job.id, sent("71"), october(10, 0));
        }
        let halfway = [
            "Posted in 1 channel on 10 Oct 2025 00:00 UTC.",
            "Not posted yet in 1 channel, which has waited since 9 Oct 2025 21:00 UTC (paperwire queue).",
        ];
        assert_eq!(says(Lang::En), halfway);
        store.commit(vec![Write::Archive(job.id.clone())]).unwrap();
        assert_eq!(says(Lang::En), halfway);

        let other = ids.iter().find(|id| **id != job.id).unwrap();
        discard(&store, other, october(12, 0)).unwrap().unwrap();
        all.push([says(Lang::Zh), says(Lang::En)]);
        assert_eq!(
            says(Lang::En)[1..],
            ["Channels that do not have it whole: 1 where it was taken out of the queue."]
        );
        let none = DigestId { set: 0, ..digest };
        all.push([Lang::Zh, Lang::En].map(|lang| progress(&store, &none).unwrap().says(lang)));
        for [zh, en] in all {
            crate::locale::tests::assert_translated(&zh, &en);
        }
    }

    #[test]
    fn what_is_sent_whole_or_just_now_or_unknown_is_left_alone_with_a_sentence() {
        let (store, ids) = queued(9..10);
        let now = october(11, 0);
        let unknown = DeliveryId {
            place: "web:nowhere".parse().unwrap(),
            ..ids[0].clone()
        };
        for change in [retry, discard] {
            assert_eq!(
                change(&store, &unknown, now),
                Ok(Err(Refused::Unknown(unknown.clone())))
            );
        }
        send(&store, now, &[]);
        for change in [retry, discard] {
            assert_eq!(change(&store, &ids[0], now), Ok(Err(Refused::Sending(ids[0].clone()))));
        }
        // Nobody is at it any more.
        assert_eq!(retry(&store, &ids[0], now + LEASE), Ok(Ok(())));
        send(&store, now + LEASE, &[sent("71"), sent("72")]);
        for change in [retry, discard] {
            assert_eq!(change(&store, &ids[0], now), Ok(Err(Refused::Sent(ids[0].clone()))));
        }
    }

    #[test]
    fn what_is_dropped_makes_way_and_can_be_taken_back() {
        let (store, ids) = queued(9..11);
        let now = october(11, 0);
        assert_eq!(discard(&store, &ids[0], now), Ok(Ok(())));
        send(&store, now, &[sent("71"), sent("72")]);
        assert_eq!(list(&store).unwrap().waiting, []);
        assert_eq!(retry(&store, &ids[0], now), Ok(Ok(())));
        let cursor = channel(&store, HERE).cursor;
        // It is older than what is there: should the channel be lost now, nothing of that comes again.
        send(&store, now, &[gone()]);
        assert_eq!(channel(&store, HERE).cursor, cursor);
    }

    #[test]
    fn what_comes_again_by_itself_is_not_sent_again() {
        let (store, ids) = queued(9..11);
        let now = october(11, 0);
        send(&store, now, &[gone()]);
        for id in &ids {
            assert_eq!(retry(&store, id, now), Ok(Err(Refused::ComesAgain(id.clone()))));
        }
        let (store, ids) = queued(9..10);
        send(&store, now, &[sent("71"), gone()]);
        assert_eq!(retry(&store, &ids[0], now), Ok(Ok(())), "its rest does not");
        assert_eq!(shown(&store, &ids[0]).next_part, Some(2));
    }
}
