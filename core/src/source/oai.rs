//! arXiv's OAI-PMH interface: the same papers as the query interface by another road, with the date of every version. It is
//! asked for what is still missing a day after everything else had its chance, so that a gap closes even when the query
//! interface is out of order.
//!
//! The protocol is OAI-PMH 2.0 (<https://www.openarchives.org/OAI/openarchivesprotocol.html>), the records are `arXivRaw`
//! (<https://info.arxiv.org/help/oa/index.html>). A record's datestamp is the day of its last change, never that of its
//! submission: so all that changed since a window was announced is read, and the dates of the versions say what belongs to it.

use chrono::{DateTime, TimeDelta, Utc};

use super::arxiv::{
    Document, Filler, Gatherer, Harvest, Interface, Job, Leaves, Place, Progress, abstract_of, asked, decoded,
    document, doi, is_withdrawn, list, tidy,
};
use super::arxiv_mail::Byline;
use super::request::{Body, Request, Taken};
use super::scope::Scope;
use super::{Announcement, Item, RejectedItem, SourceError, SourceKind, calendar};
use crate::paper::{Field, Paper, PaperId};

const KIND: SourceKind = SourceKind::ArxivOai;
/// How long after its announcement a day is asked for here: the mailing and the query interface come first.
pub const AVAILABLE_AFTER: TimeDelta = TimeDelta::days(1);
/// After an answer that should not be empty the day is left alone for so long; a list may be long, so it is hours at once.
const EMPTY_WAITS: [TimeDelta; 3] = [TimeDelta::hours(1), TimeDelta::hours(2), TimeDelta::hours(4)];
/// No window has more answers: a fortnight of all arXiv is some 30,000 records, in lists of 3,500 at most.
const MOST_PAGES: u32 = 200;

/// The OAI-PMH interface as a source.
#[derive(Debug)]
pub struct ArxivOai {
    base_url: String,
    scope: Scope,
    /// What of the archive is asked for, each by itself; all of it where there is none.
    sets: Vec<Option<String>>,
    gatherer: Gatherer<Lists>,
}

/// Which part of a window is next.
#[derive(Debug, Default)]
pub(super) struct Lists {
    /// Which of the sets.
    set: usize,
    token: Option<Token>,
    pages: u32,
}

impl Progress for Lists {
    fn again(&mut self, _: &Harvest) {
        *self = Self::default();
    }
}

/// Where the list goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// As the server wrote it.
    pub token: String,
    /// After that the server does not know it any more, where it says so.
    pub expires: Option<DateTime<Utc>>,
}

impl ArxivOai {
    /// `base_url` is `https://oaipmh.arxiv.org/oai` or what stands in for it; `categories` are such as `cs.CL` and `cs.*`,
    /// none for all; a first start fetches `backfill_days` days with announcements (14 at most). `memory` is what
    /// [`memory`](super::request::Source::memory) gave.
    pub fn new(base_url: impl Into<String>, categories: Vec<String>, backfill_days: u32, memory: Option<&str>) -> Self {
        let scope = Scope::new(categories);
        let mut sets: Vec<Option<String>> = scope.iter().map(|category| Some(set(category))).collect();
        if sets.is_empty() {
            sets.push(None);
        }
        let filler = Filler::new(backfill_days, AVAILABLE_AFTER, memory);
        Self {
            base_url: base_url.into(),
            scope,
            sets,
            gatherer: Gatherer::new("arXiv's OAI-PMH interface", filler),
        }
    }

    /// The list cannot go on.
    fn anew(&mut self, job: Job<Lists>, now: DateTime<Utc>) -> Taken {
        let why = "its resumption tokens are refused or lead nowhere";
        self.gatherer.anew(job, now, why)
    }

