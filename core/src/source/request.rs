//! What a source wants fetched, and what came back, as data: sources say it, and whoever has a socket does it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// One GET that a source wants sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The address.
    pub url: String,
    /// `ETag` of what is known, for `If-None-Match` (RFC 9110 §13.1.2).
    pub etag: Option<String>,
    /// `Last-Modified` of what is known, for `If-Modified-Since` (RFC 9110 §13.1.3), as it came.
    pub last_modified: Option<String>,
}

impl Request {
    /// A plain one.
    pub fn get(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            etag: None,
            last_modified: None,
        }
    }
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fetched {
    /// 2xx.
    Body(Body),
    /// 304: as it was.
    Unchanged,
    /// 410: it will not come back (RFC 9110 §15.5.11).
    Gone,
    /// 429 or 503: later, after so long where the server says.
    Later {
        /// From `Retry-After`.
        retry_after: Option<Duration>,
    },
    /// Anything else: another status, no connection, too long, too large.
    Failed {
        /// A sentence for people, without secrets.
        reason: String,
        /// Whether asking again can help.
        transient: bool,
    },
}

/// A body that came whole, decompressed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Body {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// `Content-Type` as it came.
    pub content_type: Option<String>,
    /// `ETag` as it came.
    pub etag: Option<String>,
    /// `Last-Modified` as it came.
    pub last_modified: Option<String>,
    /// Where it was found after permanent redirects alone (301, 308), if elsewhere: from now on the source's address.
    pub moved_to: Option<String>,
}
