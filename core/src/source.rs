//! Where papers come from. A source is pure: it parses bytes that somebody else fetched into papers, and one bad item in
//! them never loses the others.
//!
//! The ledger of [`Window`]s says which intervals a source has covered, so that gaps and repeats show; what came without one
//! stands in the [`daybook`].

pub mod affiliation;
mod arxiv;
pub mod arxiv_api;
pub mod arxiv_mail;
pub mod arxiv_rss;
pub mod calendar;
pub mod daybook;
pub mod feed;
pub mod health;
pub mod hugging_face;
mod identity;
pub mod jsonl;
pub mod ledger;
pub mod oai;
mod polled;
pub mod report;
pub mod request;
pub mod scope;

use std::fmt;

use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use self::scope::Scope;
use crate::paper::Paper;

/// The kinds of source. The order of the variants has no meaning; see [`SourceKind::authority`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SourceKind {
    /// The arXiv mailing of a day.
    ArxivMail,
    /// An analysis report in Markdown.
    Report,
    /// arXiv's query interface.
    ArxivApi,
    /// arXiv's daily RSS or Atom feeds.
    ArxivRss,
    /// arXiv's OAI-PMH interface.
    ArxivOai,
    /// The daily papers of Hugging Face.
    HuggingFace,
    /// Any RSS, Atom or JSON feed.
    Feed,
    /// A file with a JSON object per line.
    Jsonl,
    /// A paper's page on arXiv; it tells institutions alone.
    ArxivHtml,
    /// A GROBID server; it tells institutions alone.
    Grobid,
    /// OpenAlex; it tells institutions alone.
    OpenAlex,
}

impl SourceKind {
    /// Every kind, for parsing and for tables.
    pub const ALL: [Self; 11] = [
        Self::ArxivMail,
        Self::Report,
        Self::ArxivApi,
        Self::ArxivRss,
        Self::ArxivOai,
        Self::HuggingFace,
        Self::Feed,
        Self::Jsonl,
        Self::ArxivHtml,
        Self::Grobid,
        Self::OpenAlex,
    ];

    /// Whose field is better when two sources disagree: the higher number. arXiv's own metadata were typed by the
    /// authors, and its interfaces give the same ones: between them the later account wins. A report's were read off a PDF.
    pub fn authority(self) -> u8 {
        match self {
            Self::ArxivMail | Self::ArxivApi | Self::ArxivOai => 20,
            Self::ArxivRss => 18,
            Self::Jsonl => 16,
            Self::HuggingFace => 15,
            Self::Feed => 13,
            // Of institutions: what the paper's own page says, then what a parser reads off its PDF, then a catalogue.
            Self::ArxivHtml => 14,
            Self::Grobid => 12,
            Self::OpenAlex => 11,
            Self::Report => 10,
        }
    }

    /// Whether its windows are intervals of arXiv's submissions, so that those of one fill the gaps of another.
    pub fn covers_arxiv(self) -> bool {
        match self {
            Self::ArxivMail | Self::ArxivApi | Self::ArxivOai => true,
            Self::Report
            | Self::ArxivRss
            | Self::HuggingFace
            | Self::Feed
            | Self::Jsonl
            | Self::ArxivHtml
            | Self::Grobid
            | Self::OpenAlex => false,
        }
    }

    /// Whether its windows are days of what arXiv announced, as a digest is called by.
    pub fn announces(self) -> bool {
        self.covers_arxiv() || self == Self::ArxivRss
    }

    /// Whether it lists what is latest and nothing else, so that what came and went unseen cannot be fetched any more.
    pub fn lists_latest(self) -> bool {
        matches!(self, Self::Feed | Self::Jsonl)
    }

    /// Whether papers come from it, and not only what is said of them.
    pub fn brings_papers(self) -> bool {
        match self {
            Self::ArxivHtml | Self::Grobid | Self::OpenAlex => false,
            Self::ArxivMail
            | Self::Report
            | Self::ArxivApi
            | Self::ArxivRss
            | Self::ArxivOai
            | Self::HuggingFace
            | Self::Feed
            | Self::Jsonl => true,
        }
    }