    /// What the record is to the window: new when its first version was received in it (or before, and is the only one: then
    /// it is known or was held by moderation), a replacement when its last one was.
    fn belongs(&self, record: Record, harvest: &Harvest) -> Option<(Item, Place)> {
        let Record {
            paper,
            versions,
            taken_back,
        } = record;
        if !paper.categories().iter().any(|category| self.scope.covers(category)) {
            return None;
        }
        let (first, last) = (*versions.first()?, *versions.last()?);
        let announcement = self.scope.announcement(paper.categories());
        let place = harvest.place(first);
        let announcement = match place {
            Place::Inside => announcement,
            Place::Before if versions.len() == 1 => announcement,
            Place::Before | Place::Elsewhere if harvest.place(last) == Place::Inside => Announcement::Replacement,
            Place::Before | Place::Elsewhere => return None,
        };
        let announcement = if taken_back {
            Announcement::Withdrawal
        } else {
            announcement
        };
        Some((Item { paper, announcement }, place))
    }
}

impl Interface for ArxivOai {
    const KIND: SourceKind = KIND;
    type Progress = Lists;

    fn gatherer(&self) -> &Gatherer<Lists> {
        &self.gatherer
    }

    fn gatherer_mut(&mut self) -> &mut Gatherer<Lists> {
        &mut self.gatherer
    }

    fn scope(&self) -> &Scope {
        &self.scope
    }

    fn request(&self, job: &mut Job<Lists>, now: DateTime<Utc>) -> Request {
        let expired = |token: &Token| token.expires.is_some_and(|expires| expires <= now);
        if job.at.token.as_ref().is_some_and(expired) {
            job.again();
        }
        let mut parameters = url::form_urlencoded::Serializer::new(String::new());
        parameters.append_pair("verb", "ListRecords");
        if let Some(token) = &job.at.token {
            // It stands alone: "an exclusive argument" (§4.5).
            parameters.append_pair("resumptionToken", &token.token);
        } else {
            parameters.append_pair("metadataPrefix", "arXivRaw");
            if let Some(Some(set)) = self.sets.get(job.at.set) {
                parameters.append_pair("set", set);
            }
            // Without an end: a paper that was revised since has the datestamp of its revision.
            let (from, _) = job.harvest.window;
            let day = calendar::announcement_of(from) - TimeDelta::days(1);
            parameters.append_pair("from", &day.format("%Y-%m-%d").to_string());
        }
        asked(&self.base_url, &parameters.finish())
    }

    fn read(&mut self, mut job: Job<Lists>, body: &Body, now: DateTime<Utc>) -> Taken {
        let list = match parse(&body.bytes) {
            Ok(Answer::List(list)) => list,
            Ok(Answer::None) => List::default(),
            Ok(Answer::BadToken) => {
                self.gatherer.pace.answered(now);
                return self.anew(job, now);
            }
            Err(error) => {
                self.gatherer.pace.failed(now, None);
                return self.gatherer.put_off(&job, now, &error.to_string());
            }
        };
        self.gatherer.pace.answered(now);
        job.harvest.bytes(&body.bytes);
        job.harvest.reject(list.rejected);
        for record in list.records {
            if let Some((item, place)) = self.belongs(record, &job.harvest) {
                job.harvest.add(item, place);
            }
        }
        job.at.pages += 1;
        let same = job.at.token.is_some() && job.at.token == list.token;
        if same || job.at.pages > MOST_PAGES {
            // Tokens that go round would keep this window for ever.
            return self.anew(job, now);
        }
        job.at.token = list.token;
        if job.at.token.is_none() {
            job.at.set += 1;
        }
        if job.at.set < self.sets.len() {
            return self.gatherer.go_on(job);
        }
        if job.harvest.inside == 0
            && let Some(empty) = self.gatherer.empty::<Self>(&job, now, &self.scope, &EMPTY_WAITS)
        {
            return empty;
        }
        job.harvest.whole(KIND, "arXiv OAI-PMH", &self.scope)
    }
}

/// The set of a category: `cs:cs:CL`, `cs` for all of `cs.*`, `physics:hep-th` (verb `ListSets`).
fn set(category: &str) -> String {
    const PHYSICS: [&str; 13] = [
        "astro-ph", "cond-mat", "gr-qc", "hep-ex", "hep-lat", "hep-ph", "hep-th", "math-ph", "nlin", "nucl-ex",
        "nucl-th", "physics", "quant-ph",
    ];
    let (archive, below) = category.split_once('.').unwrap_or((category, "*"));
    match (PHYSICS.contains(&archive), below) {
        (true, "*") => format!("physics:{archive}"),
        (true, below) => format!("physics:{archive}:{below}"),
        (false, "*") => archive.to_owned(),
        (false, below) => format!("{archive}:{archive}:{below}"),
    }
}

