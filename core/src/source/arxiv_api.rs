//! arXiv's query interface: every day of submissions as one window, asked for when arXiv has announced it and nothing else
//! has brought it. So it is the only source of an installation, or closes the gaps of its mailings, without being told.
//!
//! The answers are Atom with elements of OpenSearch and of arXiv's own (<https://info.arxiv.org/help/api/user-manual.html>).
//! What the manual does not say and this machine knows: a page can come empty although there is more, and the whole
//! answer can come empty although there are papers; both are asked for again. A query says when a paper was received,
//! not when it was announced: those that moderation held are received before their window, so each window looks back.

use std::collections::HashSet;

use chrono::{DateTime, TimeDelta, Utc};

use super::arxiv::{
    Document, Filler, Gatherer, Harvest, Interface, Job, Leaves, Place, Progress, abstract_of, asked, decoded,
    document, doi, doubled, is_withdrawn, list, tidy,
};
use super::request::{Body, Request, Taken};
use super::scope::Scope;
use super::{Announcement, Item, RejectedItem, SourceError, SourceKind};
use crate::paper::{Field, Paper, PaperId};

const KIND: SourceKind = SourceKind::ArxivApi;
/// Papers per answer; 2,000 at most (manual, §3.1.1.2).
const PAGE: u64 = 1000;
/// A query has no results beyond (manual, §3.1.1.2).
const MOST: u64 = 30_000;
/// "New articles are only available to the API on the midnight after the articles were processed" (manual, §3.3.1.1): four
/// hours after the announcement.
pub const AVAILABLE_AFTER: TimeDelta = TimeDelta::hours(4);
/// After an answer without a paper that should have some the day is left alone for so long: minutes, as the interface may be
/// fine a moment later, then hours.
const EMPTY_WAITS: [TimeDelta; 5] = [
    TimeDelta::minutes(2),
    TimeDelta::minutes(10),
    TimeDelta::hours(1),
    TimeDelta::hours(2),
    TimeDelta::hours(4),
];
/// A page that should not be empty is asked for again so many times before the window is put off.
const EMPTY_ASKS: u32 = 4;
/// The wait after the first one; it is quadrupled.
const EMPTY_WAIT: TimeDelta = TimeDelta::seconds(10);

/// The query interface as a source.
#[derive(Debug)]
pub struct ArxivApi {
    base_url: String,
    scope: Scope,
    gatherer: Gatherer<Pages>,
}

/// Which page of a window is next.
#[derive(Debug, Default)]
pub(super) struct Pages {
    since: DateTime<Utc>,
    start: u64,
    total: Option<u64>,
    empty: u32,
}

impl Progress for Pages {
    fn again(&mut self, harvest: &Harvest) {
        *self = Self {
            since: harvest.since(),
            empty: self.empty,
            ..Self::default()
        };
    }
}

impl ArxivApi {
    /// `base_url` is `https://export.arxiv.org/api/query` or what stands in for it; `categories` are such as `cs.CL` and
    /// `cs.*`, none for all, and the same ones as those of a mailing beside it; a first start fetches `backfill_days` days
    /// with announcements (14 at most). `memory` is what [`memory`](super::request::Source::memory) gave.
    pub fn new(base_url: impl Into<String>, categories: Vec<String>, backfill_days: u32, memory: Option<&str>) -> Self {
        Self {
            base_url: base_url.into(),
            scope: Scope::new(categories),
            gatherer: Gatherer::new("arXiv's API", Filler::new(backfill_days, AVAILABLE_AFTER, memory)),
        }
    }

    /// A page is empty although there are more papers: once more after a while, a few times, then the window is put off.
    fn empty_page(&mut self, mut job: Job<Pages>, now: DateTime<Utc>) -> Taken {
        job.at.empty += 1;
        if job.at.empty > EMPTY_ASKS {
            let why = "a page of it comes empty although there are more papers";
            return self.gatherer.put_off(&job, now, why);
        }
        let wait = doubled(EMPTY_WAIT, 2 * (job.at.empty - 1));
        self.gatherer.pace.later(now + wait);
        self.gatherer.go_on(job)
    }
}

impl Interface for ArxivApi {
    const KIND: SourceKind = KIND;
    type Progress = Pages;

    fn gatherer(&self) -> &Gatherer<Pages> {
        &self.gatherer
    }

    fn gatherer_mut(&mut self) -> &mut Gatherer<Pages> {
        &mut self.gatherer
    }

    fn scope(&self) -> &Scope {
        &self.scope
    }

    fn request(&self, job: &mut Job<Pages>, _: DateTime<Utc>) -> Request {
        let minute = |time: DateTime<Utc>| time.format("%Y%m%d%H%M").to_string();
        // Both ends are inclusive, in minutes: what was received at the end itself is another window's, and left out when
        // the answer is read.
        let mut query = format!(
            "submittedDate:[{} TO {}]",
            minute(job.at.since),
            minute(job.harvest.window.1)
        );
        let categories: Vec<String> = self
            .scope
            .iter()
            .map(|category| format!("cat:{}", pattern(category)))
            .collect();
        if !categories.is_empty() {
            query = format!("({}) AND {query}", categories.join(" OR "));
        }
        let parameters = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("search_query", &query)
            .append_pair("sortBy", "submittedDate")
            .append_pair("sortOrder", "ascending")
            .append_pair("start", &job.at.start.to_string())
            .append_pair("max_results", &PAGE.to_string())
            .finish();
        asked(&self.base_url, &parameters)
    }

