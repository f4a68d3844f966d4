//! Taking a file in: every paper is known once afterwards, whatever it was known as before.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::readable;
use crate::channel::Seq;
use crate::join;
use crate::paper::{Paper, PaperId};
use crate::source::{Announcement, Item, Parsed, RejectedItem, Window};
use crate::store::{ContentRecord, IntakeRecord, MatchRecord, Result, Store, WindowRecord, Write};
use crate::text;
use crate::topic::{Matcher, Topic, TopicId, Verdict};

/// How far back a changed topic is matched anew: more than a fortnight of a large mailing.
const REFRESH: Seq = 10_000;

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
}

impl Accepted {
    /// Adds another file's counts, for a sum over several files.
    pub fn add(&mut self, other: &Self) {
        self.papers_new += other.papers_new;
        self.papers_known += other.papers_known;
        self.papers_updated += other.papers_updated;
        self.papers_rejected += other.papers_rejected;
        self.replacements += other.replacements;
        self.windows += other.windows;
        self.duplicates += other.duplicates;
        self.rejected.extend(other.rejected.iter().cloned());
    }
}

/// Takes in a parsed file. `name` is for people, `bytes` are the file's, for telling whether it came before.
///
/// # Errors
/// Only when the store fails; nothing is changed then.
pub fn accept(
    store: &dyn Store,
    topics: &[Topic],
    name: &str,
    bytes: &[u8],
    parsed: Parsed,
    now: DateTime<Utc>,
) -> Result<Accepted> {
    let hash = text::content_hash(bytes);
    if let Some(known) = store.content(&hash)? {
        return repeat(store, known, parsed.window, now);
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
    let mut writes = intake.finish();
    if let Some(window) = parsed.window {
        let record = match store.window(&window)? {
            Some(known) => repeated(known, since, upto, items),
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
                }
            }
        };
        writes.push(Write::Window(record));
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

/// The ledger's record of a window that came again, in other bytes: usually it brings nothing, but the first file can
/// have been cut short.
fn repeated(known: WindowRecord, since: Seq, upto: Seq, items: u32) -> WindowRecord {
    let repeats = known.repeats + 1;
    let items = items.max(known.items);
    if upto == since {
        return WindowRecord {
            repeats,
            items,
            ..known
        };
    }
    WindowRecord {
        repeats,
        items,
        since: if known.upto > known.since { known.since } else { since },
        upto,
        ..known
    }
}

/// The same content again changes nothing but the ledger, which remembers that it came.
fn repeat(store: &dyn Store, known: ContentRecord, window: Option<Window>, now: DateTime<Utc>) -> Result<Accepted> {
    let first_taken = Some((known.taken_at, known.name.clone()));
    let mut content = known;
    content.repeats.push(now);
    let mut writes = vec![Write::Content(content)];
    if let Some(window) = window
        && let Some(record) = store.window(&window)?
    {
        writes.push(Write::Window(WindowRecord {
            repeats: record.repeats + 1,
            ..record
        }));
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
}

impl<'a> Intake<'a> {
    fn new(store: &'a dyn Store, topics: &[Topic], window: Option<Window>, now: DateTime<Utc>) -> Result<Self> {
        let head = store.head()?;
        Ok(Self {
            store,
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
        })
    }

    fn item(&mut self, item: Item) -> Result<Outcome> {
        let Item { paper, announcement } = item;
        let known = self.known(&paper)?;
        let outcome = match known {
            None => {
                self.put(paper, announcement)?;
                Outcome::New
            }
            Some(mut before) => {
                let old = before.id.clone();
                let changed = before.merge(paper);
                if before.id != old {
                    self.rename(&old, &before.id)?;
                }
                let placed = self.position(&before.id, announcement)?;
                if changed || placed {
                    self.put(before, announcement)?;
                }
                if changed { Outcome::Updated } else { Outcome::Known }
            }
        };
        Ok(match announcement {
            Announcement::New | Announcement::CrossList => outcome,
            Announcement::Replacement => Outcome::Replacement,
        })
    }

    /// The same work as it is known so far: by its id, else, where one of the two has no real id, by its likeness.
    fn known(&self, paper: &Paper) -> Result<Option<Paper>> {
        let id = self.aliases.get(&paper.id).unwrap_or(&paper.id);
        if let Some(paper) = self.papers.get(id) {
            return Ok(Some(paper.clone()));
        }
        // A record that cannot be read is healed by writing the paper anew.
        if let Some(paper) = readable(self.store.paper(id))? {
            // A paper that was renamed in this file is known under its new name.
            return Ok(Some(self.papers.get(&paper.id).cloned().unwrap_or(paper)));
        }
        let provisional = paper.id.is_provisional();
        let mut candidates = Vec::new();
        for id in self.store.similar(&join::sketch(paper))? {
            // What this file has given its real name is known under that name, and no stand-in any more.
            let id = self.aliases.get(&id).cloned().unwrap_or(id);
            if !provisional && !id.is_provisional() {
                continue;
            }
            match self.papers.get(&id) {
                Some(known) => candidates.push(known.clone()),
                None => candidates.extend(readable(self.store.paper(&id))?),
            }
        }
        Ok(join::best(paper, &candidates).and_then(|i| candidates.into_iter().nth(i)))
    }

    fn put(&mut self, paper: Paper, announcement: Announcement) -> Result<()> {
        let id = paper.id.clone();
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

    fn rename(&mut self, old: &PaperId, new: &PaperId) -> Result<()> {
        self.papers.remove(old);
        self.changed.retain(|id| id != old);
        self.aliases.insert(old.clone(), new.clone());
        let position = match self.positions.remove(old) {
            Some(record) => Some(record),
            None => self.store.intake_of(old)?,
        };
        if let Some(record) = position {
            // The place in the order stays the paper's own: it was or will be in a digest under the old name.
            let moved = IntakeRecord {
                paper: new.clone(),
                ..record
            };
            self.positions.insert(new.clone(), moved);
            if !self.fresh.contains(new) {
                self.fresh.push(new.clone());
            }
            self.fresh.retain(|id| id != old);
        }
        Ok(())
    }

    fn finish(self) -> Vec<Write> {
        let mut writes = Vec::with_capacity(self.changed.len() * 3);
        writes.extend(self.aliases.into_iter().map(|(from, to)| Write::Alias { from, to }));
        writes.extend(
            self.fresh
                .iter()
                .filter_map(|id| self.positions.get(id))
                .map(|record| Write::Intake(record.clone())),
        );
        for id in &self.changed {
            let Some(paper) = self.papers.get(id) else { continue };
            if let Some(record) = self.positions.get(id) {
                let stale = record.seq <= self.since;
                writes.extend(matches(&self.matcher, record.seq, paper, stale));
            }
            writes.push(Write::Paper(Box::new(paper.clone())));
        }
        writes
    }
}

/// The matches of one paper as they are now; with `stale`, those that it had before go.
fn matches(matcher: &Matcher, seq: Seq, paper: &Paper, stale: bool) -> Vec<Write> {
    let mut writes = Vec::new();
    for score in matcher.score(paper) {
        if stale {
            let topic = score.topic.clone();
            let after = seq.saturating_sub(1);
            writes.push(Write::ClearMatches {
                topic,
                after,
                upto: seq,
            });
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
        if let Some(paper) = readable(store.paper(&record.paper))? {
            for score in matcher.score(&paper).into_iter().filter(|s| s.verdict == Verdict::Kept) {
                writes.push(Write::Match(Box::new(MatchRecord {
                    seq: record.seq,
                    paper: paper.id.clone(),
                    score,
                })));
            }
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
