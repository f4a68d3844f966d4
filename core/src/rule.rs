//! What a channel follows beyond topics, written as a person types it: `"kv cache" -survey cat:cs.*`. One language for
//! subscriptions and for searches, so that what was tried in one works in the other.

pub mod matcher;
mod needles;
pub mod org;
pub mod parse;
mod regexes;
pub mod trial;
mod words;

use std::fmt;

use chrono::NaiveDate;

pub use self::matcher::{Explanation, Facts, Matched, Obstacle, RuleSet, explain, nearest};
pub use self::parse::{Problem, Query, Rule, RuleError};
pub use self::trial::{Trial, Worth, trial};
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

impl Expr {
    /// Every condition, in order, with repeats.
    pub fn terms(&self) -> Vec<&Term> {
        match self {
            Self::And(members) | Self::Or(members) => members.iter().flat_map(Self::terms).collect(),
            Self::Not(inner) => inner.terms(),
            Self::Term(term) => vec![term],
        }
    }

    /// Whether it holds where exactly the terms hold of which `found` says so.
    pub fn holds(&self, found: &mut impl FnMut(&Term) -> bool) -> bool {
        match self {
            Self::And(members) => members.iter().all(|member| member.holds(found)),
            Self::Or(members) => members.iter().any(|member| member.holds(found)),
            Self::Not(inner) => !inner.holds(found),
            Self::Term(term) => found(term),
        }
    }

    /// The same structure as this type promises it, without repeats, in the order in which it was written.
    fn tidy(self) -> Self {
        let group = |members: Vec<Self>, inner: fn(Self) -> Result<Vec<Self>, Self>, whole: fn(Vec<Self>) -> Self| {
            let mut flat: Vec<Self> = Vec::new();
            for member in members.into_iter().map(Self::tidy) {
                for member in inner(member).unwrap_or_else(|member| vec![member]) {
                    if !flat.contains(&member) {
                        flat.push(member);
                    }
                }
            }
            match flat.pop() {
                Some(only) if flat.is_empty() => only,
                last => {
                    flat.extend(last);
                    whole(flat)
                }
            }
        };
        match self {
            Self::And(members) => group(
                members,
                |member| match member {
                    Self::And(members) => Ok(members),
                    other @ (Self::Or(_) | Self::Not(_) | Self::Term(_)) => Err(other),
                },
                Self::And,
            ),
            Self::Or(members) => group(
                members,
                |member| match member {
                    Self::Or(members) => Ok(members),
                    other @ (Self::And(_) | Self::Not(_) | Self::Term(_)) => Err(other),
                },
                Self::Or,
            ),
            Self::Not(inner) => match inner.tidy() {
                Self::Not(twice) => *twice,
                other @ (Self::And(_) | Self::Or(_) | Self::Term(_)) => Self::Not(Box::new(other)),
            },
            Self::Term(_) => self,
        }
    }

    /// The one form of all orders: what is wanted before what is not, single conditions before groups.
    fn sorted(self) -> Self {
        let mut before = self.tidy();
        loop {
            // Groups that differed in their order alone become one, which may leave a group of one, and so on upwards.
            let after = before.clone().sorted_once().tidy();
            if after == before {
                return after;
            }
            before = after;
        }
    }

    fn sorted_once(self) -> Self {
        let rank = |expr: &Self| match expr {
            Self::Term(_) => 0,
            Self::And(_) | Self::Or(_) => 1,
            Self::Not(_) => 2,
        };
        let sort = |members: Vec<Self>| {
            let mut members: Vec<Self> = members.into_iter().map(Self::sorted_once).collect();
            members.sort_by(|a, b| rank(a).cmp(&rank(b)).then_with(|| a.cmp(b)));
            members
        };
        match self {
            Self::And(members) => Self::And(sort(members)),
            Self::Or(members) => Self::Or(sort(members)),
            Self::Not(inner) => Self::Not(Box::new(inner.sorted_once())),
            Self::Term(_) => self,
        }
    }

    /// The same condition (or with `negated` its opposite) with `Not` around single terms only.
    fn pushed_down(&self, negated: bool) -> Self {
        let all = |members: &[Self]| members.iter().map(|member| member.pushed_down(negated)).collect();
        match (self, negated) {
            (Self::And(members), false) | (Self::Or(members), true) => Self::And(all(members)),
            (Self::Or(members), false) | (Self::And(members), true) => Self::Or(all(members)),
            (Self::Not(inner), _) => inner.pushed_down(!negated),
            (Self::Term(_), false) => self.clone(),
            (Self::Term(_), true) => Self::Not(Box::new(self.clone())),
        }
    }
}

impl fmt::Display for Expr {
    /// As it can be typed again.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut list = |members: &[Self], gap: &str| {
            for (at, member) in members.iter().enumerate() {
                if at > 0 {
                    f.write_str(gap)?;
                }
                match member {
                    Self::And(_) | Self::Or(_) => write!(f, "({member})")?,
                    Self::Not(_) | Self::Term(_) => write!(f, "{member}")?,
                }
            }
            Ok(())
        };
        match self {
            Self::And(members) => list(members, " "),
            Self::Or(members) => list(members, " OR "),
            Self::Not(inner) => match &**inner {
                group @ (Self::And(_) | Self::Or(_)) => write!(f, "-({group})"),
                other @ (Self::Not(_) | Self::Term(_)) => write!(f, "-{other}"),
            },
            Self::Term(term) => write!(f, "{term}"),
        }
    }
}

impl fmt::Display for Term {
    /// As it can be typed again; different terms are written differently.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = |f: &mut fmt::Formatter<'_>, text: &str, quoted: bool| {
            if quoted || !parse::is_bare(text) {
                write!(f, "\"{text}\"")
            } else {
                f.write_str(text)
            }
        };
        match self {
            Self::Words { scope, text, quoted } => {
                f.write_str(match scope {
                    Scope::Anywhere => "",
                    Scope::Title => "title:",
                    Scope::Author => "author:",
                })?;
                value(f, text, *quoted)
            }
            Self::Category { archive, class } => write!(f, "cat:{archive}.{}", class.as_deref().unwrap_or("*")),
            Self::Organisation(name) => {
                f.write_str("org:")?;
                value(f, name, false)
            }
            Self::Topic(topic) => write!(f, "topic:{topic}"),
            Self::Regex(pattern) => write!(f, "/{}/", pattern.replace('/', "\\/")),
            Self::From(day) => write!(f, "from:{day}"),
            Self::To(day) => write!(f, "to:{day}"),
        }
    }
}
