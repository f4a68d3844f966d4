//! Full-text search over everything that was taken in, in Chinese and English.
//!
//! The index is derived: it stands in `search/` of the data folder, follows the store in the background, and is built anew
//! when it is lost, damaged, of another version or of another store. It is never waited for: searches see what is in it
//! and say how much that is ([`Coverage`]). Whatever fails here is answered with its reason and tried again; it stops
//! nothing else.
//!
//! How far the index goes stands in its last commit, beside what it contains, so that the two cannot disagree: the intake
//! position up to which it has every paper, when that paper was taken in (another store has another), and with which
//! topics. Papers that change later are noted beside it ([`SearchIndex::note_changed`]).
//!
//! Nothing here blocks a thread that runs tasks: tantivy reads and writes on threads that may.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use chrono_tz::Tz;
use paperwire_core::channel::Seq;
use paperwire_core::locale::Lang;
use paperwire_core::paper::{Paper, PaperId};
use paperwire_core::pipeline;
use paperwire_core::rule::Expr;
use paperwire_core::store::{IntakeRecord, Store, StoreError};
use paperwire_core::text;
use paperwire_core::topic::{Topic, TopicId};
use tantivy::TantivyError;
use tokio::sync::{Notify, Semaphore};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

mod archive;
mod compile;
mod journal;
mod words;

#[cfg(test)]
mod tests;

pub use self::compile::Names;

use self::archive::{Archive, Entry, Mark, Writer};
use self::journal::{Journal, Noted};
use crate::doctor::Finding;
use crate::ops::Ops;
use crate::storage::{Storage, StorageError};

/// How many papers are read from the store in one job: others get their turn between two of them.
const STEP: usize = 200;
/// After how many papers a new index is first committed; each commit waits for twice as many as the one before, up to
/// [`LONGEST_RUN`], so that something can be found early and segments are few.
const FIRST_RUN: usize = 2_000;
/// After how many papers it is committed at the latest.
const LONGEST_RUN: usize = 50_000;
/// How long the index rests after it failed, doubled with each failure.
const PAUSE: Duration = Duration::from_secs(5);
/// How long it rests at most.
const LONGEST_PAUSE: Duration = Duration::from_secs(3_600);
/// After so many failures in a row the index is built anew: it may be what fails.
const PATIENCE: u32 = 3;
/// How many searches run at a time; others wait.
const AT_A_TIME: usize = 4;

/// What is looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// In the language of rules.
    pub expr: Expr,
    /// Whose days `from:` and `to:` mean.
    pub zone: Tz,
}

/// One page of what a query finds.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// How many papers it finds in all.
    pub total: usize,
    /// Those of this page: the best first, or where there are no words to rank by, the newest.
    pub hits: Vec<Hit>,
    /// `false` when a regular expression had no time to read everything: then the oldest papers are missing.
    pub complete: bool,
    /// How much of the archive was searched.
    pub coverage: Coverage,
    /// How long it took.
    pub took: Duration,
}

/// A paper that was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Hit {
    /// Which; the store has it.
    pub paper: PaperId,
    /// Its title.
    pub title: String,
    /// How well it fits; comparable within one search only. 0 where there are no words to rank by.
    pub score: f32,
}

/// What may have been meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suggestion {
    /// Which paper.
    pub paper: PaperId,
    /// Its title.
    pub title: String,
}

/// How far the index is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Coverage {
    /// So many of the papers that were taken in can be found.
    pub indexed: u64,
    /// So many were taken in.
    pub of: u64,
}

impl Coverage {
    /// What people are told while the index is being built; `None` when it is whole.
    pub fn tell(self, lang: Lang) -> Option<String> {
        let Self { indexed, of } = self;
        (indexed < of).then(|| match lang {
            Lang::Zh => format!("搜索索引仍在建立：目前可搜索 {of} 篇中的 {indexed} 篇。"),
            Lang::En => format!("The search index is still being built: {indexed} of {of} papers can be found so far."),
        })
    }
}

/// What an archive found.
struct Found {
    total: usize,
    hits: Vec<Hit>,
    complete: bool,
}

