//! The writer has a model judge the papers near a topic's threshold, and then write the briefs that digests will need: ahead of
//! time, and once more when a digest is due, which waits for it only so long. What it says is stored as it comes, so that
//! nothing is asked twice and a restart loses nothing. Without an answer the threshold decides, and the digest has the
//! abstracts' own words. The judge comes first, since it decides what is to be written about, and has a part of the time and of
//! the day's budget at most ([`JUDGES_PART`]), since a digest without briefs is worse than one with a paper too many.

use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex as SyncMutex, OnceLock, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use chrono::TimeDelta;
use futures::StreamExt as _;
use paperwire_config::Model;
use paperwire_core::brief::note::{Note, Outcome};
use paperwire_core::brief::prompt::Prompts;
use paperwire_core::brief::write::{Step, Writing};
use paperwire_core::locale::Lang;
use paperwire_core::pipeline::Occasion;
use paperwire_core::pipeline::judging::{self, Case, Seen};
use paperwire_core::pipeline::writing::{self, Want, Wants, Wrote};
use paperwire_core::store::{Store, StoreError};
use paperwire_core::topic::{Topic, judge};
use tokio::sync::Mutex;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::model::{ChatError, Client, Http, JUDGES_PART, Limits, ModelReport, Purpose};
use crate::search::SearchIndex;
use crate::storage::{Storage, StorageError};

/// How far ahead of a digest its briefs are begun.
const AHEAD: TimeDelta = TimeDelta::minutes(15);
/// How often is looked for more.
const LOOK: Duration = Duration::from_secs(60);

/// What a preparation did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Prepared {
    /// Papers that a judge had an opinion about.
    pub judged: usize,
    /// Papers for which the threshold decides: the judge did not answer, not in its form, not in time, or its part of the day is
    /// used up.
    pub unjudged: usize,
    /// Briefs written.
    pub written: usize,
    /// Briefs that were not let through: the abstract's own words stay.
    pub given_up: usize,
    /// Briefs that are still missing: the model did not answer, the budget is used up, or the time was over.
    pub missing: usize,
}

/// What came of asking the judge about a paper.
enum Asked {
    Judged,
    Unjudged,
    /// The day, or the judge's part of it, is used up.
    Spent(Case),
}

/// Has briefs written; cheap to clone.
#[derive(Clone, Debug)]
pub struct Writer(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    client: Client,
    storage: Storage,
    topics: Arc<[Topic]>,
    prompts: Prompts,
    at_once: usize,
    patience: Duration,
    /// Which knows by topic what papers there are.
    search: OnceLock<SearchIndex>,
    /// Held while papers are judged and briefs are written.
    busy: Mutex<()>,
    /// What was looked through for papers near a threshold.
    seen: SyncMutex<Seen>,
    written: AtomicU64,
    given_up: AtomicU64,
    there: AtomicU64,
}

/// The client of the configuration, which keeps what is spent in `storage`.
///
/// # Errors
/// When the HTTP client cannot be made.
pub fn client(model: &Model, storage: Storage) -> anyhow::Result<Client> {
    let transport = Http::new(&model.url, model.api_key.clone(), model.timeout);
    let transport = Arc::new(transport.context("the model's HTTP client cannot be made")?);
    let limits = Limits {
        calls_per_day: model.calls_per_day.into(),
        tokens_per_day: model.tokens_per_day.into(),
        concurrency: usize::try_from(model.concurrency).unwrap_or(1),
        requests_per_minute: usize::try_from(model.requests_per_minute).unwrap_or(1),
    };
    Ok(Client::new(transport, &model.name, limits, storage))
}

impl Writer {
    /// The writer of the configuration.
    ///
    /// # Errors
    /// When the HTTP client cannot be made.
    pub fn of(model: &Model, storage: Storage, topics: Arc<[Topic]>) -> anyhow::Result<Self> {
        let client = client(model, storage.clone())?;
        let at_once = usize::try_from(model.concurrency).unwrap_or(1);
        Ok(Self::new(
            client,
            storage,
            topics,
            model.prompts.clone(),
            at_once,
            model.patience,
        ))
    }

