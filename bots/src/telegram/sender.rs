//! Sends to Telegram. The request is our own and not teloxide's, since a delivery depends on what exactly became of it:
//! teloxide's errors do not tell a request that never left from one whose answer was lost, and the Bot API has no key
//! that would make sending again harmless.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::future::BoxFuture;
use paperwire_core::channel::{Place, Platform};
use paperwire_core::command::TABLE;
use paperwire_core::delivery::{LimitScope, Looked, Missing, SendError, Tag};
use paperwire_core::locale::Lang;
use paperwire_core::message::{Message, Part, ellipsis};
use reqwest::{StatusCode, Url};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};
use teloxide::payloads::SetMyCommandsSetters;
use teloxide::requests::Requester;
use teloxide::types::BotCommand;
use teloxide::{Bot, RequestError};

use super::markup;
use crate::messenger::{Answered, Messenger};

/// The wait when Telegram asks to wait and does not say for how long.
const DEFAULT_WAIT: Duration = Duration::from_secs(30);
/// An answer that would come later than this is not waited for: nobody reads it any more.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often one part of an answer is tried.
const ANSWER_TRIES: u32 = 3;
/// The longest reason that is kept, in characters.
const REASON_CHARS: usize = 300;

/// An address that no request can be sent to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("“{0}” is no address of a Bot API: write https://api.telegram.org, or the http(s) address of your own server")]
pub struct BadApiUrl(String);

/// How long deliveries wait before they look again whether another program still polls.
const RIVAL_PAUSE: Duration = Duration::from_secs(5);

/// The bot on Telegram; cheap to clone. Neither its errors nor its `Debug` show the token.
#[derive(Clone)]
pub struct Sender {
    http: reqwest::Client,
    api_url: Url,
    token: SecretString,
    /// Whether another program polls with this token, see [`Sender::set_rival`].
    rival: Arc<AtomicBool>,
}

impl std::fmt::Debug for Sender {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sender")
            .field("api_url", &self.api_url.as_str())
            .finish_non_exhaustive()
    }
}

/// Who the bot is on Telegram.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Its user name without `@`: what stands behind a command that is meant for it, `/paper@NAME`.
    pub username: Option<String>,
}

/// Bot API, "Making requests".
#[derive(Deserialize)]
struct Reply {
    ok: bool,
    result: Option<Value>,
    description: Option<String>,
    parameters: Option<Parameters>,
}

#[derive(Clone, Copy, Default, Deserialize)]
struct Parameters {
    migrate_to_chat_id: Option<i64>,
    retry_after: Option<u64>,
}

impl Sender {
    /// A sender over the common client. `api_url` is `https://api.telegram.org` or a server of one's own.
    ///
    /// # Errors
    /// When nothing can be requested from `api_url`.
    pub fn new(http: reqwest::Client, mut api_url: Url, token: SecretString) -> Result<Self, BadApiUrl> {
        let web = matches!(api_url.scheme(), "http" | "https") && api_url.has_host();
        if !web {
            return Err(BadApiUrl(api_url.into()));
        }
        if let Ok(mut path) = api_url.path_segments_mut() {
            path.pop_if_empty();
        }
        let rival = Arc::default();
        Ok(Self {
            http,
            api_url,
            token,
            rival,
        })
    }

    /// Another program polls Telegram with this bot's token, or no longer does. While it does no digest is posted: two
    /// copies of Paperwire would post each of them twice.
    pub fn set_rival(&self, present: bool) {
        self.rival.store(present, Ordering::Relaxed);
    }

    /// teloxide's client for everything that no delivery depends on. It knows the token, and its `Debug` shows it.
    pub(super) fn bot(&self) -> Bot {
        Bot::with_client(self.token.expose_secret(), self.http.clone()).set_api_url(self.api_url.clone())
    }

    /// Asks Telegram who the bot is.
    ///
    /// # Errors
    /// No connection, or a token that Telegram does not know.
    pub async fn get_me(&self) -> Result<Identity, RequestError> {
        let me = self.bot().get_me().await?;
        Ok(Identity {
            username: me.user.username,
        })
    }

    /// Fills the menu that opens with `/`: English for everybody, Chinese where the app is in Chinese.
    ///
    /// # Errors
    /// No connection, or Telegram's refusal.
    pub async fn set_my_commands(&self) -> Result<(), RequestError> {
        let menu = |lang: Lang| {
            TABLE
                .iter()
                .map(move |spec| BotCommand::new(spec.name, lang.pick(spec.zh, spec.en)))
        };
        let bot = self.bot();
        bot.set_my_commands(menu(Lang::En)).await?;
        bot.set_my_commands(menu(Lang::Zh))
            .language_code(Lang::Zh.code())
            .await?;
        Ok(())
    }

