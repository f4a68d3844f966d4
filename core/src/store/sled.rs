//! The store over sled 0.34: one tree, whose keys' byte order is the order that is wanted; a commit carries the index
//! entries along with the records, all or nothing.
//!
//! | key | value | for |
//! |---|---|---|
//! | `!format` | version of this table | refusing data of a newer program |
//! | `!fresh` | two numbers | how large the last compaction left the folder |
//! | `!wasted` | | the folder is to be compacted when it is opened next |
//! | `a` name | real name | aliases |
//! | `b` real name, name | name | aliases backwards |
//! | `C` place in the configuration, place | | `configured` |
//! | `c` place | **channel** | |
//! | `d` place, digest, revision | **delivery** | |
//! | `E` digest | **errata** | |
//! | `e` end, place, digest, revision | | `finished_before` |
//! | `f` fingerprint, paper | paper | `similar` |
//! | `g` digest | **digest** | |
//! | `h` hash | **content** | |
//! | `i` seq | **intake** | |
//! | `j` paper, seq | | `intake_of` |
//! | `k` place, message id, digest | | `digest_of_message`, `digests_of_place`, `messages_in_chat` |
//! | `l` platform, at, chat, number | | `sends` |
//! | `m` topic, seq | **match** | |
//! | `n` due, place | | `channels_due`: active channels |
//! | `o` paper, digest | | `digests_of_paper` |
//! | `p` paper | **paper** | |
//! | `q` platform, class, part, due, place, digest, revision | | `due`, `leased`: see below |
//! | `R` rule | **rule** | `rules` |
//! | `r` digest, platform, language, style, zone, index | **part** | |
//! | `S` rule, place | | `rules`: the channels that follow it |
//! | `s` digest | **digest summary** | |
//! | `t` topic | number | fingerprints of topics |
//! | `u` place, digest, revision | | unfinished deliveries |
//! | `v` digest, place, revision | | `deliveries_of_digest` |
//! | `w` source, from, to | **window** | |
//! | `x` since (latest first), place, digest, revision | | `dead_letters` |
//! | `y` platform | text | memory of limiters |
//! | `z` place, digest, revision | bytes of a delivery that cannot be read | `set_aside` |
//! | `M` space, key | text | `memo`, `memos` |
//! | `V` paper, person | **vote** | |
//! | `T` paper | **tally** | |
//! | `K` paper, person | **saved** | |
//! | `L` person, at (latest first), paper | paper | `saved` |
//! | `O` digest | due | |
//! | `N` due, digest | | `outdated` |
//! | `~` key, number | further bytes | the rest of a record that is longer than [`PIECE`] |
//!
//! How the parts of a key are written: a number big-endian; an instant as seconds with the sign flipped, then
//! nanoseconds, and with all bits inverted where the latest comes first; a text with `00` as `00 FF` and closed by `00 01`, so that no text is the beginning of another
//! (`telegram:-1/4`, `telegram:-1/42`) and the order is the texts' own; a place as platform, chat and thread; a digest
//! as occurrence and set; a rule as its key. A revision is a number that is left out where it is 0, so that corrections come behind their
//! post; that of a rendering stands behind its style (`compact~2`).
//!
//! The queue `q` holds three classes: the available ones that are in doubt and the others, of each place the earliest
//! unfinished delivery alone and only if it is available, and all that are leased. Behind the class comes the index of the next part, so that what is due is found by
//! one range for each part index; what is not yet due costs nothing.
//!
//! Before sled stands a journal ([`Layered`]): a commit is durable there, and what several of them changed is carried
//! over into sled together.
//!
//! What sled 0.34 needs so that the promises hold:
//! - `flush` starts the writing but asks neither for metadata nor for the disk's own cache (sled #1351): it is followed by
//!   an fdatasync of the log on a descriptor of its own. `flush_async` hangs (sled #1241) and is not used.
//! - a node beyond 128 KiB goes to a file of its own that nobody ever syncs, and a node has up to some 20 values. Hence
//!   no value is longer than [`PIECE`].
//! - a snapshot that was being written when the power went makes every later open fail (sled #1527): such remains are
//!   removed first, and if that is not enough, all snapshots are put aside, which costs a scan of the log.
//! - after a failed write the tree in memory may hold half a batch, and sled refuses to write ever after: the store
//!   then refuses reads as well.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::fs::{self, File, TryLockError};
use std::io;
use std::ops::Bound::{Excluded, Included};
use std::ops::{ControlFlow, RangeBounds};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError, RwLockReadGuard};
use std::time::Duration;

use ::sled::{Batch, Db, IVec};
use chrono::{DateTime, Utc};

use super::journal::{Changes, Journal};
use super::layered::Layered;
use super::record::{self, ChannelRecord, PaperRecord, Record, RuleRecord};
use super::space::{self, Compaction, Space, Step};
use super::{
    ContentRecord, Counts, DigestSummary, FollowedRule, IntakeRecord, MatchRecord, MemoSpace, Result, Store,
    StoreError, WindowRecord, Write,
};
use crate::channel::{Channel, Place, Platform, Seq};
use crate::delivery::{Delivery, DeliveryId, Doubt, State};
use crate::digest::{Digest, DigestId, RenderingId};
use crate::erratum::Errata;
use crate::join;
use crate::message::Part;
use crate::paper::{Paper, PaperId};
use crate::rule::Rule;
use crate::source::Window;
use crate::topic::TopicId;
use crate::vote::{Ballot, Person, Saved, Tally, Vote};

mod votes;

/// The version of the key table. A program refuses a higher one than its own; raise it with every form of a record that
/// older programs cannot read.
///
/// 2: the queue is ordered by part, `u` has no value any more, and there are `e` and `v`.
/// 3: there are corrections, `o` and `E`; what is in doubt is a class of the queue.
/// 4: there are a journal and `C`.
/// 5: there are rules, `R` and `S`, and channels refer to them.
const FORMAT: u64 = 5;
const FORMAT_KEY: &[u8] = b"!format";
const FRESH_KEY: &[u8] = b"!fresh";
const WASTED_KEY: &[u8] = b"!wasted";

/// The most bytes in one value: 20 of them stay below sled's limit for a node, a quarter of its 512 KiB segments.
const PIECE: usize = 6 * 1024;

/// sled counts bytes on disk; in memory it is several times as much (sled #986).
const CACHE_BYTES: u64 = 16 * 1024 * 1024;

/// The bytes of an instant in a key.
const INSTANT: usize = 12;

/// The bytes of a digest in a key.
const DIGEST: usize = INSTANT + 8;

/// sled's own thread flushes so often, and gathers garbage on the way, which nothing else does. No promise rests on it.
const FLUSH_MS: u64 = 500;

/// What is committed is carried over into sled so much later: what changes several times meanwhile is written once.
const CARRY: Duration = Duration::from_secs(1);

/// sled's threads may hold the lock for a moment after a store was closed, also that of a process that just ended.
const LOCK_TRIES: u32 = 25;
const LOCK_PAUSE: Duration = Duration::from_millis(20);

/// Why it cannot be opened. The texts are for people and say what to do.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Somebody has it open.
    #[error("the data folder {dir} is in use by another Paperwire; stop that one first")]
    Locked {
        /// The folder.
        dir: String,
    },
    /// What is in it cannot be used.
    #[error("the data folder {dir} cannot be used: {reason}; {advice}")]
    Damaged {
        /// The folder.
        dir: String,
        /// What is wrong with it.
        reason: String,
        /// What to do.
        advice: &'static str,
    },
    /// There is no room on the disk to open it.
    #[error("{}", full(.dir))]
    Full {
        /// The folder.
        dir: String,
        /// What the system says.
        source: io::Error,
    },
    /// The operating system refuses.
    #[error("the data folder {dir} cannot be opened: {source}")]
    Io {
        /// The folder.
        dir: String,
        /// What it says.
        source: io::Error,
    },
}

/// Whether it says that there is no room: on the disk, in the quota, or in the largest file that is allowed.
fn is_full(error: &io::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    [StorageFull, QuotaExceeded, FileTooLarge].contains(&error.kind())
}

fn full(dir: &str) -> String {
    format!("the disk is full ({dir}): free some space and start again; nothing is lost")
}

/// What the system's refusal to open means.
fn refused(dir: String, source: io::Error) -> OpenError {
    if is_full(&source) {
        OpenError::Full { dir, source }
    } else {
        OpenError::Io { dir, source }
    }
}

/// On disk.
pub struct SledStore {
    db: Layered,
    dir: PathBuf,
    compaction: Option<Compaction>,
    commits: AtomicU64,
    synced: Mutex<u64>,
}

impl fmt::Debug for SledStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // sled's own form prints everything that is stored.
        f.debug_struct("SledStore")
            .field("broken", &self.db.broken())
            .finish_non_exhaustive()
    }
}

impl SledStore {
    /// Opens the store in this folder, which is made if need be. After a crash it brings itself in order.
    ///
    /// # Errors
    /// [`OpenError`]: it is in use, beyond repair, written by a newer program, or the system refuses.
    pub fn open(dir: &Path) -> std::result::Result<Self, OpenError> {
        Self::open_carrying(dir, Some(FLUSH_MS), Some(CARRY))
    }

    fn open_carrying(
        dir: &Path,
        every_ms: Option<u64>,
        carry: Option<Duration>,
    ) -> std::result::Result<Self, OpenError> {
        let failed = |source| refused(dir.display().to_string(), source);
        lock(dir)?;
        space::recover(dir).map_err(failed)?;
        fs::create_dir_all(dir).map_err(failed)?;
        let mut db = open_repaired(dir, every_ms)?;
        check_format(dir, &db)?;
        let (mut journal, changes) = Journal::open(dir).map_err(failed)?;
        for (key, value) in changes {
            let applied = match value {
                Some(value) => db.insert(key, value),
                None => db.remove(key),
            };
            applied.map_err(|e| open_error(dir, e))?;
        }
        make_durable(dir, &db)?;
        journal.clear().map_err(failed)?;
        let mut compaction = None;
        if db.contains_key(WASTED_KEY).map_err(|e| open_error(dir, e))? {
            let done = compact(dir, db)?;
            db = open_repaired(dir, every_ms)?;
            journal = Journal::open(dir).map_err(failed)?.0;
            journal.clear().map_err(failed)?;
            match &done {
                Compaction::Done { now, .. } => {
                    db.insert(FRESH_KEY, now.to_bytes()).map_err(|e| open_error(dir, e))?;
                }
                Compaction::Failed { .. } => {}
            }
            compaction = Some(done);
        }

        let log = make_durable(dir, &db)?;
        let of_dir = dir.display().to_string();
        let explain = move |error: &::sled::Error| {
            let mut why = error.to_string();
            if let ::sled::Error::Io(error) = error
                && is_full(error)
            {
                why = format!("{} ({error})", full(&of_dir));
            }
            why
        };
        Ok(Self {
            db: Layered::start(db, log, journal, carry, explain).map_err(failed)?,
            dir: dir.to_owned(),
            compaction,
            commits: AtomicU64::new(0),
            synced: Mutex::new(0),
        })
    }

    /// What was done about the folder's size when it was opened; for the log.
    pub fn compaction(&self) -> Option<&Compaction> {
        self.compaction.as_ref()
    }

    /// Measures how much of the folder is in use, and says whether it is too little: the folder is beyond 64 MB, three
    /// times what is in it and twice what a fresh copy would be. That is remembered, and the next [`SledStore::open`]
    /// copies what is in use to a new folder, which takes this one's place ([`SledStore::compaction`]).
    ///
    /// Reads everything once, beside whatever else goes on: on a thread of its own, once a day or so.
    ///
    /// # Errors
    /// When the storage fails.
    pub fn measure(&self) -> Result<(Space, bool)> {
        // It goes on to the end.
        self.measure_while(&|| true).map(Option::unwrap_or_default)
    }

    /// As [`Self::measure`], as long as `go_on` says so; else `None`, and nothing is remembered.
    ///
    /// # Errors
    /// When the storage fails.
    pub fn measure_while(&self, go_on: &dyn Fn() -> bool) -> Result<Option<(Space, bool)>> {
        self.usable()?;
        // Without the gate, which would hold commits up for long: an entry more or less changes no verdict.
        let Some(live) = space::live_bytes(self.db.iter(), go_on).map_err(broken)? else {
            return Ok(None);
        };
        let space = Space {
            live,
            // A folder that cannot be listed is none that this could help.
            folder: space::folder_bytes(&self.dir).unwrap_or(0),
        };
        let fresh = self.db.get(FRESH_KEY).map_err(broken)?;
        let wasted = space.is_wasted(fresh.and_then(|bytes| Space::from_bytes(&bytes)));
        self.mark_wasted(wasted)?;
        Ok(Some((space, wasted)))
    }

    fn mark_wasted(&self, wasted: bool) -> Result<()> {
        let _gate = self.db.write();
        self.usable()?;
        if self.db.contains_key(WASTED_KEY).map_err(broken)? != wasted {
            let marked = if wasted {
                self.db.insert(WASTED_KEY, &[])
            } else {
                self.db.remove(WASTED_KEY)
            };
            marked.map_err(|e| self.broke(&e))?;
            self.commits.fetch_add(1, Ordering::SeqCst);
        }
        Ok(())
    }

    fn usable(&self) -> Result<()> {
        self.db
            .broken()
            .map_or(Ok(()), |why| Err(StoreError::Broken(why.clone())))
    }

