//! How fast a platform may be written to: a pace for the whole bot and windows for each chat, kept before the platform
//! has to say 429. What the platform says counts more, and the pace learns from it.
//!
//! The limiter is data. It hands out *slots*: instants at which one message may go out. The caller waits for them,
//! sends, and reports what it heard; `now` is always a parameter.
//!
//! - **The bot's pace.** Slots stand evenly, a little further apart than the limit asks. A caller that comes late by up
//!   to 300 ms catches up, yet no stretch of the window's length ever holds more slots than the window. Every window is
//!   kept with a margin of 1 % (at most 100 ms), so that timers and the network may be late by as much.
//! - **People first.** Slots are handed out in order, and the bulk gets none beyond its horizon, so that an answer
//!   waits no longer than that. In groups some of each window are kept for answers.
//! - **429.** Obeyed to the millisecond, by the chat or by the whole bot. It also lowers the assumed rate (the bot's to
//!   80 %, a chat's to two thirds), which comes back by 1 % of the configured rate every 10 s: Telegram's true limits
//!   are unspecified and vary (<https://grammy.dev/advanced/flood>).
//! - **Discord's headers.** An empty bucket shuts its channel until it is full again; a limit other than the assumed
//!   one replaces it (<https://discord.com/developers/docs/topics/rate-limits>: limits “should not be hard coded”).
//! - **Discord's ban.** 10,000 invalid requests in 10 minutes ban the address (same page, “Invalid Request Limit”).
//!   From a twentieth of it the bulk goes at half the pace, from a tenth it stands still.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fmt;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::channel::Place;
use crate::delivery::LimitScope;

/// How late a caller may be and still catch up. Beyond it the bot was idle, and idle time is no credit: it would go out
/// as a burst.
const CATCH_UP: TimeDelta = TimeDelta::milliseconds(300);
/// The most that a window is longer than the platform says.
const MARGIN_MAX: TimeDelta = TimeDelta::milliseconds(100);
/// The longest window and the longest wait that a platform can impose; what asks for more is asked again then.
const DAY: TimeDelta = TimeDelta::days(1);
/// How long a bucket's limit is believed without hearing of it again.
const BELIEF: TimeDelta = TimeDelta::hours(1);
/// The most that a bucket's limit is believed to be, so that a header cannot make a chat's memory large.
const BUCKET_MAX: u32 = 1_000;
/// Two chats that are asked to wait within this time are not to blame themselves, where the platform does not say who is.
const TOGETHER: TimeDelta = TimeDelta::seconds(5);
/// A full rate, in millionths.
const FULL: u32 = 1_000_000;
/// The least that 429s leave of the bot's rate.
const BOT_FLOOR: u32 = FULL / 10;
/// The least that 429s leave of a chat's rate.
const CHAT_FLOOR: u32 = FULL / 8;
/// How long Discord counts an invalid request.
const INVALID_FOR: TimeDelta = TimeDelta::minutes(10);
/// Invalid requests are counted together in stretches of this length.
const INVALID_STEP: TimeDelta = TimeDelta::seconds(10);
/// So many invalid requests halve the bulk's pace: half of [`INVALID_HALT`].
const INVALID_HALF: u32 = 500;
/// So many stop the bulk: a tenth of what Discord bans for.
const INVALID_HALT: u32 = 1_000;

/// What the headers of a platform's answer say about its limits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Signal {
    /// The state of the bucket that the request was counted in, where the platform tells (Discord's `X-RateLimit-*`).
    pub bucket: Option<Bucket>,
    /// Whether the platform counts the answer as an invalid request (Discord: 401, 403, and 429 that is not shared).
    pub invalid: bool,
}

/// A bucket of requests as the platform's headers describe it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bucket {
    /// How many requests it holds.
    pub limit: u32,
    /// How many are left in it.
    pub remaining: u32,
    /// After what time it is full again.
    pub reset_after: TimeDelta,
}

/// So many messages in any stretch of `per`. None count as one, a stretch is a day at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// How many.
    pub messages: u32,
    /// In which time; zero is no limit at all.
    pub per: TimeDelta,
}

impl Window {
    fn checked(self) -> Self {
        Self {
            messages: self.messages.max(1),
            per: self.per.clamp(TimeDelta::zero(), DAY),
        }
    }

    /// The stretch with its margin.
    fn guarded(self) -> TimeDelta {
        self.per + (self.per / 100).min(MARGIN_MAX)
    }

    /// The distance of messages that are spread over the stretch.
    fn spacing(self) -> TimeDelta {
        scale(self.guarded(), 1, self.messages)
    }
}

/// A platform's limits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// What the bot may send to all chats together.
    pub bot: Window,
    /// What one chat may get.
    pub chat: Vec<Window>,
    /// What a group or channel may get beside that: a chat whose id begins with `-`, as Telegram's do (Bot API,
    /// `Chat.id`).
    pub group: Vec<Window>,
    /// How many of each of a group's windows only people get: the bulk has the rest, at least one.
    pub kept: u32,
    /// The platform does not say whether its 429 concerns a chat or the whole bot (Telegram).
    pub vague: bool,
}

impl Limits {
    /// Of a platform that has none.
    pub fn none() -> Self {
        Self {
            bot: Window {
                messages: u32::MAX,
                per: TimeDelta::zero(),
            },
            chat: Vec::new(),
            group: Vec::new(),
            kept: 0,
            vague: false,
        }
    }
}

/// For whom a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// Somebody waits for it.
    People,
    /// Digests.
    Bulk,
}

/// Why there is no slot, and when to ask again; later than `now`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shut {
    /// No chat gets one in this lane.
    Bot {
        /// Ask again then.
        until: DateTime<Utc>,
    },
    /// This chat gets none; others may.
    Chat {
        /// Ask again then.
        until: DateTime<Utc>,
    },
}

/// What the platform said to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// It was accepted.
    Accepted,
    /// 429.
    Limited {
        /// For how long to wait.
        retry_after: Duration,
        /// Who has to.
        scope: LimitScope,
    },
    /// Anything else, or nothing.
    Other,
}

/// What is worth a line in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// Something goes slower from now on.
    Slowed {
        /// What.
        what: Slowed,
        /// At how many hundredths of its configured rate.
        percent: u32,
    },
    /// Too many invalid requests: the bulk stands still, answers go on.
    Halted {
        /// How many there were in ten minutes.
        invalid: u32,
        /// Until then at least.
        until: DateTime<Utc>,
    },
    /// There are few invalid requests again: the bulk goes at its full pace.
    Resumed,
}

/// What goes slower.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Slowed {
    /// All of it, after a 429 for the whole bot.
    Bot,
    /// One chat, by its id, after a 429 for it.
    Chat(String),
    /// The bulk, after so many invalid requests in ten minutes.
    Bulk {
        /// How many.
        invalid: u32,
    },
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Slowed {
                what: Slowed::Bot,
                percent,
            } => write!(
                f,
                "the platform asked the bot to wait: it goes on at {percent} % of its rate, and 1 % more every 10 s"
            ),
            Self::Slowed {
                what: Slowed::Chat(chat),
                percent,
            } => write!(
                f,
                "the platform asked to wait with chat {chat}: it goes on at {percent} % of its rate, and 1 % more every \
                 10 s"
            ),
            Self::Slowed {
                what: Slowed::Bulk { invalid },
                percent,
            } => write!(
                f,
                "{invalid} requests in 10 minutes were refused (401, 403, 429): digests go at {percent} % of their pace, \
                 and stop at {INVALID_HALT}; see whether the token is valid and which channels refuse the bot"
            ),
            Self::Halted { invalid, until } => write!(
                f,
                "{invalid} requests in 10 minutes were refused (401, 403, 429), a tenth of what the platform bans for: \
                 digests wait until {} at least, answers go on; see whether the token is valid and which channels refuse \
                 the bot",
                until.format("%H:%M:%S UTC")
            ),
            Self::Resumed => write!(f, "few requests are refused any more: digests go at their full pace"),
        }
    }
}

