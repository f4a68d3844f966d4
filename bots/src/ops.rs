//! What an operator's monitoring asks: how much was sent, what became of it, what waits. `GET /metrics` on the web page
//! answers in OpenMetrics text, which Prometheus and everything that speaks like it reads.
//!
//! The figures belong to one [`crate::app::App`] and not to the process, since several run side by side in tests: hence
//! `prometheus-client`, whose registry is a value, and not the `metrics` facade, whose recorder is global or stands in a
//! thread's own variable, which a task that changes threads leaves behind. Every label's value is a `&'static str` out of
//! a closed enum: no secret, and nothing that people write, can become one. Places are no labels either, since a series
//! for each of 100,000 channels would weigh more than the rest of the program.
//!
//! What happens is counted as it happens. What is (waiting deliveries, channels) is read from the store when somebody
//! asks.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use paperwire_core::channel::Platform;
use paperwire_core::delivery::{Discard, SendError, State, Verdict};
use paperwire_core::pipeline;
use paperwire_core::store::{Counts, Space, Store};
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::storage::{Storage, StorageError};

/// The media type of [`Ops::scrape`] (OpenMetrics 1.0, “Protocol Negotiation”).
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The store rests from counting so many times as long as the last count took, whoever asks and however often: at most a
/// twentieth of the storage thread's time goes there.
const REST: u32 = 19;

/// What became of one request that carried a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was accepted.
    Accepted,
    /// [`SendError::RateLimited`]
    Limited,
    /// [`SendError::Gone`]
    Gone,
    /// [`SendError::Rejected`]
    Rejected,
    /// [`SendError::Unreachable`]
    Unreachable,
    /// [`SendError::Uncertain`]
    Uncertain,
    /// [`SendError::Moved`]
    Moved,
    /// [`SendError::Unauthorized`]
    Unauthorized,
}

impl Outcome {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Accepted,
        Self::Limited,
        Self::Gone,
        Self::Rejected,
        Self::Unreachable,
        Self::Uncertain,
        Self::Moved,
        Self::Unauthorized,
    ];

    /// That of a messenger's answer.
    pub fn of(outcome: &Result<String, SendError>) -> Self {
        match outcome {
            Ok(_) => Self::Accepted,
            Err(SendError::RateLimited { .. }) => Self::Limited,
            Err(SendError::Gone { .. }) => Self::Gone,
            Err(SendError::Rejected { .. }) => Self::Rejected,
            Err(SendError::Unreachable { .. }) => Self::Unreachable,
            Err(SendError::Uncertain { .. }) => Self::Uncertain,
            Err(SendError::Moved { .. }) => Self::Moved,
            Err(SendError::Unauthorized { .. }) => Self::Unauthorized,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Limited => "limited",
            Self::Gone => "gone",
            Self::Rejected => "rejected",
            Self::Unreachable => "unreachable",
            Self::Uncertain => "uncertain",
            Self::Moved => "moved",
            Self::Unauthorized => "unauthorized",
        }
    }
}

/// What was decided about a part of which nobody knew whether it had arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// It was looked for and is there.
    Found,
    /// It was looked for and is not there, so it is sent.
    NotThere,
    /// Looking could not tell, and the policy is to send it again.
    ResentByPolicy,
    /// Looking could not tell, and the policy is to leave it.
    SkippedByPolicy,
    /// A correction cannot edit it: it stays as it was posted.
    Unedited,
}

impl Decision {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Found,
        Self::NotThere,
        Self::ResentByPolicy,
        Self::SkippedByPolicy,
        Self::Unedited,
    ];

    /// That of a verdict.
    pub fn of(verdict: &Verdict) -> Self {
        match verdict {
            Verdict::Found => Self::Found,
            Verdict::NotThere => Self::NotThere,
            Verdict::Resent(_) => Self::ResentByPolicy,
            Verdict::Skipped(_) => Self::SkippedByPolicy,
            Verdict::Unedited(_) => Self::Unedited,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Found => "found",
            Self::NotThere => "not-there",
            Self::ResentByPolicy => "resent-by-policy",
            Self::SkippedByPolicy => "skipped-by-policy",
            Self::Unedited => "unedited",
        }
    }
}