/// Why a search has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SearchError {
    /// The index is not open yet: the program has just started.
    #[error("the search index is being opened")]
    Opening,
    /// The index cannot be used; it is tried again by itself.
    #[error("search is not available: {0}")]
    Unavailable(String),
    /// The index is damaged; it is built anew.
    #[error("the search index is damaged and is being built anew: {0}")]
    Damaged(String),
    /// The query asks for too much.
    #[error(transparent)]
    Refused(#[from] Refusal),
}

/// Why a query is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Conditions within conditions without end.
    #[error("the query is nested too deeply")]
    TooDeep,
    /// More words or regular expressions than this.
    #[error("the query has too many parts; at most {0} of these")]
    TooMany(usize),
    /// A word, phrase or expression of more characters than this.
    #[error("a part of the query is too long; at most {0} characters")]
    TooLong(usize),
    /// No regular expression, or one that would grow too large; what the parser says.
    #[error("the regular expression cannot be used: {0}")]
    Regex(String),
}

impl From<TantivyError> for SearchError {
    fn from(error: TantivyError) -> Self {
        Self::Damaged(error.to_string())
    }
}

impl SearchError {
    /// In one sentence, with what to do next.
    pub fn tell(&self, lang: Lang) -> String {
        let pick = |zh: String, en: String| match lang {
            Lang::Zh => zh,
            Lang::En => en,
        };
        match self {
            Self::Opening => pick(
                "搜索索引正在打开，请稍后再试。".to_owned(),
                "The search index is being opened; try again in a moment.".to_owned(),
            ),
            Self::Unavailable(why) => pick(
                format!("搜索暂不可用：{why}。系统会自动重试。"),
                format!("Search is not available: {why}. It is tried again by itself."),
            ),
            Self::Damaged(why) => pick(
                format!("搜索索引已损坏，正在重建：{why}。请稍后再试。"),
                format!("The search index is damaged and is being built anew: {why}. Try again in a moment."),
            ),
            Self::Refused(refusal) => match refusal {
                Refusal::TooDeep => pick(
                    "搜索条件嵌套过深；请减少括号。".to_owned(),
                    "The search is nested too deeply; use fewer brackets.".to_owned(),
                ),
                Refusal::TooMany(most) => pick(
                    format!("搜索条件过多；这类条件最多 {most} 个。"),
                    format!("The search has too many parts; at most {most} of this kind."),
                ),
                Refusal::TooLong(most) => pick(
                    format!("有一个搜索词过长；最多 {most} 个字符。"),
                    format!("A part of the search is too long; at most {most} characters."),
                ),
                Refusal::Regex(why) => pick(
                    format!("正则表达式无法使用：{why}"),
                    format!("The regular expression cannot be used: {why}"),
                ),
            },
        }
    }
}

/// Search, and what keeps its index up to date; cheap to clone.
#[derive(Clone)]
pub struct SearchIndex(Arc<Shared>);

struct Shared {
    /// Of the index alone: it can be removed whole.
    folder: std::path::PathBuf,
    journal: Journal,
    state: RwLock<State>,
    /// A search met damage.
    damaged: AtomicBool,
    wake: Notify,
    indexed: AtomicU64,
    head: AtomicU64,
    at_a_time: Arc<Semaphore>,
    names: Names,
}

#[derive(Clone)]
enum State {
    Opening,
    /// With the mark of its last commit, and what keeps it from following the store.
    Open(Arc<Archive>, Mark, Option<String>),
    Failed(SearchError),
}

impl std::fmt::Debug for SearchIndex {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SearchIndex")
    }
}

/// Why the index does not follow the store.
enum Failure {
    /// The program stops, or its store has.
    Stopped,
    /// The index cannot be read or written.
    Index(String),
}

impl From<StorageError> for Failure {
    fn from(error: StorageError) -> Self {
        match error {
            StorageError::Closed | StorageError::Store(StoreError::Broken(_)) => Self::Stopped,
            StorageError::Store(StoreError::Damaged { .. }) | StorageError::Panicked => Self::Index(error.to_string()),
        }
    }
}

impl From<TantivyError> for Failure {
    fn from(error: TantivyError) -> Self {
        Self::Index(error.to_string())
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::Index(error.to_string())
    }
}

