//! What arXiv's interfaces have in common: XML that may be anything, how fast one may ask, which days are to be fetched next,
//! and the machine that fetches them ([`Interface`]).

use std::collections::{BTreeMap, HashSet};
use std::ops::ControlFlow;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use serde::{Deserialize, Serialize};

use super::arxiv_mail::{abstract_text, plain_text, readable};
use super::calendar::{self, Stretch};
use super::ledger::{self, FILL_DAYS};
use super::oai;
use super::request::{Body, Fetched, Next, Request, Source, Taken};
use super::scope::Scope;
use super::{Item, Parsed, RejectedItem, SourceError, SourceKind, Window};
use crate::paper::{Field, PaperId};
use crate::text::content_hash;

// ---- XML ----

/// No element of arXiv's answers stands deeper.
const MAX_DEPTH: usize = 32;

/// An element with its own text, and where it stands: `entry/author/name`. Prefixes of namespaces are left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Leaf {
    /// The local names from the outermost element to this one.
    pub(super) path: String,
    /// The text in it, not that of its children.
    pub(super) text: String,
    attributes: Vec<(String, String)>,
}

/// The elements of a piece of XML.
#[derive(Debug, Default)]
pub(super) struct Leaves(Vec<Leaf>);

impl Leaves {
    /// Reads them without recursion, and without any entity but XML's own five, so that neither depth nor definitions can
    /// cost more than the text is long.
    pub(super) fn read(xml: &str) -> Result<Self, String> {
        let mut reader = Reader::from_str(xml);
        let mut open: Vec<Leaf> = Vec::new();
        let mut done = Vec::new();
        loop {
            let event = reader
                .read_event()
                .map_err(|error| format!("this is no XML: {error}"))?;
            match event {
                Event::Start(start) => {
                    let leaf = leaf(&start, open.last())?;
                    if open.len() >= MAX_DEPTH {
                        return Err(format!("its elements are nested deeper than {MAX_DEPTH}"));
                    }
                    open.push(leaf);
                }
                Event::Empty(start) => done.push(leaf(&start, open.last())?),
                Event::End(_) => done.extend(open.pop()),
                Event::Text(text) => text_to(&mut open, &text.xml10_content()),
                Event::CData(text) => text_to(&mut open, &text.xml10_content()),
                Event::GeneralRef(name) => match name.resolve_char_ref() {
                    Ok(Some(c)) => text_to(&mut open, c.encode_utf8(&mut [0; 4])),
                    Ok(None) => match quick_xml::escape::resolve_xml_entity(&name.xml10_content()) {
                        Some(text) => text_to(&mut open, text),
                        // An entity of HTML or one that a DTD defines: as it is written.
                        None => text_to(&mut open, &format!("&{};", name.xml10_content())),
                    },
                    Err(_) => text_to(&mut open, "\u{fffd}"),
                },
                Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => {}
                Event::Eof => break,
            }
        }
        match open.last() {
            None => Ok(Self(done)),
            Some(leaf) => Err(format!("it ends in the middle of “{}”", leaf.path)),
        }
    }

    /// The texts at a path, in order, readable and on one line each; empty ones are left out.
    pub(super) fn texts<'a>(&'a self, path: &'a str) -> impl Iterator<Item = String> + 'a {
        self.raw(path).map(tidy).filter(|text| !text.is_empty())
    }

    /// The first of [`Leaves::texts`].
    pub(super) fn text(&self, path: &str) -> Option<String> {
        self.texts(path).next()
    }

    /// The texts at a path as they are, outer white space aside.
    pub(super) fn raw<'a>(&'a self, path: &'a str) -> impl Iterator<Item = &'a str> + 'a {
        self.0
            .iter()
            .filter(move |leaf| leaf.path == path)
            .map(|leaf| leaf.text.trim())
    }

    /// The values of an attribute at a path, in order.
    pub(super) fn attributes<'a>(&'a self, path: &'a str, name: &'a str) -> impl Iterator<Item = &'a str> + 'a {
        self.0
            .iter()
            .filter(move |leaf| leaf.path == path)
            .flat_map(move |leaf| {
                let named = leaf.attributes.iter().filter(move |(known, _)| known == name);
                named.map(|(_, value)| value.trim())
            })
    }

    /// The outermost element's name.
    pub(super) fn root(&self) -> &str {
        self.0.last().map_or("", |leaf| leaf.path.as_str())
    }
}

