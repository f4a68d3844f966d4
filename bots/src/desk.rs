//! Where questions are answered, whatever platform they come from.

use futures::future::BoxFuture;
use paperwire_core::channel::Place;
use paperwire_core::command::{Answer, Question};

/// Answers questions. Adapters know only this, so that they can be tested without a store.
pub trait Desk: Send + Sync {
    /// The answer; never fails: what goes wrong is said in the asker's language.
    fn answer(&self, question: Question) -> BoxFuture<'_, Answer>;
    /// A chat has moved (Telegram: a group became a supergroup): everything goes with it.
    fn moved(&self, from: Place, to: Place) -> BoxFuture<'_, ()>;
}
