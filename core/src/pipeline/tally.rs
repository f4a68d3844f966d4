//! The counts of votes at posted digests, kept current by edits at a gentle rate. A vote only notes which digests are
//! outdated; this stage looks at them when they are due, and edits what stands otherwise than it should. So a hundred votes
//! cost one edit of a message, and a message is edited at most once in [`PAUSE`].
//!
//! An edit is a correction like that of an erratum ([`super::correct`]): of the same revisions, in the same lane, with the
//! same marks and lines beside the counts. Each digest is one commit, and its note goes with it: whatever breaks off between
//! two of them is done again and changes nothing.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};

use super::correct::{Forms, Posted, active, edit, standing};
use super::opinion::tally_of;
use super::readable;
use crate::delivery::DeliveryId;
use crate::digest::{Digest, DigestId, RenderingId};
use crate::erratum::{Count, Errata};
use crate::message::Render;
use crate::store::{Result, Store, Write};

/// How long after its occurrence a digest shows new counts. The platforms let a bot edit its own messages without an end;
/// but hardly anybody votes, or looks, after a week.
pub const SHOWN_FOR: TimeDelta = TimeDelta::days(7);
/// The least time between two edits of the same message for its counts.
pub const PAUSE: TimeDelta = TimeDelta::minutes(5);
/// What each place with the digest adds to that time where there are many: a digest in 10,000 places is edited at one message
/// per second on average, of some 30 that a platform takes, and digests are not kept waiting by counts.
const PAUSE_PER_PLACE: TimeDelta = TimeDelta::seconds(1);
/// How many digests are looked at in one go.
const AT_ONCE: usize = 50;

/// What was done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tallied {
    /// How many digests show new counts.
    pub digests: u32,
    /// How many deliveries carry them.
    pub edits: u32,
    /// When there is something to look at again; `None` until somebody votes.
    pub next: Option<DateTime<Utc>>,
}

/// Edits the posted digests whose counts have changed since they were last shown, as far as they are due.
///
/// # Errors
/// Only when the store fails.
pub fn tally(store: &dyn Store, render: &dyn Render, now: DateTime<Utc>) -> Result<Tallied> {
    let mut tallied = Tallied::default();
    for id in store.outdated(now, AT_ONCE)? {
        let looked = look(store, render, id, now)?;
        let mut writes = vec![Write::Shown(id)];
        writes.extend(looked.again.map(|due| Write::Outdated { digest: id, due }));
        tallied.digests = tallied.digests.saturating_add(u32::from(looked.edits > 0));
        tallied.edits = tallied.edits.saturating_add(looked.edits);
        writes.extend(looked.writes);
        store.commit(writes)?;
    }
    tallied.next = store.next_outdated()?;
    Ok(tallied)
}

/// What comes of a look at a digest.
#[derive(Default)]
struct Looked {
    writes: Vec<Write>,
    edits: u32,
    /// When it is to be looked at again.
    again: Option<DateTime<Utc>>,
}

fn look(store: &dyn Store, render: &dyn Render, id: DigestId, now: DateTime<Utc>) -> Result<Looked> {
    let mut looked = Looked::default();
    let Some(digest) = readable(store.digest(&id))?.filter(|_| now - id.occurrence <= SHOWN_FOR) else {
        return Ok(looked);
    };
    let mut errata = readable(store.errata(&id))?.unwrap_or_else(|| Errata::new(id));
    if let Some(rest) = errata.rest_until.filter(|rest| *rest > now) {
        looked.again = Some(rest);
        return Ok(looked);
    }
    let all = standing(store, id)?;
    let places = active(store, &all, now)?;
    errata.counts = counts(store, &digest)?;
    errata.revision = errata.revision.saturating_add(1);
    let each = i32::try_from(places.len()).unwrap_or(i32::MAX);
    let rest = now + PAUSE.max(PAUSE_PER_PLACE * each);
    errata.rest_until = Some(rest);
    let mut forms = Forms::new(store, render, &errata);
    for posted in places {
        if posted.is_under_way() {
            // An edit that does not get through is not begun again and again: it has its own clock.
            forms.corrected(&posted.post)?;
            looked.again = Some(rest);
            continue;
        }
        let edits = edit(&mut forms, posted, now)?;
        looked.edits = looked.edits.saturating_add(u32::from(!edits.is_empty()));
        looked.writes.extend(edits);
    }
    if looked.edits > 0 {
        looked.writes.extend(forms.writes());
        looked.writes.push(Write::Errata(Box::new(errata)));
        looked.writes.extend(superseded(&all));
    }
    Ok(looked)
}

