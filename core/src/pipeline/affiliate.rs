//! Which papers somebody should be asked about for their institutions, and what became of asking. Only papers that a digest
//! may have are asked for: each answer is a request to a stranger.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::readable;
use crate::channel::Seq;
use crate::paper::{Paper, PaperId};
use crate::source::affiliation::{self, Kind};
use crate::store::{MemoSpace, Result, Store, Write};
use crate::topic::Topic;

/// How far back in the order of intake papers are looked at: a few days of a large mailing.
const BACK: Seq = 3_000;
/// How many digests are looked at for papers that rules and keywords brought.
const DIGESTS: usize = 20;
/// A paper that came longer ago stays as it is.
const LATEST: TimeDelta = TimeDelta::days(5);
/// After how long somebody who could not answer is asked again; it is doubled each time.
const PAUSE: TimeDelta = TimeDelta::minutes(10);
/// How often.
const TRIES: u32 = 5;

/// What became of asking about a paper, kept under its id in [`MemoSpace::Affiliation`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Tried {
    /// Who has answered, or is not asked any more.
    done: Vec<Kind>,
    /// How often the one who is asked now could not answer.
    #[serde(default)]
    failures: u32,
    /// When to ask again.
    #[serde(default)]
    next: Option<DateTime<Utc>>,
}

/// How asking went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// There was an answer, be it that nothing is known.
    Answered,
    /// There was none.
    Failed,
}

/// Papers to ask about, and whom; at most `limit`, those that came last first.
///
/// # Errors
/// Only when the store fails.
pub fn unaffiliated(
    store: &dyn Store,
    topics: &[Topic],
    available: &[Kind],
    limit: usize,
    now: DateTime<Utc>,
) -> Result<Vec<(Paper, Kind)>> {
    let head = store.head()?;
    let mut ids: BTreeSet<(Seq, PaperId)> = BTreeSet::new();
    for topic in topics {
        let kept = store.matches(&topic.id, head.saturating_sub(BACK), head)?;
        ids.extend(kept.into_iter().map(|kept| (kept.seq, kept.paper)));
    }
    for digest in store.digests(None, DIGESTS)? {
        if digest.occurrence < now - LATEST {
            break;
        }
        for entry in readable(store.digest(&digest))?
            .map(|digest| digest.entries)
            .unwrap_or_default()
        {
            if let Some(intake) = readable(store.intake_of(&entry.paper))? {
                ids.insert((intake.seq, intake.paper));
            }
        }
    }
    let mut wanted = Vec::new();
    for (_, id) in ids.into_iter().rev() {
        if wanted.len() == limit {
            break;
        }
        let Some(paper) = readable(store.paper(&id))? else {
            continue;
        };
        let Some(intake) = readable(store.intake_of(&id))? else {
            continue;
        };
        let tried = tried(store, &paper.id)?;
        if intake.taken_at < now - LATEST || tried.next.is_some_and(|next| next > now) {
            continue;
        }
        if let Some(kind) = affiliation::next(&paper, available, &tried.done) {
            wanted.push((paper, kind));
        }
    }
    Ok(wanted)
}

/// Notes how asking went.
///
/// # Errors
/// Only when the store fails.
pub fn affiliated(store: &dyn Store, paper: &PaperId, kind: Kind, asked: Asked, now: DateTime<Utc>) -> Result<()> {
    let mut tried = tried(store, paper)?;
    match asked {
        Asked::Failed if tried.failures + 1 < TRIES => {
            let pause = PAUSE * 2_i32.saturating_pow(tried.failures);
            tried.failures += 1;
            tried.next = Some(now + pause);
        }
        Asked::Answered | Asked::Failed => {
            tried.done.push(kind);
            tried.failures = 0;
            tried.next = None;
        }
    }
    store.commit(vec![Write::Memo {
        space: MemoSpace::Affiliation,
        key: key(paper),
        value: serde_json::to_string(&tried).ok(),
    }])
}

fn tried(store: &dyn Store, paper: &PaperId) -> Result<Tried> {
    let record = store.memo(MemoSpace::Affiliation, &key(paper))?;
    // One that cannot be read is as if nobody had been asked.
    Ok(record
        .and_then(|record| serde_json::from_str(&record).ok())
        .unwrap_or_default())
}

/// Addresses can be longer than a key may be.
fn key(paper: &PaperId) -> String {
    let id = paper.to_string();
    match id.len() {
        0..=150 => id,
        _ => format!("{:016x}", crate::text::hash64(&[&id])),
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{news, october, paper, take, topic};
    use super::*;
    use crate::store::ModelStore;

    #[test]
    fn papers_that_a_topic_keeps_are_asked_for_until_somebody_has_answered() {
        let store = ModelStore::new();
        let topics = [topic()];
        let kept = |number| paper(number, "Paged KV cache", "A KV cache that is paged.");
        let (now, later) = (october(9, 20), october(29, 20));
        take(
            &store,
            "a",
            news(9, vec![kept(1), kept(2), paper(3, "Rivers", "None.")]),
            now,
        );
        let ask = |now| -> Vec<(String, Kind)> {
            let all = unaffiliated(&store, &topics, &[Kind::ArxivHtml, Kind::OpenAlex], 9, now).unwrap();
            all.into_iter()
                .map(|(paper, kind)| (paper.id.bare().to_owned(), kind))
                .collect()
        };
        let first = ask(now);
        let expected = ["2510.00002", "2510.00001"].map(|id| (id.to_owned(), Kind::ArxivHtml));
        assert_eq!(first, expected);
        let id: PaperId = first[0].0.parse().unwrap();
        affiliated(&store, &id, Kind::ArxivHtml, Asked::Failed, now).unwrap();
        assert!(!ask(now).contains(&first[0]), "it is asked again only after a while");
        assert!(ask(now + PAUSE).contains(&first[0]));
        affiliated(&store, &id, Kind::ArxivHtml, Asked::Answered, now).unwrap();
        assert!(ask(now).contains(&(first[0].0.clone(), Kind::OpenAlex)));
        affiliated(&store, &id, Kind::OpenAlex, Asked::Answered, now).unwrap();
        assert!(ask(now).iter().all(|(paper, _)| *paper != first[0].0));
        assert_eq!(ask(later), []);
    }
}
