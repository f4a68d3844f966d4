//! A forum has no text of its own: a digest becomes a post in it, a thread whose first message is the digest's first part
//! (Start Thread in Forum or Media Channel); the parts behind it go into that thread. The first message has the thread's
//! id, so that a digest's earliest message names its post for good.
//!
//! Making a post knows no nonce. One that may have been made is looked for before it is made again: among the bot's own
//! threads since then, open or closed, the one whose first message has the part's mark.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use paperwire_core::channel::Place;
use paperwire_core::delivery::{LOOK_AFTER, Looked, SendError, Tag};
use paperwire_core::limiter::Bucket;
use paperwire_core::message::Part;
use reqwest::{Method, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::markup;
use super::sender::{
    CLOCKS_DIFFER, EDITABLE, HISTORY_HELP, Heard, PAGE, PAGES, Sender, Standing, is_id, keyed, mark, of_reading,
    rejected, snowflake, unreadable,
};
use crate::clock;
use crate::gate::sleep_until;
use crate::messenger::Answered;

/// `GUILD_FORUM` and `GUILD_MEDIA` (Channel Types).
const FORUMS: [u64; 2] = [15, 16];
/// Every post must have a tag (Channel Flags).
const REQUIRE_TAG: u64 = 1 << 4;
/// How many of the bot's own threads are opened in search of a post.
const OPENED: usize = 50;
/// The longest that looking for a post takes before it is made: with what is sent afterwards it stays within a lease.
const LOOKING: Duration = Duration::from_secs(60);

/// “Cannot send a message in a forum channel”, “Cannot send messages in a non-text channel” (JSON Error Codes).
pub(super) const NO_TEXT: [u32; 2] = [40_058, 50_008];
/// “Unknown tag”, “There are no tags available …”, “A tag is required to create a forum post in this channel”.
const TAGS: [u32; 3] = [10_087, 40_066, 40_067];
/// “Tried to perform an operation on an archived thread”.
const ARCHIVED: u32 = 50_083;
/// “Unknown Channel”, “Thread is locked”: about the post alone, not about its forum.
const CLOSED: [u32; 3] = [10_003, 160_005, ARCHIVED];

/// What a channel is, as far as posting is concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// Messages stand in it.
    Text,
    /// Posts stand in it.
    Forum(Forum),
}

/// A forum or media channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Forum {
    id: String,
    guild: String,
    /// For every post, where it must have one.
    tag: Option<String>,
}

/// What is known of channels of which something had to be known: most of them are never asked about.
#[derive(Debug, Default)]
pub(super) struct Kinds(Mutex<HashMap<String, Kind>>);

impl Kinds {
    pub(super) fn get(&self, place: &Place) -> Option<Kind> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(place.chat()).cloned()
    }

    fn put(&self, place: &Place, kind: Kind) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(place.chat().to_owned(), kind);
    }

    fn forget(&self, place: &Place) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(place.chat());
    }
}

/// A channel object, of its fields those that tell how to post.
#[derive(Deserialize)]
struct Described {
    id: String,
    #[serde(rename = "type")]
    kind: u64,
    guild_id: Option<String>,
    #[serde(default)]
    flags: u64,
    #[serde(default)]
    available_tags: Vec<ForumTag>,
}

#[derive(Deserialize)]
struct ForumTag {
    id: String,
    /// Only moderators may use it.
    #[serde(default)]
    moderated: bool,
}

impl From<Described> for Kind {
    fn from(described: Described) -> Self {
        let Described {
            id,
            kind,
            guild_id,
            flags,
            available_tags: tags,
        } = described;
        if !FORUMS.contains(&kind) {
            return Self::Text;
        }
        let free = tags.iter().find(|tag| !tag.moderated).or(tags.first());
        Self::Forum(Forum {
            id,
            guild: guild_id.unwrap_or_default(),
            tag: free.filter(|_| flags & REQUIRE_TAG != 0).map(|tag| tag.id.clone()),
        })
    }
}

/// Threads of a forum: of their fields those that tell whose they are and since when they are closed.
#[derive(Deserialize)]
struct Threads {
    threads: Vec<Thread>,
    #[serde(default)]
    has_more: bool,
}

#[derive(Deserialize)]
struct Thread {
    id: String,
    owner_id: Option<String>,
    parent_id: Option<String>,
    thread_metadata: Option<ThreadMetadata>,
}

#[derive(Deserialize)]
struct ThreadMetadata {
    archive_timestamp: String,
}

/// Why it cannot be looked for, for now or for good.
enum Hidden {
    Forbidden(String),
    Failed(SendError),
}

fn read<T: DeserializeOwned>(heard: Heard) -> Result<T, Hidden> {
    match heard.outcome {
        Ok(answer) => serde_json::from_slice(&answer).map_err(|error| Hidden::Failed(unreadable(&error.to_string()))),
        Err(SendError::Gone { reason }) if heard.status == Some(StatusCode::FORBIDDEN) => {
            Err(Hidden::Forbidden(format!("{reason}: {HISTORY_HELP}")))
        }
        Err(error) => Err(Hidden::Failed(of_reading(error))),
    }
}