impl SearchIndex {
    /// A handle on the index of a data folder. Nothing is opened: [`SearchIndex::run`] does that.
    pub fn new(data: &Path) -> Self {
        Self::with_names(data, |name| vec![name.to_owned()])
    }

    /// The same; `names` says under which names an institution is known.
    pub fn with_names(data: &Path, names: Names) -> Self {
        let folder = data.join("search");
        Self(Arc::new(Shared {
            journal: Journal::new(&folder.join("changed")),
            folder: folder.join("index"),
            state: RwLock::new(State::Opening),
            damaged: AtomicBool::new(false),
            wake: Notify::new(),
            indexed: AtomicU64::new(0),
            head: AtomicU64::new(0),
            at_a_time: Arc::new(Semaphore::new(AT_A_TIME)),
            names,
        }))
    }

    /// Notes papers that were known and are otherwise now, under their old names and their new ones. To be called between
    /// the commit and the store's sync; it writes a file, so on a thread that may block.
    pub fn note_changed(&self, papers: &[PaperId]) {
        self.0.journal.note(papers);
    }

    /// Has the index look at the store: something was taken in.
    pub fn nudge(&self) {
        self.0.wake.notify_one();
    }

    /// How far the index is.
    pub fn coverage(&self) -> Coverage {
        let indexed = self.0.indexed.load(Ordering::Relaxed);
        let of = self.0.head.load(Ordering::Relaxed).max(indexed);
        Coverage { indexed, of }
    }

    /// How it is, for an operator.
    pub fn status(&self) -> String {
        let Coverage { indexed, of } = self.coverage();
        match self.state() {
            State::Opening => "being opened".to_owned(),
            State::Failed(error) => error.to_string(),
            State::Open(_, _, Some(trouble)) => {
                format!("{indexed} of {of} papers; it does not go on: {trouble}")
            }
            State::Open(_, _, None) if indexed < of => format!("being built: {indexed} of {of} papers"),
            State::Open(archive, _, None) => format!("{} papers", archive.documents()),
        }
    }

    /// How it is, with what that means for those who search.
    pub fn finding(&self) -> Finding {
        let status = self.status();
        let Coverage { indexed, of } = self.coverage();
        match self.state() {
            State::Opening => Finding::note("the index is being opened; searches wait for it"),
            State::Failed(_) => Finding::wrong(status),
            State::Open(_, _, Some(_)) => Finding::wrong(format!("newer papers are not found: {status}")),
            State::Open(_, _, None) if indexed < of => Finding::note(format!("not every paper is found yet: {status}")),
            State::Open(_, _, None) => Finding::good(format!("{status} can be searched")),
        }
    }

    /// The papers that a query finds: `limit` of them from `offset` on. Beyond the 10,000th there are none.
    ///
    /// # Errors
    /// When the index cannot be used, or the query asks for too much.
    pub async fn query(&self, query: Query, limit: usize, offset: usize) -> Result<Page, SearchError> {
        let begun = Instant::now();
        let names = self.0.names;
        let coverage = self.coverage();
        let found = self
            .read(move |archive| archive.query(&query, limit, offset, names))
            .await?;
        Ok(Page {
            total: found.total,
            hits: found.hits,
            complete: found.complete,
            coverage,
            took: begun.elapsed(),
        })
    }

    /// The papers nearest to this one, the nearest first; never itself.
    ///
    /// # Errors
    /// When the index cannot be used.
    pub async fn similar(&self, paper: Paper, limit: usize) -> Result<Vec<Hit>, SearchError> {
        self.read(move |archive| archive.similar(&paper, limit)).await
    }

    /// Papers whose arXiv id begins as `typed`, then those whose title has all words of `typed`, the last of which may be
    /// typed in part; the newest of each first.
    ///
    /// # Errors
    /// When the index cannot be used.
    pub async fn complete(&self, typed: String, limit: usize) -> Result<Vec<Suggestion>, SearchError> {
        self.read(move |archive| archive.complete(&typed, limit)).await
    }

