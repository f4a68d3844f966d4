//! Durable jobs: a delivery is queued with what it delivers, then settled, and each of the two is on disk before the next
//! begins. Beside it, in the same run and on the same disk, the least that any queue must do: append to a file and sync it,
//! in groups.
//!
//! Queueing writes what the raw log does, about `RECORD` bytes: the part to be sent, which is written once, and the
//! delivery, which is small and changes. Settling rewrites the delivery alone, as the program does.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use paperwire_core::channel::{Place, Style};
use paperwire_core::delivery::{Delivery, DeliveryId, State};
use paperwire_core::digest::{DigestId, RenderingId};
use paperwire_core::locale::Lang;
use paperwire_core::message::Part;
use paperwire_core::store::{SledStore, Write};
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::{Row, Scratch, Table, percentile};
use crate::clock;
use crate::storage::Storage;

/// What one queued job weighs, in bytes.
const RECORD: usize = 2_048;
/// What a settlement weighs in the raw log: it names the job and says what became of it.
const RAW_SETTLEMENT: usize = 256;
/// How much of [`RECORD`] is the delivery; the rest is the part.
const DELIVERY: usize = 512;
/// How many deliveries the big commit has.
const BIG: usize = 1_000;
/// How often both are measured in turn, so that a noisy minute meets both.
const ROUNDS: u32 = 4;

/// What is measured.
#[derive(Debug, Clone, clap::Args)]
pub struct Options {
    /// Clients at the same time, each with one job under way.
    #[arg(long, default_value_t = 64)]
    pub clients: u32,
    /// How long each side runs.
    #[arg(long, default_value_t = 4.0)]
    pub seconds: f64,
}

/// Jobs that were done in a time, and how long it took to queue each, in microseconds.
#[derive(Debug, Default)]
struct Done {
    jobs: u64,
    time: Duration,
    queueing: Vec<i64>,
}

impl Done {
    fn add(&mut self, other: Self) {
        self.jobs += other.jobs;
        self.time += other.time;
        self.queueing.extend(other.queueing);
    }

    fn per_second(&self) -> f64 {
        self.jobs as f64 / self.time.as_secs_f64().max(1e-9)
    }

    /// Half of them, and all but one in a hundred, took at most so many milliseconds.
    fn latencies(&mut self) -> (f64, f64) {
        let mut at = |share| percentile(&mut self.queueing, share).unwrap_or_default() as f64 / 1_000.0;
        (at(0.5), at(0.99))
    }
}

/// Measures.
///
/// # Errors
/// When the disk or the store refuses.
pub async fn run(options: &Options) -> anyhow::Result<Table> {
    let scratch = Scratch::new("queue")?;
    let store = Arc::new(SledStore::open(&scratch.path().join("store"))?);
    let (storage, thread) = Storage::start(store)?;
    let time = Duration::from_secs_f64(options.seconds) / ROUNDS;
    let (mut raw, mut ours, mut alone) = (Done::default(), Done::default(), Done::default());
    for round in 0..ROUNDS {
        raw.add(raw_log(&scratch.path().join("log"), options.clients, time).await?);
        ours.add(deliveries(&storage, round * 2, options.clients, time, Commits::Shared).await?);
        alone.add(deliveries(&storage, round * 2 + 1, options.clients, time, Commits::Own).await?);
    }
    let mut big = Vec::new();
    for round in 0..5 {
        let batch: Vec<Write> = (0..BIG)
            .map(|n| Write::Delivery(Box::new(delivery(1_000_000 + n as i64, ROUNDS * 2 + round, 0))))
            .collect();
        let began = Instant::now();
        storage.run(move |store| store.commit(batch)).await?;
        big.push(micros(began));
    }
    storage.close();
    let joined = tokio::task::spawn_blocking(move || thread.join()).await?;
    joined.map_err(|_| anyhow!("the storage thread panicked"))?;
    let big = percentile(&mut big, 0.5).unwrap_or_default() as f64 / 1_000.0;
    let clients = options.clients;
    let (our_p50, our_p99) = ours.latencies();
    let (raw_p50, raw_p99) = raw.latencies();
    let rate = |done: &Done| (done.per_second(), format!("{:.0}/s", done.per_second()));
    let ms = |ms: f64| (ms, format!("{ms:.2} ms"));
    Ok(Table(vec![
        Row::against(
            format!("durable jobs, {clients} clients ÷ raw append log"),
            rate(&ours),
            rate(&raw),
            "≥ 0.8",
        ),
        Row::against(
            "the same, each job with a commit of its own",
            rate(&alone),
            rate(&raw),
            "",
        ),
        Row::against("queueing one, p50 ÷ raw append log", ms(our_p50), ms(raw_p50), ""),
        Row::against("queueing one, p99 ÷ raw append log", ms(our_p99), ms(raw_p99), ""),
        Row::plain(
            format!("one commit of {BIG} deliveries and its sync"),
            format!("{big:.1} ms"),
            "",
        ),
    ]))
}

fn micros(since: Instant) -> i64 {
    i64::try_from(since.elapsed().as_micros()).unwrap_or(i64::MAX)
}

