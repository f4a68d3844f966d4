//! The only crate that talks to the world: chat platforms, the local web page, files, the clock. It decides nothing
//! about papers, digests or deliveries; `paperwire-core` does. Loops live here and look alike: run one step; if it did
//! nothing, wait for a nudge or for the next due time.

pub mod app;
pub mod ballast;
pub mod bench;
pub mod cli;
pub mod clock;
pub mod control;
pub mod demo;
pub mod desk;
pub mod discord;
pub mod doctor;
pub mod fetch;
pub mod folder;
pub mod gate;
pub mod housekeeping;
pub mod http;
pub mod inbox;
pub mod institutions;
pub mod limits;
pub mod manners;
pub mod messenger;
pub mod model;
pub mod models;
pub mod ops;
pub mod owner;
pub mod queued;
pub mod render;
pub mod scheduler;
pub mod search;
pub mod service;
pub mod sources;
pub mod storage;
pub mod talk;
pub mod telegram;
pub mod watch;
pub mod web;
pub mod worker;
pub mod writer;