    fn state(&self) -> State {
        self.0.state.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_state(&self, state: State) {
        *self.0.state.write().unwrap_or_else(PoisonError::into_inner) = state;
    }

    async fn read<T, F>(&self, job: F) -> Result<T, SearchError>
    where
        T: Send + 'static,
        F: FnOnce(&Archive) -> Result<T, SearchError> + Send + 'static,
    {
        let archive = match self.state() {
            State::Opening => return Err(SearchError::Opening),
            State::Failed(error) => return Err(error),
            State::Open(archive, _, _) => archive,
        };
        let turn = Arc::clone(&self.0.at_a_time).acquire_owned().await;
        let answer = tokio::task::spawn_blocking(move || {
            // It goes on when the asker has gone away, and so does its turn.
            let _turn = turn;
            job(&archive)
        });
        let answer = answer
            .await
            .unwrap_or_else(|panic| Err(SearchError::Damaged(panic.to_string())));
        if let Err(SearchError::Damaged(why)) = &answer {
            tracing::warn!(why, "the search index is damaged and is built anew");
            self.0.damaged.store(true, Ordering::Relaxed);
            self.0.wake.notify_one();
        }
        answer
    }

    /// An index of these papers without a store, for measuring; its size in bytes. Blocks.
    pub(crate) fn fill(
        &self,
        papers: &mut dyn Iterator<Item = (Paper, chrono::DateTime<chrono::Utc>)>,
    ) -> Result<u64, String> {
        let archive = Archive::create(&self.0.folder)?;
        let mark = Mark::new(0);
        let fill = || {
            let mut writer = archive.writer()?;
            let (mut waiting, mut run) = (0, FIRST_RUN);
            for (paper, taken_at) in papers {
                writer.put(&Entry {
                    paper,
                    taken_at,
                    topics: Vec::new(),
                })?;
                waiting += 1;
                if waiting >= run {
                    writer.commit(&mark)?;
                    (waiting, run) = (0, (run * 2).min(LONGEST_RUN));
                }
            }
            writer.commit(&mark)?;
            writer.close()?;
            archive.reload()?;
            archive.tidy()
        };
        fill().map_err(|error: TantivyError| error.to_string())?;
        let size = archive.size();
        self.set_state(State::Open(Arc::new(archive), mark, None));
        Ok(size)
    }

    /// Follows the store until `stop`. How far it is shows in `ops`.
    pub async fn run(self, storage: Storage, topics: Arc<[Topic]>, ops: Ops, stop: CancellationToken) {
        let mut failures = 0;
        loop {
            let anew = failures > 0 && u32::is_multiple_of(failures, PATIENCE);
            let caught_up = self.catch_up(&storage, &topics, &ops, anew);
            let pause = match stop.run_until_cancelled(caught_up).await {
                None | Some(Err(Failure::Stopped)) => return,
                Some(Ok(())) => {
                    failures = 0;
                    None
                }
                Some(Err(Failure::Index(why))) => {
                    failures += 1;
                    let pause = PAUSE.saturating_mul(1 << (failures - 1).min(10)).min(LONGEST_PAUSE);
                    tracing::warn!(
                        why,
                        "the search index cannot follow; trying again in {} s",
                        pause.as_secs()
                    );
                    self.failed(why);
                    Some(pause)
                }
            };
            let rest = async {
                match pause {
                    // What is taken in meanwhile does not mend the disk.
                    Some(pause) => tokio::time::sleep(pause).await,
                    None => self.0.wake.notified().await,
                }
            };
            if stop.run_until_cancelled(rest).await.is_none() {
                return;
            }
        }
    }

    /// What is open stays open: it finds what it has.
    fn failed(&self, why: String) {
        self.set_state(match self.state() {
            State::Open(archive, mark, _) => State::Open(archive, mark, Some(why)),
            State::Opening | State::Failed(_) => State::Failed(SearchError::Unavailable(why)),
        });
    }

    /// Brings the index to where the store is; with `anew`, from the beginning.
    async fn catch_up(&self, storage: &Storage, topics: &Arc<[Topic]>, ops: &Ops, anew: bool) -> Result<(), Failure> {
        let fingerprint = fingerprint(topics);
        let anew = self.0.damaged.swap(false, Ordering::Relaxed) || anew;
        let opened = match self.state() {
            _ if anew => None,
            State::Open(archive, mark, None) => Some((archive, mark)),
            // After a failure it is looked at from the ground up.
            State::Open(_, _, Some(_)) | State::Opening | State::Failed(_) => self.open().await?,
        };
        let at = opened.as_ref().map_or(0, |(_, mark)| mark.seq);
        let (head, last) = storage
            .run(move |store| Ok((store.head()?, store.intake(at.saturating_sub(1), at, 1)?.pop())))
            .await?;
        let shared = Arc::clone(&self.0);
        let noted = blocking(move || Ok(shared.journal.read()?)).await?;
        let (archive, mut mark) = match opened.filter(|(_, mark)| !noted.too_many && fits(mark, head, last.as_ref())) {
            Some(opened) => opened,
            None => (self.create().await?, Mark::new(fingerprint)),
        };
        // What is to be taken once more can be found all the same.
        let found = mark.seq;
        let mut behind = mark.seq < head || !noted.papers.is_empty();
        if mark.topics != fingerprint {
            // So far back the store has matched its papers anew, or will have done so.
            mark.seq = mark.seq.saturating_sub(pipeline::REFRESH);
            mark.topics = fingerprint;
            behind = true;
        }
        self.set_state(State::Open(Arc::clone(&archive), mark.clone(), None));
        self.progress(found, head);
        ops.searchable(archive.documents(), head.saturating_sub(found));
        if !behind {
            return Ok(());
        }
        let run = Run {
            index: self,
            storage,
            topics,
            ops,
            archive,
            mark,
            head,
        };
        run.go(noted).await
    }

    fn progress(&self, indexed: Seq, head: Seq) {
        self.0.indexed.store(indexed, Ordering::Relaxed);
        self.0.head.store(head, Ordering::Relaxed);
    }

    async fn open(&self) -> Result<Option<(Arc<Archive>, Mark)>, Failure> {
        let folder = self.0.folder.clone();
        blocking(move || {
            Ok(match Archive::open(&folder) {
                Ok((archive, mark)) => Some((Arc::new(archive), mark)),
                Err(why) => {
                    tracing::info!(why, "the search index is built anew");
                    None
                }
            })
        })
        .await
    }

    async fn create(&self) -> Result<Arc<Archive>, Failure> {
        // What is searched meanwhile is what is there: nothing yet.
        self.set_state(State::Opening);
        let folder = self.0.folder.clone();
        blocking(move || Archive::create(&folder).map(Arc::new).map_err(Failure::Index)).await
    }
}

/// Whether an index can be of this store.
fn fits(mark: &Mark, head: Seq, last: Option<&IntakeRecord>) -> bool {
    let same = match (last, mark.at) {
        (Some(last), Some(at)) => last.taken_at == at,
        // A record that cannot be read proves nothing.
        (None, _) | (_, None) => true,
    };
    mark.seq <= head && same
}

/// Changes when a topic may keep other papers than before.
fn fingerprint(topics: &[Topic]) -> u64 {
    let mut parts: Vec<String> = topics
        .iter()
        .map(|topic| format!("{} {}", topic.id, topic.fingerprint()))
        .collect();
    parts.sort_unstable();
    text::hash64(&parts.iter().map(String::as_str).collect::<Vec<_>>())
}

async fn blocking<T: Send + 'static>(job: impl FnOnce() -> Result<T, Failure> + Send + 'static) -> Result<T, Failure> {
    let done = tokio::task::spawn_blocking(job).await;
    done.unwrap_or_else(|panic| Err(Failure::Index(panic.to_string())))
}

