//! What may be spent on a day. It is kept in the store, so that a restart does not begin anew, and reserved before a request
//! leaves, so that many at the same time cannot overdraw it together. A request that is broken off, or whose answer does not
//! come whole, stays reserved: it may be charged. The judge of the borderline has a part of it at most, so that it leaves
//! something for briefs; what it does not use is theirs.

use std::fmt;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use paperwire_core::store::{MemoSpace, Store, StoreError, Write};
use serde::{Deserialize, Serialize};
use tokio::sync::{Mutex, MutexGuard};

use crate::storage::{Storage, StorageError};

use super::{ChatError, JUDGES_PART, Purpose};

const PREFIX: &str = "model.";
/// How long days are kept.
const KEPT: TimeDelta = TimeDelta::days(31);

/// What is used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spent {
    /// So many requests were made, as many as may be.
    Calls(u64),
    /// Of so many tokens too few are left for one more request.
    Tokens(u64),
    /// The judge made so many requests, as many as it may.
    JudgesCalls(u64),
    /// Of so many tokens that the judge may use too few are left for one more request.
    JudgesTokens(u64),
}

impl fmt::Display for Spent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Calls(most) => write!(f, "{most} requests"),
            Self::Tokens(most) => write!(f, "{most} tokens"),
            Self::JudgesCalls(most) => write!(f, "{most} requests for the judge, one in {JUDGES_PART} of all"),
            Self::JudgesTokens(most) => write!(f, "{most} tokens for the judge, one in {JUDGES_PART} of all"),
        }
    }
}

/// What was spent on a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Day {
    pub(super) date: NaiveDate,
    pub(super) calls: u64,
    pub(super) tokens: u64,
    #[serde(default)]
    pub(super) estimated: bool,
    /// How many of them were for the judge.
    #[serde(default)]
    pub(super) judges_calls: u64,
    /// See `judges_calls`.
    #[serde(default)]
    pub(super) judges_tokens: u64,
    /// The fewest tokens that were refused since the last request: what is left may be too little even where it is something.
    /// It is enough again when others have used less than was set aside for them.
    #[serde(skip)]
    refused: Option<u64>,
    /// The same of the judge.
    #[serde(skip)]
    judges_refused: Option<u64>,
}

impl Day {
    fn new(date: NaiveDate) -> Self {
        Self {
            date,
            calls: 0,
            tokens: 0,
            estimated: false,
            judges_calls: 0,
            judges_tokens: 0,
            refused: None,
            judges_refused: None,
        }
    }

    fn memo(self) -> Write {
        Write::Memo {
            space: MemoSpace::Spent,
            key: format!("{PREFIX}{}", self.date),
            value: serde_json::to_string(&self).ok().map(|stored| format!("v1 {stored}")),
        }
    }

    fn stored(store: &dyn Store, date: NaiveDate) -> Result<Self, StoreError> {
        let stored = match store.memo(MemoSpace::Spent, &format!("{PREFIX}{date}")) {
            Err(StoreError::Damaged { .. }) => None,
            read => read?,
        };
        let day = stored.and_then(|stored| serde_json::from_str(stored.strip_prefix("v1 ")?).ok());
        Ok(day.unwrap_or_else(|| Self::new(date)))
    }
}

/// What a request may cost, until it is known what it cost.
#[must_use]
#[derive(Debug)]
pub(super) struct Reserved {
    date: NaiveDate,
    tokens: u64,
    purpose: Purpose,
}

pub(super) struct Budget {
    pub(super) calls_per_day: u64,
    pub(super) tokens_per_day: u64,
    storage: Storage,
    /// The latest day, once it was read. Held while it is written, so that the store has the latest too.
    day: Mutex<Option<Day>>,
}

impl Budget {
    pub(super) fn new(calls_per_day: u64, tokens_per_day: u64, storage: Storage) -> Self {
        Self {
            calls_per_day,
            tokens_per_day,
            storage,
            day: Mutex::new(None),
        }
    }

    /// Sets one request and so many tokens aside.
    pub(super) async fn reserve(
        &self,
        tokens: u64,
        purpose: Purpose,
        now: DateTime<Utc>,
    ) -> Result<Reserved, ChatError> {
        let (mut held, mut day) = self.today(now).await?;
        if let Some(spent) = self.refused(&mut day, tokens, purpose) {
            *held = Some(day);
            return Err(ChatError::Spent(spent));
        }
        day.calls += 1;
        day.tokens += tokens;
        day.refused = None;
        match purpose {
            Purpose::Any => {}
            Purpose::Judge => {
                day.judges_refused = None;
                day.judges_calls += 1;
                day.judges_tokens += tokens;
            }
        }
        self.storage.write(vec![day.memo()]).await?;
        *held = Some(day);
        let date = day.date;
        Ok(Reserved { date, tokens, purpose })
    }

