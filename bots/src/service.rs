//! What an operator can ask for, whether a bot runs or not: the running process serves these requests over its socket,
//! and a command line without a running process serves them itself from the same store.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use chrono::NaiveDate;
use paperwire_core::channel::{Activity, Channel, Place, Platform, Style};
use paperwire_core::command::press::HoldAction;
use paperwire_core::command::{self, Command, PaperQuery};
use paperwire_core::delivery::DeliveryId;
use paperwire_core::digest::{Digest, DigestId, View};
use paperwire_core::locale::Lang;
use paperwire_core::message::Message;
use paperwire_core::paper::{Paper, PaperId};
use paperwire_core::pipeline::{self, Accepted, Decision, Occasion, Resolution, Waiting, queue};
use paperwire_core::source::daybook::{self, Day};
use paperwire_core::source::{self, Parsed, SourceKind, Window};
use paperwire_core::store::{IntakeRecord, Store, StoreError, WindowRecord};
use paperwire_core::topic::{Score, Topic, TopicId};
use paperwire_core::vote::Tally;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::clock;
use crate::doctor::{self, Checkup, Finding, Known};
use crate::ops::Ops;
use crate::queued::Queued;
use crate::render::Renderers;
use crate::search::SearchIndex;
use crate::storage::{Storage, StorageError};
use crate::writer::Writer;

/// The largest file that is taken in, in bytes; a larger one is no mailing.
pub const LARGEST_FILE: u64 = 60 << 20;

/// Of how many of the latest papers the votes are looked through.
pub const MOST_VOTED: u64 = 200_000;
/// How many papers one job of the storage looks at.
const PIECE: u64 = 2_000;

/// The pause before a chat that moved is followed, while something is being sent to where it was.
const FOLLOW_PAUSE: Duration = Duration::from_millis(200);
/// How often that is tried: a little longer than any request takes.
const FOLLOW_TRIES: u32 = 150;

/// Why a file was not taken in; a sentence for people that names it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IngestError {
    /// The file cannot be used, now or later.
    #[error("{0}")]
    Refused(String),
    /// The store cannot be used; the file may be good.
    #[error("{name}: {error}")]
    Store {
        /// The file.
        name: String,
        /// What the store said.
        error: StorageError,
    },
}

/// One request of an operator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Request {
    /// Take a file in.
    Ingest {
        /// Its name, for people.
        name: String,
        /// Its bytes in base64.
        bytes: String,
    },
    /// The ledger.
    Windows,
    /// Publish now for these places; for all channels when empty.
    Post {
        /// The places.
        places: Vec<Place>,
    },
    /// What a topic's digest of a day would be.
    Digest {
        /// The topic.
        topic: TopicId,
        /// The day on which its window ends; the latest when absent.
        day: Option<NaiveDate>,
    },
    /// One paper: by number of the latest digest, of a day's, or by id.
    Paper {
        /// As typed.
        query: String,
        /// In which language.
        lang: Lang,
    },
    /// The queue: what waits and what was refused.
    Queue,
    /// One delivery, with what is done to it first.
    Delivery {
        /// Which.
        id: DeliveryId,
        /// What to do.
        action: QueueAction,
    },
    /// The digests that are held back.
    Held,
    /// One of them, with what is decided about it first.
    HeldDigest {
        /// Which.
        id: DigestId,
        /// What to do.
        action: HeldAction,
    },
    /// The latest digests with what was decided about them.
    Decisions {
        /// How many at most.
        most: usize,
        /// In which language it is said.
        lang: Lang,
    },
    /// One digest with what was decided about it.
    Decision {
        /// Which.
        id: DigestId,
        /// In which language it is said.
        lang: Lang,
    },
    /// Papers of the archive, as they are known.
    Papers(Which),
    /// How it is.
    Status,
    /// What somebody should know, and what to do.
    Doctor,
}

/// What can be done to a held digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HeldAction {
    /// Nothing, it is only shown.
    Show,
    /// Post it as it is.
    Post,
    /// Never post it.
    Drop,
}

/// A digest with what was decided about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldDigest {
    /// Which.
    pub id: DigestId,
    /// If it waits: for whom and why.
    pub waiting: Option<Waiting>,
    /// What it was judged by, how, and what a person decided.
    pub decision: Option<Decision>,
    /// What it says, as plain text.
    pub text: String,
}

