//! The daily papers of Hugging Face: a few dozen arXiv papers a day that people there hand in and vote on. The votes are a
//! score that no other source has; they grow for days, so a day is asked again until it is over.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::feed::{MAX_ABSTRACT, MAX_NAME, MAX_TITLE, capped};
use super::request::{Fetched, Next, Request, Source, Taken};
use super::{Announcement, Item, Parsed, RejectedItem, SourceError, SourceKind, Window};
use crate::markup;
use crate::paper::{Field, Paper, PaperId};

/// Where it is asked unless the configuration says otherwise; a query with the day is appended.
pub const ADDRESS: &str = "https://huggingface.co/api/daily_papers";

/// How long a running day is left alone.
const AGAIN: TimeDelta = TimeDelta::hours(3);
/// How long one is left alone that is over, was asked for and did not come.
const REFUSED: TimeDelta = TimeDelta::hours(12);
/// Between two requests.
const PAUSE: TimeDelta = TimeDelta::seconds(5);
/// How far back a day that was missed is asked.
const BACK: u64 = 14;
/// The most papers of a day that are read; a busy one has a hundred.
const MAX_PAPERS: usize = 500;

/// Hugging Face's daily papers, asked by day (in UTC): today and yesterday every three hours, and each day that was missed since
/// the first one that is wanted, up to a fortnight back, until it stands in the ledger. Each day is a window.
#[derive(Debug, Clone)]
pub struct HuggingFace {
    address: String,
    backfill_days: u32,
    memory: Memory,
    /// Which day was asked last.
    asked: Option<NaiveDate>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Memory {
    v: u32,
    /// The first day that is wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    since: Option<NaiveDate>,
    /// When each of the last days was asked last.
    days: BTreeMap<NaiveDate, DateTime<Utc>>,
    /// Those of them that did not come when they were asked last: what stands in the ledger is from before.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    refused: BTreeSet<NaiveDate>,
    /// Nothing before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    due: Option<DateTime<Utc>>,
    #[serde(default)]
    failures: u32,
}

impl HuggingFace {
    /// The daily papers at `address` ([`ADDRESS`]); a first start fetches `backfill_days` days beside the one that runs (14 at
    /// most, and yesterday in any case). `memory` is what it remembered ([`Source::memory`]).
    pub fn new(address: &str, backfill_days: u32, memory: Option<&str>) -> Self {
        let read = memory.and_then(|memory| serde_json::from_str::<Memory>(memory).ok());
        let memory = read.filter(|memory| memory.v == 1).unwrap_or_else(|| Memory {
            v: 1,
            ..Memory::default()
        });
        Self {
            address: address.trim_end_matches(['/', '?']).to_owned(),
            backfill_days,
            memory,
            asked: None,
        }
    }

    /// The day to ask now, else when there is one.
    fn due(&self, ledger: &[Window], now: DateTime<Utc>) -> Result<NaiveDate, DateTime<Utc>> {
        let today = now.date_naive();
        let days = &self.memory.days;
        let first = self.memory.since.unwrap_or(today);
        let mut next = now + AGAIN;
        for back in 0..=BACK {
            let Some(day) = today
                .checked_sub_days(Days::new(back))
                .filter(|day| back < 2 || *day >= first)
            else {
                break;
            };
            let Some(asked) = days.get(&day) else { return Ok(day) };
            // Votes of a day that was over for a day when it was asked are final.
            let over = (day + Days::new(2)).and_time(chrono::NaiveTime::MIN).and_utc();
            let is_over = *asked >= over;
            let came = !self.memory.refused.contains(&day);
            if is_over && came && ledger.contains(&Window::of_day(SourceKind::HuggingFace, day)) {
                continue;
            }
            let again = match back {
                0 | 1 => *asked + AGAIN,
                _ if is_over => *asked + REFUSED,
                _ => now,
            };
            if again <= now || *asked > now {
                return Ok(day);
            }
            next = next.min(again);
        }
        Err(next)
    }

    fn done(&mut self, day: NaiveDate, came: bool, now: DateTime<Utc>) {
        self.memory.days.insert(day, now);
        match came {
            true => self.memory.refused.remove(&day),
            false => self.memory.refused.insert(day),
        };
        self.memory.since = Some(self.memory.since.map_or(day, |since| since.min(day)));
        let oldest = now.date_naive() - Days::new(BACK + 1);
        self.memory.days.retain(|day, _| *day >= oldest);
        self.memory.refused.retain(|day| *day >= oldest);
        self.memory.due = Some(now + PAUSE);
    }

