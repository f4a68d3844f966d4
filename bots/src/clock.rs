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
    static ANCHOR: Mutex<Option<Anchor>> = Mutex::new(None);
    let mut anchor = ANCHOR.lock().unwrap_or_else(PoisonError::into_inner);
    let (next, shown) = Anchor::follow(*anchor, now(), Instant::now());
    *anchor = Some(next);
    shown
}

/// The latest time that the wall showed, and when it did.
#[derive(Debug, Clone, Copy)]
struct Anchor {
    wall: DateTime<Utc>,
    at: Instant,
}

impl Anchor {
    /// What the steady clock shows when the wall shows `wall`: the later of that and of what has passed since the anchor.
    fn follow(anchor: Option<Self>, wall: DateTime<Utc>, at: Instant) -> (Self, DateTime<Utc>) {
        if let Some(anchor) = anchor {
            let passed = TimeDelta::from_std(at.saturating_duration_since(anchor.at)).unwrap_or(TimeDelta::MAX);
            let ticked = anchor.wall.checked_add_signed(passed).unwrap_or(wall);
            if wall < ticked {
                return (anchor, ticked);
            }
        }
        (Self { wall, at }, wall)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// What the steady clock shows at these seconds after the start while the wall shows those, as seconds too.
    fn shown(readings: &[(u64, i64)]) -> Vec<i64> {
        let (start, noon) = (Instant::now(), DateTime::UNIX_EPOCH + TimeDelta::days(20_000));
        let mut anchor = None;
        let read = |&(passed, wall): &(u64, i64)| {
            let at = start + Duration::from_secs(passed);
            let (next, shown) = Anchor::follow(anchor, noon + TimeDelta::seconds(wall), at);
            anchor = Some(next);
            (shown - noon).num_seconds()
        };
        readings.iter().map(read).collect()
    }

    #[test]
    fn a_wall_clock_that_is_put_back_an_hour_neither_stops_time_nor_turns_it_back() {
        let readings = [(0, 0), (10, 10), (11, 11 - 3_600), (3_000, 3_000 - 3_600), (3_700, 100)];
        assert_eq!(shown(&readings), [0, 10, 11, 3_000, 3_700]);
        // Once the wall shows more again, it counts.
        assert_eq!(shown(&[(0, 0), (1, -3_599), (2, 5), (3, 6)]), [0, 1, 5, 6]);
    }

    #[test]
    fn a_wall_clock_that_is_put_forward_is_followed() {
        assert_eq!(
            shown(&[(0, 0), (1, 3_601), (2, 3_602), (3, 3)]),
            [0, 3_601, 3_602, 3_603]
        );
    }
}
