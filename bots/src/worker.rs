//! The worker empties one platform's queue, turn after turn: what came back is written down and what may go on the wire is
//! claimed in one job of the storage thread, then every claimed part is sent at the instant of its permit. It decides
//! nothing: what an outcome means stands in `paperwire_core::delivery`, how fast to send in `paperwire_core::limiter`.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use paperwire_core::channel::Place;
use paperwire_core::delivery::{
    ChannelEffect, Delivery, DeliveryId, Looked, Outcome, SendError, Settled, State, UncertainPolicy, Verdict,
};
use paperwire_core::limiter::Signal;
use paperwire_core::pipeline::{self, Input, Job, Task, Turn};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::clock;
use crate::gate::{Gate, sleep_until};
use crate::messenger::{Answered, Messenger};
use crate::ops::{self, End, Ops};
use crate::owner::tell_owner;
use crate::queued::Queued;
use crate::storage::{Storage, StorageError};

/// How many parts of one platform are on the wire at most: at Telegram's and Discord's speeds more than this only wait
/// for a platform that does not answer, each until its request times out.
pub(crate) const IN_FLIGHT: usize = 512;
/// How long a stop waits for what is on the wire. What has not come back by then is in doubt, and the next start looks
/// for it.
pub(crate) const DRAIN: Duration = Duration::from_secs(10);
/// Longer than looking for one part ever takes, and shorter than a lease.
const LOOKING: Duration = Duration::from_secs(90);
/// The longest sleep, so that a queue that somebody changed behind our back is noticed.
const NAP: Duration = Duration::from_secs(60);

/// One platform as its worker sees it.
pub struct Outlet {
    /// What sends.
    pub messenger: Arc<dyn Messenger>,
    /// How fast.
    pub gate: Gate,
    /// What to do when nobody can find out whether a part arrived.
    pub policy: UncertainPolicy,
    /// Where it is counted.
    pub ops: Ops,
}

/// Why a worker ends before it is told to.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// Nothing may be sent that cannot be written down.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The platform does not know the bot's token.
    #[error("{0}")]
    Unauthorized(String),
}

/// Empties one platform's queue. Each platform has a worker of its own, so that a slow one holds no other back.
pub struct Worker {
    storage: Storage,
    messenger: Arc<dyn Messenger>,
    gate: Gate,
    policy: UncertainPolicy,
    ops: Ops,
    queued: Queued,
    wake: Arc<Notify>,
}

impl Worker {
    /// A worker that is woken whenever something is `queued`.
    pub fn new(storage: Storage, outlet: Outlet, queued: Queued) -> Self {
        let Outlet {
            messenger,
            gate,
            policy,
            ops,
        } = outlet;
        Self {
            storage,
            messenger,
            gate,
            policy,
            ops,
            wake: queued.listen(),
            queued,
        }
    }

    /// Works until `stop`; then gives back what is not yet on the wire and waits for the rest, at most [`DRAIN`].
    ///
    /// # Errors
    /// [`WorkerError`].
    pub async fn run(self, stop: CancellationToken) -> Result<(), WorkerError> {
        let mut flying: JoinSet<(Delivery, Outcome)> = JoinSet::new();
        let mut held: HashSet<DeliveryId> = HashSet::new();
        let mut done = Vec::new();
        let mut deadline = None;
        loop {
            let room = match deadline {
                None => IN_FLIGHT.saturating_sub(flying.len()),
                Some(_) => 0,
            };
            let Turn { settled, jobs, next } = self.turn(std::mem::take(&mut done), held.clone(), room).await?;
            for settled in &settled {
                self.report(settled);
            }
            for job in jobs {
                held.insert(job.delivery.id.clone());
                let flight = Flight {
                    messenger: Arc::clone(&self.messenger),
                    gate: self.gate.clone(),
                    ops: self.ops.clone(),
                };
                flying.spawn(flight.of(job, stop.clone()));
            }
            if deadline.is_some() && flying.is_empty() {
                return Ok(());
            }
            let wake_at = Instant::now() + nap(next, clock::steady());
            tokio::select! {
                Some(back) = flying.join_next() => {
                    let mut backs = vec![back];
                    while let Some(back) = flying.try_join_next() {
                        backs.push(back);
                    }
                    for back in backs {
                        match back {
                            Ok(back) => {
                                held.remove(&back.0.id);
                                done.push(back);
                            }
                            // Its claim stays until the next start, which looks whether the message arrived.
                            Err(error) => tracing::error!(%error, "a defect of Paperwire stopped one message"),
                        }
                    }
                }
                () = self.wake.notified(), if deadline.is_none() => {}
                () = tokio::time::sleep_until(wake_at), if deadline.is_none() => {}
                () = stop.cancelled(), if deadline.is_none() => deadline = Some(Instant::now() + DRAIN),
                () = until(deadline), if deadline.is_some() => {
                    tracing::warn!(
                        messages = flying.len(),
                        platform = %self.messenger.platform(),
                        "no answer came to what was on the wire; the next start looks whether it arrived"
                    );
                    return Ok(());
                }
            }
            if let Some(reason) = revoked(&done) {
                // What came back with it is settled all the same.
                self.turn(done, held, 0).await?;
                return Err(WorkerError::Unauthorized(reason));
            }
        }
    }

    async fn turn(
        &self,
        done: Vec<(Delivery, Outcome)>,
        flying: HashSet<DeliveryId>,
        room: usize,
    ) -> Result<Turn, StorageError> {
        let input = Input { done, flying, room };
        let (platform, gate, policy) = (self.messenger.platform(), self.gate.clone(), self.policy);
        self.storage
            .run(move |store| pipeline::turn(store, platform, &mut gate.limiter(), input, policy, clock::steady()))
            .await
    }