    fn back_off(&mut self, now: DateTime<Utc>, asked: Option<TimeDelta>) -> DateTime<Utc> {
        let doubled = TimeDelta::minutes(5) * (1_i32 << self.memory.failures.min(6));
        self.memory.failures = self.memory.failures.saturating_add(1);
        let due = now + asked.unwrap_or(doubled).clamp(PAUSE, TimeDelta::hours(6));
        self.memory.due = Some(due);
        due
    }
}

impl Source for HuggingFace {
    fn name(&self) -> &str {
        SourceKind::HuggingFace.name()
    }

    fn kind(&self) -> SourceKind {
        SourceKind::HuggingFace
    }

    fn next(&mut self, ledger: &[Window], now: DateTime<Utc>) -> Next {
        if let Some(due) = self.memory.due.filter(|due| *due > now) {
            return Next::Wait(due.min(now + TimeDelta::hours(6)));
        }
        let first = Days::new(u64::from(self.backfill_days).min(BACK));
        let first = now.date_naive().checked_sub_days(first);
        self.memory.since = self.memory.since.or(first);
        match self.due(ledger, now) {
            Ok(day) => {
                self.asked = Some(day);
                let joint = if self.address.contains('?') { '&' } else { '?' };
                Next::Fetch(Request::get(format!("{}{joint}date={day}", self.address)))
            }
            Err(next) => Next::Wait(next),
        }
    }

    fn take(&mut self, fetched: Fetched, now: DateTime<Utc>) -> Taken {
        let Some(day) = self.asked.take() else {
            return Taken::Nothing;
        };
        let name = format!("Hugging Face {day}");
        let reason = match fetched {
            Fetched::Body(body) => match parse(&body.bytes, now) {
                Ok(parsed) => {
                    self.memory.failures = 0;
                    self.done(day, true, now);
                    let window = Some(Window::of_day(SourceKind::HuggingFace, day));
                    // The day stands in the bytes, so that two empty days are not the same content.
                    let mut bytes = format!("{} {day}\n", SourceKind::HuggingFace).into_bytes();
                    bytes.extend(body.bytes);
                    return Taken::Whole {
                        parsed: Parsed { window, ..parsed },
                        name,
                        bytes,
                    };
                }
                Err(error) => error.to_string(),
            },
            Fetched::Unchanged => {
                self.done(day, false, now);
                return Taken::Nothing;
            }
            // Of a day that has not begun where they are, they say 400: it is asked with the next round.
            Fetched::Gone | Fetched::Failed { transient: false, .. } => {
                self.done(day, false, now);
                let due = self.back_off(now, None);
                return Taken::Failed(format!(
                    "{name} cannot be fetched from {}; the other days are asked from {} on",
                    self.address,
                    due.format("%H:%M UTC")
                ));
            }
            Fetched::Later { retry_after } => {
                let asked = retry_after.and_then(|after| TimeDelta::from_std(after).ok());
                let due = self.back_off(now, asked);
                return Taken::Failed(format!("{name}: asked to come later, at {}", due.format("%H:%M UTC")));
            }
            Fetched::Failed { reason, .. } => reason,
        };
        let due = self.back_off(now, None);
        Taken::Failed(format!(
            "{name} cannot be read: {reason}; it is tried again at {}",
            due.format("%H:%M UTC")
        ))
    }

    fn memory(&self) -> Option<String> {
        serde_json::to_string(&self.memory).ok()
    }
}

/// One entry, as far as anybody reads it; their interface has no documented schema, so everything but the id may be absent.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Listed {
    id: String,
    #[serde(default)]
    title: Option<String>,
    #[serde(default)]
    summary: Option<String>,
    #[serde(default)]
    authors: Vec<Author>,
    #[serde(default)]
    upvotes: Option<u64>,
    #[serde(default)]
    published_at: Option<String>,
    #[serde(default)]
    github_repo: Option<String>,
}

#[derive(Deserialize)]
struct Author {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    hidden: bool,
}