fn leaf(start: &BytesStart<'_>, parent: Option<&Leaf>) -> Result<Leaf, String> {
    let name = start.local_name();
    let name: &str = name.as_ref();
    let mut attributes = Vec::new();
    for attribute in start.attributes() {
        let attribute = attribute.map_err(|error| format!("an attribute of “{name}” is damaged: {error}"))?;
        let key = attribute.key.local_name();
        let value = attribute
            .normalized_value(quick_xml::XmlVersion::Explicit1_0)
            .map_or_else(|_| attribute.value.to_string(), |value| value.into_owned());
        let key: &str = key.as_ref();
        attributes.push((key.to_owned(), value));
    }
    Ok(Leaf {
        path: parent.map_or_else(|| name.to_owned(), |parent| format!("{}/{name}", parent.path)),
        text: String::new(),
        attributes,
    })
}

fn text_to(open: &mut [Leaf], text: &str) {
    if let Some(leaf) = open.last_mut() {
        leaf.text.push_str(text);
    }
}

/// A document whose items are read each for itself, so that a damaged one loses nothing else.
pub(super) struct Document<'a> {
    /// The items, with the line at which each begins, from 1.
    pub(super) pieces: Vec<(usize, &'a str)>,
    /// All but the items.
    pub(super) frame: Leaves,
}

/// Takes a document apart. `item` is the name of its items, which have no prefix and do not contain each other.
pub(super) fn document<'a>(xml: &'a str, item: &str) -> Result<Document<'a>, String> {
    let (open, close) = (format!("<{item}"), format!("</{item}>"));
    let mut pieces = Vec::new();
    let mut frame = String::new();
    let (mut rest, mut line) = (xml, 1);
    while let Some(start) = opening(rest, &open) {
        let (before, from) = rest.split_at(start);
        frame.push_str(before);
        line += newlines(before);
        let inside = from.get(open.len()..).unwrap_or_default();
        let next = opening(inside, &open).map_or(from.len(), |next| next + open.len());
        let end = match from.find(&close) {
            Some(end) if end < next => end + close.len(),
            // It has no end: up to the next one, or, where there is none, cut off.
            Some(_) | None if next < from.len() => next,
            Some(_) | None => return Err(format!("it ends in the middle of an “{item}”")),
        };
        let (piece, after) = from.split_at(end);
        pieces.push((line, piece));
        line += newlines(piece);
        rest = after;
    }
    frame.push_str(rest);
    let frame = Leaves::read(&frame)?;
    Ok(Document { pieces, frame })
}

fn opening(text: &str, open: &str) -> Option<usize> {
    text.match_indices(open).map(|(at, _)| at).find(|at| {
        let after = text.get(at + open.len()..).unwrap_or_default();
        after.starts_with(|c: char| c == '>' || c == '/' || c.is_ascii_whitespace())
    })
}

fn newlines(text: &str) -> usize {
    text.bytes().filter(|&b| b == b'\n').count()
}

/// The text of an answer, in the encoding that it has, with every character that XML does not allow replaced.
pub(super) fn decoded(bytes: &[u8]) -> String {
    let text = match bytes {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => plain_text(bytes),
        _ => {
            let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
            match std::str::from_utf8(bytes) {
                Ok(text) => text.to_owned(),
                Err(_) => declared(bytes).unwrap_or_else(|| String::from_utf8_lossy(bytes).into_owned()),
            }
        }
    };
    let odd = |c: char| c.is_control() && !matches!(c, '\t' | '\n' | '\r') || matches!(c, '\u{fffe}' | '\u{ffff}');
    if text.contains(odd) {
        text.replace(odd, " ")
    } else {
        text
    }
}

/// The text in the encoding that its first line declares (XML 1.0 §4.3.3), if it is in it.
fn declared(bytes: &[u8]) -> Option<String> {
    let head = bytes.split(|&b| b == b'>').next()?;
    let head = std::str::from_utf8(head)
        .ok()
        .filter(|head| head.starts_with("<?xml"))?;
    let declaration = format!("{head}>");
    let Ok(Event::Decl(declaration)) = Reader::from_str(&declaration).read_event() else {
        return None;
    };
    let text = quick_xml::encoding::decode(bytes, declaration.encoder()?).ok()?;
    Some(text.into_owned())
}

/// TeX and wrapped lines made readable, control characters dropped.
pub(super) fn tidy(text: &str) -> String {
    readable(&text.replace(char::is_control, " "))
}

/// The first DOI in the text that is not arXiv's own.
pub(super) fn doi(text: &str) -> Option<String> {
    text.split_whitespace().find_map(|word| match word.parse() {
        Ok(PaperId::Doi(doi)) => Some(doi),
        Ok(PaperId::Arxiv(_) | PaperId::Url(_)) | Err(_) => None,
    })
}

