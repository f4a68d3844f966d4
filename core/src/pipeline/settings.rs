//! What people change about their channel while it runs: one setting at a time, read, changed and written in one commit.
//! Of two who change the same at once the later one wins, and each hears what was replaced.

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;

use super::publish::woken;
use crate::channel::{Activity, Channel, Missed, Place, Style};
use crate::locale::Lang;
use crate::schedule::Schedule;
use crate::store::{Result, Store, Write};

/// A setting with its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Setting {
    /// When digests are due; `None` posts only on request.
    Schedule(Option<Schedule>),
    /// When round-ups of the week are due; `None` for none.
    Weekly(Option<Schedule>),
    /// The zone of the schedule and of dates.
    Timezone(Tz),
    /// What becomes of occurrences that were missed.
    Missed(Missed),
    /// The language of everything.
    Language(Lang),
    /// How much of each paper.
    Style(Style),
    /// No digests for a while. What is on its way already still arrives.
    Pause {
        /// When it ends by itself; `None` is until somebody says so. Must not lie in the past.
        until: Option<DateTime<Utc>>,
        /// The platform's id of the person who wants it.
        by: String,
    },
    /// No pause any more, whoever began it: the channel's people, or the platform that could not be written to.
    Resume,
}

impl Setting {
    /// What the channel has in the place of this.
    fn of(&self, channel: &Channel) -> Self {
        let settings = &channel.settings;
        match self {
            Self::Schedule(_) => Self::Schedule(settings.schedule.clone()),
            Self::Weekly(_) => Self::Weekly(settings.weekly.clone()),
            Self::Timezone(_) => Self::Timezone(settings.timezone),
            Self::Missed(_) => Self::Missed(settings.missed),
            Self::Language(_) => Self::Language(settings.language),
            Self::Style(_) => Self::Style(settings.style),
            Self::Pause { .. } | Self::Resume => match &channel.activity {
                Activity::Snoozed { until, by, .. } => Self::Pause {
                    until: *until,
                    by: by.clone(),
                },
                Activity::Active | Activity::Paused { .. } | Activity::Absent { .. } => Self::Resume,
            },
        }
    }
}

/// A change that was made, or needed none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    /// The channel as it is now.
    pub channel: Channel,
    /// What it had before.
    pub was: Setting,
    /// What it has now; equal to `was` where nothing had to be done.
    pub is: Setting,
}

/// Why a setting cannot be changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Nothing is posted there.
    #[error("{0} is no channel yet")]
    NoChannel(Place),
    /// The configuration file had it and does not any more; the channel has fallen silent.
    #[error("{0} was taken out of the configuration file, and nothing is posted there until it is put back")]
    Absent(Place),
}

/// Gives the channel at `place` this setting; when it is next due follows. A new schedule or zone counts from `now`:
/// neither becomes an occurrence of the new one in the past one that was missed.
///
/// In a channel of the configuration file it stays until the file says something else than it does now. A channel that
/// resumes before its pause
/// is over gets what its [`Missed`] says for the time of the pause.
///
/// # Errors
/// Only when the store fails; a refusal is inside.
pub fn change(
    store: &dyn Store,
    place: &Place,
    setting: Setting,
    now: DateTime<Utc>,
) -> Result<std::result::Result<Changed, Refused>> {
    let Some(channel) = store.channel(place)? else {
        return Ok(Err(Refused::NoChannel(place.clone())));
    };
    match &channel.activity {
        Activity::Absent { .. } => return Ok(Err(Refused::Absent(place.clone()))),
        Activity::Active | Activity::Paused { .. } | Activity::Snoozed { .. } => {}
    }
    let was = setting.of(&channel);
    let changed = changed(store, channel.clone(), setting.clone(), now)?;
    if changed != channel {
        store.commit(vec![Write::Channel(Box::new(changed.clone()))])?;
    }
    Ok(Ok(Changed {
        is: setting.of(&changed),
        channel: changed,
        was,
    }))
}