/// The papers of one answer, asked at `now`: votes are those of that moment.
///
/// # Errors
/// When it is no list.
pub fn parse(bytes: &[u8], now: DateTime<Utc>) -> Result<Parsed, SourceError> {
    let damaged = |line, reason: String| SourceError::Damaged { line, reason };
    let answer: Value =
        serde_json::from_slice(bytes).map_err(|error| damaged(error.line(), format!("this is no JSON: {error}")))?;
    let entries = match answer {
        Value::Array(entries) => entries,
        Value::Object(object) => {
            let said = object
                .get("error")
                .and_then(Value::as_str)
                .unwrap_or("an object in the place of a list");
            let said: String = said.chars().take(200).collect();
            return Err(damaged(1, format!("Hugging Face answered: {said}")));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            return Err(damaged(1, "this is no list of papers".to_owned()));
        }
    };
    let mut parsed = Parsed {
        source: SourceKind::HuggingFace,
        window: None,
        asked: None,
        items: Vec::new(),
        rejected: Vec::new(),
    };
    for (at, mut entry) in entries.into_iter().take(MAX_PAPERS).enumerate() {
        let listed = match entry.get_mut("paper").map(Value::take) {
            Some(paper) => paper,
            None => entry,
        };
        let named = listed
            .get("id")
            .and_then(Value::as_str)
            .map(|id| markup::cut(id, 80).to_owned());
        match serde_json::from_value::<Listed>(listed)
            .map_err(|error| error.to_string())
            .and_then(|l| paper(l, now))
        {
            Ok(paper) => parsed.items.push(Item {
                paper,
                announcement: Announcement::New,
            }),
            Err(reason) => parsed.rejected.push(RejectedItem {
                line: 1,
                item: named.unwrap_or_else(|| format!("entry {}", at + 1)),
                reason,
            }),
        }
    }
    Ok(parsed)
}

fn paper(listed: Listed, now: DateTime<Utc>) -> Result<Paper, String> {
    fn field<T>(value: T) -> Field<T> {
        Field::new(value, SourceKind::HuggingFace)
    }
    let id: PaperId = listed
        .id
        .parse()
        .map_err(|error: crate::paper::PaperIdError| error.to_string())?;
    if !matches!(id, PaperId::Arxiv(_)) {
        return Err(format!("“{}” is no arXiv id", markup::cut(&listed.id, 80)));
    }
    let mut paper = Paper::new(id);
    let some = |text: String| (!text.is_empty()).then(|| field(text));
    paper.title = some(capped(
        &markup::readable_line(listed.title.as_deref().unwrap_or_default()),
        MAX_TITLE,
    ));
    let summary = markup::readable(listed.summary.as_deref().unwrap_or_default());
    paper.abstract_text = some(capped(&summary, MAX_ABSTRACT));
    let names = listed
        .authors
        .into_iter()
        .filter(|author| !author.hidden)
        .filter_map(|author| author.name);
    let names: Vec<String> = names
        .map(|name| capped(&markup::readable_line(&name), MAX_NAME))
        .filter(|name| !name.is_empty())
        .collect();
    paper.authors = (!names.is_empty()).then(|| field(names));
    paper.submitted = listed
        .published_at
        .and_then(|at| DateTime::parse_from_rfc3339(&at).ok())
        .map(|at| at.to_utc());
    // Kept where a reader looks for it, unless the abstract has one.
    paper.comments = listed
        .github_repo
        .and_then(|repository| crate::text::code_repository(&repository))
        .filter(|_| crate::text::code_repository(paper.abstract_text()).is_none())
        .map(|repository| field(format!("Code: {repository}")));
    paper.upvotes = listed.upvotes.map(|votes| {
        let votes = u32::try_from(votes).unwrap_or(u32::MAX);
        Field::as_of(votes, SourceKind::HuggingFace, Some(now))
    });
    Ok(paper)
}

#[cfg(test)]
mod tests {
    use super::super::request::Body;
    use super::*;