/// What was decided about a digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decided {
    /// Which.
    pub id: DigestId,
    /// What it is called.
    pub title: String,
    /// How many papers it has.
    pub papers: usize,
    /// What was decided and by what; `None` of one without a record, which is kept for 400 days.
    pub decision: Option<Decision>,
    /// How far it has come in its channels; `None` of one that is held back or was dropped.
    #[serde(default)]
    pub progress: Option<queue::Progress>,
    /// Both in sentences.
    pub says: Vec<String>,
    /// Of one that is or was held: the channels that it is for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub channels: Vec<Place>,
    /// What it says, as plain text, where one digest was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// Which papers of the archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Which {
    /// Those of these ids that are known.
    Ids(Vec<PaperId>),
    /// Those among the latest [`MOST_VOTED`] that readers voted on, more for than against or the other way.
    Voted,
}

/// What can be done to one delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum QueueAction {
    /// Nothing, it is only shown.
    Show,
    /// Send now what has not arrived.
    Retry,
    /// Never send what has not arrived.
    Drop,
}

impl Request {
    /// A request to take in a file.
    pub fn ingest(name: impl Into<String>, bytes: &[u8]) -> Self {
        Self::Ingest {
            name: name.into(),
            bytes: BASE64_STANDARD.encode(bytes),
        }
    }
}

/// What a request is answered with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Response {
    /// What a file brought.
    Ingested(Accepted),
    /// The ledger.
    Windows(Ledger),
    /// What was queued: for each place the number of papers; `None` where the channel stays silent.
    Posted(Vec<(Place, Option<usize>)>),
    /// A digest that would be.
    Digest(Box<Preview>),
    /// A paper, as it would be shown.
    Paper(Message),
    /// The queue.
    Queue(queue::Listing),
    /// One delivery, after what was done to it.
    Delivery(Box<queue::Details>),
    /// The digests that are held back, the earliest first.
    Held(Vec<Waiting>),
    /// One digest with what was decided about it.
    HeldDigest(Box<HeldDigest>),
    /// What became of a decision, in words.
    Decided(Message),
    /// What was decided about digests, the latest first.
    Decisions(Vec<Decided>),
    /// What was decided about one.
    Decision(Box<Decided>),
    /// Papers, each with its votes.
    Papers(Vec<(Paper, Tally)>),
    /// How it is.
    Status(Status),
    /// What somebody should know.
    Doctor(Checkup),
    /// It could not be done; a sentence for people.
    Failed(String),
}

/// The ledger of windows with what it shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    /// Every window, with how many new papers it brought.
    pub windows: Vec<LedgerWindow>,
    /// Stretches that no window of a source covers.
    pub gaps: Vec<Window>,
    /// Windows that came more than once, and stretches that several cover.
    pub repeats: Vec<Repeat>,
    /// What came in without a window, by day and source.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub days: Vec<Day>,
}

/// A window in the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerWindow {
    /// Which.
    #[serde(flatten)]
    pub window: Window,
    /// When it was taken in.
    pub taken_at: chrono::DateTime<chrono::Utc>,
    /// New papers.
    pub papers_new: u64,
    /// All of its items.
    pub items: u32,
}

/// Something that came more than once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repeat {
    /// Which stretch.
    #[serde(flatten)]
    pub window: Window,
    /// How many times it came.
    pub times: u32,
}

/// A digest that was not published.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Preview {
    /// The digest.
    pub digest: Digest,
    /// Its papers, in the order of its entries.
    pub papers: Vec<Paper>,
    /// The score of every candidate, best first.
    pub explained: Vec<Explained>,
}

/// A candidate with its score.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explained {
    /// Which paper and where it came from.
    pub intake: IntakeRecord,
    /// Its title.
    pub title: String,
    /// Its score.
    pub score: Score,
}

/// How a running Paperwire is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Program version.
    pub version: String,
    /// Process id.
    pub pid: u32,
    /// Candidates taken in so far.
    pub papers: u64,
    /// Windows in the ledger.
    pub windows: usize,
    /// Different rules that channels follow.
    #[serde(default)]
    pub rules: usize,
    /// Unfinished deliveries (counted up to 10,000).
    pub waiting: usize,
    /// Deliveries that could not be read and were set aside (the first 100).
    #[serde(default)]
    pub set_aside: Vec<DeliveryId>,
    /// Digests that are held back until somebody decides.
    #[serde(default)]
    pub held: Vec<Waiting>,
    /// How the search index is, in a few words.
    #[serde(default)]
    pub search: Option<String>,
    /// Channels.
    pub channels: Vec<ChannelStatus>,
}

