//! The worker empties the queue: it claims what is due, sends part after part in order, and settles each part before it
//! sends the next. It decides nothing: what an outcome means stands in `paperwire_core::delivery`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use paperwire_core::channel::Platform;
use paperwire_core::delivery::{ChannelEffect, DeliveryId, SendError, Settled, State, UncertainPolicy};
use paperwire_core::message::Part;
use paperwire_core::pipeline::{self, Claimed};
use tokio::sync::{Notify, Semaphore};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::clock;
use crate::messenger::Messenger;
use crate::rate_limit::RateLimit;
use crate::storage::{Storage, StorageError};

/// How many deliveries are sent at the same time.
const IN_FLIGHT: usize = 64;
/// The longest wait for a permit with a claim in hand; a chat that is closed for longer is put back into the queue.
const PATIENCE: Duration = Duration::from_secs(5);
/// The longest sleep, so that a clock that jumps is noticed.
const NAP: Duration = Duration::from_secs(60);

/// One platform as the worker sees it.
pub struct Outlet {
    /// What sends.
    pub messenger: Arc<dyn Messenger>,
    /// How fast.
    pub limit: RateLimit,
    /// What to do when nobody knows whether a part arrived.
    pub policy: UncertainPolicy,
}

struct Line {
    messenger: Arc<dyn Messenger>,
    limit: Mutex<RateLimit>,
    policy: UncertainPolicy,
}

/// Empties the queue.
pub struct Worker {
    storage: Storage,
    lines: HashMap<Platform, Line>,
    nudge: Arc<Notify>,
}

impl Worker {
    /// A worker over these platforms. `nudge` is notified whenever something was queued.
    pub fn new(storage: Storage, outlets: Vec<Outlet>, nudge: Arc<Notify>) -> Self {
        let lines = outlets
            .into_iter()
            .map(
                |Outlet {
                     messenger,
                     limit,
                     policy,
                 }| {
                    (
                        messenger.platform(),
                        Line {
                            messenger,
                            limit: Mutex::new(limit),
                            policy,
                        },
                    )
                },
            )
            .collect();
        Self { storage, lines, nudge }
    }

    /// Works until `stop`; then lets what is in flight be settled and gives the rest back.
    ///
    /// # Errors
    /// When the store fails: nothing may be sent that cannot be written down.
    pub async fn run(self, stop: CancellationToken) -> Result<(), StorageError> {
        let worker = Arc::new(self);
        let tasks = TaskTracker::new();
        let room = Arc::new(Semaphore::new(IN_FLIGHT));
        let broken = CancellationToken::new();
        let result = loop {
            // One permit is held while claiming, so that a claim is never made without room for it.
            let permit = tokio::select! {
                () = stop.cancelled() => break Ok(()),
                () = broken.cancelled() => break Err(StorageError::Closed),
                permit = room.clone().acquire_owned() => permit,
            };
            let Ok(permit) = permit else { break Ok(()) };
            drop(permit);
            let limit = room.available_permits();
            let (claimed, next_due) = match worker.claim(limit).await {
                Ok(step) => step,
                Err(error) => break Err(error),
            };
            let idle = claimed.is_empty();
            for claimed in claimed {
                let Ok(permit) = room.clone().acquire_owned().await else {
                    break;
                };
                let (worker, stop, broken) = (Arc::clone(&worker), stop.clone(), broken.clone());
                tasks.spawn(async move {
                    if let Err(error) = worker.deliver(claimed, &stop).await {
                        tracing::error!(%error, "a delivery could not be written down; sending stops");
                        broken.cancel();
                    }
                    // A delivery that ended may have freed the next one of its channel.
                    worker.nudge.notify_one();
                    drop(permit);
                });
            }
            if idle {
                tokio::select! {
                    () = stop.cancelled() => break Ok(()),
                    () = broken.cancelled() => break Err(StorageError::Closed),
                    () = worker.nudge.notified() => {}
                    () = tokio::time::sleep(nap(next_due)) => {}
                }
            }
        };
        tasks.close();
        tasks.wait().await;
        result
    }

    async fn claim(&self, limit: usize) -> Result<(Vec<Claimed>, Option<chrono::DateTime<chrono::Utc>>), StorageError> {
        self.storage
            .run(move |store| {
                let claimed = pipeline::claim(store, clock::now(), limit)?;
                let next_due = store.next_due()?;
                Ok((claimed, next_due))
            })
            .await
    }

