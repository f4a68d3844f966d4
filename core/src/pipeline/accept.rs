//! Taking a file in: every paper is known once afterwards, whatever it was known as before.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::correct::{self, Revision};
use super::held;
use super::judging;
use super::readable;
use crate::channel::Seq;
use crate::join;
use crate::message::Render;
use crate::paper::{Paper, PaperId};
use crate::source::daybook::{self, Event};
use crate::source::scope::Scope;
use crate::source::{Announcement, Item, Parsed, RejectedItem, SourceKind, Window};
use crate::store::{ContentRecord, IntakeRecord, MatchRecord, Result, Store, WindowRecord, Write};
use crate::text;
use crate::topic::{Matcher, Score, Topic, TopicId, Verdict};

/// Of so many times that the same content came it is kept when: a list that never changes comes every hour.
const REPEATS: usize = 100;

/// How far back a changed topic is matched anew, in intake positions: more than a fortnight of a large mailing.
pub const REFRESH: Seq = 10_000;

/// What one file brought. The counts are disjoint: each of its items is in exactly one of them (`papers_new` to
/// `replacements`).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accepted {
    /// Papers first known through this file, announced as new or cross-listed.
    pub papers_new: u32,
    /// Items whose paper was known and lost nothing, won nothing.
    pub papers_known: u32,
    /// Items that made a known paper better.
    pub papers_updated: u32,
    /// Items that could not be read.
    pub papers_rejected: u32,
    /// Announcements of a new version, of a known paper or not.
    pub replacements: u32,
    /// Posted digests that are corrected, since this file repairs, replaces or withdraws papers in them.
    #[serde(default)]
    pub corrections: u32,
    /// Windows that were not in the ledger before.
    pub windows: u32,
    /// 1 when exactly this content had been taken in before; then everything else is 0.
    pub duplicates: u32,
    /// When the same content came first, and under which name.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub first_taken: Option<(DateTime<Utc>, String)>,
    /// The items that could not be read.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub rejected: Vec<RejectedItem>,
    /// Papers that had a place in the order of intake and are otherwise now, under their old names and their new ones:
    /// what is derived from papers takes these anew, beside those behind the last position that it knows.
    #[serde(skip)]
    pub changed: Vec<PaperId>,
}

impl Accepted {
    /// Adds another file's counts, for a sum over several files.
    pub fn add(&mut self, other: &Self) {
        self.papers_new += other.papers_new;
        self.papers_known += other.papers_known;
        self.papers_updated += other.papers_updated;
        self.papers_rejected += other.papers_rejected;
        self.replacements += other.replacements;
        self.corrections += other.corrections;
        self.windows += other.windows;
        self.duplicates += other.duplicates;
        self.rejected.extend(other.rejected.iter().cloned());
        self.changed.extend(other.changed.iter().cloned());
    }
}

/// Takes in a parsed file. `name` is for people, `bytes` are the file's, for telling whether it came before. Posted digests
/// that show a paper otherwise than it is now get a correction.
///
/// # Errors
/// Only when the store fails; nothing is changed then.
pub fn accept(
    store: &dyn Store,
    topics: &[Topic],
    render: &dyn Render,
    name: &str,
    bytes: &[u8],
    parsed: Parsed,
    now: DateTime<Utc>,
) -> Result<Accepted> {
    let hash = text::content_hash(bytes);
    if let Some(known) = store.content(&hash)? {
        return repeat(store, known, name, &parsed, now);
    }
    let mut intake = Intake::new(store, topics, parsed.window, now)?;
    let mut report = Accepted {
        papers_rejected: count(parsed.rejected.len()),
        rejected: parsed.rejected,
        ..Accepted::default()
    };
    let items = count(parsed.items.len());
    for item in parsed.items {
        match intake.item(item)? {
            Outcome::New => report.papers_new += 1,
            Outcome::Known => report.papers_known += 1,
            Outcome::Updated => report.papers_updated += 1,
            Outcome::Replacement => report.replacements += 1,
        }
    }
    let since = intake.since;
    let upto = intake.seq;
    report.changed = intake.changed_before();
    let (mut writes, revisions) = intake.finish()?;
    // What could not be read shows in no digest: the breaker is told.
    let (lost, of) = (report.papers_rejected, report.papers_rejected.saturating_add(items));
    writes.extend(held::note_lost(name, &hash, lost, of, upto, now));
    let corrected = correct::correct(store, render, &revisions, now)?;
    report.corrections = corrected.digests;
    writes.extend(corrected.writes);
    if let Some(window) = parsed.window {
        let record = match store.window(&window)? {
            Some(known) => {
                let wider = known.asked.as_ref().zip(parsed.asked.as_ref());
                // Of other categories what is new was in no answer before.
                let items = match wider.is_some_and(|(before, now)| !before.includes(now)) {
                    true => items.max(known.items.saturating_add(report.papers_new)),
                    false => items,
                };
                repeated(again(known, parsed.asked.as_ref(), now), since, upto, items)
            }
            None => {
                report.windows = 1;
                let replacements = report.replacements;
                WindowRecord {
                    window,
                    taken_at: now,
                    repeats: 0,
                    since,
                    upto,
                    items,
                    replacements,
                    again_at: None,
                    asked: parsed.asked,
                    new: None,
                }
            }
        };
        writes.push(Write::Window(record));
    } else {
        writes.extend(of_day(store, parsed.source, name, items, report.papers_new, now)?);
    }
    writes.push(Write::Content(ContentRecord {
        hash,
        name: name.to_owned(),
        source: parsed.source,
        taken_at: now,
        repeats: Vec::new(),
    }));
    store.commit(writes)?;
    Ok(report)
}

/// The day of an intake that has no window.
fn of_day(
    store: &dyn Store,
    source: SourceKind,
    name: &str,
    items: u32,
    new: u32,
    now: DateTime<Utc>,
) -> Result<Option<Write>> {
    if !source.brings_papers() {
        return Ok(None);
    }
    let came = Event::Came { items, new };
    daybook::note(store, daybook::source_of(source, name), &[came], now).map(Some)
}

/// The ledger's record of a window that came again, in other bytes: usually it brings nothing, but the first file can
/// have been cut short.
fn repeated(known: WindowRecord, since: Seq, upto: Seq, items: u32) -> WindowRecord {
    let items = items.max(known.items);
    if upto == since {
        return WindowRecord { items, ..known };
    }
    WindowRecord {
        items,
        new: Some(known.new_papers() + (upto - since)),
        since: if known.upto > known.since { known.since } else { since },
        upto,
        ..known
    }
}

/// The ledger's record of a window that came again, whatever it brought: it was asked for those categories, too. With others
/// than before it is no repeat, as with two sources that share arXiv's categories between them.
fn again(known: WindowRecord, asked: Option<&Scope>, now: DateTime<Utc>) -> WindowRecord {
    let more = matches!((&known.asked, asked), (Some(before), Some(now)) if !before.includes(now));
    WindowRecord {
        repeats: known.repeats + u32::from(!more),
        again_at: Some(known.last_at().max(now)),
        asked: known.asked.as_ref().zip(asked).map(|(before, now)| before.with(now)),
        ..known
    }
}

