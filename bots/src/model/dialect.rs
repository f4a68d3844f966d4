//! What a server understands of the API, found out by asking: the form of answers by schema, as any JSON, or not at all; the
//! newer name of a limit; a temperature. Servers say in the text of an error which of it they do not know, and what was found
//! out is kept.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use paperwire_core::chat::{Ask, Finish, Reply, Usage};
use paperwire_core::message::ellipsis;
use paperwire_core::store::{MemoSpace, Store, StoreError, Write};
use paperwire_core::text;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::REASON_CHARS;
use super::transport::Answer;

/// What was found out is tried anew after this time: servers are upgraded.
const FORGOTTEN_AFTER: TimeDelta = TimeDelta::days(7);

/// How a server is asked for the form of an answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rung {
    /// It enforces the schema.
    #[default]
    JsonSchema,
    /// It enforces that it is JSON.
    JsonObject,
    /// The prompt alone asks for it.
    Plain,
}

impl fmt::Display for Rung {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::JsonSchema => "json-schema",
            Self::JsonObject => "json-object",
            Self::Plain => "plain",
        })
    }
}

/// What a server understands.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Dialect {
    pub(super) rung: Rung,
    /// Whether the limit is called `max_completion_tokens`, as OpenAI's newer models want.
    new_limit: bool,
    /// Whether a temperature is refused, as models that think aloud do.
    own_temperature: bool,
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.rung)?;
        if self.new_limit {
            f.write_str(", max_completion_tokens")?;
        }
        if self.own_temperature {
            f.write_str(", without temperature")?;
        }
        Ok(())
    }
}

/// What an answer means.
#[derive(Debug)]
pub(super) enum Heard {
    Reply(Reply),
    /// The server does not know part of the question; ask in this way.
    Other(Dialect),
    /// It does not want this question.
    Unusable(String),
    /// It wants none.
    Refused(String),
    /// Later; after so long where it says.
    Busy(Option<Duration>, String),
    /// It is not well.
    Failing(String),
}

/// Where it is kept what was found out about a server and a model.
pub(super) fn key(url: &str, name: &str) -> String {
    format!("dialect.{:016x}", text::hash64(&[url, name]))
}

#[derive(Serialize, Deserialize)]
struct MemoV1 {
    dialect: Dialect,
    at: DateTime<Utc>,
}

impl Dialect {
    /// The body of a request.
    pub(super) fn body(&self, name: &str, ask: &Ask) -> Value {
        let mut body = Map::new();
        body.insert("model".to_owned(), json!(name));
        body.insert("messages".to_owned(), json!(ask.messages));
        body.insert("stream".to_owned(), json!(false));
        let limit = if self.new_limit {
            "max_completion_tokens"
        } else {
            "max_tokens"
        };
        body.insert(limit.to_owned(), json!(ask.most_tokens));
        if !self.own_temperature {
            body.insert("temperature".to_owned(), json!(0));
        }
        if let Some(format) = &ask.format {
            let form = match self.rung {
                Rung::JsonSchema => Some(json!({
                    "type": "json_schema",
                    "json_schema": { "name": format.name, "strict": true, "schema": format.schema },
                })),
                Rung::JsonObject => Some(json!({ "type": "json_object" })),
                Rung::Plain => None,
            };
            body.extend(form.map(|form| ("response_format".to_owned(), form)));
        }
        Value::Object(body)
    }

    /// A simpler way to ask, if a server's complaint names what it does not know.
    fn without(&self, complaint: &str) -> Option<Self> {
        let complaint = complaint.to_lowercase();
        let names = |words: &[&str]| words.iter().any(|word| complaint.contains(word));
        if names(&[
            "response_format",
            "json_schema",
            "json_object",
            "response format",
            "structured output",
            "guided",
        ]) {
            let rung = match self.rung {
                Rung::JsonSchema => Rung::JsonObject,
                Rung::JsonObject => Rung::Plain,
                Rung::Plain => return None,
            };
            return Some(Self { rung, ..self.clone() });
        }
        if !self.new_limit && names(&["max_completion_tokens"]) {
            return Some(Self {
                new_limit: true,
                ..self.clone()
            });
        }
        (!self.own_temperature && names(&["temperature"])).then(|| Self {
            own_temperature: true,
            ..self.clone()
        })
    }

