//! Corrections: what a posted digest says of a paper that was repaired, replaced or withdrawn since. The digest stays as it
//! is; its errata are written down beside it, and what was posted is edited by deliveries of their own, in the commit that
//! takes the news in.
//!
//! An edited part is the posted one with marks and lines added to it, never a new rendering of the digest: so it holds the
//! same entries, whatever the program, the abstracts or the platform's limits have become since.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, Utc};

use super::compact::EDIT_WINDOW;
use super::deliver::Task;
use super::readable;
use crate::delivery::{Delivery, DeliveryId, State};
use crate::digest::{Digest, DigestId, RenderingId};
use crate::erratum::{Detail, Errata};
use crate::message::{Part, Render};
use crate::paper::{Paper, PaperId};
use crate::source::Announcement;
use crate::store::{Result, Store, Write};

/// A known paper that a file has changed.
pub(super) struct Revision {
    /// As it was before the file.
    pub(super) before: Paper,
    /// As it is now.
    pub(super) after: Paper,
    /// What the file says of it.
    pub(super) announced: Announcement,
}

/// What shall be written.
#[derive(Debug, Default)]
pub(super) struct Corrected {
    /// How many posted digests are corrected.
    pub(super) digests: u32,
    /// Errata, renderings and deliveries.
    pub(super) writes: Vec<Write>,
}

/// The corrections of all posted digests that show one of these papers: one for each digest.
pub(super) fn correct(
    store: &dyn Store,
    render: &dyn Render,
    revisions: &[Revision],
    now: DateTime<Utc>,
) -> Result<Corrected> {
    let mut concerned: BTreeMap<DigestId, Vec<&Revision>> = BTreeMap::new();
    for revision in revisions {
        let mut digests = store.digests_of_paper(&revision.before.id)?;
        if revision.after.id != revision.before.id {
            digests.extend(store.digests_of_paper(&revision.after.id)?);
        }
        digests.sort_unstable();
        digests.dedup();
        for digest in digests {
            concerned.entry(digest).or_default().push(revision);
        }
    }
    let mut corrected = Corrected::default();
    for (id, revisions) in concerned {
        let Some(digest) = readable(store.digest(&id))? else {
            continue;
        };
        let errata = readable(store.errata(&id))?.unwrap_or_else(|| Errata::new(id));
        let Some(errata) = news(store, &digest, errata, &revisions, now)? else {
            continue;
        };
        let all = standing(store, id)?;
        let places = active(store, &all, now)?;
        if places.is_empty() {
            continue;
        }
        corrected.digests = corrected.digests.saturating_add(1);
        let mut forms = Forms::new(store, render, &errata);
        for place in places {
            corrected.writes.extend(edit(&mut forms, place, now)?);
        }
        corrected.writes.extend(forms.writes());
        corrected.writes.push(Write::Errata(Box::new(errata)));
    }
    Ok(corrected)
}

/// The errata with what is new; `None` when nothing is.
fn news(
    store: &dyn Store,
    digest: &Digest,
    mut errata: Errata,
    revisions: &[&Revision],
    now: DateTime<Utc>,
) -> Result<Option<Errata>> {
    let mut any = false;
    for entry in &digest.entries {
        // A digest knows a paper under the name that it had then.
        let named = |id: &PaperId| {
            let same = |revision: &&&Revision| revision.before.id == *id || revision.after.id == *id;
            revisions.iter().find(same).copied()
        };
        let revision = match named(&entry.paper) {
            Some(revision) => Some(revision),
            None => readable(store.paper(&entry.paper))?.and_then(|paper| named(&paper.id)),
        };
        if let Some(Revision {
            before,
            after,
            announced,
        }) = revision
        {
            any |= errata.note(entry, before, after, *announced, now);
        }
    }
    if any {
        errata.revision = errata.revision.saturating_add(1);
    }
    Ok(any.then_some(errata))
}

/// A place where the digest stands.
pub(super) struct Posted {
    pub(super) post: Delivery,
    /// In their order.
    pub(super) corrections: Vec<Delivery>,
}

impl Posted {
    /// Whether it is still being posted or corrected.
    pub(super) fn is_under_way(&self) -> bool {
        !self.post.is_finished() || self.corrections.iter().any(|correction| !correction.is_finished())
    }
}

