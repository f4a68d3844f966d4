//! Posting to Discord: one request for one part, and exactly what became of it. Own requests and not serenity's, whose
//! client drops the headers of a refusal and, with its limiter on, repeats posts by itself.

use std::error::Error;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use futures::future::{BoxFuture, FutureExt};
use paperwire_core::channel::{Place, Platform};
use paperwire_core::delivery::{LimitScope, Looked, Missing, SendError, Tag};
use paperwire_core::message::{Message, Part};
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Method, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use serenity::http::DiscordJsonError;

use super::markup;
use crate::messenger::{Answered, Messenger};

/// The wait when a 429 does not say how long; only Cloudflare's do not, and those are bans.
const UNSAID_WAIT: Duration = Duration::from_secs(60);
/// The longest wait that is believed. Asking once an hour is harmless.
const LONGEST_WAIT: Duration = Duration::from_secs(3_600);

/// Sends parts to Discord channels.
#[derive(Debug, Clone)]
pub struct Sender {
    api: Api,
    token: SecretString,
}

impl Sender {
    /// `api_url` is the address without path, `https://discord.com` but for tests and proxies.
    pub fn new(http: reqwest::Client, api_url: &str, token: SecretString) -> Self {
        Self {
            api: Api::new(http, api_url),
            token,
        }
    }

    async fn post(&self, place: &Place, part: &Part, key: &str) -> Result<String, SendError> {
        if place.platform() != Platform::Discord {
            return Err(rejected(format!("{place} is no channel of Discord")));
        }
        let mut body: Map<String, Value> =
            serde_json::from_str(&part.payload).map_err(|error| rejected(format!("the stored part: {error}")))?;
        body.insert("nonce".into(), key.into());
        body.insert("enforce_nonce".into(), true.into());
        let path = format!("/channels/{}/messages", place.chat());
        let answer = self
            .api
            .call(Method::POST, &path, Some(&self.token), &Value::Object(body))
            .await?;
        let message: Created = serde_json::from_slice(&answer).map_err(|error| SendError::Uncertain {
            reason: format!("Discord's answer cannot be read: {error}"),
        })?;
        Ok(message.id)
    }
}

#[derive(Deserialize)]
struct Created {
    id: String,
}

impl Messenger for Sender {
    fn platform(&self) -> Platform {
        Platform::Discord
    }

    /// The key is the message's `nonce` with `enforce_nonce`: Discord answers a repeated one, for a few minutes, with the
    /// message that is already there (Create Message). A later repeat may post twice.
    fn send<'a>(&'a self, place: &'a Place, part: &'a Part, tag: &'a Tag) -> BoxFuture<'a, Answered> {
        self.post(place, part, &tag.key).map(Answered::from).boxed()
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

    /// Through the direct messages with them (Create DM; asked again it is the same channel). The nonce is of what is
    /// said, so that trying again says nothing twice.
    fn tell<'a>(&'a self, person: &'a str, message: &'a Message) -> BoxFuture<'a, Result<(), SendError>> {
        async move {
            let token = Some(&self.token);
            let recipient = json!({ "recipient_id": person });
            let answer = self
                .api
                .call(Method::POST, "/users/@me/channels", token, &recipient)
                .await?;
            let Ok(Created { id: direct }) = serde_json::from_slice(&answer) else {
                let reason = "Discord's answer has no channel for direct messages".into();
                return Err(SendError::Unreachable { reason });
            };
            for (part, number) in markup::render(message).iter().zip(0_u32..) {
                let mut hasher = DefaultHasher::new();
                (&part.payload, number).hash(&mut hasher);
                let mut body: Value = serde_json::from_str(&part.payload).unwrap_or_default();
                if let Some(fields) = body.as_object_mut() {
                    fields.insert("nonce".into(), format!("{:016x}", hasher.finish()).into());
                    fields.insert("enforce_nonce".into(), true.into());
                }
                let path = format!("/channels/{direct}/messages");
                self.api.call(Method::POST, &path, token, &body).await?;
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

    /// One request; the body of a success. No error has an address in it, since interactions have a token in theirs.
    pub(super) async fn call(
        &self,
        method: Method,
        path: &str,
        token: Option<&SecretString>,
        body: &Value,
    ) -> Result<Vec<u8>, SendError> {
        let mut request = self.http.request(method, format!("{}{path}", self.base)).json(body);
        if let Some(token) = token {
            request = request.header(AUTHORIZATION, authorization(token)?);
        }
        let response = request.send().await.map_err(unanswered)?;
        let (status, headers) = (response.status(), response.headers().clone());
        let body = response.bytes().await;
        if status.is_success() {
            // Accepted, whatever became of the rest of the answer; but for the sender that rest has the message's id.
            return body.map(Into::into).map_err(|error| SendError::Uncertain {
                reason: chain(&error.without_url()),
            });
        }
        Err(refused(status, &headers, &body.unwrap_or_default()))
    }
}

fn authorization(token: &SecretString) -> Result<HeaderValue, SendError> {
    let mut value =
        HeaderValue::try_from(format!("Bot {}", token.expose_secret().trim())).map_err(|_| SendError::Unreachable {
            reason: "the Discord token has characters that no token has; copy it again from the developer portal"
                .into(),
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

/// Whom a 429 concerns: the bot when Discord says so (`global`, or `X-RateLimit-Global`), or when it is not Discord that
/// says it: Cloudflare's bans are for the address.
fn limit_scope(headers: &HeaderMap, body: &[u8]) -> LimitScope {
    #[derive(Deserialize)]
    struct Said {
        global: bool,
    }
    match serde_json::from_slice::<Said>(body) {
        Ok(Said { global: false }) if !headers.contains_key("x-ratelimit-global") => LimitScope::Chat,
        Ok(_) | Err(_) => LimitScope::Bot,
    }
}

/// What a refusal means (Discord: “Opcodes and Status Codes”, “Rate Limits”).
///
/// - 429, of a route or global: wait as long as the body says, else the header.
/// - 401: the token is wrong. That is no fault of the channel or of the part, and is over when the operator has put in
///   another one, so the delivery stays: unreachable, tried again with growing pauses, with a reason that says what to do.
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
        (StatusCode::UNAUTHORIZED, _) => SendError::Unreachable {
            reason: format!("{reason}: {TOKEN_HELP}"),
        },
        // A locked thread, a channel without text: whatever the status, it cannot be written to.
        (_, 160_005 | 50_008) => SendError::Gone { reason },
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
pub(super) const TOKEN_HELP: &str = "the bot's token is not accepted; reset it on \
    https://discord.com/developers/applications under “Bot” and put the new one into the configuration";

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
    let header = || headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse::<f64>().ok();
    let said = serde_json::from_slice::<Limited>(body)
        .ok()
        .map(|limited| limited.retry_after);
    said.or_else(header)
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .map_or(UNSAID_WAIT, |wait| wait.min(LONGEST_WAIT))
}

fn rejected(reason: String) -> SendError {
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
    fn the_token_stands_in_no_debug_text() {
        let sender = Sender::new(reqwest::Client::new(), "http://127.0.0.1:1/", "sesame".into());
        let shown = format!("{sender:?}");
        assert!(
            shown.contains("127.0.0.1:1/api/v10") && !shown.contains("sesame"),
            "{shown}"
        );
    }
}