/// What must survive a restart beside the recent sends. What has run out is not in it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Memory {
    bot: Held,
    chats: BTreeMap<String, Held>,
    /// Invalid requests: from when on, and how many.
    invalid: Vec<(DateTime<Utc>, u32)>,
}

/// What the platform said about the bot or a chat.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Held {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    closed: Option<Closure>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rate: Option<Rate>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    bucket: Option<Learned>,
}

/// Nothing before `until`. `since` tells a closure from a clock that jumped back: no wait is longer than the one asked
/// for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Closure {
    since: DateTime<Utc>,
    until: DateTime<Utc>,
}

/// A rate that a 429 lowered: so many millionths of the configured one at `at`, and one more each millisecond (1 % in
/// 10 s).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Rate {
    millionths: u32,
    at: DateTime<Utc>,
}

/// A chat's limit as the platform's headers had it, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Learned {
    limit: u32,
    at: DateTime<Utc>,
}

impl Held {
    fn rate(&self, now: DateTime<Utc>) -> u32 {
        self.rate.map_or(FULL, |rate| {
            let rested = (now - rate.at).num_milliseconds().clamp(0, i64::from(FULL));
            rate.millionths
                .saturating_add(u32::try_from(rested).unwrap_or(FULL))
                .min(FULL)
        })
    }

    fn closed_until(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.closed.map(|closed| closed.until).filter(|&until| until > now)
    }

    fn limit(&self, now: DateTime<Utc>) -> Option<u32> {
        self.bucket
            .filter(|bucket| later(bucket.at, BELIEF) > now)
            .map(|bucket| bucket.limit)
    }

    fn is_live(&self, now: DateTime<Utc>) -> bool {
        self.closed_until(now).is_some() || self.rate(now) < FULL || self.limit(now).is_some()
    }

    /// Shuts for `wait`, unless it is shut for longer.
    fn close(&mut self, now: DateTime<Utc>, wait: TimeDelta) {
        let until = later(now, wait);
        if self.closed.is_none_or(|closed| closed.until < until) {
            self.closed = Some(Closure { since: now, until });
        }
    }

    /// A 429: shuts, and lowers the rate to `num / den` of what it was. Answers to what was sent before an earlier 429
    /// came do not lower it again. Whether it was lowered.
    fn limited(&mut self, now: DateTime<Utc>, wait: TimeDelta, (num, den): (u32, u32), floor: u32) -> bool {
        let known = self.closed_until(now).is_some();
        let before = self.rate(now);
        self.close(now, wait);
        // The rest begins when the wait ends.
        let at = self.closed.map_or(now, |closed| closed.until);
        let lowered = if known {
            before
        } else {
            (before / den * num).max(floor).min(before)
        };
        self.rate = (lowered < FULL).then_some(Rate {
            millionths: lowered,
            at,
        });
        lowered < before
    }

    /// As it is to be understood at `now`, by a clock that may have been set back since.
    fn restored(mut self, now: DateTime<Utc>) -> Self {
        if let Some(closed) = &mut self.closed {
            let asked = (closed.until - closed.since).clamp(TimeDelta::zero(), DAY);
            if closed.since > now {
                closed.since = now;
            }
            closed.until = closed.until.min(later(closed.since, asked));
        }
        let open = self.closed_until(now).unwrap_or(now);
        if let Some(rate) = &mut self.rate {
            rate.at = rate.at.min(open);
            rate.millionths = rate.millionths.max(BOT_FLOOR);
        }
        if let Some(bucket) = &mut self.bucket {
            bucket.at = bucket.at.min(now);
            bucket.limit = bucket.limit.clamp(1, BUCKET_MAX);
        }
        self
    }
}

/// Recent invalid requests, counted in stretches of [`INVALID_STEP`]: 62 numbers at most.
#[derive(Debug, Clone, Default)]
struct Invalid {
    steps: VecDeque<(DateTime<Utc>, u32)>,
}

/// How the bulk goes, in view of the invalid requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bulk {
    Full,
    Half { invalid: u32 },
    Halted { invalid: u32, until: DateTime<Utc> },
}

impl Invalid {
    /// When the requests of a stretch no longer count: when the last that may be in it does not.
    fn over(start: DateTime<Utc>) -> DateTime<Utc> {
        later(start, INVALID_STEP + INVALID_FOR)
    }

    fn add(&mut self, now: DateTime<Utc>, count: u32) {
        while self.steps.front().is_some_and(|&(start, _)| Self::over(start) <= now) {
            self.steps.pop_front();
        }
        match self.steps.back_mut() {
            Some((start, known)) if later(*start, INVALID_STEP) > now => *known = known.saturating_add(count),
            Some(_) | None => self.steps.push_back((now, count)),
        }
    }

    fn live(&self, now: DateTime<Utc>) -> impl Iterator<Item = (DateTime<Utc>, u32)> {
        self.steps
            .iter()
            .copied()
            .filter(move |&(start, _)| Self::over(start) > now)
    }

    fn bulk(&self, now: DateTime<Utc>) -> Bulk {
        let invalid = self.live(now).fold(0, |sum: u32, (_, count)| sum.saturating_add(count));
        if invalid < INVALID_HALF {
            return Bulk::Full;
        }
        if invalid < INVALID_HALT {
            return Bulk::Half { invalid };
        }
        let mut left = invalid;
        let mut until = now;
        for (start, count) in self.live(now) {
            left = left.saturating_sub(count);
            until = Self::over(start);
            if left < INVALID_HALT {
                break;
            }
        }
        Bulk::Halted { invalid, until }
    }
}

/// The state of one platform's limits.
#[derive(Debug, Clone)]
pub struct Limiter {
    limits: Limits,
    /// For how long a chat's slots are remembered, and a group's.
    keep: (TimeDelta, TimeDelta),
    /// When the last slot was due: no later than it was handed out, if the caller came late.
    due: Option<DateTime<Utc>>,
    /// Slots that can still hold others back, in order; about as many as the bot's window has messages.
    slots: VecDeque<DateTime<Utc>>,
    /// The same for each chat. About 110 bytes a chat with its key (a test measures it).
    sent: HashMap<Box<str>, VecDeque<DateTime<Utc>>>,
    sent_sweep: usize,
    bot: Held,
    chats: HashMap<Box<str>, Held>,
    chats_sweep: usize,
    invalid: Invalid,
    /// What the last notice said about the bulk.
    said: std::mem::Discriminant<Bulk>,
    /// The latest instant that was heard of.
    now: DateTime<Utc>,
    /// Something was learned that a restart would have to learn again.
    changed: bool,
    /// The same, and it must not be forgotten.
    urgent: bool,
    /// When the memory was last taken.
    taken: Option<DateTime<Utc>>,
    /// The last chat that was asked to wait, and when.
    limited_last: Option<(Box<str>, DateTime<Utc>)>,
}

impl Limiter {
    /// Nothing sent yet, nothing heard.
    pub fn new(limits: Limits) -> Self {
        let all = |windows: Vec<Window>| windows.into_iter().map(Window::checked).collect::<Vec<_>>();
        let limits = Limits {
            bot: limits.bot.checked(),
            chat: all(limits.chat),
            group: all(limits.group),
            kept: limits.kept,
            vague: limits.vague,
        };
        // A slowed chat's slots matter for as long as its messages are apart.
        let reach = |windows: &[Window]| {
            let slowest = |w: &Window| w.guarded().max(scale(w.spacing(), FULL, CHAT_FLOOR));
            windows.iter().map(slowest).max().unwrap_or_default()
        };
        let chat = reach(&limits.chat);
        Self {
            keep: (chat, chat.max(reach(&limits.group))),
            limits,
            due: None,
            slots: VecDeque::new(),
            sent: HashMap::new(),
            sent_sweep: 0,
            bot: Held::default(),
            chats: HashMap::new(),
            chats_sweep: 0,
            invalid: Invalid::default(),
            said: std::mem::discriminant(&Bulk::Full),
            now: DateTime::<Utc>::MIN_UTC,
            changed: false,
            urgent: false,
            taken: None,
            limited_last: None,
        }
    }