/// A list as a field, unless there is nothing in it.
pub(super) fn list(values: Vec<String>, kind: SourceKind, as_of: Option<DateTime<Utc>>) -> Option<Field<Vec<String>>> {
    (!values.is_empty()).then(|| Field::as_of(values, kind, as_of))
}

/// An abstract in its paragraphs, without the indentation that all of its lines have.
pub(super) fn abstract_of(text: &str) -> Option<String> {
    /// Authors' paragraphs are indented by two, and that alone.
    const PARAGRAPH: usize = 2;
    let indent = |line: &&str| line.len() - line.trim_start().len();
    let lines: Vec<&str> = text.trim().lines().map(str::trim_end).collect();
    let common = lines.iter().skip(1).filter(|line| !line.is_empty()).map(indent).min();
    let common = common.filter(|&common| common > PARAGRAPH).unwrap_or(0);
    // An indentation may be of characters of several bytes.
    let lines: Vec<&str> = lines
        .into_iter()
        .map(|line| line.get(common.min(indent(&line))..).unwrap_or(line))
        .collect();
    abstract_text(&lines)
}

/// Whether the comment says, as arXiv asks, that the paper was taken back (<https://info.arxiv.org/help/withdraw.html>). An
/// earlier version or another venue's submission may have been withdrawn without that.
pub(super) fn is_withdrawn(comments: &str) -> bool {
    let words = comments.to_lowercase();
    let words = ["this ", "the "]
        .into_iter()
        .find_map(|the| words.strip_prefix(the))
        .unwrap_or(&words);
    let (noun, rest) = words.split_once(' ').unwrap_or((words, ""));
    let noun = noun.trim_end_matches(|c: char| !c.is_alphanumeric());
    match noun {
        "withdrawn" => true,
        "paper" | "article" | "submission" | "manuscript" | "work" | "preprint" => {
            ["has been withdrawn", "is withdrawn", "was withdrawn"]
                .into_iter()
                .any(|said| rest.starts_with(said))
        }
        _ => false,
    }
}

// ---- how fast, and what next ----

/// Between two requests to arXiv, whichever interface (<https://info.arxiv.org/help/api/tou.html>: one every three seconds).
const PACE: TimeDelta = TimeDelta::seconds(3);
/// The wait after a first failure; it doubles.
const FIRST_WAIT: TimeDelta = TimeDelta::seconds(15);
/// The longest wait that is chosen here.
const LONGEST_WAIT: TimeDelta = TimeDelta::hours(1);
/// The longest wait that a server may ask for.
const LONGEST_ASKED: TimeDelta = TimeDelta::days(1);
/// So many times in a row a server may ask for patience before somebody is told.
const PATIENCE: u32 = 3;
/// After so many failures in a row it may be this one window's fault: another one is tried.
const TIRED: u32 = 6;

/// When the next request may go.
#[derive(Debug, Default)]
pub(super) struct Pace {
    ready: Option<DateTime<Utc>>,
    failures: u32,
}

impl Pace {
    /// Until when to wait, if at all.
    pub(super) fn wait(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.ready.filter(|ready| *ready > now)
    }

    /// A request goes out or an answer has come.
    pub(super) fn step(&mut self, now: DateTime<Utc>) {
        self.later(now + PACE);
    }

    /// A good answer.
    pub(super) fn answered(&mut self, now: DateTime<Utc>) {
        self.failures = 0;
        self.step(now);
    }

    /// Not before then.
    pub(super) fn later(&mut self, ready: DateTime<Utc>) {
        self.ready = Some(self.ready.map_or(ready, |known| known.max(ready)));
    }

    /// A failure; `asked` is what the server asked for.
    pub(super) fn failed(&mut self, now: DateTime<Utc>, asked: Option<Duration>) {
        self.failures = self.failures.saturating_add(1);
        let own = doubled(FIRST_WAIT, self.failures - 1).min(LONGEST_WAIT);
        let wait = asked.map_or(own, |asked| {
            TimeDelta::from_std(asked)
                .unwrap_or(LONGEST_ASKED)
                .clamp(PACE, LONGEST_ASKED)
        });
        self.later(now + wait);
    }

    /// Whether it is time to try another window.
    pub(super) fn is_tired(&self) -> bool {
        self.failures > 0 && self.failures.is_multiple_of(TIRED)
    }

    /// 429 or 503: what that means for whoever runs the source.
    pub(super) fn put_off(&mut self, now: DateTime<Utc>, asked: Option<Duration>, who: &str) -> Taken {
        self.failed(now, asked);
        if self.failures <= PATIENCE {
            return Taken::More;
        }
        Taken::Failed(format!(
            "{who} asks for patience (429 or 503) for the {}th time in a row; it is asked again {}. Nothing to do unless \
             another program asks arXiv from the same address",
            self.failures,
            self.again(now)
        ))
    }

