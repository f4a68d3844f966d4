//! What has long been delivered is kept as a sum: the store does not grow with every digest that was ever sent.

use chrono::{DateTime, TimeDelta, Utc};

use crate::store::{Result, Store, StoreError, Write};

/// How long posted parts are kept as they are, so that they can be edited (a correction, a withdrawal). Afterwards a digest
/// keeps its record and a summary.
pub const EDIT_WINDOW: TimeDelta = TimeDelta::days(30);

/// Archives up to `limit` deliveries that ended before [`EDIT_WINDOW`] began, the earliest first. Returns how many there
/// were: fewer than `limit` means that nothing more is to be done now. One that cannot be read is set aside, or it would
/// stand in the way of all that ended after it.
///
/// # Errors
/// Only when the store fails.
pub fn compact(store: &dyn Store, now: DateTime<Utc>, limit: usize) -> Result<usize> {
    let Some(before) = now.checked_sub_signed(EDIT_WINDOW) else {
        return Ok(0);
    };
    let ended = store.finished_before(before, limit)?;
    let count = ended.len();
    if count > 0 {
        let mut writes = Vec::with_capacity(count);
        for id in ended {
            writes.push(match store.delivery(&id) {
                Err(StoreError::Damaged { .. }) => Write::SetAside(id),
                read => {
                    read?;
                    Write::Archive(id)
                }
            });
        }
        store.commit(writes)?;
    }
    Ok(count)
}

#[cfg(test)]
mod tests {
    use super::super::fixture::october;
    use super::*;
    use crate::channel::{Place, Platform, Style};
    use crate::delivery::{Delivery, DeliveryId, State};
    use crate::digest::{DigestId, RenderingId};
    use crate::locale::Lang;
    use crate::message::Part;
    use crate::store::ModelStore;

    #[test]
    fn what_was_sent_stays_editable_for_the_window_and_then_becomes_a_sum_piece_by_piece() {
        let store = ModelStore::new();
        let digest: DigestId = "9f86d081884c7d65@20251001T090000Z".parse().unwrap();
        let rendering = RenderingId {
            digest,
            platform: Platform::Telegram,
            lang: Lang::En,
            style: Style::Compact,
            zone: chrono_tz::UTC,
            revision: 0,
        };
        let payload = "1. On pruning".to_owned();
        let parts = vec![Part { payload }];
        let mut writes = vec![Write::Rendering {
            id: rendering.clone(),
            parts,
        }];
        writes.extend((1..=5).map(|day| {
            let place = Place::telegram(-day, None);
            let delivery = Delivery {
                state: State::Sent { at: october(day, 0) },
                message_ids: vec![day.to_string()],
                ..Delivery::new(DeliveryId::post(place, digest), rendering.clone(), 1, october(1, 0))
            };
            Write::Delivery(Box::new(delivery))
        }));
        store.commit(writes).unwrap();
        let state = || {
            let summary = store.digest_summary(&digest).unwrap();
            let part = store.part(&rendering, 0).unwrap();
            (summary.map(|s| (s.channels, s.parts)), part.is_some())
        };
        assert_eq!(compact(&store, october(1, 0) + EDIT_WINDOW, 9), Ok(0));
        assert_eq!(state(), (None, true));
        let now = october(5, 0) + EDIT_WINDOW;
        assert_eq!(compact(&store, now, 3), Ok(3));
        assert_eq!(compact(&store, now, 3), Ok(1));
        assert_eq!(state(), (Some((4, 4)), true));
        let now = now + TimeDelta::nanoseconds(1);
        assert_eq!((compact(&store, now, 3), compact(&store, now, 3)), (Ok(1), Ok(0)));
        assert_eq!(state(), (Some((5, 5)), false));
        let message = store.digest_of_message(&Place::telegram(-2, None), "2");
        assert_eq!(message, Ok(Some(digest)));
    }
}
