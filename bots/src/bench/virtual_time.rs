//! The delivery path at full size in seconds: the real turns, the real limiter and the real store, and around them an event
//! queue in place of the clock, the wire and the platforms. The platforms keep their documented limits to the letter: so
//! many messages in any stretch of time, and 429 for one more.
//!
//! What is modelled and not real: the storage thread takes [`TURN`] for a job of whatever size and serves both platforms one
//! after the other; nothing is synced; a message leaves up to [`LATE`] after its permit and travels half of the latency,
//! with jitter; so does its answer.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use paperwire_core::channel::{Place, Platform, Style};
use paperwire_core::delivery::{Delivery, DeliveryId, LimitScope, Looked, Outcome, SendError, UncertainPolicy};
use paperwire_core::digest::{DigestId, RenderingId};
use paperwire_core::limiter::{Bucket, Heard, Lane as For, Limiter, Limits, Shut, Signal};
use paperwire_core::locale::Lang;
use paperwire_core::pipeline::{self, Input, Job, Task};
use paperwire_core::store::{SledStore, Store, Write};

use super::delivery::{Lane, bots, lanes, parsed, rendered};
use super::{Platforms, Row, Scratch, peak_memory, percentile, worst_second};
use crate::limits::limits_of;
use crate::worker::IN_FLIGHT;

/// How long the storage thread takes for a job.
const TURN: TimeDelta = TimeDelta::milliseconds(5);
/// How late a timer fires at most.
const LATE: TimeDelta = TimeDelta::milliseconds(3);
/// From a kill to the next run's first turn.
const DOWN: TimeDelta = TimeDelta::milliseconds(300);
/// How often a person asks, each time in the chat that was written to last.
const ASK_EVERY: TimeDelta = TimeDelta::seconds(1);
/// How far ahead a person's permit may lie, as at the gate.
const PERSONS_HORIZON: TimeDelta = TimeDelta::seconds(60);
/// Channels of the run with a kill in it.
const KILLED: u32 = 1_000;
/// Deliveries in one commit when the store is filled.
const FILL: u32 = 1_000;

/// What is measured.
#[derive(Debug, Clone, Copy)]
pub(super) struct Options {
    /// Channels on each platform.
    pub(super) channels: u32,
    /// Parts for each of them.
    pub(super) parts: u32,
    /// Who takes part.
    pub(super) platform: Platforms,
    /// From a request to its answer.
    pub(super) latency: Duration,
    /// The most by which a way is longer than half of that.
    pub(super) jitter: Duration,
}

/// Measures.
///
/// # Errors
/// When the store cannot be used.
pub(super) fn run(options: &Options) -> anyhow::Result<Vec<Row>> {
    let all = lanes(options.platform, options.channels, options.parts, None)?;
    let plain = World::new("virtual", &all, options)?.through(None, true)?;
    // The others are smaller.
    let peak = peak_memory("self");
    let fewer = lanes(options.platform, options.channels.min(KILLED), options.parts, None)?;
    let half = fewer.iter().map(Lane::messages).sum::<u64>() / 2;
    let killed = World::new("killed", &fewer, options)?.through(Some(half), false)?;

    let mut rows = Vec::new();
    for (lane, bot) in all.iter().zip(&plain) {
        rows.push(bot.makespan(lane));
        rows.push(bot.last_first_part(lane));
    }
    for (what, lanes, bots) in [("", &all, &plain), (", with a kill in the middle", &fewer, &killed)] {
        for (lane, bot) in lanes.iter().zip(bots) {
            rows.extend(bot.kept(lane, what));
        }
    }
    rows.extend(plain.iter().find_map(|bot| bot.answers(options.parts)));
    if options.platform != Platforms::Discord {
        rows.push(paid(options)?);
    }
    rows.extend(peak.map(|mib| {
        let channels: u32 = all.iter().map(|lane| lane.channels).sum();
        let figure = format!("virtual time: peak memory, {channels} channels, the simulated platforms in it");
        Row::plain(figure, format!("{mib:.1} MiB"), "≤ 64 MB, then ≤ 32 MB")
    }));
    Ok(rows)
}

