//! All mistakes of a configuration at once, each with its place and its way out, so that a person mends it in one go.

use std::fmt;

/// Where a value or a mistake stands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Where {
    /// A file, and the line in it when one is at fault (counted from 1).
    File {
        /// The file as it was named.
        name: String,
        /// The line.
        line: Option<usize>,
    },
    /// An environment variable.
    Variable(String),
}

impl fmt::Display for Where {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { name, line: None } => f.write_str(name),
            Self::File { name, line: Some(line) } => write!(f, "{name}:{line}"),
            Self::Variable(name) => f.write_str(name),
        }
    }
}

/// One mistake. Neither text ever holds a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// Where it stands.
    pub at: Where,
    /// The key's path (`channel[0].schedule`); empty when no key is at fault.
    pub key: String,
    /// What is wrong.
    pub what: String,
    /// What to do; empty when `what` says it.
    pub fix: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = format!("{}: ", self.at);
        if !self.key.is_empty() {
            line += &format!("{}: ", self.key);
        }
        line += &self.what;
        if !self.fix.is_empty() {
            line += &format!("; {}", self.fix);
        }
        // A quoted value may have line breaks; a mistake is one line.
        f.write_str(&line.replace(char::is_control, " "))
    }
}

/// Every mistake that was found, those of the file in the order of its lines; displayed one per line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigErrors(pub Vec<ConfigError>);

impl ConfigErrors {
    pub(crate) fn in_order(mut errors: Vec<ConfigError>) -> Self {
        errors.sort_by(|a, b| a.at.cmp(&b.at));
        Self(errors)
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, error) in self.0.iter().enumerate() {
            let separator = if i == 0 { "" } else { "\n" };
            write!(f, "{separator}{error}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}

/// A text from outside, as it may stand in a message: on one line and not too long.
pub(crate) fn quoted(text: &str) -> String {
    let shown: String = text.chars().take(60).flat_map(char::escape_debug).collect();
    let more = if text.chars().nth(60).is_some() { "…" } else { "" };
    format!("“{shown}{more}”")
}

/// The known word that `wrong` was probably meant to be.
pub(crate) fn nearest<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wrong: String = wrong.chars().take(100).collect();
    known
        .into_iter()
        .map(|word| (strsim::damerau_levenshtein(&wrong, word), word))
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, word)| distance * 2 <= word.len())
        .map(|(_, word)| word)
}
