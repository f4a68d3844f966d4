//! The analysis report in Markdown, a format that other systems already write and teams already read: title, time, count,
//! numbered briefs, numbered details. Reading and writing one gives the same bytes, so nothing in it may be lost, not
//! even an empty title or a missing line end.
//!
//! How that holds by construction: a report's text is a fixed walk over values (a title, a brief, …) with glue before
//! each. [`write()`] goes the walk and takes the canonical glue; [`read()`] finds the values, goes the same walk, and
//! keeps whatever glue differs from the canonical one in a `layout`. A well-formed report has no `layout` at all.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::text;

const BRIEFS: &str = "## 论文技术简报";
const DETAILS: &str = "## 论文详细信息";
const GENERATED_AT: &str = "生成时间:";
const COUNT: &str = "分析论文数量:";
const INSTITUTIONS: &str = "**主要机构**:";
const AUTHOR_COUNT: &str = "**作者数量**:";
const ABSTRACT: &str = "**摘要**:";

/// A report as it stands in the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// `# title`.
    pub title: String,
    /// `生成时间:`, as written.
    pub generated_at: String,
    /// `分析论文数量: N篇`: N as written, which can disagree with the entries; `None` where no number stands.
    pub count: Option<u32>,
    /// The entries.
    pub entries: Vec<Entry>,
    /// Lines end with CR LF instead of LF.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub crlf: bool,
    /// Where the text before a value is not what a canonical report has there: that text.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub layout: BTreeMap<Slot, String>,
}

/// One paper of a report. Empty fields are legal and occur.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Title.
    pub title: String,
    /// The brief.
    pub brief: String,
    /// `**主要机构**:`, as written.
    pub institutions: String,
    /// `**作者数量**: k人`: k, where 0 means unknown; `None` where no number stands.
    pub author_count: Option<u32>,
    /// `**摘要**:`.
    #[serde(rename = "abstract")]
    pub abstract_text: String,
    /// The title above the brief, where it is not the title above the details.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub brief_title: Option<String>,
    /// Set where the entry stands in one of the two lists only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub only: Option<Part>,
    /// As [`Report::layout`], for this entry's values.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub layout: BTreeMap<Slot, String>,
}

/// The two lists of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// `## 论文技术简报`.
    Brief,
    /// `## 论文详细信息`.
    Details,
}

/// A place in the walk: what the glue stands before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Slot {
    /// The report's title.
    Title,
    /// The time.
    GeneratedAt,
    /// The number of papers.
    Count,
    /// The end of the heading of the briefs.
    Briefs,
    /// An entry's title above its brief.
    BriefTitle,
    /// An entry's brief.
    Brief,
    /// The end of the heading of the details.
    Details,
    /// An entry's title above its details.
    DetailTitle,
    /// An entry's institutions.
    Institutions,
    /// An entry's number of authors.
    AuthorCount,
    /// An entry's abstract.
    Abstract,
    /// The end of the file.
    End,
}

/// What is wrong with a report.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct ReportError {
    /// Line, from 1.
    pub line: usize,
    /// What is wrong and what was expected.
    pub reason: String,
}

impl Report {
    /// A canonical report. Every field becomes one line, because a line of an abstract could look like a heading; what
    /// belongs to a report as it was read (layout, differing titles, missing halves) is left behind.
    pub fn new(title: &str, generated_at: &str, entries: Vec<Entry>) -> Self {
        let entries: Vec<Entry> = entries.into_iter().map(Entry::canonical).collect();
        Self {
            title: text::one_line(title),
            generated_at: text::one_line(generated_at),
            count: u32::try_from(entries.len()).ok(),
            entries,
            crlf: false,
            layout: BTreeMap::new(),
        }
    }

    /// The line, from 1, on which each entry stands: its details, or its brief where it has only that.
    pub fn entry_lines(&self) -> Vec<usize> {
        let mut lines = vec![0; self.entries.len()];
        let mut line = 1;
        for place in walk(&self.entries) {
            line += newlines(&self.glue(&place));
            if matches!(place.slot, Slot::BriefTitle | Slot::DetailTitle)
                && let Some(known) = place.entry.and_then(|at| lines.get_mut(at))
            {
                *known = line;
            }
            line += newlines(&self.value(&place));
        }
        lines
    }

