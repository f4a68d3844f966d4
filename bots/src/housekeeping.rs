//! Keeps the data folder small beside everything else: what was posted long ago is archived, old notes are forgotten, and once a
//! day somebody looks whether the store takes more room than what is in it is worth.

use std::sync::Weak;
use std::time::Duration;

use chrono::{DateTime, Utc};
use paperwire_core::pipeline::{self, Behind};
use paperwire_core::source::daybook;
use paperwire_core::store::{Compaction, SledStore, Store, StoreError};
use tokio_util::sync::CancellationToken;

use crate::clock;
use crate::ops::Ops;
use crate::storage::{Storage, StorageError};

/// How often there is a look for what can be archived.
const ARCHIVE_EVERY: Duration = Duration::from_secs(3_600);
/// How many deliveries are archived in one job of the storage thread: sending waits for it.
const BATCH: usize = 64;
/// How many notes on papers are looked at in one job, and how many jobs of that an hour has: what is left waits for the next.
const NOTES: usize = 128;
const NOTE_JOBS: usize = 16;
/// The pause between two such jobs.
const BREATH: Duration = Duration::from_millis(50);
/// How often old decisions are looked for, and how many records in one job.
const FORGET_EVERY: Duration = Duration::from_secs(24 * 3_600);
const FORGOTTEN: usize = 256;
/// The store is measured so long after the start, when that has gone by; then so often.
const MEASURE_FIRST: Duration = Duration::from_secs(600);
const MEASURE_EVERY: Duration = Duration::from_secs(24 * 3_600);

/// Archives until `stop` what ended before the time in which it can be edited, and forgets old notes.
///
/// # Errors
/// When the store cannot be used any more.
pub async fn archive(storage: Storage, stop: CancellationToken) -> Result<(), StorageError> {
    let forever = async {
        let mut after = None;
        loop {
            let archived = archive_due(&storage, clock::steady()).await;
            let forgotten = match archived {
                Ok(_) => forget_due(&storage, &mut after, clock::steady()).await,
                Err(_) => Ok(0),
            };
            if let Ok(notes @ 1..) = forgotten {
                tracing::info!(notes, "old notes are forgotten");
            }
            match forgotten.and(archived) {
                Ok(0) => {}
                Ok(deliveries) => tracing::info!(deliveries, "what was posted long ago is archived"),
                // One record or one job: everything else goes on without it.
                Err(error @ (StorageError::Store(StoreError::Damaged { .. }) | StorageError::Panicked)) => {
                    tracing::error!(%error, "what was posted long ago cannot be archived");
                }
                Err(error @ (StorageError::Store(StoreError::Broken(_)) | StorageError::Closed)) => return Err(error),
            }
            tokio::time::sleep(ARCHIVE_EVERY).await;
        }
    };
    stop.run_until_cancelled(forever).await.unwrap_or(Ok(()))
}

/// Archives all that is due, piece by piece; returns how many deliveries that were.
async fn archive_due(storage: &Storage, now: DateTime<Utc>) -> Result<usize, StorageError> {
    let mut archived = 0;
    loop {
        let piece = storage.run(move |store| pipeline::compact(store, now, BATCH)).await?;
        archived += piece;
        if piece < BATCH {
            return Ok(archived);
        }
        tokio::time::sleep(BREATH).await;
    }
}

/// Forgets what is old among some of the notes, those behind `after`; at the end it begins anew. Returns how many there were.
async fn forget_due(storage: &Storage, after: &mut Option<Behind>, now: DateTime<Utc>) -> Result<usize, StorageError> {
    let mut forgotten = storage.run(move |store| daybook::forget(store, NOTES, now)).await?;
    for _ in 0..NOTE_JOBS {
        let behind = after.take();
        let forget = move |store: &dyn Store| pipeline::forget_notes(store, behind.as_ref(), NOTES, now);
        let (count, next) = storage.run(forget).await?;
        forgotten += count;
        *after = next;
        if after.is_none() {
            break;
        }
        tokio::time::sleep(BREATH).await;
    }
    Ok(forgotten)
}

