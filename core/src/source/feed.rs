//! Any RSS, Atom or JSON feed. feed-rs knows the formats; this module keeps the hostile and the broken away from it: a feed
//! is first read as nothing but nested elements, decoded, without its document type, and cut into its entries; then each
//! entry is parsed alone, so that one bad entry loses no other and a long feed costs no more than the entries that count.

use std::io::Read as _;

use chrono::{DateTime, Datelike as _, TimeDelta, Utc};
use feed_rs::model;
use html5gum::{Token, Tokenizer};
use quick_xml::Reader;
use quick_xml::encoding::{DecodingReader, decode};
use quick_xml::events::{BytesDecl, BytesStart, Event};

use super::identity::Identity;
use super::polled::{Pace, Polled, shown};
use super::request::{Body, Fetched, Next, Source, Taken};
use super::{Announcement, Item, Parsed, RejectedItem, SourceError, SourceKind, Window};
use crate::markup;
use crate::paper::{Field, Paper, PaperId};

/// The most entries of a feed that are read.
pub const MAX_ENTRIES: usize = 500;
/// Elements nested deeper are no feed's.
const MAX_DEPTH: usize = 200;
/// The most bytes of one entry.
const MAX_ENTRY: usize = 512 << 10;
/// The most authors of an entry.
const MAX_AUTHORS: usize = 1_000;
/// The most characters of a title.
pub(super) const MAX_TITLE: usize = 600;
/// The most characters of an abstract.
pub(super) const MAX_ABSTRACT: usize = 8_000;
/// The most characters of a name.
pub(super) const MAX_NAME: usize = 160;

/// One feed, asked at its own pace: its `ttl`, `skipHours` and `Retry-After` within a quarter of an hour and a day, hourly
/// where it says nothing.
#[derive(Debug, Clone)]
pub struct Feed {
    name: String,
    polled: Polled,
}

impl Feed {
    /// The feed at `url`, with what it remembered ([`Source::memory`]).
    pub fn new(url: &str, memory: Option<&str>) -> Self {
        Self {
            name: format!("feed:{}", shown(url)),
            polled: Polled::new(url, memory),
        }
    }
}

impl Source for Feed {
    fn name(&self) -> &str {
        &self.name
    }

    fn kind(&self) -> SourceKind {
        SourceKind::Feed
    }

    fn next(&mut self, _ledger: &[Window], now: DateTime<Utc>) -> Next {
        self.polled.next(now)
    }

    fn take(&mut self, fetched: Fetched, now: DateTime<Utc>) -> Taken {
        let taken = self.polled.take(fetched, now, |body: &Body, address| {
            read(&body.bytes, body.content_type.as_deref(), address)
        });
        taken.named(&self.name)
    }

    fn turned_over(&self) -> bool {
        self.polled.turned_over()
    }

    fn memory(&self) -> Option<String> {
        self.polled.memory()
    }
}

/// The papers of a feed. `content_type` as it came, for its `charset`; `address` is where relative links begin.
///
/// # Errors
/// When it is no feed, or not one entry of it is whole.
pub fn parse(bytes: &[u8], content_type: Option<&str>, address: &str) -> Result<Parsed, SourceError> {
    read(bytes, content_type, address).map(|(parsed, _)| parsed)
}

fn read(bytes: &[u8], content_type: Option<&str>, address: &str) -> Result<(Parsed, Pace), SourceError> {
    let start = bytes
        .iter()
        .position(|b| !b.is_ascii_whitespace())
        .ok_or(SourceError::Empty)?;
    let bytes = bytes.get(start..).unwrap_or_default();
    let without_mark = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let scanned = if without_mark.trim_ascii_start().starts_with(b"{") {
        scan_json(without_mark)?
    } else {
        scan_xml(&decoded(bytes, content_type)?)?
    };
    let mut parsed = Parsed {
        source: SourceKind::Feed,
        window: None,
        asked: None,
        items: Vec::new(),
        rejected: Vec::new(),
    };
    for (at, piece) in scanned.pieces.iter().enumerate() {
        match item(piece, address) {
            Ok(item) => parsed.items.push(item),
            Err(reason) => parsed.rejected.push(RejectedItem {
                line: piece.line,
                item: format!("entry {}", at + 1),
                reason,
            }),
        }
    }
    parsed.rejected.extend(scanned.rest);
    Ok((parsed, scanned.pace))
}

/// One entry, as a feed of its own.
struct Piece {
    line: usize,
    document: String,
    /// What names the paper, in the feed's order.
    names: Vec<String>,
    /// arXiv's `announce_type`.
    announced: Option<String>,
    /// Depth of the element that is open whose markup is text.
    markup: Option<usize>,
    too_large: bool,
}

struct Scanned {
    pieces: Vec<Piece>,
    pace: Pace,
    /// What was not read, and why.
    rest: Option<RejectedItem>,
}

fn damaged(line: usize, reason: impl Into<String>) -> SourceError {
    SourceError::Damaged {
        line,
        reason: reason.into(),
    }
}

// ---- encodings ----