/// One part to every channel at the rate that Telegram sells.
fn paid(options: &Options) -> anyhow::Result<Row> {
    let rate = super::delivery::PAID;
    let all = lanes(Platforms::Telegram, options.channels, 1, Some(rate))?;
    let bots = World::new("paid", &all, options)?.through(None, false)?;
    let arrivals = bots
        .first()
        .map(|bot| bot.platform.arrivals.clone())
        .unwrap_or_default();
    let refused = bots.first().map_or(0, |bot| bot.platform.refused);
    let seconds = (arrivals.len().saturating_sub(1) as f64 / super::delivery::span(&arrivals).max(1e-9)).max(0.0);
    let figure = format!(
        "virtual time: Telegram's paid lane, {} messages, {refused} times 429",
        arrivals.len()
    );
    let bound = (f64::from(rate), format!("{rate}/s"));
    Ok(Row::against(
        figure,
        (seconds, format!("{seconds:.0}/s")),
        bound,
        "≥ 0.95",
    ))
}

/// So many in any stretch of time.
#[derive(Debug, Clone)]
struct Sliding {
    most: usize,
    per: TimeDelta,
    at: VecDeque<DateTime<Utc>>,
}

impl Sliding {
    fn new(most: u32, per: TimeDelta) -> Self {
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        let at = VecDeque::new();
        Self { most, per, at }
    }

    /// How long until there is room for one more; `None` when there is.
    fn wait(&mut self, now: DateTime<Utc>) -> Option<TimeDelta> {
        while self.at.front().is_some_and(|&first| first + self.per <= now) {
            self.at.pop_front();
        }
        let first = self.at.front().filter(|_| self.at.len() >= self.most)?;
        Some(*first + self.per - now)
    }
}

/// A platform as the bot meets it.
struct Judge {
    platform: Platform,
    bot: Sliding,
    chats: HashMap<String, Chat>,
    /// What a new chat allows.
    fresh: Vec<Sliding>,
    /// When each message was accepted, in microseconds.
    arrivals: Vec<i64>,
    first_parts: Vec<i64>,
    parts: u64,
    twice: u64,
    refused: u64,
}

struct Chat {
    windows: Vec<Sliding>,
    /// What stands there: key and message id.
    parts: Vec<(String, u64)>,
    messages: u64,
}

/// What was sent.
#[derive(Debug, Clone)]
enum Sent {
    Part(Box<Delivery>),
    Probe(Box<Delivery>),
    Answer { asked: DateTime<Utc> },
}

impl Judge {
    fn new(lane: &Lane) -> Self {
        let second = TimeDelta::seconds(1);
        let fresh = match lane.platform {
            // core.telegram.org/bots/faq; every chat here is a group.
            Platform::Telegram | Platform::Web => vec![Sliding::new(1, second), Sliding::new(20, second * 60)],
            // What the headers say today.
            Platform::Discord => vec![Sliding::new(5, second * 5)],
        };
        Self {
            platform: lane.platform,
            bot: Sliding::new(lane.rate, second),
            chats: HashMap::new(),
            fresh,
            arrivals: Vec::new(),
            first_parts: Vec::new(),
            parts: 0,
            twice: 0,
            refused: 0,
        }
    }

    /// Judges a message: its id there, or the refusal; and what the headers say.
    fn message(&mut self, place: &Place, sent: &Sent, now: DateTime<Utc>) -> (Result<String, SendError>, Signal) {
        let chat = self.chats.entry(place.chat().to_owned()).or_insert_with(|| Chat {
            windows: self.fresh.clone(),
            parts: Vec::new(),
            messages: 0,
        });
        let whole = self.bot.wait(now);
        let own = chat.windows.iter_mut().filter_map(|window| window.wait(now)).max();
        let discord = self.platform == Platform::Discord;
        if let Some(wait) = whole.or(own) {
            self.refused += 1;
            let scope = if whole.is_some() {
                LimitScope::Bot
            } else {
                LimitScope::Chat
            };
            let wait = wait.to_std().unwrap_or_default();
            // Telegram counts in whole seconds.
            let retry_after = if discord {
                wait
            } else {
                Duration::from_secs(wait.as_secs() + 1)
            };
            let signal = Signal {
                bucket: None,
                invalid: discord,
            };
            return (Err(SendError::RateLimited { retry_after, scope }), signal);
        }
        self.bot.at.push_back(now);
        chat.windows.iter_mut().for_each(|window| window.at.push_back(now));
        self.arrivals.push(now.timestamp_micros());
        let bucket = chat.windows.first().filter(|_| discord).map(|window| Bucket {
            limit: 5,
            remaining: 5_u32.saturating_sub(u32::try_from(window.at.len()).unwrap_or(5)),
            reset_after: window.at.front().map_or(window.per, |&first| first + window.per - now),
        });
        let signal = Signal { bucket, invalid: false };
        chat.messages += 1;
        let id = chat.messages;
        if let Sent::Part(delivery) = sent {
            let key = delivery.idempotency_key();
            let known = chat.parts.iter().find(|(known, _)| *known == key).map(|(_, id)| *id);
            match known {
                // enforce_nonce
                Some(id) if discord => return (Ok(id.to_string()), signal),
                Some(_) => self.twice += 1,
                None => {
                    self.parts += 1;
                    if delivery.next_part() == 0 {
                        self.first_parts.push(now.timestamp_micros());
                    }
                    chat.parts.push((key, id));
                }
            }
        }
        (Ok(id.to_string()), signal)
    }