/// How a channel is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChannelStatus {
    /// Where.
    pub place: Place,
    /// When it is next due.
    pub next_due: Option<chrono::DateTime<chrono::Utc>>,
    /// Why it is paused, if it is.
    pub paused: Option<String>,
    /// The platform's id of who set it up, where that is known.
    pub owner: Option<String>,
}

/// Serves requests and answers questions over the storage thread.
#[derive(Clone)]
pub struct Service {
    storage: Storage,
    topics: Arc<[Topic]>,
    queued: Queued,
    channels_changed: Arc<Notify>,
    ops: Ops,
    search: Option<SearchIndex>,
    sources: Arc<[Known]>,
    has_operator: bool,
    writer: Option<Writer>,
    judging: Arc<[TopicId]>,
    /// What is odd in the configuration.
    warned: Arc<[String]>,
    stop: CancellationToken,
}

impl std::fmt::Debug for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Service")
    }
}

/// Why a channel is silent that the file does not have.
const ABSENT: &str = "the configuration does not have it any more";

/// Why a channel is silent that its people paused.
fn snoozed(until: Option<chrono::DateTime<chrono::Utc>>) -> String {
    match until {
        Some(until) => format!("its people paused it until {}", until.format("%Y-%m-%d %H:%M UTC")),
        None => "its people paused it; /resume there makes it active".to_owned(),
    }
}

/// Why a request was not done; a sentence for people.
type Failure = String;

impl Service {
    /// `queued` is rung when there is something to deliver, `channels_changed` when a channel is due at another time; what
    /// happens is counted in `ops`.
    pub fn new(
        storage: Storage,
        topics: Arc<[Topic]>,
        queued: Queued,
        channels_changed: Arc<Notify>,
        ops: Ops,
    ) -> Self {
        Self {
            storage,
            topics,
            queued,
            channels_changed,
            ops,
            search: None,
            sources: Arc::default(),
            has_operator: false,
            writer: None,
            judging: Arc::default(),
            warned: Arc::default(),
            stop: CancellationToken::new(),
        }
    }

    /// What waits for others gives up when this happens.
    #[must_use]
    pub fn until(mut self, stop: CancellationToken) -> Self {
        self.stop = stop;
        self
    }

    /// Has `doctor` repeat what is odd in the configuration.
    #[must_use]
    pub fn warned(mut self, warnings: Vec<String>) -> Self {
        self.warned = warnings.into();
        self
    }

    /// The model is to judge the borderline of these topics.
    #[must_use]
    pub fn judging(mut self, topics: &[TopicId]) -> Self {
        self.judging = topics.into();
        self
    }

    /// A model writes the briefs.
    #[must_use]
    pub fn written_by(mut self, writer: Option<Writer>) -> Self {
        self.writer = writer;
        self
    }

    /// Papers come from these sources by themselves.
    #[must_use]
    pub fn asking(mut self, sources: Vec<Known>) -> Self {
        self.sources = sources.into();
        self
    }

    /// Whether somebody is told of alarms (`[operator]`).
    #[must_use]
    pub fn telling_operator(mut self, has_operator: bool) -> Self {
        self.has_operator = has_operator;
        self
    }

    /// What is taken in shows in this index.
    #[must_use]
    pub fn searching(mut self, search: SearchIndex) -> Self {
        self.search = Some(search);
        self
    }

