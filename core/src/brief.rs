//! The one sentence that a busy reader gets of a paper: who published what, with which technique, solving which problem,
//! to what effect. It says only what the paper says: a brief that somebody else wrote passes a gate first, and where it
//! does not, the abstract's own words take its place.

use serde::{Deserialize, Serialize};

use crate::locale::Lang;
use crate::paper::Paper;

/// The longest extractive brief, in characters (Unicode scalar values).
pub const EXTRACT_CHARS: usize = 280;

/// Where a brief comes from. A writer that uses a language model becomes a third origin here; [`compose`] is where it
/// would be asked first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// Read from a report that somebody else made.
    Imported,
    /// Sentences or clauses of the abstract, word for word.
    Extracted,
}

/// A one-sentence summary in one language.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Brief {
    /// The language it is written in.
    pub lang: Lang,
    /// Where it comes from.
    pub origin: Origin,
    /// The sentence, on one line.
    pub text: String,
}

/// Why a brief was not let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Refused {
    /// There is no sentence.
    Empty,
    /// The writer asked for the paper instead of summarising it ("请提供论文的标题…").
    Refusal,
    /// A template whose brackets nobody filled ("[主要机构]发布了…").
    Template,
    /// It claims something of a paper whose abstract nobody has.
    NoAbstract,
}

/// The first gate: whether `text` may be shown as the brief of a paper with this title and abstract.
///
/// # Errors
/// The reason for which it may not.
pub fn gate(text: &str, title: &str, abstract_text: &str) -> Result<(), Refused> {
    let _ = (text, title, abstract_text);
    todo!()
}

/// The sentence or clauses of the abstract that best carry technique, problem and effect, at most [`EXTRACT_CHARS`]
/// characters; `None` without an abstract.
pub fn extract(title: &str, abstract_text: &str) -> Option<String> {
    let _ = (title, abstract_text);
    todo!()
}

/// The brief of `paper` for a reader of `lang`: an imported one in that language that passes the [`gate`], else an
/// extract of the abstract (in the abstract's own language), else nothing.
pub fn compose(paper: &Paper, lang: Lang) -> Option<Brief> {
    let _ = (paper, lang);
    todo!()
}