/// Forgets once a day what was decided about digests more than a year ago ([`pipeline::KEPT`]), until `stop`.
///
/// # Errors
/// When the store cannot be used any more.
pub async fn forget(storage: Storage, stop: CancellationToken) -> Result<(), StorageError> {
    while stop
        .run_until_cancelled(tokio::time::sleep(FORGET_EVERY))
        .await
        .is_some()
    {
        let mut after = None;
        loop {
            let piece = storage
                .run(move |store| pipeline::forget(store, after.as_ref(), FORGOTTEN, clock::steady()))
                .await;
            after = match piece {
                Ok((_, Some(next))) => Some(next),
                Ok((_, None)) => break,
                Err(error @ (StorageError::Store(StoreError::Damaged { .. }) | StorageError::Panicked)) => {
                    tracing::error!(%error, "old decisions cannot be forgotten");
                    break;
                }
                Err(error @ (StorageError::Store(StoreError::Broken(_)) | StorageError::Closed)) => return Err(error),
            };
            if stop.run_until_cancelled(tokio::time::sleep(BREATH)).await.is_none() {
                break;
            }
        }
    }
    Ok(())
}

/// Measures the store every day until `stop`, and says what it takes. Never keeps it open by itself.
///
/// # Errors
/// When the store cannot be used any more.
pub async fn measure(store: Weak<SledStore>, ops: Ops, stop: CancellationToken) -> Result<(), StorageError> {
    let mut pause = MEASURE_FIRST;
    while stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_some() {
        pause = MEASURE_EVERY;
        let (store, ended) = (store.clone(), stop.clone());
        let measuring = move || match store.upgrade() {
            Some(store) => store.measure_while(&|| !ended.is_cancelled()),
            None => Ok(None),
        };
        let measured = tokio::task::spawn_blocking(measuring).await;
        let Some((space, wasted)) = measured.map_err(|_| StorageError::Panicked)?? else {
            continue;
        };
        ops.store_measured(space);
        tracing::info!(folder_bytes = space.folder, live_bytes = space.live, "the store's size");
        if wasted {
            tracing::warn!(
                folder_bytes = space.folder,
                live_bytes = space.live,
                "most of the store's folder is no longer in use: the next start copies what is, which takes its time and \
                 as much room again as that"
            );
        }
    }
    Ok(())
}