    fn reading(&self) -> Result<RwLockReadGuard<'_, ()>> {
        let guard = self.db.read();
        self.usable().map(|()| guard)
    }

    fn broke(&self, error: &::sled::Error) -> StoreError {
        StoreError::Broken(self.db.broke(error))
    }

    fn get<R: Record>(&self, key: &Key) -> Result<Option<R>> {
        let Some(bytes) = self.whole(key.bytes())? else {
            return Ok(None);
        };
        record::decode(&bytes)
            .map(Some)
            .map_err(|why| damaged(key.bytes(), why))
    }

    fn whole(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        let get = |key: &[u8]| self.db.get(key).map_err(broken);
        let first = get(key)?;
        first
            .map(|first| Ok(joined(key, &first, get)?.into_owned()))
            .transpose()
    }

    /// A value that is text.
    fn text_at(&self, key: &[u8]) -> Result<Option<String>> {
        let found = self.whole(key)?;
        found
            .map(|bytes| String::from_utf8(bytes).map_err(|_| damaged(key, NO_TEXT.to_owned())))
            .transpose()
    }

    /// As [`Self::get`], for lists: one record that cannot be read does not keep the others away.
    fn readable<R: Record>(&self, key: &Key) -> Result<Option<R>> {
        match self.get(key) {
            Err(StoreError::Damaged { .. }) => Ok(None),
            other => other,
        }
    }

    /// The readable records of these entries, at most `limit`.
    fn list<R: Record>(
        &self,
        entries: impl Iterator<Item = ::sled::Result<(IVec, IVec)>>,
        limit: usize,
    ) -> Result<Vec<R>> {
        let records = entries.filter_map(|entry| {
            let read = || {
                let (key, first) = entry.map_err(broken)?;
                let bytes = joined(&key, &first, |piece| self.db.get(piece).map_err(broken))?;
                Ok(record::decode(&bytes).ok())
            };
            read().transpose()
        });
        records.take(limit).collect()
    }

    fn real_name(&self, paper: &PaperId) -> Result<PaperId> {
        let mut name = paper.clone();
        while let Some(next) = self.alias_of(&name)? {
            name = next;
        }
        Ok(name)
    }

    fn alias_of(&self, name: &PaperId) -> Result<Option<PaperId>> {
        let found = self.db.get(Key::alias(name).bytes()).map_err(broken)?;
        found.map(|to| paper_name(&to)).transpose()
    }

    /// The name itself and all that lead to it.
    fn names(&self, real: PaperId) -> Result<Vec<PaperId>> {
        let mut names = vec![real];
        let mut at = 0;
        while let Some(name) = names.get(at) {
            let others = self.db.scan_prefix(Key::aliases_to(name).bytes());
            for entry in others {
                let (_, other) = entry.map_err(broken)?;
                names.push(paper_name(&other)?);
            }
            at += 1;
        }
        Ok(names)
    }

    /// Of each part index of a class of a platform's queue, in their order, the deliveries that [`Store::due`] may return,
    /// most overdue first, as long as `wanted` says of their due time; what it says `false` to is the end of this part
    /// index.
    fn queued(
        &self,
        platform: Platform,
        class: Class,
        mut wanted: impl FnMut(DateTime<Utc>) -> bool,
        mut found: impl FnMut(DateTime<Utc>, Delivery) -> ControlFlow<Next>,
    ) -> Result<()> {
        let table = Key::queue(platform, class);
        let end = table.clone().end();
        let mut from = table.0.clone();
        'parts: loop {
            let mut this = None;
            for entry in self.db.range(from.as_slice()..end.as_slice()).keys() {
                let key = entry.map_err(broken)?;
                let queued = Queued::read(&key, table.0.len())?;
                let part = *this.get_or_insert(queued.part);
                if part != queued.part {
                    from = table.clone().num32(queued.part).0;
                    continue 'parts;
                }
                let skip = |part: u32| part.checked_add(1).map(|next| table.clone().num32(next).0);
                if !wanted(queued.due) {
                    let Some(next) = skip(part) else { return Ok(()) };
                    from = next;
                    continue 'parts;
                }
                if class == Class::Leased && !self.is_head(queued.id)? {
                    continue;
                }
                let Some(delivery) = self.readable(&Key::new(b'd').raw(queued.id))? else {
                    continue;
                };
                match found(queued.due, delivery) {
                    ControlFlow::Continue(()) => {}
                    ControlFlow::Break(Next::Part) => {
                        let Some(next) = skip(part) else { return Ok(()) };
                        from = next;
                        continue 'parts;
                    }
                    ControlFlow::Break(Next::Nothing) => return Ok(()),
                }
            }
            return Ok(());
        }
    }

    /// Whether this delivery (place, digest and revision as they are written) is the earliest unfinished one of its place.
    fn is_head(&self, id: &[u8]) -> Result<bool> {
        let place = place_of(id).ok_or_else(|| bad_key(id))?;
        let first = self.db.scan_prefix(Key::new(b'u').raw(place).bytes()).keys().next();
        let first = first.transpose().map_err(broken)?;
        Ok(first.is_some_and(|key| key.get(1..) == Some(id)))
    }

    fn all_channels(&self) -> Result<Vec<Channel>> {
        let records: Vec<ChannelRecord> = self.list(self.db.scan_prefix(Key::new(b'c').bytes()), usize::MAX)?;
        Ok(records.into_iter().map(|record| record.channel).collect())
    }

    fn channels_by_due(&self, until: Option<DateTime<Utc>>) -> impl Iterator<Item = Result<(DateTime<Utc>, Channel)>> {
        let from = Key::new(b'n');
        let to = until.map_or_else(|| from.clone(), |now| from.clone().time(now)).end();
        self.db.range(from.0..to).filter_map(|entry| {
            let read = || {
                let (key, _) = entry.map_err(broken)?;
                let (due, place) = due_and_place(&key, 1)?;
                let read = self.readable::<ChannelRecord>(&Key::new(b'c').raw(place))?;
                Ok(read.map(|read| (due, read.channel)))
            };
            read().transpose()
        })
    }
}

impl Store for SledStore {
    fn paper(&self, id: &PaperId) -> Result<Option<Paper>> {
        let _gate = self.reading()?;
        let own: Option<PaperRecord> = self.get(&Key::paper(id))?;
        let found = match own {
            Some(own) => Some(own),
            None => match self.alias_of(id)? {
                Some(next) => self.get(&Key::paper(&self.real_name(&next)?))?,
                None => None,
            },
        };
        Ok(found.map(|record| record.paper))
    }

    fn similar(&self, sketch: &[u64]) -> Result<Vec<PaperId>> {
        let _gate = self.reading()?;
        let prints: BTreeSet<u64> = sketch.iter().copied().collect();
        let mut shared: HashMap<IVec, usize> = HashMap::new();
        for print in prints {
            let sharing = self.db.scan_prefix(Key::new(b'f').num(print).bytes());
            let papers = sharing
                .take(super::SHARED_MAX + 1)
                .map(|entry| entry.map(|(_, paper)| paper).map_err(broken))
                .collect::<Result<Vec<_>>>()?;
            if papers.len() <= super::SHARED_MAX {
                for paper in papers {
                    *shared.entry(paper).or_default() += 1;
                }
            }
        }
        let mut found: Vec<_> = shared.into_iter().collect();
        // The written form of a name has the order of the name itself.
        found.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        found
            .iter()
            .take(super::SIMILAR_MAX)
            .map(|(paper, _)| paper_name(paper))
            .collect()
    }

    fn head(&self) -> Result<Seq> {
        let _gate = self.reading()?;
        let last = self.db.scan_prefix(Key::new(b'i').bytes()).next_back();
        let Some(entry) = last else { return Ok(0) };
        let (key, _) = entry.map_err(broken)?;
        last_number(&key)
    }

    fn intake(&self, after: Seq, upto: Seq, limit: usize) -> Result<Vec<IntakeRecord>> {
        let _gate = self.reading()?;
        if after >= upto {
            return Ok(Vec::new());
        }
        let bounds = (Excluded(Key::intake(after).0), Included(Key::intake(upto).0));
        self.list(self.db.range(bounds), limit)
    }

    fn intake_of(&self, paper: &PaperId) -> Result<Option<IntakeRecord>> {
        let _gate = self.reading()?;
        let mut earliest = None;
        for name in self.names(self.real_name(paper)?)? {
            let first = self.db.scan_prefix(Key::positions(&name).bytes()).next();
            if let Some(entry) = first {
                let (key, _) = entry.map_err(broken)?;
                let seq = last_number(&key)?;
                earliest = Some(earliest.map_or(seq, |other: Seq| other.min(seq)));
            }
        }
        earliest.map_or(Ok(None), |seq| self.get(&Key::intake(seq)))
    }

    fn windows(&self) -> Result<Vec<WindowRecord>> {
        let _gate = self.reading()?;
        self.list(self.db.scan_prefix(Key::new(b'w').bytes()), usize::MAX)
    }

    fn window(&self, window: &Window) -> Result<Option<WindowRecord>> {
        let _gate = self.reading()?;
        self.get(&Key::window(window))
    }

    fn content(&self, hash: &str) -> Result<Option<ContentRecord>> {
        let _gate = self.reading()?;
        self.get(&Key::new(b'h').text(hash))
    }

    fn matches(&self, topic: &TopicId, after: Seq, upto: Seq) -> Result<Vec<MatchRecord>> {
        let _gate = self.reading()?;
        if after >= upto {
            return Ok(Vec::new());
        }
        let bounds = (
            Excluded(Key::matching(topic, after).0),
            Included(Key::matching(topic, upto).0),
        );
        self.list(self.db.range(bounds), usize::MAX)
    }

    fn topic_fingerprint(&self, topic: &TopicId) -> Result<Option<u64>> {
        let _gate = self.reading()?;
        let key = Key::new(b't').text(&topic.0);
        let found = self.db.get(key.bytes()).map_err(broken)?;
        found
            .map(|value| number(&value).ok_or_else(|| damaged(key.bytes(), NO_NUMBER.to_owned())))
            .transpose()
    }

    fn channel(&self, place: &Place) -> Result<Option<Channel>> {
        let _gate = self.reading()?;
        let read = self.get::<ChannelRecord>(&Key::new(b'c').place(place))?;
        Ok(read.map(|read| read.channel))
    }

    fn channels(&self) -> Result<Vec<Channel>> {
        let _gate = self.reading()?;
        self.all_channels()
    }

    fn rules(&self) -> Result<Vec<FollowedRule>> {
        let _gate = self.reading()?;
        let mut channels: HashMap<u64, u64> = HashMap::new();
        for key in self.db.scan_prefix(Key::new(b'S').bytes()).keys() {
            *channels.entry(rule_of(&key.map_err(broken)?)?).or_default() += 1;
        }
        let records: Vec<RuleRecord> = self.list(self.db.scan_prefix(Key::new(b'R').bytes()), usize::MAX)?;
        let followed = records.into_iter().map(|RuleRecord { rule }| FollowedRule {
            key: rule.key(),
            channels: channels.get(&rule.key()).copied().unwrap_or(0),
            rule,
        });
        Ok(followed.collect())
    }

    fn configured(&self) -> Result<Vec<(Place, Place)>> {
        let _gate = self.reading()?;
        let keys = self.db.scan_prefix(Key::new(b'C').bytes()).keys();
        let read = |key: IVec| {
            let mut reader = Reader(key.get(1..).unwrap_or_default());
            let mut place = || reader.place()?.parse().ok();
            let read = place().and_then(|named| Some((named, place()?)));
            read.ok_or_else(|| bad_key(&key))
        };
        let mut all: Vec<_> = keys
            .map(|key| key.map_err(broken).and_then(read))
            .collect::<Result<_>>()?;
        all.sort();
        Ok(all)
    }

    fn channels_due(&self, now: DateTime<Utc>, limit: usize) -> Result<Vec<Channel>> {
        let _gate = self.reading()?;
        let due = self.channels_by_due(Some(now)).take(limit);
        due.map(|found| found.map(|(_, channel)| channel)).collect()
    }

    fn next_channel_due(&self) -> Result<Option<DateTime<Utc>>> {
        let _gate = self.reading()?;
        let first = self.channels_by_due(None).next().transpose()?;
        Ok(first.map(|(due, _)| due))
    }

    fn digest(&self, id: &DigestId) -> Result<Option<Digest>> {
        let _gate = self.reading()?;
        self.get(&Key::new(b'g').digest(id))
    }

    fn digests(&self, before: Option<DigestId>, limit: usize) -> Result<Vec<DigestId>> {
        let _gate = self.reading()?;
        let from = Key::new(b'g');
        let to = before.map_or_else(|| from.clone().end(), |id| from.clone().digest(&id).0);
        let latest_first = self.db.range(from.0..to).rev().take(limit);
        latest_first
            .map(|entry| {
                let (key, _) = entry.map_err(broken)?;
                last_digest(&key)
            })
            .collect()
    }

    fn digests_of_paper(&self, paper: &PaperId) -> Result<Vec<DigestId>> {
        let _gate = self.reading()?;
        let mut digests = BTreeSet::new();
        for name in self.names(self.real_name(paper)?)? {
            for key in self.db.scan_prefix(Key::digests_with(&name).bytes()).keys() {
                digests.insert(last_digest(&key.map_err(broken)?)?);
            }
        }
        Ok(digests.into_iter().collect())
    }

    fn errata(&self, id: &DigestId) -> Result<Option<Errata>> {
        let _gate = self.reading()?;
        self.get(&Key::new(b'E').digest(id))
    }

    fn deliveries_of_digest(&self, id: &DigestId) -> Result<Vec<DeliveryId>> {
        let _gate = self.reading()?;
        let table = Key::new(b'v').digest(id);
        let entries = self.db.scan_prefix(table.bytes()).keys();
        let ids = entries.map(|key| {
            let key = key.map_err(broken)?;
            let mut reader = Reader(key.get(table.0.len()..).unwrap_or_default());
            let place = reader.place().and_then(|place| place.parse().ok());
            let read = place.and_then(|place| Some((place, reader.revision()?)));
            let (place, revision) = read.ok_or_else(|| bad_key(&key))?;
            Ok(DeliveryId {
                place,
                digest: *id,
                revision,
            })
        });
        ids.collect()
    }

    fn part(&self, id: &RenderingId, index: u32) -> Result<Option<Part>> {
        let _gate = self.reading()?;
        self.get(&Key::rendering(id).num32(index))
    }

    fn delivery(&self, id: &DeliveryId) -> Result<Option<Delivery>> {
        let _gate = self.reading()?;
        self.get(&Key::delivery(b'd', id))
    }

    fn deliveries(&self, place: &Place, before: Option<DigestId>, limit: usize) -> Result<Vec<Delivery>> {
        let _gate = self.reading()?;
        let from = Key::new(b'd').place(place);
        let to = before.map_or_else(|| from.clone().end(), |id| from.clone().digest(&id).0);
        self.list(self.db.range(from.0..to).rev(), limit)
    }

    fn due(&self, platform: Platform, now: DateTime<Utc>, limit: usize) -> Result<Vec<Delivery>> {
        let _gate = self.reading()?;
        let mut due = Vec::new();
        for class in Class::ALL {
            if due.len() >= limit {
                break;
            }
            self.queued(
                platform,
                class,
                |at| at <= now,
                |_, delivery| {
                    due.push(delivery);
                    if due.len() < limit {
                        ControlFlow::Continue(())
                    } else {
                        ControlFlow::Break(Next::Nothing)
                    }
                },
            )?;
        }
        Ok(due)
    }