/// The document as text, whatever it is encoded in: as its mark or declaration says, else as the server says, else UTF-8,
/// else Windows-1252, in which any bytes mean something.
fn decoded(bytes: &[u8], content_type: Option<&str>) -> Result<String, SourceError> {
    let marks = [&b"\xff\xfe"[..], b"\xfe\xff", b"\xef\xbb\xbf", b"<\0", b"\0<"];
    if marks.iter().any(|mark| bytes.starts_with(mark)) {
        let mut text = String::new();
        let read = DecodingReader::new(bytes).read_to_string(&mut text);
        return match read {
            Ok(_) => Ok(text),
            Err(_) if bytes.starts_with(b"\xef") => Ok(lossy(bytes)),
            Err(_) => Err(damaged(1, "it is not the UTF-16 that it begins as; ask its maker")),
        };
    }
    let head = String::from_utf8_lossy(bytes.get(..200).unwrap_or(bytes)).into_owned();
    let declaration = head.strip_prefix("<?xml").and_then(|head| head.split("?>").next());
    let label = |text: &str, key: &str| {
        let (_, label) = text.split_once(key)?;
        let label = label.trim_start().trim_start_matches(['=', '"', '\'', ' ']);
        let end = label.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | ':' | '.')));
        label.get(..end.unwrap_or(label.len())).map(str::to_owned)
    };
    let labels = [
        declaration.and_then(|declaration| label(declaration, "encoding")),
        content_type.and_then(|of| label(of, "charset")),
    ];
    for label in labels.into_iter().flatten() {
        // Where it really were one of two bytes a letter, this could not have been read.
        let wide = label.to_ascii_lowercase().starts_with("utf-16");
        let encoding = BytesDecl::new("1.0", Some(&label), None).encoder().filter(|_| !wide);
        if let Some(Ok(text)) = encoding.map(|encoding| decode(bytes, encoding)) {
            return Ok(text.into_owned());
        }
    }
    Ok(lossy(bytes))
}

/// UTF-8 with a few bad bytes, or no UTF-8 at all.
fn lossy(bytes: &[u8]) -> String {
    let utf8 = String::from_utf8_lossy(bytes);
    let bad = utf8.matches(char::REPLACEMENT_CHARACTER).count();
    let good = utf8.chars().filter(|c| !c.is_ascii()).count() - bad;
    let western = BytesDecl::new("1.0", Some("windows-1252"), None).encoder();
    match western.map(|western| decode(bytes, western)) {
        Some(Ok(text)) if bad > good => text.into_owned(),
        Some(_) | None => utf8.into_owned(),
    }
}

// ---- XML ----

/// What a feed is cut by while it is read.
#[derive(Default)]
struct Scan {
    /// Local names of what is open.
    open: Vec<String>,
    /// Start tags of what is around an entry.
    head: String,
    tail: String,
    /// The entry that is open, and its depth.
    entry: Option<(Piece, usize)>,
    /// Text of the element that is open, where it matters.
    text: String,
    period: Option<TimeDelta>,
    frequency: Option<i32>,
    pieces: Vec<Piece>,
    pace: Pace,
}

fn scan_xml(document: &str) -> Result<Scanned, SourceError> {
    let mut reader = Reader::from_str(document);
    reader.config_mut().allow_dangling_amp = true;
    reader.config_mut().trim_markup_names_in_closing_tags = true;
    let mut scan = Scan::default();
    let mut lines = Lines::new(document);
    let mut rest = None;
    loop {
        let line = lines.at(reader.buffer_position());
        let event = match reader.read_event() {
            Ok(Event::Eof) if scan.open.is_empty() => break,
            Ok(Event::Eof) => {
                rest = Some((line, "it breaks off here".to_owned()));
                break;
            }
            Ok(event) => event,
            Err(error) => {
                rest = Some((line, format!("it is not well-formed from here on: {error}")));
                break;
            }
        };
        if scan.pieces.len() >= MAX_ENTRIES {
            rest = Some((line, format!("only the first {MAX_ENTRIES} entries of a feed are read")));
            break;
        }
        scan.event(event, line, document)?;
    }
    if let (true, Some((line, reason))) = (scan.pieces.is_empty(), &rest) {
        if let Some(page) = html_page(document) {
            return Err(damaged(1, page));
        }
        return Err(damaged(*line, reason.clone()));
    }
    if scan.head.is_empty() {
        return Err(damaged(1, not_a_feed(document)));
    }
    if let Some(period) = scan.period {
        let often = scan.frequency.filter(|often| *often > 0).unwrap_or(1);
        scan.pace.interval.get_or_insert(period / often);
    }
    Ok(Scanned {
        pieces: scan.pieces,
        pace: scan.pace,
        rest: rest.map(|(line, reason)| RejectedItem {
            line,
            item: "the rest of the feed".to_owned(),
            reason,
        }),
    })
}

/// Lines of byte positions that only grow.
struct Lines<'a> {
    bytes: &'a [u8],
    at: usize,
    line: usize,
}

impl<'a> Lines<'a> {
    fn new(document: &'a str) -> Self {
        Self {
            bytes: document.as_bytes(),
            at: 0,
            line: 1,
        }
    }

    fn at(&mut self, position: u64) -> usize {
        let position = usize::try_from(position).unwrap_or(usize::MAX).min(self.bytes.len());
        let passed = self.bytes.get(self.at..position).unwrap_or_default();
        self.line += passed.iter().filter(|b| **b == b'\n').count();
        self.at = self.at.max(position);
        self.line
    }
}

/// Elements whose text names the paper.
const NAMES: [&str; 7] = ["id", "guid", "identifier", "doi", "link", "origlink", "url"];