/// One run after the store.
struct Run<'a> {
    index: &'a SearchIndex,
    storage: &'a Storage,
    topics: &'a Arc<[Topic]>,
    ops: &'a Ops,
    archive: Arc<Archive>,
    mark: Mark,
    head: Seq,
}

impl Run<'_> {
    async fn go(mut self, noted: Noted) -> Result<(), Failure> {
        let archive = Arc::clone(&self.archive);
        let mut writer = blocking(move || Ok(archive.writer()?)).await?;
        for papers in noted.papers.chunks(STEP) {
            let (papers, topics) = (papers.to_vec(), Arc::clone(self.topics));
            let step = self.storage.run(move |store| Step::of(store, &topics, papers)).await?;
            writer = step.write(writer).await?;
        }
        let (mut waiting, mut run) = (0, FIRST_RUN);
        loop {
            let (after, topics) = (self.mark.seq, Arc::clone(self.topics));
            let step = self
                .storage
                .run(move |store| Step::after(store, &topics, after))
                .await?;
            let Some((seq, at)) = step.upto else { break };
            waiting += step.entries.len();
            writer = step.write(writer).await?;
            self.mark.seq = seq;
            self.mark.at = Some(at);
            if waiting >= run {
                writer = self.commit(writer).await?;
                (waiting, run) = (0, (run * 2).min(LONGEST_RUN));
            }
        }
        // Records at the end that cannot be read are behind it, too.
        self.mark.seq = self.mark.seq.max(self.head);
        writer = self.commit(writer).await?;
        let shared = Arc::clone(&self.index.0);
        blocking(move || Ok(shared.journal.forget(&noted)?)).await?;
        let archive = Arc::clone(&self.archive);
        blocking(move || {
            writer.close()?;
            archive.reload()?;
            Ok(archive.tidy()?)
        })
        .await
    }

    async fn commit(&mut self, mut writer: Writer) -> Result<Writer, Failure> {
        let (archive, mark) = (Arc::clone(&self.archive), self.mark.clone());
        let (writer, documents) = blocking(move || {
            writer.commit(&mark)?;
            archive.reload()?;
            Ok((writer, archive.documents()))
        })
        .await?;
        let (archive, mark) = (Arc::clone(&self.archive), self.mark.clone());
        self.head = self.head.max(mark.seq);
        let found = self.index.coverage().indexed.max(mark.seq);
        self.index.progress(found, self.head);
        self.index.set_state(State::Open(archive, mark, None));
        self.ops.searchable(documents, self.head.saturating_sub(found));
        Ok(writer)
    }
}

