//! A paper is known once, whatever the sources: this module says what its identity is and how two sources' accounts of
//! it become one. Merging does not depend on the order in which the sources came.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::brief::Brief;
use crate::source::SourceKind;
use crate::text;

/// What a paper is called, for ever: `arxiv:2510.09212`, `doi:10.1000/182` or `url:https://…`.
///
/// An arXiv id carries no version (a version is a field of the paper); a DOI is lower-cased (DOIs are
/// case-insensitive, DOI Handbook §2.4).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum PaperId {
    /// `2510.09212` or, before April 2007, `cs/0112017` (arXiv identifier scheme).
    Arxiv(String),
    /// A DOI without the resolver's address.
    Doi(String),
    /// Anything else that has an address, or a provisional name (see [`PaperId::provisional`]).
    Url(String),
}

/// Why a text is no paper id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("“{0}” is neither an arXiv id (2510.09212), a DOI nor an address")]
pub struct PaperIdError(pub String);

const PROVISIONAL: &str = "paperwire:";

impl PaperId {
    /// A name for a paper of which only title and abstract are known, such as an entry of a report. It is replaced by
    /// the real id as soon as a source brings it.
    pub fn provisional(title: &str, abstract_text: &str) -> Self {
        Self::Url(format!(
            "{PROVISIONAL}{:016x}",
            text::hash64(&[&text::key(title), &text::key(abstract_text)])
        ))
    }

    /// Whether this is only a stand-in until the real id is known.
    pub fn is_provisional(&self) -> bool {
        matches!(self, Self::Url(url) if url.starts_with(PROVISIONAL))
    }

    /// Where a reader opens the paper; `None` for a provisional id.
    pub fn link(&self) -> Option<String> {
        match self {
            Self::Arxiv(id) => Some(format!("https://arxiv.org/abs/{id}")),
            Self::Doi(doi) => Some(format!("https://doi.org/{doi}")),
            Self::Url(_) if self.is_provisional() => None,
            Self::Url(url) => Some(url.clone()),
        }
    }

    /// The PDF's address, where the id alone tells it.
    pub fn pdf(&self) -> Option<String> {
        match self {
            Self::Arxiv(id) => Some(format!("https://arxiv.org/pdf/{id}")),
            Self::Doi(_) | Self::Url(_) => None,
        }
    }

    /// The id without its scheme, as people write it: `2510.09212`.
    pub fn bare(&self) -> &str {
        match self {
            Self::Arxiv(id) | Self::Doi(id) | Self::Url(id) => id,
        }
    }

    /// Reads an id as people paste it: with or without scheme, a link to the abstract, PDF or HTML page, with or
    /// without version, with trailing punctuation. The version is returned beside the id.
    ///
    /// # Errors
    /// [`PaperIdError`] names the text when it is none of these.
    pub fn parse_with_version(raw: &str) -> Result<(Self, Option<u16>), PaperIdError> {
        let bad = || PaperIdError(raw.trim().chars().take(80).collect());
        let trimmed = raw
            .trim()
            .trim_matches(|c: char| matches!(c, '<' | '>' | '(' | ')' | ',' | ';' | '"' | '\''));
        let lower = trimmed.to_ascii_lowercase();
        if let Some(rest) = lower.strip_prefix("doi:") {
            return doi(rest).ok_or_else(bad).map(|id| (id, None));
        }
        if let Some(rest) = lower.strip_prefix("url:") {
            let start = trimmed.len() - rest.len();
            let url = trimmed.get(start..).unwrap_or_default();
            return Self::parse_url(url).ok_or_else(bad);
        }
        let bare = lower.strip_prefix("arxiv:").unwrap_or(&lower).trim();
        if let Some(found) = arxiv(bare) {
            return Ok(found);
        }
        if lower.starts_with("10.") {
            return doi(&lower).ok_or_else(bad).map(|id| (id, None));
        }
        let host_given = [
            "arxiv.org/",
            "www.arxiv.org/",
            "export.arxiv.org/",
            "doi.org/",
            "dx.doi.org/",
        ];
        if host_given.iter().any(|host| lower.starts_with(host)) {
            return Self::parse_url(&format!("https://{trimmed}")).ok_or_else(bad);
        }
        Self::parse_url(trimmed).ok_or_else(bad)
    }