    /// The limiter after a restart, as strict as the one before: `sends` are all of the last [`Self::widest`] by the
    /// instant at which they went out or later, also those of which it is not known whether they arrived. What lies in
    /// the future (a clock was set back) counts as of `now`.
    pub fn restore(
        limits: Limits,
        memory: Memory,
        sends: impl IntoIterator<Item = (String, DateTime<Utc>)>,
        now: DateTime<Utc>,
    ) -> Self {
        let mut limiter = Self::new(limits);
        limiter.now = now;
        limiter.bot = memory.bot.restored(now);
        let chats = memory.chats.into_iter().map(|(chat, held)| (chat, held.restored(now)));
        limiter.chats = chats
            .filter(|(_, held)| held.is_live(now))
            .map(|(chat, held)| (chat.into(), held))
            .collect();
        let mut invalid = memory.invalid;
        invalid.sort_unstable();
        for (start, count) in invalid {
            limiter.invalid.add(start.min(now), count);
        }

        let mut sends: Vec<_> = sends.into_iter().map(|(chat, at)| (at.min(now), chat)).collect();
        sends.sort_unstable();
        for (at, chat) in sends {
            if later(at, limiter.limits.bot.guarded()) > now {
                limiter.slots.push_back(at);
            }
            if later(at, limiter.keep(&chat)) > now {
                limiter.sent.entry(chat.into()).or_default().push_back(at);
            }
            limiter.due = Some(at);
        }
        limiter
    }

    /// Takes the next slot for a message to `place`: send at that instant, which lies from `now` to `now + horizon`.
    /// Slots are handed out in order. The bulk leaves the last one before its horizon to people: a person who asks with
    /// the same horizon gets a slot at once, unless other people were first, the platform asked the bot to wait, or the
    /// chat's windows are full.
    ///
    /// # Errors
    /// Why there is none; then nothing is taken.
    pub fn reserve(
        &mut self,
        place: &Place,
        lane: Lane,
        now: DateTime<Utc>,
        horizon: TimeDelta,
    ) -> Result<DateTime<Utc>, Shut> {
        let (due, slot) = self.next_slot(lane, now, horizon)?;
        let open = self.chat_opens(place, lane, now);
        if open > slot {
            return Err(Shut::Chat { until: open });
        }
        self.due = Some(due);
        self.record(place.chat(), slot, now);
        Ok(slot)
    }

    /// When the bulk may send next, as far as the bot as a whole is concerned.
    pub fn bulk_opens(&mut self, now: DateTime<Utc>) -> DateTime<Utc> {
        match self.next_slot(Lane::Bulk, now, DAY) {
            Ok((_, slot)) => slot,
            Err(Shut::Bot { until } | Shut::Chat { until }) => until,
        }
    }

    /// Takes the next slot for a request that puts no message into a chat: only the bot's own limit counts.
    ///
    /// # Errors
    /// [`Shut::Bot`]; then nothing is taken.
    pub fn reserve_request(
        &mut self,
        lane: Lane,
        now: DateTime<Utc>,
        horizon: TimeDelta,
    ) -> Result<DateTime<Utc>, Shut> {
        let (due, slot) = self.next_slot(lane, now, horizon)?;
        self.due = Some(due);
        self.record_slot(slot, now);
        Ok(slot)
    }

    /// The bot's next slot, and when it was due by its pace.
    fn next_slot(
        &mut self,
        lane: Lane,
        now: DateTime<Utc>,
        horizon: TimeDelta,
    ) -> Result<(DateTime<Utc>, DateTime<Utc>), Shut> {
        self.now = self.now.max(now);
        let window = self.limits.bot;
        let rate = self.bot.rate(now);
        // A thousandth more than the window's margin, so that bunches of slots that were caught up dissolve again.
        let even = scale(window.guarded() + window.per / 1_000, FULL, rate);
        let even = scale(even, 1, window.messages);
        let step = match (lane, self.invalid.bulk(now)) {
            (Lane::People, _) | (Lane::Bulk, Bulk::Full) => even,
            (Lane::Bulk, Bulk::Half { .. }) => even * 2,
            (Lane::Bulk, Bulk::Halted { until, .. }) => return Err(Shut::Bot { until }),
        };

        let due = self
            .due
            .map(|due| later(due, step))
            .filter(|&due| due >= now - CATCH_UP);
        let opened = self.bot.closed.map(|closed| closed.until);
        let due = due.unwrap_or(now).max(opened.unwrap_or(now - CATCH_UP));
        let in_window = (u64::from(window.messages) * u64::from(rate)).div_ceil(u64::from(FULL));
        let in_window = usize::try_from(in_window).unwrap_or(usize::MAX);
        // The window allows the slot after `n` others only then.
        let window_opens = |n: usize| nth_last(&self.slots, n).map(|at| later(at, window.guarded()));
        let slot = [window_opens(in_window), self.slots.back().copied()];
        let slot = slot.into_iter().flatten().fold(due.max(now), DateTime::max);

        let reach = horizon.clamp(TimeDelta::zero(), DAY);
        let last = match lane {
            Lane::People => slot,
            // The slot after this one is for people. A slot that is here already waits for nobody.
            Lane::Bulk if slot <= now => slot,
            Lane::Bulk => {
                let full = match in_window {
                    1 => Some(later(slot, window.guarded())),
                    _ => window_opens(in_window - 1),
                };
                full.map_or(slot, |full| slot.max(full)).max(later(due, even))
            }
        };
        if last > later(now, reach) {
            return Err(Shut::Bot {
                until: slot.min(last - reach),
            });
        }
        Ok((due, slot))
    }

    /// A slot that was not used: the program stops, or there was nothing to send after all.
    pub fn give_back(&mut self, place: &Place, slot: DateTime<Utc>) {
        if let Some(sent) = self.sent.get_mut(place.chat()) {
            take(sent, slot);
        }
        if self.slots.back() == Some(&slot) {
            self.slots.pop_back();
            self.due = self.slots.back().copied();
        } else {
            take(&mut self.slots, slot);
        }
    }

    /// A slot was used later than it says: the slots after it count from there.
    pub fn used_late(&mut self, place: &Place, slot: DateTime<Utc>, at: DateTime<Utc>) {
        if at <= slot {
            return;
        }
        let slots = [Some(&mut self.slots), self.sent.get_mut(place.chat())];
        for slots in slots.into_iter().flatten() {
            if take(slots, slot) {
                slots.insert(slots.partition_point(|&other| other <= at), at);
            }
        }
    }

    /// Until when the platform itself has shut the bot or the chat: a slot that was taken before it said so must not be
    /// used before.
    pub fn closed_until(&self, place: &Place, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let chat = self.chats.get(place.chat());
        self.bot
            .closed_until(now)
            .max(chat.and_then(|held| held.closed_until(now)))
    }

    /// The earliest instant from `now` on at which the chat alone allows a message.
    pub fn chat_opens(&self, place: &Place, lane: Lane, now: DateTime<Utc>) -> DateTime<Utc> {
        let chat = place.chat();
        let held = self.chats.get(chat).copied().unwrap_or_default();
        let open = held.closed_until(now).unwrap_or(now);
        let Some(sent) = self.sent.get(chat) else { return open };
        let open = self
            .windows(chat, held.limit(now), lane)
            .filter_map(|window| Some(later(nth_last(sent, count(window.messages))?, window.guarded())))
            .fold(open, DateTime::max);
        let rate = held.rate(now);
        if rate == FULL {
            return open;
        }
        // Asked to wait, the chat gets its messages evenly, and no longer as many at once as a window holds.
        let spacing = self
            .windows(chat, held.limit(now), Lane::People)
            .map(Window::spacing)
            .max();
        let spacing = scale(spacing.unwrap_or_default(), FULL, rate).min(self.keep(chat));
        sent.back().map_or(open, |&last| open.max(later(last, spacing)))
    }