    /// Answers message `question` at `place`, in the same thread, all parts in order. Waits where Telegram asks to, but
    /// not longer than a person would; sends nothing again that may have arrived. Returns the ids of the messages.
    ///
    /// # Errors
    /// What became of the first part that could not be sent; the ones before it have arrived.
    pub async fn answer(&self, place: &Place, question: i64, message: &Message) -> Result<Vec<String>, SendError> {
        let mut place = place.clone();
        let mut reply_to = Some(question);
        let mut ids = Vec::new();
        for part in markup::render(message) {
            ids.push(self.send_patiently(&mut place, &part, reply_to.take()).await?);
        }
        Ok(ids)
    }

    async fn send_patiently(&self, place: &mut Place, part: &Part, reply_to: Option<i64>) -> Result<String, SendError> {
        let mut tries = 1;
        loop {
            let error = match self.send_message(place, part, reply_to).await {
                Ok(id) => return Ok(id),
                Err(error) if tries == ANSWER_TRIES => return Err(error),
                Err(error) => error,
            };
            match &error {
                SendError::RateLimited { retry_after, .. } if *retry_after <= PATIENCE => {
                    tokio::time::sleep(*retry_after).await;
                }
                SendError::Unreachable { .. } => tokio::time::sleep(Duration::from_secs(1)).await,
                SendError::Moved { to } => *place = to.clone(),
                SendError::RateLimited { .. }
                | SendError::Gone { .. }
                | SendError::Rejected { .. }
                | SendError::Unauthorized { .. }
                | SendError::Uncertain { .. } => return Err(error),
            }
            tries += 1;
        }
    }

    async fn send_message(&self, place: &Place, part: &Part, reply_to: Option<i64>) -> Result<String, SendError> {
        let body = request_body(place, part, reply_to)?;
        let sent = self.http.post(self.method("sendMessage")).json(&body).send().await;
        let response = sent.map_err(|error| {
            // Only a connection that was never made proves that nothing was sent. A timeout, a reset or a close after
            // that leaves open whether Telegram had already taken the request.
            match self.network_reason(error, "sending") {
                (true, reason) => SendError::Unreachable { reason },
                (false, reason) => SendError::Uncertain { reason },
            }
        })?;
        let status = response.status();
        let retry_after = response
            .headers()
            .get(reqwest::header::RETRY_AFTER)
            .and_then(|value| value.to_str().ok()?.trim().parse().ok());
        let body = response.bytes().await;
        let reply = match &body {
            Ok(bytes) => serde_json::from_slice::<Reply>(bytes).ok(),
            Err(_) => None,
        };
        if status.is_success() {
            return self.accepted(reply, body.err());
        }
        Err(self.refused(status, reply, retry_after))
    }

    /// A 2xx answer. What cannot be read as the promised one may still belong to a message that was sent.
    fn accepted(&self, reply: Option<Reply>, broken: Option<reqwest::Error>) -> Result<String, SendError> {
        let id = match reply {
            Some(Reply { ok: true, result, .. }) => result.and_then(|r| r.get("message_id")?.as_i64()),
            Some(Reply { ok: false, .. }) | None => None,
        };
        id.map(|id| id.to_string()).ok_or_else(|| SendError::Uncertain {
            reason: match broken {
                Some(error) => self.network_reason(error, "reading the answer").1,
                None => "Telegram's answer was not what the Bot API promises".into(),
            },
        })
    }

    /// Any other answer: certainly not accepted. Which kind of refusal decides what becomes of the delivery.
    fn refused(&self, status: StatusCode, reply: Option<Reply>, retry_after: Option<u64>) -> SendError {
        let Some(reply) = reply else {
            // Not the Bot API but something before it: a gateway's page may even repeat the address with the token.
            return if status == StatusCode::TOO_MANY_REQUESTS {
                SendError::RateLimited {
                    retry_after: retry_after.map_or(DEFAULT_WAIT, Duration::from_secs),
                    // Something before the Bot API says so, and it does not know chats.
                    scope: LimitScope::Bot,
                }
            } else {
                SendError::Unreachable {
                    reason: format!("{status}, and not in the Bot API's form"),
                }
            };
        };
        let parameters = reply.parameters.unwrap_or_default();
        let said = reply.description.unwrap_or_else(|| status.to_string());
        let reason = self.without_token(&said);
        if let Some(chat) = parameters.migrate_to_chat_id {
            return SendError::Moved {
                // The group had no topics: they come only with the supergroup.
                to: Place::telegram(chat, None),
            };
        }
        match status {
            StatusCode::TOO_MANY_REQUESTS => SendError::RateLimited {
                retry_after: parameters
                    .retry_after
                    .or(retry_after)
                    .map_or(DEFAULT_WAIT, Duration::from_secs),
                scope: LimitScope::Chat,
            },
            StatusCode::FORBIDDEN => SendError::Gone { reason },
            StatusCode::BAD_REQUEST if says_gone(&said) => SendError::Gone { reason },
            StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE => SendError::Rejected { reason },
            // Nothing is wrong with the message or the channel: it waits until the operator has put the token right.
            StatusCode::UNAUTHORIZED | StatusCode::NOT_FOUND => SendError::Unreachable {
                reason: format!("{reason}: {BAD_TOKEN}"),
            },
            status => SendError::Unreachable {
                reason: format!("{} {reason}", status.as_u16()),
            },
        }
    }

