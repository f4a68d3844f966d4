//! The one place that reads the clock. Everything else takes `now`.

use chrono::{DateTime, Utc};

/// The present instant.
#[expect(
    clippy::disallowed_methods,
    reason = "the edge has to read the clock somewhere, and this is where"
)]
pub fn now() -> DateTime<Utc> {
    Utc::now()
}
