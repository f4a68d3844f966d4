//! The store as plain maps: the model that the others are compared with, and what tests run on. Every read is the sentence
//! in the trait's documentation, written down as a filter and a sort; the one index is that of messages, which outlive
//! their deliveries.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound::{Excluded, Included};
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};

use super::{ContentRecord, DigestSummary, IntakeRecord, MatchRecord, MemoSpace, Result, Store, WindowRecord, Write};
use crate::channel::{Channel, Place, Platform, Seq};
use crate::delivery::{self, Delivery, DeliveryId};
use crate::digest::{Digest, DigestId, RenderingId};
use crate::erratum::Errata;
use crate::join;
use crate::message::Part;
use crate::paper::{Paper, PaperId};
use crate::source::Window;
use crate::topic::TopicId;
use crate::vote::{Ballot, Person, Saved, Tally, Vote};

/// In memory. Nothing of it survives, so [`Store::sync`] has nothing to do.
#[derive(Debug, Default)]
pub struct ModelStore {
    state: Mutex<State>,
}

type WindowKey = (&'static str, DateTime<Utc>, DateTime<Utc>);

#[derive(Debug, Default)]
struct State {
    papers: BTreeMap<PaperId, Paper>,
    aliases: BTreeMap<PaperId, PaperId>,
    intake: BTreeMap<Seq, IntakeRecord>,
    windows: BTreeMap<WindowKey, WindowRecord>,
    contents: BTreeMap<String, ContentRecord>,
    matches: BTreeMap<TopicId, BTreeMap<Seq, MatchRecord>>,
    fingerprints: BTreeMap<TopicId, u64>,
    channels: BTreeMap<Place, Channel>,
    digests: BTreeMap<DigestId, Digest>,
    renderings: HashMap<RenderingId, Vec<Part>>,
    errata: BTreeMap<DigestId, Errata>,
    deliveries: BTreeMap<Place, BTreeMap<(DigestId, u32), Delivery>>,
    messages: BTreeSet<(Place, String, DigestId)>,
    summaries: BTreeMap<DigestId, DigestSummary>,
    sends: Vec<(Platform, DateTime<Utc>, String)>,
    limiters: BTreeMap<Platform, String>,
    memos: BTreeMap<(MemoSpace, String), String>,
    votes: BTreeMap<(PaperId, Person), Ballot>,
    saves: BTreeMap<(PaperId, Person), DateTime<Utc>>,
    outdated: BTreeMap<DigestId, DateTime<Utc>>,
}

impl ModelStore {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A commit cannot panic half-way, so what a poisoned lock guards is still whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn window_key(window: &Window) -> WindowKey {
    (window.source.name(), window.from, window.to)
}

fn range<T: Clone>(map: &BTreeMap<Seq, T>, after: Seq, upto: Seq, limit: usize) -> Vec<T> {
    if after >= upto {
        return Vec::new();
    }
    let found = map.range((Excluded(after), Included(upto)));
    found.take(limit).map(|(_, record)| record.clone()).collect()
}

/// What people said of a paper under its old name is said of the real one; the later of two things stays, and of two at the
/// same time that of the real name.
fn move_along<T>(
    said: &mut BTreeMap<(PaperId, Person), T>,
    from: &PaperId,
    to: &PaperId,
    at: impl Fn(&T) -> DateTime<Utc>,
) {
    let of_old: Vec<_> = said.extract_if(.., |(paper, _), _| paper == from).collect();
    for ((_, person), old) in of_old {
        let key = (to.clone(), person);
        if said.get(&key).is_none_or(|new| at(new) < at(&old)) {
            said.insert(key, old);
        }
    }
}

impl State {
    fn real_name<'a>(&'a self, id: &'a PaperId) -> &'a PaperId {
        // `alias` refuses what would close a circle.
        let mut real = id;
        while let Some(next) = self.aliases.get(real) {
            real = next;
        }
        real
    }

    fn alias(&mut self, from: PaperId, to: PaperId) {
        let mut name = Some(&to);
        while let Some(n) = name {
            if *n == from {
                return;
            }
            name = self.aliases.get(n);
        }
        self.papers.remove(&from);
        let real = self.real_name(&to).clone();
        self.aliases.insert(from.clone(), to);
        move_along(&mut self.votes, &from, &real, |ballot| ballot.at);
        move_along(&mut self.saves, &from, &real, |at| *at);
    }

    fn active_dues(&self) -> Vec<(DateTime<Utc>, &Channel)> {
        let active = self.channels.values().filter(|c| c.activity.is_reachable());
        let mut dues: Vec<_> = active.filter_map(|c| Some((c.due()?, c))).collect();
        dues.sort_by_key(|(due, _)| *due);
        dues
    }

    /// The earliest unfinished delivery of each of the platform's places, with its due time.
    fn heads(&self, platform: Platform) -> impl Iterator<Item = (DateTime<Utc>, &Delivery)> {
        let places = self.deliveries.iter().filter(move |(p, _)| p.platform() == platform);
        places.filter_map(|(_, of_place)| of_place.values().find_map(|d| Some((d.state.due()?, d))))
    }

    fn all_deliveries(&self) -> impl Iterator<Item = &Delivery> {
        self.deliveries.values().flat_map(BTreeMap::values)
    }

    fn forget_delivery(&mut self, id: &DeliveryId) -> Option<Delivery> {
        let old = self.deliveries.get_mut(&id.place)?.remove(&(id.digest, id.revision))?;
        for message in old.message_ids.iter().filter(|_| !id.is_correction()) {
            self.messages.remove(&(id.place.clone(), message.clone(), id.digest));
        }
        Some(old)
    }

    fn put_delivery(&mut self, delivery: Delivery) {
        let DeliveryId {
            place,
            digest,
            revision,
        } = &delivery.id;
        self.forget_delivery(&delivery.id);
        // A part that was taken as arrived without an answer has no id: an empty one belongs to nothing.
        let posted = delivery
            .message_ids
            .iter()
            .filter(|id| *revision == 0 && !id.is_empty());
        for message in posted {
            self.messages.insert((place.clone(), message.clone(), *digest));
        }
        let of_place = self.deliveries.entry(place.clone()).or_default();
        of_place.insert((*digest, *revision), delivery);
    }

    fn archive(&mut self, id: &DeliveryId) {
        let of_place = self.deliveries.get_mut(&id.place);
        let key = (id.digest, id.revision);
        let Some(of_place) = of_place.filter(|d| d.get(&key).and_then(super::ended).is_some()) else {
            return;
        };
        if let Some(old) = of_place.remove(&key) {
            let summary = self.summaries.entry(id.digest);
            summary.or_insert_with(|| DigestSummary::new(id.digest)).add(&old);
        }
    }

    /// Renderings that nobody needs any more, since the last delivery of their digest was archived.
    fn forget_renderings(&mut self, archived: &BTreeSet<DigestId>) {
        for digest in archived {
            if !self.all_deliveries().any(|d| d.id.digest == *digest) {
                self.renderings.retain(|id, _| id.digest != *digest);
            }
        }
    }

    fn apply(&mut self, write: Write) {
        match write {
            Write::Paper(paper) => {
                self.papers.insert(paper.id.clone(), *paper);
            }
            Write::Alias { from, to } => self.alias(from, to),
            Write::Intake(record) => {
                self.intake.insert(record.seq, record);
            }
            Write::Window(record) => {
                self.windows.insert(window_key(&record.window), record);
            }
            Write::Content(record) => {
                self.contents.insert(record.hash.clone(), record);
            }
            Write::Match(record) => {
                let of_topic = self.matches.entry(record.score.topic.clone()).or_default();
                of_topic.insert(record.seq, *record);
            }
            Write::ClearMatches { topic, after, upto } => {
                if let Some(of_topic) = self.matches.get_mut(&topic) {
                    of_topic.retain(|seq, _| *seq <= after || *seq > upto);
                }
            }
            Write::TopicFingerprint { topic, fingerprint } => {
                self.fingerprints.insert(topic, fingerprint);
            }
            Write::Channel(channel) => {
                self.channels.insert(channel.place.clone(), *channel);
            }
            Write::RemoveChannel(place) => {
                self.channels.remove(&place);
            }
            Write::Digest(digest) => {
                self.digests.insert(digest.id, *digest);
            }
            Write::Errata(errata) => {
                self.errata.insert(errata.digest, *errata);
            }
            Write::Rendering { id, parts } => {
                self.renderings.insert(id, parts);
            }
            Write::Delivery(delivery) => self.put_delivery(*delivery),
            Write::RemoveDelivery(id) => {
                self.forget_delivery(&id);
            }
            Write::Archive(id) => self.archive(&id),
            // Here everything can be read.
            Write::SetAside(_) => {}
            Write::Sent { place, at } => self.sends.push((place.platform(), at, place.chat().to_owned())),
            Write::ForgetSent { platform, before } => self.sends.retain(|(on, at, _)| *on != platform || *at >= before),
            Write::LimiterMemory { platform, memory } => {
                self.limiters.insert(platform, memory);
            }
            Write::Memo { space, key, value } => match value {
                Some(value) => drop(self.memos.insert((space, key), value)),
                None => drop(self.memos.remove(&(space, key))),
            },
            Write::Vote {
                person,
                paper,
                vote,
                at,
            } => {
                let key = (self.real_name(&paper).clone(), person);
                match vote {
                    Some(vote) => drop(self.votes.insert(key, Ballot { vote, at })),
                    None => drop(self.votes.remove(&key)),
                }
            }
            Write::Save { person, paper, at } => {
                let key = (self.real_name(&paper).clone(), person);
                match at {
                    Some(at) => drop(self.saves.insert(key, at)),
                    None => drop(self.saves.remove(&key)),
                }
            }
            Write::Outdated { digest, due } => {
                let noted = self.outdated.entry(digest).or_insert(due);
                *noted = due.min(*noted);
            }
            Write::Shown(digest) => {
                self.outdated.remove(&digest);
            }
        }
    }
}

impl Store for ModelStore {
    fn paper(&self, id: &PaperId) -> Result<Option<Paper>> {
        let state = self.state();
        let own = state.papers.get(id);
        Ok(own.or_else(|| state.papers.get(state.real_name(id))).cloned())
    }

    fn similar(&self, sketch: &[u64]) -> Result<Vec<PaperId>> {
        let state = self.state();
        let mut sharing: BTreeMap<u64, Vec<&PaperId>> = BTreeMap::new();
        for paper in state.papers.values() {
            let prints: BTreeSet<u64> = join::sketch(paper).into_iter().collect();
            for print in prints.into_iter().filter(|print| sketch.contains(print)) {
                sharing.entry(print).or_default().push(&paper.id);
            }
        }
        let mut shared: BTreeMap<&PaperId, usize> = BTreeMap::new();
        for paper in sharing.values().filter(|of| of.len() <= super::SHARED_MAX).flatten() {
            *shared.entry(*paper).or_default() += 1;
        }
        let mut found: Vec<_> = shared.into_iter().map(|(id, shared)| (shared, id)).collect();
        found.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(b.1)));
        Ok(found
            .into_iter()
            .take(super::SIMILAR_MAX)
            .map(|(_, id)| id.clone())
            .collect())
    }

    fn head(&self) -> Result<Seq> {
        Ok(self.state().intake.keys().next_back().copied().unwrap_or(0))
    }

    fn intake(&self, after: Seq, upto: Seq, limit: usize) -> Result<Vec<IntakeRecord>> {
        Ok(range(&self.state().intake, after, upto, limit))
    }

    fn intake_of(&self, paper: &PaperId) -> Result<Option<IntakeRecord>> {
        let state = self.state();
        let real = state.real_name(paper);
        let mut records = state.intake.values();
        Ok(records.find(|r| state.real_name(&r.paper) == real).cloned())
    }

    fn windows(&self) -> Result<Vec<WindowRecord>> {
        Ok(self.state().windows.values().cloned().collect())
    }

    fn window(&self, window: &Window) -> Result<Option<WindowRecord>> {
        Ok(self.state().windows.get(&window_key(window)).cloned())
    }

    fn content(&self, hash: &str) -> Result<Option<ContentRecord>> {
        Ok(self.state().contents.get(hash).cloned())
    }

    fn matches(&self, topic: &TopicId, after: Seq, upto: Seq) -> Result<Vec<MatchRecord>> {
        let state = self.state();
        let of_topic = state.matches.get(topic);
        Ok(of_topic.map_or_else(Vec::new, |records| range(records, after, upto, usize::MAX)))
    }

    fn topic_fingerprint(&self, topic: &TopicId) -> Result<Option<u64>> {
        Ok(self.state().fingerprints.get(topic).copied())
    }

    fn channel(&self, place: &Place) -> Result<Option<Channel>> {
        Ok(self.state().channels.get(place).cloned())
    }

    fn channels(&self) -> Result<Vec<Channel>> {
        Ok(self.state().channels.values().cloned().collect())
    }

    fn channels_due(&self, now: DateTime<Utc>, limit: usize) -> Result<Vec<Channel>> {
        let state = self.state();
        let dues = state.active_dues().into_iter().take_while(|(due, _)| *due <= now);
        Ok(dues.take(limit).map(|(_, channel)| channel.clone()).collect())
    }

    fn next_channel_due(&self) -> Result<Option<DateTime<Utc>>> {
        Ok(self.state().active_dues().first().map(|(due, _)| *due))
    }

    fn digest(&self, id: &DigestId) -> Result<Option<Digest>> {
        Ok(self.state().digests.get(id).cloned())
    }

    fn digests(&self, before: Option<DigestId>, limit: usize) -> Result<Vec<DigestId>> {
        let state = self.state();
        let ids = state.digests.keys().rev().copied();
        let ids = ids.filter(|id| before.is_none_or(|before| *id < before));
        Ok(ids.take(limit).collect())
    }

    fn digests_of_paper(&self, paper: &PaperId) -> Result<Vec<DigestId>> {
        let state = self.state();
        let real = state.real_name(paper);
        let has_it = |digest: &&Digest| digest.entries.iter().any(|e| state.real_name(&e.paper) == real);
        Ok(state.digests.values().filter(has_it).map(|digest| digest.id).collect())
    }

    fn errata(&self, id: &DigestId) -> Result<Option<Errata>> {
        Ok(self.state().errata.get(id).cloned())
    }

    fn part(&self, id: &RenderingId, index: u32) -> Result<Option<Part>> {
        let state = self.state();
        let parts = state.renderings.get(id);
        Ok(usize::try_from(index).ok().and_then(|i| parts?.get(i)).cloned())
    }

    fn delivery(&self, id: &DeliveryId) -> Result<Option<Delivery>> {
        let state = self.state();
        let of_place = state.deliveries.get(&id.place);
        Ok(of_place.and_then(|d| d.get(&(id.digest, id.revision))).cloned())
    }

    fn deliveries_of_digest(&self, id: &DigestId) -> Result<Vec<DeliveryId>> {
        let state = self.state();
        let of_digest = state.all_deliveries().filter(|d| d.id.digest == *id);
        Ok(of_digest.map(|d| d.id.clone()).collect())
    }

    fn deliveries(&self, place: &Place, before: Option<DigestId>, limit: usize) -> Result<Vec<Delivery>> {
        let state = self.state();
        let latest_first = state.deliveries.get(place).into_iter().flat_map(|d| d.iter().rev());
        let wanted = latest_first.filter(|((id, _), _)| before.is_none_or(|before| *id < before));
        Ok(wanted.take(limit).map(|(_, delivery)| delivery.clone()).collect())
    }

    fn due(&self, platform: Platform, now: DateTime<Utc>, limit: usize) -> Result<Vec<Delivery>> {
        let state = self.state();
        let mut due: Vec<_> = state.heads(platform).filter(|(due, _)| *due <= now).collect();
        due.sort_by_key(|(due, d)| {
            let leased = matches!(d.state, delivery::State::Leased { .. });
            let class = (leased, d.doubt == delivery::Doubt::None);
            (class, d.next_part(), *due, &d.id.place)
        });
        Ok(due
            .into_iter()
            .take(limit)
            .map(|(_, delivery)| delivery.clone())
            .collect())
    }

    fn next_due(&self, platform: Platform) -> Result<Option<DateTime<Utc>>> {
        Ok(self.state().heads(platform).map(|(due, _)| due).min())
    }

    fn leased(&self, platform: Platform) -> Result<Vec<Delivery>> {
        let state = self.state();
        let leased =
            |d: &&Delivery| d.id.place.platform() == platform && matches!(d.state, delivery::State::Leased { .. });
        Ok(state.all_deliveries().filter(leased).cloned().collect())
    }

    fn unfinished(&self, limit: usize) -> Result<Vec<Delivery>> {
        let state = self.state();
        Ok(state
            .all_deliveries()
            .filter(|d| !d.is_finished())
            .take(limit)
            .cloned()
            .collect())
    }

    fn dead_letters(&self, limit: usize) -> Result<Vec<Delivery>> {
        let state = self.state();
        let all = state.all_deliveries();
        let mut dead: Vec<_> = all.filter_map(|d| Some((d.dead_since()?, d))).collect();
        dead.sort_by_key(|(since, _)| Reverse(*since));
        Ok(dead
            .into_iter()
            .take(limit)
            .map(|(_, delivery)| delivery.clone())
            .collect())
    }

    fn digest_of_message(&self, place: &Place, message_id: &str) -> Result<Option<DigestId>> {
        let state = self.state();
        let mut latest_first = state.messages.iter().rev();
        let found = latest_first.find(|(at, id, _)| at == place && id == message_id);
        Ok(found.map(|(_, _, digest)| *digest))
    }

    fn digests_of_place(&self, place: &Place, limit: usize) -> Result<Vec<DigestId>> {
        let state = self.state();
        let here = state.messages.iter().filter(|(at, _, _)| at == place);
        let digests: BTreeSet<DigestId> = here.map(|(_, _, digest)| *digest).collect();
        Ok(digests.into_iter().rev().take(limit).collect())
    }

    fn messages_in_chat(&self, place: &Place, limit: usize) -> Result<Vec<String>> {
        let state = self.state();
        let same_chat = |at: &Place| (at.platform(), at.chat()) == (place.platform(), place.chat());
        let here = state.messages.iter().filter(|(at, _, _)| same_chat(at));
        let numbers: BTreeSet<_> = here
            .filter_map(|(_, id, _)| Some((super::message_number(id)?, id)))
            .collect();
        let largest = numbers.into_iter().rev().take(limit);
        Ok(largest.map(|(_, id)| id.clone()).collect())
    }

    fn sends(&self, platform: Platform, since: DateTime<Utc>) -> Result<Vec<(String, DateTime<Utc>)>> {
        let state = self.state();
        let wanted = state.sends.iter().filter(|(on, at, _)| *on == platform && *at >= since);
        let mut found: Vec<_> = wanted.map(|(_, at, chat)| (chat.clone(), *at)).collect();
        found.sort_by(|(a, x), (b, y)| (x, a).cmp(&(y, b)));
        Ok(found)
    }

    fn limiter_memory(&self, platform: Platform) -> Result<Option<String>> {
        Ok(self.state().limiters.get(&platform).cloned())
    }

    fn memo(&self, space: MemoSpace, key: &str) -> Result<Option<String>> {
        Ok(self.state().memos.get(&(space, key.to_owned())).cloned())
    }

    fn memos(&self, space: MemoSpace, after: Option<&str>, limit: usize) -> Result<Vec<(String, String)>> {
        let state = self.state();
        let of_space = state.memos.iter().filter(|((of, _), _)| *of == space);
        let behind = of_space.filter(|((_, key), _)| after.is_none_or(|after| key.as_str() > after));
        Ok(behind
            .take(limit)
            .map(|((_, key), value)| (key.clone(), value.clone()))
            .collect())
    }

    fn finished_before(&self, before: DateTime<Utc>, limit: usize) -> Result<Vec<DeliveryId>> {
        let state = self.state();
        let all = state.all_deliveries();
        let ended = all.filter_map(|d| Some((super::ended(d).filter(|at| *at < before)?, &d.id)));
        let sorted: BTreeSet<_> = ended.collect();
        Ok(sorted.into_iter().take(limit).map(|(_, id)| id.clone()).collect())
    }

    fn digest_summary(&self, id: &DigestId) -> Result<Option<DigestSummary>> {
        Ok(self.state().summaries.get(id).cloned())
    }

    fn vote(&self, person: &Person, paper: &PaperId) -> Result<Option<Vote>> {
        let state = self.state();
        let key = (state.real_name(paper).clone(), person.clone());
        Ok(state.votes.get(&key).map(|ballot| ballot.vote))
    }

    fn tally(&self, paper: &PaperId) -> Result<Tally> {
        let state = self.state();
        let real = state.real_name(paper);
        let votes = state.votes.iter().filter(|((of, _), _)| of == real);
        Ok(votes.fold(Tally::default(), |tally, (_, ballot)| tally.with(ballot.vote)))
    }

    fn saved(&self, person: &Person, limit: usize) -> Result<Vec<Saved>> {
        let state = self.state();
        let own = state.saves.iter().filter(|((_, whose), _)| whose == person);
        let mut saved: Vec<Saved> = own
            .map(|((paper, _), at)| Saved {
                paper: paper.clone(),
                at: *at,
            })
            .collect();
        saved.sort_by_key(|saved| Reverse(saved.at));
        saved.truncate(limit);
        Ok(saved)
    }

    fn saved_at(&self, person: &Person, paper: &PaperId) -> Result<Option<DateTime<Utc>>> {
        let state = self.state();
        let key = (state.real_name(paper).clone(), person.clone());
        Ok(state.saves.get(&key).copied())
    }

    fn outdated(&self, now: DateTime<Utc>, limit: usize) -> Result<Vec<DigestId>> {
        let state = self.state();
        let due = state.outdated.iter().filter(|(_, due)| **due <= now);
        let mut due: Vec<_> = due.map(|(digest, due)| (*due, *digest)).collect();
        due.sort_unstable();
        Ok(due.into_iter().take(limit).map(|(_, digest)| digest).collect())
    }

    fn next_outdated(&self) -> Result<Option<DateTime<Utc>>> {
        Ok(self.state().outdated.values().min().copied())
    }

    fn commit(&self, writes: Vec<Write>) -> Result<()> {
        let mut state = self.state();
        let mut archived = BTreeSet::new();
        for write in writes {
            if let Write::Archive(id) = &write {
                archived.insert(id.digest);
            }
            state.apply(write);
        }
        state.forget_renderings(&archived);
        Ok(())
    }

    fn sync(&self) -> Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_model_keeps_every_promise() {
        super::super::exercise::exercise(&mut || Box::new(ModelStore::new()));
    }
}