    /// Does what is asked.
    pub async fn handle(&self, request: Request) -> Response {
        let result = match request {
            Request::Ingest { name, bytes } => match BASE64_STANDARD.decode(bytes) {
                Ok(bytes) => self
                    .ingest(&name, bytes)
                    .await
                    .map(Response::Ingested)
                    .map_err(|error| error.to_string()),
                Err(error) => Err(format!("{name}: the request is damaged: {error}")),
            },
            Request::Windows => self.ledger().await.map(Response::Windows),
            Request::Post { places } => self.post(places).await.map(Response::Posted),
            Request::Digest { topic, day } => self.preview(topic, day).await.map(|p| Response::Digest(Box::new(p))),
            Request::Paper { query, lang } => self.paper(query, lang).await.map(Response::Paper),
            Request::Queue => self.run(|store| queue::list(store)).await.map(Response::Queue),
            Request::Delivery { id, action } => self
                .delivery(id, action)
                .await
                .map(|details| Response::Delivery(Box::new(details))),
            Request::Held => {
                let topics = Arc::clone(&self.topics);
                let all = self.run(move |store| pipeline::waiting(store, &topics)).await;
                all.map(Response::Held)
            }
            Request::HeldDigest { id, action } => self.decide(id, action).await,
            Request::Decisions { most, lang } => {
                let topics = Arc::clone(&self.topics);
                // They can be all that there are: beside the storage thread.
                let all = self
                    .storage
                    .read(move |store| decisions(store, &topics, most, lang))
                    .await;
                all.map(Response::Decisions).map_err(|error| error.to_string())
            }
            Request::Decision { id, lang } => {
                let topics = Arc::clone(&self.topics);
                let shown = self
                    .storage
                    .read(move |store| decided(store, &topics, id, lang, true))
                    .await;
                shown.map_err(|error| error.to_string()).and_then(|shown| {
                    let unknown = || format!("there is no digest {id}; `paperwire digest list` lists the latest");
                    shown
                        .map(|shown| Response::Decision(Box::new(shown)))
                        .ok_or_else(unknown)
                })
            }
            Request::Papers(which) => self.papers(which).await.map(Response::Papers),
            Request::Status => self.status().await.map(Response::Status),
            Request::Doctor => self.doctor().await.map(Response::Doctor),
        };
        result.unwrap_or_else(Response::Failed)
    }

    async fn run<T, F>(&self, job: F) -> Result<T, Failure>
    where
        T: Send + 'static,
        F: FnOnce(&dyn Store) -> Result<T, StoreError> + Send + 'static,
    {
        self.storage
            .run(job)
            .await
            .map_err(|error: StorageError| error.to_string())
    }

    /// Takes a file in.
    ///
    /// # Errors
    /// A sentence that names the file and says why not.
    pub async fn ingest(&self, name: &str, bytes: Vec<u8>) -> Result<Accepted, IngestError> {
        let refused = |why: &dyn std::fmt::Display| IngestError::Refused(format!("{name}: {why}"));
        let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        if size > LARGEST_FILE {
            let (size, most) = (size >> 20, LARGEST_FILE >> 20);
            return Err(refused(&format!(
                "{size} MB is too large for a mailing; at most {most} MB are taken in"
            )));
        }
        let (parsed, bytes) = tokio::task::spawn_blocking(move || (source::parse(&bytes), bytes))
            .await
            .map_err(|error| refused(&format!("reading it failed: {error}")))?;
        let parsed = parsed.map_err(|error| refused(&error))?;
        self.accept(name, bytes, parsed)
            .await
            .map_err(|error| IngestError::Store {
                name: name.to_owned(),
                error,
            })
    }

