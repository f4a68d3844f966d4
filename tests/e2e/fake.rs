//! Fake platforms: plain structs that speak the platform's protocol on a port of their own.

pub(crate) mod telegram;
