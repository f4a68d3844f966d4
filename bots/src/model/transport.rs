//! The way to a model's server and back, apart from everything that is decided about it, so that tests can stand in its
//! place. The key goes into one header and nowhere else.

use std::time::Duration;

use futures::future::BoxFuture;
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use crate::clock;

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(5);
/// The longest answer that is read, in bytes, decompressed: a hundred times a long brief.
const MOST_BYTES: usize = 1024 * 1024;

/// What a server answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// How long it wants to be left alone, from `Retry-After` (RFC 9110 §10.2.3).
    pub retry_after: Option<Duration>,
    /// The body, with the key hidden if it stands in there.
    pub body: String,
}

impl Answer {
    /// Whether the server took the request on.
    pub(super) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Nobody could be reached.
    #[error("{0}")]
    Unreachable(String),
    /// The connection broke before the answer was whole.
    #[error("{0}")]
    Broken(String),
    /// It took longer than `model.timeout`.
    #[error("no answer within model.timeout")]
    Slow,
    /// It is longer than anything that was asked for.
    #[error("the answer is longer than 1 MB")]
    Huge,
}

impl Fault {
    /// Whether the server may have worked on the request, and charge for it.
    pub(super) fn is_charged(&self) -> bool {
        match self {
            Self::Unreachable(_) => false,
            Self::Broken(_) | Self::Slow | Self::Huge => true,
        }
    }
}

/// Sends a request's body and brings what comes back.
pub trait Transport: Send + Sync {
    /// The server's address, for people.
    fn url(&self) -> String;
    /// Posts it, once.
    fn post<'a>(&'a self, body: &'a Value) -> BoxFuture<'a, Result<Answer, Fault>>;
}

/// Over HTTP. Neither its errors nor its answers show the key.
pub struct Http {
    client: reqwest::Client,
    url: String,
    key: Option<SecretString>,
}

impl Http {
    /// To `{url}/chat/completions`; a request takes `timeout` at most.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(url: &str, key: Option<SecretString>, timeout: Duration) -> reqwest::Result<Self> {
        let client = reqwest::Client::builder()
            .user_agent(concat!("paperwire/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT)
            .timeout(timeout)
            // A redirect would carry the key elsewhere.
            .redirect(reqwest::redirect::Policy::none())
            .build()?;
        Ok(Self {
            client,
            url: url.to_owned(),
            key,
        })
    }

    async fn posted(&self, body: &Value) -> Result<Answer, Fault> {
        let request = self.client.post(format!("{}/chat/completions", self.url)).json(body);
        let request = match &self.key {
            Some(key) => request.bearer_auth(key.expose_secret()),
            None => request,
        };
        let mut response = request.send().await.map_err(fault)?;
        let status = response.status().as_u16();
        let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
        let retry_after = header(RETRY_AFTER).and_then(wait);
        let html = header(CONTENT_TYPE).is_some_and(|kind| kind.starts_with("text/html"));
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(fault)? {
            if bytes.len() + chunk.len() > MOST_BYTES {
                return Err(Fault::Huge);
            }
            bytes.extend_from_slice(&chunk);
        }
        // Whatever a page of a proxy says, it is no answer of a model.
        let body = if html {
            "<html>".to_owned()
        } else {
            String::from_utf8_lossy(&bytes).into_owned()
        };
        Ok(Answer {
            status,
            retry_after,
            body: self.hidden(body),
        })
    }

    fn hidden(&self, text: String) -> String {
        match &self.key {
            Some(key) if key.expose_secret().len() >= 4 => text.replace(key.expose_secret(), "(hidden)"),
            Some(_) | None => text,
        }
    }
}

impl Transport for Http {
    fn url(&self) -> String {
        self.url.clone()
    }

    fn post<'a>(&'a self, body: &'a Value) -> BoxFuture<'a, Result<Answer, Fault>> {
        Box::pin(self.posted(body))
    }
}

fn fault(error: reqwest::Error) -> Fault {
    if error.is_timeout() && !error.is_connect() {
        return Fault::Slow;
    }
    let reached = !error.is_connect() && !error.is_builder();
    let error = error.without_url();
    let mut why = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        why = format!("{why}: {cause}");
        source = cause.source();
    }
    match reached {
        true => Fault::Broken(why),
        false => Fault::Unreachable(why),
    }
}

/// Seconds, or the time of day until which to wait; a day at most, whatever clock the server has.
fn wait(header: &str) -> Option<Duration> {
    const LONGEST: Duration = Duration::from_secs(86_400);
    let seconds = header.trim().parse::<f64>().ok().filter(|s| s.is_finite() && *s >= 0.0);
    if let Some(seconds) = seconds {
        return Some(Duration::from_secs_f64(seconds.min(LONGEST.as_secs_f64())));
    }
    let until = chrono::DateTime::parse_from_rfc2822(header.trim()).ok()?;
    let wait = (until.to_utc() - clock::now()).to_std().unwrap_or(Duration::ZERO);
    Some(wait.min(LONGEST))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_that_a_server_asks_for_is_read_in_both_forms() {
        assert_eq!(wait("20"), Some(Duration::from_secs(20)));
        assert_eq!(wait(" 1.5 "), Some(Duration::from_millis(1_500)));
        assert_eq!(wait("Wed, 21 Oct 2015 07:28:00 GMT"), Some(Duration::ZERO));
        for long in ["Wed, 21 Oct 2099 07:28:00 GMT", "1e300"] {
            assert_eq!(wait(long), Some(Duration::from_secs(86_400)));
        }
        for none in ["", "soon", "-1", "NaN"] {
            assert_eq!(wait(none), None, "{none}");
        }
    }
}