impl Scan {
    fn event(&mut self, event: Event<'_>, line: usize, document: &str) -> Result<(), SourceError> {
        match event {
            Event::Start(start) => self.start(&start, line, document)?,
            Event::Empty(start) => {
                self.start(&start, line, document)?;
                self.end(start.name().as_ref());
            }
            Event::End(end) => self.end(end.name().as_ref()),
            Event::Text(said) => {
                self.said(&said, &said.replace('&', "&amp;"));
            }
            Event::CData(said) => {
                self.said(&said, &quick_xml::escape::escape(&*said));
            }
            Event::GeneralRef(named) => {
                let name: &str = &named;
                let known = matches!(name, "amp" | "lt" | "gt" | "quot" | "apos");
                let plain = match name {
                    "amp" => "&",
                    _ => "",
                };
                if known || is_character(name) {
                    self.said(plain, &format!("&{name};"));
                } else {
                    // HTML's are known to who reads the text; a document's own are nobody's, and never expanded.
                    self.said("", &format!("&amp;{name};"));
                }
            }
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) | Event::Eof => {}
        }
        Ok(())
    }

    fn start(&mut self, start: &BytesStart<'_>, line: usize, document: &str) -> Result<(), SourceError> {
        let name = start.local_name().as_ref().to_ascii_lowercase();
        let tag = format!("<{}>", &**start);
        let whole = start.name().as_ref().to_owned();
        let depth = self.open.len();
        if depth >= MAX_DEPTH {
            return Err(damaged(
                line,
                format!("elements are nested deeper than {MAX_DEPTH}, which no feed's are; ask its maker"),
            ));
        }
        if depth == 0 {
            if !matches!(&*name, "rss" | "feed" | "rdf") || !self.head.is_empty() {
                return Err(damaged(line, not_a_feed(document)));
            }
            self.head = tag.clone();
            self.tail = format!("</{whole}>");
        }
        let parent = self.open.last().map(String::as_str);
        let begins = match &*name {
            "item" => matches!(parent, Some("channel" | "rdf")),
            "entry" => parent == Some("feed"),
            _ => false,
        };
        if name == "channel" && parent == Some("rss") && self.entry.is_none() {
            self.head.push_str(&tag);
            self.tail = format!("</{whole}>{}", self.tail);
        }
        if begins && self.entry.is_none() {
            let about = attribute(start, "about");
            let piece = Piece {
                line,
                document: String::new(),
                names: about.into_iter().collect(),
                announced: None,
                markup: None,
                too_large: false,
            };
            self.entry = Some((piece, depth));
        }
        if let Some((piece, entry)) = &mut self.entry {
            // Markup that nobody escaped is text all the same, except where Atom says that it is XHTML.
            match piece.markup {
                Some(_) => piece.push(&quick_xml::escape::escape(&tag)),
                None => piece.push(&tag),
            }
            let xhtml = attribute(start, "type").is_some_and(|kind| kind.contains("xhtml") || kind.contains("xml"));
            let text = matches!(&*name, "title" | "description" | "encoded" | "summary" | "content");
            if depth == *entry + 1 && text && !xhtml {
                piece.markup = Some(depth);
            }
            if name == "link" {
                let rel = attribute(start, "rel");
                let own = rel
                    .as_deref()
                    .is_none_or(|rel| matches!(rel, "alternate" | "related" | "self"));
                piece.names.extend(attribute(start, "href").filter(|_| own));
            }
        }
        self.text.clear();
        self.open.push(name);
        Ok(())
    }

    fn said(&mut self, plain: &str, raw: &str) {
        if self.text.len() < 4096 {
            self.text.push_str(plain);
        }
        if let Some((piece, _)) = &mut self.entry {
            piece.push(raw);
        }
    }

    fn end(&mut self, whole: &str) {
        let Some(name) = self.open.pop() else { return };
        let said = std::mem::take(&mut self.text);
        let said = said.trim();
        let parent = self.open.last().map(String::as_str);
        match &mut self.entry {
            Some((piece, depth)) => {
                if piece.markup == Some(self.open.len()) {
                    piece.markup = None;
                }
                let tag = format!("</{whole}>");
                match piece.markup {
                    Some(_) => piece.push(&quick_xml::escape::escape(&tag)),
                    None => piece.push(&tag),
                }
                if self.open.len() == *depth + 1 && !said.is_empty() {
                    if NAMES.contains(&&*name) {
                        piece.names.push(said.to_owned());
                    } else if name == "announce_type" {
                        piece.announced = Some(said.to_owned());
                    }
                }
                if self.open.len() == *depth
                    && let Some((mut piece, _)) = self.entry.take()
                {
                    piece.document = format!("{}{}{}", self.head, piece.document, self.tail);
                    self.pieces.push(piece);
                }
            }
            None => match (parent, &*name) {
                (Some("channel"), "ttl") => {
                    let minutes = said
                        .parse::<i64>()
                        .ok()
                        .filter(|minutes| (1..100_000).contains(minutes));
                    self.pace.interval = minutes.map(TimeDelta::minutes).or(self.pace.interval);
                }
                (Some("skiphours"), "hour") => {
                    // Some count from 1 to 24.
                    self.pace
                        .skip_hours
                        .extend(said.parse::<u32>().ok().map(|hour| hour % 24));
                }
                (Some("skipdays"), "day") => self.pace.skip_day(said),
                (Some("channel" | "rdf" | "feed"), "updateperiod") => {
                    self.period = match said {
                        "hourly" => Some(TimeDelta::hours(1)),
                        "daily" | "weekly" | "monthly" | "yearly" => Some(TimeDelta::days(1)),
                        _ => None,
                    };
                }
                (Some("channel" | "rdf" | "feed"), "updatefrequency") => self.frequency = said.parse().ok(),
                _ => {}
            },
        }
    }
}

impl Piece {
    fn push(&mut self, raw: &str) {
        match self.document.len() + raw.len() <= MAX_ENTRY {
            true => self.document.push_str(raw),
            false => self.too_large = true,
        }
    }
}

fn attribute(start: &BytesStart<'_>, name: &str) -> Option<String> {
    let found = start
        .attributes()
        .with_checks(false)
        .flatten()
        .take(64)
        .find(|attribute| attribute.key.local_name().as_ref() == name)?;
    Some(found.value.replace("&amp;", "&"))
}

/// `#8212`, `#x2014`: a character that XML allows.
fn is_character(name: &str) -> bool {
    let Some(number) = name.strip_prefix('#') else {
        return false;
    };
    let code = match number.strip_prefix(['x', 'X']) {
        Some(hex) => u32::from_str_radix(hex, 16).ok(),
        None => number.parse().ok(),
    };
    code.and_then(char::from_u32)
        .is_some_and(|c| !c.is_control() || c.is_whitespace())
}