    /// When it is asked again, for people.
    pub(super) fn again(&self, now: DateTime<Utc>) -> String {
        at(self.ready.unwrap_or(now))
    }
}

/// `first` doubled so many times, without end.
pub(super) fn doubled(first: TimeDelta, times: u32) -> TimeDelta {
    first * (1 << times.min(16))
}

/// A moment for people, in UTC.
pub(super) fn at(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%d %H:%M UTC").to_string()
}

/// A stretch for people, in UTC.
pub(super) fn named((from, to): Stretch) -> String {
    format!("{} – {}", from.format("%Y-%m-%d %H:%M"), to.format("%Y-%m-%d %H:%M"))
}

/// What is remembered over restarts.
#[derive(Debug, Serialize, Deserialize)]
struct Memory {
    version: u8,
    started: DateTime<Utc>,
}

/// A window that would not come: how often, how often without a paper, and when it is tried again.
#[derive(Debug, Clone, Copy)]
struct Trouble {
    rounds: u32,
    empty: usize,
    until: DateTime<Utc>,
}

/// The wait after a window's first failure; it doubles.
const WINDOW_WAIT: TimeDelta = TimeDelta::hours(1);
/// The longest wait for a window.
const LONGEST_WINDOW_WAIT: TimeDelta = TimeDelta::hours(12);
/// While nothing is to be fetched, the ledger is looked at again after so long.
const LOOK_AGAIN: TimeDelta = TimeDelta::hours(1);
/// And while another source is at work on what is to be fetched.
const LOOK_SOON: TimeDelta = TimeDelta::minutes(1);

/// Chooses the window to fetch next: the newest gap that has not just failed.
#[derive(Debug)]
pub(super) struct Filler {
    /// From when on papers are wanted; known with the first question.
    started: Option<DateTime<Utc>>,
    backfill_days: u32,
    /// How long after its announcement a day is asked for.
    patience: TimeDelta,
    /// Whether OAI-PMH is at work: what it may be asked for is left to it ([`Source::yields`]).
    yielding: bool,
    troubles: BTreeMap<Stretch, Trouble>,
}

impl Filler {
    pub(super) fn new(backfill_days: u32, patience: TimeDelta, memory: Option<&str>) -> Self {
        let memory: Option<Memory> = memory.and_then(|memory| serde_json::from_str(memory).ok());
        Self {
            started: memory.map(|memory| memory.started),
            backfill_days: backfill_days.min(FILL_DAYS),
            patience,
            yielding: false,
            troubles: BTreeMap::new(),
        }
    }

    pub(super) fn memory(&self) -> Option<String> {
        let memory = Memory {
            version: 1,
            started: self.started?,
        };
        serde_json::to_string(&memory).ok()
    }

    /// The window, or when to look again.
    pub(super) fn next(&mut self, ledger: &[Window], now: DateTime<Utc>) -> Result<Stretch, DateTime<Utc>> {
        let as_of = now - self.patience;
        let backfill = self.backfill_days;
        let started = *self
            .started
            .get_or_insert_with(|| calendar::days_before(as_of, backfill));
        let started = ledger::first(ledger).map_or(started, |first| first.min(started));
        let mut gaps = ledger::gaps_to_fill(ledger, started, as_of, FILL_DAYS);
        self.troubles.retain(|window, _| gaps.contains(window));
        let all = gaps.len();
        if self.yielding {
            gaps.retain(|(from, _)| calendar::announcement_of(*from) > now - oai::AVAILABLE_AFTER);
        }
        let look_again = if gaps.len() < all { LOOK_SOON } else { LOOK_AGAIN };
        let ready = |window: &&Stretch| self.troubles.get(window).is_none_or(|trouble| trouble.until <= now);
        if let Some(window) = gaps.iter().find(ready) {
            return Ok(*window);
        }
        // Of a window that is left to another there is nothing to try again: its time may have passed.
        let own = self.troubles.iter().filter(|(window, _)| gaps.contains(window));
        let retried = own.map(|(_, trouble)| trouble.until).min();
        let announced = calendar::next_announcement(as_of) + self.patience;
        let next = retried.map_or(announced, |retried| retried.min(announced));
        Err(next.min(now + look_again))
    }

    /// Whether a window that was chosen still wants fetching: another source may have brought it meanwhile.
    pub(super) fn is_wanted(ledger: &[Window], (from, to): Stretch) -> bool {
        !ledger::uncovered(ledger, from, to).is_empty()
    }

