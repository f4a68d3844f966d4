//! What a channel follows beyond topics, written as a person types it: `"kv cache" -survey cat:cs.*`. One language for
//! subscriptions and for searches, so that what was tried in one works in the other.

use chrono::NaiveDate;

use crate::topic::TopicId;

/// A rule's structure. `And` and `Or` have two members at least, none of them of the same kind; `Not` never holds a `Not`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Expr {
    /// All of them.
    And(Vec<Expr>),
    /// One of them at least.
    Or(Vec<Expr>),
    /// Not this one.
    Not(Box<Expr>),
    /// One condition.
    Term(Term),
}

/// Where words are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Title and abstract.
    Anywhere,
    /// `title:`
    Title,
    /// `author:`
    Author,
}

/// One condition.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Term {
    /// A word or a "phrase".
    Words {
        /// Where.
        scope: Scope,
        /// As people mean it ([`crate::text::fold`]ed, one line).
        text: String,
        /// Whether it stood in quotes: then it is found exactly, not by its inflections.
        quoted: bool,
    },
    /// `cat:cs.CL`, `cat:cs.*`: the archive, and the class unless any will do.
    Category {
        /// `cs`
        archive: String,
        /// `CL`; `None` for `*`.
        class: Option<String>,
    },
    /// `org:北京大学`: an institution under any of its names; the folded name as typed.
    Organisation(String),
    /// `topic:inference`
    Topic(TopicId),
    /// `/kv.?cache/`: a regular expression over title and abstract, without case.
    Regex(String),
    /// `from:2025-09-01`: taken in on that day or later. Searches only.
    From(NaiveDate),
    /// `to:2025-09-30`: taken in on that day or earlier. Searches only.
    To(NaiveDate),
}
