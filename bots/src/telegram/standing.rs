//! What people are in a chat, as Telegram said lately: every change of a setting asks, and asking takes a request.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use paperwire_core::command::Standing;
use serde_json::Value;
use tokio::time::Instant;

/// How long who manages a chat may go on managing it here.
const MANAGER_FOR: Duration = Duration::from_secs(5 * 60);
/// The same of who does not. Shorter: somebody has been refused, and may become an administrator because of that.
const MEMBER_FOR: Duration = Duration::from_secs(30);
/// How many answers are remembered.
const REMEMBERED: usize = 4_096;

/// A person in a chat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Member {
    pub(super) chat: i64,
    pub(super) person: i64,
}

/// What an answer of getChatMember makes of somebody (Bot API, ChatMember).
pub(super) fn read(member: &Value) -> Standing {
    match member.get("status").and_then(Value::as_str) {
        Some("creator" | "administrator") => Standing::Manager,
        Some(_) => Standing::Member,
        None => Standing::Unknown,
    }
}

/// What Telegram said of whom, and until when that is believed.
#[derive(Debug, Default)]
pub(super) struct Standings(Mutex<HashMap<Member, (Standing, Instant)>>);

impl Standings {
    pub(super) fn get(&self, member: Member) -> Option<Standing> {
        let (standing, until) = *self.map().get(&member)?;
        (Instant::now() < until).then_some(standing)
    }

    pub(super) fn learn(&self, member: Member, standing: Standing) {
        let believed = match standing {
            Standing::Manager => MANAGER_FOR,
            Standing::Member => MEMBER_FOR,
            Standing::Unknown => return,
        };
        let now = Instant::now();
        let mut map = self.map();
        if map.len() >= REMEMBERED {
            map.retain(|_, (_, until)| now < *until);
        }
        if map.len() >= REMEMBERED {
            map.clear();
        }
        map.insert(member, (standing, now + believed));
    }

    fn map(&self) -> MutexGuard<'_, HashMap<Member, (Standing, Instant)>> {
        // Whatever a panic left behind is still a list of answers.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_creator_and_administrators_manage_a_chat() {
        let read = |status: &str| read(&json!({"status": status}));
        assert_eq!([read("creator"), read("administrator")], [Standing::Manager; 2]);
        for status in ["member", "restricted", "left", "kicked", "yet to be invented"] {
            assert_eq!(read(status), Standing::Member);
        }
        assert_eq!(super::read(&json!(true)), Standing::Unknown);
    }

    #[tokio::test(start_paused = true)]
    async fn a_manager_is_believed_for_five_minutes_a_member_shorter_and_silence_never() {
        let standings = Standings::default();
        let (ada, bob, eve) = (1, 2, 3);
        let member = |person| Member { chat: -1, person };
        standings.learn(member(ada), Standing::Manager);
        standings.learn(member(bob), Standing::Member);
        standings.learn(member(eve), Standing::Unknown);
        let known = || [ada, bob, eve].map(|person| standings.get(member(person)));
        assert_eq!(known(), [Some(Standing::Manager), Some(Standing::Member), None]);
        assert_eq!(standings.get(Member { chat: -2, person: ada }), None);
        tokio::time::advance(Duration::from_secs(31)).await;
        assert_eq!(known(), [Some(Standing::Manager), None, None]);
        tokio::time::advance(Duration::from_secs(270)).await;
        assert_eq!(known(), [None; 3]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_crowd_takes_no_more_memory_than_was_meant() {
        let standings = Standings::default();
        for person in 0..10_000 {
            standings.learn(Member { chat: -1, person }, Standing::Member);
        }
        assert!(standings.map().len() <= REMEMBERED);
        let last = Member {
            chat: -1,
            person: 9_999,
        };
        assert_eq!(standings.get(last), Some(Standing::Member));
    }
}