    /// Takes in what was parsed already; `bytes` tell whether exactly this came before.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn accept(&self, name: &str, bytes: Vec<u8>, parsed: Parsed) -> Result<Accepted, StorageError> {
        let topics = Arc::clone(&self.topics);
        let label = name.to_owned();
        let search = self.search.clone();
        let accepted = self
            .storage
            .run(move |store| {
                let accepted = pipeline::accept(store, &topics, &Renderers, &label, &bytes, parsed, clock::now())?;
                if let Some(search) = search {
                    search.note_changed(&accepted.changed);
                }
                Ok(accepted)
            })
            .await?;
        self.ops.papers_taken_in(accepted.papers_new);
        if let Some(search) = &self.search {
            search.nudge();
        }
        if accepted.corrections > 0 {
            self.queued.announce();
        }
        Ok(accepted)
    }

    async fn ledger(&self) -> Result<Ledger, Failure> {
        let (records, days) = self
            .run(|store| Ok((store.windows()?, daybook::since(store, NaiveDate::MIN)?)))
            .await?;
        let windows: Vec<Window> = records.iter().map(|r| r.window).collect();
        // A day of Hugging Face is asked for until it is over: that is no repeat.
        let repeated = |r: &&WindowRecord| r.repeats > 0 && r.window.source != SourceKind::HuggingFace;
        let again = records.iter().filter(repeated).map(|r| Repeat {
            window: r.window,
            times: r.repeats + 1,
        });
        let overlaps = source::overlaps(&windows)
            .into_iter()
            .map(|window| Repeat { window, times: 2 });
        let mut repeats: Vec<Repeat> = again.chain(overlaps).collect();
        repeats.sort_by_key(|r| r.window);
        Ok(Ledger {
            days,
            gaps: source::gaps(&windows),
            repeats,
            windows: records
                .iter()
                .map(|r| LedgerWindow {
                    window: r.window,
                    taken_at: r.taken_at,
                    papers_new: r.new_papers(),
                    items: r.items,
                })
                .collect(),
        })
    }

    async fn post(&self, places: Vec<Place>) -> Result<Vec<(Place, Option<usize>)>, Failure> {
        if let Some(writer) = &self.writer {
            let asked = places.clone();
            let chosen = self.run(move |store| chosen(store, &asked)).await??;
            let occasion = Occasion::Asked(chosen.into_iter().map(|channel| channel.place).collect());
            let prepared = writer.prepare(&occasion, Instant::now() + writer.patience());
            match self.stop.run_until_cancelled(prepared).await {
                Some(prepared) => prepared.map_err(|error| error.to_string())?,
                None => return Err("it was stopped before the model was done; nothing was posted".to_owned()),
            };
        }
        let topics = Arc::clone(&self.topics);
        let ops = self.ops.clone();
        let outcome = self
            .run(move |store| {
                let chosen = match chosen(store, &places)? {
                    Ok(chosen) => chosen,
                    Err(wrong) => return Ok(Err(wrong)),
                };
                let wanted: Vec<Place> = chosen.iter().map(|c| c.place.clone()).collect();
                let published = pipeline::publish_now(store, &topics, &Renderers, chosen, clock::now())?;
                crate::scheduler::report(&published, &ops);
                let queued: HashMap<&Place, DigestId> =
                    published.deliveries.iter().map(|d| (&d.place, d.digest)).collect();
                // Many channels share a digest.
                let mut papers: HashMap<DigestId, Option<usize>> = HashMap::new();
                for digest in queued.values() {
                    if !papers.contains_key(digest) {
                        papers.insert(*digest, store.digest(digest)?.map(|d| d.entries.len()));
                    }
                }
                let papers_for = |place: &Place| papers.get(queued.get(place)?).copied().flatten();
                Ok(Ok(wanted
                    .into_iter()
                    .map(|place| {
                        let papers = papers_for(&place);
                        (place, papers)
                    })
                    .collect::<Vec<_>>()))
            })
            .await??;
        if outcome.is_empty() {
            return Err("there is no active channel to post to; add a [[channel]] to the configuration".to_owned());
        }
        self.queued.announce();
        self.channels_changed.notify_one();
        Ok(outcome)
    }

    async fn preview(&self, topic: TopicId, day: Option<NaiveDate>) -> Result<Preview, Failure> {
        let Some(topic) = self.topics.iter().find(|t| t.id == topic).cloned() else {
            let known: Vec<String> = self.topics.iter().map(|t| t.id.to_string()).collect();
            return Err(format!("there is no topic “{topic}”; there are: {}", known.join(", ")));
        };
        let preview = self
            .run(move |store| {
                let Some((digest, scores)) = pipeline::draft_of_window(store, &topic, day)? else {
                    return Ok(None);
                };
                let mut papers = Vec::new();
                for entry in &digest.entries {
                    papers.extend(store.paper(&entry.paper)?);
                }
                let mut explained = Vec::new();
                for (intake, score) in scores {
                    let title = store
                        .paper(&intake.paper)?
                        .map(|p| p.title().to_owned())
                        .unwrap_or_default();
                    explained.push(Explained { intake, title, score });
                }
                Ok(Some(Preview {
                    digest,
                    papers,
                    explained,
                }))
            })
            .await?;
        preview.ok_or_else(|| match day {
            Some(day) => format!("no window ends on {day}; `paperwire windows` lists those that were taken in"),
            None => "nothing was taken in yet; `paperwire ingest FILE` takes a mailing in".to_owned(),
        })
    }

    async fn paper(&self, query: String, lang: Lang) -> Result<Message, Failure> {
        let command =
            command::parse_named("paper", &query).map_err(|error| command::refusal(&error, Platform::Web, lang))?;
        let Command::Paper(query) = command else {
            return Err(lang.which_paper().to_owned());
        };
        let topics = Arc::clone(&self.topics);
        self.run(move |store| find_paper(store, &topics, &query, lang)).await?
    }

    async fn papers(&self, which: Which) -> Result<Vec<(Paper, Tally)>, Failure> {
        let with_tally = |store: &dyn Store, id: &PaperId| -> Result<Option<(Paper, Tally)>, StoreError> {
            Ok(match store.paper(id)? {
                Some(paper) => Some((paper, store.tally(id)?)),
                None => None,
            })
        };
        match which {
            Which::Ids(ids) => {
                self.run(move |store| ids.iter().filter_map(|id| with_tally(store, id).transpose()).collect())
                    .await
            }
            Which::Voted => {
                let head = self.run(|store| store.head()).await?;
                let mut voted = Vec::new();
                let mut after = head.saturating_sub(MOST_VOTED);
                // In pieces, or nothing would be delivered meanwhile.
                while after < head {
                    let upto = (after + PIECE).min(head);
                    let piece = self.run(move |store| {
                        let mut voted = Vec::new();
                        for record in store.intake(after, upto, usize::try_from(PIECE).unwrap_or(usize::MAX))? {
                            let tally = store.tally(&record.paper)?;
                            if tally.up != tally.down {
                                let paper = store.paper(&record.paper)?.filter(|paper| paper.id == record.paper);
                                voted.extend(paper.map(|paper| (paper, tally)));
                            }
                        }
                        Ok(voted)
                    });
                    voted.extend(piece.await?);
                    after = upto;
                }
                Ok(voted)
            }
        }
    }

    async fn delivery(&self, id: DeliveryId, action: QueueAction) -> Result<queue::Details, Failure> {
        let mended = self
            .run(move |store| {
                let done = match action {
                    QueueAction::Show => Ok(()),
                    QueueAction::Retry => queue::retry(store, &id, clock::now())?,
                    QueueAction::Drop => queue::discard(store, &id, clock::now())?,
                };
                match done {
                    Ok(()) => queue::show(store, &id),
                    Err(refused) => Ok(Err(refused)),
                }
            })
            .await?;
        // What is dropped makes way for what stands behind it.
        if action != QueueAction::Show {
            self.queued.announce();
        }
        mended.map_err(|refused| refused.to_string())
    }

    async fn doctor(&self) -> Result<Checkup, Failure> {
        let (topics, sources, judging) = (
            Arc::clone(&self.topics),
            Arc::clone(&self.sources),
            Arc::clone(&self.judging),
        );
        let has_operator = self.has_operator;
        let (mut checkup, mut judged) = self
            .run(move |store| {
                let checkup = doctor::look(store, &topics, &sources, has_operator, clock::now())?;
                Ok((checkup, doctor::judged(store, &topics, &judging, clock::now())?))
            })
            .await?;
        if !self.warned.is_empty() {
            let odd = self.warned.iter().map(|warning| Finding::wrong(warning.clone()));
            checkup.add("Configuration", odd.collect());
        }
        let report = match &self.writer {
            Some(writer) => Some(writer.report().await),
            None => None,
        };
        checkup.add(
            "Briefs",
            match &report {
                Some(report) => doctor::briefs(report),
                None => vec![Finding::good(
                    "no model is configured: briefs are the abstracts' own words",
                )],
            },
        );
        if !judged.is_empty() {
            judged.extend(report.map(|report| doctor::judges_share(&report.judge)));
            checkup.add("Judge", judged);
        }
        if let Some(search) = &self.search {
            checkup.add("Search", vec![search.finding()]);
        }
        Ok(checkup)
    }

    /// Something may have been queued, or is to be decided.
    pub fn announce(&self) {
        self.queued.announce();
    }

    async fn decide(&self, id: DigestId, action: HeldAction) -> Result<Response, Failure> {
        let topics = Arc::clone(&self.topics);
        let action = match action {
            HeldAction::Show => {
                let shown = self.run(move |store| held_digest(store, &topics, id)).await?;
                return shown.map(|shown| Response::HeldDigest(Box::new(shown))).ok_or_else(|| {
                    format!("there is no digest {id}; `paperwire held` lists those that wait for a decision")
                });
            }
            HeldAction::Post => HoldAction::Post,
            HeldAction::Drop => HoldAction::Drop,
        };
        let (outcome, message) = self
            .run(move |store| {
                let (by, now) = (pipeline::OPERATOR, clock::now());
                let outcome = pipeline::resolve(store, &topics, &Renderers, &id, action, by, now)?;
                // Operators are told in English, whatever the channel's language is.
                let message = pipeline::verdict_message(store, &topics, &id, &outcome, Some(Lang::En), Lang::En)?.0;
                Ok((outcome, message))
            })
            .await?;
        self.announce();
        match outcome {
            Resolution::Posted { .. } | Resolution::Dropped => Ok(Response::Decided(message)),
            Resolution::Already(_) | Resolution::NoChannel(_) | Resolution::Gone => {
                Err(message.to_plain().trim().to_owned())
            }
        }
    }

    async fn status(&self) -> Result<Status, Failure> {
        let topics = Arc::clone(&self.topics);
        let search = self.search.as_ref().map(SearchIndex::status);
        self.run(move |store| {
            let channels = store.channels()?.into_iter().map(|channel| ChannelStatus {
                place: channel.place,
                next_due: channel.next_due,
                paused: match channel.activity {
                    Activity::Active => None,
                    Activity::Paused { reason, .. } => Some(reason),
                    Activity::Snoozed { until, .. } => Some(snoozed(until)),
                    Activity::Absent { .. } => Some(ABSENT.to_owned()),
                },
                owner: channel.owner,
            });
            Ok(Status {
                version: env!("CARGO_PKG_VERSION").to_owned(),
                pid: std::process::id(),
                papers: store.head()?,
                windows: store.windows()?.len(),
                rules: store.rules()?.len(),
                waiting: store.unfinished(10_000)?.len(),
                set_aside: store.set_aside(100)?,
                held: pipeline::waiting(store, &topics)?,
                search,
                channels: channels.collect(),
            })
        })
        .await
    }
}