    /// The window failed once more: how often now, and when it is tried again.
    pub(super) fn failed(&mut self, window: Stretch, now: DateTime<Utc>) -> (u32, DateTime<Utc>) {
        let (rounds, empty) = self.known(window);
        let rounds = rounds + 1;
        let until = now + doubled(WINDOW_WAIT, rounds - 1).min(LONGEST_WINDOW_WAIT);
        self.troubles.insert(window, Trouble { rounds, empty, until });
        (rounds, until)
    }

    /// The window came without a paper once more: how often before, and when it is tried again. `None` after as many times
    /// as there are `waits`.
    fn emptied(&mut self, window: Stretch, now: DateTime<Utc>, waits: &[TimeDelta]) -> Option<(usize, DateTime<Utc>)> {
        let (rounds, before) = self.known(window);
        let (empty, until) = (before + 1, now + *waits.get(before)?);
        self.troubles.insert(window, Trouble { rounds, empty, until });
        Some((before, until))
    }

    fn known(&self, window: Stretch) -> (u32, usize) {
        let known = self.troubles.get(&window);
        known.map_or((0, 0), |trouble| (trouble.rounds, trouble.empty))
    }
}

/// So many times a window is begun anew because the answers do not fit together.
const RESTARTS: u32 = 3;

/// So far back papers are looked for that were received earlier and announced with this window: moderation held them. Of the
/// new papers in eight mailings of autumn 2025 one in six was received before the mailing's window, one in a hundred more
/// than a week before.
pub(super) const LATE: TimeDelta = TimeDelta::days(7);

/// Where a paper stands to the window that is being gathered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Received in it.
    Inside,
    /// Received before it, in a stretch that was taken in already: known, or announced late.
    Before,
    /// Another window's.
    Elsewhere,
}

/// A window being gathered over several answers.
#[derive(Debug)]
pub(super) struct Harvest {
    pub(super) window: Stretch,
    /// What was covered before, as far back as one looks for late papers.
    covered: Vec<Stretch>,
    /// How many of the papers were received in the window.
    pub(super) inside: usize,
    items: Vec<Item>,
    rejected: Vec<RejectedItem>,
    seen: HashSet<PaperId>,
    bytes: Vec<u8>,
}

impl Harvest {
    pub(super) fn new(window: Stretch, ledger: &[Window]) -> Self {
        let (from, _) = window;
        let holes = ledger::uncovered(ledger, from - LATE, from);
        let starts = std::iter::once(from - LATE).chain(holes.iter().map(|hole| hole.1));
        let ends = holes.iter().map(|hole| hole.0).chain([from]);
        Self {
            window,
            covered: starts.zip(ends).filter(|(start, end)| start < end).collect(),
            inside: 0,
            items: Vec::new(),
            rejected: Vec::new(),
            seen: HashSet::new(),
            bytes: Vec::new(),
        }
    }

    /// From when on papers are looked for.
    pub(super) fn since(&self) -> DateTime<Utc> {
        self.covered.first().map_or(self.window.0, |first| first.0)
    }

    /// Looks for late papers no more.
    pub(super) fn forget_late(&mut self) {
        self.covered.clear();
    }

    /// Begins anew.
    pub(super) fn clear(&mut self) {
        self.inside = 0;
        self.items.clear();
        self.rejected.clear();
        self.seen.clear();
        self.bytes.clear();
    }

    pub(super) fn place(&self, submitted: DateTime<Utc>) -> Place {
        let within = |&(from, to): &Stretch| from <= submitted && submitted < to;
        if within(&self.window) {
            Place::Inside
        } else if self.covered.iter().any(within) {
            Place::Before
        } else {
            Place::Elsewhere
        }
    }

    /// Adds an item that belongs here; one that came before on another page is dropped.
    pub(super) fn add(&mut self, item: Item, place: Place) {
        if self.seen.insert(item.paper.id.clone()) {
            self.inside += usize::from(place == Place::Inside);
            self.items.push(item);
        }
    }

    pub(super) fn reject(&mut self, rejected: Vec<RejectedItem>) {
        self.rejected.extend(rejected);
    }

    /// An answer that it is made of: what tells it apart is kept, not the megabytes.
    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.bytes.extend(content_hash(bytes).bytes());
        self.bytes.push(b'\n');
    }

    /// All of it. The window and what was asked for stand in the bytes, so that two empty windows are not the same content.
    pub(super) fn whole(self, source: SourceKind, what: &str, scope: &Scope) -> Taken {
        let (from, to) = self.window;
        let iso = |time: DateTime<Utc>| time.to_rfc3339_opts(SecondsFormat::Secs, true);
        let mut bytes = format!("{source} {} {}\n{}\n", iso(from), iso(to), scope.named()).into_bytes();
        bytes.extend(self.bytes);
        Taken::Whole {
            parsed: Parsed {
                source,
                window: Some(Window { source, from, to }),
                asked: Some(scope.clone()),
                items: self.items,
                rejected: self.rejected,
            },
            name: format!("{what} {}", named(self.window)),
            bytes,
        }
    }
}

