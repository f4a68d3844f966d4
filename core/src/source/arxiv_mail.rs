//! The arXiv mailing of a day: a text of fixed lines that people save in many ways, as the bare text, as a mail with its
//! headers, with the line ends of any system. What arXiv sent is found again below all that, and each entry stands
//! alone: one that cannot be read is set aside with its line.
//!
//! An entry is `\\`, `arXiv:…`, header fields (wrapped lines are indented), `\\`, the abstract, `\\ ( link ,  size)`.
//! A replacement has no abstract and no version number. Between entries stand rules of `-` or `%-`.

use std::borrow::Cow;

use chrono::{DateTime, NaiveDateTime, Utc};

use crate::markup;
use crate::paper::{Field, Paper, PaperId};
use crate::source::{Announcement, Item, Parsed, RejectedItem, SourceError, SourceKind, Window};
use crate::text::one_line;

const KIND: SourceKind = SourceKind::ArxivMail;

/// Mails within mails (a mailing forwarded as an attachment) are opened to this depth.
const MAX_NESTING: u8 = 8;

/// Whether the bytes look like a mailing.
pub fn recognises(bytes: &[u8]) -> bool {
    listing(bytes).is_ok()
}

/// Papers of a mailing.
///
/// A paper that is listed twice (as new and as a cross-list) gives two items.
///
/// # Errors
/// [`SourceError::Unrecognised`] when it is no mailing, [`SourceError::Empty`] when there is nothing at all.
pub fn parse(bytes: &[u8]) -> Result<Parsed, SourceError> {
    let text = listing(bytes)?;
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    let starts = entry_starts(&lines);
    let mut parsed = Parsed {
        source: KIND,
        window: None,
        asked: None,
        items: Vec::with_capacity(starts.len()),
        rejected: Vec::new(),
    };
    // Only before the first entry: the same words occur in abstracts.
    let preamble = starts.first().map_or(lines.len(), |&first| first);
    if let Some((at, line)) = lines
        .iter()
        .take(preamble)
        .enumerate()
        .find(|(_, line)| is_window(line))
    {
        match window(line) {
            Some(window) => parsed.window = Some(window),
            None => parsed.rejected.push(RejectedItem {
                line: at + 1,
                item: "window".to_owned(),
                reason: format!(
                    "“{}” is not “received from Thu  9 Oct 25 18:00:00 GMT to Fri 10 Oct 25 18:00:00 GMT”",
                    line.trim()
                ),
            }),
        }
    }
    for (n, &start) in starts.iter().enumerate() {
        let stop = starts.get(n + 1).copied().unwrap_or(lines.len());
        let entry = Entry::new(lines.get(start..stop).unwrap_or_default());
        match entry.item() {
            Ok(item) => parsed.items.push(item),
            Err(reason) => parsed.rejected.push(RejectedItem {
                line: start + 1,
                item: entry.name(n),
                reason,
            }),
        }
    }
    Ok(parsed)
}

// ---- from the file to the text ----

/// The text of the mailing in the file, wherever it stands.
fn listing(bytes: &[u8]) -> Result<String, SourceError> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(SourceError::Empty);
    }
    find_listing(bytes, 0).ok_or(SourceError::Unrecognised)
}

fn find_listing(bytes: &[u8], nesting: u8) -> Option<String> {
    let mail = mail_of(bytes);
    if let Some(found) = mail
        .and_then(|mail| mailparse::parse_mail(mail).ok())
        .and_then(|mail| listing_in_part(&mail, nesting))
    {
        return Some(found);
    }
    Some(plain_text(bytes)).filter(|text| is_listing(text))
}

/// The mail in a file, if it begins with the headers of one. A mailing's own first lines can look like a header
/// (`arXiv:2510.08619`), so one that every mail has must be among them.
fn mail_of(bytes: &[u8]) -> Option<&[u8]> {
    let start = bytes.iter().position(|b| !b.is_ascii_whitespace())?;
    let mut mail = bytes.get(start..)?;
    if mail.starts_with(b"From ") || mail.starts_with(b">From ") {
        // An mbox file's separator.
        mail = mail.get(mail.iter().position(|&b| b == b'\n')? + 1..)?;
    }
    const KNOWN: [&str; 12] = [
        "from",
        "to",
        "subject",
        "date",
        "received",
        "return-path",
        "delivered-to",
        "message-id",
        "mime-version",
        "content-type",
        "content-transfer-encoding",
        "reply-to",
    ];
    let mut known = false;
    for line in mail.split(|&b| b == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        match line {
            [] => break,
            [b' ' | b'\t', ..] => {}
            _ => {
                let colon = line.iter().position(|&b| b == b':')?;
                let name = line.get(..colon)?;
                if name.is_empty() || !name.iter().all(|b| b.is_ascii_graphic()) {
                    return None;
                }
                known |= KNOWN.iter().any(|k| name.eq_ignore_ascii_case(k.as_bytes()));
            }
        }
    }
    known.then_some(mail)
}

fn listing_in_part(part: &mailparse::ParsedMail<'_>, nesting: u8) -> Option<String> {
    if nesting >= MAX_NESTING {
        return None;
    }
    if !part.subparts.is_empty() {
        return part.subparts.iter().find_map(|part| listing_in_part(part, nesting + 1));
    }
    if part.ctype.mimetype == "message/rfc822" {
        return find_listing(&part.get_body_raw().ok()?, nesting + 1);
    }
    body_text(part).map(normal_lines).filter(|text| is_listing(text))
}

/// A part's text. A declared charset of ASCII is no obstacle to UTF-8; a base64 body that was cut off is read to its
/// last whole line.
fn body_text(part: &mailparse::ParsedMail<'_>) -> Option<String> {
    if let Ok(raw) = part.get_body_raw() {
        return match String::from_utf8(raw) {
            Ok(text) if part.ctype.charset.eq_ignore_ascii_case("us-ascii") => Some(text),
            Err(bytes) if part.ctype.charset.eq_ignore_ascii_case("us-ascii") => Some(plain_text(bytes.as_bytes())),
            Ok(_) | Err(_) => part.get_body().ok(),
        };
    }
    let mailparse::body::Body::Base64(body) = part.get_body_encoded() else {
        return None;
    };
    let raw = body.get_raw().trim_ascii();
    let whole = raw.iter().rposition(|&b| b == b'\n')?;
    let head = format!(
        "Content-Type: text/plain; charset=\"{}\"\nContent-Transfer-Encoding: base64\n\n",
        part.ctype.charset
    );
    let again = [head.as_bytes(), raw.get(..whole)?].concat();
    mailparse::parse_mail(&again).ok()?.get_body().ok()
}