    fn parse_url(raw: &str) -> Option<(Self, Option<u16>)> {
        if raw.starts_with(PROVISIONAL) {
            return Some((Self::Url(raw.to_owned()), None));
        }
        let url = url::Url::parse(raw)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https"))?;
        let host = url.host_str()?.to_ascii_lowercase();
        let path = url.path().trim_matches('/');
        if host == "arxiv.org" || host.ends_with(".arxiv.org") {
            let (_, id) = path.split_once('/')?;
            return arxiv(id.trim_end_matches(".pdf"));
        }
        if host == "doi.org" || host == "dx.doi.org" {
            return doi(&path.to_ascii_lowercase()).map(|id| (id, None));
        }
        Some((Self::Url(url.to_string()), None))
    }
}

fn doi(lower: &str) -> Option<PaperId> {
    let doi = lower.trim().trim_end_matches(['.', ',', ';']);
    // DataCite registers arXiv's own papers below this prefix; they are the same work.
    if let Some(rest) = doi.strip_prefix("10.48550/arxiv.") {
        return arxiv(rest).map(|(id, _)| id);
    }
    let (prefix, suffix) = doi.split_once('/')?;
    let registrant = prefix.strip_prefix("10.")?;
    let valid = registrant.len() >= 4
        && registrant.chars().all(|c| c.is_ascii_digit() || c == '.')
        && !suffix.is_empty()
        && !suffix.chars().any(char::is_whitespace);
    valid.then(|| PaperId::Doi(doi.to_owned()))
}

/// arXiv's identifier scheme: `YYMM.NNNN[N]` since April 2007, `archive[.SUB]/YYMMNNN` before.
fn arxiv(raw: &str) -> Option<(PaperId, Option<u16>)> {
    let raw = raw.trim_end_matches(['.', ',', ';', ')']);
    let (id, version) = match raw.rsplit_once('v') {
        Some((id, digits)) if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) => {
            (id, Some(digits.parse::<u16>().ok().filter(|&v| v > 0)?))
        }
        _ => (raw, None),
    };
    let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    let month_ok = |yymm: &str| {
        yymm.get(2..4)
            .and_then(|m| m.parse::<u8>().ok())
            .is_some_and(|m| (1..=12).contains(&m))
    };
    let new_style = id.split_once('.').is_some_and(|(yymm, number)| {
        yymm.len() == 4 && (number.len() == 4 || number.len() == 5) && digits(yymm) && digits(number) && month_ok(yymm)
    });
    let old_style = || {
        id.split_once('/').is_some_and(|(archive, number)| {
            let main = archive.split('.').next().unwrap_or_default();
            (2..=8).contains(&main.len())
                && main.bytes().all(|b| b.is_ascii_lowercase() || b == b'-')
                && number.len() == 7
                && digits(number)
                && month_ok(number)
        })
    };
    (new_style || old_style()).then(|| (PaperId::Arxiv(id.to_owned()), version))
}

impl fmt::Display for PaperId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Arxiv(id) => write!(f, "arxiv:{id}"),
            Self::Doi(id) => write!(f, "doi:{id}"),
            Self::Url(id) => write!(f, "url:{id}"),
        }
    }
}

impl FromStr for PaperId {
    type Err = PaperIdError;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        Self::parse_with_version(s).map(|(id, _)| id)
    }
}

impl From<PaperId> for String {
    fn from(id: PaperId) -> Self {
        id.to_string()
    }
}

impl TryFrom<String> for PaperId {
    type Error = PaperIdError;

    fn try_from(s: String) -> Result<Self, Self::Error> {
        s.parse()
    }
}

/// A field's value with the source that it comes from, so that a better source can replace it later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Field<T> {
    /// The value, repaired but never empty.
    pub value: T,
    /// Who said so.
    pub source: SourceKind,
}

impl<T> Field<T> {
    /// A value as `source` gave it.
    pub fn new(value: T, source: SourceKind) -> Self {
        Self { value, source }
    }
}

/// One work. An absent field is one that no source has brought yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Paper {
    /// Its name for ever.
    pub id: PaperId,
    /// The highest version seen, from 1.
    pub version: u16,
    /// Title, in Unicode, on one line.
    pub title: Option<Field<String>>,
    /// Authors in the paper's order.
    pub authors: Option<Field<Vec<String>>>,
    /// How many authors, where a source says only that.
    pub author_count: Option<Field<u32>>,
    /// Institutions in the source's order.
    pub institutions: Option<Field<Vec<String>>>,
    /// arXiv categories, the primary one first.
    pub categories: Option<Field<Vec<String>>>,
    /// The abstract, in Unicode; paragraphs are separated by `\n`.
    pub abstract_text: Option<Field<String>>,
    /// The authors' comment ("12 pages, code at …").
    pub comments: Option<Field<String>>,
    /// DOI of the published version.
    pub doi: Option<Field<String>>,
    /// Journal reference.
    pub journal_ref: Option<Field<String>>,
    /// When the first version was submitted.
    pub submitted: Option<DateTime<Utc>>,
    /// When the highest version seen was submitted.
    pub revised: Option<DateTime<Utc>>,
    /// Briefs, at most one per language and origin.
    pub briefs: Vec<Brief>,
}

