//! The whole program against fake platforms over loopback. No test sleeps: each waits for what it expects, under one
//! overall limit.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::result_large_err,
    reason = "helpers of tests are tests; a fake's refusal is a whole response"
)]

mod discord;
mod fake;
mod telegram;
