//! What readers think of a paper: a vote for or against it, and a list of those that they keep. A vote belongs to the paper,
//! not to the message below which it was given, so that it counts once over all places and platforms that show the paper.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::channel::Platform;
use crate::paper::PaperId;

mod lists;
mod words;

pub use self::lists::{Listing, saved_file, saved_page, top_page};

/// Someone on a platform: `telegram:12345`, `discord:123456789012345678`, on the web page the name of a session,
/// `web:k3v9q`. Who uses two platforms is two persons: nobody can tell.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Person {
    platform: Platform,
    id: String,
}

/// The text is nobody's id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("“{0}” is no person: write telegram:USER_ID, discord:USER_ID or web:SESSION")]
pub struct PersonError(String);

/// The longest name of a session.
const SESSION_CHARS: usize = 64;

impl Person {
    /// The person with the platform's own id: a positive number (Telegram's Bot API, `User.id`; Discord's snowflakes), on
    /// the web page 1 to 64 Latin letters, digits, hyphens or underscores.
    ///
    /// # Errors
    /// [`PersonError`] when it is none.
    pub fn new(platform: Platform, id: &str) -> Result<Self, PersonError> {
        let bad = || {
            PersonError(format!(
                "{platform}:{}",
                id.chars().take(SESSION_CHARS).collect::<String>()
            ))
        };
        let id = match platform {
            // Written anew, so that nobody is two persons by a leading zero.
            Platform::Telegram | Platform::Discord => {
                let number: u64 = id.parse().ok().filter(|&n| n > 0).ok_or_else(bad)?;
                number.to_string()
            }
            Platform::Web => {
                let valid = (1..=SESSION_CHARS).contains(&id.len())
                    && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
                valid.then(|| id.to_owned()).ok_or_else(bad)?
            }
        };
        Ok(Self { platform, id })
    }

    /// Where they are.
    pub fn platform(&self) -> Platform {
        self.platform
    }

    /// The platform's id.
    pub fn id(&self) -> &str {
        &self.id
    }
}

impl fmt::Display for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.platform, self.id)
    }
}

impl FromStr for Person {
    type Err = PersonError;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        let found = s.split_once(':').and_then(|(name, id)| {
            let platform = Platform::ALL.into_iter().find(|platform| platform.name() == name)?;
            Some((platform, id))
        });
        match found {
            Some((platform, id)) => Self::new(platform, id),
            None => Err(PersonError(s.chars().take(SESSION_CHARS).collect())),
        }
    }
}

impl From<Person> for String {
    fn from(person: Person) -> Self {
        person.to_string()
    }
}

impl TryFrom<String> for Person {
    type Error = PersonError;

    fn try_from(s: String) -> Result<Self, Self::Error> {
        s.parse()
    }
}

/// For a paper or against it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Vote {
    /// 👍
    Up,
    /// 👎
    Down,
}

impl Vote {
    /// Both, for buttons.
    pub const ALL: [Self; 2] = [Self::Up, Self::Down];

    /// What its button shows.
    pub fn sign(self) -> char {
        match self {
            Self::Up => '👍',
            Self::Down => '👎',
        }
    }
}

/// A vote as it is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ballot {
    /// What it says.
    pub vote: Vote,
    /// When it was given. Of two that a paper's two names had from one person, the later one stays.
    pub at: DateTime<Utc>,
}

/// How many are for a paper, and how many against it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Tally {
    /// 👍
    pub up: u32,
    /// 👎
    pub down: u32,
}

impl Tally {
    /// One vote more.
    #[must_use]
    pub fn with(self, vote: Vote) -> Self {
        let Self { up, down } = self;
        match vote {
            Vote::Up => Self {
                up: up.saturating_add(1),
                down,
            },
            Vote::Down => Self {
                up,
                down: down.saturating_add(1),
            },
        }
    }

    /// One vote less.
    #[must_use]
    pub fn without(self, vote: Vote) -> Self {
        let Self { up, down } = self;
        match vote {
            Vote::Up => Self {
                up: up.saturating_sub(1),
                down,
            },
            Vote::Down => Self {
                up,
                down: down.saturating_sub(1),
            },
        }
    }

    /// Votes for it less those against it.
    pub fn net(self) -> i64 {
        i64::from(self.up) - i64::from(self.down)
    }

    /// Whether nobody has voted.
    pub fn is_empty(self) -> bool {
        self == Self::default()
    }
}

impl fmt::Display for Tally {
    /// `👍 3 👎 1`; what is zero is left out, and of no votes nothing is said.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = |vote: Vote, n: u32| (n > 0).then(|| format!("{} {n}", vote.sign()));
        let counts = [count(Vote::Up, self.up), count(Vote::Down, self.down)];
        f.write_str(&counts.into_iter().flatten().collect::<Vec<_>>().join(" "))
    }
}

/// A paper on somebody's reading list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Saved {
    /// Which, under its present name.
    pub paper: PaperId,
    /// When it was put there.
    pub at: DateTime<Utc>,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_person_is_written_as_it_is_read_and_is_nobody_else_by_a_leading_zero() {
        for text in ["telegram:12345", "discord:18446744073709551615", "web:k3-V_9q"] {
            assert_eq!(
                text.parse::<Person>().map(|person| person.to_string()).as_deref(),
                Ok(text)
            );
        }
        assert_eq!("telegram:007".parse::<Person>(), "telegram:7".parse());
        for text in [
            "",
            "12345",
            "irc:1",
            "telegram:",
            "telegram:-7",
            "telegram:0",
            "discord:x",
            "web:",
            "web:a/b",
            "web:a b",
        ] {
            let error = text.parse::<Person>().unwrap_err().to_string();
            assert!(error.contains(&format!("“{text}”")), "{error}");
        }
        let long = "9".repeat(10_000_000);
        assert!(Person::new(Platform::Telegram, &long).unwrap_err().to_string().len() < 300);
    }

    #[test]
    fn a_tally_says_what_there_is() {
        let said = |up, down| Tally { up, down }.to_string();
        assert_eq!(
            [said(3, 1), said(3, 0), said(0, 1), said(0, 0)],
            ["👍 3 👎 1", "👍 3", "👎 1", ""]
        );
    }

    proptest! {
        #[test]
        fn whoever_can_be_written_is_read_again(text in r"(telegram|discord|web|irc)?:?[+-]?[0-9a-z_-]{0,70}") {
            if let Ok(person) = text.parse::<Person>() {
                prop_assert_eq!(person.to_string().parse(), Ok(person));
            }
        }

        #[test]
        fn a_vote_that_is_taken_back_leaves_the_tally_as_it_was(up in 0..9_u32, down in 0..9_u32, for_it: bool) {
            let (tally, vote) = (Tally { up, down }, if for_it { Vote::Up } else { Vote::Down });
            prop_assert_eq!(tally.with(vote).without(vote), tally);
        }
    }
}
