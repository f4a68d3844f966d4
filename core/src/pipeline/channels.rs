//! Channels come, change, move and go; what they follow and how far they have read stays with them.

use chrono::{DateTime, Utc};

use crate::channel::{Activity, Channel, Place, Seq, Settings};
use crate::delivery::Delivery;
use crate::store::{Result, Store, Write};

/// How many of a place's deliveries move with it in one go.
const PAGE: usize = 500;

/// A channel that the configuration file wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Where.
    pub place: Place,
    /// With which settings.
    pub settings: Settings,
}

/// Makes the stored channels those of the configuration: new ones begin with the latest mailing, known ones keep their
/// position and take the new settings, wherever their chat has moved to, and those that the file no longer has are
/// removed. Channels that people added by command are left alone.
///
/// # Errors
/// Only when the store fails.
pub fn configure_channels(store: &dyn Store, wanted: &[Wanted], now: DateTime<Utc>) -> Result<()> {
    let begin = latest_window_start(store)?;
    let stored = store.channels()?;
    let has = |place: &Place| wanted.iter().any(|w| w.place == *place);
    let mut writes = Vec::new();
    for wanted in wanted {
        let settings = wanted.settings.clone();
        let here = stored.iter().find(|c| c.place == wanted.place);
        let moved = || {
            stored
                .iter()
                .find(|c| c.moved_from.as_ref() == Some(&wanted.place) && !has(&c.place))
        };
        let channel = match here.or_else(moved).cloned() {
            Some(known) if known.settings == settings && known.configured => continue,
            Some(known) => {
                let base = known.last_fired.unwrap_or(known.added_at).max(now);
                let next_due = settings
                    .schedule
                    .as_ref()
                    .and_then(|s| s.next_after(settings.timezone, base));
                Channel {
                    settings,
                    next_due,
                    configured: true,
                    ..known
                }
            }
            None => Channel {
                place: wanted.place.clone(),
                next_due: settings
                    .schedule
                    .as_ref()
                    .and_then(|s| s.next_after(settings.timezone, now)),
                settings,
                cursor: begin,
                last_fired: None,
                activity: Activity::Active,
                added_at: now,
                configured: true,
                moved_from: None,
            },
        };
        writes.push(Write::Channel(Box::new(channel)));
    }
    for channel in stored {
        if channel.configured && !has(&channel.place) && !channel.moved_from.as_ref().is_some_and(has) {
            writes.push(Write::RemoveChannel(channel.place));
        }
    }
    if writes.is_empty() {
        Ok(())
    } else {
        store.commit(writes)
    }
}

/// Before the first paper of the mailing that ends last: what a new channel's first digest shows. Where only reports
/// came, it shows all of them.
fn latest_window_start(store: &dyn Store) -> Result<Seq> {
    let windows = store.windows()?;
    let latest = windows
        .iter()
        .filter(|w| w.upto > w.since)
        .max_by_key(|w| (w.window.to, w.since));
    Ok(latest.map_or(0, |window| window.since))
}

/// Gives a channel a new place; settings, position, history and waiting digests go with it. Nothing happens when there
/// is no such channel, or when the new place is a channel already: then only the old one is removed.
///
/// # Errors
/// Only when the store fails.
pub fn move_channel(store: &dyn Store, from: &Place, to: &Place) -> Result<()> {
    if from == to {
        return Ok(());
    }
    if let Some(channel) = store.channel(from)? {
        let mut writes = vec![Write::RemoveChannel(from.clone())];
        if store.channel(to)?.is_none() {
            let configured_at = channel.moved_from.or_else(|| channel.configured.then(|| from.clone()));
            writes.push(Write::Channel(Box::new(Channel {
                place: to.clone(),
                moved_from: configured_at,
                ..channel
            })));
        }
        store.commit(writes)?;
    }
    loop {
        let page = store.deliveries(from, None, PAGE)?;
        if page.is_empty() {
            return Ok(());
        }
        let mut writes = Vec::with_capacity(page.len() * 2);
        for delivery in page {
            writes.push(Write::RemoveDelivery(delivery.id.clone()));
            writes.push(Write::Delivery(Box::new(moved(delivery, to))));
        }
        store.commit(writes)?;
    }
}

fn moved(mut delivery: Delivery, to: &Place) -> Delivery {
    delivery.id.place = to.clone();
    delivery
}

/// A paused channel gets digests again: the next one holds everything since its position. Returns whether it was paused.
///
/// # Errors
/// Only when the store fails.
pub fn resume_channel(store: &dyn Store, place: &Place, now: DateTime<Utc>) -> Result<bool> {
    let Some(channel) = store.channel(place)? else {
        return Ok(false);
    };
    match channel.activity {
        Activity::Active => Ok(false),
        Activity::Paused { .. } => {
            let zone = channel.settings.timezone;
            let next_due = channel.settings.schedule.as_ref().and_then(|s| s.next_after(zone, now));
            store.commit(vec![Write::Channel(Box::new(Channel {
                activity: Activity::Active,
                next_due,
                ..channel
            }))])?;
            Ok(true)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel::{Style, WhenEmpty};
    use crate::locale::Lang;
    use crate::store::ModelStore;
    use crate::subscription::Subjects;

    fn wanted(chat: i64, language: Lang) -> Wanted {
        Wanted {
            place: Place::telegram(chat, None),
            settings: Settings {
                subjects: Subjects::default(),
                schedule: None,
                timezone: chrono_tz::UTC,
                language,
                when_empty: WhenEmpty::Say,
                style: Style::Compact,
            },
        }
    }

    #[test]
    fn a_channel_that_moved_twice_answers_to_its_configured_place_until_the_file_forgets_it() {
        let store = ModelStore::new();
        let now = DateTime::<Utc>::UNIX_EPOCH;
        let configure = |wanted: &[Wanted]| {
            configure_channels(&store, wanted, now).unwrap();
            let channels = store.channels().unwrap();
            channels
                .into_iter()
                .map(|c| (c.place, c.settings.language))
                .collect::<Vec<_>>()
        };
        let at = |chat: i64| Place::telegram(chat, None);
        configure(&[wanted(-1, Lang::En)]);
        move_channel(&store, &at(-1), &at(-2)).unwrap();
        move_channel(&store, &at(-2), &at(-3)).unwrap();
        assert_eq!(configure(&[wanted(-1, Lang::Zh)]), [(at(-3), Lang::Zh)]);
        // The operator has put the new place into the file: it is the same channel.
        assert_eq!(configure(&[wanted(-3, Lang::En)]), [(at(-3), Lang::En)]);
        assert_eq!(configure(&[]), []);
    }
}