    fn glue<'a>(&'a self, place: &'a Place) -> Cow<'a, str> {
        let layout = match place.entry {
            None => Some(&self.layout),
            Some(at) => self.entries.get(at).map(|entry| &entry.layout),
        };
        layout
            .and_then(|layout| layout.get(&place.slot))
            .map_or(Cow::Borrowed(&place.canonical), |own| Cow::Borrowed(own))
    }

    fn value<'a>(&'a self, place: &Place) -> Cow<'a, str> {
        let number = |n: Option<u32>| n.map_or(Cow::Borrowed(""), |n| Cow::Owned(n.to_string()));
        let entry = place.entry.and_then(|at| self.entries.get(at));
        let of = |field: fn(&'a Entry) -> &'a str| Cow::Borrowed(entry.map_or("", field));
        match place.slot {
            Slot::Title => Cow::Borrowed(&self.title),
            Slot::GeneratedAt => Cow::Borrowed(&self.generated_at),
            Slot::Count => number(self.count),
            Slot::Briefs | Slot::Details | Slot::End => Cow::Borrowed(""),
            Slot::BriefTitle => of(|e| e.brief_title.as_ref().unwrap_or(&e.title)),
            Slot::Brief => of(|e| &e.brief),
            Slot::DetailTitle => of(|e| &e.title),
            Slot::Institutions => of(|e| &e.institutions),
            Slot::AuthorCount => number(entry.and_then(|e| e.author_count)),
            Slot::Abstract => of(|e| &e.abstract_text),
        }
    }
}

impl Entry {
    fn canonical(self) -> Self {
        let line = |raw: &str| text::one_line(raw);
        // A value on a line of its own must not read as a heading.
        let paragraph = |raw: &str| line(raw).trim_start_matches(['#', ' ']).to_owned();
        Self {
            title: line(&self.title),
            brief: paragraph(&self.brief),
            institutions: line(&self.institutions),
            author_count: Some(self.author_count.unwrap_or(0)),
            abstract_text: paragraph(&self.abstract_text),
            ..Self::default()
        }
    }

    fn has(&self, part: Part) -> bool {
        self.only.is_none_or(|only| only == part)
    }
}

fn newlines(text: &str) -> usize {
    text.matches('\n').count()
}

/// One step of the walk.
struct Place {
    entry: Option<usize>,
    slot: Slot,
    canonical: String,
}

/// All values of a report with these entries, in the order of the file, each with the glue that a canonical report has
/// before it.
fn walk(entries: &[Entry]) -> Vec<Place> {
    let mut places = Vec::with_capacity(6 * entries.len() + 6);
    let mut step = |entry, slot, canonical: String| {
        places.push(Place { entry, slot, canonical });
    };
    step(None, Slot::Title, "# ".to_owned());
    step(None, Slot::GeneratedAt, format!("\n{GENERATED_AT} "));
    step(None, Slot::Count, format!("\n{COUNT} "));
    step(None, Slot::Briefs, format!("篇\n\n{BRIEFS}"));
    for (at, _) in entries.iter().enumerate().filter(|(_, e)| e.has(Part::Brief)) {
        step(Some(at), Slot::BriefTitle, format!("\n\n### {}. ", at + 1));
        step(Some(at), Slot::Brief, "\n\n".to_owned());
    }
    step(None, Slot::Details, format!("\n\n{DETAILS}"));
    for (at, _) in entries.iter().enumerate().filter(|(_, e)| e.has(Part::Details)) {
        step(Some(at), Slot::DetailTitle, format!("\n\n### {}. ", at + 1));
        step(Some(at), Slot::Institutions, format!("\n\n{INSTITUTIONS} "));
        step(Some(at), Slot::AuthorCount, format!("\n{AUTHOR_COUNT} "));
        step(Some(at), Slot::Abstract, format!("人\n\n{ABSTRACT}\n"));
    }
    step(None, Slot::End, "\n".to_owned());
    places
}

/// Writes a report; `write(&read(text)?) == text`.
pub fn write(report: &Report) -> String {
    let out: String = walk(&report.entries)
        .iter()
        .flat_map(|place| [report.glue(place), report.value(place)])
        .collect();
    if report.crlf { out.replace('\n', "\r\n") } else { out }
}

