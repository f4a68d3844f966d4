//! How many questions of one person are answered. A flood costs everybody else in the chat: whoever asks too fast is told
//! so once and then not heard until it is calm again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use paperwire_core::channel::Platform;

/// How many people are remembered; when there are more, those who have long been silent are forgotten first.
const MOST_PEOPLE: usize = 20_000;

/// What a question gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// An answer.
    Answer,
    /// One sentence: that it was too fast.
    Warn,
    /// Nothing.
    Ignore,
}

#[derive(Debug)]
struct Person {
    /// How many questions are left at `at`; less than one is none.
    left: f64,
    at: DateTime<Utc>,
    warned: bool,
}

/// Counts the questions of everyone.
#[derive(Debug, Clone)]
pub struct Manners {
    per_minute: f64,
    people: Arc<Mutex<HashMap<(Platform, String), Person>>>,
}

impl Manners {
    /// With so many questions a minute for each person; as many may come at once.
    pub fn new(per_minute: u32) -> Self {
        Self {
            per_minute: f64::from(per_minute),
            people: Arc::default(),
        }
    }

    /// A person asks.
    pub fn ask(&self, platform: Platform, person: &str, now: DateTime<Utc>) -> Turn {
        let mut people = self.people.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (platform, person.to_owned());
        if people.len() >= MOST_PEOPLE && !people.contains_key(&key) {
            // After a minute's silence everyone may ask as much as a stranger.
            people.retain(|_, person| now - person.at < TimeDelta::minutes(1));
            if people.len() >= MOST_PEOPLE {
                people.clear();
            }
        }
        let person = people.entry(key).or_insert(Person {
            left: self.per_minute,
            at: now,
            warned: false,
        });
        // A clock that was set back gives nothing and takes nothing.
        let passed = (now - person.at).max(TimeDelta::zero());
        let regained = passed.as_seconds_f64() * self.per_minute / 60.0;
        person.left = (person.left + regained).min(self.per_minute);
        person.at = now;
        if person.left >= 1.0 {
            person.left -= 1.0;
            person.warned = false;
            return Turn::Answer;
        }
        match std::mem::replace(&mut person.warned, true) {
            false => Turn::Warn,
            true => Turn::Ignore,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_asks_too_fast_is_told_once_and_heard_again_later() {
        let manners = Manners::new(20);
        let start: DateTime<Utc> = "2025-10-10T09:00:00Z".parse().unwrap();
        let ask = |person: &str, seconds| manners.ask(Platform::Telegram, person, start + TimeDelta::seconds(seconds));
        let turns: Vec<Turn> = (0..23).map(|_| ask("1", 0)).collect();
        assert!(turns[..20].iter().all(|turn| *turn == Turn::Answer));
        assert_eq!(turns[20..], [Turn::Warn, Turn::Ignore, Turn::Ignore]);
        assert_eq!(ask("2", 0), Turn::Answer, "others are heard");
        assert_eq!(manners.ask(Platform::Discord, "1", start), Turn::Answer);
        // One more every three seconds.
        assert_eq!(
            (ask("1", 2), ask("1", 3), ask("1", 3)),
            (Turn::Ignore, Turn::Answer, Turn::Warn)
        );
        assert_eq!(ask("1", -3_600), Turn::Ignore, "a clock set back gives nothing");
    }

    #[test]
    fn a_crowd_of_strangers_does_not_grow_the_memory() {
        let manners = Manners::new(1);
        let now = "2025-10-10T09:00:00Z".parse().unwrap();
        for person in 0..MOST_PEOPLE * 2 + 5 {
            assert_eq!(manners.ask(Platform::Discord, &person.to_string(), now), Turn::Answer);
        }
        assert!(manners.people.lock().unwrap().len() <= MOST_PEOPLE);
    }
}