/// The channels of these places, of all active ones where there are none; or what is wrong with some.
fn chosen(store: &dyn Store, places: &[Place]) -> Result<Result<Vec<Channel>, Failure>, StoreError> {
    if places.is_empty() {
        let mut all = store.channels()?;
        all.retain(|channel| channel.activity == Activity::Active);
        return Ok(Ok(all));
    }
    let (mut chosen, mut wrong) = (Vec::new(), Vec::new());
    for place in places {
        match store.channel(place)? {
            Some(channel) => match &channel.activity {
                Activity::Active => chosen.push(channel),
                Activity::Paused { reason, .. } => wrong.push(format!("{place} is paused: {reason}")),
                Activity::Snoozed { until, .. } => wrong.push(format!("{place} is paused: {}", snoozed(*until))),
                Activity::Absent { .. } => wrong.push(format!("{place} is paused: {ABSENT}")),
            },
            None => wrong.push(format!(
                "{place} is no channel; add it to the configuration as [[channel]]"
            )),
        }
    }
    Ok(match wrong.is_empty() {
        true => Ok(chosen),
        false => Err(wrong.join("\n")),
    })
}

/// A digest as operators look at it before they decide.
fn held_digest(store: &dyn Store, topics: &[Topic], id: DigestId) -> Result<Option<HeldDigest>, StoreError> {
    let Some(digest) = store.digest(&id)? else {
        return Ok(None);
    };
    let view = View {
        lang: Lang::En,
        zone: chrono_tz::UTC,
        style: Style::Compact,
        topics,
    };
    let mut waiting = pipeline::waiting(store, topics)?;
    waiting.retain(|waiting| waiting.digest == id);
    Ok(Some(HeldDigest {
        id,
        waiting: waiting.pop(),
        decision: pipeline::decision(store, &id)?,
        text: view.message(&digest, &|_| None).to_plain(),
    }))
}

