//! The scheduler publishes what is due and sleeps until the next channel is.

use std::sync::Arc;

use paperwire_core::pipeline::{self, Published};
use paperwire_core::topic::Topic;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::clock;
use crate::ops::Ops;
use crate::queued::Queued;
use crate::render::Renderers;
use crate::storage::{Storage, StorageError};
use crate::worker::nap;

/// Publishes at each occurrence until `stop`. `changed` is notified when channels change; `queued` is rung when
/// there is something to deliver; what is published is counted in `ops`.
///
/// # Errors
/// When the store fails.
pub async fn run(
    storage: Storage,
    topics: Arc<[Topic]>,
    changed: Arc<Notify>,
    queued: Queued,
    ops: Ops,
    stop: CancellationToken,
) -> Result<(), StorageError> {
    loop {
        let topics = Arc::clone(&topics);
        let (published, next) = storage
            .run(move |store| {
                let published = pipeline::publish_due(store, &topics, &Renderers, clock::now())?;
                Ok((published, store.next_channel_due()?))
            })
            .await?;
        report(&published, &ops);
        if !published.deliveries.is_empty() {
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
    for place in &published.silent {
        tracing::info!(%place, "nothing to say today");
    }
    for damaged in &published.damaged {
        tracing::error!(%damaged, "a paper was left out of a digest");
    }
}
