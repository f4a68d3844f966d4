//! Channels come, change, move and go; what they follow and how far they have read stays with them.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use super::held;
use super::publish::woken;
use super::readable;
use crate::channel::{Activity, Channel, Place, Seq, Settings};
use crate::delivery::{Delivery, State};
use crate::source::ledger;
use crate::store::{Result, Store, Write};
use crate::subscription::Subjects;

/// A channel that the configuration file wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Where.
    pub place: Place,
    /// With which settings.
    pub settings: Settings,
}

/// How far the configuration is carried over into the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// For the running program, which the configuration is meant for: channels that it does not have any more fall silent,
    /// and paused ones are tried again.
    Whole,
    /// For a single command, which may have been given another file or none: channels are added and changed, no more.
    Additions,
}

/// Makes the stored channels those of the configuration: new ones begin with the latest mailing, known ones keep their
/// position and take the new settings, and those that the file no longer has fall silent but keep what they have. Channels
/// that never stood in a file are left alone. Returns the channels whose chat has moved away from the place that the file
/// names, with where they are now.
///
/// # Errors
/// Only when the store fails.
pub fn configure_channels(
    store: &dyn Store,
    wanted: &[Wanted],
    extent: Extent,
    now: DateTime<Utc>,
) -> Result<Vec<(Place, Place)>> {
    let begin = latest_window_start(store)?;
    // Only what the file has or had is read: most channels were added by their people.
    let (mut left, mut taken) = (BTreeSet::new(), BTreeSet::new());
    // Where the channels are now that the file knows under another name.
    let mut moved_to: BTreeMap<Place, Vec<Place>> = BTreeMap::new();
    for (named, place) in store.configured()? {
        if named != place {
            moved_to.entry(named).or_default().push(place.clone());
        }
        left.insert(place);
    }
    let mut writes = Vec::new();
    let mut moved = Vec::new();
    let mut configure = |wanted: &Wanted, found: Option<Channel>| -> Result<()> {
        let channel = match found {
            Some(known) => {
                if known.place != wanted.place {
                    moved.push((wanted.place.clone(), known.place.clone()));
                }
                let mut configured = configured(&known, wanted, extent, now);
                if let (Activity::Paused { since, .. } | Activity::Absent { since }, Activity::Active) =
                    (&known.activity, &configured.activity)
                {
                    configured = woken(store, configured, *since, now)?;
                }
                if configured == known {
                    return Ok(());
                }
                configured
            }
            None => Channel {
                place: wanted.place.clone(),
                next_due: None,
                settings: wanted.settings.clone(),
                cursor: begin,
                last_fired: None,
                last_weekly: None,
                weekly_due: None,
                activity: Activity::Active,
                added_at: now,
                configured_as: Some(wanted.place.clone()),
                configured_with: Some(wanted.settings.clone()),
                owner: None,
                resting: Subjects::default(),
                mentions: Vec::new(),
            }
            .due_again(now),
        };
        writes.push(Write::Channel(Box::new(channel)));
        Ok(())
    };
    // A place in its own name goes before a place that its chat has left.
    let mut then = Vec::new();
    for wanted in wanted {
        match readable(store.channel(&wanted.place))? {
            Some(known) => {
                left.remove(&known.place);
                taken.insert(known.place.clone());
                configure(wanted, Some(known))?;
            }
            None => then.push(wanted),
        }
    }
    for wanted in then {
        let mut found = None;
        for place in moved_to.get(&wanted.place).into_iter().flatten() {
            if found.is_none() && !taken.contains(place) {
                found = readable(store.channel(place))?;
            }
        }
        if let Some(found) = &found {
            left.remove(&found.place);
            taken.insert(found.place.clone());
        }
        configure(wanted, found)?;
    }
    match extent {
        Extent::Additions => {}
        Extent::Whole => {
            for place in left {
                if let Some(channel) = readable(store.channel(&place))?
                    && !matches!(channel.activity, Activity::Absent { .. })
                {
                    let activity = Activity::Absent { since: now };
                    writes.push(Write::Channel(Box::new(Channel { activity, ..channel })));
                }
            }
        }
    }
    if !writes.is_empty() {
        store.commit(writes)?;
    }
    Ok(moved)
}

