//! The worker empties one platform's queue, turn after turn: what came back is written down and what may go on the wire is
//! claimed in one job of the storage thread, then every claimed part is sent at the instant of its permit. It decides
//! nothing: what an outcome means stands in `paperwire_core::delivery`, how fast to send in `paperwire_core::limiter`.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use paperwire_core::channel::Place;
use paperwire_core::delivery::{
    ChannelEffect, Delivery, Looked, Outcome, SendError, Settled, State, Tag, UncertainPolicy, Verdict,
};
use paperwire_core::limiter::Signal;
use paperwire_core::pipeline::{self, Input, Job, Task, Turn};
use tokio::sync::{Notify, mpsc};
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::clock;
use crate::gate::{Gate, sleep_until};
use crate::messenger::{Answered, Messenger};
use crate::ops::{self, End, Ops};
use crate::owner;
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
/// How long a platform that must not be written to is left alone before it is looked at again.
const BARRED: Duration = Duration::from_secs(5);
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
    /// Channels that were lost, for whoever tells their owners.
    lost: mpsc::UnboundedSender<(Place, String)>,
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
        let (lost, losses) = mpsc::unbounded_channel();
        // Ends with the worker, which holds the other end.
        tokio::spawn(owner::tell_owners(Arc::clone(&messenger), storage.clone(), losses));
        Self {
            storage,
            messenger,
            gate,
            policy,
            ops,
            wake: queued.listen(),
            queued,
            lost,
        }
    }

    /// Works until `stop`; then gives back what is not yet on the wire and waits for the rest, at most 10 s.
    ///
    /// # Errors
    /// [`WorkerError`]. What is on the wire is settled first, unless it is the store that fails.
    pub async fn run(self, stop: CancellationToken) -> Result<(), WorkerError> {
        // Ended from within as well: by a token that the platform does not know.
        let stop = stop.child_token();
        let mut flights: JoinSet<(Delivery, Outcome)> = JoinSet::new();
        let mut flying: HashMap<Id, Delivery> = HashMap::new();
        let (mut done, mut deadline, mut revoked) = (Vec::new(), None, None);
        loop {
            let barred = self.messenger.is_barred();
            let room = if barred || deadline.is_some() {
                0
            } else {
                IN_FLIGHT.saturating_sub(flights.len())
            };
            let places = flying.values().map(|held| held.id.place.clone()).collect();
            let Turn {
                settled,
                paused,
                jobs,
                next,
            } = self.turn(std::mem::take(&mut done), places, room).await?;
            for settled in &settled {
                self.report(settled);
            }
            for pause in paused {
                // Nobody waits for it, and when the program ends the log has it.
                let _ = self.lost.send(pause);
            }
            for job in jobs {
                let held = job.delivery.clone();
                let flight = Flight {
                    messenger: Arc::clone(&self.messenger),
                    gate: self.gate.clone(),
                    ops: self.ops.clone(),
                };
                flying.insert(flights.spawn(flight.of(job, stop.clone())).id(), held);
            }
            if deadline.is_some() && flights.is_empty() {
                break;
            }
            let nap = nap(next, clock::steady());
            let wake_at = Instant::now() + if barred { nap.max(BARRED) } else { nap };
            tokio::select! {
                Some(back) = flights.join_next_with_id() => {
                    let mut backs = vec![back];
                    while let Some(back) = flights.try_join_next_with_id() {
                        backs.push(back);
                    }
                    for back in backs {
                        done.extend(landed(back, &mut flying));
                    }
                }
                () = self.wake.notified(), if deadline.is_none() => {}
                () = tokio::time::sleep_until(wake_at), if deadline.is_none() => {}
                () = stop.cancelled(), if deadline.is_none() => deadline = Some(Instant::now() + DRAIN),
                () = until(deadline), if deadline.is_some() => {
                    tracing::warn!(
                        messages = flights.len(),
                        platform = %self.messenger.platform(),
                        "no answer came to what was on the wire; the next start looks whether it arrived"
                    );
                    break;
                }
            }
            if let Some(reason) = unknown_token(&done) {
                revoked = Some(reason);
                stop.cancel();
            }
        }
        revoked.map_or(Ok(()), |reason| Err(WorkerError::Unauthorized(reason)))
    }

    async fn turn(
        &self,
        done: Vec<(Delivery, Outcome)>,
        flying: HashSet<Place>,
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
            ChannelEffect::Pause { .. } => {}
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
            at,
            task,
        } = job;
        let place = &delivery.id.place;
        let stopped = tokio::select! {
            biased;
            () = stop.cancelled() => true,
            () = sleep_until(at) => false,
        };
        if stopped {
            self.gate.give_back(place, at);
        }
        if stopped || !self.gate.redeem(place, at) {
            return (delivery, Outcome::Unused);
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
            Task::Edit { message, first } => {
                let tag = Tag {
                    first,
                    ..delivery.tag()
                };
                let answered = self.messenger.edit(place, &message, &part, &tag).await;
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

/// What a task brought back, or that nobody knows what became of its message: a task that panicked is a defect of ours.
fn landed(
    back: Result<(Id, (Delivery, Outcome)), JoinError>,
    flying: &mut HashMap<Id, Delivery>,
) -> Option<(Delivery, Outcome)> {
    match back {
        Ok((id, back)) => {
            flying.remove(&id);
            Some(back)
        }
        Err(error) => {
            tracing::error!(%error, "a defect of Paperwire stopped one message; it is looked for");
            let reason = "a defect of Paperwire stopped it".to_owned();
            let outcome = Outcome::Sent(Err(SendError::Uncertain { reason }));
            flying.remove(&error.id()).map(|held| (held, outcome))
        }
    }
}

/// The platform's word that it does not know the token, if it is among these.
fn unknown_token(done: &[(Delivery, Outcome)]) -> Option<String> {
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
        Some(verdict @ Verdict::Unedited(_)) => {
            tracing::info!(place, delivery = %delivery.id, "a part of a correction: {verdict}");
        }
        Some(verdict @ (Verdict::Resent(_) | Verdict::Skipped(_))) => {
            tracing::warn!(place, delivery = %delivery.id, "a part in doubt: {verdict}");
        }
    }
    match &delivery.state {
        State::Sent { .. } if delivery.id.is_correction() => {
            tracing::info!(place, delivery = %delivery.id, parts = delivery.arrived(), "corrected");
        }
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
