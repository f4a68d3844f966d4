//! How fast a platform may be written to: a pace for the whole bot and windows for each chat, kept before the platform
//! has to say 429. What the platform says counts more, and the pace learns from it.
//!
//! The limiter is data. It hands out *slots*: instants at which one message may go out. The caller waits for them, sends,
//! and reports what it heard; `now` is always a parameter.
//!
//! - **The bot's pace.** Slots stand evenly, a little further apart than the limit asks. A caller that comes late by up to
//!   300 ms catches up, yet no stretch of the window's length ever holds more slots than the window. Every window
//!   is kept with a margin of 1 % (at most 100 ms), so that timers and the network may be late by as much.
//! - **People first.** Slots are handed out in order, and the bulk gets none beyond its horizon, so that an answer waits
//!   no longer than that. In groups some of each window are kept for answers.
//! - **429.** Obeyed to the millisecond, by the chat or by the whole bot. It also lowers the assumed rate (the bot's to 80 %,
//!   a chat's to two thirds), which comes back by 1 % of the configured rate every 10 s: Telegram's true limits are
//!   unspecified and vary (<https://grammy.dev/advanced/flood>).
//! - **Discord's headers.** An empty bucket shuts its channel until it is full again; a limit other than the assumed one
//!   replaces it (<https://discord.com/developers/docs/topics/rate-limits>: limits “should not be hard coded”).
//! - **Discord's ban.** 10,000 invalid requests in 10 minutes ban the address (same page, “Invalid Request Limit”). From a
//!   twentieth of it the bulk goes at half the pace, from a tenth it stands still.

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
    /// What a group or channel may get beside that: a chat whose id begins with `-`, as Telegram's do (Bot API, `Chat.id`).
    pub group: Vec<Window>,
    /// How many of each of a group's windows only people get: the bulk has the rest, at least one.
    pub kept: u32,
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
                "the platform asked to wait with chat {chat}: it goes on at {percent} % of its rate, and 1 % more every 10 s"
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

/// Nothing before `until`. `since` tells a closure from a clock that jumped back: no wait is longer than the one asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Closure {
    since: DateTime<Utc>,
    until: DateTime<Utc>,
}

/// A rate that a 429 lowered: so many millionths of the configured one at `at`, and one more each millisecond (1 % in 10 s).
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

    /// A 429: shuts, and lowers the rate to `num / den` of what it was. Answers to what was sent before an earlier 429 came
    /// do not lower it again. Whether it was lowered.
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
    /// The same for each chat. About 150 bytes a chat with its key (a test measures it).
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
    changed: bool,
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
        }
    }

    /// The limiter after a restart: as strict as the one before, given every send of the last [`Self::widest`], also those of
    /// which it is not known whether they arrived. What lies in the future (a clock was set back) counts as of `now`.
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

    /// Takes the next slot for a message to `place`: send at that instant, which lies from `now` to `now + horizon`. Slots are
    /// handed out in order. The bulk leaves the last one before its horizon to people; so a person who asks with the same
    /// horizon gets a slot at once, unless other people were first or the platform has shut the bot.
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
        self.now = self.now.max(now);
        let window = self.limits.bot;
        let rate = self.bot.rate(now);
        // A thousandth more than the window's margin, so that bunches of slots that were caught up dissolve again.
        let even = scale(window.guarded() + window.per / 1_000, FULL, rate);
        let even = scale(even, 1, window.messages);
        let (step, reach) = match (lane, self.invalid.bulk(now)) {
            (Lane::People, _) => (even, horizon),
            (Lane::Bulk, Bulk::Full) => (even, horizon - even),
            (Lane::Bulk, Bulk::Half { .. }) => (even * 2, horizon - even),
            (Lane::Bulk, Bulk::Halted { until, .. }) => return Err(Shut::Bot { until }),
        };
        let reach = reach.clamp(TimeDelta::zero(), DAY);

        let due = self
            .due
            .map(|due| later(due, step))
            .filter(|&due| due >= now - CATCH_UP);
        let due = due
            .unwrap_or(now)
            .max(self.bot.closed.map_or(now - CATCH_UP, |closed| closed.until));
        let in_window = usize::try_from((u64::from(window.messages) * u64::from(rate)).div_ceil(u64::from(FULL)));
        let after = [
            nth_last(&self.slots, in_window.unwrap_or(usize::MAX)).map(|at| later(at, window.guarded())),
            self.slots.back().copied(),
        ];
        let slot = after.into_iter().flatten().fold(due.max(now), DateTime::max);
        if slot > later(now, reach) {
            return Err(Shut::Bot { until: slot - reach });
        }
        let open = self.chat_opens(place, lane, now);
        if open > slot {
            return Err(Shut::Chat { until: open });
        }
        self.due = Some(due);
        self.record(place.chat(), slot, now);
        Ok(slot)
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

    /// Until when the platform itself has shut the bot or the chat: a slot that was taken before it said so must not be used
    /// before.
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

    /// Takes in what the platform said to a request. A signal's bucket must be that of sending messages to the place: other
    /// routes have buckets of their own.
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
            self.changed = true;
        }
        let bulk = self.invalid.bulk(now);
        let kind = std::mem::discriminant(&bulk);
        if kind == self.said {
            return slowed;
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

    /// What must be stored, if something was heard since it was last taken. What merely ran out is no reason to store.
    pub fn take_changed(&mut self) -> Option<Memory> {
        std::mem::take(&mut self.changed).then(|| self.memory())
    }

    /// How far back sends must be remembered for [`Self::restore`].
    pub fn widest(&self) -> TimeDelta {
        self.limits.bot.guarded().max(self.keep.1)
    }

    fn limited(&mut self, chat: &str, retry_after: Duration, scope: LimitScope, now: DateTime<Utc>) -> Option<Notice> {
        let wait = TimeDelta::from_std(retry_after).unwrap_or(DAY).min(DAY);
        self.changed = true;
        let (held, what, factor, floor) = match scope {
            LimitScope::Bot => (&mut self.bot, Slowed::Bot, (4, 5), BOT_FLOOR),
            LimitScope::Chat => (self.held(chat, now), Slowed::Chat(chat.to_owned()), (2, 3), CHAT_FLOOR),
        };
        let slowed = held.limited(now, wait, factor, floor);
        let percent = held.rate(now) / (FULL / 100);
        slowed.then_some(Notice::Slowed { what, percent })
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

    fn record(&mut self, chat: &str, slot: DateTime<Utc>, now: DateTime<Utc>) {
        let guarded = self.limits.bot.guarded();
        if guarded > TimeDelta::zero() {
            forget(&mut self.slots, guarded, now);
            self.slots.push_back(slot);
        }
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

/// Drops what is no longer needed whenever the map has doubled since the last time, so that each entry is looked at only a
/// few times.
fn sweep<V>(map: &mut HashMap<Box<str>, V>, at: &mut usize, mut keep: impl FnMut(&str, &V) -> bool) {
    const FEW: usize = 64;
    if map.len() >= (*at).max(FEW) {
        map.retain(|chat, value| keep(chat, value));
        *at = map.len() * 2;
        map.shrink_to(*at);
    }
}