/// Some papers as the store has them.
#[derive(Debug, Default)]
struct Step {
    /// Names under which nothing is to be found any more, unless it is in `entries`.
    names: Vec<PaperId>,
    entries: Vec<Entry>,
    /// The last intake position looked at, and when it was taken.
    upto: Option<(Seq, chrono::DateTime<chrono::Utc>)>,
}

impl Step {
    /// The next papers in the order of intake.
    fn after(store: &dyn Store, topics: &[Topic], after: Seq) -> Result<Self, StoreError> {
        let records = store.intake(after, Seq::MAX, STEP)?;
        let mut step = Self {
            upto: records.last().map(|last| (last.seq, last.taken_at)),
            ..Self::default()
        };
        for record in records {
            step.take(store, topics, record.paper)?;
        }
        Ok(step)
    }

    /// These papers, as they are now.
    fn of(store: &dyn Store, topics: &[Topic], papers: Vec<PaperId>) -> Result<Self, StoreError> {
        let mut step = Self::default();
        for paper in papers {
            step.take(store, topics, paper)?;
        }
        Ok(step)
    }

    fn take(&mut self, store: &dyn Store, topics: &[Topic], name: PaperId) -> Result<(), StoreError> {
        let paper = readable(store.paper(&name))?;
        self.names.push(name);
        let Some(paper) = paper else { return Ok(()) };
        // A paper that came only as a new version of one that nobody announced has no place: it is no candidate.
        let Some(record) = readable(store.intake_of(&paper.id))? else {
            return Ok(());
        };
        let mut kept: Vec<TopicId> = Vec::new();
        for topic in topics {
            let matches = store.matches(&topic.id, record.seq.saturating_sub(1), record.seq)?;
            if !matches.is_empty() {
                kept.push(topic.id.clone());
            }
        }
        self.entries.push(Entry {
            paper,
            taken_at: record.taken_at,
            topics: kept,
        });
        Ok(())
    }

    async fn write(self, mut writer: Writer) -> Result<Writer, Failure> {
        blocking(move || {
            for name in &self.names {
                writer.remove(name);
            }
            for entry in &self.entries {
                writer.put(entry)?;
            }
            Ok(writer)
        })
        .await
    }
}

/// A record that cannot be read is left out.
fn readable<T>(read: Result<Option<T>, StoreError>) -> Result<Option<T>, StoreError> {
    match read {
        Err(StoreError::Damaged { .. }) => Ok(None),
        Ok(_) | Err(StoreError::Broken(_)) => read,
    }
}
