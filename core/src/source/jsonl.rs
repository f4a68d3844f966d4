//! A JSON object per line: the form in which people hand over papers from anywhere. Whatever they call their fields is
//! understood, and a line that cannot be read loses no other.

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, Utc};
use serde_json::{Map, Value};

use super::feed::{MAX_ABSTRACT, MAX_TITLE, capped, is_arxiv_category, names_in};
use super::identity::Identity;
use super::polled::{Pace, Polled, shown};
use super::request::{Body, Fetched, Next, Source, Taken};
use super::{Announcement, Item, Parsed, RejectedItem, SourceError, SourceKind, Window};
use crate::paper::{Field, Paper, PaperId};
use crate::{institution, markup};

/// The most bytes of a line.
const MAX_LINE: usize = 1 << 20;
/// The most lines that are read.
const MAX_LINES: usize = 100_000;
/// The most lines that are named as unreadable.
const MAX_REJECTED: usize = 1_000;
/// The most values of a list.
const MAX_LIST: usize = 2_000;

/// A file of lines at an address, asked like a feed.
#[derive(Debug, Clone)]
pub struct Jsonl {
    name: String,
    polled: Polled,
}

impl Jsonl {
    /// The file at `url`, with what it remembered ([`Source::memory`]).
    pub fn new(url: &str, memory: Option<&str>) -> Self {
        Self {
            name: format!("jsonl:{}", shown(url)),
            polled: Polled::new(url, memory),
        }
    }
}

impl Source for Jsonl {
    fn name(&self) -> &str {
        &self.name
    }

    fn kind(&self) -> SourceKind {
        SourceKind::Jsonl
    }

    fn next(&mut self, _ledger: &[Window], now: DateTime<Utc>) -> Next {
        self.polled.next(now)
    }

