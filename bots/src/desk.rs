//! Where questions are answered, whatever platform they come from.

use futures::future::BoxFuture;
use paperwire_core::channel::Place;
use paperwire_core::command::{Answer, Question, Suggest};
use paperwire_core::locale::Lang;
use paperwire_core::message::Message;

/// What a person has typed of an argument so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Typing {
    /// Where.
    pub place: Place,
    /// The chat or channel around it, where it is a topic or a thread.
    pub parent: Option<Place>,
    /// What may be offered.
    pub suggest: Suggest,
    /// So far; may be empty.
    pub typed: String,
    /// The person's language.
    pub lang: Lang,
}

/// One thing to choose while typing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// What people read, at most 100 characters (Discord, “Application Command Option Choice”).
    pub label: String,
    /// What is sent if it is chosen, at most 100 characters.
    pub value: String,
}

/// A search from any chat, without being there (Telegram's inline mode).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inline {
    /// The platform's id of the person.
    pub asker: String,
    /// What was typed behind the bot's name; may be empty.
    pub words: String,
    /// How many results were shown before.
    pub skip: u32,
    /// The person's language.
    pub lang: Lang,
}

/// A paper that such a search found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Unique among the results, at most 64 bytes (Bot API, InlineQueryResultArticle).
    pub id: String,
    /// Its title.
    pub title: String,
    /// One line below it.
    pub description: String,
    /// Where it leads.
    pub url: Option<String>,
    /// What is posted when it is chosen: the paper as `/paper` shows it, cut to one part by the platform.
    pub message: Message,
}

/// Answers questions. Adapters know only this, so that they can be tested without a store.
pub trait Desk: Send + Sync {
    /// The answer; never fails: what goes wrong is said in the asker's language.
    fn answer(&self, question: Question) -> BoxFuture<'_, Answer>;
    /// What may be meant by what is being typed, likeliest first, at most 25 (Discord's limit).
    fn suggest(&self, typing: Typing) -> BoxFuture<'_, Vec<Choice>>;
    /// Papers for an inline search, and how many to skip for the next ones; `None` when these are the last.
    fn inline(&self, inline: Inline) -> BoxFuture<'_, (Vec<Found>, Option<u32>)>;
    /// Whether the bot serves this place at all (the configuration's allow and deny lists).
    fn serves(&self, place: &Place) -> bool;
    /// A chat has moved (Telegram: a group became a supergroup): everything goes with it.
    fn moved(&self, from: Place, to: Place) -> BoxFuture<'_, ()>;
}