/// The latest digests with what was decided about them.
fn decisions(store: &dyn Store, topics: &[Topic], most: usize, lang: Lang) -> Result<Vec<Decided>, StoreError> {
    let mut all = Vec::new();
    for id in store.digests(None, most)? {
        match decided(store, topics, id, lang, false) {
            // It is named by the doctor.
            Err(StoreError::Damaged { .. }) => {}
            read => all.extend(read?),
        }
    }
    Ok(all)
}

/// What was decided about a digest; with its text if `whole`.
fn decided(
    store: &dyn Store,
    topics: &[Topic],
    id: DigestId,
    lang: Lang,
    whole: bool,
) -> Result<Option<Decided>, StoreError> {
    let Some(digest) = store.digest(&id)? else {
        return Ok(None);
    };
    let view = View {
        lang,
        zone: chrono_tz::UTC,
        style: Style::Compact,
        topics,
    };
    let decision = pipeline::decision(store, &id)?;
    let withheld = decision.as_ref().is_some_and(Decision::is_withheld);
    let progress = match withheld {
        true => None,
        false => Some(queue::progress(store, &id)?),
    };
    let held = pipeline::held(store, &id)?.map(|held| held.channels);
    let channels = held.or_else(|| decision.as_ref().map(|decision| decision.channels.clone()));
    Ok(Some(Decided {
        id,
        title: view.title(&digest),
        papers: digest.entries.len(),
        says: {
            let decided = match &decision {
                Some(decision) => decision.says(lang, topics),
                None => vec![lang.undecided().to_owned()],
            };
            let progress = progress.iter().flat_map(|progress| progress.says(lang));
            progress.chain(decided).collect()
        },
        progress,
        channels: channels.unwrap_or_default(),
        decision,
        text: whole.then(|| view.message(&digest, &|_| None).to_plain()),
    }))
}