/// The same content again changes nothing but the ledger, which remembers that it came.
fn repeat(
    store: &dyn Store,
    known: ContentRecord,
    name: &str,
    parsed: &Parsed,
    now: DateTime<Utc>,
) -> Result<Accepted> {
    let first_taken = Some((known.taken_at, known.name.clone()));
    let mut content = known;
    content.repeats.push(now);
    let old = content.repeats.len().saturating_sub(REPEATS);
    content.repeats.drain(..old);
    let mut writes = vec![Write::Content(content)];
    if let Some(window) = &parsed.window {
        if let Some(record) = store.window(window)? {
            writes.push(Write::Window(again(record, parsed.asked.as_ref(), now)));
        }
    } else {
        let items = count(parsed.items.len());
        writes.extend(of_day(store, parsed.source, name, items, 0, now)?);
    }
    store.commit(writes)?;
    Ok(Accepted {
        duplicates: 1,
        first_taken,
        ..Accepted::default()
    })
}

enum Outcome {
    New,
    Known,
    Updated,
    Replacement,
}

/// The papers touched by one file, as they will be; the store is behind them.
struct Intake<'a> {
    store: &'a dyn Store,
    topics: &'a [Topic],
    matcher: Matcher,
    window: Option<Window>,
    now: DateTime<Utc>,
    since: Seq,
    seq: Seq,
    papers: HashMap<PaperId, Paper>,
    changed: Vec<PaperId>,
    positions: HashMap<PaperId, IntakeRecord>,
    fresh: Vec<PaperId>,
    aliases: HashMap<PaperId, PaperId>,
    /// The papers touched by this file under what work they are ([`join::works`]).
    works: HashMap<u64, Vec<PaperId>>,
    /// Papers that turned out to be another one, as they were, and which.
    absorbed: Vec<(Paper, PaperId)>,
    /// How the papers that were known are announced here, and what they were before.
    revised: HashMap<PaperId, (Paper, Announcement)>,
}

impl<'a> Intake<'a> {
    fn new(store: &'a dyn Store, topics: &'a [Topic], window: Option<Window>, now: DateTime<Utc>) -> Result<Self> {
        let head = store.head()?;
        Ok(Self {
            store,
            topics,
            matcher: Matcher::new(topics),
            window,
            now,
            since: head,
            seq: head,
            papers: HashMap::new(),
            changed: Vec::new(),
            positions: HashMap::new(),
            fresh: Vec::new(),
            aliases: HashMap::new(),
            works: HashMap::new(),
            absorbed: Vec::new(),
            revised: HashMap::new(),
        })
    }

    fn item(&mut self, item: Item) -> Result<Outcome> {
        let Item {
            mut paper,
            announcement,
        } = item;
        paper.works = join::works(&paper);
        let name = paper.id.clone();
        let known = self.known(&paper)?;
        let outcome = match known {
            None => {
                self.put(paper, announcement)?;
                Outcome::New
            }
            Some(mut before) => {
                if before.works.is_empty() {
                    before.works = join::works(&before);
                }
                let mut merged = before.clone();
                let changed = merged.merge(paper);
                let id = merged.id.clone();
                if id != before.id {
                    self.rename(&before.id, &id)?;
                } else if name != id && !name.is_provisional() && self.real_name(&name)? != id {
                    self.aliases.insert(name, id.clone());
                }
                let learned = merged.works != before.works;
                if changed {
                    self.note(before, &id, announcement);
                }
                let placed = self.position(&id, announcement)?;
                if changed || placed {
                    self.put(merged, announcement)?;
                }
                if learned {
                    self.absorb(id)?;
                }
                if changed { Outcome::Updated } else { Outcome::Known }
            }
        };
        Ok(match announcement {
            Announcement::New | Announcement::CrossList => outcome,
            Announcement::Replacement | Announcement::Withdrawal => Outcome::Replacement,
        })
    }

    /// What a name has become, here or before.
    fn real_name(&self, name: &PaperId) -> Result<PaperId> {
        let here = self.real_here(name);
        if self.papers.contains_key(here) {
            return Ok(here.clone());
        }
        let stored = readable(self.store.paper(here))?;
        Ok(stored.map_or_else(|| here.clone(), |paper| self.real_here(&paper.id).clone()))
    }

    fn real_here<'n>(&'n self, name: &'n PaperId) -> &'n PaperId {
        let mut real = name;
        // A name only ever gives way to a better one, so that this ends.
        while let Some(next) = self.aliases.get(real) {
            real = next;
        }
        real
    }

    /// A paper as this file has left it so far.
    fn paper(&self, name: &PaperId) -> Result<Option<Paper>> {
        let here = self.real_here(name);
        if let Some(paper) = self.papers.get(here) {
            return Ok(Some(paper.clone()));
        }
        // A record that cannot be read is healed by writing the paper anew.
        Ok(readable(self.store.paper(here))?.map(|paper| {
            // A paper that was renamed in this file is known under its new name.
            self.papers.get(self.real_here(&paper.id)).cloned().unwrap_or(paper)
        }))
    }

    /// The same work as it is known so far: by its id, else by its DOI, or its title and first author, else, where one of
    /// the two has no real id, by its likeness.
    fn known(&self, paper: &Paper) -> Result<Option<Paper>> {
        if let Some(paper) = self.paper(&paper.id)? {
            return Ok(Some(paper));
        }
        let mut same = self.same_work(paper)?;
        if !same.is_empty() {
            return Ok(Some(same.swap_remove(0)));
        }
        let provisional = paper.id.is_provisional();
        let mut candidates = Vec::new();
        for id in self.store.similar(&join::sketch(paper))? {
            // What this file has given its real name is known under that name, and no stand-in any more.
            let id = self.real_here(&id);
            if provisional || id.is_provisional() {
                candidates.extend(self.paper(id)?);
            }
        }
        Ok(join::best(paper, &candidates).and_then(|i| candidates.into_iter().nth(i)))
    }

    /// The papers under other names that are the same work, the best name first. Two papers with arXiv ids never are; and
    /// what could be either of two such papers is neither.
    fn same_work(&self, paper: &Paper) -> Result<Vec<Paper>> {
        let works = join::works(paper);
        if works.is_empty() {
            return Ok(Vec::new());
        }
        let here = works.iter().filter_map(|work| self.works.get(work)).flatten().cloned();
        let mut names: Vec<PaperId> = here.chain(self.store.similar(&works)?).collect();
        names.sort_unstable();
        names.dedup();
        let is_arxiv = |id: &PaperId| matches!(id, PaperId::Arxiv(_));
        let mut found: Vec<Paper> = Vec::new();
        for name in names {
            let name = self.real_here(&name);
            if *name == paper.id || is_arxiv(name) && is_arxiv(&paper.id) {
                continue;
            }
            let Some(other) = self.paper(name)? else { continue };
            let known = other.id == paper.id || found.iter().any(|one| one.id == other.id);
            let shares = join::works(&other).iter().any(|work| works.contains(work));
            if shares && !known && !(is_arxiv(&other.id) && is_arxiv(&paper.id)) {
                found.push(other);
            }
        }
        if found.iter().filter(|one| is_arxiv(&one.id)).count() > 1 {
            found.retain(|one| !is_arxiv(&one.id));
        }
        found.sort_by(|a, b| match a.id.is_better_than(&b.id) {
            true => std::cmp::Ordering::Less,
            false => std::cmp::Ordering::Greater,
        });
        Ok(found)
    }

