//! A language model behind an address that speaks OpenAI's chat completions: hosted, vLLM, Ollama, llama.cpp. It is asked
//! within the provider's limits and the operator's budget, in the strictest form that its server can enforce; what fails is
//! tried again where that can help, and a server that is dead is left alone for a while, so that no digest waits for it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use paperwire_core::chat::{self, Ask, Reply};
use serde::{Deserialize, Serialize};
use tokio::sync::{OnceCell, Semaphore};

use crate::clock;
use crate::storage::{Storage, StorageError};

mod budget;
mod dialect;
mod pace;
mod transport;

#[cfg(test)]
pub(crate) mod fake;

pub use self::budget::Spent;
pub use self::dialect::Rung;
pub use self::transport::{Answer, Fault, Http, Transport};

use self::budget::Budget;
use self::dialect::{Dialect, Heard};
use self::pace::{Circuit, Pace};

/// How often a question is sent at most.
const TRIES: u32 = 4;
/// A question whose answer took too long is sent at most so often: each costs the whole timeout.
const SLOW_TRIES: u32 = 2;
/// The first wait before a question is sent again, doubled with each, and the longest; the actual one is anywhere below.
const BACKOFF: Duration = Duration::from_secs(1);
const LONGEST_BACKOFF: Duration = Duration::from_secs(30);
/// A server that wants to be left alone for longer is, and digests go out without it.
const LONGEST_WAIT: Duration = Duration::from_secs(90);
/// The judge of the borderline gets one part in so many, at most: of the day's requests, of its tokens, and of the time that a
/// digest waits. A day has some sixty papers in a digest and ten to thirty near a threshold, and a question takes about half of
/// the tokens of a brief.
pub const JUDGES_PART: u64 = 3;
/// The longest text of a server that is repeated, in characters.
const REASON_CHARS: usize = 200;

/// Tells the time on the wall.
pub type Now = Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>;

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChatError {
    /// The server refuses this question and no other: it is too long for the model, or its filter does not like it.
    #[error("the model's server refuses this question: {0}")]
    Unusable(String),
    /// It refuses every question: the key, the address, the account, the model's name. The sentence says what to do.
    #[error("{0}")]
    Refused(String),
    /// It does not answer, or only with errors, however often it is asked.
    #[error("the model does not answer: {0}")]
    Down(String),
    /// It has too much to do.
    #[error("the model's server asks to be left alone: {0}")]
    Busy(String),
    /// It is left alone after failures before this one.
    #[error("the model is not asked until {0}, since it failed again and again")]
    Resting(DateTime<Utc>),
    /// The day's budget is used up.
    #[error(
        "the day's budget is used up: {0}; it begins anew at midnight UTC, model.calls_per_day and model.tokens_per_day raise it"
    )]
    Spent(Spent),
    /// The store failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl ChatError {
    /// A word for statistics.
    fn kind(&self) -> &'static str {
        match self {
            Self::Unusable(_) => "unusable",
            Self::Refused(_) => "refused",
            Self::Down(_) => "down",
            Self::Busy(_) => "busy",
            Self::Resting(_) => "resting",
            Self::Spent(_) => "budget",
            Self::Storage(_) => "storage",
        }
    }
}

/// For what a question is asked, which decides how much of the day it may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// It may use all that is left.
    Any,
    /// To judge a paper near a threshold, where briefs need the rest: one part in [`JUDGES_PART`].
    Judge,
}

/// What a client may do.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Requests a day (UTC).
    pub calls_per_day: u64,
    /// Tokens a day (UTC).
    pub tokens_per_day: u64,
    /// Requests at the same time.
    pub concurrency: usize,
    /// Requests that begin in a minute.
    pub requests_per_minute: usize,
}

/// How the model does, for operators.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelReport {
    /// Its name.
    pub name: String,
    /// Where it is asked.
    pub url: String,
    /// How strictly its server enforces the form of answers: `json-schema`, `json-object` or `plain`.
    pub rung: Rung,
    /// Requests today (UTC), and how many may be made.
    pub calls: u64,
    /// See `calls`.
    pub calls_per_day: u64,
    /// Tokens today (UTC), and how many may be used.
    pub tokens: u64,
    /// See `tokens`.
    pub tokens_per_day: u64,
    /// Whether some of them were estimated, since the server does not say what it used.
    pub estimated: bool,
    /// Whether too little is left today for another request.
    pub spent: bool,
    /// How much of it the judge has used and may.
    pub judge: JudgesShare,
    /// Since the start: briefs written.
    pub written: u64,
    /// Since the start: briefs that were asked for and not let through.
    pub given_up: u64,
    /// How many briefs the latest look found written already.
    pub there: u64,
    /// Since the start: questions without an answer, by kind.
    pub failures: BTreeMap<String, u64>,
    /// The latest of these, without secrets.
    pub last_error: Option<(DateTime<Utc>, String)>,
    /// Until when it is not asked, since it failed again and again.
    pub resting_until: Option<DateTime<Utc>>,
    /// The versions of the prompts.
    pub prompts: Vec<String>,
}

