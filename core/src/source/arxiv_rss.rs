//! arXiv's daily feeds: what was announced last, hours before the query interface has it, with what kind of announcement
//! each paper is. They hold one day and 2,000 papers at most, so they never close a gap and cover none.
//!
//! RSS 2.0 (`/rss/cs.CL`) and Atom (`/atom/cs.CL`) are the same list (<https://info.arxiv.org/help/rss.html>): made at
//! midnight in New York, dated of that day, empty at weekends.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use super::arxiv::{Document, Leaves, Pace, abstract_of, decoded, document, doi, list, named, tidy};
use super::arxiv_api::AVAILABLE_AFTER;
use super::arxiv_mail::Byline;
use super::request::{Body, Fetched, Next, Request, Source, Taken};
use super::scope::Scope;
use super::{Announcement, Item, Parsed, RejectedItem, SourceError, SourceKind, Window, calendar};
use crate::paper::{Field, Paper, PaperId};

const KIND: SourceKind = SourceKind::ArxivRss;
/// How often the feed is asked for while the one of the last announcement has not come.
const EVERY: TimeDelta = TimeDelta::hours(1);
/// And when it has come: the calendar may be wrong about a day off, and the feed does not wait.
const AT_REST: TimeDelta = TimeDelta::hours(6);

/// The daily feed as a source.
#[derive(Debug)]
pub struct ArxivRss {
    url: String,
    memory: Memory,
    pace: Pace,
    ended: bool,
}

/// What is remembered over restarts.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Memory {
    version: u8,
    /// The address that all this is about.
    url: String,
    etag: Option<String>,
    last_modified: Option<String>,
    /// Where the feed has moved for ever.
    moved_to: Option<String>,
    /// Until when the last feed that was not empty tells what was received.
    seen: Option<DateTime<Utc>>,
}

impl ArxivRss {
    /// `base_url` is `https://rss.arxiv.org/rss`, `https://rss.arxiv.org/atom` or what stands in for it; `categories` are
    /// such as `cs.CL` and `cs.*`. `memory` is what [`Source::memory`] gave after the last feed was taken in.
    pub fn new(base_url: impl Into<String>, categories: Vec<String>, memory: Option<&str>) -> Self {
        let base = base_url.into();
        let scope = Scope::new(categories);
        let names: Vec<&str> = scope
            .iter()
            .map(|name| name.strip_suffix(".*").unwrap_or(name))
            .collect();
        let url = format!("{}/{}", base.trim_end_matches('/'), names.join("+"));
        let known = memory.and_then(|memory| serde_json::from_str::<Memory>(memory).ok());
        let memory = known.filter(|memory| memory.url == url).unwrap_or_else(|| Memory {
            version: 1,
            url: url.clone(),
            ..Memory::default()
        });
        Self {
            url,
            memory,
            pace: Pace::default(),
            ended: false,
        }
    }

    fn body(&mut self, body: Body, now: DateTime<Utc>) -> Taken {
        let parsed = match parse(&body.bytes) {
            Ok(parsed) => parsed,
            Err(error) => {
                self.pace.failed(now, None);
                return Taken::Failed(format!(
                    "arXiv's feed {} cannot be read: {error}. It is asked for again {}",
                    self.url,
                    self.pace.again(now)
                ));
            }
        };
        self.pace.answered(now);
        self.pace.later(now + EVERY);
        self.memory.etag = body.etag;
        self.memory.last_modified = body.last_modified;
        self.memory.moved_to = body.moved_to.or_else(|| self.memory.moved_to.take());
        if parsed.items.is_empty() && parsed.rejected.is_empty() {
            return Taken::Nothing;
        }
        let name = match parsed.window {
            Some(window) => {
                self.memory.seen = Some(window.to);
                format!("arXiv RSS {}", named((window.from, window.to)))
            }
            None => format!("arXiv RSS {}", now.format("%Y-%m-%d %H:%M")),
        };
        Taken::Whole {
            parsed,
            name,
            bytes: body.bytes,
        }
    }
}

