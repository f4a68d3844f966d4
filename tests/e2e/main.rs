//! The whole program against fake platforms over loopback. No test sleeps: each waits for what it expects, under one
//! overall limit.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::wildcard_enum_match_arm,
    clippy::result_large_err,
    reason = "helpers of tests are tests, and a skipped one says so; what is not expected fails, whatever it is; a fake's \
              refusal is a whole response"
)]

mod bench;
mod conversation;
mod corrections;
mod delivery;
mod discord;
mod fake;
mod forum;
mod held;
mod inbox;
mod ops;
mod process;
mod program;
mod questions;
mod real_data;
mod restart;
mod sources;
mod telegram;
mod web;
mod writer;