    fn take(&mut self, fetched: Fetched, now: DateTime<Utc>) -> Taken {
        let taken = self.polled.take(fetched, now, |body: &Body, _| {
            parse(&body.bytes).map(|parsed| (parsed, Pace::default()))
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

/// Whether the first line that is not empty begins an object.
pub fn recognises(bytes: &[u8]) -> bool {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    bytes.trim_ascii_start().starts_with(b"{")
}

/// The papers of a file. Fields go by any of these names, in any case: `id`, `arxiv_id`, `arxiv`, `doi`, `url`, `link`;
/// `title`; `abstract`, `summary`; `authors` (names, or objects with a `name`); `categories`; `institutions`,
/// `affiliations`; `published`, `date`, `submitted`, `created`; `updated`, `revised`; `comments`, `comment`; `journal`;
/// `version`; `announcement` (`new`, `cross`, `replace`, `withdrawn`). Lines that begin with `#` are comments.
///
/// # Errors
/// When not one line is an object with a paper, since then it is another kind of file.
pub fn parse(bytes: &[u8]) -> Result<Parsed, SourceError> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut parsed = Parsed {
        source: SourceKind::Jsonl,
        window: None,
        asked: None,
        items: Vec::new(),
        rejected: Vec::new(),
    };
    let mut read = 0_usize;
    for (line, raw) in (1..).zip(bytes.split(|b| *b == b'\n')) {
        let raw = raw.trim_ascii();
        if raw.is_empty() || raw.starts_with(b"#") {
            continue;
        }
        read += 1;
        let reason = if read > MAX_LINES {
            format!("only the first {MAX_LINES} lines of a file are read; split it")
        } else {
            match item(raw) {
                Ok(item) => {
                    parsed.items.push(item);
                    continue;
                }
                Err(reason) => reason,
            }
        };
        parsed.rejected.push(RejectedItem {
            line,
            item: String::from_utf8_lossy(raw).chars().take(40).collect(),
            reason,
        });
        if read > MAX_LINES || parsed.rejected.len() > MAX_REJECTED {
            break;
        }
    }
    match parsed.rejected.first() {
        None if parsed.items.is_empty() => Err(SourceError::Empty),
        Some(first) if parsed.items.is_empty() => Err(SourceError::Damaged {
            line: first.line,
            reason: format!(
                "{}; a JSON object is expected on each line, such as {{\"id\": \"2510.00001\", \"title\": \"…\", \"abstract\": \"…\"}} \
                 (jq -c '.[]' makes lines of an array)",
                first.reason
            ),
        }),
        Some(_) | None => Ok(parsed),
    }
}

fn item(raw: &[u8]) -> Result<Item, String> {
    if raw.len() > MAX_LINE {
        return Err(format!("the line is longer than {} MiB", MAX_LINE >> 20));
    }
    let value: Value = serde_json::from_slice(raw).map_err(|error| match error.is_eof() {
        true => "the line breaks off; an object stands on one line".to_owned(),
        false => format!("it is no JSON: {error}"),
    })?;
    let Value::Object(object) = value else {
        return Err("it is no JSON object".to_owned());
    };
    let fields = Fields::of(object);
    let title = capped(&markup::readable_line(&fields.text(&["title"])), MAX_TITLE);
    let abstract_text = fields.text(&["abstract", "summary", "abstracttext"]);
    let abstract_text = capped(&markup::readable(&abstract_text), MAX_ABSTRACT);
    if !title.chars().any(char::is_alphanumeric) && abstract_text.is_empty() {
        return Err("it has neither a “title” nor an “abstract”".to_owned());
    }
    let mut names = Vec::new();
    for key in ["arxivid", "arxiv", "id", "doi", "url", "link"] {
        let said = fields.text(&[key]);
        // A bare number is an id here, since its field says so.
        let bare = matches!(key, "arxivid" | "arxiv" | "id")
            .then(|| said.parse::<PaperId>().ok())
            .flatten();
        match (bare, PaperId::parse_with_version(&said)) {
            (Some(PaperId::Arxiv(_)), Ok((id, version))) => {
                names.push(version.map_or(id.to_string(), |version| format!("{id}v{version}")));
            }
            (Some(_) | None, _) => names.push(said),
        }
    }
    let identity = Identity::of(names.iter().map(String::as_str));
    let (id, version) = match identity.best() {
        Some(best) => best,
        None => (PaperId::provisional(&title, &abstract_text), None),
    };
    let revised = fields.time(&["updated", "revised"]);
    let submitted = fields.time(&[
        "published",
        "submitted",
        "date",
        "created",
        "publisheddate",
        "publicationdate",
    ]);
    let as_of = revised.or(submitted);
    let text = |value: String| (!value.is_empty()).then(|| Field::as_of(value, SourceKind::Jsonl, as_of));
    let list = |values: Vec<String>| (!values.is_empty()).then(|| Field::as_of(values, SourceKind::Jsonl, as_of));

    let mut paper = Paper::new(id);
    let said = fields
        .get(&["version"])
        .and_then(Value::as_u64)
        .and_then(|n| u16::try_from(n).ok());
    paper.version = version.or(said).unwrap_or(1).max(1);
    paper.title = text(title);
    paper.abstract_text = text(abstract_text);
    paper.authors = list(names_in(fields.list(&["authors", "author"]).iter().map(String::as_str)));
    let categories = fields.list(&["categories", "category", "subjects"]);
    let words = categories
        .iter()
        .flat_map(|said| said.split([' ', ',', ';']))
        .map(str::to_owned);
    paper.categories = list(words.filter(|category| is_arxiv_category(category)).collect());
    let institutions = fields.list(&["institutions", "institution", "affiliations", "affiliation"]);
    paper.institutions = list(institution::repaired(&institutions));
    paper.comments = text(capped(
        &markup::readable_line(&fields.text(&["comments", "comment"])),
        MAX_TITLE,
    ));
    paper.journal_ref = text(capped(
        &markup::readable_line(&fields.text(&["journalref", "journal"])),
        MAX_TITLE,
    ));
    paper.doi = identity.doi().and_then(|doi| text(doi.to_owned()));
    paper.submitted = submitted;
    paper.revised = revised;
    let announcement = match fields.text(&["announcement", "announcetype"]).to_lowercase().as_str() {
        "replace" | "replacement" | "replace-cross" | "revised" => Announcement::Replacement,
        "withdrawn" | "withdrawal" => Announcement::Withdrawal,
        "cross" | "cross-list" => Announcement::CrossList,
        // Whoever hands over a paper wants it, in whichever version.
        _ => Announcement::New,
    };
    Ok(Item { paper, announcement })
}

/// An object's fields by their names without case, `_`, `-` and spaces.
struct Fields(Vec<(String, Value)>);

impl Fields {
    fn of(object: Map<String, Value>) -> Self {
        let plain = |name: &str| {
            name.chars()
                .filter(|c| c.is_alphanumeric())
                .flat_map(char::to_lowercase)
                .collect()
        };
        Self(
            object
                .into_iter()
                .take(200)
                .map(|(name, value)| (plain(&name), value))
                .collect(),
        )
    }

    /// The first of these that is there and says something.
    fn get(&self, names: &[&str]) -> Option<&Value> {
        names.iter().find_map(|name| {
            let (_, value) = self.0.iter().find(|(known, _)| known == name)?;
            (!value.is_null()).then_some(value)
        })
    }

    fn text(&self, names: &[&str]) -> String {
        match self.get(names) {
            Some(Value::String(text)) => text.trim().to_owned(),
            Some(Value::Number(number)) => number.to_string(),
            Some(Value::Array(all)) => all
                .iter()
                .filter_map(Value::as_str)
                .take(MAX_LIST)
                .collect::<Vec<_>>()
                .join(" "),
            Some(Value::Null | Value::Bool(_) | Value::Object(_)) | None => String::new(),
        }
    }

    /// A list of texts, of objects with a name, or one text.
    fn list(&self, names: &[&str]) -> Vec<String> {
        let named = |value: &Value| match value {
            Value::String(text) => Some(text.trim().to_owned()),
            Value::Object(object) => {
                let said = |key: &str| object.get(key).and_then(Value::as_str).map(str::trim);
                let whole = said("name")
                    .or(said("display_name"))
                    .or(said("full_name"))
                    .map(str::to_owned);
                whole.or_else(|| {
                    let (given, family) = (said("given").or(said("first"))?, said("family").or(said("last"))?);
                    Some(format!("{given} {family}"))
                })
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => None,
        };
        let found = match self.get(names) {
            Some(Value::Array(all)) => all.iter().take(MAX_LIST).filter_map(named).collect(),
            Some(one) => named(one).into_iter().collect(),
            None => Vec::new(),
        };
        found.into_iter().filter(|text: &String| !text.is_empty()).collect()
    }

    /// `2025-10-08T12:00:00Z`, `2025-10-08 12:00:00`, `2025-10-08`, seconds since 1970.
    fn time(&self, names: &[&str]) -> Option<DateTime<Utc>> {
        let said = self.get(names)?;
        if let Some(seconds) = said.as_i64() {
            return DateTime::from_timestamp(seconds, 0)
                .filter(|at| seconds > 100_000_000 && at.timestamp() < 7_000_000_000);
        }
        let said = said.as_str()?.trim();
        let zoned = DateTime::parse_from_rfc3339(said).or_else(|_| DateTime::parse_from_rfc2822(said));
        let wall = || {
            ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f"]
                .iter()
                .find_map(|form| NaiveDateTime::parse_from_str(said, form).ok())
        };
        let day = || {
            ["%Y-%m-%d", "%Y/%m/%d", "%Y%m%d"]
                .iter()
                .find_map(|form| NaiveDate::parse_from_str(said, form).ok())
                .map(|day| day.and_time(NaiveTime::MIN))
        };
        zoned
            .ok()
            .map(|at| at.to_utc())
            .or_else(|| wall().or_else(day).map(|at| at.and_utc()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn one(line: &str) -> Paper {
        let mut parsed = parse(line.as_bytes()).unwrap();
        assert_eq!((parsed.items.len(), parsed.rejected.len()), (1, 0), "{line}");
        parsed.items.remove(0).paper
    }

    #[test]
    fn fields_go_by_any_of_their_names() {
        for line in [
            r#"{"id":"2510.00001v2","title":"A <i>Cache</i>","abstract":"We win.","authors":["Ada Lund","Bo Chen"],"categories":["cs.LG","News"],"institutions":["School of EECS, Peking University"],"published":"2025-10-08","comments":"12 pages","doi":"10.1145/1.2"}"#,
            r#"{"ArXiv_ID":"arXiv:2510.00001v2","Title":"A Cache","Summary":"We win.","Authors":[{"name":"Ada Lund"},{"given":"Bo","family":"Chen"}],"category":"cs.LG","affiliations":"Peking University, China","Date":"2025-10-08T00:00:00Z","comment":"12 pages","DOI":"https://doi.org/10.1145/1.2"}"#,
            r#"{"url":"https://arxiv.org/abs/2510.00001v2","title":"A Cache","abstract":"We win.","authors":"Ada Lund and Bo Chen","categories":"cs.LG q","institution":"Peking University","submitted":1759881600,"comments":"12 pages","doi":"doi:10.1145/1.2"}"#,
        ] {
            let paper = one(line);
            assert_eq!(
                (paper.id.to_string().as_str(), paper.version),
                ("arxiv:2510.00001", 2),
                "{line}"
            );
            assert_eq!((paper.title(), paper.abstract_text()), ("A Cache", "We win."));
            assert_eq!(
                (paper.authors(), paper.categories()),
                (
                    &["Ada Lund".to_owned(), "Bo Chen".to_owned()][..],
                    &["cs.LG".to_owned()][..]
                )
            );
            assert_eq!(paper.institutions(), ["Peking University"]);
            assert_eq!(paper.submitted, Some("2025-10-08T00:00:00Z".parse().unwrap()));
            assert_eq!(paper.doi.unwrap().value, "10.1145/1.2");
            assert_eq!(paper.comments.unwrap().value, "12 pages");
        }
        assert!(one(r#"{"title":"Only a title"}"#).id.is_provisional());
        assert_eq!(
            one(r#"{"id":17,"url":"https://a.b/c","title":"T"}"#).id.to_string(),
            "url:https://a.b/c"
        );
    }

    #[test]
    fn each_bad_line_is_named_and_loses_no_other() {
        let long = format!("{{\"title\":\"{}\"}}", "x".repeat(60 << 20));
        let deep = format!("{{\"title\":{}", "[".repeat(10_000));
        let lines = [
            "# papers",
            "{\"id\":\"2510.00001\",\"title\":\"One\"}",
            "",
            "{\"id\":",
            &deep,
            &long,
            "[1]",
            "{\"id\":\"2510.00002\"}",
            "{\"id\":\"2510.00003\",\"title\":\"Three\"}\r",
        ];
        let parsed = parse(lines.join("\n").as_bytes()).unwrap();
        let ids: Vec<&str> = parsed.items.iter().map(|item| item.paper.id.bare()).collect();
        assert_eq!(ids, ["2510.00001", "2510.00003"]);
        let rejected: Vec<usize> = parsed.rejected.iter().map(|bad| bad.line).collect();
        assert_eq!(rejected, [4, 5, 6, 7, 8]);
        let reasons = parsed
            .rejected
            .iter()
            .map(|bad| bad.reason.as_str())
            .collect::<Vec<_>>()
            .join("\n");
        for reason in [
            "breaks off",
            "recursion",
            "longer than 1 MiB",
            "no JSON object",
            "neither",
        ] {
            assert!(reasons.contains(reason), "{reasons}");
        }
        assert!(parsed.rejected.iter().all(|bad| bad.item.chars().count() <= 40));
    }

    #[test]
    fn a_file_is_recognised_and_one_of_another_shape_told_what_to_do() {
        let parsed = crate::source::parse(b"\xef\xbb\xbf\n{\"title\":\"One\"}\n").unwrap();
        assert_eq!((parsed.source, parsed.items.len()), (SourceKind::Jsonl, 1));
        let pretty = parse(b"{\n  \"title\": \"One\"\n}").unwrap_err().to_string();
        assert!(pretty.contains("on each line"), "{pretty}");
        assert!(!recognises(b"[{\"title\":\"One\"}]") && !recognises(b"# report"));
    }

    #[test]
    fn a_second_version_that_somebody_hands_over_is_wanted_and_a_replacement_is_not() {
        let how = |more: &str| {
            let line = format!("{{\"id\":\"2510.00001v3\",\"title\":\"One\"{more}}}");
            parse(line.as_bytes()).unwrap().items[0].announcement
        };
        assert_eq!(how(""), Announcement::New);
        assert_eq!(how(",\"announcement\":\"replace\""), Announcement::Replacement);
    }

    proptest! {
        #[test]
        fn every_line_is_a_paper_or_is_named(lines in prop::collection::vec(prop_oneof![
            Just("{\"title\":\"T\"}".to_owned()), r#"\{"(id|title|date|authors)":("\PC{0,9}"|[0-9]{1,20}|\[\]|null)\}"#, r"\PC{0,20}"], 0..9)) {
            let text = lines.join("\n");
            if let Ok(parsed) = parse(text.as_bytes()) {
                let said = text.lines().filter(|line| !line.trim_ascii().is_empty() && !line.trim_ascii().starts_with('#'));
                prop_assert_eq!(parsed.items.len() + parsed.rejected.len(), said.count());
            }
        }
    }

    #[test]
    fn a_list_that_has_nothing_any_more_of_what_it_had_is_turned_over() {
        let lines = |ids: std::ops::Range<u32>| {
            let line = |id| format!("{{\"id\": \"2510.{id:05}\", \"title\": \"Paper number {id}\"}}\n");
            Fetched::Body(Body {
                bytes: ids.map(line).collect::<String>().into_bytes(),
                ..Body::default()
            })
        };
        let now = DateTime::UNIX_EPOCH;
        let mut source = Jsonl::new("https://a.example/papers.jsonl", None);
        let Taken::Whole { name, .. } = source.take(lines(1..201), now) else {
            panic!("whole")
        };
        assert!(!source.turned_over(), "there was nothing before");
        assert_eq!(
            (name.as_str(), name.as_str()),
            (source.name(), "jsonl:a.example/papers.jsonl")
        );
        // What stood at either end is remembered, over a restart too.
        for (ids, turned_over) in [(200..400, false), (176..201, false), (1..2, false), (300..400, true)] {
            let mut source = Jsonl::new("https://a.example/papers.jsonl", source.memory().as_deref());
            source.take(lines(ids.clone()), now);
            assert_eq!(source.turned_over(), turned_over, "{ids:?}");
            source.take(Fetched::Unchanged, now);
            assert!(!source.turned_over());
        }
        assert!(source.memory().unwrap().len() < 1_500);
    }
}
