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
/// position and take the new settings, and those that the file no longer has are removed. Channels that people added by
/// command are left alone.
///
/// # Errors
/// Only when the store fails.
pub fn configure_channels(store: &dyn Store, wanted: &[Wanted], now: DateTime<Utc>) -> Result<()> {
    let begin = latest_window_start(store)?;
    let mut writes = Vec::new();
    for wanted in wanted {
        let settings = wanted.settings.clone();
        let channel = match store.channel(&wanted.place)? {
            Some(known) if known.settings == settings && known.configured => continue,
            Some(known) => {
                let same_times =
                    known.settings.schedule == settings.schedule && known.settings.timezone == settings.timezone;
                let next_due = if same_times {
                    // An occurrence that was missed before the start stays due.
                    known.next_due
                } else {
                    let base = known.last_fired.unwrap_or(known.added_at).max(now);
                    settings
                        .schedule
                        .as_ref()
                        .and_then(|s| s.next_after(settings.timezone, base))
                };
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
            },
        };
        writes.push(Write::Channel(Box::new(channel)));
    }
    for channel in store.channels()? {
        if channel.configured && !wanted.iter().any(|w| w.place == channel.place) {
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

/// Gives a channel a new place; settings, position, history and waiting digests go with it. A new place that is a channel
/// already keeps its own settings and position, and a digest that it has itself is not brought a second time.
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
            writes.push(Write::Channel(Box::new(Channel {
                place: to.clone(),
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
            let moved = moved(delivery, to);
            if store.delivery(&moved.id)?.is_none() {
                writes.push(Write::Delivery(Box::new(moved)));
            }
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
