//! sled behind a journal. What is committed is durable in the [`Journal`] and can be read from memory at once; a thread
//! carries it over into sled, where a key that changed several times meanwhile is written once.
//!
//! | layer | durable in | |
//! |---|---|---|
//! | fresh | the current file, after [`Layered::sync`] | takes the commits |
//! | frozen | the other file | is being carried over, in any order: readers see this layer first |
//! | sled | its log | |
//!
//! sled's keys are written one by one: if the power goes meanwhile, the journal's file is still whole and is applied anew.
//! When sled has flushed and its log is synced, the file is retired, and the frozen layer is dropped.

use std::collections::btree_map;
use std::fs::File;
use std::ops::Bound::{self, Excluded, Included, Unbounded};
use std::ops::RangeBounds;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::thread::JoinHandle;
use std::time::Duration;

use ::sled::{Db, IVec, Result};

use super::journal::{Changes, Full, Journal};

/// The fresh layer is carried over at the latest when it is so large, in bytes of the journal.
const ENOUGH: u64 = 2 * 1024 * 1024;
/// Commits wait when it is so large and the frozen layer is still there.
const FULL: u64 = 6 * 1024 * 1024;

/// One sled tree and what is not in it yet.
///
/// Iterators presuppose that the caller holds the gate ([`Layered::read`]), commits that it holds it for writing
/// ([`Layered::write`]).
pub(super) struct Layered {
    shared: Arc<Shared>,
    carrier: Option<JoinHandle<()>>,
}

struct Shared {
    db: Db,
    /// sled's log.
    log: File,
    journal: Mutex<Journal>,
    /// Readers never see half a commit, nor a layer go. Whoever changes the layers holds it for writing.
    gate: RwLock<()>,
    layers: RwLock<Layers>,
    signals: Mutex<Signals>,
    signalled: Condvar,
    broken: OnceLock<String>,
    /// What an error means for people.
    explain: Box<dyn Fn(&::sled::Error) -> String + Send + Sync>,
}

#[derive(Default)]
struct Layers {
    fresh: Changes,
    frozen: Option<Arc<Changes>>,
}

impl Layers {
    fn get(&self, key: &[u8]) -> Option<&Option<IVec>> {
        let frozen = || self.frozen.as_ref().and_then(|frozen| frozen.get(key));
        self.fresh.get(key).or_else(frozen)
    }

    /// The first entry of either layer in this range, or the last one.
    fn outermost(&self, lower: Bound<&[u8]>, upper: Bound<&[u8]>, end: End) -> Option<(IVec, Option<IVec>)> {
        if is_empty(lower, upper) {
            return None;
        }
        let of = |layer: &Changes| {
            let mut range: btree_map::Range<'_, _, _> = layer.range::<[u8], _>((lower, upper));
            let found = match end {
                End::Front => range.next(),
                End::Back => range.next_back(),
            };
            found.map(|(key, value)| (IVec::from(key.as_slice()), value.clone()))
        };
        let fresh = of(&self.fresh);
        let frozen = self.frozen.as_deref().and_then(of);
        match (fresh, frozen) {
            (Some(fresh), Some(frozen)) if end.is_before(&frozen.0, &fresh.0) => Some(frozen),
            (Some(fresh), Some(_) | None) => Some(fresh),
            (None, frozen) => frozen,
        }
    }
}

/// `BTreeMap::range` panics on such.
fn is_empty(lower: Bound<&[u8]>, upper: Bound<&[u8]>) -> bool {
    match (lower, upper) {
        (Unbounded, _) | (_, Unbounded) => false,
        (Included(lower), Included(upper)) => lower > upper,
        (Included(lower) | Excluded(lower), Included(upper) | Excluded(upper)) => lower >= upper,
    }
}