/// How far the gathering of a window has got, as one interface counts it.
pub(super) trait Progress: Default + Send {
    /// Back to the beginning of the window.
    fn again(&mut self, harvest: &Harvest);
}

/// A window being fetched.
#[derive(Debug)]
pub(super) struct Job<P> {
    pub(super) harvest: Harvest,
    pub(super) at: P,
    restarts: u32,
}

impl<P: Progress> Job<P> {
    fn new(harvest: Harvest) -> Self {
        let mut at = P::default();
        at.again(&harvest);
        let restarts = 0;
        Self { harvest, at, restarts }
    }

    /// Begins anew.
    pub(super) fn again(&mut self) {
        self.harvest.clear();
        self.at.again(&self.harvest);
    }
}

/// Fetches window after window, whatever is asked and answered.
#[derive(Debug)]
pub(super) struct Gatherer<P> {
    /// Who answers, for people.
    who: &'static str,
    pub(super) filler: Filler,
    pub(super) pace: Pace,
    job: Option<Job<P>>,
}

impl<P: Progress> Gatherer<P> {
    pub(super) fn new(who: &'static str, filler: Filler) -> Self {
        let (pace, job) = (Pace::default(), None);
        Self { who, filler, pace, job }
    }

    /// There is more to fetch of it.
    pub(super) fn go_on(&mut self, job: Job<P>) -> Taken {
        self.job = Some(job);
        Taken::More
    }

    /// It cannot go on: from its beginning, a few times.
    pub(super) fn anew(&mut self, mut job: Job<P>, now: DateTime<Utc>, why: &str) -> Taken {
        job.restarts += 1;
        if job.restarts > RESTARTS {
            return self.put_off(&job, now, why);
        }
        job.again();
        self.go_on(job)
    }

    /// The window is left alone for a while.
    pub(super) fn put_off(&mut self, job: &Job<P>, now: DateTime<Utc>, why: &str) -> Taken {
        let (rounds, until) = self.filler.failed(job.harvest.window, now);
        Taken::Failed(format!(
            "What {} says of {} is not whole: {why} (round {rounds}). It is asked for again {}; other days are not affected",
            self.who,
            named(job.harvest.window),
            at(until)
        ))
    }

    /// The window came whole, without a paper received in it, although arXiv announced it: it is left alone for each of the
    /// `waits`, one after the other. `None` after the last one: then it is empty, because no paper of these categories was
    /// received in it, or because arXiv put off its announcement, and the next windows bring them as late.
    pub(super) fn empty<S: Interface>(
        &mut self,
        job: &Job<P>,
        now: DateTime<Utc>,
        scope: &Scope,
        waits: &[TimeDelta],
    ) -> Option<Taken> {
        let window = job.harvest.window;
        let (before, until) = self.filler.emptied(window, now, waits)?;
        let (from, to) = window;
        Some(Taken::Empty {
            window: Window {
                source: S::KIND,
                from,
                to,
            },
            sentence: format!(
                "{} has no paper of {} for {}, which arXiv announced{}. It is asked for again {}; other days are not affected",
                self.who,
                scope.named(),
                named(window),
                match before {
                    0 => String::new(),
                    before => format!(" (answer {})", before + 1),
                },
                at(until)
            ),
        })
    }

    /// An answer that cannot be read: from the beginning of the window, a few times.
    pub(super) fn unreadable(&mut self, job: Job<P>, now: DateTime<Utc>, error: &SourceError) -> Taken {
        self.pace.failed(now, None);
        let why = error.to_string();
        let window = named(job.harvest.window);
        match self.anew(job, now, &why) {
            Taken::More => Taken::Failed(format!(
                "What {} says of {window} cannot be read: {why}. It is asked for again {}",
                self.who,
                self.pace.again(now)
            )),
            put_off @ (Taken::Whole { .. } | Taken::Nothing | Taken::Empty { .. } | Taken::Failed(_)) => put_off,
        }
    }

    /// The window that is being gathered, or the next one, or until when nothing is asked.
    fn next(&mut self, ledger: &[Window], now: DateTime<Utc>) -> Result<Job<P>, DateTime<Utc>> {
        if let Some(until) = self.pace.wait(now) {
            return Err(until);
        }
        match self.job.take() {
            Some(job) if Filler::is_wanted(ledger, job.harvest.window) => Ok(job),
            Some(_) | None => {
                let window = self.filler.next(ledger, now)?;
                Ok(Job::new(Harvest::new(window, ledger)))
            }
        }
    }