    /// The name in the ledger and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::ArxivMail => "arxiv-mail",
            Self::Report => "report",
            Self::ArxivApi => "arxiv-api",
            Self::ArxivRss => "arxiv-rss",
            Self::ArxivOai => "arxiv-oai",
            Self::HuggingFace => "hugging-face",
            Self::Feed => "feed",
            Self::Jsonl => "jsonl",
            Self::ArxivHtml => "arxiv-html",
            Self::Grobid => "grobid",
            Self::OpenAlex => "open-alex",
        }
    }
}

impl fmt::Display for SourceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How a source announced a paper.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Announcement {
    /// First announced.
    New,
    /// Announced elsewhere, newly listed here.
    CrossList,
    /// A new version of something announced before; never a candidate for a digest.
    Replacement,
    /// A replacement that takes the paper back.
    Withdrawal,
}

impl Announcement {
    /// Whether a paper announced so may enter a digest.
    pub fn is_candidate(self) -> bool {
        match self {
            Self::New | Self::CrossList => true,
            Self::Replacement | Self::Withdrawal => false,
        }
    }
}

/// The interval that one intake of a source covers: from (inclusive) to (exclusive).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Window {
    /// Whose interval.
    pub source: SourceKind,
    /// Its beginning.
    pub from: DateTime<Utc>,
    /// Its end; the day on which it ends names the digest.
    pub to: DateTime<Utc>,
}

impl Window {
    /// A whole day in UTC.
    pub fn of_day(source: SourceKind, day: NaiveDate) -> Self {
        let from = day.and_time(NaiveTime::MIN).and_utc();
        let to = from + TimeDelta::days(1);
        Self { source, from, to }
    }

    /// The day (in UTC) on which it ends: of one that ends at midnight, the day before.
    pub fn day(&self) -> NaiveDate {
        (self.to - TimeDelta::nanoseconds(1)).date_naive()
    }
}

/// One paper as one source announced it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// The paper with this source's fields alone.
    pub paper: Paper,
    /// How it was announced.
    pub announcement: Announcement,
}

/// An item that could not be read; the others are not affected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("line {line}: {item}: {reason}")]
pub struct RejectedItem {
    /// The line in the decoded text where the item begins, from 1.
    pub line: usize,
    /// The item as a person would name it: its id, its number or its first words.
    pub item: String,
    /// What is wrong and what was expected.
    pub reason: String,
}

/// What a parse of one file gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parsed {
    /// Which source it was.
    pub source: SourceKind,
    /// The interval covered, where the source says one.
    pub window: Option<Window>,
    /// The categories that were asked for, where the source was asked for some.
    pub asked: Option<Scope>,
    /// The papers in the source's order.
    pub items: Vec<Item>,
    /// What could not be read.
    pub rejected: Vec<RejectedItem>,
}

/// Why a whole file cannot be taken in. The texts are for people and say what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// No source knows this format.
    #[error(
        "this is neither an arXiv mailing (“received from … to …”, entries between lines of “\\\\”) nor an analysis report (“# title”, “## 论文技术简报”) nor a JSON object per line ({{\"id\": …, \"title\": …}}); save a mail as text or .eml"
    )]
    Unrecognised,
    /// Recognised, and damaged beyond use.
    #[error("line {line}: {reason}")]
    Damaged {
        /// Line from 1.
        line: usize,
        /// What is wrong.
        reason: String,
    },
    /// The file is empty.
    #[error("the file is empty")]
    Empty,
}

/// Reads a file whose kind is not known.
///
/// # Errors
/// [`SourceError`] when no source recognises it or the one that does finds it damaged as a whole.
pub fn parse(bytes: &[u8]) -> Result<Parsed, SourceError> {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(SourceError::Empty);
    }
    if report::recognises(bytes) {
        return report::parse(bytes);
    }
    if arxiv_mail::recognises(bytes) {
        return arxiv_mail::parse(bytes);
    }
    if jsonl::recognises(bytes) {
        return jsonl::parse(bytes);
    }
    Err(SourceError::Unrecognised)
}