/// Reads a report. It needs a `# title` and one of the two lists; everything else may deviate and is kept.
///
/// # Errors
/// Names the line.
pub fn read(text: &str) -> Result<Report, ReportError> {
    let unix = text.replace("\r\n", "\n");
    let crlf = unix != text && unix.replace('\n', "\r\n") == text;
    let scanned = scan(if crlf { &unix } else { text })?;
    Ok(scanned.into_report(crlf))
}

/// A value found in the text: where it begins, and itself.
#[derive(Debug, Clone, Copy)]
struct Span<'a> {
    start: usize,
    text: &'a str,
}

impl<'a> Span<'a> {
    fn end(self) -> usize {
        self.start + self.text.len()
    }

    fn empty(start: usize) -> Self {
        Self { start, text: "" }
    }

    /// Without the white space around it. What is nothing but white space keeps `lead` if it begins with it: there a
    /// canonical report would put the value.
    fn trimmed(self, lead: &str) -> Self {
        let text = self.text.trim();
        if text.is_empty() {
            let skipped = if self.text.starts_with(lead) { lead.len() } else { 0 };
            return Self::empty(self.start + skipped);
        }
        let skipped = self.text.len() - self.text.trim_start().len();
        Self {
            start: self.start + skipped,
            text,
        }
    }

    fn after(self, skipped: usize) -> Self {
        Self {
            start: self.start + skipped,
            text: self.text.get(skipped..).unwrap_or_default(),
        }
    }

    fn lines(self) -> impl Iterator<Item = Span<'a>> {
        let mut start = self.start;
        self.text.split_inclusive('\n').map(move |line| {
            let span = Self { start, text: line };
            start = span.end();
            span
        })
    }

    fn labelled(self, label: &str) -> Option<Span<'a>> {
        let rest = self.text.strip_prefix(label)?;
        Some(self.after(self.text.len() - rest.len()).trimmed(" "))
    }

    /// The first number that is written as a number is written (no leading zeros), else the end of the text.
    fn number(self) -> (Self, Option<u32>) {
        let digits_from = self.text.find(|c: char| c.is_ascii_digit());
        let found = digits_from.and_then(|from| {
            let rest = self.text.get(from..)?;
            let run = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
            let digits = rest.get(..run)?;
            let plain = match digits.trim_start_matches('0') {
                "" => digits.get(digits.len() - 1..)?,
                plain => plain,
            };
            let n = plain.parse().ok()?;
            let start = self.start + from + (run - plain.len());
            Some((Self { start, text: plain }, Some(n)))
        });
        found.unwrap_or((Self::empty(self.end()), None))
    }
}

struct BriefSpans<'a> {
    number: Option<u64>,
    title: Span<'a>,
    brief: Span<'a>,
}

struct DetailSpans<'a> {
    number: Option<u64>,
    title: Span<'a>,
    institutions: Span<'a>,
    author_count: (Span<'a>, Option<u32>),
    abstract_text: Span<'a>,
}

struct Scanned<'a> {
    text: &'a str,
    title: Span<'a>,
    generated_at: Span<'a>,
    count: (Span<'a>, Option<u32>),
    briefs_end: usize,
    briefs: Vec<BriefSpans<'a>>,
    details_end: usize,
    details: Vec<DetailSpans<'a>>,
}