    fn next_due(&self, platform: Platform) -> Result<Option<DateTime<Utc>>> {
        let _gate = self.reading()?;
        let mut next = None;
        for class in Class::ALL {
            self.queued(
                platform,
                class,
                |_| true,
                |due, _| {
                    next = Some(next.map_or(due, |next: DateTime<Utc>| next.min(due)));
                    ControlFlow::Break(Next::Part)
                },
            )?;
        }
        Ok(next)
    }

    fn leased(&self, platform: Platform) -> Result<Vec<Delivery>> {
        let _gate = self.reading()?;
        let table = Key::queue(platform, Class::Leased);
        let mut leased: Vec<Delivery> = Vec::new();
        for key in self.db.scan_prefix(table.bytes()).keys() {
            let key = key.map_err(broken)?;
            let queued = Queued::read(&key, table.0.len())?;
            leased.extend(self.readable::<Delivery>(&Key::new(b'd').raw(queued.id))?);
        }
        leased.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(leased)
    }

    fn unfinished(&self, limit: usize) -> Result<Vec<Delivery>> {
        let _gate = self.reading()?;
        let entries = self.db.scan_prefix(Key::new(b'u').bytes());
        let records = entries.filter_map(|entry| {
            let read = || {
                let (key, _) = entry.map_err(broken)?;
                self.readable(&Key::new(b'd').raw(key.get(1..).unwrap_or_default()))
            };
            read().transpose()
        });
        records.take(limit).collect()
    }

    fn unreadable(&self, after: Option<&DeliveryId>, most: usize) -> Result<(Vec<DeliveryId>, Option<DeliveryId>)> {
        let _gate = self.reading()?;
        let from = after.map_or_else(|| Key::new(b'u').0, |id| Key::delivery(b'u', id).end());
        let (mut found, mut last) = (Vec::new(), None);
        for key in self.db.range(from..Key::new(b'u').end()).keys().take(most) {
            let key = key.map_err(broken)?;
            let written = key.get(1..).unwrap_or_default();
            let id = Reader(written).delivery().ok_or_else(|| bad_key(&key))?;
            if let Err(StoreError::Damaged { .. }) = self.get::<Delivery>(&Key::new(b'd').raw(written)) {
                found.push(id.clone());
            }
            last = Some(id);
        }
        Ok((found, last))
    }

    fn set_aside(&self, limit: usize) -> Result<Vec<DeliveryId>> {
        let _gate = self.reading()?;
        let keys = self.db.scan_prefix(Key::new(b'z').bytes()).keys().take(limit);
        let read = |key: IVec| {
            Reader(key.get(1..).unwrap_or_default())
                .delivery()
                .ok_or_else(|| bad_key(&key))
        };
        keys.map(|key| key.map_err(broken).and_then(read)).collect()
    }

    fn dead_letters(&self, limit: usize) -> Result<Vec<Delivery>> {
        let _gate = self.reading()?;
        let entries = self.db.scan_prefix(Key::new(b'x').bytes());
        let records = entries.filter_map(|entry| {
            let read = || {
                let (key, _) = entry.map_err(broken)?;
                let id = key.get(1 + INSTANT..).unwrap_or_default();
                self.readable(&Key::new(b'd').raw(id))
            };
            read().transpose()
        });
        records.take(limit).collect()
    }

    fn digest_of_message(&self, place: &Place, message_id: &str) -> Result<Option<DigestId>> {
        let _gate = self.reading()?;
        let prefix = Key::new(b'k').place(place).text(message_id);
        let latest = self.db.scan_prefix(prefix.bytes()).next_back();
        latest
            .map(|entry| {
                let (key, _) = entry.map_err(broken)?;
                last_digest(&key)
            })
            .transpose()
    }

    fn digests_of_place(&self, place: &Place, limit: usize) -> Result<Vec<DigestId>> {
        let _gate = self.reading()?;
        let mut latest = BTreeSet::new();
        for key in self.db.scan_prefix(Key::new(b'k').place(place).bytes()).keys() {
            latest.insert(last_digest(&key.map_err(broken)?)?);
            if latest.len() > limit {
                latest.pop_first();
            }
        }
        Ok(latest.into_iter().rev().collect())
    }

    fn messages_in_chat(&self, place: &Place, limit: usize) -> Result<Vec<String>> {
        let _gate = self.reading()?;
        let chat = Key::new(b'k').text(place.platform().name()).text(place.chat());
        // The least of the largest ids found so far comes out first.
        let mut largest = BTreeSet::new();
        for key in self.db.scan_prefix(chat.bytes()).keys() {
            let key = key.map_err(broken)?;
            let mut reader = Reader(key.get(chat.0.len()..).unwrap_or_default());
            let id = reader
                .thread()
                .and_then(|_| reader.text())
                .ok_or_else(|| bad_key(&key))?;
            if let Some(number) = super::message_number(&id) {
                largest.insert((number, id));
                if largest.len() > limit {
                    largest.pop_first();
                }
            }
        }
        Ok(largest.into_iter().rev().map(|(_, id)| id).collect())
    }

    fn sends(&self, platform: Platform, since: DateTime<Utc>) -> Result<Vec<(String, DateTime<Utc>)>> {
        let _gate = self.reading()?;
        let table = Key::new(b'l').text(platform.name());
        let entries = self.db.range(table.clone().time(since).0..table.clone().end()).keys();
        entries
            .map(|key| {
                let key = key.map_err(broken)?;
                let mut reader = Reader(key.get(table.0.len()..).unwrap_or_default());
                let read = reader.time().and_then(|at| Some((reader.text()?, at)));
                read.ok_or_else(|| bad_key(&key))
            })
            .collect()
    }

    fn limiter_memory(&self, platform: Platform) -> Result<Option<String>> {
        let _gate = self.reading()?;
        self.text_at(Key::new(b'y').text(platform.name()).bytes())
    }

    fn memo(&self, space: MemoSpace, key: &str) -> Result<Option<String>> {
        let _gate = self.reading()?;
        self.text_at(Key::new(b'M').text(space.name()).text(key).bytes())
    }

    fn memos(&self, space: MemoSpace, after: Option<&str>, limit: usize) -> Result<Vec<(String, String)>> {
        let _gate = self.reading()?;
        let table = Key::new(b'M').text(space.name());
        let from = after.map_or_else(|| table.clone(), |after| table.clone().text(after));
        let mut found = Vec::new();
        for key in self.db.range(from.bytes()..table.clone().end().as_slice()).keys() {
            if found.len() == limit {
                break;
            }
            let key = key.map_err(broken)?;
            let name = Reader(key.get(table.0.len()..).unwrap_or_default()).text();
            let name = name.ok_or_else(|| bad_key(&key))?;
            if after == Some(name.as_str()) {
                continue;
            }
            match self.text_at(&key) {
                Ok(Some(value)) => found.push((name, value)),
                Ok(None) | Err(StoreError::Damaged { .. }) => {}
                Err(error @ StoreError::Broken(_)) => return Err(error),
            }
        }
        Ok(found)
    }

    fn finished_before(&self, before: DateTime<Utc>, limit: usize) -> Result<Vec<DeliveryId>> {
        let _gate = self.reading()?;
        let table = Key::new(b'e');
        let entries = self.db.range(table.bytes()..table.clone().time(before).bytes()).keys();
        let ids = entries.map(|key| {
            let key = key.map_err(broken)?;
            let mut reader = Reader(key.get(1 + INSTANT..).unwrap_or_default());
            reader.delivery().ok_or_else(|| bad_key(&key))
        });
        ids.take(limit).collect()
    }

    fn digest_summary(&self, id: &DigestId) -> Result<Option<DigestSummary>> {
        let _gate = self.reading()?;
        self.get(&Key::new(b's').digest(id))
    }

    /// Deliveries are counted by their index entries, without one of them being read.
    fn counts(&self) -> Result<Counts> {
        let _gate = self.reading()?;
        let entries = |prefix: Key| -> Result<u64> {
            let keys = self.db.scan_prefix(prefix.bytes()).keys();
            keys.map(|key| key.map(|_| 1).map_err(broken)).sum()
        };
        let mut counts = Counts::default();
        for platform in Platform::ALL {
            match entries(Key::new(b'u').text(platform.name()))? {
                0 => {}
                waiting => drop(counts.waiting.insert(platform, waiting)),
            }
        }
        counts.dead_letters = entries(Key::new(b'x'))?;
        self.all_channels()?
            .iter()
            .for_each(|channel| counts.add_channel(channel));
        Ok(counts)
    }

    fn damaged(&self) -> Result<Vec<StoreError>> {
        let _gate = self.reading()?;
        let mut found = Vec::new();
        for entry in self.db.iter() {
            let (key, first) = entry.map_err(broken)?;
            let bytes = |()| joined(&key, &first, |piece| self.db.get(piece).map_err(broken));
            let outcome = match key.first().copied() {
                Some(b'c') => record::decode::<ChannelRecord>(&bytes(())?).err(),
                Some(b'd' | b'z') => record::decode::<Delivery>(&bytes(())?).err(),
                Some(b'g') => record::decode::<Digest>(&bytes(())?).err(),
                Some(b'h') => record::decode::<ContentRecord>(&bytes(())?).err(),
                Some(b'i') => record::decode::<IntakeRecord>(&bytes(())?).err(),
                Some(b'm') => record::decode::<MatchRecord>(&bytes(())?).err(),
                Some(b'p') => record::decode::<PaperRecord>(&bytes(())?).err(),
                Some(b'r') => record::decode::<Part>(&bytes(())?).err(),
                Some(b'R') => record::decode::<RuleRecord>(&bytes(())?).err(),
                Some(b's') => record::decode::<DigestSummary>(&bytes(())?).err(),
                Some(b't') if number(&first).is_none() => Some(NO_NUMBER.to_owned()),
                Some(b'w') => record::decode::<WindowRecord>(&bytes(())?).err(),
                Some(b'E') => record::decode::<Errata>(&bytes(())?).err(),
                Some(b'V') => record::decode::<Ballot>(&bytes(())?).err(),
                Some(b'T') => record::decode::<Tally>(&bytes(())?).err(),
                Some(b'K') => record::decode::<Saved>(&bytes(())?).err(),
                Some(b'y') => std::str::from_utf8(&bytes(())?).err().map(|_| NO_TEXT.to_owned()),
                _ => None,
            };
            found.extend(outcome.map(|why| damaged(&key, why)));
        }
        Ok(found)
    }

    fn vote(&self, person: &Person, paper: &PaperId) -> Result<Option<Vote>> {
        self.vote_of(person, paper)
    }

    fn tally(&self, paper: &PaperId) -> Result<Tally> {
        self.tally_of(paper)
    }

    fn saved(&self, person: &Person, limit: usize) -> Result<Vec<Saved>> {
        self.saved_by(person, limit)
    }

    fn saved_at(&self, person: &Person, paper: &PaperId) -> Result<Option<DateTime<Utc>>> {
        self.saved_since(person, paper)
    }

    fn outdated(&self, now: DateTime<Utc>, limit: usize) -> Result<Vec<DigestId>> {
        self.outdated_until(Some(now), limit)
            .map(|due| due.into_iter().map(|(_, digest)| digest).collect())
    }

    fn next_outdated(&self) -> Result<Option<DateTime<Utc>>> {
        self.outdated_until(None, 1).map(|due| due.first().map(|(due, _)| *due))
    }

    fn commit(&self, writes: Vec<Write>) -> Result<()> {
        self.db.wait_for_room();
        let _gate = self.db.write();
        self.usable()?;
        let mut draft = Draft::new(&self.db);
        for write in writes {
            draft.write(write)?;
        }
        draft.queue()?;
        draft.forget_renderings()?;
        if !draft.changes.is_empty() {
            self.db.apply(draft.changes).map_err(|e| self.broke(&e))?;
            self.commits.fetch_add(1, Ordering::SeqCst);
        }
        Ok(())
    }

    fn sync(&self) -> Result<()> {
        let mut synced = self.synced.lock().unwrap_or_else(PoisonError::into_inner);
        self.usable()?;
        let commits = self.commits.load(Ordering::SeqCst);
        if *synced == commits {
            return Ok(());
        }
        // A later attempt could succeed without having written what this one lost (fsync(2), EIO).
        self.db.sync().map_err(|e| self.broke(&e))?;
        *synced = commits;
        Ok(())
    }
}

/// A commit while it is put together: what the tree will say when it has been applied.
struct Draft<'a> {
    db: &'a Layered,
    changes: Changes,
    /// The deliveries that changed, by place, digest and revision as they are written.
    touched: BTreeMap<Vec<u8>, Touched>,
    /// Digests of which deliveries were archived.
    archived: BTreeSet<DigestId>,
}

/// A delivery's part in the queue before a commit and after it.
#[derive(Debug, Clone, Copy, Default)]
struct Touched {
    before: Option<Slot>,
    after: Option<Slot>,
}

/// Where an unfinished delivery stands in the queue, if it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Slot {
    class: Class,
    part: u32,
    due: DateTime<Utc>,
}

impl Slot {
    fn of(delivery: &Delivery) -> Option<Self> {
        let (class, due) = match &delivery.state {
            State::Available { at } => match delivery.doubt {
                Doubt::None => (Class::Available, *at),
                Doubt::Open | Doubt::Accepted => (Class::Doubted, *at),
            },
            State::Leased { until } => (Class::Leased, *until),
            State::Sent { .. } | State::Discarded { .. } => return None,
        };
        let part = delivery.next_part();
        Some(Self { class, part, due })
    }

    /// `id`: place, digest and revision as they are written.
    fn key(self, id: &[u8]) -> Key {
        // A place begins with its platform.
        let platform = id.split_inclusive(|&byte| byte == 1).next().unwrap_or_default();
        let table = Key::new(b'q').raw(platform).raw(&[self.class.code()]);
        table.num32(self.part).time(self.due).raw(id)
    }
}

/// What a key of the queue says behind its class.
struct Queued<'a> {
    part: u32,
    due: DateTime<Utc>,
    /// Place, digest and revision as they are written.
    id: &'a [u8],
}

impl<'a> Queued<'a> {
    fn read(key: &'a [u8], table: usize) -> Result<Self> {
        let mut reader = Reader(key.get(table..).unwrap_or_default());
        let read = reader.num32().and_then(|part| Some((part, reader.time()?)));
        let (part, due) = read.ok_or_else(|| bad_key(key))?;
        Ok(Self {
            part,
            due,
            id: reader.0,
        })
    }
}

/// The classes of the queue, in the order in which they are served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    /// Available, and its next part may have arrived: what settles it is forgotten soon.
    Doubted,
    Available,
    Leased,
}

impl Class {
    const ALL: [Self; 3] = [Self::Doubted, Self::Available, Self::Leased];

