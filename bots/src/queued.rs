//! Tells every worker that something was queued.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

/// A bell that many listen to. A stroke while a listener is busy is heard when it listens again.
#[derive(Debug, Clone, Default)]
pub struct Queued {
    listeners: Arc<Mutex<Vec<Arc<Notify>>>>,
}

impl Queued {
    /// A listener of its own.
    pub fn listen(&self) -> Arc<Notify> {
        let listener = Arc::new(Notify::new());
        self.listeners
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(Arc::clone(&listener));
        listener
    }

    /// Something was queued.
    pub fn announce(&self) {
        // `notify_one` keeps one stroke for a listener that does not wait at the moment.
        self.listeners
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
            .for_each(|listener| listener.notify_one());
    }
}