    /// A look for a part: one request that puts nothing anywhere, and is counted all the same.
    fn probe(&mut self, delivery: &Delivery, now: DateTime<Utc>) -> Looked {
        if let Some(wait) = self.bot.wait(now) {
            self.refused += 1;
            return Looked::Failed(SendError::RateLimited {
                retry_after: wait.to_std().unwrap_or_default(),
                scope: LimitScope::Bot,
            });
        }
        self.bot.at.push_back(now);
        self.arrivals.push(now.timestamp_micros());
        let key = delivery.idempotency_key();
        let chat = self.chats.get(delivery.id.place.chat());
        let found = chat.and_then(|chat| chat.parts.iter().find(|(known, _)| *known == key));
        found.map_or(Looked::NotThere, |(_, id)| Looked::There(id.to_string()))
    }
}

/// One bot with its platform.
struct Bot {
    limits: Limits,
    limiter: Limiter,
    platform: Judge,
    held: HashSet<Place>,
    done: Vec<(Delivery, Outcome)>,
    /// A turn is under way.
    busy: bool,
    /// Only the wake-up planned last counts.
    wake: u64,
    /// Where a message went last.
    last: Option<Place>,
    /// How long people waited, in microseconds.
    waited: Vec<i64>,
}

enum Event {
    Turn {
        bot: usize,
        input: Input,
    },
    Turned {
        bot: usize,
        jobs: Vec<Job>,
        next: Option<DateTime<Utc>>,
    },
    Wake {
        bot: usize,
        number: u64,
    },
    Launch {
        bot: usize,
        job: Box<Job>,
        slot: DateTime<Utc>,
    },
    Arrive {
        bot: usize,
        place: Place,
        sent: Sent,
    },
    Back {
        bot: usize,
        delivery: Box<Delivery>,
        outcome: Outcome,
        signal: Signal,
    },
    Ask {
        bot: usize,
    },
    Answer {
        bot: usize,
        place: Place,
        asked: DateTime<Utc>,
    },
    Start,
}

struct World {
    scratch: Scratch,
    store: Option<SledStore>,
    bots: Vec<Bot>,
    events: BTreeMap<(DateTime<Utc>, u64), (u64, Event)>,
    number: u64,
    /// Which run of the program: what an earlier one planned happens no more.
    life: u64,
    now: DateTime<Utc>,
    storage_free: DateTime<Utc>,
    random: Random,
    way: TimeDelta,
    jitter: TimeDelta,
}

impl World {
    fn new(name: &str, lanes: &[Lane], options: &Options) -> anyhow::Result<Self> {
        let scratch = Scratch::new(name)?;
        let store = SledStore::open(&scratch.path().join("store"))?;
        let now = DateTime::UNIX_EPOCH + TimeDelta::days(20_000);
        let config = parsed(&bots(lanes, "http://127.0.0.1"))?;
        let mut bots = Vec::new();
        for lane in lanes {
            fill(&store, lane, now)?;
            let limits = limits_of(lane.platform, &config);
            bots.push(Bot {
                limiter: Limiter::new(limits.clone()),
                limits,
                platform: Judge::new(lane),
                held: HashSet::new(),
                done: Vec::new(),
                busy: false,
                wake: 0,
                last: None,
                waited: Vec::new(),
            });
        }
        Ok(Self {
            scratch,
            store: Some(store),
            bots,
            events: BTreeMap::new(),
            number: 0,
            life: 0,
            now,
            storage_free: now,
            random: Random(7),
            way: TimeDelta::from_std(options.latency / 2)?,
            jitter: TimeDelta::from_std(options.jitter)?,
        })
    }