    fn read(&mut self, mut job: Job<Pages>, body: &Body, now: DateTime<Utc>) -> Taken {
        let page = match read(&body.bytes, &self.scope) {
            Ok(page) => page,
            Err(error) => return self.gatherer.unreadable(job, now, &error),
        };
        self.gatherer.pace.answered(now);
        if page.total > MOST && job.at.since < job.harvest.window.0 {
            job.harvest.forget_late();
            job.again();
            return self.gatherer.go_on(job);
        }
        if page.total > MOST {
            let why = "it has more than 30,000 papers; name fewer `categories`";
            return self.gatherer.put_off(&job, now, why);
        }
        if job.at.total.is_some_and(|total| total != page.total) {
            let why = "the number of its papers changes with every page";
            return self.gatherer.anew(job, now, why);
        }
        job.at.total = Some(page.total);
        let entries = page.items.len() + page.rejected.len();
        if entries == 0 && job.at.start < page.total {
            return self.empty_page(job, now);
        }
        job.at.start += entries as u64;
        job.harvest.bytes(&body.bytes);
        job.harvest.reject(page.rejected);
        for item in page.items {
            // Without the time there is no telling: the query says that it is one of these.
            let place = item
                .paper
                .submitted
                .map_or(Place::Inside, |time| job.harvest.place(time));
            if place != Place::Elsewhere {
                job.harvest.add(item, place);
            }
        }
        if job.at.start < page.total {
            return self.gatherer.go_on(job);
        }
        if job.harvest.inside == 0
            && let Some(empty) = self.gatherer.empty::<Self>(&job, now, &self.scope, &EMPTY_WAITS)
        {
            return empty;
        }
        job.harvest.whole(KIND, "arXiv API", &self.scope)
    }
}

/// How a query says a category; a whole archive needs a star, unless it has nothing below it.
fn pattern(category: &str) -> String {
    const DIVIDED: [&str; 11] = [
        "astro-ph", "cond-mat", "cs", "econ", "eess", "math", "nlin", "physics", "q-bio", "q-fin", "stat",
    ];
    if DIVIDED.contains(&category) {
        format!("{category}.*")
    } else {
        category.to_owned()
    }
}

// ---- the answer ----

/// One answer, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// How many papers the query has in all (`opensearch:totalResults`).
    pub total: u64,
    /// Those on this page.
    pub items: Vec<Item>,
    /// Entries that could not be read.
    pub rejected: Vec<RejectedItem>,
}

/// Reads one answer. `categories` are those that are wanted: a paper whose first one is none of them is a cross-list.
///
/// # Errors
/// [`SourceError::Empty`], or [`SourceError::Damaged`] when it is no Atom feed, is cut off, or is an error of arXiv's, whose
/// words are in it.
pub fn parse(bytes: &[u8], categories: &[String]) -> Result<Page, SourceError> {
    read(bytes, &Scope::new(categories.to_vec()))
}

fn read(bytes: &[u8], scope: &Scope) -> Result<Page, SourceError> {
    let text = decoded(bytes);
    if text.trim().is_empty() {
        return Err(SourceError::Empty);
    }
    let damaged = |reason: String| SourceError::Damaged { line: 1, reason };
    let Document { pieces, frame } = document(&text, "entry").map_err(damaged)?;
    if frame.root() != "feed" {
        return Err(damaged(format!("this is no Atom feed but “{}”", frame.root())));
    }
    let total = frame.raw("feed/totalResults").find_map(|total| total.parse().ok());
    let total = total.ok_or_else(|| damaged("there is no number in “opensearch:totalResults”".to_owned()))?;
    let mut page = Page {
        total,
        items: Vec::new(),
        rejected: Vec::new(),
    };
    for (n, (line, piece)) in pieces.into_iter().enumerate() {
        let leaves = match Leaves::read(piece) {
            Ok(leaves) => leaves,
            Err(reason) => {
                let item = format!("entry {}", n + 1);
                page.rejected.push(RejectedItem { line, item, reason });
                continue;
            }
        };
        let id = leaves.raw("entry/id").next().unwrap_or_default();
        if id.contains("/api/errors") {
            let reason = leaves.text("entry/summary").unwrap_or_else(|| id.to_owned());
            return Err(SourceError::Damaged {
                line,
                reason: format!("arXiv says “{reason}”"),
            });
        }
        match item(&leaves, id, scope) {
            Ok(item) => page.items.push(item),
            Err(reason) => {
                let words: String = tidy(id).chars().take(60).collect();
                let item = if words.is_empty() {
                    format!("entry {}", n + 1)
                } else {
                    words
                };
                page.rejected.push(RejectedItem { line, item, reason });
            }
        }
    }
    Ok(page)
}

fn item(leaves: &Leaves, id: &str, scope: &Scope) -> Result<Item, String> {
    let (id, version) = match PaperId::parse_with_version(id) {
        Ok((id @ PaperId::Arxiv(_), version)) => (id, version),
        Ok((PaperId::Doi(_) | PaperId::Url(_), _)) | Err(_) => {
            return Err(format!(
                "“{id}” is no arXiv id such as http://arxiv.org/abs/2510.09212v1"
            ));
        }
    };
    let date = |name: &str| {
        let path = format!("entry/{name}");
        let text = leaves
            .raw(&path)
            .next()
            .ok_or_else(|| format!("there is no “{name}”"))?;
        let date = DateTime::parse_from_rfc3339(text);
        date.map(|date| date.to_utc())
            .map_err(|_| format!("“{name}” is “{text}”, which is no date such as 2025-10-08T08:47:07Z"))
    };
    let submitted = date("published")?;
    let mut paper = Paper::new(id);
    paper.version = version.unwrap_or(1);
    paper.submitted = Some(submitted);
    // Of a first version it only says when it was received, once more.
    paper.revised = (paper.version > 1).then(|| date("updated")).transpose()?;
    let as_of = paper.revised.or(paper.submitted);
    let told = |value: String| Field::as_of(value, KIND, as_of);
    paper.title = Some(told(leaves.text("entry/title").ok_or("there is no “title”")?));
    paper.authors = list(leaves.texts("entry/author/name").collect(), KIND, as_of);
    let mut known = HashSet::new();
    let institutions = leaves.texts("entry/author/affiliation");
    paper.institutions = list(
        institutions.filter(|name| known.insert(name.clone())).collect(),
        KIND,
        as_of,
    );
    let mut known = HashSet::new();
    let categories: Vec<String> = leaves
        .attributes("entry/primary_category", "term")
        .chain(leaves.attributes("entry/category", "term"))
        // Beside arXiv's categories stand those of MSC and ACM ("68T50; 68T05", "I.2.7").
        .filter(|term| is_category(term) && known.insert(*term))
        .map(str::to_owned)
        .collect();
    let announcement = scope.announcement(&categories);
    paper.categories = list(categories, KIND, as_of);
    paper.abstract_text = leaves.raw("entry/summary").find_map(abstract_of).map(told);
    paper.comments = leaves.text("entry/comment").map(told);
    paper.journal_ref = leaves.text("entry/journal_ref").map(told);
    paper.doi = leaves.raw("entry/doi").find_map(doi).map(told);
    let comments = paper.comments.as_ref().map_or("", |comments| &comments.value);
    let announcement = if is_withdrawn(comments) {
        Announcement::Withdrawal
    } else {
        announcement
    };
    Ok(Item { paper, announcement })
}

