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

enum Work {
    Job(Job),
    End,
}

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
    work: Sender<Work>,
}

impl std::fmt::Debug for Storage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Storage")
    }
}

impl Storage {
    /// Starts the thread. It ends at [`Storage::end`] or when the last handle is gone; join the returned handle to know
    /// that it has.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(store: Arc<dyn Store>) -> std::io::Result<(Self, JoinHandle<()>)> {
        let (work, queue) = channel();
        let thread = std::thread::Builder::new()
            .name("storage".into())
            .spawn(move || serve(&*store, &queue))?;
        Ok((Self { work }, thread))
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
        self.work.send(Work::Job(boxed)).map_err(|_| StorageError::Closed)?;
        Ok(answered.await.map_err(|_| StorageError::Closed)??)
    }

    /// Ends the thread when it has done all that was asked before. Handles that others still keep, a demo's or a late
    /// task's, must not keep the store open: from now on they say [`StorageError::Closed`].
    pub fn end(&self) {
        // Fails only when it has ended already.
        let _ = self.work.send(Work::End);
    }
}

fn serve(store: &dyn Store, queue: &Receiver<Work>) {
    while let Ok(Work::Job(first)) = queue.recv() {
        let mut answers = vec![first(store)];
        let mut ends = false;
        while answers.len() < TURN && !ends {
            match queue.try_recv() {
                Ok(Work::Job(next)) => answers.push(next(store)),
                Ok(Work::End) => ends = true,
                Err(_) => break,
            }
        }
        let synced = store.sync();
        for answer in answers {
            answer(synced.clone());
        }
        if ends {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use paperwire_core::store::ModelStore;

    use super::*;

    #[tokio::test]
    async fn an_end_waits_for_what_was_asked_before_and_not_for_handles_that_are_kept() {
        let (storage, thread) = Storage::start(Arc::new(ModelStore::new())).unwrap();
        let kept = storage.clone();
        let ending = storage.clone();
        let asked = storage.run(move |store| {
            ending.end();
            store.head()
        });
        assert_eq!(asked.await, Ok(0));
        thread.join().unwrap();
        assert_eq!(kept.run(|store| store.head()).await, Err(StorageError::Closed));
    }
}