/// What the carrier is told.
#[derive(Default)]
struct Signals {
    /// There is something to carry over.
    some: bool,
    /// There is so much that it should begin.
    enough: bool,
    /// Nothing more comes.
    end: bool,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Layered {
    /// Puts a journal before a tree, which holds what an earlier one had and is durable (`Journal::open`). What is committed
    /// is carried over after `every`; `None`: only when there is much of it, or at the end.
    pub(super) fn start(
        db: Db,
        log: File,
        journal: Journal,
        every: Option<Duration>,
        explain: impl Fn(&::sled::Error) -> String + Send + Sync + 'static,
    ) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            db,
            log,
            journal: Mutex::new(journal),
            gate: RwLock::default(),
            layers: RwLock::default(),
            signals: Mutex::default(),
            signalled: Condvar::new(),
            broken: OnceLock::new(),
            explain: Box::new(explain),
        });
        let of_carrier = Arc::clone(&shared);
        let carrier = std::thread::Builder::new()
            .name("carrier".to_owned())
            .spawn(move || of_carrier.carry(every))?;
        let carrier = Some(carrier);
        Ok(Self { shared, carrier })
    }

    /// For a reader: commits wait meanwhile.
    pub(super) fn read(&self) -> RwLockReadGuard<'_, ()> {
        self.shared.gate.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// For a commit.
    pub(super) fn write(&self) -> RwLockWriteGuard<'_, ()> {
        self.shared.gate.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Why it cannot be used any more.
    pub(super) fn broken(&self) -> Option<&String> {
        self.shared.broken.get()
    }

    /// Remembers that it cannot be used any more; returns why.
    pub(super) fn broke(&self, error: &::sled::Error) -> String {
        self.shared.broke(error)
    }

    fn layers(&self) -> RwLockReadGuard<'_, Layers> {
        self.shared.layers.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn get(&self, key: impl AsRef<[u8]>) -> Result<Option<IVec>> {
        match self.layers().get(key.as_ref()) {
            Some(value) => Ok(value.clone()),
            None => self.shared.db.get(key),
        }
    }

    pub(super) fn contains_key(&self, key: impl AsRef<[u8]>) -> Result<bool> {
        Ok(self.get(key)?.is_some())
    }

    pub(super) fn range<K: AsRef<[u8]>>(&self, range: impl RangeBounds<K>) -> Range<'_> {
        let own = |bound: Bound<&K>| bound.map(|key| IVec::from(key.as_ref()));
        let (lower, upper) = (own(range.start_bound()), own(range.end_bound()));
        Range {
            sled: self.shared.db.range((lower.clone(), upper.clone())),
            of: self,
            lower,
            upper,
            front: None,
            back: None,
            ended: false,
            bare: false,
        }
    }

    pub(super) fn scan_prefix(&self, prefix: impl AsRef<[u8]>) -> Range<'_> {
        let lower = prefix.as_ref().to_vec();
        let mut upper = lower.clone();
        while let Some(last) = upper.pop() {
            if let Some(next) = last.checked_add(1) {
                upper.push(next);
                return self.range((Included(lower), Excluded(upper)));
            }
        }
        self.range((Included(lower), Unbounded))
    }

    pub(super) fn iter(&self) -> Range<'_> {
        self.range::<&[u8]>(..)
    }

    /// Waits while there is too much that was not carried over. Whoever holds the gate would wait for ever.
    pub(super) fn wait_for_room(&self) {
        let is_full = || lock(&self.shared.journal).bytes() > FULL;
        let mut signals = lock(&self.shared.signals);
        while is_full() && self.shared.broken.get().is_none() {
            signals.enough = true;
            self.shared.signalled.notify_all();
            let waited = self.shared.signalled.wait(signals);
            signals = waited.unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Applies all of it at once. The caller holds the gate for writing.
    pub(super) fn apply(&self, changes: Changes) -> Result<()> {
        let bytes = {
            let mut journal = lock(&self.shared.journal);
            journal.append(&changes)?;
            journal.bytes()
        };
        let mut layers = self.shared.layers.write().unwrap_or_else(PoisonError::into_inner);
        let Layers { fresh, frozen } = &mut *layers;
        for (key, value) in changes {
            let came = value.is_none() && matches!(fresh.get(&key), Some(Some(_)));
            let is_below = |key: &Vec<u8>| match frozen.as_ref().and_then(|frozen| frozen.get(key)) {
                Some(value) => Ok(value.is_some()),
                None => self.shared.db.contains_key(key),
            };
            // What came and went leaves nothing that later readers would have to pass by.
            if came && !is_below(&key)? {
                fresh.remove(&key);
            } else {
                fresh.insert(key, value);
            }
        }
        drop(layers);
        let mut signals = lock(&self.shared.signals);
        if !signals.some || (bytes > ENOUGH && !signals.enough) {
            signals.some = true;
            signals.enough |= bytes > ENOUGH;
            self.shared.signalled.notify_all();
        }
        Ok(())
    }

    /// One key, as [`Layered::apply`]; returns what it was.
    pub(super) fn insert(&self, key: impl AsRef<[u8]>, value: impl Into<IVec>) -> Result<Option<IVec>> {
        self.set(key.as_ref(), Some(value.into()))
    }

    /// One key, as [`Layered::apply`]; returns what it was.
    pub(super) fn remove(&self, key: impl AsRef<[u8]>) -> Result<Option<IVec>> {
        self.set(key.as_ref(), None)
    }

    fn set(&self, key: &[u8], value: Option<IVec>) -> Result<Option<IVec>> {
        let before = self.get(key)?;
        self.apply(Changes::from([(key.to_vec(), value)]))?;
        Ok(before)
    }

    /// Makes everything that was applied durable.
    pub(super) fn sync(&self) -> Result<()> {
        Ok(lock(&self.shared.journal).sync()?)
    }
}

impl Drop for Layered {
    fn drop(&mut self) {
        lock(&self.shared.signals).end = true;
        self.shared.signalled.notify_all();
        if let Some(carrier) = self.carrier.take() {
            // What it could not carry over stands in the journal.
            let _ = carrier.join();
        }
    }
}

impl Shared {
    fn broke(&self, error: &::sled::Error) -> String {
        let why = self.broken.get_or_init(|| (self.explain)(error)).clone();
        self.tell();
        why
    }

    /// Wakes whoever waits, also one that has just found nothing new.
    fn tell(&self) {
        drop(lock(&self.signals));
        self.signalled.notify_all();
    }

    /// Until the end carries over what comes.
    fn carry(&self, every: Option<Duration>) {
        loop {
            let mut signals = lock(&self.signals);
            while !signals.some && !signals.end {
                signals = self.signalled.wait(signals).unwrap_or_else(PoisonError::into_inner);
            }
            // What comes soon can come along.
            let is_early = |signals: &mut Signals| !signals.enough && !signals.end;
            signals = match every {
                Some(every) => {
                    let waited = self.signalled.wait_timeout_while(signals, every, is_early);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
                None => {
                    let waited = self.signalled.wait_while(signals, is_early);
                    waited.unwrap_or_else(PoisonError::into_inner)
                }
            };
            let end = signals.end;
            (signals.some, signals.enough) = (false, false);
            drop(signals);
            if self.broken.get().is_some() {
                return;
            }
            if let Err(error) = self.carry_over() {
                self.broke(&error);
                return;
            }
            if end {
                return;
            }
        }
    }

    fn carry_over(&self) -> Result<()> {
        let Some((full, frozen)) = self.freeze()? else {
            return Ok(());
        };
        // There is room now.
        self.tell();
        for (key, value) in &*frozen {
            // sled writes nothing where a key is again what it was.
            match value {
                Some(value) => self.db.insert(key.as_slice(), value)?,
                None => self.db.remove(key.as_slice())?,
            };
        }
        self.db.flush()?;
        self.log.sync_data()?;
        full.retire()?;
        let _gate = self.gate.write().unwrap_or_else(PoisonError::into_inner);
        self.layers.write().unwrap_or_else(PoisonError::into_inner).frozen = None;
        Ok(())
    }

    /// Lets the fresh layer be the frozen one. All of it is durable then: of what sled holds nothing may be missing in the
    /// journal.
    fn freeze(&self) -> Result<Option<(Full, Arc<Changes>)>> {
        let _gate = self.gate.write().unwrap_or_else(PoisonError::into_inner);
        let mut layers = self.layers.write().unwrap_or_else(PoisonError::into_inner);
        if layers.fresh.is_empty() {
            return Ok(None);
        }
        let full = lock(&self.journal).rotate()?;
        let frozen = Arc::new(std::mem::take(&mut layers.fresh));
        layers.frozen = Some(Arc::clone(&frozen));
        Ok(Some((full, frozen)))
    }
}

/// From which end something is taken.
#[derive(Clone, Copy)]
enum End {
    Front,
    Back,
}

impl End {
    /// Whether `a` comes before `b`, seen from here.
    fn is_before(self, a: &IVec, b: &IVec) -> bool {
        match self {
            Self::Front => a < b,
            Self::Back => a > b,
        }
    }
}

/// Entries in the order of their keys, from both ends.
pub(super) struct Range<'a> {
    of: &'a Layered,
    sled: ::sled::Iter,
    /// What is left of the range.
    lower: Bound<IVec>,
    upper: Bound<IVec>,
    /// Entries of sled that were read and stand behind one of a layer.
    front: Option<(IVec, IVec)>,
    back: Option<(IVec, IVec)>,
    /// sled has no more.
    ended: bool,
    /// The layers have no more.
    bare: bool,
}

impl Range<'_> {
    /// The keys alone.
    pub(super) fn keys(self) -> impl DoubleEndedIterator<Item = Result<IVec>> {
        self.map(|entry| entry.map(|(key, _)| key))
    }

    fn of_sled(&mut self, end: End) -> Result<Option<(IVec, IVec)>> {
        let (near, far) = match end {
            End::Front => (&mut self.front, &mut self.back),
            End::Back => (&mut self.back, &mut self.front),
        };
        if near.is_some() {
            return Ok(near.take());
        }
        if !self.ended {
            let next = match end {
                End::Front => self.sled.next(),
                End::Back => self.sled.next_back(),
            };
            if let Some(entry) = next.transpose()? {
                return Ok(Some(entry));
            }
            self.ended = true;
        }
        Ok(far.take())
    }

    fn of_layers(&mut self, end: End) -> Option<(IVec, Option<IVec>)> {
        if self.bare {
            return None;
        }
        let [lower, upper] = [&self.lower, &self.upper].map(|bound| bound.as_ref().map(|key| &**key));
        let found = self.of.layers().outermost(lower, upper, end);
        self.bare = found.is_none();
        found
    }

    fn take(&mut self, end: End) -> Result<Option<(IVec, IVec)>> {
        loop {
            let over = self.of_layers(end);
            let under = self.of_sled(end)?;
            let (key, value) = match (over, under) {
                (None, under) => return Ok(under),
                (Some(over), None) => over,
                (Some(over), Some(under)) if over.0 == under.0 => over,
                (Some(over), Some(under)) => {
                    let (next, later) = if end.is_before(&over.0, &under.0) {
                        (over, Some(under))
                    } else {
                        ((under.0, Some(under.1)), None)
                    };
                    match end {
                        End::Front => self.front = later,
                        End::Back => self.back = later,
                    }
                    next
                }
            };
            match end {
                End::Front => self.lower = Excluded(key.clone()),
                End::Back => self.upper = Excluded(key.clone()),
            }
            if let Some(value) = value {
                return Ok(Some((key, value)));
            }
        }
    }
}