    fn code(self) -> u8 {
        match self {
            Self::Doubted => 0,
            Self::Available => 1,
            Self::Leased => 2,
        }
    }
}

/// How to go on in the queue.
enum Next {
    /// With the next part index.
    Part,
    /// Not at all.
    Nothing,
}

impl<'a> Draft<'a> {
    fn new(db: &'a Layered) -> Self {
        Self {
            db,
            changes: Changes::new(),
            touched: BTreeMap::new(),
            archived: BTreeSet::new(),
        }
    }

    fn get(&self, key: &[u8]) -> Result<Option<IVec>> {
        match self.changes.get(key) {
            Some(value) => Ok(value.clone()),
            None => self.db.get(key).map_err(broken),
        }
    }

    fn put(&mut self, key: Key, value: &[u8]) {
        self.changes.insert(key.0, Some(value.into()));
    }

    fn remove(&mut self, key: Vec<u8>) {
        self.changes.insert(key, None);
    }

    /// The keys that begin so, in order.
    fn keys(&self, prefix: &Key) -> Result<Vec<Vec<u8>>> {
        let mut keys = BTreeSet::new();
        for key in self.db.scan_prefix(prefix.bytes()).keys() {
            keys.insert(key.map_err(broken)?.to_vec());
        }
        for (key, value) in self.changed(prefix) {
            match value {
                Some(_) => keys.insert(key.clone()),
                None => keys.remove(key),
            };
        }
        Ok(keys.into_iter().collect())
    }