    /// Everything to its end; with a kill when so many parts have arrived.
    fn through(mut self, kill_at: Option<u64>, asking: bool) -> anyhow::Result<Vec<Bot>> {
        let mut kill_at = kill_at;
        self.plan(self.now, Event::Start);
        if asking {
            let first = self.now + ASK_EVERY;
            for bot in 0..self.bots.len() {
                // Discord's answers to slash commands are not in the bot's limits.
                if self
                    .bots
                    .get(bot)
                    .is_some_and(|bot| bot.platform.platform == Platform::Telegram)
                {
                    self.plan(first, Event::Ask { bot });
                }
            }
        }
        while let Some(((now, _), (life, event))) = self.events.pop_first() {
            self.now = now;
            // What is on the wire arrives, whoever sent it.
            if life == self.life || matches!(event, Event::Arrive { .. }) {
                self.happen(event)?;
            }
            let arrived: u64 = self.bots.iter().map(|bot| bot.platform.parts).sum();
            if kill_at.is_some_and(|at| arrived >= at) {
                kill_at = None;
                self.life += 1;
                // As after a kill: the store as it was left, and nothing else.
                self.store = None;
                self.store = Some(SledStore::open(&self.scratch.path().join("store"))?);
                let next = self.now + DOWN;
                self.storage_free = next;
                self.plan(next, Event::Start);
            }
        }
        Ok(self.bots)
    }

    fn plan(&mut self, at: DateTime<Utc>, event: Event) {
        self.number += 1;
        self.events.insert((at.max(self.now), self.number), (self.life, event));
    }

    fn store(&self) -> anyhow::Result<&SledStore> {
        self.store
            .as_ref()
            .ok_or_else(|| anyhow::anyhow!("the store is closed"))
    }

    fn late(&mut self) -> TimeDelta {
        self.random.up_to(LATE)
    }

    fn way(&mut self) -> TimeDelta {
        self.way + self.random.up_to(self.jitter)
    }

    /// When a job of the storage thread begins that is given to it now.
    fn storage(&mut self) -> DateTime<Utc> {
        let begins = self.storage_free.max(self.now);
        self.storage_free = begins + TURN;
        begins
    }

    fn happen(&mut self, event: Event) -> anyhow::Result<()> {
        match event {
            Event::Start => self.start(),
            Event::Turn { bot, input } => self.turn(bot, input),
            Event::Turned { bot, jobs, next } => {
                self.turned(bot, jobs, next);
                Ok(())
            }
            Event::Wake { bot, number } => {
                if self.bots.get(bot).is_some_and(|bot| bot.wake == number) {
                    self.next_turn(bot);
                }
                Ok(())
            }
            Event::Launch { bot, job, slot } => {
                self.launch(bot, job, slot);
                Ok(())
            }
            Event::Arrive { bot, place, sent } => {
                self.arrive(bot, place, sent);
                Ok(())
            }
            Event::Back {
                bot,
                delivery,
                outcome,
                signal,
            } => {
                self.back(bot, *delivery, outcome, &signal);
                Ok(())
            }
            Event::Ask { bot } => {
                self.ask(bot);
                Ok(())
            }
            Event::Answer { bot, place, asked } => self.answer(bot, place, asked),
        }
    }

    fn start(&mut self) -> anyhow::Result<()> {
        let now = self.now;
        pipeline::take_over(self.store()?, now)?;
        for number in 0..self.bots.len() {
            let Some(bot) = self.bots.get(number) else { continue };
            let limiter = pipeline::limiter(self.store()?, bot.platform.platform, bot.limits.clone(), now)?;
            if let Some(bot) = self.bots.get_mut(number) {
                bot.limiter = limiter;
                bot.held.clear();
                bot.done.clear();
                bot.busy = false;
            }
            self.next_turn(number);
        }
        Ok(())
    }

    /// As the worker's loop: one turn at a time, with all that came back.
    fn next_turn(&mut self, number: usize) {
        let Some(bot) = self.bots.get_mut(number).filter(|bot| !bot.busy) else {
            return;
        };
        bot.busy = true;
        bot.wake += 1;
        let input = Input {
            done: std::mem::take(&mut bot.done),
            flying: bot.held.clone(),
            room: IN_FLIGHT.saturating_sub(bot.held.len()),
        };
        let begins = self.storage();
        self.plan(begins, Event::Turn { bot: number, input });
    }

