//! What people change about their channel while it runs: one setting at a time, read, changed and written in one commit.
//! Of two who change the same at once the later one wins, and each hears what was replaced.

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;

use super::publish::woken;
use crate::channel::{Activity, Channel, Missed, Place, Style, WhenEmpty};
use crate::locale::Lang;
use crate::schedule::Schedule;
use crate::store::{Result, Store, Write};

/// A setting with its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Setting {
    /// When digests are due; `None` posts only on request.
    Schedule(Option<Schedule>),
    /// The zone of the schedule and of dates.
    Timezone(Tz),
    /// What becomes of occurrences that were missed.
    Missed(Missed),
    /// The language of everything.
    Language(Lang),
    /// How much of each paper.
    Style(Style),
    /// What comes on an empty day.
    WhenEmpty(WhenEmpty),
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
    /// The key of the configuration file that says the same; `None` for what a file cannot say.
    pub fn key(&self) -> Option<&'static str> {
        match self {
            Self::Schedule(_) => Some("schedule"),
            Self::Timezone(_) => Some("timezone"),
            Self::Missed(_) => Some("missed"),
            Self::Language(_) => Some("language"),
            Self::Style(_) => Some("style"),
            Self::WhenEmpty(_) => Some("when_empty"),
            Self::Pause { .. } | Self::Resume => None,
        }
    }

    /// What the channel has in the place of this.
    fn of(&self, channel: &Channel) -> Self {
        let settings = &channel.settings;
        match self {
            Self::Schedule(_) => Self::Schedule(settings.schedule.clone()),
            Self::Timezone(_) => Self::Timezone(settings.timezone),
            Self::Missed(_) => Self::Missed(settings.missed),
            Self::Language(_) => Self::Language(settings.language),
            Self::Style(_) => Self::Style(settings.style),
            Self::WhenEmpty(_) => Self::WhenEmpty(settings.when_empty),
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
    /// The configuration file decides: at the next start it would undo the change.
    #[error("{place} stands in the configuration file, which decides its {key}: change `{key}` in its [[channel]] there")]
    InFile {
        /// The place under which the file has it.
        place: Place,
        /// The key in its `[[channel]]`.
        key: &'static str,
    },
    /// The configuration file had it and does not any more; the channel has fallen silent.
    #[error("{0} was taken out of the configuration file, and nothing is posted there until it is put back")]
    Absent(Place),
}

/// Gives the channel at `place` this setting; when it is next due follows. A new schedule or zone counts from `now`:
/// neither becomes an occurrence of the new one in the past one that was missed.
///
/// Pausing and resuming is not the file's business and is open to every channel. A channel that resumes before its pause
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
    match (&channel.activity, &channel.configured_as, setting.key()) {
        (Activity::Absent { .. }, _, _) => return Ok(Err(Refused::Absent(place.clone()))),
        (Activity::Active | Activity::Paused { .. } | Activity::Snoozed { .. }, Some(named), Some(key)) => {
            let place = named.clone();
            return Ok(Err(Refused::InFile { place, key }));
        }
        (Activity::Active | Activity::Paused { .. } | Activity::Snoozed { .. }, _, _) => {}
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
        Setting::WhenEmpty(when_empty) => {
            channel.settings.when_empty = when_empty;
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
            Self::InFile { place, key } => lang.pick(
                format!("{place} 由配置文件管理：请在其 [[channel]] 中修改 {key}，然后重启程序。"),
                format!(
                    "{place} stands in the configuration file, which decides here: change {key} in its [[channel]] and start \
                     the program again."
                ),
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