    /// The keys in this range, in order.
    fn keys_in<'k>(&self, range: impl RangeBounds<&'k [u8]> + Clone) -> Result<Vec<Vec<u8>>> {
        let mut keys = BTreeSet::new();
        for key in self.db.range(range.clone()).keys() {
            keys.insert(key.map_err(broken)?.to_vec());
        }
        let bounds = (
            range.start_bound().map(|key| key.to_vec()),
            range.end_bound().map(|key| key.to_vec()),
        );
        for (key, value) in self.changes.range(bounds) {
            match value {
                Some(_) => keys.insert(key.clone()),
                None => keys.remove(key),
            };
        }
        Ok(keys.into_iter().collect())
    }

    /// The first key that begins so.
    fn first(&self, prefix: &Key) -> Result<Option<Vec<u8>>> {
        self.first_of(prefix, self.db.scan_prefix(prefix.bytes()).keys())
    }

    /// The same, where the keys that are stored are being read already.
    fn first_of(&self, prefix: &Key, stored: impl Iterator<Item = ::sled::Result<IVec>>) -> Result<Option<Vec<u8>>> {
        let new = self
            .changed(prefix)
            .find(|(_, value)| value.is_some())
            .map(|(key, _)| key);
        for key in stored {
            let key = key.map_err(broken)?;
            if new.is_some_and(|new| new.as_slice() <= &*key) {
                break;
            }
            if !self.changes.contains_key(&*key) {
                return Ok(Some(key.to_vec()));
            }
        }
        Ok(new.cloned())
    }

    fn changed(&self, prefix: &Key) -> impl Iterator<Item = (&Vec<u8>, &Option<IVec>)> {
        let changes = self.changes.range(prefix.0.clone()..);
        let prefix = prefix.0.clone();
        changes.take_while(move |(key, _)| key.starts_with(&prefix))
    }

    /// Takes a record out, with all its pieces, and says what it was. `Some(Err(()))` is a damaged one.
    fn take<R: Record>(&mut self, key: &Key) -> Result<Option<std::result::Result<R, ()>>> {
        let Some(first) = self.get(key.bytes())? else {
            return Ok(None);
        };
        let bytes = joined(key.bytes(), &first, |piece| self.get(piece))?;
        let record = record::decode(&bytes).map_err(|_| ());
        self.remove_whole(key.bytes().to_vec(), &first);
        Ok(Some(record))
    }

    /// A record as it is now, if it is there and can be read.
    fn read<R: Record>(&self, key: &Key) -> Result<Option<R>> {
        let Some(first) = self.get(key.bytes())? else {
            return Ok(None);
        };
        let bytes = joined(key.bytes(), &first, |piece| self.get(piece))?;
        Ok(record::decode(&bytes).ok())
    }

    fn remove_record(&mut self, key: Vec<u8>) -> Result<()> {
        if let Some(first) = self.get(&key)? {
            self.remove_whole(key, &first);
        }
        Ok(())
    }

    fn remove_whole(&mut self, key: Vec<u8>, first: &[u8]) {
        for number in 1..=further(first) {
            self.remove(piece_key(&key, number));
        }
        self.remove(key);
    }

    /// Puts a record; what stood there before must have been taken out.
    fn put_record<R: Record>(&mut self, key: Key, record: R) -> Result<()> {
        let bytes = record::encode(record).map_err(|why| damaged(key.bytes(), why))?;
        self.put_bytes(key, &bytes)
    }

    /// As [`Self::put_record`], for what has its form already.
    fn put_bytes(&mut self, key: Key, bytes: &[u8]) -> Result<()> {
        let mut pieces = bytes.chunks(PIECE);
        let first = pieces.next().unwrap_or_default();
        let count = u16::try_from(pieces.len())
            .map_err(|_| damaged(key.bytes(), format!("it is too long ({} bytes)", bytes.len())))?;
        for (number, piece) in (1..=count).zip(pieces) {
            self.changes.insert(piece_key(key.bytes(), number), Some(piece.into()));
        }
        let mut value = Vec::with_capacity(2 + first.len());
        value.extend_from_slice(&count.to_be_bytes());
        value.extend_from_slice(first);
        self.changes.insert(key.0, Some(value.into()));
        Ok(())
    }

    fn replace_record<R: Record>(&mut self, key: Key, record: R) -> Result<()> {
        self.remove_record(key.bytes().to_vec())?;
        self.put_record(key, record)
    }

    /// Removes the index entries of a damaged record, which cannot say itself what they are.
    fn purge(&mut self, prefix: &Key, suffix: &[u8]) -> Result<()> {
        for key in self.keys(prefix)? {
            if key.ends_with(suffix) {
                self.remove(key);
            }
        }
        Ok(())
    }

    fn write(&mut self, write: Write) -> Result<()> {
        match write {
            Write::Paper(paper) => self.paper(*paper),
            Write::Alias { from, to } => self.alias(&from, &to),
            Write::Intake(record) => self.intake(record),
            Write::Window(record) => self.replace_record(Key::window(&record.window), record),
            Write::Content(record) => self.replace_record(Key::new(b'h').text(&record.hash), record),
            Write::Match(record) => self.replace_record(Key::matching(&record.score.topic, record.seq), *record),
            Write::ClearMatches { topic, after, upto } => self.clear_matches(&topic, after, upto),
            Write::TopicFingerprint { topic, fingerprint } => {
                self.put(Key::new(b't').text(&topic.0), &fingerprint.to_be_bytes());
                Ok(())
            }
            Write::Channel(channel) => self.channel(*channel),
            Write::RemoveChannel(place) => self.forget_channel(&place),
            Write::Digest(digest) => self.digest(*digest),
            Write::Errata(errata) => self.replace_record(Key::new(b'E').digest(&errata.digest), *errata),
            Write::Rendering { id, parts } => self.rendering(&id, parts),
            Write::Delivery(delivery) => self.delivery(*delivery),
            Write::RemoveDelivery(id) => self.forget_delivery(&id),
            Write::Archive(id) => self.archive(&id),
            Write::SetAside(id) => self.set_aside(&id),
            Write::Sent { place, at } => self.sent(&place, at),
            Write::ForgetSent { platform, before } => self.forget_sent(platform, before),
            Write::LimiterMemory { platform, memory } => {
                let key = Key::new(b'y').text(platform.name());
                self.remove_record(key.bytes().to_vec())?;
                self.put_bytes(key, memory.as_bytes())
            }
            Write::Memo { space, key, value } => {
                let key = Key::new(b'M').text(space.name()).text(&key);
                self.remove_record(key.bytes().to_vec())?;
                match value {
                    Some(value) => self.put_bytes(key, value.as_bytes()),
                    None => Ok(()),
                }
            }
            Write::Vote {
                person,
                paper,
                vote,
                at,
            } => self.vote(&person, &paper, vote.map(|vote| Ballot { vote, at })),
            Write::Save { person, paper, at } => self.save(&person, &paper, at),
            Write::Outdated { digest, due } => self.outdated(&digest, due),
            Write::Shown(digest) => self.shown(&digest),
        }
    }

    fn paper(&mut self, paper: Paper) -> Result<()> {
        self.forget_paper(&paper.id)?;
        let mut sketch = join::sketch(&paper);
        sketch.sort_unstable();
        sketch.dedup();
        let name = paper.id.to_string();
        for print in &sketch {
            self.put(Key::new(b'f').num(*print).text(&name), name.as_bytes());
        }
        self.put_record(Key::paper(&paper.id), PaperRecord { paper, sketch })
    }

    fn forget_paper(&mut self, id: &PaperId) -> Result<()> {
        let name = id.to_string();
        match self.take::<PaperRecord>(&Key::paper(id))? {
            Some(Ok(old)) => {
                for print in old.sketch {
                    self.remove(Key::new(b'f').num(print).text(&name).0);
                }
                Ok(())
            }
            Some(Err(())) => {
                for key in self.keys(&Key::new(b'f'))? {
                    // After the letter and the fingerprint only the name is left.
                    if key.get(9..) == Some(Key(Vec::new()).text(&name).bytes()) {
                        self.remove(key);
                    }
                }
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn alias_of(&self, name: &PaperId) -> Result<Option<PaperId>> {
        let found = self.get(Key::alias(name).bytes())?;
        found.map(|to| paper_name(&to)).transpose()
    }

    fn alias(&mut self, from: &PaperId, to: &PaperId) -> Result<()> {
        let mut name = Some(to.clone());
        while let Some(n) = name {
            if n == *from {
                return Ok(());
            }
            name = self.alias_of(&n)?;
        }
        self.forget_paper(from)?;
        let written = from.to_string();
        if let Some(before) = self.alias_of(from)? {
            self.remove(Key::aliases_to(&before).text(&written).0);
        }
        self.put(Key::alias(from), to.to_string().as_bytes());
        self.put(Key::aliases_to(to).text(&written), written.as_bytes());
        self.move_opinions(from, to)
    }

    fn intake(&mut self, record: IntakeRecord) -> Result<()> {
        let key = Key::intake(record.seq);
        match self.take::<IntakeRecord>(&key)? {
            Some(Ok(old)) => self.remove(Key::positions(&old.paper).num(old.seq).0),
            Some(Err(())) => self.purge(&Key::new(b'j'), &record.seq.to_be_bytes())?,
            None => {}
        }
        self.put(Key::positions(&record.paper).num(record.seq), &[]);
        self.put_record(key, record)
    }

    fn clear_matches(&mut self, topic: &TopicId, after: Seq, upto: Seq) -> Result<()> {
        if upto <= after {
            return Ok(());
        }
        let (first, last) = (Key::matching(topic, after + 1), Key::matching(topic, upto));
        for key in self.keys_in(first.bytes()..=last.bytes())? {
            self.remove_record(key)?;
        }
        Ok(())
    }

    fn channel(&mut self, channel: Channel) -> Result<()> {
        let followed = self.take_channel(&channel.place)?;
        if let (true, Some(due)) = (channel.activity.is_reachable(), channel.due()) {
            self.put(Key::new(b'n').time(due).place(&channel.place), &[]);
        }
        if let Some(named) = &channel.configured_as {
            self.put(Key::configured(named, &channel.place), &[]);
        }
        self.follow_rules(&channel.place, &followed, &channel.follows())?;
        self.put_record(Key::new(b'c').place(&channel.place), ChannelRecord::from(channel))
    }

    fn forget_channel(&mut self, place: &Place) -> Result<()> {
        let followed = self.take_channel(place)?;
        self.follow_rules(place, &followed, &BTreeMap::new())
    }

    /// Takes a channel out, with its entries in the indices by time and by configuration; the rules that it followed.
    fn take_channel(&mut self, place: &Place) -> Result<Vec<u64>> {
        match self.take::<ChannelRecord>(&Key::new(b'c').place(place))? {
            Some(Ok(ChannelRecord { channel: old, follows })) => {
                if let Some(due) = old.due() {
                    self.remove(Key::new(b'n').time(due).place(place).0);
                }
                if let Some(named) = &old.configured_as {
                    self.remove(Key::configured(named, place).0);
                }
                Ok(follows)
            }
            Some(Err(())) => {
                let written = Key(Vec::new()).place(place);
                for table in [b'n', b'C'] {
                    self.purge(&Key::new(table), written.bytes())?;
                }
                let keys = self.keys(&Key::new(b'S'))?;
                let of_place = keys.iter().filter(|key| key.get(1 + 8..) == Some(written.bytes()));
                of_place.map(|key| rule_of(key)).collect()
            }
            None => Ok(Vec::new()),
        }
    }

    /// A channel follows other rules than before. One that nobody follows any more goes; one that cannot be read is written
    /// anew.
    fn follow_rules(&mut self, place: &Place, before: &[u64], after: &BTreeMap<u64, &Rule>) -> Result<()> {
        for key in before.iter().filter(|key| !after.contains_key(key)) {
            let followers = Key::new(b'S').num(*key);
            self.remove(followers.clone().place(place).0);
            if self.first(&followers)?.is_none() {
                self.remove_record(Key::new(b'R').num(*key).0)?;
            }
        }
        for (&key, &rule) in after {
            if !before.contains(&key) {
                self.put(Key::new(b'S').num(key).place(place), &[]);
            }
            let record = Key::new(b'R').num(key);
            if self
                .read::<RuleRecord>(&record)?
                .is_none_or(|stored| stored.rule != *rule)
            {
                let rule = rule.anonymous();
                self.replace_record(record, RuleRecord { rule })?;
            }
        }
        Ok(())
    }

    fn digest(&mut self, digest: Digest) -> Result<()> {
        let key = Key::new(b'g').digest(&digest.id);
        match self.take::<Digest>(&key)? {
            Some(Ok(old)) => {
                for entry in &old.entries {
                    self.remove(Key::digests_with(&entry.paper).digest(&old.id).0);
                }
            }
            Some(Err(())) => self.purge(&Key::new(b'o'), Key(Vec::new()).digest(&digest.id).bytes())?,
            None => {}
        }
        for entry in &digest.entries {
            self.put(Key::digests_with(&entry.paper).digest(&digest.id), &[]);
        }
        self.put_record(key, digest)
    }

    fn rendering(&mut self, id: &RenderingId, parts: Vec<Part>) -> Result<()> {
        let key = Key::rendering(id);
        for old in self.keys(&key)? {
            self.remove_record(old)?;
        }
        for (index, part) in (0..).zip(parts) {
            self.put_record(key.clone().num32(index), part)?;
        }
        Ok(())
    }

    fn delivery(&mut self, delivery: Delivery) -> Result<()> {
        let key = Key::delivery(b'd', &delivery.id);
        let old = self.take_delivery(&key, &delivery.id)?;
        self.follow(&delivery.id, old.as_ref(), Some(&delivery));
        self.put_record(key, delivery)
    }

    fn forget_delivery(&mut self, id: &DeliveryId) -> Result<()> {
        let key = Key::delivery(b'd', id);
        if let Some(old) = self.take_delivery(&key, id)? {
            self.follow(id, Some(&old), None);
            let posted = !id.is_correction();
            for message in old.message_ids.iter().filter(|id| posted && !id.is_empty()) {
                self.remove(Key::message(id, message).0);
            }
        }
        self.remove_record(key.0)
    }

    fn set_aside(&mut self, id: &DeliveryId) -> Result<()> {
        let key = Key::delivery(b'd', id);
        let Some(first) = self.get(key.bytes())? else {
            return Ok(());
        };
        let bytes = joined(key.bytes(), &first, |piece| self.get(piece))?;
        if record::decode::<Delivery>(&bytes).is_ok() {
            return Ok(());
        }
        self.forget_delivery(id)?;
        let aside = Key::delivery(b'z', id);
        self.remove_record(aside.bytes().to_vec())?;
        self.put_bytes(aside, &bytes)
    }

    fn archive(&mut self, id: &DeliveryId) -> Result<()> {
        self.archived.insert(id.digest);
        let key = Key::delivery(b'd', id);
        let Some(delivery) = self.read::<Delivery>(&key)? else {
            return Ok(());
        };
        if super::ended(&delivery).is_none() {
            return Ok(());
        }
        let of_digest = Key::new(b's').digest(&id.digest);
        let summary = self.read::<DigestSummary>(&of_digest)?;
        let mut summary = summary.unwrap_or_else(|| DigestSummary::new(id.digest));
        summary.add(&delivery);
        self.replace_record(of_digest, summary)?;
        self.follow(id, Some(&delivery), None);
        self.remove_record(key.0)
    }

    /// A delivery as it is now. What it has beyond its first piece is taken out; that one is for the caller, who puts the
    /// new state in its place. Of a damaged one, which cannot say itself what its index entries are, they are all removed
    /// here.
    fn take_delivery(&mut self, key: &Key, id: &DeliveryId) -> Result<Option<Delivery>> {
        let Some(first) = self.get(key.bytes())? else {
            return Ok(None);
        };
        let bytes = joined(key.bytes(), &first, |piece| self.get(piece))?;
        let delivery = record::decode::<Delivery>(&bytes);
        for number in 1..=further(&first) {
            self.remove(piece_key(key.bytes(), number));
        }
        if let Ok(delivery) = delivery {
            return Ok(Some(delivery));
        }
        let written = key.bytes().get(1..).unwrap_or_default();
        self.touched.entry(written.to_vec()).or_default();
        if !id.is_correction() {
            self.purge(
                &Key::new(b'k').place(&id.place),
                Key(Vec::new()).digest(&id.digest).bytes(),
            )?;
        }
        for table in *b"eqx" {
            self.purge(&Key::new(table), written)?;
        }
        self.remove(Key::delivery(b'u', id).0);
        self.remove(Key::of_digest(id).0);
        Ok(None)
    }

    /// Brings the index entries of a delivery from its old state to the new one. Where it is removed, those of its messages
    /// are left to the caller.
    fn follow(&mut self, id: &DeliveryId, old: Option<&Delivery>, new: Option<&Delivery>) {
        // A correction has the ids of its post's messages.
        if let Some(new) = new.filter(|_| !id.is_correction()) {
            let [before, after] = [old.map_or(&[][..], |old| &old.message_ids), &new.message_ids];
            // As a rule the new state has what the old one had, and one more.
            let same = before.iter().zip(after).take_while(|(b, a)| b == a).count();
            for message in before
                .iter()
                .skip(same)
                .filter(|id| !id.is_empty() && !after.contains(id))
            {
                self.remove(Key::message(id, message).0);
            }
            for message in after.iter().skip(same).filter(|id| !id.is_empty()) {
                self.put(Key::message(id, message), &[]);
            }
        }
        let [before, after] = [old, new].map(|delivery| delivery.map(Stage::of));
        if before != after {
            let before = before.map(|stage| stage.keys(id)).unwrap_or_default();
            let after = after.map(|stage| stage.keys(id)).unwrap_or_default();
            for key in before.iter().filter(|key| !after.contains(key)) {
                self.remove(key.clone());
            }
            for key in after.into_iter().filter(|key| !before.contains(key)) {
                self.put(Key(key), &[]);
            }
        }
        let [before, after] = [old, new].map(|delivery| delivery.and_then(Slot::of));
        let touched = self.touched.entry(Key(Vec::new()).delivery_id(id).0);
        touched.or_insert(Touched { before, after: None }).after = after;
    }

    /// Lets the queue follow: it has the earliest unfinished delivery of each place if that is available, and whatever is
    /// leased.
    fn queue(&mut self) -> Result<()> {
        let mut all = std::mem::take(&mut self.touched).into_iter().peekable();
        while let Some((id, touched)) = all.next() {
            let place = place_of(&id).ok_or_else(|| bad_key(&id))?;
            let mut of_place = vec![(id.clone(), touched)];
            while let Some(another) = all.next_if(|(other, _)| place_of(other) == Some(place)) {
                of_place.push(another);
            }
            self.queue_place(place, of_place)?;
        }
        Ok(())
    }

    fn queue_place(&mut self, place: &[u8], mut touched: Vec<(Vec<u8>, Touched)>) -> Result<()> {
        let unfinished = Key::new(b'u').raw(place);
        let id_of = |key: &[u8]| key.get(1..).unwrap_or_default().to_vec();
        let mut stored = self.db.scan_prefix(unfinished.bytes()).keys();
        let first = stored.next().transpose().map_err(broken)?;
        let head_before = first.as_ref().map(|key| id_of(key));
        let head_after = if self.changed(&unfinished).next().is_none() {
            head_before.clone()
        } else {
            let stored = first.map(Ok).into_iter().chain(stored);
            self.first_of(&unfinished, stored)?.map(|key| id_of(&key))
        };
        if head_before != head_after {
            for head in [&head_before, &head_after].into_iter().flatten() {
                if touched.iter().all(|(id, _)| id != head) {
                    let delivery = self.read::<Delivery>(&Key::new(b'd').raw(head))?;
                    let slot = delivery.as_ref().and_then(Slot::of);
                    let (before, after) = (slot, slot);
                    touched.push((head.clone(), Touched { before, after }));
                }
            }
        }
        for (id, Touched { before, after }) in touched {
            let stands = |slot: &Slot, head: &Option<Vec<u8>>| match slot.class {
                Class::Doubted | Class::Available => head.as_ref() == Some(&id),
                Class::Leased => true,
            };
            let before = before.filter(|slot| stands(slot, &head_before));
            let after = after.filter(|slot| stands(slot, &head_after));
            if before != after {
                if let Some(slot) = before {
                    self.remove(slot.key(&id).0);
                }
                if let Some(slot) = after {
                    self.put(slot.key(&id), &[]);
                }
            }
        }
        Ok(())
    }

    /// Removes the renderings of digests whose deliveries are all archived.
    fn forget_renderings(&mut self) -> Result<()> {
        for digest in std::mem::take(&mut self.archived) {
            if self.first(&Key::new(b'v').digest(&digest))?.is_none() {
                for part in self.keys(&Key::new(b'r').digest(&digest))? {
                    self.remove_record(part)?;
                }
            }
        }
        Ok(())
    }

    fn sent(&mut self, place: &Place, at: DateTime<Utc>) -> Result<()> {
        let sent = Key::new(b'l').text(place.platform().name()).time(at).text(place.chat());
        // Several of one chat at the same instant are told apart by a number.
        let mut number = 0;
        while self.get(sent.clone().num32(number).bytes())?.is_some() {
            number += 1;
        }
        self.put(sent.num32(number), &[]);
        Ok(())
    }

    fn forget_sent(&mut self, platform: Platform, before: DateTime<Utc>) -> Result<()> {
        let table = Key::new(b'l').text(platform.name());
        let end = table.clone().time(before);
        for key in self.keys_in(table.bytes()..end.bytes())? {
            self.remove(key);
        }
        Ok(())
    }
}

/// Of a delivery's state what its entries in the indices follow from, those of its messages and of the queue aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stage {
    unfinished: bool,
    ended: Option<DateTime<Utc>>,
    dead: Option<DateTime<Utc>>,
}

impl Stage {
    fn of(delivery: &Delivery) -> Self {
        Self {
            unfinished: !delivery.is_finished(),
            ended: super::ended(delivery),
            dead: delivery.dead_since(),
        }
    }

    fn keys(self, id: &DeliveryId) -> Vec<Vec<u8>> {
        let mut keys = vec![Key::of_digest(id).0];
        if self.unfinished {
            keys.push(Key::delivery(b'u', id).0);
        }
        if let Some(at) = self.ended {
            keys.push(Key::new(b'e').time(at).delivery_id(id).0);
        }
        if let Some(since) = self.dead {
            keys.push(Key::dead(since, id).0);
        }
        keys
    }
}

/// A key in the making, see the table at the top.
#[derive(Debug, Clone)]
struct Key(Vec<u8>);

impl Key {
    fn new(table: u8) -> Self {
        let mut key = Vec::with_capacity(64);
        key.push(table);
        Self(key)
    }

    fn paper(id: &PaperId) -> Self {
        Self::new(b'p').text(&id.to_string())
    }

    fn alias(name: &PaperId) -> Self {
        Self::new(b'a').text(&name.to_string())
    }

    fn aliases_to(real: &PaperId) -> Self {
        Self::new(b'b').text(&real.to_string())
    }

    fn configured(named: &Place, place: &Place) -> Self {
        Self::new(b'C').place(named).place(place)
    }

    fn intake(seq: Seq) -> Self {
        Self::new(b'i').num(seq)
    }

    fn positions(paper: &PaperId) -> Self {
        Self::new(b'j').text(&paper.to_string())
    }

    fn digests_with(paper: &PaperId) -> Self {
        Self::new(b'o').text(&paper.to_string())
    }

    fn queue(platform: Platform, class: Class) -> Self {
        Self::new(b'q').text(platform.name()).raw(&[class.code()])
    }

    fn matching(topic: &TopicId, seq: Seq) -> Self {
        Self::new(b'm').text(&topic.0).num(seq)
    }

    fn window(window: &Window) -> Self {
        Self::new(b'w')
            .text(window.source.name())
            .time(window.from)
            .time(window.to)
    }

    fn delivery(table: u8, id: &DeliveryId) -> Self {
        Self::new(table).delivery_id(id)
    }

    fn of_digest(id: &DeliveryId) -> Self {
        Self::new(b'v')
            .digest(&id.digest)
            .place(&id.place)
            .revision(id.revision)
    }

    fn message(id: &DeliveryId, message: &str) -> Self {
        Self::new(b'k').place(&id.place).text(message).digest(&id.digest)
    }

    fn dead(since: DateTime<Utc>, id: &DeliveryId) -> Self {
        let instant = Key(Vec::new()).time(since).0;
        let latest_first: Vec<u8> = instant.into_iter().map(|byte| !byte).collect();
        Self::new(b'x').raw(&latest_first).delivery_id(id)
    }

    fn rendering(id: &RenderingId) -> Self {
        let style = id.style.name();
        let form = match id.revision {
            0 => style.to_owned(),
            revision => format!("{style}~{revision}"),
        };
        Self::new(b'r')
            .digest(&id.digest)
            .text(id.platform.name())
            .text(id.lang.code())
            .text(&form)
            .text(id.zone.name())
    }

    fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    fn num(self, number: u64) -> Self {
        self.raw(&number.to_be_bytes())
    }

    fn num32(self, number: u32) -> Self {
        self.raw(&number.to_be_bytes())
    }

    fn text(mut self, text: &str) -> Self {
        for &byte in text.as_bytes() {
            self.0.push(byte);
            if byte == 0 {
                self.0.push(0xFF);
            }
        }
        self.raw(&[0, 1])
    }

    fn time(self, at: DateTime<Utc>) -> Self {
        self.num(at.timestamp().cast_unsigned() ^ SIGN)
            .num32(at.timestamp_subsec_nanos())
    }

    fn digest(self, id: &DigestId) -> Self {
        self.time(id.occurrence).num(id.set)
    }

    fn revision(self, revision: u32) -> Self {
        match revision {
            0 => self,
            revision => self.num32(revision),
        }
    }

    fn delivery_id(self, id: &DeliveryId) -> Self {
        self.place(&id.place).digest(&id.digest).revision(id.revision)
    }

    fn place(self, place: &Place) -> Self {
        let key = self.text(place.platform().name()).text(place.chat());
        match place.thread() {
            None => key.raw(&[0]),
            Some(thread) => key.raw(&[1]).num32(thread.cast_unsigned() ^ (1 << 31)),
        }
    }

    fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The first key after all that begin with this one.
    fn end(mut self) -> Vec<u8> {
        while let Some(last) = self.0.pop() {
            if let Some(next) = last.checked_add(1) {
                self.0.push(next);
                break;
            }
        }
        self.0
    }
}

const NO_NUMBER: &str = "it is not a number of eight bytes";
const NO_TEXT: &str = "it is no text";
const SIGN: u64 = 1 << 63;

/// Reads what [`Key`] has written.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*head)
    }

    fn num(&mut self) -> Option<u64> {
        self.take().map(u64::from_be_bytes)
    }

    fn num32(&mut self) -> Option<u32> {
        self.take().map(u32::from_be_bytes)
    }

    fn time(&mut self) -> Option<DateTime<Utc>> {
        let seconds = (self.num()? ^ SIGN).cast_signed();
        DateTime::from_timestamp(seconds, self.num32()?)
    }

    fn digest(&mut self) -> Option<DigestId> {
        let occurrence = self.time()?;
        let set = self.num()?;
        Some(DigestId { set, occurrence })
    }

    fn text(&mut self) -> Option<String> {
        let mut bytes = Vec::new();
        loop {
            match self.take()? {
                [0] => match self.take()? {
                    [0xFF] => bytes.push(0),
                    [_] => return String::from_utf8(bytes).ok(),
                },
                [byte] => bytes.push(byte),
            }
        }
    }

    fn place(&mut self) -> Option<String> {
        let place = format!("{}:{}", self.text()?, self.text()?);
        Some(match self.thread()? {
            None => place,
            Some(thread) => format!("{place}/{thread}"),
        })
    }

    fn thread(&mut self) -> Option<Option<i32>> {
        match self.take()? {
            [0] => Some(None),
            [_] => Some(Some((self.num32()? ^ (1 << 31)).cast_signed())),
        }
    }

    fn delivery(&mut self) -> Option<DeliveryId> {
        let place = self.place()?.parse().ok()?;
        let digest = self.digest()?;
        let revision = self.revision()?;
        Some(DeliveryId {
            place,
            digest,
            revision,
        })
    }

    /// At the end of a key.
    fn revision(&mut self) -> Option<u32> {
        if self.0.is_empty() {
            return Some(0);
        }
        self.num32()
    }
}

