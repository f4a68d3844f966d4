//! How fast a platform may be written to.

use chrono::TimeDelta;

/// What the headers of a platform's answer say about its limits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Signal {
    /// The state of the bucket that the request was counted in, where the platform tells (Discord's `X-RateLimit-*`).
    pub bucket: Option<Bucket>,
    /// Whether the platform counts the answer as an invalid request (Discord: 401, 403, and 429 that is not shared).
    pub invalid: bool,
}

/// A bucket of requests as the platform's headers describe it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bucket {
    /// How many requests it holds.
    pub limit: u32,
    /// How many are left in it.
    pub remaining: u32,
    /// After what time it is full again.
    pub reset_after: TimeDelta,
}