    /// Sends the parts of one delivery, as far as it goes.
    async fn deliver(&self, claimed: Claimed, stop: &CancellationToken) -> Result<(), StorageError> {
        let Claimed { mut delivery, mut part } = claimed;
        loop {
            if stop.is_cancelled() {
                let id = delivery.id.clone();
                return self
                    .storage
                    .run(move |store| pipeline::release(store, &id, clock::now()))
                    .await;
            }
            let key = delivery.idempotency_key();
            let policy = self
                .lines
                .get(&delivery.id.place.platform())
                .map_or(UncertainPolicy::Resend, |l| l.policy);
            let outcome = match (delivery.uncertain, policy) {
                (true, UncertainPolicy::Skip) => Err(SendError::Uncertain {
                    reason: "the last attempt was not answered".to_owned(),
                }),
                (true, UncertainPolicy::Resend) | (false, _) => {
                    match self.send(&delivery.id, &part, &key, stop).await {
                        Some(outcome) => outcome,
                        None => continue,
                    }
                }
            };
            let id = delivery.id.clone();
            let settled = self
                .storage
                .run(move |store| pipeline::settle(store, &id, outcome, policy, clock::now()))
                .await?;
            let Some((settled, next)) = settled else { return Ok(()) };
            log(&settled);
            match next {
                Some(next) => (delivery, part) = (settled.delivery, next),
                None => return Ok(()),
            }
        }
    }

    /// One part, as soon as its permit allows. `None` when the program stops first.
    async fn send(
        &self,
        id: &DeliveryId,
        part: &Part,
        key: &str,
        stop: &CancellationToken,
    ) -> Option<Result<String, SendError>> {
        let platform = id.place.platform();
        let Some(line) = self.lines.get(&platform) else {
            let reason = format!("no token for {platform} is configured (set {platform}.token)");
            return Some(Err(SendError::Unreachable { reason }));
        };
        let reserved = lock(&line.limit).reserve(&id.place, Instant::now(), PATIENCE);
        match reserved {
            Err(retry_after) => return Some(Err(SendError::RateLimited { retry_after })),
            Ok(wait) if wait.is_zero() => {}
            Ok(wait) => tokio::select! {
                () = stop.cancelled() => return None,
                () = tokio::time::sleep(wait) => {}
            },
        }
        let outcome = line.messenger.send(&id.place, part, key).await;
        if let Err(SendError::RateLimited { retry_after }) = &outcome {
            lock(&line.limit).close(&id.place, Instant::now(), *retry_after);
        }
        Some(outcome)
    }
}

fn lock(limit: &Mutex<RateLimit>) -> std::sync::MutexGuard<'_, RateLimit> {
    // A panic while the lock was held leaves a limiter that is at worst too careful.
    limit.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How long to sleep until `due`, never longer than [`NAP`].
pub(crate) fn nap(due: Option<chrono::DateTime<chrono::Utc>>) -> Duration {
    due.map_or(NAP, |due| {
        (due - clock::now()).to_std().unwrap_or(Duration::ZERO).min(NAP)
    })
}

fn log(settled: &Settled) {
    let delivery = &settled.delivery;
    let place = delivery.id.place.to_string();
    let error = delivery.last_error.as_deref().unwrap_or_default();
    match &settled.channel {
        ChannelEffect::None => {}
        ChannelEffect::Pause { reason, .. } => {
            tracing::warn!(
                place,
                reason,
                "the channel is paused; /start there, or a restart, makes it active again"
            );
        }
        ChannelEffect::Move { to } => tracing::info!(place, to = %to, "the chat moved; its channel moved with it"),
    }
    match &delivery.state {
        State::Sent { .. } => tracing::info!(place, digest = %delivery.id.digest, parts = delivery.parts, "delivered"),
        State::Leased { .. } => tracing::debug!(place, part = delivery.next_part(), "part delivered"),
        State::Available { at } => tracing::info!(place, again_at = %at, error, "not delivered yet"),
        State::Discarded { reason, .. } => {
            tracing::error!(place, digest = %delivery.id.digest, ?reason, "not delivered")
        }
    }
}