/// All places where the digest was posted, or is on its way.
pub(super) fn standing(store: &dyn Store, digest: DigestId) -> Result<Vec<Posted>> {
    // By place, then by revision.
    let mut places: Vec<Posted> = Vec::new();
    for id in store.deliveries_of_digest(&digest)? {
        let Some(delivery) = readable(store.delivery(&id))? else {
            continue;
        };
        match places.last_mut() {
            Some(posted) if posted.post.id.place == id.place => posted.corrections.push(delivery),
            Some(_) | None if !id.is_correction() => places.push(Posted {
                post: delivery,
                corrections: Vec::new(),
            }),
            // Its post is archived or damaged: nobody knows what to edit.
            Some(_) | None => {}
        }
    }
    Ok(places)
}

/// Those of active channels where it was posted not too long ago, or is on its way.
pub(super) fn active<'a>(store: &dyn Store, all: &'a [Posted], now: DateTime<Utc>) -> Result<Vec<&'a Posted>> {
    let mut active = Vec::new();
    for posted in all {
        let channel = readable(store.channel(&posted.post.id.place))?;
        if editable(&posted.post, now) && channel.is_some_and(|channel| channel.activity.is_reachable()) {
            active.push(posted);
        }
    }
    Ok(active)
}

fn editable(post: &Delivery, now: DateTime<Utc>) -> bool {
    match &post.state {
        State::Available { .. } | State::Leased { .. } => true,
        State::Sent { at } | State::Discarded { at, .. } => post.arrived() > 0 && now - *at <= EDIT_WINDOW,
    }
}

/// The correction of one place, which takes over what earlier ones still had to do unless it is on the wire; nothing where
/// no part changes.
pub(super) fn edit(forms: &mut Forms<'_>, posted: &Posted, now: DateTime<Utc>) -> Result<Vec<Write>> {
    let Posted { post, corrections } = posted;
    let id = DeliveryId {
        revision: forms.errata.revision,
        ..post.id.clone()
    };
    let (new, unmarked) = forms.corrected(post)?;
    let mut writes = Vec::new();
    let mut edits = BTreeSet::new();
    let mut shown = forms.parts(&post.rendering, post.parts)?;
    for earlier in corrections {
        match &earlier.state {
            State::Sent { .. } | State::Leased { .. } => shown = forms.parts(&earlier.rendering, post.parts)?,
            State::Available { .. } => {
                edits.extend(earlier.edits_left());
                let done = forms.parts(&earlier.rendering, post.parts)?;
                for (index, (shown, done)) in (0..).zip(shown.iter_mut().zip(done)) {
                    if earlier.edits.contains(&index) && !edits.contains(&index) {
                        *shown = done;
                    }
                }
                writes.push(Write::RemoveDelivery(earlier.id.clone()));
            }
            // Nobody knows how much of it is shown: whatever differs from the post is edited.
            State::Discarded { .. } => shown = forms.parts(&post.rendering, post.parts)?,
        }
    }
    let changed = (0..)
        .zip(new.iter().zip(&shown))
        .filter(|(_, (new, shown))| new != shown);
    edits.extend(changed.map(|(index, _)| index));
    if edits.is_empty() {
        return Ok(writes);
    }
    let rendering = RenderingId {
        revision: id.revision,
        ..post.rendering.clone()
    };
    let mut correction = Delivery::correction(id, rendering, post.parts, edits.into_iter().collect(), now);
    for part in unmarked {
        correction.note_unedited(part, NO_ROOM, now);
    }
    writes.push(Write::Delivery(Box::new(correction)));
    Ok(writes)
}

const NO_ROOM: &str = "it has no room for the correction";

/// The parts of a rendering; `None` for one that cannot be read.
type Parts = Vec<Option<Part>>;

/// The renderings of one digest, read and corrected once for all the channels that share them.
pub(super) struct Forms<'a> {
    store: &'a dyn Store,
    render: &'a dyn Render,
    errata: &'a Errata,
    known: HashMap<RenderingId, Parts>,
    corrected: HashMap<RenderingId, (Parts, Vec<u32>)>,
}

impl<'a> Forms<'a> {
    pub(super) fn new(store: &'a dyn Store, render: &'a dyn Render, errata: &'a Errata) -> Self {
        Self {
            store,
            render,
            errata,
            known: HashMap::new(),
            corrected: HashMap::new(),
        }
    }

