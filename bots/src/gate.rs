//! What a person asked for passes here before it is sent: it takes its permit from the same limiter as the digests, ahead
//! of them, so that an answer waits for no bulk and the bulk counts every answer.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use paperwire_core::channel::{Place, Platform};
use paperwire_core::delivery::SendError;
use paperwire_core::limiter::{Heard, Lane, Limiter, Notice, Shut, Signal};
use paperwire_core::store::Write;

use crate::clock;
use crate::storage::Storage;

/// A permit for a person's answer may lie this far ahead; who would wait longer asks again by then.
const HORIZON: TimeDelta = TimeDelta::seconds(60);

/// One platform's limiter, shared by its worker and by whatever answers people.
#[derive(Clone)]
pub struct Gate {
    limiter: Arc<Mutex<Limiter>>,
    storage: Option<Storage>,
}

impl std::fmt::Debug for Gate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Gate")
    }
}

impl Gate {
    /// Answers are written down in `storage`, so that the limits count them after a restart too.
    pub fn new(limiter: Limiter, storage: Option<Storage>) -> Self {
        Self {
            limiter: Arc::new(Mutex::new(limiter)),
            storage,
        }
    }

    /// The limiter, for as long as the guard lives.
    pub fn limiter(&self) -> MutexGuard<'_, Limiter> {
        // A panic while the lock was held leaves a limiter that is at worst too careful.
        self.limiter.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until an answer may go to `place`.
    pub async fn person(&self, place: &Place) {
        loop {
            let reserved = self.limiter().reserve(place, Lane::People, clock::steady(), HORIZON);
            match reserved {
                Ok(at) => {
                    if let Some(storage) = &self.storage {
                        let place = place.clone();
                        // When the store is broken the program ends, and an answer more or less is no matter.
                        let _ = storage.write(vec![Write::Sent { place, at }]).await;
                    }
                    sleep_until(at).await;
                    if self.redeem(place, at) {
                        return;
                    }
                }
                Err(Shut::Bot { until } | Shut::Chat { until }) => sleep_until(until).await,
            }
        }
    }

    /// Whether a permit still holds when its time has come. The platform may have asked to wait since it was given: then it is
    /// given back, and another one is needed.
    pub fn redeem(&self, place: &Place, at: DateTime<Utc>) -> bool {
        let now = clock::steady();
        let mut limiter = self.limiter();
        let holds = limiter.closed_until(place, now).is_none();
        if holds {
            limiter.used_late(place, at, now);
        } else {
            limiter.give_back(place, at);
        }
        holds
    }

    /// A permit that is not used.
    pub fn give_back(&self, place: &Place, at: DateTime<Utc>) {
        self.limiter().give_back(place, at);
    }

    /// Waits until a request may go out that puts no message into any chat.
    pub async fn request(&self) {
        loop {
            let reserved = self.limiter().reserve_request(Lane::People, clock::steady(), HORIZON);
            match reserved {
                Ok(at) => return sleep_until(at).await,
                Err(Shut::Bot { until } | Shut::Chat { until }) => sleep_until(until).await,
            }
        }
    }

    /// A request beside the digests was invalid ([`Signal::invalid`]).
    pub fn invalid(&self, platform: Platform) {
        let signal = Signal {
            bucket: None,
            invalid: true,
        };
        // Of no chat in particular.
        let notice = self.limiter().observe_request(&signal, clock::steady());
        say(platform, notice);
    }

    /// Takes note of an answer of the platform's.
    pub fn heard(&self, place: &Place, outcome: &Result<String, SendError>, signal: &Signal) {
        let heard = match outcome {
            Ok(_) => Heard::Accepted,
            Err(SendError::RateLimited { retry_after, scope }) => Heard::Limited {
                retry_after: *retry_after,
                scope: *scope,
            },
            Err(
                SendError::Moved { .. }
                | SendError::Gone { .. }
                | SendError::Rejected { .. }
                | SendError::Unreachable { .. }
                | SendError::Uncertain { .. }
                | SendError::Unauthorized { .. },
            ) => Heard::Other,
        };
        let notice = self.limiter().observe(place, &heard, signal, clock::steady());
        say(place.platform(), notice);
    }
}

fn say(platform: Platform, notice: Option<Notice>) {
    match notice {
        None => {}
        Some(notice @ Notice::Resumed) => tracing::info!(%platform, "{notice}"),
        Some(notice) => tracing::warn!(%platform, "{notice}"),
    }
}

/// Sleeps until the steady clock shows `at`.
pub(crate) async fn sleep_until(at: DateTime<Utc>) {
    // What lies in the past needs no sleep.
    if let Ok(wait) = (at - clock::steady()).to_std() {
        tokio::time::sleep(wait).await;
    }
}