/// How a delivery ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Every part is through; single ones may have been refused.
    Sent,
    /// [`Discard::Rejected`]
    Rejected,
    /// [`Discard::Gone`]
    Gone,
    /// [`Discard::Dropped`]
    Dropped,
}

impl End {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Sent, Self::Rejected, Self::Gone, Self::Dropped];

    /// The end in this state, if it is one.
    pub fn of(state: &State) -> Option<Self> {
        match state {
            State::Available { .. } | State::Leased { .. } => None,
            State::Sent { .. } => Some(Self::Sent),
            State::Discarded { reason, .. } => Some(match reason {
                Discard::Rejected(_) => Self::Rejected,
                Discard::Gone(_) => Self::Gone,
                Discard::Dropped => Self::Dropped,
            }),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Rejected => "rejected",
            Self::Gone => "gone",
            Self::Dropped => "dropped",
        }
    }
}

type Label = (&'static str, &'static str);
type ByPlatform = Family<[Label; 1], Counter>;
type ByPlatformAnd = Family<[Label; 2], Counter>;

fn of(platform: Platform) -> [Label; 1] {
    [("platform", platform.name())]
}

fn of_and(platform: Platform, key: &'static str, value: &'static str) -> [Label; 2] {
    [("platform", platform.name()), (key, value)]
}

/// The figures of one running Paperwire; cheap to clone.
#[derive(Debug, Clone)]
pub struct Ops(Arc<Figures>);

#[derive(Debug)]
struct Figures {
    registry: Registry,
    parts_sent: ByPlatform,
    outcomes: ByPlatformAnd,
    decisions: ByPlatformAnd,
    ends: ByPlatformAnd,
    too_many_requests: ByPlatform,
    answers: ByPlatform,
    papers: Counter,
    digests: Counter,
    search_documents: Gauge,
    search_behind: Gauge,
    waiting: Family<[Label; 1], Gauge>,
    dead_letters: Gauge,
    held: Gauge,
    channels: Family<[Label; 1], Gauge>,
    last_digest: Gauge,
    store_folder: Gauge,
    store_live: Gauge,
    /// Before when the store is not counted again.
    rests_until: Mutex<Option<Instant>>,
}

impl Ops {
    /// All figures at zero. `started` is when the program began.
    pub fn new(started: DateTime<Utc>) -> Self {
        let mut registry = Registry::default();
        let process_start = Gauge::<i64>::default();
        process_start.set(started.timestamp());
        registry.register(
            "process_start_time_seconds",
            "Start time of the process since unix epoch in seconds",
            process_start,
        );
        let own = registry.sub_registry_with_prefix("paperwire");
        own.register(
            "build",
            "The program",
            Info::new([("version", env!("CARGO_PKG_VERSION"))]),
        );
        macro_rules! figure {
            ($name:literal, $help:literal) => {{
                let figure = Default::default();
                own.register($name, $help, Clone::clone(&figure));
                figure
            }};
        }
        let figures = Figures {
            parts_sent: figure!("parts_sent", "Parts of digests that arrived"),
            outcomes: figure!("send_outcomes", "Requests that carried a part, by what became of them"),
            decisions: figure!(
                "doubtful_parts",
                "Parts that may have arrived, by what was decided about them"
            ),
            ends: figure!("deliveries_finished", "Deliveries that ended, by how"),
            too_many_requests: figure!("too_many_requests", "429 answers, whatever was asked"),
            answers: figure!("answers", "Questions of people that were answered"),
            papers: figure!("papers_taken_in", "Papers first known through a file that was taken in"),
            digests: figure!("digests_published", "Digests published"),
            search_documents: figure!("search_documents", "Papers that a search can find"),
            search_behind: figure!(
                "search_behind",
                "Papers taken in that the search index does not have yet"
            ),
            waiting: figure!("deliveries_waiting", "Deliveries that have not ended"),
            held: figure!("digests_held", "Digests that are held back until somebody decides"),
            dead_letters: figure!("dead_letters", "Deliveries of which parts were refused for good"),
            channels: figure!("channels", "Channels, by whether they get digests"),
            last_digest: figure!(
                "last_digest_timestamp_seconds",
                "The occurrence of the latest digest since unix epoch in seconds; 0 without any"
            ),
            store_folder: figure!(
                "store_folder_bytes",
                "Bytes of the store's files; 0 before they were first measured"
            ),
            store_live: figure!(
                "store_live_bytes",
                "Bytes of what is stored in them; 0 before they were first measured"
            ),
            rests_until: Mutex::default(),
            registry,
        };
        // A series that begins only with its first event hides that event from rate().
        for platform in Platform::ALL {
            for family in [&figures.parts_sent, &figures.too_many_requests, &figures.answers] {
                drop(family.get_or_create(&of(platform)));
            }
            for (family, key, names) in [
                (&figures.outcomes, "outcome", &Outcome::ALL.map(Outcome::name)[..]),
                (&figures.decisions, "decision", &Decision::ALL.map(Decision::name)[..]),
                (&figures.ends, "end", &End::ALL.map(End::name)[..]),
            ] {
                for name in names {
                    drop(family.get_or_create(&of_and(platform, key, name)));
                }
            }
        }
        Self(Arc::new(figures))
    }