    const DAY: &str = r#"[{"paper":{"id":"2510.00001","authors":[{"_id":"68e","user":{"_id":"6","fullname":"Ada"},"name":"Ada Lund","status":"claimed_verified","hidden":false},{"_id":"68f","name":"Bo Chen","hidden":true}],
        "publishedAt":"2025-10-08T14:03:00.000Z","submittedOnDailyAt":"2025-10-09T01:02:03.456Z","title":"A Small Cache: $O(\\log n)$ Reads","submittedOnDailyBy":{"_id":"6","user":"ada"},
        "summary":"We cache.\nWell &amp; fast.","upvotes":23,"discussionId":"68e7","projectPage":"https://ada.github.io","githubRepo":"https://github.com/ada/cache","githubStars":41,"ai_summary":"A cache.","ai_keywords":["cache"]},
        "publishedAt":"2025-10-08T10:03:00.000Z","title":"A Small Cache","summary":"We cache.","thumbnail":"https://cdn-thumbnails.huggingface.co/social-thumbnails/papers/2510.00001.png","numComments":2,"submittedBy":{"_id":"6"},"isAuthorParticipating":true},
        {"paper":{"id":"not-an-id","title":"Bad"}},{"paper":{"title":"No id"}},{"paper":{"id":"2510.00002","title":"Bare","upvotes":0}},7]"#;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn a_days_papers_come_with_their_votes_and_bad_ones_lose_no_other() {
        let now = at("2025-10-09T12:00:00Z");
        let parsed = parse(DAY.as_bytes(), now).unwrap();
        assert_eq!((parsed.items.len(), parsed.rejected.len()), (2, 3));
        let paper = &parsed.items[0].paper;
        assert_eq!(paper.id.to_string(), "arxiv:2510.00001");
        assert_eq!(paper.title(), "A Small Cache: O(log n) Reads");
        assert_eq!(paper.abstract_text(), "We cache. Well & fast.");
        assert_eq!(paper.authors(), ["Ada Lund"]);
        assert_eq!(
            paper.upvotes,
            Some(Field::as_of(23, SourceKind::HuggingFace, Some(now)))
        );
        assert_eq!(paper.code_link().as_deref(), Some("https://github.com/ada/cache"));
        assert_eq!(paper.submitted, Some(at("2025-10-08T14:03:00Z")));
        assert_eq!(parsed.rejected[0].item, "not-an-id");
    }

    #[test]
    fn an_error_in_their_words_and_a_bomb_are_told() {
        let refused = |json: &str| parse(json.as_bytes(), DateTime::default()).unwrap_err().to_string();
        assert!(refused(r#"{"error":"Invalid date"}"#).contains("Invalid date"));
        assert!(refused("<html>").contains("no JSON"));
        assert!(refused(&"[".repeat(10_000)).contains("recursion"));
    }

    /// Runs the source against a server that answers every day with nothing, and says which days it asked.
    fn asked(source: &mut HuggingFace, ledger: &mut Vec<Window>, now: DateTime<Utc>) -> Vec<String> {
        let mut now = now;
        let mut days = Vec::new();
        loop {
            match source.next(ledger, now) {
                Next::Fetch(request) => {
                    days.push(request.url.split_once("date=").unwrap().1.to_owned());
                    let body = Body {
                        bytes: b"[]".to_vec(),
                        ..Body::default()
                    };
                    let Taken::Whole { parsed, bytes, .. } = source.take(Fetched::Body(body), now) else {
                        panic!("an empty day is one, too")
                    };
                    let day = parsed.window.unwrap();
                    assert_eq!(bytes, format!("hugging-face {}\n[]", day.day()).into_bytes());
                    ledger.push(day);
                }
                Next::Wait(due) if due <= now + PAUSE => now = due,
                Next::Wait(_) => return days,
                Next::Ended(why) => panic!("{why}"),
            }
        }
    }

    #[test]
    fn today_and_yesterday_are_asked_again_and_missed_days_once() {
        let mut source = HuggingFace::new(ADDRESS, 1, None);
        let mut ledger = Vec::new();
        assert_eq!(
            asked(&mut source, &mut ledger, at("2025-10-09T12:00:00Z")),
            ["2025-10-09", "2025-10-08"]
        );
        assert_eq!(
            asked(&mut source, &mut ledger, at("2025-10-09T13:00:00Z")),
            Vec::<String>::new()
        );
        assert_eq!(
            asked(&mut source, &mut ledger, at("2025-10-09T15:01:00Z")),
            ["2025-10-09", "2025-10-08"]
        );
        // Away for three days; the 8th was asked before it was over for a day.
        let mut source = HuggingFace::new(ADDRESS, 1, source.memory().as_deref());
        let days = [
            "2025-10-13",
            "2025-10-12",
            "2025-10-11",
            "2025-10-10",
            "2025-10-09",
            "2025-10-08",
        ];
        assert_eq!(asked(&mut source, &mut ledger, at("2025-10-13T12:00:00Z")), days);
        assert_eq!(
            asked(&mut source, &mut ledger, at("2025-10-13T16:00:00Z")),
            ["2025-10-13", "2025-10-12"]
        );
        // Never further back than a fortnight.
        assert_eq!(asked(&mut source, &mut ledger, at("2025-12-01T12:00:00Z")).len(), 15);
    }

    #[test]
    fn a_first_start_goes_back_as_far_as_is_wanted_and_once() {
        let mut ledger = Vec::new();
        let mut source = HuggingFace::new(ADDRESS, 4, None);
        let now = at("2025-10-09T12:00:00Z");
        // It goes on after a restart in the middle.
        assert!(matches!(source.next(&ledger, now), Next::Fetch(_)));
        let mut source = HuggingFace::new(ADDRESS, 0, source.memory().as_deref());
        let days = ["2025-10-09", "2025-10-08", "2025-10-07", "2025-10-06", "2025-10-05"];
        assert_eq!(asked(&mut source, &mut ledger, now), days);
        assert_eq!(
            asked(&mut source, &mut ledger, now + TimeDelta::hours(4)),
            ["2025-10-09", "2025-10-08"]
        );
        let mut source = HuggingFace::new(ADDRESS, u32::MAX, None);
        assert_eq!(asked(&mut source, &mut Vec::new(), now).len(), 15);
    }

    #[test]
    fn a_day_that_did_not_come_is_asked_again_until_it_stands_in_the_ledger() {
        let mut source = HuggingFace::new(ADDRESS, 1, None);
        let mut ledger = Vec::new();
        asked(&mut source, &mut ledger, at("2025-10-09T12:00:00Z"));
        // The 9th is over when it is asked, and refused.
        let down = at("2025-10-11T01:00:00Z");
        asked(&mut source, &mut ledger, down);
        ledger.retain(|window| window.day().to_string() != "2025-10-09");
        assert!(!asked(&mut source, &mut ledger, down + TimeDelta::hours(11)).contains(&"2025-10-09".to_owned()));
        assert!(asked(&mut source, &mut ledger, down + TimeDelta::hours(13)).contains(&"2025-10-09".to_owned()));
        assert!(!asked(&mut source, &mut ledger, down + TimeDelta::hours(24)).contains(&"2025-10-09".to_owned()));
    }

    #[test]
    fn a_day_that_came_before_it_was_over_and_is_refused_afterwards_is_asked_again() {
        let mut source = HuggingFace::new(ADDRESS, 1, None);
        let mut ledger = Vec::new();
        assert!(asked(&mut source, &mut ledger, at("2025-10-09T12:00:00Z")).contains(&"2025-10-09".to_owned()));
        // Away for two days; today and yesterday come, the 9th is refused.
        let now = at("2025-10-11T12:00:00Z");
        let mut source = HuggingFace::new(ADDRESS, 1, source.memory().as_deref());
        for refused in [false, false, true] {
            source.memory.due = None;
            assert!(matches!(source.next(&ledger, now), Next::Fetch(_)));
            let reason = "404".to_owned();
            match refused {
                true => source.take(
                    Fetched::Failed {
                        reason,
                        transient: false,
                    },
                    now,
                ),
                false => source.take(
                    Fetched::Body(Body {
                        bytes: b"[]".to_vec(),
                        ..Body::default()
                    }),
                    now,
                ),
            };
        }
        let mut source = HuggingFace::new(ADDRESS, 1, source.memory().as_deref());
        assert!(asked(&mut source, &mut ledger, now + TimeDelta::hours(13)).contains(&"2025-10-09".to_owned()));
        assert!(!asked(&mut source, &mut ledger, now + TimeDelta::hours(26)).contains(&"2025-10-09".to_owned()));
    }

    #[test]
    fn a_day_that_is_refused_does_not_hold_up_the_others() {
        let mut ledger = Vec::new();
        let now = at("2025-10-09T00:10:00Z");
        let mut source = HuggingFace::new(ADDRESS, 1, None);
        source.next(&[], now);
        let refused = Fetched::Failed {
            reason: "400".to_owned(),
            transient: false,
        };
        assert!(matches!(source.take(refused, now), Taken::Failed(_)));
        let Next::Wait(due) = source.next(&[], now) else {
            panic!()
        };
        assert_eq!(asked(&mut source, &mut ledger, due), ["2025-10-08"]);
        let down = Fetched::Failed {
            reason: "no answer".to_owned(),
            transient: true,
        };
        let later = at("2025-10-09T06:00:00Z");
        source.next(&[], later);
        assert!(matches!(source.take(down, later), Taken::Failed(why) if why.contains("no answer")));
        assert!(matches!(source.next(&[], later), Next::Wait(_)));
    }
}