fn scan(text: &str) -> Result<Scanned<'_>, ReportError> {
    let whole = Span { start: 0, text };
    let fail = |line, reason: &str| ReportError {
        line,
        reason: reason.to_owned(),
    };
    let bare = |line: Span<'_>| line.text.trim_start_matches('\u{feff}').trim_end() != "";
    let (first, title_line) = whole
        .lines()
        .enumerate()
        .find(|(_, line)| bare(*line))
        .ok_or_else(|| fail(1, "the file is empty; a report begins with “# title”"))?;
    let bom = title_line.text.len() - title_line.text.trim_start_matches('\u{feff}').len();
    let title = title_line
        .after(bom)
        .labelled("#")
        .filter(|_| !title_line.text.get(bom..).is_some_and(|line| line.starts_with("##")))
        .ok_or_else(|| fail(first + 1, "a report begins with “# title”"))?;

    let heading = |wanted: &str| {
        whole
            .lines()
            .enumerate()
            .find(|(_, line)| line.text.trim_end() == wanted)
    };
    let (briefs_at, details_at) = (heading(BRIEFS), heading(DETAILS));
    if briefs_at.is_none() && details_at.is_none() {
        let reason = format!("neither “{BRIEFS}” nor “{DETAILS}” follows the title, so there is no list of papers");
        return Err(fail(first + 1, &reason));
    }
    if let (Some((briefs, _)), Some((details, _))) = (briefs_at, details_at)
        && details < briefs
    {
        let reason = format!("“{DETAILS}” stands before “{BRIEFS}”; the briefs come first");
        return Err(fail(details + 1, &reason));
    }
    let briefs_at = briefs_at.map(|(_, line)| line);
    let details_at = details_at.map(|(_, line)| line);
    let between = |from: usize, to: usize| Span {
        start: from,
        text: text.get(from..to).unwrap_or_default(),
    };
    let lists_at = briefs_at.or(details_at).map_or(text.len(), |line| line.start);

    let head = between(title.end(), lists_at);
    let generated_at = head
        .lines()
        .find_map(|line| line.labelled(GENERATED_AT))
        .unwrap_or(Span::empty(title.end()));
    let after_time = between(generated_at.end(), lists_at);
    let count = after_time
        .lines()
        .find_map(|line| line.labelled(COUNT))
        .map_or((Span::empty(generated_at.end()), None), Span::number);

    let heading_end = |line: Span<'_>| line.start + line.text.trim_end().len();
    let briefs_end = briefs_at.map_or(count.0.end(), heading_end);
    let details_start = details_at.map_or(text.len(), |line| line.start);
    let briefs: Vec<_> = if briefs_at.is_some() {
        sections(between(briefs_end, details_start)).map(brief_spans).collect()
    } else {
        Vec::new()
    };
    let last_brief_end = briefs.last().map_or(briefs_end, |b| b.brief.end());
    let details_end = details_at.map_or(last_brief_end, heading_end);
    let details = if details_at.is_some() {
        sections(between(details_end, text.len())).map(detail_spans).collect()
    } else {
        Vec::new()
    };
    Ok(Scanned {
        text,
        title,
        generated_at,
        count,
        briefs_end,
        briefs,
        details_end,
        details,
    })
}

/// The parts of a list that begin with a line `### …`.
fn sections(list: Span<'_>) -> impl Iterator<Item = (Span<'_>, Span<'_>)> {
    let headings: Vec<Span<'_>> = list.lines().filter(|line| line.text.starts_with("###")).collect();
    let ends: Vec<usize> = headings
        .iter()
        .skip(1)
        .map(|next| next.start)
        .chain([list.end()])
        .collect();
    headings.into_iter().zip(ends).map(move |(heading, end)| {
        let line_end = heading.start + heading.text.trim_end_matches('\n').len();
        let line = heading.text.trim_end_matches('\n');
        let body = list.after(line_end - list.start);
        let body = Span {
            start: line_end,
            text: body.text.get(..end.saturating_sub(line_end)).unwrap_or_default(),
        };
        (
            Span {
                start: heading.start,
                text: line,
            },
            body,
        )
    })
}

/// `### 4. title` → 4 and the title; a heading without a number is all title.
fn heading(line: Span<'_>) -> (Option<u64>, Span<'_>) {
    let rest = line.after("###".len());
    let numbered = rest.text.trim_start();
    let lead = rest.text.len() - numbered.len();
    let digits = numbered.find(|c: char| !c.is_ascii_digit()).unwrap_or(numbered.len());
    let number = numbered.get(..digits).and_then(|digits| digits.parse().ok());
    let dot = numbered.get(digits..).and_then(|rest| rest.strip_prefix(['.', '、']));
    match (number, dot) {
        (Some(number), Some(title)) => {
            let skipped = lead + numbered.len() - title.len();
            (Some(number), rest.after(skipped).trimmed(" "))
        }
        (_, _) => (None, rest.trimmed(" ")),
    }
}

