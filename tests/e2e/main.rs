//! The whole program against fake platforms.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test's helpers fail the test as the test itself does"
)]

mod fake;
mod telegram;
