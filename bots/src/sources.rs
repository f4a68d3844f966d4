//! Asks the sources that papers come from by themselves. Each has a loop of its own, so that one that fails, or is slow,
//! keeps no other waiting.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use paperwire_config::{Config, SourceConfig};
use paperwire_core::alarm;
use paperwire_core::source::SourceKind;
use paperwire_core::source::arxiv_api::ArxivApi;
use paperwire_core::source::arxiv_rss::ArxivRss;
use paperwire_core::source::daybook::{self, Event};
use paperwire_core::source::feed::Feed;
use paperwire_core::source::health::Health;
use paperwire_core::source::hugging_face::HuggingFace;
use paperwire_core::source::jsonl::Jsonl;
use paperwire_core::source::ledger;
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

/// Who waits no longer than this is at work: between two requests, or after a first failure.
const AT_WORK: TimeDelta = TimeDelta::minutes(1);

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
        SourceKind::HuggingFace => Box::new(HuggingFace::new(url, *days, memory)),
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
    // Until it has said otherwise.
    let oai_works = sources.iter().any(|source| source.kind == SourceKind::ArxivOai);
    let oai_works = Arc::new(AtomicBool::new(oai_works));
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
            oai_works: Arc::clone(&oai_works),
            wake: Arc::clone(&wake),
        };
        tasks.spawn(asked.run(stop.clone()));
    }
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    Ok(())
}

/// Whether a source that wants this at `now` is fetching, or is about to.
fn is_at_work(next: &Next, now: DateTime<Utc>) -> bool {
    match next {
        Next::Fetch(_) => true,
        Next::Wait(until) => *until - now <= AT_WORK,
        Next::Ended(_) => false,
    }
}

/// How long to wait until then, and a moment at least: its clock never goes back, and a source that waits for what is over
/// is not asked without a pause.
fn left(until: DateTime<Utc>, now: DateTime<Utc>) -> TimeDelta {
    (until - now).max(TimeDelta::seconds(1))
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
    /// Whether OAI-PMH is fetching days: it comes first there, and the API takes what it does not want or cannot get.
    oai_works: Arc<AtomicBool>,
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
            let records = self.storage.run(|store| store.windows()).await?;
            let windows = ledger::standing(&records, self.source.asks());
            let now = self.now();
            self.source.yields(self.oai_works.load(Ordering::Relaxed));
            let next = self.source.next(&windows, now);
            if self.source.kind() == SourceKind::ArxivOai {
                self.oai_works.store(is_at_work(&next, now), Ordering::Relaxed);
            }
            match next {
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
                    let wait = left(until, now);
                    if wait <= self.pace.skips {
                        self.ahead += wait;
                        continue;
                    }
                    if self.health.next != Some(until) {
                        self.health.next = Some(until);
                        self.keep(&name, Vec::new()).await?;
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
                    self.keep(&name, Vec::new()).await?;
                    stop.cancelled().await;
                    return Ok(());
                }
            }
        }
    }

    async fn take(&mut self, name: &str, taken: Taken) -> Result<(), StorageError> {
        let now = clock::now();
        let before = self.health.answered;
        // What a day of such a source was like is kept; what came of an answer with papers stands there already.
        let mut events = Vec::new();
        match taken {
            Taken::More => return Ok(()),
            Taken::Nothing => {
                events.push(Event::Unchanged);
                self.health.succeed(0, now);
            }
            Taken::Whole {
                parsed,
                name: what,
                bytes,
            } => {
                let full = (!parsed.items.is_empty()).then_some(parsed.window);
                let accepted = self.service.accept(&what, bytes, parsed).await?;
                if accepted.duplicates == 0 {
                    tracing::info!("{}", inbox::sentence(&what, &accepted));
                }
                for rejected in &accepted.rejected {
                    tracing::warn!(source = %name, "{what}: {rejected}");
                }
                self.health.succeed(accepted.papers_new, now);
                if let Some(window) = full {
                    self.health.came_full(window, now);
                }
            }
            Taken::Empty { window, sentence } => {
                tracing::info!(source = %name, "{sentence}");
                self.health.came_empty(window, now);
            }
            Taken::Failed(reason) => {
                tracing::warn!(source = %name, failures = self.health.failures + 1, "{reason}");
                events.push(Event::Failed);
                self.health.fail(reason, now);
            }
        }
        if self.health.answered == Some(now) && self.source.turned_over() {
            events.extend(daybook::lost_since(before, now).map(Event::TurnedOver));
        }
        if !self.source.kind().lists_latest() {
            events.clear();
        }
        self.keep(name, events).await
    }

    /// Writes down how the source is, and what of its day is new.
    async fn keep(&mut self, name: &str, events: Vec<Event>) -> Result<(), StorageError> {
        self.health.memory = self.source.memory();
        let (space, key) = (MemoSpace::Source, name.to_owned());
        let value = serde_json::to_string(&self.health).ok();
        self.storage
            .run(move |store| {
                let mut writes = Vec::new();
                if !events.is_empty() {
                    writes.push(daybook::note(store, &key, &events, clock::now())?);
                }
                writes.push(Write::Memo { space, key, value });
                store.commit(writes)
            })
            .await?;
        self.wake.notify_one();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use paperwire_core::source::request::Request;

    use super::*;

    #[test]
    fn a_wait_for_what_is_over_is_a_moment() {
        let now = DateTime::UNIX_EPOCH;
        for (until, wait) in [(-9, 1), (0, 1), (9, 9)] {
            assert_eq!(left(now + TimeDelta::seconds(until), now), TimeDelta::seconds(wait));
        }
    }

    #[test]
    fn who_fetches_or_waits_a_moment_is_at_work_and_who_was_refused_again_and_again_is_not() {
        let now = DateTime::UNIX_EPOCH;
        let wait = |seconds| Next::Wait(now + TimeDelta::seconds(seconds));
        for (next, at_work) in [
            (Next::Fetch(Request::get("https://a.example/".to_owned())), true),
            (wait(3), true),
            (wait(30), true),
            (wait(120), false),
            (Next::Ended("410".to_owned()), false),
        ] {
            assert_eq!(is_at_work(&next, now), at_work, "{next:?}");
        }
    }
}