    fn report(&self, settled: &Settled) {
        log(settled);
        let platform = self.messenger.platform();
        if let Some(verdict) = &settled.decided {
            self.ops.decided(platform, ops::Decision::of(verdict));
        }
        if let Some(end) = End::of(&settled.delivery.state) {
            self.ops.delivery_finished(platform, end);
        }
        match &settled.channel {
            ChannelEffect::None => {}
            ChannelEffect::Move { .. } => self.queued.announce(),
            ChannelEffect::Pause { reason, .. } => {
                let (messenger, storage) = (Arc::clone(&self.messenger), self.storage.clone());
                let (place, reason) = (settled.delivery.id.place.clone(), reason.clone());
                // Nobody waits for it: a person who cannot be told is in the log.
                tokio::spawn(async move { tell_owner(&*messenger, &storage, &place, &reason).await });
            }
        }
    }
}

/// What a job needs on its way.
struct Flight {
    messenger: Arc<dyn Messenger>,
    gate: Gate,
    ops: Ops,
}

impl Flight {
    /// Does one job at its time.
    async fn of(self, job: Job, stop: CancellationToken) -> (Delivery, Outcome) {
        let Job {
            delivery,
            part,
            mut at,
            task,
        } = job;
        let (place, slot) = (&delivery.id.place, at);
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => {
                    self.gate.limiter().give_back(place, slot);
                    return (delivery, Outcome::Unused);
                }
                () = sleep_until(at) => {}
            }
            let now = clock::steady();
            let mut limiter = self.gate.limiter();
            // The platform may have asked to wait since the permit was given.
            match limiter.closed_until(place, now) {
                Some(until) => at = until,
                None => {
                    limiter.used_late(place, slot, now);
                    break;
                }
            }
        }
        let part = match &delivery.plain {
            None => part,
            Some(_) => self.messenger.plain(&part),
        };
        let outcome = match task {
            Task::Send => {
                let answered = self.messenger.send(place, &part, &delivery.tag()).await;
                self.heard(place, &answered);
                Outcome::Sent(answered.outcome)
            }
            Task::Look(missing) => {
                let looking = tokio::time::timeout(LOOKING, self.messenger.look(place, &part, &missing));
                let looked = looking.await.unwrap_or_else(|_| {
                    Looked::Failed(SendError::Unreachable {
                        reason: "looking for it took too long".to_owned(),
                    })
                });
                if let Looked::Failed(error) = &looked {
                    self.gate.heard(place, &Err(error.clone()), &Signal::default());
                }
                Outcome::Looked(looked)
            }
        };
        (delivery, outcome)
    }

    fn heard(&self, place: &Place, answered: &Answered) {
        self.gate.heard(place, &answered.outcome, &answered.signal);
        let platform = place.platform();
        self.ops.outcome(platform, ops::Outcome::of(&answered.outcome));
        match &answered.outcome {
            Ok(_) => self.ops.part_sent(platform),
            Err(SendError::RateLimited { .. }) => self.ops.too_many_requests(platform),
            Err(
                SendError::Moved { .. }
                | SendError::Gone { .. }
                | SendError::Rejected { .. }
                | SendError::Unreachable { .. }
                | SendError::Uncertain { .. }
                | SendError::Unauthorized { .. },
            ) => {}
        }
    }
}

/// The platform's word that it does not know the token, if it is among these.
fn revoked(done: &[(Delivery, Outcome)]) -> Option<String> {
    done.iter().find_map(|(_, outcome)| match outcome {
        Outcome::Sent(Err(SendError::Unauthorized { reason }))
        | Outcome::Looked(Looked::Failed(SendError::Unauthorized { reason })) => Some(reason.clone()),
        Outcome::Sent(_) | Outcome::Looked(_) | Outcome::Unused => None,
    })
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

/// How long to sleep until `due`, never longer than [`NAP`].
pub(crate) fn nap(due: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Duration {
    due.map_or(NAP, |due| (due - now).to_std().unwrap_or(Duration::ZERO).min(NAP))
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
    match &settled.decided {
        None => {}
        Some(verdict @ (Verdict::Found | Verdict::NotThere)) => {
            tracing::info!(place, delivery = %delivery.id, "a part in doubt: {verdict}");
        }
        Some(verdict @ (Verdict::Resent(_) | Verdict::Skipped(_))) => {
            tracing::warn!(place, delivery = %delivery.id, "a part in doubt: {verdict}");
        }
    }
    match &delivery.state {
        State::Sent { .. } => tracing::info!(place, digest = %delivery.id.digest, parts = delivery.parts, "delivered"),
        State::Leased { .. } => {}
        State::Available { .. } if delivery.plain.is_some() => {
            tracing::warn!(
                place,
                part = delivery.next_part() + 1,
                error,
                "refused; it is sent again as plain text"
            );
        }
        State::Available { .. } if settled.tell_operator && settled.decided.is_none() => {
            tracing::error!(place, delivery = %delivery.id, error, "a part is given up; the rest goes on");
        }
        State::Available { at } if delivery.attempts == 0 => {
            tracing::debug!(place, again_at = %at, parts = delivery.next_part(), error, "goes on");
        }
        State::Available { at } => tracing::warn!(place, again_at = %at, error, "not delivered yet"),
        State::Discarded { reason, .. } => {
            tracing::error!(delivery = %delivery.id, ?reason, "not delivered whole; `paperwire queue show` has the details");
        }
    }
}