impl Sender {
    /// What a channel is: asked once.
    pub(super) async fn kind(&self, place: &Place) -> Result<Kind, Heard> {
        if let Some(known) = self.kinds.get(place) {
            return Ok(known);
        }
        let mut heard = self
            .aside(Method::GET, &format!("/channels/{}", place.chat()), None)
            .await;
        let described = heard.outcome.and_then(|answer| {
            serde_json::from_slice::<Described>(&answer).map_err(|error| unreadable(&error.to_string()))
        });
        match described {
            Ok(described) => {
                let kind = Kind::from(described);
                self.kinds.put(place, kind.clone());
                Ok(kind)
            }
            Err(error) => {
                heard.outcome = Err(of_reading(error));
                Err(heard)
            }
        }
    }

    /// Puts a part into its digest's post, or makes the post with it.
    pub(super) async fn post_in(
        &self,
        place: &Place,
        forum: &Forum,
        part: &Part,
        body: Map<String, Value>,
        tag: &Tag,
    ) -> Answered {
        if let Some(post) = &tag.first {
            return self.in_post(Method::POST, post, None, keyed(body, tag)).await;
        }
        if let Some(since) = tag.doubted {
            // Discord may still be dealing with a request whose sender is dead.
            sleep_until((since + LOOK_AFTER).min(clock::steady() + LOOK_AFTER)).await;
            let looking = tokio::time::timeout(LOOKING, self.find_post(forum, since, tag));
            let looked = looking.await.unwrap_or_else(|_| {
                let reason = "looking for the post took too long".to_owned();
                Looked::Failed(SendError::Unreachable { reason })
            });
            match looked {
                Looked::There(id) => return Ok(id).into(),
                Looked::NotThere => {}
                Looked::Undecidable(reason)
                | Looked::Failed(SendError::Rejected { reason } | SendError::Gone { reason }) => {
                    return Err(SendError::Uncertain { reason }).into();
                }
                Looked::Failed(error) => return Err(error).into(),
            }
        }
        self.open(place, forum, part, &body).await
    }

    /// Makes a post.
    async fn open(&self, place: &Place, forum: &Forum, part: &Part, message: &Map<String, Value>) -> Answered {
        let path = format!("/channels/{}/threads", forum.id);
        let mut message = message.clone();
        message.retain(|name, _| EDITABLE.contains(&name.as_str()));
        let body = |forum: &Forum| {
            let mut body = Map::from_iter([
                ("name".to_owned(), json!(markup::name(part))),
                ("message".to_owned(), json!(message)),
            ]);
            if let Some(tag) = &forum.tag {
                body.insert("applied_tags".to_owned(), json!([tag]));
            }
            body
        };
        let (mut answered, code) = self.write(Method::POST, &path, body(forum)).await;
        if code.is_some_and(|code| TAGS.contains(&code)) {
            // Its tags are not what they were.
            self.kinds.forget(place);
            if let Ok(Kind::Forum(anew)) = self.kind(place).await
                && anew.tag != forum.tag
            {
                self.permit().await;
                answered = self.write(Method::POST, &path, body(&anew)).await.0;
            }
        }
        // Of another bucket than messages: how large it is tells nothing about theirs.
        let empty = |bucket: &Bucket| bucket.remaining == 0;
        answered.signal.bucket = answered.signal.bucket.filter(empty);
        answered
    }

    /// Edits a part in its digest's post.
    pub(super) async fn edit_in(&self, message: &str, body: Map<String, Value>, tag: &Tag) -> Answered {
        match &tag.first {
            Some(post) => self.in_post(Method::PATCH, post, Some(message), body).await,
            None => Err(rejected(
                "it is not known in which post of the forum it stands".to_owned(),
            ))
            .into(),
        }
    }

    /// Writes in a post. A closed one is opened for it; a message opens it by itself, and after an edit it is closed again.
    async fn in_post(&self, method: Method, post: &str, message: Option<&str>, body: Map<String, Value>) -> Answered {
        if !is_id(post) {
            return Err(rejected(format!("“{post}” is no post of Discord"))).into();
        }
        let path = match message {
            None => format!("/channels/{post}/messages"),
            Some(message) => format!("/channels/{post}/messages/{message}"),
        };
        let (mut answered, mut code) = self.write(method.clone(), &path, body.clone()).await;
        if code == Some(ARCHIVED) {
            let opened = self.archive(post, false).await;
            code = opened.code;
            answered = match opened.outcome {
                Ok(_) => {
                    self.permit().await;
                    let (answered, said) = self.write(method, &path, body).await;
                    code = said;
                    if message.is_some() {
                        // At worst it is closed again by itself when nobody writes in it.
                        self.archive(post, true).await;
                    }
                    answered
                }
                Err(SendError::Gone { reason }) => Err(rejected(reason)).into(),
                Err(error) => Err(of_reading(error)).into(),
            };
        }
        if let Err(SendError::Gone { reason } | SendError::Rejected { reason }) = &answered.outcome
            && code.is_some_and(|code| CLOSED.contains(&code))
        {
            let reason = format!("{reason}; the digest's post in the forum was deleted or locked");
            answered.outcome = Err(rejected(reason));
        }
        answered
    }