    /// A paper that is known to be more than before can be the same work as others that had nothing to do with it.
    fn absorb(&mut self, mut id: PaperId) -> Result<()> {
        loop {
            let Some(mut paper) = self.paper(&id)? else {
                return Ok(());
            };
            let Some(other) = self.same_work(&paper)?.into_iter().next() else {
                return Ok(());
            };
            let before = paper.clone();
            paper.merge(other.clone());
            let (lost, kept) = if paper.id == before.id {
                (&other, &before)
            } else {
                (&before, &other)
            };
            let (lost, kept) = (lost.clone(), kept.clone());
            // What of it stands in a digest is corrected there, too.
            self.note(kept.clone(), &kept.id, Announcement::CrossList);
            let (was, _) = self
                .revised
                .remove(&lost.id)
                .unwrap_or((lost.clone(), Announcement::CrossList));
            self.absorbed.push((was, kept.id.clone()));
            self.position(&kept.id, Announcement::Replacement)?;
            self.rename(&lost.id, &kept.id)?;
            id = kept.id;
            self.put(paper, Announcement::Replacement)?;
        }
    }

    fn put(&mut self, paper: Paper, announcement: Announcement) -> Result<()> {
        let id = paper.id.clone();
        for work in join::works(&paper) {
            let names = self.works.entry(work).or_default();
            if !names.contains(&id) {
                names.push(id.clone());
            }
        }
        if self.papers.insert(id.clone(), paper).is_none() {
            self.changed.push(id.clone());
        }
        self.position(&id, announcement).map(|_| ())
    }

    /// Looks up the paper's place in the order of intake, and gives a candidate one that has none. Returns whether it did.
    fn position(&mut self, id: &PaperId, announcement: Announcement) -> Result<bool> {
        if self.positions.contains_key(id) {
            return Ok(false);
        }
        let head = self.seq;
        let record = match self.store.intake_of(id)? {
            Some(record) if self.is_announced(&record, announcement) => {
                self.fresh.push(id.clone());
                let window = self.window;
                IntakeRecord { window, ..record }
            }
            Some(record) => record,
            None if !announcement.is_candidate() => return Ok(false),
            None => {
                self.seq += 1;
                self.fresh.push(id.clone());
                let (window, taken_at) = (self.window, self.now);
                IntakeRecord {
                    seq: self.seq,
                    paper: id.clone(),
                    announcement,
                    window,
                    taken_at,
                }
            }
        };
        self.positions.insert(id.clone(), record);
        Ok(self.seq > head)
    }

    /// Whether arXiv announces here what something else had brought before: it is of this day then, whichever came first.
    fn is_announced(&self, known: &IntakeRecord, announcement: Announcement) -> bool {
        let announces = |window: Option<Window>| window.is_some_and(|window| window.source.announces());
        announcement.is_candidate() && announces(self.window) && !announces(known.window)
    }

    /// Remembers what a paper was before this file, and the most that the file says of it.
    fn note(&mut self, before: Paper, id: &PaperId, announcement: Announcement) {
        let weight = |announcement| match announcement {
            Announcement::New | Announcement::CrossList => 0,
            Announcement::Replacement => 1,
            Announcement::Withdrawal => 2,
        };
        let earlier = self.revised.remove(&before.id);
        let (before, most) = earlier.unwrap_or((before, announcement));
        let most = if weight(announcement) > weight(most) {
            announcement
        } else {
            most
        };
        self.revised.insert(id.clone(), (before, most));
    }

    fn rename(&mut self, old: &PaperId, new: &PaperId) -> Result<()> {
        self.papers.remove(old);
        self.changed.retain(|id| id != old);
        let position = match self.positions.remove(old) {
            Some(record) => Some(record),
            None => self.store.intake_of(old)?,
        };
        self.aliases.insert(old.clone(), new.clone());
        self.fresh.retain(|id| id != old);
        let Some(record) = position else { return Ok(()) };
        // The place in the order stays the paper's own: it was or will be in a digest under the old name. Of two places the
        // earlier one is; the other stays under the name that is none any more, which nobody takes for a paper.
        let (own, other) = match self.positions.remove(new) {
            Some(theirs) if theirs.seq < record.seq => (theirs, Some(record)),
            Some(theirs) => (record, Some(theirs)),
            None => (record, None),
        };
        let moved = IntakeRecord {
            paper: new.clone(),
            window: own
                .window
                .or(other.as_ref().and_then(|other| other.window))
                .or(self.window),
            ..own
        };
        self.positions.insert(new.clone(), moved);
        if !self.fresh.contains(new) {
            self.fresh.push(new.clone());
        }
        if let Some(other) = other {
            let left = IntakeRecord {
                paper: old.clone(),
                ..other
            };
            self.positions.insert(old.clone(), left);
            self.fresh.push(old.clone());
        }
        Ok(())
    }

    /// What was there before this file and is otherwise now; and every name that has become another one's.
    fn changed_before(&self) -> Vec<PaperId> {
        let placed = |id: &&PaperId| self.positions.get(*id).is_some_and(|record| record.seq <= self.since);
        let known = self.changed.iter().filter(placed);
        known.chain(self.aliases.keys()).cloned().collect()
    }

    fn finish(mut self) -> Result<(Vec<Write>, Vec<Revision>)> {
        let mut writes = Vec::with_capacity(self.changed.len() * 3);
        let aliases = self.aliases.iter();
        writes.extend(aliases.map(|(from, to)| Write::Alias {
            from: from.clone(),
            to: to.clone(),
        }));
        writes.extend(
            self.fresh
                .iter()
                .filter_map(|id| self.positions.get(id))
                .map(|record| Write::Intake(record.clone())),
        );
        // A place that is no paper's any more brings nothing.
        for (lost, kept) in &self.absorbed {
            let record = self.positions.get(&lost.id).filter(|record| record.seq <= self.since);
            let paper = self.papers.get(self.real_here(kept));
            if let (Some(record), Some(paper)) = (record, paper) {
                writes.extend(
                    self.matcher
                        .score(paper)
                        .into_iter()
                        .map(|score| cleared(score.topic, record.seq)),
                );
            }
        }
        for id in &self.changed {
            let Some(paper) = self.papers.get(id) else { continue };
            if let Some(record) = self.positions.get(id) {
                let stale = record.seq <= self.since;
                let scores = judging::scores(self.store, self.topics, &self.matcher, paper)?;
                writes.extend(matches(scores, record.seq, paper, stale));
            }
            writes.push(Write::Paper(Box::new(paper.clone())));
        }
        let absorbed = self.absorbed.iter().filter_map(|(before, kept)| {
            let after = self.papers.get(self.real_here(kept))?.clone();
            // Under another name it had no versions.
            let before = Paper {
                version: after.version,
                ..before.clone()
            };
            Some(Revision {
                before,
                after,
                announced: Announcement::CrossList,
            })
        });
        let mut revisions: Vec<Revision> = absorbed.collect();
        revisions.extend(self.changed.iter().filter_map(|id| {
            let (before, announced) = self.revised.remove(id)?;
            let after = self.papers.remove(id)?;
            Some(Revision {
                before,
                after,
                announced,
            })
        }));
        Ok((writes, revisions))
    }
}