    /// Whether a request of so many tokens would be refused now. It sets nothing aside.
    pub(super) async fn check(&self, tokens: u64, purpose: Purpose, now: DateTime<Utc>) -> Result<(), ChatError> {
        let (mut held, mut day) = self.today(now).await?;
        let refused = self.refused(&mut day, tokens, purpose);
        *held = Some(day);
        match refused {
            Some(spent) => Err(ChatError::Spent(spent)),
            None => Ok(()),
        }
    }

    /// What is used up, if a request of so many tokens is beyond the day; it is remembered.
    fn refused(&self, day: &mut Day, tokens: u64, purpose: Purpose) -> Option<Spent> {
        let spent = self.beyond(day, tokens, purpose);
        if spent.is_some() {
            let fewest = |known: Option<u64>| Some(known.map_or(tokens, |known| known.min(tokens)));
            if self.beyond(day, tokens, Purpose::Any).is_some() {
                day.refused = fewest(day.refused);
            }
            match purpose {
                Purpose::Any => {}
                Purpose::Judge => day.judges_refused = fewest(day.judges_refused),
            }
        }
        spent
    }

    fn beyond(&self, day: &Day, tokens: u64, purpose: Purpose) -> Option<Spent> {
        let (calls, all) = (self.calls_per_day, self.tokens_per_day);
        let (judges_calls, judges_tokens) = (calls / JUDGES_PART, all / JUDGES_PART);
        let own = match purpose {
            Purpose::Any => None,
            Purpose::Judge if day.judges_calls >= judges_calls => Some(Spent::JudgesCalls(judges_calls)),
            Purpose::Judge => {
                (day.judges_tokens.saturating_add(tokens) > judges_tokens).then_some(Spent::JudgesTokens(judges_tokens))
            }
        };
        own.or((day.calls >= calls).then_some(Spent::Calls(calls)))
            .or((day.tokens.saturating_add(tokens) > all).then_some(Spent::Tokens(all)))
    }

    /// Whether too little is left of a day for another request for that purpose, as far as is known.
    pub(super) fn is_spent(&self, day: &Day, purpose: Purpose) -> bool {
        let refused = match purpose {
            Purpose::Any => day.refused,
            Purpose::Judge => day.judges_refused,
        };
        // A request has a token at least.
        self.beyond(day, refused.unwrap_or(1), purpose).is_some()
    }

    /// So many tokens were used in fact.
    pub(super) async fn settle(&self, reserved: Reserved, used: u64, estimated: bool) -> Result<(), StorageError> {
        let mut held = self.day.lock().await;
        // What began before midnight is yesterday's.
        let Some(mut day) = held.filter(|day| day.date == reserved.date) else {
            return Ok(());
        };
        let settled = |tokens: u64| tokens.saturating_sub(reserved.tokens).saturating_add(used);
        day.tokens = settled(day.tokens);
        match reserved.purpose {
            Purpose::Any => {}
            Purpose::Judge => day.judges_tokens = settled(day.judges_tokens),
        }
        day.estimated |= estimated;
        self.storage.write(vec![day.memo()]).await?;
        *held = Some(day);
        Ok(())
    }

    /// What was spent today; what cannot be read counts as nothing here.
    pub(super) async fn day(&self, now: DateTime<Utc>) -> Day {
        let today = self.today(now).await;
        today.map_or_else(|_| Day::new(now.date_naive()), |(_, day)| day)
    }

    async fn today(&self, now: DateTime<Utc>) -> Result<(MutexGuard<'_, Option<Day>>, Day), StorageError> {
        let mut held = self.day.lock().await;
        let date = now.date_naive();
        let day = match *held {
            // A clock that is put back at midnight does not give the day back. One that was days ahead has not used up the
            // days until then.
            Some(day) if day.date == date || day.date.pred_opt() == Some(date) => day,
            Some(_) | None => {
                let oldest = format!("{PREFIX}{}", date - KEPT);
                let (day, old) = self
                    .storage
                    .read(move |store| {
                        let all = store.memos(MemoSpace::Spent, Some(PREFIX), 100)?;
                        let keys = all.into_iter().map(|(key, _)| key);
                        let old: Vec<String> = keys
                            .take_while(|key| *key < oldest && key.starts_with(PREFIX))
                            .collect();
                        Ok((Day::stored(store, date)?, old))
                    })
                    .await?;
                let forget = old.into_iter().map(|key| Write::Memo {
                    space: MemoSpace::Spent,
                    key,
                    value: None,
                });
                let forget: Vec<Write> = forget.collect();
                if !forget.is_empty() {
                    self.storage.write(forget).await?;
                }
                day
            }
        };
        *held = Some(day);
        Ok((held, day))
    }
}