/// A record's key as people would say it.
fn readable_key(key: &[u8]) -> String {
    let (table, rest) = key.split_first().map_or((0, key), |(t, rest)| (*t, rest));
    let mut r = Reader(rest);
    let mut read = || {
        Some(match table {
            b'c' => format!("channel {}", r.place()?),
            b'R' => format!("rule {:016x}", r.num()?),
            b'd' => format!("delivery {}", r.delivery()?),
            b'z' => format!("delivery {}, set aside", r.delivery()?),
            b'g' => format!("digest {}", r.digest()?),
            b'h' => format!("content {}", r.text()?),
            b'i' => format!("intake {}", r.num()?),
            b'm' => format!("match {} {}", r.text()?, r.num()?),
            b'p' => format!("paper {}", r.text()?),
            b'r' => {
                let (digest, platform, lang, style, zone) = (r.digest()?, r.text()?, r.text()?, r.text()?, r.text()?);
                format!(
                    "part {} of {digest}|{platform}|{lang}|{style}|{zone}",
                    u64::from(r.num32()?) + 1
                )
            }
            b's' => format!("summary of digest {}", r.digest()?),
            b't' => format!("topic fingerprint {}", r.text()?),
            b'w' => {
                let (source, from, to) = (r.text()?, r.time()?, r.time()?);
                format!("window {source} {} – {}", from.to_rfc3339(), to.to_rfc3339())
            }
            b'y' => format!("limiter memory {}", r.text()?),
            b'M' => format!("note {} {}", r.text()?, r.text()?),
            b'E' => format!("errata of digest {}", r.digest()?),
            b'V' => format!("vote on {} by {}", r.text()?, r.text()?),
            b'T' => format!("tally of {}", r.text()?),
            b'K' => format!("{} saved by {}", r.text()?, r.text()?),
            _ => return None,
        })
    };
    read().unwrap_or_else(|| key.escape_ascii().to_string())
}

fn damaged(key: &[u8], reason: String) -> StoreError {
    StoreError::Damaged {
        key: readable_key(key),
        reason,
    }
}

fn broken(error: ::sled::Error) -> StoreError {
    StoreError::Broken(error.to_string())
}

fn number(bytes: &[u8]) -> Option<u64> {
    bytes.try_into().ok().map(u64::from_be_bytes)
}

/// The rule at the head of a key of the tables `R` and `S`.
fn rule_of(key: &[u8]) -> Result<u64> {
    Reader(key.get(1..).unwrap_or_default())
        .num()
        .ok_or_else(|| bad_key(key))
}

fn last_number(key: &[u8]) -> Result<u64> {
    let found = key.last_chunk().map(|bytes| u64::from_be_bytes(*bytes));
    found.ok_or_else(|| bad_key(key))
}

fn last_digest(key: &[u8]) -> Result<DigestId> {
    let found = key.last_chunk::<DIGEST>().and_then(|bytes| Reader(bytes).digest());
    found.ok_or_else(|| bad_key(key))
}

/// The place at the head of a delivery's id as it is written.
fn place_of(id: &[u8]) -> Option<&[u8]> {
    let mut reader = Reader(id);
    reader.place()?;
    id.get(..id.len() - reader.0.len())
}

/// Of a key of the table `n`: the instant behind the first `table` bytes, and the place as it is written.
fn due_and_place(key: &[u8], table: usize) -> Result<(DateTime<Utc>, &[u8])> {
    let mut reader = Reader(key.get(table..).unwrap_or_default());
    let due = reader.time().ok_or_else(|| bad_key(key))?;
    Ok((due, reader.0))
}

fn bad_key(key: &[u8]) -> StoreError {
    damaged(key, "its key has not the form of its kind".to_owned())
}

fn paper_name(written: &[u8]) -> Result<PaperId> {
    let parsed = std::str::from_utf8(written)
        .ok()
        .and_then(|name| PaperId::try_from(name.to_owned()).ok());
    parsed.ok_or_else(|| StoreError::Damaged {
        key: format!("name {}", written.escape_ascii()),
        reason: "it is no paper's name".to_owned(),
    })
}

/// How many pieces follow the one that stands under the record's own key: its first two bytes say.
fn further(first: &[u8]) -> u16 {
    first.first_chunk().map_or(0, |bytes| u16::from_be_bytes(*bytes))
}

fn piece_key(key: &[u8], number: u16) -> Vec<u8> {
    let mut piece = Vec::with_capacity(key.len() + 3);
    piece.push(b'~');
    piece.extend_from_slice(key);
    piece.extend_from_slice(&number.to_be_bytes());
    piece
}

/// A record's bytes. Where a piece is missing, the rest will not parse, and the record is named as damaged.
fn joined<'a>(key: &[u8], first: &'a [u8], get: impl Fn(&[u8]) -> Result<Option<IVec>>) -> Result<Cow<'a, [u8]>> {
    let first_piece = first.get(2..).unwrap_or_default();
    let count = further(first);
    if count == 0 {
        return Ok(Cow::Borrowed(first_piece));
    }
    let mut bytes = first_piece.to_vec();
    for number in 1..=count {
        let piece = get(&piece_key(key, number))?;
        bytes.extend_from_slice(piece.as_deref().unwrap_or_default());
    }
    Ok(Cow::Owned(bytes))
}

/// Whoever wrote what is there now may not have lived to sync it, and the files' names have to last as well. Returns sled's
/// log.
fn make_durable(dir: &Path, db: &Db) -> std::result::Result<File, OpenError> {
    let failed = |source| refused(dir.display().to_string(), source);
    db.flush().map_err(|e| open_error(dir, e))?;
    let log = File::open(dir.join("db")).map_err(failed)?;
    log.sync_all().map_err(failed)?;
    File::open(dir).and_then(|d| d.sync_all()).map_err(failed)?;
    Ok(log)
}

/// Opens the tree, whatever a crash has left of its snapshots.
fn open_repaired(dir: &Path, every_ms: Option<u64>) -> std::result::Result<Db, OpenError> {
    let failed = |source| refused(dir.display().to_string(), source);
    remove_unfinished_snapshots(dir).map_err(failed)?;
    let db = match open_db(dir, every_ms) {
        Err(::sled::Error::Corruption { .. }) if put_snapshots_aside(dir).map_err(failed)? => open_db(dir, every_ms),
        other => other,
    };
    db.map_err(|e| open_error(dir, e))
}

/// Puts a fresh copy in the place of the folder, which nobody else has open. Whatever fails, there is a whole store in the
/// folder afterwards.
fn compact(dir: &Path, db: Db) -> std::result::Result<Compaction, OpenError> {
    let before = space::folder_bytes(dir);
    let mut live = 0;
    let copied = Step::Copy.run(dir, |_, to| {
        live = copy_to(&db, to)?;
        Ok(())
    });
    drop(db);
    // Until sled's threads are gone.
    lock(dir)?;
    let done = copied.and_then(|()| {
        Step::ALL
            .into_iter()
            .skip(1)
            .try_for_each(|step| step.run(dir, |_, _| Ok(())))
    });
    space::recover(dir).map_err(|source| refused(dir.display().to_string(), source))?;
    let bytes = done.and_then(|()| Ok((before?, space::folder_bytes(dir)?)));
    Ok(match bytes {
        Ok((before, folder)) => Compaction::Done {
            before,
            now: Space { folder, live },
        },
        Err(e) => Compaction::Failed { reason: e.to_string() },
    })
}

/// Copies all that a store holds into a new folder, durably; returns how many bytes that are.
fn copy_to(db: &Db, to: &Path) -> io::Result<u64> {
    fs::create_dir_all(to)?;
    let copy = open_db(to, None).map_err(io::Error::from)?;
    let live = space::copy(db, &copy, &[WASTED_KEY, FRESH_KEY]).map_err(io::Error::from)?;
    drop(copy);
    lock(to).map_err(io::Error::other)?;
    for entry in fs::read_dir(to)? {
        File::open(entry?.path())?.sync_all()?;
    }
    File::open(to)?.sync_all()?;
    Ok(live)
}

fn open_db(dir: &Path, flush_every_ms: Option<u64>) -> ::sled::Result<Db> {
    ::sled::Config::new()
        .path(dir)
        .cache_capacity(CACHE_BYTES)
        .flush_every_ms(flush_every_ms)
        .open()
}

/// Waits for the lock and gives it back: sled takes it itself, but nothing may be removed under the hands of somebody
/// who has it.
pub(super) fn lock(dir: &Path) -> std::result::Result<(), OpenError> {
    let failed = |source| refused(dir.display().to_string(), source);
    let log = match File::open(dir.join("db")) {
        Ok(log) => log,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(failed(e)),
    };
    for _ in 0..LOCK_TRIES {
        match log.try_lock() {
            Ok(()) => return log.unlock().map_err(failed),
            Err(TryLockError::WouldBlock) => std::thread::sleep(LOCK_PAUSE),
            Err(TryLockError::Error(e)) => return Err(failed(e)),
        }
    }
    Err(OpenError::Locked {
        dir: dir.display().to_string(),
    })
}

fn snapshots(dir: &Path) -> io::Result<Vec<std::path::PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with("snap.") {
            found.push(entry.path());
        }
    }
    Ok(found)
}

fn remove_unfinished_snapshots(dir: &Path) -> io::Result<()> {
    let unfinished = |path: &std::path::PathBuf| path.extension().is_some_and(|e| e == "generating");
    snapshots(dir)?
        .iter()
        .filter(|p| unfinished(p))
        .try_for_each(fs::remove_file)
}

/// Returns whether there were any.
fn put_snapshots_aside(dir: &Path) -> io::Result<bool> {
    let found = snapshots(dir)?;
    for path in &found {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        fs::rename(path, dir.join(format!("aside.{name}")))?;
    }
    Ok(!found.is_empty())
}

fn check_format(dir: &Path, db: &Db) -> std::result::Result<(), OpenError> {
    let refuse = |reason: String, advice| {
        Err(OpenError::Damaged {
            dir: dir.display().to_string(),
            reason,
            advice,
        })
    };
    match db.get(FORMAT_KEY).map_err(|e| open_error(dir, e))? {
        Some(found) => match number(&found) {
            Some(found @ 1..FORMAT) => migrate(found, db).map_err(|e| match e {
                StoreError::Damaged { key, reason } => OpenError::Damaged {
                    dir: dir.display().to_string(),
                    reason: format!("{key}: {reason}"),
                    advice: RESTORE,
                },
                StoreError::Broken(reason) => OpenError::Io {
                    dir: dir.display().to_string(),
                    source: io::Error::other(reason),
                },
            }),
            Some(FORMAT) => Ok(()),
            Some(0) => refuse("its format is 0".to_owned(), RESTORE),
            Some(newer) => refuse(
                format!("its format is {newer}, and this program knows those up to {FORMAT}"),
                "start the newer version of Paperwire that wrote it",
            ),
            None => refuse("its format is not a number".to_owned(), RESTORE),
        },
        None if db.is_empty() => {
            let written = db.insert(FORMAT_KEY, &FORMAT.to_be_bytes());
            written.map(|_| ()).map_err(|e| open_error(dir, e))
        }
        None => refuse(
            "it is a sled database of another program".to_owned(),
            "name another folder",
        ),
    }
}

/// How many deliveries are migrated in one batch.
const MIGRATED: usize = 1_000;

/// From an older format to that of today. Until the last step the data say that they are of the old format, so that a
/// crash begins it again.
fn migrate(found: u64, db: &Db) -> Result<()> {
    if found < 3 {
        migrate_deliveries(db)?;
        migrate_digests(db)?;
    }
    migrate_channels(db)?;
    db.insert(FORMAT_KEY, &FORMAT.to_be_bytes()).map(drop).map_err(broken)
}

/// Every index that is made from deliveries anew.
fn migrate_deliveries(db: &Db) -> Result<()> {
    let apply = |batch: &mut Batch| db.apply_batch(std::mem::take(batch)).map_err(broken);
    let mut batch = Batch::default();
    let old: Vec<IVec> = db
        .scan_prefix(b"q")
        .keys()
        .collect::<::sled::Result<_>>()
        .map_err(broken)?;
    for some in old.chunks(MIGRATED) {
        some.iter().for_each(|key| batch.remove(key));
        apply(&mut batch)?;
    }
    let mut head_of = None;
    for (number, entry) in (1..).zip(db.scan_prefix(b"d")) {
        let (key, first) = entry.map_err(broken)?;
        let id = key.get(1..).unwrap_or_default();
        let place = place_of(id).ok_or_else(|| bad_key(&key))?;
        let issue = id.get(place.len()..).unwrap_or_default();
        let (digest, revision) = issue.split_at(DIGEST.min(issue.len()));
        let unfinished = Key::new(b'u').raw(id);
        let bytes = joined(&key, &first, |piece| db.get(piece).map_err(broken))?;
        batch.insert(Key::new(b'v').raw(digest).raw(place).raw(revision).bytes(), &[]);
        if let Ok(delivery) = record::decode::<Delivery>(&bytes) {
            for key in Stage::of(&delivery).keys(&delivery.id) {
                batch.insert(key, &[]);
            }
            if let Some(slot) = Slot::of(&delivery)
                && (slot.class == Class::Leased || head_of.as_deref() != Some(place))
            {
                batch.insert(slot.key(id).bytes(), &[]);
            }
        }
        if head_of.as_deref() != Some(place) && db.contains_key(unfinished.bytes()).map_err(broken)? {
            head_of = Some(place.to_vec());
        }
        if number % MIGRATED == 0 {
            apply(&mut batch)?;
        }
    }
    apply(&mut batch)
}