impl Iterator for Range<'_> {
    type Item = Result<(IVec, IVec)>;

    fn next(&mut self) -> Option<Self::Item> {
        self.take(End::Front).transpose()
    }
}

impl DoubleEndedIterator for Range<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.take(End::Back).transpose()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    type Model = BTreeMap<Vec<u8>, Vec<u8>>;

    /// Without a carrier of its own: a test says when a layer is frozen and how much of it is carried over.
    fn open(dir: &Path) -> (Shared, Changes) {
        // A process that another test is just starting has the lock for a moment longer than who opened it before.
        crate::store::sled::lock(dir).unwrap();
        let db = ::sled::Config::new().path(dir).flush_every_ms(None).open().unwrap();
        let (journal, changes) = Journal::open(dir).unwrap();
        let shared = Shared {
            log: File::open(dir.join("db")).unwrap(),
            db,
            journal: Mutex::new(journal),
            gate: RwLock::default(),
            layers: RwLock::default(),
            signals: Mutex::default(),
            signalled: Condvar::new(),
            broken: OnceLock::new(),
            explain: Box::new(ToString::to_string),
        };
        (shared, changes)
    }

    fn layered(dir: &Path) -> Layered {
        let (shared, changes) = open(dir);
        assert_eq!(changes, Changes::new());
        lock(&shared.journal).clear().unwrap();
        Layered {
            shared: Arc::new(shared),
            carrier: None,
        }
    }

    fn key() -> impl Strategy<Value = Vec<u8>> {
        vec(prop_oneof![0..4_u8, Just(255)], 1..3)
    }

    #[derive(Debug, Clone)]
    enum Step {
        Commit(Vec<(Vec<u8>, Option<u8>)>),
        /// Freezes the fresh layer, and carries so many of its keys over.
        Freeze(usize),
        /// Ends what the last one began.
        Retire,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            3 => vec((key(), proptest::option::of(0..9_u8)), 0..6).prop_map(Step::Commit),
            1 => (0..9_usize).prop_map(Step::Freeze),
            1 => Just(Step::Retire),
        ]
    }

    fn carry(layered: &Layered, frozen: &Changes, most: usize) {
        for (key, value) in frozen.iter().take(most) {
            match value {
                Some(value) => layered.shared.db.insert(key.as_slice(), value).unwrap(),
                None => layered.shared.db.remove(key.as_slice()).unwrap(),
            };
        }
    }

    fn retire(layered: &Layered, under_way: &mut Option<(Full, Arc<Changes>)>) {
        if let Some((full, frozen)) = under_way.take() {
            carry(layered, &frozen, usize::MAX);
            full.retire().unwrap();
            layered.shared.layers.write().unwrap().frozen = None;
        }
    }

    fn owned(entry: Result<(IVec, IVec)>) -> (Vec<u8>, Vec<u8>) {
        entry.map(|(key, value)| (key.to_vec(), value.to_vec())).unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, ..Default::default() })]

        #[test]
        fn wherever_an_entry_stands_it_is_read_alike_and_a_crash_brings_all_of_them_back(
            steps in vec(step(), 1..12),
            prefix in key(),
            bounds in (key(), key()),
            turns in vec(any::<bool>(), 0..12),
        ) {
            let root = tempfile::tempdir().unwrap();
            let live = root.path().join("live");
            let layered = layered(&live);
            let (mut model, mut under_way) = (Model::new(), None);
            for step in steps {
                match step {
                    Step::Commit(changes) => {
                        let changes: Changes = changes
                            .into_iter()
                            .map(|(key, value)| (key, value.map(|value| IVec::from(&[value]))))
                            .collect();
                        for (key, value) in &changes {
                            match value {
                                Some(value) => drop(model.insert(key.clone(), value.to_vec())),
                                None => drop(model.remove(key)),
                            }
                        }
                        layered.apply(changes).unwrap();
                    }
                    Step::Freeze(most) => {
                        retire(&layered, &mut under_way);
                        under_way = layered.shared.freeze().unwrap();
                        if let Some((_, frozen)) = &under_way {
                            carry(&layered, frozen, most);
                        }
                    }
                    Step::Retire => retire(&layered, &mut under_way),
                }
            }
            let all: Vec<_> = model.clone().into_iter().collect();
            prop_assert_eq!(layered.iter().map(owned).collect::<Vec<_>>(), all.clone());
            let back: Vec<_> = layered.iter().rev().map(owned).collect();
            prop_assert_eq!(back, all.iter().rev().cloned().collect::<Vec<_>>());
            let found: Vec<_> = layered.scan_prefix(&prefix).map(owned).collect();
            let expected: Vec<_> = all.iter().filter(|(key, _)| key.starts_with(&prefix)).cloned().collect();
            prop_assert_eq!(found, expected);
            let (lower, upper) = bounds;
            let between: Vec<_> = all.iter().filter(|(key, _)| *key >= lower && *key < upper).cloned().collect();
            prop_assert_eq!(layered.range(lower..upper).map(owned).collect::<Vec<_>>(), between);
            for key in [&prefix, &vec![7]] {
                prop_assert_eq!(layered.get(key).unwrap().map(|value| value.to_vec()), model.get(key).cloned());
            }
            // From both ends at once.
            let (mut range, mut left) = (layered.iter(), all);
            for front in turns {
                let (found, expected) = if front {
                    (range.next(), (!left.is_empty()).then(|| left.remove(0)))
                } else {
                    (range.next_back(), left.pop())
                };
                prop_assert_eq!(found.map(owned), expected);
            }
            drop(range);

            // What the system has now is what a crash leaves behind; sled may have written what it likes.
            layered.sync().unwrap();
            layered.shared.db.flush().unwrap();
            let crashed = root.path().join("crashed");
            std::fs::create_dir(&crashed).unwrap();
            for name in ["db", "conf", "journal.0", "journal.1"] {
                std::fs::copy(live.join(name), crashed.join(name)).unwrap();
            }
            let (shared, changes) = open(&crashed);
            let crashed = Layered { shared: Arc::new(shared), carrier: None };
            carry(&crashed, &changes, usize::MAX);
            let found: Vec<_> = crashed.iter().map(owned).collect();
            prop_assert_eq!(found, model.into_iter().collect::<Vec<_>>());
        }
    }

    #[test]
    fn the_carrier_carries_over_by_itself_and_what_is_left_at_the_end() {
        let dir = tempfile::tempdir().unwrap();
        let open = || {
            let (shared, changes) = open(dir.path());
            assert_eq!(changes, Changes::new());
            let mut journal = shared.journal.into_inner().unwrap();
            journal.clear().unwrap();
            Layered::start(shared.db, shared.log, journal, None, ToString::to_string).unwrap()
        };
        let layered = open();
        let value = vec![7; 100_000];
        for number in 0..200_u8 {
            layered.wait_for_room();
            let _gate = layered.write();
            layered.insert([number], value.clone()).unwrap();
        }
        assert!(lock(&layered.shared.journal).bytes() <= FULL + 200_000);
        assert!(!layered.shared.db.is_empty());
        drop(layered);
        let layered = open();
        assert_eq!(layered.shared.db.len(), 200);
    }
}