    /// Takes in what the platform said to a request. A signal's bucket must be that of sending messages to the place:
    /// other routes have buckets of their own.
    pub fn observe(&mut self, place: &Place, heard: &Heard, signal: &Signal, now: DateTime<Utc>) -> Option<Notice> {
        self.now = self.now.max(now);
        let chat = place.chat();
        let slowed = match heard {
            Heard::Accepted | Heard::Other => None,
            Heard::Limited { retry_after, scope } => self.limited(chat, *retry_after, *scope, now),
        };
        if let Some(bucket) = signal.bucket {
            self.learn(chat, bucket, now);
        }
        if signal.invalid {
            self.invalid.add(now, 1);
            self.urgent = true;
        }
        self.bulk_notice(now).or(slowed)
    }

    /// What is new about the bulk, since so many requests were invalid.
    fn bulk_notice(&mut self, now: DateTime<Utc>) -> Option<Notice> {
        let bulk = self.invalid.bulk(now);
        let kind = std::mem::discriminant(&bulk);
        if kind == self.said {
            return None;
        }
        self.said = kind;
        Some(match bulk {
            Bulk::Full => Notice::Resumed,
            Bulk::Half { invalid } => Notice::Slowed {
                what: Slowed::Bulk { invalid },
                percent: 50,
            },
            Bulk::Halted { invalid, until } => Notice::Halted { invalid, until },
        })
    }

    /// Takes in what was said to a request that concerned no chat.
    pub fn observe_request(&mut self, signal: &Signal, now: DateTime<Utc>) -> Option<Notice> {
        self.now = self.now.max(now);
        if signal.invalid {
            self.invalid.add(now, 1);
            self.urgent = true;
        }
        self.bulk_notice(now)
    }

    /// What must be stored for [`Self::restore`].
    pub fn memory(&self) -> Memory {
        let live = |held: &Held| held.is_live(self.now);
        Memory {
            bot: Some(self.bot).filter(live).unwrap_or_default(),
            chats: self
                .chats
                .iter()
                .filter(|(_, held)| live(held))
                .map(|(chat, held)| (chat.to_string(), *held))
                .collect(),
            invalid: self.invalid.live(self.now).collect(),
        }
    }

    /// What must be stored, if something was heard since it was last taken. What merely ran out is no reason to store, and
    /// what was only learned from headers is no reason to store more than once a second.
    pub fn take_changed(&mut self) -> Option<Memory> {
        let rested = self.taken.is_none_or(|taken| self.now - taken >= TimeDelta::seconds(1));
        if !(self.urgent || (self.changed && rested)) {
            return None;
        }
        (self.changed, self.urgent, self.taken) = (false, false, Some(self.now));
        Some(self.memory())
    }

    /// How far back sends must be remembered for [`Self::restore`].
    pub fn widest(&self) -> TimeDelta {
        // The bulk's slots are twice as far apart when it goes at half the slowest pace.
        let slowest = scale(self.limits.bot.spacing(), FULL, BOT_FLOOR) * 2;
        self.limits.bot.guarded().max(slowest + CATCH_UP).max(self.keep.1)
    }

    fn limited(&mut self, chat: &str, retry_after: Duration, scope: LimitScope, now: DateTime<Utc>) -> Option<Notice> {
        let wait = TimeDelta::from_std(retry_after).unwrap_or(DAY).min(DAY);
        self.urgent = true;
        let scope = match scope {
            LimitScope::Chat if self.limits.vague && self.is_about_the_bot(chat, now) => LimitScope::Bot,
            LimitScope::Chat | LimitScope::Bot => scope,
        };
        let (held, what, factor, floor) = match scope {
            LimitScope::Bot => (&mut self.bot, Slowed::Bot, (4, 5), BOT_FLOOR),
            LimitScope::Chat => (self.held(chat, now), Slowed::Chat(chat.to_owned()), (2, 3), CHAT_FLOOR),
        };
        let slowed = held.limited(now, wait, factor, floor);
        let percent = held.rate(now) / (FULL / 100);
        slowed.then_some(Notice::Slowed { what, percent })
    }

    /// Whether a platform that does not say whom its 429 concerns means the whole bot: another chat got one just before.
    fn is_about_the_bot(&mut self, chat: &str, now: DateTime<Utc>) -> bool {
        let other = self.limited_last.replace((chat.into(), now));
        other.is_some_and(|(other, at)| &*other != chat && now - at <= TOGETHER)
    }

    fn learn(&mut self, chat: &str, bucket: Bucket, now: DateTime<Utc>) {
        let limit = bucket.limit.clamp(1, BUCKET_MAX);
        let assumed = self.limits.chat.iter().any(|window| window.messages == limit) || self.limits.chat.is_empty();
        if bucket.remaining > 0 && assumed && !self.chats.contains_key(chat) {
            return;
        }
        let held = self.held(chat, now);
        let before = *held;
        if bucket.remaining == 0 {
            held.close(now, bucket.reset_after.clamp(TimeDelta::zero(), DAY));
        }
        let fresh = |known: &Learned| known.limit == limit && later(known.at, BELIEF / 2) > now;
        held.bucket = if assumed {
            None
        } else {
            held.bucket.filter(fresh).or(Some(Learned { limit, at: now }))
        };
        self.changed |= *held != before;
    }

    /// A chat's entry, to be changed.
    fn held(&mut self, chat: &str, now: DateTime<Utc>) -> &mut Held {
        if !self.chats.contains_key(chat) {
            sweep(&mut self.chats, &mut self.chats_sweep, |_, held| held.is_live(now));
        }
        self.chats.entry(chat.into()).or_default()
    }

    fn record_slot(&mut self, slot: DateTime<Utc>, now: DateTime<Utc>) {
        let guarded = self.limits.bot.guarded();
        if guarded > TimeDelta::zero() {
            forget(&mut self.slots, guarded, now);
            self.slots.push_back(slot);
        }
    }

    fn record(&mut self, chat: &str, slot: DateTime<Utc>, now: DateTime<Utc>) {
        self.record_slot(slot, now);
        let keep = self.keep(chat);
        if keep.is_zero() {
            return;
        }
        if let Some(sent) = self.sent.get_mut(chat) {
            forget(sent, keep, now);
            sent.push_back(slot);
            return;
        }
        let (any, group) = self.keep;
        sweep(&mut self.sent, &mut self.sent_sweep, |chat, sent| {
            let keep = if is_group(chat) { group } else { any };
            sent.back().is_some_and(|&last| later(last, keep) > now)
        });
        self.sent.insert(chat.into(), VecDeque::from([slot]));
    }

    /// For how long a chat's slots are remembered.
    fn keep(&self, chat: &str) -> TimeDelta {
        if is_group(chat) { self.keep.1 } else { self.keep.0 }
    }

    /// A chat's windows, in view of the limit that its headers told.
    fn windows(&self, chat: &str, learned: Option<u32>, lane: Lane) -> impl Iterator<Item = Window> {
        let kept = match lane {
            Lane::People => 0,
            Lane::Bulk => self.limits.kept,
        };
        let group: &[Window] = if is_group(chat) { &self.limits.group } else { &[] };
        let any = self.limits.chat.iter().map(move |window| Window {
            messages: learned.unwrap_or(window.messages),
            ..*window
        });
        any.chain(group.iter().map(move |window| Window {
            messages: window.messages.saturating_sub(kept).max(1),
            ..*window
        }))
    }
}