fn not_a_feed(document: &str) -> String {
    html_page(document).unwrap_or_else(|| {
        let begins: String = document.trim_start().chars().take(40).collect();
        format!("this is no RSS, Atom or JSON feed (it begins “{begins}”); give the address of the feed itself")
    })
}

/// What to say of a web page in the place of a feed, with the feed that it names.
fn html_page(document: &str) -> Option<String> {
    let head = markup::cut(document, 64 << 10);
    let lower = markup::cut(head, 512).to_ascii_lowercase();
    if !lower.contains("<html") && !lower.contains("<!doctype html") {
        return None;
    }
    let named = Tokenizer::new(head).find_map(|token| match token {
        Ok(Token::StartTag(tag)) if &tag.name[..] == b"link" => {
            let said = |name: &[u8]| {
                tag.attributes
                    .get(name)
                    .map(|value| String::from_utf8_lossy(value).into_owned())
            };
            let kind = said(b"type")?;
            (kind.contains("rss+xml") || kind.contains("atom+xml") || kind.contains("feed+json"))
                .then(|| said(b"href"))
                .flatten()
        }
        Ok(_) => None,
    });
    Some(match named {
        Some(feed) => {
            let feed: String = feed.chars().take(300).collect();
            format!("this is a web page, not a feed; the feed that it names is {feed}")
        }
        None => "this is a web page, not a feed; give the address of the feed itself".to_owned(),
    })
}

// ---- JSON ----

/// A JSON feed (version 1 or 1.1, jsonfeed.org) cut into its items.
fn scan_json(bytes: &[u8]) -> Result<Scanned, SourceError> {
    let mut feed: serde_json::Value =
        serde_json::from_slice(bytes).map_err(|error| damaged(error.line(), format!("this is no JSON: {error}")))?;
    let version = feed
        .get("version")
        .and_then(|version| version.as_str())
        .unwrap_or_default();
    if !version.starts_with("https://jsonfeed.org/version/1") {
        return Err(damaged(
            1,
            "this JSON is no JSON feed (its “version” is not https://jsonfeed.org/version/1.1); give a feed's address",
        ));
    }
    let version = version.to_owned();
    let items = match feed.get_mut("items").map(serde_json::Value::take) {
        Some(serde_json::Value::Array(items)) => items,
        Some(_) | None => return Err(damaged(1, "this JSON feed has no “items”")),
    };
    let more = items.len() > MAX_ENTRIES;
    let piece = |item: serde_json::Value| {
        let said = |key: &str| item.get(key).and_then(|said| said.as_str()).map(str::to_owned);
        let names = ["id", "url", "external_url", "doi"]
            .iter()
            .filter_map(|key| said(key))
            .collect();
        let document = serde_json::json!({"version": version, "title": "", "items": [item]}).to_string();
        Piece {
            line: 1,
            too_large: document.len() > MAX_ENTRY,
            document,
            names,
            announced: None,
            markup: None,
        }
    };
    Ok(Scanned {
        pieces: items.into_iter().take(MAX_ENTRIES).map(piece).collect(),
        pace: Pace::default(),
        rest: more.then(|| RejectedItem {
            line: 1,
            item: "the rest of the feed".to_owned(),
            reason: format!("only the first {MAX_ENTRIES} entries of a feed are read"),
        }),
    })
}

// ---- entries ----

fn item(piece: &Piece, address: &str) -> Result<Item, String> {
    if piece.too_large {
        return Err(format!("it is larger than {} KiB", MAX_ENTRY >> 10));
    }
    let parser = feed_rs::parser::Builder::new()
        .base_uri(Some(address))
        .id_generator(|_, _, _| String::new())
        .build();
    let feed = parser
        .parse(piece.document.as_bytes())
        .map_err(|error| error.to_string())?;
    let entry = feed.entries.into_iter().next().ok_or("it has no content")?;
    let said = |text: &Option<model::Text>| text.as_ref().map(|text| text.content.clone());
    let title = capped(
        &markup::readable_line(&said(&entry.title).unwrap_or_default()),
        MAX_TITLE,
    );
    if !title.chars().any(char::is_alphanumeric) {
        return Err("it has no title".to_owned());
    }
    let summary = said(&entry.summary)
        .map(|summary| markup::readable(&summary))
        .unwrap_or_default();
    let content = entry.content.as_ref().and_then(|content| content.body.as_deref());
    // Below so many letters it is a teaser, and the content says more.
    let abstract_text = match content {
        Some(content) if summary.chars().count() < 200 => {
            let whole = markup::readable(content);
            if whole.len() > summary.len() { whole } else { summary }
        }
        Some(_) | None => summary,
    };
    let abstract_text = capped(without_announcement(&abstract_text), MAX_ABSTRACT);
    let links = entry.links.iter().filter(|link| {
        let rel = link.rel.as_deref();
        rel.is_none_or(|rel| matches!(rel, "alternate" | "related"))
    });
    let names = piece.names.iter().map(String::as_str);
    let names = names
        .chain(links.map(|link| link.href.as_str()))
        .chain([entry.id.as_str()]);
    let identity = Identity::of(names);
    let (id, version) = identity
        .best()
        .or_else(|| (abstract_text.len() >= 120).then(|| (PaperId::provisional(&title, &abstract_text), None)))
        .ok_or("it has neither an address nor a DOI or arXiv id")?;

    let sane = |at: &DateTime<Utc>| (1990..2200).contains(&at.year());
    let as_of = entry.updated.or(entry.published).filter(sane);
    let mut paper = Paper::new(id);
    paper.version = version.unwrap_or(1);
    // Of arXiv's papers arXiv says it; a feed's date is when it listed them.
    paper.submitted = entry
        .published
        .filter(sane)
        .filter(|_| !matches!(paper.id, PaperId::Arxiv(_)));
    paper.title = field(title, as_of);
    paper.abstract_text = field(abstract_text, as_of);
    paper.doi = identity.doi().and_then(|doi| field(doi.to_owned(), as_of));
    let authors = entry.authors.iter().filter_map(|person| person.name.as_deref());
    paper.authors = list(names_in(authors), as_of);
    let categories = entry.categories.iter().map(|category| category.term.trim().to_owned());
    paper.categories = list(
        categories.filter(|category| is_arxiv_category(category)).collect(),
        as_of,
    );
    let announcement = match piece.announced.as_deref() {
        Some("replace" | "replace-cross") => Announcement::Replacement,
        Some("cross") => Announcement::CrossList,
        // A second version is no new paper, whoever lists it.
        Some(_) | None if paper.version > 1 => Announcement::Replacement,
        Some(_) | None => Announcement::New,
    };
    Ok(Item { paper, announcement })
}

