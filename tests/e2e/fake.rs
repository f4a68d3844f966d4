//! The platforms as plain structs that speak HTTP on loopback.

pub(crate) mod discord;