/// The stretches between a source's windows that none of them covers, oldest first.
pub fn gaps(windows: &[Window]) -> Vec<Window> {
    walk(windows, |covered_to, window| {
        (window.from > covered_to).then_some(Window {
            source: window.source,
            from: covered_to,
            to: window.from,
        })
    })
}

/// The stretches that more than one of a source's windows covers, oldest first.
pub fn overlaps(windows: &[Window]) -> Vec<Window> {
    walk(windows, |covered_to, window| {
        let to = covered_to.min(window.to);
        (window.from < to).then_some(Window {
            source: window.source,
            from: window.from,
            to,
        })
    })
}

/// Goes through each source's windows in time and asks `found` of each but the first, with the end of what the earlier
/// ones cover.
fn walk(windows: &[Window], found: impl Fn(DateTime<Utc>, &Window) -> Option<Window>) -> Vec<Window> {
    let mut sorted: Vec<&Window> = windows.iter().collect();
    sorted.sort();
    let mut covered: Option<(SourceKind, DateTime<Utc>)> = None;
    let mut out = Vec::new();
    for window in sorted {
        let before = covered.filter(|(source, _)| *source == window.source).map(|(_, to)| to);
        out.extend(before.and_then(|to| found(to, window)));
        covered = Some((window.source, before.map_or(window.to, |to| to.max(window.to))));
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn window(source: SourceKind, from: i64, to: i64) -> Window {
        let at = |hour| DateTime::UNIX_EPOCH + TimeDelta::hours(hour);
        Window {
            source,
            from: at(from),
            to: at(to),
        }
    }

    fn mail(from: i64, to: i64) -> Window {
        window(SourceKind::ArxivMail, from, to)
    }

    #[test]
    fn a_gap_is_what_no_window_of_its_source_covers() {
        let report = |from, to| window(SourceKind::Report, from, to);
        let windows = [mail(30, 40), report(0, 5), mail(0, 20), mail(10, 12), report(50, 60)];
        assert_eq!(gaps(&windows), [mail(20, 30), report(5, 50)]);
        assert_eq!(gaps(&[mail(0, 5), mail(5, 9)]), []);
        assert_eq!(gaps(&[]), []);
    }

    #[test]
    fn an_overlap_is_what_two_windows_of_one_source_cover() {
        let other = window(SourceKind::Report, 0, 100);
        let windows = [mail(0, 20), mail(15, 30), mail(16, 18), other];
        assert_eq!(overlaps(&windows), [mail(15, 20), mail(16, 18)]);
        assert_eq!(overlaps(&[mail(0, 5), mail(5, 9)]), []);
    }

    #[test]
    fn a_file_of_no_source_is_refused_with_a_sentence() {
        assert_eq!(parse(b" \n\t"), Err(SourceError::Empty));
        assert_eq!(parse(b"Dear all,\nlunch is at noon."), Err(SourceError::Unrecognised));
    }

    proptest! {
        #[test]
        fn windows_and_gaps_cover_their_span_and_overlaps_are_covered_twice(
            spans in prop::collection::vec((0_i64..40, 1_i64..10), 1..12),
        ) {
            let windows: Vec<Window> = spans.iter().map(|&(from, length)| mail(from, from + length)).collect();
            let first = spans.iter().map(|(from, _)| *from).min().unwrap();
            let last = spans.iter().map(|(from, length)| from + length).max().unwrap();
            let (gaps, overlaps) = (gaps(&windows), overlaps(&windows));
            let covering = |set: &[Window], hour| {
                let hour = mail(hour, hour + 1);
                set.iter().filter(|w| w.from <= hour.from && hour.to <= w.to).count()
            };
            for hour in first..last {
                let covered = covering(&windows, hour);
                prop_assert_eq!(covering(&gaps, hour), usize::from(covered == 0));
                prop_assert_eq!(covering(&overlaps, hour) > 0, covered > 1);
            }
            for found in gaps.iter().chain(&overlaps) {
                prop_assert!(found.from < found.to && mail(first, last).from <= found.from && found.to <= mail(first, last).to);
            }
        }
    }
}
