//! One thread owns the store. Jobs are closures that it runs one after the other, so a stage's reads and its commit are
//! never interleaved with another's; all jobs that wait when it wakes share one sync, and each is answered only when
//! what it committed is durable.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use paperwire_core::store::{Store, StoreError};
use tokio::sync::oneshot;

/// The most jobs that share one sync.
const TURN: usize = 1_000;

type Job = Box<dyn FnOnce(&dyn Store) -> Answer + Send>;
/// Called after the sync with its result.
type Answer = Box<dyn FnOnce(Result<(), StoreError>) + Send>;

/// The storage thread has ended: the store is broken, or the program stops.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StorageError {
    /// A read or write failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Nobody is there to answer.
    #[error("the storage thread has ended")]
    Closed,
}

/// A handle on the storage thread; cheap to clone.
#[derive(Clone)]
pub struct Storage {
    jobs: Sender<Job>,
}

impl std::fmt::Debug for Storage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Storage")
    }
}

impl Storage {
    /// Starts the thread. It ends when the last handle is gone; join the returned handle to know that it has.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(store: Arc<dyn Store>) -> std::io::Result<(Self, JoinHandle<()>)> {
        let (jobs, queue) = channel();
        let thread = std::thread::Builder::new()
            .name("storage".into())
            .spawn(move || serve(&*store, &queue))?;
        Ok((Self { jobs }, thread))
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
        let boxed: Job = Box::new(move |store| {
            let result = job(store);
            Box::new(move |synced| {
                // The asker may have gone away; then nobody misses the answer.
                let _ = answer.send(synced.and(result));
            })
        });
        self.jobs.send(boxed).map_err(|_| StorageError::Closed)?;
        Ok(answered.await.map_err(|_| StorageError::Closed)??)
    }
}

fn serve(store: &dyn Store, queue: &Receiver<Job>) {
    while let Ok(first) = queue.recv() {
        let mut answers = vec![first(store)];
        while answers.len() < TURN
            && let Ok(next) = queue.try_recv()
        {
            answers.push(next(store));
        }
        let synced = store.sync();
        for answer in answers {
            answer(synced.clone());
        }
    }
}
