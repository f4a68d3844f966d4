//! One thread owns the store. Jobs are closures that it runs one after the other, so a stage's reads and its commit are
//! never interleaved with another's; all jobs that wait when it wakes share one sync, and each is answered only when
//! what it committed is durable.
//!
//! A job that only writes can say so ([`Storage::write`]): such jobs that stand next to each other share one commit, since a
//! commit costs the store nearly as much as the sync.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;

use paperwire_core::store::{Store, StoreError, Write};
use tokio::sync::{oneshot, watch};

/// The most jobs that share one sync.
const TURN: usize = 1_000;

enum Job {
    Run(Work),
    Write(Vec<Write>, oneshot::Sender<Result<(), StorageError>>),
    Close,
}

type Work = Box<dyn FnOnce(&dyn Store) -> Answer + Send>;
/// Called after the sync with its result.
type Answer = Box<dyn FnOnce(Result<(), StoreError>) + Send>;

/// The storage thread has ended: the store is broken, or the program stops.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StorageError {
    /// A read or write failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The job panicked: a defect of ours, told in the log. The store itself is not affected: a job's changes are one
    /// commit at its end.
    #[error("a defect of Paperwire stopped this; the log says more")]
    Panicked,
    /// Nobody is there to answer.
    #[error("the storage thread has ended")]
    Closed,
}

/// A handle on the storage thread; cheap to clone.
#[derive(Clone)]
pub struct Storage {
    jobs: Sender<Job>,
    broken: watch::Receiver<Option<StoreError>>,
    /// Weak, so that a handle that is left over keeps no store open.
    store: Weak<dyn Store>,
}

impl std::fmt::Debug for Storage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Storage")
    }
}

impl Storage {
    /// Starts the thread. It ends with [`Storage::close`], or when the last handle is gone; join the returned handle to
    /// know that it has.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(store: Arc<dyn Store>) -> std::io::Result<(Self, JoinHandle<()>)> {
        let (jobs, queue) = channel();
        let (breaks, broken) = watch::channel(None);
        let reading = Arc::downgrade(&store);
        let thread = std::thread::Builder::new()
            .name("storage".into())
            .spawn(move || serve(&*store, &queue, &breaks))?;
        let storage = Self {
            jobs,
            broken,
            store: reading,
        };
        Ok((storage, thread))
    }

    /// Has the thread end after the jobs that wait now. Handles that are still around then get [`StorageError::Closed`].
    pub fn close(&self) {
        // A thread that has ended already is closed.
        let _ = self.jobs.send(Job::Close);
    }

    /// Waits until the store cannot be used any more, whoever met it, and says why.
    pub async fn broken(mut self) -> StorageError {
        match self.broken.wait_for(Option::is_some).await.as_deref() {
            Ok(Some(why)) => StorageError::Store(why.clone()),
            Ok(None) | Err(_) => StorageError::Closed,
        }
    }

    /// Runs `job` on the storage thread and waits until what it committed is durable.
    ///
    /// # Errors
    /// What the job or the sync says, or [`StorageError::Closed`].
    pub async fn run<T, F>(&self, job: F) -> Result<T, StorageError>
    where
        T: Send + 'static,
        F: FnOnce(&dyn Store) -> Result<T, StoreError> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let work: Work = Box::new(move |store| {
            let result = catch_unwind(AssertUnwindSafe(|| job(store)));
            Box::new(move |synced| {
                let result = match result {
                    Ok(result) => synced.and(result).map_err(StorageError::from),
                    Err(_) => Err(StorageError::Panicked),
                };
                // The asker may have gone away; then nobody misses the answer.
                let _ = answer.send(result);
            })
        });
        self.jobs.send(Job::Run(work)).map_err(|_| StorageError::Closed)?;
        answered.await.map_err(|_| StorageError::Closed)?
    }

    /// Runs `job`, which only reads, beside the storage thread: what takes long keeps no delivery waiting. It sees all that
    /// was committed before, and may see part of what is committed meanwhile.
    ///
    /// # Errors
    /// What the job says, or [`StorageError::Closed`].
    pub async fn read<T, F>(&self, job: F) -> Result<T, StorageError>
    where
        T: Send + 'static,
        F: FnOnce(&dyn Store) -> Result<T, StoreError> + Send + 'static,
    {
        let store = self.store.upgrade().ok_or(StorageError::Closed)?;
        let reading = tokio::task::spawn_blocking(move || job(&*store));
        let read = reading.await.map_err(|_| StorageError::Panicked)?;
        read.map_err(StorageError::from)
    }

    /// How many hold the store: one more for each read that is under way.
    #[cfg(test)]
    pub(crate) fn holders(&self) -> usize {
        self.store.strong_count()
    }

    /// Commits `writes`, whole or not at all, and waits until they are durable. What they do may not depend on what the
    /// store says at that moment: they share a commit with those that wait beside them.
    ///
    /// # Errors
    /// What the commit or the sync says, or [`StorageError::Closed`].
    pub async fn write(&self, writes: Vec<Write>) -> Result<(), StorageError> {
        let (answer, answered) = oneshot::channel();
        self.jobs
            .send(Job::Write(writes, answer))
            .map_err(|_| StorageError::Closed)?;
        answered.await.map_err(|_| StorageError::Closed)?
    }
}

