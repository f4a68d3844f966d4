//! What people follow from where they talk: topics, keywords and rules of one place, taken up, rested, changed and dropped.
//! The first thing that a place follows makes it a channel.

use chrono::{DateTime, Utc};

use super::channels::latest_window_start;
use crate::channel::{Activity, Channel, Place, Settings};
use crate::mention::Mention;
use crate::rule::Rule;
use crate::store::{Result, Store, Write};
use crate::subscription::Subjects;
use crate::text;
use crate::topic::TopicId;

/// The most subscriptions of one place.
pub const MOST: usize = 200;

/// One thing that a place follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// A topic.
    Topic(TopicId),
    /// A keyword of the configuration file.
    Keyword(String),
    /// A rule.
    Rule(Rule),
}

impl Item {
    /// As people know it; a rule as it was typed.
    pub fn text(&self) -> String {
        match self {
            Self::Topic(id) => id.to_string(),
            Self::Keyword(word) => word.clone(),
            Self::Rule(rule) => rule.to_string(),
        }
    }

    /// A short name of it that no other item has: what buttons carry.
    pub fn mark(&self) -> u64 {
        match self {
            Self::Topic(id) => text::hash64(&["topic", &id.0]),
            Self::Keyword(word) => text::hash64(&["keyword", word]),
            Self::Rule(rule) => rule.key(),
        }
    }

    /// The rule that brings the same papers; `None` for a topic or keyword that cannot be written as one.
    pub fn as_rule(&self) -> Option<Rule> {
        match self {
            Self::Topic(id) => format!("topic:{id}").parse().ok(),
            Self::Keyword(word) => format!("\"{word}\"").parse().ok(),
            Self::Rule(rule) => Some(rule.clone()),
        }
    }

    fn put(self, into: &mut Subjects) {
        let old = std::mem::take(into);
        let (mut topics, mut keywords, mut rules) = (old.topics, old.keywords, old.rules);
        match self {
            Self::Topic(id) => topics.push(id),
            Self::Keyword(word) => keywords.push(word),
            Self::Rule(rule) => rules.push(rule),
        }
        *into = Subjects::new(topics, keywords).with_rules(rules);
    }

    /// Whether it was there.
    fn take(&self, from: &mut Subjects) -> bool {
        let before = from.len();
        match self {
            Self::Topic(id) => from.topics.retain(|other| other != id),
            Self::Keyword(word) => from.keywords.retain(|other| other != word),
            Self::Rule(rule) => from.rules.retain(|other| other != rule),
        }
        from.len() < before
    }
}

/// One line of the list of what a place follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// What.
    pub item: Item,
    /// Whether it brings nothing until resumed.
    pub resting: bool,
}

/// Everything that a channel follows, in the order of the list that people see: topics, keywords, rules.
pub fn listed(channel: &Channel) -> Vec<Listed> {
    let of = |subjects: &Subjects, resting| {
        let topics = subjects.topics.iter().cloned().map(Item::Topic);
        let keywords = subjects.keywords.iter().cloned().map(Item::Keyword);
        let rules = subjects.rules.iter().cloned().map(Item::Rule);
        let items: Vec<Item> = topics.chain(keywords).chain(rules).collect();
        items.into_iter().map(move |item| Listed { item, resting })
    };
    let mut all: Vec<Listed> = of(&channel.settings.subjects, false)
        .chain(of(&channel.resting, true))
        .collect();
    // What rests keeps its place, or every press of a button would number the list anew.
    all.sort_by_cached_key(|listed| match &listed.item {
        Item::Topic(id) => (0, id.to_string()),
        Item::Keyword(word) => (1, word.clone()),
        Item::Rule(rule) => (2, rule.to_string()),
    });
    all
}

/// What following did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Followed {
    /// It is new; the place may be a channel only now.
    New {
        /// Whether this made the place a channel.
        channel: bool,
    },
    /// It rested and goes on.
    Again,
    /// It was followed before.
    Already,
}

/// There are [`MOST`] already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("at most {MOST} subscriptions fit into one place")]
pub struct TooMany;