    /// A part arrived, by whatever way that is known.
    pub fn part_sent(&self, platform: Platform) {
        self.0.parts_sent.get_or_create(&of(platform)).inc();
    }

    /// A request that carried a part was answered, or was not.
    pub fn outcome(&self, platform: Platform, outcome: Outcome) {
        let labels = of_and(platform, "outcome", outcome.name());
        self.0.outcomes.get_or_create(&labels).inc();
    }

    /// It was decided what to do about a part in doubt.
    pub fn decided(&self, platform: Platform, decision: Decision) {
        let labels = of_and(platform, "decision", decision.name());
        self.0.decisions.get_or_create(&labels).inc();
    }

    /// A delivery ended.
    pub fn delivery_finished(&self, platform: Platform, end: End) {
        let labels = of_and(platform, "end", end.name());
        self.0.ends.get_or_create(&labels).inc();
    }

    /// The platform answered 429.
    pub fn too_many_requests(&self, platform: Platform) {
        self.0.too_many_requests.get_or_create(&of(platform)).inc();
    }

    /// A person's question was answered.
    pub fn answered(&self, platform: Platform) {
        self.0.answers.get_or_create(&of(platform)).inc();
    }

    /// A file brought so many new papers.
    pub fn papers_taken_in(&self, new: u32) {
        self.0.papers.inc_by(u64::from(new));
    }

    /// So many digests were published.
    pub fn digests_published(&self, count: usize) {
        self.0.digests.inc_by(u64::try_from(count).unwrap_or(u64::MAX));
    }

    /// So many papers can be found, and so many that were taken in cannot yet.
    pub fn searchable(&self, documents: u64, behind: u64) {
        self.0.search_documents.set(number(documents));
        self.0.search_behind.set(number(behind));
    }

    /// The store was measured.
    pub fn store_measured(&self, space: Space) {
        self.0.store_folder.set(number(space.folder));
        self.0.store_live.set(number(space.live));
    }

    /// All figures as text of [`CONTENT_TYPE`].
    ///
    /// # Errors
    /// When the store cannot be counted.
    pub async fn scrape(&self, storage: &Storage) -> Result<String, StorageError> {
        self.count(storage).await?;
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = encode(&mut text, &self.0.registry);
        Ok(text)
    }

    async fn count(&self, storage: &Storage) -> Result<(), StorageError> {
        // Whoever asks meanwhile waits for this count instead of starting another.
        let mut rests_until = self.0.rests_until.lock().await;
        if rests_until.is_some_and(|until| Instant::now() < until) {
            return Ok(());
        }
        let (counts, held, last_digest, took) = storage
            .run(|store: &dyn Store| {
                let begun = Instant::now();
                let last_digest = store.digests(None, 1)?.first().map(|id| id.occurrence.timestamp());
                let held = pipeline::all_held(store)?.len();
                Ok((store.counts()?, held, last_digest, begun.elapsed()))
            })
            .await?;
        *rests_until = Some(Instant::now() + rest(took));
        self.show(&counts);
        self.0.held.set(number(u64::try_from(held).unwrap_or(u64::MAX)));
        self.0.last_digest.set(last_digest.unwrap_or(0));
        Ok(())
    }

