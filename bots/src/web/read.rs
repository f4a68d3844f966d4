//! What the pages show, read from the store in one place. Each function is one job of the storage thread. A damaged
//! record costs its own line on a page, never the page.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use paperwire_core::channel::{Activity, Channel, Place, Platform};
use paperwire_core::delivery::{Delivery, DeliveryId};
use paperwire_core::digest::{Digest, DigestId, Entry, EntryBrief, RenderingId};
use paperwire_core::erratum::Errata;
use paperwire_core::locale::Lang;
use paperwire_core::message::Message;
use paperwire_core::paper::{Paper, PaperId};
use paperwire_core::pipeline::{self, Held};
use paperwire_core::store::{Result, Store, StoreError};
use paperwire_core::subscription::Subjects;

use super::markup;

/// Digests in a channel's view.
const POSTS: usize = 10;
/// Digests on a page of the archive.
pub(super) const PAGE: usize = 20;
/// How many of the latest digests are searched for a paper; there is no index from papers to digests.
const SEARCHED: usize = 40;

/// Why nothing is posted in a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Silence {
    /// Its people want a pause.
    Wanted,
    /// It could not be written to, or the configuration does not have it any more.
    Broken,
}

/// A channel of the page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ChannelView {
    pub name: String,
    pub lang: Lang,
    pub zone: Tz,
    pub subjects: Subjects,
    pub next_due: Option<DateTime<Utc>>,
    pub silence: Option<Silence>,
    /// Oldest first.
    pub posts: Vec<PostView>,
    /// Whether there are older ones.
    pub more: bool,
}

/// One delivered digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PostView {
    /// The message id.
    pub key: String,
    pub digest: Option<DigestId>,
    pub lang: Lang,
    pub at: DateTime<Utc>,
    pub zone: Tz,
    /// `None` when its record is damaged.
    pub message: Option<Message>,
}

/// A digest in the archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DigestLine {
    pub id: DigestId,
    pub subjects: Subjects,
    pub papers: usize,
    /// The titles of the first papers.
    pub first: Vec<String>,
}

/// A page of the archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ArchiveView {
    /// What waits for a decision; on the first page alone.
    pub held: Vec<(DigestId, Held)>,
    /// Newest first.
    pub digests: Vec<DigestLine>,
    /// Where the next page begins.
    pub next: Option<DigestId>,
}

/// A digest with all its papers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DigestView {
    pub digest: Digest,
    /// Abstracts, one for each entry, possibly empty.
    pub abstracts: Vec<String>,
    /// What became of its papers since.
    pub errata: Option<Errata>,
}

/// A paper and where it appeared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PaperView {
    pub paper: Paper,
    /// Newest first, with its number there.
    pub digests: Vec<(DigestId, u32)>,
}

/// The brief of an entry for a reader.
pub(super) fn brief_for(entry: &Entry, reader: Lang) -> Option<&EntryBrief> {
    let own = entry.briefs.iter().find(|b| b.reader == reader);
    own.or_else(|| entry.briefs.first())
}

/// A damaged record counts as absent, and the log says which.
fn whole<T>(read: Result<Option<T>>) -> Result<Option<T>> {
    match read {
        Err(error @ StoreError::Damaged { .. }) => {
            tracing::warn!(%error, "a page leaves a damaged record out");
            Ok(None)
        }
        other => other,
    }
}

/// The names of the web channels.
pub(super) fn channel_names(store: &dyn Store) -> Result<Vec<String>> {
    let mut channels = store.channels()?;
    channels.retain(|c| c.place.platform() == Platform::Web);
    Ok(channels.into_iter().map(|c| c.place.chat().to_owned()).collect())
}