/// Text whose charset nobody declared: UTF-8, UTF-16 with its mark, else Windows-1252, in which every byte means
/// something.
pub(super) fn plain_text(bytes: &[u8]) -> String {
    let utf16 = |pair: fn([u8; 2]) -> u16| {
        let units = bytes
            .chunks_exact(2)
            .skip(1)
            .map(|two| pair([two.first().copied().unwrap_or(0), two.last().copied().unwrap_or(0)]));
        char::decode_utf16(units)
            .map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER))
            .collect::<String>()
    };
    normal_lines(match bytes {
        [0xff, 0xfe, ..] => utf16(u16::from_le_bytes),
        [0xfe, 0xff, ..] => utf16(u16::from_be_bytes),
        _ => match std::str::from_utf8(bytes) {
            Ok(text) => text.to_owned(),
            Err(_) => {
                let head = b"Content-Type: text/plain; charset=windows-1252\nContent-Transfer-Encoding: 8bit\n\n";
                let mail = [head.as_slice(), bytes].concat();
                mailparse::parse_mail(&mail)
                    .and_then(|mail| mail.get_body())
                    .unwrap_or_else(|_| String::from_utf8_lossy(bytes).into_owned())
            }
        },
    })
}

/// `\r\n` and a lone `\r` as `\n`.
fn normal_lines(text: String) -> String {
    if text.contains('\r') {
        text.replace("\r\n", "\n").replace('\r', "\n")
    } else {
        text
    }
}

/// Whether the text has what no other text has: the line of the window below its preamble, or an entry's first lines.
fn is_listing(text: &str) -> bool {
    let mut before = "";
    text.lines().map(str::trim_end).any(|line| {
        let entry = before == r"\\" && line.starts_with("arXiv:");
        before = line;
        entry || is_window(line) && window(line).is_some()
    })
}

// ---- from the text to entries ----

fn is_rule(line: &str) -> bool {
    line.len() >= 60 && line.bytes().all(|b| matches!(b, b'-' | b'%'))
}

/// The lines at which entries begin: `\\` before `arXiv:` or after a rule, or `arXiv:` after a rule where the `\\` was
/// lost.
fn entry_starts(lines: &[&str]) -> Vec<usize> {
    let mut starts = Vec::new();
    let mut after_rule = true;
    for (at, line) in lines.iter().enumerate() {
        let next = || {
            lines
                .iter()
                .skip(at + 1)
                .find(|line| !line.is_empty())
                .copied()
                .unwrap_or_default()
        };
        match *line {
            r"\\" if after_rule || next().starts_with("arXiv:") => starts.push(at),
            line if after_rule && line.starts_with("arXiv:") => starts.push(at),
            _ => {}
        }
        if !line.is_empty() {
            after_rule = is_rule(line);
        }
    }
    starts
}

fn is_window(line: &str) -> bool {
    line.trim_start().starts_with("received from ")
}

/// `received from  Thu  9 Oct 25 18:00:00 GMT  to  Fri 10 Oct 25 18:00:00 GMT`.
fn window(line: &str) -> Option<Window> {
    let (from, to) = line.trim().strip_prefix("received from ")?.split_once(" to ")?;
    let (from, to) = (window_time(from)?, window_time(to)?);
    (from < to).then_some(Window { source: KIND, from, to })
}

fn window_time(text: &str) -> Option<DateTime<Utc>> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let [_weekday, day, month, year, time, "GMT" | "UTC"] = words.as_slice() else {
        return None;
    };
    let century = if year.len() == 4 { "%Y" } else { "%y" };
    NaiveDateTime::parse_from_str(
        &format!("{day} {month} {year} {time}"),
        &format!("%d %b {century} %H:%M:%S"),
    )
    .ok()
    .map(|time| time.and_utc())
}

/// The fields that an entry may have. Another word with a colon at the beginning of a line is a wrapped line whose
/// indentation somebody's mail program removed.
const FIELDS: [&str; 13] = [
    "Title",
    "Authors",
    "Author",
    "Categories",
    "Comments",
    "DOI",
    "Journal-ref",
    "Report-no",
    "MSC-class",
    "ACM-class",
    "License",
    "Proxy",
    "Subj-class",
];

/// An entry cut into its parts, nothing read yet.
struct Entry<'a> {
    /// What follows `arXiv:`.
    id: Option<&'a str>,
    /// `Date…:` and `replaced with revised version` lines.
    dates: Vec<(&'a str, &'a str)>,
    fields: Vec<(&'static str, String)>,
    abstract_lines: Vec<&'a str>,
    /// Whether its end is there.
    complete: bool,
    first_line: &'a str,
}

const REPLACED: &str = "replaced with revised version";
/// How a mailing gives the size of a version that has no text: that of a withdrawn paper.
const TAKEN_BACK: &str = "(0kb,I)";