/// Says what opening the store did about its size.
pub fn report(compaction: Option<&Compaction>) {
    match compaction {
        None => {}
        Some(Compaction::Done { before, now }) => tracing::info!(
            before_bytes = before,
            folder_bytes = now.folder,
            live_bytes = now.live,
            "the store was copied to a folder that is smaller"
        ),
        Some(Compaction::Failed { reason }) => tracing::warn!(
            reason,
            "the store takes more room than it needs and could not be copied; it is as it was, and the next start tries \
             again"
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::slice;
    use std::sync::Arc;

    use chrono::TimeDelta;
    use paperwire_config::Config;
    use paperwire_core::channel::{Channel, Place};
    use paperwire_core::command::press::Seal;
    use paperwire_core::command::{self, Context, Question, Reply};
    use paperwire_core::delivery::{Delivery, State};
    use paperwire_core::locale::Lang;
    use paperwire_core::paper::{Paper, PaperId};
    use paperwire_core::source;
    use paperwire_core::store::{ModelStore, Store, Write};
    use paperwire_core::subscription::Subjects;

    use super::*;
    use crate::render::Renderers;

    fn at(days: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::days(20_000 + days)
    }

    /// The sample's digest, posted in so many groups; a group's messages are 1, 2 and so on.
    fn posted(store: &dyn Store, config: &Config, groups: i64) -> Vec<Delivery> {
        let bytes = include_bytes!("../sample/mailing.txt");
        let parsed = source::parse(bytes).unwrap();
        let topics = &config.topics;
        pipeline::accept(store, topics, &Renderers, "mailing.txt", bytes, parsed, at(0)).unwrap();
        let settings = config.channels[0].settings.clone();
        let channels: Vec<Channel> = (1..=groups)
            .map(|n| pipeline::Wanted {
                place: Place::telegram(-n, None),
                settings: settings.clone(),
            })
            .map(|wanted| {
                pipeline::configure_channels(store, slice::from_ref(&wanted), pipeline::Extent::Additions, at(0))
                    .unwrap();
                store.channel(&wanted.place).unwrap().unwrap()
            })
            .collect();
        pipeline::publish_now(store, topics, &Renderers, channels, at(0)).unwrap();
        let sent = |delivery: Delivery| Delivery {
            state: State::Sent { at: at(0) },
            message_ids: (1..=delivery.parts).map(|id| id.to_string()).collect(),
            ..delivery
        };
        let sent: Vec<Delivery> = store.unfinished(usize::MAX).unwrap().into_iter().map(sent).collect();
        let writes = sent.iter().cloned().map(Box::new).map(Write::Delivery);
        store.commit(writes.collect()).unwrap();
        sent
    }

    fn config() -> Config {
        let text = "[[channel]]\nplace = \"telegram:-1\"\ntopics = [\"inference\"]\n";
        Config::parse(text, "the test's configuration", &Default::default()).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn after_the_time_of_edits_all_is_archived_and_a_reply_to_its_messages_still_opens_a_paper() {
        let (store, config) = (Arc::new(ModelStore::new()), config());
        let groups = 2 * BATCH + 1;
        let deliveries = posted(&*store, &config, i64::try_from(groups).unwrap());
        assert_eq!(deliveries.len(), groups);
        let answer = || {
            let question = Question {
                asker: None,
                command: command::parse("/paper 4", None).unwrap(),
                place: deliveries[0].id.place.clone(),
                parent: None,
                reply_to: Some("1".to_owned()),
                standing: command::Standing::Member,
                fallback_lang: Lang::En,
            };
            let context = Context {
                store: &*store,
                topics: &config.topics,
                fresh: &config.defaults.clone().settings(Subjects::default()),
                seal: &Seal::new([7; 32]),
                render: &Renderers,
                now: at(31),
            };
            match command::reply(&question, &context).unwrap() {
                Reply::Answer(answer) => answer.message.to_plain(),
                Reply::Needs(need) => panic!("{need:?}"),
            }
        };
        let before = answer();
        assert!(before.starts_with("4. "), "{before}");
        let (storage, _thread) = Storage::start(store.clone()).unwrap();
        assert_eq!(archive_due(&storage, at(30)).await, Ok(0));
        assert_eq!(archive_due(&storage, at(31)).await, Ok(groups));
        assert_eq!(store.delivery(&deliveries[0].id), Ok(None));
        assert_eq!(answer(), before);
        storage.close();
    }

    #[tokio::test(start_paused = true)]
    async fn the_store_is_measured_every_day_and_not_kept_open() {
        let dir = tempfile::tempdir().unwrap();
        let store = Arc::new(SledStore::open(dir.path()).unwrap());
        let (ops, stop) = (Ops::new(DateTime::UNIX_EPOCH), CancellationToken::new());
        let task = tokio::spawn(measure(Arc::downgrade(&store), ops.clone(), stop.clone()));
        let (storage, thread) = Storage::start(Arc::new(ModelStore::new())).unwrap();
        let mut known = 0;
        for day in 0..2 {
            let paper = Paper::new(PaperId::Arxiv(format!("2602.9000{day}")));
            store.commit(vec![Write::Paper(Box::new(paper))]).unwrap();
            // Days pass by themselves while everybody waits, also in the middle of a scrape.
            let measured = async {
                loop {
                    tokio::time::sleep(MEASURE_EVERY).await;
                    let text = ops.scrape(&storage).await.unwrap();
                    let live = text.lines().find_map(|l| l.strip_prefix("paperwire_store_live_bytes "));
                    let live: u64 = live.unwrap().parse().unwrap();
                    if live > known {
                        return live;
                    }
                }
            };
            known = tokio::time::timeout(100 * MEASURE_EVERY, measured).await.unwrap();
        }
        stop.cancel();
        assert_eq!(task.await.unwrap(), Ok(()));
        storage.close();
        thread.join().unwrap();
        assert_eq!(Arc::strong_count(&store), 1);
    }
}
