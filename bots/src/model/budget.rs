//! What may be spent on a day. It is kept in the store, so that a restart does not begin anew, and reserved before a request
//! leaves, so that many at the same time cannot overdraw it together. A request that is broken off stays reserved: it may be
//! charged.

use std::fmt;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use paperwire_core::store::{MemoSpace, Store, StoreError, Write};
use serde::{Deserialize, Serialize};
use tokio::sync::{Mutex, MutexGuard};

use crate::storage::{Storage, StorageError};

use super::ChatError;

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
}

impl fmt::Display for Spent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Calls(most) => write!(f, "{most} requests"),
            Self::Tokens(most) => write!(f, "{most} tokens"),
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
}

impl Day {
    fn new(date: NaiveDate) -> Self {
        Self {
            date,
            calls: 0,
            tokens: 0,
            estimated: false,
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
    pub(super) async fn reserve(&self, tokens: u64, now: DateTime<Utc>) -> Result<Reserved, ChatError> {
        let (mut held, mut day) = self.today(now).await?;
        if day.calls >= self.calls_per_day {
            return Err(ChatError::Spent(Spent::Calls(self.calls_per_day)));
        }
        if day.tokens.saturating_add(tokens) > self.tokens_per_day {
            return Err(ChatError::Spent(Spent::Tokens(self.tokens_per_day)));
        }
        day.calls += 1;
        day.tokens += tokens;
        self.storage.write(vec![day.memo()]).await?;
        *held = Some(day);
        let date = day.date;
        Ok(Reserved { date, tokens })
    }

    /// So many tokens were used in fact.
    pub(super) async fn settle(&self, reserved: Reserved, used: u64, estimated: bool) -> Result<(), StorageError> {
        let mut held = self.day.lock().await;
        // What began before midnight is yesterday's.
        let Some(mut day) = held.filter(|day| day.date == reserved.date) else {
            return Ok(());
        };
        day.tokens = day.tokens.saturating_sub(reserved.tokens).saturating_add(used);
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
            // A clock that is put back does not give the day back.
            Some(day) if day.date >= date => day,
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