/// A paper for the command line, which is no channel: numbers count in the latest digest of all.
fn find_paper(
    store: &dyn Store,
    topics: &[Topic],
    query: &PaperQuery,
    lang: Lang,
) -> Result<Result<Message, Failure>, StoreError> {
    let view = View {
        lang,
        zone: chrono_tz::UTC,
        style: Style::Compact,
        topics,
    };
    let (digest, number) = match query {
        PaperQuery::Id(id) => {
            return Ok(match store.paper(id)? {
                Some(paper) => Ok(command::paper_message(&paper, None, &view)),
                None => Err(lang.unknown_paper(id.bare(), id.link().as_deref())),
            });
        }
        PaperQuery::Number(n) => (latest_digest(store, |_| true)?, *n),
        PaperQuery::OfDay(day, n) => {
            // What was made that day; else what is of it: windows of other sources reach into later digests.
            let made = latest_digest(store, |d| d.id.occurrence.date_naive() == *day)?;
            let digest = match made {
                Some(digest) => Some(digest),
                None => latest_digest(store, |d| d.windows.iter().any(|w| w.day() == *day))?,
            };
            (digest, *n)
        }
    };
    let Some(digest) = digest else {
        return Ok(Err(lang.no_digest_at_all().to_owned()));
    };
    let Some(entry) = digest.entry(number) else {
        let date = lang.date(view.day(&digest));
        return Ok(Err(lang.no_such_number(number, &date, digest.entries.len())));
    };
    Ok(match store.paper(&entry.paper)? {
        Some(paper) => Ok(command::paper_message(&paper, Some(entry), &view)),
        None => Err(lang.unknown_paper(entry.paper.bare(), None)),
    })
}

fn latest_digest(store: &dyn Store, wanted: impl Fn(&Digest) -> bool) -> Result<Option<Digest>, StoreError> {
    for id in store.digests(None, 1_000)? {
        if let Some(digest) = store.digest(&id)?.filter(|d| !d.entries.is_empty() && wanted(d)) {
            return Ok(Some(digest));
        }
    }
    Ok(None)
}

impl Service {
    /// A chat has moved (Telegram: a group became a supergroup): its channel goes with it.
    pub async fn moved(&self, from: Place, to: Place) {
        for _ in 0..FOLLOW_TRIES {
            let (from, to) = (from.clone(), to.clone());
            let moving = self
                .storage
                .run(move |store| pipeline::follow_chat(store, &from, &to, clock::now()))
                .await;
            match moving {
                Ok(true) => return self.channels_changed.notify_one(),
                Ok(false) => tokio::time::sleep(FOLLOW_PAUSE).await,
                Err(error) => {
                    tracing::error!(%error, "a chat moved and its channel could not be moved with it");
                    return;
                }
            }
        }
        tracing::debug!(%from, %to, "the channel follows its chat with the next message");
    }
}