    fn parts(&mut self, id: &RenderingId, count: u32) -> Result<Parts> {
        if let Some(parts) = self.known.get(id) {
            return Ok(parts.clone());
        }
        let mut parts = Vec::new();
        for index in 0..count {
            parts.push(readable(self.store.part(id, index))?);
        }
        self.known.insert(id.clone(), parts.clone());
        Ok(parts)
    }

    /// The parts of a post as all errata make them, and those that have no room even for a mark.
    pub(super) fn corrected(&mut self, post: &Delivery) -> Result<(Parts, Vec<u32>)> {
        if let Some(corrected) = self.corrected.get(&post.rendering) {
            return Ok(corrected.clone());
        }
        let mut parts = self.parts(&post.rendering, post.parts)?;
        let mut unmarked = Vec::new();
        for (index, part) in (0..).zip(&mut parts) {
            let Some(posted) = part else { continue };
            match amended(self.render, self.errata, &post.rendering, posted) {
                Some(amended) => *posted = amended,
                None => unmarked.push(index),
            }
        }
        self.corrected
            .insert(post.rendering.clone(), (parts.clone(), unmarked.clone()));
        Ok((parts, unmarked))
    }

    pub(super) fn writes(self) -> impl Iterator<Item = Write> {
        let revision = self.errata.revision;
        self.corrected
            .into_iter()
            .map(move |(id, (parts, _))| Write::Rendering {
                id: RenderingId { revision, ..id },
                // What cannot be read is edited by nothing.
                parts: parts.into_iter().map(Option::unwrap_or_default).collect(),
            })
    }
}

/// A posted part with the marks and lines of its entries, as much of them as there is room for; `None` when there is none.
fn amended(render: &dyn Render, errata: &Errata, rendering: &RenderingId, posted: &Part) -> Option<Part> {
    let numbers = render.numbers(rendering.platform, posted);
    // Rather an erratum in full than the votes.
    let with_votes = [(Detail::Values, true)];
    let forms = with_votes.into_iter().chain(Detail::ALL.map(|detail| (detail, false)));
    for (detail, counts) in forms {
        let mut amendments = errata.additions(rendering.lang, rendering.zone, detail, counts);
        amendments.retain(|amendment| numbers.contains(&amendment.number));
        if amendments.is_empty() {
            return Some(posted.clone());
        }
        if let Some(amended) = render.amend(rendering.platform, posted, &amendments) {
            return Some(amended);
        }
    }
    None
}