/// A known channel as the file wants it.
fn configured(known: &Channel, wanted: &Wanted, extent: Extent, now: DateTime<Utc>) -> Channel {
    let settings = merged(known, &wanted.settings);
    let same_zone = known.settings.timezone == settings.timezone;
    let same_times = same_zone && known.settings.schedule == settings.schedule;
    let same_weekly = same_zone && known.settings.weekly == settings.weekly;
    let activity = match (&known.activity, extent) {
        (Activity::Active | Activity::Absent { .. }, _) | (Activity::Paused { .. }, Extent::Whole) => Activity::Active,
        (Activity::Paused { .. }, Extent::Additions) | (Activity::Snoozed { .. }, _) => known.activity.clone(),
    };
    // An occurrence that was missed before the start stays due.
    let same_activity = known.activity == activity;
    let channel = Channel {
        settings,
        activity,
        configured_as: Some(wanted.place.clone()),
        configured_with: Some(wanted.settings.clone()),
        ..known.clone()
    };
    let again = channel.due_again(known.last_fired.unwrap_or(known.added_at).max(now));
    let kept = |same: bool, was, is| if same && same_activity { was } else { is };
    Channel {
        next_due: kept(same_times, known.next_due, again.next_due),
        weekly_due: kept(same_weekly, known.weekly_due, again.weekly_due),
        ..again
    }
}

/// What a known channel has after the file was read: where the file says something else than it did when it was last read,
/// that counts; what people changed in the channel stays otherwise. So neither undoes what the other did later.
fn merged(known: &Channel, file: &Settings) -> Settings {
    let now = &known.settings;
    let (last, mine) = match (&known.configured_with, &known.configured_as) {
        (Some(last), _) => (last.clone(), now.clone()),
        // Before changes in the channel were possible, it had what the file said.
        (None, Some(_)) => (now.clone(), now.clone()),
        // The file has it for the first time: it decides, and what people follow stays.
        (None, None) => {
            let subjects = Subjects::default();
            let mine = Settings {
                subjects: now.subjects.clone(),
                ..file.clone()
            };
            (
                Settings {
                    subjects,
                    ..file.clone()
                },
                mine,
            )
        }
    };
    fn later<T: Clone + PartialEq>(mine: &T, last: &T, file: &T) -> T {
        if file == last { mine.clone() } else { file.clone() }
    }
    fn members<T: Clone + PartialEq>(mine: &[T], last: &[T], file: &[T]) -> Vec<T> {
        let kept = mine.iter().filter(|one| !last.contains(one) || file.contains(one));
        let added = file.iter().filter(|one| !last.contains(one));
        kept.chain(added).cloned().collect()
    }
    let (a, b, c) = (&mine.subjects, &last.subjects, &file.subjects);
    Settings {
        subjects: Subjects::new(
            members(&a.topics, &b.topics, &c.topics),
            members(&a.keywords, &b.keywords, &c.keywords),
        )
        .with_rules(members(&a.rules, &b.rules, &c.rules)),
        schedule: later(&mine.schedule, &last.schedule, &file.schedule),
        timezone: later(&mine.timezone, &last.timezone, &file.timezone),
        language: later(&mine.language, &last.language, &file.language),
        when_empty: later(&mine.when_empty, &last.when_empty, &file.when_empty),
        style: later(&mine.style, &last.style, &file.style),
        missed: later(&mine.missed, &last.missed, &file.missed),
        weekly: later(&mine.weekly, &last.weekly, &file.weekly),
    }
}

/// Before the first paper of the mailing that ends last (of another window where no mailing brought any): what a new channel's
/// first digest shows. Where only reports came, it shows all of them.
pub(super) fn latest_window_start(store: &dyn Store) -> Result<Seq> {
    let mut windows = store.windows()?;
    windows.retain(|w| w.upto > w.since);
    let latest = ledger::leading(&windows).max_by_key(|w| (w.window.to, w.since));
    Ok(latest.map_or(0, |window| window.since))
}

