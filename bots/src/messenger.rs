//! What a platform must be able to do for a delivery: send one part and say exactly what became of it.

use futures::future::BoxFuture;
use paperwire_core::channel::{Place, Platform};
use paperwire_core::delivery::SendError;
use paperwire_core::message::Part;

/// A platform that parts can be sent to.
pub trait Messenger: Send + Sync {
    /// Which one.
    fn platform(&self) -> Platform;

    /// Sends one part to a place, once. `key` is the idempotency key: the same for every try of the same part. Returns
    /// the platform's id of the message. Never retries and never waits for a rate limit: the caller does.
    fn send<'a>(&'a self, place: &'a Place, part: &'a Part, key: &'a str) -> BoxFuture<'a, Result<String, SendError>>;

    /// The part with nothing in it but text, for a platform that refuses it as it is; within the platform's limits.
    fn plain(&self, part: &Part) -> Part;
}