/// Follows `item` in `place`. Where nothing was followed, the place becomes a channel with the settings of `fresh`, its first
/// digest begins with the latest mailing, and `person` owns it.
///
/// # Errors
/// Only when the store fails; that there are too many already is inside.
pub fn follow(
    store: &dyn Store,
    place: &Place,
    item: Item,
    fresh: &Settings,
    person: Option<&str>,
    now: DateTime<Utc>,
) -> Result<std::result::Result<(Channel, Followed), TooMany>> {
    let known = store.channel(place)?;
    let is_new = known.is_none();
    let mut channel = match known {
        Some(channel) => channel,
        None => Channel {
            place: place.clone(),
            next_due: None,
            settings: Settings {
                subjects: Subjects::default(),
                ..fresh.clone()
            },
            cursor: latest_window_start(store)?,
            last_fired: None,
            last_weekly: None,
            weekly_due: None,
            activity: Activity::Active,
            added_at: now,
            configured_as: None,
            configured_with: None,
            owner: person.map(str::to_owned),
            resting: Subjects::default(),
            mentions: Vec::new(),
        }
        .due_again(now),
    };
    if listed(&channel)
        .iter()
        .any(|listed| listed.item == item && !listed.resting)
    {
        return Ok(Ok((channel, Followed::Already)));
    }
    let rested = item.take(&mut channel.resting);
    if !rested && channel.settings.subjects.len() + channel.resting.len() >= MOST {
        return Ok(Err(TooMany));
    }
    item.put(&mut channel.settings.subjects);
    store.commit(vec![Write::Channel(Box::new(channel.clone()))])?;
    let followed = match rested {
        true => Followed::Again,
        false => Followed::New { channel: is_new },
    };
    Ok(Ok((channel, followed)))
}

/// What is done to something that is followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Revision {
    /// It brings nothing until resumed.
    Rest,
    /// It goes on.
    Wake,
    /// It is followed no more.
    Drop,
    /// This is followed in its place, also where it rested.
    Swap(Item),
}

/// Does this to what has this [`Item::mark`]. Returns the channel as it is now and the item as it was; `None` when the place
/// follows no such item.
///
/// # Errors
/// Only when the store fails.
pub fn revise(store: &dyn Store, place: &Place, mark: u64, revision: Revision) -> Result<Option<(Channel, Item)>> {
    let Some(mut channel) = store.channel(place)? else {
        return Ok(None);
    };
    let found = listed(&channel).into_iter().find(|listed| listed.item.mark() == mark);
    let Some(Listed { item, .. }) = found else {
        return Ok(None);
    };
    let subjects = &mut channel.settings.subjects;
    item.take(subjects);
    item.take(&mut channel.resting);
    let called = channel.mentions.iter().position(|(of, _)| *of == mark);
    let called = match revision {
        Revision::Rest | Revision::Wake => None,
        Revision::Drop | Revision::Swap(_) => called.map(|at| channel.mentions.remove(at)),
    };
    match revision {
        Revision::Rest => item.clone().put(&mut channel.resting),
        Revision::Wake => item.clone().put(subjects),
        Revision::Drop => {}
        Revision::Swap(other) => {
            other.take(&mut channel.resting);
            if let Some((_, who)) = called {
                set_call(&mut channel.mentions, other.mark(), Some(who));
            }
            other.put(subjects);
        }
    }
    store.commit(vec![Write::Channel(Box::new(channel.clone()))])?;
    Ok(Some((channel, item)))
}

/// The most subscriptions of one place that call somebody: what is said to them fits into one message.
pub const MOST_CALLS: usize = 10;

/// Lets the digests of a place call somebody for papers of what has this [`Item::mark`], or nobody any more. Returns the
/// item; `None` when the place follows no such item.
///
/// # Errors
/// Only when the store fails; that there are [`MOST_CALLS`] already is inside.
pub fn call(
    store: &dyn Store,
    place: &Place,
    mark: u64,
    who: Option<Mention>,
) -> Result<Option<std::result::Result<Item, TooMany>>> {
    let Some(mut channel) = store.channel(place)? else {
        return Ok(None);
    };
    let all = listed(&channel);
    // What is followed no more by the file's will calls nobody.
    channel
        .mentions
        .retain(|(of, _)| all.iter().any(|listed| listed.item.mark() == *of));
    let Some(Listed { item, .. }) = all.into_iter().find(|listed| listed.item.mark() == mark) else {
        return Ok(None);
    };
    set_call(&mut channel.mentions, mark, who);
    if channel.mentions.len() > MOST_CALLS {
        return Ok(Some(Err(TooMany)));
    }
    store.commit(vec![Write::Channel(Box::new(channel))])?;
    Ok(Some(Ok(item)))
}