// ---- the answer ----

/// What an answer to `ListRecords` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Records, and whether there are more.
    List(List),
    /// There are none (`noRecordsMatch`).
    None,
    /// The server does not know the token any more (`badResumptionToken`): begin anew.
    BadToken,
}

/// A part of a list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct List {
    /// Its records, those of deleted papers aside.
    pub records: Vec<Record>,
    /// Those that could not be read.
    pub rejected: Vec<RejectedItem>,
    /// Where it goes on, if it does.
    pub token: Option<Token>,
}

/// One paper with all its versions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// What is said of it.
    pub paper: Paper,
    /// When its versions were received, the first one first; there is at least one.
    pub versions: Vec<DateTime<Utc>>,
    /// Whether the last one takes it back.
    pub taken_back: bool,
}

/// Reads one answer.
///
/// # Errors
/// [`SourceError::Empty`], or [`SourceError::Damaged`] when it is no OAI-PMH, is cut off, or is another error of the protocol.
pub fn parse(bytes: &[u8]) -> Result<Answer, SourceError> {
    let text = decoded(bytes);
    if text.trim().is_empty() {
        return Err(SourceError::Empty);
    }
    let damaged = |reason: String| SourceError::Damaged { line: 1, reason };
    let Document { pieces, frame } = document(&text, "record").map_err(damaged)?;
    if frame.root() != "OAI-PMH" {
        return Err(damaged(format!("this is no OAI-PMH but “{}”", frame.root())));
    }
    if let Some(code) = frame.attributes("OAI-PMH/error", "code").next() {
        let words = frame.text("OAI-PMH/error").unwrap_or_default();
        return match code {
            "noRecordsMatch" => Ok(Answer::None),
            "badResumptionToken" => Ok(Answer::BadToken),
            code => Err(damaged(format!("arXiv says “{code}: {words}”"))),
        };
    }
    let mut list = List::default();
    for (n, (line, piece)) in pieces.into_iter().enumerate() {
        let leaves = match Leaves::read(piece) {
            Ok(leaves) => leaves,
            Err(reason) => {
                let item = format!("record {}", n + 1);
                list.rejected.push(RejectedItem { line, item, reason });
                continue;
            }
        };
        if leaves
            .attributes("record/header", "status")
            .any(|status| status == "deleted")
        {
            continue;
        }
        match record(&leaves) {
            Ok(record) => list.records.push(record),
            Err(reason) => {
                let name = leaves.text("record/header/identifier");
                let item = name.map_or_else(|| format!("record {}", n + 1), |name| name.chars().take(60).collect());
                list.rejected.push(RejectedItem { line, item, reason });
            }
        }
    }
    let path = "OAI-PMH/ListRecords/resumptionToken";
    // Of the last part it is there and empty (§3.5).
    list.token = frame.raw(path).find(|token| !token.is_empty()).map(|token| Token {
        token: token.to_owned(),
        // The protocol's name, and arXiv's.
        expires: ["expirationDate", "expires"].into_iter().find_map(|name| {
            let date = frame.attributes(path, name).next()?;
            DateTime::parse_from_rfc3339(date).ok().map(|date| date.to_utc())
        }),
    });
    Ok(Answer::List(list))
}