/// Jobs that only write and stand next to each other.
type Writers = Vec<(Vec<Write>, oneshot::Sender<Result<(), StorageError>>)>;

/// Commits them together, or one by one if the store refuses one of them, so that no other fails with it.
fn commit(commit: &dyn Fn(Vec<Write>) -> Result<(), StoreError>, writers: Writers, answers: &mut Vec<Answer>) {
    let whole: Vec<Write> = writers.iter().flat_map(|(writes, _)| writes).cloned().collect();
    let together = if whole.is_empty() { Ok(()) } else { commit(whole) };
    for (writes, answer) in writers {
        let committed = match &together {
            Err(StoreError::Damaged { .. }) => commit(writes),
            Ok(()) | Err(StoreError::Broken(_)) => together.clone(),
        };
        answers.push(Box::new(move |synced| {
            // The asker may have gone away; then nobody misses the answer.
            let _ = answer.send(synced.and(committed).map_err(StorageError::from));
        }));
    }
}

fn serve(store: &dyn Store, queue: &Receiver<Job>, breaks: &watch::Sender<Option<StoreError>>) {
    let mut closing = false;
    while !closing && let Ok(first) = queue.recv() {
        let mut next = Some(first);
        let mut answers = Vec::new();
        let mut writers = Writers::new();
        while let Some(job) = next {
            match job {
                Job::Run(work) => {
                    // It sees what was written before it.
                    commit(
                        &|writes| store.commit(writes),
                        std::mem::take(&mut writers),
                        &mut answers,
                    );
                    answers.push(work(store));
                }
                Job::Write(writes, answer) => writers.push((writes, answer)),
                Job::Close => closing = true,
            }
            next = if closing || answers.len() + writers.len() >= TURN {
                None
            } else {
                queue.try_recv().ok()
            };
        }
        commit(&|writes| store.commit(writes), writers, &mut answers);
        // A store that a job's commit broke cannot be synced either.
        let synced = store.sync();
        if let Err(why) = &synced {
            breaks.send_replace(Some(why.clone()));
        }
        for answer in answers {
            answer(synced.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use paperwire_core::paper::{Paper, PaperId};
    use paperwire_core::store::{ModelStore, Write};

    use super::*;

    fn put(n: u32) -> impl FnOnce(&dyn Store) -> Result<(), StoreError> + Send + 'static {
        move |store| {
            let paper = Paper::new(PaperId::Arxiv(format!("2602.9{n:04}")));
            store.commit(vec![Write::Paper(Box::new(paper))])
        }
    }

    #[tokio::test]
    async fn closing_does_what_waits_and_ends_the_thread_although_handles_are_left() {
        let (storage, thread) = Storage::start(Arc::new(ModelStore::default())).unwrap();
        let handle = storage.clone();
        let waiting = tokio::spawn(async move { handle.run(put(1)).await });
        waiting.await.unwrap().unwrap();
        storage.close();
        thread.join().unwrap();
        assert_eq!(storage.run(put(2)).await, Err(StorageError::Closed));
    }

    #[tokio::test]
    async fn a_job_that_panics_takes_no_other_with_it() {
        let (storage, _thread) = Storage::start(Arc::new(ModelStore::default())).unwrap();
        let panicked: Result<(), StorageError> = storage.run(|_| panic!("this is what the test is for")).await;
        assert_eq!(panicked, Err(StorageError::Panicked));
        assert_eq!(storage.run(put(1)).await, Ok(()));
    }

    #[tokio::test]
    async fn writers_share_a_commit_and_who_reads_behind_them_sees_it() {
        let (storage, _thread) = Storage::start(Arc::new(ModelStore::default())).unwrap();
        let paper = |n: u32| PaperId::Arxiv(format!("2602.9{n:04}"));
        let (first, second, read, third) = tokio::join!(
            storage.write(vec![Write::Paper(Box::new(Paper::new(paper(1))))]),
            storage.write(vec![Write::Paper(Box::new(Paper::new(paper(2))))]),
            storage.run(move |store| Ok((store.paper(&paper(2))?, store.paper(&paper(3))?))),
            storage.write(vec![Write::Paper(Box::new(Paper::new(paper(3))))]),
        );
        assert_eq!((first, second, third), (Ok(()), Ok(()), Ok(())));
        let (written, not_yet) = read.unwrap();
        assert!(written.is_some() && not_yet.is_none());
    }

    #[test]
    fn a_writer_that_the_store_refuses_takes_no_other_with_it() {
        /// Refuses each commit that removes a channel.
        struct Picky(ModelStore);
        impl Picky {
            fn commit(&self, writes: Vec<Write>) -> Result<(), StoreError> {
                if writes.iter().any(|write| matches!(write, Write::RemoveChannel(_))) {
                    let (key, reason) = ("channel".to_owned(), "it is too long".to_owned());
                    return Err(StoreError::Damaged { key, reason });
                }
                self.0.commit(writes)
            }
        }
        let store = Picky(ModelStore::default());
        let id = PaperId::Arxiv("2602.90001".to_owned());
        let good = vec![Write::Paper(Box::new(Paper::new(id.clone())))];
        let bad = vec![Write::RemoveChannel(paperwire_core::channel::Place::telegram(1, None))];
        let (mut asked, writers): (Vec<_>, Writers) = [good, bad]
            .into_iter()
            .map(|writes| {
                let (answer, answered) = oneshot::channel();
                (answered, (writes, answer))
            })
            .unzip();
        let mut answers = Vec::new();
        commit(&|writes| store.commit(writes), writers, &mut answers);
        answers.into_iter().for_each(|answer| answer(Ok(())));
        let refused = asked.pop().unwrap().blocking_recv().unwrap();
        assert!(matches!(refused, Err(StorageError::Store(StoreError::Damaged { .. }))));
        assert_eq!(asked.pop().unwrap().blocking_recv().unwrap(), Ok(()));
        assert!(store.0.paper(&id).unwrap().is_some());
    }

    #[tokio::test]
    async fn a_job_sees_what_the_job_before_it_committed() {
        let (storage, _thread) = Storage::start(Arc::new(ModelStore::default())).unwrap();
        let written = storage.run(put(1));
        let read = storage.run(|store| store.paper(&PaperId::Arxiv("2602.90001".to_owned())));
        let (written, read) = tokio::join!(written, read);
        assert_eq!(written, Ok(()));
        assert!(read.unwrap().is_some());
    }
}