    fn show(&self, counts: &Counts) {
        for platform in Platform::ALL {
            let waiting = counts.waiting.get(&platform).copied().unwrap_or(0);
            self.0.waiting.get_or_create(&of(platform)).set(number(waiting));
        }
        self.0.dead_letters.set(number(counts.dead_letters));
        for (state, n) in [
            ("active", counts.active),
            ("paused", counts.paused),
            ("snoozed", counts.snoozed),
            ("absent", counts.absent),
        ] {
            self.0.channels.get_or_create(&[("state", state)]).set(number(n));
        }
    }
}

fn number(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

fn rest(took: Duration) -> Duration {
    took.saturating_mul(REST)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use paperwire_core::store::ModelStore;

    use super::*;

    // Time stands still: the store is not counted a second time.
    #[tokio::test(start_paused = true)]
    async fn every_event_moves_its_own_series_and_no_other() {
        let (storage, _) = Storage::start(Arc::new(ModelStore::new())).unwrap();
        let ops = Ops::new(DateTime::UNIX_EPOCH);
        let mut before = ops.scrape(&storage).await.unwrap();
        let discord = Platform::Discord;
        let events: [(&dyn Fn(), &str); 12] = [
            (&|| ops.part_sent(discord), r#"parts_sent_total{platform="discord"} 1"#),
            (
                &|| ops.outcome(discord, Outcome::Unauthorized),
                r#"send_outcomes_total{platform="discord",outcome="unauthorized"} 1"#,
            ),
            (
                &|| ops.decided(Platform::Telegram, Decision::NotThere),
                r#"doubtful_parts_total{platform="telegram",decision="not-there"} 1"#,
            ),
            (
                &|| ops.delivery_finished(Platform::Web, End::Dropped),
                r#"deliveries_finished_total{platform="web",end="dropped"} 1"#,
            ),
            (
                &|| ops.too_many_requests(discord),
                r#"too_many_requests_total{platform="discord"} 1"#,
            ),
            (&|| ops.answered(discord), r#"answers_total{platform="discord"} 1"#),
            (&|| ops.papers_taken_in(25), "papers_taken_in_total 25"),
            (&|| ops.digests_published(2), "digests_published_total 2"),
            (&|| ops.searchable(0, 7), "search_behind 7"),
            (
                &|| ops.store_measured(Space { folder: 9, live: 0 }),
                "store_folder_bytes 9",
            ),
            (
                &|| ops.store_measured(Space { folder: 9, live: 4 }),
                "store_live_bytes 4",
            ),
            (
                &|| {
                    ops.show(&Counts {
                        paused: 3,
                        ..Counts::default()
                    })
                },
                r#"channels{state="paused"} 3"#,
            ),
        ];
        for (event, line) in events {
            event();
            let after = ops.scrape(&storage).await.unwrap();
            let new: Vec<&str> = after
                .lines()
                .filter(|line| !before.lines().any(|l| l == *line))
                .collect();
            assert_eq!(new, [format!("paperwire_{line}")]);
            before = after;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_store_is_counted_again_only_when_it_has_rested() {
        let (storage, _) = Storage::start(Arc::new(ModelStore::new())).unwrap();
        let ops = Ops::new(DateTime::UNIX_EPOCH);
        ops.scrape(&storage).await.unwrap();
        ops.show(&Counts {
            active: 7,
            ..Counts::default()
        });
        let active = async || {
            let text = ops.scrape(&storage).await.unwrap();
            text.contains("paperwire_channels{state=\"active\"} 7")
        };
        assert!(active().await, "it rests");
        tokio::time::advance(Duration::from_secs(3_600)).await;
        assert!(!active().await, "it was counted: there is none");
        storage.close();
    }

    #[test]
    fn each_kind_of_answer_and_end_has_a_name_of_its_own() {
        let mut names: Vec<&str> = Outcome::ALL.map(Outcome::name).to_vec();
        names.extend(Decision::ALL.map(Decision::name));
        assert!(
            names.iter().enumerate().all(|(i, name)| !names[..i].contains(name)),
            "{names:?}"
        );
        let reason = String::new();
        assert_eq!(Outcome::of(&Err(SendError::Gone { reason })), Outcome::Gone);
        let at = DateTime::UNIX_EPOCH;
        assert_eq!(End::of(&State::Available { at }), None);
        let reason = Discard::Gone("kicked".to_owned());
        assert_eq!(End::of(&State::Discarded { reason, at }), Some(End::Gone));
    }
}
