//! The stages of a paper's way: accept → brief → publish → claim → settle, and accept → correct → claim → settle for what
//! changes after that; vote → tally → claim → settle for what readers say. Each is a function of the store, the time and
//! its input, and ends in one commit; loops and sockets are elsewhere. The brief is written while a digest is composed
//! ([`crate::digest::compose`]), for only then is it known which papers need one.

use crate::store::{Result, StoreError};

mod accept;
mod affiliate;
mod channels;
mod compact;
mod correct;
mod deliver;
mod follow;
mod held;
pub mod judging;
mod opinion;
mod publish;
pub mod queue;
mod settings;
mod tally;
pub mod writing;

#[cfg(test)]
pub(crate) mod fixture;

pub use self::accept::{Accepted, REFRESH, accept, refresh_topics};
pub use self::affiliate::{Asked, affiliated, unaffiliated};
pub use self::channels::{
    Extent, Wanted, adopt_channel, configure_channels, follow_chat, move_channel, resume_channel,
};
pub use self::compact::{Behind, EDIT_WINDOW, NOTES_KEPT, compact, forget_notes};
pub use self::deliver::{Input, Job, Task, Turn, limiter, set_aside, take_over, turn};
pub use self::follow::{
    Followed, Item, Listed, MOST as MOST_FOLLOWED, MOST_CALLS, Revision, TooMany, call, follow, listed, revise,
};
pub use self::held::{
    Decision, Held, KEPT, LeftOut, Notice, OPERATOR, Outcome as Resolution, Resolved, Ruling, To, Waiting, all_held,
    decision, forget, held, is_withheld, notices, resolve, told, verdict_message, waiting,
};
pub use self::opinion::{Top, Voted, paper_of, save, saved, tally_of, top, vote};
pub use self::publish::{Occasion, Published, Scored, draft_of_window, publish_due, publish_now};
pub use self::settings::{Changed, Refused, Setting, change, upcoming};
pub use self::tally::{PAUSE, SHOWN_FOR, Tallied, tally};

/// A damaged record as one that is not there: it is set aside, and whatever else the stage does goes on.
pub(crate) fn readable<T>(read: Result<Option<T>>) -> Result<Option<T>> {
    match read {
        Err(StoreError::Damaged { .. }) => Ok(None),
        Ok(_) | Err(StoreError::Broken(_)) => read,
    }
}