/// `cs.CL`, `hep-th`: an archive in small letters, and what is below it.
fn is_category(term: &str) -> bool {
    let (archive, below) = term.split_once('.').unwrap_or((term, ""));
    !archive.is_empty()
        && archive.bytes().all(|b| b.is_ascii_lowercase() || b == b'-')
        && below.bytes().all(|b| b.is_ascii_alphabetic() || b == b'-')
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::super::request::{Fetched, Next, Source};
    use super::*;
    use crate::pipeline;
    use crate::pipeline::fixture::Counting;
    use crate::source::{Parsed, Window, ledger};
    use crate::store::{ModelStore, Store as _, WindowRecord, Write};

    fn utc(text: &str) -> DateTime<Utc> {
        DateTime::parse_from_str(&format!("{text} +0000"), "%Y-%m-%d %H:%M %z")
            .unwrap()
            .to_utc()
    }

    fn feed(total: u64, entries: &str) -> String {
        format!(
            r#"<?xml version="1.0" encoding="UTF-8"?>
<feed xmlns="http://www.w3.org/2005/Atom">
  <link href="http://arxiv.org/api/query?search_query%3Dcat%3Acs.CL" rel="self" type="application/atom+xml"/>
  <title type="html">ArXiv Query: search_query=cat:cs.CL&amp;start=0</title>
  <id>http://arxiv.org/api/cHxbiOdZaP56ODnBPIenZhzg5f8</id>
  <updated>2025-10-10T00:00:00-04:00</updated>
  <opensearch:totalResults xmlns:opensearch="http://a9.com/-/spec/opensearch/1.1/">{total}</opensearch:totalResults>
  <opensearch:startIndex xmlns:opensearch="http://a9.com/-/spec/opensearch/1.1/">0</opensearch:startIndex>
  <opensearch:itemsPerPage xmlns:opensearch="http://a9.com/-/spec/opensearch/1.1/">1000</opensearch:itemsPerPage>
{entries}
</feed>
"#
        )
    }

    fn entry(id: &str, published: &str) -> String {
        format!(
            r#"  <entry>
    <id>http://arxiv.org/abs/{id}</id>
    <updated>2025-10-20T00:00:00Z</updated>
    <published>{published}</published>
    <title>On {id}</title>
    <summary>  Text of {id}.
</summary>
    <author><name>Ana Li</name></author>
    <arxiv:primary_category xmlns:arxiv="http://arxiv.org/schemas/atom" term="cs.CL"/>
    <category term="cs.CL" scheme="http://arxiv.org/schemas/atom"/>
  </entry>
"#
        )
    }

    const FULL: &str = r#"  <entry>
    <id>http://arxiv.org/abs/2510.00001v2</id>
    <updated>2025-10-12T09:00:00Z</updated>
    <published>2025-10-08T20:47:07Z</published>
    <title>A Title That Goes
  over the Line: $O(n^2)$ &amp; More</title>
    <summary>  First paragraph of 50\% less,
wrapped here.
  Second one, of $10^{-3}$.
</summary>
    <author>
      <name>Ana Est\'evez</name>
      <arxiv:affiliation xmlns:arxiv="http://arxiv.org/schemas/atom">ETH Z\"urich</arxiv:affiliation>
    </author>
    <author>
      <name>Bo Li</name>
      <arxiv:affiliation xmlns:arxiv="http://arxiv.org/schemas/atom">MIT</arxiv:affiliation>
      <arxiv:affiliation xmlns:arxiv="http://arxiv.org/schemas/atom">ETH Z\"urich</arxiv:affiliation>
    </author>
    <arxiv:doi xmlns:arxiv="http://arxiv.org/schemas/atom">10.1145/3717383.3719313</arxiv:doi>
    <link title="doi" href="http://dx.doi.org/10.1145/3717383.3719313" rel="related"/>
    <arxiv:comment xmlns:arxiv="http://arxiv.org/schemas/atom">12 pages,
 code: https://github.com/a/b_c</arxiv:comment>
    <arxiv:journal_ref xmlns:arxiv="http://arxiv.org/schemas/atom">Things 12 (2025)</arxiv:journal_ref>
    <link href="http://arxiv.org/abs/2510.00001v2" rel="alternate" type="text/html"/>
    <category term="cs.LG" scheme="http://arxiv.org/schemas/atom"/>
    <arxiv:primary_category xmlns:arxiv="http://arxiv.org/schemas/atom" term="cs.CL"/>
    <category term="cs.CL" scheme="http://arxiv.org/schemas/atom"/>
    <category term="68T50; I.2.7" scheme="http://arxiv.org/schemas/atom"/>
  </entry>
"#;

    #[test]
    fn an_entry_gives_every_field_that_it_has() {
        let page = parse(feed(1, FULL).as_bytes(), &["cs.*".to_owned()]).unwrap();
        assert_eq!((page.total, page.rejected), (1, vec![]));
        let [Item { paper, announcement }] = page.items.as_slice() else {
            panic!("one item")
        };
        assert_eq!(*announcement, Announcement::New);
        assert_eq!((paper.id.bare(), paper.version), ("2510.00001", 2));
        assert_eq!(paper.title(), "A Title That Goes over the Line: O(n²) & More");
        assert_eq!(paper.authors(), ["Ana Estévez", "Bo Li"]);
        assert_eq!(paper.institutions(), ["ETH Zürich", "MIT"]);
        assert_eq!(paper.categories(), ["cs.CL", "cs.LG"]);
        assert_eq!(
            paper.abstract_text(),
            "First paragraph of 50% less, wrapped here.\nSecond one, of 10⁻³."
        );
        assert_eq!(paper.code_link().as_deref(), Some("https://github.com/a/b_c"));
        assert_eq!(paper.journal_ref.as_ref().unwrap().value, "Things 12 (2025)");
        assert_eq!(paper.doi.as_ref().unwrap().value, "10.1145/3717383.3719313");
        assert_eq!(paper.submitted, Some(utc("2025-10-08 20:47") + TimeDelta::seconds(7)));
        assert_eq!(paper.revised, Some(utc("2025-10-12 09:00")));
        assert_eq!(paper.title.as_ref().unwrap().as_of, paper.revised);
    }

    #[test]
    fn a_paper_of_another_category_is_a_cross_list_and_one_taken_back_is_no_candidate() {
        let of = |text: &str, wanted: &str| {
            let page = parse(feed(1, text).as_bytes(), &[wanted.to_owned()]).unwrap();
            page.items[0].announcement
        };
        assert_eq!(of(FULL, "cs.LG"), Announcement::CrossList);
        let withdrawn = FULL.replace("12 pages,", "This paper has been withdrawn by the authors,");
        assert_eq!(of(&withdrawn, "cs.CL"), Announcement::Withdrawal);
    }

    #[test]
    fn a_bad_entry_is_set_aside_with_its_line_and_its_name() {
        let good = entry("2510.00002v1", "2025-10-08T20:00:00Z");
        let bad = [
            entry("2510.00003v1", "yesterday"),
            entry("2510.00004v1", "2025-10-08T20:00:00Z").replace("<title>On 2510.00004v1</title>", "<title></title>"),
            entry("nonsense", "2025-10-08T20:00:00Z"),
            entry("2510.00005v1", "2025-10-08T20:00:00Z").replace("</summary>", "</sum>"),
        ];
        let page = parse(feed(5, &format!("{}{good}", bad.concat())).as_bytes(), &[]).unwrap();
        assert_eq!(page.items.len(), 1);
        let told: Vec<String> = page.rejected.iter().map(ToString::to_string).collect();
        assert!(
            told[0].starts_with("line 10: http://arxiv.org/abs/2510.00003v1: “published” is “yesterday”"),
            "{told:?}"
        );
        assert!(told[1].contains("2510.00004v1: there is no “title”"), "{told:?}");
        assert!(told[2].contains("is no arXiv id"), "{told:?}");
        assert!(told[3].starts_with("line 43: entry 4: this is no XML"), "{told:?}");
    }

    #[test]
    fn what_is_no_answer_is_said_in_words() {
        let error = r#"<entry><id>http://arxiv.org/api/errors#incorrect_id_format_for_1234</id>
            <title>Error</title><summary>incorrect id format for 1234</summary></entry>"#;
        for (answer, words) in [
            (feed(1, error), "arXiv says “incorrect id format for 1234”"),
            (
                "<html><body><p>Rate exceeded.</p></body></html>".to_owned(),
                "no Atom feed but “html”",
            ),
            ("Rate exceeded.".to_owned(), "no Atom feed"),
            (
                feed(3, "").replace("totalResults", "results"),
                "opensearch:totalResults",
            ),
            (feed(3, FULL)[..2000].to_owned(), "ends in the middle"),
            (String::new(), "empty"),
        ] {
            let told = parse(answer.as_bytes(), &[]).unwrap_err().to_string();
            assert!(told.contains(words), "{told}");
        }
        let deep = format!("<entry>{}</entry>", "<a>".repeat(10_000));
        assert_eq!(parse(feed(1, &deep).as_bytes(), &[]).unwrap().rejected.len(), 1);
    }

    // ---- the machine ----

    /// What the machine asks for: `since`, `until`, `start`.
    fn asked(request: &Request) -> (String, String, u64) {
        let url = url::Url::parse(&request.url).unwrap();
        let value = |name: &str| url.query_pairs().find(|(key, _)| key == name).unwrap().1.into_owned();
        let query = value("search_query");
        let dates = query.split_once("submittedDate:[").unwrap().1.trim_end_matches(']');
        let (since, until) = dates.split_once(" TO ").unwrap();
        (since.to_owned(), until.to_owned(), value("start").parse().unwrap())
    }

    fn body(text: String) -> Fetched {
        Fetched::Body(Body {
            bytes: text.into_bytes(),
            ..Body::default()
        })
    }

    /// Waits as long as the machine wants and gives its request and when it came.
    fn fetch(api: &mut ArxivApi, ledger: &[Window], now: &mut DateTime<Utc>) -> Request {
        for _ in 0..100 {
            match api.next(ledger, *now) {
                Next::Fetch(request) => return request,
                Next::Wait(until) => *now = until,
                Next::Ended(why) => panic!("{why}"),
            }
        }
        panic!("it waits and waits")
    }

    fn api() -> ArxivApi {
        ArxivApi::new(
            "http://127.0.0.1:1/api/query",
            vec!["cs.CL".into(), "stat".into()],
            1,
            None,
        )
    }

    /// Friday's papers were announced on Sunday evening; it is Monday.
    fn monday() -> DateTime<Utc> {
        utc("2025-10-13 12:00")
    }

    #[test]
    fn a_window_is_asked_for_with_its_categories_and_bounds() {
        let Next::Fetch(request) = api().next(&[], monday()) else {
            panic!("a request")
        };
        assert_eq!(
            request.url,
            "http://127.0.0.1:1/api/query?search_query=%28cat%3Acs.CL+OR+cat%3Astat.*%29+AND+submittedDate%3A%5B202510091800\
             +TO+202510101800%5D&sortBy=submittedDate&sortOrder=ascending&start=0&max_results=1000"
        );
    }

    #[test]
    fn a_window_comes_whole_after_its_last_page_and_one_request_goes_every_three_seconds() {
        let (mut api, mut now) = (api(), monday());
        fetch(&mut api, &[], &mut now);
        let first = entry("2510.00002v1", "2025-10-09T18:00:00Z") + &entry("2510.00003v1", "2025-10-10T17:59:59Z");
        assert_eq!(api.take(body(feed(4, &first)), now), Taken::More);
        assert_eq!(api.next(&[], now), Next::Wait(now + TimeDelta::seconds(3)));
        let request = fetch(&mut api, &[], &mut now);
        assert_eq!((asked(&request).2, now), (2, monday() + TimeDelta::seconds(3)));
        // One that came before, and one that was received when the next window begins.
        let second = entry("2510.00003v1", "2025-10-10T17:59:59Z") + &entry("2510.00009v1", "2025-10-10T18:00:00Z");
        let Taken::Whole { parsed, name, bytes } = api.take(body(feed(4, &second)), now) else {
            panic!("whole")
        };
        assert_eq!(name, "arXiv API 2025-10-09 18:00 – 2025-10-10 18:00");
        let ids: Vec<&str> = parsed.items.iter().map(|item| item.paper.id.bare()).collect();
        assert_eq!(ids, ["2510.00002", "2510.00003"]);
        assert!(bytes.starts_with(b"arxiv-api 2025-10-09T18:00:00Z 2025-10-10T18:00:00Z\n"));
        let window = parsed.window.unwrap();
        assert_eq!(
            (window.from, window.to),
            (utc("2025-10-09 18:00"), utc("2025-10-10 18:00"))
        );
        // Nothing is left but the next announcement; the ledger is looked at every hour.
        now += TimeDelta::seconds(3);
        assert_eq!(api.next(&[window], now), Next::Wait(now + TimeDelta::hours(1)));
        assert_eq!(
            api.next(&[window], utc("2025-10-14 03:30")),
            Next::Wait(utc("2025-10-14 04:00")),
            "midnight in New York"
        );
        let request = fetch(&mut api, &[window], &mut utc("2025-10-14 04:00"));
        assert_eq!(asked(&request).1, "202510131800");
    }

    #[test]
    fn what_moderation_held_comes_with_a_later_window_and_other_windows_papers_do_not() {
        let mail = |from: &str, to: &str| Window {
            source: SourceKind::ArxivMail,
            from: utc(from),
            to: utc(to),
        };
        // Wednesday to Thursday is a gap of its own.
        let ledger = [
            mail("2025-10-07 18:00", "2025-10-08 18:00"),
            mail("2025-10-06 18:00", "2025-10-07 18:00"),
        ];
        let (mut api, mut now) = (api(), monday());
        let request = fetch(&mut api, &ledger, &mut now);
        assert_eq!(
            asked(&request),
            ("202510061800".to_owned(), "202510101800".to_owned(), 0)
        );
        let entries = [
            entry("2510.00001v1", "2025-10-06T17:59:59Z"),
            entry("2510.00002v1", "2025-10-07T09:00:00Z"),
            entry("2510.00003v1", "2025-10-09T09:00:00Z"),
            entry("2510.00004v1", "2025-10-10T09:00:00Z"),
        ];
        let Taken::Whole { parsed, .. } = api.take(body(feed(4, &entries.concat())), now) else {
            panic!("whole")
        };
        let ids: Vec<&str> = parsed.items.iter().map(|item| item.paper.id.bare()).collect();
        assert_eq!(ids, ["2510.00002", "2510.00004"]);
    }

    #[test]
    fn a_gap_of_three_days_closes_by_itself_newest_day_first() {
        let mut ledger = vec![Window {
            source: SourceKind::ArxivMail,
            from: utc("2025-10-06 18:00"),
            to: utc("2025-10-07 18:00"),
        }];
        let (mut api, mut now) = (api(), monday());
        let mut days = Vec::new();
        while let Next::Fetch(request) = {
            now += TimeDelta::seconds(3);
            api.next(&ledger, now)
        } {
            let (_, until, _) = asked(&request);
            let day =
                DateTime::parse_from_str(&format!("{until} +0000"), "%Y%m%d%H%M %z").unwrap() - TimeDelta::hours(1);
            let Taken::Whole { parsed, .. } = api.take(body(feed(1, &entry("2510.00001v1", &day.to_rfc3339()))), now)
            else {
                panic!("whole")
            };
            days.push(until);
            ledger.extend(parsed.window);
        }
        assert_eq!(days, ["202510101800", "202510091800", "202510081800"]);
        assert_eq!(
            ledger::uncovered(&ledger, utc("2025-10-06 18:00"), utc("2025-10-10 18:00")),
            []
        );
    }

    #[test]
    fn a_day_without_papers_is_left_alone_for_longer_and_longer_and_at_last_believed() {
        let (mut api, mut now) = (api(), monday());
        let (mut asked_at, mut waits, mut told) = (now, Vec::new(), Vec::new());
        let parsed: Parsed = loop {
            fetch(&mut api, &[], &mut now);
            waits.push((now - asked_at).num_minutes());
            asked_at = now;
            match api.take(body(feed(0, "")), now) {
                Taken::Empty { window, sentence } => {
                    assert_eq!(window.to, utc("2025-10-10 18:00"));
                    told.push(sentence);
                }
                Taken::Whole { parsed, .. } => break parsed,
                other @ (Taken::More | Taken::Nothing | Taken::Failed(_)) => panic!("{other:?}"),
            }
        };
        assert_eq!(waits, [0, 2, 10, 60, 120, 240]);
        assert_eq!(
            told[1],
            "arXiv's API has no paper of cs.CL, stat for 2025-10-09 18:00 – 2025-10-10 18:00, which arXiv announced (answer 2). \
             It is asked for again 2025-10-13 12:12 UTC; other days are not affected"
        );
        assert_eq!((told.len(), parsed.items, parsed.window.is_some()), (5, vec![], true));
    }

    #[test]
    fn a_day_without_papers_holds_no_other_one_up() {
        let mut api = ArxivApi::new("http://a/", vec!["cs.LLG".into()], 4, None);
        let mut now = monday();
        let mut days = Vec::new();
        while now < monday() + TimeDelta::seconds(110) {
            let (_, until, _) = asked(&fetch(&mut api, &[], &mut now));
            assert!(matches!(api.take(body(feed(0, "")), now), Taken::Empty { .. }));
            days.push((until, (now - monday()).num_seconds()));
        }
        let days: Vec<(&str, i64)> = days.iter().map(|(day, at)| (day.as_str(), *at)).collect();
        let newest_first = [
            ("202510101800", 0),
            ("202510091800", 3),
            ("202510081800", 6),
            ("202510071800", 9),
        ];
        assert_eq!(days.get(..4), Some(newest_first.as_slice()), "{days:?}");
        assert_eq!(days.get(4), Some(&("202510101800", 120)));
        // Failures are no reason to believe the first empty answer.
        let mut api = self::api();
        let window = (utc("2025-10-09 18:00"), utc("2025-10-10 18:00"));
        for _ in 0..9 {
            api.gatherer.filler.failed(window, now - TimeDelta::days(1));
        }
        fetch(&mut api, &[], &mut now);
        assert!(matches!(api.take(body(feed(0, "")), now), Taken::Empty { .. }));
    }

    #[test]
    fn an_empty_page_in_the_middle_is_asked_for_again_at_the_same_place() {
        let (mut api, mut now) = (api(), monday());
        fetch(&mut api, &[], &mut now);
        assert_eq!(
            api.take(body(feed(2, &entry("2510.00001v1", "2025-10-10T09:00:00Z"))), now),
            Taken::More
        );
        for wait in [3, 10, 40] {
            let before = now;
            let request = fetch(&mut api, &[], &mut now);
            assert_eq!((asked(&request).2, (now - before).num_seconds()), (1, wait));
            assert_eq!(api.take(body(feed(2, "")), now), Taken::More);
        }
        fetch(&mut api, &[], &mut now);
        let last = body(feed(2, &entry("2510.00002v1", "2025-10-10T09:00:00Z")));
        assert!(matches!(api.take(last, now), Taken::Whole { parsed, .. } if parsed.items.len() == 2));
    }

    #[test]
    fn a_total_that_changes_begins_the_window_anew_a_few_times() {
        let (mut api, mut now) = (api(), monday());
        let mut starts = Vec::new();
        let told = loop {
            let start = asked(&fetch(&mut api, &[], &mut now)).2;
            starts.push(start);
            let page = feed(10 + starts.len() as u64, &entry("2510.00001v1", "2025-10-10T09:00:00Z"));
            if let Taken::Failed(reason) = api.take(body(page), now) {
                break reason;
            }
        };
        assert_eq!(starts, [0, 1, 0, 1, 0, 1, 0, 1]);
        assert!(
            told.contains("2025-10-09 18:00") && told.contains("changes with every page"),
            "{told}"
        );
        // The day before is not held up.
        let mut older = ArxivApi::new("http://a/", vec![], 2, None);
        let failed = (utc("2025-10-09 18:00"), utc("2025-10-10 18:00"));
        older.gatherer.filler.failed(failed, now);
        assert_eq!(asked(&fetch(&mut older, &[], &mut now)).1, "202510091800");
    }

    #[test]
    fn while_oai_pmh_is_at_work_the_days_that_it_may_be_asked_for_are_left_to_it() {
        let mut api = ArxivApi::new("http://a/", vec![], 3, None);
        let mut now = monday();
        api.yields(true);
        let friday = fetch(&mut api, &[], &mut now);
        assert_eq!(asked(&friday).1, "202510101800", "announced four hours ago");
        let day = entry("2510.00001v1", "2025-10-10T09:00:00Z");
        let Taken::Whole { parsed, .. } = api.take(body(feed(1, &day)), now) else {
            panic!("whole")
        };
        let ledger = [parsed.window.unwrap()];
        now += TimeDelta::seconds(3);
        assert_eq!(api.next(&ledger, now), Next::Wait(now + TimeDelta::minutes(1)));
        // One that failed before is no reason to look at it again and again.
        let failed = (utc("2025-10-08 18:00"), utc("2025-10-09 18:00"));
        api.gatherer.filler.failed(failed, now - TimeDelta::hours(2));
        assert_eq!(api.next(&ledger, now), Next::Wait(now + TimeDelta::minutes(1)));
        // It rests, fails, or does not want them.
        api.yields(false);
        assert_eq!(asked(&fetch(&mut api, &ledger, &mut now)).1, "202510091800");
    }

    #[test]
    fn a_busy_server_is_given_the_time_that_it_asks_for_and_told_of_when_it_goes_on() {
        let (mut api, mut now) = (api(), monday());
        let mut answers = Vec::new();
        for seconds in [Some(120), None, None, None] {
            fetch(&mut api, &[], &mut now);
            let retry_after = seconds.map(Duration::from_secs);
            answers.push(api.take(Fetched::Later { retry_after }, now));
            let Next::Wait(until) = api.next(&[], now) else {
                panic!("it waits")
            };
            answers.push(Taken::Failed((until - now).num_seconds().to_string()));
        }
        let waits: Vec<&Taken> = answers.iter().skip(1).step_by(2).collect();
        let told = |text: &str| Taken::Failed(text.to_owned());
        assert_eq!(waits, [&told("120"), &told("30"), &told("60"), &told("120")]);
        assert!(answers.iter().step_by(2).take(3).all(|taken| *taken == Taken::More));
        assert!(matches!(&answers[6], Taken::Failed(reason) if reason.contains("4th time")));
    }

    #[test]
    fn a_window_that_always_fails_holds_no_other_one_up() {
        let mut api = ArxivApi::new("http://a/", vec![], 2, None);
        let mut now = monday();
        let down = || Fetched::Failed {
            reason: "500".into(),
            transient: true,
        };
        let asked: Vec<String> = (0..7)
            .map(|_| {
                let (_, until, _) = asked(&fetch(&mut api, &[], &mut now));
                assert!(matches!(api.take(down(), now), Taken::Failed(reason) if reason.contains("500")));
                until
            })
            .collect();
        assert_eq!(asked.iter().filter(|until| *until == "202510101800").count(), 6);
        assert_eq!(asked.last().map(String::as_str), Some("202510091800"));
        // Nor does one whose answers cannot be read.
        let mut api = ArxivApi::new("http://a/", vec![], 2, None);
        for until in [
            "202510101800",
            "202510101800",
            "202510101800",
            "202510101800",
            "202510091800",
        ] {
            assert_eq!(super::tests::asked(&fetch(&mut api, &[], &mut now)).1, until);
            assert!(matches!(api.take(body("<feed>".into()), now), Taken::Failed(_)));
        }
    }

    #[test]
    fn a_window_that_a_mailing_brought_meanwhile_is_not_fetched_on() {
        let (mut api, mut now) = (api(), monday());
        fetch(&mut api, &[], &mut now);
        assert_eq!(
            api.take(body(feed(9, &entry("2510.00001v1", "2025-10-10T09:00:00Z"))), now),
            Taken::More
        );
        let mail = Window {
            source: SourceKind::ArxivMail,
            from: utc("2025-10-09 18:00"),
            to: utc("2025-10-10 18:00"),
        };
        now += TimeDelta::seconds(3);
        assert_eq!(api.next(&[mail], now), Next::Wait(now + TimeDelta::hours(1)));
    }

    #[test]
    fn a_restart_remembers_from_when_on_papers_are_wanted() {
        let mut api = api();
        assert_eq!(api.memory(), None);
        fetch(&mut api, &[], &mut monday());
        let memory = api.memory().unwrap();
        let mut later = ArxivApi::new("http://a/", vec![], 1, Some(&memory));
        let mut windows = Vec::new();
        let mut now = utc("2025-10-16 12:00");
        while let Next::Fetch(request) = later.next(&windows, now) {
            let until = utc(&asked(&request)
                .1
                .chars()
                .enumerate()
                .fold(String::new(), |mut text, (n, c)| {
                    match n {
                        4 | 6 => text.push('-'),
                        8 => text.push(' '),
                        10 => text.push(':'),
                        _ => {}
                    }
                    text.push(c);
                    text
                }));
            let published = (until - TimeDelta::hours(1)).to_rfc3339();
            if let Taken::Whole { parsed, .. } = later.take(body(feed(1, &entry("2510.00001v1", &published))), now) {
                windows.extend(parsed.window);
            }
            now += TimeDelta::seconds(3);
        }
        assert_eq!(
            windows.iter().map(|window| window.from).min(),
            Some(utc("2025-10-09 18:00"))
        );
    }

    // ---- what was asked for ----

    /// A program with the machine alone: a store, arXiv, and what is remembered over restarts.
    struct Rig {
        store: ModelStore,
        memory: Option<String>,
        now: DateTime<Utc>,
    }

    impl Rig {
        fn start() -> Self {
            let (store, memory, now) = (ModelStore::new(), None, monday());
            Self { store, memory, now }
        }

        /// Runs with these categories for so many hours, and gives the days that were asked for, in order. arXiv has a paper
        /// of cs.CL and one of cs.LG for each day, received in its last hour.
        fn run(&mut self, categories: &[&str], hours: i64) -> Vec<String> {
            let categories = categories.iter().map(|category| (*category).to_owned()).collect();
            let mut api = ArxivApi::new("http://a/", categories, 2, self.memory.as_deref());
            let (end, mut days) = (self.now + TimeDelta::hours(hours), Vec::new());
            while self.now < end {
                let ledger = ledger::standing(&self.store.windows().unwrap(), api.asks());
                let request = match api.next(&ledger, self.now) {
                    Next::Fetch(request) => request,
                    Next::Wait(until) => {
                        self.now = until.min(end);
                        continue;
                    }
                    Next::Ended(why) => panic!("{why}"),
                };
                let (since, until, _) = asked(&request);
                let has: Vec<String> = ["10", "09"]
                    .into_iter()
                    .flat_map(|day| [(day, "cs.CL"), (day, "cs.LG")])
                    .filter(|(day, category)| {
                        let received = format!("202510{day}1700");
                        api.scope.covers(category) && since <= received && received < until
                    })
                    .map(|(day, category)| {
                        let number = if category == "cs.CL" { 1 } else { 2 };
                        entry(&format!("2510.{day}00{number}v1"), &format!("2025-10-{day}T17:00:00Z"))
                    })
                    .collect();
                let answer = feed(has.len() as u64, &has.concat());
                if let Taken::Whole { parsed, name, bytes } = api.take(body(answer), self.now) {
                    let render = Counting::default();
                    pipeline::accept(&self.store, &[], &render, &name, &bytes, parsed, self.now).unwrap();
                }
                days.push(until);
            }
            self.memory = api.memory();
            days
        }

        /// The candidates for a digest in their order, in which none ever moves.
        fn candidates(&self) -> Vec<String> {
            let all = self.store.intake(0, u64::MAX, 99).unwrap();
            all.into_iter().map(|record| record.paper.bare().to_owned()).collect()
        }
    }

    const BOTH_DAYS: [&str; 2] = ["202510101800", "202510091800"];

    #[test]
    fn a_day_that_was_believed_empty_is_asked_for_once_more_when_the_category_is_mended() {
        let mut rig = Rig::start();
        assert_eq!(rig.run(&["cs.CLL"], 9).len(), 12);
        assert_eq!(rig.store.windows().unwrap().len(), 2);
        assert_eq!(rig.run(&["cs.CLL"], 1), [""; 0]);
        assert_eq!(rig.run(&["cs.CL"], 2), BOTH_DAYS);
        assert_eq!(rig.candidates(), ["2510.10001", "2510.09001"]);
        let windows = rig.store.windows().unwrap();
        let told: Vec<_> = windows.iter().map(|w| (w.items, w.repeats, w.since, w.upto)).collect();
        assert_eq!(told, [(1, 0, 1, 2), (1, 0, 0, 1)]);
        // Back and forth: what was asked for once is known.
        assert_eq!(rig.run(&["cs.CLL"], 1), [""; 0]);
        assert_eq!(rig.run(&["cs.CL", "cs.CLL"], 1), [""; 0]);
    }

    #[test]
    fn more_categories_bring_their_papers_of_the_days_that_are_there_and_no_paper_twice() {
        let mut rig = Rig::start();
        assert_eq!(rig.run(&["cs.CL"], 2), BOTH_DAYS);
        assert_eq!(rig.run(&["cs.CL", "cs.LG"], 2), BOTH_DAYS);
        let all = ["2510.10001", "2510.09001", "2510.10002", "2510.09002"];
        assert_eq!(rig.candidates(), all);
        let windows = rig.store.windows().unwrap();
        let told: Vec<_> = windows
            .iter()
            .map(|w| (w.items, w.new_papers(), w.since, w.upto))
            .collect();
        assert_eq!(told, [(2, 2, 1, 4), (2, 2, 0, 3)]);
        assert_eq!(rig.run(&["cs.LG"], 2), [""; 0], "fewer are there");
        let mut other = Rig::start();
        for category in ["cs.CL", "cs.LG"] {
            assert_eq!(other.run(&[category], 2), BOTH_DAYS);
        }
        let windows = other.store.windows().unwrap();
        let told: Vec<_> = windows.iter().map(|w| (w.items, w.new_papers())).collect();
        assert_eq!(told, [(2, 2), (2, 2)], "no more of a day's papers are new than it has");
        // A mailing, and what was taken in before this was kept, stands for any.
        let any = rig.store.windows().unwrap().into_iter();
        let any = any.map(|record| Write::Window(WindowRecord { asked: None, ..record }));
        rig.store.commit(any.collect()).unwrap();
        assert_eq!(rig.run(&["math.CO"], 2), [""; 0]);
        assert_eq!(rig.candidates(), all);
    }

    proptest! {
        #[test]
        fn whatever_categories_come_and_go_their_papers_come_once_and_are_not_asked_for_again(
            turns in prop::collection::vec(prop::sample::subsequence(vec!["cs.CL", "cs.LG", "cs.*"], 1..=3), 1..6),
        ) {
            let mut rig = Rig::start();
            for categories in turns {
                let before = rig.candidates();
                let days = rig.run(&categories, 1);
                prop_assert!(days.is_empty() || days == BOTH_DAYS, "{days:?}");
                prop_assert_eq!(rig.run(&categories, 1), Vec::<String>::new());
                let now = rig.candidates();
                prop_assert!(now.starts_with(&before), "{before:?} {now:?}");
                for (category, paper) in [("cs.CL", "2510.10001"), ("cs.LG", "2510.09002")] {
                    let wanted = Scope::new(categories.iter().map(|c| (*c).to_owned())).covers(category);
                    prop_assert!(!wanted || now.iter().any(|id| id == paper), "{categories:?} {now:?}");
                }
            }
        }

        #[test]
        fn no_answer_makes_it_hurry_or_take_a_paper_of_another_day(
            answers in prop::collection::vec((0_u8..8, 0_u64..5, 0_i64..72), 1..40), covered in 0_i64..80,
        ) {
            let (mut api, mut now) = (api(), monday());
            let ledger = [Window {
                source: SourceKind::ArxivMail,
                from: utc("2025-10-06 18:00"),
                to: utc("2025-10-06 18:00") + TimeDelta::hours(covered + 1),
            }];
            let mut last: Option<DateTime<Utc>> = None;
            for (kind, total, hour) in answers {
                let request = fetch(&mut api, &ledger, &mut now);
                prop_assert!(last.is_none_or(|last| now - last >= TimeDelta::seconds(3)));
                prop_assert!(asked(&request).1.as_str() <= "202510251800");
                last = Some(now);
                let time = (monday() - TimeDelta::hours(66 + 24) + TimeDelta::hours(hour)).to_rfc3339();
                let fetched = match kind {
                    0 => Fetched::Later { retry_after: Some(Duration::from_secs(total)) },
                    1 => Fetched::Failed { reason: "down".into(), transient: true },
                    2 => body(feed(total, "")),
                    3 => body("<feed>".into()),
                    4 => Fetched::Unchanged,
                    _ => body(feed(total.max(1), &entry("2510.00001v1", &time))),
                };
                if let Taken::Whole { parsed, .. } = api.take(fetched, now) {
                    let window = parsed.window.unwrap();
                    for item in &parsed.items {
                        let time = item.paper.submitted.unwrap();
                        let before = ledger[0].from <= time && time < ledger[0].to;
                        prop_assert!(window.from <= time && time < window.to || before);
                    }
                }
            }
        }
    }
}
