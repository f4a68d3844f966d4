//! Telegram: updates in by long polling, messages out through the Bot API. Receiving goes through teloxide; sending is
//! our own, since a delivery depends on knowing exactly what became of each request.

pub mod amend;
pub mod markup;
pub mod sender;
pub mod updates;
