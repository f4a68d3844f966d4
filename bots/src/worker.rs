//! The worker empties the queue: it claims what is due, sends part after part in order, and settles each part before it
//! sends the next. It decides nothing: what an outcome means stands in `paperwire_core::delivery`.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use paperwire_core::delivery::{ChannelEffect, Delivery, LimitScope, SendError, Settled, State, UncertainPolicy};
use paperwire_core::message::Part;
use paperwire_core::pipeline::{self, Claimed};
use tokio::sync::{Notify, Semaphore};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::clock;
use crate::messenger::Messenger;
use crate::queued::Queued;
use crate::rate_limit::RateLimit;
use crate::storage::{Storage, StorageError};

/// How many deliveries of one platform are sent at the same time.
const IN_FLIGHT: usize = 64;
/// The longest sleep, so that a clock that jumps is noticed.
const NAP: Duration = Duration::from_secs(60);

/// One platform as its worker sees it.
pub struct Outlet {
    /// What sends.
    pub messenger: Arc<dyn Messenger>,
    /// How fast.
    pub limit: RateLimit,
    /// What to do when nobody knows whether a part arrived.
    pub policy: UncertainPolicy,
}

/// Empties one platform's queue. Each platform has a worker of its own, so that a slow one holds no other back.
pub struct Worker {
    storage: Storage,
    messenger: Arc<dyn Messenger>,
    limit: Mutex<RateLimit>,
    policy: UncertainPolicy,
    queued: Queued,
    wake: Arc<Notify>,
}

impl Worker {
    /// A worker that is woken whenever something is `queued`.
    pub fn new(storage: Storage, outlet: Outlet, queued: Queued) -> Self {
        let Outlet {
            messenger,
            limit,
            policy,
        } = outlet;
        Self {
            storage,
            messenger,
            limit: Mutex::new(limit),
            policy,
            wake: queued.listen(),
            queued,
        }
    }

    /// Works until `stop`; then lets what is in flight be settled and gives the rest back.
    ///
    /// # Errors
    /// When the store fails: nothing may be sent that cannot be written down.
    pub async fn run(self, stop: CancellationToken) -> Result<(), StorageError> {
        let worker = Arc::new(self);
        let tasks = TaskTracker::new();
        let room = Arc::new(Semaphore::new(IN_FLIGHT));
        let (broken, mut breaks) = tokio::sync::mpsc::channel(1);
        let result = loop {
            // Nothing is claimed without room for it.
            let free = tokio::select! {
                () = stop.cancelled() => break Ok(()),
                Some(error) = breaks.recv() => break Err(error),
                permit = room.acquire() => permit.map(drop).is_ok(),
            };
            if !free {
                break Ok(());
            }
            let (claimed, next_due) = match worker.claim(room.available_permits()).await {
                Ok(step) => step,
                Err(error) => break Err(error),
            };
            let idle = claimed.is_empty();
            for claimed in claimed {
                let Ok(permit) = Arc::clone(&room).acquire_owned().await else {
                    break;
                };
                let (worker, stop, broken) = (Arc::clone(&worker), stop.clone(), broken.clone());
                tasks.spawn(async move {
                    if let Err(error) = worker.deliver(claimed, &stop).await {
                        // One report is enough to end everything.
                        let _ = broken.try_send(error);
                    }
                    drop(permit);
                    // A delivery that ended may have freed the next one of its channel, a moved one another's.
                    worker.queued.announce();
                });
            }
            if idle {
                tokio::select! {
                    () = stop.cancelled() => break Ok(()),
                    Some(error) = breaks.recv() => break Err(error),
                    () = worker.wake.notified() => {}
                    () = tokio::time::sleep(nap(next_due)) => {}
                }
            }
        };
        tasks.close();
        tasks.wait().await;
        result
    }

    async fn claim(&self, limit: usize) -> Result<(Vec<Claimed>, Option<DateTime<Utc>>), StorageError> {
        let platform = self.messenger.platform();
        self.storage
            .run(move |store| {
                let claimed = pipeline::claim(store, &[platform], clock::now(), limit)?;
                Ok((claimed, store.next_due(platform)?))
            })
            .await
    }

