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

    /// Whether a paper that goes by both names is called by this one: arXiv's over a DOI over an address; of two of a kind
    /// the lesser, so that it does not matter which came first. A stand-in is never better.
    pub fn is_better_than(&self, other: &Self) -> bool {
        let rank = |id: &Self| match id {
            Self::Arxiv(_) => 0,
            Self::Doi(_) => 1,
            Self::Url(_) => 2 + u8::from(id.is_provisional()),
        };
        !self.is_provisional() && (rank(self), self) < (rank(other), other)
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
        let trimmed = without_punctuation(raw);
        let lower = trimmed.to_ascii_lowercase();
        if let Some(rest) = lower.strip_prefix("doi:") {
            return doi(rest).ok_or_else(bad);
        }
        if let Some(rest) = lower.strip_prefix("url:") {
            let start = trimmed.len() - rest.len();
            let url = trimmed.get(start..).unwrap_or_default();
            return Self::parse_url(url).ok_or_else(bad);
        }
        let bare = lower.strip_prefix("arxiv:").unwrap_or(&lower).trim();
        // As it stands on the margin of arXiv's PDFs: "arXiv:2510.09212v2  [cs.CL]  10 Oct 2025".
        let first = bare.split_once(" [").map_or(bare, |(first, _)| first.trim_end());
        if let Some(found) = arxiv(first) {
            return Ok(found);
        }
        if lower.starts_with("10.") {
            return doi(&lower).ok_or_else(bad);
        }
        let host_given = [
            "arxiv.org/",
            "www.arxiv.org/",
            "export.arxiv.org/",
            "doi.org/",
            "dx.doi.org/",
            "www.doi.org/",
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
            return arxiv(&id.to_ascii_lowercase());
        }
        if host == "doi.org" || host.ends_with(".doi.org") {
            return doi(&percent_decoded(path)?.to_lowercase());
        }
        let text = url.to_string();
        // What normalising uncovers at the end (`https://a.org/x,` and a control character) would not be read back.
        match without_punctuation(&text) {
            same if same.len() == text.len() => Some((Self::Url(text), None)),
            shorter => Self::parse_url(shorter),
        }
    }
}

/// What people paste around an id: quotes, brackets, commas. A closing parenthesis stays where its opening one is in the
/// id itself (`10.1016/s0014-5793(01)03313-0` is a DOI).
fn without_punctuation(raw: &str) -> &str {
    let mut text = raw.trim();
    loop {
        let inner = text
            .trim_start_matches(['<', '(', '[', '"', '\'', '“', '‘'])
            .trim_end_matches(['.', ',', ';', '"', '\'', '”', '’']);
        let unopened = |open: char, close: char| inner.ends_with(close) && !inner.contains(open);
        let inner = if unopened('(', ')') || unopened('<', '>') || unopened('[', ']') {
            inner.get(..inner.len() - 1).unwrap_or_default()
        } else {
            inner
        };
        if inner == text {
            return text;
        }
        text = inner.trim();
    }
}