fn set_call(mentions: &mut Vec<(u64, Mention)>, mark: u64, who: Option<Mention>) {
    mentions.retain(|(of, _)| *of != mark);
    mentions.extend(who.map(|who| (mark, who)));
    mentions.sort();
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{channel, news, october, paper, settings, take};
    use super::*;
    use crate::store::ModelStore;

    const HERE: &str = "telegram:-5";

    fn rule(text: &str) -> Item {
        Item::Rule(text.parse().unwrap())
    }

    fn follows(store: &ModelStore, item: Item) -> std::result::Result<Followed, TooMany> {
        let (place, now) = (HERE.parse().unwrap(), october(9, 12));
        let followed = follow(store, &place, item, &settings(), Some("1001"), now).unwrap();
        followed.map(|(_, followed)| followed)
    }

    fn revised(store: &ModelStore, item: &Item, revision: Revision) -> Option<Item> {
        let revised = revise(store, &HERE.parse().unwrap(), item.mark(), revision).unwrap();
        revised.map(|(now, was)| {
            assert_eq!(now, channel(store, HERE));
            was
        })
    }

    /// What the place follows, `(…)` where it rests.
    fn list(store: &ModelStore) -> Vec<String> {
        let shown = |listed: Listed| match listed.resting {
            true => format!("({})", listed.item.text()),
            false => listed.item.text(),
        };
        listed(&channel(store, HERE)).into_iter().map(shown).collect()
    }

    #[test]
    fn the_first_subscription_makes_a_channel_whose_first_digest_begins_with_the_latest_mailing() {
        let store = ModelStore::new();
        for (day, number) in [(7, 101), (8, 102)] {
            let papers = vec![paper(number, "GPUs", "")];
            take(&store, &day.to_string(), news(day, papers), october(day, 20));
        }
        assert_eq!(follows(&store, rule("gpu")), Ok(Followed::New { channel: true }));
        let made = channel(&store, HERE);
        assert_eq!((made.cursor, store.head()), (1, Ok(2)));
        assert_eq!(
            (made.next_due, made.owner.as_deref()),
            (Some(october(10, 9)), Some("1001"))
        );
        assert_eq!(follows(&store, rule("tpu")), Ok(Followed::New { channel: false }));
        assert_eq!(follows(&store, rule("gpu")), Ok(Followed::Already));
    }

    #[test]
    fn what_rests_keeps_its_place_and_goes_on_when_it_is_followed_again_or_replaced() {
        let store = ModelStore::new();
        for text in ["b", "c", "a"] {
            follows(&store, rule(text)).unwrap();
        }
        assert_eq!(revised(&store, &rule("b"), Revision::Rest), Some(rule("b")));
        assert_eq!(list(&store), ["a", "(b)", "c"]);
        assert_eq!(follows(&store, rule("b")), Ok(Followed::Again));
        revised(&store, &rule("b"), Revision::Rest);
        assert_eq!(revised(&store, &rule("b"), Revision::Swap(rule("c"))), Some(rule("b")));
        assert_eq!(list(&store), ["a", "c"], "one of two that are now the same");
        revised(&store, &rule("c"), Revision::Rest);
        assert_eq!(revised(&store, &rule("a"), Revision::Swap(rule("c"))), Some(rule("a")));
        assert_eq!(list(&store), ["c"], "what was just typed does not rest");
        assert_eq!(revised(&store, &rule("c"), Revision::Drop), Some(rule("c")));
        assert_eq!(revised(&store, &rule("c"), Revision::Drop), None);
    }

    #[test]
    fn a_place_follows_so_much_and_no_more_and_resting_makes_no_room() {
        let store = ModelStore::new();
        for n in 0..MOST {
            follows(&store, rule(&format!("word{n}"))).unwrap();
        }
        assert_eq!(follows(&store, rule("more")), Err(TooMany));
        revised(&store, &rule("word7"), Revision::Rest);
        assert_eq!(follows(&store, rule("more")), Err(TooMany));
        assert_eq!(follows(&store, rule("word7")), Ok(Followed::Again));
        assert_eq!(list(&store).len(), MOST);
    }
}
