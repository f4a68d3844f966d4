//! Whom a digest calls when it holds papers of one subscription: what makes a phone ring, so that it is chosen by a
//! channel's managers alone, and no text of a paper ever stands in a message that may do so.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::channel::Platform;
use crate::text;

/// Who is called.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mention {
    /// A role on Discord, by its id.
    Role(u64),
    /// Someone on Telegram, by their user name without `@`: 4 to 32 Latin letters, digits and underscores.
    Name(String),
}

impl Mention {
    /// What was typed on a platform: on Discord a role (`<@&ID>` is what its apps send for `@role`) or its id, on Telegram
    /// `@name`. `None` when it is neither.
    pub fn parse(platform: Platform, typed: &str) -> Option<Self> {
        let typed = typed.trim();
        match platform {
            Platform::Discord => {
                let id = typed.strip_prefix("<@&").and_then(|id| id.strip_suffix('>'));
                let id = id.unwrap_or(typed);
                let digits = (15..=20).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_digit());
                id.parse().ok().filter(|&id| digits && id > 0).map(Self::Role)
            }
            Platform::Telegram => {
                let name = typed.strip_prefix('@')?;
                let valid = (4..=32).contains(&name.len())
                    && name.starts_with(|c: char| c.is_ascii_alphabetic())
                    && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
                valid.then(|| Self::Name(name.to_owned()))
            }
            Platform::Web => None,
        }
    }

    /// Whether “off” was typed in the place of somebody.
    pub fn is_off(typed: &str) -> bool {
        matches!(text::fold(typed.trim()).as_str(), "off" | "none" | "关闭" | "取消")
    }
}

/// As it is typed, and as it calls.
impl fmt::Display for Mention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Role(id) => write!(f, "<@&{id}>"),
            Self::Name(name) => write!(f, "@{name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whom_a_platform_can_call_is_written_as_it_is_read_and_nobody_else_is() {
        for (platform, typed, said) in [
            (Platform::Discord, "<@&987654321098765432>", "<@&987654321098765432>"),
            (Platform::Discord, " 987654321098765432", "<@&987654321098765432>"),
            (Platform::Telegram, "@kv_team", "@kv_team"),
        ] {
            assert_eq!(
                Mention::parse(platform, typed).map(|m| m.to_string()).as_deref(),
                Some(said)
            );
        }
        for (platform, typed) in [
            (Platform::Discord, "@everyone"),
            (Platform::Discord, "<@987654321098765432>"),
            (Platform::Discord, "<@&0000000000000000>"),
            (Platform::Discord, "<@&99999999999999999999>"),
            (Platform::Telegram, "kv_team"),
            (Platform::Telegram, "@all"),
            (Platform::Telegram, "@кв_team"),
            (Platform::Telegram, "@kv team"),
            (Platform::Web, "@kv_team"),
        ] {
            assert_eq!(Mention::parse(platform, typed), None, "{typed}");
        }
    }
}