    fn turn(&mut self, number: usize, input: Input) -> anyhow::Result<()> {
        let now = self.now;
        let store = self.store.as_ref();
        let (Some(bot), Some(store)) = (self.bots.get_mut(number), store) else {
            return Ok(());
        };
        let platform = bot.platform.platform;
        let turn = pipeline::turn(store, platform, &mut bot.limiter, input, UncertainPolicy::Resend, now)?;
        let (jobs, next) = (turn.jobs, turn.next);
        self.plan(
            now + TURN,
            Event::Turned {
                bot: number,
                jobs,
                next,
            },
        );
        Ok(())
    }

    fn turned(&mut self, number: usize, jobs: Vec<Job>, next: Option<DateTime<Utc>>) {
        for job in jobs {
            let at = job.at.max(self.now) + self.late();
            if let Some(bot) = self.bots.get_mut(number) {
                bot.held.insert(job.delivery.id.place.clone());
            }
            let slot = job.at;
            self.plan(
                at,
                Event::Launch {
                    bot: number,
                    job: Box::new(job),
                    slot,
                },
            );
        }
        let Some(bot) = self.bots.get_mut(number) else { return };
        bot.busy = false;
        if !bot.done.is_empty() {
            return self.next_turn(number);
        }
        bot.wake += 1;
        let wake = bot.wake;
        if let Some(next) = next {
            let at = next.max(self.now) + self.late();
            self.plan(
                at,
                Event::Wake {
                    bot: number,
                    number: wake,
                },
            );
        }
    }

    fn launch(&mut self, number: usize, job: Box<Job>, slot: DateTime<Utc>) {
        let now = self.now;
        let (way, late) = (self.way(), self.late());
        let Some(bot) = self.bots.get_mut(number) else { return };
        let place = job.delivery.id.place.clone();
        if let Some(until) = bot.limiter.closed_until(&place, now) {
            return self.plan(until + late, Event::Launch { bot: number, job, slot });
        }
        bot.limiter.used_late(&place, slot, now);
        bot.last = Some(place.clone());
        let Job { delivery, task, .. } = *job;
        let sent = match task {
            // Nothing is corrected here; an edit takes the same way.
            Task::Send | Task::Edit { .. } => Sent::Part(Box::new(delivery)),
            Task::Look(_) => Sent::Probe(Box::new(delivery)),
        };
        self.plan(
            now + way,
            Event::Arrive {
                bot: number,
                place,
                sent,
            },
        );
    }

    fn arrive(&mut self, number: usize, place: Place, sent: Sent) {
        let now = self.now;
        let way = self.way();
        let Some(bot) = self.bots.get_mut(number) else { return };
        let back = match sent {
            Sent::Probe(delivery) => {
                let outcome = Outcome::Looked(bot.platform.probe(&delivery, now));
                let signal = Signal::default();
                Event::Back {
                    bot: number,
                    delivery,
                    outcome,
                    signal,
                }
            }
            Sent::Part(_) => {
                let (outcome, signal) = bot.platform.message(&place, &sent, now);
                let Sent::Part(delivery) = sent else { return };
                let outcome = Outcome::Sent(outcome);
                Event::Back {
                    bot: number,
                    delivery,
                    outcome,
                    signal,
                }
            }
            Sent::Answer { asked } => match bot.platform.message(&place, &sent, now).0 {
                Ok(_) => {
                    bot.waited.push((now - asked).num_microseconds().unwrap_or(i64::MAX));
                    return;
                }
                Err(_) => Event::Answer {
                    bot: number,
                    place,
                    asked,
                },
            },
        };
        self.plan(now + way, back);
    }

    fn back(&mut self, number: usize, delivery: Delivery, outcome: Outcome, signal: &Signal) {
        let now = self.now;
        let Some(bot) = self.bots.get_mut(number) else { return };
        let heard = match &outcome {
            Outcome::Sent(Ok(_)) => Heard::Accepted,
            Outcome::Sent(Err(SendError::RateLimited { retry_after, scope }))
            | Outcome::Looked(Looked::Failed(SendError::RateLimited { retry_after, scope })) => Heard::Limited {
                retry_after: *retry_after,
                scope: *scope,
            },
            Outcome::Sent(Err(_)) | Outcome::Looked(_) | Outcome::Unused => Heard::Other,
        };
        bot.limiter.observe(&delivery.id.place, &heard, signal, now);
        bot.held.remove(&delivery.id.place);
        bot.done.push((delivery, outcome));
        self.next_turn(number);
    }

