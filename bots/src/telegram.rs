//! Telegram: updates in by long polling, messages out through the Bot API. Receiving goes through teloxide; sending is
//! our own, since a delivery depends on knowing exactly what became of each request.

pub mod amend;
mod inline;
mod keyboard;
pub mod markup;
pub mod rich;
pub mod sender;
mod standing;
pub mod updates;
