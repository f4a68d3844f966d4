//! Fake platforms: plain structs that speak the platform's protocol on a loopback port of their own.

pub(crate) mod arxiv;
pub(crate) mod discord;
pub(crate) mod model;
pub(crate) mod telegram;