fn record(leaves: &Leaves) -> Result<Record, String> {
    let path = |field: &str| format!("record/metadata/arXivRaw/{field}");
    let text = |field: &str| leaves.text(&path(field));
    let raw = text("id").ok_or("there is no “id” in an “arXivRaw”")?;
    let Ok((id @ PaperId::Arxiv(_), _)) = PaperId::parse_with_version(&raw) else {
        return Err(format!("“{raw}” is no arXiv id such as 2510.09212 or cs/0112017"));
    };
    let dates = path("version/date");
    let mut versions = Vec::new();
    for date in leaves.raw(&dates) {
        let received = DateTime::parse_from_rfc2822(date)
            .map_err(|_| format!("“{date}” is no date such as “Wed, 8 Oct 2025 08:47:07 GMT”"))?;
        versions.push(received.to_utc());
    }
    versions.sort_unstable();
    let (Some(first), Some(last)) = (versions.first(), versions.last()) else {
        return Err("there is no “version” with a “date”".to_owned());
    };
    let mut paper = Paper::new(id);
    let version = path("version");
    let numbers = leaves.attributes(&version, "version");
    let numbers = numbers.filter_map(|number| number.trim_start_matches('v').parse::<u16>().ok());
    paper.version = numbers.max().unwrap_or(1).max(1);
    paper.submitted = Some(*first);
    paper.revised = (versions.len() > 1).then_some(*last);
    let as_of = paper.revised.or(paper.submitted);
    let told = |value: String| Field::as_of(value, KIND, as_of);
    paper.title = Some(told(text("title").ok_or("there is no “title”")?));
    if let Some(authors) = text("authors") {
        let byline = Byline::new(&authors);
        paper.authors = list(byline.authors, KIND, as_of);
        paper.institutions = list(byline.institutions, KIND, as_of);
    }
    let listed = path("categories");
    let categories = leaves.raw(&listed).next().unwrap_or_default().split_whitespace();
    paper.categories = list(categories.map(str::to_owned).collect(), KIND, as_of);
    paper.abstract_text = leaves.raw(&path("abstract")).find_map(abstract_of).map(told);
    paper.comments = text("comments").map(told);
    paper.journal_ref = text("journal-ref").map(told);
    paper.doi = leaves.raw(&path("doi")).find_map(doi).map(told);
    // A version that takes a paper back has no text.
    let sizes = path("version/size");
    let no_text = versions.len() > 1 && leaves.raw(&sizes).last().is_some_and(|size| tidy(size) == "0kb");
    let said = paper
        .comments
        .as_ref()
        .is_some_and(|comments| is_withdrawn(&comments.value));
    Ok(Record {
        paper,
        versions,
        taken_back: no_text || said,
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::super::Window;
    use super::super::request::{Fetched, Next, Source};
    use super::*;

    fn utc(text: &str) -> DateTime<Utc> {
        DateTime::parse_from_str(&format!("{text} +0000"), "%Y-%m-%d %H:%M %z")
            .unwrap()
            .to_utc()
    }

    fn answer(inner: &str) -> String {
        format!(
            r#"<?xml version="1.0" encoding="UTF-8"?>

<OAI-PMH xmlns="http://www.openarchives.org/OAI/2.0/"
         xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
         xsi:schemaLocation="http://www.openarchives.org/OAI/2.0/ http://www.openarchives.org/OAI/2.0/OAI-PMH.xsd">
    <responseDate>2025-10-16T12:00:00Z</responseDate>
    <request verb="ListRecords" metadataPrefix="arXivRaw" set="cs">http://oaipmh.arxiv.org/oai</request>
    {inner}
</OAI-PMH>"#
        )
    }

    fn records(records: &str, token: &str) -> String {
        answer(&format!("<ListRecords>\n{records}\n{token}</ListRecords>"))
    }

    fn record(id: &str, categories: &str, versions: &[&str]) -> String {
        let versions: String = versions
            .iter()
            .enumerate()
            .map(|(n, date)| {
                format!(
                    "<version version=\"v{}\"><date>{date} GMT</date><size>{}kb</size><source_type>D</source_type></version>\n",
                    n + 1,
                    n + 300
                )
            })
            .collect();
        format!(
            r#"        <record>
            <header>
        <identifier>oai:arXiv.org:{id}</identifier>
        <datestamp>2025-10-15</datestamp>
            <setSpec>cs:cs:CL</setSpec>
    </header>
            <metadata>
    <arXivRaw xmlns="http://arxiv.org/OAI/arXivRaw/" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="http://arxiv.org/OAI/arXivRaw/ http://arxiv.org/OAI/arXivRaw.xsd">
        <id>{id}</id>
        <submitter>Ana Est\'evez</submitter>
        {versions}
        <title>On {id}:
  $O(n^2)$</title>
        <authors>Ana Est\'evez (ETH Zurich), Bo Li and Cy Poe</authors>
        <categories>{categories}</categories>
        <comments>12 pages</comments>
        <doi>10.1145/3717383.3719313</doi>
        <license>http://arxiv.org/licenses/nonexclusive-distrib/1.0/</license>
        <abstract>  First paragraph,
wrapped &amp; done.
  Second one.
</abstract>
    </arXivRaw>
            </metadata>
        </record>
"#
        )
    }

    const FRIDAY: &str = "Fri, 10 Oct 2025 09:00:00";

    #[test]
    fn a_record_gives_every_field_and_the_dates_of_its_versions() {
        let text = records(
            &record("2510.00001", "cs.CL cs.AI", &[FRIDAY, "Sun, 12 Oct 2025 10:00:00"]),
            "<resumptionToken/>",
        );
        let Ok(Answer::List(list)) = parse(text.as_bytes()) else {
            panic!("a list")
        };
        assert_eq!((list.rejected, list.token), (vec![], None));
        let Record {
            paper,
            versions,
            taken_back,
        } = &list.records[0];
        assert_eq!(*versions, [utc("2025-10-10 09:00"), utc("2025-10-12 10:00")]);
        assert_eq!((paper.id.bare(), paper.version, *taken_back), ("2510.00001", 2, false));
        assert_eq!(
            (paper.submitted, paper.revised),
            (versions.first().copied(), versions.last().copied())
        );
        assert_eq!(paper.title(), "On 2510.00001: O(n²)");
        assert_eq!(paper.authors(), ["Ana Estévez", "Bo Li", "Cy Poe"]);
        assert_eq!(paper.institutions(), ["ETH Zurich"]);
        assert_eq!(paper.categories(), ["cs.CL", "cs.AI"]);
        assert_eq!(paper.abstract_text(), "First paragraph, wrapped & done.\nSecond one.");
        assert_eq!(paper.doi.as_ref().unwrap().value, "10.1145/3717383.3719313");
    }

    #[test]
    fn errors_of_the_protocol_are_told_apart() {
        let error = |code: &str| answer(&format!("<error code='{code}'>Words.</error>"));
        assert_eq!(parse(error("noRecordsMatch").as_bytes()), Ok(Answer::None));
        assert_eq!(parse(error("badResumptionToken").as_bytes()), Ok(Answer::BadToken));
        for (text, words) in [
            (error("badArgument"), "arXiv says “badArgument: Words.”"),
            ("<html/>".to_owned(), "no OAI-PMH but “html”"),
            (records("", "")[..400].to_owned(), "ends in the middle"),
            (" ".to_owned(), "empty"),
        ] {
            let told = parse(text.as_bytes()).unwrap_err().to_string();
            assert!(told.contains(words), "{told}");
        }
    }

    #[test]
    fn deleted_records_are_passed_over_and_damaged_ones_are_named() {
        let deleted = "<record><header status=\"deleted\"><identifier>oai:arXiv.org:1</identifier></header></record>";
        let undated = record("2510.00002", "cs.CL", &["yesterday"]);
        let broken = record("2510.00003", "cs.CL", &[FRIDAY]).replace("</abstract>", "");
        let deep = format!("<record>{}</record>", "<a>".repeat(10_000));
        let good = record("2510.00004", "cs.CL", &[FRIDAY]);
        let Ok(Answer::List(list)) =
            parse(records(&[deleted, &undated, &broken, &deep, &good].concat(), "").as_bytes())
        else {
            panic!("a list")
        };
        assert_eq!(list.records.len(), 1);
        let told: Vec<String> = list.rejected.iter().map(ToString::to_string).collect();
        assert!(
            told[0].contains("oai:arXiv.org:2510.00002: “yesterday GMT” is no date"),
            "{told:?}"
        );
        assert!(told[1].contains("record 3: this is no XML"), "{told:?}");
        assert!(told[2].contains("record 4: its elements are nested deeper"), "{told:?}");
    }

    #[test]
    fn a_version_without_text_takes_the_paper_back() {
        let of = |text: String| match parse(records(&text, "").as_bytes()) {
            Ok(Answer::List(list)) => list.records[0].taken_back,
            Ok(Answer::None | Answer::BadToken) | Err(_) => panic!("a list"),
        };
        let text = record("2510.00001", "cs.CL", &[FRIDAY, "Sun, 12 Oct 2025 10:00:00"]);
        assert!(of(text.replace("<size>301kb", "<size>0kb")));
        assert!(of(text.replace("12 pages", "This paper has been withdrawn by Bo Li")));
        assert!(!of(text));
    }

    #[test]
    fn sets_are_called_as_arxiv_calls_them() {
        for (category, name) in [
            ("cs.CL", "cs:cs:CL"),
            ("cs.*", "cs"),
            ("stat", "stat"),
            ("hep-th", "physics:hep-th"),
            ("astro-ph.CO", "physics:astro-ph:CO"),
            ("q-bio.NC", "q-bio:q-bio:NC"),
        ] {
            assert_eq!(set(category), name);
        }
    }

    // ---- the machine ----

    fn body(text: String) -> Fetched {
        Fetched::Body(Body {
            bytes: text.into_bytes(),
            ..Body::default()
        })
    }

    fn fetch(oai: &mut ArxivOai, ledger: &[Window], now: &mut DateTime<Utc>) -> String {
        for _ in 0..100 {
            match oai.next(ledger, *now) {
                Next::Fetch(request) => return request.url,
                Next::Wait(until) => *now = until,
                Next::Ended(why) => panic!("{why}"),
            }
        }
        panic!("it waits and waits")
    }

    fn oai(categories: &[&str]) -> ArxivOai {
        let categories = categories.iter().map(|&category| category.to_owned()).collect();
        ArxivOai::new("http://127.0.0.1:1/oai", categories, 1, None)
    }

    /// A day after Friday's papers were announced, on Sunday evening.
    fn tuesday() -> DateTime<Utc> {
        utc("2025-10-14 00:00")
    }

    #[test]
    fn a_window_is_gathered_over_sets_and_tokens_and_keeps_what_belongs_to_it() {
        let ledger = [Window {
            source: SourceKind::ArxivMail,
            from: utc("2025-10-08 18:00"),
            to: utc("2025-10-09 18:00"),
        }];
        let mut source = oai(&["cs.CL", "stat.*"]);
        let mut now = tuesday() - TimeDelta::minutes(1);
        // That it is at work itself is no reason to rest.
        source.yields(true);
        assert!(matches!(source.next(&ledger, now), Next::Wait(until) if until == tuesday()));
        assert_eq!(
            fetch(&mut source, &ledger, &mut now),
            "http://127.0.0.1:1/oai?verb=ListRecords&metadataPrefix=arXivRaw&set=cs%3Acs%3ACL&from=2025-10-12"
        );
        let first = [
            record("2510.00001", "cs.CL", &[FRIDAY]),
            // Held by moderation; revised before it was announced with others; another window's; not wanted.
            record("2510.00002", "cs.CL", &["Thu, 09 Oct 2025 09:00:00"]),
            record("2509.00003", "cs.CL", &["Mon, 01 Sep 2025 09:00:00", FRIDAY]),
            record("2510.00004", "cs.CL", &["Sat, 11 Oct 2025 09:00:00"]),
            record("2510.00005", "math.CO", &[FRIDAY]),
            record("2510.00006", "math.CO stat.ML", &[FRIDAY, "Sat, 11 Oct 2025 09:00:00"]),
        ];
        let token = "<resumptionToken expires='2025-10-15T00:00:00Z'>from%3D2025-10-12%26skip%3D6</resumptionToken>";
        assert_eq!(source.take(body(records(&first.concat(), token)), now), Taken::More);
        assert_eq!(
            fetch(&mut source, &ledger, &mut now),
            "http://127.0.0.1:1/oai?verb=ListRecords&resumptionToken=from%253D2025-10-12%2526skip%253D6"
        );
        assert_eq!(now, tuesday() + TimeDelta::seconds(3));
        let second = record("2510.00001", "cs.CL", &[FRIDAY]) + &record("2510.00007", "cs.CL", &[FRIDAY]);
        assert_eq!(
            source.take(body(records(&second, "<resumptionToken/>")), now),
            Taken::More
        );
        assert!(fetch(&mut source, &ledger, &mut now).contains("set=stat&"));
        let Taken::Whole { parsed, name, .. } =
            source.take(body(answer("<error code='noRecordsMatch'>None.</error>")), now)
        else {
            panic!("whole")
        };
        assert_eq!(name, "arXiv OAI-PMH 2025-10-09 18:00 – 2025-10-10 18:00");
        let told: Vec<(&str, Announcement)> = parsed
            .items
            .iter()
            .map(|item| (item.paper.id.bare(), item.announcement))
            .collect();
        use Announcement::{CrossList, New, Replacement};
        assert_eq!(
            told,
            [
                ("2510.00001", New),
                ("2510.00002", New),
                ("2509.00003", Replacement),
                ("2510.00006", CrossList),
                ("2510.00007", New),
            ]
        );
        assert!(matches!(
            source.next(&[ledger[0], parsed.window.unwrap()], now + TimeDelta::seconds(3)),
            Next::Wait(_)
        ));
    }

    #[test]
    fn a_token_that_is_refused_or_has_expired_begins_the_window_anew() {
        let mut source = oai(&["cs.*"]);
        let mut now = tuesday();
        let page = |token: &str| body(records(&record("2510.00001", "cs.CL", &[FRIDAY]), token));
        let mut begun = 0;
        let told = loop {
            begun += u32::from(fetch(&mut source, &[], &mut now).contains("metadataPrefix"));
            assert_eq!(
                source.take(page("<resumptionToken>x</resumptionToken>"), now),
                Taken::More
            );
            fetch(&mut source, &[], &mut now);
            match source.take(body(answer("<error code='badResumptionToken'>Expired.</error>")), now) {
                Taken::More => {}
                Taken::Failed(reason) => break reason,
                Taken::Whole { .. } | Taken::Nothing | Taken::Empty { .. } => panic!("neither"),
            }
        };
        assert_eq!(begun, 4);
        assert!(
            told.contains("2025-10-09 18:00 – 2025-10-10 18:00") && told.contains("tokens"),
            "{told}"
        );
        // An hour later; this token is good for a minute, and the server is busy for longer.
        fetch(&mut source, &[], &mut now);
        let expires = (now + TimeDelta::minutes(1)).to_rfc3339();
        let token = format!("<resumptionToken expirationDate=\"{expires}\">y</resumptionToken>");
        assert_eq!(source.take(page(&token), now), Taken::More);
        assert!(fetch(&mut source, &[], &mut now).contains("resumptionToken=y"));
        let retry_after = Some(Duration::from_secs(120));
        assert_eq!(source.take(Fetched::Later { retry_after }, now), Taken::More);
        assert!(fetch(&mut source, &[], &mut now).contains("metadataPrefix"));
        assert!(matches!(source.take(page(""), now), Taken::Whole { parsed, .. } if parsed.items.len() == 1));
    }

    proptest! {
        #[test]
        fn no_answer_makes_it_hurry_or_go_round_for_ever(
            answers in prop::collection::vec((0_u8..7, 0_u8..3), 1..40),
        ) {
            let mut source = oai(&["cs.*"]);
            let mut now = tuesday();
            let mut last: Option<DateTime<Utc>> = None;
            for (kind, token) in answers {
                fetch(&mut source, &[], &mut now);
                prop_assert!(last.is_none_or(|last| now - last >= TimeDelta::seconds(3)));
                last = Some(now);
                let token = format!("<resumptionToken>{}</resumptionToken>", ["", "a", "b"][usize::from(token)]);
                let fetched = match kind {
                    0 => Fetched::Later { retry_after: None },
                    1 => Fetched::Failed { reason: "down".into(), transient: true },
                    2 => body(answer("<error code='noRecordsMatch'>None.</error>")),
                    3 => body(answer("<error code='badResumptionToken'>Bad.</error>")),
                    4 => body("<OAI-PMH>".into()),
                    _ => body(records(&record("2510.00001", "cs.CL", &[FRIDAY]), &token)),
                };
                if let Taken::Whole { parsed, .. } = source.take(fetched, now) {
                    let window = parsed.window.unwrap();
                    prop_assert!(parsed.items.len() <= 1 && calendar::announcement_of(window.from) <= now - AVAILABLE_AFTER);
                }
            }
        }
    }
}