fn changed(store: &dyn Store, mut channel: Channel, setting: Setting, now: DateTime<Utc>) -> Result<Channel> {
    if setting == setting.of(&channel) && !matches!(setting, Setting::Resume) {
        return Ok(channel);
    }
    match setting {
        Setting::Schedule(schedule) => {
            channel.settings.schedule = schedule;
            Ok(channel.due_again(now))
        }
        Setting::Weekly(weekly) => {
            // What is due of the digest stays so.
            let next_due = channel.next_due;
            channel.settings.weekly = weekly;
            Ok(Channel {
                next_due,
                ..channel.due_again(now)
            })
        }
        Setting::Timezone(timezone) => {
            channel.settings.timezone = timezone;
            Ok(channel.due_again(now))
        }
        Setting::Missed(missed) => {
            channel.settings.missed = missed;
            Ok(channel)
        }
        Setting::Language(language) => {
            channel.settings.language = language;
            Ok(channel)
        }
        Setting::Style(style) => {
            channel.settings.style = style;
            Ok(channel)
        }
        Setting::Pause { until, by } => {
            // What was due before the pause, or since an earlier one, is missed by it too.
            let since = match (&channel.activity, channel.next_due) {
                (Activity::Snoozed { since, .. } | Activity::Paused { since, .. }, _) => *since,
                (Activity::Active | Activity::Absent { .. }, Some(due)) => now.min(due - TimeDelta::nanoseconds(1)),
                (Activity::Active | Activity::Absent { .. }, None) => now,
            };
            channel.activity = Activity::Snoozed { until, since, by };
            Ok(channel.due_again(now))
        }
        Setting::Resume => match channel.activity {
            Activity::Snoozed { since, .. } | Activity::Paused { since, .. } => woken(store, channel, since, now),
            Activity::Active | Activity::Absent { .. } => Ok(channel),
        },
    }
}

/// The next times at which the channel gets a digest, in its zone; fewer than `most` where the schedule ends or nobody
/// knows when a pause will.
pub fn upcoming(channel: &Channel, now: DateTime<Utc>, most: usize) -> Vec<DateTime<Tz>> {
    let next = |after: &DateTime<Utc>| channel.due_after(*after);
    std::iter::successors(next(&now), next)
        .take(most)
        .map(|at| at.with_timezone(&channel.settings.timezone))
        .collect()
}

