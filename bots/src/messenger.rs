//! What a platform must be able to do for a delivery: send one part, edit it, look for it, and say exactly what became of
//! it.

use futures::future::BoxFuture;
use paperwire_core::channel::{Place, Platform};
use paperwire_core::command::press::Button;
use paperwire_core::delivery::{Looked, Missing, SendError, Tag};
use paperwire_core::limiter::Signal;
use paperwire_core::message::{Message, Part};

/// A platform's answer to one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// The platform's id of the message, or what went wrong.
    pub outcome: Result<String, SendError>,
    /// What it said about its limits.
    pub signal: Signal,
}

impl From<Result<String, SendError>> for Answered {
    /// An answer that says nothing about limits.
    fn from(outcome: Result<String, SendError>) -> Self {
        Self {
            outcome,
            signal: Signal::default(),
        }
    }
}

/// Who is told something.
#[derive(Debug, Clone, Copy)]
pub enum Whom<'a> {
    /// A person, by the platform's id of them.
    Person(&'a str),
    /// Everybody in a place.
    Place(&'a Place),
}

/// A platform that parts can be sent to. No method retries or waits for a rate limit: the caller does.
pub trait Messenger: Send + Sync {
    /// Which one.
    fn platform(&self) -> Platform;

    /// Sends one part to a place, once.
    fn send<'a>(&'a self, place: &'a Place, part: &'a Part, tag: &'a Tag) -> BoxFuture<'a, Answered>;

    /// Looks whether a part is there of which nobody knows whether it arrived. Changes nothing.
    fn look<'a>(&'a self, place: &'a Place, part: &'a Part, missing: &'a Missing) -> BoxFuture<'a, Looked>;

    /// Puts `part` in the place of a message that was sent before with the same tag.
    fn edit<'a>(&'a self, place: &'a Place, message: &'a str, part: &'a Part, tag: &'a Tag) -> BoxFuture<'a, Answered>;

    /// Tells somebody something beside the digests, with rows of buttons below it; a person in private, where the platform
    /// lets a bot do that.
    ///
    /// # Errors
    /// What became of the first part that could not be sent; a person who wants nothing of the bot is [`SendError::Gone`].
    fn tell<'a>(
        &'a self,
        whom: Whom<'a>,
        message: &'a Message,
        buttons: &'a [Vec<Button>],
    ) -> BoxFuture<'a, Result<(), SendError>>;

    /// Whether nothing may be posted there for now: another program works with the same token.
    fn is_barred(&self) -> bool {
        false
    }

    /// The part with nothing in it but text, for a platform that refuses it as it is; within the platform's limits.
    fn plain(&self, part: &Part) -> Part;
}
