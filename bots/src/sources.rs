//! Asks the sources that papers come from by themselves. Each has a loop of its own, so that one that fails, or is slow,
//! keeps no other waiting.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use paperwire_config::{Config, SourceConfig};
use paperwire_core::alarm;
use paperwire_core::source::SourceKind;
use paperwire_core::source::arxiv_api::ArxivApi;
use paperwire_core::source::arxiv_rss::ArxivRss;
use paperwire_core::source::feed::Feed;
use paperwire_core::source::health::Health;
use paperwire_core::source::hugging_face::HuggingFace;
use paperwire_core::source::jsonl::Jsonl;
use paperwire_core::source::oai::ArxivOai;
use paperwire_core::source::request::{Next, Source, Taken};
use paperwire_core::store::{MemoSpace, Write};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::clock;
use crate::doctor::Known;
use crate::fetch::Fetcher;
use crate::inbox;
use crate::service::Service;
use crate::storage::{Storage, StorageError};

/// A source that waits for longer is asked anew after this time whether it still wants to: the ledger may have changed.
const LONGEST_WAIT: Duration = Duration::from_secs(600);

/// How a source's waits pass.
#[derive(Debug, Clone, Copy, Default)]
pub struct Pace {
    /// Waits up to this are not waited for: the source is told that they are over. For tests, in which nobody has to be
    /// spared.
    pub skips: TimeDelta,
    /// By how much the sources' clock is ahead of the wall's at the start.
    pub ahead: TimeDelta,
}

/// The machine of a source of the configuration; `memory` is what it wanted to know after a restart. `None` for what
/// nobody can configure.
pub fn build(config: &SourceConfig, memory: Option<&str>) -> Option<Box<dyn Source>> {
    let SourceConfig {
        kind,
        url,
        categories,
        days,
    } = config;
    let (url, categories) = (url.as_str(), categories.clone());
    Some(match kind {
        SourceKind::ArxivApi => Box::new(ArxivApi::new(url, categories, *days, memory)),
        SourceKind::ArxivRss => Box::new(ArxivRss::new(url, categories, memory)),
        SourceKind::ArxivOai => Box::new(ArxivOai::new(url, categories, *days, memory)),
        SourceKind::HuggingFace => Box::new(HuggingFace::new(url, memory)),
        SourceKind::Feed => Box::new(Feed::new(url, memory)),
        SourceKind::Jsonl => Box::new(Jsonl::new(url, memory)),
        SourceKind::ArxivMail
        | SourceKind::Report
        | SourceKind::ArxivHtml
        | SourceKind::Grobid
        | SourceKind::OpenAlex => return None,
    })
}

/// The sources of a configuration by name.
pub fn known(config: &Config) -> Vec<Known> {
    let machines = config.sources.iter().filter_map(|source| build(source, None));
    machines
        .map(|machine| Known {
            name: machine.name().to_owned(),
            kind: machine.kind(),
        })
        .collect()
}

/// Asks every source of the configuration until `stop`; `wake` is rung after each answer.
///
/// # Errors
/// When the store fails.
pub async fn run(
    sources: Vec<SourceConfig>,
    storage: Storage,
    service: Service,
    fetcher: Fetcher,
    pace: Pace,
    wake: Arc<Notify>,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let mut tasks = JoinSet::new();
    for config in sources {
        let Some(name) = build(&config, None).map(|machine| machine.name().to_owned()) else {
            continue;
        };
        let health = storage.run(move |store| alarm::health(store, &name)).await?;
        let mut health = health.unwrap_or_default();
        // Whether it is there no more is the machine's to say, each time anew.
        health.ended = None;
        let Some(source) = build(&config, health.memory.as_deref()) else {
            continue;
        };
        let asked = Asked {
            source,
            health,
            storage: storage.clone(),
            service: service.clone(),
            fetcher: fetcher.clone(),
            pace,
            ahead: pace.ahead,
            wake: Arc::clone(&wake),
        };
        tasks.spawn(asked.run(stop.clone()));
    }
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    Ok(())
}

/// A source with everything that it needs to be asked.
struct Asked {
    source: Box<dyn Source>,
    health: Health,
    storage: Storage,
    service: Service,
    fetcher: Fetcher,
    pace: Pace,
    /// By how much the source's clock is ahead of the wall's.
    ahead: TimeDelta,
    wake: Arc<Notify>,
}

impl Asked {
    fn now(&self) -> DateTime<Utc> {
        clock::now() + self.ahead
    }

    /// Asks until `stop`, or until the source is there no more.
    ///
    /// # Errors
    /// When the store fails.
    async fn run(mut self, stop: CancellationToken) -> Result<(), StorageError> {
        let name = self.source.name().to_owned();
        loop {
            if stop.is_cancelled() {
                return Ok(());
            }
            let windows = self.storage.run(|store| store.windows()).await?;
            let windows: Vec<_> = windows.into_iter().map(|record| record.window).collect();
            let now = self.now();
            match self.source.next(&windows, now) {
                Next::Fetch(request) => {
                    let fetched = tokio::select! {
                        fetched = self.fetcher.fetch(&request) => fetched,
                        () = stop.cancelled() => return Ok(()),
                    };
                    let now = self.now();
                    let taken = self.source.take(fetched, now);
                    self.take(&name, taken).await?;
                }
                Next::Wait(until) => {
                    let wait = until - now;
                    if wait <= self.pace.skips {
                        self.ahead += wait;
                        continue;
                    }
                    if self.health.next != Some(until) {
                        self.health.next = Some(until);
                        self.keep(&name).await?;
                    }
                    let wait = wait.to_std().unwrap_or_default().min(LONGEST_WAIT);
                    tokio::select! {
                        () = tokio::time::sleep(wait) => {}
                        () = stop.cancelled() => return Ok(()),
                    }
                }
                Next::Ended(reason) => {
                    tracing::error!(source = %name, "it is not asked any more: {reason}");
                    self.health.ended = Some(reason);
                    self.health.next = None;
                    self.keep(&name).await?;
                    stop.cancelled().await;
                    return Ok(());
                }
            }
        }
    }

    async fn take(&mut self, name: &str, taken: Taken) -> Result<(), StorageError> {
        let now = clock::now();
        match taken {
            Taken::More => return Ok(()),
            Taken::Nothing => self.health.succeed(0, now),
            Taken::Whole {
                parsed,
                name: what,
                bytes,
            } => {
                let accepted = self.service.accept(&what, bytes, parsed).await?;
                if accepted.duplicates == 0 {
                    tracing::info!("{}", inbox::sentence(&what, &accepted));
                }
                for rejected in &accepted.rejected {
                    tracing::warn!(source = %name, "{what}: {rejected}");
                }
                self.health.succeed(accepted.papers_new, now);
            }
            Taken::Failed(reason) => {
                tracing::warn!(source = %name, failures = self.health.failures + 1, "{reason}");
                self.health.fail(reason, now);
            }
        }
        self.keep(name).await
    }

    async fn keep(&mut self, name: &str) -> Result<(), StorageError> {
        self.health.memory = self.source.memory();
        let (space, key) = (MemoSpace::Source, name.to_owned());
        let value = serde_json::to_string(&self.health).ok();
        self.storage
            .run(move |store| store.commit(vec![Write::Memo { space, key, value }]))
            .await?;
        self.wake.notify_one();
        Ok(())
    }
}