    fn method(&self, name: &str) -> Url {
        let mut url = self.api_url.clone();
        // `new` has seen to it that the address has a path to add to.
        if let Ok(mut path) = url.path_segments_mut() {
            path.push(&format!("bot{}", self.token.expose_secret())).push(name);
        }
        url
    }

    /// What happened, with its causes, and whether it is certain that no connection was made.
    fn network_reason(&self, error: reqwest::Error, doing: &str) -> (bool, String) {
        // The address has the token in it.
        let error = error.without_url();
        let never_sent = error.is_connect() || error.is_builder();
        let mut reason = doing.to_owned();
        let mut cause: Option<&dyn std::error::Error> = Some(&error);
        while let Some(error) = cause {
            reason = format!("{reason}: {error}");
            cause = error.source();
        }
        (never_sent, self.without_token(&reason))
    }

    /// The text without the token, should it be in there, and not longer than a line of a log may be.
    pub(super) fn without_token(&self, text: &str) -> String {
        let token = self.token.expose_secret();
        let hidden = if token.is_empty() {
            text.to_owned()
        } else {
            text.replace(token, "<token>")
        };
        ellipsis(&hidden, REASON_CHARS)
    }
}

/// What the operator can do about 401 and 404, Telegram's answers to a token that it does not know.
pub(super) const BAD_TOKEN: &str = "Telegram does not know this bot's token; it is mistyped or was revoked. Put the \
                                    token that @BotFather shows into the configuration and restart. Nothing is lost";

/// The descriptions of 400 that mean: this chat or topic cannot be written to. Telegram gives no codes; these are the
/// texts of tdlib/telegram-bot-api and the errors of messages.sendMessage (core.telegram.org/method/messages.sendMessage)
/// that it passes on in capitals.
fn says_gone(description: &str) -> bool {
    const TEXTS: [&str; 20] = [
        "chat not found",
        "user not found",
        "not enough rights",
        "have no rights",
        "need administrator rights",
        "chat_admin_required",
        "chat_write_forbidden",
        "chat_restricted",
        "chat_send_plain_forbidden",
        "channel_private",
        "channel_invalid",
        "peer_id_invalid",
        "user_banned_in_channel",
        "user_is_blocked",
        "user_deactivated",
        "group chat was deactivated",
        "bot is not a member",
        "message thread not found",
        "topic_closed",
        "topic_deleted",
    ];
    let description = description.to_ascii_lowercase();
    TEXTS.iter().any(|text| description.contains(text))
}

fn request_body(place: &Place, part: &Part, reply_to: Option<i64>) -> Result<Value, SendError> {
    let bad = |reason: String| SendError::Rejected { reason };
    let chat: i64 = match place.platform() {
        Platform::Telegram => place.chat().parse().ok(),
        Platform::Discord | Platform::Web => None,
    }
    .ok_or_else(|| bad(format!("{place} is no place on Telegram")))?;
    let mut body: Value = serde_json::from_str(&part.payload).unwrap_or_default();
    let fields = body
        .as_object_mut()
        .ok_or_else(|| bad("the stored part is no JSON object".into()))?;
    fields.insert("chat_id".into(), chat.into());
    if let Some(thread) = place.thread() {
        fields.insert("message_thread_id".into(), thread.into());
    }
    if let Some(message) = reply_to {
        // Somebody may have deleted the question in the meantime.
        let reply = json!({"message_id": message, "allow_sending_without_reply": true});
        fields.insert("reply_parameters".into(), reply);
    }
    Ok(body)
}

impl Messenger for Sender {
    fn platform(&self) -> Platform {
        Platform::Telegram
    }