fn brief_spans<'a>((line, body): (Span<'a>, Span<'a>)) -> BriefSpans<'a> {
    let (number, title) = heading(line);
    BriefSpans {
        number,
        title,
        brief: body.trimmed("\n\n"),
    }
}

fn detail_spans<'a>((line, body): (Span<'a>, Span<'a>)) -> DetailSpans<'a> {
    let (number, title) = heading(line);
    let labelled = |within: Span<'a>, label| {
        within
            .lines()
            .take_while(|line| !line.text.starts_with(ABSTRACT))
            .find_map(|line| line.labelled(label))
    };
    let until_end = |from: usize| body.after(from.saturating_sub(body.start));
    let institutions = labelled(body, INSTITUTIONS).unwrap_or(Span::empty(title.end().max(body.start)));
    let author_count = labelled(until_end(institutions.end()), AUTHOR_COUNT)
        .map_or((Span::empty(institutions.end()), None), Span::number);
    let rest = until_end(author_count.0.end());
    let abstract_text = rest
        .lines()
        .find(|line| line.text.starts_with(ABSTRACT))
        .map_or(Span::empty(author_count.0.end()), |line| {
            rest.after(line.start + ABSTRACT.len() - rest.start).trimmed("\n")
        });
    DetailSpans {
        number,
        title,
        institutions,
        author_count,
        abstract_text,
    }
}

impl<'a> Scanned<'a> {
    fn into_report(self, crlf: bool) -> Report {
        // Both lists keep their order, whatever their numbers: equal numbers make one entry, and of two that differ the
        // lower stands alone.
        let mut found: Vec<(Option<&BriefSpans<'a>>, Option<&DetailSpans<'a>>)> = Vec::new();
        let mut briefs = self.briefs.iter().peekable();
        let mut details = self.details.iter().peekable();
        loop {
            let (take_brief, take_details) = match (briefs.peek(), details.peek()) {
                (None, None) => break,
                (Some(_), None) => (true, false),
                (None, Some(_)) => (false, true),
                (Some(brief), Some(detail)) => match (brief.number, detail.number) {
                    (Some(b), Some(d)) => (b <= d, d <= b),
                    (_, _) => (true, true),
                },
            };
            found.push((briefs.next_if(|_| take_brief), details.next_if(|_| take_details)));
        }
        let entries = found.iter().map(|&(brief, detail)| entry(brief, detail)).collect();
        let mut report = Report {
            title: self.title.text.to_owned(),
            generated_at: self.generated_at.text.to_owned(),
            count: self.count.1,
            entries,
            crlf,
            layout: BTreeMap::new(),
        };
        let mut end = 0;
        for place in walk(&report.entries) {
            let at = place.entry.and_then(|at| found.get(at));
            let brief = at.and_then(|(brief, _)| *brief);
            let detail = at.and_then(|(_, detail)| *detail);
            let span = match place.slot {
                Slot::Title => Some(self.title),
                Slot::GeneratedAt => Some(self.generated_at),
                Slot::Count => Some(self.count.0),
                Slot::Briefs => Some(Span::empty(self.briefs_end)),
                Slot::Details => Some(Span::empty(self.details_end)),
                Slot::End => Some(Span::empty(self.text.len())),
                Slot::BriefTitle => brief.map(|b| b.title),
                Slot::Brief => brief.map(|b| b.brief),
                Slot::DetailTitle => detail.map(|d| d.title),
                Slot::Institutions => detail.map(|d| d.institutions),
                Slot::AuthorCount => detail.map(|d| d.author_count.0),
                Slot::Abstract => detail.map(|d| d.abstract_text),
            };
            let span = span.unwrap_or(Span::empty(end));
            let glue = self.text.get(end..span.start).unwrap_or_default();
            if glue != place.canonical {
                let layout = match place.entry.and_then(|at| report.entries.get_mut(at)) {
                    Some(entry) => &mut entry.layout,
                    None => &mut report.layout,
                };
                layout.insert(place.slot, glue.to_owned());
            }
            end = span.end();
        }
        report
    }
}

