//! How fast a platform may be written to: a pace for the whole bot and a window for each chat, kept before the platform
//! has to say 429. What the platform says counts more: a 429 stops the chat for as long as it asks.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use paperwire_config::Config;
use paperwire_core::channel::{Place, Platform};
use paperwire_core::delivery::LimitScope;
use tokio::time::Instant;

/// The longest wait that a platform can impose on the limiter; what asks for more is asked again then.
const LONGEST_PAUSE: Duration = Duration::from_secs(3_600);

/// So many messages in any stretch of `per`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// How many.
    pub messages: usize,
    /// In which time.
    pub per: Duration,
}

/// A platform's limits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// The least time between two messages of the bot.
    pub interval: Duration,
    /// What one chat may get.
    pub chat: Vec<Window>,
    /// What a group or channel may get beside that.
    pub group: Vec<Window>,
}

impl Limits {
    /// The limits of a platform: Telegram's from its bots FAQ (about 30 messages a second over all chats, one a second
    /// in a chat, 20 a minute in a group), Discord's from its rate-limit page (50 requests a second for the bot) and from
    /// what its headers say in practice (5 in 5 seconds in a channel).
    pub fn of(platform: Platform, config: &Config) -> Self {
        let window = |messages: u32, seconds: u64| Window {
            messages: usize::try_from(messages).unwrap_or(usize::MAX).max(1),
            per: Duration::from_secs(seconds),
        };
        let pace = |per_second: u32| Duration::from_secs(1) / per_second.max(1);
        match platform {
            Platform::Telegram => Self {
                interval: pace(config.telegram.messages_per_second),
                chat: vec![window(config.telegram.per_chat_per_second, 1)],
                group: vec![window(config.telegram.per_group_per_minute, 60)],
            },
            Platform::Discord => Self {
                interval: pace(config.discord.requests_per_second),
                chat: vec![window(5, 5)],
                group: Vec::new(),
            },
            Platform::Web => Self {
                interval: Duration::ZERO,
                chat: Vec::new(),
                group: Vec::new(),
            },
        }
    }
}

/// The state of one platform's limits.
#[derive(Debug)]
pub struct RateLimit {
    limits: Limits,
    next_slot: Option<Instant>,
    chats: HashMap<String, Chat>,
}

#[derive(Debug, Default)]
struct Chat {
    /// When messages went or will go there, oldest first; no longer than the widest window needs.
    sent: VecDeque<Instant>,
    /// Not before, since the platform said so.
    closed_until: Option<Instant>,
}