/// The judge's part of a day's budget.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JudgesShare {
    /// Requests today (UTC), and how many may be made.
    pub calls: u64,
    /// See `calls`.
    pub calls_per_day: u64,
    /// Tokens today (UTC), and how many may be used.
    pub tokens: u64,
    /// See `tokens`.
    pub tokens_per_day: u64,
    /// Whether too little is left today for another question.
    pub spent: bool,
}

#[derive(Default)]
struct Failures {
    by_kind: BTreeMap<String, u64>,
    last: Option<(DateTime<Utc>, String)>,
}

/// Asks a model; cheap to share behind an [`Arc`].
pub struct Client {
    transport: Arc<dyn Transport>,
    name: String,
    storage: Storage,
    now: Now,
    budget: Budget,
    seats: Semaphore,
    pace: Pace,
    circuit: Circuit,
    dialect: Mutex<Dialect>,
    /// Whether what worked before the start was read.
    recalled: OnceCell<()>,
    failures: Mutex<Failures>,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Client {
    /// Over this transport, asking for the model of this name; what is spent is kept in `storage`.
    pub fn new(transport: Arc<dyn Transport>, name: impl Into<String>, limits: Limits, storage: Storage) -> Self {
        Self {
            transport,
            name: name.into(),
            now: Arc::new(clock::now),
            budget: Budget::new(limits.calls_per_day, limits.tokens_per_day, storage.clone()),
            storage,
            seats: Semaphore::new(limits.concurrency.clamp(1, Semaphore::MAX_PERMITS)),
            pace: Pace::new(limits.requests_per_minute),
            circuit: Circuit::default(),
            dialect: Mutex::default(),
            recalled: OnceCell::new(),
            failures: Mutex::default(),
        }
    }

    /// The same by another clock.
    #[must_use]
    pub fn by(mut self, now: Now) -> Self {
        self.now = now;
        self
    }

    /// The time by its clock.
    pub fn now(&self) -> DateTime<Utc> {
        (self.now)()
    }

    /// The model's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Asks, when it may, and waits for the answer.
    ///
    /// # Errors
    /// Why there is none.
    pub async fn chat(&self, ask: &Ask, purpose: Purpose) -> Result<Reply, ChatError> {
        let answered = self.asked(ask, purpose).await;
        if let Err(error) = &answered {
            let mut failures = lock(&self.failures);
            *failures.by_kind.entry(error.kind().to_owned()).or_default() += 1;
            failures.last = Some((self.now(), error.to_string()));
        }
        answered
    }

    async fn asked(&self, ask: &Ask, purpose: Purpose) -> Result<Reply, ChatError> {
        // The semaphore is never closed.
        let _seat = self.seats.acquire().await;
        self.recalled.get_or_try_init(|| self.recall()).await?;
        let (mut tried, mut slow, mut last) = (0, 0, None);
        loop {
            if let Err(rest) = self.circuit.pass() {
                return Err(last.unwrap_or_else(|| ChatError::Resting(self.at(rest))));
            }
            let most = ask.tokens().saturating_add(u64::from(ask.most_tokens));
            // Nobody waits for a turn that cannot be taken.
            self.budget.check(most, purpose, self.now()).await?;
            self.pace.permit().await;
            let dialect = lock(&self.dialect).clone();
            let reserved = self.budget.reserve(most, purpose, self.now()).await?;
            let answer = self.transport.post(&dialect.body(&self.name, ask)).await;
            // An error costs a request and no tokens, as far as anybody knows; what has begun to be answered may cost all.
            let (heard, charged) = match answer {
                Ok(answer) => {
                    let accepted = answer.is_success();
                    let heard = dialect.understand(answer);
                    let charged = accepted && matches!(heard, Heard::Failing(_));
                    (heard, charged)
                }
                Err(fault) => {
                    slow += u32::from(fault == Fault::Slow);
                    (Heard::Failing(fault.to_string()), fault.is_charged())
                }
            };
            if let Heard::Reply(reply) = heard {
                let used = reply.usage.map(chat::Usage::total);
                let estimate = ask.tokens().saturating_add(chat::tokens(&reply.text));
                self.budget
                    .settle(reserved, used.unwrap_or(estimate), used.is_none())
                    .await?;
                self.circuit.well();
                return Ok(reply);
            }
            match charged {
                true => self.budget.settle(reserved, most, true).await?,
                false => self.budget.settle(reserved, 0, false).await?,
            }
            let mut wait = None;
            let error = match heard {
                Heard::Reply(reply) => return Ok(reply),
                Heard::Other(less) => {
                    // It is there, also for whoever tries that after a rest.
                    self.circuit.well();
                    self.step_down(&dialect, less).await?;
                    continue;
                }
                Heard::Unusable(why) if self.circuit.refuses() => {
                    self.circuit.open(pace::REFUSED);
                    return Err(ChatError::Refused(format!(
                        "the model's server refuses one question after the other: {why}"
                    )));
                }
                Heard::Unusable(why) => return Err(ChatError::Unusable(why)),
                Heard::Refused(why) => {
                    self.circuit.open(pace::REFUSED);
                    return Err(ChatError::Refused(why));
                }
                Heard::Busy(Some(long), why) if long > LONGEST_WAIT => {
                    self.circuit.open(long);
                    return Err(ChatError::Busy(why));
                }
                Heard::Busy(retry_after, why) => {
                    // It means everybody, not this question alone.
                    retry_after.into_iter().for_each(|wait| self.pace.shut(wait));
                    wait = retry_after;
                    ChatError::Busy(why)
                }
                Heard::Failing(why) => {
                    self.circuit.ill();
                    ChatError::Down(why)
                }
            };
            tried += 1;
            if tried >= TRIES || slow >= SLOW_TRIES {
                // Who says nothing else is as good as dead, and each try takes one of the day's requests.
                if matches!(error, ChatError::Busy(_)) {
                    self.circuit.ill();
                }
                return Err(error);
            }
            last = Some(error);
            tokio::time::sleep(wait.unwrap_or_else(|| backoff(tried))).await;
        }
    }

    /// Speaks more simply from now on, unless somebody found that out meanwhile.
    async fn step_down(&self, from: &Dialect, less: Dialect) -> Result<(), StorageError> {
        {
            let mut dialect = lock(&self.dialect);
            if *dialect != *from {
                return Ok(());
            }
            tracing::info!(
                model = self.name,
                "its server does not know everything of the API; it is asked as {less}"
            );
            *dialect = less.clone();
        }
        let key = dialect::key(&self.transport.url(), &self.name);
        self.storage.write(vec![less.memo(key, self.now())]).await
    }

    async fn recall(&self) -> Result<(), StorageError> {
        let key = dialect::key(&self.transport.url(), &self.name);
        let now = self.now();
        if let Some(known) = self
            .storage
            .read(move |store| Dialect::recalled(store, &key, now))
            .await?
        {
            *lock(&self.dialect) = known;
        }
        Ok(())
    }

    fn at(&self, left: Duration) -> DateTime<Utc> {
        let now = self.now();
        chrono::TimeDelta::from_std(left).map_or(now, |left| now + left)
    }

    /// How it does. What a writer knows, and the client does not, is left at nothing.
    pub async fn report(&self) -> ModelReport {
        let day = self.budget.day(self.now()).await;
        let failures = lock(&self.failures);
        ModelReport {
            name: self.name.clone(),
            url: self.transport.url(),
            rung: lock(&self.dialect).rung,
            calls: day.calls,
            calls_per_day: self.budget.calls_per_day,
            tokens: day.tokens,
            tokens_per_day: self.budget.tokens_per_day,
            estimated: day.estimated,
            spent: self.budget.is_spent(&day, Purpose::Any),
            judge: {
                let (calls, tokens) = (self.budget.calls_per_day, self.budget.tokens_per_day);
                JudgesShare {
                    calls: day.judges_calls,
                    calls_per_day: calls / JUDGES_PART,
                    tokens: day.judges_tokens,
                    tokens_per_day: tokens / JUDGES_PART,
                    spent: self.budget.is_spent(&day, Purpose::Judge),
                }
            },
            written: 0,
            given_up: 0,
            there: 0,
            failures: failures.by_kind.clone(),
            last_error: failures.last.clone(),
            resting_until: self.circuit.resting().map(|left| self.at(left)),
            prompts: Vec::new(),
        }
    }
}

/// Anywhere between nothing and the doubled wait (“full jitter”), so that those who failed together do not come back together.
fn backoff(tried: u32) -> Duration {
    let most = (BACKOFF * 2_u32.saturating_pow(tried.saturating_sub(1).min(8))).min(LONGEST_BACKOFF);
    let mut random = [0; 4];
    // Without chance, half of it is as good as anything.
    let share = match getrandom::fill(&mut random) {
        Ok(()) => f64::from(u32::from_be_bytes(random)) / f64::from(u32::MAX),
        Err(_) => 0.5,
    };
    most.mul_f64(share)
}

#[cfg(test)]
mod tests;