    fn ask(&mut self, number: usize) {
        let Some(bot) = self.bots.get(number) else { return };
        let waiting = !bot.held.is_empty() || bot.busy;
        if let Some(place) = bot.last.clone().filter(|_| waiting) {
            // The question is read and answered from the store before a permit is asked for.
            let answered = self.storage() + TURN;
            let asked = self.now;
            self.plan(
                answered,
                Event::Answer {
                    bot: number,
                    place,
                    asked,
                },
            );
            self.plan(self.now + ASK_EVERY, Event::Ask { bot: number });
        }
    }

    /// As the gate.
    fn answer(&mut self, number: usize, place: Place, asked: DateTime<Utc>) -> anyhow::Result<()> {
        let now = self.now;
        let Some(bot) = self.bots.get_mut(number) else {
            return Ok(());
        };
        match bot.limiter.reserve(&place, For::People, now, PERSONS_HORIZON) {
            Ok(at) => {
                let written = Write::Sent {
                    place: place.clone(),
                    at,
                };
                self.store()?.commit(vec![written])?;
                let durable = self.storage() + TURN;
                let leaves = at.max(durable) + self.late() + self.way();
                let sent = Sent::Answer { asked };
                self.plan(
                    leaves,
                    Event::Arrive {
                        bot: number,
                        place,
                        sent,
                    },
                );
            }
            Err(Shut::Bot { until } | Shut::Chat { until }) => {
                self.plan(
                    until,
                    Event::Answer {
                        bot: number,
                        place,
                        asked,
                    },
                );
            }
        }
        Ok(())
    }
}

impl Bot {
    fn makespan(&self, lane: &Lane) -> Row {
        let arrivals = &self.platform.arrivals;
        let took = super::delivery::span(arrivals);
        let bound = least(arrivals.len(), lane.rate);
        Row::against(
            format!(
                "virtual time: {}: makespan of {} messages ÷ lower bound",
                lane.platform,
                arrivals.len()
            ),
            (took, format!("{took:.1} s")),
            (bound, format!("{bound:.0} s")),
            "≤ 1.02",
        )
    }

    fn last_first_part(&self, lane: &Lane) -> Row {
        let began = self.platform.arrivals.iter().min().copied().unwrap_or_default();
        let last = self.platform.first_parts.iter().max().copied().unwrap_or(began);
        let (took, firsts) = ((last - began) as f64 / 1e6, self.platform.first_parts.len());
        // Answers to people go out in between.
        let asked = self.waited.len() * firsts / self.platform.arrivals.len().max(1);
        let bound = least(firsts + asked, lane.rate);
        Row::against(
            format!(
                "virtual time: {}: the last channel's first part ÷ lower bound",
                lane.platform
            ),
            (took, format!("{took:.1} s")),
            (bound, format!("{bound:.0} s")),
            "≤ 1.02",
        )
    }

    /// What must be kept in every run.
    fn kept(&self, lane: &Lane, what: &str) -> [Row; 3] {
        let platform = lane.platform;
        let worst = worst_second(&self.platform.arrivals) as f64;
        let limit = (f64::from(lane.rate), format!("{}/s", lane.rate));
        let lost = lane.messages().saturating_sub(self.platform.parts);
        [
            Row::against(
                format!("virtual time: {platform}: worst second ÷ limit{what}"),
                (worst, format!("{worst}/s")),
                limit,
                "≤ 1.0",
            ),
            Row::plain(
                format!("virtual time: {platform}: answered with 429{what}"),
                format!("{} of {}", self.platform.refused, self.platform.arrivals.len()),
                "0",
            ),
            Row::plain(
                format!("virtual time: {platform}: lost, twice{what}"),
                format!("{lost}, {} of {}", self.platform.twice, lane.messages()),
                "0, 0",
            ),
        ]
    }