impl RateLimit {
    /// Nothing sent yet.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            next_slot: None,
            chats: HashMap::new(),
        }
    }

    /// Takes the next permit for a message to `place`: wait so long, then send. While the chat itself is closed nothing is
    /// taken, so that no other chat waits for it.
    ///
    /// # Errors
    /// How long the chat is closed.
    pub fn reserve(&mut self, place: &Place, now: Instant) -> Result<Duration, Duration> {
        let is_group = place.platform() == Platform::Telegram && place.chat().starts_with('-');
        let windows = self
            .limits
            .chat
            .iter()
            .chain(if is_group { self.limits.group.as_slice() } else { &[] });
        let slot = self.next_slot.map_or(now, |slot| slot.max(now));
        let chat = self.chats.entry(place.chat().to_owned()).or_default();
        let mut open = chat.closed_until.unwrap_or(now);
        let mut widest = 0;
        for window in windows {
            widest = widest.max(window.messages);
            let nth_last = chat
                .sent
                .len()
                .checked_sub(window.messages)
                .and_then(|i| chat.sent.get(i));
            open = nth_last.map_or(open, |&at| open.max(at + window.per));
        }
        if open > slot {
            return Err(open.duration_since(now));
        }
        self.next_slot = Some(slot + self.limits.interval);
        chat.sent.push_back(slot);
        while chat.sent.len() > widest {
            chat.sent.pop_front();
        }
        self.forget_idle(now);
        Ok(slot.duration_since(now))
    }

    /// The platform asked to wait.
    pub fn close(&mut self, place: &Place, scope: LimitScope, now: Instant, retry_after: Duration) {
        let until = now + retry_after.min(LONGEST_PAUSE);
        match scope {
            LimitScope::Chat => {}
            LimitScope::Bot => {
                self.next_slot = Some(self.next_slot.map_or(until, |slot| slot.max(until)));
                return;
            }
        }
        let chat = self.chats.entry(place.chat().to_owned()).or_default();
        chat.closed_until = Some(chat.closed_until.map_or(until, |known| known.max(until)));
    }

    /// Chats that nothing holds back any more need no memory.
    fn forget_idle(&mut self, now: Instant) {
        const MANY: usize = 10_000;
        if self.chats.len() < MANY {
            return;
        }
        let widest = self
            .limits
            .chat
            .iter()
            .chain(&self.limits.group)
            .map(|w| w.per)
            .max()
            .unwrap_or_default();
        self.chats.retain(|_, chat| {
            chat.sent.back().is_some_and(|&at| at + widest > now) || chat.closed_until.is_some_and(|until| until > now)
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits() -> Limits {
        let window = |messages, seconds| Window {
            messages,
            per: Duration::from_secs(seconds),
        };
        Limits {
            interval: Duration::from_millis(100),
            chat: vec![window(1, 1)],
            group: vec![window(3, 60)],
        }
    }

    /// When so many messages to `place` go out, in milliseconds after `now`, if each waits for its turn.
    fn times(limit: &mut RateLimit, place: &Place, now: Instant, messages: usize) -> Vec<u128> {
        let mut at = now;
        let mut times = Vec::new();
        while times.len() < messages {
            match limit.reserve(place, at) {
                Ok(wait) => times.push((at + wait - now).as_millis()),
                Err(closed) => at += closed,
            }
        }
        times
    }

    #[test]
    fn the_bot_as_a_whole_keeps_its_pace() {
        let mut limit = RateLimit::new(limits());
        let now = Instant::now();
        let waits: Vec<_> = (1..=3)
            .map(|chat| limit.reserve(&Place::telegram(chat, None), now).unwrap().as_millis())
            .collect();
        assert_eq!(waits, [0, 100, 200]);
    }

    #[test]
    fn a_group_gets_no_more_than_its_window_allows_in_any_minute() {
        let mut limit = RateLimit::new(limits());
        let sent = times(&mut limit, &Place::telegram(-1, None), Instant::now(), 5);
        assert_eq!(sent, [0, 1_000, 2_000, 60_000, 61_000]);
    }

    #[test]
    fn topics_of_one_forum_share_the_forums_limit() {
        let mut limit = RateLimit::new(limits());
        let now = Instant::now();
        assert_eq!(limit.reserve(&Place::telegram(-1, Some(7)), now), Ok(Duration::ZERO));
        assert_eq!(
            limit.reserve(&Place::telegram(-1, Some(8)), now),
            Err(Duration::from_secs(1))
        );
    }

    #[test]
    fn a_closed_chat_is_told_how_long_and_holds_no_other_back() {
        let mut limit = RateLimit::new(limits());
        let (place, other) = (Place::telegram(5, None), Place::telegram(6, None));
        let now = Instant::now();
        limit.close(&place, LimitScope::Chat, now, Duration::from_secs(3));
        assert_eq!(limit.reserve(&place, now), Err(Duration::from_secs(3)));
        assert_eq!(limit.reserve(&other, now), Ok(Duration::ZERO));
        assert_eq!(limit.reserve(&place, now + Duration::from_secs(3)), Ok(Duration::ZERO));
    }

    #[test]
    fn a_limit_of_the_whole_bot_holds_every_chat_back() {
        let mut limit = RateLimit::new(limits());
        let now = Instant::now();
        limit.close(&Place::telegram(5, None), LimitScope::Bot, now, Duration::from_secs(3));
        assert_eq!(
            limit.reserve(&Place::telegram(6, None), now),
            Ok(Duration::from_secs(3))
        );
    }
}