fn is_group(chat: &str) -> bool {
    chat.starts_with('-')
}

fn count(messages: u32) -> usize {
    usize::try_from(messages).unwrap_or(usize::MAX)
}

/// `at + by`, at most the end of the calendar.
fn later(at: DateTime<Utc>, by: TimeDelta) -> DateTime<Utc> {
    at.checked_add_signed(by).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

/// `delta * num / den`, rounded up to a nanosecond, for `delta` of a few days at most.
fn scale(delta: TimeDelta, num: u32, den: u32) -> TimeDelta {
    let nanos = i128::from(delta.num_nanoseconds().unwrap_or(i64::MAX)) * i128::from(num);
    let den = i128::from(den.max(1));
    TimeDelta::nanoseconds(i64::try_from((nanos + den - 1) / den).unwrap_or(i64::MAX))
}

/// The slot after which `n - 1` more were handed out.
fn nth_last(slots: &VecDeque<DateTime<Utc>>, n: usize) -> Option<DateTime<Utc>> {
    slots.len().checked_sub(n).and_then(|i| slots.get(i)).copied()
}

/// Takes a slot out, and says whether it was there.
fn take(slots: &mut VecDeque<DateTime<Utc>>, slot: DateTime<Utc>) -> bool {
    slots.binary_search(&slot).is_ok_and(|i| slots.remove(i).is_some())
}

/// Drops the slots that are older than `keep`. By age and not by number: one that is given back must not uncover a gap.
fn forget(slots: &mut VecDeque<DateTime<Utc>>, keep: TimeDelta, now: DateTime<Utc>) {
    while slots.front().is_some_and(|&at| later(at, keep) <= now) {
        slots.pop_front();
    }
}

/// Drops what is no longer needed whenever the map has doubled since the last time, so that each entry is looked at
/// only a few times.
fn sweep<V>(map: &mut HashMap<Box<str>, V>, at: &mut usize, mut keep: impl FnMut(&str, &V) -> bool) {
    const FEW: usize = 64;
    if map.len() >= (*at).max(FEW) {
        map.retain(|chat, value| keep(chat, value));
        *at = map.len() * 2;
        map.shrink_to(*at);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(millis: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000, 0).unwrap() + ms(millis)
    }

    fn ms(millis: i64) -> TimeDelta {
        TimeDelta::milliseconds(millis)
    }

    /// Milliseconds after `at(0)`, rounded down.
    fn millis(instant: DateTime<Utc>) -> i64 {
        (instant - at(0)).num_milliseconds()
    }

    fn window(messages: u32, seconds: i64) -> Window {
        Window {
            messages,
            per: TimeDelta::seconds(seconds),
        }
    }

    fn telegram() -> Limits {
        Limits {
            bot: window(30, 1),
            chat: vec![window(1, 1)],
            group: vec![window(20, 60)],
            kept: 2,
            vague: true,
        }
    }

    fn discord() -> Limits {
        Limits {
            bot: window(50, 1),
            chat: vec![window(5, 5)],
            group: Vec::new(),
            kept: 0,
            vague: false,
        }
    }

    fn chat(id: i64) -> Place {
        Place::telegram(id, None)
    }

    fn channel(id: u64) -> Place {
        Place::discord(100_000_000_000_000_000 + id)
    }

    fn limited(millis: u64, scope: LimitScope) -> Heard {
        Heard::Limited {
            retry_after: Duration::from_millis(millis),
            scope,
        }
    }

    const QUIET: Signal = Signal {
        bucket: None,
        invalid: false,
    };
    const INVALID: Signal = Signal {
        bucket: None,
        invalid: true,
    };

    /// Asks until there is a slot, each time when the limiter said to.
    fn next(limiter: &mut Limiter, place: &Place, lane: Lane, now: DateTime<Utc>) -> DateTime<Utc> {
        let mut asked = now;
        for _ in 0..100 {
            match limiter.reserve(place, lane, asked, ms(250)) {
                Ok(slot) => return slot,
                Err(Shut::Bot { until } | Shut::Chat { until }) => {
                    assert!(until > asked, "asked again at the same instant");
                    asked = until;
                }
            }
        }
        panic!("never a slot")
    }

    /// When so many messages to `place` go out.
    fn times(limiter: &mut Limiter, place: &Place, lane: Lane, messages: usize) -> Vec<i64> {
        let mut now = at(0);
        let mut times = Vec::new();
        for _ in 0..messages {
            now = next(limiter, place, lane, now);
            times.push(millis(now));
        }
        times
    }

    #[test]
    fn slots_of_the_bot_stand_evenly_and_a_little_further_apart_than_the_limit_asks() {
        let mut limiter = Limiter::new(telegram());
        let slots = (1..=4).map(|id| limiter.reserve(&chat(id), Lane::People, at(0), ms(250)).map(millis));
        assert_eq!(slots.collect::<Vec<_>>(), [Ok(0), Ok(33), Ok(67), Ok(101)]);
    }

    #[test]
    fn a_caller_that_comes_late_catches_up_and_one_that_was_idle_does_not_burst() {
        let ready_after = |millis| {
            let mut limiter = Limiter::new(telegram());
            limiter.reserve(&chat(1), Lane::Bulk, at(0), ms(0)).unwrap();
            (2..40)
                .take_while(|&id| limiter.reserve(&chat(id), Lane::Bulk, at(millis), ms(0)).is_ok())
                .count()
        };
        assert_eq!((ready_after(200), ready_after(2_000)), (5, 1));
    }

    #[test]
    fn no_second_holds_more_launches_than_the_limit_though_each_is_late_and_the_pace_is_kept() {
        for (rate, messages) in [(30, 3_000_u32), (50, 3_000), (1_000, 30_000)] {
            let mut limiter = Limiter::new(Limits {
                bot: window(rate, 1),
                ..telegram()
            });
            let mut seed = 7_u64;
            let mut random = |below: u64| {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                i64::try_from((seed >> 33) % below).unwrap()
            };
            let (mut now, mut id, mut launches) = (at(0), 0, Vec::new());
            while launches.len() < messages as usize {
                while let Ok(slot) = limiter.reserve(&chat(id + 1), Lane::Bulk, now, ms(250)) {
                    id += 1;
                    launches.push(slot + TimeDelta::microseconds(random(5_000)));
                }
                // A turn takes up to 100 ms, and about twice a minute the disk stalls for nearly half a second.
                now += ms(if random(500) == 0 { 450 } else { random(100) });
            }
            launches.truncate(messages as usize);
            launches.sort();
            for (first, beyond) in launches.iter().zip(launches.iter().skip(rate as usize)) {
                assert!(*beyond - *first > ms(1_000), "{rate}/s: {first} {beyond}");
            }
            let makespan = (*launches.last().unwrap() - at(0)).num_microseconds().unwrap() as f64 / 1e6;
            let ratio = makespan / (f64::from(messages) / f64::from(rate));
            println!("{rate}/s: makespan {makespan:.3} s, {ratio:.4} of messages / rate");
            assert!(ratio < 1.015, "{rate}/s: {ratio}");
        }
    }

    #[test]
    fn the_bulk_leaves_two_of_a_groups_minute_to_people() {
        let mut limiter = Limiter::new(telegram());
        let bulk = times(&mut limiter, &chat(-1), Lane::Bulk, 19);
        assert_eq!(bulk[..3], [0, 1_010, 2_020]);
        // The nineteenth waits until the first is a minute old.
        assert_eq!((bulk[17], bulk[18]), (17_170, 60_100));

        let mut limiter = Limiter::new(telegram());
        times(&mut limiter, &chat(-1), Lane::Bulk, 18);
        let answers = [18_180, 18_181, 18_182].map(|now| millis(next(&mut limiter, &chat(-1), Lane::People, at(now))));
        assert_eq!(answers, [18_180, 19_190, 60_100]);
    }

    #[test]
    fn topics_of_one_forum_share_its_windows_and_a_full_chat_holds_no_other_back() {
        let mut limiter = Limiter::new(telegram());
        let topic = |topic| Place::telegram(-1, Some(topic));
        assert_eq!(limiter.reserve(&topic(7), Lane::Bulk, at(0), ms(250)), Ok(at(0)));
        let full = Shut::Chat { until: at(1_010) };
        assert_eq!(limiter.reserve(&topic(8), Lane::Bulk, at(0), ms(250)), Err(full));
        assert_eq!(limiter.chat_opens(&topic(8), Lane::Bulk, at(0)), at(1_010));
        // Nothing was taken by the refusal.
        let other = limiter.reserve(&chat(5), Lane::Bulk, at(0), ms(250));
        assert_eq!(other.map(millis), Ok(33));
    }

    #[test]
    fn a_person_gets_a_slot_within_the_horizon_though_the_bulk_has_taken_all_it_can() {
        let mut limiter = Limiter::new(telegram());
        let taken = (1..100).take_while(|&id| limiter.reserve(&chat(id), Lane::Bulk, at(0), ms(250)).is_ok());
        assert_eq!(taken.count(), 7);
        let answer = limiter.reserve(&chat(-5), Lane::People, at(0), ms(250));
        assert_eq!(answer.map(millis), Ok(235));
    }

    #[test]
    fn a_429_shuts_its_chat_to_the_millisecond_and_spreads_what_follows() {
        let mut limiter = Limiter::new(telegram());
        limiter.reserve(&chat(5), Lane::Bulk, at(0), ms(0)).unwrap();
        let notice = limiter.observe(&chat(5), &limited(3_456, LimitScope::Chat), &QUIET, at(40));
        assert_eq!(
            notice.unwrap().to_string(),
            "the platform asked to wait with chat 5: it goes on at 66 % of its rate, and 1 % more every 10 s"
        );
        let shut = Shut::Chat { until: at(3_496) };
        for lane in [Lane::Bulk, Lane::People] {
            assert_eq!(limiter.reserve(&chat(5), lane, at(3_495), ms(0)), Err(shut));
        }
        assert_eq!(limiter.closed_until(&chat(5), at(3_495)), Some(at(3_496)));
        assert_eq!(limiter.closed_until(&chat(6), at(3_495)), None);
        assert_eq!(limiter.reserve(&chat(6), Lane::Bulk, at(3_495), ms(0)), Ok(at(3_495)));
        assert_eq!(limiter.reserve(&chat(5), Lane::Bulk, at(3_530), ms(0)), Ok(at(3_530)));
        assert_eq!(
            millis(limiter.chat_opens(&chat(5), Lane::Bulk, at(3_530))),
            3_530 + 1_514
        );
        // 340 s later a third of the rate has come back.
        limiter.reserve(&chat(5), Lane::Bulk, at(350_000), ms(0)).unwrap();
        assert_eq!(limiter.chat_opens(&chat(5), Lane::Bulk, at(350_000)), at(351_010));
    }

    #[test]
    fn a_429_for_the_bot_holds_everyone_and_the_rate_comes_back_slowly() {
        let mut limiter = Limiter::new(telegram());
        let bot = limited(3_000, LimitScope::Bot);
        let notice = limiter.observe(&chat(5), &bot, &QUIET, at(0)).unwrap();
        assert!(
            notice.to_string().contains("asked the bot to wait: it goes on at 80 %"),
            "{notice}"
        );
        // What was under way when it came is no news.
        assert_eq!(limiter.observe(&chat(6), &bot, &QUIET, at(20)), None);
        let refused = limiter.reserve(&chat(6), Lane::People, at(2_000), ms(1_000));
        assert_eq!(refused, Err(Shut::Bot { until: at(2_020) }));
        let distance = |limiter: &mut Limiter, now: i64| {
            let mut slot = |id| limiter.reserve(&chat(id), Lane::People, at(now), ms(1_000)).unwrap();
            (slot(now) - slot(now + 1)).abs().num_microseconds().unwrap()
        };
        assert_eq!(distance(&mut limiter, 3_020), 42_125);
        assert_eq!(distance(&mut limiter, 103_020), 37_444);
        assert_eq!(distance(&mut limiter, 203_020), 33_700);
    }

    #[test]
    fn repeated_429s_lower_the_rate_to_a_floor_and_are_told_once_each() {
        let mut limiter = Limiter::new(telegram());
        let mut told = |scope| {
            let all = (0..20).map(|i| limiter.observe(&chat(5), &limited(1, scope), &QUIET, at(i * 10)));
            all.flatten().last().map(|last| (last, ()))
        };
        assert!(matches!(
            told(LimitScope::Bot),
            Some((Notice::Slowed { percent: 10, .. }, ()))
        ));
        assert!(matches!(
            told(LimitScope::Chat),
            Some((Notice::Slowed { percent: 12, .. }, ()))
        ));
        let again = limiter.observe(&chat(5), &limited(1, LimitScope::Bot), &QUIET, at(191));
        assert_eq!(again, None);
    }

    #[test]
    fn what_discord_says_about_a_channels_bucket_goes_before_the_assumption() {
        let mut limiter = Limiter::new(discord());
        assert_eq!(times(&mut limiter, &channel(1), Lane::Bulk, 6)[5], 5_050);
        let signal = |limit, remaining, reset| Signal {
            bucket: Some(Bucket {
                limit,
                remaining,
                reset_after: ms(reset),
            }),
            invalid: false,
        };
        // Somebody else used the same token: empty though only one of ours went out.
        limiter.observe(&channel(2), &Heard::Accepted, &signal(5, 0, 1_234), at(0));
        assert_eq!(limiter.chat_opens(&channel(2), Lane::People, at(0)), at(1_234));
        // A bucket of two, and one of a header that cannot be true.
        limiter.observe(&channel(3), &Heard::Accepted, &signal(2, 1, 5_000), at(0));
        assert_eq!(times(&mut limiter, &channel(3), Lane::Bulk, 3)[2] / 1_000, 10);
        limiter.observe(
            &channel(4),
            &Heard::Accepted,
            &signal(u32::MAX, 0, i64::MAX / 1_000_000),
            at(0),
        );
        assert_eq!(
            limiter.chat_opens(&channel(4), Lane::Bulk, at(0)),
            at(0) + TimeDelta::days(1)
        );
        // A chat that is as assumed needs no memory.
        limiter.observe(&channel(9), &Heard::Accepted, &signal(5, 4, 5_000), at(0));
        assert!(!limiter.chats.contains_key(channel(9).chat()));
    }

    #[test]
    fn invalid_requests_slow_the_bulk_then_stop_it_and_people_still_pass_also_after_a_restart() {
        let mut limiter = Limiter::new(discord());
        let mut notices = Vec::new();
        for i in 0..1_100 {
            notices.extend(
                limiter
                    .observe(&channel(1), &Heard::Other, &INVALID, at(i * 100))
                    .map(|n| (i, n)),
            );
            if i == 600 {
                let mut slots = (10..13).map(|id| limiter.reserve(&channel(id), Lane::Bulk, at(60_000), ms(250)));
                assert_eq!(slots.next_back().unwrap().map(millis), Ok(60_000));
                assert_eq!(slots.next_back().unwrap().map(millis), Ok(60_040), "half the pace");
            }
        }
        let text: Vec<_> = notices.iter().map(|(i, notice)| format!("{i}: {notice}")).collect();
        assert_eq!(notices.len(), 2, "{text:?}");
        assert!(
            text[0].starts_with("499: 500 requests in 10 minutes were refused"),
            "{}",
            text[0]
        );
        assert!(
            text[1].starts_with("999: 1000 requests") && text[1].contains("answers go on"),
            "{}",
            text[1]
        );

        let json = serde_json::to_string(&limiter.memory()).unwrap();
        let memory = serde_json::from_str(&json).unwrap();
        let mut limiter = Limiter::restore(discord(), memory, [], at(120_000));
        // 1,000 are left when those of the first ten seconds are older than ten minutes, fewer ten seconds later.
        let until = at(620_000);
        assert_eq!(
            limiter.reserve(&channel(1), Lane::Bulk, at(120_000), ms(250)),
            Err(Shut::Bot { until })
        );
        assert!(limiter.reserve(&channel(1), Lane::People, at(120_000), ms(250)).is_ok());
        assert!(limiter.reserve(&channel(2), Lane::Bulk, until, ms(250)).is_ok());
        let mut heard = |now| limiter.observe(&channel(1), &Heard::Accepted, &QUIET, at(now));
        assert!(matches!(heard(620_000), Some(Notice::Slowed { percent: 50, .. })));
        assert_eq!(heard(800_000), Some(Notice::Resumed));
    }

    #[test]
    fn after_a_clock_was_set_back_nothing_waits_longer_than_its_window_or_what_was_asked() {
        let hour = 3_600_000;
        let mut limiter = Limiter::new(telegram());
        let mut sends = Vec::new();
        for i in 0..100 {
            let slot = next(&mut limiter, &chat(-1), Lane::People, at(hour + i * 3_000));
            sends.push(("-1".to_owned(), slot));
        }
        limiter.observe(&chat(2), &limited(7_000, LimitScope::Chat), &QUIET, at(2 * hour));
        let bot = limited(5_000, LimitScope::Bot);
        limiter.observe(&chat(2), &bot, &QUIET, at(2 * hour));
        let back = Limiter::restore(telegram(), limiter.memory(), sends, at(0));
        for (place, opens) in [(chat(-1), 60_100), (chat(2), 7_000), (chat(3), 5_000)] {
            assert_eq!(
                millis(next(&mut back.clone(), &place, Lane::Bulk, at(0))),
                opens,
                "{place}"
            );
        }
        assert!(back.bot.rate(at(0)) == 800_000 && back.bot.rate(at(205_000)) == FULL);
    }

    #[test]
    fn a_slot_that_is_given_back_is_the_next_one_again_and_uncovers_no_gap_in_a_window() {
        let mut limiter = Limiter::new(telegram());
        let slots: Vec<_> = (1..=31)
            .map(|id| next(&mut limiter, &chat(id), Lane::People, at(0)))
            .collect();
        limiter.give_back(&chat(31), slots[30]);
        assert_eq!(next(&mut limiter, &chat(31), Lane::People, slots[29]), slots[30]);
        // Its chat is as free as before, also when the slot was not the last one.
        limiter.give_back(&chat(20), slots[19]);
        assert_eq!(limiter.chat_opens(&chat(20), Lane::Bulk, slots[19]), slots[19]);
        assert!(next(&mut limiter, &chat(20), Lane::People, slots[30]) > slots[30]);
    }

    #[test]
    fn a_slot_that_was_used_late_counts_from_when_it_was_used() {
        let mut limiter = Limiter::new(telegram());
        let slot = limiter.reserve(&chat(1), Lane::Bulk, at(0), ms(250)).unwrap();
        limiter.used_late(&chat(1), slot, at(400));
        assert_eq!(limiter.chat_opens(&chat(1), Lane::Bulk, at(400)), at(1_410));
        assert_eq!(limiter.slots, [at(400)]);
    }

    #[test]
    fn there_is_something_to_store_only_after_something_was_heard() {
        let mut limiter = Limiter::new(discord());
        limiter.reserve(&channel(1), Lane::Bulk, at(0), ms(0)).unwrap();
        limiter.observe(&channel(1), &Heard::Accepted, &QUIET, at(10));
        assert_eq!(limiter.take_changed(), None);
        limiter.observe(&channel(1), &limited(10, LimitScope::Chat), &INVALID, at(20));
        let taken = limiter.take_changed().unwrap();
        assert_eq!(taken, limiter.memory());
        assert!(taken.chats.contains_key(channel(1).chat()) && taken.invalid == [(at(20), 1)]);
        assert_eq!(limiter.take_changed(), None);
        // When all has run out, nothing is left to remember.
        limiter.observe(&channel(1), &Heard::Accepted, &QUIET, at(3_600_000));
        assert_eq!(limiter.memory(), Memory::default());
    }

    #[test]
    fn a_platform_without_limits_gives_every_slot_at_once_and_remembers_nothing() {
        let mut limiter = Limiter::new(Limits::none());
        let lobby = Place::web("lobby").unwrap();
        for _ in 0..1_000 {
            assert_eq!(limiter.reserve(&lobby, Lane::Bulk, at(0), ms(0)), Ok(at(0)));
        }
        assert!(limiter.slots.is_empty() && limiter.sent.is_empty());
    }

    #[test]
    fn ten_thousand_chats_in_flight_stay_small_and_idle_ones_are_forgotten() {
        let bytes = |limiter: &Limiter| {
            let entry = size_of::<(Box<str>, VecDeque<DateTime<Utc>>)>() + 1;
            let keys: usize = limiter.sent.keys().map(|key| key.len().next_multiple_of(16)).sum();
            let slots: usize = limiter.sent.values().map(VecDeque::capacity).sum();
            limiter.sent.capacity() * 8 / 7 * entry + keys + slots * size_of::<DateTime<Utc>>()
        };
        let mut limiter = Limiter::new(Limits {
            bot: window(1_000, 1),
            ..telegram()
        });
        let mut now = at(0);
        for id in 0..10_000 {
            now = next(&mut limiter, &chat(-1_000_000_000_000 - id), Lane::Bulk, now);
        }
        assert_eq!(limiter.sent.len(), 10_000);
        let each = bytes(&limiter) / 10_000;
        println!("{each} bytes a chat");
        assert!(each <= 200, "{each} bytes a chat");
        now += TimeDelta::minutes(10);
        for id in 0..40_000 {
            now = next(&mut limiter, &chat(1 + id), Lane::Bulk, now);
        }
        // At 1,000/s, eight seconds of private chats hold something back; a map may hold twice as many.
        assert!(limiter.sent.len() < 20_000, "{}", limiter.sent.len());
        assert!(limiter.slots.len() <= 1_300, "{}", limiter.slots.len());
    }

    #[derive(Debug, Clone)]
    enum Op {
        Reserve(usize, bool, i64),
        Limited(usize, bool, u64),
        Bucket(usize, u32, u32, i64),
        GiveBack,
        Restart,
    }

    fn ops() -> impl Strategy<Value = Vec<(Op, i64)>> {
        let place = 0..6_usize;
        let op = prop_oneof![
            30 => (place.clone(), any::<bool>(), 0..400_i64).prop_map(|(p, bulk, h)| Op::Reserve(p, bulk, h)),
            1 => (place.clone(), any::<bool>(), 0..4_000_u64).prop_map(|(p, bot, wait)| Op::Limited(p, bot, wait)),
            1 => (place, 1..4_u32, 0..3_u32, 0..4_000_i64).prop_map(|(p, l, r, w)| Op::Bucket(p, l, r, w)),
            2 => Just(Op::GiveBack),
            1 => Just(Op::Restart),
        ];
        let advance = prop_oneof![4 => 0..20_i64, 2 => 0..300_i64, 1 => 0..3_000_i64];
        prop::collection::vec((op, advance), 1..200)
    }

    fn small() -> Limits {
        Limits {
            bot: window(8, 1),
            chat: vec![window(3, 2)],
            group: vec![window(6, 10)],
            kept: 2,
            vague: true,
        }
    }

    fn places() -> Vec<Place> {
        [1, 2, 3, -4, -5, -6].map(chat).to_vec()
    }

    /// A limiter that went through `ops`, its slots (place, lane, slot), and the time.
    struct World {
        limiter: Limiter,
        sends: Vec<(usize, Lane, DateTime<Utc>)>,
        now: DateTime<Utc>,
    }

    impl World {
        fn restored(&self) -> Limiter {
            let json = serde_json::to_string(&self.limiter.memory()).unwrap();
            let oldest = self.now - self.limiter.widest();
            let recent = self.sends.iter().filter(|(_, _, slot)| *slot > oldest);
            let sends = recent.map(|(place, _, slot)| (places()[*place].chat().to_owned(), *slot));
            Limiter::restore(small(), serde_json::from_str(&json).unwrap(), sends, self.now)
        }

        fn run(ops: &[(Op, i64)], buckets: bool) -> Result<Self, TestCaseError> {
            let places = places();
            let mut world = Self {
                limiter: Limiter::new(small()),
                sends: Vec::new(),
                now: at(0),
            };
            let mut closed = [at(0); 6];
            for (op, advance) in ops {
                world.now += ms(*advance);
                let now = world.now;
                match *op {
                    Op::Reserve(place, bulk, horizon) => {
                        let lane = if bulk { Lane::Bulk } else { Lane::People };
                        match world.limiter.reserve(&places[place], lane, now, ms(horizon)) {
                            Ok(slot) => {
                                prop_assert!(now <= slot && slot <= now + ms(horizon));
                                prop_assert!(closed[place] <= slot);
                                world.sends.push((place, lane, slot));
                            }
                            Err(Shut::Bot { until } | Shut::Chat { until }) => prop_assert!(until > now),
                        }
                    }
                    Op::Limited(place, bot, wait) => {
                        let scope = if bot { LimitScope::Bot } else { LimitScope::Chat };
                        world
                            .limiter
                            .observe(&places[place], &limited(wait, scope), &QUIET, now);
                        let until = now + TimeDelta::from_std(Duration::from_millis(wait)).unwrap();
                        for (i, closed) in closed.iter_mut().enumerate().filter(|&(i, _)| bot || i == place) {
                            *closed = until.max(*closed);
                            prop_assert!(world.limiter.closed_until(&places[i], now).unwrap_or(now) >= until);
                        }
                    }
                    Op::Bucket(place, limit, remaining, reset) if buckets => {
                        let bucket = Bucket {
                            limit,
                            remaining,
                            reset_after: ms(reset),
                        };
                        let signal = Signal {
                            bucket: Some(bucket),
                            invalid: false,
                        };
                        world.limiter.observe(&places[place], &Heard::Accepted, &signal, now);
                    }
                    Op::Bucket(..) => {}
                    Op::GiveBack => {
                        if let Some(i) = world.sends.iter().rposition(|(_, _, slot)| *slot > now) {
                            let (place, _, slot) = world.sends.remove(i);
                            world.limiter.give_back(&places[place], slot);
                        }
                    }
                    Op::Restart => {
                        // What was not sent when the program stopped was given back.
                        while let Some(i) = world.sends.iter().rposition(|(_, _, slot)| *slot > now) {
                            let (place, _, slot) = world.sends.remove(i);
                            world.limiter.give_back(&places[place], slot);
                        }
                        world.limiter = world.restored();
                    }
                }
            }
            Ok(world)
        }
    }

    fn keeps(window: Window, mut slots: Vec<DateTime<Utc>>) -> bool {
        slots.sort();
        let beyond = slots.iter().skip(window.messages as usize);
        slots
            .iter()
            .zip(beyond)
            .all(|(first, beyond)| *beyond - *first >= window.per)
    }

    proptest! {
        #[test]
        fn no_window_ever_holds_more_slots_than_it_may(ops in ops()) {
            let sends = World::run(&ops, false)?.sends;
            let of = |place: usize| -> Vec<_> {
                sends.iter().filter(|send| send.0 == place).map(|send| send.2).collect()
            };
            prop_assert!(keeps(small().bot, sends.iter().map(|send| send.2).collect()), "bot");
            for place in 0..6 {
                prop_assert!(keeps(small().chat[0], of(place)), "chat {}", place);
            }
            for place in 3..6 {
                prop_assert!(keeps(small().group[0], of(place)), "group {}", place);
                // When the bulk gets one, no more than four of any lane are in the window.
                for (i, &(_, _, slot)) in sends.iter().enumerate().filter(|(_, s)| s.0 == place && s.1 == Lane::Bulk) {
                    let earlier = sends.iter().take(i + 1).filter(|send| send.0 == place);
                    let in_window = earlier.filter(|send| slot - send.2 < small().group[0].per).count();
                    prop_assert!(in_window <= 4, "kept in group {}", place);
                }
            }
        }

        #[test]
        fn a_restored_limiter_is_as_strict_as_the_one_before(ops in ops(), later in 0..3_000_i64) {
            let mut world = World::run(&ops, true)?;
            // Slots ahead of the clock are those of a program that still runs.
            world.now = world.sends.iter().map(|send| send.2).max().map_or(world.now, |last| last.max(world.now));
            let (restored, asked) = (world.restored(), world.now + ms(later));
            for place in places() {
                for lane in [Lane::People, Lane::Bulk] {
                    let before = next(&mut world.limiter.clone(), &place, lane, asked);
                    let after = next(&mut restored.clone(), &place, lane, asked);
                    // A rate that recovers differs a little with the instants at which one asks.
                    prop_assert!(before <= after + ms(2), "{} {:?}: {} {}", place, lane, before, after);
                    prop_assert!(after <= before + ms(1_600), "{} {:?}: {} {}", place, lane, before, after);
                }
            }
        }

        #[test]
        fn people_wait_no_longer_than_the_horizon_once_their_chat_is_open(
            mut ops in ops(),
        ) {
            ops.retain(|(op, _)| !matches!(op, Op::Limited(..)));
            // The bulk's horizon is 400 ms at most; nobody else is before this person.
            for (op, _) in &mut ops {
                if let Op::Reserve(_, bulk, _) = op {
                    *bulk = true;
                }
            }
            let world = World::run(&ops, true)?;
            for place in places() {
                let opens = world.limiter.chat_opens(&place, Lane::People, world.now);
                prop_assert!(opens <= world.now + small().group[0].guarded());
                let slot = world.limiter.clone().reserve(&place, Lane::People, opens, ms(400));
                prop_assert!(slot.is_ok(), "{}: {:?}", place, slot);
            }
        }

        #[test]
        fn the_bulk_is_never_refused_while_the_bot_is_due_and_the_chat_open(ops in ops()) {
            let world = World::run(&ops, true)?;
            let now = world.now;
            for place in places() {
                let refused = world.limiter.clone().reserve(&place, Lane::Bulk, now, ms(0));
                let rate = world.limiter.bot.rate(now);
                let recent = world.sends.iter().filter(|send| send.2 + small().bot.guarded() > now).count();
                let last = world.sends.iter().map(|send| send.2).max().unwrap_or(at(-10_000));
                // Eight a second, each with the margin of 1.1 %.
                let rested = now - last >= scale(TimeDelta::microseconds(126_375), FULL, rate);
                let in_window = (8 * rate).div_ceil(FULL) as usize;
                let free = recent < in_window && rested && world.limiter.closed_until(&place, now).is_none();
                match refused {
                    Ok(slot) => prop_assert_eq!(slot, now),
                    Err(Shut::Chat { until }) => {
                        prop_assert_eq!(until, world.limiter.chat_opens(&place, Lane::Bulk, now));
                    }
                    Err(Shut::Bot { until }) => {
                        prop_assert!(!free, "refused until {} at {}", until, now);
                        let again = world.limiter.clone().reserve(&place, Lane::Bulk, until, ms(0));
                        prop_assert!(!matches!(again, Err(Shut::Bot { .. })), "{:?} at {}", again, until);
                    }
                }
            }
        }
    }
}