impl Source for ArxivRss {
    fn name(&self) -> &str {
        KIND.name()
    }

    fn kind(&self) -> SourceKind {
        KIND
    }

    fn next(&mut self, _: &[Window], now: DateTime<Utc>) -> Next {
        if self.ended {
            return Next::Ended(format!(
                "arXiv's feed {} is gone for ever (410); give its [[source]] another url",
                self.url
            ));
        }
        if let Some(until) = self.pace.wait(now) {
            return Next::Wait(until);
        }
        self.pace.step(now);
        Next::Fetch(Request {
            url: self.memory.moved_to.clone().unwrap_or_else(|| self.url.clone()),
            etag: self.memory.etag.clone(),
            last_modified: self.memory.last_modified.clone(),
        })
    }

    fn take(&mut self, fetched: Fetched, now: DateTime<Utc>) -> Taken {
        let taken = match fetched {
            Fetched::Body(body) => self.body(body, now),
            Fetched::Unchanged => {
                self.pace.answered(now);
                self.pace.later(now + EVERY);
                Taken::Nothing
            }
            Fetched::Later { retry_after } => return self.pace.put_off(now, retry_after, "arXiv's feed"),
            Fetched::Gone => {
                self.ended = true;
                return Taken::Failed(format!(
                    "arXiv's feed {} is gone for ever (410); give its [[source]] another url",
                    self.url
                ));
            }
            Fetched::Failed { reason, .. } => {
                self.pace.failed(now, None);
                return Taken::Failed(format!(
                    "arXiv's feed {} does not come: {reason}. It is asked for again {}",
                    self.url,
                    self.pace.again(now)
                ));
            }
        };
        let made = now - AVAILABLE_AFTER;
        if self
            .memory
            .seen
            .is_some_and(|seen| seen >= calendar::announced_until(made))
        {
            let next = calendar::next_announcement(made) + AVAILABLE_AFTER;
            self.pace.later(next.min(now + AT_REST));
        }
        taken
    }

    fn memory(&self) -> Option<String> {
        serde_json::to_string(&self.memory).ok()
    }
}

/// Reads a feed. Its window is the day of submissions whose announcement it lists; none where the calendar knows of no
/// announcement on that day.
///
/// # Errors
/// [`SourceError::Empty`], or [`SourceError::Damaged`] when it is neither RSS nor Atom, is cut off, or is an error of arXiv's,
/// whose words are in it.
pub fn parse(bytes: &[u8]) -> Result<Parsed, SourceError> {
    let text = decoded(bytes);
    if text.trim().is_empty() {
        return Err(SourceError::Empty);
    }
    let damaged = |reason: String| SourceError::Damaged { line: 1, reason };
    let (root, name) = if text.contains("<rss") {
        ("rss", "item")
    } else {
        ("feed", "entry")
    };
    let Document { pieces, frame } = document(&text, name).map_err(damaged)?;
    if frame.root() != root {
        return Err(damaged(format!("this is neither RSS nor Atom but “{}”", frame.root())));
    }
    let (title, words) = match root {
        "rss" => ("rss/channel/title", "rss/channel/description"),
        _ => ("feed/title", "feed/subtitle"),
    };
    if frame.text(title).is_some_and(|title| title.starts_with("Feed error")) {
        let words = frame.text(words).unwrap_or_default();
        return Err(damaged(format!("arXiv says “{words}”; see `categories`")));
    }
    let mut parsed = Parsed {
        source: KIND,
        window: None,
        asked: None,
        items: Vec::with_capacity(pieces.len()),
        rejected: Vec::new(),
    };
    let mut day = frame.raw("rss/channel/pubDate").find_map(day_of);
    for (n, (line, piece)) in pieces.into_iter().enumerate() {
        let entry = Leaves::read(piece).map_err(|reason| (format!("{name} {}", n + 1), reason));
        let read = entry.and_then(|leaves| {
            let dates = [format!("{name}/pubDate"), format!("{name}/published")];
            day = day.or_else(|| dates.iter().flat_map(|path| leaves.raw(path)).find_map(day_of));
            item(&leaves, name).map_err(|reason| {
                let title = leaves.text(&format!("{name}/title"));
                let words = title.map(|title| title.chars().take(60).collect());
                (words.unwrap_or_else(|| format!("{name} {}", n + 1)), reason)
            })
        });
        match read {
            Ok(item) => parsed.items.push(item),
            Err((item, reason)) => parsed.rejected.push(RejectedItem { line, item, reason }),
        }
    }
    parsed.window = day
        .and_then(calendar::listed_on)
        .map(|(from, to)| Window { source: KIND, from, to });
    Ok(parsed)
}