/// Gives a channel a new place; settings, position, history and waiting digests go with it. A new place that is a channel
/// already keeps its own settings and position, and a digest that it has itself is not brought a second time.
///
/// # Errors
/// Only when the store fails.
pub fn move_channel(store: &dyn Store, from: &Place, to: &Place) -> Result<()> {
    if from == to {
        return Ok(());
    }
    // One commit for all: a digest that a crash left behind at the old place would be overtaken by the next one at the new.
    let mut writes = Vec::new();
    if let Some(channel) = readable(store.channel(from))? {
        writes.push(Write::RemoveChannel(from.clone()));
        if readable(store.channel(to))?.is_none() {
            writes.push(Write::Channel(Box::new(Channel {
                place: to.clone(),
                ..channel
            })));
        }
    }
    for delivery in store.deliveries(from, None, usize::MAX)? {
        writes.push(Write::RemoveDelivery(delivery.id.clone()));
        let moved = moved(delivery, to);
        if store.delivery(&moved.id)?.is_none() {
            writes.push(Write::Delivery(Box::new(moved)));
        }
    }
    writes.extend(held::moved(store, from, to)?);
    if writes.is_empty() {
        return Ok(());
    }
    store.commit(writes)
}

/// As [`move_channel`], for whoever hears of a move from elsewhere than from sending. Does nothing and returns `false` while
/// a delivery to the old place is claimed: its sender settles it under that name, and would have to leave open whether
/// what is on the wire arrived. Ask again then; with its next part the sender hears of the move itself.
///
/// # Errors
/// Only when the store fails.
pub fn follow_chat(store: &dyn Store, from: &Place, to: &Place, now: DateTime<Utc>) -> Result<bool> {
    let claimed = |delivery: &Delivery| match delivery.state {
        State::Leased { until } => until > now,
        State::Available { .. } | State::Sent { .. } | State::Discarded { .. } => false,
    };
    if store.deliveries(from, None, usize::MAX)?.iter().any(claimed) {
        return Ok(false);
    }
    move_channel(store, from, to)?;
    Ok(true)
}

fn moved(mut delivery: Delivery, to: &Place) -> Delivery {
    delivery.id.place = to.clone();
    delivery
}

/// A channel that was paused, since it could not be written to, gets digests again; what it missed becomes what it has
/// chosen. Returns whether it was paused. A pause that its people asked for stays: anybody may type `/start`, and only
/// [`super::Setting::Resume`] ends such a pause early.
///
/// # Errors
/// Only when the store fails.
pub fn resume_channel(store: &dyn Store, place: &Place, now: DateTime<Utc>) -> Result<bool> {
    let Some(channel) = store.channel(place)? else {
        return Ok(false);
    };
    match channel.activity {
        Activity::Active | Activity::Snoozed { .. } | Activity::Absent { .. } => Ok(false),
        Activity::Paused { since, .. } => {
            let channel = woken(store, channel, since, now)?;
            store.commit(vec![Write::Channel(Box::new(channel))])?;
            Ok(true)
        }
    }
}