impl<'a> Entry<'a> {
    fn new(lines: &[&'a str]) -> Self {
        let mut entry = Self {
            id: None,
            dates: Vec::new(),
            fields: Vec::new(),
            abstract_lines: Vec::new(),
            complete: false,
            first_line: lines
                .iter()
                .copied()
                .find(|line| !line.is_empty() && *line != r"\\")
                .unwrap_or_default(),
        };
        let mut rest = lines
            .iter()
            .copied()
            .skip_while(|line| line.is_empty() || *line == r"\\");
        let mut in_abstract = false;
        for line in rest.by_ref() {
            if is_rule(line) || line.starts_with(r"\\ (") || in_abstract && line == r"\\" {
                entry.complete = true;
                break;
            }
            if in_abstract {
                entry.abstract_lines.push(line);
            } else if line == r"\\" {
                in_abstract = true;
            } else {
                entry.header_line(line);
            }
        }
        entry
    }

    fn header_line(&mut self, line: &'a str) {
        if let Some(id) = line.strip_prefix("arXiv:").filter(|_| self.id.is_none()) {
            let (id, replaced) = match id.find(REPLACED) {
                Some(at) => id.split_at(at),
                None => (id, ""),
            };
            self.id = Some(id.trim());
            if !replaced.is_empty() {
                self.header_line(replaced);
            }
        } else if let Some(date) = line.strip_prefix(REPLACED) {
            self.dates.push((REPLACED, date));
        } else if let Some((name, date)) = line
            .split_once(':')
            .filter(|(name, _)| *name == "Date" || name.starts_with("Date ("))
        {
            self.dates.push((name, date));
        } else if let Some((name, value)) = line
            .split_once(':')
            .and_then(|(name, value)| Some((FIELDS.into_iter().find(|field| *field == name)?, value)))
        {
            self.fields.push((name, value.trim().to_owned()));
        } else if let Some((_, value)) = self.fields.last_mut() {
            value.push(' ');
            value.push_str(line.trim());
        }
    }

    /// What a person would call it.
    fn name(&self, n: usize) -> String {
        match self.id.and_then(|id| id.split_whitespace().next()) {
            Some(id) => format!("arXiv:{id}"),
            None if self.first_line.is_empty() => format!("entry {}", n + 1),
            None => self.first_line.chars().take(60).collect(),
        }
    }

    /// A field as readable text on one line, if there is anything in it.
    fn field(&self, name: &str) -> Option<String> {
        let (_, value) = self.fields.iter().find(|(field, _)| *field == name)?;
        Some(readable(value)).filter(|value| !value.is_empty())
    }

    fn item(&self) -> Result<Item, String> {
        let id_line = self.id.ok_or("there is no line “arXiv:…”")?;
        let mut words = id_line.split_whitespace();
        let raw_id = words.next().unwrap_or_default();
        let (id, version) = match PaperId::parse_with_version(raw_id) {
            Ok((id @ PaperId::Arxiv(_), version)) => (id, version),
            Ok((PaperId::Doi(_) | PaperId::Url(_), _)) | Err(_) => {
                return Err(format!("“{raw_id}” is no arXiv id such as 2510.09212 or cs/0112017"));
            }
        };
        if !self.complete {
            return Err("the mailing ends in the middle of this entry; fetch it again".to_owned());
        }
        let mut paper = Paper::new(id);
        paper.version = version.unwrap_or(1);
        let mut announcement = match words.next() {
            Some("(*cross-listing*)") => Announcement::CrossList,
            Some(_) | None => Announcement::New,
        };
        if self.dates.is_empty() {
            return Err(format!("there is neither a line “Date: …” nor “{REPLACED} …”"));
        }
        for (name, value) in &self.dates {
            let date = date(value)
                .ok_or_else(|| format!("“{}” is no date such as “Wed, 8 Oct 2025 08:47:07 GMT”", value.trim()))?;
            if *name == REPLACED {
                announcement = if value.trim_end().ends_with(TAKEN_BACK) {
                    Announcement::Withdrawal
                } else {
                    Announcement::Replacement
                };
                paper.revised = paper.revised.max(Some(date));
            } else if *name == "Date" {
                paper.submitted = Some(date);
            } else {
                let revision = name
                    .strip_prefix("Date (revised v")
                    .and_then(|rest| rest.strip_suffix(')'))
                    .and_then(|digits| digits.parse::<u16>().ok())
                    .ok_or_else(|| format!("“{name}:” is not “Date (revised v2):”"))?;
                paper.version = paper.version.max(revision);
                paper.revised = paper.revised.max(Some(date));
            }
        }
        let as_of = paper.revised.or(paper.submitted);
        let told = |value: String| Field::as_of(value, KIND, as_of);
        paper.title = Some(told(self.field("Title").ok_or("there is no line “Title: …”")?));
        if let Some(byline) = self.field("Authors").or_else(|| self.field("Author")) {
            let byline = Byline::new(&byline);
            if byline.unnamed > 0 {
                let count = u32::try_from(byline.authors.len())
                    .unwrap_or(u32::MAX)
                    .saturating_add(byline.unnamed);
                paper.author_count = Some(Field::as_of(count, KIND, as_of));
            }
            paper.authors = (!byline.authors.is_empty()).then(|| Field::as_of(byline.authors, KIND, as_of));
            paper.institutions =
                (!byline.institutions.is_empty()).then(|| Field::as_of(byline.institutions, KIND, as_of));
        }
        let categories: Vec<String> = self
            .field("Categories")
            .unwrap_or_default()
            .split_whitespace()
            .map(str::to_owned)
            .collect();
        paper.categories = (!categories.is_empty()).then(|| Field::as_of(categories, KIND, as_of));
        paper.abstract_text = abstract_text(&self.abstract_lines).map(told);
        paper.comments = self.field("Comments").map(told);
        paper.journal_ref = self.field("Journal-ref").map(told);
        paper.doi = self.doi().map(told);
        Ok(Item { paper, announcement })
    }

    /// The first DOI of the field that is not arXiv's own; TeX has no say in it.
    fn doi(&self) -> Option<String> {
        let (_, value) = self.fields.iter().find(|(field, _)| *field == "DOI")?;
        value.split_whitespace().find_map(|word| match word.parse() {
            Ok(PaperId::Doi(doi)) => Some(doi),
            Ok(PaperId::Arxiv(_) | PaperId::Url(_)) | Err(_) => None,
        })
    }
}

pub(super) fn readable(text: &str) -> String {
    markup::readable_line(&one_line(text))
}

/// `Wed, 8 Oct 2025 08:47:07 GMT   (1366kb)`. The weekday is not checked: the date says it already.
fn date(text: &str) -> Option<DateTime<Utc>> {
    let text = text.split('(').next()?.trim();
    let text = text.split_once(',').map_or(text, |(_, rest)| rest).trim();
    DateTime::parse_from_rfc2822(text).ok().map(|date| date.to_utc())
}

/// Paragraphs begin at an indented line or after an empty one. Where somebody's mail program indented every line, those
/// that are indented further.
pub(super) fn abstract_text(lines: &[&str]) -> Option<String> {
    let indent = |line: &&str| line.len() - line.trim_start().len();
    let mut indents = lines.iter().filter(|line| !line.is_empty()).map(indent);
    let (first, rest) = (indents.next()?, indents.min().unwrap_or(0));
    let usual = if first > rest { rest } else { 0 };
    let mut paragraphs: Vec<Cow<'_, str>> = Vec::new();
    let mut fresh = true;
    for line in lines {
        if line.is_empty() {
            fresh = true;
            continue;
        }
        match paragraphs.last_mut() {
            Some(last) if !fresh && indent(line) <= usual => {
                let last = last.to_mut();
                last.push(' ');
                last.push_str(line);
            }
            Some(_) | None => paragraphs.push(Cow::Borrowed(line)),
        }
        fresh = false;
    }
    let text = paragraphs
        .iter()
        .map(|p| readable(p))
        .filter(|p| !p.is_empty())
        .collect::<Vec<_>>()
        .join("\n");
    (!text.is_empty()).then_some(text)
}

// ---- authors ----

/// The line of the authors, taken apart.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Byline {
    pub(super) authors: Vec<String>,
    pub(super) institutions: Vec<String>,
    /// Those behind "et al. (38 additional authors not shown)".
    unnamed: u32,
}