fn entry(brief: Option<&BriefSpans<'_>>, detail: Option<&DetailSpans<'_>>) -> Entry {
    let own = |span: Span<'_>| span.text.to_owned();
    let title = detail
        .map(|d| d.title)
        .or(brief.map(|b| b.title))
        .map_or(String::new(), own);
    Entry {
        brief: brief.map_or(String::new(), |b| own(b.brief)),
        institutions: detail.map_or(String::new(), |d| own(d.institutions)),
        author_count: detail.and_then(|d| d.author_count.1),
        abstract_text: detail.map_or(String::new(), |d| own(d.abstract_text)),
        brief_title: brief.map(|b| own(b.title)).filter(|other| *other != title),
        only: match (brief, detail) {
            (Some(_), None) => Some(Part::Brief),
            (None, Some(_)) => Some(Part::Details),
            (Some(_), Some(_)) | (None, None) => None,
        },
        title,
        layout: BTreeMap::new(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SMALL: &str = "# 报告\n生成时间: 2025-10-17 11:36:03\n分析论文数量: 2篇\n\n## 论文技术简报\n\n### 1. A Title\n\n某大学发布了论文。\n\n### 2. \n\n另一个。\n\n## 论文详细信息\n\n### 1. A Title\n\n**主要机构**: Some University\n**作者数量**: 8人\n\n**摘要**:\nWe do things.\n\n### 2. \n\n**主要机构**: \n**作者数量**: 0人\n\n**摘要**:\n\n";

    fn through_json(report: &Report) -> Report {
        serde_json::from_str(&serde_json::to_string(report).unwrap()).unwrap()
    }

    fn assert_same_bytes(text: &str) -> Report {
        let report = read(text).unwrap();
        assert_eq!(write(&report), text);
        assert_eq!(write(&through_json(&report)), text);
        report
    }

    #[test]
    fn a_well_formed_report_has_clean_json() {
        let report = assert_same_bytes(SMALL);
        insta::assert_json_snapshot!(report, @r#"
        {
          "title": "报告",
          "generated_at": "2025-10-17 11:36:03",
          "count": 2,
          "entries": [
            {
              "title": "A Title",
              "brief": "某大学发布了论文。",
              "institutions": "Some University",
              "author_count": 8,
              "abstract": "We do things."
            },
            {
              "title": "",
              "brief": "另一个。",
              "institutions": "",
              "author_count": 0,
              "abstract": ""
            }
          ]
        }
        "#);
    }

    #[test]
    fn every_deviation_comes_back_byte_for_byte() {
        let deviations: [(&str, String); 16] = [
            ("no final newline", SMALL.trim_end().to_owned()),
            ("CRLF", SMALL.replace('\n', "\r\n")),
            ("one CRLF", SMALL.replacen("\n\n", "\r\n\n", 3)),
            ("BOM", format!("\u{feff}{SMALL}")),
            ("leading blank lines", format!("\n \n{SMALL}")),
            ("trailing spaces", SMALL.replace("A Title\n", "A Title  \n")),
            ("no trailing spaces", SMALL.replace(" \n", "\n")),
            ("a count that disagrees", SMALL.replace("2篇", "007 篇左右")),
            ("no count", SMALL.replace("分析论文数量: 2篇\n", "")),
            ("no unit", SMALL.replace("8人", "约08 位, 其中3人")),
            ("no number of authors", SMALL.replace("8人", "未知")),
            ("wrong numbers", SMALL.replace("### 2.", "### 4.")),
            ("no labels", SMALL.replace("**主要机构**: Some University\n", "")),
            ("no abstract label", SMALL.replacen("**摘要**:\n", "", 1)),
            (
                "text between",
                SMALL.replace("## 论文详细信息\n", "## 论文详细信息\n见下。\n"),
            ),
            (
                "abstract beside its label",
                SMALL.replace("**摘要**:\nWe", "**摘要**: We"),
            ),
        ];
        for (what, text) in deviations {
            assert_ne!(text, SMALL, "{what} changes nothing");
            let report = assert_same_bytes(&text);
            assert_eq!(report.entries.len(), 2, "{what}");
            assert_eq!(report.title, "报告", "{what}");
            assert_eq!(report.entries[0].title, "A Title", "{what}");
        }
    }

    #[test]
    fn a_brief_without_details_and_details_without_a_brief_stand_alone() {
        let text = SMALL
            .replacen("### 2. \n\n另一个。\n\n", "", 1)
            .replace("### 1. A Title\n\n**", "### 3. Third\n\n**");
        let report = assert_same_bytes(&text);
        let halves: Vec<_> = report.entries.iter().map(|e| (e.title.as_str(), e.only)).collect();
        assert_eq!(
            halves,
            [
                ("A Title", Some(Part::Brief)),
                ("Third", Some(Part::Details)),
                ("", Some(Part::Details))
            ]
        );
    }

    #[test]
    fn a_title_above_the_brief_that_differs_is_kept_beside_the_other() {
        let report = assert_same_bytes(&SMALL.replacen("A Title", "Another", 1));
        assert_eq!(report.entries[0].title, "A Title");
        assert_eq!(report.entries[0].brief_title.as_deref(), Some("Another"));
    }

    #[test]
    fn an_edited_field_is_written_in_its_place() {
        let mut report = read(&SMALL.replace("A Title\n", "A Title  \n")).unwrap();
        report.entries[0].title = "New".to_owned();
        assert!(write(&report).contains("### 1. New  \n\n**主要机构**: Some University\n"));
    }

    #[test]
    fn errors_name_the_line() {
        let line = |text: &str| read(text).unwrap_err().line;
        assert_eq!(line(""), 1);
        assert_eq!(line("\n\nhello\n"), 3);
        assert_eq!(line("# only a title\n"), 1);
        assert_eq!(line("# t\n\n## 论文详细信息\n\n## 论文技术简报\n"), 3);
    }

    #[test]
    fn entry_lines_point_at_the_details() {
        let report = read(SMALL).unwrap();
        let lines: Vec<&str> = SMALL.lines().collect();
        assert_eq!(report.entry_lines(), [17, 25]);
        assert_eq!(lines[16], "### 1. A Title");
        assert_eq!(lines[24], "### 2. ");
    }

    #[test]
    fn every_real_report_comes_back_byte_for_byte_and_needs_no_layout() {
        let files = crate::tests::real_reports();
        for (name, text) in &files {
            let report = assert_same_bytes(text);
            let deviates = !report.layout.is_empty() || report.entries.iter().any(|e| !e.layout.is_empty());
            assert!(!deviates, "{name}");
            assert_eq!(report.count, u32::try_from(report.entries.len()).ok(), "{name}");
        }
        println!("{} real reports read and written", files.len());
    }

    fn field() -> impl Strategy<Value = String> {
        prop_oneof![
            Just(String::new()),
            "[a-zA-Z#*:.\\-\n 0-9]{0,40}",
            "\\PC{0,20}",
            Just("### 3. x".to_owned()),
            Just("## 论文详细信息".to_owned()),
        ]
    }

    fn any_entry() -> impl Strategy<Value = Entry> {
        (field(), field(), field(), any::<Option<u32>>(), field()).prop_map(
            |(title, brief, institutions, author_count, abstract_text)| Entry {
                title,
                brief,
                institutions,
                author_count,
                abstract_text,
                ..Entry::default()
            },
        )
    }

    proptest! {
        #[test]
        fn a_report_of_ours_is_read_as_it_was_made(
            title in field(), at in field(), entries in prop::collection::vec(any_entry(), 0..6),
        ) {
            let report = Report::new(&title, &at, entries);
            prop_assert_eq!(&read(&write(&report)).unwrap(), &report);
            prop_assert_eq!(&through_json(&report), &report);
        }

        #[test]
        fn a_mutilated_report_comes_back_byte_for_byte(
            lines in prop::collection::vec((0..40usize, prop_oneof![
                Just("\n"), Just("\r\n"), Just("  \n"), Just(""), Just(" x\n\n"), Just("### 9. y\n"), Just("\u{feff}"),
            ]), 0..12),
        ) {
            let mut parts: Vec<String> = SMALL.split_inclusive('\n').map(str::to_owned).collect();
            for (at, instead) in lines {
                let len = parts.len();
                parts[at % len].replace_range(.., instead);
            }
            let text: String = parts.concat();
            if let Ok(report) = read(&text) {
                prop_assert_eq!(&write(&report), &text);
                prop_assert_eq!(&write(&through_json(&report)), &text);
            }
        }
    }
}