/// The edit that the next part of a correction is. Parts of the post that never arrived, or of which
/// nobody knows under which id, stay as they are; `None` when that is all that was left.
pub(super) fn aim(store: &dyn Store, mut correction: Delivery, now: DateTime<Utc>) -> Result<(Delivery, Option<Task>)> {
    let post = readable(store.delivery(&correction.id.of_post()))?;
    while !correction.is_finished() {
        let part = usize::try_from(correction.next_part()).unwrap_or(usize::MAX);
        let message = post.as_ref().and_then(|post| post.message_ids.get(part));
        if let Some(message) = message.filter(|id| !id.is_empty()) {
            let (message, first) = (message.clone(), post.as_ref().and_then(Delivery::first_message));
            let first = first.map(str::to_owned);
            return Ok((correction, Some(Task::Edit { message, first })));
        }
        let why = "it is not known which message it is".to_owned();
        correction = correction.leave_part(why, now);
    }
    Ok((correction, None))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::fixture::{
        Counting, add_channel, arxiv, back, channel, claims, failed, mailing, news, october, paper, report, reported,
        sent, settings, take, topic,
    };
    use super::super::{Accepted, Job, accept, compact, publish_now};
    use super::*;
    use crate::channel::Activity;
    use crate::channel::Channel;
    use crate::delivery::{SendError, Verdict};
    use crate::locale::Lang;
    use crate::paper::Field;
    use crate::source::Announcement::{New, Replacement, Withdrawal};
    use crate::source::{Item, SourceKind};
    use crate::store::ModelStore;

    const HERE: &str = "telegram:-5";

    /// A channel and a digest of five papers in three parts, not yet sent.
    fn published() -> (ModelStore, DeliveryId) {
        let store = ModelStore::new();
        add_channel(&store, HERE, settings(), october(8, 0));
        let papers = (1..=5).map(|number| paper(number, "On pruning", "")).collect();
        take(&store, "first", news(9, papers), october(9, 20));
        let id = post(&store, HERE, october(9, 21));
        (store, id)
    }

    fn post(store: &ModelStore, place: &str, now: DateTime<Utc>) -> DeliveryId {
        let reader = channel(store, place);
        let published = publish_now(store, &[topic()], &Counting::default(), vec![reader], now).unwrap();
        published.deliveries[0].clone()
    }

    fn posted() -> (ModelStore, DeliveryId) {
        let (store, id) = published();
        deliver(&store, october(9, 22));
        (store, id)
    }

    /// Sends everything; a message's id is its digest's day and its part. Returns what was done.
    fn deliver(store: &dyn Store, now: DateTime<Utc>) -> Vec<String> {
        let mut done = Vec::new();
        let mut jobs = claims(store, now);
        while let Some(Job {
            delivery, part, task, ..
        }) = jobs.pop()
        {
            let id = match task {
                Task::Send => format!("{}{}", delivery.id.digest.occurrence.format("%d"), delivery.next_part()),
                Task::Edit { message, .. } => {
                    let marked = part.payload.lines().filter(|line| line.starts_with(['✎', '⊘']));
                    done.push(format!("{message}: {}", marked.collect::<Vec<_>>().join(" ")));
                    message
                }
                Task::Look(missing) => panic!("{missing:?}"),
            };
            jobs.extend(back(store, &delivery.id, sent(&id), now).jobs);
        }
        done
    }

    fn revised(number: u64, day: i64) -> Paper {
        Paper {
            revised: Some(october(day, 8)),
            ..paper(number, "On pruning", "")
        }
    }

    fn replace(store: &dyn Store, numbers: &[u64], day: i64) -> Accepted {
        let items = numbers.iter().map(|&number| (Replacement, revised(number, day)));
        take(
            store,
            &format!("{numbers:?} {day}"),
            mailing(day, items.collect()),
            october(day, 20),
        )
    }

    fn corrections(store: &dyn Store, post: &DeliveryId) -> Vec<(u32, Vec<u32>)> {
        let mut ids = store.deliveries_of_digest(&post.digest).unwrap();
        ids.retain(|id| id.is_correction() && id.place == post.place);
        let edits = |id: &DeliveryId| store.delivery(id).unwrap().unwrap().edits;
        ids.iter().map(|id| (id.revision, edits(id))).collect()
    }

    #[test]
    fn a_replaced_paper_is_marked_where_it_was_posted_and_nothing_else_moves() {
        let (store, id) = posted();
        let before = (store.digest(&id.digest), channel(&store, HERE).cursor);
        assert_eq!(replace(&store, &[4], 10).corrections, 1);
        assert_eq!(corrections(&store, &id), [(1, vec![1])]);
        // The second part is the only one that is edited.
        assert_eq!(deliver(&store, october(10, 21)), ["091: ✎ 4 New version of 10 Oct."]);
        assert_eq!((store.digest(&id.digest), channel(&store, HERE).cursor), before);
        assert_eq!(store.digest_of_message(&id.place, "091"), Ok(Some(id.digest)));
        assert_eq!(store.unfinished(9), Ok(vec![]));
    }

    #[test]
    fn institutions_and_another_name_that_come_after_the_post_are_a_correction_of_it() {
        use crate::source::affiliation::{Kind, account};
        let (store, id) = posted();
        let said = account(&arxiv(4), Kind::OpenAlex, vec!["Tsinghua University".to_owned()]);
        assert_eq!(take(&store, "openalex", said, october(9, 23)).corrections, 1);
        let done = deliver(&store, october(10, 1));
        assert!(
            matches!(&done[..], [edit] if edit.starts_with("091: ✎ 4") && edit.contains("Tsinghua University")),
            "{done:?}"
        );
        assert_eq!(corrections(&store, &id), [(1, vec![1])]);
        // The better source's names; and votes, which no post shows, are no correction.
        let better = account(&arxiv(4), Kind::ArxivHtml, vec!["Peking University".to_owned()]);
        assert_eq!(take(&store, "html", better, october(10, 2)).corrections, 1);
        let mut voted = paper(5, "On pruning", "");
        voted.upvotes = Some(Field::new(23, SourceKind::HuggingFace));
        assert_eq!(
            take(&store, "votes", news(10, vec![voted]), october(10, 3)).corrections,
            0
        );
    }

    #[test]
    fn all_changed_papers_of_a_file_are_one_correction_of_each_digest() {
        let (store, id) = posted();
        take(
            &store,
            "more",
            news(10, vec![paper(6, "On pruning", "")]),
            october(10, 19),
        );
        let second = post(&store, HERE, october(10, 19));
        deliver(&store, october(10, 19));
        assert_eq!(replace(&store, &[6, 1, 5], 10).corrections, 2);
        assert_eq!(corrections(&store, &id), [(1, vec![0, 2])]);
        assert_eq!(corrections(&store, &second), [(1, vec![0])]);
        let done = deliver(&store, october(10, 21));
        let [day, other] = ["New version of 10 Oct.", "✎"];
        assert_eq!(
            done,
            [
                format!("090: {other} 1 {day}"),
                format!("092: {other} 5 {day}"),
                format!("100: {other} 1 {day}")
            ]
        );
    }

    #[test]
    fn what_an_entry_shows_is_repaired_and_what_it_does_not_show_is_not() {
        let store = ModelStore::new();
        add_channel(&store, HERE, settings(), october(8, 0));
        let abstract_text = "We cut weights of large models by their second derivatives, and find that half of them \
                             can go without a loss on nine benchmarks.";
        take(
            &store,
            "report",
            report(vec![reported("ON PRUNING OF LARGE MODELS", abstract_text)]),
            october(9, 20),
        );
        let id = post(&store, HERE, october(9, 21));
        deliver(&store, october(9, 22));
        // The mailing knows its real name and title; the digest has it under a provisional one.
        let real = paper(1, "On Pruning of Large Models", abstract_text);
        assert_eq!(
            take(&store, "mail", news(10, vec![real.clone()]), october(10, 20)).corrections,
            1
        );
        assert_eq!(
            deliver(&store, october(10, 21)),
            ["090: ✎ 1 Correction, 10 Oct: title “On Pruning of Large Models”."]
        );
        let commented = Paper {
            comments: real.title.clone(),
            ..real
        };
        let taken = take(&store, "comments", news(11, vec![commented]), october(11, 20));
        assert_eq!((taken.papers_updated, taken.corrections), (1, 0));
        assert_eq!(corrections(&store, &id).len(), 1);
    }

    #[test]
    fn only_what_stands_somewhere_and_not_for_too_long_is_corrected() {
        let (store, id) = posted();
        // A paper that no digest has.
        take(
            &store,
            "other",
            mailing(10, vec![(Replacement, paper(9, "On weather", ""))]),
            october(10, 20),
        );
        assert_eq!(replace(&store, &[9], 11).corrections, 0);
        // The same again brings nothing new.
        assert_eq!(
            (
                replace(&store, &[1], 11).corrections,
                replace(&store, &[1], 11).corrections
            ),
            (1, 0)
        );
        deliver(&store, october(11, 21));
        // A channel that is paused hears of nothing.
        let pause = |reason: &str| {
            let activity = match reason {
                "" => Activity::Active,
                reason => Activity::Paused {
                    reason: reason.to_owned(),
                    since: october(12, 0),
                },
            };
            let channel = Channel {
                activity,
                ..channel(&store, HERE)
            };
            store.commit(vec![Write::Channel(Box::new(channel))]).unwrap();
        };
        pause("kicked");
        assert_eq!(replace(&store, &[2], 12).corrections, 0);
        pause("");
        let last_day = 9 + EDIT_WINDOW.num_days();
        assert_eq!(replace(&store, &[3], last_day).corrections, 1);
        assert_eq!(replace(&store, &[4], last_day + 1).corrections, 0);
        deliver(&store, october(last_day, 21));
        // Nor is what is archived.
        compact(&store, october(999, 0), 9).unwrap();
        assert_eq!(store.deliveries_of_digest(&id.digest), Ok(vec![]));
        assert_eq!(replace(&store, &[5], 12).corrections, 0);
    }

    #[test]
    fn a_correction_that_still_waits_is_taken_over_by_the_next_one() {
        let (store, id) = posted();
        let now = october(10, 21);
        replace(&store, &[1, 3], 10);
        let first = claims(&store, now).remove(0).delivery;
        // The first part is on the wire: what follows comes behind it.
        replace(&store, &[5], 11);
        assert_eq!(corrections(&store, &id), [(1, vec![0, 1]), (2, vec![2])]);
        assert_eq!(claims(&store, now), vec![]);
        let second = back(&store, &first.id, sent("090"), now).jobs.remove(0).delivery;
        store
            .commit(vec![Write::Delivery(Box::new(second.release(now)))])
            .unwrap();
        // None of it is any more.
        replace(&store, &[3], 12);
        assert_eq!(corrections(&store, &id), [(3, vec![1, 2])]);
        assert_eq!(
            deliver(&store, october(12, 21)),
            ["091: ✎ 3 New version of 12 Oct.", "092: ✎ 5 New version of 11 Oct."]
        );
    }

    #[test]
    fn a_correction_waits_for_its_post_and_goes_before_the_next_digest() {
        let (store, id) = published();
        replace(&store, &[1], 10);
        let next = {
            take(
                &store,
                "more",
                news(10, vec![paper(6, "On pruning", "")]),
                october(10, 21),
            );
            post(&store, HERE, october(10, 22))
        };
        let now = october(10, 23);
        let mut order = Vec::new();
        let mut jobs = claims(&store, now);
        while let Some(Job { delivery, task, .. }) = jobs.pop() {
            order.push((
                delivery.id.clone(),
                delivery.next_part(),
                matches!(task, Task::Edit { .. }),
            ));
            jobs.extend(back(&store, &delivery.id, sent(&order.len().to_string()), now).jobs);
        }
        let correction = DeliveryId {
            revision: 1,
            ..id.clone()
        };
        let expected = [
            (&id, 0, false),
            (&id, 1, false),
            (&id, 2, false),
            (&correction, 0, true),
            (&next, 0, false),
        ];
        assert_eq!(order, expected.map(|(id, part, edit)| (id.clone(), part, edit)));
    }

    #[test]
    fn an_edit_is_never_in_doubt_and_one_that_is_refused_changes_nothing() {
        let (store, id) = posted();
        replace(&store, &[1, 3, 5], 10);
        let now = october(10, 21);
        let job = claims(&store, now).remove(0);
        let post_part = Delivery {
            id: id.clone(),
            ..job.delivery.clone()
        };
        assert_eq!(job.delivery.tag(), post_part.tag());
        let again = |outcome, now| back(&store, &job.delivery.id, outcome, now);
        let lost = || SendError::Uncertain {
            reason: "reset".to_owned(),
        };
        assert_eq!(again(failed(lost()), now).jobs, vec![]);
        let now = now + chrono::TimeDelta::minutes(1);
        let job = claims(&store, now).remove(0);
        assert_eq!(
            job.task,
            Task::Edit {
                message: "090".to_owned(),
                first: Some("090".to_owned()),
            }
        );
        // Whoever held it is dead.
        let now = now + crate::delivery::LEASE;
        let [job] = claims(&store, now).try_into().unwrap();
        assert_eq!(
            job.task,
            Task::Edit {
                message: "090".to_owned(),
                first: Some("090".to_owned()),
            }
        );
        let refused = SendError::Rejected {
            reason: "message to edit not found".to_owned(),
        };
        let turn = again(failed(refused), now);
        let unedited = Verdict::Unedited("message to edit not found".to_owned());
        assert_eq!(
            (turn.settled[0].decided.as_ref(), turn.settled[0].tell_operator),
            (Some(&unedited), false)
        );
        assert_eq!(turn.jobs[0].delivery.next_part(), 1);
        // One that never gets through does not keep the channel's next digest waiting for ever.
        let mut now = now;
        let mut tries = 0;
        while store.delivery(&job.delivery.id).unwrap().unwrap().next_part() == 1 {
            again(failed(lost()), now);
            now += chrono::TimeDelta::hours(1);
            claims(&store, now);
            tries += 1;
        }
        assert_eq!(tries, 10);
        again(sent("092"), now);
        let correction = store.delivery(&job.delivery.id).unwrap().unwrap();
        assert_eq!(
            (correction.state, correction.message_ids),
            (
                State::Sent { at: now },
                vec![String::new(), String::new(), "092".to_owned()]
            )
        );
        assert_eq!(store.dead_letters(9), Ok(vec![]));
    }

    #[test]
    fn a_channel_that_is_lost_meanwhile_gets_neither_corrections_nor_a_repeat() {
        let (store, id) = posted();
        let cursor = channel(&store, HERE).cursor;
        replace(&store, &[1], 10);
        let now = october(10, 21);
        let job = claims(&store, now).remove(0);
        let gone = SendError::Gone {
            reason: "kicked".to_owned(),
        };
        back(&store, &job.delivery.id, failed(gone), now);
        let paused = channel(&store, HERE);
        assert!(matches!(paused.activity, Activity::Paused { .. }) && paused.cursor == cursor);
        assert_eq!(store.unfinished(9), Ok(vec![]));
        assert_eq!(store.delivery(&id).unwrap().unwrap().arrived(), 3);
    }

    #[test]
    fn a_part_that_never_arrived_stays_as_it_is() {
        let (store, id) = posted();
        let mut lost = store.delivery(&id).unwrap().unwrap();
        lost.message_ids[0] = String::new();
        store.commit(vec![Write::Delivery(Box::new(lost))]).unwrap();
        replace(&store, &[1, 3], 10);
        assert_eq!(deliver(&store, october(10, 21)), ["091: ✎ 3 New version of 10 Oct."]);
    }

    #[test]
    fn a_withdrawn_paper_says_so_and_a_part_without_room_shows_as_much_as_fits() {
        for (room, expected) in [(usize::MAX, "⊘ 1 Withdrawn, 10 Oct."), (0, ""), (1, "⊘ 1 ")] {
            let (store, id) = posted();
            let posted = store.delivery(&id).unwrap().unwrap();
            let bytes = store.part(&posted.rendering, 0).unwrap().unwrap().payload.len();
            let render = Counting {
                room: match room {
                    1 => bytes + "⊘ 1 \n".len(),
                    other => other,
                },
                ..Counting::default()
            };
            let items = vec![(Withdrawal, revised(1, 10))];
            accept(
                &store,
                &[topic()],
                &render,
                "a",
                b"a",
                mailing(10, items),
                october(10, 20),
            )
            .unwrap();
            let done = deliver(&store, october(10, 21));
            let shown: Vec<&str> = done.iter().filter_map(|line| line.strip_prefix("090: ")).collect();
            assert_eq!(shown.concat(), expected.trim_end_matches('\n'), "{room}");
            // It is known all the same.
            let errata = store.errata(&id.digest).unwrap().unwrap();
            assert!(errata.amendment(1, Lang::En, chrono_tz::UTC).is_some());
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn whatever_comes_in_whichever_order_the_chat_ends_with_the_latest_of_every_part(
            files in prop::collection::vec((prop::collection::vec((1_u64..6, 0_u8..3), 1..4), 0_usize..4), 1..6),
        ) {
            let (store, id) = posted();
            let rendering = store.delivery(&id).unwrap().unwrap().rendering;
            let part = |revision, index| {
                let id = RenderingId { revision, ..rendering.clone() };
                store.part(&id, index).unwrap()
            };
            // What stands in the chat.
            let mut chat: Vec<Part> = (0..3).filter_map(|index| part(0, index)).collect();
            let mut go = |steps: usize, now| {
                for _ in 0..steps {
                    let Some(job) = claims(&store, now).pop() else { break };
                    let index = usize::try_from(job.delivery.next_part()).unwrap();
                    chat[index] = job.part.clone();
                    back(&store, &job.delivery.id, sent("1"), now);
                    // What the turn claimed at once goes back untouched.
                    for held in store.leased(rendering.platform).unwrap() {
                        store.commit(vec![Write::Delivery(Box::new(held.release(now)))]).unwrap();
                    }
                }
            };
            let mut day = 9;
            for (items, steps) in files {
                day += 1;
                let items = items.into_iter().map(|(number, how)| {
                    let how = [New, Replacement, Withdrawal][usize::from(how)];
                    Item { paper: Paper { version: u16::try_from(day).unwrap(), ..revised(number, day) }, announcement: how }
                });
                let mut parsed = mailing(day, Vec::new());
                parsed.items = items.collect();
                take(&store, &day.to_string(), parsed, october(day, 20));
                go(steps, october(day, 21));
            }
            go(99, october(day, 23));
            prop_assert_eq!(store.unfinished(9), Ok(vec![]));
            let latest = store.errata(&id.digest).unwrap().map_or(0, |errata| errata.revision);
            let render = Counting::default();
            for (index, shown) in (0..).zip(&chat) {
                prop_assert_eq!(Some(shown.clone()), part(latest, index));
                let platform = rendering.platform;
                prop_assert_eq!(render.numbers(platform, shown), render.numbers(platform, &part(0, index).unwrap()));
            }
        }
    }
}
