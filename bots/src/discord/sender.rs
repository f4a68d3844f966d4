//! Posting to Discord: one request for one part, and exactly what became of it. Own requests and not serenity's, whose
//! client drops the headers of a refusal and, with its limiter on, repeats posts by itself.
//!
//! A posted part carries its mark in a button (`custom_id`), because a nonce can be asked about only by posting again, and
//! only for the few minutes in which Discord remembers it: no message that is read back has one.

use std::error::Error;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures::future::{BoxFuture, FutureExt};
use paperwire_core::channel::{Place, Platform};
use paperwire_core::command::Attachment;
use paperwire_core::command::press::Button;
use paperwire_core::delivery::{LimitScope, Looked, Missing, SendError, Tag};
use paperwire_core::limiter::{Bucket, Signal};
use paperwire_core::message::{Message, Part};
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::multipart::{Form, Part as Piece};
use reqwest::{Method, RequestBuilder, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use serenity::builder::CreateButton;
use serenity::http::DiscordJsonError;
use serenity::model::application::ButtonStyle;
use tokio::sync::OnceCell;

use super::forum::{Kind, Kinds, NO_TEXT};
use super::{components, markup};
use crate::gate::Gate;
use crate::messenger::{Answered, Messenger, Whom};

/// The wait when a 429 does not say how long; only Cloudflare's do not, and those are bans.
const UNSAID_WAIT: Duration = Duration::from_secs(60);
/// The longest wait that is believed. Asking once an hour is harmless.
const LONGEST_WAIT: Duration = Duration::from_secs(3_600);

/// Messages that one request for a channel's messages may ask for (Get Channel Messages, `limit`).
pub(super) const PAGE: usize = 100;
/// After how many full pages looking for a part is given up.
pub(super) const PAGES: usize = 5;
/// By how much this machine's clock may be ahead of Discord's, whose time a message's id has: a minute, in ids.
pub(super) const CLOCKS_DIFFER: u64 = 60_000 << 22;
/// Discord's first second, from which ids count milliseconds (API Reference, “Snowflakes”).
const EPOCH_MILLIS: i64 = 1_420_070_400_000;
/// What the `custom_id` of a part's button begins with; the part's key follows.
pub(super) const MARK: &str = "p:";

/// Sends parts to Discord channels.
#[derive(Debug, Clone)]
pub struct Sender {
    api: Api,
    token: SecretString,
    /// The bot's user id, once it has been asked for.
    me: Arc<OnceCell<String>>,
    pub(super) kinds: Arc<Kinds>,
    gate: Option<Gate>,
}

impl Sender {
    /// `api_url` is the address without path, `https://discord.com` but for tests and proxies.
    pub fn new(http: reqwest::Client, api_url: &str, token: SecretString) -> Self {
        Self {
            api: Api::new(http, api_url),
            token,
            me: Arc::default(),
            kinds: Arc::default(),
            gate: None,
        }
    }

    /// What is asked beside the digests takes its permits from `gate`, as they do.
    #[must_use]
    pub fn behind(mut self, gate: Gate) -> Self {
        self.gate = Some(gate);
        self
    }

    /// A request beside the digests. What it says about limits is about another bucket than theirs, but that it was invalid
    /// counts.
    pub(super) async fn aside(&self, method: Method, path: &str, body: Option<&Value>) -> Heard {
        self.permit().await;
        let heard = self.api.ask(method, path, Some(&self.token), body).await;
        if let Some(gate) = &self.gate
            && heard.signal.invalid
        {
            gate.invalid(Platform::Discord);
        }
        heard
    }

    /// Waits until one more request may go out than the caller has a permit for.
    pub(super) async fn permit(&self) {
        if let Some(gate) = &self.gate {
            gate.request().await;
        }
    }

    async fn post(&self, place: &Place, part: &Part, tag: &Tag) -> Answered {
        let (path, body) = match prepared(place, part, tag) {
            Ok(prepared) => prepared,
            Err(error) => return Err(error).into(),
        };
        if let Some(Kind::Forum(forum)) = self.kinds.get(place) {
            return self.post_in(place, &forum, part, body, tag).await;
        }
        let (answered, code) = self.write(Method::POST, &path, keyed(body, tag)).await;
        if !code.is_some_and(|code| NO_TEXT.contains(&code)) {
            return answered;
        }
        match self.kind(place).await {
            Ok(Kind::Forum(forum)) => match prepared(place, part, tag) {
                Ok((_, body)) => {
                    self.permit().await;
                    self.post_in(place, &forum, part, body, tag).await
                }
                Err(error) => Err(error).into(),
            },
            Ok(Kind::Text) => answered,
            Err(heard) => heard.outcome.map_or_else(|error| Err(error).into(), |_| answered),
        }
    }

    async fn change(&self, place: &Place, message: &str, part: &Part, tag: &Tag) -> Answered {
        let (path, mut body) = match prepared(place, part, tag) {
            Ok(prepared) => prepared,
            Err(error) => return Err(error).into(),
        };
        if !is_id(message) {
            return Err(rejected(format!("“{message}” is no message of Discord"))).into();
        }
        // What is left out stays as it was (Edit Message), and Discord takes only these.
        body.retain(|name, _| EDITABLE.contains(&name.as_str()));
        for (name, nothing) in [("content", Value::Null), ("embeds", json!([])), ("flags", json!(0))] {
            body.entry(name).or_insert(nothing);
        }
        let known = self.kinds.get(place);
        if let Some(Kind::Forum(_)) = known {
            return self.edit_in(message, body, tag).await;
        }
        let (answered, _) = self
            .write(Method::PATCH, &format!("{path}/{message}"), body.clone())
            .await;
        let refused = matches!(
            answered.outcome,
            Err(SendError::Rejected { .. } | SendError::Gone { .. })
        );
        // What a forum says to that is nowhere written.
        if refused
            && known.is_none()
            && let Ok(Kind::Forum(_)) = self.kind(place).await
        {
            self.permit().await;
            return self.edit_in(message, body, tag).await;
        }
        answered
    }

    /// Writes, and says with Discord's code why it was refused. The id of what was written is the outcome.
    pub(super) async fn write(&self, method: Method, path: &str, body: Map<String, Value>) -> (Answered, Option<u32>) {
        let body = Value::Object(body);
        let heard = self.api.ask(method, path, Some(&self.token), Some(&body)).await;
        let outcome = heard.outcome.and_then(|answer| {
            let message: Named = serde_json::from_slice(&answer).map_err(|error| SendError::Uncertain {
                reason: format!("Discord's answer cannot be read: {error}"),
            })?;
            Ok(message.id)
        });
        let answered = Answered {
            outcome,
            signal: heard.signal,
        };
        (answered, heard.code)
    }

    async fn find(&self, place: &Place, missing: &Missing) -> Result<Looked, SendError> {
        let path = messages_of(place)?;
        let tag = &missing.tag;
        let kind = match self.kind(place).await {
            Ok(kind) => kind,
            Err(heard) => {
                let is_forbidden = heard.status == Some(StatusCode::FORBIDDEN);
                let Err(error) = heard.outcome else {
                    return Err(unreadable("it does not say what the channel is"));
                };
                return if let (SendError::Gone { reason }, true) = (&error, is_forbidden) {
                    Ok(Looked::Undecidable(format!("{reason}: {HISTORY_HELP}")))
                } else {
                    Err(error)
                };
            }
        };
        match (kind, &tag.first) {
            (Kind::Text, _) => self.find_in(&path, missing).await,
            (Kind::Forum(forum), None) => Ok(self.find_post(&forum, missing.first_sent, tag).await),
            (Kind::Forum(_), Some(post)) => {
                let found = self.find_in(&format!("/channels/{post}/messages"), missing).await;
                match found {
                    // With its post, it was deleted.
                    Err(SendError::Gone { .. }) => Ok(Looked::NotThere),
                    found => found,
                }
            }
        }
    }

    /// The bot's user id.
    pub(super) async fn me(&self) -> Result<&String, SendError> {
        self.me.get_or_try_init(|| self.own_id()).await
    }

    /// Looks for a part among the messages of a channel or thread.
    async fn find_in(&self, path: &str, missing: &Missing) -> Result<Looked, SendError> {
        let me = self.me().await?;
        let mark = mark(&missing.tag);
        let ours = |messages: &[Standing]| {
            messages
                .iter()
                .find(|m| m.author.id == *me && m.carries(&mark))
                .map(Standing::id)
        };
        let mut after = snowflake(missing.first_sent).saturating_sub(CLOCKS_DIFFER);
        for page in 0..PAGES {
            let messages = match self.page(&format!("{path}?limit={PAGE}&after={after}")).await? {
                Page::Of(messages) => messages,
                Page::Forbidden(reason) => return Ok(Looked::Undecidable(reason)),
            };
            if let Some(id) = ours(&messages) {
                return Ok(Looked::There(id));
            }
            if page == 0 && messages.is_empty() {
                // Without the right to read the history Discord shows no message at all, and says so with an empty list, not
                // with a refusal (Get Channel Messages). The latest ones, from any time, tell.
                return Ok(match self.page(&format!("{path}?limit={PAGE}")).await? {
                    Page::Of(latest) if latest.is_empty() => Looked::Undecidable(format!(
                        "Discord shows no message of the channel at all; if there are any, {HISTORY_HELP}"
                    )),
                    Page::Of(latest) => ours(&latest).map_or(Looked::NotThere, Looked::There),
                    Page::Forbidden(reason) => Looked::Undecidable(reason),
                });
            }
            if messages.len() < PAGE {
                return Ok(Looked::NotThere);
            }
            // Newest first, though that is nowhere promised.
            let newest = messages.iter().filter_map(|m| m.id.parse().ok()).max();
            match newest {
                Some(newest) if newest > after => after = newest,
                Some(_) | None => return Err(unreadable("the messages are not in the order of their ids")),
            }
        }
        Ok(Looked::Undecidable(format!(
            "more than {} messages have been written in the channel since",
            PAGE * PAGES
        )))
    }

    async fn page(&self, path: &str) -> Result<Page, SendError> {
        let heard = self.aside(Method::GET, path, None).await;
        match heard.outcome {
            Ok(answer) => serde_json::from_slice(&answer)
                .map(Page::Of)
                .map_err(|error| unreadable(&error.to_string())),
            Err(SendError::Gone { reason }) if heard.status == Some(StatusCode::FORBIDDEN) => {
                Ok(Page::Forbidden(format!("{reason}: {HISTORY_HELP}")))
            }
            Err(error) => Err(of_reading(error)),
        }
    }

    async fn own_id(&self) -> Result<String, SendError> {
        let heard = self.aside(Method::GET, "/users/@me", None).await;
        let answer = heard.outcome.map_err(of_reading)?;
        let user: Named = serde_json::from_slice(&answer).map_err(|error| unreadable(&error.to_string()))?;
        Ok(user.id)
    }
}

/// What Edit Message takes of a part's body, and the first message of a forum's post.
pub(super) const EDITABLE: &[&str] = &["content", "embeds", "flags", "allowed_mentions", "components"];

/// What to do so that a part can be looked for.
pub(super) const HISTORY_HELP: &str = "give the bot the permissions “View Channel” and “Read Message History” there";

/// Whatever has an id.
#[derive(Deserialize)]
struct Named {
    id: String,
}

enum Page {
    Of(Vec<Standing>),
    Forbidden(String),
}

/// A message that was read back: of Discord's fields, those that tell whose it is and what mark it has. Messages of others
/// come in any form, hence the open type of their components.
#[derive(Deserialize)]
pub(super) struct Standing {
    id: String,
    author: Named,
    #[serde(default)]
    components: Value,
}

impl Standing {
    fn id(&self) -> String {
        self.id.clone()
    }

    pub(super) fn carries(&self, mark: &str) -> bool {
        let rows = self.components.as_array().into_iter().flatten();
        rows.filter_map(|row| row["components"].as_array())
            .flatten()
            .any(|component| component["custom_id"] == mark)
    }
}

/// The path of a place's messages.
fn messages_of(place: &Place) -> Result<String, SendError> {
    if place.platform() == Platform::Discord {
        Ok(format!("/channels/{}/messages", place.chat()))
    } else {
        Err(rejected(format!("{place} is no channel of Discord")))
    }
}

/// The path of a place's messages, and the part's body with the button that marks it and the votes for its papers.
fn prepared(place: &Place, part: &Part, tag: &Tag) -> Result<(String, Map<String, Value>), SendError> {
    let path = messages_of(place)?;
    let mut body: Map<String, Value> =
        serde_json::from_str(&part.payload).map_err(|error| rejected(format!("the stored part: {error}")))?;
    let label = match (tag.number, tag.of) {
        (_, 0 | 1) => "ⓘ".to_owned(),
        (number, of) => format!("ⓘ {number}/{of}"),
    };
    let button = CreateButton::new(mark(tag)).style(ButtonStyle::Secondary).label(label);
    body.insert("components".into(), json!(components::below_a_part(part, button)));
    Ok((path, body))
}

/// The body of a message with its nonce (Create Message).
pub(super) fn keyed(mut body: Map<String, Value>, tag: &Tag) -> Map<String, Value> {
    body.insert("nonce".into(), tag.key.as_str().into());
    body.insert("enforce_nonce".into(), true.into());
    body
}

pub(super) fn mark(tag: &Tag) -> String {
    format!("{MARK}{}", tag.key)
}

pub(super) fn is_id(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The least id that a message of that time can have.
pub(super) fn snowflake(at: DateTime<Utc>) -> u64 {
    let millis = at.timestamp_millis().saturating_sub(EPOCH_MILLIS);
    u64::try_from(millis).unwrap_or(0) << 22
}

/// Asking changes nothing, so no answer is no doubt.
pub(super) fn of_reading(error: SendError) -> SendError {
    match error {
        SendError::Uncertain { reason } => SendError::Unreachable { reason },
        error @ (SendError::RateLimited { .. }
        | SendError::Moved { .. }
        | SendError::Gone { .. }
        | SendError::Rejected { .. }
        | SendError::Unreachable { .. }
        | SendError::Unauthorized { .. }) => error,
    }
}

pub(super) fn unreadable(why: &str) -> SendError {
    SendError::Unreachable {
        reason: format!("Discord's answer cannot be read: {why}"),
    }
}

impl Messenger for Sender {
    fn platform(&self) -> Platform {
        Platform::Discord
    }

    /// The key is the message's `nonce` with `enforce_nonce`: Discord answers a repeated one, for a few minutes, with the
    /// message that is already there (Create Message). A later repeat posts twice: look first. Where the place is a forum, the
    /// digest's first part makes a post (module `forum`).
    fn send<'a>(&'a self, place: &'a Place, part: &'a Part, tag: &'a Tag) -> BoxFuture<'a, Answered> {
        self.post(place, part, tag).boxed()
    }

    /// Reads the channel's messages from the time of the first try on and compares the marks of the bot's own. Their
    /// buttons are shown without the Message Content intent, since the bot has sent them (Gateway, “Message Content
    /// Intent”). At most eight requests; in a forum one more for each of the bot's posts since.
    fn look<'a>(&'a self, place: &'a Place, _: &'a Part, missing: &'a Missing) -> BoxFuture<'a, Looked> {
        async move { self.find(place, missing).await.unwrap_or_else(Looked::Failed) }.boxed()
    }

    /// [`SendError::Rejected`] when the message is no longer there, or somebody else's.
    fn edit<'a>(&'a self, place: &'a Place, message: &'a str, part: &'a Part, tag: &'a Tag) -> BoxFuture<'a, Answered> {
        self.change(place, message, part, tag).boxed()
    }

    fn plain(&self, part: &Part) -> Part {
        markup::plain(part)
    }

    /// Through the direct messages with them (Create DM; asked again it is the same channel). The nonce is of what is
    /// said, so that trying again says nothing twice.
    fn tell<'a>(
        &'a self,
        whom: Whom<'a>,
        message: &'a Message,
        buttons: &'a [Vec<Button>],
    ) -> BoxFuture<'a, Result<(), SendError>> {
        async move {
            let channel = match whom {
                Whom::Place(place) => place.chat().to_owned(),
                Whom::Person(person) => {
                    let recipient = json!({ "recipient_id": person });
                    let answer = self
                        .aside(Method::POST, "/users/@me/channels", Some(&recipient))
                        .await
                        .outcome?;
                    let Ok(Named { id }) = serde_json::from_slice(&answer) else {
                        let reason = "Discord's answer has no channel for direct messages".into();
                        return Err(SendError::Unreachable { reason });
                    };
                    id
                }
            };
            let rows = components::rows(buttons);
            let parts = markup::render(message);
            let last = parts.len().saturating_sub(1);
            for ((index, part), number) in parts.iter().enumerate().zip(0_u32..) {
                let mut hasher = DefaultHasher::new();
                (&part.payload, number).hash(&mut hasher);
                let mut body: Value = serde_json::from_str(&part.payload).unwrap_or_default();
                if let Some(fields) = body.as_object_mut() {
                    fields.insert("nonce".into(), format!("{:016x}", hasher.finish()).into());
                    fields.insert("enforce_nonce".into(), true.into());
                    if index == last && !rows.is_empty() {
                        fields.insert("components".into(), json!(rows));
                    }
                }
                let path = format!("/channels/{channel}/messages");
                self.aside(Method::POST, &path, Some(&body)).await.outcome?;
            }
            Ok(())
        }
        .boxed()
    }
}