impl Refused {
    /// The same for people.
    pub fn says(&self, lang: Lang) -> String {
        match self {
            Self::NoChannel(place) => lang.pick(
                format!("{place} 还不是频道：先用 /subscribe 订阅。"),
                format!("{place} is no channel yet: /subscribe to something first."),
            ),
            Self::Absent(place) => lang.pick(
                format!("{place} 已从配置文件中移除，不再推送；放回文件并重启程序即可继续。"),
                format!(
                    "{place} was taken out of the configuration file: put it back and start the program again, and digests \
                     go on where they were."
                ),
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono_tz::Europe::Berlin;

    use super::super::fixture::{add_channel, channel, october, settings, take, topic};
    use super::super::fixture::{news, paper};
    use super::super::{Extent, configure_channels, fixture, resume_channel};
    use super::*;
    use crate::channel::Settings;
    use crate::pipeline;
    use crate::store::ModelStore;
    use crate::subscription::Subjects;

    const HERE: &str = "telegram:-5";

    fn place() -> Place {
        HERE.parse().unwrap()
    }

    /// A channel that nobody wrote into a file.
    fn newsroom(missed: Missed) -> ModelStore {
        let store = ModelStore::new();
        let channel = Channel {
            configured_as: None,
            ..add_channel(&store, HERE, Settings { missed, ..settings() }, october(9, 12))
        };
        store.commit(vec![Write::Channel(Box::new(channel))]).unwrap();
        store
    }

    fn done(store: &ModelStore, setting: Setting, now: DateTime<Utc>) -> Changed {
        let changed = change(store, &place(), setting, now).unwrap().unwrap();
        assert_eq!(channel(store, HERE), changed.channel);
        changed
    }

    fn schedule(text: &str) -> Setting {
        Setting::Schedule(Some(Schedule::parse(text).unwrap()))
    }

    fn pause(until: Option<DateTime<Utc>>) -> Setting {
        let by = "1001".to_owned();
        Setting::Pause { until, by }
    }

    #[test]
    fn a_change_says_what_it_replaced_and_moves_what_is_due() {
        let store = newsroom(Missed::Merge);
        let changed = done(&store, schedule("0 18 * * 1-5"), october(9, 13));
        assert_eq!(
            (changed.was, changed.is),
            (schedule("0 9 * * *"), schedule("0 18 * * 1-5"))
        );
        assert_eq!(changed.channel.next_due, Some(october(9, 18)));
        // Of two who change it, the second replaces what the first wrote.
        let second = done(&store, schedule("0 10 * * *"), october(9, 14));
        assert_eq!(
            (second.was, second.channel.next_due),
            (schedule("0 18 * * 1-5"), Some(october(10, 10)))
        );
        let zone = done(&store, Setting::Timezone(Berlin), october(9, 14));
        assert_eq!(
            (zone.was, zone.channel.next_due),
            (Setting::Timezone(Tz::UTC), Some(october(10, 8)))
        );
        assert_eq!(
            done(&store, Setting::Schedule(None), october(9, 15)).channel.next_due,
            None
        );
        let friday = Setting::Weekly(Schedule::parse("0 17 * * 5").ok());
        let weekly = done(&store, friday.clone(), october(9, 15));
        assert_eq!(
            (weekly.was, weekly.channel.weekly_due, weekly.channel.next_due),
            (Setting::Weekly(None), Some(october(10, 15)), None)
        );
        let off = done(&store, Setting::Weekly(None), october(9, 15));
        assert_eq!((off.was, off.channel.due()), (friday, None));
        for setting in [
            Setting::Missed(Missed::Replay),
            Setting::Language(Lang::Zh),
            Setting::Style(Style::Full),
        ] {
            let changed = done(&store, setting.clone(), october(9, 15));
            assert!(changed.was != setting && changed.is == setting, "{changed:?}");
            let again = done(&store, setting.clone(), october(9, 16));
            assert_eq!((again.was, again.channel), (setting, changed.channel));
        }
    }

    #[test]
    fn what_was_changed_in_a_channel_of_the_file_stays_until_the_file_says_something_else() {
        let store = ModelStore::new();
        let file = |settings: Settings| [fixture::wanted(HERE, settings)];
        let start = |settings: Settings, day| {
            configure_channels(&store, &file(settings), Extent::Whole, october(day, 0)).unwrap();
            channel(&store, HERE).settings
        };
        start(settings(), 9);
        let changed = done(&store, Setting::Language(Lang::Zh), october(9, 1));
        assert_eq!(changed.was, Setting::Language(Lang::En));
        done(&store, schedule("0 18 * * *"), october(9, 1));
        let again = start(settings(), 10);
        assert_eq!(Setting::Schedule(again.schedule.clone()), schedule("0 18 * * *"));
        assert_eq!(again.language, Lang::Zh);
        // The file is edited later than the channel was: that line counts, the others do not.
        let noon = Schedule::parse("0 12 * * *").ok();
        let edited = Settings {
            schedule: noon.clone(),
            ..settings()
        };
        let now = start(edited, 11);
        assert_eq!((now.schedule, now.language), (noon, Lang::Zh));
    }

    #[test]
    fn what_people_follow_and_what_the_file_wants_are_both_followed() {
        let store = ModelStore::new();
        let start = |keywords: &[&str], day| {
            let settings = Settings {
                subjects: Subjects::new([], keywords.iter().map(|word| (*word).to_owned())),
                ..settings()
            };
            configure_channels(
                &store,
                &[fixture::wanted(HERE, settings)],
                Extent::Whole,
                october(day, 0),
            )
            .unwrap();
            channel(&store, HERE).settings.subjects
        };
        start(&["rust", "gpu"], 9);
        let rule: crate::rule::Rule = "kv cache".parse().unwrap();
        let follow = |item| pipeline::follow(&store, &place(), item, &settings(), None, october(9, 1));
        follow(pipeline::Item::Rule(rule.clone())).unwrap().unwrap();
        let gpu = pipeline::Item::Keyword("gpu".to_owned()).mark();
        pipeline::revise(&store, &place(), gpu, pipeline::Revision::Drop).unwrap();
        let followed = |keywords: &[&str]| {
            Subjects::new([], keywords.iter().map(|word| (*word).to_owned())).with_rules([rule.clone()])
        };
        // What people dropped stays dropped, though the file still has it.
        assert_eq!(start(&["rust", "gpu"], 10), followed(&["rust"]));
        assert_eq!(start(&["gpu", "tpu"], 11), followed(&["tpu"]));
    }

    #[test]
    fn a_channel_of_the_file_can_be_paused_and_stays_so() {
        let store = ModelStore::new();
        let file = [fixture::wanted(HERE, settings())];
        configure_channels(&store, &file, Extent::Whole, october(9, 0)).unwrap();
        let paused = done(&store, pause(None), october(9, 1)).channel;
        assert_eq!(paused.next_due, None);
        // A start of the program and a `/start` leave it as it is.
        configure_channels(&store, &file, Extent::Whole, october(10, 0)).unwrap();
        assert_eq!(resume_channel(&store, &place(), october(10, 0)), Ok(false));
        assert_eq!(channel(&store, HERE), paused);
        configure_channels(&store, &[], Extent::Whole, october(11, 0)).unwrap();
        let absent = change(&store, &place(), Setting::Resume, october(11, 1)).unwrap();
        assert_eq!(absent, Err(Refused::Absent(place())));
        let nowhere: Place = "web:nowhere".parse().unwrap();
        let none = change(&store, &nowhere, Setting::Resume, october(11, 1)).unwrap();
        assert_eq!(none, Err(Refused::NoChannel(nowhere)));
    }

    #[test]
    fn a_pause_is_replaced_and_ended_and_what_it_swallowed_becomes_what_was_chosen() {
        for (missed, due, cursor) in [
            (Missed::Merge, october(13, 9), 0),
            (Missed::Skip, october(13, 9), 2),
            (Missed::Replay, october(10, 9), 0),
        ] {
            let store = newsroom(missed);
            let first = done(&store, pause(None), october(9, 13));
            assert_eq!((first.was, first.is), (Setting::Resume, pause(None)));
            let second = done(&store, pause(Some(october(20, 0))), october(9, 14));
            assert_eq!(
                (second.was, second.channel.next_due),
                (pause(None), Some(october(20, 9)))
            );
            let moved = done(&store, schedule("0 9 * * 0-6"), october(9, 15)).channel;
            assert_eq!(moved.next_due, Some(october(20, 9)));
            for (day, id) in [(9, 1), (11, 2), (12, 3)] {
                let parsed = news(day, vec![paper(id, topic().name_en.as_str(), "")]);
                take(&store, &day.to_string(), parsed, october(day, 20));
            }
            let resumed = done(&store, Setting::Resume, october(12, 21));
            assert_eq!(
                (resumed.was, resumed.is),
                (pause(Some(october(20, 0))), Setting::Resume)
            );
            assert_eq!(
                (resumed.channel.next_due, resumed.channel.cursor),
                (Some(due), cursor),
                "{missed}"
            );
            let again = done(&store, Setting::Resume, october(12, 22));
            assert_eq!((again.was, again.channel), (Setting::Resume, resumed.channel));
        }
    }

    #[test]
    fn the_next_three_posts_are_in_the_zone_of_the_channel_and_after_its_pause() {
        let store = newsroom(Missed::Merge);
        done(&store, Setting::Timezone(Berlin), october(9, 13));
        let here = |now| {
            let times = upcoming(&channel(&store, HERE), now, 3);
            times
                .iter()
                .map(|at| at.format("%d %H:%M %:z").to_string())
                .collect::<Vec<_>>()
        };
        assert_eq!(
            here(october(24, 12)),
            ["25 09:00 +02:00", "26 09:00 +01:00", "27 09:00 +01:00"]
        );
        done(&store, pause(Some(october(27, 8))), october(24, 12));
        assert_eq!(
            here(october(24, 12)),
            ["27 09:00 +01:00", "28 09:00 +01:00", "29 09:00 +01:00"]
        );
        done(&store, pause(None), october(24, 12));
        assert_eq!(here(october(24, 12)), [""; 0]);
    }
}