fn counts(store: &dyn Store, digest: &Digest) -> Result<Vec<Count>> {
    let mut counts = Vec::new();
    for entry in &digest.entries {
        let (number, tally) = (entry.number, tally_of(store, &entry.paper)?);
        if !tally.is_empty() {
            counts.push(Count { number, tally });
        }
    }
    Ok(counts)
}

/// Counts are edited often, and nobody needs what stood there before the last but one time: removes the finished
/// corrections behind the latest finished one of each place, and the renderings that only those have.
fn superseded(all: &[Posted]) -> Vec<Write> {
    let mut gone: Vec<&DeliveryId> = Vec::new();
    let mut unneeded: BTreeSet<(u32, String)> = BTreeSet::new();
    let mut renderings: Vec<&RenderingId> = Vec::new();
    for posted in all {
        let latest = posted
            .corrections
            .iter()
            .rposition(|correction| correction.is_finished());
        for old in posted.corrections.iter().take(latest.unwrap_or(0)) {
            if old.is_finished() {
                gone.push(&old.id);
                if unneeded.insert((old.rendering.revision, old.rendering.to_string())) {
                    renderings.push(&old.rendering);
                }
            }
        }
    }
    let needed = |rendering: &RenderingId| {
        let corrections = all.iter().flat_map(|posted| &posted.corrections);
        corrections
            .into_iter()
            .any(|c| c.rendering == *rendering && !gone.contains(&&c.id))
    };
    renderings.retain(|rendering| !needed(rendering));
    let renderings = renderings.into_iter().map(|id| Write::Rendering {
        id: id.clone(),
        parts: Vec::new(),
    });
    let deliveries = gone.iter().map(|id| Write::RemoveDelivery((*id).clone()));
    deliveries.chain(renderings).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::fixture::{
        Counting, add_channel, arxiv, back, channel, claims, failed, mailing, news, october, paper, sent, settings,
        take, topic,
    };
    use super::super::{Task, compact, publish_now};
    use super::*;
    use crate::channel::{Activity, Channel};
    use crate::delivery::SendError;
    use crate::message::Part;
    use crate::paper::Paper;
    use crate::source::Announcement::{Replacement, Withdrawal};
    use crate::store::ModelStore;
    use crate::vote::{Person, Vote};

    const PLACES: [&str; 2] = ["telegram:-5", "telegram:-6"];

    /// A digest of five papers in three parts, posted in two channels at 22 h on the ninth.
    struct Room {
        store: ModelStore,
        digest: DigestId,
        /// What stands in the first channel.
        chat: Vec<Part>,
        /// Edits of each of its messages, with their times.
        edits: Vec<(usize, DateTime<Utc>)>,
    }

    impl Room {
        fn new() -> Self {
            let store = ModelStore::new();
            for place in PLACES {
                add_channel(&store, place, settings(), october(8, 0));
            }
            let papers = (1..=5).map(|number| paper(number, "On pruning", "")).collect();
            take(&store, "first", news(9, papers), october(9, 20));
            let readers = PLACES.map(|place| channel(&store, place)).to_vec();
            let published = publish_now(&store, &[topic()], &Counting::default(), readers, october(9, 21)).unwrap();
            let digest = published.digests[0].0;
            let (chat, edits) = (Vec::new(), Vec::new());
            Self {
                store,
                digest,
                chat,
                edits,
            }
        }

        fn posted() -> Self {
            let mut room = Self::new();
            room.deliver(october(9, 22));
            room
        }

        /// Sends and edits all that is due.
        fn deliver(&mut self, now: DateTime<Utc>) {
            let mut jobs = claims(&self.store, now);
            while let Some(job) = jobs.pop() {
                let part = usize::try_from(job.delivery.next_part()).unwrap();
                let own = job.delivery.id.place.to_string() == PLACES[0];
                match &job.task {
                    Task::Send if own => self.chat.push(job.part.clone()),
                    Task::Edit { message, .. } if own => {
                        assert_eq!(*message, part.to_string());
                        self.chat[part] = job.part.clone();
                        self.edits.push((part, now));
                    }
                    Task::Send | Task::Edit { .. } => {}
                    Task::Look(missing) => panic!("{missing:?}"),
                }
                jobs.extend(back(&self.store, &job.delivery.id, sent(&part.to_string()), now).jobs);
            }
        }

        fn vote(&self, who: u32, number: u64, vote: Vote, now: DateTime<Utc>) {
            let person: Person = format!("telegram:{who}").parse().unwrap();
            super::super::vote(&self.store, &person, &arxiv(number), vote, now).unwrap();
        }

        fn tally(&self, now: DateTime<Utc>) -> (u32, u32, Option<DateTime<Utc>>) {
            let Tallied { digests, edits, next } = tally(&self.store, &Counting::default(), now).unwrap();
            (digests, edits, next)
        }

        /// What was added to the posted entries.
        fn added(&self) -> Vec<&str> {
            let lines = self.chat.iter().flat_map(|part| part.payload.lines());
            lines.filter(|line| line.contains(['👍', '👎', '✎', '⊘'])).collect()
        }

        fn corrections(&self) -> usize {
            let ids = self.store.deliveries_of_digest(&self.digest).unwrap();
            ids.iter().filter(|id| id.is_correction()).count()
        }
    }

    fn later(minutes: i64) -> DateTime<Utc> {
        october(10, 0) + TimeDelta::minutes(minutes)
    }

    #[test]
    fn a_hundred_votes_cost_one_edit_of_a_message_and_those_that_follow_wait() {
        let mut room = Room::posted();
        assert_eq!(room.tally(later(0)), (0, 0, None));
        for who in 1..=100 {
            room.vote(who, 4, if who <= 60 { Vote::Up } else { Vote::Down }, later(0));
        }
        assert_eq!(room.tally(later(0)), (0, 0, Some(later(0) + TimeDelta::seconds(20))));
        // One edit of one part in each of two channels.
        assert_eq!(room.tally(later(1)), (1, 2, None));
        room.deliver(later(1));
        assert_eq!((room.added(), room.edits.len()), (vec!["4 👍 60 👎 40"], 1));
        room.vote(100, 4, Vote::Down, later(2));
        room.vote(1, 1, Vote::Up, later(2));
        assert_eq!(room.tally(later(3)), (0, 0, Some(later(6))));
        assert_eq!(room.tally(later(6)), (1, 2, None));
        room.deliver(later(6));
        assert_eq!(room.added(), ["1 👍 1", "4 👍 60 👎 39"]);
        // Back to what is shown before it was looked at: nothing is edited.
        room.vote(1, 1, Vote::Down, later(12));
        room.vote(1, 1, Vote::Up, later(12));
        assert_eq!(room.tally(later(13)), (0, 0, None));
        // Withdrawn by all.
        room.vote(1, 1, Vote::Up, later(20));
        assert_eq!(room.tally(later(21)), (1, 2, None));
        room.deliver(later(21));
        assert_eq!(room.added(), ["4 👍 60 👎 39"]);
    }

    #[test]
    fn what_was_corrected_stays_marked_beside_its_counts_whichever_came_first() {
        let mut room = Room::posted();
        let revised = |number| Paper {
            revised: Some(october(10, 8)),
            ..paper(number, "On pruning", "")
        };
        room.vote(1, 3, Vote::Up, later(0));
        room.tally(later(1));
        room.deliver(later(1));
        let news = [(Replacement, revised(3)), (Withdrawal, revised(4))].to_vec();
        take(&room.store, "news", mailing(10, news), later(2));
        room.deliver(later(2));
        assert_eq!(
            room.added(),
            ["✎ 3 👍 1 · New version of 10 Oct.", "⊘ 4 Withdrawn, 10 Oct."]
        );
        room.vote(2, 4, Vote::Down, later(8));
        room.tally(later(9));
        room.deliver(later(9));
        assert_eq!(
            room.added(),
            ["✎ 3 👍 1 · New version of 10 Oct.", "⊘ 4 👎 1 · Withdrawn, 10 Oct."]
        );
    }

    #[test]
    fn counts_that_have_no_room_leave_the_errata_theirs() {
        let room = Room::posted();
        let revised = Paper {
            revised: Some(october(10, 8)),
            ..paper(1, "On pruning", "")
        };
        take(&room.store, "news", mailing(10, vec![(Replacement, revised)]), later(0));
        let rendering = |revision| RenderingId {
            revision,
            ..room.store.deliveries(&PLACES[0].parse().unwrap(), None, 9).unwrap()[0]
                .rendering
                .clone()
        };
        let corrected = room.store.part(&rendering(1), 0).unwrap().unwrap();
        for place in PLACES {
            for who in claims(&room.store, later(0)) {
                back(&room.store, &who.delivery.id, sent(place), later(0));
            }
        }
        room.vote(1, 1, Vote::Up, later(1));
        room.vote(1, 3, Vote::Up, later(1));
        let render = Counting {
            room: corrected.payload.len(),
            ..Counting::default()
        };
        assert_eq!(tally(&room.store, &render, later(2)).unwrap().edits, 2);
        let shown = |index| room.store.part(&rendering(2), index).unwrap().unwrap();
        assert_eq!(shown(0), corrected);
        assert!(shown(1).payload.ends_with("3 👍 1\n"));
    }

    #[test]
    fn a_place_whose_edit_does_not_get_through_is_left_alone_until_it_is_over_and_keeps_nobody_waiting() {
        let mut room = Room::posted();
        room.vote(1, 1, Vote::Up, later(0));
        room.tally(later(1));
        // In the one place it arrives, in the other it does not.
        for job in claims(&room.store, later(1)) {
            let own = job.delivery.id.place.to_string() == PLACES[0];
            let unreachable = SendError::Unreachable {
                reason: "reset".to_owned(),
            };
            let outcome = if own { sent("0") } else { failed(unreachable) };
            back(&room.store, &job.delivery.id, outcome, later(1));
        }
        room.vote(2, 1, Vote::Up, later(2));
        assert_eq!(room.tally(later(7)), (1, 1, Some(later(12))));
        room.deliver(later(8));
        assert_eq!(room.added(), ["1 👍 2"]);
        assert_eq!(room.tally(later(12)), (1, 1, None));
        room.deliver(later(12));
        assert_eq!(room.store.unfinished(9), Ok(vec![]));
        assert_eq!(room.edits.len(), 1);
    }

    #[test]
    fn only_what_stands_in_an_active_channel_and_is_younger_than_a_week_is_edited() {
        let mut room = Room::new();
        // The post is still on its way.
        room.vote(1, 1, Vote::Up, october(9, 21));
        assert_eq!(room.tally(october(9, 22)), (0, 0, Some(october(9, 22) + PAUSE)));
        let paused = Channel {
            activity: Activity::Paused {
                reason: "kicked".to_owned(),
                since: october(9, 22),
            },
            ..channel(&room.store, PLACES[1])
        };
        room.deliver(october(9, 22));
        room.store.commit(vec![Write::Channel(Box::new(paused))]).unwrap();
        assert_eq!(room.tally(october(9, 23)), (1, 1, None));
        room.deliver(october(9, 23));
        let end = october(9, 21) + SHOWN_FOR;
        room.vote(2, 1, Vote::Up, end);
        assert_eq!(room.tally(end + TimeDelta::minutes(1)), (0, 0, None));
        room.vote(3, 1, Vote::Up, end + TimeDelta::minutes(2));
        assert_eq!(room.store.next_outdated(), Ok(None));
        assert_eq!(room.added(), ["1 👍 1"]);
    }

    #[test]
    fn a_hundred_edits_leave_no_more_behind_than_a_few() {
        let mut room = Room::posted();
        for round in 1..=50 {
            let now = later(10 * i64::from(round));
            room.vote(round, 1 + u64::from(round) % 5, Vote::Up, now);
            assert_eq!(room.tally(now + TimeDelta::minutes(1)).1, 2);
            room.deliver(now + TimeDelta::minutes(1));
            assert!(room.corrections() <= 4, "{}", room.corrections());
        }
        let rendering = room.store.deliveries(&PLACES[0].parse().unwrap(), None, 1).unwrap()[0]
            .rendering
            .clone();
        let left = (1..=50).filter(|&revision| {
            let id = RenderingId {
                revision,
                ..rendering.clone()
            };
            room.store.part(&id, 0).unwrap().is_some()
        });
        assert_eq!(left.collect::<Vec<_>>(), [49, 50]);
        assert_eq!(room.added(), (1..=5).map(|n| format!("{n} 👍 10")).collect::<Vec<_>>());
        let now = october(99, 0);
        assert!(compact(&room.store, now, 99).unwrap() > 0);
        assert_eq!(room.store.deliveries_of_digest(&room.digest), Ok(vec![]));
    }

    #[test]
    fn a_digest_in_many_places_is_edited_more_rarely() {
        let store = ModelStore::new();
        let places: Vec<String> = (1..=600).map(|chat| format!("telegram:-{chat}")).collect();
        take(
            &store,
            "first",
            news(9, vec![paper(1, "On pruning", "")]),
            october(8, 20),
        );
        let readers = places.iter().map(|place| Channel {
            place: place.parse().unwrap(),
            cursor: 0,
            ..add_once(&store)
        });
        let readers: Vec<Channel> = readers.collect();
        store
            .commit(
                readers
                    .iter()
                    .map(|reader| Write::Channel(Box::new(reader.clone())))
                    .collect(),
            )
            .unwrap();
        let published = publish_now(&store, &[topic()], &Counting::default(), readers, october(9, 21)).unwrap();
        let posted = published.deliveries.iter().map(|id| {
            let mut post = store.delivery(id).unwrap().unwrap();
            post.message_ids = vec!["1".to_owned()];
            post.state = crate::delivery::State::Sent { at: october(9, 22) };
            Write::Delivery(Box::new(post))
        });
        store.commit(posted.collect()).unwrap();
        let person: Person = "web:a".parse().unwrap();
        super::super::vote(&store, &person, &arxiv(1), Vote::Up, later(0)).unwrap();
        assert_eq!(tally(&store, &Counting::default(), later(1)).unwrap().edits, 600);
        super::super::vote(&store, &person, &arxiv(1), Vote::Up, later(6)).unwrap();
        let tallied = tally(&store, &Counting::default(), later(7)).unwrap();
        assert_eq!((tallied.edits, tallied.next), (0, Some(later(11))));
    }

    fn add_once(store: &ModelStore) -> Channel {
        match store.channel(&"telegram:-1".parse().unwrap()).unwrap() {
            Some(channel) => channel,
            None => add_channel(store, "telegram:-1", settings(), october(8, 0)),
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn whoever_votes_whenever_the_chat_ends_with_the_counts_and_no_message_is_edited_too_often(
            steps in prop::collection::vec((1_u32..4, 1_u64..6, any::<bool>(), 0_i64..9, any::<bool>()), 1..40),
        ) {
            let mut room = Room::posted();
            let mut minute = 0;
            for (who, number, for_it, pause, works) in steps {
                minute += pause;
                room.vote(who, number, if for_it { Vote::Up } else { Vote::Down }, later(minute));
                if works {
                    room.tally(later(minute));
                    room.deliver(later(minute));
                }
            }
            for _ in 0..3 {
                minute += 10;
                room.tally(later(minute));
                room.deliver(later(minute));
            }
            prop_assert_eq!(room.tally(later(minute + 10)), (0, 0, None));
            let tallies = (1..=5).map(|number| (number, tally_of(&room.store, &arxiv(number)).unwrap()));
            let expected = tallies.filter(|(_, tally)| !tally.is_empty()).map(|(n, tally)| format!("{n} {tally}"));
            prop_assert_eq!(room.added(), expected.collect::<Vec<_>>());
            for part in 0..3 {
                let times: Vec<_> = room.edits.iter().filter(|(of, _)| *of == part).map(|(_, at)| *at).collect();
                prop_assert!(times.iter().zip(times.iter().skip(1)).all(|(a, b)| *b - *a >= PAUSE), "{times:?}");
            }
        }
    }
}