/// Remembers `person` as the one who set the channel up, unless somebody is known already. A channel that comes from the
/// configuration has nobody until then. Returns whether it is this person now who was nobody before.
///
/// # Errors
/// Only when the store fails.
pub fn adopt_channel(store: &dyn Store, place: &Place, person: &str) -> Result<bool> {
    match store.channel(place)? {
        Some(channel) if channel.owner.is_none() => {
            let owner = Some(person.to_owned());
            store.commit(vec![Write::Channel(Box::new(Channel { owner, ..channel }))])?;
            Ok(true)
        }
        Some(_) | None => Ok(false),
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{
        Counting, back, channel, claims, news, october, paper, report, reported, sent, settings, take, topic, wanted,
    };
    use super::super::publish_now;
    use super::*;
    use crate::channel::Platform;
    use crate::locale::Lang;
    use crate::schedule::Schedule;
    use crate::store::ModelStore;

    const HERE: &str = "telegram:-5";
    const THERE: &str = "telegram:-1005";

    fn place(text: &str) -> Place {
        text.parse().unwrap()
    }

    #[test]
    fn a_new_channel_begins_with_the_latest_mailing() {
        let store = ModelStore::new();
        take(&store, "r", report(vec![reported("On pruning", "")]), october(8, 20));
        configure_channels(
            &store,
            &[wanted("web:early", settings())],
            Extent::Whole,
            october(8, 21),
        )
        .unwrap();
        take(
            &store,
            "a",
            news(9, vec![paper(1, "A", ""), paper(2, "B", "")]),
            october(9, 20),
        );
        take(&store, "b", news(10, vec![paper(3, "C", "")]), october(10, 20));
        take(
            &store,
            "nothing new",
            news(11, vec![paper(3, "C", "")]),
            october(11, 20),
        );
        configure_channels(
            &store,
            &[wanted("web:early", settings()), wanted(HERE, settings())],
            Extent::Whole,
            october(12, 0),
        )
        .unwrap();
        assert_eq!(channel(&store, "web:early").cursor, 0);
        let new = channel(&store, HERE);
        assert_eq!(
            (new.cursor, new.last_fired, new.next_due),
            (3, None, Some(october(12, 9)))
        );
        assert!(new.configured_as == Some(place(HERE)) && new.activity == Activity::Active);
    }

    #[test]
    fn new_settings_keep_the_position_and_what_is_due() {
        let store = ModelStore::new();
        configure_channels(&store, &[wanted(HERE, settings())], Extent::Whole, october(9, 0)).unwrap();
        let read = Channel {
            cursor: 7,
            last_fired: Some(october(9, 9)),
            next_due: Some(october(10, 9)),
            ..channel(&store, HERE)
        };
        store.commit(vec![Write::Channel(Box::new(read.clone()))]).unwrap();
        let chinese = Settings {
            language: Lang::Zh,
            ..settings()
        };
        // It was off at nine: still due.
        configure_channels(&store, &[wanted(HERE, chinese.clone())], Extent::Whole, october(10, 12)).unwrap();
        let changed = channel(&store, HERE);
        assert_eq!((changed.cursor, changed.last_fired), (7, Some(october(9, 9))));
        assert_eq!(
            (changed.next_due, changed.settings.language),
            (Some(october(10, 9)), Lang::Zh)
        );
        // A round-up of which the file has not heard before moves nothing else.
        let friday = Settings {
            weekly: Schedule::parse("0 17 * * 5").ok(),
            ..chinese
        };
        configure_channels(&store, &[wanted(HERE, friday.clone())], Extent::Whole, october(10, 12)).unwrap();
        let changed = channel(&store, HERE);
        assert_eq!(
            (changed.next_due, changed.weekly_due, changed.due()),
            (Some(october(10, 9)), Some(october(10, 17)), Some(october(10, 9)))
        );
        let later = Settings {
            schedule: Some(Schedule::parse("0 10 * * *").unwrap()),
            ..friday
        };
        configure_channels(&store, &[wanted(HERE, later.clone())], Extent::Whole, october(10, 12)).unwrap();
        let changed = channel(&store, HERE);
        assert_eq!(
            (changed.next_due, changed.weekly_due),
            (Some(october(11, 10)), Some(october(10, 17)))
        );
        let never = Settings {
            schedule: None,
            ..later
        };
        configure_channels(&store, &[wanted(HERE, never)], Extent::Whole, october(10, 12)).unwrap();
        assert_eq!(
            (channel(&store, HERE).next_due, channel(&store, HERE).cursor),
            (None, 7)
        );
    }

    #[test]
    fn a_channel_that_leaves_the_file_falls_silent_and_goes_on_where_it_was_when_it_returns() {
        let store = ModelStore::new();
        let both = [wanted(HERE, settings()), wanted("web:lobby", settings())];
        configure_channels(&store, &both, Extent::Whole, october(9, 0)).unwrap();
        let by_command = Channel {
            configured_as: None,
            ..channel(&store, "web:lobby")
        };
        let read = Channel {
            cursor: 7,
            ..channel(&store, HERE)
        };
        let writes = [&by_command, &read]
            .map(|c| Write::Channel(Box::new(c.clone())))
            .to_vec();
        store.commit(writes).unwrap();
        configure_channels(&store, &[], Extent::Additions, october(9, 1)).unwrap();
        assert_eq!(channel(&store, HERE), read);
        configure_channels(&store, &[], Extent::Whole, october(9, 2)).unwrap();
        assert_eq!(
            channel(&store, HERE).activity,
            Activity::Absent { since: october(9, 2) }
        );
        assert_eq!(channel(&store, "web:lobby"), by_command);
        assert_eq!(store.channels_due(october(30, 0), 9).unwrap(), [by_command]);
        configure_channels(&store, &both, Extent::Additions, october(11, 10)).unwrap();
        let back = channel(&store, HERE);
        assert_eq!(
            (back.activity, back.cursor, back.next_due),
            (Activity::Active, 7, Some(october(12, 9)))
        );
    }

    #[test]
    fn a_start_tries_a_paused_channel_again_and_a_single_command_does_not() {
        let store = ModelStore::new();
        let here = [wanted(HERE, settings())];
        configure_channels(&store, &here, Extent::Whole, october(9, 0)).unwrap();
        let activity = Activity::Paused {
            reason: "kicked".to_owned(),
            since: october(9, 1),
        };
        let paused = Channel {
            activity,
            ..channel(&store, HERE)
        };
        store.commit(vec![Write::Channel(Box::new(paused.clone()))]).unwrap();
        configure_channels(&store, &here, Extent::Additions, october(10, 0)).unwrap();
        assert_eq!(channel(&store, HERE), paused);
        configure_channels(&store, &here, Extent::Whole, october(10, 0)).unwrap();
        assert_eq!(channel(&store, HERE).activity, Activity::Active);
    }

    #[test]
    fn a_channel_whose_chat_moved_stays_the_one_that_the_file_means() {
        let store = ModelStore::new();
        let here = [wanted(HERE, settings())];
        configure_channels(&store, &here, Extent::Whole, october(9, 0)).unwrap();
        move_channel(&store, &place(HERE), &place(THERE)).unwrap();
        let moved = configure_channels(&store, &here, Extent::Whole, october(9, 1)).unwrap();
        assert_eq!(moved, [(place(HERE), place(THERE))]);
        assert_eq!(store.channels().unwrap().len(), 1);
        let there = [wanted(THERE, settings())];
        let moved = configure_channels(&store, &there, Extent::Whole, october(9, 2)).unwrap();
        assert_eq!(moved, []);
        assert_eq!(channel(&store, THERE).configured_as, Some(place(THERE)));
        assert_eq!(store.channels().unwrap().len(), 1);
    }

    /// A channel with one sent and one waiting digest.
    fn with_history(store: &ModelStore, at_place: &str) {
        for (day, id) in [(9, 1), (10, 2)] {
            take(
                store,
                &format!("{day}"),
                news(day, vec![paper(id, "On pruning", "")]),
                october(day, 20),
            );
            let reader = channel(store, at_place);
            publish_now(store, &[topic()], &Counting::default(), vec![reader], october(day, 21)).unwrap();
        }
        let mut deliveries = store.deliveries(&place(at_place), None, 9).unwrap();
        let held = deliveries.pop().unwrap().claim(None, october(9, 21));
        let settled = crate::delivery::settle(held, sent("71"), crate::delivery::UncertainPolicy::Skip, october(9, 22));
        store.commit(vec![Write::Delivery(Box::new(settled.delivery))]).unwrap();
    }

    #[test]
    fn a_channel_moves_with_all_it_has() {
        let store = ModelStore::new();
        configure_channels(&store, &[wanted(HERE, settings())], Extent::Whole, october(9, 0)).unwrap();
        with_history(&store, HERE);
        let (before, of_before) = (channel(&store, HERE), store.deliveries(&place(HERE), None, 9).unwrap());
        move_channel(&store, &place(HERE), &place(THERE)).unwrap();
        let expected = Channel {
            place: place(THERE),
            ..before
        };
        assert_eq!(store.channels(), Ok(vec![expected]));
        let moved: Vec<Delivery> = of_before.into_iter().map(|d| moved(d, &place(THERE))).collect();
        assert_eq!(store.deliveries(&place(THERE), None, 9), Ok(moved.clone()));
        assert_eq!(store.deliveries(&place(HERE), None, 9), Ok(vec![]));
        assert_eq!(
            store.digest_of_message(&place(THERE), "71"),
            Ok(Some(moved[1].id.digest))
        );
        assert_eq!(
            store.due(Platform::Telegram, october(30, 0), 9),
            Ok(vec![moved[0].clone()])
        );
        let all = store.channels();
        move_channel(&store, &place(THERE), &place(THERE)).unwrap();
        move_channel(&store, &place("web:nowhere"), &place(THERE)).unwrap();
        assert_eq!(store.channels(), all);
    }

    #[test]
    fn a_chat_that_moves_while_it_is_sent_to_is_followed_once_that_is_settled() {
        let store = ModelStore::new();
        configure_channels(&store, &[wanted(HERE, settings())], Extent::Whole, october(9, 0)).unwrap();
        take(&store, "a", news(9, vec![paper(1, "On pruning", "")]), october(9, 20));
        let now = october(9, 21);
        publish_now(
            &store,
            &[topic()],
            &Counting::default(),
            vec![channel(&store, HERE)],
            now,
        )
        .unwrap();
        let mut held = claims(&store, now).remove(0).delivery;
        let follow = |now| follow_chat(&store, &place(HERE), &place(THERE), now);
        while !held.is_finished() {
            assert_eq!(follow(now), Ok(false));
            back(&store, &held.id, sent("71"), now);
            held = store.delivery(&held.id).unwrap().unwrap();
        }
        assert_eq!(follow(now), Ok(true));
        assert_eq!(store.deliveries(&place(HERE), None, 9), Ok(vec![]));
        assert_eq!(
            store.deliveries(&place(THERE), None, 9),
            Ok(vec![moved(held, &place(THERE))])
        );
    }

    #[test]
    fn a_place_that_is_a_channel_already_keeps_its_own_and_posts_nothing_twice() {
        let store = ModelStore::new();
        configure_channels(
            &store,
            &[wanted(HERE, settings()), wanted(THERE, settings())],
            Extent::Whole,
            october(9, 0),
        )
        .unwrap();
        let both = |store: &ModelStore| vec![channel(store, HERE), channel(store, THERE)];
        take(&store, "a", news(9, vec![paper(1, "On pruning", "")]), october(9, 20));
        publish_now(&store, &[topic()], &Counting::default(), both(&store), october(9, 21)).unwrap();
        let [own] = store.deliveries(&place(THERE), None, 9).unwrap().try_into().unwrap();
        let own = Delivery {
            state: State::Sent { at: october(9, 22) },
            message_ids: vec!["71".to_owned()],
            ..own
        };
        let there = channel(&store, THERE);
        store.commit(vec![Write::Delivery(Box::new(own.clone()))]).unwrap();
        move_channel(&store, &place(HERE), &place(THERE)).unwrap();
        assert_eq!(store.channels(), Ok(vec![there]));
        assert_eq!(store.deliveries(&place(THERE), None, 9), Ok(vec![own]));
        assert_eq!(store.unfinished(9), Ok(vec![]));
    }

    #[test]
    fn resuming_is_for_paused_channels_alone() {
        let store = ModelStore::new();
        assert_eq!(resume_channel(&store, &place(HERE), october(9, 0)), Ok(false));
        configure_channels(&store, &[wanted(HERE, settings())], Extent::Whole, october(9, 0)).unwrap();
        let active = channel(&store, HERE);
        assert_eq!(resume_channel(&store, &place(HERE), october(12, 0)), Ok(false));
        let paused = Channel {
            activity: Activity::Paused {
                reason: "kicked".to_owned(),
                since: october(9, 9),
            },
            ..active.clone()
        };
        store.commit(vec![Write::Channel(Box::new(paused))]).unwrap();
        assert_eq!(resume_channel(&store, &place(HERE), october(12, 10)), Ok(true));
        let resumed = Channel {
            next_due: Some(october(13, 9)),
            ..active
        };
        assert_eq!(channel(&store, HERE), resumed);
    }

    #[test]
    fn whoever_comes_first_owns_a_channel_and_does_so_after_a_move_and_a_restart() {
        let store = ModelStore::new();
        assert_eq!(adopt_channel(&store, &place(HERE), "1001"), Ok(false));
        let file = [wanted(HERE, settings())];
        configure_channels(&store, &file, Extent::Whole, october(9, 0)).unwrap();
        assert_eq!(channel(&store, HERE).owner, None);
        assert_eq!(adopt_channel(&store, &place(HERE), "1001"), Ok(true));
        assert_eq!(adopt_channel(&store, &place(HERE), "2002"), Ok(false));
        move_channel(&store, &place(HERE), &place(THERE)).unwrap();
        configure_channels(&store, &file, Extent::Whole, october(10, 0)).unwrap();
        assert_eq!(channel(&store, THERE).owner.as_deref(), Some("1001"));
    }
}
