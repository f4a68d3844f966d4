//! What has long been delivered is kept as a sum, and notes that nobody looks into any more go: the store does not grow with
//! every digest that was ever sent.

use chrono::{DateTime, TimeDelta, Utc};

use crate::brief::note::Note;
use crate::paper::PaperId;
use crate::store::{MemoSpace, Result, Store, StoreError, Write};

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

/// How long a note on a paper is kept after it was written, and after each digest that shows the paper: three times as long as
/// those digests can be edited. `/evidence` of an older digest finds the words by itself; a channel that was silent for longer
/// has its briefs written anew.
pub const NOTES_KEPT: TimeDelta = TimeDelta::days(90);

/// How a note says which paper it is about and when it was written; `None` for what is no such note.
type About = fn(&str) -> Option<(PaperId, DateTime<Utc>)>;

/// The spaces of notes on papers: those that go by [`NOTES_KEPT`].
const NOTES: [(MemoSpace, About); 1] = [(MemoSpace::Brief, |text| {
    let note = Note::decode(text)?;
    Some((note.paper, note.at))
})];

/// Where looking for old notes goes on: behind this key of this space.
pub type Behind = (MemoSpace, String);

/// Forgets notes on papers of which nobody has seen anything for [`NOTES_KEPT`], among the `limit` notes behind `after`. Returns how
/// many those were and where to go on; `None` at the end.
///
/// # Errors
/// Only when the store fails.
pub fn forget_notes(
    store: &dyn Store,
    after: Option<&Behind>,
    limit: usize,
    now: DateTime<Utc>,
) -> Result<(usize, Option<Behind>)> {
    let before = now - NOTES_KEPT;
    let at = after.map_or(0, |(space, _)| {
        NOTES.iter().position(|(known, _)| known == space).unwrap_or(0)
    });
    let Some((space, about)) = NOTES.get(at).copied() else {
        return Ok((0, None));
    };
    let notes = store.memos(
        space,
        after.map(|(_, key)| key.as_str()).filter(|key| !key.is_empty()),
        limit,
    )?;
    let next = match notes.last() {
        Some((last, _)) if notes.len() == limit => Some((space, last.clone())),
        Some(_) | None => NOTES.get(at + 1).map(|(space, _)| (*space, String::new())),
    };
    let mut writes = Vec::new();
    for (key, text) in notes {
        let Some((paper, _)) = about(&text).filter(|(_, written)| *written < before) else {
            continue;
        };
        // One of which that cannot be read stays, and keeps no other from going.
        let shown = match store.digests_of_paper(&paper) {
            Err(StoreError::Damaged { .. }) => continue,
            read => read?,
        };
        if shown.last().is_none_or(|digest| digest.occurrence < before) {
            let value = None;
            writes.push(Write::Memo { space, key, value });
        }
    }
    let count = writes.len();
    if count > 0 {
        store.commit(writes)?;
    }
    Ok((count, next))
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{Spoiled, add_channel, arxiv, news, october, paper, settings, take, topic};
    use super::super::publish_now;
    use super::*;
    use crate::brief::note::Outcome;
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

    #[test]
    fn a_note_goes_when_neither_it_nor_a_digest_of_its_paper_is_young() {
        let store = ModelStore::new();
        add_channel(&store, "telegram:-1", settings(), october(1, 0));
        take(&store, "a", news(9, vec![paper(1, "On pruning", "")]), october(9, 20));
        let note = |key: &str, paper, at| {
            let note = Note {
                paper,
                lang: Lang::En,
                model: "m".to_owned(),
                prompt: "p".to_owned(),
                at,
                outcome: Outcome::Failed { reasons: Vec::new() },
            };
            let (space, key, value) = (MemoSpace::Brief, key.to_owned(), Some(note.encode()));
            store.commit(vec![Write::Memo { space, key, value }]).unwrap();
        };
        note("shown", arxiv(1), october(1, 0));
        note("never shown", arxiv(2), october(1, 0));
        note("young", arxiv(3), october(20, 0));
        let (space, key, value) = (MemoSpace::Brief, "z dialect".to_owned(), Some("v1 {}".to_owned()));
        store.commit(vec![Write::Memo { space, key, value }]).unwrap();
        let render = super::super::fixture::Counting::default();
        publish_now(&store, &[topic()], &render, store.channels().unwrap(), october(10, 9)).unwrap();
        let left = |now| {
            let (mut forgotten, mut after) = (0, None);
            loop {
                let (count, next) = forget_notes(&store, after.as_ref(), 2, now).unwrap();
                forgotten += count;
                after = next;
                if after.is_none() {
                    break;
                }
            }
            let left = store.memos(MemoSpace::Brief, None, 9).unwrap().into_iter();
            (forgotten, left.map(|(key, _)| key).collect::<Vec<_>>())
        };
        assert_eq!(left(october(1, 0) + NOTES_KEPT).0, 0);
        // One whose digests cannot be read keeps no other from going.
        let spoiled = Spoiled {
            whole: &store,
            papers: vec![arxiv(2)],
            parts: Vec::new(),
        };
        assert_eq!(
            forget_notes(&spoiled, None, 9, october(2, 0) + NOTES_KEPT),
            Ok((0, None))
        );
        let (forgotten, keys) = left(october(2, 0) + NOTES_KEPT);
        assert_eq!(
            (forgotten, keys),
            (1, ["shown", "young", "z dialect"].map(str::to_owned).to_vec())
        );
        let (forgotten, keys) = left(october(11, 0) + NOTES_KEPT);
        assert_eq!(
            (forgotten, keys),
            (1, ["young", "z dialect"].map(str::to_owned).to_vec())
        );
    }
}