/// Discord's REST API, version 10.
#[derive(Debug, Clone)]
pub(super) struct Api {
    http: reqwest::Client,
    base: String,
}

impl Api {
    pub(super) fn new(http: reqwest::Client, api_url: &str) -> Self {
        Self {
            http,
            base: format!("{}/api/v10", api_url.trim_end_matches('/')),
        }
    }

    /// One request; the body of a success.
    pub(super) async fn call(
        &self,
        method: Method,
        path: &str,
        token: Option<&SecretString>,
        body: &Value,
    ) -> Result<Vec<u8>, SendError> {
        self.ask(method, path, token, Some(body)).await.outcome
    }

    /// One request with a file, which the body names as the attachment 0 (Reference, “Uploading Files”). Without a token, as
    /// interactions are answered.
    pub(super) async fn upload(
        &self,
        method: Method,
        path: &str,
        body: &Value,
        file: &Attachment,
    ) -> Result<Vec<u8>, SendError> {
        let bytes = || Piece::bytes(file.bytes.clone()).file_name(file.name.clone());
        let form = Form::new()
            .part("payload_json", Piece::text(body.to_string()))
            .part("files[0]", bytes().mime_str(file.mime).unwrap_or_else(|_| bytes()));
        let request = self.http.request(method, format!("{}{path}", self.base));
        self.hear(request.multipart(form), None).await.outcome
    }