    /// Sends the parts of one delivery, as far as it goes.
    async fn deliver(&self, claimed: Claimed, stop: &CancellationToken) -> Result<(), StorageError> {
        let Claimed {
            delivery: mut held,
            mut part,
        } = claimed;
        loop {
            let outcome = match (held.uncertain, self.policy) {
                (true, UncertainPolicy::Skip) => Some(Err(SendError::Uncertain {
                    reason: "the last attempt was not answered".to_owned(),
                })),
                (true, UncertainPolicy::Resend) | (false, _) => match self.permit(&held, stop).await {
                    Permit::Stopped => None,
                    Permit::Closed(retry_after) => Some(Err(SendError::RateLimited {
                        retry_after,
                        scope: LimitScope::Chat,
                    })),
                    Permit::Granted => {
                        let begun = self
                            .storage
                            .run(move |store| pipeline::begin(store, &held, clock::now()))
                            .await?;
                        let Some(begun) = begun else { return Ok(()) };
                        held = begun;
                        Some(self.send(&held, &part).await)
                    }
                },
            };
            let Some(outcome) = outcome else {
                return self
                    .storage
                    .run(move |store| pipeline::release(store, &held, clock::now()))
                    .await;
            };
            let policy = self.policy;
            let settled = self
                .storage
                .run(move |store| pipeline::settle(store, &held, outcome, policy, clock::now()))
                .await?;
            let Some((settled, next)) = settled else { return Ok(()) };
            log(&settled);
            match next {
                Some(next) => (held, part) = (settled.delivery, next),
                None => return Ok(()),
            }
        }
    }

    /// Waits for the right to send the next part.
    async fn permit(&self, held: &Delivery, stop: &CancellationToken) -> Permit {
        if stop.is_cancelled() {
            return Permit::Stopped;
        }
        let reserved = lock(&self.limit).reserve(&held.id.place, Instant::now());
        match reserved {
            Ok(wait) if wait.is_zero() => Permit::Granted,
            Ok(wait) => tokio::select! {
                () = stop.cancelled() => Permit::Stopped,
                () = tokio::time::sleep(wait) => Permit::Granted,
            },
            Err(closed) => Permit::Closed(closed),
        }
    }

    async fn send(&self, held: &Delivery, part: &Part) -> Result<String, SendError> {
        let place = &held.id.place;
        let tag = held.tag();
        let outcome = match &held.plain {
            None => self.messenger.send(place, part, &tag).await.outcome,
            Some(_) => {
                self.messenger
                    .send(place, &self.messenger.plain(part), &tag)
                    .await
                    .outcome
            }
        };
        if let Err(SendError::RateLimited { retry_after, scope }) = &outcome {
            tracing::warn!(%place, ?retry_after, ?scope, "asked to slow down");
            lock(&self.limit).close(place, *scope, Instant::now(), *retry_after);
        }
        outcome
    }
}

enum Permit {
    /// Send now.
    Granted,
    /// The chat gets nothing for so long: the delivery goes back into the queue, so that its place in flight is free for
    /// another channel.
    Closed(Duration),
    /// The program stops.
    Stopped,
}

fn lock(limit: &Mutex<RateLimit>) -> std::sync::MutexGuard<'_, RateLimit> {
    // A panic while the lock was held leaves a limiter that is at worst too careful.
    limit.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How long to sleep until `due`, never longer than [`NAP`].
pub(crate) fn nap(due: Option<DateTime<Utc>>) -> Duration {
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
                "the channel is paused; give the bot its rights back, then /start there or a restart makes it active again"
            );
        }
        ChannelEffect::Move { to } => tracing::info!(place, to = %to, "the chat moved; its channel moved with it"),
    }
    match &delivery.state {
        State::Sent { .. } => tracing::info!(place, digest = %delivery.id.digest, parts = delivery.parts, "delivered"),
        State::Leased { .. } if delivery.plain.is_some() => {
            tracing::warn!(
                place,
                part = delivery.next_part() + 1,
                error,
                "sent again as plain text"
            );
        }
        State::Leased { .. } if settled.tell_operator => {
            tracing::error!(place, delivery = %delivery.id, error, "a part is given up or in doubt; the rest goes on");
        }
        State::Leased { .. } => tracing::debug!(place, part = delivery.next_part(), "part delivered"),
        State::Available { at } if delivery.attempts == 0 => tracing::debug!(place, again_at = %at, error, "waiting"),
        State::Available { at } => tracing::warn!(place, again_at = %at, error, "not delivered yet"),
        State::Discarded { reason, .. } => {
            tracing::error!(delivery = %delivery.id, ?reason, "not delivered whole; `paperwire queue show` has the details")
        }
    }
}