impl Paper {
    /// A paper of which nothing but its name is known.
    pub fn new(id: PaperId) -> Self {
        Self {
            id,
            version: 1,
            title: None,
            authors: None,
            author_count: None,
            institutions: None,
            categories: None,
            abstract_text: None,
            comments: None,
            doi: None,
            journal_ref: None,
            submitted: None,
            revised: None,
            briefs: Vec::new(),
        }
    }

    /// The title, or nothing.
    pub fn title(&self) -> &str {
        self.title.as_ref().map_or("", |f| &f.value)
    }

    /// The abstract, or nothing.
    pub fn abstract_text(&self) -> &str {
        self.abstract_text.as_ref().map_or("", |f| &f.value)
    }

    /// The authors, or none.
    pub fn authors(&self) -> &[String] {
        self.authors.as_ref().map_or(&[], |f| &f.value)
    }

    /// The institutions, or none.
    pub fn institutions(&self) -> &[String] {
        self.institutions.as_ref().map_or(&[], |f| &f.value)
    }

    /// The categories, primary first, or none.
    pub fn categories(&self) -> &[String] {
        self.categories.as_ref().map_or(&[], |f| &f.value)
    }

    /// How many authors: counted where they are known by name, else as a source said.
    pub fn author_count(&self) -> Option<u32> {
        match self.authors().len() {
            0 => self.author_count.as_ref().map(|f| f.value),
            n => u32::try_from(n).ok(),
        }
    }

    /// The first code repository that abstract or comments name, as a link.
    pub fn code_link(&self) -> Option<String> {
        let comments = self.comments.as_ref().map_or("", |f| &f.value);
        text::code_repository(self.abstract_text()).or_else(|| text::code_repository(comments))
    }

    /// Takes over from another account of the same work whatever is better there. Returns whether anything changed.
    ///
    /// Commutative and idempotent: a field goes to the source with the higher [`SourceKind::authority`]; between equals
    /// to the higher version, then to the longer and at last to the greater value. `self` keeps its id unless it is
    /// provisional and `other` has a real one.
    pub fn merge(&mut self, other: Self) -> bool {
        let before = self.clone();
        let newer = other.version.cmp(&self.version);
        if self.id.is_provisional() && !other.id.is_provisional() {
            self.id = other.id;
        }
        better(&mut self.title, other.title, newer, String::len);
        better(&mut self.authors, other.authors, newer, Vec::len);
        better(&mut self.author_count, other.author_count, newer, |_| 0);
        better(&mut self.institutions, other.institutions, newer, Vec::len);
        better(&mut self.categories, other.categories, newer, Vec::len);
        better(&mut self.abstract_text, other.abstract_text, newer, String::len);
        better(&mut self.comments, other.comments, newer, String::len);
        better(&mut self.doi, other.doi, newer, String::len);
        better(&mut self.journal_ref, other.journal_ref, newer, String::len);
        self.submitted = [self.submitted, other.submitted].into_iter().flatten().min();
        self.revised = [self.revised, other.revised].into_iter().flatten().max();
        self.version = self.version.max(other.version);
        for brief in other.briefs {
            let same = |b: &&mut Brief| b.lang == brief.lang && b.origin == brief.origin;
            match self.briefs.iter_mut().find(same) {
                Some(mine) if mine.text < brief.text => *mine = brief,
                Some(_) => {}
                None => self.briefs.push(brief),
            }
        }
        self.briefs.sort_by(|a, b| (a.lang, a.origin).cmp(&(b.lang, b.origin)));
        *self != before
    }
}

fn better<T: Ord>(
    mine: &mut Option<Field<T>>,
    theirs: Option<Field<T>>,
    newer: std::cmp::Ordering,
    size: impl Fn(&T) -> usize,
) {
    let Some(theirs) = theirs else { return };
    let wins = match mine.as_ref() {
        None => true,
        Some(mine) => theirs
            .source
            .authority()
            .cmp(&mine.source.authority())
            .then(newer)
            .then_with(|| size(&theirs.value).cmp(&size(&mine.value)))
            .then_with(|| theirs.value.cmp(&mine.value))
            .is_gt(),
    };
    if wins {
        *mine = Some(theirs);
    }
}