    async fn ask(&self, method: Method, path: &str, token: Option<&SecretString>, body: Option<&Value>) -> Heard {
        let mut request = self.http.request(method, format!("{}{path}", self.base));
        if let Some(body) = body {
            request = request.json(body);
        }
        self.hear(request, token).await
    }

    /// One request. No error has an address in it, since interactions have a token in theirs.
    async fn hear(&self, mut request: RequestBuilder, token: Option<&SecretString>) -> Heard {
        if let Some(token) = token {
            match authorization(token) {
                Ok(value) => request = request.header(AUTHORIZATION, value),
                Err(error) => return Heard::nothing(error),
            }
        }
        let response = match request.send().await {
            Ok(response) => response,
            Err(error) => return Heard::nothing(unanswered(error)),
        };
        let (status, headers) = (response.status(), response.headers().clone());
        let body = response.bytes().await;
        let mut code = None;
        let outcome = if status.is_success() {
            // Accepted, whatever became of the rest of the answer; but for the sender that rest has the message's id.
            body.map(Into::into).map_err(|error| SendError::Uncertain {
                reason: chain(&error.without_url()),
            })
        } else {
            let body = body.unwrap_or_default();
            code = self::code(&body);
            Err(refused(status, &headers, &body))
        };
        Heard {
            outcome,
            status: Some(status),
            code,
            signal: signal(status, &headers),
        }
    }
}