impl Byline {
    /// Takes the line apart at commas, semicolons and "and", outside of parentheses. A parenthesis after a name is its
    /// institution or refers to the list of institutions at the end; one within a name belongs to it ("Yi R. (May)
    /// Fung").
    pub(super) fn new(line: &str) -> Self {
        let balanced = line.chars().try_fold(0_usize, |depth, c| match c {
            '(' => Some(depth + 1),
            ')' => depth.checked_sub(1),
            _ => Some(depth),
        });
        let mut byline = Self::default();
        for piece in split_authors(line, balanced == Some(0)) {
            byline.author(piece);
        }
        byline
    }

    fn author(&mut self, piece: &str) {
        let (name, notes) = trailing_notes(piece);
        let name = name
            .trim()
            .trim_end_matches(|c: char| matches!(c, '*' | '†' | '‡' | '¹' | '²' | '³' | '⁴'..='⁹'))
            .trim();
        for note in notes.iter().rev() {
            self.note(note);
        }
        match (name, self.authors.last_mut()) {
            ("", _) | ("et al" | "et al." | "others", _) => {}
            ("Jr" | "Jr." | "Sr" | "Sr." | "II" | "III" | "IV", Some(last)) => {
                last.push(' ');
                last.push_str(name);
            }
            (name, _) => self.authors.push(name.to_owned()),
        }
    }

    /// What stands in a parenthesis after a name.
    fn note(&mut self, note: &str) {
        let note = note.trim();
        if let Some((count, _)) = note.split_once(" additional author") {
            self.unnamed = self.unnamed.saturating_add(count.trim().parse().unwrap_or(0));
        } else if note.starts_with('(') {
            for name in numbered(note) {
                self.institution(&name);
            }
        } else if note.starts_with(|c: char| c.is_uppercase() || c == '"' || c == '“')
            && !matches!(
                note,
                "Editor" | "Editors" | "Ed." | "Eds." | "Jr." | "Jr" | "PI" | "I" | "II" | "III"
            )
        {
            // "MIT, Stanford" are two, "University of California, Los Angeles" is one.
            if note
                .split(',')
                .all(|part| !part.trim().is_empty() && !part.trim().contains(' '))
            {
                note.split(',').for_each(|part| self.institution(part));
            } else {
                self.institution(note);
            }
        }
    }

    fn institution(&mut self, name: &str) {
        let name = name.trim().trim_end_matches([',', ';']).trim();
        if name.chars().nth(1).is_some() && !self.institutions.iter().any(|known| known == name) {
            self.institutions.push(name.to_owned());
        }
    }
}

fn split_authors(line: &str, parentheses: bool) -> Vec<&str> {
    let mut pieces = Vec::new();
    let (mut depth, mut start) = (0_usize, 0);
    for (at, c) in line.char_indices() {
        let rest = line.get(at..).unwrap_or_default();
        let separator = match c {
            '(' if parentheses => {
                depth += 1;
                0
            }
            ')' if parentheses => {
                depth = depth.saturating_sub(1);
                0
            }
            _ if depth > 0 || at < start => 0,
            ',' | ';' => 1,
            ':' if rest.starts_with(": ") => 1,
            ' ' => [" and ", " & "]
                .into_iter()
                .find(|word| rest.starts_with(word))
                .map_or(0, |word| word.len() - 1),
            _ => 0,
        };
        if separator > 0 {
            pieces.push(line.get(start..at).unwrap_or_default());
            start = at + separator;
        }
    }
    pieces.push(line.get(start..).unwrap_or_default());
    pieces
}

/// A name and the parentheses at its end, the last one first.
fn trailing_notes(piece: &str) -> (&str, Vec<&str>) {
    let mut name = piece.trim();
    let mut notes = Vec::new();
    while name.ends_with(')') {
        let mut depth = 0_usize;
        let open = name.char_indices().rev().find(|&(_, c)| {
            depth = match c {
                ')' => depth + 1,
                '(' => depth.saturating_sub(1),
                _ => depth,
            };
            depth == 0
        });
        let Some((open, _)) = open else { break };
        notes.push(name.get(open + 1..name.len() - 1).unwrap_or_default());
        name = name.get(..open).unwrap_or_default().trim_end();
    }
    (name, notes)
}

/// The institutions of `(1) MIT, (2) ETH (Zürich) and (3) CERN`.
fn numbered(list: &str) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    let mut rest = list;
    while let Some(open) = rest.find('(') {
        let (before, after) = rest.split_at(open);
        let number = after
            .get(1..)
            .and_then(|inner| inner.split_once(')'))
            .filter(|(number, _)| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()));
        if let Some(last) = names.last_mut() {
            last.push_str(before);
        }
        match number {
            Some((_, next)) => {
                names.push(String::new());
                rest = next;
            }
            None => {
                if let Some(last) = names.last_mut() {
                    last.push('(');
                }
                rest = after.get(1..).unwrap_or_default();
            }
        }
    }
    if let Some(last) = names.last_mut() {
        last.push_str(rest);
    }
    for name in &mut names {
        let trimmed = name.trim().trim_end_matches([',', ';']).trim_end();
        *name = trimmed
            .strip_suffix(" and")
            .unwrap_or(trimmed)
            .trim_end_matches([',', ';'])
            .to_owned();
    }
    names
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use proptest::prelude::*;

    use super::*;

    const MAILING: &str = r"------------------------------------------------------------------------------
Send any comments regarding submissions directly to submitter.
------------------------------------------------------------------------------
 Submissions to:
Machine Learning
 received from  Thu  9 Oct 25 18:00:00 GMT  to  Fri 10 Oct 25 18:00:00 GMT