    /// `tag` stays unused: the Bot API knows no idempotency (tdlib/telegram-bot-api#126), hence [`SendError::Uncertain`].
    fn send<'a>(&'a self, place: &'a Place, part: &'a Part, _tag: &'a Tag) -> BoxFuture<'a, Answered> {
        Box::pin(async move {
            if self.rival.load(Ordering::Relaxed) {
                let (retry_after, scope) = (RIVAL_PAUSE, LimitScope::Bot);
                return Err(SendError::RateLimited { retry_after, scope }).into();
            }
            self.send_message(place, part, None).await.into()
        })
    }

    fn look<'a>(&'a self, _place: &'a Place, _part: &'a Part, _missing: &'a Missing) -> BoxFuture<'a, Looked> {
        Box::pin(std::future::ready(Looked::Undecidable("nothing tells".to_owned())))
    }

    fn edit<'a>(&'a self, _: &'a Place, _message: &'a str, _part: &'a Part, _tag: &'a Tag) -> BoxFuture<'a, Answered> {
        let reason = "it cannot be edited".to_owned();
        Box::pin(std::future::ready(Err(SendError::Rejected { reason }).into()))
    }

    fn plain(&self, part: &Part) -> Part {
        markup::plain(part)
    }

    /// A private chat has its person's id. It exists once they have started the bot: before, Telegram says “bot can't
    /// initiate conversation with a user”.
    fn tell<'a>(&'a self, person: &'a str, message: &'a Message) -> BoxFuture<'a, Result<(), SendError>> {
        Box::pin(async move {
            let Some(id) = person.parse().ok().filter(|&id| id > 0) else {
                let reason = format!("“{person}” is nobody on Telegram");
                return Err(SendError::Rejected { reason });
            };
            for part in markup::render(message) {
                self.send_message(&Place::telegram(id, None), &part, None).await?;
            }
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sender(url: &str) -> Sender {
        Sender::new(reqwest::Client::new(), url.parse().unwrap(), "12:secret".into()).unwrap()
    }

    #[tokio::test]
    async fn while_another_program_polls_with_the_token_deliveries_wait_and_nothing_is_sent() {
        // Nobody listens there: a request would come back as unreachable.
        let sender = sender("http://127.0.0.1:1");
        let (place, part) = (
            Place::telegram(1, None),
            Part {
                payload: r#"{"text":"a"}"#.to_owned(),
            },
        );
        sender.set_rival(true);
        let held_back = Messenger::send(&sender, &place, &part, &Tag::only("key")).await.outcome;
        let expected = SendError::RateLimited {
            retry_after: RIVAL_PAUSE,
            scope: LimitScope::Bot,
        };
        assert_eq!(held_back, Err(expected));
        sender.set_rival(false);
        let tried = Messenger::send(&sender, &place, &part, &Tag::only("key")).await.outcome;
        assert!(matches!(tried, Err(SendError::Unreachable { .. })), "{tried:?}");
    }

    #[test]
    fn debug_shows_no_token() {
        let shown = format!("{:?}", sender("http://127.0.0.1:1"));
        assert!(shown.contains("127.0.0.1") && !shown.contains("secret"), "{shown}");
    }

    #[test]
    fn an_api_url_may_have_a_path_and_a_slash_at_its_end() {
        let url = |base| sender(base).method("sendMessage").to_string();
        assert_eq!(url("http://h/"), "http://h/bot12:secret/sendMessage");
        assert_eq!(url("http://h/api/"), "http://h/api/bot12:secret/sendMessage");
        assert_eq!(sender("http://h/api/").bot().api_url().as_str(), "http://h/api");
    }

    #[test]
    fn an_api_url_that_cannot_be_requested_is_refused_at_once() {
        let error = Sender::new(reqwest::Client::new(), "mailto:x@y".parse().unwrap(), "t".into()).unwrap_err();
        assert!(error.to_string().contains("mailto:x@y"), "{error}");
    }

    #[test]
    fn the_place_decides_chat_and_thread_of_the_request() {
        let part = Part {
            payload: r#"{"text":"x"}"#.into(),
        };
        let body = request_body(&Place::telegram(-100, Some(7)), &part, Some(3)).unwrap();
        let reply = json!({"message_id": 3, "allow_sending_without_reply": true});
        assert_eq!(
            body,
            json!({"text": "x", "chat_id": -100, "message_thread_id": 7, "reply_parameters": reply})
        );
        assert!(matches!(
            request_body(&Place::discord(123_456_789_012_345_678), &part, None),
            Err(SendError::Rejected { .. })
        ));
    }

    #[test]
    fn a_token_that_somebody_repeats_to_us_is_hidden() {
        assert_eq!(
            sender("http://h").without_token("no /bot12:secret/x"),
            "no /bot<token>/x"
        );
    }
}
