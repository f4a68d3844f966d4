//! What a source wants fetched, and what came back, as data: sources say it, and whoever has a socket does it.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::scope::Scope;
use super::{Parsed, SourceKind, Window};

/// A source that asks by itself: a machine without hands. Whoever runs it asks for what is [`Source::next`], fetches it, and
/// hands the answer to [`Source::take`]; one request at a time.
pub trait Source: Send {
    /// What it is called in the configuration, the log and the ledger of its failures: `arxiv-api`, `feed:news.example/rss`;
    /// without what of an address is secret.
    fn name(&self) -> &str;
    /// Which kind it is.
    fn kind(&self) -> SourceKind;
    /// Of one that asks for some of arXiv's categories: which.
    fn asks(&self) -> Option<&Scope> {
        None
    }
    /// What it wants done at `now`. `ledger` are the windows of all sources that stand for what it asks for
    /// ([`super::ledger::standing`]), in any order.
    fn next(&mut self, ledger: &[Window], now: DateTime<Utc>) -> Next;
    /// Takes the answer to the request that [`Source::next`] asked for last.
    fn take(&mut self, fetched: Fetched, now: DateTime<Utc>) -> Taken;
    /// Told before every [`Source::next`]: whether OAI-PMH is at work. A source that fills gaps leaves it those that it may be
    /// asked for, or both would fetch the same days.
    fn yields(&mut self, to_oai: bool) {
        let _ = to_oai;
    }
    /// Of one that lists what is latest: whether nothing in the answer taken last was in the one before it. What came and went
    /// between them was never seen.
    fn turned_over(&self) -> bool {
        false
    }
    /// What it wants to know after a restart (an `ETag`, a new address), version included; `None` for nothing.
    fn memory(&self) -> Option<String> {
        None
    }
}

/// What a source wants done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// This fetched, at once.
    Fetch(Request),
    /// Nothing until then.
    Wait(DateTime<Utc>),
    /// Nothing ever again; a sentence for people why.
    Ended(String),
}

/// What an answer meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Taken {
    /// There is more to fetch before it is whole: ask [`Source::next`] again.
    More,
    /// Something to take in, whole: what `accept` wants.
    Whole {
        /// Papers and window.
        parsed: Parsed,
        /// For people: `arXiv API 2025-10-08 18:00 – 2025-10-09 18:00`.
        name: String,
        /// The bytes that it was made from, for telling whether exactly they came before.
        bytes: Vec<u8>,
    },
    /// Nothing new.
    Nothing,
    /// It answered, without a paper for a stretch that should have some; that is asked for again, and other ones meanwhile.
    Empty {
        /// The stretch.
        window: Window,
        /// A sentence for people that names the stretch and what was asked for.
        sentence: String,
    },
    /// It failed, and is tried again when [`Source::next`] says; a sentence for people that names what and what to do.
    Failed(String),
}

impl Taken {
    /// The same under the source's own name, by which its days are kept ([`super::daybook`]).
    pub(super) fn named(self, source: &str) -> Self {
        match self {
            Self::Whole { parsed, bytes, .. } => Self::Whole {
                parsed,
                name: source.to_owned(),
                bytes,
            },
            Self::More | Self::Nothing | Self::Empty { .. } | Self::Failed(_) => self,
        }
    }
}

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
