//! Discord: markup out, questions in. Posts go through an own sender, since the library hides the headers of a refusal
//! and repeats requests on its own; the gateway and its models are serenity's.

pub mod amend;
mod components;
mod forum;
pub mod gateway;
mod interaction;
pub mod markup;
mod registration;
pub mod sender;
