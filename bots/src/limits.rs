//! The platforms' limits as numbers for the limiter: what the platforms' documents say, and what the operator set
//! instead.

use chrono::TimeDelta;
use paperwire_config::Config;
use paperwire_core::channel::Platform;
use paperwire_core::limiter::{Limits, Window};

/// How many of a Telegram group's messages per minute are kept for answers to people.
const KEPT: u32 = 2;

/// The limits of a platform.
///
/// - Telegram, from <https://core.telegram.org/bots/faq> (“My bot is hitting limits, how do I avoid this?”): about 30
///   messages a second over all chats, one a second in a chat, 20 a minute in a group. With paid broadcasts up to 1000
///   a second (Bot API, `sendMessage`, `allow_paid_broadcast`); the limits of a chat stay.
/// - Discord, from <https://discord.com/developers/docs/topics/rate-limits>: 50 requests a second for the bot. The
///   limit of a channel stands only in the headers of its answers; 5 in 5 seconds is what they say in practice.
/// - The web page has none.
pub fn limits_of(platform: Platform, config: &Config) -> Limits {
    let window = |messages: u32, seconds: i64| Window {
        messages,
        per: TimeDelta::seconds(seconds),
    };
    match platform {
        Platform::Telegram => Limits {
            bot: window(config.telegram.messages_per_second, 1),
            chat: vec![window(config.telegram.per_chat_per_second, 1)],
            group: vec![window(config.telegram.per_group_per_minute, 60)],
            kept: KEPT,
            vague: true,
        },
        Platform::Discord => Limits {
            bot: window(config.discord.requests_per_second, 1),
            chat: vec![window(config.discord.per_channel_per_5_seconds, 5)],
            group: Vec::new(),
            kept: 0,
            vague: false,
        },
        Platform::Web => Limits::none(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn the_limits_are_the_documents_unless_the_configuration_says_otherwise() {
        let of = |text: &str, platform| {
            let limits = limits_of(platform, &Config::parse(text, "", &BTreeMap::new()).unwrap());
            let all = [vec![limits.bot], limits.chat, limits.group].concat();
            all.iter()
                .map(|w| (w.messages, w.per.num_seconds()))
                .collect::<Vec<_>>()
        };
        assert_eq!(of("", Platform::Telegram), [(30, 1), (1, 1), (20, 60)]);
        assert_eq!(of("", Platform::Discord), [(50, 1), (5, 5)]);
        let paid = "[telegram]\npaid_broadcast = true\nmessages_per_second = 1000\n";
        assert_eq!(of(paid, Platform::Telegram), [(1_000, 1), (1, 1), (20, 60)]);
        let slow = "[discord]\nper_channel_per_5_seconds = 2\n";
        assert_eq!(of(slow, Platform::Discord), [(50, 1), (2, 5)]);
    }
}