fn field(value: String, as_of: Option<DateTime<Utc>>) -> Option<Field<String>> {
    (!value.is_empty()).then(|| Field::as_of(value, SourceKind::Feed, as_of))
}

fn list(values: Vec<String>, as_of: Option<DateTime<Utc>>) -> Option<Field<Vec<String>>> {
    (!values.is_empty()).then(|| Field::as_of(values, SourceKind::Feed, as_of))
}

/// At most so many characters, ending at a word.
pub(super) fn capped(text: &str, characters: usize) -> String {
    match text.char_indices().nth(characters) {
        None => text.to_owned(),
        Some((end, _)) => {
            let cut = text.get(..end).unwrap_or_default();
            let word = cut.rfind(char::is_whitespace).filter(|at| *at > cut.len() / 2);
            format!(
                "{}…",
                cut.get(..word.unwrap_or(cut.len())).unwrap_or_default().trim_end()
            )
        }
    }
}

/// arXiv's feeds begin a description “arXiv:2510.00001v1 Announce Type: new Abstract: …”.
fn without_announcement(text: &str) -> &str {
    let head = markup::cut(text, 120);
    match head.find("Abstract: ") {
        Some(at) if head.starts_with("arXiv:") => text.get(at + "Abstract: ".len()..).unwrap_or(text),
        Some(_) | None => text,
    }
}

/// Names of authors, where one element may have all of them: “A. Lund, B. Chen and C. Ito”, “Lund, Ada; Chen, Bo”.
pub(super) fn names_in<'a>(said: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for said in said {
        let said = markup::readable_line(said);
        let parts: Vec<String> = if said.contains(';') {
            said.split(';').map(str::to_owned).collect()
        } else {
            let all = said.replace(" and ", ", ").replace(" & ", ", ");
            let parts: Vec<String> = all.split(',').map(str::to_owned).collect();
            // “Lund, Ada” is one person.
            let one =
                parts.len() == 2 && parts.iter().any(|part| !part.trim().contains(' ')) && !said.contains(" and ");
            if one { vec![said] } else { parts }
        };
        for part in parts {
            let name = capped(part.trim().trim_end_matches(','), MAX_NAME);
            if name.chars().any(char::is_alphabetic) && names.len() < MAX_AUTHORS {
                names.push(name);
            }
        }
    }
    names
}

