//! The page as a platform: sending a part means telling whoever looks at the channel just now. What is shown later comes
//! from the store, so nothing is kept here but the last few posts, for the moment between “sent” and “settled” in which
//! the store does not say yet that a post was sent.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Utc};
use futures::future::BoxFuture;
use paperwire_core::channel::{Place, Platform};
use paperwire_core::command::press::Button;
use paperwire_core::delivery::{Looked, Missing, SendError, Tag};
use paperwire_core::message::{Message, Part};
use tokio::sync::broadcast;

use super::markup;
use crate::messenger::{Answered, Messenger, Whom};

/// Posts that a slow reader may be behind; beyond that its stream ends, and it comes back and is told what it missed.
const BEHIND: usize = 64;
/// Posts kept for readers that come between “sent” and “settled”.
const RECENT: usize = 16;

/// A post that was just sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Post {
    /// The channel.
    pub place: Place,
    /// The message id: the delivery's idempotency key, so that a part sent twice is one post.
    pub key: String,
    /// When it was sent.
    pub at: DateTime<Utc>,
    /// What it says.
    pub message: Message,
    /// Whether it takes the place of what was sent under this key before.
    pub edited: bool,
}

/// Where posts are announced to those who look; cheap to clone.
#[derive(Debug, Clone)]
pub struct Live {
    announce: broadcast::Sender<Arc<Post>>,
    recent: Arc<Mutex<VecDeque<Arc<Post>>>>,
}

impl Default for Live {
    fn default() -> Self {
        Self {
            announce: broadcast::Sender::new(BEHIND),
            recent: Arc::default(),
        }
    }
}

impl Live {
    /// Announces a post.
    pub fn publish(&self, post: Post) {
        let post = Arc::new(post);
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        if recent.len() >= RECENT {
            recent.pop_front();
        }
        recent.push_back(Arc::clone(&post));
        // Fails only when nobody looks, and then nobody misses it.
        let _ = self.announce.send(post);
    }

    /// Announces what a post says from now on.
    fn amend(&self, post: Post) {
        let post = Arc::new(post);
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        // Who comes later gets it in the post itself.
        for early in recent.iter_mut().filter(|early| early.key == post.key) {
            let (at, edited) = (early.at, false);
            *early = Arc::new(Post {
                at,
                edited,
                ..Post::clone(&post)
            });
        }
        // Fails only when nobody looks, and then nobody misses it.
        let _ = self.announce.send(post);
    }

    /// The last posts and, without a gap between the two, those to come.
    pub(super) fn listen(&self) -> (Vec<Arc<Post>>, broadcast::Receiver<Arc<Post>>) {
        // Under the lock, so that a post is in the one or in the other.
        let recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        (recent.iter().cloned().collect(), self.announce.subscribe())
    }
}

/// The local page's messenger.
#[derive(Debug, Clone)]
pub struct Sender {
    live: Live,
}

impl Sender {
    /// Sends to those who look through `live`.
    pub fn new(live: Live) -> Self {
        Self { live }
    }
}

fn post(place: &Place, part: &Part, tag: &Tag, edited: bool) -> Result<Post, SendError> {
    let message = markup::read(part).ok_or_else(|| SendError::Rejected {
        reason: "the part is no message of the web page".to_owned(),
    })?;
    Ok(Post {
        place: place.clone(),
        key: tag.key.clone(),
        at: crate::clock::now(),
        message,
        edited,
    })
}

impl Messenger for Sender {
    fn platform(&self) -> Platform {
        Platform::Web
    }

    fn send<'a>(&'a self, place: &'a Place, part: &'a Part, tag: &'a Tag) -> BoxFuture<'a, Answered> {
        let posted = post(place, part, tag, false).map(|post| {
            let key = post.key.clone();
            self.live.publish(post);
            key
        });
        Box::pin(std::future::ready(posted.into()))
    }

    /// A post with the same key takes the place of the first one: sending again is harmless.
    fn look<'a>(&'a self, _: &'a Place, _: &'a Part, missing: &'a Missing) -> BoxFuture<'a, Looked> {
        Box::pin(std::future::ready(Looked::There(missing.tag.key.clone())))
    }

    fn edit<'a>(&'a self, place: &'a Place, _: &'a str, part: &'a Part, tag: &'a Tag) -> BoxFuture<'a, Answered> {
        let edited = post(place, part, tag, true).map(|post| {
            let key = post.key.clone();
            self.live.amend(post);
            key
        });
        Box::pin(std::future::ready(edited.into()))
    }

    /// The page refuses only what it cannot read at all: nothing can be made of that.
    fn plain(&self, part: &Part) -> Part {
        part.clone()
    }

    /// Nobody has a name on the page.
    fn tell<'a>(&'a self, _: Whom<'a>, _: &'a Message, _: &'a [Vec<Button>]) -> BoxFuture<'a, Result<(), SendError>> {
        Box::pin(std::future::ready(Ok(())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lobby() -> Place {
        Place::web("lobby").unwrap()
    }

    #[tokio::test]
    async fn a_sent_part_is_announced_and_its_key_is_the_message_id() {
        let live = Live::default();
        let (_, mut posts) = live.listen();
        let message = Message::sentence("hello");
        let part = markup::render(&message).remove(0);
        assert_eq!(
            Sender::new(live).send(&lobby(), &part, &Tag::only("k1")).await.outcome,
            Ok("k1".to_owned())
        );
        let post = posts.recv().await.unwrap();
        assert_eq!((post.key.as_str(), &post.message), ("k1", &message));
    }

    #[tokio::test]
    async fn a_part_that_is_no_message_is_refused_for_good() {
        let part = Part {
            payload: "{\"content\":1}".into(),
        };
        let sent = Sender::new(Live::default())
            .send(&lobby(), &part, &Tag::only("k"))
            .await
            .outcome;
        assert!(matches!(sent, Err(SendError::Rejected { .. })), "{sent:?}");
    }

    #[tokio::test]
    async fn whoever_comes_just_after_a_post_still_hears_of_it() {
        let live = Live::default();
        let part = markup::render(&Message::sentence("early")).remove(0);
        Sender::new(live.clone())
            .send(&lobby(), &part, &Tag::only("k"))
            .await
            .outcome
            .unwrap();
        let (recent, _) = live.listen();
        assert_eq!(recent.iter().map(|p| p.key.as_str()).collect::<Vec<_>>(), ["k"]);
    }
}