/// A channel with its latest posts.
pub(super) fn channel(store: &dyn Store, place: &Place) -> Result<Option<ChannelView>> {
    let Some(channel) = store.channel(place)? else {
        return Ok(None);
    };
    let deliveries = store.deliveries(place, None, POSTS + 1)?;
    let more = deliveries.len() > POSTS;
    // Corrections stand before their post, which may be behind the last one here.
    let mut ids: Vec<DeliveryId> = deliveries.iter().map(|delivery| delivery.id.of_post()).collect();
    ids.dedup();
    ids.truncate(POSTS);
    let mut posts = Vec::new();
    for id in ids.iter().rev() {
        if let Some(delivery) = whole(store.delivery(id))? {
            posts.extend(post(store, &delivery)?);
        }
    }
    let Channel {
        settings,
        next_due,
        activity,
        ..
    } = channel;
    Ok(Some(ChannelView {
        name: place.chat().to_owned(),
        lang: settings.language,
        zone: settings.timezone,
        subjects: settings.subjects,
        next_due,
        silence: match activity {
            Activity::Active => None,
            Activity::Snoozed { .. } => Some(Silence::Wanted),
            Activity::Paused { .. } | Activity::Absent { .. } => Some(Silence::Broken),
        },
        posts,
        more,
    }))
}

/// What a delivery shows; nothing before its part is sent. The page has one part to a message.
fn post(store: &dyn Store, delivery: &Delivery) -> Result<Option<PostView>> {
    let Some(key) = delivery.message_ids.first().filter(|_| delivery.arrived() > 0) else {
        return Ok(None);
    };
    // What the page shows needs no edit: the latest correction is shown from the moment on when it is known.
    let errata = whole(store.errata(&delivery.id.digest))?;
    let corrected = match errata {
        Some(errata) => {
            let revision = errata.revision;
            let rendering = RenderingId {
                revision,
                ..delivery.rendering.clone()
            };
            whole(store.part(&rendering, 0))?
        }
        None => None,
    };
    let part = match corrected {
        Some(part) => Some(part),
        None => whole(store.part(&delivery.rendering, 0))?,
    };
    Ok(Some(PostView {
        key: key.clone(),
        digest: Some(delivery.id.digest),
        lang: delivery.rendering.lang,
        at: delivery.published_at,
        zone: delivery.rendering.zone,
        message: part.as_ref().and_then(markup::read),
    }))
}

/// A page of the archive.
pub(super) fn archive(store: &dyn Store, before: Option<DigestId>) -> Result<ArchiveView> {
    let mut ids = store.digests(before, PAGE + 1)?;
    let more = ids.len() > PAGE;
    ids.truncate(PAGE);
    let next = ids.last().copied().filter(|_| more);
    let mut digests = Vec::new();
    let held = match before {
        None => pipeline::all_held(store)?,
        Some(_) => Vec::new(),
    };
    for id in ids {
        if pipeline::is_withheld(store, &id)? {
            continue;
        }
        digests.extend(whole(store.digest(&id))?.map(|digest| DigestLine {
            id,
            papers: digest.entries.len(),
            first: digest.entries.into_iter().take(3).map(|e| e.title).collect(),
            subjects: digest.subjects,
        }));
    }
    Ok(ArchiveView { held, digests, next })
}

/// A digest with the abstracts of its papers.
pub(super) fn digest(store: &dyn Store, id: &DigestId) -> Result<Option<DigestView>> {
    let Some(digest) = store.digest(id)? else {
        return Ok(None);
    };
    let mut abstracts = Vec::with_capacity(digest.entries.len());
    for entry in &digest.entries {
        let paper = whole(store.paper(&entry.paper))?;
        abstracts.push(paper.map(|p| p.abstract_text().to_owned()).unwrap_or_default());
    }
    let errata = whole(store.errata(id))?;
    Ok(Some(DigestView {
        digest,
        abstracts,
        errata,
    }))
}

/// A paper, and which of the latest digests had it.
pub(super) fn paper(store: &dyn Store, id: &PaperId) -> Result<Option<PaperView>> {
    let Some(paper) = store.paper(id)? else {
        return Ok(None);
    };
    let mut digests = Vec::new();
    for digest_id in store.digests(None, SEARCHED)? {
        if pipeline::is_withheld(store, &digest_id)? {
            continue;
        }
        if let Some(digest) = whole(store.digest(&digest_id))? {
            // An older digest may know the paper under the name that it had then.
            let entry = digest.entries.iter().find(|e| e.paper == paper.id || e.paper == *id);
            digests.extend(entry.map(|e| (digest_id, e.number)));
        }
    }
    Ok(Some(PaperView { paper, digests }))
}