    fn answers(&self, parts: u32) -> Option<Row> {
        let mut waited = self.waited.clone();
        let p99 = percentile(&mut waited, 0.99)? as f64 / 1e6;
        let figure = format!(
            "virtual time: a person's answer right behind one of {parts} parts, p99 of {} ÷ the chat's slot",
            waited.len()
        );
        Some(Row::against(
            figure,
            (p99, format!("{p99:.3} s")),
            (1.0, "1 s".to_owned()),
            "≤ 2",
        ))
    }
}

/// The least time from the first to the last of so many messages, so many of which may come in any second.
fn least(messages: usize, rate: u32) -> f64 {
    let rate = usize::try_from(rate.max(1)).unwrap_or(usize::MAX);
    (messages.saturating_sub(1) / rate) as f64
}

/// A digest for every channel of the lane.
fn fill(store: &SledStore, lane: &Lane, now: DateTime<Utc>) -> anyhow::Result<()> {
    let digest = DigestId {
        set: u64::from(lane.rate),
        occurrence: now,
    };
    let rendering = RenderingId {
        digest,
        platform: lane.platform,
        lang: Lang::En,
        style: Style::Compact,
        zone: chrono_tz::UTC,
        revision: 0,
    };
    let parts = rendered(lane, lane.papers)?;
    let id = rendering.clone();
    store.commit(vec![Write::Rendering { id, parts }])?;
    for first in (0..lane.channels).step_by(usize::try_from(FILL)?) {
        let deliveries = first..lane.channels.min(first + FILL);
        let writes = deliveries.map(|n| {
            let id = DeliveryId::post(lane.place(n), digest);
            Write::Delivery(Box::new(Delivery::new(id, rendering.clone(), lane.parts, now)))
        });
        store.commit(writes.collect())?;
    }
    Ok(())
}

/// splitmix64
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Evenly from nothing to `most`, in microseconds.
    fn up_to(&mut self, most: TimeDelta) -> TimeDelta {
        let most = most.num_microseconds().and_then(|most| u64::try_from(most).ok());
        let drawn = self.next() % most.unwrap_or_default().saturating_add(1);
        TimeDelta::microseconds(i64::try_from(drawn).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(jitter: u64) -> Options {
        Options {
            channels: 40,
            parts: 3,
            platform: Platforms::Both,
            latency: Duration::from_millis(60),
            jitter: Duration::from_millis(jitter),
        }
    }

    fn world(name: &str, options: &Options) -> (Vec<Lane>, World) {
        let lanes = lanes(options.platform, options.channels, options.parts, None).unwrap();
        let world = World::new(name, &lanes, options).unwrap();
        (lanes, world)
    }

    #[test]
    fn everything_arrives_once_at_the_limit_and_without_a_refusal() {
        let (lanes, world) = world("test-plain", &options(5));
        for (lane, bot) in lanes.iter().zip(world.through(None, true).unwrap()) {
            let judge = &bot.platform;
            assert_eq!((judge.parts, judge.twice, judge.refused), (120, 0, 0), "{lane:?}");
            assert!(worst_second(&judge.arrivals) <= lane.rate as usize, "{lane:?}");
            assert_eq!(bot.waited.is_empty(), lane.platform == Platform::Discord);
        }
    }

    #[test]
    fn a_kill_in_the_middle_loses_nothing_and_the_next_run_knows_what_the_last_one_sent() {
        let (lanes, world) = world("test-kill", &options(5));
        for (lane, bot) in lanes.iter().zip(world.through(Some(100), false).unwrap()) {
            let judge = &bot.platform;
            assert_eq!((judge.parts, judge.twice, judge.refused), (120, 0, 0), "{lane:?}");
            assert!(worst_second(&judge.arrivals) <= lane.rate as usize, "{lane:?}");
        }
    }

    #[test]
    fn the_judge_refuses_what_comes_before_its_window_has_room() {
        let lane = lanes(Platforms::Telegram, 1, 1, Some(2)).unwrap().remove(0);
        let mut judge = Judge::new(&lane);
        let at = |ms: i64| DateTime::UNIX_EPOCH + TimeDelta::milliseconds(ms);
        let sent = Sent::Answer { asked: at(0) };
        let mut send = |chat, ms| judge.message(&Place::telegram(chat, None), &sent, at(ms)).0.is_ok();
        assert_eq!([send(-1, 0), send(-1, 999), send(-1, 1_000)], [true, false, true]);
        assert_eq!([send(-2, 1_500), send(-3, 1_999), send(-3, 2_000)], [true, false, true]);
        assert_eq!(judge.refused, 2);
    }
}