/// `Fri, 10 Oct 2025 00:00:00 -0400` or `2025-10-10T00:00:00-04:00`: the day in New York, where the feed is made.
fn day_of(text: &str) -> Option<NaiveDate> {
    let date = DateTime::parse_from_rfc2822(text).or_else(|_| DateTime::parse_from_rfc3339(text));
    date.ok()
        .map(|date| date.with_timezone(&Tz::America__New_York).date_naive())
}

fn item(leaves: &Leaves, name: &str) -> Result<Item, String> {
    let path = |field: &str| format!("{name}/{field}");
    let body = [path("description"), path("summary")];
    let body = body.iter().flat_map(|path| leaves.raw(path)).next().unwrap_or_default();
    let (head, abstract_lines) = body.split_once("Abstract:").unwrap_or((body, ""));
    // "oai:arXiv.org:2510.00001v1", "arXiv:2510.00001v1 Announce Type: new", "https://arxiv.org/abs/2510.00001".
    let named = [path("guid"), path("id")];
    let named = named.iter().flat_map(|path| leaves.raw(path));
    let named = named.filter_map(|id| id.strip_prefix("oai:arXiv.org:"));
    let links = path("link");
    let links = leaves.raw(&links).chain(leaves.attributes(&links, "href"));
    let ids = named.chain(head.split_whitespace().next()).chain(links);
    let (id, version) = ids
        .filter_map(|id| PaperId::parse_with_version(id).ok())
        .find(|(id, _)| matches!(id, PaperId::Arxiv(_)))
        .ok_or("neither its id nor its link has an arXiv id")?;
    let kind = leaves.text(&path("announce_type"));
    let kind = kind.or_else(|| head.split_once("Announce Type:").map(|(_, kind)| tidy(kind)));
    let kind = kind.ok_or("there is no “arxiv:announce_type”")?;
    let announcement = match kind.as_str() {
        "new" => Announcement::New,
        "cross" => Announcement::CrossList,
        "replace" | "replace-cross" | "absonly" => Announcement::Replacement,
        other => {
            return Err(format!(
                "“{other}” is no announcement: new, cross, replace or replace-cross"
            ));
        }
    };
    let told = |value: String| Field::new(value, KIND);
    let mut paper = Paper::new(id);
    paper.version = version.unwrap_or(1);
    paper.title = Some(told(leaves.text(&path("title")).ok_or("there is no “title”")?));
    let creators = [path("creator"), path("author/name")];
    let creators: Vec<String> = creators
        .iter()
        .map(|path| leaves.texts(path).collect::<Vec<_>>())
        .find(|names| !names.is_empty())
        .unwrap_or_default();
    let byline = Byline::new(&creators.join(", "));
    paper.authors = list(byline.authors, KIND, None);
    paper.institutions = list(byline.institutions, KIND, None);
    let category = path("category");
    let categories = leaves
        .texts(&category)
        .chain(leaves.attributes(&category, "term").map(str::to_owned));
    paper.categories = list(categories.collect(), KIND, None);
    paper.abstract_text = abstract_of(abstract_lines).map(told);
    paper.journal_ref = leaves.text(&path("journal_reference")).map(told);
    paper.doi = leaves.raw(&path("DOI")).find_map(doi).map(told);
    Ok(Item { paper, announcement })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn utc(text: &str) -> DateTime<Utc> {
        DateTime::parse_from_str(&format!("{text} +0000"), "%Y-%m-%d %H:%M %z")
            .unwrap()
            .to_utc()
    }

    fn rss(date: &str, items: &str) -> String {
        format!(
            r#"<?xml version='1.0' encoding='UTF-8'?>
<rss xmlns:arxiv="http://arxiv.org/schemas/atom" xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:atom="http://www.w3.org/2005/Atom" xmlns:content="http://purl.org/rss/1.0/modules/content/" version="2.0">
  <channel>
    <title>cs.CL updates on arXiv.org</title>
    <link>http://rss.arxiv.org/rss/cs.CL</link>
    <description>cs.CL updates on the arXiv.org e-print archive.</description>
    <atom:link href="http://rss.arxiv.org/rss/cs.CL" rel="self" type="application/rss+xml"/>
    <docs>http://www.rssboard.org/rss-specification</docs>
    <language>en-us</language>
    <lastBuildDate>{date}</lastBuildDate>
    <managingEditor>rss-help@arxiv.org</managingEditor>
    <pubDate>{date}</pubDate>
    <skipDays>
      <day>Sunday</day>
      <day>Saturday</day>
    </skipDays>
{items}
  </channel>
</rss>
"#
        )
    }

    fn item(id: &str, kind: &str) -> String {
        format!(
            r#"    <item>
      <title>On {id}: 50\% of
  $O(n^2)$</title>
      <link>https://arxiv.org/abs/{id}</link>
      <description>arXiv:{id}v2 Announce Type: {kind}
Abstract: Where a &lt; b, there is Est\'evez
and more.</description>
      <guid isPermaLink="false">oai:arXiv.org:{id}v2</guid>
      <category>cs.CL</category>
      <category>cs.AI</category>
      <pubDate>Fri, 10 Oct 2025 00:00:00 -0400</pubDate>
      <arxiv:announce_type>{kind}</arxiv:announce_type>
      <dc:rights>http://creativecommons.org/licenses/by/4.0/</dc:rights>
      <arxiv:DOI>10.1145/3717383.3719313</arxiv:DOI>
      <arxiv:journal_reference>Things 12 (2025)</arxiv:journal_reference>
      <dc:creator>Ana Est\'evez (ETH Zurich), Bo Li</dc:creator>
    </item>
"#
        )
    }

    const FRIDAY: &str = "Fri, 10 Oct 2025 00:00:00 -0400";

    #[test]
    fn an_item_gives_its_fields_and_how_it_was_announced() {
        let items: String = ["new", "cross", "replace", "replace-cross"]
            .iter()
            .enumerate()
            .map(|(n, kind)| item(&format!("2510.0000{n}"), kind))
            .collect();
        let parsed = parse(rss(FRIDAY, &items).as_bytes()).unwrap();
        let kinds: Vec<Announcement> = parsed.items.iter().map(|item| item.announcement).collect();
        use Announcement::{CrossList, New, Replacement};
        assert_eq!(kinds, [New, CrossList, Replacement, Replacement]);
        // Friday morning's list is what was received until Thursday, 14:00 in New York.
        let window = parsed.window.unwrap();
        assert_eq!(
            (window.from, window.to),
            (utc("2025-10-08 18:00"), utc("2025-10-09 18:00"))
        );
        let paper = &parsed.items[0].paper;
        assert_eq!((paper.id.bare(), paper.version), ("2510.00000", 2));
        assert_eq!(paper.title(), "On 2510.00000: 50% of O(n²)");
        assert_eq!(paper.abstract_text(), "Where a < b, there is Estévez and more.");
        assert_eq!(paper.authors(), ["Ana Estévez", "Bo Li"]);
        assert_eq!(paper.institutions(), ["ETH Zurich"]);
        assert_eq!(paper.categories(), ["cs.CL", "cs.AI"]);
        assert_eq!(paper.doi.as_ref().unwrap().value, "10.1145/3717383.3719313");
        assert_eq!(paper.journal_ref.as_ref().unwrap().value, "Things 12 (2025)");
    }

    #[test]
    fn the_atom_feed_is_the_same_list() {
        let entry = item("2510.00001", "cross")
            .replace("<item>", "<entry>")
            .replace("</item>", "</entry>")
            .replace("<guid isPermaLink=\"false\">", "<id>")
            .replace("</guid>", "</id>")
            .replace("description>", "summary>")
            .replace("<category>cs.CL</category>", r#"<category term="cs.CL"/>"#)
            .replace("<category>cs.AI</category>", r#"<category term="cs.AI"/>"#)
            .replace(
                "<link>",
                r#"<link href="https://arxiv.org/abs/2510.00001" rel="alternate"/><x>"#,
            )
            .replace("</link>", "</x>")
            .replace(
                "<pubDate>Fri, 10 Oct 2025 00:00:00 -0400</pubDate>",
                "<published>2025-10-10T00:00:00-04:00</published>",
            );
        let feed = format!(
            r#"<feed xmlns:arxiv="http://arxiv.org/schemas/atom" xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns="http://www.w3.org/2005/Atom" xml:lang="en-us">
  <id>http://rss.arxiv.org/atom/cs.CL</id><title>cs.CL updates on arXiv.org</title><updated>2025-10-10T04:00:21+00:00</updated>
{entry}</feed>"#
        );
        let rss = parse(rss(FRIDAY, &item("2510.00001", "cross")).as_bytes()).unwrap();
        assert_eq!(parse(feed.as_bytes()).unwrap(), rss);
    }

    #[test]
    fn what_cannot_be_read_is_named_and_the_rest_goes_on() {
        let items = [
            item("2510.00001", "new"),
            item("2510.00002", "announced"),
            item("2510.00003", "new").replace("2510.00003", "x"),
            item("2510.00004", "new").replace("</dc:creator>", ""),
        ];
        let parsed = parse(rss(FRIDAY, &items.concat()).as_bytes()).unwrap();
        assert_eq!(parsed.items.len(), 1);
        let told: Vec<String> = parsed.rejected.iter().map(ToString::to_string).collect();
        assert!(
            told[0].contains("On 2510.00002") && told[0].contains("“announced” is no announcement"),
            "{told:?}"
        );
        assert!(told[1].contains("arXiv id"), "{told:?}");
        assert!(told[2].contains("item 4: this is no XML"), "{told:?}");
        let error = rss(FRIDAY, "")
            .replace(
                "cs.CL updates on arXiv.org",
                "Feed error for query: http://rss.arxiv.org/rss/cs.XX",
            )
            .replace(
                "cs.CL updates on the arXiv.org e-print archive.",
                "Bad archive 'cs.XX'.",
            );
        for (answer, words) in [
            (error.as_str(), "arXiv says “Bad archive 'cs.XX'.”"),
            ("<html></html>", "neither RSS nor Atom"),
            ("", "empty"),
            ("<rss><channel><item><title>x", "ends in the middle"),
        ] {
            let told = parse(answer.as_bytes()).unwrap_err().to_string();
            assert!(told.contains(words), "{told}");
        }
    }

    fn body(text: String, etag: &str) -> Fetched {
        Fetched::Body(Body {
            bytes: text.into_bytes(),
            etag: Some(etag.to_owned()),
            last_modified: Some(FRIDAY.to_owned()),
            ..Body::default()
        })
    }

    fn fetch(rss: &mut ArxivRss, now: &mut DateTime<Utc>) -> Request {
        for _ in 0..3 {
            match rss.next(&[], *now) {
                Next::Fetch(request) => return request,
                Next::Wait(until) => *now = until,
                Next::Ended(why) => panic!("{why}"),
            }
        }
        panic!("it waits and waits")
    }

    #[test]
    fn the_feed_is_asked_for_every_hour_until_the_last_announcement_is_in_it_then_at_the_next_one() {
        let mut source = ArxivRss::new("http://127.0.0.1:1/rss/", vec!["cs.*".into(), "stat.ML".into()], None);
        let mut now = utc("2025-10-10 03:00");
        let request = fetch(&mut source, &mut now);
        assert_eq!(request, Request::get("http://127.0.0.1:1/rss/cs+stat.ML"));
        // Yesterday's feed still, before midnight in New York; nothing new comes before.
        let thursday = rss("Thu, 09 Oct 2025 00:00:00 -0400", &item("2510.00001", "new"));
        assert!(matches!(source.take(body(thursday, "a"), now), Taken::Whole { .. }));
        let request = fetch(&mut source, &mut now);
        assert_eq!((now, request.etag.as_deref()), (utc("2025-10-10 04:00"), Some("a")));
        assert_eq!(request.last_modified.as_deref(), Some(FRIDAY));
        // Midnight has passed, and the feed is late.
        for hour in ["2025-10-10 05:00", "2025-10-10 06:00"] {
            assert_eq!(source.take(Fetched::Unchanged, now), Taken::Nothing);
            fetch(&mut source, &mut now);
            assert_eq!(now, utc(hour));
        }
        let Taken::Whole { parsed, name, .. } = source.take(body(rss(FRIDAY, &item("2510.00002", "new")), "b"), now)
        else {
            panic!("whole")
        };
        assert_eq!(
            (parsed.items.len(), name.as_str()),
            (1, "arXiv RSS 2025-10-08 18:00 – 2025-10-09 18:00")
        );
        // Now it is quiet until Monday, and looked at four times a day, also after a restart.
        let memory = source.memory().unwrap();
        let mut again = ArxivRss::new(
            "http://127.0.0.1:1/rss",
            vec!["stat.ML".into(), "cs.*".into()],
            Some(&memory),
        );
        assert_eq!(source.next(&[], now), Next::Wait(utc("2025-10-10 12:00")));
        assert_eq!(fetch(&mut again, &mut now).etag.as_deref(), Some("b"));
        let saturday = rss("Sat, 11 Oct 2025 00:00:00 -0400", "");
        assert_eq!(again.take(body(saturday, "c"), now), Taken::Nothing);
        assert_eq!(again.next(&[], now), Next::Wait(utc("2025-10-10 12:00")));
        // Of other categories that memory says nothing.
        let mut other = ArxivRss::new("http://127.0.0.1:1/rss", vec!["cs.CL".into()], Some(&memory));
        assert_eq!(fetch(&mut other, &mut now).etag, None);
    }

    #[test]
    fn a_feed_that_has_moved_is_asked_for_there_and_one_that_is_gone_ends() {
        let mut source = ArxivRss::new("http://127.0.0.1:1/rss", vec!["cs.CL".into()], None);
        let mut now = utc("2025-10-10 12:00");
        fetch(&mut source, &mut now);
        let moved = Fetched::Body(Body {
            bytes: rss(FRIDAY, &item("2510.00001", "new")).into_bytes(),
            moved_to: Some("http://127.0.0.1:2/rss/cs.CL".into()),
            ..Body::default()
        });
        assert!(matches!(source.take(moved, now), Taken::Whole { .. }));
        assert_eq!(fetch(&mut source, &mut now).url, "http://127.0.0.1:2/rss/cs.CL");
        assert!(matches!(source.take(Fetched::Gone, now), Taken::Failed(_)));
        assert!(matches!(source.next(&[], now), Next::Ended(_)));
    }

    proptest! {
        #[test]
        fn any_feed_is_read_or_refused_in_words(text in "(<item>|</item>|<title>x</title>|<guid>oai:arXiv.org:2510.00001v1</guid>|&lt;|é|<b>|<arxiv:announce_type>new</arxiv:announce_type>){0,12}") {
            match parse(rss(FRIDAY, &text).as_bytes()) {
                Ok(parsed) => prop_assert!(parsed.items.iter().all(|item| item.paper.title() == "x")),
                Err(error) => prop_assert!(!error.to_string().is_empty()),
            }
        }
    }
}