    /// The body of an answer and what it is about; or what an answer without one means.
    fn body(&mut self, fetched: Fetched, now: DateTime<Utc>) -> ControlFlow<Taken, (Job<P>, Body)> {
        self.pace.step(now);
        let reason = match fetched {
            Fetched::Body(body) => {
                return match self.job.take() {
                    Some(job) => ControlFlow::Continue((job, body)),
                    None => ControlFlow::Break(Taken::Nothing),
                };
            }
            Fetched::Later { retry_after } => {
                return ControlFlow::Break(self.pace.put_off(now, retry_after, self.who));
            }
            Fetched::Unchanged => "304, which nobody asked for".to_owned(),
            Fetched::Gone => "410: the address is no more; give its [[source]] another url".to_owned(),
            Fetched::Failed { reason, .. } => reason,
        };
        self.pace.failed(now, None);
        if self.pace.is_tired()
            && let Some(job) = self.job.take()
        {
            return ControlFlow::Break(self.put_off(&job, now, &reason));
        }
        let window = self
            .job
            .as_ref()
            .map_or_else(String::new, |job| format!(" for {}", named(job.harvest.window)));
        ControlFlow::Break(Taken::Failed(format!(
            "{} does not answer{window}: {reason}. It is asked again {}",
            self.who,
            self.pace.again(now)
        )))
    }
}

/// An interface of arXiv's that fills gaps. What it asks and how it reads the answers is its own; the rest of a [`Source`]
/// is the [`Gatherer`]'s.
pub(super) trait Interface: Send {
    /// Which source it is.
    const KIND: SourceKind;
    /// How far it has got with a window.
    type Progress: Progress;
    fn gatherer(&self) -> &Gatherer<Self::Progress>;
    fn gatherer_mut(&mut self) -> &mut Gatherer<Self::Progress>;
    /// The categories that it asks for.
    fn scope(&self) -> &Scope;
    /// What to ask at `now`.
    fn request(&self, job: &mut Job<Self::Progress>, now: DateTime<Utc>) -> Request;
    /// Takes what was answered.
    fn read(&mut self, job: Job<Self::Progress>, body: &Body, now: DateTime<Utc>) -> Taken;
}

impl<I: Interface> Source for I {
    fn name(&self) -> &str {
        I::KIND.name()
    }

    fn kind(&self) -> SourceKind {
        I::KIND
    }

    fn asks(&self) -> Option<&Scope> {
        Some(self.scope())
    }

    fn next(&mut self, ledger: &[Window], now: DateTime<Utc>) -> Next {
        let mut job = match self.gatherer_mut().next(ledger, now) {
            Ok(job) => job,
            Err(until) => return Next::Wait(until),
        };
        let request = self.request(&mut job, now);
        let gatherer = self.gatherer_mut();
        gatherer.job = Some(job);
        gatherer.pace.step(now);
        Next::Fetch(request)
    }

    fn take(&mut self, fetched: Fetched, now: DateTime<Utc>) -> Taken {
        match self.gatherer_mut().body(fetched, now) {
            ControlFlow::Continue((job, body)) => self.read(job, &body, now),
            ControlFlow::Break(taken) => taken,
        }
    }

    fn yields(&mut self, to_oai: bool) {
        self.gatherer_mut().filler.yielding = to_oai && I::KIND != SourceKind::ArxivOai;
    }

    fn memory(&self) -> Option<String> {
        self.gatherer().filler.memory()
    }
}