/// Runs one client after the other's answer for `time`, `clients` of them at once.
async fn closed_loop<F>(
    clients: u32,
    time: Duration,
    client: impl Fn(u32, Arc<AtomicBool>) -> F,
) -> anyhow::Result<Done>
where
    F: Future<Output = anyhow::Result<(u64, Vec<i64>)>> + Send + 'static,
{
    let over = Arc::new(AtomicBool::new(false));
    let began = Instant::now();
    let mut tasks = JoinSet::new();
    for n in 0..clients {
        tasks.spawn(client(n, Arc::clone(&over)));
    }
    tokio::time::sleep(time).await;
    over.store(true, Ordering::Relaxed);
    let mut done = Done::default();
    while let Some(ended) = tasks.join_next().await {
        let (jobs, queueing) = ended??;
        done.jobs += jobs;
        done.queueing.extend(queueing);
    }
    done.time = began.elapsed();
    Ok(done)
}

/// Whether the jobs of a turn share a commit; they share a sync in any case.
#[derive(Debug, Clone, Copy)]
enum Commits {
    Shared,
    Own,
}

/// The storage thread over the real store.
async fn deliveries(
    storage: &Storage,
    round: u32,
    clients: u32,
    time: Duration,
    commits: Commits,
) -> anyhow::Result<Done> {
    closed_loop(clients, time, |client, over| {
        let storage = storage.clone();
        async move {
            let put = async |writes: Vec<Write>| match commits {
                Commits::Shared => storage.write(writes).await,
                Commits::Own => storage.run(move |store| store.commit(writes)).await,
            };
            // As incompressible as text can be, and made before the time runs, as the raw log's is.
            let noise = noise(u64::from(client), RECORD - DELIVERY);
            let payload: String = noise.iter().map(|byte| char::from(b'#' + byte % 57)).collect();
            let (mut jobs, mut queueing) = (0, Vec::new());
            while !over.load(Ordering::Relaxed) {
                let mut job = delivery(i64::from(client) + 1, round, jobs);
                let part = Write::Rendering {
                    id: job.rendering.clone(),
                    parts: vec![Part {
                        payload: payload.clone(),
                    }],
                };
                let began = Instant::now();
                put(vec![part, Write::Delivery(Box::new(job.clone()))]).await?;
                queueing.push(micros(began));
                job.message_ids.push(jobs.to_string());
                job.state = State::Sent { at: clock::now() };
                put(vec![Write::Delivery(Box::new(job))]).await?;
                jobs += 1;
            }
            Ok((jobs, queueing))
        }
    })
    .await
}

/// A fresh delivery, about [`DELIVERY`] bytes on disk; each has a digest of its own.
fn delivery(chat: i64, round: u32, job: u64) -> Delivery {
    let digest = DigestId {
        set: (u64::from(round) << 56) + (chat.unsigned_abs() << 32) + job,
        occurrence: chrono::DateTime::UNIX_EPOCH,
    };
    let place = Place::telegram(chat, None);
    let rendering = RenderingId {
        digest,
        platform: place.platform(),
        lang: Lang::En,
        style: Style::Compact,
        zone: chrono_tz::UTC,
        revision: 0,
    };
    Delivery::new(DeliveryId::post(place, digest), rendering, 1, clock::now())
}

/// Bytes that do not compress, from a seed (splitmix64).
fn noise(seed: u64, bytes: usize) -> Vec<u8> {
    let mut state = seed;
    let words = std::iter::repeat_with(|| {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        (mixed ^ (mixed >> 27))
            .wrapping_mul(0x94d0_49bb_1331_11eb)
            .to_le_bytes()
    });
    words.flatten().take(bytes).collect()
}

type Append = (Vec<u8>, oneshot::Sender<std::io::Result<()>>);

/// One thread that appends what waits, syncs once and answers all.
async fn raw_log(path: &Path, clients: u32, time: Duration) -> anyhow::Result<Done> {
    let mut file = File::options().create(true).append(true).open(path)?;
    let (appends, waiting) = mpsc::channel::<Append>();
    let thread = std::thread::spawn(move || {
        while let Ok(first) = waiting.recv() {
            let group: Vec<Append> = std::iter::once(first).chain(waiting.try_iter()).collect();
            let bytes: Vec<u8> = group.iter().flat_map(|(bytes, _)| bytes).copied().collect();
            let written = file.write_all(&bytes).and_then(|()| file.sync_data());
            for (_, answer) in group {
                // An error's kind is enough here.
                let _ = answer.send(written.as_ref().map(|_| ()).map_err(|error| error.kind().into()));
            }
        }
    });
    let done = closed_loop(clients, time, |client, over| {
        let appends = appends.clone();
        async move {
            let record = noise(u64::from(client), RECORD);
            let append = async |bytes: &[u8]| -> anyhow::Result<()> {
                let (answer, answered) = oneshot::channel();
                appends
                    .send((bytes.to_vec(), answer))
                    .ok()
                    .context("the log has ended")?;
                Ok(answered.await??)
            };
            let (mut jobs, mut queueing) = (0, Vec::new());
            while !over.load(Ordering::Relaxed) {
                let began = Instant::now();
                append(&record).await?;
                queueing.push(micros(began));
                append(record.get(..RAW_SETTLEMENT).unwrap_or_default()).await?;
                jobs += 1;
            }
            Ok((jobs, queueing))
        }
    })
    .await;
    drop(appends);
    tokio::task::spawn_blocking(move || thread.join())
        .await?
        .map_err(|_| anyhow!("the log's thread panicked"))?;
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn both_sides_do_jobs_and_stand_in_one_table() {
        let options = Options {
            clients: 4,
            seconds: 0.2,
        };
        let table = run(&options).await.unwrap();
        let first = table.0.first().unwrap();
        assert!(first.ratio.is_some_and(|ratio| ratio > 0.0), "{table}");
        assert_eq!(table.0.len(), 5, "{table}");
    }
}