    /// One that asks `client`, about `at_once` papers at the same time.
    pub fn new(
        client: Client,
        storage: Storage,
        topics: Arc<[Topic]>,
        prompts: Prompts,
        at_once: usize,
        patience: Duration,
    ) -> Self {
        Self(Arc::new(Inner {
            client,
            storage,
            topics,
            prompts,
            at_once: at_once.max(1),
            patience,
            search: OnceLock::new(),
            busy: Mutex::new(()),
            seen: SyncMutex::default(),
            written: AtomicU64::new(0),
            given_up: AtomicU64::new(0),
            there: AtomicU64::new(0),
        }))
    }

    /// What is judged shows in this index.
    #[must_use]
    pub fn shown_in(self, search: SearchIndex) -> Self {
        self.0.search.get_or_init(|| search);
        self
    }

    /// The model, for other questions; they share its limits and its budget.
    pub fn client(&self) -> &Client {
        &self.0.client
    }

    /// How long a digest waits at most.
    pub fn patience(&self) -> Duration {
        self.0.patience
    }

    /// Has the papers judged and the briefs written that the digests of an occasion need, until `deadline` at the latest. What
    /// is under way then is broken off. Where somebody else is preparing, it waits for them, unless nothing is missing.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn prepare(&self, occasion: &Occasion, deadline: Instant) -> Result<Prepared, StorageError> {
        let busy = match self.0.busy.try_lock() {
            Ok(free) => free,
            Err(_) => {
                let late = Prepared {
                    unjudged: self.cases(occasion).await?.len(),
                    missing: self.wants(occasion).await?.ask.len(),
                    ..Prepared::default()
                };
                if late == Prepared::default() {
                    return Ok(late);
                }
                match tokio::time::timeout_at(deadline, self.0.busy.lock()).await {
                    Ok(free) => free,
                    Err(_) => return Ok(late),
                }
            }
        };
        // First of all: it decides of which papers there will be briefs.
        let (judged, unjudged) = self.judge(self.cases(occasion).await?, deadline).await?;
        let Wants { ask, known, there, .. } = self.wants(occasion).await?;
        self.0
            .there
            .store(u64::try_from(there).unwrap_or(u64::MAX), Ordering::Relaxed);
        if !known.is_empty() {
            self.0.storage.run(move |store| writing::wrote(store, known)).await?;
        }
        let mut prepared = Prepared {
            judged,
            unjudged,
            missing: ask.len(),
            ..Prepared::default()
        };
        let written = futures::stream::iter(ask.into_iter().map(|want| self.written(want)));
        let mut written = pin!(written.buffer_unordered(self.0.at_once));
        while let Ok(Some(outcome)) = tokio::time::timeout_at(deadline, written.next()).await {
            let Some(let_through) = outcome? else { continue };
            prepared.missing -= 1;
            let (count, sum) = match let_through {
                true => (&mut prepared.written, &self.0.written),
                false => (&mut prepared.given_up, &self.0.given_up),
            };
            *count += 1;
            sum.fetch_add(1, Ordering::Relaxed);
        }
        drop(busy);
        let Prepared {
            written,
            given_up,
            missing,
            ..
        } = prepared;
        if written + given_up > 0 {
            tracing::info!(written, given_up, missing, "briefs were prepared");
        }
        Ok(prepared)
    }

    async fn wants(&self, occasion: &Occasion) -> Result<Wants, StorageError> {
        let (inner, now, occasion) = (Arc::clone(&self.0), self.0.client.now(), occasion.clone());
        let wanted = move |store: &dyn Store| -> Result<Wants, StoreError> {
            writing::wanted(
                store,
                &inner.topics,
                &occasion,
                now,
                inner.client.name(),
                &inner.prompts,
            )
        };
        self.0.storage.read(wanted).await
    }

    /// Ahead of time what was seen a minute ago is not read again. When a digest is made all of it is, once, since papers change.
    async fn cases(&self, occasion: &Occasion) -> Result<Vec<Case>, StorageError> {
        if self.0.topics.iter().all(|topic| topic.judge().is_none()) {
            return Ok(Vec::new());
        }
        let (inner, now, occasion) = (Arc::clone(&self.0), self.0.client.now(), occasion.clone());
        let is_ahead = matches!(&occasion, Occasion::Due(horizon) if *horizon > now);
        let cases = move |store: &dyn Store| {
            let known = || inner.seen.lock().unwrap_or_else(PoisonError::into_inner);
            let mut seen = if is_ahead { known().clone() } else { Seen::default() };
            let cases = judging::borderline(store, &inner.topics, &occasion, &mut seen, now)?;
            // Where nothing is due, nothing was looked through.
            if seen != Seen::default() {
                *known() = seen;
            }
            Ok(cases)
        };
        self.0.storage.read(cases).await
    }

    /// Has these papers judged, within the judge's part of the time until `deadline`; how many were, and how many were not.
    async fn judge(&self, cases: Vec<Case>, deadline: Instant) -> Result<(usize, usize), StorageError> {
        let (mut judged, all) = (0, cases.len());
        let (now, parts) = (Instant::now(), u32::try_from(JUDGES_PART).unwrap_or(u32::MAX));
        let deadline = now + deadline.saturating_duration_since(now) / parts;
        let (spent, mut unasked) = (AtomicBool::new(false), Vec::new());
        let opinions = futures::stream::iter(cases.into_iter().map(|case| self.opinion(case, &spent)));
        let mut opinions = pin!(opinions.buffer_unordered(self.0.at_once));
        while let Ok(Some(opinion)) = tokio::time::timeout_at(deadline, opinions.next()).await {
            match opinion? {
                Asked::Judged => judged += 1,
                Asked::Unjudged => {}
                Asked::Spent(case) => unasked.push(case),
            }
        }
        let (unjudged, beyond_budget) = (all - judged, unasked.len());
        if all > 0 {
            tracing::info!(
                judged,
                unjudged,
                beyond_budget,
                "papers near a topic's threshold were judged"
            );
        }
        if !unasked.is_empty() {
            let (inner, now) = (Arc::clone(&self.0), self.0.client.now());
            let keep = move |store: &dyn Store| judging::unasked(store, &inner.topics, &unasked, now);
            self.0.storage.run(keep).await?;
        }
        Ok((judged, unjudged))
    }

    /// Has one paper judged, and lets what came of it take effect. When the day is `spent` nobody else needs to find that out.
    async fn opinion(&self, case: Case, spent: &AtomicBool) -> Result<Asked, StorageError> {
        if spent.load(Ordering::Relaxed) {
            return Ok(Asked::Spent(case));
        }
        let (paper, topic) = (&case.paper, &case.topic);
        let outcome = match self.0.client.chat(&case.question.ask(), Purpose::Judge).await {
            Ok(reply) => match judge::parse(&reply.text) {
                Ok(opinion) => judging::Outcome::Said(opinion),
                Err(error) => judging::Outcome::Failed(error.to_string()),
            },
            Err(error @ ChatError::Unusable(_)) => judging::Outcome::Failed(error.to_string()),
            Err(ChatError::Storage(error)) => return Err(error),
            Err(error @ ChatError::Spent(_)) => {
                tracing::debug!(%paper, %topic, %error, "not judged");
                spent.store(true, Ordering::Relaxed);
                return Ok(Asked::Spent(case));
            }
            Err(error @ ChatError::Resting(_)) => {
                tracing::debug!(%paper, %topic, %error, "not judged");
                return Ok(Asked::Unjudged);
            }
            Err(error @ (ChatError::Refused(_) | ChatError::Down(_) | ChatError::Busy(_))) => {
                tracing::warn!(%paper, %topic, %error, "the model has not judged this paper; the topic's threshold decides");
                return Ok(Asked::Unjudged);
            }
        };
        let judged = match &outcome {
            judging::Outcome::Said(opinion) => {
                tracing::info!(%paper, %topic, kept = opinion.yes, reason = opinion.reason, "judged");
                Asked::Judged
            }
            judging::Outcome::Failed(why) => {
                tracing::info!(%paper, %topic, why, "the judge's answer is of no use; the topic's threshold decides");
                Asked::Unjudged
            }
            judging::Outcome::Spent => Asked::Unjudged,
        };
        let (inner, now) = (Arc::clone(&self.0), self.0.client.now());
        let keep = move |store: &dyn Store| {
            judging::answered(store, &inner.topics, &case, outcome, now)?;
            if let Some(search) = inner.search.get() {
                search.note_changed(std::slice::from_ref(&case.paper));
                search.nudge();
            }
            Ok(())
        };
        self.0.storage.run(keep).await?;
        Ok(judged)
    }

    /// Has one brief written, and keeps what came of it: whether it was let through. `None` where nobody answered.
    async fn written(&self, want: Want) -> Result<Option<bool>, StorageError> {
        let Want { paper, lang, key } = want;
        let client = &self.0.client;
        let prompt = self.0.prompts.of(lang);
        let (mut writing, mut ask) = Writing::begin(&paper, prompt);
        let outcome = loop {
            match client.chat(&ask, Purpose::Any).await {
                Ok(reply) => match writing.answer(&reply) {
                    Step::Ask(again) => ask = again,
                    Step::Written { sentence, slots } => break Outcome::Written { sentence, slots },
                    Step::GivenUp { reasons } => break Outcome::Failed { reasons },
                },
                Err(error @ ChatError::Unusable(_)) => {
                    let reasons = vec![error.to_string()];
                    break Outcome::Failed { reasons };
                }
                Err(ChatError::Storage(error)) => return Err(error),
                Err(error @ (ChatError::Resting(_) | ChatError::Spent(_))) => {
                    tracing::debug!(paper = %paper.id, %lang, %error, "no brief");
                    return Ok(None);
                }
                Err(error @ (ChatError::Refused(_) | ChatError::Down(_) | ChatError::Busy(_))) => {
                    tracing::warn!(paper = %paper.id, %lang, %error, "no brief by the model; the digest has the abstract's own words");
                    return Ok(None);
                }
            }
        };
        let let_through = match &outcome {
            Outcome::Written { .. } => true,
            Outcome::Failed { reasons } => {
                let reasons = reasons.join(" ");
                tracing::info!(paper = %paper.id, %lang, reasons, "the model's brief was not let through");
                false
            }
        };
        let note = Note {
            paper: paper.id,
            lang,
            model: client.name().to_owned(),
            prompt: prompt.version().to_owned(),
            at: client.now(),
            outcome,
        };
        let wrote = vec![Wrote { key, note }];
        self.0.storage.run(move |store| writing::wrote(store, wrote)).await?;
        Ok(Some(let_through))
    }

    /// How the model does, for operators.
    pub async fn report(&self) -> ModelReport {
        let versions = Lang::ALL.map(|lang| self.0.prompts.of(lang).version().to_owned());
        ModelReport {
            written: self.0.written.load(Ordering::Relaxed),
            given_up: self.0.given_up.load(Ordering::Relaxed),
            there: self.0.there.load(Ordering::Relaxed),
            prompts: versions.into(),
            ..self.0.client.report().await
        }
    }

    /// Prepares what will be due, until `stop`.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn run(self, stop: CancellationToken) -> Result<(), StorageError> {
        loop {
            let soon = Occasion::Due(self.0.client.now() + AHEAD);
            let ahead = self.prepare(&soon, Instant::now() + self.0.patience.max(LOOK));
            match stop.run_until_cancelled(ahead).await {
                Some(prepared) => prepared?,
                None => return Ok(()),
            };
            if stop.run_until_cancelled(tokio::time::sleep(LOOK)).await.is_none() {
                return Ok(());
            }
        }
    }
}

#[cfg(test)]
mod tests;