/// The index of digests by paper.
fn migrate_digests(db: &Db) -> Result<()> {
    let mut batch = Batch::default();
    for entry in db.scan_prefix(b"g") {
        let (key, first) = entry.map_err(broken)?;
        let bytes = joined(&key, &first, |piece| db.get(piece).map_err(broken))?;
        if let Ok(digest) = record::decode::<Digest>(&bytes) {
            for entry in &digest.entries {
                batch.insert(Key::digests_with(&entry.paper).digest(&digest.id).bytes(), &[]);
            }
            db.apply_batch(std::mem::take(&mut batch)).map_err(broken)?;
        }
    }
    Ok(())
}

/// The index of channels by their places in the configuration, and their rules.
fn migrate_channels(db: &Db) -> Result<()> {
    let put = |key: Key, value: &[u8]| db.insert(key.bytes(), value).map(drop).map_err(broken);
    for entry in db.scan_prefix(b"c") {
        let (key, first) = entry.map_err(broken)?;
        let bytes = joined(&key, &first, |piece| db.get(piece).map_err(broken))?;
        // What cannot be read is named when it is asked for.
        let Ok(ChannelRecord { channel, .. }) = record::decode(&bytes) else {
            continue;
        };
        if let Some(named) = &channel.configured_as {
            put(Key::configured(named, &channel.place), &[])?;
        }
        for (key, rule) in channel.follows() {
            put(Key::new(b'S').num(key).place(&channel.place), &[])?;
            let rule = rule.anonymous();
            let record = Key::new(b'R').num(key);
            let encoded = record::encode(RuleRecord { rule }).map_err(|why| damaged(record.bytes(), why))?;
            // A rule is shorter than a piece, so that none follows.
            put(record, &[&[0, 0], encoded.as_slice()].concat())?;
        }
    }
    Ok(())
}

const RESTORE: &str = "put a backup in its place, or move it away to begin anew; do not delete it before";