/// Whether it is one of arXiv's categories (arxiv.org/category_taxonomy).
pub(super) fn is_arxiv_category(category: &str) -> bool {
    #[rustfmt::skip]
    const ARCHIVES: [&str; 20] = [
        "astro-ph", "cond-mat", "cs", "econ", "eess", "gr-qc", "hep-ex", "hep-lat", "hep-ph", "hep-th", "math", "math-ph",
        "nlin", "nucl-ex", "nucl-th", "physics", "q-bio", "q-fin", "quant-ph", "stat",
    ];
    let (archive, class) = category.split_once('.').unwrap_or((category, ""));
    let whole = archive.contains("-") && !archive.starts_with("q-");
    let classed = (2..=10).contains(&class.len()) && class.bytes().all(|b| b.is_ascii_alphabetic() || b == b'-');
    ARCHIVES.contains(&archive) && (whole && class.is_empty() || classed)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn read_text(xml: &str) -> Parsed {
        parse(xml.as_bytes(), None, "https://news.example/feed").unwrap()
    }

    fn refused(bytes: &[u8]) -> String {
        parse(bytes, None, "https://news.example/feed").unwrap_err().to_string()
    }

    fn rss(items: &str) -> String {
        format!(
            "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<rss version=\"2.0\" xmlns:dc=\"http://purl.org/dc/elements/1.1/\" \
             xmlns:prism=\"http://prismstandard.org/namespaces/basic/2.0/\" xmlns:content=\"http://purl.org/rss/1.0/modules/content/\" \
             xmlns:arxiv=\"http://arxiv.org/schemas/atom\">\n<channel><title>News</title><ttl>120</ttl>{items}</channel></rss>"
        )
    }

    #[test]
    fn a_publishers_rss_becomes_papers_with_their_dois() {
        let parsed = read_text(&rss(
            "<item><title>Growing <i>small</i> caches &amp;amp; H&lt;sub&gt;2&lt;/sub&gt;O</title><link>https://pub.example/articles/1?utm_source=rss</link>\
             <dc:identifier>doi:10.1038/S41586-025-1</dc:identifier><dc:creator>Ada Lund</dc:creator><dc:creator>Bo Chen</dc:creator>\
             <category>Physics</category><category>cs.LG</category><pubDate>Wed, 08 Oct 2025 09:00:00 GMT</pubDate>\
             <description><![CDATA[<p>We win by $10^{-3}$.</p><script>x()</script><p>Twice.</p>]]></description></item>\n\
             <item><title></title><link>https://pub.example/articles/2</link></item>\n\
             <item><title>Third</title><guid isPermaLink=\"false\">17</guid><prism:doi>10.1145/3.4</prism:doi></item>\
             <item><title>Fourth&nbsp;one, R&D</title><link>https://pub.example/doi/full/10.1002/abc.4</link></item>",
        ));
        let ids: Vec<String> = parsed.items.iter().map(|item| item.paper.id.to_string()).collect();
        assert_eq!(
            ids,
            ["doi:10.1038/s41586-025-1", "doi:10.1145/3.4", "doi:10.1002/abc.4"]
        );
        let paper = &parsed.items[0].paper;
        assert_eq!(paper.title(), "Growing small caches & H₂O");
        assert_eq!(paper.abstract_text(), "We win by 10⁻³.\nTwice.");
        assert_eq!(paper.authors(), ["Ada Lund", "Bo Chen"]);
        assert_eq!(paper.categories(), ["cs.LG"]);
        assert_eq!(paper.submitted, Some(at("2025-10-08T09:00:00Z")));
        assert_eq!(parsed.items[2].paper.title(), "Fourth one, R&D");
        assert_eq!(parsed.rejected.len(), 1);
        assert_eq!(
            (parsed.rejected[0].item.as_str(), parsed.rejected[0].line),
            ("entry 2", 4)
        );
    }

    #[test]
    fn arxivs_own_feed_tells_new_cross_and_replaced_papers() {
        let entry = |id: &str, how: &str| {
            format!(
                "<item><title>Paper {id}</title><link>https://arxiv.org/abs/{id}</link><guid isPermaLink=\"false\">oai:arXiv.org:{id}v1</guid>\
                 <description>arXiv:{id}v1 Announce Type: {how} \nAbstract: We win.</description><arxiv:announce_type>{how}</arxiv:announce_type>\
                 <dc:creator>Ada Lund, Bo Chen, Cy Vance</dc:creator></item>"
            )
        };
        let parsed = read_text(&rss(&[
            entry("2510.00001", "new"),
            entry("2510.00002", "cross"),
            entry("2510.00003", "replace"),
        ]
        .concat()));
        let how: Vec<Announcement> = parsed.items.iter().map(|item| item.announcement).collect();
        assert_eq!(
            how,
            [Announcement::New, Announcement::CrossList, Announcement::Replacement]
        );
        let paper = &parsed.items[0].paper;
        assert_eq!(
            (paper.id.to_string().as_str(), paper.abstract_text()),
            ("arxiv:2510.00001", "We win.")
        );
        assert_eq!(paper.authors(), ["Ada Lund", "Bo Chen", "Cy Vance"]);
    }

    #[test]
    fn atom_rdf_and_json_feeds_are_read_alike() {
        let atom = "<feed xmlns=\"http://www.w3.org/2005/Atom\" xml:base=\"https://a.example/\"><title>A</title><entry><id>tag:x</id>\
            <title type=\"html\">One &amp;lt; two</title><link rel=\"alternate\" href=\"/p/1\"/><link rel=\"related\" href=\"http://arxiv.org/abs/2510.00007v2\"/>\
            <summary type=\"xhtml\"><div xmlns=\"http://www.w3.org/1999/xhtml\"><p>We win.</p></div></summary><author><name>Ada</name></author>\
            <updated>2025-10-08T09:00:00Z</updated></entry></feed>";
        let rdf = "<rdf:RDF xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\" xmlns=\"http://purl.org/rss/1.0/\"><channel rdf:about=\"x\"><title>R</title></channel>\
            <item rdf:about=\"https://www.biorxiv.org/content/10.1101/2025.10.01.680001v1\"><title>Bio</title><link>https://www.biorxiv.org/content/10.1101/2025.10.01.680001v1?rss=1</link></item></rdf:RDF>";
        let json = r#"{"version":"https://jsonfeed.org/version/1.1","title":"J","items":[{"id":"1","url":"https://j.example/1","title":"One","content_html":"<p>We win.</p>","authors":[{"name":"Ada"}],"date_published":"2025-10-08T09:00:00Z"},{"id":{"no":1},"title":"Bad"},{"id":"3","url":"https://j.example/3","title":"Three"}]}"#;
        let (atom, rdf, json) = (read_text(atom), read_text(rdf), read_text(json));
        assert_eq!(atom.items[0].paper.id.to_string(), "arxiv:2510.00007");
        assert_eq!(
            (atom.items[0].paper.title(), atom.items[0].paper.abstract_text()),
            ("One < two", "We win.")
        );
        // A second version is no new paper.
        assert_eq!(atom.items[0].announcement, Announcement::Replacement);
        assert_eq!(rdf.items[0].paper.id.to_string(), "doi:10.1101/2025.10.01.680001");
        assert_eq!((json.items.len(), json.rejected.len()), (2, 1));
        assert_eq!(json.items[0].paper.abstract_text(), "We win.");
        assert_eq!(json.items[1].paper.id.to_string(), "url:https://j.example/3");
    }

    #[test]
    fn any_encoding_is_read() {
        let item = |title: &[u8]| {
            [
                &b"<rss version=\"2.0\"><channel><item><title>"[..],
                title,
                b"</title><link>https://a.b/c</link></item></channel></rss>",
            ]
            .concat()
        };
        let title = |bytes: &[u8], of: Option<&str>| {
            let parsed = parse(bytes, of, "https://a.b").unwrap();
            parsed.items[0].paper.title().to_owned()
        };
        let gbk: &[u8] = b"\xc1\xbf\xbb\xaf";
        let declared = [&b"\n<?xml version=\"1.0\" encoding=\"gbk\"?>"[..], &item(gbk)].concat();
        assert_eq!(title(&declared, None), "量化");
        assert_eq!(title(&item(gbk), Some("text/xml; charset=\"GBK\"")), "量化");
        assert_eq!(title(&item(b"caf\xe9 \x96 bar"), None), "café – bar");
        let utf16: Vec<u8> = String::from_utf8(item("量化".as_bytes()))
            .unwrap()
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        assert_eq!(title(&[b"\xff\xfe", &*utf16].concat(), None), "量化");
        assert_eq!(title(&[b"\xef\xbb\xbf", &*item("é".as_bytes())].concat(), None), "é");
    }

    #[test]
    fn what_is_broken_loses_only_what_comes_behind_it() {
        let entry = |n: usize| format!("<item><title>Paper {n}</title><link>https://a.b/{n}</link></item>\n");
        let torn = rss(&[entry(1), entry(2), "<item><title>Torn</item>".to_owned(), entry(4)].concat());
        let parsed = read_text(&torn);
        assert_eq!((parsed.items.len(), parsed.rejected.len()), (2, 1));
        assert!(
            parsed.rejected[0].reason.contains("not well-formed"),
            "{}",
            parsed.rejected[0]
        );
        let cut = &torn[..torn.find("Torn").unwrap()];
        assert!(read_text(cut).rejected[0].reason.contains("breaks off"));
        let page = "<!DOCTYPE html><html><head><link rel=\"alternate\" type=\"application/rss+xml\" href=\"/feed.xml\"></head><body><p>Hi</body></html>";
        assert!(refused(page.as_bytes()).contains("/feed.xml"));
        assert!(
            refused(b"hello").contains("begins") || refused(b"hello").contains("no RSS"),
            "{}",
            refused(b"hello")
        );
        assert_eq!(parse(b" \n", None, ""), Err(SourceError::Empty));
        assert!(refused(br#"{"version":"2","items":[]}"#).contains("no JSON feed"));
    }

    #[test]
    fn hostile_feeds_end_in_a_clear_error_and_cost_nothing() {
        assert!(
            refused(format!("<rss version=\"2.0\"><channel>{}", "<a>".repeat(10_000)).as_bytes())
                .contains("nested deeper")
        );
        let deep_json = format!(
            "{{\"version\":\"https://jsonfeed.org/version/1\",\"items\":{}",
            "[".repeat(10_000)
        );
        assert!(refused(deep_json.as_bytes()).contains("recursion limit"));
        // Custom entities are not expanded.
        let laughs = "<?xml version=\"1.0\"?><!DOCTYPE rss [<!ENTITY a \"ha\"><!ENTITY b \"&a;&a;&a;&a;\"><!ENTITY x SYSTEM \"file:///etc/passwd\">]>\
            <rss version=\"2.0\"><channel><item><title>T &b;&x;</title><link>https://a.b/c</link></item></channel></rss>";
        assert_eq!(read_text(laughs).items[0].paper.title(), "T &b;&x;");
        let many = rss(&"<item><title>T</title><link>https://a.b/c</link></item>".repeat(100_000));
        let parsed = read_text(&many);
        assert_eq!((parsed.items.len(), parsed.rejected.len()), (MAX_ENTRIES, 1));
        let bomb = rss(&format!(
            "<item><title>T</title><link>https://a.b/c</link><description>{}</description></item>",
            "&lt;div&gt;".repeat(30_000)
        ));
        assert_eq!(read_text(&bomb).items.len(), 1);
        let large = rss(&format!(
            "<item><title>T</title><description>{}</description></item><item><title>U</title><link>https://a.b/d</link></item>",
            "x".repeat(MAX_ENTRY)
        ));
        let parsed = read_text(&large);
        assert_eq!(
            (parsed.items.len(), parsed.rejected[0].reason.contains("larger")),
            (1, true)
        );
    }

    // ---- asking ----

    fn body(xml: &str) -> Fetched {
        Fetched::Body(Body {
            bytes: xml.as_bytes().to_vec(),
            etag: Some("\"1\"".to_owned()),
            last_modified: Some("Wed, 08 Oct 2025 09:00:00 GMT".to_owned()),
            ..Body::default()
        })
    }

    fn fetched(next: Next) -> super::super::request::Request {
        match next {
            Next::Fetch(request) => request,
            Next::Wait(_) | Next::Ended(_) => panic!("{next:?}"),
        }
    }

    #[test]
    fn a_feed_is_asked_conditionally_at_its_pace_and_remembers_over_restarts() {
        let now = at("2025-10-09T10:00:00Z");
        let mut feed = Feed::new("https://news.example/feed", None);
        assert_eq!(fetched(feed.next(&[], now)).etag, None);
        let taken = feed.take(
            body(&rss("<item><title>T</title><link>https://a.b/c</link></item>")),
            now,
        );
        assert!(matches!(taken, Taken::Whole { ref parsed, .. } if parsed.items.len() == 1));
        // Its ttl is two hours.
        assert_eq!(feed.next(&[], now), Next::Wait(at("2025-10-09T12:00:00Z")));
        let mut feed = Feed::new("https://news.example/feed", feed.memory().as_deref());
        let request = fetched(feed.next(&[], at("2025-10-09T12:00:00Z")));
        assert_eq!(request.etag.as_deref(), Some("\"1\""));
        assert_eq!(request.last_modified.as_deref(), Some("Wed, 08 Oct 2025 09:00:00 GMT"));
        assert_eq!(
            feed.take(Fetched::Unchanged, at("2025-10-09T12:00:00Z")),
            Taken::Nothing
        );
        assert_eq!(
            feed.next(&[], at("2025-10-09T12:00:00Z")),
            Next::Wait(at("2025-10-09T13:00:00Z"))
        );
    }

    #[test]
    fn a_moved_feed_is_asked_where_it_is_and_one_that_is_gone_never_again() {
        let now = at("2025-10-09T10:00:00Z");
        let mut feed = Feed::new("https://news.example/feed", None);
        let Fetched::Body(mut moved) = body(&rss("")) else {
            panic!()
        };
        moved.moved_to = Some("https://new.example/feed".to_owned());
        assert_eq!(feed.take(Fetched::Body(moved), now), Taken::Nothing);
        let mut feed = Feed::new("https://news.example/feed", feed.memory().as_deref());
        assert_eq!(
            fetched(feed.next(&[], now + TimeDelta::days(1))).url,
            "https://new.example/feed"
        );
        assert!(matches!(feed.take(Fetched::Gone, now), Taken::Failed(why) if why.contains("new.example")));
        let mut feed = Feed::new("https://news.example/feed", feed.memory().as_deref());
        assert!(matches!(feed.next(&[], now + TimeDelta::days(9)), Next::Ended(_)));
        assert_eq!(feed.name(), "feed:news.example/feed");
    }

    #[test]
    fn nobody_reads_the_secrets_of_an_address_and_two_feeds_stay_two() {
        let now = at("2025-10-09T10:00:00Z");
        let url = |user: &str, key: &str| format!("https://{user}:hunter2@news.example:8443/feed.xml?key={key}#end");
        let mut feed = Feed::new(&url("ada", "s3cret"), None);
        let name = feed.name().to_owned();
        assert!(name.starts_with("feed:news.example:8443/feed.xml#"), "{name}");
        assert_ne!(Feed::new(&url("ada", "other"), None).name(), name);
        assert_ne!(Feed::new(&url("bo", "s3cret"), None).name(), name);
        assert_eq!(Feed::new(&url("ada", "s3cret"), feed.memory().as_deref()).name(), name);
        let lines = crate::source::jsonl::Jsonl::new("https://lab.example/papers.jsonl?token=s3cret", None);
        assert_eq!(fetched(feed.next(&[], now)).url, url("ada", "s3cret"));

        let failed = |fetched| Fetched::Failed {
            reason: fetched,
            transient: true,
        };
        let answers = [
            body("<html>down</html>"),
            failed("it is down".to_owned()),
            Fetched::Later { retry_after: None },
            body(&rss("<item><title>Found</title><link>/papers/1</link></item>")),
            Fetched::Gone,
        ];
        let mut said = vec![name, lines.name().to_owned(), format!("{feed:?} {lines:?}")];
        for answer in answers {
            match feed.take(answer, now) {
                Taken::Failed(why) => said.push(why),
                Taken::Whole { parsed, name, .. } => {
                    assert_eq!(
                        parsed.items[0].paper.id.to_string(),
                        "url:https://news.example:8443/papers/1"
                    );
                    said.push(name);
                }
                Taken::More | Taken::Nothing | Taken::Empty { .. } => panic!(),
            }
        }
        said.push(format!("{:?}", feed.next(&[], now)));
        assert_eq!(said.len(), 9);
        for text in said {
            let secret = ["ada", "hunter2", "s3cret", "key=", "token="]
                .into_iter()
                .find(|secret| text.contains(secret));
            assert_eq!(secret, None, "{text}");
        }
    }

    #[test]
    fn failures_are_spaced_out_and_what_was_not_read_is_fetched_whole_again() {
        let mut now = at("2025-10-09T10:00:00Z");
        let mut feed = Feed::new("https://news.example/feed", None);
        let mut waited = Vec::new();
        for _ in 0..9 {
            assert!(matches!(feed.take(body("<html>down</html>"), now), Taken::Failed(_)));
            let Next::Wait(due) = feed.next(&[], now) else { panic!() };
            waited.push((due - now).num_minutes());
            now = due;
        }
        assert_eq!(waited, [15, 30, 60, 120, 240, 480, 960, 1440, 1440]);
        assert_eq!(fetched(feed.next(&[], now)).etag, None);
        let later = |seconds| Fetched::Later {
            retry_after: Some(Duration::from_secs(seconds)),
        };
        feed.take(later(7200), now);
        assert_eq!(feed.next(&[], now), Next::Wait(now + TimeDelta::hours(2)));
        feed.take(later(u64::MAX), now);
        assert!(matches!(feed.next(&[], now), Next::Wait(due) if due <= now + TimeDelta::days(1)));
    }

    #[test]
    fn hours_that_a_feed_wants_skipped_are_skipped() {
        let now = at("2025-10-09T21:30:00Z");
        let mut feed = Feed::new("https://news.example/feed", None);
        let skip = "<skipHours><hour>23</hour><hour>24</hour><hour>1</hour></skipHours><skipDays><day>Saturday</day></skipDays>";
        feed.take(body(&rss(skip)), now);
        assert_eq!(feed.next(&[], now), Next::Wait(at("2025-10-10T02:30:00Z")));
    }

    proptest! {
        #[test]
        fn any_bytes_are_papers_or_an_error(
            pieces in prop::collection::vec(prop_oneof![
                Just("<rss version=\"2.0\"><channel>".to_owned()), Just("<item>".to_owned()), Just("</item>".to_owned()), Just("<title>".to_owned()),
                Just("</title>".to_owned()), Just("<link>https://a.b/c</link>".to_owned()), Just("</channel></rss>".to_owned()), Just("&#0;&x;&".to_owned()),
                Just("<![CDATA[".to_owned()), Just("]]>".to_owned()), r"\PC{0,12}",
            ], 0..24),
        ) {
            let xml = pieces.concat();
            if let Ok(parsed) = parse(xml.as_bytes(), None, "https://a.b") {
                prop_assert!(parsed.items.iter().all(|item| !item.paper.title().is_empty() && !item.paper.title().contains('\n')));
            }
        }
    }
}