/// Bytes written as `%3C` in a link; `None` where they are no UTF-8.
fn percent_decoded(path: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let [first, tail @ ..] = rest {
        let hex = |b: u8| char::from(b).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        match tail {
            [high, low, after @ ..] if *first == b'%' && hex(*high).is_some() && hex(*low).is_some() => {
                bytes.push(hex(*high)? << 4 | hex(*low)?);
                rest = after;
            }
            _ => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8(bytes).ok()
}

fn doi(lower: &str) -> Option<(PaperId, Option<u16>)> {
    let doi = without_punctuation(lower);
    // DataCite registers arXiv's own papers below this prefix; they are the same work.
    if let Some(rest) = doi.strip_prefix("10.48550/arxiv.") {
        return arxiv(rest);
    }
    let (prefix, suffix) = doi.split_once('/')?;
    let registrant = prefix.strip_prefix("10.")?;
    let valid = registrant.len() >= 4
        && registrant.chars().all(|c| c.is_ascii_digit() || c == '.')
        && !suffix.is_empty()
        && !suffix.chars().any(|c| c.is_whitespace() || c.is_control());
    valid.then(|| (PaperId::Doi(doi.to_owned()), None))
}

/// arXiv's identifier scheme: `YYMM.NNNN[N]` since April 2007, `archive[.SUB]/YYMMNNN` before. The subject class is no
/// part of the identity: `math.GT/0309136` is `math/0309136`.
fn arxiv(lower: &str) -> Option<(PaperId, Option<u16>)> {
    let raw = lower.trim_end_matches(['.', ',', ';', ')']);
    let raw = raw.strip_suffix(".pdf").unwrap_or(raw);
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
        let (archive, number) = id.split_once('/')?;
        let main = archive.split('.').next().unwrap_or_default();
        let valid = (2..=8).contains(&main.len())
            && main.bytes().all(|b| b.is_ascii_lowercase() || b == b'-')
            && number.len() == 7
            && digits(number)
            && month_ok(number);
        valid.then(|| format!("{main}/{number}"))
    };
    let id = if new_style { id.to_owned() } else { old_style()? };
    Some((PaperId::Arxiv(id), version))
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
    /// Of which day the account is: when the version that it describes was submitted, where the source says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_of: Option<DateTime<Utc>>,
}

impl<T> Field<T> {
    /// A value as `source` gave it.
    pub fn new(value: T, source: SourceKind) -> Self {
        Self::as_of(value, source, None)
    }

    /// A value as `source` gave it, describing the version submitted at `as_of`.
    pub fn as_of(value: T, source: SourceKind, as_of: Option<DateTime<Utc>>) -> Self {
        Self { value, source, as_of }
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
    /// Votes of readers elsewhere: those of Hugging Face.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upvotes: Option<Field<u32>>,
    /// Fingerprints of what the accounts of it that came so far say it is ([`crate::join::works`]), ascending: an account
    /// that shares one is of the same work. Empty for a paper that no intake has seen.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub works: Vec<u64>,
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
            upvotes: None,
            works: Vec::new(),
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

    /// How many authors: counted where they are known by name, else as a source said. A source that names the first
    /// ones and counts the others ("and 38 more") is believed.
    pub fn author_count(&self) -> Option<u32> {
        let Some(named) = self.authors.as_ref().filter(|f| !f.value.is_empty()) else {
            return self.author_count.as_ref().map(|f| f.value);
        };
        let counted = u32::try_from(named.value.len()).unwrap_or(u32::MAX);
        let said = self
            .author_count
            .as_ref()
            .filter(|said| said.source == named.source && said.as_of == named.as_of);
        Some(said.map_or(counted, |said| said.value.max(counted)))
    }

    /// The first code repository that abstract or comments name, as a link.
    pub fn code_link(&self) -> Option<String> {
        let comments = self.comments.as_ref().map_or("", |f| &f.value);
        text::code_repository(self.abstract_text()).or_else(|| text::code_repository(comments))
    }

    /// Takes over from another account of the same work whatever is better there. Returns whether anything changed.
    ///
    /// The order in which accounts come does not matter, nor does coming twice: a field goes to the source with the
    /// higher [`SourceKind::authority`]; between equals to the account of the later day, then to the longer and at last
    /// to the greater value. The better id wins: arXiv's over a DOI over an address over a provisional one.
    pub fn merge(&mut self, other: Self) -> bool {
        /// As many as a work's accounts can differ in.
        const MAX_WORKS: usize = 32;
        let before = self.clone();
        if other.id.is_better_than(&self.id) {
            self.id = other.id;
        }
        self.works.extend(other.works);
        self.works.sort_unstable();
        self.works.dedup();
        self.works.truncate(MAX_WORKS);
        better(&mut self.title, other.title, String::len);
        better(&mut self.authors, other.authors, Vec::len);
        better(&mut self.author_count, other.author_count, |_| 0);
        better(&mut self.institutions, other.institutions, Vec::len);
        better(&mut self.categories, other.categories, Vec::len);
        better(&mut self.abstract_text, other.abstract_text, String::len);
        better(&mut self.comments, other.comments, String::len);
        better(&mut self.doi, other.doi, String::len);
        better(&mut self.journal_ref, other.journal_ref, String::len);
        better(&mut self.upvotes, other.upvotes, |_| 0);
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
        self.briefs.sort_by_key(|brief| (brief.lang, brief.origin));
        *self != before
    }
}

fn better<T: Ord>(mine: &mut Option<Field<T>>, theirs: Option<Field<T>>, size: impl Fn(&T) -> usize) {
    let Some(theirs) = theirs else { return };
    let wins = match mine.as_ref() {
        None => true,
        Some(mine) => theirs
            .source
            .authority()
            .cmp(&mine.source.authority())
            .then_with(|| theirs.as_of.cmp(&mine.as_of))
            .then_with(|| size(&theirs.value).cmp(&size(&mine.value)))
            .then_with(|| theirs.value.cmp(&mine.value))
            // Sources of one authority that say the same: which of them is named is nobody's gain, but always the same.
            .then_with(|| mine.source.cmp(&theirs.source))
            .is_gt(),
    };
    if wins {
        *mine = Some(theirs);
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone as _;
    use proptest::prelude::*;

    use super::*;
    use crate::brief::Origin;
    use crate::locale::Lang;

    #[test]
    fn an_id_is_read_as_people_paste_it() {
        for (pasted, id, version) in [
            ("2510.09212", "arxiv:2510.09212", None),
            ("arXiv:2510.09212v2", "arxiv:2510.09212", Some(2)),
            ("arXiv: 2510.09212 ", "arxiv:2510.09212", None),
            ("(arXiv:2510.09212).", "arxiv:2510.09212", None),
            ("arXiv:2510.09212v2  [cs.CL]  10 Oct 2025", "arxiv:2510.09212", Some(2)),
            ("https://arxiv.org/abs/2510.09212v3", "arxiv:2510.09212", Some(3)),
            (
                "<http://www.arxiv.org/pdf/2510.09212v1.pdf>",
                "arxiv:2510.09212",
                Some(1),
            ),
            ("https://arxiv.org/pdf/2510.09212", "arxiv:2510.09212", None),
            ("arxiv.org/html/2510.09212v1#S3", "arxiv:2510.09212", Some(1)),
            (
                "https://export.arxiv.org/abs/2510.09212?context=cs",
                "arxiv:2510.09212",
                None,
            ),
            ("ArXiv.org/abs/2510.09212V4", "arxiv:2510.09212", Some(4)),
            ("0704.0001", "arxiv:0704.0001", None),
            ("cs/0112017v1", "arxiv:cs/0112017", Some(1)),
            ("solv-int/9701001", "arxiv:solv-int/9701001", None),
            ("math.GT/0309136", "arxiv:math/0309136", None),
            (
                "https://arxiv.org/pdf/math.GT/0309136v2.pdf",
                "arxiv:math/0309136",
                Some(2),
            ),
            ("10.48550/arXiv.2510.09212", "arxiv:2510.09212", None),
            ("https://doi.org/10.48550/arXiv.2510.09212", "arxiv:2510.09212", None),
            ("doi:10.1145/3717383.3719313.", "doi:10.1145/3717383.3719313", None),
            (
                "https://dx.doi.org/10.1109/JSTSP.2018.2875385",
                "doi:10.1109/jstsp.2018.2875385",
                None,
            ),
            (
                "10.1016/S0014-5793(01)03313-(0)",
                "doi:10.1016/s0014-5793(01)03313-(0)",
                None,
            ),
            (
                "https://doi.org/10.1002/(SICI)1097%3C693::AID%3E3.0.CO;2",
                "doi:10.1002/(sici)1097<693::aid>3.0.co;2",
                None,
            ),
            ("https://Example.com/a.pdf", "url:https://example.com/a.pdf", None),
            ("https://example.com/a)\u{1}", "url:https://example.com/a", None),
        ] {
            let (found, its_version) = PaperId::parse_with_version(pasted).unwrap();
            assert_eq!((found.to_string().as_str(), its_version), (id, version), "{pasted}");
        }
    }

    #[test]
    fn what_is_no_id_is_named_in_the_error() {
        for text in [
            "",
            "4",
            "2510.9212.1",
            "2513.09212",
            "2510.09212v0",
            "cs/011201",
            "10.1/x",
            "10.1145/",
            "ftp://a.b/c",
            "https://arxiv.org/list/cs.AI/recent",
        ] {
            assert_eq!(text.parse::<PaperId>(), Err(PaperIdError(text.to_owned())));
        }
    }

    #[test]
    fn a_provisional_id_gives_way_to_the_real_one_but_not_the_reverse() {
        let provisional = PaperId::provisional("A Title", "Text");
        assert_eq!(provisional, PaperId::provisional("a  title", "text."));
        assert_eq!(provisional.link(), None);
        assert_eq!(provisional.to_string().parse(), Ok(provisional.clone()));
        let real: PaperId = "2510.09212".parse().unwrap();
        let mut paper = Paper::new(provisional.clone());
        assert!(paper.merge(Paper::new(real.clone())));
        assert_eq!(paper.id, real);
        assert!(!paper.merge(Paper::new(provisional)));
        assert_eq!(paper.id, real);
    }

    #[test]
    fn a_replacements_title_wins_over_the_older_longer_one() {
        let at = |day| Utc.with_ymd_and_hms(2025, 10, day, 0, 0, 0).single();
        let title = |text: &str, day| Some(Field::as_of(text.to_owned(), SourceKind::ArxivMail, at(day)));
        let mut old = Paper::new("2510.09212".parse().unwrap());
        old.title = title("A longer title", 1);
        let mut new = Paper::new(old.id.clone());
        new.title = title("Short", 9);
        assert!(old.merge(new));
        assert_eq!(old.title(), "Short");
    }

    #[test]
    fn names_are_counted_rather_than_believed_unless_their_own_source_counts_more() {
        let mut paper = Paper::new("2510.09212".parse().unwrap());
        paper.author_count = Some(Field::new(9, SourceKind::Report));
        assert_eq!(paper.author_count(), Some(9));
        paper.authors = Some(Field::new(vec!["A".into(), "B".into()], SourceKind::ArxivMail));
        assert_eq!(paper.author_count(), Some(2));
        paper.author_count = Some(Field::new(40, SourceKind::ArxivMail));
        assert_eq!(paper.author_count(), Some(40));
    }

    #[test]
    fn the_code_is_found_in_the_abstract_before_the_comments() {
        let mut paper = Paper::new("2510.09212".parse().unwrap());
        paper.comments = Some(Field::new("code: github.com/a/comments".into(), SourceKind::ArxivMail));
        assert_eq!(paper.code_link().as_deref(), Some("https://github.com/a/comments"));
        paper.abstract_text = Some(Field::new("See https://github.com/a/b.".into(), SourceKind::ArxivMail));
        assert_eq!(paper.code_link().as_deref(), Some("https://github.com/a/b"));
    }

    // ---- merging ----

    #[test]
    fn of_sources_of_one_authority_that_say_the_same_always_the_same_one_is_named() {
        let by = |source| {
            let mut paper = Paper::new("2510.09212".parse().unwrap());
            paper.title = Some(Field::new("A Title".to_owned(), source));
            paper.upvotes = Some(Field::new(1, source));
            paper
        };
        let mut three = [SourceKind::ArxivOai, SourceKind::ArxivMail, SourceKind::ArxivApi].map(by);
        for _ in 0..3 {
            three.rotate_left(1);
            let [a, b, c] = &three;
            assert_eq!(merged(&merged(a, b), c), by(SourceKind::ArxivMail));
            assert_eq!(merged(c, &merged(b, a)), by(SourceKind::ArxivMail));
        }
    }

    fn moment() -> impl Strategy<Value = Option<DateTime<Utc>>> {
        prop::option::of((0..3_i64).prop_map(|n| DateTime::from_timestamp(n, 0).unwrap()))
    }

    fn field<T: Clone + fmt::Debug>(value: impl Strategy<Value = T>) -> impl Strategy<Value = Option<Field<T>>> {
        let sources = prop::sample::select(SourceKind::ALL.to_vec());
        prop::option::of(
            (value, sources, moment()).prop_map(|(value, source, as_of)| Field::as_of(value, source, as_of)),
        )
    }

    fn briefs() -> impl Strategy<Value = Vec<Brief>> {
        let pairs = vec![
            (Lang::Zh, Origin::Imported),
            (Lang::Zh, Origin::Extracted),
            (Lang::En, Origin::Imported),
        ];
        (prop::sample::subsequence(pairs, 0..=3), "[ab]{1,2}").prop_map(|(pairs, text)| {
            let mut briefs: Vec<Brief> = pairs
                .into_iter()
                .map(|(lang, origin)| Brief {
                    lang,
                    origin,
                    text: text.clone(),
                })
                .collect();
            briefs.sort_by_key(|brief| (brief.lang, brief.origin));
            briefs
        })
    }

    fn paper() -> impl Strategy<Value = Paper> {
        let list = || prop::collection::vec("[ab]", 1..3);
        (
            (
                1..4_u16,
                field("[ab]{1,3}"),
                field(list()),
                field(1..4_u32),
                field(list()),
                field(list()),
            ),
            (
                field("[ab]{1,3}"),
                field("[ab]{1,3}"),
                field("[ab]{1,3}"),
                field("[ab]{1,3}"),
                moment(),
                moment(),
                field(1..4_u32),
                briefs(),
            ),
        )
            .prop_map(|(a, b)| Paper {
                id: PaperId::Arxiv("2510.09212".into()),
                version: a.0,
                title: a.1,
                authors: a.2,
                author_count: a.3,
                institutions: a.4,
                categories: a.5,
                abstract_text: b.0,
                comments: b.1,
                doi: b.2,
                journal_ref: b.3,
                submitted: b.4,
                revised: b.5,
                upvotes: b.6,
                works: Vec::new(),
                briefs: b.7,
            })
            .prop_flat_map(|paper| {
                // More of them than are kept, and every kind of name that a work can have, a stand-in apart: of two
                // stand-ins the first stays, since nobody knows either.
                let works = prop::collection::btree_set(0..60_u64, 0..40);
                let ids = [
                    "arxiv:2510.09212",
                    "doi:10.1145/1.2",
                    "doi:10.1145/1.1",
                    "url:https://lab.example/a",
                ];
                (Just(paper), works, prop::sample::select(ids.to_vec())).prop_map(|(mut paper, works, id)| {
                    paper.works = works.into_iter().take(32).collect();
                    paper.id = id.parse().unwrap();
                    paper
                })
            })
    }

    fn merged(a: &Paper, b: &Paper) -> Paper {
        let mut merged = a.clone();
        merged.merge(b.clone());
        merged
    }

    proptest! {
        #[test]
        fn the_order_of_accounts_does_not_matter(a in paper(), b in paper(), c in paper()) {
            prop_assert_eq!(merged(&a, &b), merged(&b, &a));
            prop_assert_eq!(merged(&merged(&a, &b), &c), merged(&a, &merged(&b, &c)));
        }

        #[test]
        fn the_same_account_twice_changes_nothing_and_says_so(a in paper(), b in paper()) {
            let mut once = merged(&a, &b);
            let before = once.clone();
            prop_assert!(!once.merge(b));
            prop_assert!(!once.merge(a));
            prop_assert_eq!(once, before);
        }

        #[test]
        fn an_id_survives_being_written_and_read(
            text in "(doi:|10\\.1145/|https?:/{0,2}(doi\\.org/10\\.1145/|arxiv\\.org/abs/|a\\.b/)|arxiv:)?\
                     [a-z0-9()<>'\"“’%/.,;:?#@_ \t\n\u{1}\u{200b}\\[\\]\\\\-]{1,16}",
        ) {
            if let Ok(id) = text.parse::<PaperId>() {
                prop_assert_eq!(id.to_string().parse(), Ok(id));
            }
        }
    }
}