/// No match of the topic at this position.
fn cleared(topic: TopicId, seq: Seq) -> Write {
    Write::ClearMatches {
        topic,
        after: seq.saturating_sub(1),
        upto: seq,
    }
}

/// The matches of one paper with these scores; with `stale`, those that it had before go.
pub(super) fn matches(scores: Vec<Score>, seq: Seq, paper: &Paper, stale: bool) -> Vec<Write> {
    let mut writes = Vec::new();
    for score in scores {
        if stale {
            writes.push(cleared(score.topic.clone(), seq));
        }
        if score.verdict == Verdict::Kept {
            writes.push(Write::Match(Box::new(MatchRecord {
                seq,
                paper: paper.id.clone(),
                score,
            })));
        }
    }
    writes
}

/// Matches the latest papers anew where a topic's profile is another than the one that its stored matches come from; all
/// topics when the list of them has changed, since one that was away has missed what came meanwhile. Returns the topics
/// concerned.
///
/// # Errors
/// Only when the store fails.
pub fn refresh_topics(store: &dyn Store, topics: &[Topic]) -> Result<Vec<TopicId>> {
    // No topic's name: kept beside the topics' fingerprints as the list's own.
    let list = TopicId("*".to_owned());
    let mut names: Vec<&str> = topics.iter().map(|t| t.id.0.as_str()).collect();
    names.sort_unstable();
    let listed = text::hash64(&names);
    let same_list = store.topic_fingerprint(&list)? == Some(listed);
    let mut stale = Vec::new();
    for topic in topics {
        if !same_list || store.topic_fingerprint(&topic.id)? != Some(topic.fingerprint()) {
            stale.push(topic.clone());
        }
    }
    if same_list && stale.is_empty() {
        return Ok(Vec::new());
    }
    let head = store.head()?;
    let after = head.saturating_sub(REFRESH);
    let matcher = Matcher::new(&stale);
    let mut writes: Vec<Write> = stale
        .iter()
        .map(|t| Write::ClearMatches {
            topic: t.id.clone(),
            after,
            upto: head,
        })
        .collect();
    for record in store.intake(after, head, usize::try_from(REFRESH).unwrap_or(usize::MAX))? {
        // A work that was taken for two papers has its place under its own name.
        if let Some(paper) = readable(store.paper(&record.paper))?.filter(|paper| paper.id == record.paper) {
            let scores = judging::scores(store, &stale, &matcher, &paper)?;
            writes.extend(matches(scores, record.seq, &paper, false));
        }
    }
    writes.extend(stale.iter().map(|t| Write::TopicFingerprint {
        topic: t.id.clone(),
        fingerprint: t.fingerprint(),
    }));
    writes.push(Write::TopicFingerprint {
        topic: list,
        fingerprint: listed,
    });
    store.commit(writes)?;
    Ok(stale.into_iter().map(|t| t.id).collect())
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use proptest::prelude::*;

    use super::super::fixture::{
        Counting, Spoiled, arxiv, mailing, news, october, paper, report, reported, take, topic, window,
    };
    use super::*;
    use crate::brief::{Brief, Origin};
    use crate::locale::Lang;
    use crate::paper::Field;
    use crate::source::{self, Announcement::*, SourceKind};
    use crate::store::ModelStore;

    const TITLE: &str = "StrataKV: A KV Cache That Evicts by Layer";
    const ABSTRACT: &str = "Long prompts fill the memory of accelerators. We present StrataKV, which gives every layer \
        a KV cache of the size that its attention needs and evicts by age within it. On six benchmarks it halves \
        the memory and keeps the quality.";

    /// Positions, names and points of all that the topic keeps.
    fn kept(store: &dyn Store) -> Vec<(Seq, PaperId, u32)> {
        let found = store.matches(&topic().id, 0, Seq::MAX).unwrap();
        found.into_iter().map(|m| (m.seq, m.paper, m.score.points)).collect()
    }

    fn order(store: &dyn Store) -> Vec<PaperId> {
        let records = store.intake(0, Seq::MAX, 99).unwrap();
        assert!(records.iter().zip(1..).all(|(record, seq)| record.seq == seq));
        records.into_iter().map(|record| record.paper).collect()
    }

    fn briefed(mut paper: Paper) -> Paper {
        paper.briefs.push(Brief {
            lang: Lang::Zh,
            origin: Origin::Imported,
            text: "某团队发布了StrataKV".to_owned(),
        });
        paper
    }

    #[test]
    fn every_item_is_counted_once_and_replacements_are_no_candidates() {
        let store = ModelStore::new();
        take(
            &store,
            "a",
            news(9, vec![paper(1, TITLE, ABSTRACT), paper(2, "Old", "")]),
            october(9, 20),
        );
        let mut second = mailing(
            10,
            vec![
                (New, paper(3, "Pruning once more", "")),
                (CrossList, paper(4, "On weather", "")),
                (CrossList, paper(3, "Pruning once more", "")),
                (New, paper(1, TITLE, ABSTRACT)),
                (New, paper(2, "Older and longer", "")),
                (Replacement, paper(5, "Pruning, revised", "")),
                (Replacement, paper(1, TITLE, ABSTRACT)),
            ],
        );
        second.rejected.push(RejectedItem {
            line: 7,
            item: "2510.00009".to_owned(),
            reason: "it has no title".to_owned(),
        });
        let taken = take(&store, "b", second, october(10, 20));
        let counts = (
            taken.papers_new,
            taken.papers_known,
            taken.papers_updated,
            taken.replacements,
        );
        assert_eq!(counts, (2, 2, 1, 2));
        assert_eq!(taken.changed, [arxiv(2)]);
        assert_eq!((taken.papers_rejected, taken.rejected.len(), taken.windows), (1, 1, 1));
        assert_eq!(order(&store), [arxiv(1), arxiv(2), arxiv(3), arxiv(4)]);
        assert_eq!(kept(&store), [(1, arxiv(1), 15), (3, arxiv(3), 9)]);
        assert!(store.paper(&arxiv(5)).unwrap().is_some());
        let record = store.window(&window(10)).unwrap().unwrap();
        assert_eq!(
            (record.since, record.upto, record.items, record.replacements),
            (2, 4, 7, 2)
        );
    }

    #[test]
    fn a_paper_that_gets_its_real_name_is_changed_under_both() {
        let store = ModelStore::new();
        let stand_in = reported(TITLE, ABSTRACT);
        let old = stand_in.id.clone();
        take(&store, "report", report(vec![stand_in]), october(9, 20));
        let taken = take(&store, "mail", news(9, vec![paper(1, TITLE, ABSTRACT)]), october(9, 21));
        assert_eq!(taken.changed, [arxiv(1), old]);
    }

    #[test]
    fn the_same_content_again_changes_only_the_ledger() {
        let store = ModelStore::new();
        take(&store, "a", news(9, vec![paper(1, TITLE, ABSTRACT)]), october(9, 20));
        // Even if it were read otherwise by now.
        let again = take(&store, "a", news(9, vec![paper(2, TITLE, ABSTRACT)]), october(10, 20));
        let first = (october(9, 20), "a".to_owned());
        let nothing = Accepted {
            duplicates: 1,
            first_taken: Some(first),
            ..Accepted::default()
        };
        assert_eq!(again, nothing);
        assert_eq!((order(&store), store.paper(&arxiv(2))), (vec![arxiv(1)], Ok(None)));
        assert_eq!(store.window(&window(9)).unwrap().unwrap().repeats, 1);
        let content = store.content(&text::content_hash(b"a")).unwrap().unwrap();
        assert_eq!(
            (content.taken_at, content.repeats),
            (october(9, 20), vec![october(10, 20)])
        );
    }

    #[test]
    fn the_same_mailing_with_other_line_ends_brings_nothing_new() {
        let mail = format!(
            "received from  Wed  8 Oct 25 18:00:00 GMT  to  Thu  9 Oct 25 18:00:00 GMT\n\n\
             {rule}\n\\\\\narXiv:2510.00001\nDate: Wed, 8 Oct 2025 20:00:00 GMT   (10kb)\n\n\
             Title: {TITLE}\nAuthors: Ada Lund, Bo Chen\nCategories: cs.LG\n\\\\\n  {ABSTRACT}\n\
             \\\\ ( https://arxiv.org/abs/2510.00001 ,  10kb)\n{rule}\n",
            rule = "-".repeat(78)
        );
        let store = ModelStore::new();
        let take_in = |text: &str| {
            let parsed = source::parse(text.as_bytes()).unwrap();
            accept(
                &store,
                &[topic()],
                &Counting::default(),
                "mail",
                text.as_bytes(),
                parsed,
                october(9, 20),
            )
            .unwrap()
        };
        let first = take_in(&mail);
        assert_eq!((first.papers_new, first.windows), (1, 1));
        let before = (kept(&store), store.paper(&arxiv(1)));
        let again = take_in(&mail.replace('\n', "\r\n"));
        assert_eq!((again.papers_known, again.papers_new, again.papers_updated), (1, 0, 0));
        assert_eq!((again.windows, again.duplicates), (0, 0));
        assert_eq!((kept(&store), store.paper(&arxiv(1))), before);
        assert_eq!(store.window(&window(9)).unwrap().unwrap().repeats, 1);
    }

    #[test]
    fn a_window_that_comes_again_with_more_grows() {
        let store = ModelStore::new();
        take(
            &store,
            "cut short",
            news(9, vec![paper(1, TITLE, ABSTRACT)]),
            october(9, 20),
        );
        take(
            &store,
            "between",
            news(10, vec![paper(2, "Pruning", "")]),
            october(10, 20),
        );
        let whole = news(9, vec![paper(1, TITLE, ABSTRACT), paper(3, "Pruning", "")]);
        let taken = take(&store, "whole", whole, october(11, 20));
        assert_eq!((taken.papers_new, taken.papers_known, taken.windows), (1, 1, 0));
        let record = store.window(&window(9)).unwrap().unwrap();
        assert_eq!((record.since, record.upto, record.items, record.repeats), (0, 3, 2, 1));
        assert_eq!(record.taken_at, october(9, 20));
    }

    #[test]
    fn report_and_mailing_give_the_same_papers_in_either_order() {
        // As a PDF gives it: shouted, and without its hyphens.
        let entry = || {
            briefed(reported(
                &TITLE.to_uppercase(),
                &ABSTRACT.replace("We present", "Wepresent"),
            ))
        };
        let listed = || news(9, vec![paper(7, "On weather", ""), paper(1, TITLE, ABSTRACT)]);
        let (one, two) = (ModelStore::new(), ModelStore::new());
        take(&one, "mail", listed(), october(9, 20));
        let joined = take(&one, "report", report(vec![entry()]), october(9, 21));
        assert_eq!((joined.papers_new, joined.papers_updated), (0, 1));

        take(&two, "report", report(vec![entry()]), october(9, 20));
        let provisional = entry().id;
        assert_eq!(kept(&two), [(1, provisional.clone(), 15)]);
        let joined = take(&two, "mail", listed(), october(9, 21));
        assert_eq!((joined.papers_new, joined.papers_updated), (1, 1));

        assert_eq!(one.paper(&arxiv(1)), two.paper(&arxiv(1)));
        assert_eq!(two.paper(&provisional), two.paper(&arxiv(1)));
        assert_eq!(kept(&one), [(2, arxiv(1), 15)]);
        // The place in the order stays, under the paper's own name.
        assert_eq!(kept(&two), [(1, arxiv(1), 15)]);
        assert_eq!(order(&two), [arxiv(1), arxiv(7)]);
        let known = take(&two, "another report", report(vec![entry()]), october(10, 20));
        assert_eq!((known.papers_known, two.head()), (1, Ok(2)));
    }

    #[test]
    fn two_papers_like_one_report_entry_do_not_share_its_place() {
        let store = ModelStore::new();
        take(
            &store,
            "report",
            report(vec![reported(TITLE, ABSTRACT)]),
            october(9, 20),
        );
        let twins = vec![paper(1, TITLE, ABSTRACT), paper(2, TITLE, ABSTRACT)];
        let taken = take(&store, "mail", news(9, twins), october(9, 21));
        assert_eq!((taken.papers_updated, taken.papers_new), (1, 1));
        assert_eq!(order(&store), [arxiv(1), arxiv(2)]);
        assert_eq!(kept(&store), [(1, arxiv(1), 15), (2, arxiv(2), 15)]);
    }

    #[test]
    fn a_paper_first_known_as_a_replacement_becomes_a_candidate_when_it_is_listed() {
        let store = ModelStore::new();
        take(
            &store,
            "a",
            mailing(9, vec![(Replacement, paper(1, TITLE, ABSTRACT))]),
            october(9, 20),
        );
        assert_eq!((order(&store), kept(&store)), (vec![], vec![]));
        let listed = take(
            &store,
            "b",
            mailing(10, vec![(CrossList, paper(1, TITLE, ABSTRACT))]),
            october(10, 20),
        );
        assert_eq!((listed.papers_new, listed.papers_known), (0, 1));
        assert_eq!((order(&store), kept(&store)), (vec![arxiv(1)], vec![(1, arxiv(1), 15)]));
    }

    #[test]
    fn matches_follow_the_paper_as_it_is_now() {
        let store = ModelStore::new();
        let old = |id, title: &str| {
            let mut paper = paper(id, title, "");
            paper.title = paper
                .title
                .map(|f| crate::paper::Field::as_of(f.value, f.source, Some(october(1, 0))));
            paper
        };
        take(
            &store,
            "a",
            news(9, vec![old(1, "On pruning"), old(2, "On pruning")]),
            october(9, 20),
        );
        assert_eq!(kept(&store), [(1, arxiv(1), 9), (2, arxiv(2), 9)]);
        let newer = |id, title: &str| {
            let mut paper = old(id, title);
            paper.title = paper
                .title
                .map(|f| crate::paper::Field::as_of(f.value, f.source, Some(october(2, 0))));
            paper
        };
        let second = mailing(
            10,
            vec![
                (New, newer(1, "On the KV cache")),
                (Replacement, newer(2, "On weather")),
            ],
        );
        take(&store, "b", second, october(10, 20));
        assert_eq!(kept(&store), [(1, arxiv(1), 15)]);
    }

    #[test]
    fn a_changed_profile_and_a_changed_list_of_topics_match_the_latest_papers_anew() {
        let store = ModelStore::new();
        let other = || Topic {
            id: TopicId("other".to_owned()),
            ..topic()
        };
        assert_eq!(refresh_topics(&store, &[topic()]), Ok(vec![topic().id]));
        assert_eq!(refresh_topics(&store, &[topic()]), Ok(vec![]));
        take(
            &store,
            "a",
            news(9, vec![paper(1, "On pruning", ""), paper(2, "GPUs", "")]),
            october(9, 20),
        );
        let lenient = || Topic {
            threshold: 1,
            ..topic()
        };
        assert_eq!(
            refresh_topics(&store, &[lenient(), other()]),
            Ok(vec![topic().id, other().id])
        );
        assert_eq!(kept(&store), [(1, arxiv(1), 9), (2, arxiv(2), 3)]);
        // Away for one mailing, and back.
        refresh_topics(&store, &[other()]).unwrap();
        accept(
            &store,
            &[other()],
            &Counting::default(),
            "b",
            b"b",
            news(10, vec![paper(3, "Pruning", "")]),
            october(10, 20),
        )
        .unwrap();
        refresh_topics(&store, &[lenient(), other()]).unwrap();
        assert_eq!(kept(&store), [(1, arxiv(1), 9), (2, arxiv(2), 3), (3, arxiv(3), 9)]);
        assert_eq!(refresh_topics(&store, &[other(), lenient()]), Ok(vec![]));
    }

    #[test]
    fn a_damaged_paper_is_written_anew_and_stops_no_file() {
        let whole = ModelStore::new();
        take(
            &whole,
            "a",
            news(9, vec![paper(1, TITLE, ABSTRACT), paper(2, "Pruning", "")]),
            october(9, 20),
        );
        let spoiled = Spoiled {
            whole: &whole,
            papers: vec![arxiv(1)],
            parts: Vec::new(),
        };
        let lenient = Topic {
            threshold: 1,
            ..topic()
        };
        refresh_topics(&spoiled, &[lenient]).unwrap();
        assert_eq!(kept(&whole), [(2, arxiv(2), 9)]);
        take(
            &spoiled,
            "b",
            news(10, vec![paper(1, "KV cache, whole again", "")]),
            october(10, 20),
        );
        assert_eq!(
            whole.paper(&arxiv(1)).unwrap().unwrap().title(),
            "KV cache, whole again"
        );
        assert_eq!(kept(&whole), [(1, arxiv(1), 15), (2, arxiv(2), 9)]);
        assert_eq!(whole.head(), Ok(2));
    }

    // ---- one work under several names ----

    const LONG: &str = "A Small KV Cache for Models That Read Long Documents";

    fn account(source: SourceKind, id: &str, title: &str, author: &str) -> Paper {
        let mut paper = Paper::new(id.parse().unwrap());
        paper.title = (!title.is_empty()).then(|| Field::new(title.to_owned(), source));
        paper.authors = (!author.is_empty()).then(|| Field::new(vec![author.to_owned(), "Bo Chen".to_owned()], source));
        paper
    }

    fn from(source: SourceKind, announcement: Announcement, paper: Paper) -> Parsed {
        Parsed {
            source,
            window: None,
            asked: None,
            items: vec![Item { paper, announcement }],
            rejected: Vec::new(),
        }
    }

    fn with_doi(mut paper: Paper, doi: &str) -> Paper {
        let source = paper.title.as_ref().map_or(SourceKind::ArxivApi, |title| title.source);
        paper.doi = Some(Field::new(doi.to_owned(), source));
        paper
    }

    /// What each source says of the same three works, in its own words and under its own name.
    fn accounts() -> Vec<Parsed> {
        use SourceKind::{ArxivApi, ArxivMail, ArxivOai, Feed, HuggingFace, Jsonl};
        let voted = |votes: u32, at| {
            let mut paper = account(HuggingFace, "2510.00001", LONG, "Ada Lund");
            paper.upvotes = Some(Field::as_of(votes, HuggingFace, Some(october(9, at))));
            paper
        };
        let mut second = with_doi(
            account(
                ArxivApi,
                "2510.00001v2",
                "A Small KV Cache, Revisited and Renamed",
                "Ada Lund",
            ),
            "10.1145/1.2",
        );
        second.version = 2;
        second.title = second
            .title
            .map(|title| Field::as_of(title.value, ArxivApi, Some(october(12, 8))));
        vec![
            from(ArxivMail, New, account(ArxivMail, "2510.00001", LONG, "Ada Lund")),
            from(ArxivApi, Replacement, second),
            from(
                ArxivOai,
                CrossList,
                account(ArxivOai, "2510.00002", "Another Work on Pruning GPUs", "Ada Lund"),
            ),
            // The publisher's title is another one: only the DOI says which it is.
            from(
                Feed,
                New,
                account(Feed, "10.1145/1.2", "Small KV caches [published version]", "A. Lund"),
            ),
            from(HuggingFace, New, voted(7, 8)),
            from(HuggingFace, New, voted(23, 20)),
            from(
                Jsonl,
                New,
                account(Jsonl, "https://lab.example/cache", &LONG.to_uppercase(), "Lund, Ada"),
            ),
            from(
                Jsonl,
                New,
                with_doi(
                    account(
                        Jsonl,
                        "https://lab.example/third",
                        "A Third Work, on Weather and Other Things",
                        "Cy Vance",
                    ),
                    "10.9999/3",
                ),
            ),
            from(Feed, New, account(Feed, "10.9999/3", "Third", "")),
            source::affiliation::account(
                &arxiv(1),
                source::affiliation::Kind::OpenAlex,
                vec!["Tsinghua University".to_owned()],
            ),
        ]
    }

    fn name(id: &str) -> PaperId {
        id.parse().unwrap()
    }

    /// The places that are papers' own.
    fn placed(store: &dyn Store) -> Vec<PaperId> {
        let records = store.intake(0, Seq::MAX, 99).unwrap();
        let own = records
            .into_iter()
            .filter(|record| store.paper(&record.paper).unwrap().unwrap().id == record.paper);
        let mut own: Vec<PaperId> = own.map(|record| record.paper).collect();
        own.sort();
        own
    }

    #[test]
    fn all_accounts_of_a_work_are_one_paper_under_all_of_its_names() {
        let store = ModelStore::new();
        for (at, parsed) in accounts().into_iter().enumerate() {
            take(&store, &at.to_string(), parsed, october(9, 20));
        }
        for id in ["2510.00001", "10.1145/1.2", "https://lab.example/cache"] {
            let paper = store.paper(&name(id)).unwrap().unwrap();
            assert_eq!((paper.id, paper.version), (arxiv(1), 2), "{id}");
            assert_eq!(paper.upvotes.unwrap().value, 23);
            assert_eq!(paper.institutions.unwrap().value, ["Tsinghua University"]);
        }
        assert_eq!(
            store.paper(&name("https://lab.example/third")).unwrap().unwrap().id,
            name("10.9999/3")
        );
        assert_eq!(placed(&store), [arxiv(1), arxiv(2), name("10.9999/3")]);
    }

    #[test]
    fn works_that_only_look_alike_stay_apart() {
        use SourceKind::{ArxivMail, Feed, Jsonl};
        let pairs = [
            // The same title by the same author, handed in twice.
            (
                account(ArxivMail, "2510.00001", LONG, "Ada Lund"),
                account(ArxivMail, "2510.00002", LONG, "Ada Lund"),
            ),
            (
                account(ArxivMail, "2510.00001", LONG, "Ada Lund"),
                account(Feed, "10.1145/1", LONG, "Bo Chen"),
            ),
            (
                account(ArxivMail, "2510.00001", LONG, "Ada Lund"),
                account(Feed, "10.1145/1", LONG, ""),
            ),
            (
                account(
                    ArxivMail,
                    "2510.00001",
                    "Efficient Inference, a Survey: Part I",
                    "Ada Lund",
                ),
                account(Feed, "10.1145/1", "Efficient Inference, a Survey: Part II", "Ada Lund"),
            ),
            (
                account(Feed, "10.1145/1", "Introduction", "Ada Lund"),
                account(Feed, "10.1145/2", "Introduction", "Ada Lund"),
            ),
            (
                account(ArxivMail, "2510.00001", "Editorial: the Year in Caching", "Ada Lund"),
                account(Jsonl, "https://a.b/c", "Editorial: the Year in Caching", "Ada Lund"),
            ),
            (
                with_doi(account(ArxivMail, "2510.00001", "One", "Ada Lund"), "10.1145/1"),
                account(Feed, "10.1145/12", "One", "Ada Lund"),
            ),
        ];
        for (at, (one, other)) in pairs.into_iter().enumerate() {
            let store = ModelStore::new();
            let names = [one.id.clone(), other.id.clone()];
            take(&store, "one", from(Feed, New, one), october(9, 20));
            take(&store, "other", from(Feed, New, other), october(9, 21));
            assert_eq!(
                names.clone().map(|name| store.paper(&name).unwrap().unwrap().id),
                names,
                "pair {at}"
            );
        }
        // What could be either of two is neither.
        let store = ModelStore::new();
        for id in ["2510.00001", "2510.00002", "https://a.b/c"] {
            take(
                &store,
                id,
                from(Jsonl, New, account(Jsonl, id, LONG, "Ada Lund")),
                october(9, 20),
            );
        }
        assert_eq!(placed(&store).len(), 3);
    }

    #[test]
    fn a_paper_that_was_taken_for_two_has_the_earlier_place_and_one_match() {
        use SourceKind::{ArxivApi, ArxivMail, Feed};
        let store = ModelStore::new();
        take(
            &store,
            "feed",
            from(
                Feed,
                New,
                account(Feed, "10.1145/1.2", "KV cache, published", "A. Lund"),
            ),
            october(8, 20),
        );
        take(
            &store,
            "mail",
            Parsed {
                window: news(9, Vec::new()).window,
                ..from(ArxivMail, New, account(ArxivMail, "2510.00001", LONG, "Ada Lund"))
            },
            october(9, 20),
        );
        assert_eq!(kept(&store).len(), 2);
        let known = with_doi(account(ArxivApi, "2510.00001", LONG, "Ada Lund"), "10.1145/1.2");
        let taken = take(&store, "api", from(ArxivApi, New, known), october(10, 20));
        assert_eq!(taken.papers_updated, 1);
        assert_eq!(kept(&store), [(1, arxiv(1), 15)]);
        assert_eq!(store.intake_of(&name("10.1145/1.2")).unwrap().unwrap().seq, 1);
        assert_eq!((placed(&store), store.head()), (vec![arxiv(1)], Ok(2)));
        // Nor do those who look at a stretch of papers see it under the name that it lost.
        let (_, scored) = super::super::draft_of_window(&store, &topic(), None).unwrap().unwrap();
        assert_eq!(scored.len(), 1);
        let rule = "kv cache".parse().unwrap();
        let trial = crate::rule::trial::trial(&store, &rule, &[topic()], october(11, 9)).unwrap();
        assert_eq!((trial.papers, trial.matched), (1, 1));
        // The topics anew bring it once, too.
        refresh_topics(
            &store,
            &[Topic {
                threshold: 1,
                ..topic()
            }],
        )
        .unwrap();
        assert_eq!(kept(&store), [(1, arxiv(1), 15)]);
    }

    fn of_feed(papers: Vec<Paper>) -> Parsed {
        Parsed {
            source: SourceKind::Feed,
            window: None,
            ..news(1, papers)
        }
    }

    #[test]
    fn what_has_no_window_is_counted_by_its_day_once_even_if_a_crash_has_it_told_twice() {
        let store = ModelStore::new();
        let feed = || of_feed(vec![paper(1, TITLE, ""), paper(2, "On weather", "")]);
        let name = "feed:a.example/rss";
        let take = |bytes: &str, now| {
            let (topics, render) = ([topic()], Counting::default());
            accept(&store, &topics, &render, name, bytes.as_bytes(), feed(), now).unwrap()
        };
        let days = || daybook::since(&store, october(1, 0).date_naive()).unwrap();
        take("a", october(9, 20));
        let first = days();
        assert_eq!(
            (first.len(), first[0].source.as_str(), first[0].items, first[0].new),
            (1, name, 2, 2)
        );
        take("a", october(9, 20));
        take("b", october(9, 20));
        assert_eq!(days(), first, "the same bytes, or others with the same papers");
        take("c", october(9, 21));
        assert_eq!((days()[0].answered.len(), days()[0].new), (2, 2));
        take("a", october(10, 0));
        super::super::fixture::take(
            &store,
            "lines",
            Parsed {
                source: SourceKind::Jsonl,
                ..feed()
            },
            october(10, 0),
        );
        super::super::fixture::take(&store, "report", report(vec![reported("A work", "")]), october(10, 0));
        let told: Vec<_> = days()
            .into_iter()
            .map(|day| (day.day.to_string(), day.source, day.new))
            .collect();
        let told: Vec<_> = told
            .iter()
            .map(|(day, source, new)| (day.as_str(), source.as_str(), *new))
            .collect();
        assert_eq!(
            told,
            [
                ("2025-10-09", name, 2),
                ("2025-10-10", name, 0),
                ("2025-10-10", "jsonl", 0),
                ("2025-10-10", "report", 1)
            ]
        );
        assert_eq!(store.windows(), Ok(vec![]));
    }

    #[test]
    fn what_comes_again_every_hour_does_not_grow_for_ever() {
        let store = ModelStore::new();
        let start = october(9, 0);
        for hour in 0..300 {
            take(
                &store,
                "feed",
                of_feed(vec![paper(1, TITLE, "")]),
                start + TimeDelta::hours(hour),
            );
        }
        let content = store.content(&text::content_hash(b"feed")).unwrap().unwrap();
        assert_eq!(content.taken_at, start);
        assert_eq!(
            (content.repeats.len(), content.repeats.last()),
            (REPEATS, Some(&(start + TimeDelta::hours(299))))
        );
    }

    #[test]
    fn a_day_that_is_asked_again_is_one_window_and_says_when_it_came_last() {
        let store = ModelStore::new();
        let window = Window::of_day(SourceKind::HuggingFace, october(9, 0).date_naive());
        let day = |papers| Parsed {
            source: SourceKind::HuggingFace,
            window: Some(window),
            ..news(1, papers)
        };
        take(&store, "a", day(vec![paper(1, TITLE, "")]), october(9, 3));
        take(
            &store,
            "b",
            day(vec![paper(1, TITLE, ""), paper(2, "On weather", "")]),
            october(9, 6),
        );
        take(&store, "b", day(Vec::new()), october(10, 0));
        let all = store.windows().unwrap();
        let told: Vec<_> = all.iter().map(|w| (w.taken_at, w.last_at(), w.items, w.upto)).collect();
        assert_eq!(told, [(october(9, 3), october(10, 0), 2, 2)]);
        // What arXiv announces later is of arXiv's day, as if that had come first.
        take(&store, "mail", news(10, vec![paper(1, TITLE, "")]), october(10, 20));
        let of = |n| {
            store
                .intake_of(&arxiv(n))
                .unwrap()
                .unwrap()
                .window
                .map(|window| window.source)
        };
        assert_eq!(
            (of(1), of(2)),
            (Some(SourceKind::ArxivMail), Some(SourceKind::HuggingFace))
        );
        assert_eq!(order(&store), [arxiv(1), arxiv(2)]);
    }

    #[test]
    fn institutions_that_come_later_make_no_candidate_and_no_new_version() {
        let store = ModelStore::new();
        let said =
            || source::affiliation::account(&arxiv(1), source::affiliation::Kind::ArxivHtml, vec!["MIT".to_owned()]);
        take(&store, "html", said(), october(9, 19));
        assert_eq!(store.head(), Ok(0));
        take(&store, "mail", news(9, vec![paper(1, TITLE, ABSTRACT)]), october(9, 20));
        let known = store.paper(&arxiv(1)).unwrap().unwrap();
        assert_eq!((known.institutions(), known.version), (&["MIT".to_owned()][..], 1));
        assert_eq!(order(&store), [arxiv(1)]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn the_order_of_intakes_does_not_matter_to_the_ledger(
            intakes in prop::collection::vec((0_u8..3, 0_i64..72, prop::collection::vec(1_u64..9, 0..4)), 1..8),
            again in prop::collection::vec(any::<prop::sample::Index>(), 0..4),
        ) {
            let start = october(8, 0);
            let run = |order: &[usize]| {
                let store = ModelStore::new();
                for at in order {
                    let (source, hour, papers) = &intakes[*at];
                    let papers = papers.iter().map(|n| paper(*n, &format!("Paper number {n} about weather"), "")).collect();
                    let now = start + TimeDelta::hours(*hour);
                    let parsed = match source {
                        0 => of_feed(papers),
                        1 => Parsed { source: SourceKind::Jsonl, ..of_feed(papers) },
                        _ => {
                            let (source, window) = (SourceKind::HuggingFace, Some(Window::of_day(SourceKind::HuggingFace, now.date_naive())));
                            Parsed { source, window, ..of_feed(papers) }
                        }
                    };
                    // The name of a file that was handed in tells nothing.
                    take(&store, &at.to_string(), parsed, now);
                }
                let days = daybook::since(&store, start.date_naive()).unwrap();
                let new: u64 = days.iter().map(|day| u64::from(day.new)).sum();
                let windows = store.windows().unwrap();
                let hours: Vec<_> = windows.iter().map(|w| (w.window, w.last_at(), w.items)).collect();
                let days: Vec<_> = days.into_iter().map(|day| (day.source, day.day, day.answered, day.items)).collect();
                (days, hours, new <= store.head().unwrap())
            };
            let straight: Vec<usize> = (0..intakes.len()).collect();
            let mut other: Vec<usize> = straight.iter().rev().copied().collect();
            // A crash has some of them told twice.
            other.extend(again.iter().map(|index| index.index(intakes.len())));
            prop_assert_eq!(run(&straight), run(&other));
        }

        #[test]
        fn the_order_of_sources_does_not_matter(
            shuffled in Just((0..accounts().len()).collect::<Vec<_>>()).prop_shuffle(),
            again in prop::collection::vec(0..accounts().len(), 0..4),
            together in any::<bool>(),
        ) {
            let run = |order: &[usize], together: bool| {
                let store = ModelStore::new();
                let all = accounts();
                if together {
                    // As one file of lines.
                    let items = order.iter().flat_map(|at| all[*at].items.clone()).collect();
                    let parsed = Parsed { source: SourceKind::Jsonl, window: None, asked: None, items, rejected: Vec::new() };
                    take(&store, "all", parsed, october(9, 20));
                } else {
                    for (n, at) in order.iter().enumerate() {
                        take(&store, &n.to_string(), all[*at].clone(), october(9, 20));
                    }
                }
                store
            };
            let straight = run(&(0..accounts().len()).collect::<Vec<_>>(), false);
            let order: Vec<usize> = shuffled.iter().chain(&again).copied().collect();
            let store = run(&order, together);
            for account in accounts() {
                let id = &account.items[0].paper.id;
                prop_assert_eq!(store.paper(id), straight.paper(id), "{}", id);
            }
            prop_assert_eq!(placed(&store), placed(&straight));
            let found = |store: &dyn Store| {
                let mut found: Vec<_> = kept(store).into_iter().map(|(_, id, points)| (id, points)).collect();
                found.sort();
                found
            };
            prop_assert_eq!(found(&store), found(&straight));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn any_files_in_any_order_count_each_item_once_and_leave_the_same_papers(
            files in prop::collection::vec(
                prop::collection::vec((0_u8..3, 1_u64..6, 0_usize..3), 0..6), 1..4,
            ),
        ) {
            const TITLES: [&str; 3] = ["On pruning", "On weather", "A KV cache for weather"];
            let parsed = |at: usize| {
                let items = files[at].iter().map(|&(how, id, title)| {
                    let how = [New, CrossList, Replacement][usize::from(how)];
                    (how, paper(id, TITLES[title], ""))
                });
                mailing(i64::try_from(at).unwrap() + 2, items.collect())
            };
            let run = |order: &mut dyn Iterator<Item = usize>| {
                let store = ModelStore::new();
                for at in order {
                    let head = store.head().unwrap();
                    let taken = take(&store, &at.to_string(), parsed(at), october(9, 20));
                    let sum = taken.papers_new + taken.papers_known + taken.papers_updated + taken.replacements;
                    assert_eq!(usize::try_from(sum).unwrap(), files[at].len());
                    assert!(store.head().unwrap() - head >= u64::from(taken.papers_new));
                }
                store
            };
            let (one, two) = (run(&mut (0..files.len())), run(&mut (0..files.len()).rev()));
            for id in 1..6 {
                prop_assert_eq!(one.paper(&arxiv(id)), two.paper(&arxiv(id)));
            }
            for store in [&one, &two] {
                let listed = order(store);
                let matcher = Matcher::new(&[topic()]);
                let mut expected = Vec::new();
                for (seq, id) in (1..).zip(listed) {
                    let score = matcher.score(&store.paper(&id).unwrap().unwrap()).remove(0);
                    if score.verdict == Verdict::Kept {
                        expected.push((seq, id, score.points));
                    }
                }
                prop_assert_eq!(kept(store), expected);
            }
            let sorted = |store| {
                let mut listed = order(store);
                listed.sort();
                listed
            };
            prop_assert_eq!(sorted(&one), sorted(&two));
        }
    }
}
