//! The stages of a paper's way: accept → brief → publish → claim → settle. Each is a function of the store, the time and
//! its input, and ends in one commit; loops and sockets are elsewhere. The brief is written while a digest is composed
//! ([`crate::digest::compose`]), for only then is it known which papers need one.

mod accept;
mod channels;
mod deliver;
mod publish;

pub use self::accept::{Accepted, accept, refresh_topics};
pub use self::channels::{Wanted, configure_channels, move_channel, resume_channel};
pub use self::deliver::{Claimed, claim, release, settle, take_over};
pub use self::publish::{Published, Scored, draft_of_window, publish_due, publish_now};
