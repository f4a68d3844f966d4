//! The scheduler publishes what is due, brings the counts of votes at posted digests up to date, and sleeps until the next
//! of either is due.

use std::sync::Arc;

use paperwire_core::locale::Lang;
use paperwire_core::pipeline::{self, Occasion, Published};
use paperwire_core::topic::Topic;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::clock;
use crate::ops::Ops;
use crate::queued::Queued;
use crate::render::Renderers;
use crate::storage::{Storage, StorageError};
use crate::worker::nap;
use crate::writer::Writer;

/// Publishes at each occurrence until `stop`; before that, `writer` has a while for the judgements and briefs that are missing.
/// `changed` is notified when channels change or somebody votes; `queued` is rung when there is something to deliver; what is
/// published is counted in `ops`.
///
/// # Errors
/// When the store fails.
pub async fn run(
    storage: Storage,
    topics: Arc<[Topic]>,
    changed: Arc<Notify>,
    queued: Queued,
    ops: Ops,
    writer: Option<Writer>,
    stop: CancellationToken,
) -> Result<(), StorageError> {
    loop {
        // What is published is what was prepared for; what falls due meanwhile has its own turn.
        let now = clock::now();
        if let Some(writer) = &writer {
            let due = Occasion::Due(now);
            let prepared = writer.prepare(&due, tokio::time::Instant::now() + writer.patience());
            match stop.run_until_cancelled(prepared).await {
                Some(prepared) => prepared?,
                None => return Ok(()),
            };
        }
        let topics = Arc::clone(&topics);
        let (published, tallied, next) = storage
            .run(move |store| {
                let published = pipeline::publish_due(store, &topics, &Renderers, now)?;
                let tallied = pipeline::tally(store, &Renderers, clock::now())?;
                let next = [store.next_channel_due()?, tallied.next].into_iter().flatten().min();
                Ok((published, tallied, next))
            })
            .await?;
        report(&published, &ops);
        if tallied.edits > 0 {
            let pipeline::Tallied { digests, edits, .. } = tallied;
            tracing::debug!(digests, edits, "votes have changed what is shown");
        }
        // Whoever decides about what is held back listens, too.
        if !published.deliveries.is_empty() || tallied.edits > 0 || !published.held.is_empty() {
            queued.announce();
        }
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = changed.notified() => {}
            () = tokio::time::sleep(nap(next, clock::now())) => {}
        }
    }
}

/// Says in the log and in the figures what was published.
pub(crate) fn report(published: &Published, ops: &Ops) {
    ops.digests_published(published.digests.len());
    for (digest, papers) in &published.digests {
        tracing::info!(%digest, papers, "published");
    }
    for (digest, reason) in &published.held {
        let reason = reason.says(Lang::En, &[]);
        tracing::warn!(%digest, reason, "held back until somebody decides; `paperwire held` lists what waits");
    }
    for place in &published.silent {
        tracing::info!(%place, "nothing to say today");
    }
    for place in &published.passed {
        tracing::info!(%place, "an occurrence was missed and is left out, as its setting says");
    }
    for damaged in &published.damaged {
        tracing::error!(%damaged, "a paper was left out of a digest");
    }
}