------------------------------------------------------------------------------
------------------------------------------------------------------------------
\\
arXiv:2510.00001
Date: Wed, 8 Oct 2025 08:47:07 GMT   (1366kb)

Title: A Title That Is So Long That It Goes on
  Over the Line: $O(n^2)$ at Last
Authors: Ana Est\'evez, Bo Li and
  Cy M\'endez
Categories: cs.LG cs.AI
Comments: 18 pages, code: https://github.com/a/b_c
Report-no: X-1
MSC-class: 68T50
ACM-class: I.2.7; I.2.6
Journal-ref: Journal of Things, vol. 12, no.
  6, Dec. 2018
DOI: 10.1109/JSTSP.2018.2875385
License: http://creativecommons.org/licenses/by/4.0/
\\
  First paragraph of data
received from many hands. Results:
fine.
  Second one, of $10^{-3}$.
\\ ( https://arxiv.org/abs/2510.00001 ,  1366kb)
%-%-%-%-%-%-%-%-%-%-%-%-%-%-%-%-%-%-%-%-%-%-%-%-%-%-%-%-%-%-%-%-%-%-%-%-%-%-%-
------------------------------------------------------------------------------
\\
arXiv:2506.03083 (*cross-listing*)
Date: Tue, 3 Jun 2025 17:04:22 GMT   (242kb)
Date (revised v2): Thu, 5 Jun 2025 22:39:07 GMT   (242kb)
Date (revised v3): Tue, 2 Sep 2025 17:15:59 GMT   (267kb,D)

Title: Labelling
Authors: Adrian de Wynter
Categories: cs.DS cs.AI
\\
  An evaluator.
\\ ( https://arxiv.org/abs/2506.03083 ,  267kb)
%%--%%--%%--%%--%%--%%--%%--%%--%%--%%--%%--%%--%%--%%--%%--%%--%%--%%--%%--%%
------------------------------------------------------------------------------
\\
arXiv:cs/0112017
replaced with revised version Fri, 10 Oct 2025 06:33:23 GMT   (3171kb)

Title: Old
Authors: A. Foo
Categories: cs.LG
\\ ( https://arxiv.org/abs/cs/0112017 ,  3171kb)
%%%---%%%---%%%---%%%---%%%---%%%---%%%---%%%---%%%---%%%---%%%---%%%---%%%---
";

    fn time(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn papers(bytes: &[u8]) -> Vec<Item> {
        let parsed = parse(bytes).unwrap();
        assert_eq!(parsed.rejected, [], "nothing should have been rejected");
        parsed.items
    }

    #[test]
    fn every_field_of_a_new_paper_is_read() {
        let items = papers(MAILING.as_bytes());
        let paper = &items[0].paper;
        assert_eq!(items[0].announcement, Announcement::New);
        assert_eq!(paper.id.to_string(), "arxiv:2510.00001");
        assert_eq!(
            paper.title(),
            "A Title That Is So Long That It Goes on Over the Line: O(n²) at Last"
        );
        assert_eq!(paper.authors(), ["Ana Estévez", "Bo Li", "Cy Méndez"]);
        assert_eq!(paper.categories(), ["cs.LG", "cs.AI"]);
        assert_eq!(paper.code_link().unwrap(), "https://github.com/a/b_c");
        assert_eq!(
            paper.journal_ref.as_ref().unwrap().value,
            "Journal of Things, vol. 12, no. 6, Dec. 2018"
        );
        assert_eq!(paper.doi.as_ref().unwrap().value, "10.1109/jstsp.2018.2875385");
        assert_eq!(
            paper.abstract_text(),
            "First paragraph of data received from many hands. Results: fine.\nSecond one, of 10⁻³."
        );
        assert_eq!(
            (paper.version, paper.submitted),
            (1, Some(time("2025-10-08T08:47:07Z")))
        );
    }

    #[test]
    fn a_cross_list_has_the_version_and_day_of_its_last_revision() {
        let items = papers(MAILING.as_bytes());
        assert_eq!(items[1].announcement, Announcement::CrossList);
        assert_eq!(items[1].paper.version, 3);
        assert_eq!(items[1].paper.submitted, Some(time("2025-06-03T17:04:22Z")));
        assert_eq!(items[1].paper.revised, Some(time("2025-09-02T17:15:59Z")));
    }

    #[test]
    fn a_replacement_without_a_text_is_a_withdrawal() {
        let withdrawn = MAILING.replace("06:33:23 GMT   (3171kb)", "06:33:23 GMT   (0kb,I)");
        assert_ne!(withdrawn, MAILING);
        let items = papers(withdrawn.as_bytes());
        assert_eq!(items[2].announcement, Announcement::Withdrawal);
        assert_eq!(items[2].paper.revised, Some(time("2025-10-10T06:33:23Z")));
    }

    #[test]
    fn a_replacement_has_a_day_but_neither_version_nor_abstract() {
        let items = papers(MAILING.as_bytes());
        assert_eq!(items[2].announcement, Announcement::Replacement);
        let paper = &items[2].paper;
        assert_eq!(paper.id.to_string(), "arxiv:cs/0112017");
        assert_eq!((paper.version, paper.submitted), (1, None));
        assert_eq!(paper.revised, Some(time("2025-10-10T06:33:23Z")));
        assert_eq!(paper.abstract_text, None);
    }

    #[test]
    fn the_window_is_the_preambles_and_not_an_abstracts() {
        let expected = Window {
            source: KIND,
            from: time("2025-10-09T18:00:00Z"),
            to: time("2025-10-10T18:00:00Z"),
        };
        assert_eq!(parse(MAILING.as_bytes()).unwrap().window, Some(expected));
        let without = MAILING.replace(" received from  Thu", " from  Thu");
        assert_eq!(parse(without.as_bytes()).unwrap().window, None);
    }

    #[test]
    fn a_window_that_cannot_be_read_is_reported_and_loses_no_paper() {
        let parsed = parse(MAILING.replace("Thu  9 Oct 25", "Thu 39 Oct 25").as_bytes()).unwrap();
        assert_eq!((parsed.window, parsed.items.len()), (None, 3));
        assert_eq!(
            (parsed.rejected[0].line, parsed.rejected[0].item.as_str()),
            (6, "window")
        );
    }

    #[test]
    fn a_bad_entry_is_set_aside_with_its_line_and_the_others_stay() {
        let line = MAILING
            .lines()
            .position(|line| line.starts_with("arXiv:2506.03083"))
            .unwrap();
        for (good, bad, reason) in [
            ("arXiv:2506.03083 ", "arXiv:2506.O3083 ", "“2506.O3083” is no arXiv id"),
            ("arXiv:2506.03083 ", "arXv:2506.03083 ", "no line “arXiv:…”"),
            ("Title: Labelling", "Titel: Labelling", "no line “Title: …”"),
            ("Date: Tue, 3 Jun 2025", "Date: Tue, 33 Jun 2025", "no date such as"),
            ("(revised v3)", "(revised vx)", "is not “Date (revised v2):”"),
        ] {
            let parsed = parse(MAILING.replace(good, bad).as_bytes()).unwrap();
            assert_eq!(parsed.items.len(), 2, "{bad}");
            assert_eq!(parsed.rejected.len(), 1, "{bad}");
            assert_eq!(parsed.rejected[0].line, line, "{bad}");
            assert!(parsed.rejected[0].reason.contains(reason), "{}", parsed.rejected[0]);
        }
    }

    #[test]
    fn a_mailing_cut_off_anywhere_loses_only_the_entry_that_was_cut() {
        let whole = papers(MAILING.as_bytes());
        for cut in (MAILING.find("Ana").unwrap()..MAILING.len()).filter(|&cut| MAILING.is_char_boundary(cut)) {
            let parsed = parse(&MAILING.as_bytes()[..cut]).unwrap();
            assert!(whole.starts_with(&parsed.items), "cut at {cut}");
            let ends = MAILING[..cut].matches("\\\\ (").count();
            assert!(parsed.items.len() >= ends, "cut at {cut}");
            assert!(parsed.rejected.len() <= 1, "cut at {cut}");
        }
    }

    #[test]
    fn an_author_line_gives_names_institutions_and_the_unnamed() {
        let cases: [(&str, &[&str], &[&str], u32); 10] = [
            ("A. Foo and B. Bar", &["A. Foo", "B. Bar"], &[], 0),
            ("A. Foo, B. Bar, and X", &["A. Foo", "B. Bar", "X"], &[], 0),
            (
                "A. Foo (1), B. Bar (1 and 2) ((1) MIT, (2) ETH (Zurich), CH)",
                &["A. Foo", "B. Bar"],
                &["MIT", "ETH (Zurich), CH"],
                0,
            ),
            (
                "A (MIT, Stanford), B (University of California, Los Angeles), C (MIT)",
                &["A", "B", "C"],
                &["MIT", "Stanford", "University of California, Los Angeles"],
                0,
            ),
            (
                "Yi R. (May) Fung, Yu (Sid) Wang",
                &["Yi R. (May) Fung", "Yu (Sid) Wang"],
                &[],
                0,
            ),
            ("A, B, et al. (38 additional authors not shown)", &["A", "B"], &[], 38),
            (
                "James Ghawaly, Jr., William Muckelroy III",
                &["James Ghawaly Jr.", "William Muckelroy III"],
                &[],
                0,
            ),
            ("A (for the X collaboration), B (editor)", &["A", "B"], &[], 0),
            ("A (1, B, C", &["A (1", "B", "C"], &[], 0),
            (
                "Preferred Networks: Alexander Anderson, Sandy Land",
                &["Preferred Networks", "Alexander Anderson", "Sandy Land"],
                &[],
                0,
            ),
        ];
        for (line, authors, institutions, unnamed) in cases {
            let byline = Byline::new(line);
            assert_eq!(
                (byline.authors, byline.institutions, byline.unnamed),
                (owned(authors), owned(institutions), unnamed),
                "{line}"
            );
        }
    }

    fn owned(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|&text| text.to_owned()).collect()
    }

    #[test]
    fn paragraphs_are_told_by_their_indentation() {
        for (lines, text) in [
            (["  One", "goes on.", "  Two."], "One goes on.\nTwo."),
            (["  One.", "  Two.", "  Three."], "One.\nTwo.\nThree."),
            (["    One", "  goes on.", "    Two."], "One goes on.\nTwo."),
            (["One", "goes on.", "Still."], "One goes on. Still."),
            (["One.", "", "Two."], "One.\nTwo."),
        ] {
            assert_eq!(abstract_text(&lines).as_deref(), Some(text), "{lines:?}");
        }
        assert_eq!(abstract_text(&["", ""]), None);
    }

    #[test]
    fn authors_who_are_not_shown_are_counted() {
        let items = papers(
            MAILING
                .replace("A. Foo", "A. Foo, et al. (38 additional authors not shown)")
                .as_bytes(),
        );
        assert_eq!(items[2].paper.author_count(), Some(39));
    }

    // ---- the ways to save a mailing ----

    fn quoted_printable(text: &str) -> String {
        let mut out = String::new();
        for line in text.lines() {
            let mut width = 0;
            for byte in line.bytes() {
                let piece = match byte {
                    b'=' => "=3D".to_owned(),
                    b' '..=b'~' => char::from(byte).to_string(),
                    _ => format!("={byte:02X}"),
                };
                if width + piece.len() > 70 {
                    out.push_str("=\r\n");
                    width = 0;
                }
                width += piece.len();
                out.push_str(&piece);
            }
            if out.ends_with(' ') {
                out.pop();
                out.push_str("=20");
            }
            out.push_str("\r\n");
        }
        out
    }

    fn base64(text: &[u8]) -> String {
        const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let mut out = String::new();
        for (n, three) in text.chunks(3).enumerate() {
            if n > 0 && n % 19 == 0 {
                out.push_str("\r\n");
            }
            let word = (0..3).fold(0_u32, |word, i| {
                word << 8 | u32::from(three.get(i).copied().unwrap_or(0))
            });
            for i in 0..4_usize {
                let six = (word >> (18 - 6 * i)) & 63;
                out.push(if i <= three.len() {
                    char::from(ALPHABET[six as usize])
                } else {
                    '='
                });
            }
        }
        out
    }

    const HEAD: &str = "Return-Path: <no-reply@arxiv.org>\r\nFrom: no-reply@arXiv.org (send mail ONLY to cs)\r\nTo: rabble@arXiv.org (cs\r\n daily title/abstract distribution)\r\nSubject: cs daily Subj-class mailing\r\nMIME-Version: 1.0\r\n";

    /// The same text saved in every way that must make no difference.
    fn saved(text: &str) -> Vec<(&'static str, Vec<u8>)> {
        let crlf = text.replace('\n', "\r\n");
        let eml = |encoding: &str, body: &str| {
            format!(
                "{HEAD}Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n{body}"
            )
            .into_bytes()
        };
        let multipart = format!(
            "{HEAD}Content-Type: multipart/mixed; boundary=\"=_b\"\r\n\r\nThis is MIME.\r\n--=_b\r\nContent-Type: text/plain\r\n\r\nforwarded for you\r\n--=_b\r\nContent-Type: message/rfc822\r\n\r\n{}\r\n--=_b--\r\n",
            String::from_utf8(eml("quoted-printable", &quoted_printable(text))).unwrap()
        );
        vec![
            ("text", text.as_bytes().to_vec()),
            ("crlf", crlf.clone().into_bytes()),
            ("bom", [b"\xef\xbb\xbf", text.as_bytes()].concat()),
            (
                "utf-16",
                [0xff, 0xfe]
                    .into_iter()
                    .chain(text.encode_utf16().flat_map(u16::to_le_bytes))
                    .collect(),
            ),
            ("headers", format!("{HEAD}\r\n{crlf}").into_bytes()),
            (
                "mbox",
                format!("From x@y Fri Oct 10 2025\n{}\n{text}", HEAD.replace('\r', "")).into_bytes(),
            ),
            ("8bit", eml("8bit", &crlf)),
            ("quoted-printable", eml("quoted-printable", &quoted_printable(text))),
            ("base64", eml("base64", &base64(crlf.as_bytes()))),
            ("multipart", multipart.into_bytes()),
        ]
    }

    #[test]
    fn however_it_was_saved_the_papers_are_the_same() {
        let text = MAILING.replace("Cy M", "Zoë M");
        let expected = parse(text.as_bytes()).unwrap();
        assert_eq!(expected.items[0].paper.authors()[2], "Zoë Méndez");
        for (way, bytes) in saved(&text) {
            assert!(recognises(&bytes), "{way}");
            assert_eq!(parse(&bytes).unwrap(), expected, "{way}");
        }
    }

    #[test]
    fn a_charset_is_honoured_and_an_undeclared_one_is_western() {
        let mut latin = MAILING.replace("Cy M", "Zoe M").into_bytes();
        let at = latin.windows(5).position(|five| five == b"Zoe M").unwrap();
        latin[at + 2] = 0xeb;
        let head =
            format!("{HEAD}Content-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: 8bit\r\n\r\n");
        for bytes in [
            latin.clone(),
            [head.as_bytes(), &latin].concat(),
            [HEAD.as_bytes(), b"\r\n", &latin].concat(),
        ] {
            assert_eq!(papers(&bytes)[0].paper.authors()[2], "Zoë Méndez");
        }
    }

    #[test]
    fn a_base64_mail_cut_off_keeps_its_whole_entries() {
        let (_, bytes) = saved(MAILING).into_iter().find(|(way, _)| *way == "base64").unwrap();
        for cut in 1..60 {
            let parsed = parse(&bytes[..bytes.len() - 200 - cut]).unwrap();
            assert_eq!((parsed.items.len(), parsed.rejected.len()), (2, 1), "{cut}");
        }
    }

    #[test]
    fn other_texts_are_no_mailing() {
        for text in [
            "# title\n\n## 论文技术简报\n",
            "we received from many people letters",
            "From: a@b\nSubject: arXiv:2510.00001\n\nHave you read arXiv:2510.00001?\n",
            "\\\\\nfoo\n",
        ] {
            assert!(!recognises(text.as_bytes()), "{text}");
            assert_eq!(parse(text.as_bytes()), Err(SourceError::Unrecognised));
        }
        assert_eq!(parse(b" \r\n"), Err(SourceError::Empty));
    }

    // ---- generated mailings ----

    #[derive(Debug, Clone)]
    struct Sample {
        number: u32,
        kind: Announcement,
        title: Vec<String>,
        authors: Vec<String>,
        paragraphs: Vec<Vec<String>>,
        version: u16,
    }

    fn words(at_most: usize) -> impl Strategy<Value = Vec<String>> {
        prop::collection::vec("[A-Za-zé,.;()=%=:+]{0,3}[a-zü0-9]{1,9}", 1..at_most)
    }

    fn sample() -> impl Strategy<Value = Sample> {
        (
            0..100_000_u32,
            prop::sample::select(vec![
                Announcement::New,
                Announcement::CrossList,
                Announcement::Replacement,
            ]),
            words(20),
            prop::collection::vec("[A-Z][a-zñ]{1,8} [A-Z][a-z]{3,9}", 1..9),
            prop::collection::vec(words(60), 1..4),
            1..5_u16,
        )
            .prop_map(|(number, kind, title, authors, paragraphs, version)| Sample {
                number,
                kind,
                title,
                authors,
                paragraphs,
                version: if kind == Announcement::Replacement { 1 } else { version },
            })
    }

    /// Wraps as arXiv does, at 79 columns.
    fn wrap(first: &str, words: &str, indent: &str) -> String {
        let mut out = first.to_owned();
        let mut width = first.len();
        for (n, word) in words.split(' ').enumerate() {
            if n > 0 && width + 1 + word.chars().count() > 79 {
                out.push('\n');
                out.push_str(indent);
                width = indent.len();
            } else if n > 0 {
                out.push(' ');
                width += 1;
            }
            out.push_str(word);
            width += word.chars().count();
        }
        out.push('\n');
        out
    }

    fn print(samples: &[Sample]) -> String {
        let rule = "-".repeat(78);
        let mut out = format!(
            "{rule}\n received from  Thu  9 Oct 25 18:00:00 GMT  to  Fri 10 Oct 25 18:00:00 GMT\n{rule}\n{rule}\n"
        );
        for sample in samples {
            let id = format!("2510.{:05}", sample.number);
            let cross = if sample.kind == Announcement::CrossList {
                " (*cross-listing*)"
            } else {
                ""
            };
            out.push_str(&format!("\\\\\narXiv:{id}{cross}\n"));
            if sample.kind == Announcement::Replacement {
                out.push_str("replaced with revised version Fri, 10 Oct 2025 06:33:23 GMT   (1kb,I)\n");
            } else {
                out.push_str("Date: Wed, 8 Oct 2025 08:47:07 GMT   (1kb)\n");
                for version in 2..=sample.version {
                    out.push_str(&format!(
                        "Date (revised v{version}): Thu, 9 Oct 2025 0{version}:00:00 GMT   (1kb)\n"
                    ));
                }
            }
            out.push('\n');
            out.push_str(&wrap("Title: ", &sample.title.join(" "), "  "));
            out.push_str(&wrap("Authors: ", &sample.authors.join(", "), "  "));
            out.push_str("Categories: cs.LG\n");
            if sample.kind != Announcement::Replacement {
                out.push_str("\\\\\n");
                for paragraph in &sample.paragraphs {
                    out.push_str(&wrap("  ", &paragraph.join(" "), ""));
                }
            }
            out.push_str(&format!("\\\\ ( https://arxiv.org/abs/{id} ,  1kb)\n{rule}\n"));
        }
        out
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn what_was_printed_is_read_back_however_it_was_saved(samples in prop::collection::vec(sample(), 0..6)) {
            for (way, bytes) in saved(&print(&samples)) {
                let items = papers(&bytes);
                prop_assert_eq!(items.len(), samples.len(), "{}", way);
                for (item, sample) in items.iter().zip(&samples) {
                    prop_assert_eq!(item.paper.id.bare(), format!("2510.{:05}", sample.number));
                    prop_assert_eq!(item.announcement, sample.kind);
                    prop_assert_eq!(item.paper.version, sample.version);
                    prop_assert_eq!(item.paper.title(), sample.title.join(" "));
                    prop_assert_eq!(item.paper.authors(), &sample.authors, "{}", way);
                    let paragraphs: Vec<String> = sample.paragraphs.iter().map(|p| p.join(" ")).collect();
                    let text = if sample.kind == Announcement::Replacement { String::new() } else { paragraphs.join("\n") };
                    prop_assert_eq!(item.paper.abstract_text(), text);
                }
            }
        }

        #[test]
        fn damage_to_a_few_bytes_costs_at_most_the_entries_that_it_hits(
            hits in prop::collection::vec((0..MAILING.len(), any::<u8>()), 1..4),
        ) {
            let mut bytes = MAILING.as_bytes().to_vec();
            for &(at, byte) in &hits {
                bytes[at] = byte;
            }
            if let Ok(parsed) = parse(&bytes) {
                prop_assert!(parsed.items.len() + hits.len() >= 2, "{:?}", parsed);
                prop_assert!(parsed.rejected.len() <= hits.len() + 1);
            }
        }
    }

    // ---- the real ones ----

    /// The real mailings, where they are at hand.
    fn real() -> Vec<(String, Vec<u8>)> {
        let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data/arxiv-mail"));
        let Ok(days) = std::fs::read_dir(root) else {
            println!("skipped: there is no {}", root.display());
            return Vec::new();
        };
        let mut mails: Vec<_> = days
            .map(|day| day.unwrap().path())
            .map(|day| {
                (
                    day.file_name().unwrap().to_string_lossy().into_owned(),
                    std::fs::read(day.join("mail.txt")).unwrap(),
                )
            })
            .collect();
        mails.sort();
        mails
    }

    #[test]
    fn real_mailings_are_read_without_a_loss() {
        for (day, bytes) in real() {
            let text = String::from_utf8_lossy(&bytes).into_owned();
            let count = |what: &dyn Fn(&str) -> bool| text.lines().filter(|line| what(line)).count();
            let parsed = parse(&bytes).unwrap();
            let of = |kind| parsed.items.iter().filter(|item| item.announcement == kind).count();
            let (new, cross, replaced) = (
                of(Announcement::New),
                of(Announcement::CrossList),
                of(Announcement::Replacement) + of(Announcement::Withdrawal),
            );
            println!(
                "{day}: {new} new, {cross} cross-listed, {replaced} replaced, window {:?}",
                parsed.window
            );
            assert_eq!(parsed.rejected, [], "{day}");
            assert!(parsed.window.is_some(), "{day}");
            // A new version of what was cross-listed before says both; it is a replacement.
            let pairs = text.lines().zip(text.lines().skip(1));
            let crossed = pairs.filter(|(id, next)| id.ends_with("(*cross-listing*)") && !next.starts_with(REPLACED));
            assert_eq!(cross, crossed.count(), "{day}");
            assert_eq!(replaced, count(&|line| line.starts_with(REPLACED)), "{day}");
            assert_eq!(
                new + cross + replaced,
                count(&|line| line.starts_with("\\\\ ( https://arxiv.org/abs/")),
                "{day}"
            );
            for item in &parsed.items {
                let paper = &item.paper;
                assert!(!paper.title().is_empty() && !paper.authors().is_empty() && !paper.categories().is_empty());
                assert_eq!(
                    paper.abstract_text.is_some(),
                    item.announcement.is_candidate(),
                    "{}",
                    paper.id
                );
                for author in paper.authors() {
                    assert!(
                        author.chars().count() < 60 && !author.contains(['\\', '{', '$']),
                        "{}: {author}",
                        paper.id
                    );
                }
            }
        }
    }

    #[test]
    fn hardly_any_tex_is_left_in_real_titles_and_abstracts() {
        let mut papers: Vec<Paper> = real()
            .iter()
            .flat_map(|(_, bytes)| parse(bytes).unwrap().items)
            .map(|item| item.paper)
            .collect();
        papers.sort_by(|a, b| a.id.cmp(&b.id));
        papers.dedup_by(|a, b| a.id == b.id && a.abstract_text == b.abstract_text);
        let tex = |text: &str| text.contains('\\') || text.matches('$').count() > 1;
        let left = |texts: Vec<&str>| {
            texts
                .into_iter()
                .filter(|text| tex(text))
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        let titles = left(papers.iter().map(Paper::title).collect());
        let abstracts = left(papers.iter().map(Paper::abstract_text).collect());
        for text in titles.iter().chain(&abstracts) {
            for (at, _) in text.match_indices(['\\', '$']) {
                let from = text[..at].char_indices().rev().nth(20).map_or(0, |(at, _)| at);
                println!("left: {}", text[from..].chars().take(50).collect::<String>());
            }
        }
        assert_eq!(titles, Vec::<String>::new());
        assert!(
            abstracts.len() * 100 <= papers.len(),
            "{} of {}",
            abstracts.len(),
            papers.len()
        );
    }
}