    /// What an answer to a question asked in this way means.
    pub(super) fn understand(&self, answer: Answer) -> Heard {
        let Answer {
            status,
            retry_after,
            body,
        } = answer;
        let value: Option<Value> = serde_json::from_str(&body).ok();
        // A gateway that has answered before it knew says so in the body.
        let status = match (status, value.as_ref().and_then(late_status)) {
            (200..=299, Some(late)) => late,
            (status, _) => status,
        };
        let why = complaint(value.as_ref(), &body);
        let said = format!("{status}, {why}");
        match status {
            200..=299 => match value.as_ref().and_then(completion) {
                Some(reply) => Heard::Reply(reply),
                None => Heard::Failing(format!("what came back is no chat completion: {why}")),
            },
            400 | 404 | 422 | 501 if self.without(&why).is_some() => {
                self.without(&why).map_or(Heard::Unusable(said), Heard::Other)
            }
            // It is this question that its filter does not like, says OpenRouter, and not the key.
            403 if value
                .as_ref()
                .is_some_and(|value| value.pointer("/error/metadata/flagged_input").is_some()) =>
            {
                Heard::Unusable(said)
            }
            // They repeat the key, or what is left of it.
            401 | 403 => Heard::Refused(format!(
                "the key is refused ({status}); check model.api_key, and whether the account may use the model"
            )),
            402 => Heard::Refused("the account has no credit left (402); top it up at the provider".to_owned()),
            404 => Heard::Refused(format!(
                "nothing is there ({said}); check model.name, and whether model.url is whole, as in http://localhost:11434/v1"
            )),
            429 if value
                .as_ref()
                .is_some_and(|value| value.to_string().contains("insufficient_quota")) =>
            {
                Heard::Refused("the account has no credit left (429); top it up at the provider".to_owned())
            }
            429 => Heard::Busy(retry_after, said),
            503 if retry_after.is_some() => Heard::Busy(retry_after, said),
            408 | 500..=599 => Heard::Failing(said),
            300..=399 => Heard::Refused(format!(
                "the server sends elsewhere ({status}), which is not followed with a key; set model.url to where it is"
            )),
            _ => Heard::Unusable(said),
        }
    }

    /// For the store.
    pub(super) fn memo(&self, key: String, at: DateTime<Utc>) -> Write {
        let stored = MemoV1 {
            dialect: self.clone(),
            at,
        };
        Write::Memo {
            space: MemoSpace::Brief,
            key,
            value: serde_json::to_string(&stored).ok().map(|stored| format!("v1 {stored}")),
        }
    }

    /// What was found out before, unless that is long ago.
    pub(super) fn recalled(store: &dyn Store, key: &str, now: DateTime<Utc>) -> Result<Option<Self>, StoreError> {
        let stored = match store.memo(MemoSpace::Brief, key) {
            Err(StoreError::Damaged { .. }) => None,
            read => read?,
        };
        let memo = stored.and_then(|stored| serde_json::from_str::<MemoV1>(stored.strip_prefix("v1 ")?).ok());
        let fresh = memo.filter(|memo| now - memo.at < FORGOTTEN_AFTER);
        Ok(fresh.map(|memo| memo.dialect))
    }
}

/// What a server says is wrong, on one line.
fn complaint(value: Option<&Value>, body: &str) -> String {
    let said = value.and_then(|value| {
        let error = error_in(value).unwrap_or(value);
        let texts = [
            error.get("message"),
            error.get("detail"),
            error.get("metadata"),
            Some(error),
        ];
        let mut texts = texts.into_iter().flatten();
        texts.find_map(|said| said.as_str().map(str::to_owned))
    });
    let said = match said {
        Some(said) => said,
        None if body.trim_start().starts_with('<') => "an HTML page".to_owned(),
        None if body.trim().is_empty() => "nothing".to_owned(),
        None => body.to_owned(),
    };
    ellipsis(&text::one_line(&said), REASON_CHARS)
}

/// The status in the body of an answer that is no completion: `{"error": {"code": 429, …}}`, as OpenRouter sends with 200
/// (<https://openrouter.ai/docs/api/reference/errors-and-debugging>).
fn late_status(value: &Value) -> Option<u16> {
    let code = error_in(value)?.get("code")?.as_u64()?;
    let code = u16::try_from(code).ok().filter(|code| (400..600).contains(code));
    code.filter(|_| completion(value).is_none())
}

/// What an answer names as its error, or that of its choice.
fn error_in(value: &Value) -> Option<&Value> {
    let errors = [value.get("error"), value.pointer("/choices/0/error")];
    errors.into_iter().flatten().find(|error| !error.is_null())
}

/// A completion's first choice; `None` for anything else, also one that broke off in an error.
fn completion(value: &Value) -> Option<Reply> {
    let choice = value.get("choices")?.get(0)?;
    let failed = choice.get("error").is_some_and(|error| !error.is_null());
    if failed || choice.get("finish_reason").and_then(Value::as_str) == Some("error") {
        return None;
    }
    let message = choice.get("message")?;
    let said = match message.get("content") {
        Some(Value::String(said)) => said.clone(),
        // In parts, as some gateways answer.
        Some(Value::Array(parts)) => {
            let texts = parts.iter().filter_map(|part| part.get("text")?.as_str());
            texts.collect()
        }
        // A model that thought until its end, or would not answer (OpenAI's structured outputs).
        Some(_) | None => message
            .get("refusal")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned(),
    };
    let finish = match choice.get("finish_reason").and_then(Value::as_str) {
        Some("length") => Finish::Length,
        Some("content_filter") => Finish::Filtered,
        Some(_) | None => Finish::Stop,
    };
    let count = |name: &str| value.get("usage")?.get(name)?.as_u64();
    // Some count thoughts in the total alone (Gemini).
    let rest = |prompt: u64| count("total_tokens").unwrap_or_default().saturating_sub(prompt);
    let usage = count("prompt_tokens").map(|prompt| Usage {
        prompt,
        completion: count("completion_tokens").unwrap_or_default().max(rest(prompt)),
    });
    Some(Reply {
        text: said,
        finish,
        usage: usage.filter(|usage| usage.total() > 0),
    })
}
