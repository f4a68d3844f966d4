//! Paperwire's judgement, without its hands: what a paper is, which ones a channel gets, what a digest says and what
//! becomes of each delivery.
//!
//! The flow, in the order of the modules:
//! a [`source`] parses bytes into [`paper`]s; a [`topic`] or a [`subscription`]'s keywords score them; a [`brief`] says
//! each in one sentence; at an occurrence of the [`schedule`] a [`digest`] numbers them; it becomes a [`message`], cut
//! into parts; a [`delivery`] carries the parts to a channel, and later an
//! [`erratum`] to what stands there; a [`command`] asks back, a [`vote`] says what readers think, an [`export`] is what they
//! take with them. The [`pipeline`] is these stages over a [`store`].
//!
//! Absent on purpose: sockets, tasks, clocks. `now` is always a parameter, so every decision can be replayed.

pub mod alarm;
pub mod bibtex;
pub mod breaker;
pub mod brief;
pub mod channel;
pub mod chat;
pub mod command;
pub mod delivery;
pub mod digest;
pub mod erratum;
pub mod export;
pub mod institution;
pub mod join;
pub mod limiter;
pub mod locale;
pub mod markup;
pub mod mention;
pub mod message;
pub mod paper;
pub mod pipeline;
pub mod report;
pub mod rule;
pub mod schedule;
pub mod source;
pub mod store;
pub mod subscription;
pub mod tex;
pub mod text;
pub mod topic;
pub mod vote;

#[cfg(test)]
mod tests;