/// What came of one request.
pub(super) struct Heard {
    /// The body of a success.
    pub(super) outcome: Result<Vec<u8>, SendError>,
    /// `None` when no answer came.
    pub(super) status: Option<StatusCode>,
    /// What Discord says that is wrong (JSON Error Codes).
    pub(super) code: Option<u32>,
    signal: Signal,
}

impl Heard {
    fn nothing(error: SendError) -> Self {
        Self {
            outcome: Err(error),
            status: None,
            code: None,
            signal: Signal::default(),
        }
    }
}

/// Discord's own code for what is wrong.
fn code(body: &[u8]) -> Option<u32> {
    #[derive(Deserialize)]
    struct Said {
        code: u32,
    }
    serde_json::from_slice(body).ok().map(|Said { code }| code)
}

/// What the headers say about limits (Rate Limits, “Header Format” and “Invalid Request Limit”). What cannot be understood
/// is taken as not said.
fn signal(status: StatusCode, headers: &HeaderMap) -> Signal {
    let invalid = match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => true,
        StatusCode::TOO_MANY_REQUESTS => text(headers, SCOPE) != Some("shared"),
        _ => false,
    };
    Signal {
        bucket: bucket(headers),
        invalid,
    }
}

fn bucket(headers: &HeaderMap) -> Option<Bucket> {
    let limit = text(headers, "x-ratelimit-limit")?
        .parse()
        .ok()
        .filter(|limit| *limit > 0)?;
    let remaining: u32 = text(headers, "x-ratelimit-remaining")?.parse().ok()?;
    let reset_after = seconds(text(headers, "x-ratelimit-reset-after")?.parse().ok()?)?;
    Some(Bucket {
        limit,
        remaining: remaining.min(limit),
        reset_after: TimeDelta::from_std(reset_after).ok()?,
    })
}