/// A query beside what the address has already.
pub(super) fn asked(base_url: &str, parameters: &str) -> Request {
    let joint = if base_url.contains('?') { '&' } else { '?' };
    Request::get(format!("{base_url}{joint}{parameters}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn xml_nested_ten_thousand_deep_is_an_error_in_words() {
        let deep = format!("{}x{}", "<a>".repeat(10_000), "</a>".repeat(10_000));
        assert_eq!(
            Leaves::read(&deep).unwrap_err(),
            "its elements are nested deeper than 32"
        );
        assert!(document(&format!("<feed><entry>{deep}</entry></feed>"), "entry").is_ok());
    }

    #[test]
    fn an_entity_is_never_expanded_beyond_xmls_own() {
        let bomb = r#"<!DOCTYPE f [<!ENTITY a "lollollol"><!ENTITY x SYSTEM "file:///etc/passwd">]>
            <f><t>&a;&x; &lt;&#8212;&#x41;&#0;&nbsp;.</t></f>"#;
        let leaves = Leaves::read(bomb).unwrap();
        assert_eq!(leaves.raw("f/t").next(), Some("&a;&x; <—A\u{fffd}&nbsp;."));
    }

    #[test]
    fn an_answer_is_read_in_the_encoding_that_it_has() {
        let latin = b"<?xml version='1.0' encoding='ISO-8859-1'?><f><t>Est\xe9vez</t></f>";
        let utf16: Vec<u8> = [0xfeff_u16]
            .into_iter()
            .chain("<f><t>Estévez</t></f>".encode_utf16())
            .flat_map(u16::to_le_bytes)
            .collect();
        let marked = "\u{feff}<f><t>Estévez</t></f>".as_bytes();
        for bytes in [latin.as_slice(), &utf16, marked] {
            let text = decoded(bytes);
            assert_eq!(Leaves::read(&text).unwrap().text("f/t").as_deref(), Some("Estévez"));
        }
        // One bad byte costs one character, a forbidden character becomes a space.
        let text = decoded(b"<f><t>a\xffb\x00c\x0bd</t></f>");
        assert_eq!(
            Leaves::read(&text).unwrap().text("f/t").as_deref(),
            Some("a\u{fffd}b c d")
        );
    }

    #[test]
    fn an_item_that_is_not_closed_costs_itself_alone() {
        let xml = "<feed>\n<n>2</n>\n<entry><id>1</id>\n<entry><id>2</id></entry>\n</feed>";
        let document = document(xml, "entry").unwrap();
        assert_eq!(document.frame.text("feed/n").as_deref(), Some("2"));
        let read: Vec<bool> = document
            .pieces
            .iter()
            .map(|(_, piece)| Leaves::read(piece).is_ok())
            .collect();
        assert_eq!(read, [false, true]);
        assert_eq!(document.pieces.iter().map(|piece| piece.0).collect::<Vec<_>>(), [3, 4]);
    }

    #[test]
    fn an_abstract_keeps_its_paragraphs_however_deep_its_element_stands() {
        let deep = "\n        One, of\n        two lines.\n          Another.\n      ";
        for text in [
            deep,
            "One, of\ntwo lines.\n  Another.\n",
            "  One, of two lines.\n  Another.",
        ] {
            assert_eq!(
                abstract_of(text).as_deref(),
                Some("One, of two lines.\nAnother."),
                "{text}"
            );
        }
    }

    #[test]
    fn a_paper_is_taken_back_by_the_words_for_it_alone() {
        for (comment, withdrawn) in [
            (
                "This paper has been withdrawn by the author due to an error in equation 1",
                true,
            ),
            ("Withdrawn, see 2510.00001", true),
            ("The submission was withdrawn by arXiv administrators", true),
            ("An earlier version was withdrawn from ICLR 2025", false),
            ("12 pages; this paper replaces one that has been withdrawn", false),
            ("", false),
        ] {
            assert_eq!(is_withdrawn(comment), withdrawn, "{comment}");
        }
    }

    #[test]
    fn waits_grow_to_their_bound_and_the_servers_word_counts_more() {
        let now = DateTime::UNIX_EPOCH;
        let mut pace = Pace::default();
        let mut waits = Vec::new();
        for _ in 0..12 {
            pace.ready = None;
            pace.failed(now, None);
            waits.push((pace.ready.unwrap() - now).num_seconds());
        }
        assert_eq!(waits, [15, 30, 60, 120, 240, 480, 960, 1920, 3600, 3600, 3600, 3600]);
        pace.ready = None;
        pace.failed(now, Some(Duration::from_secs(7)));
        assert_eq!(pace.wait(now), Some(now + TimeDelta::seconds(7)));
        pace.failed(now, Some(Duration::from_secs(u64::MAX)));
        assert_eq!(pace.wait(now), Some(now + LONGEST_ASKED));
    }

    proptest! {
        #[test]
        fn any_text_is_taken_apart_without_losing_a_character(
            text in "(<entry>|</entry>|<entry/>|<entry a='1'>|<entryx>|<f>|</f>|x|\n|&|é|<){0,20}",
        ) {
            if let Ok(document) = document(&text, "entry") {
                let items: usize = document.pieces.iter().map(|(_, piece)| piece.len()).sum();
                prop_assert!(items <= text.len());
                for (line, piece) in document.pieces {
                    let at = piece.as_ptr() as usize - text.as_ptr() as usize;
                    prop_assert_eq!(line, 1 + newlines(text.get(..at).unwrap()));
                    prop_assert!(piece.starts_with("<entry"));
                }
            }
            let _ = decoded(text.as_bytes());
        }
    }
}
