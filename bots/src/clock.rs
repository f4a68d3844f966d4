//! The one place that reads the clock; everything else takes `now` as a parameter.

use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::Instant;

/// What the clock on the wall shows: for schedules and for people.
#[expect(
    clippy::disallowed_methods,
    reason = "the edge has to read the clock somewhere, and this is where"
)]
pub fn now() -> DateTime<Utc> {
    Utc::now()
}

/// The wall's clock, but one that never goes back: for leases, pauses and rate limits, which would stand still for an hour
/// if it were put back by one. Where it is put forward, or the machine slept, this one follows.
pub fn steady() -> DateTime<Utc> {
    static ANCHOR: Mutex<Option<(DateTime<Utc>, Instant)>> = Mutex::new(None);
    let mut anchor = ANCHOR.lock().unwrap_or_else(PoisonError::into_inner);
    let (wall, instant) = (now(), Instant::now());
    let ticked = anchor.map_or(wall, |(wall, then)| {
        let passed = TimeDelta::from_std(instant.saturating_duration_since(then)).unwrap_or(TimeDelta::MAX);
        wall.checked_add_signed(passed).unwrap_or(wall)
    });
    if wall < ticked {
        return ticked;
    }
    *anchor = Some((wall, instant));
    wall
}