fn open_error(dir: &Path, error: ::sled::Error) -> OpenError {
    let dir = dir.display().to_string();
    match error {
        // sled says it in words alone.
        ::sled::Error::Io(e) if e.to_string().contains("could not acquire lock") => OpenError::Locked { dir },
        ::sled::Error::Io(source) => refused(dir, source),
        other @ (::sled::Error::Corruption { .. }
        | ::sled::Error::CollectionNotFound(_)
        | ::sled::Error::Unsupported(_)
        | ::sled::Error::ReportableBug(_)) => OpenError::Damaged {
            dir,
            reason: other.to_string(),
            advice: RESTORE,
        },
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::super::exercise::tests::any_commits;
    use super::super::exercise::{exercise, names_it};
    use super::*;
    use crate::channel::{Activity, Platform, Settings, WhenEmpty};
    use crate::delivery::State;
    use crate::locale::Lang;
    use crate::paper::Field;
    use crate::source::SourceKind;
    use crate::subscription::Subjects;

    fn at(minute: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_760_000_000 + minute * 60, 0).unwrap()
    }

    fn channel(place: &str, due: i64) -> Channel {
        Channel {
            place: place.parse().unwrap(),
            settings: Settings {
                subjects: Subjects::default(),
                schedule: None,
                timezone: chrono_tz::UTC,
                language: Lang::En,
                when_empty: WhenEmpty::Say,
                missed: crate::channel::Missed::Merge,
                weekly: None,
                style: crate::channel::Style::Compact,
            },
            cursor: 0,
            last_fired: None,
            next_due: Some(at(due)),
            last_weekly: None,
            weekly_due: None,
            activity: Activity::Active,
            added_at: at(0),
            configured_as: None,
            configured_with: None,
            owner: None,
            resting: Subjects::default(),
            mentions: Vec::new(),
        }
    }

    fn delivery(chat: i64, day: i64) -> Delivery {
        let digest = DigestId {
            set: 1,
            occurrence: at(day * 1440),
        };
        let rendering = RenderingId {
            digest,
            platform: Platform::Telegram,
            lang: Lang::En,
            style: crate::channel::Style::Compact,
            zone: chrono_tz::UTC,
            revision: 0,
        };
        let place = Place::telegram(chat, None);
        Delivery::new(DeliveryId::post(place, digest), rendering, 1, at(day))
    }

    fn send(delivery: Delivery) -> Write {
        Write::Delivery(Box::new(delivery))
    }

    fn put(channel: Channel) -> Write {
        Write::Channel(Box::new(channel))
    }

    fn spoil(store: &SledStore, key: &Key) {
        assert!(store.db.insert(key.bytes(), b"\0\0v1 {\"pla").unwrap().is_some());
    }

    #[test]
    fn sled_keeps_every_promise() {
        let root = tempfile::tempdir().unwrap();
        let number = AtomicUsize::new(0);
        exercise(&mut || {
            let name = number.fetch_add(1, Ordering::Relaxed).to_string();
            Box::new(SledStore::open(&root.path().join(name)).unwrap())
        });
    }

    #[test]
    fn a_second_open_of_the_same_folder_says_that_it_is_in_use() {
        let dir = tempfile::tempdir().unwrap();
        let store = SledStore::open(dir.path()).unwrap();
        let second = SledStore::open(dir.path());
        assert!(matches!(second, Err(OpenError::Locked { .. })), "{second:?}");
        store.commit(vec![put(channel("web:a", 1))]).unwrap();
        drop(store);
        let third = SledStore::open(dir.path()).unwrap();
        assert_eq!(third.channels().unwrap(), [channel("web:a", 1)]);
    }

    #[test]
    fn what_is_left_of_an_unfinished_snapshot_does_not_prevent_opening() {
        for remains in [&b""[..], b"\x01\x02\x03"] {
            for name in ["snap.123.generating", "snap.00000000000000FF"] {
                let dir = tempfile::tempdir().unwrap();
                let store = SledStore::open(dir.path()).unwrap();
                store.commit(vec![put(channel("web:a", 1))]).unwrap();
                drop(store);
                fs::write(dir.path().join(name), remains).unwrap();
                let store = SledStore::open(dir.path()).unwrap();
                assert_eq!(store.channels().unwrap(), [channel("web:a", 1)]);
            }
        }
    }

    #[test]
    fn data_of_a_newer_program_or_of_another_one_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let store = SledStore::open(dir.path()).unwrap();
        store.db.insert(FORMAT_KEY, &(FORMAT + 1).to_be_bytes()).unwrap();
        drop(store);
        let newer = SledStore::open(dir.path()).unwrap_err();
        assert!(newer.to_string().contains("start the newer version"), "{newer}");

        let dir = tempfile::tempdir().unwrap();
        let foreign = ::sled::open(dir.path()).unwrap();
        foreign.insert("theirs", "data").unwrap();
        drop(foreign);
        let foreign = SledStore::open(dir.path()).unwrap_err();
        assert!(foreign.to_string().contains("another program"), "{foreign}");
    }

    fn everything(store: &SledStore) -> Vec<(IVec, IVec)> {
        store.db.iter().collect::<::sled::Result<_>>().unwrap()
    }

    /// Turns the indices into what format 1 had of them.
    fn make_format_1(store: &SledStore) {
        for table in [&b"q"[..], b"e", b"o", b"v", b"C", b"R", b"S"] {
            for (key, _) in everything(store) {
                if key.starts_with(table) {
                    store.db.remove(key).unwrap();
                }
            }
        }
        let mut last = None;
        for delivery in store.unfinished(usize::MAX).unwrap() {
            let DeliveryId { place, digest, .. } = &delivery.id;
            let due = Key(Vec::new()).time(delivery.state.due().unwrap()).0;
            store
                .db
                .insert(Key::delivery(b'u', &delivery.id).0, due.clone())
                .unwrap();
            if last.replace(place.clone()).as_ref() != Some(place) {
                let head = Key::new(b'q').text(place.platform().name()).raw(&due).place(place);
                store.db.insert(head.0, Key(Vec::new()).digest(digest).0).unwrap();
            }
        }
        store.db.insert(FORMAT_KEY, &1_u64.to_be_bytes()).unwrap();
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig { cases: 16, ..Default::default() })]

        #[test]
        fn data_of_format_1_get_the_same_indices_as_those_written_now(commits in any_commits(), half in 0..99_usize) {
            let dir = tempfile::tempdir().unwrap();
            let store = SledStore::open(dir.path()).unwrap();
            for writes in commits {
                store.commit(writes).unwrap();
            }
            let now = everything(&store);
            make_format_1(&store);
            // What a migration that was broken off may have written already.
            for (key, value) in now.iter().filter(|(key, _)| b"qeovCRS".contains(&key[0])).skip(half) {
                store.db.insert(key, value).unwrap();
            }
            drop(store);
            proptest::prop_assert_eq!(everything(&SledStore::open(dir.path()).unwrap()), now);
        }
    }

    /// Turns the indices into what format 2 had of them: two classes in the queue, and nothing of digests by paper.
    fn make_format_2(store: &SledStore) {
        for (key, value) in everything(store) {
            if b"oCRS".contains(&key[0]) {
                store.db.remove(key).unwrap();
            } else if key.starts_with(b"q") {
                store.db.remove(&key).unwrap();
                let mut key = key.to_vec();
                let class = key.iter().position(|&byte| byte == 1).unwrap() + 1;
                key[class] = key[class].saturating_sub(1);
                store.db.insert(key, value).unwrap();
            }
        }
        store.db.insert(FORMAT_KEY, &2_u64.to_be_bytes()).unwrap();
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig { cases: 16, ..Default::default() })]

        #[test]
        fn data_of_format_2_get_the_same_indices_as_those_written_now(commits in any_commits()) {
            let dir = tempfile::tempdir().unwrap();
            let store = SledStore::open(dir.path()).unwrap();
            for writes in commits {
                store.commit(writes).unwrap();
            }
            let now = everything(&store);
            make_format_2(&store);
            drop(store);
            proptest::prop_assert_eq!(everything(&SledStore::open(dir.path()).unwrap()), now);
        }
    }

    #[test]
    fn a_damaged_record_is_named_and_harms_no_other() {
        let dir = tempfile::tempdir().unwrap();
        let store = SledStore::open(dir.path()).unwrap();
        let [first, second] = [channel("telegram:-1/4", 1), channel("telegram:-1/42", 2)];
        let [blocked, behind, other] = [delivery(-1, 1), delivery(-1, 2), delivery(-2, 3)];
        let sick = Paper {
            title: Some(Field::new("Paged attention".to_owned(), SourceKind::Report)),
            ..Paper::new(PaperId::Arxiv("2510.00001".to_owned()))
        };
        let mut writes = vec![
            put(first.clone()),
            put(second.clone()),
            Write::Paper(Box::new(sick.clone())),
        ];
        writes.extend([&blocked, &behind, &other].map(|d| send(d.clone())));
        store.commit(writes).unwrap();

        spoil(&store, &Key::new(b'c').place(&first.place));
        spoil(&store, &Key::delivery(b'd', &blocked.id));
        spoil(&store, &Key::paper(&sick.id));
        names_it(store.channel(&first.place), "channel telegram:-1/4");
        names_it(store.delivery(&blocked.id), &format!("delivery {}", blocked.id));
        names_it(store.paper(&sick.id), "paper arxiv:2510.00001");
        assert_eq!(store.damaged().unwrap().len(), 3);
        assert_eq!(store.channels().unwrap(), std::slice::from_ref(&second));
        assert_eq!(store.next_channel_due().unwrap(), second.next_due);
        let due = |store: &SledStore| store.due(Platform::Telegram, at(9_999), 9).unwrap();
        assert_eq!(due(&store), std::slice::from_ref(&other));
        assert_eq!(store.next_due(Platform::Telegram).unwrap(), other.state.due());
        assert_eq!(store.unfinished(9).unwrap(), [behind.clone(), other.clone()]);

        let sent = Delivery {
            state: State::Sent { at: at(5) },
            ..blocked
        };
        let well = Paper {
            title: None,
            ..sick.clone()
        };
        let later = channel("telegram:-1/4", 7);
        store
            .commit(vec![
                put(later.clone()),
                send(sent),
                Write::Paper(Box::new(well.clone())),
            ])
            .unwrap();
        assert_eq!(store.damaged().unwrap(), []);
        assert_eq!(store.channels_due(at(9), 9).unwrap(), [second, later]);
        assert_eq!(due(&store), [behind.clone(), other.clone()]);
        assert_eq!(store.similar(&join::sketch(&sick)).unwrap(), []);
        assert_eq!(store.paper(&sick.id).unwrap(), Some(well));

        spoil(&store, &Key::delivery(b'd', &behind.id));
        store.commit(vec![Write::RemoveDelivery(behind.id.clone())]).unwrap();
        assert_eq!(
            (due(&store), store.unfinished(9).unwrap()),
            (vec![other.clone()], vec![other])
        );
    }

    fn following(place: &str, rules: &[&str]) -> Channel {
        let rules = rules.iter().map(|rule| rule.parse().unwrap());
        let mut channel = channel(place, 1);
        channel.settings.subjects = Subjects::default().with_rules(rules);
        channel
    }

    #[test]
    fn a_rule_that_cannot_be_read_is_named_harms_no_channel_and_is_healed_by_the_next_one_that_is_written() {
        let dir = tempfile::tempdir().unwrap();
        let store = SledStore::open(dir.path()).unwrap();
        let [first, second] = [
            following("telegram:-1", &["kv cache"]),
            following("telegram:-2", &["cache kv", "moe"]),
        ];
        store.commit(vec![put(first.clone()), put(second.clone())]).unwrap();
        let whole = store.rules().unwrap();
        let rule: Rule = "kv cache".parse().unwrap();
        let key = Key::new(b'R').num(rule.key());

        spoil(&store, &key);
        let named = format!("rule {:016x}", rule.key());
        let damaged = store.damaged().unwrap();
        assert!(
            matches!(damaged.as_slice(), [StoreError::Damaged { key, .. }] if *key == named),
            "{damaged:?}"
        );
        assert_eq!(store.rules().unwrap().len(), 1);
        let read = store.channels().unwrap();
        assert_eq!(read, [first.clone(), second.clone()]);
        let spelt: Vec<&str> = read.iter().map(|c| c.settings.subjects.rules[0].typed()).collect();
        assert_eq!(spelt, ["kv cache", "cache kv"]);

        store.commit(vec![put(second.clone())]).unwrap();
        assert_eq!(
            (store.damaged().unwrap(), store.rules().unwrap()),
            (vec![], whole.clone())
        );

        // Also one that is not there any more, and one that says another rule than its key.
        for other in [None, Some(&b"\0\0v1 {\"rule\":\"moe\"}"[..])] {
            match other {
                None => drop(store.db.remove(key.bytes()).unwrap()),
                Some(bytes) => drop(store.db.insert(key.bytes(), bytes).unwrap()),
            }
            store.commit(vec![put(first.clone())]).unwrap();
            assert_eq!(store.rules().unwrap(), whole);
        }

        // A channel that cannot be read leaves its rules to nobody.
        spoil(&store, &Key::new(b'c').place(&second.place));
        store.commit(vec![Write::RemoveChannel(second.place)]).unwrap();
        let left = FollowedRule {
            key: rule.key(),
            rule,
            channels: 1,
        };
        assert_eq!(store.rules().unwrap(), [left]);
    }

    /// Turns what is there into what format 4 had of it: channels of version 1, and no rules.
    fn make_format_4(store: &SledStore) {
        for (key, value) in everything(store) {
            if b"RS".contains(&key[0]) {
                store.db.remove(&key).unwrap();
            }
            if key[0] == b'c' {
                let text = std::str::from_utf8(&value[2..]).unwrap();
                let mut json: serde_json::Value = serde_json::from_str(text.strip_prefix("v2 ").unwrap()).unwrap();
                for rules in ["/subjects/rules", "/resting/rules"] {
                    for rule in json
                        .pointer_mut(rules)
                        .and_then(|all| all.as_array_mut())
                        .into_iter()
                        .flatten()
                    {
                        *rule = rule[1].take();
                    }
                }
                store.db.insert(key, format!("\0\0v1 {json}").into_bytes()).unwrap();
            }
        }
        store.db.insert(FORMAT_KEY, &4_u64.to_be_bytes()).unwrap();
    }

    #[test]
    fn channels_of_format_4_are_read_and_their_rules_stand_in_the_table() {
        let dir = tempfile::tempdir().unwrap();
        let store = SledStore::open(dir.path()).unwrap();
        let mut rests = following("telegram:-2", &["cache kv"]);
        rests.resting = Subjects::default().with_rules(["moe".parse().unwrap()]);
        let channels = [following("telegram:-1", &["kv cache", "-survey moe"]), rests];
        store.commit(channels.iter().cloned().map(put).collect()).unwrap();
        let now = everything(&store);
        let rules = store.rules().unwrap();
        make_format_4(&store);
        drop(store);
        let store = SledStore::open(dir.path()).unwrap();
        assert_eq!(
            (store.rules().unwrap(), store.channels().unwrap()),
            (rules, channels.to_vec())
        );
        // Written anew, they are as they are written today.
        store.commit(channels.into_iter().map(put).collect()).unwrap();
        assert_eq!(everything(&store), now);
    }

    #[test]
    fn a_tally_or_a_vote_that_cannot_be_read_is_named_and_counted_anew_by_the_next_vote() {
        let dir = tempfile::tempdir().unwrap();
        let store = SledStore::open(dir.path()).unwrap();
        let paper = PaperId::Arxiv("2510.00001".to_owned());
        let people = ["telegram:1", "telegram:2", "web:a"].map(|person| person.parse::<Person>().unwrap());
        let vote = |person: &Person, vote| Write::Vote {
            person: person.clone(),
            paper: paper.clone(),
            vote,
            at: at(1),
        };
        let up = Some(Vote::Up);
        let name = paper.to_string();
        store
            .commit(people[..2].iter().map(|person| vote(person, up)).collect())
            .unwrap();
        spoil(&store, &Key::new(b'T').text(&name));
        names_it(store.tally(&paper), "tally of arxiv:2510.00001");
        store.commit(vec![vote(&people[2], up)]).unwrap();
        assert_eq!(store.tally(&paper), Ok(Tally { up: 3, down: 0 }));
        // Nobody knows what it was that is lost.
        spoil(&store, &Key::new(b'V').text(&name).text("telegram:1"));
        names_it(store.vote(&people[0], &paper), "vote on arxiv:2510.00001 by telegram:1");
        assert_eq!(store.damaged().unwrap().len(), 1);
        store.commit(vec![vote(&people[0], Some(Vote::Down))]).unwrap();
        assert_eq!(
            (store.tally(&paper), store.damaged()),
            (Ok(Tally { up: 2, down: 1 }), Ok(vec![]))
        );

        let save = |at| Write::Save {
            person: people[0].clone(),
            paper: paper.clone(),
            at,
        };
        store.commit(vec![save(Some(at(1)))]).unwrap();
        spoil(&store, &Key::new(b'K').text(&name).text("telegram:1"));
        store.commit(vec![save(Some(at(2)))]).unwrap();
        let saved = Saved {
            paper: paper.clone(),
            at: at(2),
        };
        assert_eq!(store.saved(&people[0], 9), Ok(vec![saved]));
        spoil(&store, &Key::new(b'K').text(&name).text("telegram:1"));
        store.commit(vec![save(None)]).unwrap();
        assert_eq!((store.saved(&people[0], 9), store.damaged()), (Ok(vec![]), Ok(vec![])));

        let digest = delivery(-1, 1).id.digest;
        let note = |due| Write::Outdated { digest, due };
        store.commit(vec![note(at(5))]).unwrap();
        spoil(&store, &Key::new(b'O').digest(&digest));
        store.commit(vec![note(at(7))]).unwrap();
        assert_eq!(store.next_outdated(), Ok(Some(at(7))));
        store.commit(vec![Write::Shown(digest)]).unwrap();
        assert_eq!(store.next_outdated(), Ok(None));
    }

    #[test]
    fn a_delivery_that_cannot_be_read_is_set_aside_whole_and_what_stood_behind_it_goes_on() {
        let dir = tempfile::tempdir().unwrap();
        let store = SledStore::open(dir.path()).unwrap();
        let [blocked, behind, other] = [delivery(-1, 1), delivery(-1, 2), delivery(-2, 3)];
        let all = [&blocked, &behind, &other].map(|d| send(d.clone()));
        store.commit(all.into()).unwrap();
        let key = Key::delivery(b'd', &blocked.id);
        spoil(&store, &key);
        let bytes = store.db.get(key.bytes()).unwrap();

        let mut at_a_time = Vec::new();
        let mut after = None;
        while let (found, Some(last)) = store.unreadable(after.as_ref(), 1).unwrap() {
            at_a_time.extend(found);
            after = Some(last);
        }
        let unreadable = vec![blocked.id.clone()];
        assert_eq!(at_a_time, unreadable);
        assert_eq!(store.unreadable(None, 9).unwrap().0, unreadable);

        let aside = [&blocked, &other].map(|delivery| Write::SetAside(delivery.id.clone()));
        store.commit(aside.into()).unwrap();
        let due = store.due(Platform::Telegram, at(9_999), 9).unwrap();
        assert_eq!(
            (due.contains(&behind), due.contains(&other), due.len()),
            (true, true, 2)
        );
        assert_eq!(
            (store.delivery(&blocked.id), store.set_aside(9)),
            (Ok(None), Ok(unreadable))
        );
        assert_eq!(store.unreadable(None, 9).unwrap().0, []);
        let kept = Key::delivery(b'z', &blocked.id);
        assert_eq!(store.db.get(kept.bytes()).unwrap(), bytes);
        let named = store.damaged().unwrap();
        assert!(named[0].to_string().contains("set aside"), "{named:?}");
    }

    #[test]
    fn a_broken_store_neither_writes_nor_reads() {
        let dir = tempfile::tempdir().unwrap();
        let store = SledStore::open(dir.path()).unwrap();
        let said = store.broke(&io::Error::from(io::ErrorKind::StorageFull).into());
        let dir = dir.path().display();
        assert_eq!(
            said.to_string(),
            format!(
                "the store cannot be used any more: the disk is full ({dir}): free some space and start again; nothing \
                 is lost (no storage space)"
            )
        );
        assert_eq!(store.commit(vec![]), Err(said.clone()));
        assert_eq!(store.sync(), Err(said.clone()));
        assert_eq!(store.channels(), Err(said));
    }

    #[test]
    fn nothing_is_ever_kept_outside_the_synced_log() {
        let dir = tempfile::tempdir().unwrap();
        let store = SledStore::open(dir.path()).unwrap();
        let id = delivery(1, 1).rendering;
        for round in 0..4 {
            let part = |n: usize| Part {
                payload: "界".repeat(5_000 + n + round),
            };
            let parts: Vec<_> = (0..60).map(part).collect();
            let write = Write::Rendering { id: id.clone(), parts };
            store.commit(vec![write]).unwrap();
            store.sync().unwrap();
        }
        assert_eq!(store.part(&id, 59).unwrap().map(|p| p.payload.len()), Some(3 * 5_062));
        // It carries over into sled what it has.
        drop(store);
        assert_eq!(fs::read_dir(dir.path().join("blobs")).unwrap().count(), 0);
    }

    /// What the operating system has of the folder at this moment is what survives a kill.
    fn copy(from: &Path, to: &Path) {
        fs::create_dir_all(to).unwrap();
        for entry in fs::read_dir(from).unwrap() {
            let entry = entry.unwrap();
            let target = to.join(entry.file_name());
            if entry.file_type().unwrap().is_dir() {
                copy(&entry.path(), &target);
            } else {
                fs::copy(entry.path(), target).unwrap();
            }
        }
    }

    #[test]
    fn a_compaction_that_is_broken_off_at_any_step_loses_nothing() {
        for steps in 0..=Step::ALL.len() {
            for torn in [false, true] {
                let root = tempfile::tempdir().unwrap();
                let dir = root.path().join("store");
                let store = SledStore::open(&dir).unwrap();
                store
                    .commit((1..=40).map(|chat| send(delivery(chat, 1))).collect())
                    .unwrap();
                let before = everything(&store);
                drop(store);
                // sled's threads may hold the lock for a moment longer.
                lock(&dir).unwrap();
                for step in &Step::ALL[..steps] {
                    let copy = |from: &Path, to: &Path| copy_to(&open_db(from, None).unwrap(), to).map(drop);
                    step.run(&dir, copy).unwrap();
                }
                // What the next step may have begun.
                if torn {
                    let begun = match Step::ALL.get(steps) {
                        Some(Step::Copy) => "store.compaction.copying",
                        Some(Step::RemoveOld) => "store.compaction.replaced",
                        Some(Step::Finish | Step::PutAside | Step::PutInPlace) | None => continue,
                    };
                    fs::create_dir_all(root.path().join(begun)).unwrap();
                    fs::write(root.path().join(begun).join("db"), b"half").unwrap();
                }
                let store = SledStore::open(&dir).unwrap();
                assert_eq!(everything(&store), before, "after {steps} steps");
                assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1);
            }
        }
    }

    #[test]
    fn a_folder_that_is_marked_as_wasted_is_copied_at_the_next_open_and_says_so_once() {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("store");
        let store = SledStore::open(&dir).unwrap();
        store
            .commit((1..=40).map(|chat| send(delivery(chat, 1))).collect())
            .unwrap();
        let before = everything(&store);
        assert!(!store.measure().unwrap().1, "a small folder is left alone");
        drop(store);
        let store = SledStore::open(&dir).unwrap();
        assert_eq!(store.compaction(), None);
        store.mark_wasted(true).unwrap();
        drop(store);
        let store = SledStore::open(&dir).unwrap();
        let Some(Compaction::Done { now, .. }) = store.compaction() else {
            panic!("{:?}", store.compaction());
        };
        assert_eq!(
            Some(now.to_bytes()),
            store.db.remove(FRESH_KEY).unwrap().map(|v| v.to_vec())
        );
        assert_eq!(everything(&store), before);
        let live: usize = before.iter().map(|(key, value)| key.len() + value.len()).sum();
        assert_eq!(now.live, live as u64);
        drop(store);
        assert_eq!(SledStore::open(&dir).unwrap().compaction(), None);
    }

    #[test]
    fn a_copy_that_cannot_be_made_leaves_the_store_as_it_is() {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("store");
        let store = SledStore::open(&dir).unwrap();
        store.commit(vec![send(delivery(1, 1))]).unwrap();
        store.mark_wasted(true).unwrap();
        let before = everything(&store);
        drop(store);
        // A full disk, as far as the copy is concerned: its log cannot be made.
        let db = open_db(&dir, None).unwrap();
        fs::create_dir_all(root.path().join("store.compaction.copying/db")).unwrap();
        let compaction = compact(&dir, db);
        assert!(matches!(compaction, Ok(Compaction::Failed { .. })), "{compaction:?}");
        let db = open_db(&dir, None).unwrap();
        assert_eq!(db.iter().collect::<::sled::Result<Vec<_>>>().unwrap(), before);
    }

    #[test]
    fn a_crash_keeps_what_was_synced_and_never_half_a_commit() {
        const CHATS: i64 = 30;
        let root = tempfile::tempdir().unwrap();
        let store = SledStore::open_carrying(&root.path().join("live"), None, None).unwrap();
        let mut synced = 0;
        let mut lost_some = false;
        for day in 1..=24_i64 {
            let mut writes = vec![put(channel("web:a", day))];
            writes.extend((1..=CHATS).map(|chat| {
                let mut delivery = delivery(chat, day);
                delivery.last_error = Some("x".repeat(2_000));
                send(delivery)
            }));
            store.commit(writes).unwrap();
            if day % 7 == 0 {
                store.sync().unwrap();
                synced = day;
            }
            if day % 3 != 0 {
                continue;
            }
            let crashed = root.path().join(day.to_string());
            copy(&root.path().join("live"), &crashed);
            let found = SledStore::open(&crashed).unwrap();
            let days = i64::try_from(found.unfinished(usize::MAX).unwrap().len()).unwrap() / CHATS;
            assert!((synced..=day).contains(&days), "{synced} ≤ {days} ≤ {day}");
            lost_some |= days < day;
            for chat in 1..=CHATS {
                let of_chat = found
                    .deliveries(&Place::telegram(chat, None), None, usize::MAX)
                    .unwrap();
                assert_eq!(i64::try_from(of_chat.len()).unwrap(), days);
            }
            let heads = found.due(Platform::Telegram, at(99), usize::MAX).unwrap();
            assert_eq!(i64::try_from(heads.len()).unwrap(), if days > 0 { CHATS } else { 0 });
            let due = (days > 0).then(|| at(days));
            assert_eq!(found.next_channel_due().unwrap(), due);
        }
        assert!(lost_some, "no copy lacked a commit: this test no longer sees a crash");
    }
}