    /// Closes or opens a post (Modify Channel, “Thread”).
    async fn archive(&self, post: &str, archived: bool) -> Heard {
        let body = json!({ "archived": archived });
        self.aside(Method::PATCH, &format!("/channels/{post}"), Some(&body))
            .await
    }

    /// Looks for the post that begins with a part, among those that were made since `since`.
    pub(super) async fn find_post(&self, forum: &Forum, since: DateTime<Utc>, tag: &Tag) -> Looked {
        match self.own_posts(forum, since).await {
            Ok(Some(posts)) => self.with_mark(posts, tag).await.unwrap_or_else(|hidden| match hidden {
                Hidden::Forbidden(reason) => Looked::Undecidable(reason),
                Hidden::Failed(error) => Looked::Failed(error),
            }),
            Ok(None) => Looked::Undecidable("too many posts have been made in the forum since".to_owned()),
            Err(Hidden::Forbidden(reason)) => Looked::Undecidable(reason),
            Err(Hidden::Failed(error)) => Looked::Failed(error),
        }
    }

    async fn with_mark(&self, posts: Vec<String>, tag: &Tag) -> Result<Looked, Hidden> {
        for post in posts {
            let heard = self
                .aside(Method::GET, &format!("/channels/{post}/messages/{post}"), None)
                .await;
            // Somebody has deleted it.
            if heard.status == Some(StatusCode::NOT_FOUND) && heard.code.is_some_and(|code| code != 0) {
                continue;
            }
            let first: Standing = read(heard)?;
            if first.carries(&mark(tag)) {
                return Ok(Looked::There(post));
            }
        }
        Ok(Looked::NotThere)
    }

    /// The bot's own posts that were made since `since`; `None` when there are too many to look through. A post that was made
    /// since then was not closed before.
    async fn own_posts(&self, forum: &Forum, since: DateTime<Utc>) -> Result<Option<Vec<String>>, Hidden> {
        let me = self.me().await.map_err(Hidden::Failed)?;
        let after = snowflake(since).saturating_sub(CLOCKS_DIFFER);
        let is_own = |thread: &Thread| {
            thread.owner_id.as_deref() == Some(me)
                && thread.parent_id.as_ref() == Some(&forum.id)
                && thread.id.parse().is_ok_and(|id: u64| id > after)
        };
        let mut own = Vec::new();
        let active = format!("/guilds/{}/threads/active", forum.guild);
        let active: Threads = read(self.aside(Method::GET, &active, None).await)?;
        own.extend(active.threads.into_iter().filter(is_own).map(|thread| thread.id));
        let closed = format!("/channels/{}/threads/archived/public?limit={PAGE}", forum.id);
        let mut path = closed.clone();
        for page in 1.. {
            let found: Threads = read(self.aside(Method::GET, &path, None).await)?;
            let closed_at = |thread: &Thread| Some(thread.thread_metadata.as_ref()?.archive_timestamp.clone());
            // The latest closed come first.
            let earliest = found.threads.last().and_then(closed_at);
            let is_earlier = earliest
                .as_ref()
                .and_then(|at| at.parse::<DateTime<Utc>>().ok())
                .is_none_or(|at| snowflake(at) < after);
            own.extend(found.threads.into_iter().filter(is_own).map(|thread| thread.id));
            let Some(earliest) = earliest.filter(|_| found.has_more && !is_earlier) else {
                break;
            };
            if page >= PAGES {
                return Ok(None);
            }
            path = format!("{closed}&before={}", earliest.replace('+', "%2B"));
        }
        Ok((own.len() <= OPENED).then_some(own))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(channel: Value) -> Kind {
        serde_json::from_value::<Described>(channel).unwrap().into()
    }

    #[test]
    fn a_forum_that_wants_a_tag_gets_the_first_one_that_everybody_may_use() {
        let tags = json!([{ "id": "1", "name": "mods", "moderated": true }, { "id": "2", "name": "papers" }]);
        let forum = |kind: u64, flags: u64, tags: &Value| json!({ "id": "9", "type": kind, "guild_id": "8", "flags": flags, "available_tags": tags });
        let of = |tag: Option<&str>| {
            Kind::Forum(Forum {
                id: "9".to_owned(),
                guild: "8".to_owned(),
                tag: tag.map(str::to_owned),
            })
        };
        assert_eq!(kind(forum(15, REQUIRE_TAG, &tags)), of(Some("2")));
        assert_eq!(kind(forum(16, REQUIRE_TAG | 1, &json!([tags[0]]))), of(Some("1")));
        assert_eq!(kind(forum(15, REQUIRE_TAG, &json!([]))), of(None));
        assert_eq!(kind(forum(15, 0, &tags)), of(None));
        for text in [0, 2, 5, 11] {
            assert_eq!(kind(json!({ "id": "9", "type": text })), Kind::Text);
        }
    }
}
