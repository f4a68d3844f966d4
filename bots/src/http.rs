//! The one HTTP client, so that timeouts and pools are the same everywhere.

use std::time::Duration;

/// The client for the platforms' APIs: connect 5 s, whole request 20 s, no redirects (no API of ours redirects, and a
/// redirect would carry the token elsewhere).
///
/// # Errors
/// When TLS cannot be set up.
pub fn client() -> reqwest::Result<reqwest::Client> {
    reqwest::Client::builder()
        .user_agent(concat!("paperwire/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(Duration::from_secs(5))
        .timeout(Duration::from_secs(20))
        .redirect(reqwest::redirect::Policy::none())
        .build()
}