/// Whom a 429 concerns: `user`, `global` or `shared`.
const SCOPE: &str = "x-ratelimit-scope";

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

/// Seconds with fractions; never longer than is believed.
fn seconds(seconds: f64) -> Option<Duration> {
    let span = Duration::try_from_secs_f64(seconds).ok()?;
    Some(span.min(LONGEST_WAIT))
}

fn authorization(token: &SecretString) -> Result<HeaderValue, SendError> {
    let mut value = HeaderValue::try_from(format!("Bot {}", token.expose_secret().trim())).map_err(|_| {
        SendError::Unauthorized {
            reason: format!("it has characters that no token has: {TOKEN_HELP}"),
        }
    })?;
    value.set_sensitive(true);
    Ok(value)
}

/// No answer came. Only before the connection stands is it certain that nothing was sent.
fn unanswered(error: reqwest::Error) -> SendError {
    let error = error.without_url();
    let reason = chain(&error);
    if error.is_connect() || error.is_builder() {
        SendError::Unreachable { reason }
    } else {
        SendError::Uncertain { reason }
    }
}

/// Whom a 429 concerns: the bot when Discord says so (`global`, `X-RateLimit-Global`, `X-RateLimit-Scope: global`), or when
/// it is not Discord that says it: Cloudflare's bans are for the address.
fn limit_scope(headers: &HeaderMap, body: &[u8]) -> LimitScope {
    #[derive(Deserialize)]
    struct Said {
        global: bool,
    }
    let said = serde_json::from_slice(body).ok().map(|Said { global }| global);
    let everybody = headers.contains_key("x-ratelimit-global");
    match (text(headers, SCOPE), said) {
        _ if everybody => LimitScope::Bot,
        (Some("global"), _) | (_, Some(true)) | (None, None) => LimitScope::Bot,
        (Some(_), _) | (None, Some(false)) => LimitScope::Chat,
    }
}

/// What a refusal means (Discord: “Opcodes and Status Codes”, “Rate Limits”).
///
/// - 429, of a route or global: wait as long as the body says, else the header.
/// - 401: the token is wrong, which is no fault of the channel or of the part. An interaction has a token of its own, with
///   a code of its own.
/// - 403 and 404 pause the channel only when Discord itself says them, with a code; a bare one comes from something in
///   between (Cloudflare, a proxy, a wrong address) and says nothing about the channel.
/// - Any other 4xx is about the content and would come again.
fn refused(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> SendError {
    let said: Option<DiscordJsonError> = serde_json::from_slice(body).ok();
    let code = said.as_ref().map_or(0, |said| said.code);
    let reason = said.map_or_else(
        || format!("{status}, without Discord's usual explanation"),
        |said| explained(status, &said),
    );
    match (status, code) {
        (StatusCode::TOO_MANY_REQUESTS, _) => SendError::RateLimited {
            retry_after: wait(headers, body),
            scope: limit_scope(headers, body),
        },
        // Gone, or not of this bot (Edit Message): no reason to leave the channel.
        (_, 10_008 | 50_005 | 50_027) => SendError::Rejected { reason },
        (StatusCode::UNAUTHORIZED, _) => SendError::Unauthorized {
            reason: format!("{reason}: {TOKEN_HELP}"),
        },
        // A locked thread, a channel without text: whatever the status, it cannot be written to.
        (_, 160_005) => SendError::Gone { reason },
        (_, 40_058 | 50_008) => SendError::Gone {
            reason: format!("{reason}; digests go into channels with text, threads and forums"),
        },
        (_, 40_066 | 40_067) => SendError::Gone {
            reason: format!(
                "{reason}; the forum wants a tag on every post and has none that the bot may use: add one, or turn “Require \
                 tags” off"
            ),
        },
        // Until one of them is closed.
        (_, 160_006) => SendError::Unreachable {
            reason: format!("{reason}; the server has as many open threads as Discord allows: close some"),
        },
        // The bot is meant, not the channel: to be verified, blocked on the way.
        (StatusCode::FORBIDDEN, 0 | 40_001 | 40_002 | 40_333) => SendError::Unreachable { reason },
        (StatusCode::NOT_FOUND, 0) => SendError::Unreachable {
            reason: format!("{reason}: is api_url the address of Discord?"),
        },
        (StatusCode::FORBIDDEN | StatusCode::NOT_FOUND, _) => SendError::Gone { reason },
        (StatusCode::REQUEST_TIMEOUT, _) => SendError::Unreachable { reason },
        (status, _) if status.is_client_error() => SendError::Rejected { reason },
        _ => SendError::Unreachable { reason },
    }
}

/// What to do about a token that is not accepted.
pub(super) const TOKEN_HELP: &str = "Discord does not accept the bot's token; reset it on \
    https://discord.com/developers/applications under “Bot” and put the new one into the configuration (discord.token)";

fn explained(status: StatusCode, said: &DiscordJsonError) -> String {
    let mut text = format!("{} ({}, code {})", said.message, status.as_u16(), said.code);
    for error in said.errors.iter().take(3) {
        text.push_str(&format!("; {}: {}", error.path, error.message));
    }
    text
}

/// The body has fractions of seconds, the header whole ones; Cloudflare's answers have the header alone.
fn wait(headers: &HeaderMap, body: &[u8]) -> Duration {
    #[derive(Deserialize)]
    struct Limited {
        retry_after: f64,
    }
    let header = || text(headers, RETRY_AFTER.as_str())?.parse::<f64>().ok();
    let said = serde_json::from_slice::<Limited>(body)
        .ok()
        .map(|limited| limited.retry_after);
    said.or_else(header).and_then(seconds).unwrap_or(UNSAID_WAIT)
}

pub(super) fn rejected(reason: String) -> SendError {
    SendError::Rejected { reason }
}

/// An error with its causes: reqwest's own text alone says only “error sending request”.
pub(super) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(status: u16, body: &str) -> SendError {
        refused(
            StatusCode::from_u16(status).unwrap(),
            &HeaderMap::new(),
            body.as_bytes(),
        )
    }

    #[test]
    fn a_refusal_that_is_not_discords_own_pauses_no_channel() {
        for (status, body) in [
            (403, "error code: 1010"),
            (403, r#"{"message": "internal network error", "code": 40333}"#),
            (404, r#"{"message": "404: Not Found", "code": 0}"#),
            (404, "<html>nginx</html>"),
            (302, ""),
        ] {
            let error = refusal(status, body);
            assert!(
                matches!(error, SendError::Unreachable { .. }),
                "{status} {body}: {error:?}"
            );
        }
    }

    #[test]
    fn what_cannot_be_posted_anywhere_names_the_way_out() {
        for (code, way) in [(50_008, "channels with text"), (40_067, "add one, or turn")] {
            let error = refusal(400, &format!(r#"{{"message": "No", "code": {code}}}"#));
            assert!(
                matches!(&error, SendError::Gone { reason } if reason.contains(way)),
                "{error:?}"
            );
        }
        let full = refusal(
            400,
            r#"{"message": "Maximum number of active threads reached", "code": 160006}"#,
        );
        assert!(matches!(full, SendError::Unreachable { .. }), "{full:?}");
    }

    #[test]
    fn a_refused_part_names_the_field_that_is_wrong() {
        let body = r#"{"message": "Invalid Form Body", "code": 50035, "errors": {"content": {"_errors":
            [{"code": "BASE_TYPE_MAX_LENGTH", "message": "Must be 2000 or fewer in length."}]}}}"#;
        let expected = "refused: Invalid Form Body (400, code 50035); content: Must be 2000 or fewer in length.";
        assert_eq!(refusal(400, body).to_string(), expected);
    }

    #[test]
    fn a_wait_comes_from_the_body_then_from_the_header_and_is_never_absurd() {
        let mut headers = HeaderMap::new();
        assert_eq!(wait(&headers, b"<html>"), UNSAID_WAIT);
        assert_eq!(wait(&headers, br#"{"retry_after": -1}"#), UNSAID_WAIT);
        assert_eq!(wait(&headers, br#"{"retry_after": 1e300}"#), UNSAID_WAIT);
        assert_eq!(wait(&headers, br#"{"retry_after": 90000}"#), LONGEST_WAIT);
        headers.insert(RETRY_AFTER, HeaderValue::from_static("7"));
        assert_eq!(wait(&headers, b"<html>"), Duration::from_secs(7));
        assert_eq!(wait(&headers, br#"{"retry_after": 0.25}"#), Duration::from_millis(250));
    }

    #[test]
    fn a_429_concerns_the_channel_unless_it_says_global_or_is_not_discords() {
        let scope = |headers: &[(&'static str, &'static str)], body: &str| {
            let pairs = headers.iter().map(|(name, value)| {
                let name = reqwest::header::HeaderName::from_static(name);
                (name, HeaderValue::from_static(value))
            });
            limit_scope(&HeaderMap::from_iter(pairs), body.as_bytes())
        };
        let (local, global) = (r#"{"global": false}"#, r#"{"global": true}"#);
        assert_eq!(scope(&[], local), LimitScope::Chat);
        assert_eq!(scope(&[(SCOPE, "shared")], local), LimitScope::Chat);
        assert_eq!(scope(&[(SCOPE, "user")], "half an ans"), LimitScope::Chat);
        assert_eq!(scope(&[], global), LimitScope::Bot);
        assert_eq!(scope(&[(SCOPE, "global")], local), LimitScope::Bot);
        assert_eq!(scope(&[("x-ratelimit-global", "true")], local), LimitScope::Bot);
        assert_eq!(scope(&[], "error code: 1015"), LimitScope::Bot);
    }

    #[test]
    fn a_bucket_is_whole_and_believable_or_none() {
        let read = |limit: &str, remaining: &str, reset_after: &str| {
            let mut headers = HeaderMap::new();
            for (name, value) in [
                ("x-ratelimit-limit", limit),
                ("x-ratelimit-remaining", remaining),
                ("x-ratelimit-reset-after", reset_after),
            ] {
                headers.insert(name, HeaderValue::from_str(value).unwrap());
            }
            bucket(&headers).map(|bucket| (bucket.limit, bucket.remaining, bucket.reset_after.num_milliseconds()))
        };
        assert_eq!(read("5", "4", "0.75"), Some((5, 4, 750)));
        assert_eq!(read("5", "9", "1"), Some((5, 5, 1_000)));
        assert_eq!(read("5", "4", "1e300"), None);
        assert_eq!(read("5", "4", "1e9"), Some((5, 4, 3_600_000)));
        for (limit, remaining, reset_after) in [
            ("0", "0", "1"),
            ("-5", "0", "1"),
            ("5", "", "1"),
            ("5", "4", "NaN"),
            ("5", "4", "-1"),
            ("5", "4", "soon"),
        ] {
            assert_eq!(
                read(limit, remaining, reset_after),
                None,
                "{limit} {remaining} {reset_after}"
            );
        }
        assert_eq!(bucket(&HeaderMap::new()), None);
    }

    #[test]
    fn a_time_becomes_the_least_id_of_that_millisecond() {
        // The example of the API Reference, “Snowflakes”, without its lower 22 bits.
        let at = "2016-04-30T11:18:25.796Z".parse().unwrap();
        assert_eq!(snowflake(at), 175_928_847_299_117_063 >> 22 << 22);
        assert_eq!(snowflake(DateTime::UNIX_EPOCH), 0);
    }

    #[test]
    fn the_token_stands_in_no_debug_text() {
        let sender = Sender::new(reqwest::Client::new(), "http://127.0.0.1:1/", "sesame".into());
        let shown = format!("{sender:?}");
        assert!(
            shown.contains("127.0.0.1:1/api/v10") && !shown.contains("sesame"),
            "{shown}"
        );
    }
}
